"""Kernels that known lengths decide on are compiled with the function, others when a call requires them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import tensordsl as td
import tensordsl.tensor as T
from tensordsl import native
from tensordsl.codegen import program as p
from tensordsl.codegen.foresee import foreseen_plans

ARG, SHARED = ("arg", 0), ("shared", 0)


def choices(*code: Any) -> set[int]:
    """Of a program that requires plan 1 if `x` is not 0, else plan 2; its shared variable is (4, 100)."""
    require = p.Require((("x", 1, 2),), 0, 1)
    const = [p.Const("c0", 0), p.Const("c32", 32), p.Extent("a", ARG, 0), p.Extent("s", SHARED, 0)]
    program = p.Program("f", [], [], [], code=[*const, *code, require, p.Const("x", 0)])
    return foreseen_plans(program, [(4, 100)])


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


def test_one_condition_may_decide_for_several() -> None:
    short, long = p.Compare("q", "le", "a", "c32"), p.Compare("r", "ge", "s", "c32")
    assert choices(short, long, p.Arith("x", "min", "q", "r")) == {2}
    assert choices(short, long, p.Arith("x", "max", "q", "r")) == set()
    yes = p.Compare("r", "le", "s", "c32")
    assert choices(short, yes, p.Arith("x", "max", "q", "r")) == {1}
    assert choices(short, yes, p.Arith("x", "min", "q", "r")) == set()


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
