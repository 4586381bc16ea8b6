"""What PyMC adds to PyTensor: splines, determinants and checks of matrices."""

from __future__ import annotations

from typing import Any

import numpy as np

from tensordsl.pytensor.conversion import Conversion, Missing, T, as_dtype, converts, converts_by


@converts("SplineWrapper")
def _spline(c: Conversion, node: Any, inputs: list[Any]) -> Any:
    """SciPy's spline as polynomials between its knots, by Horner's rule."""
    from scipy.interpolate import PPoly  # type: ignore[import-untyped,unused-ignore]  # late; SciPy has no types

    (x,), spline = inputs, node.op.spline
    known, mode = getattr(spline, "_eval_args", None), getattr(spline, "ext", None)
    if known is None or mode not in (0, 1, 3):
        raise Missing  # ext=2 raises for points outside
    pieces = PPoly.from_spline(known)
    is_real = pieces.c.shape[1:] == pieces.c.shape[1:2] and pieces.c.shape[1] > 0
    if not is_real:
        raise Missing
    keep = np.flatnonzero(np.diff(pieces.x) > 0)  # knots stand several times at the ends
    ends, coefficients = pieces.x[[*keep, keep[-1] + 1]], pieces.c[:, keep]
    dtype = node.outputs[0].type.dtype
    at = as_dtype(x, "float64")
    inside = T.clip(at, ends[0], ends[-1]) if mode == 3 else at
    number = T.clip(T.searchsorted(T.constant(ends), inside, side="right") - 1, 0, len(keep) - 1)
    step = inside - T.constant(ends)[number]
    value: Any = T.zeros_like(step)
    for row in coefficients:
        value = value * step + T.constant(row)[number]
    if mode == 1:
        value = T.switch(T.lt(at, ends[0]) | T.gt(at, ends[-1]), 0.0, value)
    return as_dtype(value, dtype)


def _diagonals(op: Any, x: Any) -> Any:
    n = T.arange(x.shape[1])
    return T.set_subtensor(T.zeros((x.shape[0], x.shape[1], x.shape[1]), dtype=x.dtype)[:, n, n], x)


def _is_positive_definite(op: Any, a: Any) -> Any:
    factor = T.linalg.cholesky(a, on_error="nan")
    return T.all(T.eq(factor, factor))


converts_by(
    {
        "BatchedDiag": _diagonals,
        "LogDet": lambda op, a: T.linalg.slogdet(a)[1],
        "PosDefMatrix": _is_positive_definite,
    }
)
