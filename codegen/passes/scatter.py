"""Writes at one position of each row become a choice at every point, which joins the group around it.

    zeros[arange(n), t] += g     is    where(j == t[i], g[i], 0)     at the point (i, j)

The gradient of cross-entropy with integer targets is such a write: no zeros are stored, and nothing is scattered.
"""

from __future__ import annotations

from tensordsl.codegen.ir import Value
from tensordsl.codegen.passes.context import Context
from tensordsl.ops.comparisons import AND, EQ
from tensordsl.ops.elementwise import ADD, SWITCH
from tensordsl.ops.index import index_place

COMPUTED = frozenset(("map", "move", "const", "reduce"))  # a write to what is stored touches its positions alone


def scatter_to_choice(ctx: Context, v: Value) -> Value | None:
    """x with y set or added at indices one of which is 0, 1, ... to the end of its axis: no position comes twice."""
    g = ctx.graph
    x, y, *positions = v.operands
    axes = v.attrs["axes"]
    if x.op not in COMPUTED or (x.op == "move" and x.operands[0].op not in COMPUTED) or not v.loops <= x.loops:
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


def _is_all(ctx: Context, positions: Value, length: object) -> bool:
    return ctx.find(positions.shape) == ctx.find((length,))  # type: ignore[arg-type]


def _hit(ctx: Context, x: Value, axis: int, positions: Value, row: int) -> Value:
    """Where the point's own position along `axis` is that of its row."""
    g = ctx.graph
    own = g.move(g.iota(x.shape[axis]), [axis], [n if d == axis else 1 for d, n in enumerate(x.shape)])
    wanted = g.move(positions, [row], [n if d == row else 1 for d, n in enumerate(x.shape)])
    return g.map(EQ, own, wanted)
