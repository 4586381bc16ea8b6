# Made by tools/alias_stubs.py from tensordsl/compat/names.py.
from tensordsl.ops.kinds import ArgSortOp as ArgSortOp
from tensordsl.ops.kinds import SortOp as SortOp
from tensordsl.ops.kinds import TopKOp as TopKOp
from tensordsl.ops.sort import argsort as argsort
from tensordsl.ops.sort import argtopk as argtopk
from tensordsl.ops.sort import sort as sort
from tensordsl.ops.sort import topk as topk
from tensordsl.ops.sort import topk_and_argtopk as topk_and_argtopk

__all__ = ["ArgSortOp", "SortOp", "TopKOp", "argsort", "argtopk", "sort", "topk", "topk_and_argtopk"]
