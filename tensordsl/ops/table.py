"""The op table: every row by its name."""

from __future__ import annotations

from tensordsl.graph.variables import Op
from tensordsl.ops import control, linalg, nnet, random_bits, random_counts
from tensordsl.ops.array import arrange, creation, cumulative, grids, index, masks, reduce, shape, sort
from tensordsl.ops.math import comparisons, complexes, elementwise, functions, gamma, gamma_incomplete

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
