"""Sparse matrices: native where their places are known, and SciPy's steps elsewhere."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

pytensor = pytest.importorskip("pytensor")
scipy_sparse = pytest.importorskip("scipy.sparse")

import pytensor.sparse as ps  # noqa: E402
import pytensor.tensor as pt  # noqa: E402
from judge import agrees, equal  # noqa: E402
from pytensor import function, grad  # noqa: E402

R = np.random.default_rng(0)
A, v, d = pt.dmatrix("A"), pt.dvector("v"), pt.dvector("d")
ROWS = scipy_sparse.random(4, 3, 0.5, format="csr", random_state=1)
COLUMNS = ROWS.tocsc()
MATRIX, VECTOR = R.normal(size=(3, 2)), R.normal(size=3)


def loss(y: Any, *wrt: Any) -> list[Any]:
    return [y, *grad((y**2).sum(), list(wrt))]


def csm(data: Any) -> Any:
    return ps.CSC(data, COLUMNS.indices, COLUMNS.indptr, COLUMNS.shape)


KNOWN: dict[str, Any] = {
    "times a matrix": ([A], lambda: loss(ps.structured_dot(ps.as_sparse_variable(ROWS), A), A), [MATRIX]),
    "by columns": ([A], lambda: loss(ps.structured_dot(ps.as_sparse_variable(COLUMNS), A), A), [MATRIX]),
    "dot": ([A], lambda: loss(ps.dot(ps.as_sparse_variable(ROWS), A), A), [MATRIX]),
    "from the left": ([A], lambda: [ps.dot(A, ps.as_sparse_variable(ROWS))], [R.normal(size=(2, 4))]),
    "data that is computed": ([d, A], lambda: loss(ps.structured_dot(csm(d * 2), A), d, A), [COLUMNS.data, MATRIX]),
    "made dense": ([d], lambda: [csm(d).toarray(), ps.sp_sum(csm(d), axis=0), ps.sp_sum(csm(d), axis=1)], [COLUMNS.data]),
    "without elements": ([A], lambda: [ps.dot(ps.as_sparse_variable(ROWS * 0), A)], [MATRIX]),
}  # fmt: skip


@pytest.mark.parametrize("name", KNOWN)
def test_places_that_are_known_are_native(name: str) -> None:
    inputs, outputs, values = KNOWN[name]
    assert agrees(inputs, outputs(), values) == set()


def test_lengths_are_checked() -> None:
    made = function([A], ps.structured_dot(ps.as_sparse_variable(ROWS), A), mode="TENSORDSL")
    for rows in (2, 4):
        with pytest.raises(ValueError, match="dimension mismatch"):
            made(np.zeros((rows, 2)))
    with pytest.raises(ValueError, match="different lengths"):
        function([d], csm(d).toarray(), mode="TENSORDSL")(np.zeros(1))


def test_a_wrong_constant_pattern_is_refused() -> None:
    wrong = ps.CSC(d, np.array([0, 9]), np.array([0, 1, 2]), np.array([3, 2]))
    with pytest.raises(ValueError, match="constant indices do not fit"):
        function([d], wrong.toarray(), mode="TENSORDSL")


# -- matrices that the call brings -------------------------------------------------------------------------------------
s, square = ps.csr_matrix("s", dtype="float64"), ps.csr_matrix("square", dtype="float64")
SQUARE = scipy_sparse.random(3, 3, 0.6, format="csr", random_state=2)
GIVEN: dict[str, Any] = {
    "itself": lambda: [square],
    "products": lambda: [ps.structured_dot(square, A), ps.dot(square, A), ps.true_dot(square, square), ps.dot(A.T, square)],
    "sums": lambda: [ps.add(square, square), ps.add(square, pt.dot(A, A.T)), ps.sp_sum(square, axis=0)],
    "scaled": lambda: [square * 2.0, ps.multiply(square, square), ps.col_scale(square, v), ps.row_scale(square, v)],
    "parts": lambda: [square[0:2], square[1, 1], ps.diag(square), square.T],
    "joined": lambda: [ps.hstack([square, square]), ps.vstack([square, square]), ps.square_diagonal(v)],
    "gradient": lambda: loss(ps.structured_dot(square, A), A),
}  # fmt: skip


@pytest.mark.parametrize("name", GIVEN)
def test_matrices_that_a_call_brings(name: str) -> None:
    outputs = GIVEN[name]()
    values = {square: SQUARE, A: MATRIX, v: VECTOR}
    used = [k for k in values if k in pytensor.graph.basic.ancestors(outputs)] if pytensor.__version__ < "3" else [
        k for k in values if k in pytensor.graph.traversal.ancestors(outputs)
    ]  # fmt: skip
    agrees(used, outputs, [values[k] for k in used])


def test_shared_matrices_are_seen_and_updated() -> None:
    held = pytensor.shared(SQUARE)
    made = function([A], ps.dot(held, A), updates={held: held * 2.0}, mode="TENSORDSL")
    equal(made(MATRIX), SQUARE @ MATRIX)
    equal(made(MATRIX), 2 * SQUARE @ MATRIX)
    held.set_value(SQUARE * 0.5)
    equal(made(MATRIX), SQUARE @ MATRIX * 0.5)
    equal(held.get_value(), SQUARE)
