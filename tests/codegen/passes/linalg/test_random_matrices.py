"""Random programs of matrices, most of them with a structure: results with the rules of structure and without."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from factorisations import cholesky, det, inv, slogdet, solve, triangular
from hypothesis import given, settings
from hypothesis import strategies as st

import tensordsl
import tensordsl.tensor as T
from tensordsl.modes import FAST_COMPILE, FAST_RUN

N = 4
X, Y = (T.TensorType("float64", (N, N))(name) for name in "XY")
V = T.TensorType("float64", (N,))("V")
RULES = (
    "log_of_determinants", "solve_for_inverses", "solve_by_structure", "factor_by_structure", "multiply_by_diagonals",
    "sum_diagonals",
)  # fmt: skip


def near_eye(x: Any) -> Any:
    """A matrix with the structure of x that is well-conditioned, whatever x is."""
    return 3 * T.eye(N) + x / (1 + abs(x).max() * N)


UNARY = (
    T.tril, T.triu, lambda x: x.T, lambda x: x + x.T, lambda x: T.dot(x, x.T), lambda x: T.diag(T.diag(x)),
    lambda x: inv(near_eye(x)), lambda x: inv(near_eye(T.tril(x))), lambda x: cholesky(near_eye(T.dot(x, x.T))),
    lambda x: -x, T.tanh, lambda x: T.diag(V) * x, lambda x: T.dot(x, T.diag(V)), lambda x: x * T.eye(N),
    lambda x: T.log(abs(det(near_eye(x)))) * x, lambda x: slogdet(near_eye(T.dot(x, x.T)))[1] * x,
    lambda x: T.trace(T.dot(x, x)) + x, lambda x: T.log(det(T.dot(near_eye(T.tril(x)), near_eye(T.tril(x)).T))) * x,
    lambda x: cholesky(T.dot(near_eye(T.tril(x)), near_eye(T.tril(x)).T)),
    lambda x: T.grad(slogdet(near_eye(x))[1], x) if x.owner is None else x,
)  # fmt: skip
BINARY = (
    T.dot, lambda x, y: x + y, lambda x, y: x * y, lambda x, y: solve(near_eye(x), y),
    lambda x, y: solve(near_eye(x), y, 1), lambda x, y: T.dot(inv(near_eye(x)), y),
    lambda x, y: T.dot(y, inv(near_eye(x))), lambda x, y: T.dot(inv(near_eye(x)).T, y),
    lambda x, y: solve(near_eye(T.tril(x)), y), lambda x, y: solve(near_eye(T.triu(x)).T, y),
    lambda x, y: triangular(near_eye(x), y), lambda x, y: triangular(near_eye(x).T, y, lower=False, trans=1),
    lambda x, y: solve(T.dot(near_eye(T.tril(x)), near_eye(T.tril(x)).T), y),
    lambda x, y: solve(near_eye(x + x.T), y) + cholesky(near_eye(x + x.T)),
    lambda x, y: solve(near_eye(x), y) * solve(near_eye(x).T, -2 * y),
)  # fmt: skip


def grow(choices: Sequence[int]) -> list[Any]:
    pool: list[Any] = [X, Y]
    for c in choices:
        rest = c // 2
        a, b = pool[-1 - rest % min(3, len(pool))], pool[rest % len(pool)]
        made = UNARY[rest % len(UNARY)](a) if c % 2 else BINARY[rest % len(BINARY)](a, b)
        pool.append(made / (1 + abs(made).max()))
    return [pool[-1], pool[-1].sum(), *pool[2:-1][-1:]]


@settings(max_examples=25)
@given(st.lists(st.integers(0, 10**4), min_size=1, max_size=6))
def test_results_are_equal_with_rules_and_without(choices: list[int]) -> None:
    outputs = grow(choices)
    rng = np.random.default_rng(0)
    given = [rng.normal(size=(N, N)), rng.normal(size=(N, N)), rng.normal(size=N)]
    want = tensordsl.function([X, Y, V], outputs, mode=FAST_COMPILE, on_unused_input="ignore")(*given)
    modes = [FAST_RUN, FAST_RUN.excluding(*RULES), *(FAST_RUN.excluding(RULES[c % len(RULES)]) for c in choices[:1])]
    for mode in modes:
        found = tensordsl.function([X, Y, V], outputs, mode=mode, on_unused_input="ignore")(*given)
        for got, wanted in zip(found, want, strict=True):
            scale = 1 + np.max(np.abs(wanted))
            np.testing.assert_allclose(got, wanted, rtol=1e-8, atol=1e-10 * scale, err_msg=f"{sorted(mode.excluded)}")
