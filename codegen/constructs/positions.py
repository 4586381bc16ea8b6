"""Positions that data decide: where a mask is true, and each position as often as a count says."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from tensordsl.codegen.bufferise.bufferiser import Bufferiser
from tensordsl.codegen.library.object_writer import ObjectWriter
from tensordsl.codegen.program_ir import instructions as p
from tensordsl.codegen.scalar_ir.builder import ITEMSIZE
from tensordsl.codegen.tensor_ir import extents as ex
from tensordsl.codegen.tensor_ir.construct import Construct, LibraryFunction, register
from tensordsl.codegen.tensor_ir.graph import Graph, Value
from tensordsl.codegen.tensor_ir.lower import Lowering, loops_of_step
from tensordsl.codegen.tensor_ir.verify import check
from tensordsl.graph.variables import Apply
from tensordsl.ops.array.masks import check_mask_length

if TYPE_CHECKING:
    from tensordsl.codegen.gpu.launch import Operand
    from tensordsl.codegen.mlir.writer import Writer


WRITER = ObjectWriter("tensordsl.codegen.library.arrays.nonzero", "positions_text")


def _true_positions(mask: Any, y: Any) -> None:
    y[...] = np.flatnonzero(mask)


def _repeated_positions(counts: Any, y: Any) -> None:
    y[...] = np.repeat(np.arange(len(counts)), counts)


class _Positions(Construct):
    """As many int64 positions as the second operand says."""

    missing = {"lower_complex": "of masks and counts"}

    def gpu(self, function: str, dtypes: Sequence[str], operands: Sequence[Operand], multiprocessors: int) -> Any:
        from tensordsl.codegen.gpu.library_calls import scan_steps  # late: few programs run on a device

        return scan_steps(function, dtypes, operands, multiprocessors)


@register
class TruePositions(_Positions):
    """true_positions(bounds, axes): where a mask is true; its lengths along `axes` must be those of `bounds`."""

    name = "true_positions"
    library = {name: LibraryFunction(_true_positions, WRITER)}

    def lower(self, low: Lowering, node: Apply, operands: list[Value]) -> list[Value]:
        """Operands: a mask, how many positions there are, and what the mask's axes must measure."""
        g: Graph = low.graph
        x, total, *lengths = operands
        e = g.extents
        bounds, axes = [], []
        for axis, length in enumerate(lengths):
            n, wanted = e.find(x.shape[axis]), e.find(e.value(length))
            if n == wanted:
                continue
            if isinstance(n, int) and isinstance(wanted, int):
                check_mask_length(n, wanted, axis)
            bounds.append((n, wanted, 1, True))
            axes.append(axis)
        loops = loops_of_step(g, operands) if bounds else None
        shape = node.row.shape(e, *operands)
        return [g.make(self.name, (x, total), "int64", shape, loops=loops, bounds=tuple(bounds), axes=tuple(axes))]

    def verify(self, graph: Graph, v: Value) -> None:
        check(v.rank == 1 and v.dtype == "int64", v, "a vector of int64")
        check(v.operands[0].dtype == "bool", v, "a mask")

    def bufferise(self, b: Bufferiser, v: Value) -> None:
        """Where a mask is true; its lengths must be those of `bounds`."""
        for axis, (n, wanted, _, _) in zip(v.attrs["axes"], v.attrs["bounds"], strict=True):
            text = f"boolean index did not match the indexed tensor: lengths of its axis {axis} and of the tensor's"
            b.emit(p.Check("eq", b.name(n), b.name(wanted), b.site("index", b.node_of(v), text)))
        _list_positions(b, v)

    def mlir(self, e: Writer, v: Value) -> None:
        """A position of the flat mask is written where the next one goes, if the mask is true."""
        from tensordsl.codegen.mlir.writer import choice, loops  # late: for exports only

        mask = v.operands[0]
        if e.checks:
            for axis, (n, wanted, _, _) in zip(v.attrs["axes"], v.attrs["bounds"], strict=True):
                holds = e.op(f"arith.cmpi eq, {e.index(n)}, {e.index(wanted)} : index")
                e.put(f'cf.assert {holds}, "boolean index: lengths of its axis {axis} and of the tensor\'s"')
        source, (init, t), one = e.value(mask), e.empty(v.shape, "int64"), e.index(1)

        def step(at: list[str], known: list[str]) -> list[str]:
            whole, done, flat = known
            item = e.op(f"tensor.extract {source}[{', '.join(at)}] : {e.type_of(mask)}")
            following = e.op(f"arith.addi {flat}, {one} : index")

            def listed() -> list[str]:
                position = e.op(f"arith.index_cast {flat} : index to i64")
                written = e.op(f"tensor.insert {position} into {whole}[{done}] : {t}")
                return [written, e.op(f"arith.addi {done}, {one} : index")]

            return [*choice(e, item, (t, "index"), (listed, lambda: [whole, done])), following]

        zero, ends = e.index(0), [e.index(n) for n in mask.shape]
        e.values[v.number] = loops(e, ends, ((init, t), (zero, "index"), (zero, "index")), step)[0]


