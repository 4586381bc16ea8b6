"""Scatter on the GPU without atomics: x[indices] = y, and x[indices] += y, with NumPy's results bit for bit.

Two kernels: the first checks the indices and sets the status if one is out of range; the second writes, unless it is
set.  There a block owns some rows of x (see `write`), so every element has one writer, in NumPy's order.  With P
indices, rows of C elements and G blocks it costs G * P index reads (mostly cached) and P * C updates.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from math import prod

from tensordsl.base.records import record
from tensordsl.codegen.gpu.builder import GLOBAL, SHARED, THREADS, WARP, Env, GpuCode, Kernel, Loop, evaluate
from tensordsl.codegen.gpu.kernels import module_text
from tensordsl.codegen.gpu.launch import Launch, Operand
from tensordsl.codegen.scalar_ir.builder import ITEMSIZE, Builder
from tensordsl.codegen.tensor_ir.indexing import place_taken

WARPS = THREADS // WARP
BLOCKS_PER_SM = 4  # per multiprocessor


@record(eq=False)
class Scatter:
    """x[..., indices, ...] of a tensor x with `rank` axes, of which `axes` are indexed by tensors of `index_types`;
    those broadcast to `index_rank` axes.  `params`: of both kernels, in order."""

    dtype: str
    rank: int
    axes: tuple[int, ...]
    index_rank: int
    check: Kernel
    write: Kernel
    params: tuple[tuple[str, int, int], ...]
    text: str


@lru_cache(maxsize=128)
def scatter(
    dtype: str, rank: int, axes: tuple[int, ...], index_types: tuple[str, ...], index_rank: int, is_set: bool,
    name: str = "scatter",
) -> Scatter:  # fmt: skip
    """The kernels that set elements of x, or add to them (of bools: or); see `ops.array.index.take_axes` for y's
    axes."""
    check = _Emitter(dtype, rank, axes, index_types, index_rank, name + "_check")
    write = _Emitter(dtype, rank, axes, index_types, index_rank, name)
    kernels = check.check(), write.write(is_set)
    return Scatter(dtype, rank, axes, index_rank, *kernels, tuple(write.params), module_text(kernels))


def launches(
    made: Scatter, x: Operand, y: Operand, indices: Sequence[Operand], status: int, multiprocessors: int = 132
) -> list[Launch]:
    """In order.  y and the indices broadcast as NumPy has it; y must not overlap x.

    `status`: the address of an i64, which becomes 1 where an index is out of range; x is written if it is 0 only.
    """
    shape = _broadcast([i.shape for i in indices])
    points = prod(shape)
    if not points:
        return []
    placed, free = place_taken(made.rank, made.axes, made.index_rank, range(made.rank - len(made.axes) + len(shape)))
    result = [0] * (len(placed) + len(free))
    for axis, n in [*zip(placed, shape, strict=True), *((free[d], x.shape[d]) for d in free)]:
        result[axis] = n
    rows, columns = prod([x.shape[d] for d in made.axes]), prod([x.shape[d] for d in free])
    team = WARP if columns <= WARP else THREADS
    grid = max(1, min(-(-rows // (THREADS // team)), multiprocessors * BLOCKS_PER_SM))
    y_strides = _aligned(y, result)
    values = {
        ("points", 0, 0): points,
        ("per", 0, 0): -(-rows // grid),
        ("columns", 0, 0): columns,
        ("team", 0, 0): team,
    }
    values |= {("length", d, 0): n for d, n in enumerate(x.shape)} | {("x", d, 0): s for d, s in enumerate(x.strides)}
    values |= {("y", d, 0): s for d, s in enumerate(y_strides)} | {("places", d, 0): n for d, n in enumerate(shape)}
    for k, i in enumerate(indices):
        values |= {("index", k, d): s for d, s in enumerate(_aligned(i, shape))}
    pointers = [x.address, y.address, *(i.address for i in indices), status]
    arguments = (*pointers, *(values[p] for p in made.params))
    check = Launch(made.check, min(-(-points // THREADS), multiprocessors * BLOCKS_PER_SM), THREADS, arguments)
    return [check, Launch(made.write, grid, THREADS, arguments)] if rows * columns else [check]


def _broadcast(shapes: Sequence[tuple[int, ...]]) -> tuple[int, ...]:
    rank = max(map(len, shapes))
    padded = [(1,) * (rank - len(s)) + s for s in shapes]
    return tuple(next((n for n in sizes if n != 1), 1) for sizes in zip(*padded, strict=True))


def _aligned(o: Operand, shape: Sequence[int]) -> list[int]:
    """The operand's strides along the axes of a shape that it broadcasts to."""
    extra = len(shape) - len(o.shape)
    strides = [0 if n == 1 else s for n, s in zip(o.shape, o.strides, strict=True)]
    assert all(n in (1, m) for n, m in zip(o.shape, shape[extra:], strict=True)), (o.shape, shape)
    return [0] * extra + strides


