"""Copies of expressions with parts replaced."""

from __future__ import annotations

import numpy as np
import pytest

import tensordsl.tensor as T
from tensordsl.clone import clone, clone_replace
from tensordsl.function import function
from tensordsl.gof import graph
from tensordsl.graph import inputs_of
from tensordsl.graph.evaluate import evaluate
from tensordsl.io import In
from tensordsl.ops.control import loop_index, make_loop
from tensordsl.shared import shared


def test_a_clone_is_a_new_expression_over_the_same_inputs() -> None:
    x = T.vector("x")
    y = T.exp(x) + 1
    y.name, y.tag.mark = "y", 3
    copy = clone(y)
    assert copy is not y and copy.owner is not y.owner and copy.name == "y" and copy.tag.mark == 3
    assert inputs_of([copy]) == [x]
    assert str(copy.origin) == str(y.origin)


def test_a_variable_inside_may_be_replaced() -> None:
    x, z = T.vector("x"), T.vector("z")
    hidden = T.exp(x)
    first, second = clone([hidden * 2, hidden + x], replace={hidden: z})
    assert inputs_of([first]) == [z] and inputs_of([second]) == [z, x]
    assert clone(hidden, replace={hidden: z}) is z
    assert inputs_of([clone_replace(hidden, [(x, z)])]) == [z]


def test_replacements_are_not_replaced_again() -> None:
    x, y = T.vector("x"), T.vector("y")
    swapped = clone(x - y, replace={x: y, y: x})
    assert evaluate([swapped], {x: np.array([1.0]), y: np.array([5.0])})[0].tolist() == [4.0]


def test_a_replacement_must_have_the_type_unless_not_strict() -> None:
    x, m = T.vector("x"), T.matrix("m")
    with pytest.raises(TypeError, match=r"cannot replace x of type .*vector.* by m of type .*matrix"):
        clone(x * 2, replace={x: m})
    assert clone(x * 2, replace={x: m}, strict=False).type.ndim == 2
    with pytest.raises(TypeError, match="not a variable"):
        clone(x * 2, replace={"x": m})


def test_a_literal_takes_the_dtype_of_what_it_replaces_if_that_is_exact() -> None:
    s, i = T.dscalar("s"), T.iscalar("i")
    assert evaluate([clone(s * 2, replace={s: 3})], {})[0] == 6.0
    with pytest.raises(TypeError, match="cannot replace i"):
        clone(i * 2, replace={i: 1.5})


def test_a_clone_of_a_shared_variable_has_its_value() -> None:
    s, x = shared(np.array([1.0, 2.0]), name="s"), T.vector("x")
    s.default_update = s + 1
    one = clone(s, share_inputs=False)
    assert one is not s and isinstance(one, type(s)) and one.name == "s" and one.default_update is None
    s.set_value([5.0, 6.0])
    assert one.get_value().tolist() == [5, 6]
    one.set_value([7.0, 8.0])
    assert s.get_value().tolist() == [7, 8]
    copy = clone(s * x, share_inputs=False)
    other, y = graph.inputs([copy])
    assert isinstance(other, type(s)) and other is not s and y is not x
    f = function([y], copy)
    assert f([1.0, 1.0]).tolist() == f([1.0, 1.0]).tolist() == [7, 8]
    other.set_value([1.0, 2.0])
    assert f([1.0, 1.0]).tolist() == [1, 2] and s.get_value().tolist() == [1, 2]
    assert clone(s) is s and clone([s, s * 2], share_inputs=False)[0].get_value().tolist() == [1, 2]


def test_clones_and_their_root_are_one_state_of_a_function() -> None:
    s = shared(np.array([1.0, 2.0]), name="s")
    one = clone(s, share_inputs=False)
    another = clone(one, share_inputs=False)
    f = function([], another * 2, updates=[(one, s + 1)])
    assert [f().tolist() for _ in range(2)] == [[2, 4], [4, 6]]
    assert all(v.get_value().tolist() == [3, 4] for v in (s, one, another))
    assert f[one].tolist() == f[s].tolist() == [3, 4] and f.get_shared() == [s]
    with pytest.raises(ValueError, match="updated twice"):
        function([], [], updates=[(s, s + 1), (one, one * 3)])
    state = function([In(x := T.vector("x"), value=one, update=x + 1)], x * 1)
    assert state().tolist() == [3, 4] and s.get_value().tolist() == [4, 5]
    t = shared(np.array([0.0, 0.0]))
    assert f.copy(swap={one: clone(t, share_inputs=False)})().tolist() == [0, 0] and t.get_value().tolist() == [1, 1]
    assert function([], one * 2, mode="DebugMode")().tolist() == [8, 10]


def test_clones_of_generic_shared_variables() -> None:
    s = shared({"a": 1})
    one = clone(s, share_inputs=False)
    assert type(one) is type(s) and one is not s
    one.set_value({"b": 2})
    assert s.get_value() == {"b": 2}


def test_inputs_of_replacements_are_cloned_too() -> None:
    s, x = shared(1.0, name="s"), T.scalar("x")
    copy = clone(s * x, replace={x: s * 2.0}, share_inputs=False)
    (one,) = [v for v in graph.inputs([copy]) if v.name]
    assert one is not s and one.name == "s" and function([], copy)() == 2


def test_a_clone_may_have_inputs_of_its_own() -> None:
    x = T.vector("x")
    (fresh,) = inputs_of([clone(x * 2, share_inputs=False)])
    assert fresh is not x and fresh.type == x.type and fresh.name == "x"


def test_a_replacement_reaches_into_loops() -> None:
    x, z, i, s = T.vector("x"), T.vector("z"), loop_index(), T.vector("s")
    (total,) = make_loop(3, i, [s], [T.zeros_like(x)], [s + T.exp(x)])
    copy = clone(total, replace={x: z})
    assert inputs_of([copy]) == [z]
    assert np.allclose(evaluate([copy], {z: np.zeros(2)})[0], 3.0)


def test_a_long_chain_is_copied_without_recursion() -> None:
    x, z = T.scalar("x"), T.scalar("z")
    y = x
    for _ in range(20_000):
        y = T.sin(y)
    assert inputs_of([clone(y, replace={x: z})]) == [z]
