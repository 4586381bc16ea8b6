"""Folding into matrix products: factors, signs and sums become parameters of one gemm; chains are reassociated.

A `dot` with attributes alpha and beta and a third operand c is alpha x y + beta c, as BLAS computes it; if `scaled`,
its last operand is a number that multiplies alpha; if `decays`, its fourth is beta.  Rounding differs from that of
separate steps by less than the sum's own error.
"""

from __future__ import annotations

import math
from typing import Any

from tensordsl.base.records import record
from tensordsl.codegen.passes.context import Context, count_users
from tensordsl.codegen.passes.patterns import number_of
from tensordsl.codegen.tensor_ir import extents as ex
from tensordsl.codegen.tensor_ir.construct import DOT
from tensordsl.codegen.tensor_ir.graph import Graph, Value, rewrite, toposort

# Other factors stay outside: a BLAS may apply them to an operand, which could then overflow or vanish.
FACTORS = (2.0**-24, 2.0**24)


def fold_products(ctx: Context, v: Value) -> Value | None:
    """k (x y) = (k x y), (x y) + (u w) as one sum, and (x y) z = x (y z) where that is cheaper."""
    if v.op == DOT:
        return _chain(ctx, v)
    return _FOLDS[v.attrs["row"].name](ctx, v) if v.attrs["row"].name in _FOLDS else None


def is_product(ctx: Context, v: Value, like: Value) -> bool:
    """Whether v is a product that only one value uses, of the type of `like`."""
    return v.op == DOT and ctx.is_sole(v) and v.dtype == like.dtype and ctx.find(v.shape) == ctx.find(like.shape)


def product(g: Graph, like: Value, operands: tuple[Value, ...], alpha: float, beta: float = 0.0) -> Value:
    """The value `like` as alpha x y + beta c."""
    factors: dict[str, Any] = {"alpha": alpha} if alpha != 1 else {}
    if len(operands) == 3:
        factors["beta"] = beta
    return g.make(DOT, operands, like.dtype, like.shape, **factors)


def _scale(ctx: Context, v: Value) -> Value | None:
    for d, other in (v.operands, v.operands[::-1]):
        k = number_of(other)
        if isinstance(k, float) and FACTORS[0] <= abs(k) <= FACTORS[1] and is_product(ctx, d, v):
            return _scaled(ctx, v, d, k)
    return None


def _negate(ctx: Context, v: Value) -> Value | None:
    (d,) = v.operands
    return _scaled(ctx, v, d, -1.0) if is_product(ctx, d, v) else None


def _scaled(ctx: Context, v: Value, d: Value, k: float) -> Value | None:
    """k d; factors that are no powers of two are not multiplied with each other."""
    alpha = d.attrs.get("alpha", 1.0)
    if len(d.operands) == 3 or not (alpha == 1 or math.frexp(abs(k))[0] == 0.5):
        return None
    ctx.hit("k * dot(x, y) = dot(k, x, y)")
    return product(ctx.graph, v, d.operands, k * alpha)


def _sum(ctx: Context, v: Value) -> Value | None:
    """d + e for two products, or transposes of some: e is added to d in d's place."""
    d, e = (_transposed(ctx, o) for o in v.operands)
    if not (is_product(ctx, d, v) and is_product(ctx, e, v)) or d is e:
        return None
    if len(e.operands) == 3:
        d, e = (e, d) if v.attrs["row"].name == "add" else (d, e)
        if len(e.operands) == 3:
            return None
    sign = -1.0 if v.attrs["row"].name == "sub" else 1.0
    ctx.hit("dot(x, y) + dot(u, w) = dot(u, w, dot(x, y))")
    return product(ctx.graph, v, (*e.operands, d), sign * e.attrs.get("alpha", 1.0), 1.0)


def _transposed(ctx: Context, v: Value) -> Value:
    """(x y)^T = y^T x^T, as in the gradient of a matrix times its transpose."""
    factors = _factors(ctx, v) if v.op == "move" else None
    if factors is None or factors[2].loops != v.loops:
        return v
    return product(ctx.graph, v, factors[:2], factors[2].attrs.get("alpha", 1.0))


_FOLDS = {"mul": _scale, "neg": _negate, "add": _sum, "sub": _sum}


