"""Distributions: one row each, of parameters, what is wrong with them, and the draw as an expression.

Contract   `drawn(row, state, parameters, size, ...)` gives the draw of a state (key, number of the draw), in a float
           dtype or the row's own one; ValueError for wrong parameters, at once if they are constants, else in the call.
Method     a formula of uniform or normal numbers where there is one (L. Devroye, "Non-uniform random variate
           generation", 1986, chapters II and IX), else numbers by rejection (`rejection`).  Formulas are computed in
           float64, but for uniform and normal numbers, which are drawn in the dtype that is asked for.
Gradients  go through the formulas: to location and scale, and to what is inverted; those of gamma numbers hold the
           distribution function (`rejection.GAMMA_SLOPE`); other numbers by rejection have none.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Any

import numpy as np

from tensordsl.base.config import config
from tensordsl.base.records import record
from tensordsl.graph.casting import upcast
from tensordsl.graph.types import COMPLEX, INTEGERS
from tensordsl.graph.variables import Constant, apply
from tensordsl.ops.array.creation import arange
from tensordsl.ops.array.cumulative import cumsum
from tensordsl.ops.array.reduce import all as every
from tensordsl.ops.array.reduce import max as largest
from tensordsl.ops.array.reduce import sum as total
from tensordsl.ops.array.shape import as_dim, as_dims, broadcast_to, dimshuffle, reshape, shape_tuple, transpose
from tensordsl.ops.control import loop_index, make_loop, parameter_like, require
from tensordsl.ops.linalg.factorise import CHOLESKY
from tensordsl.ops.linalg.products import dot, matmul
from tensordsl.ops.math.comparisons import eq, ge, gt, isnan, le, lt
from tensordsl.ops.math.elementwise import abs_, cast, ceil, clip, floor, maximum, minimum, mod, mul, sqr, sqrt, switch
from tensordsl.ops.math.functions import erf, erfinv, exp, expm1, log, log1p, tan
from tensordsl.ops.operands import as_variable, axis_count, constant, known_int, named_dtype
from tensordsl.ops.random import bits as rb
from tensordsl.ops.random import rejection as rr

REQUIRED = object()
LEAST_TAIL = 1.0  # standard deviations from which on normal numbers beyond a limit come by rejection
WIDE_KAPPA = 1e6  # of a von Mises number that is as good as normal
SMALL_KAPPA = 1e-8  # as good as uniform
PART = 0x9E3779B97F4A7C15  # what the key is shifted by for independent numbers of one draw
TOLERANCE = {"float64": 1e-8, "float32": 1e-4, "float16": 1e-2}  # of sums of probabilities


# -- the source of a draw ----------------------------------------------------------------------------------------------
class Source:
    """The random numbers of one draw, one for each element of `dims`; `part(k)`: others, independent of these."""

    def __init__(self, key: Any, draw: Any, dims: Sequence[Any]) -> None:
        self.key, self.draw, self.dims = key, draw, list(dims)

    @cached_property
    def index(self) -> Any:
        count: Any = as_dim(1)
        for n in self.dims:
            if (known_int(n) or 0) < 0:
                raise ValueError(f"random numbers: a length must be 0 or more, got {known_int(n)}")
            count = mul(count, n)
        return reshape(arange(count, dtype="uint64"), self.dims, ndim=len(self.dims))

    def part(self, k: int) -> Source:
        return self._with_key(self.key + constant(k * PART % 2**64, dtype="uint64"))

    def later(self, j: Any) -> Source:
        """Others for each number j, a variable."""
        return self._with_key(
            self.key + (cast(j, "uint64") + constant(16, dtype="uint64")) * constant(PART, dtype="uint64")
        )

    def _with_key(self, key: Any) -> Source:
        other = Source(key, self.draw, self.dims)
        other.index = self.index
        return other

    def along(self, *dims: Any) -> Source:
        """With more axes behind."""
        return Source(self.key, self.draw, [*self.dims, *dims])

    def words(self) -> Any:
        """64 random bits each."""
        return apply(rb.PHILOX, self.index, self.draw, self.key)

    def unit(self, dtype: str = "float64") -> Any:
        """In (0, 1)."""
        return rb.unit(self.words(), dtype)

    def exponential(self) -> Any:
        return -log(self.unit())

    def normal(self, dtype: str = "float64") -> Any:
        """The inverse of the normal distribution function, sqrt(2) erfinv(2 u - 1)."""
        return erfinv(self.unit(dtype) * 2 - 1) * constant(math.sqrt(2.0), dtype=dtype)

    def below(self, n: Any) -> Any:
        """Whole numbers in [0, n), uint64: the upper half of the product of the words with n."""
        return rb.high_product(self.words(), n)

    def by(self, row: Any, *parameters: Any) -> Any:
        """Numbers by rejection."""
        return apply(row, self.index, self.draw, self.key, *parameters)

    def gamma(self, shape: Any) -> Any:
        return self.by(rr.GAMMA, shape)

    def log_gamma(self, shape: Any) -> Any:
        """Logarithms of gamma numbers: those of small shapes are no float themselves."""
        return self.by(rr.LOG_GAMMA, shape)


# -- rows --------------------------------------------------------------------------------------------------------------
@record(eq=False)
class Check:
    """A condition on some of the parameters, by their names, written for arrays and for variables; a nan passes unless
    the condition says otherwise."""

    names: tuple[str, ...]
    text: str
    holds: Callable[..., Any]


@record(eq=False)
class Parameter:
    """is_integer: it must be; core: its axes that are no axes of the batch."""

    name: str
    default: Any = REQUIRED
    is_integer: bool = False
    core: int = 0


@record(eq=False)
class Distribution:
    """A row.  draw(source, dtype, *parameters) -> the draw; parameters have the draw's axes, or none.

    dtype     of the draw: "float" (what is asked for, else `config.floatX` with the parameters), or a name
    core      axes of one draw
    is_exact  it is computed in the dtype itself
    method, gradient  for docs/random.md
    """

    name: str
    parameters: tuple[Parameter, ...]
    draw: Callable[..., Any]
    checks: tuple[Check, ...] = ()
    dtype: str = "float"
    core: int = 0
    is_exact: bool = False
    method: str = ""
    gradient: str = ""

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(p.name for p in self.parameters)


def drawn(
    row: Distribution, state: Any, given: Sequence[Any], size: Any = None, ndim: int | None = None, dtype: Any = None
) -> Any:
    """A draw of the state, a vector of two uint64: the key and the number of the draw."""
    variables = [_parameter(row, p, x) for p, x in zip(row.parameters, given, strict=True)]
    result = _result_dtype(row, dtype, variables)
    variables = _checked(row, variables)
    dims = draw_dims(row, size, ndim, variables)
    work = result if row.is_exact else "float64"
    fitted = [
        _fitted(row, p, x if p.is_integer else cast(x, work), dims)
        for p, x in zip(row.parameters, variables, strict=True)
    ]
    return cast(row.draw(Source(state[0], state[1], dims), work, *fitted), result)


def _parameter(row: Distribution, parameter: Parameter, value: Any) -> Any:
    if value is REQUIRED:
        raise TypeError(f"{row.name}: {parameter.name} is missing")
    x = as_variable(value)
    if x.type.dtype in COMPLEX or (parameter.is_integer and x.type.dtype not in INTEGERS):
        wanted = "integers" if parameter.is_integer else "real numbers"
        raise TypeError(f"{row.name}: wants {wanted} for {parameter.name}, got {x.type}")
    if x.type.ndim < parameter.core:
        axes = "an axis of outcomes" if parameter.core == 1 else f"{parameter.core} axes"
        raise TypeError(f"{row.name}: {parameter.name} must have {axes}, got {x.type}")
    return x


def _result_dtype(row: Distribution, dtype: Any, variables: Sequence[Any]) -> str:
    if row.dtype != "float":
        name = row.dtype if dtype is None else named_dtype(dtype, row.name)
        if name in COMPLEX:
            raise TypeError(f"{row.name}: draws real numbers, got dtype={dtype!r}")
        return name
    if dtype is None:
        return upcast(config.floatX, *(v.type.dtype for v in variables))
    return rb.float_dtype(dtype, row.name)


def _checked(row: Distribution, variables: Sequence[Any]) -> list[Any]:
    """The parameters behind their checks."""
    found = dict(zip(row.names, variables, strict=True))
    for check in row.checks:
        operands = [found[name] for name in check.names]
        message = f"{row.name}: {check.text}"
        if all(isinstance(v, Constant) for v in operands):
            values = [np.asarray(v.data) for v in operands]
            with np.errstate(all="ignore"):
                if not np.all(check.holds(*values)):
                    raise ValueError(f"{message}, got {', '.join(_short(v) for v in values)}")
        else:
            last = next(n for n in reversed(check.names) if not isinstance(found[n], Constant))
            condition = check.holds(*operands)
            found[last] = require(found[last], every(condition) if condition.type.ndim else condition, message)
    return [found[name] for name in row.names]


def _short(value: Any) -> str:
    text = str(value.tolist())
    return text if len(text) < 60 else text[:57] + "..."


def draw_dims(row: Distribution, size: Any, ndim: int | None, variables: Sequence[Any]) -> list[Any]:
    """The dimensions of a draw but for its core: `size`, or those of the parameters together."""
    if size is not None:
        return size_dims(size, ndim, row.name)
    together: Any = None
    for parameter, v in zip(row.parameters, variables, strict=True):
        lead = shape_tuple(v)[: v.type.ndim - parameter.core]
        batch = broadcast_to(constant(0, dtype="int8"), lead) if parameter.core else v
        together = batch if together is None else together + batch
    return as_dims(() if together is None else shape_tuple(together))


def size_dims(size: Any, ndim: int | None, what: str) -> list[Any]:
    """The dimensions in the size of a draw, `ndim` many if that is given.  Raises ValueError."""
    dims = as_dims(size, ndim)
    if ndim is not None and len(dims) != axis_count(ndim, what):
        raise ValueError(f"{what}: ndim should be equal to len(size), but ndim is {ndim}, and size has {len(dims)}")
    return dims


def _fitted(row: Distribution, parameter: Parameter, x: Any, dims: Sequence[Any]) -> Any:
    """The parameter with the axes of the draw, unless it has none: repeated along those of length 1."""
    batch = x.type.ndim - parameter.core
    if batch > len(dims):
        raise ValueError(f"{row.name}: {parameter.name} has {batch} axes for draws, size has {len(dims)}")
    if not batch:
        return x
    core = shape_tuple(x)[batch:]
    return broadcast_to(x, (*dims, *core))


# -- checks ------------------------------------------------------------------------------------------------------------
def _not_negative(name: str) -> Check:
    return Check((name,), f"{name} must be 0 or more", lambda x: ~(x < 0))


def _positive(name: str) -> Check:
    return Check((name,), f"{name} must be more than 0", lambda x: ~(x <= 0))


def _probability(name: str) -> Check:
    return Check((name,), f"{name} must be a probability: {name} within 0 and 1", lambda p: (p >= 0) & (p <= 1))


def _sums_to_one(name: str, is_exact: bool) -> Check:
    """Probabilities along the last axis; not is_exact: the last one may be what the others leave."""

    def holds(p: Any) -> Any:
        dtype = str(getattr(p, "dtype", "float64"))
        limit = TOLERANCE.get(dtype, 1e-8)
        wide = p.astype("float64")
        if not is_exact:
            return wide[..., :-1].sum(axis=-1) <= 1 + limit
        rest = wide.sum(axis=-1) - 1
        return (rest <= limit) & (rest >= -limit)

    text = f"{name} must sum to 1" if is_exact else f"{name}[..., :-1] must not sum to more than 1"
    return Check((name,), f"{text} along the last axis", holds)


def _counts(name: str) -> Check:
    return Check((name,), f"{name} must be 0 or more", lambda n: n >= 0)


def _is_range(low: Any, high: Any) -> Any:
    width = 1.0 * high - low
    return (width >= 0) & (width < math.inf)


_RANGE = Check(("low", "high"), "low must not be above high, and high - low must be finite", _is_range)


# -- draws of a formula ------------------------------------------------------------------------------------------------
def _uniform(s: Source, dtype: str, low: Any, high: Any) -> Any:
    return low + (high - low) * s.unit(dtype)


def _normal(s: Source, dtype: str, loc: Any, scale: Any) -> Any:
    return loc + scale * s.normal(dtype)


def _laplace(s: Source, dtype: str, loc: Any, scale: Any) -> Any:
    u = s.unit()
    return loc + scale * switch(lt(u, 0.5), log(2 * minimum(u, 0.5)), -log(2 - 2 * maximum(u, 0.5)))


def _logistic(s: Source, dtype: str, loc: Any, scale: Any) -> Any:
    u = s.unit()
    return loc + scale * (log(u) - log1p(-u))


def _wald(s: Source, dtype: str, mean: Any, scale: Any) -> Any:
    """Michael, Schucany, Haas, "Generating random variates using transformations with multiple roots", 1976; the
    smaller root as 1 / (1 + r + sqrt(r (r + 2))), r = mean z^2 / (2 scale)."""
    r = mean * sqr(s.normal()) / (2 * scale)
    small = 1 / (1 + r + sqrt(r * (r + 2)))
    return mean * switch(le(s.part(1).unit() * (1 + small), 1), small, 1 / small)


def _triangular(s: Source, dtype: str, left: Any, mode: Any, right: Any) -> Any:
    u, width = s.unit(), right - left
    part = (mode - left) / switch(gt(width, 0), width, 1)
    low = left + sqrt(minimum(u, part) * width * (mode - left))
    high = right - sqrt((1 - maximum(u, part)) * width * (right - mode))
    return switch(lt(u, part), low, high)


def _half_cauchy(s: Source, dtype: str, loc: Any, scale: Any) -> Any:
    return loc + scale * tan(s.unit() * (math.pi / 2))


def _cauchy(s: Source, dtype: str, loc: Any, scale: Any) -> Any:
    return loc + scale * tan((s.unit() - 0.5) * math.pi)


def _truncated_exponential(s: Source, dtype: str, b: Any, loc: Any, scale: Any) -> Any:
    return loc - scale * log1p(s.unit() * expm1(-b))


def _truncated_normal(s: Source, dtype: str, a: Any, b: Any, loc: Any, scale: Any) -> Any:
    """By inversion, of an interval in one tail by rejection (`rejection.NORMAL_TAIL`)."""
    is_right = gt(a, 0)  # then mirrored, so that tails are on the left
    low, high = switch(is_right, -b, a), switch(is_right, -a, b)
    is_tail, root = lt(high, -LEAST_TAIL), math.sqrt(0.5)
    # Where the number is the other one, limits with which this one has a gradient.
    left, right = switch(is_tail, -1.0, low), switch(is_tail, 1.0, high)
    p, q = erf(left * root), erf(right * root)
    z = erfinv(p + s.unit() * (q - p)) / root
    tail = -s.part(1).by(rr.NORMAL_TAIL, switch(is_tail, -high, 1.0), switch(is_tail, high - low, 1.0))
    z = switch(is_tail, tail, minimum(maximum(z, left), right))
    return loc + scale * switch(is_right, -z, z)


def _von_mises(s: Source, dtype: str, mu: Any, kappa: Any) -> Any:
    usual = gt(kappa, SMALL_KAPPA) & le(kappa, WIDE_KAPPA)
    angle = s.by(rr.VON_MISES, switch(usual, kappa, 1.0))
    other = s.part(1)
    flat, narrow = (2 * other.unit() - 1) * math.pi, other.normal() / sqrt(maximum(kappa, WIDE_KAPPA))
    angle = switch(isnan(kappa), kappa, switch(le(kappa, SMALL_KAPPA), flat, switch(usual, angle, narrow)))
    turned = mod(mu + angle + math.pi, 2 * math.pi) - math.pi
    return turned


def _asymmetric_laplace(s: Source, dtype: str, b: Any, kappa: Any, mu: Any) -> Any:
    """The difference of two exponential numbers, of rates b kappa and b / kappa."""
    return mu + (s.exponential() / kappa - s.part(1).exponential() * kappa) / b


def _skew_normal(s: Source, dtype: str, mu: Any, sigma: Any, alpha: Any) -> Any:
    """delta |z| + sqrt(1 - delta^2) z', delta = alpha / sqrt(1 + alpha^2) (A. Azzalini, 1985)."""
    length = sqrt(1 + sqr(alpha))
    return mu + sigma * (alpha * abs_(s.normal()) + s.part(1).normal()) / length


