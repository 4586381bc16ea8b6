"""Every row of the op table: its columns are filled, its dtype rule is right, its scalar does what its oracle does."""

from __future__ import annotations

import inspect
import itertools
from typing import Any

import numpy as np
import pytest

from tensordsl.codegen.scalar_ir.builder import ARITY, Builder
from tensordsl.codegen.scalar_ir.math import FUNCTIONS
from tensordsl.codegen.scalar_ir.math.interpreter import evaluate as evaluate_scalars
from tensordsl.graph import Elementwise, Kernel, Movement, Op, OpTypeError, Reduction, apply
from tensordsl.ops.special import (
    bessel,
    bessel_order,
    beta_incomplete,
    gamma_incomplete,
    gamma_inverse,
    integrals,
    lambert,
    logarithms,
    normal,
    zeta,
)
from tensordsl.ops.table import MODULES, OPS
from tensordsl.types import DISCRETE, DTYPES, FLOATS, SIGNED, TensorType

# Rows that others expand to, with whole numbers and others' results among their operands: those are judged.
INNER = ("betainc_moment_part", "gammainc_moment_part", "kve_moment")
ELEMENTWISE = [row for row in OPS.values() if isinstance(row.meaning, Elementwise) and row.name not in INNER]

# Their results are floats.
LOOPS = (bessel_order, beta_incomplete, gamma_incomplete, gamma_inverse, zeta)  # of one element
SPECIAL = (*LOOPS, bessel, integrals, lambert, logarithms, normal)
SERIES = {row.name for module in LOOPS for row in module.ROWS}
BY_ORDER = {row.name for row in bessel_order.ROWS}  # whose loops are as long as the order

# Theano's: small integers are exact in float32.
FLOAT_OF = {
    **dict.fromkeys(("bool", "int8", "uint8", "int16", "uint16", "float32"), "float32"),
    **dict.fromkeys(("int32", "uint32", "int64", "uint64", "float64"), "float64"),
    "float16": "float16",
}
BOOLEAN = {"eq", "neq", "lt", "le", "gt", "ge", "isnan", "isinf", "signbit"}
FLOATING = {
    "sqrt",
    "rsqrt",
    "nextafter",
    "reciprocal",
    "floor",
    "ceil",
    "trunc",
    "round",
    "erfcinv",
    "copysign",
    *(row.name for module in SPECIAL for row in module.ROWS),
    *FUNCTIONS,
} - {"pow"}
WITHOUT_BOOL = {"sub", "neg", "sgn", "left_shift", "right_shift"}
INTEGRAL = {"gcd", "lcm", "and_", "or_", "xor", "left_shift", "right_shift", "invert"}
AT_LEAST_INT8 = {"gcd", "lcm", "int_div", "mod", "pow", "clip"}

# Numbers by rejection: how many of the first operands are integers, and the result's dtype.
BY_REJECTION = {
    **dict.fromkeys(("random_gamma", "random_log_gamma", "random_normal_tail", "random_von_mises"), (3, "float64")),
    **dict.fromkeys(("gamma_slope", "von_mises_slope", "noncentral"), (0, "float64")),
    "poisson": (3, "int64"), "binomial": (4, "int64"), "random_hypergeometric": (6, "int64"), "random_zeta": (3, "int64"),
}  # fmt: skip

# Rows without an oracle of their own, each with its judge.
NO_ORACLE: dict[str, str] = {}


def arity(row: Op) -> int:
    """The number of operands of an elementwise row."""
    assert isinstance(row.meaning, Elementwise)
    parameters = list(inspect.signature(row.meaning.scalar).parameters.values())
    if any(p.kind is p.VAR_POSITIONAL for p in parameters):
        return FUNCTIONS[row.name].arity if row.name in FUNCTIONS else ARITY[row.name]
    return len(parameters) - 1 - ("dtype" in inspect.signature(row.meaning.scalar).parameters)


def signatures(row: Op) -> list[tuple[str, ...]]:
    """All dtypes of the operands; for three operands the most telling ones."""
    n = arity(row)
    if row.name == "range_number":
        numbers = ("int8", "uint64", *FLOATS)
        return list(itertools.product(["int64"], numbers, numbers))
    if row.name in SERIES:
        return [("float64",) * n, ("float32",) * n, ("int8", *("float64",) * (n - 1)), ("float16",) * n]
    if row.name == "gamma_slope":  # thousands of rounds
        return list(itertools.product(("bool", "int8", "uint64", "float16", "float64"), repeat=2))
    if n > 3:  # counters and a key before parameters
        numbers = ("bool", "int64", "float16", "float64")
        refused = [("float64", *("uint64",) * (n - 1)), ("uint64", "uint64", "float32", *("int64",) * (n - 3))]
        return [("uint64", "int64", "uint8", *rest) for rest in itertools.product(numbers, repeat=n - 3)] + refused
    if n == 3:
        some = ("bool", "int8", "uint64", "float16", "float32", "float64")
        return list(itertools.product(some, some, some))
    return list(itertools.product(DTYPES, repeat=n))


