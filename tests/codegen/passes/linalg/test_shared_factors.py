"""A value and its gradients factorise each matrix once, however the formula is written."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from factorisations import cholesky, inv, slogdet, solve, steps, triangular

import tensordsl
import tensordsl.tensor as T
from tensordsl.modes import FAST_COMPILE

X, Y, LENGTH = T.dmatrix("x"), T.dvector("y"), T.dscalar("length")
DISTANCES = T.sqr(X[:, None, :] - X[None, :, :]).sum(2)
KERNEL = T.exp(-0.5 * DISTANCES / T.sqr(LENGTH)) + 0.1 * T.eye(X.shape[0])


def by_solve() -> Any:
    """The log-likelihood of a Gaussian process, as in a textbook."""
    return -0.5 * T.dot(Y, solve(KERNEL, Y)) - 0.5 * slogdet(KERNEL)[1]


def by_inverse() -> Any:
    return -0.5 * T.dot(Y, T.dot(inv(KERNEL), Y)) - 0.5 * slogdet(KERNEL)[1]


def by_factor() -> Any:
    factor = cholesky(KERNEL)
    alpha = triangular(factor, triangular(factor, Y), trans=1)
    return -0.5 * T.dot(Y, alpha) - T.log(T.diag(factor)).sum()


def by_whitening() -> Any:
    """The density of a multivariate normal distribution."""
    factor = cholesky(KERNEL)
    return -0.5 * T.sqr(triangular(factor, Y)).sum() - T.log(T.diag(factor)).sum()


def by_both() -> Any:
    """A factor for the determinant, and a solve of the matrix itself."""
    factor = cholesky(KERNEL)
    return -0.5 * T.dot(Y, solve(KERNEL, Y)) - T.log(T.diag(factor)).sum()


def by_determinant_and_factor() -> Any:
    factor = cholesky(KERNEL)
    return -0.5 * T.sqr(triangular(factor, Y)).sum() - 0.5 * slogdet(KERNEL)[1]


# formula -> (steps of the value, steps of value and gradient) that are not products; the cotangent of a factor's matrix is
# a step of its own (`cholesky_vjp`)
FORMULAS: dict[Any, tuple[dict[str, int], dict[str, int]]] = {
    by_solve: ({"lu_factor": 1, "lu_solve": 1}, {"lu_factor": 1, "lu_solve": 2}),
    by_inverse: ({"lu_factor": 1, "lu_solve": 1}, {"lu_factor": 1, "lu_solve": 1}),  # whose gradient is the inverse
    by_factor: ({"cholesky": 1, "solve_triangular": 2}, {"cholesky": 1, "solve_triangular": 2}),
    by_whitening: ({"cholesky": 1, "solve_triangular": 1}, {"cholesky": 1, "solve_triangular": 2}),
    by_both: ({"cholesky": 1, "solve_triangular": 2}, {"cholesky": 1, "solve_triangular": 2}),
    by_determinant_and_factor: ({"cholesky": 1, "solve_triangular": 1}, {"cholesky": 1, "solve_triangular": 4}),
}


@pytest.mark.parametrize("formula", FORMULAS)
def test_value_and_gradient_share_their_factors(formula: Any) -> None:
    value = formula()
    outputs = [value, *T.grad(value, [LENGTH, X, Y])]
    of_value, of_both = FORMULAS[formula]

    def without_products(found: dict[str, int]) -> dict[str, int]:
        return {name: n for name, n in found.items() if name != "dot"}

    assert without_products(steps([X, Y, LENGTH], [value])) == of_value
    found = without_products(steps([X, Y, LENGTH], outputs))
    assert found.pop("solve_triangular", 0) <= of_both.get("solve_triangular", 0)
    assert found == {name: n for name, n in of_both.items() if name != "solve_triangular"}

    rng = np.random.default_rng(0)
    given = rng.normal(size=(6, 2)), rng.normal(size=6), 0.7
    want = [likelihood(*given), *(derivative(given, k) for k in (2, 0, 1))]
    for mode in (None, FAST_COMPILE):
        for got, wanted in zip(tensordsl.function([X, Y, LENGTH], outputs, mode=mode)(*given), want, strict=True):
            np.testing.assert_allclose(got, wanted, rtol=1e-5, atol=1e-8)


def likelihood(x: Any, y: Any, length: Any) -> Any:
    k = np.exp(-0.5 * ((x[:, None] - x[None]) ** 2).sum(2) / length**2) + 0.1 * np.eye(len(x))
    return -0.5 * y @ np.linalg.solve(k, y) - 0.5 * np.linalg.slogdet(k)[1]


def derivative(given: Any, k: int) -> Any:
    """By differences, of the kth argument."""
    base = np.asarray(given[k], float)
    found = np.zeros_like(base)
    for at in np.ndindex(base.shape):
        step = np.zeros_like(base)
        step[at] = 1e-6
        up, down = ([*given[:k], base + s, *given[k + 1 :]] for s in (step, -step))
        found[at] = (likelihood(*up) - likelihood(*down)) / 2e-6
    return found


def test_second_derivatives_share_the_factors_too() -> None:
    slope = T.grad(by_solve(), LENGTH)
    outputs = [by_solve(), slope, T.grad(slope, LENGTH)]
    assert steps([X, Y, LENGTH], outputs)["lu_factor"] == 1


def test_two_functions_of_one_matrix_share_its_factors() -> None:
    """Written out twice, by other variables."""
    again = T.exp(-0.5 * DISTANCES / T.sqr(LENGTH)) + 0.1 * T.eye(X.shape[0])
    assert steps([X, Y, LENGTH], [solve(KERNEL, Y), slogdet(again)[1], inv(again)])["lu_factor"] == 1
    assert steps([X, Y, LENGTH], [cholesky(KERNEL), cholesky(again)])["cholesky"] == 1
