# Made by tools/alias_stubs.py from tensordsl/compat/names.py.
from tensordsl.compat.locks import get_lock as get_lock
from tensordsl.compat.locks import release_lock as release_lock

__all__ = ["get_lock", "release_lock"]
