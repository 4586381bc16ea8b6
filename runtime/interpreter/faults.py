"""Fault injection: any instruction of a program that may fail does so, in either executor, for tests.

`every_fault` calls with each ordinal (`program_ir.verify.faults`) and checks that nothing was written.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from tensordsl.codegen.abi import layouts


class Injected(RuntimeError):
    """The failure that a test injected."""


class Busy(Exception):
    """Another call holds the state: not an error, the call is made again."""


def error(kind: int, site: int, values: tuple[int, ...] = ()) -> Exception:
    """The exception for an error record, in the words of the program alone."""
    if kind == layouts.ERR_BUSY:
        return Busy()
    make, words = _ERRORS[kind]
    return make(f"site {site}: {words}" + (f" ({', '.join(map(str, values))})" if values else ""))


_ERRORS: dict[int, tuple[type[Exception], str]] = {
    layouts.ERR_CHECK: (ValueError, "the check fails"),
    layouts.ERR_OVERFLOW: (OverflowError, "the product is too large"),
    layouts.ERR_MEMORY: (MemoryError, "not enough memory"),
    layouts.ERR_INJECTED: (Injected, "injected"),
    layouts.ERR_INDEX: (IndexError, "index out of range"),
    layouts.ERR_INTERNAL: (SystemError, "internal error"),
}


def snapshot(arrays: Iterable[Any]) -> list[tuple[bytes, tuple[int, ...], str, int]]:
    """Bytes, shape, dtype and address of arrays: equal snapshots mean nothing was written and nothing replaced."""
    return [(a.tobytes(), a.shape, a.dtype.str, a.ctypes.data) for a in map(np.asarray, arrays)]


def every_fault(
    n: int, attempt: Callable[[int], Any], observe: Callable[[], Any], expected: tuple[type[BaseException], ...]
) -> list[int]:
    """Call `attempt(ordinal)` for each of n ordinals; the result of `observe` must not change when it raises
    `expected`.

    Returns the ordinals at which nothing was raised: instructions that these arguments do not reach.
    """
    quiet = []
    for ordinal in range(n):
        before = observe()
        try:
            attempt(ordinal)
            quiet.append(ordinal)
            continue
        except expected:
            pass  # the exception is dropped first: its traceback holds references
        after = observe()
        assert after == before, f"a failure at ordinal {ordinal} changed the state: {before} -> {after}"
    return quiet
