"""The native object: helpers of programs for storage, state, arenas, the GIL, host calls, signals and the commit.

Contract  `codegen.abi.layouts.HELPERS` says what each helper takes and gives; one object serves all functions.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from tensordsl.codegen.abi import layouts
from tensordsl.codegen.library.python.arena import arena_text
from tensordsl.codegen.library.python.array_order import like_texts, strides_like
from tensordsl.codegen.library.python.arrays import array_text
from tensordsl.codegen.library.python.cells import cell_text
from tensordsl.codegen.library.python.failures import failure_text
from tensordsl.codegen.library.python.host_calls import host_call_text, take_result
from tensordsl.codegen.library.python.row_parts import DECLARATION, parts_text
from tensordsl.codegen.library.python.vectorcall import entry_text, incref, record, table, unless_failed
from tensordsl.codegen.library.signals import DECLARATIONS, poll, run_time_table, signal_text
from tensordsl.codegen.llvm.builder import METADATA, UNLIKELY, Asm
from tensordsl.codegen.target.tuning import Tuning

# Cycles between two looks for signals: about 10 ms.  AArch64 counts the ticks of a clock, which differ: 1 to 40 ms.
POLL_INTERVAL_X86_CYCLES, POLL_INTERVAL_ARM_TICKS = 30_000_000, 1_000_000


def native_text(t: Tuning) -> str:
    """The whole module, for AArch64 or x86-64."""
    interval = POLL_INTERVAL_ARM_TICKS if t.machine.is_arm else POLL_INTERVAL_X86_CYCLES
    declarations = (
        "declare i64 @llvm.ctlz.i64(i64, i1)\ndeclare i64 @llvm.abs.i64(i64, i1)\n"
        "declare i64 @llvm.readcyclecounter()\ndeclare {i64, i1} @llvm.smul.with.overflow.i64(i64, i64)\n"
    )
    parts = (
        entry_text(), decref_text(), new_array_text(), array_text(t), like_texts(), _new_outs(), _new_list(),
        _exclusive(), _prepare(),
        _bytes(), _swap_in(), _commit(), _copy(t), _pin(), _save_thread(), _restore_thread(), _release(), _fail(),
        arena_text(t), host_call_text(), _host_call(), _take_result(), _poll(interval), cell_text(), parts_text(),
        failure_text(), _clear(t), signal_text(t.machine.is_arm),
    )  # fmt: skip
    return DECLARATION + DECLARATIONS + declarations + "".join(parts) + METADATA


def decref_text() -> str:
    f = Asm("void", "decref", ("ptr rt", "ptr obj"), internal=True)
    count = f.load("i32", "%obj", layouts.OB_REFCNT)
    with f.when(f.compare("sge", "i32", count, 0)):
        less = f.op(f"sub i32 {count}, 1")
        f.store("i32", less, "%obj", layouts.OB_REFCNT)
        with f.when(f.compare("eq", "i32", less, 0)):
            f.call("void", f.load("ptr", "%rt", layouts.RT["_Py_Dealloc"]), "ptr %obj")
    f.ret()
    return f.text


# New objects


def new_array_text() -> str:
    """PyArray_NewFromDescr, which steals the reference to the dtype; NULL: exception set."""
    f = Asm("ptr", "new_array", ("ptr rt", "ptr descr", "i32 ndim", "ptr dims", "ptr strides"), internal=True)
    incref(f, "%descr")
    kind = f.load("ptr", "%rt", layouts.RT["np_type"])
    new = f.load("ptr", "%rt", layouts.RT["np_new"])
    given = f"ptr {kind}", "ptr %descr", "i32 %ndim", "ptr %dims", "ptr %strides"
    f.ret("ptr", f.call("ptr", new, *given, "ptr null", "i32 0", "ptr null"))
    return f.text


_OUT = ("ptr ctx", "ptr frame", "i64 site", "i64 output", "ptr dims", "ptr slot")


def _new_outs() -> str:
    """In C order; and in the order of `likes` rows of strides."""
    return _new_out(Asm("ptr", "new_out", _OUT)) + _new_out(Asm("ptr", "new_like", (*_OUT, "i64 likes", "ptr rows")))


def _new_out(f: Asm) -> str:
    unless_failed(f)
    out = f.gep(f.load("ptr", "%ctx", layouts.CTX_OUTS), f.mul("%output", layouts.OUT_SIZE))
    descr, ndim = f.load("ptr", out, layouts.OUT_DESCR), f.load("i32", out, layouts.OUT_NDIM)
    itemsize = f.load("i64", out, layouts.OUT_ITEMSIZE)
    given = f"ptr {table(f)}", f"ptr {descr}", f"i64 {itemsize}", f"i32 {ndim}", "ptr %dims"
    strides = strides_like(f, itemsize, ndim) if f.name == "new_like" else "null"
    _return_array(f, f.call("ptr", "@new_result", *given, f"ptr {strides}"))
    return f.text


def _return_array(f: Asm, array: str) -> None:
    """*slot = array and its data; NULL and the site if there is none."""
    with f.when(f.is_null(array), UNLIKELY):
        record(f, layouts.ERR_PYTHON)
        f.ret("ptr", "null")
    f.store("ptr", array, "%slot")
    f.ret("ptr", f.load("ptr", array, layouts.ND_DATA))


def _new_list() -> str:
    """The list, without the collection that CPython 3.11 may begin for a new one: finalisers are arbitrary Python code,
    which may replace what the program has read addresses of."""
    f = Asm("ptr", "new_list", ("ptr ctx", "ptr frame", "i64 site", "i64 n", "ptr slot"))
    unless_failed(f)
    make, stop, go_on = (f.load("ptr", table(f), layouts.RT[x]) for x in ("PyList_New", "PyGC_Disable", "PyGC_Enable"))
    was_on = f.call("i32", stop)
    result = f.call("ptr", make, "i64 %n")
    with f.when(f.compare("ne", "i32", was_on, 0)):
        f.call("i32", go_on)
    with f.when(f.is_null(result), UNLIKELY):
        record(f, layouts.ERR_PYTHON)
        f.ret("ptr", "null")
    f.store("ptr", result, "%slot")
    f.ret("ptr", result)
    return f.text


# State


def _exclusive() -> str:
    """i1: may this array of a cell be overwritten: has it the extents, and do only `owners` references see it?"""
    f = Asm("i1", "exclusive", ("ptr array", "ptr dims", "i32 owners"), internal=True)
    owned = layouts.OWNDATA | layouts.WRITEABLE
    flags = f.op(f"and i32 {f.load('i32', '%array', layouts.ND_FLAGS)}, {owned}")
    ndim, own = f.load("i32", "%array", layouts.ND_NDIM), f.load("ptr", "%array", layouts.ND_DIMS)
    conditions = (
        f.compare("eq", "i32", f.load("i32", "%array", layouts.OB_REFCNT), "%owners"),
        f.compare("eq", "i32", flags, owned),
        f.call("i1", "@static_ok", f"ptr {own}", "ptr %dims", f"i32 {ndim}"),
    )
    f.ret("i1", f.all(*conditions))
    return f.text


def _cell(f: Asm, index: str = "%shared") -> str:
    return f.op(f"load ptr, ptr {f.gep(f.load('ptr', '%ctx', layouts.CTX_CELLS), index, 'ptr')}")


def _prepare() -> str:
    """Own storage, else the spare array, else a fresh one.  A cell that another call has pinned: busy."""
    params = ("ptr ctx", "ptr frame", "i64 site", "i64 shared", "ptr dims", "ptr slot", "i64 how")
    f = Asm("ptr", "prepare", params)
    unless_failed(f)
    cell = _cell(f)
    locked = f.ne(f.load("i64", cell, layouts.CELL_LOCK), 0)
    free = f.eq(f.load("i64", "%frame", layouts.FR_PINNED), 0)
    with f.when(f.all(locked, free), UNLIKELY):
        record(f, layouts.ERR_BUSY)
        f.ret("ptr", "null")
    array = f.load("ptr", cell, layouts.CELL_ARRAY)
    # A pin holds one reference more, which only PREPARE_LATE overlooks.
    late = f.eq("%how", layouts.PREPARE_LATE)
    held = f.op(f"trunc i64 {f.load('i64', '%frame', layouts.FR_PINNED)} to i32")
    owners = f.op(f"add i32 1, {f.op(f'select i1 {late}, i32 {held}, i32 0')}")
    own = f.call("i1", "@exclusive", f"ptr {array}", "ptr %dims", f"i32 {owners}")
    with f.when(f.all(f.ne("%how", layouts.PREPARE_FRESH), own)):
        f.ret("ptr", f.load("ptr", array, layouts.ND_DATA))
    spare = f.load("ptr", cell, layouts.CELL_SPARE)
    with f.when(f.not_null(spare)), f.when(f.call("i1", "@exclusive", f"ptr {spare}", "ptr %dims", "i32 1")):
        f.store("ptr", "null", cell, layouts.CELL_SPARE)
        f.store("ptr", spare, "%slot")
        f.ret("ptr", f.load("ptr", spare, layouts.ND_DATA))
    descr, ndim = f.load("ptr", array, layouts.ND_DESCR), f.load("i32", array, layouts.ND_NDIM)
    itemsize = f.load("i64", cell, layouts.CELL_ITEMSIZE)
    given = f"ptr {table(f)}", f"ptr {descr}", f"i64 {itemsize}", f"i32 {ndim}", "ptr %dims", "ptr null"
    _return_array(f, f.call("ptr", "@new_result", *given))
    return f.text


def _bytes() -> str:
    """i64: the number of bytes of an array."""
    f = Asm("i64", "bytes", ("ptr array", "i64 itemsize"), internal=True)
    dims = f.load("ptr", "%array", layouts.ND_DIMS)
    ndim = f.op(f"zext i32 {f.load('i32', '%array', layouts.ND_NDIM)} to i64")
    with f.loop(ndim, ("i64", "%itemsize")) as loop:
        extent = f.op(f"load i64, ptr {f.gep(dims, loop.index, 'i64')}")
        loop.next = [f.mul(loop.values[0], extent)]
    f.ret("i64", loop.values[0])
    return f.text


def _swap_in() -> str:
    """The cell's array and source become those of `array`; the old array is returned.  Runs no Python code."""
    f = Asm("ptr", "swap_in", ("ptr cell", "ptr array"), internal=True)
    old = f.load("ptr", "%cell", layouts.CELL_ARRAY)
    f.store("ptr", "%array", "%cell", layouts.CELL_ARRAY)
    for source, field in (
        (layouts.SRC_DATA, layouts.ND_DATA), (layouts.SRC_DIMS, layouts.ND_DIMS),
        (layouts.SRC_STRIDES, layouts.ND_STRIDES),
    ):  # fmt: skip
        f.store("ptr", f.load("ptr", "%array", field), "%cell", source)
    f.ret("ptr", old)
    return f.text


