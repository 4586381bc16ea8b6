"""Loops, their gradients and branches: native code against the reference evaluator."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from test_loop_gradient import H0, XS, W, recurrent

import tensordsl.tensor as T
from tensordsl.function import function
from tensordsl.gradient import grad, hessian, jacobian
from tensordsl.ifelse import ifelse
from tensordsl.ops.control import loop_index, make_loop


def agree(inputs: Sequence[Any], outputs: Sequence[Any], *values: Any) -> None:
    native = function(inputs, outputs)(*values)
    reference = function(inputs, outputs, mode="REFERENCE")(*values)
    for mine, theirs in zip(native, reference, strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=1e-11, atol=1e-12)


def test_a_recurrent_network_and_its_gradient() -> None:
    w, xs, h0 = T.matrix("w"), T.matrix("xs"), T.vector("h0")
    last, states = recurrent(w, xs, h0)
    agree([w, xs, h0], [last, states], W, XS, H0)
    agree([w, xs, h0], grad(T.sum(last**2) + T.sum(T.sin(states)), [w, xs, h0]), W, XS, H0)


def test_third_derivatives_through_the_hessian() -> None:
    x = T.vector("x")
    second = hessian(T.sum(x**3 * T.sin(x)), x)
    agree([x], [second], H0)
    agree([x], [grad(T.sum(second), x)], H0)


@pytest.mark.parametrize("condition", [0, 1])
def test_jacobians_of_branches_that_differ_in_length(condition: int) -> None:
    x, c = T.vector("x"), T.lscalar("c")
    inner = ifelse(c, x[:1], T.concatenate([x, x]))
    for chosen in (inner**2, ifelse(T.gt(x[0], 0), x * 2, inner) * x[0]):
        agree([x, c], [jacobian(chosen, x), hessian(T.sum(chosen), x)], np.array([-0.3, 0.7, 1.2]), condition)


def test_a_branch_not_taken_adds_nothing_to_the_gradient() -> None:
    s = T.scalar("s")
    agree([s], [grad(ifelse(s > 0, T.log(s) * s, s**2), s)], 0.0)


def test_constant_starting_values_of_one_size_keep_storage_of_their_own() -> None:
    x, c = T.vector("x"), T.vector("c")
    (power,) = make_loop(3, loop_index(), [c], [x], [c * x])
    agree([x], [grad(power.sum(), x)], np.arange(3.0) + 1)


def test_a_loop_without_iterations_gives_its_starting_value_which_stays() -> None:
    """Its storage is not used again for what comes after the loop."""
    x, n = T.matrix("x"), T.lscalar("n")
    i, c = loop_index(), T.matrix()
    (last,) = make_loop(n, i, [c], [T.exp(x)], [c * 2])
    f = function([x, n], T.dot(T.dot(last + 1, x), last) + T.dot(last, last))
    a = np.random.default_rng(0).normal(size=(8, 8))
    for count in (0, 1, 2):
        e = np.exp(a) * 2**count
        np.testing.assert_allclose(f(a, count), (e + 1) @ a @ e + e @ e)
