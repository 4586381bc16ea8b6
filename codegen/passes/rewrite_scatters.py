"""Scatters as elementwise selections, merged writes of shared variables, and additions to slices.

zeros[arange(n), t] += g     is    where(j == t[i], g[i], 0)     at the point (i, j)
s[i] += g, then s[j] += h    is    s[i, j] += (g, h)
s - rate * (zeros[i] += g)   is    s[i] += -(rate * g)
"""

from __future__ import annotations

from functools import reduce

from tensordsl.codegen.passes.context import Context
from tensordsl.codegen.passes.patterns import are_disjoint, is_zero, is_zero_at, number_of
from tensordsl.codegen.tensor_ir import extents as ex
from tensordsl.codegen.tensor_ir.construct import CONCATENATE, INC_SUBTENSOR, INC_TAKE, SUBTENSOR
from tensordsl.codegen.tensor_ir.graph import Value
from tensordsl.graph.types import COMPLEX, FLOATS
from tensordsl.ops.array.index import index_place
from tensordsl.ops.math.comparisons import AND, EQ
from tensordsl.ops.math.elementwise import ADD, MUL, NEG, SUB, SWITCH


def scatter_to_choice(ctx: Context, v: Value) -> Value | None:
    """x with y set or added at indices one of which is 0, 1, ... to the end of its axis: no position repeats.  As in
    the gradient of cross-entropy with integer targets: no zeros are stored."""
    g = ctx.graph
    x, y, *positions = v.operands
    axes = v.attrs["axes"]
    is_computed = x.traits.is_computed and (x.op != "move" or x.operands[0].traits.is_computed)
    if not is_computed or not v.loops <= x.loops:  # a write to any other value touches its positions alone
        return None
    rows = [d for d, p in zip(axes, positions, strict=True) if p.op == "iota" and _is_all(ctx, p, x.shape[d])]
    if not rows:
        return None
    row = rows[0]
    first = index_place(axes)
    free = [d for d in range(x.rank) if d not in axes]
    value = g.move(
        y, [*free[:first], row, *free[first:]], [n if d in (*free, row) else 1 for d, n in enumerate(x.shape)]
    )
    new = value if v.attrs["set"] else g.map(ADD, x, value)
    hits = [_hit(ctx, x, d, p, row) for d, p in zip(axes, positions, strict=True) if d != row]
    ctx.hit("x[arange(n), t] += y: where(j == t[i], x + y, x)")
    if not hits:
        return g.broadcast_to(new, x.shape)
    there = hits[0]
    for hit in hits[1:]:
        there = g.map(AND, there, hit)
    return g.map(SWITCH, there, new, x)


def sum_by_slices(ctx: Context, v: Value) -> Value | None:
    """Values added to one slice of zeros, with other slices between, are summed first.

    Only elementwise values: sums of sums would not join the loops that compute these.
    """
    others: list[Value] = []
    u = v.operands[0]
    while _adds_maps(u) and u.loops == v.loops and ctx.is_sole(u) and len(others) < ctx.tuning.disjoint_max_slices:
        x, y = u.operands
        if u.attrs == v.attrs:
            if not _adds_maps(v) or not is_zero_at(ctx.graph, x, v.attrs["bounds"]):
                return None
            ctx.hit("x[a:b] += y, then x[a:b] += z: x[a:b] += y + z")
            x = ctx.graph.like(u, (x, ctx.graph.map(ADD, y, v.operands[1])))
            for other in reversed(others):
                x = ctx.graph.like(other, (x, other.operands[1]))
            return x
        if not are_disjoint(u.attrs["bounds"], v.attrs["bounds"]):
            return None
        others.append(u)
        u = x
    return None


def _adds_maps(v: Value) -> bool:
    """Whether an elementwise value is added to a slice at known bounds."""
    if v.op != INC_SUBTENSOR or v.attrs["set"] or len(v.operands) > 2 or v.dtype == "bool":
        return False
    return v.operands[1].op == "map" and v.operands[1].rank > 0


def add_to_given(ctx: Context, v: Value) -> Value | None:
    """An argument with y added to a slice: the sum is set, and may be computed in place.  Further additions to disjoint
    slices may follow."""
    x, y, *ints = v.operands
    if v.attrs["set"] or v.dtype == "bool":
        return None
    if is_zero(x):
        return _added_to_zeros(ctx, v)
    if x.op != "arg":
        return None
    ctx.hit("x[a:b] += y: x[a:b] = x[a:b] + y")
    bounds = v.attrs["bounds"]
    shape = tuple(b[1] for b in bounds if b[3])
    part = ctx.graph.make(SUBTENSOR, (x, *ints), x.dtype, shape, bounds=bounds, checks=v.attrs["checks"], loops=v.loops)
    value = ctx.graph.map(ADD, part, y)
    return ctx.graph.make(INC_SUBTENSOR, (x, value, *ints), v.dtype, v.shape, loops=v.loops, **{**v.attrs, "set": True})


