"""Host calls: operands as arrays of the callable's own, and its results as storage of the program.

Contract  `call_host(rt, ctx, request)`: 0, the results are written; 1: a Python exception is set.  The GIL is held.
          `request` is a call record (`abi.layouts` CALL_*).
Applies   results that are an array, or a list or tuple of arrays, of exactly the dtypes and lengths, in C order, are
          copied here; all others, and exceptions, go to the context's Python entry (`runtime.calls.host`).
"""

from __future__ import annotations

from tensordsl.codegen.abi import layouts
from tensordsl.codegen.library.python.vectorcall import incref
from tensordsl.codegen.llvm.builder import UNLIKELY, Asm


def host_call_text() -> str:
    return (
        _dtype_bytes()
        + _new_operand()
        + _has_lengths()
        + _fits()
        + _put()
        + _take_results()
        + _leave_to_python()
        + _call_host()
    )


def _operand(f: Asm, base: str, index: str) -> str:
    return f.gep(base, f.mul(index, layouts.HOST_SIZE))


def _dtype(f: Asm, operand: str, word: int) -> str:
    """The address of a word of the operand's dtype."""
    row = f.mul(f.load("i64", operand, layouts.HOST_DTYPE), layouts.DTYPE_SIZE)
    return f.gep(f.gep(f.load("ptr", "%rt", layouts.RT["dtypes"]), row), word)


def _dtype_bytes() -> str:
    """i64: bytes of an operand, whose lengths the program has multiplied before."""
    f = Asm("i64", "operand_bytes", ("ptr rt", "ptr operand"), internal=True)
    dims = f.load("ptr", "%operand", layouts.HOST_DIMS)
    itemsize = f.load("i64", _dtype(f, "%operand", layouts.DTYPE_BYTES))
    with f.loop(f.load("i64", "%operand", layouts.HOST_NDIM), ("i64", itemsize)) as loop:
        loop.next = [f.mul(loop.values[0], f.load("i64", f.gep(dims, loop.index, "i64")))]
    f.ret("i64", loop.values[0])
    return f.text


def _copy(f: Asm, to: str, source: str, operand: str) -> None:
    size = f.call("i64", "@operand_bytes", "ptr %rt", f"ptr {operand}")
    with f.when(f.all(f.ne(size, 0), f.compare("ne", "ptr", to, source))):
        f.call("ptr", f.load("ptr", "%rt", layouts.RT["memcpy"]), f"ptr {to}", f"ptr {source}", f"i64 {size}")


def _new_operand() -> str:
    """ptr: a new array with the operand's elements; NULL: an exception is set."""
    f = Asm("ptr", "new_operand", ("ptr rt", "ptr operand"), internal=True)
    descr = f.load("ptr", _dtype(f, "%operand", layouts.DTYPE_DESCR))
    itemsize = f.load("i64", _dtype(f, "%operand", layouts.DTYPE_BYTES))
    ndim = f.load("i32", "%operand", layouts.HOST_NDIM)
    dims = f.load("ptr", "%operand", layouts.HOST_DIMS)
    given = "ptr %rt", f"ptr {descr}", f"i64 {itemsize}", f"i32 {ndim}", f"ptr {dims}", "ptr null"
    array = f.call("ptr", "@new_result", *given)
    with f.when(f.not_null(array)):
        _copy(f, f.load("ptr", array, layouts.ND_DATA), f.load("ptr", "%operand", layouts.HOST_DATA), "%operand")
    f.ret("ptr", array)
    return f.text


