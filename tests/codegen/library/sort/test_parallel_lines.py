"""Sorting and running sums along an axis: lines in blocks, which threads share out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from tuned import tuned, use

import tensordsl
import tensordsl.tensor as T


@pytest.fixture(autouse=True)
def small_blocks(fresh_code: pytest.MonkeyPatch) -> None:
    """Few lines in a block, and few blocks."""
    calls = {"sort_task_elements": 20, "scan_task_elements": 20, "lines_together": 3}
    use(fresh_code, tuned(calls=calls, blocking={"max_parts": 7}))


FUNCTIONS: dict[str, tuple[Callable[[Any, int], Any], Callable[[Any, int], Any]]] = {
    "sort": (lambda x, axis: T.sort(x, axis), lambda x, axis: np.sort(x, axis)),
    "argsort": (lambda x, axis: T.argsort(x, axis), lambda x, axis: np.argsort(x, axis, kind="stable")),
    "cumsum": (lambda x, axis: T.cumsum(x, axis), lambda x, axis: np.cumsum(x, axis)),
    "cumprod": (lambda x, axis: T.cumprod(x, axis), lambda x, axis: np.cumprod(x, axis)),
    "some places": (
        lambda x, axis: T.sort(x, axis)[(slice(None),) * axis + (slice(1, 3),)],
        lambda x, axis: np.sort(x, axis)[(slice(None),) * axis + (slice(1, 3),)],
    ),
    "some positions": (
        lambda x, axis: T.argsort(x, axis)[(slice(None),) * axis + (slice(0, 2),)],
        lambda x, axis: np.argsort(x, axis, kind="stable")[(slice(None),) * axis + (slice(0, 2),)],
    ),
    "of what nobody else reads": (lambda x, axis: T.cumsum(T.exp(x), axis), lambda x, axis: np.exp(x).cumsum(axis)),
}
SHAPES = ((0, 5), (5, 0), (1, 1), (3, 4), (7, 9), (31, 6), (6, 31), (2, 3, 4), (5, 1, 8), (3, 40, 2), (0, 3, 2))


@pytest.mark.parametrize("dtype", ["float64", "float32", "int16"])
@pytest.mark.parametrize("name", FUNCTIONS)
def test_lines_of_every_layout_with_any_number_of_threads(name: str, dtype: str) -> None:
    ours, numpys = FUNCTIONS[name]
    random = np.random.default_rng(0)
    for rank in (2, 3):
        x = T.TensorType(dtype, (None,) * rank)("x")
        for axis in range(rank):
            f = tensordsl.function([x], ours(x, axis))
            for shape in (s for s in SHAPES if len(s) == rank):
                given = random.integers(-3, 9, shape).astype(dtype)
                for turned in (given, np.asfortranarray(given), np.repeat(given, 2, -1)[..., ::2], given[::-1]):
                    want = numpys(turned, axis).astype(f(turned).dtype)
                    for threads in (1, 3):
                        tensordsl.config.num_threads = threads
                        np.testing.assert_allclose(f(turned), want, rtol=1e-6)


def test_new_values_of_shared_variables_with_threads() -> None:
    tensordsl.config.num_threads = 3
    values = np.random.default_rng(0).normal(size=(40, 9))
    s = tensordsl.shared(values)
    f = tensordsl.function([], s.sum(), updates=[(s, T.sort(s, axis=1))])
    f()
    np.testing.assert_array_equal(s.get_value(), np.sort(values, 1))
