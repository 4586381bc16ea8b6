"""Random calls of einsum, pad, tensordot, and moves of axes with or without length 1: against NumPy."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

import tensordsl
import tensordsl.tensor as T

LETTERS = "abcd"
Call = tuple[Callable[[Any, Any], Any], list[tuple[int, ...]]]  # of a module (T or NumPy) and arrays; their shapes


def draw_einsum(pick: Callable[[int], int]) -> Call:
    lengths = {c: 1 + pick(4) for c in LETTERS}
    operands = ["".join(LETTERS[pick(4)] for _ in range(1 + pick(3))) for _ in range(1 + pick(3))]
    used = sorted(set("".join(operands)))
    out = "".join(c for c in (used[::-1] if pick(2) else used) if pick(3))
    text = f"{','.join(operands)}->{out}"
    return lambda module, arrays: module.einsum(text, *arrays), [tuple(lengths[c] for c in o) for o in operands]


def draw_pad(pick: Callable[[int], int]) -> Call:
    shape = tuple(1 + pick(4) for _ in range(1 + pick(3)))
    mode = ("constant", "edge", "reflect", "symmetric", "wrap")[pick(5)]
    widths = [(pick(6), pick(6)) for _ in shape]
    return lambda module, arrays: module.pad(arrays[0], widths, mode=mode), [shape]


def draw_tensordot(pick: Callable[[int], int]) -> Call:
    left, right = ([1 + pick(4) for _ in range(2 + pick(2))] for _ in range(2))
    axes = [[0, 1], [1, 0]] if pick(2) else [[pick(len(left))], [pick(len(right))]]
    for a, b in zip(*axes, strict=True):
        right[b] = left[a]
    return lambda module, arrays: module.tensordot(*arrays, axes=axes), [tuple(left), tuple(right)]


def draw_moves(pick: Callable[[int], int]) -> Call:
    """Axes of length 1 dropped, the others transposed, then reshaped."""
    shape = tuple((1, 2, 3, 4, 6)[pick(5)] for _ in range(1 + pick(4)))
    index = tuple(0 if n == 1 and pick(2) else slice(None) for n in shape)
    left = [n for n, i in zip(shape, index, strict=True) if i != 0]
    order = [*range(len(left))]
    for k in range(pick(2) and len(order)):
        j = k + pick(len(order) - k)
        order[k], order[j] = order[j], order[k]
    first, *rest = [left[k] for k in order] or [1]
    to = ((-1, *rest[1:]), (1, -1, *rest), (2 - first % 2, -1, *rest), (first, *rest, 1), (*rest, 1, -1))[pick(5)]
    return lambda module, arrays: module.reshape(module.transpose(arrays[0][index], order), to), [shape]


@given(st.randoms(use_true_random=False))
def test_random_calls_agree_with_numpy(source: Any) -> None:
    pick = source.randrange
    call, shapes = (draw_einsum, draw_pad, draw_tensordot, draw_moves)[pick(4)](pick)
    rng = np.random.default_rng(pick(1 << 30))
    dtype = ("float64", "int64", "complex128")[pick(3)]
    arrays = [rng.integers(-4, 5, s).astype(dtype) for s in shapes]
    inputs = [T.TensorType(dtype, [(None, n if n == 1 else None, n)[pick(3)] for n in s])() for s in shapes]
    f = tensordsl.function(inputs, call(T, inputs))
    np.testing.assert_array_equal(f(*arrays), call(np, arrays))
