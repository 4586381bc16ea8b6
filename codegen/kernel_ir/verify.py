"""The verifier of kernels: types, scopes, ends of regions.

Contract  `verify(function)` raises `KernelError`, which names the line that wrote the op.
When      a module is spelled (`llvm.kernel_text`): about 2 us an op, and library objects are written once.
Why       LLVM finds a wrong type by its own names, far from the kernel; a value from another block it may not find.
"""

from __future__ import annotations

from tensordsl.codegen.kernel_ir.ir import Address, Constant, Function, Op, Region, Value
from tensordsl.codegen.kernel_ir.ops import ENDS, ROWS
from tensordsl.codegen.kernel_ir.types import Type, i64


class KernelError(Exception):
    """A kernel that breaks a rule of the IR."""


def verify(function: Function) -> None:
    """Raise KernelError if the function is no right kernel.

    Each value is made before it is used, in the same region or one around it; types are those of `ops.ROWS`; the last
    op of each region ends it, and carries as many values, of such types, as the op around it gives.
    """
    if not function.body.ops:
        raise KernelError(f"{function.signature.name}: has no end")
    seen: set[Value] = set()
    waiting = [_Visit(function.body, None, None)]
    while waiting:
        visit = waiting[-1]
        if visit.at == 0:
            visit.see(seen, visit.region.arguments)
        if visit.pending is not None:  # its regions are done
            visit.see(seen, visit.pending.results)
            visit.pending = None
        if visit.at == len(visit.region.ops):
            seen.difference_update(visit.made)
            waiting.pop()
            continue
        op = visit.region.ops[visit.at]
        visit.at += 1
        _check(function, op, visit, seen)
        if not op.regions:
            visit.see(seen, op.results)
            continue
        visit.pending = op
        loop = op if op.name in ("for", "loop") else visit.loop
        waiting += [_Visit(region, op, loop) for region in reversed(op.regions)]


class _Visit:
    def __init__(self, region: Region, owner: Op | None, loop: Op | None) -> None:
        self.region, self.owner, self.loop = region, owner, loop
        self.at = 0
        self.made: list[Value] = []
        self.pending: Op | None = None

    def see(self, seen: set[Value], values: list[Value]) -> None:
        self.made += values
        seen.update(values)


def _check(function: Function, op: Op, visit: _Visit, seen: set[Value]) -> None:
    if op.name not in ROWS:
        raise _error(function, op, "there is no such op")
    for n, v in enumerate(op.operands):
        if not isinstance(v, Constant | Address) and v not in seen:
            raise _error(function, op, f"operand {n} is of no region around it")
    try:
        types = ROWS[op.name].check([v.type for v in op.operands], op.attributes)
    except (TypeError, ValueError, KeyError) as error:
        raise _error(function, op, str(error)) from None
    if [v.type for v in op.results] != list(types):
        raise _error(function, op, f"gives {types}, not {[v.type for v in op.results]}")
    if any(not region.ops for region in op.regions):
        raise _error(function, op, "has a region without an end")
    is_last = visit.at == len(visit.region.ops)
    if (op.name in ENDS) != is_last:
        raise _error(function, op, "ends no region" if is_last else "stands before the end of its region")
    if op.name == "for":
        _arguments(function, op, [i64, *types])
    elif op.name == "loop":
        _arguments(function, op, list(types))
    elif op.name == "yield":
        if visit.owner is None:
            raise _error(function, op, "ends a region, not a function")
        _carried(function, op, visit.owner)
    elif op.name == "break":
        if visit.loop is None:
            raise _error(function, op, "stands in no loop")
        _carried(function, op, visit.loop)
    elif op.name == "return":
        results = function.signature.results
        if [v.type for v in op.operands] != list(results):
            raise _error(function, op, f"the function gives {', '.join(map(str, results)) or 'nothing'}")


def _arguments(function: Function, op: Op, types: list[Type]) -> None:
    if [v.type for v in op.regions[0].arguments] != types:
        raise _error(function, op, "carries other types than its region takes")


def _carried(function: Function, op: Op, to: Op) -> None:
    if [v.type for v in op.operands] != [v.type for v in to.results]:
        raise _error(function, op, f"carries other types than {to.name} gives")


def _error(function: Function, op: Op, message: str) -> KernelError:
    file, line = op.where
    return KernelError(f"{function.signature.name}: {op.name} {message} ({file}, line {line})")