def _kumaraswamy(s: Source, dtype: str, a: Any, b: Any) -> Any:
    """(1 - u^(1/b))^(1/a)"""
    return exp(log(-expm1(-s.exponential() / b)) / a)


def _discrete_weibull(s: Source, dtype: str, q: Any, beta: Any) -> Any:
    """The least k with 1 - q^((k + 1)^beta) >= 1 - u."""
    return cast(clip(ceil(exp(log(s.exponential() / -log(q)) / beta)) - 1, 0.0, 2.0**62), "int64")


# -- draws of gamma numbers --------------------------------------------------------------------------------------------
def _student(s: Source, dtype: str, df: Any, loc: Any, scale: Any) -> Any:
    return loc + scale * s.normal() * sqrt(df / 2 / s.part(1).gamma(df / 2))


def _beta(s: Source, dtype: str, alpha: Any, beta: Any) -> Any:
    return 1 / (1 + exp(s.part(1).log_gamma(beta) - s.log_gamma(alpha)))


def _f(s: Source, dtype: str, dfnum: Any, dfden: Any) -> Any:
    return exp(s.log_gamma(dfnum / 2) - s.part(1).log_gamma(dfden / 2)) * (dfden / dfnum)


def _dirichlet(s: Source, dtype: str, alphas: Any) -> Any:
    """Gamma numbers over their sum, by their logarithms."""
    x = s.along(shape_tuple(alphas)[-1]).log_gamma(alphas)
    e = exp(x - largest(x, axis=-1, keepdims=True))
    return e / total(e, axis=-1, keepdims=True)


