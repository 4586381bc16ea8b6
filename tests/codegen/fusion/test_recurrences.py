"""Recurrences with reductions in them, unrolled: groups are formed in linear work, and compute the same."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from test_partition import plan

import tensordsl
import tensordsl.tensor as T
from tensordsl.codegen.fusion import partition
from tensordsl.codegen.fusion.inline import Cut, Inliner

A, V = T.dmatrix("A"), T.dvector("V")
Step = Callable[[Any], Any]


def softmax(y: Any) -> Any:
    return T.nnet.softmax(y * 1.5 + A)


def norm(y: Any) -> Any:
    y = T.tanh(y * A)
    return y / T.sqrt((y * y).sum(1, keepdims=True))


def both_norms(y: Any) -> Any:
    y = y / y.sum(0)
    return y / y.sum(1, keepdims=True)


def sinkhorn(v: Any) -> Any:
    return 1 / (A * (1 / (A * v[:, None]).sum(0))).sum(1)


def forward(v: Any) -> Any:
    far = v[:, None] + A
    most = far.max(0)
    return T.log(T.exp(far - most).sum(0)) + most - V


def pairs(v: Any) -> Any:
    return T.tanh((T.exp(v[:, None] - v[None]) * A).sum(1))


def number(c: Any) -> Any:
    return c + T.exp(-(V * c).sum())


def of_rows(v: Any) -> Any:
    return T.exp(v) / T.exp(v).sum()


STEPS: dict[str, tuple[Step, Any]] = {
    f.__name__: (f, first)
    for f, first in (
        (softmax, A), (norm, A), (both_norms, A), (sinkhorn, V), (forward, V), (pairs, V), (number, T.constant(1.0)),
        (of_rows, V),
    )
}  # fmt: skip


def unrolled(name: str, steps: int) -> list[Any]:
    """The last value's sum, and its gradient."""
    step, y = STEPS[name]
    for _ in range(steps):
        y = step(y)
    cost = y.sum()
    return [cost, *T.grad(cost, [A, V], disconnected_inputs="ignore")]


@pytest.mark.parametrize("name", STEPS)
def test_groups_are_formed_in_linear_work(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Tensors pulled into groups, whatever comes of these."""
    pulled: list[Any] = []
    made = Inliner.made
    monkeypatch.setattr(Inliner, "made", lambda *args: pulled.append(args[1]) or made(*args))
    counts = []
    for steps in (30, 60):
        pulled.clear()
        plan([A, V], unrolled(name, steps))
        counts.append(len(pulled))
    assert counts[1] <= 2.5 * counts[0]


@pytest.mark.parametrize("name", STEPS)
def test_the_results_are_the_oracles(name: str) -> None:
    a, v = np.random.default_rng(1).random((5, 5)) + 0.5, np.random.default_rng(2).random(5)
    results = unrolled(name, 13)
    got = tensordsl.function([A, V], results, on_unused_input="ignore")(a, v)
    want = tensordsl.function([A, V], results, on_unused_input="ignore", mode="REFERENCE")(a, v)
    for x, y in zip(got, want, strict=True):
        np.testing.assert_allclose(x, y, rtol=1e-9, atol=1e-12)


def test_what_breaks_one_rule_is_cut_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sinkhorn's iteration has four reductions a step, whose rows differ from those of what they are computed from."""
    failed: list[Any] = []

    def attempted(*args: Any) -> Any:
        try:
            return attempt(*args)
        except Cut as cut:
            failed.append(cut.values)
            raise

    attempt = partition.attempt
    monkeypatch.setattr(partition, "attempt", attempted)
    plan([A, V], unrolled("sinkhorn", 40))
    assert len(failed) < 80
    assert sum(map(len, failed)) > 120
