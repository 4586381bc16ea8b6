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
from tensordsl.pytensor.conversion import Conversion, Missing, T, converter_of, converts, is_own
from tensordsl.pytensor.objects import Held

CORES: dict[str, Callable[[Any, list[Any]], Any]] = {}  # class of a core Op -> function (op, inputs)


def _core(*names: str) -> Callable[[Callable[[Any, list[Any]], Any]], Callable[[Any, list[Any]], Any]]:
    def enter(function: Callable[[Any, list[Any]], Any]) -> Callable[[Any, list[Any]], Any]:
        CORES.update(dict.fromkeys(names, function))
        converts(*names)(lambda c, node, inputs: function(node.op, inputs))
        return function

    return enter


@converts("Blockwise")
def _blockwise(c: Conversion, node: Any, inputs: list[Any]) -> Any:
    """Where the core Op has a graph or a converter of single operands alone, a loop over the batch."""
    core = node.op.core_op
    function = CORES.get(type(core).__name__) if is_own(type(core)) else None
    try:
        if function is not None:
            return function(core, inputs)
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
@converts("Dot", "Dot22")
def _dot(c: Conversion, node: Any, inputs: list[Any]) -> Any:
    return T.dot(*inputs)


@_core("Matmul", "MatMul")
def _matmul(op: Any, inputs: list[Any]) -> Any:
    return T.matmul(*inputs)


CORES["Dot"] = _matmul


@converts("Gemm", "Gemv")
def _gemm(c: Conversion, node: Any, inputs: list[Any]) -> Any:
    """As BLAS has it: with the factor 0 the old values are not read."""
    z, alpha, x, y, beta = inputs
    return T.switch(T.eq(beta, 0), T.zeros_like(z), beta * z) + alpha * T.dot(x, y)


@converts("Dot22Scalar")
def _scaled_dot(c: Conversion, node: Any, inputs: list[Any]) -> Any:
    x, y, factor = inputs
    return factor * T.dot(x, y)


@converts("Ger")
def _outer_added(c: Conversion, node: Any, inputs: list[Any]) -> Any:
    a, alpha, x, y = inputs
    return a + alpha * T.outer(x, y)


@converts("BatchedDot")
def _batched_dot(c: Conversion, node: Any, inputs: list[Any]) -> Any:
    return T.batched_dot(*inputs)


# -- factorisations and solvers ----------------------------------------------------------------------------------------
@_core("Cholesky")
def _cholesky(op: Any, inputs: list[Any]) -> Any:
    return T.linalg.cholesky(inputs[0], lower=op.lower, on_error=getattr(op, "on_error", "nan"))


def _vector_or_not(op: Any, a: Any, b: Any, solve: Callable[[Any, Any], Any]) -> Any:
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


@_core("SolveTriangular")
def _solve_triangular(op: Any, inputs: list[Any]) -> Any:
    a, b = inputs
    trans = getattr(op, "trans", 0)
    options = dict(lower=op.lower, unit_diagonal=op.unit_diagonal, trans=trans)
    return _vector_or_not(op, a, b, lambda a, b: T.linalg.solve_triangular(a, b, b_ndim=2, **options))


@_core("Solve")
def _solve(op: Any, inputs: list[Any]) -> Any:
    a, b = inputs
    options = dict(assume_a=getattr(op, "assume_a", "gen"), lower=getattr(op, "lower", False))
    return _vector_or_not(op, a, b, lambda a, b: T.linalg.solve(a, b, b_ndim=2, **options))


@_core("CholeskySolve")
def _cholesky_solve(op: Any, inputs: list[Any]) -> Any:
    c, b = inputs
    return _vector_or_not(op, c, b, lambda c, b: T.linalg.cho_solve((c, op.lower), b, b_ndim=2))


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
    a, *more = inputs
    if more and not isinstance(more[0], Held):
        return list(_generalised(a, more[0], _triangle(op) == "L"))
    return list(T.linalg.eigh(a, UPLO=_triangle(op)))


@_core("Eigvalsh")
def _eigvalsh(op: Any, inputs: list[Any]) -> Any:
    a, *more = inputs
    if any(isinstance(b, Held) for b in more):  # None
        more = []
    return T.linalg.eigvalsh(a, *more, lower=_triangle(op) == "L")


@converts("EighGrad")
def _eigh_gradient(c: Conversion, node: Any, inputs: list[Any]) -> Any:
    """Of older releases: the gradient by the matrix, of those by eigenvalues w and vectors v."""
    _, w, v, gw, gv = inputs
    apart = w[None, :] - w[:, None]
    inverse = T.switch(T.eq(T.eye(w.shape[0]), 1), 0.0, 1 / apart)
    g = v @ (v * gw[None, :] + v @ (inverse * (v.T @ gv))).T
    return _of_triangle(g, node.op.UPLO == "L")


@converts("EigvalshGrad")
def _eigvalsh_gradient(c: Conversion, node: Any, inputs: list[Any]) -> Any:
    """Of older releases, for a v = w b v: by the vectors that b is the scalar product of."""
    a, b, gw = inputs
    w, v = _generalised(a, b, node.op.lower)
    made = [v @ (gw[:, None] * v.T), -v @ ((gw * w)[:, None] * v.T)]
    return [_of_triangle(g, node.op.lower) for g in made]


def _generalised(a: Any, b: Any, lower: bool) -> tuple[Any, Any]:
    """The w and v with a v = w b v and v.T b v = 1, of the triangles that are read."""
    factor = T.linalg.cholesky(b if lower else T.matrix_transpose(b), lower=True)
    whole = T.tril(a) + T.matrix_transpose(T.tril(a, -1)) if lower else T.triu(a) + T.matrix_transpose(T.triu(a, 1))
    left = T.linalg.solve_triangular(factor, whole, lower=True, b_ndim=2)
    middle = T.linalg.solve_triangular(factor, T.matrix_transpose(left), lower=True, b_ndim=2)
    w, u = T.linalg.eigh(middle, UPLO="L" if lower else "U")
    return w, T.linalg.solve_triangular(factor, u, lower=True, trans=1, b_ndim=2)


def _of_triangle(g: Any, lower: bool) -> Any:
    """The gradient of a symmetric matrix by the elements of the triangle that is read."""
    return T.tril(g) + T.triu(g, 1).T if lower else T.triu(g) + T.tril(g, -1).T


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


@converts("TensorInv")
def _tensor_inverse(c: Conversion, node: Any, inputs: list[Any]) -> Any:
    return T.linalg.tensorinv(inputs[0], ind=node.op.ind)


@converts("TensorSolve")
def _tensor_solution(c: Conversion, node: Any, inputs: list[Any]) -> Any:
    return T.linalg.tensorsolve(*inputs, axes=node.op.axes)


@converts("Lstsq")
def _least_squares(c: Conversion, node: Any, inputs: list[Any]) -> Any:
    a, b, rcond = inputs
    is_known = rcond.is_known if isinstance(rcond, Held) else isinstance(rcond, Constant)
    if not is_known or a.ndim != 2:
        raise Missing
    limit = rcond.value if isinstance(rcond, Held) else float(rcond.data)
    return list(T.linalg.lstsq(a, b, rcond=limit))
