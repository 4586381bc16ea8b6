"""Systems with triangular matrices: forward and backward substitution.

Gradient: M. Giles: "Collected matrix derivative results for forward and reverse mode algorithmic differentiation",
2008.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from tensordsl.graph.types import COMPLEX
from tensordsl.graph.variables import Dims, Kernel, apply
from tensordsl.ops.array.arrange import matrix_transpose
from tensordsl.ops.linalg.matrices import (
    adjoint,
    failure,
    matrix_row,
    matrix_shape,
    of_lapack,
    product,
    same_batch,
    square_shape,
    triangle,
)
from tensordsl.ops.math.complexes import conj


def _dtype(a: str, b: str, lower: bool, trans: int, unit_diagonal: bool) -> str:
    return of_lapack(a, b)


def _shape(d: Dims, a: Any, b: Any, lower: bool, trans: int, unit_diagonal: bool) -> tuple[Any, ...]:
    *batch, n, _ = square_shape(d, a)
    *others, rows, columns = matrix_shape(d, b)
    n = d.same(n, rows, "the matrices and the right-hand sides differ in their number of rows")
    return (*same_batch(d, tuple(batch), tuple(others)), n, columns)


def numpy_solve_triangular(a: Any, b: Any, lower: bool, trans: int, unit_diagonal: bool) -> Any:
    """One row of the result after the other; the other triangle is not read."""
    if trans:
        a, lower = np.swapaxes(a, -1, -2), not lower
    a = np.conj(a) if trans == 2 else a
    n = a.shape[-1]
    if not unit_diagonal and b.size:
        is_zero = np.any(np.diagonal(a, axis1=-2, axis2=-1) == 0, -1)
        if is_zero.any():
            raise failure("solve_triangular", tuple(map(int, np.argwhere(is_zero)[0])))
    x = np.array(b)
    with np.errstate(all="ignore"):
        for i in range(n) if lower else reversed(range(n)):
            known = slice(0, i) if lower else slice(i + 1, n)
            x[..., i, :] -= np.matmul(a[..., i : i + 1, known], x[..., known, :])[..., 0, :]
            if not unit_diagonal:
                x[..., i, :] /= a[..., i, i, None]
    return x


def _gradient(g: Any, out: Any, a: Any, b: Any, lower: bool, trans: int, unit_diagonal: bool) -> Sequence[Any]:
    attrs: dict[str, Any] = {"lower": lower, "unit_diagonal": unit_diagonal}
    if trans == 0:
        of_b = apply(SOLVE_TRIANGULAR, a, g, trans=2 if a.type.dtype in COMPLEX else 1, **attrs)
        of_a = product(of_b, adjoint(out))
    elif trans == 2 or a.type.dtype not in COMPLEX:
        of_b = apply(SOLVE_TRIANGULAR, a, g, trans=0, **attrs)
        of_a = product(out, adjoint(of_b))
    else:
        of_b = conj(apply(SOLVE_TRIANGULAR, a, conj(g), trans=0, **attrs))
        of_a = product(conj(out), matrix_transpose(of_b))
    return triangle(-of_a, lower, unit_diagonal), of_b


SOLVE_TRIANGULAR = matrix_row(
    "solve_triangular", _dtype, _shape, numpy_solve_triangular, Kernel("solve_triangular"), _gradient,
)  # fmt: skip
ROWS = (SOLVE_TRIANGULAR,)
