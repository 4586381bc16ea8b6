"""`Asm`, a writer of LLVM functions with loops and conditions, for the texts of the precompiled library.

Contract   values are operand strings; calls append instructions; `text` is the function.
Why        no pass promotes memory to registers, so loops carry their state in phis.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager

LIKELY = "!prof !0"
UNLIKELY = "!prof !1"
METADATA = '!0 = !{!"branch_weights", i32 1000, i32 1}\n!1 = !{!"branch_weights", i32 1, i32 1000}\n'


def passed(params: Iterable[str]) -> list[str]:
    """A function's own parameters ("type name") as operands."""
    return [f"{kind} %{name}" for kind, name in map(str.split, params)]


class Loop:
    """A loop being written: `index`, the carried values at its head, and the values for the next round."""

    def __init__(self, index: str, values: list[str]) -> None:
        self.index = index
        self.values = values
        self.next: list[str] = []


class Asm:
    """One function.  `params` are "type name"; parameter x is the value %x."""

    def __init__(self, result: str, name: str, params: Sequence[str], *, internal: bool = False) -> None:
        typed = ", ".join(passed(params))
        kind = "internal " if internal else ""
        end = "noinline nounwind" if internal else "nounwind"
        self.lines = [f"define {kind}{result} @{name}({typed}) {end} {{", "entry:"]
        self.name, self.block = name, "entry"
        self.closed = False  # the current block ends already
        self._count = 0

    @property
    def text(self) -> str:
        assert self.closed
        return "\n".join(self.lines) + "\n}\n"

    # -- instructions
    def op(self, right: str) -> str:
        name = f"%v{self._number()}"
        self.lines.append(f"  {name} = {right}")
        return name

    def do(self, line: str) -> None:
        self.lines.append("  " + line)

    def gep(self, base: str, offset: str | int, kind: str = "i8") -> str:
        return base if offset == 0 else self.op(f"getelementptr {kind}, ptr {base}, i64 {offset}")

    def load(self, kind: str, base: str, offset: str | int = 0) -> str:
        return self.op(f"load {kind}, ptr {self.gep(base, offset)}")

    def store(self, kind: str, value: str | int, base: str, offset: str | int = 0) -> None:
        self.do(f"store {kind} {value}, ptr {self.gep(base, offset)}")

    def call(self, result: str, callee: str, *operands: str) -> str:
        """Operands are "type value"; the name of the result ("" for void)."""
        line = f"call {result} {callee}({', '.join(operands)})"
        if result == "void":
            self.do(line)
            return ""
        return self.op(line)

    def compare(self, condition: str, kind: str, a: str | int, b: str | int) -> str:
        return self.op(f"icmp {condition} {kind} {a}, {b}")

    def is_null(self, pointer: str) -> str:
        return self.compare("eq", "ptr", pointer, "null")

    def not_null(self, pointer: str) -> str:
        return self.compare("ne", "ptr", pointer, "null")

    def all(self, *conditions: str) -> str:
        result = conditions[0]
        for c in conditions[1:]:
            result = self.op(f"and i1 {result}, {c}")
        return result

    def any(self, *conditions: str) -> str:
        result = conditions[0]
        for c in conditions[1:]:
            result = self.op(f"or i1 {result}, {c}")
        return result

    def negate(self, condition: str) -> str:
        return self.op(f"xor i1 {condition}, true")

    def as_i64(self, condition: object) -> str:
        """An i1 as 0 or 1."""
        return self.op(f"zext i1 {condition} to i64")

    # -- integers of 64 bits

    def add(self, x: object, y: object) -> str:
        return self.op(f"add i64 {x}, {y}")

    def sub(self, x: object, y: object) -> str:
        return self.op(f"sub i64 {x}, {y}")

    def mul(self, x: object, y: object) -> str:
        return self.op(f"mul i64 {x}, {y}")

    def udiv(self, x: object, y: object) -> str:
        return self.op(f"udiv i64 {x}, {y}")

    def sdiv(self, x: object, y: object) -> str:
        return self.op(f"sdiv i64 {x}, {y}")

    def urem(self, x: object, y: object) -> str:
        return self.op(f"urem i64 {x}, {y}")

    def srem(self, x: object, y: object) -> str:
        return self.op(f"srem i64 {x}, {y}")

    def and_(self, x: object, y: object) -> str:
        return self.op(f"and i64 {x}, {y}")

    def or_(self, x: object, y: object) -> str:
        return self.op(f"or i64 {x}, {y}")

    def xor(self, x: object, y: object) -> str:
        return self.op(f"xor i64 {x}, {y}")

    def shl(self, x: object, y: object) -> str:
        return self.op(f"shl i64 {x}, {y}")

    def lshr(self, x: object, y: object) -> str:
        return self.op(f"lshr i64 {x}, {y}")

    def ashr(self, x: object, y: object) -> str:
        return self.op(f"ashr i64 {x}, {y}")

    def eq(self, x: object, y: object) -> str:
        return self.op(f"icmp eq i64 {x}, {y}")

    def ne(self, x: object, y: object) -> str:
        return self.op(f"icmp ne i64 {x}, {y}")

    def lt(self, x: object, y: object) -> str:
        return self.op(f"icmp slt i64 {x}, {y}")

    def le(self, x: object, y: object) -> str:
        return self.op(f"icmp sle i64 {x}, {y}")

    def gt(self, x: object, y: object) -> str:
        return self.op(f"icmp sgt i64 {x}, {y}")

    def ge(self, x: object, y: object) -> str:
        return self.op(f"icmp sge i64 {x}, {y}")

    def choose(self, condition: str, x: object, y: object, kind: str = "i64") -> str:
        return self.op(f"select i1 {condition}, {kind} {x}, {kind} {y}")

    # -- control
    def label(self, hint: str = "b") -> str:
        return f"{hint}.{self._number()}"

    def place(self, label: str) -> None:
        if not self.closed:
            self.jump(label)
        self.lines.append(label + ":")
        self.block, self.closed = label, False

    def jump(self, label: str) -> None:
        self.do(f"br label %{label}")
        self.closed = True

    def branch(self, condition: str, yes: str, no: str, weights: str = "") -> None:
        self.do(f"br i1 {condition}, label %{yes}, label %{no}" + (f", {weights}" if weights else ""))
        self.closed = True

    def ret(self, kind: str = "void", value: str | int = "") -> None:
        self.do(f"ret {kind} {value}".rstrip())
        self.closed = True

    @contextmanager
    def when(self, condition: str, weights: str = "") -> Iterator[None]:
        """The body runs if the i1 is true."""
        yes, done = self.label("then"), self.label("done")
        self.branch(condition, yes, done, weights)
        self.place(yes)
        yield
        self.place(done)

    @contextmanager
    def loop(
        self, count: str | int, *carried: tuple[str, str], start: str | int = 0, step: str | int = 1
    ) -> Iterator[Loop]:
        """for index in range(start, count, step).  carried: (type, initial); afterwards `values` are the final ones."""
        head, body, done = self.label("head"), self.label("body"), self.label("exit")
        before = self.block
        self.jump(head)
        self.place(head)
        index, following = f"%i{self._number()}", f"%n{self._number()}"
        state = Loop(index, [f"%c{self._number()}" for _ in carried])
        position = len(self.lines)
        self.branch(self.compare("slt", "i64", index, count), body, done)
        self.place(body)
        yield state
        self.do(f"{following} = add i64 {index}, {step}")
        last = self.block
        self.jump(head)
        assert len(state.next) == len(carried)
        phis = [f"  {index} = phi i64 [ {start}, %{before} ], [ {following}, %{last} ]"]
        for (kind, initial), value, new in zip(carried, state.values, state.next, strict=True):
            phis.append(f"  {value} = phi {kind} [ {initial}, %{before} ], [ {new}, %{last} ]")
        self.lines[position:position] = phis
        self.place(done)

    def _number(self) -> int:
        self._count += 1
        return self._count
