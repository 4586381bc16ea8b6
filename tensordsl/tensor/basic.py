"""`T.basic`: the names of `tensordsl.tensor` under the path of Theano's module."""

from __future__ import annotations

from typing import Any


def __getattr__(name: str) -> Any:
    import tensordsl.tensor

    if name.startswith("__"):
        raise AttributeError(name)
    return getattr(tensordsl.tensor, name)
