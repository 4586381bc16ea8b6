"""Scatter fusion: additions at positions that the group which computes the terms does itself.

Contract  the steps of a region -> the same, groups with `Scatter`s in place of additions as steps of their own.
When      the group goes over one axis with few operations, and nothing between needs the result.
Why       terms, as those of the gradient of `x[i]`, go through no memory; clamped positions are checked behind it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace
from typing import Any

from tensordsl.codegen.fusion.group import Group, Scatter
from tensordsl.codegen.fusion.inline import Cut, Fused, ValueBuffer, attempt
from tensordsl.codegen.fusion.placement import Step, group_step, in_order, memory
from tensordsl.codegen.passes.patterns import number_of
from tensordsl.codegen.scalar_ir.builder import INTEGERS, Builder, Val, is_function
from tensordsl.codegen.tensor_ir.construct import IN_BOUNDS, INC_TAKE
from tensordsl.codegen.tensor_ir.graph import Graph, Value
from tensordsl.graph.types import FLOATS

ADDED = frozenset((*FLOATS, *INTEGERS)) - {"float16"}


def with_scatters(
    graph: Graph,
    steps: Sequence[Step],
    outputs: Iterable[Value],
    updates: Iterable[Value],
    moves: Collection[int],
) -> tuple[list[Step], set[int]]:
    """The steps of the function's own region, with additions as parts of groups; and positions in no memory."""
    added = [s for s in steps if s.value is not None and s.value.op == INC_TAKE]
    if graph.extents.assumed or not added:
        return list(steps), set()
    new = {n for v in updates for n in memory(v, moves)}
    made = _Scatters(graph, steps, new, moves)
    if not any([made.join(s) for s in added]):
        return list(steps), set()
    return made.finished(new.union(*(memory(v, moves) for v in outputs)))


def positions(v: Value) -> list[Value]:
    """Those along each axis at whose positions it adds, before they are checked."""
    return [within.operands[0] for within in v.operands[2:]]


def _flat(places: Sequence[Val], shape: Sequence[Any]) -> Val:
    """The number of an element, in C order, by its positions along all axes."""
    b, at = Builder(), places[0]
    for place, n in zip(places[1:], shape[1:], strict=True):
        at = b.add(b.mul(at, b.extent(n)), place)
    return at


