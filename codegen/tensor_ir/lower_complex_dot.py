"""Complex matrix products as real ones of interleaved numbers; with a vector, as sums.

Rows of y are rows of twice as many real numbers: with P = re(x) y and Q = im(x) y, x y = P + i Q.  Where terms of a sum
are adjacent in both, re(x y') is the real product of x and conj(y)', im(x y') that of x and i conj(y)'.
"""

from __future__ import annotations

import numpy as np

from tensordsl.codegen.tensor_ir import extents as ex
from tensordsl.codegen.tensor_ir.construct import DOT, PAIRS, PART, SUBTENSOR
from tensordsl.codegen.tensor_ir.graph import Graph, Value
from tensordsl.graph.casting import real_of
from tensordsl.ops.array.reduce import SUM
from tensordsl.ops.math.elementwise import ADD, MUL, NEG, SUB, SWITCH


def complex_dot(g: Graph, x: Value, y: Value) -> Value:
    """x y of two complex values of one dtype, which are pairs of their parts (`lower_complex`)."""
    left, right = transposed_source(g, x), transposed_source(g, y)
    if left is not None and (y.rank == 1 or right is not None):
        made = complex_dot(g, y if right is None else right, left)
        return made if made.rank < 2 else transposed(g, made)
    if y.rank == 1:
        return by_sums(g, x, y)
    if right is not None:
        return by_sums(g, right, x) if x.rank == 1 else transposed(g, by_terms(g, right, x))
    return by_rows(g, x, y)


def by_sums(g: Graph, x: Value, y: Value) -> Value:
    """x y of a vector y: sums of products, which read the numbers where they are, whatever the layout."""
    if x.rank == 2:  # values computed from the vector are used again for each row
        y = stored(g, y)
    parts = [g.broadcast_to(v, x.shape) for v in y.operands]

    def total(j: int, k: int) -> Value:
        return g.reduce(SUM.meaning, 0, (x.rank - 1,), [g.map(MUL, x.operands[j], parts[k])])

    re, im = g.map(SUB, total(0, 0), total(1, 1)), g.map(ADD, total(0, 1), total(1, 0))
    return g.make("complex", (re, im), x.dtype, re.shape)


def stored(g: Graph, v: Value) -> Value:
    """The same value as an array of complex numbers in memory."""
    pairs = in_pairs(g, v)
    whole = pairs.operands[0] if pairs.operands[0] is not v else g.make(PAIRS, (pairs,), v.dtype, v.shape)
    return g.make("complex", re_im(g, whole), v.dtype, v.shape)


def by_rows(g: Graph, x: Value, y: Value) -> Value:
    shape = (*x.shape[:-1], y.shape[-1])
    (p_re, p_im), (q_re, q_im) = (re_im(g, v) for v in _together(g, x, in_pairs(g, y)))
    return g.make("complex", (g.map(SUB, p_re, q_im), g.map(ADD, p_im, q_re)), x.dtype, shape)


def _together(g: Graph, x: Value, pairs: Value) -> list[Value]:
    """P and Q as one product: the real parts of x stand above the imaginary ones."""
    *rows, terms = x.shape
    above = g.const(np.array([True, False]).reshape(2, *([1] * x.rank)))
    stacked = g.broadcast_to(g.map(SWITCH, above, *x.operands), (2, *rows, terms))
    count, columns = ex.mul(2, ex.product(rows)), ex.floordiv(pairs.shape[-1], 2)
    product = g.make(DOT, (g.reshape(stacked, (count, terms)), pairs), pairs.dtype, (count, pairs.shape[-1]))
    both = g.make(PAIRS, (product,), x.dtype, (2, *rows, columns))
    bounds = tuple((0, n, 1, True) for n in (*rows, columns))
    halves = [((k, 1, 1, False), *bounds) for k in (0, 1)]
    return [g.make(SUBTENSOR, (both,), x.dtype, (*rows, columns), bounds=h, checks=()) for h in halves]


def by_terms(g: Graph, x: Value, y: Value) -> Value:
    """x y', where rows of y have as many terms as those of x."""
    rows, terms = y.shape
    shape = rows, 2, terms
    re, im = (g.move(part, (0, 2), (rows, 1, terms)) for part in y.operands)
    is_first = g.const(np.array([[True], [False]]))
    both = [g.broadcast_to(g.map(SWITCH, is_first, *pair), shape) for pair in ((re, im), (g.map(NEG, im), re))]
    pairs, others = in_pairs(g, x), in_pairs(g, g.make("complex", both, y.dtype, shape))
    count, length = ex.mul(2, rows), others.shape[-1]
    turned_ = g.move(g.reshape(others, (count, length)), (1, 0), (length, count))
    product = g.make(DOT, (pairs, turned_), pairs.dtype, (*x.shape[:-1], count))
    made = g.make(PAIRS, (product,), x.dtype, (*x.shape[:-1], rows))
    return g.make("complex", re_im(g, made), made.dtype, made.shape)


def in_pairs(g: Graph, v: Value) -> Value:
    """Each number of its rows as two adjacent real ones."""
    re, im = v.operands
    if re.op == im.op == PART and re.operands == im.operands and (re.attrs["k"], im.attrs["k"]) == (0, 1):
        v = re.operands[0]
    return g.make(PAIRS, (v,), real_of(v.dtype), (*v.shape[:-1], ex.mul(2, v.shape[-1])))


def re_im(g: Graph, v: Value) -> tuple[Value, Value]:
    re, im = (g.make(PART, (v,), real_of(v.dtype), v.shape, k=k) for k in (0, 1))
    return re, im


def transposed_source(g: Graph, v: Value) -> Value | None:
    """The matrix of which it is the transpose."""
    if v.rank != 2 or any(part.op != "move" or part.attrs["map"] != (1, 0) for part in v.operands):
        return None
    return g.make("complex", [part.operands[0] for part in v.operands], v.dtype, v.shape[::-1])


def transposed(g: Graph, v: Value) -> Value:
    shape = v.shape[::-1]
    return g.make("complex", [g.move(part, (1, 0), shape) for part in v.operands], v.dtype, shape)
