"""Rows that are kept: of what a loop stacks, only the rows that somebody reads get storage.

Contract  a `for` one of whose stacks is read by slices alone, all with the same rows -> the same `for` with these rows
          as its attribute `rows`: (number of the stack, first row, how many, from row to row); the stack has no others.
When      the rows are known before the loop, and are few: a constant at most, or one of several rounds.
Why       the last k states of many rounds, or every tenth of them, need no memory for all.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tensordsl.codegen.passes.canonicalise import sliced
from tensordsl.codegen.passes.context import Context, frozen_values
from tensordsl.codegen.tensor_ir import extents as ex
from tensordsl.codegen.tensor_ir.construct import FOR, SUBTENSOR
from tensordsl.codegen.tensor_ir.graph import Graph, Loop, Value, dependencies, rewrite, toposort


def keep_rows(graph: Graph, roots: list[Value]) -> list[Value]:
    """A loop of whose stack only some rows are read stores these rows alone."""
    if not graph.loops:
        return roots
    frozen = frozen_values(graph)
    plans = _plans(graph, roots, frozen)
    if not plans:
        return roots
    ctx = Context(graph)
    made: dict[int, Value] = {}  # by numbers of old loops, as they are when they are rewritten
    new: set[int] = set()

    def kept(v: Value) -> Value | None:
        x = v.operands[0]
        if v.op == SUBTENSOR:
            if x.op != "result" or x.operands[0].number not in new:
                return None
            first = len(x.operands[0].attrs["loop"].carried)
            row = (x.attrs["k"] - first, *map(graph.extents.find, v.attrs["bounds"][0][:3]))
            if row not in x.operands[0].attrs["rows"]:  # of another stack, or of the rows that are kept
                return None
            whole = (0, x.shape[0], 1, v.attrs["bounds"][0][3])
            return sliced(ctx, x, (whole, *v.attrs["bounds"][1:]), v.operands[1:], v.shape)
        if x.op != FOR or x.number in new or x.attrs["loop"].number not in plans:
            return None
        loop: Loop = x.attrs["loop"]
        if x.number not in made:
            rows = plans[loop.number]
            loop.made = made[x.number] = graph.make(
                FOR, x.operands, "", (), loops=x.loops, unique=True, loop=loop, count=x.attrs["count"], rows=rows
            )
            new.add(loop.made.number)
        lengths = {len(loop.carried) + k: n for k, _, n, _ in plans[loop.number]}
        k = v.attrs["k"]
        shape = (lengths[k], *v.shape[1:]) if k in lengths else v.shape
        return graph.result(made[x.number], k, v.dtype, shape)

    return rewrite(graph, roots, kept, frozen, ops=("result", SUBTENSOR))


def _plans(graph: Graph, roots: Sequence[Value], frozen: frozenset[int]) -> dict[int, tuple[tuple[Any, ...], ...]]:
    """number of a loop -> rows of its stacks."""
    order = toposort(roots)
    users: dict[Value, list[Value | None]] = {v: [None] for v in roots if v.op == "result"}
    for v in order:
        for o in dependencies(v):
            if o.op == "result":
                users.setdefault(o, []).append(v)
    plans: dict[int, list[tuple[Any, ...]]] = {}
    for r, read in users.items():
        made_by = r.operands[0]
        if made_by.op != FOR or r.number in frozen or made_by.number in frozen or "rows" in made_by.attrs:
            continue
        rows = _rows(graph, r, made_by, read)
        if rows is not None:
            plans.setdefault(made_by.attrs["loop"].number, []).append(rows)
    return {number: tuple(sorted(rows, key=lambda row: row[0])) for number, rows in plans.items()}


def _rows(graph: Graph, r: Value, node: Value, read: Sequence[Value | None]) -> tuple[Any, ...] | None:
    loop: Loop = node.attrs["loop"]
    k, find, most = r.attrs["k"] - len(loop.carried), graph.extents.find, graph.tuning.passes.kept_max_rows
    if k < 0 or not any(v.rank for v in loop.results):
        return None
    found = set()
    for v in read:
        if v is None or v.op != SUBTENSOR or v.attrs["checks"] or not v.loops <= r.loops:
            return None
        start, n, step, _ = v.attrs["bounds"][0]
        found.add((find(start), find(n), find(step)))
    if len(found) != 1:
        return None
    ((start, n, step),) = found
    if not isinstance(step, int) or step < 1 or not ex.named((start, n)) <= ex.named((node.attrs["count"],)):
        return None
    is_few = ex.is_never_negative(ex.sub(most, n)) or step >= graph.tuning.passes.kept_min_step
    return (k, start, n, step) if is_few and n != find(node.attrs["count"]) else None
