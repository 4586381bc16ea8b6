"""The walk over a graph of PyTensor's: each application becomes variables of ours by its converter.

Contract  `Conversion().graph(fgraph, inputs)` -> one value for each output: a variable, or a `Held` object.
          `CONVERTERS`: name of an Op's class -> function (conversion, node, inputs) -> its result, or a list of them.
Why       by name, as PyTensor moves its classes between modules; only of classes of its own and of PyMC's.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from importlib import import_module
from typing import Any

import numpy as np

import tensordsl.tensor
from tensordsl.custom.callbacks import callback
from tensordsl.pytensor.objects import Held, Names, Objects

T: Any = tensordsl.tensor  # most of its names are found when they are asked for
Converter = Callable[["Conversion", Any, list[Any]], Any]
CONVERTERS: dict[str, Converter] = {}
MODULES = (
    "arrays", "convolutions", "draws", "linear_algebra", "loops", "models", "optimisation", "scalars", "sparse",
    "tridiagonal",
)  # fmt: skip
_HOMES = ("pytensor.", "pymc.", "pymc_extras.")


def converts(*names: str) -> Callable[[Converter], Converter]:
    """A decorator: this converts applications of the classes of these names, and of those derived from them."""

    def enter(converter: Converter) -> Converter:
        for name in names:
            assert name not in CONVERTERS, f"two converters of {name}"
            CONVERTERS[name] = converter
        return converter

    return enter


def converts_by(table: Mapping[str, Callable[..., Any]]) -> None:
    """Converters that need the Op and its operands alone: names of classes -> function (op, *inputs)."""

    def entered(function: Callable[..., Any]) -> Converter:
        return lambda c, node, inputs: function(node.op, *inputs)

    for names, function in table.items():
        converts(*names.split())(entered(function))


class Missing(NotImplementedError):
    """A form of an operation that has no converter: its own `perform` does the step."""


class Conversion:
    """Of one function.  `steps`: names of operations that Python does; `errors`: message -> exception of its checks;
    `objects`: what is no tensor."""

    def __init__(self) -> None:
        self.steps: list[str] = []
        self.errors: dict[str, type[Exception]] = {}
        self.objects = Objects()
        self.is_pointwise = False  # within a graph of scalars that stands for one of arrays
        self._done: dict[Any, tuple[Any, Any]] = {}  # steps: Op and operands -> results, and the operands

    def input(self, variable: Any) -> Any:
        """What stands for an input of PyTensor's: a number of an object for what is no tensor."""
        kind = variable.type
        if not is_array(kind):
            return Held(token=T.lscalar(variable.name))
        return T.tensor(dtype=kind.dtype, shape=getattr(kind, "shape", ()), name=variable.name)

    def graph(self, fgraph: Any, inputs: Sequence[Any]) -> list[Any]:
        """The outputs of a graph, of these inputs."""
        known = dict(zip(fgraph.inputs, inputs, strict=True))
        for node in fgraph.toposort():
            given = [self.value(v, known) for v in node.inputs]
            for out, value in zip(node.outputs, self.convert(node, given), strict=True):
                known[out] = self.typed(value, out.type)
        return [self.value(v, known) for v in fgraph.outputs]

    def pointwise(self, fgraph: Any, inputs: Sequence[Any]) -> list[Any]:
        """A graph of scalars, of arrays.  Raises Missing where a step of Python's would get an array for a number."""
        before, self.is_pointwise = self.is_pointwise, True
        try:
            return self.graph(fgraph, inputs)
        finally:
            self.is_pointwise = before

    def value(self, variable: Any, known: dict[Any, Any]) -> Any:
        if variable in known:
            return known[variable]
        if not hasattr(variable, "data"):
            raise ValueError(f"tensordsl.pytensor: {variable!r} is neither an input nor computed")
        data = variable.data
        if not is_array(variable.type):
            return known.setdefault(variable, Held(data))
        made = T.constant(np.asarray(data, variable.type.dtype))
        return known.setdefault(variable, made)

    def convert(self, node: Any, inputs: list[Any]) -> list[Any]:
        """The results of an application."""
        if (numbers := _known(node, inputs)) is not None:
            return numbers
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
        if isinstance(value, Held) or not is_array(kind):
            return value
        value = as_dtype(value, kind.dtype)
        axes = [k for k, n in enumerate(getattr(kind, "shape", ())) if n == 1 and not value.broadcastable[k]]
        return T.addbroadcast(value, *axes) if axes else value

    # -- what Python does
    def by_python(self, node: Any, inputs: list[Any], warns: bool = True) -> list[Any]:
        """The results of an application by the Op's own `perform`; warns: once for each operation, by its name."""
        if self.is_pointwise:
            raise Missing
        name = name_of(node.op)
        if not has_perform(node.op):
            kinds = ", ".join(str(v.type) for v in node.inputs)
            raise NotImplementedError(
                f"tensordsl.pytensor: {name} of ({kinds}) has neither a native form nor a `perform` of its own; "
                "compile this function by another mode (docs/pymc.md)"
            )
        key = (node.op, *map(_identity, inputs))
        if key in self._done:  # inner graphs have equal applications
            return list(self._done[key][0])
        self.steps.append(name)
        if warns and name not in _WARNED:
            _WARNED.add(name)
            warnings.warn(f"tensordsl.pytensor: {name} is done by Python (docs/pymc.md)", stacklevel=2)
        if any(not is_array(v.type) for v in node.outputs):
            self.objects.is_unused = False
        step = _Step(node, inputs, self.objects)
        results = [
            (v.type.dtype, getattr(v.type, "shape", ())) if is_array(v.type) else ("int64", ()) for v in node.outputs
        ]
        found = callback(step, results, *[v for v in map(self._given, inputs) if v is not None], name=name)
        made = [v if is_array(out.type) else Held(token=v) for v, out in zip(found, node.outputs, strict=True)]
        self._done[key] = made, inputs
        return list(made)

    @staticmethod
    def _given(value: Any) -> Any:
        """What a step takes for an operand: nothing for an object that is known now."""
        return value.token if isinstance(value, Held) else value

    def token(self, value: Held) -> Any:
        """The number of an object, as a variable."""
        return T.constant(np.int64(self.objects.keep(value.value))) if value.token is None else value.token

    def renamed(self, token: Any) -> Held:
        """The same object under a number of its own: what a round or a loop hands on outlives the steps in it."""
        objects, names = self.objects, Names()
        found = callback(lambda n: np.int64(objects.put(objects[int(n)], names)), ("int64", ()), token, name="renamed")
        return Held(token=found)


