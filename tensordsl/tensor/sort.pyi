# Made by tools/alias_stubs.py from tensordsl/base/theano_names.py.
from tensordsl.ops.kinds import ArgSortOp as ArgSortOp
from tensordsl.ops.kinds import SortOp as SortOp
from tensordsl.ops.kinds import TopKOp as TopKOp
from tensordsl.ops.array.sort import argsort as argsort
from tensordsl.ops.array.sort import argtopk as argtopk
from tensordsl.ops.array.sort import sort as sort
from tensordsl.ops.array.sort import topk as topk
from tensordsl.ops.array.sort import topk_and_argtopk as topk_and_argtopk

__all__ = ["ArgSortOp", "SortOp", "TopKOp", "argsort", "argtopk", "sort", "topk", "topk_and_argtopk"]
