"""Reductions over all axes, and of few long rows, in parts: NumPy's results, and the same for any number of threads."""

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


C = T.dtensor3("c")
LONG_ROWS: dict[str, Any] = {
    "extrema": lambda m, x: [x.max(-1), m.argmin(m.round(9 * x), -1), (x * x).min(-1)],
    "moments": lambda m, x: [x.mean(-1), x.var(-1), (x - x.mean(-1, keepdims=True)) * 2],
    "sums": lambda m, x: [x.sum(-1), (x > 0).sum(-1), (1 + x / 1e5).prod(-1), m.any(x > 4.5, -1), m.all(x < 9, -1)],
    "softmax": lambda m, x: [exponentials(m, x) / exponentials(m, x).sum(-1, keepdims=True)],
    "logsumexp": lambda m, x: [m.log(exponentials(m, x).sum(-1)) + x.max(-1)],
    "places": lambda m, x: [(x * m.arange(x.shape[-1])).sum(-1), x.sum(-1) * m.arange(x.shape[-2])],
}


def exponentials(m: Any, x: Any) -> Any:
    return m.exp(x - x.max(-1, keepdims=True))


def check_threads(f: Any, given: list[Any], wanted: list[Any]) -> None:
    runs = []
    for tensordsl.config.num_threads in (1, 2, 3):
        runs.append([np.array(r) for r in f(*given)])
    for got, want in zip(runs[0], wanted, strict=True):
        np.testing.assert_allclose(got, want, rtol=1e-10, atol=1e-11 * (1 + np.abs(want).max(initial=0)))
    assert all([r.tobytes() for r in run] == [r.tobytes() for r in runs[0]] for run in runs[1:])


@pytest.mark.parametrize("name", LONG_ROWS)
def test_few_long_rows(name: str) -> None:
    """Of two and three axes, in any layout, beside short ones, by functions that know nothing of lengths and by one for
    a single row."""
    make, rng = LONG_ROWS[name], np.random.default_rng(5)
    for symbol, shapes in {
        X: [(1, 1_100_003), (3, 600_000), (15, 400_001), (16, 1000), (3, 5), (0, 9)],
        C: [(1, 1, 1_100_003), (2, 3, 400_001), (2, 0, 3)],
        T.drow("r"): [(1, 1_100_003), (1, 7)],
    }.items():
        f = tensordsl.function([symbol], make(T, symbol))
        for shape in shapes:
            x = rng.normal(size=shape)
            for given in (x, np.asfortranarray(x), x[..., ::-1], x[..., ::2], np.broadcast_to(x[..., :1], shape)):
                check_threads(f, [given], make(np, given))


def test_few_long_rows_of_several_axes_and_their_gradients() -> None:
    total = T.log(T.exp(C).sum((1, 2)))
    f = tensordsl.function([C], [total, *T.grad(total.sum(), [C]), (C * C).sum((0, 2)), C.max((0, 2))])
    rng = np.random.default_rng(6)
    for shape in [(1, 700, 900), (3, 400, 500), (400, 3, 500), (500, 400, 3)]:
        c = rng.normal(size=shape)
        for given in (c, c.transpose(1, 0, 2), c.T, c[::-1, ::2]):
            e = np.exp(given)
            every = e.sum((1, 2), keepdims=True)
            wanted = [np.log(every[:, 0, 0]), e / every, (given * given).sum((0, 2)), given.max((0, 2))]
            check_threads(f, [given], wanted)


def test_indices_out_of_range_are_found_in_every_part_of_a_long_row() -> None:
    k = T.lvector("k")
    f = tensordsl.function([X, k], [T.exp(X[:, k]).sum(1)])
    x, places = np.random.default_rng(7).normal(size=(3, 50)), np.arange(800_000) % 50
    check_threads(f, [x, places], [np.exp(x[:, places]).sum(1)])
    for tensordsl.config.num_threads in (1, 3):
        for wrong in (0, 400_000, 799_999):
            bad = places.copy()
            bad[wrong] = 50
            with pytest.raises(IndexError):
                f(x, bad)
