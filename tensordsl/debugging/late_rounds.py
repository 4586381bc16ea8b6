"""Late rounds: what the report of an error needs from rounds that the reference evaluator takes long to get to.

Contract  a loop or a node in one, the number of a round -> values there, by compiled functions of the user's own graph.
When      the reference evaluator has given up, and there is a compiler.
Why       what the rounds before have carried is what a loop of so many rounds carries.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from tensordsl.debugging.reports import Round
from tensordsl.graph.substitute import silenced, substitute
from tensordsl.graph.types import TensorType
from tensordsl.graph.variables import Apply, Constant, Variable, apply, unwatched, with_bodies

if TYPE_CHECKING:
    from tensordsl.signature.spec import FunctionSpec

Array = np.ndarray[Any, Any]
Run = Callable[[list[Array]], list[Array]]
Native = Callable[["FunctionSpec"], Run]


def operands_in_round(
    native: Native, spec: FunctionSpec, args: Sequence[Array], path: Sequence[Round], node: Apply
) -> list[Array] | None:
    """The operands of a node in a round, of nested loops in the round of each; None where that fails, too."""
    return _computed(native, spec, args, lambda: substitute(node.inputs, _parameters(path)))


def values_of_round(
    native: Native, spec: FunctionSpec, args: Sequence[Array], path: Sequence[Round]
) -> dict[Variable, Array] | None:
    """The parameters of the innermost loop's body in a round; None where that fails."""
    with unwatched():
        parameters = _parameters(path)
    found = _computed(native, spec, args, lambda: list(parameters.values()))
    return None if found is None else dict(zip(parameters, found, strict=True))


def failing_round(native: Native, spec: FunctionSpec, args: Sequence[Array], loop: Apply, count: int) -> int | None:
    """The first of `count` rounds of a loop outside of all others that fails, by halving; None if none does."""
    rounds = TensorType("int64", ())("rounds")
    with unwatched():
        results = silenced(_outputs(apply(loop.row, rounds, *loop.inputs[1:], **loop.attrs)))
    run = native(_wanting(replace(spec, inputs=(*spec.inputs, rounds)), results))

    def fails(k: int) -> bool:
        try:
            run([*args, np.asarray(k, "int64")])
        except Exception:
            return True
        return False

    low, high = 0, count
    if not fails(high):
        return None
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if fails(middle) else (middle, high)
    return high - 1


def outermost_loop(spec: FunctionSpec, node: Apply) -> Apply | None:
    """The loop outside of all others that has a node in its body, or is it."""
    loops = (loop for loop in spec.nodes() if "body" in loop.attrs)
    return next((loop for loop in loops if node in with_bodies([loop])), None)


def _parameters(path: Sequence[Round]) -> dict[Variable, Variable]:
    """The parameters of the innermost loop's body, as expressions outside of all loops."""
    new: dict[Variable, Variable] = {}
    for r in path:
        body: Any = r.loop.attrs["body"]
        number = Constant(TensorType("int64", ()), np.asarray(r.number, "int64"))
        _, *operands = substitute(r.loop.inputs, new)
        size = len(body.carried)
        finals: Sequence[Variable] = ()
        if size:
            results = _outputs(apply(r.loop.row, number, *operands, body=replace(body, stacked=())))
            finals = results[len(results) - size :]
        new = {body.index: number, **dict(zip(body.carried, finals, strict=True))}
        new.update(zip(body.invariants, operands[size:], strict=True))
    return new


def _computed(
    native: Native, spec: FunctionSpec, args: Sequence[Array], build: Callable[[], Sequence[Variable]]
) -> list[Array] | None:
    try:
        with unwatched():
            wanted = silenced(build())
        return native(_wanting(spec, wanted))(list(args))
    except Exception:  # the report is about another error: there is only less to show
        return None


def _wanting(spec: FunctionSpec, outputs: Sequence[Variable]) -> FunctionSpec:
    """A function of the same inputs and shared variables that gives these, and changes nothing."""
    borrow = (False,) * len(outputs)
    return replace(spec, outputs=tuple(outputs), updates=(), form="list", borrow=borrow, on_device=())


def _outputs(made: Any) -> tuple[Variable, ...]:
    return made if isinstance(made, tuple) else (made,)
