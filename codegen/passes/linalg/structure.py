"""The structure of a value: what is known of its elements as matrices, proven from how the value is made.

`structure(graph, v)` -> `Structure`: a band outside of which the matrices in the last two axes have zeros (triangular,
diagonal), symmetries under an exchange of two axes, orthogonality.  Computed once for a value, operands first, so in
time linear in the graph.  Nothing is known unless a rule below says so.

Facts hold for finite operands (0 * inf is a NaN in the place of a zero), symmetries up to rounding.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import combinations
from typing import Any

import numpy as np

from tensordsl.base.records import record
from tensordsl.codegen.passes.linalg.applications import application
from tensordsl.codegen.passes.patterns import number_of
from tensordsl.codegen.tensor_ir.construct import (
    ASSERT,
    CHOLESKY,
    DOT,
    EIGH,
    IN_BOUNDS,
    INC_TAKE,
    LU_FACTOR,
    LU_SOLVE,
    QR,
    RESHAPE,
    SOLVE_TRIANGULAR,
    SVD,
)
from tensordsl.codegen.tensor_ir.graph import Graph, Value
from tensordsl.graph.types import DISCRETE, FLOATS, SIGNED

Pair = tuple[int, int]
_INF = math.inf


@record
class Structure:
    """low, high: elements at column - row outside of low ... high are zeros.  is_mask: those inside are ones.  signs:
    of the pairs of axes whose exchange gives the same tensor (1) or its negative (-1).  is_orthogonal: square matrices
    whose transpose is their inverse.  position: (r, c, k), where elements are the integers r row + c column + k."""

    low: float = -_INF
    high: float = _INF
    is_mask: bool = False
    signs: tuple[tuple[Pair, int], ...] = ()
    is_orthogonal: bool = False
    position: tuple[int, int, int] | None = None

    @property
    def is_lower(self) -> bool:
        return self.high <= 0

    @property
    def is_upper(self) -> bool:
        return self.low >= 0

    @property
    def is_diagonal(self) -> bool:
        return self.low >= 0 >= self.high

    @property
    def is_identity(self) -> bool:
        return self.is_mask and self.low == self.high == 0


NOTHING = Structure()


def structure(g: Graph, v: Value) -> Structure:
    """What is known of v."""
    known = g.structures
    if v.number in known:
        return known[v.number]  # type: ignore[no-any-return]  # other rooms keep what they like
    stack = [v]
    while stack:
        top = stack[-1]
        missing = [o for o in top.operands if o.number not in known] if top.number not in known else []
        if missing:
            stack += missing
            continue
        stack.pop()
        if top.number not in known:
            rule = _RULES.get(top.op, _of_application)
            known[top.number] = _with_symmetry(g, top, rule(g, top, [known[o.number] for o in top.operands]))
    return known[v.number]  # type: ignore[no-any-return]


def _with_symmetry(g: Graph, v: Value, s: Structure) -> Structure:
    """s of v; diagonal matrices are symmetric."""
    last = v.rank - 2, v.rank - 1
    if not s.is_diagonal or not are_square(g, v) or dict(s.signs).get(last) == 1:
        return s
    signs = (*((pair, sign) for pair, sign in s.signs if pair != last), (last, 1))
    return Structure(s.low, s.high, s.is_mask, signs, s.is_orthogonal, s.position)


def is_symmetric(g: Graph, v: Value) -> bool:
    """Whether the matrices in the last two axes are equal to their transposes."""
    return v.rank > 1 and dict(structure(g, v).signs).get((v.rank - 2, v.rank - 1)) == 1


def are_square(g: Graph, v: Value) -> bool:
    """Whether the matrices in the last two axes are square, whatever a call brings."""
    return v.rank > 1 and g.extents.find(v.shape[-1]) == g.extents.find(v.shape[-2])


def are_aligned(g: Graph, x: Value, y: Value) -> bool:
    """Whether x y is a product, and the batches are the same, whatever a call brings: nothing has to be checked."""
    find = g.extents.find
    rows = y.shape[-2] if y.rank > 1 else y.shape[0]
    batches = [list(map(find, v.shape[:-2])) for v in (x, y) if v.rank > 1]
    return find(x.shape[-1]) == find(rows) and batches.count(batches[0]) == len(batches)


def transposed(g: Graph, v: Value) -> Value:
    """The transposes of the matrices in the last two axes."""
    n = v.rank - 2
    return g.move(v, (*range(n), n + 1, n), (*v.shape[:n], v.shape[-1], v.shape[-2]))


# -- rules of constructs ---------------------------------------------------------------------------------------------
def _of_const(g: Graph, v: Value, _: Sequence[Structure]) -> Structure:
    data = v.attrs["data"]
    if data.size == 1:
        is_zero = not data.any()
        whole = int(data.item()) if v.dtype in DISCRETE and v.dtype != "bool" else None
        position = None if whole is None else (0, 0, whole)
        return Structure(_INF, -_INF, position=position) if is_zero else Structure(position=position)
    if data.ndim != 2 or data.size > g.tuning.passes.fold_max_elements:
        return NOTHING
    rows, columns = np.nonzero(data)
    offsets = columns - rows
    low, high = (int(offsets.min()), int(offsets.max())) if offsets.size else (_INF, -_INF)
    is_square = data.shape[0] == data.shape[1]
    signs = (((0, 1), 1),) if is_square and np.array_equal(data, data.T) else ()
    is_mask = is_square and low == high == 0 and bool((np.diagonal(data) == 1).all())
    return Structure(low, high, is_mask, signs)


def _of_iota(g: Graph, v: Value, _: Sequence[Structure]) -> Structure:
    return Structure(position=(0, 1, 0))


def _of_move(g: Graph, v: Value, known: Sequence[Structure]) -> Structure:
    x, (s,), places = v.operands[0], known, v.attrs["map"]
    rank = v.rank
    low, high, is_mask, is_orthogonal = -_INF, _INF, False, False
    if x.rank == 0:
        low, high, position = s.low, s.high, s.position  # zeros, or a number
    else:
        position = _moved_position(s, x, places, rank)
        if x.rank > 1 and rank > 1:
            last = places[-2:]
            if last == (rank - 2, rank - 1):
                low, high, is_mask, is_orthogonal = s.low, s.high, s.is_mask, s.is_orthogonal
            elif last == (rank - 1, rank - 2):
                low, high, is_mask, is_orthogonal = -s.high, -s.low, s.is_mask, s.is_orthogonal
    signs = _signs(g, rank, lambda pair: _moved_sign(s, places, pair))
    return Structure(low, high, is_mask, signs, is_orthogonal, position)


def _moved_position(s: Structure, x: Value, places: Sequence[int | None], rank: int) -> tuple[int, int, int] | None:
    if s.position is None:
        return None
    r, c, k = s.position
    factors = {x.rank - 2: r, x.rank - 1: c}
    new = [0, 0]
    for axis, factor in factors.items():
        if axis < 0 or factor == 0:
            continue
        place = places[axis]
        if place is None or place < rank - 2:
            return None  # an axis of length 1 that is dropped is at 0, but other batches are not matrices
        new[place - rank + 2] += factor
    return new[0], new[1], k


def _moved_sign(s: Structure, places: Sequence[int | None], pair: Pair) -> int:
    found = [axis for axis, place in enumerate(places) if place in pair]
    if not found:
        return 1
    return dict(s.signs).get((found[0], found[1]), 0) if len(found) == 2 else 0


def _signs(g: Graph, rank: int, rule: Any) -> tuple[tuple[Pair, int], ...]:
    if not 2 <= rank <= g.tuning.passes.structure_max_axes:
        return ()
    return tuple((pair, sign) for pair in combinations(range(rank), 2) if (sign := rule(pair)))


def _of_reduce(g: Graph, v: Value, known: Sequence[Structure]) -> Structure:
    if len(known) > 1 or v.attrs["with_index"] or v.rank < 2:
        return NOTHING
    kept = [d for d in range(v.operands[0].rank) if d not in v.attrs["axes"]]
    signs = dict(known[0].signs)
    is_sum = v.attrs["reducer"].name == "sum"

    def rule(pair: Pair) -> int:
        sign = signs.get((kept[pair[0]], kept[pair[1]]), 0)
        return sign if sign == 1 or is_sum else 0

    return Structure(signs=_signs(g, v.rank, rule))


def _of_dot(g: Graph, v: Value, known: Sequence[Structure]) -> Structure:
    x, y = v.operands[:2]
    if len(v.operands) > 2 or x.rank != y.rank or x.rank < 2:
        return NOTHING
    a, b = known
    last = v.rank - 2, v.rank - 1
    is_orthogonal = a.is_orthogonal and b.is_orthogonal
    signs = ((last, 1),) if _is_symmetric_product(g, x, y) else ()
    return Structure(a.low + b.low, a.high + b.high, signs=signs, is_orthogonal=is_orthogonal)


def _is_symmetric_product(g: Graph, x: Value, y: Value) -> bool:
    """x x', and x s x' for a symmetric s, in either order of its products."""
    n = x.rank - 2
    if are_exchanged(x, y, (n, n + 1), x.rank):
        return True
    if x.op == DOT and len(x.operands) == 2:
        left, middle = x.operands
        if left.rank == y.rank and are_exchanged(left, y, (n, n + 1), x.rank) and is_symmetric(g, middle):
            return True
    if y.op == DOT and len(y.operands) == 2:
        middle, right = y.operands
        if right.rank == x.rank and are_exchanged(x, right, (n, n + 1), x.rank) and is_symmetric(g, middle):
            return True
    return False


def of_each(g: Graph, x: Value, batch: Sequence[Any]) -> Value:
    """The matrices x with other axes of batches in front of them, as many matrices in the same order."""
    if x.op == "move" and x.rank > 2 and x.operands[0].rank == x.rank and x.attrs["map"] == _last_exchanged(x.rank):
        return transposed(g, g.reshape(x.operands[0], (*batch, *x.shape[:-3:-1])))
    return g.reshape(x, (*batch, *x.shape[-2:]))


def _last_exchanged(rank: int) -> tuple[int, ...]:
    return (*range(rank - 2), rank - 1, rank - 2)


def factors_of(g: Graph, v: Value) -> tuple[Value, Value] | None:
    """(x, y) for v = x y, matrices of the same batches; of a reshape to other batches the factors in these."""
    whole = v
    if v.op == RESHAPE and has_matrices(g, v):
        v = v.operands[0]
    if v.op != DOT or len(v.operands) != 2 or v.attrs or any(o.rank != v.rank for o in v.operands):
        return None
    x, y = v.operands
    if not are_aligned(g, x, y):
        return None
    return (x, y) if v is whole else (of_each(g, x, whole.shape[:-2]), of_each(g, y, whole.shape[:-2]))


def has_matrices(g: Graph, v: Value) -> bool:
    """Whether a reshape keeps the matrices in the last two axes."""
    (x,) = v.operands
    find = g.extents.find
    return x.rank > 1 and v.rank > 1 and [find(n) for n in x.shape[-2:]] == [find(n) for n in v.shape[-2:]]


def _of_reshape(g: Graph, v: Value, known: Sequence[Structure]) -> Structure:
    s, last = known[0], v.operands[0].rank - 2
    if not has_matrices(g, v):
        return NOTHING
    sign = dict(s.signs).get((last, last + 1), 0)
    signs = (((v.rank - 2, v.rank - 1), sign),) if sign else ()
    return Structure(s.low, s.high, s.is_mask, signs, s.is_orthogonal)


def _of_inc_take(g: Graph, v: Value, known: Sequence[Structure]) -> Structure:
    """A matrix with elements written at positions that are known now, as a packed triangle's, or on its diagonal."""
    if v.attrs["axes"] != (v.rank - 2, v.rank - 1):
        return NOTHING
    rows, columns = (o.operands[0] if o.op == IN_BOUNDS else o for o in v.operands[2:])
    if rows is columns:
        return Structure(min(known[0].low, 0), max(known[0].high, 0))
    if rows.op != "const" or columns.op != "const" or rows.attrs["data"].size > g.tuning.passes.fold_max_elements:
        return NOTHING
    i, j = rows.attrs["data"], columns.attrs["data"]
    if i.shape != j.shape or not i.size or min(i.min(), j.min()) < 0:
        return NOTHING
    return Structure(min(known[0].low, int((j - i).min())), max(known[0].high, int((j - i).max())))


