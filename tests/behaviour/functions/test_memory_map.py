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


def test_what_the_rounds_of_a_loop_cost() -> None:
    n = T.lscalar("n")
    start = T.vector("start")
    states, _ = tensordsl.scan(lambda h: T.sin(h), outputs_info=start, n_steps=n, name="sines")
    (kept,) = [s for s in tensordsl.function([start, n], states).memory_map() if s.rounds_of]
    assert (kept.kind, kept.rounds_of) == ("output", "scan 'sines': sin.0")
    assert bytes_of(kept.bytes, start=np.ones(3), n=100) == 8 * 3 * 100
    assert not any(s.rounds_of for s in tensordsl.function([start, n], states[-1]).memory_map())
    table = tensordsl.function([start, n], T.grad(states[-1].sum(), start)).memory_map()
    history = [s for s in table if s.rounds_of]
    assert history and all(s.rounds_of.startswith("scan 'sines': ") for s in history)
    assert [bytes_of(s.bytes, start=np.ones(3), n=100) for s in history] == [8 * 3 * 100]
    assert str(table).splitlines()[0].split()[-1] == "rounds_of"


def test_what_rows_are_is_told_by_names() -> None:
    def step(row: Any, h: Any) -> Any:
        new = T.tanh(T.dot(h, w) + row)
        new.name = "hidden"
        return new

    states, _ = tensordsl.scan(step, x, y, name="rnn")
    table = tensordsl.function([x, y, w], states).memory_map()
    assert [s.rounds_of for s in table if s.kind == "output"] == ["scan 'rnn': hidden"]
    total, _ = tensordsl.scan(lambda h: h * h, outputs_info=y, n_steps=7, name="squares")
    table = tensordsl.function([y], T.grad(total[-1].sum(), y)).memory_map()
    assert [s.rounds_of for s in table if s.rounds_of] == ["scan 'squares': y[t-1]"]


def test_loops_that_are_parts_of_an_op() -> None:
    assert tensordsl.function([y], T.gammainc(y, 2.0)).memory_map()
