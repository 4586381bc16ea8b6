"""Merging of loops (loop fusion, Allen and Cocke): two of as many rounds become one whose rounds do what both did.

Contract  `for`s, one of which may read row t of what the other stacks -> one; such a row is a value of the round.
When      in the same loops and branches, without effects, if the second needs nothing else of the first one; where none
          feeds the other, only elementwise work of one shape.  Results that nobody reads are dropped before.
Why       what one loop hands to the other is used while it is in the cache, and needs no history.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from tensordsl.base.records import record
from tensordsl.codegen.fusion.placement import place
from tensordsl.codegen.passes.canonicalise import sliced
from tensordsl.codegen.passes.context import Context, frozen_values
from tensordsl.codegen.passes.loops.remake import needed_carried
from tensordsl.codegen.tensor_ir import extents as ex
from tensordsl.codegen.tensor_ir.construct import FOR, IFELSE, SUBTENSOR
from tensordsl.codegen.tensor_ir.extents import Constraint, Extent
from tensordsl.codegen.tensor_ir.graph import Graph, Loop, Value, dependencies, named_by, rewrite, toposort

MAX_MERGED = 64  # loops of one function that are looked at in pairs


def merge_loops(graph: Graph, roots: list[Value]) -> list[Value]:
    """Two loops of equal ranges become one; what the second reads of a round of the first is the value itself."""
    if not graph.loops:
        return roots
    frozen = frozen_values(graph)
    while (pruned := _pruned(graph, roots, frozen)) is not None:  # then inner loops have less to give, too
        roots = pruned
    for _ in range(MAX_MERGED):
        pair = _pair(graph, roots, frozen)
        if pair is None:
            break
        made = _merged(graph, pair)
        roots = rewrite(graph, roots, made, frozen, ops=("result",))
    return roots


# -- results that nobody reads -----------------------------------------------------------------------------------------
def _pruned(graph: Graph, roots: Sequence[Value], frozen: frozenset[int]) -> list[Value] | None:
    """The roots, with loops that carry and stack what something reads; None where all do."""
    order = toposort(roots)
    read: dict[int, set[int]] = {}
    fixed: set[int] = set()
    for v in order:
        if v.op == "result" and v.operands[0].op == FOR:
            node = v.operands[0]
            read.setdefault(node.number, set()).add(v.attrs["k"])
            if v.number in frozen or node.number in frozen:
                fixed.add(node.number)
    plans = {
        v.attrs["loop"].number: plan
        for v in order
        if v.number in read and v.number not in fixed and (plan := _kept(graph, v.attrs["loop"], read[v.number]))
    }
    made: dict[int, tuple[Value, dict[int, int]]] = {}  # by numbers of old loops, as they are when they are rewritten
    new: set[int] = set()

    def pruned(v: Value) -> Value | None:
        (old,) = v.operands
        if old.op != FOR or old.number in new or old.attrs["loop"].number not in plans:
            return None
        if old.number not in made:
            made[old.number] = _with_results(graph, old, *plans[old.attrs["loop"].number])
            new.add(made[old.number][0].number)
        other, places = made[old.number]
        return graph.result(other, places[v.attrs["k"]], v.dtype, v.shape)

    return rewrite(graph, roots, pruned, frozen, ops=("result",)) if plans else None


def _kept(graph: Graph, loop: Loop, read: set[int]) -> tuple[list[int], list[int]] | None:
    """Which carried values something needs, and which stacks something reads, if these are not all."""
    first = len(loop.carried)
    stacks = [k for k in range(len(loop.stacked)) if first + k in read]
    also = [k for k in read if k < first]
    carried = sorted(needed_carried(graph, loop, [loop.stacked[k] for k in stacks], also))
    are_all = len(carried) == first and len(stacks) == len(loop.stacked)
    return None if are_all else (carried, stacks)


def _with_results(
    graph: Graph, node: Value, carried: Sequence[int], stacks: Sequence[int]
) -> tuple[Value, dict[int, int]]:
    """The loop with these carried values and stacks alone, and the places of its results by the old ones."""
    loop: Loop = node.attrs["loop"]
    count, *inits = node.operands
    first = len(loop.carried)
    loop.carried, loop.next = tuple(loop.carried[k] for k in carried), tuple(loop.next[k] for k in carried)
    loop.stacked = tuple(loop.stacked[k] for k in stacks)
    made = _made(graph, loop, node, (count, *(inits[k] for k in carried)))
    return made, {k: j for j, k in enumerate([*carried, *(first + k for k in stacks)])}


def _made(graph: Graph, loop: Loop, like: Value, operands: Sequence[Value]) -> Value:
    inside = (*operands, *loop.next, *loop.stacked)
    around = frozenset[int]().union(*(v.loops for v in inside)) - {loop.number}
    count = like.attrs["count"]
    loop.made = graph.make(FOR, operands, "", (), loops=around, unique=True, loop=loop, count=count)
    return loop.made


# -- which loops -------------------------------------------------------------------------------------------------------
@record(eq=False)
class _Pair:
    """Two loops, and the rows of the first one's stacks that the second one reads."""

    first: Value
    second: Value
    rows: Sequence[Value]


