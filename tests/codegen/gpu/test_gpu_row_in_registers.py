"""Rows in registers on the simulator: against NumPy, at the lengths around each run, aligned and not, with one result."""

from __future__ import annotations

from functools import cache

import cases
import numpy as np
import pytest
from simulated import SimulatedGroup
from test_gpu_kernels import JUDGED, KINDS, agree, agree_in_every_order, outputs, update
from test_kernels import inputs

from tensordsl.codegen.fusion.group import Buffer, Group, Out
from tensordsl.codegen.gpu.kernels import HELD, GpuKernel
from tensordsl.codegen.gpu.launch import Operand, extents, launches
from tensordsl.codegen.gpu.row_in_registers import MAX_BLOCK_THREADS, fits_registers, row_threads
from tensordsl.codegen.gpu.schedule import plan
from tensordsl.codegen.scalar_ir.builder import COMPUTED, Builder
from tensordsl.ops.array import reducers
from tensordsl.runtime.driver.simulator import ORDERS, SimulationError

NAMES = ("softmax", "layernorm", "crossentropy", "meanvar")


@cache
def runner(name: str, dtype: str) -> SimulatedGroup:
    return SimulatedGroup(getattr(cases, name)(dtype))


def held(run: SimulatedGroup) -> GpuKernel:
    first, kernel = run.plan.kernels
    assert run.plan.has_choice and first.pattern == "rows" and kernel.pattern == HELD
    return kernel


@pytest.mark.parametrize("dtype", COMPUTED)
@pytest.mark.parametrize("name", NAMES)
def test_rows_of_every_length_agree_with_numpy(name: str, dtype: str) -> None:
    run, rng = runner(name, dtype), np.random.default_rng(0)
    k = held(run)
    warp = 32 * k.vector * k.runs
    lengths = [*range(1, 18), 31, 33, 4 * 32, warp - 1, warp, warp + 1, 3 * warp + 2]
    for n, m in enumerate(lengths):
        kind = KINDS[n % len(KINDS)] if not (name == "layernorm" and m < 3) else "random"
        kind = "random" if name == "layernorm" and kind == "broadcast" else kind
        arrays = inputs(name, (1 + n % 5 * 11, m), dtype, kind, rng)
        agree_in_every_order(run, arrays, outputs(name, arrays), dtype, f"{m} {kind}")


@pytest.mark.parametrize("name", NAMES)
def test_the_longest_rows_and_empty_ones(name: str) -> None:
    run, rng = runner(name, "float32"), np.random.default_rng(1)
    k = held(run)
    for n, m in (
        (2, MAX_BLOCK_THREADS * k.vector * k.runs),
        (1, MAX_BLOCK_THREADS * k.vector * k.runs + 1),
        (0, 5),
        (3, 0),
    ):
        if m == 0 and name in ("softmax", "crossentropy"):
            continue
        arrays = inputs(name, (n, m), "float32", "random", rng)
        got = {k: np.zeros_like(v) for k, v in outputs(name, arrays).items()}
        assert run(arrays | got, "greedy") == 0
        agree(got, outputs(name, arrays), "float32", f"{n} {m}")


@pytest.mark.parametrize("name", NAMES)
def test_results_do_not_depend_on_how_elements_are_accessed(name: str) -> None:
    run, rng = runner(name, "float32"), np.random.default_rng(2)
    for m in (8, 64, 600, 1200):
        arrays = inputs(name, (3, m), "float32", "random", rng)
        shifted = {}
        for key, a in arrays.items():
            shifted[key] = np.zeros((*a.shape[:-1], a.shape[-1] * 2 + 2), a.dtype)[..., 2::2]
            shifted[key][...] = a
        results = []
        for given in (arrays, shifted):
            got = {k: np.zeros_like(v) for k, v in outputs(name, arrays).items()}
            assert run(given | got) == 0
            results.append([v.tobytes() for v in got.values()])
        assert results[0] == results[1]


