"""Loops of numerical programs: derivatives row by row, iterations to a tolerance, filters, tables, time steps.

Judged by NumPy; gradients by differences, or by what is known of them.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import tensordsl as theano
import tensordsl.tensor as T
from tensordsl import scan
from tensordsl.scan_module import until
from tensordsl.tensor.shared_randomstreams import RandomStreams

RNG = np.random.RandomState(0)
A, B, V = RNG.normal(size=(4, 4)), RNG.normal(size=(4, 3)), RNG.normal(size=4)


def slopes(f: Any, x: np.ndarray) -> np.ndarray:
    """Differences of a number by the elements of an array."""
    out = np.zeros(x.shape)
    for place in np.ndindex(*x.shape):
        step = np.zeros(x.shape)
        step[place] = 1e-6
        out[place] = (f(x + step) - f(x - step)) / 2e-6
    return out


# -- derivatives by loops over their rows ------------------------------------------------------------------------------
def test_a_jacobian_row_by_row() -> None:
    x = T.vector("x")
    y = T.tanh(T.dot(A, x)) * x
    rows, updates = scan(lambda i, y, x: T.grad(y[i], x), sequences=T.arange(y.shape[0]), non_sequences=[y, x])
    found, own = theano.function([x], [rows, T.jacobian(y, x)], updates=updates)(V)
    np.testing.assert_allclose(found, own)
    expected = np.diag(np.tanh(A @ V)) + ((1 - np.tanh(A @ V) ** 2) * V)[:, None] * A
    np.testing.assert_allclose(found, expected)


def test_a_hessian_row_by_row() -> None:
    x = T.vector("x")
    cost = T.sum(x**3 * T.dot(A, x))
    slope = T.grad(cost, x)
    rows, updates = scan(
        lambda i, gy, x: T.grad(gy[i], x), sequences=T.arange(slope.shape[0]), non_sequences=[slope, x]
    )
    found, own = theano.function([x], [rows, T.hessian(cost, x)], updates=updates)(V)
    np.testing.assert_allclose(found, own)
    np.testing.assert_allclose(found, found.T)


def test_products_of_a_hessian_and_a_vector_through_a_loop() -> None:
    x, v = T.vector("x"), T.vector("v")
    values, _ = scan(lambda s: T.tanh(T.dot(A, s)), outputs_info=x, n_steps=3)
    cost = T.sum(values[-1] ** 2)
    slope = T.grad(cost, x)
    product = T.grad(T.sum(slope * v), x)
    found, by_x = theano.function([x, v], [product, T.hessian(cost, x)])(V, V**2)
    np.testing.assert_allclose(found, by_x @ V**2)


# -- what loops are first shown with -----------------------------------------------------------------------------------
def test_a_polynomial() -> None:
    coefficients, x = T.vector("coefficients"), T.scalar("x")
    terms, _ = scan(
        lambda c, power, x: c * x**power, sequences=[coefficients, T.arange(1000)], outputs_info=None, non_sequences=x
    )
    f = theano.function([coefficients, x], [terms.sum(), T.grad(terms.sum(), x)])
    np.testing.assert_allclose(f([1.0, 0.0, 2.0], 3.0), [19, 12])


def test_lower_triangles_that_a_loop_builds() -> None:
    up_to = T.iscalar("up_to")
    numbers = T.arange(up_to)
    sums, _ = scan(lambda n, total: total + n, numbers, outputs_info=T.as_tensor_variable(np.asarray(0, numbers.dtype)))
    assert theano.function([up_to], sums)(6).tolist() == [0, 1, 3, 6, 10, 15]
    rows, columns, values = T.ivector("rows"), T.ivector("columns"), T.vector("values")

    def place(r: Any, c: Any, v: Any, model: Any) -> Any:
        return T.set_subtensor(T.zeros_like(model)[r, c], v)

    model = T.matrix("model")
    each, _ = scan(place, sequences=[rows, columns, values], outputs_info=None, non_sequences=model)
    f = theano.function([rows, columns, values, model], each)
    found = f(np.int32([1, 2]), np.int32([1, 3]), [42.0, 50.0], np.zeros((5, 5)))
    assert found.shape == (2, 5, 5) and found[0, 1, 1] == 42 and found[1, 2, 3] == 50 and found.sum() == 92


def test_a_state_that_sees_far_back_and_a_sequence_from_its_end() -> None:
    """x[t] = tanh(x[t-1] W + y[t] U + p[T-t] V)."""
    x, w, y, u, p, v = T.vector("x"), T.matrix("w"), T.matrix("y"), T.matrix("u"), T.matrix("p"), T.matrix("v")
    results, _ = scan(
        lambda y, p, x_tm1: T.tanh(T.dot(x_tm1, w) + T.dot(y, u) + T.dot(p, v)),
        sequences=[y, p[::-1]],
        outputs_info=[x],
    )
    values = V, A, RNG.normal(size=(5, 3)), B.T, RNG.normal(size=(5, 4)), A.T
    f = theano.function([x, w, y, u, p, v], [results, *T.grad(results.sum(), [w, p])])

    def loop(x: Any, w: Any, y: Any, u: Any, p: Any, v: Any) -> Any:
        out = []
        for t in range(len(y)):
            x = np.tanh(x @ w + y[t] @ u + p[len(p) - 1 - t] @ v)
            out.append(x)
        return np.array(out)

    found, by_w, by_p = f(*values)
    np.testing.assert_allclose(found, loop(*values))
    np.testing.assert_allclose(by_w, slopes(lambda w: loop(V, w, *values[2:]).sum(), A), rtol=1e-5, atol=1e-8)
    np.testing.assert_allclose(
        by_p, slopes(lambda p: loop(*values[:4], p, values[5]).sum(), values[4]), rtol=1e-5, atol=1e-8
    )


def test_rounds_are_counted_in_a_shared_variable() -> None:
    k, n_sym = theano.shared(0), T.iscalar("n_sym")
    _, updates = scan(lambda: {k: k + 1}, n_steps=n_sym)
    accumulate = theano.function([n_sym], [], updates=updates)
    accumulate(5)
    accumulate(7)
    assert k.get_value() == 12


# -- iterations to a tolerance -----------------------------------------------------------------------------------------
def test_the_dominant_eigenvector_until_it_stands_still() -> None:
    m = T.matrix("m")

    def step(v: Any) -> Any:
        new = T.dot(m, v)
        new = new / T.sqrt(T.sum(new**2))
        return new, until(T.max(abs(new - v)) < 1e-13)

    vs, _ = scan(step, outputs_info=T.ones_like(m[0]), n_steps=2000)
    value = T.dot(vs[-1], T.dot(m, vs[-1]))
    f = theano.function([m], [value, vs.shape[0], T.grad(value, m)])
    symmetric = A @ A.T + 4 * np.eye(4)
    found, rounds, slope = f(symmetric)
    values, vectors = np.linalg.eigh(symmetric)
    assert found == pytest.approx(values[-1]) and 5 < rounds < 2000
    np.testing.assert_allclose(slope, np.outer(vectors[:, -1], vectors[:, -1]), atol=1e-6)


def test_conjugate_gradients_until_the_rest_is_small() -> None:
    m, b = T.matrix("m"), T.vector("b")

    def step(x: Any, r: Any, p: Any) -> Any:
        ap = T.dot(m, p)
        alpha = T.sum(r**2) / T.sum(p * ap)
        new_r = r - alpha * ap
        beta = T.sum(new_r**2) / T.sum(r**2)
        return [x + alpha * p, new_r, new_r + beta * p], until(T.sum(new_r**2) < 1e-20)

    (xs, _, _), _ = scan(step, outputs_info=[T.zeros_like(b), b, b], n_steps=50)
    solve = theano.function([m, b], [xs[-1], xs.shape[0]])
    matrix = A @ A.T + np.eye(4)
    found, rounds = solve(matrix, V)
    np.testing.assert_allclose(found, np.linalg.solve(matrix, V), rtol=1e-8)
    assert rounds <= 6


def test_a_root_by_bisection() -> None:
    low, high = T.scalars("low", "high")

    def step(a: Any, b: Any) -> Any:
        middle = (a + b) / 2
        is_left = T.gt(middle**3 - 2, 0)
        return [T.switch(is_left, a, middle), T.switch(is_left, middle, b)], until(b - a < 1e-12)

    (lows, _), _ = scan(step, outputs_info=[low, high], n_steps=200)
    assert theano.function([low, high], lows[-1])(0.0, 2.0) == pytest.approx(2 ** (1 / 3), abs=1e-11)


def test_ranks_of_pages_until_they_stand_still() -> None:
    links = (RNG.uniform(size=(6, 6)) < 0.4) + np.eye(6)
    m = T.matrix("m")
    share = m / m.sum(axis=0)

    def step(rank: Any) -> Any:
        new = 0.85 * T.dot(share, rank) + 0.15 / 6
        return new, until(abs(new - rank).max() < 1e-14)

    ranks, _ = scan(step, outputs_info=T.ones((6,)) / 6, n_steps=1000)
    found = theano.function([m], ranks[-1])(links)
    expected = np.linalg.solve(np.eye(6) - 0.85 * links / links.sum(0), np.full(6, 0.15 / 6))
    np.testing.assert_allclose(found, expected, rtol=1e-10)


# -- filters and time series -------------------------------------------------------------------------------------------
def test_a_filter_of_taps_before_and_behind() -> None:
    x = T.vector("x")
    smooth, _ = scan(lambda a, b, c: 0.25 * a + 0.5 * b + 0.25 * c, sequences=dict(input=x, taps=[-1, 0, 1]))
    data = RNG.normal(size=20)
    found, slope = theano.function([x], [smooth, T.grad(smooth.sum(), x)])(data)
    np.testing.assert_allclose(found, np.convolve(data, [0.25, 0.5, 0.25], "valid"))
    np.testing.assert_allclose(slope, [0.25, 0.75, *[1.0] * 16, 0.75, 0.25])


def test_a_variance_that_clusters() -> None:
    """GARCH(1, 1): the likelihood of returns, and its gradient by the three parameters."""
    r, params = T.vector("r"), T.vector("params")

    def step(last: Any, variance: Any) -> Any:
        return params[0] + params[1] * last**2 + params[2] * variance

    variances, _ = scan(step, sequences=r[:-1], outputs_info=T.mean(r**2))
    likelihood = -0.5 * T.sum(T.log(variances) + r[1:] ** 2 / variances)
    f = theano.function([r, params], [likelihood, T.grad(likelihood, params)])
    data, at = 0.1 * RNG.normal(size=200), np.array([0.002, 0.1, 0.7])

    def loop(params: Any) -> float:
        variance, total = np.mean(data**2), 0.0
        for last, value in zip(data, data[1:], strict=False):
            variance = params[0] + params[1] * last**2 + params[2] * variance
            total -= 0.5 * (np.log(variance) + value**2 / variance)
        return total

    found, slope = f(data, at)
    assert found == pytest.approx(loop(at))
    np.testing.assert_allclose(slope, [(loop(at + s) - loop(at - s)) / 2e-7 for s in 1e-7 * np.eye(3)], rtol=1e-4)


def test_a_level_is_followed_by_kalmans_filter() -> None:
    y, log_q = T.vector("y"), T.scalar("log_q")

    def step(value: Any, mean: Any, variance: Any, total: Any) -> Any:
        ahead = variance + T.exp(log_q)
        spread = ahead + 1
        gain = ahead / spread
        rest = value - mean
        total = total - 0.5 * (T.log(spread) + rest**2 / spread)
        return mean + gain * rest, (1 - gain) * ahead, total

    (means, _, totals), _ = scan(step, y, [0.0, 1.0, 0.0])
    f = theano.function([y, log_q], [means, totals[-1], T.grad(totals[-1], log_q)])
    data = np.cumsum(RNG.normal(size=60)) + RNG.normal(size=60)
    means_found, _, slope = f(data, -0.3)
    ends = [f(data, -0.3 + s)[1] for s in (1e-6, -1e-6)]
    assert slope == pytest.approx((ends[0] - ends[1]) / 2e-6, rel=1e-5)
    covariance = np.exp(-0.3) * np.minimum.outer(np.arange(1, 61), np.arange(1, 61)) + 1.0  # of the levels
    np.testing.assert_allclose(means_found[-1], covariance[-1] @ np.linalg.solve(covariance + np.eye(60), data))


# -- tables ------------------------------------------------------------------------------------------------------------
def test_the_distance_of_two_words_by_a_loop_in_a_loop() -> None:
    a, b = T.lvector("a"), T.lvector("b")

    def row(letter: Any, above: Any) -> Any:
        """above: distances of the prefix before to all prefixes of b."""
        steps = T.minimum(above[1:] + 1, above[:-1] + T.neq(b, letter))
        rest, _ = scan(lambda least, left: T.minimum(least, left + 1), sequences=steps, outputs_info=above[0] + 1)
        return T.concatenate([(above[0] + 1).dimshuffle("x"), rest])

    rows, _ = scan(row, sequences=a, outputs_info=T.arange(b.shape[0] + 1))
    distance = theano.function([a, b], rows[-1, -1])
    for first, second, expected in (
        ("kitten", "sitting", 3),
        ("flaw", "lawn", 2),
        ("a", "bcd", 3),
        ("same", "same", 0),
    ):
        assert distance(*(np.array([*map(ord, word)]) for word in (first, second))) == expected


def test_the_softly_least_path_through_a_table_has_a_gradient() -> None:
    """Dynamic time warping with a soft minimum, whose gradient is the share of paths through each cell."""
    costs = T.matrix("costs")

    def soft(a: Any, b: Any) -> Any:
        least = T.minimum(a, b)
        return least - T.log(T.exp(least - a) + T.exp(least - b))

    def row(cost: Any, above: Any) -> Any:
        def cell(c: Any, up: Any, diagonal: Any, left: Any) -> Any:
            return c + soft(soft(up, diagonal), left)

        out, _ = scan(cell, sequences=[cost, above[1:], above[:-1]], outputs_info=1e6)
        return T.concatenate([T.constant([1e6]), out])

    start = T.concatenate([T.zeros((1,)), T.zeros((costs.shape[1],)) + 1e6])
    rows, _ = scan(row, sequences=costs, outputs_info=start)
    f = theano.function([costs], [rows[-1, -1], T.grad(rows[-1, -1], costs)])

    def plain(c: Any) -> float:
        table = np.full((c.shape[0] + 1, c.shape[1] + 1), 1e6)
        table[0, 0] = 0
        for i in range(c.shape[0]):
            for j in range(c.shape[1]):
                three = np.array([table[i, j + 1], table[i, j], table[i + 1, j]])
                table[i + 1, j + 1] = c[i, j] + three.min() - np.log(np.exp(three.min() - three).sum())
        return table[-1, -1]

    data = RNG.uniform(size=(4, 5))
    found, slope = f(data)
    assert found == pytest.approx(plain(data))
    np.testing.assert_allclose(slope, slopes(plain, data), rtol=1e-5, atol=1e-7)
    assert slope[0, 0] == pytest.approx(1) and slope[-1, -1] == pytest.approx(1)


def test_a_factorisation_of_a_matrix_row_by_row() -> None:
    """Cholesky's, by set_subtensor of a carried matrix; and the gradient of its logarithms is the inverse."""
    m = T.matrix("m")
    n = m.shape[0]

    def column(k: Any, low: Any, m: Any) -> Any:
        rest = m[:, k] - T.dot(low, low[k])
        values = rest / T.sqrt(rest[k])
        return T.set_subtensor(low[:, k], T.switch(T.ge(T.arange(n), k), values, 0.0))

    lows, _ = scan(column, sequences=T.arange(n), outputs_info=T.zeros_like(m), non_sequences=m)
    logs = 2 * T.sum(T.log(T.diag(lows[-1])))
    matrix = A @ A.T + np.eye(4)
    low, logarithm, slope = theano.function([m], [lows[-1], logs, T.grad(logs, m)])(matrix)
    np.testing.assert_allclose(low, np.linalg.cholesky(matrix), atol=1e-12)
    assert logarithm == pytest.approx(np.linalg.slogdet(matrix)[1])
    np.testing.assert_allclose((slope + slope.T) / 2, np.linalg.inv(matrix), rtol=1e-8)


