"""Theano's view of an op: its class, its text, its parameters, by one table over the rows.

Here an op is a row; Theano has a class of ops for most of them.  `class_of` is the name of that class, by which
`tensordsl.ops.kinds` answers `isinstance(v.owner.op, T.Join)`; `text` is `str(op)`; `attribute` is `op.axis`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from tensordsl.base.upper import upper
from tensordsl.graph.variables import Apply, Constant, Elementwise, Op, OpView, UsedOp

# The names of Theano's scalar operations, where they are not those of the rows.
_SCALARS = {
    "abs": "abs_", "reciprocal": "inv", "digamma": "psi", "trigamma": "tri_gamma", "round": "round_half_to_even",
    "sigmoid": "scalar_sigmoid", "softplus": "scalar_softplus",
}  # fmt: skip
_ELEMWISE_TEXTS = {"sigmoid": "sigmoid", "softplus": "softplus", "identity": "Elemwise{identity}"}
_PARTS_OF_COMPLEX = ("real", "imag", "complex")


def scalar_name(row: Op) -> str:
    """What Theano calls the scalar operation of an elementwise row.

    >>> from tensordsl.ops.math.elementwise import RECIPROCAL
    >>> scalar_name(RECIPROCAL)
    'inv'
    """
    return _SCALARS.get(row.name, row.name)


class ScalarOp(OpView):
    """The scalar operation inside of an elementwise row, as `theano.scalar.add`: its name and text are Theano's."""

    __slots__ = ()

    def __init__(self, row: Op) -> None:
        super().__init__(row)
        object.__setattr__(self, "name", scalar_name(row))

    def __repr__(self) -> str:
        return self.name

    def __reduce__(self) -> tuple[Any, ...]:
        return scalar_of, (self.row,)


_SCALAR_OPS: dict[Op, ScalarOp] = {}


def scalar_of(row: Op) -> ScalarOp:
    """The scalar operation of an elementwise row: one for each."""
    return _SCALAR_OPS.setdefault(row, ScalarOp(row))


# -- classes ---------------------------------------------------------------------------------------------------------
def _is_mask(node: Apply) -> bool:
    return any(v.owner is not None and v.owner.row.name == "true_positions" for v in node.inputs)


def _indexed(node: Apply | None, prefix: str) -> str:
    """The class of a read (or write, `Inc`) at positions."""
    if node is None:
        return f"Advanced{prefix}Subtensor"
    if _is_mask(node):
        return f"AdvancedBoolean{prefix}Subtensor"
    is_one = node.attrs["axes"] == (0,) and node.inputs[-1].type.ndim == 1
    return f"Advanced{prefix}Subtensor" + "1" * is_one


def _specified(node: Apply | None) -> str:
    lengths = () if node is None else node.inputs[1:]
    are_ones = all(isinstance(v, Constant) and v.data == 1 for v in lengths)
    return "Rebroadcast" if lengths and are_ones else "SpecifyShape"


def _is_shape(node: Apply | None, several: bool) -> bool:
    """Whether it makes `x.shape`: the lengths of x, each as a vector, one behind the other."""
    if node is None:
        return False
    lengths = []
    for v in node.inputs:
        owner = v.owner
        if several and owner is not None and owner.row.name == "dimshuffle":
            owner = owner.inputs[0].owner
        if owner is None or owner.row.name != "shape_i" or (not several and node.attrs["order"] != ("x",)):
            return False
        lengths.append((owner.inputs[0], owner.attrs["axis"]))
    x = lengths[0][0]
    return x.type.ndim == len(lengths) and all(v is x and axis == k for k, (v, axis) in enumerate(lengths))


