"""Placement: the region of loops and branches that each value is computed in, and the steps of each region.

Contract  a graph and its roots -> regions by context: (), and paths of ("for", loop) and ("if", node, branch).
When      of every function, before fusion.
Why       a value stands in the deepest context with all its users: what one branch needs is computed only there.
"""

from __future__ import annotations

import heapq
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import field
from functools import reduce
from typing import Any

from tensordsl.base.records import record
from tensordsl.codegen.fusion.inline import Fused
from tensordsl.codegen.fusion.partition import Fusion
from tensordsl.codegen.tensor_ir import extents as ex
from tensordsl.codegen.tensor_ir.construct import FOR, IFELSE
from tensordsl.codegen.tensor_ir.graph import Graph, Value, dependencies, giver, lengths_of, toposort

Context = tuple[tuple[Any, ...], ...]


@record(eq=False, frozen=False)
class Step:
    """One thing to do: compute a group, one construct, or a chain of both.  `gives` and `needs` are numbers of values
    in memory."""

    fused: Fused | None
    value: Value | None
    gives: tuple[int, ...]
    needs: set[int] = field(default_factory=set)
    chain: Any = None  # of `fusion.row_blocking` or `fusion.batch_blocking`; then fused and value are None
    scatters: tuple[Value, ...] = ()  # what the group's additions at positions give

    @property
    def key(self) -> int:
        return max(self.gives)

    @property
    def reads(self) -> Sequence[Value]:
        """What it reads itself, without its inner regions."""
        if self.value is not None:
            return self.value.operands
        return [*self.loads, *(v.operands[0] for v in self.scatters)]

    @property
    def loads(self) -> Sequence[Value]:
        """What its kernels read."""
        return () if self.value is not None else (self.fused or self.chain).loads


@record(eq=False, frozen=False)
class Region:
    """The steps of one context, in order; `cuts`: value number -> rule of each cut, for explanations."""

    context: Context
    steps: list[Step]
    cuts: dict[int, str]
    moves: set[int] = field(default_factory=set)  # the moves of the function that are computed, not looked through


def place(
    roots: Sequence[Value],
    order: Sequence[Value],
    by_condition: bool = False,
    measured: Mapping[int, Sequence[Value]] | None = None,
) -> dict[int, Context]:
    """value number -> context, of toposort(roots).  by_condition: the sides of all `ifelse`s on one condition are one
    context; measured: the values whose lengths are found from an integer, by its number."""
    context: dict[int, Context] = {}
    for _ in range(16):  # lengths are found from integers that depend on lengths: each walk knows more of them
        before, context = context, _placed(roots, order, by_condition, context, measured or {})
        if not measured or context == before:
            break
    if len(context) < len(order):
        context = _placed(roots, order, by_condition, context, measured or {}, ())
    return context


def _placed(
    roots: Sequence[Value],
    order: Sequence[Value],
    by_condition: bool,
    before: Mapping[int, Context],
    measured: Mapping[int, Sequence[Value]],
    default: Context | None = None,
) -> dict[int, Context]:
    """before: the contexts of those whose lengths are found from others; default: of what no other value places."""
    if not any(v.traits.has_regions for v in order):
        return dict.fromkeys([v.number for v in order], ())
    context: dict[int, Context] = {}
    loops = {v.attrs["loop"].number: v for v in order if v.traits.is_loop}
    for v in roots:
        users = [before[u.number] for u in measured.get(v.number, ()) if u.number in before]
        if users:
            context[v.number] = reduce(_common, users)
        elif not _loops(v):
            context[v.number] = ()
        else:  # an integer of a round, which only a check may need
            around = [(n, w) for n, w in loops.items() if n in _loops(v) and w.number in before]
            if around:
                context[v.number] = max(((*before[w.number], (FOR, n)) for n, w in around), key=len)
    for v in reversed(order):
        own = context.get(v.number, default)
        if own is None:
            continue
        while own and own[-1][0] == FOR and own[-1][1] not in v.loops and not v.attrs.get("effect"):
            own = own[:-1]
        context[v.number] = own
        for o, inner in _uses(v, own, by_condition):
            known = context.get(o.number)
            context[o.number] = inner if known is None else _common(known, inner)
    return context


def _loops(v: Value) -> frozenset[int]:
    """The loops that v varies with.  A number of rounds varies as its loop does, which a pass may have rebuilt."""
    return giver(v).loops if v.op == "rounds" else v.loops


