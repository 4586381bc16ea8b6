"""Complex numbers: rows that take them apart and make them, and what other rows mean on them.

The compiler computes with real tensors only.  A complex value is a pair of them; kernels load and store both parts of a
number at once.  `PARTS` says what a row is in terms of its operands' parts, which become
ordinary real rows, so that everything that is known of those (fusion, rules, targets) holds here too.  Sorting and
running sums read both parts from memory.  All other rows refuse complex operands.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import chain
from typing import Any

import numpy as np

from tensordsl.graph.casting import complex_of, real_of, upcast
from tensordsl.graph.types import COMPLEX
from tensordsl.graph.variables import _COMPLEX_HOOKS, Kernel, Movement, Op, apply
from tensordsl.ops.control import ZERO_GRAD
from tensordsl.ops.linalg.products import batched_dot, dot
from tensordsl.ops.math import complex_scalars
from tensordsl.ops.math.comparisons import and_, eq, ge, gt, invert, isinf, isnan, neq, or_
from tensordsl.ops.math.elementwise import abs_, second, switch
from tensordsl.ops.math.functions import arctan2, cos, sin
from tensordsl.ops.operands import as_variable, broadcast, constant
from tensordsl.ops.rows import row


# -- rows ------------------------------------------------------------------------------------------------------------
def _of_complex(x: str) -> str:
    if x not in COMPLEX:
        raise TypeError(f"wants a complex operand, got {x}")
    return real_of(x)


def _pair(x: str, y: str) -> str:
    if x in COMPLEX or y in COMPLEX:
        raise TypeError(f"wants two real operands, got {x} and {y}")
    return complex_of(upcast(x, y))


def _numpy_complex(x: Any, y: Any) -> Any:
    dtype = complex_of(upcast(str(x.dtype), str(y.dtype)))
    result = np.empty(np.broadcast_shapes(x.shape, y.shape), dtype)
    result.real, result.imag = x, y
    return result


REAL = Op(
    "real", _of_complex, broadcast, lambda x: np.array(x.real), Kernel("real"),
    lambda g, out, x: (complex(g, constant(0, dtype=g.type.dtype)),),
)  # fmt: skip
IMAG = Op(
    "imag", _of_complex, broadcast, lambda x: np.array(x.imag), Kernel("imag"),
    lambda g, out, x: (complex(constant(0, dtype=g.type.dtype), g),),
)  # fmt: skip
COMPLEX_OF = Op(
    "complex",
    _pair,
    broadcast,
    _numpy_complex,
    Kernel("complex", takes_complex=False),
    lambda g, out, x, y: (real(g), imag(g)),
)
ROWS = (REAL, IMAG, COMPLEX_OF)


# -- what rows mean on pairs (real part, imaginary part) ---------------------------------------------------------------
Pair = tuple[Any, Any]


def _mul(x: Pair, y: Pair) -> Pair:
    return x[0] * y[0] - x[1] * y[1], x[0] * y[1] + x[1] * y[0]


def _div(x: Pair, y: Pair) -> Pair:
    """Smith's algorithm (Algorithm 116, CACM 5, 1962), which NumPy has too."""
    wide = ge(abs_(y[0]), abs_(y[1]))
    large, small = switch(wide, y[0], y[1]), switch(wide, y[1], y[0])
    ratio = small / large
    scale = 1 / (large + small * ratio)
    re = switch(wide, x[0] + x[1] * ratio, x[0] * ratio + x[1]) * scale
    im = switch(wide, x[1] - x[0] * ratio, x[1] * ratio - x[0]) * scale
    zero = and_(eq(y[0], 0), eq(y[1], 0))
    return switch(zero, x[0] / abs_(y[0]), re), switch(zero, x[1] / abs_(y[0]), im)


def _is_nan(x: Pair) -> Any:
    return or_(isnan(x[0]), isnan(x[1]))


def _after(x: Pair, y: Pair) -> Any:
    """x > y as NumPy orders them: by real parts, equal ones by imaginary parts."""
    sure = invert(or_(isnan(x[1]), isnan(y[1])))
    return or_(and_(gt(x[0], y[0]), sure), and_(eq(x[0], y[0]), gt(x[1], y[1])))


