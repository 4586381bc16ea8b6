"""Factors and systems by LAPACK: NumPy's results in every layout, failures, threads, and processes without a LAPACK."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from factor_cases import (
    DTYPES,
    LAYOUTS,
    REAL,
    adjoint,
    batches,
    by_the_plan_runner,
    close,
    in_threads,
    kinds,
    numbers,
    positive,
    wide,
)

import tensordsl
import tensordsl.tensor as T
from tensordsl.graph.variables import apply
from tensordsl.ifelse import ifelse
from tensordsl.ops.table import OPS

ROOT = Path(__file__).resolve().parents[3]
SIZES = (0, 1, 2, 3, 5, 8, 17, 33, 70)  # below and above those that have code of their own


def cholesky(x: Any, lower: bool = True, on_error: str = "raise") -> Any:
    return apply(OPS["cholesky"], x, lower=lower, on_error=on_error)


def triangular(a: Any, b: Any, lower: bool = True, trans: int = 0, unit: bool = False) -> Any:
    return apply(OPS["solve_triangular"], a, b, lower=lower, trans=trans, unit_diagonal=unit)


def solve(a: Any, b: Any, trans: int = 0) -> Any:
    return apply(OPS["solve"], a, b, trans=trans)


def given(rng: Any, dtype: str) -> Iterator[tuple[np.ndarray, Callable[[Any], Any]]]:
    """Positive definite batches, each with a layout."""
    for n in SIZES:
        for count in (0, 1, 3):
            a = positive(rng, dtype, count, n, n)
            for layout in LAYOUTS.values():
                yield layout(a), layout


# -- results -----------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("lower", [True, False])
def test_cholesky(dtype: str, lower: bool) -> None:
    rng, x = np.random.default_rng(0), batches(dtype)
    f = tensordsl.function([x], cholesky(x, lower))
    for a, _ in given(rng, dtype):
        before = a.copy()
        read = np.tril(a) if lower else np.triu(a)
        want = np.linalg.cholesky(a.astype(wide(dtype)))
        close(f(a), want if lower else adjoint(want), dtype)
        close(f(read), want if lower else adjoint(want), dtype)
        np.testing.assert_array_equal(a, before)


@pytest.mark.parametrize("dtype", REAL)
def test_cotangents_of_cholesky_factors(dtype: str) -> None:
    """In blocks, and a column after the other."""
    rng, x, y, row = np.random.default_rng(9), batches(dtype), batches(dtype), OPS["cholesky_vjp"]
    f, g = (tensordsl.function([x, y], apply(row, x, y * k)) for k in (1, 2))
    for a, layout in given(rng, dtype):
        factor = np.linalg.cholesky(a.astype("float64"))
        cotangent = layout(rng.normal(size=a.shape).astype(dtype))
        before = cotangent.copy()
        assert row.oracle is not None
        want = row.oracle(factor, cotangent.astype("float64"))
        close(f(layout(factor.astype(dtype)), cotangent), want, dtype)
        close(g(layout(factor.astype(dtype)), cotangent), 2 * want, dtype)
        np.testing.assert_array_equal(cotangent, before)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("lower", [True, False])
@pytest.mark.parametrize("unit", [True, False])
def test_triangular_systems(dtype: str, lower: bool, unit: bool) -> None:
    rng, x, y = np.random.default_rng(1), batches(dtype), batches(dtype)
    functions = [tensordsl.function([x, y], triangular(x, y, lower, trans, unit)) for trans in (0, 1, 2)]
    for a, layout in given(rng, dtype):
        n = a.shape[-1]
        a = layout((a / (n + 1)).astype(dtype))
        whole = (np.tril(a) if lower else np.triu(a)).astype(wide(dtype))
        if unit:
            whole[:, range(n), range(n)] = 1
        for k in (0, 1, 2, 9, 65):
            b = layout(numbers(rng, dtype, len(a), n, k))
            before = a.copy(), b.copy()
            for form, f in zip((whole, whole.swapaxes(1, 2), adjoint(whole)), functions, strict=True):
                close(f(a, b), np.linalg.solve(form, b), dtype)
            np.testing.assert_array_equal(a, before[0])
            np.testing.assert_array_equal(b, before[1])


@pytest.mark.parametrize("dtype", DTYPES)
def test_systems(dtype: str) -> None:
    rng, x, y = np.random.default_rng(2), batches(dtype), batches(dtype)
    functions = [tensordsl.function([x, y], solve(x, y, trans)) for trans in (0, 1, 2)]
    for a, layout in given(rng, dtype):
        n = a.shape[-1]
        a = layout((numbers(rng, dtype, *a.shape) + 2 * np.sqrt(n) * np.eye(n)[::-1]).astype(dtype))
        for k in (0, 1, 2, 9, 65):
            b = layout(numbers(rng, dtype, len(a), n, k))
            for form, f in zip((a, a.swapaxes(1, 2), adjoint(a)), functions, strict=True):
                close(f(a, b), np.linalg.solve(form.astype(wide(dtype)), b), dtype)


@pytest.mark.parametrize("dtype", DTYPES)
def test_lu_factors(dtype: str) -> None:
    rng, x = np.random.default_rng(3), batches(dtype)
    factors, pivots = apply(OPS["lu_factor"], x)
    f, g = tensordsl.function([x], [factors, pivots]), tensordsl.function([x], factors * 2)
    shapes = [(n, n) for n in SIZES] + [(3, 5), (5, 3), (1, 4), (4, 1), (40, 33), (0, 3), (3, 0)]
    for m, n in shapes:
        for count in (0, 1, 3):
            for layout in LAYOUTS.values():
                a = layout(numbers(rng, dtype, count, m, n))
                found, rows = f(a)
                assert rows.dtype == "int32" and rows.shape == (count, min(m, n))
                lower = np.tril(found[:, :, : min(m, n)], -1) + np.eye(m, min(m, n))
                product = lower @ np.triu(found[:, : min(m, n)])
                for here, exchanges in zip(product, rows, strict=True):
                    for i in reversed(range(len(exchanges))):
                        here[[i, exchanges[i]]] = here[[exchanges[i], i]]
                close(product.astype(dtype), a, dtype)
                largest = 1 if dtype in REAL else 1.4143  # pivots have the largest sum of their parts
                assert (np.abs(lower) <= largest).all()
                close(g(a), 2 * found, dtype)


@pytest.mark.parametrize("dtype", [*DTYPES, "int64"])
@pytest.mark.parametrize("inverse", [True, False])
def test_exchanges_of_rows(dtype: str, inverse: bool) -> None:
    rng, x, rows, row = np.random.default_rng(4), batches(dtype), T.imatrix(), OPS["swap_rows"]
    f, g = (tensordsl.function([x, rows], apply(row, x * k, rows, inverse=inverse)) for k in (1, 2))
    assert row.oracle is not None and "HostCall" not in kinds([x, rows], [apply(row, x, rows, inverse=inverse)])
    for m, n, few in ((3, 3, 3), (40, 5, 40), (5, 3, 2), (0, 2, 0), (4, 0, 4)):
        pivots = np.array([[rng.integers(k, m) for k in range(few)] for _ in range(3)], "int32").reshape(3, few)
        for layout in LAYOUTS.values():
            b = layout(rng.integers(-9, 9, (3, m, n)).astype(dtype))
            want = row.oracle(b, pivots, inverse=inverse)
            np.testing.assert_array_equal(f(b, pivots), want)
            np.testing.assert_array_equal(g(b, pivots), 2 * want)
    for wrong in (-4, 3, 1 << 30):
        with pytest.raises((np.linalg.LinAlgError, IndexError)):
            f(np.ones((1, 3, 2), dtype), np.array([[0, 1, wrong]], "int32"))


def test_matrices_repeat_along_axes_that_are_broadcast() -> None:
    a, b = T.dmatrix("a"), T.dtensor4("b")
    spread = T.broadcast_to(a, (*b.shape[:2], *a.shape))
    f = tensordsl.function([a, b], [triangular(spread, b), solve(spread, b), cholesky(spread)])
    rng = np.random.default_rng(4)
    for n in (3, 40):
        matrix, rhs = positive(rng, "float64", n, n), rng.normal(size=(2, 5, n, 4))
        found = f(matrix, rhs)
        np.testing.assert_allclose(found[0], np.linalg.solve(np.tril(matrix), rhs))
        np.testing.assert_allclose(found[1], np.linalg.solve(matrix, rhs))
        np.testing.assert_allclose(found[2], np.broadcast_to(np.linalg.cholesky(matrix), (2, 5, n, n)))
        swapped = f(matrix, np.ascontiguousarray(rhs.swapaxes(0, 1)).swapaxes(0, 1))
        np.testing.assert_allclose(swapped[1], found[1])


def test_numbers_that_are_no_numbers_go_through_as_with_numpy() -> None:
    x, y = T.dmatrices("x", "y")
    f, g = tensordsl.function([x], cholesky(x)), tensordsl.function([x, y], solve(x, y))
    for n in (3, 40):
        none, one = np.full((n, n), np.nan), np.ones((n, 1))
        assert np.isnan(np.tril(f(none))[-1]).all() and not np.triu(f(none), 1).any()
        assert np.isnan(g(none, one)).all()
        huge = np.eye(n) * 1e-300
        np.testing.assert_allclose(g(huge, one), np.linalg.solve(huge, one))


# -- failures ----------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("n", [3, 40])
def test_the_first_matrix_that_fails_is_named(n: int) -> None:
    x, y = T.dtensor4("x"), T.dtensor4("y")
    good = np.broadcast_to(np.eye(n), (2, 3, n, n)).copy()
    bad, rhs = good.copy(), np.ones((2, 3, n, 2))
    bad[1, 0, 1, 1] = bad[1, 2, 0, 0] = 0
    for build in (cholesky(x), triangular(x, y), solve(x, y)):
        f = tensordsl.function([x, y], build, on_unused_input="ignore")
        f(good, rhs)
        with pytest.raises(np.linalg.LinAlgError, match=r"matrix \(1, 0\) of the batch .*(\n.*)*test_factorise.py"):
            f(bad, rhs)
        f(good, rhs)
    with pytest.raises(np.linalg.LinAlgError, match="cholesky: the matrix is not positive definite"):
        tensordsl.function([y], cholesky(y[0, 0]))(bad[1:])
    found = tensordsl.function([x], cholesky(x, on_error="nan"))(bad)
    is_bad = np.isnan(found).all((-1, -2))
    assert is_bad.tolist() == [[False] * 3, [True, False, True]] and not np.isnan(found[~is_bad]).any()


def test_pivots_that_are_no_rows_are_refused() -> None:
    a, rows, b = T.dmatrix("a"), T.ivector("rows"), T.dmatrix("b")
    f = tensordsl.function([a, rows, b], apply(OPS["lu_solve"], a, rows, b, trans=0))
    for n in (3, 40):
        for wrong in (-1, n, 1 << 30):
            with pytest.raises((np.linalg.LinAlgError, IndexError)):
                f(np.eye(n), np.full(n, wrong, "int32"), np.ones((n, 2)))


def test_a_call_that_fails_changes_nothing() -> None:
    x, total = T.dmatrix("x"), tensordsl.shared(np.zeros((3, 3)))
    f = tensordsl.function([x], [], updates=[(total, total + cholesky(x))])
    f(np.eye(3))
    with pytest.raises(np.linalg.LinAlgError):
        f(-np.eye(3))
    np.testing.assert_array_equal(total.get_value(), np.eye(3))


def test_a_branch_that_is_not_taken_does_not_fail() -> None:
    x, c = T.dmatrix("x"), T.scalar("c")
    f = tensordsl.function([x, c], ifelse(c > 0, cholesky(x), x))
    assert f(-np.eye(2), 0.0)[0, 0] == -1
    with pytest.raises(np.linalg.LinAlgError):
        f(-np.eye(2), 1.0)


def test_a_round_of_a_loop_fails() -> None:
    x = T.dtensor3("x")
    factors, _ = tensordsl.scan(lambda a, s: cholesky(a + s * 0), x, T.eye(3))
    f = tensordsl.function([x], factors)
    a = np.stack([np.eye(3) * k for k in (1, 4, 9, 16)])
    np.testing.assert_allclose(f(a), np.sqrt(a))
    a[2] = -1
    with pytest.raises(np.linalg.LinAlgError, match="round 2"):
        f(a)


# -- storage -----------------------------------------------------------------------------------------------------------
def test_an_operand_that_dies_is_overwritten() -> None:
    x = T.dmatrix("x")
    assert not {"HostCall", "Copy", "Arena"} & set(kinds([x], [cholesky(x * 2)]))
    f = tensordsl.function([x], [cholesky(x * 2), triangular(x, x + 1)])
    for n in (3, 40):
        a = np.tril(np.ones((n, n))) + n * np.eye(n)
        first, second = f(a)
        np.testing.assert_allclose(first, np.linalg.cholesky(np.tril(2 * a) + np.tril(2 * a, -1).T))
        np.testing.assert_allclose(second, np.linalg.solve(np.tril(a), a + 1))


def test_complex_matrices_have_no_steps_of_the_host() -> None:
    x, y = T.zmatrices("x", "y")
    rows = [cholesky(x), T.linalg.cho_solve((x, True), y), T.linalg.inv(x), T.linalg.det(x), *T.linalg.slogdet(x)]
    rows += [solve(x, y, trans) for trans in (0, 1, 2)]
    assert "HostCall" not in kinds([x, y], rows)
    f = tensordsl.function([x, y], rows)
    rng = np.random.default_rng(5)
    for n in (0, 1, 4, 40):
        a = positive(rng, "complex128", n, n)
        found = f(a, a[:, :2])
        want = [np.linalg.cholesky(a), np.linalg.solve(np.tril(a) @ adjoint(np.tril(a)), a[:, :2]), np.linalg.inv(a)]
        want += [np.linalg.det(a), *np.linalg.slogdet(a)]
        want += [np.linalg.solve(form, a[:, :2]) for form in (a, a.T, adjoint(a))]
        for got, wanted in zip(found, want, strict=True):
            np.testing.assert_allclose(got, wanted, rtol=1e-9, atol=1e-12)


# -- where it runs -----------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("dtype", ["float64", "complex128"])
def test_small_stacks_and_other_threads(dtype: str) -> None:
    x, y = batches(dtype), batches(dtype)
    f = tensordsl.function([x, y], [cholesky(x), solve(x, y)])
    rng = np.random.default_rng(6)
    calls = [positive(rng, dtype, int(k), int(n), int(n)) for k, n in rng.integers(1, (4, 130), (40, 2))]
    for a, (factor, one) in zip(calls, in_threads(f, [(a, a) for a in calls]), strict=True):
        np.testing.assert_allclose(factor, np.linalg.cholesky(a))
        np.testing.assert_allclose(one, np.broadcast_to(np.eye(a.shape[-1]), a.shape), atol=1e-10)


@pytest.mark.parametrize("n", [3, 32, 33, 60])
@pytest.mark.parametrize("count", [1, 3, 4, 37])
def test_threads_share_matrices(n: int, count: int) -> None:
    """Every matrix is computed as it is alone, and the first one that fails is named."""
    x, y, alone = T.dtensor4("x"), T.dtensor4("y"), T.dmatrix("alone")
    spread = T.broadcast_to(alone, (*y.shape[:2], *alone.shape))
    outputs = [cholesky(x), triangular(x, y), solve(x, y), *apply(OPS["lu_factor"], x), *T.linalg.eigh(x)]
    outputs += [*T.linalg.qr(y), *T.linalg.svd(y, full_matrices=False), triangular(spread, y)]
    mode = tensordsl.compile.get_default_mode()
    modes = (mode, mode.excluding("matrices_in_threads"))
    f, g = (tensordsl.function([x, y, alone], outputs, mode=m) for m in modes)
    rng = np.random.default_rng(n)
    a, b = positive(rng, "float64", count, 2, n, n), rng.normal(size=(count, 2, n, 40))
    for given in ((a, b), (a[:, ::-1], b[:, ::-1]), (a[::-1], np.broadcast_to(b[:1], b.shape))):
        for got, want in zip(f(*given, a[0, 0]), g(*given, a[0, 0]), strict=True):
            np.testing.assert_array_equal(got, want)
    with tensordsl.config.change_flags(num_threads=1):
        for got, want in zip(tensordsl.function([x, y, alone], outputs)(a, b, a[0, 0]), f(a, b, a[0, 0]), strict=True):
            np.testing.assert_array_equal(got, want)
    if count > 4:
        a[5, 1, 0, 0] = a[30, 0, 0, 0] = -1
        for m in modes:
            with pytest.raises(np.linalg.LinAlgError, match=r"cholesky: matrix \(5, 1\) of the batch"):
                tensordsl.function([x], cholesky(x), mode=m)(a)
        found = tensordsl.function([x], cholesky(x, on_error="nan"))(a)
        assert np.argwhere(np.isnan(found).all((-1, -2))).tolist() == [[5, 1], [30, 0]]


def test_the_plan_runner_gives_the_same() -> None:
    x, y = T.dtensor3("x"), T.dtensor3("y")
    outputs = [cholesky(x, False), triangular(x, y, trans=1, unit=True), solve(x, y), *apply(OPS["lu_factor"], x)]
    rng = np.random.default_rng(7)
    for count, n in ((2, 3), (9, 34)):  # by blocks, too
        by_the_plan_runner([x, y], outputs, [positive(rng, "float64", count, n, n), rng.normal(size=(count, n, 4))])


def test_it_is_exported_as_a_call() -> None:
    x = T.dmatrix("x")
    assert "@host_cholesky_" in tensordsl.function([x], cholesky(x)).mlir()
    text = tensordsl.function([x], apply(OPS["lu_factor"], x)).mlir()
    assert "@host_lu_factor_" in text and "tensor<?xi32>" in text


def test_a_device_does_it_on_the_host() -> None:
    x, y = T.dtensor3("x"), T.dtensor3("y")
    rng = np.random.default_rng(8)
    a, b = positive(rng, "float64", 2, 3, 3), rng.normal(size=(2, 3, 4))
    with tensordsl.config.change_flags(device="sim"), pytest.warns(UserWarning, match="has no kernel"):
        first, second = tensordsl.function([x, y], [cholesky(x * 2), solve(x, y)])(a, b)
    np.testing.assert_allclose(first, np.linalg.cholesky(2 * a))
    np.testing.assert_allclose(second, np.linalg.solve(a, b))


PROGRAM = """
import numpy as np
import tensordsl, tensordsl.tensor as T
from tensordsl.graph.variables import apply
from tensordsl.ops.table import OPS
from tensordsl.runtime.loading import lapack
{before}
x = T.TensorType({dtype!r}, (None,) * 3)()
outputs = [
    apply(OPS["cholesky"], x, lower=True, on_error="raise"), apply(OPS["solve"], x, x[:, :, :2], trans=2),
    apply(OPS["solve_triangular"], x, x, lower=False, trans=2, unit_diagonal=False), apply(OPS["lu_factor"], x)[0],
    *T.linalg.eigh(x), *T.linalg.svd(x), *T.linalg.qr(x), *T.linalg.eig(x),
]
f = tensordsl.function([x], outputs)
a = np.random.default_rng(0).normal(size=(2, 3, 40, 40))
a = (a[0] + 1j * a[1] if {dtype!r} == "complex128" else a[0])
a = a @ a.conj().swapaxes(1, 2) + 40 * np.eye(40)
print(*(repr(float((y * (np.arange(y[0].size).reshape(y.shape[1:]) * (1 - 1j))).sum().real)) for y in f(a)))
try:
    f(a * [[[1]], [[-1]], [[1]]])
