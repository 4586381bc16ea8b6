"""Theano's `scan`: a loop written as a function of one round's values.

Comes in   sequences with taps, initial states with taps, other operands, a number of rounds.
Goes out   the loop that `build` makes of them: element t + k of a sequence is read by index.
"""

from __future__ import annotations

import operator
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from tensordsl.base.records import record
from tensordsl.graph.printing import variable_text
from tensordsl.graph.variables import Constant, Variable, ancestors
from tensordsl.loops.build import LoopBuilder, State, is_number, number_of_rounds
from tensordsl.loops.step import Step, as_operand, call_step
from tensordsl.ops.array.shape import shape_i
from tensordsl.ops.control import loop_index, parameter_like, require
from tensordsl.ops.math.comparisons import ge, le
from tensordsl.ops.math.elementwise import minimum
from tensordsl.signature.shared import SharedVariable
from tensordsl.signature.updates import OrderedUpdates


@record
class WalkedSequence:
    """What a scan walks over: element t + tap for each tap, from the first round that has all of them."""

    input: Any
    taps: tuple[int, ...]

    @property
    def first(self) -> int:
        """The tap that reaches back farthest, at most 0."""
        return min(0, *self.taps)

    @property
    def reach(self) -> int:
        """How many elements fewer than it has the rounds are."""
        return max(0, *self.taps) - self.first


def scan(
    fn: Any,
    sequences: Any = None,
    outputs_info: Any = None,
    non_sequences: Any = None,
    n_steps: Any = None,
    truncate_gradient: int = -1,
    go_backwards: bool = False,
    mode: Any = None,
    name: str | None = None,
    profile: Any = False,
    allow_gc: Any = None,
    strict: bool = False,
    return_list: bool = False,
) -> tuple[Any, OrderedUpdates]:
    """A loop: `fn` of one round's values, over all rounds; each result is stacked along a new first axis.

    Parameters
    ----------
    fn : a function of variables, called once: the elements of the sequences (each tap), the states (each tap), then
        `non_sequences`.  It returns its results, perhaps updates of shared variables, perhaps `until(condition)`.
    sequences : what to walk over along the first axis: a variable, a dictionary with `input` and `taps` ([-1, 0, 2]:
        the elements before, at and two after the round's), or a list of these.  The shortest counts.
    outputs_info : for each result None, or where its state starts: a value (the result of the round before is given to
        the next), or a dictionary with `initial` and `taps` ([-3, -1]: the results three and one rounds before, with
        at least three rows in `initial`).
    non_sequences : further arguments, the same in each round.  What `fn` uses besides is found by itself.
    n_steps : the number of rounds, an int or a 0-d integer variable; None: as many as the sequences have elements.
    truncate_gradient : gradients flow through so many of the last rounds; -1: through all.
    go_backwards : walk over the sequences from their ends.
    strict : refuse shared variables that `non_sequences` does not name.
    return_list : give a list of results also where there is only one.
    name : what errors call the loop.
    mode, profile, allow_gc : without effect: the loop is a part of the one compiled function.

    Returns
    -------
    The results (a variable, or a list of several; None for none), and the updates of shared variables, which are to be
    given to `function`.

    Raises
    ------
    TypeError, ValueError
        Where the arguments or what `fn` returns do not fit each other.  A call of the compiled function raises
        ValueError where a sequence has fewer elements than `n_steps` rounds need.

    >>> import tensordsl, tensordsl.tensor as T
    >>> x = T.vector("x")
    >>> sums, updates = tensordsl.scan(lambda a, total: total + a, sequences=x, outputs_info=0)
    >>> tensordsl.function([x], sums)([1, 2, 3])
    array([1., 3., 6.])
    """
    return scan_rounds(
        fn, sequences, outputs_info, non_sequences, n_steps, truncate_gradient, go_backwards, name, strict, return_list
    )


