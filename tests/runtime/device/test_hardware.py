"""What runs on a real GPU only: `pytest -m gpu`.  Without one every test is skipped, and says why."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

import expressions
import numpy as np
import pytest
import test_gpu_elementwise
import test_gpu_kernels
import test_gpu_library_calls
import test_gpu_op_rows
import test_gpu_programs
import test_gpu_row_in_registers
from expressions import Maker
from simulated import DeviceGroup

import tensordsl
import tensordsl.tensor as T
from tensordsl import errors
from tensordsl.codegen.scalar_ir.builder import COMPUTED
from tensordsl.functions.devices import DeviceArray, from_dlpack, get_device, to_device
from tensordsl.graph import Op

pytestmark = [pytest.mark.gpu, pytest.mark.filterwarnings("ignore:device .* has no kernel")]


@pytest.fixture(params=["ctypes", "pycuda"], autouse=True)
def gpu(request: pytest.FixtureRequest) -> Iterator[Any]:
    """The GPU through one of the drivers."""
    with tensordsl.config.change_flags(cuda_driver=request.param, device="cuda"):
        try:
            device = get_device("cuda")
        except errors.DeviceError as error:
            pytest.skip(f"{request.param}: {type(error).__name__}: {error}")
        yield device


def test_memory_is_copied_both_ways(gpu: Any) -> None:
    for size in (0, 1, 1000, 1 << 22):
        a = np.random.default_rng(size).standard_normal(size)
        assert np.array_equal(to_device(a, gpu).copy().get(), a)
    assert gpu.driver.info.memory > 0 and gpu.driver.info.capability >= (7, 5)


def test_random_functions_agree_with_the_oracles() -> None:
    for seed in range(100):
        source = random.Random(seed)
        maker = Maker(lambda n, source=source: source.randrange(n), bool(seed % 2))
        maker.rng = np.random.default_rng(seed)
        expressions.check(maker.make(), maker.level, turns=5)


def test_a_layer_trains_as_on_the_cpu_through_recorded_calls() -> None:
    costs: dict[str, list[float]] = {}
    data = np.random.default_rng(0).standard_normal((256, 64)).astype("float32")
    for device in ("cpu", "cuda"):
        x, w = T.fmatrix("x"), tensordsl.shared(np.full((64, 32), 0.01, "float32"))
        cost = T.mean((T.tanh(T.dot(x, w)) - 0.5) ** 2)
        step = tensordsl.function([x], cost, updates=[(w, w - np.float32(0.1) * T.grad(cost, w))], device=device)
        costs[device] = [float(step(data)) for _ in range(30)] + w.get_value().ravel()[:5].tolist()
    np.testing.assert_allclose(costs["cuda"], costs["cpu"], rtol=1e-4)


def test_results_are_the_same_bits_from_run_to_run() -> None:
    x = T.fmatrix("x")
    f = tensordsl.function([x], [T.nnet.softmax(x), x.sum(), x.sum(axis=0), T.dot(x, x.T)])
    data = np.random.default_rng(1).standard_normal((333, 777)).astype("float32")
    assert len({b"".join(r.tobytes() for r in f(data)) for _ in range(6)}) == 1


def test_an_index_out_of_range_is_an_error_and_the_device_lives() -> None:
    x, i, w = T.fvector("x"), T.lvector("i"), tensordsl.shared(np.zeros(2, "float32"))
    f = tensordsl.function([x, i], x[i], updates=[(w, w + 1)])
    data = np.arange(5, dtype="float32")
    for _ in range(6):
        with pytest.raises(IndexError):
            f(data, [1, 5])
    assert w.get_value().tolist() == [0.0, 0.0]
    assert f(data, [4, -5]).tolist() == [4.0, 0.0] and w.get_value().tolist() == [1.0, 1.0]


def test_torch_reads_and_gives_arrays_without_a_copy(gpu: Any) -> None:
    torch = pytest.importorskip("torch")
    if not torch.cuda.is_available():
        pytest.skip("this torch sees no GPU")
    ours = to_device(np.arange(6.0).reshape(2, 3), gpu)
    theirs = torch.from_dlpack(ours)
    assert theirs.is_cuda and theirs.data_ptr() == ours.address and theirs.sum().item() == 15.0
    back = from_dlpack(torch.ones((3, 2), device="cuda").T, gpu)
    x = T.fmatrix("x")
    out = tensordsl.function([x], tensordsl.Out(x * 2, target="device"))(back)
    assert isinstance(out, DeviceArray) and out.get().tolist() == [[2.0] * 3] * 2


# -- the suite of the simulator, on the card -------------------------------------------------------------------------
@pytest.fixture
def on_card(gpu: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """What runs groups on the simulator runs them on the GPU."""
    monkeypatch.setattr(DeviceGroup, "device", gpu, raising=False)
    for module in (
        test_gpu_op_rows,
        test_gpu_kernels,
        test_gpu_elementwise,
        test_gpu_row_in_registers,
        test_gpu_programs,
    ):
        monkeypatch.setattr(module, "SimulatedGroup", DeviceGroup)


@pytest.mark.parametrize("row", test_gpu_op_rows.ELEMENTWISE.values(), ids=test_gpu_op_rows.ELEMENTWISE)
def test_elementwise_rows(row: Op, on_card: None) -> None:
    test_gpu_op_rows.test_elementwise_rows_are_their_oracles(row)


@pytest.mark.parametrize("row", test_gpu_op_rows.REDUCTIONS.values(), ids=test_gpu_op_rows.REDUCTIONS)
def test_reductions(row: Op, on_card: None) -> None:
    test_gpu_op_rows.test_reductions_are_their_oracles(row)


@pytest.mark.parametrize("dtype", COMPUTED)
@pytest.mark.parametrize("name", test_gpu_kernels.REFERENCE)
def test_cases(name: str, dtype: str, on_card: None) -> None:
    test_gpu_kernels.runner.cache_clear()
    test_gpu_kernels.test_case_agrees_with_numpy_in_every_thread_order(name, dtype)
    test_gpu_kernels.runner.cache_clear()


@pytest.mark.parametrize("dtype", ["float32", "float64", "int8", "float16", "complex64"])
@pytest.mark.parametrize("kind", test_gpu_elementwise.KINDS)
def test_elementwise_rows_of_every_length_and_kind(kind: str, dtype: str, on_card: None) -> None:
    test_gpu_elementwise.test_rows_of_every_length_and_kind(kind, dtype)


@pytest.mark.parametrize("two_stages", [False, True])
@pytest.mark.parametrize("name", ["total", "pooled"])
def test_axes_walked_as_one(name: str, two_stages: bool, on_card: None) -> None:
    test_gpu_kernels.test_sums_are_the_same_bits_however_axes_lie(name, two_stages)


@pytest.mark.parametrize("dtype", COMPUTED)
@pytest.mark.parametrize("name", test_gpu_row_in_registers.NAMES)
def test_rows_in_registers(name: str, dtype: str, on_card: None) -> None:
    test_gpu_row_in_registers.runner.cache_clear()
    test_gpu_row_in_registers.test_rows_of_every_length_agree_with_numpy(name, dtype)
    test_gpu_row_in_registers.test_the_longest_rows_and_empty_ones(name)
    test_gpu_row_in_registers.test_results_do_not_depend_on_how_elements_are_accessed(name)
    test_gpu_row_in_registers.runner.cache_clear()


@pytest.mark.parametrize("dtype", ["float32", "float64", "int16"])
def test_operands_that_cross(dtype: str, on_card: None) -> None:
    test_gpu_kernels.test_operands_that_run_along_another_axis_go_through_shared_memory(dtype)


@pytest.mark.parametrize("dtype", ["float64", "float32", "float16", "int8", "uint64", "bool"])
def test_sorting_and_running_sums(dtype: str) -> None:
    test_gpu_library_calls.test_sorting_is_stable_and_numpys(dtype, None)
    test_gpu_library_calls.test_running_sums_and_products(dtype, None)


def test_masks_repeats_and_places() -> None:
    test_gpu_library_calls.test_masks_repeats_and_places(None)
    test_gpu_library_calls.test_products_do_not_overflow_in_parts(None)


# -- what goes wrong -------------------------------------------------------------------------------------------------
def test_too_large_a_result_is_refused_and_the_device_lives(gpu: Any) -> None:
    x, n, w = T.fvector("x"), T.lscalar("n"), tensordsl.shared(np.zeros(2, "float32"))
    f = tensordsl.function([x, n], T.alloc(x[0], n), updates=[(w, w + 1)])
    with pytest.raises(errors.DeviceMemoryError, match="bytes wanted"):
        f([1.0], gpu.driver.info.memory)
    assert w.get_value().tolist() == [0.0, 0.0] and f([2.0], 3).tolist() == [2.0] * 3
    assert w.get_value().tolist() == [1.0, 1.0]


def test_a_text_that_the_driver_refuses_is_an_error_with_its_log(gpu: Any) -> None:
    with pytest.raises(errors.DeviceError) as caught:
        gpu.driver.load(".version 7.0\n.target sm_75\n.address_size 64\n.visible .entry f() { nonsense; }\n")
    assert "ptxas" in str(caught.value) or "nonsense" in str(caught.value), "the assembler's words are shown"
    assert to_device(np.arange(3.0), gpu).get().tolist() == [0.0, 1.0, 2.0]


def test_functions_that_are_dropped_give_back_memory(gpu: Any) -> None:
    import gc

    def used() -> int:
        gc.collect()
        with gpu.lock:
            gpu.bury()
            gpu.pool.trim()
        return int(gpu.pool.statistics().used)

    x = T.fvector("x")
    before = used()
    for k in range(50):
        f = tensordsl.function([x], T.exp(x * k).sum())
        for _ in range(4):
            f(np.ones(1 << 16, "float32"))
        del f
    assert used() == before and not gpu.retired