# -- time steps --------------------------------------------------------------------------------------------------------
def test_planets_keep_their_energy() -> None:
    x, v, n = T.matrix("x"), T.matrix("v"), T.iscalar("n")
    masses = np.array([1.0, 0.01, 0.02])

    def energy(x: Any) -> Any:
        away = x[:, None, :] - x[None, :, :]
        distance = T.sqrt(T.sum(away**2, axis=2) + 1e-3)
        return -0.5 * T.sum(np.outer(masses, masses) * (1 - np.eye(3)) / distance)

    def step(x: Any, v: Any) -> Any:
        v = v - 0.005 * T.grad(energy(x), x) / masses[:, None]
        x = x + 0.01 * v
        return x, v - 0.005 * T.grad(energy(x), x) / masses[:, None]

    (xs, vs), _ = scan(step, outputs_info=[x, v], n_steps=n)
    total = energy(xs[-1]) + 0.5 * T.sum(masses[:, None] * vs[-1] ** 2)
    f = theano.function([x, v, n], [total, xs[-1]])
    start = np.array([[0.0, 0], [1, 0], [0, 1.5]]), np.array([[0.0, 0], [0, 1], [-0.8, 0]])
    early, _ = f(*start, 1)
    late, where = f(*start, 2000)
    assert late == pytest.approx(early, rel=1e-3) and np.isfinite(where).all()
    # What goes forth comes back: leapfrog steps are reversible.
    (xs, vs), _ = scan(step, outputs_info=[x, v], n_steps=n)
    there = theano.function([x, v, n], [xs[-1], vs[-1]])
    ended = there(*start, 500)
    back = there(ended[0], -ended[1], 500)
    np.testing.assert_allclose(back[0], start[0], atol=1e-9)


