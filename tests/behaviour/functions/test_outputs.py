"""What a function returns, updates and replaces."""

from __future__ import annotations

import pickle
from collections import OrderedDict
from typing import Any

import numpy as np
import pytest

import tensordsl as theano
import tensordsl.tensor as T


# -- outputs ---------------------------------------------------------------------------------------------------------
def test_the_outputs_come_in_the_form_in_which_they_were_asked_for() -> None:
    x = T.scalar("x")
    assert theano.function([x], x)(1).tolist() == 1.0
    assert theano.function([x], [x])(1) == [np.array(1.0)]
    assert theano.function([x], (x, x + 1))(1) == [np.array(1.0), np.array(2.0)]
    assert theano.function([x], {"b": x, "a": x + 1})(1) == {"b": np.array(1.0), "a": np.array(2.0)}
    assert theano.function([x], [], on_unused_input="ignore")(1) == []
    assert theano.function([x], None, on_unused_input="ignore")(1) == []
    assert theano.function([])() == []


def test_a_scalar_is_a_0d_array() -> None:
    x = T.scalar("x")
    found = theano.function([x], x * 2)(1)
    assert type(found) is np.ndarray and found.shape == ()


def test_outputs_are_fresh_arrays() -> None:
    x = T.matrix("x")
    state = theano.shared(np.ones((2, 2)))
    f = theano.function([x], [x, x, x.T, state, T.constant(np.ones((2, 2)))])
    given = np.arange(4.0).reshape(2, 2)
    outputs = f(given)
    for i, array in enumerate(outputs):
        assert array.flags.writeable and array.flags.owndata
        others = [given, state.get_value(borrow=True), *outputs[:i], *outputs[i + 1 :]]
        assert not any(np.may_share_memory(array, other) for other in others)
    for array in outputs:
        array[:] = 7
    assert [a.tolist() for a in f(given)][4] == [[1.0, 1.0], [1.0, 1.0]]
    assert state.get_value().tolist() == [[1.0, 1.0], [1.0, 1.0]]


def test_an_out_is_its_variable() -> None:
    x = T.vector("x")
    assert theano.function([x], theano.Out(x + 1, borrow=True))([1]).tolist() == [2.0]
    assert theano.function([x], [theano.Out(x + 1)])([1])[0].tolist() == [2.0]


@pytest.mark.parametrize(
    "outputs, message",
    [(3, r"must be variables or Outs, got 3 .*constant"), ({1: None}, "keys .* strings"), ([None], "got None")],
)
def test_wrong_outputs_are_refused(outputs: Any, message: str) -> None:
    with pytest.raises(TypeError, match=message):
        theano.function([], outputs)


# -- updates ---------------------------------------------------------------------------------------------------------
def test_outputs_and_updates_see_the_old_values() -> None:
    a, b = theano.shared(1.0), theano.shared(2.0)
    f = theano.function([], [a, b], updates=[(a, b), (b, a + b)])
    assert [float(v) for v in f()] == [1.0, 2.0]
    assert (float(a.get_value()), float(b.get_value())) == (2.0, 3.0)


@pytest.mark.parametrize("form", [dict, list, OrderedDict, tuple])
def test_updates_may_be_a_dict_or_pairs(form: Any) -> None:
    a = theano.shared(1.0)
    theano.function([], updates=form([(a, a + 1)]))()
    assert float(a.get_value()) == 2.0


def test_two_shared_variables_can_be_exchanged() -> None:
    a, b = theano.shared(np.array([1.0])), theano.shared(np.array([2.0]))
    swap = theano.function([], [], updates={a: b, b: a})
    swap()
    assert (a.get_value().tolist(), b.get_value().tolist()) == ([2.0], [1.0])
    a.get_value(borrow=True)[:] = 9
    assert b.get_value().tolist() == [1.0]


def test_an_update_may_change_the_length() -> None:
    a = theano.shared(np.array([1.0]))
    grow = theano.function([], [], updates={a: T.concatenate([a, a])})
    grow(), grow()
    assert a.get_value().shape == (4,)


def test_a_number_becomes_a_value_of_the_shared_dtype() -> None:
    a = theano.shared(1.0)
    theano.function([], [], updates=[(a, 2)])()
    assert a.get_value().dtype == "float64" and float(a.get_value()) == 2.0


