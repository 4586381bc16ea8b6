"""The rows of elementary functions are complete, and one that a test adds compiles and is judged by its oracle."""

from __future__ import annotations

import ast
from pathlib import Path

import numpy as np
import pytest
from math_oracles import errors, grid, samples
from scalar_kernels import Kernel, math_kernel

import tensordsl
import tensordsl.tensor as T
from tensordsl.codegen.scalar_ir.builder import ARITY, PRIMITIVE, Builder, is_expensive_op, is_function, walk
from tensordsl.codegen.scalar_ir.math import FAMILIES, FUNCTIONS, coefficients
from tensordsl.codegen.scalar_ir.math.function import FALLING, RISING, Function, ulps
from tensordsl.codegen.scalar_ir.math.interpreter import apply as interpret
from tensordsl.graph.variables import Elementwise, apply
from tensordsl.ops.operands import as_variable
from tensordsl.ops.rows import real_function
from tensordsl.ops.table import OPS

NAMES = tuple(FUNCTIONS)
DTYPES = ("float64", "float32")
FOLDER = Path(__file__).resolve().parents[3] / "codegen" / "scalar_ir" / "math"
SHARED = {
    "__init__",
    "coefficients",
    "function",
    "floating_point",
    "interpreter",
    "remainder",
}  # files without functions


def values_of(f, dtype):
    """The DAG of the function, right everywhere, operands first; the last one is the result."""
    b = Builder()
    return walk([f.complete(b, *(b.param(f"x{k}", dtype) for k in range(f.arity)))])


def test_each_name_stands_in_one_row():
    assert sum(len(family.FUNCTIONS) for family in FAMILIES) == len(NAMES)
    assert not set(NAMES) & PRIMITIVE


def test_each_file_is_a_family_or_shared():
    files = {path.stem for path in FOLDER.glob("*.py")}
    assert files - SHARED == {family.__name__.rpartition(".")[2] for family in FAMILIES}


@pytest.mark.parametrize("name", NAMES)
def test_a_row_is_complete(name):
    f, row = FUNCTIONS[name], OPS[name]
    assert f.name == name
    assert isinstance(row.meaning, Elementwise), "an op row names it"
    assert set(f.accuracy) == set(DTYPES) and min(f.accuracy.values()) >= 0.5
    assert f.domain and all(low < high for low, high in f.domain)
    assert f.monotonic in (RISING, FALLING, 0) and (f.monotonic or not f.steps_back)
    assert f.slope is None or f.oracle is not None, "mpmath judges where the unit is not the last place"


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", NAMES)
def test_an_expansion_is_made_of_primitive_operations(name, dtype):
    values = values_of(FUNCTIONS[name], dtype)
    assert values[-1].type == dtype
    assert {v.op for v in values} <= {*ARITY, "param", "const"}
    assert FUNCTIONS[name].arity == sum(v.op == "param" for v in values)


@pytest.mark.parametrize("name", [name for name in NAMES if FUNCTIONS[name].slow_tier])
def test_a_slow_tier_has_arguments_that_need_it(name):
    f = FUNCTIONS[name]
    x = (*grid("float64"),) if f.arity == 2 else samples(name, "float64", 50)
    rare = Kernel(["float64"] * f.arity, f.slow_tier.guard, 8)(*x)
    assert rare.any() and not rare.all()


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("name", NAMES)
def test_the_interpreter_agrees_with_the_oracle(name):
    """To some digits less than the function itself, in its domain."""
    f, rng = FUNCTIONS[name], np.random.default_rng(0)
    x = tuple(np.concatenate([rng.uniform(*interval, 50) for interval in f.domain]) for _ in range(f.arity))
    assert errors(name, "float64", x, f.interpret(*x)).max() <= 256


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("name", NAMES)
def test_the_oracle_of_the_op_row_agrees_with_that_of_the_function(name):
    f, row = FUNCTIONS[name], OPS[name]
    x = tuple(np.random.default_rng(k).uniform(*row.domain, 100) for k in range(f.arity))
    assert row.oracle is not None
    assert errors(name, "float64", x, row.oracle(*x)).max() <= row.ulp