def _of_assert(g: Graph, v: Value, known: Sequence[Structure]) -> Structure:
    return known[0]


# -- elementwise rows ------------------------------------------------------------------------------------------------
def are_exchanged(x: Value, y: Value, pair: Pair, rank: int) -> bool:
    """Whether y, as an operand of a tensor of this rank, is x with two axes exchanged."""
    (base, at), (other, there) = (_placed(v, rank) for v in (x, y))
    if base is not other:
        return False
    exchange = {pair[0]: pair[1], pair[1]: pair[0]}
    return all(exchange.get(a, a) == b for a, b in zip(at, there, strict=True))


def _placed(v: Value, rank: int) -> tuple[Value, list[int]]:
    """(what v is moved from, the axis of the result for each of its axes; -1: of length 1)."""
    shift = rank - v.rank
    if v.op == "move":
        return v.operands[0], [-1 if a is None else a + shift for a in v.attrs["map"]]
    return v, [-1 if n == 1 else d + shift for d, n in enumerate(v.shape)]


def _of_map(g: Graph, v: Value, known: Sequence[Structure]) -> Structure:
    name = v.attrs["row"].name
    position = _mapped_position(name, v, known) if v.dtype in _WIDE else None
    if v.rank < 2:
        return Structure(position=position)
    band = _compared(name, known) if name in _FLIPPED else _mapped_band(g, name, v, known)
    is_mask = name in _FLIPPED and band != (-_INF, _INF)
    if name in ("cast", "identity"):
        is_mask = known[0].is_mask and v.operands[0].shape == v.shape
    signs = _signs(g, v.rank, lambda pair: _mapped_sign(g, name, v, known, pair))
    return Structure(*band, is_mask, signs, position=position)