def test_an_array_argument_stored_by_an_update_is_copied() -> None:
    x = T.vector("x")
    a = theano.shared(np.zeros(2))
    given = np.array([1.0, 2.0])
    theano.function([x], [], updates={a: x})(given)
    given[:] = 0
    assert a.get_value().tolist() == [1.0, 2.0]


def test_a_failed_call_changes_no_state() -> None:
    x = T.vector("x")
    a, b = theano.shared(np.zeros(2)), theano.shared(0)
    f = theano.function([x], [], updates=[(b, b + 1), (a, a + x)])
    with pytest.raises(ValueError, match="(?i)dimension|length|shape"):
        f([1, 2, 3])
    assert (a.get_value().tolist(), int(b.get_value())) == ([0.0, 0.0], 0)
    f([1, 2])
    assert (a.get_value().tolist(), int(b.get_value())) == ([1.0, 2.0], 1)


@pytest.mark.parametrize(
    "updates, error, message",
    [
        (lambda w, x: [(x, x)], TypeError, "update target must be a SharedVariable, got x"),
        (lambda w, x: [(w, x), (w, x)], ValueError, "already has an update expression: W"),
        (lambda w, x: [(w, T.matrix("m"))], TypeError, "same type as the original .*shared_var=W.*update_val=m"),
        (lambda w, x: [(w, x.astype("float32"))], TypeError, r"Cast the update: expression.astype\('float64'\)"),
        (lambda w, x: [(w, T.matrix("m"))], TypeError, "The variable has rank 1, the update 2"),
        (lambda w, x: [(w, [1j])], TypeError, "The update of the shared variable W"),
        (lambda w, x: [w], ValueError, "updates must be a dict or a list"),
    ],
)
def test_wrong_updates_are_refused(updates: Any, error: type[Exception], message: str) -> None:
    w, x = theano.shared(np.zeros(2), name="W"), T.vector("x")
    with pytest.raises(error, match=message):
        theano.function([x], x, updates=updates(w, x))


def test_an_update_may_be_known_to_have_one_row() -> None:
    """As in Theano: an average of batches that begins as `shared(zeros((1, n)))`, which is a matrix."""
    x, average = T.matrix("x"), theano.shared(np.zeros((1, 2)))
    f = theano.function([x], average, updates=[(average, x.mean(axis=0, keepdims=True))])
    assert f([[1, 2], [3, 4]]).tolist() == [[0, 0]]
    assert average.get_value().tolist() == [[2, 3]]
    average.set_value(np.ones((3, 2)))
    assert f([[5, 6]]).shape == (3, 2) and average.get_value().tolist() == [[5, 6]]


def test_the_constant_2_is_float32_and_no_update_of_a_float64_scalar() -> None:
    with pytest.raises(TypeError, match="update_val=TensorConstant{2.0}"):
        theano.function([], updates=[(theano.shared(1.0), T.constant(2.0))])


def test_default_updates_happen_unless_they_are_refused() -> None:
    counter = theano.shared(0)
    counter.default_update = counter + 1
    f = theano.function([], counter)
    assert [int(f()), int(f())] == [0, 1]
    for refusal in (True, [counter]):
        theano.function([], counter, no_default_updates=refusal)()
        assert int(counter.get_value()) == 2
    theano.function([], counter, updates={counter: counter + 10})()
    assert int(counter.get_value()) == 12
    with pytest.raises(TypeError, match="no_default_updates"):
        theano.function([], counter, no_default_updates=counter)


def test_default_updates_of_what_a_default_update_uses_happen_too() -> None:
    a, b = theano.shared(0), theano.shared(0)
    a.default_update, b.default_update = a + b, b + 1
    f = theano.function([], a)
    f(), f(), f()
    assert (int(a.get_value()), int(b.get_value())) == (3, 3)


# -- givens ----------------------------------------------------------------------------------------------------------
def test_givens_replace_variables_in_outputs_and_updates() -> None:
    x, y = T.vector("x"), T.vector("y")
    state = theano.shared(np.zeros(1))
    f = theano.function([y], x + 1, givens={x: y * 2}, updates=[(state, x)])
    assert f([5]).tolist() == [11.0]
    assert state.get_value().tolist() == [10.0]


