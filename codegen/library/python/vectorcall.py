"""The entry of calls: CPython's vectorcall checks and lays out arguments, then runs the program.

Contract  `stub(self, args, nargsf, kwnames)`: the result, or NULL with an exception; what the argument table does not
          allow goes to Python, which normalises and calls again.  Also the error exit, and the type's GC slots.
"""

from __future__ import annotations

from tensordsl.codegen.abi import layouts
from tensordsl.codegen.library.alternate_stack import has_stack_text
from tensordsl.codegen.llvm.builder import LIKELY, UNLIKELY, Asm

EXACT = 1 << 53  # integers up to here are float64 numbers


def entry_text() -> str:
    checks = static_ok_text() + _take_int() + _raise_error() + _loaded()
    stubs = has_stack_text() + _stub("stub", checks_stack=False) + _stub("stack_checking_stub", checks_stack=True)
    return checks + stubs + _new_function() + _traverse() + _clear() + _dealloc()


def table(f: Asm, ctx: str = "%ctx") -> str:
    """The run-time table."""
    return f.load("ptr", ctx, layouts.CTX_RT)


def record(f: Asm, kind: int) -> None:
    """The error record of a helper's own failure at %site."""
    f.store("i64", "%site", "%frame", layouts.FR_SITE)
    f.store("i64", kind, "%frame", layouts.FR_KIND)
    for number in (layouts.FR_A, layouts.FR_B):
        f.store("i64", 0, "%frame", number)


def unless_failed(f: Asm) -> None:
    """Give NULL where something has failed before: a program checks once for several storages, after the last."""
    with f.when(f.ne(f.load("i64", "%frame", layouts.FR_KIND), 0), UNLIKELY):
        f.ret("ptr", "null")


def incref(f: Asm, obj: str) -> None:
    """32 bits of a reference count are read and written on every version; negative means immortal."""
    count = f.load("i32", obj, layouts.OB_REFCNT)
    with f.when(f.compare("sge", "i32", count, 0)):
        f.store("i32", f.op(f"add i32 {count}, 1"), obj, layouts.OB_REFCNT)


def _stub(name: str, checks_stack: bool) -> str:
    """ptr stub(self, args, nargsf, kwnames): CPython's vectorcall of every Function.  checks_stack: of those that need
    much of the stack.  Where less is left Python makes the call."""
    f = Asm("ptr", name, ("ptr self", "ptr args", "i64 nargsf", "ptr kwnames"))
    count = f.and_("%nargsf", 9223372036854775807)
    ctx = f.load("ptr", "%self", layouts.FN_CTX)
    rt = f.load("ptr", ctx, layouts.CTX_RT)
    want = f.load("i64", ctx, layouts.CTX_N_ARGS)
    start, slow, begin, retry = (f.label(x) for x in ("start", "slow", "begin", "retry"))
    f.branch(f.all(f.eq(count, want), f.compare("eq", "ptr", "%kwnames", "null")), begin, slow, LIKELY)
    f.place(begin)
    if checks_stack:
        enough = f.label("enough")
        f.branch(f.call("i1", "@has_stack", f"ptr {rt}", f"i64 {f.load('i64', ctx, layouts.CTX_STACK)}"), enough, slow)
        f.place(enough)
    size = f.add(f.mul(count, layouts.SRC_SIZE), layouts.FR_ARGS)
    frame = f.op(f"alloca i8, i64 {size}, align 16")
    f.place(start)
    _check_arguments(f, ctx, rt, count, frame, slow)
    for offset in (
        layouts.FR_KIND, layouts.FR_ARENA, layouts.FR_TSTATE, layouts.FR_PINNED, layouts.FR_POLLED, layouts.FR_DEPTH,
    ):  # fmt: skip
        f.store("i64", 0, frame, offset)
    f.store("ptr", "%args", frame, layouts.FR_OBJECTS)
    result = f.call("ptr", f.load("ptr", ctx, layouts.CTX_PROGRAM), f"ptr {ctx}", f"ptr {frame}")
    error, success = f.label("error"), f.label("success")
    f.branch(f.compare("eq", "ptr", result, "null"), error, success, UNLIKELY)
    f.place(success)
    with f.when(f.ne(f.load("i64", rt, layouts.RT["missed"]), 0), UNLIKELY):
        f.ret("ptr", f.call("ptr", "@loaded", f"ptr {rt}", f"ptr {result}"))
    f.ret("ptr", result)
    f.place(error)
    answer = f.call("ptr", "@raise_error", "ptr %self", f"ptr {ctx}", f"ptr {frame}", "ptr %args", f"i64 {count}")
    kind = f.load("i64", frame, layouts.FR_KIND)
    again = f.op(f"or i1 {f.eq(kind, layouts.ERR_BUSY)}, {f.eq(kind, layouts.ERR_ABSENT)}")
    f.branch(f.all(again, f.compare("ne", "ptr", answer, "null")), retry, done := f.label("failed"))
    f.place(done)
    f.ret("ptr", answer)
    f.place(retry)  # on_error has waited or filled in kernels; the arguments may have changed meanwhile
    f.call("void", "@decref", f"ptr {rt}", f"ptr {answer}")
    f.jump(start)
    f.place(slow)
    vectorcall = f.load("ptr", rt, layouts.RT["PyObject_Vectorcall"])
    python = f.load("ptr", "%self", layouts.FN_SLOW)
    f.ret("ptr", f.call("ptr", vectorcall, f"ptr {python}", "ptr %args", f"i64 {count}", "ptr %kwnames"))
    return f.text