def test_a_game_of_life() -> None:
    board, n = T.bmatrix("board"), T.iscalar("n")

    def roll(x: Any, shift: int, axis: int) -> Any:
        return T.roll(x, shift, axis)

    def step(x: Any) -> Any:
        around = sum(roll(roll(x, i, 0), j, 1) for i in (-1, 0, 1) for j in (-1, 0, 1) if i or j)
        return T.cast(T.or_(T.eq(around, 3), T.and_(T.eq(around, 2), x)), "int8")

    boards, _ = scan(step, outputs_info=board, n_steps=n)
    glider = np.zeros((8, 8), "int8")
    glider[[0, 1, 2, 2, 2], [1, 2, 0, 1, 2]] = 1
    found = theano.function([board, n], boards)(glider, 32)
    np.testing.assert_array_equal(found[3], np.roll(glider, (1, 1), (0, 1)))
    np.testing.assert_array_equal(found[-1], glider)


def test_heat_flows_and_its_source_is_found_by_the_gradient() -> None:
    u, n = T.vector("u"), T.iscalar("n")

    def step(u: Any) -> Any:
        return T.inc_subtensor(u[1:-1], 0.2 * (u[2:] - 2 * u[1:-1] + u[:-2]))

    us, _ = scan(step, outputs_info=u, n_steps=n)
    f = theano.function([u, n], [us[-1], T.grad(us[-1][5], u)])
    data = RNG.uniform(size=11)
    found, slope = f(data, 40)
    matrix = np.eye(11)
    for k in range(1, 10):
        matrix[k, k - 1 : k + 2] += [0.2, -0.4, 0.2]
    power = np.linalg.matrix_power(matrix, 40)
    np.testing.assert_allclose(found, power @ data)
    np.testing.assert_allclose(slope, power[5])


