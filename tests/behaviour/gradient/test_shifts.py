"""Softmax and logarithms of sums of exponentials by hand: their maximum is a constant to the gradient."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import scipy.special

import tensordsl.tensor as T
from tensordsl.function import function
from tensordsl.gradient import grad, hessian
from tensordsl.graph import toposort

TIES = np.array([[1.0, 3.0, 3.0, -2.0], [0.5, 0.5, 0.5, 0.5], [900.0, -900.0, 899.0, 900.0]])
SOFTMAX = scipy.special.softmax(TIES, axis=1)
W = np.array([[1.0, 0.5, 2.0, 3.0]])


def _kept(x: Any) -> Any:
    return x.max(axis=1, keepdims=True)


def _sum(x: Any, m: Any, keepdims: bool = True) -> Any:
    return T.exp(x - m).sum(axis=1, keepdims=keepdims)


LOGARITHMS: dict[str, Callable[[Any], Any]] = {
    "keepdims": lambda x: (_kept(x) + T.log(_sum(x, _kept(x))))[:, 0],
    "the other way round": lambda x: T.log(_sum(x, _kept(x), False)) + x.max(axis=1),
    "dimshuffle": lambda x: x.max(axis=1) + T.log(T.exp(x - x.max(axis=1).dimshuffle(0, "x")).sum(axis=1)),
    "of all": lambda x: x.max() + T.log(_sum(x, x.max(), False)),
    "squeezed": lambda x: (_kept(x) + T.log(_sum(x, _kept(x)))).sum(axis=1),
    "newaxis": lambda x: x.max(axis=1) + T.log(T.sum(T.exp(x - x.max(axis=1)[:, None]), axis=1)),
    "centred logits": lambda x: x[:, 1] - (x - _kept(x) - T.log(_sum(x, _kept(x))))[:, 1],
}


def _maxima_differentiated(g: Any) -> int:
    return sum(node.op.name == "eq" for node in toposort([g]))


@pytest.mark.parametrize("name", LOGARITHMS)
def test_the_gradient_is_softmax_also_where_maxima_tie(name: str) -> None:
    x = T.dmatrix("x")
    g = grad(LOGARITHMS[name](x).sum(), x)
    f = function([x], g)
    for at in (TIES[:2], TIES) if name != "of all" else (TIES[:2],):
        assert np.allclose(f(at), scipy.special.softmax(at, axis=1), rtol=1e-14, atol=0)
    assert not _maxima_differentiated(g)


def test_the_gradients_of_quotients() -> None:
    x = T.dmatrix("x")
    e = T.exp(x - _kept(x))
    weighted = e * W
    for p, weights in ((e / e.sum(axis=1, keepdims=True), 1.0), (weighted / weighted.sum(axis=1, keepdims=True), W)):
        g = grad((p * np.arange(4.0)).sum(), x)
        s = scipy.special.softmax(TIES + np.log(weights), axis=1)
        wanted = s * (np.arange(4.0) - (s * np.arange(4.0)).sum(1, keepdims=True))
        assert np.allclose(function([x], g)(TIES), wanted, atol=1e-15) and not _maxima_differentiated(g)


def test_sums_with_weights_and_means() -> None:
    x = T.dmatrix("x")
    m = _kept(x)
    for inside, weights in (
        ((W * T.exp(x - m)).sum(axis=1, keepdims=True), W),
        (
            T.exp(x - m).mean(axis=1, keepdims=True),
            1.0,
        ),
    ):
        g = grad((m + T.log(inside)).sum(), x)
        s = scipy.special.softmax(TIES + np.log(weights), axis=1)
        assert np.allclose(function([x], g)(TIES), s, rtol=1e-13, atol=0) and not _maxima_differentiated(g)


def test_what_is_not_such_a_form_is_differentiated_through_its_maximum() -> None:
    x = T.dmatrix("x")
    square = T.exp(x - _kept(x)).sum(axis=1)
    transposed = x.max(axis=1).dimshuffle("x", 0) + T.log(_sum(x, _kept(x)))
    for cost in (
        (2 * _kept(x) + T.log(_sum(x, _kept(x)))).sum(),
        (_kept(x) + T.log(T.exp(x - 2 * _kept(x)).sum(axis=1, keepdims=True))).sum(),
        (_kept(x) - T.log(_sum(x, _kept(x)))).sum(),
        square.sum(),
        (transposed * np.arange(9.0).reshape(3, 3)).sum(),
        (x.max(axis=0) + T.log(T.exp(x[:3, :3] - x[:3, :3].max(axis=0)).sum(axis=0).sum())).sum(),
        (T.exp(x - _kept(x)) / T.exp(x - _kept(x)).sum(axis=0)).sum(),
    ):
        at, step = np.random.default_rng(0).normal(size=(3, 4)), 1e-6
        g, f = function([x], grad(cost, x))(at), function([x], cost)
        for k in np.ndindex(3, 4):
            d = np.zeros((3, 4))
            d[k] = step
            assert np.isclose(g[k], (f(at + d) - f(at - d)) / (2 * step), rtol=1e-5, atol=1e-7)


def test_the_maximum_may_itself_be_what_is_differentiated_for() -> None:
    x = T.dmatrix("x")
    top = x.max(axis=1)
    wide = top.dimshuffle(0, "x")
    cost = (top + T.log(T.exp(x - wide).sum(axis=1))).sum()
    for wrt in (top, wide):
        assert np.allclose(function([x], grad(cost, wrt))(TIES[:2]), 0 if wrt is top else -1, atol=1e-15)


def test_the_hessian_is_that_of_softmax() -> None:
    v = T.dvector("v")
    at = np.array([1.0, 2.0, 2.0])
    p = scipy.special.softmax(at)
    found = function([v], hessian(v.max() + T.log(T.exp(v - v.max()).sum()), v))(at)
    assert np.allclose(found, np.diag(p) - np.outer(p, p), rtol=1e-14)
