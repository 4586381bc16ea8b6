"""Calls from C: a program runs without Python's objects and lock, and writes results to the caller's buffers.

Contract  `i64 c_call(args, results, error, handle)`: 0, or an `ERR_*` of `abi.layouts` with its record in `error`,
          unless NULL; `handle` is a context with the words from `CC_TEXTS` on.  The others fit it to known signatures.
When      for programs without host steps and updates, whose kernels are all there.
Why       every address that programs use comes from the run-time table: this has other helpers, in a table of its own.
"""

from __future__ import annotations

from tensordsl.codegen.abi import layouts
from tensordsl.codegen.library.alternate_stack import has_stack_text
from tensordsl.codegen.library.python.vectorcall import static_ok_text, table, unless_failed
from tensordsl.codegen.llvm.builder import METADATA, UNLIKELY, Asm
from tensordsl.codegen.target.tuning import Tuning

OVERFLOW = "declare {i64, i1} @llvm.smul.with.overflow.i64(i64, i64)\n"
_OUT = ("ptr ctx", "ptr frame", "i64 site", "i64 output", "ptr dims", "ptr slot")


def c_calls_text(t: Tuning) -> str:
    helpers = (
        _new_out(Asm("ptr", "c_new_out", _OUT)), _new_out(Asm("ptr", "c_new_like", (*_OUT, "i64 likes", "ptr rows"))),
        _new_list(), _nothing("i64", "c_pin", ("ptr ctx", "ptr frame", "i64 site", "ptr slots", "i64 then")),
        _nothing("i64", "c_poll", ("ptr ctx", "ptr frame", "i64 site")),
        _nothing("void", "c_save_thread", ("ptr ctx", "ptr frame", "i64 when")),
        _nothing("void", "c_restore_thread", ("ptr ctx", "ptr frame")), _nothing("void", "c_unwatch", ("ptr frame",)),
        _release(), _fail(),
    )  # fmt: skip
    calls = _logp(), _expand(), _of_vector(), _of_number(), _filter(), _map()
    return (
        OVERFLOW
        + static_ok_text()
        + has_stack_text()
        + "".join(helpers)
        + _call()
        + _text()
        + _dropped()
        + "".join(calls)
        + METADATA
    )


# -- helpers -----------------------------------------------------------------------------------------------------------
def _behind_arguments(f: Asm) -> str:
    """The frame's words from `CF_RESULTS` on."""
    size = f.mul(f.load("i64", "%ctx", layouts.CTX_N_ARGS), layouts.SRC_SIZE)
    return f.gep("%frame", f.add(size, layouts.FR_ARGS))


def _fail_with(f: Asm, kind: int, a: str, b: str) -> None:
    for offset, value in ((layouts.FR_KIND, kind), (layouts.FR_A, a), (layouts.FR_B, b)):
        f.store("i64", value, "%frame", offset)


def _new_out(f: Asm) -> str:
    """The caller's buffer, if the result has room there."""
    unless_failed(f)
    out = f.gep(f.load("ptr", "%ctx", layouts.CTX_OUTS), f.mul("%output", layouts.OUT_SIZE))
    ndim = f.op(f"zext i32 {f.load('i32', out, layouts.OUT_NDIM)} to i64")
    results = f.load("ptr", _behind_arguments(f), layouts.CF_RESULTS)
    result = f.gep(results, f.mul("%output", layouts.RES_SIZE))
    lengths, data = f.load("ptr", result, layouts.RES_DIMS), f.load("ptr", result, layouts.RES_DATA)
    itemsize = f.load("i64", out, layouts.OUT_ITEMSIZE)
    with f.loop(ndim, ("i64", itemsize), ("i1", "false")) as loop:
        n = f.op(f"load i64, ptr {f.gep('%dims', loop.index, 'i64')}")
        with f.when(f.not_null(lengths)):
            f.do(f"store i64 {n}, ptr {f.gep(lengths, loop.index, 'i64')}")
        both = f.op(f"call {{i64, i1}} @llvm.smul.with.overflow.i64(i64 {loop.values[0]}, i64 {n})")
        wraps = f.any(loop.values[1], f.op(f"extractvalue {{i64, i1}} {both}, 1"))
        loop.next = [f.op(f"extractvalue {{i64, i1}} {both}, 0"), wraps]
    size, wraps = loop.values
    room = f.choose(f.is_null(data), 0, f.load("i64", result, layouts.RES_BYTES))
    with f.when(f.any(f.gt(size, room), wraps), UNLIKELY):
        _fail_with(f, layouts.ERR_ROOM, "%output", size)
        f.ret("ptr", "null")
    f.store("ptr", result, "%slot")
    f.ret("ptr", f.choose(f.is_null(data), result, data, "ptr"))
    return f.text


