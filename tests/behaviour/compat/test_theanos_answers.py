"""What Theano answers where programs ask for it: updates of inputs, sizes, shapes, replacements of another rank."""

from __future__ import annotations

import itertools
import pickle
from typing import Any

import numpy as np
import pytest

import tensordsl
import tensordsl.tensor as T
from tensordsl import In, function

RNG = np.random.RandomState(5)


# -- inputs with a state -----------------------------------------------------------------------------------------------
@pytest.mark.parametrize(("kind", "update"), [("float32", "float64"), ("float64", "int64"), ("int8", "int64")])
def test_an_update_of_another_dtype_is_a_type_error(kind: str, update: str) -> None:
    x, y = T.scalar("x", kind), T.scalar("y", update)
    with pytest.raises(TypeError, match="same type"):
        function([In(x, value=1, update=y), y], x)
    with pytest.raises(TypeError, match="same type"):
        function([In(x, value=1, update=y), y], x, rebuild_strict=False)


def test_an_update_of_another_rank_is_a_type_error() -> None:
    x, y = T.scalar("x"), T.vector("y")
    with pytest.raises(TypeError, match="rank 0"):
        function([In(x, value=1.0, update=y), y], x)


# -- sizes of draws ----------------------------------------------------------------------------------------------------
DRAWS = {
    "uniform": {}, "normal": {}, "binomial": {}, "random_integers": {}, "poisson": {}, "multinomial": {},
    "choice": {"a": 3}, "permutation": {"n": 3}, "gamma": {"shape": 2.0},
}  # fmt: skip


@pytest.mark.parametrize("name", DRAWS)
def test_a_size_whose_length_is_not_ndim_is_a_value_error(name: str) -> None:
    draw = getattr(tensordsl.random.RandomStreams(3), name)
    for size, ndim in [((2,), 2), ((2, 3), 1), (4, 2), (T.matrix().shape, 1)]:
        with pytest.raises(ValueError, match="ndim"):
            draw(size=size, ndim=ndim, **DRAWS[name])
    size = T.lvector("size")
    f = function([size], draw(size=size, ndim=2, **DRAWS[name]))
    assert f([2, 3]).shape[:2] == (2, 3)
    for wrong in ([2], [2, 3, 4], []):
        with pytest.raises(ValueError, match="another length"):
            f(wrong)


def test_a_size_of_no_axes_cannot_hold_parameters_that_have_some() -> None:
    streams = tensordsl.random.RandomStreams(3)
    assert function([], streams.normal(size=()))().shape == ()
    with pytest.raises(ValueError, match="axes for draws"):
        streams.normal(size=(), avg=np.zeros((2, 2)))


# -- shapes ------------------------------------------------------------------------------------------------------------
def test_lengths_of_broadcast_axes_are_constants() -> None:
    x, m = T.vector("x"), T.matrix("m")
    one = x.dimshuffle(0, "x").shape[1]
    assert T.get_scalar_constant_value(one) == 1
    assert T.zeros((3, one)).broadcastable == (False, True)
    assert T.alloc(1.0, x.shape[0], one).broadcastable == (False, True)
    assert x.reshape((x.shape[0], one)).broadcastable == (False, True)
    f = function([x, m], [x[one], m[one:], m.shape[one], T.constant([1, 2, 3])[one]])
    first, rows, length, second = f([4.0, 5.0], [[1.0, 2.0], [3.0, 4.0]])
    assert (first, length, second, rows.tolist()) == (5.0, 2, 2, [[3.0, 4.0]])


SHAPES = {
    "shape": (lambda s: s.shape, []), "sum": (lambda s: s.shape.sum(), 0), "size": (lambda s: s.size, 1),
    "shape of a result": (lambda s: T.shape(s * 2), []), "padded": (lambda s: T.shape_padleft(s).shape, [1]),
    "zeros_like": (T.zeros_like, 0.0), "gradient": (lambda s: T.grad(s * 2, s), 2.0),
    "prod": (lambda s: s.shape.prod(), 1), "concatenated": (lambda s: T.concatenate([s.shape, [3]]), [3]),
}  # fmt: skip


@pytest.mark.parametrize("name", SHAPES)
def test_a_scalar_of_which_only_the_shape_is_used_is_used(name: str) -> None:
    build, expected = SHAPES[name]
    s = T.scalar("s")
    result = function([s], build(s), on_unused_input="raise")(3.0)
    assert result.tolist() == expected
    z = T.zscalar("z")
    if name != "gradient":
        assert function([z], build(z), on_unused_input="raise")(3j).tolist() == expected


