"""The op table: every row by its name."""

from __future__ import annotations

from tensordsl.graph import Op
from tensordsl.ops import elementwise, index, linalg, nnet, reduce, shape

OPS: dict[str, Op] = {
    row.name: row for module in (elementwise, shape, reduce, linalg, index, nnet) for row in module.ROWS
}
