"""Theano's place of Assert."""

from __future__ import annotations

from tensordsl.ops.control import Assert, assert_op

__all__ = ["Assert", "assert_op"]
