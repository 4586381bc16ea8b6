"""along: functions of the lines along one axis: running sums and products, and sorting."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from tensordsl.codegen.bufferise.bufferiser import Bufferiser
from tensordsl.codegen.bufferise.row_blocks import block_of, blocks_of, quotient, times
from tensordsl.codegen.bufferise.scatter import collapsed
from tensordsl.codegen.library.object_writer import ObjectWriter
from tensordsl.codegen.program_ir import instructions as p
from tensordsl.codegen.program_ir.storage import Block, Ref, Scope
from tensordsl.codegen.scalar_ir.builder import FLOATS, ITEMSIZE
from tensordsl.codegen.target.machine import CACHE_LINE_BYTES
from tensordsl.codegen.target.tuning import CallTuning
from tensordsl.codegen.tensor_ir import extents as ex
from tensordsl.codegen.tensor_ir.construct import Construct, LibraryFunction, Traits, register
from tensordsl.codegen.tensor_ir.graph import Graph, Value
from tensordsl.codegen.tensor_ir.lower import Lowering
from tensordsl.codegen.tensor_ir.lower_complex import split_complex
from tensordsl.codegen.tensor_ir.verify import check, same_shape
from tensordsl.graph.variables import Apply

if TYPE_CHECKING:
    from tensordsl.codegen.gpu.launch import Operand
    from tensordsl.codegen.mlir.writer import Writer

SORTS = ("sort", "argsort")
SCAN = ObjectWriter("tensordsl.codegen.library.arrays.scan", "cumulate_text", of_dtype=True)
SORT = ObjectWriter("tensordsl.codegen.library.sort.driver", "sort_text", of_dtype=True)
SELECT = ObjectWriter("tensordsl.codegen.library.sort.argselect", "select_text", of_dtype=True)


def _cumulate(ufunc: Any) -> Callable[..., None]:
    def run(x: Any, y: Any) -> None:
        with np.errstate(all="ignore"):
            y[...] = ufunc.accumulate(x, 0, dtype=y.dtype)

    return run


def _part_of(order: Callable[..., Any]) -> Callable[..., None]:
    def run(x: Any, y: Any, room: Any) -> None:
        first, count = room[:16].view("int64")
        y[first : first + count] = order(x, 0, kind="stable")[first : first + count]

    return run


def _of(order: Callable[..., Any]) -> Callable[..., None]:
    def run(x: Any, y: Any, room: Any) -> None:
        y[...] = order(x, 0, kind="stable")

    return run


@register
class Along(Construct):
    """along(function, axis, part): x is read in its own dtype.  Of a sort or argsort with `part` only so many places
    from a first one on are wanted."""

    name, traits = "along", Traits(stores_operands=True, makes_floats=True, begins_with=0, fits_any_place=True)
    library = {
        "cumsum": LibraryFunction(_cumulate(np.add), SCAN),
        "cumprod": LibraryFunction(_cumulate(np.multiply), SCAN),
        "sort": LibraryFunction(_of(np.sort), SORT, work_ns=10_000),
        "sort_part": LibraryFunction(_part_of(np.sort), SORT, work_ns=1_000),
        "argsort": LibraryFunction(_of(np.argsort), SORT, work_ns=20_000),
        "argsort_part": LibraryFunction(_part_of(np.argsort), SELECT, work_ns=2_000),
    }

    def lower(self, low: Lowering, node: Apply, operands: list[Value]) -> list[Value]:
        """x is read in its own dtype: the library widens what it loads."""
        (x,) = operands
        dtype, axis = node.outputs[0].type.dtype, node.attrs["axis"]
        return [low.graph.make(self.name, (x,), dtype, x.shape, function=node.row.name, axis=axis)]

    def lower_complex(self, low: Lowering, node: Apply, operands: list[Value]) -> list[Value]:
        return [split_complex(low, v) for v in self.lower(low, node, operands)]

    def verify(self, graph: Graph, v: Value) -> None:
        check(same_shape(graph, v.operands[0].shape, v.shape), v, "the shape of the operand")
        check(0 <= v.attrs["axis"] < v.rank, v, "an axis of the operand")
        check(
            "part" not in v.attrs or v.attrs["function"] in ("sort", "argsort"), v, "an order, if it is a part of one"
        )

    def bufferise(self, b: Bufferiser, v: Value) -> None:
        """A function of the lines along one axis, with scratch for one line of each part where it needs some."""
        x, axis, function = v.operands[0], v.attrs["axis"], v.attrs["function"]
        source = b.ref(x)
        is_in_place = v.number in b.in_place and v.number not in b.targets
        ref = source if is_in_place else b.destination(v, v.dtype, v.shape)
        layout = list(zip(ref.dims, source.strides, ref.strides, strict=True))
        lines = _Lines(*zip(layout[axis], *collapsed(layout[:axis] + layout[axis + 1 :]), strict=True))
        size: Any = None
        first: Sequence[Any] = ()
        if "part" in v.attrs and not b.device:
            size, first = _scratch_of_part(b, v, lines.dims[0])
            function += "_part"
        elif function in SORTS:
            size = _scratch_of_line(function, x.dtype, lines.dims[0])
        block = _block(b, v, lines, size or 0) if _is_shared(b, v, lines) else None
        scratch = None if size is None else _scratch(b, size, block)
        if block is None:
            _call(b, v, function, lines, None, (source, ref, scratch), first)
        else:
            b.scopes.append(Scope())
            _call(b, v, function, lines, block, _of_block(b, lines, block, source, ref, scratch), first)
            b.emit(blocks_of(b, block, lines.dims[1], b.close_scope()))
        if scratch is not None:
            b.reuse(scratch)
        b.finish(v, ref)

    def mlir(self, e: Writer, v: Value) -> None:
        """A running sum or product; sorting has no structured form, and is a call."""
        from tensordsl.codegen.mlir.writer import call  # late: for exports only

        if v.attrs["function"] in ("cumsum", "cumprod"):
            _cumulate_mlir(e, v)
            return
        call(e, v, v.attrs["function"], v.operands[:1])

    def gpu(self, function: str, dtypes: Sequence[str], operands: Sequence[Operand], multiprocessors: int) -> Any:
        from tensordsl.codegen.gpu.library_calls import scan_steps, sort_steps  # late: few programs run on a device

        steps = sort_steps if function in SORTS else scan_steps
        return steps(function, dtypes, operands, multiprocessors)


class _Lines(NamedTuple):
    """Lengths and byte strides of the lines' axis and of the others, from one place to the next."""

    dims: tuple[Any, ...]
    x_strides: tuple[Any, ...]
    y_strides: tuple[Any, ...]