# -- replacements of another rank --------------------------------------------------------------------------------------
VALUE = np.array([[1.0, 4.0], [3.0, 2.0]])
OF_ANY_RANK: dict[str, tuple[Any, Any]] = {  # an expression of a vector, and what it is for the matrix
    "x + 1": (lambda x: x + 1, VALUE + 1), "exp": (T.exp, np.exp(VALUE)), "add": (lambda x: x + np.ones(2), VALUE + 1),
    "sum": (lambda x: x.sum(), 10), "prod": (lambda x: x.prod(), 24), "any": (lambda x: (x > 9).any(), False),
    "sum of axis 0": (lambda x: x.sum(axis=0), [4, 6]), "max": (lambda x: x.max(), [3, 4]),
    "argmax": (lambda x: x.argmax(), [1, 0]), "row": (lambda x: x[0], [1, 4]), "slice": (lambda x: x[1:], [[3, 2]]),
    "reverse": (lambda x: x[::-1], VALUE[::-1]), "dot": (lambda x: T.dot(x, x), VALUE @ VALUE),
    "take": (lambda x: x[T.constant([1, 0])], VALUE[::-1]), "zeros_like": (lambda x: T.zeros_like(x) + 1, np.ones((2, 2))),
    "inc": (lambda x: T.inc_subtensor(x[0], 1.0), [[2, 5], [3, 2]]), "reshape": (lambda x: x.reshape((1, 4)), [[1, 4, 3, 2]]),
    "zero_grad": (tensordsl.gradient.zero_grad, VALUE), "norm": (lambda x: T.sqrt((x**2).sum()), np.sqrt(30)),
    "float sum": (lambda x: x.sum(dtype="float32", acc_dtype="float64"), 10),
}  # fmt: skip


@pytest.mark.parametrize("name", OF_ANY_RANK)
def test_givens_of_another_rank(name: str) -> None:
    build, expected = OF_ANY_RANK[name]
    x, m = T.vector("x"), T.matrix("m")
    f = function([m], build(x), givens={x: m * 1}, rebuild_strict=False)
    np.testing.assert_allclose(f(VALUE), expected)
    np.testing.assert_allclose(tensordsl.clone(build(x), {x: m}, strict=False).eval({m: VALUE}), expected)
    with pytest.raises(TypeError, match="givens"):
        function([m], build(x), givens={x: m * 1})


def test_givens_of_a_lower_rank() -> None:
    x, s = T.vector("x"), T.scalar("s")
    assert function([s], [x + 1, x.sum()], givens={x: s}, rebuild_strict=False)(2.0) == [3, 2]
    for build in (lambda x: x[0], lambda x: x.sum(axis=0), lambda x: x.max()):
        with pytest.raises(TypeError, match="cannot take"):
            function([s], build(x), givens={x: s}, rebuild_strict=False)


FIXED: dict[str, Any] = {
    "dimshuffle": lambda x: x.dimshuffle("x", 0), "outer": lambda x: T.outer(x, x), "stack": lambda x: T.stack([x, x]),
    "mean": lambda x: x.mean(), "shape": lambda x: x.shape, "cumsum": lambda x: T.cumsum(x), "var": T.var,
    "sort": lambda x: T.sort(x), "loop": lambda x: tensordsl.scan(lambda a: a * 2, x)[0],
}  # fmt: skip


@pytest.mark.parametrize("name", FIXED)
def test_axes_that_the_graph_has_fixed_refuse_another_rank(name: str) -> None:
    x, m = T.vector("x"), T.matrix("m")
    with pytest.raises(TypeError, match="cannot take"):
        function([m], FIXED[name](x), givens={x: m}, rebuild_strict=False)


def test_an_update_of_another_rank_by_givens_is_a_type_error() -> None:
    x, m = T.vector("x"), T.matrix("m")
    state = tensordsl.shared(np.zeros(2))
    with pytest.raises(TypeError, match="update"):
        function([m], [], updates={state: x * 1.0}, givens={x: m}, rebuild_strict=False)


# -- derivatives -------------------------------------------------------------------------------------------------------
def test_the_product_with_the_jacobian_of_zero_grad_is_zero() -> None:
    x, v, s = T.vector("x"), T.vector("v"), T.scalar("s")
    zero = tensordsl.gradient.zero_grad
    f = function([x, v], tensordsl.Rop(zero(x * 2), x, v), on_unused_input="ignore")
    assert f([1, 2], [3, 4]).tolist() == [0, 0]
    assert f([], []).tolist() == []
    both = tensordsl.Rop([zero(x) + x**2, zero(x).sum()], x, v)
    one, total = function([x, v], both)([1, 2], [3, 4])
    assert (one.tolist(), total) == ([6, 16], 0)
    assert tensordsl.Rop(zero(s), s, s).eval({s: 3}) == 0
    with pytest.raises(tensordsl.gradient.DisconnectedInputError):
        tensordsl.Rop(tensordsl.gradient.disconnected_grad(x), x, v)
    with pytest.raises(tensordsl.gradient.DisconnectedInputError):
        tensordsl.Rop(s * 2, x, v)