class _Scatters:
    """`new`: the new values of shared variables, which may stand in their own storage."""

    def __init__(self, graph: Graph, steps: Sequence[Step], new: Collection[int], moves: Collection[int]) -> None:
        self.graph, self.new, self.moves = graph, new, moves
        self.steps = {id(s): s for s in steps}
        self.giver = {n: s for s in steps for n in s.gives}

    def join(self, step: Step) -> bool:
        """Makes the addition a part of the group that computes its positions, if it may be."""
        v = step.value
        assert v is not None
        parts = self.parts(v)
        fused = self.as_one(parts) if parts else None
        if fused is None or not self.fits_scatter(fused) or not self.varies(fused, v):
            return False
        if not self.can_begin(v.operands[0], parts):
            return False
        scatters, given = [*(u for s in parts for u in s.scatters), v], [n for s in parts for n in s.gives]
        read = [o for u in scatters for o in u.operands[:2] if o not in fused.values and number_of(o) is None]
        needs = group_step(self.graph, fused, self.moves).needs.union(*(memory(o, self.moves) for o in read))
        if not needs.isdisjoint(given) or self.waits(needs, [*parts, step]):
            return False
        made = Step(fused, None, (*given, v.number), needs, scatters=tuple(scatters))
        self.replace([*parts, step], [made])
        return True

    def parts(self, v: Value) -> list[Step]:
        """The steps whose groups compute what is added to elements and where; none if there is something else."""
        term, within = v.operands[1], v.operands[2:]
        of_elements = len(v.attrs["axes"]) == v.rank and v.dtype in ADDED and not v.attrs["set"]
        if not of_elements or v.number in self.new or any(w.op != IN_BOUNDS for w in within):
            return []
        places = positions(v)
        are_clamped = all(p.op == "map" and p.dtype == "int64" for p in places)
        found = [s for p in (*places, term) if (s := self.giver.get(p.number)) and s.fused is not None]
        are_computed = all(any(p in s.fused.values for s in found if s.fused) for p in places)
        return [s for k, s in enumerate(found) if s not in found[:k]] if are_clamped and are_computed else []

    def as_one(self, parts: Sequence[Step]) -> Fused | None:
        groups = [s.fused for s in parts if s.fused is not None]
        if len(groups) == 1:
            return groups[0]
        values = [v for f in groups for v in f.values]
        return self.group_of(values, [v for f in groups for v in f.loads if v not in values])

    def group_of(self, values: Sequence[Value], loads: Iterable[Value]) -> Fused | None:
        """The group of these values, if there may be one, that loads nothing else."""
        find, buffers, leaves = self.graph.extents.find, dict[int, ValueBuffer](), {v.number for v in loads}

        def buffer(v: Value) -> ValueBuffer:
            if v.number not in buffers:
                buffers[v.number] = ValueBuffer(f"v{v.number}", v.dtype, tuple(map(find, v.shape)), v)
            return buffers[v.number]

        try:
            return attempt(
                values, lambda v: buffer(v) if v.number in leaves else None, buffer, find, self.graph.tuning.fusion
            )
        except Cut:
            return None

    def fits_scatter(self, fused: Fused) -> bool:
        """True if a group goes over the points of its one axis with few operations, in their order."""
        t, group = self.graph.tuning, fused.group
        has_functions = any(is_function(v) and v.axes for v in group.scalars)
        is_expensive = (
            has_functions or sum(price for price, _ in group.work(t.costs)) > t.fusion.scatter_max_ns_per_1000
        )
        return len(group.extents) == 1 and not is_expensive and not any(v.number in self.new for v in fused.values)

    def varies(self, fused: Fused, v: Value) -> bool:
        """True if what is added or its position depends on the group's axis: a `Scatter` has no other points."""
        outs, y = dict(zip(fused.values, fused.group.outs, strict=True)), v.operands[1]
        if any(outs[p].value.axes for p in positions(v) if p in outs):
            return True
        if y in outs:
            return bool(outs[y].value.axes)
        return number_of(y) is None and tuple(map(self.graph.extents.find, y.shape)) != (1,)

    def can_begin(self, x: Value, parts: Sequence[Step]) -> bool:
        """True if x may be there before these steps. What else its group computes may have to wait for them."""
        if not self.waits(numbers := memory(x, self.moves), parts):
            return True
        step = self.giver[numbers[0]]
        if step in parts or step.fused is None or step.scatters or len(step.fused.values) == 1:
            return False
        mine = [v for v in step.fused.values if v.number in numbers]
        rest = [v for v in step.fused.values if v.number not in numbers]
        own, others = (self.group_of(values, step.fused.loads) for values in (mine, rest))
        if own is None or others is None:
            return False
        first, second = (group_step(self.graph, f, self.moves) for f in (own, others))
        if self.waits(first.needs, [*parts, step]):
            return False
        self.replace([step], [first, second])
        return True

    def waits(self, numbers: Iterable[int], steps: Sequence[Step]) -> bool:
        """True if one of the steps, or too many others, comes before one of the values."""
        todo, seen = [s for n in numbers if (s := self.giver.get(n))], set[int]()
        while todo:
            s = todo.pop()
            if s in steps or len(seen) > self.graph.tuning.fusion.scatter_max_steps_searched:
                return True
            if id(s) not in seen:
                seen.add(id(s))
                todo += [t for n in s.needs if (t := self.giver.get(n))]
        return False

    def replace(self, old: Sequence[Step], new: Sequence[Step]) -> None:
        for s in old:
            del self.steps[id(s)]
        for s in new:
            self.steps[id(s)] = s
            self.giver |= dict.fromkeys(s.gives, s)

    # -- the groups
    def finished(self, kept: Collection[int]) -> tuple[list[Step], set[int]]:
        """The steps in order, without terms and positions that nothing else reads; and these positions."""
        checks = {s.value.number: s for s in self.steps.values() if s.value is not None and s.value.op == IN_BOUNDS}
        of_checks = {id(s) for s in checks.values()}
        read = set(kept).union(*(s.needs for s in self.steps.values() if id(s) not in of_checks))
        read.update(*(memory(s.value.operands[0], self.moves) for n, s in checks.items() if n in read and s.value))
        gone: set[int] = set()
        for s in [s for s in self.steps.values() if s.scatters]:
            made = self.with_additions(s, read)
            gone |= {*s.gives} - {*made.gives}
            self.replace([s], [made])
        for s in checks.values():
            s.needs -= gone
        return in_order([*self.steps.values()]), gone

    def with_additions(self, step: Step, read: Collection[int]) -> Step:
        fused = step.fused
        assert fused is not None
        outs = dict(zip(fused.values, fused.group.outs, strict=True))
        loads, scatters, own = [*fused.loads], [], set()
        for v in step.scatters:
            y, places = v.operands[1], positions(v)
            own |= {y.number, *(p.number for p in places)}
            term = outs[y].value if y in outs else self.loaded(fused, y)
            loads += [y] if term.op == "load" and y not in (*outs, *loads) else []
            buffer = ValueBuffer(f"v{v.number}", v.dtype, tuple(map(self.graph.extents.find, v.shape)), v)
            scatters.append(Scatter(buffer, _flat([outs[p].value for p in places], buffer.shape), term))
        outs = {v: o for v, o in outs.items() if v.number in read or v.number not in own}
        g = fused.group
        group = Group(g.name, g.extents, (), tuple(outs.values()), tuple(scatters))
        gives = tuple(v.number for v in (*outs, *step.scatters))
        return replace(step, fused=replace(fused, group=group, values=list(outs), loads=loads), gives=gives)

    def loaded(self, fused: Fused, y: Value) -> Val:
        """What is added, which the group does not compute."""
        (axis,), b, n = fused.group.extents, Builder(), number_of(y)
        if n is not None:
            return b.const(n, y.dtype)
        known = {s.attr[0].value: s.attr[0] for s in fused.group.scalars if s.op == "load"}
        shape = tuple(map(self.graph.extents.find, y.shape))
        return b.load(known.get(y) or ValueBuffer(f"v{y.number}", y.dtype, shape, y), 0 if shape == (1,) else axis)