def scan_rounds(
    fn: Any,
    sequences: Any = None,
    outputs_info: Any = None,
    non_sequences: Any = None,
    n_steps: Any = None,
    truncate_gradient: int = -1,
    go_backwards: bool = False,
    name: str | None = None,
    strict: bool = False,
    return_list: bool = False,
    recomputes: bool = False,
) -> tuple[Any, OrderedUpdates]:
    """As `scan`.  recomputes: see `ops.control.LoopBody`."""
    if name is not None and not isinstance(name, str):
        raise TypeError(f"scan: the name must be a string, got {name!r}")
    where = f"scan {name!r}" if name else "scan"
    if not isinstance(truncate_gradient, int | np.integer):
        raise TypeError(f"{where}: truncate_gradient must be an integer, got {truncate_gradient!r}")
    walked = [_sequence(s, where) for s in _listed(sequences)]
    infos = [_state(s, k, where) for k, s in enumerate(_listed(outputs_info))]
    others = [as_operand(v, f"{where}: non_sequence {k}") for k, v in enumerate(_listed(non_sequences))]
    rounds = _rounds(walked, n_steps, where)
    t = loop_index()
    t.name = "t"
    read = [(s, tap, _element(s, tap, t, go_backwards)) for s in walked for tap in s.taps]
    elements = [(_parameter(element, s.input, tap), element) for s, tap, element in read]
    rows = [[] if s is None else [_parameter(s.row(k), s.initial, k - s.depth) for k in range(s.depth)] for s in infos]
    given = [row[s.depth + tap] for s, row in zip(infos, rows, strict=True) if s is not None for tap in s.taps]
    step = call_step(fn, [*(p for p, _ in elements), *given, *others], where, others)
    if outputs_info is None or (not infos and not isinstance(outputs_info, dict)):
        infos, rows = [None] * len(step.results), [[] for _ in step.results]
    if len(infos) != len(step.results):
        raise ValueError(
            f"{where}: the step gives {len(step.results)} results, outputs_info is for {len(infos)}: say None for a "
            "result that does not feed back"
        )
    _check_strict(step, others, strict, where)
    states = [s for s in infos if s is not None]
    fed_back = [r for r, s in zip(step.results, infos, strict=True) if s is not None]
    builder = LoopBuilder(
        where, rounds, t, elements, states, [row for row in rows if row], truncate_gradient, others, recomputes
    )
    _, stacked, updates = builder.build(fed_back, step.results, step.updates, step.condition)
    if len(stacked) == 1 and not return_list:
        return stacked[0], updates
    return (stacked or None) if not return_list else stacked, updates


# -- what the arguments say --------------------------------------------------------------------------------------------
def _listed(given: Any) -> list[Any]:
    if given is None:
        return []
    return list(given) if isinstance(given, list | tuple) else [given]


def _taps(given: Any, default: int, where: str) -> tuple[int, ...]:
    if given is None:
        return (default,)
    try:
        taps = tuple(operator.index(k) for k in (given if isinstance(given, list | tuple | np.ndarray) else [given]))
    except TypeError:
        raise TypeError(f"{where}: taps are integers, got {given!r}") from None
    return taps or (default,)


def _sequence(given: Any, where: str) -> WalkedSequence:
    taps: tuple[int, ...] = (0,)
    if isinstance(given, Mapping):
        if "input" not in given:
            raise ValueError(f"{where}: a sequence as a dictionary needs `input`, got the keys {list(given)}")
        _check_keys(given, ("input", "taps"), "a sequence", where)
        taps = _taps(given.get("taps"), 0, where)
        given = given["input"]
    x = as_operand(given, f"{where}: a sequence")
    if x.type.ndim == 0:
        raise TypeError(f"{where}: a sequence needs an axis to walk over, got {x!r} of {x.type}: is it a non_sequence?")
    return WalkedSequence(x, taps)


