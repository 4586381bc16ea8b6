"""New values of large shared variables, computed where the old ones are while no other thread may look."""

from __future__ import annotations

import threading
from typing import Any

import numpy as np
import pytest

import tensordsl
import tensordsl.tensor as T

LENGTH = 200_000  # its work lets other threads run, and is less than they wait for
LONGER = 6_000_000  # of which they are let run all the time
X = T.vector("x")


def variable(length: int = LENGTH, name: str = "s") -> Any:
    return tensordsl.shared(np.linspace(0.0, 1.0, length), name=name)


def place(s: Any) -> int:
    return int(s.get_value(borrow=True).ctypes.data)


def test_state_stays_where_it_is() -> None:
    m, v, w = variable(name="m"), variable(name="v"), variable(name="w")
    new_m, new_v = 0.9 * m + 0.1 * X, 0.99 * v + 0.01 * X**2
    f = tensordsl.function([X], [], updates=[(m, new_m), (v, new_v), (w, w - new_m / (T.sqrt(new_v) + 1e-8))])
    state = np.array([m.get_value(), v.get_value(), w.get_value()])
    before = [place(s) for s in (m, v, w)]
    for x in np.random.default_rng(0).random((3, LENGTH)):
        f(x)
        state[0] = 0.9 * state[0] + 0.1 * x
        state[1] = 0.99 * state[1] + 0.01 * x**2
        state[2] -= state[0] / (np.sqrt(state[1]) + 1e-8)
    assert [place(s) for s in (m, v, w)] == before
    for s, wanted in zip((m, v, w), state, strict=True):
        np.testing.assert_allclose(s.get_value(), wanted, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("length", [LENGTH, LONGER])
def test_what_somebody_holds_is_not_changed(length: int) -> None:
    s = variable(length)
    f = tensordsl.function([], [], updates=[(s, s * 2)])
    held = s.get_value(borrow=True)
    old = held.copy()
    for k in range(3):
        f()
        np.testing.assert_array_equal(held, old)
        np.testing.assert_array_equal(s.get_value(borrow=True), 2.0 ** (k + 1) * old)


def test_a_call_that_fails_changes_nothing() -> None:
    s, index = variable(), T.lvector("index")
    f = tensordsl.function([X, index], T.exp(X[index]).sum(), updates=[(s, s * 2 + X)])
    old, at = s.get_value(), place(s)
    with pytest.raises(IndexError):
        f(np.ones(LENGTH), [0, LENGTH])
    with pytest.raises(ValueError):
        f(np.ones(LENGTH - 1), [0])
    assert place(s) == at
    np.testing.assert_array_equal(s.get_value(), old)


def test_variables_that_exchange_their_values() -> None:
    a, b = variable(name="a"), tensordsl.shared(np.ones(LENGTH), name="b")
    f = tensordsl.function([], [], updates=[(a, a + b), (b, a - b)])
    x, y = a.get_value(), b.get_value()
    for _ in range(3):
        f()
        x, y = x + y, x - y
        np.testing.assert_array_equal(a.get_value(), x)
        np.testing.assert_array_equal(b.get_value(), y)


@pytest.mark.parametrize("length", [LENGTH, LONGER])
def test_others_see_an_old_or_a_new_value(length: int) -> None:
    """All elements of a value are equal at any time, whoever asks, and no call of several threads is lost."""
    s, calls = tensordsl.shared(np.zeros(length)), 30 if length == LENGTH else 4
    f = tensordsl.function([], [], updates=[(s, s + 1)])
    torn, done = [], threading.Event()

    def look() -> None:
        while not done.is_set():
            value = s.get_value()
            if value[0] != value[-1] or value.min() != value.max():
                torn.append(value)

    watcher = threading.Thread(target=look)
    watcher.start()
    for _ in range(calls):
        f()
    done.set()
    watcher.join()
    assert not torn
    np.testing.assert_array_equal(s.get_value(borrow=True), calls)
