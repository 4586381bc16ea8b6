"""Texts about nodes: what a run-time error tells the user, and the pieces that other messages are made of."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from tensordsl.base.config import config
from tensordsl.base.records import record
from tensordsl.graph.printing import debugprint, op_text, pp, variable_text
from tensordsl.graph.variables import Apply, Variable, with_bodies

if TYPE_CHECKING:
    from tensordsl.signature.spec import FunctionSpec

Array = np.ndarray[Any, Any]

SHOWN = 5  # elements; larger operands are "not shown" in messages
EXPRESSION = 200  # characters of an expression in a message
DEPTH = 5  # levels of a graph in a message


@record(eq=False)
class Round:
    """A round of a loop: the loop's application and the round's number, from 0."""

    loop: Apply
    number: int


def loop_name(loop: Apply) -> str:
    name: str = loop.attrs["body"].name
    return name


def rounds_text(rounds: Sequence[Round]) -> str:
    """`round 3 of scan 'rows', in round 0 of scan`: the innermost loop first; "" outside of loops."""
    return ", in ".join(f"round {r.number} of {loop_name(r.loop)}" for r in reversed(rounds))


def report(
    error: Exception,
    spec: FunctionSpec,
    node: Apply,
    operands: list[Array] | None,
    rounds: Sequence[Round] = (),
) -> Exception:
    """The error to raise for `error` in `node`: of the same class, with everything that helps to find the mistake.

    rounds: of the loops that the node is in, the outermost first.
    """
    first = str(error) or type(error).__name__
    name = loop_name(node) if "body" in node.attrs else node.row.print_name or node.row.name
    if name != "require" and not first.startswith(f"{name}:"):  # that row's messages name who requires
        first = f"{name}: {first}"
    lines = [
        *_limited(first.splitlines(), 4),
        *([f"Happened in {rounds_text(rounds)} (rounds count from 0)"] if rounds else []),
        f"Apply node that caused the error: {node_text(node)}",
        f"Expression: {pp(node.outputs[0], EXPRESSION)}",
        f"Toposort index: {_index(spec, node)}",
        f"Inputs types: [{', '.join(str(v.type) for v in node.inputs)}]",
        *_operand_lines(operands),
        f"Outputs clients: {_clients(spec, node, rounds)}",
        "",
        "Backtrace when the node is created:",
        f"  {node.origin}" if node.origin is not None else "  unknown",
        *_backtraces_of_loops([r for r in rounds if r.loop is not node]),
        "",
        "HINT: If you suspect the compiler, try the flag optimizer=fast_compile, or optimizer=None.",
    ]
    if config.exception_verbosity == "high":
        lines += ["", "Debugprint of the apply node:", graph_text([node.outputs[0]])]
        lines += ["", "Debugprint of the function:", graph_text(spec.results), *_memory_map(node, operands)]
    else:
        lines.append("HINT: Use the flag exception_verbosity=high for a debugprint and a memory map of this node.")
    return same_class(error, "\n".join(lines))


def with_note(error: Exception, node: Apply, rounds: Sequence[Round] = ()) -> Exception:
    """The same error, of a user's function that a program called, with the application in its notes."""
    note = f"Apply node that caused the error: {node_text(node)}"
    if rounds:
        note += f"\nHappened in {rounds_text(rounds)} (rounds count from 0)"
    if note not in getattr(error, "__notes__", ()):
        error.add_note(note)
        error.add_note(f"Backtrace when the node is created:\n  {node.origin or 'unknown'}")
    return error


def _backtraces_of_loops(rounds: Sequence[Round]) -> list[str]:
    lines = []
    for r in reversed(rounds):
        lines += [f"Backtrace when {loop_name(r.loop)} is created:", f"  {r.loop.origin or 'unknown'}"]
    return lines


def same_class(error: Exception, message: str) -> Exception:
    try:
        again = type(error)(message)
    except Exception:  # a class with a constructor of its own
        again = RuntimeError(f"{type(error).__name__}: {message}")
    return again


def _limited(lines: list[str], count: int) -> list[str]:
    return lines if len(lines) <= count else [*lines[: count - 1], "..."]


def _index(spec: FunctionSpec, node: Apply) -> int:
    return next((index for index, other in enumerate(with_bodies(spec.nodes())) if other is node), -1)


def _operand_lines(operands: list[Array] | None) -> list[str]:
    if operands is None:
        return ["Inputs shapes: not available"]
    shown = [repr(a) if a.size <= SHOWN else "'not shown'" for a in operands]
    return [
        f"Inputs shapes: {[a.shape for a in operands]}",
        f"Inputs strides: {[a.strides for a in operands]}",
        f"Inputs values: [{', '.join(' '.join(text.split()) for text in shown)}]",
    ]


def _clients(spec: FunctionSpec, node: Apply, rounds: Sequence[Round]) -> list[list[str]]:
    """Who uses each output of `node`."""
    clients: dict[Variable, list[str]] = {output: [] for output in node.outputs}
    for other in with_bodies(spec.nodes()):
        for v in dict.fromkeys(other.inputs):
            if v in clients:
                clients[v].append(node_text(other))
    for v in spec.outputs:
        if v in clients:
            clients[v].append("output")
    for shared, v in spec.updates:
        if v in clients:
            clients[v].append(f"update of {variable_text(shared)}")
    for r in rounds:
        for v in dict.fromkeys(r.loop.attrs["body"].expressions):
            if v in clients:
                clients[v].append(f"result of a round of {loop_name(r.loop)}")
    return list(clients.values())


def _memory_map(node: Apply, operands: list[Array] | None) -> list[str]:
    if operands is None:
        return []
    lines = ["", "Storage map footprint:"]
    for variable, array in zip(node.inputs, operands, strict=False):
        lines.append(
            f" - {variable_text(variable)}, shape: {array.shape}, item size: {array.itemsize} B, {array.nbytes} B"
        )
    return lines


def node_text(node: Apply) -> str:
    """`dot(A, B)`."""
    return f"{op_text(node)}({', '.join(map(variable_text, node.inputs))})"


def graph_text(variables: Sequence[Variable], depth: int = -1) -> str:
    """The graph as a tree, `depth` levels of it."""
    text: str = debugprint(list(variables), depth=depth, file="str")
    return text.rstrip("\n")


def short(array: Array) -> str:
    return _shortened(" ".join(str(array).split()), 80)


def _shortened(text: str, length: int) -> str:
    return text if len(text) <= length else text[: length - 5] + "(...)"
