"""The thread pool: native threads that share out the tasks of one job at a time.

Contract  `parallel_for(pool, fn, job, n)` calls fn(job, k) for k below n, in any order; `is_awake(pool, ns)`: may so
          much work count on threads that spin?  A second caller finds the pool busy and works alone.
When      the caller works too, and waits only for tasks that a thread has begun; idle threads spin, then sleep.
Why       tickets of one word count the tasks left and, above, those taken from the end: threads walk memory in order.
"""

from __future__ import annotations

import time

from tensordsl.codegen.abi import layouts
from tensordsl.codegen.library.signals import (
    BLOCKS,
    DECLARATIONS,
    POLL,
    poll,
    run_time_table,
    watch_of_main,
    watch_worker,
)
from tensordsl.codegen.llvm.builder import METADATA, Asm
from tensordsl.codegen.target.tuning import Tuning

TAKEN_FROM_END = 1 << 32  # what a chunk from the end counts in the word of tickets
CORES = "[16 x i64]"  # a set of cores, as the system has it
Wait = tuple[str, ...]  # what lets a processor wait for a moment, and its operands
X86_WAIT, ARM_WAIT = ("llvm.x86.sse2.pause",), ("llvm.aarch64.isb", "i32 15")  # `yield` does nothing on most of these


def thread_text(t: Tuning) -> str:
    """The module, for AArch64 or x86-64."""
    wait = ARM_WAIT if t.machine.is_arm else X86_WAIT
    kinds = ", ".join(operand.split()[0] for operand in wait[1:])
    parts = _drain(), _leave_core(), _worker(t, wait), _start(), _parallel_for(t, wait), _is_awake(t)
    return f"declare void @{wait[0]}({kinds})\n" + DECLARATIONS + POLL + BLOCKS + "".join(parts) + METADATA


def _atomic(f: Asm, operation: str, offset: int, value: int | str) -> str:
    return f.op(f"atomicrmw {operation} ptr {f.gep('%pool', offset)}, i64 {value} seq_cst")


def _get(f: Asm, offset: int) -> str:
    return f.op(f"load atomic i64, ptr {f.gep('%pool', offset)} seq_cst, align 8")


def _put(f: Asm, value: str | int, offset: int, order: str = "release") -> None:
    """What was written before is there for who reads it; `seq_cst`: and is, before anything is read."""
    f.do(f"store atomic i64 {value}, ptr {f.gep('%pool', offset)} {order}, align 8")


def _system(f: Asm, name: str, *operands: str) -> str:
    return f.call("i32", f.load("ptr", "%pool", layouts.TH[name]), *operands)


def _pause(f: Asm, wait: Wait) -> None:
    f.call("void", f"@{wait[0]}", *wait[1:])


def _mutex(f: Asm) -> str:
    return f"ptr {f.gep('%pool', layouts.TH_MUTEX)}"


def _drain() -> str:
    """Do chunks until there are none left: the caller from the first on, others from the last to the first.  begun: how
    many this thread has begun, and not reported."""
    f = Asm("void", "drain", ("ptr pool", "i1 back", "ptr begun"), internal=True)
    step = f.choose("%back", TAKEN_FROM_END - 1, -1)
    more, work, done = f.label("more"), f.label("work"), f.label("none")
    before = f.block
    f.place(more)
    count = f.op(f"phi i64 [ 0, %{before} ], [ %count.next, %{work} ]")
    ticket = _atomic(f, "add", layouts.TH_TICKET, step)
    left = f.sub(f.and_(ticket, TAKEN_FROM_END - 1), layouts.TH_SPARE)
    f.branch(f.gt(left, 0), work, done)
    f.place(work)
    fn, job = f.load("ptr", "%pool", layouts.TH_FN), f.load("ptr", "%pool", layouts.TH_JOB)
    at_end = f.sub(f.load("i64", "%pool", layouts.TH_N), f.udiv(ticket, TAKEN_FROM_END))
    index = f.sub(at_end, f.choose("%back", 1, left))
    f.do(f"%count.next = add i64 {count}, 1")
    f.store("i64", "%count.next", "%begun")
    poll(f)
    f.call("void", fn, f"ptr {job}", f"i64 {index}")
    f.jump(more)
    f.place(done)
    with f.when(f.ne(count, 0)):
        f.store("i64", 0, "%begun")
        _atomic(f, "sub", layouts.TH_REMAINING, count)
    f.ret()
    return f.text