def attributes(row: Op) -> list[dict[str, Any]]:
    of_dtype = {"cast": DTYPES, "range_number": FLOATS}
    return [{"dtype": t} for t in of_dtype[row.name]] if row.name in of_dtype else [{}]


def wanted_dtype(row: Op, dtypes: tuple[str, ...]) -> str | None:
    """The dtype rule, stated again: None where the op must refuse."""
    common = str(np.result_type(*dtypes))
    if row.name == "philox":
        return None if any(t in FLOATS for t in dtypes) else "uint64"
    if row.name in BY_REJECTION:
        integers, result = BY_REJECTION[row.name]
        return None if any(t in FLOATS for t in dtypes[:integers]) else result
    if row.name == "exponent":
        return "int32"
    if row.name in BOOLEAN:
        return "bool"
    if row.name in FLOATING:
        return FLOAT_OF[common]
    if row.name == "true_div":
        return "float64" if common in DISCRETE else common
    if row.name == "switch":
        return str(np.result_type(*dtypes[1:]))
    if row.name == "second":
        return dtypes[1]
    if row.name in WITHOUT_BOOL and common == "bool":
        return None
    if row.name in INTEGRAL and common in FLOATS:
        return None
    return "int8" if row.name in AT_LEAST_INT8 and common == "bool" else common


def samples(dtype: str, row: Op) -> np.ndarray[Any, Any]:
    """Ordinary and special values of a dtype."""
    random = np.random.default_rng(abs(hash_of(dtype + row.name)))
    if dtype == "bool":
        return np.array([False, True, True, False])
    if dtype in FLOATS:
        low, high = row.domain
        tiny = float(np.finfo(dtype).smallest_normal)
        special = [0.0, -0.0, 1.0, -1.0, 0.5, -0.5, 2.0, 3.0, np.inf, -np.inf, np.nan]
        special += [] if row.name in SERIES else [tiny, -tiny, 1e30, -1e30]
        with np.errstate(over="ignore"):
            return np.concatenate([special, random.uniform(low, high, 12)]).astype(dtype)
    info = np.iinfo(dtype)
    special = [0, 1, 2, 3, 7, 63, 64, *([] if row.name in BY_ORDER else [info.min, info.max])]
    signed = [-1, -2, -7] if dtype in SIGNED else []
    return np.array([*special, *signed, *random.integers(0, 20, 4)], dtype=dtype)


def hash_of(text: str) -> int:
    """Of a string, the same in every process."""
    return sum(ord(c) * 31**k for k, c in enumerate(text)) % 2**32


def some(arrays: list[np.ndarray[Any, Any]]) -> list[np.ndarray[Any, Any]]:
    """Some combinations of the operands' elements: each element of each operand, and more of the last ones, which are
    ordinary."""
    random = np.random.default_rng(len(arrays))
    return [np.concatenate([random.choice(a, 25), random.choice(a[-10:], 15)]) for a in arrays]


