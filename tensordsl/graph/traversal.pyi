# Made by tools/alias_stubs.py from tensordsl/base/theano_names.py.
from tensordsl.compat.walks import ancestors as ancestors

__all__ = ["ancestors"]
