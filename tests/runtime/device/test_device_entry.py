"""Native calls of functions on a GPU, over a stand-in for NVIDIA's library: what needs Python and what does not."""

from __future__ import annotations

import gc
import os
import threading
from collections.abc import Iterator
from typing import Any
from weakref import WeakValueDictionary

import numpy as np
import pytest
from fakes import FakeLibrary, FakePycuda, compiled_as_llvm, device

import tensordsl
import tensordsl.tensor as T
from tensordsl import errors
from tensordsl.codegen.abi.layouts import DRIVER_CALLS
from tensordsl.functions import devices
from tensordsl.functions.devices import get_device, to_device
from tensordsl.runtime.driver.cuda_ctypes import CtypesDriver
from tensordsl.runtime.driver.cuda_pycuda import PycudaDriver

WARM = 8  # calls until a function's two recordings are known to native code


@pytest.fixture(params=["ctypes", "pycuda"])
def library(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """The stand-in of a GPU that is `cuda0`."""
    compiled_as_llvm(monkeypatch)
    monkeypatch.setattr(devices, "_programs", WeakValueDictionary())
    fake: Any = FakeLibrary() if request.param == "ctypes" else FakePycuda()
    driver: Any = CtypesDriver(0, fake) if request.param == "ctypes" else PycudaDriver(0, fake, fake.library)
    with tensordsl.config.change_flags(cuda_driver=request.param, device="cuda"), device(driver):
        yield fake
    assert fake.depth == 0 and not getattr(fake, "library", fake).problems
    fake.sim.check()


@pytest.fixture
def python(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Gets an entry with each call that Python makes."""
    made: list[int] = []
    run = devices.run_on_device

    def noted(*args: Any, **kwargs: Any) -> Any:
        made.append(1)
        return run(*args, **kwargs)

    monkeypatch.setattr(devices, "run_on_device", noted)
    return made


def step() -> tuple[Any, Any]:
    """A training step, and its variable: outputs of both kinds, indices that are checked, an update."""
    x, i, w = T.fmatrix("x"), T.lvector("i"), tensordsl.shared(np.zeros((3, 3), "float32"))
    outputs = [T.exp(x).sum(axis=0), tensordsl.Out(x[i] * 2, target="device"), w.sum()]
    return tensordsl.function([x, i], outputs, updates=[(w, w + T.dot(x.T, x))]), w


def test_a_warm_function_is_called_without_python(library: Any, python: list[int]) -> None:
    f, w = step()
    total = np.zeros((3, 3), "float32")
    for k in range(20):
        x, i = np.full((4, 3), k / 8, "float32"), np.array([k % 4, -1])
        python.clear()
        summed, doubled, before = f(x, i)
        assert bool(python) == (k < WARM - 1), k
        np.testing.assert_allclose(summed, np.exp(x).sum(0), rtol=1e-6)
        assert (doubled.get() == 2 * x[i]).all() and before == total.sum() and doubled.device is get_device("cuda")
        total += x.T @ x
    assert (w.get_value() == total).all() and library.calls.count("cuGraphLaunch") == 20 - 5


@pytest.mark.parametrize("name", ["cuCtxPushCurrent_v2", "cuGraphLaunch", "cuStreamSynchronize"])
@pytest.mark.parametrize(
    ("code", "kind"), [(2, errors.DeviceMemoryError), (700, errors.DeviceLostError), (1, errors.LaunchError)]
)
def test_a_failure_of_the_driver_changes_nothing(
    library: Any, python: list[int], name: str, code: int, kind: Any
) -> None:
    f, w = step()
    x, i = np.ones((4, 3), "float32"), np.array([0, 3])
    for _ in range(WARM):
        f(x, i)
    python.clear()
    before = w.get_value()
    library.calls.clear()
    f(x, i)
    assert tuple(library.calls) == DRIVER_CALLS
    after = w.get_value()
    library.refuse(DRIVER_CALLS.index(name), code)
    with pytest.raises(kind, match=f"{name} failed"):
        f(x, i)
    assert w.get_value().tobytes() == after.tobytes() != before.tobytes() and not python
    f(x, i)
    assert (w.get_value() == after + 4).all() and not python


def test_indices_out_of_range_are_errors_of_the_user(library: Any, python: list[int]) -> None:
    f, w = step()
    x = np.ones((4, 3), "float32")
    for k in range(WARM + 6):
        before = w.get_value()
        if k % 3 == 2:
            with pytest.raises(IndexError, match="index 4 is out of bounds for axis 0 with size 4"):
                f(x, np.array([0, 4]))
            assert w.get_value().tobytes() == before.tobytes()
        else:
            f(x, np.array([0, 3]))
            assert (w.get_value() == before + 4).all()


def test_outputs_that_stay_are_handed_out_without_a_copy(library: Any, python: list[int]) -> None:
    """Nobody ever sees one change, whether he keeps one, two or all of them."""
    x = T.fvector("x")
    f = tensordsl.function([x], tensordsl.Out(x + 1, target="device"))
    last, kept = None, []
    for k in range(16):
        python.clear()
        library.calls.clear()
        y = f(np.full(5, k, "float32"))
        if last is not None:
            assert last.get().tolist() == [k] * 5
        last = y
        assert bool(python) == (k < 5), k  # seen, recorded, the other one recorded as long as this one is held
        assert k < 2 or not any("DtoD" in name or name == "dtod" for name in library.calls)
    del y
    for k in range(16):
        kept.append((k, f(np.full(5, k, "float32"))))
        assert all(a.get().tolist() == [n + 1] * 5 for n, a in kept)
    assert len({a.address for _, a in kept}) == 16
    kept.clear()
    for k in range(6):
        python.clear()
        held = f(np.full(5, k, "float32"))
        del held
    assert not python


def test_what_another_library_holds_stays_as_it_is(library: Any) -> None:
    x = T.fvector("x")
    f = tensordsl.function([x], tensordsl.Out(x + 1, target="device"))
    for k in range(8):
        f(np.full(5, k, "float32"))
    first = f(np.zeros(5, "float32"))
    capsule, copy = first.__dlpack__(), first
    address = first.address
    del first, copy
    assert all(f(np.full(5, k, "float32")).address != address for k in range(8)), "a capsule holds it"
    del capsule
    assert any(f(np.full(5, k, "float32")).address == address for k in range(8))


def test_arguments_on_the_device_are_known_by_their_place(library: Any, python: list[int]) -> None:
    x, n = T.fmatrix("x"), T.lscalar("n")
    f = tensordsl.function([x, n], x.sum(axis=1) * n)
    data = np.arange(6, dtype="float32").reshape(2, 3)
    held = to_device(data, "cuda")
    for _ in range(5):
        f(held, 2)
    twin = type(held)(held.device, held.address, (2, 3), "float32", held)
    turned = type(held)(held.device, held.address, (3, 2), "float32", held, (4, 12))
    python.clear()
    for a, k in ((held, 3), (twin, np.int64(4)), (twin, np.array(5))):
        np.testing.assert_array_equal(f(a, k), data.sum(1) * int(k))
    assert not python
    for a, k in ((turned, 3), (data, 2), (to_device(2 * data, "cuda"), 2), (held, True)):
        np.testing.assert_array_equal(f(a, k), np.asarray(a).sum(1) * int(k))
    assert len(python) == 4
    for wrong in (held.get().astype("float64"), held.get()[0], None, to_device(data.astype("float64"), "cuda")):
        with pytest.raises(TypeError):
            f(wrong, 1)
    on_int = tensordsl.function([n], n + 1)
    place = to_device(np.int64(7), "cuda")
    for _ in range(5):
        assert on_int(place) == 8
    for number in (5, id(on_int), 2**62):
        assert on_int(number) == number + 1


def test_arguments_of_every_form(library: Any, python: list[int]) -> None:
    x, y = T.dmatrix("x"), T.dscalar("y")
    f = tensordsl.function([x, y], x * y)
    data = np.arange(12.0).reshape(3, 4)
    forms = [data, data.T, data[::-1], np.asfortranarray(data), data[:, ::2], data[:0], data[1:2], [[1.0, 2.0]]]
    for _ in range(6):
        for a in forms:
            for b in (2.0, 3, np.float64(0.5), np.array(4.0), np.float32(2)):
                np.testing.assert_array_equal(f(a, b), np.asarray(a) * float(b))
    python.clear()
    f(data, 2.0)
    f(data, np.float64(2))
    f(data, 2)
    assert not python
    f(data, y=3.0)
    assert len(python) == 1


def test_other_ways_to_a_variable_are_seen(library: Any, python: list[int]) -> None:
    w, x = tensordsl.shared(np.zeros(3, "float32")), T.fvector("x")
    f = tensordsl.function([x], w * 2, updates=[(w, w + x)])
    one, expected = np.ones(3, "float32"), np.zeros(3)

    def calls(count: int) -> None:
        nonlocal expected
        for _ in range(count):
            assert f(one).tolist() == (2 * expected).tolist()
            expected = expected + 1
            assert w.get_value().tolist() == expected.tolist()

    calls(WARM)
    w.set_value(np.full(3, 7, "float32"))
    expected = np.full(3, 7.0)
    calls(WARM)
    shown = w.get_value(borrow=True, return_internal_type=True)
    before = shown.get()
    calls(WARM)
    assert shown.get().tolist() == before.tolist(), "who sees the storage sees no update of it"
    on_cpu = tensordsl.function([x], w + x, device="cpu")  # from now on the variable lives there
    assert on_cpu(one).tolist() == (expected + 1).tolist()
    python.clear()
    calls(WARM)
    assert len(python) == WARM
    v = tensordsl.shared(np.zeros(3, "float32"))
    g = tensordsl.function([x], v * 2, updates=[(v, v + x)])
    for k in range(WARM + 2):
        assert g(one).tolist() == [2 * k] * 3
    v.on_device(get_device("sim"))
    assert g(one).tolist() == [2 * WARM + 4] * 3 and v.get_value().tolist() == [WARM + 3] * 3


def test_threads_take_turns(library: Any) -> None:
    w, x = tensordsl.shared(np.zeros(3, "float32")), T.fvector("x")
    f = tensordsl.function([x], w.sum(), updates=[(w, w + x)])
    one = np.ones(3, "float32")

    def work() -> None:
        for _ in range(40):
            f(one)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert w.get_value().tolist() == [160] * 3


def test_a_call_while_another_thread_has_the_device_waits(library: Any, python: list[int]) -> None:
    x = T.fvector("x")
    f = tensordsl.function([x], x + 1)
    for _ in range(5):
        f(np.ones(3, "float32"))
    python.clear()
    results: list[Any] = []
    with get_device("cuda").lock:
        thread = threading.Thread(target=lambda: results.append(f(np.ones(3, "float32")).tolist()))
        thread.start()
        thread.join(0.1)
        assert thread.is_alive() and not results
    thread.join()
    assert results == [[2, 2, 2]] and python


def test_what_has_died_is_given_back_and_memory_comes_back_when_short(library: Any, python: list[int]) -> None:
    x = T.fvector("x")
    f, g = (tensordsl.function([x], x * k) for k in (2, 3))
    one = np.ones(3, "float32")
    for _ in range(5):
        f(one), g(one)
    del g
    gc.collect()
    library.calls.clear()
    assert f(one).tolist() == [2, 2, 2]
    assert "cuGraphExecDestroy" in getattr(library, "library", library).calls
    get_device("cuda")._release()
    gc.collect()
    python.clear()
    for _ in range(6):
        assert f(one).tolist() == [2, 2, 2]
    assert len(python) == 3
    library.calls.clear()
    del f
    gc.collect()
    get_device("cuda").bury()
    assert "cuGraphExecDestroy" in library.calls


def test_a_forked_process_is_told_so(library: Any) -> None:
    x = T.fvector("x")
    f = tensordsl.function([x], x + 1)
    for _ in range(5):
        f(np.ones(3, "float32"))
    child = os.fork()
    if child == 0:
        try:
            f(np.ones(3, "float32"))
        except errors.DeviceLostError as error:
            os._exit(0 if "start method `spawn`" in str(error) else 2)
        os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert f(np.ones(3, "float32")).tolist() == [2, 2, 2]


def test_functions_of_one_graph_that_differ_in_where_outputs_stay(library: Any) -> None:
    x = T.fvector("x")
    home, there = tensordsl.function([x], x + 1), tensordsl.function([x], tensordsl.Out(x + 1, target="device"))
    for k in range(8):
        one = np.full(3, k, "float32")
        assert home(one).tolist() == [k + 1] * 3 and there(one).get().tolist() == [k + 1] * 3


def test_references_are_counted(library: Any) -> None:
    """Nothing is lost and nothing is dropped twice by many native calls."""
    import sys

    f, w = step()
    x, i = np.ones((4, 3), "float32"), np.array([0, 3])
    for _ in range(WARM):
        f(x, i)
    storage = w.on_device(get_device("cuda"))
    things = [None, False, True, storage, storage.array, storage.spare, x, i, f]
    before = [sys.getrefcount(t) for t in things]
    for _ in range(200):
        f(x, i)
    for t, count in zip(things, before, strict=True):
        assert abs(sys.getrefcount(t) - count) < 20, t
