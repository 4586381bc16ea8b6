"""Raw memory access, and the check that this Python and this NumPy have the layouts of `codegen.abi.layouts`.

Raises ImportError, with the reason, on free-threaded builds and where a layout differs.
"""

from __future__ import annotations

import ctypes
import importlib
import sys
from typing import Any

import numpy as np

from tensordsl.codegen.abi import layouts

api = ctypes.pythonapi
libc = ctypes.CDLL(None)


def peek(address: int, kind: Any = ctypes.c_int64) -> Any:
    """The value at an address."""
    return kind.from_address(address).value


def poke(address: int, value: int | None, kind: Any = ctypes.c_int64) -> None:
    """Write a value at an address."""
    kind.from_address(address).value = value


incref = ctypes.PYFUNCTYPE(None, ctypes.c_void_p)(("Py_IncRef", api))
decref = ctypes.PYFUNCTYPE(None, ctypes.c_void_p)(("Py_DecRef", api))


def address_of(buffer: bytearray) -> int:
    """The address of a bytearray's bytes, valid as long as its length does not change."""
    return ctypes.addressof(ctypes.c_char.from_buffer(buffer))


def bytes_address(data: bytes) -> int:
    """The address of the bytes, valid as long as the object lives."""
    return ctypes.cast(ctypes.c_char_p(data), ctypes.c_void_p).value or 0


def immortalise(obj: Any) -> None:
    """Never free an object: a thread may use it after the interpreter has ended."""
    incref(id(obj))


def function_address(library: Any, name: str) -> int:
    """The address of a C function.  Raises AttributeError."""
    return ctypes.cast(getattr(library, name), ctypes.c_void_p).value or 0


def multiarray() -> Any:
    """NumPy's extension module."""
    return importlib.import_module("numpy._core._multiarray_umath")


def numpy_api() -> Any:
    """NumPy's table of C functions, as an array of addresses."""
    get = ctypes.PYFUNCTYPE(ctypes.c_void_p, ctypes.py_object, ctypes.c_char_p)(("PyCapsule_GetPointer", api))
    return ctypes.cast(get(multiarray()._ARRAY_API, None), ctypes.POINTER(ctypes.c_void_p))


def check() -> None:
    """Compare the layouts with objects whose fields are known."""
    if sys.implementation.name != "cpython":
        raise ImportError("tensordsl needs CPython")
    enabled = getattr(sys, "_is_gil_enabled", lambda: True)
    if not enabled() or b"free-threading" in sys.version.encode():
        raise ImportError("tensordsl does not support free-threaded builds of Python: use a build with the GIL")
    if np.dtype(np.intp).itemsize != 8 or sys.byteorder != "little":
        raise ImportError("tensordsl needs a 64-bit little-endian machine")
    if not (_object_fits() and _array_fits() and _scalars_fit() and _table_fits()):
        raise ImportError(f"NumPy {np.__version__} has a layout that this version of tensordsl does not know")


def _object_fits() -> bool:
    marker = [1, "two", 3.5]
    count = peek(id(marker) + layouts.OB_REFCNT, ctypes.c_int32)
    other = marker
    more = peek(id(marker) + layouts.OB_REFCNT, ctypes.c_int32)
    items = peek(id(marker) + layouts.LIST_ITEMS)
    return (
        bool(more == count + 1) and peek(id(other) + layouts.OB_TYPE) == id(list) and peek(items + 8) == id(marker[1])
    )


def _array_fits() -> bool:
    import weakref

    handler = ctypes.PYFUNCTYPE(ctypes.py_object)(numpy_api()[305])  # PyDataMem_GetHandler
    whole, base = np.zeros(2), np.arange(12.0).reshape(3, 4)
    array = base[:, ::2]
    at = id(array)
    flags = peek(at + layouts.ND_FLAGS, ctypes.c_int32)
    fits = (
        peek(at + layouts.ND_DATA) == array.ctypes.data
        and peek(at + layouts.ND_NDIM, ctypes.c_int32) == 2
        and (peek(peek(at + layouts.ND_DIMS)), peek(peek(at + layouts.ND_DIMS) + 8)) == (3, 2)
        and (peek(peek(at + layouts.ND_STRIDES)), peek(peek(at + layouts.ND_STRIDES) + 8)) == (32, 16)
        and peek(at + layouts.ND_BASE) != 0
        and peek(at + layouts.ND_DESCR) == id(array.dtype) == id(np.dtype("float64"))
        and flags & (layouts.ALIGNED | layouts.WRITEABLE | layouts.OWNDATA | layouts.C_CONTIGUOUS)
        == layouts.ALIGNED | layouts.WRITEABLE
        and peek(id(whole) + layouts.ND_FLAGS, ctypes.c_int32) & 0x505 == 0x505
        and peek(at + layouts.ND_WEAK) == 0
        and (peek(at + layouts.ND_HANDLER), peek(id(whole) + layouts.ND_HANDLER)) == (0, id(handler()))
    )
    reference = weakref.ref(array)
    return bool(fits and peek(at + layouts.ND_WEAK) == id(reference))


def _scalars_fit() -> bool:
    number, scalar, small = 1.5, np.float64(2.5), np.int16(-7)
    return bool(
        peek(id(number) + layouts.SCALAR_VALUE, ctypes.c_double) == 1.5
        and peek(id(scalar) + layouts.SCALAR_VALUE, ctypes.c_double) == 2.5
        and peek(id(small) + layouts.SCALAR_VALUE, ctypes.c_int16) == -7
        and peek(id(np.bool_(True)) + layouts.SCALAR_VALUE, ctypes.c_int8) == 1
    )


def _table_fits() -> bool:
    return bool(numpy_api()[2] == id(np.ndarray))


check()
