"""The fusion group: one description of a kernel from which CPU code, GPU code and MLIR text come.

Contract  a DAG of scalar values over named axes (`scalar_ir.builder`); `Group.passes` is its view as linalg generics.
When      of every step that is no construct.
Why       no field of a group names a target; every choice of a target stands in `Schedule`.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import IntEnum
from functools import cache
from typing import Any

from tensordsl.base.records import kept, record
from tensordsl.codegen.scalar_ir.builder import ITEMSIZE, LEAVES, Builder, Val, attr_key, is_function, walk
from tensordsl.codegen.target.tuning import CostTuning
from tensordsl.ops.array.reducers import Reducer

__all__ = [
    "Buffer", "Group", "LineAlignment", "Out", "Pass", "Reducer", "Schedule", "any_copy", "buffers", "levels", "region",
]  # fmt: skip

Work = tuple[tuple[int, tuple[int, ...]], ...]  # see `Group.work`
INTERLEAVE = "interleave"  # the name of groups whose outputs, or some each, are interleaved: of each point all


@record(eq=False)
class Buffer:
    """A tensor in memory.  `shape` has one extent (any hashable; equal means equal length) per axis, 1 for a static
    1.  An input and an output of a group that have one name are one storage, with the same strides."""

    name: str
    type: str
    shape: tuple[Any, ...]


@cache
def region(reducer: Reducer, part: str, types: tuple[str, ...]) -> tuple[tuple[Val, ...], tuple[Val, ...]]:
    """A reducer's `step`, `combine` or `finish` as (params, results), for arguments of dtypes `types`."""
    b = Builder()
    state = reducer.state(types)

    def params(prefix: str, dtypes: Iterable[str]) -> tuple[Val, ...]:
        return tuple(b.param(f"{prefix}{k}", t) for k, t in enumerate(dtypes))

    s = params("s", state)
    if part == "step":
        x = params("x", types)
        return s + x, tuple(reducer.step(b, s, x))
    if part == "combine":
        t = params("t", state)
        return s + t, tuple(reducer.combine(b, s, t))
    return s, tuple(b.cast(v, t) for v, t in zip(reducer.finish(b, s), reducer.result(types), strict=True))


@record(eq=False)
class Out:
    """`buffer[map] = value`; entries of the map are axes, or 0 for a static 1."""

    buffer: Buffer
    map: tuple[Any, ...]
    value: Val


@record(eq=False)
class Scatter:
    """`buffer[position] += value` at every point of what both vary along, in the order of the points; `position` is
    inside of the buffer, whose elements are adjacent."""

    buffer: Buffer
    position: Val
    value: Val

    @property
    def axes(self) -> frozenset[str]:
        return self.position.axes | self.value.axes


@record(eq=False)
class Pass:
    """One generic: the group's parallel axes and `local` ones; the reductions, stores and additions at positions done
    in one sweep over them."""

    local: tuple[str, ...]
    reduces: tuple[Val, ...]
    outs: tuple[Out, ...]
    scatters: tuple[Scatter, ...] = ()

    @property
    def roots(self) -> list[Val]:
        """What is computed at its points."""
        reduced = [a for r in self.reduces for a in r.args]
        return [*reduced, *(o.value for o in self.outs), *(v for s in self.scatters for v in (s.position, s.value))]


