"""The reducers behind sum, prod, max, min, argmax, argmin, any and all, for every dtype, with NumPy's results.

A reduction does not widen its argument: where NumPy sums int8 in int64 the row casts first.  NaN wins in MAX and MIN; the
first NaN, else the first extremum, wins in ARGMAX and ARGMIN, whose arguments are (value, index along the axis).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tensordsl.codegen.scalar import FLOATS, ITEMSIZE, SIGNED, Builder, Val
from tensordsl.ops.reducers import Reducer

State = tuple[Val, ...]
LAST = 2**63 - 1  # the index of no element


def lowest(dtype: str) -> Any:
    """The neutral element of the maximum."""
    if dtype in FLOATS:
        return float("-inf")
    if dtype == "bool":
        return False
    return -(1 << (8 * ITEMSIZE[dtype] - 1)) if dtype in SIGNED else 0


def highest(dtype: str) -> Any:
    """The neutral element of the minimum."""
    if dtype in FLOATS:
        return float("inf")
    if dtype == "bool":
        return True
    bits = 8 * ITEMSIZE[dtype]
    return (1 << (bits - 1 if dtype in SIGNED else bits)) - 1


def _fold(name: str, operation: str, identity: Callable[[str], Any]) -> Reducer:
    """A reducer whose state is one value of the argument's dtype and whose step is its combine."""

    def step(b: Builder, s: State, x: State) -> State:
        return (b.apply(operation, s[0], x[0]),)

    return Reducer(name, lambda t: t[:1], lambda t: (identity(t[0]),), step, step)


def _extremum(name: str, beats: str, weakest: Callable[[str], Any]) -> Reducer:
    """ARGMAX and ARGMIN: state (value, index); results (value, index).

    Combine orders by (value, index) totally, NaN first, so it commutes.  An element equal to the identity never beats
    it in `step`: `finish` turns the identity's index into 0.
    """

    def better(b: Builder, s: Val, x: Val) -> Val:
        """x beats s: greater (less), or the first NaN."""
        if s.type not in FLOATS:
            return b.apply(beats, x, s)
        return b.and_(b.not_(b.apply("le" if beats == "gt" else "ge", x, s)), b.eq(s, s))

    def step(b: Builder, s: State, x: State) -> State:
        """Positions in one lane only grow, so there are no ties to settle."""
        take = better(b, s[0], x[0])
        return b.select(take, x[0], s[0]), b.select(take, x[1], s[1])

    def combine(b: Builder, s: State, t: State) -> State:
        same = b.eq(t[0], s[0])
        if s[0].type in FLOATS:
            same = b.or_(same, b.and_(b.isnan(s[0]), b.isnan(t[0])))
        take = b.or_(better(b, s[0], t[0]), b.and_(same, b.lt(t[1], s[1])))
        return b.select(take, t[0], s[0]), b.select(take, t[1], s[1])

    def finish(b: Builder, s: State) -> State:
        return s[0], b.select(b.eq(s[1], LAST), 0, s[1])

    return Reducer(name, lambda t: t, lambda t: (weakest(t[0]), LAST), step, combine, finish)


SUM = _fold("sum", "add", lambda t: 0)
PROD = _fold("prod", "mul", lambda t: 1)
MAX = _fold("max", "maximum", lowest)
MIN = _fold("min", "minimum", highest)
ANY = _fold("any", "or", lambda t: False)
ALL = _fold("all", "and", lambda t: True)
ARGMAX = _extremum("argmax", "gt", lowest)
ARGMIN = _extremum("argmin", "lt", highest)
REDUCERS = (SUM, PROD, MAX, MIN, ARGMAX, ARGMIN, ANY, ALL)
