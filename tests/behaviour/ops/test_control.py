"""Loops, branches and effects: their rules, their values, and what they refuse."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import tensordsl.tensor as T
from tensordsl import reference
from tensordsl.function import function
from tensordsl.gradient import grad
from tensordsl.graph import OpShapeError, OpTypeError, inputs_of, toposort
from tensordsl.graph.evaluate import evaluate
from tensordsl.ifelse import ifelse
from tensordsl.ops.control import ROWS, Assert, LoopBody, Print, loop_index, make_loop
from tensordsl.shared import shared


def value(outputs: list[Any], values: dict[Any, Any]) -> list[Any]:
    return list(function(list(values), outputs, mode="REFERENCE", on_unused_input="ignore")(*values.values()))


def body_of(variable: Any) -> LoopBody:
    body = variable.owner.attrs["body"]
    assert isinstance(body, LoopBody)
    return body


# -- loops -----------------------------------------------------------------------------------------------------------
def test_a_loop_gives_final_and_stacked_values() -> None:
    i, s, x = loop_index(), T.dscalar("s"), T.dscalar("x")
    final, history = make_loop(4, i, [s], [x], [s * 2 + i], [s, i])[:2]
    assert final.type == x.type and history.type.shape == (4,)
    got = value([final, history], {x: 1.0})
    assert got[0] == 27.0 and got[1].tolist() == [1.0, 2.0, 5.0, 12.0]


def test_a_loop_of_no_steps_gives_the_initial_values() -> None:
    n, i, s, x = T.lscalar("n"), loop_index(), T.dvector("s"), T.dvector("x")
    final, stacked = make_loop(n, i, [s], [x], [s * 2], [s])
    for steps in (0, -2):
        got = value([final, stacked], {n: steps, x: np.ones(3)})
        assert got[0].tolist() == [1, 1, 1] and got[1].shape[0] == 0


def test_a_body_is_closed_and_what_does_not_vary_is_computed_before_the_loop() -> None:
    i, s, x, w = loop_index(), T.dvector("s"), T.dvector("x"), T.dmatrix("w")
    outside = T.exp(w)
    (final,) = make_loop(3, i, [s], [x], [T.dot(outside, s) + x + i])
    body = body_of(final)
    assert final.owner.inputs[2:] == (outside, x) or final.owner.inputs[2:] == (x, outside)
    assert set(inputs_of(body.results)) <= set(body.parameters)
    assert "exp" not in {node.op.name for node in toposort(body.results)}


def test_a_value_that_does_not_vary_may_be_stacked() -> None:
    i, x = loop_index(), T.dvector("x")
    stacked, constants = make_loop(2, i, [], [], [], [x, T.constant(1.5)])
    got = value([stacked, constants], {x: np.array([1.0, 2.0])})
    assert got[0].tolist() == [[1, 2], [1, 2]] and got[1].tolist() == [1.5, 1.5]


def test_a_carried_value_must_keep_its_type() -> None:
    i = loop_index()
    with pytest.raises(OpTypeError, match=r"for: carried value 0 must keep its dtype.*float32.*float64"):
        f = T.fvector()
        make_loop(3, i, [f], [T.fvector("x")], [T.cast(f, "float64")])
    with pytest.raises(OpShapeError, match=r"carried value 0 must keep its type.*row"):
        r = T.drow()
        make_loop(3, i, [r], [T.drow("r")], [r + T.dmatrix()])
    with pytest.raises(OpShapeError, match="got 2 axes"):
        v = T.dvector()
        make_loop(3, i, [v], [T.dmatrix("m")], [v])


def test_a_carried_value_that_changes_its_length_is_refused_when_it_does() -> None:
    i, v, x = loop_index(), T.dvector("v"), T.dvector("x")
    (final,) = make_loop(3, i, [v], [x], [v[1:]])
    with pytest.raises(ValueError, match=r"changed its shape from \(4,\) to \(3,\)"):
        evaluate([final], {x: np.arange(4.0)})


def test_the_number_of_steps_is_a_whole_number_without_axes() -> None:
    i, v, x = loop_index(), T.dvector("v"), T.dvector("x")
    with pytest.raises(OpTypeError, match="must be an integer, got float64"):
        make_loop(T.dscalar(), i, [v], [x], [v])
    with pytest.raises(OpShapeError, match="must have no axes"):
        make_loop(T.lvector(), i, [v], [x], [v])


# -- branches --------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("condition", [T.bscalar, T.lscalar, T.dscalar, T.fscalar])
def test_ifelse_takes_the_branch_that_its_condition_says(condition: Any) -> None:
    c, x, y = condition("c"), T.dvector("x"), T.dvector("y")
    at = {x: np.ones(2), y: np.zeros(3)}
    assert value([ifelse(c, x, y)], {c: 1, **at})[0].shape == (2,)
    assert value([ifelse(c, x, y)], {c: 0, **at})[0].shape == (3,)


def test_ifelse_of_lists_and_names() -> None:
    c, x = T.bscalar("c"), T.dvector("x")
    pair = ifelse(c, [x, x + 1], [x * 2, x * 3], name="chosen")
    assert isinstance(pair, list) and [v.name for v in pair] == ["chosen{0}", "chosen{1}"]
    assert ifelse(c, x, x * 2, name="one").name == "one"
    assert isinstance(ifelse(c, (x, x), (x, x)), tuple)
    got = value(pair, {c: 0, x: np.ones(2)})
    assert [v.tolist() for v in got] == [[2, 2], [3, 3]]


def test_a_constant_branch_takes_the_dtype_of_the_other() -> None:
    c, x = T.bscalar("c"), T.dscalar("x")
    assert ifelse(c, x, 0).type == ifelse(c, 1, x).type == x.type


def test_lengths_known_in_both_branches_stay_known() -> None:
    c, r, m = T.bscalar("c"), T.drow("r"), T.dmatrix("m")
    assert ifelse(c, r, r * 2).broadcastable == (True, False)
    assert ifelse(c, r, m).broadcastable == (False, False)


def test_branches_that_do_not_fit_are_refused() -> None:
    c, x = T.bscalar("c"), T.dvector("x")
    with pytest.raises(OpTypeError, match="same dtypes; value 0 is float64 or float32"):
        ifelse(c, x, T.fvector())
    with pytest.raises(OpShapeError, match="same number of axes; value 0 has 1 or 2"):
        ifelse(c, x, T.dmatrix())
    with pytest.raises(OpShapeError, match="the condition must have no axes"):
        ifelse(x, x, x)
    with pytest.raises(ValueError, match=r"variables on `then` 2, variables on `else` 1"):
        ifelse(c, [x, x], [x])


# -- effects ---------------------------------------------------------------------------------------------------------
def test_print_shows_the_value_and_hands_it_on(capsys: pytest.CaptureFixture[str]) -> None:
    x = T.dvector("x")
    printed = Print("x is")(x)
    assert printed.type == x.type
    assert value([printed * 2], {x: np.array([1.0, 2.0])})[0].tolist() == [2, 4]
    assert capsys.readouterr().out == "x is __str__ = [1. 2.]\n"


def test_print_shows_the_attributes_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    x = T.dvector("x")
    value([Print("x", attrs=("shape", "min"))(x)], {x: np.array([1.0, 2.0])})
    assert capsys.readouterr().out == "x shape = (2,)\nx min = 1.0\n"


@pytest.mark.parametrize("attrs", [slice(None), "shape", [3]])
def test_print_refuses_what_names_no_attributes(attrs: Any) -> None:
    with pytest.raises(TypeError, match="attrs must be a sequence of names"):
        Print("x", attrs=attrs)


def test_assert_raises_its_message_when_a_condition_is_false() -> None:
    x = T.dvector("x")
    checked = Assert("x must be positive")(x, T.all(x > 0), x.shape[0] > 1)
    assert value([checked], {x: np.array([1.0, 2.0])})[0].tolist() == [1, 2]
    for bad in ([1.0, -2.0], [1.0]):
        with pytest.raises(AssertionError, match="x must be positive"):
            value([checked], {x: np.array(bad)})
    with pytest.raises(OpShapeError, match="condition 0 must have no axes"):
        Assert()(x, x > 0)


@pytest.mark.parametrize("mode", ["FAST_RUN", "FAST_COMPILE", "REFERENCE"])
def test_conditions_of_any_dtype_are_true_where_they_are_not_zero(mode: str) -> None:
    x, c = T.dvector("x"), T.zscalar("c")
    f = function([x, c], Assert()(x, np.nan, c, 7), mode=mode)
    assert f([1.0, 2.0], 1j).tolist() == [1, 2]
    with pytest.raises(AssertionError):
        f([1.0, 2.0], 0j)


def test_effects_let_gradients_through() -> None:
    x = T.dvector("x")
    cost = T.sum(Assert()(Print("")(x), T.all(x > 0)) ** 2)
    g = grad(cost, x)
    assert np.allclose(evaluate([g], {x: np.array([1.0, 3.0])})[0], [2.0, 6.0])


def test_effects_are_marked() -> None:
    assert {row.name for row in ROWS if row.effect} == {"print", "assert"}


def test_the_evaluator_takes_a_branch_by_a_shared_variable() -> None:
    x, s = T.vector("x"), shared(np.array(1.0))
    chosen = ifelse(s, x + 1, x + 2)
    for value, want in ((1.0, [2.0]), (0.0, [3.0])):
        s.set_value(np.asarray(value))
        assert reference.evaluate(chosen, {x: [1.0]}).tolist() == want
