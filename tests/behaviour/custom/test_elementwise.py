"""Elementwise operations of users: a name and a derivative for an expression."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pytest

import tensordsl
import tensordsl.tensor as T
from tensordsl import elementwise


def softabs(x: Any) -> Any:
    """A smooth absolute value."""
    return T.sqrt(x**2 + 1)


def slope(x: Any) -> Any:
    return x / T.sqrt(x**2 + 1)


@pytest.mark.parametrize("mode", ["FAST_RUN", "REFERENCE", "DebugMode"])
def test_values_and_gradients(mode: str) -> None:
    m = T.matrix("m")
    own = elementwise(softabs, derivative=slope)
    first = T.grad(own(m).sum(), m)
    f = tensordsl.function([m], [own(m), first, T.grad(first.sum(), m)], mode=mode)
    given = np.array([[0.5, -1, 2]])
    root = np.sqrt(given**2 + 1)
    for found, wanted in zip(f(given), (root, given / root, root**-3), strict=True):
        np.testing.assert_allclose(found, wanted, rtol=1e-14)
    assert tensordsl.pp(own(m)) == "softabs(m)" and own.__doc__ == "A smooth absolute value."


def test_the_derivative_is_the_users() -> None:
    x, y = T.vectors("x", "y")
    straight = elementwise(T.round, name="straight", derivative=lambda x: T.ones_like(x))
    assert tensordsl.function([x], T.grad((3 * straight(x)).sum(), x))([1.2, 2.7]).tolist() == [3, 3]
    scale = elementwise(lambda a, b: a * b, derivative=lambda a, b: [b, None])
    assert tensordsl.function([x, y], T.grad(scale(x, y).sum(), x))([1, 2], [3, 4]).tolist() == [3, 4]
    with pytest.raises(tensordsl.gradient.DisconnectedInputError):
        T.grad(scale(x, y).sum(), y)
    plain = elementwise(lambda a, b: a * b)
    assert tensordsl.function([x, y], T.grad(plain(x, y).sum(), y))([1, 2], [3, 4]).tolist() == [1, 2]


def test_operands_broadcast_and_their_dtypes_count() -> None:
    row, column = T.row("r"), T.fcol("c")
    add = elementwise(lambda a, b: a + 2 * b, derivative=lambda a, b: [1.0, 2.0])
    out = add(row, column)
    f = tensordsl.function([row, column], [out, *T.grad(out.sum(), [row, column])])
    values, g, h = f([[1, 2]], np.ones((3, 1), "float32"))
    assert values.tolist() == [[3, 4]] * 3 and g.tolist() == [[3, 3]] and h.tolist() == [[4]] * 3
    assert out.dtype == "float64" and add(T.fvector(), T.fvector()).dtype == "float32"


def test_one_within_another_and_in_loops() -> None:
    x = T.vector("x")
    inner = elementwise(softabs, derivative=slope)
    outer = elementwise(lambda a: inner(a) + T.nnet.sigmoid(a))
    outs, _ = tensordsl.scan(lambda s, acc: outer(acc) * s, sequences=x, outputs_info=T.constant(np.float64(0.5)))
    found = tensordsl.function([x], [outs[-1], T.grad(outs[-1], x)])([1.0, 2.0])
    acc = 0.5
    for s in (1.0, 2.0):
        acc = (np.sqrt(acc**2 + 1) + 1 / (1 + np.exp(-acc))) * s
    assert np.isclose(found[0], acc) and np.isclose(found[1][1], acc / 2)


def test_pickles() -> None:
    x = T.vector("x")
    f = tensordsl.function([x], elementwise(softabs, derivative=slope)(x))
    assert pickle.loads(pickle.dumps(f))([0.0]).tolist() == [1]


@pytest.mark.parametrize(
    "make, error, words",
    [
        (lambda x: elementwise(3), TypeError, "the function must be a function, got 3"),
        (lambda x: elementwise(softabs, derivative=3), TypeError, "the derivative must be a function, got 3"),
        (lambda x: elementwise(lambda a: 3)(x), TypeError, "must give a variable, got 3"),
        (lambda x: elementwise(lambda a: T.sum(a))(x), TypeError, "must be of elementwise operations, got sum"),
        (
            lambda x: T.grad(elementwise(lambda a: a, derivative=lambda a: [1, 2])(x).sum(), x), ValueError,
            "2 derivatives for 1 operands",
        ),
    ],
)  # fmt: skip
def test_what_is_refused(make: Any, error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        make(T.vector("x"))
