"""Sort keys: integers in the order of a dtype's numbers.

Contract  `one_key`, `keys`: numbers -> keys.  Keys of vectors are signed, as AVX2 compares no unsigned 64-bit integers;
          keys of single numbers, whose bytes are counted, are unsigned.
"""

from __future__ import annotations

from tensordsl.codegen.kernel_ir.language import Number, Pointer
from tensordsl.codegen.kernel_ir.types import INTEGER_OF_BYTES, i64
from tensordsl.codegen.scalar_ir.builder import FLOATS, ITEMSIZE, SIGNED
from tensordsl.codegen.target.tuning import Tuning
from tensordsl.graph.casting import real_of
from tensordsl.graph.types import COMPLEX

MANTISSA = {"float16": 10, "float32": 23, "float64": 52}
NAN = -1  # its unsigned key, the greatest; that of no other number is next to it


class Facts:
    """What is known of the keys of one dtype, for a machine with vectors of so many bytes.

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

    @property
    def key_count(self) -> int:
        return 2 if self.parts * self.size > 8 else 1


class Keys(Facts):
    """The keys of numbers in a kernel."""

    def loaded(self, place: Pointer) -> Number:
        """The bits of what stands in memory."""
        return place.of(INTEGER_OF_BYTES[self.size])[0]  # type: ignore[no-any-return]  # of any type

    def reordered(self, x: Number) -> Number:
        """Of a number as wide as its key the key, or back."""
        if self.is_float:
            return x ^ ((x >> (self.bits - 1)) & ~self.sign)
        return x if self.is_signed else self.flipped(x)

    def flipped(self, x: Number) -> Number:
        """An unsigned number in the order of the signed one, or back."""
        return x ^ self.sign

    def is_nan(self, x: Number) -> Number:
        infinity = (1 << (self.bits - 1)) - (1 << MANTISSA[self.part])
        return (x & ~self.sign) > infinity

    def is_zero(self, x: Number) -> Number:
        return (x & ~self.sign) == 0

    def keys(self, place: Pointer) -> list[Number]:
        """The keys of 64 bits of what stands there, the first one first; equal numbers have the same ones.

        NumPy's order of complex numbers: by real parts, then by imaginary ones; but those whose imaginary part alone is
        nan are behind the others without one.
        """
        if self.parts == 1:
            return [self.one_key(place)]
        k, re, im = place.k, self.one_key(place), self.one_key(place.bytes(self.size))
        nan = NAN if self.bits == i64.bits else NAN % (1 << self.bits)
        is_last = (im == nan) & (re != nan)
        first, second = k.select(is_last, nan - 1, re), k.select(is_last, re, im)
        return [first, second] if self.key_count == 2 else [first << self.bits | second]

    def one_key(self, place: Pointer) -> Number:
        """The unsigned key of a real number in 64 bits; equal numbers have one."""
        k, x = place.k, self.loaded(place)
        if self.part == "bool":
            return (x != 0).unsigned(i64)
        if self.is_float:
            key = k.select(self.is_zero(x), 0, self.reordered(x))
            x = k.select(self.is_nan(x), self.greatest, key)
        if self.is_float or self.is_signed:
            x = self.flipped(x)
        return x.unsigned(i64)
