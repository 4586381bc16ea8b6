"""Functions on the simulated device: results, state, arrays, threads."""

from __future__ import annotations

import gc
import io
import json
import pickle
import random
import subprocess
import sys
import threading
from typing import Any

import expressions
import numpy as np
import pytest
from checkout import GOLDEN
from expressions import Maker
from fakes import sim
from hypothesis import given, settings
from hypothesis import strategies as st

import tensordsl
import tensordsl.tensor as T
from tensordsl.codegen.fusion.group import Buffer, Group, Out
from tensordsl.codegen.gpu import serialise
from tensordsl.codegen.scalar_ir.builder import Builder, walk
from tensordsl.functions import devices
from tensordsl.functions.devices import DeviceArray, from_dlpack, get_device, to_device
from tensordsl.runtime.device import runner
from tensordsl.runtime.driver.simulator import ORDERS

COSTS = json.loads((GOLDEN / "tutorial_costs.json").read_text())
pytestmark = [pytest.mark.usefixtures("on_sim"), pytest.mark.filterwarnings("ignore:device .* has no kernel")]


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
    for _ in COSTS["cost"]:
        costs.append(float(train(data, target)))
        accuracies.append(np.mean((predict(data) > 0.5) == labels))
    np.testing.assert_allclose(costs, COSTS["cost"], rtol=2e-5)
    np.testing.assert_allclose(accuracies, COSTS["accuracy"], atol=0.002)


