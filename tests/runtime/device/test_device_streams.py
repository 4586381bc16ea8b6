"""Lanes of recorded calls: what may run at the same time, and that whatever has to wait waits."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from fakes import FakeLibrary, compiled_as_llvm, device

import tensordsl
import tensordsl.tensor as T
from tensordsl.functions import devices
from tensordsl.functions.devices import get_device
from tensordsl.runtime.device.streams import Call, placed
from tensordsl.runtime.driver.cuda_ctypes import CtypesDriver
from tensordsl.runtime.driver.simulated import SimDriver
from tensordsl.runtime.driver.simulator import ORDERS, SimulationError


def call(name: str, reads: str, writes: str) -> Call:
    return Call(name, (), frozenset(map(ord, reads)), frozenset(map(ord, writes)))


def test_a_chain_stays_in_one_lane_and_waits_for_nothing() -> None:
    chain = [call("launch", a, b) for a, b in zip("abcd", "bcde", strict=True)]
    assert {(p.lane, p.waits) for p in placed(chain)} == {(0, ())}


def test_branches_run_beside_each_other_and_meet() -> None:
    calls = [call("upload", "", "a"), call("upload", "", "b"), call("launch", "a", "c"), call("launch", "b", "d"),
             call("launch", "cd", "e"), call("fetch", "c", "")]  # fmt: skip
    places = placed(calls)
    assert [p.lane for p in places[:4]] == [0, 1, 0, 1]
    assert places[4].lane == 1 and places[4].waits == (2,) and places[2].is_awaited
    assert places[5].lane == 0 and not places[5].waits


def test_what_is_overwritten_waits_for_its_readers() -> None:
    calls = [call("upload", "", "a"), call("launch", "a", "b"), call("launch", "a", "c"), call("fill", "", "a")]
    places = placed(calls)
    assert places[3].lane == places[2].lane and places[3].waits == (1,)


def test_products_share_a_lane() -> None:
    places = placed([call("multiply", "a", "b"), call("multiply", "c", "d"), call("multiply", "e", "f")])
    assert {p.lane for p in places} == {0}


# -- the simulator does the lanes in any order -----------------------------------------------------------------------
@pytest.fixture
def driver() -> Iterator[SimDriver]:
    made = SimDriver()
    with device(made):
        yield made


def branches() -> tuple[Callable[[], Any], Any]:
    """(a call whose branches meet, the expected outputs)"""
    x, y = T.dmatrix("x"), T.dmatrix("y")
    left, right = T.exp(x).sum(axis=0), T.tanh(y).sum(axis=1)
    outputs = [T.dot(left, right), T.cumsum(left), T.sort(right), T.dot(x, y).max(axis=0) * left.sum()]
    w = tensordsl.shared(np.zeros((40, 40)))
    f = tensordsl.function([x, y], outputs, updates=[(w, w + T.dot(x, y) * right[0])], device="sim")
    rng = np.random.default_rng(0)
    a, b = rng.standard_normal((2, 40, 40))
    lefts, rights = np.exp(a).sum(0), np.tanh(b).sum(1)
    want = [lefts @ rights, lefts.cumsum(), np.sort(rights), (a @ b).max(0) * lefts.sum()]
    return lambda: f(a, b), want


def agree(found: Any, want: Any) -> bool:
    return all(np.allclose(f, w, rtol=1e-9) for f, w in zip(found, want, strict=True))


def recordings(driver: SimDriver) -> list[Any]:
    found = [r for made in devices._programs.values() for some in made.seen.values() for r in some or ()]
    return [r for r in found if r.device.driver is driver]


@pytest.mark.parametrize("order", ORDERS[:3])
def test_recorded_calls_are_right_in_every_order_of_lanes(driver: SimDriver, order: str) -> None:
    run, want = branches()
    driver.order = order
    assert all(agree(run(), want) for _ in range(10))
    replay = recordings(driver)[0]
    assert len({p.lane for p in replay.places}) > 1 and any(p.waits for p in replay.places)


def test_a_wait_that_is_missing_is_noticed(driver: SimDriver) -> None:
    run, want = branches()
    for _ in range(6):
        run()
    made = recordings(driver)
    right = [r.places for r in made]

    def noticed() -> bool:
        for order in ORDERS[:3]:
            driver.order = order
            for _ in range(2):  # the recordings take turns
                for block in (b for r in made for b in r.pool.blocks):
                    driver.view(block.address, block.size)[:] = 0xFF  # what is read too early is no older result
                if not agree(run(), want):
                    return True
        return False

    assert not noticed()
    count = 0
    for k, place in enumerate(right[0]):
        if place.waits:
            for r, places in zip(made, right, strict=True):
                r.places = [replace(p, waits=()) if n == k else p for n, p in enumerate(places)]
            count += noticed()
            for r, places in zip(made, right, strict=True):
                r.places = places
    assert count >= 2


def test_lanes_that_wait_for_ever_are_an_error() -> None:
    driver = SimDriver()
    driver.fork(2)
    driver.wait([])
    with pytest.raises(SimulationError, match="events that never come"):
        driver.join()


def test_an_error_between_leaves_the_lanes(driver: SimDriver, monkeypatch: pytest.MonkeyPatch) -> None:
    run, want = branches()
    for _ in range(6):
        run()

    def fails(*_: Any) -> None:
        raise RuntimeError("injected")

    with monkeypatch.context() as patch:
        patch.setattr(driver, "launch", fails)
        with pytest.raises(RuntimeError, match="injected"):
            run()
    assert agree(run(), want) and agree(get_device("sim").download(0, (0,), "float64"), [])


def test_lanes_are_branches_of_a_graph(monkeypatch: pytest.MonkeyPatch) -> None:
    compiled_as_llvm(monkeypatch)
    library = FakeLibrary()
    driver = CtypesDriver(0, library)
    with tensordsl.config.change_flags(cuda_driver="ctypes"), device(driver):
        x, y = T.fmatrix("x"), T.fmatrix("y")
        f = tensordsl.function([x, y], [T.exp(x).sum(axis=0), T.tanh(y).sum(axis=1)], device="cuda")
        for k in range(5):
            a = np.full((8, 8), k, "float32")
            np.testing.assert_allclose(f(a, a)[0], np.exp(a).sum(0), rtol=1e-6)
    assert library.streams > 1 and library.calls.count("cuGraphLaunch") == 3
    assert library.calls.count("cuEventCreate") == library.calls.count("cuEventDestroy_v2") > 1
