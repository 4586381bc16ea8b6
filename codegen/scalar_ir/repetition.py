"""Loops of one element: computations that are repeated until all lanes of a vector are done, as rejection needs them.

Contract   a value `repeat` (`Builder.repeat`) names a row of `repetitions`, or holds a loop as text
           and the number of a result (`write`, `read`); its first operand, a bool, says which elements are needed:
           the others have the result 0, and where none is needed no round is done.
Why        a rejection method is then an elementwise operation like any other: fused, in vectors, on every target.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, lru_cache
from typing import Any

import numpy as np

from tensordsl.base.digests import blake2b
from tensordsl.base.records import record
from tensordsl.codegen.scalar_ir.builder import Builder, Val, walk

State = tuple[Val, ...]


@record(eq=False)
class Repetition:
    """A loop.  Results are a function of the operands alone: they don't depend on lanes, threads or the device.

    dtype    of the result; of each, where there are several
    step     (builder, number, state, *operands) -> the next state, the result (a tuple of several), and whether this
             round is the last; number: of the round, int64
    limit    rounds at most, whatever the operands are
    prepare  (builder, *given) -> the operands: what all rounds need, computed once where the operation stands
    start    (builder, *operands) -> the state before the first round
    is_long  whether it takes many rounds, or long to compile: kernels have no more lanes than registers
    """

    name: str
    dtype: str | tuple[str, ...]
    step: Callable[..., tuple[State, Any, Val]]
    limit: int
    prepare: Callable[..., State] = lambda b, *given: given
    start: Callable[..., State] = lambda b, *operands: ()
    is_long: bool = False

    @property
    def dtypes(self) -> tuple[str, ...]:
        return (self.dtype,) if isinstance(self.dtype, str) else self.dtype


def named(attr: Any) -> tuple[Repetition, int]:
    """The loop of a value `repeat` with this attribute, and which of its results the value is."""
    if isinstance(attr, str):
        return repetitions()[attr], 0
    text, k = attr
    return read(text), k


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
    results: tuple[Val, ...]
    is_last: Val


@lru_cache(maxsize=256)
def rounds(loop: Repetition, types: tuple[str, ...]) -> Rounds:
    """The loop for operands of these dtypes, the first one among them."""
    b = Builder()
    operands = tuple(b.param(f"x{k}", t) for k, t in enumerate(types))
    start = loop.start(b, *operands[1:])
    number = b.param("number", "int64")
    state = tuple(b.param(f"s{k}", v.type) for k, v in enumerate(start))
    following, found, is_last = loop.step(b, number, state, *operands[1:])
    results = found if isinstance(found, tuple) else (found,)
    assert tuple(v.type for v in results) == loop.dtypes, loop.name
    assert [v.type for v in following] == [v.type for v in start], loop.name
    return Rounds(number, state, operands, start, following, results, is_last)


def interpret(attr: Any, types: tuple[str, ...], operands: list[Any], evaluate: Callable[..., list[Any]]) -> Any:
    """The loop on NumPy arrays; `evaluate` of roots and of arrays for parameters, by their ids."""
    loop, k = named(attr)
    r = rounds(loop, types)
    arrays = np.broadcast_arrays(*operands)
    given = dict(zip(map(id, r.operands), arrays, strict=True))
    left, state = arrays[0].copy(), evaluate(r.start, given)
    found = np.zeros(left.shape, loop.dtypes[k])
    for number in range(loop.limit):
        if not left.any():
            break
        known = given | dict(zip(map(id, r.state), state, strict=True)) | {id(r.number): np.int64(number)}
        *state, result, is_last = evaluate((*r.following, r.results[k], r.is_last), known)
        found = np.where(left, result, found)
        left = left & ~is_last
    return found


# -- loops as text -----------------------------------------------------------------------------------------------------
Text = tuple[Any, ...]
MAX_ROUNDS = int(np.iinfo(np.int64).max)


def write(state: State, fixed: State, following: State, until: Val | None) -> Text:
    """A loop as nested tuples of strings and integers, equal for equal loops in any process.  Its operands are the
    most rounds, an int64 for each element, the first state, and what is fixed; the results the state after the last
    round, then, with `until`, whether that was true in it, which ends the loop."""
    at = {id(v): k for k, v in enumerate((*state, *fixed))}
    roots = following if until is None else (*following, until)
    lines = []
    for v in walk(roots, set(at)):
        lines.append((v.op, v.type, tuple(at[id(a)] for a in v.args), _plain(v.attr)))
        at[id(v)] = len(at)
    types = tuple(v.type for v in state), tuple(v.type for v in fixed)
    return *types, tuple(lines), tuple(at[id(v)] for v in roots)


@lru_cache(maxsize=256)
def read(text: Text) -> Repetition:
    """The loop that `write` wrote."""
    state_types, fixed_types, lines, ends = text
    count = len(state_types)
    is_while = len(ends) > count

    def step(b: Builder, number: Val, state: State, limit: Val, *given: Val) -> tuple[State, State, Val]:
        values = [*state, *given[count:]]
        for op, dtype, args, attr in lines:
            values.append(b.make(op, dtype, [values[k] for k in args], _attribute(attr)))
        results = tuple(values[k] for k in ends)
        is_last = b.ge(b.add(number, 1), limit)
        return results[:count], results, b.or_(results[count], is_last) if is_while else is_last

    return Repetition(
        "rounds_" + blake2b(repr(text).encode(), digest_size=8).hexdigest(),
        (*state_types, *(("bool",) if is_while else ())),
        step, MAX_ROUNDS, start=lambda b, limit, *given: given[:count], is_long=True,
    )  # fmt: skip


def _plain(attr: Any) -> Any:
    """Floats by their bits, since -0.0 is equal to 0.0, and nan to nothing."""
    if isinstance(attr, tuple):
        return "tuple", tuple(map(_plain, attr))
    return ("float", attr.hex()) if isinstance(attr, float) else attr


def _attribute(plain: Any) -> Any:
    if not isinstance(plain, tuple):
        return plain
    kind, value = plain
    return float.fromhex(value) if kind == "float" else tuple(map(_attribute, value))
