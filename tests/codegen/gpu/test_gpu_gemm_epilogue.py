"""Products with what follows in their kernel: the bits of two kernels, on the simulator in several orders of threads."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from weakref import WeakValueDictionary

import numpy as np
import pytest
from fakes import device as used
from fakes import sim, with_cublas
from test_gpu_compile import ASSEMBLED, assemble, needs_ptxas

import tensordsl
import tensordsl.tensor as T
from tensordsl.codegen.gpu import compile as ptx
from tensordsl.codegen.gpu import gemm, gemm_epilogue
from tensordsl.codegen.gpu.gemm import Choice
from tensordsl.codegen.gpu.gemm_epilogue import Fused, fused
from tensordsl.codegen.gpu.kernels import module_text
from tensordsl.functions import devices
from tensordsl.runtime.driver.simulator import ORDERS

Build = Callable[[Any, Any, Any, Any], Any]
x, w, b, z = T.fmatrix("x"), T.fmatrix("w"), T.fvector("b"), T.fmatrix("z")
PROGRAMS: dict[str, Build] = {
    "layer": lambda x, w, b, z: T.tanh(T.dot(x, w) + b),
    "residual": lambda x, w, b, z: T.maximum(z - 2 * T.dot(x, w), 0),
    "added": lambda x, w, b, z: [z + T.dot(x, w), T.exp(z + T.dot(x, w)) * b],
    "mask": lambda x, w, b, z: T.gt(T.dot(x, w), z),
    "both": lambda x, w, b, z: [T.dot(x, w), T.exp(-T.dot(x, w)) * b],
    "two results": lambda x, w, b, z: [T.sqr(T.dot(x, w)), T.cast(T.dot(x, w) + b, "float64")],
    "turned": lambda x, w, b, z: T.dot(x, w).T * 2 + z.T,
    "places": lambda x, w, b, z: T.dot(x, w) * T.arange(z.shape[0]).dimshuffle(0, "x").astype("float32"),
    "turned factors": lambda x, w, b, z: T.nnet.sigmoid(T.dot(w.T, x.T).T + b),
}  # fmt: skip


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Fused]]:
    """Gets the kernels that are made; no function of another test is used."""
    found: list[Fused] = []
    monkeypatch.setattr(devices, "_programs", WeakValueDictionary())

    def noted(*args: Any) -> Fused:
        found.append(fused(*args))
        return found[-1]

    monkeypatch.setattr(gemm_epilogue, "fused", noted)
    yield found
    sim().order = ORDERS[0]
    sim().check()


def data(dtype: str, m: int = 70, n: int = 65, k: int = 33) -> list[np.ndarray]:
    rng = np.random.default_rng(m)
    return [rng.standard_normal(s).astype(dtype) for s in ((m, k), (k, n), (n,), (m, n))]


def function(build: Build, dtype: str = "float32", **more: Any) -> Any:
    x, w, z = (T.matrix(name, dtype=dtype) for name in "xwz")
    b = T.vector("b", dtype=dtype)
    return tensordsl.function([x, w, b, z], build(x, w, b, z), device="sim", on_unused_input="ignore", **more)


def bits(result: Any) -> list[bytes]:
    return [np.asarray(r).tobytes() for r in (result if isinstance(result, list) else [result])]


def alone(f: Any, arguments: list[np.ndarray], monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """The bits of the function without epilogues."""
    with monkeypatch.context() as patch:
        for program in devices._programs.values():
            patch.setattr(program, "epilogues", {})
        return bits(f(*arguments))


@pytest.mark.parametrize("name", PROGRAMS)
@pytest.mark.parametrize(("variant", "dtype"), [("tiled0", "float32"), ("tiled1", "float32"), ("tiled0", "float64")])
def test_results_are_those_of_two_kernels(
    name: str, variant: str, dtype: str, made: list[Fused], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gemm, "choose", lambda *_, **__: Choice(variant))
    f = function(PROGRAMS[name], dtype)
    for sizes in ((70, 65, 33), (3, 130, 5), (131, 2, 9), (0, 4, 3), (4, 5, 0)):
        arguments = data(dtype, *sizes)
        found = []
        for order in ORDERS[:3]:
            sim().order = order
            found.append(bits(f(*arguments)))
        assert found[0] == found[1] == found[2] == alone(f, arguments, monkeypatch), sizes
    assert made


def test_nothing_is_stored_that_nobody_reads(made: list[Fused]) -> None:
    stored = {}
    for name in ("layer", "both", "two results"):
        made.clear()
        function(PROGRAMS[name])(*data("float32"))
        kernel = made[0].product.kernel
        assert kernel is not None
        stored[name] = len(re.findall(r"store float .*addrspace\(1\)", kernel.text))
    assert stored == {"layer": 1, "both": 2, "two results": 1}


def test_a_function_of_the_disk_cache_has_them_too(
    made: list[Fused], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    arguments, results = data("float32"), []
    with tensordsl.config.change_flags(compiledir=str(tmp_path)):
        for _ in range(2):
            monkeypatch.setattr(devices, "_programs", WeakValueDictionary())
            results.append(bits(function(PROGRAMS["both"])(*arguments)))
    assert results[0] == results[1] and len(made) == 2


def test_factors_and_new_values_of_the_state(made: list[Fused]) -> None:
    """Recorded calls too, whose lanes run in any order."""
    x, v = T.dmatrix("x"), tensordsl.shared(np.ones((40, 40)))
    f = tensordsl.function([x], [], updates=[(v, T.tanh(T.dot(v, x) * 0.1 + v))], device="sim")
    expected, rng = np.ones((40, 40)), np.random.default_rng(0)
    for k in range(9):
        sim().order = ORDERS[k % 3]
        a = rng.standard_normal((40, 40)) / 10
        f(a)
        expected = np.tanh(expected @ a * 0.1 + expected)
        np.testing.assert_allclose(v.get_value(), expected, rtol=1e-11)
    assert made


def test_what_cannot_be_an_epilogue_is_none(made: list[Fused]) -> None:
    arguments = data("float32", 40, 40, 40)
    refused: dict[str, Build] = {
        "sum": lambda x, w, b, z: T.dot(x, w).sum(axis=1),
        "softmax": lambda x, w, b, z: T.nnet.softmax(T.dot(x, w)),
        "places": lambda x, w, b, z: T.dot(x, w)[T.cast(abs(b), "int64") % 3],
        "other points": lambda x, w, b, z: T.dot(x, w) + T.dot(x, w).T,
        "part": lambda x, w, b, z: T.dot(x, w)[1:] * 2,
    }
    for name, build in refused.items():
        f, g = function(build), tensordsl.function([x, w, b, z], build(x, w, b, z), on_unused_input="ignore")
        np.testing.assert_allclose(f(*arguments), g(*arguments), rtol=2e-3, atol=2e-4, err_msg=name)
        assert not made, name
    function(PROGRAMS["layer"])(*data("float32", 40, 3, 900))
    function(PROGRAMS["layer"])(*data("float32", 1, 40, 30))
    assert not made, "sliced and thin products have steps of their own"


def test_an_output_in_a_factors_storage_is_written_afterwards(
    made: list[Fused], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where storage is used again, a block would overwrite what another one multiplies."""
    monkeypatch.setattr(gemm, "choose", lambda *_, **__: Choice("tiled0"))
    x, w = T.dmatrix("x"), T.dmatrix("w")
    y = x
    for _ in range(5):
        y = T.tanh(T.dot(y, w) + 1)
    f = tensordsl.function([x, w], y, device="sim")
    rng = np.random.default_rng(0)
    a, m = rng.standard_normal((70, 70)), rng.standard_normal((70, 70)) / 9
    expected = a
    for _ in range(5):
        expected = np.tanh(expected @ m + 1)
    for order in ORDERS[:3]:
        sim().order = order
        np.testing.assert_allclose(f(a, m), expected, rtol=1e-10)
    [program] = devices._programs.values()
    assert made and not any(e.keeps_c for e in program.epilogues.values())


