"""Solves by structure: what an inverse multiplies is solved for, and factors that are known solve.

    inv(A) b = A \\ b           b inv(A) = (A' \\ b')'          inv(inv(A)) = A
    A \\ b                      by triangular solves, a division, a transpose, or a Cholesky factor of A

Applies to `lu_solve` of `lu_factor` and to `solve_triangular`, which all solves and their gradients are made of.  Ref:
N. Higham: "Accuracy and stability of numerical algorithms", 2002, section 14.1, on errors of products with inverses.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from tensordsl.codegen.passes.context import Context
from tensordsl.codegen.passes.linalg.applications import Application, application, express, known, readers_of, replaces
from tensordsl.codegen.passes.linalg.factors import known_factor
from tensordsl.codegen.passes.linalg.products import diagonal_of
from tensordsl.codegen.passes.linalg.structure import (
    are_aligned,
    are_square,
    factors_of,
    has_matrices,
    is_symmetric,
    of_each,
    structure,
    transposed,
)
from tensordsl.codegen.tensor_ir import extents as ex
from tensordsl.codegen.tensor_ir.construct import DOT, LU_FACTOR, LU_SOLVE, RESHAPE, SOLVE_TRIANGULAR
from tensordsl.codegen.tensor_ir.graph import Graph, Value
from tensordsl.graph.variables import apply
from tensordsl.ops.array.shape import dimshuffle
from tensordsl.ops.linalg import factorise, solve, triangular

SOLVES = (LU_SOLVE, SOLVE_TRIANGULAR)
Solver = Callable[[Value, int], Value | None]  # of right-hand sides, and whether the matrix is transposed


# -- products with inverses --------------------------------------------------------------------------------------------
def solve_for_inverses(ctx: Context, v: Value) -> Value | None:
    """inv(A) b = solve(A, b) and b inv(A) = solve(A', b')', where only products use the inverse."""
    g = ctx.graph
    if len(v.operands) != 2 or v.attrs or not are_aligned(g, *v.operands):
        return None
    x, y = v.operands
    for inverse, other, is_right in ((x, y, False), (y, x, True)):
        if inverse.rank < 2 or not (other.rank == inverse.rank or other.rank == 1):
            continue
        batch = None
        if inverse.op == RESHAPE and has_matrices(g, inverse) and other.rank > 2 and _is_multiplied(ctx, inverse):
            inverse = inverse.operands[0]  # of batches along several axes, which a product has along one
            batch = inverse.shape[:-2]
        solver = _inverse(ctx, inverse)
        if solver is None:
            continue
        columns = other if batch is None else of_each(g, other, batch)
        if other.rank == 1:
            columns = g.move(other, (0,), (other.shape[0], 1))
        elif is_right:
            columns = transposed(g, columns)
        found = solver(columns, int(is_right))
        if found is None:
            continue
        ctx.hit("b inv(A) = solve(A', b')'" if is_right else "inv(A) b = solve(A, b)")
        if other.rank == 1:
            return g.move(found, (0, None), v.shape)
        found = transposed(g, found) if is_right else found
        return found if batch is None else of_each(g, found, v.shape[:-2])
    return None


def _inverse(ctx: Context, v: Value) -> Solver | None:
    """How the matrix is solved by whose inverse v is, if only products read v."""
    g, flag, steps = ctx.graph, 0, []
    if v.op == "move" and v.rank > 1 and v.operands[0].rank == v.rank and _is_transpose(v):
        if not _only_products(ctx, v):
            return None
        v, flag = v.operands[0], 1
    while True:
        found = application(g, v)
        if found is None or found.name not in SOLVES or found.k or not _only_products(ctx, v):
            return None
        *matrix, rhs = found.operands
        rows, columns = map(g.extents.find, matrix[0].shape[-2:])
        if rows != columns:  # as of code that a call may leave out
            return None
        steps.append((found, matrix, v))
        if structure(g, rhs).is_identity:
            break
        v = rhs

    def lengths(shape: Sequence[Any]) -> list[Any]:
        return [g.extents.find(n) for n in shape]

    def solver(columns: Value, trans: int) -> Value | None:
        """None where lengths are not known to be equal, as of code that a call may leave out."""
        rows = lengths(columns.shape[:-1])
        for _, (matrix, *pivots), _ in steps:
            if any(lengths(shape) != rows for shape in (matrix.shape[:-1], *(p.shape for p in pivots))):
                return None
        is_transposed = flag != trans
        for step, factors, at in steps if is_transposed else reversed(steps):
            columns = _with(ctx, at, step, factors, columns, is_transposed)
        return columns

    return solver


def _with(ctx: Context, at: Value, found: Application, matrix: list[Value], rhs: Value, is_transposed: bool) -> Value:
    """The solve once more, for other right-hand sides."""
    attrs = {**found.attrs, "trans": int(bool(found.attrs["trans"]) != is_transposed)}
    row = solve.LU_SOLVE if found.name == LU_SOLVE else triangular.SOLVE_TRIANGULAR
    return express(ctx, at, lambda *operands: apply(row, *operands, **attrs), *matrix, rhs)


