"""Several vectors or rows at once: copies of a kernel's straight-line text, whose values have names of their own."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tensordsl.codegen.flat import Kernel

ONE = "[1 x i64]"
_NAME = re.compile(r"%[\w.]+")


@dataclass(frozen=True, slots=True)
class Phi:
    name: str
    type: str
    initial: str
    next: str


def index_phi(name: str, start: str, following: str) -> Phi:
    """The position of a loop over vectors as an array of one element.  LLVM keeps it in a register all the same, but
    takes it for no induction variable: it spends no time on finding addresses other than those that are written."""
    return Phi(f"{name}.in", ONE, start, following)


def index_of(name: str) -> str:
    """Of `index_phi`, behind all phis."""
    return f"  {name} = extractvalue {ONE} {name}.in, 0"


def as_index(name: str, value: str) -> str:
    """A start or following value of `index_phi`."""
    return f"  {name} = insertvalue {ONE} poison, i64 {value}, 0"


def phi_lines(phis: Sequence[Phi], first: str, last: str) -> list[str]:
    return [f"  {p.name} = phi {p.type} [ {p.initial}, %{first} ], [ {p.next}, %{last} ]" for p in phis]


def is_straight(*texts: Sequence[str]) -> bool:
    """Are there no blocks in them?"""
    return not any(line.endswith(":") for lines in texts for line in lines)


def masked_tail(k: Kernel) -> list[str]:
    """Behind a row's whole vectors, its last whole one again, where lanes done before stay as they are."""
    names = {x: f"{x}.k" for x in _defined(k.body.lines)} | {"%i": "%i.k"} | {p.name: p.next for p in k.phis}
    return [
        "whole:",
        "  br i1 %has.k, label %tail, label %ends",
        "tail:",
        *_renamed(k.body.lines, names),
        *(
            f"  {p.next} = select <{k.width} x i1> %mask.k, {p.type} {names.get(old, old)}, {p.type} {old}"
            for p in k.ended
            for old in [p.initial]
        ),
        "  br label %ends",
    ]


def columns_side_by_side(k: Kernel) -> list[str]:
    """Several vectors of a row after each other, as far as they reach: so few bytes as one has of each row are no
    stream to the memory.  Ends in the block `narrow`, where `vector` goes on from %wide."""
    span, row_phis = k.beside * k.width, k.row_phis()
    rows = {x: f"{x}.w" for p in row_phis for x in (p.name, p.next)} | {"%r.more": "%r.more.w"}
    own = {*_defined(k.before.lines), *_defined(k.close.lines), *(p.name for p in k.phis)}
    phis, bodies, closes = [], [], []
    for n in range(k.beside):
        names = rows | {x: f"{x}.w{n}" for x in own} | {"%i": f"%i.w{n}"}
        phis += _renamed_phis(k.phis, names)
        bodies += _renamed(k.before.lines, names)
        closes += _renamed(k.close.lines, names)
    return [
        f"  %wide = and i64 %n, {-span}",
        "  %any.w = icmp ne i64 %wide, 0",
        "  br i1 %any.w, label %vectors, label %narrow",
        "vectors:",
        *phi_lines([Phi("%i.w0", "i64", "0", "%i.w")], "entry", "closes"),
        *(f"  %i.w{n} = add i64 %i.w0, {n * k.width}" for n in range(1, k.beside)),
        "  br label %across",
        "across:",
        *_renamed(phi_lines(row_phis, "vectors", "across"), rows),
        *phi_lines(phis, "vectors", "across"),
        *bodies,
        *_renamed(k.next_row(), rows),
        "  br i1 %r.more.w, label %across, label %closes",
        "closes:",
        *closes,
        f"  %i.w = add i64 %i.w0, {span}",
        "  %more.w = icmp slt i64 %i.w, %wide",
        "  br i1 %more.w, label %vectors, label %narrow",
        "narrow:",
        "  %rest = icmp slt i64 %wide, %n",
        "  br i1 %rest, label %vector, label %done",
    ]


def rows_together(k: Kernel) -> list[str]:
    """Rows of one chunk, several at a time: what they share is loaded once.  Ends in the block `ones.q`, from where the
    others go on."""
    texts = _RowTexts(k)
    copies = [texts.names(n) for n in range(k.beside)]
    first, moving = copies[0], [p for p in k.row_phis() if p.name not in k.shared]
    steps = [Phi(first[p.name], p.type, p.initial, f"{p.name}.q") for p in moving]
    last = copies[-1]
    return [
        *texts.condition(),
        "  br i1 %together.q, label %some.q, label %ones.q",
        "some.q:",
        *phi_lines(steps, "entry", "found.q"),
        *(line for n, names in enumerate(copies[1:]) for line in _following(moving, copies[n], names)),
        *texts.all_of(k.before.lines, copies),
        "  br label %inner.q",
        "inner.q:",
        *phi_lines([index_phi("%i.q", "zeroinitializer", "%i.q.out")], "some.q", "inner.q"),
        *phi_lines([q for names in copies for q in _renamed_phis(k.phis, names)], "some.q", "inner.q"),
        index_of("%i.q"),
        *texts.all_of(k.body.lines, copies),
        f"  %i.q.next = add i64 %i.q, {k.width}",
        as_index("%i.q.out", "%i.q.next"),
        "  %more.q = icmp slt i64 %i.q.next, %n",
        "  br i1 %more.q, label %inner.q, label %found.q",
        "found.q:",
        *texts.all_of(k.ends.lines, copies),
        *texts.all_of(k.after.lines, copies),
        *texts.all_of(k.final.lines, copies),
        *_following(moving, last, {p.name: f"{p.name}.q" for p in moving}),
        "  %again.q = icmp slt i64 %r.q, %several.q",
        "  br i1 %again.q, label %some.q, label %ones.q",
        "ones.q:",
        *phi_lines([Phi(f"{p.name}.s", p.type, p.initial, f"{p.name}.q") for p in moving], "entry", "found.q"),
        *(f"  {p.name}.s = getelementptr i8, ptr {p.initial}, i64 0" for p in k.row_phis() if p.name in k.shared),
        "  %left.q = icmp slt i64 %r.s, %rows",
        "  br i1 %left.q, label %single.q, label %done",
        "single.q:",
        "  br label %row",
    ]