def test_threads_of_a_row_and_the_choice_by_its_length() -> None:
    p = plan(cases.softmax("float32"))
    k = p.kernels[1]
    assert (k.vector, k.runs, k.threads) == (4, 4, 512)
    assert [row_threads(k, m) for m in (0, 1, 2, 3, 4, 7, 10, 128, 129, 512, 513, 1024, 1025, 8192)] == [
        1, 1, 2, 4, 1, 4, 4, 32, 32, 32, 64, 64, 128, 512,
    ]  # fmt: skip
    assert all(m % 4 <= row_threads(k, m) and m <= 16 * row_threads(k, m) + m % 4 for m in range(1, 8193))
    assert fits_registers(k, 8192) and not fits_registers(k, 8193)

    def chosen(n: int, m: int, address: int = 4096, stride: int = 0) -> tuple[str, int, int, int]:
        """Kernel, whether accesses are wide, blocks and threads of a block."""
        operands = {b: Operand(address, (n, m), (stride or m, 1)) for b in p.buffers}
        (launch,) = launches(p, operands, extents(p, operands), 0)
        wide = launch.arguments[k.params.index(("aligned",))] if launch.kernel is k else 0
        return launch.kernel.name, wide, launch.grid, launch.block

    assert chosen(64, 10) == ("softmax_held", 0, 2, 128) and chosen(64, 12) == ("softmax_held", 1, 2, 128)
    assert chosen(64, 1024) == ("softmax_held", 1, 64, 64) and chosen(8, 8192) == ("softmax_held", 1, 8, 512)
    assert chosen(8, 1024, address=4100)[1] == 0 and chosen(8, 1024, stride=1025)[1] == 0
    assert chosen(8, 8193) == ("softmax", 0, 8, 256)


def test_what_registers_have_no_room_for_is_walked_along() -> None:
    """Sums of twelve operands, and their distances from them."""
    b, outs = Builder(), []
    for k in range(12):
        x = b.load(Buffer(f"x{k}", "float32", ("n", "m")), "i", "j")
        (total,) = b.reduce(reducers.SUM, ("j",), x)
        outs.append(Out(Buffer(f"y{k}", "float32", ("n", "m")), ("i", "j"), b.sub(x, total)))
    made = plan(Group("many", {"i": "n", "j": "m"}, ("i",), tuple(outs)))
    assert [k.pattern for k in made.kernels] == ["rows"]


def test_one_read_of_each_operand_and_one_function_of_each_element() -> None:
    from tensordsl.codegen.gpu import compile as ptx
    from tensordsl.codegen.gpu.kernels import module_text

    k = plan(cases.softmax("float32")).kernels[1]
    text = ptx.compile_text(module_text([k]), "sm_80")
    elements = k.runs * k.vector + 1
    assert text.count("ld.global.nc.v4") == k.runs and text.count("st.global.v4") == k.runs
    assert text.count("ld.global.nc.f32") + text.count("ld.global.nc.b32") == elements
    assert text.count("div.rn.f32") == elements


def test_updates_in_place() -> None:
    run, rng = SimulatedGroup(update("float32", "softmax")), np.random.default_rng(3)
    held(run)
    for n, m in ((5, 7), (40, 64), (3, 1500)):
        x = rng.standard_normal((n, m)).astype("float32")
        e = np.exp(x - x.max(1, keepdims=True))
        for order in JUDGED:
            arrays = {"x": x.copy()}
            assert run(arrays, order, multiprocessors=2) == 0
            agree(arrays, {"x": e / e.sum(1, keepdims=True)}, "float32", f"{n} {m} {order}")


def is_caught(text: str) -> bool:
    """Does the mutated softmax fail, give a wrong result or depend on the order of threads?"""
    run, rng = SimulatedGroup(cases.softmax("float64"), text), np.random.default_rng(4)
    for shape in ((20, 1100), (50, 64)):
        arrays = inputs("softmax", shape, "float64", "random", rng)
        expected = outputs("softmax", arrays)
        for order in ORDERS:
            got = {k: np.zeros_like(v) for k, v in expected.items()}
            try:
                run(arrays | got, order)
                agree(got, expected, "float64", order)
            except (SimulationError, AssertionError):
                return True
    return False


def test_mutations_are_caught() -> None:
    p = plan(cases.softmax("float64"))
    kernel = p.kernels[1].text
    call = "  call void @llvm.nvvm.barrier0()\n"
    pieces = kernel.split(call)
    assert len(pieces) == 3 and not is_caught(p.text)
    mutated = [call.join(pieces[:k]) + call.join(pieces[k:]) for k in (1, 2)]
    mutated.append(kernel.replace("i32 16, i32 31", "i32 0, i32 31"))
    mutated.append(kernel.replace("zeroinitializer", "0xFFF0000000000000").replace("icmp slt", "icmp sle"))
    for text in mutated:
        assert text != kernel and is_caught(p.text.replace(kernel, text))
