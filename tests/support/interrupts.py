"""KeyboardInterrupt wherever a signal's handler can run: when a Python function begins and when a C function returns."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from typing import Any


class _At:
    """Raises at the n-th place in its `with` block, of all threads' only this one's."""

    def __init__(self, n: int) -> None:
        self.left = n

    def _look(self, frame: Any, event: str, argument: Any) -> None:
        if event not in ("call", "c_return") or frame.f_code is _At.__exit__.__code__ or not self.left:
            return
        self.left -= 1
        if not self.left:
            raise KeyboardInterrupt

    def __enter__(self) -> None:
        sys.setprofile(self._look)

    def __exit__(self, *_: object) -> None:
        sys.setprofile(None)


def interrupted(action: Callable[[], object], step: int = 1, limit: int = 10_000) -> Iterator[int]:
    """Run `action` once for each `step`-th place, interrupted there; yields the place afterwards, to look around."""
    for n in range(1, limit, step):
        at = _At(n)
        try:
            with at:
                action()
        except KeyboardInterrupt:
            pass
        if at.left:
            return
        yield n
    raise AssertionError("more places than the limit")
