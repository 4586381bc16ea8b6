"""Rules of draws: dtypes, shapes, broadcasting, wrong parameters, gradients, and that numbers depend on the state alone."""

from __future__ import annotations

import math
from typing import Any

import mpmath as mp
import numpy as np
import pytest
import scipy.stats
from scipy import stats

import tensordsl
import tensordsl.tensor as T
from tensordsl.ops.random.distributions import DISTRIBUTIONS, TABLE, Distribution
from tensordsl.tensor.shared_randomstreams import RandomStreams

# Parameters with which each distribution can be drawn, in two elements of an axis.
USUAL: dict[str, tuple[Any, ...]] = {
    "truncnorm": ([-1.0, 5.0], [1.0, 6.0]), "truncexpon": ([1.0, 2.0],), "pareto": ([1.5, 2.0],), "power": ([1.5, 2.0],),
    "weibull": ([1.5, 2.0],), "triangular": ([0.0, -1.0], [0.5, 1.0], [1.0, 2.0]), "vonmises": ([0.0, 1.0], [0.5, 20.0]),
    "gamma": ([0.5, 30.0],), "standard_gamma": ([0.5, 30.0],), "invgamma": ([0.5, 30.0],), "chisquare": ([1.0, 9.0],),
    "noncentral_chisquare": ([1.0, 3.0], [2.0, 0.5]), "f": ([1.0, 9.0], [3.0, 4.0]), "t": ([1.0, 9.0],),
    "standard_t": ([1.0, 9.0],), "beta": ([0.5, 9.0], [3.0, 4.0]), "bernoulli": ([0.2, 0.9],),
    "binomial": ([5, 300], [0.2, 0.6]), "betabinom": ([5, 300], [0.5, 2.0], [1.0, 3.0]), "poisson": ([0.5, 500.0],),
    "geometric": ([0.2, 0.9],), "negative_binomial": ([0.5, 9.0], [0.2, 0.9]),
    "hypergeometric": ([9, 50], [4, 90], [5, 60]), "logseries": ([0.2, 0.9],), "zipf": ([1.5, 4.0],),
    "integers": ([-5, 0], [5, 2]), "normal": ([0.0, 5.0], [1.0, 2.0]), "uniform": ([0.0, 5.0], [1.0, 7.0]),
    "wald": ([1.0, 2.0], [3.0, 0.5]), "gengamma": ([1.0, 2.0], [1.5, 0.5]), "lognormal": ([0.0, 1.0],),
    "dirichlet": ([[0.5, 1.0, 2.0], [3.0, 4.0, 5.0]],), "categorical": ([[0.5, 0.5, 0.0], [0.1, 0.2, 0.7]],),
    "multinomial": ([4, 90], [[0.5, 0.5, 0.0], [0.1, 0.2, 0.7]]),
    "multivariate_hypergeometric": ([[4, 5, 6], [9, 0, 3]], [7, 8]),
    "noncentral_f": ([1.0, 9.0], [3.0, 4.0], [0.5, 2.0]), "asymmetric_laplace": ([1.0, 2.0], [0.5, 2.0], [0.0, 1.0]),
    "discrete_weibull": ([0.2, 0.9], [1.5, 0.5]), "wishart": ([3.5, 9.0], [[[2.0, 1.0], [1.0, 2.0]]] * 2),
    "matrix_normal": ([[[0.0, 1.0]]] * 2, [[[2.0]]] * 2, [[[2.0, 1.0], [1.0, 2.0]]] * 2),
    "multivariate_normal": ([[0.0, 1.0], [2.0, 3.0]], [[[2.0, 1.0], [1.0, 2.0]], [[1.0, 0.0], [0.0, 4.0]]]),
}  # fmt: skip
# The axes of one draw, of these parameters.
CORE: dict[str, tuple[int, ...]] = {
    **dict.fromkeys(("dirichlet", "multinomial", "multivariate_hypergeometric"), (3,)), "multivariate_normal": (2,),
    "matrix_normal": (1, 2), "wishart": (2, 2),
}  # fmt: skip
ROWS = pytest.mark.parametrize("row", TABLE, ids=lambda row: row.name)


