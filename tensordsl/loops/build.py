"""The building of a loop from what a step gave: one way for `scan`, `loop` and all others.

Comes in   states with the parameters that stand for them in a round, what the step makes of these, values to be
           stacked, new values of shared variables, and perhaps a condition that ends the loop.
Goes out   a loop of the core: a state of depth d is d carried values that move up one place each round, a
           shared variable that the step updates is one more.
`until` is the condition of a loop that ends early.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from tensordsl.base.records import record
from tensordsl.graph.substitute import substitute
from tensordsl.graph.types import INTEGERS, TensorType
from tensordsl.graph.variables import Constant
from tensordsl.loops.step import made_at
from tensordsl.ops.control import make_loop, parameter_like, require
from tensordsl.ops.math.comparisons import ge
from tensordsl.ops.math.elementwise import cast
from tensordsl.ops.operands import as_variable, constant
from tensordsl.signature.updates import OrderedUpdates


@record
class State:
    """A value that a round hands on: where it starts, and of which rounds before the step sees it.

    what  it is, for errors
    """

    what: str
    initial: Any
    taps: tuple[int, ...]
    is_number: bool

    @property
    def depth(self) -> int:
        return -min(self.taps)

    def row(self, k: int) -> Any:
        """The k-th of its first values, the oldest first."""
        return self.initial if self.taps == (-1,) else self.initial[k]


@record(eq=False, frozen=False)
class LoopBuilder:
    """The loop of a step: parameters and what they become are made of equal types, then carried and stacked.

    where     the loop, for errors
    rounds    their number;  t  that of a round
    elements  parameters that stand for expressions in t, each with its expression
    states    what is carried;  rows  for each of them `depth` parameters, the oldest first
    others    what the step was given that is the same in all rounds
    recomputes  see `ops.control.LoopBody`
    """

    where: str
    rounds: Any
    t: Any
    elements: Sequence[tuple[Any, Any]]
    states: Sequence[State]
    rows: list[list[Any]]
    truncate_gradient: int = -1
    others: Sequence[Any] = ()
    recomputes: bool = False

    def build(
        self, new: Sequence[Any], stacked: Sequence[Any], updates: Mapping[Any, Any], condition: Any = None
    ) -> tuple[list[Any], list[Any], OrderedUpdates]:
        """The states behind the last round, the values of all rounds, and the updates of shared variables.

        new        what each state becomes, in the parameters
        stacked    values of each round
        updates    new values of shared variables
        condition  ends the loop behind the round in which it is not zero
        """
        targets = list(updates)
        shared = [parameter_like(v) for v in targets]
        values = [*new, *stacked, *updates.values()]
        if condition is not None:
            if condition.type.ndim:
                raise TypeError(f"{self.where}: the condition of until must have no axes, got {condition.type}")
            values.append(condition)
        same = {v: v for v in self.others}
        values = substitute(values, {**same, **dict(zip(targets, shared, strict=True))})
        values = self.with_equal_types(values)
        values = substitute(values, dict(self.elements))
        n, m = len(new), len(new) + len(stacked)
        results, new_shared = values[n:m], values[m : m + len(targets)]
        carried = [p for row in self.rows for p in row]
        initial = [s.row(k) for s in self.states for k in range(s.depth)]
        initial = [
            v if v.type.dtype == p.type.dtype else cast(v, p.type.dtype) for v, p in zip(initial, carried, strict=True)
        ]
        following = [p for row, r in zip(self.rows, values, strict=False) for p in (*row[1:], r)]
        lasts = np.cumsum([len(row) for row in self.rows], dtype="int64") - 1
        made = make_loop(
            self.rounds, self.t, [*carried, *shared], [*initial, *targets], [*following, *new_shared], results,
            self.truncate_gradient, None if condition is None else values[-1], self.recomputes, self.where,
        )  # fmt: skip
        made = made if condition is None else made[1:]  # without the number of rounds
        behind = len(carried) + len(shared)
        new_values = made[len(carried) : behind]
        own_updates = OrderedUpdates(list(zip(targets, new_values, strict=True)))
        return [made[k] for k in lasts], list(made[behind:]), own_updates

    def with_equal_types(self, values: list[Any]) -> list[Any]:
        """The values with parameters of states in types that their results keep: lengths that change are unknown, and
        a Python number starts in its result's dtype."""
        for _ in range(2 + sum(len(row) for row in self.rows)):
            replaced: dict[Any, Any] = {}
            for s, row, result in zip(self.states, self.rows, values, strict=False):
                for j, p in enumerate(row):
                    wanted = self.joined(s, p, result)
                    if wanted != p.type:
                        replaced[p] = row[j] = _of_type(p, wanted)
            if not replaced:
                return values
            values = substitute(values, replaced)
        raise AssertionError("types of states weaken only as often as they have axes")

    def joined(self, s: State, p: Any, result: Any) -> TensorType:
        """The type that holds both a state's parameter and its result."""
        dtype = p.type.dtype
        if result.type.dtype != dtype:
            is_held = np.can_cast(s.initial.type.dtype, result.type.dtype, "same_kind")
            if not (s.is_number and is_held):
                raise ValueError(
                    f"{self.where}: {s.what} has dtype {result.type.dtype}, but its state starts with {dtype}: start "
                    f"with T.cast(initial, {result.type.dtype!r}) or let the step return T.cast(result, {dtype!r})"
                    f"{made_at(result)}"
                )
            dtype = result.type.dtype
        if result.type.ndim != p.type.ndim:
            taps = "" if s.taps == (-1,) else f" in each row (taps {list(s.taps)})"
            raise ValueError(
                f"{self.where}: {s.what} has {result.type.ndim} axes, but its state starts with {p.type.ndim}{taps}"
                f"{made_at(result)}"
            )
        shape = tuple(a if a == b else None for a, b in zip(p.type.shape, result.type.shape, strict=True))
        return TensorType(dtype, shape)


def is_number(given: Any) -> bool:
    """Whether a start is a Python number, which has no dtype of its own."""
    return isinstance(given, int | float) and not isinstance(given, bool)


def number_of_rounds(given: Any, where: str, what: str) -> Any:
    """What a user gives for the number of rounds, as a 0-d int64 that is not negative."""
    rounds = as_variable(given)
    if rounds.type.dtype not in INTEGERS or rounds.type.ndim:
        raise TypeError(f"{where}: {what} must be an integer without axes, got {given!r} of {rounds.type}")
    if not isinstance(rounds, Constant):
        rounds = cast(rounds, "int64")
        return require(rounds, ge(rounds, 0), f"{where}: {what} must not be negative")
    if rounds.data < 0:
        hint = "; go_backwards walks from the end" if what == "n_steps" else ""
        raise ValueError(f"{where}: {what} must not be negative, got {rounds.data}{hint}")
    return constant(int(rounds.data), dtype="int64")


def rounds_of_a_block(given: Any, where: str, what: str) -> int:
    """How many rounds the gradient computes again at a time, as users give it."""
    if isinstance(given, bool) or not hasattr(given, "__index__"):
        raise TypeError(f"{where}: {what} must be an int, the number of rounds of a block, got {given!r}")
    if (size := int(given)) < 1:
        raise ValueError(f"{where}: {what} must be at least 1, got {size}")
    return size


def _of_type(p: Any, type: TensorType) -> Any:
    fresh = type(p.name)
    value = getattr(p.tag, "test_value", None)
    if value is not None:
        fresh.tag.test_value = np.asarray(value, dtype=type.dtype)
    return fresh
