"""Python functions as operations: `as_op`, `wrap_py`, `callback`."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pytest

import tensordsl
import tensordsl.tensor as T
from tensordsl import as_op, callback
from tensordsl.compile.ops import as_op as theanos_as_op
from tensordsl.compile.ops import wrap_py

MODES = ["FAST_RUN", "REFERENCE", "DebugMode"]


@theanos_as_op(itypes=[T.dmatrix, T.dmatrix], otypes=[T.dmatrix])
def numpy_dot(a: Any, b: Any) -> Any:
    return np.dot(a, b)


@wrap_py(itypes=T.dscalar, otypes=[T.dscalar, T.lscalar], infer_shape=lambda node, shapes: [(), ()])
def frexp(a: Any) -> Any:
    mantissa, exponent = np.frexp(a)
    return np.asarray(mantissa), np.asarray(exponent, "int64")


@pytest.mark.parametrize("mode", MODES)
def test_as_op(mode: str) -> None:
    m, s = T.dmatrix("m"), T.dscalar("s")
    given = np.arange(6.0).reshape(2, 3)
    out = numpy_dot(m, m.T)
    f = tensordsl.function([m, s], [out + 1, out.shape, *frexp(s)], mode=mode)
    product, shape, mantissa, exponent = f(given, 12)
    assert product.tolist() == (given @ given.T + 1).tolist() and shape.tolist() == [2, 2]
    assert (float(mantissa), int(exponent)) == (0.75, 4)


def test_as_op_without_a_gradient_and_with_one() -> None:
    m, v = T.dmatrix("m"), T.dvector("v")
    with pytest.raises(tensordsl.gradient.NullTypeGradError, match="numpy_dot.* has no gradient: it was given no vjp"):
        T.grad(numpy_dot(m, m).sum(), m)

    @as_op(T.dvector, T.dvector, infer_shape=lambda node, shapes: shapes, vjp=lambda x, y, g: [g[0] * y[0]])
    def exponential(x: Any) -> Any:
        return np.exp(x)

    slope = T.grad(exponential(v).sum(), v)
    found = tensordsl.function([v], [slope, T.grad(slope.sum(), v)])([0, 1])
    assert all(np.allclose(r, [1, np.e]) for r in found)
    T.verify_grad(exponential, [np.array([0.1, -0.3])], rng=np.random.default_rng(0))


@pytest.mark.parametrize(
    "types, words",
    [((["float64"], [T.dvector]), "itypes must be types"), ((T.dvector, [3]), "otypes must be types")],
)
def test_types_of_as_op(types: Any, words: str) -> None:
    with pytest.raises(TypeError, match=words):
        as_op(*types)


@pytest.mark.parametrize("mode", MODES)
def test_what_a_callback_gives(mode: str) -> None:
    v, n = T.dvector("v"), T.lscalar("n")
    outs = [
        callback(np.sort, v, v),  # as v
        callback(np.unique, T.dvector, v),  # of any length
        callback(np.unique, ("float64", [None]), v),
        callback(lambda x: np.repeat(x, 2), ("float64", [v.shape[0] * 2]), v) + 1,
        callback(lambda x, n: np.full(n, x.sum()), ("float64", [n]), v, n),
        callback(lambda x: x[:2], ("float64", 2), v),
        callback(lambda x: x.sum(), T.dscalar, v),
    ]
    f = tensordsl.function([v, n], outs, mode=mode)
    found = [r.tolist() for r in f([3, 1, 3], 2)]
    assert found == [[1, 3, 3], [1, 3], [1, 3], [4, 4, 2, 2, 4, 4], [7, 7], [3, 1], 7]
    assert tensordsl.function([v, n], [outs[3].shape[0], outs[4].shape[0]])([1, 2], 5) == [4, 5]


@pytest.mark.parametrize("mode", MODES)
def test_several_results(mode: str) -> None:
    v = T.dvector("v")
    outs = callback(lambda x: (np.sort(x), np.argsort(x)), [v, T.lvector], v)
    assert [r.tolist() for r in tensordsl.function([v], outs, mode=mode)([3, 1])] == [[1, 3], [1, 0]]
    assert tensordsl.function([v], outs[1], mode=mode)([3, 1]).tolist() == [1, 0]
    (one,) = callback(lambda x: [x * 2], [v], v)
    assert tensordsl.function([v], one, mode=mode)([3, 1]).tolist() == [6, 2]


def test_gradients_may_use_callbacks_and_go_on() -> None:
    v = T.dvector("v")

    def cube(x: Any) -> Any:
        return callback(lambda a: a**3, x, x, vjp=lambda inputs, outputs, g: [g[0] * square(inputs[0]) * 3])

    def square(x: Any) -> Any:
        return callback(np.square, x, x, vjp=lambda inputs, outputs, g: [2 * inputs[0] * g[0]])

    first = T.grad(cube(v).sum(), v)
    found = tensordsl.function([v], [first, T.grad(first.sum(), v)])([1, 2])
    assert [r.tolist() for r in found] == [[3, 12], [6, 12]]
    n = T.lscalar("n")
    out = callback(
        lambda x, n: x[:n], ("float64", [n]), v, n, vjp=lambda x, y, g: [T.concatenate([g[0], 0 * x[0][x[1] :]]), None]
    )
    assert tensordsl.function([v, n], T.grad(out.sum(), v))([1, 2, 3], 2).tolist() == [1, 1, 0]


def test_the_name() -> None:
    v = T.dvector("v")
    assert tensordsl.pp(callback(np.sort, v, v)) == "callback{sort}(v)"
    assert tensordsl.pp(callback(lambda x: x, v, v, name="mine") + 1) == "(callback{mine}(v) + TensorConstant{1})"


@pytest.mark.parametrize(
    "make, words",
    [
        (lambda v: callback(3, v, v), "must be callable, got 3"),
        (lambda v: callback(np.sort, "float64", v), "a result must be a variable, a type or a pair"),
        (lambda v: callback(np.sort, ("float99", [2]), v), "unsupported dtype"),
        (lambda v: callback(np.sort, ("float64", [v.sum()]), v), "a length must be an integer"),
    ],
)
def test_wrong_arguments(make: Any, words: str) -> None:
    v = T.dvector("v")
    with pytest.raises(TypeError, match=words):
        tensordsl.function([v], make(v))


@pytest.mark.parametrize("dtype", ["bool", "int8", "uint16", "int64", "float16", "float32", "complex64", "complex128"])
def test_every_dtype_and_layout(dtype: str) -> None:
    m = T.matrix("m", dtype=dtype)
    given = np.array([[1, 0, 1], [0, 0, 1]], dtype)
    for like in (("of a type", m.type), ("of shape", (dtype, [m.shape[1], m.shape[0]]))):
        f = tensordsl.function([m], callback(np.transpose, like[1], m))
        for layout in (given, np.asfortranarray(given), given[::-1, ::-1], given[:0], given[:, :0]):
            found = f(layout)
            assert found.dtype == dtype and found.tolist() == layout.T.tolist()


def test_equal_callbacks_are_one_call_and_others_are_not() -> None:
    v, calls = T.dvector("v"), []

    def one(x: Any) -> Any:
        calls.append(1)
        return x + 1

    def two(x: Any) -> Any:
        calls.append(2)
        return x + 2

    f = tensordsl.function([v], [callback(one, v, v), callback(one, v, v) * 2, callback(two, v, v)])
    assert [r.tolist() for r in f([1])] == [[2], [4], [3]] and sorted(calls) == [1, 2]
    g = tensordsl.function([v], [callback(two, v, v), callback(two, v, v) * 2, callback(one, v, v)])
    assert [r.tolist() for r in g([1])] == [[3], [6], [2]]  # the disk cache has no code of f for g


def test_pickles_and_copies() -> None:
    v = T.dvector("v")
    out = callback(np.sort, v, v) + callback(np.cumsum, ("float64", [v.shape[0]]), v)
    again = pickle.loads(pickle.dumps(out))
    assert tensordsl.pp(again) == tensordsl.pp(out)
    f = tensordsl.function([v], out)
    for g in (f, f.copy(), pickle.loads(pickle.dumps(f))):
        assert g([3, 1]).tolist() == [4, 7]
    assert pickle.loads(pickle.dumps(numpy_dot.otypes)) == numpy_dot.otypes


def test_the_simulated_device() -> None:
    v = T.dvector("v")
    outs = [callback(np.sort, v, v + 1) * 2, callback(np.unique, T.dvector, v).sum()]
    with tensordsl.change_flags(device="sim"), pytest.warns(UserWarning, match=r"callback\{|sort|unique"):
        f = tensordsl.function([v], outs)
    assert [np.asarray(r).tolist() for r in f([3, 1, 3])] == [[4, 8, 8], 4]
