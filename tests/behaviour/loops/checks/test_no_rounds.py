"""Loops without rounds: what only a round needs is not computed, so it cannot fail."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import tensordsl
import tensordsl.tensor as T
from tensordsl import scan
from tensordsl.compile import FAST_RUN
from tensordsl.tensor.opt import Assert

s, h, n = T.dvector("s"), T.dvector("h"), T.lscalar("n")
HERE = re.escape(__file__)
MODES = ["FAST_RUN", "FAST_COMPILE", "REFERENCE", FAST_RUN.excluding("eager_invariants"), "DebugMode"]

# What a step makes of a vector x that no round changes; for what x it fails, with which error.
STEPS: dict[str, tuple[Callable[[Any, Any], Any], Any, type[Exception], str]] = {
    "the last element is written": (lambda h, x: T.set_subtensor(h[:1], x[-1]), [], IndexError, "out of bounds"),
    "the last element": (lambda h, x: h + x[-1], [], IndexError, "out of bounds"),
    "an element that data choose": (
        lambda h, x: h + x[T.cast(x.sum() * 0 + 3, "int64")], [1], IndexError, "index 3 is out of bounds"),
    "elements by a vector": (lambda h, x: h + x[T.arange(4)].sum(), [1], IndexError, "out of bounds"),
    "the largest": (lambda h, x: h + x.max(), [], ValueError, "no identity|no elements"),
    "the place of the largest": (lambda h, x: h + T.argmax(x), [], ValueError, "empty sequence"),
    "another shape": (lambda h, x: h + x.reshape((2, 3)).sum(), [1], ValueError, "cannot reshape"),
    "lengths that do not fit": (lambda h, x: h + (x[:-1] + x).sum(), [1], ValueError, "Dimension mismatch"),
    "an assertion": (lambda h, x: h + Assert("too small")(x, x.sum() > 5).sum(), [1], AssertionError, "too small"),
    "a factor": (
        lambda h, x: h + T.linalg.cholesky(T.outer(x, x) - 1).sum(), [1], np.linalg.LinAlgError, "positive definite"),
    "an inverse": (lambda h, x: h + T.linalg.inv(T.outer(x, x)).sum(), [1, 1], np.linalg.LinAlgError, "singular"),
}  # fmt: skip
H = np.array([1.0, 2.0])


@pytest.mark.parametrize("mode", MODES, ids=str)
@pytest.mark.parametrize("step, values, error, message", STEPS.values(), ids=STEPS)
def test_only_a_round_fails(
    step: Callable[[Any, Any], Any], values: Any, error: type[Exception], message: str, mode: Any
) -> None:
    state = tensordsl.shared(0)
    states, _ = scan(step, outputs_info=h, non_sequences=s, n_steps=n)
    f = tensordsl.function([h, s, n], [states, states.sum()], updates=[(state, state + 1)], mode=mode)
    bad = np.array(values, "float64")
    for count in (1, 2):
        rows, total = f(H, bad, 0)
        assert rows.shape[0] == total == 0
        assert state.get_value() == count
        with pytest.raises(error, match=f"(?s){message}.*{HERE}"):
            f(H, bad, 2)
        assert state.get_value() == count


@pytest.mark.parametrize("mode", MODES, ids=str)
@pytest.mark.parametrize("step, values, error, message", STEPS.values(), ids=STEPS)
def test_none_is_known(
    step: Callable[[Any, Any], Any], values: Any, error: type[Exception], message: str, mode: Any
) -> None:
    states, _ = scan(step, outputs_info=h, non_sequences=s, n_steps=0)
    f = tensordsl.function([h, s], states, mode=mode)
    assert f(H, np.array(values, "float64")).shape[0] == 0


@pytest.mark.parametrize("mode", MODES, ids=str)
def test_gradients_without_rounds(mode: Any) -> None:
    states, _ = scan(lambda h, x: h * x[-1], outputs_info=h, non_sequences=s, n_steps=n)
    f = tensordsl.function([h, s, n], T.grad((states**2).sum(), h), mode=mode)
    np.testing.assert_array_equal(f(H, np.zeros(0), 0), [0, 0])
    np.testing.assert_allclose(f(H, np.array([1.0, 3]), 1), [18, 36])


@pytest.mark.parametrize("mode", MODES, ids=str)
def test_what_others_need_fails_all_the_same(mode: Any) -> None:
    last = s[-1]
    states, _ = scan(lambda h, e: h + e, outputs_info=h, non_sequences=last, n_steps=n)
    f = tensordsl.function([h, s, n], [states, last], mode=mode)
    with pytest.raises(IndexError, match="out of bounds"):
        f(H, np.zeros(0), 0)
