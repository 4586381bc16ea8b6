"""`OpFromGraph`: an expression as a function of variables, to be used many times, with its own gradient if wanted."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from tensordsl.functions.clone import replacement_map
from tensordsl.graph.printing import variable_text
from tensordsl.graph.substitute import substitute
from tensordsl.graph.variables import Apply, Constant, Dims, Expand, Op, Variable, apply, inputs_of
from tensordsl.ops.cotangents import Undefined, zeros_like
from tensordsl.ops.operands import as_variable
from tensordsl.signature.shared import SharedVariable

_WITHOUT_EFFECT = frozenset(("accept_inplace", "destroy_map", "mode", "on_unused_input", "profile"))


def _dtype(*dtypes: str, inner: OpFromGraph) -> tuple[str, ...]:
    return tuple(v.type.dtype for v in inner.outputs)


def _shape(d: Dims, *operands: Any, inner: OpFromGraph) -> tuple[Any, ...]:
    return tuple(v.type.shape for v in inner.outputs)


def _gradient(g: Any, out: Any, *operands: Any, inner: OpFromGraph) -> Sequence[Any]:
    return inner.cotangents(list(operands), list(g) if isinstance(g, tuple) else [g])


def _tangent(node: Apply, given: Sequence[Any]) -> Sequence[Any]:
    inner: OpFromGraph = node.attrs["inner"]
    return inner.tangents(list(node.inputs), list(given))


class _Row(Op):
    """A row that pickles name."""

    def __reduce__(self) -> str:  # type: ignore[override]  # a global name
        return "OP_FROM_GRAPH" if self.tangent is None else "OP_WITH_TANGENT"


# One use of an OpFromGraph with derivatives of its own: gradients see it whole, the compiler sees its contents.
OP_FROM_GRAPH, OP_WITH_TANGENT = (
    _Row(
        "OpFromGraph", _dtype, _shape, None, Expand(lambda *operands, inner: tuple(inner.expand(operands))), _gradient,
        tangent=tangent,
    )
    for tangent in (None, _tangent)
)  # fmt: skip


class OpFromGraph:
    """`OpFromGraph([x, y], [e])(a, b)` is e with a and b in the places of x and y.

    Parameters
    ----------
    inputs : variables without owner, neither constant nor shared.
    outputs : expressions in them; shared variables and constants may occur, other variables not.
    inline : accepted; the contents always become part of the program that is compiled.
    grad_overrides : a function (inputs, output_gradients) -> one gradient per input, instead of the contents' own; or
        an OpFromGraph of inputs and gradients; or a list of those, one per input, each of which gives one gradient.
        In it None (Theano's "default") stands for the contents' own gradient, `DisconnectedType()()` for none.
    lop_overrides : as grad_overrides, but called with (inputs, outputs, output_gradients).
    rop_overrides : a function (inputs, tangents) -> one tangent per output, for `Rop`; or an OpFromGraph, or a list, as
        above.  Tangents of inputs that do not vary are zeros.
    connection_pattern : for each input a list of booleans that say which outputs depend on it, for gradients; an input
        without True has none.
    name : for messages.
    strict : refuse outputs that need shared variables.

    Arguments of `function` that Theano takes besides, as `mode`, are without effect.  Raises TypeError, ValueError.

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
        strict: bool = False,
        **options: Any,
    ) -> None:
        for option in options.keys() - _WITHOUT_EFFECT:
            raise TypeError(f"OpFromGraph: unknown argument {option!r}")
        if not isinstance(inputs, list | tuple) or not isinstance(outputs, list | tuple):
            raise TypeError("OpFromGraph: inputs and outputs must be lists")
        lop_overrides, grad_overrides, rop_overrides = map(_given, (lop_overrides, grad_overrides, rop_overrides))
        if lop_overrides is not None and grad_overrides is not None:
            raise ValueError("OpFromGraph: lop_overrides and grad_overrides are mutually exclusive")
        for v in inputs:
            if not isinstance(v, Variable) or isinstance(v, Constant | SharedVariable) or v.owner is not None:
                raise TypeError(f"OpFromGraph: an input must be a variable without owner, got {v!r}")
        self.inputs, self.outputs = list(inputs), [as_variable(v) for v in outputs]
        self.is_inline, self.name = inline, name or "OpFromGraph"
        self.overrides = grad_overrides if lop_overrides is None else lop_overrides
        self.with_outputs, self.rop_overrides = lop_overrides is not None, rop_overrides
        self.connection_pattern = connection_pattern
        if connection_pattern is not None and [*map(len, connection_pattern)] != [len(outputs)] * len(inputs):
            raise ValueError(f"OpFromGraph: connection_pattern must have {len(inputs)} rows of {len(outputs)} booleans")
        for v in inputs_of(self.outputs, stop=self.inputs):
            if v not in self.inputs and (strict or not isinstance(v, SharedVariable)):
                raise ValueError(f"OpFromGraph: the outputs need {variable_text(v)}, which is no input of it")

    def __call__(self, *operands: Any) -> Any:
        """The outputs for these operands: one variable, or a list if there are several."""
        given = self._fitting(operands)
        if self.overrides is None and self.rop_overrides is None and self.connection_pattern is None:
            outputs = self.expand(given)
        else:
            row = OP_FROM_GRAPH if self.rop_overrides is None else OP_WITH_TANGENT
            outputs = list(apply(row, *given, inner=self))
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
        given = [zeros_like(o) if c is None else c for o, c in zip(outputs, g, strict=True)]

        def own() -> list[Any]:
            from tensordsl.autodiff.reverse import cotangents  # late: only gradients need it

            return list(cotangents(list(zip(outputs, given, strict=True)), operands, stop=operands))

        arguments = [operands, outputs, given] if self.with_outputs else [operands, given]
        found = _overridden(self.overrides, arguments, own, len(operands), f"{self.name}: gradient overrides")
        pattern = self.connection_pattern or [[True]] * len(operands)
        return [_cotangent(part) if any(row) else None for part, row in zip(found, pattern, strict=True)]

    def tangents(self, operands: list[Variable], given: list[Any]) -> list[Any]:
        """One tangent per output, by the overrides."""
        outputs = self.expand(operands)
        points = [t if isinstance(t, Variable) else zeros_like(v) for v, t in zip(operands, given, strict=True)]

        def own() -> list[Any]:
            from tensordsl.autodiff.forward import tangents  # late: as above

            return tangents(outputs, dict(zip(operands, points, strict=True)))

        found = _overridden(self.rop_overrides, (operands, points), own, len(outputs), f"{self.name}: rop_overrides")
        return [_cotangent(part) for part in found]


