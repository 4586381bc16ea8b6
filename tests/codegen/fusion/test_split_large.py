"""R7 and R8: groups of large computations are formed in linear work, store little, and compute the same."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import pytest
from tuned import tuned, use

import tensordsl as theano
import tensordsl.tensor as T
from tensordsl.codegen.fusion import partition
from tensordsl.codegen.fusion.inline import Fused
from tensordsl.functions import native
from tensordsl.ifelse import ifelse


class Work:
    """What `fuse` does: groups that it attempts, tensors that it pulls for them, and what comes out."""

    def __init__(self) -> None:
        self.attempts = self.pulled = 0
        self.groups: list[Fused] = []

    def stored(self) -> int:
        return sum(len(g.values) for g in self.groups)

    def computed(self) -> int:
        return sum(len(g.tensors) for g in self.groups)


@pytest.fixture
def work(monkeypatch: pytest.MonkeyPatch) -> Work:
    seen = Work()
    attempt, plan = partition.Fusion.attempt, partition.Fusion.plan

    def counted(self: Any, values: Any, first: Any = None) -> Fused:
        made = attempt(self, values, first)
        seen.attempts += 1
        seen.pulled += len(made.tensors)
        return made

    def planned(self: Any) -> list[Fused]:
        groups = plan(self)
        seen.groups += groups
        return groups

    monkeypatch.setattr(partition.Fusion, "attempt", counted)
    monkeypatch.setattr(partition.Fusion, "plan", planned)
    key = native.program_key
    monkeypatch.setattr(
        native, "program_key", lambda *args, **more: key(*args, **more) and None
    )  # compiled whatever the caches have
    return seen


def lorenz(state: Any, steps: int) -> Any:
    x, y, z = state
    for _ in range(steps):
        x, y, z = x + 0.1 * (y - x), y + 0.01 * (x * (28 - z) - y), z + 0.01 * (x * y - 8 / 3 * z)
    return x, y, z


def gradients(make: Any, steps: int) -> Any:
    state = [make() for _ in range(3)]
    results = lorenz(state, steps)
    return theano.function(state, [*results, *T.grad(results[0].sum(), state)])


@pytest.mark.parametrize("make", [T.dscalar, T.dvector])
def test_a_recurrence_with_its_gradient_takes_linear_work(work: Work, make: Any) -> None:
    counts = []
    for steps in (40, 80):
        work.__init__()  # type: ignore[misc]
        gradients(make, steps)
        counts.append((work.attempts, work.pulled, work.computed(), work.stored()))
    for few, many in zip(*counts, strict=True):
        assert many <= 2.2 * few
    assert work.pulled <= 1.5 * work.computed()  # hardly a group is formed twice
    assert work.stored() <= 5 * 80  # a few values per step


@pytest.mark.parametrize("shape", [(), (7,)])
def test_results_are_those_of_numpy(shape: tuple[int, ...]) -> None:
    f = gradients(T.dscalar if shape == () else T.dvector, 40)
    start = np.random.default_rng(0).normal(size=(3, *shape))
    got = f(*start)
    for value, want in zip(got[:3], lorenz(start, 40), strict=True):
        np.testing.assert_allclose(value, want, rtol=1e-10)
    step = 1e-6
    for k, gradient in enumerate(got[3:]):
        up, down = start.copy(), start.copy()
        up[k] += step
        down[k] -= step
        want = (lorenz(up, 40)[0] - lorenz(down, 40)[0]) / (2 * step)
        np.testing.assert_allclose(gradient, want, rtol=1e-4, atol=1e-6)


def test_reductions_on_the_way_do_not_close_a_circle(work: Work, monkeypatch: pytest.MonkeyPatch) -> None:
    """What lies between two maps of a component belongs to it, so no piece waits for itself."""
    use(monkeypatch, tuned(fusion={"piece_tensors": 4}))
    x = T.dmatrix("x")
    y, sums = x, []
    for k in range(6):
        y = T.tanh(y * 1.1 + k) - y.mean(1, keepdims=True) + y.sum()
        sums.append((y * y).sum(0))
    f = theano.function([x], [y, *sums, T.grad(sums[-1].sum(), x)])
    assert any(len(g.values) > 1 for g in work.groups)
    value = np.random.default_rng(0).normal(size=(3, 5))
    want, expected = value, []
    for k in range(6):
        want = np.tanh(want * 1.1 + k) - want.mean(1, keepdims=True) + want.sum()
        expected.append((want * want).sum(0))
    for got, right in zip(f(value)[:-1], [want, *expected], strict=True):
        np.testing.assert_allclose(got, right, rtol=1e-9)


def test_branches_on_the_way_do_not_close_a_circle(work: Work, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a branch computes from a map of a component lies between it and the maps that use the `ifelse`."""
    use(monkeypatch, tuned(fusion={"piece_tensors": 4}))
    x, c = T.dvector("x"), T.bscalar("c")
    y = T.tanh(x - x.mean())
    y = T.tanh(y - y.mean())
    z = T.exp(y) + y
    f = theano.function([x, c], [y, z, z * ifelse(c, T.sum(z), T.max(z)) + y])
    value = np.array([0.5, -1.0, 2.0])
    y = np.tanh(value - value.mean())
    y = np.tanh(y - y.mean())
    z = np.exp(y) + y
    for got, want in zip(f(value, 1), [y, z, z * z.sum() + y], strict=True):
        np.testing.assert_allclose(got, want, rtol=1e-12)


def test_lengths_on_the_way_do_not_close_a_circle(work: Work, monkeypatch: pytest.MonkeyPatch) -> None:
    """Positions are wrapped by a length that is computed from the map they come from."""
    use(monkeypatch, tuned(fusion={"piece_tensors": 4}))
    x = T.lmatrix("x")
    counts = T.bincount(x.flatten() % 7)
    table = T.outer(counts, counts)
    f = theano.function([x], table.reshape((table.shape[1], table.shape[0])))
    assert f([[1, 2], [8, -7]]).tolist() == [[1, 2, 1], [2, 4, 2], [1, 2, 1]]


def test_one_result_stays_one_group(work: Work) -> None:
    x = T.dvector("x")
    y = x
    for k in range(400):
        y = T.tanh(y) if k % 3 == 0 else y * 1.01 if k % 3 == 1 else y + 0.1
    theano.function([x], y)
    assert Counter(len(g.values) for g in work.groups) == {1: 1}


def residual(y: Any, tanh: Any, steps: int) -> Any:
    for _ in range(steps):
        centred = y - y.mean(1, keepdims=True)
        y = y + tanh(centred / (1 + (centred * centred).mean(1, keepdims=True)))
    return y


def test_a_chain_of_normalisations_computes_nothing_again_and_again(work: Work) -> None:
    """A group with n reductions that follow each other walks n times, and computes in each walk all before it."""
    x = T.dmatrix("x")
    f = theano.function([x], residual(x, T.tanh, 12))
    assert [max(g.group.levels.values()) for g in work.groups] == [2] * 12
    value = np.random.default_rng(0).normal(size=(9, 20))
    np.testing.assert_allclose(f(value), residual(value, np.tanh, 12), rtol=1e-12)


def test_a_few_reductions_that_follow_each_other_are_one_group(work: Work) -> None:
    x = T.dmatrix("x")
    y = residual(x, T.tanh, 1)
    theano.function([x], y / y.sum(1, keepdims=True))
    assert [max(g.group.levels.values()) for g in work.groups] == [3]
