"""Row blocking: a product, what reads its rows, and products that sum over these rows, block by block.

Contract  the steps of a region -> the same, with chains of steps as one (`Chain`).
When      `X w` and `X' g` read a matrix that no core-local cache keeps, and g's rows need those of the first product.
Why       a block of rows is still cached for the second product.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any

from tensordsl.base.records import record
from tensordsl.codegen.fusion.group import Group
from tensordsl.codegen.fusion.inline import Cut, Fused, ValueBuffer, attempt, strip
from tensordsl.codegen.fusion.placement import Step, memory
from tensordsl.codegen.scalar_ir.builder import ITEMSIZE, Val
from tensordsl.codegen.target.tuning import BlockingTuning
from tensordsl.codegen.tensor_ir import extents as ex
from tensordsl.codegen.tensor_ir.construct import DOT
from tensordsl.codegen.tensor_ir.extents import known_at_entry
from tensordsl.codegen.tensor_ir.graph import Graph, Value

Axes = list[int | None]
Readers = dict[tuple[int, int], list[tuple[int, Value, int, Axes, Axes]]]  # see `_readers`

ROWS = "rows"  # the axis along them where there is no group


@record
class Chain:
    """A product, the group that reads it row by row if there is one, and products that sum over these rows.

    side: whose rows, those of the first product's left operand (0) or the columns of its right one (1).
    fused: the group; by_rows: the part of it that a block of rows runs, rest: the part that follows all blocks.
    axis: of the group, along the rows.  products: (value, which of its operands is the matrix that the first one read).
    inner: values that nobody but the chain reads.
    """

    first: Value
    side: int
    fused: Fused | None
    by_rows: Fused | None
    rest: Fused | None
    axis: str
    products: tuple[tuple[Value, int], ...]
    inner: frozenset[int] = frozenset()

    @property
    def values(self) -> list[Value]:
        """What it gives, but the last products."""
        return [self.first, *(self.fused.values if self.fused is not None else ())]

    @property
    def loads(self) -> list[Value]:
        """What its steps but the last products read."""
        return [*self.first.operands, *(self.fused.loads if self.fused is not None else ())]


def in_blocks(
    graph: Graph, steps: Sequence[Step], outputs: Iterable[Value], updates: Iterable[Value], moves: Collection[int],
    small: Collection[int] = (),
) -> tuple[list[Step], list[Any]]:  # fmt: skip
    """The steps of the function's own region, with chains in place of their parts; and of what is no chain since it
    reads one of the `small` shared variables, which stay in the cache, the bytes of its matrix."""
    dots = {s.value.number: k for k, s in enumerate(steps) if s.value is not None and _is_product(s.value)}
    if len(dots) < 2 or graph.extents.assumed:
        return list(steps), []
    new = {n for v in updates for n in memory(v, moves)}
    kept = new.union(*(memory(v, moves) for v in outputs))
    readers = _readers(graph.values[number] for number in dots)
    replaced: dict[int, list[Step]] = {}  # position -> what stands there instead
    taken: set[int] = set()  # products that chains compute: no chain computes one of another
    groups = [k for k, s in enumerate(steps) if s.fused is not None]
    left_out = _left_out(graph, [graph.values[number] for number in dots], small)
    for k in (*groups, *dots.values()):
        for chain in _chains(graph, readers, dots, steps[k], left_out):
            at, computed = dots[chain.first.number], {chain.first.number, *(v.number for v, _ in chain.products)}
            rows = [chain.first, *(chain.by_rows.values if chain.by_rows is not None else ())]
            if taken & computed or any(chain.first.number in t.needs for t in steps[at + 1 : k]):
                continue
            if any(v.number in new for v in rows):  # it may be better computed in the place of the old value
                continue
            gives = tuple(v.number for v in chain.values)
            needs = (steps[at].needs | steps[k].needs) - set(gives)
            used = kept.union(*(_needs_of(t, chain) for j, t in enumerate(steps) if j not in (at, k)))
            inner = {v.number for v in rows} & set(gives) - used - _needed_by(chain.rest, moves)
            taken |= computed
            replaced[at] = []
            replaced[k] = [Step(None, None, gives, needs, replace(chain, inner=frozenset(inner)))]
            break
    return [t for k, s in enumerate(steps) for t in replaced.get(k, [s])], list(left_out.values())


def _is_product(v: Value) -> bool:
    """Whether it is one product of matrices or vectors."""
    return v.op == DOT and v.rank < 3


def _needed_by(rest: Fused | None, moves: Collection[int]) -> set[int]:
    return {n for v in rest.loads for n in memory(v, moves)} if rest is not None else set()


def _needs_of(step: Step, chain: Chain) -> set[int]:
    """What a step still reads when the chain has run."""
    side = next((side for v, side in chain.products if v is step.value), None)
    if side is None:
        return step.needs
    assert step.value is not None
    return {step.value.operands[side].number, *(o.number for o in step.value.operands[2:])}


def _left_out(graph: Graph, dots: Sequence[Value], small: Collection[int]) -> dict[int, Any]:
    """By their numbers the bytes of matrices that several products read, and that are small now."""
    read = [(v, side, origin(v.operands[side])[0]) for v in dots for side in (0, 1)] if small else []
    times = Counter(base.number for _, _, base in read)
    found = {}
    for v, side, base in read:
        source = _source(base)
        if source is None or source.op != "shared" or source.attrs["index"] not in small or times[base.number] < 2:
            continue
        rows, length, _ = map(graph.extents.find, extents_of(v, side))
        if v.operands[side].rank == 2 and _may_pay(graph, v, side) and known_at_entry(size := ex.mul(rows, length)):
            found[base.number] = ex.mul(size, ITEMSIZE[v.dtype])
    return found


def _chains(
    graph: Graph, readers: Readers, dots: Collection[int], step: Step, left_out: Collection[int]
) -> Iterator[Chain]:
    """The chains around this group, or this product without a group; none of a matrix that is left out."""
    for v in step.fused.loads if step.fused is not None else [step.value]:
        assert v is not None
        first, _ = origin(v)
        if first.number not in dots or "scaled" in first.attrs or "beta" in first.attrs:
            continue
        for side, matrix in enumerate(first.operands[:2]):
            base, axes = origin(matrix)
            if matrix.rank != 2 or base.number in left_out or _source(base) is None or not _may_pay(graph, first, side):
                continue
            parts = _split(graph, step.fused, first, side) if step.fused is not None else (None, None, ROWS)
            if parts is None:
                continue
            fused, rest, axis = parts
            products = _products(readers, base, axes[side], _maps(first, side, fused, axis), axis)
            stored = step.fused.loads + step.fused.values if step.fused is not None else []
            shapes = [first, *first.operands, *stored, *(v for v, _ in products)]
            if products and all(known_at_entry(graph.extents.find(n)) for v in shapes for n in v.shape):
                yield Chain(first, side, step.fused, fused, rest, axis, products)


def _maps(first: Value, side: int, fused: Fused | None, axis: str) -> dict[int, tuple[Any, ...]]:
    """The axes of the values that stand row by row in memory."""
    rows = 0 if side == 0 else first.rank - 1
    maps: dict[int, tuple[Any, ...]] = {first.number: tuple(axis if d == rows else "" for d in range(first.rank))}
    if fused is not None:
        maps |= {o.buffer.value.number: o.map for o in fused.group.outs}  # type: ignore[attr-defined]  # ValueBuffers
    return maps


def origin(v: Value) -> tuple[Value, list[int | None]]:
    """What v is a view of by moves, but diagonals, and the axis there of each of its axes; None: it is broadcast."""
    axes: list[int | None] = list(range(v.rank))
    while v.op == "move":
        inner = {a: d for d, a in enumerate(v.attrs["map"]) if a is not None}
        if len(inner) < sum(a is not None for a in v.attrs["map"]):
            break
        axes = [None if a is None else inner.get(a) for a in axes]
        v = v.operands[0]
    return v, axes


def _source(v: Value) -> Value | None:
    """The argument or the shared variable whose memory v is, if it is one's."""
    while v.op == "move" or v.traits.is_view:
        v = v.operands[0]
    return v if v.op in ("arg", "shared") else None