def _is_shared(b: Bufferiser, v: Value, lines: _Lines) -> bool:
    """Whether threads may share the lines out: one instruction writes state, and running sums of split columns
    are slower."""
    if b.device or len(lines.dims) < 2 or v.number in b.late:
        return False
    return v.attrs["function"] in SORTS or lines.y_strides[1] != ITEMSIZE[v.dtype]


def _block(b: Bufferiser, v: Value, lines: _Lines, scratch: Any) -> Block:
    """Lines of a block, all if they are few; each block is a part."""
    length, count, *others = lines.dims
    t = b.tuning.calls
    few = quotient(_task_elements(t, v.attrs["function"]), ex.product((length, *others)))
    together = ex.maximum(ex.minimum(few, t.lines_together), 1)
    least = ex.maximum(quotient(count, b.tuning.blocking.max_parts), quotient(ex.mul(count, scratch), t.scratch_bytes))
    step = ex.mul(together, ex.maximum(quotient(ex.maximum(few, least), together), 1))
    return block_of(b, count, step, step)


def _task_elements(t: CallTuning, function: str) -> int:
    return t.sort_task_elements if function in SORTS else t.scan_task_elements


def _scratch(b: Bufferiser, size: Any, block: Block | None) -> Ref:
    if block is None:
        return b.allocate((size,), "uint8")
    return b.allocate((ex.add(block.others, 1), ex.mul(CACHE_LINE_BYTES, quotient(size, CACHE_LINE_BYTES))), "uint8")