def _not_before(x: Pair, y: Pair) -> Any:
    """x >= y."""
    return or_(_after(x, y), and_(eq(x[0], y[0]), ge(x[1], y[1])))


def _either(first: Any, x: Pair, y: Pair) -> Pair:
    return switch(first, x[0], y[0]), switch(first, x[1], y[1])


# Rows on the parts of complex operands, one for each part of the result (`complex_scalars`).
_NUMPY_NAMES = {"pow": "power", "sgn": "sign"}
FUNCTIONS = (
    "exp exp2 expm1 log log2 log10 log1p sqrt pow sgn reciprocal "
    "sin cos tan sinh cosh tanh arcsin arccos arctan arcsinh arccosh arctanh"
).split()
SIZE = row("abs.re", complex_scalars.hypot, np.hypot, ulp=1)


def _function(name: str) -> Callable[..., Pair]:
    own = _NUMPY_NAMES.get(name, name)
    scalar, numpy = getattr(complex_scalars, own), getattr(np, own)

    def part(k: int) -> Op:
        def oracle(*parts: Any) -> Any:
            result = numpy(*map(_numpy_complex, parts[::2], parts[1::2]))
            return (result.real, result.imag)[k]

        return row(f"{name}.{('re', 'im')[k]}", lambda b, *x: scalar(b, *x)[k], oracle, ulp=8)

    rows = part(0), part(1)
    return lambda *pairs: (apply(rows[0], *chain(*pairs)), apply(rows[1], *chain(*pairs)))


def whole_power(x: Pair, n: int) -> Pair:
    """x^n by the binary digits of n, as NumPy has it below 100; powers of 0 are 0 without a sign, or nan."""
    square, found = x, None
    for digit in reversed(bin(abs(n))[2:]):
        if digit == "1":
            found = square if found is None else _mul(found, square)
        square = _mul(square, square)
    one = second(x[0], constant(1, dtype=x[0].type.dtype)), second(x[0], constant(0, dtype=x[0].type.dtype))
    if found is None:
        return one
    re, im = _div(one, found) if n < 0 else found
    is_zero, of_zero = and_(eq(x[0], 0), eq(x[1], 0)), constant(np.nan if n < 0 else 0, dtype=x[0].type.dtype)
    return switch(is_zero, of_zero, re), switch(is_zero, of_zero, im)


PARTS: dict[str, Callable[..., Any]] = {
    "add": lambda x, y: (x[0] + y[0], x[1] + y[1]), "sub": lambda x, y: (x[0] - y[0], x[1] - y[1]), "mul": _mul,
    "neg": lambda x: (-x[0], -x[1]), "sqr": lambda x: _mul(x, x), "true_div": _div, "abs": lambda x: apply(SIZE, *x),
    "identity": lambda x: x, "second": lambda x, y: (second(x[0], y[0]), second(x[0], y[1])),
    "eq": lambda x, y: and_(eq(x[0], y[0]), eq(x[1], y[1])), "neq": lambda x, y: or_(neq(x[0], y[0]), neq(x[1], y[1])),
    "lt": lambda x, y: _after(y, x), "le": lambda x, y: _not_before(y, x), "gt": _after, "ge": _not_before,
    "maximum": lambda x, y: _either(or_(_is_nan(x), _not_before(x, y)), x, y),
    "minimum": lambda x, y: _either(or_(_is_nan(x), _not_before(y, x)), x, y),
    "isnan": _is_nan, "isinf": lambda x: or_(isinf(x[0]), isinf(x[1])),
    "switch": lambda c, x, y: _either(_truth(c), x, y),
    "batched_dot": lambda x, y: (
        batched_dot(x[0], y[0]) - batched_dot(x[1], y[1]), batched_dot(x[0], y[1]) + batched_dot(x[1], y[0])
    ),
    "rsqrt": lambda x: PARTS["reciprocal"](PARTS["sqrt"](x)), **{name: _function(name) for name in FUNCTIONS},
    "dot": lambda x, y: (dot(x[0], y[0]) - dot(x[1], y[1]), dot(x[0], y[1]) + dot(x[1], y[0])),
}  # fmt: skip
# Other rows than constructs and moves that do the same to the real and to the imaginary parts.
EACH = frozenset(("sum", "round"))
OTHERS = frozenset(
    (
        "prod max min argmax argmin cast xlogx xlogy consider_constant zero_grad disconnected_grad undefined_grad "
        "grad_scale solve matrix_inverse det slogdet pinv lstsq expm"
    ).split()
)
# Rows whose gradient is not that of an analytic function, or is written with adjoints.
NOT_ANALYTIC = frozenset(
    (
        "abs sgn real imag complex cast ifelse cholesky solve_triangular swap_rows lu_solve solve matrix_inverse det "
        "svdvals eigvalsh eigvals pinv lstsq expm sqrtm logm solve_sylvester"
    ).split()
)


