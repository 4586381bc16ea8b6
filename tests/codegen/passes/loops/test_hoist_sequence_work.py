"""Products of a sequence's elements are computed before the loop."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from widened import loops, numbers, products, run, values

import tensordsl
import tensordsl.tensor as T

LENGTHS = (0, 1, 2, 7)


def recurrent(element: Any, back: bool = False) -> tuple[list[Any], list[Any]]:
    """h = tanh(dot(x, w) + dot(h, u)) of rows or of batches."""
    x = T.matrix("x") if element is T.vector else T.tensor3("x")
    h, w, u = element("h"), T.matrix("w"), T.matrix("u")
    states, _ = tensordsl.scan(lambda a, s: T.tanh(T.dot(a, w) + T.dot(s, u)), x, h, go_backwards=back)
    return [x, h, w, u], [states]


def expected(x: Any, h: Any, w: Any, u: Any, back: bool) -> Any:
    states = []
    for a in x[::-1] if back else x:
        h = np.tanh(a @ w + h @ u)
        states.append(h)
    return np.array(states).reshape(len(x), *h.shape)


@pytest.mark.parametrize("back", [False, True])
@pytest.mark.parametrize("element", [T.vector, T.matrix])
def test_a_recurrent_layer_multiplies_its_sequence_once(element: Any, back: bool) -> None:
    inputs, outputs = recurrent(element, back)
    assert products(inputs, outputs) == (1, 1)
    assert products(inputs, outputs, ("hoist_sequence_work",)) == (2, 0)
    rows = () if element is T.vector else (3,)
    calls = [[numbers(n, *rows, 4), numbers(*rows, 5), numbers(4, 5), numbers(5, 5)] for n in LENGTHS]
    for call, (result,) in zip(calls, run(inputs, outputs, *calls), strict=True):
        np.testing.assert_allclose(result, expected(*call, back))


def test_elements_before_and_behind() -> None:
    x, h, w = T.matrix("x"), T.vector("h"), T.matrix("w")
    taps = dict(input=x, taps=[-1, 0, 2])
    states, _ = tensordsl.scan(lambda a, b, c, s: T.tanh(s + T.dot(a - c, w) * T.dot(b, w)), taps, h)
    assert products([x, h, w], [states]) == (0, 2)
    calls = [[numbers(n + 3, 4), numbers(5), numbers(4, 5)] for n in LENGTHS]
    for (x_, h_, w_), (result,) in zip(calls, run([x, h, w], [states], *calls), strict=True):
        for t, found in enumerate(result):
            h_ = np.tanh(h_ + (x_[t] - x_[t + 3]) @ w_ * (x_[t + 1] @ w_))
            np.testing.assert_allclose(found, h_)


def test_weights_on_the_left_and_steps_that_are_given() -> None:
    x, h, w, n = T.tensor3("x"), T.matrix("h"), T.matrix("w"), T.lscalar("n")
    states, _ = tensordsl.scan(lambda a, s: T.tanh(s + T.dot(w, a)), x, h, n_steps=n)
    assert products([x, h, w, n], [states]) == (0, 1)
    for k in LENGTHS:
        ((result,),) = run([x, h, w, n], [states], [numbers(k + 1, 3, 4), numbers(2, 4), numbers(2, 3), k])
        assert result.shape == (k, 2, 4)


def test_what_is_the_same_in_all_rounds_is_computed_once() -> None:
    """Its lengths are assumed to fit, which is why it was in the loop."""
    h, w, u, n = T.vector("h"), T.matrix("w"), T.matrix("u"), T.lscalar("n")
    states, _ = tensordsl.scan(lambda s: T.tanh(T.dot(s, T.dot(w, u))), None, h, n_steps=n)
    assert products([h, w, u, n], [states]) == (1, 1)
    run([h, w, u, n], [states], *([numbers(3), numbers(3, 4), numbers(4, 3), k] for k in LENGTHS))


def test_a_gradient_walks_back_over_the_same_products() -> None:
    inputs, (states,) = recurrent(T.matrix)
    outputs = [states, *T.grad(T.sum(states**2), inputs)]
    assert products(inputs, outputs)[0] == 2  # of the state, and of its cotangent
    run(inputs, outputs, *([numbers(n, 3, 4), numbers(3, 5), numbers(4, 5), numbers(5, 5)] for n in LENGTHS))


def test_what_depends_on_the_state_stays() -> None:
    x, h, w = T.matrix("x"), T.vector("h"), T.matrix("w")
    states, _ = tensordsl.scan(lambda a, s: T.tanh(T.dot(a * s, w)), x, h)
    assert products([x, h, w], [states]) == (1, 0)


def test_elementwise_work_stays_in_the_round() -> None:
    x, h = T.matrix("x"), T.vector("h")
    states, _ = tensordsl.scan(lambda a, s: T.tanh(s + T.exp(a)), x, h)
    (loop,) = loops([x, h], [states])
    assert any(v.op == "map" and v.attrs["row"].name == "exp" for v in values_of(loop))


def values_of(loop: Any) -> list[Any]:
    from tensordsl.codegen.tensor_ir.graph import toposort

    return toposort(loop.results)


def test_products_much_larger_than_their_sequence_stay() -> None:
    x, h, w = T.TensorType("float64", (None, 2))("x"), T.TensorType("float64", (100,))("h"), T.matrix("w")
    w = T.TensorType("float64", (2, 100))("w")
    states, _ = tensordsl.scan(lambda a, s: T.tanh(s + T.dot(a, w)), x, h)
    assert products([x, h, w], [states]) == (1, 0)


def test_without_rounds_nothing_is_checked() -> None:
    """Lengths that do not fit are an error of a round."""
    inputs, outputs = recurrent(T.matrix)
    wrong = [numbers(4, 5), numbers(6, 5)]
    ((result,),) = run(inputs, outputs, [numbers(0, 3, 7), numbers(3, 5), *wrong])
    assert result.shape == (0, 3, 5)
    with pytest.raises(ValueError):
        tensordsl.function(inputs, outputs)(numbers(1, 3, 7), numbers(3, 5), *wrong)


def test_a_loop_in_a_loop() -> None:
    """Products of elements x[i, j] of both."""
    x, h, w = T.tensor3("x"), T.vector("h"), T.matrix("w")

    def outer(rows: Any, s: Any) -> Any:
        inner, _ = tensordsl.scan(lambda a, r: T.tanh(r + T.dot(a, w)), rows, s)
        return T.tanh(s + inner.sum(0))

    states, _ = tensordsl.scan(outer, x, h)
    assert products([x, h, w], [states])[0] <= 1
    run([x, h, w], [states], *([numbers(n, m, 3), numbers(4), numbers(3, 4)] for n in LENGTHS for m in LENGTHS))


def test_what_the_state_of_a_loop_within_enters_is_not_multiplied_for_all_rounds_around() -> None:
    x, h, w, k = T.matrix("x"), T.vector("h"), T.matrix("w"), T.lscalar("k")

    def outer(a: Any) -> Any:
        return tensordsl.scan(lambda s: T.tanh(T.dot(s * a, w)), None, h, n_steps=k)[0].sum(0)

    states, _ = tensordsl.scan(outer, x)
    (product,) = [v for v in values([x, h, w, k], [states]) if v.op == "dot"]
    assert product.rank == 1
    run([x, h, w, k], [states], *([numbers(n, 4), numbers(4), numbers(4, 4), 3] for n in LENGTHS))


def test_in_a_branch() -> None:
    inputs, (states,) = recurrent(T.matrix)
    c = T.bscalar("c")
    outputs = [tensordsl.ifelse.ifelse(c, states, states * 0)]
    call = [numbers(3, 3, 4), numbers(3, 5), numbers(4, 5), numbers(5, 5)]
    run([c, *inputs], outputs, [1, *call], [0, *call])
