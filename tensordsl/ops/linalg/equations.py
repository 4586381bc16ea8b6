"""Matrix equations: Sylvester, Lyapunov, Riccati.

Gradients, by the adjoint equation of the same kind: T.-C. Kao, G. Hennequin: "Automatic differentiation of Sylvester,
Lyapunov, and algebraic Riccati equations", 2020 (arXiv:2011.11430).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from tensordsl.graph.variables import HOST, Dims, apply
from tensordsl.ops.array.arrange import matrix_transpose
from tensordsl.ops.array.shape import dimshuffle, reshape, shape_i
from tensordsl.ops.linalg.matrices import (
    adjoint,
    as_matrices,
    check_square,
    identity_as,
    matrix_row,
    matrix_shape,
    nan_of,
    of_lapack,
    one_of,
    product,
    same_batch,
    square_shape,
)
from tensordsl.ops.linalg.solve import SOLVE
from tensordsl.ops.math.complexes import conj
from tensordsl.ops.operands import constant


def _numpys_error(op: str, position: tuple[int, ...]) -> np.linalg.LinAlgError:
    where = f" {position[0] if len(position) == 1 else position} of the batch" if position else ""
    return np.linalg.LinAlgError(f"{op}: equation{where} has no unique solution")


# -- Sylvester -------------------------------------------------------------------------------------------------------
def _sylvester_shape(d: Dims, a: Any, b: Any, q: Any) -> tuple[Any, ...]:
    *batch, m, _ = square_shape(d, a)
    *others, n, _ = square_shape(d, b)
    *last, rows, columns = matrix_shape(d, q)
    batch = [*same_batch(d, same_batch(d, tuple(batch), tuple(others)), tuple(last))]
    m = d.same(m, rows, "a and q differ in their number of rows")
    return (*batch, m, d.same(n, columns, "b and q differ in their number of columns"))


def numpy_sylvester(a: Any, b: Any, q: Any) -> Any:
    """By SciPy's Schur factors where it is there, else as one linear system of m n unknowns."""
    found = np.empty_like(q)
    for position in np.ndindex(q.shape[:-2]):
        try:
            found[position] = _numpy_sylvester(a[position], b[position], q[position])
        except np.linalg.LinAlgError:
            raise _numpys_error("solve_sylvester", position) from None
    return found


def _numpy_sylvester(a: Any, b: Any, q: Any) -> Any:
    if not q.size:
        return q
    try:
        import scipy.linalg  # type: ignore[import-untyped]  # it has no stubs
    except ImportError:
        whole = np.kron(a, np.eye(len(b))) + np.kron(np.eye(len(a)), b.T)
        return np.linalg.solve(whole, q.reshape(-1)).reshape(q.shape)
    if not all(np.isfinite(x).all() for x in (a, b, q)):
        return np.full_like(q, nan_of(q.dtype))
    r, u = scipy.linalg.schur(a)
    s, v = scipy.linalg.schur(b)
    (trsyl,) = scipy.linalg.get_lapack_funcs(("trsyl",), (r, s))
    y, scale, info = trsyl(r, s, np.conj(u.T) @ q @ v)
    if info:  # eigenvalues so close that it changed them
        raise np.linalg.LinAlgError
    # r y + y s = scale u' q v, with a scale below 1 where y would overflow
    return (u @ y @ np.conj(v.T) / scale).astype(q.dtype)


def _sylvester_gradient(g: Any, out: Any, a: Any, b: Any, q: Any) -> Sequence[Any]:
    s = apply(SYLVESTER, adjoint(a), adjoint(b), g)
    return -product(s, adjoint(out)), -product(adjoint(out), s), s


SYLVESTER = matrix_row(
    "solve_sylvester", lambda a, b, q: of_lapack(a, b, q), _sylvester_shape, numpy_sylvester, HOST,
    _sylvester_gradient,
)  # fmt: skip


# -- Riccati ---------------------------------------------------------------------------------------------------------
def _riccati_shape(d: Dims, a: Any, b: Any, q: Any, r: Any) -> tuple[Any, ...]:
    *batch, n, _ = square_shape(d, a)
    *others, rows, m = matrix_shape(d, b)
    *third, k, _ = square_shape(d, q)
    *fourth, size, _ = square_shape(d, r)
    shape = tuple(batch)
    for more in (others, third, fourth):
        shape = same_batch(d, shape, tuple(more))
    d.same(m, size, "b has another number of columns than r")
    n = d.same(d.same(n, rows, "a and b differ in their number of rows"), k, "a and q differ in size")
    return (*shape, n, n)


def _riccati_dtype(a: str, b: str, q: str, r: str) -> str:
    if of_lapack(a, b, q, r).startswith("complex"):
        raise TypeError(f"wants real matrices, got {a}")
    return a


def numpy_discrete_are(a: Any, b: Any, q: Any, r: Any) -> Any:
    """By doubling (E. Chu, H. Fan, W. Lin, C. Wang: "Structure-preserving algorithms for periodic discrete-time
    algebraic Riccati equations", 2004), which converges quadratically, in float64."""
    found = np.empty(a.shape, a.dtype)
    for position in np.ndindex(a.shape[:-2]):
        found[position] = _doubled(position, *(np.asarray(x[position], "float64") for x in (a, b, q, r)))
    return found


