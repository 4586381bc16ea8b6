"""Theano's attributes of a compiled function: where its values are, and what it was made of."""

from __future__ import annotations

import inspect
import keyword
from collections.abc import Sequence
from typing import Any

from tensordsl.base.records import record
from tensordsl.graph.fgraph import FunctionGraph
from tensordsl.graph.variables import Variable
from tensordsl.signature.arguments import Parameter
from tensordsl.signature.io import In, Out
from tensordsl.signature.modes import Mode
from tensordsl.signature.shared import Container, GenericSharedVariable, SharedVariable, TensorSharedVariable
from tensordsl.signature.spec import FunctionSpec


@record(eq=False)
class Containers:
    """`f.container`: what holds the value that `f[key]` means."""

    function: Any

    def __getitem__(self, key: Any) -> Container:
        return container_of(holder(self.function.spec, key))

    def __setitem__(self, key: Any, value: Any) -> None:
        self.function[key] = value

    def __contains__(self, key: Any) -> bool:
        return bool(key in self.function)


def signature_of(spec: FunctionSpec) -> inspect.Signature:
    """The parameters of a call as Python's functions have them: the type of each as its annotation.

    An input without a name that Python could write, or with one that another has, is given by position alone, and so
    are those before it.  A default before an input that a call must give is none.
    """
    inputs = [p for p in spec.parameters if not p.implicit]
    names = [p.name if p.name and p.name.isidentifier() and not keyword.iskeyword(p.name) else "" for p in inputs]
    unnamed = [k for k, name in enumerate(names) if not name or names.count(name) > 1]
    by_position = max(unnamed, default=-1) + 1
    must = [k for k, p in enumerate(inputs) if p.is_required or p.default is None]
    made = []
    for k, p in enumerate(inputs):
        value: Any = inspect.Parameter.empty if k <= max(must, default=-1) else p.default
        kind = inspect.Parameter.POSITIONAL_ONLY if k < by_position else inspect.Parameter.POSITIONAL_OR_KEYWORD
        name = _distinct(f"input{k}", names) if k in unnamed else names[k]
        made.append(inspect.Parameter(name, kind, default=value, annotation=p.variable.type))
    return inspect.Signature(made)


def _distinct(name: str, others: Sequence[str]) -> str:
    while name in others:
        name += "_"
    return name


def places(spec: FunctionSpec) -> list[tuple[Variable, Parameter | SharedVariable]]:
    """What a function holds values in: its parameters, then the shared variables of its graph."""
    states = [p.default for p in spec.parameters if p.is_state]
    return [
        *((p.variable, p) for p in spec.parameters),
        *((shared, shared) for shared in spec.shared if all(shared is not state for state in states)),
    ]


def holder(spec: FunctionSpec, key: Any) -> Parameter | SharedVariable:
    """What holds the value that `f[key]` means: a shared variable, or an input that has a value by itself or none.

    Raises TypeError.
    """
    if isinstance(key, SharedVariable) and key.root in spec.shared:
        return key
    all_places = places(spec)
    if isinstance(key, int):
        found = [held for _, held in all_places[key : key + 1 or None]]
    else:
        found = [h for v, h in all_places if v is key or (isinstance(key, str) and h.name == key)]
    if len(found) > 1:
        # An input hides a shared variable of its name.
        found = [held for held in found if isinstance(held, Parameter)] or found
    if not found:
        raise TypeError(f"Unknown input or state: {key} (the function {spec.name!r} has no such one)")
    if len(found) > 1:
        raise TypeError(f"Ambiguous name: {key} names {len(found)} values of {spec.name!r}; use the variable itself")
    (held,) = found
    return held.default if isinstance(held, Parameter) and isinstance(held.default, SharedVariable) else held


def container_of(held: Parameter | SharedVariable) -> Container:
    """The place of a value.  A default of which it is asked becomes a shared variable, since others may share it."""
    if isinstance(held, SharedVariable):
        return Container(held, held.name, held)
    if held.default is not None and not isinstance(held.default, SharedVariable):
        if held.is_opaque:
            held.default = GenericSharedVariable(held.default, held.name)
        else:
            settings = held.strict, held.allow_downcast
            held.default = TensorSharedVariable(held.variable.type, held.default, held.name, *settings)
        held.is_promoted = True
    return Container(held.variable, held.name, held.default)


@record(eq=False)
class Maker:
    """What a function was made of, under Theano's names.

    `fgraph` is the user's graph after givens and default updates, before the compiler rewrites it.
    """

    spec: FunctionSpec
    mode: Mode

    @property
    def fgraph(self) -> FunctionGraph:
        """The graph, whose outputs are followed by the new values of the shared variables."""
        held = [held if isinstance(held, SharedVariable) else v for v, held in places(self.spec)]
        states = {p.variable: p.default for p in self.spec.parameters if p.is_state}
        return FunctionGraph([states.get(v, v) for v in held], self.spec.results, clone=False)

    @property
    def inputs(self) -> list[In]:
        """The inputs, then the shared variables of the graph, which are implicit ones."""
        updates = dict(self.spec.updates)
        made = []
        for variable, held in places(self.spec):
            value = container_of(held) if isinstance(held, SharedVariable) else held.default
            source: Any = held.default if isinstance(held, Parameter) and held.is_state else held
            is_shared = isinstance(held, SharedVariable)
            implicit = isinstance(held, SharedVariable) or held.implicit
            made.append(In(variable, held.name, value, updates.get(source), implicit=implicit, shared=is_shared))
        return made

    expanded_inputs = inputs

    @property
    def outputs(self) -> list[Out]:
        return [Out(v, borrow) for v, borrow in zip(self.spec.outputs, self.spec.borrow, strict=True)]

    @property
    def indices(self) -> list[list[Any]]:
        return [[given, None, [given]] for given in self.inputs]

    @property
    def unpack_single(self) -> bool:
        return self.spec.form == "one"

    @property
    def output_keys(self) -> list[str] | None:
        return list(self.spec.form) if isinstance(self.spec.form, tuple) else None

    @property
    def name(self) -> str:
        return self.spec.name
