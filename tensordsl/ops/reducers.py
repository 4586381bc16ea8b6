"""Reducers: the monoids behind sum, prod, max, argmax and the like, one row each, for every target."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, eq=False, slots=True)
class Reducer:
    """A monoid with its way in and out, over a state of one or more values.

    The four parts are functions of a scalar builder.  All parallel forms (lanes, blocks, warps, stages) come from
    `combine`, which is associative and commutative up to rounding with `identity` as neutral element;
    `step(s, x) = combine(s, lift(x))`, perhaps cheaper.  `state` gives dtypes from the dtypes of the arguments.
    """

    name: str
    state: Callable[[tuple[str, ...]], tuple[str, ...]]
    identity: Callable[[tuple[str, ...]], tuple[Any, ...]]
    step: Callable[[Any, tuple[Any, ...], tuple[Any, ...]], tuple[Any, ...]]
    combine: Callable[[Any, tuple[Any, ...], tuple[Any, ...]], tuple[Any, ...]]
    finish: Callable[[Any, tuple[Any, ...]], tuple[Any, ...]] = lambda b, s: s
    result_types: Callable[[tuple[str, ...]], tuple[str, ...]] | None = None  # default: those of the state

    def result(self, types: tuple[str, ...]) -> tuple[str, ...]:
        return (self.result_types or self.state)(types)
