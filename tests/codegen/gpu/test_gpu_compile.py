"""PTX of all cases and functions: assembled by ptxas without spills where ptxas is installed, and safe for LLVM."""

from __future__ import annotations

import importlib.util
import re
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path

import cases
import pytest

from tensordsl.codegen.fusion.group import Buffer, Group, Out
from tensordsl.codegen.gpu import compile as ptx
from tensordsl.codegen.gpu import gemm
from tensordsl.codegen.gpu import scatter as gpu_scatter
from tensordsl.codegen.gpu.kernels import GpuKernel, module_text
from tensordsl.codegen.gpu.program import is_known_to_llvm
from tensordsl.codegen.gpu.schedule import plan
from tensordsl.codegen.scalar_ir.builder import COMPUTED, DTYPES, Builder
from tensordsl.codegen.scalar_ir.math import FUNCTIONS

ASSEMBLED = ("sm_75", "sm_80", "sm_90", "sm_100", "sm_120")
TARGETS = [target for target in ptx.TARGETS if is_known_to_llvm(target)]
CASES = (*cases.CASES, cases.matrix_chain)


def ptxas() -> str | None:
    """On the path, or in the wheel `nvidia-cuda-nvcc`."""
    found = shutil.which("ptxas")
    spec = importlib.util.find_spec("nvidia")
    places = [Path(p) for p in spec.submodule_search_locations or ()] if spec else []
    wheels = [str(p) for place in places for p in sorted(place.glob("**/bin/ptxas"))]
    return found or (wheels[0] if wheels else None)


needs_ptxas = pytest.mark.skipif(
    ptxas() is None, reason="ptxas is not installed: pip install --no-deps nvidia-cuda-nvcc"
)


def assemble(text: str, target: str, folder: Path, may_spill: bool = False) -> dict[str, int]:
    """Registers of each kernel; an AssertionError for errors, and unless they may be for spills and stack frames."""
    source = folder / f"{target}.ptx"
    source.write_text(text)
    command = [str(ptxas()), "-v", "-arch", target, str(source), "-o", str(folder / f"{target}.cubin")]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[:2000]
    entries = re.split(r"Compiling entry function '", done.stderr)[1:]
    registers = {}
    for entry in entries:
        name = entry.split("'")[0]
        is_clean = "0 bytes stack frame, 0 bytes spill stores, 0 bytes spill loads" in entry
        assert may_spill or is_clean, entry[:400]
        used = re.search(r"Used (\d+) registers", entry)
        assert used is not None
        registers[name] = int(used[1])
    return registers


@cache
def case_kernels() -> list[GpuKernel]:
    plans = [plan(case(T), f"{case.__name__}_{T}") for case in CASES for T in COMPUTED]
    plans += [plan(transposed(T), f"transposed_{T}") for T in COMPUTED]
    return [k for p in plans for k in p.kernels]


def transposed(dtype: str) -> Group:
    """exp(x.T) + y"""
    b, lengths = Builder(), {"i": "n", "j": "m"}
    x, y = b.load(Buffer("x", dtype, ("m", "n")), "j", "i"), b.load(Buffer("y", dtype, ("n", "m")), "i", "j")
    out = Out(Buffer("o", dtype, ("n", "m")), ("i", "j"), b.add(b.call("exp", x), y))
    return Group("transposed", lengths, ("i", "j"), (out,))


@needs_ptxas
@pytest.mark.parametrize("target", ASSEMBLED)
def test_every_case_assembles_without_spills(target: str, tmp_path: Path) -> None:
    kernels = case_kernels()
    registers = assemble(ptx.compile_text(module_text(kernels), target), target, tmp_path)
    assert set(registers) == {k.name for k in kernels}
    assert max(registers.values()) <= 128


@needs_ptxas
@pytest.mark.parametrize("target", ASSEMBLED)
def test_matrix_products_assemble_without_spills(target: str, tmp_path: Path) -> None:
    tiles = [(T, tile) for T in COMPUTED for tile in gemm.TILES[T]]
    kernels = [gemm.gemm_kernel(T, f"gemm{k}", -0.5, 2.0, tile) for k, (T, tile) in enumerate(tiles)]
    registers = assemble(ptx.compile_text(module_text(kernels), target), target, tmp_path)
    assert len(registers) == 3 and max(registers.values()) <= 224


@needs_ptxas
@pytest.mark.parametrize("target", ASSEMBLED)
def test_scattering_assembles_without_spills(target: str, tmp_path: Path) -> None:
    kinds = [(t, 2, (0,), 1, is_set) for t in DTYPES for is_set in (False, True)]
    kinds += [("bool", 3, (0, 2), 2, True), ("int8", 4, (1, 2), 3, False), ("float32", 3, (0, 1, 2), 1, False)]
    made = [
        gpu_scatter.scatter(t, rank, axes, ("int64",) * len(axes), n, is_set, f"scatter{k}")
        for k, (t, rank, axes, n, is_set) in enumerate(kinds)
    ]
    kernels = [k for m in made for k in (m.check, m.write)]
    assert len(assemble(ptx.compile_text(module_text(kernels), target), target, tmp_path)) == 2 * len(kinds)


