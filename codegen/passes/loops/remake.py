"""A loop with other carried and stacked values: a new `for` over the same parameters, and where its results are.

Contract  a `for`, the results of it that are read, and values to be stacked besides -> the new loop, which carries only
          what something that is left depends on.
When      a pass takes results away from a loop.
Why       a carried value that nobody reads would still be computed and copied in each round.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence

from tensordsl.base.records import record
from tensordsl.codegen.tensor_ir.construct import FOR
from tensordsl.codegen.tensor_ir.graph import Graph, Loop, Value, dependencies, named_by


@record
class Remade:
    """The new loop, its results in place of the old ones by their numbers, and the stacks of the further values."""

    node: Value
    results: dict[int, Value]
    stacks: list[Value]


def remake(graph: Graph, node: Value, read: Mapping[int, Value], stacked: Sequence[Value] = ()) -> Remade:
    """`node` with those of its results that are `read`, by their numbers, and the stacks of further values."""
    old: Loop = node.attrs["loop"]
    first = len(old.carried)
    kept = [k for k in range(len(old.stacked)) if first + k in read]
    collected = list(dict.fromkeys([*(old.stacked[k] for k in kept), *stacked]))
    carried = sorted(needed_carried(graph, old, collected, [k for k in read if k < first]))
    loop = Loop(old.number)
    loop.index, loop.count = old.index, old.count  # a `for` has no condition
    loop.carried = tuple(old.carried[k] for k in carried)
    loop.next = tuple(old.next[k] for k in carried)
    loop.stacked = tuple(collected)
    graph.loops[graph.loops.index(old)] = loop
    count, *inits = node.operands
    operands = [count, *(inits[k] for k in carried)]
    inside = (*operands, *loop.next, *loop.stacked)
    around = frozenset[int]().union(*(v.loops for v in inside)) - {loop.number}
    made = graph.make(FOR, operands, "", (), loops=around, loop=loop, count=node.attrs["count"])
    results = {k: graph.result(made, j, loop.carried[j].dtype, loop.carried[j].shape) for j, k in enumerate(carried)}
    n = node.attrs["count"]
    shapes = {v: (n, *v.shape) for v in stacked}
    shapes.update({old.stacked[k]: read[first + k].shape for k in kept})  # a round may name lengths by its own values
    stacks = {v: graph.result(made, len(carried) + j, v.dtype, shapes[v]) for j, v in enumerate(collected)}
    results.update({first + k: stacks[old.stacked[k]] for k in kept})
    return Remade(made, results, [stacks[v] for v in stacked])


def needed_carried(graph: Graph, loop: Loop, values: Iterable[Value], also: Collection[int] = ()) -> set[int]:
    """The carried values that some values of a loop's body depend on, over any number of rounds, or that its rounds are
    checked with, and those `also`."""
    place = {v.number: k for k, v in enumerate(loop.carried)}
    found = set(also)
    stack = [*values, *(graph.values[n] for n in graph.extents.checked()), *(loop.next[k] for k in found)]
    seen: set[int] = set()
    while stack:
        v = stack.pop()
        if v.number in seen or loop.number not in v.loops:
            continue
        seen.add(v.number)
        k = place.get(v.number)
        if k is None:
            stack += [*dependencies(v), *(graph.values[n] for n in named_by(v))]
        elif k not in found:
            found.add(k)
            stack.append(loop.next[k])
    return found
