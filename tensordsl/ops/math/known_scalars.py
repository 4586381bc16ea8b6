"""Values of scalars that are certain when the graph is built: constants, known lengths, and what follows from them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from tensordsl.base.errors import EmptyConstantError, NotScalarConstantError
from tensordsl.graph.evaluate import evaluate_node
from tensordsl.graph.variables import Apply, Constant, Variable
from tensordsl.ops.operands import as_variable

# Ops whose elements are those of an operand, by the number of that operand.
_SAME_ELEMENTS = {"dimshuffle": 0, "second": 1, "broadcast_to": 0, "identity": 0, "specify_shape": 0}
_LARGEST = 1 << 12  # elements of what is computed on the way; the graph is not evaluated for the sake of a question


def constant_value(
    orig_v: Any, elemwise: bool = True, only_process_constants: bool = False, max_recur: int | None = None
) -> Any:
    """The value of a scalar, or of all elements of a tensor, that is certain when the graph is built: a NumPy scalar.

    elemwise                 whether to compute what is computed; else only constants and their copies are looked for
    only_process_constants   whether only constants have a value
    max_recur                accepted; any depth is looked into
    Raises NotScalarConstantError (a ValueError); EmptyConstantError for a constant without elements.

    >>> import tensordsl.tensor as T
    >>> constant_value(T.constant(2) * 3 + 1), constant_value(T.col().shape[1])
    (np.int8(7), np.int64(1))
    """
    if orig_v is None or isinstance(orig_v, str | bytes):
        raise NotScalarConstantError(f"{orig_v!r} is no constant scalar")
    v = as_variable(orig_v if isinstance(orig_v, Variable) else np.asarray(orig_v))
    while not only_process_constants and (inner := _same_elements(v)) is not None:
        v = inner
    known = {} if only_process_constants or not elemwise else _computed(v)
    data = v.data if isinstance(v, Constant) else known.get(v)
    if data is None:
        raise NotScalarConstantError(f"{v!r} is no constant scalar")
    if not data.size:
        raise EmptyConstantError(f"{v!r} has no elements")
    first = data.flat[0]
    if not ((data == first) | (data != data) & (first != first)).all():
        raise NotScalarConstantError(f"{v!r} is no constant scalar: it has more than one value")
    return data.ravel()[0]


def extract_constant(x: Any, elemwise: bool = True, only_process_constants: bool = False) -> Any:
    """`constant_value(x)` where there is one, else x.

    >>> import tensordsl.tensor as T
    >>> x = T.scalar("x")
    >>> extract_constant(T.constant(2.0)), extract_constant(x)
    (np.float32(2.0), x)
    """
    try:
        return constant_value(x, elemwise, only_process_constants)
    except NotScalarConstantError:
        return x


def _same_elements(v: Variable) -> Any:
    """The operand whose elements v's are: of an element of a stack the one that was stacked there; else None."""
    node = v.owner
    if node is None:
        return None
    if node.row.name in _SAME_ELEMENTS:
        return node.inputs[_SAME_ELEMENTS[node.row.name]]
    joined = node.inputs[0].owner if node.row.name == "subtensor" else None
    if joined is None or joined.row.name != "concatenate" or any(x.type.shape != (1,) for x in joined.inputs):
        return None
    ((kind, k, *_),) = node.attrs["index"]
    is_known = kind == "int" and isinstance(k, int) and -len(joined.inputs) <= k < len(joined.inputs)
    return joined.inputs[k] if is_known else None


def _computed(v: Variable) -> dict[Variable, Any]:
    """The values of v and of what it is computed from, as far as they are certain and small."""
    known: dict[Variable, Any] = {}
    refused: set[Apply] = set()
    waiting = [v]
    while waiting:
        node = waiting[-1].owner
        if node is None or node in refused or waiting[-1] in known:
            waiting.pop()
            continue
        if node.row.name == "shape_i" and (n := node.inputs[0].type.shape[node.attrs["axis"]]) is not None:
            known[node.outputs[0]] = np.asarray(n, "int64")
            continue
        missing = [o for o in node.inputs if not isinstance(o, Constant) and o not in known]
        if not _is_small(node) or any(o.owner is None or o.owner in refused for o in missing):
            refused.add(node)
        elif missing:
            waiting += missing
        else:
            known.update(zip(node.outputs, _values(node, known), strict=False))
            refused.add(node)  # for the outputs that have no value
    return known


def _is_small(node: Apply) -> bool:
    """Whether it is a computation of few elements that does nothing else."""
    shapes = [o.type.shape for o in (*node.inputs, *node.outputs)]
    lengths = [n for shape in shapes for n in shape]
    if (node.row.effect and node.row.name != "assert") or "body" in node.attrs or None in lengths:
        return False
    return all(np.prod([n for n in shape if n is not None], dtype=float) <= _LARGEST for shape in shapes)


def _values(node: Apply, known: dict[Variable, Any]) -> Sequence[Any]:
    operands = [o.data if isinstance(o, Constant) else known[o] for o in node.inputs]
    try:
        return evaluate_node(node, operands)
    except (ArithmeticError, AssertionError, IndexError, ValueError):  # as in a call, and there it will be reported
        return ()
