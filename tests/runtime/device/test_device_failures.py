"""Functions on the simulated device: what fails changes no state; steps of the host."""

from __future__ import annotations

import gc
import sys
import warnings
from typing import Any

import numpy as np
import pytest
from fakes import FaultyDriver, device

import tensordsl
import tensordsl.tensor as T
from tensordsl import errors
from tensordsl.functions import devices
from tensordsl.functions.devices import get_device, to_device
from tensordsl.runtime.driver.simulated import SimDriver

pytestmark = [pytest.mark.usefixtures("on_sim"), pytest.mark.filterwarnings("ignore:device .* has no kernel")]


# -- failures --------------------------------------------------------------------------------------------------------
def program_with_everything() -> tuple[Any, list[Any], list[Any]]:
    """Kernels, a product, an index, a loop, a branch, a host step, two updates."""
    x, i = T.dmatrix("x"), T.lvector("i")
    w, n = tensordsl.shared(np.ones((3, 3)), name="w"), tensordsl.shared(0, name="n")
    picked = T.dot(x, w)[i]
    branch = tensordsl.ifelse.ifelse(T.gt(n, 0), T.exp(picked).sum(), picked.sum())
    running = T.cumsum(x), tensordsl.printing.Print("x")(x) * 2  # printing is the host's
    f = tensordsl.function([x, i], [picked, branch, *running], updates=[(w, w + 0.1 * T.dot(x.T, x)), (n, n + 1)])
    return f, [w, n], [np.random.default_rng(0).standard_normal((4, 3)), np.array([1, 3, -1])]


def simple_program() -> tuple[Any, list[Any], list[Any]]:
    """What is recorded and repeated."""
    x, i = T.dmatrix("x"), T.lvector("i")
    w, n = tensordsl.shared(np.ones((3, 3)), name="w"), tensordsl.shared(0, name="n")
    outputs = [T.dot(x, w)[i], tensordsl.Out(T.exp(x).sum(), target="device")]
    f = tensordsl.function([x, i], outputs, updates=[(w, w + 0.1 * T.dot(x.T, x)), (n, n + 1)])
    return f, [w, n], [np.random.default_rng(0).standard_normal((4, 3)), np.array([1, 3, -1])]


@pytest.mark.parametrize("program", [program_with_everything, simple_program])
def test_state_is_unchanged_after_a_failure_of_any_driver_call(program: Any) -> None:
    """In calls that move the state to the device, that run the program, that are recorded and that are repeated."""
    driver = FaultyDriver()
    with device(driver):
        f, shared, args = program()
        for warm in (0, 1, 1, 5):
            for _ in range(warm):
                f(*args)
            values = [s.get_value() for s in shared]
            injected, is_done = 0, False
            while not is_done:
                driver.count, driver.fails = 0, injected
                driver.error = lambda: errors.LaunchError("injected.")
                try:
                    f(*args)
                    is_done = True
                except errors.LaunchError as error:
                    assert "injected" in str(error)
                    injected += 1
                driver.fails = -1
                if not is_done:
                    after = [s.get_value() for s in shared]
                    assert [a.tobytes() for a in after] == [v.tobytes() for v in values], injected
            assert injected > 8, "every call of the driver has failed once"
            after = [s.get_value() for s in shared]
            assert int(after[1]) == int(values[1]) + 1
            np.testing.assert_allclose(after[0], values[0] + 0.1 * args[0].T @ args[0])
    driver.check()
    del f, shared
    gc.collect()


def test_faults_of_the_program_leave_the_state_and_explain_themselves() -> None:
    f, shared, (x, i) = program_with_everything()
    f(x, i)
    before = [s.get_value() for s in shared]
    for bad, error, words in (
        ((x, np.array([0, 4])), IndexError, "out of bounds"),
        ((x, np.array([-5, 0])), IndexError, "out of bounds"),
        ((x[:, :2], i), ValueError, "dot"),
        ((x[:0], i), IndexError, "out of bounds"),
    ):
        with pytest.raises(error, match=words):
            f(*bad)
        assert [s.get_value().tobytes() for s in shared] == [b.tobytes() for b in before]
    f(x, i)
    assert int(shared[1].get_value()) == int(before[1]) + 1


