"""Arguments of a call: bound to inputs by position, keyword or default, and converted to exact arrays.

Compiled functions take C- or any-strided, aligned ndarrays of exactly the input's dtype.  What a caller passes is
converted where nothing is lost, else refused with a message that names function, input, what it got and wanted.
The caller's objects are never changed.
"""

from __future__ import annotations

import builtins
import sys
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from tensordsl.config import config
from tensordsl.graph import Variable
from tensordsl.records import record
from tensordsl.types import COMPLEX, FLOATS, TensorType

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


# -- conversion ------------------------------------------------------------------------------------------------------
def convert(value: Any, type: TensorType, strict: bool = False, allow_downcast: bool | None = None) -> Array:
    """`value` as an aligned ndarray of exactly `type`; itself where it is one, else a view or a copy.

    Arrays are converted where NumPy's promotion of both dtypes is the input's (int32 -> float64, not float64 ->
    float32); lists and numbers where their values survive; Python floats to a scalar of `config.floatX` unless
    `allow_downcast=False`.  Raises TypeError.
    """
    array = _as_dtype(value, type, strict, allow_downcast)
    if array.ndim != type.ndim:
        hint = _rank_hint(array, type)
        raise TypeError(
            f"Wrong number of dimensions: expected {type.ndim}, got {array.ndim} with shape {array.shape}.{hint}"
        )
    for axis, (expected, got) in enumerate(zip(type.shape, array.shape, strict=True)):
        if expected is not None and expected != got:
            what = "Non-unit value on shape on a broadcastable dimension" if expected == 1 else "Wrong length"
            raise TypeError(f"{what}: axis {axis} of {type} has length {expected}, got shape {array.shape}")
    return array if array.flags.aligned else array.copy(order="K")


def _as_dtype(value: Any, type: TensorType, strict: bool, allow_downcast: bool | None) -> Array:
    if isinstance(value, Variable):
        raise TypeError(
            f"Expected an array-like object, but found a Variable ({value!r}): maybe you are calling a function on a "
            "(possibly shared) variable instead of a numeric array?"
        )
    if isinstance(value, np.ndarray) and value.dtype == type.numpy_dtype:
        array = _plain(value)
        # Equal dtypes may be several objects (longlong, a byte order of one byte); the native check knows one.
        return array if array.dtype is type.numpy_dtype else array.view(type.numpy_dtype)
    if strict:
        got = f"an array of dtype {value.dtype}" if isinstance(value, np.ndarray) else f"{_type_name(value)}"
        raise TypeError(f"{type} expected a ndarray of dtype {type.dtype} (strict), got {got}")
    if isinstance(value, np.ndarray):
        return _from_array(_plain(value), type, bool(allow_downcast))
    if builtins.type(value) is float and type.dtype in FLOATS:
        with np.errstate(over="ignore"):
            rounded = np.asarray(value, dtype=type.dtype)
        may_round = allow_downcast is None and type.dtype == config.floatX
        if may_round or float(rounded) == value or value != value:
            return rounded
    return _from_object(value, type, bool(allow_downcast))


def _plain(array: Array) -> Array:
    """An array of a subclass as an ndarray over the same memory."""
    if is_masked(array):
        raise TypeError("masked arrays are not supported; use value.filled(...)")
    return np.asarray(array)


def _from_array(array: Array, type: TensorType, allow_downcast: bool) -> Array:
    target = type.numpy_dtype
    if array.dtype.kind not in ("biufc" if type.dtype in COMPLEX else "biuf"):
        # Objects, strings, complex numbers for real ones, dates: not even a downcast makes them what was asked for.
        raise TypeError(
            f"{type} cannot store an array of dtype {array.dtype}; convert it first: value.astype({type.dtype!r})"
        )
    if allow_downcast or np.promote_types(array.dtype, target) == target:
        with np.errstate(all="ignore"):
            return array.astype(target)
    raise TypeError(
        f"{type} cannot store a value of dtype {array.dtype} without risking loss of precision. If you do not mind "
        f'this loss, you can: 1) explicitly cast your data to {type.dtype}, or 2) set "allow_input_downcast=True" '
        f'when calling "function". Value: {_short(array)}'
    )


def _from_object(value: Any, type: TensorType, allow_downcast: bool) -> Array:
    """A number, a NumPy scalar or a (nested) sequence: converted if its values survive."""
    try:
        plain = np.asarray(value)
    except (ValueError, TypeError, OverflowError) as error:
        raise TypeError(f"{type} expects an array, got {_type_name(value)} that is none ({error})") from None
    if plain.size == 0 and not isinstance(value, np.generic):
        return np.zeros(plain.shape, dtype=type.dtype)
    if plain.dtype.kind not in ("biufc" if type.dtype in COMPLEX else "biuf"):
        raise TypeError(f"{type} expects numbers, got {_type_name(value)}: {_short(value)}{_object_hint(value, plain)}")
    with np.errstate(all="ignore"):
        converted = plain.astype(type.numpy_dtype)
    if allow_downcast or _survives(plain, converted):
        return converted
    raise TypeError(
        f"{type} cannot store accurately value {_short(value)}, it would be represented as {_short(converted)}. If you "
        f"do not mind this precision loss, you can: 1) explicitly convert your data to a numpy array of dtype "
        f'{type.dtype}, or 2) set "allow_input_downcast=True" when calling "function".'
    )


def _survives(plain: Array, converted: Array) -> bool:
    """Whether converting back gives the same values (NaN as NaN)."""
    if converted.dtype.kind == "c":
        return bool(np.array_equal(plain, converted, equal_nan=plain.dtype.kind in "fc"))
    if plain.dtype.kind in "iu" and converted.dtype.kind in "iuf":
        # Converting back would hide that int64 -> uint64 or float64 wrapped: compare as Python's integers.
        limits = np.iinfo(converted.dtype) if converted.dtype.kind in "iu" else None
        if limits is not None:
            return int(plain.min()) >= limits.min and int(plain.max()) <= limits.max
        return [int(v) for v in converted.ravel().tolist()] == plain.ravel().tolist()
    with np.errstate(all="ignore"):
        back = converted.astype(plain.dtype)
    return bool(np.array_equal(plain, back, equal_nan=plain.dtype.kind == "f"))


def _rank_hint(array: Array, type: TensorType) -> str:
    if array.ndim == 0 and type.ndim == 1:
        return " Pass a vector: np.array([value])."
    if array.ndim == 1 and type.ndim == 2:
        return " A vector is not a matrix: value[None, :] makes it a row, value[:, None] a column."
    if type.ndim == array.ndim - 1 and 1 in array.shape:
        return " Remove the axis of length 1: value.squeeze() or value.ravel()."
    return ""


def _object_hint(value: Any, plain: Array) -> str:
    if value is None:
        return " (an argument was left empty)"
    if plain.dtype.kind == "O":
        return " (rows of different lengths, or objects that are no numbers)"
    return ""


def _type_name(value: Any) -> str:
    name = type(value).__name__
    return ("an " if name[0] in "aeiouAEIOU" else "a ") + name


def _short(value: Any) -> str:
    text = repr(value).replace("\n", "")
    return text if len(text) <= 80 else text[:75] + "(...)"


def is_masked(value: Any) -> bool:
    """Whether it is a masked array, without the import of numpy.ma: where nothing has imported it there is none."""
    module = sys.modules.get("numpy.ma")
    return module is not None and isinstance(value, module.MaskedArray)
