"""Gradients of linear algebra that `test_gradient_rows` has not: of complex matrices, of repeated values, by structure."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from matrices import evaluated, flat, positive, random_matrices, regular

import tensordsl
import tensordsl.tensor as T
from tensordsl.gradient import grad, verify_grad

LA = T.linalg
ONE = T.eye(3)


def adjoint(a: Any) -> Any:
    return T.conj(T.matrix_transpose(a))


def without_phases(u: Any, *others: Any) -> Any:
    return flat(abs(u), *others)


# Functions of a (3, 3) and b (3, 2), both complex.
COMPLEX: dict[str, Callable[[Any, Any], Any]] = {
    "cholesky": lambda a, b: flat(LA.cholesky(a @ adjoint(a) + ONE), LA.cholesky(a + 15 * ONE, lower=False)),
    "solve": lambda a, b: flat(LA.solve(a + 5 * ONE, b), LA.solve(a + 5 * ONE, b, transposed=True)),
    "solve_pos": lambda a, b: flat(LA.solve(a + 15 * ONE, b, assume_a="pos", lower=True)),
    "solve_her": lambda a, b: flat(LA.solve(a + 15 * ONE, b, assume_a="her")),
    "triangular": lambda a, b: flat(
        *(LA.solve_triangular(a + 5 * ONE, b, trans, lower) for trans in (0, 1, 2) for lower in (True, False))
    ),
    "inv": lambda a, b: flat(LA.inv(a + 5 * ONE)), "det": lambda a, b: flat(LA.det(a), *LA.slogdet(a)),
    "lu": lambda a, b: flat(LA.lu_factor(a)[0], *LA.lu(adjoint(b))[1:]),
    "lu_solve": lambda a, b: flat(*(LA.lu_solve(LA.lu_factor(a), b, trans) for trans in (0, 1, 2))),
    "qr": lambda a, b: flat(*LA.qr(a), *LA.qr(b), *LA.qr(adjoint(b))),
    "qr_pivoted": lambda a, b: flat(*LA.qr(a, pivoting=True)[:2]),
    "svdvals": lambda a, b: flat(LA.svdvals(b), LA.norm(a, "nuc"), LA.norm(a, 2)),
    "svd": lambda a, b: (lambda u, s, v: without_phases(u, s, abs(v), u @ v))(*LA.svd(b, full_matrices=False)),
    "svd_wide": lambda a, b: (lambda u, s, v: without_phases(u, s, abs(v), u @ v))(*LA.svd(adjoint(b), False)),
    "eigh": lambda a, b: (lambda w, v: without_phases(v, w))(*LA.eigh(a)),
    "eigvalsh": lambda a, b: flat(LA.eigvalsh(a, UPLO="U"), LA.eigvalsh(a, b @ adjoint(b) + 9 * ONE)),
    "eig": lambda a, b: (lambda w, v: without_phases(v, w))(*LA.eig(a)), "eigvals": lambda a, b: flat(LA.eigvals(a)),
    "pinv": lambda a, b: flat(LA.pinv(b)), "lstsq": lambda a, b: flat(LA.lstsq(b, a)[0]),
    "expm": lambda a, b: flat(LA.expm(a)),
    "eigh_pair": lambda a, b: (lambda w, v: without_phases(v, w))(*LA.eigh(a, b @ adjoint(b) + 9 * ONE)),
    "sqrtm": lambda a, b: flat(LA.sqrtm(a + 9 * ONE)), "logm": lambda a, b: flat(LA.logm(a + 9 * ONE)),
    "sylvester": lambda a, b: flat(LA.solve_sylvester(a + 9 * ONE, a, b @ adjoint(b))),
}  # fmt: skip


def gradients(function: Callable[..., Any]) -> Callable[..., Any]:
    """All gradients of a weighted sum of the function's results, as one vector."""

    def build(*variables: Any) -> Any:
        result = T.flatten(function(*variables))
        cost = T.sum(result * T.sin(T.arange(result.shape[0]) + 1.0))
        return T.concatenate([T.flatten(g) for g in grad(cost, list(variables), disconnected_inputs="ignore")])

    return build


