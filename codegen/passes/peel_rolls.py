"""Peeling of rolls: an elementwise result of x and its rolls by one is computed as its ends and its interior.

    f(x, roll(x, 1)) = concatenate([f(x[:1], x[-1:]), f(x[1:], x[:-1])])

As in explicit schemes with periodic boundaries along the first axis: the pieces read slices, and no roll is copied.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from tensordsl.codegen.passes.canonicalise import sliced
from tensordsl.codegen.passes.context import Context
from tensordsl.codegen.passes.share_rolls import Roll, roll_of
from tensordsl.codegen.tensor_ir import extents as ex
from tensordsl.codegen.tensor_ir.construct import CONCATENATE
from tensordsl.codegen.tensor_ir.extents import Length
from tensordsl.codegen.tensor_ir.graph import Value, dependencies

Part = tuple[Length, Length, dict[int, Length]]  # start, length, and by how many positions rolled -> start there


def part_at_rolls(ctx: Context, v: Value) -> Value | None:
    """f(x, roll(x, 1)) = concatenate([f(x[:1], x[-1:]), f(x[1:], x[:-1])])."""
    if ctx.rolled is None:
        ctx.rolled = _rolled(ctx)
    results, rolls = ctx.rolled
    if v.number not in results:
        return None
    d = v.rank - next(iter(rolls)).rank
    offsets = {places for _, places, _ in rolls.values()}
    computed = _computed(ctx.order, v, d, rolls)
    if len(computed) > ctx.tuning.peel_max_operations:
        return None
    ctx.hit("f(x, roll(x, 1)) = concatenate([f(x[:1], x[-1:]), f(x[1:], x[:-1])])")
    parts = [_part(ctx, computed, d - v.rank, rolls, part) for part in _parts(v.shape[d], offsets)]
    return ctx.graph.make(CONCATENATE, parts, v.dtype, v.shape, axis=d)


def _rolled(ctx: Context) -> tuple[frozenset[int], dict[Value, Roll]]:
    """Numbers of the results that are computed from rolls, and the rolls; no results where a roll is of a computed
    value, or not along the first axis, or used otherwise."""
    found = {w: roll_of(ctx, w) for w in ctx.order if w.op == CONCATENATE}
    rolls = {w: roll for w, roll in found.items() if roll}
    above, inner = {w.number for w in rolls}, set[int]()
    if len({w.rank for w in rolls}) != 1 or not all(map(_is_plain, rolls, rolls.values())):
        return frozenset(), {}
    for w in ctx.order:
        below = above.intersection([o.number for o in dependencies(w)])
        if below and (w.op != "map" or w.loops):
            return frozenset(), {}
        if below:
            above.add(w.number)
            inner |= below
    return frozenset(above - inner - {w.number for w in rolls}), rolls


def _computed(order: Sequence[Value], v: Value, d: int, rolls: Collection[Value]) -> list[Value]:
    """v, the values that it is computed from elementwise along its axis d, and the rolls, operands first."""
    found, stack, last = {v.number: v}, [v], d - v.rank
    while stack:
        for o in stack.pop().operands:
            is_part = o in rolls or (o.op == "map" and not o.loops and _varies(o, last))
            if is_part and o.number not in found:
                found[o.number] = o
                stack.append(o)
    return [w for w in order if w.number in found]


def _varies(x: Value, d: int) -> bool:
    """Whether x has an axis d, counted from the last, and is not repeated along it."""
    return x.rank >= -d and x.shape[d] != 1


def _is_plain(w: Value, roll: Roll) -> bool:
    """Whether it is a roll, along the first axis, of a value in memory."""
    return roll[0] == 0 and not w.loops and w.operands[0].operands[0].op in ("arg", "shared")


def _parts(n: Length, offsets: set[int]) -> list[Part]:
    """The ends, each of one position, and the interior."""
    one, less = ex.minimum(1, n), ex.maximum(0, ex.sub(n, 1))
    if offsets == {1}:
        return [(0, one, {1: less}), (one, less, {1: 0})]
    if offsets == {-1}:
        return [(0, less, {-1: one}), (less, one, {-1: 0})]
    last = ex.minimum(1, less)
    rest = ex.sub(less, last)
    return [
        (0, one, {1: less, -1: last}),
        (one, rest, {1: 0, -1: ex.minimum(2, n)}),
        (ex.sub(n, last), last, {1: ex.maximum(0, ex.sub(less, last)), -1: 0}),
    ]


def _part(ctx: Context, computed: Sequence[Value], d: int, rolls: Mapping[Value, Roll], part: Part) -> Value:
    """That piece of the last of `computed` along an axis d, counted from the last, from slices of all operands."""
    start, length, starts = part
    made: dict[Value, Value] = {}
    for w in computed:
        if w in rolls:
            (x, *_), (_, places, bounds) = w.operands[0].operands, rolls[w]
            at = ex.add(bounds[0][0], starts[places])
            made[w] = sliced(ctx, x, ((at, length, 1, True), *bounds[1:]), (), (length, *w.shape[1:]))
        else:
            operands = [made[o] if o in made else _slice(ctx, o, d, start, length) for o in w.operands]
            shape = tuple(length if k == d else n for k, n in enumerate(w.shape, -w.rank))
            made[w] = ctx.graph.make("map", operands, w.dtype, shape, **w.attrs)
    return made[computed[-1]]


def _slice(ctx: Context, x: Value, d: int, start: Length, length: Length) -> Value:
    """x[start : start + length] along an axis, counted from the last, where x varies along it."""
    if not _varies(x, d):
        return x
    bounds = [(start, length, 1, True) if k == d else (0, n, 1, True) for k, n in enumerate(x.shape, -x.rank)]
    return sliced(ctx, x, tuple(bounds), (), tuple(b[1] for b in bounds))
