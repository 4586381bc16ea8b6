"""The walk over a graph of PyTensor's: each application becomes variables of ours by its converter.

Contract  `Conversion().graph(fgraph, inputs)` -> one value for each output: a variable, or a `Held` object.
          `CONVERTERS`: name of an Op's class -> function (conversion, node, inputs) -> its result, or a list of them.
Why       by name, as PyTensor moves its classes between modules; only of classes of its own and of PyMC's.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

import tensordsl.tensor
from tensordsl.custom.callbacks import callback

T: Any = tensordsl.tensor  # most of its names are found when they are asked for
Converter = Callable[["Conversion", Any, list[Any]], Any]
CONVERTERS: dict[str, Converter] = {}
_HOMES = ("pytensor.", "pymc.", "pymc_extras.")


def converts(*names: str) -> Callable[[Converter], Converter]:
    """A decorator: this converts applications of the classes of these names, and of those derived from them."""

    def enter(converter: Converter) -> Converter:
        for name in names:
            assert name not in CONVERTERS, f"two converters of {name}"
            CONVERTERS[name] = converter
        return converter

    return enter


class Held:
    """A value that is no tensor: a constant, or what each call puts here.  `token`: a number that exists once the value
    does; who needs the value takes it, so that steps of Python's run in their order."""

    def __init__(self, value: Any = None, token: Any = None) -> None:
        self.value, self.token = value, token


class Missing(NotImplementedError):
    """A form of an operation that has no converter: its own `perform` does the step."""


class Conversion:
    """Of one function.  `steps`: names of operations that Python does; `errors`: message -> exception of its checks."""

    def __init__(self) -> None:
        self.steps: list[str] = []
        self.errors: dict[str, type[Exception]] = {}

    def input(self, variable: Any) -> Any:
        """What stands for an input of PyTensor's."""
        kind = variable.type
        if not hasattr(kind, "dtype"):
            return Held()
        return T.tensor(dtype=kind.dtype, shape=getattr(kind, "shape", ()), name=variable.name)

    def graph(self, fgraph: Any, inputs: Sequence[Any]) -> list[Any]:
        """The outputs of a graph, of these inputs."""
        known = dict(zip(fgraph.inputs, inputs, strict=True))
        for node in fgraph.toposort():
            given = [self.value(v, known) for v in node.inputs]
            for out, value in zip(node.outputs, self.convert(node, given), strict=True):
                known[out] = self.typed(value, out.type)
        return [self.value(v, known) for v in fgraph.outputs]

    def value(self, variable: Any, known: dict[Any, Any]) -> Any:
        if variable in known:
            return known[variable]
        if not hasattr(variable, "data"):
            raise ValueError(f"tensordsl.pytensor: {variable!r} is neither an input nor computed")
        data = variable.data
        if not hasattr(variable.type, "dtype"):
            return known.setdefault(variable, Held(data))
        made = T.constant(np.asarray(data, variable.type.dtype))
        return known.setdefault(variable, made)

    def convert(self, node: Any, inputs: list[Any]) -> list[Any]:
        """The results of an application."""
        converter = converter_of(node.op)
        try:
            if converter is not None:
                made = converter(self, node, inputs)
            elif hasattr(node.op, "fgraph"):  # softmax, allocated diagonals, graphs as Ops: what is inside
                made = self.graph(node.op.fgraph, inputs)
            else:
                raise Missing
        except Missing:
            made = self.by_python(node, inputs)
        return list(made) if isinstance(made, list | tuple) else [made]

    def typed(self, value: Any, kind: Any) -> Any:
        """A value of the dtype of PyTensor's type, with the axes of length 1 that this promises."""
        if isinstance(value, Held) or not hasattr(kind, "dtype"):
            return value
        value = as_dtype(value, kind.dtype)
        axes = [k for k, n in enumerate(getattr(kind, "shape", ())) if n == 1 and not value.broadcastable[k]]
        return T.addbroadcast(value, *axes) if axes else value

    # -- what Python does
    def by_python(self, node: Any, inputs: list[Any], warns: bool = True) -> list[Any]:
        """The results of an application by the Op's own `perform`; warns: once for each operation, by its name."""
        name = name_of(node.op)
        if not hasattr(node.op, "perform") or any(not _is_known(v.type) for v in (*node.inputs, *node.outputs)):
            raise NotImplementedError(f"tensordsl.pytensor: {name} of {node.inputs} is not supported")
        self.steps.append(name)
        if warns and name not in _WARNED:
            _WARNED.add(name)
            warnings.warn(f"tensordsl.pytensor: {name} is done by Python (docs/pymc.md)", stacklevel=2)
        held = [Held() for v in node.outputs if not hasattr(v.type, "dtype")]
        places = [k for k, v in enumerate(inputs) if not isinstance(v, Held)]
        tokens = [v.token for v in inputs if isinstance(v, Held) and v.token is not None]
        results = [(v.type.dtype, getattr(v.type, "shape", ())) for v in node.outputs if hasattr(v.type, "dtype")]
        if held:
            results.append(("int64", ()))
        step = _Step(node, inputs, places, held)
        found = callback(step, results, *[inputs[k] for k in places], *tokens, name=name)
        token = found.pop() if held else None
        for cell in held:
            cell.token = token
        tensors, others = iter(found), iter(held)
        return [next(tensors) if hasattr(v.type, "dtype") else next(others) for v in node.outputs]


