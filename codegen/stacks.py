"""Which steps of a region go through stacks of matrices one by one: products of stacks, and groups of what they give.

A stack that only such steps read need never be in memory as a whole: a few matrices at a time go through all steps
while they are in the cache (`codegen.build_stacks`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import field

from tensordsl.codegen.blocks import axis_of, is_along, origin, rows_by_position
from tensordsl.codegen.ir import Graph, Value
from tensordsl.codegen.pull import Fused
from tensordsl.codegen.regions import Step, memory
from tensordsl.codegen.storage import known_at_entry
from tensordsl.records import record


@record(eq=False, frozen=False)
class Stacks:
    """Products and groups in their order, and the axis of each group along the stacks ("" for a product).

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
    def values(self) -> list[Value]:
        return [v for m, _ in self.members for v in ([m] if isinstance(m, Value) else m.values)]

    @property
    def loads(self) -> list[Value]:
        """What the steps read, of each other too."""
        return [v for m, _ in self.members for v in (m.operands if isinstance(m, Value) else m.loads)]


def by_stacks(
    graph: Graph, steps: Sequence[Step], outputs: Iterable[Value], updates: Iterable[Value], homes: Collection[int]
) -> list[Step]:
    """The steps of the function's own region, with those of stacks in one."""
    if not any(_is_stack(s.value) for s in steps) or graph.extents.assumed:
        return list(steps)
    new = {n for v in updates for n in memory(v, homes)}
    kept = new.union(*(memory(v, homes) for v in outputs))
    runs: list[tuple[Stacks, list[int]]] = []  # and the places of their steps
    giver: dict[int, int] = {}  # value number -> its run
    closed: set[int] = set()
    for k, step in enumerate(steps):
        read = {giver[n] for n in step.needs if n in giver}
        chosen = next((r for r in sorted(read - closed) if _joins(graph, runs[r][0], step, new)), None)
        if chosen is None and _is_stack(step.value) and _is_plain(graph, step, new):
            chosen = len(runs)
            runs.append((Stacks(), []))
            _add(runs[chosen][0], step, "")
        closed |= read - {chosen}
        if chosen is not None:
            runs[chosen][1].append(k)
            giver |= dict.fromkeys(step.gives, chosen)
    users = Counter(n for s in steps for n in s.needs)
    result: dict[int, list[Step]] = {}
    for run, places in runs:
        mine = [steps[j] for j in places]
        inside = Counter(n for s in mine for n in s.needs)
        run.inner = frozenset(n for n in run.at if users[n] == inside[n] and n not in kept)
        if len(places) > 1 and run.inner:
            gives = tuple(n for s in mine for n in s.gives)
            needs = {n for s in mine for n in s.needs}.difference(gives)
            result |= {j: [] for j in places}
            result[places[-1]] = [Step(None, None, gives, needs, run)]
    return [s for k, step in enumerate(steps) for s in result.get(k, [step])]


def _is_stack(v: Value | None) -> bool:
    return v is not None and v.op == "dot" and v.rank == 3 and not {"beta", "scaled"} & v.attrs.keys()


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
        if not _is_stack(step.value) or not all(_is_first(run, x) for x in step.reads):
            return False
        _add(run, step, "")
        return True
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


def _add(run: Stacks, step: Step, axis: str) -> None:
    if step.fused is None:
        assert step.value is not None
        run.members.append((step.value, ""))
        run.at[step.value.number] = 0
        return
    run.members.append((step.fused, axis))
    run.at |= {o.buffer.value.number: o.map.index(axis) for o in step.fused.group.outs}  # type: ignore[attr-defined]
