"""Bad input of linear algebra: which error, where, and that nothing has changed."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from matrices import evaluated, regular

import tensordsl
import tensordsl.tensor as T
from tensordsl.types import TensorType

LA = T.linalg
x, z, v = T.matrix("x"), T.tensor3("z"), T.vector("v")
MODES = (None, "FAST_COMPILE", "REFERENCE", "DebugMode")
SECOND_IS_BAD = np.stack([np.eye(2), -np.zeros((2, 2)), np.eye(2)])


@pytest.mark.parametrize("mode", MODES)
def test_the_position_in_the_batch_and_the_line_are_told(mode: Any) -> None:
    for build, text in (
        (LA.cholesky, "cholesky: matrix 1 of the batch is not positive definite"),
        (LA.inv, "matrix 1 of the batch is singular"),
        (lambda a: LA.solve(a, v), "matrix 1 of the batch is singular"),
        (lambda a: LA.solve(a, v, assume_a="diagonal"), "matrix 1 of the batch is singular"),
        (lambda a: LA.solve_triangular(a, v), "solve_triangular: matrix 1 of the batch is singular: an element of its"),
    ):  # fmt: skip
        f = tensordsl.function([z, v], build(z), mode=mode, on_unused_input="ignore")
        with pytest.raises(np.linalg.LinAlgError, match=text) as caught:
            f(SECOND_IS_BAD, np.ones(2))
        assert "test_failures.py" in str(caught.value)
        f(np.stack([np.eye(2)] * 3), np.ones(2))
    deep = TensorType("float64", (None,) * 4)()
    f = tensordsl.function([deep], LA.cholesky(deep), mode=mode)
    with pytest.raises(np.linalg.LinAlgError, match=r"matrix \(2, 1\) of the batch is not positive definite"):
        f(np.where(np.arange(6).reshape(3, 2, 1, 1) == 5, -1, 1) * np.eye(2))


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("damage", [np.inf, -np.inf])
def test_singular_vectors_of_infinite_matrices_end(damage: float, mode: Any) -> None:
    """So do the NumPy functions by which modes compute, and messages find the operation: LAPACK's may not."""
    bad = np.eye(5) + np.arange(25).reshape(5, 5) % 7
    bad[2, 3] = damage
    for build in (LA.pinv(x), LA.lstsq(x, x)[0], LA.svd(x)[0]):
        f = tensordsl.function([x], build, mode=mode)
        with pytest.raises(np.linalg.LinAlgError):
            f(bad)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("rows", [1, 3, 40])
def test_a_singular_system_without_columns_is_an_error(rows: int, mode: Any) -> None:
    """As in NumPy, which factors the matrix first."""
    right, wrong, nothing = np.eye(rows), np.zeros((rows, rows)), np.zeros((rows, 0))
    y = T.matrix("y")
    steps, _ = tensordsl.scan(lambda b: LA.solve(x + b.sum(), b), outputs_info=y, n_steps=6)
    for build in (LA.solve(x, y), LA.solve(x.T, y), LA.solve(T.stack([x] * 2), y), steps[-1]):
        f = tensordsl.function([x, y], build, mode=mode)
        assert f(right, nothing).shape[-2:] == (rows, 0)
        with pytest.raises(np.linalg.LinAlgError, match="is singular"):
            f(wrong, nothing)
    assert evaluated(LA.solve, np.zeros((0, 0)), np.zeros((0, 2)))[0].shape == (0, 2)


def test_one_matrix_has_no_position() -> None:
    with pytest.raises(np.linalg.LinAlgError, match="cholesky: the matrix is not positive definite"):
        evaluated(LA.cholesky, -np.eye(3))
    with pytest.raises(np.linalg.LinAlgError, match="the matrix is singular"):
        evaluated(LA.inv, np.zeros((3, 3)))
    with pytest.raises(np.linalg.LinAlgError, match="did not converge"):
        evaluated(LA.svdvals, np.full((3, 3), np.nan))


