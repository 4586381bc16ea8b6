"""The table of a function's storages: sizes over lengths, places in the arena that do not overlap while in use."""

from __future__ import annotations

from itertools import combinations
from typing import Any

import numpy as np

import tensordsl
import tensordsl.tensor as T

x, w, y = T.matrix("x"), T.matrix("w"), T.vector("y")


def bytes_of(text: str, **arrays: Any) -> int:
    def aligned(n: int) -> int:
        return -(-n // 64) * 64

    return int(eval(text, {"aligned": aligned, "min": min, "max": max, "blas_threads": 1, **arrays}))


def test_sizes_and_offsets_of_a_training_step() -> None:
    state = tensordsl.shared(np.ones((5, 4)), "state")
    cost = ((T.tanh(T.dot(x, state)).sum(1) - y) ** 2).mean()
    step = tensordsl.function([x, y], cost, updates=[(state, state - 0.1 * T.grad(cost, state))])
    table = step.memory_map()
    (new,) = [s for s in table if s.kind == "state"]
    assert (new.name, new.in_place_of, new.bytes) == ("state", "state", "8 * x.shape[1] * state.shape[1]")
    assert [s.bytes for s in table if s.kind == "output"] == ["8"]
    arrays = {"x": np.ones((3, 5)), "state": state.get_value()}
    arena = [s for s in table if s.kind == "arena" and "shape" in s.bytes]
    places = [(bytes_of(s.offset, **arrays), bytes_of(s.bytes, **arrays)) for s in arena]
    assert len(arena) >= 2
    for (a, size_a), (b, size_b) in combinations(places, 2):
        assert a + size_a <= b or b + size_b <= a
    assert all(s.first <= s.last for s in table)
    assert str(table).startswith("name ")
    assert len(str(table).splitlines()) == len(table) + 1


def test_fused_functions_have_no_intermediate_storage() -> None:
    f = tensordsl.function([x], T.exp(x) * 2 + T.sin(x))
    assert [(s.kind, s.bytes) for s in f.memory_map()] == [("output", "8 * x.shape[0] * x.shape[1]")]


def test_storage_of_a_loop_is_in_use_from_turn_to_turn() -> None:
    hessian = tensordsl.function([y], T.hessian(T.sum(y**3 * T.sin(y)), y))
    table = hessian.memory_map()
    assert [s.bytes for s in table if s.kind == "output"] == ["8 * y.shape[0] * y.shape[0]"]
    assert any(s.kind == "arena" and s.last > s.first for s in table)
