"""float16 in LLVM text: 16 bits in memory, in registers a float32 whose value is one of float16's.

Contract   loads widen (`widened`), stores narrow (`narrowed`), `rounded` is a cast to float16.
Applies    with "half" in `Code.isa` (F16C, NEON) by one instruction; else by integer code with the same results, as
           LLVM would call a library.
Ref        IEEE 754-2019, 5.4.2: ties to even, subnormal numbers kept.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tensordsl.codegen.llvm.vector_builder import Code

_LOWEST_NORMAL = 113 << 23  # the bits of 2^-14 as a float32
_REBIAS = 112 << 23  # the difference of the exponents' biases, as bits of a float32
_INF = 0xFF << 23  # the bits of a float32's infinity


def _vector(t: str, W: int) -> str:
    return t if W == 1 else f"<{W} x {t}>"


class _Words:
    """32-bit integer arithmetic at W lanes."""

    def __init__(self, code: Code, W: int) -> None:
        self.code, self.W, self.i, self.f, self.mask = code, W, _vector("i32", W), _vector("float", W), _vector("i1", W)

    def op(self, name: str, x: str, y: str | int) -> str:
        right = y if isinstance(y, str) else str(y) if self.W == 1 else f"splat (i32 {y})"
        return self.code.op(f"{name} {self.i} {x}, {right}")

    def select(self, condition: str, x: str, y: str) -> str:
        return self.code.op(f"select {self.mask} {condition}, {self.i} {x}, {self.i} {y}")

    def convert(self, name: str, x: str, source: str, target: str) -> str:
        return self.code.op(f"{name} {_vector(source, self.W)} {x} to {_vector(target, self.W)}")

    def const(self, value: int) -> str:
        return str(value) if self.W == 1 else f"splat (i32 {value})"

    def scaled(self, x: str, exponent: int) -> str:
        """x times 2^exponent, for floats."""
        bits = f"0x{(1023 + exponent) << 52:016X}"
        return self.code.op(f"fmul {self.f} {x}, {bits if self.W == 1 else f'splat (float {bits})'}")


def widened(code: Code, x: str, W: int) -> str:
    """float32 from the 16 bits of a float16."""
    wide = _widened(code, x, W)
    code.halves[wide] = x
    return wide


def _widened(code: Code, x: str, W: int) -> str:
    w = _Words(code, W)
    if "half" in code.isa:
        return w.convert("fpext", w.convert("bitcast", x, "i16", "half"), "half", "float")
    bits = w.convert("zext", x, "i16", "i32")
    size = w.op("and", bits, 0x7FFF)
    normal = w.op("add", w.op("shl", size, 13), _REBIAS)
    small = w.convert("bitcast", w.scaled(w.convert("uitofp", size, "i32", "float"), -24), "float", "i32")
    large = w.op("or", w.op("shl", size, 13), _INF)
    value = w.select(w.op("icmp ult", size, 0x400), small, normal)
    value = w.select(w.op("icmp uge", size, 0x7C00), large, value)
    sign = w.op("shl", w.op("and", bits, 0x8000), 16)
    return w.convert("bitcast", w.op("or", value, sign), "i32", "float")


def narrowed(code: Code, x: str, W: int) -> str:
    """The 16 bits of a float16 from a float32 that has such a value: those that it was widened from, if it was.

    So what is only moved keeps its bits; a conversion would make a signalling nan a quiet one."""
    if x in code.halves:
        return code.halves[x]
    w = _Words(code, W)
    if "half" in code.isa:
        return w.convert("bitcast", w.convert("fptrunc", x, "float", "half"), "half", "i16")
    bits = w.convert("bitcast", x, "float", "i32")
    size = w.op("and", bits, 0x7FFFFFFF)
    normal = w.op("lshr", w.op("sub", size, _REBIAS), 13)
    magnitude = w.convert("bitcast", size, "i32", "float")
    tiny = w.op("icmp ult", size, _LOWEST_NORMAL)
    safe = w.convert("bitcast", w.select(tiny, size, w.const(0)), "i32", "float")
    small = w.convert("fptoui", w.scaled(safe, 24), "float", "i32")
    nan = w.code.op(f"fcmp uno {w.f} {magnitude}, {magnitude}")
    large = w.select(nan, w.const(0x7E00), w.const(0x7C00))
    value = w.select(tiny, small, normal)
    value = w.select(w.op("icmp uge", size, _INF), large, value)
    sign = w.op("and", w.op("lshr", bits, 16), 0x8000)
    return w.convert("trunc", w.op("or", value, sign), "i32", "i16")


def rounded(code: Code, x: str, W: int) -> str:
    """x rounded to float16's values, as a float32."""
    if x in code.halves:
        return x
    w = _Words(code, W)
    if "half" in code.isa:
        if "avx" in code.isa:
            # LLVM takes the sign of a float16 that was a float64 from that one, and would call a library to narrow it.
            x = code.intrinsic("arithmetic.fence", "float32", W, x)
        return w.convert("fpext", w.convert("fptrunc", x, "float", "half"), "half", "float")
    bits = w.convert("bitcast", x, "float", "i32")
    size, sign = w.op("and", bits, 0x7FFFFFFF), w.op("and", bits, -0x80000000)
    odd = w.op("and", w.op("lshr", size, 13), 1)
    normal = w.op("and", w.op("add", w.op("add", size, 0xFFF), odd), -0x2000)
    normal = w.select(w.op("icmp uge", normal, 143 << 23), w.const(_INF), normal)  # 65520 and above
    # Next to 1/2 float32 has the spacing of float16's subnormal numbers.
    magnitude = w.convert("bitcast", size, "i32", "float")
    one_half = "0x3FE0000000000000" if W == 1 else "splat (float 0x3FE0000000000000)"
    shifted = code.op(f"fadd {w.f} {magnitude}, {one_half}")
    small = w.convert("bitcast", code.op(f"fsub {w.f} {shifted}, {one_half}"), "float", "i32")
    value = w.select(w.op("icmp ult", size, _LOWEST_NORMAL), small, normal)
    value = w.select(w.op("icmp ugt", size, _INF), size, value)
    return w.convert("bitcast", w.op("or", value, sign), "i32", "float")


def rounded_to_odd(code: Code, x: str, W: int) -> str:
    """A float32 by which `rounded` gives the float64 x as rounded once: rounded to odd, so that a tie of float16 is
    one only if x is (Boldo, Melquiond: Emulation of FMA and correctly rounded sums, 2008)."""
    i, d, f = _vector("i64", W), _vector("double", W), _vector("float", W)

    def const(value: int) -> str:
        return str(value) if W == 1 else f"splat (i64 {value})"

    bits = code.op(f"bitcast {d} {x} to {i}")
    rest = code.op(f"and {i} {bits}, {const((1 << 29) - 1)}")
    inexact = code.op(f"icmp ne {i} {rest}, {const(0)}")
    sticky = code.op(f"select {_vector('i1', W)} {inexact}, {i} {const(1 << 29)}, {i} {const(0)}")
    odd = code.op(f"or {i} {code.op(f'and {i} {bits}, {const(-(1 << 29))}')}, {sticky}")
    return code.op(f"fptrunc {d} {code.op(f'bitcast {i} {odd} to {d}')} to {f}")
