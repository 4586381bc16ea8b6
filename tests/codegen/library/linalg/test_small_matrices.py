"""Own code for small matrices against NumPy and SciPy: lengths, numbers of matrices, strides, failures, nan."""

from __future__ import annotations

import ctypes
from functools import cache
from typing import Any

import numpy as np
import pytest
from polls import KNOWN
from tuned import tuned

from tensordsl.codegen.kernel_ir.ir import Module
from tensordsl.codegen.library.linalg.fortran import NUMBERS
from tensordsl.codegen.library.linalg.small import ROUTINES, small_functions
from tensordsl.codegen.llvm.compile import compile_object
from tensordsl.codegen.llvm.kernel_text import module_text
from tensordsl.codegen.target.machine import native_width
from tensordsl.ops.linalg.factorise import numpy_cholesky_vjp
from tensordsl.runtime.loading import elf

linalg = pytest.importorskip("scipy.linalg")
I, P, B = ctypes.c_int64, ctypes.c_void_p, ctypes.c_bool
FUNCTIONS = {
    "cholesky": ("cholesky",),
    "cholesky_vjp": ("cholesky_vjp",),
    "triangular": ("triangular",),
    "lu": ("lu", "lu_solve"),
}
LENGTHS = (1, 2, 3, 4, 5, 8, 9, 16, 17, 31, 32)
COUNTS = (1, 2, 8, 19)
TOLERANCE = {"float64": 1e-9, "float32": 2e-2}


@cache
def built(function: str, dtype: str, width: int) -> tuple[object, dict[str, int]]:
    """A build of its own, whose functions can be called from here."""
    tuning = tuned(machine={"vector_bytes": width})
    text = module_text(Module(small_functions(function, NUMBERS[dtype], tuning)))
    names = [f"small_{name}_{NUMBERS[dtype].kind}" for name in FUNCTIONS[function]]
    for name in names:
        for result in ("i64", "void"):
            text = text.replace(f"define internal {result} @{name}(", f"define {result} @{name}(")
    code, [addresses] = elf.load([(compile_object(text, 1), names)], KNOWN)
    return code, dict(zip(names, addresses, strict=True))


@pytest.fixture(params=[64, 32, 16])
def width(request: pytest.FixtureRequest) -> int:
    if request.param > native_width():
        pytest.skip("vectors of so many bytes are compiled for other processors")
    return int(request.param)


class Small:
    """The functions on stacks of NumPy's matrices."""

    def __init__(self, width: int, dtype: str) -> None:
        self.width, self.kind, self.dtype = width, NUMBERS[dtype].kind, dtype

    def call(self, function: str, name: str, result: Any, *operands: Any) -> Any:
        address = built(function, self.dtype, self.width)[1][f"small_{name}_{self.kind}"]
        given = [x for operand in operands for x in (operand if isinstance(operand, tuple) else (operand,))]
        types = [B if isinstance(x, bool) else I for x in given]
        return ctypes.CFUNCTYPE(result, *types)(address)(*given)

    def cholesky(self, a: np.ndarray, out: np.ndarray) -> int:
        return self.call("cholesky", "cholesky", I, place(a), place(out), a.shape[1], len(a))

    def cholesky_vjp(self, factor: np.ndarray, g: np.ndarray, out: np.ndarray) -> int:
        places = place(factor), place(g), place(out)
        return self.call("cholesky_vjp", "cholesky_vjp", I, *places, factor.shape[1], len(factor))

    def lu(self, a: np.ndarray, out: np.ndarray, pivots: np.ndarray) -> None:
        of_pivots = pivots.ctypes.data, pivots.strides[0]
        self.call("lu", "lu", None, place(a), place(out), *of_pivots, a.shape[1], len(a))

    def triangular(self, a: np.ndarray, b: np.ndarray, x: np.ndarray, lower: bool = True, unit: bool = False) -> int:
        sizes = a.shape[1], b.shape[2], lower, unit, len(a)
        return self.call("triangular", "triangular", I, place(a), place(b), place(x), *sizes)

    def lu_solve(
        self, lu: np.ndarray, pivots: np.ndarray, b: np.ndarray, x: np.ndarray, transposed: bool = False
    ) -> int:
        of_pivots, sizes = (pivots.ctypes.data, pivots.strides[0]), (lu.shape[1], b.shape[2], transposed, len(lu))
        return self.call("lu", "lu_solve", I, place(lu), *of_pivots, place(b), place(x), *sizes)