# -- chance ------------------------------------------------------------------------------------------------------------
def test_a_random_walk_of_metropolis_finds_its_distribution() -> None:
    streams, start, n = RandomStreams(4), T.vector("start"), T.iscalar("n")

    def step(x: Any) -> Any:
        proposal = x + streams.normal(x.shape) * 1.5
        keeps = T.lt(T.log(streams.uniform(x.shape)), 0.5 * (x - 1) ** 2 - 0.5 * (proposal - 1) ** 2)
        return T.switch(keeps, proposal, x)

    xs, updates = scan(step, outputs_info=start, n_steps=n)
    draw = theano.function([start, n], xs, updates=updates)
    draws = draw(np.zeros(500), 200)[50:]
    assert abs(draws.mean() - 1) < 0.03 and abs(draws.std() - 1) < 0.03


def test_a_walk_ends_at_the_wall_with_the_probability_that_is_known() -> None:
    """A gambler's ruin, for many gamblers at once: each is frozen where he ends."""
    streams = RandomStreams(8)

    def step(x: Any) -> Any:
        move = T.cast(2 * streams.binomial(size=x.shape, n=1, p=0.5) - 1, "int64")
        new = T.switch(T.eq(x, 0) | T.eq(x, 10), x, x + move)
        return new, until(T.all(T.eq(new, 0) | T.eq(new, 10)))

    x = T.lvector("x")
    xs, updates = scan(step, outputs_info=x, n_steps=10_000)
    ended, rounds = theano.function([x], [xs[-1], xs.shape[0]], updates=updates)(np.full(4000, 3))
    assert set(np.unique(ended)) == {0, 10} and rounds < 10_000
    assert abs(np.mean(ended == 10) - 0.3) < 0.03
