"""Continuous distributions by rejection: gamma, the tail of the normal distribution, von Mises.

Contract   operands: index, draw, key (`sampling.bits`), then parameters in float64.  A nan among these is accepted at
           once, and is the result.
"""

from __future__ import annotations

import math

from tensordsl.codegen.scalar_ir.builder import Builder, Val
from tensordsl.codegen.scalar_ir.repetition import Repetition, State
from tensordsl.codegen.scalar_ir.sampling.bits import MOST_ATTEMPTS, attempt_words, unit

Step = tuple[State, Val, Val]


def _gamma_constants(b: Builder, index: Val, draw: Val, key: Val, shape: Val) -> State:
    """d = shape - 1/3, c = 1 / sqrt(9 d), of a shape of at least 1."""
    d = b.sub(shape, 1 / 3)
    return index, draw, key, d, b.div(1.0, b.sqrt(b.mul(d, 9.0)))


def _gamma(b: Builder, number: Val, state: State, index: Val, draw: Val, key: Val, d: Val, c: Val) -> Step:
    """d v, v = (1 + c z)^3, of z normal, where log u < z^2 / 2 + d - d v + d log v (G. Marsaglia and W. Tsang, "A
    simple method for generating gamma variables", 2000)."""
    first, second = attempt_words(b, number, index, draw, key)
    z = b.mul(b.call("erfinv", b.sub(b.mul(unit(b, first), 2.0), 1.0)), math.sqrt(2.0))
    t = b.fma(c, z, 1.0)
    v = b.mul(b.mul(t, t), t)
    height = b.fma(b.mul(z, z), 0.5, b.mul(d, b.add(b.sub(1.0, v), b.call("log", v))))
    rejected = b.or_(b.le(t, 0.0), b.ge(b.call("log", unit(b, second)), height))
    return (), b.mul(d, v), b.not_(rejected)


def _gamma_factor(b: Builder, number: Val, state: State, index: Val, draw: Val, key: Val, shape: Val) -> Step:
    """log(u) / shape: the logarithm of what leads from the shape + 1 to it.  No attempt of a gamma number has its
    counter."""
    first, _ = attempt_words(b, MOST_ATTEMPTS, index, draw, key)
    return (), b.div(b.call("log", unit(b, first)), shape), b.eq(number, 0)


def _normal_tail(b: Builder, number: Val, state: State, index: Val, draw: Val, key: Val, low: Val, width: Val) -> Step:
    """z in [low, low + width], low > 0: low + x of x exponential with rate r = (low + sqrt(low^2 + 4)) / 2, cut off at
    the width, where log u <= -(low + x - r)^2 / 2; r - low is 2 / (low + sqrt(low^2 + 4)) (C. Robert, "Simulation of
    truncated normal variables", 1995)."""
    first, second = attempt_words(b, number, index, draw, key)
    root = b.add(low, b.sqrt(b.add(b.mul(low, low), 4.0)))
    rate, less = b.mul(root, 0.5), b.div(2.0, root)
    part = b.mul(unit(b, first), b.call("expm1", b.neg(b.mul(rate, width))))
    x = b.div(b.neg(b.call("log1p", part)), rate)
    x = b.select(b.gt(x, width), width, x)
    # The quotient of both densities is largest at r - low, or at the end.
    top = b.select(b.lt(width, less), width, less)
    height = b.mul(b.mul(b.sub(x, top), b.add(b.sub(x, less), b.sub(top, less))), -0.5)
    return (), b.add(low, x), b.not_(b.gt(b.call("log", unit(b, second)), height))


def _von_mises_constants(b: Builder, index: Val, draw: Val, key: Val, kappa: Val) -> State:
    """rho = 2 kappa / (r + sqrt(2 r)), r = 1 + sqrt(1 + 4 kappa^2), of the wrapped Cauchy distribution."""
    r = b.add(b.sqrt(b.fma(b.mul(kappa, kappa), 4.0, 1.0)), 1.0)
    rho = b.div(b.mul(kappa, 2.0), b.add(r, b.sqrt(b.mul(r, 2.0))))
    return index, draw, key, kappa, rho, b.div(b.sub(1.0, rho), b.add(rho, 1.0))


def _von_mises(
    b: Builder, number: Val, state: State, index: Val, draw: Val, key: Val, kappa: Val, rho: Val, ratio: Val
) -> Step:
    """The angle in [-pi, pi] from the mean: of a wrapped Cauchy number, whose half has the tangent t, where
    log(y / v) + 1 >= y, y = kappa (s - cos), s = (1 + rho^2) / (2 rho) (D. Best and N. Fisher, "Efficient simulation of
    the von Mises distribution", 1979)."""
    first, second = attempt_words(b, number, index, draw, key)
    t = b.mul(ratio, b.call("tan", b.mul(unit(b, first), math.pi / 2)))
    square, less, more = b.mul(t, t), b.sub(1.0, rho), b.add(rho, 1.0)
    difference = b.fma(b.mul(more, more), square, b.mul(less, less))  # 2 rho (1 + t^2) (s - cos)
    y = b.mul(kappa, b.div(difference, b.mul(b.mul(rho, 2.0), b.add(square, 1.0))))
    rejected = b.lt(b.sub(b.add(b.call("log", b.div(y, unit(b, second))), 1.0), y), 0.0)
    angle = b.mul(b.call("arctan", t), 2.0)
    has_sign = b.eq(b.and_(first, 1), 1)
    return (), b.select(has_sign, b.neg(angle), angle), b.not_(rejected)


# -- the derivative of gamma numbers -----------------------------------------------------------------------------------
def _slope_constants(b: Builder, shape: Val, log_x: Val) -> State:
    """The shape a, log x, x, digamma(a + 1), 1 / a."""
    return shape, log_x, b.call("exp", log_x), b.call("digamma", b.add(shape, 1.0)), b.div(1.0, shape)


def _start_slope(b: Builder, shape: Val, log_x: Val, x: Val, psi: Val, first: Val) -> State:
    return first, psi, b.const(0.0, "float64")


def _slope(b: Builder, number: Val, state: State, shape: Val, log_x: Val, x: Val, psi: Val, first: Val) -> Step:
    """-sum c_n (log x - digamma(a + n + 1)), c_0 = 1 / a, c_n = c_(n-1) x / (a + n): the derivative of log x by the
    shape a with P(a, x), the sum of x^(a + n) exp(-x) / gamma(a + n + 1), held."""
    term, psi, total = state
    total = b.fma(term, b.sub(log_x, psi), total)
    following = b.add(b.cast(number, "float64"), b.add(shape, 1.0))
    term, psi = b.div(b.mul(term, x), following), b.add(psi, b.div(1.0, following))
    is_small = b.le(b.mul(term, b.abs(b.sub(log_x, psi))), b.mul(b.abs(total), 2.0**-54))
    return (term, psi, total), b.neg(total), b.and_(b.lt(x, following), is_small)


REPETITIONS = (
    Repetition("gamma_slope", "float64", _slope, 10_000, _slope_constants, _start_slope),
    Repetition("gamma_number", "float64", _gamma, MOST_ATTEMPTS, _gamma_constants),
    Repetition("gamma_factor", "float64", _gamma_factor, 1),
    Repetition("normal_tail", "float64", _normal_tail, MOST_ATTEMPTS),
    Repetition("von_mises", "float64", _von_mises, MOST_ATTEMPTS, _von_mises_constants),
)
