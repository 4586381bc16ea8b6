"""Operations that programs derive from `Op`, as Theano's documentation and old programs have them.

The expected numbers are NumPy's; each program gives the same in Theano 1.0.5.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import tensordsl as theano
import tensordsl.tensor as T
from tensordsl import gof

MODES = ["FAST_RUN", "REFERENCE", "DebugMode"]


class Double(theano.Op):
    """The first one of Theano's documentation."""

    __props__ = ()

    def make_node(self, x: Any) -> Any:
        x = T.as_tensor_variable(x)
        return theano.Apply(self, [x], [x.type()])

    def perform(self, node: Any, inputs: Any, output_storage: Any) -> None:
        x = inputs[0]
        z = output_storage[0]
        z[0] = x * 2

    def infer_shape(self, node: Any, i0_shapes: Any) -> Any:
        return i0_shapes

    def grad(self, inputs: Any, output_grads: Any) -> Any:
        return [output_grads[0] * 2]

    def R_op(self, inputs: Any, eval_points: Any) -> Any:
        return eval_points if eval_points[0] is None else self.grad(inputs, eval_points)


class DoubleOfMatrices(theano.Op):
    """Its types are given as lists; it says nothing of shapes."""

    __props__ = ()
    itypes = (T.dmatrix,)
    otypes = (T.dmatrix,)

    def perform(self, node: Any, inputs: Any, output_storage: Any) -> None:
        output_storage[0][0] = inputs[0] * 2


class AXPB(theano.Op):
    """With properties."""

    __props__ = ("a", "b")

    def __init__(self, a: float, b: float) -> None:
        self.a, self.b = a, b
        super().__init__()

    def make_node(self, x: Any) -> Any:
        x = T.as_tensor_variable(x)
        return gof.Apply(self, [x], [x.type()])

    def perform(self, node: Any, inputs: Any, output_storage: Any) -> None:
        output_storage[0][0] = self.a * inputs[0] + self.b

    def grad(self, inputs: Any, output_grads: Any) -> Any:
        return [self.a * output_grads[0]]


class LogLike(T.Op):
    """PyMC's black-box likelihood, whose gradient is an operation of its own."""

    itypes = (T.dvector,)
    otypes = (T.dscalar,)

    def __init__(self, loglike: Any, data: Any, x: Any, sigma: float) -> None:
        self.likelihood, self.data, self.x, self.sigma = loglike, data, x, sigma
        self.logpgrad = LogLikeGrad(loglike, data, x, sigma)

    def perform(self, node: Any, inputs: Any, outputs: Any) -> None:
        (theta,) = inputs
        outputs[0][0] = np.array(self.likelihood(theta, self.x, self.data, self.sigma))

    def grad(self, inputs: Any, g: Any) -> Any:
        (theta,) = inputs
        return [g[0] * self.logpgrad(theta)]


class LogLikeGrad(T.Op):
    itypes = (T.dvector,)
    otypes = (T.dvector,)

    def __init__(self, loglike: Any, data: Any, x: Any, sigma: float) -> None:
        self.likelihood, self.data, self.x, self.sigma = loglike, data, x, sigma

    def perform(self, node: Any, inputs: Any, outputs: Any) -> None:
        (theta,) = inputs
        found = np.zeros(len(theta))
        for k in range(len(theta)):
            up, down = theta.copy(), theta.copy()
            up[k] += 1e-6
            down[k] -= 1e-6
            found[k] = sum(s * self.likelihood(v, self.x, self.data, self.sigma) for s, v in ((1, up), (-1, down)))
        outputs[0][0] = found / 2e-6


class MinMax(theano.Op):
    """Two results."""

    __props__ = ()

    def make_node(self, x: Any) -> Any:
        x = T.as_tensor_variable(x)
        return theano.Apply(self, [x], [T.scalar(dtype=x.dtype), T.scalar(dtype=x.dtype)])

    def perform(self, node: Any, inp: Any, out: Any) -> None:
        out[0][0], out[1][0] = np.asarray(inp[0].min()), np.asarray(inp[0].max())

    def grad(self, inp: Any, gs: Any) -> Any:
        total = T.zeros_like(inp[0])
        for g, o in zip(gs, self(inp[0]), strict=True):
            if not isinstance(g.type, theano.gradient.DisconnectedType):
                total = total + g * T.eq(inp[0], o)
        return [total]


