"""What a type does: it makes variables and constants, checks, converts and compares values."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pytest

import tensordsl
import tensordsl.tensor as T
from tensordsl import config
from tensordsl.sandbox.rng_mrg import MRG_RandomStreams
from tensordsl.tensor.constructors import PREFIXES, RANKS


def test_names_with_a_dtype_are_types_that_make_variables() -> None:
    for prefix, dtype in PREFIXES.items():
        for rank, shape in RANKS.items():
            kind = getattr(T, prefix + rank)
            assert isinstance(kind, T.TensorType) == bool(prefix)
            assert kind("x").type == T.TensorType(dtype or "float64", shape) and kind().name is None
    x = T.fvector("x")
    assert x.type == T.fvector and T.fvector.dtype == "float32" and T.fvector.ndim == 1 and x.type != T.dvector
    assert T.dmatrix.make_variable("m").name == "m" and T.dmatrix.make_variable().type == T.dmatrix
    assert T.TensorType("float64", (False,))("y").type == T.dvector and {T.dvector: 1}[T.dvector().type] == 1
    assert pickle.loads(pickle.dumps(T.dvector)) == T.dvector and str(T.dvector) == "TensorType(float64, vector)"
    assert T.dvector("x", shape=(3,)).type.shape == (3,)
    for wrong in (lambda: T.dvector(3), lambda: T.dvector.make_variable(3), lambda: T.dvector("x", dtype="int8")):
        with pytest.raises(TypeError):
            wrong()
    with pytest.raises(ValueError, match="2 lengths for 1 axes"):
        T.dvector("x", shape=(3, 4))


@pytest.mark.parametrize(
    "made, names",
    [
        (lambda: T.scalars("xs"), ["x", "s"]), (lambda: T.scalars("x", "y"), ["x", "y"]),
        (lambda: T.vectors(["a", "b"]), ["a", "b"]), (lambda: T.dmatrices(("one", "two")), ["one", "two"]),
        (lambda: T.vectors(None, None), [None, None]), (lambda: T.fvectors(2), [None, None]),
        (lambda: T.matrices(1), [None]), (lambda: T.scalars(""), []), (lambda: T.scalars(), []),
    ],
)  # fmt: skip
def test_several_variables_at_once(made: Any, names: list[str | None]) -> None:
    assert isinstance(made(), list) and [v.name for v in made()] == names


def test_one_variable_alone_is_no_list() -> None:
    assert T.vectors("a").name == "a" and T.vectors("a").type == T.dvector
    for wrong in (lambda: T.vectors(["a"]), lambda: T.vectors(2.0), lambda: T.vectors(["a"], "b")):
        with pytest.raises(TypeError):
            wrong()


def test_filter_converts_where_nothing_is_lost() -> None:
    a = np.array([1.0, 2.0])
    assert T.dvector.filter(a) is a and T.dvector.filter([1, 2]).dtype == "float64"
    assert T.dvector.filter(np.array([1, 2])).dtype == "float64"
    assert T.fvector.filter(a, allow_downcast=True).dtype == "float32" and T.dvector("x").type.filter(a) is a
    for kind, value, options in (
        (T.fvector, a, {}), (T.dvector, np.array([1, 2]), {"strict": True}), (T.dvector, [[1]], {}),
        (T.dvector, "a", {}), (T.dvector, T.dvector(), {}), (T.drow, np.zeros((2, 2)), {}), (T.ivector, [1.5], {}),
    ):  # fmt: skip
        with pytest.raises(TypeError):
            kind.filter(value, **options)
    assert T.dvector.is_valid_value(a) and not T.dvector.is_valid_value([1.0, 2.0])
    assert T.dvector.value_zeros((2,)).tolist() == [0, 0] and T.dvector.may_share_memory(a, a[1:])


def test_variables_and_constants_of_a_type() -> None:
    z, r = T.dvector("z"), T.drow("r")
    assert T.dvector.filter_variable(z) is z and T.dvector.filter_variable([1, 2]).data.tolist() == [1.0, 2.0]
    assert T.dmatrix.filter_variable(r).type == T.dmatrix == T.dmatrix.convert_variable(r).type
    assert T.drow.convert_variable(T.dmatrix()) is None and T.fmatrix.convert_variable(T.dmatrix()) is None
    shared = tensordsl.shared(np.zeros(2))
    assert T.dvector.filter_variable(shared) is shared
    for wrong in (
        lambda: T.dvector.filter_variable(T.fvector()), lambda: T.drow.filter_variable(T.dmatrix()),
        lambda: T.dmatrix.filter_variable(r, allow_convert=False), lambda: T.dvector.filter_variable(3),
    ):  # fmt: skip
        with pytest.raises(TypeError):
            wrong()
    c = T.dvector.make_constant(np.array([1.0]), name="c")
    assert c.type == T.dvector and c.name == "c" and (c + z).eval({z: [2.0]}).tolist() == [3.0]
    assert T.dmatrix.is_super(T.drow) and not T.drow.is_super(T.dmatrix) and not T.dmatrix.is_super(T.fmatrix)
    assert T.dvector.clone() == T.dvector and T.dvector.clone(dtype="float32") == T.fvector
    assert T.dvector.clone("float32", (True, False)) == T.frow and T.dvector.numpy_dtype == np.float64


def test_values_are_equal_or_nearly() -> None:
    ones, nan, inf = np.ones(2), np.array([np.nan]), np.array([np.inf])
    assert T.dvector.values_eq(ones, ones) and T.dvector.values_eq(nan, nan)
    assert not T.dvector.values_eq(ones, ones.astype("f")) and not T.dvector.values_eq(ones, np.ones(3))
    near = T.dvector.values_eq_approx
    assert near(ones, ones + 1e-9) and near(np.r_[nan, inf], np.r_[nan, inf]) and near(ones, ones * 1.1, rtol=0.2)
    assert not near(ones, ones * (1 + 1e-4)) and not near(ones.astype("f"), ones) and not near(nan, ones[:1])
    assert near(nan, ones[:1], allow_remove_nan=True) and near(inf, ones[:1], allow_remove_inf=True)
    assert not T.ivector.values_eq_approx(np.ones(2, "i"), 2 * np.ones(2, "i"))
    assert T.basic._allclose(ones, ones + 1e-9) is True and T.basic._allclose([1, 2], [1, 2]) is True
    assert T.basic._allclose(np.float32(1), np.float32(1.00001)) and not T.basic._allclose(1.0, 1.0001)
    assert T.basic._allclose(1, 1.0001, rtol=1e-2) and not T.basic._allclose(nan, nan)


def test_constants_are_compared_by_value_and_variables_by_themselves() -> None:
    c, x = T.constant([1.0, 2.0]), T.dvector()
    assert c.equals(T.constant([1.0, 2.0])) and c.equals(np.array([1.0, 2.0])) and T.constant(1.0).equals(1.0)
    assert T.constant(np.nan).equals(T.constant(np.nan)) and not T.constant(1.0).equals(T.constant(1))
    assert not any(c.equals(other) for other in ([1.0, 2.0], x, "a", None, np.array([1.0, 3.0])))
    assert x.equals(x) and not x.equals(T.dvector())
    assert c.signature() == T.constant([1.0, 2.0]).signature() != T.constant([1, 2]).signature()
    assert len({T.constant(1.0).signature(), T.constant(1.0).signature()}) == 1


def test_floatx_is_a_dtype() -> None:
    i, draws = T.ivector(), MRG_RandomStreams(1)
    with config.change_flags(floatX="float32"):
        for made in (
            T.TensorType("floatX", (False,)), T.tensor("floatX", (False,)), T.matrix(dtype="floatX"), T.cast(i, "floatX"),
            i.astype("floatX"), T.sum(i, dtype="floatX"), i.mean(dtype="floatX"), T.arange(3, dtype="floatX"),
            T.constant(1, dtype="floatX"), T.eye(3, dtype="floatX"), T.zeros(2, dtype="floatX"),
            T.zeros_like(i, dtype="floatX"), T.ones(2, dtype="floatX"), draws.uniform((2,), dtype="floatX"),
            draws.binomial((2,), dtype="floatX"), T.dvector.clone(dtype="floatX"),
        ):  # fmt: skip
            assert made.dtype == "float32"
