"""concatenate: tensors behind each other along an axis."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from tensordsl.codegen.bufferise.bufferiser import Bufferiser
from tensordsl.codegen.bufferise.compute_in_place import interleave, join_places
from tensordsl.codegen.program_ir.storage import Ref, contiguous
from tensordsl.codegen.scalar_ir.builder import ITEMSIZE
from tensordsl.codegen.tensor_ir import extents as ex
from tensordsl.codegen.tensor_ir.construct import Construct, Traits, register
from tensordsl.codegen.tensor_ir.graph import Graph, Value
from tensordsl.codegen.tensor_ir.lower import Lowering
from tensordsl.codegen.tensor_ir.lower_complex import by_parts
from tensordsl.codegen.tensor_ir.verify import check
from tensordsl.graph.variables import Apply

if TYPE_CHECKING:
    from tensordsl.codegen.mlir.writer import Writer
    from tensordsl.codegen.passes.loops.widen import Widening


@register
class Concatenate(Construct):
    """concatenate(axis): operands are of the result's dtype and rank."""

    name = "concatenate"
    traits = Traits(is_contiguous=True, stores_operands=True, moves_only=True, data_operands=None)
    lower_complex = by_parts

    def lower(self, low: Lowering, node: Apply, operands: list[Value]) -> list[Value]:
        shape = node.row.shape(low.graph.extents, *operands, **node.attrs)
        dtype = node.outputs[0].type.dtype
        parts = [low.graph.cast(v, dtype) for v in operands]
        return [low.graph.make(self.name, parts, dtype, shape, axis=node.attrs["axis"])]

    def verify(self, graph: Graph, v: Value) -> None:
        check(
            all(o.dtype == v.dtype and o.rank == v.rank for o in v.operands), v, "parts of the result's dtype and rank"
        )

    def bufferise(self, b: Bufferiser, v: Value) -> None:
        ref, places = join_places(b, v)
        sources = [b.ref(part) for part in v.operands]
        for source in sources:
            for d, (m, n) in enumerate(zip(source.dims, ref.dims, strict=True)):
                if d != v.attrs["axis"]:
                    b.agree(n, m, "concatenate: lengths of an axis")
        moved = [
            (source, place)
            for source, place in zip(sources, places, strict=True)
            if b.place(source.ptr) != b.place(place.ptr)
        ]
        is_last = v.attrs["axis"] == v.rank - 1 and ref.strides == contiguous(ref.dims, ITEMSIZE[v.dtype])
        if is_last and len(moved) == len(places) and all(place.dims[-1] == 1 for place in places):
            interleave(b, moved, v.dtype)
        else:
            for source, place in moved:
                b.copy(source, place, v.dtype)
        b.finish(v, ref)

    def widen(self, w: Widening, v: Value, operands: Sequence[Value], is_wide: Sequence[bool]) -> Value | None:
        operands = [o if wide else w.repeated(o) for o, wide in zip(operands, is_wide, strict=True)]
        return w.graph.make(self.name, operands, v.dtype, (w.count, *v.shape), axis=v.attrs["axis"] + 1)

    def parts(self, b: Bufferiser, v: Value, at: Mapping[int, int]) -> Collection[int]:
        return range(len(v.operands))

    def place(self, b: Bufferiser, v: Value, k: int) -> Ref:
        return join_places(b, v)[1][k]

    def mlir(self, e: Writer, v: Value) -> None:
        from tensordsl.codegen.mlir.slices import slice_text  # late: for exports only

        axis = v.attrs["axis"]
        whole, t = e.empty(v.shape, v.dtype)
        at: Any = 0
        for part in v.operands:
            if any(e.find(n) == 0 for n in (*part.shape, *v.shape)):
                continue
            bounds: list[Any] = [(0, n, 1, True) for n in part.shape]
            bounds[axis] = (at, part.shape[axis], 1, True)
            name = e.value(part)
            whole = e.op(f"tensor.insert_slice {name} into {whole}{slice_text(e, bounds)} : {e.type_of(part)} into {t}")
            at = ex.add(at, part.shape[axis])
        e.values[v.number] = whole
