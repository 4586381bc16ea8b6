"""Sinking of gathers to their operands: a gathered element of a row needs no row in memory.

    (x - logsumexp(x))[arange(n), t] = x[arange(n), t] - logsumexp(x)

Applies where no element is gathered twice and nothing else uses the operand, as in cross-entropy with integer targets.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tensordsl.codegen.passes.context import Context
from tensordsl.codegen.passes.sink_slices import Trail, descends, push
from tensordsl.codegen.tensor_ir.extents import Length
from tensordsl.codegen.tensor_ir.graph import Graph, Value
from tensordsl.codegen.tensor_ir.indexing import place_taken
from tensordsl.ops.array.index import index_place

Place = tuple[Any, ...]  # for each axis of a value: a `Taken`, an axis of the result, or None for length 1


class Taken:
    """An axis that an index selects from.  `axis`: the result's axis, where the index is all positions in order."""

    __slots__ = ("index", "axis")

    def __init__(self, index: Value, axis: int | None) -> None:
        self.index, self.axis = index, axis


def sink_gathers(ctx: Context, v: Value) -> Value | None:
    """f(x, y)[i, t] = f(x[i, t], y[i, t]), where no element of f is gathered twice and nothing else uses it.

    That holds where each axis of the indices is the positions of some axis of x.
    """
    x = v.operands[0]
    if x.op not in ("map", "move") or not v.loops <= x.loops or not descends(ctx, x):
        return None
    block, place = _places(ctx.graph, v)
    covered = {p.axis for p in place if isinstance(p, Taken)}
    if not all(a in covered or v.shape[a] == 1 for a in block):
        return None
    gather = _Gather(ctx, block, v.shape)
    result = gather.of(x, place)
    lost = {id(p) for p in place if isinstance(p, Taken) and p.axis is None} - gather.reached
    if lost:  # no array is left to check the index against
        return None
    ctx.hit("f(x)[i, t] = f(x[i, t])")
    return ctx.graph.broadcast_to(result, v.shape)


def _places(g: Graph, v: Value) -> tuple[tuple[int, ...], Place]:
    """(the result's axes of the broadcast indices, what each axis of the operand is indexed by)."""
    x, *indices = v.operands
    rank = max(i.rank for i in indices)
    block, free = place_taken(x.rank, v.attrs["axes"], rank, range(v.rank))
    by_axis = dict(zip(v.attrs["axes"], indices, strict=True))
    return block, tuple(
        Taken(by_axis[d], _positions_of(g, by_axis[d], n, block, d in v.attrs.get("prefix", ())))
        if d in by_axis
        else None
        if n == 1
        else free[d]
        for d, n in enumerate(x.shape)
    )


def _positions_of(g: Graph, index: Value, length: Length, block: Sequence[int], is_prefix: bool) -> int | None:
    """The axis of the result along which `index` is 0, 1, ... for all of an axis, or as far as it is known to reach."""
    source, axis = (index.operands[0], index.attrs["map"][0]) if _is_moved(index) else (index, 0)
    if source.op != "iota" or axis is None:
        return None
    if not is_prefix and g.extents.find(source.shape[0]) != g.extents.find(length):
        return None
    return block[len(block) - index.rank + axis]


def _is_moved(index: Value) -> bool:
    return index.op == "move" and index.operands[0].op == "iota"


class _Gather:
    """Values at the places of one gather, all with the axes of its result (length 1 where they don't vary)."""

    def __init__(self, ctx: Context, block: Sequence[int], shape: Sequence[Length]) -> None:
        self.ctx, self.g, self.block, self.shape = ctx, ctx.graph, tuple(block), tuple(shape)
        self.reached: set[int] = set()
        self.trail: Trail | None = None  # of the array

    def of(self, x: Value, place: Place) -> Value:
        """By an explicit stack."""
        done: dict[Any, Value] = {}
        goal = (x.number, place)
        stack = [(x, place)]
        self.trail = trail = Trail(self.ctx, x)
        while stack:
            u, own = stack[-1]
            key = (u.number, own)
            parts = self.parts(u, own) if key not in done and u.op != "reduce" and descends(self.ctx, u) else []
            trail.follow(u, [o for o, _ in parts])
            missing = [(o, p) for o, p in parts if (o.number, p) not in done]
            if missing:
                stack.extend(missing)
                continue
            stack.pop()
            if key not in done:
                done[key] = self.rebuilt(u, [done[o.number, p] for o, p in parts]) if parts else self.leaf(u, own)
        return done[goal]

    def parts(self, u: Value, place: Place) -> list[tuple[Value, Place]]:
        if u.op == "move":
            (o,) = u.operands
            return [(o, _within(o, [None if a is None else place[a] for a in u.attrs["map"]]))]
        return [(o, _within(o, place[u.rank - o.rank :])) for o in u.operands]

    def rebuilt(self, u: Value, operands: list[Value]) -> Value:
        if u.op == "move":
            return operands[0]
        return self.g.make("map", operands, u.dtype, self.g.broadcast(operands), **u.attrs)

    def leaf(self, u: Value, place: Place) -> Value:
        taken = {d: p for d, p in enumerate(place) if isinstance(p, Taken)}
        if all(p.axis is not None for p in taken.values()):
            return self.placed(self.prefix(u, place), [p.axis if isinstance(p, Taken) else p for p in place])
        self.reached.update(map(id, taken.values()))
        indices = [p.index for p in taken.values()]
        rank = max(i.rank for i in indices)
        block, axes = self.block[len(self.block) - rank :], tuple(taken)
        free = [p for d, p in enumerate(place) if d not in taken]
        free_shape = [n for d, n in enumerate(u.shape) if d not in taken]
        first = index_place(axes)
        indexed = self.g.broadcast(indices)
        shape = (*free_shape[:first], *indexed, *free_shape[first:])
        result = self.g.make("take", (u, *indices), u.dtype, shape, axes=axes)
        return self.placed(result, [*free[:first], *block, *free[first:]])

    def prefix(self, u: Value, place: Place) -> Value:
        """u up to the last of the positions."""
        lengths = [
            self.shape[p.axis] if isinstance(p, Taken) and p.axis is not None else n
            for p, n in zip(place, u.shape, strict=True)
        ]
        if self.ctx.find(lengths) == self.ctx.find(u.shape):
            return u
        return push(self.ctx, u, tuple((0, n, 1, True) for n in lengths), (), self.trail)

    def placed(self, u: Value, places: Sequence[int | None]) -> Value:
        """u with its axes at those of the result."""
        there = {p for p, n in zip(places, u.shape, strict=True) if p is not None and n != 1}
        shape = [n if a in there else 1 for a, n in enumerate(self.shape)]
        return self.g.move(u, [p if n != 1 else None for p, n in zip(places, u.shape, strict=True)], shape)


def _within(x: Value, place: Sequence[Any]) -> Place:
    """The place of a broadcast operand: an axis of length 1 is read at 0."""
    return tuple(None if n == 1 else p for n, p in zip(x.shape, place, strict=True))
