"""Reducers: the monoids behind sum, prod, max, argmax and the like, one row each, for every target.

A reduction does not widen its argument: where NumPy sums int8 in int64 the op's row casts first.  NaN wins in MAX and
MIN; the first NaN, else the first extremum, wins in ARGMAX and ARGMIN, whose arguments are (value, index on the axis).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tensordsl.base.records import record
from tensordsl.graph.types import FLOATS, SIGNED, UNSIGNED
from tensordsl.ops.math.complex_scalars import times


@record(eq=False)
class Reducer:
    """A monoid with its way in and out, over a state of one or more values.

    The four parts are functions of a scalar builder.  All parallel forms (lanes, blocks, warps, stages) come from
    `combine`, which is associative and commutative up to rounding with `identity` as neutral element;
    `step(s, x) = combine(s, lift(x))`, perhaps cheaper.  `state` gives dtypes from the dtypes of the arguments, and so
    does `result_types`, to which what `finish` returns is cast.
    """

    name: str
    state: Callable[[tuple[str, ...]], tuple[str, ...]]
    identity: Callable[[tuple[str, ...]], tuple[Any, ...]]
    step: Callable[[Any, tuple[Any, ...], tuple[Any, ...]], tuple[Any, ...]]
    combine: Callable[[Any, tuple[Any, ...], tuple[Any, ...]], tuple[Any, ...]]
    finish: Callable[[Any, tuple[Any, ...]], tuple[Any, ...]] = lambda b, s: s
    result_types: Callable[[tuple[str, ...]], tuple[str, ...]] | None = None  # default: those of the state
    idempotent: bool = False  # combine(s, s) = s, so that an element may be seen twice

    def result(self, types: tuple[str, ...]) -> tuple[str, ...]:
        return (self.result_types or self.state)(types)


State = tuple[Any, ...]
_BYTES = {f"{p}int{n}": n // 8 for p in ("", "u") for n in (8, 16, 32, 64)}
LAST = 2**63 - 1  # the index of no element


def lowest(dtype: str) -> Any:
    """The neutral element of the maximum."""
    if dtype in FLOATS:
        return float("-inf")
    if dtype == "bool":
        return False
    return -(1 << (8 * _BYTES[dtype] - 1)) if dtype in SIGNED else 0


def highest(dtype: str) -> Any:
    """The neutral element of the minimum."""
    if dtype in FLOATS:
        return float("inf")
    if dtype == "bool":
        return True
    bits = 8 * _BYTES[dtype]
    return (1 << (bits - 1 if dtype in SIGNED else bits)) - 1


def _fold(name: str, operation: str, identity: Callable[[str], Any], idempotent: bool = True) -> Reducer:
    """A reducer whose state is one value of the argument's dtype and whose step is its combine."""

    def step(b: Any, s: State, x: State) -> State:
        return (b.apply(operation, s[0], x[0]),)

    return Reducer(name, lambda t: t[:1], lambda t: (identity(t[0]),), step, step, idempotent=idempotent)


def _extremum(name: str, beats: str, weakest: Callable[[str], Any]) -> Reducer:
    """ARGMAX and ARGMIN: state (value, index); results (value, index).

    Combine orders by (value, index) totally, NaN first, so it commutes.  An element equal to the identity never beats
    it in `step`: `finish` turns the identity's index into 0.
    """

    extremum = "maximum" if beats == "gt" else "minimum"

    def better(b: Any, s: Any, x: Any) -> Any:
        """x beats s: greater (less), or the first NaN."""
        if s.type not in FLOATS:
            return b.apply(beats, x, s)
        return b.and_(b.not_(b.apply("le" if beats == "gt" else "ge", x, s)), b.eq(s, s))

    def step(b: Any, s: State, x: State) -> State:
        """Positions in one lane only grow, so there are no ties to settle."""
        take = better(b, s[0], x[0])
        value = b.select(take, x[0], s[0]) if s[0].type in FLOATS else b.apply(extremum, x[0], s[0])
        return value, b.select(take, x[1], s[1])

    def combine(b: Any, s: State, t: State) -> State:
        same = b.eq(t[0], s[0])
        if s[0].type in FLOATS:
            same = b.or_(same, b.and_(b.isnan(s[0]), b.isnan(t[0])))
        take = b.or_(better(b, s[0], t[0]), b.and_(same, b.lt(t[1], s[1])))
        return b.select(take, t[0], s[0]), b.select(take, t[1], s[1])

    def finish(b: Any, s: State) -> State:
        return s[0], b.select(b.eq(s[1], LAST), 0, s[1])

    return Reducer(name, lambda t: t, lambda t: (weakest(t[0]), LAST), step, combine, finish, idempotent=True)


