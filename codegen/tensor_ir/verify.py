"""The verifier of tensor IR: rules that every value keeps after every pass.  What it raises is our bug."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tensordsl.codegen.tensor_ir.construct import CONSTRUCTS
from tensordsl.codegen.tensor_ir.graph import Graph, Value


class InvalidIR(AssertionError):
    """A value breaks a rule of the IR."""


def verify_ir(graph: Graph, roots: Sequence[Value], since: int = 0) -> None:
    """Check values from number `since` on (older ones never change), the loops, and that `roots` are closed."""
    for v in graph.values[since:]:
        for o in v.operands:
            if graph.values[o.number] is not o:
                check(False, v, f"operand {o} is not a value of this graph")
        CONSTRUCTS[v.op].verify(graph, v)
    for loop in graph.loops:
        for k, (new, old) in enumerate(zip(loop.next, loop.carried, strict=True)):
            if new.dtype != old.dtype or not same_shape(graph, new.shape, old.shape):
                raise InvalidIR(f"loop {loop.number}: carried value {k} changes its type")
    for v in roots:
        check(not v.loops, v, "a result of the function varies with a loop")
        check(bool(v.dtype), v, "a result of the function has no dtype")


def check(holds: bool, v: Value, what: str) -> None:
    if not holds:
        operands = ", ".join(f"{o}: {o.dtype}{list(o.shape)}" for o in v.operands)
        raise InvalidIR(f"{v} = {v.op}({operands}) : {v.dtype}{list(v.shape)}: {what}")


def same_shape(graph: Graph, a: Sequence[Any], b: Sequence[Any]) -> bool:
    return a == b or (len(a) == len(b) and all(same(graph, m, n) for m, n in zip(a, b, strict=True)))


def same(graph: Graph, a: Any, b: Any) -> bool:
    """Whether two lengths are equal; code that may be left out compares its lengths when it runs."""
    if a == b:
        return True
    find = graph.extents.find
    a, b = find(a), find(b)
    return a == b or (bool(graph.extents.assumed) and not (isinstance(a, int) and isinstance(b, int)))
