"""A graph between inputs and outputs, as Theano's `FunctionGraph` shows one; it is not rewritten in place.

>>> import tensordsl.tensor as T
>>> x = T.scalar("x")
>>> graph = FunctionGraph([x], [T.exp(x) * 2], clone=False)
>>> [node.row.name for node in graph.toposort()], graph.inputs[0] is x
(['exp', 'mul'], True)
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tensordsl.base.errors import MissingInputError
from tensordsl.graph.printing import pp, variable_text
from tensordsl.graph.substitute import substitute
from tensordsl.graph.variables import Apply, Constant, Variable, ancestors, toposort, unwatched

__all__ = ["FunctionGraph", "MissingInputError"]


class FunctionGraph:
    """`inputs` and `outputs`, and what is between them; with `clone` copies of them.

    Raises MissingInputError where the outputs need a variable that is no input, no constant and no shared variable.
    """

    def __init__(
        self, inputs: Sequence[Variable], outputs: Sequence[Variable], features: Any = None, clone: bool = True
    ) -> None:
        self.inputs, self.outputs = list(inputs), list(outputs)
        for v in ancestors(self.outputs, stop=self.inputs):
            is_given = v.owner is not None or isinstance(v, Constant) or hasattr(v, "get_value")
            if not is_given and all(v is not given for given in self.inputs):
                raise MissingInputError(f"the graph needs {variable_text(v)}, which is none of its inputs")
        if clone:
            copied, _ = self.clone_get_equiv()
            self.inputs, self.outputs = copied.inputs, copied.outputs

    def toposort(self) -> list[Apply]:
        """The applications, operands before users."""
        return toposort(self.outputs, stop=self.inputs)

    @property
    def apply_nodes(self) -> set[Apply]:
        return set(self.toposort())

    @property
    def variables(self) -> set[Variable]:
        """The inputs, and everything that the outputs depend on."""
        return {*self.inputs, *ancestors(self.outputs, stop=self.inputs)}

    def clients(self, variable: Variable) -> list[tuple[Any, int]]:
        """Who uses it: pairs of an application and the position among its operands, of "output" and a position."""
        used = [(node, k) for node in self.toposort() for k, v in enumerate(node.inputs) if v is variable]
        return [*used, *(("output", k) for k, v in enumerate(self.outputs) if v is variable)]

    def clone(self) -> FunctionGraph:
        """A copy, with inputs of its own."""
        return self.clone_get_equiv()[0]

    def clone_get_equiv(self) -> tuple[FunctionGraph, dict[Variable, Variable]]:
        """A copy, and what stands for each variable there."""
        fresh = {v: v if hasattr(v, "get_value") else v.type(v.name) for v in self.inputs}
        nodes = self.toposort()
        every = [v for node in nodes for v in node.outputs]
        with unwatched(copies=True):
            done = substitute([*every, *self.outputs], fresh, copy=True)
        copied = FunctionGraph(list(fresh.values()), done[len(every) :], clone=False)
        return copied, {**fresh, **dict(zip(every, done, strict=False))}

    def __repr__(self) -> str:
        return f"[{', '.join(map(pp, self.outputs))}]"
