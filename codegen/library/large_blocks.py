"""Large blocks of memory: the last few that were given back are kept for the next ones.

Contract  `take_large(bytes)`, `give_large(block)`; a block's first word says how many bytes it has.
When      from 0.5 MB on; from 1.5 MB on at a huge page; from 32 MB on kept ones are reclaimable, new ones populated.
Why       malloc returns them to the system, which zeroes the pages of the next: for 80 MB longer than computing them.
Ref       madvise: MADV_FREE, MADV_HUGEPAGE, MADV_POPULATE_WRITE (Linux 5.14).
"""

from __future__ import annotations

from tensordsl.codegen.abi import layouts
from tensordsl.codegen.llvm.builder import UNLIKELY, Asm
from tensordsl.codegen.target.machine import PAGE_BYTES
from tensordsl.codegen.target.tuning import Tuning

HUGE_PAGE_BYTES = 1 << 21
HUGE_PAGE_MIN_BYTES = HUGE_PAGE_BYTES * 3 // 4  # from which a block starts at one
MADV_FREE, MADV_HUGEPAGE, MADV_POPULATE_WRITE = 8, 14, 23  # Linux's advice


def large_text(t: Tuning) -> str:
    return _fill_pages(t) + _take_kept(t) + _drop_kept() + _take_large(t) + _give_large(t)


def _slots(f: Asm, t: Tuning, bytes: str) -> tuple[str, str]:
    """The first one for blocks of about so many bytes, and how many there are."""
    large = f.ge(bytes, t.pool.large_min_bytes)
    first = f.choose(large, 0, 8 * layouts.LARGE_SLOTS)
    count = f.choose(large, layouts.LARGE_SLOTS, layouts.MEDIUM_SLOTS)
    return f.gep(f.load("ptr", "%rt", layouts.RT["kept"]), first), count


def _advise(f: Asm, block: str, bytes: str, advice: int) -> None:
    """On the block's whole pages; behind its first word, where that must stay."""
    address = f.op(f"ptrtoint ptr {block} to i64")
    before = PAGE_BYTES + 7 if advice == MADV_FREE else PAGE_BYTES - 1
    start = f.and_(f.add(address, before), f"-{PAGE_BYTES}")
    end = f.and_(f.add(address, bytes), f"-{PAGE_BYTES}")
    pages = f"ptr {f.op(f'inttoptr i64 {start} to ptr')}", f"i64 {f.sub(end, start)}"
    f.call("i32", f.load("ptr", "%rt", layouts.RT["madvise"]), *pages, f"i32 {advice}")


def _fill_pages(t: Tuning) -> str:
    """Have a block's pages at once, unless the program is interrupted meanwhile: Python says only
    whether, as nothing may be called here, and told again."""
    f = Asm("void", "fill_pages", ("ptr rt", "ptr block", "i64 bytes"), internal=True)
    thread = f.call("i64", f.load("ptr", "%rt", layouts.RT["PyThread_get_thread_ident"]))
    is_main = f.eq(thread, f.load("i64", "%rt", layouts.RT["main_thread"]))
    with f.loop("%bytes", step=t.pool.poll_bytes) as loop:
        left = f.sub("%bytes", loop.index)
        some = f.op(f"select i1 {f.lt(left, t.pool.poll_bytes)}, i64 {left}, i64 {t.pool.poll_bytes}")
        _advise(f, f.gep("%block", loop.index), some, MADV_POPULATE_WRITE)
        with f.when(is_main), f.when(_is_true(f, "PyGILState_Check")), f.when(_is_true(f, "PyOS_InterruptOccurred")):
            f.call("void", f.load("ptr", "%rt", layouts.RT["PyErr_SetInterrupt"]))
            f.ret()
    f.ret()
    return f.text


def _is_true(f: Asm, name: str) -> str:
    return f.compare("ne", "i32", f.call("i32", f.load("ptr", "%rt", layouts.RT[name])), 0)


def _take_kept(t: Tuning) -> str:
    """ptr: a kept block of at least `bytes` and not much more, or null."""
    f = Asm("ptr", "take_kept", ("ptr rt", "i64 bytes"), internal=True)
    first, count = _slots(f, t, "%bytes")
    with f.loop(count) as loop:
        slot = f.gep(first, loop.index, "ptr")
        block = f.op(f"atomicrmw xchg ptr {slot}, ptr null seq_cst")
        with f.when(f.not_null(block)):
            more = f.sub(f.load("i64", block), "%bytes")
            with f.when(f.compare("ule", "i64", more, f.lshr("%bytes", t.pool.max_slack_log2))):
                f.ret("ptr", block)
            pair = f.op(f"cmpxchg ptr {slot}, ptr null, ptr {block} seq_cst monotonic")
            with f.when(f.op(f"xor i1 {f.op(f'extractvalue {{ptr, i1}} {pair}, 1')}, true"), UNLIKELY):
                f.call("void", f.load("ptr", "%rt", layouts.RT["free"]), f"ptr {block}")
    f.ret("ptr", "null")
    return f.text