# -- short forms of inputs ---------------------------------------------------------------------------------------------
def test_inputs_as_nested_tuples() -> None:
    s, i = T.scalar("s"), T.lscalar("i")
    assert function([(s, 1.0)], s)() == 1
    assert function([[s, 1.0]], s)() == 1
    assert function([(s,)], s)(5) == 5
    assert function([("other", s, 1.0)], s)(other=2) == 2
    counter = function([((s, s + 1), 1.0)], s)
    assert [float(counter()) for _ in range(3)] == [1, 2, 3]
    named = function([("n", (s, s + i), 1.0), i], s)
    assert [float(named(i=2)), float(named(n=7.0, i=1)), float(named(i=0))] == [1, 7, 8]
    given = In(s, value=3.0)
    assert function([(given, 4.0)], s)() == 4
    assert given.value == 3.0, "what the program handed over has not changed"
    assert function([(s, tensordsl.shared(2.0))], s)() == 2


@pytest.mark.parametrize("wrong", [(), (1.0,), ("s",), "s", [[]]])
def test_inputs_that_are_none(wrong: Any) -> None:
    with pytest.raises(TypeError):
        function([wrong], T.constant(1.0))


def test_inputs_of_wrong_tuples() -> None:
    s, x = T.scalar("s"), T.vector("x")
    for wrong in [(s, 1.0, 2.0), ((s, s + 1),), (s, s + 1), (s, "name", 1.0), (In(s), 1.0, 2.0), ((In(s), s), 1.0)]:
        with pytest.raises(TypeError):
            function([wrong], s)
    with pytest.raises(TypeError, match="dimensions"):
        function([(x, 1.0)], x)


def test_function_dump(tmp_path: Any) -> None:
    x = T.vector("x")
    state = tensordsl.shared(1.0, name="state")
    path = tmp_path / "f.pkl"
    tensordsl.function_dump(
        str(path), [In(x, value=[1.0, 2.0])], {"y": x * state}, updates=[(state, state + 1)], name="f"
    )
    given = pickle.loads(path.read_bytes())
    assert given["name"] == "f"
    f = function(**given)
    assert [f()["y"].tolist(), f([3.0])["y"].tolist()] == [[1, 2], [6]]
    assert state.get_value() == 1.0
    with pytest.raises(TypeError):
        tensordsl.function_dump(str(path), [x], x, no_such_option=1)


def test_default() -> None:
    x = T.vector("x")
    assert function([x], T.default(x, x * 2))([1.0]).tolist() == [1]
    assert T.default(None, x) is x
    for wrong in (T.matrix(), T.ivector(), 1.0):
        with pytest.raises(TypeError, match="same type"):
            T.default(x, wrong)
    with pytest.raises(TypeError, match="In"):
        T.default(tensordsl.generic(), x)


def test_none_for_an_optional_integer() -> None:
    x = T.matrix("x")
    value = np.arange(4.0).reshape(2, 2)
    assert T.eye(2, None).eval().tolist() == np.eye(2, None).tolist()
    assert T.tri(2, None).eval().tolist() == np.tri(2, None).tolist()
    for flat in (T.flatten(x, None), T.flatten(x, ndim=None, outdim=None), x.flatten(None)):
        assert flat.eval({x: value}).tolist() == [0, 1, 2, 3]


# -- ops that programs make --------------------------------------------------------------------------------------------
@pytest.mark.parametrize("flags", list(itertools.product([False, True], repeat=3)))
@pytest.mark.parametrize("value", [[3.0, 1, 3, 1, 2], [], [np.nan, 1, np.nan]])
def test_unique_as_an_op(flags: tuple[bool, ...], value: Any) -> None:
    op = T.extra_ops.Unique(*flags)
    x = T.vector("x")
    made = op(x)
    assert isinstance(made, list) == any(flags)
    outputs = made if any(flags) else [made]
    expected = np.unique(np.array(value, float), *flags)
    for got, wanted in zip(function([x], outputs)(value), expected if any(flags) else (expected,), strict=True):
        np.testing.assert_array_equal(got, wanted)
    assert [v.type.dtype for v in outputs[1:]] == ["int64"] * sum(flags)


