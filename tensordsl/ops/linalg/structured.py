"""Matrices with a structure: blocks on a diagonal, Toeplitz and Hankel matrices, diagonals."""

from __future__ import annotations

from typing import Any

from tensordsl.graph.casting import upcast
from tensordsl.graph.variables import OpTypeError
from tensordsl.ops.array.arrange import matrix_transpose as transposed
from tensordsl.ops.array.creation import arange, zeros
from tensordsl.ops.array.index import diagonal as diagonal_of_axes
from tensordsl.ops.array.index import getitem
from tensordsl.ops.array.reduce import sum
from tensordsl.ops.array.shape import concatenate, dimshuffle, shape_i
from tensordsl.ops.linalg.matrices import with_batches
from tensordsl.ops.math.complexes import conj
from tensordsl.ops.math.elementwise import cast
from tensordsl.ops.operands import as_variable


def block_diag(*arrays: Any) -> Any:
    """The matrix with these on its diagonal, one behind the other, and zeros elsewhere.

    arrays  (..., m, n); the axes before broadcast; a vector is a matrix of one row

    >>> block_diag([[1, 2]], [[3], [4]]).eval()
    array([[1, 2, 0],
           [0, 0, 3],
           [0, 0, 4]])
    """
    blocks = [as_variable(x) for x in arrays]
    if not blocks:
        raise ValueError("block_diag: wants an array or more")
    blocks = [dimshuffle(x, ("x",) * (2 - x.type.ndim) + tuple(range(x.type.ndim))) for x in blocks]
    dtype = upcast(*(x.type.dtype for x in blocks))
    blocks = with_batches(*(cast(x, dtype) for x in blocks))
    rank = blocks[0].type.ndim
    batch = [shape_i(blocks[0], k) for k in range(rank - 2)]
    rows = []
    for k, x in enumerate(blocks):
        height = shape_i(x, rank - 2)
        row = [zeros([*batch, height, shape_i(y, rank - 1)], dtype) for y in blocks]
        row[k] = x
        rows.append(concatenate(row, axis=rank - 1))
    return concatenate(rows, axis=rank - 2)


def _vector(what: str, x: Any) -> Any:
    x = as_variable(x)
    if x.type.ndim != 1:
        raise OpTypeError(f"{what}: wants a vector, got {x.type}")
    return x


def _sums(rows: Any, columns: Any, sign: int) -> Any:
    """The matrix of row number + sign * column number."""
    return dimshuffle(arange(rows), (0, "x")) + sign * dimshuffle(arange(columns), ("x", 0))


def toeplitz(c: Any, r: Any = None) -> Any:
    """The matrix with constant diagonals whose first column is c and first row r (its first element does not count).

    r  by default the conjugate of c

    >>> toeplitz([1, 2, 3], [1, 4, 5]).eval()
    array([[1, 4, 5],
           [2, 1, 4],
           [3, 2, 1]])
    """
    c = _vector("toeplitz", c)
    r = conj(c) if r is None else _vector("toeplitz", r)
    m, n = shape_i(c, 0), shape_i(r, 0)
    values = concatenate([getitem(r, (slice(None, 0, -1),)), c])
    return getitem(values, (_sums(m, n, -1) + (n - 1),))


def hankel(c: Any, r: Any = None) -> Any:
    """The matrix with constant antidiagonals whose first column is c and last row r (its first element does not count).

    r  by default zeros

    >>> hankel([1, 2, 3]).eval()
    array([[1, 2, 3],
           [2, 3, 0],
           [3, 0, 0]])
    """
    c = _vector("hankel", c)
    r = zeros((shape_i(c, 0),), c.type.dtype) if r is None else _vector("hankel", r)
    values = concatenate([c, getitem(r, (slice(1, None),))])
    return getitem(values, (_sums(shape_i(c, 0), shape_i(r, 0), 1),))


def circulant(c: Any) -> Any:
    """The square matrix whose first column is c and in which each column is the one before, turned down by one.

    >>> circulant([1, 2, 3]).eval()
    array([[1, 3, 2],
           [2, 1, 3],
           [3, 2, 1]])
    """
    c = _vector("circulant", c)
    n = shape_i(c, 0)
    return getitem(concatenate([c, c]), (_sums(n, n, -1) + n,))


# -- diagonals of the last two axes ----------------------------------------------------------------------------------
def diagonal(x: Any, /, *, offset: int = 0) -> Any:
    """The diagonals of the matrices in the last two axes, as `numpy.linalg.diagonal`.

    >>> diagonal([[1, 2], [3, 4]], offset=1).eval()
    array([2])
    """
    x = as_variable(x)
    if x.type.ndim < 2:
        raise OpTypeError(f"diagonal: wants a matrix, or a batch of them in the last two axes, got {x.type}")
    return diagonal_of_axes(x, offset, x.type.ndim - 2, x.type.ndim - 1)


def trace(x: Any, /, *, offset: int = 0, dtype: Any = None) -> Any:
    """The sums of the diagonals of the matrices in the last two axes, as `numpy.linalg.trace`.

    >>> trace([[[1, 2], [3, 4]]]).eval()
    array([5])
    """
    found = diagonal(x, offset=offset)
    return sum(found, axis=found.type.ndim - 1, dtype=dtype)


def matrix_transpose(x: Any, /) -> Any:
    """The matrices in the last two axes, transposed.

    >>> matrix_transpose([[1, 2]]).eval()
    array([[1],
           [2]])
    """
    x = as_variable(x)
    if x.type.ndim < 2:
        raise OpTypeError(f"matrix_transpose: wants a matrix, or a batch of them in the last two axes, got {x.type}")
    return transposed(x)