def _commit() -> str:
    """Swap new arrays in; what must be dropped after all swaps goes back to the slots."""
    f = Asm("void", "commit", ("ptr ctx", "ptr objs", "ptr updates", "i64 n"))
    with f.loop("%n") as loop:
        update = f.gep("%updates", f.mul(loop.index, layouts.COMMIT.size))
        shared, number = (f.op(f"zext i32 {f.load('i32', update, at)} to i64") for at in (0, 4))
        slot = f.gep("%objs", number, "ptr")
        new = f.load("ptr", slot)
        with f.when(f.not_null(new)):
            cell = _cell(f, shared)
            old = f.call("ptr", "@swap_in", f"ptr {cell}", f"ptr {new}")
            size = f.call("i64", "@bytes", f"ptr {old}", f"i64 {f.load('i64', cell, layouts.CELL_ITEMSIZE)}")
            f.store("ptr", old, slot)
            with f.when(f.le(size, layouts.SPARE_LIMIT)):
                f.store("ptr", f.load("ptr", cell, layouts.CELL_SPARE), slot)
                f.store("ptr", old, cell, layouts.CELL_SPARE)
    f.ret()
    return f.text


def _copy(t: Tuning) -> str:
    f = Asm("void", "copy", ("ptr rt", "ptr to", "ptr from", "i64 bytes"))
    copy = f.load("ptr", "%rt", layouts.RT["memcpy"])
    with f.when(f.compare("ne", "ptr", "%to", "%from")):
        with _in_pieces(f, t) as (at, some):
            f.call("ptr", copy, f"ptr {f.gep('%to', at)}", f"ptr {f.gep('%from', at)}", f"i64 {some}")
    f.ret()
    return f.text