_CLASSES: dict[str, str | Callable[[Apply | None], str]] = {
    "sum": "Sum", "prod": "Prod", "any": "Any", "all": "All", "max": "MaxAndArgmax", "argmax": "MaxAndArgmax",
    "dimshuffle": lambda node: "Shape" if _is_shape(node, False) else "DimShuffle",
    "concatenate": lambda node: "Shape" if _is_shape(node, True) else "Join",
    "specify_shape": _specified, "reshape": "Reshape", "broadcast_to": "Alloc", "arange": "ARange",
    "shape_i": "Shape_i", "dot": "Dot", "batched_dot": "BatchedDot", "subtensor": "Subtensor",
    "inc_subtensor": "IncSubtensor", "take": lambda node: _indexed(node, ""),
    "inc_take": lambda node: _indexed(node, "Inc"), "true_positions": "Nonzero",
    "cumsum": "CumOp", "cumprod": "CumOp", "sort": "SortOp", "argsort": "ArgSortOp", "searchsorted": "SearchsortedOp",
    "softmax": "Softmax", "logsoftmax": "LogSoftmax", "ifelse": "IfElse",
    "for": "Scan", "while": "Scan",
    "pool": "Pool", "max_pool_grad": "MaxPoolGrad", "pool_grad": "AveragePoolGrad",
    "max_pool_at": "DownsampleFactorMaxGradGrad",
    "cholesky": "Cholesky", **dict.fromkeys(("solve", "solve_triangular"), "Solve"), "matrix_inverse": "MatrixInverse",
    "pinv": "MatrixPinv", "det": "Det", "eig": "Eig", "eigh": "Eigh", **dict.fromkeys(("svd", "svdvals"), "SVD"),
    "qr": "QRFull", "lstsq": "lstsq", "expm": "Expm", "eigvalsh": "Eigvalsh",
    "consider_constant": "ConsiderConstant", "disconnected_grad": "DisconnectedGrad", "zero_grad": "ZeroGrad",
    "undefined_grad": "UndefinedGrad", "grad_clip": "GradClip", "grad_scale": "GradScale",
}  # fmt: skip


def is_elemwise(row: Op) -> bool:
    """Whether it is elementwise in Theano."""
    return isinstance(row.meaning, Elementwise) or row.name in _PARTS_OF_COMPLEX


def class_of(op: Op) -> str:
    """The name of Theano's class of ops for this row, or use of one; "" where there is none.

    >>> from tensordsl.ops.math.elementwise import ADD
    >>> class_of(ADD)
    'Elemwise'
    """
    row = op.row
    if isinstance(op, ScalarOp):
        return ""
    if is_elemwise(row):
        return "Elemwise"
    found = _CLASSES.get(row.name, "")
    return found if isinstance(found, str) else found(_node(op))


def _node(op: Op) -> Apply | None:
    return op.node if isinstance(op, UsedOp) else None


# -- texts -----------------------------------------------------------------------------------------------------------
def _axis(node: Apply) -> tuple[int, ...] | None:
    """The axes of a reduction; None for all."""
    axes: tuple[int, ...] = node.attrs["axis"]
    return None if len(axes) == node.inputs[0].type.ndim else axes


def _sum_text(node: Apply) -> str:
    axes = _axis(node)
    return f"Sum{{{'' if axes is None else f'axis={list(axes)}, '}acc_dtype={node.attrs['acc_dtype']}}}"


def _any_text(node: Apply) -> str:
    axes = _axis(node)
    return class_of(node.op) + ("" if axes is None else f"{{{', '.join(map(str, axes))}}}")


def _index_text(node: Apply, first: int) -> str:
    """The index by dtypes, as Theano writes it: `int64, int64:int64:`; whole axes at the end are left out."""

    def dtype(value: Any) -> str:
        if value is None:
            return ""
        if not isinstance(value, tuple):
            return "int64"
        v = node.inputs[first + value[1]]
        if v.owner is not None and v.owner.row.name == "cast":  # as the program gave it
            v = v.owner.inputs[0]
        text: str = v.type.dtype
        return text

    entries = list(node.attrs["index"])
    while len(entries) > 1 and tuple(entries[-1]) == ("slice", None, None, None):
        entries.pop()
    return ", ".join(
        ":".join(map(dtype, entry[1:])) if entry[0] == "slice" else dtype(entry[1] if entry[0] == "int" else entry)
        for entry in entries
    )


def _write_text(node: Apply) -> str:
    name, is_set = class_of(node.op), node.attrs["set"]
    if name == "AdvancedIncSubtensor1":
        return f"{name}{{no_inplace,{'set' if is_set else 'inc'}}}"
    return f"{name}{{inplace=False,  set_instead_of_inc={is_set}}}"


