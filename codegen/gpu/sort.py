"""Merge sort on the GPU, stable and in NumPy's order, and binary search in sorted vectors.

A block sorts CHUNK_ELEMENTS in shared memory; then sorted runs are merged by rank in the device's memory, a thread per
element: an element's place is its index in its run plus the number of smaller ones in the other run.
Ref: Satish, Harris and Garland, "Designing efficient sorting algorithms for manycore GPUs" (2009), section 5.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

from tensordsl.base.records import record
from tensordsl.codegen.gpu.builder import SHARED, THREADS, Loop
from tensordsl.codegen.gpu.kernels import module_text
from tensordsl.codegen.gpu.launch import Launch, Operand, contiguous
from tensordsl.codegen.gpu.lines import LineCode, LineKernel, launch, line_values, search
from tensordsl.codegen.scalar_ir.builder import ITEMSIZE

CHUNK_ELEMENTS, CHUNK_BITS = 1024, 10  # elements that a block sorts


@record(eq=False)
class Sort:
    """Kernels: `block` sorts chunks of lines, `merge` makes one run of two.  is_argument: positions are the result."""

    is_argument: bool
    dtype: str
    block: LineKernel
    merge: LineKernel
    text: str

    @property
    def all_kernels(self) -> tuple[LineKernel, ...]:
        return self.block, self.merge


@record(eq=False)
class Search:
    kernel: LineKernel
    text: str

    @property
    def all_kernels(self) -> tuple[LineKernel, ...]:
        return (self.kernel,)


@lru_cache(maxsize=64)
def sort(function: str, dtype: str, rank: int) -> Sort:
    """sort or argsort of lines that `rank` axes number."""
    name, is_argument = f"{function}_{dtype}_{rank}", function == "argsort"
    block, merge = _block(dtype, is_argument, rank, name + "_block"), _merge(dtype, is_argument, rank, name + "_merge")
    return Sort(is_argument, dtype, block, merge, module_text([block, merge]))


@lru_cache(maxsize=64)
def searching(function: str, dtype: str) -> Search:
    """searchsorted_left or searchsorted_right."""
    made = _search(dtype, function.endswith("right"), f"{function}_{dtype}")
    return Search(made, module_text([made]))


def scratch_bytes(made: Sort, x: Operand) -> int:
    """Two sets of keys, and of positions where those are requested; none for lines that a block sorts."""
    lines = _lines(x)
    return 2 * x.shape[0] * lines * (ITEMSIZE[made.dtype] + 8 * made.is_argument) if x.shape[0] > CHUNK_ELEMENTS else 0


def launches(made: Sort, x: Operand, y: Operand, scratch: int, multiprocessors: int = 132) -> list[Launch]:
    """In order; x and y: axis of the lines first.  `scratch`: the address of `scratch_bytes`.  y may be x, laid out
    alike."""
    n, lines = x.shape[0], _lines(x)
    if not n * lines:
        return []
    chunks, levels = -(-n // CHUNK_ELEMENTS), max(0, (-(-n // CHUNK_ELEMENTS) - 1).bit_length())
    order = (lines, n)  # of scratch: a line after the other
    step = contiguous(order)
    first, second = 8 * made.is_argument * n * lines, ITEMSIZE[made.dtype] * n * lines
    sets = [(scratch + k * (first + second), scratch + k * (first + second) + first) for k in range(2)]

    def on_lines(address: int) -> Operand:
        inner = contiguous(x.shape[1:])
        return Operand(address, x.shape, (step[1], *(n * s for s in inner)))

    def arguments(source: Operand, target: Operand) -> dict[str, int]:
        return line_values(x.shape[1:], x=source, y=target) | {"n": n, "lines": lines, "chunks": chunks}

    last = y.address, y.address  # of keys or of positions: the other one is not written at the end
    places = [*(sets[k % 2] for k in range(levels)), last]
    targets = [on_lines(0)] * levels + [y]
    some = min(n, CHUNK_ELEMENTS)
    values = arguments(x, targets[0]) | {"levels": (some - 1).bit_length(), "is_last": int(not levels)}
    pointers = {"x": x.address, "positions": places[0][0], "keys": places[0][1]}
    result = [launch(made.block, lines * chunks, pointers, values, multiprocessors)]
    for k in range(levels):
        values = arguments(on_lines(0), targets[k + 1]) | {"bits": CHUNK_BITS + k, "is_last": int(k + 1 == levels)}
        pointers = {"old_positions": places[k][0], "old_keys": places[k][1]}
        pointers |= {"positions": places[k + 1][0], "keys": places[k + 1][1]}
        result.append(launch(made.merge, -(-lines * n // THREADS), pointers, values, multiprocessors))
    return result


def search_launches(made: Search, x: Operand, v: Operand, y: Operand, multiprocessors: int = 132) -> list[Launch]:
    """The places of the vector v's elements in the sorted vector x."""
    if not v.shape[0]:
        return []
    values = {"n": x.shape[0], "x_step": x.strides[0], "v_step": v.strides[0], "y_step": y.strides[0]}
    values |= {"many": v.shape[0], "steps": x.shape[0].bit_length()}
    pointers = {"x": x.address, "v": v.address, "y": y.address}
    return [launch(made.kernel, -(-v.shape[0] // THREADS), pointers, values, multiprocessors)]


def _lines(x: Operand) -> int:
    lines = 1
    for n in x.shape[1:]:
        lines *= n
    return lines


# -- kernels ---------------------------------------------------------------------------------------------------------
def _rank(
    c: LineCode, dtype: str, at: str, bits: str, n: str, value: str, load: Callable[[str], str]
) -> str:  # fmt: skip
    """Where the element at `at` goes when runs of 2^bits of the n elements are merged in pairs."""
    run, width = c.arith("lshr", at, bits), c.arith("shl", 1, bits)
    is_right = c.test("ne", c.arith("and", run, 1), 0)
    other = c.arith("shl", c.arith("xor", run, 1), bits)
    left = c.arith("sub", n, other)
    there = c.min(c.intrinsic("smax", "int64", 1, left, "0"), width)
    last = c.arith("sub", n, 1)
    before = search(
        c, dtype, lambda k: load(c.min(c.arith("add", other, k), last)), there, value, is_right, c.arith("add", bits, 1)
    )
    own = c.arith("and", at, c.arith("sub", width, 1))
    start = c.arith("shl", c.arith("and", run, -2), bits)
    return c.arith("add", start, c.arith("add", own, before))


def _block(dtype: str, is_argument: bool, rank: int, name: str) -> LineKernel:
    c = LineCode(name, ("x", "positions", "keys"), rank)
    keys = c.cells(name, dtype, 2 * CHUNK_ELEMENTS)
    places = c.cells(name, "int64", 2 * CHUNK_ELEMENTS) if is_argument else ""
    chunks, n = c.param("chunks"), c.param("n")
    work = Loop(c, c.block_number, c.arith("mul", c.param("lines"), chunks))
    x, y = c.offsets(c.arith("udiv", work.index, chunks), "x", "y")
    low = c.arith("mul", c.arith("urem", work.index, chunks), CHUNK_ELEMENTS)
    count = c.min(c.arith("sub", n, low), CHUNK_ELEMENTS)

    def each(body: Callable[[str], None]) -> None:
        loop = Loop(c, c.tid, count)
        body(loop.index)
        loop.end(THREADS)

    def key(cell: str) -> str:
        return c.load(c.at(keys, dtype, cell, SHARED), dtype, SHARED)

    def put(value: str, place: str, cell: str) -> None:
        c.store(value, c.at(keys, dtype, cell, SHARED), dtype, SHARED)
        if is_argument:
            c.store(place, c.at(places, "int64", cell, SHARED), "int64", SHARED)

    def place(cell: str) -> str:
        return c.load(c.at(places, "int64", cell, SHARED), "int64", SHARED) if is_argument else ""

    def read(at: str) -> None:
        position = c.arith("add", low, at)
        put(c.load(c.element("x", dtype, x, position, c.param("x_step")), dtype), position, at)

    each(read)
    c.barrier()
    levels = Loop(c, "0", c.param("levels"))
    half = c.arith("mul", c.arith("and", levels.index, 1), CHUNK_ELEMENTS)
    other = c.arith("sub", CHUNK_ELEMENTS, half)

    def merge(at: str) -> None:
        cell = c.arith("add", half, at)
        value = key(cell)
        to = _rank(c, dtype, at, levels.index, count, value, lambda k: key(c.arith("add", half, k)))
        put(value, place(cell), c.arith("add", other, to))

    each(merge)
    c.barrier()
    levels.end(1)
    final = c.arith("mul", c.arith("and", c.param("levels"), 1), CHUNK_ELEMENTS)

    def write(at: str) -> None:
        cell, position = c.arith("add", final, at), c.arith("add", low, at)
        _write(c, dtype, is_argument, y, position, key(cell), place(cell))

    each(write)  # a thread reads the cells that it writes for the next chunk
    work.end(c.blocks)
    return c.made()


def _write(c: LineCode, dtype: str, is_argument: bool, line: str, at: str, value: str, position: str) -> None:
    """The keys, or the positions; before the last merge of positions, both."""
    step = c.param("y_step")
    if not is_argument:
        c.store(value, c.element("keys", dtype, line, at, step), dtype)
        return
    c.store(position, c.element("positions", "int64", line, at, step), "int64")
    more = c.test("eq", c.param("is_last"), 0)
    c.when(more, lambda: c.store(value, c.element("keys", dtype, line, at, step), dtype))


def _merge(dtype: str, is_argument: bool, rank: int, name: str) -> LineKernel:
    c = LineCode(name, ("old_positions", "old_keys", "positions", "keys"), rank)
    n, bits = c.param("n"), c.param("bits")
    first = c.arith("add", c.arith("mul", c.block_number, THREADS), c.tid)
    loop = Loop(c, first, c.arith("mul", c.param("lines"), n))
    line, at = c.arith("udiv", loop.index, n), c.arith("urem", loop.index, n)
    x, y = c.offsets(line, "x", "y")
    step = c.param("x_step")

    def key(at: str) -> str:
        return c.load(c.element("old_keys", dtype, x, at, step), dtype)

    value = key(at)
    to = _rank(c, dtype, at, bits, n, value, key)
    position = c.load(c.element("old_positions", "int64", x, at, step), "int64") if is_argument else ""
    _write(c, dtype, is_argument, y, to, value, position)
    loop.end(c.arith("mul", c.blocks, THREADS))
    return c.made()


def _search(dtype: str, is_right: bool, name: str) -> LineKernel:
    c = LineCode(name, ("x", "v", "y"), 0)
    n = c.param("n")
    first = c.arith("add", c.arith("mul", c.block_number, THREADS), c.tid)
    loop = Loop(c, first, c.param("many"))
    value = c.load(c.element("v", dtype, "0", loop.index, c.param("v_step")), dtype)

    def load(k: str) -> str:
        return c.load(c.element("x", dtype, "0", c.min(k, c.arith("sub", n, 1)), c.param("x_step")), dtype)

    place = search(c, dtype, load, n, value, "true" if is_right else "false", c.param("steps"))
    c.store(place, c.element("y", "int64", "0", loop.index, c.param("y_step")), "int64")
    loop.end(c.arith("mul", c.blocks, THREADS))
    return c.made()