def _new_function() -> str:
    """ptr new_function(kind, owner, ctx, slow, stub): a new Function, whole at once: a signal's handler cannot come in
    between.  NULL: a Python exception is set."""
    f = Asm("ptr", "new_function", ("ptr kind", "ptr owner", "ptr ctx", "ptr slow", "ptr stub"))
    made = f.call("ptr", f.load("ptr", table(f), layouts.RT["PyType_GenericAlloc"]), "ptr %kind", "i64 0")
    with f.when(f.compare("ne", "ptr", made, "null")):
        incref(f, "%owner")
        for offset, value in (
            (layouts.FN_OWNER, "%owner"), (layouts.FN_CTX, "%ctx"), (layouts.FN_SLOW, "%slow"),
            (layouts.FN_VECTORCALL, "%stub"),
        ):  # fmt: skip
            f.store("ptr", value, made, offset)
    f.ret("ptr", made)
    return f.text


def _check_arguments(f: Asm, ctx: str, rt: str, count: str, frame: str, slow: str) -> None:
    """Fill the frame's sources; whatever the descriptors do not allow goes to `slow`."""
    ndarray = f.load("ptr", rt, layouts.RT["np_type"])
    descs = f.load("ptr", ctx, layouts.CTX_DESC)
    with f.loop(count) as loop:
        obj = f.op(f"load ptr, ptr {f.gep('%args', loop.index, 'ptr')}")
        desc = f.gep(descs, f.mul(loop.index, layouts.DESC_SIZE))
        source = f.gep(f.gep(frame, layouts.FR_ARGS), f.mul(loop.index, layouts.SRC_SIZE))
        kind = f.load("ptr", obj, layouts.OB_TYPE)
        array, scalar, fits, done = (f.label(x) for x in ("array", "scalar", "fits", "next"))
        f.branch(f.compare("eq", "ptr", kind, ndarray), array, scalar, LIKELY)
        f.place(array)
        wanted = [
            f.compare("eq", t, f.load(t, obj, got), f.load(t, desc, want))
            for t, got, want in (
                ("ptr", layouts.ND_DESCR, layouts.DESC_DESCR),
                ("i32", layouts.ND_NDIM, layouts.DESC_NDIM),
            )
        ]
        mask = f.load("i32", desc, layouts.DESC_FLAGS)
        flags = f.op(f"and i32 {f.load('i32', obj, layouts.ND_FLAGS)}, {mask}")
        f.branch(f.all(*wanted, f.compare("eq", "i32", flags, mask)), fits, slow, LIKELY)
        f.place(fits)
        dims = f.load("ptr", obj, layouts.ND_DIMS)
        f.store("ptr", f.load("ptr", obj, layouts.ND_DATA), source, layouts.SRC_DATA)
        f.store("ptr", dims, source, layouts.SRC_DIMS)
        f.store("ptr", f.load("ptr", obj, layouts.ND_STRIDES), source, layouts.SRC_STRIDES)
        static = f.load("ptr", desc, layouts.DESC_STATIC)
        check = f.label("extents")
        f.branch(f.compare("eq", "ptr", static, "null"), done, check, LIKELY)
        f.place(check)
        same = f.call(
            "i1", "@static_ok", f"ptr {dims}", f"ptr {static}", f"i32 {f.load('i32', desc, layouts.DESC_NDIM)}"
        )
        f.branch(same, done, slow)
        f.place(scalar)
        numpy = f.compare("eq", "ptr", kind, f.load("ptr", desc, layouts.DESC_SCALAR))
        python = f.compare("eq", "ptr", kind, f.load("ptr", desc, layouts.DESC_PYTHON))
        value, other, device = f.label("value"), f.label("other"), f.label("device")
        f.branch(f.any(numpy, python), value, other)
        f.place(other)
        integer = f.call("i1", "@take_int", f"ptr {rt}", f"ptr {obj}", f"ptr {desc}", f"ptr {source}")
        f.branch(integer, done, device)
        f.place(device)
        f.store("ptr", obj, source, layouts.SRC_DATA)
        f.store("ptr", ctx, source, layouts.SRC_DIMS)
        f.branch(f.compare("eq", "ptr", kind, f.load("ptr", desc, layouts.DESC_DEVICE)), done, slow)
        f.place(value)
        f.store("ptr", f.gep(obj, layouts.SCALAR_VALUE), source, layouts.SRC_DATA)
        f.store("ptr", "null", source, layouts.SRC_DIMS)
        f.store("ptr", "null", source, layouts.SRC_STRIDES)
        f.jump(done)
        f.place(done)