class AddOne(theano.Op):
    """Writes over its input where it may."""

    __props__ = ("inplace",)

    def __init__(self, inplace: bool = False) -> None:
        self.inplace = inplace
        if inplace:
            self.destroy_map = {0: [0]}

    def make_node(self, x: Any) -> Any:
        x = T.as_tensor_variable(x)
        return theano.Apply(self, [x], [x.type()])

    def perform(self, node: Any, inp: Any, out: Any) -> None:
        x = inp[0] if self.inplace else inp[0].copy()
        x += 1
        out[0][0] = x


class Lookup(theano.Op):
    """Rows of a table; the indices are disconnected."""

    __props__ = ()

    def make_node(self, table: Any, index: Any) -> Any:
        table, index = T.as_tensor_variable(table), T.as_tensor_variable(index)
        return theano.Apply(self, [table, index], [T.matrix(dtype=table.dtype)])

    def perform(self, node: Any, inp: Any, out: Any) -> None:
        out[0][0] = inp[0][inp[1]]

    def grad(self, inp: Any, g: Any) -> Any:
        table, index = inp
        return [T.inc_subtensor(T.zeros_like(table)[index], g[0]), theano.gradient.DisconnectedType()()]

    def connection_pattern(self, node: Any) -> list[list[bool]]:
        return [[True], [False]]


class Unique(theano.Op):
    """Lengths that nobody knows before."""

    __props__ = ()

    def make_node(self, x: Any) -> Any:
        x = T.as_tensor_variable(x)
        return theano.Apply(self, [x], [T.vector(dtype=x.dtype), T.lvector()])

    def perform(self, node: Any, inp: Any, out: Any) -> None:
        out[0][0], out[1][0] = np.unique(inp[0], return_counts=True)


