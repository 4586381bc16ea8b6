"""Code motion into branches: what branches of several `ifelse`s on one condition share becomes a branch of its own.

Contract  a graph's roots -> roots; `ifelse(c, f(v), a)` and `ifelse(c, g(v), b)` get v from `ifelse(c, v, undefined)`.
When      several branches of equal conditions have values in common that nothing outside needs.
Why       a call which takes none of them leaves it out: a gradient needs much of what its forward branch computes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tensordsl.base.records import record
from tensordsl.codegen.fusion.placement import place, with_integers
from tensordsl.codegen.passes.context import frozen_values
from tensordsl.codegen.tensor_ir import extents as ex
from tensordsl.codegen.tensor_ir.construct import IFELSE
from tensordsl.codegen.tensor_ir.graph import Graph, Value, dependencies, giver, rebuild


@record
class Side:
    """One side of the `ifelse`s on a condition.  Of values with equal `level` none needs such an `ifelse` that needs
    another."""

    condition: int
    side: int
    level: int


def share_branches(graph: Graph, roots: Sequence[Value]) -> list[Value]:
    """The roots, with what several branches share computed once, and only if they are taken."""
    roots = list(roots)
    if sum(v.op == IFELSE for v in graph.values) < 2:
        return roots
    everything, order = with_integers(graph, roots)
    frozen = frozen_values(graph)
    sides = {n: side for n, side in _sides(everything, order).items() if n not in frozen}
    exits = _exits(everything, order, sides)
    return _Builder(graph, order, sides, exits).run(everything)[: len(roots)] if exits else roots


def _sides(roots: Sequence[Value], order: Sequence[Value]) -> dict[int, Side]:
    """value number -> the side that alone needs it, of those that several branches need."""
    alone, shared = place(roots, order), place(roots, order, by_condition=True)
    level: dict[int, int] = {}
    of_loop: dict[int, int] = {}  # number of a loop -> its level, which is that of all values of its rounds
    found = {}
    for v in order:
        level[v.number] = max((level[o.number] for o in dependencies(v)), default=0) + (v.op == IFELSE)
        if v.traits.is_loop:
            of_loop[v.attrs["loop"].number] = level[v.number]
    for v in order:
        for number in v.loops:
            level[v.number] = max(level[v.number], of_loop.get(number, 0))
        path, own = shared[v.number], alone[v.number]
        is_shared = path and path[0][0] == "if" and not (own and own[0][0] == "if")
        if is_shared and (not v.traits.is_source or giver(v) is not v):
            found[v.number] = Side(path[0][1], path[0][2], level[v.number])
        elif giver(v) is not v and giver(v).number in found:  # what one branch reads of a step that several need
            found[v.number] = found[giver(v).number]
    return found


def _exits(roots: Sequence[Value], order: Sequence[Value], sides: dict[int, Side]) -> dict[Side, list[Value]]:
    """The values by which others use those of a side.  What cannot be one leaves `sides`, with all that it needs."""
    users: dict[int, set[Side | None]] = {v.number: {None} for v in roots if not v.loops}
    exits: dict[Side, list[Value]] = {}
    outside: set[int] = set()
    for v in reversed(order):
        side = sides.get(v.number)
        is_exit = side is not None and users[v.number] != {side}
        if side is not None and (v.number in outside or (is_exit and not _can_be_exit(v))):
            del sides[v.number]
            outside.update(o.number for o in dependencies(v))
            side = None
        elif side is not None and is_exit:
            exits.setdefault(side, []).append(v)
        for o in dependencies(v):
            users.setdefault(o.number, set()).add(side)
    return exits


def _can_be_exit(v: Value) -> bool:
    """Whether v is one array whose storage can be made before it is known whether the branch is taken."""
    if not v.dtype or v.traits.has_regions or (v.traits.has_effects and v.traits.is_view):
        return False  # not one value, or more than a value
    return all(a[0] in ("arg", "shared") for n in v.shape for a in ex.atoms(n))


class _Builder:
    """The same values, with those of a side behind an `ifelse` of their own."""

    def __init__(
        self, graph: Graph, order: Sequence[Value], sides: dict[int, Side], exits: dict[Side, list[Value]]
    ) -> None:
        self.graph, self.sides, self.exits = graph, sides, exits
        self.made: dict[int, Value] = {}
        self.given: dict[int, Value] = {}  # exit -> the result that stands for it outside
        # The loops of numbers of rounds, as they are before they are rebuilt: a rebuilt one would be rebuilt again.
        self.loops = {v.number: (giver(v),) for v in order if v.op == "rounds"}

    def run(self, roots: Sequence[Value]) -> list[Value]:
        """By an explicit stack of values and sides."""
        stack: list[Value | Side] = [*roots]
        done: set[Any] = set()
        while stack:
            item = stack[-1]
            key = item if isinstance(item, Side) else item.number
            missing = [x for x in self.needs(item) if (x if isinstance(x, Side) else x.number) not in done]
            if key not in done and missing:
                stack.extend(missing)
                continue
            stack.pop()
            if key not in done:
                done.add(key)
                self.make(item)
        self.graph.extents.node = None
        return [self.made[v.number] for v in roots]

    def needs(self, item: Value | Side) -> list[Value | Side]:
        if isinstance(item, Side):
            return [self.graph.values[item.condition], *self.exits[item]]
        side = self.sides.get(item.number)
        needed = self.loops.get(item.number) or dependencies(item)
        return [self.sides[o.number] if self.is_outside(o, side) else o for o in needed]

    def is_outside(self, o: Value, side: Side | None) -> bool:
        """Whether o belongs to a side that is not the user's."""
        return o.number in self.sides and self.sides[o.number] != side

    def seen(self, o: Value, side: Side | None) -> Value:
        return self.given[o.number] if self.is_outside(o, side) else self.made[o.number]

    def make(self, item: Value | Side) -> None:
        g = self.graph
        if isinstance(item, Value):
            side = self.sides.get(item.number)
            self.made[item.number] = rebuild(g, item, lambda o: self.seen(o, side))
            return
        values = [self.made[v.number] for v in self.exits[item]]
        other = [g.make("undefined", (), v.dtype, v.shape) for v in values]
        branches = (*values, *other) if item.side == 0 else (*other, *values)
        g.extents.node = g.origins.get(values[0].number)
        node = g.make(IFELSE, (self.made[item.condition], *branches), "", ())
        for k, v in enumerate(self.exits[item]):
            self.given[v.number] = g.result(node, k, v.dtype, v.shape)
