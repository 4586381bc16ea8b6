"""Of the nest library: results and new values of shared variables that no cache keeps, written past the caches.

So memory need not be read before it is written.  Kernels of few operations have stores that do so
(`cpu.streaming_stores`), also where results alone would fit into a cache that all operands do not.  Of others a block
is computed into scratch, which stays near, and goes from there to memory.  Blocks are short, since reading and writing
should overlap.
"""

from __future__ import annotations

from tensordsl.codegen.abi.descriptor import (
    BLOCKS_WORDS,
    FAST,
    N_AXES,
    N_OPERANDS,
    PARAMS,
    PASSES,
    PAST,
    READ,
    SPACE,
    STREAMED,
    VECTOR,
    WIDTH,
    WRITE,
)  # fmt: skip
from tensordsl.codegen.library.loops.descriptor import entry_of, put_integers
from tensordsl.codegen.library.loops.pack.copy import pieces
from tensordsl.codegen.llvm.function import Function
from tensordsl.codegen.target.tuning import CacheTuning

LESS = 3  # times as many bytes operands have as results, at least, where these alone would fit into a cache
BLOCK = 512  # bytes of a result
ROW = 256  # elements of a row that goes past the caches, at least
METADATA = "!0 = !{i32 1}\n"


def stream_texts() -> list[str]:
    return [_copy_past(), _streamed(), _streamed_rows()]


def is_streamed_text(caches: CacheTuning) -> str:
    """Are the results of `points` points, or all operands, larger than the caches, results adjacent, and none an
    operand?"""
    c = Function("i1", "is_streamed", ["ptr D", *PARAMS[2:5], "i64 points", "i64 shared"], internal=True)
    with c.when(c.test("ne", c.get("%D", STREAMED), 1)):
        c.ret("i1", "false")
    words, wrong = c.word("%D", c.get("%D", FAST)), c.cell(0)
    with c.loop(c.get(words, 3), ("i64", "0"), ("i64", "0")) as loop:
        entry, (results, every) = entry_of(c, words, loop.index), loop.values
        is_vector, size = c.test("eq", c.get(entry, 0), VECTOR), c.get(entry, 2)
        written = c.test("ne", c.arith("and", c.get(entry, 4), WRITE), 0)
        both = c.test("eq", c.get(entry, 4), READ | WRITE)
        c.note(c.all(written, c.op(f"or i1 {both}, {c.op(f'xor i1 {is_vector}, true')}")), wrong)
        moved = c.choose(c.all(is_vector, _is_all(c, c.get(entry, 1))), size, 0)
        loop.next = [c.arith("add", results, c.choose(written, size, 0)), c.arith("add", every, moved)]
    results, every = (c.arith("mul", bytes_, "%points") for bytes_ in loop.values)
    least = c.choose(c.test("ne", "%shared", 0), caches.stream_threads_min_bytes, caches.stream_min_bytes)
    over = c.all(c.test("sge", every, least), c.test("sle", c.arith("mul", results, LESS), every))
    over = c.all(over, c.test("ne", c.get("%D", PASSES), 0))
    large = c.any(c.test("sge", results, caches.stream_result_min_bytes), over)
    apart = c.test("ne", c.call("i64", "@may_repeat", "ptr %D", "ptr %B"), 0)
    return c.end("i1", c.all(c.all(large, apart), c.test("eq", c.get(wrong, 0), 0)))


def _is_all(c: Function, operand: str) -> str:
    """Does an operand have an element for each point?"""
    axes = c.get("%D", N_AXES)
    with c.loop(axes, ("i64", "0")) as loop:
        step = c.get("%S", c.arith("add", c.arith("mul", operand, axes), loop.index))
        repeats = c.all(c.test("eq", step, 0), c.test("ne", c.get("%E", loop.index), 1))
        loop.next = [c.arith("add", loop.values[0], c.choose(repeats, 1, 0))]
    return c.test("eq", loop.values[0], 0)


