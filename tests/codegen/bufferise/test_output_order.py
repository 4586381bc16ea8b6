"""Results keep the order in memory of what they are computed from, with the values that they have in any other."""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import tensordsl as td
import tensordsl.tensor as T
from tensordsl.runtime.calls.orders import kept_order

SHAPES = [
    (3, 4), (37, 53), (300, 7), (1, 9), (9, 1), (0, 5), (2, 3, 4), (17, 1, 33), (5, 0, 2), (40, 3, 20), (2, 3, 4, 5),
]  # fmt: skip
UNARY = [lambda x: x + 1, lambda x: -x, T.exp, lambda x: x > 0, lambda x: T.cast(x, "float32"), T.sqr, T.tanh]
BINARY = [lambda x, y: x * y, lambda x, y: x - 2 * y, T.maximum, lambda x, y: T.switch(x < y, x, T.sin(y))]


def in_order(a: np.ndarray, axes: tuple[int, ...]) -> np.ndarray:
    """The same array, whose axes lie in memory in this order."""
    return np.ascontiguousarray(a.transpose(axes)).transpose(np.argsort(axes))


def layouts(a: np.ndarray) -> Iterator[np.ndarray]:
    """In every order, with gaps, backwards, with one row for all, and not aligned."""
    for axes in itertools.permutations(range(a.ndim)):
        yield in_order(a, axes)
        yield np.flip(in_order(np.flip(a), axes))
        yield in_order(np.repeat(np.repeat(a, 2, 0), 3, -1), axes)[::2, ..., ::3]
    if a.size:
        yield np.broadcast_to(a[:1], a.shape)
        raw = np.empty(a.nbytes + 1, np.uint8)[1:].view(a.dtype).reshape(a.shape[::-1]).T
        raw[...] = a
        yield raw


def strides_like(operands: list[np.ndarray], size: int) -> list[int]:
    """Of what is computed from the operands: in the order that all of them have, or C's; without axes of length 1."""
    shape = operands[0].shape
    strides = [0] * len(shape)
    for axis in reversed(kept_order(shape, [o.strides for o in operands]) or range(len(shape))):
        strides[axis] = size
        size *= shape[axis]
    return [s for s, n in zip(strides, shape, strict=True) if n > 1]


def is_like(result: np.ndarray, *operands: np.ndarray) -> bool:
    """Has an array the order of the operands, and memory of its own?"""
    own = [s for s, n in zip(result.strides, result.shape, strict=True) if n > 1]
    ordered = own == strides_like(list(operands), result.itemsize) or not result.size
    return ordered and bool(result.flags.owndata and result.flags.writeable and result.flags.aligned)


def same(x: np.ndarray, y: np.ndarray) -> bool:
    return x.shape == y.shape and x.dtype == y.dtype and x.tobytes() == y.tobytes()


@pytest.mark.parametrize("shape", SHAPES)
def test_one_operand_has_numpys_order(shape: tuple[int, ...]) -> None:
    a = np.random.default_rng(0).normal(size=shape)
    for x in layouts(a):
        if 0 not in x.strides and all(s > 0 for s in x.strides) and x.size:
            wanted = np.add(x, 1)
            assert is_like(wanted, x), x.strides


@pytest.mark.parametrize("dtype", ["float64", "float32", "uint8", "int16", "complex64", "complex128", "bool"])
def test_every_layout_of_one_and_two_operands(dtype: str) -> None:
    for shape in SHAPES:
        free = (False,) * len(shape)
        x, y = T.tensor(dtype, free), T.tensor(dtype, free)
        one, two = td.function([x], [x + x, T.cast(x, "complex128")]), td.function([x, y], x * y)
        rng = np.random.default_rng(0)
        a, b = ((rng.random(shape) * 9 - 4 * (dtype[0] not in "ub")).astype(dtype) for _ in range(2))
        want, wide, product = a + a, a.astype("complex128"), a * b
        for first in layouts(a):
            is_a = np.array_equal(first, a)
            for result, value in zip(one(first), (want, wide), strict=True):
                assert is_like(result, first), (first.strides, result.strides)
                assert not is_a or same(result, value)
            for second in itertools.islice(layouts(b), 5 if len(shape) > 2 else None):
                result = two(first, second)
                assert is_like(result, first, second), (first.strides, second.strides, result.strides)
                assert not is_a or not np.array_equal(second, b) or np.allclose(result, product, rtol=1e-6)


ROWS = [
    lambda x, r, c: x * r, lambda x, r, c: c - x, lambda x, r, c: c + x * r + x, lambda x, r, c: x - x.sum(0) * r,
    lambda x, r, c: x / (1 + (x * x).sum(1, keepdims=True)), lambda x, r, c: (x - x.min(0)) / (1 + x.max(0)),
    lambda x, r, c: (x - r.sum()) * x.sum() + c,
]  # fmt: skip