def _uses(v: Value, here: Context, by_condition: bool = False) -> Iterable[tuple[Value, Context]]:
    if v.traits.is_loop:
        loop = v.attrs["loop"]
        body = (*here, (FOR, loop.number))
        return [*((o, here) for o in v.operands), *((o, body) for o in loop.results)]
    if v.op == IFELSE:
        half = (len(v.operands) - 1) // 2
        name = v.operands[0].number if by_condition else v.number
        return [
            (v.operands[0], here),
            *((o, (*here, ("if", name, 0))) for o in v.operands[1 : 1 + half]),
            *((o, (*here, ("if", name, 1))) for o in v.operands[1 + half :]),
        ]
    return [(o, here) for o in (v.operands if v.op != "rounds" else dependencies(v))]


def _common(a: Context, b: Context) -> Context:
    n = 0
    while n < min(len(a), len(b)) and a[n] == b[n]:
        n += 1
    return a[:n]


def integer_values(graph: Graph, values: Iterable[Value]) -> list[Value]:
    """The 0-d integers on which shapes and bounds depend: they must be in memory."""
    lengths: set[Any] = set()
    loops: set[int] = set()
    for v in values:
        lengths.update(lengths_of(v))
        if v.traits.is_loop:
            loops.add(v.attrs["loop"].number)
        if v.op == "extent":
            lengths.add(v.attrs["extent"])
        elif "checks" in v.attrs:
            lengths.update([n for c in v.attrs["checks"] for n in (c.a, c.b)])
    named = ex.named(lengths) | ex.named(map(graph.extents.find, lengths))
    checked = graph.extents.checked()
    named |= {n for n in checked if loops >= _loops(graph.values[n])}  # a loop that nothing needs is not there
    return [graph.values[n] for n in sorted(named)]


def with_integers(graph: Graph, roots: Sequence[Value]) -> tuple[list[Value], list[Value]]:
    """The roots with the integers that lengths and checks need, and all that these depend on, operands first."""
    everything = list(roots)
    order = toposort(everything)
    for _ in range(4):  # integers that lengths depend on may depend on lengths themselves
        more = [v for v in integer_values(graph, order) if v not in everything]
        if not more:
            break
        everything.extend(more)
        order = toposort(everything)
    return everything, order


def needed_rounds(graph: Graph, roots: Sequence[Value]) -> list[Value]:
    """Numbers of rounds that lengths and checks need.  Their loops run whether or not a root needs them, so each pass
    takes them as roots too: a pass that rewrites a loop it has not seen leaves it with values that no longer exist."""
    if all([loop.condition is None for loop in graph.loops]):
        return []
    return [v for v in with_integers(graph, roots)[0] if v.op == "rounds"]


def _measured(graph: Graph, integers: Sequence[Value], order: Sequence[Value]) -> dict[int, list[Value]]:
    """For each integer, by its number, the values whose lengths are found from it."""
    found: dict[int, list[Value]] = {v.number: [] for v in integers}
    for v in order if found else ():
        lengths = [*lengths_of(v), *(n for c in v.attrs.get("checks", ()) for n in (c.a, c.b))]
        if v.op == "extent":
            lengths.append(v.attrs["extent"])
        for n in ex.named(lengths) | ex.named(map(graph.extents.find, lengths)):
            if n in found:
                found[n].append(v)
    return found


def _is_transposed(v: Value) -> bool:
    """True for elementwise work with its axes exchanged, and nothing more."""
    while v.op == "move" and None not in v.attrs["map"] and len(v.attrs["map"]) == v.rank:
        v = v.operands[0]
        if v.op == "map":
            return True
    return False


def plan_regions(graph: Graph, roots: Sequence[Value]) -> dict[Context, Region]:
    """All regions that `roots` need, each with its steps in order."""
    everything, order = with_integers(graph, roots)
    context = place(everything, order, measured=_measured(graph, everything[len(roots) :], order))
    members: dict[Context, list[Value]] = {(): []}
    for v in order:
        members.setdefault(context[v.number], []).append(v)
    wanted: dict[Context, dict[int, Value]] = {c: {} for c in members}
    for v in everything:
        wanted[context[v.number]][v.number] = v
    for v in order if any(v.traits.has_regions for v in order) else ():
        for o, used_in in _uses(v, context[v.number]):
            if context[o.number] != used_in or v.traits.has_regions:
                wanted[context[o.number]][o.number] = o
    transposed = [v.number for v in roots if _is_transposed(v)]
    fused = {}
    for c, inside in members.items():
        fusion = Fusion(graph, list(wanted[c].values()), inside, [] if c else transposed)
        fused[c] = fusion.plan(), fusion.cuts
    moves = {v.number for groups, _ in fused.values() for g in groups for v in g.values if v.op == "move"}
    regions = {c: Region(c, _steps(graph, fused[c][0], members[c], moves), fused[c][1], moves) for c in members}
    _nested_needs(regions, moves)
    for region in regions.values():
        region.steps = in_order(region.steps)
    return regions


