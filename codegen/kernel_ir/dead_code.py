"""Leaves out ops whose results nobody uses and that do nothing else: part of making a function."""

from __future__ import annotations

from collections import Counter
from itertools import chain

from tensordsl.codegen.kernel_ir.ir import Function, Op, Region, Value, walk
from tensordsl.codegen.kernel_ir.ops import ROWS


def without_dead_code(function: Function) -> None:
    """Change the function: pure ops without a use go, and then those that were only used by them."""
    ops = list(walk(function.body))
    used = set(chain.from_iterable([op.operands for op in ops]))
    if all([not ROWS[op.name].is_pure or op.results[0] in used for op in ops]):
        return
    uses: Counter[Value] = Counter(chain.from_iterable([op.operands for op in ops]))
    maker: dict[Value, Op] = {v: op for op in ops for v in op.results}
    dead: set[Op] = set()
    waiting = [op for op in ops if _is_dead(op, uses)]
    while waiting:
        op = waiting.pop()
        if op in dead:
            continue
        dead.add(op)
        for v in op.operands:
            uses[v] -= 1
            if v in maker and _is_dead(maker[v], uses):
                waiting.append(maker[v])
    if dead:
        _drop(function.body, dead)


def _is_dead(op: Op, uses: Counter[Value]) -> bool:
    return ROWS[op.name].is_pure and not any(uses[v] for v in op.results)


def _drop(region: Region, dead: set[Op]) -> None:
    regions = [region, *(inner for op in walk(region) for inner in op.regions)]
    for inner in regions:
        inner.ops = [op for op in inner.ops if op not in dead]