def spread(arrays: list[np.ndarray[Any, Any]]) -> list[np.ndarray[Any, Any]]:
    """Operands shaped so that broadcasting meets every combination of their elements; of many operands of some."""
    if (n := len(arrays)) > 3:
        few = [a[:: max(1, len(a) // 2)] if k < 3 else a[:: n - 3] for k, a in enumerate(arrays)]
        return [a.reshape((1,) * k + (-1,) + (1,) * (n - 1 - k)) for k, a in enumerate(few)]
    n = len(arrays)
    return [a.reshape((1,) * k + (-1,) + (1,) * (n - 1 - k)) for k, a in enumerate(arrays)]


def within(x: np.ndarray[Any, Any], dtype: str) -> np.ndarray[Any, Any]:
    """The elements that fit the integer `dtype`: what others become depends on NumPy's choice of instructions."""
    if x.dtype.kind != "f" or dtype == "bool" or dtype in FLOATS:
        return x
    with np.errstate(all="ignore"):
        whole = np.trunc(x.astype("float64"))
        return x[(whole >= np.iinfo(dtype).min) & (whole < float(np.iinfo(dtype).max))]


def by_scalars(row: Op, arrays: list[np.ndarray[Any, Any]], attrs: dict[str, Any]) -> Any:
    """The result of the row's scalar, on operands that are cast as its loop says."""
    assert isinstance(row.meaning, Elementwise)
    b = Builder()
    dtypes = tuple(str(a.dtype) for a in arrays)
    params = [b.param(f"x{k}", t) for k, t in enumerate(dtypes)]
    operands = [b.cast(p, t) for p, t in zip(params, row.meaning.loop(*dtypes), strict=True)]
    value = b.row(row, row.dtype(*dtypes, **attrs), operands, attrs)
    assert value.type == row.dtype(*dtypes, **attrs)
    leaves = {p.attr: a for p, a in zip(params, arrays, strict=True)}
    return evaluate_scalars([value], lambda v: leaves[v.attr])[0]


def assert_close(got: Any, want: Any, ulp: float, what: str) -> None:
    got, want = np.broadcast_arrays(got, want)
    assert got.dtype == want.dtype, what
    if want.dtype.kind != "f":
        np.testing.assert_array_equal(got, want, err_msg=what)
        return
    with np.errstate(all="ignore"):
        near = np.abs(got - want) <= ulp * np.spacing(np.abs(want))
    bad = ~(near | (got == want) | (np.isnan(got) & np.isnan(want)))
    assert not bad.any(), f"{what}: got {got[bad][:5]}, wanted {want[bad][:5]}"


@pytest.mark.parametrize("row", OPS.values(), ids=OPS)
def test_every_column_is_filled_or_excused(row: Op) -> None:
    assert row.name == row.name.strip() and row.name
    assert callable(row.dtype) and callable(row.shape)
    assert row.oracle is not None or row.name in NO_ORACLE
    assert isinstance(row.meaning, Elementwise | Reduction | Movement | Kernel) or callable(row.meaning.build)
    assert (row.gradient is None) == bool(row.no_gradient), "a gradient, or the reason why there is none"
    assert row.ulp >= 0 and row.domain[0] < row.domain[1]


def test_the_table_holds_each_row_once() -> None:
    names = [row.name for module in MODULES for row in module.ROWS]
    assert len(set(names)) == len(names) == len(OPS)
    assert set(FUNCTIONS) <= set(OPS)


@pytest.mark.parametrize("row", ELEMENTWISE, ids=lambda row: row.name)
def test_dtype_rule(row: Op) -> None:
    for dtypes in signatures(row):
        operands = [TensorType(t, (None,))() for t in dtypes]
        for attrs in attributes(row):
            want = attrs.get("dtype") or wanted_dtype(row, dtypes)
            if want is None:
                with pytest.raises(OpTypeError, match=row.name):
                    apply(row, *operands, **attrs)
            else:
                assert apply(row, *operands, **attrs).type == TensorType(want, (None,)), (row, dtypes)


@pytest.mark.parametrize("row", ELEMENTWISE, ids=lambda row: row.name)
def test_the_scalar_gives_what_the_oracle_gives(row: Op) -> None:
    for dtypes in signatures(row):
        for attrs in attributes(row):
            if not attrs and wanted_dtype(row, dtypes) is None:
                continue
            arrays = (some if row.name in SERIES else spread)([samples(t, row) for t in dtypes])
            if row.name == "cast":
                arrays = [within(arrays[0], attrs["dtype"])]
            assert row.oracle is not None
            want = row.oracle(*arrays, **attrs)
            with np.errstate(all="ignore"):
                got = by_scalars(row, arrays, attrs)
            assert_close(got, want, row.ulp, f"{row.name}{dtypes}{attrs or ''}")


@pytest.mark.parametrize("row", [r for r in ELEMENTWISE if r.commutative], ids=lambda row: row.name)
def test_a_commutative_row_commutes(row: Op) -> None:
    assert row.oracle is not None
    for dtypes in signatures(row):
        if wanted_dtype(row, dtypes) is None:
            continue
        x, y = spread([samples(t, row) for t in dtypes])
        assert_close(row.oracle(x, y), row.oracle(y, x), 0, f"{row.name}{dtypes}")


# -- NumPy as a second judge of the oracles, where its own rules for dtypes agree with the row's -----------------------
NUMPY = {
    "add": np.add, "sub": np.subtract, "mul": np.multiply, "true_div": np.true_divide, "int_div": np.floor_divide,
    "mod": np.remainder, "maximum": np.maximum, "minimum": np.minimum, "eq": np.equal, "lt": np.less,
    "and_": np.bitwise_and, "neg": np.negative, "abs": np.abs, "sgn": np.sign, "invert": np.invert, "ceil": np.ceil,
    "isnan": np.isnan, "isinf": np.isinf, "exp": np.exp, "log": np.log, "tanh": np.tanh, "sqrt": np.sqrt,
    "arctan2": np.arctan2, "floor": np.floor,
}  # fmt: skip


@pytest.mark.parametrize("name", NUMPY)
def test_the_oracle_is_numpy(name: str) -> None:
    row = OPS[name]
    assert row.oracle is not None
    for dtype in DTYPES if name not in FLOATING else FLOATS:
        want_dtype = wanted_dtype(row, (dtype,) * arity(row))
        if want_dtype is None or (want_dtype == "int8" and dtype == "bool"):
            continue
        arrays = spread([samples(dtype, row) for _ in range(arity(row))])
        with np.errstate(all="ignore"):
            want = NUMPY[name](*arrays)
        if str(want.dtype) == want_dtype:
            assert_close(row.oracle(*arrays), want, 4 if name in FUNCTIONS else 0, f"{name} {dtype}")


@pytest.mark.parametrize(
    ("name", "scipy_name"),
    [
        ("erf", "erf"),
        ("erfc", "erfc"),
        ("erfcinv", "erfcinv"),
        ("gammaln", "gammaln"),
        ("digamma", "psi"),
        ("trigamma", "polygamma"),
        ("sigmoid", "expit"),
    ],
)
def test_special_functions_are_scipys(name: str, scipy_name: str) -> None:
    import scipy.special

    x = np.concatenate([np.linspace(-4.3, 4.4, 60), np.linspace(5, 50, 20), [np.inf, np.nan]])
    with np.errstate(all="ignore"):
        want = scipy.special.polygamma(1, x) if name == "trigamma" else getattr(scipy.special, scipy_name)(x)
    assert OPS[name].oracle is not None
    np.testing.assert_allclose(OPS[name].oracle(x), want, rtol=1e-13, atol=1e-14)


# -- powers ----------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("dtype", [t for t in DTYPES if t != "bool"])
@pytest.mark.parametrize("exponent", [-3, -2, -1, -0.5, 0, 0.5, 1, 2, 3, 4, 7, 40, 100])
def test_a_power_with_a_known_exponent(dtype: str, exponent: float) -> None:
    """The scalar sees the constant and multiplies; the result is that of the unknown exponent."""
    row = OPS["pow"]
    is_float = dtype in FLOATS
    if not is_float and (isinstance(exponent, float) or (exponent < 0 and dtype not in SIGNED)):
        return
    x = samples(dtype, row)
    b = Builder()
    assert isinstance(row.meaning, Elementwise) and row.oracle is not None
    known = b.cast(b.const(exponent, "float64" if is_float else "int8"), dtype)
    value = b.row(row, dtype, [b.param("x", dtype), known], {})
    got = evaluate_scalars([value], lambda v: x)[0]
    assert_close(got, row.oracle(x, np.asarray(exponent, dtype)), 6, f"{dtype} ** {exponent}")


def test_an_exponent_that_a_cast_changes_is_not_taken_for_known() -> None:
    row = OPS["pow"]
    b = Builder()
    assert isinstance(row.meaning, Elementwise)
    value = row.meaning.scalar(b, b.param("x", "uint8"), b.cast(b.const(300, "int16"), "uint8"))
    x = np.arange(8, dtype="uint8")
    np.testing.assert_array_equal(evaluate_scalars([value], lambda v: x)[0], x ** np.uint8(44))


@pytest.mark.parametrize("dtype", FLOATS)
def test_roots_of_infinity_and_of_zero_are_those_of_a_power_in_every_rank(dtype: str) -> None:
    """NumPy takes the square root where there is one exponent: nan of -inf, and -0 of -0."""
    x, half = np.array([-np.inf, -0.0], dtype), np.array(0.5, dtype)
    assert OPS["pow"].oracle is not None
    for got in (OPS["pow"].oracle(x, half), np.stack([OPS["pow"].oracle(v, half) for v in x])):
        assert got.dtype == dtype and got.tolist() == [np.inf, 0.0] and not np.signbit(got).any()


def test_integers_to_negative_powers_are_truncated_reciprocals() -> None:
    assert OPS["pow"].oracle is not None
    got = OPS["pow"].oracle(np.array([-2, -1, 0, 1, 2]), np.array([-1]))
    assert got.tolist() == [0, -1, 0, 1, 0]
    assert OPS["pow"].oracle(np.array([-1]), np.array([-2])).tolist() == [1]
