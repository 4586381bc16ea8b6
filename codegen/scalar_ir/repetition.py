"""Loops of one element: computations that are repeated until all lanes of a vector are done, as rejection needs them.

Contract   a value `repeat` (`Builder.repeat`) names a row of `repetitions`; its first operand, a bool, says which
           elements are needed: the others have the result 0, and where none is needed no round is done.
Why        a rejection method is then an elementwise operation like any other: fused, in vectors, on every target.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np

from tensordsl.base.records import record
from tensordsl.codegen.scalar_ir.builder import Builder, Val

State = tuple[Val, ...]


@record(eq=False)
class Repetition:
    """A loop.  Results are a function of the operands alone: they don't depend on lanes, threads or the device.

    dtype    of the result
    step     (builder, number, state, *operands) -> the next state, the result, and whether this round is the last;
             number: of the round, int64
    limit    rounds at most, whatever the operands are
    prepare  (builder, *given) -> the operands: what all rounds need, computed once where the operation stands
    start    (builder, *operands) -> the state before the first round
    is_long  whether it takes many rounds, or long to compile: kernels have no more lanes than registers
    """

    name: str
    dtype: str
    step: Callable[..., tuple[State, Val, Val]]
    limit: int
    prepare: Callable[..., State] = lambda b, *given: given
    start: Callable[..., State] = lambda b, *operands: ()
    is_long: bool = False


@cache
def repetitions() -> dict[str, Repetition]:
    """All loops, by name."""
    from tensordsl.codegen.scalar_ir import sampling, special  # late: few programs have one

    return {row.name: row for row in (*sampling.REPETITIONS, *special.REPETITIONS)}


@record(eq=False)
class Rounds:
    """A loop as DAGs over parameters: the number of a round, the state and the operands."""

    number: Val
    state: State
    operands: tuple[Val, ...]
    start: State
    following: State
    result: Val
    is_last: Val


@cache
def rounds(name: str, types: tuple[str, ...]) -> Rounds:
    """The loop for operands of these dtypes, the first one among them."""
    loop, b = repetitions()[name], Builder()
    operands = tuple(b.param(f"x{k}", t) for k, t in enumerate(types))
    start = loop.start(b, *operands[1:])
    number = b.param("number", "int64")
    state = tuple(b.param(f"s{k}", v.type) for k, v in enumerate(start))
    following, result, is_last = loop.step(b, number, state, *operands[1:])
    assert result.type == loop.dtype and [v.type for v in following] == [v.type for v in start], name
    return Rounds(number, state, operands, start, following, result, is_last)


def interpret(name: str, types: tuple[str, ...], operands: list[Any], evaluate: Callable[..., list[Any]]) -> Any:
    """The loop on NumPy arrays; `evaluate` of roots and of arrays for parameters, by their ids."""
    loop, r = repetitions()[name], rounds(name, types)
    arrays = np.broadcast_arrays(*operands)
    given = dict(zip(map(id, r.operands), arrays, strict=True))
    left, state = arrays[0].copy(), evaluate(r.start, given)
    found = np.zeros(left.shape, loop.dtype)
    for number in range(loop.limit):
        if not left.any():
            break
        known = given | dict(zip(map(id, r.state), state, strict=True)) | {id(r.number): np.int64(number)}
        *state, result, is_last = evaluate((*r.following, r.result, r.is_last), known)
        found = np.where(left, result, found)
        left = left & ~is_last
    return found
