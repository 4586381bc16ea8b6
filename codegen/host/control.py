"""LLVM text of a program's loops and branches, for `codegen.host.emitter`.

`For` and `If` -> labels, phis and the text of their regions, whose names are dropped at the end.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from tensordsl.codegen.abi import layouts
from tensordsl.codegen.host.failures import Condition, demand, settle
from tensordsl.codegen.program_ir import instructions as p
from tensordsl.codegen.program_ir.instructions import Instr, Name

if TYPE_CHECKING:
    from tensordsl.codegen.host.emitter import Emitter, Operand

# Of checks of kernels of rounds that are no comparisons.
HOLDS = {"index": "zero"}
ERRORS = {"index": layouts.ERR_INDEX, "product": layouts.ERR_OVERFLOW}


def forget(e: Emitter) -> None:
    """A loop begins or ends: the contents of the shared arrays are unknown."""
    for known in e.written.values():
        known.clear()


def region(e: Emitter, code: Sequence[Instr], out: Sequence[Name]) -> list[Operand]:
    """Emit a region; the operands of `out` at its end.  Its arena is given back, and its names are dropped."""
    mark = len(e.undo)
    e.opened.append(None)
    e.code(code)
    settle(e)
    block = e.opened.pop()
    if block is not None:
        e.put(f"call void {e.helper('free_arena')}(ptr %ctx, ptr %frame, ptr {block})")
    result = [e.values[name] for name in out]
    while len(e.undo) > mark:
        table, key = e.undo.pop()
        del table[key]
    return result


def loop(e: Emitter, i: p.For) -> None:
    plain = replace(i, kernel=None)
    if e.faults:  # each instruction that may fail is one that does
        i = plain
    if i.kernel and i.kernel.when:
        chosen = replace(i, kernel=replace(i.kernel, when=None))
        names = [(name, kind) for (name, _, _), kind in zip(i.carried, i.kinds, strict=True)]
        names += [(i.rounds, "i64")] if i.rounds else []
        results = tuple((name, name, name) for name, _ in names)
        branch(e, p.If(i.kernel.when, (chosen,), (plain,), results, tuple(kind for _, kind in names)))
        return
    ordinal, count = e.ordinal, e.values[i.count]
    initial = [e.values[a] for _, a, _ in i.carried]
    e.ordinal += 1
    head, body, done = e.label("head"), e.label("body"), e.label("done")
    before = e.block
    e.put(f"br label %{head}")
    e.place(head)
    index, carried = e.tmp(), [e.tmp() for _ in i.carried]
    running = e.tmp() if i.end else ""
    phis = len(e.lines)
    e.put("")  # set below, once the values of the back edge are known
    goes_on = e.op(f"icmp slt i64 {index}, {count}")
    if i.end:
        goes_on = e.op(f"and i1 {goes_on}, {running}")
    e.put(f"br i1 {goes_on}, label %{body}, label %{done}")
    e.place(body)
    forget(e)
    outer = begin_rounds(e, index)
    inner = [(i.index, index), *((name, value) for (name, _, _), value in zip(i.carried, carried, strict=True))]
    e.values.update(inner)
    wanted = [*(b for _, _, b in i.carried), *([i.end] if i.end else [])]
    after, ends = some_rounds(e, i, i.kernel, index) if i.kernel else ("", region(e, i.body, wanted))
    forget(e)
    for name, _ in inner:
        del e.values[name]
    if e.faults:
        e.guard_injected(ordinal, i.site)
    bad = e.op(f"call i64 {e.helper('poll')}(ptr %ctx, ptr %frame, i64 {i.site})")
    e.guard(e.op(f"icmp eq i64 {bad}, 0"))
    end_rounds(e, outer)
    after = after or e.op(f"add i64 {index}, 1")
    last = [(running, "i1", 1, e.op(f"icmp eq i64 {ends.pop()}, 0"))] if i.end else []
    latch = e.block
    e.put(f"br label %{head}")
    rows = [(index, "i64", 0, after), *zip(carried, i.kinds, initial, ends, strict=True), *last]
    e.lines[phis] = "\n".join(f"{x} = phi {k} [{a}, %{before}], [{b}, %{latch}]" for x, k, a, b in rows)
    e.place(done)
    for (name, _, _), value in zip(i.carried, carried, strict=True):
        e.define(name, value)
    if i.rounds:
        e.define(i.rounds, index)


def some_rounds(e: Emitter, i: p.For, k: p.RoundsKernel, index: str) -> tuple[str, list[Operand]]:
    """The call of a kernel that does some rounds: the number of the next one, and what is carried there."""
    pointers, integers = [[e.values[name] for name in names] for names in (k.pointers, k.integers)]
    words = len(pointers) + len(integers)
    e.array("bases", "ptr", pointers)
    e.array("bases", "i64", integers, len(pointers))
    told = words + 2 * len(k.checks)
    e.sizes["bases"] = max(e.sizes["bases"], told + len(k.told), 1)
    count = e.values[i.count]
    most = e.op(f"add i64 {index}, {k.rounds}")
    is_last = e.op(f"icmp slt i64 {count}, {most}")
    end = e.op(f"select i1 {is_last}, i64 {count}, i64 {most}")
    plan = e.at("%kern", layouts.PLAN_SIZE * k.plan)
    kernel = e.load("ptr", e.load("ptr", plan, layouts.PLAN_KERNELS), 0)
    after = e.op(f"call i64 {kernel}(ptr %bases, i64 {index}, i64 {end})")
    bad = e.op(f"icmp slt i64 {after}, 0") if k.checks else ""
    if bad:
        e.rounds[-1] = e.op(f"select i1 {bad}, i64 {e.op(f'xor i64 {after}, -1')}, i64 {index}")
    for number, (relation, site) in enumerate(k.checks):
        a, b = (e.load("i64", "%bases", 8 * (words + 2 * number + side)) for side in (0, 1))
        holds, error = layouts.HOLDS[HOLDS.get(relation, relation)], ERRORS.get(relation, layouts.ERR_CHECK)
        demand(e, Condition(holds, a, b, site, error), bad)
    settle(e)
    given = {name: e.load(kind, "%bases", 8 * at) for at, (name, kind) in enumerate(k.told, told)}
    ends = [given[name] if name in given else e.values[following] for name, _, following in i.carried]
    return after, ends + ([given[i.end]] if i.end else [])


def begin_rounds(e: Emitter, index: Operand) -> str:
    """What fails in the loop that begins notes its round first, then goes on as what is around it does, to the label
    that is returned.  Threads that share blocks of rows have no place for that; the call's own code, where they join,
    does it."""
    outer = e.failed
    if e.notes_rounds and len(e.rounds) < layouts.MAX_NAMED_LOOPS:
        e.failed = e.label("failed")
    e.rounds.append(index)
    return outer


def end_rounds(e: Emitter, outer: str) -> None:
    index, depth = e.rounds.pop(), len(e.rounds)
    label, e.failed = e.failed, outer
    if label == outer:
        return
    known, at = f"%{label}.known", f"%{label}.at"
    e.errors.append(
        f"{label}:\n%{label}.p = getelementptr i8, ptr %frame, i64 {layouts.FR_DEPTH}\n"
        f"{known} = load i64, ptr %{label}.p\n%{label}.is = icmp sgt i64 {known}, {depth + 1}\n"
        f"%{label}.n = select i1 %{label}.is, i64 {known}, i64 {depth + 1}\nstore i64 %{label}.n, ptr %{label}.p\n"
        f"{at} = getelementptr i8, ptr %frame, i64 {layouts.FR_ROUNDS + 8 * depth}\nstore i64 {index}, ptr {at}\n"
        f"br label %{outer}"
    )


def note_rounds(e: Emitter) -> None:
    """Write the rounds of the enclosing loops for a step of Python, whose errors name them."""
    if not e.rounds or not e.notes_rounds:
        return
    rounds = e.rounds[: layouts.MAX_NAMED_LOOPS]
    for depth, index in enumerate(rounds):
        e.store("i64", index, "%frame", layouts.FR_ROUNDS + 8 * depth)
    e.store("i64", len(rounds), "%frame", layouts.FR_DEPTH)


def branch(e: Emitter, i: p.If) -> None:
    then, other, join = e.label("then"), e.label("else"), e.label("join")
    if i.then and type(i.then[0]) is p.Launch and i.orelse and type(i.orelse[0]) is p.Launch:
        e.launch_arrays(i.then[0], {})  # most words of the other branch's launch are the same
    before = e.written
    e.put(f"br i1 {e.bit(i.cond)}, label %{then}, label %{other}")
    ends = []
    for label, code, column in ((then, i.then, 1), (other, i.orelse, 2)):
        e.place(label)
        e.written = {name: dict(known) for name, known in before.items()}
        values = region(e, code, [r[column] for r in i.results])
        ends.append((e.block, values, e.written))
        e.put(f"br label %{join}")
    e.place(join)
    (b0, v0, w0), (b1, v1, w1) = ends
    e.written = {name: dict(w0[name].items() & w1[name].items()) for name in before}
    for (dst, _, _), kind, x, y in zip(i.results, i.kinds, v0, v1, strict=True):
        e.define(dst, e.op(f"phi {kind} [{x}, %{b0}], [{y}, %{b1}]"))