def extents_of(first: Value, side: int) -> tuple[Any, Any, Any]:
    """(rows, elements of a row, columns of the product) as the side has it."""
    matrix, other = first.operands[side], first.operands[1 - side]
    rows, length = matrix.shape if side == 0 else reversed(matrix.shape)
    return rows, length, other.shape[1 - side] if other.rank == 2 else 1


def limits(rows: Any, length: Any, narrow: Any, item: int, t: BlockingTuning) -> list[tuple[str, Any, int]]:
    """What must hold of a product for blocks to be worthwhile."""
    row = ex.mul(length, item)
    return [
        ("gt", ex.mul(rows, row), t.reread_min_bytes),
        ("le", narrow, t.max_product_columns),
        ("le", row, t.max_row_bytes),
    ]


def _may_pay(graph: Graph, first: Value, side: int) -> bool:
    """Not where lengths that are known rule it out."""
    rows, length, narrow = map(graph.extents.find, extents_of(first, side))
    known = [
        x for x in limits(rows, length, narrow, ITEMSIZE[first.dtype], graph.tuning.blocking) if isinstance(x[1], int)
    ]
    return all(n > limit if op == "gt" else n <= limit for op, n, limit in known)


def _readers(dots: Iterable[Value]) -> Readers:
    """By the numbers of a product's operands, in either order: its place among them, itself, which operand the
    first one is, and the axes of both."""
    found: Readers = {}
    for k, v in enumerate(dots):
        (x, x_axes), (y, y_axes) = map(origin, v.operands[:2])
        found.setdefault((x.number, y.number), []).append((k, v, 0, x_axes, y_axes))
        found.setdefault((y.number, x.number), []).append((k, v, 1, y_axes, x_axes))
    return found


