# Made by tools/alias_stubs.py from tensordsl/compat/names.py.
from tensordsl.io import In as In
from tensordsl.io import Out as Out

__all__ = ["In", "Out"]
