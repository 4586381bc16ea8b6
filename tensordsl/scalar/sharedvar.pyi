# Made by tools/alias_stubs.py from tensordsl/base/theano_names.py.
from tensordsl.signature.shared import TensorSharedVariable as ScalarSharedVariable
from tensordsl.signature.shared import shared as shared

__all__ = ["ScalarSharedVariable", "shared"]
