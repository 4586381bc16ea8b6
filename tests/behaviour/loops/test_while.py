"""Loops that end early: `while_loop`, and `scan` with `until`."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import tensordsl
import tensordsl.tensor as T
from tensordsl import scan, while_loop
from tensordsl.ifelse import ifelse
from tensordsl.scan_module import until
from tensordsl.tensor.shared_randomstreams import RandomStreams

MODES = ["FAST_RUN", "FAST_COMPILE", "REFERENCE", "DebugMode"]
x, d, c = T.dvector("x"), T.dscalar("d"), T.dscalar("c")
A, k, a, b = T.dmatrix("A"), T.lscalar("k"), T.lscalar("a"), T.lscalar("b")
X = np.arange(1.0, 6.0)


def collatz(start: Any) -> Any:
    """The number of rounds down to 1, and the largest value."""

    def body(carry: Any) -> Any:
        n = ifelse(T.eq(carry["n"] % 2, 0), carry["n"] // 2, 3 * carry["n"] + 1)
        return {"n": n, "rounds": carry["rounds"] + 1, "most": T.maximum(carry["most"], n)}

    last = while_loop(lambda carry: carry["n"] > 1, body, {"n": start, "rounds": 0, "most": start})
    return [last["rounds"], last["most"]]


def newton(y: Any) -> Any:
    return while_loop(lambda r: abs(r * r - y) > 1e-13 * y, lambda r: (r + y / r) / 2, y)


def mandelbrot(re: Any, im: Any, most: int) -> Any:
    """In how many rounds a point escapes."""

    def body(carry: Any) -> Any:
        (zr, zi), n = carry
        return (zr * zr - zi * zi + re, 2 * zr * zi + im), n + 1

    def stays(carry: Any) -> Any:
        (zr, zi), _ = carry
        return zr * zr + zi * zi <= 4

    return while_loop(stays, body, ((0.0, 0.0), 0), most)[1]


def squarings(z: Any) -> Any:
    """Complex squares up to where they are large."""
    return while_loop(lambda s: abs(s) < 100, lambda s: s * s + 1, z)


def power_iteration(M: Any) -> Any:
    def body(carry: Any) -> Any:
        v, _ = carry
        w = T.dot(M, v)
        w = w / T.sqrt((w * w).sum())
        return w, abs(w - v).max()

    v, _ = while_loop(lambda carry: carry[1] > 1e-12, body, (T.ones_like(M[0]), np.inf), 1000)
    return T.dot(v, T.dot(M, v))


def in_each(values: Any) -> Any:
    """A while loop in each round of a scan."""
    return scan(lambda v: while_loop(lambda s: s < 100, lambda s: s * 2, v), values)[0]


def of_scans(start: Any) -> Any:
    """A scan in each round of a while loop."""

    def body(carry: Any) -> Any:
        s, n = carry
        sums, _ = scan(lambda i, t: t + i * s, T.arange(4), T.zeros_like(s))
        return s + sums[-1], n + 1

    return while_loop(lambda carry: carry[0] < 1000, body, (start, 0))


CASES: dict[str, tuple[Any, Any]] = {
    "gcd": (lambda: while_loop(lambda p: T.neq(p[1], 0), lambda p: (p[1], p[0] % p[1]), (a, b)), [12, 0]),
    "gcd without a round": (lambda: while_loop(lambda p: p[1] > 50, lambda p: (p[1], p[0] % p[1]), (a, b)), [48, 36]),
    "collatz": (lambda: collatz(k), [111, 9232]),
    "collatz of 1": (lambda: collatz(T.ones_like(k)), [0, 1]),
    "newton": (lambda: newton(d), np.sqrt(2.0)),
    "mandelbrot, inside": (lambda: mandelbrot(d * 0, d * 0, 100), 100),
    "mandelbrot, outside": (lambda: mandelbrot(d * 0.25, d * 0.25, 100), 5),
    "an int of Python counts beyond 127": (lambda: while_loop(lambda n: n < 1000, lambda n: n + 1, 0), 1000),
    "one round": (lambda: while_loop(lambda s: s < 3, lambda s: s * 10, d), 20),
    "no round": (lambda: while_loop(lambda s: s < 1, lambda s: s * 10, d), 2),
    "never ending": (lambda: while_loop(lambda s: True, lambda s: s + 1, d, 7), 9),
    "no round at most": (lambda: while_loop(lambda s: s > 0, lambda s: s + 1, d, 0), 2),
    "symbolic max_rounds": (lambda: while_loop(lambda s: s > 0, lambda s: s + 1, d, k), 29),
    "a condition that is a number": (lambda: while_loop(lambda n: n, lambda n: n - 1, a), 0),
    "a condition of the start alone": (lambda: while_loop(lambda s: d > 1, lambda s: s + 1, d, 3), 5),
    "the body changes nothing": (lambda: while_loop(lambda s: s[1] < 5, lambda s: (s[0], s[1] + 1), (x, 0))[0], X),
    "carries change places": (lambda: while_loop(lambda s: s[2] < 3, lambda s: (s[1], s[0], s[2] + 1), (x, 2 * x, 0)),
                              [2 * X, X, 3]),
    "complex": (lambda: squarings(T.complex(d / 2, d / 2)), -134 + 352j),
    "empty arrays": (lambda: while_loop(lambda s: s.sum() < 1, lambda s: s + 1, x[:0], 4), []),
    "lengths of states differ": (
        lambda: while_loop(lambda s: s[0].sum() < 100, lambda s: [s[0] * 2, s[1] + s[0].sum()], [x, A]),
        [X * 8, np.arange(6.0).reshape(2, 3) + 15 + 30 + 60]),
    "in a scan": (lambda: in_each(x), [128, 128, 192, 128, 160]),
    "a scan in it": (lambda: of_scans(d), [4802, 4]),
    "in a branch that is taken": (lambda: ifelse(d > 0, newton(d), d), np.sqrt(2.0)),
    "in a branch that is not taken": (lambda: ifelse(d < 0, while_loop(lambda s: True, lambda s: s, d), d), 2),
    "one in another": (
        lambda: while_loop(lambda s: s < 100, lambda s: while_loop(lambda t: t < s + 10, lambda t: t + 3, s) * 2, d),
        184),
    "an index in a round": (lambda: while_loop(lambda n: x[n] < 4, lambda n: n + 1, 0), 3),
    "until, the result of the last round": (
        lambda: scan(lambda s: (s * 2, until(s > 5)), outputs_info=d, n_steps=10**6)[0][-1], 16),
    "until, no state": (lambda: scan(lambda v: (v * 2, until(v > 2)), x)[0], [2, 4, 6]),
    "until in the first round": (lambda: scan(lambda v: (v * 2, until(v > 0)), x)[0], [2]),
    "until in no round": (lambda: scan(lambda v: (v * 2, until(v > 9)), x)[0], X * 2),
    "until, nothing to walk over": (lambda: scan(lambda v: (v * 2, until(v > 9)), x[:0])[0], []),
    "until in each round of a scan": (
        lambda: scan(lambda v: scan(lambda w, s: (s + w, until(s > v)), x, T.zeros_like(v))[0].sum(), x)[0],
        [10, 10, 20, 20, 20]),
    "until of rows": (lambda: scan(lambda r, s: (r + s, until(r.sum() > 2)), A, T.zeros_like(A[0]))[0],
                      [[0, 1, 2]]),
    "what is behind until": (
        lambda: scan(lambda s: (s * 2, until(s > 5)), outputs_info=d, n_steps=9)[0] * T.arange(1, 4), [4, 16, 48]),
}  # fmt: skip


def run(outputs: Any, mode: Any = None, **changed: Any) -> Any:
    values = {"x": X, "d": 2.0, "A": np.arange(6.0).reshape(2, 3), "k": 27, "a": 48, "b": 36, **changed}
    inputs = [v for v in (x, d, A, k, a, b) if v.name in values]
    return tensordsl.function(inputs, outputs, mode=mode, on_unused_input="ignore")(*(values[v.name] for v in inputs))


def flat(values: Any) -> list[Any]:
    return [w for v in values for w in flat(v)] if isinstance(values, list | tuple) else [values]


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("build, expected", CASES.values(), ids=CASES)
def test_values(build: Any, expected: Any, mode: str) -> None:
    built = build()
    found = run([*built] if isinstance(built, list | tuple) else built, mode)
    if not isinstance(built, list | tuple):
        found, expected = [found], [expected]
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-12)


def test_nan_counts_as_true() -> None:
    last, rounds = run([*while_loop(lambda s: s[0], lambda s: (s[0] * np.nan, s[1] + 1), (d, 0), 3)])
    assert np.isnan(last) and rounds == 3


def test_structures_come_back_as_they_were_given() -> None:
    init = {"h": (d, [x]), "n": 0}
    last = while_loop(
        lambda s: s["n"] < 2, lambda s: {"n": s["n"] + 1, "h": [s["h"][0] * 2, (s["h"][1][0] + 1,)]}, init
    )
    assert list(last) == ["h", "n"] and isinstance(last["h"], tuple) and isinstance(last["h"][1], list)
    found = run([last["h"][0], last["h"][1][0], last["n"]])
    for one, other in zip(found, (8, X + 2, 2), strict=True):
        np.testing.assert_array_equal(one, other)


def test_one_compile_serves_all_lengths_and_numbers_of_rounds() -> None:
    total, rounds = while_loop(lambda s: s[0].sum() < d, lambda s: (s[0] + x, s[1] + 1), (x, 0))
    f = tensordsl.function([x, d], [total, rounds])
    for length in (1, 2, 17, 300):
        for limit in (-1.0, 5.0, 1000.0):
            values, n = np.full(length, 1.5), 0
            while (values * (n + 1)).sum() < limit:
                n += 1
            got, count = f(values, limit)
            np.testing.assert_allclose(got, values * (n + 1))
            assert count == n
    values, _ = scan(lambda v, s: (s + v, until(s + v > d)), x, T.zeros_like(d))
    g = tensordsl.function([x, d], values)
    for length in (0, 1, 2, 17, 300):
        sums = np.cumsum(np.ones(length))
        for limit in (-1.0, 5.0, 1000.0):
            np.testing.assert_array_equal(g(np.ones(length), limit), sums[: int(np.sum(sums <= limit)) + 1])


# -- gradients ---------------------------------------------------------------------------------------------------------
DIFFERENTIABLE: dict[str, Any] = {
    "newton": lambda: newton(d),
    "no round": lambda: while_loop(lambda s: s < -9, lambda s: s * s, d),
    "of the last of several": lambda: while_loop(
        lambda s: s[1] < 4, lambda s: (T.sin(s[0]) * d + x.sum(), s[1] + 1), (d, 0))[0],
    "with max_rounds": lambda: while_loop(lambda s: s < 1e9, lambda s: s * T.sin(d) + x[2], d, 5),
    "in a scan": lambda: scan(lambda v: while_loop(lambda s: s < 50, lambda s: s * (d + v), v), x)[0].sum(),
    "a scan in it": lambda: while_loop(
        lambda s: s < 100, lambda s: scan(lambda v, t: t + T.sin(v) * s, x, s)[0][-1] + d, d),
    "one in another": lambda: while_loop(
        lambda s: s < 200, lambda s: while_loop(lambda t: t < s + 9, lambda t: t * d, s) + x[0], d),
    "in a branch": lambda: ifelse(d > 0, newton(d) * 2, d),
    "until": lambda: (scan(lambda v, s: (s * v + T.sin(s), until(s > 20)), x, d)[0] ** 2).sum(),
    "until, the last": lambda: scan(lambda v, s: (s * v + T.sin(s), until(s > 20)), x, d)[0][-1],
    "until, without a state": lambda: scan(lambda v: (T.sin(v * d), until(v > 2.1)), x)[0].sum(),
    "until in a scan": lambda: scan(
        lambda v: scan(lambda w, s: (s * w + v, until(s > 9)), x, d)[0].sum(), x)[0].sum(),
}  # fmt: skip


def slopes(outputs: Any, at: Any, along: Any) -> Any:
    """Differences of a function along a direction, and what its derivatives say."""
    f = tensordsl.function([x, d], outputs, on_unused_input="ignore")
    eps = 1e-6
    ahead, behind = (f(*(v + sign * eps * u for v, u in zip(at, along, strict=True)))[0] for sign in (1, -1))
    _, *by = f(*at)
    return (ahead - behind) / (2 * eps), sum(np.sum(g * u) for g, u in zip(by, along, strict=True))


@pytest.mark.parametrize("build", DIFFERENTIABLE.values(), ids=DIFFERENTIABLE)
def test_gradients_are_those_of_the_rounds_that_were(build: Any) -> None:
    cost = build()
    first = T.grad(cost, [x, d], disconnected_inputs="ignore")
    at, along = (X / 4 + 1, np.float64(1.7)), (np.linspace(-1, 1, 5), np.float64(0.6))
    differences, found = slopes([cost, *first], at, along)
    assert found == pytest.approx(differences, rel=1e-6, abs=1e-7)


@pytest.mark.parametrize("build", DIFFERENTIABLE.values(), ids=DIFFERENTIABLE)
def test_second_derivatives(build: Any) -> None:
    by_x, by_d = T.grad(build(), [x, d], disconnected_inputs="ignore")
    cost = (by_x * np.linspace(1, 2, 5)).sum() + by_d
    second = T.grad(cost, [x, d], disconnected_inputs="ignore")
    at, along = (X / 4 + 1, np.float64(1.7)), (np.linspace(-1, 1, 5), np.float64(0.6))
    differences, found = slopes([cost, *second], at, along)
    assert found == pytest.approx(differences, rel=1e-5, abs=1e-6)


def test_gradients_behind_until_are_those_of_a_scan_of_so_many_rounds() -> None:
    """Theano's lack what comes through the last round but one and those before it."""

    def step(v: Any, s: Any) -> Any:
        return T.tanh(s * v) + v

    ended, _ = scan(lambda v, s: (step(v, s), until(s > 2.5)), x, d)
    counted, _ = scan(step, x, d, n_steps=k)
    g, h = (T.grad((values**2).sum(), [x, d]) for values in (ended, counted))
    f = tensordsl.function([x, d], [ended.shape[0], *g])
    n, *found = f(X, 0.3)
    for one, other in zip(found, tensordsl.function([x, d, k], h)(X, 0.3, n), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-12)


