"""The specification of a function before it is compiled: inputs, outputs, updates, and how calls bind arguments."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from tensordsl.base.records import record
from tensordsl.graph.conversion import convert
from tensordsl.graph.variables import Apply, Origin, Variable, toposort
from tensordsl.signature.arguments import Parameter
from tensordsl.signature.shared import TensorSharedVariable

Array = np.ndarray[Any, Any]


@record(eq=False)
class FunctionSpec:
    """What a function is, before it is compiled.

    inputs: the operands of a call, in order, without owner; shared: in order of first use, targets of updates included;
    outputs; updates: (shared variable, new value) pairs; parameters: how calls bind arguments; borrow: per output;
    form: "one" (the bare output), "list", or the keys of a dict; name, origin: for messages; device: where it runs;
    on_device: per output, whether it stays there.
    """

    inputs: tuple[Variable, ...]
    shared: tuple[TensorSharedVariable, ...]
    outputs: tuple[Variable, ...]
    updates: tuple[tuple[TensorSharedVariable, Variable], ...]
    parameters: tuple[Parameter, ...]
    borrow: tuple[bool, ...]
    form: str | tuple[str, ...]
    name: str
    origin: Origin | None
    device: str = "cpu"
    on_device: tuple[bool, ...] = ()

    @property
    def results(self) -> tuple[Variable, ...]:
        """Everything that a call computes: the outputs, then the new values of the shared variables."""
        return (*self.outputs, *(value for _, value in self.updates))

    def __reduce__(self) -> tuple[Any, ...]:
        """The applications come first, operands before users: see `tensordsl.graph.pickling`."""
        return _restore, (self.nodes(), *(getattr(self, name) for name in self.__dataclass_fields__))

    def nodes(self) -> list[Apply]:
        """The applications in the order that messages count them in."""
        return toposort(self.results, self.inputs)

    def pack(self, values: list[Array]) -> Any:
        """The outputs in the form that the user asked for."""
        if self.form == "one":
            return values[0]
        return values if self.form == "list" else dict(zip(self.form, values, strict=True))


def shared_of(reached: Iterable[Variable], pairs: Iterable[tuple[Any, Variable]]) -> tuple[TensorSharedVariable, ...]:
    used = [v for v in reached if isinstance(v, TensorSharedVariable)]
    return tuple(dict.fromkeys([*used, *(shared for shared, _ in pairs)]))


def _restore(nodes: list[Apply], *fields: Any) -> FunctionSpec:
    spec = FunctionSpec(*fields)
    for parameter in spec.parameters:
        if isinstance(parameter.default, np.ndarray):  # whose dtype is another object now
            parameter.default = convert(parameter.default, parameter.variable.type)
    return spec
