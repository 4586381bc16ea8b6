"""x[indices] = y and x[indices] += y on the simulator: NumPy's bits, in several thread orders and grids."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import pytest
from simulated import on_device, operand

from tensordsl.codegen.gpu import compile as ptx
from tensordsl.codegen.gpu import scatter as gpu_scatter
from tensordsl.codegen.scalar_ir.builder import DTYPES
from tensordsl.ops.table import OPS
from tensordsl.runtime.driver.simulator import ORDERS, Memory, SimulationError, Simulator

JUDGED = ORDERS[:3]
ORACLE = OPS["inc_take"].oracle
Indices = dict[int, np.ndarray]


@cache
def simulated(text: str) -> Simulator:
    return Simulator(text)


def scattered(
    x: np.ndarray, y: np.ndarray, indices: Indices, is_set: bool, order: str = "forward", text: str = "", cards: int = 2
) -> tuple[np.ndarray, int]:
    """(the new x, the status)."""
    memory, axes, arrays = Memory(), tuple(indices), list(indices.values())
    rank = max(i.ndim for i in arrays)
    made = gpu_scatter.scatter(x.dtype.name, x.ndim, axes, tuple(i.dtype.name for i in arrays), rank, is_set)
    simulator = simulated(text or made.text)
    target, source, *places = (on_device(memory, a) for a in (x, y, *arrays))
    status = memory.copy(np.zeros(1, np.int64))
    operands = [operand(p) for p in places]
    for i in gpu_scatter.launches(made, operand(target), operand(source), operands, status.ctypes.data, cards):
        simulator.launch(i.kernel.name, i.grid, i.block, i.arguments, order)
    memory.check()
    return target.copy(), int(status[0])


def check(x: np.ndarray, y: np.ndarray, indices: Indices, cards: int = 2) -> None:
    for is_set in (False, True):
        expected = ORACLE(x, y, *indices.values(), axes=tuple(indices), set=is_set)
        for k, order in enumerate(JUDGED):
            got, status = scattered(x, y, indices, is_set, order, cards=cards + k)
            assert not status
            np.testing.assert_array_equal(got, expected, err_msg=f"{is_set} {order}")


def draw(rng: np.random.Generator, shape: tuple[int, ...], dtype: str) -> np.ndarray:
    values = rng.standard_normal(shape) * 3
    return np.asarray(values > 0 if dtype == "bool" else abs(values) * 50 if dtype[0] == "u" else values).astype(dtype)


@pytest.mark.parametrize("dtype", DTYPES)
def test_rows_of_every_dtype_with_repeated_indices(dtype: str) -> None:
    rng = np.random.default_rng(0)
    for rows, columns, points in ((7, 5, 40), (300, 3, 600), (3, 300, 9), (1, 1, 300), (5, 2, 0)):
        x, y = draw(rng, (rows, columns), dtype), draw(rng, (points, columns), dtype)
        check(x, y, {0: rng.integers(-rows, rows, points)})


@pytest.mark.parametrize("kind", ["int8", "uint8", "int32", "uint64"])
def test_indices_of_every_kind(kind: str) -> None:
    rng = np.random.default_rng(1)
    low = 0 if kind[0] == "u" else -9
    check(rng.standard_normal(9), rng.standard_normal(70), {0: rng.integers(low, 9, 70).astype(kind)})


CASES: list[tuple[tuple[int, ...], dict[int, tuple[int, ...]], tuple[int, ...]]] = [
    # (shape of x, axis -> shape of its index, shape of y)
    ((6, 7), {0: (30,), 1: (30,)}, (30,)),
    ((6, 7), {1: (11,)}, (6, 11)),
    ((6, 7), {0: (4, 1), 1: (5,)}, ()),
    ((4, 5, 6), {0: (9,), 2: (9,)}, (9, 5)),  # not neighbours: the indices' axes in front
    ((4, 5, 6), {1: (3, 2)}, (4, 3, 2, 6)),
    ((4, 5, 6), {1: (7,), 2: (7,)}, (4, 1)),
    ((8,), {0: ()}, ()),
    ((3, 4, 5), {0: (), 1: (6,)}, (1, 5)),
]


@pytest.mark.parametrize(("shape", "at", "part"), CASES)
def test_indexed_axes_anywhere_and_values_that_broadcast(shape: Any, at: Any, part: Any) -> None:
    rng = np.random.default_rng(2)
    indices = {axis: np.asarray(rng.integers(-shape[axis], shape[axis], n)) for axis, n in at.items()}
    check(rng.standard_normal(shape), np.asarray(rng.standard_normal(part)), indices)


def test_strided_operands_and_special_values() -> None:
    rng = np.random.default_rng(3)
    x, y = rng.standard_normal((5, 40)), rng.standard_normal((60, 5))[::-1, ::-1]
    y[3], y[7, 0], y[9] = np.nan, np.inf, -0.0
    check(x.T, y[:, :5], {0: rng.integers(0, 40, 120)[::2]})
    check(np.asfortranarray(x), np.float64(-0.0) * np.ones(()), {1: np.arange(40)[::-3]})


def test_an_index_out_of_range_sets_the_status_and_nothing_is_written() -> None:
    x, y = np.arange(12.0).reshape(4, 3), np.ones((300, 3))
    for wrong in (4, -5, 10**12, -(2**63)):
        places = np.zeros(300, np.int64)
        places[-1] = wrong
        for order in JUDGED:
            got, status = scattered(x, y, {0: places}, False, order)
            assert status == 1
            np.testing.assert_array_equal(got, x)
    for empty in (np.zeros((0, 3)), np.zeros((4, 0))):
        got, status = scattered(empty, np.ones((2, empty.shape[1])), {0: np.array([1, 9])}, True)
        assert status == 1
    assert scattered(np.zeros((4, 0)), np.ones((1, 0)), {0: np.array([1])}, True)[1] == 0


def test_the_barriers_and_shuffles_are_needed() -> None:
    rng = np.random.default_rng(4)
    x, y, places = rng.standard_normal((20, 40)), rng.standard_normal((700, 40)), rng.integers(0, 20, 700)
    text = gpu_scatter.scatter("float64", 2, (0,), ("int64",), 1, False).text
    expected = ORACLE(x, y, places, axes=(0,), set=False)
    call = "  call void @llvm.nvvm.barrier0()\n"
    pieces = text.split(call)
    assert len(pieces) == 3
    mutations = [pieces[0] + call.join(pieces[1:]), call.join(pieces[:2]) + pieces[2]]
    mutations += [text.replace(f"i32 {n}, i32 31", "i32 0, i32 31") for n in (16, 8, 4, 2, 1)]

    def is_wrong(mutated: str, order: str) -> bool:
        try:
            return not np.array_equal(scattered(x, y, {0: places}, False, order, mutated)[0], expected)
        except SimulationError:
            return True

    for mutated in mutations:
        assert mutated != text and any(is_wrong(mutated, order) for order in ORDERS)


def test_kernels_become_ptx() -> None:
    for dtype in DTYPES:
        made = gpu_scatter.scatter(dtype, 3, (0, 2), ("int64", "int16"), 2, dtype == "bool")
        assert ptx.compile_text(made.text, "sm_75").count(".visible .entry") == 2