# -- random numbers, state ---------------------------------------------------------------------------------------------
def test_random_updates_are_those_of_the_rounds_that_were() -> None:
    """The state behind the loop is that of as many rounds of a counted one."""
    drawn = []
    for has_end in (True, False):
        streams = RandomStreams(7)
        counter = tensordsl.shared(0.0)

        def step(s: Any, streams: Any = streams, counter: Any = counter, has_end: bool = has_end) -> Any:
            r = s + streams.uniform(())
            return [r, {counter: counter + r}, *([until(r > 3)] if has_end else [])]

        values, updates = scan(step, outputs_info=T.zeros_like(d), n_steps=50 if has_end else k)
        f = tensordsl.function([d, k], values, updates=updates, on_unused_input="ignore")
        first = f(0.0, len(drawn[0]) if drawn else 0)
        drawn.append(first)
        np.testing.assert_allclose(counter.get_value(), first.sum(), rtol=1e-12)
    np.testing.assert_array_equal(drawn[0], drawn[1])
    assert drawn[0][-1] > 3 and all(drawn[0][:-1] <= 3)


def test_rounds_behind_the_end_are_not_run() -> None:
    """Where they would fail, too."""
    values, _ = scan(lambda n: (x[n], until(T.ge(n, x.shape[0] - 1))), T.arange(100))
    np.testing.assert_array_equal(run(values), X)


