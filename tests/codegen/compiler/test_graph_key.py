"""The key of a graph: equal for equal graphs, different wherever the code is."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import tensordsl.tensor as T
from tensordsl.codegen.compiler.graph_key import graph_key
from tensordsl.ifelse import ifelse
from tensordsl.ops.control import Print, loop_index, make_loop


def key(make: Callable[..., Any], *types: Any) -> str | None:
    inputs = [t() for t in types or (T.dvector,)]
    return graph_key(inputs, [], [make(*inputs)])


def loop(x: Any, count: int = 3, factor: float = 2.0) -> Any:
    i, s = loop_index(), T.dvector()
    return make_loop(count, i, [s], [x], [s * factor + i])[0]


GRAPHS: dict[str, Callable[[Any], Any]] = {
    "plus": lambda x: x + 1, "times": lambda x: x * 1, "float": lambda x: x + 1.0, "two": lambda x: x + 2,
    "swapped": lambda x: 1 - x, "minus": lambda x: x - 1, "zero": lambda x: x + 0.0, "minus_zero": lambda x: x + -0.0,
    "sum": lambda x: x.sum(), "kept": lambda x: x.sum(keepdims=True), "sum32": lambda x: x.sum(dtype="float32"),
    "first": lambda x: x[1:], "every": lambda x: x[::2], "item": lambda x: x[1],
    "constant": lambda x: x + T.constant(np.array([1.0, 2.0])), "other": lambda x: x + T.constant(np.array([1.0, 3.0])),
    "branch": lambda x: ifelse(x[0], x, x + 1), "branches": lambda x: ifelse(x[0], x + 1, x),
    "loop": loop, "longer": lambda x: loop(x, 4), "steeper": lambda x: loop(x, 3, 3.0),
    "twice": lambda x: T.exp(x) + T.exp(x),
}  # fmt: skip


@pytest.mark.parametrize("name", GRAPHS)
def test_a_graph_made_twice_has_one_key(name: str) -> None:
    assert key(GRAPHS[name]) == key(GRAPHS[name]) is not None


def test_different_graphs_have_different_keys() -> None:
    keys = [key(make) for make in GRAPHS.values()]
    assert len(set(keys)) == len(keys)


def test_types_of_the_inputs_and_their_order_count() -> None:
    a = key(lambda x, y: x - y, T.dvector, T.dvector)
    b = key(lambda x, y: y - x, T.dvector, T.dvector)
    c = key(lambda x, y: x - y, T.dvector, T.drow)
    d = key(lambda x, y: x - y, T.fvector, T.dvector)
    assert len({a, b, c, d}) == 4


def test_names_do_not_count() -> None:
    x, y = T.dvector("x"), T.dvector("y")
    assert graph_key([x], [], [x + 1]) == graph_key([y], [], [y + 1])


def test_inputs_and_shared_variables_are_told_apart() -> None:
    x, y = T.dvector("x"), T.dvector("y")
    assert graph_key([x, y], [], [x + y]) != graph_key([x], [y], [x + y])


def test_a_graph_that_calls_python_has_no_key() -> None:
    x = T.dvector("x")
    assert graph_key([x], [], [Print("x")(x)]) is None
    i, s = loop_index(), T.dvector("s")
    assert graph_key([x], [], [make_loop(2, i, [s], [x], [Print("s")(s)])[0]]) is None


def test_large_constants_are_told_apart_by_their_bytes() -> None:
    x = T.vector()
    table = np.zeros(1000)
    other = table.copy()
    other[-1] = -0.0
    key = graph_key([x], [], [x[0] + table])
    assert key is not None and key == graph_key([x], [], [x[0] + table.copy()]) and len(key[0]) < 1000
    assert key != graph_key([x], [], [x[0] + other])
    assert key != graph_key([x], [], [x[0] + table.reshape(10, 100)])
