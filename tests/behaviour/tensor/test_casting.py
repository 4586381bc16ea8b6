"""The dtype rules: every pair of dtypes, every kind of literal, and what `casting` refuses."""

from __future__ import annotations

import operator
from typing import Any

import numpy as np
import pytest

import tensordsl.tensor as T
from tensordsl.config import config
from tensordsl.graph import casting
from tensordsl.types import DISCRETE, DTYPES, FLOATS, SIGNED

# Promotion written out: rows and columns in the order of DTYPES.
B, I8, I16, I32, I64 = "bool", "int8", "int16", "int32", "int64"
U8, U16, U32, U64, H, F, D = "uint8", "uint16", "uint32", "uint64", "float16", "float32", "float64"
ORDER = (B, I8, I16, I32, I64, U8, U16, U32, U64, H, F, D)
PROMOTED = {
    B: ORDER,
    I8: (I8, I8, I16, I32, I64, I16, I32, I64, D, H, F, D),
    I16: (I16, I16, I16, I32, I64, I16, I32, I64, D, F, F, D),
    I32: (I32, I32, I32, I32, I64, I32, I32, I64, D, D, D, D),
    I64: (I64, I64, I64, I64, I64, I64, I64, I64, D, D, D, D),
    U8: (U8, I16, I16, I32, I64, U8, U16, U32, U64, H, F, D),
    U16: (U16, I32, I32, I32, I64, U16, U16, U32, U64, F, F, D),
    U32: (U32, I64, I64, I64, I64, U32, U32, U32, U64, D, D, D),
    U64: (U64, D, D, D, D, U64, U64, U64, U64, D, D, D),
    H: (H, H, F, D, D, H, F, D, D, H, F, D),
    F: (F, F, F, D, D, F, F, D, D, F, F, D),
    D: (D,) * 12,
}


def test_promotion_of_every_pair() -> None:
    assert ORDER == DTYPES
    for x in DTYPES:
        for y, want in zip(DTYPES, PROMOTED[x], strict=True):
            assert casting.upcast(x, y) == want == casting.upcast(y, x)
            assert T.add(T.vector(dtype=x), T.vector(dtype=y)).dtype == want
            assert T.switch(T.bscalar(), T.vector(dtype=x), T.vector(dtype=y)).dtype == want
            assert T.dot(T.vector(dtype=x), T.vector(dtype=y)).dtype == want
            assert T.concatenate([T.vector(dtype=x), T.vector(dtype=y)]).dtype == want


def test_division_of_every_pair() -> None:
    for floatx in FLOATS:
        with config.change_flags(floatX=floatx):
            for x in DTYPES:
                for y in DTYPES:
                    both_discrete = x in DISCRETE and y in DISCRETE
                    want = floatx if both_discrete else casting.upcast(x, y)
                    assert (T.vector(dtype=x) / T.vector(dtype=y)).dtype == want


# Measured on Theano 1.0.5.
@pytest.mark.parametrize(
    ("dtype", "literal", "want", "want32"),
    [
        (I8, 1, I8, I8), (I8, 300, I16, I16), (I8, 2**31, I64, I64), (U8, 1, I16, I16), (B, 1, I8, I8),
        (F, 1, F, F), (F, 1.5, F, F), (F, 1.1, D, F), (I8, 1.5, F, F), (I32, 1.5, D, D), (I8, 1.1, D, F),
        (D, 1.5, D, D), (F, np.float64(1.5), D, D), (F, np.float32(1.1), F, F), (F, np.int32(1), D, D),
        (I8, True, I8, I8), (F, float("nan"), F, F), (F, float("inf"), F, F), (F, 1e300, D, F),
    ],
)  # fmt: skip
def test_literals_take_the_smallest_dtype_of_their_value(dtype: str, literal: Any, want: str, want32: str) -> None:
    x = T.vector(dtype=dtype)
    for floatx, wanted in (("float64", want), ("float32", want32)):
        with config.change_flags(floatX=floatx):
            assert (x + literal).dtype == (literal + x).dtype == wanted


