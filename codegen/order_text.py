"""LLVM text of new arrays that keep the order in memory of what they are computed from."""

from __future__ import annotations

from tensordsl.codegen.assembly import Asm

MOST_AXES = 64  # of NumPy's arrays


def strides_like(f: Asm, itemsize: str, ndim: str) -> str:
    """ptr: the strides of an array like `%likes` rows of strides, behind which those of C order stand, and are left; or
    NULL for these.  Nothing is called where the first row is in C order."""
    ndim = f.op(f"zext i32 {ndim} to i64")
    with f.loop(ndim, ("i1", "true"), ("i64", _size(f, "%rows", "0")), start=1) as loop:
        here = _size(f, "%rows", loop.index)
        loop.next = [f.all(loop.values[0], f.compare("sge", "i64", loop.values[1], here)), here]
    before, other, done = f.block, f.label("other"), f.label("like")
    f.branch(loop.values[0], done, other)
    f.place(other)
    given = f"i64 {itemsize}", f"i64 {ndim}", "ptr %dims", "i64 %likes", "ptr %rows"
    found = f.call("ptr", "@follow_rows", *given)
    f.place(done)
    return f.op(f"phi ptr [ null, %{before} ], [ {found}, %{other} ]")


def _size(f: Asm, row: str, axis: str) -> str:
    return f.call("i64", "@llvm.abs.i64", f"i64 {_word(f, row, axis)}", "i1 false")


def _word(f: Asm, row: str, k: str) -> str:
    return f.op(f"load i64, ptr {f.gep(row, k, 'i64')}")


def like_text() -> str:
    """Of each two axes longer than 1 the first is nearer than the last if it has smaller strides in all rows, and not
    if it has them in none; where rows differ, or have the same elements again, the order is C's."""
    params = ("i64 itemsize", "i64 ndim", "ptr dims", "i64 likes", "ptr rows")
    f = Asm("ptr", "follow_rows", params, internal=True)
    made = f.op(f"alloca i64, i64 {MOST_AXES}")
    with f.loop("%ndim") as axis:
        f.do(f"store i64 %itemsize, ptr {f.gep(made, axis.index, 'i64')}")
    with f.loop("%ndim") as first, f.loop("%ndim", start=f.op(f"add i64 {first.index}, 1")) as last:
        pair = first.index, last.index
        with f.loop("%likes", ("i64", "0"), ("i1", "false")) as loop:
            row = f.gep("%rows", f.op(f"mul i64 {loop.index}, %ndim"), "i64")
            near, far = (_size(f, row, x) for x in pair)
            is_near = f.op(f"zext i1 {f.compare('slt', 'i64', near, far)} to i64")
            is_one = f.any(*(f.compare("eq", "i64", x, 0) for x in (near, far)))
            loop.next = [f.op(f"add i64 {loop.values[0]}, {is_near}"), f.any(loop.values[1], is_one)]
        count, is_one = loop.values
        lengths = [_word(f, "%dims", x) for x in pair]
        long = f.all(*(f.compare("sgt", "i64", n, 1) for n in lengths))
        some, every = f.compare("ne", "i64", count, 0), f.compare("eq", "i64", count, "%likes")
        with f.when(f.all(long, f.any(is_one, f.op(f"xor i1 {some}, {every}")))):
            f.ret("ptr", "null")
        turned = f.all(long, some)
        outer, length = (f.op(f"select i1 {turned}, i64 {x}, i64 {y}") for x, y in (pair[::-1], lengths))
        product = f.op(f"mul i64 {_word(f, made, outer)}, {length}")
        f.do(f"store i64 {product}, ptr {f.gep(made, outer, 'i64')}")
    strides = f.gep("%rows", f.op("mul i64 %likes, %ndim"), "i64")
    with f.loop("%ndim") as axis:
        f.do(f"store i64 {_word(f, made, axis.index)}, ptr {f.gep(strides, axis.index, 'i64')}")
    f.ret("ptr", strides)
    return f.text
