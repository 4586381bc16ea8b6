"""Matrix products on the GPU: C = alpha A B + beta C by register tiles over tiles in shared memory, batched.

`choose` names a variant by lengths and strides alone, `product` makes its kernels, `launches` starts them.  Each
element of C is one sum of fused multiply-adds in the order of k, or one per slice: results do not depend on tile,
card or timing.  Ref: Volkov and Demmel, "Benchmarking GPUs to tune dense linear algebra" (2008); NVIDIA CUTLASS.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Any

from tensordsl.base.records import record
from tensordsl.codegen.fusion.group import Buffer, Group, Out
from tensordsl.codegen.gpu.builder import GLOBAL, SHARED, THREADS, WARP, GpuCode, Kernel, Loop
from tensordsl.codegen.gpu.kernels import COLUMNS, ROWS, module_text
from tensordsl.codegen.gpu.launch import (
    MAX_STAGE_BLOCKS,
    MIN_STAGE_TILES,
    Launch,
    Operand,
    contiguous,
    extents,
    tile_size,
)
from tensordsl.codegen.gpu.launch import launches as group_launches
from tensordsl.codegen.gpu.schedule import GpuPlan, plan
from tensordsl.codegen.llvm.vector_builder import constant, llvm_type
from tensordsl.codegen.scalar_ir.builder import ITEMSIZE, Builder
from tensordsl.ops.array.reducers import ADD

SIDE_THREADS = 16  # rows, and columns, of a block's grid of threads
MIN_TILES = 64  # tiles of C below which the sum is sliced
MIN_STEPS = 256  # of a slice
MAX_SLICES = 64
MAX_THIN_ROWS = 1  # rows or columns of C that make a product a matrix times a vector


@record
class Tile:
    """size: rows and columns of a block's tile; micro: of a thread's; depth: steps of the sum between barriers;
    resident: see `Kernel`."""

    size: int
    micro: int
    depth: int
    resident: int


TILES = {"float32": (Tile(128, 8, 8, 1), Tile(64, 4, 16, 2)), "float64": (Tile(64, 4, 8, 2),)}
INTEGERS = (
    "m", "n", "k", "slice", "slices", "a_batch", "a_row", "a_column", "b_batch", "b_row", "b_column", "c_batch",
    "c_slice", "c_row", "c_column",
)  # fmt: skip
PARAMETERS = ("a", "b", "c", *INTEGERS)
"""Of a tiled kernel, in order: addresses of A, B and C, then lengths, and strides in elements."""


@record(eq=False)
class Product:
    """A product's variant.  `tile`, `kernel`: of tiled and sliced ones.  `second`: the group that adds slices, or is a
    thin product."""

    dtype: str
    name: str
    tile: Tile | None
    kernel: Kernel | None
    second: GpuPlan | None
    text: str


@record
class Choice:
    """The variant for some lengths and strides.  scratch: bytes that it needs."""

    variant: str
    slices: int = 1
    scratch: int = 0


def gemm_kernel(
    dtype: str, name: str = "gemm", alpha: float = 1.0, beta: float = 0.0, tile: Tile | None = None
) -> Kernel:
    """The tiled kernel.  Its parameters are `PARAMETERS`; its grid: tiles of C, times slices, times batches.

    float32 or float64; C must not overlap A or B.  Where beta is 0, C is not read.
    """
    return Tiled(dtype, name, alpha, beta, tile or TILES[dtype][0]).kernel()


def choose(
    dtype: str, m: int, n: int, k: int, a_strides: Sequence[int], b_strides: Sequence[int], batch: int = 1
) -> Choice:
    """The variant for C[m, n] = A[m, k] B[k, n], `batch` times; strides of rows and columns in elements.

    tiled: a block of 256 threads computes a tile of C, a thread `micro` by `micro` of it; tiles of A and B of `depth`
    are double-buffered in shared memory, with one barrier a step.
    sliced: the same for small C and long sums (split-K): slices of the sum go to scratch, a second kernel adds them.
    matvec, vecmat: one of the operands is a vector; the reductions of `gpu.kernels` along rows, or columns.
    """
    if min(m, n) <= MAX_THIN_ROWS:
        along_k = a_strides[1] if n <= MAX_THIN_ROWS else b_strides[0]
        along_rows = a_strides[0] if n <= MAX_THIN_ROWS else b_strides[1]
        axis = ROWS if abs(along_k) <= abs(along_rows) or m == n == 1 else COLUMNS
        long, parts = max(m, n), batch * (max(m, n) if axis == ROWS else -(-max(m, n) // WARP))
        tiles = -(-k // tile_size(k, axis))
        stages = 2 if tiles >= MIN_STAGE_TILES and parts < MAX_STAGE_BLOCKS else 1
        variant = f"{'matvec' if n <= MAX_THIN_ROWS else 'vecmat'}_{axis}{stages}"
        return Choice(variant, 1, tiles * batch * long * ITEMSIZE[dtype] if stages == 2 else 0)
    blocks = [batch * -(-m // t.size) * -(-n // t.size) for t in TILES[dtype]]
    number = next((i for i, count in enumerate(blocks) if count >= MIN_TILES), len(blocks) - 1)
    slices = min(-(-MIN_TILES // blocks[number]), -(-k // MIN_STEPS), MAX_SLICES) if blocks[number] < MIN_TILES else 1
    if slices <= 1:
        return Choice(f"tiled{number}")
    slices = -(-k // -(-k // slices))
    return Choice(f"sliced{number}", slices, slices * batch * m * n * ITEMSIZE[dtype])


@lru_cache(maxsize=256)
def product(dtype: str, variant: str, alpha: float = 1.0, beta: float = 0.0) -> Product:
    """The kernels of a variant that `choose` named."""
    name = f"gemm_{variant}_{dtype}"
    if variant.startswith(("matvec", "vecmat")):
        group = _thin(dtype, variant, alpha, beta)
        return Product(dtype, name, None, None, group, group.text)
    tile = TILES[dtype][int(variant[-1])]
    if variant.startswith("tiled"):
        kernel = gemm_kernel(dtype, name, alpha, beta, tile)
        return Product(dtype, name, tile, kernel, None, module_text([kernel]))
    kernel, second = (
        gemm_kernel(dtype, name, tile=tile),
        plan(_adding(dtype, alpha, beta), name + "_sum", two_stages=False),
    )
    return Product(dtype, name, tile, kernel, second, module_text([kernel, *second.kernels]))


def launches(
    made: Product, choice: Choice, a: Operand, b: Operand, c: Operand, scratch: int, multiprocessors: int = 132
) -> list[Launch]:
    """In order.  Operands have two axes, or three: batches, of which a stride of 0 repeats one.

    `scratch`: the address of `choice.scratch` bytes.  Lengths must agree.  An empty C has no launches.
    """
    a, b, c = (_batched(o) for o in (a, b, c))
    batch, m, n = c.shape
    k = a.shape[2]
    assert a.shape == (batch, m, k) and b.shape == (batch, k, n), (a.shape, b.shape, c.shape)
    if not batch * m * n:
        return []
    if made.kernel is None:
        assert made.second is not None
        return _thin_launches(made.second, choice.variant, a, b, c, scratch, multiprocessors)
    assert made.tile is not None
    size = made.tile.size
    if not k:
        a, b = replace(a, address=c.address), replace(b, address=c.address)  # at least one element is read
    target, step = c, 0
    if choice.slices > 1:
        target, step = Operand(scratch, (batch, m, n), (m * n, n, 1)), batch * m * n
    slice_steps = -(-k // choice.slices)
    values = (m, n, k, slice_steps, choice.slices, *a.strides, *b.strides, target.strides[0], step, *target.strides[1:])
    grid = batch * choice.slices * -(-m // size) * -(-n // size)
    first = Launch(made.kernel, grid, THREADS, (a.address, b.address, target.address, *values))
    if made.second is None:
        return [first]
    partial = Operand(scratch, (choice.slices, batch, m, n), (step, m * n, n, 1))
    operands = {o: c for o in made.second.buffers} | {_buffer(made.second, "part"): partial}
    lengths = extents(made.second, operands)
    return [first, *group_launches(made.second, operands, lengths, 0, multiprocessors=multiprocessors)]


def _batched(o: Operand) -> Operand:
    return o if len(o.shape) == 3 else Operand(o.address, (1, *o.shape), (0, *o.strides))


# -- products as groups ----------------------------------------------------------------------------------------------
def _scaled(b: Builder, dtype: str, total: Any, old: Any, alpha: float, beta: float) -> Any:
    """alpha total + beta old, as BLAS: terms with a factor of 0 are left out."""
    value = total if alpha == 1 else b.mul(total, b.const(alpha, dtype))
    return value if beta == 0 else b.add(value, old() if beta == 1 else b.mul(old(), b.const(beta, dtype)))


@lru_cache(maxsize=64)
def _thin(dtype: str, variant: str, alpha: float, beta: float) -> GpuPlan:
    """y[z, i] = alpha sum_k matrix[z, i, k] x[z, k] + beta y[z, i]; the matrix's last axis is the adjacent one."""
    b, is_rows = Builder(), "rows" in variant
    matrix = Buffer("matrix", dtype, ("batch", "n", "k") if is_rows else ("batch", "k", "n"))
    vector, result = Buffer("vector", dtype, ("batch", "k")), Buffer("result", dtype, ("batch", "n"))
    entries = ("z", "i", "j") if is_rows else ("z", "j", "i")
    (total,) = b.reduce(ADD, ("j",), b.mul(b.load(matrix, *entries), b.load(vector, "z", "j")))
    value = _scaled(b, dtype, total, lambda: b.load(result, "z", "i"), alpha, beta)
    lengths = {"z": "batch", "i": "n", "j": "k"}
    group = Group("thin", lengths, ("z", "i"), (Out(result, ("z", "i"), value),))
    return plan(group, f"gemm_{variant}_{dtype}", two_stages=variant.endswith("2"))


