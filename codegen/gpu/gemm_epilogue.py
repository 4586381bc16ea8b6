"""Epilogues of GPU matrix products: a group that reads C at its own points runs in the product's kernel.

`epilogues` finds the pairs in a program: a product, then a group without reductions.  `fused` makes the kernel: a tile
of C is staged through shared memory some rows at a time, so that the group's loads and stores are coalesced.  Results
are the same bits as of two kernels; C itself is not stored unless something else reads it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from tensordsl.base.records import record
from tensordsl.codegen.fusion.group import Buffer
from tensordsl.codegen.gpu.builder import GLOBAL, MAX_INLINED_MATH, SHARED, THREADS, Env, Loop
from tensordsl.codegen.gpu.gemm import SIDE_THREADS, TILES, Choice, Product, Tiled, launches
from tensordsl.codegen.gpu.kernels import CROSSED, FLAT, Emitter, GpuKernel, module_text
from tensordsl.codegen.gpu.launch import Launch, Operand, point_arguments
from tensordsl.codegen.gpu.program import GpuStep, names_of
from tensordsl.codegen.program_ir import gemm_epilogues as cpu
from tensordsl.codegen.program_ir import instructions as p
from tensordsl.codegen.program_ir.gemm_epilogues import pairs, regions
from tensordsl.codegen.scalar_ir.builder import ITEMSIZE, Val, is_function, walk

STAGED_BYTES = 1 << 14  # of a tile in shared memory at a time
BETWEEN = cpu.BETWEEN | {p.NewOut, p.Prepare, p.Pin, p.AcquireGil, p.ReleaseGil}


@record
class Epilogue:
    """A product and the launch after it, whose operand number `read` is C; keeps_c: whether C is used afterwards."""

    gemm: p.Gemm
    launch: p.Launch
    read: int
    keeps_c: bool


@record(eq=False)
class Fused:
    """A product's kernel with an epilogue.  `group`: describes the parameters that the epilogue adds."""

    product: Product
    group: GpuKernel
    buffer: Buffer  # of C among the group's


# -- pairs ---------------------------------------------------------------------------------------------------------
def epilogues(program: p.Program, steps: Sequence[GpuStep | None]) -> list[Epilogue]:
    """The pairs of a program."""
    uses: dict[str, list[p.Instr]] = {}
    for i in p.walk_program(program.code):
        for name in names_of(i):
            uses.setdefault(name, []).append(i)
    blocks, candidates = _blocks(program.code)
    found = []
    for gemm, launch in candidates:
        read = _read(gemm, launch, steps[launch.plan])
        if read is not None:
            is_dead = gemm.c in launch.writes or _is_forgotten(gemm, launch, uses[gemm.c], blocks)
            found.append(Epilogue(gemm, launch, read, not is_dead))
    return found


def _is_forgotten(gemm: p.Gemm, launch: p.Launch, uses: Sequence[p.Instr], blocks: dict[int, int]) -> bool:
    """Whether C, a temporary, is used no more, or next by another product of its lengths that reuses its storage."""
    if not any(isinstance(i, p.Arena) for i in uses):
        return False
    if len(uses) == 3:  # in a loop too
        return True
    behind = uses[next(k for k, i in enumerate(uses) if i is launch) + 1 :]
    if not behind:
        return blocks[id(launch)] == 0
    i = behind[0]
    if not isinstance(i, p.Gemm) or i.beta != 0 or gemm.c in (i.a, i.b, i.factor, i.decay):
        return False
    same = (i.m, i.n, i.ldc, i.dtype, i.count) == (gemm.m, gemm.n, gemm.ldc, gemm.dtype, None)
    return same and blocks[id(i)] == blocks[id(launch)]


def _blocks(code: Sequence[p.Instr]) -> tuple[dict[int, int], list[tuple[p.Gemm, p.Launch]]]:
    """The number of the block that each instruction (by its id) is in, 0 for the program's own; and the products whose
    next work is a launch."""
    blocks: dict[int, int] = {}
    found = []
    for count, block in enumerate(regions(code)):
        blocks |= dict.fromkeys(map(id, block), count)
        found += [(gemm, i) for gemm, i in pairs(block, BETWEEN) if gemm.factor is gemm.decay is None]
    return blocks, found


def _read(gemm: p.Gemm, launch: p.Launch, step: GpuStep | None) -> int | None:
    """The number of the operand that is C, or None if the group cannot be an epilogue."""
    if step is None or step.transposes or len(step.kernels.kernels) != 1:
        return None
    plan, kernel = step.plan, step.kernels.kernels[0]
    numbers = [k for k, name in enumerate(launch.operands[: plan.n_inputs]) if name == gemm.c]
    if len(numbers) != 1 or kernel.pattern not in (FLAT, CROSSED):
        return None
    buffer, values = plan.operands[numbers[0]], walk(kernel.group.roots)
    loads = [v for v in values if v.op == "load" and v.attr[0] is buffer]
    maps = {v.attr[1] for v in loads}
    if len(maps) != 1 or buffer.type != gemm.dtype or any(v.op == "load" and v.args for v in values):
        return None
    entries = maps.pop()
    is_complete = len(entries) == 2 and len({*entries}) == 2 and 0 not in entries
    if not is_complete or {*entries} != {*kernel.group.parallel} or {*entries} != {*kernel.group.extents}:
        return None
    over = [o for o in kernel.group.outs if o.buffer.name == buffer.name]
    return numbers[0] if all(o.map == entries for o in over) else None