def test_cholesky_gives_nan_if_it_shall() -> None:
    found = evaluated(lambda a: LA.cholesky(a, on_error="nan"), SECOND_IS_BAD - np.eye(2) * [[[0]], [[1]], [[0]]])[0]
    assert np.isnan(found[1]).all()
    np.testing.assert_array_equal(found[[0, 2]], [np.eye(2)] * 2)
    gradient = evaluated(lambda a: T.grad(LA.cholesky(a, on_error="nan").sum(), a), SECOND_IS_BAD - 1e-300)[0]
    assert np.isfinite(gradient[0]).all()
    with pytest.raises(ValueError, match="on_error must be one of 'raise', 'nan', got 'none'"):
        LA.cholesky(x, on_error="none")


@pytest.mark.parametrize("mode", MODES)
def test_a_failed_call_changes_nothing(mode: Any) -> None:
    w, count = tensordsl.shared(np.eye(2)), tensordsl.shared(0)
    f = tensordsl.function([x], LA.inv(x), updates=[(w, w @ LA.inv(x) + 1), (count, count + 1)], mode=mode)
    with pytest.raises(np.linalg.LinAlgError):
        f(np.zeros((2, 2)))
    np.testing.assert_array_equal(w.get_value(), np.eye(2))
    assert count.get_value() == 0
    f(np.eye(2))
    assert count.get_value() == 1


def test_gradients_of_singular_matrices_fail_as_the_inverse_does() -> None:
    for build in (LA.det, LA.logdet):
        with pytest.raises(np.linalg.LinAlgError, match="singular"):
            evaluated(lambda a, b=build: T.grad(b(a), a), np.zeros((2, 2)))


@pytest.mark.parametrize("mode", MODES)
def test_lengths_that_only_a_call_knows_are_checked(mode: Any) -> None:
    square = [
        LA.cholesky,
        LA.inv,
        LA.det,
        LA.expm,
        LA.eigvalsh,
        lambda a: LA.eig(a)[0],
        lambda a: LA.matrix_power(a, 0),
    ]
    for build in square[:-1] if mode is None else square[:3]:
        with pytest.raises(ValueError, match="square matrices.*2 != 3"):
            evaluated(build, np.ones((2, 3)), mode=mode)
    with pytest.raises(ValueError, match="differ in their number of rows: 2 != 3"):
        evaluated(LA.solve, np.eye(2), np.ones(3), mode=mode)
    with pytest.raises(ValueError, match="the axes of batches differ in length: 2 != 3"):
        evaluated(LA.solve, regular("float64", (2,)), regular("float64", (3,)), mode=mode)


def test_what_is_known_is_refused_at_once() -> None:
    flat, small = T.constant(np.ones((2, 3))), T.constant(np.eye(2))
    for function in (LA.cholesky, LA.inv, LA.det, LA.slogdet, LA.eig, LA.eigh, LA.expm, LA.eigvalsh):
        with pytest.raises(ValueError, match="wants square matrices, got 2 by 3"):
            function(flat)
        with pytest.raises(ValueError, match="wants a matrix, or a batch of them"):
            function(v)
    with pytest.raises(ValueError, match="differ in their number of rows: 2 != 3"):
        LA.solve(small, np.ones(3))
    with pytest.raises(ValueError, match="the axes of batches differ in length: 2 != 4"):
        LA.solve(T.constant(np.ones((2, 3, 3))), np.ones((4, 3, 1)))
    for wrong in (
        lambda: LA.solve(x, v, assume_a="round"), lambda: LA.solve_triangular(x, v, trans=3), lambda: LA.qr(x, "fast"),
        lambda: LA.solve_triangular(x, v, trans="X"), lambda: LA.eigh(x, "M"), lambda: LA.norm(x, 3, axis=(0, 1)),
        lambda: LA.norm(v, "fro"), lambda: LA.solve(x, v, b_ndim=3), lambda: LA.solve(x, 1.0), lambda: LA.tensorinv(x, 0), lambda: LA.multi_dot([x]),
        lambda: LA.schur(x, "round"), lambda: LA.solve_discrete_lyapunov(x, x, "fast"), lambda: LA.block_diag(),
        lambda: LA.matrix_dot(), lambda: LA.matrix_rank(x, 1.0, rtol=1.0),
    ):  # fmt: skip
        with pytest.raises(ValueError):
            wrong()
    for wrong in (
        lambda: LA.toeplitz(x), lambda: LA.cho_solve(x, v), lambda: LA.lu_solve(x, v),
        lambda: LA.matrix_power(x, 0.5), lambda: LA.multi_dot([z, x]), lambda: LA.matrix_norm(v), lambda: LA.norm(z, 2),
        lambda: LA.tensorsolve(x, x), lambda: LA.solve_discrete_are(*[T.zmatrix()] * 4),
    ):  # fmt: skip
        with pytest.raises(TypeError):
            wrong()
    for wrong in (
        lambda: LA.schur(x, sort="left"), lambda: LA.qz(x, x, sort=True), lambda: LA.ordqz(x, x, "all"),
        lambda: LA.eigh(x, x, type=4), lambda: LA.eigvalsh(x, x, type=0),
    ):  # fmt: skip
        with pytest.raises(ValueError):
            wrong()


