"""What the mode leaves out of PyTensor's rewrites is done by our passes: stable forms, systems, lengths."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

pytensor = pytest.importorskip("pytensor")

import pytensor.tensor as pt  # noqa: E402
from judge import agrees  # noqa: E402
from pytensor import function  # noqa: E402
from pytensor.compile.mode import Mode  # noqa: E402
from pytensor.graph.replace import vectorize_graph  # noqa: E402

import tensordsl.pytensor  # noqa: E402, F401  # the mode

OPTIMISED = Mode(linker="vm", optimizer="fast_run")  # which makes the same forms stable
x, A = pt.dvector("x"), pt.dmatrix("A")
FAR = np.array([-800.0, -40.0, -1e-3, 0.3, 30.0, 800.0])
WIDE = np.array([[1000.0, -3.0, 2.0], [-1000.0, -999.0, 0.1], [0.1, 0.2, 0.3]])
R = np.random.default_rng(0)

NAIVE: dict[str, Callable[[], Any]] = {
    "log(1 + exp(x))": lambda: pt.log(1 + pt.exp(x)),
    "log(sigmoid(x))": lambda: pt.log(pt.sigmoid(x)),
    "log(1 - sigmoid(x))": lambda: pt.log(1 - pt.sigmoid(x)),
    "log1p(-sigmoid(x))": lambda: pt.log1p(-pt.sigmoid(x)),
    "1 / (1 + exp(-x))": lambda: 1 / (1 + pt.exp(-x)),
    "exp(x) / (1 + exp(x))": lambda: pt.exp(x) / (1 + pt.exp(x)),
    "log(sum(exp(x)))": lambda: pt.log(pt.sum(pt.exp(x))),
    "log(sum(exp(A)))": lambda: pt.log(pt.sum(pt.exp(A), axis=1)),
    "log(softmax(A))": lambda: pt.log(pt.special.softmax(A, axis=1)),
    "exp(A) / sum(exp(A))": lambda: pt.exp(A) / pt.exp(A).sum(axis=1, keepdims=True),
    "log(exp(A) / sum(exp(A)))": lambda: pt.log(pt.exp(A) / pt.exp(A).sum(axis=1, keepdims=True)),
    "log(exp(x) + exp(2 x))": lambda: pt.log(pt.exp(x) + pt.exp(2 * x)),
    "log(1 - exp(-abs(x)))": lambda: pt.log(1 - pt.exp(-pt.abs(x))),
    "log(erfc(x))": lambda: pt.log(pt.erfc(x)),
    "1 - erf(x)": lambda: 1 - pt.erf(x),
    "exp(tiny) - 1": lambda: pt.exp(x * 1e-18) - 1,
    "log(1 + tiny)": lambda: pt.log(1 + x * 1e-18),
    "log(exp(x) - exp(x - 1))": lambda: pt.log(pt.exp(x) - pt.exp(x - 1)),
    "log(exp(x) ** 2)": lambda: pt.log(pt.exp(x) ** 2),
    "log(sqrt(exp(x)))": lambda: pt.log(pt.sqrt(pt.exp(x))),
    "log(prod(exp(x)))": lambda: pt.log(pt.prod(pt.exp(x))),
    "sigmoid(x) exp(-x)": lambda: pt.sigmoid(x) * pt.exp(-x),
    "gradient of log(sum(exp(x)))": lambda: pt.grad(pt.log(pt.sum(pt.exp(x))), x),
    "gradient of log(1 + exp(x))": lambda: pt.grad(pt.log(1 + pt.exp(x)).sum(), x),
}


@pytest.mark.parametrize("name", NAIVE)
def test_naive_forms_are_stable(name: str) -> None:
    out = NAIVE[name]()
    given = [v for v in (x, A) if v in list(pytensor.graph.traversal.ancestors([out]))]
    values = [FAR if v is x else WIDE for v in given]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        ours, theirs = (function(given, out, mode=mode)(*values) for mode in ("TENSORDSL", OPTIMISED))
    finite = np.isfinite(theirs)  # older releases leave some as they are
    np.testing.assert_allclose(ours[finite], theirs[finite], rtol=1e-9)
    assert not np.isnan(ours).any()


def test_many_vectors_of_one_system_are_one_matrix() -> None:
    """Also where the system has axes of length 1, and where it has a batch of its own."""
    b, stack = pt.dmatrix("b"), pt.dtensor3("stack")
    vector = pt.dvector("vector")
    solved = [
        pt.linalg.solve_triangular(A, vector, lower=True, b_ndim=1),
        pt.linalg.solve(A, vector, b_ndim=1),
        pt.linalg.cho_solve((A, True), vector, b_ndim=1),
    ]
    system, many, batch = (
        np.tril(R.normal(size=(3, 3))) + 3 * np.eye(3),
        R.normal(size=(5, 3)),
        R.normal(size=(2, 5, 3)),
    )
    for one in solved:
        assert agrees([A, vector], [one], [system, many[0]]) == set()
        (of_many,) = vectorize_graph([one], {vector: b})
        assert agrees([A, b], [of_many], [system, many]) == set()
        assert function([A, b], of_many, mode="TENSORDSL")(system, many[:0]).shape == (0, 3)
        (of_batch,) = vectorize_graph([one], {vector: stack})
        assert agrees([A, stack], [of_batch], [system, batch]) == set()
        (of_both,) = vectorize_graph([one], {vector: b, A: stack})
        systems = np.stack([system + k * np.eye(3) for k in range(5)])
        assert agrees([stack, b], [of_both], [systems, many]) == set()


def test_gradients_through_a_batch_are_native() -> None:
    """They make triangles over the batch, by lengths of static types."""
    y = pt.tensor("y", shape=(7, 4), dtype="float64")
    L = pt.tensor("L", shape=(4, 4), dtype="float64")
    vector = pt.dvector("vector")
    one = pt.linalg.solve_triangular(L, vector, lower=True, b_ndim=1)
    (many,) = vectorize_graph([one], {vector: y})
    slope = pt.grad((many**2).sum(), L)
    system = np.tril(R.normal(size=(4, 4))) + 3 * np.eye(4)
    assert agrees([L, y], [many, slope], [system, R.normal(size=(7, 4))]) == set()


def test_checks_that_hold_are_none() -> None:
    from pytensor.raise_op import Assert

    kept = Assert("never")(x, pt.constant(True))
    assert agrees([x], [2 * kept], [FAR]) == set()
    failing = function([x], Assert("always")(x, pt.constant(False)), mode="TENSORDSL")
    with pytest.raises(AssertionError, match="always"):
        failing(FAR)
