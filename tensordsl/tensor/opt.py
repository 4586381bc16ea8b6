"""`T.opt`: where Theano's programs look for `Assert`."""

from __future__ import annotations

from tensordsl.ops.control import Assert, assert_op

assert_ = assert_op

__all__ = ["Assert", "assert_", "assert_op"]
