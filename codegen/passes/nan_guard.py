"""Flags for NanGuardMode: further outputs of a function, true where a float that it computes is forbidden.

The optimised program is checked, not the user's formulas: an overflow that `stabilise` has removed is no mistake.
Values in branches of an `ifelse` are not checked, but the results are, so that the guard makes nothing be computed.  A
loop stacks the flags of each round, unless only a condition ends it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

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
    seen: set[int] = set()
    roots = [*lowered.outputs, *(v for _, v in lowered.updates)]
    lowered.outputs = [*lowered.outputs, *_flags(g, roots, settings, seen)]


def _flags(g: Graph, roots: Sequence[Value], settings: Mapping[str, bool], seen: set[int]) -> list[Value]:
    """Flags of the floats that are computed wherever the roots are (loops are nested only a few levels deep)."""
    found: list[Value] = []
    stack = list(roots)
    while stack:
        v = stack.pop()
        if v.number not in seen:
            seen.add(v.number)
            found.append(v)
            stack += v.operands[:1] if v.op == IFELSE else v.operands
    flags = []
    for v in sorted(found, key=lambda v: v.number):
        if v.traits.makes_floats and v.dtype in FLOATS and not _has_unused_rows(v):
            flags.append(_any(g, _bad(g, v, settings)))
        elif v.traits.is_loop:
            flags += _flags_of_rounds(g, v, settings, seen)
    return flags


def _flags_of_rounds(g: Graph, made: Value, settings: Mapping[str, bool], seen: set[int]) -> list[Value]:
    """Whether each flag of a loop's body was true in some round; nothing of loops for whose flags there is no room."""
    loop, count = made.attrs["loop"], made.attrs["count"]
    if not _has_limit(made):
        return []
    first = len(loop.carried) + len(loop.stacked)
    inner = _flags(g, loop.results, settings, seen)
    loop.stacked = (*loop.stacked, *inner)
    stacked = [g.result(made, first + k, "bool", (count,)) for k in range(len(inner))]
    return [_any(g, cut(g, v, loop.rounds) if made.op == WHILE else v) for v in stacked]


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
