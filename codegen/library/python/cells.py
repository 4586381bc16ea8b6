"""Cells of shared variables: how Python reads and sets them, each one step under the GIL.

Contract  `cell_set` makes the cell's own array of what comes in; `cell_get` gives a new view whose base is a holder.
Why       nobody else has the cell's array, so its type, extents and address are fixed, and its reference count says
          whether somebody sees the memory.  An array that owns its memory hands it over and becomes a view, as does the
          one at the end of a chain of views; other memory stays the given array's, and updates never overwrite it.
"""

from __future__ import annotations

from tensordsl.codegen.abi import layouts
from tensordsl.codegen.library.python.vectorcall import incref
from tensordsl.codegen.llvm.builder import UNLIKELY, Asm

_KEPT = layouts.C_CONTIGUOUS | layouts.ALIGNED


def cell_text() -> str:
    return _cell_set() + _cell_get() + _keep() + _root() + _hand_over() + _over() + _hold() + _dealloc() + _buffer()


def _cell_set() -> str:
    """i64: 0 and the cell holds the memory of `array`, or the thread that has locked it, or SET_*: unchanged."""
    f = Asm("i64", "cell_set", ("ptr rt", "ptr cell", "ptr array", "ptr descr", "i32 ndim"))
    lock = f.load("i64", "%cell", layouts.CELL_LOCK)
    with f.when(f.ne(lock, 0), UNLIKELY):
        f.ret("i64", lock)
    flags = f.op(f"and i32 {f.load('i32', '%array', layouts.ND_FLAGS)}, {_KEPT}")
    fits = f.all(
        f.compare("eq", "ptr", f.load("ptr", "%array", layouts.ND_DESCR), "%descr"),
        f.compare("eq", "i32", f.load("i32", "%array", layouts.ND_NDIM), "%ndim"),
        f.compare("eq", "i32", flags, _KEPT),
    )
    with f.when(f.op(f"xor i1 {fits}, true"), UNLIKELY):
        f.ret("i64", layouts.SET_REFUSED)
    new = f.call("ptr", "@keep", "ptr %rt", "ptr %array", f"i64 {f.load('i64', '%cell', layouts.CELL_ITEMSIZE)}")
    with f.when(f.is_null(new), UNLIKELY):
        f.ret("i64", layouts.SET_FAILED)
    spare = f.load("ptr", "%cell", layouts.CELL_SPARE)
    f.store("ptr", "null", "%cell", layouts.CELL_SPARE)
    for obj in (f.call("ptr", "@swap_in", "ptr %cell", f"ptr {new}"), spare):
        _drop(f, obj)
    f.ret("i64", 0)
    return f.text


def _cell_get() -> str:
    """ptr: a new view of the cell's array; NULL: exception set."""
    f = Asm("ptr", "cell_get", ("ptr rt", "ptr cell"))
    array = f.load("ptr", "%cell", layouts.CELL_ARRAY)
    holder = f.call("ptr", "@hold", "ptr %rt", f"ptr {array}", f"i64 {f.load('i64', '%cell', layouts.CELL_ITEMSIZE)}")
    with f.when(f.is_null(holder), UNLIKELY):
        f.ret("ptr", "null")
    view = f.call("ptr", "@over", "ptr %rt", f"ptr {array}", "ptr null")
    with f.when(f.is_null(view), UNLIKELY):
        f.call("void", "@decref", "ptr %rt", f"ptr {holder}")
        f.ret("ptr", "null")
    f.store("ptr", holder, view, layouts.ND_BASE)
    f.ret("ptr", view)
    return f.text