def test_every_table_of_coefficients_is_part_of_a_function():
    found = set()
    for f in FUNCTIONS.values():
        for dtype in DTYPES:
            for v in values_of(f, dtype):
                found |= {v.attr} if v.op == "const" else set(v.attr) if v.op == "lookup" else set()
    found |= {-number for number in found}
    tables = {name: table for name, table in vars(coefficients).items() if name.isupper() and isinstance(table, dict)}
    numbers = {name: {x for row in table.values() for x in np.ravel(row).tolist()} for name, table in tables.items()}
    assert not [name for name in tables if not found & numbers[name]]


def test_oracles_load_mpmath_when_a_test_asks():
    for path in FOLDER.glob("*.py"):
        imports = [n for n in ast.walk(ast.parse(path.read_text())) if isinstance(n, ast.Import | ast.ImportFrom)]
        assert not [n.lineno for n in imports if "mpmath" in ast.unparse(n) or "scipy" in ast.unparse(n)], path


def test_what_is_not_primitive_is_a_function():
    b = Builder()
    x = b.param("x", "float64")
    assert {v.op for v in b.made if is_function(v)} == set()
    assert is_function(b.call("exp", x)) and is_expensive_op(b.call("exp", x))
    assert not is_function(b.sqrt(x)) and not is_expensive_op(b.sqrt(x))


# -- a function that this file adds: the logarithm of the logistic function ---------------------------------------------
def expand_logit(b, x):
    """log(x / (1 - x)) by arctanh, which is exact where x is near 1/2."""
    return b.mul(FUNCTIONS["arctanh"].expansion(b, b.sub(b.mul(x, 2.0), 1.0)), 2.0)


LOGIT = Function(
    "logit",
    expand_logit,
    ulps(64),  # 2 x - 1 is rounded where x is small
    interpret=lambda x: np.log(x / (1 - x)),
    domain=((0.25, 0.75), (0.5, 1)),
    oracle=lambda mp, x: mp.log(x / (1 - mp.mpf(x))) if 0 < x < 1 else {0: -mp.inf, 1: mp.inf}.get(x, mp.nan),
    monotonic=RISING,
)
LOGIT_ROW = real_function("logit", LOGIT.interpret, lambda g, out, x: (g / (x * (1 - x)),), domain=(0.3, 0.9))


def logit(x):
    return apply(LOGIT_ROW, as_variable(x))


@pytest.fixture
def added(monkeypatch):
    monkeypatch.setitem(FUNCTIONS, LOGIT.name, LOGIT)


@pytest.mark.parametrize("dtype", DTYPES)
def test_an_added_function_is_judged_by_its_oracle(added, dtype):
    x = (np.random.default_rng(0).uniform(0.25, 1, 500).astype(dtype),)
    got = math_kernel("logit", dtype, 8)(*x)
    assert errors("logit", dtype, x, got).max() <= LOGIT.accuracy[dtype]
    assert errors("logit", dtype, x, got + np.spacing(got) * 100).max() > LOGIT.accuracy[dtype]
    np.testing.assert_array_equal(math_kernel("logit", dtype, 1, inline=0)(*x), got)


def test_an_added_function_is_interpreted(added):
    np.testing.assert_allclose(interpret("logit", "float32", np.float32([0.25, 0.75])), np.log([1 / 3, 3]), rtol=1e-6)


def test_a_program_with_an_added_function(added):
    x = T.vector("x")
    values = np.array([0.3, 0.5, 0.9])
    value, slope = tensordsl.function([x], [T.sum(logit(x)), T.grad(T.sum(logit(x)), x)], mode="DebugMode")(values)
    np.testing.assert_allclose(value, np.log(values / (1 - values)).sum(), rtol=1e-14)
    np.testing.assert_allclose(slope, 1 / (values * (1 - values)), rtol=1e-14)


@pytest.mark.parametrize("value", [0.0, 1.0, -1.0, 2.0, np.nan])
def test_special_results_of_an_added_function(added, value):
    x = (np.array([value]),)
    assert errors("logit", "float64", x, math_kernel("logit", "float64", 1)(*x)).max() == 0
