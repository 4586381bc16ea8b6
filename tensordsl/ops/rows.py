"""Makers of rows of elementwise ops, and the dtype rules that several of them share."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from tensordsl.graph.casting import accumulator, float_of, real_of, upcast
from tensordsl.graph.types import CONTINUOUS, FLOATS, SIGNED
from tensordsl.graph.variables import Elementwise, Op
from tensordsl.ops.operands import broadcast, constant

Gradient = Callable[..., Sequence[Any]]
PIECEWISE = "piecewise constant: zero almost everywhere"


def row(
    name: str,
    scalar: Callable[..., Any],
    numpy: Callable[..., Any],
    gradient: Gradient | None = None,
    dtype: Callable[..., str] = upcast,
    loop: Callable[..., tuple[str, ...]] | None = None,
    wide: bool = False,
    widens: bool = True,
    **columns: Any,
) -> Op:
    """A row whose oracle is the NumPy function `numpy` on operands of the loop's dtypes (float64 instead if `wide`)."""

    def same_loop(*dtypes: str) -> tuple[str, ...]:
        return (dtype(*dtypes),) * len(dtypes)

    cast_to = loop or same_loop

    def oracle(*arrays: Any, **attrs: Any) -> Any:
        arrays = tuple(map(np.asarray, arrays))
        dtypes = tuple(str(a.dtype) for a in arrays)
        with np.errstate(all="ignore"):
            to = (accumulator(t) if wide else t for t in cast_to(*dtypes))
            result = numpy(*(a.astype(t) for a, t in zip(arrays, to, strict=True)))
            return np.asarray(result).astype(dtype(*dtypes))

    return Op(name, dtype, broadcast, oracle, Elementwise(scalar, cast_to, widens), gradient, **columns)


def real_function(
    name: str, numpy: Callable[..., Any], gradient: Gradient | None, ulp: float = 4.0, **columns: Any
) -> Op:
    """A row for a real function of `scalar_ir.math.FUNCTIONS`, judged by NumPy in float64."""
    columns.setdefault("dtype", float_of)
    return row(name, lambda b, *x: b.call(name, *x), numpy, gradient, wide=True, ulp=ulp, **columns)


def arithmetic(*dtypes: str) -> str:
    """Promotion, for operations that bools do not have."""
    result = upcast(*dtypes)
    if result == "bool":
        raise TypeError("not defined for bool operands; cast one to an integer, or use ^ | & ~")
    return result


def bitwise(*dtypes: str) -> str:
    result = upcast(*dtypes)
    if result in FLOATS:
        got = ", ".join(dtypes)
        if not any(dtype in FLOATS for dtype in dtypes):
            raise TypeError(f"bitwise operations of {got}: no integer dtype holds them all; cast one")
        raise TypeError(f"bitwise operations want integers or bools, got {got}")
    return result


def shifted(*dtypes: str) -> str:
    result = bitwise(*dtypes)
    if result == "bool":
        raise TypeError("shifts want integers, got bools; cast one of them")
    return result


def always_bool(*dtypes: str) -> str:
    return "bool"


def compared(*dtypes: str) -> tuple[str, ...]:
    """The dtypes that comparisons see: one, but for uint64 beside integers with a sign, as no dtype holds both."""
    common = upcast(*dtypes)
    if common in FLOATS and not set(dtypes) & set(CONTINUOUS):
        return tuple("int64" if t in SIGNED else "uint64" for t in dtypes)
    return ("uint8" if common == "bool" else common,) * len(dtypes)


def float_loop(*dtypes: str) -> tuple[str, ...]:
    return tuple(float_of(t) for t in dtypes)


def like(value: float, g: Any) -> Any:
    """A constant in the dtype of a cotangent, so that it does not widen it."""
    return constant(value, dtype=real_of(g.type.dtype) if g.type.dtype in CONTINUOUS else "float64")