def test_an_op_has_its_parameters() -> None:
    op = T.extra_ops.Unique(True, return_counts=True)
    assert (op.return_index, op.return_inverse, op.return_counts, op.axis) == (True, False, True, None)
    assert op == T.extra_ops.Unique(return_index=True, return_counts=True)
    assert op != T.extra_ops.Unique()
    assert isinstance(op, T.extra_ops.Unique)
    assert str(op) == "Unique{return_index=True, return_inverse=False, return_counts=True, axis=None}"
    assert pickle.loads(pickle.dumps(op)) == op
    assert len({op, T.extra_ops.Unique(True, False, True)}) == 1
    assert T.extra_ops.CumOp(1, "mul").mode == "mul"
    with pytest.raises(AttributeError, match="Unique"):
        op.no_such_parameter  # noqa: B018


def test_fill_diagonal_of_three_axes() -> None:
    x, s = T.tensor3("x"), T.scalar("s")
    f = function([x, s], [T.fill_diagonal(x, s), *T.grad((T.fill_diagonal(x, s) * x).sum(), [x, s])])
    value = RNG.randn(3, 3, 3)
    filled, by_x, by_s = f(value, 7.0)
    expected = value.copy()
    np.fill_diagonal(expected, 7.0)
    np.testing.assert_array_equal(filled, expected)
    on = np.zeros((3, 3, 3))
    np.fill_diagonal(on, 1)
    np.testing.assert_allclose(by_x, np.where(on, 7.0, 2 * value))
    np.testing.assert_allclose(by_s, (on * value).sum())
    tensordsl.gradient.verify_grad(T.fill_diagonal, [value, np.array(2.0)])
    tangent = tensordsl.Rop(T.fill_diagonal(x, s), [x, s], [T.ones_like(x), T.constant(2.0)])
    np.testing.assert_allclose(tangent.eval({x: value, s: 1.0}), 1 + on)
    assert f(np.zeros((0, 0, 0)), 1.0)[0].shape == (0, 0, 0)
    for wrong in [(3, 2, 3), (3, 3, 2), (0, 1, 1)]:
        with pytest.raises(ValueError, match="one length"):
            f(np.zeros(wrong), 1.0)
    with pytest.raises(ValueError, match="one length"):
        T.fill_diagonal(T.tensor3(shape=(2, 3, 2)), 1.0)
    assert T.fill_diagonal(T.tensor4(), 1.0).type.ndim == 4


def test_fill_diagonal_offset() -> None:
    x, k = T.matrix("x"), T.lscalar("k")
    f = function([x, k], T.fill_diagonal_offset(x, 7.0, k))
    for shape in [(2, 3), (5, 2), (3, 3), (0, 2)]:
        for offset in range(-6, 7):
            expected = np.where(np.eye(*shape, k=offset), 7.0, 0.0)
            np.testing.assert_array_equal(f(np.zeros(shape), offset), expected)
    for wrong in (1.5, [1, 2]):
        with pytest.raises(TypeError, match="offset"):
            T.fill_diagonal_offset(x, 7.0, wrong)
    with pytest.raises(TypeError, match="matrix"):
        T.fill_diagonal_offset(T.tensor3(), 7.0, 0)


@pytest.mark.parametrize("axis", [0, 1, 2, -1, -2])
@pytest.mark.parametrize("name", ["linspace", "logspace", "geomspace"])
def test_spaces_along_an_axis(name: str, axis: int) -> None:
    start, stop, x, y = RNG.uniform(1, 2, (2, 3)), RNG.uniform(3, 4, 3), T.matrix("x"), T.vector("y")
    build, numpy = getattr(T, name), getattr(np, name)
    for endpoint in (True, False):
        got = function([x, y], build(x, y, 5, endpoint=endpoint, axis=axis))(start, stop)
        np.testing.assert_allclose(got, numpy(start, stop, 5, endpoint=endpoint, axis=axis), rtol=1e-12)
    with pytest.raises(ValueError, match="axis"):
        build(x, y, 5, axis=3)
    tensordsl.gradient.verify_grad(lambda a, b: build(a, b, 4, axis=axis), [start, stop])
    if name == "linspace":
        step = function([x, y], build(x, y, 5, retstep=True, axis=axis)[1])(start, stop)
        np.testing.assert_allclose(step, np.broadcast_to((stop - start) / 4, (2, 3)))
    assert function([x, y], build(x, y, 0, axis=axis))(start, stop).size == 0