class _Step:
    """`perform` of a node as a function of arrays; what is no tensor is read and written where it is held."""

    def __init__(self, node: Any, inputs: Sequence[Any], places: Sequence[int], held: Sequence[Held]) -> None:
        self.node, self.places, self.held = node, list(places), list(held)
        self.others = {k: v for k, v in enumerate(inputs) if isinstance(v, Held)}

    def __call__(self, *arrays: Any) -> list[Any]:
        given: list[Any] = [None] * len(self.node.inputs)
        for k, array in zip(self.places, arrays, strict=False):  # tokens come last
            given[k] = array if hasattr(self.node.inputs[k].type, "shape") else array[()]
        for k, other in self.others.items():
            given[k] = other.value
        storage: list[list[Any]] = [[None] for _ in self.node.outputs]
        self.node.op.perform(self.node, given, storage)
        found, others = [], iter(self.held)
        for variable, cell in zip(self.node.outputs, storage, strict=True):
            if hasattr(variable.type, "dtype"):
                found.append(np.asarray(cell[0], variable.type.dtype))
            else:
                next(others).value = cell[0]
        return [*found, np.asarray(0, "int64")] if self.held else found


_WARNED: set[str] = set()  # names of operations that a warning has named


def _load() -> None:
    from tensordsl.pytensor import arrays, draws, linear_algebra, loops, scalars  # noqa: F401  # they enter converters


def converter_of(op: Any) -> Converter | None:
    if not CONVERTERS:
        _load()
    for kind in type(op).__mro__:
        if kind.__name__ in CONVERTERS and kind.__module__.startswith(_HOMES):
            return CONVERTERS[kind.__name__]
    return None


def name_of(op: Any) -> str:
    core = getattr(op, "core_op", None) or getattr(op, "scalar_op", None)
    return type(op).__name__ if core is None else f"{type(op).__name__}({type(core).__name__})"


def as_dtype(value: Any, dtype: str) -> Any:
    return value if value.dtype == dtype else T.cast(value, dtype)


def number(variable: Any) -> int:
    """The value of a constant integer.  Raises Missing for what is none."""
    if not hasattr(variable, "data"):
        raise Missing
    return int(variable.data)


def _is_known(kind: Any) -> bool:
    """Whether values of a type are tensors, or objects that a step may hold."""
    name = type(kind).__name__
    return hasattr(kind, "dtype") and "Sparse" not in name or name in ("RandomGeneratorType", "NoneTypeT", "SliceType")
