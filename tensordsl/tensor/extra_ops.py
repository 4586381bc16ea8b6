"""`T.extra_ops`: functions built of others."""

from __future__ import annotations

from tensordsl.ops.arrange import ravel_multi_index, repeat, unravel_index
from tensordsl.ops.cumulative import bartlett, cumprod, cumsum, diff
from tensordsl.ops.elementwise import tensor_copy as cpu_contiguous
from tensordsl.ops.grids import fill_diagonal, fill_diagonal_offset
from tensordsl.ops.masks import compress
from tensordsl.ops.nnet import to_one_hot
from tensordsl.ops.shape import squeeze
from tensordsl.ops.sort import bincount, searchsorted, unique

__all__ = [
    "bartlett", "bincount", "compress", "cpu_contiguous", "cumprod", "cumsum", "diff", "fill_diagonal",
    "fill_diagonal_offset", "ravel_multi_index", "repeat", "searchsorted", "squeeze", "to_one_hot", "unique",
    "unravel_index",
]  # fmt: skip
