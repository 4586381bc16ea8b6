"""Arguments of a call: bound to inputs by position, keyword or default, and converted to exact arrays.

Compiled functions take C- or any-strided, aligned ndarrays of exactly the input's dtype.  What a caller passes is
converted where nothing is lost, else refused with a message that names function, input, what it got and wanted.
The caller's objects are never changed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from tensordsl.base.records import record
from tensordsl.graph.conversion import convert
from tensordsl.graph.types import TensorType
from tensordsl.graph.variables import Variable

Array = np.ndarray[Any, Any]


@record(eq=False, frozen=False)
class Parameter:
    """One input as a call sees it.

    `default` is an exact array, a shared variable, or None: an argument is required.  `is_state`: the default is a
    shared variable that an argument replaces for good (`In(..., update=...)`); it is no operand of the program.
    `implicit`: a call cannot give it, it always has its default.  `is_required`: a call must give it, whatever it
    holds.  `is_promoted`: the default is a shared variable because somebody asked for its place
    (`inspection.container_of`).
    """

    variable: Variable
    name: str | None = None
    default: Any = None
    strict: bool = False
    allow_downcast: bool | None = None
    is_state: bool = False
    implicit: bool = False
    is_required: bool = False
    is_promoted: bool = False

    @property
    def is_plain(self) -> bool:
        """Whether its argument is an operand of the program, at its place."""
        return not (self.is_state or self.implicit or self.is_opaque)

    @property
    def is_opaque(self) -> bool:
        """Whether it takes any object, and is no operand of the program."""
        return not isinstance(self.variable.type, TensorType)

    def __str__(self) -> str:
        return self.name or repr(self.variable)


# -- binding ---------------------------------------------------------------------------------------------------------
def normalise(
    parameters: Sequence[Parameter], function: str, args: Sequence[Any], kwargs: Mapping[str, Any]
) -> list[Any]:
    """The arguments of a call of `function` (its name) as exact arrays, one per parameter; of a state that the call
    does not give, the variable.  Raises TypeError."""
    explicit = [position for position, parameter in enumerate(parameters) if not parameter.implicit]
    if len(args) > len(explicit):
        raise TypeError(
            f"Too many arguments for the function {quoted(function)}: it takes {_count(len(explicit), 'input')} "
            f"({_names(parameters)}), got {len(args)}"
        )
    given: list[Any] = [_MISSING] * len(parameters)
    for position, value in zip(explicit, args, strict=False):
        given[position] = value
    for key, value in kwargs.items():
        _bind(parameters, function, given, key, value)
    result = []
    for position, (parameter, value) in enumerate(zip(parameters, given, strict=True)):
        if value is _MISSING:
            result.append(_default(parameter, function, parameters))
            continue
        kind = parameter.variable.type
        if not isinstance(kind, TensorType):
            result.append(value)
            continue
        try:
            result.append(convert(value, kind, parameter.strict, parameter.allow_downcast))
        except TypeError as error:
            raise bad_argument(function, position, parameter, error) from None
    return result


_MISSING = object()


def _bind(parameters: Sequence[Parameter], function: str, given: list[Any], key: str, value: Any) -> None:
    named = [position for position, parameter in enumerate(parameters) if parameter.name == key]
    if not named:
        raise TypeError(
            f"Unknown input or state: {key}. The function {quoted(function)} has "
            f"{_count(len(parameters), 'input')} ({_names(parameters)})"
        )
    if all(parameters[position].implicit for position in named):
        raise TypeError(f"Tried to provide value for implicit input: {key}; f[{key!r}] = value sets it")
    if len(named) > 1:
        raise TypeError(f"Ambiguous name: {key} names {len(named)} inputs of {quoted(function)}; pass them by position")
    if given[named[0]] is not _MISSING:
        raise TypeError(f"Multiple values for input: {key} was given by position and by keyword")
    given[named[0]] = value


def _default(parameter: Parameter, function: str, parameters: Sequence[Parameter]) -> Any:
    if parameter.default is None or parameter.is_required:
        raise TypeError(
            f"Missing required input: {parameter} (the function {quoted(function)} takes "
            f"{_count(len(parameters), 'input')}: {_names(parameters)})"
        )
    default: Any = parameter.default
    if parameter.is_state or not isinstance(default, Variable):
        return default
    shared: Any = default
    return shared.root.value if parameter.is_opaque else shared.storage


def quoted(function: str) -> str:
    return f'"{function}"'


def _count(n: int, noun: str) -> str:
    return f"{n} {noun}" + ("s" if n != 1 else "")


def _names(parameters: Sequence[Parameter]) -> str:
    shown = [p for p in parameters if not p.implicit]
    return ", ".join(str(p) + ("" if p.default is None or p.is_required else "=...") for p in shown) or "none"


def bad_argument(function: str, position: int, parameter: Parameter, error: Exception) -> TypeError:
    """The error for argument `position`, with the line on which its variable was made."""
    origin = parameter.variable.origin
    made = f"\nBacktrace when that variable is created:\n\n  {origin}" if origin is not None else ""
    return TypeError(
        f"Bad input argument to tensordsl function with name {quoted(function)} at index {position} (0-based), "
        f"input {str(parameter)!r}: {error}{made}"
    )
