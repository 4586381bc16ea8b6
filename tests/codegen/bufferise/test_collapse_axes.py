"""Reductions over several axes, some of which lie in memory as one."""

from __future__ import annotations

import numpy as np
import pytest

import tensordsl as td
import tensordsl.tensor as T
from tensordsl.codegen.bufferise import launches

SHAPES = [(2, 3, 4), (20, 5, 7), (7, 5, 3), (1, 40, 30), (40, 1, 30), (30, 40, 1), (0, 3, 4), (4, 0, 3), (300, 4, 5)]
AXES = [(1, 2), (0, 1), (0, 2), (-1, -2)]


def layouts(a: np.ndarray) -> list[np.ndarray]:
    wide = np.zeros([n + 2 for n in a.shape], a.dtype)
    inside = wide[tuple(slice(1, n + 1) for n in a.shape)]
    inside[...] = a
    steps = np.repeat(a, 2, axis=-1)[..., ::2]
    rows = np.repeat(a, 2, axis=0)[::2]
    back = np.ascontiguousarray(a[..., ::-1])[..., ::-1]
    return [a, np.asfortranarray(a), inside, steps, rows, back, a.swapaxes(0, 1).copy().swapaxes(0, 1)]


@pytest.mark.parametrize("dtype", ["float64", "float32", "int32", "int8"])
@pytest.mark.parametrize("axes", AXES)
def test_sums_and_extrema(dtype: str, axes: tuple[int, int]) -> None:
    x, y = T.tensor3(dtype=dtype), T.tensor3(dtype=dtype)
    f = td.function(
        [x, y], [x.sum(axes), (x * y).sum(axes), (x + y[:, ::-1]).sum(axes), T.argmax(x.flatten(2), axis=1)]
    )
    g = td.function([x], [x.max(axes), x.min(axes)])
    for shape in SHAPES:
        a, b = np.random.default_rng(0).integers(-4, 5, (2, *shape)).astype(dtype)
        where = {"axis": axes, "dtype": "int64" if "int" in dtype else dtype}
        for given, other in zip(layouts(a), reversed(layouts(b)), strict=True):
            if 0 not in shape:
                wanted = [a.sum(**where), (a * b).sum(**where), (a + b[:, ::-1]).sum(**where)]
                wanted.append(a.reshape(len(a), -1).argmax(1))
                for got, expected in zip(
                    [*f(given, other), *g(given)], [*wanted, a.max(axes), a.min(axes)], strict=True
                ):
                    np.testing.assert_array_equal(got, expected)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_several_passes(dtype: str) -> None:
    x, y = T.tensor4(dtype=dtype), T.vector(dtype=dtype)
    mean, spread = x.mean((1, 2, 3), keepdims=True), x.std((2, 3), keepdims=True)
    results = [(x - mean) / (1 + spread), T.exp(x).sum((2, 3)), x.var((0, 2, 3)), (x * y).sum((1, 2, 3))]
    f = td.function([x, y], [*results, td.grad(results[0].sum() + results[2].sum(), x)])
    tolerance = 1e-10 if dtype == "float64" else 2e-4
    for shape in [(4, 3, 5, 6), (2, 8, 28, 28), (16, 1, 2, 3), (1, 1, 1, 1), (5, 7, 3, 1)]:
        a = np.random.default_rng(0).normal(size=shape).astype(dtype)
        b = np.random.default_rng(1).normal(size=shape[-1]).astype(dtype)
        wide = a.astype("float64")
        centre, width = wide.mean((1, 2, 3), keepdims=True), wide.std((2, 3), keepdims=True)
        wanted = [
            (wide - centre) / (1 + width),
            np.exp(wide).sum((2, 3)),
            wide.var((0, 2, 3)),
            (wide * b).sum((1, 2, 3)),
        ]
        for given in layouts(a):
            for got, expected in zip(f(given, b)[:4], wanted, strict=True):
                np.testing.assert_allclose(got, expected, rtol=tolerance, atol=tolerance)


def test_none_of_no_elements() -> None:
    x = T.tensor3()
    f = td.function([x], [x.sum((1, 2)), x.prod((1, 2))])
    for shape in [(3, 0, 4), (3, 4, 0), (0, 3, 4)]:
        sums, products = f(np.zeros(shape))
        assert sums.shape == products.shape == shape[:1] and not sums.any() and products.all()
    with pytest.raises(ValueError, match="zero-size"):
        td.function([x], x.max((1, 2)))(np.zeros((3, 0, 4)))