def _products(
    readers: Readers, base: Value, rows: int | None, maps: dict[int, tuple[Any, ...]], axis: str
) -> tuple[tuple[Value, int], ...]:
    """The products that sum over the rows of the matrix and of something that the group computes from them."""
    found: dict[int, tuple[Value, int]] = {}
    read = [(row, number) for number in maps for row in readers.get((base.number, number), ())]
    for (_, v, side, axes, others), number in sorted(read, key=lambda r: (r[0][0], r[0][2])):
        along = others[0] if side == 0 else others[-1]
        if v.number in found or axes[-1 if side == 0 else 0] != rows or along is None:
            continue
        if maps[number][along] == axis and all(a is None or others.count(a) == 1 for a in others):
            found[v.number] = v, side
    return tuple(found.values())


# -- what of a group runs row by row -----------------------------------------------------------------------------------
def _split(graph: Graph, fused: Fused, first: Value, side: int) -> tuple[Fused, Fused | None, str] | None:
    """The part of a group that is computed row by row, the part that sums over rows, and the axis along the rows."""
    rows = 0 if side == 0 else first.rank - 1
    axis = axis_of(fused, first, rows)
    if any(v.op == "move" for v in fused.values):  # what stands in memory is not what others read
        return None
    sums = [] if axis is None else [s for s in fused.group.scalars if s.op == "reduce" and axis in s.attr[1]]
    if axis is None or not sums:
        return (fused, None, axis) if axis is not None and is_along(fused, axis) else None
    inner = _summed(graph, fused, sums)
    if inner is None:
        return None
    is_late = _depends(fused, sums)
    now = [o.buffer.value for o in fused.group.outs if not is_late(o.value)]  # type: ignore[attr-defined]
    late = [v for v in fused.values if v not in now]
    loaded = {strip(v).number for v in fused.loads}
    stored = [*now, *(v for v in inner if v not in now and v.number not in loaded)]
    if not stored:  # what is summed is the product itself
        return None
    known = {o.buffer.value.number: o.buffer for o in fused.group.outs}  # type: ignore[attr-defined]
    known |= {s.attr[0].value.number: s.attr[0] for s in fused.group.scalars if s.op == "load"}
    find = graph.extents.find

    def buffer(v: Value) -> Any:
        return known.get(v.number) or ValueBuffer(f"v{v.number}", v.dtype, tuple(map(find, v.shape)), v)

    def part(values: Sequence[Value], leaves: Sequence[Value]) -> Fused:
        numbers = {v.number for v in leaves}
        return attempt(values, lambda v: buffer(v) if v.number in numbers else None, buffer, find, graph.tuning.fusion)

    known |= {v.number: buffer(v) for v in stored}
    try:
        by_rows = part(stored, fused.loads)
        rest = part(late, [*fused.loads, *stored]) if late else None
    except Cut:
        return None
    axis = axis_of(by_rows, first, rows)
    is_twice = rest is not None and (set(by_rows.expensive) & set(rest.expensive))
    return (by_rows, rest, axis) if axis is not None and is_along(by_rows, axis) and not is_twice else None