@pytest.mark.parametrize("shape", [(3, 4), (37, 53), (300, 7), (7, 300), (2, 65), (1, 9), (9, 1), (130, 120)])
def test_rows_columns_and_reductions_beside_it_keep_numpys_order(shape: tuple[int, ...]) -> None:
    rng = np.random.default_rng(0)
    a, b, c = rng.random(shape), rng.random(shape[1]), rng.random((shape[0], 1))
    for dtype in ("float64", "float32", "uint8"):
        inputs = T.matrix(dtype=dtype), T.vector(dtype=dtype), T.TensorType(dtype, (False, True))()
        for compute in ROWS if dtype == "float64" else ROWS[:2]:
            f = td.function(inputs, compute(*inputs), on_unused_input="ignore")
            for x in layouts((a * 100).astype(dtype)):
                given = x, (b * 100).astype(dtype), np.asfortranarray((c * 100).astype(dtype))
                result, wanted = f(*given), compute(*given)
                np.testing.assert_allclose(result, wanted, rtol=1e-5 if dtype == "float32" else 1e-10)
                own = not any(s < 0 for s in x.strides) and x.flags.aligned
                assert not own or lengths_kept(result) == lengths_kept(wanted), x.strides


def lengths_kept(a: np.ndarray) -> list[int]:
    return [s for s, n in zip(a.strides, a.shape, strict=True) if n > 1]


@pytest.mark.parametrize("seed", range(40))
def test_operands_of_any_axes_and_orders_give_what_numpy_gives(seed: int) -> None:
    source, rng = random.Random(seed), np.random.default_rng(seed)
    rank = source.choice([2, 3, 4])
    kinds = [tuple(source.random() < 0.4 for _ in range(rank)) for _ in range(source.choice([1, 2]))]
    kinds.append(tuple(all(column) and source.random() < 0.5 for column in zip(*kinds, strict=True)))
    inputs = [T.tensor("float64", kind) for kind in kinds]
    f = td.function(inputs, sum(inputs[1:], inputs[0]))
    for _ in range(20):
        shape = [source.choice([1, 2, 3, 9, 40]) for _ in range(rank)]
        given = [rng.normal(size=[1 if one else n for one, n in zip(kind, shape, strict=True)]) for kind in kinds]
        given = [in_order(a, tuple(source.sample(range(rank), rank))) for a in given]
        given = [np.broadcast_to(a[..., :1], a.shape) if source.random() < 0.2 else a for a in given]
        result = f(*given)
        loop = np.nditer([*given, None], op_flags=[["readonly"]] * len(given) + [["writeonly", "allocate"]])
        assert lengths_kept(result) == lengths_kept(loop.operands[-1]), [a.strides for a in given]
        np.testing.assert_array_equal(result, sum(given[1:], given[0]))


THREE = [(4, 5, 6), (2, 3, 500), (40, 3, 20), (3, 40, 70), (1, 7, 1), (5, 1, 6), (1, 6, 5), (6, 5, 1), (2, 0, 3)]


@pytest.mark.parametrize("axis", [0, 1, 2, (0, 1), (1, 2), (0, 2), (0, 1, 2)])
def test_reductions_of_three_axes_keep_fortrans_order_and_are_right_in_all(axis: Any) -> None:
    t = T.tensor3()
    f = td.function([t], (t - t.sum(axis, keepdims=True)) / (1 + (t * t).sum(axis, keepdims=True)))
    for shape in THREE:
        a = np.random.default_rng(0).normal(size=shape)
        windows = np.lib.stride_tricks.as_strided(a, (2, max(shape[1] - 1, 0), 2), (8, 8, 8)) if a.size > 50 else a
        for x in (*layouts(a), windows):
            if 0 in x.shape:
                assert f(x).shape == x.shape
                continue
            wanted = (x - x.sum(axis, keepdims=True)) / (1 + (x * x).sum(axis, keepdims=True))
            result = f(x)
            np.testing.assert_allclose(result, wanted, rtol=1e-9, atol=1e-12)
            assert result.flags.owndata and result.flags.aligned
        turned = f(np.asfortranarray(a))
        assert min(shape) < 2 or turned.flags.f_contiguous


def test_each_output_of_a_loop_has_its_own_order() -> None:
    x, y, r = T.matrix("x"), T.matrix("y"), T.vector("r")
    f = td.function([x, y, r], [x * r, y + x.sum(0), x.sum(1), x - y, (x + 1) * y.sum(0), (y * r).T])
    rng = np.random.default_rng(0)
    for shape in ((5, 9), (40, 33)):
        a, b, c = rng.normal(size=shape), rng.normal(size=shape), rng.normal(size=shape[1])
        for one, two in itertools.product((a, np.asfortranarray(a)), (b, np.asfortranarray(b))):
            wanted = [one * c, two + one.sum(0), one.sum(1), one - two, (one + 1) * two.sum(0), (two * c).T]
            for result, value in zip(f(one, two, c), wanted, strict=True):
                np.testing.assert_allclose(result, value, rtol=1e-10)
                assert result.strides == value.strides


