"""Matrices as operands: what the rows of factorisations share.

Comes in   operands whose last two axes are matrices; the axes before are batches.
Goes out   rules for dtypes and shapes, adjoints, triangles, and the error for a matrix on which a method fails.
Rows take LAPACK's four dtypes and equal batch axes alone: functions cast (`matrix_dtype`) and stretch (`as_matrices`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from tensordsl.graph.casting import upcast
from tensordsl.graph.types import COMPLEX
from tensordsl.graph.variables import Dims, Meaning, Op, OpShapeError, StaticDims
from tensordsl.ops.array.arrange import matrix_transpose
from tensordsl.ops.array.creation import arange
from tensordsl.ops.array.shape import broadcast_to, dimshuffle, shape_i
from tensordsl.ops.linalg.products import matmul
from tensordsl.ops.math.comparisons import eq, ge, gt, invert, isinf, isnan, le, lt, or_
from tensordsl.ops.math.complexes import conj, real
from tensordsl.ops.math.elementwise import abs_, cast, second, switch
from tensordsl.ops.operands import as_variable, constant

LAPACK_DTYPES = ("float32", "float64", "complex64", "complex128")
_SMALL = frozenset(("bool", "int8", "uint8", "int16", "uint16", "float16"))


# -- dtypes and shapes -----------------------------------------------------------------------------------------------
def matrix_dtype(*dtypes: str) -> str:
    """The dtype of LAPACK in which operands of these dtypes are computed.

    >>> matrix_dtype("float16"), matrix_dtype("int16", "int32"), matrix_dtype("float32", "complex64")
    ('float32', 'float64', 'complex64')
    """
    dtype = upcast(*dtypes)
    if dtype in LAPACK_DTYPES:
        return dtype
    return "float32" if dtype in _SMALL else "float64"


def of_lapack(x: str, *others: str) -> str:
    """The one dtype of operands of a row."""
    if x not in LAPACK_DTYPES or any(t != x for t in others):
        names, got = ", ".join(LAPACK_DTYPES), ", ".join((x, *others))
        raise TypeError(f"wants operands of one of the dtypes {names}, got {got}")
    return x


def matrix_shape(d: Dims, x: Any) -> tuple[Any, ...]:
    shape = d.shape(x)
    if len(shape) < 2:
        raise ValueError(f"wants a matrix, or a batch of them in the last two axes, got {len(shape)} axes")
    return shape


def square_shape(d: Dims, x: Any) -> tuple[Any, ...]:
    *batch, m, n = matrix_shape(d, x)
    side = d.same(m, n, "wants square matrices, but their last two axes differ in length")
    return (*batch, side, side)


def same_batch(d: Dims, one: tuple[Any, ...], two: tuple[Any, ...]) -> tuple[Any, ...]:
    if len(one) != len(two):
        raise ValueError(f"wants as many axes of batches in both operands, got {len(one)} and {len(two)}")
    return tuple(d.same(m, n, "the axes of batches differ in length") for m, n in zip(one, two, strict=True))


class _ArrayDims(StaticDims):
    """`Dims` over the shapes of arrays."""

    def shape(self, operand: Any) -> tuple[int, ...]:
        return tuple(operand.shape)


_ARRAYS = _ArrayDims()


def checked(rule: Callable[..., Any], oracle: Callable[..., Any]) -> Callable[..., Any]:
    """The oracle, which refuses arrays as the shape rule does."""

    def of_fitting(*arrays: Any, **attrs: Any) -> Any:
        rule(_ARRAYS, *arrays, **attrs)
        return oracle(*arrays, **attrs)

    return of_fitting


def matrix_row(
    name: str, dtype: Callable[..., Any], shape: Callable[..., Any], oracle: Callable[..., Any], meaning: Meaning,
    gradient: Callable[..., Any] | None = None, no_gradient: str = "",
) -> Op:  # fmt: skip
    """A row of linear algebra, whose oracle checks what the shape rule says."""
    return Op(name, dtype, shape, checked(shape, oracle), meaning, gradient, no_gradient, ulp=64)


def require_finite(x: Any) -> Any:
    """x; LinAlgError where an element is not finite: LAPACK's singular vectors may not end there."""
    if not np.isfinite(x).all():
        raise np.linalg.LinAlgError("SVD did not converge")
    return x


# -- operands --------------------------------------------------------------------------------------------------------
def as_matrices(what: str, *operands: Any, names: str = "a b c d") -> list[Any]:
    """The operands as variables of one dtype of LAPACK, all with the same axes of batches."""
    variables = [as_variable(v) for v in operands]
    for v, name in zip(variables, names.split(), strict=False):
        if v.type.ndim < 2:
            raise OpShapeError(
                f"{what}: wants a matrix, or a batch of them in the last two axes, as {name}, got {v.type}"
            )
    dtype = matrix_dtype(*(v.type.dtype for v in variables))
    return with_batches(*(cast(v, dtype) for v in variables))


