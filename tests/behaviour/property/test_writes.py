"""Random programs of writes to parts, products and updates of shared variables: native code against the oracles."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import tensordsl
import tensordsl.tensor as T
from tensordsl.ifelse import ifelse

I, J, K, X = T.lvector("i"), T.lvector("j"), T.lscalar("k"), T.dmatrix("x")
VALUES: tuple[Callable[[Any, Any, Any], Any], ...] = (
    lambda a, b, c: T.dot(a, b),
    lambda a, b, c: a + b,
    lambda a, b, c: T.tanh(a),
    lambda a, b, c: 0.5 * a - T.dot(b, c.T),
    lambda a, b, c: T.dot(T.dot(a, b), c) - T.dot(b, a),
    lambda a, b, c: T.inc_subtensor(a[I], b[J]),
    lambda a, b, c: T.set_subtensor(a[I], 2.0),
    lambda a, b, c: T.set_subtensor(a[I, J], b[0, I]),
    lambda a, b, c: T.inc_subtensor(a[:, J], b.T[:, I]),
    lambda a, b, c: T.set_subtensor(a[K], b[:, 0]),
    lambda a, b, c: T.inc_subtensor(a[K:], b[K:]),
)
UPDATES: tuple[Callable[[Any, Any, Any], Any], ...] = (
    lambda s, a, b: a,
    lambda s, a, b: s - 0.1 * T.dot(a.T, b),
    lambda s, a, b: T.inc_subtensor(s[I], a[J]),
    lambda s, a, b: T.set_subtensor(s[K:], a[K:]),
    lambda s, a, b: T.inc_subtensor(s[I, J], a[J, I]),
)


def built(seed: int, initial: list[Any], mode: str | None) -> tuple[list[Any], Any]:
    """Shared variables and a function, the same ones for a seed."""
    rng = np.random.default_rng(seed)
    shared = [tensordsl.shared(a.copy()) for a in initial]
    pool = [*shared, X]

    def pick() -> Any:
        return pool[rng.integers(len(pool))]

    for _ in range(int(rng.integers(1, 6))):
        pool.append(VALUES[rng.integers(len(VALUES))](pick(), pick(), pick()))
    updates = [(s, UPDATES[rng.integers(len(UPDATES))](s, pick(), pick())) for s in shared if rng.integers(5)]
    outputs = [pick() for _ in range(int(rng.integers(3)))]
    outputs += [T.sum(pick()[I])] if rng.integers(2) else []
    outputs += [ifelse(T.lt(K, 2), T.inc_subtensor(pick()[I], 1.0), pick())] if not rng.integers(3) else []
    f = tensordsl.function([I, J, K, X], outputs, updates=updates, mode=mode, on_unused_input="ignore")
    return shared, f


def outcome(f: Any, args: tuple[Any, ...]) -> Any:
    try:
        return f(*args)
    except (IndexError, ValueError) as error:
        return type(error)


@pytest.mark.parametrize("first", range(0, 40, 8))
def test_random_programs_of_writes(first: int) -> None:
    for seed in (*range(first, first + 8), *((291,) if not first else ())):
        rng = np.random.default_rng(seed)
        n = int(rng.integers(2, 7))
        initial = [rng.normal(size=(n, n)) for _ in range(3)]
        (ours, native), (theirs, oracle) = built(seed, initial, None), built(seed, initial, "REFERENCE")
        for _ in range(3):
            m = int(rng.integers(6))
            i, j, k, x = rng.integers(-n, n, m), rng.integers(-n, n, m), int(rng.integers(n)), rng.normal(size=(n, n))
            i[: int(m > 0 and not rng.integers(4))] = n + 1
            before = [s.get_value().tobytes() for s in ours]
            got, want = outcome(native, (i, j, k, x)), outcome(oracle, (i, j, k, x))
            if isinstance(want, type):
                assert got is want and [s.get_value().tobytes() for s in ours] == before, seed
                continue
            pairs = [
                *zip(got, want, strict=True),
                *((a.get_value(), b.get_value()) for a, b in zip(ours, theirs, strict=True)),
            ]
            for a, b in pairs:
                np.testing.assert_allclose(
                    a, b, rtol=1e-9, atol=1e-9 * max(1, np.abs(b).max(initial=0)), err_msg=str(seed)
                )
            for s, t in zip(ours, theirs, strict=True):
                t.set_value(s.get_value())
