"""Random sequences of calls that feed results back: every array is what NumPy's copies say, and nobody shares memory."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import tensordsl as theano
import tensordsl.tensor as T

Array = Any
Reference = Callable[[list[Array], Array, Array], tuple[list[Array], Array, Array]]  # arguments and states -> all anew
N = 4


def functions(a: Any, b: Any) -> list[tuple[Any, int, Reference]]:
    """Functions over the shared variables, how many matrices they take, and what they do, in NumPy's words."""
    x, y = T.dmatrix("x"), T.dmatrix("y")
    tanh = np.tanh
    rows: list[tuple[list[Any], list[Any], list[Any], Reference]] = [
        ([x], [x, x.T, x[1:], x], [], lambda p, A, B: ([p[0], p[0].T, p[0][1:], p[0]], A, B)),
        ([x, y], [x + y, T.tanh(T.dot(x, y))], [], lambda p, A, B: ([p[0] + p[1], tanh(p[0] @ p[1])], A, B)),
        ([x, y], [T.set_subtensor(x[1:3], y[:2])], [], lambda p, A, B: ([_set(p[0], p[1][:2])], A, B)),
        ([x], [a, T.sort(x, 0)], [(a, T.tanh(a + x))], lambda p, A, B: ([A, np.sort(p[0], 0)], tanh(A + p[0]), B)),
        ([x], [a + x, b], [(a, b), (b, a)], lambda p, A, B: ([A + p[0], B], B, A)),
        ([x], [x.sum()], [(a, x), (b, x.T)], lambda p, A, B: ([p[0].sum()], p[0], p[0].T)),
        ([x], [a[1]], [(a, T.set_subtensor(a[1:3], x[:2]))], lambda p, A, B: ([A[1]], _set(A, p[0][:2]), B)),
        ([x, y], [T.dot(a, b)], [(a, T.tanh(b + x * y)), (b, T.tanh(a.T))],
         lambda p, A, B: ([A @ B], tanh(B + p[0] * p[1]), tanh(A.T))),
    ]  # fmt: skip
    return [(theano.function(i, o, updates=u), len(i), reference) for i, o, u, reference in rows]


def _set(x: Array, y: Array) -> Array:
    return np.concatenate([x[:1], y, x[3:]])


def seen(array: Array, kind: int) -> Array:
    """The array, or one that shares its memory (but for the last)."""
    forms = array, array.T, array[::-1], array[:, ::-1], np.broadcast_to(array[:1], (N, N)), np.asfortranarray(array)
    return forms[kind]


@pytest.mark.parametrize("first", [0, 20])
def test_what_is_held_stays_as_it_was(first: int) -> None:
    a, b = theano.shared(np.zeros((N, N)), "a"), theano.shared(np.zeros((N, N)), "b")
    known = functions(a, b)
    for seed in range(first, first + 20):
        chance, A, B = random.Random(seed), *np.random.default_rng(seed).random((2, N, N))
        a.set_value(A)
        b.set_value(B)
        held = [(v, v.copy()) for v in np.random.default_rng(seed).random((3, N, N))]
        for _ in range(40):
            arguments = [seen(chance.choice(held)[0], chance.randrange(6)) for _ in range(2)]
            if chance.random() < 0.1:
                A = arguments[0].copy()
                a.set_value(A.copy(), borrow=chance.random() < 0.5)
            if chance.random() < 0.2:
                arguments[chance.randrange(2)] = a.get_value(borrow=True)
            if chance.random() < 0.1:
                held.append((a.get_value(borrow=True), a.get_value()))
            f, count, reference = chance.choice(known)
            arguments = arguments[:count]
            wanted, A, B = reference([v.copy() for v in arguments], A.copy(), B.copy())
            results = f(*arguments)
            for k, (result, value) in enumerate(zip(results, wanted, strict=True)):
                np.testing.assert_allclose(result, value)
                others = [a.storage, b.storage, *results[:k], *arguments, *(v for v, _ in held)]
                assert not any(np.shares_memory(result, other) for other in others)
            np.testing.assert_allclose(a.get_value(), A)
            np.testing.assert_allclose(b.get_value(), B)
            assert all(np.array_equal(v, copy) for v, copy in held)
            held = [*held[-12:], *((v, v.copy()) for v in results if v.shape == (N, N))]
