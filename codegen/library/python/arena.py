"""Arenas: memory of a call, blocks of the pool in a list that hangs on the call's frame."""

from __future__ import annotations

from tensordsl.codegen.abi import layouts
from tensordsl.codegen.library.blocks import block_text
from tensordsl.codegen.library.python.vectorcall import record, table, unless_failed
from tensordsl.codegen.llvm.builder import Asm
from tensordsl.codegen.target.tuning import Tuning


def arena_text(t: Tuning) -> str:
    return block_text(t) + _take_arena() + _free_arena()


def _take_arena() -> str:
    f = Asm("ptr", "take_arena", ("ptr ctx", "ptr frame", "i64 site", "i64 bytes"))
    unless_failed(f)
    ok, got, bad = f.label("ok"), f.label("got"), f.label("bad")
    f.branch(f.compare("ult", "i64", "%bytes", 1 << 62), ok, bad)
    f.place(ok)
    block = f.call("ptr", "@take_block", f"ptr {table(f)}", "i64 %bytes")
    f.branch(f.not_null(block), got, bad)
    f.place(got)
    f.store("ptr", f.load("ptr", "%frame", layouts.FR_ARENA), block, layouts.BLOCK_NEXT)
    f.store("ptr", block, "%frame", layouts.FR_ARENA)
    f.ret("ptr", f.gep(block, layouts.BLOCK_HEAD))
    f.place(bad)
    record(f, layouts.ERR_MEMORY)
    f.ret("ptr", "null")
    return f.text


def _free_arena() -> str:
    """Give back blocks, newest first, until `address` is given back; NULL: all."""
    f = Asm("void", "free_arena", ("ptr ctx", "ptr frame", "ptr address"))
    rt = table(f)
    head, body, done = f.label("head"), f.label("body"), f.label("exit")
    f.place(head)
    block = f.load("ptr", "%frame", layouts.FR_ARENA)
    f.branch(f.is_null(block), done, body)
    f.place(body)
    f.store("ptr", f.load("ptr", block, layouts.BLOCK_NEXT), "%frame", layouts.FR_ARENA)
    last = f.compare("eq", "ptr", f.gep(block, layouts.BLOCK_HEAD), "%address")
    f.call("void", "@give_block", f"ptr {rt}", f"ptr {block}")
    f.branch(last, done, head)
    f.place(done)
    f.ret()
    return f.text
