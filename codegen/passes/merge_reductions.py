"""Merging of reductions: reductions of reductions, sums of sums, and total reductions along with those of rows.

So that one loop nest computes what would be several, or none is needed; each rule says how rounding changes.
"""

from __future__ import annotations

import math
from functools import partial, reduce

from tensordsl.codegen.passes.context import Context
from tensordsl.codegen.scalar_ir.builder import ITEMSIZE
from tensordsl.codegen.tensor_ir.construct import CONCATENATE
from tensordsl.codegen.tensor_ir.graph import Value, dependencies
from tensordsl.graph.types import FLOATS
from tensordsl.ops.math.elementwise import ADD, MUL
from tensordsl.ops.table import OPS

MONOIDS = frozenset(("sum", "prod", "max", "min", "any", "all"))
SUMMED = ("float32", "float64", "int64")
EXACT_MONOIDS = frozenset(("max", "min", "any", "all"))  # and sums of three dtypes

OF_TWO = {name: OPS[row] for name, row in dict(sum="add", max="maximum", min="minimum", any="or_", all="and_").items()}


def sum_repeated(ctx: Context, v: Value) -> Value | None:
    """sum(x) = n x over axes along which x is one number, such as ones and the gradient of a mean.

    The product is rounded once, the sum may be at each of its steps.  Where n may be 0, x is a positive constant: 0 inf
    is NaN, and 0 times a negative number is -0."""
    if not _is_sum(v):
        return None
    (x,), axes = v.operands, v.attrs["axes"]
    if x.op != "move" or x.dtype != v.dtype or v.dtype not in SUMMED:
        return None
    (y,) = x.operands
    repeated = [d for d in axes if d not in x.attrs["map"] and x.shape[d] != 1]
    lengths = ctx.find([x.shape[d] for d in repeated])
    is_positive = y.op == "const" and not y.rank and 0 < y.attrs["data"] < math.inf
    if not repeated or not (is_positive or all(isinstance(n, int) and n > 0 for n in lengths)):
        return None
    left = [d for d in range(x.rank) if d not in repeated]
    once = ctx.graph.move(y, [None if a is None else left.index(a) for a in x.attrs["map"]], [x.shape[d] for d in left])
    if len(repeated) < len(axes):
        inner = tuple(left.index(d) for d in axes if d in left)
        once = ctx.graph.make("reduce", (once,), v.dtype, v.shape, **{**v.attrs, "axes": inner})
    count = reduce(partial(ctx.graph.map, MUL), map(ctx.graph.extent, lengths))
    ctx.hit("sum(x) = n x")
    product = ctx.graph.map(MUL, once, ctx.graph.cast(count, v.dtype))
    return product if is_positive else _from_zero(ctx, product)


def _from_zero(ctx: Context, v: Value) -> Value:
    """A sum begins with 0, which matters if it is -0."""
    return ctx.graph.map(ADD, v, ctx.graph.const(0.0, v.dtype)) if v.dtype in FLOATS else v


def reduce_joined(ctx: Context, v: Value) -> Value | None:
    """all([a, b]) = a & b, and other reductions of a few values that are joined for them alone.

    Sums are added in order, as NumPy adds so few."""
    name, axes = v.attrs["reducer"].name, v.attrs["axes"]
    if name not in OF_TWO or v.attrs["with_index"]:
        return None
    (x,) = v.operands
    if x.op != CONCATENATE or axes != (x.attrs["axis"],):
        return None
    (axis,) = axes
    if x.dtype != v.dtype or x.dtype not in (*SUMMED, "bool") or len(x.operands) > ctx.tuning.joined_max_elements:
        return None
    if not ctx.is_sole(x) or any(o.shape[axis] != 1 for o in x.operands):
        return None
    place = [None if d == axis else d - (d > axis) for d in range(x.rank)]
    ctx.hit("all([a, b]) = a & b")
    total = reduce(partial(ctx.graph.map, OF_TWO[name]), [ctx.graph.move(o, place, v.shape) for o in x.operands])
    return _from_zero(ctx, total) if name == "sum" else total


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
        return None  # a broadcast between the two repeats the first one's result
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