def test_gradients_that_do_not_exist_say_so() -> None:
    tall = T.tensor(shape=(4, 2), dtype="float64")
    with pytest.raises(NotImplementedError, match="columns that complete Q are not determined; use mode='reduced'"):
        T.grad(LA.qr(tall, "complete")[0].sum(), tall)
    with pytest.raises(NotImplementedError, match="use full_matrices=False"):
        T.grad(LA.svd(tall)[0].sum(), tall)
    unknown = T.grad(LA.qr(x, "complete")[0].sum(), x)
    with pytest.raises(ValueError, match="there is no gradient for more rows than columns"):
        unknown.eval({x: np.ones((3, 2))})
    assert np.isfinite(unknown.eval({x: np.random.default_rng(0).normal(size=(2, 3))})).all()
    with pytest.raises(TypeError, match="schur has no gradient"):
        T.grad(LA.schur(x)[0].sum(), x)


def test_nan_is_refused_only_if_asked() -> None:
    bad = np.full((2, 2), np.nan)
    assert np.isnan(evaluated(LA.solve, bad, np.ones(2))[0]).all()
    for build in (
        lambda a, b: LA.solve(a, b, check_finite=True), lambda a, b: LA.solve_triangular(a, b, check_finite=True),
        lambda a, b: LA.cholesky(a, check_finite=True), lambda a, b: LA.lu_factor(a, check_finite=True),
    ):  # fmt: skip
        with pytest.raises(ValueError, match="an element is infinite or nan"):
            evaluated(build, bad, np.ones(2))
        with pytest.raises(ValueError, match="an element is infinite or nan"):
            evaluated(build, np.full((2, 2), np.inf), np.ones(2))
        evaluated(build, np.eye(2), np.ones(2))


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("dtype", ["float32", "float64", "complex128"])
def test_singular_vectors_of_an_infinite_matrix_are_an_error(dtype: str, mode: Any) -> None:
    """LAPACK, and so NumPy, may not end with one."""
    y = T.tensor3("y", dtype=dtype)
    f = tensordsl.function([y], list(LA.svd(y, full_matrices=False)), mode=mode)
    for rows, columns in ((1, 1), (7, 7), (9, 4), (40, 40)):
        given = np.random.default_rng(0).normal(size=(2, rows, columns)).astype(dtype)
        given[1, rows // 2, 0] = np.inf
        with pytest.raises(np.linalg.LinAlgError, match="svd: matrix 1 of the batch has a singular value decomp"):
            f(given)
        f(given[:1])


def test_huge_matrices_end_in_an_error_of_memory() -> None:
    n = T.lscalar()
    f = tensordsl.function([n], LA.cholesky(T.alloc(1.0, n, n)))
    with pytest.raises(MemoryError):
        f(2**21)
