"""Reductions of reductions become one."""

from __future__ import annotations

from tensordsl.codegen.ir import Value
from tensordsl.codegen.passes.context import Context
from tensordsl.types import FLOATS

MONOIDS = frozenset(("sum", "prod", "max", "min", "any", "all"))


def merge_reductions(ctx: Context, v: Value) -> Value | None:
    """reduce(reduce(x)) = reduce(x) over the axes of both, through transposes and kept axes of length 1.

    The grouping of a float sum is never specified; a rounding to float32 between two sums in float64 is left out.
    """
    if v.op != "reduce" or v.attrs["reducer"].name not in MONOIDS:
        return None
    (outer,) = v.operands
    inner, place = _source(outer)
    if inner.op != "reduce" or inner.attrs["reducer"] is not v.attrs["reducer"] or inner.dtype != outer.dtype:
        return None
    if not ctx.is_sole(inner) or inner.attrs["with_index"]:
        return None
    reduced = v.attrs["axes"]
    if any(d not in place and outer.shape[d] != 1 for d in range(outer.rank)):
        return None  # a broadcast between the two repeats what the first one gives
    if len({a for a in place if a is not None}) < sum(a is not None for a in place):
        return None
    (x,) = inner.operands
    left = iter(place)
    position = [None if d in inner.attrs["axes"] else next(left) for d in range(x.rank)]
    axes = tuple(d for d, a in enumerate(position) if a is None or a in reduced)
    whole = ctx.graph.make(
        "reduce", (x,), v.dtype, tuple(n for d, n in enumerate(x.shape) if d not in axes), **{**v.attrs, "axes": axes}
    )
    kept = [d for d in range(outer.rank) if d not in reduced]
    ctx.hit(f"{v.attrs['reducer'].name}({v.attrs['reducer'].name}(x)) = {v.attrs['reducer'].name}(x)")
    return ctx.graph.move(whole, [kept.index(a) for a in position if a is not None and a not in reduced], v.shape)


def _source(v: Value) -> tuple[Value, list[int | None]]:
    """(what v shows behind moves and float casts, axis of it -> axis of v)."""
    place: list[int | None] = list(range(v.rank))
    while True:
        if v.op == "move":
            place = [None if a is None else place[a] for a in v.attrs["map"]]
        elif not (v.op == "map" and v.attrs["row"].name == "cast" and {v.dtype, v.operands[0].dtype} <= set(FLOATS)):
            return v, place
        v = v.operands[0]
