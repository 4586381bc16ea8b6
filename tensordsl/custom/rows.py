"""The row of a custom operation: what the library knows of an object of a subclass of `Op`.

Contract  `row_of(op)` -> its row, one while it is used; `applied(op, inputs, outputs)` -> an application of it.  The
          attribute `types` of an application has the types of its results.
Why       messages, printers, gradients and the compiler ask rows, and then need not know of custom operations.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from types import MethodType
from typing import Any, TypeVar
from weakref import WeakValueDictionary

import numpy as np

from tensordsl.base.errors import ResultShapeError, ResultTypeError
from tensordsl.graph import variables
from tensordsl.graph.types import TensorType
from tensordsl.graph.variables import Apply, Dims, Kernel, Op, Variable, capture_origin, has_hooks, unwatched
from tensordsl.ops.array.shape import shape_i
from tensordsl.ops.cotangents import Undefined, zeros_like
from tensordsl.ops.operands import as_variable, int64

Method = TypeVar("Method", bound=Callable[..., Any])
Types = tuple[TensorType, ...]
Lengths = tuple[Any, ...] | None  # of one result, each an int, a 0-d integer variable, or None where nobody knows it


class CustomRow(Op):
    """The row of one custom operation; `op` is the user's object."""

    def __init__(self, op: Any) -> None:
        self.custom = op
        text, name = str(op), getattr(op, "name", None)
        super().__init__(
            name if name and isinstance(name, str) else type(op).__name__,
            lambda *dtypes, types: tuple([t.dtype for t in types]),
            self._shape,
            self.oracle_on_copies,
            Kernel("callback", calls_python=True),
            self._gradient,
            print_name=text if len(text) <= 100 else type(op).__name__,
            use=lambda node: op,
            tangent=_tangents if own(op, "R_op") or own(op, "pushforward") else None,
        )

    def __reduce__(self) -> tuple[Any, ...]:
        return row_of, (self.custom,)

    def __repr__(self) -> str:
        return self.print_name

    # -- shapes --------------------------------------------------------------------------------------------------------
    def _shape(self, d: Dims, *operands: Any, types: Types) -> tuple[Any, ...]:
        for operand in operands:
            d.shape(operand)
        return tuple([t.shape for t in types])

    def lengths(self, node: Apply) -> list[Lengths]:
        """The lengths of each result: those of its type, else what the operation infers from its operands."""
        types: Types = node.attrs["types"]
        own = [t.shape for t in types]
        if all(None not in shape for shape in own):
            return list(own)
        with unwatched():
            inferred = self._inferred(node)
        found: list[Lengths] = []
        for k, (shape, more) in enumerate(zip(own, inferred, strict=True)):
            if more is None:
                found.append(shape)
                continue
            if len(more) != len(shape):
                raise ValueError(
                    f"{self.name}: infer_shape gives {len(more)} lengths for result {k}, which has {len(shape)} axes"
                )
            found.append(tuple([_length(n if n is not None else m) for n, m in zip(shape, more, strict=True)]))
        return found

    def _inferred(self, node: Apply) -> Sequence[Any]:
        infer = shape_rule(self.custom)
        if infer is None:
            return [None] * len(node.outputs)
        shapes = [
            tuple([int64(n) if n is not None else shape_i(v, k) for k, n in enumerate(v.type.shape)])
            for v in node.inputs
        ]
        try:
            found = infer(node, shapes)
        except NotImplementedError:  # Theano's way to say that it does not know
            return [None] * len(node.outputs)
        if len(found) != len(node.outputs):
            raise ValueError(f"{self.name}: infer_shape gives {len(found)} shapes for {len(node.outputs)} results")
        return list(found)

    # -- gradients -----------------------------------------------------------------------------------------------------
    def _gradient(self, g: Any, out: Any, *operands: Variable, types: Types) -> Sequence[Any]:
        outputs = out if isinstance(out, tuple) else (out,)
        arriving = g if isinstance(g, tuple) else (g,)
        pattern = self.connected(outputs[0].owner)
        reached = [any(c is not None and one for c, one in zip(arriving, row, strict=True)) for row in pattern]
        if not any(reached):
            return [None] * len(operands)
        rule = gradient_rule(self.custom)
        if rule is None:
            lacks = "it was given no vjp" if hasattr(self.custom, "vjp") else "its class has neither grad nor L_op"
            reason = f"{self.print_name} has no gradient: {lacks}"
            return [Undefined(reason) if is_reached else None for is_reached in reached]
        from tensordsl.autodiff.gradient import DisconnectedType  # late: gradients need it, rows do not

        marked = [DisconnectedType()() if c is None else c for c in arriving]
        found = rule(list(operands), list(outputs), marked)
        if not isinstance(found, list | tuple) or len(found) != len(operands):
            got = f"{len(found)}" if isinstance(found, list | tuple) else type(found).__name__
            raise ValueError(f"{self.name}: its gradient must be a list of {len(operands)}, one per input, got {got}")
        return [
            self._cotangent(k, part, v) if reached[k] else None
            for k, (part, v) in enumerate(zip(found, operands, strict=True))
        ]

    def _cotangent(self, k: int, part: Any, operand: Variable) -> Any:
        kind = type(getattr(part, "type", None)).__name__
        if part is None or kind == "DisconnectedType":
            return None
        if kind == "NullType":
            return Undefined(part.type.why_null)
        value = as_variable(part)
        if value.type.ndim != operand.type.ndim and not getattr(self.custom, "_broadcasts", False):
            raise ValueError(
                f"{self.name}: its gradient for input {k} has {value.type.ndim} axes, the input {operand.type.ndim}"
            )
        return value

    def connected(self, node: Apply) -> list[list[bool]]:
        """For each input whether each output depends on it.  Raises ValueError for a pattern of another shape."""
        pattern = getattr(self.custom, "connection_pattern", None)
        if pattern is None:
            return [[True] * len(node.outputs) for _ in node.inputs]
        rows = [list(map(bool, row)) for row in pattern(node)]
        if len(rows) != len(node.inputs) or any(len(row) != len(node.outputs) for row in rows):
            raise ValueError(
                f"{self.name}: connection_pattern must give {len(node.inputs)} lists, one per input, of "
                f"{len(node.outputs)} booleans, one per output, got {rows!r}"
            )
        return rows

    # -- calls ---------------------------------------------------------------------------------------------------------
    def identity(self) -> Any:
        """What is equal for equal operations, and can be hashed."""
        try:
            hash(self.custom)
        except TypeError:
            return id(self.custom)
        return self.custom

    def caller(self, node: Apply) -> Callable[..., Any]:
        """What computes the results of `node` from arrays of its own: one array, or a sequence of as many as there are
        results."""
        if isinstance(getattr(self.custom, "perform", None), MethodType) and own(self.custom, "perform") is None:
            made_at = f"\n  {node.origin}" if node.origin is not None else ""
            raise NotImplementedError(
                f"{self.name}: define perform, which computes the results with NumPy; without it only the gradient can "
                f"be used, where that needs none of the results{made_at}"
            )
        made: Callable[..., Any] = self.custom._caller(node)
        return made

    def count_of_arguments(self, node: Apply) -> int:
        """How many of the inputs the caller gets: the first so many."""
        count = getattr(self.custom, "_count", None)
        return len(node.inputs) if count is None else int(count)

    def fault(self, node: Apply, arrays: Sequence[Any], results: Sequence[Any]) -> str:
        """What the operation does that it must not: it is called once more, on copies; "" if nothing."""
        copies = [np.array(a, order="C") for a in arrays[: self.count_of_arguments(node)]]
        again = self.checked(self.caller(node)(*copies), node.attrs["types"])
        destroyed = {k for places in getattr(self.custom, "destroy_map", {}).values() for k in places}
        for k, (old, new) in enumerate(zip(arrays, copies, strict=False)):
            if k not in destroyed and not _are_equal(old, new):
                return f"it changes its input {k}, and destroy_map does not say so"
        for k, (one, other) in enumerate(zip(results, again, strict=True)):
            if not _are_equal(one, other):
                return f"its result {k} is another one when it is called again with the same inputs"
        return ""

    def oracle_on_copies(self, *arrays: Any, types: Types) -> tuple[Any, ...]:
        """The results from arrays that it leaves alone.  Raises TypeError and ValueError for wrong results."""
        copies = [np.array(a, order="C") for a in arrays]
        node = _prototype(self, tuple([TensorType(str(a.dtype), a.shape) for a in copies]), types)
        return tuple(self.checked(self.caller(node)(*copies[: self.count_of_arguments(node)]), types))

    def checked(self, results: Any, types: Types) -> list[np.ndarray[Any, Any]]:
        """The results of a call as arrays of the types' dtypes and ranks.  Raises TypeError, ValueError."""
        if not isinstance(results, list | tuple):
            results = (results,)
        if len(results) != len(types):
            raise ResultShapeError(f"{self.print_name}: gave {len(results)} results, expected {len(types)}")
        return [self._checked(k, value, t) for k, (value, t) in enumerate(zip(results, types, strict=True))]

    def _checked(self, k: int, value: Any, type: TensorType) -> np.ndarray[Any, Any]:
        if value is None:
            raise ResultTypeError(f"{self.print_name}: result {k} is None, expected an array of {type}")
        array = np.asarray(value)
        if array.dtype.name != type.dtype:
            raise ResultTypeError(f"{self.print_name}: result {k} has dtype {array.dtype}, expected {type.dtype}")
        if array.ndim != type.ndim:
            raise ResultShapeError(f"{self.print_name}: result {k} has {array.ndim} axes, expected {type.ndim}")
        for axis, (got, wanted) in enumerate(zip(array.shape, type.shape, strict=True)):
            if wanted is not None and got != wanted:
                raise ResultShapeError(
                    f"{self.print_name}: axis {axis} of result {k} has length {got}, expected {wanted}"
                )
        return array


