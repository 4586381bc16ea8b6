"""Tridiagonal systems: Gaussian elimination with exchanges of neighbours, and the solution of such factors, as loops.

Contract  `LUFactorTridiagonal`, `SolveLUFactorTridiagonal`: LAPACK's `gttrf` and `gttrs`; pivots count from 1.
Ref       LAPACK Users' Guide, 3rd edition, `xGTTRF`.
"""

from __future__ import annotations

from typing import Any

from tensordsl.ops.control import loop_index, make_loop, parameter_like, require
from tensordsl.pytensor.conversion import Missing, T, converts_by


def _rounds(count: Any, starts: list[Any], step: Any) -> list[Any]:
    """step (index, *carried) -> (next values, values to stack): the last carried values, and the stacks."""
    index = loop_index()
    carried = [parameter_like(v) for v in starts]
    following, stacked = step(index, *carried)
    return list(make_loop(count, index, carried, starts, following, stacked, name="tridiagonal"))


def _factor(op: Any, lower: Any, diagonal: Any, upper: Any) -> list[Any]:
    if "complex" in diagonal.dtype:
        raise Missing
    n = diagonal.shape[0]
    fits = T.and_(T.eq(lower.shape[0], n - 1), T.eq(upper.shape[0], n - 1))
    diagonal = require(diagonal, fits, "tridiagonal: the other diagonals must be shorter by one")
    more = T.join(0, upper, T.zeros((1,), dtype=upper.dtype))  # the last row has nothing there

    def step(i: Any, d: Any, u: Any) -> Any:
        below, next_d, next_u = lower[i], diagonal[i + 1], more[i + 1]
        stays = T.ge(abs(d), abs(below))
        is_zero = T.eq(d, 0)
        factor = T.switch(stays, T.switch(is_zero, below, below / d), d / below)
        used = T.switch(T.and_(stays, is_zero), 0.0, factor)
        following = [
            T.switch(stays, next_d - used * u, u - factor * next_d), T.switch(stays, next_u, -factor * next_u)
        ]  # fmt: skip
        kept = T.switch(stays, d, below), T.switch(stays, u, next_d)
        return following, [factor, *kept, T.switch(stays, 0.0, next_u), T.switch(stays, i + 1, i + 2)]

    last, _, factors, d, u, second, pivots = _rounds(n - 1, [diagonal[0], more[0]], step)
    whole = T.join(0, d, T.shape_padleft(last)), T.join(0, pivots, T.shape_padleft(T.cast(n, "int64")))
    return [factors, whole[0], u, second[: T.maximum(n - 2, 0)], whole[1]]


def _solve(op: Any, lower: Any, diagonal: Any, upper: Any, second: Any, pivots: Any, b: Any) -> Any:
    if "complex" in diagonal.dtype:
        raise Missing
    solve = _transposed if op.transposed else _plain
    return solve(lower, diagonal, upper, second, pivots, b)


def _padded(v: Any, count: int) -> Any:
    return T.join(0, v, T.zeros((count,), dtype=v.dtype))


def _plain(lower: Any, diagonal: Any, upper: Any, second: Any, pivots: Any, b: Any) -> Any:
    n = diagonal.shape[0]

    def down(i: Any, row: Any) -> Any:
        after, factor, stays = b[i + 1], lower[i], T.eq(pivots[i], i + 1)
        kept = T.switch(stays, row, after)
        return [T.switch(stays, after, row) - factor * kept], [kept]

    last, rows = _rounds(n - 1, [b[0]], down)
    rows = T.join(0, rows, T.shape_padleft(last))
    u, w = _padded(upper, 1), _padded(second, 2)

    def up(k: Any, one: Any, two: Any) -> Any:
        i = n - 1 - k
        x = (rows[i] - u[i] * one - w[i] * two) / diagonal[i]
        return [x, one], [x]

    zero = T.zeros_like(b[0])
    return _rounds(n, [zero, zero], up)[2][::-1]


def _transposed(lower: Any, diagonal: Any, upper: Any, second: Any, pivots: Any, b: Any) -> Any:
    n = diagonal.shape[0]
    u = T.join(0, T.zeros((1,), dtype=upper.dtype), upper)
    w = T.join(0, T.zeros((2,), dtype=second.dtype), second)

    def down(i: Any, one: Any, two: Any) -> Any:
        x = (b[i] - u[i] * one - w[i] * two) / diagonal[i]
        return [x, one], [x]

    zero = T.zeros_like(b[0])
    rows = _rounds(n, [zero, zero], down)[2]

    def up(k: Any, row: Any) -> Any:
        i = n - 2 - k
        before, stays = rows[i], T.eq(pivots[i], i + 1)
        other = before - lower[i] * row
        return [T.switch(stays, other, row)], [T.switch(stays, row, other)]

    first, found = _rounds(n - 1, [rows[n - 1]], up)
    return T.join(0, T.shape_padleft(first), found[::-1])


converts_by({"LUFactorTridiagonal": _factor, "SolveLUFactorTridiagonal": _solve})