# -- mistakes ----------------------------------------------------------------------------------------------------------
MISTAKES: dict[str, tuple[Any, type[Exception], str]] = {
    "no function": (lambda: while_loop(3, lambda s: s, d), TypeError, "the condition must be a function"),
    "no body": (lambda: while_loop(lambda s: s, None, d), TypeError, "the body must be a function"),
    "no values": (lambda: while_loop(lambda s: d, lambda s: s, ()), ValueError, "init has no values"),
    "a condition with axes": (
        lambda: while_loop(lambda s: s > 0, lambda s: s, x), TypeError, "real value without axes.*any"),
    "a complex condition": (
        lambda: while_loop(lambda s: T.complex(s, s), lambda s: s, d), TypeError, "real value without axes"),
    "no condition": (lambda: while_loop(lambda s: None, lambda s: s, d), TypeError, "must return one value"),
    "another structure": (
        lambda: while_loop(lambda s: s["a"] > 0, lambda s: {"b": d}, {"a": d}), TypeError,
        r"the body's carry must have the keys \['a'\]"),
    "a part that is missing": (
        lambda: while_loop(lambda s: s[0] > 0, lambda s: (s[0], [s[1][0]]), (d, [d, d])), TypeError,
        r"the body's carry\[1\] must have 2 parts, got 1"),
    "another dtype": (
        lambda: while_loop(lambda s: s["n"][0] > 0, lambda s: {"n": [s["n"][0] / 2]}, {"n": [a]}), ValueError,
        r"carry\['n'\]\[0\] has dtype float64, but its state starts with int64"),
    "another rank": (lambda: while_loop(lambda s: s.sum() > 0, lambda s: s.sum(), x), ValueError, "carry has 0 axes"),
    "negative max_rounds": (lambda: while_loop(lambda s: s, lambda s: s, d, -1), ValueError, "must not be negative"),
    "max_rounds that is no integer": (
        lambda: while_loop(lambda s: s, lambda s: s, d, 2.5), TypeError, "max_rounds must be an integer"),
    "random numbers": (
        lambda: while_loop(lambda s: s < 1, lambda s: s + RandomStreams(1).uniform(()), d), ValueError,
        "draws random numbers"),
    "an error in the condition": (lambda: while_loop(lambda s: s.no_such_name, lambda s: s, d), AttributeError, "no_such_name"),
}  # fmt: skip


