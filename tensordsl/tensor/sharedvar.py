"""Theano's place of shared tensors."""

from __future__ import annotations

from importlib import import_module
from typing import Any

_NAMES = {name: name for name in ("SharedVariable", "TensorSharedVariable", "shared", "shared_constructor")}
_NAMES |= {"tensor_constructor": "shared", "scalar_constructor": "shared"}


def __getattr__(name: str) -> Any:
    if name not in _NAMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module("tensordsl.shared"), _NAMES[name])
