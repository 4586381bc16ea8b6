"""Arithmetic of lengths and indices that is known now: it becomes constants.

Contract  `known(node, inputs)` -> constants, or None.  Of small arrays of integers and truths alone.
Why       PyTensor's types promise lengths, and its gradients compute with `Shape` of them; what makes arrays here wants
          numbers, where its own rewrites would have put them.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tensordsl.graph.variables import Constant
from tensordsl.pytensor.conversion import T, has_perform, is_array, is_own
from tensordsl.pytensor.objects import Held

MOST_ELEMENTS = 4096


def known(node: Any, inputs: list[Any]) -> list[Any] | None:
    """The results of an application that depends on nothing which a call decides."""
    op, kinds = node.op, [v.type for v in node.outputs]
    if type(op).__name__ == "Shape" and is_own(type(op)) and _is_static(node.inputs[0].type):
        return [T.constant(np.asarray(node.inputs[0].type.shape, "int64"))]
    if not inputs or not all(map(_is_small, kinds)) or not all(map(_is_number, inputs)) or not has_perform(op):
        return None
    given = [
        v.value if isinstance(v, Held) else v.data if is_array(out.type) and hasattr(out.type, "shape") else v.data[()]
        for v, out in zip(inputs, node.inputs, strict=True)
    ]
    storage: list[list[Any]] = [[None] for _ in kinds]
    try:
        op.perform(node, given, storage)
    except (ArithmeticError, IndexError, NotImplementedError, ValueError):  # the call says it, if it comes to that
        return None
    return [T.constant(np.asarray(cell[0], kind.dtype)) for cell, kind in zip(storage, kinds, strict=True)]


def _is_number(v: Any) -> bool:
    if isinstance(v, Held):
        return v.token is None
    return isinstance(v, Constant) and v.data.dtype.kind in "iub" and v.data.size <= MOST_ELEMENTS


def _is_static(kind: Any) -> bool:
    return is_array(kind) and None not in getattr(kind, "shape", (None,))


def _is_small(kind: Any) -> bool:
    """Whether values of a type are small arrays of integers or truths."""
    if not is_array(kind) or np.dtype(kind.dtype).kind not in "iub":
        return False
    shape = getattr(kind, "shape", ())
    return None not in shape and math.prod(shape) <= MOST_ELEMENTS