def _of_block(
    b: Bufferiser, lines: _Lines, block: Block, source: Ref, ref: Ref, scratch: Ref | None
) -> tuple[Ref, Ref, Ref | None]:
    x, y = (
        replace(r, ptr=b.shifted(block, r, strides[1]))
        for r, strides in ((source, lines.x_strides), (ref, lines.y_strides))
    )
    if scratch is None:
        return x, y, None
    return x, y, replace(scratch, ptr=times(b, scratch.ptr, block.slot, scratch.dims[1]))


def _call(
    b: Bufferiser, v: Value, function: str, lines: _Lines, block: Block | None, of_block: tuple[Ref, Ref, Ref | None],
    first: Sequence[Any],
) -> None:  # fmt: skip
    """first: integers that the scratch begins with."""
    source, ref, scratch = of_block
    dims = tuple(map(b.name, lines.dims))
    if block is not None:
        dims = dims[0], block.here, *dims[2:]
    given = source.ptr, v.operands[0].dtype, dims, tuple(map(b.name, lines.x_strides))
    outputs = [(ref.ptr, v.dtype, dims, tuple(map(b.name, lines.y_strides)))]
    if scratch is not None:
        outputs.append(b.operand(scratch.ptr, "uint8", scratch.dims[-1:], (1,)))
        for k, number in enumerate(first):
            place = scratch.ptr
            if k:
                b.emit(p.Offset(place := b.fresh("p"), scratch.ptr, b.name(8 * k)))
            b.emit(p.StoreScalar(place, b.name(number), "int64"))
    b.emit(p.LibraryCall(function, (given,), tuple(outputs)))


def _scratch_of_line(function: str, dtype: str, length: Any) -> Any:
    """Bytes of scratch for sorting a line."""
    from tensordsl.codegen.library.sort.driver import SLACK_BYTES, room_per_element  # late: few programs sort

    return ex.add(ex.mul(room_per_element(function, dtype), length), SLACK_BYTES)


def _scratch_of_part(b: Bufferiser, v: Value, length: Any) -> tuple[Any, tuple[Any, Any]]:
    """Bytes of scratch for finding the places (first, how many) of lines of a length; it begins with them."""
    from tensordsl.codegen.library.sort.argselect import MIN_CANDIDATES  # late: few programs sort
    from tensordsl.codegen.library.sort.driver import PAIR_BYTES, PLACES_BYTES, SLACK_BYTES, room_per_element

    first, count = map(b.find, v.attrs["part"])
    size = ex.mul(room_per_element("sort", v.dtype), length)
    if v.attrs["function"] == "argsort":
        best = ex.minimum(ex.add(first, count), ex.sub(length, first))
        size = ex.mul(2 * PAIR_BYTES, ex.minimum(length, ex.add(best, ex.maximum(best, MIN_CANDIDATES))))
    return ex.add(size, SLACK_BYTES + PLACES_BYTES), (first, count)


def _cumulate_mlir(e: Writer, v: Value) -> None:
    """Along each line of the axis: its running value goes with it."""
    from tensordsl.codegen.mlir.scalars import TYPE  # late: for exports only
    from tensordsl.codegen.mlir.writer import loops  # late: for exports only

    (x,), axis = v.operands, v.attrs["axis"]
    source, kind = e.value(x), TYPE[v.dtype]
    init, t = e.empty(v.shape, v.dtype)
    product = v.attrs["function"] == "cumprod"
    start = e.scalars.constant(1 if product else -0.0 if v.dtype in FLOATS else 0, v.dtype)
    word = f"arith.{'mul' if product else 'add'}{'f' if v.dtype in FLOATS else 'i'}"

    def line(outer: list[str], carried: list[str]) -> list[str]:
        def step(inner: list[str], known: list[str]) -> list[str]:
            at = ", ".join((*outer[:axis], *inner, *outer[axis:]))
            item = e.scalars.cast(e.op(f"tensor.extract {source}[{at}] : {e.type_of(x)}"), x.dtype, v.dtype)
            value = e.op(f"{word} {known[1]}, {item} : {kind}")
            return [e.op(f"tensor.insert {value} into {known[0]}[{at}] : {t}"), value]

        return loops(e, [e.index(v.shape[axis])], ((carried[0], t), (start, kind)), step)[:1]

    others = [e.index(n) for d, n in enumerate(v.shape) if d != axis]
    e.index(v.shape[axis])
    e.values[v.number] = loops(e, others, ((init, t),), line)[0]