def _fits() -> str:
    """i1: is the object an array that can be copied into the operand's storage as it is?"""
    f = Asm("i1", "fits_operand", ("ptr rt", "ptr operand", "ptr obj"), internal=True)
    with f.when(f.is_null(f.load("ptr", "%operand", layouts.HOST_DATA))):  # nobody wants it
        f.ret("i1", "true")
    with f.when(
        f.compare("ne", "ptr", f.load("ptr", "%obj", layouts.OB_TYPE), f.load("ptr", "%rt", layouts.RT["np_type"]))
    ):
        f.ret("i1", "false")
    ndim = f.load("i32", "%obj", layouts.ND_NDIM)
    flags = f.op(f"and i32 {f.load('i32', '%obj', layouts.ND_FLAGS)}, {layouts.C_CONTIGUOUS}")
    same = f.all(
        f.compare("eq", "ptr", f.load("ptr", "%obj", layouts.ND_DESCR), f.load("ptr", _dtype(f, "%operand", 0))),
        f.compare("eq", "i32", ndim, f.load("i32", "%operand", layouts.HOST_NDIM)),
        f.compare("ne", "i32", flags, 0),
    )
    with f.when(f.negate(same)):
        f.ret("i1", "false")
    f.ret("i1", f.call("i1", "@has_lengths", "ptr %operand", f"ptr {f.load('ptr', '%obj', layouts.ND_DIMS)}"))
    return f.text


def _has_lengths() -> str:
    """i1: are the dims those that the operand says?"""
    f = Asm("i1", "has_lengths", ("ptr operand", "ptr dims"), internal=True)
    wanted, kept = f.load("ptr", "%operand", layouts.HOST_DIMS), f.load("i64", "%operand", layouts.HOST_KEPT)
    with f.loop(f.load("i64", "%operand", layouts.HOST_NDIM)) as loop:
        own, other = (f.load("i64", f.gep(x, loop.index, "i64")) for x in ("%dims", wanted))
        is_free = f.any(f.ne(f.and_(f.lshr(kept, loop.index), 1), 0), f.eq(other, -1))
        with f.when(f.negate(f.any(is_free, f.eq(own, other)))):
            f.ret("i1", "false")
    f.ret("i1", "true")
    return f.text


def _put() -> str:
    """Copy an array that fits into the operand's storage; or keep it, and write its lengths."""
    f = Asm("void", "put_result", ("ptr rt", "ptr operand", "ptr obj"), internal=True)
    to, kept = f.load("ptr", "%operand", layouts.HOST_DATA), f.load("i64", "%operand", layouts.HOST_KEPT)
    with f.when(f.is_null(to)):
        f.ret()
    with f.when(f.eq(kept, 0)):
        _copy(f, to, f.load("ptr", "%obj", layouts.ND_DATA), "%operand")
        f.ret()
    own, places = f.load("ptr", "%obj", layouts.ND_DIMS), f.load("ptr", "%operand", layouts.HOST_DIMS)
    with f.loop(f.load("i64", "%operand", layouts.HOST_NDIM)) as loop:
        with f.when(f.ne(f.and_(f.lshr(kept, loop.index), 1), 0)):
            place = f.load("ptr", f.gep(places, loop.index, "ptr"))
            f.store("i64", f.load("i64", f.gep(own, loop.index, "i64")), place)
    incref(f, "%obj")
    old = f.load("ptr", to)
    f.store("ptr", "%obj", to)
    with f.when(f.not_null(old)):
        f.call("void", "@decref", "ptr %rt", f"ptr {old}")
    f.ret()
    return f.text