def _noncentral_chisquare(s: Source, dtype: str, df: Any, nonc: Any) -> Any:
    """Chi-square of df and twice a Poisson number of nonc / 2 degrees of freedom.  That number is no smooth function of
    nonc, the distribution function is: `rejection.NONCENTRAL` has that derivative."""
    more = s.part(1).by(rr.POISSON, nonc / 2)
    return apply(rr.NONCENTRAL, 2 * s.gamma(df / 2 + cast(more, "float64")), df, nonc)


def _noncentral_f(s: Source, dtype: str, dfnum: Any, dfden: Any, nonc: Any) -> Any:
    return _noncentral_chisquare(s, dtype, dfnum, nonc) / dfnum / (2 * s.part(2).gamma(dfden / 2) / dfden)


def _negative_binomial(s: Source, dtype: str, n: Any, p: Any) -> Any:
    """Poisson of a gamma number."""
    return s.by(rr.POISSON, s.part(1).gamma(n) * (1 - p) / p)


# -- draws of counts ---------------------------------------------------------------------------------------------------
def _geometric(s: Source, dtype: str, p: Any) -> Any:
    """The least k with 1 - (1 - p)^k >= u."""
    return cast(clip(ceil(log(s.unit()) / log1p(-p)), 1.0, 2.0**62), "int64")


