"""Rounds that need nothing of each other are an axis."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from widened import loops, numbers, products, run

import tensordsl
import tensordsl.tensor as T

LENGTHS = (0, 1, 2, 7)
MAPS: dict[str, Callable[..., Any]] = {
    "elementwise": lambda m, a, w, k: m.tanh(a) * 2 + w[0, 0],
    "a product": lambda m, a, w, k: m.dot(a, w) + 1,
    "weights on the left": lambda m, a, w, k: m.dot(w.T, a.T),
    "two factors": lambda m, a, w, k: m.dot(a, (a * 2).T),
    "vectors": lambda m, a, w, k: m.dot(a[0], w) - m.dot(a[1], w),
    "vector and matrix": lambda m, a, w, k: m.dot(a[0], (a + 1).T),
    "sums": lambda m, a, w, k: a.sum(0) / a.max(),
    "places": lambda m, a, w, k: a.argmax(1) + k,
    "softmax": lambda m, a, w, k: m.exp(a - a.max(1)[:, None]) / m.exp(a - a.max(1)[:, None]).sum(1)[:, None],
    "transposes": lambda m, a, w, k: a.T[::-1, None] * a[1, :2][:, None] + k,
    "shapes": lambda m, a, w, k: a.reshape((4, 3)) + k,
    "joins": lambda m, a, w, k: m.concatenate([a, a * 2, w[:1, :4] + k], 0),
    "gathers": lambda m, a, w, k: a[:, [0, 2, 1]] + w[[1, 0, 1]][:, :3],
    "an element": lambda m, a, w, k: w[k, 1:] * a[k, 0],
    "elements at places": lambda m, a, w, k: w[a.argmax(1)][:, 1:3] + w[:, a.argmax(1)].sum(0)[:, None],
    "places in the element": lambda m, a, w, k: a[[0, 1, 0], a.argmax(1)],
    "the round": lambda m, a, w, k: a * k,
    "nothing": lambda m, a, w, k: w * 2,
    "integers": lambda m, a, w, k: a.astype("int32") // (k + 1),
}


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("name", MAPS)
def test_maps(name: str, dtype: str) -> None:
    form = MAPS[name]
    x, w, k = T.TensorType(dtype, (None, 3, 4))("x"), T.TensorType(dtype, (4, 5))("w"), T.lvector("k")
    results, _ = tensordsl.map(lambda a, j: form(T, a, w, j), [x, k])
    assert not loops([x, w, k], [results])
    assert loops([x, w, k], [results], ("independent_rounds",))
    calls = [[numbers(n, 3, 4, dtype=dtype), numbers(4, 5, dtype=dtype), np.arange(n) % 3] for n in LENGTHS]
    for (a, b, ks), (result,) in zip(calls, run([x, w, k], [results], *calls), strict=True):
        assert len(result) == len(a)
        for found, row, j in zip(result, a, ks, strict=True):
            wanted = form(np, row, b, j)
            assert found.shape == np.shape(wanted)
            np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", MAPS)
def test_maps_of_unknown_lengths(name: str) -> None:
    form = MAPS[name]
    x, w, k = T.tensor3("x"), T.matrix("w"), T.lvector("k")
    results, _ = tensordsl.map(lambda a, j: form(T, a, w, j), [x, k], go_backwards=True)
    calls = [[numbers(n, 3, 4), numbers(4, 5), np.arange(n) % 3] for n in LENGTHS]
    for (a, b, ks), (result,) in zip(calls, run([x, w, k], [results], *calls), strict=True):
        for found, row, j in zip(result, a[::-1], ks[::-1], strict=True):
            np.testing.assert_allclose(found, form(np, row, b, j), rtol=1e-8, atol=1e-9)


def test_jacobians_are_products() -> None:
    v, w, u = T.vector("v"), T.matrix("w"), T.matrix("u")
    y = T.tanh(T.dot(u, T.tanh(T.dot(w, v))))
    jacobian = tensordsl.gradient.jacobian(y, v)
    assert not loops([v, w, u], [jacobian])
    a, b, c = numbers(3), numbers(4, 3), numbers(5, 4)
    ((found,),) = run([v, w, u], [jacobian], [a, b, c])
    inner = np.tanh(b @ a)
    wanted = (1 - np.tanh(c @ inner) ** 2)[:, None] * c @ ((1 - inner**2)[:, None] * b)
    np.testing.assert_allclose(found, wanted)


def test_memory_stays_in_proportion() -> None:
    """Each round needs a matrix that is larger than what it reads or gives."""
    x, y = T.TensorType("float64", (None, 100))("x"), T.TensorType("float64", (100, 100))("y")
    results, _ = tensordsl.map(lambda a: T.dot(T.tanh(T.dot(y * a, y)), y).sum(), x)
    assert loops([x, y], [results])
    run([x, y], [results], [numbers(3, 100), numbers(100, 100)])


def test_what_a_reshape_reads_is_stored() -> None:
    """The rows of this Jacobian are n^2 numbers, each made of a unit vector of n^4, which has to lie in memory."""
    x = T.matrix("x")
    jacobian = tensordsl.gradient.jacobian(T.kron(x, x).reshape((-1,)), x)
    assert loops([x], [jacobian])
    a = numbers(3, 3)
    ((found,),) = run([x], [jacobian], [a])
    unit = np.eye(9).reshape(9, 3, 3)
    wanted = np.stack([(np.kron(e, a) + np.kron(a, e)).ravel() for e in unit], axis=1)
    np.testing.assert_allclose(found.reshape(81, 9), wanted, rtol=1e-12)


def test_an_output_layer_is_one_product_behind_the_loop() -> None:
    x, h, u, v = T.tensor3("x"), T.matrix("h"), T.matrix("u"), T.matrix("v")

    def step(a: Any, s: Any) -> Any:
        s = T.tanh(a + T.dot(s, u))
        return s, T.nnet.softmax(T.dot(s, v))

    (states, outputs), _ = tensordsl.scan(step, x, [h, None])
    inputs = [x, h, u, v]
    assert products(inputs, [outputs]) == (1, 1)
    assert products(inputs, [states, outputs]) == (1, 1)
    assert len(loops(inputs, [states, outputs])[0].stacked) == 1
    gradients = T.grad(T.sum(outputs**2), inputs)
    assert products(inputs, [outputs, *gradients])[0] == 2
    calls = [[numbers(n, 3, 5), numbers(3, 5), numbers(5, 5), numbers(5, 2)] for n in LENGTHS]
    run(inputs, [states, outputs], *calls)
    run(inputs, [outputs, *gradients], *calls)


def test_elementwise_results_of_a_recurrence_stay() -> None:
    x, h = T.matrix("x"), T.vector("h")
    (states, outputs), _ = tensordsl.scan(lambda a, s: [T.tanh(a + s), T.exp(s)], x, [h, None])
    assert len(loops([x, h], [states, outputs])[0].stacked) == 2


def test_effects_and_checks_stay_in_their_rounds() -> None:
    x = T.matrix("x")
    checked, _ = tensordsl.map(lambda a: T.opt.Assert("negative")(a, T.all(a >= 0)) * 2, x)
    assert loops([x], [checked])
    with pytest.raises(AssertionError, match="negative"):
        tensordsl.function([x], checked)([[1.0], [-1.0]])


def test_positions_out_of_bounds_are_errors() -> None:
    k, w = T.lvector("k"), T.matrix("w")
    rows, _ = tensordsl.map(lambda j: w[j] * 2, k)
    assert not loops([k, w], [rows])
    f = tensordsl.function([k, w], rows)
    np.testing.assert_equal(f([-1, 2, 0], numbers(3, 4)), 2 * numbers(3, 4)[[-1, 2, 0]])
    assert f([], numbers(0, 4)).shape == (0, 4)
    with pytest.raises(IndexError):
        f([0, 3], numbers(3, 4))
    with pytest.raises(IndexError):
        f([-4], numbers(3, 4))


def test_maps_in_loops_and_loops_in_maps() -> None:
    x, h = T.tensor3("x"), T.vector("h")
    states, _ = tensordsl.scan(lambda rows, s: T.tanh(s + tensordsl.map(T.exp, rows)[0].sum(0)), x, h)
    assert len(loops([x, h], [states])) == 1
    sums, _ = tensordsl.map(lambda rows: tensordsl.scan(lambda a, s: T.tanh(a + s), rows, h)[0][-1], x)
    calls = [[numbers(n, m, 4), numbers(4)] for n in LENGTHS for m in LENGTHS[1:]]
    run([x, h], [states, sums], *calls)
