"""Batch blocking: steps that go through stacks of matrices, or through rows of matrices, some at a time.

Contract  the steps of a region -> the same, with runs of steps as one (`Stacks`).
When      products, groups of what they give and further products follow each other, and nothing else reads these.
Why       what only such steps read stays in the cache, and need never be in memory as a whole.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import field

from tensordsl.base.records import record
from tensordsl.codegen.abi.layouts import HIDDEN_ROWS
from tensordsl.codegen.fusion.inline import Fused
from tensordsl.codegen.fusion.placement import Step, memory
from tensordsl.codegen.fusion.row_blocking import Chain, axis_of, is_along, origin, rows_by_position
from tensordsl.codegen.scalar_ir.builder import ITEMSIZE
from tensordsl.codegen.tensor_ir import extents as ex
from tensordsl.codegen.tensor_ir.construct import DOT
from tensordsl.codegen.tensor_ir.extents import known_at_entry
from tensordsl.codegen.tensor_ir.graph import Graph, Value


@record(eq=False, frozen=False)
class Stacks:
    """Products and groups in their order, and the axis of each group along the stacks, or rows ("" for a product).

    at: value number -> the axis of it along the stacks.  inner: values that nobody else reads."""

    members: list[tuple[Value | Fused, str]] = field(default_factory=list)
    at: dict[int, int] = field(default_factory=dict)
    inner: frozenset[int] = frozenset()

    @property
    def first(self) -> Value:
        v = self.members[0][0]
        assert isinstance(v, Value)
        return v

    @property
    def is_layers(self) -> bool:
        """Whether it goes along rows of matrices, not along stacks."""
        return self.first.rank == 2

    @property
    def values(self) -> list[Value]:
        return [v for m, _ in self.members for v in ([m] if isinstance(m, Value) else m.values)]

    @property
    def loads(self) -> list[Value]:
        """What the steps read, of each other too."""
        return [v for m, _ in self.members for v in (m.operands if isinstance(m, Value) else m.loads)]


def by_stacks(
    graph: Graph, steps: Sequence[Step], outputs: Iterable[Value], updates: Iterable[Value], moves: Collection[int],
    small: Collection[int] = (),
) -> tuple[list[Step], list[Stacks]]:  # fmt: skip
    """The steps of the function's own region, with those of stacks in one; and runs along rows that are left out, as
    these are `small` now."""
    if not any(_begins(s.value) for s in steps) or graph.extents.assumed:
        return list(steps), []
    new = {n for v in updates for n in memory(v, moves)}
    taken = {v.number for s in steps if isinstance(s.chain, Chain) for v, _ in s.chain.products}
    kept = new.union(*(memory(v, moves) for v in outputs))
    runs: list[tuple[Stacks, list[int]]] = []  # and the places of their steps
    giver: dict[int, int] = {}  # value number -> its run
    closed: set[int] = set()
    for k, step in enumerate(steps):
        read = {giver[n] for n in step.needs if n in giver}
        may = sorted(read - closed) if taken.isdisjoint(step.gives) else ()
        chosen = next((r for r in may if _joins(graph, runs[r][0], step, new)), None)
        if chosen is None and taken.isdisjoint(step.gives) and _begins(step.value) and _is_plain(graph, step, new):
            chosen = len(runs)
            runs.append((Stacks(), []))
            _add(runs[chosen][0], step, "")
        closed |= read - {chosen}
        if chosen is not None:
            runs[chosen][1].append(k)
            giver |= dict.fromkeys(step.gives, chosen)
    users = Counter(n for s in steps for n in s.needs)
    result: dict[int, list[Step]] = {}
    left_out = []
    for run, places in runs:
        mine = [steps[j] for j in places]
        inside = Counter(n for s in mine for n in s.needs)
        run.inner = frozenset(n for n in run.at if users[n] == inside[n] and n not in kept)
        if len(places) < 2 or not run.inner or (run.is_layers and not _has_hidden(graph, run)):
            continue
        if run.is_layers and HIDDEN_ROWS in small:
            left_out.append(run)
        else:
            gives = tuple(n for s in mine for n in s.gives)
            needs = {n for s in mine for n in s.needs}.difference(gives)
            result |= {j: [] for j in places}
            result[places[-1]] = [Step(None, None, gives, needs, run)]
    return [s for k, step in enumerate(steps) for s in result.get(k, [step])], left_out


def _is_stack(v: Value | None) -> bool:
    return v is not None and v.op == DOT and v.rank == 3 and not {"beta", "scaled"} & v.attrs.keys()


def _is_layer(v: Value | None) -> bool:
    """Whether it is a product with a matrix on its left; not with itself, of which half is computed."""
    if v is None or v.op != DOT or v.rank == 3 or {"beta", "scaled"} & v.attrs.keys():
        return False
    x, y = v.operands[:2]
    return x.rank == 2 and origin(x)[0] is not origin(y)[0]


def _begins(v: Value | None) -> bool:
    return v is not None and (_is_stack(v) or (v.rank == 2 and _is_layer(v)))


def _has_hidden(graph: Graph, run: Stacks) -> bool:
    """Whether a product or a reduction reads rows that nobody else does, and that are not known to be few.  What is
    computed point by point alone is better done in the place of its product (`codegen.program_ir.gemm_epilogues`)."""
    products = [m.operands[:1] for m, _ in run.members[1:] if isinstance(m, Value)]
    groups = [m.loads for m, _ in run.members if isinstance(m, Fused) and len(m.group.parallel) < len(m.group.extents)]
    if run.inner.isdisjoint(origin(v)[0].number for read in (*products, *groups) for v in read):
        return False
    t, rows = graph.tuning.blocking, graph.extents.find(run.first.shape[0])
    if isinstance(rows, int) and rows <= t.unit_rows:
        return False
    inner = [v for v in run.values if v.number in run.inner]
    size = ex.total(ex.mul(ITEMSIZE[v.dtype], ex.product(map(graph.extents.find, v.shape))) for v in inner)
    return not isinstance(size, int) or size > t.hidden_min_bytes


def _is_plain(graph: Graph, step: Step, new: set[int]) -> bool:
    """Whether all lengths are known at entry, and no new value of a shared variable is better computed in its place."""
    values = step.fused.values if step.fused is not None else [step.value]
    shapes = [n for v in (*values, *step.reads) if v is not None for n in v.shape]
    return new.isdisjoint(step.gives) and all(known_at_entry(graph.extents.find(n)) for n in shapes)


def _joins(graph: Graph, run: Stacks, step: Step, new: set[int]) -> bool:
    """Whether the step goes through the run's stacks matrix by matrix; then it is added."""
    bases = {base.number: base for base, _ in map(origin, step.reads)}
    read = run.at.keys() & step.needs
    if not read <= bases.keys() or not _is_plain(graph, step, new):
        return False
    if step.fused is None:
        joins = _is_along_rows(run, step.value) if run.is_layers else _is_along_stacks(run, step)
        if joins:
            _add(run, step, "")
        return joins
    axes = {axis_of(step.fused, bases[n], run.at[n]) for n in read}
    axis = axes.pop() if len(axes) == 1 else None
    if axis is None or not is_along(step.fused, axis) or rows_by_position(step.fused.group, axis):
        return False
    _add(run, step, axis)
    return True


def _is_first(run: Stacks, x: Value) -> bool:
    """Whether a product's operand is none of the run's values, or goes along their stacks as a stack of matrices."""
    base, axes = origin(x)
    at = run.at.get(base.number)
    return at is None or (x.rank == 3 and axes[0] == at and axes.count(at) == 1)


def _is_along_stacks(run: Stacks, step: Step) -> bool:
    return _is_stack(step.value) and all(_is_first(run, x) for x in step.reads)


def _is_along_rows(run: Stacks, v: Value | None) -> bool:
    """Whether a product's left operand has the run's rows as its own, and its right one none of them."""
    if v is None or not _is_layer(v):
        return False
    (x, axes), (y, _) = map(origin, v.operands[:2])
    at = run.at.get(x.number)
    return at is not None and axes[0] == at and axes[1] not in (None, at) and y.number not in run.at


def _add(run: Stacks, step: Step, axis: str) -> None:
    if step.fused is None:
        assert step.value is not None
        run.members.append((step.value, ""))
        run.at[step.value.number] = 0
        return
    run.members.append((step.fused, axis))
    outs = zip(step.fused.values, step.fused.group.outs, strict=True)
    run.at |= {v.number: o.map.index(axis) for v, o in outs}
