"""Widening: the values that one expression of a round has in all rounds, as one value with a leading axis.

Contract  a value of a loop's body -> one whose row t is that of round t, or one that is the same in all; None: neither.
When      all constructs down to slices by the index, the index and given stacks have rules (`Construct.widen`).
Why       work that does not depend on what is carried is one operation, not one for each round.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from tensordsl.base.records import record
from tensordsl.codegen.passes.loops.positions import Rounds
from tensordsl.codegen.tensor_ir import extents as ex
from tensordsl.codegen.tensor_ir.construct import CONCATENATE, DOT, IFELSE, INC_SUBTENSOR, RESHAPE, SUBTENSOR
from tensordsl.codegen.tensor_ir.extents import Length
from tensordsl.codegen.tensor_ir.graph import Graph, Value, named_by
from tensordsl.ops.math.comparisons import GE
from tensordsl.ops.math.elementwise import SUB

Bounds = tuple[tuple[Length, Length, Length, bool], ...]


@record
class Placed:
    """The bounds of a slice in all rounds, and the axis that the loop's index walks along, by which steps."""

    bounds: Bounds
    axis: int | None
    step: int


class Widening:
    """The wide values of one loop's body.  is_reversed: row 0 is that of the last round; given: value number -> its
    stack over the rounds (not with `is_reversed`)."""

    def __init__(
        self, rounds: Rounds, is_reversed: bool = False, given: Mapping[int, Value] | None = None
    ) -> None:  # fmt: skip
        self.rounds, self.is_reversed, self.given = rounds, is_reversed, dict(given or {})
        self.ctx, self.graph, self.count = rounds.ctx, rounds.ctx.graph, rounds.count
        self._made: dict[int, tuple[Value, bool] | None] = {}  # by numbers; is it wide?
        self.steps: dict[int, frozenset[int]] = {}  # value number -> steps of the slices it reads, in the loop's index
        self._walked: set[int] = set()
        values = self.graph.values
        self._is_fixed = not any(values[n].loops for n in ex.named((self.count,)))

    def of(self, v: Value) -> tuple[Value, bool] | None:
        """(the wide value, True) or (a value that is the same in all rounds, False)."""
        if not self._is_fixed:
            return None
        stack = [v]
        while stack:
            u = stack[-1]
            if u.number in self._made:
                stack.pop()
                continue
            needed = [] if self._is_leaf(u) else [o for o in u.operands if o.number not in self._made]
            if needed:
                stack += needed
                continue
            stack.pop()
            self._walked = set[int]()
            self._made[u.number] = self._widened(u)
            below = [self.steps.get(o.number, _NO_STEPS) for o in u.operands]
            self.steps[u.number] = frozenset(self._walked).union(*below)
        return self._made[v.number]

    def wide(self, v: Value) -> Value | None:
        """The wide value, also of what is the same in all rounds."""
        found = self.of(v)
        if found is None:
            return None
        value, is_wide = found
        return value if is_wide else self.repeated(value)

    def repeated(self, v: Value) -> Value:
        """A value that is the same in all rounds, along the axis of the rounds."""
        return self.graph.move(v, [a + 1 for a in range(v.rank)], (self.count, *v.shape))

    def aligned(self, v: Value, rank: int) -> Value:
        """A wide value with as many axes behind that of the rounds as `rank` says, for broadcasting."""
        more = rank + 1 - v.rank
        if not more:
            return v
        shape = (v.shape[0], *(1 for _ in range(more)), *v.shape[1:])
        return self.graph.move(v, [0, *range(more + 1, rank + 1)], shape)

    def _is_leaf(self, v: Value) -> bool:
        is_outside = self.rounds.loop.number not in v.loops
        return is_outside or v.number in self.given or v.traits.is_loop or v.traits.is_source

    def _widened(self, v: Value) -> tuple[Value, bool] | None:
        if v.number in self.given:
            return self.given[v.number], True
        if self.rounds.loop.number not in v.loops:
            return v, False
        if v is self.rounds.index:
            return self._positions(), True
        if v.traits.is_loop or v.traits.is_source or v.traits.has_effects:
            return None
        made = [self._made[o.number] for o in v.operands]
        if any(m is None for m in made) or any(map(self.rounds.varies, v.shape)):
            return None
        operands = [m[0] for m in made if m is not None]
        is_wide = [m[1] for m in made if m is not None]
        if not any(is_wide):  # in the loop alone because it relies on lengths
            varies = any([self.rounds.loop.number in self.graph.values[n].loops for n in named_by(v)])
            may_fail = v.attrs.get("checks") and not self.rounds.always_run
            return None if varies or may_fail else (self._invariant(v, operands), False)
        wide = v.construct.widen(self, v, operands, is_wide)
        return None if wide is None else (wide, True)

    def _invariant(self, v: Value, operands: Sequence[Value]) -> Value:
        return self.graph.like(v, operands, loops=frozenset[int]().union(*(o.loops for o in operands)))

    def _positions(self) -> Value:
        """The loop's index in all rounds."""
        positions = self.graph.iota(self.count)
        return self.graph.map(SUB, self.graph.extent(self.rounds.last), positions) if self.is_reversed else positions

    def start_of(self, start: Length) -> tuple[Length, int] | None:
        """(position, step) in the order of the rows, of a position that is linear in the loop's index."""
        found = self.rounds.linear(start)
        if found is None or not self.is_reversed:
            return found
        rest, step = found
        return ex.add(rest, ex.mul(self.rounds.last, step)), -step

    def placed(self, bounds: Bounds) -> Placed | None:
        """The bounds of a slice in all rounds; None where they are not linear in the index, or several are."""
        found: list[tuple[Length, Length, Length, bool]] = []
        axis, by = None, 0
        for d, (start, length, step, keeps) in enumerate(bounds):
            position = self.start_of(start)
            if position is None or self.rounds.varies(length) or self.rounds.varies(step):
                return None
            if position[1] and axis is not None:
                return None
            if position[1]:
                axis, by = d, position[1]
                self._walked.add(position[1])
                found.append((position[0], self.count, position[1], True))
            else:
                found.append((position[0], length, step, keeps))
        return Placed(tuple(found), axis, by)

    def open_checks(self, v: Value) -> tuple[ex.Constraint, ...] | None:
        """The checks of a slice that may fail in a round that runs; None where these vary with the rounds."""
        left = tuple(c for c in v.attrs["checks"] if not self.rounds.holds(c))
        return None if any(self.rounds.varies(n) for c in left for n in (c.a, c.b)) else left

    def outer(self, lengths: Iterable[Length]) -> tuple[Value, ...]:
        """The indices of loops around this one that lengths name: operands, so that a value varies with them."""
        values = [self.graph.values[n] for n in sorted(ex.named(lengths))]
        return tuple(v for v in values if v.loops)

    # -- what is done with wide values ---------------------------------------------------------------------------------
    def row(self, wide: Value) -> Value:
        """The round's row of a wide value."""
        index: Length = ex.atom("value", self.rounds.index.number)
        position = ex.sub(self.rounds.last, index) if self.is_reversed else index
        full = tuple((0, n, 1, True) for n in wide.shape[1:])
        bounds: Bounds = ((position, 1, 1, False), *full)
        shape = wide.shape[1:]
        return self.graph.make(
            SUBTENSOR, (wide, self.rounds.index), wide.dtype, shape, bounds=bounds, checks=()
        )  # fmt: skip

    def guarded(self, v: Value, other: Value | None = None) -> Value:
        """v, computed only if a round runs where it relies on lengths that are checked by rounds alone; `other`: the
        value without rounds, if that is not empty."""
        if self.rounds.always_run or not relies(self.graph, v, self.rounds.node.number):
            return v
        return self.if_rounds(v, other)

    def if_rounds(self, v: Value, other: Value | None = None) -> Value:
        """v if there are rounds, else `other`."""
        g = self.graph
        condition = g.map(GE, g.extent(self.count), g.const(1, "int64"))
        other = g.make("undefined", (), v.dtype, v.shape) if other is None else other
        return g.result(g.make(IFELSE, (condition, v, other), "", ()), 0, v.dtype, v.shape)


