"""Steps on whole buffers that the library has functions for, in program IR: running sums, sorting, positions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tensordsl.codegen import extents as ex
from tensordsl.codegen import program as p
from tensordsl.codegen.bufferise import Bufferiser
from tensordsl.codegen.build_scatter import collapsed
from tensordsl.codegen.ir import Value
from tensordsl.codegen.scalar import ITEMSIZE
from tensordsl.codegen.select_text import FEW
from tensordsl.codegen.sort_text import PAIR, PLACES, SLACK, room_per_element
from tensordsl.codegen.storage import Ref

SORTS = ("sort", "argsort")


def build_along(b: Bufferiser, v: Value) -> None:
    """A function of the lines along one axis, with scratch for one line where it needs some."""
    x, axis, function = v.operands[0], v.attrs["axis"], v.attrs["function"]
    source = b.ref(x)
    is_heir = v.number in b.heirs and v.number not in b.targets
    ref = source if is_heir else b.destination(v, v.dtype, v.shape)
    layout = list(zip(ref.dims, source.strides, ref.strides, strict=True))
    axes = [layout[axis], *collapsed(layout[:axis] + layout[axis + 1 :])]
    dims, x_strides, y_strides = zip(*axes, strict=True)
    outputs = [_operand(b, ref.ptr, v.dtype, dims, y_strides)]
    scratch = None
    if "part" in v.attrs and not b.device:
        scratch = _scratch_of_part(b, v, dims[0])
        function += "_part"
    elif function in SORTS:
        size = ex.add(ex.mul(room_per_element(function, x.dtype), dims[0]), SLACK)
        scratch = b.allocate((size,), "uint8")
    if scratch is not None:
        outputs.append(_operand(b, scratch.ptr, "uint8", scratch.dims, scratch.strides))
    b.emit(p.LibraryCall(function, (_operand(b, source.ptr, x.dtype, dims, x_strides),), tuple(outputs)))
    if scratch is not None:
        b.reuse(scratch)
    b.finish(v, ref)


def _scratch_of_part(b: Bufferiser, v: Value, length: Any) -> Ref:
    """Scratch for finding the places (first, how many) of lines of a length; it begins with them."""
    first, count = map(b.find, v.attrs["part"])
    size = ex.mul(room_per_element("sort", v.dtype), length)
    if v.attrs["function"] == "argsort":
        best = ex.minimum(ex.add(first, count), ex.sub(length, first))
        size = ex.mul(2 * PAIR, ex.minimum(length, ex.add(best, ex.maximum(best, FEW))))
    scratch = b.allocate((ex.add(size, SLACK + PLACES),), "uint8")
    b.emit(p.StoreScalar(scratch.ptr, b.name(first), "int64"))
    b.emit(p.Offset(behind := b.fresh("p"), scratch.ptr, b.name(8)))
    b.emit(p.StoreScalar(behind, b.name(count), "int64"))
    return scratch


def build_search(b: Bufferiser, v: Value) -> None:
    """The places of all elements of a tensor in a sorted vector."""
    x, wanted = b.ref(v.operands[0]), b.packed(b.ref(v.operands[1]), v.operands[1].dtype)
    ref = b.destination(v, v.dtype, v.shape)
    dtype, many = v.operands[0].dtype, (ex.product(ref.dims),)
    inputs = (
        _operand(b, x.ptr, dtype, x.dims, x.strides),
        _operand(b, wanted.ptr, dtype, many, (ITEMSIZE[dtype],)),
    )
    b.emit(p.LibraryCall(f"searchsorted_{v.attrs['side']}", inputs, (_operand(b, ref.ptr, v.dtype, many, (8,)),)))
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
