# Made by tools/alias_stubs.py from tensordsl/base/theano_names.py.
from tensordsl.signature.shared import Container as Container
from tensordsl.signature.shared import SharedVariable as SharedVariable
from tensordsl.signature.shared import generic as generic
from tensordsl.signature.shared import shared as shared
from tensordsl.signature.shared import shared as shared_constructor

__all__ = ["Container", "SharedVariable", "generic", "shared", "shared_constructor"]
