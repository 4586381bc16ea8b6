"""From the user's graph to tensor IR: equal values are one, casts and lengths are explicit, constraints are hoisted or not."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import tensordsl.tensor as T
from tensordsl.codegen.tensor_ir.graph import toposort
from tensordsl.codegen.tensor_ir.lower import lower
from tensordsl.ifelse import ifelse
from tensordsl.ops.control import Assert, loop_index, make_loop

C, N, K = T.lscalar("c"), T.lscalar("n"), T.lscalar("k")
X, Y, M = T.dvector("x"), T.dvector("y"), T.dmatrix("m")
INPUTS = [C, N, K, X, Y, M]


def lowered(*outputs: Any) -> Any:
    return lower(INPUTS, [], list(outputs), [])


def count(low: Any, op: str) -> int:
    return sum(v.op == op for v in toposort(low.outputs))


def texts(low: Any) -> list[str]:
    return [c.what for c in low.graph.extents.constraints]


def test_equal_expressions_are_one_value() -> None:
    low = lowered(T.exp(X) + 1, T.exp(X) + 1)
    assert low.outputs[0] is low.outputs[1] and count(low, "map") == 2
    asserted = lowered(Assert("a")(X, C > 0), Assert("a")(X, C > 0))
    assert asserted.outputs[0] is not asserted.outputs[1]  # an effect happens as often as it was asked for


def test_a_constant_of_one_element_is_a_number_of_which_lengths_may_be_made() -> None:
    graph = lowered(X + 1).graph
    one = graph.const(np.array([[3]]))
    assert graph.move(one, (None, None), ()) is graph.const(np.array(3))
    assert graph.move(graph.move(one, (None, 0), (3,)), (None,), ()) is graph.const(np.array(3))


def test_constants_are_told_apart_by_their_bits() -> None:
    low = lowered(X + 0.0, X + -0.0, X + 1, X + 1.0, X + np.nan, X + np.nan)
    zero, minus, one, other, nan, again = low.outputs
    assert zero is not minus and one is other and nan is again


def test_operands_are_cast_to_the_loops_dtype() -> None:
    n = T.lvector("n")
    (value,) = lower([X, n], [], [X + n], []).outputs
    assert [o.dtype for o in value.operands] == ["float64", "float64"]


def test_lengths_that_must_agree_are_constraints_once() -> None:
    low = lowered(X + Y, X * Y, T.dot(M, X))
    assert len(low.graph.extents.constraints) == 2
    find = low.graph.extents.find
    assert find(low.sources[3].shape[0]) == find(low.sources[4].shape[0]) == find(low.sources[5].shape[1])


def test_constraints_name_the_users_node() -> None:
    low = lowered(T.exp(X + Y))
    (c,) = low.graph.extents.constraints
    assert low.nodes[c.node].op.name == "add"


def test_integers_behind_lengths_are_seen_through() -> None:
    (value,) = lowered(X.reshape((X.shape[0], 1)) + Y.reshape((-1, 1))).outputs
    assert value.op == "map" and all(o.op == "move" for o in value.operands)
    low = lowered(T.zeros((X.shape[0] + Y.shape[0] - X.shape[0],)) + Y)
    assert not low.graph.extents.constraints


def test_index_bounds_are_constraints() -> None:
    assert len(lowered(X[K]).graph.extents.constraints) == 2
    assert len(lowered(X[3]).graph.extents.constraints) == 1
    assert not lowered(X[1:5]).graph.extents.constraints
    with pytest.raises(IndexError, match="out of bounds"):
        T.constant(np.zeros(2))[3].eval()


@pytest.mark.parametrize("value", [X + Y, X[K] + Y, T.dot(M, X), X.reshape((K, 1)).sum(axis=1), T.zeros((K,))])
def test_branches_assume_what_others_need(value: Any) -> None:
    low = lowered(ifelse(C, value, T.ones((2,))))
    assert not low.graph.extents.constraints and low.graph.extents.assumed
    always = lowered(ifelse(C, value, T.ones((2,))), value)
    assert always.graph.extents.constraints and not always.graph.extents.assumed


def test_the_condition_of_a_branch_is_always_computed() -> None:
    low = lowered(ifelse(T.sum(X + Y) > 0, X, X * 2))
    assert low.graph.extents.constraints and not low.graph.extents.assumed


@pytest.mark.parametrize("steps, assumes", [(N, True), (0, True), (3, False)])
def test_bodies_that_may_not_run_assume(steps: Any, assumes: bool) -> None:
    i, s = loop_index(), T.dvector("s")
    low = lowered(make_loop(steps, i, [s], [X], [s + Y])[0])
    assert bool(low.graph.extents.assumed) == assumes == (not low.graph.extents.constraints)


def test_a_known_condition_chooses_at_once() -> None:
    low = lowered(ifelse(T.constant(1), X * 2, X * 3))
    assert count(low, "ifelse") == 0


def test_expanded_rows_leave_no_trace() -> None:
    low = lowered(T.nnet.softmax(M))
    assert {v.op for v in toposort(low.outputs)} <= {"arg", "map", "move", "reduce", "const", "extent"}
