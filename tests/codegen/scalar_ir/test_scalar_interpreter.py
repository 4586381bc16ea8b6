"""The evaluator of scalar DAGs."""

from __future__ import annotations

import math

import numpy as np
import pytest
import scipy.special

from tensordsl.codegen.scalar_ir.builder import ARITY, Builder
from tensordsl.codegen.scalar_ir.math.interpreter import CONVERSIONS, OPERATIONS, apply, evaluate


def test_every_operation_has_a_row():
    assert set(OPERATIONS) | set(CONVERSIONS) | {"lookup", "part", "complex"} == set(ARITY)


def test_dag_is_evaluated_once_per_value():
    b = Builder()
    x, y = b.param("x", "float64"), b.param("y", "float64")
    shared = b.mul(x, y)
    asked = []
    arrays = {"x": np.array([1.0, 2.0]), "y": np.array(3.0)}
    got = evaluate([b.add(shared, shared), b.lt(shared, 4.0)], lambda v: asked.append(v.attr) or arrays[v.attr])
    np.testing.assert_array_equal(got[0], [6.0, 12.0])
    np.testing.assert_array_equal(got[1], [True, False])
    assert got[1].dtype == bool
    assert sorted(asked) == ["x", "y"]


def test_known_values_are_not_computed_again():
    b = Builder()
    x = b.param("x", "int8")
    inner = b.add(x, 1)
    env = {id(inner): np.array([100], "int8")}
    (got,) = evaluate([b.add(inner, inner)], lambda v: pytest.fail("a leaf behind a known value"), env)
    assert got.tolist() == [-56]
    assert got.dtype == np.int8


def test_long_chain():
    b = Builder()
    v = x = b.param("x", "float64")
    for _ in range(20_000):
        v = b.add(v, x)
    assert evaluate([v], lambda _: 1.0)[0] == 20_001


def test_types_stay():
    for dtype in ("int8", "uint64", "float32"):
        one = np.ones(3, dtype)
        for op in ("add", "floordiv", "mod", "minimum", "floor", "sign"):
            assert apply(op, dtype, *[one] * ARITY[op]).dtype == dtype
    assert apply("erf", "float32", np.ones(2, "float32")).dtype == np.float32


@pytest.mark.parametrize("name", ["erf", "erfc", "gammaln", "digamma"])
def test_special_functions_agree_with_scipy(name):
    reference = {"digamma": scipy.special.digamma}.get(name, getattr(scipy.special, name))
    x = np.concatenate([np.linspace(-5.3, 20, 100), [0.0, -0.0, -1.0, np.inf, np.nan, 1e-10]])
    np.testing.assert_allclose(apply(name, "float64", x), reference(x), rtol=1e-12, atol=1e-14)


def test_fma_rounds_once():
    x = 1 + 2.0**-30
    assert apply("fma", "float64", x, x, -(x * x)) == 2.0**-60
    assert apply("fma", "float64", math.inf, 1.0, 1.0) == math.inf
    assert apply("fma", "float64", 1e300, 1e300, -math.inf) == -math.inf


def test_out_of_range_casts():
    x = np.array([np.nan, np.inf, -1e30, 300.7, -1.5])
    assert apply("cast", "int32", x).tolist() == [-(2**31)] * 3 + [300, -1]
    assert apply("cast", "uint8", x).tolist() == [0, 0, 0, 44, 255]
    assert apply("cast", "bool", x).tolist() == [True] * 5