@pytest.mark.parametrize("build, error, text", MISTAKES.values(), ids=MISTAKES)
def test_mistakes_are_named(build: Any, error: type[Exception], text: str) -> None:
    with pytest.raises(error, match=text):
        build()


def test_the_loops_name_is_in_the_error() -> None:
    with pytest.raises(TypeError, match="while_loop 'down': the condition"):
        while_loop(lambda s: None, lambda s: s, d, name="down")


CALLS: dict[str, tuple[Any, dict[str, Any], type[Exception], str]] = {
    "negative max_rounds": (lambda: while_loop(lambda s: s, lambda s: s, d, k), {"k": -2}, ValueError, "negative"),
    "an index in the condition": (
        lambda: while_loop(lambda n: x[n] < 40, lambda n: n + 1, 0), {}, IndexError, "out of bounds"),
    "a carry that changes its shape": (
        lambda: while_loop(lambda s: s.sum() < 9, lambda s: T.concatenate([s, s]), x[:2]), {}, ValueError, "shape"),
}  # fmt: skip


@pytest.mark.parametrize("build, values, error, text", CALLS.values(), ids=CALLS)
def test_a_call_that_cannot_go_on_changes_nothing(build: Any, values: Any, error: type[Exception], text: str) -> None:
    state = tensordsl.shared(1.0)
    given = {"x": X, "d": 2.0, "k": 27, **values}
    f = tensordsl.function(
        [x, d, k], build().sum(), updates={state: state + 1}, on_unused_input="ignore")  # fmt: skip
    with pytest.raises(error, match=text):
        f(given["x"], given["d"], given["k"])
    assert state.get_value() == 1