# -- what a class of operations has ----------------------------------------------------------------------------------
def default(method: Method) -> Method:
    """A decorator for methods of the base class: `own` does not find them."""
    method.is_default = True  # type: ignore[attr-defined]  # read by `own`
    return method


def own(op: Any, name: str) -> Callable[..., Any] | None:
    """The method of that name of an operation, if it is no default."""
    found = getattr(op, name, None)
    return None if found is None or getattr(found, "is_default", False) else found


def gradient_rule(op: Any) -> Callable[..., Any] | None:
    """(inputs, outputs, output gradients) -> one gradient for each input."""
    grad = own(op, "grad")
    return own(op, "pullback") or own(op, "L_op") or (None if grad is None else lambda x, y, g: grad(x, g))


def shape_rule(op: Any) -> Callable[..., Any] | None:
    """(node, shapes of the inputs) -> shapes of the outputs."""
    infer = own(op, "infer_shape")
    if infer is not None and len(inspect.signature(infer).parameters) == 3:
        return lambda node, shapes: infer(None, node, shapes)
    return infer


def _refuse_code(op: Any) -> None:
    """Raise for operations that only C code computes."""
    what = type(op).__name__
    if op.params_type is not None:
        raise NotImplementedError(
            f"{what}: params_type is not supported: it hands parameters to C code; read them from self in perform"
        )
    if own(op, "perform") is None and hasattr(type(op), "c_code"):
        raise NotImplementedError(
            f"{what}: it has C code alone, which is not compiled; define perform, which computes the results with NumPy"
        )


