"""Gradients of forms that overflow are those of the stable forms."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.special

import tensordsl.tensor as T
from tensordsl.clone import clone
from tensordsl.function import function
from tensordsl.gradient import Lop, Rop, grad, hessian, hessian_vector_product
from tensordsl.ops.math.stable import _BY_ROOT, EQUATIONS, stable

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


def test_what_is_made_from_unstable_forms_can_be_differentiated_by_and_held() -> None:
    x = T.vector("x")
    h = T.tanh(T.log(1 + x))
    cost = T.sum(T.log(1 + h) * x)
    at, v = np.array([0.5, 2.0]), np.tanh(np.log1p([0.5, 2.0]))
    by_h, held = grad(cost, h), grad(cost, x, consider_constant=[h])
    given = grad(cost, x, known_grads={h: T.ones_like(x)})
    expected = at / (1 + v), np.log1p(v), np.log1p(v) + (1 - v**2) / (1 + at)
    for got, value in zip(function([x], [by_h, held, given])(at), expected, strict=True):
        np.testing.assert_allclose(got, value)
    np.testing.assert_allclose(function([h, x], by_h)(at, at), at / (1 + at))
    np.testing.assert_allclose(function([x], grad(T.sum(h**2), [h, x])[1])(at), 2 * v * (1 - v**2) / (1 + at))


def test_values_given_for_what_a_stable_form_passes_by_reach_the_gradient() -> None:
    x, v = T.vectors("x", "v")
    at, given = np.array([0.5, 2.0]), np.array([0.25, -0.5])
    h = T.log(1 + x)
    cost = T.sum(h**2 * x)
    g = grad(cost, x)
    slope, curve = 1 / (1 + at), -1 / (1 + at) ** 2
    expected = given**2 + 2 * given * at * slope
    for f in (function([x, v], g, givens={h: v}), function([x, v], clone(g, {h: v})), function([x, h], g)):
        np.testing.assert_allclose(f(at, given), expected)
    np.testing.assert_allclose(function([x, v], grad(cost, [x, h])[0] * 2, givens={h: v})(at, given), 2 * expected)
    second = function([x, v], grad(g.sum(), x), givens={h: v})(at, given)
    np.testing.assert_allclose(second, 4 * given * slope + 2 * at * (slope**2 + given * curve))
    np.testing.assert_allclose(function([x], g)(at), np.log1p(at) ** 2 + 2 * np.log1p(at) * at * slope)
    diagonal, p = 4 * given * slope + 2 * at * (slope**2 + given * curve), T.vector("p")
    total = T.sum(h**2 * x)
    whole, products = hessian(total, x), (hessian_vector_product(total, x, p), Rop(g, x, p), Lop(g, x, p))
    np.testing.assert_allclose(function([x, v], whole, givens={h: v})(at, given), np.diag(diagonal))
    for got in function([x, v, p], products, givens={h: v})(at, given, [1.0, 2.0]):
        np.testing.assert_allclose(got, diagonal * [1.0, 2.0])
    p, weight = T.nnet.softmax(x)[0], scipy.special.softmax(at)
    inner = function([x, v], grad(T.log(p).sum(), x), givens={p: v})(at, given)
    np.testing.assert_allclose(inner, weight / given - weight * (weight / given).sum())


def test_a_graph_without_such_forms_is_not_touched() -> None:
    x = T.vector("x")
    cost = (T.tanh(x) / 2 + T.log(x) - 1).sum()
    assert stable([cost])[0] is cost


@pytest.mark.parametrize(("name", "left", "right"), EQUATIONS, ids=[name for name, *_ in EQUATIONS])
def test_the_right_side_has_the_left_sides_type(name: str, left, right) -> None:
    operands = T.fvectors("x", "y")[: left.__code__.co_argcount]
    assert left(*operands).type == right(*operands).type


# -- softmax and logarithms of sums of exponentials ------------------------------------------------------------------
LOGITS = np.array([[0.0, 2000.0, -2000.0], [3.0, 1.0, 2.0]])
LABELS = np.array([0, 2])


def _softmax_of_logits() -> np.ndarray:
    e = np.exp(LOGITS - LOGITS.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)


def _by_hand(x):
    e = T.exp(x)
    return e / e.sum(axis=1, keepdims=True)


def _by_hand_with_dimshuffle(x):
    return T.exp(x) / T.exp(x).sum(axis=1).dimshuffle(0, "x")


def _centred_by_hand(x):
    return _by_hand(x - x.max(axis=1, keepdims=True))


SOFTMAXES = (T.nnet.softmax, _by_hand, _by_hand_with_dimshuffle, _centred_by_hand)
LOSSES = {
    "picked after the logarithm": lambda p, t: -T.log(p)[T.arange(t.shape[0]), t].sum(),
    "picked before it": lambda p, t: -T.log(p[T.arange(t.shape[0]), t]).sum(),
    "by rows": lambda p, t: -T.log(p[0][t[0]]) - T.log(p[1, :][t[1]]),
    "crossentropy": lambda p, t: T.nnet.categorical_crossentropy(p, t).sum(),
}


@pytest.mark.parametrize("softmax", SOFTMAXES, ids=[f.__name__ for f in SOFTMAXES])
@pytest.mark.parametrize("loss", LOSSES)
def test_the_loss_of_labels_that_are_all_but_impossible_is_finite(loss: str, softmax) -> None:
    x, t = T.matrix("x"), T.lvector("t")
    cost = LOSSES[loss](softmax(x), t)
    value, gradient = function([x, t], [cost, grad(cost, x)])(LOGITS, LABELS)
    np.testing.assert_allclose(value, 2000 + np.log1p(np.exp(-1.0) + np.exp(1.0)), rtol=1e-14)
    np.testing.assert_allclose(gradient, _softmax_of_logits() - np.eye(3)[LABELS], atol=1e-14)


@pytest.mark.parametrize("softmax", SOFTMAXES, ids=[f.__name__ for f in SOFTMAXES])
def test_softmax_by_hand_does_not_overflow(softmax) -> None:
    x = T.matrix("x")
    p = softmax(x)
    value, gradient = function([x], [p, grad((p * np.arange(3)).sum(), x)])(LOGITS)
    want = _softmax_of_logits()
    np.testing.assert_allclose(value, want, rtol=1e-14)
    np.testing.assert_allclose(gradient, want * (np.arange(3) - want @ np.arange(3)[:, None]), atol=1e-14)


def test_softmax_by_hand_along_other_axes() -> None:
    x, v = T.matrix("x"), T.vector("v")
    columns, row = T.exp(x) / T.exp(x).sum(axis=0), T.exp(v) / T.sum(T.exp(v))
    ours = function([x, v], [columns, row, grad(columns[0, 0], x), grad(row[0], v)])(LOGITS, LOGITS[0])
    e = np.exp(LOGITS - LOGITS.max(axis=0))
    np.testing.assert_allclose(ours[0], e / e.sum(axis=0), rtol=1e-14)
    np.testing.assert_allclose(ours[1], [0, 1, 0], atol=1e-14)
    assert all(np.isfinite(g).all() for g in ours[2:])


@pytest.mark.parametrize("mode", ["FAST_RUN", "REFERENCE"])
@pytest.mark.parametrize("axis", [0, 1, None])
def test_the_gradient_of_a_log_sum_exp_is_softmax(axis: int | None, mode: str) -> None:
    x = T.matrix("x")
    cost = T.log(T.sum(T.exp(x), axis=axis)).sum()
    with np.errstate(over="ignore"):  # of the reference's exp, which the gradient does not use
        gradient = function([x], grad(cost, x), mode=mode)(LOGITS)
    e = np.exp(LOGITS - LOGITS.max(axis=axis, keepdims=True))
    np.testing.assert_allclose(gradient, e / e.sum(axis=axis, keepdims=True), rtol=1e-13)


@pytest.mark.parametrize("keepdims", [False, True])
@pytest.mark.parametrize("axis", [0, 1, None])
def test_the_logarithm_of_a_mean_of_exponentials(axis: int | None, keepdims: bool) -> None:
    x = T.matrix("x")
    cost = T.log(T.mean(T.exp(x), axis=axis, keepdims=keepdims))
    value, gradient = function([x], [cost, grad(cost.sum(), x)])(LOGITS)
    count = LOGITS.size if axis is None else LOGITS.shape[axis]
    total = scipy.special.logsumexp(LOGITS, axis=axis, keepdims=keepdims)
    np.testing.assert_allclose(value, total - np.log(count), rtol=1e-14)
    np.testing.assert_allclose(gradient, scipy.special.softmax(LOGITS, axis=axis), rtol=1e-13)


def test_the_hessian_of_a_log_sum_exp() -> None:
    v = T.vector("v")
    for f in (T.log(T.exp(v).sum()), T.logsumexp(v)):
        got = function([v], hessian(f, v))(LOGITS[1])
        p = _softmax_of_logits()[1]
        np.testing.assert_allclose(got, np.diag(p) - np.outer(p, p), atol=1e-15)


def test_the_tails_of_a_normal_distribution() -> None:
    x = T.vector("x")
    points = np.array([-40.0, -5.0, -1e-3, 0.0, 0.3, 5.0, 40.0])
    for tail in (0.5 * T.erfc(-x / np.sqrt(2)), T.erfc(-x / np.sqrt(2)) / 2):
        value, gradient = function([x], [T.log(tail), grad(T.log(tail).sum(), x)])(points)
        np.testing.assert_allclose(value, scipy.special.log_ndtr(points), rtol=1e-13)
        slope = np.exp(-(points**2) / 2 - scipy.special.log_ndtr(points)) / np.sqrt(2 * np.pi)
        np.testing.assert_allclose(gradient, slope, rtol=1e-12)
    whole = function([x], T.log(T.erfc(x)))(points)
    np.testing.assert_allclose(whole, np.log(2) + scipy.special.log_ndtr(-points * np.sqrt(2)), rtol=1e-13, atol=1e-16)


def test_a_sum_of_two_exponentials() -> None:
    x, y = T.vectors("x", "y")
    cost = T.log(T.exp(x) + T.exp(y))
    left, right = np.array([1000.0, -1000.0, 1.0, -np.inf]), np.array([1001.0, -1000.0, 2.0, -np.inf])
    value, gradient = function([x, y], [cost, grad(cost.sum(), x)])(left, right)
    np.testing.assert_allclose(value, np.logaddexp(left, right))
    np.testing.assert_allclose(gradient[:3], [1 / (1 + np.e), 0.5, 1 / (1 + np.e)])


def test_equations_stand_under_their_root() -> None:
    for root, equations in _BY_ROOT.items():
        for name, left, _ in equations:
            variables = [T.scalar() for _ in range(left.__code__.co_argcount)]
            assert left(*variables).owner.op.name == root, name
