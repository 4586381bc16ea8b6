"""New arrays, whose data start on a cache line, and NumPy's functions to free and resize them (NEP 49).

Contract  `new_result`, `data_malloc` and so on; the eight bytes before the data hold the address of the block.
Why       malloc's blocks start 16 bytes behind a line, so every 64-byte vector straddles two; data of large arrays
          start with a page, as a load waits for a recent store with the same last 12 address bits (4K aliasing).
"""

from __future__ import annotations

from tensordsl.codegen.abi import layouts
from tensordsl.codegen.library.python.vectorcall import incref
from tensordsl.codegen.llvm.builder import UNLIKELY, Asm
from tensordsl.codegen.target.machine import ALIAS_BYTES, CACHE_LINE_BYTES
from tensordsl.codegen.target.tuning import Tuning

HEAD_BYTES = 16  # before the data: malloc's addresses are multiples of it
TRACEMALLOC_DOMAIN = 389047  # NumPy's
MAX_BYTES = 1 << 47  # beyond which every allocator fails


def array_text(t: Tuning) -> str:
    return _new_result() + _data_malloc(t) + _data_calloc() + _data_realloc() + _data_free(t)


def _new_result() -> str:
    """ptr: a new array, in C order if `strides` is NULL; NULL: exception set.  One without data, or one that is too
    large, is left to NumPy."""
    params = ("ptr rt", "ptr descr", "i64 itemsize", "i32 ndim", "ptr dims", "ptr strides")
    f = Asm("ptr", "new_result", params, internal=True)
    handler, some, usual, made, failed = (f.load("ptr", "%rt", layouts.RT["np_handler"]), *map(f.label, "sumf"))
    f.branch(f.not_null(handler), some, usual)
    f.place(usual)
    f.ret("ptr", f.call("ptr", "@new_array", "ptr %rt", "ptr %descr", "i32 %ndim", "ptr %dims", "ptr %strides"))
    f.place(some)
    data = _take_data(f, usual)
    incref(f, "%descr")
    kind, new = f.load("ptr", "%rt", layouts.RT["np_type"]), f.load("ptr", "%rt", layouts.RT["np_new"])
    flags = layouts.C_CONTIGUOUS | layouts.ALIGNED | layouts.WRITEABLE
    given = f"ptr {kind}", "ptr %descr", "i32 %ndim", "ptr %dims", "ptr %strides"
    array = f.call("ptr", new, *given, f"ptr {data}", f"i32 {flags}", "ptr null")
    f.branch(f.not_null(array), made, failed)
    f.place(made)
    f.store("i32", f.op(f"or i32 {f.load('i32', array, layouts.ND_FLAGS)}, {layouts.OWNDATA}"), array, layouts.ND_FLAGS)
    incref(f, handler)
    f.store("ptr", handler, array, layouts.ND_HANDLER)
    f.ret("ptr", array)
    f.place(failed)
    f.call("void", "@data_free", "ptr %rt", f"ptr {data}", "i64 0")
    f.ret("ptr", "null")
    return f.text


def _take_data(f: Asm, none: str) -> str:
    """The data of an array; on to `none` if there is no memory, or the array is empty or too large."""
    small, taken = map(f.label, ("small", "taken"))
    with f.loop(f.op("zext i32 %ndim to i64"), ("i64", "%itemsize")) as loop:
        extent = f.op(f"load i64, ptr {f.gep('%dims', loop.index, 'i64')}")
        fits = f.all(f.compare("ult", "i64", extent, MAX_BYTES), f.compare("ult", "i64", loop.values[0], MAX_BYTES))
        pair = f.op(f"call {{i64, i1}} @llvm.smul.with.overflow.i64(i64 {loop.values[0]}, i64 {extent})")
        product, over = (f.op(f"extractvalue {{i64, i1}} {pair}, {k}") for k in (0, 1))
        fits = f.all(fits, f.op(f"xor i1 {over}, true"))
        loop.next = [f.choose(fits, product, 0)]
    size = loop.values[0]
    f.branch(f.all(f.gt(size, 0), f.lt(size, MAX_BYTES)), small, none)
    f.place(small)
    data = f.call("ptr", "@data_malloc", "ptr %rt", f"i64 {size}")
    f.branch(f.is_null(data), none, taken, UNLIKELY)
    f.place(taken)
    track = f.load("ptr", "%rt", layouts.RT["PyTraceMalloc_Track"])
    f.call("i32", track, f"i32 {TRACEMALLOC_DOMAIN}", f"ptr {data}", f"i64 {size}")
    return data


