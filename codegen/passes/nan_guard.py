"""Flags for NanGuardMode: more outputs of a function, true where a float that it computes is one that must not be.

The optimised program is watched, not the user's formulas: an overflow that `stabilise` has removed is no mistake.
What only one branch of an `ifelse` needs and what a loop's body computes is left alone (their results are watched), so
that nothing is computed because of the guard.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from tensordsl.codegen.tensor_ir.construct import IFELSE
from tensordsl.codegen.tensor_ir.graph import Graph, Value
from tensordsl.codegen.tensor_ir.lower import Lowered
from tensordsl.graph.types import FLOATS
from tensordsl.ops.table import OPS

BIG = 1e10
# The ops that make new floats; all others only move elements, whose sources are watched.


def guard(lowered: Lowered, settings: Mapping[str, bool]) -> None:
    """Append the flags, one 0-d bool for each value that is watched, to the outputs.

    Each is an output of its own, so that it joins the group that computes its value: one `or` of them all would keep
    every value in memory until the end.
    settings: nan_is_error, inf_is_error, big_is_error.
    """
    g = lowered.graph
    if not any(settings.values()):
        return
    flags = []
    for v in _watched([*lowered.outputs, *(v for _, v in lowered.updates)]):
        bad = _bad(g, v, settings)
        flags.append(g.reduce(OPS["any"].meaning, 0, range(v.rank), [bad]) if v.rank else bad)
    lowered.outputs = [*lowered.outputs, *flags]


def _watched(roots: list[Value]) -> list[Value]:
    """The floats that every call computes."""
    seen: dict[int, Value] = {}
    stack = list(roots)
    while stack:
        v = stack.pop()
        if v.number not in seen:
            seen[v.number] = v
            stack += v.operands[:1] if v.op == IFELSE else v.operands
    return [v for number, v in sorted(seen.items()) if v.traits.makes_floats and v.dtype in FLOATS]


def _bad(g: Graph, v: Value, settings: Mapping[str, bool]) -> Value:
    """Where v is forbidden: one comparison where NaN and infinity go together."""
    nan, inf, big = (settings[name] for name in ("nan_is_error", "inf_is_error", "big_is_error"))
    if not inf and not big:
        return g.map(OPS["isnan"], v)
    size = g.map(OPS["abs"], v)
    limit = g.const(BIG if big else np.finfo(v.dtype).max, v.dtype)
    if nan and inf:
        return g.map(OPS["invert"], g.map(OPS["le"], size, limit))
    above = g.map(OPS["gt"], size, limit)
    if not inf:
        above = g.map(OPS["and_"], above, g.map(OPS["lt"], size, g.const(np.inf, v.dtype)))
    return g.map(OPS["or_"], above, g.map(OPS["isnan"], v)) if nan else above