@record(eq=False, slots=False)
class Group:
    """`extents`: axis -> extent, outermost first.  `parallel`: the axes common to all passes; all others are local to
    a row.

    The ordered list of linalg-like generics is a view of it (`passes`): a reduction must be complete before its result
    is used, so cutting the DAG behind the reductions gives the generics in order.
    """

    name: str
    extents: dict[str, Any]
    parallel: tuple[str, ...]
    outs: tuple[Out, ...]
    scatters: tuple[Scatter, ...] = ()

    @property
    def roots(self) -> list[Val]:
        return [*(o.value for o in self.outs), *(v for s in self.scatters for v in (s.position, s.value))]

    @kept
    def scalars(self) -> list[Val]:
        """All values, operands first."""
        return walk(self.roots)

    @kept
    def levels(self) -> dict[int, int]:
        return levels(self.scalars)

    @kept
    def passes(self) -> tuple[Pass, ...]:
        """The group as an ordered list of generics; row-level stores (no local axis) come last in their level."""
        level = self.levels
        table: dict[Any, tuple[list[Val], list[Out], list[Scatter]]] = {}

        def slot(k: int, axes: Iterable[str]) -> tuple[list[Val], list[Out], list[Scatter]]:
            mine = set(axes) - set(self.parallel)
            local = tuple(a for a in self.extents if a in mine)
            return table.setdefault((k, local), ([], [], []))

        for v in self.scalars:
            if v.op == "reduce":
                slot(level[id(v)], v.axes | set(v.attr[1]))[0].append(v)
        for o in self.outs:
            slot(level[id(o.value)], (m for m in o.map if isinstance(m, str)))[1].append(o)
        for s in self.scatters:
            slot(max(level[id(s.value)], level[id(s.position)]), s.axes)[2].append(s)
        keys = sorted(table, key=lambda key: (key[0], not key[1]))
        return tuple(Pass(k[1], tuple(table[k][0]), tuple(table[k][1]), tuple(table[k][2])) for k in keys)

    @kept
    def _known_work(self) -> dict[CostTuning, Work]:
        return {}

    def work(self, costs: CostTuning) -> Work:
        """See `_work`; found once."""
        known = self._known_work
        if costs not in known:
            known[costs] = self._work(costs)
        return known[costs]

    def _work(self, costs: CostTuning) -> Work:
        """For each space that is walked, which is a largest set of axes that something varies along: nanoseconds per
        1,000 points, by a rough price per operation, load and store, and the axes by number."""
        priced: dict[frozenset[str], float] = {}
        for v in self.scalars:
            space = v.axes | frozenset(v.attr[1]) if v.op == "reduce" else v.axes
            priced[space] = priced.get(space, 0.0) + price(v, costs)
        stores: dict[frozenset[str], float] = {}
        written = [(frozenset(m for m in o.map if isinstance(m, str)), stored(o, costs)) for o in self.outs]
        for space, cost in (*written, *((s.axes, costs.scatter_ns_per_1000) for s in self.scatters)):
            stores[space] = stores.get(space, 0.0) + cost
        prices: dict[frozenset[str], float] = {}
        for space in sorted({**priced, **stores}, key=len, reverse=True):
            walked = next((larger for larger in prices if space <= larger), space)
            own = stores.get(space, 0.0) if walked is space else 0.0
            prices[walked] = prices.get(walked, 0.0) + priced.get(space, 0.0) + own
        numbers = {a: k for k, a in enumerate(self.extents)}
        return tuple((int(ns), tuple(sorted(map(numbers.__getitem__, space)))) for space, ns in prices.items())


class LineAlignment(IntEnum):
    """Whether vectors of sums begin on cache lines.  Chunks are the same for VECTORS and CHUNKS, inside of vectors that
    begin on lines; vectors of CHUNKS begin where chunks do, for what no cache holds."""

    NONE, VECTORS, CHUNKS = range(3)


@record
class Schedule:
    """All that depends on the target."""

    lane: str  # the axis that SIMD lanes (CPU) or neighbouring threads (GPU) run along; "" for a group without axes
    width: tuple[int, ...]  # per pass: lanes of a vector (CPU), threads that share a row (GPU)
    block_elements: int = 512  # unit of packing, of temporaries in L1 and of partial states
    keep: tuple[Val, ...] = ()  # values stored per row for a later pass; all others are recomputed
    keep_in: tuple[Out, ...] = ()  # the outputs that they are stored in until those are computed
    max_scalar_ops: int = 60  # a pass of more scalar operations is several kernels over a block's temporaries
    # CPU, per pass: vectors of columns that are done together (lanes along a parallel axis), or lanes of a row of those
    # short rows that are done together (along a reduced one; 0: none).
    unroll_jam: tuple[int, ...] = ()
    strided: tuple[tuple[int, int], ...] = ()  # CPU: (operand, stride in elements) of those that are read in place
    stencil_offsets: tuple[tuple[int, int, int, int], ...] = ()  # CPU: slices of one tensor (`cpu.stencil_offsets`)
    interleaved_outputs: int = 0  # CPU: how many outputs each are interleaved in memory, if all are such
    rows_parallel: bool = False  # CPU: rows are done one by one, each split as what is reduced over all axes
    line_alignment: LineAlignment = LineAlignment.NONE  # CPU
    prefetch: bool = False  # CPU: loops prefetch what memory gives them next
    shared_memory_axis: str = ""  # GPU: the axis that operands are read along through shared memory, or ""
    fastmath: bool = False  # GPU: approximate instructions