def _new_list() -> str:
    """Where a program puts what stands for its results."""
    f = Asm("ptr", "c_new_list", ("ptr ctx", "ptr frame", "i64 site", "i64 n", "ptr slot"))
    unless_failed(f)
    extra = _behind_arguments(f)
    made = f.gep(extra, layouts.CF_LIST)
    f.store("ptr", f.gep(extra, layouts.CF_ITEMS), made, layouts.LIST_ITEMS)
    f.store("ptr", made, "%slot")
    f.ret("ptr", made)
    return f.text


def _nothing(result: str, name: str, params: tuple[str, ...]) -> str:
    f = Asm(result, name, params)
    f.ret(*() if result == "void" else (result, 0))
    return f.text


def _release() -> str:
    """Give arenas back: there are no objects."""
    f = Asm("void", "c_release", ("ptr ctx", "ptr frame", "ptr objs", "i64 n"))
    with f.when(f.not_null(f.load("ptr", "%frame", layouts.FR_ARENA))):
        f.call("void", f.load("ptr", table(f), layouts.RT["free_arena"]), "ptr %ctx", "ptr %frame", "ptr null")
    f.ret()
    return f.text


def _fail() -> str:
    f = Asm("ptr", "c_fail", ("ptr ctx", "ptr frame", "ptr objs", "i64 n"))
    f.call("void", "@c_release", "ptr %ctx", "ptr %frame", "ptr %objs", "i64 %n")
    f.ret("ptr", "null")
    return f.text


# -- the call ----------------------------------------------------------------------------------------------------------
def _call() -> str:
    f = Asm("i64", "c_call", ("ptr args", "ptr results", "ptr error", "ptr handle"))
    rt = f.load("ptr", "%handle", layouts.CTX_RT)
    count, outs = f.load("i64", "%handle", layouts.CTX_N_ARGS), f.load("i64", "%handle", layouts.CC_N_OUTS)
    arguments = f.add(f.mul(count, layouts.SRC_SIZE), layouts.FR_ARGS)
    strides = f.add(f.add(arguments, layouts.CF_ITEMS), f.mul(outs, 8))
    size = f.add(strides, f.mul(f.load("i64", "%handle", layouts.CC_N_AXES), 8))
    needed = f.load("i64", "%handle", layouts.CTX_STACK)
    refused = f.op("alloca [4 x i64], align 8")  # the record of a call that does not begin
    with f.when(f.ne(needed, 0), UNLIKELY):
        enough = f.call("i1", "@has_stack", f"ptr {rt}", f"i64 {needed}")
        with f.when(f.negate(enough), UNLIKELY):
            _refuse(f, refused, layouts.ERR_STACK, 0, 0)
    frame = f.op(f"alloca i8, i64 {size}, align 16")
    _take_arguments(f, frame, strides, count, refused)
    for offset in (
        layouts.FR_KIND, layouts.FR_ARENA, layouts.FR_TSTATE, layouts.FR_PINNED, layouts.FR_POLLED, layouts.FR_DEPTH,
        layouts.FR_A, layouts.FR_B, layouts.FR_OBJECTS,
    ):  # fmt: skip
        f.store("i64", 0, frame, offset)
    f.store("i64", -1, frame, layouts.FR_SITE)  # failures that no site reports
    f.store("ptr", "%results", f.gep(frame, arguments), layouts.CF_RESULTS)
    made = f.call("ptr", f.load("ptr", "%handle", layouts.CTX_PROGRAM), "ptr %handle", f"ptr {frame}")
    with f.when(f.is_null(made), UNLIKELY):
        _give_record(f, frame)
        kind = f.load("i64", frame, layouts.FR_KIND)
        f.ret("i64", f.choose(f.eq(kind, 0), layouts.ERR_INTERNAL, kind))
    f.ret("i64", 0)
    return f.text


