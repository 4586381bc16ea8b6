"""Interrupts of long calls: loops poll for signals, and a handler that raises ends the call by a jump.

Contract  `poll_signals()` may run Python's handlers, and may not return; `hold_block`, `drop_block`, `give_back`:
          blocks that are given back where the call ends early.
When      a call is watched: while it has released the GIL, or where the program says so (`program.Watch`).
Why       `longjmp` to the failure exit is safe, as until the commit a call writes storage of its own only.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from tensordsl.codegen.abi import layouts
from tensordsl.codegen.llvm.builder import UNLIKELY, Asm, Loop

# Cycles between two looks for signals: 30 ms or so.  AArch64 counts the ticks of a clock, which differ: 1 to 40 ms.
SIGNAL_INTERVAL_X86_CYCLES, SIGNAL_INTERVAL_ARM_TICKS = 90_000_000, 1_000_000
FIRST, NEVER = 0, -1  # when to look: the first poll only looks at the clock
ROUNDS_BETWEEN_POLLS = 1 << 18  # of a loop with short rounds
DECLARATIONS = f"@{layouts.TABLE} = external hidden constant ptr\n"
POLL = f"declare hidden void @{layouts.POLL}()\n"  # of a module that polls
BLOCKS = "".join(
    f"declare hidden void @{name}\n"
    for name in (f"{layouts.HOLD}(ptr)", f"{layouts.DROP}()", f"{layouts.GIVE_BACK}(ptr)")
)


def signal_text(is_arm: bool) -> str:
    interval = SIGNAL_INTERVAL_ARM_TICKS if is_arm else SIGNAL_INTERVAL_X86_CYCLES
    return (
        _poll_signals()
        + _look(interval)
        + _has_parts()
        + _stop_parts()
        + _watch()
        + _unwatch()
        + _hold()
        + _drop()
        + _give_back()
    )


def poll(f: Asm) -> None:
    f.call("void", f"@{layouts.POLL}")


def poll_each(f: Asm, index: str, every: int, step: int = 1) -> None:
    """Poll in each `every`-th round of a loop that counts in steps, both powers of two."""
    last = f.and_(index, (every - 1) * step)
    with f.when(f.eq(last, (every - 1) * step)):
        poll(f)


@contextmanager
def long_loop(f: Asm, count: str, *carried: tuple[str, str], start: str | int = 0, step: int = 1) -> Iterator[Loop]:
    """`Asm.loop` that polls between pieces of many rounds; step: a power of two."""
    assert not ROUNDS_BETWEEN_POLLS % step
    with f.loop(count, *carried, start=start, step=ROUNDS_BETWEEN_POLLS) as pieces:
        end = f.add(pieces.index, ROUNDS_BETWEEN_POLLS)
        is_last = f.ge(end, count)
        end = f.choose(is_last, count, end)
        values = [(kind, value) for (kind, _), value in zip(carried, pieces.values, strict=True)]
        with f.loop(end, *values, start=pieces.index, step=step) as loop:
            yield loop
        pieces.next = loop.values
        with f.when(f.op(f"xor i1 {is_last}, true")):
            poll(f)
    loop.values = pieces.values


def hold(f: Asm, block: str) -> None:
    f.call("void", f"@{layouts.HOLD}", f"ptr {block}")


def drop(f: Asm) -> None:
    f.call("void", f"@{layouts.DROP}")


def run_time_table(f: Asm) -> str:
    return f.op(f"load ptr, ptr @{layouts.TABLE}, align 8")


def watch_of_main(f: Asm, rt: str) -> str:
    """The watch of the thread, if it is the main one; NULL if it has none."""
    thread = f.call("i64", f.load("ptr", rt, layouts.RT["PyThread_get_thread_ident"]))
    is_main = f.eq(thread, f.load("i64", rt, layouts.RT["main_thread"]))
    return f.choose(is_main, f.load("ptr", rt, layouts.RT["watched"]), "null", "ptr")


def watch_of_worker(f: Asm, rt: str) -> str:
    key = f.load("i32", rt, layouts.RT["watch_key"])
    return f.call("ptr", f.load("ptr", rt, layouts.RT["pthread_getspecific"]), f"i32 {key}")


def watch_worker(f: Asm, rt: str, watch: str) -> None:
    key = f.load("i32", rt, layouts.RT["watch_key"])
    f.call("i32", f.load("ptr", rt, layouts.RT["pthread_setspecific"]), f"i32 {key}", f"ptr {watch}")


def _watch_main(f: Asm, rt: str, watch: str) -> None:
    f.store("ptr", watch, rt, layouts.RT["watched"])


def _look_at(f: Asm, rt: str, cycles: str | int) -> None:
    f.do(f"store atomic i64 {cycles}, ptr {f.gep(rt, layouts.RT['look_at'])} seq_cst, align 8")


def _after(f: Asm, interval: int) -> str:
    return f.add(f.call("i64", "@llvm.readcyclecounter"), interval)


def _poll_signals() -> str:
    f = Asm("void", layouts.POLL, ())
    rt = run_time_table(f)
    at = f.op(f"load atomic i64, ptr {f.gep(rt, layouts.RT['look_at'])} monotonic, align 8")
    with f.when(f.compare("uge", "i64", f.call("i64", "@llvm.readcyclecounter"), at), UNLIKELY):
        f.call("void", "@look_for_signals")
    f.ret()
    return f.text


def _jump(f: Asm, rt: str, jump: str) -> None:
    f.call("void", f.load("ptr", rt, layouts.RT["longjmp"]), f"ptr {jump}", "i32 1")
    f.do("unreachable")
    f.closed = True


def _look(interval: int) -> str:
    """Let Python run handlers, in the main thread; stop in one of the pool's if that is wanted."""
    f = Asm("void", "look_for_signals", (), internal=True)
    rt = run_time_table(f)
    of_worker = watch_of_worker(f, rt)
    with f.when(f.not_null(of_worker)):
        stop = f.gep(f.load("ptr", of_worker, layouts.WATCH_POOL), layouts.TH_STOP)
        with f.when(f.eq(f.op(f"load atomic i64, ptr {stop} seq_cst, align 8"), 0)):
            f.ret()
        _jump(f, rt, f.gep(of_worker, layouts.WATCH_JUMP))
    watch = watch_of_main(f, rt)
    with f.when(f.is_null(watch)):
        f.ret()
    at = f.gep(rt, layouts.RT["look_at"])
    with f.when(f.eq(f.op(f"load atomic i64, ptr {at} monotonic, align 8"), FIRST)):
        _look_at(f, rt, _after(f, interval))
        f.ret()
    pool, state = f.load("ptr", rt, layouts.RT["threads"]), f.load("ptr", watch, layouts.FR_TSTATE)
    start = f.call("i64", "@llvm.readcyclecounter")
    has_parts = f.call("i1", "@has_parts", f"ptr {pool}", f"ptr {watch}")
    _look_at(f, rt, NEVER)
    _watch_main(f, rt, "null")
    released, own = f.not_null(state), f.op("alloca ptr, align 8")
    f.store("ptr", state, own)
    with f.when(f.is_null(state)):  # other threads run, as they wait for the GIL
        f.store("ptr", f.call("ptr", f.load("ptr", rt, layouts.RT["PyEval_SaveThread"])), own)
    f.call("void", f.load("ptr", rt, layouts.RT["PyEval_RestoreThread"]), f"ptr {f.load('ptr', own)}")
    taken = f.sub(f.call("i64", "@llvm.readcyclecounter"), start)
    status = f.call("i32", f.load("ptr", rt, layouts.RT["PyErr_CheckSignals"]))
    still = f.call("i1", "@has_parts", f"ptr {pool}", f"ptr {watch}")
    has_forked, is_bad = f.op(f"xor i1 {has_parts}, {still}"), f.compare("ne", "i32", status, 0)
    with f.when(f.op(f"xor i1 {f.op(f'or i1 {has_forked}, {is_bad}')}, true")):
        with f.when(released):
            f.store("ptr", f.call("ptr", f.load("ptr", rt, layouts.RT["PyEval_SaveThread"])), watch, layouts.FR_TSTATE)
        _watch_main(f, rt, watch)
        # Where others want the GIL too, it takes long to get it: look less often.
        longer = f.choose(f.compare("ugt", "i64", taken, interval // 32), interval, 0)
        _look_at(f, rt, f.add(_after(f, interval), longer))
        f.ret()
    f.store("ptr", "null", watch, layouts.FR_TSTATE)
    f.store("i64", 0, watch, layouts.FR_WATCHED)
    f.store("i64", 0, watch, layouts.FR_SITE)
    kind = f.choose(is_bad, layouts.ERR_PYTHON, layouts.ERR_FORKED)
    f.store("i64", kind, watch, layouts.FR_KIND)
    with f.when(still):
        f.call("void", "@stop_parts", f"ptr {pool}")
    _look_at(f, rt, NEVER)
    _jump(f, rt, f.load("ptr", watch, layouts.FR_JUMP))
    return f.text


def _has_parts() -> str:
    """i1: is the pool's job a part of the call?"""
    f = Asm("i1", "has_parts", ("ptr pool", "ptr watch"), internal=True)
    with f.when(f.is_null("%pool")):
        f.ret("i1", "false")
    f.ret("i1", f.compare("eq", "ptr", f.load("ptr", "%pool", layouts.TH_OWNER), "%watch"))
    return f.text


def _stop_parts() -> str:
    """End the pool's job: nobody begins another chunk, those who are at one leave it, and then the pool is free."""
    f = Asm("void", "stop_parts", ("ptr pool",), internal=True)
    rt = run_time_table(f)
    ticket, remaining = f.gep("%pool", layouts.TH_TICKET), f.gep("%pool", layouts.TH_REMAINING)
    stop = f.gep("%pool", layouts.TH_STOP)
    f.do(f"store atomic i64 1, ptr {stop} seq_cst, align 8")
    _look_at(f, rt, FIRST)
    before = f.op(f"atomicrmw xchg ptr {ticket}, i64 {layouts.TH_SPARE} seq_cst")
    left = f.sub(f.and_(before, (1 << 32) - 1), layouts.TH_SPARE)
    left = f.choose(f.gt(left, 0), left, 0)
    f.op(f"atomicrmw sub ptr {remaining}, i64 {f.add(left, _get(f, layouts.TH_MINE))} seq_cst")
    wait, done = f.label("wait"), f.label("done")
    f.place(wait)
    f.call("i32", f.load("ptr", rt, layouts.RT["sched_yield"]))
    f.branch(f.eq(f.op(f"load atomic i64, ptr {remaining} seq_cst, align 8"), 0), done, wait)
    f.place(done)
    f.do(f"store atomic i64 0, ptr {stop} seq_cst, align 8")
    for offset in (layouts.TH_MINE, layouts.TH_OWNER):
        f.store("i64", 0, "%pool", offset)
    f.do(f"store atomic i64 0, ptr {f.gep('%pool', layouts.TH_BUSY)} release, align 8")
    f.ret()
    return f.text


def _get(f: Asm, offset: int) -> str:
    return f.load("i64", "%pool", offset)


def _watch() -> str:
    """The call may be stopped from now on, if this is the main thread."""
    f = Asm("void", "watch", ("ptr frame",), internal=True)
    rt = run_time_table(f)
    thread = f.call("i64", f.load("ptr", rt, layouts.RT["PyThread_get_thread_ident"]))
    with f.when(f.eq(thread, f.load("i64", rt, layouts.RT["main_thread"]))):
        f.store("i64", 1, "%frame", layouts.FR_WATCHED)
        _watch_main(f, rt, "%frame")
        f.store("i64", FIRST, rt, layouts.RT["look_at"])
    f.ret()
    return f.text


def _unwatch() -> str:
    f = Asm("void", "unwatch", ("ptr frame",))
    pinned, watched = (f.load("i64", "%frame", word) for word in (layouts.FR_PINNED, layouts.FR_WATCHED))
    with f.when(f.all(f.ne(pinned, 0), f.ne(watched, 0))):
        rt = run_time_table(f)
        f.store("i64", NEVER, rt, layouts.RT["look_at"])
        _watch_main(f, rt, "null")
        f.store("i64", 0, "%frame", layouts.FR_WATCHED)
    f.ret()
    return f.text


def _held(f: Asm) -> str:
    """Where the newest of the blocks hangs that the thread holds, NULL if it has no watch."""
    rt = run_time_table(f)
    of_worker, of_main = watch_of_worker(f, rt), watch_of_main(f, rt)
    own = f.choose(f.is_null(of_main), "null", f.gep(of_main, layouts.FR_ARENA), "ptr")
    return f.choose(f.is_null(of_worker), own, f.gep(of_worker, layouts.WATCH_ARENA), "ptr")


def _hold() -> str:
    f = Asm("void", layouts.HOLD, ("ptr block",))
    place = _held(f)
    with f.when(f.not_null(place)):
        f.store("ptr", f.load("ptr", place), "%block", layouts.BLOCK_NEXT)
        f.store("ptr", "%block", place)
    f.ret()
    return f.text


def _drop() -> str:
    f = Asm("void", layouts.DROP, ())
    place = _held(f)
    with f.when(f.not_null(place)):
        f.store("ptr", f.load("ptr", f.load("ptr", place), layouts.BLOCK_NEXT), place)
    f.ret()
    return f.text


def _give_back() -> str:
    f = Asm("void", layouts.GIVE_BACK, ("ptr place",))
    rt, head, body, done = run_time_table(f), f.label("head"), f.label("body"), f.label("exit")
    f.place(head)
    block = f.load("ptr", "%place")
    f.branch(f.is_null(block), done, body)
    f.place(body)
    f.store("ptr", f.load("ptr", block, layouts.BLOCK_NEXT), "%place")
    f.call("void", "@give_block", f"ptr {rt}", f"ptr {block}")
    f.jump(head)
    f.place(done)
    f.ret()
    return f.text
