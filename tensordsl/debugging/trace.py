"""A function executed node by node on NumPy, by the rows' oracles."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import field
from itertools import count
from typing import TYPE_CHECKING, Any

import numpy as np

from tensordsl.base.errors import ResultShapeError, ResultTypeError
from tensordsl.base.records import record
from tensordsl.debugging.reports import Round, report, with_note
from tensordsl.graph.evaluate import (
    Failed,
    always_needed,
    evaluate_node,
    in_order,
    operands_of,
    run_rounds,
    taken,
)
from tensordsl.graph.variables import Apply, Constant, Elementwise, Variable, with_bodies

if TYPE_CHECKING:
    from tensordsl.signature.spec import FunctionSpec

Array = np.ndarray[Any, Any]
Values = dict[Variable, Any]  # arrays, or Failed
Rounds = Sequence[Round]
# Called around each node with its position, itself, the arrays of its operands (and results), and the rounds of the
# loops that it is in.
Before = Callable[[int, Apply, list[Array], Rounds], None]
After = Callable[[int, Apply, list[Array], list[Array], Rounds], None]


class Unfinished(Exception):
    """A trace has evaluated as many nodes inside of loops as it may."""


@record(eq=False, frozen=False)
class Tracer:
    """How a trace evaluates nodes: what it makes of errors, what it calls around each, and how many inside of loops it
    still may."""

    explain: Callable[[Exception, Apply, list[Array], Rounds], Exception]
    position: dict[int, int] = field(default_factory=dict)
    before: Before | None = None
    after: After | None = None
    is_silent: bool = False
    budget: float = float("inf")
    asserts: bool = False  # also where it is silent

    def run(self, roots: Sequence[Variable], values: Values, rounds: Rounds, until: Apply | None = None) -> None:
        """Add to `values` what the roots need, but not what `until` gives.

        What fails is an error at once if the roots need it in any case.  Else it is `Failed`, and an error where it is
        read: by an inner loop or branch, in a round."""
        roots = until.inputs if until is not None else roots
        ends = always_needed(until) if until is not None else roots
        for node in in_order(roots, lambda v: has(v, values), lambda v: value_of(v, values)):
            operands = [value_of(v, values) for v in node.inputs if has(v, values) and not is_failed(v, values)]
            index = self.position.get(id(node), -1)
            if rounds:
                self.budget -= 1
                if self.budget < 0:
                    raise Unfinished
            failed = failed_operand(node, values)
            try:
                if failed is None:
                    if self.before is not None:
                        self.before(index, node, operands, rounds)
                    results = self.explained(node, values, operands, rounds)
                    values.update(zip(node.outputs, results, strict=True))
                    if self.after is not None:
                        self.after(index, node, operands, results, rounds)
            except Unfinished:
                raise
            except Reported as reported:
                if reported.is_at_once:
                    raise
                failed = Failed(reported)
            except Exception as error:  # of what is called around the node: no loop around it shall explain it
                raise Reported(error, is_at_once=True) from error.__cause__
            if failed is not None:
                if is_needed(node, ends):
                    raise failed.error
                values.update(dict.fromkeys(node.outputs, failed))

    def explained(self, node: Apply, values: Values, operands: list[Array], rounds: Rounds) -> list[Array]:
        try:
            return self.compute(node, values, rounds)
        except (Reported, Unfinished):
            raise
        except Exception as error:
            is_users = "printer" in node.attrs  # the error of a function of his, whose frames he wants to see
            raise Reported(self.explain(error, node, operands, rounds)) from (error if is_users else None)

    def compute(self, node: Apply, values: Values, rounds: Rounds) -> list[Array]:
        if "body" not in node.attrs:
            is_heard = not self.is_silent or (self.asserts and node.row.name == "assert")
            return compute(node, values) if is_heard else compute_silently(node, values)
        operands = operands_of(node, lambda v: value_of(v, values))
        made = run_rounds(operands[0], operands[1:], node.attrs["body"], self.evaluate(node, rounds))
        return as_outputs(node, made[len(made) - len(node.outputs) :])

    def evaluate(self, loop: Apply, rounds: Rounds) -> Callable[[Sequence[Variable], Any], list[Array]]:
        """What evaluates the results of a round of `loop`."""
        number = count()

        def evaluate(results: Sequence[Variable], known: Any) -> list[Array]:
            own = as_arrays(known)
            self.run(results, own, (*rounds, Round(loop, next(number))))
            arrays = [value_of(v, own) for v in results]
            for array in arrays:
                if isinstance(array, Failed):
                    raise array.error
            return arrays

        return evaluate

    def until(self, path: Rounds, node: Apply, values: Values) -> Values:
        """The values of the round that `path` says, with the operands of `node`, from those outside of all loops."""
        passed: list[Round] = []
        for at in path:
            self.run((), values, passed, at.loop)
            operands = [value_of(v, values) for v in at.loop.inputs]
            body = at.loop.attrs["body"]
            size = len(body.carried)
            carried = operands[1 : 1 + size]
            outer = dict(zip(body.invariants, operands[1 + size :], strict=True))
            step = self.evaluate(at.loop, tuple(passed))
            for k in range(at.number if carried else 0):
                known = {body.index: np.int64(k), **dict(zip(body.carried, carried, strict=True)), **outer}
                carried = step(body.next, known)
            values = as_arrays(
                {body.index: np.int64(at.number), **dict(zip(body.carried, carried, strict=True)), **outer}
            )
            passed.append(at)
        self.run((), values, passed, node)
        return values


class Reported(Exception):
    """Carries the error to be raised for a node through the loops around it."""

    def __init__(self, error: Exception, is_at_once: bool = False) -> None:
        super().__init__(str(error))
        self.error, self.is_at_once = error, is_at_once


def trace(
    spec: FunctionSpec,
    values: Values,
    before: Before | None = None,
    after: After | None = None,
    until: Apply | None = None,
    is_silent: bool = False,
    rounds: Rounds = (),
    budget: float = float("inf"),
    asserts: bool = False,
) -> Values:
    """Evaluate the nodes that the results need, by the rows' oracles, and add what they give to `values`.

    A node runs when its operands are there; of an `ifelse` only the branch taken is needed; loops run round by round.
    With `until` the operands of that node are evaluated, not the node; in the rounds of the loops around it, if it is
    in some.  Without, `rounds` say that a round is evaluated alone, from values of its parameters.  Gives `values`, or
    of a node in a loop those of its round.  An error is raised again as the report of its node.  A silent evaluation
    is one of a call that has been heard already: nothing is printed, no callback called, and nothing asserted unless
    `asserts` says so.  Raises Unfinished when more nodes than the budget were evaluated inside of loops.
    """
    position = {id(node): index for index, node in enumerate(with_bodies(spec.nodes()))}

    def explain(error: Exception, node: Apply, operands: list[Array], rounds: Rounds) -> Exception:
        if node.row.is_custom and not isinstance(error, ResultTypeError | ResultShapeError):
            return with_note(error, node, rounds)
        return report(error, spec, node, operands, rounds)

    tracer = Tracer(explain, position, before, after, is_silent, budget, asserts)
    try:
        if until is None:
            roots = rounds[-1].loop.attrs["body"].expressions if rounds else spec.results
            tracer.run(roots, values, rounds)
            return values
        return tracer.until(rounds, until, values)
    except Reported as reported:
        raise reported.error from reported.__cause__


def as_arrays(known: Any) -> Values:
    return {v: array if isinstance(array, Failed) else np.asarray(array) for v, array in known.items()}


def as_outputs(node: Apply, results: Sequence[Any]) -> list[Array]:
    """The results in the dtypes that the row promises."""
    return [np.asarray(r, dtype=v.type.dtype) for r, v in zip(results, node.outputs, strict=True)]


def has(variable: Variable, values: Values) -> bool:
    return variable in values or isinstance(variable, Constant)


def is_failed(variable: Variable, values: Values) -> bool:
    return isinstance(values.get(variable), Failed)


def failed_operand(node: Apply, values: Values) -> Failed | None:
    """The first of the operands that a node cannot do without which has failed."""
    needed = always_needed(node)
    found = next((values[v] for v in needed if is_failed(v, values)), None)
    if found is None and node.row.name == "ifelse":
        found = next((values[v] for v in taken(node, value_of(needed[0], values)) if is_failed(v, values)), None)
    return found


def is_needed(node: Apply, ends: Sequence[Variable]) -> bool:
    """Whether `ends` need a node whatever branches are taken and rounds are run."""
    seen: set[int] = set()
    stack = [v.owner for v in ends]
    while stack:
        user = stack.pop()
        if user is node:
            return True
        if user is not None and id(user) not in seen:
            seen.add(id(user))
            stack += [v.owner for v in always_needed(user)]
    return False


def value_of(variable: Variable, values: Values) -> Array:
    return np.asarray(variable.data) if isinstance(variable, Constant) else values[variable]


def compute(node: Apply, values: Values) -> list[Array]:
    if node.row.name == "ifelse":
        return [value_of(v, values) for v in taken(node, value_of(node.inputs[0], values))]
    operands = [value_of(v, values) for v in node.inputs]
    if isinstance(node.row.meaning, Elementwise) and len(operands) > 1:
        check_broadcast(node, operands)
    return list(evaluate_node(node, operands))


def compute_silently(node: Apply, values: Values) -> list[Array]:
    """`_compute` for a second evaluation, which must not be heard: nothing is printed, no callback called."""
    if node.row.name in ("print", "assert"):
        return [value_of(node.inputs[0], values)]
    if node.row.effect:
        raise RuntimeError(f"{node.row.name} has effects and is not evaluated again")
    return compute(node, values)


def check_broadcast(node: Apply, operands: Sequence[Array]) -> None:
    """Only axes declared to have length 1 broadcast.  Raises ValueError where NumPy would stretch another one."""
    rank = max(array.ndim for array in operands)
    for axis in range(rank):
        lengths = set()
        for variable, array in zip(node.inputs, operands, strict=True):
            k = axis - rank + array.ndim
            if k >= 0 and variable.type.shape[k] != 1:
                lengths.add(array.shape[k])
        if len(lengths) > 1:
            shapes = ", ".join(str(array.shape) for array in operands)
            hint = (
                "; an axis of length 1 broadcasts only if its type says so (T.row, T.col, broadcastable=..., "
                "T.addbroadcast)"
                if 1 in lengths
                else ""
            )
            raise ValueError(f"Dimension mismatch on axis {axis}; shapes are {shapes}{hint}")


def initial_values(spec: FunctionSpec, arrays: Sequence[Array]) -> Values:
    """The values known before a call: its arguments and the shared variables."""
    values: Values = dict(zip(spec.inputs, arrays, strict=True))
    values.update((shared, shared.storage) for shared in spec.shared)
    return values


def finish(spec: FunctionSpec, values: Values) -> list[Array]:
    """Commit the updates and return the outputs, none of them memory of an argument, of the state or of each other."""
    taken = [value for variable, value in values.items() if variable.owner is None]
    outputs: list[Array] = []
    new: list[Array] = []
    for result in spec.results:
        array = _owned(value_of(result, values), taken)
        taken.append(array)
        (outputs if len(outputs) < len(spec.outputs) else new).append(array)
    # Everything that may fail stands before this line: from here on the state changes.
    for (shared, _), array in zip(spec.updates, new, strict=True):
        shared.swap(array)
    return outputs


def _owned(array: Array, taken: list[Array]) -> Array:
    is_own = array.base is None and array.flags.owndata and array.flags.writeable and array.flags.c_contiguous
    return array if is_own and not any(array is other for other in taken) else np.array(array, order="C")
