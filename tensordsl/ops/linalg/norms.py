"""Norms and condition numbers, as NumPy has them."""

from __future__ import annotations

from typing import Any

import numpy as np

from tensordsl.graph.types import DISCRETE
from tensordsl.graph.variables import OpTypeError, apply
from tensordsl.ops.array import reduce
from tensordsl.ops.array.arrange import moveaxis
from tensordsl.ops.array.index import getitem
from tensordsl.ops.array.shape import dimshuffle, flatten, shape_i
from tensordsl.ops.control import require
from tensordsl.ops.linalg.inverses import inv
from tensordsl.ops.linalg.matrices import as_matrices, flag
from tensordsl.ops.linalg.spectral import SVDVALS
from tensordsl.ops.math.comparisons import gt, isnan
from tensordsl.ops.math.elementwise import abs_, cast, switch
from tensordsl.ops.operands import as_variable, constant, normalise_axes

_INFINITE = {"inf": np.inf, "+inf": np.inf, "-inf": -np.inf}


def norm(x: Any, ord: Any = None, axis: Any = None, keepdims: bool = False) -> Any:
    """The norm of vectors (one axis) or of matrices (two axes), as `numpy.linalg.norm`.

    ord   of vectors: any number (2 by default), inf, -inf, or 0, the number of elements that are not 0; of matrices:
          "fro" (by default), "nuc", 1, -1, inf, -inf, and by singular values 2 and -2; "inf" and "-inf" are accepted
    axis  an axis, or two; None: both axes of a matrix, or, without `ord`, all elements
    Integers are computed in float64.

    >>> norm([3.0, 4.0]).eval()
    array(5.)
    >>> norm([[1.0, -2.0], [3.0, 4.0]], 1).eval()
    array(6.)
    """
    x, ord, keepdims = as_variable(x), _order("norm", ord), flag("norm", "keepdims", keepdims)
    if x.type.dtype in DISCRETE:
        x = cast(x, "float64")
    rank = x.type.ndim
    if axis is None:
        is_plain = ord is None or (ord in ("f", "fro") and rank == 2) or (rank == 1 and ord == 2)
        if is_plain:
            found = reduce.norm(flatten(x), 2)
            return dimshuffle(found, ("x",) * rank) if keepdims else found
    axes = tuple(range(rank)) if axis is None else _in_order(axis, rank)
    if len(axes) == 1:
        return _of_vectors("norm", x, axes[0], keepdims, 2 if ord is None else ord)
    if len(axes) != 2:
        raise OpTypeError(f"norm: a norm has one axis or two, got {len(axes)} of {x.type}; name them by axis=")
    return _of_matrices("norm", x, axes, "fro" if ord is None else ord, keepdims)


def _order(what: str, ord: Any) -> Any:
    """The order of a norm: a number, or a word."""
    if not isinstance(ord, str | int | float | np.number | None):
        raise ValueError(f"{what}: ord must be a number or a name, got {ord!r}")
    return _INFINITE.get(ord, ord) if isinstance(ord, str) else ord


def _in_order(axis: Any, rank: int) -> tuple[int, ...]:
    """The axes in the order in which they are named."""
    if isinstance(axis, tuple | list):
        normalise_axes(axis, rank, "norm")
        return tuple(int(k) % rank for k in axis)
    return normalise_axes(axis, rank, "norm")


def vector_norm(x: Any, *, axis: Any = None, keepdims: bool = False, ord: Any = 2) -> Any:
    """The norm of the elements along axes, by default of all: (sum |x|^ord)^(1/ord).  See `norm`.

    >>> vector_norm([[3.0, 4.0], [6.0, 8.0]], axis=1).eval()
    array([ 5., 10.])
    """
    return _of_vectors("vector_norm", as_variable(x), axis, flag("vector_norm", "keepdims", keepdims), ord)


def _of_vectors(what: str, x: Any, axis: Any, keepdims: bool, ord: Any) -> Any:
    ord = _order(what, ord)
    if ord is None or isinstance(ord, str | complex | np.complexfloating):
        raise ValueError(f"{what}: ord {ord!r} is none of vectors; use a number, inf or -inf")
    found = reduce.norm(x, ord, axis, keepdims)
    return cast(found, "float64" if x.type.dtype in DISCRETE else abs_(x).type.dtype) if ord == 0 else found


