"""Small programs that random ones found to be compiled wrongly, each said in full."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import tensordsl
import tensordsl.tensor as T
from tensordsl.ifelse import ifelse
from tensordsl.ops.control import require

PROGRAMS: dict[str, tuple[Callable[..., Any], tuple[Any, ...], Any]] = {
    "a sum over elements at positions that a reduction gives": (
        lambda x, m: T.sum(x[T.argmax(m, axis=1)]), ([1.0, 2.0, 4.0], [[1.0, 2.0, 0.0], [4.0, 3.0, 2.0]]), 3.0,
    ),
    "an argmin over elements at positions that a reduction gives": (
        lambda x, m: T.argmin(x[::-1][T.argmax(m, axis=1)]), ([1.0, 2.0, 4.0], [[1.0, 2.0, 0.0], [4.0, 3.0, 2.0]]), 0,
    ),
    "a length of what only a loop that nothing needs would compute": (
        lambda x, y: T.arange(T.batched_dot(x.dimshuffle("x", 0, 1), y.dimshuffle("x", 0, 1)).shape[2]),
        ([[1.0, 2.0]], [[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]), [0, 1, 2],
    ),
    "zeros as many as a step of the host counts": (
        lambda x, m: T.zeros_like(T.unique(x)), ([1.0, 2.0, 1.0], [[0.0]]), [0.0, 0.0],
    ),
    "the number of what a step of the host lists": (
        lambda x, m: T.unique(x).shape, ([1.0, 2.0, 1.0], [[0.0]]), [2],
    ),
    "two tensors of lengths that data decide, behind one check": (
        lambda x, m: _counted(T.cast(x, "int64"), -1) + T.sum(_counted(T.cast(x, "int64"), 8)),
        ([2.0, 0.0, 2.0], [[0.0]]), [4.0, 3.0, 5.0],
    ),
}  # fmt: skip


def _counted(positions: Any, least: int) -> Any:
    positions = require(positions, T.all(positions >= 0), "must not be negative")
    length = T.max(T.concatenate([positions, T.stack([T.constant(least)])])) + 1
    return T.inc_subtensor(T.zeros((length,))[positions], 1)


@pytest.mark.parametrize("name", PROGRAMS)
def test_programs(name: str) -> None:
    build, arguments, wanted = PROGRAMS[name]
    arguments = tuple(map(np.asarray, arguments))
    inputs = [T.TensorType("float64", (None,) * a.ndim)() for a in arguments]
    f = tensordsl.function(inputs, build(*inputs), on_unused_input="ignore")
    np.testing.assert_array_equal(f(*arguments), wanted)
    assert "func.func" in f.mlir()


@pytest.mark.parametrize("condition", [True, False])
def test_the_jacobian_of_a_choice_has_the_chosen_length(condition: bool) -> None:
    x, y, c = T.vector("x"), T.vector("y"), T.bscalar("c")
    f = tensordsl.function([x, y, c], tensordsl.gradient.jacobian(ifelse(c, x * 2, y * 3), x))
    wanted = 2 * np.eye(2) if condition else np.zeros((3, 2))
    np.testing.assert_array_equal(f([1, 2], [1, 2, 3], condition), wanted)
    assert "func.func" in f.mlir()


def test_a_length_of_branches_that_an_update_makes_equal() -> None:
    c, state, other = T.bscalar(), tensordsl.shared(np.array([[1.0, 2.0, 3.0]])), tensordsl.shared(np.arange(3))
    new = T.maximum(other, state)[T.zeros_like(other)]
    chosen = ifelse(c, new, state)
    f = tensordsl.function([c], T.dot(other, T.sum(chosen, axis=0)), updates=[(state, new)])
    assert f(1) == 24.0 and state.get_value().shape == (3, 3)