# -- the kernel ----------------------------------------------------------------------------------------------------
def fused(step: GpuStep, e: Epilogue, variant: str) -> Fused:
    """The kernel of a pair for a tiled variant (`gpu.gemm.choose`)."""
    kernel, dtype = step.kernels.kernels[0], e.gemm.dtype
    tile, buffer = TILES[dtype][int(variant[-1])], step.plan.operands[e.read]
    made = _Fused(kernel, buffer, e, f"{kernel.name}_{variant}", tile)
    whole = made.kernel()
    product = Product(dtype, whole.name, tile, whole, None, module_text([whole]))
    return Fused(product, made.emitter.made(""), buffer)


def fused_launch(
    made: Fused, a: Operand, b: Operand, c: Operand, operands: dict[Buffer, Operand], lengths: Any, status: int
) -> list[Launch]:
    """The launch of a pair; none for an empty C.  The group's outputs must not overlap A or B."""
    found = launches(made.product, Choice("tiled"), a, b, c, 0)
    more = point_arguments(made.group, operands, lengths, status)
    return [replace(launch, arguments=(*launch.arguments, *more)) for launch in found]


class _Fused(Tiled):
    def __init__(self, kernel: GpuKernel, buffer: Buffer, e: Epilogue, name: str, tile: Any) -> None:
        super().__init__(e.gemm.dtype, name, e.gemm.alpha, e.gemm.beta, tile)
        self.emitter = Emitter(kernel.group, kernel.schedule, name, "")
        self.emitter.code = self.code
        self.code.fastmath = kernel.schedule.fastmath
        self.keeps_c, self.buffer_of_c = e.keeps_c, buffer
        self.rows = min(
            tile.micro, STAGED_BYTES // (SIDE_THREADS * tile.size * ITEMSIZE[self.dtype])
        )  # staged at a time
        functions = sum(is_function(v) for v in walk(kernel.group.roots))
        self.emitter.is_inlined = functions * (tile.micro // self.rows) <= MAX_INLINED_MATH

    def _params(self) -> list[str]:
        a, b, _, *rest = super()._params()
        return [a, b, f"ptr{GLOBAL} %c", *rest, *self.emitter.kinds()]  # an output may be in the storage of C

    def _store(self, totals: list[str], c_pointer: str, row: str, column: str, p: dict[str, str]) -> None:
        c, tile = self.code, self.tile
        cells = c.cells(self.name, self.dtype, SIDE_THREADS * self.rows * tile.size)
        first_row, first_column = c.arith("mul", self.y, self.rows), c.arith("mul", self.x, 4)
        for first in range(0, tile.micro, self.rows):
            if first:
                c.barrier()  # the rows staged before have been read
            for i in range(self.rows):
                line = c.arith("add", c.arith("mul", c.arith("add", first_row, i), tile.size), first_column)
                for j in range(tile.micro):
                    place = c.arith("add", line, j // 4 * 4 * SIDE_THREADS + j % 4)
                    total = totals[(first + i) * tile.micro + j]
                    c.store(total, c.at(cells, self.dtype, place, SHARED), self.dtype, SHARED)
            c.barrier()
            self._stage(cells, c_pointer, row, column, first, p)

    def _stage(self, cells: str, c_pointer: str, row: str, column: str, first: int, p: dict[str, str]) -> None:
        """The group's points of some staged rows: neighbouring threads have neighbouring columns."""
        c, size = self.code, self.tile.size
        loop = Loop(c, self.tid, str(SIDE_THREADS * self.rows * size))
        line, x = c.arith("udiv", loop.index, size), c.arith("urem", loop.index, size)
        thread, i = c.arith("udiv", line, self.rows), c.arith("urem", line, self.rows)
        within = c.arith("add", c.arith("mul", thread, 4), first // 4 * 4 * SIDE_THREADS + first % 4)
        at_row, at_column = c.arith("add", row, c.arith("add", within, i)), c.arith("add", column, x)
        live = c.op(f"and i1 {c.test('slt', at_row, p['m'])}, {c.test('slt', at_column, p['n'])}")
        place = c.at(cells, self.dtype, loop.index, SHARED)
        c.when(live, lambda: self._point(place, c_pointer, at_row, at_column, p))
        loop.end(THREADS)

    def _point(self, cell: str, c_pointer: str, at_row: str, at_column: str, p: dict[str, str]) -> None:
        c, emitter = self.code, self.emitter
        offset = c.arith("add", c.arith("mul", at_row, p["c_row"]), c.arith("mul", at_column, p["c_column"]))
        place = self._moved(c_pointer, offset)
        total = self._scaled(place, c.load(cell, self.dtype, SHARED))
        if self.keeps_c:
            c.store(total, place, self.dtype)
        loads = [v for v in walk(emitter.group.roots) if v.op == "load" and v.attr[0] is self.buffer_of_c]
        emitter.position = dict(zip(loads[0].attr[1], (at_row, at_column), strict=True))
        env: Env = {id(v): total for v in loads}
        values: list[Val] = emitter.group.roots
        emitter.values(values, env)
        for o in emitter.group.outs:
            emitter.store(o, env)
