"""Integers and addresses of a round: numbers that grow by the same amount in each round, computed once for many.

Contract  instructions on integers -> LLVM text before the rounds; `now` gives a value in the round.  Checks and
          comparisons are made at the first round and at the last one: where a relation holds for both ends of numbers
          that grow evenly, it holds between them.  Where one does not, or a comparison changes, the kernel does half as
          many rounds, down to one: the numbers are that round's own then.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from tensordsl.codegen.llvm.vector_builder import Code
from tensordsl.codegen.program_ir import instructions as p
from tensordsl.codegen.program_ir.instructions import Name
from tensordsl.codegen.rounds.body import Body, Unfit

SIGNED = {"eq": "eq", "ne": "ne", "lt": "slt", "le": "sle", "gt": "sgt", "ge": "sge"}
OPPOSITE = {"eq": "ne", "ne": "eq", "lt": "ge", "ge": "lt", "gt": "le", "le": "gt"}
EVEN = ("lt", "le", "gt", "ge")  # relations that hold between two rounds in which they hold
HOLDING = {
    "eq": (0, 0),
    "le": (0, 0),
    "ge": (0, 0),
    "ne": (0, 1),
    "lt": (0, 1),
    "gt": (1, 0),
    "product": (0, 0),
    "index": (0, 0),
}  # some operands
MULTIPLY = "llvm.smul.with.overflow.i64"


class Number(NamedTuple):
    """Its value in the first round of a call, and how much it grows in each: operands, or ints if they are known."""

    first: str | int
    step: str | int = 0


class Integers:
    """head: code before all rounds; ends: code that knows `%span`, the rounds behind the first; body: of a round."""

    def __init__(self, head: Code, ends: Code, body: Code, what: Body, word: Callable[[Name, str], str]) -> None:
        self.head, self.ends, self.body, self.word = head, ends, body, word
        self.carried, self.parts = what.carried, what.parts
        self.numbers: dict[Name, Number] = {}
        self.varying: dict[Name, str] = {}  # computed in each round
        self.addresses: dict[Name, Number] = {}
        self.computed: dict[Name, str] = {}  # addresses that each round computes
        self.last: dict[Number, str | int] = {}
        self.running: dict[Number, str] = {}
        self.phis: list[tuple[str, str, str, str]] = []  # (name, type, first value, following value) in a round
        self.bad: list[str] = []  # i1s: the rounds are too many, or a check fails
        self.checks: list[tuple[str, int]] = []
        self.operands: list[tuple[str | int, str | int]] = []  # of the checks, in the first round
        self.wrong: dict[int, tuple[str, str]] = {}  # of those that each round makes, there

    # -- values
    def number(self, name: Name) -> Number | None:
        """None: it does not grow evenly from round to round."""
        if name in self.varying:
            return None
        if name not in self.numbers:
            self.numbers[name] = Number(self.word(name, "i64"))
        return self.numbers[name]

    def address(self, name: Name) -> Number:
        if name in self.computed:
            raise Unfit("rows at computed places")
        if name in self.parts and name not in self.addresses:
            base, distance = self.parts[name]
            place = self.address(base)
            first = self.head.op(f"getelementptr i8, ptr {place.first}, i64 {distance}")
            self.addresses[name] = Number(first, place.step)
        if name not in self.addresses:
            self.addresses[name] = Number(self.word(name, "ptr"))
        return self.addresses[name]

    def at_end(self, x: Number) -> str | int:
        """Its value in the last round."""
        if x.step == 0:
            return x.first
        if x not in self.last:
            self.last[x] = self.ends.op(f"add i64 {x.first}, {self.ends.op(f'mul i64 {x.step}, %span')}")
        return self.last[x]

    def now(self, name: Name) -> str:
        """Its value in the round."""
        x = self.number(name)
        if x is None:
            return self.varying[name]
        if x.step == 0:
            return str(x.first)
        if x not in self.running:
            self.running[x] = name = f"%n{len(self.phis)}"
            self.phis.append((name, "i64", str(x.first), f"add i64 {name}, {x.step}"))
        return self.running[x]

    # -- instructions
    def do(self, i: p.Instr) -> None:
        if isinstance(i, p.Offset):
            self.offset(i)
        elif isinstance(i, p.Check):
            self.check(i)
        elif isinstance(i, p.Arith | p.Mul | p.Compare | p.Select):
            given = (i.cond, i.a, i.b) if isinstance(i, p.Select) else (i.a, i.b)
            known = [self.number(x) for x in given]
            numbers = [x for x in known if x is not None]
            done = len(numbers) == len(known) and self.even(i, numbers)
            if not done:
                self.each_round(i)

    def even(self, i: p.Instr, given: list[Number]) -> bool:
        """A number that grows evenly; whether it is one."""
        a, b = given[-2:]
        is_fixed = all(x.step == 0 for x in given)
        made: Number | None = None
        if isinstance(i, p.Arith) and i.op in ("add", "sub"):
            made = Number(*(self.sum(self.head, i.op, x, y) for x, y in zip(a, b, strict=True)))
        elif isinstance(i, p.Mul) or (isinstance(i, p.Arith) and i.op == "mul"):
            made = self.product(a, b, i.site if isinstance(i, p.Mul) else 0)
        elif isinstance(i, p.Arith) and i.op in ("min", "max") and is_fixed:
            made = Number(self.extremum(self.head, i.op, a.first, b.first))
        elif isinstance(i, p.Compare) and (is_fixed or i.op in EVEN):
            first = self.head.op(f"icmp {SIGNED[i.op]} i64 {a.first}, {b.first}")
            if not is_fixed:
                last = self.ends.op(f"icmp {SIGNED[i.op]} i64 {self.at_end(a)}, {self.at_end(b)}")
                self.bad.append(self.ends.op(f"xor i1 {first}, {last}"))
            made = Number(self.head.op(f"zext i1 {first} to i64"))
        elif isinstance(i, p.Select) and is_fixed:
            bit = self.head.op(f"icmp ne i64 {given[0].first}, 0")
            made = Number(self.head.op(f"select i1 {bit}, i64 {a.first}, i64 {b.first}"))
        if made is None:
            return False
        self.numbers[i.dst] = made  # type: ignore[attr-defined]  # all of these have one
        return True

    def product(self, a: Number, b: Number, site: int) -> Number | None:
        """One of both is the same in all rounds."""
        if a.step != 0:
            a, b = b, a
        if a.step != 0:
            return None
        if site:
            self.must_fit(a, b, site)
        first = self.times(self.head, a.first, b.first)
        return Number(first, self.times(self.head, a.first, b.step))

    def must_fit(self, a: Number, b: Number, site: int) -> None:
        """The product must not overflow at either end."""
        self.ends.declarations[MULTIPLY] = f"declare {{i64, i1}} @{MULTIPLY}(i64, i64)"
        ends = {(a.first, b.first), (a.first, self.at_end(b))}
        for x, y in sorted(ends, key=str):
            if isinstance(x, int) and isinstance(y, int):
                continue
            both = self.ends.call(MULTIPLY, "{i64, i1}", f"i64 {x}", f"i64 {y}")
            self.bad.append(self.ends.op(f"extractvalue {{i64, i1}} {both}, 1"))
        self.checks.append(("product", site))
        self.operands.append((a.first, b.first))

    def check(self, i: p.Check) -> None:
        a, b = self.number(i.a), self.number(i.b)
        if a is None or b is None or (i.op not in EVEN and (a.step != 0 or b.step != 0)):
            self.check_each_round(i)
            return
        for x, y in dict.fromkeys([(a.first, b.first), (self.at_end(a), self.at_end(b))]):
            self.bad.append(self.ends.op(f"icmp {SIGNED[OPPOSITE[i.op]]} i64 {x}, {y}"))
        self.checks.append((i.op, i.site))
        self.operands.append((a.first, b.first))

    def check_each_round(self, i: p.Check) -> None:
        """Of what a round computes: the kernel stops there."""
        a, b = self.now(i.a), self.now(i.b)
        self.stop_if(self.body.op(f"icmp {SIGNED[OPPOSITE[i.op]]} i64 {a}, {b}"), i.op, i.site, a, b)

    def stop_if(self, bad: str, relation: str, site: int, a: str, b: str) -> None:
        go = self.body.label("go")
        self.body.do(f"br i1 {bad}, label %wrong{len(self.checks)}, label %{go}")
        self.body.place(go)
        self.wrong[len(self.checks)] = a, b
        self.checks.append((relation, site))
        self.operands.append(HOLDING[relation])

    def offset(self, i: p.Offset) -> None:
        base, by = self.address(i.base), self.number(i.bytes)
        if by is None:
            if base.step != 0:
                raise Unfit("a computed part of a row")
            self.computed[i.dst] = self.body.op(f"getelementptr i8, ptr {base.first}, i64 {self.now(i.bytes)}")
            return
        step = self.sum(self.head, "add", base.step, by.step)
        if self.carried.get(i.base) == i.dst:  # each round goes on from where this one is
            if by.step != 0:
                raise Unfit("rows of several lengths")
            step = by.first
        self.addresses[i.dst] = Number(self.head.op(f"getelementptr i8, ptr {base.first}, i64 {by.first}"), step)

    def must_be_distinct(self, address: Name, size: str | int) -> None:
        """Rows of so many bytes are one behind the other, or only one round is done."""
        step = self.address(address).step
        if isinstance(step, int) and isinstance(size, int) and abs(step) >= size:
            return
        forwards = self.ends.op(f"icmp sge i64 {step}, {size}")
        backwards = self.ends.op(f"icmp sle i64 {step}, {self.ends.op(f'sub i64 0, {size}')}")
        is_disjoint = self.ends.op(f"or i1 {forwards}, {backwards}")
        are_several = self.ends.op("icmp sgt i64 %span, 0")
        self.bad.append(self.ends.op(f"and i1 {are_several}, {self.ends.op(f'xor i1 {is_disjoint}, true')}"))

    def each_round(self, i: p.Instr) -> None:
        if isinstance(i, p.Mul):
            a, b = self.now(i.a), self.now(i.b)
            self.body.declarations[MULTIPLY] = f"declare {{i64, i1}} @{MULTIPLY}(i64, i64)"
            both = self.body.call(MULTIPLY, "{i64, i1}", f"i64 {a}", f"i64 {b}")
            self.stop_if(self.body.op(f"extractvalue {{i64, i1}} {both}, 1"), "product", i.site, a, b)
            self.varying[i.dst] = self.body.op(f"extractvalue {{i64, i1}} {both}, 0")
        elif isinstance(i, p.Arith):
            a, b = self.now(i.a), self.now(i.b)
            if i.op in ("min", "max"):
                self.varying[i.dst] = str(self.extremum(self.body, i.op, a, b))
            elif i.op in ("add", "sub", "mul"):
                self.varying[i.dst] = self.body.op(f"{i.op} i64 {a}, {b}")
            else:
                raise Unfit("a division in a round")
        elif isinstance(i, p.Compare):
            bit = self.body.op(f"icmp {SIGNED[i.op]} i64 {self.now(i.a)}, {self.now(i.b)}")
            self.varying[i.dst] = self.body.op(f"zext i1 {bit} to i64")
        elif isinstance(i, p.Select):
            bit = self.body.op(f"icmp ne i64 {self.now(i.cond)}, 0")
            self.varying[i.dst] = self.body.op(f"select i1 {bit}, i64 {self.now(i.a)}, i64 {self.now(i.b)}")

    # -- arithmetic
    def sum(self, code: Code, op: str, x: str | int, y: str | int) -> str | int:
        if isinstance(x, int) and isinstance(y, int):
            return x + y if op == "add" else x - y
        return x if y == 0 else code.op(f"{op} i64 {x}, {y}")

    def times(self, code: Code, x: str | int, y: str | int) -> str | int:
        if x == 0 or y == 0:
            return 0
        if isinstance(x, int) and isinstance(y, int):
            return x * y
        return y if x == 1 else x if y == 1 else code.op(f"mul i64 {x}, {y}")

    def extremum(self, code: Code, op: str, x: str | int, y: str | int) -> str:
        less = code.op(f"icmp {'slt' if op == 'min' else 'sgt'} i64 {x}, {y}")
        return code.op(f"select i1 {less}, i64 {x}, i64 {y}")
