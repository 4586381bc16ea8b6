"""The text of a kernel: its function around what the planner has written into it, by the form that fits.

Contract  a `cpu.kernel.Kernel` -> `finish` chooses its form; `text`, `needs`: its definition, and declarations.
When      behind everything that the planner writes: loops go by the operands and states that a kernel has got.
Why       writers of loops (`row_loop`, `column_loop`, ...) know kernels, and kernels none of them.
"""

from __future__ import annotations

from collections.abc import Sequence

from tensordsl.codegen.abi.descriptor import FLAG, SPLAT
from tensordsl.codegen.cpu.column_loop import column_lines
from tensordsl.codegen.cpu.kernel import COLUMNS, LANES, SCALAR, WRONG, Kernel
from tensordsl.codegen.cpu.prefetch import PREFETCHES_NEXT
from tensordsl.codegen.cpu.row_loop import chunks, row_lines
from tensordsl.codegen.cpu.stencil_rows import block_stencil_rows
from tensordsl.codegen.cpu.streaming_stores import ENTRY, HINT, has_streaming_loop, streaming_lines
from tensordsl.codegen.cpu.vectorise_rows import row_vectors
from tensordsl.codegen.llvm.builder import METADATA
from tensordsl.codegen.llvm.clone import phi_lines
from tensordsl.codegen.llvm.emit_scalars import Code

HALVES = ' "prefer-vector-width"="256" "min-legal-vector-width"="256"'


def finish(k: Kernel) -> None:
    """Bring the entries into the order of P: the library rewrites the first ones, the external, for each call.  And
    write what stands around the body, which goes by the operands and states that it has got."""
    if k.form == LANES:
        flag = next((p for p in k.phis if p.name == "%flag"), None)
        if flag:
            pointer = k.pointer(FLAG, 0)
            old = k.ends.op(f"load i64, ptr {pointer}, align 8")
            k.ends.do(f"store i64 {k.ends.op(f'or i64 {old}, {flag.next}')}, ptr {pointer}, align 8")
        k.totals[:0] = chunks(k)
        if k.carried:
            k.head.declarations["!0"] = METADATA
        if k.states and k.close.block == "close":
            k.close.block = "fold"
        if k.short_rows:
            k.short_rows.finish()
        k.stencil_rows = block_stencil_rows(k)
        k.streams = has_streaming_loop(k)
        if k.streams:
            k.head.declarations |= HINT
    if k.wrong != WRONG:
        k.vectors = row_vectors(k)
    k.entries = dict(sorted(k.entries.items(), key=lambda e: e[0][0] > SPLAT))


def text(k: Kernel) -> str:
    """The function's definition."""
    takes_turn = k.finishes or k.form == COLUMNS or bool(k.prefetched)
    rows = "" if k.form == SCALAR else ", i64 %rows" + ", i64 %turn" * takes_turn
    given = f"(ptr %P, i64 %n, i64 %live{rows})"
    halves = HALVES if k.half_registers and not _needs_full_registers(k) else ""
    lines = [f"define void @{k.name}{given} nounwind{halves} {{"]
    lines.append("begin:" if k.guarded or k.streams else "entry:")
    entries, behind = list(k.entries.values()), len(k.entries)
    for n, e in enumerate(entries):
        lines += [f"  %at.{n} = getelementptr ptr, ptr %P, i64 {n}"]
        lines += [f"  {e.name}{'.0' if e.moves else ''} = load ptr, ptr %at.{n}, align 8"]
        if e.moves:
            lines += [f"  %by.{n} = getelementptr i64, ptr %P, i64 {behind + n}"]
            lines += [f"  {e.name}.step = load i64, ptr %by.{n}, align 8"]
    loops = {LANES: _lanes, COLUMNS: column_lines}.get(k.form, _rows)
    guard = ["  br i1 %absent, label %leave, label %entry", "leave:", "  ret void", "entry:"]
    entry = guard if k.guarded else ENTRY if k.streams else ()
    head = [*k.head.lines, *(PREFETCHES_NEXT if k.prefetched else ()), *entry]
    past = streaming_lines(k, given) if k.streams else ()
    return "\n".join([*lines, *head, *loops(k), "  ret void", *past, "}", ""])


def _lanes(k: Kernel) -> list[str]:
    last = "next" if k.carried else k.after.block
    if k.stencil_rows:
        return _for_rows(k, row_lines(k), last, k.stencil_rows.lines, "ones", ".from")
    return _for_rows(k, row_lines(k), last, *((k.short_rows.lines, "single.q") if k.short_rows else ()))


def _rows(k: Kernel) -> list[str]:
    first = (k.vectors.lines, "ones", ".from") if k.vectors else ()
    return [*_for_rows(k, k.before.lines, k.before.block, *first), *k.ends.lines]


def _for_rows(
    k: Kernel, lines: Sequence[str], last: str, first: Sequence[str] = (), before: str = "entry", start: str = ".0"
) -> list[str]:
    """`lines`, which end in the block `last`, once per row; behind `first`, which ends in `before` and may
    have done some or all rows: the pointers to the next one are called as entries and `start`."""
    if not k.has_rows:
        return list(lines)
    return [
        *(first or ["  br label %row"]),
        "row:",
        *phi_lines(k.row_phis(start), before, last),
        *lines,
        *k.next_row(),
        "  br i1 %r.more, label %row, label %done",
        "done:",
    ]


def _needs_full_registers(k: Kernel) -> bool:
    """True if it calls what takes complete registers."""
    needed = needs(k)
    return bool(needed.functions) or any("avx512" in name for name in needed.declarations)


def needs(k: Kernel) -> Code:
    """What all its text needs of the module."""
    whole = Code()
    codes = k.head, k.before, k.points, k.body, k.ends, k.masked, k.close, k.summed
    behind = k.others, k.fixed, k.after, k.resume, k.final
    for code in (*codes, *behind, *(k.short_rows.codes() if k.short_rows else ())):
        whole.need(code)
    return whole
