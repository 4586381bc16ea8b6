"""Values of shared variables that others hold, change or replace meanwhile: nobody reads memory that is not there."""

from __future__ import annotations

import copy
import gc
import io
import pickle
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest

import tensordsl as theano
import tensordsl.tensor as T
from tensordsl.functions.devices import get_device

N = 50
Change = Callable[[np.ndarray], None]


def counted(s: Any) -> Any:
    """A function that adds 1 to `s`."""
    return theano.function([], [], updates=[(s, s + 1)])


@contextmanager
def at_every_call(act: Callable[[], Any], name: str = "") -> Iterator[None]:
    """`act` runs whenever a function (of this name) is called or returns, as a thread or the handler of a signal
    might."""
    is_acting = False

    def profile(frame: Any, event: str, argument: Any) -> None:
        nonlocal is_acting
        if not is_acting and name in ("", frame.f_code.co_name):
            is_acting = True
            try:
                act()
            finally:
                is_acting = False

    sys.setprofile(profile)
    try:
        yield
    finally:
        sys.setprofile(None)


READERS: dict[str, Callable[[Any], Any]] = {
    "borrow": lambda s: s.get_value(borrow=True),
    "copy": lambda s: s.get_value(),
    "storage": lambda s: s.storage,
    "clone": lambda s: s.clone().get_value(),
    "deepcopy": lambda s: copy.deepcopy(s).get_value(),
    "pickle": lambda s: pickle.loads(pickle.dumps(s)).get_value(),
}


@pytest.mark.parametrize("compiled", [False, True])
@pytest.mark.parametrize("reader", READERS)
def test_readers_have_a_value_though_it_is_replaced_meanwhile(reader: str, compiled: bool) -> None:
    s = theano.shared(np.zeros(1000))
    if compiled:
        counted(s)
    READERS[reader](s)
    kept: list[Any] = []
    number = 0

    def replace() -> None:
        nonlocal number
        number += 1
        s.set_value(np.full(1000, float(number)))
        kept[:] = [np.array(-1.0) for _ in range(300)]

    with at_every_call(replace):
        value = READERS[reader](s)
    assert value.shape == (1000,) and 0 <= value[0] <= number and (value == value[0]).all()
    assert s.get_value()[0] == number


@pytest.mark.parametrize("target", ["cpu", "sim"])
def test_no_new_value_is_lost_while_one_moves_to_where_functions_use_it(target: str) -> None:
    s, number = theano.shared(np.zeros(N)), 0
    counted(theano.shared(0.0))  # the run time is there

    def replace() -> None:
        nonlocal number
        if number < 12:
            number += 1
            s.set_value(np.full(N, float(number)))

    with at_every_call(replace, "__init__"):
        if target == "cpu":
            s.cell  # noqa: B018
        else:
            s.on_device(get_device("sim"))
    assert number == 12 and s.get_value().tolist() == [number] * N


def set_strides(v: np.ndarray) -> None:
    v.strides = (0,)


def set_state(v: np.ndarray) -> None:
    v.__setstate__((1, (2,), np.dtype("f4"), False, bytes(8)))


def set_base(v: np.ndarray) -> None:
    base: Any = v
    while isinstance(base, np.ndarray):
        base.dtype, base = np.dtype("f4"), base.base


CHANGES: dict[str, Change] = {
    "dtype": lambda v: setattr(v, "dtype", "f4"),
    "shape": lambda v: setattr(v, "shape", (2, -1)),
    "strides": set_strides,
    "state": set_state,
    "length": lambda v: v.resize(100_000, refcheck=False),
    "base's dtype": set_base,
    "base's length": lambda v: v.base.resize(100_000, refcheck=False),
    "flags": lambda v: v.setflags(write=False),
}


def changed(change: Change, v: np.ndarray) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            change(v)
        except (ValueError, AttributeError):  # refused, which is as well
            pass