@pytest.mark.parametrize("order", ORDERS[:3])
@settings(max_examples=settings.default.max_examples // 3)
@given(st.randoms(use_true_random=False), st.booleans())
def test_random_functions_agree_with_the_oracles_in_every_thread_order(order: str, source: Any, special: bool) -> None:
    maker = Maker(lambda n: source.randrange(n), special)
    maker.rng = np.random.default_rng(source.randrange(1 << 30))
    sim().order = order
    try:
        with tensordsl.config.change_flags(device="sim"):
            expressions.check(maker.make(), maker.level, turns=5)  # the third one is recorded, in several streams
    finally:
        sim().order = ORDERS[0]
    sim().check()


def test_random_functions_without_any_kernel_run_on_the_host(monkeypatch: pytest.MonkeyPatch) -> None:
    from tensordsl.codegen.gpu import program as gpu_program

    def refuse(plan: Any, *_: Any) -> Any:
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


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_products_of_stacks(dtype: str) -> None:
    a, b = (T.TensorType(dtype, (False,) * 3)(name) for name in "ab")
    w = tensordsl.shared(np.ones((3, 5, 4), dtype))
    turned = T.batched_dot(b.dimshuffle(0, 2, 1), a.dimshuffle(0, 2, 1))
    one = T.matmul(a.sum(0, keepdims=True), b)
    f = tensordsl.function([a, b], [-2 * T.batched_dot(a, b) + 1, turned, one], updates=[(w, w + turned)])
    rng, tolerance = np.random.default_rng(0), 1e-4 if dtype == "float32" else 1e-11
    for k in (6, 0, 300):
        x, y = (rng.standard_normal(s).astype(dtype) for s in ((3, 4, k), (3, k, 5)))
        for p, q in ((x, y), (x[::-1, :, ::-1].copy()[::-1, :, ::-1], y.transpose(1, 2, 0).copy().transpose(2, 0, 1))):
            wanted = 1 - 2 * (p @ q), (p @ q).transpose(0, 2, 1), p.sum(0, keepdims=True) @ q
            old = w.get_value()
            for got, want in zip(f(p, q), wanted, strict=True):
                np.testing.assert_allclose(got, want, rtol=tolerance, atol=50 * tolerance)
            np.testing.assert_allclose(w.get_value(), old + wanted[1], rtol=tolerance, atol=50 * tolerance)


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


def test_numbers_that_were_looked_at_early_are_no_errors_of_later_launches() -> None:
    """The least position, 1, is in range; it stood where the load at the mask's positions says whether it failed."""
    x, k = T.dvector("x"), T.lvector("k")
    y = T.set_subtensor(x[k], 0.0)
    f = tensordsl.function([x, k], [y, x[T.gt(y, 0)]])
    for _ in range(4):
        written, positive = f(np.array([1.0, 2.0, 3.0, -4.0]), np.array([1, 3]))
        assert written.tolist() == [1.0, 0.0, 3.0, 0.0] and positive.tolist() == [1.0, 3.0]
    with pytest.raises(IndexError):
        f(np.ones(4), np.array([1, 4]))


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
    return sum(bool(replay) for made in devices._programs.values() for replay in made.seen.values())


def test_writing_at_positions_is_recorded_and_checked_before_anything_is_committed() -> None:
    s, i, g = tensordsl.shared(np.zeros((5, 2))), T.lvector("i"), T.dmatrix("g")
    f = tensordsl.function([i, g], s.sum(), updates=[(s, T.inc_subtensor(s[i], g))])
    expected = np.zeros((5, 2))
    for k in range(12):
        total = expected.sum()
        if k % 3 == 2:
            with pytest.raises(IndexError, match="index (5|-6) is out of bounds for axis 0 with size 5"):
                f([0, 5 if k % 2 else -6, 1], np.ones((3, 2)))
        else:
            assert f([0, 4, -1], np.ones((3, 2))) == total
            np.add.at(expected, [0, 4, -1], 1.0)
        assert s.get_value().tolist() == expected.tolist(), k
    assert recordings() > 0
    s.set_value(np.zeros((0, 2)))
    for _ in range(4):
        assert f([], np.ones((0, 2))) == 0
        with pytest.raises(IndexError):
            f([0], np.ones((1, 2)))


def test_calls_of_the_same_shapes_are_recorded_and_repeated(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two recordings take turns, for the old and the new storage of the state; anything else runs the program."""
    monkeypatch.setattr(devices, "_programs", {})
    x, w = T.dmatrix("x"), tensordsl.shared(np.zeros((3, 3)))
    y = T.exp(x) * 2
    f = tensordsl.function(
        [x], [tensordsl.Out(y, target="device"), T.dot(x, w).sum()], updates=[(w, w + T.dot(x.T, x))]
    )
    rng, total = np.random.default_rng(0), np.zeros((3, 3))
    kept: list[Any] = []
    launched: list[int] = []
    monkeypatch.setitem(runner.TABLE, "Launch", noting(runner.DeviceRunner.launch, launched))
    for k in range(20):
        a = rng.standard_normal((7 if k == 9 else 4, 3))[:: 1 if k % 3 else -1]
        if k == 12:
            w.set_value(np.eye(3))
            total = np.eye(3)
        before = len(launched)
        got, product = f(a)
        assert (len(launched) > before) == (k < 5 or k in (9, 12, 13, 14, 15, 16)), k
        for array, expected in (*kept, (got, 2 * np.exp(a))):
            np.testing.assert_allclose(array.get(), expected, rtol=1e-14)
        kept = [(got, 2 * np.exp(a))]
        np.testing.assert_allclose(product, (a @ total).sum(), rtol=1e-9, atol=1e-9)
        total = total + a.T @ a
        np.testing.assert_allclose(w.get_value(), total, rtol=1e-12)
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


@pytest.mark.parametrize("dtype", ["float32", "complex128", "int8"])
def test_exact_arrays_of_the_device_are_taken_as_they_are_and_others_refused_as_ever(dtype: str) -> None:
    x = T.TensorType(dtype, (None, 2))("x")
    f = tensordsl.function([x], x + x)
    a = np.arange(6).reshape(3, 2).astype(dtype)
    assert (f(to_device(a, "sim")) == a + a).all() and (f(a) == a + a).all()
    for wrong, words in ((a[:, :1], "Wrong length"), (a[0], "Wrong number of dimensions")):
        with pytest.raises(TypeError, match=words):
            f(to_device(wrong, "sim"))
    with pytest.raises(TypeError):
        f(to_device(a, "sim"), to_device(a, "sim"))


def test_what_only_points_need_is_not_read_where_there_are_none() -> None:
    """Rows without elements: the index of what they would be multiplied by is that of nothing."""
    i, v, w = T.lvector("i"), T.dvector("v"), T.dmatrix("w")
    at = i % 1
    cases = (
        [T.dot(i, i) + w[0, i], i[at]],
        [(w * T.exp(v[at])).sum(axis=1), w - v[at]],
        [(w.T * T.exp(v[at])[:, None]).sum(axis=0), w.T - v[at][:, None]],
    )
    for outputs in cases:
        f = tensordsl.function([i, v, w], outputs, on_unused_input="ignore")
        slow = tensordsl.function([i, v, w], outputs, mode="REFERENCE", on_unused_input="ignore")
        for rows, n in ((3, 0), (1, 0), (3, 5)):
            given = np.arange(n), np.linspace(0.5, 1.0, n), np.ones((rows, n))
            for got, want in zip(f(*given), slow(*given), strict=True):
                np.testing.assert_allclose(got, want, rtol=1e-12)
    f = tensordsl.function([v, i, w], w.sum(axis=1) + v[i])
    with pytest.raises(IndexError):
        f(np.zeros(0), np.zeros(3, "int64"), np.zeros((3, 0)))


@pytest.mark.parametrize("dtype", ["complex64", "complex128"])
def test_complex_numbers_are_read_and_written_whole(dtype: str) -> None:
    """Elementwise, by several points at once, through shared memory, with a row for all, and summed."""
    x, y, v = T.matrix("x", dtype=dtype), T.matrix("y", dtype=dtype), T.vector("v", dtype=dtype)
    f = tensordsl.function([x, y, v], [x * y, x - y, x.conj() * y.T, x * v, x.imag, x[[0, -1]], x.sum(0), abs(x).sum()])
    rng, exact = np.random.default_rng(0), 1e-4 if dtype == "complex64" else 1e-12
    for n in (1, 6, 37):
        a, b, c = ((rng.standard_normal(s) + 1j * rng.standard_normal(s)).astype(dtype) for s in ((n, n), (n, n), n))
        for p, q, r in ((a, b, c), (a.T, b[::-1], np.repeat(c, 2)[::2])):
            want = p * q, p - q, p.conj() * q.T, p * r, p.imag, p[[0, -1]], p.sum(0), np.abs(p).sum()
            for got, wanted in zip(f(p, q, r), want, strict=True):
                np.testing.assert_allclose(got, wanted, rtol=exact, atol=exact)


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
    serialise._Pickler(out).dump((group, x))
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


# -- loops that end early --------------------------------------------------------------------------------------------
def test_a_loop_that_ends_early_runs_on_the_device() -> None:
    """Its rounds are the host's, as all control is; lengths are those of the rounds that were."""
    x, limit = T.dvector("x"), T.dscalar("limit")
    sums, _ = tensordsl.scan(lambda v, s: (s + v * x, tensordsl.scan_module.until(s.sum() > limit)), x, x * 0)
    last, rounds = tensordsl.while_loop(lambda c: c[0].sum() < limit, lambda c: (c[0] * 2 + 1, c[1] + 1), (x, 0))
    outputs = [sums, sums.shape[0], last, rounds, T.grad((sums**2).sum() + last.sum(), x)]
    on_host = tensordsl.function([x, limit], outputs, mode="REFERENCE")
    on_device = tensordsl.function([x, limit], outputs)
    for length in (1, 3, 40):
        for most in (-1.0, 10.0, 1e4):
            given = np.linspace(0.5, 1.5, length), most
            for one, other in zip(on_device(*given), on_host(*given), strict=True):
                np.testing.assert_allclose(one, other, rtol=1e-10)