def _take_results() -> str:
    """i1: are the results copied?  Nothing is copied unless all of them can be."""
    f = Asm("i1", "take_results", ("ptr rt", "ptr result", "i64 alone", "i64 n", "ptr outs"), internal=True)
    alone, kind = f.op("alloca ptr"), f.load("ptr", "%result", layouts.OB_TYPE)
    f.store("ptr", "%result", alone)
    items = f.op("alloca ptr")
    f.store("ptr", alone, items)
    is_array = f.compare("eq", "ptr", kind, f.load("ptr", "%rt", layouts.RT["np_type"]))
    is_list, is_tuple = (
        f.compare("eq", "ptr", kind, f.load("ptr", "%rt", layouts.RT[name])) for name in ("list_type", "tuple_type")
    )
    with f.when(f.negate(f.any(is_array, is_list, is_tuple))):
        f.ret("i1", "false")
    with f.when(f.negate(is_array)):
        with f.when(f.ne(f.load("i64", "%result", layouts.SEQUENCE_LENGTH), "%n")):
            f.ret("i1", "false")
        f.store("ptr", f.gep("%result", layouts.TUPLE_ITEMS), items)
        with f.when(is_list):
            f.store("ptr", f.load("ptr", "%result", layouts.LIST_ITEMS), items)
    with f.when(f.all(is_array, f.any(f.ne("%n", 1), f.eq("%alone", 0)))):
        f.ret("i1", "false")
    found = f.load("ptr", items)
    with f.loop("%n") as loop:
        item = f.load("ptr", f.gep(found, loop.index, "ptr"))
        fits = f.call("i1", "@fits_operand", "ptr %rt", f"ptr {_operand(f, '%outs', loop.index)}", f"ptr {item}")
        with f.when(f.negate(fits)):
            f.ret("i1", "false")
    with f.loop("%n") as loop:
        item, operand = f.load("ptr", f.gep(found, loop.index, "ptr")), _operand(f, "%outs", loop.index)
        f.call("void", "@put_result", "ptr %rt", f"ptr {operand}", f"ptr {item}")
    f.ret("i1", "true")
    return f.text


