"""Arrays on a device: a handle that other libraries read without a copy, and NumPy through one.

`DeviceArray`, and its makers: `to_device`, `from_dlpack`, `from_cuda_array`.
"""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np

from tensordsl.runtime.device import dlpack
from tensordsl.runtime.device.device import Device, get_device
from tensordsl.runtime.device.dlpack import Strides
from tensordsl.runtime.device.pool import Block


def contiguous_strides(shape: tuple[int, ...], itemsize: int) -> Strides:
    """C-order byte strides.

    >>> contiguous_strides((2, 3, 4), 8)
    (96, 32, 8)
    """
    strides, step = [], itemsize
    for n in reversed(shape):
        strides.append(step)
        step *= max(n, 1)
    return tuple(reversed(strides))


class DeviceArray:
    """An array in a device's memory.

    It has `shape`, `dtype`, `ndim`, `size`, `nbytes`, `strides` (bytes) and `device`; `np.asarray(x)` and `x.get()`
    copy it to the host.  CUDA's array interface and DLPack hand it to cupy, torch, jax and numba without a copy (on the
    simulator, whose memory is the host's, DLPack hands it to NumPy).  Functions take it as an argument where it is on
    their device and has the input's dtype.  `owner` is what keeps the memory alive; `place` is all that a recorded call
    depends on.
    """

    __slots__ = ("device", "address", "shape", "dtype", "strides", "owner", "place", "__weakref__")

    def __init__(
        self,
        device: Device,
        address: int,
        shape: tuple[int, ...],
        dtype: Any,
        owner: Any,
        strides: Strides | None = None,
    ) -> None:
        self.device, self.address, self.shape, self.dtype = device, address, tuple(shape), np.dtype(dtype)
        self.owner = owner
        self.strides = contiguous_strides(self.shape, self.dtype.itemsize) if strides is None else tuple(strides)
        self.place = self.device, self.dtype, self.address, self.shape, self.strides

    @property
    def ndim(self) -> int:
        return len(self.shape)

    @property
    def size(self) -> int:
        return prod(self.shape)

    @property
    def nbytes(self) -> int:
        return self.size * int(self.dtype.itemsize)

    @property
    def is_contiguous(self) -> bool:
        """Whether it is in C order without gaps."""
        wanted = contiguous_strides(self.shape, self.dtype.itemsize)
        return self.size == 0 or all(n == 1 or s == w for n, s, w in zip(self.shape, self.strides, wanted, strict=True))

    def span(self) -> tuple[int, int]:
        """(first, behind the last) address of its elements."""
        if self.size == 0:
            return self.address, self.address
        reach = [(n - 1) * s for n, s in zip(self.shape, self.strides, strict=True)]
        first = self.address + sum(r for r in reach if r < 0)
        return first, self.address + sum(r for r in reach if r > 0) + self.dtype.itemsize

    def get(self) -> np.ndarray:
        """A copy on the host."""
        with self.device.lock:
            if self.is_contiguous:
                return self.device.download(self.address, self.shape, self.dtype)
            first, end = self.span()
            room = self.device.download(first, (end - first,), np.uint8)
        view = np.ndarray(self.shape, self.dtype, room.data, self.address - first, self.strides)
        return view.copy()

    numpy = get

    def copy(self) -> DeviceArray:
        """A C-contiguous copy on the device."""
        if not self.is_contiguous:
            return to_device(self.get(), self.device)
        with self.device.lock:
            block = self.device.pool.take(self.nbytes)
            if self.nbytes:
                self.device.driver.copy(block.address, self.address, self.nbytes)
        return DeviceArray(self.device, block.address, self.shape, self.dtype, block)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        if copy is False:
            raise ValueError("an array on a device cannot be seen by NumPy without a copy")
        array = self.get()
        return array if dtype is None else array.astype(dtype, copy=False)

    def __len__(self) -> int:
        if not self.shape:
            raise TypeError("len() of a 0-d array")
        return self.shape[0]

    def __repr__(self) -> str:
        return f"DeviceArray(shape={self.shape}, dtype={self.dtype}, device={self.device.name})"

    # -- for other libraries
    @property
    def __cuda_array_interface__(self) -> dict[str, Any]:
        if self.device.driver.language != "ptx":
            raise AttributeError("the simulator's memory is the host's: use DLPack or np.asarray")
        strides = None if self.is_contiguous else self.strides
        return {
            "version": 3, "shape": self.shape, "typestr": self.dtype.str,
            "data": (self.address if self.size else 0, False),
            "strides": strides, "stream": self.device.driver.stream or None,
        }  # fmt: skip

    def __dlpack_device__(self) -> tuple[int, int]:
        return dlpack.device_of(self.device)

    def __dlpack__(self, *, stream: Any = None, **options: Any) -> Any:
        """A capsule of the array; all work on it is done.  Raises BufferError if another device is wanted."""
        wanted = options.get("dl_device")
        if wanted is not None and tuple(wanted) != self.__dlpack_device__():
            raise BufferError(f"{self!r} cannot be handed out on the device {wanted}")
        with self.device.lock:
            self.device.synchronize()
        return dlpack.export(self.copy() if options.get("copy") else self)


def to_device(value: Any, device: Device | str) -> DeviceArray:
    """A copy of an array on a device.

    >>> x = to_device(np.arange(3.0), "sim")
    >>> x
    DeviceArray(shape=(3,), dtype=float64, device=sim)
    >>> x.get()
    array([0., 1., 2.])
    """
    device = get_device(device) if isinstance(device, str) else device
    array = np.asarray(value)
    with device.lock:
        block: Block = device.block_of(array)
        device.synchronize()
    return DeviceArray(device, block.address, array.shape, array.dtype, block)


def from_dlpack(value: Any, device: Device | str) -> DeviceArray:
    """The array of another library, without a copy: on a GPU one of CUDA memory, on the simulator one of the host's.

    value: an object with `__dlpack__`; it must not be written to while a call uses the result.  Raises BufferError for
    memory of another device, TypeError for a dtype that there is not.
    """
    device = get_device(device) if isinstance(device, str) else device
    array = DeviceArray(device, *dlpack.imported(value, device))
    if dlpack.device_of(device)[0] == dlpack.CPU:
        device.driver.lend(*array.span(), array.owner)  # type: ignore[attr-defined]  # the simulator's
    return array


def from_cuda_array(value: Any, device: Device) -> DeviceArray:
    """The array behind CUDA's array interface, without a copy; the work in its stream is waited for."""
    interface = value.__cuda_array_interface__
    if interface.get("mask") is not None:
        raise TypeError("masked device arrays are not supported")
    if interface.get("stream") is not None:
        with device.lock:
            device.driver.wait_for(interface["stream"])
    return DeviceArray(
        device, interface["data"][0], tuple(interface["shape"]), interface["typestr"], value, interface.get("strides")
    )