def _mapped_position(name: str, v: Value, known: Sequence[Structure]) -> tuple[int, int, int] | None:
    if name not in ("add", "sub", "neg", "cast", "identity"):
        return None
    terms = []
    for o, s in zip(v.operands, known, strict=True):
        if s.position is None:
            return None
        r, c, _ = s.position
        if (c and _stretches(o, v, 1)) or (r and _stretches(o, v, 2)):
            return None
        terms.append(s.position)
    sign = -1 if name == "sub" else 1
    if name == "neg":
        r, c, k = terms[0]
        return -r, -c, -k
    if len(terms) == 1:
        return terms[0]
    (a, b, c), (d, e, f) = terms
    return a + sign * d, b + sign * e, c + sign * f


def _stretches(o: Value, v: Value, k: int) -> bool:
    """Whether the operand's kth axis from the end is repeated along v's."""
    return v.rank >= k and (o.rank < k or o.shape[-k] != v.shape[-k]) and v.shape[-k] != 1


_WIDE = ("int32", "int64")  # which numbers of rows and columns do not leave
_FLIPPED = {"le": "ge", "ge": "le", "lt": "gt", "gt": "lt", "eq": "eq"}


def _compared(name: str, known: Sequence[Structure]) -> tuple[float, float]:
    """Where column - row + k (or its negative) compares so with 0."""
    x, y = (s.position for s in known)
    if x is None or y is None:
        return -_INF, _INF
    r, c, k = (a - b for a, b in zip(x, y, strict=True))
    if (r, c) == (1, -1):
        r, c, k, name = -1, 1, -k, _FLIPPED[name]
    if (r, c) != (-1, 1):
        return -_INF, _INF
    return {
        "le": (-_INF, -k), "lt": (-_INF, -k - 1), "ge": (-k, _INF), "gt": (-k + 1, _INF), "eq": (-k, -k),
    }[name]  # fmt: skip


