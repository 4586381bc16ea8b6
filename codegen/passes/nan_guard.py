"""Flags for NanGuardMode: further outputs of a function, true where a float that it computes is forbidden.

The optimised program is checked, not the user's formulas: an overflow that `stabilise` has removed is no mistake.
Branches and loops give the flags of what they compute as further results, so that the guard makes nothing be computed:
a loop stacks those of each round, or carries one where only a condition ends it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import field

import numpy as np

from tensordsl.base.records import record
from tensordsl.codegen.tensor_ir.construct import IFELSE, WHILE
from tensordsl.codegen.tensor_ir.graph import Graph, Value, toposort
from tensordsl.codegen.tensor_ir.indexing import cut
from tensordsl.codegen.tensor_ir.lower import Lowered
from tensordsl.graph.types import FLOATS
from tensordsl.ops.control import NO_LIMIT
from tensordsl.ops.table import OPS

BIG_THRESHOLD = 1e10  # magnitude above which a float is big, as in Theano


def guard(lowered: Lowered, settings: Mapping[str, bool]) -> None:
    """Append the flags, one 0-d bool for each value that is checked, to the outputs.

    Each is an output of its own, so that it joins the group that computes its value: one `or` of all would keep every
    value in memory to the end.
    settings: nan_is_error, inf_is_error, big_is_error.
    """
    g = lowered.graph
    if not any(settings.values()):
        return
    outermost = _Region([*lowered.outputs, *(v for _, v in lowered.updates)])
    regions = _regions(outermost)
    for region in reversed(regions):  # those inside of others first
        for v in sorted(region.values, key=lambda v: v.number):
            if v.traits.makes_floats and v.dtype in FLOATS and not _has_unused_rows(v):
                region.flags.append(_any(g, _bad(g, v, settings)))
            elif v.traits.is_loop:
                region.flags.extend(_flags_of_rounds(g, v, *region.inner.get(v.number, ())))
            elif v.op == IFELSE:
                region.flags.extend(_flags_of_branches(g, v, *region.inner[v.number]))
    lowered.outputs = [*lowered.outputs, *outermost.flags]


@record
class _Region:
    """What is computed together: all of the function, a branch or the rounds of a loop."""

    roots: Sequence[Value]
    around: _Region | None = None
    loop: int | None = None  # its number
    values: list[Value] = field(default_factory=list)
    seen: set[int] = field(default_factory=set)
    inner: dict[int, list[_Region]] = field(default_factory=dict)  # of the branches and loops among its values
    flags: list[Value] = field(default_factory=list)

    def knows(self, v: Value) -> bool:
        region: _Region | None = self
        while region is not None and v.number not in region.seen:
            region = region.around
        return region is not None


def _regions(outermost: _Region) -> list[_Region]:
    """All regions, each before those inside of it, with their values."""
    found = [outermost]
    for region in found:  # which grows
        stack = list(region.roots)
        while stack:
            v = stack.pop()
            if region.knows(v):
                continue
            region.seen.add(v.number)
            if region.loop is not None and region.loop not in v.loops and region.around is not None:
                region.around.seen.add(v.number)  # computed once, before the loop
            region.values.append(v)
            stack += v.operands[:1] if v.op == IFELSE else v.operands
        for v in region.values:
            if v.op == IFELSE:
                half = len(v.operands) // 2 + 1
                region.inner[v.number] = [_Region(branch, region) for branch in (v.operands[1:half], v.operands[half:])]
            elif v.traits.is_loop:
                loop = v.attrs["loop"]
                region.inner[v.number] = [_Region(loop.results, region, loop.number)]
            found += region.inner.get(v.number, ())
    return found


def _flags_of_branches(g: Graph, made: Value, then: _Region, orelse: _Region) -> list[Value]:
    """Whether a flag of the branch that is taken is true."""
    if not then.flags and not orelse.flags:
        return []
    half = len(made.operands) // 2 + 1
    one, two = (_or(g, region.flags) for region in (then, orelse))
    made.operands = (*made.operands[:half], one, *made.operands[half:], two)
    return [g.result(made, half - 1, "bool", ())]


def _flags_of_rounds(g: Graph, made: Value, rounds: _Region) -> list[Value]:
    """Whether a flag of the body was true in some round."""
    loop, count, flags = made.attrs["loop"], made.attrs["count"], rounds.flags
    first = len(loop.carried) + len(loop.stacked)
    if _has_limit(made):
        loop.stacked = (*loop.stacked, *flags)
        stacked = [g.result(made, first + k, "bool", (count,)) for k in range(len(flags))]
        return [_any(g, cut(g, v, loop.rounds) if made.op == WHILE else v) for v in stacked]
    if not flags or loop.stacked:
        return []
    inside = made.loops | {loop.number}
    before = g.make("carried", (), "bool", (), loops=inside, loop_number=loop.number, k=first)
    made.operands = (*made.operands, g.const(False, "bool"))
    loop.carried, loop.next = (*loop.carried, before), (*loop.next, _or(g, [before, *flags]))
    return [g.result(made, first, "bool", ())]


def _or(g: Graph, flags: Sequence[Value]) -> Value:
    """Whether one of them is true."""
    found = g.const(False, "bool")
    for flag in flags:
        found = g.map(OPS["or_"], found, flag)
    return found


def _has_limit(made: Value) -> bool:
    """Whether something besides a condition ends a loop."""
    numbers = (v for v in toposort(made.operands[:1]) if v.op == "const" and not v.rank)
    return all(v.attrs["data"] != NO_LIMIT for v in numbers)


def _has_unused_rows(v: Value) -> bool:
    """Whether it is what a loop that ends early stacks: rows of rounds that were not are not written."""
    return v.op == "result" and v.operands[0].op == WHILE and v.attrs["k"] >= len(v.operands[0].operands) - 1


def _any(g: Graph, flag: Value) -> Value:
    return g.reduce(OPS["any"].meaning, 0, range(flag.rank), [flag]) if flag.rank else flag


def _bad(g: Graph, v: Value, settings: Mapping[str, bool]) -> Value:
    """Where v is forbidden: one comparison where NaN and infinity go together."""
    nan, inf, big = (settings[name] for name in ("nan_is_error", "inf_is_error", "big_is_error"))
    if not inf and not big:
        return g.map(OPS["isnan"], v)
    size = g.map(OPS["abs"], v)
    limit = g.const(BIG_THRESHOLD if big else np.finfo(v.dtype).max, v.dtype)
    if nan and inf:
        return g.map(OPS["invert"], g.map(OPS["le"], size, limit))
    above = g.map(OPS["gt"], size, limit)
    if not inf:
        above = g.map(OPS["and_"], above, g.map(OPS["lt"], size, g.const(np.inf, v.dtype)))
    return g.map(OPS["or_"], above, g.map(OPS["isnan"], v)) if nan else above