def _log_series(s: Source, dtype: str, p: Any) -> Any:
    """Kemp, "Efficient generation of logarithmically distributed pseudo-random variables", 1981."""
    q = -expm1(s.part(1).unit() * log1p(-p))
    return cast(clip(floor(1 + log(s.unit()) / log(q)), 1.0, 2.0**62), "int64")


def _bernoulli(s: Source, dtype: str, p: Any) -> Any:
    return lt(s.unit(), p)


def _binomial(s: Source, dtype: str, n: Any, p: Any) -> Any:
    if isinstance(n, Constant) and not n.type.ndim and int(n.data) == 1:
        return _bernoulli(s, dtype, p)
    return s.by(rr.BINOMIAL, n, p)


def _categorical(s: Source, dtype: str, p: Any) -> Any:
    """How many of the running sums but the last are no more than u."""
    u = s.along(1).unit()
    return total(ge(u, cumsum(p, axis=p.type.ndim - 1)[..., :-1]), axis=len(s.dims))


def _multinomial(s: Source, dtype: str, n: Any, p: Any) -> Any:
    """One binomial number after the other, of the trials that are left."""
    if isinstance(n, Constant) and not n.type.ndim and int(n.data) == 1:
        outcome = _categorical(s, dtype, p)
        return cast(eq(outcome[..., None], arange(shape_tuple(p)[-1])), "int64")
    probabilities = broadcast_to(p, (*s.dims, shape_tuple(p)[-1]))

    def step(j: Any, left: Any, rest: Any, share: Any) -> tuple[Any, Any, Any]:
        # The last one takes what is left: rounding must not leave trials over.
        is_last = eq(j, shape_tuple(p)[-1] - 1)
        part = switch(gt(rest, 0), clip(share / switch(gt(rest, 0), rest, 1.0), 0.0, 1.0), 0.0)
        found = s.later(j).by(rr.BINOMIAL, left, switch(is_last, 1.0, part))
        return left - found, rest - share, found

    return _one_after_the_other(
        s, probabilities, broadcast_to(cast(n, "int64"), s.dims), constant(1.0, dtype="float64"), step
    )


