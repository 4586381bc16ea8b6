# Made by tools/alias_stubs.py from tensordsl/compat/names.py.
from tensordsl.ops.cumulative import bartlett as bartlett
from tensordsl.ops.sort import bincount as bincount
from tensordsl.ops.masks import compress as compress
from tensordsl.ops.elementwise import tensor_copy as cpu_contiguous
from tensordsl.ops.cumulative import cumprod as cumprod
from tensordsl.ops.cumulative import cumsum as cumsum
from tensordsl.ops.cumulative import diff as diff
from tensordsl.ops.grids import fill_diagonal as fill_diagonal
from tensordsl.ops.grids import fill_diagonal_offset as fill_diagonal_offset
from tensordsl.ops.arrange import ravel_multi_index as ravel_multi_index
from tensordsl.ops.arrange import repeat as repeat
from tensordsl.ops.sort import searchsorted as searchsorted
from tensordsl.ops.shape import squeeze as squeeze
from tensordsl.ops.nnet import to_one_hot as to_one_hot
from tensordsl.ops.sort import unique as unique
from tensordsl.ops.arrange import unravel_index as unravel_index

__all__ = ["bartlett", "bincount", "compress", "cpu_contiguous", "cumprod", "cumsum", "diff", "fill_diagonal", "fill_diagonal_offset", "ravel_multi_index", "repeat", "searchsorted", "squeeze", "to_one_hot", "unique", "unravel_index"]