def test_the_librarys_products_keep_their_own_step(made: list[Fused], monkeypatch: pytest.MonkeyPatch) -> None:
    from fakes import compiled_as_llvm

    compiled_as_llvm(monkeypatch)
    fake, driver = with_cublas("ctypes")
    with tensordsl.config.change_flags(cuda_driver="ctypes"), used(driver):
        f = tensordsl.function([x, w, b], T.tanh(T.dot(x, w) + b), device="cuda")
        m, n, c, _ = data("float32", 70, 90, 80)
        for _ in range(4):
            np.testing.assert_allclose(f(m, n, c), np.tanh(m @ n + c), rtol=1e-4, atol=1e-5)
        assert "cublasSgemm_v2" in fake.calls and not made
        with tensordsl.config.change_flags(cublas=False):
            g = tensordsl.function([x, w, b], T.tanh(T.dot(x, w) + b + 1), device="cuda")
            np.testing.assert_allclose(g(m, n, c), np.tanh(m @ n + c + 1), rtol=1e-4, atol=1e-5)
        assert made


def test_the_barriers_are_needed(made: list[Fused], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gemm, "choose", lambda *_, **__: Choice("tiled0"))
    call, arguments = "  call void @llvm.nvvm.barrier0()\n", data("float32", 128, 128, 8)
    function(PROGRAMS["layer"])(*arguments)
    kernel = made[0].product.kernel
    assert kernel is not None
    pieces = kernel.text.split(call)
    count = len(pieces) - 1
    assert count == 2 + 2 * 4 - 1, "of the product, and around each part"
    right = bits(function(PROGRAMS["layer"])(*arguments))
    noticed = 0
    for k in range(2, count):
        text = call.join(pieces[: k + 1]) + call.join([pieces[k + 1], *pieces[k + 2 :]])
        monkeypatch.setattr(devices, "_programs", WeakValueDictionary())
        monkeypatch.setattr(gemm_epilogue, "module_text", lambda kernels, text=text: module_text(
            [type(kernels[0])(kernels[0].name, text, kernels[0].declarations, kernels[0].functions, 1)]))  # fmt: skip
        f = function(PROGRAMS["layer"])
        for order in ORDERS:
            sim().order = order
            if bits(f(*arguments)) != right:
                noticed += 1
                break
    assert noticed == count - 2


@needs_ptxas
@pytest.mark.parametrize("target", ASSEMBLED)
def test_epilogues_assemble_without_spills(target: str, made: list[Fused], tmp_path: Path) -> None:
    kernels = []
    for name, build in PROGRAMS.items():
        for dtype, variants in (("float32", ("tiled0", "tiled1")), ("float64", ("tiled0",))):
            devices._programs.clear()
            kept = function(build, dtype)
            program = next(m for m in devices._programs.values() if m.epilogues)
            for e in {id(e): e for e in program.epilogues.values()}.values():
                for variant in variants:
                    kernel = fused(program.steps[e.launch.plan], e, variant).product.kernel
                    assert kernel is not None
                    symbol = f"k{len(kernels)}_{name.replace(' ', '_')}"
                    text = kernel.text.replace(kernel.name, symbol)
                    kernels.append(type(kernel)(symbol, text, kernel.declarations, kernel.functions, kernel.resident))
            del kept
    registers = assemble(ptx.compile_text(module_text(kernels), target), target, tmp_path)
    assert len(registers) == len(kernels) >= 20