def add_sums(ctx: Context, v: Value) -> Value | None:
    """sum(x) + sum(y) + ... = sum(x + y + ...) of many: a kernel has a state for each sum.  Gradients of what all steps
    of a recurrence use are such.  Of fewer, elements that cancel within one sum must not be added to the
    others' first."""
    if v.op != "map" or v.attrs["row"].name != "add" or v.dtype not in ("float32", "float64"):
        return None
    counts = [ctx.sums.get(o.number, int(_is_sum(o))) for o in v.operands if ctx.is_sole(o)]
    if len(counts) < 2 or not all(counts):
        return None
    ctx.sums[v.number] = sum(counts)
    if sum(counts) < ctx.tuning.add_sums_min_terms:
        return None
    terms = _terms(v)
    parts = [t.operands[0] for t in terms]
    kinds = [(t.attrs["axes"], ctx.find(x.shape), x.dtype, x.loops) for t, x in zip(terms, parts, strict=True)]
    if any(kind != kinds[0] for kind in kinds) or kinds[0][2:] != (v.dtype, v.loops):
        del ctx.sums[v.number]
        return None
    total = reduce(partial(ctx.graph.map, v.attrs["row"]), parts)
    ctx.hit("sum(x) + sum(y) = sum(x + y)")
    whole = ctx.graph.make("reduce", (total,), v.dtype, v.shape, **terms[0].attrs)
    ctx.sums[whole.number] = sum(counts)
    return whole


def _is_sum(v: Value) -> bool:
    return v.op == "reduce" and v.attrs["reducer"].name == "sum"


def _terms(v: Value) -> list[Value]:
    """The sums that v adds up, in order."""
    found, stack = [], [v]
    while stack:
        w = stack.pop()
        if _is_sum(w):
            found.append(w)
        else:
            stack += reversed(w.operands)
    return found


def _source(v: Value) -> tuple[Value, list[int | None]]:
    """(the value behind moves and float casts of v, axis of it -> axis of v)."""
    place: list[int | None] = list(range(v.rank))
    while True:
        if v.op == "move":
            place = [None if a is None else place[a] for a in v.attrs["map"]]
        elif not (v.op == "map" and v.attrs["row"].name == "cast" and {v.dtype, v.operands[0].dtype} <= set(FLOATS)):
            return v, place
        v = v.operands[0]


def part_totals(ctx: Context, v: Value) -> Value | None:
    """reduce(x) = reduce(reduce(x, axes)), the axes of another reduction of the same elements: one loop gives both.

    Each partial float sum is rounded: the error is at most that of adding them in pairs.
    """
    if v.op != "reduce" or v.rank or v.attrs["with_index"]:
        return None
    name = v.attrs["reducer"].name
    if name not in EXACT_MONOIDS and (name != "sum" or v.dtype not in SUMMED):
        return None
    (x,) = v.operands
    partners = ctx.partial(x.shape)[: ctx.tuning.merge_max_partners]
    elements = _elements(ctx, x) if partners else set()
    found = next((r for r in partners if _have_one_loop(ctx, v, elements, r)), None)
    if found is None:
        return None
    axes = found.attrs["axes"]
    rows = tuple(n for d, n in enumerate(x.shape) if d not in axes)
    parts = ctx.graph.make("reduce", (x,), v.dtype, rows, **{**v.attrs, "axes": axes})
    ctx.hit(f"{name}(x) = {name}({name}(x, axes))")
    if all(n == 1 for n in ctx.find(rows)):
        return ctx.graph.move(parts, (None,) * len(rows), ())
    return ctx.graph.make("reduce", (parts,), v.dtype, (), **{**v.attrs, "axes": tuple(range(len(rows)))})


def _have_one_loop(ctx: Context, total: Value, elements: set[int], other: Value) -> bool:
    """Whether two reductions use values computed from the same elements (`elements`: of one of them), and neither
    depends on the other."""
    narrow = ITEMSIZE[total.operands[0].dtype] < 4  # it has more lanes than sums of it
    if total.loops != other.loops or (narrow and total.dtype != other.dtype):
        return False
    if elements.isdisjoint(_elements(ctx, other.operands[0])):
        return False
    return not _may_need(ctx, total, other) and not _may_need(ctx, other, total)


def _may_need(ctx: Context, v: Value, other: Value) -> bool:
    """Whether v depends on another value, or so many values lie between that it may."""
    found, stack = {v.number}, [v]
    while stack and len(found) < ctx.tuning.merge_max_values_between:
        for o in dependencies(stack.pop()):
            if o is other:
                return True
            if o.number > other.number and o.number not in found:  # values that depend on it have larger numbers
                found.add(o.number)
                stack.append(o)
    return bool(stack)


def _elements(ctx: Context, x: Value) -> set[int]:
    """Numbers of the values of its shape that x is computed from, element by element."""
    found, stack, shape = {x.number}, [x], ctx.find(x.shape)
    while stack and len(found) < ctx.tuning.merge_max_values:
        v = stack.pop()
        if v.op == "map":
            new = [o for o in v.operands if o.number not in found and ctx.find(o.shape) == shape and o.op != "move"]
            found.update(o.number for o in new)
            stack += new
    return found