def group_step(graph: Graph, g: Fused, moves: Collection[int]) -> Step:
    needs = {n for v in g.loads for n in memory(v, moves)}
    lengths = [*g.group.extents.values(), *(n for v in (*g.loads, *g.values) for n in v.shape)]
    extents = [v.attr for v in g.group.scalars if v.op == "extent"]
    needs |= _lengths_need(graph, [*lengths, *extents])
    return Step(g, None, tuple(v.number for v in g.values), needs - {v.number for v in g.values})


def _steps(graph: Graph, groups: list[Fused], inside: Sequence[Value], moves: set[int]) -> list[Step]:
    steps = [group_step(graph, g, moves) for g in groups]
    stacked: dict[int, list[Any]] = {}  # by the number of a loop: lengths of its results
    for v in inside:
        if v.op == "result" and v.operands[0].traits.is_loop:
            stacked.setdefault(v.operands[0].number, []).extend(v.shape)
    for v in inside:
        if v.traits.is_fusible or v.traits.is_source:
            continue
        needs = {n for o in v.operands for n in memory(o, moves)}
        lengths = [*lengths_of(v), *stacked.get(v.number, ())]
        lengths += [n for o in v.operands for n in o.shape]  # a broadcast operand is written out
        lengths += [n for c in v.attrs.get("checks", ()) for n in (c.a, c.b)]
        steps.append(Step(None, v, (v.number,), (needs | _lengths_need(graph, lengths)) - {v.number}))
    return steps


def memory(v: Value, moves: Collection[int]) -> list[int]:
    """The steps' values behind v: what its view looks at, or the loop or branch it is a result of."""
    while v.op == "move" and v.number not in moves:
        v = v.operands[0]
    if (made := giver(v)) is not v:
        return [made.number]
    return [] if v.traits.is_source else [v.number]


def _lengths_need(graph: Graph, lengths: Iterable[Any]) -> set[int]:
    found: set[int] = set()
    for n in ex.named(map(graph.extents.find, lengths)):
        found.update(memory(graph.values[n], ()))
    return found


def _nested_needs(regions: dict[Context, Region], moves: set[int]) -> None:
    """A loop or branch needs whatever the steps inside of it need from outside."""
    holder = {s.value.number: s for r in regions.values() for s in r.steps if s.value is not None}
    by_loop = {
        s.value.attrs["loop"].number: s for s in holder.values() if s.value is not None and s.value.traits.is_loop
    }
    for s in holder.values():
        v = s.value
        if v is not None and v.traits.has_regions:
            uses = v.attrs["loop"].results if v.traits.is_loop else v.operands
            inner = {n for c, r in regions.items() for t in r.steps for n in t.gives if _inside(c, v)}
            s.needs |= {n for o in uses for n in memory(o, moves)} - inner
            s.needs.discard(v.number)
    for c in sorted(regions, key=len, reverse=True):
        if not c:
            continue
        outer = by_loop[c[-1][1]] if c[-1][0] == FOR else holder[c[-1][1]]
        given = {n for s in regions[c].steps for n in s.gives}
        for s in regions[c].steps:
            outer.needs |= s.needs - given


def _inside(c: Context, v: Value) -> bool:
    if v.traits.is_loop:
        return (FOR, v.attrs["loop"].number) in c
    return any(p[0] == "if" and p[1] == v.number for p in c)


def in_order(steps: list[Step]) -> list[Step]:
    """Topological order, otherwise that of the values' numbers."""
    giver = {n: k for k, s in enumerate(steps) for n in s.gives}
    waiting = [0] * len(steps)
    users: list[list[int]] = [[] for _ in steps]
    for k, s in enumerate(steps):
        for j in {giver[n] for n in s.needs if n in giver} - {k}:
            waiting[k] += 1
            users[j].append(k)
    ready = [(s.key, k) for k, s in enumerate(steps) if not waiting[k]]
    heapq.heapify(ready)
    result = []
    while ready:
        _, k = heapq.heappop(ready)
        result.append(steps[k])
        for u in users[k]:
            waiting[u] -= 1
            if not waiting[u]:
                heapq.heappush(ready, (steps[u].key, u))
    assert len(result) == len(steps), "the steps of a region depend on each other in a circle"
    return result
