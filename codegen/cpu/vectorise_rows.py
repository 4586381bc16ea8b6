"""Vectorisation across rows of kernels that compute one scalar a row.

Contract  the straight text of a kernel of form ROW, of integers -> a loop over several rows at once, or None.
When      all that it reads and writes is adjacent from row to row, which the loop compares at run time.
Why       offsets of rows at indices are found so: each by itself costs as much as a short row does.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from tensordsl.codegen.abi.descriptor import FLAG
from tensordsl.codegen.cpu.kernel import WRONG, Kernel
from tensordsl.codegen.llvm.clone import defined
from tensordsl.codegen.llvm.vector_builder import Code, splat

_NAME, _X, _T = r"(%[\w.]+)", r"([^\s,()]+)", r"(i\d+)"
_LOAD = re.compile(rf"{_NAME} = load {_T}, ptr {_NAME}, align (\d+)")
_STORE = re.compile(rf"store {_T} {_X}, ptr {_NAME}, align (\d+)")
_BINARY = re.compile(rf"{_NAME} = (add|sub|mul|and|or|xor|icmp \w+) {_T} {_X}, {_X}")
_SELECT = re.compile(rf"{_NAME} = select i1 {_X}, {_T} {_X}, i\d+ {_X}")
_CAST = re.compile(rf"{_NAME} = (zext|sext|trunc) {_T} {_X} to {_T}")


def row_vectors(k: Kernel) -> RowVectors | None:
    """That of a kernel that checks indices, if its text has such a form.  And what is behind all rows: the flag."""
    made = RowVectors(k) if k.tuning.allows("vectorised_rows") else None
    others = f", [ {WRONG}.from, %ones ]" if made and made.lines else ""
    k.ends.do(f"{WRONG}.all = phi i1 [ {k.wrong}, %{k.before.block} ]{others}")
    pointer, bit = k.pointer(FLAG, 0), k.ends.op(f"zext i1 {WRONG}.all to i64")
    old = k.ends.op(f"load i64, ptr {pointer}, align 8")
    k.ends.do(f"store i64 {k.ends.op(f'or i64 {old}, {bit}')}, ptr {pointer}, align 8")
    return made if made and made.lines else None


class RowVectors:
    """The loop over some rows at a time of a kernel's text; `lines` are empty if some of it has no such form.  They
    end in the block `ones`, which goes on with the rows left."""

    def __init__(self, k: Kernel) -> None:
        self.count = k.tuning.kernel.vectorised_rows
        self.moving = [e.name for e in k.entries.values() if e.moves]
        self.same, self.body = Code("i"), Code("u")
        self.vectors: dict[str, str] = {WRONG: f"{WRONG}.w", "%r": self._rows()}
        self.known = defined(k.head.lines)  # the same for all rows
        self.others: set[str] = set()  # what is no row's own
        self.sizes: dict[str, int] = {}  # of what moves, as it is read or written: bytes
        is_done = all(self._widened(line.strip()) for line in k.before.lines)
        self.lines = self._loop(k.wrong) if is_done and self.known >= self.others else []
        if not self.lines:
            self.body.widest_load_bytes = 0
        k.head.need(self.body)

    def _rows(self) -> str:
        """The numbers of the rows."""
        first, numbers = splat(self.body, "%r.w", "int64", self.count), ", ".join(f"i64 {n}" for n in range(self.count))
        return self.body.op(f"add <{self.count} x i64> {first}, <{numbers}>")

    def _widened(self, line: str) -> bool:
        """Write a line for all lanes; False if there is no such form of it."""
        if m := _LOAD.fullmatch(line):
            name, kind, pointer, align = m.groups()
            self.body.loads(self.count * int(kind[1:]) // 8)
            return self._moves(pointer, kind) and self._define(
                name, f"load <{self.count} x {kind}>, ptr {self._place(pointer, kind)}, align {align}"
            )
        if m := _STORE.fullmatch(line):
            kind, value, pointer, align = m.groups()
            if not self._moves(pointer, kind):
                return False
            place, value = self._place(pointer, kind), self._vector(kind, value)
            self.body.do(f"store <{self.count} x {kind}> {value}, ptr {place}, align {align}")
            return True
        if m := _BINARY.fullmatch(line):
            name, operation, kind, x, y = m.groups()
            operands = f"{self._vector(kind, x)}, {self._vector(kind, y)}"
            return self._define(name, f"{operation} <{self.count} x {kind}> {operands}")
        if m := _SELECT.fullmatch(line):
            name, condition, kind, x, y = m.groups()
            t, mask = f"<{self.count} x {kind}>", f"<{self.count} x i1> {self._vector('i1', condition)}"
            return self._define(name, f"select {mask}, {t} {self._vector(kind, x)}, {t} {self._vector(kind, y)}")
        if m := _CAST.fullmatch(line):
            name, operation, kind, x, to = m.groups()
            return self._define(
                name, f"{operation} <{self.count} x {kind}> {self._vector(kind, x)} to <{self.count} x {to}>"
            )
        return False

    def _moves(self, pointer: str, kind: str) -> bool:
        size = max(int(kind[1:]) // 8, 1)
        return pointer in self.moving and self.sizes.setdefault(pointer, size) == size

    def _place(self, pointer: str, kind: str) -> str:
        return self.body.op(f"getelementptr {kind}, ptr {pointer}.0, i64 %r.w")

    def _define(self, name: str, right: str) -> bool:
        self.vectors[name] = self.body.op(right)
        return True

    def _vector(self, kind: str, x: str) -> str:
        """A number, or what all rows have, in all lanes."""
        if not x.startswith("%"):
            return f"splat ({kind} {x})"
        if x not in self.vectors:
            self.others.add(x)
            self.vectors[x] = splat(self.same, x, {"i1": "bool"}.get(kind, f"int{kind[1:]}"), self.count)
        return self.vectors[x]

    def _loop(self, last: str) -> list[str]:
        mask, code = f"<{self.count} x i1>", self.same
        near = "true"
        for name, size in self.sizes.items():
            adjacent = code.op(f"icmp eq i64 {name}.step, {size}")
            near = code.op(f"and i1 {near}, {adjacent}")
        whole = code.op(f"and i64 %rows, {-self.count}")
        code.do(f"%r.from = select i1 {near}, i64 {whole}, i64 0")
        some, t = code.op("icmp ne i64 %r.from, 0"), f"v{self.count}i1"
        self.body.declarations[f"llvm.vector.reduce.or.{t}"] = f"declare i1 @llvm.vector.reduce.or.{t}({mask})"
        return [
            *code.lines,
            f"  br i1 {some}, label %vectors, label %ones",
            "vectors:",
            "  %r.w = phi i64 [ 0, %entry ], [ %r.w.next, %vectors ]",
            f"  {WRONG}.w = phi {mask} [ zeroinitializer, %entry ], [ {self.vectors[last]}, %vectors ]",
            *self.body.lines,
            f"  %r.w.next = add i64 %r.w, {self.count}",
            "  %r.w.more = icmp slt i64 %r.w.next, %r.from",
            "  br i1 %r.w.more, label %vectors, label %vectors.done",
            "vectors.done:",
            f"  {WRONG}.any = call i1 @llvm.vector.reduce.or.{t}({mask} {self.vectors[last]})",
            "  br label %ones",
            "ones:",
            f"  {WRONG}.from = phi i1 [ false, %entry ], [ {WRONG}.any, %vectors.done ]",
            *_places(self.moving),
            "  %r.left = icmp slt i64 %r.from, %rows",
            "  br i1 %r.left, label %row, label %done",
        ]


def _places(moving: Sequence[str]) -> list[str]:
    """Where the rows left begin."""
    lines = []
    for name in moving:
        lines += [f"  {name}.behind = mul i64 {name}.step, %r.from"]
        lines += [f"  {name}.from = getelementptr i8, ptr {name}.0, i64 {name}.behind"]
    return lines
