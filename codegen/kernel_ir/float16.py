"""float16 in kernels: 16 bits in memory, in registers an f32 whose value is one of float16's.

Contract   loads widen, stores narrow, `rounded` is a cast to float16 and back.
Applies    where a machine has conversions ("half" in its instruction set) by one op; else by integers, with the same
           results, as LLVM would call a library.
Ref        IEEE 754-2019, 5.4.2: ties to even, subnormal numbers kept.
"""

from __future__ import annotations

from tensordsl.codegen.kernel_ir.ir import Value
from tensordsl.codegen.kernel_ir.language import Kernel, Number
from tensordsl.codegen.kernel_ir.types import f16, f32, i16, i32

_LOWEST_NORMAL = 113 << 23  # the bits of 2^-14 as an f32
_REBIAS = 112 << 23  # the difference of the exponents' biases, as bits of an f32
_INF = 0xFF << 23  # the bits of an f32's infinity


class Float16:
    """Conversions in one kernel.  isa: what the machine has (`target.machine`)."""

    def __init__(self, k: Kernel, isa: str) -> None:
        self.k, self.has_half = k, "half" in isa
        # LLVM takes the sign of a float16 that was a float64 from that one, and would call a library to narrow it.
        self.has_fence = self.has_half and "avx" in isa
        self._bits: dict[Value, Number] = {}  # what was widened, and is not computed: its bits

    def widened(self, x: Number) -> Number:
        """f32 from the 16 bits of a float16."""
        wide = x.bits(f16.of(x.type.lanes)).to(f32) if self.has_half else self._widened(x)
        self._bits[wide.ir] = x
        return wide

    def _widened(self, x: Number) -> Number:
        k, w = self.k, x.type.lanes
        bits = x.unsigned(i32)
        size = bits & 0x7FFF
        normal = (size << 13) + _REBIAS
        small = (size.unsigned(f32) * 2.0**-24).bits(i32.of(w))
        large = (size << 13) | _INF
        value = k.select(k.unsigned("ult", size, 0x400), small, normal)
        value = k.select(k.unsigned("uge", size, 0x7C00), large, value)
        return (value | ((bits & 0x8000) << 16)).bits(f32.of(w))

    def narrowed(self, x: Number) -> Number:
        """The 16 bits of a float16 from an f32 that has such a value: those that it was widened from, if it was.

        So what is only moved keeps its bits; a conversion would make a signalling nan a quiet one."""
        k, w = self.k, x.type.lanes
        if x.ir in self._bits:
            return self._bits[x.ir]
        if self.has_half:
            return x.to(f16).bits(i16.of(w))
        bits = x.bits(i32.of(w))
        size = bits & 0x7FFFFFFF
        normal = k.unsigned("lshr", size - _REBIAS, 13)
        magnitude = size.bits(f32.of(w))
        is_tiny = k.unsigned("ult", size, _LOWEST_NORMAL)
        safe = k.select(is_tiny, size, 0).bits(f32.of(w))
        small = (safe * 2.0**24).to(i32, "fptoui")
        large = k.select(k.compare("uno", magnitude, magnitude), k.number(0x7E00, i32.of(w)), 0x7C00)
        value = k.select(is_tiny, small, normal)
        value = k.select(k.unsigned("uge", size, _INF), large, value)
        return (value | (k.unsigned("lshr", bits, 16) & 0x8000)).to(i16)

    def rounded(self, x: Number) -> Number:
        """x rounded to float16's values, as an f32."""
        k, w = self.k, x.type.lanes
        if x.ir in self._bits:
            return x
        if self.has_half:
            return (k.emit("keep_rounding", x) if self.has_fence else x).to(f16).to(f32)
        bits = x.bits(i32.of(w))
        size, sign = bits & 0x7FFFFFFF, bits & -0x80000000
        odd = k.unsigned("lshr", size, 13) & 1
        normal = (size + 0xFFF + odd) & -0x2000
        normal = k.select(k.unsigned("uge", normal, 143 << 23), k.number(_INF, i32.of(w)), normal)  # 65520 and above
        # Next to 1/2 an f32 has the spacing of float16's subnormal numbers.
        small = (size.bits(f32.of(w)) + 0.5 - 0.5).bits(i32.of(w))
        value = k.select(k.unsigned("ult", size, _LOWEST_NORMAL), small, normal)
        value = k.select(k.unsigned("ugt", size, _INF), size, value)
        return (value | sign).bits(f32.of(w))
