"""Products by structure: with diagonal matrices as broadcast products, and diagonals and traces of products as sums.

    diag(d) B = d[:, None] B        B diag(d) = B d        diag(A B)[i] = sum_k A[i, k] B[k, i]

The work is that of the elements that count.  A product with a diagonal matrix adds up no zeros, so infinities and NaN
of B stay in their places.
"""

from __future__ import annotations

from tensordsl.codegen.passes.canonicalise import sliced
from tensordsl.codegen.passes.context import Context
from tensordsl.codegen.passes.linalg.applications import express
from tensordsl.codegen.passes.linalg.structure import are_aligned, are_square, structure, transposed
from tensordsl.codegen.tensor_ir.construct import DOT
from tensordsl.codegen.tensor_ir.extents import Length
from tensordsl.codegen.tensor_ir.graph import Value
from tensordsl.ops.array.index import diagonal
from tensordsl.ops.array.reduce import SUM
from tensordsl.ops.math.elementwise import MUL


def multiply_by_diagonals(ctx: Context, v: Value) -> Value | None:
    """diag(d) B = d[:, None] B, B diag(d) = B d, and B eye = B."""
    if len(v.operands) != 2 or v.attrs or not ctx.has_masks() or not are_aligned(ctx.graph, *v.operands):
        return None
    for k, d in enumerate(v.operands):
        other = v.operands[1 - k]
        if d.rank < 2 or not are_square(ctx.graph, d):
            continue
        s = structure(ctx.graph, d)
        if s.is_identity:
            ctx.hit("B eye = B")
            return other
        if s.is_diagonal:
            ctx.hit("B diag(d) = B d" if k else "diag(d) B = d[:, None] B")
            return _scaled(ctx, v, other, diagonal_of(ctx, v, d), is_row=bool(k))
    return None


def _scaled(ctx: Context, v: Value, x: Value, d: Value, is_row: bool) -> Value:
    """x by rows, or by columns; a vector x by elements."""
    g, n = ctx.graph, d.rank - 1
    if x.rank > d.rank:
        place = (*range(n), n + 1 if is_row else n)
        shape = [*d.shape[:n], 1, d.shape[n]] if is_row else [*d.shape, 1]
        d = g.move(d, place, shape)
    return g.map(MUL, x, d)


def diagonal_of(ctx: Context, v: Value, x: Value) -> Value:
    """The diagonals of the matrices x; of a matrix that a vector was put on the diagonal of: that vector."""
    vector = _on_diagonal(ctx, x)
    if vector is not None:
        return vector
    return express(ctx, v, lambda a: diagonal(a, 0, a.type.ndim - 2, a.type.ndim - 1), x)


def _on_diagonal(ctx: Context, x: Value) -> Value | None:
    """v, where x = switch(eye, v, 0)."""
    if x.op != "map" or x.attrs["row"].name != "switch" or not structure(ctx.graph, x.operands[0]).is_identity:
        return None
    moved = x.operands[1]
    n = x.rank - 1
    if moved.op != "move" or moved.operands[0].rank != n or moved.shape[-2:].count(1) != 1:
        return None
    places = (*range(n - 1), n if moved.shape[-2] == 1 else n - 1)
    return moved.operands[0] if moved.attrs["map"] == places else None


def sum_diagonals(ctx: Context, v: Value) -> Value | None:
    """diag(A B)[i] = sum_k A[i, k] B[k, i], so that trace(A B) is a sum of products."""
    product, moved = v.operands[0], False
    if product.op == "move" and product.rank == 3 and product.attrs["map"] == (2, 0, 1) and ctx.is_sole(product):
        product, moved = product.operands[0], True
    if product.op != DOT or len(product.operands) != 2 or product.attrs or not ctx.is_sole(product):
        return None
    if not are_aligned(ctx.graph, *product.operands):
        return None
    i, j = v.operands[1:] if len(v.operands) == 3 else (None, v)
    if i is not j or j.op != "iota" or v.attrs["axes"] != (0, 1) or product.rank != 2 + moved:
        return None
    g, length = ctx.graph, j.shape[0]
    x, y = product.operands
    shortest = g.extents.minimum(*map(g.extents.find, product.shape[-2:]))
    if g.extents.find(length) != shortest:
        return None
    ctx.hit("diag(A B) = sum(A * B.T)")
    n = x.rank - 2
    x, y = _first_rows(ctx, x, length), _first_rows(ctx, transposed(g, y), length)
    total = g.reduce(SUM.meaning, 0, (n + 1,), [g.map(MUL, x, y)])
    return g.move(total, (1, 0), v.shape) if moved else total


def _first_rows(ctx: Context, x: Value, length: Length) -> Value:
    shape = (*x.shape[:-2], length, x.shape[-1])
    return sliced(ctx, x, tuple((0, n, 1, True) for n in shape), (), shape)