def _is_transpose(v: Value) -> bool:
    n = v.rank - 2
    return bool(v.attrs["map"] == (*range(n), n + 1, n))


def _only_products(ctx: Context, v: Value) -> bool:
    """Whether products alone read v: directly, transposed, or as right-hand sides of a solve that makes an inverse."""
    readers = readers_of(ctx, v)
    if len(readers) < ctx.users.get(v.number, 1):  # a result of the function, or made by this pass
        return not readers and ctx.is_sole(v)
    return all(r.op == DOT or _is_right_side(ctx.graph, r, v) or _is_multiplied(ctx, r) for r in readers)


def _is_right_side(g: Graph, reader: Value, v: Value) -> bool:
    """Whether a solve reads v as its right-hand sides."""
    found = application(g, reader)
    return found is not None and found.name in SOLVES and found.node is reader and reader.operands[-1] is v


def _is_multiplied(ctx: Context, v: Value) -> bool:
    """Whether v is a transpose, or has other axes of batches, and only products read it."""
    is_moved = v.op == "move" and v.rank > 1 and _is_transpose(v)
    if not is_moved and not (v.op == RESHAPE and has_matrices(ctx.graph, v)):
        return False
    readers = readers_of(ctx, v)
    return len(readers) == ctx.users.get(v.number, 1) and all(r.op == DOT for r in readers)


# -- solves by structure -----------------------------------------------------------------------------------------------
def solve_by_structure(ctx: Context, v: Value) -> Value | None:
    """A solve by what is known of the matrix: triangular, diagonal, orthogonal, a product of such, an inverse, or one
    whose Cholesky factor the function has."""
    found = replaces(ctx, v, SOLVES)
    if found is None or not are_aligned(ctx.graph, found.operands[0], found.operands[-1]):
        return None
    trans = int(bool(found.attrs["trans"]))
    shared = _by_the_same_solve(ctx, v, found)
    if shared is not None:
        return shared
    if found.name == SOLVE_TRIANGULAR:
        return _of_triangle(ctx, v, found)
    lu, _, b = found.operands
    of = application(ctx.graph, lu)
    if of is None or of.name != LU_FACTOR or of.k:
        return None
    (a,) = of.operands
    new = _solved(ctx, v, a, b, trans, 0)
    if new is not None:
        return new
    if trans and is_symmetric(ctx.graph, a):
        ctx.hit("solve(A', b) = solve(A, b) for a symmetric A")
        return express(ctx, v, lambda *o: apply(solve.LU_SOLVE, *o, trans=0), *found.operands)
    return _by_the_others_factors(ctx, v, a, b, trans)


def _solved(ctx: Context, v: Value, a: Value, b: Value, trans: int, depth: int) -> Value | None:
    """The solution of A x = b, or A' x = b, without factors of A that are not known."""
    g = ctx.graph
    if not are_square(g, a) or depth > ctx.tuning.structure_max_products:
        return None
    s = structure(g, a)
    if s.is_identity:
        ctx.hit("solve(eye, b) = b")
        return b
    if s.is_diagonal:
        ctx.hit("solve(diag(d), b) = b / d")
        return divided(ctx, v, b, diagonal_of(ctx, v, a))
    if s.is_lower or s.is_upper:
        ctx.hit("solve of a triangular matrix")
        return solve_triangle(ctx, v, a, b, s.is_lower, trans)
    if s.is_orthogonal:
        ctx.hit("solve(Q, b) = Q' b")
        return _product(g, a if trans else transposed(g, a), b)
    whole = _inverted(ctx, a)
    if whole is not None:
        ctx.hit("solve(inv(A), b) = A b")
        return _product(g, transposed(g, whole) if trans else whole, b)
    factor = known_factor(ctx, v, a)
    if factor is not None:
        ctx.hit("solve(L L', b) = solve(L', solve(L, b))")
        inner = solve_triangle(ctx, v, factor, b, True, 0)
        return solve_triangle(ctx, v, factor, inner, True, 1)
    parts = factors_of(g, a)
    if parts is None or not all(_is_solved(g, o) for o in parts):
        return None
    ctx.hit("solve(A B, b) = solve(B, solve(A, b))")
    for part in reversed(parts) if trans else parts:
        solved = _solved(ctx, v, part, b, trans, depth + 1)
        assert solved is not None
        b = solved
    return b


def _is_solved(g: Graph, v: Value) -> bool:
    s = structure(g, v)
    return are_square(g, v) and (s.is_lower or s.is_upper or s.is_orthogonal)


def _inverted(ctx: Context, v: Value) -> Value | None:
    """A, where v = inv(A)."""
    g = ctx.graph
    found = application(g, v)
    if found is None or found.name != LU_SOLVE or not structure(g, found.operands[2]).is_identity:
        return None
    of = application(g, found.operands[0])
    if of is None or of.name != LU_FACTOR:
        return None
    (a,) = of.operands
    return transposed(g, a) if found.attrs["trans"] else a


