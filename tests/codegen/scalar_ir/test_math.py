"""Vector mathematics: every function within its stated accuracy, special values as C99, the same at every width."""

from __future__ import annotations

import platform
import subprocess
import sys

import numpy as np
import pytest
from checkout import ROOT
from math_oracles import errors, grid, samples
from scalar_kernels import Kernel, kernel_text, math_kernel

from tensordsl.codegen.scalar_ir.builder import Builder
from tensordsl.codegen.scalar_ir.math import FUNCTIONS, coefficients
from tensordsl.codegen.scalar_ir.math.interpreter import OPERATIONS, evaluate
from tensordsl.codegen.target.machine import native_width

WIDTH = {"float64": 8, "float32": 16}
HAS_AVX2 = native_width() >= 32 and platform.machine() == "x86_64"
ALL = [(name, dtype) for name in FUNCTIONS for dtype in ("float64", "float32")]
WITH_SLOW_TIER = [name for name, f in FUNCTIONS.items() if f.slow_tier]
MONOTONIC = [name for name, f in FUNCTIONS.items() if f.monotonic]


@pytest.mark.parametrize(("name", "dtype"), ALL)
def test_error_is_within_the_stated_bound(name, dtype):
    x = samples(name, dtype, 20000 if FUNCTIONS[name].oracle is None else 300)
    error = errors(name, dtype, x, math_kernel(name, dtype, WIDTH[dtype])(*x))
    worst = int(np.argmax(error))
    assert error[worst] <= FUNCTIONS[name].accuracy[dtype], [v[worst] for v in x]


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("name", ["pow", "arctan2"])
def test_two_arguments_at_special_values(name, dtype):
    x, y = grid(dtype)
    got = math_kernel(name, dtype, WIDTH[dtype])(x, y)
    with np.errstate(all="ignore"):
        wanted = getattr(np, name)(x.astype("float64"), y.astype("float64")).astype(dtype)
        near = np.abs(got - wanted) <= 2 * np.spacing(np.abs(wanted))
    same = np.isnan(got) & np.isnan(wanted) | (got == wanted) & (np.signbit(got) == np.signbit(wanted))
    assert (same | near).all(), list(zip(x[~(same | near)], y[~(same | near)], strict=True))[:5]


@pytest.mark.parametrize(("name", "dtype"), ALL)
def test_result_does_not_depend_on_the_width(name, dtype):
    x = samples(name, dtype, 40)
    wide = math_kernel(name, dtype, WIDTH[dtype])(*x)
    np.testing.assert_array_equal(math_kernel(name, dtype, 1)(*x), wide)
    np.testing.assert_array_equal(math_kernel(name, dtype, 4, inline=0)(*x), wide)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("name", FUNCTIONS)
def test_result_is_the_same_without_instructions_of_one_target(name, dtype):
    x = samples(name, dtype, 200)
    W = 64 // np.dtype(dtype).itemsize
    for isa in ("", "avx2") if HAS_AVX2 else ("",):
        other = math_kernel(name, dtype, W, isa=isa)(*x)
        np.testing.assert_array_equal(other, math_kernel(name, dtype, W)(*x))


@pytest.mark.parametrize("isa", ["", None, *(["avx2"] if HAS_AVX2 else [])])
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_parts_of_floats(dtype, isa):
    f = np.finfo(dtype)
    x = np.array([0.0, -0.0, np.inf, np.nan, 0.75, 1.0, 1.4999, 1.5, 2.0, 3.0, 1e30, f.max, f.tiny, 3 * f.smallest_subnormal], dtype)  # fmt: skip
    x = np.concatenate([x, -x])
    for op in ("exponent", "significand"):
        got = Kernel([dtype], lambda b, v, op=op: b.apply(op, v), 16, isa=isa)(x)
        with np.errstate(all="ignore"):
            expected = OPERATIONS[op](x)
        if op == "significand":  # of -0 1 or -1
            got, expected = abs(got), abs(expected)
        np.testing.assert_array_equal(got, expected)
    n = np.arange(-40, 40).astype(dtype)
    got = Kernel([dtype] * 2, lambda b, v, n: b.ldexp(v, n), 16, isa=isa)(np.full(80, 1.3, dtype), n * 3)
    np.testing.assert_array_equal(got, np.ldexp(np.full(80, 1.3, dtype), (n * 3).astype(int)))
    i = np.arange(-40, 40, dtype="int64" if dtype == "float64" else "int32")
    for size in (8, 16, 32) if dtype == "float64" else (8, 16, 32):
        table = tuple(k + 0.5 for k in range(size))
        got = Kernel([str(i.dtype)], lambda b, v, table=table: b.lookup(table, v), 16, isa=isa)(i)
        np.testing.assert_array_equal(got, np.array(table, dtype)[i % size])


@pytest.mark.parametrize("isa", ["", None, *(["avx2"] if HAS_AVX2 else [])])
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_powers_beyond_the_range_of_exponents(dtype, isa):
    """In two factors, with one rounding into the subnormal numbers."""
    f = np.finfo(dtype)
    n = np.arange(2 * f.minexp + 2, 2 * f.maxexp - 2, 3 if dtype == "float32" else 17).astype(dtype)
    for x in (1.0, -1.3, 0.7, 1.9999, 0.0, np.inf, np.nan):
        x = np.full(len(n), x, dtype)
        with np.errstate(all="ignore"):
            expected = np.ldexp(x, n.astype(int))
        np.testing.assert_array_equal(Kernel([dtype] * 2, lambda b, v, n: b.ldexp(v, n), 16, isa=isa)(x, n), expected)


