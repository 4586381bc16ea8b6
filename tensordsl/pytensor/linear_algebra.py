"""Linear algebra: products, factorisations, solvers, and what `Blockwise` does of these along leading axes.

Why       our functions take stacks of matrices: a `Blockwise` Op is its core Op on the operands as they are.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from tensordsl.graph.variables import Constant, apply
from tensordsl.ops.control import loop_index, make_loop
from tensordsl.ops.linalg.factorise import SWAP_ROWS
from tensordsl.pytensor.conversion import Conversion, Missing, T, converter_of, converts, converts_by, is_own
from tensordsl.pytensor.objects import Held


@converts("Blockwise")
def _blockwise(c: Conversion, node: Any, inputs: list[Any]) -> Any:
    """Where the core Op has a graph or a converter of single operands alone, a loop over the batch."""
    core = node.op.core_op
    function = CORES.get(type(core).__name__) if is_own(type(core)) else None
    try:
        if function is not None:
            return function(core, *inputs)
    except Missing:
        pass
    if (single := _of_one(c, node, inputs)) is not None:
        return single
    if function is None and converter_of(core) is None and not hasattr(core, "fgraph"):
        raise Missing
    return _in_turn(c, node, inputs)


def _of_one(c: Conversion, node: Any, inputs: list[Any]) -> list[Any] | None:
    """The core Op where there is no batch, or the same operands at each position of it; else None."""
    count = node.op.batch_ndim(node)
    batch = tuple(node.outputs[0].type.shape[:count])
    singles = [_single(x, count) for x in inputs]
    if None in batch or any(x is None for x in singles):
        return None
    single = node.op._create_dummy_core_node(node.inputs) if count else node.op.core_op.make_node(*node.inputs)
    made = c.convert(single, singles)
    if set(batch) <= {1}:
        return [T.shape_padleft(v, count) if count else v for v in made]
    return [T.alloc(v, *batch, *[v.shape[k] for k in range(v.ndim)]) for v in made]


def _single(x: Any, count: int) -> Any:
    """x without so many leading axes, along which it is the same; None where it is not, as far as is known."""
    if isinstance(x, Held):
        return None
    if isinstance(x, Constant):
        rows = x.data.reshape(-1, *x.data.shape[count:])
        return T.constant(rows[0]) if len(rows) and np.all(rows == rows[:1]) else None
    if not all(x.broadcastable[:count]):
        return None
    return T.squeeze(x, axis=tuple(range(count))) if count else x


def _in_turn(c: Conversion, node: Any, inputs: list[Any]) -> Any:
    """The core Op on one batch position after another."""
    single = node.op._create_dummy_core_node(node.inputs)
    count = max(x.ndim - v.type.ndim for x, v in zip(inputs, single.inputs, strict=True))
    if not count or any(isinstance(x, Held) for x in inputs):
        raise Missing
    padded = [T.shape_padleft(x, count - (x.ndim - v.type.ndim)) for x, v in zip(inputs, single.inputs, strict=True)]
    lengths = [next((x.shape[k] for x in padded if not x.broadcastable[k]), 1) for k in range(count)]
    total: Any = 1
    for n in lengths:
        total = total * n
    total = T.as_tensor_variable(total)
    index = loop_index()
    given = []
    for x, v in zip(padded, single.inputs, strict=True):
        inner = [x.shape[k] for k in range(count, x.ndim)]
        whole = T.alloc(x, *lengths, *inner)
        given.append(c.typed(T.reshape(whole, [total, *inner], ndim=1 + len(inner))[index], v.type))
    made = [c.typed(v, out.type) for v, out in zip(c.convert(single, given), single.outputs, strict=True)]
    found = make_loop(total, index, [], [], [], made, name="blockwise")
    return [
        T.reshape(v, [*lengths, *[v.shape[k] for k in range(1, v.ndim)]], ndim=count + v.ndim - 1) for v in found
    ]  # fmt: skip


# -- products ----------------------------------------------------------------------------------------------------------
def _gemm(op: Any, z: Any, alpha: Any, x: Any, y: Any, beta: Any) -> Any:
    """As BLAS has it: with the factor 0 the old values are not read."""
    return T.switch(T.eq(beta, 0), T.zeros_like(z), beta * z) + alpha * T.dot(x, y)


# -- solvers -----------------------------------------------------------------------------------------------------------
def _of_columns(op: Any, a: Any, b: Any, solve: Callable[[Any, Any], Any]) -> Any:
    """A solver of matrices, for right-hand sides of `op.b_ndim` axes; many vectors of one system are one matrix."""
    if getattr(op, "b_ndim", 2) != 1:
        return solve(a, b)
    count = a.ndim - 2
    if b.ndim == 1 or not all(a.broadcastable[:count]):
        return T.squeeze(solve(a, T.shape_padright(b)), axis=-1)
    columns = b if b.ndim == 2 else T.reshape(b, [-1, b.shape[b.ndim - 1]], ndim=2)
    found = solve(T.squeeze(a, axis=tuple(range(count))) if count else a, columns.T).T
    found = found if b.ndim == 2 else T.reshape(found, [b.shape[k] for k in range(b.ndim)], ndim=b.ndim)
    return T.shape_padleft(found, count + 1 - b.ndim) if count + 1 > b.ndim else found


def _solve_triangular(op: Any, a: Any, b: Any) -> Any:
    options = dict(lower=op.lower, unit_diagonal=op.unit_diagonal, trans=getattr(op, "trans", 0))
    return _of_columns(op, a, b, lambda a, b: T.linalg.solve_triangular(a, b, b_ndim=2, **options))


def _solve(op: Any, a: Any, b: Any) -> Any:
    options = dict(assume_a=getattr(op, "assume_a", "gen"), lower=getattr(op, "lower", False))
    return _of_columns(op, a, b, lambda a, b: T.linalg.solve(a, b, b_ndim=2, **options))


def _permutation(op: Any, pivots: Any) -> Any:
    if pivots.ndim != 1:
        raise Missing
    rows = apply(SWAP_ROWS, T.arange(pivots.shape[0])[:, None], pivots, inverse=False)[:, 0]
    return rows if op.inverse else T.argsort(rows)


def _least_squares(op: Any, a: Any, b: Any, rcond: Any) -> Any:
    is_known = rcond.is_known if isinstance(rcond, Held) else isinstance(rcond, Constant)
    if not is_known or a.ndim != 2:
        raise Missing
    return T.linalg.lstsq(a, b, rcond=rcond.value if isinstance(rcond, Held) else float(rcond.data))


# -- factors and spectra -----------------------------------------------------------------------------------------------
def _triangle(op: Any) -> str:
    """The triangle that is read; releases say it by different attributes."""
    return str(op.UPLO) if hasattr(op, "UPLO") else "L" if op.lower else "U"


def _eigh(op: Any, a: Any, *more: Any) -> Any:
    return T.linalg.eigh(a, *[b for b in more if not isinstance(b, Held)], lower=_triangle(op) == "L")  # Held: None


def _eigvalsh(op: Any, a: Any, *more: Any) -> Any:
    return T.linalg.eigvalsh(a, *[b for b in more if not isinstance(b, Held)], lower=_triangle(op) == "L")


def _eigh_gradient(op: Any, a: Any, w: Any, v: Any, gw: Any, gv: Any) -> Any:
    """Of older releases: the gradient by the matrix, of those by eigenvalues w and vectors v."""
    apart = w[None, :] - w[:, None]
    inverse = T.switch(T.eq(T.eye(w.shape[0]), 1), 0.0, 1 / apart)
    return _of_triangle(v @ (v * gw[None, :] + v @ (inverse * (v.T @ gv))).T, op.UPLO == "L")


def _eigvalsh_gradient(op: Any, a: Any, b: Any, gw: Any) -> Any:
    """Of older releases, for a v = w b v: by the vectors that b is the scalar product of."""
    w, v = T.linalg.eigh(a, b, op.lower)
    return [_of_triangle(g, op.lower) for g in (v @ (gw[:, None] * v.T), -v @ ((gw * w)[:, None] * v.T))]


def _of_triangle(g: Any, lower: bool) -> Any:
    """The gradient of a symmetric matrix by the elements of the triangle that is read."""
    return T.tril(g) + T.triu(g, 1).T if lower else T.triu(g) + T.tril(g, -1).T


def _qr(op: Any, a: Any) -> Any:
    if op.pivoting or op.mode == "raw":
        raise Missing
    return T.linalg.qr(a, mode={"economic": "reduced", "full": "complete"}.get(op.mode, op.mode))


def _block_diagonal(op: Any, *parts: Any) -> Any:
    if any(x.ndim != 2 for x in parts):
        raise Missing
    return T.linalg.block_diag(*parts)


# Core Ops, which take stacks: class -> function (op, *inputs).
CORES: dict[str, Callable[..., Any]] = {
    "Matmul": lambda op, a, b: T.matmul(a, b),
    "MatMul": lambda op, a, b: T.matmul(a, b),
    "Cholesky": lambda op, a: T.linalg.cholesky(a, lower=op.lower, on_error=getattr(op, "on_error", "nan")),
    "SolveTriangular": _solve_triangular,
    "Solve": _solve,
    "CholeskySolve": lambda op, c, b: _of_columns(
        op, c, b, lambda c, b: T.linalg.cho_solve((c, op.lower), b, b_ndim=2)
    ),
    "LU": lambda op, a: T.linalg.lu(a, permute_l=op.permute_l, p_indices=op.p_indices),
    "LUFactor": lambda op, a: T.linalg.lu_factor(a),
    "PivotToPermutations": _permutation,
    "MatrixInverse": lambda op, a: T.linalg.inv(a),
    "MatrixPinv": lambda op, a: T.linalg.pinv(a, hermitian=op.hermitian),
    "Det": lambda op, a: T.linalg.det(a),
    "SLogDet": lambda op, a: T.linalg.slogdet(a),
    "Eigh": _eigh,
    "Eigvalsh": _eigvalsh,
    "Eig": lambda op, a: T.linalg.eig(a),
    "SVD": lambda op, a: T.linalg.svd(a, full_matrices=op.full_matrices, compute_uv=op.compute_uv),
    "QR": _qr,
    "Expm": lambda op, a: T.linalg.expm(a),
    "BlockDiagonal": _block_diagonal,
    "KroneckerProduct": lambda op, a, b: T.kron(a, b),
}
converts_by(CORES)
converts_by(
    {
        "Dot Dot22": lambda op, a, b: T.dot(a, b),
        "BatchedDot": lambda op, a, b: T.batched_dot(a, b),
        "Gemm Gemv": _gemm,
        "Dot22Scalar": lambda op, x, y, factor: factor * T.dot(x, y),
        "Ger": lambda op, a, alpha, x, y: a + alpha * T.outer(x, y),
        "TensorInv": lambda op, a: T.linalg.tensorinv(a, ind=op.ind),
        "TensorSolve": lambda op, a, b: T.linalg.tensorsolve(a, b, axes=op.axes),
        "Lstsq": _least_squares,
        "EighGrad": _eigh_gradient,
        "EigvalshGrad": _eigvalsh_gradient,
    }
)
CORES["Dot"] = CORES["Matmul"]  # `Blockwise(Dot)` is a product of stacks
