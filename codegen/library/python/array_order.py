"""New arrays that keep the order in memory of what they are computed from.

Contract  rows of strides, and C order's behind them -> an array's strides, as `numpy.nditer` chooses them (order K).
"""

from __future__ import annotations

from tensordsl.codegen.llvm.builder import Asm

MAX_AXES = 64  # of NumPy's arrays


def strides_like(f: Asm, itemsize: str, ndim: str) -> str:
    """ptr: the strides of an array like `%likes` rows of strides, behind which those of C order stand, and are left; or
    NULL for these.  Nothing is called where the first row is in C order."""
    ndim = f.op(f"zext i32 {ndim} to i64")
    with f.loop(ndim, ("i1", "true"), ("i64", _size(f, "%rows", "0")), start=1) as loop:
        here = _size(f, "%rows", loop.index)
        loop.next = [f.all(loop.values[0], f.ge(loop.values[1], here)), here]
    before, other, done = f.block, f.label("other"), f.label("like")
    f.branch(f.all(loop.values[0], f.ne(loop.values[1], 0)), done, other)
    f.place(other)
    given = f"i64 {itemsize}", f"i64 {ndim}", "ptr %dims", "i64 %likes", "ptr %rows"
    found = f.call("ptr", "@follow_rows", *given)
    f.place(done)
    return f.op(f"phi ptr [ null, %{before} ], [ {found}, %{other} ]")


def _size(f: Asm, row: str, axis: str) -> str:
    return f.call("i64", "@llvm.abs.i64", f"i64 {_word(f, row, axis)}", "i1 false")


def _word(f: Asm, row: str, k: str) -> str:
    return f.op(f"load i64, ptr {f.gep(row, k, 'i64')}")


def _put(f: Asm, value: str, row: str, k: str) -> None:
    f.do(f"store i64 {value}, ptr {f.gep(row, k, 'i64')}")


def like_texts() -> str:
    return _compare_axes() + _follow_rows()


def _compare_axes() -> str:
    """1 if the first of two axes has the smaller strides in all rows that say, -1 if in some it has not, 0 if none
    says: an axis has one position, or the same elements again."""
    f = Asm("i64", "compare_axes", ("i64 ndim", "ptr dims", "i64 likes", "ptr rows", "i64 a", "i64 b"), internal=True)
    pair = "%a", "%b"
    is_long = f.all(*(f.ne(_word(f, "%dims", x), 1) for x in pair))
    with f.loop("%likes", ("i64", "0")) as loop:
        row = f.gep("%rows", f.mul(loop.index, "%ndim"), "i64")
        near, far = (_size(f, row, x) for x in pair)
        says = f.all(is_long, *(f.ne(x, 0) for x in (near, far)))
        own = f.choose(f.lt(near, far), 1, -1)
        is_new = f.all(says, f.ne(loop.values[0], "-1"))
        loop.next = [f.choose(is_new, own, loop.values[0])]
    f.ret("i64", loop.values[0])
    return f.text


def _follow_rows() -> str:
    """As NumPy does: axes are inserted one by one, from the last one on, each before those that compare as of
    larger stride, up to the first that does not; those without a strict order are passed."""
    params = ("i64 itemsize", "i64 ndim", "ptr dims", "i64 likes", "ptr rows")
    f = Asm("ptr", "follow_rows", params, internal=True)
    order = f.op(f"alloca i64, i64 {MAX_AXES}")  # the nearest axis first
    with f.loop("%ndim") as turn:
        n = turn.index
        axis = f.sub(f.sub("%ndim", n), 1)
        with f.loop(n, ("i64", n), ("i1", "false")) as loop:
            k = f.sub(f.sub(n, loop.index), 1)
            pair = f"i64 {axis}", f"i64 {_word(f, order, k)}"
            nearer = f.call("i64", "@compare_axes", "i64 %ndim", "ptr %dims", "i64 %likes", "ptr %rows", *pair)
            place, ended = loop.values
            ended = f.any(ended, f.eq(nearer, "-1"))
            moves = f.all(f.eq(nearer, 1), f.op(f"xor i1 {ended}, true"))
            loop.next = [f.choose(moves, k, place), ended]
        with f.loop(f.sub(n, loop.values[0])) as shift:
            k = f.sub(n, shift.index)
            _put(f, _word(f, order, f.sub(k, 1)), order, k)
        _put(f, axis, order, loop.values[0])
    strides = f.gep("%rows", f.mul("%likes", "%ndim"), "i64")
    with f.loop("%ndim", ("i64", "%itemsize")) as loop:
        axis = _word(f, order, loop.index)
        _put(f, loop.values[0], strides, axis)
        loop.next = [f.mul(loop.values[0], _word(f, "%dims", axis))]
    f.ret("ptr", strides)
    return f.text
