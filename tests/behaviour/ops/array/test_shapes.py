"""Shape ops, reductions and products: dtype, static shape and value against NumPy."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tensordsl
import tensordsl.tensor as T
from tensordsl.graph import OpShapeError, OpTypeError
from tensordsl.ops.array import reduce
from tensordsl.ops.array.shape import SHAPE_I, as_dims, vector_parts
from tensordsl.reference import evaluate
from tensordsl.types import DTYPES, FLOATS, SIGNED

RANDOM = np.random.default_rng(0)


def array(shape: tuple[int, ...], dtype: str = "float64") -> np.ndarray[Any, Any]:
    if dtype in FLOATS:
        return RANDOM.normal(size=shape).astype(dtype)
    return RANDOM.integers(0, 2 if dtype == "bool" else 5, shape).astype(dtype)


def variable(a: np.ndarray[Any, Any]) -> Any:
    return T.tensor(str(a.dtype), shape=(None,) * a.ndim)


def check(symbolic: Any, want: Any, given_values: dict[Any, Any]) -> None:
    got = evaluate(symbolic, given_values)
    want = np.asarray(want)
    assert got.dtype == want.dtype
    assert got.shape == want.shape
    np.testing.assert_allclose(got, want, rtol=1e-12)


# -- the same elements -----------------------------------------------------------------------------------------------
@pytest.mark.parametrize("order", [(1, 0), (0, 1), ("x", 1, 0), (1, "x", 0), (0, "x", "x", 1)])
def test_dimshuffle(order: tuple[Any, ...]) -> None:
    a = array((2, 3))
    kept = [k for k in order if k != "x"]
    want = a.transpose(kept)[tuple(None if k == "x" else slice(None) for k in order)]
    x = variable(a)
    check(x.dimshuffle(*order), want, {x: a})
    check(x.dimshuffle(list(order)), want, {x: a})


def test_dimshuffle_drops_axes_of_static_length_1_only() -> None:
    c = T.col()
    check(c.dimshuffle(0), np.arange(3.0), {c: np.arange(3.0)[:, None]})
    with pytest.raises(ValueError, match="cannot drop axis 1 .*not broadcastable"):
        T.matrix().dimshuffle(0)
    with pytest.raises(ValueError, match="axis twice"):
        T.matrix().dimshuffle(0, 0)
    with pytest.raises(ValueError, match="out of bounds"):
        T.matrix().dimshuffle(0, 2)


def test_a_dimshuffle_that_changes_nothing_is_no_op() -> None:
    x = T.matrix()
    assert x.dimshuffle(0, 1) is x and T.vector().T.owner is None


def test_transposes() -> None:
    a = array((2, 3, 4))
    x = variable(a)
    check(x.T, a.T, {x: a})
    check(x.transpose(), a.T, {x: a})
    check(x.transpose(1, 0, 2), a.transpose(1, 0, 2), {x: a})
    check(x.transpose((2, 0, 1)), a.transpose(2, 0, 1), {x: a})
    check(x.swapaxes(0, -1), a.swapaxes(0, -1), {x: a})
    with pytest.raises(ValueError, match="2 axes given"):
        x.transpose(0, 1)


def test_reshape_takes_ints_variables_and_vectors() -> None:
    a = array((2, 6))
    x, n, v = variable(a), T.iscalar("n"), T.lvector("v")
    for y in (
        x.reshape((3, 4)),
        x.reshape(3, 4),
        T.reshape(x, (3, -1)),
        x.reshape([-1, 4]),
        x.reshape(np.array([3, 4])),
    ):
        check(y, a.reshape(3, 4), {x: a})
    check(x.reshape((n, 4)), a.reshape(3, 4), {x: a, n: 3})
    check(x.reshape(v, ndim=2), a.reshape(3, 4), {x: a, v: [3, 4]})
    check(x.reshape(v, 2), a.reshape(3, 4), {x: a, v: [3, 4]})
    check(x.reshape((x.shape[0] * 2, -1)), a.reshape(4, 3), {x: a})
    check(x.reshape(x.T.shape), a.reshape(6, 2), {x: a})
    check(x.reshape(()), a[:1, :1].reshape(()), {x: a[:1, :1]})


def test_static_shapes_of_reshape() -> None:
    x = T.tensor(shape=(2, 6))
    assert x.reshape((3, -1)).type.shape == (3, 4)
    assert x.reshape((1, T.iscalar(), -1)).type.shape == (1, None, None)
    assert T.vector().reshape((1, -1)).broadcastable == (True, False)


def test_reshape_errors() -> None:
    with pytest.raises(OpShapeError, match="number of elements changes: 12 != 10"):
        T.tensor(shape=(2, 6)).reshape((5, 2))
    with pytest.raises(OpShapeError, match="at most one dimension may be -1"):
        T.matrix().reshape((-1, -1))
    with pytest.raises(ValueError, match="give ndim="):
        T.matrix().reshape(T.lvector())
    with pytest.raises(OpTypeError, match="a dimension must be a 0-d integer"):
        T.matrix().reshape((T.scalar(), 2))
    x = T.vector()
    with pytest.raises(ValueError, match="reshape"):
        evaluate(x.reshape((2, 2)), {x: np.zeros(1)})


def test_flatten_and_friends() -> None:
    a = array((2, 3, 4))
    x = variable(a)
    check(x.flatten(), a.ravel(), {x: a})
    check(x.ravel(), a.ravel(), {x: a})
    check(x.flatten(2), a.reshape(2, 12), {x: a})
    check(T.flatten(x, outdim=2), a.reshape(2, 12), {x: a})
    assert x.flatten(3) is x
    s = T.scalar()
    check(s.flatten(), np.ones(1), {s: 1})
    check(T.shape_padleft(x, 2), a[None, None], {x: a})
    check(T.shape_padright(x), a[..., None], {x: a})
    check(T.shape_padaxis(x, 1), a[:, None], {x: a})


def test_squeeze_and_patterns_of_broadcasting() -> None:
    r, m = T.row(), T.matrix()
    a = array((1, 3))
    check(r.squeeze(), a[0], {r: a})
    check(T.squeeze(m, axis=0), a[0], {m: a})
    assert T.addbroadcast(m, 0).broadcastable == (True, False)
    assert T.unbroadcast(r, 0).broadcastable == (False, False)
    assert T.patternbroadcast(r, (False, True)).broadcastable == (False, True)
    check(T.addbroadcast(m, 0), a, {m: a})
    check(T.unbroadcast(r, 0), a, {r: a})
    assert T.unbroadcast(m, 0) is m and T.addbroadcast(r, 0) is r
    with pytest.raises(OpShapeError, match="has length 3, not 1"):
        T.addbroadcast(T.tensor(shape=(3,)), 0)
    with pytest.raises(ValueError):
        evaluate(T.addbroadcast(m, 0), {m: array((2, 3))})
    with pytest.raises(ValueError, match="axis 0 has length 2, not 1"):
        T.addbroadcast(m, 0).eval({m: array((2, 3))})


# -- shapes as values ------------------------------------------------------------------------------------------------
def test_shape_size_and_their_parts() -> None:
    a = array((2, 3))
    x = variable(a)
    check(x.shape, np.array([2, 3]), {x: a})
    check(T.shape(x)[::-1], np.array([3, 2]), {x: a})
    check(x.size, np.asarray(6), {x: a})
    s = T.scalar()
    check(s.size, np.asarray(1), {s: np.asarray(2.0)})
    check(x.shape.prod(), np.asarray(6), {x: a})
    n, m = x.shape
    check(n * m, np.asarray(6), {x: a})
    assert x.shape[0].owner.row is SHAPE_I, "an element of a shape is one node"
    assert x.shape[-1].owner.attrs == {"axis": 1}
    assert len(vector_parts(x.shape[:1]) or ()) == 1
    assert evaluate(s.shape, {s: np.asarray(2.0)}).shape == (0,)


def test_known_lengths_are_constants_where_they_are_dimensions() -> None:
    r = T.row()
    assert T.zeros(r.shape).broadcastable == (True, False)
    assert [d.data.tolist() for d in as_dims((1, np.int8(2), T.constant(3)))] == [1, 2, 3]


# -- filled tensors --------------------------------------------------------------------------------------------------
def test_filled_tensors() -> None:
    a = array((2, 3), "float32")
    x, n = variable(a), T.lscalar()
    check(T.zeros((2, 3)), np.zeros((2, 3)), {})
    check(T.ones((n, 3), dtype="int32"), np.ones((2, 3), "int32"), {n: 2})
    check(T.zeros(4), np.zeros(4), {})
    check(T.zeros_like(x), np.zeros_like(a), {x: a})
    check(T.ones_like(x, dtype="int8"), np.ones_like(a, "int8"), {x: a})
    check(T.full_like(x, 7), np.full_like(a, 7), {x: a})
    check(T.full((2,), 3), np.full(2, 3, "int8"), {})
    check(T.alloc(x, 4, 2, 3), np.broadcast_to(a, (4, 2, 3)), {x: a})
    check(T.alloc(np.float32(1), n, n), np.ones((2, 2), "float32"), {n: 2})
    check(T.fill(x, 2.0), np.full_like(a, 2), {x: a})
    check(T.eye(3), np.eye(3), {})
    check(T.eye(2, 4, 1, dtype="int32"), np.eye(2, 4, 1, dtype="int32"), {})
    check(T.eye(n, n, -1), np.eye(3, k=-1), {n: 3})
    check(T.identity_like(x), np.eye(2, 3, dtype="float32"), {x: a})
    with pytest.raises(OpShapeError, match="2 axes cannot fill 1"):
        T.alloc(x, 3)
    with pytest.raises(OpShapeError, match="does not fit axis 0: 3 != 4"):
        T.alloc(np.zeros(3), 4)


@pytest.mark.parametrize("bounds", [(5,), (2, 7), (0, 10, 3), (10, 0, -3), (5, 5), (3, 1), (0, 7, 10)])
def test_arange_of_integers(bounds: tuple[int, ...]) -> None:
    check(T.arange(*bounds), np.arange(*bounds), {})
    assert T.arange(*bounds).type.shape == np.arange(*bounds).shape
    n = T.iscalar()
    check(
        T.arange(*bounds[:-1], n) if len(bounds) != 3 else T.arange(*bounds[:2], n), np.arange(*bounds), {n: bounds[-1]}
    )


def test_arange_of_floats_and_dtypes() -> None:
    s = T.scalar()
    check(T.arange(0, s, 0.25), np.arange(0, 1.1, 0.25), {s: 1.1})
    check(T.arange(3, dtype="float32"), np.arange(3, dtype="float32"), {})
    check(T.arange(3, dtype="uint8"), np.arange(3, dtype="uint8"), {})
    with pytest.raises(ZeroDivisionError, match="arange"):
        T.arange(0, 3, 0)
    with pytest.raises(OpTypeError, match="wants scalars"):
        T.arange(T.lvector())


# -- joining ---------------------------------------------------------------------------------------------------------
def test_concatenate_join_stack() -> None:
    a, b, c = array((2, 3)), array((4, 3)), array((2, 3), "int32")
    x, y, z = variable(a), variable(b), variable(c)
    check(T.concatenate([x, y]), np.concatenate([a, b]), {x: a, y: b})
    check(T.concatenate([x, z], axis=-1), np.concatenate([a, c], -1), {x: a, z: c})
    check(T.join(1, x, z), np.concatenate([a, c], 1), {x: a, z: c})
    check(T.stack([x, z]), np.stack([a, c]), {x: a, z: c})
    check(T.stack([x, z], axis=2), np.stack([a, c], 2), {x: a, z: c})
    check(T.stack(x, z), np.stack([a, c]), {x: a, z: c})
    check(T.stack([1, 2, 3]), np.array([1, 2, 3], "int8"), {})
    s = T.scalar()
    check(T.as_tensor_variable([1, s, 3]), np.array([1.0, 2, 3]), {s: 2})
    assert T.concatenate([T.tensor(shape=(2, 3)), T.tensor(shape=(4, None))]).type.shape == (6, 3)


def test_errors_of_joining() -> None:
    with pytest.raises(OpShapeError, match="lengths of axis 1 differ: 3 != 4"):
        T.concatenate([T.tensor(shape=(2, 3)), T.tensor(shape=(2, 4))])
    with pytest.raises(OpShapeError, match="one number of axes"):
        T.concatenate([T.matrix(), T.vector()])
    with pytest.raises(OpTypeError, match="use stack"):
        T.concatenate([T.scalar(), T.scalar()])
    with pytest.raises(OpTypeError, match="wants a list"):
        T.concatenate(T.matrix())
    with pytest.raises(ValueError, match="no tensors"):
        T.stack([])


def test_repeat_and_tile() -> None:
    a = array((2, 3))
    x, n = variable(a), T.iscalar()
    check(x.repeat(3), a.repeat(3), {x: a})
    check(T.repeat(x, n, axis=1), a.repeat(2, 1), {x: a, n: 2})
    check(T.tile(x, (2, 1)), np.tile(a, (2, 1)), {x: a})
    check(T.tile(x, 2), np.tile(a, 2), {x: a})
    check(T.tile(x, (n, 1, 2)), np.tile(a, (3, 1, 2)), {x: a, n: 3})


# -- reductions ------------------------------------------------------------------------------------------------------
SUM_DTYPE = {
    "bool": "int64", **{t: "int64" if t in SIGNED else "uint64" for t in DTYPES if "int" in t}, **{t: t for t in FLOATS}
}  # fmt: skip


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("axis", [None, 0, -1, (0, 2), ()])
def test_reductions_are_numpys(dtype: str, axis: Any) -> None:
    a = array((2, 3, 4), dtype)
    x = variable(a)
    for keepdims in (False, True):
        k: Any = {"axis": axis, "keepdims": keepdims}
        check(T.max(x, **k), a.max(**k), {x: a})
        check(T.min(x, **k), a.min(**k), {x: a})
        check(T.any(x, **k), a.any(**k), {x: a})
        check(T.all(x, **k), a.all(**k), {x: a})
        wide = {"float16": "float32", "float32": "float64"}.get(dtype)
        check(T.sum(x, **k), a.sum(dtype=wide, **k).astype(SUM_DTYPE[dtype]), {x: a})
        check(T.prod(x, **k), a.prod(dtype=wide, **k).astype(SUM_DTYPE[dtype]), {x: a})
        mean = T.mean(x, **k)
        assert mean.dtype == (dtype if dtype in FLOATS else "float64")
        rounding = 1e-3 if dtype == "float16" else 1e-6
        np.testing.assert_allclose(evaluate(mean, {x: a}), a.mean(dtype="float64", **k), rtol=rounding)
        if dtype in FLOATS:
            for ours, numpys in ((T.var, np.var), (T.std, np.std)):
                want = numpys(a.astype("float64"), **k)
                np.testing.assert_allclose(evaluate(ours(x, **k), {x: a}), want, rtol=10 * rounding)


@pytest.mark.parametrize("dtype", DTYPES)
def test_positions_of_extremes(dtype: str) -> None:
    a = array((2, 3, 4), dtype)
    x = variable(a)
    for axis in (None, 0, 1, -1):
        check(T.argmax(x, axis), a.argmax(axis), {x: a})
        check(T.argmin(x, axis), a.argmin(axis), {x: a})
        check(T.argmax(x, axis, keepdims=True), a.argmax(axis, keepdims=True), {x: a})
    check(T.argmax(x, axis=(0, 2)), a.transpose(1, 0, 2).reshape(3, 8).argmax(1), {x: a})
    top, where = T.max_and_argmax(x, axis=1)
    check(top, a.max(1), {x: a})
    check(where, a.argmax(1), {x: a})


def test_dtypes_of_sums() -> None:
    x = T.fmatrix()
    total = T.sum(x)
    assert total.owner.attrs == {"axis": (0, 1), "dtype": "float32", "acc_dtype": "float64"}
    assert T.sum(x, dtype="float64").dtype == "float64"
    assert T.sum(x, acc_dtype="float32").owner.attrs["acc_dtype"] == "float32"
    assert T.sum(T.bmatrix(), dtype="int8").dtype == "int8"


def test_the_static_shape_of_a_reduction() -> None:
    x = T.tensor(shape=(2, None, 4))
    assert x.sum(axis=1).type.shape == (2, 4)
    assert x.sum(axis=1, keepdims=True).type.shape == (2, 1, 4)
    for wrong in (3, -4, (0, 0)):
        with pytest.raises(ValueError, match="axis|axes"):
            x.sum(axis=wrong)


def test_composed_reductions() -> None:
    a = array((3, 4))
    x = variable(a)
    check(T.ptp(x, 1), np.ptp(a, 1), {x: a})
    check(T.var(x, 0, ddof=1), a.var(0, ddof=1), {x: a})
    check(T.std(x, 1, ddof=1, keepdims=True), a.std(1, ddof=1, keepdims=True), {x: a})
    for order in (1, 2, 3, np.inf, -np.inf):
        check(T.norm(x, order, axis=1), np.linalg.norm(a, order, axis=1), {x: a})
    check(T.norm(x, 0, axis=1), np.array([4, 4, 4]), {x: a})
    check(T.logsumexp(x, 1), np.log(np.exp(a).sum(1)), {x: a})
    np.testing.assert_array_equal(evaluate(T.logsumexp(x, 1), {x: a * np.inf})[:1].shape, (1,))
    check(T.logsumexp(x, 1, keepdims=True), np.full((1, 1), 1e4 + np.log(2)), {x: np.full((1, 2), 1e4)})
    check(T.logsumexp(x, 1), np.array([-np.inf]), {x: np.full((1, 2), -np.inf)})


def test_sum_to_undoes_broadcasting() -> None:
    g = array((4, 2, 3))
    x = variable(g)
    for like, want in ((T.row(), g.sum(0).sum(0, keepdims=True)), (T.vector(), g.sum((0, 1))), (T.scalar(), g.sum())):
        own = {like: np.zeros(np.shape(want))} if like.type.ndim else {}  # its lengths say what is summed
        check(reduce.sum_to(x, like), want, {x: g, **own})


# -- products --------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("m", [(), (3,), (2, 3), (5, 2, 3)])
@pytest.mark.parametrize("n", [(), (3,), (3, 4), (5, 3, 4)])
def test_dot(m: tuple[int, ...], n: tuple[int, ...]) -> None:
    a, b = array(m), array(n)
    x, y = variable(a), variable(b)
    check(T.dot(x, y), np.dot(a, b), {x: a, y: b})


def test_dot_promotes_and_refuses() -> None:
    a, b = array((2, 3), "int8"), array((3,), "float32")
    x, y = variable(a), variable(b)
    check(x.dot(y), np.dot(a.astype("float32"), b), {x: a, y: b})
    check(x @ x.T, (a @ a.T), {x: a})
    with pytest.raises(OpShapeError, match="Shape mismatch.*: 4 != 5"):
        T.dot(T.tensor(shape=(3, 4)), T.tensor(shape=(5, 6)))
    with pytest.raises(OpShapeError, match="axis 1 of x has length 3"):
        T.tensordot(T.tensor(shape=(2, 3)), T.tensor(shape=(4, 2)), [[1], [0]])


@pytest.mark.parametrize("product", (T.tensordot, T.batched_tensordot))
def test_products_over_two_axes_compare_each_length(product: Any) -> None:
    x, y = T.tensor3(), T.tensor3()
    f = tensordsl.function([x, y], product(x, y, [[1, 2], [1, 2]]))
    with pytest.raises(ValueError, match="axis 1 has length 3, not 2"):
        f(np.ones((5, 2, 3)), np.ones((5, 3, 2)))


def test_other_products() -> None:
    a, b = array((2, 3, 4)), array((4, 3, 5))
    x, y = variable(a), variable(b)
    check(T.tensordot(x, y, [[1, 2], [1, 0]]), np.tensordot(a, b, [[1, 2], [1, 0]]), {x: a, y: b})
    check(T.tensordot(x, y.dimshuffle(0, 1, 2), [[2], [0]]), np.tensordot(a, b, [[2], [0]]), {x: a, y: b})
    check(T.tensordot(x.T, x, 1), np.tensordot(a.T, a, 1), {x: a})
    v, w = array((3,)), array((4,))
    p, q = variable(v), variable(w)
    check(T.outer(p, q), np.outer(v, w), {p: v, q: w})


@pytest.mark.parametrize("m", ["bij", "bj", "b"])
@pytest.mark.parametrize("n", ["bjk", "bj", "b"])
def test_batched_dot(m: str, n: str) -> None:
    size = {"b": 2, "i": 3, "j": 4, "k": 5}
    a, b = (array(tuple(size[c] for c in s)) for s in (m, n))
    x, y = variable(a), variable(b)
    both = len(m) > 1 and len(n) > 1
    kept = [c for c in dict.fromkeys(m + n) if not (both and c == "j")]
    check(T.batched_dot(x, y), np.einsum(f"{m},{n}->{''.join(kept)}", a, b), {x: a, y: b})


# -- broadcasting ----------------------------------------------------------------------------------------------------
dims = st.lists(st.sampled_from([1, 2, 3]), max_size=3).map(tuple)


@given(dims, dims, st.data())
def test_static_broadcasting_is_numpys_where_lengths_are_known(
    m: tuple[int, ...], n: tuple[int, ...], data: Any
) -> None:
    x, y = T.tensor(shape=m), T.tensor(shape=n)
    try:
        want = np.broadcast_shapes(m, n)
    except ValueError:
        with pytest.raises(OpShapeError, match="do not broadcast"):
            x + y
        return
    assert (x + y).type.shape == want
    hidden = [data.draw(st.sampled_from([d, None])) if d != 1 else 1 for d in m]
    partly = (T.tensor(shape=hidden) + y).type.shape
    assert all(known is None or known == length for known, length in zip(partly, want, strict=True))
    check(x * y, np.ones(m) * np.ones(n), {x: np.ones(m), y: np.ones(n)})


def test_nnet_functions() -> None:
    a = array((3, 4))
    x = variable(a)
    e = np.exp(a)
    check(T.nnet.softmax(x), e / e.sum(1, keepdims=True), {x: a})
    check(T.nnet.softmax(x, axis=0), e / e.sum(0), {x: a})
    check(T.nnet.logsoftmax(x, axis=-1), np.log(e / e.sum(1, keepdims=True)), {x: a})
    v = T.vector()
    check(T.nnet.softmax(v), np.full((1, 2), 0.5), {v: [1e4, 1e4]})
    check(T.nnet.relu(x), np.maximum(a, 0), {x: a})
    check(T.nnet.relu(x, 0.1), np.where(a > 0, a, 0.1 * a), {x: a})
    check(T.nnet.elu(x), np.where(a > 0, a, np.expm1(a)), {x: a})
    check(T.nnet.hard_sigmoid(x), np.clip(a * 0.2 + 0.5, 0, 1), {x: a})
    y = T.lvector()
    p = e / e.sum(1, keepdims=True)
    loss = T.nnet.categorical_crossentropy(T.nnet.softmax(x), y)
    check(loss, -np.log(p[[0, 1, 2], [1, 0, 3]]), {x: a, y: [1, 0, 3]})
    check(T.nnet.categorical_crossentropy(x, x), -(abs(a) * np.log(abs(a))).sum(1), {x: abs(a)})
    t = np.full_like(a, 0.3)
    s = 1 / (1 + np.exp(-a))
    want = -(t * np.log(s) + (1 - t) * np.log(1 - s))
    check(T.nnet.binary_crossentropy(T.nnet.sigmoid(x), t), want, {x: a})
    check(T.nnet.binary_crossentropy(x, t), want, {x: s})
    check(T.extra_ops.to_one_hot(y, 4), np.eye(4)[[1, 0, 3]], {y: [1, 0, 3]})
    with pytest.raises(OpTypeError, match="name the axis"):
        T.nnet.softmax(T.tensor3())


def test_stable_losses_do_not_overflow() -> None:
    x, y = T.matrix(), T.lvector()
    loss = T.nnet.categorical_crossentropy(T.nnet.softmax(x), y)
    check(loss, np.array([2e3]), {x: [[1e3, -1e3]], y: [1]})
    check(T.nnet.binary_crossentropy(T.nnet.sigmoid(x), 1.0), np.array([[1e3]]), {x: [[-1e3]]})
