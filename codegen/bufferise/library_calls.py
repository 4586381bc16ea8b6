"""Steps on whole buffers that the library has functions for, in program IR: running sums, sorting, positions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, NamedTuple

from tensordsl.codegen.bufferise.bufferiser import Bufferiser
from tensordsl.codegen.bufferise.row_blocks import block_of, blocks_of, quotient, times
from tensordsl.codegen.bufferise.scatter import collapsed
from tensordsl.codegen.program_ir import instructions as p
from tensordsl.codegen.program_ir.storage import Block, Ref, Scope
from tensordsl.codegen.scalar_ir.builder import ITEMSIZE
from tensordsl.codegen.target.machine import CACHE_LINE_BYTES
from tensordsl.codegen.target.tuning import CallTuning
from tensordsl.codegen.tensor_ir import extents as ex
from tensordsl.codegen.tensor_ir.graph import Value

SORTS = ("sort", "argsort")


def build_along(b: Bufferiser, v: Value) -> None:
    """A function of the lines along one axis, with scratch for one line of each part where it needs some."""
    x, axis, function = v.operands[0], v.attrs["axis"], v.attrs["function"]
    source = b.ref(x)
    is_heir = v.number in b.heirs and v.number not in b.targets
    ref = source if is_heir else b.destination(v, v.dtype, v.shape)
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


class _Lines(NamedTuple):
    """Lengths and byte strides of the lines' axis and of the others, from one place to the next."""

    dims: tuple[Any, ...]
    x_strides: tuple[Any, ...]
    y_strides: tuple[Any, ...]


def _is_shared(b: Bufferiser, v: Value, lines: _Lines) -> bool:
    """Whether threads may share the lines out: one instruction writes state, and running sums take longer where columns
    are parted."""
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
        outputs.append(_operand(b, scratch.ptr, "uint8", scratch.dims[-1:], (1,)))
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


def build_search(b: Bufferiser, v: Value) -> None:
    """The places of all elements of a tensor in a sorted vector."""
    x, wanted = b.ref(v.operands[0]), b.packed(b.ref(v.operands[1]), v.operands[1].dtype)
    ref = b.destination(v, v.dtype, v.shape)
    dtype, count = v.operands[0].dtype, ex.product(ref.dims)
    name, size, given = f"searchsorted_{v.attrs['side']}", ITEMSIZE[dtype], _operand(b, x.ptr, dtype, x.dims, x.strides)
    if b.device or v.number in b.late or (isinstance(count, int) and count <= b.tuning.calls.search_task_elements):
        places = _operand(b, ref.ptr, v.dtype, (count,), (8,))
        b.emit(p.LibraryCall(name, (given, _operand(b, wanted.ptr, dtype, (count,), (size,))), (places,)))
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


def build_true(b: Bufferiser, v: Value) -> None:
    """Where a mask is true; its lengths must be those of `bounds`."""
    for axis, (n, wanted, _, _) in zip(v.attrs["axes"], v.attrs["bounds"], strict=True):
        text = f"boolean index did not match the indexed tensor: lengths of its axis {axis} and of the tensor's"
        b.emit(p.Check("eq", b.name(n), b.name(wanted), b.site("index", b.node_of(v), text)))
    _list_positions(b, v)


def build_repeated(b: Bufferiser, v: Value) -> None:
    """Each position as often as a count says."""
    least = b.fresh("q")
    b.emit(p.LoadScalar(least, b.ref(v.operands[2]).ptr, "int64"))
    b.emit(p.Check("ge", least, b.name(0), b.site("check", b.node_of(v), "repeats may not contain negative values")))
    _list_positions(b, v)


def _list_positions(b: Bufferiser, v: Value) -> None:
    x = v.operands[0]
    source = b.packed(b.ref(x), x.dtype)
    ref = b.destination(v, v.dtype, v.shape)
    given = _operand(b, source.ptr, x.dtype, (ex.product(source.dims),), (ITEMSIZE[x.dtype],))
    b.emit(p.LibraryCall(v.op, (given,), (_operand(b, ref.ptr, v.dtype, ref.dims, ref.strides),)))
    b.finish(v, ref)


def _operand(b: Bufferiser, ptr: str, dtype: str, dims: Sequence[Any], strides: Sequence[Any]) -> p.Operand:
    return ptr, dtype, tuple(map(b.name, dims)), tuple(map(b.name, strides))
