"""Scalars whose value is certain when the graph is built: what Theano 1.0.5 knows, and more."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import tensordsl
import tensordsl.tensor as T

C = T.constant
column, matrix, vector, scalar = T.dcol("column"), T.dmatrix("matrix"), T.dvector("vector"), T.dscalar("scalar")
flat = T.TensorType("float64", (False, True, True, True))("flat")

# (name, what is asked about, its value and dtype as Theano gives them)
KNOWN: list[tuple[str, Any, Any, str]] = [
    ("sums of products", lambda: C(2) * 3 + 1, 7, "int8"), ("a cast", lambda: T.cast(C(2), "float32"), 2, "float32"),
    ("a cast to integers", lambda: T.cast(C(1.7), "int32"), 1, "int32"), ("a difference", lambda: C(5) - 2, 3, "int8"),
    ("a quotient", lambda: C(5) / 2, 2.5, "float64"), ("a floor", lambda: C(5) // 2, 2, "int8"),
    ("a remainder", lambda: C(5) % 3, 2, "int8"), ("wrapping", lambda: C(100) * 3, 44, "int8"),
    ("the larger one", lambda: T.maximum(2, C(3)), 3, "int8"), ("the smaller one", lambda: T.minimum(C(2), 3), 2, "int8"),
    ("a choice", lambda: T.switch(1, C(2), 3), 2, "int8"), ("a comparison", lambda: T.ge(2, 1), True, "bool"),
    ("equality", lambda: T.eq(C(2), 2), True, "bool"), ("an element", lambda: C([1, 2, 3])[1], 2, "int64"),
    ("the last element", lambda: C([1, 2, 3])[-1], 3, "int64"), ("an element of rows", lambda: C([[1, 2], [3, 4]])[0, 1], 2, "int64"),
    ("an element at a constant", lambda: C([1, 2, 3])[C(1)], 2, "int64"),
    ("an element of a stack", lambda: T.stack([C(1), C(2)])[1], 2, "int8"),
    ("a known element beside others", lambda: T.stack([scalar, C(2)])[1], 2, "float64"),
    ("an element of joined ones", lambda: T.join(0, [1, 2], [3])[2], 3, "int64"),
    ("a length of 1", lambda: column.shape[1], 1, "int64"), ("behind a transposition", lambda: column.T.shape[0], 1, "int64"),
    ("of a product", lambda: T.dot(matrix, column).shape[1], 1, "int64"), ("of what is flat", lambda: flat.flatten(2).shape[1], 1, "int64"),
    ("of what is computed", lambda: (column * 2).shape[1], 1, "int64"), ("of a sum", lambda: column.sum(axis=0).shape[0], 1, "int64"),
    ("of a sum that keeps its axes", lambda: matrix.sum(axis=1, keepdims=True).shape[1], 1, "int64"),
    ("of a reshaped one", lambda: vector.reshape((3, 1)).shape[1], 1, "int64"),
    ("a filled tensor", lambda: T.fill(vector, 3), 3, "int8"), ("zeros like others", lambda: T.zeros_like(vector), 0, "float64"),
    ("a number", lambda: 3, 3, "int64"), ("an array", lambda: np.array(3), 3, "int64"), ("nan", lambda: C(float("nan")), np.nan, "float64"),
    ("what is asserted", lambda: tensordsl.tensor.opt.assert_(C(3), C(True)), 3, "int8"),
    ("equal elements", lambda: C([2, 2]), 2, "int64"), ("through axes", lambda: C(3).dimshuffle("x"), 3, "int8"),
    # Theano does not know these.
    ("a root", lambda: T.sqrt(C(4.0)), 2, "float32"), ("a length", lambda: C(np.zeros((3, 4))).shape[0], 3, "int64"),
    ("a size", lambda: C(np.zeros((3, 4))).size, 12, "int64"), ("an inner product", lambda: T.dot(C([1, 2]), C([3, 4])), 11, "int64"),
    ("a length that was declared", lambda: T.specify_shape(vector, (3,)).shape[0], 3, "int64"),
]  # fmt: skip


@pytest.mark.parametrize("name, build, value, dtype", KNOWN, ids=[row[0] for row in KNOWN])
def test_what_is_known(name: str, build: Any, value: Any, dtype: str) -> None:
    for ask in (T.get_scalar_constant_value, tensordsl.get_scalar_constant_value, T.extract_constant):
        known = ask(build())
        np.testing.assert_equal(known, value)
        if name != "nan":
            assert known.dtype == dtype


@pytest.mark.parametrize(
    "build",
    [
        lambda: scalar, lambda: vector, lambda: vector[0], lambda: scalar - scalar, lambda: matrix.shape[0],
        lambda: tensordsl.shared(3), lambda: C([1, 2]), lambda: T.switch(C(0), scalar, 3) + scalar, lambda: None,
        lambda: "a", lambda: C([1, 2])[C(5) + 0], lambda: tensordsl.tensor.opt.assert_(C(3), C(False)),
        lambda: T.dot(C(np.zeros((99, 99))), C(np.zeros((99, 99)))).sum(),
    ],
)  # fmt: skip
def test_what_is_not_known(build: Any) -> None:
    with pytest.raises(T.NotScalarConstantError):
        T.get_scalar_constant_value(build())


def test_no_elements_and_other_options() -> None:
    with pytest.raises(T.EmptyConstantError):
        T.get_scalar_constant_value(C([]))
    assert issubclass(T.NotScalarConstantError, ValueError)
    assert T.extract_constant(scalar) is scalar
    for options in ({"elemwise": False}, {"only_process_constants": True}):
        with pytest.raises(T.NotScalarConstantError):
            T.get_scalar_constant_value(C(2) + 1, **options)
        assert T.get_scalar_constant_value(C(2), **options) == 2
    assert T.get_scalar_constant_value(T.fill(vector, 3), elemwise=False) == 3


def test_a_deep_expression_needs_no_recursion() -> None:
    total = C(0, dtype="int64")
    for _ in range(3000):
        total = total + 1
    assert T.get_scalar_constant_value(total) == 3000