def _take_int() -> str:
    """i1: is the argument a Python int that stands for a scalar?  Its value goes where the extents would stand."""
    f = Asm("i1", "take_int", ("ptr rt", "ptr obj", "ptr desc", "ptr source"), internal=True)
    mode, kind = f.load("i64", "%desc", layouts.DESC_INT), f.load("ptr", "%obj", layouts.OB_TYPE)
    exact = f.compare("eq", "ptr", kind, f.load("ptr", "%rt", layouts.RT["int_type"]))
    with f.when(f.all(exact, f.ne(mode, layouts.INT_REFUSE))):
        overflow = f.op("alloca i32")
        convert = f.load("ptr", "%rt", layouts.RT["PyLong_AsLongLongAndOverflow"])
        value = f.call("i64", convert, "ptr %obj", f"ptr {overflow}")
        fits = f.compare("eq", "i32", f.load("i32", overflow), 0)
        whole = f.add(value, EXACT)
        exact = f.compare("ule", "i64", whole, 2 * EXACT)
        keep = f.eq(mode, layouts.INT_KEEP)
        with f.when(f.all(fits, f.any(keep, exact))):
            bits = f.op(f"bitcast double {f.op(f'sitofp i64 {value} to double')} to i64")
            f.store("i64", f.choose(keep, value, bits), "%source", layouts.SRC_DIMS)
            f.store("ptr", f.gep("%source", layouts.SRC_DIMS), "%source", layouts.SRC_DATA)
            f.ret("i1", "true")
    f.ret("i1", "false")
    return f.text


def static_ok_text() -> str:
    """i1: do the extents agree with the wanted ones (-1: any)?"""
    f = Asm("i1", "static_ok", ("ptr dims", "ptr wanted", "i32 ndim"), internal=True)
    with f.loop(f.op("zext i32 %ndim to i64")) as loop:
        want = f.op(f"load i64, ptr {f.gep('%wanted', loop.index, 'i64')}")
        got = f.op(f"load i64, ptr {f.gep('%dims', loop.index, 'i64')}")
        differ = f.all(f.ge(want, 0), f.ne(want, got))
        with f.when(differ):
            f.ret("i1", "false")
    f.ret("i1", "true")
    return f.text