def _take_arguments(f: Asm, frame: str, first: str, count: str, refused: str) -> None:
    """Copy what the caller says of arguments to the frame's sources; strides that are left out are those of C order."""
    descs, items = f.load("ptr", "%handle", layouts.CTX_DESC), f.load("ptr", "%handle", layouts.CC_ITEMS)
    with f.loop(count, ("i64", first)) as loop:
        number = loop.index
        given = f.gep("%args", f.mul(number, layouts.SRC_SIZE))
        source = f.gep(f.gep(frame, layouts.FR_ARGS), f.mul(number, layouts.SRC_SIZE))
        desc = f.gep(descs, f.mul(number, layouts.DESC_SIZE))
        item = f.op(f"load i64, ptr {f.gep(items, number, 'i64')}")
        unaligned = f.sub(item, 1)
        data, dims, steps = (
            f.load("ptr", given, at) for at in (layouts.SRC_DATA, layouts.SRC_DIMS, layouts.SRC_STRIDES)
        )
        ndim = f.load("i32", desc, layouts.DESC_NDIM)
        axes = f.op(f"zext i32 {ndim} to i64")
        own = f.gep(frame, loop.values[0])
        address = f.op(f"ptrtoint ptr {data} to i64")
        with f.when(f.ne(f.and_(address, unaligned), 0), UNLIKELY):
            _refuse(f, refused, layouts.ERR_ARGUMENT, number, -1)
        has_steps = f.not_null(steps)
        with f.loop(axes, ("i64", item), ("i64", "1")) as along:
            axis = f.sub(f.sub(axes, 1), along.index)
            length = f.op(f"load i64, ptr {f.gep(dims, axis, 'i64')}")
            at = f.gep(f.choose(has_steps, steps, own, "ptr"), axis, "i64")
            with f.when(f.negate(has_steps)):
                f.do(f"store i64 {along.values[0]}, ptr {at}")
            step = f.op(f"load i64, ptr {at}")
            crooked = f.all(f.ne(f.and_(step, unaligned), 0), f.gt(length, 1))
            with f.when(f.any(f.lt(length, 0), crooked), UNLIKELY):
                _refuse(f, refused, layouts.ERR_ARGUMENT, number, axis)
            along.next = [f.mul(along.values[0], length), f.mul(along.values[1], length)]
        empty = f.eq(along.values[1], 0)
        with f.when(f.all(f.is_null(data), f.negate(empty)), UNLIKELY):
            _refuse(f, refused, layouts.ERR_ARGUMENT, number, -1)
        wanted = f.load("ptr", desc, layouts.DESC_STATIC)
        with f.when(f.not_null(wanted)):
            fits = f.call("i1", "@static_ok", f"ptr {dims}", f"ptr {wanted}", f"i32 {ndim}")
            with f.when(f.negate(fits), UNLIKELY):
                _refuse(f, refused, layouts.ERR_ARGUMENT, number, 0)
        f.store("ptr", data, source, layouts.SRC_DATA)
        f.store("ptr", dims, source, layouts.SRC_DIMS)
        f.store("ptr", f.choose(has_steps, steps, own, "ptr"), source, layouts.SRC_STRIDES)
        loop.next = [f.add(loop.values[0], f.mul(axes, 8))]


def _refuse(f: Asm, record: str, kind: int, a: str | int, b: str | int) -> None:
    for offset, value in ((layouts.FR_SITE, -1), (layouts.FR_KIND, kind), (layouts.FR_A, a), (layouts.FR_B, b)):
        f.store("i64", value, record, offset)
    _give_record(f, record)
    f.ret("i64", kind)


def _give_record(f: Asm, record: str) -> None:
    with f.when(f.not_null("%error")):
        for offset in (layouts.FR_SITE, layouts.FR_KIND, layouts.FR_A, layouts.FR_B):
            f.store("i64", f.load("i64", record, offset), "%error", offset)


def _text() -> str:
    """ptr: what a record says, a text that lives as long as the handle."""
    f = Asm("ptr", "c_text", ("ptr error", "ptr handle"))
    site, count = f.load("i64", "%error", layouts.FR_SITE), f.load("i64", "%handle", layouts.CC_N_TEXTS)
    known = f.compare("ult", "i64", site, count)
    texts = f.load("ptr", "%handle", layouts.CC_TEXTS)
    f.ret("ptr", f.op(f"load ptr, ptr {f.gep(texts, f.choose(known, site, count), 'ptr')}"))
    return f.text


def _dropped() -> str:
    """What a handle runs in the place of its program when that is gone."""
    f = Asm("ptr", "c_dropped", ("ptr ctx", "ptr frame"))
    _fail_with(f, layouts.ERR_DROPPED, "0", "0")
    f.ret("ptr", "null")
    return f.text


# -- signatures --------------------------------------------------------------------------------------------------------
def _given(f: Asm, *arguments: tuple[str, str]) -> str:
    """What `c_call` gets for arguments: (address, address of its length or "null")."""
    args = f.op(f"alloca [{len(arguments) * layouts.SRC_SIZE} x i8], align 8")
    for k, (data, dims) in enumerate(arguments):
        for offset, value in ((layouts.SRC_DATA, data), (layouts.SRC_DIMS, dims), (layouts.SRC_STRIDES, "null")):
            f.store("ptr", value, args, k * layouts.SRC_SIZE + offset)
    return args


def _wanted(f: Asm, *results: tuple[str, str, str]) -> str:
    """The same of results: (address, where its length is written or "null", bytes)."""
    made = f.op(f"alloca [{len(results) * layouts.RES_SIZE} x i8], align 8")
    for k, (data, dims, size) in enumerate(results):
        f.store("ptr", data, made, k * layouts.RES_SIZE + layouts.RES_DATA)
        f.store("ptr", dims, made, k * layouts.RES_SIZE + layouts.RES_DIMS)
        f.store("i64", size, made, k * layouts.RES_SIZE + layouts.RES_BYTES)
    return made


