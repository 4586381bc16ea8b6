"""Every function of the room, in the checking interpreter: right results, and no access that is out of bounds."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from interpreted_lapack import Room
from tuned import of_width, tuned

from tensordsl.codegen.library.linalg.cholesky import cholesky_module
from tensordsl.codegen.library.linalg.cholesky_vjp import cholesky_vjp_module
from tensordsl.codegen.library.linalg.lu import factor_module, solve_module, swap_module
from tensordsl.codegen.library.linalg.spectral import KINDS, spectral_module
from tensordsl.codegen.library.linalg.triangular import triangular_module
from tensordsl.codegen.target.tuning import Tuning
from tensordsl.ops.linalg.factorise import numpy_cholesky_vjp

linalg = pytest.importorskip("scipy.linalg")
DTYPES = ["float64", "float32", "complex128", "complex64"]
TOLERANCE = {"float64": 1e-9, "complex128": 1e-9, "float32": 3e-3, "complex64": 3e-3}
WIDTHS = [("float64", 16), ("float64", 32), ("float64", 64), ("float32", 64), ("complex128", 32), ("complex64", 64)]
LENGTHS = (1, 2, 3, 4, 5, 9, 17)  # in registers, in lanes, by rows
LARGE = 33  # LAPACK's


def tuning(width: int) -> Tuning:
    return tuned(of_width(width), matrices={"mirror_min_rows": LARGE, "poll_matrices": 8})


def counts(dtype: str, width: int, n: int) -> tuple[int, ...]:
    """One matrix; where many are in lanes, a vector of them, or one more."""
    lanes = min(8, width // np.dtype(dtype).itemsize)
    return (1,) if n > 5 else (1, lanes + (n > 2))


def matrices(dtype: str, *shape: int, seed: int = 0) -> Any:
    rng = np.random.default_rng(seed)
    a = rng.normal(size=shape)
    return (a + 1j * rng.normal(size=shape) if dtype.startswith("complex") else a).astype(dtype)


def definite(dtype: str, count: int, n: int) -> Any:
    a = matrices(dtype, count, n, n)
    return a @ a.swapaxes(1, 2).conj() + n * np.eye(n, dtype=a.dtype)


def columns_adjacent(x: Any) -> Any:
    return np.ascontiguousarray(x.swapaxes(-1, -2)).swapaxes(-1, -2)


def check(dtype: str, found: Any, wanted: Any) -> None:
    tolerance = TOLERANCE[dtype]
    np.testing.assert_allclose(
        found, wanted, rtol=tolerance, atol=tolerance * max(1.0, np.max(np.abs(wanted), initial=0))
    )


@pytest.mark.parametrize("dtype, width", WIDTHS)
def test_cholesky(dtype: str, width: int) -> None:
    room, name = Room(dtype, cholesky_module(dtype, tuning(width))), f"cholesky_{dtype}"
    for n in (*LENGTHS, LARGE):
        for count in counts(dtype, width, n):
            a = definite(dtype, count, n)
            wanted = np.linalg.cholesky(a)
            for order in (np.ascontiguousarray, columns_adjacent):
                _, found, failed = room.call(name, [order(a), order(np.zeros_like(a))])
                assert failed == -1
                check(dtype, found, wanted)
    for stack in ("another", "none"):
        for n in (3, LARGE):
            a = definite(dtype, 2, n)
            a[1, n - 1, n - 1] = -1
            _, found, failed = room.call(name, [a, np.zeros_like(a)], stack=stack)
            assert failed == 1 and np.isnan(found[1]).any()
            check(dtype, found[0], np.linalg.cholesky(a[0]))
    assert not room.left()


@pytest.mark.parametrize("dtype, width", [w for w in WIDTHS if w[0].startswith("float")])
def test_cotangents_of_cholesky(dtype: str, width: int) -> None:
    room, name = Room(dtype, cholesky_vjp_module(dtype, tuning(width))), f"cholesky_vjp_{dtype}"
    blocks = tuned(tuning(width), off=["small_matrices"], matrices={"vjp_block_rows": 17})
    off = Room(dtype, cholesky_vjp_module(dtype, blocks))
    for n in (*LENGTHS, 20):
        for count in counts(dtype, width, n):
            factor, g = np.linalg.cholesky(definite(dtype, count, n)), matrices(dtype, count, n, n, seed=1)
            wanted = numpy_cholesky_vjp(*(np.tril(x).astype("float64") for x in (factor, g)))
            for each in (room, off):
                *_, found, failed = each.call(name, [factor, g, np.full_like(g, 7)], scratch=n * n)
                assert failed == -1
                check(dtype, np.tril(found), np.tril(wanted))
    *_, failed = off.call(name, [factor, g, np.full_like(g, 7)], scratch=n * n, stack="another")
    assert failed == -1 and not off.left() and not room.left() - off.ran


@pytest.mark.parametrize("dtype, width", WIDTHS)
def test_triangular(dtype: str, width: int) -> None:
    room = Room(dtype, triangular_module(dtype, tuning(width)))
    for n in (*LENGTHS[:-1], LARGE):
        for count in counts(dtype, width, n):
            a = matrices(dtype, count, n, n) / n + 2 * np.eye(n, dtype=dtype)
            for k in (1, 2, 3, 9) if count == 1 else (2,):
                b = matrices(dtype, count, n, k, seed=1)
                for half, unit in (("lower", False), ("upper", True)) if k < 9 else (("lower", True), ("upper", False)):
                    solved = np.tril(a) if half == "lower" else np.triu(a)
                    if unit:
                        solved = solved * (1 - np.eye(n)) + np.eye(n)
                    wanted = np.linalg.solve(solved, b)
                    for order in (np.ascontiguousarray, columns_adjacent)[: 2 if k == 3 or n == LARGE else 1]:
                        name = f"triangular_{'unit_' * unit}{half}_{dtype}"
                        *_, found, failed = room.call(name, [order(a), order(b), order(np.zeros_like(b))])
                        assert failed == -1
                        check(dtype, found, wanted)
    for n, k in ((3, 1), (5, 4), (LARGE, 1), (LARGE, 2)):
        a, b = matrices(dtype, 3, n, n) / n + 2 * np.eye(n, dtype=dtype), matrices(dtype, 3, n, k)
        a[1, n // 2, n // 2] = 0
        *_, found, failed = room.call(f"triangular_lower_{dtype}", [a, b, np.zeros_like(b)], stack="another")
        assert failed == 1 and np.isnan(found[1]).all() and np.isfinite(found[[0, 2]]).all()
    assert not room.left()


@pytest.mark.parametrize("dtype, width", WIDTHS)
def test_lu(dtype: str, width: int) -> None:
    int_bytes = 4 if width == 64 else 8
    t = tuning(width)
    room = Room(dtype, factor_module(dtype, t), solve_module(dtype, t), int_bytes=int_bytes)
    for n in (*LENGTHS, LARGE):
        for count in counts(dtype, width, n):
            a = matrices(dtype, count, n, n)
            for order in (np.ascontiguousarray, columns_adjacent)[: 2 if count == 1 else 1]:
                given = [order(a), order(np.zeros_like(a)), np.zeros((count, n), np.int32)]
                _, factors, pivots, failed = room.call(f"lu_factor_{dtype}", given, scratch=n)
                assert failed == -1
                for i in range(count):
                    wanted, rows = linalg.lu_factor(a[i])
                    check(dtype, factors[i], wanted)
                    np.testing.assert_array_equal(pivots[i], rows)
                for k in (2,) if count > 1 or n == 17 else (1, 3, 9) if n < LARGE else (1, 2):
                    b = matrices(dtype, count, n, k, seed=1)
                    for transposed in (False, True):
                        name = f"lu_solve_{'transposed_' * transposed}{dtype}"
                        given = [order(factors), pivots, order(b), order(np.zeros_like(b))]
                        *_, found, failed = room.call(name, given)
                        assert failed == -1
                        check(dtype, found, np.linalg.solve(a.swapaxes(1, 2) if transposed else a, b))
    wide = matrices(dtype, 2, 3, 5)
    given = [wide, columns_adjacent(np.zeros_like(wide)), np.zeros((2, 3), np.int32)]
    _, factors, pivots, _ = room.call(f"lu_factor_{dtype}", given, scratch=5, stack="another")
    check(dtype, factors[1], linalg.lapack.get_lapack_funcs("getrf", (wide[1],))(wide[1])[0])
    for n in (3, LARGE):
        factors, pivots = matrices(dtype, 3, n, n), np.zeros((3, n), np.int32)
        pivots[1, 0], b = n, matrices(dtype, 3, n, 2)
        *_, found, failed = room.call(f"lu_solve_{dtype}", [factors, pivots, b, np.zeros_like(b)], stack="another")
        assert failed == 1 and np.isnan(found[1]).all()
    assert not room.left()


@pytest.mark.parametrize("dtype", [*DTYPES, "int64"])
def test_exchanges_of_rows(dtype: str) -> None:
    room = Room(dtype, swap_module(dtype, of_width(32)))
    b, pivots = (10 * matrices("float64", 2, 4, 3)).astype(dtype), np.array([[2, 1, 3], [3, 3, 2]], np.int32)
    wanted, back = b.copy(), b.copy()
    for i in range(2):
        for rows, x in ((list(enumerate(pivots[i])), wanted[i]), (list(enumerate(pivots[i]))[::-1], back[i])):
            for first, second in rows:
                x[[first, second]] = x[[second, first]]
    for name, x, stack in ((f"swap_rows_{dtype}", wanted, "main"), (f"swap_rows_back_{dtype}", back, "another")):
        for order in (np.ascontiguousarray, columns_adjacent):
            *_, found, failed = room.call(name, [order(b), pivots, order(np.zeros_like(b))], stack=stack)
            np.testing.assert_array_equal(found, x)
            assert failed == -1
    pivots[1, 2] = 4
    assert room.call(f"swap_rows_{dtype}", [b, pivots, np.zeros_like(b)])[-1] == 1
    assert not room.left()


def spectral(kind: str, dtype: str) -> Room:
    return Room(dtype, spectral_module(kind, dtype, of_width(32)), int_bytes=4)


def unused(room: Room) -> set[str]:
    """Moves that all of these objects have, and that some need."""
    moves = {"fill_nan", "fill_identity", "copy_upper", "is_finite", "fill_nan_values"}
    left = room.left()
    assert left <= moves
    return left


@pytest.mark.parametrize("dtype", DTYPES)
def test_qr_and_singular_values(dtype: str) -> None:
    qr, svd, values, real = *(spectral(x, dtype) for x in ("qr", "svd", "svdvals")), np.zeros(0, dtype).real.dtype
    for m, n in ((4, 4), (5, 3), (2, 4), (3, 0)):
        a, least = matrices(dtype, 2, m, n), min(m, n)
        for name, columns in (("reduced", least), ("complete", m)):
            q, r = columns_adjacent(np.zeros((2, m, columns), dtype)), np.full((2, columns, n), 7, dtype)
            _, q, r, failed = qr.call(f"qr_{name}_{dtype}", [a, q, r], scratch=500, stack="another")
            assert failed == -1
            check(dtype, q, np.linalg.qr(a, name)[0])
            check(dtype, r, np.linalg.qr(a, name)[1])
        for name, of_u, of_v in (("reduced", least, least), ("full", m, n)):
            u, v = (columns_adjacent(np.zeros((2, *shape), dtype)) for shape in ((m, of_u), (of_v, n)))
            _, u, s, v, failed = svd.call(f"svd_{name}_{dtype}", [a, u, np.zeros((2, least), real), v], scratch=900)
            assert failed == -1
            check(dtype, (u[..., :least] * s[:, None]) @ v[:, :least], a)
            check(dtype, u.swapaxes(1, 2).conj() @ u, np.broadcast_to(np.eye(of_u), (2, of_u, of_u)))
        if n:
            _, s, failed = values.call(f"svdvals_{dtype}", [a, np.zeros((2, least), real)], scratch=900)
            check(dtype, s, np.linalg.svd(a, compute_uv=False))
            a[1, 0, 0] = np.nan
            _, s, failed = values.call(f"svdvals_{dtype}", [a, np.zeros((2, least), real)], scratch=900, stack="none")
            assert failed == 1 and np.isnan(s[1]).all()
            u, v = (columns_adjacent(np.zeros((2, *shape), dtype)) for shape in ((m, least), (least, n)))
            *_, failed = svd.call(f"svd_reduced_{dtype}", [a, u, s, v], scratch=900, stack="another")
            assert failed == 1
    assert not unused(qr) & {"copy_upper", "fill_identity"} and not unused(svd) & {"fill_nan", "fill_nan_values"}
    assert "fill_nan_values" not in unused(values)


@pytest.mark.parametrize("dtype", DTYPES)
def test_eigenvalues(dtype: str) -> None:
    real, wide = np.zeros(0, dtype).real.dtype, np.result_type(dtype, np.complex64)
    rooms = {x: spectral(x, dtype) for x in ("eigh", "eigvalsh", "eig", "eigvals")}
    a, n = matrices(dtype, 3, 5, 5), 5
    symmetric = a + a.swapaxes(1, 2).conj()
    for half, unread in (("lower", np.triu_indices(n, 1)), ("upper", np.tril_indices(n, -1))):
        given = symmetric.copy()
        w, v = np.zeros((3, n), real), columns_adjacent(np.zeros_like(a))
        for name in ("eigh", "eigvalsh"):
            operands = [given, w, *[v] * (name == "eigh")]
            _, values, *vectors, failed = rooms[name].call(f"{name}_{half}_{dtype}", operands, scratch=900)
            assert failed == -1
            check(dtype, values, np.linalg.eigvalsh(symmetric))
            for x in vectors:
                check(dtype, symmetric @ x, x * values[:, None])
            assert len(unread[0])
            bad = given.copy()
            bad[2, 1, 1] = np.nan
            *_, failed = rooms[name].call(f"{name}_{half}_{dtype}", [bad, *operands[1:]], scratch=900, stack="another")
            assert failed == 2
    w, v = np.zeros((3, n), wide), columns_adjacent(np.zeros(a.shape, wide))
    for name in ("eig", "eigvals"):
        operands = [a, w, *[v] * (name == "eig")]
        _, values, *vectors, failed = rooms[name].call(f"{name}_{dtype}", operands, scratch=900)
        assert failed == -1
        check(dtype, np.sort_complex(values), np.sort_complex(np.linalg.eigvals(a).astype(wide)))
        for x in vectors:
            check(dtype, a @ x, x * values[:, None])
        bad = a.copy()
        bad[1, 0, 0] = np.inf
        _, values, *_, failed = rooms[name].call(f"{name}_{dtype}", [bad, *operands[1:]], scratch=900, stack="none")
        assert failed == 1 and np.isnan(values[1]).all() and np.isfinite(values[[0, 2]]).all()
    for name, room in rooms.items():
        needed = {"eigh": {"fill_nan", "fill_nan_values"}, "eigvalsh": {"fill_nan_values"}}
        assert not unused(room) & needed.get(name, {"is_finite", "fill_nan_values"})
    assert set(KINDS) == {*rooms, "qr", "svd", "svdvals"}
