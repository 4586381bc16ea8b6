"""Vectors of functions of the room that are still text (`llvm.builder.Asm`)."""

from __future__ import annotations

from typing import Any

from tensordsl.codegen.library.sort import networks
from tensordsl.codegen.library.sort.compress import TABLE_LANES
from tensordsl.codegen.llvm.builder import Asm

PERMUTATIONS = {64: ("llvm.x86.avx512.permvar.di.512", "<8 x i64>"), 32: ("llvm.x86.avx2.permd", "<8 x i32>")}


def declarations(bits: int, lanes: int) -> str:
    kind = f"<{lanes} x i{bits}>"
    return "".join(f"declare {kind} @llvm.{m}.v{lanes}i{bits}({kind}, {kind})\n" for m in networks.SIGNED)


def set_lanes(f: Asm, mask: str, W: int) -> str:
    """i64: how many of W lanes a mask has; of one, an i1."""
    if W == 1:
        return f.op(f"zext i1 {mask} to i64")
    bits = f.op(f"bitcast <{W} x i1> {mask} to i{W}")
    return f.call("i64", "@llvm.ctpop.i64", f"i64 {bits if W == 64 else f.op(f'zext i{W} {bits} to i64')}")


class Vectors(networks.Vectors):
    """Operations on vectors of signed integers in the function that is being written."""

    def __init__(self, f: Asm, bits: int, lanes: int) -> None:
        self.f, self.bits, self.lanes = f, bits, lanes
        self.kind, self.size = f"<{lanes} x i{bits}>", lanes * bits // 8

    def every(self, value: str) -> str:
        """The same value in each lane."""
        one = self.f.op(f"insertelement {self.kind} poison, i{self.bits} {value}, i64 0")
        return self.shuffled(one, [0] * self.lanes)

    def extremes(self, x: str, y: str) -> tuple[str, str]:
        operands, callee = (f"{self.kind} {x}", f"{self.kind} {y}"), f".v{self.lanes}i{self.bits}"
        low, high = (self.f.call(self.kind, f"@llvm.{m}{callee}", *operands) for m in networks.SIGNED)
        return low, high

    def shuffled(self, x: str, order: list[int], y: Any = None) -> str:
        lanes = ", ".join(f"i32 {k}" for k in order)
        return self.f.op(f"shufflevector {self.kind} {x}, {self.kind} {y or 'poison'}, <{self.lanes} x i32> <{lanes}>")


def compression(bits: int, lanes: int) -> str:
    """The declaration of what compresses."""
    kind = f"<{lanes} x i{bits}>"
    return f"declare {kind} @llvm.experimental.vector.compress.v{lanes}i{bits}({kind}, <{lanes} x i1>, {kind})\n"


def compressed(v: Vectors, x: str, mask: str) -> str:
    """The lanes of the mask; what follows is anything."""
    given = f"{v.kind} {x}", f"<{v.lanes} x i1> {mask}", f"{v.kind} poison"
    return v.f.call(v.kind, f"@llvm.experimental.vector.compress.v{v.lanes}i{v.bits}", *given)


def permutation(vector_bytes: int) -> str:
    """The declaration of the instruction."""
    name, kind = PERMUTATIONS[vector_bytes]
    return f"declare {kind} @{name}({kind}, {kind})\n"


def permuted(v: Vectors, table: str, x: str, lanes: str) -> str:
    """The lanes whose bits are set in an i64, then the others."""
    f, (name, kind) = v.f, PERMUTATIONS[v.size]
    order = f.op(f"load <{TABLE_LANES} x i8>, ptr {f.gep(table, lanes, 'i64')}, align 8")
    order = f.op(f"zext <{TABLE_LANES} x i8> {order} to {kind}")
    if kind == v.kind:
        return f.call(kind, f"@{name}", f"{kind} {x}", f"{kind} {order}")
    x = f.op(f"bitcast {v.kind} {x} to {kind}")
    return f.op(f"bitcast {kind} {f.call(kind, f'@{name}', f'{kind} {x}', f'{kind} {order}')} to {v.kind}")