# -- chains ------------------------------------------------------------------------------------------------------------
def _chain(ctx: Context, v: Value) -> Value | None:
    """(x y) z = x (y z) and x (y z) = (x y) z: with a vector at one end, and where the multiplications are provably
    fewer.  A product that a loop does not vary with stays as it is."""
    if len(v.operands) == 3 or v.rank == 3:
        return None
    for k in (0, 1):
        inner = _factors(ctx, v.operands[k])
        if inner is None or inner[2].loops != v.loops:
            continue
        x, y, source = inner
        other = v.operands[1 - k]
        if k == 0:
            lengths = _rows(x), x.shape[-1], _columns(y), _columns(other)
        else:
            lengths = _columns(y), x.shape[-1], _rows(x), _rows(other)
        if not _is_cheaper(*map(ctx.graph.extents.find, lengths)):
            continue
        ctx.hit("dot(dot(x, y), z) = dot(x, dot(y, z))")
        alpha = v.attrs.get("alpha", 1.0) * source.attrs.get("alpha", 1.0)
        if k == 0:
            return product(ctx.graph, v, (x, _dot(ctx, y, other)), alpha)
        return product(ctx.graph, v, (_dot(ctx, other, x), y), alpha)
    return None


def _factors(ctx: Context, v: Value) -> tuple[Value, Value, Value] | None:
    """The factors of a product that only v's user needs, or of its transpose, and the product."""
    turned = v.op == "move" and v.attrs["map"] == (1, 0) and ctx.is_sole(v)
    d = v.operands[0] if turned else v
    if d.op != DOT or len(d.operands) == 3 or not ctx.is_sole(d) or (turned and d.rank != 2):
        return None
    x, y = d.operands
    if x.rank != 2 or y.rank != 2:
        return None
    if turned:
        x, y = (ctx.graph.move(m, (1, 0), m.shape[::-1]) for m in (y, x))
    return x, y, d


def _rows(v: Value) -> Any:
    return v.shape[0] if v.rank == 2 else 1


def _columns(v: Value) -> Any:
    return v.shape[1] if v.rank == 2 else 1


def _dot(ctx: Context, x: Value, y: Value) -> Value:
    made = ctx.graph.make(DOT, (x, y), x.dtype, (*x.shape[:-1], *y.shape[1:]))
    return _chain(ctx, made) or made


def _is_cheaper(m: Any, k: Any, n: Any, p: Any) -> bool:
    """Whether k n p + m k p < m k n + m n p for all lengths; for p = 1 it is at most m + n times k more, and usually
    much less."""
    if p == 1:
        return bool(m != 1 and n != 1)
    now = ex.add(ex.product((m, k, n)), ex.product((m, n, p)))
    then = ex.add(ex.product((k, n, p)), ex.product((m, k, p)))
    gain = ex.sub(now, then)
    if isinstance(gain, int):
        return gain > 0
    return all(c > 0 and all(a[0] in ("arg", "shared") for a in monomial) for monomial, c in gain.terms)


# -- results -----------------------------------------------------------------------------------------------------------
@record
class _Scaled:
    """alpha factor d, where d is the product; the factor is a number known at run time only, or there is none."""

    d: Value
    alpha: float
    factor: Value | None

    def plus(self, g: Graph, like: Value, c: _Kept | None = None, sign: float = 1.0) -> Value:
        """c + sign alpha factor d in place of `like`."""
        kept = (c.value, c.factor) if c else ()
        operands = (*self.d.operands, *(o for o in (*kept, self.factor) if o is not None))
        factors: dict[str, Any] = {"alpha": sign * self.alpha} if sign * self.alpha != 1 else {}
        factors |= {"scaled": True} if self.factor else {}
        factors |= {"beta": c.beta} if c else {}
        factors |= {"decays": True} if c and c.factor else {}
        return g.make(DOT, operands, like.dtype, like.shape, **factors)


@record
class _Kept:
    """beta factor value; the factor is a number known at run time only, or there is none."""

    value: Value
    beta: float = 1.0
    factor: Value | None = None


