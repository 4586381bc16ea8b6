"""Functions of matrices: exponential, powers, chains of products."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from tensordsl.graph.casting import real_of
from tensordsl.graph.variables import Expand, OpTypeError, apply
from tensordsl.ops.array.index import getitem
from tensordsl.ops.array.reduce import bound, sum
from tensordsl.ops.array.shape import concatenate, dimshuffle, shape_i
from tensordsl.ops.control import loop_index, make_loop, parameter_like
from tensordsl.ops.linalg.inverses import inv
from tensordsl.ops.linalg.matrices import (
    adjoint,
    as_column,
    as_square,
    check_square,
    identity_as,
    matrix_row,
    of_lapack,
    product,
    square_shape,
)
from tensordsl.ops.linalg.products import dot, matmul
from tensordsl.ops.linalg.solve import SOLVE
from tensordsl.ops.math.comparisons import isfinite, lt
from tensordsl.ops.math.elementwise import abs_, cast, ceil, clip, second, switch
from tensordsl.ops.math.functions import exp2, log2
from tensordsl.ops.operands import as_variable, constant, whole_number

# The [13/13] Pade approximant of exp, and the 1-norm up to which it is exact to a float64's rounding: N. Higham: "The
# scaling and squaring method for the matrix exponential revisited", 2005.
_PADE = (
    64764752532480000.0, 32382376266240000.0, 7771770303897600.0, 1187353796428800.0, 129060195264000.0,
    10559470521600.0, 670442572800.0, 33522128640.0, 1323241920.0, 40840800.0, 960960.0, 16380.0, 182.0, 1.0,
)  # fmt: skip
_LARGEST_NORM = 5.371920351148152
_MOST_SQUARINGS = 1100  # beyond what the exponents of a float64 can need


# -- the exponential -------------------------------------------------------------------------------------------------
def numpy_expm(a: Any) -> Any:
    """By scaling and squaring, each matrix of a batch by itself."""
    found = np.empty_like(a)
    for position in np.ndindex(a.shape[:-2]):
        found[position] = _numpy_expm(a[position])
    return found


def _numpy_expm(a: Any) -> Any:
    if not a.size or not np.isfinite(a).all():
        return np.full_like(a, np.nan)
    size = np.abs(a).sum(0).max()
    n = max(0, int(np.ceil(np.log2(size / _LARGEST_NORM)))) if size else 0
    wide = a.astype("complex128" if a.dtype.kind == "c" else "float64") / 2.0**n
    powers = [np.eye(len(a), dtype=wide.dtype)]
    for _ in range(3):
        powers.append(powers[-1] @ wide @ wide)
    with np.errstate(all="ignore"):
        u, v = _pade(powers, wide, np.matmul)
        found = np.linalg.solve(v - u, v + u)
        for _ in range(n):
            found = found @ found
        return found.astype(a.dtype)


def _pade(powers: Sequence[Any], a: Any, multiply: Any) -> tuple[Any, Any]:
    """The odd and the even terms of the numerator, from 1, a^2, a^4 and a^6."""
    c = _PADE
    one, two, four, six = powers
    high = multiply(six, c[13] * six + c[11] * four + c[9] * two)
    odd = multiply(a, high + c[7] * six + c[5] * four + c[3] * two + c[1] * one)
    high = multiply(six, c[12] * six + c[10] * four + c[8] * two)
    return odd, high + c[6] * six + c[4] * four + c[2] * two + c[0] * one


def _build_expm(a: Any) -> Any:
    dtype, rank = a.type.dtype, a.type.ndim
    size = bound(sum(abs_(a), axis=rank - 2), -1)  # the largest sum of a column, (..., 1)
    halvings = clip(ceil(log2(size / constant(_LARGEST_NORM, dtype=real_of(dtype)))), 0.0, float(_MOST_SQUARINGS))
    halvings = cast(switch(isfinite(size), halvings, constant(0, dtype=halvings.type.dtype)), "int64")
    halvings = as_column(halvings)
    scaled = a * cast(exp2(cast(-halvings, real_of(dtype))), dtype)
    two = product(scaled, scaled)
    four = product(two, two)
    numbers = tuple(constant(c, dtype=dtype) for c in _PADE)
    odd, even = _pade_of(numbers, (identity_as(a), two, four, product(four, two)), scaled)
    start = apply(SOLVE, even - odd, even + odd, trans=0)
    k, x = loop_index(), parameter_like(start)
    squared = switch(lt(k, halvings), product(x, x), x)
    most = bound(halvings, tuple(range(rank)))
    return make_loop(dimshuffle(most, ()), k, [x], [start], [squared], name="expm")[0]


def _pade_of(c: Sequence[Any], powers: Sequence[Any], a: Any) -> tuple[Any, Any]:
    one, two, four, six = powers
    odd = product(six, c[13] * six + c[11] * four + c[9] * two) + c[7] * six + c[5] * four + c[3] * two + c[1] * one
    even = product(six, c[12] * six + c[10] * four + c[8] * two) + c[6] * six + c[4] * four + c[2] * two + c[0] * one
    return product(a, odd), even


def _expm_gradient(g: Any, out: Any, a: Any) -> Sequence[Any]:
    """The block above the diagonal of expm([[a', g], [0, a']]) (I. Najfeld, T. Havel, 1995)."""
    dual, rank, n = adjoint(a), a.type.ndim, shape_i(a, a.type.ndim - 1)
    nothing = second(a, constant(0, dtype=a.type.dtype))
    above = concatenate([dual, g], axis=rank - 1)
    whole = concatenate([above, concatenate([nothing, dual], axis=rank - 1)], axis=rank - 2)
    return (getitem(apply(EXPM, whole), (..., slice(None, n), slice(n, None))),)


EXPM = matrix_row(
    "expm",
    of_lapack,
    square_shape,
    numpy_expm,
    Expand(_build_expm),
    _expm_gradient,
)
ROWS = (EXPM,)


def expm(A: Any) -> Any:
    """The matrix exponentials 1 + A + A^2 / 2 + ... of square matrices, by scaling and squaring (N. Higham, 2005).

    A  (..., n, n); nan where an element is not finite
    The gradient is a block of the exponential of a matrix of twice the size (I. Najfeld, T. Havel: "Derivatives of the
    matrix exponential and their computation", 1995).

    >>> expm([[0.0, 1.0], [0.0, 0.0]]).eval()
    array([[1., 1.],
           [0., 1.]])
    """
    return apply(EXPM, as_square("expm", A))


# -- powers and chains -----------------------------------------------------------------------------------------------
def matrix_power(a: Any, n: int) -> Any:
    """The square matrices a, multiplied n times by themselves; of a negative n their inverses.

    a  (..., m, m);  n  an integer known when the graph is built; 0 gives identities

    >>> matrix_power([[1, 1], [0, 1]], 3).eval()
    array([[1, 3],
           [0, 1]])
    """
    n = whole_number(n, "matrix_power", "the exponent")
    a = as_variable(a)
    if n < 0 or a.type.ndim < 2:
        a = as_square("matrix_power", a)
    if n < 0:
        return matrix_power(inv(a), -n)
    check_square("matrix_power", a)
    if n == 0:
        return identity_as(a)
    square, found = a, None
    for k, digit in enumerate(reversed(bin(n)[2:])):
        square = matmul(square, square) if k else square
        if digit == "1":
            found = square if found is None else matmul(found, square)
    return found


def multi_dot(arrays: Sequence[Any], *, out: None = None) -> Any:
    """The product of several matrices, of which the first and the last may be vectors.

    The order is that of the fewest multiplications where all lengths are known, else from left to right.

    >>> multi_dot([[[1, 2]], [[1, 0], [0, 1]], [3, 4]]).eval()
    array([11])
    """
    if out is not None:
        raise TypeError("multi_dot: out= is not supported; the compiler decides what is written in place")
    if not isinstance(arrays, tuple | list):
        raise TypeError(f"multi_dot: wants a list of matrices, got {arrays!r}")
    factors = [as_variable(x) for x in arrays]
    if len(factors) < 2:
        raise ValueError(f"multi_dot: wants two arrays or more, got {len(factors)}")
    for k, x in enumerate(factors):
        if x.type.ndim != 2 and not (x.type.ndim == 1 and k in (0, len(factors) - 1)):
            raise OpTypeError(f"multi_dot: wants matrices (the first and the last may be vectors), got {x.type}")
    lengths = [1 if x.type.ndim == 1 and k == 0 else x.type.shape[0] for k, x in enumerate(factors)]
    lengths.append(1 if factors[-1].type.ndim == 1 else factors[-1].type.shape[1])
    if any(n is None for n in lengths):
        return matrix_dot(*factors)
    return _in_order(factors, lengths)


def _in_order(factors: Sequence[Any], lengths: Sequence[Any]) -> Any:
    """The product by the order of the fewest multiplications, by dynamic programming over the ranges of factors."""
    count = len(factors)
    cost = {(i, i): 0 for i in range(count)}
    made = {(i, i): x for i, x in enumerate(factors)}
    best: dict[tuple[int, int], int] = {}
    for span in range(1, count):
        for i in range(count - span):
            j = i + span
            costs = {k: cost[i, k] + cost[k + 1, j] + lengths[i] * lengths[k + 1] * lengths[j + 1] for k in range(i, j)}
            best[i, j] = min(costs, key=lambda k: costs[k])
            cost[i, j] = costs[best[i, j]]
    todo = [(0, count - 1)]
    while todo:
        i, j = todo[-1]
        if (i, j) in made:
            todo.pop()
            continue
        parts = (i, best[i, j]), (best[i, j] + 1, j)
        missing = [part for part in parts if part not in made]
        if missing:
            todo += missing
        else:
            made[i, j] = dot(made[parts[0]], made[parts[1]])
            todo.pop()
    return made[0, count - 1]


def matrix_dot(*args: Any) -> Any:
    """The product of its arguments, from left to right.

    >>> matrix_dot([[1, 2]], [[1, 0], [0, 1]], [[3], [4]]).eval()
    array([[11]])
    """
    if not args:
        raise ValueError("matrix_dot: wants an argument or more")
    result = as_variable(args[0])
    for x in args[1:]:
        result = matmul(result, x) if as_variable(x).type.ndim and result.type.ndim else dot(result, x)
    return result