def usual(row: Distribution) -> tuple[Any, ...]:
    if row.name in USUAL:
        return tuple(np.array(p) for p in USUAL[row.name])
    return tuple(np.array([1.0, 2.0]) for _ in row.parameters)


def build(row: Distribution, size: Any = None, seed: int = 5, **options: Any) -> Any:
    return getattr(RandomStreams(seed), row.name)(size, *usual(row), **options)


@ROWS
def test_shapes_and_dtypes(row: Distribution) -> None:
    """Of the parameters, or of `size`, along which they are repeated; empty ones; unknown lengths."""
    core = CORE.get(row.name, ())
    batch = (2,) if row.parameters else ()
    n = T.lscalar("n")
    draws = [
        build(row),
        build(row, (3, 2)),
        build(row, (0, 2)),
        build(row, (n, 2)),
        build(row, T.stack([n, n]), ndim=2),
    ]
    dtype = "float64" if row.dtype == "float" else "int64"
    assert [x.type.ndim for x in draws] == [len(batch) + len(core), *[2 + len(core)] * 4]
    shapes = [x.shape for x in tensordsl.function([n], draws)(2)]
    assert shapes == [batch + core, *((k, 2, *core) for k in (3, 0, 2, 2))]
    assert all(x.dtype == dtype for x in draws)
    other = "float32" if row.dtype == "float" else "int16"
    assert build(row, dtype=other).eval().dtype == other
    if row.dtype == "float":
        with tensordsl.config.change_flags(floatX="float32"):
            narrow = getattr(RandomStreams(5), row.name)((2,), *(p.astype("float32") for p in usual(row)))
            assert narrow.dtype == "float32" and np.isfinite(narrow.eval()).all()
            assert not row.parameters or build(row).dtype == "float64"  # a wider parameter


@pytest.mark.parametrize("name", ["normal", "gamma", "poisson", "binomial", "multinomial"])
def test_threads_draw_the_same(name: str) -> None:
    found = []
    for threads in (1, 3):
        with tensordsl.config.change_flags(num_threads=threads):
            found.append(tensordsl.function([], build(DISTRIBUTIONS[name], (100_001, 2)))())
    assert np.array_equal(*found)


@ROWS
def test_numbers_depend_on_the_state_alone(row: Distribution) -> None:
    """Not on the mode; where both round differently, a few numbers may."""
    size = (700, 2)
    first = tensordsl.function([], build(row, size))()
    again = tensordsl.function([], build(row, size))()
    assert np.array_equal(first, again)
    other = tensordsl.function([], build(row, size), mode="REFERENCE")()
    same = np.isclose(first, other, rtol=1e-9, atol=1e-12) if row.dtype == "float" else first == other
    assert same.mean() > 0.999
    assert not np.array_equal(first, tensordsl.function([], build(row, size, seed=6))())


def test_parameters_are_repeated_as_numpy_repeats_them() -> None:
    s = RandomStreams(1)
    x = s.normal((2, 3), np.array([[10.0], [20.0]]), 1e-9).eval()
    np.testing.assert_allclose(x, [[10.0] * 3, [20.0] * 3], atol=1e-6)
    x = s.gamma(None, np.full((3, 1), 1e6), np.array([1.0, 2.0])).eval()
    assert x.shape == (3, 2) and (np.abs(x / [1e6, 2e6] - 1) < 0.01).all()
    with pytest.raises(ValueError, match="loc has 2 axes for draws, size has 1"):
        s.normal((3,), np.zeros((2, 3)))
    with pytest.raises(ValueError):
        s.normal((2,), np.zeros(3)).eval()
    with pytest.raises(ValueError):  # an axis of length 1 is not stretched by parameters
        s.normal((1,), np.zeros(3)).eval()


