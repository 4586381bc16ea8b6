"""Sums over rounds are computed behind the loop."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from widened import loops, numbers, products, run

import tensordsl
import tensordsl.tensor as T
from tensordsl.ops.control import loop_index, make_loop, parameter_like

LENGTHS = (0, 1, 2, 7)
TERMS: dict[str, Callable[..., Any]] = {
    "products": lambda m, a, b: m.dot(a.T, b),
    "rows": lambda m, a, b: m.dot(a[:, 0], b) + 0 * a[0][:, None],
    "outer": lambda m, a, b: m.outer(a[0], b[0]),
    "outer, the other way": lambda m, a, b: b[0] * a[0][:, None],
    "sums": lambda m, a, b: b.sum(0) + 0 * a[0][:, None],
    "elements": lambda m, a, b: m.exp(a[0])[:, None] + b[0],
}


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize("name", TERMS)
def test_sums_over_sequences_need_no_loop(name: str, sign: int) -> None:
    x, y = T.tensor3("x"), T.tensor3("y")
    zeros = T.zeros((x.shape[2], y.shape[2]))
    form = TERMS[name]
    total = tensordsl.scan(lambda a, b, s: s + sign * form(T, a, b), [x, y], zeros)[0][-1]
    assert not loops([x, y], [total])
    calls = [[numbers(n, 3, 4), numbers(n, 3, 5, seed=1)] for n in LENGTHS[1:]]
    for (a, b), (result,) in zip(calls, run([x, y], [total], *calls), strict=True):
        wanted = sum(sign * form(np, p, q) for p, q in zip(a, b, strict=True))
        np.testing.assert_allclose(result, np.broadcast_to(wanted, (4, 5)))


def recurrent_gradient() -> tuple[list[Any], list[Any]]:
    x, h, w, u, b = T.tensor3("x"), T.matrix("h"), T.matrix("w"), T.matrix("u"), T.vector("b")
    states, _ = tensordsl.scan(lambda a, s: T.tanh(T.dot(a, w) + T.dot(s, u) + b), x, h)
    return [x, h, w, u, b], T.grad(T.sum(states**2), [w, u, b])


def test_gradients_of_weights_are_products_behind_the_loop() -> None:
    inputs, outputs = recurrent_gradient()
    assert [len(loop.carried) for loop in loops(inputs, outputs)] == [1, 1]
    assert products(inputs, outputs)[0] == 2  # dot(s, u), and dot(g, u.T)
    calls = [[numbers(n, 3, 4), numbers(3, 5), numbers(4, 5), numbers(5, 5), numbers(5)] for n in LENGTHS]
    run(inputs, outputs, *calls)


def test_a_state_that_is_read_by_others_stays() -> None:
    x, y = T.tensor3("x"), T.tensor3("y")
    zeros = T.zeros((x.shape[2], y.shape[2]))
    (sums, norms), _ = tensordsl.scan(lambda a, b, s: [s + T.dot(a.T, b), s.sum()], [x, y], [zeros, None])
    assert len(loops([x, y], [sums[-1], norms])[0].carried) == 1
    assert len(loops([x, y], [sums])[0].carried) == 1
    run([x, y], [sums, norms], [numbers(3, 2, 4), numbers(3, 2, 5)])


def test_no_history_is_made_for_a_sum_alone() -> None:
    """Both factors are of the state: memory would grow with the rounds."""
    h, u, n = T.matrix("h"), T.matrix("u"), T.lscalar("n")
    (states, sums), _ = tensordsl.scan(
        lambda s, total: [T.tanh(T.dot(s, u)), total + T.dot(s.T, s)], None, [h, T.zeros((3, 3))], n_steps=n
    )
    (loop,) = loops([h, u, n], [states[-1], sums[-1]])
    assert len(loop.carried) == 2
    run([h, u, n], [states[-1], sums[-1]], [numbers(2, 3), numbers(3, 3), 4])


@pytest.mark.parametrize("init", [-0.0, 0.0, 2.0, np.inf, np.nan])
@pytest.mark.parametrize("value", [-0.0, 0.0, np.inf, -np.inf, np.nan, 1.0])
def test_special_numbers(value: float, init: float) -> None:
    x, s = T.vector("x"), T.scalar("s")
    total = tensordsl.scan(lambda a, s: s + a, x, s)[0]
    fixed = tensordsl.scan(lambda a, s: s + a, x, T.constant(np.float64(init)))[0]
    f = tensordsl.function([x, s], [total[-1], fixed[-1]])
    wanted = np.float64(init)
    with np.errstate(all="ignore"):
        for _ in range(3):
            wanted = wanted + np.float64(value)
    for found in f([value] * 3, init):
        np.testing.assert_equal(found, wanted)
        assert np.signbit(found) == np.signbit(wanted) or np.isnan(wanted)


def test_without_rounds_a_sum_is_what_it_begins_with() -> None:
    x, y, s, n = T.tensor3("x"), T.tensor3("y"), T.matrix("s"), T.lscalar("n")
    t, acc = loop_index(), parameter_like(s)
    (total,) = make_loop(n, t, [acc], [s], [acc + T.dot(x[t].T, y[t])])
    begin = np.full((4, 5), -0.0)
    ((found,),) = run([x, y, s, n], [total], [numbers(2, 3, 4), numbers(2, 3, 5), begin, 0])
    assert np.signbit(found).all() and not found.any()
    ((found,),) = run([x, y, s, n], [total], [numbers(2, 3, 4), numbers(2, 9, 6), begin, 0])  # which do not fit
    ((found,),) = run([x, y, s, n], [total], [numbers(2, 3, 4), numbers(2, 3, 5), begin, 2])
    with pytest.raises(IndexError):
        tensordsl.function([x, y, s, n], [total])(numbers(2, 3, 4), numbers(2, 3, 5), begin, 3)


def test_integers_and_shared_variables() -> None:
    x = T.lvector("x")
    count = tensordsl.shared(np.int64(7))
    total = tensordsl.scan(lambda a, s: s + a * a, x, T.constant(np.int64(0)))[0][-1]
    f = tensordsl.function([x], total, updates={count: count + total})
    assert f([1, 2, 3]) == 14 and count.get_value() == 21


def test_layers_in_one_loop_give_their_gradients_away() -> None:
    """Lengths of a round are only assumed to be those of the weights."""
    x, *weights = T.tensor3("x"), T.matrix("w"), T.matrix("u"), T.matrix("v"), T.matrix("z")

    def step(a: Any, s: Any, r: Any) -> Any:
        s = T.tanh(T.dot(a, weights[0]) + T.dot(s, weights[1]))
        return s, T.tanh(T.dot(s, weights[2]) + T.dot(r, weights[3]))

    start = T.zeros((x.shape[1], 5))
    (_, states), _ = tensordsl.scan(step, x, [start, start])
    inputs, outputs = [x, *weights], T.grad(T.sum(states**2), [x, *weights])
    assert [len(loop.carried) for loop in loops(inputs, outputs)] == [2, 2]
    shapes = (4, 5), (5, 5), (5, 5), (5, 5)
    run(inputs, outputs, *([numbers(n, 3, 4), *(numbers(*s, seed=k) for k, s in enumerate(shapes))] for n in LENGTHS))


@pytest.mark.parametrize("begin", [False, True])
def test_lengths_that_do_not_fit_are_errors(begin: bool) -> None:
    x, y, s, n = T.tensor3("x"), T.tensor3("y"), T.matrix("s"), T.lscalar("n")
    t, acc = loop_index(), parameter_like(s)
    (total,) = make_loop(n, t, [acc], [s if begin else T.zeros_like(s)], [acc + T.dot(x[t].T, y[t])])
    f = tensordsl.function([x, y, s, n], total)
    assert f(numbers(2, 3, 4), numbers(2, 3, 5), numbers(4, 5), 2).shape == (4, 5)
    for shape in ((4, 6), (3, 5), (1, 5), (1, 1)):
        assert f(numbers(2, 3, 4), numbers(2, 3, 5), numbers(*shape), 0).shape == shape
        with pytest.raises(ValueError):
            f(numbers(2, 3, 4), numbers(2, 3, 5), numbers(*shape), 2)
