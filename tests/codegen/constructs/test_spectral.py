"""QR factors, singular values and eigenvalues by LAPACK: NumPy's results in every layout, failures, small stacks."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from factor_cases import DTYPES, LAYOUTS, batches, by_the_plan_runner, close, in_threads, kinds, listed, numbers

import tensordsl
import tensordsl.tensor as T
from tensordsl.graph.variables import apply
from tensordsl.ops.table import OPS

CASES: list[tuple[str, dict[str, Any]]] = [
    ("qr", {"mode": "reduced"}),
    ("qr", {"mode": "complete"}),
    ("svd", {"full_matrices": False}),
    ("svd", {"full_matrices": True}),
    ("svdvals", {}),
    ("eigh", {"lower": True}),
    ("eigh", {"lower": False}),
    ("eigvalsh", {"lower": True}),
    ("eigvalsh", {"lower": False}),
    ("eig", {}),
    ("eigvals", {}),
]
SIDES = (0, 1, 2, 3, 8, 33)
SHAPES = [(3, 5), (5, 3), (1, 4), (4, 1), (0, 3), (3, 0), (20, 33), (50, 12)]  # of what need not be square


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("name", "attrs"), CASES, ids=lambda x: str(x))
def test_results_are_numpys(name: str, attrs: dict[str, Any], dtype: str) -> None:
    x, rng, row = batches(dtype), np.random.default_rng(0), OPS[name]
    outputs = listed(apply(row, x, **attrs))
    assert "HostCall" not in kinds([x], outputs)
    f, g = tensordsl.function([x], outputs), tensordsl.function([x], [y * 2 for y in outputs])
    alone = [tensordsl.function([x], y) for y in outputs]
    for m, n in [*((n, n) for n in SIDES), *([] if name.startswith("eig") else SHAPES)]:
        for count in (0, 1, 3):
            a = numbers(rng, dtype, count, m, n)
            assert row.oracle is not None
            want = listed(row.oracle(a, **attrs))
            for layout in LAYOUTS.values():
                given = layout(a)
                found = [f(given), [y / 2 for y in g(given)], [h(given) for h in alone]]
                for results in found:
                    for got, wanted in zip(results, want, strict=True):
                        close(got, wanted, wanted.dtype.name, 1e-8, 3e-3)
                np.testing.assert_array_equal(given, a)


@pytest.mark.parametrize("dtype", ["float64", "complex128"])
@pytest.mark.parametrize("name", ["svd", "eig", "eigvals"])
def test_a_matrix_that_does_not_converge_is_named(name: str, dtype: str) -> None:
    x = batches(dtype)
    attrs = {"full_matrices": False} if name == "svd" else {}
    f = tensordsl.function([x], listed(apply(OPS[name], x, **attrs)))
    a = numbers(np.random.default_rng(1), dtype, 3, 4, 4)
    f(a)
    a[2] = np.nan
    with pytest.raises(
        np.linalg.LinAlgError, match=r"matrix 2 of the batch .* did not converge(\n.*)*test_spectral.py"
    ):
        f(a)


@pytest.mark.parametrize("dtype", ["float64", "complex128"])
def test_threads_with_small_stacks(dtype: str) -> None:
    x = batches(dtype)
    f = tensordsl.function([x], [y for name, attrs in CASES for y in listed(apply(OPS[name], x, **attrs))])
    rng = np.random.default_rng(2)
    calls = [(numbers(rng, dtype, int(k), int(n), int(n)),) for k, n in rng.integers(1, (3, 60), (12, 2))]
    for (a,), found in zip(calls, in_threads(f, calls), strict=True):
        for got, want in zip(found, f(a), strict=True):
            np.testing.assert_array_equal(got, want)


def test_the_plan_runner_gives_the_same() -> None:
    x = T.dtensor3("x")
    outputs = [y for name, attrs in CASES for y in listed(apply(OPS[name], x, **attrs))]
    real = [y for y in outputs if not y.type.dtype.startswith("complex")]
    by_the_plan_runner([x], real, [np.random.default_rng(3).normal(size=(2, 3, 3))])


def test_they_are_exported_as_calls() -> None:
    x = T.dmatrix("x")
    for name, attrs in CASES:
        outputs = [y for y in listed(apply(OPS[name], x, **attrs)) if not y.type.dtype.startswith("complex")]
        if outputs:
            assert f"@host_{name}_" in tensordsl.function([x], outputs).mlir()