def _structure(node: Apply) -> str:
    if node.row.name == "solve":
        return "general"
    return "lower_triangular" if node.attrs["lower"] else "upper_triangular"


_TEXTS: dict[str, Callable[[Apply], str]] = {
    "Elemwise": lambda node: f"Elemwise{{Cast{{{node.outputs[0].type.dtype}}}}}",  # the only one with a parameter
    "Sum": _sum_text,
    "Prod": lambda node: (
        f"Prod{{axis={_axis(node)}, dtype={node.attrs['dtype']!r}, acc_dtype={node.attrs['acc_dtype']!r}}}"
    ),
    "Any": _any_text, "All": _any_text,
    "MaxAndArgmax": lambda node: f"MaxAndArgmax{{axis={node.attrs['axis']}}}",
    "DimShuffle": lambda node: f"InplaceDimShuffle{{{','.join(map(str, node.attrs['order']))}}}",
    "Reshape": lambda node: f"Reshape{{{node.attrs['ndim']}}}",
    "Rebroadcast": lambda node: f"Rebroadcast{{{','.join('1' for _ in node.attrs['axes'])}}}",
    "ARange": lambda node: f"ARange{{dtype={node.attrs['dtype']!r}}}",
    "Shape_i": lambda node: f"Shape_i{{{node.attrs['axis']}}}",
    "Subtensor": lambda node: f"Subtensor{{{_index_text(node, 1)}}}",
    "IncSubtensor": lambda node: f"IncSubtensor{{{'Set' if node.attrs['set'] else 'Inc'};{_index_text(node, 2)}}}",
    "AdvancedIncSubtensor1": _write_text, "AdvancedIncSubtensor": _write_text,
    "AdvancedBooleanIncSubtensor": _write_text,
    "CumOp": lambda node: f"CumOp{{{node.attrs['axis']}, {'add' if node.row.name == 'cumsum' else 'mul'}}}",
    "Cholesky": lambda node: (
        f"Cholesky{{lower={node.attrs['lower']}, destructive=False, on_error={node.attrs['on_error']!r}}}"
    ),
    "Solve": lambda node: (
        f"Solve{{A_structure={_structure(node)!r}, lower=False, overwrite_A=False, overwrite_b=False}}"
    ),
    "Eigh": lambda node: f"Eigh{{UPLO={('L' if node.attrs['lower'] else 'U')!r}}}",
    "Eigvalsh": lambda node: f"Eigvalsh{{lower={node.attrs['lower']}}}",
    "SVD": lambda node: (
        f"SVD{{full_matrices={node.attrs.get('full_matrices', True)}, compute_uv={node.row.name == 'svd'}}}"
    ),
    "QRFull": lambda node: f"QRFull{{mode={node.attrs['mode']!r}}}",
    "SearchsortedOp": lambda node: f"SearchsortedOp{{side={node.attrs['side']!r}}}",
}  # fmt: skip
_TITLES = {
    "Dot": "dot",
    "SortOp": "SortOp{quicksort, None}",
    "ArgSortOp": "ArgSortOp{quicksort, None}",
    "IfElse": "if{}",
}


_ROW_TEXTS = frozenset(("Scan",))  # classes whose rows print as themselves


def text(op: Op) -> str:
    """`str(op)` in Theano's form; a row that Theano has no class for gives its own name.

    >>> from tensordsl.ops.array.reduce import sum as total
    >>> from tensordsl.types import TensorType
    >>> x = TensorType("float64", (None, None))("x")
    >>> print(total(x, axis=0).owner.op, (x + 1).owner.op, x[1:].owner)
    Sum{axis=[0], acc_dtype=float64} Elemwise{add,no_inplace} Subtensor{int64::}(x)
    """
    name, node, row = class_of(op), _node(op), op.row
    if node is not None and name in _TEXTS:
        return _TEXTS[name](node)
    if name == "Elemwise":
        return _ELEMWISE_TEXTS.get(row.name) or f"Elemwise{{{scalar_name(row)},no_inplace}}"
    own = row.print_name or row.name
    return own if name in _ROW_TEXTS else _TITLES.get(name) or name or own


