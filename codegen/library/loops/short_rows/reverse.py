"""Reversal of short rows, or of their elements, by one shuffle of a vector's bytes.

Contract  `copy_reversed` copies whole vectors of rows to scratch and gives how many rows it did.
When      rows of at most half a vector lie one behind the other (three bytes of a pixel); the machine has such a
          shuffle.
Ref       x86 vpermb, pshufb.
"""

from __future__ import annotations

from tensordsl.codegen.library.loops.descriptor import LoopFunction
from tensordsl.codegen.target.tuning import Tuning

SHUFFLES = {64: "llvm.x86.avx512.permvar.qi.512", 16: "llvm.x86.ssse3.pshuf.b.128"}  # of vectors of so many bytes
_SHAPE = ["i64 across", "i64 along", "i64 size", "i64 n"]  # bytes from lane to lane, from row to row, of a lane; lanes
_MOVED = ["ptr area", "i64 pitch", "ptr place", *_SHAPE, "i64 rows", "ptr order"]


def reverse_texts(t: Tuning) -> list[str]:
    """`size`: bytes of such a vector, or 0."""
    size = t.machine.shuffled_bytes
    return [_are_reversed(t, size), _reversal_shuffle(size), _copy_reversed(size)]


def shuffle_declaration(size: int) -> str:
    kind = f"<{size} x i8>"
    return f"declare {kind} @{SHUFFLES[size]}({kind}, {kind})\n" if size else ""


def _are_reversed(t: Tuning, size: int) -> str:
    """Do many rows of few bytes lie one behind the other, either these or their elements backwards?"""
    c = LoopFunction("i1", "are_reversed", [*_SHAPE, "i64 rows"], internal=True)
    line, back = c.mul("%n", "%size"), c.sub(0, "%size")
    rows = c.all(c.eq("%across", "%size"), c.eq("%along", c.sub(0, line)))
    elements = c.all(c.eq("%across", back), c.eq("%along", line))
    many = c.ge(c.mul("%rows", line), t.short_rows.reverse_min_bytes)
    return c.end("i1", c.all(c.any(rows, elements), many, c.le(line, size // 2)))


def _reversal_shuffle(size: int) -> str:
    """Which byte of a loaded vector byte i of a stored one is: of rows backwards the first is the loaded one's end,
    of others its beginning."""
    c = LoopFunction("void", "reversal_shuffle", ["ptr order", *_SHAPE], internal=True)
    if not size:
        return c.end()
    kind, line = f"<{size} x i32>", c.mul("%n", "%size")

    def every(x: str) -> str:
        one = c.op(f"insertelement {kind} poison, i32 {c.op(f'trunc i64 {x} to i32')}, i64 0")
        return c.op(f"shufflevector {kind} {one}, {kind} poison, {kind} zeroinitializer")

    def lanes(op: str, x: str, y: str) -> str:
        return c.op(f"{op} {kind} {x}, {y}")

    def quotient(x: str, y: str) -> str:
        """Of numbers below 64: exact."""
        inverse = c.add(c.udiv(1 << 16, y), 1)
        return lanes("lshr", lanes("mul", x, every(inverse)), every("16"))

    number = f"<{', '.join(f'i32 {k}' for k in range(size))}>"
    behind = lanes("mul", quotient(number, line), every(line))  # bytes of rows before its own
    rows = lanes("sub", every(c.sub(size, line)), lanes("shl", behind, every("1")))
    element = quotient(lanes("sub", number, behind), "%size")
    pairs = lanes("sub", every(c.sub("%n", 1)), lanes("shl", element, every("1")))
    elements = lanes("mul", pairs, every("%size"))
    moved = c.op(f"select i1 {c.lt('%along', 0)}, {kind} {rows}, {kind} {elements}")
    order = c.op(f"trunc {kind} {lanes('add', moved, number)} to <{size} x i8>")
    c.do(f"store <{size} x i8> {order}, ptr %order, align {size}")
    return c.end()


def _copy_reversed(size: int) -> str:
    """Rows from an operand to scratch, as far as whole vectors go; how many were moved."""
    c = LoopFunction("i64", "copy_reversed", _MOVED, internal=True)
    if not size:
        return c.end("i64", 0)
    line = c.mul("%n", "%size")
    total = c.mul("%rows", line)
    with c.when(c.any(c.ne("%pitch", line), c.lt(total, size))):
        c.ret("i64", 0)
    kind = f"<{size} x i8>"
    order, each = c.op(f"load {kind}, ptr %order, align {size}"), c.udiv(size, line)
    is_back, step = c.lt("%along", 0), c.mul(each, "%along")
    source = c.gep("%place", c.choose(is_back, c.sub(line, size), c.sub("%size", line)))
    moved = c.mul(each, line)
    with c.loop(c.sub(total, size - 1), ("ptr", source), ("i64", "0"), step=moved) as at:
        here, rows = at.values
        loaded = c.op(f"load {kind}, ptr {here}, align 1")
        vector = c.op(f"call {kind} @{SHUFFLES[size]}({kind} {loaded}, {kind} {order})")
        c.do(f"store {kind} {vector}, ptr {c.gep('%area', at.index)}, align 1")
        at.next = [c.gep(here, step), c.add(rows, each)]
    return c.end("i64", at.values[1])
