"""searchsorted: places of the elements of a tensor in a sorted vector."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from tensordsl.codegen.bufferise.bufferiser import Bufferiser
from tensordsl.codegen.bufferise.row_blocks import block_of, blocks_of, quotient
from tensordsl.codegen.library.object_writer import ObjectWriter
from tensordsl.codegen.program_ir import instructions as p
from tensordsl.codegen.program_ir.storage import Scope
from tensordsl.codegen.scalar_ir.builder import ITEMSIZE
from tensordsl.codegen.tensor_ir import extents as ex
from tensordsl.codegen.tensor_ir.construct import Construct, LibraryFunction, register
from tensordsl.codegen.tensor_ir.graph import Graph, Value
from tensordsl.codegen.tensor_ir.lower import Lowering
from tensordsl.codegen.tensor_ir.lower_complex import of_dtype
from tensordsl.codegen.tensor_ir.verify import check, same_shape
from tensordsl.graph.casting import upcast
from tensordsl.graph.variables import Apply

if TYPE_CHECKING:
    from tensordsl.codegen.gpu.launch import Operand
    from tensordsl.codegen.mlir.writer import Writer


WRITER = ObjectWriter("tensordsl.codegen.library.sort.driver", "sort_text", of_dtype=True)


def _search(side: Any) -> Callable[..., None]:
    def run(x: Any, v: Any, y: Any) -> None:
        y[...] = np.searchsorted(x, v, side)

    return run


@register
class SearchSorted(Construct):
    """searchsorted(side): places of the second operand's elements in the first, a sorted vector."""

    name = "searchsorted"
    library = {
        f"searchsorted_{side}": LibraryFunction(_search(side), WRITER, work_ns=10_000) for side in ("left", "right")
    }

    def lower(self, low: Lowering, node: Apply, operands: list[Value]) -> list[Value]:
        """Both operands in their common dtype, as NumPy compares them."""
        g: Graph = low.graph
        dtype = upcast(*(o.dtype for o in operands))
        x, v = (g.cast(o, dtype) for o in operands)
        return [g.make(self.name, (x, v), "int64", v.shape, side=node.attrs["side"])]

    def lower_complex(self, low: Lowering, node: Apply, operands: list[Value]) -> list[Value]:
        dtype = upcast(*(o.dtype for o in operands))
        return self.lower(low, node, [of_dtype(low.graph, v, dtype) for v in operands])

    def verify(self, graph: Graph, v: Value) -> None:
        x, wanted = v.operands
        check(x.rank == 1 and x.dtype == wanted.dtype, v, "a sorted vector of the dtype of what is searched for")
        check(v.dtype == "int64" and same_shape(graph, wanted.shape, v.shape), v, "a place for each")

    def bufferise(self, b: Bufferiser, v: Value) -> None:
        """The places of all elements of a tensor in a sorted vector."""
        x, wanted = b.ref(v.operands[0]), b.packed(b.ref(v.operands[1]), v.operands[1].dtype)
        ref = b.destination(v, v.dtype, v.shape)
        dtype, count = v.operands[0].dtype, ex.product(ref.dims)
        name, size, given = (
            f"searchsorted_{v.attrs['side']}",
            ITEMSIZE[dtype],
            b.operand(x.ptr, dtype, x.dims, x.strides),
        )
        if b.device or v.number in b.late or (isinstance(count, int) and count <= b.tuning.calls.search_task_elements):
            places = b.operand(ref.ptr, v.dtype, (count,), (8,))
            b.emit(p.LibraryCall(name, (given, b.operand(wanted.ptr, dtype, (count,), (size,))), (places,)))
        else:
            step = ex.maximum(quotient(count, b.tuning.blocking.max_parts), b.tuning.calls.search_task_elements)
            block = block_of(b, count, step, step)
            strides = b.name(size), b.name(8)
            b.scopes.append(Scope())
            mine = b.shifted(block, wanted, size), dtype, (block.here,), strides[:1]
            places = b.shifted(block, ref, 8), v.dtype, (block.here,), strides[1:]
            b.emit(p.LibraryCall(name, (given, mine), (places,)))
            b.emit(blocks_of(b, block, count, b.close_scope()))
        b.finish(v, ref)

    def mlir(self, e: Writer, v: Value) -> None:
        from tensordsl.codegen.mlir.writer import call  # late: for exports only

        call(e, v, f"searchsorted_{v.attrs['side']}", v.operands)

    def gpu(self, function: str, dtypes: Sequence[str], operands: Sequence[Operand], multiprocessors: int) -> Any:
        from tensordsl.codegen.gpu.library_calls import search_steps  # late: few programs run on a device

        return search_steps(function, dtypes, operands, multiprocessors)
