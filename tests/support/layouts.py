"""Functions that do some rows or matrices at a time, called with operands of any strides and by several threads."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

import tensordsl

LAYOUTS: dict[str, Callable[[Any], Any]] = {
    "Fortran order": np.asfortranarray,
    "every second": lambda x: np.repeat(np.repeat(x, 2, 0), 2, -1)[::2, ..., ::2] if x.ndim > 1 else x,
    "backwards": lambda x: x[::-1, ..., ::-1].copy()[::-1, ..., ::-1] if x.ndim > 1 else x[::-1].copy()[::-1],
    "one for all": lambda x: np.broadcast_to(x[:1], x.shape),
}


def check_layout(f: Any, want: Any, layout: str, given: Sequence[Any]) -> None:
    """As the reference has it, and the same bits with more threads; the last argument, indices, stays as it is."""
    *given, index = given
    given = [LAYOUTS[layout](x) for x in given]
    first = f(*given, index)
    for got, expected in zip(first, want(*given, index), strict=True):
        np.testing.assert_allclose(got, expected, rtol=1e-9, atol=1e-11)
    for threads in (2, 3):
        tensordsl.config.num_threads = threads
        for _ in range(5):
            assert all((a == b).all() for a, b in zip(f(*given, index), first, strict=True))
