"""Constant folding: elementwise rows of constants are computed at compile time, by the rows' NumPy oracles.

Applies to arrays of at most `fold_max_elements` elements.
"""

from __future__ import annotations

import math

import numpy as np

from tensordsl.codegen.passes.context import Context
from tensordsl.codegen.passes.patterns import fit
from tensordsl.codegen.tensor_ir.graph import Value


def fold_constants(ctx: Context, v: Value) -> Value | None:
    """The constant that a row of constants is; a broadcast of one element is folded as that element."""
    if v.op != "map":
        return None
    arrays = []
    for o in v.operands:
        while o.op == "move" and o.rank and o.operands[0].rank == 0:
            o = o.operands[0]
        if o.op != "const" or o.attrs["data"].size > ctx.tuning.fold_max_elements:
            return None
        arrays.append(o.attrs["data"])
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
