"""Operands that lie as one row are one call of a kernel; nearly such ones are not taken for it."""

import numpy as np
import pytest

import tensordsl as td
import tensordsl.tensor as T

SHAPES = [(n,) for n in (0, 1, 3, 7, 8, 9, 16, 17, 100, 1000)] + [
    (1, 8), (8, 1), (8, 8), (3, 5), (5, 16), (0, 8), (2, 3, 4), (1, 1, 32), (4, 1, 8), (2, 2, 2, 5),
]  # fmt: skip


def laid_out(shape, dtype, rng):
    """Arrays of a shape: adjacent, in Fortran's order, with gaps, backwards, one row repeated."""
    x = (10 * rng.normal(size=shape)).astype(dtype)
    wide = (10 * rng.normal(size=[2 * n for n in shape])).astype(dtype)
    yield x
    yield np.asfortranarray(x)
    yield wide[tuple(slice(None, None, 2) for _ in shape)]
    yield wide[tuple(slice(n) for n in shape)]
    yield x[tuple(slice(None, None, -1) for _ in shape)]
    yield np.broadcast_to(x[:1], shape) if shape[0] else x


@pytest.mark.parametrize("dtype", ["float64", "float32", "int16"])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_operands_of_any_layout(shape, dtype):
    rng = np.random.default_rng(len(shape))
    x, y = (T.tensor(dtype=dtype, shape=(None,) * len(shape), name=name) for name in "xy")
    s = T.scalar("s", dtype=dtype)
    f = td.function([x, y, s], [x * y + s, y - x * 2])
    for a in laid_out(shape, dtype, rng):
        for b in laid_out(shape, dtype, rng):
            c = np.dtype(dtype).type(3)
            for got, want in zip(f(a, b, c), (a * b + c, b - a * np.dtype(dtype).type(2)), strict=True):
                np.testing.assert_array_equal(got, want, strict=True)


@pytest.mark.parametrize("n", [1, 7, 8, 9, 16, 23, 1000])
def test_an_update_in_place_is_made_once(n):
    rng = np.random.default_rng(n)
    first, step = rng.normal(size=n), rng.normal(size=n)
    state, x = td.shared(first.copy()), T.vector("x")
    f = td.function([x], [], updates=[(state, state * 2 + x)])
    wanted = first
    for _ in range(3):
        f(step)
        wanted = wanted * 2 + step
    np.testing.assert_array_equal(state.get_value(), wanted)


@pytest.mark.parametrize("threads", [1, 3])
def test_lengths_around_the_limit(threads):
    x, y = T.vectors("x", "y")
    with td.config.change_flags(num_threads=threads):
        f = td.function([x, y], T.exp(x) * y)
        for n in (60, 1 << 10, (1 << 16) - 1, 1 << 16, (1 << 16) + 1):
            a, b = np.linspace(0, 1, n), np.linspace(2, 3, n)
            np.testing.assert_allclose(f(a, b), np.exp(a) * b, rtol=1e-15)


REDUCTIONS = {
    "sum": lambda m, x: x.sum(),
    "largest": lambda m, x: x.max() if x.size else x.sum(),
    "product": lambda m, x: (1 + x / 8).prod(),
    "distance": lambda m, x: m.sqrt(((x - 3) ** 2).sum()) * x,
    "scaled": lambda m, x: (x - x.mean()) / (1 + x.var()),
    "softmax": lambda m, x: m.exp(x - x.max()) / m.exp(x - x.max()).sum() if x.size else x,
    "any": lambda m, x: (x > 8).any(),
}


@pytest.mark.parametrize("name", REDUCTIONS)
@pytest.mark.parametrize("shape", [s for s in SHAPES if 0 not in s] + [(31,), (33,), (64,), (65,)], ids=str)
def test_reductions_of_any_layout(shape, name):
    rng = np.random.default_rng(sum(shape))
    x = T.tensor(dtype="float64", shape=(None,) * len(shape), name="x")
    f = td.function([x], REDUCTIONS[name](T, x))
    for a in laid_out(shape, "float64", rng):
        for value in (a, np.where(a > 12, np.nan, a)):
            want = REDUCTIONS[name](np, value)
            np.testing.assert_allclose(f(value), want, rtol=1e-13, atol=1e-13)


@pytest.mark.parametrize("n", [1, 5, 8, 31, 32, 33, 100])
def test_an_update_by_a_sum_of_itself(n):
    first = np.arange(1.0, n + 1)
    state = td.shared(first.copy())
    f = td.function([], state.sum(), updates=[(state, state / state.sum() + 1)])
    np.testing.assert_allclose(f(), first.sum())
    np.testing.assert_allclose(state.get_value(), first / first.sum() + 1)