def _copy_past() -> str:
    """Whole lines without reading them before; what is of a line at the ends as usual."""
    c = Function("void", "copy_past", ["ptr to", "ptr from", "i64 bytes"], internal=True)
    address = c.op("ptrtoint ptr %to to i64")
    head = c.min(c.arith("and", c.arith("sub", 0, address), 63), "%bytes")
    with c.when(c.test("ne", head, 0)):
        pieces(c, "%to", "%from", head)
    lines = c.arith("and", c.arith("sub", "%bytes", head), -64)
    end = c.arith("add", head, lines)
    with c.loop(end, start=head, step=64) as loop:
        line = c.op(f"load <8 x i64>, ptr {c.gep('%from', loop.index)}, align 1")
        c.do(f"store <8 x i64> {line}, ptr {c.gep('%to', loop.index)}, align 64, !nontemporal !0")
    rest = c.arith("sub", "%bytes", end)
    with c.when(c.test("ne", rest, 0)):
        pieces(c, c.gep("%to", end), c.gep("%from", end), rest)
    return c.end()


def _streamed() -> str:
    """Done (or not): as `direct`, by the kernel's own stores past the caches or block by block; it gets the rest."""
    c = Function("i1", "streamed", [*PARAMS, *SPACE], internal=True)
    fast, axes, width = c.get("%D", FAST), c.get("%D", N_AXES), c.get("%D", WIDTH)
    words = c.word("%D", fast)
    lane, external, every = (c.get(words, k) for k in (2, 3, 4))
    kernel, n = c.get("%K", c.get(words, 1), "ptr"), c.get("%E", lane)
    most = c.get(c.word("%D", c.arith("sub", fast, BLOCKS_WORDS)), 3)
    put_integers(c, words, external, every)
    first, size, on_lines = _first_line(c, words, external, kernel, width)
    passes = c.all(on_lines, c.test("ne", c.get("%D", PASSES), 0))
    block = c.max(c.min(most, c.arith("udiv", BLOCK, size)), width)
    rest = c.arith("urem", c.arith("sub", n, first), block)
    rest = c.choose(c.test("slt", rest, width), c.arith("add", rest, block), rest)  # at least a vector
    whole = c.arith("and", c.arith("sub", c.arith("sub", n, first), 1), c.arith("sub", 0, width))
    done = c.choose(passes, c.arith("add", first, whole), c.arith("sub", n, rest))
    with c.when(passes):
        c.call("void", kernel, "ptr %P", f"i64 {whole}", f"i64 {PAST}", "i64 1")
    with c.loop(c.choose(passes, 0, done), start=first, step=block) as at:
        with c.loop(external) as loop:
            address, area, size, is_out = _operand(c, words, loop.index, at.index)
            c.put(c.choose(is_out, area, address, "ptr"), "%P", loop.index, "ptr")
        c.call("void", kernel, "ptr %P", f"i64 {block}", f"i64 {width}", "i64 1")
        with c.loop(external) as loop:
            address, area, size, is_out = _operand(c, words, loop.index, at.index)
            with c.when(is_out):
                c.call("void", "@copy_past", f"ptr {address}", f"ptr {area}", f"i64 {c.arith('mul', block, size)}")
    c.do("fence seq_cst")  # non-temporal stores are in no order
    bases, extents = (c.op(f"alloca i64, i64 {k}, align 8") for k in (c.get("%D", N_OPERANDS), axes))
    with c.loop(axes) as loop:
        c.put(c.get("%E", loop.index), extents, loop.index)
    c.put(c.arith("sub", n, done), extents, lane)
    with c.loop(c.get("%D", N_OPERANDS)) as loop:
        step = c.get("%S", c.arith("add", c.arith("mul", loop.index, axes), lane))
        c.put(c.arith("add", c.get("%B", loop.index), c.arith("mul", step, done)), bases, loop.index)
    tables = f"ptr {bases}", "ptr %S", f"ptr {extents}", "ptr %I", "ptr %P", "ptr %scratch"
    c.call("i64", "@direct", "ptr %K", "ptr %D", *tables, "i64 0", "i64 0")
    return c.end("i1", "true")


