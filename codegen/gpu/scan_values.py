"""Monoids of GPU scans: the type and combination of running totals, with NumPy's overflow.

A block combines totals in another order than NumPy; two kinds of ends must not depend on it (products of floats,
everything of float16): `combine` cannot overflow where the sequential total does not, and `first` finds the first
total that does.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tensordsl.base.records import record
from tensordsl.codegen.gpu.lines import LineCode, scalar, scalars
from tensordsl.codegen.llvm.vector_builder import constant, llvm_type, paired
from tensordsl.codegen.scalar_ir.builder import FLOATS, Builder, Val
from tensordsl.graph.casting import complex_of, real_of
from tensordsl.graph.types import COMPLEX


@record
class Monoid:
    """What a scan combines: dtype, identity, and the combination of two values."""

    dtype: str
    identity: str
    combine: Callable[[str, str], str]


def has_first_overflow(function: str, result: str) -> bool:
    """Whether the first total that is not finite is searched for."""
    return result == "float16" or (function == "cumprod" and result in FLOATS)


def wide_of(result: str) -> str:
    """The dtype in which totals of a result are computed."""
    return "float32" if result == "float16" else result


def state_of(function: str, result: str) -> str:
    """The dtype of a segment's total: significand and exponent of a product of floats are a complex number's parts."""
    wide = wide_of(result)
    return complex_of(wide) if function == "cumprod" and result in FLOATS else wide


class Totals:
    """The text of totals of a function (sums, but for `cumprod`).

    combine: of states.  Exponents of products have no bounds (significand 2^exponent), so no segment overflows where
    the line does not; float16 is computed in float32.  Each result is rounded to its dtype once.
    first: a running total that leaves the finite numbers (an infinity, or the 0 of a product) never returns.  So the
    first such total of a line is found, and later ones are made of it and of the signs.
    """

    def __init__(self, code: LineCode, function: str, result: str) -> None:
        self.code, self.result, self.wide, self.is_product = code, result, wide_of(result), function == "cumprod"
        self.state, self.has_first_overflow = state_of(function, result), has_first_overflow(function, result)
        self.is_scaled = self.state != self.wide
        self.type = llvm_type(self.wide)
        # adding -0.0 changes nothing, 0.0 the sign of a zero
        number: Any = 1 if self.is_product else 0 if result not in (*FLOATS, *COMPLEX) else -0.0
        self.identity = constant(number, real_of(self.wide))
        if result in COMPLEX:  # a product begins with the first number: 1 times infinity would be NaN
            self.identity = self._two(self.identity, self.identity)
        identity = self._two(self.identity, constant(0, self.wide)) if self.is_scaled else self.identity
        self.monoid = Monoid(self.state, identity, self.combine)
        self.first_monoid = Monoid(self.wide, self.identity, self.first)

    def _two(self, x: str, y: str) -> str:
        part = llvm_type(real_of(self.wide))
        return f"<{part} {x}, {part} {y}>"

    # -- numbers, wide
    def combined(self, x: str, y: str) -> str:
        """The sum or product of two numbers."""
        if self.result in COMPLEX:
            return self._complex(x, y)
        return scalar(self.code, self._operation, (self.wide, self.wide), x, y)

    def _operation(self, b: Builder, x: Val, y: Val) -> Val:
        return b.mul(x, y) if self.is_product else b.add(x, y)

    def _complex(self, x: str, y: str) -> str:
        c = self.code
        if not self.is_product:
            return c.op(f"fadd {self.type} {x}, {y}")
        (a, b), (p, q), t = c.re_im(x, self.result), c.re_im(y, self.result), llvm_type(real_of(self.result))
        ap, bq, aq, bp = (c.op(f"fmul {t} {u}, {v}") for u, v in ((a, p), (b, q), (a, q), (b, p)))
        return paired(c, c.op(f"fsub {t} {ap}, {bq}"), c.op(f"fadd {t} {aq}, {bp}"), self.result)

    def following(self, total: str, element: str, at: str) -> str:
        """The total after the element at an index."""
        c, result = self.code, self.combined(total, element)
        if not (self.is_product and self.result in COMPLEX):
            return result
        return c.op(f"select i1 {c.test('eq', at, 0)}, {self.type} {element}, {self.type} {result}")

    def rounded(self, x: str) -> str:
        """A number with the result's rounding, in the wide dtype."""
        if self.wide == self.result:
            return x
        return scalar(self.code, lambda b, v: b.wide(b.cast(v, self.result)), (self.wide,), x)

    def kept(self, value: str, total: str) -> str:
        """What a total continues with: its rounded value where that is not finite."""
        if value == total:
            return total

        def make(b: Builder, value: Val, total: Val) -> Val:
            return b.select(self._is_number(b, value), total, value)

        return scalar(self.code, make, (self.wide,) * 2, value, total)

    def _is_number(self, b: Builder, x: Val) -> Val:
        """Whether a running total can continue from x: it is finite and, of a product, not 0."""
        finite = b.lt(b.abs(x), float("inf"))
        return b.and_(finite, b.ne(x, 0.0)) if self.is_product else finite

    def first(self, x: str, y: str) -> str:
        """The first of two totals that is not finite; else any number."""
        return scalar(self.code, lambda b, x, y: b.select(self._is_number(b, x), y, x), (self.wide, self.wide), x, y)

    def behind(self, first: str, value: str, state: str) -> str:
        """A running total: its rounded value, or what `first` leaves of it; of the state only the sign matters then,
        and what later elements that are not finite have made of it."""
        number = self.code.re_im(state, self.state)[0] if self.is_scaled else state

        def make(b: Builder, first: Val, value: Val, number: Val) -> Val:
            left = b.abs(first) if self.is_product else first
            return b.select(self._is_number(b, first), value, self._operation(b, left, number))

        return scalar(self.code, make, (self.wide,) * 3, first, value, number)

    # -- of parts
    def lifted(self, x: str) -> str:
        """A number as a state.  The exponent of what is no number is 0."""
        if not self.is_scaled:
            return x

        def make(b: Builder, x: Val) -> tuple[Val, Val]:
            size, is_number = b.abs(x), self._is_number(b, x)
            significand = b.copysign(b.significand(size), x)
            return b.select(is_number, significand, x), b.select(is_number, b.exponent(size), 0.0)

        number, place = scalars(self.code, make, (self.wide,), x)
        return paired(self.code, number, place, self.state)

    def combine(self, x: str, y: str) -> str:
        if not self.is_scaled:
            return self.combined(x, y)

        def make(b: Builder, x: Val, n: Val, y: Val, m: Val) -> tuple[Val, Val]:
            product = b.mul(x, y)
            is_large = b.ge(b.abs(product), 2.0)
            one_more = b.select(is_large, b.const(1, self.wide), 0.0)
            return b.select(is_large, b.mul(product, 0.5), product), b.add(b.add(n, m), one_more)

        c = self.code
        re_im = (*c.re_im(x, self.state), *c.re_im(y, self.state))
        number, place = scalars(c, make, (self.wide,) * 4, *re_im)
        return paired(c, number, place, self.state)

    def value(self, state: str) -> str:
        """The number that a state stands for."""
        if not self.is_scaled:
            return state
        far = 2.0 * (127 if self.wide == "float32" else 1023)  # beyond it `ldexp` knows no factor; 0 or infinity anyhow

        def make(b: Builder, significand: Val, exponent: Val) -> Val:
            return b.ldexp(significand, b.maximum(b.minimum(exponent, far), -far))

        return scalar(self.code, make, (self.wide,) * 2, *self.code.re_im(state, self.state))