def _truth(c: Pair) -> Any:
    return or_(neq(c[0], 0), neq(c[1], 0))


def is_each(op: Op) -> bool:
    return isinstance(op.meaning, Movement) or op.name in EACH


def check(op: Op, dtypes: tuple[str, ...], attrs: dict[str, Any]) -> None:
    """Raises TypeError where the row has no meaning for the complex operands among these."""
    is_known = op.meaning.takes_complex if isinstance(op.meaning, Kernel) else is_each(op)
    if not (is_known or op.name in PARTS or op.name in OTHERS):
        raise TypeError(
            f"not defined for complex operands ({', '.join(dtypes)}); take real(), imag(), abs() or angle()"
        )
    wanted = attrs.get("dtype")
    if isinstance(wanted, str) and wanted not in COMPLEX:
        raise TypeError(
            f"a complex value has no place in {wanted}: casting from complex to real is ambiguous, use real(), imag(), "
            "abs() or angle()"
        )


_COMPLEX_HOOKS.append(check)


# -- public functions ------------------------------------------------------------------------------------------------
def complex(real: Any, imag: Any) -> Any:  # noqa: A001
    """The complex numbers with these parts: complex64 of parts that fit float32, else complex128.

    >>> complex([1.0, 2.0], 0.5).eval()
    array([1.+0.5j, 2.+0.5j])
    """
    return apply(COMPLEX_OF, as_variable(real), as_variable(imag))


def complex_from_polar(abs: Any, angle: Any) -> Any:  # noqa: A002
    """The complex numbers of these absolute values and angles (in radians).

    >>> complex_from_polar([2.0], 0.0).eval()
    array([2.+0.j])
    """
    r, theta = as_variable(abs), as_variable(angle)
    return complex(r * cos(theta), r * sin(theta))


def real(x: Any) -> Any:
    """The real part; x itself if it is real.

    >>> real([1 + 2j, 3j]).eval()
    array([1., 0.])
    """
    x = as_variable(x)
    return apply(REAL, x) if x.type.dtype in COMPLEX else x


def imag(x: Any) -> Any:
    """The imaginary part; zeros if x is real.

    >>> imag([1 + 2j, 3j]).eval()
    array([2., 3.])
    """
    x = as_variable(x)
    return apply(IMAG, x) if x.type.dtype in COMPLEX else second(x, constant(0, dtype=x.type.dtype))


def conj(x: Any) -> Any:
    """The complex conjugate; x itself if it is real.

    >>> conj([1 + 2j, 3]).eval()
    array([1.-2.j, 3.-0.j])
    """
    x = as_variable(x)
    return complex(real(x), -imag(x)) if x.type.dtype in COMPLEX else x


def angle(x: Any) -> Any:
    """The angle in radians, in [-pi, pi].

    >>> angle([1j, 2 + 0j]).eval()
    array([1.57079633, 0.        ])
    """
    x = as_variable(x)
    if x.type.dtype not in COMPLEX:
        x = apply(ZERO_GRAD, x)  # the angle of a real number is 0 or pi
    return arctan2(imag(x), real(x))
