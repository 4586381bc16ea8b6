"""Lengths of 1 that only a call knows of: values that are written, arrays of indices and what `alloc` repeats are stretched
as in NumPy, and their gradients are summed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import tensordsl
import tensordsl.tensor as T
from tensordsl.ifelse import ifelse

MODES = [None, "REFERENCE", "FAST_COMPILE", "DebugMode"]
x, y, v, i, j = T.dmatrix("x"), T.dmatrix("y"), T.dvector("v"), T.lvector("i"), T.lvector("j")
X = np.arange(12.0).reshape(3, 4)
ROWS, COLUMNS = np.array([2, 0, -1]), np.array([3, 1, 1])


def write(name: str, *index: Any) -> Callable[..., Any]:
    """For variables: x with y set or added at an index; for arrays the same by NumPy."""

    def result(a: Any, b: Any, *arrays: Any) -> Any:
        where = tuple(arrays[k.attr] if isinstance(k, Given) else k for k in index)
        if not isinstance(a, np.ndarray):
            return getattr(T, f"{name}_subtensor")(a[where], b)
        a = a.copy()
        if name == "set":
            a[where] = b
        else:
            np.add.at(a, where, np.broadcast_to(b, a[where].shape))
        return a

    return result


class Given:
    """An index that is an argument, by its number."""

    def __init__(self, attr: int) -> None:
        self.attr = attr


def alloc(a: Any, b: Any) -> Any:
    return np.broadcast_to(b, a.shape).copy() if isinstance(a, np.ndarray) else T.alloc(b, *a.shape)


FIRST, SECOND = Given(0), Given(1)
WRITES: dict[str, tuple[Callable[..., Any], list[Any], tuple[int, int]]] = {
    **{
        f"{name} {what}": (write(name, *index), variables, shape)
        for name in ("set", "inc")
        for what, index, variables, shape in (
            ("a slice", (slice(1, None),), [], (2, 4)),
            ("a slice with steps", (slice(None, None, -2), slice(1, None)), [], (2, 3)),
            ("all", (slice(None),), [], (3, 4)),
            ("nothing", (slice(0, 0),), [], (0, 4)),
            ("rows", (FIRST,), [i], (3, 4)),
            ("columns", (slice(1, None), FIRST), [i], (2, 3)),
        )
    },
    "alloc": (alloc, [], (3, 4)),
}


def values(shape: tuple[int, int]) -> list[Any]:
    """Of all lengths that fit, also strided, and backwards."""
    rng = np.random.default_rng(0)
    shapes = {(m, n) for m in (shape[0], 1) for n in (shape[1], 1)}
    plain = [rng.normal(size=s) for s in sorted(shapes)]
    return [*plain, *(a[::-1, ::-1] for a in plain), *(np.repeat(np.repeat(a, 2, 0), 3, 1)[::2, ::3] for a in plain)]


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("name", WRITES)
def test_values(name: str, mode: Any) -> None:
    compute, variables, shape = WRITES[name]
    result = compute(x, y, *variables)
    f = tensordsl.function([x, y, *variables], result, mode=mode)
    slope = tensordsl.function([x, y, *variables], T.grad((result * X).sum(), y), mode=mode)
    arrays = [ROWS] if variables else []
    for b in values(shape):
        np.testing.assert_array_equal(f(X, b, *arrays), compute(X, b, *arrays))
        ones = compute(np.zeros((3, 4)), np.arange(1.0, b.size + 1).reshape(b.shape), *arrays)
        wanted = [X[ones == k + 1].sum() for k in range(b.size)]
        if not name.startswith("inc"):
            np.testing.assert_allclose(slope(X, b, *arrays), np.reshape(wanted, b.shape))
        assert slope(X, b, *arrays).shape == b.shape
    for wrong in ((2, 2), (shape[0] + 2, shape[1]), (0, 4) if shape[0] else (3, 4)):
        with pytest.raises(ValueError):
            f(X, np.zeros(wrong), *arrays)


@pytest.mark.parametrize("name", ["set a slice with steps", "inc columns", "alloc"])
def test_gradients_by_finite_differences(name: str) -> None:
    compute, variables, shape = WRITES[name]
    arrays = [ROWS] if variables else []
    for b in values(shape)[:2]:
        T.verify_grad(lambda a, b: T.sqr(compute(a, b, *arrays)) + a, [X / 5, b], rng=np.random.default_rng(0))


READS: dict[str, Callable[..., Any]] = {
    "elements": lambda a, i, j: a[i, j],
    "of rows beside a slice": lambda a, i, j: a[i, j, 1:] if a.ndim == 3 else a[i, j],
    "written": lambda a, i, j: T.set_subtensor(a[i, j], 5.0) if not isinstance(a, np.ndarray) else written(a, i, j),
    "outer": lambda a, i, j: a[i[:, None], j],
    "computed": lambda a, i, j: (a * 2)[i - 1, j + 0],
}


def written(a: Any, i: Any, j: Any) -> Any:
    a = a.copy()
    a[i, j] = 5.0
    return a


@pytest.mark.parametrize("mode", MODES[:3])
@pytest.mark.parametrize("name", READS)
def test_indices(name: str, mode: Any) -> None:
    f = tensordsl.function([x, i, j], READS[name](x, i, j), mode=mode)
    slope = tensordsl.function([x, i, j], T.grad(T.sqr(READS[name](x, i, j)).sum(), x), mode=mode)
    for rows, columns in ((ROWS, COLUMNS), (ROWS[:1], COLUMNS), (ROWS, COLUMNS[:1]), (ROWS[:1], COLUMNS[:1]),
                          (ROWS[:1], COLUMNS[:0]), (ROWS[:0], COLUMNS[1:2]), (ROWS[::-2], COLUMNS[:1])):  # fmt: skip
        np.testing.assert_array_equal(f(X, rows, columns), READS[name](X, rows, columns))
        wanted = np.zeros_like(X)
        if name in ("elements", "of rows beside a slice"):
            np.add.at(wanted, (rows, columns), 2 * X[rows, columns])
            np.testing.assert_array_equal(slope(X, rows, columns), wanted)
    if name != "outer":
        with pytest.raises(IndexError):
            f(X, ROWS, COLUMNS[:2])


@pytest.mark.parametrize("mode", MODES[:3])
def test_positions_along_an_axis(mode: Any) -> None:
    at = T.lmatrix("at")
    for axis in (0, 1):
        f = tensordsl.function([x, at], T.take_along_axis(x, at, axis), mode=mode)
        for shape in ((1, 1), (3, 1), (1, 4), (3, 4)):
            k = np.arange(shape[0] * shape[1]).reshape(shape) % 3
            np.testing.assert_array_equal(f(X, k), np.take_along_axis(X, k, axis))


@pytest.mark.parametrize("mode", MODES)
def test_counts_of_repeat(mode: Any) -> None:
    for axis in (0, 1, None):
        f = tensordsl.function([x, i], T.repeat(x, i, axis), mode=mode)
        slope = tensordsl.function([x, i], T.grad((T.repeat(x, i, axis) * 3).sum(), x), mode=mode)
        for counts in ([2], [0], np.arange(12 if axis is None else X.shape[axis])):
            np.testing.assert_array_equal(f(X, counts), np.repeat(X, counts, axis))
            wide = np.broadcast_to(counts, 12 if axis is None else X.shape[axis])
            wanted = (
                wide.reshape(3, 4) if axis is None else np.broadcast_to(wide[:, None] if axis == 0 else wide, (3, 4))
            )
            np.testing.assert_array_equal(slope(X, counts), 3.0 * wanted)
        with pytest.raises(ValueError):
            f(X, [1, 2])
        with pytest.raises(ValueError):
            f(X, [])
    assert tensordsl.function([x, i], T.repeat(x, i, 0))(X[:0], [2]).shape == (0, 4)
    np.testing.assert_array_equal(T.repeat(X, [2], 1).eval(), np.repeat(X, [2], 1))


def test_within_branches_and_loops() -> None:
    yes, k = T.bscalar(), T.lscalar()
    for part in (x[1:, 0], x[: k + 1, 0]):
        one = T.set_subtensor(part, v)
        f = tensordsl.function([x, v, yes, k], ifelse(yes, one, x), on_unused_input="ignore")
        for b in (np.array([7.0]), np.array([8.0, 9.0])):
            wanted = X.copy()
            wanted[slice(1, None) if part.owner.inputs[1:] == () else slice(0, 2), 0] = b
            np.testing.assert_array_equal(f(X, b, 1, 1), wanted)
            np.testing.assert_array_equal(f(X, b, 0, 1), X)
        with pytest.raises(ValueError):
            f(X, np.zeros(3), 1, 1)
        np.testing.assert_array_equal(f(X, np.zeros(3), 0, 1), X)
    slopes = tensordsl.function([x, v], T.jacobian(T.sqr(T.set_subtensor(x[1:, 0], v)).sum(axis=1), v))
    np.testing.assert_array_equal(slopes(X, [7.0]), [[0], [14], [14]])
    np.testing.assert_array_equal(slopes(X, [7.0, 8.0]), [[0, 0], [14, 0], [0, 16]])


def test_updates_and_calls_one_after_the_other() -> None:
    s = tensordsl.shared(np.zeros((3, 4)))
    f = tensordsl.function([y, v], s.sum(), updates=[(s, T.inc_subtensor(s[1:], y) + T.alloc(v, 3, 4))])
    wanted = np.zeros((3, 4))
    for b, c in (((2, 4), 4), ((1, 4), 4), ((2, 1), 1), ((2, 4), 4), ((1, 1), 1)):
        assert f(np.ones(b), np.ones(c)) == wanted.sum()
        wanted[1:] += 1
        wanted += 1
        np.testing.assert_array_equal(s.get_value(), wanted)
    with pytest.raises(ValueError):
        f(np.ones((3, 4)), np.ones(1))
    np.testing.assert_array_equal(s.get_value(), wanted)


def test_complex_numbers_and_small_ones() -> None:
    for dtype in ("complex128", "float16", "int8", "bool"):
        a, b = (T.TensorType(dtype, (None,))(n) for n in "ab")
        f = tensordsl.function([a, b], [T.set_subtensor(a[1:], b), T.alloc(b, a.shape[0] - 1)])
        for n in (1, 3):
            given = np.ones(4, dtype), np.zeros(n, dtype)
            one, other = f(*given)
            assert one.tolist() == [1, 0, 0, 0] and other.tolist() == [0, 0, 0] and one.dtype == dtype
    z, w = T.zvector(), T.zvector()
    slope = tensordsl.function([z, w], T.grad(T.sqr(abs(T.set_subtensor(z[1:], w))).sum(), w))
    np.testing.assert_allclose(slope(np.ones(4), [1 + 2j]), [3 * (2 + 4j)])


def test_what_is_known_to_be_longer_does_not_stretch() -> None:
    known = T.TensorType("float64", (2, None))("known")
    with pytest.raises(ValueError, match="fit"):
        T.alloc(known, 3, 4)
    f = tensordsl.function([x, known], T.set_subtensor(x[: known.shape[0]], known))
    assert f(X, np.ones((2, 1)))[:2].sum() == 8
