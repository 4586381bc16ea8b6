"""Stencils, of which kernels do several rows at once: what rows share is loaded once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import tensordsl as td
import tensordsl.tensor as T
from tensordsl.codegen.cpu import kernel_text
from tensordsl.codegen.cpu.kernel import Kernel
from tensordsl.codegen.cpu.stencil_rows import StencilRows

Stencil = Callable[[Any, Any], Any]

FORMS: dict[str, Stencil] = {
    "cross": lambda x, y: x[1:-1, 1:-1] + 3 * (x[:-2, 1:-1] + x[2:, 1:-1] + x[1:-1, :-2] + x[1:-1, 2:]),
    "windows": lambda x, y: sum(
        (i + 2 * j) * x[i : (i - 2) or None, j : (j - 2) or None] for i in range(3) for j in range(3)
    ),
    "of two": lambda x, y: 2 * x[1:-1, 1:-1] - y[1:-1, 1:-1] + x[:-2, 1:-1] + y[2:, :-2] + y[1:-1, :-2] + x[2:, 1:-1],
    "rows and columns": lambda x, y: (
        (x[1:, 1:] + x[:-1, :-1]) * y[0, 1:] + (x[1:, :-1] - x[:-1, 1:]) * y[1:, 0][:, None]
    ),
    "rows alone": lambda x, y: x[2:] - 2 * x[1:-1] + x[:-2],
    "five by five": lambda x, y: sum(x[i : (i - 4) or None, j : (j - 4) or None] for i in range(5) for j in range(5)),
    "backwards": lambda x, y: x[::-1][1:, 1:] + x[::-1][:-1, :-1] + x[::-1][1:, :-1] + x[::-1][:-1, 1:],
    "far apart": lambda x, y: x[5:, 1:-1] + x[:-5, 1:-1] + x[5:, 2:] + x[4:-1, :-2] + x[3:-2, 1:-1] + x[4:-1, 2:],
    "of sums": lambda x, y: (x + y)[1:, 1:] * (x + y)[:-1, 1:] - (x + y)[1:, :-1] * (x + y)[:-1, :-1],
}
SHAPES = [
    (2, 3),
    (3, 3),
    (4, 20),
    (5, 9),
    (6, 70),
    (7, 33),
    (8, 64),
    (40, 9),
    (41, 10),
    (70, 41),
    (300, 30),
    (3, 2100),
    (50, 300),
]


@pytest.fixture
def together(fresh_code: pytest.MonkeyPatch) -> list[StencilRows | None]:
    """What does several rows of each kernel that is made."""
    made, usual = list[StencilRows | None](), kernel_text.block_stencil_rows

    def seen(k: Kernel) -> StencilRows | None:
        made.append(usual(k))
        return made[-1]

    fresh_code.setattr(kernel_text, "block_stencil_rows", seen)
    return made


def layouts(a: np.ndarray) -> list[np.ndarray]:
    wide = np.zeros([n + 3 for n in a.shape], a.dtype)
    inside = wide[1:-2, 2:-1]
    inside[...] = a
    return [a, np.asfortranarray(a), inside, np.repeat(a, 2, axis=1)[:, ::2], np.repeat(a, 2, axis=0)[::2], a[::-1]]


@pytest.mark.parametrize("name", FORMS)
@pytest.mark.parametrize("dtype", ["float64", "float32", "int8", "int32", "bool"])
def test_as_numpy_does(name: str, dtype: str) -> None:
    form = FORMS[name] if dtype != "bool" else lambda x, y: x[1:, 1:] ^ x[:-1, 1:] | x[1:, :-1] & y[:-1, 1:]
    x, y = T.matrix(dtype=dtype), T.matrix(dtype=dtype)
    f = td.function([x, y], form(x, y), on_unused_input="ignore")
    for shape in SHAPES:
        numbers = np.random.default_rng(0).integers(-3, 4, (2, *shape))
        a, b = numbers.astype(dtype)
        for given, other in zip(layouts(a), reversed(layouts(b)), strict=True):
            try:
                wanted = form(given, other)
            except ValueError:
                with pytest.raises(ValueError):
                    f(given, other)
                continue
            np.testing.assert_array_equal(f(given, other), wanted)
            np.testing.assert_array_equal(f(given, given), form(given, given))


def test_which_kernels_do(together: list[StencilRows | None]) -> None:
    """Not those of what rows do not share."""
    x = T.dmatrix()
    names = ("cross", "windows", "five by five", "rows alone")
    found = []
    for form in [*(FORMS[name](x, x) for name in names), x[1:, 1:] - x[1:, :-1], x[::2] - x[1::2]]:
        together.clear()
        td.function([x], form)
        found.append(any(together))
    assert found == [True, True, True, True, False, False]


def test_loads_once(together: list[StencilRows | None]) -> None:
    x = T.dmatrix()
    td.function([x], FORMS["cross"](x, x) * 0.75)
    (made,) = filter(None, together)
    assert sum(" load " in line for line in made.body) == 3 * 2 + 5


def test_numbers_that_are_none() -> None:
    x, y = T.dmatrices("x", "y")
    f = td.function([x, y], FORMS["of two"](x, y))
    a = np.random.default_rng(0).choice([np.nan, np.inf, -np.inf, 0.0, -0.0, 1.5, -2.0], (2, 50, 40))
    with np.errstate(invalid="ignore"):
        wanted = FORMS["of two"](*a)
    got = f(*a)
    np.testing.assert_array_equal(got, wanted)
    numbers = ~np.isnan(wanted)
    np.testing.assert_array_equal(np.signbit(got[numbers]), np.signbit(wanted[numbers]))


def test_overlapping_rows() -> None:
    """Rows that begin within each other, so that other rows than those of the slices are the same memory."""
    x = T.dmatrix()
    f = td.function([x], FORMS["windows"](x, x))
    a = np.arange(500.0) ** 2
    for step in (0, 1, 2, 20):
        rows = np.lib.stride_tricks.as_strided(a, (20, 20), (8 * step, 8))
        np.testing.assert_array_equal(f(rows), FORMS["windows"](rows, rows))


@pytest.mark.parametrize("threads", [1, 2])
def test_updates_in_place(threads: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of what is added up where the stencil's rows go, each element is changed once."""
    monkeypatch.setattr(td.config, "num_threads", threads)
    for shape in ((5, 7), (40, 30), (301, 203)):
        numbers = np.random.default_rng(0).integers(-9, 9, (2, *shape)).astype("float64")
        u = td.shared(numbers[0])
        v = td.shared(numbers[1][1:-1, 1:-1].copy())
        step = td.function([], [], updates=[(v, v + FORMS["cross"](u, u))])
        wanted = v.get_value()
        for _ in range(3):
            step()
            wanted = wanted + FORMS["cross"](numbers[0], numbers[0])
        np.testing.assert_array_equal(v.get_value(), wanted)


def test_planes() -> None:
    x = T.tensor3()

    def form(x: Any) -> Any:
        c = x[1:-1, 1:-1, 1:-1]
        return c + x[1:-1, :-2, 1:-1] * x[1:-1, 2:, 1:-1] - x[1:-1, :-2, 2:] + x[1:-1, 1:-1, :-2] - x[:-2, 1:-1, 1:-1]

    f = td.function([x], form(x))
    for shape in ((3, 3, 3), (5, 9, 20), (20, 4, 9), (3, 30, 40)):
        a = np.random.default_rng(0).normal(size=shape).astype(x.dtype)
        for given in (a, a.transpose(1, 0, 2), a.T, a[::-1, ::2]):
            if min(given.shape) > 2:
                np.testing.assert_array_equal(f(given), form(given))
