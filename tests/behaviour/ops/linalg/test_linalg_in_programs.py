"""Linear algebra inside of loops, branches, jacobians and forward derivatives; pickles and copies of functions."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from matrices import positive, random_matrices, regular

import tensordsl
import tensordsl.tensor as T
from tensordsl.gradient import verify_grad
from tensordsl.ifelse import ifelse

LA = T.linalg
A = random_matrices("float64", 3, 3)


def filtered(a: Any) -> Any:
    """A filter's covariances and log-likelihoods."""

    def step(p: Any) -> Any:
        s = a @ p @ a.T + T.eye(3)
        factor = LA.cholesky(s)
        return s - LA.cho_solve((factor, True), s) / 4, T.sum(T.log(T.diagonal(factor)))

    (p, logs), _ = tensordsl.scan(step, outputs_info=[T.eye(3), None], n_steps=4)
    return logs.sum() + p[-1].sum()


@pytest.mark.parametrize("mode", [None, "REFERENCE"])
def test_a_filter_by_scan_has_a_gradient(mode: Any) -> None:
    verify_grad(filtered, [A / 2], n_tests=1, mode=mode)


def test_loops_over_complex_matrices() -> None:
    z = T.zmatrix("z")
    states = tensordsl.scan(lambda s: s @ z / 4 + LA.inv(z + 9 * T.eye(3)), outputs_info=[z], n_steps=3)[0]
    outputs = [states[-1], T.grad(T.real(states[-1]).sum(), z)]
    native, reference = (tensordsl.function([z], outputs, mode=m)(A + 1j * A.T) for m in (None, "REFERENCE"))
    for got, want in zip(native, reference, strict=True):
        np.testing.assert_allclose(got, want)


def test_loops_over_complex_matrices_that_a_loop_made() -> None:
    """A kernel of rounds has the factors of real matrices alone."""
    z = T.zmatrix("z")
    halves = tensordsl.scan(lambda p: p / 2, outputs_info=[z], n_steps=3)[0]
    found = tensordsl.scan(lambda p: LA.inv(LA.cholesky(p)), sequences=[halves])[0]
    at = positive("complex128", (), 3)
    want = [np.linalg.inv(np.linalg.cholesky(at / 2**k)) for k in (1, 2, 3)]
    np.testing.assert_allclose(tensordsl.function([z], found)(at), want, rtol=1e-9, atol=1e-12)


# New values of a state that is a matrix, of the old one and another matrix; the error, where that is all zeros.
OWN_UPDATES: dict[str, Callable[[Any, Any], Any]] = {
    "cholesky": lambda s, a: LA.cholesky(s + a),
    "its own factor": lambda s, a: LA.cholesky(s),
    "a triangular system": lambda s, a: LA.solve_triangular(a, s, lower=True),
    "a transposed triangle": lambda s, a: LA.solve_triangular(a, s, trans=1, lower=True),
    "a system": lambda s, a: LA.solve(a, s),
    "a system by a factor": lambda s, a: LA.cho_solve((a, True), s),
    "its own system": lambda s, a: LA.solve_triangular(LA.cholesky(s), s, lower=True),
    "by LU factors": lambda s, a: LA.lu_solve(LA.lu_factor(a), s, trans=1),
    "rows that change places": lambda s, a: LA.lu(a)[0] @ s,
}