def _given(override: Any) -> Any:
    return None if isinstance(override, str) and override == "default" else override


def _overridden(
    override: Any, arguments: Sequence[list[Variable]], own: Callable[[], list[Any]], count: int, what: str
) -> list[Any]:
    """What an override, or a list of them, gives for lists of variables; own: what there is without one."""
    if override is None:
        return own()
    if not isinstance(override, list | tuple):
        found = _called(override, arguments)
        found = list(found) if isinstance(found, list | tuple) else [found]
    else:
        without = own() if any(_given(one) is None for one in override) else []
        found = [
            without[k] if _given(one) is None and k < len(without) else _called(one, arguments)
            for k, one in enumerate(override)
        ]
    if len(found) != count:
        raise ValueError(f"{what}: {len(found)} for {count} variables")
    return found


def _called(override: Any, arguments: Sequence[list[Variable]]) -> Any:
    if isinstance(override, Variable):  # a marker
        return override
    if isinstance(override, OpFromGraph):
        return override(*[v for many in arguments for v in many])
    return override(*arguments)


def _cotangent(part: Any) -> Any:
    """A derivative as rows give them: None for what is disconnected."""
    kind = type(getattr(part, "type", None)).__name__
    if kind == "NullType":
        return Undefined(part.type.why_null)
    return None if part is None or kind == "DisconnectedType" else part
