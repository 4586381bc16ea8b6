"""Approximate instructions: only where they are asked for, within their bounds as far as a CPU can show."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cases
import numpy as np
import pytest
from simulated import SimulatedGroup
from test_gpu_compile import assemble, function_group, needs_ptxas

import tensordsl
import tensordsl.tensor as T
from tensordsl.codegen.fusion.group import Buffer, Group, Out
from tensordsl.codegen.gpu import compile as ptx
from tensordsl.codegen.gpu import fastmath as gpu_fastmath
from tensordsl.codegen.gpu import program
from tensordsl.codegen.gpu.kernels import module_text
from tensordsl.codegen.gpu.schedule import plan
from tensordsl.codegen.scalar_ir.builder import Builder

RANGE = {"sin": 3.14, "cos": 3.14, "exp": 80.0, "exp2": 120.0, "log": 1e30, "log2": 1e30, "log10": 1e30, "sqrt": 1e30}
EXACT = {"sigmoid": lambda x: 1 / (1 + np.exp(-x)), "div": lambda x: x / x[::-1]}
SPECIAL = [0.0, -0.0, np.inf, -np.inf, np.nan, 1.0, -1.0, 1e-30, -1e-30, 1e-42, 0.2499, 0.2501]


def group(name: str, dtype: str) -> Group:
    b = Builder()
    x, y = (b.load(Buffer(k, dtype, ("n",)), "i") for k in "xz")
    value = b.div(x, y) if name == "div" else b.div(1.0, b.sqrt(x)) if name == "rsqrt" else b.apply(name, x)
    return Group(name, {"i": "n"}, ("i",), (Out(Buffer("y", dtype, ("n",)), ("i",), value),))


def test_every_row_has_a_bound() -> None:
    assert set(gpu_fastmath.BOUNDS) == set(gpu_fastmath.FAST)


@pytest.mark.parametrize("name", [*gpu_fastmath.FAST, "rsqrt"])
def test_functions_are_within_their_bounds(name: str) -> None:
    """The instructions are the C library's here: what is judged is how they are used."""
    limit = RANGE.get(name, 20.0)
    x = np.concatenate([np.linspace(-limit, limit, 4001), np.linspace(-1, 1, 2001), SPECIAL]).astype("float32")
    y = np.zeros_like(x)
    run = SimulatedGroup(group(name, "float32"), fastmath=True)
    assert run({"x": x, "z": x[::-1].copy(), "y": y}) == 0
    wide = x.astype("float64")
    with np.errstate(all="ignore"):
        exact = 1 / np.sqrt(wide) if name == "rsqrt" else EXACT.get(name, getattr(np, name, None))(wide)
        bound = (8 + 1.2 * abs(np.where(np.isfinite(wide), wide, 0))) * np.spacing(abs(exact.astype("float32")))
        bound += 2.0**-21 * (name in ("sin", "cos", "log", "log2", "log10"))
        same = np.isnan(exact) & np.isnan(y) | (y == exact.astype("float32")) | (abs(y - exact) <= bound)
    assert same.all(), x[~same][:5]


def test_nothing_is_approximate_unless_asked_for() -> None:
    for name in [*gpu_fastmath.FAST, "rsqrt"]:
        for dtype, fastmath in (("float32", False), ("float64", True)):
            text = ptx.compile_group(group(name, dtype), "sm_80", fastmath=fastmath)
            assert ".approx" not in text and "div.full" not in text
    text = ptx.compile_group(cases.softmax("float32"), "sm_80", fastmath=True)
    assert "ex2.approx.f32" in text and "div.full.f32" in text
    assert "rsqrt.approx.f32" in ptx.compile_group(group("rsqrt", "float32"), "sm_80", fastmath=True)
    tan = ptx.compile_group(function_group("tan", "float32"), "sm_80", fastmath=True)
    assert tan == ptx.compile_group(function_group("tan", "float32"), "sm_80")  # it has no approximate form


def test_softmax_with_approximations_sums_to_one() -> None:
    run, x = SimulatedGroup(cases.softmax("float32"), fastmath=True), np.random.default_rng(0).standard_normal((7, 90))
    y = np.zeros(x.shape, "float32")
    for order in ("forward", "greedy"):
        assert run({"x": x.astype("float32"), "y": y}, order) == 0
        np.testing.assert_allclose(y, np.exp(x) / np.exp(x).sum(1, keepdims=True), rtol=3e-6)


def test_functions_take_it_from_the_configuration(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A function that is compiled without it, and again with it."""
    texts = []

    def noting(*args: Any, **options: Any) -> Any:
        made = plan(*args, **options)
        texts.append(made.text)
        return made

    monkeypatch.setattr(program, "plan_gpu", noting)
    x, value = T.fvector("x"), np.linspace(-3, 3, 50, dtype="float32")
    for fastmath in (False, True, False):
        with tensordsl.config.change_flags(fastmath=fastmath, compiledir=str(tmp_path)):
            f = tensordsl.function([x], T.exp(x) * T.tanh(x), device="sim")
        np.testing.assert_allclose(f(value), np.exp(value) * np.tanh(value), rtol=1e-5)
    assert ["approx" in text for text in texts] == [False, True]  # the third is the first


@needs_ptxas
@pytest.mark.parametrize("target", ["sm_75", "sm_100"])
def test_approximations_assemble(target: str, tmp_path: Path) -> None:
    kernels = [
        k
        for name in [*gpu_fastmath.FAST, "rsqrt"]
        for k in plan(group(name, "float32"), f"f_{name}", fastmath=True).kernels
    ]
    assert len(assemble(ptx.compile_text(module_text(kernels), target), target, tmp_path)) == len(kernels)
