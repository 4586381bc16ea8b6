# Made by tools/alias_stubs.py from tensordsl/compat/names.py.
from tensordsl.shared import TensorSharedVariable as ScalarSharedVariable
from tensordsl.shared import SharedVariable as SharedVariable
from tensordsl.shared import TensorSharedVariable as TensorSharedVariable
from tensordsl.shared import shared as scalar_constructor
from tensordsl.shared import shared as shared
from tensordsl.shared import shared as shared_constructor
from tensordsl.shared import shared as tensor_constructor

__all__ = ["ScalarSharedVariable", "SharedVariable", "TensorSharedVariable", "scalar_constructor", "shared", "shared_constructor", "tensor_constructor"]
