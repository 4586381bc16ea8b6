"""Overlap-add: additions to overlapping slices, as in gradients of stencils, become a sum of slices of a padded value.

    zeros[2:] += y, then zeros[:-2] -= y    is    w[:-2] - w[2:]    with w = concatenate([0, 0, y, 0, 0])

Each element is then computed and stored once, where the additions would read and write the tensor once each.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from math import isfinite

from tensordsl.base.records import record
from tensordsl.codegen.passes.canonicalise import sliced
from tensordsl.codegen.passes.context import Context
from tensordsl.codegen.passes.patterns import is_zero, number_of
from tensordsl.codegen.passes.sink_slices import Bounds
from tensordsl.codegen.tensor_ir import extents as ex
from tensordsl.codegen.tensor_ir.construct import INC_SUBTENSOR
from tensordsl.codegen.tensor_ir.graph import Value
from tensordsl.graph.types import FLOATS
from tensordsl.ops.math.comparisons import AND, GE, LT
from tensordsl.ops.math.elementwise import ADD, MUL, NEG, SUB, SWITCH


@record
class Write:
    """What is added, to which slice; or, if there are `multiples`, of these what is added to `around`: 0, and in the
    slice 0 + value."""

    value: Value
    bounds: Bounds
    around: Bounds
    multiples: tuple[Value, ...] | None = None


def sum_around(ctx: Context, v: Value) -> Value | None:
    """The sum, in the order of the additions, where several of them add one value, its negative or multiples."""
    x = v.operands[0]
    base, before = ctx.added.get(x.number, (x, ())) if ctx.is_sole(x) else (x, ())
    write = _write(ctx, v, base)
    if not _adds(ctx, v, write):
        return None
    if (
        not (is_zero(base) or base.op == "map")
        or base.loops != v.loops
        or len(before) >= ctx.tuning.disjoint_max_slices
    ):
        return None
    writes: tuple[Write, ...] = (*before, write)
    ctx.added[v.number] = base, writes
    leaves = _Leaves(ctx, [w.value for w in writes]).found
    if len(leaves) >= len(writes):
        return None
    ctx.hit("zeros[2:] += y, then zeros[:-2] += y: w[:-2] + w[2:], w = (0, 0, y, 0, 0)")
    total = _sum(ctx, v, base, writes, leaves)
    ctx.added[total.number] = base, writes
    return total


def _write(ctx: Context, v: Value, base: Value) -> Write:
    """The value added without the zeros around it.  If the sum begins with zeros, their sign does not matter."""
    y, around = v.operands[1], v.attrs["bounds"]
    bounds, inner = around, _inner(ctx, y, around)
    if inner and not is_zero(base):
        return Write(*inner[:2], around, inner[2])
    while inner:
        y, bounds = _multiplied(ctx, inner[0], inner[2]), inner[1]
        inner = _inner(ctx, y, bounds)
    return Write(y, bounds, bounds)


def _inner(ctx: Context, y: Value, bounds: Bounds) -> tuple[Value, Bounds, tuple[Value, ...]] | None:
    """The value among zeros in y, its slice if y is added to the slice `bounds`, and the multiples of it up to y."""
    multiples = list[Value]()
    while len(summands := _summands(ctx, y)) == 1:
        multiples.append(y)
        (y,) = summands
    if y.op != INC_SUBTENSOR or len(y.operands) > 2 or y.attrs["checks"] or y.attrs["set"]:
        return None
    (zeros, inner), inner_bounds = y.operands, y.attrs["bounds"]
    is_complete = ctx.find(inner.shape) == ctx.find([b[1] for b in inner_bounds])
    if not is_zero(zeros) or not is_complete or any(b[2:] != (1, True) for b in (*inner_bounds, *bounds)):
        return None
    composed = tuple((ex.add(b[0], c[0]), *c[1:]) for b, c in zip(bounds, inner_bounds, strict=True))
    return inner, composed, tuple(multiples)


def _multiplied(ctx: Context, y: Value, multiples: Sequence[Value]) -> Value:
    for u in reversed(multiples):
        y = ctx.graph.map(u.attrs["row"], *(y if number_of(o) is None else _number(o) for o in u.operands))
    return y


def _adds(ctx: Context, v: Value, write: Write) -> bool:
    """Whether something computed for each element is added to nearly all of a tensor, whatever its lengths are."""
    y, bounds, n = write.value, write.bounds, v.shape
    if v.attrs["set"] or v.attrs["checks"] or v.dtype not in FLOATS:
        return False
    if ex.named(k for b in bounds for k in b[:3]):
        return False
    if y.op != "map" or y.loops != v.loops or ctx.graph.extents.assumed or any(b[2:] != (1, True) for b in bounds):
        return False
    return ctx.find(y.shape) == ctx.find([b[1] for b in bounds]) and all(
        map(partial(_is_nearly_all, ctx.tuning.overlap_max_margin_elements), y.shape, n)
    )


def _is_nearly_all(margin: int, length: ex.Length, n: ex.Length) -> bool:
    if isinstance(length, int) and isinstance(n, int):
        return n - length <= min(margin, length - 1)
    rest = ex.sub(n, length)
    return rest == 0 or ex.minimum(rest, margin) == rest


def _summands(ctx: Context, y: Value) -> tuple[Value, ...]:
    """The values that y is a sum, a difference or a multiple of, elementwise, so that it is 0 where they are."""
    row = y.attrs.get("row")
    if y.op != "map" or row not in (ADD, SUB, NEG, MUL):
        return ()
    summands = y.operands
    if row is MUL:
        summands = tuple(o for o in summands if number_of(o) is None or not isfinite(number_of(o)))
        if len(summands) != 1:
            return ()
    return summands if all(o.dtype == y.dtype and ctx.find(o.shape) == ctx.find(y.shape) for o in summands) else ()


class _Leaves:
    """A basis: values of which all terms are sums and multiples; one for all multiples of a value, none for a sum of
    others. `found`: their numbers; `summands`, `users`: between them and the terms."""

    def __init__(self, ctx: Context, terms: Sequence[Value]) -> None:
        self._ctx, self._terms = ctx, {y.number for y in terms}
        self._users: dict[int, set[int]] = {}
        self._summands: dict[int, set[int]] = {}
        cores = {y.number: y for y in map(self._core, terms)}
        self.found = set(cores)
        for number, y in sorted(cores.items(), reverse=True):
            self._expand(y, self.found - {number})
        while user := self._replaceable():
            self.found = self.found - self._summands[user] | {user}

    def _core(self, y: Value) -> Value:
        """The value that y is a multiple of."""
        while len(summands := _summands(self._ctx, y)) == 1:
            self._note(y, summands)
            (y,) = summands
        return y

    def _note(self, y: Value, summands: Sequence[Value]) -> None:
        self._summands[y.number] = {o.number for o in summands}
        for o in summands:
            self._users.setdefault(o.number, set()).add(y.number)

    def _expand(self, y: Value, others: set[int]) -> None:
        """Remove y from the basis where it is a sum of multiples of others."""
        sums: dict[int, tuple[Value, ...]] = {}
        stack = [y]
        while stack:
            u = stack.pop()
            if u.number in others or u.number in sums:
                continue
            sums[u.number] = _summands(self._ctx, u)
            if not sums[u.number] or len(sums) > self._ctx.tuning.overlap_max_terms:
                return
            stack += sums[u.number]
        self.found.discard(y.number)
        for number, summands in sums.items():
            self._note(self._ctx.graph.values[number], summands)

    def _replaceable(self) -> int | None:
        """A value that can replace the leaves it is computed from, as nothing else uses these."""
        for u in sorted({u for n in self.found for u in self._users.get(n, ())}):
            summands = self._summands[u]
            if summands <= self.found and all(self._users[n] == {u} and n not in self._terms for n in summands):
                return u
        return None


def _sum(ctx: Context, v: Value, base: Value, writes: tuple[Write, ...], leaves: set[int]) -> Value:
    """Elements outside of all slices stay as they are: -0 + 0 would be 0."""
    g = ctx.graph
    zero = g.const(0.0, v.dtype)
    total = g.broadcast_to(zero, v.shape) if is_zero(base) else base  # 0 + -0 is 0
    for w in writes:
        value = _shifted(ctx, w.value, w.bounds, v, leaves)
        if w.multiples is not None:
            value = g.map(SWITCH, _is_inside(ctx, w.bounds, v), g.map(ADD, value, zero), zero)
            value = _multiplied(ctx, value, w.multiples)
        more = g.map(ADD, total, value)
        total = more if is_zero(base) else g.map(SWITCH, _is_inside(ctx, w.around, v), more, total)
    return total


def _is_inside(ctx: Context, bounds: Bounds, v: Value) -> Value:
    """Whether a point is in the slice."""
    g = ctx.graph
    inside = g.const(True)
    for d, ((start, length, *_), n) in enumerate(zip(bounds, v.shape, strict=True)):
        index = g.move(g.iota(n), [d], [n if k == d else 1 for k in range(v.rank)])
        if start != 0:
            inside = g.map(AND, inside, g.map(GE, index, g.extent(start)))
        if ex.add(start, length) != n:
            inside = g.map(AND, inside, g.map(LT, index, g.extent(ex.add(start, length))))
    return inside


def _shifted(ctx: Context, y: Value, bounds: Bounds, v: Value, leaves: set[int]) -> Value:
    """y at its position in a tensor of v's shape, zeros elsewhere; by an explicit stack."""
    done: dict[int, Value] = {}
    stack = [y]
    while stack:
        u = stack[-1]
        summands = () if u.number in leaves else _summands(ctx, u)
        missing = [o for o in summands if o.number not in done]
        if missing:
            stack += missing
            continue
        stack.pop()
        if u.number in leaves:
            done[u.number] = _leaf(ctx, u, bounds, v)
        else:
            constants = [o if o.number not in done else done[o.number] for o in map(_number, u.operands)]
            done[u.number] = ctx.graph.map(u.attrs["row"], *constants)
    return done[y.number]


def _number(o: Value) -> Value:
    """The number itself, without its broadcasts."""
    while o.op == "move" and number_of(o) is not None:
        (o,) = o.operands
    return o


def _leaf(ctx: Context, y: Value, bounds: Bounds, v: Value) -> Value:
    g = ctx.graph
    left = [ex.sub(n, m) for n, m in zip(v.shape, y.shape, strict=True)]
    wide = tuple(ex.add(n, k) for n, k in zip(v.shape, left, strict=True))
    middle = tuple((k, m, 1, True) for k, m in zip(left, y.shape, strict=True))
    zeros = g.broadcast_to(g.const(0.0, v.dtype), wide)
    w = g.make(INC_SUBTENSOR, (zeros, y), v.dtype, wide, loops=v.loops, bounds=middle, checks=(), set=True)
    at = tuple((ex.sub(k, b[0]), n, 1, True) for k, b, n in zip(left, bounds, v.shape, strict=True))
    return sliced(ctx, w, at, (), v.shape)
