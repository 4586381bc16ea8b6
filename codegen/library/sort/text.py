"""Vectors and keys of functions of the room that are still text (`llvm.builder.Asm`)."""

from __future__ import annotations

from typing import Any

from tensordsl.codegen.library.sort import keys, networks
from tensordsl.codegen.library.sort.compress import TABLE_LANES
from tensordsl.codegen.library.sort.keys import MANTISSA, NAN
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


class Keys(keys.Facts):
    """`keys.Keys` of numbers that are operands: of W at once, or of one."""

    def typed(self, bits: int, W: int) -> str:
        return f"i{bits}" if W == 1 else f"<{W} x i{bits}>"

    def const(self, value: int, W: int, bits: int = 0) -> str:
        return str(value) if W == 1 else f"splat (i{bits or self.bits} {value})"

    def ordered(self, f: Asm, x: str, W: int) -> str:
        """The key of what stands in memory: signed, in the order of the numbers."""
        t, wide = self.typed(self.bits, W), self.typed(self.width, W)
        if self.part == "bool":
            return f.op(f"zext {self.typed(1, W)} {f.op(f'icmp ne {t} {x}, {self.const(0, W)}')} to {wide}")
        if self.bits < self.width:
            return f.op(f"zext {t} {self.flipped(f, x, W) if self.is_signed else x} to {wide}")
        return self.reordered(f, x, W)

    def number(self, f: Asm, key: str, W: int) -> str:
        """What has the key."""
        if self.bits < self.width:
            x = f.op(f"trunc {self.typed(self.width, W)} {key} to {self.typed(self.bits, W)}")
            return self.flipped(f, x, W) if self.is_signed else x
        return self.reordered(f, key, W)

    def reordered(self, f: Asm, x: str, W: int) -> str:
        """Of a number as wide as its key the key, or back."""
        t = self.typed(self.bits, W)
        if self.is_float:
            is_negative = f.op(f"ashr {t} {x}, {self.const(self.bits - 1, W)}")
            return f.op(f"xor {t} {x}, {f.op(f'and {t} {is_negative}, {self.const(~self.sign, W)}')}")
        return x if self.is_signed else self.flipped(f, x, W)

    def flipped(self, f: Asm, x: str, W: int) -> str:
        """An unsigned number in the order of the signed one, or back."""
        return f.op(f"xor {self.typed(self.bits, W)} {x}, {self.const(self.sign, W)}")

    def signed(self, f: Asm, key: str) -> str:
        """The signed key of a number that has this unsigned one of 64 bits."""
        x = key if self.bits == 64 else f.op(f"trunc i64 {key} to i{self.bits}")
        return self.flipped(f, x, 1) if self.bits == self.width else f.op(f"zext i{self.bits} {x} to i{self.width}")

    def size_of(self, f: Asm, x: str, W: int) -> str:
        return f.op(f"and {self.typed(self.bits, W)} {x}, {self.const(~self.sign, W)}")

    def is_nan(self, f: Asm, x: str, W: int) -> str:
        infinity = (1 << (self.bits - 1)) - (1 << MANTISSA[self.part])
        return f.op(f"icmp sgt {self.typed(self.bits, W)} {self.size_of(f, x, W)}, {self.const(infinity, W)}")

    def is_zero(self, f: Asm, x: str, W: int) -> str:
        return f.op(f"icmp eq {self.typed(self.bits, W)} {self.size_of(f, x, W)}, {self.const(0, W)}")

    def is_special(self, f: Asm, x: str, W: int) -> str:
        """Whether others may be equal to x that are not the same: it is nan or -0."""
        return f.op(f"or {self.typed(1, W)} {self.is_nan(f, x, W)}, {self.is_minus_zero(f, x, W)}")

    def is_minus_zero(self, f: Asm, x: str, W: int) -> str:
        return f.op(f"icmp eq {self.typed(self.bits, W)} {x}, {self.const(self.sign, W)}")

    def loaded(self, f: Asm, place: str, W: int) -> str:
        return f.op(f"load {self.typed(self.bits, W)}, ptr {place}, align {self.size}")

    def keys(self, f: Asm, place: str) -> list[str]:
        """The keys of 64 bits of what stands there, the first one first; equal numbers have the same ones.

        NumPy's order of complex numbers: by real parts, then by imaginary ones; but those whose imaginary part alone is
        nan are behind the others without one.
        """
        if self.parts == 1:
            return [self.one_key(f, place)]
        re, im = self.one_key(f, place), self.one_key(f, f.gep(place, self.size))
        nan = NAN if self.bits == 64 else NAN % (1 << self.bits)
        is_last = f.op(f"and i1 {f.eq(im, nan)}, {f.ne(re, nan)}")
        first = f.choose(is_last, nan - 1, re)
        second = f.choose(is_last, re, im)
        if self.key_count == 2:
            return [first, second]
        return [f.or_(f.shl(first, self.bits), second)]

    def one_key(self, f: Asm, place: str, W: int = 1) -> str:
        """The unsigned keys of W real numbers in 64 bits; equal numbers have one."""
        x, t, mask = self.loaded(f, place, W), self.typed(self.bits, W), self.typed(1, W)
        if self.part == "bool":
            return f.op(f"zext {mask} {f.compare('ne', t, x, self.const(0, W))} to {self.typed(64, W)}")
        if self.is_float:
            key = f.op(f"select {mask} {self.is_zero(f, x, W)}, {t} {self.const(0, W)}, {t} {self.reordered(f, x, W)}")
            x = f.op(f"select {mask} {self.is_nan(f, x, W)}, {t} {self.const(self.greatest, W)}, {t} {key}")
        if self.is_float or self.is_signed:
            x = self.flipped(f, x, W)
        return x if self.bits == 64 else f.op(f"zext {t} {x} to {self.typed(64, W)}")
