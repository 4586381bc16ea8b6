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
from tensordsl.runtime.loading.layout import decref, incref, peek, poke


def host_entry(hosts: Sequence[Callable[..., Any]]) -> Callable[..., None]:
    """What native code calls with the address of a call record, what the callable gave or raised, and its arguments.

    Of a host these attributes are used, if it has them: `direct`, which native code calls instead of it; `settle`,
    which makes a sequence of arrays of what that gave; `explain(error, site, rounds, arrays)`, the error to raise for
    one of it.  Results must have exactly the dtypes and shapes that the program expects, else TypeError or ValueError.
    """
    steps = tuple(hosts)

    def entry(record: int, outcome: Any, *arrays: Any) -> None:
        host = steps[peek(record + layouts.CALL_HOST)]
        how, name = peek(record + layouts.CALL_FAILED), getattr(host, "__name__", "host call")
        try:
            if how == layouts.CALL_RAISED:
                raise outcome
            settle = getattr(host, "settle", None) if how == layouts.CALL_GAVE else lambda array: [array]
            _write(record, name, settle(outcome) if settle else outcome)
        except Exception as error:
            explain = getattr(host, "explain", None)
            if explain is None:
                raise
            site, rounds = peek(record + layouts.CALL_SITE), rounds_at(peek(record + layouts.CALL_FRAME))
            explained = explain(error, site, rounds, arrays)
            if explained is error:
                raise
            raise explained from None
        finally:  # what is raised refers to this frame, which must not refer to it
            outcome = explained = None
            arrays = ()

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
    for i, (array, (address, _, _)) in enumerate(zip(checked, outputs, strict=True)):
        at = peek(record + layouts.CALL_OUT) + i * layouts.HOST_SIZE
        if array is not None and peek(at + layouts.HOST_KEPT):
            _keep(at, array)
        elif array is not None:
            ctypes.memmove(address, array.ctypes.data, array.nbytes)


def _keep(at: int, array: np.ndarray) -> None:
    """Put an array where its operand says, and its lengths."""
    slot, mask, dims = (peek(at + word) for word in (layouts.HOST_DATA, layouts.HOST_KEPT, layouts.HOST_DIMS))
    for axis, length in enumerate(array.shape):
        if mask >> axis & 1:
            poke(peek(dims + 8 * axis), length)
    old = peek(slot)
    incref(id(array))
    poke(slot, id(array))
    if old:
        decref(old)


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
        mask = peek(at + layouts.HOST_KEPT)
        shape = tuple(-1 if mask >> j & 1 else peek(dims + 8 * j) for j in range(peek(at + layouts.HOST_NDIM)))
        found.append((peek(at + layouts.HOST_DATA), np.dtype(layouts.DTYPES[peek(at + layouts.HOST_DTYPE)]), shape))
    return found


def _check(name: str, i: int, value: Any, dtype: np.dtype, shape: tuple[int, ...]) -> np.ndarray:
    array = np.asarray(value)
    if array.dtype != dtype:
        raise ResultTypeError(f"{name}: result {i} has dtype {array.dtype}, expected {dtype}")
    if array.ndim != len(shape) or any(n not in (-1, m) for m, n in zip(array.shape, shape, strict=True)):
        raise ResultShapeError(f"{name}: result {i} has shape {array.shape}, expected {shape}")
    return np.ascontiguousarray(array, dtype).reshape(array.shape)
