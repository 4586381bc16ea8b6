"""Running totals on the GPU: what sums and products are computed in, and what two parts of a line are together.

Totals of parts meet in an order that is not NumPy's.  Two kinds have ends that order must not decide, products of
floats and everything of float16:

    together  exponents of products have no bounds (significand 2^exponent), so no part overflows where the whole does
              not; float16 is computed in float32.  Each result is rounded to its type once.
    first     where a running total of NumPy's leaves the numbers it stays outside: an infinity, or the 0 of a product,
              leads back nowhere.  So the first such total of a line is looked for, and what comes behind it is made of
              it and of the signs.
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
class Meeting:
    """What meets along a line: its dtype, what changes nothing, and what two are together."""

    dtype: str
    start: str
    together: Callable[[str, str], str]


def leaves(function: str, result: str) -> bool:
    """Is the first total that is no number looked for?"""
    return result == "float16" or (function == "cumprod" and result in FLOATS)


def wide_of(result: str) -> str:
    """What totals of a result are computed in."""
    return "float32" if result == "float16" else result


def state_of(function: str, result: str) -> str:
    """The dtype of a part's total: significand and exponent of a product of floats are a complex number's parts."""
    wide = wide_of(result)
    return complex_of(wide) if function == "cumprod" and result in FLOATS else wide


class Totals:
    """The text of totals of a function (sums, but for `cumprod`)."""

    def __init__(self, code: LineCode, function: str, result: str) -> None:
        self.code, self.result, self.wide, self.is_product = code, result, wide_of(result), function == "cumprod"
        self.state, self.leaves = state_of(function, result), leaves(function, result)
        self.is_scaled = self.state != self.wide
        self.type = llvm_type(self.wide)
        # adding -0.0 changes nothing, 0.0 the sign of a zero
        number: Any = 1 if self.is_product else 0 if result not in (*FLOATS, *COMPLEX) else -0.0
        self.identity = constant(number, real_of(self.wide))
        if result in COMPLEX:  # a product begins with the first number: 1 times infinity would be NaN
            self.identity = self._two(self.identity, self.identity)
        start = self._two(self.identity, constant(0, self.wide)) if self.is_scaled else self.identity
        self.meeting = Meeting(self.state, start, self.together)
        self.first_meeting = Meeting(self.wide, self.identity, self.first)

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
        (a, b), (p, q), t = c.parts(x, self.result), c.parts(y, self.result), llvm_type(real_of(self.result))
        ap, bq, aq, bp = (c.op(f"fmul {t} {u}, {v}") for u, v in ((a, p), (b, q), (a, q), (b, p)))
        return paired(c, c.op(f"fsub {t} {ap}, {bq}"), c.op(f"fadd {t} {aq}, {bp}"), self.result)

    def following(self, total: str, own: str, at: str) -> str:
        """The total behind the element at a position."""
        c, result = self.code, self.combined(total, own)
        if not (self.is_product and self.result in COMPLEX):
            return result
        return c.op(f"select i1 {c.test('eq', at, 0)}, {self.type} {own}, {self.type} {result}")

    def rounded(self, x: str) -> str:
        """A number as the result has it, still wide."""
        if self.wide == self.result:
            return x
        return scalar(self.code, lambda b, v: b.wide(b.cast(v, self.result)), (self.wide,), x)

    def kept(self, value: str, total: str) -> str:
        """What a total goes on with: its rounded value where that is no number."""
        if value == total:
            return total

        def make(b: Builder, value: Val, total: Val) -> Val:
            return b.select(self._is_number(b, value), total, value)

        return scalar(self.code, make, (self.wide,) * 2, value, total)

    def _is_number(self, b: Builder, x: Val) -> Val:
        """Does a running total go on from it?"""
        finite = b.lt(b.abs(x), float("inf"))
        return b.and_(finite, b.ne(x, 0.0)) if self.is_product else finite

    def first(self, x: str, y: str) -> str:
        """Of two totals the first one that is no number; else any number."""
        return scalar(self.code, lambda b, x, y: b.select(self._is_number(b, x), y, x), (self.wide, self.wide), x, y)

    def behind(self, first: str, value: str, state: str) -> str:
        """A running total: its rounded value, or what `first` has left of it; of the state count the sign, and what
        later elements that are no numbers have made of it."""
        number = self.code.parts(state, self.state)[0] if self.is_scaled else state

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

    def together(self, x: str, y: str) -> str:
        if not self.is_scaled:
            return self.combined(x, y)

        def make(b: Builder, x: Val, n: Val, y: Val, m: Val) -> tuple[Val, Val]:
            product = b.mul(x, y)
            is_large = b.ge(b.abs(product), 2.0)
            one_more = b.select(is_large, b.const(1, self.wide), 0.0)
            return b.select(is_large, b.mul(product, 0.5), product), b.add(b.add(n, m), one_more)

        c = self.code
        parts = (*c.parts(x, self.state), *c.parts(y, self.state))
        number, place = scalars(c, make, (self.wide,) * 4, *parts)
        return paired(c, number, place, self.state)

    def value(self, state: str) -> str:
        """The number that a state stands for."""
        if not self.is_scaled:
            return state
        far = 2.0 * (127 if self.wide == "float32" else 1023)  # beyond it `ldexp` knows no factor; 0 or infinity anyhow

        def make(b: Builder, significand: Val, exponent: Val) -> Val:
            return b.ldexp(significand, b.maximum(b.minimum(exponent, far), -far))

        return scalar(self.code, make, (self.wide,) * 2, *self.code.parts(state, self.state))
