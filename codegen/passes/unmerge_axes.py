"""Delayed merging of axes: repetition and joins followed by a reshape keep separate axes while more is computed.

f(merge(x)) = merge(f(x)), as in upsampling: values between the first operand and the result are then not stored.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from tensordsl.base.records import record
from tensordsl.codegen.passes.canonicalise import sliced
from tensordsl.codegen.passes.context import Context
from tensordsl.codegen.passes.sink_slices import push
from tensordsl.codegen.tensor_ir import extents as ex
from tensordsl.codegen.tensor_ir.construct import CONCATENATE, RESHAPE, SUBTENSOR
from tensordsl.codegen.tensor_ir.extents import Length
from tensordsl.codegen.tensor_ir.graph import Value
from tensordsl.graph.types import FLOATS
from tensordsl.ops.math.elementwise import ADD

RAISED = frozenset(("map", "move", "reduce", "take", CONCATENATE, SUBTENSOR, RESHAPE))
Shape = tuple[Length, ...]
Factors = tuple[Shape, ...]  # for each axis the lengths of the axes that it is made of


@record
class Merge:
    """A reshape of `source`, of which some adjacent axes become one."""

    source: Value
    factors: Factors

    def first(self, axis: int) -> int:
        """Where the axis begins in `source`."""
        return sum(map(len, self.factors[:axis]))


def raise_merges(ctx: Context, v: Value) -> Value | None:
    """f(merge(x)) = merge(f(x)) for rows, moves, joins, slices and short reductions, where merge is a reshape that
    merges axes of which one is repeated, or joined along a short one; stack([x, x]) is x repeated.

    Where another operand's axes cannot be factored alike, the result is computed from the merged operands.
    """
    if not (v.traits.stores_operands or v.op in RAISED):
        return None
    if ctx.graph.extents.assumed or not _may_merge(ctx):
        return None  # lengths that are assumed to be equal may differ at run time
    if v.op == RESHAPE and v.operands[0].op == RESHAPE:
        return ctx.graph.reshape(v.operands[0], v.shape)
    repeated = _repeated(ctx, v)
    if repeated is not None:
        return repeated
    if v.op in _BELOW and (below := _BELOW[v.op](ctx, v)) is not None:
        return below
    merges = [_merge(ctx, o) for o in v.operands]
    if v.op == RESHAPE or not any(merges):
        return None
    source = _RULES[v.op](ctx, v, merges) if v.op in _RULES else None
    if source is None:
        return _lowered(ctx, v)
    ctx.hit("f(merge(x)) = merge(f(x))")
    raised = ctx.graph.reshape(source, v.shape)
    ctx.unmerged.update((source.number, _base(source).number))
    ctx.merged.setdefault(raised.number, _lowered(ctx, v) or v)
    return raised


def _may_merge(ctx: Context) -> bool:
    if ctx.merges is None:
        ctx.merges = any(v.op in (RESHAPE, CONCATENATE) for v in ctx.order)
    return ctx.merges


def _lowered(ctx: Context, v: Value) -> Value | None:
    """v of the operands as they were before merges were raised: of transposes, which are views, and of values without
    other users where that need not be stored."""
    operands = []
    for o in v.operands:
        w = ctx.merged.get(o.number, o)
        operands.append(w if w.op == "move" or (ctx.is_sole(o) and not v.traits.stores_operands) else o)
    return ctx.graph.like(v, operands) if operands != [*v.operands] else None


def _repeated(ctx: Context, v: Value) -> Value | None:
    """stack([x, x]): x, repeated along the new axis."""
    if v.op != CONCATENATE or len(set(v.operands)) > 1 or v.operands[0].shape[v.attrs["axis"]] != 1:
        return None
    ctx.hit("stack([x, x]) = repeated x")
    return ctx.graph.broadcast_to(v.operands[0], v.shape)


def _merge(ctx: Context, v: Value) -> Merge | None:
    """v as such a reshape, or None."""
    if v.op != RESHAPE:
        return None
    (x,) = v.operands
    factors = _factor_axes(ctx.find(x.shape), ctx.find(v.shape))
    if factors is None or not (x.number in ctx.unmerged or _is_interleaved(x, factors)):
        return None
    return Merge(x, factors)


def _factor_axes(lengths: Shape, shape: Shape) -> Factors | None:
    """For each length of the shape, the lengths whose product it is; None if there are none."""
    factors, at = [], 0
    for n in shape:
        start, length = at, lengths[at] if at < len(lengths) else None
        at += 1
        while length != n and at < len(lengths):
            assert length is not None
            length, at = ex.mul(length, lengths[at]), at + 1
        if length != n:
            return None
        factors.append(lengths[start:at])
    return tuple(factors) if at == len(lengths) else None


def _is_interleaved(x: Value, factors: Factors) -> bool:
    """Whether x is joined or repeated along a short axis that is merged."""
    merged = [len(factor) > 1 for factor in factors for _ in factor]
    if x.op == CONCATENATE:
        axis = x.attrs["axis"]
        return merged[axis] and all(o.shape[axis] == 1 for o in x.operands)
    if x.op != "move":
        return False
    new = {a for a in range(x.rank) if a not in x.attrs["map"]}
    return any(merged[a] and isinstance(x.shape[a], int) and x.shape[a] != 1 for a in new)


# -- rules by op -------------------------------------------------------------------------------------------------------
Merges = Sequence[Merge | None]


def _map(ctx: Context, v: Value, merges: Merges) -> Value | None:
    factors = _common(v, merges)
    operands = [_unmerged(ctx, o, m, factors) for o, m in zip(v.operands, merges, strict=True)]
    known = [o for o in operands if o is not None]
    if len(known) < len(operands):
        return None
    shape = sum(factors, ())
    fewer = tuple(1 if _is_repeated(known, d - len(shape)) else n for d, n in enumerate(shape))
    known = [_without(ctx, o, fewer[len(shape) - o.rank :]) for o in known]
    return ctx.graph.broadcast_to(ctx.graph.make("map", known, v.dtype, fewer, **v.attrs), shape)


def _is_repeated(operands: Sequence[Value], axis: int) -> bool:
    """Whether all are the same along an axis, which counts from the last one."""
    return all(o.rank < -axis or o.shape[axis] == 1 or _is_free(o, o.rank + axis) for o in operands)


def _is_free(o: Value, axis: int) -> bool:
    return o.op == "move" and axis not in o.attrs["map"]


def _without(ctx: Context, o: Value, shape: Shape) -> Value:
    """The operand without repetition along axes that have length 1 in the shape."""
    present = tuple(1 if wanted == 1 else n for n, wanted in zip(o.shape, shape, strict=True))
    return o if present == o.shape else ctx.graph.move(o.operands[0], o.attrs["map"], present)


def _common(v: Value, merges: Merges) -> Factors:
    """The factors of v's axes, by the first operand that has any."""
    factors: list[Shape] = [(n,) for n in v.shape]
    for m in merges:
        lead = v.rank - len(m.factors) if m else 0
        for d, factor in enumerate(m.factors if m else ()):
            if len(factors[lead + d]) == 1 and len(factor) > 1:
                factors[lead + d] = factor
    return tuple(factors)


