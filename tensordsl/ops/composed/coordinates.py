"""Coordinates and positions as tensors: grids, open meshes, triangles' indices, powers of points."""

from __future__ import annotations

from typing import Any

from tensordsl.graph.types import INTEGERS
from tensordsl.graph.variables import OpTypeError
from tensordsl.ops.array.creation import arange
from tensordsl.ops.array.grids import diag, tri
from tensordsl.ops.array.masks import nonzero
from tensordsl.ops.array.shape import as_dim, as_dims, broadcast_to, dimshuffle, flatten, shape_i, stack
from tensordsl.ops.math.comparisons import invert
from tensordsl.ops.math.elementwise import cast
from tensordsl.ops.math.elementwise import pow as power
from tensordsl.ops.operands import as_variable, axis_count


def _along(v: Any, axis: int, rank: int) -> Any:
    """The vector v along one of `rank` axes, the others of length 1."""
    return dimshuffle(v, ["x"] * axis + [0] + ["x"] * (rank - axis - 1))


def meshgrid(*xi: Any, copy: bool = True, sparse: bool = False, indexing: str = "xy") -> tuple[Any, ...]:
    """Coordinates of a grid: for each vector a tensor that varies along one axis, the vector's.

    indexing: "ij", or "xy", where the first two axes are exchanged.  sparse: the other axes have length 1.  copy is
    accepted as NumPy's.

    >>> [part.eval().tolist() for part in meshgrid([1, 2], [5, 6, 7])]
    [[[1, 2], [1, 2], [1, 2]], [[5, 5], [6, 6], [7, 7]]]
    """
    if indexing not in ("xy", "ij"):
        raise ValueError(f"meshgrid: indexing must be 'xy' or 'ij', got {indexing!r}")
    vectors = [x if x.type.ndim else dimshuffle(x, ("x",)) for x in map(as_variable, xi)]
    vectors = [flatten(x) for x in vectors]
    rank = len(vectors)
    axes = [1, 0, *range(2, rank)] if indexing == "xy" and rank > 1 else list(range(rank))
    grids = [_along(v, axis, rank) for v, axis in zip(vectors, axes, strict=True)]
    if sparse or not grids:
        return tuple(grids)
    lengths = [shape_i(vectors[axes.index(k)], 0) for k in range(rank)]
    return tuple(broadcast_to(g, lengths) for g in grids)


def ix_(*args: Any) -> tuple[Any, ...]:
    """Vectors of positions, or masks, as an index of all their combinations: `x[ix_(rows, columns)]`.

    >>> x = as_variable([[1, 2, 3], [4, 5, 6]])
    >>> x[ix_([1, 0], [0, 2])].eval()
    array([[4, 6],
           [1, 3]])
    """
    found = []
    for k, x in enumerate(map(as_variable, args)):
        if x.type.ndim != 1:
            raise OpTypeError(f"ix_: wants vectors, got {x.type}")
        x = nonzero(x)[0] if x.type.dtype == "bool" else x
        if x.type.shape == (0,) and x.type.dtype not in INTEGERS:
            x = cast(x, "int64")
        found.append(_along(x, k, len(args)))
    return tuple(found)


def indices(dimensions: Any, dtype: Any = "int64", sparse: bool = False) -> Any:
    """For each axis of a tensor with these lengths the position on it: stacked along a new first axis.

    sparse: a tuple instead, of tensors that have length 1 along all axes but their own.

    >>> indices((2, 2)).eval().tolist()
    [[[0, 0], [1, 1]], [[0, 1], [0, 1]]]
    """
    lengths = as_dims(dimensions)
    rank = len(lengths)
    grids = [_along(cast(arange(n), dtype), k, rank) for k, n in enumerate(lengths)]
    if sparse:
        return tuple(grids)
    if not grids:
        raise ValueError("indices: wants at least one length")
    return stack([broadcast_to(g, lengths) for g in grids])


def tril_indices(n: Any, k: Any = 0, m: Any = None) -> tuple[Any, Any]:
    """(rows, columns) of the elements at and below the k-th diagonal of an n by m matrix.

    >>> [part.eval().tolist() for part in tril_indices(2)]
    [[0, 1, 1], [0, 0, 1]]
    """
    rows, columns = nonzero(tri(n, m, k, dtype="bool"))
    return rows, columns


def triu_indices(n: Any, k: Any = 0, m: Any = None) -> tuple[Any, Any]:
    """(rows, columns) of the elements at and above the k-th diagonal of an n by m matrix.

    >>> [part.eval().tolist() for part in triu_indices(2)]
    [[0, 0, 1], [0, 1, 1]]
    """
    rows, columns = nonzero(invert(tri(n, m, as_variable(k) - 1, dtype="bool")))
    return rows, columns


def tril_indices_from(arr: Any, k: Any = 0) -> tuple[Any, Any]:
    """`tril_indices` for a matrix.

    >>> [part.eval().tolist() for part in tril_indices_from([[1, 2], [3, 4]], -1)]
    [[1], [0]]
    """
    return tril_indices(*_of_matrix(arr, k, "tril_indices_from"))


def triu_indices_from(arr: Any, k: Any = 0) -> tuple[Any, Any]:
    """`triu_indices` for a matrix.

    >>> [part.eval().tolist() for part in triu_indices_from([[1, 2], [3, 4]], 1)]
    [[0], [1]]
    """
    return triu_indices(*_of_matrix(arr, k, "triu_indices_from"))


def _of_matrix(arr: Any, k: Any, what: str) -> tuple[Any, Any, Any]:
    x = as_variable(arr)
    if x.type.ndim != 2:
        raise ValueError(f"{what}: wants a matrix, got {x.type}")
    return shape_i(x, 0), k, shape_i(x, 1)


def diag_indices(n: Any, ndim: int = 2) -> tuple[Any, ...]:
    """The index of the main diagonal of a tensor whose axes have length n.

    >>> [part.eval().tolist() for part in diag_indices(3)]
    [[0, 1, 2], [0, 1, 2]]
    """
    return (arange(as_dim(n)),) * axis_count(ndim, "diag_indices")


def diagflat(v: Any, k: int = 0) -> Any:
    """The matrix with the elements of the flat v on its k-th diagonal.

    >>> diagflat([[1, 2]], 1).eval()
    array([[0, 1, 0],
           [0, 0, 2],
           [0, 0, 0]])
    """
    x = as_variable(v)
    return diag(flatten(x) if x.type.ndim else dimshuffle(x, ("x",)), k)


def vander(x: Any, N: Any = None, increasing: bool = False) -> Any:
    """The matrix of powers of the vector x: N columns, x^(N-1) to x^0, or the other way round; integers in 64 bits.

    N: by default the length of x.

    >>> vander([1, 2, 3], 3).eval()
    array([[1, 1, 1],
           [4, 2, 1],
           [9, 3, 1]])
    """
    x = as_variable(x)
    if x.type.ndim != 1:
        raise ValueError(f"vander: wants a vector, got {x.type}")
    count = as_dim(shape_i(x, 0) if N is None else N)
    exponents = arange(count) if increasing else count - 1 - arange(count)
    x = cast(x, "int64") if x.type.dtype == "bool" or (x.type.dtype in INTEGERS and x.type.dtype != "uint64") else x
    result = power(dimshuffle(x, (0, "x")), dimshuffle(exponents, ("x", 0)))
    return cast(result, x.type.dtype) if x.type.dtype != "uint64" else result
