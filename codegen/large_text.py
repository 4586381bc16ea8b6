"""LLVM text of large blocks of memory: malloc's, of which the last few that were given back are kept.

Malloc gives a block of 32 MB and more back to the system, which then fills the pages of the next one with zeros: for a
result of 80 MB that takes longer than computing it.  Kept blocks stay the system's to take when memory is short
(MADV_FREE): their contents are worth nothing.  New ones have their pages at once, since results that are written past
the caches would wait for each (MADV_POPULATE_WRITE, of Linux 5.14).

A block's first word says how many bytes it has.  Slots are exchanged atomically, as the pool's of arenas.
"""

from __future__ import annotations

from tensordsl.codegen import abi
from tensordsl.codegen.assembly import UNLIKELY, Asm

LARGE = 1 << 25  # bytes from which malloc keeps nothing itself
PAGE, MADV_FREE, MADV_HUGEPAGE, MADV_POPULATE_WRITE = 4096, 8, 14, 23
LOOSE = 2  # a block may be larger than what is asked for by 1 / 2**LOOSE


def large_text() -> str:
    return _take_kept() + _drop_kept() + _take_large() + _give_large()


def _slots(f: Asm) -> list[str]:
    first = f.load("ptr", "%rt", abi.RT["kept"])
    return [f.gep(first, 8 * k) for k in range(abi.KEPT_SLOTS)]


def _advise(f: Asm, block: str, advice: int) -> None:
    """On the block's whole pages behind its first word."""
    address, bytes = f.op(f"ptrtoint ptr {block} to i64"), f.load("i64", block)
    start = f.op(f"and i64 {f.op(f'add i64 {address}, {PAGE + 7}')}, -{PAGE}")
    end = f.op(f"and i64 {f.op(f'add i64 {address}, {bytes}')}, -{PAGE}")
    pages = f"ptr {f.op(f'inttoptr i64 {start} to ptr')}", f"i64 {f.op(f'sub i64 {end}, {start}')}"
    f.call("i32", f.load("ptr", "%rt", abi.RT["madvise"]), *pages, f"i32 {advice}")


def _take_kept() -> str:
    """ptr: a kept block of at least `bytes` and not much more, or null."""
    f = Asm("ptr", "take_kept", ("ptr rt", "i64 bytes"), internal=True)
    for slot in _slots(f):
        block = f.op(f"atomicrmw xchg ptr {slot}, ptr null seq_cst")
        with f.when(f.not_null(block)):
            more = f.op(f"sub i64 {f.load('i64', block)}, %bytes")
            with f.when(f.compare("ule", "i64", more, f.op(f"lshr i64 %bytes, {LOOSE}"))):
                f.ret("ptr", block)
            pair = f.op(f"cmpxchg ptr {slot}, ptr null, ptr {block} seq_cst monotonic")
            with f.when(f.op(f"xor i1 {f.op(f'extractvalue {{ptr, i1}} {pair}, 1')}, true"), UNLIKELY):
                f.call("void", f.load("ptr", "%rt", abi.RT["free"]), f"ptr {block}")
    f.ret("ptr", "null")
    return f.text


def _drop_kept() -> str:
    f = Asm("void", "drop_kept", ("ptr rt",), internal=True)
    for slot in _slots(f):
        block = f.op(f"atomicrmw xchg ptr {slot}, ptr null seq_cst")
        f.call("void", f.load("ptr", "%rt", abi.RT["free"]), f"ptr {block}")  # null too
    f.ret()
    return f.text


def _take_large() -> str:
    """ptr: a block, aligned to 64 bytes; null if there is no memory, also without the kept blocks."""
    f = Asm("ptr", "take_large", ("ptr rt", "i64 bytes"), internal=True)
    kept = f.call("ptr", "@take_kept", "ptr %rt", "i64 %bytes")
    with f.when(f.not_null(kept)):
        f.ret("ptr", kept)
    rounded, got = f.op(f"and i64 {f.op('add i64 %bytes, 63')}, -64"), f.label("got")
    allocate = f.load("ptr", "%rt", abi.RT["aligned_alloc"])
    found = []
    for _ in range(2):
        block, bad = f.call("ptr", allocate, "i64 64", f"i64 {rounded}"), f.label("bad")
        found.append(f"[ {block}, %{f.block} ]")
        f.branch(f.not_null(block), got, bad)
        f.place(bad)
        f.call("void", "@drop_kept", "ptr %rt")
    f.ret("ptr", "null")
    f.place(got)
    block = f.op(f"phi ptr {', '.join(found)}")
    f.store("i64", rounded, block)
    for needs, advice in (("huge_pages", MADV_HUGEPAGE), ("kept_bytes", MADV_POPULATE_WRITE)):
        with f.when(f.compare("ne", "i64", f.load("i64", "%rt", abi.RT[needs]), 0)):
            _advise(f, block, advice)
    f.ret("ptr", block)
    return f.text


def _give_large() -> str:
    """The newest block is in the first slot; the oldest is freed.  An array that was resized may have lost its line."""
    f = Asm("void", "give_large", ("ptr rt", "ptr block"), internal=True)
    bytes, block, free = f.load("i64", "%block"), "%block", f.load("ptr", "%rt", abi.RT["free"])
    is_aligned = f.compare("eq", "i64", f.op(f"and i64 {f.op('ptrtoint ptr %block to i64')}, 63"), 0)
    with f.when(f.all(is_aligned, f.compare("ule", "i64", bytes, f.load("i64", "%rt", abi.RT["kept_bytes"])))):
        _advise(f, "%block", MADV_FREE)
        for slot in _slots(f):
            block = f.op(f"atomicrmw xchg ptr {slot}, ptr {block} seq_cst")
            with f.when(f.is_null(block)):
                f.ret()
        f.call("void", free, f"ptr {block}")
        f.ret()
    f.call("void", free, "ptr %block")
    f.ret()
    return f.text