def test_givens_take_arrays_numbers_shared_variables_and_pairs() -> None:
    x, s = T.vector("x"), T.scalar("s")
    data = theano.shared(np.array([1.0, 2.0]))
    assert theano.function([], x * s, givens=[(x, data), (s, 3)])().tolist() == [3.0, 6.0]
    assert theano.function([], x * 2, givens={x: np.array([1.0])})().tolist() == [2.0]


def test_givens_are_simultaneous() -> None:
    x, y = T.scalar("x"), T.scalar("y")
    assert float(theano.function([x, y], x - y, givens={x: y, y: x})(1, 3)) == 2.0


def test_an_input_can_be_given_as_a_function_of_itself() -> None:
    x = T.vector("x")
    assert theano.function([x], x + 1, givens={x: x / 2})([4]).tolist() == [3.0]


@pytest.mark.parametrize(
    "givens, message",
    [
        (lambda x: {x: T.matrix("m")}, r"cannot replace x of type TensorType\(float64, vector\) by m"),
        (lambda x: {x: T.fvector("f")}, "cannot replace x"),
        (lambda x: {x: np.zeros((2, 2))}, "cannot replace x .* Wrong number of dimensions"),
        (lambda x: {"x": x}, "givens replaces variables, got 'x'"),
    ],
)
def test_wrong_givens_are_refused(givens: Any, message: str) -> None:
    x = T.vector("x")
    with pytest.raises(TypeError, match=message):
        theano.function([], x, givens=givens(x))