def is_in_proportion(w: Widening, v: Value) -> bool:
    """Whether what has to be stored to compute v for all rounds is known to be no more than `widen_max_growth` times v
    itself and what it is computed of.  What fusion groups compute is not stored, but where a reshape reads it."""
    number, find = w.rounds.loop.number, w.graph.extents.find
    stored: list[Value] = []
    read = [ex.mul(w.count, ex.product(v.shape))]
    stack, seen = [v], {v.number}
    while stack:
        u = stack.pop()
        if number not in u.loops or u.number in w.given:
            size = ex.product(u.shape)
            read.append(ex.mul(w.count, size) if u.number in w.given else size)
            continue
        if u is not v and not (u.traits.is_fusible or u.traits.is_view or u.traits.is_source):
            stored.append(u)
        if u.op == RESHAPE and number in u.operands[0].loops and u.operands[0].traits.is_fusible:
            stored.append(u)
        for o in u.operands:
            if o.number not in seen:
                seen.add(o.number)
                stack.append(o)
    most = ex.mul(find(ex.total(map(find, read))), w.ctx.tuning.widen_max_growth)
    return all(ex.is_never_negative(ex.sub(most, find(ex.mul(w.count, ex.product(u.shape))))) for u in stored)


_NO_STEPS: frozenset[int] = frozenset()