def _keep() -> str:
    """ptr: a new reference to an array for a cell, with the memory of the C-contiguous `array`; NULL: exception set."""
    f = Asm("ptr", "keep", ("ptr rt", "ptr array", "i64 itemsize"), internal=True)
    root = f.call("ptr", "@root", "ptr %rt", "ptr %array")
    owns = f.compare("ne", "i32", f.op(f"and i32 {f.load('i32', root, layouts.ND_FLAGS)}, {layouts.OWNDATA}"), 0)
    with f.when(f.all(owns, f.is_null(f.load("ptr", root, layouts.ND_BASE)))):
        done = f.call("i1", "@hand_over", "ptr %rt", f"ptr {root}", "i64 %itemsize")
        with f.when(f.op(f"xor i1 {done}, true"), UNLIKELY):
            f.ret("ptr", "null")
    base = f.load("ptr", root, layouts.ND_BASE)
    with f.when(f.not_null(base)):
        held = f.compare(
            "eq", "ptr", f.load("ptr", base, layouts.OB_TYPE), f.load("ptr", "%rt", layouts.RT["holder_type"])
        )
        with f.when(held):
            own = f.load("ptr", base, layouts.HOLDER_ARRAY)
            with f.when(_is_all_of(f, "%array", own)):
                incref(f, own)
                f.ret("ptr", own)
    view = f.call("ptr", "@over", "ptr %rt", "ptr %array", "ptr null")
    with f.when(f.not_null(view)):
        incref(f, "%array")
        f.store("ptr", "%array", view, layouts.ND_BASE)
    f.ret("ptr", view)
    return f.text


def _is_all_of(f: Asm, array: str, base: str) -> str:
    """i1: is one array the whole of the other, which a cell may have?"""
    flags = f.op(f"and i32 {f.load('i32', base, layouts.ND_FLAGS)}, {_KEPT}")
    ndim = f.load("i32", array, layouts.ND_NDIM)
    alike = f.all(
        f.compare("eq", "ptr", f.load("ptr", array, layouts.ND_DATA), f.load("ptr", base, layouts.ND_DATA)),
        f.compare("eq", "ptr", f.load("ptr", array, layouts.ND_DESCR), f.load("ptr", base, layouts.ND_DESCR)),
        f.compare("eq", "i32", ndim, f.load("i32", base, layouts.ND_NDIM)),
        f.compare("eq", "i32", flags, _KEPT),
    )
    compared = f.op(f"select i1 {alike}, i32 {ndim}, i32 0")
    dims = (f"ptr {f.load('ptr', x, layouts.ND_DIMS)}" for x in (array, base))
    return f.all(alike, f.call("i1", "@static_ok", *dims, f"i32 {compared}"))


def _root() -> str:
    """ptr: the array at the end of the chain of arrays whose views `array` is."""
    f = Asm("ptr", "root", ("ptr rt", "ptr array"), internal=True)
    look, has_base, further, end = map(f.label, ("look", "has_base", "further", "end"))
    place = f.op("alloca ptr")
    f.store("ptr", "%array", place)
    f.place(look)
    here = f.load("ptr", place)
    base = f.load("ptr", here, layouts.ND_BASE)
    f.branch(f.is_null(base), end, has_base)
    f.place(has_base)
    kind, is_kind = f.load("ptr", base, layouts.OB_TYPE), f.load("ptr", "%rt", layouts.RT["PyType_IsSubtype"])
    is_array = f.call("i32", is_kind, f"ptr {kind}", f"ptr {f.load('ptr', '%rt', layouts.RT['np_type'])}")
    f.branch(f.compare("ne", "i32", is_array, 0), further, end)
    f.place(further)
    f.store("ptr", base, place)
    f.jump(look)
    f.place(end)
    f.ret("ptr", f.load("ptr", place))
    return f.text


def _hand_over() -> str:
    """i1: an array that owns its memory now holds another one that does; false: exception set, unchanged."""
    f = Asm("i1", "hand_over", ("ptr rt", "ptr array", "i64 itemsize"), internal=True)
    own = f.call("ptr", "@over", "ptr %rt", "ptr %array", f"ptr {f.load('ptr', '%array', layouts.ND_STRIDES)}")
    with f.when(f.is_null(own), UNLIKELY):
        f.ret("i1", "false")
    holder = f.call("ptr", "@hold", "ptr %rt", f"ptr {own}", "i64 %itemsize")
    f.call("void", "@decref", "ptr %rt", f"ptr {own}")
    with f.when(f.is_null(holder), UNLIKELY):
        f.ret("i1", "false")
    f.store("i32", f.op(f"or i32 {f.load('i32', own, layouts.ND_FLAGS)}, {layouts.OWNDATA}"), own, layouts.ND_FLAGS)
    f.store("ptr", f.load("ptr", "%array", layouts.ND_HANDLER), own, layouts.ND_HANDLER)
    f.store(
        "i32",
        f.op(f"and i32 {f.load('i32', '%array', layouts.ND_FLAGS)}, {~layouts.OWNDATA}"),
        "%array",
        layouts.ND_FLAGS,
    )
    f.store("ptr", "null", "%array", layouts.ND_HANDLER)
    f.store("ptr", holder, "%array", layouts.ND_BASE)
    f.ret("i1", "true")
    return f.text


