"""Theano's place of ops and of what their test values are asked by."""

from __future__ import annotations

from tensordsl.graph import Op
from tensordsl.testvalues import debug_assert, get_debug_values, get_test_value

__all__ = ["Op", "debug_assert", "get_debug_values", "get_test_value"]
