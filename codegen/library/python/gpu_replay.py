"""Replay of recorded GPU calls (`replay`): the program of every function of a GPU that only repeats a recording.

Contract  it finds the recording that fits arguments and variables (`abi.layouts` TB_*, RC_*), copies the host's
          arguments to pinned memory, launches the graph, waits without the GIL, and commits.
When      a recording fits; everything else is left to Python, which makes the call.
"""

from __future__ import annotations

from tensordsl.codegen.abi import layouts
from tensordsl.codegen.library.python.module import decref_text, new_array_text
from tensordsl.codegen.library.python.vectorcall import incref
from tensordsl.codegen.llvm.builder import METADATA, UNLIKELY, Asm
from tensordsl.codegen.target.tuning import Tuning

EQ = 2  # Py_EQ
DROPPED = 4  # references that an update of a variable may drop


def replay_text(t: Tuning) -> str:
    """The whole module."""
    parts = (
        decref_text(), new_array_text(), _packed(), _fits(), _states_fit(), _outs_free(), _find(),
        _stage(), _run(), _words_hold(), _results(), _commit(), _unlock(), _unrecorded(), _replay(),
    )  # fmt: skip
    return "".join(parts) + METADATA


def _record_at(f: Asm, records: str, index: str, size: int) -> str:
    return f.gep(records, f.mul(index, size))


def _packed() -> str:
    """i1: has this argument of the host the recorded lengths, C-contiguous?"""
    f = Asm("i1", "packed", ("ptr source", "ptr arg"), internal=True)
    dims, strides = f.load("ptr", "%source", layouts.SRC_DIMS), f.load("ptr", "%source", layouts.SRC_STRIDES)
    wanted, rank = f.load("ptr", "%arg", layouts.AR_DIMS), f.load("i64", "%arg", layouts.AR_NDIM)
    last = f.sub(rank, 1)
    with f.loop(rank, ("i64", f.load("i64", "%arg", layouts.AR_ITEM))) as loop:
        d = f.sub(last, loop.index)
        n, stride, want = (f.op(f"load i64, ptr {f.gep(p, d, 'i64')}") for p in (dims, strides, wanted))
        distance = f.all(f.ne(n, 1), f.ne(stride, loop.values[0]))
        with f.when(f.op(f"or i1 {distance}, {f.ne(n, want)}")):
            f.ret("i1", "false")
        loop.next = [f.mul(loop.values[0], n)]
    f.ret("i1", "true")
    return f.text


def _fits() -> str:
    """i1: are the arguments those of a recording, in places and lengths?"""
    f = Asm("i1", "fits", ("ptr ctx", "ptr table", "ptr record", "ptr frame"), internal=True)
    args, offset = f.load("ptr", "%record", layouts.RC_ARGS), f.load("i64", "%table", layouts.TB_PLACE)
    with f.loop(f.load("i64", "%ctx", layouts.CTX_N_ARGS)) as loop:
        arg = _record_at(f, args, loop.index, layouts.AR_SIZE)
        source = f.gep(_record_at(f, "%frame", loop.index, layouts.SRC_SIZE), layouts.FR_ARGS)
        place, data = f.load("ptr", arg, layouts.AR_PLACE), f.load("ptr", source, layouts.SRC_DATA)
        no_int = f.compare("ne", "ptr", data, f.gep(source, layouts.SRC_DIMS))
        there = f.all(f.compare("eq", "ptr", f.load("ptr", source, layouts.SRC_DIMS), "%ctx"), no_int)
        with f.when(f.op(f"xor i1 {there}, {f.not_null(place)}")):
            f.ret("i1", "false")
        device, host, done = (f.label(x) for x in ("device", "host", "next"))
        f.branch(there, device, host)
        f.place(host)
        bad = f.label("bad")
        f.branch(f.call("i1", "@packed", f"ptr {source}", f"ptr {arg}"), done, bad)
        f.place(bad)
        f.ret("i1", "false")
        f.place(device)
        found = f.op(f"load ptr, ptr {f.gep(data, offset)}")
        with f.when(f.compare("ne", "ptr", found, place)):
            equal = f.load("ptr", "%table", layouts.TB_EQUAL)
            answer = f.call("i32", equal, f"ptr {found}", f"ptr {place}", f"i32 {EQ}")
            with f.when(f.compare("ne", "i32", answer, 1)):
                f.ret("i1", "false")
        f.place(done)
    f.ret("i1", "true")
    return f.text


