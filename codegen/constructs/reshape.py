"""reshape: the elements of a tensor, in C order, in another shape."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from tensordsl.codegen.bufferise.bufferiser import Bufferiser
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
class Reshape(Construct):
    """reshape: a view where the operand lies in C order, else a copy in C order."""

    name, traits = "reshape", Traits(is_view=True, moves_only=True)
    lower_complex = by_parts

    def lower(self, low: Lowering, node: Apply, operands: list[Value]) -> list[Value]:
        x, *dims = operands
        e = low.graph.extents
        wanted = [e.value(d) for d in dims]
        total = ex.product(x.shape)
        if -1 in wanted:
            at = wanted.index(-1)
            rest = ex.product(n for d, n in enumerate(wanted) if d != at)
            wanted[at] = _exact_division(total, rest, x.shape, wanted, at)
        e.same(total, ex.product(wanted), f"reshape: {len(x.shape)}-d operand's size and the requested size")
        static = [t if t is not None else w for t, w in zip(node.outputs[0].type.shape, wanted, strict=True)]
        return [low.graph.reshape(x, [e.find(n) for n in static])]

    def verify(self, graph: Graph, v: Value) -> None:
        check(v.operands[0].dtype == v.dtype, v, "the operand's dtype")

    def bufferise(self, b: Bufferiser, v: Value) -> None:
        source, dims = b.ref(v.operands[0]), tuple(map(b.find, v.shape))
        b.agree(ex.product(source.dims), ex.product(dims), "reshape: the operand's size and the requested size")
        packed = b.packed(source, v.dtype, partial(_room_in_target, b, v, source))
        b.view(v, Ref(packed.ptr, dims, contiguous(dims, ITEMSIZE[v.dtype]), packed.base))

    def widen(self, w: Widening, v: Value, operands: Sequence[Value], is_wide: Sequence[bool]) -> Value | None:
        return w.graph.reshape(operands[0], (w.count, *v.shape))

    def mlir(self, e: Writer, v: Value) -> None:
        from tensordsl.codegen.mlir.writer import tensor_type  # late: for exports only

        x = v.operands[0]
        source = e.value(x)
        if not v.rank:
            ones = tensor_type([1] * x.rank, x.dtype)
            e.values[v.number] = e.op(
                f"tensor.collapse_shape {_all_ones(e, x, source)} [] : {ones} into {e.type_of(v)}"
            )
            return
        dims = ", ".join(e.index(n) for n in v.shape)
        shape = e.op(f"tensor.from_elements {dims} : tensor<{v.rank}xindex>")
        e.values[v.number] = e.op(
            f"tensor.reshape {source}({shape}) : ({e.type_of(x)}, tensor<{v.rank}xindex>) -> {e.type_of(v)}"
        )


def _exact_division(total: Any, rest: Any, shape: Sequence[Any], wanted: Sequence[Any], at: int) -> Any:
    """total // rest, with the factors they share cancelled (x.reshape((x.shape[0], -1)) needs no division)."""
    left = list(shape)
    for d, n in enumerate(wanted):
        if d != at and n in left:
            left.remove(n)
        elif d != at and n != 1:
            return ex.floordiv(total, rest)
    return ex.product(left)


def _room_in_target(b: Bufferiser, v: Value, source: Ref) -> Ref | None:
    """Where a reshaped value is wanted, in the shape of its operand, which has to be copied anyhow."""
    targets = b.targets.get(v.number)
    if not targets or b.graph.extents.assumed:  # the sizes may differ at run time
        return None
    home, item = targets[0](), ITEMSIZE[v.dtype]
    if home.strides != contiguous(home.dims, item):
        return None
    return Ref(home.ptr, source.dims, contiguous(source.dims, item), home.base)


def _all_ones(e: Writer, x: Value, source: str) -> str:
    """x, all of whose lengths are 1, with that in its type."""
    from tensordsl.codegen.mlir.writer import tensor_type  # late: for exports only

    t = tensor_type([1] * x.rank, x.dtype)
    return source if e.type_of(x) == t else e.op(f"tensor.cast {source} : {e.type_of(x)} to {t}")
