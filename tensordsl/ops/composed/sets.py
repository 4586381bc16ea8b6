"""Tensors as sets of numbers: membership, unions, differences, and what is distinct, in increasing order."""

from __future__ import annotations

from typing import Any, NamedTuple

from tensordsl.graph.casting import upcast
from tensordsl.graph.types import CONTINUOUS
from tensordsl.ops.array.index import getitem
from tensordsl.ops.array.masks import flatnonzero, nonzero
from tensordsl.ops.array.shape import concatenate, dimshuffle, flatten, reshape, shape_tuple, stack
from tensordsl.ops.array.sort import searchsorted, sort, unique
from tensordsl.ops.math.comparisons import and_, gt, isnan
from tensordsl.ops.math.comparisons import invert as negated
from tensordsl.ops.math.elementwise import cast
from tensordsl.ops.operands import as_variable


def _flat(x: Any) -> Any:
    x = as_variable(x)
    return flatten(x) if x.type.ndim else dimshuffle(x, ("x",))


def isin(
    element: Any, test_elements: Any, assume_unique: bool = False, invert: bool = False, kind: str | None = None
) -> Any:  # fmt: skip
    """Whether each element is one of the test elements; nan is never.

    assume_unique and kind ("sort" or "table") choose no other method here.

    >>> isin([1, 2, 3], [3, 1]).eval()
    array([ True, False,  True])
    """
    x, others = as_variable(element), _flat(test_elements)
    dtype = upcast(x.type.dtype, others.type.dtype)
    x, others = cast(x, dtype), sort(cast(others, dtype))
    found = gt(searchsorted(others, x, "right"), searchsorted(others, x, "left"))
    if dtype in CONTINUOUS:
        found = and_(found, negated(isnan(x)))
    return negated(found) if invert else found


def union1d(ar1: Any, ar2: Any) -> Any:
    """The distinct elements of both, in increasing order.

    >>> union1d([3, 1], [2, 3]).eval()
    array([1, 2, 3])
    """
    return unique(concatenate([_flat(ar1), _flat(ar2)]))


def intersect1d(ar1: Any, ar2: Any, assume_unique: bool = False) -> Any:
    """The distinct elements that stand in both, in increasing order.

    >>> intersect1d([3, 1, 3], [2, 3]).eval()
    array([3])
    """
    x, y = _flat(ar1), _flat(ar2)
    x = cast(x, upcast(x.type.dtype, y.type.dtype))
    x = sort(x) if assume_unique else unique(x)
    return getitem(x, (flatnonzero(isin(x, y)),))


def setdiff1d(ar1: Any, ar2: Any, assume_unique: bool = False) -> Any:
    """The distinct elements of the first that do not stand in the second, in increasing order.

    assume_unique: the elements of the first are distinct, and stay in their order.

    >>> setdiff1d([3, 1, 4], [2, 3]).eval()
    array([1, 4])
    """
    x = _flat(ar1) if assume_unique else unique(ar1)
    return getitem(x, (flatnonzero(isin(x, ar2, invert=True)),))


def setxor1d(ar1: Any, ar2: Any, assume_unique: bool = False) -> Any:
    """The distinct elements that stand in just one of both, in increasing order.

    >>> setxor1d([3, 1], [2, 3]).eval()
    array([1, 2])
    """
    return sort(concatenate([setdiff1d(ar1, ar2), setdiff1d(ar2, ar1)]))


def argwhere(a: Any) -> Any:
    """The positions of the elements that are not 0, a row for each: int64.

    >>> argwhere([[0, 3], [4, 0]]).eval()
    array([[0, 1],
           [1, 0]])
    """
    return stack(list(nonzero(a)), axis=1)


# -- the array standard's --------------------------------------------------------------------------------------------
class UniqueAll(NamedTuple):
    """What `unique_all` gives."""

    values: Any
    indices: Any
    inverse_indices: Any
    counts: Any


class UniqueCounts(NamedTuple):
    """What `unique_counts` gives."""

    values: Any
    counts: Any


class UniqueInverse(NamedTuple):
    """What `unique_inverse` gives."""

    values: Any
    inverse_indices: Any


def unique_values(x: Any) -> Any:
    """The distinct elements of x in increasing order; nans are one element.

    >>> unique_values([3, 1, 3]).eval()
    array([1, 3])
    """
    return unique(x)


def unique_counts(x: Any) -> UniqueCounts:
    """The distinct elements of x, and how often each is there.

    >>> unique_counts([3, 1, 3]).counts.eval()
    array([1, 2])
    """
    return UniqueCounts(*unique(x, return_counts=True))


def unique_inverse(x: Any) -> UniqueInverse:
    """The distinct elements of x, and for each element of x the number of its value, in the shape of x.

    >>> unique_inverse([[3, 1]]).inverse_indices.eval()
    array([[1, 0]])
    """
    x = as_variable(x)
    values, inverse = unique(x, return_inverse=True)
    return UniqueInverse(values, reshape(inverse, shape_tuple(x), ndim=x.type.ndim))


def unique_all(x: Any) -> UniqueAll:
    """The distinct elements of x, where each is first in the flat x, the number of each element's value in the shape of
    x, and how often each value is there.

    >>> [part.eval().tolist() for part in unique_all([3, 1, 3])]
    [[1, 3], [1, 0], [1, 0, 1], [1, 2]]
    """
    x = as_variable(x)
    values, first, inverse, counts = unique(x, True, True, True)
    return UniqueAll(values, first, reshape(inverse, shape_tuple(x), ndim=x.type.ndim), counts)