def _band(g: Graph, o: Value, s: Structure, v: Value) -> tuple[float, float]:
    """The band of an operand of v, as v sees it."""
    if number_of(o) is not None:
        return (s.low, s.high) if s.low > s.high else (-_INF, _INF)
    find = g.extents.find
    if o.rank < 2 or any(find(m) != find(n) for m, n in zip(o.shape[-2:], v.shape[-2:], strict=True)):
        return -_INF, _INF
    return s.low, s.high


_KEEPS_ZERO = frozenset(
    "neg abs sqr sqrt sgn cast identity ceil floor round trunc sin tan tanh arctan arcsin sinh arcsinh arctanh expm1 "
    "log1p erf cbrt deg2rad rad2deg".split()
)


def _mapped_band(g: Graph, name: str, v: Value, known: Sequence[Structure]) -> tuple[float, float]:
    bands = [_band(g, o, s, v) for o, s in zip(v.operands, known, strict=True)]
    if name in _KEEPS_ZERO:
        return bands[0]
    if name in ("mul", "and"):
        return max(a for a, _ in bands), min(b for _, b in bands)
    if name in ("add", "sub", "or", "maximum", "minimum"):
        return min(a for a, _ in bands), max(b for _, b in bands)
    if name == "true_div" and v.operands[1].rank == 0:
        return bands[0]
    if name == "switch":
        (a, b), (c, d), (e, f) = bands
        return min(max(a, c), e), max(min(b, d), f)
    return -_INF, _INF


