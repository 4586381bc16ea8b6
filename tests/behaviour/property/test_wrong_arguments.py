"""Wrong arguments for every public function: each call gives a result or a refusal with a message."""

from __future__ import annotations

import random
import warnings
from typing import Any

import numpy as np
import pytest
import wrong_arguments
from hypothesis import given, settings
from hypothesis import strategies as st

import tensordsl
import tensordsl.tensor as T

# Calls that were once answered by another exception, or not at all: what they asked for.
ONCE_WRONG: dict[str, tuple[Any, type[Exception], str]] = {
    "a cyclic graph": (lambda: T.sum(wrong_arguments.cyclic()).eval(), ValueError, "the graph has a cycle"),
    "a clone of a cyclic graph": (lambda: tensordsl.clone(wrong_arguments.cyclic()), ValueError, "has a cycle"),
    "a clone of numbers": (lambda: tensordsl.clone([1, 2]), TypeError, "wants symbolic variables, got 1"),
    "many axes": (lambda: T.as_tensor_variable([1], ndim=2**45), ValueError, "0 to 32 axes"),
    "very many differences": (lambda: T.diff([1], 2**45), ValueError, "diff: the order must not be negative, nor above"),
    "a tensordot over many axes": (lambda: T.tensordot([1], [1], 2**63), ValueError, "0 to 32 axes"),
    "an integer beyond 64 bits": (lambda: T.vector() + 2**70, ValueError, "fits no dtype"),
    "a length beyond 64 bits": (lambda: T.ones(-(2**70)), ValueError, "does not fit int64"),
    "the 2^31st derivative": (lambda: T.polygamma(2**31, -1), TypeError, "polygamma: the order must not be above 100"),
    "an axis that is no integer": (lambda: T.sum(T.vector(), axis=0.5), TypeError, "sum: axis must be None, an integer or"),
    "a dtype that is a variable": (lambda: T.sum(T.vector(), dtype=T.vector()), TypeError, "sum: unsupported dtype"),
    "a type of a dtype that is a variable": (lambda: T.TensorType(T.vector(), ()), TypeError, "unsupported dtype"),
    "the jacobian of a matrix": (
        lambda: T.jacobian(T.matrix(), T.vector()), ValueError, "expects a 1 dimensional variable",
    ),
    "a row on numbers": (lambda: tensordsl.scalar.add(1, 2), TypeError, "add: the operands of a row are variables"),
    "values of options by number": (lambda: tensordsl.change_flags({1: 2}), TypeError, "change_flags: wants dictionaries"),
    "start with a number": (
        lambda: tensordsl.gradient.subgraph_grad("", [T.vector()], start={T.vector(): 1}), TypeError, "start: the gradient",
    ),
    "a profile that is an array": (lambda: tensordsl.function([], profile=np.zeros((3, 0))), TypeError, "profile"),
    "start that is no dictionary": (
        lambda: tensordsl.gradient.subgraph_grad([T.vector()], [T.vector()], start=3), TypeError, "must be a dictionary",
    ),
    "a ragged list for a pattern of broadcasting": (
        lambda: T.DimShuffle([["wrap"], np.int8(1)], 1), TypeError, "DimShuffle: wants a list of booleans",
    ),
    "a number to consider constant": (
        lambda: T.grad(T.scalar(), T.iscalar(), consider_constant=2), TypeError, "Expected Variable, got 2",
    ),
    "details that are an array": (
        lambda: tensordsl.gradient.subgraph_grad([T.vector()], [T.vector()], cost=T.scalar(), details=np.zeros(2)),
        TypeError, "details must be True or False",
    ),
    "a device that is a list": (lambda: tensordsl.function([], device=[1]), TypeError, "a device must be a string"),
    "a target that is an array": (
        lambda: tensordsl.shared(1.0, target=np.zeros(3)), TypeError, "a device must be a string",
    ),
    "what to do about unused inputs is an array": (
        lambda: tensordsl.function([T.scalar()], on_unused_input=np.zeros(0)), ValueError, "keyword on_unused_input",
    ),
    "a name that is a list": (lambda: tensordsl.function([], name=[1]), TypeError, "function: name must be a text"),
    "an endless text of a cyclic graph": (
        lambda: tensordsl.printing.pp(wrong_arguments.cyclic(), 2**63), ValueError, "pp: limit must not be above",
    ),
    "an array of updates to leave out": (
        lambda: tensordsl.function([], no_default_updates=np.zeros((2, 2))), TypeError, "function: no_default_updates should be",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", ONCE_WRONG)
def test_once_wrong(name: str) -> None:
    call, error, text = ONCE_WRONG[name]
    with pytest.raises(error, match=text):
        call()


def test_every_public_function_is_called() -> None:
    names = set(wrong_arguments.FUNCTIONS)
    assert {"T.sum", "T.nnet.softmax", "gradient.grad", "tensordsl.function", "tensordsl.shared", "T.topk"} <= names
    assert len(names) > 250 and len(wrong_arguments.METHODS) >= 70


@settings(max_examples=2_500 if settings.default.max_examples < 1000 else 100_000)
@given(st.integers(0, 2**63))
def test_wrong_arguments_are_refused_with_a_message(seed: int) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        text = wrong_arguments.call(random.Random(seed).randrange, run_one_in=100, strict=True)
    assert not text, text