def _worker(t: Tuning, wait: Wait) -> str:
    f = Asm("ptr", "worker", ("ptr pool",))
    how = f.op(f"trunc i64 {f.load('i64', '%pool', layouts.TH_HOW)} to i32")
    _system(f, "pthread_sigmask", f"i32 {how}", f"ptr {f.gep('%pool', layouts.TH_SIGNALS)}", "ptr null")
    work = f.label("work")
    begun = _start_watch(f)
    f.place(work)
    known = _get(f, layouts.TH_GENERATION)
    wanted = f.load("i64", "%pool", layouts.TH_WANTED)
    with f.when(f.lt(_atomic(f, "add", layouts.TH_JOINED, 1), wanted)):
        f.call("void", "@drain", "ptr %pool", "i1 true", f"ptr {begun}")
    with f.loop(t.pool.spin_looks // t.pool.spin_yield_looks):
        with f.loop(t.pool.spin_yield_looks):
            with f.when(f.ne(_get(f, layouts.TH_GENERATION), known)):
                f.jump(work)
            _pause(f, wait)
        _system(f, "sched_yield")
    _system(f, "pthread_mutex_lock", _mutex(f))
    _atomic(f, "add", layouts.TH_SLEEPERS, 1)
    look, sleep, wake = f.label("look"), f.label("sleep"), f.label("wake")
    f.place(look)
    f.branch(f.eq(_get(f, layouts.TH_GENERATION), known), sleep, wake)
    f.place(sleep)
    _system(f, "pthread_cond_wait", f"ptr {f.gep('%pool', layouts.TH_COND)}", _mutex(f))
    f.jump(look)
    f.place(wake)
    _atomic(f, "sub", layouts.TH_SLEEPERS, 1)
    _system(f, "pthread_mutex_unlock", _mutex(f))
    f.call("void", "@leave_core", "ptr %pool")
    f.jump(work)
    return f.text


def _start_watch(f: Asm) -> str:
    """The thread's watch, whose jump leads here; where the chunks it has begun are counted."""
    rt = run_time_table(f)
    watch = f.op(f"alloca i8, i64 {layouts.WATCH_SIZE}, align 16")
    f.store("ptr", "%pool", watch, layouts.WATCH_POOL)
    for offset in (layouts.WATCH_DONE, layouts.WATCH_ARENA):
        f.store("i64", 0, watch, offset)
    jump = f.load("ptr", rt, layouts.RT["_setjmp"])
    begun = f.gep(watch, layouts.WATCH_DONE)
    stopped = f.op(f"call i32 {jump}(ptr {f.gep(watch, layouts.WATCH_JUMP)}) returns_twice")
    with f.when(f.compare("ne", "i32", stopped, 0)):
        f.call("void", f"@{layouts.GIVE_BACK}", f"ptr {f.gep(watch, layouts.WATCH_ARENA)}")
        count = f.load("i64", begun)
        f.store("i64", 0, begun)
        _atomic(f, "sub", layouts.TH_REMAINING, count)
    watch_worker(f, rt, watch)
    return begun


def _leave_core() -> str:
    """Go to another core, if there is one, where Linux woke this thread on the caller's, as it does behind a pause of
    both: it would share the core with the caller."""
    f = Asm("void", "leave_core", ("ptr pool",), internal=True)
    own, others = f.op(f"alloca {CORES}, align 8"), f.op(f"alloca {CORES}, align 8")
    core = f.op(f"zext i32 {_system(f, 'sched_getcpu')} to i64")
    with f.when(f.eq(core, f.load("i64", "%pool", layouts.TH_CORE))):
        bad = _system(f, "sched_getaffinity", *_cores(own))
        with f.when(f.compare("eq", "i32", bad, 0)):
            f.do(f"store {CORES} {f.op(f'load {CORES}, ptr {own}, align 8')}, ptr {others}, align 8")
            word = f.gep(others, f.lshr(core, 6), "i64")
            bit = f.shl(1, f.and_(core, 63))
            f.store("i64", f.and_(f.load("i64", word), f.xor(bit, -1)), word)
            _system(f, "sched_setaffinity", *_cores(others))
            _system(f, "sched_setaffinity", *_cores(own))
    f.ret()
    return f.text


def _cores(place: str) -> tuple[str, str, str]:
    """The set of cores of the calling thread."""
    return "i32 0", "i64 128", f"ptr {place}"


def _start() -> str:
    """Start the threads that are wanted and not there yet; what the system refuses is not tried again."""
    f = Asm("void", "start", ("ptr pool",), internal=True)
    handle = f.op("alloca i64, align 8")
    wanted = f.load("i64", "%pool", layouts.TH_WANTED)
    with f.loop(wanted, start=f.load("i64", "%pool", layouts.TH_STARTED)):
        worker = f.load("ptr", "%pool", layouts.TH["worker"])
        bad = _system(f, "pthread_create", f"ptr {handle}", "ptr null", f"ptr {worker}", "ptr %pool")
        with f.when(f.compare("eq", "i32", bad, 0)):
            thread = f.load("i64", handle)
            _system(f, "pthread_detach", f"i64 {thread}")
    f.store("i64", wanted, "%pool", layouts.TH_STARTED)
    f.ret()
    return f.text


def _alone(f: Asm) -> None:
    with f.loop("%n") as loop:
        f.call("void", "%fn", "ptr %job", f"i64 {loop.index}")
    f.ret()


def _parallel_for(t: Tuning, wait: Wait) -> str:
    f = Asm("void", "parallel_for", ("ptr pool", "ptr fn", "ptr job", "i64 n"))
    taken = f.op(f"cmpxchg ptr {f.gep('%pool', layouts.TH_BUSY)}, i64 0, i64 1 seq_cst seq_cst")
    with f.when(f.op(f"xor i1 {f.op(f'extractvalue {{i64, i1}} {taken}, 1')}, true")):
        _alone(f)
    fewer = f.compare(
        "slt", "i64", f.load("i64", "%pool", layouts.TH_STARTED), f.load("i64", "%pool", layouts.TH_WANTED)
    )
    with f.when(fewer):
        f.call("void", "@start", "ptr %pool")
    f.store("ptr", watch_of_main(f, run_time_table(f)), "%pool", layouts.TH_OWNER)
    f.store("ptr", "%fn", "%pool", layouts.TH_FN)
    f.store("ptr", "%job", "%pool", layouts.TH_JOB)
    f.store("i64", "%n", "%pool", layouts.TH_N)
    _put(f, 0, layouts.TH_JOINED)
    _put(f, "%n", layouts.TH_REMAINING)
    generation = f.add(_get(f, layouts.TH_GENERATION), 1)
    _put(f, f.add("%n", layouts.TH_SPARE), layouts.TH_TICKET)
    _put(f, generation, layouts.TH_GENERATION, "seq_cst")
    with f.when(f.gt(_get(f, layouts.TH_SLEEPERS), 0)):
        _system(f, "pthread_mutex_lock", _mutex(f))
        f.store("i64", f.op(f"zext i32 {_system(f, 'sched_getcpu')} to i64"), "%pool", layouts.TH_CORE)
        _system(f, "pthread_cond_broadcast", f"ptr {f.gep('%pool', layouts.TH_COND)}")
        _system(f, "pthread_mutex_unlock", _mutex(f))
    f.call("void", "@drain", "ptr %pool", "i1 false", f"ptr {f.gep('%pool', layouts.TH_MINE)}")
    again, look = f.label("again"), f.label("look")
    f.place(again)
    with f.loop(t.pool.finish_looks):
        f.place(look)
        with f.when(f.eq(_get(f, layouts.TH_REMAINING), 0)):
            _put(f, 0, layouts.TH_OWNER)
            _put(f, 0, layouts.TH_BUSY)
            f.ret()
        _pause(f, wait)
    poll(f)
    _system(f, "sched_yield")
    f.jump(again)
    return f.text


def _is_awake(t: Tuning) -> str:
    f = Asm("i1", "is_awake", ("ptr pool", "i64 work"))
    time_spec = f.op("alloca [2 x i64], align 8")
    missing = f.compare(
        "slt", "i64", f.load("i64", "%pool", layouts.TH_STARTED), f.load("i64", "%pool", layouts.TH_WANTED)
    )
    asleep = f.gt(_get(f, layouts.TH_SLEEPERS), 0)
    ask, awake = f.label("ask"), f.label("awake")
    f.branch(f.op(f"or i1 {missing}, {asleep}"), ask, awake)
    f.place(awake)
    f.ret("i1", "true")
    f.place(ask)
    _system(f, "clock_gettime", f"i32 {time.CLOCK_MONOTONIC}", f"ptr {time_spec}")
    seconds = f.mul(f.load("i64", time_spec), 10**9)
    now = f.add(seconds, f.load("i64", time_spec, 8))
    passed = f.sub(now, _get(f, layouts.TH_REQUESTED))
    _put(f, now, layouts.TH_REQUESTED)
    f.ret("i1", f.lt(passed, f.add(f.shl("%work", 1), t.pool.awake_ns)))
    return f.text