def _clear(t: Tuning) -> str:
    f = Asm("void", "clear", ("ptr to", "i64 bytes"))
    clear = f.load("ptr", run_time_table(f), layouts.RT["memset"])
    with _in_pieces(f, t) as (at, some):
        f.call("ptr", clear, f"ptr {f.gep('%to', at)}", "i32 0", f"i64 {some}")
    f.ret()
    return f.text


@contextmanager
def _in_pieces(f: Asm, t: Tuning) -> Iterator[tuple[str, str]]:
    """(place, length) of pieces of so many %bytes, between which signals are looked for."""
    with f.loop("%bytes", step=t.pool.poll_bytes) as loop:
        left = f.sub("%bytes", loop.index)
        some = f.op(f"select i1 {f.lt(left, t.pool.poll_bytes)}, i64 {left}, i64 {t.pool.poll_bytes}")
        yield loop.index, some
        with f.when(f.eq(some, t.pool.poll_bytes)):
            poll(f)


def _pin() -> str:
    """All or nothing, under the GIL: lock every cell and hold its array in slots[i].  One for which another thread
    waits is that one's: a thread that calls again at once would never let it in.

    The additional reference is what makes `prepare` choose other storage, so that nobody sees a write without the GIL.
    Arguments are held, too: others who run meanwhile may drop all other references but the caller's borrowed one, and
    NumPy resizes an array that nobody else refers to.
    """
    f = Asm("i64", "pin", ("ptr ctx", "ptr frame", "i64 site", "ptr slots", "i64 then"))
    count = f.load("i64", "%ctx", layouts.CTX_N_SHARED)
    thread = f.call("i64", f.load("ptr", table(f), layouts.RT["PyThread_get_thread_ident"]))
    with f.loop(count) as loop:
        owner, following = (
            f.load("i64", _cell(f, loop.index), word) for word in (layouts.CELL_LOCK, layouts.CELL_NEXT)
        )
        others = f.choose(f.eq(following, thread), 0, following)
        with f.when(f.ne(f.or_(owner, others), 0), UNLIKELY):
            record(f, layouts.ERR_BUSY)
            f.ret("i64", 1)
    f.store("i64", 1, "%frame", layouts.FR_PINNED)
    f.store("i64", 0, "%frame", layouts.FR_WATCHED)
    with f.loop(count) as loop:
        cell = _cell(f, loop.index)
        f.store("i64", thread, cell, layouts.CELL_LOCK)
        array = f.load("ptr", cell, layouts.CELL_ARRAY)
        incref(f, array)
        f.do(f"store ptr {array}, ptr {f.gep('%slots', loop.index, 'ptr')}")
    with _arguments(f) as argument:
        incref(f, argument)
    with f.when(f.eq("%then", layouts.PIN_RELEASE)):
        _save(f)
    with f.when(f.eq("%then", layouts.PIN_WATCH)):
        f.call("void", "@watch", "ptr %frame")
    f.ret("i64", 0)
    return f.text


