"""Products of stacks and what is computed of them: a few matrices at a time, whatever the lengths."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from layouts import LAYOUTS, check_layout
from tuned import tuned, use

import tensordsl
import tensordsl.tensor as T
from tensordsl.codegen.compiler import pipeline
from tensordsl.codegen.program_ir import instructions as p

SMALL = tuned(blocking={"reread_min_bytes": -1, "batch_min_matrices": 1, "batch_block_bytes": 600, "max_parts": 3})


@pytest.fixture(autouse=True)
def small_blocks(fresh_code: pytest.MonkeyPatch) -> None:
    """One matrix or two at a time, of every stack that is not empty."""
    use(fresh_code, SMALL)


Q, K, V, W, I = T.dtensor3("Q"), T.dtensor3("K"), T.dtensor3("V"), T.dmatrix("W"), T.lvector("I")


def attention() -> list[Any]:
    scores = T.exp(T.matmul(Q, K) * 0.3)
    return [T.matmul(scores, V) / scores.sum(2)[:, :, None]]


def softmax() -> list[Any]:
    scores = T.matmul(Q, K)
    weights = T.exp(scores - scores.max(2, keepdims=True))
    return [T.matmul(weights / weights.sum(2, keepdims=True), V)]


def gradients() -> list[Any]:
    return list(T.grad((softmax()[0] ** 2).sum(), [Q, K, V]))


def kept() -> list[Any]:
    """Some of it is wanted as a whole."""
    scores = T.tanh(T.matmul(Q, K))
    return [T.exp(T.matmul(T.cos(scores), V)), scores[1:], scores * 2]


def turned() -> list[Any]:
    """Operands and results in other orders, one matrix for all."""
    scores = T.sin(T.matmul(Q, K).dimshuffle(0, 2, 1))
    wide = T.matmul(scores, Q).dimshuffle(1, 0, 2)
    return [T.exp(wide) * 2, T.matmul(scores.dimshuffle(0, 2, 1), T.exp(-(K.dimshuffle(0, 2, 1))))]


def with_vectors() -> list[Any]:
    scores = T.matmul(Q, K) + W[None, :, :] * Q.sum(2)[:, :, None]
    return [T.matmul(T.exp(-(scores**2)), V).sum(1)]


def sums_of_all() -> list[Any]:
    """What is summed over the stacks comes after them."""
    scores = T.exp(T.matmul(Q, K))
    return [(T.matmul(scores, V) ** 2).sum(0), T.matmul(scores, V).sum()]


def gathered() -> list[Any]:
    return [T.matmul(T.exp(T.matmul(Q, K)) * W[I][None, :, :], V)]


def wanted_in_another_order() -> list[Any]:
    scores = T.tanh(T.matmul(Q, K))
    return [scores.dimshuffle(0, 2, 1), scores.sum(2), T.exp(scores).dimshuffle(2, 0, 1), T.exp(scores).max(1)]


CASES: dict[str, Callable[[], list[Any]]] = {
    f.__name__: f
    for f in (attention, softmax, gradients, kept, turned, with_vectors, sums_of_all, gathered, wanted_in_another_order)
}


def values(count: int, m: int = 5, k: int = 3, n: int = 4, columns: int = 2) -> list[Any]:
    random = np.random.default_rng(count)
    shapes = (count, m, k), (count, k, n), (count, n, columns), (m, n)
    return [*(random.uniform(-1, 1, s) for s in shapes), random.integers(0, m, m)]


def function(outputs: list[Any], **options: Any) -> Any:
    return tensordsl.function([Q, K, V, W, I], outputs, on_unused_input="ignore", **options)


def loops(outputs: list[Any]) -> list[p.Blocks]:
    made = pipeline.make_program("f", [Q, K, V, W, I], [], outputs, [], False, tuning=SMALL)[1]
    return [i for i in p.walk_program(made.code) if isinstance(i, p.Blocks)]


@pytest.mark.parametrize("name", CASES)
def test_every_number_of_matrices_gives_what_the_reference_gives(name: str) -> None:
    outputs = CASES[name]()
    assert loops(outputs)
    f, want = function(outputs), function(outputs, mode="REFERENCE")
    for count in (0, 1, 2, 3, 4, 7, 20):
        for lengths in ((5, 3, 4, 2), (4, 1, 1, 1), (9, 20, 17, 33)):
            given = values(count, *lengths)
            copies = [x.copy() for x in given]
            for got, expected in zip(f(*given), want(*given), strict=True):
                np.testing.assert_allclose(got, expected, rtol=1e-9, atol=1e-11)
            assert all((x == c).all() for x, c in zip(given, copies, strict=True))


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("name", CASES)
def test_operands_of_any_strides_and_threads(name: str, layout: str) -> None:
    outputs = CASES[name]()
    check_layout(function(outputs), function(outputs, mode="REFERENCE"), layout, values(7))


def test_what_only_the_steps_read_has_storage_of_a_few_matrices() -> None:
    f = function(attention())
    sizes = [s.bytes for s in f.memory_map() if s.kind == "arena"]
    lengths = {"Q": (q := np.ones((1000, 5, 3))), "K": np.ones((1000, 3, 4)), "V": np.ones((1000, 4, 2)), "max": max}
    assert max(eval(s, {**lengths, "min": min, "aligned": lambda n: n}) for s in sizes) < 8 * 4 * len(q) * 5


def test_a_step_that_needs_all_of_a_stack_ends_the_run() -> None:
    scores = T.exp(T.matmul(Q, K))
    outputs = [T.matmul(scores / scores.sum(), V)]
    f, want = function(outputs), function(outputs, mode="REFERENCE")
    np.testing.assert_allclose(f(*values(7))[0], want(*values(7))[0])


def test_an_index_out_of_range_fails_and_leaves_the_state() -> None:
    state = tensordsl.shared(np.ones((5, 4)))
    new = T.matmul(T.exp(T.matmul(Q, K)) * state[I][None, :, :], V)
    f = function(new, updates=[(state, state * 2)])
    *given, _, index = values(7)
    for threads in (1, 3):
        tensordsl.config.num_threads = threads
        before = state.get_value()
        with pytest.raises(IndexError):
            f(*given, before, index + 3)
        np.testing.assert_array_equal(state.get_value(), before)
        f(*given, before, index)
        np.testing.assert_array_equal(state.get_value(), 2 * before)


def test_lengths_that_differ_are_refused() -> None:
    f = function(attention())
    q, k, v, w, index = values(7)
    for wrong in ((q[:6], k, v), (q, k, v[:6]), (q, k[:, :2], v), (q, k, v[:, :3])):
        with pytest.raises(ValueError, match="mismatch|lengths|shape"):
            f(*wrong, w, index)


def test_a_stack_of_parameters_is_updated_in_place() -> None:
    state = tensordsl.shared(np.ones((7, 4, 2)))
    hidden = T.tanh(T.matmul(Q, K))
    out = T.matmul(hidden, state)
    cost = (out**2).mean()
    step = tensordsl.function([Q, K], cost, updates=[(state, state - 0.1 * T.grad(cost, state))])
    want = tensordsl.function([Q, K], T.grad(cost, state), mode="REFERENCE")
    q, k, *_ = values(7)
    for _ in range(3):
        expected = state.get_value() - 0.1 * want(q, k)
        step(q, k)
        np.testing.assert_allclose(state.get_value(), expected)


def test_small_stacks_go_through_all_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    use(monkeypatch, tuned(SMALL, blocking={"reread_min_bytes": 1 << 20}))
    f, want = function(softmax()), function(softmax(), mode="REFERENCE")
    for count in (0, 1, 7):
        np.testing.assert_allclose(f(*values(count))[0], want(*values(count))[0])
