"""Functions on the simulated device: results, state, failures, arrays, threads."""

from __future__ import annotations

import gc
import io
import json
import pickle
import random
import subprocess
import sys
import threading
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import expressions
import numpy as np
import pytest
from expressions import Maker
from fakes import FaultyDriver, device
from hypothesis import given, settings
from hypothesis import strategies as st

import tensordsl
import tensordsl.tensor as T
from tensordsl import devices, errors
from tensordsl.codegen import gpu_store
from tensordsl.codegen.group import Buffer, Group, Out
from tensordsl.codegen.scalar import Builder, walk
from tensordsl.devices import DeviceArray, from_dlpack, get_device, to_device
from tensordsl.runtime import device_plan
from tensordsl.runtime.driver_sim import SimDriver
from tensordsl.runtime.simulator import ORDERS

GOLDEN = json.loads((Path(__file__).parents[1] / "golden" / "tutorial_costs.json").read_text())
pytestmark = pytest.mark.filterwarnings("ignore:device .* has no kernel")


@pytest.fixture(autouse=True, scope="module")
def on_sim() -> Iterator[None]:
    with tensordsl.config.change_flags(device="sim"):
        yield
    sim().check()


def sim() -> Any:
    return get_device("sim").driver


# -- programs --------------------------------------------------------------------------------------------------------
def layer(weights: np.ndarray, x: Any) -> tuple[Any, list[Any]]:
    """sigmoid(W x + b) as the tutorial's class builds it, and [W, b]."""
    w = tensordsl.shared(weights.astype(tensordsl.config.floatX))
    b = tensordsl.shared(np.ones((len(weights), 1), tensordsl.config.floatX), broadcastable=(False, True))
    return T.nnet.sigmoid(T.dot(w, x) + b), [w, b]


@tensordsl.config.change_flags(floatX="float32", device="sim")
def test_the_tutorials_network_trains_to_its_golden_costs() -> None:
    random = np.random.RandomState(0)
    labels = random.randint(0, 2, 1000)
    means, spread = np.array([[-1, 1], [-1, 1]]), random.random_sample((2, 2)) + 1
    points = np.vstack([random.randn(1000) * spread[axis, labels] + means[axis, labels] for axis in (0, 1)])
    x, y = T.matrix("x"), T.vector("y")
    hidden, params = layer(random.randn(4, 2), x)
    out, more = layer(random.randn(1, 4), hidden)
    cost, updates = T.sum((out - y) ** 2), []
    for p in (*params, *more):
        previous = tensordsl.shared(p.get_value() * 0, broadcastable=p.broadcastable)
        step = 0.9 * previous - 0.01 * T.grad(cost, p)
        updates += [(previous, step), (p, p + step)]
    train, predict = tensordsl.function([x, y], cost, updates=updates), tensordsl.function([x], out)
    assert all(v.type.dtype == "float32" for v in (cost, out))
    data, target = points.astype("float32"), labels.astype("float32")
    costs, accuracies = [], []
    for _ in GOLDEN["cost"]:
        costs.append(float(train(data, target)))
        accuracies.append(np.mean((predict(data) > 0.5) == labels))
    np.testing.assert_allclose(costs, GOLDEN["cost"], rtol=2e-5)
    np.testing.assert_allclose(accuracies, GOLDEN["accuracy"], atol=0.002)


