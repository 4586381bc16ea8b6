# Made by tools/alias_stubs.py from tensordsl/base/theano_names.py.
from tensordsl.signature.shared import TensorSharedVariable as ScalarSharedVariable
from tensordsl.signature.shared import SharedVariable as SharedVariable
from tensordsl.signature.shared import TensorSharedVariable as TensorSharedVariable
from tensordsl.signature.shared import shared as scalar_constructor
from tensordsl.signature.shared import shared as shared
from tensordsl.signature.shared import shared as shared_constructor
from tensordsl.signature.shared import shared as tensor_constructor

__all__ = ["ScalarSharedVariable", "SharedVariable", "TensorSharedVariable", "scalar_constructor", "shared", "shared_constructor", "tensor_constructor"]