def _unmerged(ctx: Context, o: Value, m: Merge | None, factors: Factors) -> Value | None:
    """An operand, whose axes are aligned from the right, with its axes in these factors; None if they differ."""
    present = [(n,) for n in o.shape] if m is None else m.factors
    factors = factors[len(factors) - o.rank :]
    if m is None and o.op == "move":
        return _unmerged_repeat(ctx, o, factors)
    shape: list[Length] = []
    for n, factor, wanted in zip(o.shape, present, factors, strict=True):
        if n != 1 and len(wanted) > 1 and factor != wanted:
            return None
        shape += (1,) * len(wanted) if n == 1 else factor
    return ctx.graph.reshape(o if m is None else m.source, shape)


def _unmerged_repeat(ctx: Context, o: Value, factors: Factors) -> Value | None:
    """The same of a move, which may be repeated along factored axes."""
    to, shape = o.attrs["map"], list[Length]()
    place: dict[int, int] = {}
    for a, (n, wanted) in enumerate(zip(o.shape, factors, strict=True)):
        if a in to and n != 1 and len(wanted) > 1:
            return None
        place[a] = len(shape)
        shape += (1,) * len(wanted) if n == 1 else wanted if a not in to else (n,)
    return ctx.graph.move(o.operands[0], [None if a is None else place[a] for a in to], shape)


def _move(ctx: Context, v: Value, merges: Merges) -> Value | None:
    (m,), to = merges, v.attrs["map"]
    assert m is not None
    kept = [a for a in to if a is not None]
    if len(set(kept)) < len(kept):
        return None
    factors: list[Shape] = [(n,) for n in v.shape]
    for a, factor in zip(to, m.factors, strict=True):
        if a is not None:
            factors[a] = factor
    new = Merge(v, tuple(factors))
    place: list[int | None] = []
    for a, factor in zip(to, m.factors, strict=True):
        place += [None if a is None else new.first(a) + k for k in range(len(factor))]
    shape = sum(factors, ())
    if ctx.is_sole(v.operands[0]) and ctx.is_sole(m.source) and m.source.op == CONCATENATE:
        return _join_of_moves(ctx, m.source, place, shape)
    return ctx.graph.move(m.source, place, shape)


def _join_of_moves(ctx: Context, join: Value, place: Sequence[int | None], shape: Shape) -> Value:
    """The moved join; where its operands then have their memory order, as a join of moved operands, which are computed
    at their new positions."""
    axis = place[join.attrs["axis"]]
    orders = [[place[a] for a in _memory_order(o)] for o in join.operands]
    in_order = all(sorted(a for a in order if a is not None) == order for order in orders)
    if axis is None or set(place) != set(range(len(shape))) or not in_order:
        return ctx.graph.move(join, place, shape)
    moved = []
    for o in join.operands:
        lengths = (*shape[:axis], o.shape[join.attrs["axis"]], *shape[axis + 1 :])
        moved.append(ctx.graph.move(o, place, lengths))
    return ctx.graph.make(CONCATENATE, moved, join.dtype, shape, axis=axis)