WRONG: tuple[tuple[str, tuple[Any, ...], str], ...] = (
    ("uniform", (1.0, 0.0), "uniform: low must not be above high, and high - low must be finite, got 1.0, 0.0"),
    ("uniform", (float("nan"), 1.0), "high - low must be finite, got nan, 1.0"),
    ("uniform", (0.0, float("inf")), "high - low must be finite, got 0.0, inf"),
    ("uniform", (-1e308, 1e308), "high - low must be finite"),
    ("normal", (0.0, -1.0), "normal: scale must be 0 or more, got -1.0"),
    ("exponential", (-1.0,), "exponential: scale must be 0 or more"),
    ("gamma", (-1.0,), "gamma: shape must be 0 or more"),
    ("beta", (0.0, 1.0), "beta: alpha must be more than 0"),
    ("t", (0.0,), "t: df must be more than 0"),
    ("binomial", (5, 1.5), "binomial: p must be a probability: p within 0 and 1"),
    ("binomial", (5, float("nan")), "p within 0 and 1"),
    ("binomial", (-5, 0.5), "binomial: n must be 0 or more"),
    ("poisson", (-1.0,), "poisson: a mean must be 0 or more"),
    ("poisson", (float("nan"),), "poisson: a mean must be 0 or more"),
    ("poisson", (1e17,), "below 2\\^53"),
    ("geometric", (0.0,), "geometric: p must be a probability above 0"),
    ("zipf", (1.0,), "zipf: a must be more than 1"),
    ("logseries", (1.0,), "logseries: p must be 0 or more and below 1"),
    ("hypergeometric", (3, 4, 8), "nsample must not be above ngood \\+ nbad"),
    ("integers", (3, 3), "integers: low must be below high, got 3, 3"),
    ("triangular", (0.0, 2.0, 1.0), "triangular: mode must not be above right"),
    ("dirichlet", ([1.0, 0.0],), "dirichlet: alphas must be more than 0"),
    ("categorical", ([0.5, 0.4],), "categorical: p must sum to 1"),
    ("multinomial", (3, [0.9, 0.4, 0.1]), "multinomial: pvals\\[..., :-1\\] must not sum to more than 1"),
    ("multinomial", (3, [-0.1, 0.4]), "multinomial: pvals must be a probability"),
)


@pytest.mark.parametrize(("name", "parameters", "text"), WRONG)
def test_wrong_parameters(name: str, parameters: tuple[Any, ...], text: str) -> None:
    """Constants raise when the expression is built; others in the call, at the user's line."""
    with pytest.raises(ValueError, match=text):
        getattr(RandomStreams(1), name)((2,), *parameters)
    variables = [T.TensorType(np.asarray(p).dtype, (None,) * np.ndim(p))() for p in parameters]
    f = tensordsl.function(variables, getattr(RandomStreams(1), name)((2,), *variables))
    with pytest.raises(ValueError, match=text.partition(", got")[0]) as caught:
        f(*parameters)
    assert "test_draw_rules.py" in str(caught.value)


NUMPYS: dict[str, tuple[Any, ...]] = {
    "uniform": (0.0, 1.0), "normal": (0.0, 1.0), "lognormal": (0.0, 1.0), "exponential": (1.0,), "gumbel": (0.0, 1.0),
    "laplace": (0.0, 1.0), "logistic": (0.0, 1.0), "pareto": (2.0,), "power": (2.0,), "rayleigh": (1.0,),
    "weibull": (2.0,), "triangular": (0.0, 0.5, 1.0), "wald": (1.0, 1.0), "vonmises": (0.0, 1.0), "gamma": (1.0, 1.0),
    "standard_gamma": (1.0,), "chisquare": (2.0,), "noncentral_chisquare": (2.0, 1.0), "f": (2.0, 3.0),
    "standard_t": (3.0,), "beta": (1.0, 2.0), "dirichlet": ([1.0, 2.0],), "binomial": (5, 0.5), "poisson": (2.0,),
    "geometric": (0.5,), "negative_binomial": (3.0, 0.5), "logseries": (0.5,), "zipf": (2.0,),
    "multinomial": (5, [0.5, 0.5]),
}  # fmt: skip


@pytest.mark.parametrize("name", NUMPYS)
def test_nan_and_infinity_are_refused_where_numpy_refuses_them(name: str) -> None:
    for k, value in enumerate(NUMPYS[name]):
        for other in (np.nan, np.inf, -np.inf) if not isinstance(value, int) else ():
            given: list[Any] = list(NUMPYS[name])
            given[k] = other if isinstance(value, float) else [other, *value[1:]]
            try:
                getattr(np.random.default_rng(1), name)(*given)
            except (ValueError, OverflowError):
                with pytest.raises(ValueError):
                    getattr(RandomStreams(1), name)(None, *given)
            else:
                getattr(RandomStreams(1), name)(None, *given)


