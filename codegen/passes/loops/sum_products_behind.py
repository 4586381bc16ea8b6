"""Sums over the rounds of a loop: one product, or one sum, behind it.

Contract  a carried value that is only ever added to (`acc + dot(a, b)`, `acc + outer(x, g)`, `acc + sum(y)`, `acc + v`)
          -> acc0 + dot over all rounds at once, with the rounds as terms of the product.
When      each term is a sum of what is known for all rounds: sequences, stacks, and what is computed of them; a factor
          of a product is stacked if the other one is known, and is not larger than `hoist_max_growth` times that.
Why       gradients of recurrent weights are such sums: one product reads and writes the weights once, where the rounds
          would for each batch.  Products are summed in another order, as in every product.
Reference loop distribution (Kennedy and McKinley).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import field

from tensordsl.base.records import record
from tensordsl.codegen.passes.canonicalise import sliced
from tensordsl.codegen.passes.context import Context
from tensordsl.codegen.passes.loops.known import known_loops
from tensordsl.codegen.passes.loops.positions import Rounds
from tensordsl.codegen.passes.loops.remake import remake
from tensordsl.codegen.passes.loops.widen import Widening
from tensordsl.codegen.passes.patterns import is_zero, number_of
from tensordsl.codegen.tensor_ir import extents as ex
from tensordsl.codegen.tensor_ir.construct import DOT, FOR
from tensordsl.codegen.tensor_ir.graph import Loop, Value
from tensordsl.graph.types import INTEGERS
from tensordsl.ops.array.reduce import SUM
from tensordsl.ops.math.elementwise import ADD, MUL, NEG, SUB

Term = tuple[bool, Value]  # whether it is subtracted, and what


def sum_products_behind(ctx: Context, v: Value) -> Value | None:
    """acc = acc + dot(a[t], b[t]) in each round is acc + dot(a, b) behind the loop."""
    (node,) = v.operands
    if node.op != FOR:
        return None
    known = known_loops(ctx)
    number = node.attrs["loop"].number
    if number not in known.rounds:
        return None
    if node.number not in known.behind:
        known.behind[node.number] = _sums(ctx, node)
    return known.behind[node.number].get(v.attrs["k"])


def _sums(ctx: Context, node: Value) -> dict[int, Value]:
    """The values of the results of a loop without the sums, by their numbers; none if it has no sums."""
    loop: Loop = node.attrs["loop"]
    known = known_loops(ctx)
    rounds, read = known.rounds[loop.number], known.read.get(loop.number, set())
    found = {k: terms for k in sorted(read) if k < len(loop.carried) and (terms := _terms(ctx, loop, k, read))}
    if not found:
        return {}
    plan = _Plan(ctx, rounds, node, read)
    chosen = [k for k, terms in found.items() if plan.fits(k, terms)]
    if not chosen:
        return {}
    ctx.hit("acc + dot(a[t], b[t]) = acc + dot(a, b)")
    left = read - set(chosen)
    stacked = list(plan.stacked.values())
    made = remake(ctx.graph, rounds, node, left, stacked) if left or stacked else None
    if made is None:
        results, stacks = {}, list[Value]()
    else:
        results, stacks = made.results, made.stacks
        known.behind[made.node.number] = {}
    w = plan.widening(results, stacks)
    for k in chosen:
        results[k] = _behind(ctx, w, loop.carried[k], node.operands[1 + k], found[k])
    return results


# -- which sums there are ----------------------------------------------------------------------------------------------
def _terms(ctx: Context, loop: Loop, k: int, read: set[int]) -> list[Term]:
    """What each round adds to carried value k, if nothing else is done with it."""
    acc, first = loop.carried[k], len(loop.carried)
    if acc.dtype not in _SUMMED:
        return []
    dead = [v for j, v in enumerate(loop.stacked) if first + j not in read]
    uses = ctx.users.get(loop.next[k].number, 1) - sum(v is loop.next[k] for v in dead)
    if uses != 1 or ctx.users.get(acc.number, 1) != 1:
        return []
    terms: list[Term] = []
    stack: list[Term] = [(False, loop.next[k])]
    while stack:
        is_subtracted, u = stack.pop()
        row = u.attrs["row"] if u.op == "map" else None
        is_inner = u is loop.next[k] or ctx.is_sole(u)
        if row in (ADD, SUB) and is_inner and ctx.find(u.shape) == ctx.find(acc.shape) and u is not acc:
            x, y = u.operands
            stack += [(is_subtracted ^ (row is SUB), y), (is_subtracted, x)]
        else:
            terms.append((is_subtracted, u))
    if sum(u is acc for _, u in terms) != 1 or (True, acc) in terms:
        return []
    return [(is_subtracted, u) for is_subtracted, u in terms if u is not acc]


_SUMMED = frozenset(("float32", "float64", *INTEGERS))


@record(eq=False, frozen=False)
class _Plan:
    """What has to be stacked for the sums of one loop; `trial` has other values in place of stacks."""

    ctx: Context
    rounds: Rounds
    node: Value
    read: set[int]
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

    def fits(self, k: int, terms: Sequence[Term]) -> bool:
        """Whether carried value k can be summed behind the loop; enters what has to be stacked for that."""
        before = dict(self.stacked)
        for _, term in terms:
            for factor in _unknown_factors(self.ctx, self.trial(), term):
                self.stacked.setdefault(factor.number, factor)
        w = self.trial()
        init = self.node.operands[1 + k]
        for _, term in terms:
            if _total(self.ctx, w, term) is None or (_is_plain(term) and not _keeps_zero(init)):
                self.stacked = before
                return False
            self.steps |= w.steps.get(term.number, set())
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
        if total is init and is_zero(init) and part.shape == acc.shape:
            total = g.make("map", (part,), acc.dtype, acc.shape, row=NEG, args={}) if is_subtracted else part
        else:
            row = SUB if is_subtracted else ADD
            total = g.make("map", (total, part), acc.dtype, acc.shape, row=row, args={})
    if _keeps_zero(init):
        return w.guarded(total, init)
    return total if w.rounds.always_run else w.if_rounds(total, init)


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
    if found is None or not found[1]:
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
