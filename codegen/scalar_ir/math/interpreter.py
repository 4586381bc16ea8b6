"""Interpreter of scalar IR: a DAG on NumPy arrays, as the emitters' oracle; tests and tools run it, programs never do.

Contract   `evaluate`: values and arrays for their leaves -> arrays; `apply`: one operation or function.
Results    those that `llvm.emit_scalars` compiles: bit for bit, but elementary functions only to some digits.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from tensordsl.codegen.scalar_ir import repetition
from tensordsl.codegen.scalar_ir.builder import ARITY, FLOATS, Val, is_function, walk
from tensordsl.codegen.scalar_ir.math import FUNCTIONS
from tensordsl.graph.types import COMPLEX

Array = Any  # an ndarray or a NumPy scalar


def evaluate(roots: Iterable[Val], leaf: Callable[[Val], Array], env: dict[int, Array] | None = None) -> list[Array]:
    """The values of `roots`.

    `leaf` gives arrays (of the value's dtype, broadcastable against each other) for load, index, extent, param and
    result values; `env` maps id(value) to what is known already and receives what is computed.
    """
    roots = list(roots)
    env = {} if env is None else env
    with np.errstate(all="ignore"):
        for v in walk(roots, env):
            if v.op == "const":
                env[id(v)] = np.asarray(v.attr).astype(v.type) if v.type in FLOATS else _integer(v.attr, v.type)
            elif v.op == "repeat":
                types = tuple(a.type for a in v.args)
                env[id(v)] = repetition.interpret(v.attr, types, [env[id(a)] for a in v.args], _with_params)
            elif v.op in ARITY or is_function(v):
                env[id(v)] = np.asarray(_apply(v, [env[id(a)] for a in v.args])).astype(v.type, copy=False)
            else:
                env[id(v)] = np.asarray(leaf(v), v.type)
    return [env[id(v)] for v in roots]


def _with_params(roots: Iterable[Val], values: dict[int, Array]) -> list[Array]:
    return evaluate(roots, lambda v: values[id(v)])


def apply(op: str, type: str, *operands: Array) -> Array:
    """One operation or function on arrays; `type` is the dtype of the result."""
    with np.errstate(all="ignore"):
        arrays = [np.asarray(x) for x in operands]
        if op in ("cast", "bitcast"):
            return CONVERSIONS[op](arrays[0], type)
        return np.asarray(_operation(op)(*arrays)).astype(type, copy=False)


def _apply(v: Val, operands: list[Array]) -> Array:
    if v.op == "lookup":
        return np.asarray(v.attr, v.type)[operands[0] % len(v.attr)]
    if v.op in CONVERSIONS:
        return CONVERSIONS[v.op](operands[0], v.type)
    if v.op == "part":
        return operands[0].imag if v.attr else operands[0].real
    if v.op == "complex":
        return _paired(v.type, *operands)
    if v.type in COMPLEX:  # pairwise
        re, im = (OPERATIONS[v.op](*parts) for parts in ([x.real for x in operands], [x.imag for x in operands]))
        return _paired(v.type, re, im)
    return _operation(v.op)(*operands)


def _operation(op: str) -> Callable[..., Array]:
    return FUNCTIONS[op].interpret if op in FUNCTIONS else OPERATIONS[op]


def _paired(type: str, re: Array, im: Array) -> Array:
    result = np.empty(np.broadcast_shapes(np.shape(re), np.shape(im)), type)
    result.real, result.imag = re, im
    return result


def _integer(value: int, type: str) -> Array:
    """A constant, wrapped to its type."""
    if type == "bool":
        return np.asarray(bool(value))
    return np.asarray(value & 0xFFFFFFFFFFFFFFFF, np.uint64).astype(type)


def _cast(x: Array, type: str) -> Array:
    """astype, with x86-64's results for floats out of the integer's range (other machines' NumPy has others)."""
    if x.dtype.kind != "f" or type in FLOATS or type == "bool":
        return x.astype(type)
    if type == "uint64":
        half = x.dtype.type(2.0**63)
        high = x >= half
        value = _truncate(np.where(high, x - half, x), np.int64).astype(np.uint64)
        return np.where(high, value ^ np.uint64(1 << 63), value)
    return _truncate(x, np.int64 if type in ("int64", "uint32") else np.int32).astype(type)


def _truncate(x: Array, type: Any) -> Array:
    limits = np.iinfo(type)
    whole = np.trunc(x)
    inside = (whole >= float(limits.min)) & (whole < -float(limits.min))
    return np.where(inside, np.where(inside, x, 0).astype(type), limits.min)


def _fma(x: Array, y: Array, z: Array) -> Array:
    """One rounding: in exact rational arithmetic for float64 (slow), as expansions rely on."""
    if x.dtype == np.float32:
        # The product of two float32 is exact in float64; the sum rounds twice, which matters only near ties.
        return (x.astype(np.float64) * y.astype(np.float64) + z.astype(np.float64)).astype(np.float32)
    return np.vectorize(_fma_of_doubles, otypes=[np.float64])(x, y, z)


def _fma_of_doubles(x: float, y: float, z: float) -> float:
    from fractions import Fraction

    if not (math.isfinite(x) and math.isfinite(y)) or x == 0.0 or y == 0.0:
        return x * y + z
    if not math.isfinite(z):
        return z
    exact = Fraction(x) * Fraction(y) + Fraction(z)
    if exact == 0:
        return x * y + z  # for the sign of the zero
    try:
        return float(exact)
    except OverflowError:
        return math.inf if exact > 0 else -math.inf


def _keep(function: Callable[[Array], Array]) -> Callable[[Array], Array]:
    """A rounding: integers are whole already."""
    return lambda x: function(x) if x.dtype.kind == "f" else x


def _sign(x: Array) -> Array:
    return x if x.dtype.kind == "b" else np.sign(x)


def _exponent(x: Array) -> Array:
    e = np.frexp(x)[1] - 1
    return np.where(np.isfinite(x) & (x != 0), e.astype(x.dtype), np.where(x == 0, -np.inf, abs(x)))


def _significand(x: Array) -> Array:
    m = np.frexp(x)[0] * 2
    return np.where((x == 0) | (x == np.inf), np.copysign(1, x), np.where(x < 0, np.nan, m))


CONVERSIONS: dict[str, Callable[[Array, str], Array]] = {
    "cast": _cast,
    "bitcast": lambda x, type: np.ascontiguousarray(x).view(type).reshape(np.shape(x)),
}

OPERATIONS: dict[str, Callable[..., Array]] = {
    "neg": np.negative, "abs": np.abs, "sqrt": np.sqrt, "not": np.invert, "sign": _sign,
    "floor": _keep(np.floor), "ceil": _keep(np.ceil), "trunc": _keep(np.trunc), "rint": _keep(np.rint),
    "add": np.add, "sub": np.subtract, "mul": np.multiply, "div": np.true_divide,
    "floordiv": np.floor_divide, "mod": np.remainder, "fmod": np.fmod,
    "and": np.bitwise_and, "or": np.bitwise_or, "xor": np.bitwise_xor, "shl": np.left_shift, "shr": np.right_shift,
    "eq": np.equal, "ne": np.not_equal, "lt": np.less, "le": np.less_equal, "gt": np.greater, "ge": np.greater_equal,
    "exponent": _exponent, "significand": _significand, "ldexp": lambda x, n: np.ldexp(x, n.astype(np.int32)),
    "minimum": np.minimum, "maximum": np.maximum, "copysign": np.copysign, "select": np.where, "fma": _fma,
}  # fmt: skip
