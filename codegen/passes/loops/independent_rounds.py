"""Results that no round needs from another: an axis instead of a loop, or one operation behind it.

Contract  what a loop stacks, and no carried value depends on (maps, output layers) -> the same of all rounds at once.
When      all of it has rules (`Construct.widen`), stays in proportion, and depends on no carried value or has products.
Why       kernels run over all rounds at once; a loop whose results are all such is none.
"""

from __future__ import annotations

from tensordsl.codegen.passes.context import Context
from tensordsl.codegen.passes.loops.known import known_loops, replaced_result
from tensordsl.codegen.passes.loops.remake import Remade, needed_carried, remake
from tensordsl.codegen.passes.loops.widen import Widening, is_in_proportion
from tensordsl.codegen.tensor_ir import extents as ex
from tensordsl.codegen.tensor_ir.construct import DOT
from tensordsl.codegen.tensor_ir.graph import Loop, Value, dependencies


def independent_rounds(ctx: Context, v: Value) -> Value | None:
    """The stack of f(x[t]) is f(x)."""
    return replaced_result(ctx, v, _results)


def _results(ctx: Context, node: Value) -> dict[int, Value]:
    """The values of the results of a loop, by their numbers, where some of them are computed without it."""
    loop: Loop = node.attrs["loop"]
    if loop.number in ctx.graph.unchecked_loops and not set(loop.next).isdisjoint(loop.stacked):
        return {}
    known, first = known_loops(ctx), len(loop.carried)
    rounds, read = known.rounds[loop.number], known.read.get(loop.number, {})
    alone = Widening(rounds)
    free = {k: loop.stacked[k - first] for k in sorted(read) if k >= first and _is_as_long(ctx, loop, k, read[k])}
    axes = {
        k: v
        for k, v in free.items()
        if not any(map(rounds.varies, v.shape)) and alone.of(v) is not None and is_in_proportion(alone, v)
    }
    left = set(read) - set(axes)
    recurrence = _recurrence(ctx, loop, left)
    axes = {k: v for k, v in axes.items() if v.number not in recurrence}
    left = set(read) - set(axes)
    behind = {k: taken for k in left & set(free) if (taken := _taken(alone, free[k], recurrence))}
    behind = {k: taken for k, taken in behind.items() if _pays(ctx, alone, free[k], taken)}
    if not axes and not behind:
        return {}
    left -= set(behind)
    stacked = {u.number: u for taken in behind.values() for u in taken}
    made = Remade(node, {}, [])
    if left or stacked:
        made = remake(ctx.graph, node, {k: read[k] for k in left}, [*stacked.values()])
        known.behind[made.node.number] = {}
    results = dict(made.results)
    for k, v in axes.items():
        ctx.hit("the stack of f(x[t]) is f(x)")
        value = alone.wide(v)
        assert value is not None
        results[k] = alone.guarded(value)
    w = Widening(rounds, given={n: s for n, s in zip(stacked, made.stacks, strict=True)})
    for k in behind:
        ctx.hit("the stack of f(h[t]) is f of the stack of h")
        value = w.wide(free[k])
        assert value is not None
        results[k] = w.guarded(value)
    return results


def _is_as_long(ctx: Context, loop: Loop, k: int, result: Value) -> bool:
    """Whether a row has the lengths of the stack.  Where it is a new state these are the first one's, and only rounds
    check that they are equal."""
    find = ctx.graph.extents.find
    return tuple(map(find, loop.stacked[k - len(loop.carried)].shape)) == tuple(map(find, result.shape[1:]))


def _recurrence(ctx: Context, loop: Loop, read: set[int]) -> set[int]:
    """The numbers of the values that carried values need."""
    first = len(loop.carried)
    stacked = [loop.stacked[k - first] for k in read if k >= first]
    carried = needed_carried(ctx.graph, loop, stacked, [k for k in read if k < first])
    stack = [loop.next[k] for k in carried]
    seen = {v.number for v in stack}
    while stack:
        for o in dependencies(stack.pop()):
            if o.number not in seen and loop.number in o.loops:
                seen.add(o.number)
                stack.append(o)
    return seen


def _taken(w: Widening, v: Value, recurrence: set[int]) -> list[Value] | None:
    """What a result takes from the recurrence, if anything, and if there are products between; None: it stays."""
    taken: dict[int, Value] = {}
    products = 0
    stack, seen = [v], {v.number}
    while stack:
        u = stack.pop()
        if w.of(u) is not None:
            continue
        if u.number in recurrence or u.op == "carried":
            taken[u.number] = u
            continue
        if u.traits.has_regions or u.traits.is_source:
            return None
        products += u.op == DOT
        for o in u.operands:
            if o.number not in seen:
                seen.add(o.number)
                stack.append(o)
    return list(taken.values()) if taken and products else None


def _pays(ctx: Context, w: Widening, v: Value, taken: list[Value]) -> bool:
    """Whether a result can be computed of the stacks of others, which are not known to be larger by far."""
    g, n = ctx.graph, w.count
    if any(map(w.rounds.varies, [m for u in (v, *taken) for m in u.shape])):
        return False
    given = {u.number: g.make("undefined", (), u.dtype, (n, *u.shape), number=u.number) for u in taken}
    trial = Widening(w.rounds, given=given)
    most = ex.mul(ex.product(v.shape), ctx.tuning.hoist_max_growth)
    are_larger = ex.is_never_negative(ex.sub(ex.sub(ex.total(ex.product(u.shape) for u in taken), most), 1))
    return not are_larger and trial.of(v) is not None and is_in_proportion(trial, v)