@pytest.mark.parametrize("name", COMPLEX)
def test_gradients_of_complex_matrices_to_second_order(name: str) -> None:
    rng = np.random.default_rng(3)
    at = [rng.uniform(-2, 2, size=shape) for shape in ((3, 3), (3, 3), (3, 2), (3, 2))]

    def function(x: Any, y: Any, u: Any, v: Any) -> Any:
        return COMPLEX[name](T.complex(x, y), T.complex(u, v))

    verify_grad(function, at, n_tests=1, mode="REFERENCE")
    verify_grad(gradients(lambda *x: T.tanh(function(*x))), at, n_tests=1, mode="REFERENCE")


def test_the_cotangent_lies_in_the_triangle_that_is_read() -> None:
    a = np.array([[4.0, 1], [1, 3]])
    for lower in (True, False):
        for build in (
            lambda x, k=lower: LA.cholesky(x, lower=k).sum(), lambda x, k=lower: LA.eigvalsh(x, lower=k)[0],
            lambda x, k=lower: LA.eigh(x, "L" if k else "U")[1][0, 0],
        ):  # fmt: skip
            (g,) = evaluated(lambda x, f=build: T.grad(f(x), x), a)
            assert (g[0, 1] if lower else g[1, 0]) == 0 and (g[1, 0] if lower else g[0, 1]) != 0
    # As Theano 1.0.5 has it.
    (g,) = evaluated(lambda x: T.grad(T.slinalg.cholesky(x).sum(), x), a)
    np.testing.assert_allclose(g, [[0.20634446, 0], [0.34924433, 0.30151134]], rtol=1e-7)


def test_equal_values_have_gradients_where_these_exist() -> None:
    (g,) = evaluated(lambda x: T.grad(LA.eigvalsh(x).sum() + LA.eigh(x)[0].sum(), x), np.eye(3))
    np.testing.assert_allclose(g, 2 * np.eye(3))
    (g,) = evaluated(lambda x: T.grad(LA.svdvals(x).sum(), x), np.eye(3))
    np.testing.assert_allclose(g, np.eye(3))
    w = np.array([[2.0, 0], [0, 2.0]])  # V is any basis: its projector is constant
    (g,) = evaluated(lambda x: T.grad((lambda v: (v @ v.T).sum())(LA.eigh(x)[1]), x), w)
    np.testing.assert_allclose(g, 0, atol=1e-12)


def test_logdet_has_no_overflow() -> None:
    a = regular("float64", (), 5) * 1e80
    np.testing.assert_allclose(evaluated(lambda x: T.grad(LA.logdet(x), x), a)[0], np.linalg.inv(a).T, rtol=1e-9)
    assert np.isinf(evaluated(LA.det, a)[0])


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_gradients_of_a_gaussian_process(dtype: str) -> None:
    """By the factor and by the determinant: the same value and gradient."""
    s, y = positive(dtype, (), 6), random_matrices(dtype, 6)
    k, v = T.TensorType(dtype, (None, None))("k"), T.TensorType(dtype, (None,))("v")
    half = (k + k.T) / 2
    factor = LA.cholesky(half)
    u = LA.solve_triangular(factor, v, lower=True)
    by_factor = T.sum(u**2) / 2 + T.sum(T.log(T.diagonal(factor)))
    plain = T.dot(v, LA.solve(half, v)) / 2 + LA.logdet(half) / 2
    outputs = [by_factor, plain, *T.grad(by_factor, [k, v]), *T.grad(plain, [k, v])]
    one, two, *slopes = tensordsl.function([k, v], outputs)(s, y)
    close = 2e-3 if dtype == "float32" else 1e-9
    np.testing.assert_allclose(one, two, rtol=close)
    for g, h in zip(slopes[:2], slopes[2:], strict=True):
        np.testing.assert_allclose(g, h, rtol=close, atol=close)