def _thin_launches(
    made: GpuPlan, variant: str, a: Operand, b: Operand, c: Operand, scratch: int, multiprocessors: int
) -> list[Launch]:
    is_matvec, is_rows = variant.startswith("matvec"), "rows" in variant
    if is_matvec:
        matrix, vector, kept = a, b, 1
    else:
        matrix, vector, kept = _transposed(b), _transposed(a), 2
    operands = {
        _buffer(made, "matrix"): matrix if is_rows else _transposed(matrix),
        _buffer(made, "vector"): Operand(vector.address, vector.shape[:2], vector.strides[:2]),
    }
    result = Operand(c.address, (c.shape[0], c.shape[kept]), (c.strides[0], c.strides[kept]))
    operands |= {o: result for o in made.buffers if o.name == "result"}
    lengths = extents(made, operands)
    for t in made.temporaries:  # one: a sum has one state
        shape = tuple(lengths[e] for e in t.shape)
        operands[t] = Operand(scratch, shape, contiguous(shape))
    return group_launches(made, operands, lengths, 0, multiprocessors=multiprocessors)


def _transposed(o: Operand) -> Operand:
    """The operand with rows and columns exchanged."""
    z, m, n = o.shape
    return Operand(o.address, (z, n, m), (o.strides[0], o.strides[2], o.strides[1]))


