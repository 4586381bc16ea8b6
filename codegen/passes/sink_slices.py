"""Sinking of slices to the operands: only elements that are used are computed, and no large temporary is stored.

f(x, y)[slice] = f(x[slice], y[slice]) through rows, moves and reductions that only the slice uses; the last element of
what a loop stacks is the value that it carries behind its last round.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tensordsl.codegen.passes.canonicalise import sliced
from tensordsl.codegen.passes.context import Context
from tensordsl.codegen.scalar_ir.builder import Builder, is_expensive_op, walk
from tensordsl.codegen.tensor_ir import extents as ex
from tensordsl.codegen.tensor_ir.construct import RESHAPE, SUBTENSOR, WHILE
from tensordsl.codegen.tensor_ir.graph import Value

Bounds = tuple[tuple[Any, Any, Any, bool], ...]


def sink_slices(ctx: Context, v: Value) -> Value | None:
    """f(x, y)[slice] = f(x[slice], y[slice]), through rows, moves and reductions that only the slice uses; and
    f(x).reshape(s) = f(x.reshape(s)) where that is a view.

    A slice that varies with a loop stays where it is: what it would move into the loop is computed once outside.
    """
    if v.op == RESHAPE:
        return _sink_reshape(ctx, v)
    if v.op != SUBTENSOR or not v.loops <= v.operands[0].loops or v.attrs["checks"]:
        return None
    x = v.operands[0]
    if x.op == "result" or _is_cut(ctx, x):
        return last_round(ctx, v)
    while x.op == "move" and ctx.is_sole(x):
        x = x.operands[0]
    if x.op not in ("map", "reduce") or not ctx.is_sole(x):
        return None
    ctx.hit("f(x)[slice] = f(x[slice])")
    return push(ctx, v.operands[0], v.attrs["bounds"], v.operands[1:])


def last_round(ctx: Context, v: Value) -> Value | None:
    """stacked[-1] = carried, where a loop stacks what it hands on: if nothing else reads the stack, it is not stored.
    That there is a last round is checked where the slice was lowered, but perhaps behind the loop: without a round the
    carried value is the initial one, whose lengths may differ from those of rows."""
    x, find = v.operands[0], ctx.graph.extents.find
    if (x.op != "result" and not _is_cut(ctx, x)) or v.attrs["checks"]:
        return None
    length = x.shape[0]
    x = x if x.op == "result" else x.operands[0]
    loop: Any = x.operands[0].attrs.get("loop")
    if loop is None:
        return None
    k, first = x.attrs["k"] - len(loop.carried), v.attrs["bounds"][0]
    if k < 0 or len(v.operands) > 1 or first[3] or find(first[0]) != find(ex.sub(length, 1)):
        return None
    row = tuple(map(find, x.shape[1:]))
    for j, (following, param) in enumerate(zip(loop.next, loop.carried, strict=True)):
        if following is loop.stacked[k] and tuple(map(find, param.shape)) == row:
            ctx.hit("stacked[-1] = carried")
            last = ctx.graph.result(x.operands[0], j, x.dtype, x.shape[1:])
            return sliced(ctx, last, v.attrs["bounds"][1:], (), v.shape)
    return None


def _is_cut(ctx: Context, x: Value) -> bool:
    """Whether x is what a loop that ended early stacked in the rounds that were."""
    if x.op != SUBTENSOR or x.operands[0].op != "result" or x.operands[0].operands[0].op != WHILE:
        return False
    (_, length, *_), *_ = bounds = x.attrs["bounds"]
    loop = x.operands[0].operands[0].attrs["loop"]
    is_whole = all(b[:3] == (0, n, 1) for b, n in zip(bounds[1:], x.operands[0].shape[1:], strict=True))
    return is_whole and bounds[0][::2] == (0, 1) and length == loop.rounds


class Trail:
    """The path from a value down to the operands that slices of it are computed from: for each value, its users on the
    path, and which slices these need."""

    def __init__(self, ctx: Context, start: Value) -> None:
        self._ctx, self._start = ctx, start.number
        self._users: dict[int, list[int]] = {}
        self._needed: dict[int, set[Bounds]] = {}
        self._followed: set[int] = set()

    def follow(self, u: Value, operands: Sequence[Value], needed: Sequence[Bounds] = ()) -> None:
        for o, bounds in zip(operands, needed, strict=False):
            self._needed.setdefault(o.number, set()).add(bounds)
        if operands and u.number not in self._followed:
            self._followed.add(u.number)
            for o in operands:
                self._users.setdefault(o.number, []).append(u.number)

    def is_all(self, v: Value) -> bool:
        """Whether nothing else uses v, nor what is computed from it on the path, nor another slice of that."""
        seen: set[int] = set()
        stack = [v.number]
        while stack:
            n = stack.pop()
            if n not in seen:
                seen.add(n)
                on_the_way = [n] if n == self._start else self._users.get(n, [])
                if len(on_the_way) < self._ctx.users.get(n, 1) or len(self._needed.get(n, ())) > 1:
                    return False
                stack += on_the_way
        return True


def push(ctx: Context, x: Value, bounds: Bounds, ints: tuple[Value, ...], trail: Trail | None = None) -> Value:
    """x[bounds], computed from slices of x's operands; by an explicit stack.  A reduction with other users is computed
    once: in another order it would round differently."""
    trail = trail or Trail(ctx, x)
    done: dict[Any, Value] = {}
    goal = (x, bounds)
    stack = [goal]
    while stack:
        u, own = stack[-1]
        key = (u.number, own)
        parts = _parts(ctx, u, own, trail) if key not in done else []
        if parts:
            trail.follow(u, *zip(*parts, strict=True))
        missing = [(o, b) for o, b in parts or () if (o.number, b) not in done]
        if missing:
            stack.extend(missing)
            continue
        stack.pop()
        if key in done:
            continue
        shape = tuple(b[1] for b in own if b[3])
        if parts is None:
            done[key] = sliced(ctx, u, own, ints, shape)
        else:
            done[key] = _rebuild(ctx, u, own, [done[o.number, b] for o, b in parts], shape)
    return done[x.number, bounds]


def _parts(ctx: Context, x: Value, bounds: Bounds, trail: Trail) -> list[tuple[Value, Bounds]] | None:
    """The operands of x with the slices of them that x[bounds] needs; None where the slice stays on x."""
    if not descends(ctx, x) or (x.op == "reduce" and not trail.is_all(x)):
        return None
    if x.op == "map":
        return [(o, _within(o, bounds[len(bounds) - o.rank :])) for o in x.operands]
    if x.op == "move":
        (o,) = x.operands
        return [(o, _within(o, tuple((0, 1, 1, True) if a is None else bounds[a] for a in x.attrs["map"])))]
    outer = iter(bounds)
    inner = tuple((0, n, 1, True) if d in x.attrs["axes"] else next(outer) for d, n in enumerate(x.operands[0].shape))
    return [(o, inner) for o in x.operands]


def descends(ctx: Context, x: Value) -> bool:
    """Whether a slice of x is computed from slices of its operands: cheap values with other users are recomputed."""
    if x.op not in ("map", "move", "reduce") or _relies(ctx, x):
        return False
    return ctx.is_sole(x) or x.op == "move" or (x.op == "map" and not _is_heavy(x))


def _is_heavy(x: Value) -> bool:
    b = Builder()
    params = [b.param(str(k), o.dtype) for k, o in enumerate(x.operands)]
    scalar = b.row(x.attrs["row"], x.dtype, params, x.attrs["args"])
    return any(is_expensive_op(s) for s in walk([scalar]))


def _relies(ctx: Context, x: Value) -> bool:
    """Whether x has operands of lengths that are only assumed to be equal: bounds that fit one may not fit the
    other."""
    if not ctx.graph.extents.assumed or x.op == "reduce":
        return False
    if x.op == "move":
        (o,) = x.operands
        pairs = [(n, x.shape[a]) for n, a in zip(o.shape, x.attrs["map"], strict=True) if a is not None]
    else:
        pairs = [p for o in x.operands for p in zip(o.shape, x.shape[x.rank - o.rank :], strict=True)]
    find = ctx.graph.extents.find
    return any(m != 1 and find(m) != find(n) for m, n in pairs)


def _within(x: Value, bounds: Bounds) -> Bounds:
    """The bounds of a broadcast operand: an axis of length 1 is complete, or dropped where they drop it."""
    return tuple((0, 1, 1, b[3]) if n == 1 else b for n, b in zip(x.shape, bounds, strict=True))


def _rebuild(ctx: Context, x: Value, bounds: Bounds, operands: list[Value], shape: tuple[Any, ...]) -> Value:
    g = ctx.graph
    if x.op == "map":
        return g.make("map", operands, x.dtype, shape, **x.attrs)
    if x.op == "move":
        new: list[int | None] = []
        kept = {d: k for k, d in enumerate(d for d, b in enumerate(bounds) if b[3])}
        for a in x.attrs["map"]:
            if a is None:
                new.append(None)
            elif a in kept:
                new.append(kept[a])
        return g.move(operands[0], new, shape)
    outer = iter(bounds)
    keeps = [d in x.attrs["axes"] or next(outer)[3] for d in range(x.operands[0].rank)]
    place = {d: k for k, d in enumerate(d for d, k in enumerate(keeps) if k)}
    axes = tuple(place[d] for d in x.attrs["axes"])
    return g.make("reduce", operands, x.dtype, shape, **{**x.attrs, "axes": axes})


def _sink_reshape(ctx: Context, v: Value) -> Value | None:
    """f(x).reshape(s) for a chain of rows with one operand that is no scalar, on something stored contiguously."""
    chain: list[tuple[Value, int]] = []
    x = v.operands[0]
    while x.op == "map" and ctx.is_sole(x):
        wide = [k for k, o in enumerate(x.operands) if o.rank]
        if len(wide) != 1 or x.operands[wide[0]].shape != x.shape:
            return None
        chain.append((x, wide[0]))
        x = x.operands[wide[0]]
    if not chain or not x.traits.is_contiguous:
        return None
    ctx.hit("f(x).reshape(s) = f(x.reshape(s))")
    new = ctx.graph.reshape(x, v.shape)
    for f, k in reversed(chain):
        new = ctx.graph.make("map", (*f.operands[:k], new, *f.operands[k + 1 :]), f.dtype, v.shape, **f.attrs)
    return new