def _complex_extremum(name: str, beats: str, weakest: float) -> Reducer:
    """The extremum of complex numbers: state and results (real part, imaginary part, index).

    NumPy's order: by real parts, equal ones by imaginary parts; a number with a NaN in it comes first.
    """

    def better(b: Any, s: State, x: State) -> Any:
        """x beats s: greater (less), or the first NaN."""
        ahead = b.or_(b.apply(beats, x[0], s[0]), b.and_(b.eq(x[0], s[0]), b.apply(beats, x[1], s[1])))
        return b.and_(b.not_(is_nan(b, s)), b.or_(is_nan(b, x), ahead))

    def is_nan(b: Any, s: State) -> Any:
        return b.or_(b.isnan(s[0]), b.isnan(s[1]))

    def taken(b: Any, take: Any, s: State, x: State) -> State:
        return tuple(b.select(take, p, q) for p, q in zip(x, s, strict=True))

    def step(b: Any, s: State, x: State) -> State:
        return taken(b, better(b, s, x), s, x)

    def combine(b: Any, s: State, t: State) -> State:
        equal = b.and_(b.eq(s[0], t[0]), b.eq(s[1], t[1]))
        same = b.or_(equal, b.and_(is_nan(b, s), is_nan(b, t)))
        return taken(b, b.or_(better(b, s, t), b.and_(same, b.lt(t[2], s[2]))), s, t)

    def finish(b: Any, s: State) -> State:
        return s[0], s[1], b.select(b.eq(s[2], LAST), 0, s[2])

    return Reducer(name, lambda t: t, lambda t: (weakest, weakest, LAST), step, combine, finish, idempotent=True)


def _sum(name: str, state: Callable[[tuple[str, ...]], tuple[str, ...]], **more: Any) -> Reducer:
    def step(b: Any, s: State, x: State) -> State:
        return (b.apply("add", s[0], b.cast(x[0], s[0].type)),)

    return Reducer(name, state, lambda t: (0,), step, step, **more)


def _of_sum(types: tuple[str, ...]) -> tuple[str, ...]:
    return ("float64",) if types[0] == "float32" else types[:1]


def _of_count(types: tuple[str, ...]) -> tuple[str, ...]:
    return ("uint64",) if types[0] in UNSIGNED else ("int64",)


SUM = _sum("sum", _of_sum, result_types=lambda t: t[:1])
COUNT = _sum("count", _of_count)  # of bools and short integers what SUM of a cast to 64 bits would be
ADD = _fold("add", "add", lambda t: 0, idempotent=False)  # the sum in its argument's dtype, for products
PROD = _fold("prod", "mul", lambda t: 1, idempotent=False)
MAX = _fold("max", "maximum", lowest)
MIN = _fold("min", "minimum", highest)
ANY = _fold("any", "or", lambda t: False)
ALL = _fold("all", "and", lambda t: True)
COMPLEX_PROD = Reducer("complex_prod", lambda t: t, lambda t: (1, 0), times, times)
ARGMAX = _extremum("argmax", "gt", lowest)
ARGMIN = _extremum("argmin", "lt", highest)
COMPLEX_MAX = _complex_extremum("complex_max", "gt", float("-inf"))
COMPLEX_MIN = _complex_extremum("complex_min", "lt", float("inf"))
REDUCERS = (SUM, PROD, MAX, MIN, ARGMAX, ARGMIN, ANY, ALL)
_NAMED = {r.name: r for r in (*REDUCERS, ADD, COUNT, COMPLEX_PROD, COMPLEX_MAX, COMPLEX_MIN)}


def named_reducer(name: str) -> Reducer:
    return _NAMED[name]
