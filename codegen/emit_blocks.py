"""LLVM text of a program's loops over blocks of rows: a function of a number of rows, a part, that threads share out.

It is given the call's integers and addresses by an environment of words, and shares nothing else with the program but
its constants.  A bit of one of these words says which slot is taken: one thread alone has the first, again and again,
so that its storage stays in the cache.  Where something fails in several parts at once, the first one's record is the
call's.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from tensordsl.codegen import abi
from tensordsl.codegen import program as p
from tensordsl.codegen.emit_control import region
from tensordsl.codegen.program import Name
from tensordsl.codegen.verify_program import free_names

if TYPE_CHECKING:
    from tensordsl.codegen.emit_program import Emitter, Operand

FAILED, SLOTS, FRAME, CTX, GIVEN = range(5)  # words of an environment; the others are given
RECORD = (abi.FR_B + 8) // 8  # words of a failure's record

EACH = """declare i64 @llvm.cttz.i64(i64, i1)
define internal void @each_part(ptr %pool, ptr %part, ptr %env, i64 %count) nounwind {
  %none = icmp eq ptr %pool, null
  %single = icmp sle i64 %count, 1
  %alone = or i1 %none, %single
  br i1 %alone, label %turn, label %share
share:
  %place = getelementptr i8, ptr %pool, i64 PARALLEL_FOR
  %parallel = load ptr, ptr %place
  call void %parallel(ptr %pool, ptr %part, ptr %env, i64 %count)
  ret void
turn:
  %k = phi i64 [0, %0], [%next, %turn]
  call void %part(ptr %env, i64 %k)
  %next = add i64 %k, 1
  %more = icmp slt i64 %next, %count
  br i1 %more, label %turn, label %done
done:
  ret void
}
""".replace("PARALLEL_FOR", str(abi.TH["parallel_for"]))


def blocks(e: Emitter, i: p.Blocks) -> None:
    """At least one part, of at least one block."""
    names = {i.count: "i64", i.step: "i64", i.size: "i64", **free_names(i.body, i.turns)}
    inner, name = _within(e), f"blocks{len(e.functions)}"
    e.functions.append("")  # its place: what it contains comes behind
    place = len(e.functions) - 1
    given: list[tuple[str, Operand]] = []
    for n, kind in names.items():
        value = e.values[n]
        inner.values[n] = value if isinstance(value, int) else f"%given{len(given)}"
        given += [] if isinstance(value, int) else [(kind, value)]
    e.functions[place] = _part(inner, i, name, [kind for kind, _ in given])
    e.ordinal = inner.ordinal
    env = e.array("env", "i64", [0, 0])
    e.array("env", "ptr", ["%frame", "%ctx"], FRAME)
    for word, (kind, value) in enumerate(given, GIVEN):
        e.array("env", kind, [value], word)
    last = e.op(f"sub i64 {e.op(f'add i64 {e.values[i.count]}, {e.values[i.size]}')}, 1")
    parts = e.op(f"sdiv i64 {last}, {e.values[i.size]}")
    pool = e.load("ptr", "%rt", abi.RT["threads"])
    e.put(f"call void @each_part(ptr {pool}, ptr @{name}, ptr {env}, i64 {parts})")
    e.written["env"].pop(FAILED, None)
    e.written["env"].pop(SLOTS, None)
    if inner.errors:
        e.guard(e.op(f"icmp eq i64 {e.load('i64', env, 8 * FAILED)}, 0"))


def _within(e: Emitter) -> Emitter:
    """An emitter of another function of the module."""
    inner = type(e)(e.program, e.faults)
    inner.ordinal, inner.functions, inner.globals = e.ordinal, e.functions, e.globals
    inner.constants, inner.divides = e.constants, e.divides
    return inner


def _part(e: Emitter, i: p.Blocks, name: str, kinds: Sequence[str]) -> str:
    """The function of one part's blocks, the turns of a loop: `first` goes up by `step`."""
    count, step, size = e.values[i.count], e.values[i.step], e.values[i.size]
    slot = _take_slot(e)
    start = e.op(f"mul i64 %part, {size}")
    end = _least(e, e.op(f"add i64 {start}, {size}"), count)
    body, done, before = e.label("block"), e.label("done"), e.block
    e.put(f"br label %{body}")
    e.place(body)
    first = e.tmp()
    phi = len(e.lines)
    e.put("")  # filled below: the value of the back edge is not known yet
    here = _least(e, e.op(f"sub i64 {count}, {first}"), step)
    e.values.update(zip(i.turns, (first, here, "%part", start, slot), strict=True))
    region(e, i.body, ())
    after = e.op(f"add i64 {first}, {step}")
    e.put(f"br i1 {e.op(f'icmp slt i64 {after}, {end}')}, label %{body}, label %{done}")
    e.lines[phi] = f"{first} = phi i64 [{start}, %{before}], [{after}, %{e.block}]"
    e.place(done)
    e.put(f"br label %end\n{_failure() if e.errors else ''}end:")
    left = e.op(f"xor i64 {e.op(f'shl i64 1, {slot}')}, -1")
    e.put(f"%given.back = atomicrmw and ptr %slots.at, i64 {left} seq_cst\nret void")
    return "\n".join((*_head(e, name, kinds), *e.lines, *e.errors, "}\n"))