def axis_of(fused: Fused, first: Value, rows: int) -> str | None:
    """The group's axis along an axis of a value, `rows`, if it reads each of them at one point of this axis."""
    found: set[Any] = set()
    for s in fused.group.scalars:
        if s.op == "load" and strip(s.attr[0].value) is first:
            base, axes = origin(s.attr[0].value)
            if base is not first:
                return None
            entries = _entries(s)
            found |= {entry for entry, a in zip(entries, axes, strict=True) if a == rows}
            if axes.count(rows) != 1 or any(e in found for e, a in zip(entries, axes, strict=True) if a != rows):
                return None
    return next(iter(found)) if len(found) == 1 and all(isinstance(a, str) for a in found) else None


def is_along(fused: Fused, axis: str) -> bool:
    """Whether each point of the axis is computed from that point of the operands alone, wherever it stands."""
    group = fused.group
    if axis not in group.parallel or any(axis not in o.map or _is_position(o.value, axis) for o in group.outs):
        return False
    if any(_is_position(a, axis) for s in group.scalars if s.op != "load" for a in s.args):
        return False
    given = rows_by_position(group, axis)
    loads = [s for s in group.scalars if s.op == "load" and id(s.attr[0]) in given]
    return all(_entries(s)[given[id(s.attr[0])]] == axis and _entries(s).count(axis) == 1 for s in loads)


def rows_by_position(group: Group, axis: str) -> dict[int, int]:
    """id(buffer) -> its axis that a load goes along by the positions of the group's axis."""
    loads = [s for s in group.scalars if s.op == "load"]
    return {
        id(s.attr[0]): d
        for s in loads
        for d, (entry, a) in enumerate(zip(s.attr[1], _entries(s), strict=True))
        if entry != a and a == axis
    }


def _entries(load: Val) -> list[Any]:
    """A load's entries, with the axis where one is given by the axis's positions."""
    at = [load.args[m[1]] if isinstance(m, tuple) else None for m in load.attr[1]]
    return [a.attr if a is not None and a.op == "index" else m for m, a in zip(load.attr[1], at, strict=True)]


def _is_position(s: Val, axis: str) -> bool:
    return bool(s.op == "index" and s.attr == axis)


def _depends(fused: Fused, sums: Collection[Val]) -> Callable[[Val], bool]:
    late: dict[int, bool] = {id(s): True for s in sums}
    for s in fused.group.scalars:
        late.setdefault(id(s), any(late[id(a)] for a in s.args))
    return lambda s: late[id(s)]


def _summed(graph: Graph, fused: Fused, sums: Collection[Val]) -> list[Value] | None:
    """The values that are summed over rows; None if one of them is not a tensor that varies along them."""
    found: dict[int, Value] = {}
    left = {id(s) for s in sums}
    for number, s in fused.tensors.items():
        v = graph.values[number]
        result = s.args[0] if s.op == "cast" else s
        if v.op != "reduce" or result.op != "result" or result.args[0] not in sums:
            continue
        left.discard(id(result.args[0]))
        for o in v.operands:
            base, axes = origin(o)
            if None in axes or len(set(axes)) != base.rank or base.op == "const":
                return None
            found[base.number] = base
    return None if left else list(found.values())
