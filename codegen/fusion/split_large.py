"""R7: large elementwise computations with several results are cut into pieces, so that fusion stays linear.

Contract  the values of a region -> `Piece`s of connected maps over one space, in order, each one group.
When      more than `FusionTuning.piece_tensors` maps of one shape are connected, and several results leave them.
Why       groups formed one by one would inline an unrolled recurrence again and again.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import field
from typing import Any

from tensordsl.base.records import record
from tensordsl.codegen.fusion.inline import strip
from tensordsl.codegen.target.tuning import FusionTuning
from tensordsl.codegen.tensor_ir.graph import Value

LIGHT = frozenset(("add", "sub", "mul", "neg", "abs", "sqr", "maximum", "minimum", "cast", "identity", "switch"))

Needs = Callable[[Value], Iterable[Value]]


@record(eq=False, frozen=False)
class Piece:
    """`roots`: what it stores, in order."""

    members: list[Value]
    roots: list[Value] = field(default_factory=list)


def pieces(
    inside: Sequence[Value], wanted: Collection[int], needs: Needs, find: Callable[[Any], Any], t: FusionTuning
) -> list[Piece]:
    """The pieces of a region's values, which stand in an order of computation.  `wanted`: numbers of values that must
    be stored anyway."""
    if sum(v.op == "map" for v in inside) <= t.piece_tensors:
        return []
    result: list[Piece] = []
    users: dict[int, list[int]] = {}
    for v in inside:
        for o in v.operands:
            users.setdefault(o.number, []).append(v.number)
    for component in _components(inside, needs, find):
        if len(component) <= t.piece_tensors:
            continue
        mine = {v.number for v in component}
        exits = sum(v.number in wanted or not mine.issuperset(users.get(v.number, ())) for v in component)
        if exits < 2:
            continue  # its one group is formed once
        parts = -(-len(component) // t.piece_tensors)
        size = -(-len(component) // parts)
        result += map(Piece, _split(component, size, t.max_operands))
    _choose_roots(result, users, wanted, t.recompute_max_operations)
    return result


def _in_order(inside: Sequence[Value], mine: Collection[int], needs: Needs) -> list[Value]:
    """The values, whose numbers are `mine`, each behind what it needs, lengths too, and what bodies of loops and
    branches compute from them."""
    result: list[Value] = []
    seen: set[int] = set()
    stack = [(v, False) for v in reversed(inside)]
    while stack:
        v, is_ready = stack.pop()
        if is_ready:
            result.append(v)
        elif v.number not in seen:
            seen.add(v.number)
            stack.append((v, True))
            is_nest = v.traits.has_regions or v.number not in mine
            stack += [(o, False) for o in needs(v) if o.number not in seen and (is_nest or o.number in mine)]
    return result


def _split(component: Sequence[Value], size: int, most: int) -> list[list[Value]]:
    """Up to `size` values each, in order, that use up to `most` others (R10)."""
    parts: list[list[Value]] = [[]]
    own, others = set[int](), set[int]()
    for v in component:
        used = {strip(o).number for o in v.operands if o.op != "const"}
        if len(parts[-1]) == size or len(others | (used - own)) > most:
            parts.append([])
            own, others = set(), set()
        others |= used - own
        own.add(v.number)
        parts[-1].append(v)
    return parts


def _components(inside: Sequence[Value], needs: Needs, find: Callable[[Any], Any]) -> list[list[Value]]:
    """Maps of one shape that are connected by maps of that shape.  Whatever lies between two maps of a component
    belongs to it: `level` counts how often a path to the value has left its space."""
    level: dict[int, int] = {}
    space: dict[int, Any] = {}
    parent: dict[int, int] = {}
    mine = {v.number for v in inside}
    order = _in_order(inside, mine, needs)

    def leader(n: int) -> int:
        while parent[n] != n:
            parent[n] = parent[parent[n]]
            n = parent[n]
        return n

    for v in order:
        n = v.number
        own = tuple(map(find, v.shape)) if v.op == "map" and n in mine else None
        before = [o.number for o in needs(v) if o.number in level]
        level[n] = max((level[o] + (own is None or space[o] != own) for o in before), default=0)
        space[n] = own
        if own is None:
            continue
        parent[n] = n
        for o in v.operands:
            if space.get(o.number) == own and level[o.number] == level[n]:
                parent[leader(o.number)] = leader(n)
    groups: dict[int, list[Value]] = {}
    for v in order:
        if v.number in parent:
            groups.setdefault(leader(v.number), []).append(v)
    return list(groups.values())


def _choose_roots(made: list[Piece], users: dict[int, list[int]], wanted: Collection[int], most: int) -> None:
    """What is stored: what must be, and what other pieces use, but for what they compute as easily."""
    home = {v.number: k for k, p in enumerate(made) for v in p.members}
    cost: dict[int, int] = {}
    for k, piece in enumerate(made):
        for v in piece.members:
            n = v.number
            own = 1 if v.attrs["row"].name in LIGHT else most + 1
            cost[n] = own + sum(cost.get(o.number, 0) for o in v.operands)
            leaves = any(home.get(u, k) != k for u in users.get(n, ()))
            if n in wanted or (leaves and cost[n] > most):
                piece.roots.append(v)
                cost[n] = 0