@pytest.mark.parametrize("isa", ["", None, *(["avx2"] if HAS_AVX2 else [])])
@pytest.mark.parametrize("W", [1, 2, 4, 8, 16])
def test_several_tables_at_one_place(W, isa):
    """Two are side by side in memory, a third and one of another length stand alone."""
    i = np.arange(-40, 40)
    tables = [tuple(k * 1.5 + j for k in range(n)) for j, n in enumerate((16, 16, 8, 16))]

    def digits(b, v):
        first, *others = [b.mul(b.lookup(table, v), 1000.0**j) for j, table in enumerate(tables)]
        for x in others:
            first = b.add(first, x)
        return first

    expected = sum(np.array(table)[i % len(table)] * 1000.0**j for j, table in enumerate(tables))
    np.testing.assert_array_equal(Kernel(["int64"], digits, W, isa=isa)(i), expected)


@pytest.mark.parametrize(("name", "columns"), [("tanh", 8), ("erf", 9)])
def test_a_column_of_pieces_is_one_register_with_avx2(name, columns):
    text, _ = kernel_text(["float32"], lambda b, x: b.call(name, x), 8, isa="avx2")
    assert text.count("call <8 x float> @llvm.x86.avx2.permps") == columns


@pytest.mark.parametrize("name", [name for name in FUNCTIONS if name not in WITH_SLOW_TIER])
def test_expansion_means_the_same_in_the_evaluator(name):
    x = samples(name, "float64", 8)
    b = Builder()
    params = [b.param(f"x{i}", "float64") for i in range(FUNCTIONS[name].arity)]
    values = dict(zip(map(id, params), x, strict=True))
    (got,) = evaluate([FUNCTIONS[name].expansion(b, *params)], lambda v: values[id(v)])
    np.testing.assert_array_equal(got, math_kernel(name, "float64", 8)(*x))


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("name", WITH_SLOW_TIER)
def test_without_branches_the_result_is_the_same(name, dtype):
    x = samples(name, dtype, 500)
    branchless = Kernel([dtype] * FUNCTIONS[name].arity, FUNCTIONS[name].complete, 8)
    np.testing.assert_array_equal(branchless(*x), math_kernel(name, dtype, 8)(*x))


@pytest.mark.parametrize("name", ["sin", "cos", "tan"])
def test_huge_and_hard_arguments(name):
    """The float64 nearest to a multiple of pi/2 is 6381956970095103 * 2^797."""
    x = (
        np.array(
            [
                6381956970095103.0 * 2.0**797,
                1e22,
                1.7976931348623157e308,
                2.0**1000,
                -1e300,
                2.0**27,
                2.0**27 - 1,
                3.14159265358979,
            ]
        ),
    )
    assert errors(name, "float64", x, math_kernel(name, "float64", 8)(*x)).max() <= FUNCTIONS[name].accuracy["float64"]


@pytest.mark.filterwarnings("ignore:invalid value")
@pytest.mark.parametrize("name", MONOTONIC)
def test_neighbouring_floats_have_results_in_order(name):
    """At random places, each of 512 neighbours."""
    first = np.random.default_rng(0).integers(0, 0x7F800000 - 512, 400, dtype="uint32")
    first[::2] = first[::2] % 0x0A000000 + 0x3A000000  # half of them between 0.0005 and 700
    bits = first[:, None] + np.arange(512, dtype="uint32")
    for sign in (1, -1):
        x = sign * bits.view("float32")
        y = math_kernel(name, "float32", 16)(x.ravel()).reshape(x.shape)
        steps = sign * FUNCTIONS[name].monotonic * np.diff(y)
        assert not (steps < -FUNCTIONS[name].steps_back * np.spacing(np.abs(y[:, 1:]))).any()


def test_coefficients_are_what_the_tool_makes():
    made = subprocess.run(
        [sys.executable, ROOT / "tools" / "fit_polynomials.py"], capture_output=True, text=True, check=True
    )
    fresh: dict[str, object] = {}
    exec(made.stdout, fresh)
    tables = {name: value for name, value in vars(coefficients).items() if name.isupper()}
    assert tables == {name: value for name, value in fresh.items() if name.isupper()}


def test_documented_table_states_the_bounds():
    text = (ROOT / "docs" / "accuracy.md").read_text()
    rows = [
        [cell.strip() for cell in line.strip("|\n").split("|")] for line in text.splitlines() if line.startswith("| ")
    ][1 : len(FUNCTIONS) + 1]
    assert [row[0] for row in rows] == list(FUNCTIONS)
    for name, bound64, max64, _, _, _, _, bound32, max32, *_ in rows:
        assert (float(bound64), float(bound32)) == tuple(FUNCTIONS[name].accuracy.values()), name
        assert float(max64) <= float(bound64) and float(max32) <= float(bound32), name