def test_an_index_error_comes_before_what_follows_from_it() -> None:
    x, i, n = T.dvector("x"), T.lvector("i"), T.lscalar("n")
    f = tensordsl.function([x, i, n], T.arange(T.cast(x[i].sum(), "int64"))[n])
    assert f([1.0, 2.0], [0, 1], 2) == 2
    with pytest.raises(IndexError, match="index 5"):
        f([1.0, 2.0], [0, 5], 100)


def test_memory_that_runs_out_is_an_error_and_what_is_kept_is_given_back() -> None:
    with device(SimDriver(memory=1 << 16)) as driver:
        x, w = T.dvector("x"), tensordsl.shared(np.zeros(1000))
        f = tensordsl.function([x], T.exp(x).sum(), updates=[(w, w + 1)])
        for _ in range(3):
            f(np.ones(1000))  # w has 8000 bytes, its spare storage too
        with pytest.raises(errors.DeviceMemoryError, match="Use smaller batches"):
            f(np.ones(100000))
        assert w.get_value().tolist() == [3.0] * 1000
        f(np.ones(1000))
        assert w.get_value().tolist() == [4.0] * 1000
        pool = get_device("sim").pool
        free = driver.memory()[0]
        g = tensordsl.function([x], x * 2)
        g(np.ones(free // 8 // 4))  # needs what others only keep
        assert pool.statistics().peak <= 1 << 16


def test_signals_between_the_exchange_of_references_undo_it(monkeypatch: pytest.MonkeyPatch) -> None:
    from tensordsl.runtime.device import state

    a, b = (state.DeviceStorage.of(np.full(2, k), get_device("sim")) for k in (1.0, 2.0))
    new = to_device(np.zeros(2), "sim")

    class Bad:
        """A storage at which the signal comes."""

        array = spare = mirror = None
        is_shown = is_copy = False

        def __setattr__(self, name: str, value: Any) -> None:
            if value is not None:
                raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        state.commit([(a, new), (Bad(), new), (b, new)])  # type: ignore[list-item]
    assert a.get().tolist() == [1.0, 1.0] and b.get().tolist() == [2.0, 2.0]


# -- host steps ------------------------------------------------------------------------------------------------------
def test_host_steps_are_named_once_in_a_warning_and_in_the_profile(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(devices, "_warned", set())
    x = T.dmatrix("x")
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        for _ in range(2):
            f = tensordsl.function([x], tensordsl.printing.Print("x")(x) * 2, profile=True)
    f(np.eye(3))
    named = [str(w.message) for w in seen if "runs on the host" in str(w.message)]
    assert len(named) == 1 and named[0].startswith("device sim: ")
    assert "on the host" in str(f.profile) and f.profile.calls == 1


def test_a_callback_may_call_other_functions_but_not_change_the_calls_own_state(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    x, w, v = T.dvector("x"), tensordsl.shared(np.zeros(2)), tensordsl.shared(np.zeros(2))
    other = tensordsl.function([x], v * 2, updates=[(v, v + x)])
    results: list[Any] = []

    class Console:
        """What is printed to calls back."""

        def write(self, text: str) -> None:
            if text.strip():
                results.append(other(np.ones(2)).tolist())
                with pytest.raises(RuntimeError, match="in use by this very call"):
                    w.set_value(np.ones(2))

        def flush(self) -> None:
            pass

    f = tensordsl.function([x], tensordsl.printing.Print("x")(x) + w, updates=[(w, w + x)])
    monkeypatch.setattr(sys, "stdout", Console())
    found = [f(np.ones(2)).tolist(), f(np.ones(2)).tolist()]
    monkeypatch.undo()
    assert found == [[1.0, 1.0], [2.0, 2.0]] and results[:2] == [[0.0, 0.0], [2.0, 2.0]]
    assert w.get_value().tolist() == [2.0, 2.0] and v.get_value().tolist() == [len(results)] * 2


def test_a_cpus_call_keeps_its_variables_from_the_devices_functions(monkeypatch: pytest.MonkeyPatch) -> None:
    """A call on the device inside of one on the CPU changes all of its variables, or none."""
    x, w, v = T.dvector("x"), tensordsl.shared(np.zeros(2)), tensordsl.shared(np.zeros(2))
    both = tensordsl.function([x], [], updates=[(v, v + x), (w, w + x)])
    printed = tensordsl.printing.Print("x")(x)
    outer = tensordsl.function([x], printed + w, updates=[(w, w + 10 * x)], device="cpu")
    tried: list[str] = []

    class Console:
        def write(self, text: str) -> None:
            with pytest.raises(RuntimeError, match="in use by this very call") as caught:
                both(np.ones(2))
            tried.append(str(caught.value))

        def flush(self) -> None:
            pass

    both(np.ones(2))
    monkeypatch.setattr(sys, "stdout", Console())
    outer(np.ones(2))
    monkeypatch.undo()
    assert tried and w.get_value().tolist() == [11.0, 11.0] and v.get_value().tolist() == [1.0, 1.0]
    both(np.ones(2))
    assert w.get_value().tolist() == [12.0, 12.0] and v.get_value().tolist() == [2.0, 2.0]


def test_a_variable_of_both_is_unchanged_after_a_failure_of_any_driver_call() -> None:
    driver = FaultyDriver()
    with device(driver):
        x, w, v = T.dvector("x"), tensordsl.shared(np.zeros(2)), tensordsl.shared(np.zeros(2))
        f = tensordsl.function([x], w.sum(), updates=[(w, w + x), (v, v + x)])
        tensordsl.function([x], w + x, device="cpu")([0, 0])  # from now on w lives with the CPU's functions
        for k in range(6):
            injected, is_done = 0, False
            while not is_done:
                driver.count, driver.fails = 0, injected
                driver.error = lambda: errors.LaunchError("injected.")
                try:
                    f(np.ones(2))
                    is_done = True
                except errors.LaunchError:
                    injected += 1
                driver.fails = -1
                assert w.get_value().tolist() == v.get_value().tolist() == [k + is_done] * 2, injected
            assert injected > 5


# -- what dies gives back what it had --------------------------------------------------------------------------------
def test_functions_that_are_dropped_give_back_kernels_and_memory() -> None:
    driver = SimDriver()
    with device(driver):
        x = T.vector("x")
        data = np.ones(3000)

        def used() -> tuple[int, int]:
            gc.collect()
            here = get_device("sim")
            here.bury()
            here.pool.trim()
            return len(driver.modules), driver.memory()[1] - driver.memory()[0]

        def make(k: int) -> None:
            table = T.constant(np.arange(3000.0) + k)
            f = tensordsl.function([x], [(x * k + table).sum(), T.dot(x, table)], device="sim")
            for _ in range(3):  # the third is a recording
                f(data)

        make(0)
        before = used()
        for k in range(1, 40):
            make(k)
        assert used() == before == (0, before[1])
        kept = tensordsl.function([x], x + 1, device="sim")
        assert len(driver.modules) == 1 and (kept(data) == 2).all()


def test_kernels_that_a_function_still_has_stay() -> None:
    driver = SimDriver()
    with device(driver):
        a = T.matrix("a")
        first = tensordsl.function([a], T.dot(a, a).sum(axis=0), device="sim")
        second = tensordsl.function([a], T.dot(a, a).sum(axis=1), device="sim")
        data = np.diag(np.arange(4.0))
        assert (first(data) == np.arange(4) ** 2).all() and (second(data) == np.arange(4) ** 2).all()
        assert len(driver.modules) == 3, "one of products for both"
        del first
        gc.collect()
        get_device("sim").bury()
        assert len(driver.modules) == 2
        assert (second(data) == np.arange(4) ** 2).all()
