"""Variant guards: which kernels a call needs.

Contract  a program's code -> a `Require` at its entry, of the plans that are launched only where a condition holds.
When      the condition is known at entry.
Why       such kernels are compiled for the first call that needs them, or with the function if it is predicted.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Protocol

from tensordsl.codegen.abi import layouts
from tensordsl.codegen.program_ir import instructions as p
from tensordsl.codegen.program_ir.instructions import Instr, Name
from tensordsl.codegen.program_ir.storage import Scope
from tensordsl.codegen.program_ir.verify import EFFECTS

ALWAYS = 0  # the number of the condition that always holds


class Builder(Protocol):
    """What is needed of a `bufferise.bufferiser.Bufferiser`."""

    entry: Scope

    def name(self, length: Any) -> str: ...
    def fresh(self, prefix: str = "t") -> str: ...
    def common_site(self, kind: str) -> int: ...


def requires(b: Builder, body: Sequence[Instr]) -> list[Instr]:
    """The Requires of a program whose entry is b's; their conditions are appended to that."""
    guards = _Guards(names_defined(b.entry.code))
    needed: dict[int, dict[int, None]] = {}  # plan -> the guards of its launches
    for plan, guard in _launches(body, guards):
        needed.setdefault(plan, {})[guard] = None
    choices = []
    for plan in sorted(needed):
        alternatives = guards.simplified(needed[plan])
        if ALWAYS not in alternatives:
            choices.append((guards.any_of(b, alternatives), plan))
    parts = range(0, len(choices), layouts.CHOICES)
    return [p.Require(tuple(choices[k : k + layouts.CHOICES]), k, b.common_site("kernels")) for k in parts]


def names_defined(entry: Iterable[Instr]) -> frozenset[Name]:
    results = (name for i in entry if isinstance(i, p.If) for name, _, _ in i.results)
    return frozenset((*results, *(name for i in entry for name, _ in EFFECTS[type(i)].defines(i))))


def _launches(code: Sequence[Instr], guards: _Guards) -> Iterator[tuple[int, int]]:
    """Every launch's plan, and under which guard it is."""
    stack = [(i, ALWAYS) for i in reversed(code)]
    while stack:
        i, guard = stack.pop()
        if isinstance(i, p.Launch):
            for cond, plan in reversed(i.instead):
                yield plan, guards.within(guard, cond, True)
                guard = guards.within(guard, cond, False)
            yield i.plan, guard
        elif isinstance(i, p.For) and i.kernel:
            if i.kernel.when:
                if i.kernel.is_late:
                    yield i.kernel.plan, guards.within(guard, i.kernel.when, True)
                inner = guards.within(guard, i.kernel.when, False)
                stack.extend((x, inner) for x in reversed(i.body))
        elif isinstance(i, (p.For, p.Blocks)):
            stack.extend((x, guard) for x in reversed(i.body))
        elif isinstance(i, p.If):
            for part, truth in ((i.orelse, False), (i.then, True)):
                inner = guards.within(guard, i.cond, truth)
                stack.extend((x, inner) for x in reversed(part))


class _Guards:
    """Conditions that hold together, by number: 0 is none of them; each other one is (the guard around it, a condition,
    whether it is true)."""

    def __init__(self, known: frozenset[Name]) -> None:
        self.known = known
        self.rows: list[tuple[int, Name, bool]] = [(ALWAYS, "", True)]
        self.numbers: dict[tuple[int, Name, bool], int] = {}
        self.names: dict[Any, Name] = {}  # in the program: of guards, and of what is not

    def within(self, guard: int, cond: Name, truth: bool) -> int:
        """The guard with one more condition, if that is known at entry."""
        if cond not in self.known:
            return guard
        row = guard, cond, truth
        if row not in self.numbers:
            self.numbers[row] = len(self.rows)
            self.rows.append(row)
        return self.numbers[row]

    def simplified(self, alternatives: Iterable[int]) -> list[int]:
        """The same without those that others imply: of a condition and its opposite only what is around them."""
        found: dict[int, None] = {}
        for guard in alternatives:
            while (opposite := self._opposite(guard)) in found:
                del found[opposite]
                guard = self.rows[guard][0]
            found[guard] = None
        return [guard for guard in found if found.keys().isdisjoint(self._around(guard))]

    def _opposite(self, guard: int) -> int:
        around, cond, truth = self.rows[guard]
        return self.numbers.get((around, cond, not truth), -1)

    def _around(self, guard: int) -> Iterator[int]:
        while guard != ALWAYS:
            guard = self.rows[guard][0]
            yield guard

    def any_of(self, b: Builder, alternatives: Sequence[int]) -> Name:
        """The name of whether one of them holds."""
        first, *others = (self._name(b, guard) for guard in alternatives)
        for other in others:
            first = _arith(b, "max", first, other)
        return first

    def _name(self, b: Builder, guard: int) -> Name:
        missing = []
        while guard != ALWAYS and guard not in self.names:
            missing.append(guard)
            guard = self.rows[guard][0]
        for guard in reversed(missing):
            around, cond, truth = self.rows[guard]
            own = cond if truth else self._not(b, cond)
            self.names[guard] = _arith(b, "min", self.names[around], own) if around != ALWAYS else own
        return self.names[guard]

    def _not(self, b: Builder, cond: Name) -> Name:
        if cond not in self.names:
            zero, self.names[cond] = b.name(0), b.fresh("q")
            b.entry.code.append(p.Compare(self.names[cond], "eq", cond, zero))
        return self.names[cond]


def _arith(b: Builder, op: str, x: Name, y: Name) -> Name:
    b.entry.code.append(p.Arith(dst := b.fresh("q"), op, x, y))
    return dst
