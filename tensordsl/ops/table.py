"""The op table: every row by its name."""

from __future__ import annotations

from tensordsl.graph import Op
from tensordsl.ops import (
    arrange,
    comparisons,
    complexes,
    control,
    creation,
    cumulative,
    elementwise,
    functions,
    gamma,
    gamma_incomplete,
    grids,
    index,
    linalg,
    masks,
    nnet,
    random_bits,
    random_counts,
    reduce,
    shape,
    sort,
)

MODULES = (
    elementwise,
    comparisons,
    functions,
    gamma,
    gamma_incomplete,
    grids,
    shape,
    creation,
    reduce,
    linalg,
    index,
    masks,
    arrange,
    cumulative,
    complexes,
    sort,
    nnet,
    random_bits,
    random_counts,
    control,
)
OPS: dict[str, Op] = {row.name: row for module in MODULES for row in module.ROWS}