def _slot(f: Asm, storage: str, field: int) -> str:
    """Where a variable's storage has an attribute."""
    return f.gep(storage, f.load("i64", "%table", field))


def _states_fit() -> str:
    """i1: are all variables' values where the recording looks for them, and does nobody else use them?"""
    f = Asm("i1", "states_fit", ("ptr table", "ptr record"), internal=True)
    states = f.load("ptr", "%record", layouts.RC_STATES)
    free, own = f.load("ptr", "%table", layouts.TB_ZERO), f.load("ptr", "%table", layouts.TB_FALSE)
    with f.loop(f.load("i64", "%record", layouts.RC_N_STATES)) as loop:
        state = _record_at(f, states, loop.index, layouts.ST_SIZE)
        storage = f.load("ptr", state, layouts.ST_STORAGE)
        wanted = (
            (layouts.TB_ARRAY, f.load("ptr", state, layouts.ST_ARRAY)),
            (layouts.TB_SPARE, f.load("ptr", state, layouts.ST_SPARE)),
            (layouts.TB_LOCK, free), (layouts.TB_LEFT, own),
        )  # fmt: skip
        same = [f.compare("eq", "ptr", f.load("ptr", _slot(f, storage, field)), value) for field, value in wanted]
        with f.when(f.op(f"xor i1 {f.all(*same)}, true")):
            f.ret("i1", "false")
    f.ret("i1", "true")
    return f.text


def _outs_free() -> str:
    """i1: does nobody hold an output that an earlier call left on the device?"""
    f = Asm("i1", "outs_free", ("ptr table", "ptr record"), internal=True)
    outs, weak = f.load("ptr", "%record", layouts.RC_OUTS), f.load("i64", "%table", layouts.TB_WEAK)
    with f.loop(f.load("i64", "%table", layouts.TB_N_OUTS)) as loop:
        obj = f.load("ptr", _record_at(f, outs, loop.index, layouts.OU_SIZE), layouts.OU_OBJECT)
        with f.when(f.not_null(obj)):
            one = f.compare("eq", "i32", f.load("i32", obj, layouts.OB_REFCNT), 1)
            unseen = f.is_null(f.op(f"load ptr, ptr {f.gep(obj, weak)}"))
            with f.when(f.op(f"xor i1 {f.all(one, unseen)}, true")):
                f.ret("i1", "false")
    f.ret("i1", "true")
    return f.text


def _find() -> str:
    """The recording that fits, or NULL."""
    f = Asm("ptr", "find", ("ptr ctx", "ptr table", "ptr frame"), internal=True)
    records = f.gep("%table", layouts.TB_RECORDS)
    with f.loop(f.load("i64", "%table", layouts.TB_COUNT)) as loop:
        record = f.op(f"load ptr, ptr {f.gep(records, loop.index, 'ptr')}")
        with f.when(f.call("i1", "@states_fit", "ptr %table", f"ptr {record}")):
            with f.when(f.call("i1", "@fits", "ptr %ctx", "ptr %table", f"ptr {record}", "ptr %frame")):
                with f.when(f.call("i1", "@outs_free", "ptr %table", f"ptr {record}")):
                    f.ret("ptr", record)
    f.ret("ptr", "null")
    return f.text


def _stage() -> str:
    """Copy the arguments of the host to the recording's memory."""
    f = Asm("void", "stage", ("ptr ctx", "ptr record", "ptr frame"), internal=True)
    copy = f.load("ptr", f.load("ptr", "%ctx", layouts.CTX_RT), layouts.RT["memcpy"])
    args = f.load("ptr", "%record", layouts.RC_ARGS)
    with f.loop(f.load("i64", "%ctx", layouts.CTX_N_ARGS)) as loop:
        arg = _record_at(f, args, loop.index, layouts.AR_SIZE)
        room = f.load("ptr", arg, layouts.AR_ROOM)
        with f.when(f.not_null(room)):
            source = f.gep(_record_at(f, "%frame", loop.index, layouts.SRC_SIZE), layouts.FR_ARGS)
            size = f.load("i64", arg, layouts.AR_BYTES)
            f.call("ptr", copy, f"ptr {room}", f"ptr {f.load('ptr', source, layouts.SRC_DATA)}", f"i64 {size}")
    f.ret()
    return f.text


