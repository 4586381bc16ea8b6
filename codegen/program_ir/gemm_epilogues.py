"""Epilogues of a program's products: a launch directly after a product that reads C at its own points only.

On devices both are one kernel (`gpu.gemm_epilogue`).  On the CPU, blocks of C go through the launch as soon as the
product has written them (`gemm.macro_kernel`), in the storage of a result: C is never in memory.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from typing import NamedTuple

from tensordsl.base.records import kept
from tensordsl.codegen.program_ir import instructions as p
from tensordsl.codegen.program_ir.instructions import Instr, LaunchPlan, Name, Program
from tensordsl.codegen.program_ir.verify import EFFECTS
from tensordsl.codegen.scalar_ir.builder import ITEMSIZE

BETWEEN = frozenset((p.Const, p.Extent, p.Stride, p.Arith, p.Mul, p.Compare, p.Offset, p.Select, p.Arena))
"""Instructions that may be between: they touch no memory, so the product may be moved behind them."""
COMPUTED = frozenset((p.Extent, p.Stride, p.Arith, p.Compare, p.Check))
NUMBERS = COMPUTED | {p.Const, p.Mul, p.Data}  # they use no address
# What `run_tile` is given of a launch: the parameters of `run_nest`, sizes of its tables, the axes of C.
TILE = (
    "ptr plan", "ptr B", "ptr S", "ptr E", "ptr I", "i64 operands", "i64 axes", "i64 down", "i64 across",
)  # fmt: skip


class Epilogue(NamedTuple):
    """down, across: the axes of the launch along the rows and the columns of C.  place: a result whose storage C may
    use, since nothing else reads it.  is_flat: all operands have C's layout."""

    gemm: p.Gemm
    launch: p.Launch
    down: int
    across: int
    place: Name
    is_flat: bool


def regions(code: Sequence[Instr]) -> Iterator[Sequence[Instr]]:
    """The program's own instructions, and those of every region."""
    stack: list[Sequence[Instr]] = [code]
    while stack:
        yield (block := stack.pop())
        stack += [getattr(i, region) for i in block for region in p.REGIONS.get(type(i), ())]


def pairs(block: Sequence[Instr], between: Collection[type[Instr]]) -> Iterator[tuple[p.Gemm, p.Launch]]:
    """The products of a region whose next work is a launch."""
    before = None
    for i in block:
        if type(i) in between:
            continue
        if isinstance(i, p.Launch) and before is not None and not i.instead:
            yield before, i
        before = i if isinstance(i, p.Gemm) and i.count is None else None


def epilogues(program: Program) -> dict[int, Epilogue]:
    """Those of the CPU, by the ids of both instructions."""
    found = [pair for block in regions(program.code) for pair in pairs(block, BETWEEN)]
    if not (found and program.has_epilogues):
        return {}
    storages = _Storages(program)
    made = [storages.epilogue(gemm, launch, program.plans[launch.plan]) for gemm, launch in found]
    return {id(i): e for e in made if e is not None for i in (e.gemm, e.launch)}


