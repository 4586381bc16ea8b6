"""Where values are computed: out of the loops they do not vary with, inside of the branch that alone needs them."""

from __future__ import annotations

from typing import Any

import pytest

import tensordsl.tensor as T
from tensordsl.codegen.compiler.pipeline import optimise_lowered
from tensordsl.codegen.fusion.hoist_from_branches import share_branches
from tensordsl.codegen.fusion.placement import plan_regions
from tensordsl.codegen.tensor_ir.lower import lower
from tensordsl.ifelse import ifelse
from tensordsl.ops.control import loop_index, make_loop

C, D, N = T.lscalar("c"), T.lscalar("d"), T.lscalar("n")
X, Y = T.dvector("x"), T.dvector("y")


def rows(inputs: list[Any], *outputs: Any) -> dict[tuple[str, ...], list[str]]:
    """For each region, as the words of its path, the names of the elementwise rows that it computes, and constructs."""
    lowered = lower(inputs, [], list(outputs), [])
    optimise_lowered(lowered)
    result: dict[tuple[str, ...], list[str]] = {}
    for context, region in plan_regions(lowered.graph, share_branches(lowered.graph, lowered.outputs)).items():
        path = tuple("for" if p[0] == "for" else ("then", "else")[p[2]] for p in context)
        names = result.setdefault(path, [])
        for step in region.steps:
            if step.fused is None:
                assert step.value is not None
                names.append(step.value.op)
                continue
            computed = [lowered.graph.values[n] for n in step.fused.tensors]
            names += [v.attrs["row"].name for v in computed if v.op == "map" and v.attrs["row"].name != "cast"]
    return {path: sorted(names) for path, names in result.items()}


def test_what_one_branch_needs_is_computed_there() -> None:
    got = rows([C, X, Y], ifelse(C, T.exp(X) * Y, T.log(X)))
    assert got["then",] == ["exp", "mul"] and got["else",] == ["log"]
    assert "exp" not in got[()] and "log" not in got[()]


def test_what_both_branches_or_others_need_is_computed_before() -> None:
    shared_ = T.exp(X)
    got = rows([C, X, Y], ifelse(C, shared_ + 1, shared_ * Y))
    assert "exp" in got[()] and got["then",] == ["add"] and got["else",] == ["mul"]
    got = rows([C, X, Y], ifelse(C, shared_ + 1, Y), shared_)
    assert "exp" in got[()] and "add" not in got[()]


def test_branches_inside_of_branches() -> None:
    got = rows([C, D, X, Y], ifelse(C, ifelse(D, T.exp(X), T.sin(X) + Y), T.log(X)))
    assert got["then", "then"] == ["exp"] and got["then", "else"] == ["add", "sin"] and got["else",] == ["log"]


@pytest.mark.parametrize("count", [N, 30])
def test_a_loop_computes_what_varies_with_it(count: Any) -> None:
    i, s = loop_index(), T.dvector("s")
    (final,) = make_loop(count, i, [s], [X], [s * T.exp(Y) + T.sqrt(T.cast(i, "float64"))])
    got = rows([N, X, Y], final)
    assert "exp" in got[()] and set(got["for",]) >= {"add", "mul", "sqrt"} and "exp" not in got["for",]


def test_loops_inside_of_loops() -> None:
    i, j, s, t = loop_index(), loop_index(), T.dvector("s"), T.dvector("t")
    (inner,) = make_loop(20, j, [t], [s], [t + T.sin(s) + T.exp(Y) + j])
    (outer,) = make_loop(30, i, [s], [X], [inner])
    got = rows([X, Y], outer)
    assert "exp" in got[()] and "sin" in got["for",] and "sin" not in got["for", "for"]
    assert "add" in got["for", "for"]


def test_a_branch_inside_of_a_loop() -> None:
    i, s = loop_index(), T.dvector("s")
    (final,) = make_loop(3, i, [s], [X], [ifelse(T.eq(i, 1), T.exp(s), s + 1)])
    got = rows([X], final)
    assert got["for", "then"] == ["exp"] and got["for", "else"] == ["add"]


def test_what_branches_of_several_choices_share_is_computed_in_a_branch() -> None:
    value = T.exp(X) * Y
    cost = ifelse(C, T.sum(T.sqr(value)), T.sum(X))
    got = rows([C, X, Y], cost, T.grad(cost, X))
    assert "exp" not in got[()] and got["then",].count("exp") == 1
    first = ifelse(C, value, X)
    got = rows([C, X, Y], first, ifelse(C, T.sin(value + first.sum()), X), ifelse(C, T.cos(value + first.sum()), X))
    assert not {"exp", "sin", "cos"} & set(got[()]) and got["then",].count("exp") == 1
    got = rows([C, D, X, Y], ifelse(C, T.exp(X), Y), ifelse(D, T.exp(X) + 1, Y))  # another condition
    assert "exp" in got[()]
    got = rows([C, X, Y], ifelse(C, T.exp(X), Y), ifelse(C, Y, T.exp(X) + 1))  # another side
    assert "exp" in got[()]