def test_a_failed_call_draws_nothing() -> None:
    streams, scale = RandomStreams(1), T.scalar("scale")
    x = streams.normal((2,), 0.0, scale)
    f = tensordsl.function([scale], x)
    before = x.rng.get_value()
    with pytest.raises(ValueError, match="scale must be 0 or more"):
        f(-1.0)
    assert np.array_equal(x.rng.get_value(), before)


def test_nan_parameters_give_nan_where_numpy_takes_them() -> None:
    s, nan = RandomStreams(1), np.array([np.nan, 1.0])
    draws = [
        s.normal(None, nan),
        s.normal(None, 0.0, nan),
        s.gamma(None, nan),
        s.exponential(None, nan),
        s.vonmises(None, 0.0, nan),
    ]
    for x in tensordsl.function([], draws)():
        assert np.isnan(x).tolist() == [True, False]


def test_parameters_at_the_ends() -> None:
    s = RandomStreams(2)
    n = T.lscalar("n")
    draws = [
        s.binomial((9,), n, 0.0), s.binomial((9,), n, 1.0), s.poisson((9,), 0.0), s.normal((9,), 3.0, 0.0),
        s.gamma((9,), 0.0), s.exponential((9,), 0.0), s.geometric((9,), 1.0), s.logseries((9,), 0.0),
        s.hypergeometric((9,), n, 0, n), s.multinomial((9,), n, [0.0, 1.0, 0.0]), s.uniform((9,), 2.0, 2.0),
    ]  # fmt: skip
    got = tensordsl.function([n], draws)(10**9)
    wanted = [0, 10**9, 0, 3.0, 0, 0, 1, 1, 10**9, [0, 10**9, 0], 2.0]
    for x, value in zip(got, wanted, strict=True):
        assert (x == np.array(value)).all()


@pytest.mark.parametrize("name", ["normal", "laplace", "gumbel", "logistic", "cauchy", "halfnormal", "halfcauchy"])
def test_gradients_of_location_and_scale(name: str) -> None:
    loc, scale = T.dscalars("loc", "scale")
    x = getattr(RandomStreams(1), name)((5,), loc, scale)
    draw, by_loc, by_scale = tensordsl.function([loc, scale], [x, *T.grad(T.sum(x), [loc, scale])])(1.0, 2.0)
    np.testing.assert_allclose([by_loc, by_scale], [5.0, np.sum((draw - 1) / 2)])


