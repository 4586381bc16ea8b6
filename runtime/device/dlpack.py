"""DLPack exchange of device arrays, in both directions, by ctypes.

`export` makes a capsule of an array; `imported` takes somebody else's.  Ref: dmlc.github.io/dlpack, version 0.
"""

from __future__ import annotations

import ctypes
import sys
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from tensordsl.runtime.device.device import Device

Strides = tuple[int, ...]
CPU, CUDA, CUDA_HOST, CUDA_MANAGED = 1, 2, 3, 13  # DLDeviceType
CODES = {"i": 0, "u": 1, "f": 2, "b": 6}  # kind of a dtype -> DLDataTypeCode
NAME, USED = b"dltensor", b"used_dltensor"


class _Tensor(ctypes.Structure):
    _fields_ = [
        ("data", ctypes.c_void_p), ("device_type", ctypes.c_int32), ("device_id", ctypes.c_int32),
        ("ndim", ctypes.c_int32), ("code", ctypes.c_uint8), ("bits", ctypes.c_uint8), ("lanes", ctypes.c_uint16),
        ("shape", ctypes.POINTER(ctypes.c_int64)), ("strides", ctypes.POINTER(ctypes.c_int64)),
        ("byte_offset", ctypes.c_uint64),
    ]  # fmt: skip


class _Managed(ctypes.Structure):
    pass


_Deleter = ctypes.CFUNCTYPE(None, ctypes.POINTER(_Managed))
_Managed._fields_ = [("tensor", _Tensor), ("context", ctypes.c_void_p), ("deleter", _Deleter)]

_api = ctypes.pythonapi
_Destructor = ctypes.PYFUNCTYPE(None, ctypes.c_void_p)
_new = ctypes.PYFUNCTYPE(ctypes.py_object, ctypes.c_void_p, ctypes.c_char_p, _Destructor)(("PyCapsule_New", _api))
_is_valid = ctypes.PYFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_char_p)(("PyCapsule_IsValid", _api))
_get = ctypes.PYFUNCTYPE(ctypes.c_void_p, ctypes.c_void_p, ctypes.c_char_p)(("PyCapsule_GetPointer", _api))
_rename = ctypes.PYFUNCTYPE(ctypes.c_int, ctypes.py_object, ctypes.c_char_p)(("PyCapsule_SetName", _api))

_exported: dict[int, tuple[Any, ...]] = {}  # address of a tensor that somebody holds -> what keeps it alive


def _delete_tensor(managed: Any) -> None:
    _exported.pop(ctypes.addressof(managed.contents), None)


def _destroy_capsule(capsule: int) -> None:
    """A capsule that nobody took."""
    if _is_valid(capsule, NAME):
        _exported.pop(_get(capsule, NAME), None)


_delete, _destroy = _Deleter(_delete_tensor), _Destructor(_destroy_capsule)


def device_of(device: Device) -> tuple[int, int]:
    """DLPack's (type, number) of a device: the simulator's memory is the host's."""
    return (CPU, 0) if device.driver.language != "ptx" else (CUDA, int(device.name.removeprefix("cuda")))


def export(array: Any) -> Any:
    """A capsule of a `DeviceArray`, which stays alive as long as anybody holds it."""
    rank, item = array.ndim, array.dtype.itemsize
    shape = (ctypes.c_int64 * max(rank, 1))(*array.shape)
    strides = (ctypes.c_int64 * max(rank, 1))(*(s // item for s in array.strides))
    managed = _Managed()
    kind, number = device_of(array.device)
    managed.tensor = _Tensor(
        array.address, kind, number, rank, CODES[array.dtype.kind], 8 * item, 1,
        ctypes.cast(shape, ctypes.POINTER(ctypes.c_int64)), ctypes.cast(strides, ctypes.POINTER(ctypes.c_int64)), 0,
    )  # fmt: skip
    managed.deleter = _delete
    address = ctypes.addressof(managed)
    _exported[address] = managed, shape, strides, array
    return _new(address, NAME, _destroy)


class _Imported:
    """Somebody else's tensor: its deleter is called when we are done with it."""

    def __init__(self, address: int, source: Any) -> None:
        self.managed, self.source = _Managed.from_address(address), source

    def __del__(self) -> None:
        if not sys.is_finalizing() and self.managed.deleter:
            self.managed.deleter(ctypes.pointer(self.managed))


def imported(value: Any, device: Device) -> tuple[int, Strides, np.dtype[Any], _Imported, Strides | None]:
    """(address, shape, dtype, owner, byte strides) of somebody else's tensor; see `device.array.from_dlpack`."""
    wanted = device_of(device)
    kind, number = (int(x) for x in value.__dlpack_device__())
    if (kind, number) != wanted and not (wanted[0] == CUDA and kind == CUDA_MANAGED):
        raise BufferError(f"the array is on DLPack's device {(kind, number)}, not on {device.name} {wanted}")
    options = {"stream": device.driver.stream or 1} if kind == CUDA else {}
    capsule = value.__dlpack__(**options)
    if not _is_valid(id(capsule), NAME):
        raise BufferError("the capsule is of a version of DLPack that is not known here")
    address = _get(id(capsule), NAME)
    owner = _Imported(address, value)
    _rename(capsule, USED)
    tensor = owner.managed.tensor
    code = {v: k for k, v in CODES.items()}.get(tensor.code)
    if code is None or tensor.lanes != 1 or (code == "f" and tensor.bits not in (16, 32, 64)):
        raise TypeError(f"DLPack's type {tensor.code} of {tensor.bits} bits has no dtype here")
    dtype = np.dtype(f"{code}{tensor.bits // 8}")
    shape = tuple(tensor.shape[d] for d in range(tensor.ndim))
    strides = None
    if tensor.strides:
        strides = tuple(tensor.strides[d] * dtype.itemsize for d in range(tensor.ndim))
    return (tensor.data or 0) + tensor.byte_offset, shape, dtype, owner, strides