class _Step:
    """`perform` of a node as a function of arrays; objects are numbers there."""

    def __init__(self, node: Any, inputs: Sequence[Any], objects: Objects) -> None:
        self.node, self.objects = node, objects
        self.given = [_reader(v.type, value, objects) for v, value in zip(node.inputs, inputs, strict=True)]
        self.made = [
            partial(np.asarray, dtype=v.type.dtype) if is_array(v.type) else partial(_put, objects, Names())
            for v in node.outputs
        ]

    def __call__(self, *arrays: Any) -> list[Any]:
        rest = iter(arrays)
        given = [read(rest) for read in self.given]
        storage: list[list[Any]] = [[None] for _ in self.node.outputs]
        self.node.op.perform(self.node, given, storage)
        return [make(cell[0]) for make, cell in zip(self.made, storage, strict=True)]


def _identity(value: Any) -> Any:
    """Equal for operands that are the same in every call."""
    if isinstance(value, Held):
        return ("object", id(value.value)) if value.token is None else id(value.token)
    data: Any = getattr(value, "data", None)  # of a constant
    is_short = isinstance(data, np.ndarray) and data.size <= 8
    return (data.dtype.str, data.shape, data.tobytes()) if is_short else id(value)


def _put(objects: Objects, names: Names, value: Any) -> Any:
    return np.int64(objects.put(value, names))


def _reader(kind: Any, value: Any, objects: Objects) -> Callable[[Any], Any]:
    """A function that takes an operand of `perform` from the arrays of a step."""
    if isinstance(value, Held):
        return (lambda rest: value.value) if value.token is None else (lambda rest: objects[int(next(rest))])
    return (lambda rest: next(rest)[()]) if _is_scalar(kind) else next


_WARNED: set[str] = set()  # names of operations that a warning has named


def _known(node: Any, inputs: list[Any]) -> list[Any] | None:
    from tensordsl.pytensor.lengths import known  # late: it uses this module

    return known(node, inputs)


def _load() -> None:
    for module in MODULES:
        import_module(f"tensordsl.pytensor.{module}")  # they enter converters


def converter_of(op: Any) -> Converter | None:
    if not CONVERTERS:
        _load()
    for kind in type(op).__mro__:
        found = CONVERTERS.get(key_of(kind)) if is_own(kind) else None
        if found is not None:
            return found
    return None


def is_own(kind: type) -> bool:
    """Whether a class is PyTensor's or PyMC's: those of users may have any name."""
    return kind.__module__.startswith(_HOMES)


def key_of(kind: type) -> str:
    """The name of a class of Ops in `CONVERTERS`: with that of its package for those whose classes are called alike."""
    package = kind.__module__.split(".")[1]
    return f"{package}.{kind.__name__}" if package in ("sparse", "xtensor", "typed_list") else kind.__name__


def has_perform(op: Any) -> bool:
    """Whether Python can do an operation."""
    names = {kind.__name__ for kind in type(op).__mro__}
    return hasattr(op, "perform") and not names & {"_NoPythonOp", "XOp"}


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


def is_array(kind: Any) -> bool:
    """Whether the values of a type are dense arrays or numbers; of all others, functions here hold the objects."""
    names = {base.__name__ for base in type(kind).__mro__}
    return bool(names & {"TensorType", "ScalarType", "XTensorType"}) and "SparseTensorType" not in names


def _is_scalar(kind: Any) -> bool:
    return type(kind).__name__ == "ScalarType"
