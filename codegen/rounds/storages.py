"""Storages: where each address of a program may point to, which integers are known, and who uses what.

Contract  instructions of a whole program -> `Storages`; a storage is an argument, a shared variable's, or what one
          instruction allocates.
Why       a kernel of many rounds may only read what its rounds do not write.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

from tensordsl.codegen.program_ir import instructions as p
from tensordsl.codegen.program_ir.instructions import Instr, Name
from tensordsl.codegen.program_ir.verify import EFFECTS

Roots = frozenset[Any]
NOWHERE: Roots = frozenset()


class Storages:
    """numbers: the values of constants; products: the factors of products; roots: the storages of addresses."""

    def __init__(self, code: Sequence[Instr]) -> None:
        self.numbers: dict[Name, int] = {}
        self.products: dict[Name, tuple[Name, Name]] = {}
        self._roots: dict[Name, Roots] = {}
        self.uses: Counter[Name] = Counter()
        every = list(p.walk_program([*code]))
        for i in every:
            self.uses.update(names_used(i))
            if isinstance(i, p.Const):
                self.numbers[i.dst] = i.value
            elif isinstance(i, p.Mul):
                self.products[i.dst] = i.a, i.b
        while any([self._enter(i) for i in every]):  # of carried addresses the storages grow to a fixed point
            pass

    def roots(self, name: Name) -> Roots:
        return self._roots.get(name, NOWHERE)

    def is_times(self, x: Name, y: Name, number: int) -> bool:
        """Whether x = y * number."""
        if x in self.numbers and y in self.numbers:
            return self.numbers[x] == self.numbers[y] * number
        a, b = self.products.get(x, ("", ""))
        return (a == y and self.numbers.get(b) == number) or (b == y and self.numbers.get(a) == number)

    def _enter(self, i: Instr) -> bool:
        """Note what an instruction defines; whether that is new."""
        pairs: Iterable[tuple[Name, Roots]] = ()
        if isinstance(i, p.Data):
            pairs = [(i.dst, frozenset([i.src]))]
        elif isinstance(i, p.Prepare):
            pairs = [(i.dst, frozenset([("shared", i.shared), i.dst]))]
        elif isinstance(i, p.NewOut | p.Slot | p.Bytes):
            pairs = [(i.dst, frozenset([i.dst]))]
        elif isinstance(i, p.Arena):
            pairs = [(dst, frozenset([dst])) for dst, _ in i.items]
        elif isinstance(i, p.Offset):
            pairs = [(i.dst, self.roots(i.base))]
        elif isinstance(i, p.Select) and i.kind == "ptr":
            pairs = [(i.dst, self.roots(i.a) | self.roots(i.b))]
        elif isinstance(i, p.For):
            pairs = [(name, self.roots(a) | self.roots(b)) for name, a, b in i.carried]
        elif isinstance(i, p.If):
            pairs = [(dst, self.roots(a) | self.roots(b)) for dst, a, b in i.results]
        is_new = False
        for name, found in pairs:
            known = self.roots(name)
            if not found <= known:
                self._roots[name], is_new = known | found, True
        return is_new


def names_used(i: Instr) -> list[Name]:
    """The names that an instruction itself uses, without its regions; of a loop also what it carries."""
    effects = EFFECTS[type(i)]
    carried = [x for _, a, b in getattr(i, "carried", ()) for x in (a, b)]
    results = [x for _, a, b in getattr(i, "results", ()) for x in (a, b)]
    return [*effects.ints(i), *effects.pointers(i), *effects.reads(i), *effects.writes(i), *carried, *results]