def _memory_order(x: Value) -> list[int]:
    """The axes of x as those of the first thing that it is computed from are in memory; without those of length 1."""
    axes: dict[int, int] = {d: d for d, n in enumerate(x.shape) if n != 1}  # of the current value -> of x
    while True:
        if x.op == "map":
            lead, x = x.rank, max(x.operands, key=lambda o: o.rank)
            axes = {d - lead + x.rank: a for d, a in axes.items()}
        elif x.op == "move":
            to, (x,) = x.attrs["map"], x.operands
            axes = {d: axes[a] for d, a in enumerate(to) if a in axes}
        elif x.op == SUBTENSOR:
            kept = [d for d, b in enumerate(x.attrs["bounds"]) if b[3]]
            axes, x = {kept[d]: a for d, a in axes.items()}, x.operands[0]
        else:
            return [axes[d] for d in sorted(axes)]


def _concatenate(ctx: Context, v: Value, merges: Merges) -> Value | None:
    axis, factors = v.attrs["axis"], _common(v, merges)
    operands = [_unmerged(ctx, o, m, factors) for o, m in zip(v.operands, merges, strict=True)]
    known = [o for o in operands if o is not None]
    if len(known) < len(operands) or len(factors[axis]) > 1:
        return None
    return ctx.graph.make(CONCATENATE, known, v.dtype, sum(factors, ()), axis=Merge(v, factors).first(axis))


def _reduce(ctx: Context, v: Value, merges: Merges) -> Value | None:
    axes, m = v.attrs["axes"], merges[0]
    if m is None or any(other is None or other.factors != m.factors for other in merges):
        return None
    lengths = [m.factors[a] for a in axes]
    most = ctx.tuning.unmerge_max_axis_elements
    if not all(len(factor) == 1 and isinstance(factor[0], int) and factor[0] <= most for factor in lengths):
        return None
    shape = sum((factor for d, factor in enumerate(m.factors) if d not in axes), ())
    operands = [other.source for other in merges if other]
    attrs = {**v.attrs, "axes": tuple(m.first(a) for a in axes)}
    new = ctx.graph.make("reduce", operands, v.dtype, shape, **attrs)
    return _of_one(ctx, new) or new


def _of_one(ctx: Context, v: Value) -> Value | None:
    """The sum of one element of an unmerged value; it begins with 0, which matters if the element is -0."""
    (x, *_), axes = v.operands, v.attrs["axes"]
    if v.attrs["reducer"].name != "sum" or x.dtype != v.dtype or any(x.shape[a] != 1 for a in axes):
        return None
    if _base(x).number not in ctx.unmerged or v.dtype not in FLOATS:
        return None
    kept = iter(range(v.rank))
    one = ctx.graph.move(x, [None if a in axes else next(kept) for a in range(x.rank)], v.shape)
    total = ctx.graph.map(ADD, one, ctx.graph.const(0.0, v.dtype))
    ctx.unmerged.add(total.number)
    return total


def _subtensor(ctx: Context, v: Value, merges: Merges) -> Value | None:
    m, bounds = merges[0], list[tuple[Length, Length, Length, bool]]()
    if m is None or v.attrs["checks"]:
        return None
    for factor, bound in zip(m.factors, v.attrs["bounds"], strict=True):
        if len(factor) == 1:
            bounds.append(bound)
        elif bound[3] and bound[:3] == (0, ex.product(factor), 1):
            bounds += [(0, n, 1, True) for n in factor]
        else:
            return None
    new = sliced(ctx, m.source, tuple(bounds), v.operands[1:], tuple(b[1] for b in bounds if b[3]))
    return (_of_place(ctx, new) if new.op == SUBTENSOR else None) or new


def _of_place(ctx: Context, v: Value) -> Value | None:
    """One position along a short axis of an unmerged value, where there are no more users than positions."""
    (x, *ints), bounds = v.operands, v.attrs["bounds"]
    places = [n for n, b in zip(x.shape, bounds, strict=True) if b[1] == 1 and isinstance(n, int)]
    base, most = _base(x), max(places, default=0)
    if base.op != "map" or base.number not in ctx.unmerged or v.attrs["checks"]:
        return None
    if max(ctx.users.get(x.number, 1), ctx.users.get(base.number, 1)) > most:
        return None
    place = push(ctx, x, bounds, tuple(ints))
    ctx.unmerged.add(_base(place).number)
    return place


def _base(x: Value) -> Value:
    while x.op == "move":
        (x,) = x.operands
    return x


_RULES: dict[str, Callable[[Context, Value, Merges], Value | None]] = {
    "map": _map, "move": _move, CONCATENATE: _concatenate, "reduce": _reduce, SUBTENSOR: _subtensor,
}  # fmt: skip
# Rules for users of an unmerged value.
_BELOW: dict[str, Callable[[Context, Value], Value | None]] = {SUBTENSOR: _of_place, "reduce": _of_one}
