"""Arrays: making, indexing, joining, reshaping, reducing and ordering them."""

from __future__ import annotations

from typing import Any

import numpy as np

from tensordsl.graph.variables import Constant
from tensordsl.ops.control import loop_index, make_loop, parameter_like, require
from tensordsl.pytensor.conversion import Conversion, Missing, T, as_dtype, converts, converts_by, number
from tensordsl.pytensor.objects import Held
from tensordsl.pytensor.scalars import scalar


@converts(
    "TensorFromScalar", "ScalarFromTensor", "DeepCopyOp", "ViewOp", "CpuContiguous", "Unbroadcast",
    "SpecifyAssumptions", "xtensor.TensorFromXTensor", "xtensor.XTensorFromTensor", "xtensor.Rename",
)  # fmt: skip
def _same(c: Conversion, node: Any, inputs: list[Any]) -> Any:
    """Arrays of a call are its own; objects are copied where PyTensor copies them."""
    if isinstance(inputs[0], Held):
        return c.by_python(node, inputs, warns=False)
    return inputs[0]


@converts("SpecifyShape")
def _specified(c: Conversion, node: Any, inputs: list[Any]) -> Any:
    x, *lengths = inputs
    if isinstance(x, Held):
        raise Missing
    known = node.inputs[0].type.shape
    for k, n in enumerate(lengths):
        if isinstance(n, Held):  # None
            continue
        static = int(n.data) if isinstance(n, Constant) else None
        if static is None or static != known[k]:
            wanted = "that is asked for" if static is None else static
            message = f"SpecifyShape: dim {k} of the input has not the length {wanted}"
            c.errors[message] = AssertionError
            x = require(x, T.eq(x.shape[k], n), message)
    return x


@converts("CheckAndRaise", "Assert")
def _checked(c: Conversion, node: Any, inputs: list[Any]) -> Any:
    message = node.op.msg or "Assertion failed"
    kind = getattr(node.op, "exc_type", AssertionError)
    c.errors[message] = kind
    value = inputs[0]
    if isinstance(value, Held):  # its number exists where the conditions hold
        value = c.token(value)
    for given, condition in zip(node.inputs[1:], inputs[1:], strict=True):
        if np.all(getattr(given, "data", False)):
            continue
        value = require(value, T.all(condition), message)
    return Held(token=value) if isinstance(inputs[0], Held) else value


# -- shapes ------------------------------------------------------------------------------------------------------------
@converts("DimShuffle")
def _dimshuffle(c: Conversion, node: Any, inputs: list[Any]) -> Any:
    (x,), op = inputs, node.op
    axes = [a for a in op.drop if not x.broadcastable[a]]
    return (T.addbroadcast(x, *axes) if axes else x).dimshuffle(*op.new_order)


@converts("Reshape")
def _reshape(c: Conversion, node: Any, inputs: list[Any]) -> Any:
    new = node.inputs[1]
    shape = tuple(int(n) for n in new.data) if hasattr(new, "data") else inputs[1]
    return T.reshape(inputs[0], shape, ndim=node.outputs[0].type.ndim)


@converts("JoinDims")
def _join_axes(c: Conversion, node: Any, inputs: list[Any]) -> Any:
    (x,), op = inputs, node.op
    first, count = op.start_axis, op.n_axes
    total: Any = 1
    for k in range(first, first + count):
        total = total * x.shape[k]
    before, behind = ([x.shape[k] for k in axes] for axes in (range(first), range(first + count, x.ndim)))
    return T.reshape(x, [*before, total, *behind], ndim=node.outputs[0].type.ndim)


@converts("SplitDims")
def _split_axis(c: Conversion, node: Any, inputs: list[Any]) -> Any:
    (x, sizes), axis, ndim = inputs, node.op.axis, node.outputs[0].type.ndim
    count = ndim - x.ndim + 1
    new = [sizes[k] for k in range(count)]
    return T.reshape(
        x, [*[x.shape[k] for k in range(axis)], *new, *[x.shape[k] for k in range(axis + 1, x.ndim)]], ndim=ndim
    )


# -- indices -----------------------------------------------------------------------------------------------------------
def _index(node: Any, inputs: list[Any]) -> tuple[Any, ...]:
    """The index of NumPy's form; inputs: its parts."""
    from pytensor.tensor.subtensor import indices_from_subtensor  # late: it is loaded by the graph

    if any(isinstance(v, Held) and not v.is_known for v in inputs):
        raise Missing
    given = [v.value if isinstance(v, Held) else v for v in inputs]
    listed = getattr(node.op, "idx_list", None)
    if listed is None:  # advanced indices of older releases have their parts as inputs alone
        return tuple(given)
    return tuple(indices_from_subtensor(given, listed))


