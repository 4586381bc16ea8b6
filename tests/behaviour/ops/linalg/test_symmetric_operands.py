"""What a symmetric operand means for its two triangles: one is read, with the real part of the diagonal; in values, in
gradients, which are those of that function of independent elements, and whatever is rewritten."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from matrices import assert_like, evaluated, positive, random_matrices

import tensordsl
import tensordsl.tensor as T

LA = T.linalg
MODES = ("FAST_RUN", "FAST_COMPILE", "REFERENCE")


def whole(a: Any, lower: bool, is_plain: bool = False) -> Any:
    """The matrix that one triangle says: Hermitian, or symmetric."""
    half = np.tril(a, -1) if lower else np.triu(a, 1)
    diagonal = np.diag(np.diag(a)) if is_plain else np.diag(np.diag(a).real)
    return half + diagonal + (half.T if is_plain else half.conj().T)


def upper_factor(a: Any) -> Any:
    return np.linalg.cholesky(a).conj().T


def halves(c: Any, lower: bool) -> Any:
    return np.tril(c) if lower else np.triu(c).conj().T


B = random_matrices("complex128", 4, 2)
# Each with what it is of the whole matrix; the second operand is whether the lower triangle is read.
READERS: dict[str, tuple[Callable[[Any, bool], Any], Callable[[Any, bool], Any]]] = {
    "cholesky": (
        lambda a, lower: LA.cholesky(a, lower=lower), lambda a, k: np.linalg.cholesky(a) if k else upper_factor(a),
    ),
    "cho_factor": (
        lambda a, lower: LA.cho_factor(a, lower)[0], lambda a, k: np.linalg.cholesky(a) if k else upper_factor(a),
    ),
    "cho_solve": (
        lambda a, lower: LA.cho_solve(LA.cho_factor(a, lower), b_of(a)), lambda a, k: np.linalg.solve(a, b_for(a)),
    ),
    "eigh": (lambda a, lower: abs(LA.eigh(a, lower=lower)[1]), lambda a, k: abs(np.linalg.eigh(a)[1])),
    "eigh by NumPy's argument": (
        lambda a, lower: LA.eigh(a, "L" if lower else "U")[0], lambda a, k: np.linalg.eigh(a)[0],
    ),
    "eigvalsh": (lambda a, lower: LA.eigvalsh(a, lower=lower), lambda a, k: np.linalg.eigvalsh(a)),
    "eigvalsh of a pair": (
        lambda a, lower: LA.eigvalsh(a, a, lower=lower), lambda a, k: np.ones(len(a)),
    ),
    "solve, sym": (
        lambda a, lower: LA.solve(a, b_of(a), assume_a="sym", lower=lower), lambda a, k: np.linalg.solve(a, b_for(a)),
    ),
    "solve, her": (
        lambda a, lower: LA.solve(a, b_of(a), assume_a="her", lower=lower), lambda a, k: np.linalg.solve(a, b_for(a)),
    ),
    "solve, pos": (
        lambda a, lower: LA.solve(a, b_of(a), assume_a="pos", lower=lower), lambda a, k: np.linalg.solve(a, b_for(a)),
    ),
}  # fmt: skip


def b_for(a: Any) -> Any:
    return B if np.iscomplexobj(a) else B.real


def b_of(a: Any) -> Any:
    return T.constant(B if a.type.dtype.startswith("complex") else B.real)


@pytest.mark.parametrize("dtype", ["float64", "complex128"])
@pytest.mark.parametrize("lower", [True, False])
@pytest.mark.parametrize("name", READERS)
def test_one_triangle_is_read(name: str, lower: bool, dtype: str) -> None:
    build, judge = READERS[name]
    is_plain = name == "solve, sym"
    a = positive(dtype)
    if dtype == "complex128":
        a = a + (0.3j * np.tri(4) if is_plain else 0.7j * np.eye(4))  # neither Hermitian nor of a real diagonal
    dark = np.full((4, 4), np.nan)
    read = a + (np.triu(dark, 1) if lower else np.tril(dark, -1))
    want = judge(whole(a, lower, is_plain), lower)
    assert_like(lambda x: build(x, lower), want, np.where(np.isnan(read), 9.0, read))  # what is there is not read
    if name != "eigvalsh of a pair":
        assert_like(lambda x: build(x, lower), want, read)


def weighed(x: Any) -> Any:
    return T.sum(T.flatten(x) * T.sin(1.0 + T.arange(x.size)))


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("lower", [True, False])
@pytest.mark.parametrize("name", READERS)
def test_gradients_are_those_of_independent_elements(name: str, lower: bool, mode: str) -> None:
    build = READERS[name][0]
    a = positive("float64")
    a[np.triu_indices(4, 1) if lower else np.tril_indices(4, -1)] += 0.5
    assert_differences(lambda x: weighed(build(x, lower)), a, mode)
    (g,) = evaluated(lambda x: T.grad(weighed(build(x, lower)), x), a, mode=mode)
    np.testing.assert_array_equal(g, np.tril(g) if lower else np.triu(g))


def assert_differences(cost: Callable[[Any], Any], a: Any, mode: str) -> None:
    """A gradient is that of changes of one element, and of one and its mirror image."""
    x = T.matrix("x")
    value = tensordsl.function([x], cost(x), mode=mode)
    (g,) = tensordsl.function([x], [T.grad(cost(x), x)], mode=mode)(a)
    n, h = len(a), 1e-5
    for i in range(n):
        for j in range(n):
            for step in (unit(n, i, j), unit(n, i, j) + unit(n, j, i)):
                found = (value(a + h * step) - value(a - h * step)) / (2 * h)
                np.testing.assert_allclose((g * step).sum(), found, atol=2e-7 * (1 + abs(g).max()))


def unit(n: int, i: int, j: int) -> Any:
    x = np.zeros((n, n))
    x[i, j] = 1
    return x


# Programs that rewrites touch, of a matrix that nothing is known of.
MIXED: dict[str, Callable[[Any], Any]] = {
    "a solve of the inverse for the inverse": lambda p: LA.solve(LA.inv(p), LA.inv(p), assume_a="pos"),
    "a solve of the inverse for a factor": lambda p: LA.solve(LA.inv(p), LA.cholesky(p), assume_a="pos"),
    "a solve of the inverse for what a factor solves": (
        lambda p: LA.solve(LA.inv(p), LA.solve_triangular(LA.cholesky(p), p, lower=True), assume_a="pos")
    ),
    "a solve of the inverse for what its triangle solves": (
        lambda p: LA.solve(LA.inv(p), LA.solve_triangular(p, p), assume_a="pos", lower=True)
    ),
    "symmetric, of the inverse": lambda p: LA.solve(LA.inv(p), T.tril(p), assume_a="sym"),
    "a general solve beside a factor": lambda p: LA.solve(p, T.sin(p)) + LA.cholesky(p),
    "an inverse, a determinant and a factor": lambda p: LA.inv(p) * LA.slogdet(p)[1] + LA.cholesky(p, lower=False),
    "both factors": lambda p: LA.cholesky(p) @ LA.cholesky(p, lower=False),
    "eigenvalues of an inverse": lambda p: LA.eigvalsh(LA.inv(p)) + LA.eigvalsh(LA.inv(p), "U"),
    "the factor of a product with its transpose": lambda p: LA.cholesky(T.tril(p) @ T.tril(p).T) @ LA.inv(p),
    "a system by a factor, with the whole": lambda p: LA.cho_solve((LA.cholesky(p), True), p) @ LA.solve(p.T, p),
}


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("name", MIXED)
def test_no_rewrite_changes_which_triangle_is_read(name: str, mode: str) -> None:
    symmetric = positive("float64", (), 3)
    skewed = symmetric + 0.4 * np.triu(random_matrices("float64", 3, 3), 1)
    for a in (symmetric, skewed):
        assert_differences(lambda p: weighed(MIXED[name](p)), a, mode)
        plain, found = (evaluated(MIXED[name], a, mode=m)[0] for m in ("FAST_COMPILE", mode))
        np.testing.assert_allclose(found, plain, rtol=1e-9, atol=1e-9)


# Matrices that are known to be symmetric from how they are made.
MADE: dict[str, Callable[[Any], Any]] = {
    "a product with the transpose": lambda x: x @ x.T + T.eye(3),
    "a sum with the transpose": lambda x: x + x.T + 9 * T.eye(3),
    "a kernel": lambda x: T.exp(-0.5 * T.sqr(x[:, None, :] - x[None, :, :]).sum(2)) + T.eye(3),
    "an inverse of such": lambda x: LA.inv(x @ x.T + T.eye(3)),
    "a product of triangles": lambda x: (lambda f: f @ f.T)(T.tril(x) + 3 * T.eye(3)),
}


@pytest.mark.parametrize("made", MADE)
@pytest.mark.parametrize("name", MIXED)
def test_symmetric_matrices_have_one_gradient(name: str, made: str) -> None:
    a = random_matrices("float64", 3, 3)
    assert_differences(lambda x: weighed(MIXED[name](MADE[made](x))), a, "FAST_RUN")


def test_along_symmetric_directions_all_conventions_agree() -> None:
    """Of a symmetric matrix the sum of both triangles of a gradient is that of the general solve."""
    a = positive("float64")
    b = random_matrices("float64", 4, 2)

    def gradient(**how: Any) -> Any:
        return evaluated(lambda x, y: T.grad(weighed(LA.solve(x, y, **how)), x), a, b)[0]

    plain = gradient()
    for how in ({"assume_a": "sym"}, {"assume_a": "pos"}, {"assume_a": "her", "lower": True}):
        one = gradient(**how)
        np.testing.assert_allclose(one + one.T, plain + plain.T, rtol=1e-9, atol=1e-9)
