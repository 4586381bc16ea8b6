"""Factorisations by structure: factors of matrices that are triangular, or products of triangular ones, are known.

    lu_factor(U) = U                       lu_factor(L U) = the lower half of L / diag(L), the upper one of diag(L) U
    cholesky(L L') = L sgn(diag(L))        and of an A whose Cholesky factor the function has: from that one

No row changes places in these, so pivots are 0, 1, ...  What is left of a determinant is the product of a diagonal.
"""

from __future__ import annotations

from typing import Any

from tensordsl.codegen.passes.context import Context
from tensordsl.codegen.passes.linalg.applications import application, express, known, replaces
from tensordsl.codegen.passes.linalg.structure import (
    are_exchanged,
    are_square,
    factors_of,
    is_symmetric,
    structure,
    transposed,
)
from tensordsl.codegen.tensor_ir.construct import CHOLESKY, LU_FACTOR
from tensordsl.codegen.tensor_ir.graph import Value
from tensordsl.ops.array.reduce import all as every
from tensordsl.ops.array.shape import dimshuffle
from tensordsl.ops.control import require
from tensordsl.ops.linalg.matrices import diagonal_of, failure, strictly_lower_of, upper_of
from tensordsl.ops.math.comparisons import lt, neq
from tensordsl.ops.math.elementwise import switch
from tensordsl.ops.operands import constant


def known_factor(ctx: Context, v: Value, a: Value) -> Value | None:
    """The lower Cholesky factor of a symmetric matrix, where the function computes it in any case, and raises an error
    where there is none."""
    g = ctx.graph
    entry = known(ctx).factors.get(a.number)
    if entry is None or not is_symmetric(g, a):
        return None
    factor, lower = entry
    if not factor.loops <= v.loops or factor.dtype != v.dtype and v.dtype != "int32":
        return None
    return factor if lower else transposed(g, factor)


def factor_by_structure(ctx: Context, v: Value) -> Value | None:
    """The factors of triangular matrices, and of products of triangular ones, from these."""
    found = replaces(ctx, v, (LU_FACTOR, CHOLESKY))
    if found is None or not are_square(ctx.graph, found.operands[0]):
        return None
    (a,) = found.operands
    if found.name == CHOLESKY:
        return _of_cholesky(ctx, v, a, **found.attrs)
    if found.k > 1:
        return None
    pair = _lower_and_upper(ctx, v, a)
    if pair is None:
        return None
    g = ctx.graph
    ctx.hit("lu_factor of triangular factors")
    if found.k == 1:
        return g.broadcast_to(g.cast(g.iota(v.shape[-1]), v.dtype), v.shape)
    lower, upper = pair
    if lower is None:
        assert upper is not None
        return upper
    return express(ctx, v, _packed, lower, *(() if upper is None else (upper,)))


def _packed(lower: Any, upper: Any = None) -> Any:
    """L D^-1 below the diagonal, and D U from there on, where D is the diagonal of L; U is the identity if left out."""
    d = diagonal_of(lower)
    unit = strictly_lower_of(lower / dimshuffle(d, (*range(d.type.ndim - 1), "x", d.type.ndim - 1)))
    column = dimshuffle(d, (*range(d.type.ndim), "x"))
    if upper is not None:
        return unit + upper_of(column * upper)
    from tensordsl.ops.linalg.matrices import offsets
    from tensordsl.ops.math.comparisons import eq

    return switch(eq(offsets(lower), 0), column, unit)


def _lower_and_upper(ctx: Context, v: Value, a: Value) -> tuple[Value | None, Value | None] | None:
    """(L, U) with A = L U; one of them is None if it is the identity."""
    g = ctx.graph
    s = structure(g, a)
    if s.is_upper:
        return None, a
    if known(ctx).shows_factors:
        return None
    if s.is_lower:
        return a, None
    parts = factors_of(g, a)
    if parts is not None and are_square(g, parts[0]) and structure(g, parts[0]).is_lower:
        if structure(g, parts[1]).is_upper:
            return parts
    factor = known_factor(ctx, v, a)
    return None if factor is None else (factor, transposed(g, factor))


def _of_cholesky(ctx: Context, v: Value, a: Value, lower: bool, on_error: str) -> Value | None:
    """L, its columns by the signs of its diagonal, for A = L L'."""
    g = ctx.graph
    parts = factors_of(g, a)
    if parts is None or not are_square(g, parts[0]) or not structure(g, parts[0]).is_lower:
        return None
    x, y = parts
    if not are_exchanged(x, y, (x.rank - 2, x.rank - 1), x.rank):
        return None
    ctx.hit("cholesky(L L') = L")
    made = application(g, x)
    is_factor = made is not None and made.name == CHOLESKY and made.attrs["on_error"] == "raise"
    found = x if is_factor else express(ctx, v, lambda m: _of_positive_diagonal(m, on_error), x)
    return found if lower else transposed(g, found)


def _of_positive_diagonal(x: Any, on_error: str) -> Any:
    d = diagonal_of(x)
    one = constant(1, dtype=x.type.dtype)
    signs = switch(lt(d, 0), -one, one)
    found = x * dimshuffle(signs, (*range(d.type.ndim - 1), "x", d.type.ndim - 1))
    if on_error == "raise":
        return require(found, every(neq(d, 0)), str(failure(CHOLESKY)), "linalg")
    is_definite = every(neq(d, 0), axis=d.type.ndim - 1)
    return switch(
        dimshuffle(is_definite, (*range(d.type.ndim - 1), "x", "x")), found, constant(float("nan"), dtype=x.type.dtype)
    )