def relies(graph: Graph, v: Value, since: int) -> bool:
    """Whether v, or what is computed for it and is no older than value number `since`, checks lengths or
    positions, which only a round may do."""
    if not graph.extents.assumed:
        return False
    stack, seen = [v], {v.number}
    while stack:
        u = stack.pop()
        if _relies(graph, u):
            return True
        for o in u.operands:
            if o.number > since and o.number not in seen:
                seen.add(o.number)
                stack.append(o)
    return False


def _relies(graph: Graph, v: Value) -> bool:
    """Whether v checks lengths of its operands."""
    find = graph.extents.find

    def differ(some: Iterable[Length], others: Iterable[Length]) -> bool:
        return any(1 not in (m, n) and find(m) != find(n) for m, n in zip(some, others, strict=True))

    if v.attrs.get("checks"):
        return True
    if v.op == "map":
        return any(differ(o.shape, v.shape[v.rank - o.rank :]) for o in v.operands)
    if v.op == "move":
        pairs = [(n, v.shape[a]) for n, a in zip(v.operands[0].shape, v.attrs["map"], strict=True) if a is not None]
        return any(differ((m,), (n,)) for m, n in pairs)
    if v.op == "reduce":
        return any(differ(o.shape, v.operands[0].shape) for o in v.operands)
    if v.op == RESHAPE:
        return bool(find(ex.product(v.operands[0].shape)) != find(ex.product(v.shape)))
    if v.op == DOT:
        x, y = v.operands[:2]
        return differ((*x.shape[: v.rank // 3], x.shape[-1]), y.shape[: v.rank // 3 + 1])
    if v.op == CONCATENATE:
        others = [d for d in range(v.rank) if d != v.attrs["axis"]]
        return any(differ([o.shape[d] for d in others], [v.shape[d] for d in others]) for o in v.operands)
    if v.op == INC_SUBTENSOR:
        return differ(v.operands[1].shape, [b[1] for b in v.attrs["bounds"] if b[3]])
    return not v.traits.is_source and v.op not in _WITHOUT_LENGTHS


_WITHOUT_LENGTHS = frozenset((SUBTENSOR, "iota", "extent"))