def as_square(what: str, a: Any) -> Any:
    """One operand, whose matrices are square as far as it is known."""
    (a,) = as_matrices(what, a)
    check_square(what, a)
    return a


def check_square(what: str, a: Any) -> None:
    m, n = a.type.shape[-2:]
    if m is not None and n is not None and m != n:
        raise OpShapeError(f"{what}: wants square matrices, got {m} by {n}\n  operand: {a.type}")


def with_batches(*variables: Any, core: int = 2) -> list[Any]:
    """The variables with their axes before the last `core` ones broadcast against each other."""
    rank = max(v.type.ndim for v in variables) - core
    lengths: list[Any] = []
    is_known = True
    for k in range(rank):
        axis = k - rank - core
        have = [v for v in variables if v.type.ndim >= -axis]
        long = [v for v in have if v.type.shape[axis] != 1]
        lengths.append(shape_i(long[0], long[0].type.ndim + axis) if long else 1)
        is_known = is_known and (len(long) == len(variables) or not long)
    if is_known and all(v.type.ndim == rank + core for v in variables):
        return list(variables)
    wide = []
    for v in variables:
        same = v.type.ndim == rank + core and all(
            n != 1 or isinstance(length, int) for n, length in zip(v.type.shape, lengths, strict=False)
        )
        own = [shape_i(v, k) for k in range(v.type.ndim - core, v.type.ndim)]
        wide.append(v if same else broadcast_to(v, [*lengths, *own]))
    return wide


def flag(what: str, name: str, value: Any) -> bool:
    """A parameter that says yes or no."""
    if not isinstance(value, bool | int | np.bool_ | np.integer):
        raise TypeError(f"{what}: {name} must be True or False, got {value!r}")
    return bool(value)


def one_of(what: str, name: str, value: Any, names: Iterable[Any]) -> Any:
    """A parameter that is one of these words or numbers."""
    names = list(names)
    if not isinstance(value, str | int | float | np.number | None) or value not in names:
        raise ValueError(f"{what}: {name} must be one of {', '.join(map(repr, names))}, got {value!r}")
    return value


def finite(what: str, x: Any, check: bool) -> Any:
    """x; with `check`, ValueError at run time where an element is infinite or nan."""
    if not flag(what, "check_finite", check):
        return x
    from tensordsl.ops.array.reduce import all
    from tensordsl.ops.control import require

    is_finite = invert(or_(isnan(x), isinf(x)))
    return require(x, all(is_finite), f"{what}: an element is infinite or nan (check_finite)")


# -- parts of matrices -----------------------------------------------------------------------------------------------
def adjoint(x: Any) -> Any:
    """The conjugate transpose of the matrices."""
    return conj(matrix_transpose(x))


def adjoint_flag(x: Any) -> int:
    """The `trans` for the adjoint: real matrices have one name for it, so that equal steps are found."""
    return 2 if x.type.dtype in COMPLEX else 1


def offsets(x: Any) -> Any:
    """Column number - row number at each element of the matrices."""
    rows, columns = (arange(shape_i(x, x.type.ndim - k)) for k in (2, 1))
    return dimshuffle(columns, ("x", 0)) - dimshuffle(rows, (0, "x"))


def kept(x: Any, compare: Callable[[Any, Any], Any], k: int = 0) -> Any:
    """x where the offset compares so with k, else zeros."""
    return switch(compare(offsets(x), k), x, constant(0, dtype=x.type.dtype))


def lower_of(x: Any) -> Any:
    return kept(x, le)


def upper_of(x: Any) -> Any:
    return kept(x, ge)


def strictly_lower_of(x: Any) -> Any:
    return kept(x, lt)


def strictly_upper_of(x: Any) -> Any:
    return kept(x, gt)


def triangle(x: Any, lower: bool, unit: bool = False) -> Any:
    """The triangle of x that a row reads."""
    return kept(x, (lt if unit else le) if lower else (gt if unit else ge))


def half_diagonal(x: Any, compare: Callable[[Any, Any], Any]) -> Any:
    """x where the offset compares so with 0, the diagonal halved and real, else zeros."""
    k = offsets(x)
    half = switch(eq(k, 0), cast(real(x) * constant(0.5, dtype=real(x).type.dtype), x.type.dtype), x)
    return switch(compare(k, 0), half, constant(0, dtype=x.type.dtype))


def folded(s: Any, lower: bool) -> Any:
    """The cotangent of the triangle of a Hermitian matrix that a row reads, from a cotangent s of the whole matrix.

    Elements off the diagonal stand for two: theirs are added up.
    """
    return half_diagonal(s + adjoint(s), le if lower else ge)


def diagonal_of(x: Any) -> Any:
    from tensordsl.ops.array.index import diagonal

    return diagonal(x, 0, x.type.ndim - 2, x.type.ndim - 1)


def columns_times(x: Any, v: Any) -> Any:
    """x times the diagonal matrix of v: each column by its number."""
    return x * dimshuffle(v, (*range(v.type.ndim - 1), "x", v.type.ndim - 1))