def test_rows_and_columns_may_be_parts_of_the_matrix_and_stay_as_they_are() -> None:
    x, r, c = T.matrix("x"), T.vector("r"), T.TensorType("float64", (False, True))("c")
    f = td.function([td.In(x, borrow=True, mutable=True), r, c], td.Out(x * r + c, borrow=True))
    for shape in ((20, 20), (200, 50)):
        a = np.asfortranarray(np.random.default_rng(0).normal(size=shape))
        before = a.copy()
        for given in ((a, a[0], a[:, :1]), (a, a[-1, ::-1], a[::-1, 3:4]), (a, a[:, 0][: shape[1]], a[:, -1:])):
            assert np.array_equal(f(*given), before * given[1] + given[2]) and np.array_equal(a, before)
        assert np.array_equal(f(f(a, a[0], a[:, :1]), a[0], a[:, :1]), (a * a[0] + a[:, :1]) * a[0] + a[:, :1])


def random_function(source: random.Random, rank: int) -> Any:
    """An elementwise function of one to three arguments with one to three results."""
    kinds = [
        (False,) * rank if source.random() < 0.8 else tuple(source.random() < 0.5 for _ in range(rank)) for _ in "abc"
    ]
    inputs = [
        T.tensor(source.choice(["float64", "float64", "float32"]), kind) for kind in kinds[: source.randint(1, 3)]
    ]
    values = list(inputs)
    for _ in range(source.randint(1, 6)):
        if source.random() < 0.5:
            values.append(source.choice(UNARY)(source.choice(values)))
        else:
            values.append(source.choice(BINARY)(source.choice(values), source.choice(values)))
    outputs = source.sample(values[len(inputs) :], source.randint(1, min(3, len(values) - len(inputs))))
    if source.random() < 0.3:
        outputs.append(source.choice(values).dimshuffle(*reversed(range(rank))))
    if source.random() < 0.2:
        outputs.append(T.sum(outputs[0] > 0, axis=source.randrange(rank)))
    return inputs, outputs


@pytest.mark.parametrize("seed", range(60))
def test_random_functions_of_any_layouts_are_those_of_c_order(seed: int) -> None:
    """To the bit, also where results are arguments again; lengths of 0 and 1 among them."""
    source, rng = random.Random(seed), np.random.default_rng(seed)
    rank = source.choice([2, 2, 3])
    inputs, outputs = random_function(source, rank)
    f = td.function(inputs, outputs, on_unused_input="ignore")
    for _ in range(4):
        shape = [source.choice([0, 1, 2, 3, 7, 16, 33, 100]) for _ in range(rank)]
        plain = []
        for v in inputs:
            own = [1 if one else n for n, one in zip(shape, v.type.broadcastable, strict=True)]
            a = rng.normal(size=own).astype(v.dtype)
            a[rng.random(own) < 0.1] = source.choice([np.nan, -0.0, np.inf])
            plain.append(a)
        want = f(*plain)
        given = [source.choice([x for x in layouts(a) if same(x, a)]) for a in plain]
        found = f(*given)
        assert all(map(same, found, want))
        assert not any(np.may_share_memory(r, x) for r in found for x in (*given, *(o for o in found if o is not r)))
        kept = [r.copy() for r in found]
        fits = [r for r in found if r.shape == plain[0].shape and r.dtype == plain[0].dtype]
        again = [fits[0] if fits and k == 0 else x for k, x in enumerate(given)]
        assert all(map(same, f(*again), f(*map(np.ascontiguousarray, again))))
        assert all(map(same, found, kept))


def test_what_others_read_is_in_c_order_and_right() -> None:
    rng = np.random.default_rng(0)
    x, w = T.matrix("x"), T.matrix("w")
    s = td.shared(np.zeros((40, 30)), "s")
    y = T.exp(x)
    outputs = [y, y.T, y.reshape((-1,)), T.dot(y, w), y[::2], T.concatenate([y, x]), y.sum(0), s, y]
    f = td.function([x, w], outputs, updates=[(s, s + y)])
    a, b = rng.normal(size=(40, 30)), rng.normal(size=(30, 5))
    want = f(a, b)
    for given in layouts(a):
        if same(given, a):
            s.set_value(np.zeros((40, 30)))
            found = f(given, np.asfortranarray(b))
            for r, v in zip(found, want, strict=True):
                np.testing.assert_allclose(r, v, rtol=1e-12)
            assert same(s.get_value(), found[0]) and s.get_value(borrow=True).flags.c_contiguous
            s.set_value(found[0])


