# Made by tools/alias_stubs.py from tensordsl/base/theano_names.py.
from tensordsl.custom.op import Op as Op
from tensordsl.custom.op import Op as PureOp
from tensordsl.debugging.testvalues import debug_assert as debug_assert
from tensordsl.debugging.testvalues import get_debug_values as get_debug_values
from tensordsl.debugging.testvalues import get_test_value as get_test_value

__all__ = ["Op", "PureOp", "debug_assert", "get_debug_values", "get_test_value"]
