"""Where a program may fail: straight-line code asks once for all that it has found, and records what came first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tensordsl.codegen import program as p

if TYPE_CHECKING:
    from tensordsl.codegen.emit_program import Emitter, Operand

# What touches no memory but that of sources, and stops nothing: before these a failure need not be asked for.
HARMLESS = frozenset((
    p.Const, p.Extent, p.Stride, p.Data, p.BlasThreads, p.Arith, p.Mul, p.Compare, p.Check, p.Offset, p.Select, p.Slot,
    p.Bytes,
))  # fmt: skip
MOST = 32  # failures that wait: each has values that stay until all are asked for


@dataclass(frozen=True, slots=True)
class Failure:
    """It has happened if the i1 `bad` is 1."""

    bad: str
    site: int
    kind: int
    values: tuple[Operand, ...]


def fail_if(e: Emitter, bad: str, site: int, kind: int, values: tuple[Operand, ...] = ()) -> None:
    """Fail before the next instruction that is not harmless."""
    last = e.waiting[-1] if e.waiting else None
    if last is not None and (last.site, last.kind) == (site, kind) and not (values or last.values):
        e.waiting[-1] = Failure(e.op(f"or i1 {last.bad}, {bad}"), site, kind, ())
        return
    if len(e.waiting) == MOST:
        settle(e)
    e.waiting.append(Failure(bad, site, kind, values))


def settle(e: Emitter) -> None:
    """Go on if none of what waits has happened; else record the first that did, and fail."""
    if not e.waiting:
        return
    bad = e.waiting[0].bad
    every = [bad]
    for f in e.waiting[1:]:
        bad = e.op(f"or i1 {bad}, {f.bad}")
        every.append(bad)
    label, go = record(e, e.waiting, every), e.label("g")
    e.waiting = []
    e.put(f"br i1 {bad}, label %{label}, label %{go}")
    e.place(go)


def record(e: Emitter, failures: Sequence[Failure], every: Sequence[str]) -> str:
    """The block that writes the record of the first of the failures that has happened, and fails.  every: whether one
    of those up to each has happened."""
    rows = [(f.site, f.kind, *f.values, *(0,) * (2 - len(f.values))) for f in failures]
    label = e.label("e")
    lines, result = [label + ":"], list(rows[-1])
    for j in range(len(rows) - 2, -1, -1):
        for k, value in enumerate(rows[j]):
            if value != rows[j + 1][k]:  # from here back they have it, till one has another
                name = f"%{label}.{len(lines)}"
                lines.append(f"{name} = select i1 {every[j]}, i64 {value}, i64 {result[k]}")
                result[k] = name
    places = ("%frame", "%fr.kind", "%fr.a", "%fr.b")[: 4 if any(f.values for f in failures) else 2]
    lines += [f"store i64 {value}, ptr {place}" for value, place in zip(result, places, strict=False)]
    e.errors.append("\n".join(lines) + "\nbr label %fail")
    return label
