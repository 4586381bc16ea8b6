"""The memory map of a compiled function: its storages, their sizes, live ranges and offsets, as a table for users.

`memory_map(program, ...)` -> `MemoryMap`; sizes are texts over the lengths of inputs.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields, replace
from typing import Any

from tensordsl.base.records import record
from tensordsl.codegen.program_ir import instructions as p
from tensordsl.codegen.program_ir.printer import RELATION, SYMBOL
from tensordsl.codegen.scalar_ir.builder import ITEMSIZE

ALIGNMENT = 64  # bytes


@record
class Storage:
    """One storage of a call.  Sizes are texts over the lengths of the inputs, since one program serves all of them.

    kind: "arena" (given back when the call ends), "stack" (a value without axes), "output" or "state" (the new value of
    a shared variable); `first`, `last`: the steps of the program between which it is in use; `offset`: in its arena;
    `in_place_of`: the variable whose own storage is taken where nobody else can see it; `rounds_of`: the loop of whose
    rounds it keeps a row each, and the value that the rows are.
    """

    name: str
    kind: str
    bytes: str
    first: int
    last: int
    offset: str = ""
    in_place_of: str = ""
    rounds_of: str = ""


class MemoryMap(tuple[Storage, ...]):
    """Storages in the order in which the program makes them; printed as a table."""

    def __str__(self) -> str:
        rows = [[f.name for f in fields(Storage)], *([str(getattr(s, f.name)) for f in fields(s)] for s in self)]
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        return "\n".join("  ".join(x.ljust(w) for x, w in zip(row, widths, strict=True)).rstrip() for row in rows)


def memory_map(
    program: p.Program, inputs: Sequence[str], shared: Sequence[str], rounds: Mapping[str, str] | None = None
) -> MemoryMap:
    """The table of a program whose inputs and shared variables have these names.  rounds: of storages that loops stack
    rows in (`Program.stacks`), what these are."""
    table = _Walk(program, {"arg": inputs, "shared": shared}).run()
    return MemoryMap(replace(s, rounds_of=(rounds or {}).get(address, "")) for address, s in table.items())


class _Walk:
    def __init__(self, program: p.Program, names: Mapping[str, Sequence[str]]) -> None:
        self.program, self.names = program, names
        self.integers: dict[str, str] = {}
        self.storages: dict[str, Storage] = {}  # by the name of its address
        self.bases: dict[str, set[str]] = {}  # of an address
        self.sources: dict[str, str] = {}  # addresses of arguments and shared variables, and their names
        self.step = 0

    def run(self) -> dict[str, Storage]:
        self.region(self.program.code)
        return {address: replace(s, first=min(s.first, s.last)) for address, s in self.storages.items()}

    def region(self, code: Sequence[p.Instr]) -> set[str]:
        """What the region uses."""
        used: set[str] = set()
        for i in code:
            self.step += 1
            start = self.step
            known = set(self.storages)
            mine = {b for name in names_in(i) for b in self.bases.get(name, ())}
            self.define(i)
            if isinstance(i, p.For):
                for name, a, b in i.carried:
                    self.bases[name] = self.bases.get(a, set()) | self.bases.get(b, set())
                mine |= self.region(i.body) & known  # live across iterations
            elif isinstance(i, p.Blocks):
                mine |= self.region(i.body)
            elif isinstance(i, p.If):
                mine |= self.region(i.then) | self.region(i.orelse)
                condition = self.integers.get(i.cond, i.cond)
                for dst, a, b in i.results:
                    x, y = (self.integers.get(name, name) for name in (a, b))
                    self.integers[dst] = f"({x} if {condition} else {y})"
                    self.bases[dst] = self.bases.get(a, set()) | self.bases.get(b, set())
            for b in mine:
                s = self.storages[b]
                self.storages[b] = replace(s, first=min(s.first, start), last=max(s.last, self.step))
            used |= mine
        return used

    def add(self, dst: str, name: str, kind: str, size: str, offset: str = "", in_place_of: str = "") -> None:
        self.bases[dst] = {dst}
        # An arena's storage is in use from its first step on, everything else from where it is made.
        first = 1 << 60 if kind == "arena" else self.step
        self.storages[dst] = Storage(name, kind, size, first, self.step, offset, in_place_of)

    def define(self, i: p.Instr) -> None:
        if isinstance(i, p.Arena):
            self.arena(i)
        elif isinstance(i, p.Slot):
            self.add(i.dst, i.dst, "stack", "8")
        elif isinstance(i, p.NewOut):
            size = self.size(self.program.outputs[i.output][0], i.dims)
            self.add(i.dst, f"output {i.output}", "output", size)
        elif isinstance(i, p.Prepare):
            name = self.names["shared"][i.shared]
            size = self.size(self.program.shared[i.shared][0], i.dims)
            self.add(i.dst, name, "state", size, in_place_of="" if i.fresh else name)
        elif isinstance(i, p.Data):
            self.sources[i.dst] = self.source(i.src)
        elif isinstance(i, p.LoadScalar):
            if i.ptr in self.sources:
                self.integers[i.dst] = self.sources[i.ptr]
        elif isinstance(i, p.Offset):
            self.bases[i.dst] = self.bases.get(i.base, set())
        elif isinstance(i, p.Select) and i.kind == "ptr":
            self.bases[i.dst] = self.bases.get(i.a, set()) | self.bases.get(i.b, set())
        else:
            self.integer(i)

    def arena(self, i: p.Arena) -> None:
        offset = "0"
        for dst, size in i.items:
            text = self.integers.get(size, size)
            self.add(dst, dst, "arena", text, offset)
            offset = _sum(offset, _aligned(text))

    def integer(self, i: p.Instr) -> None:
        if isinstance(i, p.Const):
            self.integers[i.dst] = str(i.value)
        elif isinstance(i, p.Extent | p.Stride):
            self.integers[i.dst] = f"{self.source(i.src)}.{'shape' if isinstance(i, p.Extent) else 'strides'}[{i.axis}]"
        elif isinstance(i, p.BlasThreads):
            self.integers[i.dst] = "blas_threads"
        elif isinstance(i, p.Mul):
            self.integers[i.dst] = _product([self.integers.get(x, x) for x in (i.a, i.b)])
        elif isinstance(i, p.Arith):
            a, b = (self.integers.get(x, x) for x in (i.a, i.b))
            b = f"({b})" if " * " in b and i.op in ("floordiv", "mod") else b
            self.integers[i.dst] = f"({a} {SYMBOL[i.op]} {b})" if i.op in SYMBOL else f"{i.op}({a}, {b})"
        elif isinstance(i, p.Compare):
            a, b = (self.integers.get(x, x) for x in (i.a, i.b))
            self.integers[i.dst] = f"({a} {RELATION.get(i.op, i.op)} {b})"
        elif isinstance(i, p.Select):
            condition, a, b = (self.integers.get(x, x) for x in (i.cond, i.a, i.b))
            self.integers[i.dst] = f"({a} if {condition} else {b})"

    def source(self, source: p.Source) -> str:
        kind, number = source
        return self.names[kind][number] if kind in self.names else f"{kind} {number}"

    def size(self, dtype: str, dims: Sequence[str]) -> str:
        return _product([str(ITEMSIZE[dtype]), *(self.integers.get(d, d) for d in dims)])


def _product(factors: Sequence[str]) -> str:
    number, rest = 1, []
    for factor in factors:
        if factor.isdecimal():
            number *= int(factor)
        else:
            rest.append(factor)
    return " * ".join([str(number), *rest] if number != 1 or not rest else rest)


def _aligned(size: str) -> str:
    return str(-(-int(size) // ALIGNMENT) * ALIGNMENT) if size.isdecimal() else f"aligned({size})"


def _sum(a: str, b: str) -> str:
    if a.isdecimal() and b.isdecimal():
        return str(int(a) + int(b))
    return b if a == "0" else f"{a} + {b}"


def names_in(x: Any) -> Iterator[str]:
    """All names in an instruction, without its regions."""
    stack = [getattr(x, f.name) for f in fields(x) if f.name not in ("body", "then", "orelse")]
    while stack:
        y = stack.pop()
        if isinstance(y, str):
            yield y
        elif isinstance(y, tuple):
            stack.extend(y)
