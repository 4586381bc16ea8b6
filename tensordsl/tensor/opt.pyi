# Made by tools/alias_stubs.py from tensordsl/compat/names.py.
from tensordsl.ops.control import Assert as Assert
from tensordsl.ops.control import assert_op as assert_
from tensordsl.ops.control import assert_op as assert_op

__all__ = ["Assert", "assert_", "assert_op"]