# (what is computed, from what, what is given instead, its value, the result and its dtype as in Theano)
REBUILT: list[tuple[Any, str, Any, Any, Any, str]] = [
    (lambda x: x / 2, "dvector", "ivector", [3], [1.5], "float64"),
    (lambda x: x * 2, "dscalar", "iscalar", 3, 6, "int32"),
    (lambda x: x * 2, "dscalar", "fscalar", 3, 6, "float32"),
    (lambda x: x * 2, "fscalar", "dscalar", 0.1, 0.2, "float64"),
    (lambda x: x * 2, "iscalar", "dscalar", 1.5, 3, "float64"),
    (lambda x: x // 2, "iscalar", "dscalar", 3.5, 1, "float64"),
    (lambda x: x / 2, "iscalar", "dscalar", 3.5, 1.75, "float64"),
    (lambda x: T.exp(x), "fvector", "dvector", [0.1], [np.exp(0.1)], "float64"),
    (lambda x: x.sum(), "ivector", "dvector", [0.5, 0.25], 0.75, "float64"),
    (lambda x: x.prod(), "fvector", "dvector", [0.1, 0.1], 0.1 * 0.1, "float64"),
    (lambda x: x.sum(dtype="int32"), "ivector", "dvector", [0.5, 1.5], 1, "int32"),
    (lambda x: T.dot(x, T.constant(np.ones(2, "float32"))), "fvector", "dvector", [0.1, 0.2], 0.1 + 0.2, "float64"),
    (lambda x: T.grad((x**2).sum(), x), "fvector", "dvector", [0.1], [0.2], "float64"),
    (lambda x: x * 2, "dcol", "dmatrix", np.ones((2, 2)), np.full((2, 2), 2.0), "float64"),
]


@pytest.mark.parametrize("build, old, new, value, expected, dtype", REBUILT)
def test_dtypes_follow_from_givens_if_rebuilding_is_not_strict(
    build: Any, old: str, new: str, value: Any, expected: Any, dtype: str
) -> None:
    x, given = getattr(T, old)("x"), getattr(T, new)("given")
    with pytest.raises(TypeError, match="cannot replace x"):
        theano.function([given], build(x), givens={x: given})
    result = theano.function([given], build(x), givens={x: given}, rebuild_strict=False)(value)
    assert result.dtype == dtype
    np.testing.assert_allclose(result, expected, rtol=1e-12)


def test_values_and_updates_if_rebuilding_is_not_strict() -> None:
    i, f, d, m = T.iscalar("i"), T.fscalar("f"), T.dscalar("d"), T.dmatrix("m")
    assert theano.function([], i * 2, givens={i: 1.5}, rebuild_strict=False)() == 3
    assert theano.function([], d * 2, givens={d: 1}, rebuild_strict=False)().dtype == "int64"
    single, double = theano.shared(np.float32(1)), theano.shared(1.0)
    with pytest.raises(TypeError, match="An update must have the same type"):
        theano.function([d], [], updates=[(single, single + f)], givens={f: d}, rebuild_strict=False)
    step = theano.function([i], [], updates=[(double, double + f)], givens={f: i}, rebuild_strict=False)
    step(2)
    assert double.get_value() == 3
    assert theano.function([d], m, givens={m: d}, rebuild_strict=False)(2.0) == 2  # of another rank


# -- eval, copies, names, graphs -------------------------------------------------------------------------------------
def test_eval_takes_values_by_variable() -> None:
    x = T.vector("x")
    y = x + 1
    assert y.eval({x: [1, 2]}).tolist() == [2.0, 3.0]
    assert theano.shared(2.0).eval().tolist() == 2.0
    with pytest.raises(TypeError, match="Unknown parameter type: <class 'str'>"):
        y.eval({"x": [1]})


def test_a_function_has_the_name_it_was_given_or_its_line() -> None:
    x = T.vector("x")
    assert theano.function([x], x, name="f").name == "f"
    assert theano.function([x], x).name.startswith("test_outputs.py:")


def test_a_copy_can_swap_shared_variables_and_drop_updates() -> None:
    a, b = theano.shared(1.0), theano.shared(5.0)
    f = theano.function([], a * 2, updates={a: a + 1})
    g = f.copy(swap={a: b}, name="g")
    assert (float(g()), float(b.get_value()), float(a.get_value()), g.name) == (10.0, 6.0, 1.0, "g")
    h = f.copy(delete_updates=True)
    h(), h()
    assert float(a.get_value()) == 1.0
    with pytest.raises(ValueError, match="no shared variable of the function"):
        f.copy(swap={b: a})
    with pytest.raises(TypeError, match="copy: swap takes a dict"):
        f.copy(swap=[a, b])
    with pytest.raises(TypeError, match="swapped"):
        f.copy(swap={a: theano.shared(np.zeros(2))})


def test_a_function_shows_its_graph_and_state() -> None:
    x, a = T.vector("x"), theano.shared(1.0)
    f = theano.function([x], T.dot(x, x) + a)
    assert [node.op.name for node in f.maker.fgraph.toposort()] == ["dot", "add"]
    assert f.get_shared() == [a] and f.maker.mode.name == "FAST_RUN"
    f.free()


# -- shared variables ------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    "value, text",
    [
        (3, "TensorType(int64, scalar)"),
        (3.0, "TensorType(float64, scalar)"),
        (True, "TensorType(bool, scalar)"),
        (np.float32(1), "TensorType(float32, scalar)"),
        (np.zeros((2, 1), "int8"), "TensorType(int8, matrix)"),
        (np.zeros(2, ">f4"), "TensorType(float32, vector)"),
    ],
)
def test_the_value_decides_the_type(value: Any, text: str) -> None:
    assert str(theano.shared(value).type) == text


@pytest.mark.parametrize(
    "value, keywords, message",
    [
        ([1.0], {"broadcastable": (True,)}, "a list has no axes"),
        (np.zeros(2, "longdouble"), {}, "unsupported dtype"),
        (np.array([None]), {}, "unsupported dtype object"),
        (10**30, {}, "does not fit into int64"),
        (np.zeros((2, 2)), {"broadcastable": (False, True)}, "has length 1"),
        (np.zeros(2), {"broadcastable": (False, True)}, "for 2 axes, the value has 1"),
        (np.ma.array([1.0], mask=[1]), {}, "masked"),
    ],
)
def test_values_that_cannot_be_shared_are_refused(value: Any, keywords: dict[str, Any], message: str) -> None:
    with pytest.raises(TypeError, match=message):
        theano.shared(value, **keywords)


@pytest.mark.parametrize("value", [[1, 2], None, "text", {"a": [1]}])
def test_any_other_object_is_held_but_is_no_operand(value: Any) -> None:
    held = theano.shared(value, name="held")
    assert held.get_value() == value and str(held.type) == "Generic"
    assert value is None or isinstance(value, str) or held.get_value() is not value
    held.set_value([3], borrow=False)
    assert held.get_value(borrow=True) == [3] and pickle.loads(pickle.dumps(held)).get_value() == [3]
    assert held.clone().get_value() == [3]
    with pytest.raises(TypeError, match="generic shared variable"):
        T.exp(held)
    with pytest.raises(TypeError, match="generic shared variable"):
        theano.function([], held)


