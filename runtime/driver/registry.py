"""
The registry of drivers: a device's name, and for GPUs the chosen package, becomes a `protocol.Driver`.

A row names the module and class that implement the protocol; the module is imported when the device is opened.
"""

from __future__ import annotations

from importlib import import_module

from tensordsl.runtime.driver.protocol import Driver

# package -> (module of this room, class); the classes of GPUs take the device's number
DRIVERS = {
    "simulator": ("simulated", "SimDriver"),
    "ctypes": ("cuda_ctypes", "CtypesDriver"),
    "pycuda": ("cuda_pycuda", "PycudaDriver"),
}


def device_name(name: str) -> str:
    """`gpu` and `cuda` are the first GPU: `cuda0`.  Raises ValueError, TypeError for no string."""
    if not isinstance(name, str):
        raise TypeError(f'a device must be a string such as "cpu" or "cuda0", got {name!r}')
    stem = name.rstrip("0123456789")
    if name in ("cpu", "sim"):
        return name
    if stem not in ("cuda", "gpu"):
        raise ValueError(f"unknown device {name!r}: there are cpu, cuda (or gpu), cuda0, cuda1, ..., sim")
    return f"cuda{int(name[len(stem) :] or 0)}"


def open_driver(name: str, package: str) -> Driver:
    """The driver of a device by its name (`device_name`); `package`: pycuda or ctypes, for GPUs."""
    module, kind = DRIVERS["simulator" if name == "sim" else package]
    arguments = () if name == "sim" else (int(name.removeprefix("cuda")),)
    driver: Driver = getattr(import_module(f"{__package__}.{module}"), kind)(*arguments)
    return driver
