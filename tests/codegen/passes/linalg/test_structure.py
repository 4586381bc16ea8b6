"""What is known of a value's structure: proven where it holds, and nothing where it does not."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from factorisations import cholesky, inv, qr, slogdet, solve, triangular

import tensordsl.tensor as T
from tensordsl.codegen.compiler.pipeline import PIPELINE, optimise
from tensordsl.codegen.passes.linalg.structure import Structure, is_symmetric, structure
from tensordsl.codegen.tensor_ir.lower import lower

INF = math.inf
INF_OF_4 = 3  # the farthest diagonal of four rows
A, B = (T.TensorType("float64", (4, 4))(name) for name in "AB")
X, V = T.dmatrix("X"), T.dvector("v")
K = T.TensorType("float64", (3, 4, 4))("K")
INPUTS = [A, B, X, V, K]
NARROW, WIDE = T.arange(4, dtype="int8"), T.arange(A.shape[0])
DIFFERENCES = X[:, None, :] - X[None, :, :]
SQUARES = T.sqr(X).sum(1)
RULES = [p for p in PIPELINE if p.name in ("canonicalise", "fold_constants", "stabilise")]


def facts(expression: Any) -> tuple[Structure, bool]:
    lowered = lower(INPUTS, [], [expression], [])
    (root,) = optimise(lowered.graph, lowered.outputs, RULES)
    return structure(lowered.graph, root), is_symmetric(lowered.graph, root)


BANDS: dict[str, tuple[Any, float, float]] = {
    "tril": (T.tril(A), -INF, 0),
    "triu above the diagonal": (T.triu(A, 1), 1, INF),
    "tril of each": (T.tril(K), -INF, 0),
    "a transpose": (T.tril(A, -1).T, 1, INF),
    "a transpose of each": (T.tril(K).dimshuffle(0, 2, 1), 0, INF),
    "diag": (T.diag(V), 0, 0),
    "eye times a vector": (V * T.eye(V.shape[0]), 0, 0),
    "a sum": (T.tril(A, -1) + T.diag(T.exp(V)), -INF, 0),
    "a product of elements": (T.tril(A) * T.triu(B), 0, 0),
    "a product": (T.dot(T.tril(A), T.tril(B)), -INF, 0),
    "a product that is no triangle": (T.dot(T.tril(A), T.triu(B)), -INF, INF),
    "a product of bands": (T.dot(T.tril(T.triu(A, -1), 1), T.tril(T.triu(B, -1), 1)), -2, 2),
    "functions that keep zeros": (-T.sqr(T.tanh(T.tril(A))) / 3.0, -INF, 0),
    "a function that does not": (T.exp(T.tril(A)), -INF, INF),
    "a quotient by a matrix": (T.tril(A) / B, -INF, INF),
    "a constant": (T.constant(np.tril(np.ones((3, 3)))), -2, 0),
    "a sum with a number": (T.tril(A) + 1, -INF, INF),
    "a factor": (cholesky(A), -INF, 0),
    "an upper factor": (cholesky(A, lower=False), 0, INF),
    "R": (qr(A)[1], 0, INF),
    "a solution": (triangular(A, T.tril(B)), -INF, 0),
    "a solution of the transpose": (triangular(A, T.triu(B), trans=1), 0, INF),
    "a solution of a full matrix": (triangular(A, B), -INF, INF),
    "an argument": (A, -INF, INF),
    "a packed triangle": (T.set_subtensor(T.zeros((4, 4))[np.tril_indices(4)], V), -INF_OF_4, 0),
    "elements of a full matrix": (T.set_subtensor(A[np.tril_indices(4)], V), -INF, INF),
    "an upper packed triangle": (T.set_subtensor(T.zeros((4, 4))[np.triu_indices(4, 1)], V), 1, INF_OF_4),
    "a diagonal that is set": (T.set_subtensor(T.tril(A)[WIDE, WIDE], T.exp(V)), -INF, 0),
    "negative positions": (T.set_subtensor(T.zeros((4, 4))[[-1, 2], [0, 3]], 1.0), -3, 1),
    "positions of a call": (T.set_subtensor(T.zeros((4, 4))[WIDE, T.cast(V, "int64")], 1.0), -INF, INF),
    "narrow numbers of columns": (T.switch(NARROW[None, :] <= NARROW[:, None], A, 0), -INF, INF),
    "numbers of columns": (T.switch(WIDE[None, :] < WIDE[:, None] + 3, A, 0), -INF, 2),
    "a triangle by a mask": (A * T.tri(4), -INF, 0),
    "a triangle by a mask above": (A * (WIDE[None, :] > WIDE[:, None]), 1, INF),
    "rows of a triangle": (T.tril(A)[1:], -INF, INF),
}


@pytest.mark.parametrize("name", BANDS)
def test_bands(name: str) -> None:
    expression, low, high = BANDS[name]
    found, _ = facts(expression)
    assert (found.low, found.high) == (low, high)


SYMMETRIC: dict[str, Any] = {
    "squared distances": T.sqr(DIFFERENCES).sum(2),
    "a kernel": 2.0 * T.exp(-0.5 * T.sqr(DIFFERENCES).sum(2)) + 0.1 * T.eye(X.shape[0]),
    "a kernel by a product": T.exp(2 * T.dot(X, X.T) - SQUARES[:, None] - SQUARES[None, :]),
    "distances on a line": abs(V[:, None] - V[None, :]),
    "a periodic kernel": T.exp(-T.sqr(T.sin(V[:, None] - V[None, :]))),
    "a linear kernel": T.dot(X, X.T) + T.diag(T.exp(X[:, 0])),
    "a polynomial kernel": (1 + T.dot(X, X.T)) ** 3,
    "a sum with the transpose": A + A.T,
    "a product with the transpose": A * A.T,
    "A S A'": T.dot(T.dot(A, B + B.T), A.T),
    "the inverse of one": inv(A + A.T),
    "an outer product": V[:, None] * V[None, :],
    "maxima": T.maximum(V[:, None], V[None, :]),
    "of each": K + K.dimshuffle(0, 2, 1),
    "a constant": T.constant(np.ones((3, 3))),
    "a diagonal": T.diag(V) + T.eye(V.shape[0]),
}
OTHERS: dict[str, Any] = {
    "differences": V[:, None] - V[None, :],
    "a difference with the transpose": A - A.T,
    "a product": T.dot(A, B),
    "a kernel of two": T.exp(T.dot(A, B.T)),
    "weights of rows": V[:, None] * T.dot(X, X.T),
    "a triangle": T.tril(A),
    "weighted differences": T.exp(V[:, None] - V[None, :]) + T.dot(X, X.T),
    "another exchange": K + K.dimshuffle(0, 1, 2),
    "different lengths": X,
    "signs as bools": T.cast(A - A.T, "bool") * (B - B.T),
    "sizes without signs": abs(T.cast(A, "uint8") - T.cast(A, "uint8").T),
}


@pytest.mark.parametrize("name", SYMMETRIC)
def test_symmetric(name: str) -> None:
    assert facts(SYMMETRIC[name])[1]


@pytest.mark.parametrize("name", OTHERS)
def test_not_symmetric(name: str) -> None:
    assert not facts(OTHERS[name])[1]


def test_identities_and_orthogonal_matrices() -> None:
    assert facts(T.eye(V.shape[0]))[0].is_identity and facts(T.identity_like(A))[0].is_identity
    assert not facts(T.eye(4, k=1))[0].is_identity and not facts(2 * T.eye(4))[0].is_identity
    assert facts(T.dot(qr(A)[0], qr(B)[0].T))[0].is_orthogonal
    assert not facts(qr(X)[0])[0].is_orthogonal  # which need not be square
    assert not facts(solve(A, B))[0].is_orthogonal and not facts(slogdet(A)[1])[0].signs


def test_time_is_linear_in_the_graph() -> None:
    """Each value is looked at once, however often it is used."""
    value = A
    for _ in range(60):
        value = value + value.T  # 2^60 paths
    assert facts(value)[1]
