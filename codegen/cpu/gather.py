"""Gathers: loads at indices in a kernel, NumPy's indices wrapped and checked.

Contract  indices in lanes, a source's length and stride -> the loaded elements, and a flag for indices out of range.
When      a value of the group is a load at an index (`take`).
Why       adjacent indices need one comparison; gather instructions are slow on most processors (`has_gathers`).
"""

from __future__ import annotations

from collections.abc import Sequence

from tensordsl.base.records import record
from tensordsl.codegen.abi.descriptor import READ, SPLAT
from tensordsl.codegen.cpu.kernel import LANES, Kernel
from tensordsl.codegen.llvm.emit_scalars import Code, constant, llvm_type, splat
from tensordsl.codegen.llvm.vector_builder import from_memory, gathered, memory_type, merged
from tensordsl.codegen.scalar_ir.builder import ITEMSIZE, SIGNED, Val, unwidened
from tensordsl.graph.types import COMPLEX


@record
class Along:
    """Where the lanes' elements are along one axis: at `index`, `step` bytes times it.  `dtype`, `extent`: those of an
    index that is to be wrapped and checked; else it is a position."""

    index: str
    step: str
    dtype: str = ""
    extent: str = ""


def narrow(k: Kernel, index: Val) -> Val:
    """An index as it is in memory, where it was only cast."""
    short = unwidened(index)
    return short if k.lanes.get(id(short)) in k.adjacent else index


def gather(k: Kernel, operand: int, dtype: str, places: Sequence[Along]) -> str:
    """One element per lane, from the operand's current address on."""
    if len(places) == 1 and places[0].index in k.adjacent and dtype not in COMPLEX and k.form == LANES:
        return _one_by_one(k, operand, dtype, places[0])
    code, W, offset = k.body, k.width, "zeroinitializer"
    for p in places:
        index = wrapped(k, code, p.index, p.dtype, p.extent, W) if p.extent else p.index
        offset = code.op(f"add <{W} x i64> {offset}, {_scaled(k, index, p.step, ITEMSIZE[dtype])}")
    return _at_offsets(k, operand, dtype, offset)


def wrapped(k: Kernel, code: Code, index: str, dtype: str, extent: str, W: int) -> str:
    """NumPy's index: negative ones count from the end; out of range raises the flag and gives 0."""
    key = f"{id(code)} {index} of {extent}"
    if key not in k.once:
        k.once[key], wrong = _in_range(k, code, index, dtype, extent, W)
        k.flag(code, wrong)
    return k.once[key]


def _in_range(k: Kernel, code: Code, index: str, dtype: str, extent: str, W: int) -> tuple[str, str]:
    """(the positions, was any index out of range?)"""
    t, mask = llvm_type("int64", W), llvm_type("bool", W)
    index = _widened(code, index, dtype, W)
    n, zero = splat(k.before if W > 1 else code, extent, "int64", W), constant(0, "int64", W)
    moved = code.op(f"add {t} {index}, {n}")
    low = code.op(f"icmp slt {t} {index}, {zero}")
    index = code.op(f"select {mask} {low}, {t} {moved}, {t} {index}")
    wrong = code.op(f"icmp uge {t} {index}, {n}")
    return code.op(f"select {mask} {wrong}, {t} {zero}, {t} {index}"), code.any(wrong, W)


def _widened(code: Code, index: str, dtype: str, W: int = 1) -> str:
    if ITEMSIZE[dtype] == 8:
        return index
    return code.op(f"{'sext' if dtype in SIGNED else 'zext'} {llvm_type(dtype, W)} {index} to {llvm_type('int64', W)}")


def _scaled(k: Kernel, index: str, step: str, itemsize: int) -> str:
    """index * step, in bytes.  Most often elements are adjacent: products of int64 take as long as the gather."""
    W, code, t = k.width, k.body, f"<{k.width} x i64>"
    every = splat(k.before, step, "int64", W)
    if k.form != LANES:
        return code.op(f"mul {t} {index}, {every}")
    near = k.head.op(f"icmp eq i64 {step}, {itemsize}")
    close = code.op(f"shl {t} {index}, {constant(itemsize.bit_length() - 1, 'int64', W)}")
    far, done, before = code.label("far"), code.label("scaled"), code.block
    code.do(f"br i1 {near}, label %{done}, label %{far}")
    code.place(far)
    product = code.op(f"mul {t} {index}, {every}")
    code.do(f"br label %{done}")
    code.place(done)
    return code.op(f"phi {t} [ {close}, %{before} ], [ {product}, %{far} ]")