def _state(given: Any, k: int, where: str) -> State | None:
    """Where result k starts; None for one that does not feed back.  A `State` is of another loop's making."""
    if isinstance(given, State):
        return given
    if given is None or (isinstance(given, Mapping) and given.get("initial") is None):
        if isinstance(given, Mapping) and given.get("taps"):
            raise ValueError(f"{where}: result {k} has taps but no initial state: {dict(given)!r}")
        return None
    taps: tuple[int, ...] = (-1,)
    if isinstance(given, Mapping):
        _check_keys(given, _STATE_KEYS, f"the initial state of result {k}", where)
        taps = _taps(given.get("taps"), -1, where)
        given = given["initial"]
    if any(tap >= 0 for tap in taps):
        raise ValueError(f"{where}: the taps of results are negative, rounds before; result {k} has {list(taps)}")
    initial = as_operand(given, f"{where}: the initial state of result {k}")
    if taps != (-1,):
        depth = -min(taps)
        if initial.type.ndim == 0:
            raise TypeError(
                f"{where}: the initial state of result {k} needs {depth} rows for the taps {list(taps)}, got "
                f"{initial!r} without axes"
            )
        length = initial.type.shape[0]
        message = f"{where}: the taps {list(taps)} of result {k} need {depth} rows of the initial state, got fewer"
        if length is None:
            initial = require(initial, ge(shape_i(initial, 0), depth), message)
        elif length < depth:
            raise ValueError(f"{message}: {length}")
    return State(f"result {k}", initial, taps, is_number(given))


def _rounds(walked: Sequence[WalkedSequence], n_steps: Any, where: str) -> Any:
    """The number of rounds, a 0-d int64."""
    lengths = [shape_i(s.input, 0) - s.reach if s.reach else shape_i(s.input, 0) for s in walked]
    if n_steps is None:
        if not lengths:
            raise ValueError(
                f"{where}: nothing says how many rounds there are: give n_steps or a sequence; "
                "until(condition) needs n_steps, too: the most rounds that there may be"
            )
        rounds = lengths[0]
        for length in lengths[1:]:
            rounds = minimum(rounds, length)
        return rounds  # of a sequence that is too short for its taps negative: then there is none
    rounds = number_of_rounds(n_steps, where, "n_steps")
    for k, (s, length) in enumerate(zip(walked, lengths, strict=True)):
        message = (
            f"{where}: sequence {k} has fewer elements than n_steps rounds need: {variable_text(s.input)}; give fewer "
            "n_steps, or None for as many rounds as there are elements"
        )
        known = s.input.type.shape[0]
        if isinstance(rounds, Constant) and known is not None and known - s.reach < rounds.data:
            raise ValueError(f"{message}: {known} elements{_reach_text(s)}, {int(rounds.data)} rounds")
        rounds = require(rounds, le(rounds, length), message)
    return rounds


def _reach_text(s: WalkedSequence) -> str:
    return f" for the taps {list(s.taps)}" if s.reach else ""


_STATE_KEYS = ("initial", "taps", "inplace", "return_steps", "store_steps")  # the last: of old programs


def _check_keys(given: Mapping[str, Any], known: Sequence[str], what: str, where: str) -> None:
    strange = [key for key in given if key not in known]
    if strange:
        raise ValueError(
            f"{where}: {what} has no {strange[0]!r}; the keys of its dictionary are {', '.join(known[:2])}"
        )


# -- parameters of a round ---------------------------------------------------------------------------------------------
def _element(s: WalkedSequence, tap: int, t: Any, go_backwards: bool) -> Any:
    """Element `tap` of round t."""
    if go_backwards:
        return s.input[(shape_i(s.input, 0) - 1 - (s.reach - (tap - s.first))) - t]
    offset = tap - s.first
    return s.input[t + offset] if offset else s.input[t]


def _named(variable: Any, tap: int) -> str | None:
    return f"{variable.name}[t{tap:+d}]".replace("+0", "") if variable.name else None


def _parameter(value: Any, source: Any, tap: int) -> Any:
    """A parameter that stands for `value`, a row of `source`."""
    parameter = parameter_like(value)
    parameter.name = _named(source, tap)
    return parameter


def _check_strict(step: Step, others: Sequence[Any], strict: bool, where: str) -> None:
    if not strict:
        return
    roots = [v for v in (*step.results, *step.updates.values(), step.condition) if isinstance(v, Variable)]
    strays = [v for v in ancestors(roots, others) if isinstance(v, SharedVariable) and v not in others]
    if strays:
        raise ValueError(f"{where}: strict, and the step uses {strays[0]!r}, which is not among the non_sequences")