def _take_slot(e: Emitter) -> str:
    look, take, go = e.label("look"), e.label("take"), e.label("go")
    e.put(f"%slots.at = getelementptr i64, ptr %env, i64 {SLOTS}\nbr label %{look}")
    e.place(look)
    free = e.op(f"xor i64 {e.op('load atomic i64, ptr %slots.at seq_cst, align 8')}, -1")
    e.put(f"br i1 {e.op(f'icmp eq i64 {free}, 0')}, label %{look}, label %{take}")
    e.place(take)
    slot = e.op(f"call i64 @llvm.cttz.i64(i64 {free}, i1 true)")
    bit = e.op(f"shl i64 1, {slot}")
    taken = e.op(f"and i64 {e.op(f'atomicrmw or ptr %slots.at, i64 {bit} seq_cst')}, {bit}")
    e.put(f"br i1 {e.op(f'icmp eq i64 {taken}, 0')}, label %{go}, label %{look}")
    e.place(go)
    return slot


def _least(e: Emitter, x: str, y: Operand) -> str:
    return e.op(f"select i1 {e.op(f'icmp slt i64 {x}, {y}')}, i64 {x}, i64 {y}")


def _head(e: Emitter, name: Name, kinds: Sequence[str]) -> list[str]:
    lines = [f"define internal void @{name}(ptr %env, i64 %part) nounwind {{\nentry:"]
    words = (("%caller", "ptr"), ("%ctx", "ptr"), *((f"%given{k}", kind) for k, kind in enumerate(kinds)))
    for word, (value, kind) in enumerate(words, FRAME):
        lines.append(f"{value}.at = getelementptr i64, ptr %env, i64 {word}\n{value} = load {kind}, ptr {value}.at")
    return [*lines, f"%frame = alloca i64, i64 {RECORD}", *e.setup()]


def _failure() -> str:
    """The first part that fails copies its record to the call's frame."""
    lines = [
        "fail:\n%swap = cmpxchg ptr %env, i64 0, i64 1 seq_cst seq_cst\n%is_first = extractvalue {i64, i1} %swap, 1",
        "br i1 %is_first, label %report, label %end\nreport:",
    ]
    for k in range(RECORD):
        lines.append(f"%from{k} = getelementptr i64, ptr %frame, i64 {k}\n%word{k} = load i64, ptr %from{k}")
        lines.append(f"%to{k} = getelementptr i64, ptr %caller, i64 {k}\nstore i64 %word{k}, ptr %to{k}")
    return "\n".join((*lines, "br label %end\n"))
