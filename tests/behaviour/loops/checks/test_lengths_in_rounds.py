"""Lengths that are found in a round: slices that move, shapes that data give, in loops and in branches."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import tensordsl
import tensordsl.tensor as T
from tensordsl import scan
from tensordsl.ifelse import ifelse

X = np.arange(7.0)
x, w, n, m = T.dvector("x"), T.lvector("w"), T.lscalar("n"), T.lscalar("m")
zero = T.constant(0.0, dtype="float64")
WINDOWS = np.lib.stride_tricks.sliding_window_view(X, 2)

CASES: dict[str, tuple[Any, Any]] = {
    "a slice that moves": (lambda: scan(lambda k: x[k : k + 2], T.arange(n))[0], WINDOWS[:3]),
    "one of a symbolic length": (lambda: scan(lambda k: x[k : k + m], T.arange(n))[0], WINDOWS[:3]),
    "of a known number of rounds": (lambda: scan(lambda k: x[k : k + 2], T.arange(3))[0], WINDOWS[:3]),
    "what is computed of it": (lambda: scan(lambda k: T.exp(x[k : k + 2]), T.arange(n))[0], np.exp(WINDOWS[:3])),
    "of no rounds": (lambda: scan(lambda k: x[k : k + 2], w[:0])[0].sum(), 0),
    "a length from data": (lambda: scan(lambda k: x[k : k + w[0]], T.arange(n))[0], WINDOWS[:3]),
    "a length of the round's data": (lambda: scan(lambda k: x[: w[k]], T.arange(2))[0], [X[:2], X[:2]]),
    "elements that are chosen": (
        lambda: scan(lambda k: x[(x > k).nonzero()][:2], T.arange(n))[0], WINDOWS[1:4]),
    "a loop over it": (lambda: scan(lambda k: scan(lambda a: a * 2, x[k : k + 2])[0], T.arange(n))[0], 2 * WINDOWS[:3]),
    "zeros of a state's length": (
        lambda: scan(lambda k, s: T.ones(T.cast(s, "int64") + 2).sum(), T.arange(n), zero)[0], [2, 4, 6]),
    "a sum of ever more": (lambda: scan(lambda k: x[:k].sum(), T.arange(n))[0], [0, 0, 1]),
    "a loop of ever more rounds": (
        lambda: scan(lambda k: scan(lambda a, s: a + s, x[:k], zero)[0].sum(), T.arange(n))[0], [0, 0, 1]),
    "the gradient of blocks": (
        lambda: T.grad(scan(lambda k, s: scan(lambda a, t: t * 0.5 + a * a, x[k * 2 : T.minimum(k * 2 + 2, n)], s,
                                              n_steps=T.minimum(k * 2 + 2, n) - k * 2)[0][-1],
                            T.arange(2), zero)[0].sum(), x), [0, 3, 4, 0, 0, 0, 0]),
    "the gradient of windows": (
        lambda: T.grad(T.sqr(scan(lambda k: x[k : k + 2], T.arange(n))[0]).sum(), x), [0, 4, 8, 6, 0, 0, 0]),
    "a loop that nothing needs": (
        lambda: T.grad(scan(lambda k: x[k : k + 2].sum(), T.arange(3))[0].sum(), x), [1, 2, 2, 1, 0, 0, 0]),
    "in a branch": (lambda: ifelse(n > 0, x[: w[1]].sum(), zero), 1),
    "in a branch that is not taken": (lambda: ifelse(n > 3, x[: w[5]].sum(), zero), 0),
    "in a branch of a round": (
        lambda: scan(lambda k: ifelse(k < 2, x[: w[k]].sum(), zero), T.arange(n))[0], [1, 1, 0]),
}  # fmt: skip


@pytest.mark.parametrize("mode", ["FAST_RUN", "REFERENCE"])
@pytest.mark.parametrize("build, expected", CASES.values(), ids=CASES)
def test_lengths_may_be_found_in_a_round(build: Any, expected: Any, mode: str) -> None:
    function = tensordsl.function([x, w, n, m], build(), mode=mode, on_unused_input="ignore")
    np.testing.assert_allclose(function(X, [2, 2], 3, 2), expected)


def test_values_that_are_stacked_have_one_shape() -> None:
    state = tensordsl.shared(1.0)
    values, _ = scan(lambda k: x[:k], T.arange(n))
    function = tensordsl.function([x, n], values, updates=[(state, state + 1)])
    assert function(X, 1).shape == (1, 0)
    assert function(X, 0).shape[0] == 0
    with pytest.raises(ValueError, match="stacks must have one shape"):
        function(X, 3)
    assert state.get_value() == 3


@pytest.mark.parametrize("read", [lambda h: h, lambda h: h[::-1], lambda h: h[:2], lambda h: h.sum(axis=0)])
def test_a_new_state_of_another_length_that_no_round_reads(read: Any) -> None:
    """It is refused as any other, though its rows need no loop."""
    y = T.dvector("y")
    for h in (
        scan(lambda s: T.tanh(y), outputs_info=x, n_steps=n)[0],
        tensordsl.loop(lambda s, _: (T.tanh(y), T.tanh(y)), x, None, n, reverse=True)[1],
    ):
        f = tensordsl.function([x, y, n], read(h))
        np.testing.assert_allclose(f(X[:2], X[:2], 3), read(np.tanh([X[:2]] * 3)))
        with pytest.raises(ValueError, match="changed its shape"):
            f(X, X[:2], 3)