class RealFFT(theano.Op):
    """A complex result, of a length that follows from the operand's."""

    __props__ = ()

    def make_node(self, x: Any) -> Any:
        return theano.Apply(self, [T.as_tensor_variable(x)], [T.zvector()])

    def perform(self, node: Any, inp: Any, out: Any) -> None:
        out[0][0] = np.fft.rfft(inp[0])

    def infer_shape(self, node: Any, shapes: Any) -> Any:
        return [(shapes[0][0] // 2 + 1,)]


class Counter(theano.Op):
    """With a side effect, and without properties: only itself is equal to it."""

    def __init__(self) -> None:
        self.calls = 0

    def make_node(self, x: Any) -> Any:
        x = T.as_tensor_variable(x)
        return theano.Apply(self, [x], [x.type()])

    def perform(self, node: Any, inp: Any, out: Any) -> None:
        self.calls += 1
        out[0][0] = inp[0] + self.calls


def test_the_documentations_first_operation() -> None:
    for mode in MODES:
        v = T.vector("v")
        found = theano.function([v], [Double()(v), T.grad(Double()(v**2).sum(), v)], mode=mode)([1, 2])
        assert [r.tolist() for r in found] == [[2, 4], [4, 8]]
    assert theano.function([v], T.Rop(Double()(v**2), v, v))([1, 2]).tolist() == [4, 16]
    assert Double() == Double() and hash(Double()) == hash(Double()) and str(Double()) == "Double"
    T.verify_grad(Double(), [np.array([[1.0, 2.0]])], rng=np.random.default_rng(0))


def test_types_as_lists() -> None:
    m = T.dmatrix("m")
    assert theano.function([m], DoubleOfMatrices()(m))(np.ones((2, 3))).tolist() == [[2, 2, 2]] * 2
    with pytest.raises(TypeError, match=r"wants inputs of types \(TensorType\(float64, matrix\)\), got"):
        DoubleOfMatrices()(T.fmatrix())
    with pytest.raises(ValueError, match="wants 1 inputs, got 2"):
        DoubleOfMatrices()(m, m)


@pytest.mark.parametrize("mode", MODES)
def test_properties(mode: str) -> None:
    v = T.vector("v")
    assert str(AXPB(4, 1)) == "AXPB{a=4, b=1}" and AXPB(4, 1) == AXPB(4, 1) and AXPB(4, 1) != AXPB(4, 2)
    f = theano.function([v], [AXPB(4, 1)(v), T.grad(AXPB(3, 0)(v).sum(), v)], mode=mode)
    assert [r.tolist() for r in f([1, 2])] == [[5, 9], [3, 3]]


def test_a_black_box_likelihood() -> None:
    x = np.linspace(0, 9, 10)
    data = 0.4 * x + 3 + np.sin(x)

    def loglike(theta: Any, x: Any, data: Any, sigma: float) -> Any:
        return -(0.5 / sigma**2) * np.sum((data - (theta[0] * x + theta[1])) ** 2)

    logl = LogLike(loglike, data, x, 1.0)
    m, c = T.dscalars("m", "c")
    cost = logl(T.as_tensor_variable([m, c])) - m**2 - c**2
    value, dm, dc = theano.function([m, c], [cost, *T.grad(cost, [m, c])])(0.5, 2.5)
    rest = data - (0.5 * x + 2.5)
    assert np.isclose(value, -0.5 * (rest**2).sum() - 0.25 - 6.25)
    assert np.allclose([dm, dc], [(rest * x).sum() - 1, rest.sum() - 5], atol=1e-4)


@pytest.mark.parametrize("mode", MODES)
def test_two_results(mode: str) -> None:
    v = T.vector("v")
    low, high = MinMax()(v)
    wanted = [low, high, T.grad(high, v), T.grad(low + 2 * high, v)]
    found = [r.tolist() for r in theano.function([v], wanted, mode=mode)([3, 1, 2])]
    assert found == [1, 3, [1, 0, 0], [2, 1, 0]]
    assert theano.function([v], high, mode=mode)([3, 1, 2]) == 3


@pytest.mark.parametrize("inplace", [True, False])
def test_writing_over_the_input(inplace: bool) -> None:
    v, given = T.vector("v"), np.array([1.0, 2.0])
    f = theano.function([v], [AddOne(inplace)(v), v * 2], mode="DebugMode")
    assert [r.tolist() for r in f(given)] == [[2, 3], [2, 4]] and given.tolist() == [1, 2]
    f = theano.function([v], [AddOne(inplace)(v), v * 2])
    assert [r.tolist() for r in f(given)] == [[2, 3], [2, 4]] and given.tolist() == [1, 2]


@pytest.mark.parametrize("mode", MODES)
def test_disconnected_inputs(mode: str) -> None:
    table, index = T.matrix("table"), T.lvector("index")
    out = Lookup()(table, index)
    f = theano.function([table, index], [out, out.shape, T.grad((out**2).sum(), table)], mode=mode)
    rows, shape, slope = f(np.arange(6.0).reshape(3, 2), np.array([2, 0, 2]))
    assert rows.tolist() == [[4, 5], [0, 1], [4, 5]] and shape.tolist() == [3, 2]
    assert slope.tolist() == [[0, 2], [0, 0], [16, 20]]


@pytest.mark.parametrize("mode", MODES)
def test_lengths_that_only_the_call_tells(mode: str) -> None:
    v = T.vector("v")
    values, counts = Unique()(v)
    wanted = [values * 2, counts, values.shape[0], (values * counts).sum(), values[::-1]]
    found = [r.tolist() for r in theano.function([v], wanted, mode=mode)([3, 1, 3, 2])]
    assert found == [[2, 4, 6], [1, 1, 2], 3, 9, [3, 2, 1]]
    for out in (values, counts, values.shape[0], counts.sum()):  # of which the program uses only a part
        f = theano.function([v], out, mode=mode)
        assert f([5, 5]).tolist() in ([5], [2], 1, 2) and f([]).size in (0, 1)


def test_lengths_that_must_agree() -> None:
    v = T.vector("v")
    f = theano.function([v], Unique()(v)[0] + v)
    assert f([1, 2]).tolist() == [2, 4]
    with pytest.raises(ValueError, match="3"):
        f([3, 1, 3])


@pytest.mark.parametrize("mode", MODES)
def test_complex_results(mode: str) -> None:
    v = T.vector("v")
    z = RealFFT()(v)
    real, imag, n = theano.function([v], [T.real(z), T.imag(z), z.shape[0]], mode=mode)([1, 2, 0, 4])
    assert np.allclose(real + 1j * imag, np.fft.rfft([1, 2, 0, 4])) and n == 3


def test_equal_applications_are_one_call() -> None:
    v, op = T.vector("v"), Counter()
    f = theano.function([v], [op(v), op(v) * 2, Counter()(v)])
    assert [r.tolist() for r in f([1])] == [[2], [4], [2]]
    assert [r.tolist() for r in f([1])] == [[3], [6], [3]] and op.calls == 2


@pytest.mark.parametrize("knows", [True, False])
def test_in_a_branch_only_where_it_is_taken(knows: bool) -> None:
    class Lazy(Counter):
        def infer_shape(self, node: Any, shapes: Any) -> Any:
            if not knows:
                raise NotImplementedError
            return shapes

    b, v, op, other = T.scalar("b"), T.vector("v"), Lazy(), Lazy()
    choose = theano.ifelse.ifelse
    f = theano.function([b, v], choose(T.gt(b, 0), op(v), v * 3))
    assert [f(x, [1]).tolist() for x in (1, -1, 1)] == [[2], [3], [3]] and op.calls == 2
    g = theano.function([b, v], choose(T.gt(b, 0), v * 3, op(v) + 1) * 2)
    assert [g(x, [1]).tolist() for x in (1, -1)] == [[6], [10]] and op.calls == 3
    h = theano.function([b, v], choose(T.gt(b, 0), choose(T.gt(b, 1), op(v), other(v)), v[1:]))
    assert [h(x, [1, 2]).tolist() for x in (-1, 2, 1)] == [[2], [5, 6], [2, 3]]
    assert (op.calls, other.calls) == (4, 1)
    both = theano.function([b, v], choose(T.gt(b, 0), op(v), op(v) * 2))
    calls = op.calls
    both(1, [1])
    assert op.calls == calls + 1


def test_in_a_branch_beside_others() -> None:
    b, v = T.scalar("b"), T.vector("v")
    values, counts = Unique()(v)
    f = theano.function([b, v], [theano.ifelse.ifelse(T.gt(b, 0), values * 2, v), counts])
    assert [r.tolist() for r in f(1, [3, 3])] == [[6], [2]] and [r.tolist() for r in f(-1, [3, 3])] == [[3, 3], [2]]
    fails = Unique()(theano.callback(_refuse, T.dvector, v))[0]
    g = theano.function([b, v], theano.ifelse.ifelse(T.gt(b, 0), fails, v))
    assert g(-1, [1, 2]).tolist() == [1, 2]
    with pytest.raises(RuntimeError, match="called"):
        g(1, [1, 2])


def _refuse(x: Any) -> Any:
    raise RuntimeError("called")


def test_in_a_loop() -> None:
    v = T.vector("v")
    outs, _ = theano.scan(lambda s, acc: Double()(s) + acc, sequences=v, outputs_info=T.constant(np.float64(0)))
    found = theano.function([v], [outs, T.grad(outs[-1], v)])([1, 2, 3])
    assert [r.tolist() for r in found] == [[2, 6, 12], [2, 2, 2]]
    lengths, _ = theano.scan(lambda s: Unique()(T.minimum(v, s))[0].sum(), sequences=v)
    assert theano.function([v], lengths)([1, 3, 2, 3]).tolist() == [1, 6, 3, 6]


def test_pytensors_spellings() -> None:
    class Square(theano.Op):
        __props__ = ()

        def make_node(self, x: Any) -> Any:
            return theano.Apply(self, [x], [x.type()])

        def perform(self, node: Any, inputs: Any, output_storage: Any) -> None:
            output_storage[0][0] = np.square(inputs[0])

        def infer_shape(self, fgraph: Any, node: Any, shapes: Any) -> Any:
            return shapes

        def pullback(self, inputs: Any, outputs: Any, cotangents: Any) -> Any:
            return [2 * inputs[0] * cotangents[0]]

        def pushforward(self, inputs: Any, outputs: Any, tangents: Any) -> Any:
            return [1000 * inputs[0] * tangents[0]]

    v = T.vector("v")
    out = Square()(v, name="squared")
    assert out.name == "squared"
    found = theano.function([v], [T.grad(out.sum(), v), T.Rop(out, v, T.ones_like(v))])([1, 3])
    assert [r.tolist() for r in found] == [[2, 6], [1000, 3000]]


def test_how_a_call_gives_results() -> None:
    class Pair(MinMax):
        default_output = 1

    v = T.vector("v")
    assert Pair()(v).owner.outputs[1] is Pair()(v).owner.outputs[1] or Pair()(v).index == 1
    assert [o.index for o in Pair()(v, return_list=True)] == [1]
    assert isinstance(MinMax()(v), list) and isinstance(Double()(v, return_list=True), list)
    assert [o.name for o in MinMax()(v, name="m")] == ["m_0", "m_1"]


def test_rows_and_applications_count_as_ops_and_applies() -> None:
    v = T.vector("v")
    own, ours = Double()(v), v + 1
    for out in (own, ours):
        assert isinstance(out.owner.op, theano.Op) and isinstance(out.owner, theano.Apply)
        assert isinstance(out.owner.op, gof.Op) and isinstance(out.owner, gof.graph.Apply)
    assert own.owner.op == Double() and own.owner.inputs[0] is v and own.owner.outputs[0] is own
    assert not isinstance(own.owner.op, T.Elemwise) and isinstance(own.owner.op, Double)


def test_operations_that_cannot_be_hashed() -> None:
    class Odd(Double):
        def __eq__(self, other: object) -> bool:
            return type(self) is type(other)

    class WithArray(AXPB):
        pass

    v = T.vector("v")
    assert theano.function([v], Odd()(v) + Odd()(v))([1, 2]).tolist() == [4, 8]
    a = WithArray(np.array([1.0, 2.0]), 0)
    assert theano.function([v], a(v) + a(v))([1, 2]).tolist() == [2, 8]


def test_undefined_gradients() -> None:
    class Undefined(Double):
        def grad(self, inputs: Any, output_grads: Any) -> Any:
            return [theano.gradient.grad_undefined(self, 0, inputs[0], "no slope")]

    v = T.vector("v")
    with pytest.raises(theano.gradient.NullTypeGradError, match="no slope"):
        T.grad(Undefined()(v).sum(), v)


class CodeAlone(theano.Op):
    def make_node(self, x: Any) -> Any:
        return theano.Apply(self, [x], [x.type()])

    def c_code(self, *_: Any) -> str:
        return "return 0;"


class WithParameters(Double):
    params_type = object()


class ReturnsNothing(theano.Op):
    def make_node(self, x: Any) -> Any:
        return None


@pytest.mark.parametrize(
    "make, error, words",
    [
        (lambda v: CodeAlone()(v), NotImplementedError, "CodeAlone: it has C code alone, which is not compiled; define perform"),
        (lambda v: WithParameters()(v), NotImplementedError, "params_type is not supported"),
        (lambda v: theano.Op()(v), NotImplementedError, "define make_node, or itypes and otypes"),
        (lambda v: ReturnsNothing()(v), TypeError, "make_node must return an Apply, got None"),
        (lambda v: theano.Apply(Double(), [1], [v.type()]), TypeError, "must be tensor variables, got 1"),
        (lambda v: theano.Apply(Double(), [v], [v + 1]), ValueError, "belongs to another application already"),
        (lambda v: theano.Apply(Double(), [v], []), ValueError, "needs an output"),
        (lambda v: theano.Apply((v + 1).owner.op, [v], [v.type()]), TypeError, "is an operation of the library"),
        (lambda v: theano.Apply(None, [v], [v.type()]), TypeError, "must be an Op, got None"),
    ],
)  # fmt: skip
def test_what_is_refused(make: Any, error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        make(T.vector("v"))


def test_without_a_gradient() -> None:
    v = T.vector("v")
    with pytest.raises(theano.gradient.NullTypeGradError, match="Unique has no gradient: its class has neither grad"):
        T.grad(Unique()(v)[0].sum(), v)


@pytest.mark.parametrize(
    "found, words",
    [
        (lambda x, g: g[0], "its gradient must be a list of 1, one per input"),
        (lambda x, g: [g[0], g[0]], "a list of 1, one per input, got 2"),
        (lambda x, g: [g[0].sum()], "its gradient for input 0 has 0 axes, the input 1"),
    ],
)
def test_wrong_gradients(found: Any, words: str) -> None:
    class Wrong(Double):
        def grad(self, inputs: Any, output_grads: Any) -> Any:
            return found(inputs, output_grads)

    v = T.vector("v")
    with pytest.raises(ValueError, match=words):
        T.grad(Wrong()(v).sum(), v)


@pytest.mark.parametrize(
    "infer, words",
    [
        (lambda node, shapes: [(1, 2)], "infer_shape gives 2 lengths for result 0, which has 1 axes"),
        (lambda node, shapes: [(1,), (2,)], "infer_shape gives 2 shapes for 1 results"),
        (lambda node, shapes: [(shapes[0][0] + 1,)], r"result 0 has shape \(2,\), expected \(3,\)"),
    ],
)
def test_wrong_shapes(infer: Any, words: str) -> None:
    class Wrong(Double):
        def infer_shape(self, node: Any, i0_shapes: Any) -> Any:
            return infer(node, i0_shapes)

    v = T.vector("v")
    with pytest.raises(ValueError, match=words):
        theano.function([v], Wrong()(v))([1, 2])
