"""Additions to slices that overlap: gradients of stencils, and what is no stencil."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import tensordsl as td
import tensordsl.tensor as T
from tensordsl.codegen.compiler.pipeline import optimise
from tensordsl.codegen.tensor_ir.graph import toposort
from tensordsl.codegen.tensor_ir.lower import lower


def sobel(x: Any) -> Any:
    across = x[:-2, 2:] + 2 * x[1:-1, 2:] + x[2:, 2:] - x[:-2, :-2] - 2 * x[1:-1, :-2] - x[2:, :-2]
    down = x[2:, :-2] + 2 * x[2:, 1:-1] + x[2:, 2:] - x[:-2, :-2] - 2 * x[:-2, 1:-1] - x[:-2, 2:]
    return (T.sqrt(across**2 + 1) * T.tanh(down)).sum()


def windows(x: Any) -> Any:
    n, m = x.shape
    return T.tanh(sum((i - 2.0 * j) * x[i : n - 2 + i, j : m - 2 + j] for i in range(3) for j in range(3))).sum()


COSTS: dict[str, Callable[[Any], Any]] = {
    "differences": lambda x: ((x[1:] - x[:-1]) ** 3).sum(),
    "both ways": lambda x: T.tanh(x[1:] - x[:-1]).sum() + T.exp(x[:, 1:] - x[:, :-1]).sum(),
    "laplacian": lambda x: ((x[2:, 1:-1] + x[:-2, 1:-1] + x[1:-1, 2:] + x[1:-1, :-2] - 4 * x[1:-1, 1:-1]) ** 2).sum(),
    "sobel": sobel,
    "windows": windows,
    "twice": lambda x: ((x[2:] - 2 * x[1:-1] + x[:-2])[1:] ** 2 * (x[2:] - x[:-2])[:-1]).sum(),
    "weighed": lambda x: (T.tanh(x[2:] - x[1:-1] + x[:-2]) * x[1:-1]).sum() + T.exp(x[3:] * x[:-3]).sum(),
    "far apart": lambda x: (x[5:] * x[:-5]).sum() + (x[20:] * x[:-20]).sum(),
    "rows": lambda x: ((x[1:] - x[:-1]).sum(axis=0) ** 2).sum(),
    "with a row": lambda x: (x[1:, 0] * T.exp(x[:-1, 1])).sum() + (x[0] * x[-1]).sum(),
    "decay": lambda x: (abs(x[1:] - x[:-1])).sum() + ((x[:, 1:] - x[:, :-1]) ** 2).sum() + 0.1 * (x**2).sum(),
    "slices of differences": lambda x: T.sqrt((x[1:] - x[:-1])[:, 1:] ** 2 + (x[:, 1:] - x[:, :-1])[1:] ** 2 + 1).sum(),
    "of differences, with decay": lambda x: (
        T.tanh(((x[1:] - x[:-1])[:, 1:] * 3)[1:, :-1] - 2 * (x[2:, 2:] - x[1:-1, 1:-1])).sum() + 0.1 * (x**2).sum()
    ),
    "beside others": lambda x: T.sin(x).sum() + ((x[1:] - x[:-1]) ** 2).sum() + x[::2].sum() + x[0].sum(),
}


@pytest.mark.parametrize("name", COSTS)
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_gradients_of_stencils(name: str, dtype: str) -> None:
    x = T.matrix(dtype=dtype)
    gradient = td.grad(COSTS[name](x), x)
    f, reference = td.function([x], gradient), td.function([x], gradient, mode="REFERENCE")
    for shape in ((3, 3), (4, 3), (5, 8), (7, 2), (40, 9), (6, 70)):
        a = np.random.default_rng(0).normal(size=shape).astype(dtype)
        for layout in (a, np.asfortranarray(a), a[::-1], np.repeat(a, 2, axis=1)[:, ::2]):
            try:
                wanted = reference(layout)
            except (ValueError, IndexError) as error:
                with pytest.raises(type(error)):
                    f(layout)
                continue
            np.testing.assert_allclose(f(layout), wanted, rtol=1e-4 if dtype == "float32" else 1e-10, atol=1e-5)


SLICES = [slice(a, b) for a in (None, 1, 2, 3) for b in (None, -1, -2, -3)]


@pytest.mark.parametrize("is_zero", [True, False])
@pytest.mark.parametrize("seed", range(8))
def test_written_slices_to_the_last_bit(seed: int, is_zero: bool) -> None:
    """Sums and multiples of two tensors, added one after the other as NumPy does: nan, inf, -0, and nothing at all."""
    rng = np.random.default_rng(seed)
    x, y, z = T.matrices("x", "y", "z")
    forms: list[Callable[[Any, Any], Any]] = [
        *(lambda a, b: a, lambda a, b: -a, lambda a, b: b * 3.0, lambda a, b: a - b, lambda a, b: -(a + 0.5 * b)),
        *(lambda a, b: a * b, lambda a, b: a / b),
    ]
    size = int(rng.integers(2, 5))
    places = [s for s in SLICES if (s.start or 0) - (s.stop or 0) == size - 2]
    picks = rng.integers(len(places), size=rng.integers(2, 9))
    writes = [(places[k], forms[rng.integers(len(forms))], rng.random() < 0.5) for k in picks]

    def computed(m: Any, total: Any, a: Any, b: Any) -> Any:
        for place, form, wide in writes:
            value = form(a, b)
            if place.start and wide:
                value, place = with_zeros(m, total[place.start - 1 :], value, place.stop), slice(place.start - 1, None)
            if m is np:
                total[place] += value
            else:
                total = T.inc_subtensor(total[place], value)
        return total

    rows = x.shape[0] + size - 2
    base = T.zeros((rows, x.shape[1])) if is_zero else z * 3
    f = td.function([x, y, z], computed(T, base, T.tanh(x) / 2, T.abs(y)), on_unused_input="ignore")
    special = np.array([0.0, -0.0, np.nan, np.inf, -np.inf, 1.0, -2.5])
    for shape in ((0, 0), (0, 3), (1, 1), (2, 5), (9, 4), (33, 20)):
        a, b = rng.choice(special, (2, *shape)) if shape[0] < 9 else rng.normal(size=(2, *shape))
        c = rng.choice(special[:2] if shape[0] < 9 else special, (shape[0] + size - 2, shape[1]))
        with np.errstate(all="ignore"):
            half = np.asarray(td.function([x], T.tanh(x) / 2)(a))
            wanted = computed(np, np.zeros(c.shape) if is_zero else c * 3, half, abs(b))
        got = f(a, b, c)
        np.testing.assert_array_equal(got, wanted)
        np.testing.assert_array_equal(np.signbit(got) | np.isnan(got), np.signbit(wanted) | np.isnan(wanted))


def with_zeros(m: Any, x: Any, value: Any, stop: int | None) -> Any:
    """-value from the second row of what has x's shape on, up to a row; zeros elsewhere."""
    zeros = m.zeros_like(x)
    if m is np:
        zeros[1:stop] += value
        return -zeros
    return -T.inc_subtensor(zeros[1:stop], value)


def ops(outputs: list[Any], inputs: list[Any]) -> list[str]:
    lowered = lower(inputs, [], outputs, [])
    return [v.op for v in toposort(optimise(lowered.graph, lowered.outputs))]


def test_a_stencil_is_written_around_once() -> None:
    x = T.dmatrix()
    for name, count in (
        ("differences", 1),
        ("both ways", 2),
        ("laplacian", 1),
        ("sobel", 2),
        ("windows", 1),
        ("decay", 2),
        ("slices of differences", 2),
    ):
        assert ops([td.grad(COSTS[name](x), x)], [x]).count("inc_subtensor") == count, name


def test_slices_of_which_few_elements_are_known_are_added_to_where_they_stand() -> None:
    x, n = T.dmatrix(), T.iscalar()
    for cost in ((x[n:] - x[:1]) ** 2).sum(), ((x[20:] - x[:-20]) ** 2).sum(), (x[0] * x[1]).sum():
        assert ops([td.grad(cost, x)], [x, n]).count("inc_subtensor") >= 2