@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        ("exponential", (2.0,)), ("weibull", (1.5,)), ("pareto", (1.5, 2.0)), ("power", (1.5,)), ("rayleigh", (2.0,)),
        ("lognormal", (0.5, 0.7)), ("truncexpon", (2.0, 1.0, 3.0)), ("triangular", (0.0, 0.4, 2.0)), ("wald", (1.5, 2.0)),
        ("truncnorm", (-1.0, 2.0, 0.5, 1.5)), ("multivariate_normal", ([0.5, 1.0], [[2.0, 0.5], [0.5, 1.0]])),
    ],
)  # fmt: skip
def test_gradients_by_inversion(name: str, parameters: tuple[Any, ...]) -> None:
    """Against differences of the same draw."""
    variables = [T.TensorType("float64", (None,) * np.ndim(p))() for p in parameters]
    streams = RandomStreams(4)
    total = T.sum(T.sqr(getattr(streams, name)((6,), *variables)))
    f = tensordsl.function(variables, [total, *T.grad(total, variables)], no_default_updates=True)
    values = [np.array(p) for p in parameters]
    slopes = f(*values)[1:]
    for k, slope in enumerate(slopes):
        change = np.zeros_like(values[k])
        for place in np.ndindex(change.shape):
            change[place] = 1e-6
            ends = [f(*(v + sign * change if j == k else v for j, v in enumerate(values)))[0] for sign in (1, -1)]
            change[place] = 0
            if name != "multivariate_normal" or k == 0 or place == (0, 0):  # a matrix is symmetric
                np.testing.assert_allclose((ends[0] - ends[1]) / 2e-6, slope[place], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("limits", [(5.0, 6.5), (-7.0, -6.0), (5.0, 5.001), (30.0, np.inf)])
def test_gradients_of_a_tail_hold_the_distribution_function(limits: tuple[float, float]) -> None:
    """Against differences of SciPy's inverse at F(x), of one number."""
    a, b = T.dscalars("a", "b")
    x = RandomStreams(4).truncnorm((), a, b)
    z, by_a, by_b = tensordsl.function([a, b], [x, T.grad(x, a), T.grad(x, b)])(*limits)
    left = limits[0] > 0
    u = stats.truncnorm(*limits).sf(z) if left else stats.truncnorm(*limits).cdf(z)
    step = 1e-6

    def moved(da: float, db: float) -> float:
        law = stats.truncnorm(limits[0] + da, limits[1] + db)
        return float(law.isf(u) if left else law.ppf(u))

    np.testing.assert_allclose(by_a, (moved(step, 0) - moved(-step, 0)) / (2 * step), rtol=1e-3)
    np.testing.assert_allclose(by_b, (moved(0, step) - moved(0, -step)) / (2 * step), rtol=1e-3, atol=1e-12)


@pytest.mark.parametrize("shape", [0.05, 0.5, 3.0, 200.0, 1e5])
def test_the_gradient_by_the_shape_holds_the_distribution_function(shape: float) -> None:
    """Of gamma numbers, against differences of SciPy's inverse; the last shape is one of the approximation."""
    a, scale = T.dvector("a"), T.dscalar("scale")
    x = RandomStreams(1).gamma(None, a, scale)
    draw, by_scale, by_shape = tensordsl.function([a, scale], [x, *T.grad(T.sum(x), [scale, a])])(
        np.full(400, shape), 1
    )
    np.testing.assert_allclose(by_scale, draw.sum())
    u, tail, step = stats.gamma.cdf(draw, shape), stats.gamma.sf(draw, shape), shape * 1e-4
    ends = [np.where(u < 0.5, stats.gamma.ppf(u, a), stats.gamma.isf(tail, a)) for a in (shape + step, shape - step)]
    np.testing.assert_allclose(by_shape, (ends[0] - ends[1]) / (2 * step), rtol=1e-4, atol=1e-250)


def test_mean_gradients_of_what_is_made_of_gamma_numbers() -> None:
    """The mean of the gradient is the gradient of the mean."""
    a, n, s = T.dvector("a"), 40_000, RandomStreams(2)
    means = {"beta": 2 / (a + 2), "chisquare": a, "invgamma": 1 / (a - 1), "standard_gamma": a}
    for name, mean in means.items():
        parameters = (a, 2.0) if name == "beta" else (a,)
        x = getattr(s, name)(None, *parameters)
        if name == "beta":
            x = 1 - x
        slopes, wanted = tensordsl.function([a], [T.grad(T.sum(v), a) for v in (x, mean)])(np.full(n, 6.0))
        assert abs(slopes.mean() - wanted.mean()) < 5 * slopes.std() / n**0.5
    x = s.dirichlet((n,), a)[:, 0]
    slope = tensordsl.function([a], T.grad(T.mean(x), a))(np.array([1.0, 2.0, 3.0]))
    np.testing.assert_allclose(slope, [5 / 36, -1 / 36, -1 / 36], atol=0.005)


@pytest.mark.parametrize("kappa", [0.3, 2.0, 40.0, 5000.0])
def test_the_slope_of_von_mises_numbers_holds_their_distribution(kappa: float) -> None:
    k = T.dscalar("kappa")
    x = RandomStreams(1).vonmises((6,), 0.0, k)
    angles, slopes = tensordsl.function([k], [x, T.jacobian(x, k)])(kappa)
    with mp.workdps(30):
        for angle, slope in zip(angles.tolist(), slopes.tolist(), strict=True):
            ratio = mp.besseli(1, kappa) / mp.besseli(0, kappa)
            places = [0, angle / 2, angle] if mp.cos(angle) > ratio else [math.copysign(math.pi, angle), angle]

            def weighted(t: Any, angle: float = angle, ratio: Any = ratio) -> Any:
                return mp.exp(kappa * (mp.cos(t) - mp.cos(angle))) * (mp.cos(t) - ratio)

            part = mp.quad(weighted, places)
            assert slope == pytest.approx(float(-part), rel=1e-9)


@pytest.mark.parametrize("nonc", [0.0, 0.7, 30.0])
@pytest.mark.parametrize("df", [0.8, 3.0, 25.0])
def test_the_slope_by_noncentrality_is_a_quotient_of_densities(df: float, nonc: float) -> None:
    v = T.dscalar("nonc")
    x = RandomStreams(1).noncentral_chisquare((20,), df, v)
    numbers, slopes = tensordsl.function([v], [x, T.jacobian(x, v)])(nonc)
    wanted = scipy.stats.ncx2.pdf(numbers, df + 2, nonc) / scipy.stats.ncx2.pdf(numbers, df, nonc)
    np.testing.assert_allclose(slopes, wanted if nonc else numbers / df, rtol=1e-9)


def test_the_second_derivative_of_gamma_numbers_by_their_shape() -> None:
    """E x = a, E x^2 = a^2 + a, whose second derivatives are 0 and 2."""
    a = T.dvector("a")
    x = RandomStreams(5).standard_gamma(None, a)
    for value, wanted in ((x, 0.0), (T.sqr(x), 2.0)):
        second = T.grad(T.sum(T.grad(T.sum(value), a)), a)
        found = tensordsl.function([a], second)(np.full(20_000, 2.5))
        assert abs(found.mean() - wanted) < 5 * found.std() / len(found) ** 0.5


@pytest.mark.usefixtures("on_sim")
@pytest.mark.parametrize("name", ["normal", "gamma", "beta", "poisson", "binomial", "vonmises", "multinomial", "zipf"])
def test_a_device_draws_the_same(name: str) -> None:
    row = DISTRIBUTIONS[name]
    found = tensordsl.function([], build(row, (50, 2)))()
    with tensordsl.config.change_flags(device="cpu"):
        wanted = tensordsl.function([], build(row, (50, 2)))()
    if row.dtype == "float":
        np.testing.assert_allclose(np.asarray(found), wanted, rtol=1e-9)
    else:
        assert np.array_equal(np.asarray(found), wanted)


@pytest.mark.parametrize("name", ["gamma", "poisson", "binomial", "vonmises"])
@pytest.mark.parametrize("size", [(), (5,)])
def test_rounds_of_a_loop_draw_by_rejection(name: str, size: tuple[int, ...]) -> None:
    """New numbers in each round, the same in every mode, and fused with what the round computes of them."""
    parameters = {"gamma": (0.7,), "poisson": (20.0,), "binomial": (90, 0.4), "vonmises": (0.1, 3.0)}[name]

    def run(mode: str | None) -> Any:
        x = getattr(RandomStreams(3), name)(size, *parameters, dtype=None)
        total, updates = tensordsl.scan(
            lambda before: before + T.cast(x, "float64"), outputs_info=[T.zeros(size, dtype="float64")], n_steps=6
        )
        return tensordsl.function([], total, updates=updates, mode=mode)()

    found = run(None)
    assert len(np.unique(np.diff(found, axis=0))) > 2
    np.testing.assert_allclose(found, run("REFERENCE"), rtol=1e-9)


@pytest.mark.parametrize(("name", "parameters"), [("poisson", (1e15,)), ("binomial", (2**52, 0.3)), ("gamma", (1e12,))])
def test_debug_mode_accepts_large_parameters(name: str, parameters: tuple[Any, ...]) -> None:
    """Where logarithms of factorials would have lost all digits behind the point."""
    x = getattr(RandomStreams(6), name)((3000,), *parameters)
    found = tensordsl.function([], x, mode="DebugMode")()
    deviation = {"poisson": 1e15**0.5, "binomial": (2**52 * 0.21) ** 0.5, "gamma": 1e6}[name]
    mean = {"binomial": 2**52 * 0.3}.get(name, parameters[0])
    assert stats.kstest((found - mean) / deviation, stats.norm().cdf).pvalue > 0.005
