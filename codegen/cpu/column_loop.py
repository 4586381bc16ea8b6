"""The column loop: what stands around the body of a kernel of form COLUMNS (`cpu.kernel`).

Contract  a kernel whose lanes run along columns -> text of the loops around its body.
When      lanes run along a parallel axis, and rows are reduced.
Why       states stay in registers over the rows; unroll-and-jam makes streams of columns that are narrow.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from tensordsl.codegen.abi.descriptor import READ
from tensordsl.codegen.cpu.aligned_rows import behind_line
from tensordsl.codegen.cpu.kernel import SECOND, Kernel
from tensordsl.codegen.cpu.prefetch import PREFETCHES_NEXT, is_adjacent, next_batch_pointers, prefetch_lines
from tensordsl.codegen.llvm.clone import (
    Phi,
    defined,
    has_bit_masks,
    has_mask_registers,
    is_straight,
    lanes_of_bits,
    phi_lines,
    renamed,
)
from tensordsl.codegen.llvm.vector_builder import Code, splat
from tensordsl.codegen.target.machine import CACHE_LINE_BYTES


def column_lines(k: Kernel) -> list[str]:
    """All of the kernel behind its `head`.

    For each vector of columns: { for each row: body }; then the states are folded into those of the rows before.
    Vectors that are done together begin on a cache line of an operand where rows start at complete or half lines,
    since loads that straddle two lines take twice as long: the columns before it are lanes of the first vector,
    which comes next. At the end comes a row's last complete vector, without the lanes that were done before.
    """
    together = k.unroll_jam > 1 and is_straight(k.before.lines, k.ends.lines, k.close.lines)
    fixed, before = _each_vector(k)
    start, place = ("%begin", "narrow") if together else ("0", "entry")
    asks, last = ([], k.before.block) if together else (_prefetch_next_rows(k), "onward")
    return [
        *(_together(k) if together else [*PREFETCHES_NEXT, "  br label %vector"]),
        "vector:",
        *phi_lines([Phi("%at", "i64", start, "%i.next")], place, k.close.block),
        f"  %i.last = sub i64 %n, {k.width}",
        "  %i.short = icmp slt i64 %i.last, %at",
        "  %i = select i1 %i.short, i64 %i.last, i64 %at",
        *(["  %is.first = icmp slt i64 %at, %wide"] if together else ()),
        f"  br i1 %folds, label %others, label %{'fixed' if fixed else 'row'}",
        *(("fixed:", *fixed, "  br label %row") if fixed else ()),
        "row:",
        *phi_lines([*k.row_phis(), *k.phis], "fixed" if fixed else "vector", last),
        *before,
        *asks,
        *k.next_row(),
        "  br i1 %r.more, label %row, label %close",
        "close:",
        *_counted(k, together),
        *k.ends.lines,
        "  br label %fold",
        "others:",
        *k.others.lines,
        "  br label %fold",
        "fold:",
        *phi_lines(k.folded, "others", "close"),
        *k.close.lines,
        *_following(k, together),
        "  %more = icmp slt i64 %i.next, %n",
        "  br i1 %more, label %vector, label %done",
        "done:",
    ]


def _each_vector(k: Kernel) -> tuple[list[str], list[str]]:
    """(what is loaded once for a vector's rows, if registers can hold it, what is done for each)"""
    fixed, before = k.fixed.lines, k.before.lines
    registers = k.unroll_jam * sum(" = load " in line for line in fixed)
    most = k.tuning.kernel.fixed_registers
    few = registers <= (most if has_mask_registers(k) else most // 2)
    return (fixed, before) if few else ([], [*fixed, *before])


def _following(k: Kernel, together: bool) -> list[str]:
    if not together:
        return [f"  %i.next = add i64 %at, {k.width}"]
    return [
        f"  %i.after = add i64 %at, {k.width}",
        "  %i.next = select i1 %is.first, i64 %wide, i64 %i.after",
    ]


def _together(k: Kernel) -> list[str]:
    """Vectors that are done together, from %first to %wide.  Ends in the block `narrow`, where `vector` goes on."""
    span, row_phis = k.unroll_jam * k.width, k.row_phis()
    rows = {x: f"{x}.w" for p in row_phis for x in (p.name, p.next)} | {"%r.more": "%r.more.w"}
    fixed, before = _each_vector(k)
    own = {
        *defined(fixed),
        *defined(before),
        *defined(k.ends.lines),
        *defined(k.close.lines),
        *(p.name for p in k.phis),
    }
    phis, starts, bodies, closes = [], [], [], []
    for n in range(k.unroll_jam):
        names = rows | {x: f"{x}.w{n}" for x in own} | {"%i": f"%i.w{n}"}
        phis += _renamed_phis(k.phis, names)
        starts += renamed(fixed, names)
        bodies += renamed(before, names)
        names |= {p.name: names.get(p.next, p.next) for p in k.counted}
        names |= {p.name: names.get(p.next, p.next) for p in k.folded}
        closes += renamed([*k.ends.lines, *k.close.lines], names)
    return [
        *PREFETCHES_NEXT,
        *_first(k, span),
        "  %behind.first = sub i64 %n, %first",
        f"  %spans = and i64 %behind.first, {-span}",
        "  %covered = select i1 %folds, i64 0, i64 %spans",
        "  %wide = add i64 %first, %covered",
        "  %any.w = icmp ne i64 %covered, 0",
        "  br i1 %any.w, label %vectors, label %narrow",
        "vectors:",
        *phi_lines([Phi("%i.w0", "i64", "%first", "%i.w")], "entry", "closes"),
        *(f"  %i.w{n} = add i64 %i.w0, {n * k.width}" for n in range(1, k.unroll_jam)),
        *starts,
        "  br label %across",
        "across:",
        *phi_lines([*_renamed_phis(row_phis, rows), *phis], "vectors", "onward"),
        *bodies,
        *_prefetch_following(k, span, ".w"),
        f"  %i.behind = add i64 %i.w0, {span}",
        "  %is_last.w = icmp sge i64 %i.behind, %wide",
        "  br i1 %is_last.w, label %ahead.rest, label %onward",
        "ahead.rest:",
        *_prefetch_behind(k, span),
        "  br label %onward",
        "onward:",
        *renamed(k.next_row(), rows),
        "  br i1 %r.more.w, label %across, label %closes",
        "closes:",
        *closes,
        f"  %i.w = add i64 %i.w0, {span}",
        "  %more.w = icmp slt i64 %i.w, %wide",
        "  br i1 %more.w, label %vectors, label %narrow",
        "narrow:",
        "  %is.whole = icmp eq i64 %first, 0",
        "  %begin = select i1 %is.whole, i64 %wide, i64 0",
        "  %rest = icmp slt i64 %begin, %n",
        "  br i1 %rest, label %vector, label %done",
    ]


def _first(k: Kernel, span: int) -> list[str]:
    """%first: the column, of the first vector, in which a line of an operand begins, or 0 where it does not matter."""
    operand = next((e for e in k.entries.values() if is_adjacent(e) and e.flags & READ), None)
    if operand is None:
        return ["  %first = add i64 0, 0"]
    code = Code("line")
    behind = behind_line(code, operand, ".0")
    place = code.op(f"and i64 {code.op(f'sub i64 {k.width}, {behind}')}, {k.width - 1}")
    offset = code.op(f"and i64 {operand.name}.step, {CACHE_LINE_BYTES // 2 - 1}")
    conditions = code.op(f"icmp eq i64 {offset}, 0"), code.op(f"icmp sge i64 %n, {span + k.width}")
    is_worth = code.op("xor i1 %folds, true")
    for condition in conditions:
        is_worth = code.op(f"and i1 {is_worth}, {condition}")
    code.do(f"%first = select i1 {is_worth}, i64 {place}, i64 0")
    return code.lines


def _counted(k: Kernel, together: bool) -> list[str]:
    """The states of a vector's rows, or none in lanes that are done elsewhere: before a last vector, or behind a first
    one."""
    W, code = k.width, Code("done")
    done = code.op("sub i64 %at, %i")
    if has_bit_masks(k):
        bits = code.op(f"shl i64 -1, {done}")
        if together:
            others = code.op("shl i64 -1, %first")
            behind = code.op(f"select i1 %is.first, i64 {others}, i64 0")
            bits = code.op(f"and i64 {bits}, {code.op(f'xor i64 {behind}, -1')}")
        new = code.op(lanes_of_bits(code, bits, W))
    else:
        numbers = f"<{', '.join(f'i8 {n}' for n in range(W))}>"
        new = code.op(f"icmp uge <{W} x i8> {numbers}, {_every(code, done, W)}")
        if together:
            count = code.op(f"select i1 %is.first, i64 %first, i64 {W}")
            is_own = code.op(f"icmp ult <{W} x i8> {numbers}, {_every(code, count, W)}")
            new = code.op(f"and <{W} x i1> {new}, {is_own}")
    for p in k.counted:
        code.do(f"{p.name} = select <{W} x i1> {new}, {p.type} {p.next}, {p.type} {p.initial}")
    return code.lines


def _every(code: Code, number: str, W: int) -> str:
    return splat(code, code.op(f"trunc i64 {number} to i8"), "uint8", W)


def _prefetch_next_rows(k: Kernel) -> list[str]:
    """Behind the body: the lines of this vector in rows further on.  Ends in the block `onward`."""
    return [*_prefetch_following(k, k.width), "  br label %onward", "onward:"]


def _prefetch_following(k: Kernel, span: int, names: str = "") -> list[str]:
    """Of the row as many rows further on, the lines of these columns: to the second-level cache."""
    lines = ["  br i1 %is_ahead, label %ahead, label %onward", "ahead:"]
    for e in filter(is_adjacent, k.entries.values()):
        lines += [
            *next_batch_pointers(e, f"{e.name}{names}"),
            *prefetch_lines(e, "%i.w0" if names else "%i", span, SECOND),
        ]
    return lines


def _prefetch_behind(k: Kernel, span: int) -> list[str]:
    """The same of the columns behind the last ones that are done so."""
    entries = filter(is_adjacent, k.entries.values())
    lines = [line for e in entries for line in prefetch_lines(e, "%i.behind", span, SECOND)]
    return renamed(lines, {x: f"{x}.rest" for x in defined(lines)})


def _renamed_phis(phis: Sequence[Phi], names: Mapping[str, str]) -> list[Phi]:
    return [Phi(*(names.get(x, x) for x in (p.name, p.type, p.initial, p.next))) for p in phis]
