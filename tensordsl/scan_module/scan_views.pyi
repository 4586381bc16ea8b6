# Made by tools/alias_stubs.py from tensordsl/base/theano_names.py.
from tensordsl.loops.family import foldl as foldl
from tensordsl.loops.family import foldr as foldr
from tensordsl.loops.family import map as map
from tensordsl.loops.family import reduce as reduce

__all__ = ["foldl", "foldr", "map", "reduce"]
