"""Random functions of complex numbers."""

from __future__ import annotations

from typing import Any

import expressions
from expressions import OPERATIONS, Maker
from growth import Growth, Unfit
from word_expressions import arranged, batches, masked, running, sorted_, triangles

import tensordsl.tensor as T
from tensordsl.types import COMPLEX, CONTINUOUS

FUNCTIONS = (
    T.exp, T.log, T.sqrt, T.sin, T.cos, T.tan, T.sinh, T.cosh, T.tanh, T.log1p, T.expm1, T.exp2, T.log2, T.log10, T.sgn,
    T.arcsin, T.arccos, T.arctan, T.arcsinh, T.arccosh, T.arctanh, T.sqr, T.reciprocal, T.neg, T.round, T.isnan, T.isinf, T.isfinite, T.tensor_copy,
)  # fmt: skip
PARTS = (T.real, T.imag, T.conj, T.angle, T.abs_, T.real, T.imag)
ORDERED = (T.lt, T.le, T.gt, T.ge, T.maximum, T.minimum)
BINARY = (T.add, T.sub, T.mul, T.true_div, T.pow, T.eq, T.neq, T.second, T.complex, *ORDERED)


def complex_value(m: Growth) -> Any:
    return m.some(lambda v: v.type.dtype in COMPLEX)


def function(m: Growth) -> None:
    m.grow(m.choose(FUNCTIONS)(complex_value(m)))


def part(m: Growth) -> None:
    m.grow(m.choose(PARTS)(complex_value(m)))


def pair(m: Growth) -> None:
    x = complex_value(m)
    y = expressions.partner(m, x)
    m.grow(m.choose(BINARY)(*((x, y) if m.flag() else (y, x))))


def whole_power(m: Growth) -> None:
    m.grow(complex_value(m) ** m.choose((2, 3, -1, 0.5, 5)))


def reduced(m: Growth) -> None:
    x = complex_value(m)
    f = m.choose((T.sum, T.mean, T.prod, T.any, T.all, T.max, T.min))
    if f is T.prod and m.value[x].size > 100:
        raise Unfit
    m.grow(f(x, expressions.axes_of(m, x), keepdims=m.flag()))


def position(m: Growth) -> None:
    x = complex_value(m)
    if not x.type.ndim:
        raise Unfit
    m.grow(m.choose((T.argmax, T.argmin))(x, axis=m.pick(x.type.ndim), keepdims=m.flag()))


WORDS = (function, part, pair, whole_power, reduced, position)
MORE = (
    masked,
    arranged,
    running,
    sorted_,
    triangles,
    batches,
    expressions.branch,
    expressions.loop,
    expressions.derivative,
)


class ComplexMaker(Maker):
    """Two thirds of the sources are complex, half of the operations are theirs."""

    dtypes = (*COMPLEX, "complex128", "complex128", "float64", "int64", "float32", "complex64", "bool")

    def __init__(self, pick: Any, special: bool = False) -> None:
        super().__init__(pick, special)
        self.operations = (*WORDS, *WORDS, *WORDS, *MORE, *OPERATIONS)

    def float_value(self, fits: Any = lambda v: True) -> Any:
        return self.some(lambda v: v.type.dtype in CONTINUOUS and fits(v))
