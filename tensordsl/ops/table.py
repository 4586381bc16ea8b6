"""The op table: every row by its name."""

from __future__ import annotations

from tensordsl.graph.variables import Op
from tensordsl.ops import control, nnet, pool, scalar_loop
from tensordsl.ops.array import arrange, creation, cumulative, grids, index, masks, reduce, shape, sort
from tensordsl.ops.conv import rows as conv_rows
from tensordsl.ops.linalg import (
    equations,
    factorise,
    inverses,
    matrix_functions,
    products,
    roots,
    schur,
    solve,
    spectral,
    systems,
    triangular,
)
from tensordsl.ops.math import comparisons, complexes, elementwise, functions, gamma, ufuncs
from tensordsl.ops.random import bits, rejection
from tensordsl.ops.special import (
    bessel,
    bessel_order,
    beta,
    beta_incomplete,
    gamma_incomplete,
    gamma_inverse,
    hypergeometric,
    integrals,
    lambert,
    logarithms,
    normal,
    zeta,
)

MODULES = (
    elementwise,
    comparisons,
    functions,
    ufuncs,
    gamma,
    gamma_incomplete,
    normal,
    logarithms,
    beta,
    beta_incomplete,
    gamma_inverse,
    zeta,
    integrals,
    lambert,
    bessel,
    bessel_order,
    hypergeometric,
    grids,
    shape,
    creation,
    reduce,
    products,
    triangular,
    factorise,
    solve,
    spectral,
    inverses,
    systems,
    matrix_functions,
    equations,
    roots,
    schur,
    index,
    masks,
    arrange,
    cumulative,
    complexes,
    sort,
    nnet,
    conv_rows,
    pool,
    bits,
    rejection,
    control,
    scalar_loop,
)
OPS: dict[str, Op] = {row.name: row for module in MODULES for row in module.ROWS}