def _run(f: Asm, args: str, results: str) -> str:
    return f.call("i64", "@c_call", f"ptr {args}", f"ptr {results}", "ptr null", "ptr %handle")


def _number(f: Asm, value: str) -> str:
    """The address of an i64."""
    at = f.op("alloca i64")
    f.store("i64", value, at)
    return at


def _is_finite(f: Asm, value: str) -> str:
    difference = f.op(f"fsub double {value}, {value}")
    return f.op(f"fcmp oeq double {difference}, 0.0")


def _logp() -> str:
    f = Asm("i64", "c_logp", ("i64 dim", "ptr x", "ptr gradient", "ptr value", "ptr handle"))
    length = _number(f, "0")
    args = _given(f, ("%x", _number(f, "%dim")))
    status = _run(f, args, _wanted(f, ("%value", "null", "8"), ("%gradient", length, f.mul("%dim", 8))))
    with f.when(f.ne(status, 0), UNLIKELY):
        is_length = f.any(f.eq(status, layouts.ERR_ARGUMENT), f.eq(status, layouts.ERR_ROOM))
        f.ret("i64", f.choose(is_length, layouts.BAD_LENGTH, layouts.FAILED))
    with f.when(f.ne(f.load("i64", length), "%dim"), UNLIKELY):
        f.ret("i64", layouts.BAD_LENGTH)
    with f.loop("%dim", ("i1", "true")) as loop:
        element = f.op(f"load double, ptr {f.gep('%gradient', loop.index, 'double')}")
        loop.next = [f.all(loop.values[0], _is_finite(f, element))]
    with f.when(f.negate(loop.values[0]), UNLIKELY):
        f.ret("i64", layouts.BAD_GRADIENT)
    f.ret("i64", f.choose(_is_finite(f, f.load("double", "%value")), 0, layouts.BAD_VALUE))
    return f.text


def _expand() -> str:
    f = Asm("i64", "c_expand", ("i64 dim", "i64 n", "ptr x", "ptr out", "ptr handle"))
    length = _number(f, "0")
    args = _given(f, ("%x", _number(f, "%dim")))
    status = _run(f, args, _wanted(f, ("%out", length, f.mul("%n", 8))))
    with f.when(f.any(f.ne(status, 0), f.ne(f.load("i64", length), "%n")), UNLIKELY):
        f.ret("i64", layouts.BAD_LENGTH)
    f.ret("i64", 0)
    return f.text


def _of_vector() -> str:
    """The value, or NaN, of the numbers at x."""
    f = Asm("double", "c_of_vector", ("i32 n", "ptr x", "ptr handle"))
    value = f.op("alloca double")
    args = _given(f, ("%x", _number(f, f.op("sext i32 %n to i64"))))
    return _value_or_nan(f, _run(f, args, _wanted(f, (value, "null", "8"))), value)


def _value_or_nan(f: Asm, status: str, value: str) -> str:
    with f.when(f.ne(status, 0), UNLIKELY):
        f.ret("double", "0x7FF8000000000000")
    f.ret("double", f.load("double", value))
    return f.text


def _of_number() -> str:
    f = Asm("double", "c_of_number", ("double x", "ptr handle"))
    x, value = f.op("alloca double"), f.op("alloca double")
    f.store("double", "%x", x)
    return _value_or_nan(f, _run(f, _given(f, (x, "null")), _wanted(f, (value, "null", "8"))), value)


def _filter() -> str:
    """i32: 1, or 0 where it has failed."""
    f = Asm("i32", "c_filter", ("ptr x", "i64 n", "ptr value", "ptr handle"))
    args = _given(f, ("%x", _number(f, "%n")))
    status = _run(f, args, _wanted(f, ("%value", "null", "8")))
    f.ret("i32", f.op(f"zext i1 {f.eq(status, 0)} to i32"))
    return f.text


def _map() -> str:
    """i64: 0, or what `c_call` gives; BAD_LENGTH where the result has not so many numbers as the argument."""
    f = Asm("i64", "c_map", ("i64 n", "ptr x", "ptr out", "ptr handle"))
    length = _number(f, "%n")
    args = _given(f, ("%x", _number(f, "%n")))
    status = _run(f, args, _wanted(f, ("%out", length, f.mul("%n", 8))))
    wrong = f.all(f.eq(status, 0), f.ne(f.load("i64", length), "%n"))
    f.ret("i64", f.choose(wrong, layouts.BAD_LENGTH, status))
    return f.text
