"""What a GPU does not take or forgive, found by reading CUDA's documents: sizes of parameters, reads outside, empty
operands, lanes that have ended."""

from __future__ import annotations

import ctypes
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from checkout import ROOT, TESTS
from fakes import device
from simulated import SimulatedGroup
from test_gpu_compile import ASSEMBLED, assemble, needs_ptxas
from test_simulator import BARRIER, MIRROR, mirrored
from tuned import HERE

import tensordsl
import tensordsl.tensor as T
from tensordsl import errors
from tensordsl.codegen.fusion.group import Buffer, Group, Out
from tensordsl.codegen.gpu import compile as ptx
from tensordsl.codegen.gpu import gemm
from tensordsl.codegen.gpu.kernels import module_text
from tensordsl.codegen.gpu.launch import Operand
from tensordsl.codegen.gpu.schedule import plan
from tensordsl.codegen.scalar_ir.builder import COMPUTED, Builder
from tensordsl.functions import devices
from tensordsl.ops.array.reducers import SUM
from tensordsl.runtime.device import replay
from tensordsl.runtime.device.replay import Replay
from tensordsl.runtime.driver.simulated import SimDriver
from tensordsl.runtime.driver.simulator import ORDERS, SimulationError, Simulator

MANY = 200  # matrices: more operands than 4 KiB of parameters have room for


def test_functions_of_many_operands_are_right() -> None:
    matrices = [T.fmatrix(f"x{k}") for k in range(MANY)]
    total = matrices[0]
    for x in matrices[1:]:
        total = total * 0.5 + x
    f = tensordsl.function(matrices, total, device="sim")
    rng = np.random.default_rng(0)
    arguments = [rng.standard_normal((3, 5)).astype("float32") for _ in range(MANY)]
    want = arguments[0]
    for a in arguments[1:]:
        want = want * np.float32(0.5) + a
    for _ in range(4):
        np.testing.assert_allclose(f(*arguments), want, rtol=1e-6)


def sums(count: int, dtype: str, axes: str) -> Group:
    """x0 + x1 + ... at the points of `axes`, summed along the others of "ij"."""
    b = Builder()
    total, *rest = (b.load(Buffer(f"x{k}", dtype, ("n", "m")), "i", "j") for k in range(count))
    for x in rest:
        total = b.add(total, x)
    if axes != "ij":
        (total,) = b.reduce(SUM, tuple({"i", "j"} - {*axes}), total)
    lengths = {"i": "n", "j": "m"}
    out = Out(Buffer("o", dtype, tuple(lengths[a] for a in axes)), tuple(axes), total)
    return Group(f"sums_{count}_{dtype}_{axes}", lengths, tuple(axes), (out,))


@needs_ptxas
@pytest.mark.parametrize("target", ASSEMBLED)
def test_kernels_of_as_many_operands_as_groups_have_assemble_without_spills(target: str, tmp_path: Path) -> None:
    plans = [
        plan(sums(n, t, axes)) for t in COMPUTED for axes in ("ij", "i", "j") for n in (8, HERE.fusion.max_operands)
    ]
    kernels = [k for p in plans for k in p.kernels]
    registers = assemble(ptx.compile_text(module_text(kernels), target), target, tmp_path)
    assert len(registers) == len(kernels)
    assert max(registers[p.kernels[0].name] for p in plans) <= 160


@pytest.mark.parametrize("axes", ["ij", "i", "j"])
@pytest.mark.parametrize("count", [9, 20, 60])
def test_operands_whose_addresses_are_not_kept_are_right(axes: str, count: int) -> None:
    run, rng = SimulatedGroup(sums(count, "float32", axes)), np.random.default_rng(0)
    for shape in ((1, 1), (5, 7), (70, 33), (3, 1100), (1100, 3)):
        arrays = {f"x{k}": rng.integers(-9, 9, shape).astype("float32") for k in range(count)}
        arrays["x1"] = arrays["x1"][::-1, ::-1]
        want = sum(arrays.values()).sum(axis=tuple(k for k, a in enumerate("ij") if a not in axes))
        for order in ORDERS[:3]:
            got = {**arrays, "o": np.zeros(want.shape, "float32")}
            run(got, order, multiprocessors=2)
            np.testing.assert_array_equal(got["o"], want)


@needs_ptxas
@pytest.mark.parametrize("target", ASSEMBLED)
def test_kernels_of_many_parameters_ask_for_the_version_that_has_them(target: str, tmp_path: Path) -> None:
    """Of CUDA 12.1; all others keep the lowest one.  They may spill: the compiler makes none (rule R10 of `pull`)."""
    text = plan(sums(MANY, "float32", "ij")).text
    assert ptx.MAX_PARAMETERS_BEFORE_PTX_81 < ptx.parameters(text) < ptx.MAX_PARAMETERS
    made = ptx.compile_text(text, target)
    found = re.search(r"\.version (\d+)\.(\d+)", made)
    assert found is not None and int(found[1]) * 10 + int(found[2]) == max(81, ptx.TARGETS[target])
    assert len(assemble(made, target, tmp_path, may_spill=True)) == 1


