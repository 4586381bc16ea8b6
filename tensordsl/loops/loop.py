"""`loop`: a loop written as a function of what a round is handed and of one element, without Theano's conventions.

Comes in   a step `(carry, x) -> (carry, y)`, where the carry starts, what is walked over.
Goes out   the carry behind the last round, and the y of all rounds, stacked; both as structures of variables.
With `checkpoint` it is a loop over blocks of rounds: the gradient of the outer one remembers the carry before each
block, and computes the rounds of a block again when it comes to it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from tensordsl.base.config import config
from tensordsl.graph.casting import upcast
from tensordsl.graph.substitute import substitute
from tensordsl.graph.types import INTEGERS
from tensordsl.graph.variables import Constant, Variable, ancestors, inputs_of
from tensordsl.loops.build import LoopBuilder, State, is_number, number_of_rounds, rounds_of_a_block
from tensordsl.loops.structures import Structure, flatten, flatten_as, paths, unflatten
from tensordsl.ops.array.creation import arange, zeros
from tensordsl.ops.array.shape import concatenate, reshape, shape_i, shape_tuple
from tensordsl.ops.control import loop_index, parameter_like, require
from tensordsl.ops.math.comparisons import eq
from tensordsl.ops.math.elementwise import cast, minimum
from tensordsl.ops.operands import as_variable
from tensordsl.signature.shared import SharedVariable, mark_of_creation

RETURNS = "a step returns (carry, y): what the next round is handed, and what is stacked; each may be None"

Step = Callable[[Sequence[Any], Sequence[Any]], tuple[Sequence[Any], Sequence[Any]]]  # of values, without structure


def loop(
    step: Callable[[Any, Any], tuple[Any, Any]],
    init: Any,
    xs: Any = None,
    length: Any = None,
    *,
    reverse: bool = False,
    checkpoint: int | None = None,
    name: str | None = None,
) -> tuple[Any, Any]:
    """A loop: `carry, y = step(carry, x)` in each round, from `init` on, over the elements x of `xs`.

    Carry, xs and y are variables, or tuples, lists and dictionaries of them, nested as you like; None is a structure
    without values.  What the step uses from outside is the same in all rounds.

    Parameters
    ----------
    step : a function of the carry and one element, called once, with variables.  It returns the next carry, of the
        structure, dtypes and ranks of `init`, and the value y of this round.
    init : where the carry starts.  Arrays and numbers are taken; a Python number starts in the dtype of what the step
        makes of it, and in int64 or floatX if that is made of numbers alone.
    xs : what to walk over along the first axes, of equal lengths.  None: the step gets None for x.
    length : the number of rounds, an int or a 0-d integer variable; needed if `xs` is None, else checked.
    reverse : walk from the last element to the first.  Row k of the values is that of element k all the same.
    checkpoint : gradients keep the carry of every so many rounds alone, and compute the rounds in between again:
        their memory is that of `n / checkpoint + checkpoint` carries, in place of n.  None: they keep every carry that
        they read.
    name : what errors call the loop.

    Returns
    -------
    (carry, ys): the carry behind the last round, and the y of all rounds, stacked along a new first axis.

    Raises
    ------
    TypeError, ValueError
        Where the arguments or what the step returns do not fit each other.  A call of the compiled function raises
        ValueError where the `xs` have other lengths, or the carry changes its shape.

    A step that draws random numbers is refused, since a loop returns no updates: draw them before the loop and walk
    over them, or write `scan`.

    >>> import tensordsl, tensordsl.tensor as T
    >>> x = T.vector("x")
    >>> total, sums = tensordsl.loop(lambda total, a: (total + a, total + a), 0, x)
    >>> tensordsl.function([x], [total, sums])([1, 2, 3])
    [array(6.), array([1., 3., 6.])]

    Two states, by their names:

    >>> def fibonacci(carry, _):
    ...     return {"a": carry["b"], "b": carry["a"] + carry["b"]}, carry["a"]
    >>> tensordsl.loop(fibonacci, {"a": 0, "b": 1}, length=8)[1].eval()
    array([ 0,  1,  1,  2,  3,  5,  8, 13])
    """
    where = f"loop {name!r}" if name else "loop"
    if not callable(step):
        raise TypeError(f"{where}: the step must be a function, got {step!r}")
    start, carry_form = flatten(init)
    walked, xs_form = flatten(xs)
    inputs = [as_variable(x) for x in walked]
    for x, path in zip(inputs, paths(xs_form), strict=True):
        if x.type.ndim == 0:
            raise TypeError(f"{where}: xs{path} needs an axis to walk over, got {x!r} of {x.type}")
    rounds = _rounds(inputs, paths(xs_form), length, where)
    y_form: list[Structure] = []

    def called(carry: Sequence[Any], elements: Sequence[Any]) -> tuple[Sequence[Any], Sequence[Any]]:
        returned = step(unflatten(carry_form, carry), unflatten(xs_form, elements))
        if not isinstance(returned, tuple | list) or len(returned) != 2:
            raise TypeError(f"{where}: the step returned {returned!r}; {RETURNS}")
        values, form = flatten(returned[1])
        y_form.append(form)
        return flatten_as(carry_form, returned[0], f"{where}: the step's carry"), values

    states = [
        State(f"carry{path}", as_variable(v), (-1,), is_number(v))
        for v, path in zip(start, paths(carry_form), strict=True)
    ]
    if checkpoint is None:
        carry, ys = _run(where, called, states, inputs, rounds, bool(reverse))
    else:
        size = rounds_of_a_block(checkpoint, where, "checkpoint")
        carry, ys = _run_in_blocks(where, called, states, inputs, rounds, bool(reverse), size)
    return unflatten(carry_form, carry), unflatten(y_form[0], ys)


def _rounds(inputs: Sequence[Any], places: Sequence[str], length: Any, where: str) -> Any:
    """The number of rounds, a 0-d int64: the length of all inputs."""
    if length is None and not inputs:
        raise ValueError(f"{where}: nothing says how many rounds there are: give length or xs")
    claims = [(f"xs{path}", shape_i(x, 0), x.type.shape[0]) for x, path in zip(inputs, places, strict=True)]
    if length is not None:
        rounds = number_of_rounds(length, where, "length")
        known = int(rounds.data) if isinstance(rounds, Constant) else None
        claims.insert(0, ("length", rounds, known))
    (first, rounds, known), *others = claims
    for what, other, n in others:
        message = f"{where}: {what} has another length than {first}"
        if known is not None and n is not None and n != known:
            raise ValueError(f"{message}: {n}, not {known}")
        if n is None or n != known:
            rounds = require(rounds, eq(rounds, other), message)
    return rounds


def _run(
    where: str,
    step: Step,
    states: Sequence[State],
    inputs: Sequence[Any],
    rounds: Any,
    reverse: bool = False,
    recomputes: bool = False,
) -> tuple[list[Any], list[Any]]:
    """The carry behind the last round, and the values of all."""
    t = loop_index()
    t.name = "t"
    at = (rounds - 1) - t if reverse else t
    elements = [x[at] for x in inputs]
    parameters = [parameter_like(element) for element in elements]
    for p, x in zip(parameters, inputs, strict=True):
        p.name = f"{x.name}[t]" if x.name else None
    rows = [[parameter_like(s.initial)] for s in states]
    before = mark_of_creation()
    new, ys = step([row[0] for row in rows], parameters)
    new, ys = [as_variable(v) for v in new], [as_variable(v) for v in ys]
    instead = "draw them before it, as streams.normal((length, ...)), and walk over them as xs; or write scan, which "
    refuse_draws([*new, *ys], before, where, f"{instead}returns the updates")
    states, rows, values = with_wide_numbers(states, rows, [*new, *ys])
    new, ys = values[: len(new)], values[len(new) :]
    pairs = list(zip(parameters, elements, strict=True))
    builder = LoopBuilder(where, rounds, t, pairs, states, rows, recomputes=recomputes)
    finals, stacked, _ = builder.build(new, ys, {})
    return finals, [y[::-1] for y in stacked] if reverse else stacked


def with_wide_numbers(
    states: Sequence[State], rows: list[list[Any]], values: list[Any]
) -> tuple[Sequence[State], list[list[Any]], list[Any]]:
    """Python numbers from which nothing is made but by themselves and constants, as int64 or floatX: as constants they
    have the smallest dtype that holds them, which the rounds would outgrow."""
    numbers = {row[0] for s, row in zip(states, rows, strict=True) if s.is_number}
    wide: dict[Any, Any] = {}
    for (p,), value in zip(rows, values, strict=False):
        if p in numbers and numbers.issuperset(inputs_of([value])):
            dtype = "int64" if p.type.dtype in INTEGERS else config.floatX
            wide[p] = parameter_like(p, upcast(p.type.dtype, dtype))
    if not wide:
        return states, rows, values
    states = [
        State(s.what, cast(s.initial, wide[p].type.dtype), s.taps, True) if p in wide else s
        for s, (p,) in zip(states, rows, strict=True)
    ]
    return states, [[wide.get(p, p)] for (p,) in rows], substitute(values, wide)


def _run_in_blocks(
    where: str, step: Step, states: Sequence[State], inputs: Sequence[Any], rounds: Any, reverse: bool, size: int
) -> tuple[list[Any], list[Any]]:
    """As `_run`, in blocks of `size` rounds, of which the last may have fewer."""
    if reverse:
        inputs = [x[::-1] for x in inputs]

    def block(carry: Sequence[Any], elements: Sequence[Any]) -> tuple[Sequence[Any], Sequence[Any]]:
        start = elements[0] * size
        stop = minimum(start + size, rounds)
        starts = [State(s.what, v, s.taps, s.is_number) for s, v in zip(states, carry, strict=True)]
        finals, ys = _run(where, step, starts, [x[start:stop] for x in inputs], stop - start)
        return finals, [_padded(y, size - (stop - start)) for y in ys]

    blocks = (rounds + (size - 1)) // size
    finals, ys = _run(where, block, states, [arange(blocks)], blocks, recomputes=True)
    ys = [reshape(y, (blocks * size, *shape_tuple(y)[2:]))[:rounds] for y in ys]
    return finals, [y[::-1] for y in ys] if reverse else ys


def _padded(y: Any, missing: Any) -> Any:
    """With so many more rows: of all blocks equally many are stacked."""
    return concatenate([y, zeros((missing, *shape_tuple(y)[1:]), dtype=y.type.dtype)])


def refuse_draws(values: Sequence[Variable], before: int, where: str, instead: str) -> None:
    """Refuse random numbers that the step has drawn; those that it uses from outside are drawn once."""
    for v in ancestors(values):
        if isinstance(v, SharedVariable) and v.default_update is not None and v.made > before:
            raise ValueError(
                f"{where}: the step draws random numbers ({v!r}), and a loop returns no updates: {instead}"
            )
