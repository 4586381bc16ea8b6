"""inc_subtensor: a tensor of which a basic slice is set or added to."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from tensordsl.codegen.bufferise.bufferiser import Bufferiser
from tensordsl.codegen.bufferise.compute_in_place import slice_layout, slice_place, under
from tensordsl.codegen.bufferise.scatter import accumulate
from tensordsl.codegen.constructs.subtensor import check_bounds, index_bounds, index_checks, named_ints
from tensordsl.codegen.fusion.placement import memory
from tensordsl.codegen.passes.patterns import is_zero_at
from tensordsl.codegen.program_ir.storage import Ref, contiguous
from tensordsl.codegen.scalar_ir.builder import ITEMSIZE
from tensordsl.codegen.tensor_ir import extents as ex
from tensordsl.codegen.tensor_ir.construct import Construct, Traits, register
from tensordsl.codegen.tensor_ir.graph import Graph, Value
from tensordsl.codegen.tensor_ir.lower import Lowering
from tensordsl.codegen.tensor_ir.lower_complex import by_parts
from tensordsl.graph.variables import Apply
from tensordsl.ops.math.comparisons import EQ
from tensordsl.ops.math.elementwise import ADD, MUL, SWITCH

if TYPE_CHECKING:
    from tensordsl.codegen.mlir.writer import Writer
    from tensordsl.codegen.passes.loops.widen import Widening


@register
class IncSubtensor(Construct):
    """inc_subtensor(bounds, checks, set): x with y written into a slice; see `subtensor` for bounds and checks."""

    name = "inc_subtensor"
    traits = Traits(
        is_contiguous=True, stores_operands=True, moves_only=True, data_operands=2, makes_floats=True, has_lengths=True,
        writes_into=True, begins_with=0,
    )  # fmt: skip
    lower_complex = by_parts

    def lower(self, low: Lowering, node: Apply, operands: list[Value]) -> list[Value]:
        x, y, *ints = operands
        g = low.graph
        y = g.cast(y, x.dtype)
        bounds = tuple(index_bounds(g, entry, x.shape[d], ints) for d, entry in enumerate(node.attrs["index"]))
        shape = [b[1] for b in bounds if b[3]]
        lead = len(shape) - y.rank
        for d, n in enumerate(y.shape):
            g.extents.fits(shape[lead + d], n, "the slice and the value written to it")
        y = g.broadcast_to(g.stretched(y, shape), shape)
        checks = index_checks(g)
        if ints:
            ints = [*named_ints(g, x, bounds, checks)]
        return [g.make(self.name, (x, y, *ints), x.dtype, x.shape, bounds=bounds, checks=checks, set=node.attrs["set"])]

    def verify(self, graph: Graph, v: Value) -> None:
        check_bounds(v)

    def prepare(self, b: Bufferiser, v: Value) -> None:
        """The bounds may be known at run time only."""
        item = ITEMSIZE[v.dtype]
        offset, dims, strides = slice_layout(b, contiguous(tuple(map(b.find, v.shape)), item), v.attrs["bounds"])
        for n in (offset, *dims, *strides, ex.mul(item, ex.product(dims))):
            b.name(n)

    def bufferise(self, b: Bufferiser, v: Value) -> None:
        ref, target = slice_place(b, v)
        source = b.ref(v.operands[1])
        if not v.attrs["set"]:
            accumulate(b, source, target, v.dtype, is_zero_at(b.graph, v.operands[0], v.attrs["bounds"]))
        elif b.place(source.ptr) != b.place(target.ptr):
            b.copy(source, target, v.dtype)
        b.finish(v, ref)

    def widen(self, w: Widening, v: Value, operands: Sequence[Value], is_wide: Sequence[bool]) -> Value | None:
        """A write to one slice of each round's tensor; an element at the loop's index becomes a choice."""
        checks, placed = w.open_checks(v), w.placed(v.attrs["bounds"])
        if checks is None or placed is None or (checks and placed.axis is not None):
            return None
        g, shape = w.graph, (w.count, *v.shape)
        x, y = (o if wide else w.repeated(o) for o, wide in zip(operands[:2], is_wide, strict=False))
        if placed.axis is None:
            bounds = ((0, w.count, 1, True), *placed.bounds)
            ints = w.outer([n for b in bounds for n in b[:3]])
            attrs = {"bounds": bounds, "checks": checks, "set": v.attrs["set"]}
            return g.make(self.name, (x, y, *ints), v.dtype, shape, **attrs)
        d, others = placed.axis, [k for k in range(v.rank) if k != placed.axis]
        if v.attrs["bounds"][d][3] or any(placed.bounds[k] != (0, v.shape[k], 1, True) for k in others):
            return None
        start, _, step, _ = placed.bounds[d]
        written = g.map(ADD, g.map(MUL, g.iota(w.count), g.const(step, "int64")), g.extent(start))
        is_written = g.map(EQ, g.move(written, [0], (w.count, 1)), g.iota(v.shape[d]))
        at = [w.count, *(n if k == d else 1 for k, n in enumerate(v.shape))]
        y = g.move(y, [0, *(k + 1 for k in others)], [1 if k == d + 1 else n for k, n in enumerate(shape)])
        if not v.attrs["set"]:
            y = g.make("map", (x, y), v.dtype, shape, row=ADD, args={})
        return g.make("map", (g.move(is_written, [0, d + 1], at), y, x), v.dtype, shape, row=SWITCH, args={})

    def parts(self, b: Bufferiser, v: Value, at: Mapping[int, int]) -> Collection[int]:
        """What is set, if by then the rest can have been copied, which is not where the result is computed."""
        x, y = v.operands[:2]
        if not v.attrs["set"] or v.number in b.in_place or v.number in b.late or len(v.operands) > 2:
            return ()
        start = at.get(under(y)[0].number, -1)
        return (1,) if all(at.get(n, -1) < start for n in memory(x, b.stored_moves)) else ()

    def place(self, b: Bufferiser, v: Value, k: int) -> Ref:
        return slice_place(b, v)[1]

    def mlir(self, e: Writer, v: Value) -> None:
        from tensordsl.codegen.mlir.slices import (  # late: for exports only
            add_tensors,
            extract,
            gathered,
            insert,
            is_empty,
            is_forward,
        )
        from tensordsl.codegen.mlir.writer import tensor_type  # late: for exports only

        x, y = v.operands[:2]
        bounds = v.attrs["bounds"]
        kept = [b[1] for b in bounds if b[3]]
        new, t = e.value(y), tensor_type(map(e.find, kept), v.dtype)
        if is_empty(e, bounds, x.shape):
            e.values[v.number] = e.value(x)
            return
        if not v.attrs["set"]:
            if is_forward(bounds):
                old = extract(e, x, bounds)
            else:
                old = gathered(e, e.value(x), e.type_of(x), bounds, kept, v.dtype)
            new = add_tensors(e, old, new, t, v.dtype, kept)
        if not is_forward(bounds):  # written forward, from the lowest position, in the opposite order
            flips = [
                (ex.sub(n, 1), n, -1, True) if _backward(s) else (0, n, 1, True) for _, n, s, keeps in bounds if keeps
            ]
            new = gathered(e, new, t, flips, kept, v.dtype)
            bounds = [
                (ex.add(a, ex.mul(s, ex.sub(n, 1))), n, -s, keeps) if _backward(s) else (a, n, s, keeps)
                for a, n, s, keeps in bounds
            ]
        e.values[v.number] = insert(e, new, x, bounds)


def _backward(step: Any) -> bool:
    from tensordsl.codegen.mlir.writer import MlirError  # late: for exports only

    if not isinstance(step, int):
        raise MlirError("a slice assignment whose step is known only at run time has no MLIR form")
    return step < 0
