"""Constant folding: elementwise rows of constants are computed at compile time, by the rows' NumPy oracles.

Applies to arrays of at most `fold_max_elements` elements.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tensordsl.codegen.passes.context import Context
from tensordsl.codegen.passes.patterns import fit
from tensordsl.codegen.tensor_ir.graph import Value


def fold_constants(ctx: Context, v: Value) -> Value | None:
    """The constant that a row of constants is; a broadcast is folded as what is broadcast."""
    if v.op != "map":
        return None
    arrays = []
    for o in v.operands:
        data = _data(o)
        if data is None or data.size > ctx.tuning.fold_max_elements:
            return None
        arrays.append(data)
    row = v.attrs["row"]
    if row.oracle is None or math.prod(np.broadcast_shapes(*(a.shape for a in arrays))) > ctx.tuning.fold_max_elements:
        return None
    try:
        with np.errstate(all="ignore"):
            result = np.asarray(row.oracle(*arrays, **v.attrs["args"]))
    except (ArithmeticError, ValueError):  # the oracle is undefined there; the kernel defines the result
        return None
    if result.dtype.name != v.dtype:
        return None
    ctx.hit(f"fold {row.name}")
    return fit(ctx.graph, ctx.graph.const(result), v)


def _data(v: Value) -> Any:
    """The elements of a constant or of a moved one, with axes of length 1 where it is broadcast; None for others."""
    if v.op == "const":
        return v.attrs["data"]
    if v.op != "move" or v.operands[0].op != "const":
        return None
    data, places = v.operands[0].attrs["data"], v.attrs["map"]
    if not data.ndim:
        return data
    kept = sorted((place, axis) for axis, place in enumerate(places) if place is not None)
    moved = data.transpose([a for a, place in enumerate(places) if place is None] + [axis for _, axis in kept])
    lengths = {place: data.shape[axis] for place, axis in kept}
    return moved.reshape([lengths.get(d, 1) for d in range(v.rank)])