def _call_host() -> str:
    f = Asm("i64", "call_host", ("ptr rt", "ptr ctx", "ptr request"), internal=True)
    count, ins = f.load("i64", "%request", layouts.CALL_N_IN), f.load("ptr", "%request", layouts.CALL_IN)
    words = f.add(count, layouts.ENTRY_ARRAYS // 8)
    given = f.op(f"alloca ptr, i64 {words}")
    with f.loop(words) as loop:
        f.store("ptr", "null", f.gep(given, loop.index, "ptr"))
    arrays = f.gep(given, layouts.ENTRY_ARRAYS)
    status = f.op("alloca i64")
    f.store("i64", 1, status)
    call, raised, gave, python, done = map(f.label, ("call", "raised", "gave", "python", "done"))
    with f.loop(count) as loop:
        array = f.call("ptr", "@new_operand", "ptr %rt", f"ptr {_operand(f, ins, loop.index)}")
        f.store("ptr", array, f.gep(arrays, loop.index, "ptr"))
        with f.when(f.is_null(array), UNLIKELY):
            f.jump(done)
    f.jump(call)
    f.place(call)
    vectorcall = f.load("ptr", "%rt", layouts.RT["PyObject_Vectorcall"])
    callables = f.load("ptr", "%ctx", layouts.CTX_HOSTS)
    host = f.gep(callables, f.mul(f.load("i64", "%request", layouts.CALL_HOST), layouts.CALLABLE_SIZE))
    function, alone = f.load("ptr", host, layouts.CALLABLE), f.load("i64", host, layouts.CALLABLE_ALONE)
    result = f.call("ptr", vectorcall, f"ptr {function}", f"ptr {arrays}", f"i64 {count}", "ptr null")
    f.branch(f.is_null(result), raised, gave, UNLIKELY)
    f.place(gave)
    f.store("ptr", result, given, layouts.ENTRY_OUTCOME)
    outs = f"i64 {f.load('i64', '%request', layouts.CALL_N_OUT)}", f"ptr {f.load('ptr', '%request', layouts.CALL_OUT)}"
    with f.when(f.call("i1", "@take_results", "ptr %rt", f"ptr {result}", f"i64 {alone}", *outs)):
        f.store("i64", 0, status)
        f.jump(done)
    f.store("i64", layouts.CALL_GAVE, "%request", layouts.CALL_FAILED)
    f.jump(python)
    f.place(raised)
    f.store("ptr", _exception(f), given, layouts.ENTRY_OUTCOME)
    f.store("i64", layouts.CALL_RAISED, "%request", layouts.CALL_FAILED)
    f.jump(python)
    f.place(python)
    f.store(
        "i64",
        f.call("i64", "@left_to_python", "ptr %rt", "ptr %ctx", "ptr %request", f"ptr {given}", f"i64 {words}"),
        status,
    )
    f.jump(done)
    f.place(done)
    with f.loop(words) as loop:
        obj = f.load("ptr", f.gep(given, loop.index, "ptr"))
        with f.when(f.not_null(obj)):
            f.call("void", "@decref", "ptr %rt", f"ptr {obj}")
    f.ret("i64", f.load("i64", status))
    return f.text


def _leave_to_python() -> str:
    """i64: 0 if the Python entry has written the results; `given`: what it gets, its first word still empty."""
    f = Asm("i64", "left_to_python", ("ptr rt", "ptr ctx", "ptr request", "ptr given", "i64 count"), internal=True)
    address = f.call("ptr", f.load("ptr", "%rt", layouts.RT["PyLong_FromVoidPtr"]), "ptr %request")
    f.store("ptr", address, "%given", layouts.ENTRY_RECORD)
    with f.when(f.is_null(address)):
        f.ret("i64", 1)
    entry, vectorcall = (
        f.load("ptr", "%ctx", layouts.CTX_HOST_ENTRY),
        f.load("ptr", "%rt", layouts.RT["PyObject_Vectorcall"]),
    )
    answer = f.call("ptr", vectorcall, f"ptr {entry}", "ptr %given", "i64 %count", "ptr null")
    with f.when(f.is_null(answer)):
        f.ret("i64", 1)
    f.call("void", "@decref", "ptr %rt", f"ptr {answer}")
    f.ret("i64", 0)
    return f.text


def take_result(f: Asm, rt: str, request: str) -> str:
    """i64: 0 if what is kept at %slot is copied to %out; it is kept no longer.  request: a record for one result."""
    obj = f.load("ptr", "%slot")
    f.store("ptr", "null", "%slot")
    status = f.op("alloca i64")
    f.store("i64", 0, status)
    fits, python, done = map(f.label, ("fits", "python", "done"))
    f.branch(f.call("i1", "@fits_operand", f"ptr {rt}", "ptr %out", f"ptr {obj}"), fits, python)
    f.place(fits)
    f.call("void", "@put_result", f"ptr {rt}", "ptr %out", f"ptr {obj}")
    f.jump(done)
    f.place(python)
    given = f.op("alloca [2 x ptr]")
    f.store("ptr", obj, given, layouts.ENTRY_OUTCOME)
    words = layouts.ENTRY_ARRAYS // 8
    f.store(
        "i64",
        f.call("i64", "@left_to_python", f"ptr {rt}", "ptr %ctx", f"ptr {request}", f"ptr {given}", f"i64 {words}"),
        status,
    )
    address = f.load("ptr", given, layouts.ENTRY_RECORD)
    with f.when(f.not_null(address)):
        f.call("void", "@decref", f"ptr {rt}", f"ptr {address}")
    f.jump(done)
    f.place(done)
    f.call("void", "@decref", f"ptr {rt}", f"ptr {obj}")
    return f.load("i64", status)


def _exception(f: Asm) -> str:
    """The exception that is set, taken away, with its traceback."""
    places = f.op("alloca [3 x ptr]")
    kind, value, trace = (f.gep(places, 8 * k) for k in range(3))
    given = f"ptr {kind}", f"ptr {value}", f"ptr {trace}"
    f.call("void", f.load("ptr", "%rt", layouts.RT["PyErr_Fetch"]), *given)
    f.call("void", f.load("ptr", "%rt", layouts.RT["PyErr_NormalizeException"]), *given)
    kind, value, trace = (f.load("ptr", place) for place in (kind, value, trace))
    with f.when(f.not_null(trace)):
        f.call("i32", f.load("ptr", "%rt", layouts.RT["PyException_SetTraceback"]), f"ptr {value}", f"ptr {trace}")
        f.call("void", "@decref", "ptr %rt", f"ptr {trace}")
    f.call("void", "@decref", "ptr %rt", f"ptr {kind}")
    return value