def _doubled(position: tuple[int, ...], a: Any, b: Any, q: Any, r: Any) -> Any:
    one = np.eye(len(a))
    try:
        g, h = b @ np.linalg.solve(r, b.T), q
        for _ in range(60):
            inverse = np.linalg.solve(one + g @ h, np.concatenate([a, g @ a.T], 1))
            of_a, of_g = inverse[:, : len(a)], inverse[:, len(a) :]
            step = a.T @ h @ of_a
            a, g, h = a @ of_a, g + a @ of_g, h + step
            if not np.isfinite(h).all():
                break
            if np.abs(step).max(initial=0) <= 1e-15 * np.abs(h).max(initial=0):
                return (h + h.T) / 2
    except np.linalg.LinAlgError:
        pass
    raise np.linalg.LinAlgError(
        "solve_discrete_are: failed to find a finite solution"
        + (f" of equation {position[0] if len(position) == 1 else position} of the batch" if position else "")
    )


def _riccati_gradient(g: Any, out: Any, a: Any, b: Any, q: Any, r: Any) -> Sequence[Any]:
    """With K = (r + b' x b)^-1 b' x a, F = a - b K, and S that solves S = F S F' + (g + g') / 2."""
    turned = matrix_transpose(b)
    gain = apply(SOLVE, r + product(turned, out, b), product(turned, out, a), trans=0)
    rest = a - product(b, gain)
    half = constant(0.5, dtype=a.type.dtype)
    s = discrete_lyapunov(rest, (g + matrix_transpose(g)) * half, "bilinear")
    of_a = product(out, rest, s) * constant(2, dtype=a.type.dtype)
    dual = matrix_transpose(gain)
    return of_a, -product(of_a, dual), s, product(gain, s, dual)


DISCRETE_ARE = matrix_row(
    "solve_discrete_are", _riccati_dtype, _riccati_shape, numpy_discrete_are, HOST, _riccati_gradient,
)  # fmt: skip
ROWS = (SYLVESTER, DISCRETE_ARE)


# -- public functions ------------------------------------------------------------------------------------------------
def solve_sylvester(a: Any, b: Any, q: Any) -> Any:
    """x with a x + x b = q.

    a  (..., m, m);  b  (..., n, n);  q  (..., m, n); axes before broadcast
    LinAlgError, with the position in the batch, where an eigenvalue of a is minus one of b.  With SciPy by Schur
    factors, without it as a linear system of m n unknowns.

    >>> solve_sylvester([[1.0]], [[2.0]], [[6.0]]).eval()
    array([[2.]])
    """
    a, b, q = as_matrices("solve_sylvester", a, b, q, names="a b q")
    check_square("solve_sylvester", a)
    check_square("solve_sylvester", b)
    return apply(SYLVESTER, a, b, q)


def solve_continuous_lyapunov(a: Any, q: Any) -> Any:
    """x with a x + x a' = q, for (..., n, n) a and q.  See `solve_sylvester`.

    >>> solve_continuous_lyapunov([[2.0]], [[8.0]]).eval()
    array([[2.]])
    """
    a, q = as_matrices("solve_continuous_lyapunov", a, q, names="a q")
    check_square("solve_continuous_lyapunov", a)
    return apply(SYLVESTER, a, adjoint(a), q)


def solve_discrete_lyapunov(a: Any, q: Any, method: str | None = "bilinear") -> Any:
    """x with a x a' - x + q = 0, for (..., n, n) a and q.

    method  "bilinear": by a continuous equation, n^3 steps, where -1 is no eigenvalue of a; "direct": as one linear
            system of n^2 unknowns, n^6 steps
    Differentiable through its steps.

    >>> solve_discrete_lyapunov([[0.5]], [[3.0]]).eval()
    array([[4.]])
    """
    one_of("solve_discrete_lyapunov", "method", method, ("direct", "bilinear", None))
    a, q = as_matrices("solve_discrete_lyapunov", a, q, names="a q")
    check_square("solve_discrete_lyapunov", a)
    return discrete_lyapunov(a, q, method or "bilinear")


def discrete_lyapunov(a: Any, q: Any, method: str) -> Any:
    rank, one = a.type.ndim, identity_as(a)
    if method == "direct":  # (1 - kron(a, conj(a))) vec(x) = vec(q), rows first
        n, batch = shape_i(a, rank - 1), [shape_i(a, k) for k in range(rank - 2)]
        lead = range(rank - 2)
        left = dimshuffle(a, (*lead, rank - 2, "x", rank - 1, "x"))
        right = dimshuffle(conj(a), (*lead, "x", rank - 2, "x", rank - 1))
        whole = reshape(left * right, [*batch, n * n, n * n], ndim=rank)
        x = apply(SOLVE, identity_as(whole) - whole, reshape(q, [*batch, n * n, 1], ndim=rank), trans=0)
        return reshape(x, [*batch, n, n], ndim=rank)
    # With B = (a - 1)(a + 1)^-1: B x + x B' = -2 (a + 1)^-1 q (a' + 1)^-1.
    turned = apply(SOLVE, a + one, adjoint(apply(SOLVE, a + one, q, trans=0)), trans=0)
    moved = one - apply(SOLVE, a + one, one, trans=0) * constant(2, dtype=a.type.dtype)
    return apply(SYLVESTER, moved, adjoint(moved), adjoint(turned) * constant(-2, dtype=a.type.dtype))


def solve_discrete_are(a: Any, b: Any, q: Any, r: Any) -> Any:
    """The stabilising x with a' x a - x - a' x b (r + b' x b)^-1 b' x a + q = 0, for real matrices.

    a, q  (..., n, n), q symmetric;  b  (..., n, m);  r  (..., m, m), symmetric and invertible
    By doubling (Chu et al., 2004).  LinAlgError where there is no finite solution.

    >>> solve_discrete_are([[1.0]], [[1.0]], [[2.0]], [[1.0]]).eval().round(12)
    array([[2.73205081]])
    """
    a, b, q, r = as_matrices("solve_discrete_are", a, b, q, r, names="a b q r")
    for x in (a, q, r):
        check_square("solve_discrete_are", x)
    return apply(DISCRETE_ARE, a, b, q, r)
