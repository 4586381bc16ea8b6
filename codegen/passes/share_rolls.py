"""Shared padding for rolls: rolls by one in both directions become slices of one copy with a border.

    roll(x, 1) = w[:n] and roll(x, -1) = w[2:]    with w = concatenate([x[-1:], x, x[:1]])

As in stencils with periodic boundaries: one copy serves all directions, where each roll would be one.
"""

from __future__ import annotations

from tensordsl.codegen.passes.canonicalise import sliced
from tensordsl.codegen.passes.context import Context
from tensordsl.codegen.passes.sink_slices import Bounds
from tensordsl.codegen.tensor_ir import extents as ex
from tensordsl.codegen.tensor_ir.construct import CONCATENATE, SUBTENSOR
from tensordsl.codegen.tensor_ir.extents import Length
from tensordsl.codegen.tensor_ir.graph import Value

Roll = tuple[int, int, Bounds]  # its axis, by how many positions, and the bounds of its operand


def share_rolls(ctx: Context, v: Value) -> Value | None:
    """roll(x, 1) = w[:n] and roll(x, -1) = w[2:], where w = concatenate([x[-1:], x, x[:1]]).

    If x is itself a slice of such a w along another axis, w is rolled: one copy for all directions.
    """
    found = roll_of(ctx, v)
    if found is None:
        return None
    axis, places, bounds = found
    if ctx.rolls is None:
        ctx.rolls = {r for r in (roll_of(ctx, w) for w in ctx.order if w.op == CONCATENATE) if r}
    if (axis, -places, bounds) not in ctx.rolls:
        return None
    ctx.hit("roll(x, 1) = concatenate([x[-1:], x, x[:1]])[:n]")
    (x,), n = v.operands[0].operands, v.shape[axis]
    x, bounds = _wider(ctx, x, bounds, axis)
    start, least, less = bounds[axis][0], ex.minimum(1, n), ex.maximum(0, ex.sub(n, 1))
    ends = (ex.add(start, less), ex.sub(n, less)), (start, n), (start, least)
    every = tuple((0, m, 1, True) for m in x.shape)
    parts = [_at(ctx, x, every, axis, *end) for end in ends]
    around = ex.total(part.shape[axis] for part in parts)
    shape = (*x.shape[:axis], around, *x.shape[axis + 1 :])
    whole = ctx.graph.make(CONCATENATE, parts, v.dtype, shape, axis=axis)
    ctx.wholes.setdefault(x.number, (whole, _moved(every, axis, parts[0].shape[axis], n)))
    return _at(ctx, whole, bounds, axis, 0 if places > 0 else ex.sub(around, n), n)


def _wider(ctx: Context, x: Value, bounds: Bounds, axis: int) -> tuple[Value, Bounds]:
    """A copy that is padded along another axis, of which x is a slice, and the bounds of x[bounds] in it."""
    if x.op == SUBTENSOR:
        (whole, *_), own = x.operands, x.attrs["bounds"]
        made = any(w is whole for w, _ in ctx.wholes.values())
    else:
        whole, own = ctx.wholes.get(x.number, (x, ()))
        made = whole is not x
    if not made or own[axis][:2] != (0, whole.shape[axis]):
        return x, bounds
    return whole, tuple((ex.add(a, b), n, 1, True) for (a, *_), (b, n, *_) in zip(own, bounds, strict=True))


def roll_of(ctx: Context, v: Value) -> Roll | None:
    """The roll that v is, or None."""
    if len({o.operands for o in v.operands}) != 1 or len(v.operands) != 2 or not all(map(_is_slice, v.operands)):
        return None
    find, axis = ctx.graph.extents.find, v.attrs["axis"]
    last, first = (o.attrs["bounds"] for o in v.operands)
    n, (start, length, *_), (at, rest, *_) = v.shape[axis], first[axis], last[axis]
    is_one_slice = find(at) == find(ex.add(start, length)) and find(ex.add(length, rest)) == find(n)
    if not is_one_slice or any(a != b for d, (a, b) in enumerate(zip(first, last, strict=True)) if d != axis):
        return None
    bounds = _moved(first, axis, start, n)
    for places, wanted in ((1, ex.maximum(0, ex.sub(n, 1))), (-1, ex.minimum(1, n))):
        if find(length) == find(wanted):
            return axis, places, bounds
    return None


def _is_slice(v: Value) -> bool:
    """Whether v is a slice of adjacent elements that keeps all axes, at bounds that are known already."""
    is_known = v.op == SUBTENSOR and len(v.operands) == 1 and not v.attrs["checks"]
    return is_known and all(bound[2:] == (1, True) for bound in v.attrs["bounds"])


def _at(ctx: Context, x: Value, bounds: Bounds, axis: int, start: Length, length: Length) -> Value:
    """x[bounds] with another start and length along an axis."""
    own = _moved(bounds, axis, start, length)
    return sliced(ctx, x, own, (), tuple(b[1] for b in own))


def _moved(bounds: Bounds, axis: int, start: Length, length: Length) -> Bounds:
    return (*bounds[:axis], (start, length, 1, True), *bounds[axis + 1 :])