def _buffer(made: GpuPlan, name: str) -> Buffer:
    return next(b for b in made.buffers if b.name == name)


def _adding(dtype: str, alpha: float, beta: float) -> Group:
    """c[z, i, j] = alpha sum_s part[s, z, i, j] + beta c[z, i, j]."""
    b, lengths = Builder(), {"z": "batch", "i": "m", "j": "n"}
    partial, c = Buffer("part", dtype, ("slices", *lengths.values())), Buffer("c", dtype, tuple(lengths.values()))
    (total,) = b.reduce(ADD, ("s",), b.load(partial, "s", *lengths))
    value = _scaled(b, dtype, total, lambda: b.load(c, *lengths), alpha, beta)
    return Group("adding", {**lengths, "s": "slices"}, tuple(lengths), (Out(c, tuple(lengths), value),))


# -- the tiled kernel ------------------------------------------------------------------------------------------------
class _Side:
    """One operand of a block's tile: `size` positions along its outer axis by `depth` steps of the sum.

    Neighbouring threads take the axis with the smaller stride, which is known at run time: a thread's elements are
    (at + i * at_move, step + i * step_move) for i in range(count).  What follows from i is added up where it is used:
    a register for each would be too many.
    """

    def __init__(
        self, c: GpuCode, e: Tiled, pointer: str, first: str, limit: str, low: str, outer: str, inner: str
    ) -> None:
        tile, self.c, self.e, self.pointer = e.tile, c, e, pointer
        self.count = tile.size * tile.depth // THREADS
        along_k = c.test("sle", self._magnitude(inner), self._magnitude(outer))
        fast_k = (c.arith("udiv", e.tid, tile.depth), c.arith("urem", e.tid, tile.depth), THREADS // tile.depth, 0)
        fast_m = (c.arith("urem", e.tid, tile.size), c.arith("udiv", e.tid, tile.size), 0, THREADS // tile.size)
        pairs = zip(fast_k, fast_m, strict=True)
        at, self.step, self.at_move, self.step_move = (c.op(f"select i1 {along_k}, i64 {x}, i64 {y}") for x, y in pairs)
        self.is_complete = c.test("sle", c.arith("add", first, tile.size), limit)
        position = c.arith("add", first, at)
        self.room = self._as_i32(c.arith("sub", limit, position))
        narrowed = (c.op(f"trunc i64 {x} to i32") for x in (self.at_move, self.step, self.step_move))
        self.at_i32, self.first_step, self.step_i32 = narrowed
        start = c.arith("add", low, self.step)
        self.offset = c.arith("add", c.arith("mul", position, outer), c.arith("mul", start, inner))
        self.offset_move = c.arith("add", c.arith("mul", self.at_move, outer), c.arith("mul", self.step_move, inner))
        self.advance = c.arith("mul", inner, tile.depth)
        self.cell = c.arith("add", c.arith("mul", self.step, e.pitch), at)
        self.cell_move = c.arith("add", c.arith("mul", self.step_move, e.pitch), self.at_move)
        self.cells = c.cells(e.name, e.dtype, 2 * e.buffer)

    def _magnitude(self, stride: str) -> str:
        c = self.c
        negative = c.test("slt", stride, 0)
        return c.op(f"select i1 {negative}, i64 {c.arith('sub', 0, stride)}, i64 {stride}")

    def _as_i32(self, count: str) -> str:
        """As i32, for comparisons with small numbers."""
        return self.c.op(
            f"trunc i64 {self.c.intrinsic('smax', 'int64', 1, self.c.min(count, (1 << 31) - 1), '-1')} to i32"
        )

    def fetch(self, offset: str, low: str, high: str) -> list[str]:
        """This thread's elements of the tile whose sum begins at `low`; outside of it 0 (the first element is
        loaded)."""
        c, e, values = self.c, self.e, []
        at, step, left = "0", self.first_step, self._as_i32(c.arith("sub", high, low))
        for i in range(self.count):
            if i:
                at, step = c.arith("add", at, self.at_i32, "i32"), c.arith("add", step, self.step_i32, "i32")
                offset = c.arith("add", offset, self.offset_move)
            valid = c.op(f"and i1 {c.test('slt', at, self.room, 'i32')}, {c.test('slt', step, left, 'i32')}")
            chosen = c.op(f"select i1 {valid}, i64 {offset}, i64 0")
            value = c.load(c.at(self.pointer, e.dtype, chosen), e.dtype)
            values.append(c.op(f"select i1 {valid}, {e.type} {value}, {e.type} {constant(0.0, e.dtype)}"))
        return values

    def fetch_complete(self, offset: str) -> list[str]:
        """The same of a tile without a remainder: no bounds checks."""
        c, values = self.c, []
        place = c.at(self.pointer, self.e.dtype, offset)
        for i in range(self.count):
            place = c.at(place, self.e.dtype, self.offset_move) if i else place
            values.append(c.load(place, self.e.dtype))
        return values

    def store(self, values: list[str], half: str) -> None:
        """Store the elements to the half of the double buffer that begins at `half`."""
        c, e = self.c, self.e
        place = c.arith("add", half, self.cell)
        for i, x in enumerate(values):
            place = c.arith("add", place, self.cell_move) if i else place
            c.store(x, c.at(self.cells, e.dtype, place, SHARED), e.dtype, SHARED)

    def thread_elements(self, half: str, thread: str, step: int) -> list[str]:
        """This thread's elements of one step of the sum: runs of 4, SIDE_THREADS runs between them."""
        c, e, values = self.c, self.e, []
        width = min(4, 16 // ITEMSIZE[e.dtype])
        base = c.arith("add", c.arith("add", half, c.arith("mul", thread, 4)), step * e.pitch)
        for run in range(e.tile.micro // 4):
            for piece in range(0, 4, width):
                at = c.arith("add", base, run * 4 * SIDE_THREADS + piece)
                values += c.load_many(c.at(self.cells, e.dtype, at, SHARED), e.dtype, width, SHARED)
        return values


class Tiled:
    """The tiled kernel's text."""

    def __init__(self, dtype: str, name: str, alpha: float, beta: float, tile: Tile) -> None:
        self.dtype, self.name, self.alpha, self.beta, self.tile = dtype, name, alpha, beta, tile
        self.type = llvm_type(dtype)
        self.pitch = tile.size + 16 // ITEMSIZE[dtype]  # of a step's row in shared memory: fewer bank conflicts
        self.buffer = tile.depth * self.pitch
        self.code = GpuCode()

    def kernel(self) -> Kernel:
        c = self.code
        p = {name: f"%{name}" for name in PARAMETERS}
        batch, slice, row, column = self._place(p)
        low = c.arith("mul", slice, p["slice"])
        high = c.min(c.arith("add", low, p["slice"]), p["k"])
        pointers = [self._moved(p[o], c.arith("mul", batch, p[f"{o}_batch"])) for o in "ab"]
        a = _Side(c, self, pointers[0], row, p["m"], low, p["a_row"], p["a_column"])
        b = _Side(c, self, pointers[1], column, p["n"], low, p["b_column"], p["b_row"])
        totals = self._sum(a, b, low, high)
        offset = c.arith("add", c.arith("mul", batch, p["c_batch"]), c.arith("mul", slice, p["c_slice"]))
        self._store(totals, self._moved(p["c"], offset), row, column, p)
        c.do("ret void")
        head = f"define ptx_kernel void @{self.name}({', '.join(self._params())}) nounwind {{"
        text = "".join(c.shared) + f"{head}\nentry:\n{c.text}\n}}\n"
        return Kernel(self.name, text, frozenset(c.declarations.values()), c.functions, self.tile.resident)

    def _params(self) -> list[str]:
        kinds = [f"ptr{GLOBAL} noalias readonly %a", f"ptr{GLOBAL} noalias readonly %b", f"ptr{GLOBAL} noalias %c"]
        return [*kinds, *(f"i64 %{i}" for i in INTEGERS)]

    def _place(self, p: dict[str, str]) -> tuple[str, str, str, str]:
        """(batch, slice, first row, first column) of this block; its threads are SIDE_THREADS by SIDE_THREADS."""
        c, size = self.code, self.tile.size
        self.tid, block = (c.op(f"zext i32 {c.register(r)} to i64") for r in ("tid.x", "ctaid.x"))
        self.x, self.y = c.arith("urem", self.tid, SIDE_THREADS), c.arith("udiv", self.tid, SIDE_THREADS)
        tiles_n, tiles_m = (c.arith("udiv", c.arith("add", p[e], size - 1), size) for e in "nm")
        column, rest = c.arith("urem", block, tiles_n), c.arith("udiv", block, tiles_n)
        row, rest = c.arith("urem", rest, tiles_m), c.arith("udiv", rest, tiles_m)
        slice, batch = c.arith("urem", rest, p["slices"]), c.arith("udiv", rest, p["slices"])
        return batch, slice, c.arith("mul", row, size), c.arith("mul", column, size)

    def _moved(self, pointer: str, offset: str) -> str:
        return self.code.at(pointer, self.dtype, offset)

    def _sum(self, a: _Side, b: _Side, low: str, high: str) -> list[str]:
        """Of this thread's micro * micro elements, rows first, over [low, high)."""
        c, micro, zero = self.code, self.tile.micro, (self.type, constant(0.0, self.dtype))
        sides = (a, b)
        are_complete = c.op(f"and i1 {a.is_complete}, {b.is_complete}")
        last = c.op(
            f"select i1 {are_complete}, i64 {c.arith('sub', high, self.tile.depth)}, i64 -1"
        )  # of complete tiles
        for side in sides:
            side.store(side.fetch(side.offset, low, high), "0")
        c.barrier()
        loop = Loop(c, low, high, [*[zero] * micro * micro, ("i64", "0"), *(("i64", side.offset) for side in sides)])
        totals, (half, *offsets) = loop.values[:-3], loop.values[-3:]
        following = c.arith("add", loop.index, self.tile.depth)
        offsets = [c.arith("add", at, side.advance) for at, side in zip(offsets, sides, strict=True)]
        fetched = self._fetched(list(zip(sides, offsets, strict=True)), following, high, last)
        for step in range(self.tile.depth):
            xs, ys = a.thread_elements(half, self.y, step), b.thread_elements(half, self.x, step)
            products = ((x, y) for x in xs for y in ys)
            totals = [c.intrinsic("fma", self.dtype, 1, x, y, t) for (x, y), t in zip(products, totals, strict=True)]
        other = c.arith("sub", self.buffer, half)
        for side, values in zip(sides, fetched, strict=True):
            side.store(values, other)
        c.barrier()  # nobody writes to a half that another one still reads
        loop.end(self.tile.depth, [*totals, other, *offsets])
        return loop.values[:-3]

    def _fetched(self, sides: list[tuple[_Side, str]], low: str, high: str, last: str) -> list[list[str]]:
        """Both sides' elements of a tile, without bounds checks up to that of step `last`.  float64 units take an
        instruction in two cycles, which hides the checks."""
        c, count = self.code, sides[0][0].count
        if self.dtype == "float64":
            return [side.fetch(at, low, high) for side, at in sides]
        values = c.fork(
            c.test("sle", low, last), [self.type] * 2 * count,
            lambda: [x for side, at in sides for x in side.fetch_complete(at)],
            lambda: [x for side, at in sides for x in side.fetch(at, low, high)],
        )  # fmt: skip
        return [values[:count], values[count:]]

    def _store(self, totals: list[str], c_pointer: str, row: str, column: str, p: dict[str, str]) -> None:
        c, micro = self.code, self.tile.micro

        def positions(first: str, thread: str) -> list[str]:
            base = c.arith("add", first, c.arith("mul", thread, 4))
            return [c.arith("add", base, k // 4 * 4 * SIDE_THREADS + k % 4) for k in range(micro)]

        rows, columns = positions(row, self.y), positions(column, self.x)
        inside = [c.test("slt", x, p["n"]) for x in columns]
        for i, at in enumerate(rows):
            line = c.arith("mul", at, p["c_row"])
            valid = c.test("slt", at, p["m"])
            for j, x in enumerate(columns):
                place = c.at(c_pointer, self.dtype, c.arith("add", line, c.arith("mul", x, p["c_column"])))
                both = c.op(f"and i1 {valid}, {inside[j]}")
                c.when(both, lambda place=place, total=totals[i * micro + j]: self._write(place, total))  # type: ignore[misc]

    def _write(self, place: str, total: str) -> None:
        self.code.store(self._scaled(place, total), place, self.dtype)

    def _scaled(self, place: str, total: str) -> str:
        """alpha total + beta C."""
        c, t = self.code, self.type
        if self.alpha != 1:
            total = c.op(f"fmul {t} {total}, {constant(self.alpha, self.dtype)}")
        if self.beta != 0:
            old = c.load(place, self.dtype)
            old = old if self.beta == 1 else c.op(f"fmul {t} {old}, {constant(self.beta, self.dtype)}")
            total = c.op(f"fadd {t} {total}, {old}")
        return total
