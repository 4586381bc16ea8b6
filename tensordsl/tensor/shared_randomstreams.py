"""`T.shared_randomstreams`: Theano's place of `RandomStreams`."""

from __future__ import annotations

from typing import Any


def __getattr__(name: str) -> Any:
    if name not in ("RandomStreams", "RandomStateSharedVariable"):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    if name == "RandomStreams":
        return import_module("tensordsl.random").RandomStreams
    return import_module("tensordsl.shared").TensorSharedVariable
