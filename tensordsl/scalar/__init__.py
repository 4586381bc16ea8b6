"""Theano's place of facts about dtypes, and of the scalar operations inside of elementwise ones."""

from __future__ import annotations

from tensordsl.scalar import basic
from tensordsl.scalar.basic import *  # noqa: F403  the names of `basic` are those of the package
from tensordsl.scalar.basic import __all__ as _names

__all__ = ["basic", *_names]
__getattr__ = basic.__getattr__
