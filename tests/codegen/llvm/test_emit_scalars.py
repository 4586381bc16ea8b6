"""The scalar emitter: NumPy's result for every operation, dtype and special value, at one lane and at many."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from scalar_kernels import Kernel, kernel_text, math_kernel

from tensordsl.codegen.llvm.emit_scalars import Code, constant, emit, math_definition, math_symbol
from tensordsl.codegen.scalar_ir.builder import ARITY, COMPUTED, DTYPES, INTEGERS, Builder
from tensordsl.codegen.scalar_ir.math import FUNCTIONS
from tensordsl.codegen.scalar_ir.math.interpreter import apply
from tensordsl.codegen.target.machine import host_isa

WIDTHS = (1, 8, 16)
DIVISIONS = ("floordiv", "mod", "fmod")
PARTS = ("exponent", "significand", "ldexp", "lookup", "part", "complex")
PLAIN = [op for op in ARITY if op not in (*PARTS, *DIVISIONS, "cast", "bitcast", "select", "fma")]


def special(dtype):
    """Values at the borders of every type, and what rounds, overflows or has no order."""
    if dtype == "bool":
        return np.array([False, True])
    if dtype in INTEGERS:
        i = np.iinfo(dtype)
        values = {0, 1, 2, 3, 5, 7, 8, 15, 16, 31, 32, 63, 64, 100, i.max, i.max - 1, i.max // 2, i.min, i.min + 1}
        return np.array(sorted(values | ({-1, -2, -3, -7, -8, -100} if i.min < 0 else set())), dtype)
    f = np.finfo(dtype)
    powers = [
        s * (2.0**n + d)
        for n in ((7, 8, 15) if dtype == "float16" else (7, 8, 15, 16, 31, 32, 63, 64))
        for d in (-1.0, -0.5, 0.0, 0.5, 1.0)
        for s in (1, -1)
    ]
    small = [
        f.tiny,
        f.smallest_subnormal,
        3 * f.smallest_subnormal,
        1e-3,
        0.1,
        0.5,
        1.0,
        1.5,
        2.5,
        3.7,
        7.0,
        1e5,
        1e30,
        f.max,
        np.inf,
    ]
    with np.errstate(over="ignore"):
        return np.unique(np.array([0.0, np.nan, *small, *(-v for v in small), *powers], dtype)).tolist() + [-0.0]


def dtypes_of(op):
    if op in ("sqrt", "div", "copysign"):
        return COMPUTED
    if op in ("shl", "shr"):
        return INTEGERS
    if op in ("and", "or", "xor", "not"):
        return ("bool", *INTEGERS)
    return (*INTEGERS, *COMPUTED) if op in ("neg", "sub", *DIVISIONS) else ("bool", *INTEGERS, *COMPUTED)


def identical(x, y):
    """Equal, signs of zeros too; nan is nan."""
    return (x != x) & (y != y) | (x == y) & (np.signbit(x) == np.signbit(y) if x.dtype.kind == "f" else True)


def check_against_numpy(op, dtype, widths=WIDTHS):
    values = np.array(special(dtype), dtype)
    operands = [values] if ARITY[op] == 1 else [a.ravel() for a in np.meshgrid(values, values)]
    for W in widths:
        kernel = Kernel([dtype] * ARITY[op], lambda b, *x: b.apply(op, *x), W)
        got, wanted = kernel(*operands), apply(op, kernel.type, *operands)
        same = identical(got, wanted)
        if op in ("minimum", "maximum"):  # which zero is open in NumPy
            same |= (got == 0) & (wanted == 0)
        assert same.all(), (op, dtype, W, [x[~same][:3] for x in operands], got[~same][:3], wanted[~same][:3])


@pytest.mark.parametrize("op", PLAIN)
def test_operation_has_numpys_result(op):
    for dtype in dtypes_of(op):
        check_against_numpy(op, dtype)


def test_integer_division_never_traps():
    """In a process of its own: a trap would end it."""
    script = (
        "from test_emit_scalars import *\n"
        "for op in DIVISIONS:\n"
        "    for dtype in INTEGERS: check_against_numpy(op, dtype)\n"
        "print('alive')"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=Path(__file__).parent, capture_output=True, text=True, timeout=120,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
    )  # fmt: skip
    assert done.stdout == "alive\n", done.stderr


@pytest.mark.parametrize("dtype", COMPUTED)
@pytest.mark.parametrize("op", DIVISIONS)
def test_float_division_has_numpys_result(op, dtype):
    check_against_numpy(op, dtype)


@pytest.mark.parametrize("dtype", COMPUTED)
def test_fmod_is_exact_for_any_ratio(dtype):
    rng = np.random.default_rng(0)
    unsigned = {"float32": np.uint32, "float64": np.uint64}[dtype]
    x, y = rng.integers(0, np.iinfo(unsigned).max, (2, 5000), unsigned).view(dtype)
    for op in DIVISIONS:
        got = Kernel([dtype] * 2, lambda b, u, v, op=op: b.apply(op, u, v), 8)(x, y)
        assert identical(got, apply(op, dtype, x, y)).all(), op


@pytest.mark.parametrize("dtype", INTEGERS)
def test_integer_division_of_random_operands(dtype):
    rng, i = np.random.default_rng(0), np.iinfo(dtype)
    x, y = rng.integers(i.min, i.max, (2, 3000), dtype)
    y = np.where(rng.random(3000) < 0.7, y >> rng.integers(0, i.bits - 1, 3000).astype(dtype), y)
    for op in DIVISIONS:
        got = Kernel([dtype] * 2, lambda b, u, v, op=op: b.apply(op, u, v), 8)(x, y)
        np.testing.assert_array_equal(got, apply(op, dtype, x, y))


@pytest.mark.parametrize("dtype", INTEGERS)
def test_integer_division_by_a_constant(dtype):
    """Around its multiples, for divisors around powers of two and any others."""
    rng, i = np.random.default_rng(0), np.iinfo(dtype)
    powers = [2**k + d for k in range(1, i.bits - (i.min < 0)) for d in (-1, 0, 1)]
    some = [int(d) for d in rng.integers(1, i.max, 4, dtype, endpoint=True)]
    divisors = [*powers[:9], *powers[9::7], 7, 10, 100, i.max, *some, *({-1, -7, i.min} if i.min < 0 else ())]
    for d in sorted({d for d in divisors if d <= i.max}):
        quotients = [0, 1, 2, 3, *(int(v) // d for v in [i.min, i.max, *rng.integers(i.min, i.max, 9, dtype)])]
        near = {s * q * d + e for q in quotients for s in (1, -1) for e in (-1, 0, 1)}
        x = np.array([v for v in {*near, *map(int, special(dtype))} if i.min <= v <= i.max], dtype)
        x = np.resize(x, -(-len(x) // 8) * 8)
        for op in ("floordiv", "mod"):
            wanted = apply(op, dtype, x, np.array(d, dtype))
            for W in (1, 8):
                got = Kernel([dtype], lambda b, x, op=op, d=d: b.apply(op, x, b.const(d, dtype)), W)(x)
                np.testing.assert_array_equal(got, wanted, f"{op} by {d}, {W} lanes")
        for op, type_, W in (("eq", dtype, 8), ("ne", dtype, 1), ("eq", "float64", 8), ("ne", "int64", 8)):

            def rest(b, x, op=op, d=d, type_=type_):
                return b.apply(op, b.cast(b.mod(x, d), type_), b.const(0, type_))

            np.testing.assert_array_equal(Kernel([dtype], rest, W)(x), (wanted == 0) == (op == "eq"), f"{op} {d} {W}")


@pytest.mark.parametrize("source", DTYPES)
def test_cast_is_astype(source):
    values = np.array(special(source), source)
    for target in DTYPES:
        with np.errstate(all="ignore"):
            wanted = np.array([v.astype(target) for v in values])
        for W in WIDTHS:
            got = Kernel([source], lambda b, x, t=target: b.cast(x, t), W)(values)
            assert identical(got, wanted).all(), (target, W, values[~identical(got, wanted)])
        assert identical(apply("cast", target, values), wanted).all(), target


@pytest.mark.parametrize("dtype", INTEGERS)
def test_shift_by_a_constant(dtype):
    values, bits = special(dtype), np.iinfo(dtype).bits
    for count in (0, 1, bits - 1, bits, bits + 5):
        for op in ("shl", "shr"):
            got = Kernel([dtype], lambda b, x, op=op, c=count: b.apply(op, x, b.const(c, dtype)), 8)(values)
            np.testing.assert_array_equal(got, apply(op, dtype, values, np.array(count, dtype)))


@pytest.mark.parametrize("dtype", DTYPES)
def test_select_constants_and_bitcast(dtype):
    values = np.array(special(dtype), dtype)
    for v in values[:: max(1, len(values) // 7)]:
        got = Kernel([dtype], lambda b, x, v=v: b.select(b.eq(x, x), b.const(v, dtype), x), 8)(values)
        assert identical(got, np.where(values == values, v, values)).all()
    same_size = [t for t in DTYPES if np.dtype(t).itemsize == values.itemsize and "bool" not in (t, dtype)]
    for target in same_size:
        got = Kernel([dtype], lambda b, x, t=target: b.bitcast(x, t), 8)(values)
        assert got.tobytes() == values.view(target).tobytes()


def test_fma_rounds_once():
    x = np.array([1 + 2.0**-30])
    got = Kernel(["float64"], lambda b, v: b.fma(v, v, b.neg(b.mul(v, v))), 1)(x)
    assert got[0] == 2.0**-60


def test_constants_are_exact():
    assert constant(-0.0, "float64") == "0x8000000000000000"
    assert constant(0.1, "float32") == "0x3FB99999A0000000"
    assert constant(float("inf"), "float32", 4) == "splat (float 0x7FF0000000000000)"
    assert constant(1e300, "float32") == constant(float("inf"), "float32")
    assert constant(2**63, "uint64") == str(2**63)
    assert constant(2**63, "int64") == str(-(2**63))
    assert constant(True, "bool", 8) == "splat (i1 true)"


def test_emit_stops_at_known_values_and_asks_for_leaves():
    b, code = Builder(), Code()
    x, y = b.param("x", "float64"), b.param("y", "float64")
    known = b.call("exp", x)
    total = b.add(known, y)
    env = {id(known): "%known"}
    asked = []
    emit(code, [total], env, 4, lambda v: asked.append(v.attr) or f"%{v.attr}")
    assert asked == ["y"]
    assert code.lines == ["  %v1 = fadd <4 x double> %known, %y"]
    assert env[id(total)] == "%v1"


def test_many_functions_go_out_of_line_once():
    def many(b, x):
        for _ in range(6):
            x = b.call("tanh", x)
        return x

    kernel = Kernel(["float64"], many, 8)
    assert kernel.text.count("define internal") == 1
    assert kernel.text.count(f"call <8 x double> @{math_symbol('tanh', 'float64', 8)}(") == 6
    assert math_definition("tanh", "float64", 8, host_isa()) in kernel.text
    x = np.linspace(-2, 2, 40)
    expected = x
    for _ in range(6):
        expected = math_kernel("tanh", "float64", 8)(expected)
    np.testing.assert_array_equal(kernel(x), expected)


def test_text_depends_on_the_dag_alone():
    def make(b, x, y):
        return b.add(b.call("sin", x), b.fmod(x, y))

    assert kernel_text(["float32"] * 2, make, 16) == kernel_text(["float32"] * 2, make, 16)


def test_deep_chains_do_not_overflow():
    b, code = Builder(), Code()
    v = x = b.param("x", "int64")
    for i in range(50_000):
        v = b.xor(b.add(v, x), b.const(i, "int64"))
    emit(code, [v], {id(x): "%x"}, 8)
    assert len(code.lines) == 100_000


def test_only_intrinsics_that_are_instructions():
    """Nothing may become a call of a library; the linker of the kernels above has none to offer."""
    allowed = {
        "fma",
        "fabs",
        "copysign",
        "sqrt",
        "floor",
        "ceil",
        "trunc",
        "roundeven",
        "smin",
        "smax",
        "umin",
        "umax",
        "vector",
    }
    for name, f in FUNCTIONS.items():
        text, _ = kernel_text(["float64"] * f.arity, lambda b, *x, name=name: b.call(name, *x), 8, isa="")
        assert set(re.findall(r"@llvm\.([a-z]+)", text)) <= allowed
        assert set(re.findall(r"@(?!llvm)(\w+)", text)) <= {"k"} | set(
            re.findall(r"(?:define internal .*? |^)@(\w+)(?:\(| = )", text, re.M)
        )
