"""Functions of Theano's that have nothing to do here: programs may call them."""

from __future__ import annotations

from typing import Any

__all__ = ["get_lock", "release_lock", "sparse_grad", "transfer"]


def get_lock(*arguments: Any, **keywords: Any) -> None:
    """`gof.compilelock`: nothing to wait for, as writers to the disk cache replace whole files."""


def release_lock() -> None:
    """Nothing to give back."""


def sparse_grad(var: Any) -> Any:
    """`var`, a part of a variable (`w[i]`): an update by its gradient writes only that part in any case."""
    return var


def transfer(var: Any, target: str) -> Any:
    """`var`: functions run, and values go, where `config.device` says."""
    return var
