# Made by tools/alias_stubs.py from tensordsl/base/theano_names.py.
from tensordsl.sandbox import rng_mrg as rng_mrg
from tensordsl.sandbox import softsign as softsign

__all__ = ["rng_mrg", "softsign"]
