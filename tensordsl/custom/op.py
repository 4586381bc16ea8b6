"""`Op` and `Apply`: the classes by which programs write operations of their own, in Theano's interface.

An operation derives from `Op` and has `make_node` (or `itypes` and `otypes`) and `perform`; and, where wanted, `grad`
or `L_op`, `R_op`, `infer_shape`, `connection_pattern`.  All rows of the library count as `Op`s, all applications as
`Apply`s: `isinstance(v.owner.op, Op)`.
"""

from __future__ import annotations

from abc import ABC
from collections.abc import Callable, Sequence
from typing import Any

from tensordsl.custom.rows import announced, applied, default
from tensordsl.graph import variables
from tensordsl.graph.types import TensorType
from tensordsl.ops.operands import as_variable


class Apply(ABC):  # noqa: B024  for `register` alone
    """`Apply(op, inputs, outputs)`: the application of a custom operation, whose results are `outputs`: fresh variables
    of the types that they will have, as `x.type()`.  What `make_node` returns."""

    def __new__(cls, op: Any, inputs: Sequence[Any], outputs: Sequence[Any]) -> Any:
        if not isinstance(op, Op):
            raise TypeError(f"Apply: the operation must be an Op, got {op!r}")
        if isinstance(op, variables.Op):
            raise TypeError(f"Apply: {op} is an operation of the library; call it on its operands")
        return applied(op, list(inputs), list(outputs))


