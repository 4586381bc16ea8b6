"""Theano's scalar operations of one's own, and expressions of scalars as one operation."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import tensordsl as theano
import tensordsl.tensor as T
from tensordsl import scalar
from tensordsl.scalar import BinaryScalarOp, Composite, UnaryScalarOp, same_out, upcast_out, upgrade_to_float


class Square(UnaryScalarOp):
    nfunc_spec = ("numpy.square", 1, 1)

    def impl(self, x: Any) -> Any:
        return x * x

    def grad(self, inputs: Any, gradients: Any) -> Any:
        (x,), (gz,) = inputs, gradients
        return (gz * 2 * x,)

    def c_code(self, *_: Any) -> str:
        return ""


class AddTwice(BinaryScalarOp):
    def impl(self, x: Any, y: Any) -> Any:
        return x + 2 * y

    def grad(self, inputs: Any, gradients: Any) -> Any:
        return gradients[0], 2 * gradients[0]


@pytest.mark.parametrize("mode", ["FAST_RUN", "REFERENCE", "DebugMode"])
def test_a_function_of_a_number(mode: str) -> None:
    m = T.dmatrix("m")
    square = T.Elemwise(Square(upgrade_to_float, name="square"))
    f = theano.function([m], [square(m), T.grad(square(m).sum(), m), square(m).shape], mode=mode)
    assert [r.tolist() for r in f([[1, 3]])] == [[[1, 9]], [[2, 6]], [1, 2]]
    assert str(Square(name="square")) == "square" and Square(same_out) == Square(same_out)


def test_the_dtype_of_the_result() -> None:
    for preference, dtypes in (
        (upgrade_to_float, ("float32", "float64")),
        (same_out, ("int8", "int32")),
        (upcast_out, ("int8", "int32")),
    ):
        op = T.Elemwise(Square(preference))
        assert (op(T.bvector()).dtype, op(T.ivector()).dtype) == dtypes
    assert AddTwice()(T.bvector(), T.fvector()).dtype == "float32"


def test_operands_broadcast() -> None:
    m, row, s = T.dmatrix("m"), T.drow("row"), T.dscalar("s")
    add = T.Elemwise(AddTwice(name="add"))
    out = add(m, row)
    f = theano.function([m, row], [out, *T.grad(out.sum(), [m, row]), out.shape])
    values, g, h, shape = f(np.ones((3, 2)), np.ones((1, 2)))
    assert values.tolist() == [[3, 3]] * 3 and g.tolist() == [[1, 1]] * 3 and h.tolist() == [[6, 6]]
    assert shape.tolist() == [3, 2]
    assert theano.function([m, s], T.grad(add(m, s).sum(), s))(np.ones((3, 2)), 1) == 12
    with pytest.raises(ValueError, match="wants 2 operands, got 1"):
        add(m)


@pytest.mark.parametrize("mode", ["FAST_RUN", "REFERENCE"])
def test_an_expression(mode: str) -> None:
    a, b = scalar.float64("a"), scalar.float64("b")
    product = T.Elemwise(Composite([a, b], [a * b + a]))
    x, y = T.dvectors("x", "y")
    f = theano.function([x, y], [product(x, y), T.grad(product(x, y).sum(), x)], mode=mode)
    assert [r.tolist() for r in f([1, 2], [3, 4])] == [[4, 10], [4, 5]]
    with pytest.raises(NotImplementedError, match="of one output, got 2"):
        Composite([a], [a, a])


def test_c_code_alone_is_refused() -> None:
    class Code(UnaryScalarOp):
        def c_code(self, *_: Any) -> str:
            return ""

    with pytest.raises(NotImplementedError, match="define impl, a function of numbers"):
        T.Elemwise(Code())(T.dvector())
