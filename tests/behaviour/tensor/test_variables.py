"""What users hold: constructors, operators, methods, truth, iteration, and how variables print."""

from __future__ import annotations

import math
import operator
from typing import Any

import numpy as np
import pytest

import tensordsl
import tensordsl.tensor as T
from tensordsl.config import config
from tensordsl.graph import OpShapeError, OpTypeError
from tensordsl.reference import evaluate
from tensordsl.tensor.constructors import PLURALS, PREFIXES, RANKS
from tensordsl.tensor.dispatch import ADAPTERS, FUNCTIONS
from tensordsl.types import TensorType


# -- constructors ----------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("rank", RANKS)
@pytest.mark.parametrize("prefix", PREFIXES)
def test_constructors(rank: str, prefix: str) -> None:
    make, plural = getattr(T, prefix + rank), getattr(T, prefix + PLURALS[rank])
    want = TensorType(PREFIXES[prefix] or config.floatX, RANKS[rank])
    x = make("x")
    assert x.type == want and x.name == "x" and make().name is None
    a, b = plural("a", "b")
    assert (a.name, b.name, b.type) == ("a", "b", want)
    assert len(plural(3)) == 3
    assert make == want if prefix else make.__name__ == rank
    assert plural.__name__ == prefix + PLURALS[rank] and make.__doc__ and plural.__doc__


def test_dtypes_are_names_or_numpys() -> None:
    for dtype in ("float32", np.float32, np.dtype("float32"), np.array(["float32"])[0]):
        assert T.TensorType(dtype, (None,)) == T.fvector().type
    with pytest.raises(TypeError, match="float33"):
        T.TensorType(np.str_("float33"), ())


def test_floatx_is_the_dtype_of_constructors_without_prefix() -> None:
    with config.change_flags(floatX="float32"):
        assert T.scalar().dtype == "float32" and T.dscalar().dtype == "float64"
        assert T.zeros(2).dtype == T.tensor().dtype == "float32"
    assert T.matrix(dtype="int32").dtype == "int32"


def test_tensor_takes_a_pattern_or_a_shape() -> None:
    assert T.tensor("float32", (False, True)).type == TensorType("float32", (None, 1))
    assert T.tensor(shape=(2, None)).type == TensorType("float64", (2, None))
    assert T.tensor("int8", broadcastable=(True,), name="n").name == "n"


def test_properties() -> None:
    x = T.fcol("x")
    assert (x.ndim, x.dtype, x.broadcastable) == (2, "float32", (False, True))
    assert x.type == TensorType("float32", (None, 1)) and x.owner is None
    x.tag.test_value = 1
    assert x.tag.test_value == 1
    assert type(x) is T.TensorVariable and isinstance(T.constant(1), T.TensorConstant)


# -- operators -------------------------------------------------------------------------------------------------------
ARITHMETIC = [
    operator.add, operator.sub, operator.mul, operator.truediv, operator.floordiv, operator.mod, operator.pow,
    operator.lt, operator.le, operator.gt, operator.ge,
]  # fmt: skip


@pytest.mark.parametrize("op", ARITHMETIC)
@pytest.mark.parametrize("other", [3, 2.5, np.float64(2.5), np.array([3.0, 2.0]), [3.0, 2.0]])
def test_operators_and_reflected_operators(op: Any, other: Any) -> None:
    x = T.vector()
    a = np.array([1.5, 4.0])
    value = np.asarray(other)
    np.testing.assert_allclose(evaluate(op(x, other), {x: a}), op(a, value))
    np.testing.assert_allclose(evaluate(op(other, x), {x: a}), op(value, a))


@pytest.mark.parametrize("op", [operator.and_, operator.or_, operator.xor])
def test_bitwise_operators(op: Any) -> None:
    x = T.ivector()
    a = np.array([5, 6], "int32")
    np.testing.assert_array_equal(evaluate(op(x, 3), {x: a}), op(a, 3))
    np.testing.assert_array_equal(evaluate(op(3, x), {x: a}), op(3, a))
    with pytest.raises(OpTypeError, match="of uint64, int8: no integer dtype holds them all; cast one"):
        op(T.vector(dtype="uint64"), 3)
    with pytest.raises(OpTypeError, match="bitwise operations want integers or bools"):
        op(T.vector(), 1)


