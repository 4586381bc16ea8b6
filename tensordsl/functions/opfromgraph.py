"""`OpFromGraph`: an expression as a function of variables, to be used many times, with its own gradient if wanted."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from tensordsl.functions.clone import replacement_map
from tensordsl.graph.printing import variable_text
from tensordsl.graph.substitute import substitute
from tensordsl.graph.variables import Constant, Dims, Expand, Op, Variable, apply, inputs_of
from tensordsl.ops.operands import as_variable
from tensordsl.signature.shared import SharedVariable


def _dtype(*dtypes: str, inner: OpFromGraph) -> tuple[str, ...]:
    return tuple(v.type.dtype for v in inner.outputs)


def _shape(d: Dims, *operands: Any, inner: OpFromGraph) -> tuple[Any, ...]:
    return tuple(v.type.shape for v in inner.outputs)


def _gradient(g: Any, out: Any, *operands: Any, inner: OpFromGraph) -> Sequence[Any]:
    return inner.cotangents(list(operands), list(g) if isinstance(g, tuple) else [g])


# One use of an OpFromGraph with a gradient of its own: gradients see it whole, the compiler sees its contents.
OP_FROM_GRAPH = Op(
    "OpFromGraph", _dtype, _shape, None, Expand(lambda *operands, inner: tuple(inner.expand(operands))), _gradient
)


class OpFromGraph:
    """`OpFromGraph([x, y], [e])(a, b)` is e with a and b in the places of x and y.

    Parameters
    ----------
    inputs : variables without owner, neither constant nor shared.
    outputs : expressions in them; shared variables and constants may occur, other variables not.
    inline : accepted; the contents always become part of the program that is compiled.
    grad_overrides : a function (inputs, output_gradients) -> one gradient per input, instead of the contents' own; or a
        list of such functions, one per input, or None for the contents' own gradient.
    lop_overrides : as grad_overrides, but called with (inputs, outputs, output_gradients).
    name : for messages.

    Raises TypeError, ValueError.

    >>> import tensordsl.tensor as T
    >>> x, y = T.scalars("x", "y")
    >>> product_and_x = OpFromGraph([x, y], [x * y + x])
    >>> float(product_and_x(T.constant(2.0), T.constant(5.0)).eval())
    12.0
    """

    def __init__(
        self,
        inputs: Sequence[Variable],
        outputs: Sequence[Variable],
        inline: bool = False,
        lop_overrides: Any = None,
        grad_overrides: Any = None,
        rop_overrides: Any = None,
        connection_pattern: Any = None,
        name: str | None = None,
    ) -> None:
        if not isinstance(inputs, list | tuple) or not isinstance(outputs, list | tuple):
            raise TypeError("OpFromGraph: inputs and outputs must be lists")
        if lop_overrides is not None and grad_overrides is not None:
            raise ValueError("OpFromGraph: lop_overrides and grad_overrides are mutually exclusive")
        if rop_overrides is not None or connection_pattern is not None:
            raise TypeError("OpFromGraph: rop_overrides and connection_pattern are not supported")
        for v in inputs:
            if not isinstance(v, Variable) or isinstance(v, Constant | SharedVariable) or v.owner is not None:
                raise TypeError(f"OpFromGraph: an input must be a variable without owner, got {v!r}")
        self.inputs, self.outputs = list(inputs), [as_variable(v) for v in outputs]
        self.is_inline, self.name = inline, name or "OpFromGraph"
        self.overrides, self.with_outputs = grad_overrides or lop_overrides, lop_overrides is not None
        for v in inputs_of(self.outputs, stop=self.inputs):
            if v not in self.inputs and not isinstance(v, SharedVariable):
                raise ValueError(f"OpFromGraph: the outputs need {variable_text(v)}, which is no input of it")

    def __call__(self, *operands: Any) -> Any:
        """The outputs for these operands: one variable, or a list if there are several."""
        given = self._fitting(operands)
        outputs = self.expand(given) if self.overrides is None else list(apply(OP_FROM_GRAPH, *given, inner=self))
        return outputs[0] if len(outputs) == 1 else outputs

    def _fitting(self, operands: Sequence[Any]) -> list[Variable]:
        if len(operands) != len(self.inputs):
            raise TypeError(f"{self.name} takes {len(self.inputs)} operands, got {len(operands)}")
        fitting = replacement_map(dict(zip(self.inputs, operands, strict=True)))
        return [fitting[v] for v in self.inputs]

    def expand(self, operands: Sequence[Variable]) -> list[Any]:
        return substitute(self.outputs, dict(zip(self.inputs, operands, strict=True)), copy=True)

    def cotangents(self, operands: list[Variable], g: list[Variable | None]) -> list[Any]:
        """One gradient per operand, by the overrides."""
        outputs = self.expand(operands)
        g = [o.zeros_like() if c is None else c for o, c in zip(outputs, g, strict=True)]
        many = self.overrides if isinstance(self.overrides, list | tuple) else None
        if many is None:
            return list(self._override(self.overrides, operands, outputs, g))
        if len(many) != len(operands):
            raise ValueError(f"{self.name}: {len(many)} gradient overrides for {len(operands)} inputs")
        own: list[Any] = []
        if None in many:
            from tensordsl.autodiff.gradient import Lop  # late: it stands above

            own = Lop(outputs, operands, g, disconnected_inputs="ignore")
        return [
            own[k] if override is None else self._override(override, operands, outputs, g)
            for k, override in enumerate(many)
        ]

    def _override(self, override: Callable[..., Any], operands: Any, outputs: Any, g: Any) -> Any:
        return override(operands, outputs, g) if self.with_outputs else override(operands, g)