def _streamed_rows() -> str:
    """Done (or not): rows apart from each other, of whole lines (or parts would be written twice), by the kernel's own
    stores past the caches."""
    c = Function("i1", "streamed_rows", [*PARAMS, *SPACE], internal=True)
    words, axes, width = c.word("%D", c.get("%D", FAST)), c.get("%D", N_AXES), c.get("%D", WIDTH)
    lane, external, every = (c.get(words, k) for k in (2, 3, 4))
    with c.loop(axes, ("i64", "0"), ("i64", "0")) as axis:
        is_other = c.all(c.test("ne", axis.index, lane), c.test("ne", c.get("%E", axis.index), 1))
        many, last = axis.values
        axis.next = [c.arith("add", many, c.choose(is_other, 1, 0)), c.choose(is_other, axis.index, last)]
    many, rows = axis.values
    n, kernel = c.get("%E", lane), c.get("%K", c.get(words, 1), "ptr")
    wrong = c.cell(0)
    odd = c.arith("and", n, c.arith("sub", width, 1))
    fits = c.all(c.test("eq", many, 1), c.test("eq", odd, 0), c.test("ne", c.get("%D", PASSES), 0))
    c.note(c.op(f"xor i1 {c.all(fits, c.test('sge', n, ROW))}, true"), wrong)
    with c.loop(external) as loop:
        address, _, size, is_out = _operand(c, words, loop.index, "0")
        strides = c.word("%S", c.arith("mul", c.get(entry_of(c, words, loop.index), 1), axes))
        is_vector = c.test("eq", c.get(entry_of(c, words, loop.index), 0), VECTOR)
        begins = c.arith("or", c.op(f"ptrtoint ptr {address} to i64"), c.get(strides, rows))
        c.note(c.all(is_out, c.test("ne", c.arith("and", begins, 63), 0)), wrong)
        c.note(c.all(is_vector, c.test("ne", c.get(strides, lane), size)), wrong)
    with c.when(c.test("ne", c.get(wrong, 0), 0)):
        c.ret("i1", "false")
    put_integers(c, words, external, every)
    with c.loop(c.get("%E", rows)) as row:
        with c.loop(external) as loop:
            number, (address, *_) = c.get(entry_of(c, words, loop.index), 1), _operand(c, words, loop.index, "0")
            step = c.get("%S", c.arith("add", c.arith("mul", number, axes), rows))
            c.put(c.gep(address, c.arith("mul", step, row.index)), "%P", loop.index, "ptr")
        c.call("void", kernel, "ptr %P", f"i64 {n}", f"i64 {PAST}", "i64 1")
    c.do("fence seq_cst")
    return c.end("i1", "true")


def _first_line(c: Function, words: str, external: str, kernel: str, width: str) -> tuple[str, str, str]:
    """Elements before a result's first whole line, which are computed as usual, and the size of one; of several results
    the last one's.  Do all of them begin a line there?  The operands' pointers are those of what follows."""
    with c.loop(external, ("i64", "0"), ("i64", "1")) as loop:
        address, _, size, is_out = _operand(c, words, loop.index, "0")
        c.put(address, "%P", loop.index, "ptr")
        lacking = c.arith("and", c.arith("sub", 0, c.op(f"ptrtoint ptr {address} to i64")), 63)
        first, one = loop.values
        loop.next = [c.choose(is_out, c.arith("udiv", lacking, size), first), c.choose(is_out, size, one)]
    first, one = loop.values
    with c.when(c.test("ne", first, 0)), c.loop(first, step=width) as at:
        c.call("void", kernel, "ptr %P", f"i64 {width}", f"i64 {width}", "i64 1")
        with c.loop(external) as loop:
            address, _, _, _ = _operand(c, words, loop.index, c.arith("add", at.index, width))
            c.put(address, "%P", loop.index, "ptr")
    with c.loop(external, ("i64", "0")) as loop:
        address, _, _, is_out = _operand(c, words, loop.index, first)
        c.put(address, "%P", loop.index, "ptr")
        behind = c.arith("and", c.op(f"ptrtoint ptr {address} to i64"), 63)
        loop.next = [c.arith("or", loop.values[0], c.choose(is_out, behind, 0))]
    return first, one, c.test("eq", loop.values[0], 0)


def _operand(c: Function, words: str, k: str, at: str) -> tuple[str, str, str, str]:
    """(address at an element, scratch, element size, is it a result?) of an external operand, which may be a scalar."""
    entry = entry_of(c, words, k)
    size, vector = c.get(entry, 2), c.test("eq", c.get(entry, 0), VECTOR)
    offset = c.choose(vector, c.arith("mul", at, size), 0)
    address = c.gep(c.get("%B", c.get(entry, 1), "ptr"), offset)
    is_out = c.test("ne", c.arith("and", c.get(entry, 4), WRITE), 0)
    return address, c.gep("%scratch", c.get(entry, 3)), size, is_out
