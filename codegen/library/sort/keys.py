"""Sort keys: integers in the order of a dtype's numbers.

Contract  `ordered`, `one_key`: numbers -> keys; `number`: back.  Keys of vectors are signed, as AVX2 compares no
          unsigned 64-bit integers; keys of single numbers, whose bytes are counted, are unsigned.
"""

from __future__ import annotations

from tensordsl.codegen.llvm.builder import Asm
from tensordsl.codegen.scalar_ir.builder import FLOATS, ITEMSIZE, SIGNED
from tensordsl.codegen.target.tuning import Tuning
from tensordsl.graph.casting import real_of
from tensordsl.graph.types import COMPLEX

MANTISSA = {"float16": 10, "float32": 23, "float64": 52}
NAN = -1  # its unsigned key, the greatest; that of no other number is next to it


class Keys:
    """The keys of one dtype, for a machine with vectors of so many bytes: of W numbers at once, or of one.

    Numbers that are equal without being the same (zeros of both signs, nans) have keys of their own by `ordered`, and
    one key by `one_key`.
    """

    def __init__(self, dtype: str, tuning: Tuning) -> None:
        self.dtype, self.parts = dtype, 2 if dtype in COMPLEX else 1
        self.part = real_of(dtype) if self.parts == 2 else dtype
        self.is_float, self.is_signed = self.part in FLOATS, dtype in SIGNED
        self.size = ITEMSIZE[self.part]
        self.bits, self.width = 8 * self.size, 8 * max(2, self.size)  # in memory, of a key
        self.sign = -1 << (self.bits - 1)
        self.greatest = (1 << (self.width - 1)) - 1  # of all signed keys
        self.tuning, self.vector_bytes = tuning, tuning.machine.vector_bytes
        self.lanes = self.vector_bytes // (self.width // 8)

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

    @property
    def key_count(self) -> int:
        return 2 if self.parts * self.size > 8 else 1

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
