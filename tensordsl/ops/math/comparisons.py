"""Comparisons, and the logic of bools and of the bits of integers."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from tensordsl.graph.types import INTEGERS
from tensordsl.graph.variables import apply
from tensordsl.ops.operands import as_variable, constant
from tensordsl.ops.rows import PIECEWISE, always_bool, bitwise, compared, float_loop, row, shifted

# -- rows: comparisons and logic -------------------------------------------------------------------------------------
MIRRORED = {"eq": "eq", "ne": "ne", "lt": "gt", "le": "ge", "gt": "lt", "ge": "le"}


def _exact(op: str) -> Callable[[Any, Any, Any], Any]:
    """The comparison of numbers of one dtype, or of an int64 and a uint64: below 0, or as uint64s."""

    def scalar(b: Any, x: Any, y: Any) -> Any:
        if x.type == y.type:
            return b.apply(op, x, y)
        if x.type == "uint64":
            return _exact(MIRRORED[op])(b, y, x)
        is_less, rest = b.lt(x, 0), b.apply(op, b.bitcast(x, "uint64"), y)
        return b.or_(is_less, rest) if op in ("ne", "lt", "le") else b.and_(b.not_(is_less), rest)

    return scalar


EQ = row(
    "eq",
    _exact("eq"),
    np.equal,
    None,
    always_bool,
    compared,
    no_gradient=PIECEWISE,
    commutative=True,
    symbol="==",
)
NEQ = row(
    "neq",
    _exact("ne"),
    np.not_equal,
    None,
    always_bool,
    compared,
    no_gradient=PIECEWISE,
    commutative=True,
    symbol="!=",
)
LT = row("lt", _exact("lt"), np.less, None, always_bool, compared, no_gradient=PIECEWISE, symbol="<")
LE = row("le", _exact("le"), np.less_equal, None, always_bool, compared, no_gradient=PIECEWISE, symbol="<=")
GT = row("gt", _exact("gt"), np.greater, None, always_bool, compared, no_gradient=PIECEWISE, symbol=">")
GE = row("ge", _exact("ge"), np.greater_equal, None, always_bool, compared, no_gradient=PIECEWISE, symbol=">=")
ISNAN = row("isnan", lambda b, x: b.isnan(x), np.isnan, None, always_bool, float_loop, no_gradient=PIECEWISE)
ISINF = row(
    "isinf", lambda b, x: b.eq(b.abs(x), math.inf), np.isinf, None, always_bool, float_loop, no_gradient=PIECEWISE
)
AND = row(
    "and_",
    lambda b, x, y: b.and_(x, y),
    np.bitwise_and,
    dtype=bitwise,
    no_gradient=PIECEWISE,
    commutative=True,
    symbol="&",
)
OR = row(
    "or_",
    lambda b, x, y: b.or_(x, y),
    np.bitwise_or,
    dtype=bitwise,
    no_gradient=PIECEWISE,
    commutative=True,
    symbol="|",
)
XOR = row(
    "xor",
    lambda b, x, y: b.xor(x, y),
    np.bitwise_xor,
    dtype=bitwise,
    no_gradient=PIECEWISE,
    commutative=True,
    symbol="^",
)
LEFT_SHIFT = row(
    "left_shift", lambda b, x, y: b.shl(x, y), np.left_shift, dtype=shifted, no_gradient=PIECEWISE, symbol="<<"
)
RIGHT_SHIFT = row(
    "right_shift", lambda b, x, y: b.shr(x, y), np.right_shift, dtype=shifted, no_gradient=PIECEWISE, symbol=">>"
)
INVERT = row("invert", lambda b, x: b.not_(x), np.invert, dtype=bitwise, no_gradient=PIECEWISE, symbol="~")


ROWS = (EQ, NEQ, LT, LE, GT, GE, ISNAN, ISINF, AND, OR, XOR, LEFT_SHIFT, RIGHT_SHIFT, INVERT)


def eq(x: Any, y: Any) -> Any:
    """Whether x == y at each point.

    >>> eq([1, 2], 2).eval()
    array([False,  True])
    """
    return apply(EQ, as_variable(x), as_variable(y))


def neq(x: Any, y: Any) -> Any:
    """Whether x != y at each point.

    >>> neq([1, 2], 2).eval()
    array([ True, False])
    """
    return apply(NEQ, as_variable(x), as_variable(y))


def lt(x: Any, y: Any) -> Any:
    """Whether x < y at each point.

    >>> lt([1, 2, 3], 2).eval()
    array([ True, False, False])
    """
    return apply(LT, as_variable(x), as_variable(y))


def le(x: Any, y: Any) -> Any:
    """Whether x <= y at each point.

    >>> le([1, 2, 3], 2).eval()
    array([ True,  True, False])
    """
    return apply(LE, as_variable(x), as_variable(y))


def gt(x: Any, y: Any) -> Any:
    """Whether x > y at each point.

    >>> gt([1, 2, 3], 2).eval()
    array([False, False,  True])
    """
    return apply(GT, as_variable(x), as_variable(y))


def ge(x: Any, y: Any) -> Any:
    """Whether x >= y at each point.

    >>> ge([1, 2, 3], 2).eval()
    array([False,  True,  True])
    """
    return apply(GE, as_variable(x), as_variable(y))


def isnan(a: Any) -> Any:
    """Whether a is not a number.

    >>> isnan([1.0, np.nan]).eval()
    array([False,  True])
    """
    return apply(ISNAN, as_variable(a))


def isinf(a: Any) -> Any:
    """Whether a is inf or -inf.

    >>> isinf([1.0, -np.inf]).eval()
    array([False,  True])
    """
    return apply(ISINF, as_variable(a))


def isfinite(a: Any) -> Any:
    """Whether a is neither nan nor infinite.

    >>> isfinite([1.0, np.inf, np.nan]).eval()
    array([ True, False, False])
    """
    x = as_variable(a)
    return invert(or_(isnan(x), isinf(x)))


def and_(x: Any, y: Any) -> Any:
    """Bitwise and; logical on bools.

    >>> and_([6, 5], 3).eval()
    array([2, 1])
    """
    return apply(AND, as_variable(x), as_variable(y))


def or_(x: Any, y: Any) -> Any:
    """Bitwise or; logical on bools.

    >>> or_([6, 5], 3).eval()
    array([7, 7])
    """
    return apply(OR, as_variable(x), as_variable(y))


def xor(x: Any, y: Any) -> Any:
    """Bitwise exclusive or.

    >>> xor([6, 5], 3).eval()
    array([5, 6])
    """
    return apply(XOR, as_variable(x), as_variable(y))


def left_shift(x: Any, y: Any) -> Any:
    """x with its bits moved up by y places, 0 if that is past its width.

    A count that is a Python integer does not widen x, as in NumPy.

    >>> left_shift([1, 5], 2).eval()
    array([ 4, 20])
    """
    return apply(LEFT_SHIFT, *_count_like(as_variable(x), y))


def right_shift(x: Any, y: Any) -> Any:
    """x with its bits moved down by y places; signed integers keep their sign.

    >>> right_shift([20, -20], 2).eval()
    array([ 5, -5])
    """
    return apply(RIGHT_SHIFT, *_count_like(as_variable(x), y))


def _count_like(x: Any, count: Any) -> tuple[Any, Any]:
    """x and the count of its shift, which takes x's dtype if it is a Python integer of at most 127."""
    if isinstance(count, int) and 0 <= count <= 127 and x.type.dtype in INTEGERS and not isinstance(count, bool):
        return x, constant(count, dtype=x.type.dtype)
    return x, as_variable(count)


def invert(x: Any) -> Any:
    """Bitwise not; logical on bools.

    >>> invert([True, False]).eval()
    array([False,  True])
    """
    return apply(INVERT, as_variable(x))


def isposinf(x: Any) -> Any:
    """Whether x is inf.

    >>> isposinf([1.0, np.inf, -np.inf]).eval()
    array([False,  True, False])
    """
    return eq(x, np.inf)


def isneginf(x: Any) -> Any:
    """Whether x is -inf.

    >>> isneginf([1.0, np.inf, -np.inf]).eval()
    array([False, False,  True])
    """
    return eq(x, -np.inf)