def test_unary_operators() -> None:
    x, i = T.vector(), T.ivector()
    a = np.array([-1.5, 2.0])
    np.testing.assert_array_equal(evaluate(-x, {x: a}), -a)
    np.testing.assert_array_equal(evaluate(abs(x), {x: a}), abs(a))
    np.testing.assert_array_equal(evaluate(~i, {i: [1, 2]}), [-2, -3])
    assert +x is x
    q, r = divmod(x, 2)
    np.testing.assert_array_equal(evaluate([q, r], {x: a}), list(np.divmod(a, 2)))
    assert [type(v) for v in divmod(7, x)] == [T.TensorVariable] * 2
    np.testing.assert_array_equal(evaluate(x @ x, {x: a}), a @ a)
    np.testing.assert_array_equal(evaluate(a @ x, {x: a}), a @ a)


def test_numpy_functions_build_graphs() -> None:
    x = T.vector()
    a = np.array([0.5, 2.0])
    for f in (np.exp, np.sqrt, np.tanh, np.negative, np.square, np.abs, np.floor):
        np.testing.assert_allclose(evaluate(f(x), {x: a}), f(a))
    np.testing.assert_allclose(evaluate(np.maximum(x, 1), {x: a}), np.maximum(a, 1))
    with pytest.raises(TypeError):
        np.add.reduceat(x, [0])
    with pytest.raises(TypeError):
        np.exp(x, out=np.zeros(2))