@pytest.mark.parametrize("order", ORDERS[:3])
@settings(max_examples=settings.default.max_examples // 3)
@given(st.randoms(use_true_random=False), st.booleans())
def test_random_functions_agree_with_the_oracles_in_every_thread_order(order: str, source: Any, special: bool) -> None:
    maker = Maker(lambda n: source.randrange(n), special)
    maker.rng = np.random.default_rng(source.randrange(1 << 30))
    sim().order = order
    try:
        with tensordsl.config.change_flags(device="sim"):
            expressions.check(maker.make(), maker.level)
    finally:
        sim().order = ORDERS[0]
    sim().check()


def test_random_functions_without_any_kernel_run_on_the_host(monkeypatch: pytest.MonkeyPatch) -> None:
    from tensordsl.codegen import gpu_program

    def refuse(plan: Any, fastmath: bool) -> Any:
        raise ValueError("no GPU instruction for anything")

    monkeypatch.setattr(gpu_program, "gpu_step", refuse)
    monkeypatch.setattr(devices, "_programs", {})
    for seed in (28, 61, 146, 197, 1, 2, 3, 4):  # the first four have slices without elements
        source = random.Random(seed)
        maker = Maker(lambda n, source=source: source.randrange(n), bool(seed % 2))
        maker.rng = np.random.default_rng(seed)
        expressions.check(maker.make(), maker.level)
    monkeypatch.setattr(devices, "_programs", {})


def test_loops_and_branches_are_walked_on_the_host() -> None:
    x = T.dvector("x")
    doubled = T.jacobian(x**3, x)
    f = tensordsl.function([x], [doubled, tensordsl.ifelse.ifelse(T.gt(x.sum(), 0), T.exp(x), -x)])
    for values in ([1.0, 2.0], [-1.0, 0.5], []):
        a = np.array(values)
        jacobian, chosen = f(a)
        np.testing.assert_allclose(jacobian, np.diag(3 * a**2))
        np.testing.assert_allclose(chosen, np.exp(a) if a.sum() > 0 else -a)


def test_arguments_of_any_layout_are_read_and_never_changed() -> None:
    x = T.dmatrix("x")
    f = tensordsl.function([x], [x.T, x.sum(axis=0), x[::-1, 1:]])
    base = np.arange(60.0).reshape(6, 10)
    for a in (base, base.T, base[::2, ::-3], base[:0], np.broadcast_to(base[0], (3, 10)), np.asfortranarray(base)):
        before = a.copy()
        for got, want in zip(f(a), (a.T, a.sum(0), a[::-1, 1:]), strict=True):
            np.testing.assert_array_equal(got, want)
        assert (a == before).all()


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_matrix_products_of_every_form(dtype: str) -> None:
    a, b, v = T.TensorType(dtype, (False,) * 2)("a"), T.TensorType(dtype, (False,) * 2)("b"), T.vector("v", dtype=dtype)
    f = tensordsl.function([a, b, v], [T.dot(a, b), T.dot(a.T, a), T.dot(v, a), T.dot(a.T, v), T.dot(v, v)])
    rng, tolerance = np.random.default_rng(0), 1e-4 if dtype == "float32" else 1e-11
    for m, k, n in ((3, 4, 5), (2, 0, 3), (1, 700, 1), (70, 300, 65), (130, 3, 20)):
        x, y, z = (rng.standard_normal(s).astype(dtype) for s in ((m, k), (k, n), (m,)))
        for p, q in ((x, y), (np.asfortranarray(x), y[::-1].copy()[::-1])):
            wanted = p @ q, p.T @ p, z @ p, p.T @ z, z @ z
            for got, want in zip(f(p, q, z), wanted, strict=True):
                np.testing.assert_allclose(got, want, rtol=tolerance, atol=10 * tolerance)


@pytest.mark.parametrize("dtype", ["float32", "int8", "bool"])
@pytest.mark.parametrize(("shape", "axes"), [((6,), 1), ((6, 5), 2), ((3, 4, 70), 1), ((3, 4, 7), 2)])
def test_writing_at_positions_is_numpys(dtype: str, shape: tuple[int, ...], axes: int) -> None:
    """Repeated positions add up in their order, or the last one wins; a wrong one changes nothing."""
    rng = np.random.default_rng(0)
    x, index = T.TensorType(dtype, (False,) * len(shape))("x"), [T.lvector(f"i{k}") for k in range(axes)]
    y = T.TensorType(dtype, (False,) * (len(shape) - axes + 1))("y")
    w = tensordsl.shared((rng.standard_normal(shape) * 3).astype(dtype))
    place = x[index[0] if axes == 1 else tuple(index)]
    target = T.inc_subtensor(w[index[0] if axes == 1 else tuple(index)], y)
    f = tensordsl.function([x, y, *index], [T.set_subtensor(place, y), T.inc_subtensor(place, y)])
    step = tensordsl.function([y, *index], [], updates=[(w, target)])
    add = np.logical_or if dtype == "bool" else np.add
    for n in (0, 1, 9, 300):
        a, v = ((rng.standard_normal(s) * 3).astype(dtype) for s in (shape, (n, *shape[axes:])))
        at = tuple(rng.integers(-length, length, n) for length in shape[:axes])
        written, added, state = a.copy(), a.copy(), w.get_value()
        written[at] = v
        add.at(added, at, v)
        add.at(state, at, v)
        for got, want in zip(f(a, v, *at), (written, added), strict=True):
            np.testing.assert_array_equal(got, want)
        step(v, *at)
        np.testing.assert_array_equal(w.get_value(), state)
    bad = [i.copy() for i in at]
    bad[-1][-1] = shape[axes - 1]
    with pytest.raises(IndexError, match="out of bounds"):
        step(v, *bad)
    np.testing.assert_array_equal(w.get_value(), state)


# -- state -----------------------------------------------------------------------------------------------------------
def test_shared_variables_live_on_the_device_and_updates_stay_there() -> None:
    w = tensordsl.shared(np.zeros(5), name="w")
    x = T.dvector("x")
    step = tensordsl.function([x], [], updates=[(w, w + x)])
    step(np.ones(5))
    downloads: list[int] = []
    download = sim().download

    def counted(target: Any, address: int) -> None:
        downloads.append(target.nbytes)
        download(target, address)

    sim().download = counted
    try:
        for _ in range(9):
            step(np.ones(5))
        assert downloads == []
        assert w.get_value().tolist() == [10.0] * 5 and w.get_value().tolist() == [10.0] * 5
        assert downloads == [40], "one copy on the host serves until the next update"
    finally:
        sim().download = download
    w.set_value(np.arange(3.0))
    step(np.ones(3))
    assert w.get_value(borrow=True).tolist() == [1.0, 2.0, 3.0]
    with pytest.raises(ValueError, match="read-only"):
        w.get_value(borrow=True)[0] = 9
    w.zero()
    assert w.get_value().tolist() == [0.0] * 3
    internal = w.get_value(return_internal_type=True)
    step(np.ones(3))
    assert isinstance(internal, DeviceArray) and internal.get().tolist() == [0.0] * 3, "a copy"


def test_target_places_a_variable_and_wrong_ones_are_refused() -> None:
    w = tensordsl.shared(np.arange(3.0), target="sim")
    assert isinstance(w.get_value(return_internal_type=True), DeviceArray)
    assert w.get_value().tolist() == [0.0, 1.0, 2.0]
    with pytest.raises(ValueError, match="unknown device 'tpu'"):
        tensordsl.shared(1.0, target="tpu")
    assert pickle.loads(pickle.dumps(w)).get_value().tolist() == [0.0, 1.0, 2.0]
    assert w.clone().get_value().tolist() == [0.0, 1.0, 2.0]


def test_one_variable_serves_functions_of_several_devices() -> None:
    """In whatever order they come, each sees the others' updates, also those that the CPU makes in place."""
    w, x = tensordsl.shared(np.zeros(3)), T.dvector("x")
    on_sim = tensordsl.function([x], w.sum(), updates=[(w, w + x)])
    on_cpu = on_sim.to("cpu")
    total, rng = np.zeros(3), random.Random(1)
    for k in range(30):
        f = on_sim if k < 3 or rng.random() < 0.5 else on_cpu
        a = np.array([k, 1.0, -k])
        assert float(f(a)) == total.sum()
        total = total + a
        if k % 7 == 6:
            total = np.full(3, float(k))
            w.set_value(total)
        assert w.get_value().tolist() == total.tolist()


def test_a_default_and_a_state_of_the_function_itself() -> None:
    x, s = T.dvector("x"), T.dscalar("s")
    f = tensordsl.function([x, tensordsl.In(s, value=1.0, update=s + 1)], x * s)
    assert [f([2.0]).tolist(), f([2.0]).tolist(), f([2.0], 10.0).tolist(), f([2.0]).tolist()] == [[2], [4], [20], [22]]


# -- calls that are repeated -----------------------------------------------------------------------------------------
def recordings() -> int:
    return sum(bool(replay) for made, *_ in devices._programs.values() for replay in made.seen.values())


def test_calls_of_the_same_shapes_are_recorded_and_repeated(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two recordings take turns, for the old and the new storage of the state; anything else runs the program."""
    monkeypatch.setattr(devices, "_programs", {})
    x, w = T.dmatrix("x"), tensordsl.shared(np.zeros((3, 3)))
    y = T.exp(x) * 2
    f = tensordsl.function(
        [x], [tensordsl.Out(y, target="device"), T.dot(x, w).sum()], updates=[(w, w + T.dot(x.T, x))]
    )
    rng, total, kept = np.random.default_rng(0), np.zeros((3, 3)), []
    launched: list[int] = []
    monkeypatch.setitem(device_plan.TABLE, "Launch", noting(device_plan.DeviceRunner.launch, launched))
    for k in range(20):
        a = rng.standard_normal((7 if k == 9 else 4, 3))[:: 1 if k % 3 else -1]
        if k == 12:
            w.set_value(np.eye(3))
            total = np.eye(3)
        before = len(launched)
        got, product = f(a)
        assert (len(launched) > before) == (k < 5 or k in (9, 12, 13, 14, 15, 16)), k
        kept.append((got, 2 * np.exp(a)))
        np.testing.assert_allclose(product, (a @ total).sum(), rtol=1e-9, atol=1e-9)
        total = total + a.T @ a
        np.testing.assert_allclose(w.get_value(), total, rtol=1e-12)
    for got, expected in kept:
        np.testing.assert_allclose(got.get(), expected, rtol=1e-14)
    assert recordings() > 0
    get_device("sim")._release()
    assert recordings() == 0, "they are given up when memory is short"


def noting(method: Any, seen: list[int]) -> Any:
    def noted(self: Any, i: Any) -> None:
        seen.append(1)
        method(self, i)

    return noted


def test_repeated_calls_fail_like_others() -> None:
    x, i, w = T.dvector("x"), T.lvector("i"), tensordsl.shared(np.zeros(2))
    f = tensordsl.function([x, i], x[i] * 2, updates=[(w, w + x[i])])
    for k in range(8):
        assert f([1.0, 2.0], [1, 0]).tolist() == [4.0, 2.0]
        with pytest.raises(IndexError, match="index 3"):
            f([1.0, 2.0], [1, 3])
        assert w.get_value().tolist() == [2.0 * (k + 1), 1.0 * (k + 1)]


def test_storage_that_was_shown_is_never_written_to() -> None:
    x, w = T.dvector("x"), tensordsl.shared(np.zeros(2), target="sim")
    f = tensordsl.function([x], [], updates=[(w, w + x)])
    shown = []
    for k in range(12):
        if k % 3 == 2:
            shown.append((w.get_value(borrow=True, return_internal_type=True), float(k)))
        f(np.ones(2))
    assert [a.get().tolist() for a, _ in shown] == [[k, k] for _, k in shown]
    f(shown[-1][0])
    assert w.get_value().tolist() == [12.0 + 11.0] * 2


def test_a_call_keeps_no_memory() -> None:
    x, i = T.dmatrix("x"), T.lvector("i")
    f = tensordsl.function([x, i], [T.dot(x, x.T)[i].sum(), T.jacobian(x[0] ** 2, x)])
    pool, used = get_device("sim").pool, []
    gc.disable()
    try:
        for n in (3, 3, 3, 3, 4, 5, 3):
            f(np.ones((n, 3)), [0, 1])
            used.append(pool.statistics().used)
    finally:
        gc.enable()
    assert max(used) - used[0] < 20000, used


# -- failures --------------------------------------------------------------------------------------------------------
def program_with_everything() -> tuple[Any, list[Any], list[Any]]:
    """Kernels, a product, an index, a loop, a branch, a host step, two updates."""
    x, i = T.dmatrix("x"), T.lvector("i")
    w, n = tensordsl.shared(np.ones((3, 3)), name="w"), tensordsl.shared(0, name="n")
    picked = T.dot(x, w)[i]
    branch = tensordsl.ifelse.ifelse(T.gt(n, 0), T.exp(picked).sum(), picked.sum())
    f = tensordsl.function([x, i], [picked, branch, T.cumsum(x)], updates=[(w, w + 0.1 * T.dot(x.T, x)), (n, n + 1)])
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
    from tensordsl.runtime import device_state

    a, b = (device_state.DeviceStorage.of(np.full(2, k), get_device("sim")) for k in (1.0, 2.0))
    new = to_device(np.zeros(2), "sim")

    class Bad:
        """A storage at which the signal comes."""

        array = spare = mirror = None
        is_shown = is_copy = False

        def __setattr__(self, name: str, value: Any) -> None:
            if value is not None:
                raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        device_state.commit([(a, new), (Bad(), new), (b, new)])  # type: ignore[list-item]
    assert a.get().tolist() == [1.0, 1.0] and b.get().tolist() == [2.0, 2.0]


# -- host steps ------------------------------------------------------------------------------------------------------
def test_host_steps_are_named_once_in_a_warning_and_in_the_profile(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(devices, "_warned", set())
    x = T.dmatrix("x")
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        for _ in range(2):
            f = tensordsl.function([x], T.cumsum(x, axis=0), profile=True)
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


# -- arrays ----------------------------------------------------------------------------------------------------------
def test_outputs_stay_on_the_device_where_the_user_wants_them_to() -> None:
    x = T.dmatrix("x")
    f = tensordsl.function([x], [tensordsl.Out(x * 2, target="device"), x.sum()])
    double, total = f(np.arange(6.0).reshape(2, 3))
    assert isinstance(double, DeviceArray) and isinstance(total, np.ndarray)
    assert (double.shape, double.dtype, double.ndim, double.nbytes, len(double)) == ((2, 3), np.float64, 2, 48, 2)
    assert np.asarray(double).tolist() == [[0, 2, 4], [6, 8, 10]] and np.array(double, "float32").dtype == np.float32
    assert repr(double) == "DeviceArray(shape=(2, 3), dtype=float64, device=sim)"
    again, _ = f(double)
    assert again.get().tolist() == [[0, 4, 8], [12, 16, 20]] and double.get()[1, 2] == 10
    with pytest.raises(ValueError, match='"cpu" or "device"'):
        tensordsl.Out(x, target="cuda")


def test_device_arrays_are_arguments_of_any_function() -> None:
    i, x = T.lvector("i"), T.dvector("x")
    f = tensordsl.function([x, i], x[i], allow_input_downcast=True)
    values, index = to_device(np.arange(4.0), "sim"), to_device(np.array([3, 0], "int32"), "sim")
    assert f(values, index).tolist() == f(x=values, i=index).tolist() == [3.0, 0.0]  # int32: converted on the host
    assert f.to("cpu")(values, index).tolist() == [3.0, 0.0]
    with pytest.raises(TypeError, match="Wrong number of dimensions"):
        f(to_device(np.ones((2, 2)), "sim"), index)
    w = tensordsl.shared(np.zeros(4))
    w.set_value(values)
    assert w.get_value().tolist() == [0, 1, 2, 3]


def test_dlpack_hands_arrays_out_and_takes_them_in_without_a_copy() -> None:
    x = to_device(np.arange(6, dtype="int32").reshape(2, 3), "sim")
    view = np.from_dlpack(x)
    assert view.tolist() == [[0, 1, 2], [3, 4, 5]] and view.ctypes.data == x.address
    del x
    gc.collect()
    assert view.tolist() == [[0, 1, 2], [3, 4, 5]], "the consumer keeps the memory alive"
    source = np.arange(12.0).reshape(3, 4)[:, ::2]
    taken = from_dlpack(source, "sim")
    assert taken.address == source.ctypes.data and taken.strides == source.strides
    assert taken.get().tolist() == taken.copy().get().tolist() == source.tolist()
    m = T.dmatrix("m")
    assert tensordsl.function([m], m.T * 2)(taken).tolist() == (source.T * 2).tolist()
    capsule = to_device(np.ones(3), "sim").__dlpack__()
    del capsule
    with pytest.raises(AttributeError, match="use DLPack"):
        _ = taken.__cuda_array_interface__
    with pytest.raises(BufferError, match="device"):
        taken.__dlpack__(dl_device=(2, 0))
    with pytest.raises(TypeError, match="has no dtype"):
        from_dlpack(np.ones(3, "complex64"), "sim")


# -- the disk cache --------------------------------------------------------------------------------------------------
def everything() -> tuple[Any, list[Any]]:
    x, i = T.dmatrix("x"), T.lvector("i")
    w = tensordsl.shared(np.ones((3, 3)))
    y = T.nnet.softmax(T.dot(x, w))
    loop = T.jacobian(x.sum(axis=0) ** 2, x)
    outputs = [
        y,
        loop,
        T.set_subtensor(x[i], 0.5),
        x.argmax(axis=1),
        T.var(x),
        tensordsl.ifelse.ifelse(T.gt(x[0, 0], 0), x, -x),
    ]
    args = [np.random.default_rng(0).standard_normal((4, 3)), np.array([0, -1])]
    return tensordsl.function([x, i], outputs, updates=[(w, w + T.dot(x.T, x))], profile=True), args


def test_a_program_from_the_disk_cache_is_the_one_that_was_put_there(monkeypatch: pytest.MonkeyPatch) -> None:
    origins, results = [], []
    for _ in range(2):
        monkeypatch.setattr(devices, "_programs", {})
        f, args = everything()
        origins.append(f.profile.origin)
        results.append([a.tobytes() for _ in range(6) for a in f(*args)])
        with pytest.raises(IndexError, match="out of bounds"):
            f(args[0], [4])
    assert origins == ["compiled", "disk"] and results[0] == results[1]


def test_what_is_stored_may_be_deeper_than_pythons_stack() -> None:
    b, x, out = Builder(), Buffer("x", "float64", ("n",)), io.BytesIO()
    value = b.load(x, "i")
    for k in range(3000):
        value = b.add(b.mul(value, 0.5), float(k))
    group = Group("deep", {"i": "n"}, ("i",), (Out(Buffer("y", "float64", ("n",)), ("i",), value),))
    gpu_store._Pickler(out).dump((group, x))
    stored, source = pickle.loads(out.getvalue())
    values, same = list(walk(group.roots)), list(walk(stored.roots))
    assert [(v.op, v.type, v.axes) for v in values] == [(v.op, v.type, v.axes) for v in same]
    assert same[0].attr[0] is source and stored.extents == group.extents


# -- language --------------------------------------------------------------------------------------------------------
def test_the_device_of_a_script_is_a_flag() -> None:
    program = """
import numpy as np, tensordsl, tensordsl.tensor as T
x = T.matrix("x")
f = tensordsl.function([x], T.exp(x).sum())
print(f.spec.device, tensordsl.config.floatX, f(np.zeros((2, 3), "float32")), T.eye(2).eval().sum())
"""
    import os

    flags = os.environ["TENSORDSL_FLAGS"] + ",device=sim,floatX=float32"
    run = [sys.executable, "-c", program]
    done = subprocess.run(run, env={**os.environ, "TENSORDSL_FLAGS": flags}, capture_output=True, text=True)
    assert done.stdout.split() == ["sim", "float32", "6.0", "2.0"], done.stderr


def test_to_and_pickle_and_copy_keep_or_change_the_device() -> None:
    x = T.dvector("x")
    f = tensordsl.function([x], x + 1, device="cpu")
    g = f.to("sim")
    assert (f.spec.device, g.spec.device, g.copy().spec.device) == ("cpu", "sim", "sim")
    assert pickle.loads(pickle.dumps(g))([1.0]).tolist() == f([1.0]).tolist() == g([1.0]).tolist() == [2.0]
    with pytest.raises(ValueError, match="unknown device 'tpu'"):
        f.to("tpu")
    for mode in ("DebugMode", "NanGuardMode", "REFERENCE"):
        assert tensordsl.function([x], x + 1, mode=mode)([1.0]).tolist() == [2.0]


def test_threads_take_turns() -> None:
    w, x = tensordsl.shared(np.zeros(100)), T.dvector("x")
    step = tensordsl.function([x], w.sum(), updates=[(w, w + x)])
    failures: list[BaseException] = []

    def work() -> None:
        try:
            for _ in range(20):
                total = float(step(np.ones(100)))
                assert total % 100 == 0
        except BaseException as error:
            failures.append(error)

    workers = [threading.Thread(target=work) for _ in range(4)]
    for t in workers:
        t.start()
    for t in workers:
        t.join()
    assert not failures and w.get_value().tolist() == [80.0] * 100
