"""`Flow`: the text of straight code, as `Code`, with loops and conditions.

Contract  as `llvm.builder.Asm`'s: what a loop carries are its phis.
Why       scalar operations are emitted on a `Code`, and no pass of LLVM moves anything.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from tensordsl.codegen.llvm.builder import Loop, passed
from tensordsl.codegen.llvm.vector_builder import Code, llvm_type, splat

Operand = str | int


class Flow(Code):
    """Code whose last block is open."""

    def has(self, other: Function) -> str:
        """The symbol of an internal function, which is in the module from here on."""
        self.functions[other.symbol] = other.definition
        self.need(other)
        return other.symbol

    @contextmanager
    def loop(
        self, count: Operand, carried: Sequence[tuple[str, str]] = (), start: Operand = 0, step: Operand = 1
    ) -> Iterator[Loop]:
        """for index in range(start, count, step); carried: (type, first value); behind it, `values` are the last."""
        head, body, done = (self.label(name) for name in ("head", "body", "done"))
        before = self.block
        self.jump(head)
        self.place(head)
        made = Loop(self.tmp(), [self.tmp() for _ in carried])
        following, position = self.tmp(), len(self.lines)
        self.branch(self.op(f"icmp slt i64 {made.index}, {count}"), body, done)
        self.place(body)
        yield made
        self.do(f"{following} = add i64 {made.index}, {step}")
        phis = [f"  {made.index} = phi i64 [ {start}, %{before} ], [ {following}, %{self.block} ]"]
        for (kind, first), value, new in zip(carried, made.values, made.next, strict=True):
            phis.append(f"  {value} = phi {kind} [ {first}, %{before} ], [ {new}, %{self.block} ]")
        self.jump(head)
        self.lines[position:position] = phis
        self.place(done)

    def jump(self, label: str) -> None:
        self.do(f"br label %{label}")

    def branch(self, condition: str, yes: str, no: str) -> None:
        self.do(f"br i1 {condition}, label %{yes}, label %{no}")

    @contextmanager
    def when(self, condition: str) -> Iterator[None]:
        """The body runs if the i1 is true."""
        yes, done = self.label("then"), self.label("next")
        self.branch(condition, yes, done)
        self.place(yes)
        yield
        self.jump(done)
        self.place(done)

    def add(self, x: Operand, y: Operand) -> Operand:
        if isinstance(x, int) and isinstance(y, int):
            return x + y
        return y if x == 0 else x if y == 0 else self.op(f"add i64 {x}, {y}")

    def times(self, x: Operand, y: Operand) -> Operand:
        if isinstance(x, int) and isinstance(y, int):
            return x * y
        if 0 in (x, y):
            return 0
        x, y = (y, x) if isinstance(x, int) else (x, y)
        if isinstance(y, int) and y > 0 and y & (y - 1) == 0:
            return x if y == 1 else self.op(f"shl i64 {x}, {y.bit_length() - 1}")
        return self.op(f"mul i64 {x}, {y}")

    def at(self, base: Operand, offset: Operand) -> str:
        """The address so many bytes behind another."""
        return str(base) if offset == 0 else self.op(f"getelementptr i8, ptr {base}, i64 {offset}")

    def first_lanes(self, count: Operand, W: int) -> str:
        """Which of W lanes are less than a number."""
        t, lanes = llvm_type("int64", W), f"<{', '.join(f'i64 {k}' for k in range(W))}>"
        return self.op(f"icmp slt {t} {lanes}, {splat(self, str(count), 'int64', W)}")


class Function(Flow):
    """An internal function; its parameters, "type name", are the values %name.

    Why     memory holds what goes from step to step, so a call keeps nothing that it would have to save.
    """

    def __init__(self, symbol: str, params: Sequence[str], result: str = "void") -> None:
        super().__init__("v")
        self.symbol, self.result = symbol, result
        self.params = ", ".join(passed(params))

    @property
    def definition(self) -> str:
        head = f"define internal {self.result} @{self.symbol}({self.params}) noinline nounwind {{"
        return f"{head}\nentry:\n{self.text}\n}}\n"

    def ret(self, value: str = "") -> None:
        self.do(f"ret {self.result} {value}".rstrip())