# theano.scalar.basic.NumericAutoCaster: float16 is tried only where it is floatX, and then taken.
def test_literals_are_float16_only_where_floatx_is() -> None:
    x, y = T.vector(dtype=H), T.vector(dtype=I8)
    assert (x + 1).dtype == (x * True).dtype == H and (x + 1.5).dtype == F and (x + 1.1).dtype == D
    with config.change_flags(floatX=H):
        assert T.vector().dtype == T.constant(1.1).dtype == (x + 1.1).dtype == (y * 2.5).dtype == (y / y).dtype == H
        assert (T.fvector() + 1.1).dtype == F and (x + 70000).dtype == D


@pytest.mark.parametrize(
    ("value", "want"),
    [
        (0, I8), (127, I8), (128, I16), (-128, I8), (-129, I16), (2**15, I32), (2**31 - 1, I32), (2**31, I64),
        (-(2**63), I64), (2**63, U64), (2**64 - 1, U64), (True, B), (1.0, F), (0.1, D), ([1, 2], I64), ([1.0], D),
        ([], D), (np.zeros(0, "int8"), I8), (np.array(1.5), D), (np.arange(3, dtype=">i4"), I32), ([True], B),
    ],
)  # fmt: skip
def test_dtypes_of_constants(value: Any, want: str) -> None:
    constant = T.constant(value)
    assert constant.dtype == str(constant.data.dtype) == want
    assert constant.data.dtype.isnative
    np.testing.assert_array_equal(constant.data, value)
    assert not constant.data.flags.writeable


def test_what_is_no_tensor() -> None:
    for wrong in ("text", None, object(), [None], np.zeros(2, "M8[s]"), {}, lambda: 0):
        with pytest.raises(TypeError, match="cannot make a tensor of"):
            T.as_tensor_variable(wrong)
    for large in (2**64, -(2**63) - 1):
        with pytest.raises(OverflowError):
            T.constant(large)
    with pytest.raises(OverflowError, match="does not fit int8"):
        T.constant(300, dtype="int8")
    with pytest.raises(TypeError, match="unsupported dtype 'complex256'"):
        T.constant(1, dtype="complex256")
    with pytest.raises(TypeError, match="unsupported dtype"):
        T.scalar().astype("longdouble")


def test_a_constant_is_a_private_copy() -> None:
    data = np.zeros(3)
    constant = T.constant(data)
    data[0] = 1
    assert constant.data[0] == 0 and data.flags.writeable


def test_the_tables_are_total() -> None:
    for t in DTYPES:
        assert casting.float_of(t) in FLOATS
        assert casting.sum_dtype(t) == (t if t in FLOATS else "int64" if t in (*SIGNED, "bool") else "uint64")
        assert casting.accumulator(t) == {"float16": "float32", "float32": "float64"}.get(t, t)


def test_what_a_sum_is_accumulated_in_must_hold_the_elements() -> None:
    """Theano's rule: a float holds every integer, else promotion decides."""
    for t in DTYPES:
        for acc in DTYPES:
            is_wide = casting.upcast(t, acc) == acc or (acc in FLOATS and t not in FLOATS)
            for function in (T.sum, T.prod):
                if is_wide:
                    assert function(T.vector(dtype=t), acc_dtype=acc).dtype == casting.sum_dtype(t)
                else:
                    with pytest.raises(TypeError, match="precision would be lost"):
                        function(T.vector(dtype=t), acc_dtype=acc)


@pytest.mark.parametrize("op", [operator.lt, operator.le, operator.gt, operator.ge, T.eq, T.neq])
def test_comparisons_are_bool(op: Any) -> None:
    assert op(T.fvector(), T.lvector()).dtype == "bool"


def test_cast_to_the_same_dtype_is_no_op() -> None:
    x = T.dvector()
    assert x.astype("float64") is x and T.cast(x, "floatX") is x
    assert T.cast(x, np.int32).dtype == "int32"
    with config.change_flags(floatX="float32"):
        assert T.cast(x, "floatX").dtype == "float32"
