"""Sparse matrices: those whose places are known before the call are their entries; all others are objects.

Contract  `entries(held)` -> `Entries`: constant rows and columns, and the numbers there as a vector of ours.
When      constants, and `CSM` of constant places; else SciPy does the operation, in a step.
Why       a product with such a matrix is a gather, a product and a scattered sum, which fuse with what is around them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from tensordsl.graph.variables import Constant
from tensordsl.ops.control import require
from tensordsl.pytensor.conversion import Conversion, Missing, T, as_dtype, converts, is_array
from tensordsl.pytensor.objects import Held


class Entries(Held):
    """A sparse matrix of known places: data[k] stands at (rows[k], columns[k]).

    places: `indices` and `indptr` of SciPy's matrix; made: gives the number of such a matrix, for steps."""

    def __init__(self, data: Any, places: tuple[Any, Any], shape: tuple[int, ...], format: str, made: Any) -> None:
        super().__init__(made=made)
        self.data, self.places, self.shape, self.format = data, places, shape, format
        indices, pointers = (np.asarray(v, "int64") for v in places)
        lines = np.repeat(np.arange(len(pointers) - 1), np.diff(pointers))
        self.rows: np.ndarray = lines if format == "csr" else indices
        self.columns: np.ndarray = indices if format == "csr" else lines


def entries(held: Any) -> Entries:
    """Raises Missing for a matrix whose places only the call tells."""
    if isinstance(held, Entries):
        return held
    value: Any = held.value if isinstance(held, Held) and held.is_known else None
    if getattr(value, "format", None) not in ("csr", "csc"):
        raise Missing
    data = T.constant(np.array(value.data))
    return Entries(data, (value.indices, value.indptr), value.shape, value.format, made=None)


def _known(v: Any) -> np.ndarray:
    if not isinstance(v, Constant):
        raise Missing
    return np.asarray(v.data)


@converts("sparse.CSM")
def _compressed(c: Conversion, node: Any, inputs: list[Any]) -> Any:
    data, *rest = inputs
    indices, pointers, shape = map(_known, rest)
    kind = node.outputs[0].type
    is_row = kind.format == "csr"
    fits = shape.size == 2 and len(pointers) == shape[0 if is_row else 1] + 1 and pointers[0] == 0
    if not fits or len(indices) != pointers[-1] or np.any(np.diff(pointers) < 0):
        raise Missing  # SciPy says what is wrong
    if len(indices) and not 0 <= indices.min() <= indices.max() < shape[1 if is_row else 0]:
        raise ValueError(f"tensordsl.pytensor: CSM: the constant indices do not fit the shape {tuple(shape)}")
    data = require(data, T.eq(data.shape[0], len(indices)), "CSM: data and indices have different lengths")
    size = tuple(map(int, shape))
    return Entries(data, (indices, pointers), size, kind.format, lambda: c.by_python(node, inputs)[0].token)


@converts("sparse.CSMProperties")
def _parts(c: Conversion, node: Any, inputs: list[Any]) -> Any:
    matrix = entries(inputs[0])
    kinds = [v.type.dtype for v in node.outputs[1:]]
    constants = (*matrix.places, matrix.shape)
    return [matrix.data, *(T.constant(np.asarray(v, k)) for v, k in zip(constants, kinds, strict=True))]


@converts("sparse.Transpose")
def _transposed(c: Conversion, node: Any, inputs: list[Any]) -> Any:
    x = entries(inputs[0])
    made = lambda: c.by_python(node, inputs)[0].token  # noqa: E731
    return Entries(x.data, x.places, x.shape[::-1], {"csr": "csc", "csc": "csr"}[x.format], made)


@converts("sparse.DenseFromSparse")
def _dense(c: Conversion, node: Any, inputs: list[Any]) -> Any:
    x = entries(inputs[0])
    return T.inc_subtensor(T.zeros(x.shape, dtype=x.data.dtype)[x.rows, x.columns], x.data)