class _Emitter:
    def __init__(
        self, dtype: str, rank: int, axes: tuple[int, ...], types: tuple[str, ...], index_rank: int, name: str
    ) -> None:
        self.dtype, self.axes, self.types, self.name, self.code = dtype, axes, types, name, GpuCode()
        result = range(rank - len(axes) + index_rank)
        self.placed, self.free = place_taken(rank, axes, index_rank, result)
        self.params: list[tuple[str, int, int]] = [(what, 0, 0) for what in ("points", "per", "columns", "team")]
        self.params += [(what, d, 0) for what in ("length", "x") for d in range(rank)]
        self.params += [("y", d, 0) for d in result] + [("places", d, 0) for d in range(index_rank)]
        self.params += [("index", k, d) for k in range(len(axes)) for d in range(index_rank)]

    def param(self, what: str, k: int = 0, d: int = 0) -> str:
        return f"%{what}{k}_{d}"

    def _kernel(self) -> Kernel:
        c = self.code
        c.do("ret void")
        pointers = ["x", *(f"i{k}" for k in range(len(self.axes))), "status"]
        kinds = [f"ptr{GLOBAL} noalias %{p}" for p in pointers]
        kinds.insert(1, f"ptr{GLOBAL} noalias readonly %y")
        kinds += [f"i64 {self.param(*p)}" for p in self.params]
        head = f"define ptx_kernel void @{self.name}({', '.join(kinds)}) nounwind {{"
        text = "".join(c.shared) + f"{head}\nentry:\n{c.text}\n}}\n"
        return Kernel(self.name, text, frozenset(c.declarations.values()), c.functions, 1)

    def _split(self, number: str, whats: Sequence[tuple[str, int]]) -> list[str]:
        """Positions along axes of these lengths of a point's number, the last one fastest."""
        c, result = self.code, []
        for k, what in reversed(list(enumerate(whats))):
            result.append(number if k == 0 else c.arith("urem", number, self.param(*what)))
            number = number if k == 0 else c.arith("udiv", number, self.param(*what))
        return result[::-1]

    def _dot(self, positions: Sequence[str], strides: Sequence[str]) -> str:
        c, total = self.code, "0"
        for at, stride in zip(positions, strides, strict=True):
            term = c.arith("mul", at, stride)
            total = term if total == "0" else c.arith("add", total, term)
        return total

    def _indices(self, at: Sequence[str]) -> list[tuple[str, str]]:
        """(index as NumPy means it, is it out of range?) of each indexed axis at a position of the index tensors."""
        c, result = self.code, []
        for k, (axis, dtype) in enumerate(zip(self.axes, self.types, strict=True)):
            offset = self._dot(at, [self.param("index", k, d) for d in range(len(at))])
            value = c.load(c.at(f"%i{k}", dtype, offset), dtype)
            if ITEMSIZE[dtype] < 8:
                value = c.op(f"{'zext' if dtype[0] == 'u' else 'sext'} i{8 * ITEMSIZE[dtype]} {value} to i64")
            n = self.param("length", axis)
            if dtype[0] != "u":
                value = c.op(f"select i1 {c.test('slt', value, 0)}, i64 {c.arith('add', value, n)}, i64 {value}")
            result.append((value, c.test("uge", value, n)))
        return result

    def _places(self, number: str) -> list[str]:
        return self._split(number, [("places", d) for d in range(len(self.placed))])

    def _registers(self, *names: str) -> list[str]:
        c = self.code
        return [c.op(f"zext i32 {c.register(n)} to i64") for n in names]

    def check(self) -> Kernel:
        c = self.code
        tid, block, blocks = self._registers("tid.x", "ctaid.x", "nctaid.x")
        first = c.arith("add", c.arith("mul", block, THREADS), tid)
        loop = Loop(c, first, self.param("points"))
        for _, bad in self._indices(self._places(loop.index)):
            c.when(bad, lambda: c.do(f"store i64 1, ptr{GLOBAL} %status, align 8"))
        loop.end(c.arith("mul", blocks, THREADS))
        return self._kernel()

    def write(self, is_set: bool) -> Kernel:
        """The kernel that writes.  A block owns some rows of x: positions along the indexed axes, numbered in C order.
        It reads all indices, 256 at a time, and applies those in its rows in their order, with adjacent threads along
        the other axes."""
        c = self.code
        fine = c.test("eq", c.load("%status", "int64"), 0)
        c.when(fine, lambda: self._write(is_set))
        return self._kernel()

    def _write(self, is_set: bool) -> None:
        c = self.code
        self.tid, block = self._registers("tid.x", "ctaid.x")
        low = c.arith("mul", block, self.param("per"))
        high = c.arith("add", low, self.param("per"))
        self.rows, self.targets, self.sources = (c.cells(self.name, "int64", THREADS) for _ in range(3))
        self.masks = c.cells(self.name, "int32", WARPS)
        loop = Loop(c, "0", self.param("points"))
        self._find(loop.index, low, high)
        c.barrier()
        warps = Loop(c, "0", str(WARPS))
        mask = c.load(c.at(self.masks, "int32", warps.index, SHARED), "int32", SHARED)
        count = c.op(f"zext i32 {self._population(mask)} to i64")
        found = Loop(c, "0", count, [("i32", mask)])
        lowest = c.arith("and", found.values[0], c.arith("sub", 0, found.values[0], "i32"), "i32")
        lane = c.op(f"zext i32 {self._population(c.arith('sub', lowest, 1, 'i32'))} to i64")
        self._update(c.arith("add", c.arith("mul", warps.index, WARP), lane), is_set)
        found.end(1, [c.arith("xor", found.values[0], lowest, "i32")])
        warps.end(1)
        c.barrier()  # before the cells are written again
        loop.end(THREADS)

    def _population(self, bits: str) -> str:
        return self.code.intrinsic("ctpop", "int32", 1, bits)

    def _find(self, first: str, low: str, high: str) -> None:
        """Each thread's place of the next THREADS ones: its row and offsets into cells, the block's own as a mask."""
        c = self.code
        number = c.arith("add", first, self.tid)
        live = c.test("slt", number, self.param("points"))
        at = self._places(c.op(f"select i1 {live}, i64 {number}, i64 0"))
        indices = [i for i, _ in self._indices(at)]
        row = "0"
        for i, axis in zip(indices, self.axes, strict=True):
            row = i if row == "0" else c.arith("add", c.arith("mul", row, self.param("length", axis)), i)
        target = self._dot(indices, [self.param("x", axis) for axis in self.axes])
        source = self._dot(at, [self.param("y", d) for d in self.placed])
        for cell, value in ((self.rows, row), (self.targets, target), (self.sources, source)):
            c.store(value, c.at(cell, "int64", self.tid, SHARED), "int64", SHARED)
        own = c.op(f"and i1 {live}, {c.test('sge', row, low)}")
        own = c.op(f"and i1 {own}, {c.test('slt', row, high)}")
        lane = c.arith("and", c.op(f"trunc i64 {self.tid} to i32"), WARP - 1, "i32")
        mask = c.arith("shl", c.op(f"zext i1 {own} to i32"), lane, "i32")
        for distance in (16, 8, 4, 2, 1):
            mask = c.arith("or", mask, c.shuffle(mask, "int32", distance), "i32")
        warp = c.arith("lshr", self.tid, 5)
        is_first = c.test("eq", lane, 0, "i32")
        c.when(is_first, lambda: c.store(mask, c.at(self.masks, "int32", warp, SHARED), "int32", SHARED))

    def _update(self, slot: str, is_set: bool) -> None:
        """Update x at the index in a slot, by the team that owns its row."""
        c, team = self.code, self.param("team")
        row, target, source = (
            c.load(c.at(cell, "int64", slot, SHARED), "int64", SHARED)
            for cell in (self.rows, self.targets, self.sources)
        )
        teams = c.arith("udiv", THREADS, team)
        its = c.test("eq", c.arith("urem", row, teams), c.arith("udiv", self.tid, team))

        def body() -> None:
            loop = Loop(c, c.arith("urem", self.tid, team), self.param("columns"))
            at = self._split(loop.index, [("length", d) for d in self.free])
            x = c.arith("add", target, self._dot(at, [self.param("x", d) for d in self.free]))
            y = c.arith("add", source, self._dot(at, [self.param("y", d) for d in self.free.values()]))
            value, place = c.load(c.at("%y", self.dtype, y), self.dtype), c.at("%x", self.dtype, x)
            c.store(value if is_set else self._sum(c.load(place, self.dtype), value), place, self.dtype)
            loop.end(team)

        c.when(its, body)

    def _sum(self, x: str, y: str) -> str:
        b = Builder()
        old, new = b.param("x", self.dtype), b.param("y", self.dtype)
        total = b.cast(b.add(b.wide(old), b.wide(new)), self.dtype)
        env: Env = {id(old): x, id(new): y}
        evaluate(self.code, [total], env, lambda v: v.op)
        return env[id(total)]