@contextmanager
def _arguments(f: Asm) -> Iterator[str]:
    """Each argument of the call, where they are Python's objects."""
    objects = f.load("ptr", "%frame", layouts.FR_OBJECTS)
    with f.loop(f.choose(f.is_null(objects), 0, f.load("i64", "%ctx", layouts.CTX_N_ARGS))) as loop:
        yield f.load("ptr", f.gep(objects, loop.index, "ptr"))


# The GIL


def _save_thread() -> str:
    f = Asm("void", "save_thread", ("ptr ctx", "ptr frame", "i64 when"))
    with f.when(f.ne(f.and_(f.load("i64", "%frame", layouts.FR_PINNED), "%when"), 0)):
        _save(f)
    f.ret()
    return f.text


def _save(f: Asm) -> None:
    state = f.call("ptr", f.load("ptr", table(f), layouts.RT["PyEval_SaveThread"]))
    f.store("ptr", state, "%frame", layouts.FR_TSTATE)
    f.call("void", "@watch", "ptr %frame")


def _restore_thread() -> str:
    f = Asm("void", "restore_thread", ("ptr ctx", "ptr frame"))
    _restore(f)
    f.ret()
    return f.text


def _restore(f: Asm) -> str:
    """The GIL is held afterwards; the thread state, NULL if it was held before."""
    state = f.load("ptr", "%frame", layouts.FR_TSTATE)
    with f.when(f.not_null(state)):
        f.call("void", "@unwatch", "ptr %frame")
        f.store("ptr", "null", "%frame", layouts.FR_TSTATE)
        f.call("void", f.load("ptr", table(f), layouts.RT["PyEval_RestoreThread"]), f"ptr {state}")
    return state


