# Made by tools/alias_stubs.py from tensordsl/base/theano_names.py.
from tensordsl.sandbox import linalg as linalg
from tensordsl.sandbox import rng_mrg as rng_mrg
from tensordsl.sandbox import softsign as softsign

__all__ = ["linalg", "rng_mrg", "softsign"]
