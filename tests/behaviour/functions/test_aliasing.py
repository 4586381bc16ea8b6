"""The table of docs/aliasing.md, row by row."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import pytest

import tensordsl as theano
import tensordsl.tensor as T

MODES = ["FAST_RUN", "FAST_COMPILE", "REFERENCE", "NanGuardMode"]


@pytest.fixture(params=MODES)
def mode(request: pytest.FixtureRequest) -> Any:
    return request.param


def apart(*arrays: Any) -> bool:
    """Whether no two of the arrays share memory."""
    return not any(np.may_share_memory(a, b) for i, a in enumerate(arrays) for b in arrays[:i])


def test_an_argument_is_never_written_to(mode: Any) -> None:
    x = T.vector("x")
    f = theano.function([theano.In(x, mutable=True)], [T.set_subtensor(x[0], 9), x * 2], mode=mode)
    given = np.array([1.0, 2.0])
    f(given)
    assert given.tolist() == [1.0, 2.0]


def test_the_order_in_memory_of_an_output_says_nothing_about_its_values(mode: Any) -> None:
    x = T.matrix("x")
    s = theano.shared(np.zeros((2, 3)))
    f = theano.function([x], [x + 1, x.T], mode=mode, updates=[(s, x * 2)])
    given = np.arange(6.0).reshape(2, 3)
    for outputs in (f(given), f(np.asfortranarray(given))):
        assert [o.tolist() for o in outputs] == [(given + 1).tolist(), given.T.tolist()]
        assert all(o.flags.c_contiguous or o.flags.f_contiguous for o in outputs)
        assert s.get_value(borrow=True).flags.c_contiguous


def test_an_output_that_is_an_input_or_a_view_of_it_is_a_copy(mode: Any) -> None:
    x = T.matrix("x")
    f = theano.function([x], [x, x.T, x[1:], x.reshape((-1,)), x[::-1]], mode=mode)
    given = np.arange(6.0).reshape(2, 3)
    outputs = f(given)
    assert apart(given, *outputs)
    for array in outputs:
        array[...] = -1
    assert given.tolist() == [[0, 1, 2], [3, 4, 5]]


def test_an_output_that_is_shared_is_the_value_before_the_call(mode: Any) -> None:
    s = theano.shared(np.array([1.0, 2.0]))
    f = theano.function([], [s, s[1:]], updates={s: s + 1}, mode=mode)
    first = f()
    assert [v.tolist() for v in first] == [[1.0, 2.0], [2.0]] and apart(s.get_value(borrow=True), *first)
    f()
    assert [v.tolist() for v in first] == [[1.0, 2.0], [2.0]]


def test_constants_and_one_variable_twice_are_copies(mode: Any) -> None:
    x, c = T.vector("x"), T.constant(np.ones(2))
    y = x * 2
    f = theano.function([x], [y, y, c, c], mode=mode)
    outputs = f([1, 2])
    assert apart(*outputs, c.data)
    outputs[2][:] = 7
    assert f([1, 2])[2].tolist() == [1.0, 1.0]


def test_an_update_by_an_argument_stores_a_copy(mode: Any) -> None:
    x = T.matrix("x")
    s, t = theano.shared(np.zeros((2, 2))), theano.shared(np.zeros((2, 2)))
    given = np.arange(4.0).reshape(2, 2)
    theano.function([x], [], updates=[(s, x), (t, x.T)], mode=mode)(given)
    assert apart(given, s.get_value(borrow=True), t.get_value(borrow=True))
    given[:] = 0
    assert s.get_value().tolist() == [[0, 1], [2, 3]] and t.get_value().tolist() == [[0, 2], [1, 3]]


def test_exchanged_variables_share_nothing(mode: Any) -> None:
    a, b = theano.shared(np.array([1.0])), theano.shared(np.array([2.0]))
    swap = theano.function([], [], updates=[(a, b), (b, a)], mode=mode)
    swap(), swap(), swap()
    assert (a.get_value().tolist(), b.get_value().tolist()) == ([2.0], [1.0])
    assert apart(a.get_value(borrow=True), b.get_value(borrow=True))


def test_two_functions_update_one_variable(mode: Any) -> None:
    s = theano.shared(np.array([1.0]))
    double, plus = (theano.function([], s, updates={s: new}, mode=mode) for new in (s * 2, s + 1))
    assert [float(f()[0]) for f in (double, plus, double, plus)] == [1.0, 2.0, 3.0, 6.0]


def test_overlapping_arguments_are_read_as_they_are(mode: Any) -> None:
    x, y = T.vectors("x", "y")
    s = theano.shared(np.zeros(3))
    f = theano.function([x, y], x - y, updates={s: y}, mode=mode)
    memory = np.arange(4.0)
    assert f(memory[1:], memory[:-1]).tolist() == [1.0, 1.0, 1.0] and f(memory[:3], memory[:3]).tolist() == [0, 0, 0]
    own = s.get_value(borrow=True)
    assert f(own, own).tolist() == [0.0, 0.0, 0.0] and memory.tolist() == [0, 1, 2, 3]


@pytest.mark.parametrize("borrow", [False, True])
def test_outputs_of_earlier_calls_stay(mode: Any, borrow: bool) -> None:
    x = T.vector("x")
    f = theano.function([x], theano.Out(x * 2, borrow=borrow), mode=mode)
    first, second = f([1, 2]), f([3, 4])
    assert first.tolist() == [2.0, 4.0] and apart(first, second)


def test_a_borrowed_output_of_state_does_not_write_to_it(mode: Any) -> None:
    s = theano.shared(np.array([1.0]))
    theano.function([], theano.Out(s, borrow=True), mode=mode)()[:] = 5
    assert s.get_value().tolist() == [1.0]


def test_a_default_is_copied_when_the_function_is_made(mode: Any) -> None:
    x, given = T.vector("x"), np.array([1.0])
    f = theano.function([theano.In(x, value=given)], x, mode=mode)
    given[:] = 9
    f()[:] = 9
    assert f().tolist() == [1.0]


def test_sharing_and_setting_copy_unless_they_may_borrow() -> None:
    given = np.array([1.0, 2.0])
    copied, kept = theano.shared(given), theano.shared(given, borrow=True)
    given[0] = 9
    assert (copied.get_value().tolist(), kept.get_value().tolist()) == ([1.0, 2.0], [9.0, 2.0])
    copied.set_value(given)
    kept.set_value(given, borrow=True)
    given[0] = 3
    assert (copied.get_value().tolist(), kept.get_value().tolist()) == ([9.0, 2.0], [3.0, 2.0])
    strided = np.arange(4.0)[::2]
    assert apart(theano.shared(strided, borrow=True).get_value(borrow=True), strided)


def test_getting_copies_unless_it_may_borrow(mode: Any) -> None:
    s = theano.shared(np.array([1.0, 2.0]))
    read = theano.function([], s * 1, mode=mode)
    s.get_value()[:] = 7
    assert read().tolist() == [1.0, 2.0]
    s.get_value(borrow=True)[:] = 7
    assert read().tolist() == [7.0, 7.0]


def test_storage_that_somebody_holds_is_not_overwritten(mode: Any) -> None:
    s = theano.shared(np.array([1.0, 2.0]))
    step = theano.function([], [], updates={s: s + 1}, mode=mode)
    step()
    held = s.get_value(borrow=True)
    part = theano.shared(np.array([1.0, 2.0]))
    view = part.get_value(borrow=True)[1:]
    step(), theano.function([], [], updates={part: part + 1}, mode=mode)()
    assert held.tolist() == [2.0, 3.0] and s.get_value().tolist() == [3.0, 4.0] and view.tolist() == [2.0]


def test_copies_of_functions_share_state_and_deep_copies_do_not(mode: Any) -> None:
    x, s = T.scalar("x"), theano.shared(0.0)
    f = theano.function([theano.In(x, value=1)], s, updates={s: s + x}, mode=mode)
    shallow, deep = f.copy(), copy.deepcopy(f)
    f(), shallow(), deep()
    assert float(s.get_value()) == 2.0 and float(deep.get_shared()[0].get_value()) == 1.0
    f["x"] = 10
    shallow()
    assert float(s.get_value()) == 3.0


def test_a_failed_call_leaves_every_bit(mode: Any) -> None:
    x = T.vector("x")
    a, b = theano.shared(np.array([1.0, -0.0])), theano.shared(np.array([5.0]))
    checked = T.opt.Assert("no")(x, T.all(x > 0))
    f = theano.function([x], [], updates=[(a, a + 1), (b, b * T.sum(checked))], mode=mode)
    before = [v.get_value().tobytes() for v in (a, b)]
    with pytest.raises(AssertionError, match="no"):
        f([1, -1])
    assert [v.get_value().tobytes() for v in (a, b)] == before
