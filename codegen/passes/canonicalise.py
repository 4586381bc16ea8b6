"""Canonical forms, so that equal values become one: representatives of equal lengths; folded moves, reshapes and casts.

Required in every mode; later passes and the hash-consing of the graph rely on it.
"""

from __future__ import annotations

from collections.abc import Collection

from tensordsl.codegen.passes.context import Context
from tensordsl.codegen.passes.patterns import fit, number_of
from tensordsl.codegen.tensor_ir.construct import CONCATENATE, IFELSE, IN_BOUNDS, INC_SUBTENSOR, RESHAPE, SUBTENSOR
from tensordsl.codegen.tensor_ir.graph import Value
from tensordsl.graph.types import FLOATS, INTEGERS, SIGNED


def settle_leaves(ctx: Context, frozen: Collection[int]) -> None:
    """Give sources, and the values that no pass replaces, the representatives of their lengths, without making new
    values."""
    if not ctx.graph.extents.constraints:
        return
    for v in ctx.graph.values:
        if v.op in ("arg", "shared", "carried") or v.number in frozen:
            v.shape = ctx.find(v.shape)


def canonicalise(ctx: Context, v: Value) -> Value | None:
    """The canonical form of v, whose operands are canonical already."""
    if v.op == "extent":
        return ctx.graph.extent(v.attrs["extent"])
    if not v.operands:
        return None
    shape = ctx.find(v.shape)
    settled = v if shape == v.shape else _with_shape(ctx, v, shape)
    form = _FORMS.get(v.op)
    return (form(ctx, settled) if form is not None else None) or settled


def _with_shape(ctx: Context, v: Value, shape: tuple[object, ...]) -> Value:
    if v.op in ("move", RESHAPE):  # made with the shape found below
        return Value(v.op, v.operands, v.attrs, v.dtype, shape, v.number, v.loops, v.key)  # type: ignore[arg-type]
    return ctx.graph.like(v, v.operands, shape, v.loops)  # type: ignore[arg-type]


def _map(ctx: Context, v: Value) -> Value | None:
    name = v.attrs["row"].name
    if name == "second":
        return fit(ctx.graph, v.operands[1], v)
    if name == "identity":
        return fit(ctx.graph, v.operands[0], v)
    return _cast(ctx, v) if name == "cast" else None


def _cast(ctx: Context, v: Value) -> Value | None:
    """cast(cast(x, t), u) = cast(x, u) if every value of x is one of t, and none is out of range in u alone."""
    (inner,) = v.operands
    if inner.dtype == v.dtype:
        return inner
    if inner.op != "map" or inner.attrs["row"] is not v.attrs["row"]:
        return None
    (x,) = inner.operands
    if not is_exact(x.dtype, inner.dtype):
        return None
    if inner.dtype in FLOATS and v.dtype not in FLOATS and not is_exact(x.dtype, v.dtype):
        return None
    if x.dtype in FLOATS and v.dtype not in FLOATS:
        return None
    return ctx.graph.cast(x, v.dtype)


def is_exact(source: str, target: str) -> bool:
    """Whether every value of dtype `source` is one of dtype `target`."""
    if source == target or source == "bool":
        return True
    if source in FLOATS:
        return target in FLOATS and FLOATS.index(source) < FLOATS.index(target)
    bits = int(source.lstrip("uint"))
    if target in FLOATS:
        return bits <= {"float16": 11, "float32": 24, "float64": 53}[target]
    if target not in INTEGERS:
        return False
    room = int(target.lstrip("uint")) - (target in SIGNED and source not in SIGNED)
    return bits <= room and not (source in SIGNED and target not in SIGNED)


def _move(ctx: Context, v: Value) -> Value | None:
    return ctx.graph.move(v.operands[0], v.attrs["map"], v.shape)


def _reshape(ctx: Context, v: Value) -> Value | None:
    """The reshape of a transpose of axes that stay is the transpose of a reshape, which may be a view."""
    x, g = v.operands[0], ctx.graph
    if x.op == "move" and sorted(a for a in x.attrs["map"] if a is not None) == list(range(x.rank)):
        stay = next((k for k, (m, n) in enumerate(zip(x.shape[::-1], v.shape[::-1], strict=False)) if m != n), 0)
        before, first = x.rank - stay, v.rank - stay
        if stay and x.attrs["map"][:before] == tuple(range(before)):
            y = x.operands[0]
            behind = (
                a if a is None else a - before + first for a in x.attrs["map"][before:]
            )  # None: an axis of length 1 that is dropped
            place = [*range(first), *behind]
            return g.move(g.reshape(y, (*v.shape[:first], *y.shape[before:])), place, v.shape)
    return g.reshape(x, v.shape)


def _subtensor(ctx: Context, v: Value) -> Value | None:
    """A slice of everything is the operand; a slice of axes of length 1 only drops axes."""
    return sliced(ctx, v.operands[0], v.attrs["bounds"], v.operands[1:], v.shape, v.attrs["checks"])


def sliced(
    ctx: Context, x: Value, bounds: tuple[tuple[object, ...], ...], ints: tuple[Value, ...], shape: object,
    checks: tuple[object, ...] = (),
) -> Value:  # fmt: skip
    """x[bounds], without a slice where no element is left out; an element of a stack is what was stacked."""
    find = ctx.graph.extents.find
    settled = tuple((find(a), find(n), find(s), keeps) for a, n, s, keeps in bounds)  # type: ignore[arg-type]
    if x.op == CONCATENATE:
        d = x.attrs["axis"]
        start, length, _, keeps = settled[d]
        if length == 1 and isinstance(start, int) and all(find(o.shape[d]) == 1 for o in x.operands):
            ctx.hit("stack([x, y])[1] = y")
            x, settled = x.operands[start], (*settled[:d], (0, 1, 1, keeps), *settled[d + 1 :])
    if all(b[:3] == (0, n, 1) for b, n in zip(settled, ctx.find(x.shape), strict=True)):
        kept = iter(range(x.rank))
        place = [next(kept) if b[3] else None for b in settled]
        return ctx.graph.move(x, place, shape)  # type: ignore[arg-type]
    return ctx.graph.make(SUBTENSOR, (x, *ints), x.dtype, shape, bounds=settled, checks=checks)  # type: ignore[arg-type]


def _bounded(ctx: Context, v: Value) -> Value | None:
    """v with bounds by the representatives of their lengths."""
    find = ctx.graph.extents.find
    bounds = tuple((find(a), find(n), find(s), keeps) for a, n, s, keeps in v.attrs["bounds"])
    if bounds == v.attrs["bounds"]:
        return None
    attrs = {**v.attrs, "bounds": bounds}
    return ctx.graph.make(v.op, v.operands, v.dtype, v.shape, loops=v.loops, **attrs)


def _result(ctx: Context, v: Value) -> Value | None:
    """The result of a branch whose condition is known."""
    (branch,) = v.operands
    if branch.op != IFELSE:
        return None
    condition = number_of(branch.operands[0])
    if condition is None:
        return None
    half = (len(branch.operands) - 1) // 2
    return fit(ctx.graph, branch.operands[1 + v.attrs["k"] + (0 if condition else half)], v)


_FORMS = {
    "map": _map,
    "move": _move,
    RESHAPE: _reshape,
    SUBTENSOR: _subtensor,
    "result": _result,
    INC_SUBTENSOR: _bounded,
    IN_BOUNDS: _bounded,
}