def function_group(name: str, dtype: str, copies: int = 1) -> Group:
    b = Builder()
    v, *rest = (b.load(Buffer(k, dtype, ("n",)), "i") for k in "xy"[: FUNCTIONS[name].arity])
    for _ in range(copies):
        v = b.call(name, v, *rest)
    return Group(f"{name}_{dtype}", {"i": "n"}, ("i",), (Out(Buffer("o", dtype, ("n",)), ("i",), v),))


@needs_ptxas
def test_our_mathematics_assembles_without_spills(tmp_path: Path) -> None:
    """In wide kernels; at one point and for every target in `test_gpu_op_rows`."""
    kernels = [k for name in FUNCTIONS for T in COMPUTED for k in plan(function_group(name, T)).kernels]
    registers = assemble(ptx.compile_text(module_text(kernels), "sm_80"), "sm_80", tmp_path)
    assert len(registers) == len(kernels)


@needs_ptxas
def test_kernels_with_many_functions_call_them(tmp_path: Path) -> None:
    text = ptx.compile_group(function_group("tanh", "float32", copies=9), "sm_75")
    assert "tds_gpu_tanh_float32" in text
    assemble(text, "sm_75", tmp_path)


@pytest.mark.parametrize("target", TARGETS)
def test_ptx_names_its_target_and_the_lowest_version(target: str) -> None:
    text = ptx.compile_group(cases.softmax("float32"), target)
    version = ptx.TARGETS[target]
    assert f".version {version // 10}.{version % 10}\n" in text and f".target {target}\n" in text
    assert ".visible .entry softmax(" in text and ".maxntid 256" in text


def test_contiguous_operands_are_read_128_bits_at_a_time_and_nothing_is_contracted() -> None:
    text = ptx.compile_group(cases.multiply_add("float32"), "sm_80")
    assert text.count("ld.global.nc.v4") == 3 and text.count("st.global.v4") == 1
    assert text.count("mul.rn.f32") == text.count("add.rn.f32") == 4 and "fma" not in text
    assert ptx.compile_group(cases.multiply_add("float64"), "sm_80").count("ld.global.nc.v2") == 3


def test_text_does_not_depend_on_earlier_compilations() -> None:
    assert len({ptx.compile_group(cases.layernorm("float32"), "sm_90") for _ in range(3)}) == 1


def test_architectures_newer_than_llvm_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    import llvmlite.binding as llvm

    monkeypatch.setattr(llvm, "llvm_version_info", (20, 1, 8))
    monkeypatch.setattr(ptx, "_machines", {})
    with pytest.raises(ValueError, match="sm_110 needs an llvmlite with LLVM 22 or newer"):
        ptx.compile_group(cases.softmax("float32"), "sm_110")
    assert ".target sm_100" in ptx.compile_group(cases.softmax("float32"), "sm_100")


def test_unknown_targets_and_intrinsics_are_value_errors() -> None:
    with pytest.raises(ValueError, match="unknown GPU architecture 'sm_70': there are sm_75, "):
        ptx.compile_group(cases.softmax("float32"), "sm_70")
    text = "declare double @llvm.exp.f64(double)\ndefine double @f(double %x) {\n"
    text += "  %y = call double @llvm.exp.f64(double %x)\n  ret double %y\n}\n"
    with pytest.raises(ValueError, match=r"no GPU instruction for llvm\.exp\.f64"):
        ptx.compile_text(text)


ALL_INTRINSICS = """
from tensordsl.codegen.gpu import gemm as gpu_gemm
from tensordsl.codegen.gpu import scatter as gpu_scatter
from tensordsl.codegen.gpu import compile as ptx
from tensordsl.codegen.gpu.program import is_known_to_llvm

KINDS = {"f32": "float", "f64": "double", **{f"i{n}": f"i{n}" for n in (8, 16, 32, 64)}}
OPERANDS = {"fma": 3, "copysign": 2, "smin": 2, "smax": 2, "umin": 2, "umax": 2}
lines, body = [], []
for name in sorted(ptx.INTRINSICS):
    _, operation, *rest = name.split(".")
    if operation == "nvvm":
        continue
    kind, count = KINDS[rest[0]], OPERANDS.get(operation, 1)
    lines.append(f"declare {kind} @{name}({', '.join([kind] * count)})")
    params = ", ".join(f"{kind} %x{k}" for k in range(count))
    body.append(f"define {kind} @f{len(body)}({params}) {{\\n %y = call {kind} @{name}({params})\\n ret {kind} %y\\n}}")
text = "\\n".join([*lines, *body, ""])
for target in filter(is_known_to_llvm, ptx.TARGETS):
    assert ptx.compile_text(text, target).count(".visible .func") == len(body)
print(len(body), "compiled")
"""


def test_llvm_survives_every_allowed_intrinsic_on_every_target() -> None:
    """In a process of its own: where LLVM has no instruction it ends the process."""
    done = subprocess.run([sys.executable, "-c", ALL_INTRINSICS], capture_output=True, text=True)
    assert done.stdout.endswith("compiled\n"), done.stderr[-1000:]
