"""A second loop of kernels of few operations, whose stores go past the caches: so memory need not be read before it is
written, and what is read stays where it is.

Kernels go there if `live` is PAST: then it is one row, of whole vectors, and its results begin on cache lines.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from tensordsl.codegen.copies import Phi, defined, phi_lines, renamed
from tensordsl.codegen.nest_words import INTEGER, SPLAT, VECTOR, WRITE
from tensordsl.codegen.rows_together import is_plain

if TYPE_CHECKING:
    from tensordsl.codegen.flat import Entry, Kernel

PAST = -1
# The end of the block `begin`.
ENTRY = (
    f"  %is.past = icmp eq i64 %live, {PAST}",
    "  br i1 %is.past, label %past, label %entry",
    "entry:",
)
MOST = 16  # lines of the body: more take longer than memory does, and long to compile
LINE, LEAST = 64, 32  # bytes: of a cache line, and of a store at least
METADATA = {"!2": "!2 = !{i32 1}"}
_STORE = re.compile(r"(  store <.*, ptr %[\w.]+), align \d+$")


def past_caches(k: Kernel) -> list[str]:
    """Behind all loops, whose places in the code matter (a tenth, from the third cache); nothing if the kernel has no
    such loop."""
    is_alone = is_plain(k) and not (k.together or k.guarded or k.fails)
    if not (is_alone and len(k.body.lines) <= MOST and all(map(_is_in_place, k.entries.values()))):
        return []
    widths = [k.width * e.itemsize for e in k.entries.values() if e.flags & WRITE]
    if not widths or min(widths) < LEAST:
        return []
    k.head.declarations |= METADATA
    return _lines(k, min(*widths, LINE))


def _is_in_place(e: Entry) -> bool:
    """Is an operand read, or a result written, where it stands?"""
    is_given = e.kind == INTEGER or (e.kind == SPLAT and not e.flags & WRITE)
    return e.add < 0 and (is_given or (e.kind == VECTOR and e.step == 1))


def _lines(k: Kernel, alignment: int) -> list[str]:
    names = {x: f"{x}.p" for x in defined([*k.before.lines, *k.body.lines])} | {"%i": "%i.p", "%r": "0"}
    names |= {e.name: f"{e.name}.0" for e in k.entries.values() if e.moves}
    past = rf"\1, align {alignment}, !nontemporal !2"
    body = [_STORE.sub(past, line) for line in renamed(k.body.lines, names)]
    return [
        "past:",
        *renamed(k.before.lines, names),
        "  br label %loop.p",
        "loop.p:",
        *phi_lines([Phi("%i.p", "i64", "0", "%i.next.p")], "past", "loop.p"),
        *body,
        f"  %i.next.p = add i64 %i.p, {k.width}",
        "  %more.p = icmp slt i64 %i.next.p, %n",
        "  br i1 %more.p, label %loop.p, label %leave.p",
        "leave.p:",
        "  ret void",
    ]