def _added_to_zeros(ctx: Context, v: Value) -> Value | None:
    """Zeros with y added to a slice: the value (plus 0, for -0) is set, or is all, perhaps reversed.  Of many slices
    those stay additions that one group computes."""
    x, y, *ints = v.operands
    bounds, find, g = v.attrs["bounds"], ctx.graph.extents.find, ctx.graph
    is_all = all(
        keeps and find(n) == find(d) and step in (1, -1) for (_, n, step, keeps), d in zip(bounds, x.shape, strict=True)
    )
    if not is_all and (y.op != "map" or ctx.is_written_to(v)):
        return None
    if y.dtype in COMPLEX or v.loops != y.loops:
        return None
    value = y if y.dtype not in FLOATS else g.map(ADD, y, g.broadcast_to(g.const(0.0, y.dtype), y.shape))
    ctx.hit("zeros[a:b] += y: zeros[a:b] = y + 0")
    if not is_all:
        return g.make(INC_SUBTENSOR, (x, value, *ints), v.dtype, v.shape, loops=v.loops, **{**v.attrs, "set": True})
    return g.make(SUBTENSOR, (value, *ints), v.dtype, v.shape, bounds=bounds, checks=v.attrs["checks"], loops=v.loops)


def _is_all(ctx: Context, positions: Value, length: object) -> bool:
    return ctx.find(positions.shape) == ctx.find((length,))  # type: ignore[arg-type]


def _hit(ctx: Context, x: Value, axis: int, positions: Value, row: int) -> Value:
    """Where the point's own index along `axis` is that of its row."""
    g = ctx.graph
    own = g.move(g.iota(x.shape[axis]), [axis], [n if d == axis else 1 for d, n in enumerate(x.shape)])
    wanted = g.move(positions, [row], [n if d == row else 1 for d, n in enumerate(x.shape)])
    return g.map(EQ, own, wanted)


# -- writes to shared variables --------------------------------------------------------------------------------------
def merge_writes(ctx: Context, v: Value) -> Value | None:
    """One write to positions of a shared variable for several in sequence, or for the sum with a write to zeros: the
    gradient of a table changes the used rows alone.  In their order, so that of repeated positions the last one wins,
    or all add up."""
    if v.op == INC_TAKE:
        x, writes = _writes(ctx, v)
        if x.op != "shared" or len(writes) < 2:
            return None
        ctx.hit("x[i] += y, then x[j] += z: x[i, j] += (y, z)")
        return _written(ctx, x, writes, v.attrs["set"])
    if v.attrs["row"] is ADD:
        pairs = [v.operands, v.operands[::-1]]
    elif v.attrs["row"] is SUB:
        pairs = [v.operands]
    else:
        return None
    for x, part in pairs:
        if x.op == "shared" and not v.loops and ctx.find(x.shape) == ctx.find(part.shape) == ctx.find(v.shape):
            new = _added(ctx, x, part, v.attrs["row"] is SUB)
            if new is not None:
                ctx.hit("x + a * (zeros[i] += y): x[i] += a * y")
                return new
    return None


def _added(ctx: Context, x: Value, part: Value, is_less: bool) -> Value | None:
    """x + part (or minus), where part is a write to zeros, times numbers."""
    factors: list[Value] = []
    while part.op == "map" and ctx.is_sole(part):
        row, numbers = part.attrs["row"], [o for o in part.operands if _is_given(o)]
        rest = [o for o in part.operands if not _is_given(o)]
        if row is NEG:
            is_less = not is_less
        elif row is MUL and len(numbers) == len(rest) == 1:
            factors += numbers
        else:
            return None
        (part,) = rest
    if part.op != INC_TAKE or part.attrs["set"] or part.dtype != x.dtype or not ctx.is_sole(part):
        return None
    base, writes = _writes(ctx, part)
    if number_of(base) != 0:
        return None
    g, scaled = ctx.graph, []
    for w in writes:
        y = w.operands[1]
        for factor in reversed(factors):
            while factor.op == "move":
                (factor,) = factor.operands
            y = g.map(MUL, y, factor)
        scaled.append((w, g.map(NEG, y) if is_less else y))
    if any(y.dtype != x.dtype for _, y in scaled):
        return None
    return _written(ctx, x, [w for w, _ in scaled], False, [y for _, y in scaled])


def _is_given(v: Value) -> bool:
    """Whether v is one number from the caller, not computed: times 0 an infinite one is NaN."""
    while v.op == "move":
        (v,) = v.operands
    return v.traits.is_given and v.rank == 0


def _writes(ctx: Context, v: Value) -> tuple[Value, list[Value]]:
    """(the tensor written to, the writes in order), for writes of one kind, of which nothing else uses any."""
    found = [v]
    x = v.operands[0]
    while x.op == INC_TAKE and ctx.is_sole(x) and x.attrs == v.attrs and x.loops == v.loops:
        found.append(x)
        x = x.operands[0]
    return x, found[::-1]


def _written(ctx: Context, x: Value, writes: list[Value], is_set: bool, values: list[Value] | None = None) -> Value:
    """x with all writes done as one; `values` instead of what they wrote."""
    g, axes = ctx.graph, writes[0].attrs["axes"]
    at = index_place(axes)
    free = [n for d, n in enumerate(x.shape) if d not in axes]
    values = values or [w.operands[1] for w in writes]
    if len(writes) == 1:
        return g.make(INC_TAKE, (x, *values, *writes[0].operands[2:]), x.dtype, x.shape, axes=axes, set=is_set)
    counts = [w.operands[2].shape[0] for w in writes]
    total = reduce(ex.add, counts)
    wide = [g.broadcast_to(y, (*free[:at], n, *free[at:])) for y, n in zip(values, counts, strict=True)]
    y = g.make(CONCATENATE, wide, x.dtype, (*free[:at], total, *free[at:]), axis=at)
    positions = [
        g.make(CONCATENATE, column, "int64", (total,), axis=0)
        for column in zip(*(w.operands[2:] for w in writes), strict=True)
    ]
    return g.make(INC_TAKE, (x, y, *positions), x.dtype, x.shape, axes=axes, set=is_set)