def finish_products(
    graph: Graph, outputs: list[Value], updates: list[tuple[int, Value]], at_run_time: bool
) -> tuple[list[Value], list[tuple[int, Value]]]:
    """Products that are results of the function take a factor that is known at run time only (`at_run_time`), which an
    elementwise user would apply for free; and W + k (x y) and b W + k (x y) as the new value of W become products that
    accumulate in W's storage, where other updates may use them.

    No accumulation besides updates of slices, which hold the GIL while they write.
    """
    roots = [*outputs, *(v for _, v in updates)]
    if not any(v.op == "map" for v in roots):
        return outputs, updates
    ctx = Context(graph, {}, count_users(roots, toposort(roots)))
    partly = any(v.traits.writes_into for _, v in updates)

    def finish(v: Value, index: int | None) -> Value:
        if v.op != "map" or not ctx.is_sole(v):
            return v
        accumulated = None if index is None or partly else _accumulated(ctx, index, v, at_run_time)
        if accumulated is None and at_run_time:
            scaled = _peeled(ctx, v, v, at_run_time)
            return scaled.plus(graph, v) if scaled and scaled.factor else v
        return accumulated or v

    if not partly:
        roots = _moved_on(ctx, outputs, updates, at_run_time)
        outputs, new = roots[: len(outputs)], roots[len(outputs) :]
        updates = [(k, v) for (k, _), v in zip(updates, new, strict=True)]
    return [finish(v, None) for v in outputs], [(k, finish(v, k)) for k, v in updates]


def _moved_on(ctx: Context, outputs: list[Value], updates: list[tuple[int, Value]], at_run_time: bool) -> list[Value]:
    """The roots, with b V + k (x y) as the new value of V a product also where other updates use it, as with
    momentum."""
    products: dict[int, Value] = {}
    for k, v in updates:
        if v.op == "map" and not ctx.is_sole(v) and v not in outputs:
            made = _accumulated(ctx, k, v, at_run_time)
            if made is not None and ctx.is_sole(made.operands[2]):  # nothing else reads the old value
                products[v.number] = made
    roots = [*outputs, *(v for _, v in updates)]
    return rewrite(ctx.graph, roots, lambda v: products.get(v.number), users=ctx.users) if products else roots


def _accumulated(ctx: Context, k: int, v: Value, at_run_time: bool) -> Value | None:
    if v.attrs["row"].name not in ("add", "sub"):
        return None
    is_sum = v.attrs["row"].name == "add"
    for c, d in (v.operands, v.operands[::-1]) if is_sum else (v.operands,):
        kept = _kept(ctx, k, c, v, at_run_time)
        scaled = _peeled(ctx, d, v, at_run_time) if kept else None
        if scaled:
            return scaled.plus(ctx.graph, v, kept, 1.0 if is_sum else -1.0)
    return None


def _kept(ctx: Context, k: int, v: Value, like: Value, at_run_time: bool) -> _Kept | None:
    """v as the shared variable of which it is the new value, times at most one number."""

    def is_variable(x: Value) -> bool:
        return x.op == "shared" and x.attrs["index"] == k and ctx.find(x.shape) == ctx.find(like.shape)

    if is_variable(v):
        return _Kept(v)
    if v.op != "map" or v.attrs["row"].name != "mul" or not ctx.is_sole(v):
        return None
    for c, other in (v.operands, v.operands[::-1]):
        number = number_of(other)
        if is_variable(c) and isinstance(number, float) and number != 0 and math.isfinite(number):
            return _Kept(c, number)
        if is_variable(c) and at_run_time and other.rank == 0 and other.op not in ("const", "extent"):
            return _Kept(c, factor=other)
    return None


def _peeled(ctx: Context, v: Value, like: Value, at_run_time: bool) -> _Scaled | None:
    """v as a product times a sign and at most one number known at run time."""
    sign, factor = 1.0, None
    while v.op == "map" and at_run_time and ctx.is_sole(v):
        if v.attrs["row"].name == "neg":
            sign, v = -sign, v.operands[0]
            continue
        numbers = [o for o in v.operands if o.rank == 0 and o.op not in ("const", "extent")]
        if v.attrs["row"].name != "mul" or len(numbers) != 1 or factor is not None:
            return None
        (factor,) = numbers
        v = v.operands[1] if v.operands[0] is factor else v.operands[0]
    if not is_product(ctx, v, like) or len(v.operands) != 2:
        return None
    alpha = sign * v.attrs.get("alpha", 1.0)
    if factor is not None and abs(alpha) != 1:
        return None
    return _Scaled(v, alpha, factor)