def levels(values: Iterable[Val]) -> dict[int, int]:
    """Of values that stand after their operands.  id(value) -> the pass it is computed in: one more than the last
    reduction it depends on."""
    level: dict[int, int] = {}
    for v in values:
        k = max([level[id(a)] for a in v.args], default=0)
        level[id(v)] = k + 1 if v.op == "result" else k
    return level


def buffers(group: Group) -> tuple[list[Buffer], list[Buffer]]:
    """(inputs in order of first use, outputs): the calling convention of every target."""
    ins: dict[int, Buffer] = {}
    for v in group.scalars:
        if v.op == "load":
            ins.setdefault(id(v.attr[0]), v.attr[0])
    return list(ins.values()), [*(o.buffer for o in group.outs), *(s.buffer for s in group.scatters)]


def has_run_time_integers(group: Group) -> bool:
    """True if its kernels read lengths or strides: as numbers, or of what is read at indices."""
    return any(v.op == "extent" or (v.op == "load" and v.args) for v in group.scalars)


@record
class Particulars:
    """What groups of one structure have each of its own, in equal order."""

    buffers: tuple[Buffer, ...] = ()
    lengths: tuple[Any, ...] = ()


def structure(group: Group) -> tuple[Any, Particulars]:
    """Groups of equal keys have equal plans, whose operands and lengths correspond as their own ones do.  The key is
    None where a plan reads or adds at indices."""
    numbers: dict[int, int] = {}
    lengths: dict[Any, int] = {}
    names: dict[str, int] = {}
    known: dict[int, Buffer] = {}
    places: dict[int, int] = {}

    def length(n: Any) -> Any:
        return n if isinstance(n, int) else (lengths.setdefault(n, len(lengths)),)

    def operand(b: Buffer, entries: Any) -> tuple[Any, ...]:
        known.setdefault(id(b), b)
        return (
            places.setdefault(id(b), len(places)),
            names.setdefault(b.name, len(names)),
            b.type,
            entries,
            tuple(map(length, b.shape)),
        )

    if group.scatters or any(v.op == "load" and v.args for v in group.scalars):
        return None, Particulars()
    rows = []
    for v in group.scalars:
        numbers[id(v)] = len(numbers)
        attr = operand(*v.attr) if v.op == "load" else length(v.attr) if v.op == "extent" else attr_key(v.attr)
        rows.append((v.op, v.type, tuple([numbers[id(a)] for a in v.args]), attr))
    outs = tuple((operand(o.buffer, o.map), numbers[id(o.value)]) for o in group.outs)
    axes = tuple((a, length(n)) for a, n in group.extents.items())
    return (tuple(rows), outs, axes, group.parallel), Particulars(tuple(known.values()), tuple(lengths))


def any_copy(group: Group) -> Group:
    """A copy with lengths of its own: the group of all copies of this dtype and pattern."""
    (out,) = group.outs
    _, entries = out.value.attr
    lengths = {a: f"n{k}" for k, a in enumerate(group.extents)}

    def buffer(name: str, entries: tuple[Any, ...]) -> Buffer:
        return Buffer(name, out.buffer.type, tuple(lengths.get(e, 1) for e in entries))

    value = Builder().load(buffer("x", entries), *entries)
    return Group("copy", dict(lengths), group.parallel, (Out(buffer("y", out.map), out.map, value),))


def stored(o: Out, costs: CostTuning) -> float:
    """ns of 1,000 stores."""
    return costs.access_ns_per_1000 * _words(o.buffer.type)


def price(v: Val, costs: CostTuning) -> float:
    """ns of 1,000 such operations."""
    if is_function(v) or v.op == "repeat":
        ns = costs.function_ns_per_1000
    elif v.op == "load":
        ns = costs.access_ns_per_1000
    else:
        ns = 0 if v.op in LEAVES or v.op == "result" else costs.operation_ns_per_1000
    return _words(v.type) * ns


@cache
def _words(dtype: str | tuple[str, ...]) -> float:
    """Of an element, or of all that a reduction takes: words of 8 bytes."""
    return sum(map(ITEMSIZE.__getitem__, [dtype] if isinstance(dtype, str) else dtype)) / 8
