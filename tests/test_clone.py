"""Copies of expressions with parts replaced."""

from __future__ import annotations

import numpy as np
import pytest

import tensordsl.tensor as T
from tensordsl.clone import clone, clone_replace
from tensordsl.graph import inputs_of
from tensordsl.ops.control import loop_index, make_loop
from tensordsl.ops.evaluate import evaluate


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
