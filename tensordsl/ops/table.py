"""The op table: every row by its name."""

from __future__ import annotations

from tensordsl.graph import Op
from tensordsl.ops import control, elementwise, index, linalg, nnet, reduce, shape

MODULES = (elementwise, shape, reduce, linalg, index, nnet, control)
OPS: dict[str, Op] = {row.name: row for module in MODULES for row in module.ROWS}
