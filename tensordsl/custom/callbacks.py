"""Python functions as operations: `as_op` and `wrap_py`, Theano's and PyTensor's decorators, and `callback`.

Contract  a function of arrays that gives an array, or a list or tuple of them, of the promised types.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from tensordsl.custom.op import Op
from tensordsl.custom.rows import zeros_where_disconnected
from tensordsl.graph.types import TensorType
from tensordsl.graph.variables import Variable
from tensordsl.ops.array.shape import shape_i
from tensordsl.ops.operands import as_variable

Rule = Callable[..., Any]


class FromFunctionOp(Op):
    """A Python function as an operation: `fn(*arrays)` gives its results.  See `as_op`."""

    def __init__(
        self,
        fn: Callable[..., Any],
        itypes: Sequence[TensorType],
        otypes: Sequence[TensorType],
        infer_shape: Rule | None = None,
        vjp: Rule | None = None,
    ) -> None:
        self.fn, self.itypes, self.otypes, self.vjp = fn, itypes, otypes, vjp
        self.name = getattr(fn, "__name__", "callback")
        if infer_shape is not None:
            self.infer_shape = infer_shape
        if vjp is not None:
            self.L_op = self._pull  # type: ignore[method-assign]  # without it there is no gradient

    def _parts(self) -> tuple[Any, ...]:
        return self.fn, tuple(self.itypes or ()), tuple(self.otypes or ()), self.vjp, *self._shapes()

    def _shapes(self) -> tuple[Any, ...]:
        """What the lengths of results follow from."""
        return (self.__dict__.get("infer_shape"),)

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and self._parts() == other._parts()

    def __hash__(self) -> int:
        return hash((type(self), self.name))

    def __str__(self) -> str:
        return f"FromFunctionOp{{{self.name}}}"

    def perform(self, node: Any, inputs: Any, output_storage: Any) -> None:
        found = self.fn(*inputs)
        results = found if isinstance(found, list | tuple) else (found,)
        for cell, value in zip(output_storage, results, strict=True):
            cell[0] = value

    def _pull(self, inputs: Any, outputs: Any, output_grads: Any) -> Any:
        assert self.vjp is not None
        return self.vjp(inputs, outputs, zeros_where_disconnected(outputs, output_grads))

    def _caller(self, node: Any) -> Callable[..., Any]:
        return self.fn


def as_op(
    itypes: TensorType | Sequence[TensorType],
    otypes: TensorType | Sequence[TensorType],
    infer_shape: Rule | None = None,
    vjp: Rule | None = None,
) -> Callable[[Callable[..., Any]], FromFunctionOp]:
    """A decorator that makes a Python function of arrays an operation on variables.

    Parameters
    ----------
    itypes, otypes : the types of the arguments and of the results: one, or a list of several.
    infer_shape : a function (node, shapes of the inputs) -> shapes of the outputs; lengths are variables.  Without it
        they are those of the arrays that the function gives.
    vjp : a function (inputs, outputs, output_gradients) -> one gradient for each input, all of them variables.
        Without it there is no gradient.

    Each call gets arrays of its own, which it may change and keep.  Results of another dtype or rank are refused
    (TypeError, ValueError); exceptions of the function come through, with the application in their notes.

    >>> import numpy as np
    >>> import tensordsl
    >>> import tensordsl.tensor as T
    >>> @as_op(itypes=[T.dvector], otypes=[T.dvector], vjp=lambda inputs, outputs, g: [2 * inputs[0] * g[0]])
    ... def square(x):
    ...     return np.square(x)
    >>> x = T.dvector("x")
    >>> tensordsl.function([x], [square(x), T.grad(square(x).sum(), x)])([1, 3])
    [array([1., 9.]), array([2., 6.])]
    """
    inputs, outputs = _types(itypes, "itypes"), _types(otypes, "otypes")
    for rule, name in ((infer_shape, "infer_shape"), (vjp, "vjp")):
        if rule is not None and not callable(rule):
            raise TypeError(f"as_op: {name} must be a function, got {rule!r}")
    return lambda fn: FromFunctionOp(fn, inputs, outputs, infer_shape, vjp)


wrap_py = as_op


def _types(types: Any, what: str) -> tuple[TensorType, ...]:
    found = tuple(types) if isinstance(types, list | tuple) else (types,)
    for t in found:
        if not isinstance(t, TensorType):
            raise TypeError(f"as_op: {what} must be types, as T.dvector, got {t!r}")
    return found


class Callback(FromFunctionOp):
    """The operation of `callback`: the inputs behind the function's are lengths of results."""

    def __init__(self, fn: Any, itypes: Any, otypes: Any, lengths: Any, vjp: Rule | None, name: str | None) -> None:
        more = sum(isinstance(n, int) for shape in lengths for n in shape)
        is_known = any(n is not None for shape in lengths for n in shape)
        super().__init__(fn, itypes, otypes, self._lengths if is_known else None, vjp)
        self.lengths = lengths  # of each result, of each axis: None, which of these inputs, or (input, axis)
        self._count = len(itypes) - more
        self.name = name or self.name

    def _shapes(self) -> tuple[Any, ...]:
        return self.lengths, self.name

    def __str__(self) -> str:
        return f"callback{{{self.name}}}"

    def _lengths(self, node: Any, shapes: Any) -> list[tuple[Any, ...]]:
        more = node.inputs[self._count :]

        def length(at: Any) -> Any:
            return shapes[at[0]][at[1]] if isinstance(at, tuple) else None if at is None else more[at]

        return [tuple(map(length, shape)) for shape in self.lengths]

    def _pull(self, inputs: Any, outputs: Any, output_grads: Any) -> Any:
        found = super()._pull(inputs[: self._count], outputs, output_grads)
        return [*found, *([None] * (len(inputs) - self._count))]


