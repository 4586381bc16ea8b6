"""Heap types whose slots are functions of the native library, made once per process.

Ref: CPython's `PyType_FromSpec` and typeslots.h.
"""

from __future__ import annotations

import ctypes
from collections.abc import Mapping

from tensordsl.runtime.loading.layout import api, immortalise

# slots: CPython's typeslots.h
BF_GETBUFFER, TP_CALL, TP_CLEAR, TP_DEALLOC, TP_TRAVERSE, TP_MEMBERS = 1, 50, 51, 52, 71, 72
# flags of types: Py_TPFLAGS_*
HAVE_GC, HAVE_VECTORCALL, DISALLOW_INSTANTIATION = 1 << 14, 1 << 11, 1 << 7
_DEFAULT_FLAGS = 1 << 18  # Py_TPFLAGS_DEFAULT
_T_PYSSIZET, _READONLY = 19, 1  # of PyMemberDef


class _Spec(ctypes.Structure):
    _fields_ = [
        ("name", ctypes.c_char_p),
        ("basicsize", ctypes.c_int),
        ("itemsize", ctypes.c_int),
        ("flags", ctypes.c_uint),
        ("slots", ctypes.c_void_p),
    ]


class _Slot(ctypes.Structure):
    _fields_ = [("slot", ctypes.c_int), ("function", ctypes.c_void_p)]


class _Member(ctypes.Structure):
    _fields_ = [
        ("name", ctypes.c_char_p),
        ("type", ctypes.c_int),
        ("offset", ctypes.c_ssize_t),
        ("flags", ctypes.c_int),
        ("doc", ctypes.c_char_p),
    ]


def make_type(name: str, size: int, flags: int, slots: Mapping[int, int], offsets: Mapping[str, int]) -> type:
    """A type that Python code cannot make instances of: `size` of an instance, addresses by slot, and the offsets that
    CPython reads by name (`__dictoffset__`)."""
    table = (_Slot * (len(slots) + 2))(*(_Slot(*slot) for slot in slots.items()))
    members = (_Member * (len(offsets) + 1))(
        *(_Member(key.encode(), _T_PYSSIZET, offset, _READONLY, None) for key, offset in offsets.items())
    )
    if offsets:
        table[len(slots)] = _Slot(TP_MEMBERS, ctypes.addressof(members))
    flags |= _DEFAULT_FLAGS | DISALLOW_INSTANTIATION
    spec = _Spec(name.encode(), size, 0, flags, ctypes.addressof(table))
    make = ctypes.PYFUNCTYPE(ctypes.py_object, ctypes.c_void_p)(("PyType_FromSpec", api))
    made = make(ctypes.addressof(spec))
    immortalise((members, table, spec))
    assert isinstance(made, type)
    return made
