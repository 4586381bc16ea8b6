"""Walks over graphs in Theano 1.0.5's order, by which programs save and load the parameters of a network."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

import tensordsl
import tensordsl.tensor as T
from tensordsl.gof import graph


def named(variable: Any, name: str) -> Any:
    variable.name = name
    return variable


def names(variables: Iterable[Any]) -> str:
    return " ".join(v.name for v in variables)


def applications(inputs: Sequence[Any], outputs: Sequence[Any]) -> str:
    return names(node.outputs[0] for node in graph.io_toposort(inputs, outputs))


a, b, c, d = (T.dmatrix(name) for name in "abcd")
p = named(T.dot(a, b), "p")
q = named(T.maximum(p, c), "q")
r = named(T.sub(d, q), "r")
s = named(T.dot(q, p), "s")
t = named(T.switch(s, a, r), "t")


def test_inputs_come_in_the_order_of_theano() -> None:
    assert names(graph.inputs([c, b, a])) == "a b c"
    assert names(graph.inputs([a + (b + c)])) == names(graph.inputs([(a + b) + c])) == "a b c"
    assert names(graph.inputs([t])) == "a b c d"
    assert names(graph.inputs([r, s])) == "a b c d"
    assert names(graph.inputs([r, s], [p])) == "c d"
    assert names(graph.inputs(reversed([a, b, c]))) == "a b c"
    assert len(graph.inputs([a + 1])) == 2  # the constant too


def test_parameters_of_a_network_come_layer_by_layer() -> None:
    x = T.dmatrix("x")
    parameters = [
        tensordsl.shared(value, name=name)
        for name, value in (("W1", np.eye(1)), ("b1", np.zeros(1)), ("W2", np.eye(1)), ("b2", np.zeros(1)))
    ]
    w1, b1, w2, b2 = parameters
    output = T.nnet.softmax(T.dot(T.tanh(T.dot(x, w1) + b1), w2) + b2)
    assert names(graph.inputs([output])) == "x W1 b1 W2 b2"


def test_ancestors_come_in_the_order_of_theano() -> None:
    assert names(graph.ancestors([t])) == "t s q p a b c r d"
    assert names(graph.ancestors([t], [q])) == "t s q p a b r d"
    assert names(graph.ancestors([r, p])) == "p a b r d q c"


def test_applications_come_in_the_order_of_theano() -> None:
    assert applications([a, b, c, d], [t]) == "p q r s t"
    assert applications([a, b, c, d], [r, s]) == "p q r s"
    assert applications([p], [s, r]) == "q s r"
    assert applications([q], [t]) == "r p s t"


def test_a_deep_graph_needs_no_recursion() -> None:
    v = a
    for _ in range(5000):
        v = v + b
    assert names(graph.inputs([v])) == "a b" and len(graph.io_toposort([a, b], [v])) == 5000