def test_large_cotangents_of_the_exponential() -> None:
    """det(expm(x)) = exp(trace(x)): the norm of a cotangent must not decide how the exponential scales its matrix."""
    a = positive("float64", ())
    y = T.dmatrix("y")

    def build(x: Any, y: Any) -> Any:
        gradient = T.grad(LA.det(LA.expm(x)), x)
        return [gradient, T.grad(T.sum(gradient * y), x)]

    x = T.dmatrix("x")
    f = tensordsl.function([x, y], build(x, y))
    direction = np.arange(a.size).reshape(a.shape) - 7.0
    first, second = f(a, direction)
    want = np.exp(np.trace(a)) * np.eye(len(a))
    np.testing.assert_allclose(first, want, atol=1e-12 * want.max())
    np.testing.assert_allclose(second, want * np.trace(direction), atol=1e-11 * want.max() * np.trace(direction))
    zero, none = f(0 * a, 0 * direction)
    np.testing.assert_allclose([zero, none], [np.eye(len(a)), 0 * a], atol=1e-14)


@pytest.mark.parametrize("function", [LA.expm, LA.logm, LA.sqrtm])
def test_derivatives_are_linear_in_tiny_and_huge_cotangents(function: Callable[..., Any]) -> None:
    x, c, d = T.dmatrix("x"), T.dmatrix("c"), T.dmatrix("d")
    y = function(x)
    gradient = T.grad(T.sum(y * c), x)
    outputs = [gradient, T.grad(T.sum(gradient * d), x), tensordsl.Rop(y, x, d)]
    f = tensordsl.function([x, c, d], outputs, on_unused_input="ignore")
    a, p, q = random_matrices("float64", 3, 4, 4) * 0.2
    a = a + 3 * np.eye(len(a))
    wanted = f(a, p, q)
    for scale in (1e-300, 1e-12, 1e12, 1e300):
        for of_p, of_q in ((scale, 1.0), (1.0, scale)):
            found = f(a, p * of_p, q * of_q)
            for got, want, by in zip(found, wanted, (of_p, of_p * of_q, of_q), strict=True):
                np.testing.assert_allclose(got, want * by, atol=1e-12 * abs(want).max() * by)


@pytest.mark.parametrize("ord", [2, -2])
def test_norms_of_equal_singular_values_have_subgradients(ord: int) -> None:
    x, t = T.dmatrix("x"), T.dscalar("t")
    blocks = T.linalg.block_diag(x, x)
    outputs = [T.grad(LA.norm(blocks, ord), x), T.grad(LA.norm(t * T.eye(5), ord), t), T.grad(LA.cond(blocks), x)]
    of_norm, of_multiple, of_condition = tensordsl.function([x, t], outputs)([[-1.5]], 2.0)
    np.testing.assert_allclose([of_norm.item(), of_multiple, of_condition.item()], [-1, 1, 0], atol=1e-14)


def test_batches_have_the_gradients_of_their_matrices() -> None:
    s = positive("float64", (3,))
    for build in (
        lambda x: LA.cholesky(x), lambda x: LA.inv(x), lambda x: LA.logdet(x), lambda x: LA.eigh(x)[0], lambda x: LA.expm(x / 9),
        lambda x: LA.svd(x, False)[0], lambda x: LA.qr(x)[1], lambda x: LA.pinv(x), lambda x: LA.solve(x, x * 2 + 1),
    ):  # fmt: skip
        (whole,) = evaluated(lambda x, f=build: T.grad(T.sum(T.sin(f(x))), x), s)
        each = [evaluated(lambda x, f=build: T.grad(T.sum(T.sin(f(x))), x), m)[0] for m in s]
        np.testing.assert_allclose(whole, each, rtol=1e-7, atol=1e-9)