def _run() -> str:
    """i32: the first code of the driver that is not 0; its function's number goes to the frame.  Without the GIL."""
    f = Asm("i32", "run", ("ptr ctx", "ptr table", "ptr record", "ptr frame"), internal=True)
    rt = f.load("ptr", "%ctx", layouts.CTX_RT)
    thread = f.call("ptr", f.load("ptr", rt, layouts.RT["PyEval_SaveThread"]))
    push, launch, wait, pop = (f.load("ptr", "%table", layouts.TB_CALLS + 8 * k) for k in range(4))
    stream = f.load("ptr", "%table", layouts.TB_STREAM)
    old, code = f.op("alloca ptr"), f.op("alloca i32")
    end, leave = f.label("end"), f.label("leave")

    def call(number: int, function: str, operands: tuple[str, ...], failed: str) -> None:
        f.store("i64", number, "%frame", layouts.FR_B)
        answer = f.call("i32", function, *operands)
        f.store("i32", answer, code)
        good = f.label("good")
        f.branch(f.compare("eq", "i32", answer, 0), good, failed)
        f.place(good)

    call(0, push, (f"ptr {f.load('ptr', '%table', layouts.TB_CONTEXT)}",), end)
    call(1, launch, (f"ptr {f.load('ptr', '%record', layouts.RC_GRAPH)}", f"ptr {stream}"), leave)
    call(2, wait, (f"ptr {stream}",), leave)
    f.place(leave)
    f.call("i32", pop, f"ptr {old}")  # not over an error of the call's
    f.place(end)
    f.call("void", f.load("ptr", rt, layouts.RT["PyEval_RestoreThread"]), f"ptr {thread}")
    f.ret("i32", f.load("i32", code))
    return f.text


def _words_hold() -> str:
    """i1: do all conditions hold?"""
    f = Asm("i1", "words_hold", ("ptr record",), internal=True)
    words, limits = f.load("ptr", "%record", layouts.RC_WORDS), f.load("ptr", "%record", layouts.RC_LIMITS)
    with f.loop(f.load("i64", "%record", layouts.RC_N_WORDS)) as loop:
        word = f.op(f"load i64, ptr {f.gep(words, loop.index, 'i64')}")
        limit = _record_at(f, limits, loop.index, layouts.LM_SIZE)
        least = f.ge(word, f.load("i64", limit, layouts.LM_LEAST))
        most = f.le(word, f.load("i64", limit, layouts.LM_MOST))
        with f.when(f.op(f"xor i1 {f.all(least, most)}, true")):
            f.ret("i1", "false")
    f.ret("i1", "true")
    return f.text