def matrix_norm(x: Any, /, *, keepdims: bool = False, ord: Any = "fro") -> Any:
    """The norm of the matrices in the last two axes.  See `norm`.

    >>> matrix_norm([[1.0, -2.0], [3.0, 4.0]], ord="inf").eval()
    array(7.)
    """
    x = as_variable(x)
    if x.type.ndim < 2:
        raise OpTypeError(f"matrix_norm: wants a matrix, or a batch of them in the last two axes, got {x.type}")
    if x.type.dtype in DISCRETE:
        x = cast(x, "float64")
    axes = x.type.ndim - 2, x.type.ndim - 1
    return _of_matrices("matrix_norm", x, axes, _order("matrix_norm", ord), flag("matrix_norm", "keepdims", keepdims))


def _of_matrices(what: str, x: Any, axes: tuple[int, ...], ord: Any, keepdims: bool) -> Any:
    rows, columns = axes
    if ord in ("f", "fro"):
        return reduce.norm(x, 2, axes, keepdims)
    if ord in (2, -2, "nuc"):
        (a,) = as_matrices("norm", moveaxis(x, axes, (-2, -1)))
        s = apply(SVDVALS, a)
        function = reduce.sum if ord == "nuc" else reduce.largest if ord == 2 else reduce.min
        found = function(s if ord == "nuc" else _one_of_equal(s, ord == 2), axis=s.type.ndim - 1)
    elif ord in (1, -1, np.inf, -np.inf):
        first, last = (rows, columns) if abs(ord) == 1 else (columns, rows)
        sums = reduce.sum(abs_(x), axis=first, keepdims=True)
        found = (reduce.largest if ord > 0 else reduce.min)(sums, axis=last, keepdims=True)
        kept = [k for k in range(x.type.ndim) if k not in axes]
        return found if keepdims else dimshuffle(found, kept)
    else:
        raise ValueError(f"{what}: ord {ord!r} is none of matrices; use 'fro', 'nuc', 1, -1, 2, -2, inf or -inf")
    if not keepdims:
        return found
    place = iter(range(found.type.ndim))
    return dimshuffle(found, ["x" if k in axes else next(place) for k in range(x.type.ndim)])


def _one_of_equal(s: Any, is_largest: bool) -> Any:
    """The largest or the smallest singular value, along an axis of length 1; no value of an empty matrix.  If all equal
    values got the gradient, it would be their number times a subgradient of the norm."""
    return getitem(s, (..., slice(None, 1) if is_largest else slice(-1, None)))


def cond(x: Any, p: Any = None) -> Any:
    """The condition numbers of the matrices in the last two axes, as `numpy.linalg.cond`.

    p  None or 2: the largest singular value over the smallest one; -2: the other way round; else norm(x, p) times that
       of the inverse ("fro", "nuc", 1, -1, inf, -inf)
    A matrix that is singular has inf by singular values, and raises LinAlgError otherwise; so does an empty one.

    >>> cond([[1.0, 0.0], [0.0, 4.0]]).eval()
    array(4.)
    """
    p = _order("cond", p)
    (a,) = as_matrices("cond", x)
    rows, columns = (shape_i(a, a.type.ndim - k) for k in (2, 1))
    a = require(a, gt(rows * columns, 0), "cond: matrices without elements have no condition number", "linalg")
    if p in (None, 2, -2):
        s = apply(SVDVALS, a)
        last = s.type.ndim - 1
        largest = reduce.max(_one_of_equal(s, True), axis=last)
        smallest = reduce.min(_one_of_equal(s, False), axis=last)
        found = smallest / largest if p == -2 else largest / smallest
        # 0 / 0 of a matrix of zeros counts as infinite, what nan makes stays.
        return switch(isnan(found) & ~isnan(largest), constant(np.inf, dtype=found.type.dtype), found)
    axes = a.type.ndim - 2, a.type.ndim - 1
    return _of_matrices("cond", a, axes, p, False) * _of_matrices("cond", inv(a), axes, p, False)