def test_moves_copies_and_casts_keep_the_order() -> None:
    x = T.tensor3("x")
    f = td.function([x], [x, x.dimshuffle(2, 0, 1), x.T, T.cast(x, "float32"), x[:, ::2], T.tensor_copy(x)])
    a = np.random.default_rng(0).normal(size=(6, 20, 9))
    for given in layouts(a):
        views = given, given.transpose(2, 0, 1), given.T, given, given[:, ::2], given
        for result, view in zip(f(given), views, strict=True):
            assert np.array_equal(result, view.astype(result.dtype))
            assert result.flags.owndata and (is_like(result, view) or view is views[4])


def test_an_operand_in_c_order_that_is_known_makes_the_result_so() -> None:
    x, s = T.matrix("x"), td.shared(np.ones((5, 6)))
    f = td.function([x], [x + s, T.sort(x) + x])
    for result in f(np.asfortranarray(np.arange(30.0).reshape(5, 6))):
        assert result.flags.c_contiguous


def test_axes_are_exchanged_behind_and_before_the_work() -> None:
    x, t = T.matrix("x"), T.tensor3("t")
    square = td.function([x], [(x + x.T * 2).T, (x + 1).T, T.exp(x.T), (x * 2 + x.T).dimshuffle(1, "x", 0)])
    rng = np.random.default_rng(0)
    a = rng.normal(size=(21, 21))
    for v in layouts(a):
        wanted = [(v + v.T * 2).T, v.T + 1, None, (v * 2 + v.T).T[:, None]]
        assert all(w is None or np.array_equal(r, w) for r, w in zip(square(v), wanted, strict=True))
        assert np.allclose(square(v)[2], np.exp(v.T), rtol=1e-15)
    for axes in itertools.permutations(range(3)):
        f = td.function([t], [(t * 3).dimshuffle(*axes), T.einsum("ijk->" + "".join("ijk"[a] for a in axes), t) + 1])
        g = td.function([t], (t + t).dimshuffle(*axes))
        for shape in ((5, 5, 5), (4, 4, 9), (2, 3, 20), (1, 7, 7)):
            for v in layouts(rng.normal(size=shape)):
                one, two = f(v)
                assert np.array_equal(one, (v * 3).transpose(axes)) and np.array_equal(two, v.transpose(axes) + 1)
                assert np.array_equal(g(v), (v + v).transpose(axes)) and is_like(g(v), v.transpose(axes))


def test_what_is_computed_for_another_shape_is_in_c_order() -> None:
    x, m, n = T.matrix("x"), T.lscalar("m"), T.lscalar("n")
    shapes = [(m, n), (n, m), (-1,), (n, 1, m), (m * n, 1), (1, -1), (x.shape[1], x.shape[0])]
    f = td.function([x, m, n], [(x + 1).reshape(s, ndim=len(s)) for s in shapes])
    one = [td.function([x, m, n], (x + 1).reshape(s, ndim=len(s)), on_unused_input="ignore") for s in shapes]
    for k, j in ((4, 6), (6, 4), (1, 24), (24, 1), (30, 20)):
        a = np.random.default_rng(0).normal(size=(j, k))
        for given in layouts(a):
            wanted = [(given + 1).reshape(s) for s in [(k, j), (j, k), -1, (j, 1, k), (-1, 1), (1, -1), (k, j)]]
            for found in (f(given, k, j), [g(given, k, j) for g in one]):
                assert all(map(np.array_equal, found, wanted))


def test_results_of_two_axes_can_be_resized_and_freed_like_others() -> None:
    x = T.matrix("x")
    f = td.function([x], x * 2)
    for n in (1, 100, 2000):
        a = np.asfortranarray(np.ones((n, 50)))
        results = [f(a) for _ in range(5)]
        del results[::2]
        flat = results[0].T.reshape(-1)
        assert flat.base is not None and flat.sum() == 100 * n


@pytest.mark.parametrize("shape", [(300, 500), (40, 70, 50)])
def test_threads_do_not_matter(shape: tuple[int, ...]) -> None:
    x, row = T.tensor("float64", (False,) * len(shape)), T.vector()
    f = td.function([x, row], [T.exp(x), x.T * 2, x * row])
    g = td.function([x], [x - x.sum(0), x / x.sum(-1, keepdims=True)])
    a, b = np.random.default_rng(0).normal(size=shape), np.random.default_rng(1).normal(size=shape[-1])
    want = f(a, b)
    for given in layouts(a):
        if same(given, a):
            alone = g(given)
            with td.config.change_flags(num_threads=3):
                assert all(map(same, f(given, b), want))
                assert all(map(same, g(given), alone))
