"""Expressions as functions of variables."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pytest

import tensordsl as theano
import tensordsl.tensor as T
from tensordsl import OpFromGraph


@pytest.mark.parametrize("mode", ["FAST_RUN", "REFERENCE", "DebugMode"])
def test_the_operands_take_the_places_of_the_inputs(mode: str) -> None:
    x, y, z = T.vectors("x", "y", "z")
    inner = OpFromGraph([x, y], [x + y * 2, T.sum(x)])
    total, first = inner(z, inner(z, z)[0])
    f = theano.function([z], [total, first, T.grad(T.sum(total), z)], mode=mode)
    found = f([1, 2])
    assert [v.tolist() for v in found] == [[7.0, 14.0], 3.0, [7.0, 7.0]]


def test_one_output_comes_alone_and_shared_variables_may_occur() -> None:
    x, w = T.scalar("x"), theano.shared(3.0)
    inner = OpFromGraph([x], [x * w], inline=True)
    f = theano.function([x], inner(inner(x)))
    assert float(f(2)) == 18.0
    w.set_value(1.0)
    assert float(f(2)) == 2.0
    assert float(pickle.loads(pickle.dumps(f))(2)) == 2.0


@pytest.mark.parametrize("mode", ["FAST_RUN", "REFERENCE"])
def test_a_gradient_can_be_overridden(mode: str) -> None:
    x, y = T.vectors("x", "y")
    straight = OpFromGraph([x], [T.round(x)], grad_overrides=lambda inputs, g: [g[0] * 10])
    f = theano.function([x], [straight(x), T.grad(T.sum(straight(x) * 3), x)], mode=mode)
    assert [v.tolist() for v in f([1.2, 2.7])] == [[1.0, 3.0], [30.0, 30.0]]
    partly = OpFromGraph([x, y], [x * y], lop_overrides=[None, lambda inputs, outputs, g: outputs[0] * 0 + 7])
    gx, gy = T.grad(T.sum(partly(x, y)), [x, y])
    found = theano.function([x, y], [gx, gy], mode=mode)([1, 2], [3, 4])
    assert [v.tolist() for v in found] == [[3.0, 4.0], [7.0, 7.0]]


def test_two_overridden_ops_are_not_taken_for_one_another() -> None:
    x = T.scalar("x")
    one, two = (OpFromGraph([x], [x * k], grad_overrides=lambda inputs, g: [g[0]]) for k in (1, 2))
    assert [float(theano.function([x], op(x))(5)) for op in (one, two)] == [5.0, 10.0]


def test_an_override_may_be_another_opfromgraph_and_default_is_the_contents_own() -> None:
    x, y = T.vectors("x", "y")
    slope = OpFromGraph([x, y], [x * y * 100])  # of an input and the gradient of the output
    square = OpFromGraph([x], [x**2], grad_overrides=slope)
    assert theano.function([x], T.grad(square(x).sum(), x))([1, 2]).tolist() == [100, 200]
    default = OpFromGraph([x, y], [x * y], lop_overrides="default")
    assert theano.function([x, y], T.grad(default(x, y).sum(), x))([1, 2], [3, 4]).tolist() == [3, 4]
    partly = OpFromGraph([x, y], [x * y], grad_overrides=["default", theano.gradient.DisconnectedType()()])
    assert theano.function([x, y], T.grad(partly(x, y).sum(), x))([1, 2], [3, 4]).tolist() == [3, 4]
    with pytest.raises(theano.gradient.DisconnectedInputError):
        T.grad(partly(x, y).sum(), y)


@pytest.mark.parametrize("mode", ["FAST_RUN", "REFERENCE"])
def test_tangents_can_be_overridden(mode: str) -> None:
    x, y = T.vectors("x", "y")
    square = OpFromGraph([x], [x**2], rop_overrides=lambda inputs, points: [inputs[0] * points[0] * 1000])
    wanted = [square(x), T.grad(square(x).sum(), x), T.Rop(square(x * 1), x, T.ones_like(x))]
    found = theano.function([x], wanted, mode=mode)([1, 2])
    assert [v.tolist() for v in found] == [[1, 4], [2, 4], [1000, 2000]]
    two = OpFromGraph(
        [x, y], [x * y, x + y], rop_overrides=["default", lambda inputs, points: points[0] * 5 + points[1]]
    )
    both = T.Rop(two(x, y), [x, y], [T.ones_like(x), T.ones_like(y)])
    assert [v.tolist() for v in theano.function([x, y], both, mode=mode)([1, 2], [3, 4])] == [[4, 6], [6, 6]]
    fixed = T.Rop(two(x, y)[1], x, T.ones_like(x))  # y does not vary
    assert theano.function([x, y], fixed, mode=mode)([1, 2], [3, 4]).tolist() == [5, 5]


def test_the_pattern_of_connections() -> None:
    x, y = T.vectors("x", "y")
    product = OpFromGraph([x, y], [x * y], connection_pattern=[[True], [False]])
    assert theano.function([x, y], T.grad(product(x, y).sum(), x))([1, 2], [3, 4]).tolist() == [3, 4]
    with pytest.raises(theano.gradient.DisconnectedInputError):
        T.grad(product(x, y).sum(), y)
    with pytest.raises(ValueError, match="connection_pattern must have 2 rows of 1 booleans"):
        OpFromGraph([x, y], [x * y], connection_pattern=[[True]])


def _twice(inputs: Any, gradients: Any) -> Any:
    return [gradients[0] * 2]


def test_expressions_with_overrides_can_be_pickled() -> None:
    x = T.vector("x")
    out = OpFromGraph([x], [x * 3], grad_overrides=_twice)(x)
    f = pickle.loads(pickle.dumps(theano.function([x], [out, T.grad(out.sum(), x)])))
    assert [v.tolist() for v in f([1])] == [[3], [2]]


@pytest.mark.parametrize(
    "make, error, message",
    [
        (lambda x: OpFromGraph(x, [x]), TypeError, "must be lists"),
        (lambda x: OpFromGraph([x * 2], [x]), TypeError, "without owner"),
        (lambda x: OpFromGraph([x], [x + T.vector("other")]), ValueError, "need other, which is no input"),
        (lambda x: OpFromGraph([x], [x], lop_override=[None]), TypeError, "unknown argument 'lop_override'"),
        (lambda x: OpFromGraph([x], [x * theano.shared(1.0)], strict=True), ValueError, "which is no input of it"),
        (lambda x: OpFromGraph([x], [x], mode="FAST_RUN")(x, x), TypeError, "takes 1 operands, got 2"),
        (lambda x: OpFromGraph([x], [x])(x, x), TypeError, "takes 1 operands, got 2"),
        (lambda x: OpFromGraph([x], [x])(T.matrix("m")), TypeError, "cannot replace x"),
        (lambda x: OpFromGraph([x], [x], grad_overrides=[], lop_overrides=[]), ValueError, "mutually exclusive"),
    ],
)
def test_mistakes_are_refused(make: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        make(T.vector("x"))


def test_a_number_becomes_a_constant_of_the_inputs_type() -> None:
    x, y = T.scalars("x", "y")
    assert np.isclose(float(OpFromGraph([x, y], [x / y])(1, 4).eval()), 0.25)