# The end of a call


def _release() -> str:
    """Take the GIL back, unlock, give arenas back, then drop objects, which may run arbitrary code.  At once if there
    is nothing of that."""
    f = Asm("void", "release", ("ptr ctx", "ptr frame", "ptr objs", "i64 n"))
    held = [f.load("i64", "%frame", offset) for offset in (layouts.FR_TSTATE, layouts.FR_PINNED, layouts.FR_ARENA)]
    with f.loop("%n", ("i64", f.or_(f.or_(held[0], held[1]), held[2]))) as loop:
        obj = f.op(f"load i64, ptr {f.gep('%objs', loop.index, 'i64')}")
        loop.next = [f.or_(loop.values[0], obj)]
    with f.when(f.ne(loop.values[0], 0)):
        f.call("void", "@release_all", "ptr %ctx", "ptr %frame", "ptr %objs", "i64 %n")
    f.ret()
    return f.text + _release_all()


def _release_all() -> str:
    f = Asm("void", "release_all", ("ptr ctx", "ptr frame", "ptr objs", "i64 n"), internal=True)
    rt = table(f)
    _restore(f)
    with f.when(f.ne(f.load("i64", "%frame", layouts.FR_PINNED), 0)):
        f.call("void", "@unwatch", "ptr %frame")
        f.store("i64", 0, "%frame", layouts.FR_PINNED)
        with f.loop(f.load("i64", "%ctx", layouts.CTX_N_SHARED)) as loop:
            f.store("i64", 0, _cell(f, loop.index), layouts.CELL_LOCK)
        with _arguments(f) as argument:
            f.call("void", "@decref", f"ptr {rt}", f"ptr {argument}")
    with f.when(f.not_null(f.load("ptr", "%frame", layouts.FR_ARENA))):
        f.call("void", "@free_arena", "ptr %ctx", "ptr %frame", "ptr null")
    with f.loop("%n") as loop:
        obj = f.op(f"load ptr, ptr {f.gep('%objs', loop.index, 'ptr')}")
        with f.when(f.not_null(obj)):
            f.call("void", "@decref", f"ptr {rt}", f"ptr {obj}")
    f.ret()
    return f.text


def _fail() -> str:
    f = Asm("ptr", "fail", ("ptr ctx", "ptr frame", "ptr objs", "i64 n"))
    f.call("void", "@release", "ptr %ctx", "ptr %frame", "ptr %objs", "i64 %n")
    f.ret("ptr", "null")
    return f.text


# Python from within a program


def _unpinned_state(f: Asm) -> str:
    """i1: has the function shared variables that this call has not pinned?"""
    shared = f.ne(f.load("i64", "%ctx", layouts.CTX_N_SHARED), 0)
    return f.all(shared, f.eq(f.load("i64", "%frame", layouts.FR_PINNED), 0))