def _over() -> str:
    """ptr: a new array without a base over the memory of `array`, in C order if `strides` is NULL; NULL: exception
    set."""
    f = Asm("ptr", "over", ("ptr rt", "ptr array", "ptr strides"), internal=True)
    descr, dims, data = (f.load("ptr", "%array", at) for at in (layouts.ND_DESCR, layouts.ND_DIMS, layouts.ND_DATA))
    writeable = f.op(f"and i32 {f.load('i32', '%array', layouts.ND_FLAGS)}, {layouts.WRITEABLE}")
    flags = f.op(f"or i32 {writeable}, {_KEPT}")  # NumPy looks itself where strides are given
    incref(f, descr)
    given = (
        f"ptr {f.load('ptr', '%rt', layouts.RT['np_type'])}", f"ptr {descr}",
        f"i32 {f.load('i32', '%array', layouts.ND_NDIM)}",
        f"ptr {dims}", "ptr %strides", f"ptr {data}", f"i32 {flags}", "ptr null",
    )  # fmt: skip
    f.ret("ptr", f.call("ptr", f.load("ptr", "%rt", layouts.RT["np_new"]), *given))
    return f.text


def _hold() -> str:
    """ptr: a new holder of `array`; NULL: exception set."""
    f = Asm("ptr", "hold", ("ptr rt", "ptr array", "i64 itemsize"), internal=True)
    make, kind = (f.load("ptr", "%rt", layouts.RT[name]) for name in ("PyType_GenericAlloc", "holder_type"))
    holder = f.call("ptr", make, f"ptr {kind}", "i64 0")
    with f.when(f.not_null(holder)):
        incref(f, "%array")
        f.store("ptr", "%array", holder, layouts.HOLDER_ARRAY)
        f.store("ptr", "%rt", holder, layouts.HOLDER_RT)
        f.store("i64", f.call("i64", "@bytes", "ptr %array", "i64 %itemsize"), holder, layouts.HOLDER_BYTES)
    f.ret("ptr", holder)
    return f.text


def _dealloc() -> str:
    f = Asm("void", "holder_dealloc", ("ptr self",))
    rt, array, kind = (f.load("ptr", "%self", at) for at in (layouts.HOLDER_RT, layouts.HOLDER_ARRAY, layouts.OB_TYPE))
    f.call("void", f.load("ptr", rt, layouts.RT["PyObject_Free"]), "ptr %self")
    for obj in (array, kind):
        f.call("void", "@decref", f"ptr {rt}", f"ptr {obj}")
    f.ret()
    return f.text


def _buffer() -> str:
    """i32: what NumPy requests before it makes a view writeable again; 0, or -1: exception set."""
    f = Asm("i32", "holder_buffer", ("ptr self", "ptr buffer", "i32 flags"))
    array, size = f.load("ptr", "%self", layouts.HOLDER_ARRAY), f.load("i64", "%self", layouts.HOLDER_BYTES)
    writeable = f.op(f"and i32 {f.load('i32', array, layouts.ND_FLAGS)}, {layouts.WRITEABLE}")
    read_only = f.op(f"zext i1 {f.compare('eq', 'i32', writeable, 0)} to i32")
    fill = f.load("ptr", f.load("ptr", "%self", layouts.HOLDER_RT), layouts.RT["PyBuffer_FillInfo"])
    data = f"ptr {f.load('ptr', array, layouts.ND_DATA)}"
    f.ret("i32", f.call("i32", fill, "ptr %buffer", "ptr %self", data, f"i64 {size}", f"i32 {read_only}", "i32 %flags"))
    return f.text


def _drop(f: Asm, obj: str) -> None:
    with f.when(f.not_null(obj)):
        f.call("void", "@decref", "ptr %rt", f"ptr {obj}")