def _results() -> str:
    """The outputs: one, or a list of them; NULL with a Python exception."""
    f = Asm("ptr", "results", ("ptr ctx", "ptr table", "ptr record"), internal=True)
    rt = f.load("ptr", "%ctx", layouts.CTX_RT)
    outs, described = f.load("ptr", "%record", layouts.RC_OUTS), f.load("ptr", "%ctx", layouts.CTX_OUTS)
    count = f.load("i64", "%table", layouts.TB_N_OUTS)
    result = f.op("alloca ptr")
    f.store("ptr", "null", result)
    is_list = f.ne(f.load("i64", "%table", layouts.TB_LIST), 0)
    with f.when(is_list):
        made = f.call("ptr", f.load("ptr", rt, layouts.RT["PyList_New"]), f"i64 {count}")
        f.store("ptr", made, result)
        with f.when(f.is_null(made), UNLIKELY):
            f.ret("ptr", "null")
    with f.loop(count) as loop:
        out = _record_at(f, outs, loop.index, layouts.OU_SIZE)
        value = f.call(
            "ptr", "@result", f"ptr {rt}", f"ptr {out}", f"ptr {_record_at(f, described, loop.index, layouts.OUT_SIZE)}"
        )
        whole = f.load("ptr", result)
        with f.when(f.is_null(value), UNLIKELY):
            with f.when(f.not_null(whole)):
                f.call("void", "@decref", f"ptr {rt}", f"ptr {whole}")
            f.ret("ptr", "null")
        listed, alone, done = (f.label(x) for x in ("listed", "alone", "next"))
        f.branch(is_list, listed, alone)
        f.place(listed)
        f.do(f"store ptr {value}, ptr {f.gep(f.load('ptr', whole, layouts.LIST_ITEMS), loop.index, 'ptr')}")
        f.jump(done)
        f.place(alone)
        f.store("ptr", value, result)
        f.place(done)
    f.ret("ptr", f.load("ptr", result))
    return _result() + f.text


def _result() -> str:
    """A new reference to what stays on the device, or a new array of what was copied to the host."""
    f = Asm("ptr", "result", ("ptr rt", "ptr out", "ptr described"), internal=True)
    obj = f.load("ptr", "%out", layouts.OU_OBJECT)
    with f.when(f.not_null(obj)):
        incref(f, obj)
        f.ret("ptr", obj)
    descr, rank = f.load("ptr", "%described", layouts.OUT_DESCR), f.load("i32", "%described", layouts.OUT_NDIM)
    dims = f.load("ptr", "%out", layouts.OU_DIMS)
    array = f.call("ptr", "@new_array", "ptr %rt", f"ptr {descr}", f"i32 {rank}", f"ptr {dims}", "ptr null")
    room = f.load("ptr", "%out", layouts.OU_ROOM)
    with f.when(f.all(f.not_null(array), f.not_null(room))):
        size, copy = f.load("i64", "%out", layouts.OU_BYTES), f.load("ptr", "%rt", layouts.RT["memcpy"])
        f.call("ptr", copy, f"ptr {f.load('ptr', array, layouts.ND_DATA)}", f"ptr {room}", f"i64 {size}")
    f.ret("ptr", array)
    return f.text


def _commit() -> str:
    """All new values become visible; what is dropped, which runs Python code, is dropped afterwards."""
    f = Asm("void", "commit", ("ptr ctx", "ptr table", "ptr record"), internal=True)
    updates, count = f.load("ptr", "%record", layouts.RC_UPDATES), f.load("i64", "%record", layouts.RC_N_UPDATES)
    none, false = f.load("ptr", "%table", layouts.TB_NONE), f.load("ptr", "%table", layouts.TB_FALSE)
    drops = f.mul(count, DROPPED)
    dropped = f.op(f"alloca ptr, i64 {drops}")
    with f.loop(count) as loop:
        update = _record_at(f, updates, loop.index, layouts.UP_SIZE)
        storage, array = f.load("ptr", update, layouts.UP_STORAGE), f.load("ptr", update, layouts.UP_ARRAY)
        places = [
            _slot(f, storage, field)
            for field in (layouts.TB_ARRAY, layouts.TB_SPARE, layouts.TB_MIRROR, layouts.TB_SHOWN)
        ]
        old = [f.load("ptr", place) for place in places]
        shown = f.compare("ne", "ptr", old[3], false)
        spare = f.choose(shown, none, old[0], "ptr")
        room = f.gep(dropped, f.mul(loop.index, DROPPED), "ptr")
        for k, (place, new) in enumerate(zip(places, (array, spare, none, false), strict=True)):
            incref(f, new)
            f.store("ptr", new, place)
            f.store("ptr", old[k], room, 8 * k)
    rt = f.load("ptr", "%ctx", layouts.CTX_RT)
    with f.loop(drops) as loop:
        thing = f.op(f"load ptr, ptr {f.gep(dropped, loop.index, 'ptr')}")
        f.call("void", "@decref", f"ptr {rt}", f"ptr {thing}")
    f.ret()
    return f.text