class _RowTexts:
    """A kernel's texts for several rows: what does not depend on the row stands in the first copy only."""

    def __init__(self, kernel: Kernel) -> None:
        self.kernel = k = kernel
        parts = (k.before, k.body, k.ends, k.after, k.final)
        lines = [line for code in parts for line in code.lines]
        self.own = {*_defined(lines), *(p.name for p in k.phis)}
        known = {*_defined(k.head.lines), *k.shared, "%i", *(e.name for e in k.entries.values() if not e.moves)}
        for line in [*k.before.lines, *k.body.lines]:
            name, _, right = line.strip().partition(" = ")
            if name in self.own and set(_NAME.findall(right)) <= known:
                known.add(name)
        self.same = known & self.own

    def names(self, n: int) -> dict[str, str]:
        """The names of the n-th row's values."""
        k = self.kernel
        row = {x: f"{x}.q{n}" for x in self.own - self.same} | {x: f"{x}.q0" for x in self.same}
        row |= {p.name: f"{p.name}.0" if p.name in k.shared else f"{p.name}.q{n}" for p in k.row_phis()}
        row |= {"%i": "%i.q"} | {p.name: p.initial for p in k.totals}
        row |= {p.name: row.get(p.initial, p.initial) for p in k.ended}
        for name, value in [(p.name, p.initial) for p in k.states]:
            row[name] = row.get(value, value)
        for carried in (c for parts in k.carried.values() for c in parts):
            row[carried.name] = row.get(carried.first, carried.first)
        return row

    def all_of(self, lines: Sequence[str], copies: Sequence[Mapping[str, str]]) -> list[str]:
        result = _renamed(lines, copies[0])
        rest = [line for line in lines if line.strip().partition(" = ")[0] not in self.same]
        return result + [line for names in copies[1:] for line in _renamed(rest, names)]

    def condition(self) -> list[str]:
        """May rows go together: whole ones of one chunk, of which none moves what all should share?"""
        k = self.kernel
        shared = [f"{name}.step" for name in sorted(k.shared)]
        whole = [f"  %vectors.q = and i64 %n, {-k.width}", "  %even.q = icmp eq i64 %n, %vectors.q"]
        return [
            *(whole if k.repeats or not k.states else []),
            f"  %several.q = and i64 %rows, {-k.beside}",
            "  %enough.q = icmp ne i64 %several.q, 0",
            *(["  %one.q = and i1 %single, %even.q"] if k.repeats else []),
            f"  %short.whole.q = and i1 {'%one.q' if k.repeats else '%single' if k.states else '%even.q'}, %is_whole",
            "  %full.q = xor i1 %none, true",
            "  %fit.q = and i1 %short.whole.q, %full.q",
            "  %fit.0 = and i1 %fit.q, %enough.q",
            *(f"  %still.{n} = icmp eq i64 {step}, 0" for n, step in enumerate(shared)),
            *(f"  %fit.{n + 1} = and i1 %fit.{n}, %still.{n}" for n in range(len(shared))),
            f"  %together.q = and i1 %fit.{len(shared)}, true",
        ]


def _following(phis: Sequence[Phi], here: Mapping[str, str], there: Mapping[str, str]) -> list[str]:
    """The row behind: its number and pointers."""
    lines = []
    for p in phis:
        step = (
            f"add i64 {here[p.name]}, 1"
            if p.name == "%r"
            else f"getelementptr i8, ptr {here[p.name]}, i64 {p.name}.step"
        )
        lines.append(f"  {there[p.name]} = {step}")
    return lines


def _defined(lines: Iterable[str]) -> set[str]:
    """The names of the values that the lines compute."""
    return {line.split(" = ", 1)[0].strip() for line in lines if line.startswith("  %")}


def _renamed(lines: Sequence[str], names: Mapping[str, str]) -> list[str]:
    return [_NAME.sub(lambda m: names.get(m[0], m[0]), line) for line in lines]


def _renamed_phis(phis: Sequence[Phi], names: Mapping[str, str]) -> list[Phi]:
    return [Phi(*(names.get(x, x) for x in (p.name, p.type, p.initial, p.next))) for p in phis]
