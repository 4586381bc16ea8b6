"""Constants that are broadcast or moved are folded, and constants of one element are numbers."""

from __future__ import annotations

import numpy as np
import pytest

import tensordsl.tensor as T
from tensordsl.codegen.tensor_ir.graph import Graph
from tensordsl.function import function
from tensordsl.ops.math.elementwise import MUL

ROW, COLUMN = np.arange(3.0), np.arange(4.0)[:, None]


@pytest.mark.parametrize("rank", [1, 2, 3])
def test_a_constant_of_one_element_is_a_number_to_rules(rank: int) -> None:
    x = T.TensorType("float64", (False,) * rank)("x")
    two = T.constant(np.full((1,) * rank, 2.0))
    at = np.array([3.0, -0.5, 0.1]).reshape((3,) + (1,) * (rank - 1))
    np.testing.assert_array_equal(function([x], x**two)(at), at * at)


def test_it_is_no_operand_of_a_map() -> None:
    graph = Graph()
    x = graph.make("arg", (), "float64", (3,), index=0)
    made = graph.map(MUL, x, graph.const(np.array([2.0])))
    assert [v.op for v in made.operands] == ["arg", "move"]
    many = graph.map(MUL, x, graph.const(np.array([2.0, 3.0, 4.0])))
    assert [v.op for v in many.operands] == ["arg", "const"]


def test_what_is_moved_is_folded_in_its_place() -> None:
    x = T.dmatrix("x")
    table = T.sin(T.constant(ROW).dimshuffle("x", 0) * T.constant(COLUMN) + T.constant(ROW.reshape(1, 3)))
    turned = T.constant(np.arange(12.0).reshape(3, 4)).T * T.constant(ROW)
    f = function([x], [x + table, x * turned])
    at = np.ones((4, 3))
    one, two = f(at)
    np.testing.assert_allclose(one, 1 + np.sin(ROW * COLUMN + ROW), rtol=1e-15)
    np.testing.assert_array_equal(two, np.arange(12.0).reshape(3, 4).T * ROW)
    assert "sin" not in f.mlir()


def test_wide_results_are_left_to_the_call() -> None:
    x = T.dvector("x")
    n = 200
    table = T.exp(T.constant(np.arange(n) / n).dimshuffle(0, "x") - T.constant(np.arange(float(n))))
    found = function([x], (table * x).sum(axis=1))(np.ones(n))
    np.testing.assert_allclose(found, np.exp(np.arange(n)[:, None] / n - np.arange(n)).sum(axis=1))