def place(x: np.ndarray) -> tuple[int, ...]:
    return x.ctypes.data, x.strides[1], x.strides[2], x.strides[0]


@pytest.fixture(params=["float64", "float32"])
def small(request: pytest.FixtureRequest, width: int) -> Small:
    return Small(width, request.param)


def matrices(small: Small, *shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=shape).astype(small.dtype)


def definite(small: Small, count: int, n: int) -> np.ndarray:
    a = matrices(small, count, n, n)
    return a @ a.swapaxes(1, 2) + n * np.eye(n, dtype=a.dtype)


def empty(like: np.ndarray) -> np.ndarray:
    return np.full(like.shape, 7.0, like.dtype)


def check(small: Small, found: Any, wanted: Any) -> None:
    tolerance = TOLERANCE[small.dtype]
    np.testing.assert_allclose(found, wanted, rtol=tolerance, atol=tolerance * max(1.0, np.max(np.abs(wanted))))


@pytest.mark.parametrize("n", LENGTHS)
def test_cholesky(small: Small, n: int) -> None:
    for count in COUNTS:
        a = definite(small, count, n)
        a[:, *np.triu_indices(n, 1)] = np.nan  # is not read
        factor, one = empty(a), empty(a)
        assert small.cholesky(a, factor) == -1
        check(small, factor, np.linalg.cholesky(np.tril(a, -1).swapaxes(1, 2) + np.tril(a)))
        assert all(small.cholesky(a[i : i + 1], one[i : i + 1]) == -1 for i in range(count))
        np.testing.assert_array_equal(one, factor)  # a matrix's place makes no difference
        assert small.cholesky(a, a) == -1
        np.testing.assert_array_equal(a, factor)


@pytest.mark.parametrize("n", LENGTHS)
def test_cotangents_of_cholesky(small: Small, n: int) -> None:
    for count in COUNTS:
        factor, g = np.linalg.cholesky(definite(small, count, n)), matrices(small, count, n, n)
        wanted = numpy_cholesky_vjp(*(np.tril(x).astype("float64") for x in (factor, g)))
        for x in (factor, g):
            x[:, *np.triu_indices(n, 1)] = np.nan  # is not read
        found, one = empty(g), empty(g)
        assert small.cholesky_vjp(factor, g, found) == -1
        check(small, found, wanted)
        for i in range(count):
            small.cholesky_vjp(*(x[i : i + 1] for x in (factor, g, one)))
        np.testing.assert_array_equal(one, found)
        for how in ("transposed", "stepped", "reversed"):
            strided = with_strides(empty(g), how)
            small.cholesky_vjp(with_strides(factor, how), with_strides(g, how), strided)
            np.testing.assert_array_equal(strided, found)
        small.cholesky_vjp(factor, g, g)
        np.testing.assert_array_equal(g, found)


@pytest.mark.parametrize("n", LENGTHS)
def test_lu(small: Small, n: int) -> None:
    for count in COUNTS:
        a, b = matrices(small, count, n, n), matrices(small, count, n, 3, seed=1)
        factors, pivots = empty(a), np.full((count, n), -9, np.int32)
        small.lu(a, factors, pivots)
        one, one_pivots = empty(a), np.empty_like(pivots)
        for i in range(count):
            wanted, wanted_pivots = linalg.lu_factor(a[i])
            check(small, factors[i], wanted)
            np.testing.assert_array_equal(pivots[i], wanted_pivots)
            small.lu(a[i : i + 1], one[i : i + 1], one_pivots[i : i + 1])
        np.testing.assert_array_equal(one, factors)
        np.testing.assert_array_equal(one_pivots, pivots)
        for transposed in (False, True):
            x, single = empty(b), empty(b)
            assert small.lu_solve(factors, pivots, b, x, transposed) == -1
            for i in range(count):
                check(small, x[i], linalg.lu_solve((factors[i], pivots[i]), b[i], trans=int(transposed)))
                small.lu_solve(*(y[i : i + 1] for y in (factors, pivots, b, single)), transposed)
            np.testing.assert_array_equal(single, x)
        small.lu(a, a, pivots)
        np.testing.assert_array_equal(a, factors)