class Op(ABC):  # noqa: B024  as above
    """Base of custom operations.

    make_node(*inputs)     gives `Apply(self, inputs, outputs)`; or the class has `itypes` and `otypes`, lists of types
    perform(node, inputs, output_storage)  puts result k into `output_storage[k][0]`, an array of exactly the type that
        `make_node` promised.  The inputs are arrays of its own: it may change and keep them
    grad(inputs, output_gradients)  or L_op(inputs, outputs, output_gradients): one variable for each input
    R_op(inputs, eval_points)  the product of the Jacobian with these, one for each output
    infer_shape(node, shapes)  the shape of each result from the shapes of the inputs, in variables; without it the
        shapes are those that `perform` gives
    connection_pattern(node)  for each input a list that says which outputs depend on it
    __props__              names of attributes: operations of one class with equal ones are equal
    default_output         the number of the output that a call gives, if there are others
    view_map, destroy_map  allow what is allowed anyway: to give an input back, or to write over it

    PyTensor's spellings are taken too: `infer_shape(fgraph, node, shapes)`, `pullback` and `pushforward`.

    >>> import numpy as np
    >>> import tensordsl
    >>> import tensordsl.tensor as T
    >>> class Double(tensordsl.Op):
    ...     __props__ = ()
    ...     def make_node(self, x):
    ...         x = T.as_tensor_variable(x)
    ...         return tensordsl.Apply(self, [x], [x.type()])
    ...     def perform(self, node, inputs, output_storage):
    ...         output_storage[0][0] = inputs[0] * 2
    ...     def grad(self, inputs, output_gradients):
    ...         return [output_gradients[0] * 2]
    >>> x = T.vector("x")
    >>> tensordsl.function([x], [Double()(x), T.grad(Double()(x).sum(), x)])([1, 2])
    [array([2., 4.]), array([2., 2.])]
    """

    default_output: int | None = None
    view_map: dict[int, list[int]] = {}  # noqa: RUF012  read only, and instances may have their own
    destroy_map: dict[int, list[int]] = {}  # noqa: RUF012  as above
    itypes: Sequence[TensorType] | None = None
    otypes: Sequence[TensorType] | None = None
    params_type: Any = None

    # -- making applications -------------------------------------------------------------------------------------------
    @default
    def make_node(self, *inputs: Any) -> Any:
        """An application on `inputs`, by `itypes` and `otypes`.  Raises TypeError for inputs of other types."""
        if self.itypes is None or self.otypes is None:
            raise NotImplementedError(f"{type(self).__name__}: define make_node, or itypes and otypes")
        if len(inputs) != len(self.itypes):
            raise ValueError(f"{type(self).__name__}: wants {len(self.itypes)} inputs, got {len(inputs)}")
        given = [as_variable(x) for x in inputs]
        fitting = [t.convert_variable(v) for t, v in zip(self.itypes, given, strict=True)]
        if any(v is None for v in fitting):
            wanted, got = (", ".join(map(str, types)) for types in (self.itypes, [v.type for v in given]))
            raise TypeError(f"{type(self).__name__}: wants inputs of types ({wanted}), got ({got}); cast them")
        return Apply(self, fitting, [t() for t in self.otypes])

    def __call__(self, *inputs: Any, **options: Any) -> Any:
        """The results of the operation on `inputs`: one variable, or a list.

        return_list  a list also of one; name  of the result, or the beginning of the names of several.  Others go to
        `make_node`.
        """
        return_list, name = bool(options.pop("return_list", False)), options.pop("name", None)
        node = self.make_node(*inputs, **options)
        if not isinstance(node, variables.Apply):
            raise TypeError(f"{type(self).__name__}: make_node must return an Apply, got {node!r}")
        announced(node)
        outputs = list(node.outputs)
        if name is not None:
            for k, v in enumerate(outputs):
                v.name = str(name) if len(outputs) == 1 else f"{name}_{k}"
        if self.default_output is not None:
            outputs = [outputs[self.default_output]]
            return outputs if return_list else outputs[0]
        return outputs[0] if len(outputs) == 1 and not return_list else outputs

    # -- what subclasses define ----------------------------------------------------------------------------------------
    @default
    def perform(self, node: Any, inputs: Any, output_storage: Any) -> None:
        raise NotImplementedError(f"{type(self).__name__}: define perform")

    @default
    def grad(self, inputs: Any, output_grads: Any) -> Any:
        raise NotImplementedError(f"{type(self).__name__}: define grad or L_op")

    @default
    def L_op(self, inputs: Any, outputs: Any, output_grads: Any) -> Any:
        return self.grad(inputs, output_grads)

    @default
    def R_op(self, inputs: Any, eval_points: Any) -> Any:
        raise NotImplementedError(f"{type(self).__name__}: define R_op")

    # -- equality and text ---------------------------------------------------------------------------------------------
    def _props(self) -> tuple[Any, ...]:
        """The values of `__props__`."""
        return tuple([getattr(self, name) for name in getattr(self, "__props__", ())])

    def _props_dict(self) -> dict[str, Any]:
        """The values of `__props__` by their names."""
        return {name: getattr(self, name) for name in getattr(self, "__props__", ())}

    def __eq__(self, other: object) -> bool:
        if self is other:
            return True
        return type(self) is type(other) and hasattr(self, "__props__") and self._props() == other._props()

    def __hash__(self) -> int:
        return hash((type(self), self._props())) if hasattr(self, "__props__") else id(self)

    def __str__(self) -> str:
        parts = ", ".join(f"{name}={value!r}" for name, value in self._props_dict().items())
        own = str(getattr(self, "name", None) or type(self).__name__)
        return f"{own}{{{parts}}}" if parts else own

    def __repr__(self) -> str:
        return str(self)

    def _caller(self, node: Any) -> Callable[..., Any]:
        """What computes the results of `node` from arrays of its own: one array, or a sequence."""
        perform, count = self.perform, len(node.outputs)

        def call(*arrays: Any) -> Any:
            storage: list[list[Any]] = [[None] for _ in range(count)]
            perform(node, list(arrays), storage)
            return [cell[0] for cell in storage]

        def call_one(*arrays: Any) -> Any:
            cell = [None]
            perform(node, list(arrays), [cell])
            return cell

        return call_one if count == 1 else call


Op.register(variables.Op)
Apply.register(variables.Apply)
