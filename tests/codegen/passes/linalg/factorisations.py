"""Linear algebra by its rows, and what a function's program has of it behind the passes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from tensordsl.codegen.compiler.pipeline import optimise_lowered
from tensordsl.codegen.tensor_ir.graph import toposort
from tensordsl.codegen.tensor_ir.lower import lower
from tensordsl.graph.variables import apply
from tensordsl.ops.linalg.factorise import CHOLESKY, LU_FACTOR, QR
from tensordsl.ops.linalg.solve import DET, MATRIX_INVERSE, SLOGDET, SOLVE
from tensordsl.ops.linalg.triangular import SOLVE_TRIANGULAR

STEPS = ("cholesky", "lu_factor", "lu_solve", "solve_triangular", "qr", "eigh", "svd", "dot")


def steps(inputs: Sequence[Any], outputs: Any, mode: Any = None) -> dict[str, int]:
    """How many of each of these steps a function's program has, bodies of loops included."""
    outputs = outputs if isinstance(outputs, list) else [outputs]
    lowered = lower(inputs, [], outputs, [])
    optimise_lowered(lowered, mode)
    found: Counter[str] = Counter()
    for v in toposort(lowered.outputs):
        found[v.attrs["name"] if v.op == "host" else v.op] += 1
    return {name: found[name] for name in STEPS if found[name]}


def cholesky(a: Any, lower: bool = True, on_error: str = "raise") -> Any:
    return apply(CHOLESKY, a, lower=lower, on_error=on_error)


def solve(a: Any, b: Any, trans: int = 0) -> Any:
    if b.ndim == a.ndim:
        return apply(SOLVE, a, b, trans=trans)
    return apply(SOLVE, a, b.dimshuffle(0, "x"), trans=trans).dimshuffle(0)


def triangular(a: Any, b: Any, lower: bool = True, trans: int = 0) -> Any:
    if b.ndim == a.ndim:
        return apply(SOLVE_TRIANGULAR, a, b, lower=lower, trans=trans, unit_diagonal=False)
    return triangular(a, b.dimshuffle(0, "x"), lower, trans).dimshuffle(0)


def inv(a: Any) -> Any:
    return apply(MATRIX_INVERSE, a)


def det(a: Any) -> Any:
    return apply(DET, a)


def slogdet(a: Any) -> list[Any]:
    return list(apply(SLOGDET, a))


def qr(a: Any) -> list[Any]:
    return list(apply(QR, a, mode="reduced"))


def lu_factor(a: Any) -> list[Any]:
    return list(apply(LU_FACTOR, a))