def test_more_parameters_than_any_gpu_takes_are_a_step_of_the_host() -> None:
    names = ", ".join(f"i64 %p{k}" for k in range(ptx.MAX_PARAMETERS + 1))
    text = f"define ptx_kernel void @large({names}) nounwind {{\n  ret void\n}}\n"
    with pytest.raises(ValueError, match="4096 parameters; GPUs take 4095"):
        ptx.compile_text(text)


@pytest.mark.parametrize("limit", ["arguments", "pinned memory"])
def test_calls_that_would_pin_too_much_are_not_recorded(limit: str, monkeypatch: pytest.MonkeyPatch) -> None:
    driver = SimDriver()
    with device(driver):
        x, w = T.dvector("x"), tensordsl.shared(np.zeros(100))
        f = tensordsl.function([x], w.sum(), updates=[(w, w + x)], device="sim")
        f(np.ones(100))
        if limit == "arguments":
            monkeypatch.setattr(replay, "MAX_ARGUMENT_BYTES", 799)
        else:
            monkeypatch.setattr(Replay, "_pinned", refuse)
        for k in range(1, 8):
            assert f(np.ones(100)) == 100 * k
        assert w.get_value().tolist() == [8.0] * 100
        recorded = [r for made in devices._programs.values() for r in made.seen.values() if r]
        assert not [r for some in recorded for r in some if r.device.driver is driver]


def refuse(*_: Any) -> Any:
    raise errors.DeviceMemoryError("no pinned memory.")


@pytest.mark.parametrize("variant", ["tiled0", "tiled1", "matvec_rows1", "vecmat_columns1"])
def test_sums_of_nothing_read_no_empty_operand(variant: str) -> None:
    """Other libraries give an array without elements the address 0."""
    m, n = (5, 1) if variant.startswith("matvec") else (1, 5) if variant.startswith("vecmat") else (5, 7)
    out = np.full((m, n), np.nan, "float32")
    made = gemm.product("float32", variant)
    a, b, c = Operand(0, (m, 0), (1, 1)), Operand(0, (0, n), (n, 1)), Operand(out.ctypes.data, (m, n), (n, 1))
    simulator = Simulator(made.text)
    for launch in gemm.launches(made, gemm.Choice(variant), a, b, c, 0, multiprocessors=1):
        simulator.launch(launch.kernel.name, launch.grid, launch.block, launch.arguments)
    assert (out == 0).all()


def test_a_shuffle_with_lanes_that_have_ended_is_an_error() -> None:
    """What they would give is undefined."""
    text = MIRROR.replace(
        BARRIER,
        """  %gone = icmp sgt i32 %t, 90
  br i1 %gone, label %end, label %go
end:
  ret void
go:
  %x = call i32 @llvm.nvvm.shfl.sync.bfly.i32(i32 -1, i32 %t, i32 1, i32 31)
""",
    )
    for order in ORDERS:
        with pytest.raises(SimulationError, match="wait for their warp"):
            mirrored(text, order)


def test_shared_memory_of_complex_numbers_is_poisoned() -> None:
    text = """
@cells = internal addrspace(3) global [4 x <2 x double>] undef, align 16
define ptx_kernel void @show(ptr addrspace(1) %out, i64 %unused) nounwind {
  %x = load i64, ptr addrspace(3) getelementptr (i8, ptr addrspace(3) @cells, i64 56)
  store i64 %x, ptr addrspace(1) %out
  ret void
}
"""
    place = ctypes.c_int64(0)
    Simulator(text).launch("show", 1, 32, (ctypes.addressof(place), 0))
    assert place.value == -1


@pytest.mark.skipif(sys.platform != "linux", reason="needs mprotect")
def test_kernels_read_nothing_outside_of_their_operands() -> None:
    """In a process of its own: it would crash.  Mutated kernels are left out, which do."""
    here = Path(__file__).parent
    suites = [
        str(here / f"test_gpu_{name}.py") for name in ("gemm", "library_calls", "transpose_operands", "gemm_epilogue")
    ]
    chosen = "not needed and not assemble and not stay"
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "guarded", "-p", "no:xdist", "-p", "no:cacheprovider", "-k", chosen, *suites],
        env={**os.environ, "PYTHONPATH": f"{ROOT}:{here}:{TESTS / 'support'}"}, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
