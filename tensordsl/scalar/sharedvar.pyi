# Made by tools/alias_stubs.py from tensordsl/compat/names.py.
from tensordsl.shared import TensorSharedVariable as ScalarSharedVariable
from tensordsl.shared import shared as shared

__all__ = ["ScalarSharedVariable", "shared"]
