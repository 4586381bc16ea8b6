"""Gradients of forms that overflow are those of the stable forms."""

from __future__ import annotations

import numpy as np
import pytest

import tensordsl.tensor as T
from tensordsl.function import function
from tensordsl.gradient import grad
from tensordsl.ops.stable import EQUATIONS, stable

FAR = np.array([-900.0, -40.0, 0.0, 40.0, 900.0])


@pytest.mark.parametrize("mode", ["FAST_RUN", "REFERENCE"])
def test_the_logistic_regression_of_the_textbooks(mode: str) -> None:
    x, y = T.vectors("x", "y")
    p = 1 / (1 + T.exp(-x))
    cost = (-y * T.log(p) - (1 - y) * T.log(1 - p)).sum()
    f = function([x, y], grad(cost, x), mode=mode)
    for label in (0.0, 1.0):
        with np.errstate(all="ignore"):
            got = f(FAR, np.full(5, label))
            np.testing.assert_allclose(got, 1 / (1 + np.exp(-FAR)) - label, atol=1e-15)


@pytest.mark.parametrize("mode", ["FAST_RUN", "REFERENCE"])
def test_the_cross_entropy_of_a_softmax(mode: str) -> None:
    x, y = T.matrix("x"), T.lvector("y")
    cost = -T.mean(T.log(T.nnet.softmax(x))[T.arange(y.shape[0]), y])
    got = function([x, y], grad(cost, x), mode=mode)(np.array([[0.0, 2000.0, -2000.0]]), [0])
    np.testing.assert_allclose(got, [[-1.0, 1.0, 0.0]], atol=1e-15)


def test_what_is_differentiated_for_stays_where_it_is() -> None:
    x = T.vector("x")
    p = 1 / (1 + T.exp(-x))
    g = function([x], grad(T.log(p).sum(), p))
    np.testing.assert_allclose(g(np.array([0.0, 1.0])), 1 + np.exp([0.0, -1.0]))


def test_a_graph_without_such_forms_is_not_touched() -> None:
    x = T.vector("x")
    cost = (T.tanh(x) / 2 + T.log(x) - 1).sum()
    assert stable([cost])[0] is cost


@pytest.mark.parametrize(("name", "left", "right"), EQUATIONS, ids=[name for name, *_ in EQUATIONS])
def test_the_right_side_has_the_left_sides_type(name: str, left, right) -> None:
    x = T.fvector("x")
    assert left(x).type == right(x).type
