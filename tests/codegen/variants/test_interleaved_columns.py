"""Columns of matrices that have few of them, read by whole rows, and columns that are joined, written so: NumPy's
results in every layout, around the lengths from which they have kernels of their own, and nothing read or written
beside them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tuned import HERE

import tensordsl
import tensordsl.tensor as T
from tensordsl.codegen.compiler.pipeline import make_program
from tensordsl.codegen.fusion.group import INTERLEAVE

DTYPES = ["float64", "float32", "int64", "int16", "uint8", "complex128"]
ROWS_OF_FEW = HERE.variants.min_rows_of_few_columns
LENGTHS = [0, 1, 7, 33, ROWS_OF_FEW - 1, ROWS_OF_FEW, ROWS_OF_FEW + 13, 3001]


def cross(m: Any, a: Any, b: Any) -> Any:
    pairs = [(1, 2), (2, 0), (0, 1)]
    return m.stack([a[:, j] * b[:, k] - a[:, k] * b[:, j] for j, k in pairs], axis=-1)


PROGRAMS: dict[str, Any] = {
    "cross": cross,
    "swapped": lambda m, a, b: m.stack([a[:, 1], a[:, 0]], axis=1),
    "joined": lambda m, a, b: m.concatenate([a[:, 2:3] + b[:, :1], a[:, :1] * b[:, 1:2]], axis=1),
    "four": lambda m, a, b: m.stack([a[:, 0], b[:, 1] + a[:, 1], a[:, 2] * a[:, 0], b[:, 0] - b[:, 2]], axis=1),
    "first axis": lambda m, a, b: m.stack([a[:, 0] * b[:, 1], a[:, 1] + b[:, 2]]),
    "one": lambda m, a, b: a[:, 0] * a[:, 1] + a[:, 2] * b[:, 0],
    "ends": lambda m, a, b: [a[:, 0] - a[:, -1], b[:, -1] + b[:, 0] * a[:, 1]],
    "of a row": lambda m, a, b: m.stack([a[0] * a[1], a[1] + b[0]], axis=-1),
    "of each": lambda m, a, b: m.stack([a[:, :, None] * b[:, None, :], a[:, :, None] - b[:, None, :]], axis=-1),
    "beside it": lambda m, a, b: [m.stack([a[:, 0], b[:, 1]], axis=1), a[:, 0] + b[:, 1]],
}


def layouts(a: np.ndarray[Any, Any]) -> list[np.ndarray[Any, Any]]:
    wide = np.zeros((2 * len(a), 2 * a.shape[1] + 1), a.dtype)
    spread = wide[: 2 * len(a) : 2, 1 : 1 + 2 * a.shape[1] : 2]
    spread[:] = a
    return [a, np.asfortranarray(a), a[::-1], a[:, ::-1], spread]


@pytest.mark.parametrize("name", PROGRAMS)
@pytest.mark.parametrize("dtype", DTYPES)
def test_columns_in_every_layout(name: str, dtype: str) -> None:
    x, y = (T.TensorType(dtype, (None, None))(n) for n in "xy")
    program = PROGRAMS[name]
    f, rng = tensordsl.function([x, y], program(T, x, y), on_unused_input="ignore"), np.random.default_rng(3)
    for n in LENGTHS:
        for columns in (3, 4, 5, 7):
            a, b = (rng.integers(0, 9, (2, max(n, 2 * (name == "of a row")), columns))).astype(dtype)
            for given_a, given_b in zip(layouts(a), reversed(layouts(b)), strict=True):
                got, want = f(given_a, given_b), program(np, given_a, given_b)
                for g, w in zip(got, want, strict=True) if isinstance(want, list) else [(got, want)]:
                    assert g.dtype == w.dtype
                    np.testing.assert_array_equal(g, w, err_msg=f"{n} {columns}")


@given(st.integers(0, 700), st.integers(2, 5), st.permutations(range(4)), st.integers(2, 4))
def test_any_columns_joined_in_any_order(n: int, columns: int, order: list[int], count: int) -> None:
    x = T.dmatrix("x")
    places = [k % columns for k in order[:count]]
    f = tensordsl.function([x], T.stack([x[:, k] * (j + 1) for j, k in enumerate(places)], axis=1))
    a = np.arange(float(n * columns)).reshape(n, columns)
    np.testing.assert_array_equal(f(a), np.stack([a[:, k] * (j + 1) for j, k in enumerate(places)], axis=1))


def test_columns_that_are_joined_are_one_launch_of_outputs_in_their_order() -> None:
    x, y = T.dmatrices("x", "y")
    _, program, _ = make_program("f", [x, y], [], [cross(T, x, y)], [], True)
    assert {p.group.name for p in program.plans} == {INTERLEAVE}
    assert {len(p.group.outs) for p in program.plans} == {3}