@register
class RepeatedPositions(_Positions):
    """repeated_positions: each position as often as a count says; the third operand is the least count."""

    name = "repeated_positions"
    library = {name: LibraryFunction(_repeated_positions, WRITER)}

    def lower(self, low: Lowering, node: Apply, operands: list[Value]) -> list[Value]:
        """The program checks the least count."""
        from tensordsl.ops.table import OPS  # late: the table imports every row

        g: Graph = low.graph
        counts, total = operands
        least = g.reduce(OPS["min"].meaning, 0, (0,), [counts])
        shape = node.row.shape(g.extents, *operands)
        loops = loops_of_step(g, operands)
        return [g.make(self.name, (counts, total, least), "int64", shape, loops=loops)]

    def verify(self, graph: Graph, v: Value) -> None:
        check(v.rank == 1 and v.dtype == "int64", v, "a vector of int64")
        check(v.operands[0].dtype == "int64", v, "counts")

    def bufferise(self, b: Bufferiser, v: Value) -> None:
        """Each position as often as a count says."""
        least = b.fresh("q")
        b.emit(p.LoadScalar(least, b.ref(v.operands[2]).ptr, "int64"))
        b.emit(
            p.Check("ge", least, b.name(0), b.site("check", b.node_of(v), "repeats may not contain negative values"))
        )
        _list_positions(b, v)

    def mlir(self, e: Writer, v: Value) -> None:
        from tensordsl.codegen.mlir.writer import loops  # late: for exports only

        counts = v.operands[0]
        source, (init, t), one = e.value(counts), e.empty(v.shape, "int64"), e.index(1)

        def several(at: list[str], known: list[str]) -> list[str]:
            times = e.op(f"tensor.extract {source}[{at[0]}] : {e.type_of(counts)}")
            end = e.op(f"arith.index_cast {times} : i64 to index")
            position = e.op(f"arith.index_cast {at[0]} : index to i64")

            def another(_: list[str], known: list[str]) -> list[str]:
                whole, done = known
                written = e.op(f"tensor.insert {position} into {whole}[{done}] : {t}")
                return [written, e.op(f"arith.addi {done}, {one} : index")]

            return loops(e, [end], tuple(zip(known, (t, "index"), strict=True)), another)

        ends = [e.index(n) for n in counts.shape]
        e.values[v.number] = loops(e, ends, ((init, t), (e.index(0), "index")), several)[0]


def _list_positions(b: Bufferiser, v: Value) -> None:
    x = v.operands[0]
    source = b.packed(b.ref(x), x.dtype)
    ref = b.destination(v, v.dtype, v.shape)
    given = b.operand(source.ptr, x.dtype, (ex.product(source.dims),), (ITEMSIZE[x.dtype],))
    b.emit(p.LibraryCall(v.op, (given,), (b.operand(ref.ptr, v.dtype, ref.dims, ref.strides),)))
    b.finish(v, ref)