def _by_the_others_factors(ctx: Context, v: Value, a: Value, b: Value, trans: int) -> Value | None:
    """solve(A', b) by the factors of A, where the function has these."""
    if a.op != "move" or a.operands[0].rank != a.rank or not _is_transpose(a) or not are_square(ctx.graph, a):
        return None
    origin = a.operands[0]
    if origin.number not in known(ctx).pairs:
        return None
    ctx.hit("solve(A', b) by the factors of A")

    def build(x: Any, rhs: Any) -> Any:
        return apply(solve.LU_SOLVE, *apply(factorise.LU_FACTOR, x), rhs, trans=1 - trans)

    return express(ctx, v, build, origin, b)


def _by_the_same_solve(ctx: Context, v: Value, found: Application) -> Value | None:
    """solve(A, c b) = c solve(A, b) for a number c, where the function has the latter, as gradients of quadratic forms
    do."""
    g = ctx.graph
    *matrix, b = found.operands
    if (of_number := _without_factor(g, b)) is None:
        return None
    rest, rebuilt = of_number
    if (*(o.number for o in matrix), rest.number) not in known(ctx).solved:
        return None
    ctx.hit("solve(A, c b) = c solve(A, b)")
    again = _with(ctx, v, found, matrix, rest, False)
    return rebuilt(solve_by_structure(ctx, again) or again)


def _without_factor(g: Graph, b: Value) -> tuple[Value, Callable[[Value], Value]] | None:
    """(x, how c x is made) for b = c x, where c is a number, behind a move."""
    inner = b.operands[0] if b.op == "move" else b
    if inner.op != "map" or inner.attrs["row"].name not in ("neg", "mul", "true_div"):
        return None
    row, operands = inner.attrs["row"], inner.operands
    wide = [k for k, o in enumerate(operands) if o.shape == inner.shape and o.dtype == inner.dtype]
    if (
        len(wide) != 1
        or any(o.rank for k, o in enumerate(operands) if k != wide[0])
        or (row.name == "true_div" and wide[0])
    ):
        return None
    rest = operands[wide[0]]
    if b.op == "move":
        rest = g.move(rest, b.attrs["map"], b.shape)
    return rest, lambda x: g.map(row, *(x if k == wide[0] else o for k, o in enumerate(operands)))


def _of_triangle(ctx: Context, v: Value, found: Application) -> Value | None:
    """A solve with a triangle of a matrix: of a diagonal one, of a transpose, of the identity."""
    g, (a, b), attrs = ctx.graph, found.operands, found.attrs
    if not are_square(g, a):
        return None
    s = structure(g, a)
    if s.is_identity:
        ctx.hit("solve(eye, b) = b")
        return b
    if s.is_diagonal and not attrs["unit_diagonal"]:
        ctx.hit("solve(diag(d), b) = b / d")
        return divided(ctx, v, b, diagonal_of(ctx, v, a))
    if a.op == "move" and a.operands[0].rank == a.rank and _is_transpose(a):
        ctx.hit("solve_triangular(A', b) by A")
        other = {**attrs, "lower": not attrs["lower"], "trans": int(not attrs["trans"])}
        return express(ctx, v, lambda *o: apply(triangular.SOLVE_TRIANGULAR, *o, **other), a.operands[0], b)
    return None


def solve_triangle(ctx: Context, v: Value, a: Value, b: Value, lower: bool, trans: int) -> Value:
    if a.op == "move" and a.operands[0].rank == a.rank and _is_transpose(a):
        a, lower, trans = a.operands[0], not lower, 1 - trans
    attrs: dict[str, Any] = {"lower": lower, "trans": trans, "unit_diagonal": False}
    return express(ctx, v, lambda *o: apply(triangular.SOLVE_TRIANGULAR, *o, **attrs), a, b)


def divided(ctx: Context, v: Value, b: Value, d: Value) -> Value:
    """b / d along rows; a zero in d fails as a singular matrix does."""

    def build(x: Any, y: Any) -> Any:
        from tensordsl.ops.array.reduce import all as every
        from tensordsl.ops.control import require
        from tensordsl.ops.math.comparisons import neq

        y = require(y, every(neq(y, 0)), "solve: the matrix is singular: an element of its diagonal is 0", "linalg")
        return x / dimshuffle(y, (*range(y.type.ndim), "x"))

    return express(ctx, v, build, b, d)


def _product(g: Graph, x: Value, y: Value) -> Value:
    if x.rank > 3:
        batch, one = x.shape[:-2], (ex.product(x.shape[:-2]),)
        return of_each(g, _product(g, of_each(g, x, one), of_each(g, y, one)), batch)
    return g.make(DOT, (x, y), x.dtype, (*x.shape[:-1], y.shape[-1]))