def _unlock() -> str:
    f = Asm("void", "unlock", ("ptr ctx", "ptr table"), internal=True)
    rt, release = f.load("ptr", "%ctx", layouts.CTX_RT), f.load("ptr", "%table", layouts.TB_RELEASE)
    answer = f.call(
        "ptr", f.load("ptr", rt, layouts.RT["PyObject_Vectorcall"]), f"ptr {release}", "ptr null", "i64 0", "ptr null"
    )
    with f.when(f.not_null(answer)):
        f.call("void", "@decref", f"ptr {rt}", f"ptr {answer}")
    f.ret()
    return f.text


def _unrecorded() -> str:
    """Let Python make the call."""
    f = Asm("ptr", "unrecorded", ("ptr ctx", "ptr table", "ptr frame"), internal=True)
    f.call("void", f.load("ptr", "%table", layouts.TB_CLEAR))
    f.call("void", "@unlock", "ptr %ctx", "ptr %table")
    f.store("i64", layouts.ERR_UNRECORDED, "%frame", layouts.FR_KIND)
    f.ret("ptr", "null")
    return f.text


def _replay() -> str:
    """ptr replay(ctx, frame): the program."""
    f = Asm("ptr", "replay", ("ptr ctx", "ptr frame"))
    rt, table = f.load("ptr", "%ctx", layouts.CTX_RT), f.load("ptr", "%ctx", layouts.CTX_KERN)
    vectorcall, acquire = f.load("ptr", rt, layouts.RT["PyObject_Vectorcall"]), f.load("ptr", table, layouts.TB_ACQUIRE)
    answer = f.call("ptr", vectorcall, f"ptr {acquire}", f"ptr {f.gep(table, layouts.TB_FALSE)}", "i64 1", "ptr null")
    with f.when(f.is_null(answer), UNLIKELY):
        f.store("i64", layouts.ERR_PYTHON, "%frame", layouts.FR_KIND)
        f.ret("ptr", "null")
    locked = f.compare("eq", "ptr", answer, f.load("ptr", table, layouts.TB_TRUE))
    f.call("void", "@decref", f"ptr {rt}", f"ptr {answer}")
    with f.when(f.op(f"xor i1 {locked}, true"), UNLIKELY):  # another thread's call
        f.store("i64", layouts.ERR_UNRECORDED, "%frame", layouts.FR_KIND)
        f.ret("ptr", "null")
    python = f.label("python")

    def need(condition: str) -> None:
        good = f.label("good")
        f.branch(condition, good, python)
        f.place(good)

    need(f.eq(f.load("i64", f.load("ptr", table, layouts.TB_LOOK)), 0))
    record = f.call("ptr", "@find", "ptr %ctx", f"ptr {table}", "ptr %frame")
    need(f.not_null(record))
    f.call("void", "@stage", "ptr %ctx", f"ptr {record}", "ptr %frame")
    code = f.call("i32", "@run", "ptr %ctx", f"ptr {table}", f"ptr {record}", "ptr %frame")
    with f.when(f.compare("ne", "i32", code, 0), UNLIKELY):
        f.store("i64", layouts.ERR_DEVICE, "%frame", layouts.FR_KIND)
        f.store("i64", f.op(f"sext i32 {code} to i64"), "%frame", layouts.FR_A)
        f.call("void", "@unlock", "ptr %ctx", f"ptr {table}")
        f.ret("ptr", "null")
    need(f.call("i1", "@words_hold", f"ptr {record}"))
    need(f.call("i1", "@states_fit", f"ptr {table}", f"ptr {record}"))  # a variable can have moved to another device
    result = f.call("ptr", "@results", "ptr %ctx", f"ptr {table}", f"ptr {record}")
    need(f.not_null(result))
    f.call("void", "@commit", "ptr %ctx", f"ptr {table}", f"ptr {record}")
    f.call("void", "@unlock", "ptr %ctx", f"ptr {table}")
    f.ret("ptr", result)
    f.place(python)
    f.ret("ptr", f.call("ptr", "@unrecorded", "ptr %ctx", f"ptr {table}", "ptr %frame"))
    return f.text