def _pair(graph: Graph, roots: Sequence[Value], frozen: frozenset[int]) -> _Pair | None:
    """Two loops that may be one, if there are some."""
    order = toposort(roots)
    nodes = [v for v in order if v.op == FOR and v.number not in frozen]
    fixed = {v.operands[0].number for v in order if v.op == "result" and v.number in frozen}
    nodes = [v for v in nodes if v.number not in fixed and v.attrs["count"] not in (0, 1) and _is_plain(v)][:MAX_MERGED]
    if len(nodes) < 2:
        return None
    contexts = place(roots, order)
    needs = _Needs(graph, nodes, roots)
    find = graph.extents.find
    for k, second in enumerate(nodes):
        for first in nodes[:k]:
            if find(first.attrs["count"]) != find(second.attrs["count"]) or needs.are_ordered(first, second):
                continue
            if contexts[first.number] != contexts[second.number] or first.loops != second.loops:
                continue
            rows = needs.rows[second].get(first, [])
            if rows or _are_alike(first, second):
                return _Pair(first, second, rows)
    return None


class _Needs:
    """Which of some loops values need, as sets of bits; of a loop besides the rows at its own index of what another one
    stacks."""

    def __init__(self, graph: Graph, nodes: Sequence[Value], roots: Sequence[Value]) -> None:
        self.graph, self.bit = graph, {v: 1 << k for k, v in enumerate(nodes)}
        self.rows: dict[Value, dict[Value, list[Value]]] = {v: {} for v in nodes}
        self._row_of = {row: source for v in nodes for row, source in self._rows_of(v)}
        self.strict: dict[Value, int] = {}  # of loops, without those rows
        self.all: dict[Value, int] = {}
        stack = [*roots]
        while stack:
            v = stack[-1]
            below = self._below(v)
            waiting = [o for o in below if o not in self.all]
            if waiting and v not in self.all:
                stack += waiting
                continue
            stack.pop()
            if v not in self.all:
                self._enter(v, below)

    def _enter(self, v: Value, below: Sequence[Value]) -> None:
        needed = 0
        for o in below:
            needed |= self.all[o]
        self.all[v] = needed | self.bit.get(v, 0)
        if v in self.bit:
            self.strict[v] = self._without_rows(v)

    def _without_rows(self, node: Value) -> int:
        """What a loop needs besides its rows."""
        needed, seen = 0, set[Value]()
        loop: Loop = node.attrs["loop"]
        stack = [*node.operands, *loop.results]
        while stack:
            v = stack.pop()
            if v in seen:
                continue
            seen.add(v)
            if loop.number not in v.loops:
                needed |= self.all[v]
            elif v in self._row_of:
                stack += v.operands[1:]
            else:
                stack += self._below(v)
        return needed

    def are_ordered(self, first: Value, second: Value) -> bool:
        """Whether the second loop needs the first one by more than rows of its own."""
        needed = self.strict[second]
        for other in self.rows[second]:
            if other is not first:
                needed |= self.all[other]
        return bool(needed & self.bit[first])

    def _below(self, v: Value) -> list[Value]:
        return [*dependencies(v), *(self.graph.values[n] for n in named_by(v) if n != v.number)]

    def _rows_of(self, node: Value) -> Iterable[tuple[Value, Value]]:
        """The rows at a loop's index of what other loops stack, and these loops."""
        index = ex.atom("value", node.attrs["loop"].index.number)
        for v in _body(node):
            x = v.operands[0] if v.op == SUBTENSOR else v
            if x is v or x.op != "result" or x.operands[0] not in self.bit or v.attrs["checks"]:
                continue
            first = x.operands[0]
            if x.attrs["k"] >= len(first.attrs["loop"].carried) and v.attrs["bounds"][0] == (index, 1, 1, False):
                self.rows[node].setdefault(first, []).append(v)
                yield v, first


def _body(node: Value) -> list[Value]:
    """The values that vary with a loop, in order."""
    loop: Loop = node.attrs["loop"]
    return [v for v in toposort((*loop.next, *loop.stacked)) if loop.number in v.loops]


def _is_plain(node: Value) -> bool:
    """Whether its rounds hold no loops or branches, and nothing with effects."""
    return not any(v.traits.is_loop or v.traits.has_effects or v.op in (IFELSE, "result") for v in _body(node))


def _are_alike(first: Value, second: Value) -> bool:
    """Whether both are elementwise work of one shape."""
    shapes = {v.shape for node in (first, second) for v in _body(node) if v.rank and v.op == "map"}
    ops = {v.op for node in (first, second) for v in _body(node)}
    return len(shapes) <= 1 and ops <= {"map", "move", "index", "carried", SUBTENSOR}