def _multivariate_hypergeometric(s: Source, dtype: str, colors: Any, nsample: Any) -> Any:
    """One hypergeometric number after the other, of the colours that are left."""
    counts = broadcast_to(cast(colors, "int64"), (*s.dims, shape_tuple(colors)[-1]))

    def step(j: Any, left: Any, rest: Any, here: Any) -> tuple[Any, Any, Any]:
        found = s.later(j).by(rr.HYPERGEOMETRIC, here, rest - here, left)
        return left - found, rest - here, found

    everything = total(counts, axis=len(s.dims), acc_dtype="int64", dtype="int64")
    return _one_after_the_other(s, counts, broadcast_to(cast(nsample, "int64"), s.dims), everything, step)


def _one_after_the_other(s: Source, values: Any, left: Any, rest: Any, step: Callable[..., Any]) -> Any:
    """What `step(j, left, rest, values[..., j])` finds for every j, along a last axis; it gives the next left and rest
    too."""
    n, rank = shape_tuple(values)[-1], len(s.dims)
    rest = broadcast_to(as_variable(rest), s.dims)
    s.index  # noqa: B018  computed once, before the loop
    j, carried = loop_index(), [parameter_like(left), parameter_like(rest)]
    first = dimshuffle(values, rank, *range(rank))
    *following, found = step(j, *carried, first[j])
    *_, stacked = make_loop(n, j, carried, [left, rest], following, [found], name="draw")
    return dimshuffle(stacked, *range(1, rank + 1), 0)


def _integers(s: Source, dtype: str, low: Any, high: Any) -> Any:
    low, high = cast(low, "int64"), cast(high, "int64")
    return low + cast(s.below(cast(high - low, "uint64")), "int64")


def _multivariate_normal(s: Source, dtype: str, mean: Any, cov: Any) -> Any:
    """mean + L z, cov = L L'."""
    factor = apply(CHOLESKY, cov, lower=True, on_error="raise")
    z = s.along(shape_tuple(mean)[-1]).normal()
    if cov.type.ndim > 2:
        return mean + total(factor * z[..., None, :], axis=-1)
    return mean + dot(z, transpose(factor))


def _matrix_normal(s: Source, dtype: str, mean: Any, rowcov: Any, colcov: Any) -> Any:
    """mean + L Z R', rowcov = L L', colcov = R R'."""
    left, right = (apply(CHOLESKY, cov, lower=True, on_error="raise") for cov in (rowcov, colcov))
    return mean + matmul(matmul(left, s.along(*shape_tuple(mean)[-2:]).normal()), _transposed(right))


def _wishart(s: Source, dtype: str, df: Any, scale: Any) -> Any:
    """L A A' L', scale = L L', A lower triangular of normal numbers, with the roots of chi-square ones of df, df - 1,
    ... degrees of freedom on the diagonal (M. Bartlett, 1933)."""
    n, rank = shape_tuple(scale)[-1], len(s.dims)
    k = arange(n)
    less = df[..., None] - k if df.type.ndim else df - k
    diagonal = sqrt(2 * s.part(1).along(n).gamma(less / 2))
    below = s.along(n, n).normal()
    a = switch(gt(k[:, None], k), below, switch(eq(k[:, None], k), dimshuffle(diagonal, *range(rank + 1), "x"), 0.0))
    factor = matmul(apply(CHOLESKY, scale, lower=True, on_error="raise"), a)
    return matmul(factor, _transposed(factor))


def _transposed(x: Any) -> Any:
    rank = x.type.ndim
    return dimshuffle(x, *range(rank - 2), rank - 1, rank - 2)


# -- the table ---------------------------------------------------------------------------------------------------------
P = Parameter
LOC, SCALE = P("loc", 0.0), P("scale", 1.0)
INVERSION, REPARAMETRISED = "inversion", "yes"
NO_COUNT = "none: the draw is an integer"
IMPLICIT = "yes, by the shape with the distribution function held"

