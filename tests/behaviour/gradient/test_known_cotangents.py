"""Gradients of one cost by one variable after the other build what they share once, and give variables of their own."""

from __future__ import annotations

import pickle

import numpy as np
import pytest

import tensordsl
import tensordsl.tensor as T
from tensordsl.function import function
from tensordsl.gradient import grad
from tensordsl.graph import Variable, toposort
from tensordsl.opfromgraph import OpFromGraph

RNG = np.random.default_rng(0)


def layers(depth: int) -> tuple[Variable, list[Variable]]:
    out: Variable = T.matrix("x")
    weights = [T.matrix(f"w{k}") for k in range(depth)]
    for w in weights:
        out = T.tanh(T.dot(out, w))
    return T.sum(out**2), weights


@pytest.mark.parametrize("is_stable", [True, False])
def test_the_graph_grows_with_the_depth_not_with_its_square(is_stable: bool) -> None:
    sizes = []
    for depth in (8, 16):
        cost, weights = layers(depth)
        cost = cost if is_stable else T.log(1 + T.exp(cost))
        sizes.append(len(toposort([grad(cost, w) for w in weights])))
        assert sizes[-1] < 1.2 * len(toposort(grad(cost, weights)))
    assert sizes[1] < 2.2 * sizes[0], sizes


def test_values_are_those_of_one_gradient_by_all() -> None:
    cost, weights = layers(4)
    others = [T.matrix(), T.matrix()]
    x = next(v for node in toposort([cost]) for v in node.inputs if v.name == "x")
    cost = cost + T.sum(T.switch(x > 0, T.sqrt(abs(x)), x) * 2 + others[0] * x) + T.max(others[1] * others[0])
    variables = [x, *weights, *others]
    separate = [grad(cost, v) for v in variables]
    again = [grad(cost, v) for v in reversed(variables)][::-1]
    together = grad(cost, variables)
    values = [RNG.normal(size=(3, 3)) for _ in variables]
    results = function(variables, [*separate, *again, *together])(*values)
    n = len(variables)
    for k in range(n):
        np.testing.assert_array_equal(results[k], results[k + n])
        np.testing.assert_allclose(results[k], results[k + 2 * n], rtol=1e-14)


def test_what_was_given_is_not_part_of_later_gradients() -> None:
    """Names, replacements and derivatives of a result stay its own."""
    x, b, c = T.vector("x"), T.vector("b"), T.vector("c")
    cost = T.sum(T.tanh(x * c + b) ** 2)
    by_b = grad(cost, b)  # the cotangent of the sum too, on the way to those of x and c
    by_x, second = grad(cost, x), grad(cost, b)
    assert by_b is not second
    inside = [v for node in toposort([by_x, second]) for v in node.outputs]
    assert all(v is not by_b for v in inside)
    assert grad(cost, cost) is not grad(cost, cost)
    with pytest.raises(tensordsl.gradient.DisconnectedInputError):
        grad(T.sum(by_x), by_b)


def test_what_is_made_of_what_was_given_is_made_anew() -> None:
    """Also where the given one arrives elsewhere as it is, is a part of a sum, or belongs to a variable on the way."""
    x, b, c = T.matrix("x"), T.matrix("b"), T.matrix("c")
    inner = T.tanh(T.tanh(x)) + b
    cost = T.sum(T.dot(inner * inner, c) * (inner + c)) + T.sum(T.sqr(b + c) * inner)
    variables = [x, inner, x, b, c, inner, x]
    gradients = [grad(cost, v) for v in variables]
    for k, later in enumerate(gradients):
        inside = {id(v) for node in toposort([later]) for v in node.outputs}
        assert inside.isdisjoint(map(id, gradients[:k]))
    values = [RNG.normal(size=(3, 3)) for _ in range(3)]
    results = function([x, b, c], [*gradients, *grad(cost, variables)])(*values)
    for separate, together in zip(results[:7], results[7:], strict=True):
        np.testing.assert_allclose(separate, together, rtol=1e-13)


def test_settings_are_those_of_the_call() -> None:
    n = T.lvector("n")
    cost = T.sum(T.sqr(n * T.constant(2.0)))
    assert grad(cost, n).type.dtype == "float64"
    with tensordsl.config.change_flags(floatX="float32"):
        assert grad(cost, n).type.dtype == "float32"
    assert grad(cost, n).type.dtype == "float64"


def test_constants_of_a_call_are_its_own() -> None:
    x = T.vector("x")
    y = x**2
    cost = T.sum(x * y)
    full, partial, again = grad(cost, x), grad(cost, x, consider_constant=[y]), grad(cost, x)
    np.testing.assert_allclose(function([x], [full, partial, again])([3.0]), [[27.0], [9.0], [27.0]])


def test_gradients_of_users_are_asked_each_time() -> None:
    asked = []

    def override(inputs: list[Variable], g: list[Variable]) -> list[Variable]:
        asked.append(g)
        return [g[0] * len(asked), g[0]]

    x, y = T.vector("x"), T.vector("y")
    product = OpFromGraph([x, y], [x * y], grad_overrides=override)
    cost = T.sum(T.exp(product(x, y)))
    gradients = [grad(cost, x), grad(cost, x)]
    first, second = function([x, y], gradients)([0.0], [1.0])
    assert (len(asked), first.item(), second.item()) == (2, 1.0, 2.0)


def test_pickles_do_not_hold_them() -> None:
    cost, weights = layers(3)
    size = len(pickle.dumps(cost))
    assert grad(cost, weights[0]) is not None
    assert len(pickle.dumps(cost)) == size


def test_stable_forms_are_looked_for_where_an_earlier_gradient_might_not() -> None:
    """`softplus` is differentiated as such, unless the variable in it is one that is differentiated by."""
    x = T.vector("x")
    inner = T.exp(x)
    cost = T.sum(T.log(1 + inner))
    by_inner = grad(cost, inner)
    by_x, again = grad(cost, x), grad(cost, x)
    values = function([x], [by_inner, by_x, again])([1000.0, 0.0])
    np.testing.assert_allclose(values, [[0.0, 0.5], [1.0, 0.5], [1.0, 0.5]])
