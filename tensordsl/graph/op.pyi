# Made by tools/alias_stubs.py from tensordsl/base/theano_names.py.
from tensordsl.custom.op import Op as Op

__all__ = ["Op"]
