"""What matters through steps alone has a gradient of zeros; what does not matter at all has none. As in Theano 1.0.5."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import tensordsl.tensor as T
from tensordsl.function import function
from tensordsl.gradient import DisconnectedInputError, Lop, disconnected_grad, grad, hessian, jacobian
from tensordsl.ifelse import ifelse

AT = np.array([-2.0, 0.0, 0.5, 2.0, 2.0, 3.0])

# name -> a function whose slope changes in steps
PIECEWISE_LINEAR: dict[str, Any] = {
    "maximum": lambda x: T.maximum(x, 0),
    "maximum, turned around": lambda x: T.maximum(0, x),
    "minimum": lambda x: T.minimum(x, 1),
    "of itself": lambda x: T.maximum(x, x),
    "clip": lambda x: T.clip(x, 0, 1),
    "clip between variables": lambda x: T.clip(x, 0, 2 * x),
    "abs": abs,
    "switch": lambda x: T.switch(x > 0, x, -3 * x),
    "switch on the number itself": lambda x: T.switch(x, x, 2 * x),
    "relu": T.nnet.relu,
    "leaky relu": lambda x: T.nnet.relu(x, 0.1),
    "hard_sigmoid": T.nnet.hard_sigmoid,
    "max": T.max,
    "min": T.min,
    "max of rows": lambda x: T.max(x.reshape((3, 2)), axis=1),
    "max_and_argmax": lambda x: T.max_and_argmax(x)[0],
    "ptp": T.ptp,
    "the norm of absolute values": lambda x: x.norm(1),
    "ties of copies": lambda x: T.alloc(x[0], 3, 2).max(),
    "ifelse": lambda x: ifelse(x[0] > 0, x, 2 * x),
    "round away from zero": lambda x: x * T.round(x, mode="half_away_from_zero"),
}


@pytest.mark.parametrize("name", PIECEWISE_LINEAR)
def test_second_gradients_are_zeros(name: str) -> None:
    x = T.vector("x")
    first = grad(PIECEWISE_LINEAR[name](x).sum(), x)
    second, matrix = grad(first.sum(), x), hessian(PIECEWISE_LINEAR[name](x).sum(), x)
    values = function([x], [second, matrix], on_unused_input="ignore")(AT)
    np.testing.assert_array_equal(values[0], np.zeros(6))
    np.testing.assert_array_equal(values[1], np.zeros((6, 6)))


@pytest.mark.parametrize("function_of_two", [T.maximum, T.minimum, lambda x, y: T.clip(x, y, 1), T.arctan2])
def test_mixed_second_gradients(function_of_two: Any) -> None:
    x, y = T.vectors("x", "y")
    mixed = grad(grad(function_of_two(x, y).sum(), x).sum(), y)
    value = function([x, y], mixed, on_unused_input="ignore")(AT, AT[::-1])
    a, b = AT, AT[::-1]
    expected = (a**2 - b**2) / (a**2 + b**2) ** 2 if function_of_two is T.arctan2 else np.zeros(6)
    np.testing.assert_allclose(value, expected)


def test_a_condition_has_a_gradient_of_zero() -> None:
    x, y, i, b = T.dscalar("x"), T.dscalar("y"), T.iscalar("i"), T.scalar("b", dtype="bool")
    for condition, choose in [(c, f) for c in (x, x > 0, i, b) for f in (T.switch, ifelse)]:
        wrt = x if condition not in (i, b) else condition
        g = grad(choose(condition, 2 * y, y), wrt)
        assert g.type.dtype == "float64"
        assert function([x, i, b, y], g, on_unused_input="ignore")(1.0, 1, True, 2.0) == 0


def test_a_condition_beside_another_use() -> None:
    x = T.dscalar("x")
    assert float(grad(T.switch(x > 1, x**2, 5), x).eval({x: 3.0})) == 6
    assert float(grad(ifelse(x > 1, x**2, 5.0 * x), x).eval({x: 0.5})) == 5


def test_an_integer_exponent_is_continued_to_the_reals() -> None:
    x, i = T.dscalar("x"), T.iscalar("i")
    np.testing.assert_allclose(grad(x**i, i).eval({x: 3.0, i: 2}), 9 * np.log(3))


@pytest.mark.parametrize(
    "cost",
    [
        lambda x, y: T.second(x, y), lambda x, y: T.zeros_like(x) + y, lambda x, y: y[T.argmax(x)],
        lambda x, y: x.shape[0] * y.sum(), lambda x, y: y[T.cast(x, "int64")], lambda x, y: y[x > 0],
        lambda x, y: disconnected_grad(x) * y, lambda x, y: y[T.argsort(x)],
    ],
)  # fmt: skip
def test_what_does_not_matter_stays_disconnected(cost: Any) -> None:
    x, y = T.vectors("x", "y")
    with pytest.raises(DisconnectedInputError):
        grad(cost(x, y).sum(), x)


def test_the_second_gradient_of_a_linear_function_is_disconnected() -> None:
    x = T.vector("x")
    with pytest.raises(DisconnectedInputError):
        grad(grad((5 * x).sum(), x).sum(), x)


# -- consider_constant -----------------------------------------------------------------------------------------------
def test_a_constant_has_a_gradient_of_its_own() -> None:
    """What is considered constant ends the flow there: beyond it there is none, at it there is one."""
    x, y = T.dscalars("x", "y")
    assert float(grad(5 * x, x, consider_constant=[x]).eval({x: 2.0})) == 5
    assert float(grad(5 * x, x, consider_constant=[x], disconnected_inputs="ignore").eval({x: 2.0})) == 5
    z = x * x
    assert [float(g.eval({x: 2.0})) for g in grad(z * x, [z, x], consider_constant=[z])] == [2, 4]
    a = x * 2
    slopes = function([x, y], grad(a * y + a, [a, x, y], consider_constant=[a], disconnected_inputs="ignore"))
    assert list(map(float, slopes(3.0, 5.0))) == [6, 0, 6]
    for constants in ([z], [z, x]):
        with pytest.raises(DisconnectedInputError):
            grad(z * 2, x, consider_constant=constants)


def test_constants_of_jacobians_and_products_with_them() -> None:
    x, w = T.vectors("x", "w")
    at = {x: np.array([3.0, 1.0])}
    np.testing.assert_array_equal(jacobian(x * x, x, consider_constant=[x]).eval(at), [[6, 0], [0, 2]])
    np.testing.assert_array_equal(hessian((x**3).sum(), x, consider_constant=[x]).eval(at), [[18, 0], [0, 6]])
    product = Lop(x * x, x, w, consider_constant=[x])
    np.testing.assert_array_equal(product.eval({**at, w: np.array([1.0, 2.0])}), [6, 4])
