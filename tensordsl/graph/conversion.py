"""A user's value as an array of a type: converted where nothing is lost, else refused with what it got and wanted.

The caller's objects are never changed; an array that is of the type already is given back itself.
"""

from __future__ import annotations

import builtins
import sys
from typing import Any

import numpy as np

from tensordsl.base.config import config
from tensordsl.graph.types import COMPLEX, FLOATS, TensorType
from tensordsl.graph.variables import Variable

Array = np.ndarray[Any, Any]


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
    if type.dtype == "uint64" and type.ndim == 1 and is_random_state(value):
        return state_of(value)
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


def is_random_state(value: Any) -> bool:
    """Whether it is a `numpy.random.RandomState`, without the import of numpy.random."""
    module = sys.modules.get("numpy.random")
    return module is not None and isinstance(value, module.RandomState)


def state_of(generator: Any) -> Array:
    """The state of a draw, a key and the number 0, that stands for a NumPy RandomState as it is now, which stays so:
    equal ones give equal keys.

    >>> from numpy.random import RandomState
    >>> bool((state_of(RandomState(3)) == state_of(RandomState(3))).all())
    True
    """
    from hashlib import blake2b  # late: few programs have such generators

    name, words, place, has_gauss, gauss = generator.get_state(legacy=True)
    text = f"{name} {place} {has_gauss} {float(gauss)!r}".encode()
    digest = blake2b(np.asarray(words, "<u4").tobytes() + text, digest_size=8).digest()
    return np.array([int.from_bytes(digest, "little"), 0], dtype="uint64")