@converts("Subtensor", "AdvancedSubtensor", "AdvancedSubtensor1")
def _subtensor(c: Conversion, node: Any, inputs: list[Any]) -> Any:
    return inputs[0][_index(node, inputs[1:])]


@converts("IncSubtensor", "AdvancedIncSubtensor", "AdvancedIncSubtensor1")
def _inc_subtensor(c: Conversion, node: Any, inputs: list[Any]) -> Any:
    place = inputs[0][_index(node, inputs[2:])]
    write = T.set_subtensor if node.op.set_instead_of_inc else T.inc_subtensor
    return write(place, as_dtype(inputs[1], inputs[0].dtype))


@converts("MakeSlice")
def _slice(c: Conversion, node: Any, inputs: list[Any]) -> Any:
    parts = slice(*[v.value if isinstance(v, Held) else v for v in inputs])
    return Held(parts, made=lambda: c.by_python(node, inputs, warns=False)[0].token)


# -- making ------------------------------------------------------------------------------------------------------------
@converts("MakeVector")
def _vector(c: Conversion, node: Any, inputs: list[Any]) -> Any:
    dtype = node.outputs[0].type.dtype
    return T.stack([as_dtype(v, dtype) for v in inputs]) if inputs else T.zeros((0,), dtype=dtype)


@converts("Eye")
def _eye(c: Conversion, node: Any, inputs: list[Any]) -> Any:
    return T.eye(inputs[0], inputs[1], number(node.inputs[2]), dtype=node.outputs[0].type.dtype)


# -- joining -----------------------------------------------------------------------------------------------------------
@converts("Join")
def _join(c: Conversion, node: Any, inputs: list[Any]) -> Any:
    axis, parts = (node.op.axis, inputs) if hasattr(node.op, "axis") else (number(node.inputs[0]), inputs[1:])
    dtype = node.outputs[0].type.dtype
    return T.join(int(axis), *[as_dtype(p, dtype) for p in parts])


@converts("Split")
def _split(c: Conversion, node: Any, inputs: list[Any]) -> Any:
    axis = node.op.axis if hasattr(node.op, "axis") else number(node.inputs[1])
    sizes = node.inputs[-1]
    known = list(sizes.data) if hasattr(sizes, "data") else None
    parts: list[Any] = []
    at: Any = 0
    for k in range(len(node.outputs)):
        end = at + (int(known[k]) if known is not None else inputs[-1][k])
        parts.append(inputs[0][(slice(None),) * int(axis) + (slice(at, end),)])
        at = end
    return parts


# -- reductions --------------------------------------------------------------------------------------------------------
_REDUCTIONS = {
    "Sum": T.sum, "Prod": T.prod, "Max": T.max, "Min": T.min, "All": T.all, "Any": T.any, "Add": T.sum, "Mul": T.prod,
    "Maximum": T.max, "Minimum": T.min, "AND": T.all, "OR": T.any,
}  # fmt: skip


@converts("CAReduce")
def _reduction(c: Conversion, node: Any, inputs: list[Any]) -> Any:
    (x,), op, kind = inputs, node.op, node.outputs[0].type
    name = type(op).__name__ if type(op).__name__ in _REDUCTIONS else type(op.scalar_op).__name__
    if op.axis == ():
        return x
    if name not in _REDUCTIONS or (name in ("AND", "OR") and x.dtype != "bool"):
        return _folded(c, node, x)
    if name in ("Sum", "Prod", "Add", "Mul"):
        wide = getattr(op, "acc_dtype", None) or kind.dtype
        return _REDUCTIONS[name](as_dtype(x, kind.dtype) if x.dtype == "bool" else x, axis=op.axis, dtype=kind.dtype,
                                 acc_dtype=wide)  # fmt: skip
    return _REDUCTIONS[name](x, axis=op.axis)


def _folded(c: Conversion, node: Any, x: Any) -> Any:
    """A reduction by any function of two numbers that has an identity: a loop over the axes that it sums up."""
    op, kind = node.op, node.outputs[0].type
    start = getattr(op.scalar_op, "identity", None)
    if start is None:
        raise Missing
    axes = range(x.ndim) if op.axis is None else op.axis
    rest = [k for k in range(x.ndim) if k not in axes]
    moved = x.dimshuffle(*axes, *rest)
    count: Any = 1
    for a in axes:
        count = count * x.shape[a]
    lengths = [x.shape[k] for k in rest]
    rows = T.reshape(moved, [count, *lengths], ndim=1 + len(rest))
    first = T.alloc(T.constant(np.asarray(start).astype(kind.dtype)), *lengths)
    index, total = loop_index(), parameter_like(first)
    following = as_dtype(scalar(op.scalar_op, [total, as_dtype(rows[index], kind.dtype)], kind.dtype), kind.dtype)
    (found,) = make_loop(count, index, [total], [first], [following], name="reduce")
    return found


