"""Equal loops: loops of the same rounds over the same operands are one loop, which stacks what any of them wants.

Contract  `LoweredLoops.find` -> a loop lowered before whose carried values are in every round those of the body given.
When      count and operands are the same values, and the bodies' `next` the same expressions up to parameters.
Why       the gradient of a loop keeps histories by a second loop of its body: forward rounds need not run twice.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import field
from typing import Any

from tensordsl.base.records import record
from tensordsl.codegen.tensor_ir.extents import Length
from tensordsl.codegen.tensor_ir.graph import Graph, Loop, Value, attrs_key, dependencies
from tensordsl.graph.variables import Constant, Variable, toposort


@record(eq=False)
class LoweredLoop:
    """A lowered loop, the value that stands for it, and the loop around it that may run zero times; the body and
    operands that it was lowered from, and what that gave, by ids of the body's variables.

    `shapes`: number of a stack -> the shape of its rows by lengths that are known before the loop; a stack has one
    shape, whoever reads it."""

    loop: Loop
    made: Value
    within: frozenset[int]
    body: Any
    operands: Sequence[Value]
    env: Mapping[int, Value]
    shapes: dict[int, tuple[Length, ...]] = field(default_factory=dict)


class LoweredLoops:
    """The loops of one function that have been lowered, by what a round is and what it starts from."""

    def __init__(self) -> None:
        self._numbers: dict[Any, int] = {}  # of expressions
        self._signatures: dict[tuple[int, bool], tuple[Any, ...]] = {}  # by bodies, which the lowering keeps alive
        self._loops: dict[Any, list[LoweredLoop]] = {}
        self._oldest: int | None = None  # number of the first loop that stacks values younger than itself

    def add(self, row: str, body: Any, operands: Sequence[Value], known: LoweredLoop) -> None:
        self._loops.setdefault(self._key(row, body, operands), []).append(known)

    def find(self, graph: Graph, row: str, body: Any, operands: Sequence[Value]) -> LoweredLoop | None:
        """A loop of the same rounds, none of whose results the body given needs, and which varies with no loop that the
        operands do not: there it would not be known."""
        around = graph.within.union(*(v.loops for v in operands))
        for known in self._loops.get(self._key(row, body, operands), ()):
            is_here = known.within == graph.within and known.made.loops <= around
            if is_here and not self._needs(operands, known.made):
                return known
        return None

    def extend(self, known: LoweredLoop) -> None:
        """A loop stacks more than it did when it was made."""
        number = known.made.number
        self._oldest = number if self._oldest is None else min(self._oldest, number)

    def _needs(self, operands: Sequence[Value], made: Value) -> bool:
        """Whether any of the values is computed from `made`."""
        oldest = made.number if self._oldest is None else min(made.number, self._oldest)
        seen: set[int] = set()
        stack = list(operands)
        while stack:
            v = stack.pop()
            if v is made:
                return True
            if v.number >= oldest and v.number not in seen:
                seen.add(v.number)
                stack += dependencies(v)
        return False

    def _key(self, row: str, body: Any, operands: Sequence[Value]) -> Any:
        rounds, used = self._signature(body, with_stacks=False)
        first = 1 + len(body.carried)
        given = (*operands[:first], *(operands[first + k] for k in used))
        return row, rounds, tuple(v.number for v in given)

    def _signature(self, body: Any, with_stacks: bool) -> tuple[Any, ...]:
        """(numbers of the expressions of a round, positions of the invariants that they use, by first use): of all
        results if `with_stacks`, else of what decides how rounds follow each other."""
        key = id(body), with_stacks
        if key in self._signatures:
            return self._signatures[key]
        roots = body.expressions if with_stacks else [*body.next, *([] if body.condition is None else [body.condition])]
        parameters = (("index", body.index), *(("carried", v) for v in body.carried))
        number = {id(v): self._number(kind, k, v.type) for k, (kind, v) in enumerate(parameters)}
        place = {id(v): k for k, v in enumerate(body.invariants)}
        used: list[int] = []

        def of(v: Variable) -> int:
            if id(v) not in number:
                if isinstance(v, Constant):
                    number[id(v)] = self._number("constant", attrs_key({"data": v.data}), v.type)
                else:
                    number[id(v)] = self._number("invariant", len(used), v.type)
                    used.append(place[id(v)])
            return number[id(v)]

        for node in toposort(roots):
            attrs = dict(node.attrs)
            inner = self._signature(attrs.pop("body"), with_stacks=True) if "body" in attrs else None
            own = node if node.row.effect else None  # two of the same kind happen twice
            made = self._number(node.row, tuple(map(of, node.inputs)), attrs_key(attrs), inner, own)
            number.update((id(v), self._number(made, k, v.type)) for k, v in enumerate(node.outputs))
        self._signatures[key] = tuple(map(of, roots)), tuple(used)
        return self._signatures[key]

    def _number(self, *parts: Any) -> int:
        return self._numbers.setdefault(parts, len(self._numbers))
