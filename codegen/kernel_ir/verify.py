"""The verifier of kernels: types, scopes, ends of regions.

Contract  `verify(function)` raises `KernelError`, which names the line that wrote the op.
When      a module is spelled (`llvm.kernel_text`): about 1 us an op, and library objects are written once.
Why       LLVM finds a wrong type by its own names, far from the kernel; a value from another block it may not find.
"""

from __future__ import annotations

from tensordsl.codegen.kernel_ir.ir import Address, Constant, Function, Op, Region, Value
from tensordsl.codegen.kernel_ir.ops import ENDS, ROWS, results
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
        visit.see(seen, visit.arriving)
        for op in visit.rest:
            _check(function, op, visit, seen)
            if op.regions:
                visit.arriving = op.results
                loop = op if op.name in ("for", "loop") else visit.loop
                waiting += [_Visit(region, op, loop) for region in reversed(op.regions)]
                break
            if op.results:
                visit.see(seen, op.results)
        else:
            seen.difference_update(visit.made)
            waiting.pop()


class _Visit:
    """A region, the ops of it that are not verified yet, and the values that are seen from here on: the region's
    arguments, or the results of an op whose own regions are verified."""

    def __init__(self, region: Region, owner: Op | None, loop: Op | None) -> None:
        self.region, self.owner, self.loop = region, owner, loop
        self.rest = iter(region.ops)
        self.arriving = region.arguments
        self.made: list[Value] = []

    def see(self, seen: set[Value], values: list[Value]) -> None:
        self.made += values
        seen.update(values)


def _check(function: Function, op: Op, visit: _Visit, seen: set[Value]) -> None:
    name = op.name
    if name not in ROWS:
        raise _error(function, op, "there is no such op")
    for n, v in enumerate(op.operands):
        if v not in seen and not isinstance(v, Constant | Address):
            raise _error(function, op, f"operand {n} is of no region around it")
    try:
        types = results(name, tuple([v.type for v in op.operands]), op.attributes)
    except (TypeError, ValueError, KeyError) as error:
        raise _error(function, op, str(error)) from None
    if tuple([v.type for v in op.results]) != types:
        raise _error(function, op, f"gives {types}, not {[v.type for v in op.results]}")
    is_last = op is visit.region.ops[-1]
    if (name in ENDS) != is_last:
        raise _error(function, op, "ends no region" if is_last else "stands before the end of its region")
    if is_last or op.regions:
        _check_control(function, op, visit, types)


def _check_control(function: Function, op: Op, visit: _Visit, types: tuple[Type, ...]) -> None:
    """What holds of an op with regions, and of one that ends a region."""
    if any(not region.ops for region in op.regions):
        raise _error(function, op, "has a region without an end")
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