# -- parameters ------------------------------------------------------------------------------------------------------
def _scalar(name: str) -> Callable[[Op], Op]:
    def row(op: Op) -> Op:
        return scalar_of(upper("OPS")[name])

    return row


def _attr(name: str) -> Callable[[Op], Any]:
    return lambda op: _used(op).attrs[name]


def _used(op: Op) -> Apply:
    node = _node(op)
    if node is None:
        raise AttributeError(f"the row {op.name} by itself has no attributes; those of a use (v.owner.op) have")
    return node


def _reduction(scalar: str) -> Mapping[str, Callable[[Op], Any]]:
    return {"scalar_op": _scalar(scalar), "axis": lambda op: _axis(_used(op))}


_WRITES: Mapping[str, Callable[[Op], Any]] = {"set_instead_of_inc": _attr("set"), "inplace": lambda op: False}
_ATTRIBUTES: dict[str, Mapping[str, Callable[[Op], Any]]] = {
    "Elemwise": {"scalar_op": lambda op: scalar_of(op.row), "inplace_pattern": lambda op: {}},
    "Sum": _reduction("add"), "Prod": _reduction("mul"), "Any": _reduction("or_"), "All": _reduction("and_"),
    "DimShuffle": {
        "new_order": _attr("order"), "inplace": lambda op: True,
        "input_broadcastable": lambda op: _used(op).inputs[0].type.broadcastable,
        "shuffle": lambda op: [k for k in _used(op).attrs["order"] if k != "x"],
        "augment": lambda op: [k for k, axis in enumerate(_used(op).attrs["order"]) if axis == "x"],
        "drop": lambda op: [k for k in range(_used(op).inputs[0].type.ndim) if k not in _used(op).attrs["order"]],
    },
    "Rebroadcast": {"axis": lambda op: dict.fromkeys(_used(op).attrs["axes"], True)},
    "Join": {"view": lambda op: -1},
    "Shape_i": {"i": _attr("axis")},
    "IncSubtensor": _WRITES, "AdvancedIncSubtensor": _WRITES, "AdvancedIncSubtensor1": _WRITES,
    "AdvancedBooleanIncSubtensor": _WRITES,
    "CumOp": {"mode": lambda op: "add" if op.row.name == "cumsum" else "mul"},
    "SortOp": {"kind": lambda op: "quicksort", "order": lambda op: None},
    "ArgSortOp": {"kind": lambda op: "quicksort", "order": lambda op: None},
    "IfElse": {
        "n_outs": lambda op: 1 if _node(op) is None else len(_used(op).outputs), "as_view": lambda op: False,
    },
    "Scan": {
        "inputs": lambda op: list(_used(op).attrs["body"].parameters),
        "outputs": lambda op: list(_used(op).attrs["body"].expressions),
        "truncate_gradient": lambda op: _used(op).attrs["body"].truncate,
        "n_seqs": lambda op: 0,
        "as_while": lambda op: op.row.name == "while",
    },
    "Solve": {"A_structure": lambda op: _structure(_used(op))},
    "Eigh": {"UPLO": lambda op: "L" if _used(op).attrs["lower"] else "U"},
    "SVD": {"compute_uv": lambda op: op.row.name == "svd"},
    "GradClip": {"clip_lower_bound": _attr("lower"), "clip_upper_bound": _attr("upper")},
}  # fmt: skip


def attribute(op: Op, name: str) -> Any:
    """`op.name` for what is no column of rows.  Raises AttributeError.

    >>> from tensordsl.types import TensorType
    >>> x = TensorType("float64", (None, None))("x")
    >>> x.T.owner.op.new_order, (x + 1).owner.op.scalar_op.name
    ((1, 0), 'add')
    """
    found = _ATTRIBUTES.get(class_of(op), {}).get(name)
    if found is not None:
        return found(op)
    if name == "connection_pattern":
        return upper(name)
    node = _node(op)
    if node is not None and name in node.attrs:
        return node.attrs[name]
    if op is not op.row:
        return getattr(op.row, name)
    raise AttributeError(f"the op {op.row.name} has no attribute {name!r}")