except np.linalg.LinAlgError as error:
    print(str(error).splitlines()[0])
"""


def ran(before: str, directory: Path, dtype: str) -> tuple[list[float], str]:
    environment = os.environ | {"TENSORDSL_FLAGS": f"compiledir={directory}"}
    code = PROGRAM.format(before=before, dtype=dtype)
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT, env=environment
    )
    numbers, message = done.stdout.splitlines()
    return [float(n) for n in numbers.split()], message


@pytest.mark.parametrize("dtype", ["float64", "complex128"])
def test_processes_with_and_without_a_lapack_and_a_cache(dtype: str, tmp_path: Path) -> None:
    hidden = "lapack.NAMES, lapack.SCIPY = (), ()"
    counted = "import tensordsl.functions.native as n; n._compile = lambda *a: 1 / 0"
    wanted, message = ran("", tmp_path, dtype)
    assert message == "cholesky: matrix 1 of the batch is not positive definite"
    assert ran(counted, tmp_path, dtype) == (wanted, message), "nothing is compiled"
    for _ in range(2):
        found, other = ran(hidden, tmp_path, dtype)
        np.testing.assert_allclose(found, wanted, rtol=1e-9)
        assert other == message
    assert ran(counted, tmp_path, dtype) == (wanted, message)
    by_scipy, _ = ran("lapack.NAMES = ()", tmp_path, dtype)
    np.testing.assert_allclose(by_scipy, wanted, rtol=1e-9)


def test_a_result_whose_lengths_are_found_equal_late_is_one() -> None:
    """Of a square matrix, as a system shows, there are as many exchanges as rows."""
    x, y = T.dmatrices("x", "y")
    factors, pivots = apply(OPS["lu_factor"], x)
    outputs = [pivots * 2, T.sort(pivots), apply(OPS["lu_solve"], factors, pivots, y, trans=0), pivots, factors]
    for mode in (None, "FAST_COMPILE"):
        f = tensordsl.function([x, y], outputs, mode=mode)
        for n in (3, 40):
            a = np.random.default_rng(n).normal(size=(n, n))
            twice, ordered, solved, rows, _ = f(a, a)
            np.testing.assert_array_equal(twice, 2 * rows)
            np.testing.assert_array_equal(ordered, np.sort(rows))
            np.testing.assert_allclose(solved, np.eye(n), atol=1e-9)


def test_branches_on_one_condition_share_what_only_they_need() -> None:
    x, c = T.dmatrix("x"), T.dscalar("c")
    for build in (cholesky(x), T.linalg.inv(x)):
        first, second = ifelse(c > 0, build, x), ifelse(c > 0, (build * 2).sum(), x.sum())
        for mode in (None, "FAST_COMPILE"):
            f = tensordsl.function([x, c], [first, second], mode=mode)
            assert f(np.zeros((3, 3)), 0.0)[1] == 0
            with pytest.raises(np.linalg.LinAlgError):
                f(np.zeros((3, 3)), 1.0)


@pytest.mark.parametrize("dtype", ["float64", "complex128"])
def test_a_c_function_has_no_steps_of_the_host(dtype: str) -> None:
    x = T.TensorType(dtype, (None, None))()
    f = tensordsl.function([x], [cholesky(x), *T.linalg.eigh(x), T.linalg.inv(x)])
    c, a = f.c_function(), positive(np.random.default_rng(0), dtype, 40, 40)
    for got, want in zip(c(a), f(a), strict=True):
        np.testing.assert_array_equal(got, want)
    with pytest.raises(RuntimeError):
        c(-a)


@pytest.mark.parametrize("n", [3, 40])
def test_complex_matrices_that_fail_or_are_no_numbers(n: int) -> None:
    x, y = batches("complex128"), batches("complex128")
    good = np.broadcast_to(np.eye(n) * (1 + 0j), (3, n, n)).copy()
    bad, rhs = good.copy(), np.ones((3, n, 2), "complex128")
    bad[1, 0, 0] = 0
    for build in (cholesky(x), *(form(x, y, trans=t) for form in (triangular, solve) for t in (0, 1, 2))):
        f = tensordsl.function([x, y], build, on_unused_input="ignore")
        f(good * 2, rhs)
        with pytest.raises(np.linalg.LinAlgError, match="matrix 1 of the batch"):
            f(bad, rhs)
        np.testing.assert_array_equal(bad[0], np.eye(n))
    imaginary = good * 1j
    np.testing.assert_allclose(tensordsl.function([x, y], triangular(x, y))(imaginary, rhs), rhs / 1j)
    found = tensordsl.function([x], cholesky(x, on_error="nan"))(bad)
    assert np.isnan(found[1].real).all() and np.isnan(found[1].imag).all()
    np.testing.assert_array_equal(found[::2], good[::2])
    none = good.copy()
    none[1] = np.nan
    solved = tensordsl.function([x, y], solve(x, y))(none, rhs)
    assert np.isnan(solved[1]).all() and not np.isnan(solved[::2]).any()


def test_numbers_that_are_aligned_as_their_parts_are() -> None:
    x = batches("complex128")
    f = tensordsl.function([x], [cholesky(x), T.linalg.inv(x), *T.linalg.eigh(x)])
    a = positive(np.random.default_rng(1), "complex128", 2, 20, 20)
    moved = np.zeros(2 * a.size + 1)[1:].view("complex128").reshape(a.shape)
    moved[...] = a
    for got, want in zip(f(moved), f(a), strict=True):
        np.testing.assert_array_equal(got, want)
