"""Loops of short rounds: one kernel or launches, the same results to the bit."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from scans import Scan, scans

import tensordsl
import tensordsl.tensor as T
from tensordsl.compile.mode import FAST_RUN
from tensordsl.ops.control import loop_index, make_loop, parameter_like
from tensordsl.tensor.shared_randomstreams import RandomStreams

OFF = FAST_RUN.excluding("rounds_in_registers")
LENGTHS = (0, 1, 2, 17)


def both(inputs: Sequence[Any], outputs: Any, **kwargs: Any) -> Callable[..., list[Any]]:
    """A function with and without kernels of rounds: their results are the same bits."""
    on, off = (tensordsl.function(inputs, outputs, mode=mode, **kwargs) for mode in (FAST_RUN, OFF))

    def call(*arguments: Any) -> list[Any]:
        found, wanted = on(*arguments), off(*arguments)
        for a, b in zip(found, wanted, strict=True):
            assert a.dtype == b.dtype and a.shape == b.shape
            assert a.tobytes() == b.tobytes(), (a, b)
        return list(found)

    return call


@pytest.mark.parametrize("dtype", ["float32", "int64", "bool"])
def test_rounds_that_compute_nothing_give_the_start_back(dtype: str) -> None:
    s, n, index = T.TensorType(dtype, ())("s"), T.lscalar("n"), loop_index()
    (last,) = make_loop(n, index, [inner := parameter_like(s)], [s], [inner])
    f = both([s, n], [last, last])
    for rounds in LENGTHS:
        assert f(np.asarray(1, dtype), rounds)[0] == 1


def power(dtype: str = "float64") -> Callable[..., list[Any]]:
    a, k = T.TensorType(dtype, (None,))("a"), T.lscalar("k")
    powers, _ = tensordsl.scan(lambda p, a: p * a, outputs_info=T.ones_like(a), non_sequences=a, n_steps=k)
    return both([a, k], [powers, powers[-1]] if dtype == "bool" else [powers])


@pytest.mark.parametrize("dtype", ["float64", "float32", "int64", "int32", "int8", "uint16", "complex64", "complex128"])
def test_powers_of_each_dtype_and_length(dtype: str) -> None:
    f = power(dtype)
    for lanes in (0, 1, 2, 3, 7, 8, 15, 16, 17, 40):
        for rounds in LENGTHS:
            a = (np.arange(lanes) - 3.0).astype(dtype)
            with np.errstate(all="ignore"):
                wanted = np.cumprod(np.broadcast_to(a, (rounds, lanes)), 0, dtype=dtype)
            (found,) = f(a, rounds)
            np.testing.assert_allclose(found, wanted, rtol=1e-6 if dtype == "complex64" else 1e-12)
            if dtype not in ("complex64", "complex128"):
                np.testing.assert_array_equal(found, wanted)


def test_special_numbers_and_the_signs_of_zeros() -> None:
    x, s, n = T.dvector("x"), T.dvector("s"), T.lscalar("n")
    states, _ = tensordsl.scan(
        lambda s, x: T.maximum(s * x, -s) + T.switch(T.isnan(x), 0.0, x / s), outputs_info=s, non_sequences=x, n_steps=n
    )
    f = both([x, s, n], [states])
    special = np.array([np.nan, np.inf, -np.inf, 0.0, -0.0, 5e-324, -1e308, 1.5, -2.0])
    grid = np.array([(a, b) for a in special for b in special])
    for rounds in LENGTHS:
        f(grid[:, 0], grid[:, 1], rounds)


def test_elements_that_are_not_adjacent_and_vectors_longer_than_short_ones() -> None:
    x, s, n = T.dvector("x"), T.dvector("s"), T.lscalar("n")
    states, _ = tensordsl.scan(lambda s, x: s * 0.5 + x, outputs_info=s, non_sequences=x, n_steps=n)
    f = both([x, s, n], [states[-1], states])
    for lanes in (1, 5, 16, 5000):
        data = np.random.default_rng(0).normal(size=(2, 2 * lanes))
        for step in (1, 2, -1):
            last, _ = f(data[0, ::step][:lanes], data[1, ::step][:lanes], 3)
            s0, x0 = data[1, ::step][:lanes], data[0, ::step][:lanes]
            np.testing.assert_allclose(last, ((s0 * 0.5 + x0) * 0.5 + x0) * 0.5 + x0)


def test_rows_of_sequences_forwards_and_backwards() -> None:
    x, s = T.dmatrix("x"), T.dvector("s")

    def step(a: Any, b: Any, back: Any, s: Any, old: Any) -> Any:
        return [T.tanh(s * a + b - back), old + a]

    x_back = dict(input=x[::-1], taps=[0])
    (states, sums), _ = tensordsl.scan(step, [dict(input=x, taps=[0, 1]), x_back], [s, T.zeros_like(s)])
    f = both([x, s], [states, sums, *T.grad(T.sum(states) + T.sum(sums**2), [x, s])])
    r = np.random.default_rng(0)
    for rounds in (1, 2, 3, 18):
        for lanes in (0, 1, 5, 17):
            f(r.normal(size=(rounds, lanes)), r.normal(size=lanes))
            f(r.normal(size=(lanes, rounds)).T, r.normal(size=lanes))


def test_several_taps_scalars_integers_and_bools() -> None:
    x, n = T.dvector("x"), T.lscalar("n")

    def step(t: Any, a: Any, b: Any, count: Any, flag: Any) -> Any:
        new = 0.5 * a - 0.25 * b + T.cast(t, "float64")
        return [new, count * 3 + T.cast(new, "int32"), T.xor(flag, new > 1)]

    (xs, counts, flags), _ = tensordsl.scan(
        step, T.arange(n), [dict(initial=x, taps=[-2, -1]), T.constant(np.int32(7)), T.constant(np.bool_(True))]
    )
    f = both([x, n], [xs, counts, flags, xs[-3:]])
    for rounds in LENGTHS:
        found, *_ = f([1.0, 2.0], rounds)
        state = [1.0, 2.0]
        for t in range(rounds):
            state.append(0.5 * state[-2] - 0.25 * state[-1] + t)
        np.testing.assert_allclose(found, state[2:])


REDUCED = {
    "sum": lambda x: T.sum(x),
    "float32 sum": lambda x: T.cast(T.sum(T.cast(x, "float32")), "float64"),
    "product": lambda x: T.prod(x),
    "count": lambda x: T.sum(x > 0),
    "any": lambda x: T.switch(T.any(x > 1), 1.0, 2.0),
    "mean and spread": lambda x: T.mean(x) + T.sum((x - T.mean(x)) ** 2),
    "complex sum": lambda x: T.real(T.sum(x * (1 + 2j))),
}
OF_SOME = {
    "extrema": lambda x: T.max(x) - T.min(x),
    "position": lambda x: T.argmax(x) - 2.0 * T.argmin(x),
}


@pytest.mark.parametrize("name", [*REDUCED, *OF_SOME])
def test_lanes_are_combined(name: str) -> None:
    x, n = T.dvector("x"), T.lscalar("n")
    step = {**REDUCED, **OF_SOME}[name]
    states, _ = tensordsl.scan(lambda s: 0.3 * s - 0.1 * T.cast(step(s), "float64"), outputs_info=x, n_steps=n)
    on, off = (tensordsl.function([x, n], states, mode=mode) for mode in (FAST_RUN, OFF))
    for lanes in (0, 1, 2, 3, 8, 15, 16, 17, 31, 32, 33, 100)[name in OF_SOME :]:
        data = np.random.default_rng(lanes).normal(size=lanes)
        for rounds in LENGTHS:
            error = 1e-6 if "32" in name else 1e-12
            np.testing.assert_allclose(on(data, rounds), off(data, rounds), rtol=error, atol=error)
        for special in (np.nan, np.inf, -0.0):
            data = np.full(lanes, special)
            np.testing.assert_array_equal(on(data, 2), off(data, 2))


def test_what_is_combined_of_no_lanes_fails_as_in_the_loop() -> None:
    x, n = T.dvector("x"), T.lscalar("n")
    states, _ = tensordsl.scan(lambda s: s - T.max(s), outputs_info=x, n_steps=n)
    for mode in (FAST_RUN, OFF):
        f = tensordsl.function([x, n], states, mode=mode)
        assert f([], 0).shape == (0, 0)
        with pytest.raises(ValueError):
            f([], 1)
        np.testing.assert_array_equal(f([1.0, 3.0], 1), [[-2, 0]])


def autoregression(y: Any, a: Any, b: Any, log_sigma: Any) -> Any:
    sigma = T.exp(log_sigma)

    def step(y: Any, m2: Any, m1: Any) -> Any:
        m = a * m1 + b * m2
        return m, -0.5 * ((y - m) / sigma) ** 2 - T.log(sigma)

    (_, likelihood), _ = tensordsl.scan(step, y, [dict(initial=y[:2], taps=[-2, -1]), None])
    return T.sum(likelihood)


def test_an_autoregressive_likelihood_and_its_gradient() -> None:
    y, a, b, c = T.dvector("y"), T.dscalar("a"), T.dscalar("b"), T.dscalar("c")
    cost = autoregression(y, a, b, c)
    f = both([y, a, b, c], [cost, *T.grad(cost, [a, b, c, y])])
    data = np.random.default_rng(0).normal(size=1002)
    for rounds in (2, 3, 19, 1002):
        _, *gradients = f(data[:rounds], 0.5, 0.2, 0.1)
    eps = 1e-6
    for k, g in enumerate(gradients[:3]):
        low, high = [0.5, 0.2, 0.1], [0.5, 0.2, 0.1]
        low[k], high[k] = low[k] - eps, high[k] + eps
        assert g == pytest.approx((f(data, *high)[0] - f(data, *low)[0]) / (2 * eps), rel=1e-5)


def test_a_loop_in_a_loop() -> None:
    q, p, n = T.dvector("q"), T.dvector("p"), T.lscalar("n")

    def leapfrog(q: Any, p: Any) -> Any:
        half = p - 0.05 * q**3
        new = q + 0.1 * half
        return [new, half - 0.05 * new**3]

    def sample(q: Any, p: Any) -> Any:
        (qs, ps), _ = tensordsl.scan(leapfrog, outputs_info=[q, p], n_steps=n)
        return [T.switch(T.sum(qs[-1] ** 2) < 4, qs[-1], q), ps[-1] * 0.9]

    (qs, ps), _ = tensordsl.scan(sample, outputs_info=[q, p], n_steps=5)
    f = both([q, p, n], [qs, ps])
    r = np.random.default_rng(0)
    for rounds in (1, 2, 17):
        for lanes in (1, 3, 20):
            f(r.normal(size=lanes), r.normal(size=lanes), rounds)


def test_checks_of_indices_fail_as_in_the_loop() -> None:
    x, k, n = T.dvector("x"), T.lscalar("k"), T.lscalar("n")
    sums, _ = tensordsl.scan(lambda t, s: s + x[t * k - 2], T.arange(n), T.constant(np.float64(0)))
    on, off = (tensordsl.function([x, k, n], sums, mode=mode) for mode in (FAST_RUN, OFF))
    data = np.arange(10.0)
    for factor in (-3, -1, 0, 1, 2):
        for rounds in LENGTHS:
            try:
                wanted = off(data, factor, rounds)
            except IndexError as error:
                with pytest.raises(IndexError) as raised:
                    on(data, factor, rounds)
                assert str(raised.value) == str(error)
            else:
                np.testing.assert_array_equal(on(data, factor, rounds), wanted)
                taken = data[np.arange(rounds) * factor - 2]
                np.testing.assert_allclose(wanted, np.cumsum(taken))


def test_elements_and_rows_at_computed_places() -> None:
    x, m, at = T.dvector("x"), T.dmatrix("m"), T.lvector("at")

    def step(k: Any, s: Any, v: Any) -> Any:
        return [s * 0.5 + x[k] - x[k - 1], v + m[k]]

    (ss, vs), _ = tensordsl.scan(step, at, [T.constant(np.float64(0)), T.zeros_like(m[0])])
    on, off = (tensordsl.function([x, m, at], [ss, vs], mode=mode) for mode in (FAST_RUN, OFF))
    r = np.random.default_rng(0)
    data, rows = r.normal(size=7), r.normal(size=(7, 3))
    for places in ([], [3], [0, 6, 2, 2], [-6, 1, -1], r.integers(-6, 7, 40)):
        places = np.array(places, "int64")
        s, wanted = 0.0, []
        for k in places:
            s = s * 0.5 + data[k] - data[k - 1]
            wanted.append(s)
        for one, other in zip(on(data, rows, places), off(data, rows, places), strict=True):
            np.testing.assert_array_equal(one, other)
        np.testing.assert_allclose(on(data, rows, places)[0], wanted)
        np.testing.assert_allclose(on(data, rows, places)[1], np.cumsum(rows[places], 0))
    for wrong in ([0, 1, 7], [-8], [2, -7, 1], [1 << 62]):
        messages = []
        for f in (on, off):
            with pytest.raises(IndexError) as raised:
                f(data, rows, np.array(wrong))
            messages.append(str(raised.value))
        assert messages[0] == messages[1]


def test_random_numbers_in_rounds_are_those_of_the_loop() -> None:
    n = T.lscalar("n")

    def drawn(mode: Any) -> list[Any]:
        stream, start = RandomStreams(7), [T.constant(np.float64(0)), T.zeros((3,))]
        states, updates = tensordsl.scan(
            lambda s, v: [s + stream.normal(()), v * 0.5 + stream.uniform((3,))], outputs_info=start, n_steps=n
        )
        f = tensordsl.function([n], states, updates=updates, mode=mode)
        return [f(5), f(0), f(1), f(17)]

    found = drawn(FAST_RUN), drawn(OFF)
    for one, other in zip(*found, strict=True):
        for a, b in zip(one, other, strict=True):
            np.testing.assert_array_equal(a, b)


def test_states_of_several_shapes_and_loops_that_stay_as_they_are() -> None:
    a, b = T.dvector("a"), T.dvector("b")
    (xs, ys), _ = tensordsl.scan(lambda x, y: [x * 2, y + T.sum(x)], outputs_info=[a, b], n_steps=3)
    f = both([a, b], [xs, ys])
    _, ys = f([1.0, 2.0], [0.0, 1.0, 5.0])
    np.testing.assert_allclose(ys, np.array([3, 9, 21.0])[:, None] + [0.0, 1.0, 5.0])


def test_a_failed_call_leaves_what_is_shared_unchanged() -> None:
    x, n, total = T.dvector("x"), T.lscalar("n"), tensordsl.shared(1.0)
    sums, updates = tensordsl.scan(lambda t: {total: total + x[t]}, T.arange(n))
    f = tensordsl.function([x, n], [], updates=updates)
    f([1.0, 2.0], 2)
    assert sums is None and total.get_value() == 4.0
    with pytest.raises(IndexError):
        f([1.0, 2.0], 3)
    assert total.get_value() == 4.0


@settings(max_examples=40)
@given(scans())
def test_random_scans_are_the_same_to_the_bit(scan: Scan) -> None:
    on, off = scan.function(FAST_RUN), scan.function(OFF)
    for n in LENGTHS:
        for a, b in zip(on(*scan.arguments(n)), off(*scan.arguments(n)), strict=True):
            np.testing.assert_array_equal(a, b)
            assert a.tobytes() == b.tobytes()


@settings(max_examples=15)
@given(scans(differentiable=True))
def test_so_are_the_gradients_of_random_scans(scan: Scan) -> None:
    on, off = scan.function(FAST_RUN, gradient=True), scan.function(OFF, gradient=True)
    for n in LENGTHS:
        for a, b in zip(on(*scan.arguments(n)), off(*scan.arguments(n)), strict=True):
            assert np.asarray(a).tobytes() == np.asarray(b).tobytes()


def test_vectors_of_the_numbers_of_a_round() -> None:
    """They are written number by number, and read as a vector."""
    u, n, a, b = T.dvector("u"), T.lscalar("n"), T.dscalar("a"), T.dscalar("b")

    def step(a: Any, b: Any, v: Any) -> Any:
        return [a * 0.9 + 0.1, b * 0.8 - 0.1, T.tanh(v + T.stack([T.sin(a), T.cos(b)]))]

    values, _ = tensordsl.scan(step, outputs_info=[a, b, u], n_steps=n)
    rows, _ = tensordsl.scan(lambda a, b: [a * 0.9, b - 0.1, T.exp(T.stack([a, b]) * u)], None, [a, b, None], n_steps=n)
    outputs = [
        *values,
        rows[2],
        *T.grad(values[2].sum(), [a, b, u]),
        *T.grad(values[2][-1:].sum() + rows[2].sum(), [a, u]),
    ]
    f = both([a, b, u, n], outputs)
    for rounds in LENGTHS:
        f(0.3, 0.4, np.array([0.1, -0.2]), rounds)