@pytest.mark.parametrize("dtype", ["int8", "uint8", "int32", "uint32", "int64", "uint64"])
def test_shifts_are_numpys(dtype: str) -> None:
    x, n = T.vector("x", dtype=dtype), T.vector("n", dtype=dtype)
    bits = 8 * np.dtype(dtype).itemsize
    a = np.array([1, 5, -5, -1, 2**62 + 3, 7, 7], "int64").astype(dtype)
    counts = np.array([0, 1, 2, bits - 1, bits // 2, bits, 3], dtype)
    for mode in ("FAST_RUN", "REFERENCE"):
        f = tensordsl.function([x, n], [x << n, x >> n, x << 3, x >> 3, np.right_shift(x, 1)], mode=mode)
        want = [a << counts, a >> counts, a << 3, a >> 3, a >> 1]
        for ours, theirs in zip(f(a, counts), want, strict=True):
            np.testing.assert_array_equal(ours, theirs)
            assert ours.dtype == dtype  # also where the count is a Python integer
    if dtype != "uint64":  # which goes with int8 into float64, as in NumPy
        assert evaluate(1 << x[:2] % 4, {x: a}).tolist() == [2, 2]
    with pytest.raises(TypeError, match="integers"):
        T.vector() >> 1
    with pytest.raises(TypeError, match="bools"):
        T.vector(dtype="bool") << True


def test_functions_of_numpy_that_are_no_ufuncs_build_graphs_too() -> None:
    x, y = T.matrix("x"), T.matrix("y")
    a, b = np.arange(6.0).reshape(2, 3) % 4, np.arange(12.0).reshape(3, 4)
    pairs = [
        (np.dot(x, y), a @ b), (np.dot(a, y), a @ b), (np.sum(x, axis=0), a.sum(0)), (np.mean(x), a.mean()),
        (np.concatenate([x, a], axis=1), np.concatenate([a, a], axis=1)), (np.stack([x, x]), np.stack([a, a])),
        (np.where(x > 1, x, 0), np.where(a > 1, a, 0)), (np.clip(x, 1, 2), a.clip(1, 2)), (np.max(x, axis=1), a.max(1)),
        (np.sort(x, axis=1), np.sort(a, axis=1)), (np.reshape(x, (3, 2)), a.reshape(3, 2)), (np.shape(x), [2, 3]),
        (np.zeros_like(x), 0 * a), (np.outer(x[0], y[0]), np.outer(a[0], b[0])), (np.cumsum(x, axis=1), a.cumsum(1)),
    ]  # fmt: skip
    for ours, want in pairs:
        np.testing.assert_array_equal(evaluate(ours, {x: a, y: b}), want)
    assert np.ndim(x) == 2
    names = [name for name in FUNCTIONS["numpy"] if f"numpy.{name}" not in ADAPTERS]
    assert [name for name in names if not callable(getattr(T, name, None))] == []
    np.testing.assert_allclose(evaluate(np.linalg.inv(y[:2, :2]), {y: b}), np.linalg.inv(b[:2, :2]))
    for f in (np.fft.fft, np.apply_along_axis):
        operands = (np.sum, 0, x) if f is np.apply_along_axis else (x,)
        with pytest.raises(TypeError, match=f"{f.__name__} does not take symbolic variables"):
            f(*operands)


@pytest.mark.parametrize("convert", [int, float, complex, range], ids=lambda f: f.__name__)
def test_a_symbol_is_no_number_yet(convert: Any) -> None:
    x = T.lscalar("x")
    with pytest.raises(TypeError, match="x is symbolic and has no value yet"):
        convert(x)


def test_errors_stand_at_the_user_and_name_the_operands() -> None:
    with pytest.raises(OpTypeError, match=r"sub: not defined for bool.*\n.*operands: \(p: TensorType\(bool"):
        T.vector("p", dtype="bool") - T.vector(dtype="bool")
    with pytest.raises(OpShapeError, match="add: lengths 2, 3 do not broadcast"):
        T.tensor(shape=(2,)) + T.tensor(shape=(3,))
    with pytest.raises(TypeError, match="cannot make a tensor of str 'a'"):
        T.vector() + "a"


def test_variadic_sums_and_products() -> None:
    x = T.scalar()
    assert evaluate(T.add(x, 1, 2, x), {x: 3}) == 9
    assert evaluate(T.mul(x, 2, x), {x: 3}) == 18


# -- identity, truth, iteration --------------------------------------------------------------------------------------
def test_equality_is_identity() -> None:
    x, y = T.vectors("x", "y")
    assert x == x and x != y and not x == y
    assert len({x, y, x}) == 2 and x in [x]
    assert (x + y) is not (x + y)


def test_truth() -> None:
    x = T.scalar()
    assert bool(x) and bool(x + 1)
    for comparison in (x > 0, 0 > x, x <= 1, T.eq(x, 1), T.neq(x, 1)):
        with pytest.raises(TypeError, match="Variables do not support boolean operations"):
            bool(comparison)
    with pytest.raises(TypeError, match="boolean operations"):
        0 < x < 1  # noqa: B015  Python asks for the truth of 0 < x


def test_iteration_and_length() -> None:
    x = T.vector("x")
    with pytest.raises(ValueError, match="length not known: x"):
        list(x)
    with pytest.raises(TypeError, match="0-d"):
        iter(T.scalar())
    with pytest.raises(TypeError):
        len(x)
    with pytest.raises(TypeError, match="does not support item assignment: T.set_subtensor"):
        x[0] = 1
    with pytest.raises(TypeError, match="does not support item assignment"):
        x[0] += 1
    with pytest.raises(TypeError, match="not known before run time"):
        1 in x  # noqa: B015  the question itself is refused
    rows = list(T.tensor(shape=(2, 3)))
    assert [r.type.shape for r in rows] == [(3,), (3,)]
    a, b = T.tensor(shape=(2,))
    assert a.ndim == b.ndim == 0


# -- printing --------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("value", "text"),
    [
        (2, "TensorConstant{2}"), (2.0, "TensorConstant{2.0}"), (True, "TensorConstant{True}"),
        ([2, 2], "TensorConstant{(2,) of 2}"), ([[1.0]], "TensorConstant{(1, 1) of 1.0}"),
        ([1, 2], "TensorConstant{[1 2]}"),
        (np.arange(30), "TensorConstant{[ 0  1  2 .. 27 28 29]}"), ([], "TensorConstant{[]}"),
    ],
)  # fmt: skip
def test_constants_print_their_value(value: Any, text: str) -> None:
    assert repr(T.constant(value)) == text
    assert repr(T.constant(value, name="c")) == "c"


def test_variables_print_their_name_type_or_maker() -> None:
    x = T.vector("x")
    assert repr(x) == "x" and repr(T.vector()) == "<TensorType(float64, vector)>"


def test_a_clone_has_type_name_and_tag_but_no_maker() -> None:
    y = T.matrix("x") + 1
    y.name, y.tag.note = "y", "kept"
    z = y.clone()
    assert z is not y and (z.type, z.name, z.tag.note, z.owner) == (y.type, "y", "kept", None)
    z.tag.note = "its own"
    assert y.tag.note == "kept" and y.get_parents() == [y.owner] and z.get_parents() == []


# -- methods ---------------------------------------------------------------------------------------------------------
METHODS: list[tuple[str, tuple[Any, ...]]] = [
    ("sum", ()), ("sum", (0,)), ("prod", (1,)), ("mean", (0,)), ("var", ()), ("std", (1,)), ("max", (0,)), ("min", ()),
    ("argmax", (1,)), ("argmin", ()), ("any", (0,)), ("all", ()), ("flatten", ()), ("transpose", ()), ("ravel", ()),
    ("reshape", ((3, 2),)), ("squeeze", ()), ("swapaxes", (0, 1)), ("repeat", (2, 1)), ("take", ([0, 1], 1)),
    ("clip", (0.2, 0.8)), ("round", ()), ("astype", ("int32",)), ("copy", ()), ("dot", (np.ones(3),)), ("conj", ()),
    ("diagonal", ()),
]  # fmt: skip


@pytest.mark.parametrize(("method", "arguments"), METHODS)
def test_methods_are_numpys(method: str, arguments: tuple[Any, ...]) -> None:
    x = T.matrix()
    a = np.linspace(-1, 2, 6).reshape(2, 3)
    want = np.asarray(getattr(a, method)(*arguments))
    got = evaluate(getattr(x, method)(*arguments), {x: a})
    assert got.dtype == want.dtype
    np.testing.assert_allclose(got, want)


# What Theano's `_tensor_py_operators` has, and NumPy users write on an array.
OPERATORS = """
    __abs__ __add__ __and__ __ceil__ __contains__ __divmod__ __floor__ __floordiv__ __ge__ __getitem__ __gt__ __invert__
    __iter__ __le__ __lshift__ __lt__ __matmul__ __mod__ __mul__ __neg__ __or__ __pos__ __pow__ __radd__ __rand__ __rdivmod__
    __rfloordiv__ __rlshift__ __rmatmul__ __rmod__ __rmul__ __ror__ __rpow__ __rrshift__ __rshift__ __rsub__ __rtruediv__ __rxor__ __sub__ __truediv__
    __trunc__ __xor__ T all any arccos arccosh arcsin arcsinh arctan arctanh argmax argmin argsort astype broadcastable
    ceil choose clip compress conj conjugate copy cos cosh cumprod cumsum deg2rad diagonal dimshuffle dot dtype exp exp2
    expm1 fill flatten floor imag inc log log10 log1p log2 max mean min mT ndim nonzero nonzero_values norm ones_like
    prod ptp rad2deg ravel real repeat reshape round searchsorted set shape sin sinh size sort sqrt squeeze std sum
    swapaxes take tan tanh trace transpose trunc type var zeros_like eval name owner tag
"""


def test_variables_constants_and_shared_variables_have_all_operators_and_methods() -> None:
    for x in (T.matrix("x"), T.constant([[1.0]]), tensordsl.shared(np.ones((2, 2)))):
        assert [name for name in OPERATORS.split() if not hasattr(x, name)] == []


def test_methods_of_real_functions_are_the_functions() -> None:
    x = T.vector("x")
    a = np.array([0.25, 0.5])
    for name in ("arccos", "exp", "floor", "log1p", "sqrt", "tanh", "deg2rad"):
        np.testing.assert_allclose(evaluate(getattr(x, name)(), {x: a}), getattr(np, name)(a), rtol=1e-14)
    assert evaluate(math.floor(x), {x: a + 1}).tolist() == [1.0, 1.0]
    assert math.ceil(x).owner.op.name == "ceil" and math.trunc(x).owner.op.name == "trunc"


@pytest.mark.parametrize("keywords", [{"shape": (3, 2)}, {"newshape": (3, 2)}, {"shape": (3, 2), "order": "C"}])
def test_a_shape_may_be_named(keywords: Any) -> None:
    x = T.matrix()
    assert evaluate(x.reshape(**keywords), {x: np.ones((2, 3))}).shape == (3, 2)
    with pytest.raises(NotImplementedError, match="order='F' is not supported"):
        x.reshape((3, 2), order="F")
    with pytest.raises(TypeError, match="given twice"):
        x.reshape((3, 2), shape=(3, 2))


def test_other_methods() -> None:
    x = T.matrix()
    a = np.ones((2, 3))
    assert evaluate(x.norm(2), {x: a}) == np.sqrt(6)
    assert evaluate(x.ptp(), {x: a}) == 0
    np.testing.assert_array_equal(evaluate(x.zeros_like(), {x: a}), 0 * a)
    np.testing.assert_array_equal(evaluate(x.ones_like("int8"), {x: a}), a)
    np.testing.assert_array_equal(evaluate(x.fill(3), {x: a}), 3 * a)
    assert x.copy("y").name == "y" and x.real is x


def test_rounding() -> None:
    x = T.vector()
    a = np.array([0.5, 1.5, -0.5, 2.4999, 0.49999999999999994, -1.5])
    np.testing.assert_array_equal(evaluate(T.round(x), {x: a}), np.rint(a))
    np.testing.assert_array_equal(evaluate(T.round(x, "half_away_from_zero"), {x: a}), [1, 2, -1, 2, 0, -2])
    with pytest.raises(ValueError, match="unknown mode"):
        T.round(x, "up")


# -- the namespace ---------------------------------------------------------------------------------------------------
def test_names_that_programs_use() -> None:
    names = """
        dot matrix mean sqrt sqr sum log cast switch alloc exp tensor4 tanh scalar set_subtensor argmax tensor3
        vector maximum concatenate eq arange as_tensor_variable clip zeros constant zeros_like ivector max neq
        reshape square flatten stack ones_like lscalar ge ones minimum lvector unbroadcast sgn prod tile imatrix
        abs_ gt lmatrix isnan repeat inc_subtensor round inv tensordot min any all le lt and_ or_ xor invert
        join shape_padleft shape_padright addbroadcast patternbroadcast batched_dot outer eye identity_like
        max_and_argmax var std erf gammaln psi TensorType TensorVariable TensorConstant Variable Constant
        matrices vectors scalars fmatrix dmatrix where
    """
    missing = [name for name in names.split() if not hasattr(T, name)]
    assert missing == []
    assert callable(T.nnet.sigmoid) and callable(T.nnet.softmax) and callable(T.extra_ops.repeat)
    with pytest.raises(AttributeError, match="no attribute 'nosuch'"):
        T.nosuch  # noqa: B018  the access itself raises


def test_aliases_are_the_same_function() -> None:
    for alias, name in [
        ("abs", "abs_"),
        ("inv", "reciprocal"),
        ("where", "switch"),
        ("sign", "sgn"),
        ("square", "sqr"),
    ]:
        assert getattr(T, alias) is getattr(T, name)


def test_composed_functions() -> None:
    x, y = T.vectors("x", "y")
    a, b = np.array([0.5, -2.0, 3.0]), np.array([1.0, 1.0, -1.0])
    np.testing.assert_allclose(evaluate(T.deg2rad(x), {x: a}), np.deg2rad(a))
    np.testing.assert_allclose(evaluate(T.rad2deg(x), {x: a}), np.rad2deg(a))
    np.testing.assert_array_equal(evaluate(T.isfinite(x), {x: [1, np.inf, np.nan]}), [True, False, False])
    np.testing.assert_allclose(evaluate(T.arctan2(x, y), {x: a, y: b}), np.arctan2(a, b))
    np.testing.assert_array_equal(evaluate(T.fill(x, y), {x: a, y: b}), b)
