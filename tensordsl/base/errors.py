"""The exceptions that are tensordsl's own; all others are Python's (TypeError, ValueError, IndexError, ...)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from tensordsl.base.config import config


def flag(value: Any, what: str) -> bool:
    """The truth of what must be True, False or None."""
    if value is not None and not hasattr(value, "__bool__") or hasattr(value, "shape") and value.shape != ():
        raise TypeError(f"{what}: a flag must be True, False or None, got {value!r}")
    return bool(value)


def flags(values: Iterable[Any], what: str) -> tuple[bool, ...]:
    """The truths of some flags."""
    return tuple([flag(value, what) for value in values])


def pairs_of(given: Any, what: str) -> list[tuple[Any, Any]]:
    """The items of a dictionary, or of any iterable of pairs; None has none."""
    if given is None:
        return []
    is_many = isinstance(given, Iterable) and not hasattr(given, "ndim")
    items: list[Any] = list(given.items() if isinstance(given, Mapping) else given) if is_many else [given]
    if not all(isinstance(item, list | tuple) and len(item) == 2 for item in items):
        raise TypeError(f"{what}: wants a dictionary, or pairs of a variable and a value, got {given!r}")
    return [(key, value) for key, value in items]


def in_short(error: Exception) -> Exception:
    """`error` without the frames of this library that it has come through, so that what is printed is the user's lines
    and the message.  exception_verbosity=high keeps them, and so does a function of the user's among them."""
    trace = error.__traceback__
    if config.exception_verbosity == "high":
        return error
    while trace is not None:
        if trace.tb_frame.f_globals.get("__name__", "").partition(".")[0] not in ("tensordsl", "numpy"):
            return error
        trace = trace.tb_next
    return error.with_traceback(None)


class RangeError(ValueError, OverflowError):
    """A number does not fit the dtype that it must have."""


class RankError(ValueError, AssertionError):
    """A function of gradients got a variable of another rank than it is defined for (in Theano an AssertionError)."""


class LengthError(ValueError, AssertionError):
    """A tensor has other lengths than `specify_shape` was told (in Theano an AssertionError)."""


class ResultTypeError(TypeError):
    """A Python function that a program calls has given a result of another dtype than was promised."""


class ResultShapeError(ValueError):
    """A Python function that a program calls has given a result of another shape than was promised."""


class MethodNotDefined(NotImplementedError, AttributeError):
    """An operation lacks a method (Theano's name)."""


class MissingInputError(Exception):
    """A function's outputs or updates need a variable that is neither an input nor shared."""


class UnusedInputError(Exception):
    """A function was given an input that its outputs and updates do not need, or one input twice."""


class DebugModeError(Exception):
    """A function compiled with mode="DebugMode" found something wrong."""


class InvalidValueError(DebugModeError):
    """DebugMode: an intermediate value is NaN or infinite, or has the wrong type."""


class BadOptimization(DebugModeError):
    """DebugMode: the compiled function and the reference evaluator disagree."""


# -- devices ---------------------------------------------------------------------------------------------------------
class DeviceError(RuntimeError):
    """Something is wrong with a device (`config.device`): each subclass is one thing, and says what to do about it."""

    advice = ""

    def __str__(self) -> str:
        return " ".join(part for part in (super().__str__(), self.advice) if part)


class MissingDriverPackageError(DeviceError):
    """The Python package of the driver is not installed, or cannot be loaded."""

    advice = (
        "Install it with `pip install 'tensordsl[gpu]'` (it needs a CUDA toolkit to build), or use the driver library "
        "itself: TENSORDSL_FLAGS=cuda_driver=ctypes; or run on the CPU: device=cpu."
    )


class MissingDriverLibraryError(DeviceError):
    """NVIDIA's driver library is not on this machine."""

    advice = "Install NVIDIA's driver (in a container: start it with the GPU), or run on the CPU: device=cpu."


class NoDeviceError(DeviceError):
    """There is no such device."""

    advice = "See what `nvidia-smi` and CUDA_VISIBLE_DEVICES say, choose another (cuda0, cuda1, ...), or device=cpu."


class DriverVersionError(DeviceError):
    """The driver is too old for the PTX version, or the device for the compiler."""

    advice = "Install a newer driver, or run on the CPU: device=cpu."


class DeviceMemoryError(DeviceError, MemoryError):
    """The device's memory does not suffice, even with all that the pool kept given back."""

    advice = "Use smaller batches or float32, delete device arrays and functions that are not needed, or device=cpu."


class LaunchError(DeviceError):
    """A kernel or copy could not be started, or failed on the device."""

    advice = "State is as before the call. If it happens again, run on device=sim, which checks every access."


class DeviceLostError(DeviceError):
    """The device does not answer any more: its memory is lost, and this process cannot use it again."""

    advice = "Start a new process; values that were not taken off the device are lost (see `nvidia-smi` and the log)."


class NotScalarConstantError(ValueError):
    """The value of a scalar was asked for that is not certain before a call."""


class EmptyConstantError(NotScalarConstantError):
    """The value of a scalar was asked for of a constant that has no elements."""
