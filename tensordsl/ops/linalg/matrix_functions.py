"""Functions of matrices: exponential, powers, chains of products."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from tensordsl.graph.casting import real_of
from tensordsl.graph.variables import Expand, OpTypeError, apply
from tensordsl.ops.array.index import getitem
from tensordsl.ops.array.reduce import any as some
from tensordsl.ops.array.reduce import bound, sum
from tensordsl.ops.array.shape import concatenate, dimshuffle, shape_i
from tensordsl.ops.control import ZERO_GRAD, ifelse, loop_index, make_loop, parameter_like
from tensordsl.ops.linalg.inverses import inv
from tensordsl.ops.linalg.matrices import (
    adjoint,
    as_column,
    as_square,
    check_square,
    identity_as,
    matrix_row,
    nan_of,
    of_lapack,
    product,
    square_shape,
    stacked,
)
from tensordsl.ops.linalg.products import dot, matmul
from tensordsl.ops.linalg.solve import SOLVE
from tensordsl.ops.math.comparisons import gt, isfinite, isnan, le, lt
from tensordsl.ops.math.elementwise import abs_, cast, ceil, clip, floor, maximum, minimum, second, switch
from tensordsl.ops.math.elementwise import pow as power
from tensordsl.ops.math.functions import exp2, log2
from tensordsl.ops.operands import as_variable, constant, whole_number

# For each dtype of parts the orders m of the Pade approximants [m/m] of exp, with the 1-norm up to which they are exact
# to its rounding: N. Higham: "The scaling and squaring method for the matrix exponential revisited", 2005.
_ORDERS = {
    "float32": ((3, 4.258730016922831e-1), (5, 1.880152677804762), (7, 3.925724783138660)),
    "float64": (
        (3, 1.495585217958292e-2), (5, 2.539398330063230e-1), (7, 9.504178996162932e-1), (9, 2.097847961257068),
        (13, 5.371920351148152),
    ),
}  # fmt: skip
# The exponent of a norm whose sixth power does not overflow, and more halvings than exponents can need.
_SAFE_EXPONENT = {"float32": 20.0, "float64": 160.0}
_MOST_HALVINGS = 1100.0


# -- the exponential -------------------------------------------------------------------------------------------------
def _coefficients(m: int) -> list[int]:
    """Of the numerator of [m/m], the constant first; the last one is 1."""
    return [math.factorial(2 * m - j) // (math.factorial(m - j) * math.factorial(j)) for j in range(m + 1)]


def _halves(m: int, powers: Sequence[Any], number: Callable[[int], Any], multiply: Any) -> tuple[Any, Any]:
    """What a is multiplied by for the odd terms of the numerator of [m/m], and the even ones, from 1, a^2, a^4, ..."""
    c = [number(x) for x in _coefficients(m)]

    def terms(first: int, count: int) -> Any:
        found = c[first] * powers[0]
        for k, x in enumerate(powers[1:count], 1):
            found = found + c[first + 2 * k] * x
        return found

    if m < len(powers) * 2:
        return terms(1, (m + 1) // 2), terms(0, (m + 1) // 2)
    one, two, four, six = powers  # of [13/13]
    odd = multiply(six, c[13] * six + c[11] * four + c[9] * two) + terms(1, 4)
    return odd, multiply(six, c[12] * six + c[10] * four + c[8] * two) + terms(0, 4)


def numpy_expm(a: Any) -> Any:
    """By scaling and squaring with the highest order of float64, each matrix of a batch by itself."""
    return stacked(_numpy_expm, a)[0]


def _numpy_expm(a: Any) -> Any:
    if not a.size or not np.isfinite(a).all():
        return np.full_like(a, nan_of(a.dtype))
    m, largest = _ORDERS["float64"][-1]
    size = np.abs(a).sum(0).max()
    n = max(0, int(np.ceil(np.log2(size / largest)))) if size else 0
    wide = a.astype("complex128" if a.dtype.kind == "c" else "float64") / 2.0**n
    powers = [np.eye(len(a), dtype=wide.dtype)]
    for _ in range(3):
        powers.append(powers[-1] @ wide @ wide)
    with np.errstate(all="ignore"):
        odd, even = _halves(m, powers, float, np.matmul)
        odd = wide @ odd
        found = np.linalg.solve(even - odd, even + odd)
        for _ in range(n):
            found = found @ found
        return found.astype(a.dtype)


def _build_expm(a: Any) -> Any:
    """The order is the lowest that fits the largest matrix; where none does, each matrix is scaled for the highest."""
    dtype, rank = a.type.dtype, a.type.ndim
    *lower, (highest, limit) = _ORDERS[real_of(dtype)]
    size = _largest(sum(abs_(a), axis=rank - 2, keepdims=True))
    safe, zero = (constant(x, dtype=size.type.dtype) for x in (_SAFE_EXPONENT[real_of(dtype)], 0))
    before = switch(isfinite(size), maximum(ceil(log2(size)) - safe, zero), zero)
    base = a * _power_of_two(-before, dtype)
    powers = [identity_as(a), product(base, base)]
    choices = []
    for m, most in lower:
        while 2 * len(powers) < m:
            powers.append(product(powers[-1], powers[1]))
        choices.append((most, _halves(m, powers[: (m + 1) // 2], lambda c: constant(c, dtype=dtype), product)))
    while len(powers) < 4:
        powers.append(product(powers[-1], powers[1]))
    halvings = _halvings(a, size, before, powers, highest, limit)
    rest = before - halvings
    scaled = [powers[0], *(x * _power_of_two(rest * (2 * k), dtype) for k, x in enumerate(powers[1:4], 1))]
    odd, even = _halves(highest, scaled, lambda c: constant(c, dtype=dtype), product)
    largest = dimshuffle(bound(size, tuple(range(rank - 2))), ()) if rank > 2 else size
    none = second(size, zero)
    for most, halves in reversed(choices):
        is_enough = le(largest, constant(most, dtype=size.type.dtype))
        odd, even, halvings = ifelse(is_enough, [*halves, none], [odd, even, halvings])
    odd = product(a * _power_of_two(-halvings, dtype), odd)
    start = apply(SOLVE, even - odd, even + odd, trans=0)
    k, x, times = loop_index(), parameter_like(start), cast(as_column(as_column(halvings)), "int64")
    squared = switch(lt(k, times), product(x, x), x)
    count = dimshuffle(bound(times, tuple(range(rank))), ())
    return make_loop(count, k, [x], [start], [squared], name="expm")[0]


def _largest(rows: Any) -> Any:
    """The largest number of each matrix of one row."""
    rank = rows.type.ndim
    return dimshuffle(bound(rows, (rank - 2, rank - 1)), tuple(range(rank - 2)))


def _power_of_two(n: Any, dtype: str) -> Any:
    """2^n for each matrix."""
    return cast(as_column(as_column(exp2(n))), dtype)


def _halvings(a: Any, size: Any, before: Any, powers: Sequence[Any], m: int, limit: float) -> Any:
    """How often each matrix is halved for [m/m], by its norm, or less often where powers are smaller than that says
    (A. Al-Mohy, N. Higham: "A new scaling and squaring algorithm for the matrix exponential", 2009, algorithm 5.1)."""
    dtype, rank = size.type.dtype, a.type.ndim

    def number(x: float) -> Any:
        return constant(x, dtype=dtype)

    def whole(x: Any) -> Any:
        count = clip(ceil(x), 0.0, _MOST_HALVINGS)
        return switch(isnan(count), number(_MOST_HALVINGS), count)

    by_norm = switch(isfinite(size), whole(log2(size / number(limit))), number(0))
    norms = [_largest(sum(abs_(x), axis=rank - 2, keepdims=True)) for x in powers[2:4]]
    fourth, sixth = (power(x, number(1 / p)) for x, p in zip(norms, (4, 6), strict=True))
    by_powers = whole(log2(maximum(fourth, sixth) / number(limit)))
    by_powers = switch(gt(before, number(0)), number(_MOST_HALVINGS), by_powers)
    more = by_powers + whole(_for_rounding(a, by_powers, m))
    return minimum(by_norm, ifelse(some(lt(by_powers, by_norm)), more, by_powers))


def _for_rounding(a: Any, halvings: Any, m: int) -> Any:
    """How many halvings more keep the first error of [m/m] below rounding: by the norm of abs(a)^(2m+1)."""
    dtype, rank = real_of(a.type.dtype), a.type.ndim
    scaled = abs_(a) * _power_of_two(-halvings, dtype)
    columns = sum(scaled, axis=rank - 2, keepdims=True)
    v = parameter_like(columns)
    (last,) = make_loop(constant(2 * m), loop_index(), [v], [columns], [product(v, scaled)], name="expm")
    first = math.factorial(m) ** 2 / (math.factorial(2 * m) * math.factorial(2 * m + 1))
    error = _largest(last) / _largest(columns) * constant(2 * first / np.finfo(dtype).eps, dtype=dtype)
    return log2(error) / constant(2 * m, dtype=dtype)


def by_triangular_blocks(row: Any, a: Any, g: Any) -> Any:
    """The cotangent of a from that of a function of it, a row: the block above the diagonal of the function of
    [[a', g], [0, a']].  It is linear in g, which is scaled by a power of two to a norm of 1 to 2: that of a larger one,
    not of a', would decide how often the function halves the whole, and its derivatives by g dwarf those by a' for a
    smaller one; roundings would grow with either."""
    dual, rank, n = adjoint(a), a.type.ndim, shape_i(a, a.type.ndim - 1)
    nothing = second(a, constant(0, dtype=a.type.dtype))
    exponent = _exponent(g)
    above = concatenate([dual, g * _power_of_two(-exponent, g.type.dtype)], axis=rank - 1)
    whole = concatenate([above, concatenate([nothing, dual], axis=rank - 1)], axis=rank - 2)
    block = getitem(apply(row, whole), (..., slice(None, n), slice(n, None)))
    return block * _power_of_two(exponent, g.type.dtype)


def _exponent(g: Any) -> Any:
    """For each matrix that of its 1-norm, a constant for gradients; 0 for zeros, and norms that are not finite."""
    size = _largest(sum(abs_(apply(ZERO_GRAD, g)), axis=g.type.ndim - 2, keepdims=True))
    zero, least = (constant(n, dtype=size.type.dtype) for n in (0, np.finfo(size.type.dtype).minexp))
    return switch(isfinite(size) & gt(size, zero), maximum(floor(log2(size)), least), zero)


def _expm_gradient(g: Any, out: Any, a: Any) -> Sequence[Any]:
    """I. Najfeld, T. Havel, 1995."""
    return (by_triangular_blocks(EXPM, a, g),)


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
    """The matrix exponentials 1 + A + A^2 / 2 + ... of square matrices, by scaling and squaring (N. Higham, 2005; A.
    Al-Mohy, N. Higham, 2009).

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