_SIGNED = frozenset((*FLOATS, *SIGNED))
_ODD = frozenset("neg sgn sin tan tanh arctan arcsin sinh arcsinh arctanh erf cbrt cast identity".split())
_EVEN = frozenset("sqr abs cos cosh".split())


def _mapped_sign(g: Graph, name: str, v: Value, known: Sequence[Structure], pair: Pair) -> int:
    """Whether an exchange of two axes gives v (1), or -v (-1)."""
    signs = [_sign_of(o, s, v.rank, pair) for o, s in zip(v.operands, known, strict=True)]
    if all(sign == 1 for sign in signs):
        return 1
    if name in ("add", "sub") and 0 in signs and _is_symmetric_sum(g, v, pair):
        return 1
    if len(signs) == 2 and (v.attrs["row"].commutative or name == "sub"):
        x, y = v.operands
        if are_exchanged(x, y, pair, v.rank):
            return -1 if name == "sub" else 1
    if 0 in signs or v.dtype not in _SIGNED:
        return 0
    if name in _EVEN:
        return 1
    if name in _ODD or (name in ("add", "sub") and signs[0] == signs[1]):
        return signs[0]
    return signs[0] * signs[1] if name in ("mul", "true_div") else 0


def _is_symmetric_sum(g: Graph, v: Value, pair: Pair) -> bool:
    """Whether terms of a sum are symmetric, or there is another one with their axes exchanged; up to rounding."""
    left: list[tuple[Value, int]] = []
    stack = [(v, 1)]
    while stack:
        x, sign = stack.pop()
        name = x.attrs["row"].name if x.op == "map" and x.rank == v.rank else ""
        if name in ("add", "sub") and len(left) + len(stack) < g.tuning.passes.structure_max_terms:
            a, b = x.operands
            stack += [(a, sign), (b, -sign if name == "sub" else sign)]
        elif _sign_of(x, structure(g, x), v.rank, pair) != 1:
            left.append((x, sign))
    while left:
        x, sign = left.pop()
        k = next((k for k, (y, s) in enumerate(left) if s == sign and are_exchanged(x, y, pair, v.rank)), None)
        if k is None:
            return False
        left.pop(k)
    return True


def _sign_of(o: Value, s: Structure, rank: int, pair: Pair) -> int:
    p, q = (a - (rank - o.rank) for a in pair)
    is_flat = [a < 0 or o.shape[a] == 1 for a in (p, q)]
    if all(is_flat):
        return 1
    return 0 if any(is_flat) else dict(s.signs).get((p, q), 0)


# -- applications of rows --------------------------------------------------------------------------------------------
def _of_application(g: Graph, v: Value, known: Sequence[Structure]) -> Structure:
    """Results of factorisations and solves."""
    found = application(g, v) if v.dtype and v.rank > 1 else None
    if found is None:
        return NOTHING
    node, k = found.node, found.k
    last = ((v.rank - 2, v.rank - 1), 1)
    if found.name == CHOLESKY:
        return Structure(high=0) if found.attrs["lower"] else Structure(low=0)
    if found.name == SOLVE_TRIANGULAR and found.attrs["lower"] is not None:
        is_lower = found.attrs["lower"] != bool(found.attrs["trans"])
        s = structure(g, node.operands[1])
        return Structure(high=s.high) if is_lower and s.is_lower else (
            Structure(low=s.low) if not is_lower and s.is_upper else NOTHING
        )  # fmt: skip
    if found.name == LU_SOLVE:
        of = application(g, node.operands[0])
        is_inverse = of is not None and of.name == LU_FACTOR and structure(g, node.operands[2]).is_identity
        return Structure(signs=(last,)) if is_inverse and of and is_symmetric(g, of.operands[0]) else NOTHING
    if found.name == QR:
        return Structure(is_orthogonal=are_square(g, v)) if k == 0 else Structure(low=0)
    if (found.name, k) in ((EIGH, 1), (SVD, 0), (SVD, 2)):
        return Structure(is_orthogonal=are_square(g, v))
    return NOTHING


_RULES = {
    "const": _of_const, "iota": _of_iota, "move": _of_move, "map": _of_map, "reduce": _of_reduce, DOT: _of_dot,
    RESHAPE: _of_reshape, ASSERT: _of_assert, INC_TAKE: _of_inc_take,
}  # fmt: skip