def callback(
    fn: Callable[..., Any], result: Any, *operands: Any, vjp: Rule | None = None, name: str | None = None
) -> Any:
    """`fn(*arrays)` of NumPy arrays as a part of a graph, called once for each evaluation.

    Parameters
    ----------
    fn : a Python function of arrays; it gives an array, or a list or tuple of arrays.
    result : what it gives: a variable, of whose dtype and shape the result is; a type, which says nothing of lengths;
        or a pair (dtype, shape) of lengths that are numbers, 0-d integer variables, or None where only the call
        tells.  A list of those for a function of several results.
    operands : the arguments: variables or values.
    vjp : a function (inputs, outputs, output_gradients) -> one gradient for each input, all of them variables; it may
        use `callback` again.  Without it there is no gradient.
    name : for messages and printed graphs.

    One variable, or a list if `result` is a list.  In the spirit of JAX's `pure_callback` and `custom_vjp`.

    >>> import numpy as np
    >>> import tensordsl
    >>> import tensordsl.tensor as T
    >>> x = T.dvector("x")
    >>> y = callback(np.sort, x, x)
    >>> tensordsl.function([x], [y, callback(np.unique, T.dvector, x)])([3, 1, 3])
    [array([1., 3., 3.]), array([1., 3.])]
    >>> norm = callback(np.linalg.norm, T.dscalar, x, vjp=lambda inputs, outputs, g: [g[0] * inputs[0] / outputs[0]])
    >>> tensordsl.function([x], T.grad(norm, x))([3, 4])
    array([0.6, 0.8])
    """
    if not callable(fn):
        raise TypeError(f"callback: the function must be callable, got {fn!r}")
    several = isinstance(result, list)
    given = [as_variable(x) for x in operands]
    more: list[Any] = []
    types, lengths = [], []
    for one in result if several else [result]:
        dtype, shape = _promised(one)
        types.append(TensorType(dtype, [n if isinstance(n, int) else None for n in shape]))
        like = next((k for k, v in enumerate(given) if v is one), None)
        places: list[Any] = []
        for axis, n in enumerate(shape):
            is_symbol = isinstance(n, Variable)
            places.append((like, axis) if is_symbol and like is not None else len(more) if is_symbol else None)
            more += [n] if is_symbol and like is None else []
        lengths.append(tuple(places))
    inputs = [*given, *more]
    op = Callback(fn, tuple([v.type for v in inputs]), tuple(types), tuple(lengths), vjp, name)
    return op(*inputs, return_list=several)


def _promised(one: Any) -> tuple[str, tuple[Any, ...]]:
    """The dtype and the lengths of a result."""
    if isinstance(one, Variable):
        return one.type.dtype, tuple([shape_i(one, k) if n is None else n for k, n in enumerate(one.type.shape)])
    if isinstance(one, TensorType):
        return one.dtype, tuple([1 if n == 1 else None for n in one.shape])
    if isinstance(one, tuple) and len(one) == 2:
        dtype, shape = one
        lengths = tuple(shape) if isinstance(shape, list | tuple) else (shape,)
        return TensorType(dtype, ()).dtype, tuple([n.item() if hasattr(n, "item") else n for n in lengths])
    raise TypeError(f"callback: a result must be a variable, a type or a pair (dtype, shape), got {one!r}")
