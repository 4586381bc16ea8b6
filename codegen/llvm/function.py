"""`Function`: the writer `Asm` for functions on integers of 64 bits and tables of 8-byte words."""

from __future__ import annotations

from tensordsl.codegen.llvm.builder import Asm


class Function(Asm):
    """A function whose integers are i64 and whose tables are words of 8 bytes."""

    def arith(self, op: str, x: object, y: object) -> str:
        return self.op(f"{op} i64 {x}, {y}")

    def test(self, condition: str, x: str, y: str | int) -> str:
        return self.compare(condition, "i64", x, y)

    def min(self, x: str, y: str | int) -> str:
        return self.call("i64", "@llvm.smin.i64", f"i64 {x}", f"i64 {y}")

    def max(self, x: str, y: str | int) -> str:
        return self.call("i64", "@llvm.smax.i64", f"i64 {x}", f"i64 {y}")

    def choose(self, condition: str, x: object, y: object, kind: str = "i64") -> str:
        return self.op(f"select i1 {condition}, {kind} {x}, {kind} {y}")

    def word(self, table: str, index: str | int) -> str:
        return self.gep(table, index, "i64")

    def get(self, table: str, index: str | int, kind: str = "i64") -> str:
        return self.op(f"load {kind}, ptr {self.word(table, index)}, align 8")

    def put(self, value: object, table: str, index: str | int, kind: str = "i64") -> None:
        self.do(f"store {kind} {value}, ptr {self.word(table, index)}, align 8")

    def cell(self, value: object) -> str:
        """A mutable word on the stack."""
        cell = self.op("alloca i64, align 8")
        self.put(value, cell, 0)
        return cell

    def note(self, condition: str, cell: str) -> None:
        """cell |= condition"""
        self.put(self.arith("or", self.get(cell, 0), self.op(f"zext i1 {condition} to i64")), cell, 0)

    def end(self, kind: str = "void", value: str | int = "") -> str:
        self.ret(kind, value)
        return self.text