class _Storages:
    """What is known of a program's names: numbers, products, the storage that an address points into, storage that the
    call gives back, how often an address is used."""

    def __init__(self, program: Program) -> None:
        self.numbers: dict[Name, int] = {}
        self.products: dict[Name, tuple[Name, Name]] = {}
        self.storage: dict[Name, tuple[object, bool]] = {}  # and whether to its beginning
        self.temporary: set[Name] = set()
        self.program = program
        for i in p.walk_program(program.code):
            if type(i) in COMPUTED:
                continue
            if isinstance(i, p.Const):
                self.numbers[i.dst] = i.value
            elif isinstance(i, p.Mul):
                self.products[i.dst] = i.a, i.b
            elif isinstance(i, p.Data):
                self.storage[i.dst] = i.src, True
            elif isinstance(i, p.Prepare):
                self.storage[i.dst] = ("shared", i.shared), True
            elif isinstance(i, (p.NewOut, p.Slot, p.Bytes)):
                self.storage[i.dst] = i.dst, True
            elif isinstance(i, p.Arena):
                self.storage |= {dst: (dst, True) for dst, _ in i.items}
                self.temporary.update(dst for dst, _ in i.items)
            elif isinstance(i, p.Offset) and i.base in self.storage:
                self.storage[i.dst] = self.storage[i.base][0], False

    @kept
    def uses(self) -> Counter[Name]:
        code = p.walk_program(self.program.code)
        return Counter(x for i in code if type(i) not in NUMBERS for x in _pointers(i))

    def epilogue(self, gemm: p.Gemm, launch: p.Launch, plan: LaunchPlan) -> Epilogue | None:
        """The pair, if the launch may begin before the product is complete."""
        if gemm.c not in launch.operands[: plan.n_inputs] or not plan.is_pointwise or len(plan.axes) != 2:
            return None
        steps = launch.strides[launch.operands.index(gemm.c)]
        item = ITEMSIZE[gemm.dtype]
        across = next((a for a, s in enumerate(steps) if self.numbers.get(s or "") == item), None)
        if across is None:
            return None
        down = 1 - across
        if not self._is_times(steps[down], gemm.ldc, item):
            return None
        if (launch.extents[down], launch.extents[across]) != (gemm.m, gemm.n) or not self._are_independent(
            gemm, launch
        ):
            return None
        place = self._place(gemm, launch, plan)
        if place is None:
            return None
        return Epilogue(gemm, launch, down, across, place, all(s == steps for s in launch.strides))

    def _place(self, gemm: p.Gemm, launch: p.Launch, plan: LaunchPlan) -> Name | None:
        """A result whose storage C may use, if C is a temporary of these two."""
        inputs, c = launch.operands[: plan.n_inputs], gemm.c
        if gemm.beta or gemm.decay or c not in self.temporary or self.uses[c] != 2 or c in launch.writes:
            return None
        steps, read = launch.strides[inputs.index(c)], {self.storage[x][0] for x in inputs}
        outs = zip(launch.operands, launch.strides, plan.operands, strict=True)
        alike = [x for x, own, buffer in outs if own == steps and buffer.type == gemm.dtype]
        return next((x for x in alike if x in launch.writes and self.storage[x][0] not in read), None)

    def _is_times(self, x: Name | None, y: Name, number: int) -> bool:
        """Whether x = y * number."""
        if x is None:
            return False
        if x in self.numbers:
            return self.numbers[x] == self.numbers.get(y, 0) * number
        return any(a == y and self.numbers.get(b) == number for a, b in _both_orders(self.products.get(x)))

    def _are_independent(self, gemm: p.Gemm, launch: p.Launch) -> bool:
        """Whether the launch writes nothing that the product reads, and reads what either writes only at the points
        that it writes."""
        read = [x for x in (gemm.a, gemm.b, gemm.factor, gemm.decay, gemm.scratch) if x is not None]
        if any(x not in self.storage for x in (*read, *launch.operands)):
            return False
        written = {self.storage[x][0] for x in launch.writes}
        if not written.isdisjoint(self.storage[x][0] for x in read):
            return False
        points: dict[object, set[object]] = {s: set() for s in (*written, self.storage[gemm.c][0])}
        for x, steps in zip(launch.operands, launch.strides, strict=True):
            storage, begins = self.storage[x]
            points.get(storage, set()).add((begins or x, *steps))
            if x in launch.writes and None in steps:
                return False
        return all(len(ways) == 1 for ways in points.values())


def _pointers(i: Instr) -> Sequence[Name]:
    """The addresses that an instruction uses."""
    effects = EFFECTS[type(i)]
    regions_of = [x for _, a, b in getattr(i, "results", ()) for x in (a, b)]
    carried = [x for row in getattr(i, "carried", ()) for x in row]
    return (*effects.pointers(i), *effects.reads(i), *effects.writes(i), *regions_of, *carried)


def _both_orders(pair: tuple[Name, Name] | None) -> Sequence[tuple[Name, Name]]:
    return (pair, pair[::-1]) if pair else ()