# -- the merged loop ---------------------------------------------------------------------------------------------------
def _merged(graph: Graph, pair: _Pair) -> Callable[[Value], Value | None]:
    """A result of either loop -> the merged loop's."""
    first, second = pair.first, pair.second
    loop, other = first.attrs["loop"], second.attrs["loop"]
    m, n = len(loop.carried), len(other.carried)
    new = _Renaming(graph, other, loop)
    new.set(other.index, loop.index)
    taken = 1 + max((p.attrs["k"] for p in loop.carried), default=-1)  # some before may be gone
    carried = [
        graph.make(
            "carried", (), p.dtype, p.shape, loops=(p.loops - {other.number}) | {loop.number}, unique=True,
            loop_number=loop.number, k=taken + j,
        )
        for j, p in enumerate(other.carried)
    ]  # fmt: skip
    for p, q in zip(other.carried, carried, strict=True):
        new.set(p, q)
    ctx = Context(graph)
    for row in pair.rows:
        item = loop.stacked[row.operands[0].attrs["k"] - m]
        new.rows[row] = (
            lambda row=row, item=item: sliced(  # type: ignore[misc]
                ctx, item, new.attrs(row.attrs)["bounds"][1:], new.operands(row)[1:], new.lengths(row.shape)
            )
        )
    new.walk(_body(second))
    loop.carried = (*loop.carried, *carried)
    loop.next = (*loop.next, *(new.of(v) for v in other.next))
    stacked = (*loop.stacked, *(new.of(v) for v in other.stacked))
    at = m + n, m + n + len(loop.stacked)
    loop.stacked = stacked
    made = _made(graph, loop, first, (*first.operands, *second.operands[1:]))
    places = (
        [*range(m), *range(at[0], at[1])],
        [*range(m, m + n), *range(at[1], at[1] + len(other.stacked))],
    )
    places_of = {node.number: ks for node, ks in zip((first, second), places, strict=True)}

    def result(v: Value) -> Value | None:
        ks = places_of.get(v.operands[0].number)
        return None if ks is None else graph.result(made, ks[v.attrs["k"]], v.dtype, v.shape)

    return result


class _Renaming:
    """The values of one loop's body as those of another's: `values`, by those that they were."""

    def __init__(self, graph: Graph, old: Loop, loop: Loop) -> None:
        self.graph, self.old, self.loop = graph, old, loop
        self.values: dict[Value, Value] = {}
        self.numbers: dict[int, int] = {}
        self.rows: dict[Value, Callable[[], Value]] = {}

    def set(self, v: Value, new: Value) -> None:
        self.values[v], self.numbers[v.number] = new, new.number

    def of(self, v: Value) -> Value:
        return self.values.get(v, v)

    def operands(self, v: Value) -> tuple[Value, ...]:
        return tuple(map(self.of, v.operands))

    def walk(self, body: Iterable[Value]) -> None:
        for v in body:
            if v in self.values:
                continue
            if v in self.rows:
                self.set(v, self.rows[v]())
                continue
            attrs = self.attrs(v.attrs)
            loops = (v.loops - {self.old.number}) | {self.loop.number}
            made = self.graph.make(v.op, self.operands(v), v.dtype, self.lengths(v.shape), loops=loops, **attrs)
            self.set(v, made)
            origin = self.graph.origins.get(v.number)
            if origin is not None:
                self.graph.origins.setdefault(made.number, origin)
        self._assume()

    def lengths(self, lengths: Iterable[Any]) -> tuple[Any, ...]:
        return tuple(map(self.renamed, lengths))

    def attrs(self, attrs: Mapping[str, Any]) -> dict[str, Any]:
        return {name: self.renamed(value) for name, value in attrs.items()}

    def renamed(self, value: Any) -> Any:
        """Lengths within a value of an attribute, by the new values that they are computed from."""
        if isinstance(value, Extent):
            return ex.renamed(self.graph.extents.find(value), self.numbers)
        if type(value) is tuple:
            return tuple(map(self.renamed, value))
        if isinstance(value, Constraint):
            a, b = self.renamed(value.a), self.renamed(value.b)
            return Constraint(a, b, value.what, value.node, value.relation)
        return value

    def _assume(self) -> None:
        """What was assumed of the old body holds, or is checked, of the new one."""
        extents, numbers = self.graph.extents, self.numbers
        for c in list(extents.assumed.values()):
            if not ex.named((c.a, c.b)).isdisjoint(numbers):
                a, b = ex.renamed(c.a, numbers), ex.renamed(c.b, numbers)
                extents.assumed.setdefault((a, b, c.relation), Constraint(a, b, c.what, c.node, c.relation))
