"""Rows of numbers by rejection: gamma, normal tails, von Mises, Poisson, binomial, hypergeometric, zeta.

Contract   operands: position of the element, number of the draw, key (`bits`), then parameters.  Element i makes its
           attempts from counters of its own, so a number depends on these operands alone: not on threads, lanes,
           other elements or the machine.  Real parameters are computed with in float64.
Invalid    parameters give nan, of counts 0; who draws for users checks them before (`distributions`).
Method     `codegen.scalar_ir.sampling`, by name; `oracles` has each once more for NumPy.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from tensordsl.graph.types import COMPLEX, DISCRETE
from tensordsl.graph.variables import Elementwise, Op, apply
from tensordsl.ops.array.shape import INTEGER_VALUED
from tensordsl.ops.cotangents import ZERO
from tensordsl.ops.math.comparisons import gt
from tensordsl.ops.math.elementwise import cast, maximum, switch
from tensordsl.ops.math.functions import log
from tensordsl.ops.operands import broadcast
from tensordsl.ops.random import oracles

MOST_COUNT = 2.0**53
SMALL_MEAN = 10.0  # means below are searched for, transformed rejection is for larger ones
SMALL_SAMPLE = 10.0
LEAST_SHAPE = 1e-300  # whose reciprocal, times the terms of a series, is finite
LARGE_SHAPE = 4000.0  # of gamma numbers whose derivative has a formula
MOST_LOGARITHM = 300.0  # of factors that stay finite in products
LEAST_GAMMA = 2.0**-1022  # a float whose logarithm is finite
NAN, INF, ROOT_HALF = float("nan"), float("inf"), 0.5**0.5


def _dtype_of(result: str, counts: int = 0) -> Any:
    """counts: so many of the first parameters are integers."""

    def dtype(index: str, draw: str, key: str, *parameters: str, **attrs: Any) -> str:
        if not {index, draw, key, *parameters[:counts]} <= {*DISCRETE} or any(t in COMPLEX for t in parameters):
            got = ", ".join((index, draw, key, *parameters))
            raise TypeError(f"wants an integer counter and key, integer counts and real parameters, got {got}")
        return result

    return dtype


def _loop(index: str, draw: str, key: str, *parameters: str) -> tuple[str, ...]:
    return ("uint64",) * 3 + ("float64",) * len(parameters)


def _binomial_loop(*dtypes: str) -> tuple[str, ...]:
    return ("uint64",) * 3 + ("int64", "float64")


def _hypergeometric_loop(*dtypes: str) -> tuple[str, ...]:
    return ("uint64",) * 3 + ("int64",) * 3


# -- continuous ------------------------------------------------------------------------------------------------------
def _gamma_parts(b: Any, index: Any, draw: Any, key: Any, shape: Any) -> tuple[Any, Any, Any, Any]:
    """Whether the shape is below 1, and valid; the number of the shape, or of one more; log(u) / shape."""
    is_small, valid = b.lt(shape, 1.0), b.and_(b.ge(shape, 0.0), b.lt(shape, INF))
    whole = b.repeat("gamma_number", valid, index, draw, key, b.select(is_small, b.add(shape, 1.0), shape))
    return is_small, valid, whole, b.repeat("gamma_factor", b.and_(valid, is_small), index, draw, key, shape)


def _gamma(b: Any, index: Any, draw: Any, key: Any, shape: Any) -> Any:
    """Of a shape below 1 the number of the shape + 1, times u^(1/shape)."""
    is_small, valid, whole, factor = _gamma_parts(b, index, draw, key, shape)
    number = b.select(is_small, b.mul(whole, b.call("exp", factor)), whole)
    return b.select(valid, number, b.select(b.gt(shape, 0.0), shape, NAN))


def _log_gamma(b: Any, index: Any, draw: Any, key: Any, shape: Any) -> Any:
    _, valid, whole, factor = _gamma_parts(b, index, draw, key, shape)
    return b.select(valid, b.add(b.call("log", whole), factor), b.select(b.gt(shape, 0.0), shape, NAN))


def _gamma_slope(b: Any, shape: Any, log_x: Any) -> Any:
    """By a series; of a large shape by Wilson and Hilferty's approximation x = a (1 - 1/(9 a) + z/(3 sqrt(a)))^3 with z
    held, in the far tail, which a number in 1e8 reaches, by the first term of the asymptotic expansion."""
    valid = b.and_(b.gt(shape, 0.0), b.not_(b.isnan(log_x)))
    shape = b.maximum(shape, LEAST_SHAPE)
    is_large, x = b.gt(shape, LARGE_SHAPE), b.call("exp", log_x)
    is_far = b.gt(x, b.add(b.fma(b.sqrt(shape), 6.0, shape), 10.0))
    near = b.and_(b.and_(valid, b.gt(log_x, -INF)), b.not_(b.or_(is_large, is_far)))
    series = b.repeat("gamma_slope", near, shape, log_x)
    third = b.div(b.sub(b.call("log", shape), log_x), 3.0)
    r = b.call("exp", b.minimum(b.maximum(third, -MOST_LOGARITHM), MOST_LOGARITHM))  # (a / x)^(1/3)
    inverse = b.div(1.0, shape)
    ninth = b.mul(b.div(inverse, 9.0), r)
    by_shape = b.mul(b.sub(ninth, b.mul(b.add(b.sub(1.0, r), ninth), 0.5)), inverse)
    large = b.fma(by_shape, 3.0, inverse)
    tail = b.div(b.sub(log_x, b.call("digamma", shape)), b.add(b.sub(x, shape), 1.0))
    return b.select(valid, b.select(is_large, large, b.select(is_far, tail, series)), NAN)


def _gamma_slope_gradient(g: Any, out: Any, shape: Any, log_x: Any) -> Any:
    """Of s = -(dP/da) / (x dP/dx): ds/dlog x = -(log x - psi(a)) - s (a - x), ds/da = -(d2P/da2) / (x dP/dx) - s (log x
    - psi(a))."""
    from tensordsl.ops.math.functions import exp  # late: few programs need them
    from tensordsl.ops.math.gamma import gammaln, psi, tri_gamma
    from tensordsl.ops.special.gamma_incomplete import GAMMAINC, GAMMAINC_MOMENT

    shape, log_x = cast(shape, "float64"), cast(log_x, "float64")
    x = exp(log_x)
    distance, density = log_x - psi(shape), exp(shape * log_x - x - gammaln(shape))
    second = apply(GAMMAINC_MOMENT, shape, x, j=2) - tri_gamma(shape) * apply(GAMMAINC, shape, x)
    is_known = gt(density, LEAST_GAMMA)
    by_shape = switch(is_known, -second / switch(is_known, density, 1.0) - out * distance, 0.0)
    return g * by_shape, g * (out * (x - shape) - distance)


GAMMA_SLOPE = Op(
    "gamma_slope", lambda *dtypes: _real(*dtypes), broadcast, oracles.gamma_slope,
    Elementwise(_gamma_slope, lambda *dtypes: ("float64",) * 2),
    _gamma_slope_gradient,
    ulp=2.0**34,  # terms of the series cancel where x is much larger than the shape
    domain=(0.1, 2.5),
)  # fmt: skip


def _real(*dtypes: str) -> str:
    if any(t in COMPLEX for t in dtypes):
        raise TypeError(f"wants real numbers, got {', '.join(dtypes)}")
    return "float64"


def _shape_gradient(g: Any, out: Any, index: Any, draw: Any, key: Any, shape: Any) -> Any:
    """dx/da = -(dP/da) / (dP/dx), the distribution function P(a, x) held (M. Figurnov, S. Mohamed, A. Mnih, "Implicit
    reparameterization gradients", 2018)."""
    x = maximum(out, LEAST_GAMMA)  # 0 stays 0
    return None, None, None, g * out * apply(GAMMA_SLOPE, shape, log(x))


def _log_shape_gradient(g: Any, out: Any, index: Any, draw: Any, key: Any, shape: Any) -> Any:
    return None, None, None, g * apply(GAMMA_SLOPE, shape, out)


GAMMA = Op(
    "random_gamma", _dtype_of("float64"), broadcast, oracles.gamma, Elementwise(_gamma, _loop), _shape_gradient,
    ulp=64, domain=(0.01, 20.0),
)  # fmt: skip
LOG_GAMMA = Op(
    "random_log_gamma", _dtype_of("float64"), broadcast, oracles.log_gamma, Elementwise(_log_gamma, _loop),
    _log_shape_gradient, ulp=256, domain=(0.01, 20.0),
)  # fmt: skip


def _normal_tail(b: Any, index: Any, draw: Any, key: Any, low: Any, width: Any) -> Any:
    valid = b.and_(b.and_(b.gt(low, 0.0), b.lt(low, INF)), b.ge(width, 0.0))
    return b.select(valid, b.repeat("normal_tail", valid, index, draw, key, low, width), NAN)


def _tail_gradient(g: Any, out: Any, index: Any, draw: Any, key: Any, low: Any, width: Any) -> Any:
    """With u = F(z; low, high) held: dz/dlow = phi(low) (1 - u) / phi(z), dz/dhigh = phi(high) u / phi(z).  Tails are
    exp(-x^2 / 2) E(x), E(x) = erfcx(x / sqrt 2), so that the exponentials become those of differences."""
    from tensordsl.ops.math.functions import erfcx, exp  # late: few programs need them

    high = low + width

    def scaled(x: Any, y: Any) -> Any:
        """E(x) - exp((x^2 - y^2) / 2) E(y), x <= y"""
        return erfcx(x * ROOT_HALF) - exp((x - y) * (x + y) / 2) * erfcx(y * ROOT_HALF)

    everything = scaled(low, high)
    by_low = scaled(out, high) / everything
    by_high = exp((out - high) * (out + high) / 2) * scaled(low, out) / everything
    return None, None, None, g * (by_low + by_high), g * by_high


NORMAL_TAIL = Op(
    "random_normal_tail", _dtype_of("float64"), broadcast, oracles.normal_tail, Elementwise(_normal_tail, _loop),
    _tail_gradient, ulp=64,
)  # fmt: skip


def _von_mises(b: Any, index: Any, draw: Any, key: Any, kappa: Any) -> Any:
    valid = b.and_(b.gt(kappa, 0.0), b.le(kappa, 1e6))
    return b.select(valid, b.repeat("von_mises", valid, index, draw, key, kappa), NAN)


def _von_mises_gradient(g: Any, out: Any, index: Any, draw: Any, key: Any, kappa: Any) -> Any:
    from tensordsl.ops.special.bessel import i0e, i1e  # late: few programs need them

    kappa = cast(kappa, "float64")
    return None, None, None, g * apply(VON_MISES_SLOPE, kappa, i1e(kappa) / i0e(kappa), out)


VON_MISES = Op(
    "random_von_mises", _dtype_of("float64"), broadcast, oracles.von_mises, Elementwise(_von_mises, _loop),
    _von_mises_gradient, ulp=256, domain=(0.1, 30.0),
)  # fmt: skip


def _slope_of_von_mises(b: Any, kappa: Any, ratio: Any, angle: Any) -> Any:
    valid = b.and_(b.and_(b.gt(kappa, 0.0), b.le(kappa, 1e6)), b.le(b.abs(ratio), 1.0))
    valid = b.and_(valid, b.le(b.abs(angle), 3.2))
    safe = (b.select(valid, x, 0.5) for x in (kappa, ratio, angle))
    return b.select(valid, b.repeat("von_mises_slope", valid, *safe), NAN)


VON_MISES_SLOPE = Op(
    "von_mises_slope", lambda *dtypes: _real(*dtypes), broadcast, oracles.von_mises_slope,
    Elementwise(_slope_of_von_mises, lambda *dtypes: ("float64",) * 3),
    no_gradient="the second derivative of von Mises numbers by kappa is not built", ulp=2.0**26, domain=(0.1, 0.9),
)  # fmt: skip


def _noncentral_gradient(g: Any, out: Any, x: Any, df: Any, nonc: Any) -> Any:
    """By the noncentrality, the distribution function held: the density of df + 2 degrees of freedom over that of df,
    which is sqrt(x / nonc) I_v(z) / I_(v - 1)(z), v = df / 2, z = sqrt(x nonc).  df is among what made x."""
    from tensordsl.ops.math.elementwise import sqrt  # late: few programs need them
    from tensordsl.ops.special.bessel_order import ive

    df, nonc, y = (cast(v, "float64") for v in (df, nonc, x))
    z = sqrt(nonc * y)
    is_plain = gt(z, 1e-8)
    w = switch(is_plain, z, 1.0)
    ratio = ive(df / 2, w) / ive(df / 2 - 1, w)
    return g, ZERO, g * y * switch(is_plain, ratio / w, 1 / df)


NONCENTRAL = Op(
    "noncentral", lambda *dtypes: _real(*dtypes), broadcast,
    lambda x, df, nonc: np.broadcast_arrays(x, df, nonc)[0].astype("float64"),
    Elementwise(lambda b, x, df, nonc: x, lambda *dtypes: ("float64",) * 3), _noncentral_gradient,
)  # fmt: skip


# -- counts ----------------------------------------------------------------------------------------------------------
def _poisson(b: Any, index: Any, draw: Any, key: Any, mean: Any) -> Any:
    is_small, valid = b.lt(mean, SMALL_MEAN), b.and_(b.ge(mean, 0.0), b.lt(mean, MOST_COUNT))
    large = b.and_(valid, b.not_(is_small))
    few = b.repeat("poisson_search", b.and_(valid, is_small), index, draw, key, mean)
    many = b.repeat("poisson_number", large, index, draw, key, mean)
    return b.cast(b.add(few, many), "int64")


POISSON = Op(
    "poisson", _dtype_of("int64"), broadcast, oracles.poisson, Elementwise(_poisson, _loop), no_gradient=INTEGER_VALUED,
    domain=(0.0, 30.0),
)  # fmt: skip


def _binomial(b: Any, index: Any, draw: Any, key: Any, n: Any, p: Any) -> Any:
    n = b.cast(n, "float64")
    valid = b.and_(b.and_(b.ge(n, 0.0), b.lt(n, MOST_COUNT)), b.and_(b.ge(p, 0.0), b.le(p, 1.0)))
    less = b.minimum(p, b.sub(1.0, p))
    is_small = b.lt(b.mul(n, less), SMALL_MEAN)
    few = b.repeat("binomial_search", b.and_(valid, is_small), index, draw, key, n, less)
    many = b.repeat("binomial_number", b.and_(valid, b.not_(is_small)), index, draw, key, n, less)
    found = b.add(few, many)
    number = b.select(b.gt(p, 0.5), b.sub(n, found), found)
    return b.cast(b.select(valid, number, 0.0), "int64")


BINOMIAL = Op(
    "binomial", _dtype_of("int64", 1), broadcast, oracles.binomial, Elementwise(_binomial, _binomial_loop),
    no_gradient=INTEGER_VALUED,
    domain=(0.0, 1.0),
)  # fmt: skip


def _hypergeometric(b: Any, index: Any, draw: Any, key: Any, good: Any, bad: Any, sample: Any) -> Any:
    """By the rarer kind and the smaller one of the sample and what it leaves."""
    good, bad, sample = (b.cast(x, "float64") for x in (good, bad, sample))
    all = b.add(good, bad)
    valid = b.and_(b.and_(b.ge(good, 0.0), b.ge(bad, 0.0)), b.and_(b.ge(sample, 0.0), b.le(sample, all)))
    valid = b.and_(valid, b.lt(all, MOST_COUNT))
    few, many, rest = b.minimum(good, bad), b.maximum(good, bad), b.sub(all, sample)
    size = b.minimum(sample, rest)
    is_small = b.lt(size, SMALL_SAMPLE)
    found = b.add(
        b.repeat("hypergeometric_sampling", b.and_(valid, is_small), index, draw, key, few, many, size),
        b.repeat("hypergeometric_number", b.and_(valid, b.not_(is_small)), index, draw, key, few, many, size),
    )
    of_good = b.select(b.gt(good, bad), b.sub(size, found), found)
    number = b.select(b.gt(sample, rest), b.sub(good, of_good), of_good)
    return b.cast(b.select(valid, number, 0.0), "int64")


HYPERGEOMETRIC = Op(
    "random_hypergeometric", _dtype_of("int64", 3), broadcast, oracles.hypergeometric,
    Elementwise(_hypergeometric, _hypergeometric_loop), no_gradient=INTEGER_VALUED, domain=(0.0, 60.0),
)  # fmt: skip


def _zeta(b: Any, index: Any, draw: Any, key: Any, a: Any) -> Any:
    valid = b.gt(a, 1.0)
    return b.cast(b.repeat("zeta_number", valid, index, draw, key, a), "int64")


ZETA = Op(
    "random_zeta", _dtype_of("int64"), broadcast, oracles.zeta, Elementwise(_zeta, _loop), no_gradient=INTEGER_VALUED,
    domain=(1.1, 10.0),
)  # fmt: skip

ROWS = (
    GAMMA, LOG_GAMMA, GAMMA_SLOPE, NORMAL_TAIL, VON_MISES, VON_MISES_SLOPE, NONCENTRAL, POISSON, BINOMIAL,
    HYPERGEOMETRIC, ZETA,
)  # fmt: skip