def _at_offsets(k: Kernel, operand: int, dtype: str, offset: str) -> str:
    base = k.pointer(SPLAT, operand, ITEMSIZE[dtype], READ)
    return gathered(k.body, k.body.op(f"getelementptr i8, ptr {base}, <{k.width} x i64> {offset}"), dtype, k.width)


def _one_by_one(k: Kernel, operand: int, dtype: str, place: Along) -> str:
    """Elements at adjacent indices: each by itself if they are adjacent too and all indices are positions already."""
    code, W = k.body, k.width
    near, far, done = (code.label(name) for name in ("near", "far", "gathered"))
    code.do(f"br i1 {_are_positions(k, place, ITEMSIZE[dtype])}, label %{near}, label %{far}")
    code.place(near)
    by_lane = ITEMSIZE[dtype] < 4 or "gathers" not in code.isa
    each = (_each if by_lane else _at_positions)(k, operand, dtype, place)
    code.do(f"br label %{done}")
    code.place(far)
    index, wrong = _in_range(k, code, place.index, place.dtype, place.extent, W)
    every = splat(k.before, place.step, "int64", W)
    all_at_once = _at_offsets(k, operand, dtype, code.op(f"mul <{W} x i64> {index}, {every}"))
    last = code.block
    code.do(f"br label %{done}")
    code.place(done)
    failed = code.op(f"phi i1 [ false, %{near} ], [ {wrong}, %{last} ]")
    value = merged(code, [(each, near), (all_at_once, last)], dtype, W)
    k.flag(code, failed)
    return value


def _are_positions(k: Kernel, place: Along, itemsize: int) -> str:
    """An i1: are the elements adjacent, and all indices from 0 to the length less 1, or what their dtype ends at?"""
    inside, near = f"{place.index} inside {place.extent}", f"{place.step} is {itemsize}"
    if inside not in k.once:
        k.once[inside] = _inside(k, place)
    if near not in k.once:
        k.once[near] = k.head.op(f"icmp eq i64 {place.step}, {itemsize}")
    return k.body.op(f"and i1 {k.once[inside]}, {k.once[near]}")


def _inside(k: Kernel, place: Along) -> str:
    code, W, bits = k.body, k.width, 8 * ITEMSIZE[place.dtype]
    end = _last(k, place.extent)
    if bits < 64:
        most = constant((1 << bits - (place.dtype in SIGNED)) - 1, "int64")
        end = k.head.op(f"trunc i64 {k.head.intrinsic('umin', 'int64', 1, end, most)} to i{bits}")
    beyond = code.op(f"icmp ugt {llvm_type(place.dtype, W)} {place.index}, {splat(k.before, end, place.dtype, W)}")
    return code.op(f"xor i1 {code.any(beyond, W)}, true")


def _last(k: Kernel, extent: str) -> str:
    key = f"the last of {extent}"
    if key not in k.once:
        k.once[key] = k.head.op(f"sub i64 {extent}, 1")
    return k.once[key]


def _at_positions(k: Kernel, operand: int, dtype: str, place: Along) -> str:
    code, W, base = k.body, k.width, k.pointer(SPLAT, operand, ITEMSIZE[dtype], READ)
    index = _widened(code, place.index, place.dtype, W)
    return gathered(code, code.op(f"getelementptr {memory_type(dtype)}, ptr {base}, <{W} x i64> {index}"), dtype, W)


def _each(k: Kernel, operand: int, dtype: str, place: Along) -> str:
    """Indices are read again, and bounded: a thread of the caller's may have written others since they were checked."""
    code, element, value = k.body, memory_type(dtype), "poison"
    base, indices = k.pointer(SPLAT, operand, ITEMSIZE[dtype], READ), k.adjacent[place.index]
    kind, size = memory_type(place.dtype), ITEMSIZE[place.dtype]
    for lane in range(k.width):
        at = code.op(f"getelementptr {kind}, ptr {indices}, i64 {lane}")
        index = _widened(code, code.op(f"load {kind}, ptr {at}, align {size}"), place.dtype)
        index = code.intrinsic("umin", "int64", 1, index, _last(k, place.extent))
        at = code.op(f"getelementptr {element}, ptr {base}, i64 {index}")
        one = code.op(f"load {element}, ptr {at}, align {ITEMSIZE[dtype]}")
        value = code.op(f"insertelement {memory_type(dtype, k.width)} {value}, {element} {one}, i32 {lane}")
    return from_memory(code, value, dtype, k.width)
