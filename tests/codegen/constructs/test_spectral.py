"""QR factors, singular values and eigenvalues by LAPACK: NumPy's results in every layout, failures, small stacks."""

from __future__ import annotations

import threading
from typing import Any

import numpy as np
import pytest
from hand_programs import build, kernel_addresses
from test_factorise import DTYPES, LAYOUTS, batches, kinds

import tensordsl
import tensordsl.tensor as T
from tensordsl.codegen.abi import layouts
from tensordsl.codegen.compiler.pipeline import make_program
from tensordsl.codegen.tensor_ir.construct import interpret
from tensordsl.graph.variables import apply
from tensordsl.ops.table import OPS
from tensordsl.runtime.interpreter import runner
from tensordsl.runtime.loading import library
from tensordsl.runtime.loading.layout import peek

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
TOLERANCE = {"float64": 1e-8, "float32": 3e-3}


def listed(x: Any) -> list[Any]:
    return list(x) if isinstance(x, list | tuple) else [x]


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
            a = rng.normal(size=(count, m, n)).astype(dtype)
            assert row.oracle is not None
            want = listed(row.oracle(a, **attrs))
            for layout in LAYOUTS.values():
                given = layout(a)
                found = [f(given), [y / 2 for y in g(given)], [h(given) for h in alone]]
                for results in found:
                    for got, wanted in zip(results, want, strict=True):
                        assert got.shape == wanted.shape and got.dtype == wanted.dtype
                        scale = max(1.0, float(np.abs(wanted).max(initial=0)))
                        np.testing.assert_allclose(got, wanted, rtol=0, atol=TOLERANCE[dtype] * scale)
                np.testing.assert_array_equal(given, a)


@pytest.mark.parametrize("name", ["svd", "eig", "eigvals"])
def test_a_matrix_that_does_not_converge_is_named(name: str) -> None:
    x = T.dtensor3("x")
    attrs = {"full_matrices": False} if name == "svd" else {}
    f = tensordsl.function([x], listed(apply(OPS[name], x, **attrs)))
    a = np.random.default_rng(1).normal(size=(3, 4, 4))
    f(a)
    a[2] = np.nan
    with pytest.raises(
        np.linalg.LinAlgError, match=r"matrix 2 of the batch .* did not converge(\n.*)*test_spectral.py"
    ):
        f(a)


def test_threads_with_small_stacks() -> None:
    x = batches("float64")
    outputs = [y for name, attrs in CASES for y in listed(apply(OPS[name], x, **attrs))]
    f = tensordsl.function([x], outputs)
    rng = np.random.default_rng(2)
    calls = [rng.normal(size=(int(k), int(n), int(n))) for k, n in rng.integers(1, (3, 60), (12, 2))]
    found: dict[int, Any] = {}

    def work(first: int) -> None:
        for k in range(first, len(calls), 4):
            found[k] = f(calls[k])

    size = threading.stack_size(1 << 16)
    try:
        threads = [threading.Thread(target=work, args=(first,)) for first in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        threading.stack_size(size)
    for k, a in enumerate(calls):
        for got, want in zip(found[k], f(a), strict=True):
            np.testing.assert_array_equal(got, want)


def test_the_plan_runner_gives_the_same() -> None:
    x = T.dtensor3("x")
    outputs = [y for name, attrs in CASES for y in listed(apply(OPS[name], x, **attrs))]
    real = [y for y in outputs if not y.type.dtype.startswith("complex")]
    a = np.random.default_rng(3).normal(size=(2, 3, 3))
    program = make_program("f", [x], [], real, [], False)[1]
    library.require("nest")
    executable = build(program)
    code = executable.load()
    nest = peek(library.table() + layouts.RT["run_nest"])
    plans = zip(program.plans, kernel_addresses(executable), strict=True)
    kernels = [runner.native_kernel(plan, addresses, nest) for plan, addresses in plans]
    got = runner.run(program, [a], (), kernels, library=interpret)
    for one, other in zip(got, tensordsl.function([x], real)(a), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-9, atol=1e-12)
    assert code is not None  # it must live as long


def test_they_are_exported_as_calls() -> None:
    x = T.dmatrix("x")
    for name, attrs in CASES:
        outputs = [y for y in listed(apply(OPS[name], x, **attrs)) if not y.type.dtype.startswith("complex")]
        if outputs:
            assert f"@host_{name}_" in tensordsl.function([x], outputs).mlir()


def test_complex_matrices_are_a_step_of_the_host() -> None:
    x, rng = T.zmatrix("x"), np.random.default_rng(4)
    a = rng.normal(size=(4, 4)) + 1j * rng.normal(size=(4, 4))
    for name, attrs in CASES:
        row = OPS[name]
        outputs = listed(apply(row, x, **attrs))
        assert "HostCall" in kinds([x], outputs) and row.oracle is not None
        for got, want in zip(tensordsl.function([x], outputs)(a), listed(row.oracle(a, **attrs)), strict=True):
            np.testing.assert_allclose(got, want, rtol=1e-9, atol=1e-12)
