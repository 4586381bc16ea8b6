"""Writing at integer positions, compiled: against NumPy, for all dtypes, layouts and kinds of index."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import tensordsl
import tensordsl.tensor as T
from tensordsl.ops.control import loop_index, make_loop
from tensordsl.types import DTYPES


def symbol(value: Any, name: str) -> Any:
    return T.tensor(value.dtype.name, [n == 1 for n in value.shape], name)


def expected(x: Any, where: Any, y: Any, is_set: bool) -> Any:
    result = x.copy()
    if is_set:
        result[where] = y
    elif x.dtype == bool:
        np.logical_or.at(result, where, y)
    else:
        with np.errstate(all="ignore"):
            np.add.at(result, where, y)
    return result


def compiled(x: Any, indices: Any, y: Any, is_set: bool, where: Any) -> Any:
    """The function of x, y and the indices; `where(*symbols)` makes the index."""
    a, b = symbol(x, "a"), symbol(y, "b")
    ints = [symbol(i, f"i{k}") for k, i in enumerate(indices)]
    write = T.set_subtensor if is_set else T.inc_subtensor
    return tensordsl.function([a, b, *ints], write(a[where(*ints)], b))


def check(x: Any, indices: Any, y: Any, where: Any = lambda *i: i) -> None:
    indices = [np.asarray(i) for i in indices]
    before = [v.copy() for v in (x, y, *indices)]
    for is_set in (True, False):
        got = compiled(x, indices, y, is_set, where)(x, y, *indices)
        want = expected(x, where(*indices), y, is_set)
        assert got.dtype == want.dtype
        np.testing.assert_array_equal(got, want)
    for v, old in zip((x, y, *indices), before, strict=True):
        np.testing.assert_array_equal(v, old)


def values(rng: Any, dtype: str, *shape: int) -> Any:
    """Small integers, so that sums do not depend on their order, and special values where there are any."""
    made = np.asarray(rng.integers(0, 2 if dtype == "bool" else 100, shape)).astype(dtype)
    if dtype.startswith("float") and made.size > 3:
        made.reshape(-1)[:4] = np.nan, np.inf, -0.0, 0.0
    return made


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("width", [1, 5, 16, 67])
def test_rows_of_every_dtype(dtype: str, width: int) -> None:
    rng = np.random.default_rng(width)
    check(values(rng, dtype, 6, width), [rng.integers(-6, 6, 23)], values(rng, dtype, 23, width))
    check(values(rng, dtype, 6), [rng.integers(-6, 6, 23)], values(rng, dtype, 23))


@pytest.mark.parametrize("dtype", ["bool", "int16", "float16", "float32", "float64"])
def test_rows_of_every_width(dtype: str) -> None:
    """Whole vectors, and what is left by halves, quarters and so on; also of values that stand apart."""
    matrix = T.TensorType(dtype, (None, None))
    x, y, i = matrix("x"), matrix("y"), T.lvector("i")
    f = tensordsl.function([x, y, i], [T.inc_subtensor(x[i], y), T.set_subtensor(x[i], y)])
    rng = np.random.default_rng(4)
    for width in (*range(18), 20, 23, 31, 33, 47, 63, 65, 127, 130):
        a, b, at = values(rng, dtype, 5, width), values(rng, dtype, 23, width), rng.integers(-5, 5, 23)
        for c in (b, np.asfortranarray(b), b[:, ::-1], np.repeat(b, 2, axis=0)[::2]):
            for got, is_set in zip(f(a, c, at), (False, True), strict=True):
                np.testing.assert_array_equal(got, expected(a, at, c, is_set))


INDICES: dict[str, tuple[tuple[int, ...], tuple[tuple[int, ...], ...], tuple[int, ...], Any]] = {
    # shape of x, shapes of the indices, of y, and the index
    "rows": ((5, 3), ((7,),), (7, 3), lambda i: i),
    "columns": ((4, 5), ((7,),), (4, 7), lambda i: (slice(None), i)),
    "the middle": ((3, 5, 4), ((6,),), (3, 6, 4), lambda i: (slice(None), i)),
    "the last of three": ((3, 2, 5), ((6,),), (3, 2, 6), lambda i: (slice(None), slice(None), i)),
    "a matrix of indices": ((5, 3), ((2, 4),), (2, 4, 3), lambda i: i),
    "a cube of indices in the middle": ((2, 5, 3), ((2, 1, 3),), (2, 2, 1, 3, 3), lambda i: (slice(None), i)),
    "points": ((5, 4), ((9,), (9,)), (9,), lambda i, j: (i, j)),
    "points of a cube": ((5, 4, 3), ((9,), (9,)), (9, 3), lambda i, j: (i, j)),
    "broadcast indices": ((5, 4), ((3, 1), (6,)), (3, 6), lambda i, j: (i, j)),
    "apart": ((5, 3, 4), ((6,), (6,)), (6, 3), lambda i, j: (i, slice(None), j)),
    "an integer beside": ((5, 4, 2), ((6,),), (6, 2), lambda i: (2, i)),
    "a row for all": ((5, 3), ((7,),), (3,), lambda i: i),
    "one number for all": ((5, 3), ((7,),), (), lambda i: i),
    "one number for each row": ((5, 3), ((7,),), (7, 1), lambda i: i),
    "a column for a matrix of indices": ((5, 3), ((2, 4),), (4, 1), lambda i: i),
    "one index": ((5, 3), ((1,),), (1, 3), lambda i: i),
    "no indices": ((5, 3), ((0,),), (0, 3), lambda i: i),
    "rows without elements": ((5, 0), ((7,),), (7, 0), lambda i: i),
    "nothing of nothing": ((0, 3), ((0,),), (0, 3), lambda i: i),
}


@pytest.mark.parametrize("dtype", ["float64", "float32", "int16"])
@pytest.mark.parametrize("name", INDICES)
def test_kinds_of_index(name: str, dtype: str) -> None:
    shape, index_shapes, y_shape, where = INDICES[name]
    rng = np.random.default_rng(1)
    probe = where(*map(np.ndarray, index_shapes))
    axes = [k for k, i in enumerate(probe if isinstance(probe, tuple) else (probe,)) if isinstance(i, np.ndarray)]
    indices = [
        rng.integers(-shape[d], shape[d], s) if shape[d] else np.zeros(s, int)
        for d, s in zip(axes, index_shapes, strict=True)
    ]
    check(values(rng, dtype, *shape), indices, values(rng, dtype, *y_shape), where)


def layouts(x: Any) -> list[Any]:
    wide = np.zeros((2 * x.shape[0], 3 * x.shape[1]), x.dtype)
    wide[::2, ::3] = x
    return [
        np.asfortranarray(x), wide[::2, ::3], np.ascontiguousarray(x[::-1, ::-1])[::-1, ::-1],
        np.broadcast_to(x[:1], x.shape), np.broadcast_to(x[:, :1], x.shape),
    ]  # fmt: skip


@pytest.mark.parametrize("dtype", ["float64", "float32", "float16", "int8", "complex64", "bool"])
@pytest.mark.parametrize("width", [3, 256, 300])
def test_columns_at_few_positions_and_at_many(dtype: str, width: int) -> None:
    rng, real = np.random.default_rng(0), dtype != "bool"
    x, y, z, w, i, j = (
        T.tensor3(dtype=dtype),
        T.tensor3(dtype=dtype),
        T.matrix(dtype=dtype),
        T.matrix(dtype=dtype),
        *T.lvectors(2),
    )
    f = tensordsl.function([x, y, i], [write(x[:, :, i], y) for write in (T.set_subtensor, T.inc_subtensor)])
    g = tensordsl.function([x, z, i, j], [write(x[:, i, j], z) for write in (T.set_subtensor, T.inc_subtensor)])
    state = tensordsl.shared(np.zeros((0, width), dtype))
    h = tensordsl.function([w, i], updates=[(state, T.inc_subtensor(state[:, i], w))])
    for rows in (1, 2, 63, 64, 65, 200):
        for count in (1, 3, 16, 17):
            a, b, c, first = (
                rng.normal(size=s) * 9 for s in ((2, rows, width), (2, rows, count), (2, count), (rows, width))
            )
            a, b, c, first = ((v if real else v > 0).astype(dtype) for v in (a, b, c, first))
            p, q = rng.integers(-width, width, count), rng.integers(-rows, rows, count)
            state.set_value(first)
            h(b[0], p)
            assert np.array_equal(state.get_value(), expected(first, (slice(None), p), b[0], False))
            for is_set, columns, cells in zip((True, False), f(a, b, p), g(a, c, q, p), strict=True):
                assert np.array_equal(columns, expected(a, (slice(None), slice(None), p), b, is_set))
                assert np.array_equal(cells, expected(a, (slice(None), q, p), c, is_set))


def test_operands_of_any_strides() -> None:
    rng = np.random.default_rng(2)
    x, y, i = values(rng, "float32", 6, 5), values(rng, "float32", 9, 5), rng.integers(-6, 6, 18)[::2]
    for a in [x, *layouts(x)]:
        for b in [y, *layouts(y)]:
            check(a, [i[::-1]], b)
            check(np.asarray(a.T), [i % 6], np.asarray(b.T), lambda k: (slice(None), k))


def test_operands_that_overlap() -> None:
    whole = np.arange(40.0).reshape(8, 5)
    check(whole, [np.array([0, 3, 0])], whole[1:4])
    check(whole[:4], [np.array([1, 2, 1])], whole[2:5])
    numbers = np.arange(6)
    check(numbers, [numbers], numbers[::-1])


def test_the_last_of_repeated_positions_wins_and_sums_go_in_order() -> None:
    x, i, y = T.fvector("x"), T.lvector("i"), T.fvector("y")
    zeros, ones = np.zeros(1, "float32"), np.zeros(4, "int64")
    got = tensordsl.function([x, i, y], T.set_subtensor(x[i], y))(zeros, ones, np.arange(4, dtype="float32"))
    assert got == [3]
    big = np.array([1e8, 1.0, -1e8, 1.0], "float32")  # another order would give 0 or 2
    assert tensordsl.function([x, i, y], T.inc_subtensor(x[i], y))(zeros, ones, big) == [1]


def test_positions_that_are_all_the_first() -> None:
    x, m, i, y = T.vector("x"), T.matrix("m"), T.lvector("i"), T.vector("y")
    zeros = T.zeros((3,), "int64")
    sums = [
        T.inc_subtensor(x[zeros], 2.0),
        T.inc_subtensor(x[i * 0], 2.0),
        T.inc_subtensor(x[zeros], y),
        T.inc_subtensor(x[T.arange(1)], 2.0),
    ]
    f = tensordsl.function([x, m, i, y], [*sums, T.inc_subtensor(m[zeros, zeros], 2.0)])
    *rows, matrix = f(np.ones(3), np.ones((2, 2)), [5, 6], [1.0, 2.0, 3.0])
    assert [row.tolist() for row in rows] == [[7, 1, 1], [5, 1, 1], [7, 1, 1], [3, 1, 1]]
    assert matrix.tolist() == [[7, 1], [1, 1]]


@pytest.mark.parametrize("bad", [5, -6, 2**62, -(2**63)])
def test_an_index_out_of_range_names_index_axis_and_extent(bad: int) -> None:
    x, i, j, y = T.matrix("x"), T.lvector("i"), T.lvector("j"), T.vector("y")
    f = tensordsl.function([x, i, j, y], T.inc_subtensor(x[i, j], y))
    a = np.zeros((3, 5))
    with pytest.raises(IndexError, match=f"index {bad} is out of bounds for axis 1 with size 5"):
        f(a, [0, 1], [0, bad], [1.0, 2.0])
    assert not a.any()
    with pytest.raises(IndexError, match="axis 0 with size 0"):
        f(np.zeros((0, 5)), [0], [0], [1.0])


def test_masks_and_gradients_take_the_same_way() -> None:
    x, y, i = T.matrix("x"), T.vector("y"), T.ivector("i")
    rng = np.random.default_rng(3)
    a, b, k = rng.normal(size=(6, 4)), rng.normal(size=4), np.array([0, 5, 0, -1], "int32")
    got = tensordsl.function([x, y], T.inc_subtensor(x[x[:, 0] > 0], y))(a, b)
    np.testing.assert_array_equal(got, expected(a, a[:, 0] > 0, b, False))
    g = tensordsl.function([x, i], T.grad(T.sum(x[i] ** 2), x))(a, k)
    np.testing.assert_allclose(g, expected(np.zeros_like(a), k, 2 * a[k], False))


def test_an_index_of_a_branch_not_taken_is_not_checked() -> None:
    x, i, c = T.vector("x"), T.lvector("i"), T.lscalar("c")
    written = T.set_subtensor(x[i], 1.0)
    f = tensordsl.function([x, i, c], tensordsl.ifelse.ifelse(c, written, x))
    assert (f(np.zeros(2), [7], 0) == 0).all()
    with pytest.raises(IndexError):
        f(np.zeros(2), [7], 1)


def test_loops_write_at_positions_and_check_them_only_where_they_run() -> None:
    n, k, x, j = T.lscalar("n"), loop_index(), T.vector("x"), T.lvector("j")
    s = T.vector("s")
    (final,) = make_loop(n, k, [s], [x], [T.inc_subtensor(s[j], 1.0)])
    f = tensordsl.function([n, x, j], final)
    assert f(3, np.zeros(3), [0, 2, 0]).tolist() == [6, 0, 3]
    assert (f(0, np.zeros(2), [7]) == 0).all()
    with pytest.raises(IndexError):
        f(1, np.zeros(2), [7])