def as_column(v: Any) -> Any:
    return dimshuffle(v, (*range(v.type.ndim), "x"))


def identity_as(x: Any, dtype: str | None = None) -> Any:
    """Identity matrices with as many rows as x has, in its batches; of its dtype if none is given."""
    n, rank = shape_i(x, x.type.ndim - 2), x.type.ndim - 2
    k = arange(n)
    one = cast(eq(dimshuffle(k, (0, "x")), dimshuffle(k, ("x", 0))), dtype or x.type.dtype)
    return broadcast_to(one, [*(shape_i(x, k) for k in range(rank)), n, n]) if rank else one


def over_differences(x: Any, w: Any) -> Any:
    """x[i, j] / (w[j] - w[i]), and 0 on the diagonal.  Of equal values infinite, unless x is 0 there."""
    return _divided(x, w, eq(x, 0))


def skew_over_differences(x: Any, w: Any) -> Any:
    """That of x - x', where a difference that is only rounding counts as 0: x does not tell equal values apart."""
    turned = adjoint(x)
    skew = x - turned
    slack = constant(16 * np.finfo(w.type.dtype).eps, dtype=w.type.dtype)
    return _divided(skew, w, le(abs_(skew), slack * (abs_(x) + abs_(turned))))


def _divided(x: Any, w: Any, is_nothing: Any) -> Any:
    rank = w.type.ndim
    gap = dimshuffle(w, (*range(rank - 1), "x", rank - 1)) - dimshuffle(w, (*range(rank), "x"))
    is_diagonal, is_equal = eq(offsets(x), 0), eq(gap, 0)
    one, zero = constant(1, dtype=w.type.dtype), constant(0, dtype=x.type.dtype)
    is_free = is_diagonal | (is_equal & is_nothing)
    return switch(is_free, zero, x) / switch(is_free, one, gap)


def product(*factors: Any) -> Any:
    """The matrix product of the factors, from left to right."""
    result = factors[0]
    for x in factors[1:]:
        result = matmul(result, x)
    return result


def repeated(v: Any, x: Any) -> Any:
    """v in the shape of x."""
    return second(x, v)


LinAlgError = np.linalg.LinAlgError


# -- failures --------------------------------------------------------------------------------------------------------
FAILURES = {
    "cholesky": "is not positive definite",
    "solve_triangular": "is singular: an element of its diagonal is 0",
    "lu_solve": "is singular",
    "svd": "has a singular value decomposition that did not converge",
    "eigh": "has eigenvalues that did not converge",
    "eig": "has eigenvalues that did not converge",
}


def failure(op: str, position: tuple[int, ...] = ()) -> np.linalg.LinAlgError:
    """The error for the first matrix of a batch on which a method fails.

    >>> failure("lu_solve", (3,))
    LinAlgError('lu_solve: matrix 3 of the batch is singular')
    """
    if not position:
        return np.linalg.LinAlgError(f"{op}: the matrix {FAILURES[op]}")
    where = ", ".join(map(str, position))
    return np.linalg.LinAlgError(
        f"{op}: matrix {where if len(position) == 1 else f'({where})'} of the batch {FAILURES[op]}"
    )


def of_scipy(what: str, name: str) -> Any:
    """A function of SciPy's linear algebra, which is an optional part, for the row `what`."""
    try:
        import scipy.linalg  # type: ignore[import-untyped]  # it has no stubs
    except ImportError:
        raise ImportError(f"{what} is computed by SciPy, which is not installed: pip install scipy") from None
    return getattr(scipy.linalg, name)


def stacked(function: Callable[..., Any], *arrays: Any) -> list[Any]:
    """Of batches of matrices: the results of function(*matrices), one array or several, stacked."""

    def results(*matrices: Any) -> list[Any]:
        found = function(*matrices)
        return list(found) if isinstance(found, list | tuple) else [found]

    batch = arrays[0].shape[:-2]
    found = [results(*(a[position] for a in arrays)) for position in np.ndindex(batch)]
    if not found:
        found = [results(*(np.eye(a.shape[-1], dtype=a.dtype) for a in arrays))]
        return [np.empty((*batch, *part.shape), part.dtype) for part in found[0]]
    return [np.stack(parts).reshape(*batch, *parts[0].shape) for parts in zip(*found, strict=True)]


def nan_of(dtype: Any) -> Any:
    """What a matrix that fails has, as with NumPy: NaN in both parts of complex numbers."""
    return complex(np.nan, np.nan) if np.dtype(dtype).kind == "c" else np.nan


def each(op: str, method: Callable[..., Any], *arrays: Any) -> Any:
    """method(*arrays) of batches of matrices; where it fails, the error says on which matrix."""
    try:
        return method(*arrays)
    except np.linalg.LinAlgError:
        for position in np.ndindex(arrays[0].shape[:-2]):
            try:
                method(*(a[position] for a in arrays))
            except np.linalg.LinAlgError:
                raise failure(op, position) from None
        raise
