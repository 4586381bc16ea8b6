# Made by tools/alias_stubs.py from tensordsl/base/theano_names.py.
from tensordsl.compat.walks import equal_computations as equal_computations
from tensordsl.functions.clone import clone as clone
from tensordsl.loops.step import until as until

__all__ = ["clone", "equal_computations", "until"]
