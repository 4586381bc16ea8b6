"""Refusals name the function that the user called; the functions stay what they are."""

from __future__ import annotations

import inspect
import pickle
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import tensordsl
import tensordsl.tensor as T

X = T.dmatrix("x")
CALLS: dict[str, tuple[Callable[[], Any], str]] = {
    "a function by another": (lambda: T.mean(X, axis="rows"), "mean: an axis must be an integer"),
    "a flag that is an array": (lambda: T.argmin(X, keepdims=np.ones(2)), "argmin: The truth value of an array"),
    "a pattern of arrays": (
        lambda: T.TensorType("bool", broadcastable=[np.ones(2)]),
        "TensorType: broadcastable: a flag",
    ),
    "a shared pattern": (
        lambda: tensordsl.shared(1j, broadcastable=[np.ones((1, 2))]),
        "shared: broadcastable: a flag",
    ),
    "an order of arrays": (lambda: X.dimshuffle([np.ones(2)]), "dimshuffle: an axis must be an integer"),
    "a name that is a number": (lambda: T.vector(3), "vector: a name must be a string, got 3"),
    "a sum with a list": (lambda: tensordsl.shared([1, 2]) + 1, "a generic shared variable"),
    "an operator": (lambda: X + 2**70, "__add__: the integer"),
    "an index": (lambda: X[1, 2, 3], "__getitem__: too many indices"),
    "a method": (lambda: X.dimshuffle(7), "dimshuffle: "),
    "a row keeps its own name": (lambda: T.where(X, X, T.lvector() & 1.0), "and_: bitwise operations"),
    "a mean of bools": (lambda: -T.bvector().astype("bool"), "neg: "),
    "a function of nets": (lambda: T.nnet.relu(X, {}), "relu: "),
}


@pytest.mark.parametrize("what", CALLS)
def test_refusals_begin_with_the_function(what: str) -> None:
    call, text = CALLS[what]
    with pytest.raises((TypeError, ValueError, IndexError)) as caught:
        call()
    assert str(caught.value).startswith(text)


@pytest.mark.parametrize("function", [T.tanh, T.abs, T.nnet.softmax, T.extract_constant, T.sum])
def test_functions_can_be_pickled_and_looked_at(function: Any) -> None:
    assert pickle.loads(pickle.dumps(function)) is function
    assert ">>>" in function.__doc__ and inspect.signature(function).parameters
