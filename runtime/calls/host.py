"""Host calls: a program hands the addresses of its operands to a Python callable, which works on fresh arrays.

`host_entry` makes the one Python function that native code calls with a call record (`abi.layouts`: CALL_*).
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from tensordsl.codegen.abi import layouts
from tensordsl.runtime.loading.layout import peek


def host_entry(hosts: Sequence[Callable[..., Any]]) -> Callable[[int], None]:
    """What native code calls with the address of a call record: `hosts[n](*arrays)` gives a sequence of arrays.

    The callable gets fresh arrays.  Its results must have exactly the dtypes and shapes that the program expects;
    TypeError or ValueError if not.
    """
    callables = tuple(hosts)  # one with `explain(error, site, rounds, arrays)` says what is raised for an error of it

    def entry(record: int) -> None:
        host = callables[peek(record + layouts.CALL_HOST)]
        inputs = _operands(record, layouts.CALL_N_IN, layouts.CALL_IN)
        arrays = [_copy(*operand) for operand in inputs]
        try:
            results = host(*arrays)
        except Exception as error:
            explain = getattr(host, "explain", None)
            if explain is None:
                raise
            site, rounds = peek(record + layouts.CALL_SITE), rounds_at(peek(record + layouts.CALL_FRAME))
            raise explain(error, site, rounds, arrays) from None
        outputs = _operands(record, layouts.CALL_N_OUT, layouts.CALL_OUT)
        name = getattr(host, "__name__", "host call")
        if not isinstance(results, (list, tuple)) or len(results) != len(outputs):
            raise TypeError(f"{name}: expected a sequence of {len(outputs)} arrays, got {type(results).__name__}")
        checked = [
            _check(name, i, value, dtype, shape)
            for i, (value, (_, dtype, shape)) in enumerate(zip(results, outputs, strict=True))
        ]
        for array, (address, _, _) in zip(checked, outputs, strict=True):
            ctypes.memmove(address, array.ctypes.data, array.nbytes)

    return entry


def rounds_at(frame: int) -> tuple[int, ...]:
    """The rounds that a failed call noted."""
    return tuple(peek(frame + layouts.FR_ROUNDS + 8 * k) for k in range(peek(frame + layouts.FR_DEPTH)))


def _operands(record: int, count: int, first: int) -> list[tuple[int, np.dtype, tuple[int, ...]]]:
    """(address, dtype, shape) of each."""
    found = []
    for i in range(peek(record + count)):
        at = peek(record + first) + i * layouts.HOST_SIZE
        dims = peek(at + layouts.HOST_DIMS)
        shape = tuple(peek(dims + 8 * j) for j in range(peek(at + layouts.HOST_NDIM)))
        found.append((peek(at + layouts.HOST_DATA), np.dtype(layouts.DTYPES[peek(at + layouts.HOST_DTYPE)]), shape))
    return found


def _copy(address: int, dtype: np.dtype, shape: tuple[int, ...]) -> np.ndarray:
    array = np.empty(shape, dtype)
    ctypes.memmove(array.ctypes.data, address, array.nbytes)
    return array


def _check(name: str, i: int, value: Any, dtype: np.dtype, shape: tuple[int, ...]) -> np.ndarray:
    array = np.asarray(value)
    if array.dtype != dtype:
        raise TypeError(f"{name}: result {i} has dtype {array.dtype}, expected {dtype}")
    if array.shape != shape:
        raise ValueError(f"{name}: result {i} has shape {array.shape}, expected {shape}")
    return np.ascontiguousarray(array, dtype).reshape(shape)
