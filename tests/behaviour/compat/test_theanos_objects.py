"""Theano's and PyTensor's objects at their places: types that mark gradients, casts, states of generators, walks."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import tensordsl
import tensordsl.tensor as T
from tensordsl import Apply, In, Op, function
from tensordsl.gradient import DisconnectedType, NullType, grad_undefined, jacobian
from tensordsl.tensor import raw_random
from tensordsl.tensor.shared_randomstreams import RandomStreams


# -- ops without perform -----------------------------------------------------------------------------------------------
class Tripled(Op):
    """Only its gradient can be used."""

    __props__ = ()

    def make_node(self, x: Any) -> Any:
        x = T.as_tensor_variable(x)
        return Apply(self, [x], [x.type()])

    def grad(self, inputs: Any, output_gradients: Any) -> Any:
        return [output_gradients[0] * 3 * inputs[0]]

    def R_op(self, inputs: Any, eval_points: Any) -> Any:
        return [eval_points[0] * 3 * inputs[0]]


class Unconnected(Tripled):
    def connection_pattern(self, node: Any) -> Any:
        return [[False]]


def test_an_op_without_perform_has_its_gradient() -> None:
    x, g = T.vector("x"), T.vector("g")
    y = Tripled()(x)
    f = function([x, g], [T.grad(None, x, known_grads={y: g}), tensordsl.Lop(y, x, g)])
    assert [part.tolist() for part in f([1, 2], [1, 10])] == [[3, 60], [3, 60]]
    with pytest.raises(tensordsl.gradient.DisconnectedInputError):
        T.grad(Unconnected()(x).sum(), x)


class Pair(Op):
    """x and 2 y."""

    __props__ = ()

    def make_node(self, x: Any, y: Any) -> Any:
        return Apply(self, [x, y], [x.type(), y.type()])

    def perform(self, node: Any, inputs: Any, output_storage: Any) -> None:
        output_storage[0][0], output_storage[1][0] = inputs[0], inputs[1] * 2

    def grad(self, inputs: Any, output_gradients: Any) -> Any:
        zeros = [T.zeros_like(x) for x in inputs]
        return [
            zero if isinstance(g.type, DisconnectedType) else g * (1 + k)
            for k, (g, zero) in enumerate(zip(output_gradients, zeros, strict=True))
        ]

    def connection_pattern(self, node: Any) -> Any:
        return [[True, False], [False, True]]


def test_the_connection_pattern_of_an_op() -> None:
    x, y = T.vectors("x", "y")
    one, two = Pair()(x, y)
    assert T.grad(one.sum(), x).eval({x: [1, 2], y: [1, 2]}).tolist() == [1, 1]
    assert T.grad(two.sum(), y).eval({x: [1, 2], y: [1, 2]}).tolist() == [2, 2]
    for output, wrt in ((one, y), (two, x)):
        with pytest.raises(tensordsl.gradient.DisconnectedInputError):
            T.grad(output.sum(), wrt)
    assert tensordsl.gradient.io_connection_pattern([x, y], [one, two]) == [[True, False], [False, True]]

    class Wrong(Pair):
        def connection_pattern(self, node: Any) -> Any:
            return [[True]]

    with pytest.raises(ValueError, match="connection_pattern must give"):
        T.grad(Wrong()(x, y)[0].sum(), x)


def test_an_op_without_perform_cannot_be_computed() -> None:
    x = T.vector("x")
    with pytest.raises(NotImplementedError, match="Tripled: define perform"):
        function([x], Tripled()(x))([1.0])


# -- types that mark gradients -----------------------------------------------------------------------------------------
def test_null_and_disconnected_types() -> None:
    from tensordsl.gof.null_type import NullType as SameType
    from tensordsl.gof.null_type import null_type

    assert SameType is NullType
    assert NullType() == NullType("another reason") == null_type
    assert hash(NullType("a")) == hash(null_type)
    assert NullType("why").why_null == "why"
    assert [str(NullType()), str(DisconnectedType())] == ["NullType", "DisconnectedType"]
    assert NullType() != DisconnectedType()
    for kind in (NullType(), DisconnectedType()):
        with pytest.raises(ValueError, match="no values"):
            kind.filter(3)
        with pytest.raises(ValueError, match="no values"):
            kind.values_eq(1, 1)
        assert not kind.is_valid_value(3)
        v = kind("name")
        assert (v.name, v.type) == ("name", kind)
        assert kind.filter_variable(v) is v
        with pytest.raises(TypeError):
            kind.filter_variable(T.scalar())
        with pytest.raises(TypeError):
            v + 1
    assert isinstance(grad_undefined(Tripled(), 0, T.scalar()).type, NullType)


def test_connection_patterns() -> None:
    from tensordsl.gof.graph import io_connection_pattern

    x, s, i = T.vector("x"), T.scalar("s"), T.lscalar("i")
    assert (x * s).owner.op.connection_pattern((x * s).owner) in ([[True], [True]], [[True], [True], [True]])
    cut = tensordsl.gradient.disconnected_grad(s)
    assert cut.owner.op.connection_pattern(cut.owner) == [[False]]
    pattern = io_connection_pattern([x, s, i], [x * s, cut, tensordsl.gradient.zero_grad(s), x[i], x.shape])
    assert pattern == [
        [True, False, False, True, False], [True, False, True, False, False], [False, False, False, False, False],
    ]  # fmt: skip


# -- casts and variables -----------------------------------------------------------------------------------------------
def test_casts_by_name() -> None:
    from tensordsl.tensor import basic

    x = T.vector("x")
    for dtype, convert in basic._cast_mapping.items():
        assert getattr(basic, f"_convert_to_{dtype}") is convert
        assert convert(x).type.dtype == dtype
    assert basic._convert_to_int32(x).eval({x: [1.7, -1.7]}).tolist() == [1, -1]


def test_as_tensor_variable_with_a_dtype() -> None:
    made = T.as_tensor_variable([1, 2], dtype="float32")
    assert (made.type.dtype, made.data.tolist()) == ("float32", [1, 2])
    assert T.as_tensor_variable(3, dtype="floatX").type.dtype == tensordsl.config.floatX
    x = T.vector("x")
    assert T.as_tensor_variable(x, dtype="float64") is x
    assert T.as_tensor_variable([x[0], x[1]], dtype="float64").type.ndim == 1
    assert T.as_tensor_variable([], dtype="int8").type.dtype == "int8"
    for wrong in (x, [x[0], x[1]]):
        with pytest.raises(TypeError, match="T.cast"):
            T.as_tensor_variable(wrong, dtype="float32")
    with pytest.raises(TypeError):
        T.as_tensor_variable([1], dtype="no dtype")


def test_tensor_type_by_keywords() -> None:
    assert T.TensorType(dtype="float32", shape=(None, 1)).broadcastable == (False, True)
    assert T.TensorType(dtype="float32", shape=()).ndim == 0
    assert T.dvector.filter_checks_isfinite is False


# -- derivatives -------------------------------------------------------------------------------------------------------
def test_jacobian_all_rows_at_once() -> None:
    x, m = T.vector("x"), T.matrix("m")
    a, b = np.array([1.0, 2.0, 3.0]), np.arange(6.0).reshape(2, 3) / 7
    for expression in (T.tanh(T.dot(m, x)), x**2, T.cumsum(x), x.sum() * x, T.dot(m, m.T)[0], T.nnet.softmax(m)[1]):
        wrt = [v for v in (x, m) if v in tensordsl.gof.graph.inputs([expression])]
        one = function([x, m], jacobian(expression, wrt), on_unused_input="ignore")(a, b)
        all_ = function([x, m], jacobian(expression, wrt, vectorize=True), on_unused_input="ignore")(a, b)
        for got, want in zip(all_, one, strict=True):
            assert got.shape == want.shape
            np.testing.assert_allclose(got, want, rtol=1e-12, atol=1e-12)
    assert jacobian(x**2, x, vectorize=True).eval({x: []}).shape == (0, 0)
    assert jacobian((x**2).sum(), x, vectorize=True).eval({x: a}).tolist() == [2, 4, 6]
    loose = jacobian(x, m, disconnected_inputs="ignore", vectorize=True)
    assert function([x, m], loose)(a, b).shape == (3, 2, 3)
    with pytest.raises(TypeError):
        jacobian(x, x, vectorize="yes")


def test_pullback_and_pushforward() -> None:
    from tensordsl.gradient import pullback, pushforward

    x, y, v = T.vector("x"), T.vector("y"), T.vector("v")
    for name, keywords in (("cotangents", {}), ("tangents", {"use_op_pushforward": True})):
        product = pullback if name == "cotangents" else pushforward
        assert product(x**2, x, **{name: v}, **keywords).eval({x: [1, 2], v: [1, 10]}).tolist() == [2, 40]
    assert pullback(x, y, v, disconnected_inputs="ignore", return_disconnected="none") is None
    assert pushforward(x, y, v, disconnected_outputs="ignore", return_disconnected="none") is None
    with pytest.raises(ValueError, match="return_disconnected"):
        pullback(x, x, v, return_disconnected="no")


def test_pytensors_places() -> None:
    from tensordsl.graph.basic import equal_computations
    from tensordsl.graph.replace import vectorize_graph

    x, xs, y = T.vector("x"), T.matrix("xs"), T.vector("y")
    assert vectorize_graph(x.sum(), {x: xs}).eval({xs: [[1, 2], [3, 4]]}).tolist() == [3, 7]
    assert equal_computations([x + 1], [x + 1])
    assert equal_computations([x + 1, 2.0], [y + 1, 2.0], [x], [y])
    assert not equal_computations([x + 1], [x + 2])
    assert not equal_computations([x + 1], [])


# -- generators --------------------------------------------------------------------------------------------------------
def test_the_states_of_streams_by_their_variables() -> None:
    streams, others = RandomStreams(1), RandomStreams(2)
    x, y = streams.uniform((2,)), others.uniform((2,))
    f, g = function([], x), function([], y)
    f()
    others[y.rng] = streams[x.rng]
    assert (f() == g()).all()
    assert (f() == g()).all()
    streams[x.rng] = np.random.RandomState(3)
    others[y.rng] = np.random.RandomState(3)
    assert (f() == g()).all()
    with pytest.raises(KeyError, match=r"x\.rng"):
        streams[y.rng]
    with pytest.raises(TypeError):
        streams[x.rng] = 7
    assert streams.default_instance_seed == 1
    assert streams.gen_seedgen.randint(2**30) == np.random.RandomState(1).randint(2**30)
    assert streams.gen_seedgen is streams.gen_seedgen


def test_numpys_random_state_as_an_input() -> None:
    r = raw_random.random_state_type("r")
    after, draw = raw_random.uniform(r, (2, 2))
    f = function([r], [after, draw])
    state = np.random.RandomState(3)
    before = state.get_state()[1].copy()
    first, one = f(state)
    assert (state.get_state()[1] == before).all()
    assert (f(np.random.RandomState(3))[1] == one).all()
    assert not (f(first)[1] == one).any()
    state.uniform()
    assert not (f(state)[1] == one).any()
    held = function([In(r, value=np.random.RandomState(3), update=after)], draw)
    assert (held() == one).all()
    assert not (held() == one).any()
    with pytest.raises(TypeError):
        f(3)
    assert raw_random.random_state_type == raw_random.RandomStateType()
    assert raw_random.random_state_type.is_valid_value(state)
    assert not raw_random.random_state_type.is_valid_value(3)


def test_random_functions() -> None:
    r = raw_random.random_state_type("r")
    uniform = raw_random.RandomFunction("uniform", T.dvector)
    after, draw = uniform(r, (50,), 2.0, 4.0)
    numbers = function([r], [after, draw])(np.random.RandomState(3))[1]
    assert ((numbers > 2) & (numbers < 4)).all()
    assert str(uniform) == "RandomFunction{uniform}"
    fixed = raw_random.RandomFunction("uniform", T.dvector, -2.0, -1.0)(r, (5,))[1]
    assert (fixed.eval({r: raw_random.seeded_state(3)}) < -1).all()
    counts = raw_random.RandomFunction("random_integers", T.lvector)(r, (99,), 1, 3)[1]
    assert set(counts.eval({r: raw_random.seeded_state(3)}).tolist()) == {1, 2, 3}
    streams = RandomStreams(3)
    f = function([], [streams.gen(uniform, (3,), 0.0, 1.0), streams.gen(raw_random.normal, (2,))])
    assert [part.shape for part in f()] == [(3,), (2,)]
    assert not (f()[0] == f()[0]).any()
    with pytest.raises(ValueError, match="ndim"):
        uniform(r, (2, 3))
    with pytest.raises(ValueError, match="no distribution"):
        raw_random.RandomFunction("nonsense", T.dvector)
    with pytest.raises(NotImplementedError, match="name of a distribution"):
        raw_random.RandomFunction(lambda state, size: state.uniform(size=size), T.dvector)


def test_the_seed_of_tests() -> None:
    assert tensordsl.config.unittests.rseed == "666"
    tensordsl.config.unittests.rseed = "3"
    try:
        assert tensordsl.config.unittests.rseed == "3"
    finally:
        tensordsl.config.unittests.rseed = "666"