def _raise_error() -> str:
    """NULL if a Python exception is set, else the answer of on_error(address of frame, function, *args)."""
    f = Asm("ptr", "raise_error", ("ptr self", "ptr ctx", "ptr frame", "ptr args", "i64 n"), internal=True)
    with f.when(f.eq(f.load("i64", "%frame", layouts.FR_KIND), layouts.ERR_PYTHON)):
        f.ret("ptr", "null")
    total = f.add("%n", 2)
    stack = f.op(f"alloca ptr, i64 {total}")
    rt = f.load("ptr", "%ctx", layouts.CTX_RT)
    address = f.call("ptr", f.load("ptr", rt, layouts.RT["PyLong_FromVoidPtr"]), "ptr %frame")
    with f.when(f.compare("eq", "ptr", address, "null")):
        f.ret("ptr", "null")
    f.store("ptr", address, stack)
    f.store("ptr", "%self", stack, 8)
    rest = f.gep(stack, 16)
    with f.loop("%n") as loop:
        value = f.op(f"load ptr, ptr {f.gep('%args', loop.index, 'ptr')}")
        f.do(f"store ptr {value}, ptr {f.gep(rest, loop.index, 'ptr')}")
    on_error = f.load("ptr", "%ctx", layouts.CTX_ON_ERROR)
    vectorcall = f.load("ptr", rt, layouts.RT["PyObject_Vectorcall"])
    result = f.call("ptr", vectorcall, f"ptr {on_error}", f"ptr {stack}", f"i64 {total}", "ptr null")
    f.call("void", "@decref", f"ptr {rt}", f"ptr {address}")
    f.ret("ptr", result)
    return f.text


def _loaded() -> str:
    """The result of a call behind which parts of the library are loaded that one has missed; NULL: an exception is
    set."""
    f = Asm("ptr", "loaded", ("ptr rt", "ptr result"), internal=True)
    load, vectorcall = (f.load("ptr", "%rt", layouts.RT[name]) for name in ("on_missed", "PyObject_Vectorcall"))
    answer = f.call("ptr", vectorcall, f"ptr {load}", f"ptr {f.op('alloca ptr')}", "i64 0", "ptr null")
    failed = f.compare("eq", "ptr", answer, "null")
    f.call("void", "@decref", "ptr %rt", f"ptr {f.choose(failed, '%result', answer, 'ptr')}")
    f.ret("ptr", f.choose(failed, "null", "%result", "ptr"))
    return f.text


def _traverse() -> str:
    f = Asm("i32", "tp_traverse", ("ptr self", "ptr visit", "ptr arg"))
    for offset in (layouts.OB_TYPE, layouts.FN_DICT, layouts.FN_OWNER):
        obj = f.load("ptr", "%self", offset)
        with f.when(f.compare("ne", "ptr", obj, "null")):
            status = f.call("i32", "%visit", f"ptr {obj}", "ptr %arg")
            with f.when(f.compare("ne", "i32", status, 0)):
                f.ret("i32", status)
    f.ret("i32", 0)
    return f.text


def _drop_fields(f: Asm, rt: str) -> None:
    for offset in (layouts.FN_DICT, layouts.FN_OWNER):
        obj = f.load("ptr", "%self", offset)
        f.store("ptr", "null", "%self", offset)
        with f.when(f.compare("ne", "ptr", obj, "null")):
            f.call("void", "@decref", f"ptr {rt}", f"ptr {obj}")


def _clear() -> str:
    """The collector breaks a cycle: from now on a call raises, because the owner takes the code away."""
    f = Asm("i32", "tp_clear", ("ptr self",))
    ctx = f.load("ptr", "%self", layouts.FN_CTX)
    with f.when(f.compare("eq", "ptr", ctx, "null")):
        f.ret("i32", 0)
    rt = f.load("ptr", ctx, layouts.CTX_RT)
    f.store("ptr", f.load("ptr", rt, layouts.RT["dead_ctx"]), "%self", layouts.FN_CTX)
    f.store("ptr", f.load("ptr", rt, layouts.RT["dead_slow"]), "%self", layouts.FN_SLOW)
    _drop_fields(f, rt)
    f.ret("i32", 0)
    return f.text


def _dealloc() -> str:
    f = Asm("void", "tp_dealloc", ("ptr self",))
    rt = f.load("ptr", f.load("ptr", "%self", layouts.FN_CTX), layouts.CTX_RT)
    f.call("void", f.load("ptr", rt, layouts.RT["PyObject_GC_UnTrack"]), "ptr %self")
    with f.when(f.compare("ne", "ptr", f.load("ptr", "%self", layouts.FN_WEAK), "null")):
        f.call("void", f.load("ptr", rt, layouts.RT["PyObject_ClearWeakRefs"]), "ptr %self")
    _drop_fields(f, rt)
    kind = f.load("ptr", "%self", layouts.OB_TYPE)
    f.call("void", f.load("ptr", rt, layouts.RT["PyObject_GC_Del"]), "ptr %self")
    f.call("void", "@decref", f"ptr {rt}", f"ptr {kind}")
    f.ret()
    return f.text
