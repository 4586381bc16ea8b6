"""Arguments that stand for more than any memory holds, and numbers at the end of their range: errors, or what is right."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.lib.stride_tricks import as_strided

import tensordsl as theano
import tensordsl.tensor as T

LEAST, MOST = -(2**63), 2**63 - 1
MATRIX, VECTOR, NUMBER = T.dmatrix("x"), T.dvector("v"), T.lscalar("n")
STATE = theano.shared(np.ones(2), "s")


def many(*shape: int) -> Any:
    """An array of ones that takes eight bytes."""
    return as_strided(np.ones(1), shape, (0,) * len(shape))


OUTPUTS: dict[str, tuple[Callable[[], Any], Any]] = {
    "elementwise": (lambda: T.exp(VECTOR), many(2**58)),
    "too large for NumPy": (lambda: VECTOR.dimshuffle(0, "x") * VECTOR.dimshuffle("x", 0), many(2**32)),
    "of a size that wraps": (lambda: VECTOR.dimshuffle(0, "x") * VECTOR.dimshuffle("x", 0), many(2**59)),
    "sorted": (lambda: T.sort(VECTOR), many(2**58)),
    "sums": (lambda: T.cumsum(VECTOR), many(2**58)),
    "joined": (lambda: T.concatenate([VECTOR, VECTOR, VECTOR]), many(2**60 - 1)),
    "a length that wraps": (lambda: T.concatenate([VECTOR] * 32), many(2**59)),
    "an argument": (lambda: VECTOR, many(2**58)),
    "a view": (lambda: MATRIX.T[::-1], many(2**29, 2**29)),
    "some of them": (lambda: MATRIX - MATRIX.mean(0), many(2**20, 2**38)),
    "products": (lambda: T.dot(MATRIX, MATRIX.T), many(2**29, 1)),
    "cast": (lambda: T.cast(VECTOR, "int8"), many(2**60 - 1)),
    "zeros": (lambda: T.zeros((NUMBER, NUMBER)), 2**33),
    "product of lengths": (lambda: T.zeros((NUMBER * NUMBER,)), 2**32),
    "a sum of zeros": (lambda: T.zeros((NUMBER, NUMBER)).sum(), 2**32),
    "sums of zeros": (lambda: T.zeros((NUMBER, 4)).sum(0), 2**62),
    "a sum of sums": (lambda: (VECTOR.dimshuffle(0, "x") + VECTOR.dimshuffle("x", 0)).sum(), many(2**40)),
    "a negative length": (lambda: T.zeros((NUMBER, NUMBER)), -2),
    "repeated": (lambda: T.repeat(T.ones((3,)), NUMBER), 2**62),
    "positions": (lambda: T.arange(NUMBER), MOST),
    "a range beyond all lengths": (lambda: T.arange(-NUMBER, NUMBER), MOST),
    "a range of every second": (lambda: T.arange(0, NUMBER, 2), MOST),
    "a range downwards": (lambda: T.arange(MOST, NUMBER, -1), LEAST),
}


@pytest.mark.parametrize("name", OUTPUTS)
def test_what_no_memory_holds_is_an_error_and_changes_nothing(name: str) -> None:
    output, argument = OUTPUTS[name]
    operand = next(v for v in (MATRIX, VECTOR, NUMBER) if v.type.ndim == np.ndim(argument))
    f = theano.function([operand], output(), updates=[(STATE, STATE * 2)])
    for _ in range(2):
        with pytest.raises((MemoryError, OverflowError, ValueError)):
            f(argument)
    np.testing.assert_array_equal(STATE.get_value(), 1)


def test_steps_of_any_size() -> None:
    start, stop, step = T.lscalars("start", "stop", "step")
    f = theano.function([start, stop, step], T.arange(start, stop, step))
    for case in ((0, 5, MOST), (5, 0, -MOST), (0, 5, 2**62), (3, 3, MOST), (5, 0, MOST), (-(2**61), 2**61, 2**61)):
        np.testing.assert_array_equal(f(*case), np.array(range(*case), dtype="int64"))
