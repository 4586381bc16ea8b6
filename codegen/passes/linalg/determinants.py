"""Logarithms of determinants as sums: log(abs(det(A))) = sum(log(abs(diag(U)))), which neither overflows nor vanishes.

    log(abs(s prod(x))) = sum(log(abs(x)))        log(s prod(x)) = the same, NaN where s prod(sgn(x)) < 0

Applies where s is a product of signs: the parity of the row exchanges, which is how `det` is lowered.  The gradient has
the same equations of the user's own functions (`ops.math.stable`).
"""

from __future__ import annotations

import math
from functools import partial
from typing import Any

from tensordsl.codegen.passes.context import Context
from tensordsl.codegen.passes.linalg.applications import express
from tensordsl.codegen.passes.patterns import number_of
from tensordsl.codegen.tensor_ir.graph import Value
from tensordsl.graph.types import FLOATS
from tensordsl.ops.array.reduce import prod, sum
from tensordsl.ops.math.comparisons import lt
from tensordsl.ops.math.elementwise import ABS, MUL, abs_, cast, sgn, switch
from tensordsl.ops.math.functions import LOG, log
from tensordsl.ops.operands import constant


def log_of_determinants(ctx: Context, v: Value) -> Value | None:
    """log(abs(det(A))) and log(det(A)) by the sum of the logarithms of the diagonal of A's factor U."""
    if v.attrs["row"] is not LOG:
        return None
    (x,) = v.operands
    is_size = _is_row(x, ABS)
    if is_size:
        (x,) = x.operands
    if not _is_row(x, MUL):
        return None
    for product, signs in (x.operands, x.operands[::-1]):
        terms = _product(product)
        if terms is None or not _is_sign(signs):
            continue
        ctx.hit("log(abs(det(A))) = slogdet(A)[1]" if is_size else "log(det(A)) = slogdet(A)[1]")
        build = partial(_log_of_size if is_size else _log_if_positive, axis=terms.attrs["axes"], dtype=v.dtype)
        return express(ctx, v, build, terms.operands[0], *(() if is_size else (signs,)))
    return None


def _log_of_size(d: Any, axis: Any, dtype: str) -> Any:
    return cast(sum(log(abs_(d)), axis=axis), dtype)


def _log_if_positive(d: Any, s: Any, axis: Any, dtype: str) -> Any:
    is_negative = lt(prod(sgn(d), axis=axis) * s, 0)
    return switch(is_negative, constant(math.nan, dtype=dtype), _log_of_size(d, axis, dtype))


def _is_row(v: Value, row: object) -> bool:
    return v.op == "map" and v.attrs["row"] is row


def _product(v: Value) -> Value | None:
    """The product of elements that v is, in v's or a wider dtype."""
    while v.op == "map" and v.attrs["row"].name == "cast" and {v.dtype, v.operands[0].dtype} <= set(FLOATS):
        (v,) = v.operands
    return v if v.op == "reduce" and v.attrs["reducer"].name == "prod" and v.dtype in FLOATS else None


def _is_sign(v: Value) -> bool:
    """Whether each element of v is 1 or -1."""
    product = _product(v)
    if product is None:
        return False
    (x,) = product.operands
    while x.op == "map" and x.attrs["row"].name == "cast":
        (x,) = x.operands
    return _is_choice(x)


def _is_choice(x: Value) -> bool:
    if x.op != "map" or x.attrs["row"].name != "switch":
        return False
    return all(number_of(o) in (1, -1) for o in x.operands[1:])
