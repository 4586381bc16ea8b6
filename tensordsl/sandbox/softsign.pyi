# Made by tools/alias_stubs.py from tensordsl/base/theano_names.py.
from tensordsl.ops.nnet import softsign as softsign

__all__ = ["softsign"]