@converts("ProdWithoutZeros")
def _product_without_zeros(c: Conversion, node: Any, inputs: list[Any]) -> Any:
    (x,) = inputs
    return T.prod(T.switch(T.eq(x, 0), T.ones_like(x), x), axis=node.op.axis)


@converts("Argmax")
def _argmax(c: Conversion, node: Any, inputs: list[Any]) -> Any:
    (x,), axes = inputs, node.op.axis
    if axes is None or len(axes) == x.ndim:
        return T.argmax(x if x.ndim == 1 else x.flatten())
    if len(axes) == 1:
        return T.argmax(x, axis=axes[0])
    rest = [k for k in range(x.ndim) if k not in axes]
    moved = x.dimshuffle(*rest, *axes)
    total: Any = 1
    for a in axes:
        total = total * x.shape[a]
    return T.argmax(T.reshape(moved, [*[x.shape[k] for k in rest], total], ndim=len(rest) + 1), axis=len(rest))


# -- order -------------------------------------------------------------------------------------------------------------
@converts("SortOp")
def _sort(c: Conversion, node: Any, inputs: list[Any]) -> Any:
    return T.sort(inputs[0], axis=number(node.inputs[1]) if len(inputs) > 1 else node.op.axis)


@converts("ArgSortOp")
def _argsort(c: Conversion, node: Any, inputs: list[Any]) -> Any:
    return T.argsort(inputs[0], axis=number(node.inputs[1]) if len(inputs) > 1 else node.op.axis)


@converts("Unique")
def _unique(c: Conversion, node: Any, inputs: list[Any]) -> Any:
    op = node.op
    found = T.unique(inputs[0], op.return_index, op.return_inverse, op.return_counts, op.axis)
    return list(found) if isinstance(found, list | tuple) else found


@converts("UnravelIndex")
def _unravel(c: Conversion, node: Any, inputs: list[Any]) -> Any:
    return T.unravel_index(*inputs, order=node.op.order, ndim=len(node.outputs))


@converts("RavelMultiIndex")
def _ravel(c: Conversion, node: Any, inputs: list[Any]) -> Any:
    if not isinstance(node.op.mode, str):
        raise Missing
    return T.ravel_multi_index(inputs[:-1], inputs[-1], mode=node.op.mode, order=node.op.order)


@converts("Choose")
def _chosen(c: Conversion, node: Any, inputs: list[Any]) -> Any:
    a, choices = inputs
    if isinstance(choices, Held):
        raise Missing
    return T.choose(a, choices, mode=node.op.mode)


# -- softmax -----------------------------------------------------------------------------------------------------------
@converts("Softmax")
def _softmax(c: Conversion, node: Any, inputs: list[Any]) -> Any:
    if hasattr(node.op, "fgraph"):  # of newer releases, whose axes may be several
        return c.graph(node.op.fgraph, inputs)
    return T.special.softmax(inputs[0], axis=node.op.axis)


@converts("LogSoftmax")
def _log_softmax(c: Conversion, node: Any, inputs: list[Any]) -> Any:
    if hasattr(node.op, "fgraph"):
        return c.graph(node.op.fgraph, inputs)
    return T.special.log_softmax(inputs[0], axis=node.op.axis)


@converts("SoftmaxGrad")
def _softmax_gradient(c: Conversion, node: Any, inputs: list[Any]) -> Any:
    g, y = inputs
    scaled = g * y
    return scaled - T.sum(scaled, axis=node.op.axis, keepdims=True) * y


# -- functions of ours -------------------------------------------------------------------------------------------------
converts_by(
    {
        "Shape": lambda op, x: T.shape(x),
        "Shape_i": lambda op, x: x.shape[op.i],
        "Alloc": lambda op, value, *lengths: T.alloc(value, *lengths),
        "AllocEmpty": lambda op, *lengths: T.zeros(lengths, dtype=op.dtype),
        "ARange": lambda op, start, stop, step: T.arange(start, stop, step, dtype=op.dtype),
        "ExtractDiag": lambda op, x: T.diagonal(x, offset=op.offset, axis1=op.axis1, axis2=op.axis2),
        "Repeat": lambda op, x, counts: T.repeat(x, counts, axis=op.axis),
        "FillDiagonal": lambda op, x, value: T.fill_diagonal(x, value),
        "FillDiagonalOffset": lambda op, x, value, offset: T.fill_diagonal_offset(x, value, offset),
        "CumOp": lambda op, x: (T.cumsum if op.mode == "add" else T.cumprod)(x, axis=op.axis),
        "SearchsortedOp": lambda op, x, v, sorter=None: T.searchsorted(x, v, side=op.side, sorter=sorter),
        "Nonzero": lambda op, x: x.nonzero(),
        "PermuteRowElements": lambda op, x, y: T.permute_row_elements(x, y, inverse=op.inverse),
        "Bartlett": lambda op, n: T.bartlett(n),
    }
)