def test_state_that_is_read_and_written() -> None:
    x = td.shared(np.arange(60.0).reshape(3, 4, 5))
    step = td.function([], x.sum((1, 2)), updates=[(x, x - x.mean((1, 2), keepdims=True))])
    a = np.arange(60.0).reshape(3, 4, 5)
    for _ in range(2):
        np.testing.assert_allclose(step(), a.sum((1, 2)), atol=1e-12)
        a = a - a.mean((1, 2), keepdims=True)
    np.testing.assert_allclose(x.get_value(), a, atol=1e-12)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_rows_of_several_axes(dtype: str) -> None:
    x, y = T.tensor3(dtype=dtype), T.matrix(dtype=dtype)
    results = [x - x.max(2, keepdims=True), (x * y).sum(0), T.argmax(x + y, axis=2), (x - x.mean(0)) * y]
    f = td.function([x, y], [*results, T.nnet.softmax(x, axis=2)])
    for shape in [(7, 100, 5), (100, 7, 5), (3, 2, 40), (1, 1, 3), (20, 30, 1), (40, 1, 9)]:
        a = np.random.default_rng(0).normal(size=shape).astype(dtype)
        b = np.random.default_rng(1).normal(size=shape[1:]).astype(dtype)
        e = np.exp(a - a.max(2, keepdims=True))
        wanted = [a - a.max(2, keepdims=True), (a * b).sum(0), (a + b).argmax(2), (a - a.mean(0)) * b]
        for given in layouts(a):
            for got, expected in zip(f(given, b), [*wanted, e / e.sum(2, keepdims=True)], strict=True):
                np.testing.assert_allclose(got, expected, rtol=2e-4, atol=2e-5)


@pytest.mark.parametrize("dtype", ["float64", "float32", "int32"])
def test_outer_axes_that_are_known_to_be_one(dtype: str, fresh_code: pytest.MonkeyPatch) -> None:
    """Pooling: lanes may go across all rows of all images."""
    made, one_axis = [], launches.one_axis
    fresh_code.setattr(launches, "one_axis", lambda *given: made.append(one_axis(*given)) or made[-1])
    x = T.tensor3(dtype=dtype)
    n, height, width = x.shape
    parts = x.reshape((n, height // 2, 2, width // 3, 3))
    f = td.function([x], [parts.max(axis=(2, 4)), parts - parts.min(axis=(2, 4), keepdims=True)])
    assert {len(one.group.parallel) for one in made if one} == {2}
    for shape in [(1, 2, 3), (3, 4, 6), (9, 14, 15), (20, 2, 30), (2, 40, 3), (1, 64, 99), (0, 4, 6), (2, 0, 3)]:
        a = np.random.default_rng(0).integers(-9, 9, shape).astype(dtype)
        wide = a.reshape(shape[0], shape[1] // 2, 2, shape[2] // 3, 3)
        for given in layouts(a):
            found = f(given)
            np.testing.assert_array_equal(found[0], wide.max(axis=(2, 4)))
            np.testing.assert_array_equal(found[1], wide - wide.min(axis=(2, 4), keepdims=True))


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_axes_of_what_is_read_at_indices(dtype: str, fresh_code: pytest.MonkeyPatch) -> None:
    """Cross-entropy of sequences: one row of scores for each label."""
    made, one_axis = [], launches.one_axis
    fresh_code.setattr(launches, "one_axis", lambda *given: made.append(one_axis(*given)) or made[-1])
    x, label = T.tensor3(dtype=dtype), T.lmatrix()
    scores = x - T.log(T.exp(x).sum(axis=2, keepdims=True))
    n, m, k = x.shape
    chosen = scores[T.arange(n)[:, None], T.arange(m)[None, :], label]
    f = td.function([x, label], [chosen, td.grad(chosen.mean(), x)])
    assert 1 in [len(one.group.parallel) for one in made if one]
    for shape in [(4, 3, 5), (20, 7, 9), (1, 1, 3), (3, 40, 33), (1, 0, 3), (0, 2, 3)]:
        rng = np.random.default_rng(0)
        a, at = rng.normal(size=shape).astype(dtype), rng.integers(-shape[2], shape[2], shape[:2])
        wide = a.astype("float64")
        e = np.exp(wide)
        wanted = np.take_along_axis(wide - np.log(e.sum(2, keepdims=True)), at[..., None] % shape[2], 2)[..., 0]
        slope = ((np.arange(shape[2]) == at[..., None] % shape[2]) - e / e.sum(2, keepdims=True)) / max(at.size, 1)
        for given in layouts(a):
            for places in (at, np.asfortranarray(at)):
                for found, expected in zip(f(given, places), (wanted, slope), strict=True):
                    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)
        if at.size:
            at[-1, -1] = shape[2]
            with pytest.raises(IndexError):
                f(a, at)
