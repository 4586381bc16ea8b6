"""Products of a sequence's elements: one product of all of them, before the loop.

Contract  a `dot` in a loop that varies with it through the index alone -> a row of one product of all rounds.
When      the products are at most `hoist_max_growth` times as large as the sequence; elementwise work stays.
Why       a product of many rows reads the weights once, and needs one call instead of one for each round.
"""

from __future__ import annotations

from tensordsl.codegen.passes.context import Context
from tensordsl.codegen.passes.loops.known import known_loops, loops_around
from tensordsl.codegen.passes.loops.widen import Widening
from tensordsl.codegen.tensor_ir import extents as ex
from tensordsl.codegen.tensor_ir.graph import Value


def hoist_sequence_work(ctx: Context, v: Value) -> Value | None:
    """dot(x[t], w) = dot(x, w)[t], for all t at once."""
    for number in loops_around(ctx, v):
        known = known_loops(ctx)
        w = known.widening(number)
        found = w.of(v)
        if found is None:
            continue
        value, is_wide = found
        if not is_wide:
            ctx.hit("what stays the same is computed once")
            return w.guarded(value)
        if max(value.loops, default=0) > number or not _pays(ctx, w, v):
            continue  # a loop's product of all rounds of a loop around it would be computed in each of both
        if w.steps[v.number] == {-1}:  # the order of the sequence, in which other loops may walk over it
            w = known.widening(number, is_reversed=True)
            back = w.of(v)
            value = back[0] if back is not None else value
        ctx.hit("dot(x[t], w) = dot(x, w)[t]")
        return w.row(w.guarded(value))
    return None


def _pays(ctx: Context, w: Widening, v: Value) -> bool:
    """Whether a product of all rounds is in proportion to its factors, as far as lengths are known.  Stacks of products
    save launches only."""
    x, y = v.operands[:2]
    number = w.rounds.loop.number
    factors = [ex.product(o.shape) for o in (x, y) if number in o.loops]
    size, most = ex.product(v.shape), ctx.tuning.hoist_max_growth
    if len(factors) == 2:
        return ex.is_never_negative(ex.sub(ex.total(factors), size))
    limit = ex.mul(factors[0], most)
    return not ex.is_never_negative(ex.sub(ex.sub(size, limit), 1))