@pytest.mark.parametrize("n", LENGTHS)
@pytest.mark.parametrize("lower", [True, False])
@pytest.mark.parametrize("unit", [True, False])
def test_triangular(small: Small, n: int, lower: bool, unit: bool) -> None:
    for count in COUNTS:
        a = matrices(small, count, n, n) / n + np.eye(n, dtype=small.dtype) * (3 - 2 * unit)
        half = np.tril(a) if lower else np.triu(a)
        wanted = half - unit * (half * np.eye(n)) + unit * np.eye(n)
        a[:, *(np.triu_indices(n, 1) if lower else np.tril_indices(n, -1))] = np.nan
        if unit:
            a[:, range(n), range(n)] = 0
        for k in (1, 2, 5, 8, 11, 21):
            b = matrices(small, count, n, k, seed=k)
            x, single = empty(b), empty(b)
            assert small.triangular(a, b, x, lower, unit) == -1
            check(small, x, np.linalg.solve(wanted, b))
            for i in range(count):
                small.triangular(a[i : i + 1], b[i : i + 1], single[i : i + 1], lower, unit)
            np.testing.assert_array_equal(single, x)
            assert small.triangular(a, b, b, lower, unit) == -1
            np.testing.assert_array_equal(b, x)


@pytest.mark.parametrize("n", [33, 40, 47, 100])
@pytest.mark.parametrize("unit", [True, False])
def test_one_column_of_a_larger_triangle(small: Small, n: int, unit: bool) -> None:
    for count in (1, 3):
        a = matrices(small, count, n, n) / n + np.eye(n, dtype=small.dtype) * (3 - 2 * unit)
        wanted = np.tril(a, -1) + np.eye(n) * (1 if unit else a)
        a[:, *np.triu_indices(n, 1)] = np.nan
        if unit:
            a[:, range(n), range(n)] = 0
        b = matrices(small, count, n, 1, seed=1)
        x = empty(b)
        assert small.triangular(a, b, x, unit=unit) == -1
        check(small, x, np.linalg.solve(wanted, b))
        assert small.triangular(a, b, b, unit=unit) == -1
        np.testing.assert_array_equal(b, x)
        if not unit:
            a[-1, n // 2, n // 2] = 0
            assert small.triangular(a, b, x) == count - 1
            assert np.isnan(x[-1]).all() and np.isfinite(x[:-1]).all()


def with_strides(x: np.ndarray, how: str) -> np.ndarray:
    """The same numbers, in other places."""
    count, m, n = x.shape
    if how == "transposed":
        place = np.full((count, n, m), 5.0, x.dtype).swapaxes(1, 2)
    elif how == "stepped":
        place = np.full((2 * count, m + 1, 2 * n), 5.0, x.dtype)[::2, :-1, ::2]
    else:
        place = np.full((count, m, n), 5.0, x.dtype)[::-1, ::-1, ::-1]
    place[...] = x
    return place


@pytest.mark.parametrize("how", ["transposed", "stepped", "reversed"])
@pytest.mark.parametrize("n", [3, 7, 12, 20])
def test_strides(small: Small, n: int, how: str) -> None:
    for count in (1, 9):
        a, b = definite(small, count, n), matrices(small, count, n, 9)
        factor, lu, x, pivots = empty(a), empty(a), empty(b), np.zeros((count, n), np.int32)
        small.cholesky(a, factor)
        strided = with_strides(a, how), with_strides(empty(a), how)
        small.cholesky(*strided)
        np.testing.assert_array_equal(strided[1], factor)
        small.lu(a, lu, pivots)
        small.lu(*strided, pivots)
        np.testing.assert_array_equal(strided[1], lu)
        of_b = with_strides(b, how), with_strides(empty(b), how)
        small.lu_solve(lu, pivots, b, x)
        small.lu_solve(strided[1], pivots, *of_b)
        np.testing.assert_array_equal(of_b[1], x)
        small.triangular(factor, b, x)
        small.triangular(with_strides(factor, how), *of_b)
        np.testing.assert_array_equal(of_b[1], x)


def test_nothing_is_written_around_results(small: Small) -> None:
    for n, k in ((3, 1), (7, 5), (8, 8), (13, 9), (20, 3)):
        for count in (1, 9):
            a, b = definite(small, count, n), matrices(small, count, n, k)
            for shape, write in (
                (a.shape, lambda out, a=a: small.cholesky(a, out)),
                (b.shape, lambda out, a=a, b=b: small.triangular(a, b, out)),
            ):
                frame = np.full(np.prod(shape) + 32, 7.0, a.dtype)
                write(frame[16:-16].reshape(shape))
                assert (frame[:16] == 7).all() and (frame[-16:] == 7).all()


@pytest.mark.parametrize("n", [1, 3, 6, 11, 20])
def test_failures(small: Small, n: int) -> None:
    """NaN for those that fail, the others as they were; the first one is told."""
    for count in (1, 8, 21):
        a, b = definite(small, count, n), matrices(small, count, n, 2)
        bad = sorted({count // 2, count - 1})
        for i in bad:
            a[i] -= 3 * a[i].trace() * np.eye(n, dtype=a.dtype) * (np.arange(n) == n - 1)
        good = [i for i in range(count) if i not in bad]
        factor = empty(a)
        assert small.cholesky(a, factor) == bad[0]
        assert np.isnan(factor[bad]).all() and np.isfinite(factor[good]).all()
        check(small, factor[good], np.linalg.cholesky(a[good])) if good else None
        triangle, x = np.tril(definite(small, count, n)), empty(b)
        triangle[bad, n // 2, n // 2] = 0
        assert small.triangular(triangle, b, x) == bad[0]
        assert np.isnan(x[bad]).all() and np.isfinite(x[good]).all()
        assert small.triangular(triangle, b, x, unit=True) == -1
        pivots = np.tile(np.arange(n, dtype=np.int32), (count, 1))
        assert small.lu_solve(triangle, pivots, b, x) == bad[0]
        assert np.isnan(x[bad]).all() and np.isfinite(x[good]).all()
        triangle[bad, n // 2, n // 2] = 1
        for wrong in (n, -1, 2**31 - 1):
            pivots[bad, 0] = wrong
            for transposed in (False, True):
                assert small.lu_solve(triangle, pivots, b, x, transposed) == bad[0]
                assert np.isnan(x[bad]).all() and np.isfinite(x[good]).all()


def test_nan_is_no_failure(small: Small) -> None:
    """As NumPy's: it goes through."""
    for n in (3, 6, 12):
        a = definite(small, 9, n)
        a[4, 0, 0] = np.nan
        factor = empty(a)
        assert small.cholesky(a, factor) == -1
        assert np.isnan(factor[4].diagonal()).all() and np.isfinite(factor[[0, 8]]).all()
        x = empty(a)
        assert small.triangular(a, definite(small, 9, n), x) == -1
        assert np.isnan(x[4]).all() and np.isfinite(x[[0, 8]]).all()


def test_singular_factors(small: Small) -> None:
    """A zero pivot stays where it is, as LAPACK leaves it."""
    for n in (2, 3, 5, 9, 18):
        a = matrices(small, 9, n, n)
        a[3, :, 0] = 0
        a[5] = 0
        factors, pivots = empty(a), np.zeros((9, n), np.int32)
        small.lu(a, factors, pivots)
        with pytest.warns(linalg.LinAlgWarning):
            wanted = [linalg.lu_factor(a[i]) for i in (3, 5)]
        for i, (lu, of_lapack) in zip((3, 5), wanted, strict=True):
            check(small, factors[i], lu)
            np.testing.assert_array_equal(pivots[i], of_lapack)


def test_switched_off() -> None:
    off = tuned(off=["small_matrices"])
    assert not any(small_functions(function, NUMBERS["float64"], off) for function in ROUTINES)
