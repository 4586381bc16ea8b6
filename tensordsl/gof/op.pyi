# Made by tools/alias_stubs.py from tensordsl/compat/names.py.
from tensordsl.graph import Op as Op
from tensordsl.testvalues import debug_assert as debug_assert
from tensordsl.testvalues import get_debug_values as get_debug_values
from tensordsl.testvalues import get_test_value as get_test_value

__all__ = ["Op", "debug_assert", "get_debug_values", "get_test_value"]
