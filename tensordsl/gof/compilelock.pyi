# Made by tools/alias_stubs.py from tensordsl/base/theano_names.py.
from tensordsl.base.no_effect import get_lock as get_lock
from tensordsl.base.no_effect import release_lock as release_lock

__all__ = ["get_lock", "release_lock"]
