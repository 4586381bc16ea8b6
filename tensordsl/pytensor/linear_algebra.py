"""Linear algebra: products, factorisations, solvers, and what `Blockwise` does of these along leading axes.

Why       our functions take stacks of matrices: a `Blockwise` Op is its core Op on the operands as they are.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tensordsl.graph.variables import apply
from tensordsl.ops.linalg.factorise import SWAP_ROWS
from tensordsl.pytensor.conversion import Conversion, Missing, T, converts

CORES: dict[str, Callable[[Any, list[Any]], Any]] = {}  # class of a core Op -> function (op, inputs)


def _core(*names: str) -> Callable[[Callable[[Any, list[Any]], Any]], Callable[[Any, list[Any]], Any]]:
    def enter(function: Callable[[Any, list[Any]], Any]) -> Callable[[Any, list[Any]], Any]:
        CORES.update(dict.fromkeys(names, function))
        converts(*names)(lambda c, node, inputs: function(node.op, inputs))
        return function

    return enter


@converts("Blockwise")
def _blockwise(c: Conversion, node: Any, inputs: list[Any]) -> Any:
    core = node.op.core_op
    function = CORES.get(type(core).__name__)
    if function is not None:
        return function(core, inputs)
    if node.op.batch_ndim(node):
        raise Missing
    return c.convert(core.make_node(*node.inputs), inputs)


# -- products ----------------------------------------------------------------------------------------------------------
@converts("Dot", "Dot22")
def _dot(c: Conversion, node: Any, inputs: list[Any]) -> Any:
    return T.dot(*inputs)


@_core("Matmul", "MatMul")
def _matmul(op: Any, inputs: list[Any]) -> Any:
    return T.matmul(*inputs)


CORES["Dot"] = _matmul


@converts("BatchedDot")
def _batched_dot(c: Conversion, node: Any, inputs: list[Any]) -> Any:
    return T.batched_dot(*inputs)


# -- factorisations and solvers ----------------------------------------------------------------------------------------
@_core("Cholesky")
def _cholesky(op: Any, inputs: list[Any]) -> Any:
    return T.linalg.cholesky(inputs[0], lower=op.lower, on_error=getattr(op, "on_error", "nan"))


def _vector_or_not(op: Any, b: Any, solve: Callable[[Any], Any]) -> Any:
    """A solver of matrices, for right-hand sides of `op.b_ndim` axes."""
    if getattr(op, "b_ndim", 2) == 1:
        return T.squeeze(solve(T.shape_padright(b)), axis=-1)
    return solve(b)


@_core("SolveTriangular")
def _solve_triangular(op: Any, inputs: list[Any]) -> Any:
    a, b = inputs
    trans = getattr(op, "trans", 0)
    options = dict(lower=op.lower, unit_diagonal=op.unit_diagonal, trans=trans)
    return _vector_or_not(op, b, lambda b: T.linalg.solve_triangular(a, b, b_ndim=2, **options))


@_core("Solve")
def _solve(op: Any, inputs: list[Any]) -> Any:
    a, b = inputs
    options = dict(assume_a=getattr(op, "assume_a", "gen"), lower=getattr(op, "lower", False))
    return _vector_or_not(op, b, lambda b: T.linalg.solve(a, b, b_ndim=2, **options))


@_core("CholeskySolve")
def _cholesky_solve(op: Any, inputs: list[Any]) -> Any:
    c, b = inputs
    return _vector_or_not(op, b, lambda b: T.linalg.cho_solve((c, op.lower), b, b_ndim=2))


@_core("LU")
def _lu(op: Any, inputs: list[Any]) -> Any:
    return T.linalg.lu(inputs[0], permute_l=op.permute_l, p_indices=op.p_indices)


@_core("LUFactor")
def _lu_factor(op: Any, inputs: list[Any]) -> Any:
    return T.linalg.lu_factor(inputs[0])


@_core("PivotToPermutations")
def _permutation(op: Any, inputs: list[Any]) -> Any:
    (pivots,) = inputs
    if pivots.ndim != 1:
        raise Missing
    rows = apply(SWAP_ROWS, T.arange(pivots.shape[0])[:, None], pivots, inverse=False)[:, 0]
    return rows if op.inverse else T.argsort(rows)


@_core("MatrixInverse")
def _inverse(op: Any, inputs: list[Any]) -> Any:
    return T.linalg.inv(inputs[0])


@_core("MatrixPinv")
def _pseudo_inverse(op: Any, inputs: list[Any]) -> Any:
    return T.linalg.pinv(inputs[0], hermitian=op.hermitian)


@_core("Det")
def _det(op: Any, inputs: list[Any]) -> Any:
    return T.linalg.det(inputs[0])


@_core("SLogDet")
def _slogdet(op: Any, inputs: list[Any]) -> Any:
    return list(T.linalg.slogdet(inputs[0]))


@_core("Eigh")
def _eigh(op: Any, inputs: list[Any]) -> Any:
    if len(inputs) > 1:
        raise Missing
    return list(T.linalg.eigh(inputs[0], UPLO=_triangle(op)))


@_core("Eigvalsh")
def _eigvalsh(op: Any, inputs: list[Any]) -> Any:
    if len(inputs) > 1:
        raise Missing
    return T.linalg.eigvalsh(inputs[0], UPLO=_triangle(op))


def _triangle(op: Any) -> str:
    """The triangle that is read; releases say it by different attributes."""
    return str(op.UPLO) if hasattr(op, "UPLO") else "L" if op.lower else "U"


@_core("Eig")
def _eig(op: Any, inputs: list[Any]) -> Any:
    return list(T.linalg.eig(inputs[0]))


@_core("SVD")
def _svd(op: Any, inputs: list[Any]) -> Any:
    made = T.linalg.svd(inputs[0], full_matrices=op.full_matrices, compute_uv=op.compute_uv)
    return list(made) if op.compute_uv else made


@_core("QR")
def _qr(op: Any, inputs: list[Any]) -> Any:
    if op.pivoting or op.mode == "raw":
        raise Missing
    made = T.linalg.qr(inputs[0], mode={"economic": "reduced", "full": "complete"}.get(op.mode, op.mode))
    return list(made) if isinstance(made, list | tuple) else made


@_core("Expm")
def _expm(op: Any, inputs: list[Any]) -> Any:
    return T.linalg.expm(inputs[0])


@_core("BlockDiagonal")
def _block_diagonal(op: Any, inputs: list[Any]) -> Any:
    if any(x.ndim != 2 for x in inputs):
        raise Missing
    return T.linalg.block_diag(*inputs)


@_core("KroneckerProduct")
def _kron(op: Any, inputs: list[Any]) -> Any:
    return T.kron(*inputs)
