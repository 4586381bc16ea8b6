# Made by tools/alias_stubs.py from tensordsl/compat/names.py.
from tensordsl.shared import Container as Container
from tensordsl.shared import SharedVariable as SharedVariable
from tensordsl.shared import generic as generic
from tensordsl.shared import shared as shared
from tensordsl.shared import shared as shared_constructor

__all__ = ["Container", "SharedVariable", "generic", "shared", "shared_constructor"]
