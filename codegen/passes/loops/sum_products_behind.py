"""Sums over the rounds of a loop: one product, or one sum, behind it; rows that rounds write, written at once.

Contract  a carried value that is only added to, or gets rows of each round's own -> acc0 + dot of all rounds at once.
When      what is added is known for all rounds, or is a product with such a factor, whose other one is stacked.
Why       gradients of recurrent weights are such sums, and one product reads and writes the weights once.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import field

from tensordsl.base.records import record
from tensordsl.codegen.passes.canonicalise import sliced
from tensordsl.codegen.passes.context import Context
from tensordsl.codegen.passes.loops.known import known_loops, replaced_result
from tensordsl.codegen.passes.loops.positions import Rounds
from tensordsl.codegen.passes.loops.remake import remake
from tensordsl.codegen.passes.loops.widen import Widening, is_in_proportion
from tensordsl.codegen.passes.patterns import is_zero, number_of
from tensordsl.codegen.tensor_ir import extents as ex
from tensordsl.codegen.tensor_ir.construct import DOT, INC_SUBTENSOR
from tensordsl.codegen.tensor_ir.graph import Loop, Value
from tensordsl.graph.types import INTEGERS
from tensordsl.ops.array.reduce import SUM
from tensordsl.ops.math.elementwise import ADD, MUL, NEG, SUB

Term = tuple[bool, Value]  # whether it is subtracted, and what


def sum_products_behind(ctx: Context, v: Value) -> Value | None:
    """acc = acc + dot(a[t], b[t]) in each round is acc + dot(a, b) behind the loop."""
    return replaced_result(ctx, v, _sums)


def _sums(ctx: Context, node: Value) -> dict[int, Value]:
    """The values of the results of a loop without the sums, by their numbers; none if it has no sums."""
    loop: Loop = node.attrs["loop"]
    known = known_loops(ctx)
    rounds, read = known.rounds[loop.number], known.read.get(loop.number, {})
    alone = [k for k in sorted(read) if k < len(loop.carried) and _is_alone(ctx, loop, k, read)]
    found = {k: terms for k in alone if (terms := _terms(ctx, loop, k))}
    plan = _Plan(ctx, rounds, node, read, found)
    plan.choose(alone)
    if not plan.chosen:
        return {}
    ctx.hit("acc + dot(a[t], b[t]) = acc + dot(a, b)")
    left = {k: r for k, r in read.items() if k not in plan.chosen}
    stacked = list(plan.stacked.values())
    made = remake(ctx.graph, node, left, stacked) if left or stacked else None
    if made is None:
        results, stacks = {}, list[Value]()
    else:
        results, stacks = made.results, made.stacks
        known.behind[made.node.number] = {}
    w = plan.widening(results, stacks)
    for k in sorted(plan.chosen):
        init = node.operands[1 + k]
        is_sum = k in found
        results[k] = (_behind if is_sum else _rows_written)(ctx, w, loop.next[k], init, found.get(k, []))
    return results


# -- which sums there are ----------------------------------------------------------------------------------------------
def _is_alone(ctx: Context, loop: Loop, k: int, read: Collection[int]) -> bool:
    """Whether nothing but its own next value reads carried value k in a round."""
    acc, first = loop.carried[k], len(loop.carried)
    dead = [v for j, v in enumerate(loop.stacked) if first + j not in read]
    uses = ctx.users.get(loop.next[k].number, 1) - sum(v is loop.next[k] for v in dead)
    return uses == 1 and ctx.users.get(acc.number, 1) == 1


def _terms(ctx: Context, loop: Loop, k: int) -> list[Term]:
    """What each round adds to carried value k."""
    acc = loop.carried[k]
    if acc.dtype not in _SUMMED:
        return []
    terms: list[Term] = []
    stack: list[Term] = [(False, loop.next[k])]
    while stack:
        is_subtracted, u = stack.pop()
        row = u.attrs["row"] if u.op == "map" else None
        is_inner = u is loop.next[k] or ctx.is_sole(u)
        if row is NEG and is_inner:
            stack.append((not is_subtracted, u.operands[0]))
        elif row in (ADD, SUB) and is_inner and _is_shaped(ctx, u, acc) and u is not acc:
            x, y = u.operands
            stack += [(is_subtracted ^ (row is SUB), y), (is_subtracted, x)]
        else:
            terms.append((is_subtracted, u))
    if sum(u is acc for _, u in terms) != 1 or (True, acc) in terms:
        return []
    return [(is_subtracted, u) for is_subtracted, u in terms if u is not acc]


def _is_shaped(ctx: Context, u: Value, acc: Value) -> bool:
    """Whether u has the shape of a carried value, which lengths of a round may only be assumed to be."""
    pairs = zip(ctx.find(u.shape), ctx.find(acc.shape), strict=False)
    return u.rank == acc.rank and all(m == n or 1 not in (m, n) for m, n in pairs)


_SUMMED = frozenset(("float32", "float64", *INTEGERS))


@record(eq=False, frozen=False)
class _Plan:
    """What has to be stacked for the sums of one loop; `trial` has other values in place of stacks."""

    ctx: Context
    rounds: Rounds
    node: Value
    read: Collection[int]
    terms: dict[int, list[Term]]
    chosen: set[int] = field(default_factory=set)
    stacked: dict[int, Value] = field(default_factory=dict)
    steps: set[int] = field(default_factory=set)

    @property
    def loop(self) -> Loop:
        loop: Loop = self.node.attrs["loop"]
        return loop

    def trial(self) -> Widening:
        g, first = self.ctx.graph, len(self.loop.carried)
        known = [v for j, v in enumerate(self.loop.stacked) if first + j in self.read]
        given = {
            v.number: g.make("undefined", (), v.dtype, (self.rounds.count, *v.shape), number=v.number)
            for v in (*known, *self.stacked.values())
        }
        return Widening(self.rounds, given=given)

    def choose(self, candidates: Sequence[int]) -> None:
        """The carried values that can be computed behind the loop, and what has to be stacked for these."""
        w = self.trial()
        wanted = {k: taken for k in candidates if (taken := self.taken(w, k)) is not None}
        while self.chosen != set(wanted):
            self.chosen = set(wanted)
            self.stacked = {v.number: v for taken in wanted.values() for v in taken}
            w, self.steps = self.trial(), set()
            wanted = {k: taken for k, taken in wanted.items() if self.fits(w, k)}

    def taken(self, w: Widening, k: int) -> list[Value] | None:
        """What has to be stacked for carried value k; None if it cannot be computed behind the loop."""
        if k in self.terms:
            return [factor for _, term in self.terms[k] for factor in _unknown_factors(self.ctx, w, term)]
        v, acc = self.loop.next[k], self.loop.carried[k]
        if v.op != INC_SUBTENSOR or v.operands[0] is not acc or self.rounds.loop.number not in v.operands[1].loops:
            return None
        placed = w.placed(v.attrs["bounds"])
        if placed is None or placed.axis is None or v.attrs["bounds"][placed.axis][3] or w.open_checks(v) != ():
            return None
        if w.of(v.operands[1]) is not None:
            return []
        source = _base(v.operands[1])
        taken = _unknown_of_product(w, source) or [source]
        return None if any(self.rounds.varies(n) for u in (source, *taken) for n in u.shape) else taken

    def fits(self, w: Widening, k: int) -> bool:
        """Whether carried value k can be computed with what w has."""
        init = self.node.operands[1 + k]
        for _, term in self.terms.get(k, ()):
            if _total(self.ctx, w, term) is None or (_is_plain(term) and not _keeps_zero(init)):
                return False
            self.steps |= w.steps.get(term.number, set())
        if k in self.terms:
            return True
        v = self.loop.next[k]
        placed = w.placed(v.attrs["bounds"])
        if w.of(v.operands[1]) is None or placed is None:
            return False
        self.steps |= w.steps.get(v.operands[1].number, set()) | {placed.step}
        return True

    def widening(self, results: dict[int, Value], stacks: Sequence[Value]) -> Widening:
        """The wide values of the body, with the stacks of the loop as it is made."""
        first = len(self.loop.carried)
        given = {v.number: results[first + j] for j, v in enumerate(self.loop.stacked) if first + j in results}
        given.update({v.number: s for v, s in zip(self.stacked.values(), stacks, strict=True)})
        if self.steps != {-1}:
            return Widening(self.rounds, given=given)
        return Widening(self.rounds, True, {n: _flipped(self.ctx, v) for n, v in given.items()})


def _flipped(ctx: Context, v: Value) -> Value:
    """A stack from its end, so that what is made of it walks over other sequences in their order."""
    full = tuple((0, n, 1, True) for n in v.shape[1:])
    bounds = ((ex.sub(v.shape[0], 1), v.shape[0], -1, True), *full)
    return sliced(ctx, v, bounds, (), v.shape)


def _unknown_factors(ctx: Context, w: Widening, term: Value) -> list[Value]:
    """What has to be stacked for a product, if the other factor is known for all rounds."""
    if not _is_product(term):
        return []
    factors = term.operands[:2]
    unknown = [base for f in factors if w.of(f) is None and (base := _base(f)).rank and base.dtype == term.dtype]
    known = [f for f in factors if w.of(f) is not None]
    if len(unknown) != 1 or len(known) != 1:
        return []
    most = ex.mul(ex.product(known[0].shape), ctx.tuning.hoist_max_growth)
    if ex.is_never_negative(ex.sub(ex.sub(ex.product(unknown[0].shape), most), 1)):
        return []
    return unknown if not any(map(w.rounds.varies, unknown[0].shape)) else []


def _unknown_of_product(w: Widening, v: Value) -> list[Value]:
    """What the unknown factor of a product is a transpose of, if the other one is known and it is no larger by far."""
    if v.op != DOT or len(v.operands) != 2 or v.rank == 3:
        return []
    unknown = [_base(f) for f in v.operands if w.of(f) is None]
    if len(unknown) != 1 or not unknown[0].rank:
        return []
    most = ex.mul(ex.product(v.shape), w.ctx.tuning.hoist_max_growth)
    is_larger = ex.is_never_negative(ex.sub(ex.sub(ex.product(unknown[0].shape), most), 1))
    return [] if is_larger else unknown


def _base(v: Value) -> Value:
    """What a factor is a transpose of."""
    while v.op == "move" and len(v.operands[0].shape) <= v.rank:
        (v,) = v.operands
    return v


def _is_product(term: Value) -> bool:
    if term.op == DOT:
        return len(term.operands) == 2 and term.rank < 3
    return _outer_axes(term) is not None


def _outer_axes(term: Value) -> tuple[int, int] | None:
    """The places of the factors of x[:, None] * y[None, :] for rows and for columns."""
    if term.op != "map" or term.attrs["row"] is not MUL or term.rank != 2 or not term.dtype.startswith("float"):
        return None
    shapes = [(1,) * (2 - o.rank) + tuple(o.shape) for o in term.operands]
    for rows, columns in ((0, 1), (1, 0)):
        if shapes[rows][1] == 1 == shapes[columns][0] and 1 not in (shapes[rows][0], shapes[columns][1]):
            return rows, columns
    return None


def _is_plain(term: Value) -> bool:
    """Whether the terms of a sum may all be -0, so that it is -0 where it begins with that."""
    return not (_is_product(term) or term.op == "reduce") and term.dtype.startswith("float")


def _keeps_zero(init: Value) -> bool:
    """Whether a sum begins with a known number that is not -0."""
    number = number_of(init)
    return number is not None and not (number == 0 and str(number).startswith("-"))


# -- what they are behind the loop -------------------------------------------------------------------------------------
def _behind(ctx: Context, w: Widening, acc: Value, init: Value, terms: Sequence[Term]) -> Value:
    """The carried value behind the last round."""
    g, total = ctx.graph, init
    for is_subtracted, term in terms:
        part = _total(ctx, w, term)
        assert part is not None
        if total is init and is_zero(init) and _is_shaped(ctx, part, acc):
            part = g.move(part, range(part.rank), acc.shape)
            total = g.make("map", (part,), acc.dtype, acc.shape, row=NEG, args={}) if is_subtracted else part
        else:
            row = SUB if is_subtracted else ADD
            total = g.make("map", (total, part), acc.dtype, acc.shape, row=row, args={})
    if _keeps_zero(init):
        return w.guarded(total, init)
    return total if w.rounds.always_run else w.if_rounds(total, init)


def _rows_written(ctx: Context, w: Widening, v: Value, init: Value, _: Sequence[Term]) -> Value:
    """What each round writes to rows of its own, written at once."""
    g, y = ctx.graph, w.wide(v.operands[1])
    placed = w.placed(v.attrs["bounds"])
    assert y is not None and placed is not None and placed.axis is not None
    kept = [b[1] for b in placed.bounds if b[3]]
    first = sum(b[3] for b in placed.bounds[: placed.axis])
    y = g.move(y, [first, *(d for d in range(len(kept)) if d != first)], kept)
    is_whole = all(ctx.find(b[:3]) == (0, n, 1) for b, n in zip(placed.bounds, ctx.find(v.shape), strict=True))
    if is_whole and ctx.find(y.shape) == ctx.find(v.shape) and (v.attrs["set"] or is_zero(init)):
        return w.guarded(y, init)
    ints = w.outer([n for b in placed.bounds for n in b[:3]])
    attrs = {"bounds": placed.bounds, "checks": (), "set": v.attrs["set"]}
    return w.guarded(g.make(INC_SUBTENSOR, (init, y, *ints), v.dtype, v.shape, **attrs), init)


def _total(ctx: Context, w: Widening, term: Value) -> Value | None:
    """The sum of a term over all rounds, if it is known."""
    if w.rounds.loop.number not in term.loops:
        return None
    if term.op == DOT and _is_product(term):
        return _sum_of_products(ctx, w, term)
    if (places := _outer_axes(term)) is not None:
        return _sum_of_outer(ctx, w, term, places)
    if term.op == "reduce" and term.attrs["reducer"].name == SUM.name and term.operands[0].dtype == term.dtype:
        inner = w.of(term.operands[0])
        if inner is not None and inner[1]:
            axes = (0, *(a + 1 for a in term.attrs["axes"]))
            return ctx.graph.make("reduce", (inner[0],), term.dtype, term.shape, **{**term.attrs, "axes": axes})
    found = w.of(term)
    if found is None or not found[1] or not is_in_proportion(w, term):
        return None
    total = ctx.graph.reduce(SUM.meaning, 0, (0,), [found[0]])
    return ctx.graph.cast(total, term.dtype)


def _sum_of_products(ctx: Context, w: Widening, term: Value) -> Value | None:
    """sum over t of x[t] y[t], with the rounds and the terms of each product as terms of one."""
    factors = [w.of(f) for f in term.operands]
    if any(f is None or not f[1] for f in factors):
        return None
    w.steps[term.number] = frozenset().union(*(w.steps[f.number] for f in term.operands))
    g, (x, y) = ctx.graph, (f[0] for f in factors if f is not None)
    if x.rank == 3:
        x = g.move(x, (0, 2, 1), (x.shape[0], x.shape[2], x.shape[1]))
    x, y = (g.reshape(m, (ex.mul(m.shape[0], m.shape[1]), *m.shape[2:])) for m in (x, y))
    if x.rank == 2:
        x = g.move(x, (1, 0), x.shape[::-1])
    return g.make(DOT, (x, y), term.dtype, (*x.shape[:-1], *y.shape[1:]), **term.attrs)


def _sum_of_outer(ctx: Context, w: Widening, term: Value, places: tuple[int, int]) -> Value | None:
    """sum over t of x[t, :, None] * y[t, None, :]."""
    wide = [w.of(o) for o in term.operands]
    if any(f is None or not f[1] for f in wide):
        return None
    w.steps[term.number] = frozenset().union(*(w.steps[o.number] for o in term.operands))
    g, n = ctx.graph, w.count
    x, y = (wide[k] for k in places)
    assert x is not None and y is not None
    rows = g.reshape(x[0], (n, term.operands[places[0]].shape[0]))
    columns = g.reshape(y[0], (n, term.operands[places[1]].shape[-1]))
    return g.make(DOT, (g.move(rows, (1, 0), rows.shape[::-1]), columns), term.dtype, (rows.shape[1], columns.shape[1]))