def _tangents(node: Apply, points: Sequence[Any]) -> list[Any]:
    """The results of an operation's own forward mode; None for what is disconnected."""
    row: Any = node.row
    op = row.custom
    forward = own(op, "pushforward")
    given = [as_variable(p) if isinstance(p, Variable) else None for p in points]
    found = forward(list(node.inputs), list(node.outputs), given) if forward else op.R_op(list(node.inputs), given)
    return [None if v is None or type(v.type).__name__ == "DisconnectedType" else as_variable(v) for v in found]


def _length(n: Any) -> Any:
    """An int, a 0-d integer variable, or None."""
    if n is None or isinstance(n, int | np.integer):
        return n if n is None else int(n)
    v = as_variable(n)
    if v.type.ndim or not v.type.dtype.startswith(("int", "uint", "bool")):
        raise TypeError(f"infer_shape: a length must be an integer without axes, got {v!r} of {v.type}")
    data = getattr(v, "data", None)
    return v if data is None else int(data)


def _are_equal(a: Any, b: Any) -> bool:
    return (
        a.shape == b.shape
        and a.dtype == b.dtype
        and np.ascontiguousarray(a).tobytes() == np.ascontiguousarray(b).tobytes()
    )


def _prototype(row: CustomRow, inputs: Types, outputs: Types) -> Apply:
    """An application on variables of these types, for a call outside of any program."""
    return _node(row, tuple([t() for t in inputs]), tuple([t() for t in outputs]))


_ROWS: WeakValueDictionary[int, CustomRow] = WeakValueDictionary()  # by the identity of the object, which its row holds


def row_of(op: Any) -> CustomRow:
    """The row of a custom operation."""
    row = _ROWS.get(id(op))
    if row is None:
        row = _ROWS[id(op)] = CustomRow(op)
    return row


def applied(op: Any, inputs: Sequence[Any], outputs: Sequence[Any]) -> Apply:
    """An application of a custom operation: `outputs` become its results.  Raises TypeError, ValueError."""
    what = type(op).__name__
    for v in (*inputs, *outputs):
        if not isinstance(v, Variable) or not isinstance(v.type, TensorType):
            raise TypeError(f"{what}: inputs and outputs of Apply must be tensor variables, got {v!r}")
    for v in outputs:
        if v.owner is not None:
            raise ValueError(f"{what}: the output {v!r} of Apply belongs to another application already")
    if not outputs:
        raise ValueError(f"{what}: an application needs an output")
    _refuse_code(op)
    return _node(row_of(op), tuple(inputs), tuple(outputs))


def _node(row: CustomRow, inputs: tuple[Variable, ...], outputs: tuple[Variable, ...]) -> Apply:
    node = Apply(row, inputs, {"types": tuple([v.type for v in outputs])}, capture_origin())
    for k, v in enumerate(outputs):
        v.owner, v.index, v.origin = node, k, node.origin
    object.__setattr__(node, "outputs", outputs)
    return node


def announced(node: Apply) -> Apply:
    """Tell those who watch new applications (test values) of this one."""
    if has_hooks():
        for hook in variables._APPLY_HOOKS:
            hook(node)
    return node


def zeros_where_disconnected(outputs: Sequence[Variable], gradients: Sequence[Any]) -> list[Any]:
    """The gradients, with zeros for those of outputs that nothing depends on."""
    return [
        zeros_like(v) if type(g.type).__name__ == "DisconnectedType" else g
        for v, g in zip(outputs, gradients, strict=True)
    ]