@pytest.mark.parametrize("dtype", ["float64", "complex128"])
@pytest.mark.parametrize("name", OWN_UPDATES)
def test_a_state_is_replaced_by_what_is_solved_of_it(name: str, dtype: str) -> None:
    """No factorisation runs in the state's own storage, as it may fail: then nothing has changed."""
    start, a = positive(dtype, (), 3), positive(dtype, (), 3, seed=5)
    x = T.TensorType(dtype, (None, None))("x")
    state, given = tensordsl.shared(start), T.TensorType(dtype, (None, None))("given")
    f = tensordsl.function([given], updates=[(state, OWN_UPDATES[name](state, given))], on_unused_input="ignore")
    plain = tensordsl.function([x, given], OWN_UPDATES[name](x, given), mode="REFERENCE", on_unused_input="ignore")
    want = start
    for _ in range(2):
        f(a)
        want = plain(want, a)
        np.testing.assert_allclose(state.get_value(), want, rtol=1e-9, atol=1e-9)
        if "own" in name:
            break
    if "rows" not in name and "own" not in name:
        with pytest.raises(np.linalg.LinAlgError):
            f(-1e6 * np.eye(3, dtype=dtype) if name == "cholesky" else 0 * a)
    np.testing.assert_allclose(state.get_value(), want, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("build", [LA.inv, LA.cholesky, lambda a: LA.solve_sylvester(a, -a, a)])
def test_a_branch_that_is_not_taken_does_not_fail(build: Any) -> None:
    x = T.matrix("x")
    result = ifelse(T.gt(x[0, 0], 0), build(x), x)
    f = tensordsl.function([x], result)
    np.testing.assert_array_equal(f(np.zeros((2, 2))), np.zeros((2, 2)))
    other = ifelse(T.gt(x[0, 0], 0), 2 * build(x), -x)  # what two branches share stays in them
    np.testing.assert_array_equal(tensordsl.function([x], [result, other])(np.zeros((2, 2))), np.zeros((2, 2, 2)))
    slope = tensordsl.function([x], T.grad(T.sum(result), x))
    np.testing.assert_array_equal(slope(np.zeros((2, 2))), np.ones((2, 2)))
    with pytest.raises(np.linalg.LinAlgError):
        f(np.array([[1.0, 2], [2, 4]]) - 1e-300)


@pytest.mark.parametrize("build", [
    lambda a: LA.logdet(a) * a, lambda a: T.log(LA.det(a)) * a, lambda a: LA.solve(a, a + 1) + LA.inv(a),
    lambda a: LA.eigvalsh(LA.cholesky(a))[:, None] * a, lambda a: LA.lu_solve(LA.lu_factor(a), a),
])  # fmt: skip
@pytest.mark.parametrize("mode", [None, "FAST_COMPILE", "REFERENCE"])
def test_values_and_gradients_in_a_branch_share_its_steps(build: Any, mode: Any) -> None:
    x = T.matrix("x")
    result = ifelse(T.gt(x[0, 0], 0), build(x), x)
    f = tensordsl.function([x], [result, T.grad(T.sum(result), x)], mode=mode)
    np.testing.assert_array_equal(f(np.zeros((2, 2))), [np.zeros((2, 2)), np.ones((2, 2))])
    a = positive("float64", (), 2)
    plain = tensordsl.function([x], [build(x), T.grad(T.sum(build(x)), x)], mode="REFERENCE")
    for got, want in zip(f(a), plain(a), strict=True):
        np.testing.assert_allclose(got, want, atol=1e-9)


def test_jacobians_and_forward_derivatives() -> None:
    x, v = T.matrix("x"), T.matrix("v")
    a, inverse = regular("float64", (), 3), np.linalg.inv(regular("float64", (), 3))
    jacobian = T.jacobian(LA.solve(x, T.ones(3)), x).eval({x: a})
    np.testing.assert_allclose(jacobian, -np.einsum("ik,l->ikl", inverse, inverse.sum(1)))
    forward = T.Rop(LA.inv(x), x, v).eval({x: a, v: A})
    np.testing.assert_allclose(forward, -inverse @ A @ inverse)
    w = T.vector("w")
    hessian = T.hessian(LA.logdet(T.diag(w)), w).eval({w: np.array([1.0, 2.0, 4.0])})
    np.testing.assert_allclose(hessian, -np.diag([1, 1 / 4, 1 / 16]), atol=1e-12)


def test_values_and_gradients_share_a_factorisation() -> None:
    x, y = T.matrix("x"), T.vector("y")
    value = LA.logdet(x) + T.dot(y, LA.solve(x, y))
    f = tensordsl.function([x, y], [value, *T.grad(value, [x, y]), LA.inv(x)])
    s, b = positive("float64"), random_matrices("float64", 4)
    found = f(s, b)
    np.testing.assert_allclose(found[0], np.linalg.slogdet(s)[1] + b @ np.linalg.solve(s, b))
    np.testing.assert_allclose(found[1], np.linalg.inv(s) - np.outer(np.linalg.solve(s, b), np.linalg.solve(s, b)))
    np.testing.assert_allclose(found[2], 2 * np.linalg.solve(s, b))


def test_functions_can_be_pickled_and_copied() -> None:
    x, shift = T.matrix("x"), tensordsl.shared(np.eye(3), "shift")
    f = tensordsl.function([x], [*LA.eigh(x + shift), LA.schur(x)[0]], updates=[(shift, shift + LA.inv(x))])
    s = positive("float64", (), 3)
    want = np.linalg.eigvalsh(s + np.eye(3))
    for g in (f.copy(), pickle.loads(pickle.dumps(f))):
        np.testing.assert_allclose(g(s)[0], want)


def test_equal_programs_of_host_steps_are_each_compiled() -> None:
    for _ in range(2):  # the second finds no function of the first one's in a cache
        x = T.matrix("x")
        f = tensordsl.function([x], [LA.schur(x)[0], LA.solve_discrete_lyapunov(x / 9, x)])
        assert f(np.eye(3))[0].shape == (3, 3)
