"""Real functions: exponentials, logarithms, trigonometry, error functions."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from tensordsl.graph.casting import float_of, float_of_all
from tensordsl.graph.types import COMPLEX
from tensordsl.graph.variables import Op, apply
from tensordsl.ops.math.comparisons import and_, neq
from tensordsl.ops.math.elementwise import abs_, cast, floor, reciprocal, sqr, sqrt, switch
from tensordsl.ops.math.scalars import erfcinv as erfcinv_scalar
from tensordsl.ops.math.scalars import (
    inverse_erf,
    inverse_erfc,
    next_after,
    numpy_log1mexp,
    numpy_sigmoid,
    numpy_softplus,
    scaled_erfc,
    vectorised,
)
from tensordsl.ops.operands import as_variable, constant
from tensordsl.ops.rows import PIECEWISE, like, real_function, row

Unary = Callable[[Any], Any]


def _arccosh_gradient(g: Any, out: Any, x: Any) -> tuple[Any]:
    """The root of x^2 - 1 has the wrong sign in the left half of the complex plane."""
    if x.type.dtype in COMPLEX:
        return (g / (sqrt(x - 1) * sqrt(x + 1)),)
    return (g / sqrt(_uncancelled(sqr(x) - 1, (x - 1) * (x + 1))),)


def _one_minus_sqr(x: Any) -> Any:
    """The factors of complex numbers have another zero on the branch cuts."""
    return 1 - sqr(x) if x.type.dtype in COMPLEX else _uncancelled(1 - sqr(x), (1 - x) * (1 + x))


def _uncancelled(difference: Any, product: Any) -> Any:
    """The product where the equal difference is small; 0 and the derivative near x = 0 are better by the difference."""
    return switch(and_(neq(difference, 0), abs_(difference) < 0.5), product, difference)


def _arctan2_gradient(g: Any, out: Any, y: Any, x: Any) -> tuple[Any, Any]:
    """x / (x^2 + y^2) and -y / (x^2 + y^2) by a quotient of at most 1, since squares overflow and underflow."""
    is_flat = abs_(x) >= abs_(y)
    large, small = switch(is_flat, x, y), switch(is_flat, y, x)
    ratio = small / large
    along_small = g / (large * (sqr(ratio) + 1))
    along_large = along_small * ratio
    return switch(is_flat, along_small, along_large), -switch(is_flat, along_large, along_small)


def _erfcx_gradient(g: Any, out: Any, x: Any) -> tuple[Any]:
    """2 (x erfcx(x) - 1 / sqrt(pi)); where that cancels, the derivative of the asymptotic series (DLMF 7.12.1)."""
    near, series = x * out * 2 - like(_TWO_PER_ROOT_PI, g), like(0.0, g)
    w = reciprocal(sqr(switch(x < 10, 10, x)))
    for k in range(10, -1, -1):
        term = math.prod(range(1, 2 * k + 2, 2)) / (-2.0) ** k / math.sqrt(math.pi)
        series = (series - like(term, g)) * w
    return (g * switch(x < 10, near, series),)


_PER_LN2, _PER_LN10 = 1 / math.log(2), 1 / math.log(10)
EXP = real_function("exp", np.exp, lambda g, out, x: (g * out,))
EXP2 = real_function("exp2", np.exp2, lambda g, out, x: (g * out * like(math.log(2), g),))
EXPM1 = real_function("expm1", np.expm1, lambda g, out, x: (g * exp(x),))
LOG = real_function("log", np.log, lambda g, out, x: (g / x,), domain=(0.01, 100))
LOG2 = real_function("log2", np.log2, lambda g, out, x: (g / x * like(_PER_LN2, g),), domain=(0.01, 100))
LOG10 = real_function("log10", np.log10, lambda g, out, x: (g / x * like(_PER_LN10, g),), domain=(0.01, 100))
LOG1P = real_function("log1p", np.log1p, lambda g, out, x: (g / (x + 1),), domain=(-0.9, 100))
SIN = real_function("sin", np.sin, lambda g, out, x: (g * cos(x),))
COS = real_function("cos", np.cos, lambda g, out, x: (-g * sin(x),))
TAN = real_function("tan", np.tan, lambda g, out, x: (g * (sqr(out) + 1),), domain=(-1.4, 1.4))
ARCSIN = real_function("arcsin", np.arcsin, lambda g, out, x: (g / sqrt(_one_minus_sqr(x)),), domain=(-0.9, 0.9))
ARCCOS = real_function("arccos", np.arccos, lambda g, out, x: (-g / sqrt(_one_minus_sqr(x)),), domain=(-0.9, 0.9))
ARCTAN = real_function("arctan", np.arctan, lambda g, out, x: (g / (sqr(x) + 1),))
ARCTAN2 = real_function(
    "arctan2",
    np.arctan2,
    _arctan2_gradient,
    dtype=float_of_all,
)
SINH = real_function("sinh", np.sinh, lambda g, out, x: (g * cosh(x),))
COSH = real_function("cosh", np.cosh, lambda g, out, x: (g * sinh(x),))
TANH = real_function("tanh", np.tanh, lambda g, out, x: (g * (1 - sqr(out)),))
ARCSINH = real_function("arcsinh", np.arcsinh, lambda g, out, x: (g / sqrt(sqr(x) + 1),))
ARCCOSH = real_function("arccosh", np.arccosh, _arccosh_gradient, domain=(1.1, 10))
ARCTANH = real_function("arctanh", np.arctanh, lambda g, out, x: (g / _one_minus_sqr(x),), domain=(-0.9, 0.9))
CBRT = real_function("cbrt", np.cbrt, lambda g, out, x: (g / (3 * sqr(out)),), domain=(0.1, 10))
SIGMOID = real_function("sigmoid", numpy_sigmoid, lambda g, out, x: (g * out * (1 - out),))
SOFTPLUS = real_function("softplus", numpy_softplus, lambda g, out, x: (g * sigmoid(x),))
_TWO_PER_ROOT_PI = 2 / math.sqrt(math.pi)
ERF = real_function(
    "erf", vectorised(math.erf), lambda g, out, x: (g * exp(-sqr(x)) * like(_TWO_PER_ROOT_PI, g),), domain=(-3, 3)
)
ERFC = real_function(
    "erfc", vectorised(math.erfc), lambda g, out, x: (g * exp(-sqr(x)) * like(-_TWO_PER_ROOT_PI, g),), domain=(-3, 3)
)
ERFINV = real_function(
    "erfinv", vectorised(inverse_erf), lambda g, out, x: (g * exp(sqr(out)) * like(math.sqrt(math.pi) / 2, g),),
    ulp=16, domain=(-0.9, 0.9),
)  # fmt: skip
ERFCINV = row(
    "erfcinv", erfcinv_scalar, vectorised(inverse_erfc),
    lambda g, out, x: (g * exp(sqr(out)) * like(-math.sqrt(math.pi) / 2, g),), dtype=float_of, wide=True, ulp=16,
    domain=(0.01, 1.99),
)  # fmt: skip
ERFCX = real_function("erfcx", vectorised(scaled_erfc), _erfcx_gradient, ulp=16, domain=(-3, 3))
LOG1MEXP = real_function(
    "log1mexp", numpy_log1mexp, lambda g, out, x: (g * exp(x) / expm1(x),), ulp=8, domain=(-5, -0.1)
)  # fmt: skip
RSQRT = row(
    "rsqrt", lambda b, x: b.div(1.0, b.sqrt(x)), lambda x: 1 / np.sqrt(x), lambda g, out, x: (-g * out / (x * 2),),
    dtype=float_of, ulp=2, domain=(0.1, 100),
)  # fmt: skip
NEXTAFTER = row("nextafter", next_after, np.nextafter, dtype=float_of_all, widens=False, no_gradient=PIECEWISE)

ROWS = (
    EXP, EXP2, EXPM1, LOG, LOG2, LOG10, LOG1P, SIN, COS, TAN, ARCSIN, ARCCOS, ARCTAN, ARCTAN2, SINH, COSH, TANH,
    ARCSINH, ARCCOSH, ARCTANH, CBRT, SIGMOID, SOFTPLUS, ERF, ERFC, ERFINV, ERFCINV, ERFCX, LOG1MEXP, RSQRT,
    NEXTAFTER,
)  # fmt: skip


def unary(op: Op, text: str) -> Callable[[Any], Any]:
    """The public function of a real function of one variable."""

    def function(x: Any) -> Any:
        return apply(op, as_variable(x))

    function.__name__ = function.__qualname__ = op.name
    function.__doc__ = f"""{text}  Small integers are computed in float32, others in float64.

    >>> {op.print_name or op.name}(np.ones(3, "float32")).dtype, {op.print_name or op.name}(np.ones(3, "int64")).dtype
    ('float32', 'float64')
    """
    return function


exp: Unary = unary(EXP, "e ** x.")
exp2: Unary = unary(EXP2, "2 ** x.")
expm1: Unary = unary(EXPM1, "exp(x) - 1, accurate near 0.")
log: Unary = unary(LOG, "The natural logarithm.")
log2: Unary = unary(LOG2, "The logarithm to base 2.")
log10: Unary = unary(LOG10, "The logarithm to base 10.")
log1p: Unary = unary(LOG1P, "log(1 + x), accurate near 0.")
sin: Unary = unary(SIN, "The sine of x radians.")
cos: Unary = unary(COS, "The cosine of x radians.")
tan: Unary = unary(TAN, "The tangent of x radians.")
arcsin: Unary = unary(ARCSIN, "The inverse sine, in radians.")
arccos: Unary = unary(ARCCOS, "The inverse cosine, in radians.")
arctan: Unary = unary(ARCTAN, "The inverse tangent, in radians.")
sinh: Unary = unary(SINH, "The hyperbolic sine.")
cosh: Unary = unary(COSH, "The hyperbolic cosine.")
tanh: Unary = unary(TANH, "The hyperbolic tangent.")
arcsinh: Unary = unary(ARCSINH, "The inverse hyperbolic sine.")
arccosh: Unary = unary(ARCCOSH, "The inverse hyperbolic cosine.")
arctanh: Unary = unary(ARCTANH, "The inverse hyperbolic tangent.")
cbrt: Unary = unary(CBRT, "The cube root.")
sigmoid: Unary = unary(SIGMOID, "1 / (1 + exp(-x)).")
softplus: Unary = unary(SOFTPLUS, "log(1 + exp(x)), without overflow.")
erf: Unary = unary(ERF, "The error function.")
erfc: Unary = unary(ERFC, "1 - erf(x), accurate where that is small.")
erfinv: Unary = unary(ERFINV, "The inverse of erf; nan beyond -1 and 1.")
erfcinv: Unary = unary(ERFCINV, "The inverse of erfc; nan below 0 and beyond 2.")
erfcx: Unary = unary(ERFCX, "exp(x ** 2) * erfc(x).")
log1mexp: Unary = unary(LOG1MEXP, "log(1 - exp(x)) for x <= 0, accurate near 0.")
rsqrt: Unary = unary(RSQRT, "1 / sqrt(x).")


def nextafter(x: Any, y: Any) -> Any:
    """The float that follows x in the direction of y.

    >>> bool(nextafter(np.float64(0), 1.0).eval() == np.nextafter(0.0, 1.0))
    True
    """
    return apply(NEXTAFTER, as_variable(x), as_variable(y))


def ldexp(x: Any, n: Any) -> Any:
    """x * 2 ** n for whole n, exact where the result is a normal number and so is 2 ** n.

    >>> ldexp([1.0, 3.0], 4).eval()
    array([16., 48.])
    """
    x, n = as_variable(x), as_variable(n)
    half = floor(n * constant(0.5, dtype="float64"))
    dtype = float_of(x.type.dtype)
    return cast(x, dtype) * cast(exp2(half), dtype) * cast(exp2(n - half), dtype)


def arctan2(y: Any, x: Any) -> Any:
    """The angle of the point (x, y), in radians, in [-pi, pi].

    >>> arctan2([0.0, 1.0], [1.0, 0.0]).eval()
    array([0.        , 1.57079633])
    """
    return apply(ARCTAN2, as_variable(y), as_variable(x))


def deg2rad(x: Any) -> Any:
    """x degrees in radians.

    >>> deg2rad([0.0, 180.0]).eval()
    array([0.        , 3.14159265])
    """
    x = as_variable(x)
    return x * constant(math.pi / 180, dtype=float_of(x.type.dtype))


def rad2deg(x: Any) -> Any:
    """x radians in degrees.

    >>> rad2deg([0.0, np.pi]).eval()
    array([  0., 180.])
    """
    x = as_variable(x)
    return x * constant(180 / math.pi, dtype=float_of(x.type.dtype))