def test_a_variable_cannot_be_a_shared_value() -> None:
    with pytest.raises(TypeError, match="not a symbolic variable"):
        theano.shared(T.vector())


def test_set_value_keeps_dtype_rank_and_pattern_but_not_the_shape() -> None:
    w = theano.shared(np.zeros((2, 1)), name="W", broadcastable=(False, True))
    w.set_value(np.ones((5, 1)))
    assert w.get_value().shape == (5, 1)
    w.set_value([[1], [2]])
    assert w.get_value().dtype == "float64"
    for value, message in [
        (np.zeros(2), "cannot set the shared variable 'W': Wrong number of dimensions"),
        (np.zeros((2, 2)), "broadcastable dimension"),
        (np.zeros((2, 1), complex), "dtype complex128"),
    ]:
        with pytest.raises(TypeError, match=message):
            w.set_value(value)
    with pytest.raises(TypeError, match="without risking loss of precision"):
        theano.shared(np.zeros(2, "float32")).set_value(np.zeros(2))


def test_values_are_copied_unless_borrowed() -> None:
    value = np.array([1.0])
    copied, borrowed = theano.shared(value), theano.shared(value, borrow=True)
    value[:] = 2
    assert (copied.get_value().tolist(), borrowed.get_value().tolist()) == ([1.0], [2.0])
    copied.get_value()[:] = 3
    assert copied.get_value().tolist() == [1.0]
    copied.get_value(borrow=True)[:] = 4
    assert copied.get_value().tolist() == [4.0]
    copied.set_value(value, borrow=True)
    value[:] = 5
    assert copied.get_value().tolist() == [5.0]


def test_storage_is_c_contiguous_whatever_was_given() -> None:
    for value in (np.zeros((2, 3), order="F"), np.zeros((3, 2)).T, np.zeros((4, 6))[::2, ::2], np.zeros((2, 3), ">f8")):
        w = theano.shared(value, borrow=True)
        assert w.get_value(borrow=True).flags.c_contiguous and w.get_value().shape == (2, 3)
        w.set_value(value, borrow=True)
        assert w.get_value(borrow=True).flags.c_contiguous and w.get_value(borrow=True).dtype.isnative


def test_a_shared_variable_can_be_cleared_cloned_and_pickled() -> None:
    w = theano.shared(np.ones((2, 1)), name="W", broadcastable=(False, True))
    w.tag.note = "kept"
    clone, pickled = w.clone(), pickle.loads(pickle.dumps(w))
    for other in (clone, pickled, pickle.loads(pickle.dumps(clone))):
        assert (other.name, other.type, other.tag.note) == ("W", w.type, "kept")
        assert other.get_value().tolist() == [[1.0], [1.0]]
    pickled.set_value(np.zeros((3, 1)))
    assert w.get_value().tolist() == [[1.0], [1.0]]
    clone.set_value(np.full((2, 1), 5.0))
    assert w.get_value().tolist() == [[5.0], [5.0]]
    w.zero()
    assert w.get_value().tolist() == [[0.0], [0.0]]


def test_functions_see_later_values() -> None:
    w = theano.shared(1.0)
    f = theano.function([], w * 2)
    f()
    w.set_value(5)
    assert float(f()) == 10.0


def test_a_view_that_is_copied_at_the_end_outlives_the_steps_before() -> None:
    """The group that the view is of writes state in place, so all steps come after it."""
    state, x = np.random.default_rng(0).random((33, 33)), T.TensorType("bool", (1,))("x")
    s = theano.shared(state)
    mean = s.mean(axis=0)
    column = mean.dimshuffle(0, "x") * x.dimshuffle("x", 0)
    f = theano.function([x], [column.dimshuffle(1, 0, "x"), T.nnet.softmax(mean)], updates=[(s, s * s)])
    got, weights = f(np.array([False]))
    assert got.shape == (1, 33, 1) and not got.any()
    powers = np.exp(state.mean(axis=0))
    np.testing.assert_allclose(weights, powers[None] / powers.sum())
    np.testing.assert_array_equal(s.get_value(), state * state)