def _drop_kept() -> str:
    f = Asm("void", "drop_kept", ("ptr rt",), internal=True)
    first = f.load("ptr", "%rt", layouts.RT["kept"])
    with f.loop(layouts.KEPT_SLOTS) as loop:
        block = f.op(f"atomicrmw xchg ptr {f.gep(first, loop.index, 'ptr')}, ptr null seq_cst")
        f.call("void", f.load("ptr", "%rt", layouts.RT["free"]), f"ptr {block}")  # null too
    f.ret()
    return f.text


def _take_large(t: Tuning) -> str:
    """ptr: a block, aligned to 64 bytes; null if there is no memory, also without the kept blocks."""
    f = Asm("ptr", "take_large", ("ptr rt", "i64 bytes"), internal=True)
    rounded, alignment = _rounded(f)
    kept = f.call("ptr", "@take_kept", "ptr %rt", f"i64 {rounded}")
    with f.when(f.not_null(kept)):
        f.ret("ptr", kept)
    got, allocate = f.label("got"), f.load("ptr", "%rt", layouts.RT["aligned_alloc"])
    found = []
    for _ in range(2):
        block, bad = f.call("ptr", allocate, f"i64 {alignment}", f"i64 {rounded}"), f.label("bad")
        found.append(f"[ {block}, %{f.block} ]")
        f.branch(f.not_null(block), got, bad)
        f.place(bad)
        f.call("void", "@drop_kept", "ptr %rt")
    f.ret("ptr", "null")
    f.place(got)
    block = f.op(f"phi ptr {', '.join(found)}")
    is_wanted = f.ne(f.load("i64", "%rt", layouts.RT["huge_pages"]), 0)
    with f.when(f.all(is_wanted, f.ge(rounded, HUGE_PAGE_MIN_BYTES))):
        _advise(f, block, rounded, MADV_HUGEPAGE)
    is_wanted = f.ne(f.load("i64", "%rt", layouts.RT["kept_bytes"]), 0)
    with f.when(f.all(is_wanted, f.ge(rounded, t.pool.populate_min_bytes))):
        f.call("void", "@fill_pages", "ptr %rt", f"ptr {block}", f"i64 {rounded}")
    f.store("i64", rounded, block)  # only now: a page that is in use stays small
    f.ret("ptr", block)
    return f.text


def _rounded(f: Asm) -> tuple[str, str]:
    """How many bytes a block has, and at multiples of how many it starts."""
    lines, pages = (f.and_(f.add("%bytes", n - 1), f"-{n}") for n in (64, HUGE_PAGE_BYTES))
    is_huge = f.all(f.ne(f.load("i64", "%rt", layouts.RT["huge_pages"]), 0), f.ge("%bytes", HUGE_PAGE_MIN_BYTES))
    is_near = f.le(f.sub(pages, "%bytes"), HUGE_PAGE_BYTES - HUGE_PAGE_MIN_BYTES)
    rounded = f.choose(f.all(is_huge, is_near), pages, lines)
    return rounded, f.choose(is_huge, HUGE_PAGE_BYTES, 64)


def _give_large(t: Tuning) -> str:
    """The newest block is in the first slot; the oldest is freed.  An array that was resized may have lost its line."""
    f = Asm("void", "give_large", ("ptr rt", "ptr block"), internal=True)
    bytes, free = f.load("i64", "%block"), f.load("ptr", "%rt", layouts.RT["free"])
    is_aligned = f.eq(f.and_(f.op("ptrtoint ptr %block to i64"), 63), 0)
    with f.when(f.all(is_aligned, f.compare("ule", "i64", bytes, f.load("i64", "%rt", layouts.RT["kept_bytes"])))):
        with f.when(f.ge(bytes, t.pool.populate_min_bytes)):
            _advise(f, "%block", bytes, MADV_FREE)
        first, count = _slots(f, t, bytes)
        with f.loop(count, ("ptr", "%block")) as loop:
            slot = f.gep(first, loop.index, "ptr")
            older = f.op(f"atomicrmw xchg ptr {slot}, ptr {loop.values[0]} seq_cst")
            with f.when(f.is_null(older)):
                f.ret()
            loop.next = [older]
        f.call("void", free, f"ptr {loop.values[0]}")
        f.ret()
    f.call("void", free, "ptr %block")
    f.ret()
    return f.text
