"""The context of a GPU is a thread's own for a whole call, and not its own in host steps, after the call, or elsewhere."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from fakes import FakeLibrary, Refusal, compiled_as_llvm, device, with_cublas

import tensordsl
import tensordsl.tensor as T
from tensordsl import errors

CONTEXT = ("cuCtxPushCurrent_v2", "cuCtxPopCurrent_v2")


@pytest.fixture(params=["ctypes", "pycuda"])
def core(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """The stand-in of a GPU that is `cuda0`; `depths`: how often the context was pushed, at each call of the driver."""
    compiled_as_llvm(monkeypatch)
    fake, driver = with_cublas(request.param)
    note, fake.depths, fake.driver = fake.note, [], driver

    def noted(name: str) -> None:
        if name not in CONTEXT:
            fake.depths.append(fake.depth)
        note(name)

    fake.note = noted
    with tensordsl.config.change_flags(cuda_driver=request.param), device(driver):
        yield fake


def refuse_push(core: Any, after: int) -> None:
    """The context cannot be made current, once it has been so `after` times."""
    push = core.driver._push

    def refused() -> None:
        nonlocal after
        after -= 1
        if after < 0:
            raise errors.DeviceLostError("the push failed.")
        push()

    core.driver._push = refused


def test_a_call_makes_the_context_current_once(core: Any) -> None:
    x, w = T.matrix("x"), tensordsl.shared(np.eye(70), target="cuda")
    f = tensordsl.function([x], T.dot(x, w).sum(axis=0), updates=[(w, w + T.tanh(x))], device="cuda")
    given = np.random.default_rng(0).normal(size=(70, 70))
    expected = np.eye(70)
    for _ in range(6):  # computed, recorded, repeated
        before, core.pushes = len(core.depths), 0
        np.testing.assert_allclose(f(given), (given @ expected).sum(axis=0), rtol=1e-9)
        expected = expected + np.tanh(given)
        assert core.pushes == 1 and core.depth == 0
        assert set(core.depths[before:]) == {1}
    assert "cuGraphLaunch" in core.calls


def test_a_call_that_fails_gives_the_context_back(core: Any) -> None:
    x = T.vector("x")
    f = tensordsl.function([x], T.exp(x), device="cuda")
    for k in range(1, 6):
        core.refuse(k, 700)
        with pytest.raises(errors.DeviceLostError):
            f(np.ones(3))
        assert core.depth == 0 and core.driver._holder == 0
        core.refuse(-1, 0)
    np.testing.assert_allclose(f(np.ones(3)), np.e)


class Console:
    """What is printed to, by a host step, does something of its own."""

    def __init__(self, act: Callable[[], None]) -> None:
        self.act = act

    def write(self, text: str) -> None:
        if text.strip():
            self.act()

    def flush(self) -> None:
        pass


@pytest.mark.filterwarnings("ignore:.*runs on the host")
def test_a_host_step_has_the_threads_own_context_and_other_threads_the_device(
    core: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    x = T.dvector("x")
    double = tensordsl.function([x], x * 2, device="cuda")
    seen: list[Any] = []

    def act() -> None:
        seen.append((core.depth, core.driver._holder, double(np.ones(2)).tolist()))
        thread = threading.Thread(target=lambda: seen.append(double(np.ones(2)).tolist()))
        thread.start()
        thread.join(60)
        seen.append((core.depth, core.driver._holder))

    f = tensordsl.function([x], tensordsl.printing.Print("x")(x + 1) * 3, device="cuda")
    before = len(core.depths)
    monkeypatch.setattr(sys, "stdout", Console(act))
    result = f(np.arange(3.0)).tolist()
    monkeypatch.undo()
    assert result == [3.0, 6.0, 9.0] and seen[:3] == [(0, 0, [2.0, 2.0]), [2.0, 2.0], (0, 0)]
    assert set(core.depths[before:]) == {1} and core.depth == 0 and core.driver._holder == 0


@pytest.mark.filterwarnings("ignore:.*runs on the host")
@pytest.mark.parametrize("after", [0, 1])
def test_a_context_that_cannot_be_had_fails_the_call_and_no_other(core: Any, after: int) -> None:
    """At its start, and behind a host step: state is what it was, and the next call works."""
    w = tensordsl.shared(np.ones(3), target="cuda")
    f = tensordsl.function([], updates=[(w, tensordsl.printing.Print("w")(w * 2) + 1)], device="cuda")
    refuse_push(core, after)
    with pytest.raises(errors.DeviceLostError, match="the push failed"):
        f()
    del core.driver._push
    assert core.depth == 0 and core.driver._holder == 0 and w.get_value().tolist() == [1.0] * 3
    core.pushes = 0
    f()
    assert core.pushes == 2 and w.get_value().tolist() == [3.0] * 3


def test_a_context_that_cannot_be_given_back_fails_no_committed_call(core: Any) -> None:
    w = tensordsl.shared(np.ones(3), target="cuda")
    f = tensordsl.function([], updates=[(w, w * 2)], device="cuda")

    if isinstance(core, FakeLibrary):
        core.driver.calls._functions["cuCtxPopCurrent_v2"] = lambda *_: 1
    else:
        core.Context.pop = core._call("pop", refuse)
    f()
    f()
    assert w.get_value().tolist() == [4.0] * 3


def refuse() -> None:
    raise Refusal(1)