TABLE: tuple[Distribution, ...] = (
    Distribution(
        "uniform",
        (P("low", 0.0), P("high", 1.0)),
        _uniform,
        (_RANGE,),
        is_exact=True,
        method="low + (high - low) u",
        gradient=REPARAMETRISED,
    ),
    Distribution("random", (), lambda s, t: s.unit(t), is_exact=True, method="u", gradient="no parameter"),
    Distribution(
        "normal",
        (LOC, SCALE),
        _normal,
        (_not_negative("scale"),),
        is_exact=True,
        method="inversion, by erfinv",
        gradient=REPARAMETRISED,
    ),
    Distribution(
        "standard_normal",
        (),
        lambda s, t: s.normal(t),
        is_exact=True,
        method="inversion, by erfinv",
        gradient="no parameter",
    ),
    Distribution(
        "halfnormal",
        (LOC, SCALE),
        lambda s, t, loc, scale: loc + scale * abs_(s.normal()),
        (_not_negative("scale"),),
        method="of a normal number",
        gradient=REPARAMETRISED,
    ),
    Distribution(
        "lognormal",
        (P("mean", 0.0), P("sigma", 1.0)),
        lambda s, t, mean, sigma: exp(mean + sigma * s.normal()),
        (_not_negative("sigma"),),
        method="of a normal number",
        gradient=REPARAMETRISED,
    ),
    Distribution(
        "truncnorm",
        (P("a"), P("b"), LOC, SCALE),
        _truncated_normal,
        (Check(("a", "b"), "a must not be above b", lambda a, b: ~(b < a)), _not_negative("scale")),
        method="inversion; rejection (Robert, 1995) in a tail",
        gradient=REPARAMETRISED,
    ),
    Distribution(
        "exponential",
        (SCALE,),
        lambda s, t, scale: scale * s.exponential(),
        (_not_negative("scale"),),
        method=INVERSION,
        gradient=REPARAMETRISED,
    ),
    Distribution("standard_exponential", (), lambda s, t: s.exponential(), method=INVERSION, gradient="no parameter"),
    Distribution(
        "truncexpon",
        (P("b"), LOC, SCALE),
        _truncated_exponential,
        (_positive("b"), _not_negative("scale")),
        method=INVERSION,
        gradient=REPARAMETRISED,
    ),
    Distribution(
        "gumbel",
        (LOC, SCALE),
        lambda s, t, loc, scale: loc - scale * log(s.exponential()),
        (_not_negative("scale"),),
        method=INVERSION,
        gradient=REPARAMETRISED,
    ),
    Distribution(
        "laplace", (LOC, SCALE), _laplace, (_not_negative("scale"),), method=INVERSION, gradient=REPARAMETRISED
    ),
    Distribution(
        "logistic", (LOC, SCALE), _logistic, (_not_negative("scale"),), method=INVERSION, gradient=REPARAMETRISED
    ),
    Distribution("cauchy", (LOC, SCALE), _cauchy, (_not_negative("scale"),), method=INVERSION, gradient=REPARAMETRISED),
    Distribution(
        "halfcauchy", (LOC, SCALE), _half_cauchy, (_not_negative("scale"),), method=INVERSION, gradient=REPARAMETRISED
    ),
    Distribution(
        "pareto",
        (P("b"), SCALE),
        lambda s, t, b, scale: scale * exp(s.exponential() / b),
        (_positive("b"), _not_negative("scale")),
        method=INVERSION + "; values of scale and more",
        gradient=REPARAMETRISED,
    ),
    Distribution(
        "power",
        (P("a"),),
        lambda s, t, a: exp(-s.exponential() / a),
        (_positive("a"),),
        method=INVERSION,
        gradient=REPARAMETRISED,
    ),
    Distribution(
        "rayleigh",
        (SCALE,),
        lambda s, t, scale: scale * sqrt(2 * s.exponential()),
        (_not_negative("scale"),),
        method=INVERSION,
        gradient=REPARAMETRISED,
    ),
    Distribution(
        "weibull",
        (P("shape"),),
        lambda s, t, shape: exp(log(s.exponential()) / shape),
        (_not_negative("shape"),),
        method=INVERSION,
        gradient=REPARAMETRISED,
    ),
    Distribution(
        "triangular",
        (P("left"), P("mode"), P("right")),
        _triangular,
        (
            Check(("left", "mode"), "left must not be above mode", lambda a, m: ~(m < a)),
            Check(("mode", "right"), "mode must not be above right", lambda m, b: ~(b < m)),
            Check(("left", "right"), "left must be below right", lambda a, b: ~(b <= a)),
        ),
        method=INVERSION,
        gradient=REPARAMETRISED,
    ),
    Distribution(
        "wald",
        (P("mean", 1.0), SCALE),
        _wald,
        (_positive("mean"), _positive("scale")),
        method="of a normal and a uniform number (Michael, Schucany, Haas, 1976)",
        gradient="through the root that was chosen",
    ),
    Distribution(
        "vonmises",
        (P("mu"), P("kappa")),
        _von_mises,
        (_not_negative("kappa"),),
        method="rejection (Best and Fisher, 1979)",
        gradient="with respect to mu; the distribution function held for kappa",
    ),
    Distribution(
        "gamma",
        (P("shape"), SCALE),
        lambda s, t, shape, scale: scale * s.gamma(shape),
        (_not_negative("shape"), _not_negative("scale")),
        method="rejection (Marsaglia and Tsang, 2000)",
        gradient=IMPLICIT,
    ),
    Distribution(
        "standard_gamma",
        (P("shape"),),
        lambda s, t, shape: s.gamma(shape),
        (_not_negative("shape"),),
        method="as gamma",
        gradient=IMPLICIT,
    ),
    Distribution(
        "invgamma",
        (P("shape"), SCALE),
        lambda s, t, shape, scale: scale * exp(-s.log_gamma(shape)),
        (_positive("shape"), _not_negative("scale")),
        method="of a gamma number",
        gradient=IMPLICIT,
    ),
    Distribution(
        "gengamma",
        (P("alpha", 1.0), P("p", 1.0), P("lambd", 1.0)),
        lambda s, t, alpha, p, lambd: lambd * exp(s.log_gamma(alpha / p) / p),
        (_positive("alpha"), _positive("p"), _positive("lambd")),
        method="of a gamma number",
        gradient=IMPLICIT,
    ),
    Distribution(
        "chisquare",
        (P("df"),),
        lambda s, t, df: 2 * s.gamma(df / 2),
        (_positive("df"),),
        method="of a gamma number",
        gradient=IMPLICIT,
    ),
    Distribution(
        "noncentral_chisquare",
        (P("df"), P("nonc")),
        _noncentral_chisquare,
        (_positive("df"), _not_negative("nonc")),
        method="chi-square of Poisson degrees of freedom",
        gradient="as chisquare; the distribution function held for nonc",
    ),
    Distribution(
        "f",
        (P("dfnum"), P("dfden")),
        _f,
        (_positive("dfnum"), _positive("dfden")),
        method="of two gamma numbers",
        gradient=IMPLICIT,
    ),
    Distribution(
        "t",
        (P("df"), LOC, SCALE),
        _student,
        (_positive("df"), _not_negative("scale")),
        method="of a normal and a gamma number",
        gradient=IMPLICIT,
    ),
    Distribution(
        "standard_t",
        (P("df"),),
        lambda s, t, df: _student(s, t, df, 0.0, 1.0),
        (_positive("df"),),
        method="as t",
        gradient=IMPLICIT,
    ),
    Distribution(
        "beta",
        (P("alpha"), P("beta")),
        _beta,
        (_positive("alpha"), _positive("beta")),
        method="of logarithms of two gamma numbers",
        gradient=IMPLICIT,
    ),
    Distribution(
        "dirichlet",
        (P("alphas", core=1),),
        _dirichlet,
        (_positive("alphas"),),
        core=1,
        method="of logarithms of gamma numbers",
        gradient=IMPLICIT,
    ),
    Distribution(
        "multivariate_normal",
        (P("mean", core=1), P("cov", core=2)),
        _multivariate_normal,
        core=1,
        method="mean + L z, cov = L L' (Cholesky)",
        gradient=REPARAMETRISED,
    ),
    Distribution(
        "standard_cauchy", (), lambda s, t: _cauchy(s, t, 0.0, 1.0), method=INVERSION, gradient="no parameter"
    ),
    Distribution(
        "noncentral_f",
        (P("dfnum"), P("dfden"), P("nonc")),
        _noncentral_f,
        (_positive("dfnum"), _positive("dfden"), _not_negative("nonc")),
        method="of two chi-square numbers",
        gradient="as f; the distribution function held for nonc",
    ),
    Distribution(
        "asymmetric_laplace",
        (P("b"), P("kappa"), P("mu")),
        _asymmetric_laplace,
        (_positive("b"), _positive("kappa")),
        method="of two exponential numbers",
        gradient=REPARAMETRISED,
    ),
    Distribution(
        "skewnormal",
        (P("mu"), P("sigma"), P("alpha")),
        _skew_normal,
        (_not_negative("sigma"),),
        method="of two normal numbers (Azzalini, 1985)",
        gradient=REPARAMETRISED,
    ),
    Distribution(
        "exgaussian",
        (P("mu"), P("sigma"), P("nu")),
        lambda s, t, mu, sigma, nu: mu + sigma * s.normal() + nu * s.part(1).exponential(),
        (_not_negative("sigma"), _not_negative("nu")),
        method="of a normal and an exponential number",
        gradient=REPARAMETRISED,
    ),
    Distribution(
        "kumaraswamy",
        (P("a"), P("b")),
        _kumaraswamy,
        (_positive("a"), _positive("b")),
        method=INVERSION,
        gradient=REPARAMETRISED,
    ),
    Distribution(
        "moyal",
        (P("mu"), P("sigma")),
        lambda s, t, mu, sigma: mu - 2 * sigma * log(abs_(s.normal())),
        (_not_negative("sigma"),),
        method="of a normal number",
        gradient=REPARAMETRISED,
    ),
    Distribution(
        "matrix_normal",
        (P("mean", core=2), P("rowcov", core=2), P("colcov", core=2)),
        _matrix_normal,
        core=2,
        method="mean + L Z R', of both Cholesky factors",
        gradient=REPARAMETRISED,
    ),
    Distribution(
        "wishart",
        (P("df"), P("scale", core=2)),
        _wishart,
        (_positive("df"),),
        core=2,
        method="of normal and gamma numbers (Bartlett, 1933)",
        gradient=IMPLICIT,
    ),
    Distribution(
        "discrete_weibull",
        (P("q"), P("beta")),
        _discrete_weibull,
        (Check(("q",), "q must be a probability above 0 and below 1", lambda q: (q > 0) & (q < 1)), _positive("beta")),
        dtype="int64",
        method=INVERSION,
        gradient=NO_COUNT,
    ),
    # counts
    Distribution(
        "bernoulli", (P("p"),), _bernoulli, (_probability("p"),), dtype="int64", method="u < p", gradient=NO_COUNT
    ),
    Distribution(
        "binomial",
        (P("n", is_integer=True), P("p")),
        _binomial,
        (_counts("n"), _probability("p")),
        dtype="int64",
        method="transformed rejection (Hoermann, 1993); a search for means below 10",
        gradient=NO_COUNT,
    ),
    Distribution(
        "betabinom",
        (P("n", is_integer=True), P("a"), P("b")),
        lambda s, t, n, a, b: s.part(2).by(rr.BINOMIAL, n, _beta(s, t, a, b)),
        (_counts("n"), _positive("a"), _positive("b")),
        dtype="int64",
        method="binomial of a beta number",
        gradient=NO_COUNT,
    ),
    Distribution(
        "poisson",
        (P("lam", 1.0),),
        lambda s, t, lam: s.by(rr.POISSON, lam),
        (Check(("lam",), "a mean must be 0 or more, and below 2^53", lambda x: (x >= 0) & (x < 2.0**53)),),
        dtype="int64",
        method="transformed rejection (Hoermann, 1993); a search for means below 10",
        gradient=NO_COUNT,
    ),
    Distribution(
        "geometric",
        (P("p"),),
        _geometric,
        (Check(("p",), "p must be a probability above 0", lambda p: (p > 0) & (p <= 1)),),
        dtype="int64",
        method=INVERSION,
        gradient=NO_COUNT,
    ),
    Distribution(
        "negative_binomial",
        (P("n"), P("p")),
        _negative_binomial,
        (
            Check(("n",), "n must be more than 0", lambda n: n > 0),
            Check(("p",), "p must be a probability above 0", lambda p: (p > 0) & (p <= 1)),
            Check(("n", "p"), "the mean n (1 - p) / p must be below 2^53", lambda n, p: n * ((1 - p) / p) < 2.0**53),
        ),
        dtype="int64",
        method="Poisson of a gamma number",
        gradient=NO_COUNT,
    ),
    Distribution(
        "hypergeometric",
        (P("ngood", is_integer=True), P("nbad", is_integer=True), P("nsample", is_integer=True)),
        lambda s, t, good, bad, sample: s.by(rr.HYPERGEOMETRIC, good, bad, sample),
        (
            _counts("ngood"),
            _counts("nbad"),
            _counts("nsample"),
            Check(("ngood", "nbad", "nsample"), "nsample must not be above ngood + nbad", lambda g, b, n: n <= g + b),
        ),
        dtype="int64",
        method="ratio of uniforms (Stadlober, 1990); one by one for samples below 10",
        gradient=NO_COUNT,
    ),
    Distribution(
        "multivariate_hypergeometric",
        (P("colors", is_integer=True, core=1), P("nsample", is_integer=True)),
        _multivariate_hypergeometric,
        (
            _counts("colors"),
            _counts("nsample"),
            Check(
                ("colors", "nsample"), "nsample must not be above the sum of colors", lambda c, n: n <= c.sum(axis=-1)
            ),
        ),
        dtype="int64",
        core=1,
        method="hypergeometric numbers, one colour after the other",
        gradient=NO_COUNT,
    ),
    Distribution(
        "logseries",
        (P("p"),),
        _log_series,
        (Check(("p",), "p must be 0 or more and below 1", lambda p: (p >= 0) & (p < 1)),),
        dtype="int64",
        method="of two uniform numbers (Kemp, 1981)",
        gradient=NO_COUNT,
    ),
    Distribution(
        "zipf",
        (P("a"),),
        lambda s, t, a: s.by(rr.ZETA, a),
        (Check(("a",), "a must be more than 1", lambda a: a > 1),),
        dtype="int64",
        method="rejection (Devroye, 1986)",
        gradient=NO_COUNT,
    ),
    Distribution(
        "categorical",
        (P("p", core=1),),
        _categorical,
        (_probability("p"), _sums_to_one("p", True)),
        dtype="int64",
        method="running sums of p that u exceeds",
        gradient=NO_COUNT,
    ),
    Distribution(
        "multinomial",
        (P("n", is_integer=True), P("pvals", core=1)),
        _multinomial,
        (_counts("n"), _probability("pvals"), _sums_to_one("pvals", False)),
        dtype="int64",
        core=1,
        method="binomial numbers, one outcome after the other",
        gradient=NO_COUNT,
    ),
    Distribution(
        "integers",
        (P("low", is_integer=True), P("high", is_integer=True)),
        _integers,
        (Check(("low", "high"), "low must be below high", lambda low, high: low < high),),
        dtype="int64",
        method="upper half of 64 random bits times the number of integers",
        gradient=NO_COUNT,
    ),
)
DISTRIBUTIONS: dict[str, Distribution] = {row.name: row for row in TABLE}
ALIASES = {"nbinom": "negative_binomial"}


def probabilities(what: str, p: Any, count: Any) -> Any:
    """Probabilities along the last axis, float64, behind their checks; count: how many there must be, if not None."""
    x = as_variable(p)
    row = Distribution(what, (P("p", core=1),), _categorical, (_probability("p"), _sums_to_one("p", True)))
    (x,) = _checked(row, [_parameter(row, row.parameters[0], x)])
    if count is not None:
        n = as_dim(shape_tuple(x)[-1])
        if known_int(n) is not None and known_int(count) is not None:
            if known_int(n) != known_int(count):
                raise ValueError(f"{what}: `a` and p must have one length, got {known_int(count)} and {known_int(n)}")
        else:
            x = require(x, eq(n, count), f"{what}: `a` and p must have one length")
    return cast(x, "float64")
