"""Terms: scalar values with Python's operators, for formulas that would be long as calls of a builder.

Contract   `Term` holds a value and its builder; numbers among operands become constants.  `in_terms` makes a function
           of terms one of a builder and values, as rows of `repetition` want it.
Results    those of the builder's methods: nothing is rearranged.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from tensordsl.codegen.scalar_ir.builder import Builder, Val


class Term:
    """A scalar value that can be written with: `x * y + 1.0`, `x < y`, `~c & d` of conditions."""

    __slots__ = ("b", "value")

    def __init__(self, b: Builder, value: Val) -> None:
        self.b, self.value = b, value

    def _with(self, method: str, other: Any, is_behind: bool = False) -> Term:
        v = other.value if isinstance(other, Term) else self.b.const(other, self.value.type)
        x, y = (v, self.value) if is_behind else (self.value, v)
        return Term(self.b, getattr(self.b, method)(x, y))

    def _of(self, method: str) -> Term:
        return Term(self.b, getattr(self.b, method)(self.value))

    def __add__(self, other: Any) -> Term:
        return self._with("add", other)

    def __radd__(self, other: Any) -> Term:
        return self._with("add", other, True)

    def __sub__(self, other: Any) -> Term:
        return self._with("sub", other)

    def __rsub__(self, other: Any) -> Term:
        return self._with("sub", other, True)

    def __mul__(self, other: Any) -> Term:
        return self._with("mul", other)

    def __rmul__(self, other: Any) -> Term:
        return self._with("mul", other, True)

    def __truediv__(self, other: Any) -> Term:
        return self._with("div", other)

    def __rtruediv__(self, other: Any) -> Term:
        return self._with("div", other, True)

    def __mod__(self, other: Any) -> Term:
        return self._with("mod", other)

    def __neg__(self) -> Term:
        return self._of("neg")

    def __abs__(self) -> Term:
        return self._of("abs")

    def __lt__(self, other: Any) -> Term:
        return self._with("lt", other)

    def __le__(self, other: Any) -> Term:
        return self._with("le", other)

    def __gt__(self, other: Any) -> Term:
        return self._with("gt", other)

    def __ge__(self, other: Any) -> Term:
        return self._with("ge", other)

    def __and__(self, other: Term) -> Term:
        return self._with("and_", other)

    def __or__(self, other: Term) -> Term:
        return self._with("or_", other)

    def __xor__(self, other: Term) -> Term:
        return self._with("xor", other)

    def __invert__(self) -> Term:
        return self._of("not_")

    def is_(self, other: Any) -> Term:
        """Equal, as a condition."""
        return self._with("eq", other)

    def min(self, other: Any) -> Term:
        """The smaller one, in one instruction; `other` where this is nan."""
        return where(self < other, self, other)

    def max(self, other: Any) -> Term:
        return where(self > other, self, other)

    def floor(self) -> Term:
        return self._of("floor")

    def sqrt(self) -> Term:
        return self._of("sqrt")

    def call(self, name: str, *others: Term) -> Term:
        """An elementary function."""
        return Term(self.b, self.b.call(name, self.value, *(x.value for x in others)))

    def fma(self, y: Any, z: Any) -> Term:
        """self * y + z with one rounding."""
        return Term(self.b, self.b.fma(self.value, _value(y), _value(z)))

    def cast(self, dtype: str) -> Term:
        return Term(self.b, self.b.cast(self.value, dtype))

    def constant(self, number: float) -> Term:
        """A number of this dtype."""
        return Term(self.b, self.b.const(number, self.value.type))


def _value(x: Any) -> Any:
    return x.value if isinstance(x, Term) else x


def where(condition: Term, x: Any, y: Any) -> Term:
    """x where the condition holds, else y; two numbers are float64."""
    b, first, second = condition.b, _value(x), _value(y)
    if not isinstance(first, Val) and not isinstance(second, Val):
        second = b.const(second, "float64")
    return Term(b, b.select(condition.value, first, second))


def repeat(name: str, needed: Term, *operands: Term) -> Term:
    """`Builder.repeat` of terms."""
    return Term(needed.b, needed.b.repeat(name, needed.value, *(x.value for x in operands)))


def _wrapped(b: Builder, x: Any) -> Any:
    return tuple(_wrapped(b, v) for v in x) if isinstance(x, tuple) else Term(b, x) if isinstance(x, Val) else x


def _unwrapped(x: Any) -> Any:
    return tuple(map(_unwrapped, x)) if isinstance(x, tuple) else _value(x)


def in_terms(function: Callable[..., Any]) -> Callable[..., Any]:
    """`function` of terms and tuples of them as one of a builder and values."""

    @wraps(function)
    def of_values(b: Builder, *operands: Any) -> Any:
        return _unwrapped(function(*_wrapped(b, operands)))

    return of_values
