"""Kernels that known lengths decide on are compiled with the function, others when a call requires them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from tuned import HERE

import tensordsl as td
import tensordsl.tensor as T
from tensordsl.codegen.program_ir import instructions as p
from tensordsl.codegen.variants.predict import predicted_plans
from tensordsl.functions import native

ARG, SHARED = ("arg", 0), ("shared", 0)


def choices(*code: Any) -> set[int]:
    """Of a program that requires plan 1 if `x` is not 0, else plan 2; its argument is a matrix of float64, its shared
    variable is (4, 100)."""
    require = p.Require((("x", 1), ("not x", 2)), 0, 1)
    opposite = p.Compare("not x", "eq", "x", "c0")
    const = [p.Const("c0", 0), p.Const("c32", 32), p.Extent("a", ARG, 0), p.Extent("s", SHARED, 0)]
    program = p.Program(
        "f", [("float64", (None, None))], [], [], code=[*const, *code, opposite, require, p.Const("x", 0)]
    )
    return predicted_plans(program, [(4, 100)], HERE.variants)


def test_lengths_of_shared_variables_decide() -> None:
    assert choices(p.Compare("x", "le", "s", "c32")) == {1}
    assert choices(p.Compare("x", "ge", "s", "c32")) == {2}
    assert choices(p.Extent("t", SHARED, 1), p.Compare("x", "ge", "t", "c32")) == {1}
    assert choices(p.Extent("t", SHARED, 1), p.Compare("x", "le", "t", "c32")) == {2}


def test_an_unknown_length_is_long_but_not_known_to_be_no_short_one() -> None:
    assert choices(p.Compare("x", "ge", "a", "c32")) == {1}
    assert choices(p.Compare("x", "le", "a", "c32")) == set()
    assert choices(p.Compare("x", "eq", "a", "c32")) == set()
    assert choices(p.Stride("t", ARG, 0), p.Compare("x", "ge", "t", "c32")) == set()
    assert choices(p.Mul("t", "a", "s", 1), p.Compare("x", "ge", "t", "c32")) == set()


def test_an_unknown_length_is_not_huge() -> None:
    assert choices(p.Const("huge", 100_000), p.Compare("x", "gt", "a", "huge")) == {2}
    assert choices(p.Compare("x", "gt", "a", "c32")) == set()
    assert choices(p.Mul("t", "a", "s", 1), p.Const("huge", 100_000), p.Compare("x", "gt", "t", "huge")) == set()


def test_an_unknown_length_is_taken_for_more_than_what_a_known_one_gives() -> None:
    assert choices(p.Compare("x", "le", "a", "s")) == {2}
    assert choices(p.Mul("t", "s", "c32", 1), p.Compare("x", "le", "a", "t")) == {2}
    assert choices(p.Mul("t", "a", "c32", 1), p.Compare("x", "le", "a", "t")) == set()


def test_arguments_are_taken_for_such_with_adjacent_elements() -> None:
    twice = p.Const("c2", 2), p.Const("c16", 16), p.Mul("t", "d", "c2", 1), p.Compare("x", "eq", "t", "c16")
    assert choices(p.Stride("d", ARG, 1), *twice) == {1}
    assert choices(p.Stride("d", ARG, 0), *twice) == set()


def test_one_condition_may_decide_for_several() -> None:
    short, long = p.Compare("q", "le", "a", "c32"), p.Compare("r", "ge", "s", "c32")
    assert choices(short, long, p.Arith("x", "min", "q", "r")) == {2}
    assert choices(short, long, p.Arith("x", "max", "q", "r")) == set()
    yes = p.Compare("r", "le", "s", "c32")
    assert choices(short, yes, p.Arith("x", "max", "q", "r")) == {1}
    assert choices(short, yes, p.Arith("x", "min", "q", "r")) == set()


def test_products_and_sums_of_known_lengths_are_known() -> None:
    other, sizes = p.Extent("t", SHARED, 1), [p.Mul("m", "s", "t", 1), p.Arith("n", "add", "m", "s")]
    for op, limit, plan in (
        ("gt", 404, 2),
        ("ge", 404, 1),
        ("lt", 404, 2),
        ("eq", 404, 1),
        ("ne", 404, 2),
        ("gt", 403, 1),
    ):
        assert choices(other, *sizes, p.Const("c", limit), p.Compare("x", op, "n", "c")) == {plan}


def test_the_result_of_a_branch_is_known_if_the_condition_or_both_results_are() -> None:
    yes, no = p.Compare("t", "ge", "s", "c0"), p.Compare("f", "lt", "s", "c0")

    def branch(cond: str, then: str, orelse: str) -> p.Instr:
        return p.If(cond, (yes,), (no,), (("x", then, orelse),), ("i64",))

    assert choices(branch("c0", "f", "t")) == {1}
    assert choices(branch("c0", "t", "f")) == {2}
    assert choices(branch("c32", "t", "f")) == {1}
    assert choices(branch("a", "t", "f")) == set()
    assert choices(branch("a", "t", "t")) == {1}


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_other_lengths_than_those_foreseen_get_their_kernels(dtype: str, monkeypatch: pytest.MonkeyPatch) -> None:
    required: list[int] = []
    late_object = native.late_object
    monkeypatch.setattr(native, "late_object", lambda parts: required.append(len(parts)) or late_object(parts))
    native.forget()
    rng = np.random.default_rng(0)
    values = [rng.integers(-8, 8, shape).astype(dtype) for shape in ((200, 3), (50, 700), (2, 3), (1, 700), (0, 5))]
    w = td.shared(values[0], broadcastable=(False, False))
    f = td.function([], T.exp(w - T.max(w, axis=1, keepdims=True)).sum(axis=1))
    for number, value in enumerate(values):
        w.set_value(value)
        expected = np.exp(value - value.max(axis=1, keepdims=True)).sum(axis=1) if value.size else np.zeros(len(value))
        np.testing.assert_allclose(f(), expected, rtol=1e-6)
        assert number or not required
    assert required


@pytest.mark.parametrize(("sizes", "count"), [((3, 4, 2), 0), ((3, 100, 3000), 1)])
def test_weights_say_whether_products_may_go_in_blocks(
    sizes: tuple[int, int, int], count: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a network whose matrices are shared variables: small ones never, of large ones the call decides."""
    required: list[int] = []
    late_object = native.late_object
    monkeypatch.setattr(native, "late_object", lambda parts: required.append(len(parts)) or late_object(parts))
    monkeypatch.setattr(native.cache, "get", lambda key: None)
    native.forget()
    rng = np.random.default_rng(0)
    out = x = T.dmatrix("x")
    y = T.dvector("y")
    weights = [td.shared(rng.normal(size=shape) / shape[1]) for shape in zip(sizes[1:], sizes[:-1], strict=True)]
    for w in weights:
        out = T.tanh(T.dot(w, out))
    cost = ((out - y) ** 2).sum()
    f = td.function([x, y], cost, updates=[(w, w - 0.5 * T.grad(cost, w)) for w in weights])
    points, labels = rng.normal(size=(sizes[0], 40)), rng.normal(size=40)
    first, second = (w.get_value() for w in weights)
    hidden = np.tanh(first @ points)
    result = np.tanh(second @ hidden)
    np.testing.assert_allclose(f(points, labels), ((result - labels) ** 2).sum())
    slope = 2 * (result - labels) * (1 - result**2)
    np.testing.assert_allclose(weights[1].get_value(), second - 0.5 * slope @ hidden.T, atol=1e-12)
    back = (second.T @ slope) * (1 - hidden**2)
    np.testing.assert_allclose(weights[0].get_value(), first - 0.5 * back @ points.T, atol=1e-12)
    assert len(required) == count
