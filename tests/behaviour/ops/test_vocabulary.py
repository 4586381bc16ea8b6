"""The everyday functions against NumPy: what they give by the oracles and compiled."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from vocabulary import Case, check_all

import tensordsl
import tensordsl.tensor as T

A = np.arange(12.0).reshape(3, 4) - 5
B = np.linspace(-2, 2, 24).reshape(2, 3, 4)
V = np.array([3.0, -1.0, 0.0])
I = np.array([2, 0, 1])  # noqa: E741


def moved(x: Any) -> Any:
    return x.dimshuffle(2, 0, 1)


ARRANGED: list[Case] = [
    ("cumsum", lambda a, b, v, i: T.cumsum(a), lambda a, b, v, i: np.cumsum(a)),
    ("cumsum axis", lambda a, b, v, i: a.cumsum(axis=1), lambda a, b, v, i: np.cumsum(a, 1)),
    ("cumsum dtype", lambda a, b, v, i: T.cumsum(i * 100, dtype="int8"), lambda a, b, v, i: np.cumsum(i * 100, dtype="int8")),
    ("cumprod dtype", lambda a, b, v, i: i.cumprod(dtype="float32"), lambda a, b, v, i: np.cumprod(i, dtype="float32")),
    ("cumsum of bools", lambda a, b, v, i: T.cumsum(a > 0, 0, "bool"), lambda a, b, v, i: np.cumsum(a > 0, 0, dtype="bool")),
    ("cumsum ints", lambda a, b, v, i: T.extra_ops.cumsum(i.astype("int8")), lambda a, b, v, i: np.cumsum(i)),
    ("cumprod", lambda a, b, v, i: T.cumprod(b, -1), lambda a, b, v, i: np.cumprod(b, -1)),
    ("diff", lambda a, b, v, i: T.diff(b, 2, axis=1), lambda a, b, v, i: np.diff(b, 2, axis=1)),
    ("diff of bools", lambda a, b, v, i: T.diff(a > 0), lambda a, b, v, i: np.diff(a > 0)),
    ("repeat each", lambda a, b, v, i: a.repeat(i, axis=0), lambda a, b, v, i: a.repeat(i, axis=0)),
    ("repeat flat", lambda a, b, v, i: T.repeat(v, 2), lambda a, b, v, i: v.repeat(2)),
    ("tile", lambda a, b, v, i: T.tile(v, (2, i[0])), lambda a, b, v, i: np.tile(v, (2, 2))),
    ("roll", lambda a, b, v, i: T.roll(a, 2), lambda a, b, v, i: np.roll(a, 2)),
    ("roll axis", lambda a, b, v, i: T.roll(a, -i[0], axis=1), lambda a, b, v, i: np.roll(a, -2, 1)),
    ("roll far", lambda a, b, v, i: T.roll(v, 7), lambda a, b, v, i: np.roll(v, 7)),
    ("roll by 0", lambda a, b, v, i: T.roll(v, 0), lambda a, b, v, i: v),
    ("flip", lambda a, b, v, i: T.flip(b, (0, 2)), lambda a, b, v, i: np.flip(b, (0, 2))),
    ("moveaxis", lambda a, b, v, i: T.moveaxis(b, (0, 1), (-1, 0)), lambda a, b, v, i: np.moveaxis(b, (0, 1), (-1, 0))),
    ("expand_dims", lambda a, b, v, i: T.expand_dims(a, (0, -1)), lambda a, b, v, i: np.expand_dims(a, (0, -1))),
    ("stacklists", lambda a, b, v, i: T.stacklists([[v, v], [v, 2 * v]]),
     lambda a, b, v, i: np.array([[v, v], [v, 2 * v]])),
    ("vertical", lambda a, b, v, i: T.vertical_stack(a, a), lambda a, b, v, i: np.vstack((a, a))),
    ("horizontal", lambda a, b, v, i: T.horizontal_stack(a, a), lambda a, b, v, i: np.hstack((a, a))),
    ("split", lambda a, b, v, i: T.split(a, [1, 3], 2, axis=1), lambda a, b, v, i: np.split(a, [1], axis=1)),
    ("split symbolic", lambda a, b, v, i: T.split(v, i, 3), lambda a, b, v, i: (v[:2], v[2:2], v[2:])),
    ("atleast_nd", lambda a, b, v, i: T.atleast_nd(v, 3), lambda a, b, v, i: v[None, None]),
    ("unravel", lambda a, b, v, i: T.unravel_index(i * 3, (2, 4)), lambda a, b, v, i: np.unravel_index(i * 3, (2, 4))),
    ("unravel F", lambda a, b, v, i: T.unravel_index(i, (2, 4), "F"),
     lambda a, b, v, i: np.unravel_index(i, (2, 4), "F")),
    ("ravel", lambda a, b, v, i: T.ravel_multi_index((i, i + 1), (3, 4)),
     lambda a, b, v, i: np.ravel_multi_index((i, i + 1), (3, 4))),
    ("ravel wrap", lambda a, b, v, i: T.ravel_multi_index((i - 2, i), (2, 4), "wrap", "F"),
     lambda a, b, v, i: np.ravel_multi_index((i - 2, i), (2, 4), "wrap", "F")),
    ("inverse_permutation", lambda a, b, v, i: T.inverse_permutation(i), lambda a, b, v, i: np.argsort(i)),
    ("permute rows", lambda a, b, v, i: T.permute_row_elements(b[:, 0, :3], i), lambda a, b, v, i: b[:, 0, :3][:, i]),
    ("take_along_axis", lambda a, b, v, i: T.take_along_axis(a, T.stack([T.stack([i[0]] * 4)]), 0),
     lambda a, b, v, i: np.take_along_axis(a, np.full((1, 4), 2), 0)),
    ("specify_shape", lambda a, b, v, i: T.specify_shape(a, (3, None)), lambda a, b, v, i: a),
]  # fmt: skip


def test_arranging() -> None:
    check_all(ARRANGED, [A, B, V, I])


GRIDS: list[Case] = [
    ("linspace", lambda a, n, x: T.linspace(0, x, n), lambda a, n, x: np.linspace(0, x, n)),
    ("linspace open", lambda a, n, x: T.linspace(x, 1, n, endpoint=False), lambda a, n, x: np.linspace(x, 1, n, False)),
    ("linspace of one", lambda a, n, x: T.linspace(x, 3, 1), lambda a, n, x: np.linspace(x, 3, 1)),
    ("linspace of none", lambda a, n, x: T.linspace(x, 3, n - n), lambda a, n, x: np.linspace(x, 3, 0)),
    ("logspace", lambda a, n, x: T.logspace(0, x, n), lambda a, n, x: np.logspace(0, x, n)),
    ("geomspace", lambda a, n, x: T.geomspace(x, 100.0, n), lambda a, n, x: np.geomspace(x, 100, n)),
    ("geomspace below", lambda a, n, x: T.geomspace(-x, -100.0, n), lambda a, n, x: np.geomspace(-x, -100, n)),
    ("mgrid", lambda a, n, x: T.mgrid[0:n, 1:3], lambda a, n, x: np.mgrid[0 : int(n), 1:3]),
    ("mgrid 1", lambda a, n, x: T.mgrid[0:n:2], lambda a, n, x: np.mgrid[0 : int(n) : 2]),
    ("mgrid points", lambda a, n, x: T.mgrid[0:1:5j, 0:3:0.5], lambda a, n, x: np.mgrid[0:1:5j, 0:3:0.5]),
    ("ogrid", lambda a, n, x: T.ogrid[0:n, 1:3], lambda a, n, x: np.ogrid[0 : int(n), 1:3]),
    ("eye", lambda a, n, x: T.eye(n, 3, 1), lambda a, n, x: np.eye(int(n), 3, 1)),
    ("tri", lambda a, n, x: T.tri(n, 3, -1), lambda a, n, x: np.tri(int(n), 3, -1)),
    ("tril", lambda a, n, x: T.tril(a, 1), lambda a, n, x: np.tril(a, 1)),
    ("triu", lambda a, n, x: T.triu(a, -1), lambda a, n, x: np.triu(a, -1)),
    ("triu of three", lambda a, n, x: T.triu(T.stack([a, 2 * a])), lambda a, n, x: np.triu(np.stack([a, 2 * a]))),
    ("diag", lambda a, n, x: T.diag(a[0]), lambda a, n, x: np.diag(a[0])),
    ("diag above", lambda a, n, x: T.diag(a[0], 2), lambda a, n, x: np.diag(a[0], 2)),
    ("diag below", lambda a, n, x: T.diag(a[0], -1), lambda a, n, x: np.diag(a[0], -1)),
    ("diag of a matrix", lambda a, n, x: T.diag(a, 1), lambda a, n, x: np.diag(a, 1)),
    ("fill_diagonal", lambda a, n, x: T.fill_diagonal(a, x), lambda a, n, x: np.where(np.eye(3, 4), x, a)),
    ("fill offset", lambda a, n, x: T.fill_diagonal_offset(a, x, n - 4),
     lambda a, n, x: np.where(np.eye(3, 4, 1), x, a)),
    ("trace", lambda a, n, x: T.trace(a, 1), lambda a, n, x: np.trace(a, 1)),
    ("bartlett", lambda a, n, x: T.bartlett(n), lambda a, n, x: np.bartlett(n)),
    ("bartlett 1", lambda a, n, x: T.bartlett(1), lambda a, n, x: np.bartlett(1)),
    ("isclose", lambda a, n, x: T.isclose(a, a + 1e-6), lambda a, n, x: np.isclose(a, a + 1e-6)),
    ("isclose inf", lambda a, n, x: T.isclose([np.inf, -np.inf, np.nan, 1], [np.inf, np.inf, np.nan, np.inf]),
     lambda a, n, x: np.isclose([np.inf, -np.inf, np.nan, 1], [np.inf, np.inf, np.nan, np.inf])),
    ("isclose nan", lambda a, n, x: T.isclose(np.nan, np.nan, equal_nan=True), lambda a, n, x: True),
    ("allclose", lambda a, n, x: T.allclose(a, a), lambda a, n, x: True),
    ("xlogx", lambda a, n, x: T.xlogx.xlogx([0.0, 1.0, 2.0]), lambda a, n, x: [0, 0, 2 * np.log(2)]),
    ("xlogy", lambda a, n, x: T.xlogy([0, 0.0, 2.0], [0, 1.0, 2.0]), lambda a, n, x: [0, 0, 2 * np.log(2)]),
    ("logaddexp", lambda a, n, x: T.logaddexp(a, 1000.0), lambda a, n, x: np.logaddexp(a, 1000)),
    ("smallest", lambda a, n, x: T.smallest(a, x, 0), lambda a, n, x: np.minimum(np.minimum(a, x), 0)),
    ("largest", lambda a, n, x: T.largest(a, x), lambda a, n, x: np.maximum(a, x)),
    ("iround", lambda a, n, x: T.iround(a / 2), lambda a, n, x: np.rint(a / 2)),
    ("ceil_intdiv", lambda a, n, x: T.ceil_intdiv(n * 3, 2), lambda a, n, x: 8),
    ("round away", lambda a, n, x: T.round_half_away_from_zero(a / 2),
     lambda a, n, x: np.trunc(a / 2 + np.copysign(0.5, a))),
]  # fmt: skip


def test_grids_and_comparisons() -> None:
    check_all(GRIDS, [A, np.array(5), np.array(2.0)])


PRODUCTS: list[Case] = [
    ("batched_dot", lambda x, y, m, v: T.batched_dot(x, y), lambda x, y, m, v: x @ y),
    ("batched_dot 2 3", lambda x, y, m, v: T.batched_dot(x[:, 0], y), lambda x, y, m, v: (x[:, :1] @ y)[:, 0]),
    ("batched_dot 3 2", lambda x, y, m, v: T.batched_dot(x, y[:, :, 0]), lambda x, y, m, v: (x @ y[:, :, :1])[..., 0]),
    ("batched_dot 2 2", lambda x, y, m, v: T.batched_dot(x[:, 0], x[:, 1]),
     lambda x, y, m, v: (x[:, 0] * x[:, 1]).sum(1)),
    ("batched_dot ints", lambda x, y, m, v: T.batched_dot(x.astype("int16"), y.astype("int8")),
     lambda x, y, m, v: x.astype("int16") @ y.astype("int8")),
    ("batched_tensordot", lambda x, y, m, v: T.batched_tensordot(x, y, [[2], [1]]), lambda x, y, m, v: x @ y),
    ("batched_tensordot n", lambda x, y, m, v: T.batched_tensordot(x, y.dimshuffle(0, 2, 1)[:, :3], 2),
     lambda x, y, m, v: np.einsum("nij,nij->n", x, y.transpose(0, 2, 1)[:, :3])),
    ("matmul", lambda x, y, m, v: x @ y, lambda x, y, m, v: x @ y),
    ("matmul one", lambda x, y, m, v: x @ m, lambda x, y, m, v: x @ m),
    ("matmul one left", lambda x, y, m, v: m.T @ x.dimshuffle(0, 2, 1), lambda x, y, m, v: m.T @ x.transpose(0, 2, 1)),
    ("matmul vector", lambda x, y, m, v: x @ v, lambda x, y, m, v: x @ v),
    ("vector matmul", lambda x, y, m, v: v @ y, lambda x, y, m, v: v @ y),
    ("matmul 4", lambda x, y, m, v: T.matmul(x.dimshuffle("x", 0, 1, 2), T.stack([y, y])),
     lambda x, y, m, v: x[None] @ np.stack([y, y])),
    ("matmul broadcast", lambda x, y, m, v: x.dimshuffle(0, "x", 1, 2) @ y, lambda x, y, m, v: x[:, None] @ y),
    ("numpy.matmul", lambda x, y, m, v: np.matmul(x, y), lambda x, y, m, v: x @ y),
]  # fmt: skip


def test_products() -> None:
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(2, 3, 4)) * 3, rng.normal(size=(2, 4, 5)) * 3
    check_all(PRODUCTS, [x, y, rng.normal(size=(4, 2)), rng.normal(size=4)])


@pytest.mark.parametrize(
    ("wrong", "error", "text"),
    [
        (lambda x: T.split(x, [1], 2), ValueError, "2 parts, but 1 lengths"),
        (lambda x: T.split(x, [6, -1], 2), ValueError, "must not be negative, got -1"),
        (lambda x: T.moveaxis(x, (0, 0), (1, 0)), ValueError, "different axes"),
        (lambda x: T.specify_shape(x, (3,)), ValueError, "1 lengths for a tensor with 2 axes"),
        (lambda x: T.roll(x, 1, axis=2), ValueError, "axis 2 is out of bounds"),
        (lambda x: T.diag(x.dimshuffle(0, 1, "x")), TypeError, "a vector or a matrix"),
        (lambda x: T.arange(x, 1), TypeError, "wants scalars"),
        (lambda x: T.tril(x[0]), TypeError, "want a matrix"),
        (lambda x: T.matmul(x, 2), TypeError, "use \\* for scalars"),
        (lambda x: T.batched_dot(x[0, 0], x), TypeError, "wants an axis or more"),
        (lambda x: T.repeat(x, 1.5), TypeError, "counts must be integers"),
        (lambda x: T.repeat(x, [[1]], axis=0), TypeError, "counts must be integers, a scalar or a vector"),
        (lambda x: T.diff(x, -1), ValueError, "must not be negative"),
        (lambda x: T.unravel_index(x, (2,), "X"), ValueError, "'C' or 'F'"),
        (lambda x: T.mgrid[3], TypeError, "wants slices"),
    ],
)
def test_wrong_arguments(wrong: Any, error: type[Exception], text: str) -> None:
    with pytest.raises(error, match=text):
        wrong(T.matrix())


def test_lengths_that_disagree_at_run_time() -> None:
    x, n = T.vector(), T.lvector()
    for expression, value, counts in (
        (T.repeat(x, n), np.zeros(3), [1, 2]),
        (T.specify_shape(x, (4,)), np.zeros(3), [1]),
        (T.concatenate(T.split(x, n, 2)), np.zeros(3), [1, 1]),
        (T.concatenate(T.split(x, n, 2)), np.zeros(3), [5, -2]),
        (T.repeat(x, n), np.zeros(2), [1, -1]),
    ):
        f = tensordsl.function([x, n], expression, on_unused_input="ignore")
        with pytest.raises(ValueError):
            f(value, counts)
    b, c = T.tensor3(), T.tensor3()
    f = tensordsl.function([b, c], T.batched_dot(b, c))
    for shapes in (((2, 3, 4), (3, 4, 5)), ((2, 3, 4), (2, 3, 5))):
        with pytest.raises(ValueError):
            f(*map(np.zeros, shapes))


def test_lengths_beyond_small_integers() -> None:
    """Known lengths are int8 constants where they are small: their products must not wrap."""
    x = T.TensorType("float64", (100,))()
    for expression in (T.repeat(x, 2), T.tile(x, 2), T.repeat(x, T.constant(2, dtype="int8")), T.concatenate([x, x])):
        assert expression.type.shape == (200,)
        assert tensordsl.function([x], expression)(np.zeros(100)).shape == (200,)


def test_known_values() -> None:
    x = T.vector()
    assert T.get_vector_length(T.stack([x[0], x[1]])) == 2 and T.get_vector_length(T.matrix().shape) == 2
    assert T.get_scalar_constant_value(T.alloc(T.constant(2.5), 3, 3)) == 2.5
    with pytest.raises(ValueError, match="not known before run time"):
        T.get_vector_length(x)


ORDER: list[Case] = [
    ("sort", lambda a, v, i: T.sort(a), lambda a, v, i: np.sort(a)),
    ("sort columns", lambda a, v, i: a.sort(axis=0), lambda a, v, i: np.sort(a, 0)),
    ("sort flat", lambda a, v, i: T.sort(a, axis=None), lambda a, v, i: np.sort(a, None)),
    ("argsort", lambda a, v, i: a.argsort(), lambda a, v, i: np.argsort(a, kind="stable")),
    ("argsort columns", lambda a, v, i: T.argsort(a, 0, "mergesort"), lambda a, v, i: np.argsort(a, 0, kind="stable")),
    ("argsort of equal ones", lambda a, v, i: T.argsort(i), lambda a, v, i: np.argsort(i, kind="stable")),
    ("topk", lambda a, v, i: T.topk(a, 2), lambda a, v, i: np.sort(a)[:, ::-1][:, :2]),
    ("topk of columns", lambda a, v, i: T.topk(a, 2, axis=0), lambda a, v, i: np.sort(a, 0)[::-1][:2]),
    ("smallest", lambda a, v, i: T.topk(a, -3), lambda a, v, i: np.sort(a)[:, :3]),
    ("topk symbolic", lambda a, v, i: T.topk(a, i[0]), lambda a, v, i: np.sort(a)[:, ::-1][:, : i[0]]),
    ("smallest symbolic", lambda a, v, i: T.argtopk(v, -i[0]), lambda a, v, i: np.argsort(v)[: i[0]]),
    ("argtopk", lambda a, v, i: T.argtopk(a, 4, idx_dtype="int32"),
     lambda a, v, i: np.argsort(a, kind="stable")[:, ::-1].astype("int32")),
    ("median", lambda a, v, i: T.median(a), lambda a, v, i: np.median(a)),
    ("median of rows", lambda a, v, i: T.median(a, axis=1), lambda a, v, i: np.median(a, 1)),
    ("median keepdims", lambda a, v, i: T.median(a, (0, 1), True), lambda a, v, i: np.median(a, (0, 1), keepdims=True)),
    ("median of ints", lambda a, v, i: T.median(i), lambda a, v, i: np.median(i)),
    ("median with nan", lambda a, v, i: T.median(T.log(a), 0), lambda a, v, i: np.median(np.log(np.abs(a)) + 0 * a * np.where(a < 0, np.nan, 1), 0)),
    ("median of nothing", lambda a, v, i: T.median(a[:, :0], 1), lambda a, v, i: [np.nan] * 3),
    ("searchsorted", lambda a, v, i: T.searchsorted(T.sort(v), a), lambda a, v, i: np.searchsorted(np.sort(v), a)),
    ("searchsorted right", lambda a, v, i: T.sort(i).searchsorted(i, "right"),
     lambda a, v, i: np.searchsorted(np.sort(i), i, "right")),
    ("searchsorted sorter", lambda a, v, i: T.searchsorted(v, 0.5, sorter=T.argsort(v)),
     lambda a, v, i: np.searchsorted(v, 0.5, sorter=np.argsort(v))),
    ("bincount", lambda a, v, i: T.bincount(i), lambda a, v, i: np.bincount(i)),
    ("bincount of none", lambda a, v, i: T.bincount(i[:0]), lambda a, v, i: np.bincount(i[:0])),
    ("bincount weights", lambda a, v, i: T.bincount(i, weights=v), lambda a, v, i: np.bincount(i, weights=v)),
    ("bincount minlength", lambda a, v, i: T.bincount(i, minlength=9), lambda a, v, i: np.bincount(i, minlength=9)),
    ("unique", lambda a, v, i: T.unique(i), lambda a, v, i: np.unique(i)),
    ("unique with all", lambda a, v, i: T.unique(i, True, True, True), lambda a, v, i: np.unique(i, True, True, True)),
    ("isposinf", lambda a, v, i: T.isposinf(a / 0), lambda a, v, i: a > 0),
    ("isneginf", lambda a, v, i: T.isneginf(a / 0), lambda a, v, i: a < 0),
    ("atleast_2d", lambda a, v, i: T.atleast_2d(v), lambda a, v, i: v[None]),
    ("matrix_transpose", lambda a, v, i: T.matrix_transpose(a), lambda a, v, i: a.T),
]  # fmt: skip


def test_order() -> None:
    rng = np.random.default_rng(3)
    with np.errstate(all="ignore"):
        check_all(ORDER, [rng.normal(size=(3, 4)), rng.normal(size=4), np.array([2, 0, 2, 5])])


def test_nan_is_behind_everything_and_zeros_are_equal() -> None:
    a = np.array([np.nan, -0.0, np.inf, 0.0, -np.inf, np.nan, 1.0])
    x = T.vector()
    order, values, top = tensordsl.function([x], [T.argsort(x), T.sort(x), T.topk(x, 2)])(a)
    assert order.tolist() == [4, 1, 3, 6, 2, 0, 5]
    np.testing.assert_array_equal(np.signbit(values[1:3]), [True, False])
    np.testing.assert_array_equal(top, [np.nan, np.nan])


@pytest.mark.parametrize(
    ("expression", "argument", "error", "text"),
    [
        (lambda x: T.topk(x, 4), [1, 2, 3], ValueError, "topk: kth must not be 0"),
        (lambda x: T.topk(x, x[0]), [0, 2, 3], ValueError, "topk: kth must not be 0"),
        (lambda x: T.bincount(x), [0, -2, 3], ValueError, "bincount: the numbers must not be negative"),
        (lambda x: T.unravel_index(x, (2, 3)), [0, 6], ValueError, "unravel_index: a position is out of bounds"),
        (lambda x: T.unravel_index(x, (2, 3)), [0, -1], ValueError, "unravel_index: a position is out of bounds"),
        (lambda x: T.ravel_multi_index((x, x), (2, 3)), [0, 2], ValueError, "position on axis 0 is out of bounds"),
        (lambda x: T.repeat(x, x), [1, -1], ValueError, "negative"),
    ],
)
@pytest.mark.parametrize("mode", ["FAST_RUN", "REFERENCE"])
def test_what_a_step_refuses_at_run_time_names_the_users_line(
    expression: Any, argument: Any, error: type[Exception], text: str, mode: str
) -> None:
    x = T.lvector("x")
    f = tensordsl.function([x], expression(x), mode=mode)
    with pytest.raises(error, match=text) as caught:
        f(argument)
    assert "test_vocabulary.py" in str(caught.value) and "Inputs values" in str(caught.value)


@pytest.mark.parametrize(
    ("wrong", "error"),
    [
        (lambda x: T.sort(x, kind="bogo"), ValueError), (lambda x: T.sort(x, order="field"), TypeError),
        (lambda x: T.sort(x, axis=2), ValueError), (lambda x: T.topk(x, 0), ValueError),
        (lambda x: T.topk(x, 1.5), TypeError), (lambda x: T.topk(x, 1, idx_dtype="float32"), TypeError),
        (lambda x: T.searchsorted(x, 1), ValueError), (lambda x: T.searchsorted(x[0], 1, "middle"), ValueError),
        (lambda x: T.bincount(x), TypeError), (lambda x: T.bincount([1], weights=x), TypeError),
        (lambda x: T.unique(x, axis=2), ValueError), (lambda x: T.ravel_multi_index((x,), (2,)), TypeError),
        (lambda x: T.ravel_multi_index(([1],), (2, 3)), ValueError), (lambda x: T.unravel_index(x, (2,)), TypeError),
    ],
)  # fmt: skip
def test_wrong_arguments_of_order(wrong: Any, error: type[Exception]) -> None:
    with pytest.raises(error):
        wrong(T.matrix())


# -- what Theano accepts -----------------------------------------------------------------------------------------------
@pytest.mark.parametrize("mode", [None, "REFERENCE"])
@pytest.mark.parametrize("name", ["sort", "argsort"])
def test_sorting_along_an_axis_that_a_call_names(name: str, mode: Any) -> None:
    k, rng = T.lscalar("k"), np.random.default_rng(1)
    for shape in ((5,), (2, 3), (2, 3, 4), (0, 3)):
        a = rng.integers(0, 9, shape).astype("float64")
        x = T.tensor(dtype="float64", shape=(None,) * a.ndim)
        f = tensordsl.function([x, k], getattr(T, name)(x, axis=k), mode=mode)
        for axis in range(-a.ndim, a.ndim):
            np.testing.assert_array_equal(f(a, axis), getattr(np, name)(a, axis, kind="stable"))
        for axis in (a.ndim, -a.ndim - 1):
            with pytest.raises(ValueError, match="out of bounds"):
                f(a, axis)
    assert getattr(T, name)(x, axis=T.constant(1)).owner.attrs["axis"] == 1
    with pytest.raises(TypeError, match="the number of an axis"):
        getattr(T, name)(x, axis=T.dscalar())


def test_the_gradient_of_sorting_along_an_axis_that_a_call_names() -> None:
    x, k, weights = T.dmatrix("x"), T.lscalar("k"), np.arange(6.0).reshape(2, 3)
    f = tensordsl.function([x, k], T.grad((T.sort(x, axis=k) * weights).sum(), x))
    a = np.array([[3.0, 1.0, 2.0], [0.0, 5.0, 1.0]])
    assert f(a, 1).tolist() == [[2, 0, 1], [3, 5, 4]] and f(a, -2).tolist() == [[3, 1, 5], [0, 4, 2]]


def test_batched_dot_of_more_axes() -> None:
    rng = np.random.default_rng(2)
    for one, other, subscripts in (
        ((2, 3, 4, 5), (2, 5, 6), "bijk,bkl->bijl"),
        ((2, 4, 5), (2, 7, 5, 6), "bik,bjkl->bijl"),
        ((2, 5), (2, 7, 5, 6), "bk,bjkl->bjl"),
        ((2, 7, 6, 5), (2, 5), "bijk,bk->bij"),
        ((2, 3, 4, 5), (2, 7, 5, 6), "bijk,bmkl->bijml"),
        ((2,), (2, 3, 4, 5), "b,bijk->bijk"),
    ):
        a, b = rng.normal(size=one), rng.normal(size=other)
        x, y = (T.tensor(dtype="float64", shape=(None,) * v.ndim) for v in (a, b))
        np.testing.assert_allclose(T.batched_dot(x, y).eval({x: a, y: b}), np.einsum(subscripts, a, b))
    T.verify_grad(T.batched_dot, [rng.normal(size=(2, 2, 1, 3)), rng.normal(size=(2, 3, 2))], rng=rng)


def test_matmul_of_no_elements() -> None:
    for one, other in (((1, 2, 0), (0, 3)), ((0, 2, 2), (2, 3)), ((2, 0, 3), (3, 4))):
        for shapes in ((one, other), ((None,) * 3, (None,) * 2)):
            x, y = (T.tensor("float64", shape=s) for s in shapes)
            for mode in (None, "REFERENCE"):
                got = tensordsl.function([x, y], x @ y, mode=mode)(np.ones(one), np.ones(other))
                np.testing.assert_array_equal(got, np.ones(one) @ np.ones(other))


def test_another_length_than_was_said_is_an_assertion_error_too() -> None:
    x = T.dvector("x")
    for mode in (None, "REFERENCE"):
        f = tensordsl.function([x], T.specify_shape(x, (3,)), mode=mode)
        for error in (AssertionError, ValueError):
            with pytest.raises(error, match="axis 0 has length 2, not 3"):
                f([1, 2])
    for error in (AssertionError, ValueError):
        with pytest.raises(error, match="specify_shape"):
            T.specify_shape(x, (3, 4))
        with pytest.raises(error, match="specify_shape"):
            T.specify_shape(T.TensorType("float64", (2,))(), (3,))


def test_a_matrix_of_none_columns_is_square() -> None:
    n = T.lscalar("n")
    np.testing.assert_array_equal(T.eye(n, None, 1).eval({n: 3}), np.eye(3, None, 1))
    np.testing.assert_array_equal(T.eye(3, m=None).eval(), np.eye(3))
