"""Vectors in memory: some lanes of rows, adjacent or with steps between them.

Contract  an address, a mask of lanes, the step from lane to lane in bytes -> loads and stores of these lanes alone.
"""

from __future__ import annotations

from tensordsl.base.records import record
from tensordsl.codegen.llvm.clone import mangled
from tensordsl.codegen.llvm.emit_scalars import llvm_type, load, memory_type, splat, store
from tensordsl.codegen.llvm.vector_builder import from_memory, to_memory
from tensordsl.codegen.rounds.flow import Flow, Operand
from tensordsl.codegen.scalar_ir.builder import ITEMSIZE


@record
class Lanes:
    """A vector's lanes, of which those of the mask are there; no mask: one number."""

    width: int
    mask: str = ""


ONE = Lanes(1)


def load_lanes(f: Flow, place: str, dtype: str, lanes: Lanes, step: Operand, adjacent: str = "") -> str:
    """adjacent: an i1, where only a call can tell whether the step is the element's size."""
    if lanes.width == 1:
        return load(f, place, dtype)
    if step == ITEMSIZE[dtype]:
        return _load(f, place, dtype, lanes)
    if not adjacent:
        return _gather(f, _places(f, place, step, lanes.width), dtype, lanes)
    near, far, done = (f.label(name) for name in ("near", "far", "loaded"))
    f.branch(adjacent, near, far)
    f.place(near)
    rows = _load(f, place, dtype, lanes)
    last = f.block
    f.jump(done)
    f.place(far)
    single = _gather(f, _places(f, place, step, lanes.width), dtype, lanes)
    end = f.block
    f.jump(done)
    f.place(done)
    return f.op(f"phi {llvm_type(dtype, lanes.width)} [ {rows}, %{last} ], [ {single}, %{end} ]")


def store_lanes(
    f: Flow, value: str, place: str, dtype: str, lanes: Lanes, step: Operand, adjacent: str = ""
) -> None:  # fmt: skip
    if lanes.width == 1:
        store(f, value, place, dtype)
        return
    if step == ITEMSIZE[dtype]:
        _store(f, value, place, dtype, lanes)
        return
    if not adjacent:
        _scatter(f, value, _places(f, place, step, lanes.width), dtype, lanes)
        return
    near, far, done = (f.label(name) for name in ("near", "far", "stored"))
    f.branch(adjacent, near, far)
    f.place(near)
    _store(f, value, place, dtype, lanes)
    f.jump(done)
    f.place(far)
    _scatter(f, value, _places(f, place, step, lanes.width), dtype, lanes)
    f.jump(done)
    f.place(done)


def gather_lanes(f: Flow, base: str, offsets: str, dtype: str, lanes: Lanes) -> str:
    """Elements at an offset in bytes for each lane."""
    place = f.op(f"getelementptr i8, ptr {base}, {llvm_type('int64', lanes.width)} {offsets}")
    return load(f, place, dtype) if lanes.width == 1 else _gather(f, place, dtype, lanes)


def _places(f: Flow, place: str, step: Operand, W: int) -> str:
    t = llvm_type("int64", W)
    numbers = f"<{', '.join(f'i64 {k}' for k in range(W))}>"
    offsets = f.op(f"mul {t} {numbers}, {splat(f, str(step), 'int64', W)}")
    return f.op(f"getelementptr i8, ptr {place}, {t} {offsets}")


def _load(f: Flow, place: str, dtype: str, lanes: Lanes) -> str:
    W, t = lanes.width, memory_type(dtype, lanes.width)
    symbol = f"llvm.masked.load.{mangled(t)}.p0"
    f.declarations[symbol] = f"declare {t} @{symbol}(ptr, i32, <{W} x i1>, {t})"
    f.loads(W * ITEMSIZE[dtype])
    rest = f"i32 {ITEMSIZE[dtype]}", f"<{W} x i1> {lanes.mask}", f"{t} zeroinitializer"
    return from_memory(f, f.call(symbol, t, f"ptr {place}", *rest), dtype, W)


def _store(f: Flow, value: str, place: str, dtype: str, lanes: Lanes) -> None:
    W, t = lanes.width, memory_type(dtype, lanes.width)
    symbol = f"llvm.masked.store.{mangled(t)}.p0"
    f.declarations[symbol] = f"declare void @{symbol}({t}, ptr, i32, <{W} x i1>)"
    value = to_memory(f, value, dtype, W)
    f.do(f"call void @{symbol}({t} {value}, ptr {place}, i32 {ITEMSIZE[dtype]}, <{W} x i1> {lanes.mask})")


def _gather(f: Flow, places: str, dtype: str, lanes: Lanes) -> str:
    W, t = lanes.width, memory_type(dtype, lanes.width)
    symbol = f"llvm.masked.gather.{mangled(t)}.v{W}p0"
    f.declarations[symbol] = f"declare {t} @{symbol}(<{W} x ptr>, i32, <{W} x i1>, {t})"
    rest = f"i32 {ITEMSIZE[dtype]}", f"<{W} x i1> {lanes.mask}", f"{t} zeroinitializer"
    return from_memory(f, f.call(symbol, t, f"<{W} x ptr> {places}", *rest), dtype, W)


def _scatter(f: Flow, value: str, places: str, dtype: str, lanes: Lanes) -> None:
    W, t = lanes.width, memory_type(dtype, lanes.width)
    symbol = f"llvm.masked.scatter.{mangled(t)}.v{W}p0"
    f.declarations[symbol] = f"declare void @{symbol}({t}, <{W} x ptr>, i32, <{W} x i1>)"
    value = to_memory(f, value, dtype, W)
    f.do(f"call void @{symbol}({t} {value}, <{W} x ptr> {places}, i32 {ITEMSIZE[dtype]}, <{W} x i1> {lanes.mask})")
