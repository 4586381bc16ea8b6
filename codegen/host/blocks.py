"""LLVM text of a program's loops over blocks of rows: one function per loop, whose tasks threads share.

`Blocks` -> a call of the library's `each_part` with that function.  It gets the call's values in an environment of
words.  A bit of one of these says which slot is in use: one thread alone always has the first, so that its storage
stays in the cache.  Where several tasks fail, the record of the first one is the call's.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from tensordsl.codegen.abi import layouts
from tensordsl.codegen.host.control import region
from tensordsl.codegen.program_ir import instructions as p
from tensordsl.codegen.program_ir.instructions import Name
from tensordsl.codegen.program_ir.verify import free_names

if TYPE_CHECKING:
    from tensordsl.codegen.host.emitter import Emitter, Operand

FAILED, SLOTS, FRAME, GIVEN = (
    at // 8 for at in (layouts.ENV_FAILED, layouts.ENV_SLOTS, layouts.ENV_FRAME, layouts.ENV_GIVEN)
)


def blocks(e: Emitter, i: p.Blocks) -> None:
    """The loop, which has at least one task of at least one block."""
    names = {i.count: "i64", i.step: "i64", i.size: "i64", **free_names(i.body, i.parameters)}
    inner, name = _within(e), f"blocks{len(e.functions)}"
    e.functions.append("")  # its position: functions of nested loops follow
    place = len(e.functions) - 1
    given: list[tuple[str, Operand]] = []
    for n, kind in names.items():
        value = e.values[n]
        inner.values[n] = value if isinstance(value, int) else f"%given{len(given)}"
        given += [] if isinstance(value, int) else [(kind, value)]
    e.functions[place] = _task_function(inner, i, name, [kind for kind, _ in given])
    e.ordinal = inner.ordinal
    env = e.array("env", "i64", [0, 0])
    e.array("env", "ptr", ["%frame", "%ctx"], FRAME)
    for word, (kind, value) in enumerate(given, GIVEN):
        e.array("env", kind, [value], word)
    last = e.op(f"sub i64 {e.op(f'add i64 {e.values[i.count]}, {e.values[i.size]}')}, 1")
    parts = e.op(f"sdiv i64 {last}, {e.values[i.size]}")
    e.put(f"call void {e.helper('each_part')}(ptr %rt, ptr @{name}, ptr {env}, i64 {parts})")
    e.written["env"].pop(FAILED, None)
    e.written["env"].pop(SLOTS, None)
    if inner.errors:
        e.guard(e.op(f"icmp eq i64 {e.load('i64', env, 8 * FAILED)}, 0"))


def _within(e: Emitter) -> Emitter:
    """An emitter of another function of the module."""
    inner = type(e)(e.program, e.faults, e.tuning, e.tables)
    inner.notes_rounds = False
    inner.ordinal, inner.functions, inner.globals = e.ordinal, e.functions, e.globals
    inner.constants, inner.divides = e.constants, e.divides
    return inner


def _task_function(e: Emitter, i: p.Blocks, name: str, kinds: Sequence[str]) -> str:
    """The function of one task: a loop over its blocks, in which `first` goes up by `step`."""
    count, step, size = e.values[i.count], e.values[i.step], e.values[i.size]
    slot = e.op(f"call i64 {e.helper('take_slot')}(ptr %env)")
    start = e.op(f"mul i64 %part, {size}")
    end = _min(e, e.op(f"add i64 {start}, {size}"), count)
    body, done, before = e.label("block"), e.label("done"), e.block
    e.put(f"br label %{body}")
    e.place(body)
    first = e.tmp()
    phi = len(e.lines)
    e.put("")  # set below, once the value of the back edge is known
    here = _min(e, e.op(f"sub i64 {count}, {first}"), step)
    e.values.update(zip(i.parameters, (first, here, "%part", start, slot), strict=True))
    region(e, i.body, ())
    after = e.op(f"add i64 {first}, {step}")
    e.put(f"br i1 {e.op(f'icmp slt i64 {after}, {end}')}, label %{body}, label %{done}")
    e.lines[phi] = f"{first} = phi i64 [{start}, %{before}], [{after}, %{e.block}]"
    e.place(done)
    e.put("br label %end")
    if e.errors:
        e.lines += e.errors
        e.place("fail")
        e.put(f"call void {e.helper('report')}(ptr %env, ptr %frame)\nbr label %end")
    e.place("end")
    e.put(f"call void {e.helper('leave_slot')}(ptr %env, i64 {slot})\nret void\n}}\n")
    return "\n".join((*_head(e, name, kinds), *e.lines))


def _min(e: Emitter, x: str, y: Operand) -> str:
    return e.op(f"select i1 {e.op(f'icmp slt i64 {x}, {y}')}, i64 {x}, i64 {y}")


def _head(e: Emitter, name: Name, kinds: Sequence[str]) -> list[str]:
    lines = [f"define internal void @{name}(ptr %env, i64 %part) nounwind {{\nentry:"]
    words = (("%ctx", "ptr"), *((f"%given{k}", kind) for k, kind in enumerate(kinds)))
    for word, (value, kind) in enumerate(words, layouts.ENV_CTX // 8):
        lines.append(f"{value}.at = getelementptr i64, ptr %env, i64 {word}\n{value} = load {kind}, ptr {value}.at")
    return [*lines, f"%frame = alloca i64, i64 {layouts.RECORD_SIZE // 8}", *e.setup()]
