"""`while_loop`: a loop that goes on as long as a condition on its carry holds, in the plain spelling of `loop`.

Comes in   a condition and a body, functions of the carry, and where it starts.
Goes out   the carry for which the condition is false, as a structure of variables: a loop of the core that ends behind
           the round whose carry fails the condition, of no round where the start does.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tensordsl.graph.substitute import substitute
from tensordsl.graph.types import COMPLEX
from tensordsl.loops.build import LoopBuilder, State, is_number, number_of_rounds
from tensordsl.loops.loop import refuse_draws, with_wide_numbers
from tensordsl.loops.structures import flatten, flatten_as, paths, unflatten
from tensordsl.ops.control import NO_LIMIT, as_truth, loop_index, parameter_like
from tensordsl.ops.math.comparisons import invert
from tensordsl.ops.math.elementwise import cast, switch
from tensordsl.ops.operands import as_variable, constant
from tensordsl.signature.shared import mark_of_creation


def while_loop(
    condition: Callable[[Any], Any],
    body: Callable[[Any], Any],
    init: Any,
    max_rounds: Any = None,
    *,
    name: str | None = None,
) -> Any:
    """A loop: `carry = body(carry)` from `init` on, while `condition(carry)` is true.

    The carry is a variable, or tuples, lists and dictionaries of them, nested as you like.  The condition is asked
    before each round, so there may be none.  What both functions use from outside is the same in all rounds.

    Parameters
    ----------
    condition : a function of the carry, called once, with variables.  It returns whether there is a round, a value
        without axes: one that is not zero counts as true, NaN too.
    body : a function of the carry, called once, with variables.  It returns the next carry, of the structure, dtypes
        and ranks of `init`.
    init : where the carry starts.  Arrays and numbers are taken; a Python number starts in the dtype of what the body
        makes of it, and in int64 or floatX if that is made of numbers alone.
    max_rounds : the most rounds that there may be, an int or a 0-d integer variable.  None: only the condition ends the
        loop; Ctrl-C interrupts it.

    name : what errors call the loop.

    Returns
    -------
    The carry behind the last round.  Gradients flow through the rounds that were, which need no limit: these are run
    once more to remember what the gradient reads.

    Raises
    ------
    TypeError, ValueError
        Where the arguments, or what the functions return, do not fit each other.  A call of the compiled function
        raises ValueError where the carry changes its shape, or `max_rounds` is negative.

    >>> import tensordsl, tensordsl.tensor as T
    >>> a, b = T.lscalars("a", "b")
    >>> gcd, _ = tensordsl.while_loop(lambda c: T.neq(c[1], 0), lambda c: (c[1], c[0] % c[1]), (a, b))
    >>> int(tensordsl.function([a, b], gcd)(48, 36))
    12

    A root by Newton's iteration, and its derivative:

    >>> x = T.scalar("x")
    >>> root = tensordsl.while_loop(lambda r: abs(r * r - x) > 1e-12 * x, lambda r: (r + x / r) / 2, x)
    >>> tensordsl.function([x], [root, T.grad(root, x)])(4.0)
    [array(2.), array(0.25)]
    """
    where = f"while_loop {name!r}" if name else "while_loop"
    for what, given in (("condition", condition), ("body", body)):
        if not callable(given):
            raise TypeError(f"{where}: the {what} must be a function of the carry, got {given!r}")
    start, form = flatten(init)
    if not start:
        raise ValueError(f"{where}: init has no values, got {init!r}")
    limit = constant(NO_LIMIT, dtype="int64")
    if max_rounds is not None:
        limit = number_of_rounds(max_rounds, where, "max_rounds")
    states = [
        State(f"carry{path}", as_variable(v), (-1,), is_number(v)) for v, path in zip(start, paths(form), strict=True)
    ]
    rows = [[parameter_like(s.initial)] for s in states]
    before = mark_of_creation()
    asked = _truth(condition(unflatten(form, [p for (p,) in rows])), where)
    new = flatten_as(form, body(unflatten(form, [p for (p,) in rows])), f"{where}: the body's carry")
    values = [*map(as_variable, new), asked]
    refuse_draws(values, before, where, "draw them before it; or write scan with until, which returns the updates")
    wide_states, wide_rows, values = with_wide_numbers(states, rows, values)
    builder = LoopBuilder(where, limit, loop_index(), [], wide_states, wide_rows)
    *new, asked = builder.with_equal_types(values)
    parameters = [p for (p,) in builder.rows]
    initial = [cast(s.initial, p.type.dtype) for s, p in zip(wide_states, parameters, strict=True)]
    (at_start,) = substitute([asked], dict(zip(parameters, initial, strict=True)))
    (behind,) = substitute([asked], dict(zip(parameters, new, strict=True)))
    builder.rounds = switch(at_start, limit, constant(0, dtype="int64"))
    finals, _, _ = builder.build(new, [], {}, invert(behind))
    return unflatten(form, finals)


def _truth(asked: Any, where: str) -> Any:
    """What the condition returned, as a 0-d bool."""
    if asked is None or isinstance(asked, tuple | list | dict):
        raise TypeError(f"{where}: the condition must return one value without axes, got {asked!r}")
    truth = as_variable(asked)
    if truth.type.ndim or truth.type.dtype in COMPLEX:
        raise TypeError(
            f"{where}: the condition must be a real value without axes, got {truth.type}: take all(...) or any(...)"
        )
    return as_truth(truth)
