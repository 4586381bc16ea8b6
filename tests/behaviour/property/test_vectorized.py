"""Random functions of stacks by `T.vectorize_graph`: each element is what the function gives for its arguments."""

from __future__ import annotations

import math
import random
from typing import Any

import numpy as np
from expressions import Maker
from hypothesis import given
from hypothesis import strategies as st
from word_expressions import WordMaker

import tensordsl.tensor as T
from tensordsl.errors import LengthError
from tensordsl.reference import evaluate

FRONTS = ((1,), (2,), (3,), (2, 3))
ROUGH = {"float16": 2e-2, "float32": 1e-3, "float64": 1e-7, "complex64": 1e-3, "complex128": 1e-7}


def stack_of(value: Any, front: tuple[int, ...]) -> Any:
    """Values with the same elements in other places, for each place of the axes `front`."""
    rolled = [np.roll(value.reshape(-1), k).reshape(value.shape) for k in range(math.prod(front))]
    return np.array(rolled, value.dtype).reshape((*front, *value.shape))


def check(seed: int) -> None:
    source = random.Random(seed)
    maker = source.choice((Maker, WordMaker))(lambda n: source.randrange(n), False)
    maker.rng = np.random.default_rng(seed)
    case = maker.make()
    values = dict(zip(case.inputs, map(np.array, case.arguments), strict=True))
    outputs = [v for v in case.outputs if v.type.ndim <= 4]
    chosen = [v for v in case.inputs if source.random() < 0.7]
    if not chosen or not outputs:
        return
    longest = source.choice(FRONTS)
    stacks, replace = {}, {}
    for v in chosen:
        front = source.choice((longest, longest, longest[1:] or longest, tuple(source.choice((1, n)) for n in longest)))
        stacks[v] = stack_of(values[v].astype(v.type.dtype), front)
        replace[v] = T.TensorType(v.type.dtype, tuple(1 if n == 1 else None for n in front) + v.type.shape)()
    fronts = np.broadcast_shapes(*(stacks[v].shape[: stacks[v].ndim - v.type.ndim] for v in chosen))
    wide = {v: np.broadcast_to(stacks[v], (*fronts, *values[v].shape)) for v in chosen}
    try:
        made = T.vectorize_graph(outputs, replace)
        elements = [evaluate(outputs, {**values, **{v: wide[v][at] for v in chosen}}) for at in np.ndindex(*fronts)]
        found = evaluate(made, {**values, **{replace[v]: stacks[v] for v in chosen}})
    except (NotImplementedError, LengthError, IndexError):
        return  # a length depends on the element, or branches differ in shape; a position beyond the end
    for k, (old, new, got) in enumerate(zip(outputs, made, found, strict=True)):
        assert new.type.dtype == old.type.dtype
        wanted = np.array([e[k] for e in elements])
        got = np.broadcast_to(got, (*fronts, *got.shape[new.type.ndim - old.type.ndim :])).reshape(wanted.shape)
        if got.dtype.kind not in "fc":
            np.testing.assert_array_equal(got, wanted)
            continue
        scale = float(np.max(np.abs(wanted[np.isfinite(wanted)]), initial=1.0))
        rough = ROUGH[str(got.dtype)]
        np.testing.assert_allclose(got, wanted, rtol=rough, atol=rough * scale)


@given(st.integers(0, 2**62))
def test_random_functions_of_stacks(seed: int) -> None:
    with np.errstate(all="ignore"):
        check(seed)