def _host_call() -> str:
    params = ("ptr ctx", "ptr frame", "i64 site", "i64 host", "i64 n_in", "ptr ins", "i64 n_out", "ptr outs")
    f = Asm("i64", "host_call", params)
    with _python(f) as rt:
        request = _call_record(f, "%n_in", "%ins", "%n_out", "%outs")
        with f.when(f.ne(f.call("i64", "@call_host", f"ptr {rt}", "ptr %ctx", f"ptr {request}"), 0), UNLIKELY):
            record(f, layouts.ERR_PYTHON)
            f.ret("i64", 1)
    f.ret("i64", 0)
    return f.text


def _take_result() -> str:
    f = Asm("i64", "take_result", ("ptr ctx", "ptr frame", "i64 site", "i64 host", "ptr slot", "ptr out"))
    with _python(f) as rt:
        request = _call_record(f, 0, "null", 1, "%out")
        f.store("i64", layouts.CALL_KEPT, request, layouts.CALL_FAILED)
        with f.when(f.ne(take_result(f, rt, request), 0), UNLIKELY):
            record(f, layouts.ERR_PYTHON)
            f.ret("i64", 1)
    f.ret("i64", 0)
    return f.text


def _call_record(f: Asm, n_in: str | int, ins: str, n_out: str | int, outs: str) -> str:
    request = f.op(f"alloca [{layouts.CALL_SIZE} x i8], align 16")
    for kind, value, offset in (
        ("i64", "%host", layouts.CALL_HOST), ("i64", n_in, layouts.CALL_N_IN), ("ptr", ins, layouts.CALL_IN),
        ("i64", n_out, layouts.CALL_N_OUT), ("ptr", outs, layouts.CALL_OUT),
        ("i64", "%site", layouts.CALL_SITE), ("ptr", "%frame", layouts.CALL_FRAME),
    ):  # fmt: skip
        f.store(kind, value, request, offset)
    return request


@contextmanager
def _python(f: Asm) -> Iterator[str]:
    """What a helper does with the GIL, from within a call that may have released it; gives the run-time table."""
    with f.when(_unpinned_state(f), UNLIKELY):
        record(f, layouts.ERR_INTERNAL)
        f.ret("i64", 1)
    is_watched = _is_watched(f)
    with f.when(is_watched):
        f.call("void", "@unwatch", "ptr %frame")
    state = _restore(f)
    yield table(f)
    with f.when(f.not_null(state)):
        _save(f)
    with f.when(f.all(is_watched, f.is_null(state))):
        f.call("void", "@watch", "ptr %frame")


def _is_watched(f: Asm) -> str:
    pinned, watched = (f.load("i64", "%frame", word) for word in (layouts.FR_PINNED, layouts.FR_WATCHED))
    return f.all(f.ne(pinned, 0), f.eq(watched, 1))


def _poll(interval: int) -> str:
    """A call that is watched polls as loops do; of others this looks for signals itself."""
    f = Asm("i64", "poll", ("ptr ctx", "ptr frame", "i64 site"))
    released = f.not_null(f.load("ptr", "%frame", layouts.FR_TSTATE))
    with f.when(f.op(f"or i1 {released}, {_is_watched(f)}")):
        poll(f)
        f.ret("i64", 0)
    now, last = f.call("i64", "@llvm.readcyclecounter"), f.load("i64", "%frame", layouts.FR_POLLED)
    with f.when(f.eq(last, 0)):
        f.store("i64", now, "%frame", layouts.FR_POLLED)
        f.ret("i64", 0)
    with f.when(f.compare("ult", "i64", f.sub(now, last), interval)):
        f.ret("i64", 0)
    f.store("i64", now, "%frame", layouts.FR_POLLED)
    with f.when(_unpinned_state(f)):
        f.ret("i64", 0)
    status = f.call("i32", f.load("ptr", table(f), layouts.RT["PyErr_CheckSignals"]))
    with f.when(f.compare("ne", "i32", status, 0), UNLIKELY):
        record(f, layouts.ERR_PYTHON)
        f.ret("i64", 1)
    f.ret("i64", 0)
    return f.text
