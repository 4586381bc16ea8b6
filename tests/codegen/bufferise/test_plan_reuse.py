"""Groups that differ in their operands and unknown lengths alone have one plan."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import tensordsl as td
import tensordsl.tensor as T
from tensordsl.codegen.compiler.pipeline import make_program

x, y, u, v = T.matrix("x"), T.matrix("y"), T.vector("u"), T.vector("v")


def plans(inputs: list[Any], outputs: list[Any]) -> int:
    return len(make_program("f", inputs, [], outputs, [], False)[1].plans)


def softmaxes(count: int, of: Any) -> Any:
    for _ in range(count):
        of = T.nnet.softmax(of * 3)
    return of


def test_a_chain_of_softmaxes_is_planned_once() -> None:
    assert plans([x], [softmaxes(12, x)]) == plans([x], [softmaxes(6, x)])
    f = td.function([x], softmaxes(6, x))
    for shape in ((200, 3), (3, 200), (0, 4), (1, 1)):
        expected = np.random.default_rng(0).normal(size=shape)
        value = f(expected)
        for _ in range(6):
            e = np.exp(3 * expected - (3 * expected).max(axis=1, keepdims=True)) if expected.size else expected
            expected = e / e.sum(axis=1, keepdims=True)
        np.testing.assert_allclose(value, expected, rtol=1e-12)


@pytest.mark.parametrize(
    "pair",
    [
        (T.exp(x).sum(1), T.exp(y).sum(1) * 2), (T.exp(x) + 0.0, T.exp(y) - 0.0), (x * 2 + 1, y * 2 + 3),
        (T.exp(x).sum(1), T.exp(y).max(1)), (T.exp(x).sum(1), T.exp(y.T).sum(1)), (x + x.T, y + y),
        (T.exp(x) * x.shape[0], T.exp(y) * y.shape[1]),
    ],
)  # fmt: skip
def test_other_structures_have_other_plans(pair: tuple[Any, Any]) -> None:
    both = plans([x, y], list(pair))
    assert both == plans([x], [pair[0]]) + plans([y], [pair[1]])
    a, b = np.random.default_rng(0).normal(size=(2, 30, 30))
    results = td.function([x, y], list(pair))(a, b)
    for result, expected in zip(results, td.function([x, y], list(pair), mode="REFERENCE")(a, b), strict=True):
        np.testing.assert_allclose(result, expected, rtol=1e-12)


def test_operands_go_where_they_went_in_the_first_group() -> None:
    outputs = [T.exp(u) - v / u, T.exp(v) - u / v]
    a, b = np.linspace(1, 2, 50), np.linspace(3, 4, 50)
    f = td.function([u, v], outputs)
    for result, expected in zip(f(a, b), (np.exp(a) - b / a, np.exp(b) - a / b), strict=True):
        np.testing.assert_allclose(result, expected, rtol=1e-14)


def standardised(value: Any, times: int) -> Any:
    for _ in range(times):
        centred = value - value.mean(axis=1, keepdims=True)
        value = centred / T.sqrt(T.sqr(centred).mean(axis=1, keepdims=True) + 0.5) * 2
    return value


def test_lengths_are_each_groups_own() -> None:
    assert plans([x], [standardised(x, 12)]) == plans([x], [standardised(x, 6)])
    outputs = [
        T.exp(x).mean(1),
        T.exp(y).mean(1),
        T.tanh(x) * x.shape[0] + x.shape[1],
        T.tanh(y) * y.shape[0] + y.shape[1],
    ]
    assert plans([x, y], outputs) == plans([x], outputs[::2]) == plans([y], outputs[1::2])
    f = td.function([x, y], outputs)
    for shapes in (((30, 3), (4, 50)), ((4, 50), (30, 3)), ((1, 1), (3, 200))):
        a, b = (np.random.default_rng(0).normal(size=s) for s in shapes)
        for k, z in enumerate((a, b)):
            np.testing.assert_allclose(f(a, b)[k], np.exp(z).mean(1), rtol=1e-12)
            np.testing.assert_allclose(f(a, b)[2 + k], np.tanh(z) * len(z) + z.shape[1], rtol=1e-12)
    a = np.random.default_rng(0).normal(size=(30, 70))
    expected = td.function([x], standardised(x, 6), mode="REFERENCE")(a)
    np.testing.assert_allclose(td.function([x], standardised(x, 6))(a), expected, rtol=1e-9)


def test_one_group_may_be_long_where_the_other_is_short() -> None:
    f = td.function([x, y], [T.exp(x).sum(1), T.exp(y).sum(1)])
    for shapes in (((300, 3), (4, 500)), ((4, 500), (300, 3)), ((0, 3), (3, 0)), ((300, 3), (300, 3))):
        a, b = (np.random.default_rng(0).normal(size=s) for s in shapes)
        for result, expected in zip(f(a, b), (np.exp(a).sum(1), np.exp(b).sum(1)), strict=True):
            np.testing.assert_allclose(result, expected, rtol=1e-12)