def _data_malloc(t: Tuning) -> str:
    f = Asm("ptr", "data_malloc", ("ptr rt", "i64 size"))
    large, small, known, none, some = map(f.label, "lsknm")
    bytes = f.add("%size", CACHE_LINE_BYTES + HEAD_BYTES)
    f.branch(f.ge(bytes, t.pool.kept_min_bytes), large, small, UNLIKELY)
    f.place(small)
    block = f.call("ptr", f.load("ptr", "%rt", layouts.RT["malloc"]), f"i64 {bytes}")
    f.branch(f.is_null(block), none, known, UNLIKELY)
    f.place(known)
    f.store("i64", bytes, block)
    f.ret("ptr", _data(f, block, CACHE_LINE_BYTES))
    f.place(large)
    block = f.call("ptr", "@take_large", "ptr %rt", f"i64 {f.add('%size', ALIAS_BYTES + HEAD_BYTES)}")
    f.branch(f.is_null(block), none, some, UNLIKELY)
    f.place(some)
    f.ret("ptr", _data(f, block, ALIAS_BYTES))
    f.place(none)
    f.ret("ptr", "null")
    return f.text


def _data(f: Asm, block: str, unit: int) -> str:
    """Where the data of a block begin: at the first multiple of `unit` behind its head."""
    address = f.add(f.op(f"ptrtoint ptr {block} to i64"), unit + HEAD_BYTES)
    data = f.op(f"inttoptr i64 {f.and_(address, -unit)} to ptr")
    f.store("ptr", block, data, -8)
    return data


def _data_calloc() -> str:
    f = Asm("ptr", "data_calloc", ("ptr rt", "i64 count", "i64 size"))
    pair = f.op("call {i64, i1} @llvm.smul.with.overflow.i64(i64 %count, i64 %size)")
    with f.when(f.op(f"extractvalue {{i64, i1}} {pair}, 1"), UNLIKELY):
        f.ret("ptr", "null")
    size = f.op(f"extractvalue {{i64, i1}} {pair}, 0")
    data = f.call("ptr", "@data_malloc", "ptr %rt", f"i64 {size}")
    with f.when(f.not_null(data)):
        f.call("ptr", f.load("ptr", "%rt", layouts.RT["memset"]), f"ptr {data}", "i32 0", f"i64 {size}")
    f.ret("ptr", data)
    return f.text


def _data_realloc() -> str:
    """The data keep their distance from the block, and may lose their line."""
    f = Asm("ptr", "data_realloc", ("ptr rt", "ptr data", "i64 size"))
    with f.when(f.is_null("%data"), UNLIKELY):
        f.ret("ptr", f.call("ptr", "@data_malloc", "ptr %rt", "i64 %size"))
    block = f.load("ptr", "%data", -8)
    distance = f.sub(f.op("ptrtoint ptr %data to i64"), f.op(f"ptrtoint ptr {block} to i64"))
    realloc, bytes = f.load("ptr", "%rt", layouts.RT["realloc"]), f.add("%size", distance)
    new = f.call("ptr", realloc, f"ptr {block}", f"i64 {bytes}")
    with f.when(f.is_null(new), UNLIKELY):
        f.ret("ptr", "null")
    f.store("i64", bytes, new)
    data = f.gep(new, distance)
    f.store("ptr", new, data, -8)
    f.ret("ptr", data)
    return f.text


def _data_free(t: Tuning) -> str:
    f = Asm("void", "data_free", ("ptr rt", "ptr data", "i64 size"))
    with f.when(f.not_null("%data")):
        block = f.load("ptr", "%data", -8)
        with f.when(f.ge(f.load("i64", block), t.pool.kept_min_bytes), UNLIKELY):
            f.call("void", "@give_large", "ptr %rt", f"ptr {block}")
            f.ret()
        f.call("void", f.load("ptr", "%rt", layouts.RT["free"]), f"ptr {block}")
    f.ret()
    return f.text
