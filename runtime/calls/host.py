"""Host calls: a program hands its operands to a Python callable, as arrays of the callable's own.

Native code makes these arrays, calls, and copies results that are as expected (`codegen.library.python.host_calls`).
`host_entry` makes the one Python function to which it leaves everything else, with a call record (`abi.layouts`:
CALL_*): results to convert or to refuse, and exceptions.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from tensordsl.base.errors import ResultShapeError, ResultTypeError
from tensordsl.codegen.abi import layouts
from tensordsl.runtime.loading.layout import peek


def host_entry(hosts: Sequence[Callable[..., Any]]) -> Callable[..., None]:
    """What native code calls with the address of a call record, what the callable gave or raised, and its arguments.

    Of a host these attributes are used, if it has them: `direct`, which native code calls instead of it; `settle`,
    which makes a sequence of arrays of what that gave; `explain(error, site, rounds, arrays)`, the error to raise for
    one of it.  Results must have exactly the dtypes and shapes that the program expects, else TypeError or ValueError.
    """
    steps = tuple(hosts)

    def entry(record: int, outcome: Any, *arrays: Any) -> None:
        host = steps[peek(record + layouts.CALL_HOST)]
        try:
            if peek(record + layouts.CALL_FAILED):
                raise outcome
            settle = getattr(host, "settle", None)
            _write(record, getattr(host, "__name__", "host call"), settle(outcome) if settle else outcome)
        except Exception as error:
            explain = getattr(host, "explain", None)
            if explain is None:
                raise
            site, rounds = peek(record + layouts.CALL_SITE), rounds_at(peek(record + layouts.CALL_FRAME))
            explained = explain(error, site, rounds, arrays)
            if explained is error:
                raise
            raise explained from None

    return entry


def _write(record: int, name: str, results: Any) -> None:
    """Copy the results to the program's storage.  Raises TypeError, ValueError."""
    outputs = _operands(record, layouts.CALL_N_OUT, layouts.CALL_OUT)
    if not isinstance(results, (list, tuple)) or len(results) != len(outputs):
        raise ResultTypeError(f"{name}: expected a sequence of {len(outputs)} arrays, got {type(results).__name__}")
    checked = [
        _check(name, i, value, dtype, shape) if address else None
        for i, (value, (address, dtype, shape)) in enumerate(zip(results, outputs, strict=True))
    ]
    for array, (address, _, _) in zip(checked, outputs, strict=True):
        if array is not None:
            ctypes.memmove(address, array.ctypes.data, array.nbytes)


def rounds_at(frame: int) -> tuple[int, ...]:
    """The rounds that a failed call noted."""
    return tuple(peek(frame + layouts.FR_ROUNDS + 8 * k) for k in range(peek(frame + layouts.FR_DEPTH)))


def _operands(record: int, count: int, first: int) -> list[tuple[int, np.dtype, tuple[int, ...]]]:
    """(address, dtype, shape) of each."""
    found: list[tuple[int, np.dtype, tuple[int, ...]]] = []
    for i in range(peek(record + count)):
        at = peek(record + first) + i * layouts.HOST_SIZE
        if not peek(at + layouts.HOST_DATA):
            found.append((0, np.dtype(bool), ()))
            continue
        dims = peek(at + layouts.HOST_DIMS)
        shape = tuple(peek(dims + 8 * j) for j in range(peek(at + layouts.HOST_NDIM)))
        found.append((peek(at + layouts.HOST_DATA), np.dtype(layouts.DTYPES[peek(at + layouts.HOST_DTYPE)]), shape))
    return found


def _check(name: str, i: int, value: Any, dtype: np.dtype, shape: tuple[int, ...]) -> np.ndarray:
    array = np.asarray(value)
    if array.dtype != dtype:
        raise ResultTypeError(f"{name}: result {i} has dtype {array.dtype}, expected {dtype}")
    if array.shape != shape:
        raise ResultShapeError(f"{name}: result {i} has shape {array.shape}, expected {shape}")
    return np.ascontiguousarray(array, dtype).reshape(shape)
