"""A call requires the plans that it launches under conditions known at its entry; others are always there."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
import pytest

import tensordsl
import tensordsl.tensor as T
from tensordsl.codegen.abi import layouts
from tensordsl.codegen.compiler.pipeline import make_program
from tensordsl.codegen.cpu.planner import _Planner
from tensordsl.codegen.program_ir import instructions as p
from tensordsl.codegen.program_ir.storage import Scope
from tensordsl.codegen.program_ir.tables import late_plans
from tensordsl.codegen.variants.guards import requires

CONDITIONS = "xyz"


class Builder:
    def __init__(self) -> None:
        self.entry = Scope([p.Extent(name, ("arg", 0), k) for k, name in enumerate(CONDITIONS)])
        self.count = 0

    def name(self, length: int) -> str:
        self.entry.code.append(p.Const(name := self.fresh("c"), length))
        return name

    def fresh(self, prefix: str = "t") -> str:
        self.count += 1
        return f"{prefix}{self.count}"

    def common_site(self, kind: str) -> int:
        return 1


def launch(plan: int) -> p.Instr:
    return p.Launch(plan, (), (), (), (), (), 0)


def when(cond: str, then: Any, orelse: Any = ()) -> p.Instr:
    return p.If(cond, tuple(then), tuple(orelse))


def required(*body: p.Instr) -> dict[int, list[bool]]:
    """Of each late plan whether it is required, for all values of the conditions in turn."""
    b = Builder()
    choices = [c for i in requires(b, body) for c in i.choices]  # type: ignore[attr-defined]  # Requires
    result: dict[int, list[bool]] = {plan: [] for _, plan in choices}
    for values in product((0, 1), repeat=len(CONDITIONS)):
        known = dict(zip(CONDITIONS, values, strict=True))
        for i in b.entry.code:
            if isinstance(i, p.Const):
                known[i.dst] = i.value
            elif isinstance(i, p.Compare):
                known[i.dst] = int(known[i.a] == known[i.b])
            elif isinstance(i, p.Arith):
                known[i.dst] = {"min": min, "max": max}[i.op](known[i.a], known[i.b])
        for name, plan in choices:
            result[plan].append(bool(known[name]))
    return result


def table(condition: Any) -> list[bool]:
    return [bool(condition(*values)) for values in product((0, 1), repeat=len(CONDITIONS))]


def test_a_plan_is_required_where_it_is_launched() -> None:
    assert required(launch(0), when("x", [launch(1)], [launch(2)])) == {
        1: table(lambda x, y, z: x),
        2: table(lambda x, y, z: not x),
    }


def test_conditions_around_each_other_hold_together() -> None:
    inner = when(
        "y", [when("z", [launch(1)])], [p.Blocks("i", "h", "part", "start", "slot", "x", "x", "x", (launch(2),))]
    )
    assert required(when("x", [], [inner])) == {
        1: table(lambda x, y, z: not x and y and z),
        2: table(lambda x, y, z: not x and not y),
    }


def test_of_several_launches_any_counts() -> None:
    assert required(when("x", [launch(1)]), when("y", [], [launch(1)])) == {1: table(lambda x, y, z: x or not y)}
    assert required(when("x", [launch(1), when("y", [launch(1)])])) == {1: table(lambda x, y, z: x)}


def test_a_plan_that_every_call_launches_is_not_late() -> None:
    assert not required(when("x", [launch(1)], [launch(1)]))
    assert not required(when("x", [launch(1)]), launch(1))
    assert not required(when("x", [when("y", [launch(1)], [launch(1)])], [launch(1)]))


def test_conditions_that_are_computed_later_do_not_count() -> None:
    assert not required(p.Compare("late", "eq", "x", "y"), when("late", [launch(1)], [launch(2)]))
    assert required(when("late", [when("x", [launch(1)])])) == {1: table(lambda x, y, z: x)}


def test_one_check_holds_so_many() -> None:
    b, count = Builder(), layouts.CHOICES + 3
    first, second = requires(b, [when("x", map(launch, range(count)))])
    assert (len(first.choices), len(second.choices), second.first) == (layouts.CHOICES, 3, layouts.CHOICES)  # type: ignore[attr-defined]


def test_a_call_has_all_that_it_requires_however_many() -> None:
    """The plans of 70 sums, of which each has one for short rows and one for long ones: more than one word names."""
    xs = [T.dmatrix() for _ in range(70)]
    f = tensordsl.function(xs, [(x * (k + 2)).sum(axis=1) for k, x in enumerate(xs)])
    for shape in ((40, 3), (3, 40), (300, 2), (40, 3)):
        values = [np.arange(k, k + np.prod(shape), dtype=float).reshape(shape) for k in range(70)]
        for k, got in enumerate(f(*values)):
            np.testing.assert_array_equal(got, (values[k] * (k + 2)).sum(axis=1))


def test_kernels_that_no_call_has_required_are_not_made(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also of groups that name lengths, as means do, and of as many lengths as a group has."""
    made: list[str] = []
    run = _Planner.run
    monkeypatch.setattr(_Planner, "run", lambda planner: made.append(planner.name) or run(planner))
    x = T.dmatrix()
    centred = x - x.mean(1, keepdims=True)
    outputs = [centred / T.sqrt((centred**2).mean(1, keepdims=True)) * x.shape[0], x.mean(0) * x.size]
    late = late_plans(make_program("f", [x], (), outputs, (), False)[1])
    assert len(late) > 4
    assert not made
    f = tensordsl.function([x], outputs)
    for shape in ((40, 3), (3, 40), (300, 2), (2, 5000), (1, 7)):
        a = np.random.default_rng(1).normal(size=shape)
        for given in (a, np.asfortranarray(a)):
            with np.errstate(all="ignore"):
                b = given - given.mean(1, keepdims=True)
                want = [b / np.sqrt((b**2).mean(1, keepdims=True)) * len(b), given.mean(0) * given.size]
            for got, expected in zip(f(given), want, strict=True):
                np.testing.assert_allclose(got, expected, rtol=1e-9, atol=1e-12)