# -- what the compiler makes of them -----------------------------------------------------------------------------------
def test_passes_go_into_loops_whose_number_of_rounds_is_a_length() -> None:
    """log(1 + s) is exact for tiny numbers, as outside of loops."""
    values, _ = scan(lambda s: (T.log(1 + s), until(s > 1)), outputs_info=d, n_steps=3)
    np.testing.assert_array_equal(run(values, d=1e-30), [1e-30] * 3)


def test_where_only_the_last_value_is_read_no_history_is_stored() -> None:
    values, _ = scan(lambda s: (T.sin(s) * 2, until(s > 5)), outputs_info=d, n_steps=k)
    last, all_of_them = tensordsl.function([d, k], values[-1]), tensordsl.function([d, k], values.sum())
    sizes = [[storage.bytes for storage in f.memory_map() if storage.kind == "arena"] for f in (last, all_of_them)]
    assert not sizes[0] and any("max(" in size for size in sizes[1])


def test_a_limit_that_is_never_reached_takes_no_room() -> None:
    """The gradient remembers the rounds that were."""
    last = while_loop(lambda s: s < 100, lambda s: s * d, d, 2**50)
    f = tensordsl.function([d], [last, T.grad(last, d)])
    np.testing.assert_allclose(f(3.0), [243.0, 5 * 3.0**4])