@pytest.mark.parametrize("compiled", [False, True])
@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("giver", ["get_value", "shared", "set_value", "view"])
def test_borrowed_storage_may_be_given_another_form(giver: str, change: str, compiled: bool) -> None:
    for n in (*range(2, 60, 8), 2000):
        given = np.arange(1.0, n + 1)
        s = theano.shared(np.ones(n) if giver in ("get_value", "set_value") else given[:n], borrow=giver == "view")
        if giver == "shared":
            s = theano.shared(given, borrow=True)
        step = counted(s) if compiled else None
        if giver == "set_value":
            s.set_value(given, borrow=True)
        v = s.get_value(borrow=True) if giver == "get_value" else given
        wanted = s.get_value()
        if change == "state" and not (compiled or giver == "get_value"):
            continue  # NumPy frees the memory of an owner whatever has views of it
        changed(CHANGES[change], v)
        others = [np.full(n, -1.0) for _ in range(20)]
        assert s.get_value().dtype == "f8" and s.get_value().tolist() == wanted.tolist()
        step = step or counted(s)
        step()
        del v, given
        step()
        step()
        assert s.get_value().tolist() == (wanted + 3).tolist()
        assert all((other == -1).all() for other in others)


def test_a_view_is_the_storage_until_a_call_updates_it() -> None:
    s = theano.shared(np.zeros(N))
    step = counted(s)
    view = s.get_value(borrow=True)
    view[:] = 4
    view.flags.writeable = False
    view.flags.writeable = True
    view[0] = 5
    assert s.get_value()[:2].tolist() == [5, 4]
    step()
    view[:] = -1
    assert s.get_value()[:2].tolist() == [6, 5]
    s.set_value(view, borrow=True)
    view[:] = 7
    assert s.get_value()[0] == 7


def test_in_place_again_when_nobody_holds_what_was_borrowed() -> None:
    given = np.zeros(N)
    place = given.ctypes.data
    s = theano.shared(given, borrow=True)
    del given
    step = counted(s)
    step()
    assert s.get_value(borrow=True).ctypes.data == place
    view = s.get_value(borrow=True)
    s.set_value(view, borrow=True)
    del view
    step()
    assert s.get_value(borrow=True).ctypes.data == place and s.get_value()[0] == 2
    buffer = np.zeros(N)
    for k in range(3):
        buffer[:] = k
        s.set_value(buffer, borrow=True)
        step()
        assert s.get_value()[0] == k + 1 and (buffer == k).all()


def test_variables_may_share_a_value() -> None:
    s, t = theano.shared(np.zeros(N)), theano.shared(np.zeros(N))
    steps = counted(s), counted(t)
    s.set_value(t.get_value(borrow=True), borrow=True)
    steps[0]()
    assert s.get_value()[0] == 1 and t.get_value()[0] == 0
    steps[1]()
    steps[1]()
    assert s.get_value()[0] == 1 and t.get_value()[0] == 2


def test_the_collector_may_replace_a_value_while_a_call_makes_its_results() -> None:
    """CPython 3.11 collects when it makes a list."""
    s = theano.shared(np.ones(200))
    f = theano.function([], [s.sum(), s + 1, s * 2])

    class Circle:
        def __init__(self) -> None:
            self.circle = self

        def __del__(self) -> None:
            s.set_value(np.full(200, 3.0))
            kept.extend(np.full(200, -1.0) for _ in range(200))

    kept: list[Any] = []
    lists: list[list[Any]] = [[] for _ in range(200)]  # no list is left over to be used again
    old = gc.get_threshold()
    gc.collect()
    for _ in range(100):
        s.set_value(np.ones(200))
        Circle()
        gc.set_threshold(1)
        total, more, twice = f()
        gc.set_threshold(*old)
        lists.append([])
        assert (float(total), float(more[0]), float(twice[-1])) in [(200, 2, 2), (600, 4, 6)]
        assert (more == more[0]).all() and (twice == twice[0]).all()


def test_the_report_of_an_index_is_of_the_indices_that_were_given() -> None:
    x, i = T.vector("x"), T.lvector("i")
    f = theano.function([x, i], x[i])
    table = np.broadcast_to(0.0, (3,))
    given = np.array([0, 0, 9])[::2]
    with pytest.raises(IndexError) as undisturbed:
        f(table, given)

    def repair() -> None:
        given[:] = 0

    with at_every_call(repair, "trace"), pytest.raises(IndexError) as disturbed:
        f(table, given)
    first, second = (str(e.value).partition("\nInputs strides")[0] for e in (undisturbed, disturbed))
    assert first == second and given.tolist() == [0, 0] and "Inputs strides: [(0,), (16,)]" in str(disturbed.value)


def test_printing_needs_no_copy() -> None:
    s = theano.shared(np.zeros(N), name="s")
    counted(s)
    out = io.StringIO()
    theano.printing.debugprint(s + 1, file=out)
    assert "s" in out.getvalue()
