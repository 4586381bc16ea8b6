# Made by tools/alias_stubs.py from tensordsl/base/theano_names.py.
from tensordsl.loops.family import foldl as foldl
from tensordsl.loops.family import foldr as foldr
from tensordsl.loops.family import map as map
from tensordsl.loops.family import reduce as reduce
from tensordsl.loops.scan import scan as scan
from tensordsl.loops.checkpoints import scan_checkpoints as scan_checkpoints
from tensordsl.loops.step import until as until
from tensordsl.functions.clone import clone as clone
from tensordsl.scan_module import scan_op as scan_op
from tensordsl.scan_module import scan_utils as scan_utils
from tensordsl.scan_module import scan_views as scan_views

__all__ = ["clone", "foldl", "foldr", "map", "reduce", "scan", "scan_checkpoints", "scan_op", "scan_utils", "scan_views", "until"]
