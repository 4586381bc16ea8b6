"""Reductions over all axes in parts: NumPy's results, and the same for any number of threads."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import tensordsl
import tensordsl.tensor as T

X, Y = T.dmatrix("x"), T.dmatrix("y")
TOTALS: dict[str, tuple[list[Any], Any]] = {
    "extrema": ([X.max(), (X * Y).min()], lambda x, y: [x.max(), (x * y).min()]),
    "product": ([(1 + X / 100).prod()], lambda x, y: [(1 + x / 100).prod()]),
    "places of extrema": ([X.argmax(), (X + Y).argmin()], lambda x, y: [x.argmax(), (x + y).argmin()]),
    "any and all": ([T.any(X > 2), T.all(X < 2)], lambda x, y: [np.any(x > 2), np.all(x < 2)]),
    "integers": ([(X > Y).sum(), T.cast(9 * X, "int32").sum()], lambda x, y: [(x > y).sum(), (9 * x).astype("int32").sum()]),
    "moments": ([X.mean(), X.var(), ((X - X.mean()) ** 3).mean()], lambda x, y: [x.mean(), x.var(), ((x - x.mean()) ** 3).mean()]),
    "logsumexp": ([T.log(T.exp(X - X.max()).sum()) + X.max()], lambda x, y: [np.log(np.exp(x).sum())]),
    "several": ([X.sum(), (X * Y).max(), (X > 0).sum()], lambda x, y: [x.sum(), (x * y).max(), (x > 0).sum()]),
    "positions": ([(X.T * T.arange(X.shape[0])).sum()], lambda x, y: [(x.T * np.arange(len(x))).sum()]),
    "beside what is stored": ([(X * Y).sum(), X * Y, (X * Y).max()], lambda x, y: [(x * y).sum(), x * y, (x * y).max()]),
    "of a value of all": ([(X * T.exp(Y[0, 0])).max(), X.sum()], lambda x, y: [(x * np.exp(y[0, 0])).max(), x.sum()]),
    "what has a position": ([X + T.arange(X.shape[1]) * T.arange(X.shape[0])[:, None]], lambda x, y: [x + np.arange(x.shape[1]) * np.arange(len(x))[:, None]]),
}  # fmt: skip
SHAPES = [(1, 1), (5, 3), (1, 70001), (70001, 1), (331, 411)]


@pytest.fixture(autouse=True)
def one_thread_afterwards() -> Iterator[None]:
    yield
    tensordsl.config.num_threads = 1


@pytest.mark.parametrize("name", TOTALS)
def test_totals_of_parts(name: str) -> None:
    outputs, oracle = TOTALS[name]
    f = tensordsl.function([X, Y], outputs, on_unused_input="ignore")
    rng = np.random.default_rng(3)
    for shape in SHAPES:
        x, y = rng.normal(size=shape), rng.normal(size=shape)
        for given in ((x, y), (np.asfortranarray(x), np.asfortranarray(y)), (x[::-1, ::-1], np.round(y))):
            runs = []
            for tensordsl.config.num_threads in (1, 2, 3):
                runs.append([np.array(r) for r in f(*given)])
            for got, want in zip(runs[0], oracle(*given), strict=True):
                np.testing.assert_allclose(got, want, rtol=1e-10, atol=1e-11 * (1 + np.abs(want).max()))
            assert all(r.tobytes() == s.tobytes() for run in runs[1:] for r, s in zip(run, runs[0], strict=True))


def test_totals_follow_numpy_where_numbers_are_not_finite() -> None:
    f = tensordsl.function([X], [X.max(), X.argmax(), X.argmin(), X.sum(), X.prod()])
    x = np.ones((500, 200))
    for special in (np.nan, np.inf, -np.inf):
        for place in ((0, 0), (499, 199), (310, 7)):
            given = x.copy()
            given[place] = special
            wanted = given.max(), given.argmax(), given.argmin(), given.sum(), given.prod()
            for got, want in zip(f(given), wanted, strict=True):
                np.testing.assert_array_equal(got, want)
