"""Complex numbers: pairs of values in groups, and views of what stands in memory."""

from __future__ import annotations

from dataclasses import replace

from tensordsl.codegen.bufferise.bufferiser import Bufferiser
from tensordsl.codegen.fusion.inline import Axes, Inliner, aligned
from tensordsl.codegen.program_ir import instructions as p
from tensordsl.codegen.program_ir.storage import Ref, contiguous
from tensordsl.codegen.scalar_ir.builder import ITEMSIZE, Val
from tensordsl.codegen.tensor_ir.construct import Construct, Expanded, Fusible, Traits, register
from tensordsl.codegen.tensor_ir.graph import Graph, Value
from tensordsl.codegen.tensor_ir.lower import Lowering
from tensordsl.codegen.tensor_ir.verify import check, same_shape
from tensordsl.graph.casting import real_of
from tensordsl.graph.types import COMPLEX
from tensordsl.graph.variables import Apply

NO_MLIR = "complex values have no MLIR form yet (`mlir.export`)"
NO_ROW = "no row: lowering and passes make it"


@register
class Complex(Fusible):
    """complex: the numbers with these real and imaginary parts."""

    name, traits = "complex", Traits(is_fusible=True)
    missing = {**{k: why for k, why in Fusible.missing.items() if k != "lower_complex"}, "mlir": NO_MLIR}

    def lower_complex(self, low: Lowering, node: Apply, operands: list[Value]) -> list[Value]:
        g, dtype = low.graph, node.outputs[0].type.dtype
        shape = node.row.shape(g.extents, *operands)
        re, im = (g.broadcast_to(g.cast(v, real_of(dtype)), shape) for v in operands)
        return [g.make(self.name, (re, im), dtype, shape)]

    def verify(self, graph: Graph, v: Value) -> None:
        check(v.dtype in COMPLEX and all(o.dtype == real_of(v.dtype) for o in v.operands), v, "parts of its dtype")
        check(all(same_shape(graph, o.shape, v.shape) for o in v.operands), v, "parts of its shape")

    def needs(self, inliner: Inliner, v: Value, axes: Axes) -> list[tuple[Value, Axes]]:
        return [(o, axes if o.shape is v.shape else aligned(o, axes)) for o in v.operands]

    def scalar(self, inliner: Inliner, v: Value, axes: Axes, args: list[Val]) -> Val:
        return inliner.b.complex(*args)


@register
class Real(Expanded):
    """real: the first of the pair that a complex value is while it is lowered."""

    name = "real"

    def lower_complex(self, low: Lowering, node: Apply, operands: list[Value]) -> list[Value]:
        return [operands[0].operands[0]]


@register
class Imag(Expanded):
    """imag: the second one."""

    name = "imag"

    def lower_complex(self, low: Lowering, node: Apply, operands: list[Value]) -> list[Value]:
        return [operands[0].operands[1]]


@register
class Part(Construct):
    """part(k): the real (k = 0) or imaginary numbers of a complex tensor in memory."""

    name, traits = "part", Traits(is_view=True)
    missing = {"lower_complex": NO_ROW, "mlir": NO_MLIR}

    def verify(self, graph: Graph, v: Value) -> None:
        check(v.dtype == real_of(v.operands[0].dtype), v, "the dtype of a part")

    def bufferise(self, b: Bufferiser, v: Value) -> None:
        """The view of the real (k = 0) or imaginary parts."""
        ref = b.ref(v.operands[0])
        if v.attrs["k"]:
            ptr = b.fresh("p")
            b.emit(p.Offset(ptr, ref.ptr, b.name(ITEMSIZE[v.dtype])))
            ref = replace(ref, ptr=ptr)
        b.view(v, ref)


@register
class Pairs(Construct):
    """pairs: complex numbers as twice as many real ones, or these as complex ones."""

    name, traits = "pairs", Traits(is_view=True)
    missing = {"lower_complex": NO_ROW, "mlir": NO_MLIR}

    def verify(self, graph: Graph, v: Value) -> None:
        x = v.operands[0]
        check(x.dtype == v.dtype or (x.dtype in COMPLEX) != (v.dtype in COMPLEX), v, "numbers, or their parts")

    def bufferise(self, b: Bufferiser, v: Value) -> None:
        """The same bytes, complex numbers as pairs of real ones or these as complex ones."""
        (x,) = v.operands
        packed, dims = b.packed(b.ref(x), x.dtype), tuple(map(b.find, v.shape))
        b.view(v, Ref(packed.ptr, dims, contiguous(dims, ITEMSIZE[v.dtype]), packed.base))