@converts("sparse.SpSum")
def _sum(c: Conversion, node: Any, inputs: list[Any]) -> Any:
    x, axis = entries(inputs[0]), node.op.axis
    if axis is None:
        return T.sum(x.data)
    kept, places = (1, x.columns) if axis == 0 else (0, x.rows)
    return T.inc_subtensor(T.zeros((x.shape[kept],), dtype=x.data.dtype)[places], x.data)


@converts("sparse.StructuredDot", "sparse.Dot")
def _product(c: Conversion, node: Any, inputs: list[Any]) -> Any:
    a, b = inputs
    kind = node.outputs[0].type
    if not is_array(kind):
        raise Missing
    if isinstance(a, Held) and isinstance(b, Held):
        raise Missing
    if isinstance(a, Held):
        x = entries(a)
        return _times(x.rows, x.columns, x.data, x.shape, b, kind.dtype)
    y = entries(b)
    found = _times(y.columns, y.rows, y.data, y.shape[::-1], a.T, kind.dtype)
    return found.T


def _times(rows: Any, columns: Any, data: Any, shape: Any, dense: Any, dtype: str) -> Any:
    """A sparse matrix times a dense vector or matrix."""
    dense = require(dense, T.eq(dense.shape[0], shape[1]), f"a sparse matrix of shape {shape}: dimension mismatch")
    taken = as_dtype(dense, dtype)[columns]
    numbers = as_dtype(data, dtype)
    terms = taken * (numbers if dense.ndim == 1 else numbers[:, None])
    size = (shape[0],) if dense.ndim == 1 else (shape[0], dense.shape[1])
    return T.inc_subtensor(T.zeros(size, dtype=dtype)[rows], terms)


def _gradient(by_row: bool) -> Callable[[Conversion, Any, list[Any]], Any]:
    def convert(c: Conversion, node: Any, inputs: list[Any]) -> Any:
        """Of the numbers of a in a @ b: products of rows of the gradient and of b."""
        indices, pointers, b, g = inputs
        if isinstance(b, Held) or isinstance(g, Held) or b.ndim != 2:
            raise Missing
        places, pointers = _known(indices).astype("int64"), _known(pointers)
        lines = np.repeat(np.arange(len(pointers) - 1), np.diff(pointers))
        rows, columns = (lines, places) if by_row else (places, lines)
        dtype = node.outputs[0].type.dtype
        return T.sum(as_dtype(g, dtype)[rows] * as_dtype(b, dtype)[columns], axis=1)

    return convert


converts("sparse.StructuredDotGradCSR")(_gradient(by_row=True))
converts("sparse.StructuredDotGradCSC")(_gradient(by_row=False))


@converts("sparse.CSMGrad")
def _compressed_gradient(c: Conversion, node: Any, inputs: list[Any]) -> Any:
    """Of one pattern, each place once, the gradient's numbers are what is asked for."""
    places, other = ([_known(v) for v in part] for part in (inputs[1:3], inputs[5:7]))
    if not all(map(np.array_equal, places, other)):
        raise Missing
    indices, pointers = places
    lines = np.repeat(np.arange(len(pointers) - 1), np.diff(pointers))
    if len(set(zip(lines.tolist(), indices.tolist(), strict=True))) < len(indices):
        raise Missing
    return inputs[4]


@converts("sparse.MultiplySparseDense", "sparse.SparseDenseMultiply")
def _scaled(c: Conversion, node: Any, inputs: list[Any]) -> Any:
    held, dense = inputs
    x = entries(held)
    if isinstance(dense, Held) or dense.ndim not in (0, 2) or any(dense.broadcastable):
        raise Missing
    made = lambda: c.by_python(node, inputs)[0].token  # noqa: E731
    dtype = node.outputs[0].type.dtype
    if dense.ndim == 2:
        same = T.eq(dense.shape[0], x.shape[0]) & T.eq(dense.shape[1], x.shape[1])
        dense = require(dense, same, f"a sparse matrix of shape {x.shape} times a dense one: the shapes differ")
        dense = dense[x.rows, x.columns]
    numbers = as_dtype(x.data, dtype) * as_dtype(dense, dtype)
    return Entries(numbers, x.places, x.shape, x.format, made)
