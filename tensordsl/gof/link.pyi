# Made by tools/alias_stubs.py from tensordsl/compat/names.py.
from tensordsl.pickling import SavedContainer as Container

__all__ = ["Container"]
