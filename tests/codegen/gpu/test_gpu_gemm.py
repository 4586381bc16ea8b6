"""Matrix products on the simulator, against NumPy: all variants, strides, batches, factors, thread orders."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import pytest
from simulated import on_device, operand

from tensordsl.codegen.gpu import gemm
from tensordsl.codegen.gpu.gemm import Choice
from tensordsl.codegen.scalar_ir.builder import COMPUTED
from tensordsl.runtime.driver.simulator import ORDERS, Memory, SimulationError, Simulator

JUDGED = ORDERS[:3]
VARIANTS = ("tiled0", "tiled1", "sliced0")


@cache
def simulated(text: str) -> Simulator:
    return Simulator(text)


def multiply(
    choice: Choice, a: np.ndarray, b: np.ndarray, c: np.ndarray, alpha: float = 1.0, beta: float = 0.0,
    order: str = "forward", replaced: tuple[str, str] | None = None,
) -> np.ndarray:  # fmt: skip
    memory = Memory()
    made = gemm.product(a.dtype.name, choice.variant, alpha, beta)
    text = made.text if replaced is None else made.text.replace(*replaced)
    operands = [on_device(memory, x) for x in (a, b, c)]
    scratch = memory.array((choice.scratch,), np.uint8)
    simulator = simulated(text)
    started = gemm.launches(
        made, choice, *(operand(x) for x in operands), scratch=scratch.ctypes.data, multiprocessors=2
    )
    for launch in started:
        simulator.launch(launch.kernel.name, launch.grid, launch.block, launch.arguments, order)
    memory.check()
    return operands[2].copy()


def chosen(a: np.ndarray, b: np.ndarray) -> Choice:
    item = a.itemsize
    m, k = a.shape[-2:]
    n, batch = b.shape[-1], a.shape[0] if a.ndim == 3 else 1
    strides = ([s // item for s in x.strides[-2:]] for x in (a, b))
    return gemm.choose(a.dtype.name, m, n, k, *strides, batch=batch)


def check(choice: Choice, a: np.ndarray, b: np.ndarray, orders: tuple[str, ...] = JUDGED, **factors: float) -> None:
    rng = np.random.default_rng(5)
    shape = (*a.shape[:-1], b.shape[-1])
    c = rng.standard_normal(shape).astype(a.dtype)
    alpha, beta = factors.get("alpha", 1.0), factors.get("beta", 0.0)
    wide = alpha * np.matmul(a.astype("float64"), b.astype("float64"))
    expected = wide + beta * c if beta else wide
    if not beta:
        c[...] = np.nan
    bits = set()
    for order in orders:
        got = multiply(choice, a, b, c, **factors, order=order)
        bits.add(got.tobytes())
        unit = np.finfo(a.dtype).eps * (a.shape[-1] + 4)
        bound = unit * np.matmul(abs(a).astype("float64"), abs(b).astype("float64")) + 4 * unit
        with np.errstate(invalid="ignore"):
            same = (abs(got - expected) <= bound) | (np.isnan(got) & np.isnan(expected)) | (got == expected)
        assert same.all(), (choice, a.shape, b.shape, order)
    assert len(bits) == 1


def random(rng: np.random.Generator, *shape: int, dtype: Any = "float32") -> np.ndarray:
    return rng.standard_normal(shape).astype(dtype)


@pytest.mark.parametrize("dtype", COMPUTED)
def test_chosen_products_agree_with_numpy(dtype: str) -> None:
    """Among them vectors from the left and the right, and a long inner product."""
    rng = np.random.default_rng(0)
    variants = set()
    shapes = [
        (1, 1, 1),
        (3, 5, 2),
        (70, 33, 65),
        (2, 3, 900),
        (1, 40, 30),
        (40, 1, 30),
        (5, 1, 0),
        (4, 5, 0),
        (0, 3, 4),
    ]
    for m, n, k in [*shapes, (1, 1, 20000), (2, 1, 17000), (1, 3, 17000)]:
        for turned in (False, True):
            a, b = random(rng, m, k, dtype=dtype), random(rng, k, n, dtype=dtype)
            if turned:
                a, b = (np.asfortranarray(x) for x in (a, b))
            choice = chosen(a, b)
            variants.add(choice.variant)
            check(choice, a, b, ("greedy",))
    names = {f"{v}_{axis}{stages}" for v in ("matvec", "vecmat") for axis in ("rows", "columns") for stages in "12"}
    assert {v for v in variants if "vec" in v} == names
    assert any(v.startswith("sliced") for v in variants) and any(v.startswith("tiled") for v in variants)


@pytest.mark.parametrize("variant", VARIANTS)
def test_tiles_take_any_strides_in_every_thread_order(variant: str) -> None:
    dtype = "float32"
    rng = np.random.default_rng(1)
    for m, n, k, kind in (
        (131, 129, 9, "C"),
        (65, 70, 35, "F"),
        (9, 200, 17, "mixed"),
        (64, 64, 16, "strided"),
        (30, 20, 8, "reversed"),
    ):
        a, b = random(rng, m, k), random(rng, k, n)
        if kind == "F":
            a, b = np.asfortranarray(a), np.asfortranarray(b)
        elif kind == "mixed":
            b = np.asfortranarray(b)
        elif kind == "strided":
            a, b = random(rng, m, 2 * k)[:, ::2], random(rng, 2 * k, n)[::2]
        elif kind == "reversed":
            a, b = a[::-1, ::-1], b[:, ::-1]
        slices = 3 if variant.startswith("sliced") else 1
        check(Choice(variant, slices, slices * m * n * 4 if slices > 1 else 0), a, b)
    assert gemm.product(dtype, variant).kernel is not None


@pytest.mark.parametrize("dtype", COMPUTED)
def test_factors_and_batches(dtype: str) -> None:
    rng = np.random.default_rng(2)
    for m, n, k in ((20, 30, 10), (7, 1, 12), (1, 6, 12), (3, 4, 600)):
        a, b = random(rng, 3, m, k, dtype=dtype), random(rng, 3, k, n, dtype=dtype)
        check(chosen(a, b), a, b, ("greedy",), alpha=-0.5, beta=2.0)
        check(chosen(a, b), np.broadcast_to(a[:1], a.shape), b, ("shuffled",), beta=1.0)


def test_nan_and_infinity_go_where_numpy_has_them() -> None:
    rng = np.random.default_rng(3)
    a, b = random(rng, 40, 20), random(rng, 20, 50)
    a[3, 7], a[39, 19], b[19, 4], b[2, 49] = np.nan, np.inf, -np.inf, np.nan
    for variant in ("tiled0", "tiled1"):
        check(Choice(variant), a, b)


def test_tiles_and_slices_depend_on_lengths_only() -> None:
    def choice(m: int, n: int, k: int, dtype: str = "float32") -> tuple[str, int]:
        found = gemm.choose(dtype, m, n, k, (k, 1), (n, 1))
        return found.variant, found.slices

    assert choice(2048, 2048, 64) == ("tiled0", 1) and choice(600, 600, 64) == ("tiled1", 1)
    assert choice(64, 10, 64) == ("tiled1", 1) and choice(64, 10, 5000) == ("sliced1", 20)
    assert choice(600, 600, 600, "float64") == ("tiled0", 1)


def test_the_barriers_are_needed() -> None:
    rng = np.random.default_rng(4)
    a, b = random(rng, 64, 80), random(rng, 80, 64)
    expected, c = a @ b, np.zeros((64, 64), "float32")
    call = "  call void @llvm.nvvm.barrier0()\n"
    pieces = gemm.product("float32", "tiled1").text.split(call)
    assert len(pieces) == 3

    def is_wrong(text: str, order: str) -> bool:
        try:
            got = multiply(Choice("tiled1"), a, b, c, order=order, replaced=(call.join(pieces), text))
        except SimulationError:
            return True
        return not np.allclose(got, expected, atol=1e-3)

    for mutated in (pieces[0] + call.join(pieces[1:]), call.join(pieces[:2]) + pieces[2]):
        assert any(is_wrong(mutated, order) for order in ORDERS)
    assert not any(is_wrong(call.join(pieces), order) for order in ORDERS)
