"""Every row of the op table and every example as MLIR: upstream verifies them all, and runs the elementwise rows."""

from __future__ import annotations

import importlib.util
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from checkout import ROOT
from mlir_upstream import AVAILABLE, REASON, Module, verify_many
from optimised import optimised
from test_op_rows import ELEMENTWISE, INNER, SERIES, arity, attributes, samples, some, spread, within

import tensordsl
import tensordsl.tensor as T
from tensordsl.codegen.constructs import HOLDS
from tensordsl.codegen.mlir import export as mlir
from tensordsl.codegen.tensor_ir.lower import lower
from tensordsl.graph import Kernel, Op, Reduction, apply
from tensordsl.ifelse import ifelse
from tensordsl.ops.array.arrange import fitting_mask
from tensordsl.ops.control import loop_index, make_loop, require
from tensordsl.ops.scalar_loop import scalar_loop
from tensordsl.ops.table import OPS
from tensordsl.tensor.signal.pool import pool_2d
from tensordsl.types import DISCRETE, DTYPES, FLOATS, TensorType

needs_upstream = pytest.mark.skipif(not AVAILABLE, reason=REASON)

OF_EXAMPLES = {"LogLikelihood", "LogLikelihoodGradient"}  # what an example computes with NumPy, as it shows how
FACTORS = {*HOLDS["factorise"].split(), *HOLDS["spectral"].split()}
CONVOLUTIONS = {"conv", "conv_inputs", "conv_weights"}  # of floats, by the library's kernels
BY_FACTORS = {"det", "expm", "lstsq", "matrix_inverse", "pinv", "slogdet", "solve"}  # rows that are made of those
HOSTED = sorted(
    name
    for name, row in OPS.items()
    if (isinstance(row.meaning, Kernel) and row.meaning.name in ("host", "print"))
    or name in {"sort", "argsort", "searchsorted"} | CONVOLUTIONS | FACTORS | BY_FACTORS
)
REDUCTIONS = [row for row in OPS.values() if isinstance(row.meaning, Reduction)]

# Upstream's mathematics is libm's, and its float32 functions are off by a few units at places.
LIBM_ULP = 8.0
NEAR_ZEROS = ("gammaln", "digamma")  # near their zeros the argument's own rounding changes more than the last place


def loop(x: Any, until: Any = None) -> Any:
    carried, i = x.type(), loop_index()
    condition = None if until is None else T.ge(i, until)
    following = [carried * 2 + T.cast(i, x.type.dtype)]
    return make_loop(3, i, [carried], [x], following, [carried], condition=condition)[-1]


x, A, k, c, s = T.dvector("x"), T.dmatrix("A"), T.lvector("k"), T.dscalar("c"), T.dscalar("s")
B = TensorType("float64", (None, None, None))("B")
OTHERS: dict[str, Callable[[], Any]] = {
    "shape_i": lambda: A.shape[1] + 1,
    "dimshuffle": lambda: A.dimshuffle(1, "x", 0),
    "reshape": lambda: A.reshape((-1, 2)),
    "broadcast_to": lambda: T.alloc(x, 2, x.shape[0]),
    "concatenate": lambda: T.concatenate([A, A * 2], axis=1),
    "arange": lambda: T.arange(x.shape[0]),
    "range_length": lambda: T.arange(c, 3.0),
    "fold": lambda: T.grad((T.alloc(x, 2, A.shape[1]) * A[0]).sum(), x),
    "dot": lambda: T.dot(A, x),
    "batched_dot": lambda: T.batched_dot(B, B),
    "pool": lambda: pool_2d(A, (2, 3), ignore_border=True),
    "pool_grad": lambda: T.grad(T.sqr(pool_2d(A, (2, 2), False, (1, 2), mode="sum")).sum(), A),
    "max_pool_grad": lambda: T.grad(T.sqr(pool_2d(A, (2, 2), True, (1, 1))).sum(), A),
    "max_pool_at": lambda: T.grad((T.grad(T.sqr(pool_2d(A, (2, 2), True)).sum(), A) * A).sum(), A),
    "subtensor": lambda: A[1:, ::-2],
    "inc_subtensor": lambda: T.inc_subtensor(A[0], x),
    "take": lambda: A[k, k],
    "cumsum": lambda: T.cumsum(A, axis=0) + T.cumsum(k),
    "cumprod": lambda: T.cumprod(B, axis=1),
    "true_positions": lambda: A[A > 0],
    "repeated_positions": lambda: T.repeat(x, k),
    "inc_take": lambda: T.inc_subtensor(x[k], 1.0),
    "specify_shape": lambda: T.specify_shape(A, (3, None)),
    "mask_shape": lambda: fitting_mask(x > 0, x),
    "require": lambda: require(x, c > 0, "c must be positive"),
    "softmax": lambda: T.nnet.softmax(A),
    "logsoftmax": lambda: T.nnet.logsoftmax(A),
    "ultra_fast_sigmoid": lambda: T.nnet.ultra_fast_sigmoid(x),
    "xlogx": lambda: T.xlogx.xlogx(x),
    "xlogy": lambda: T.xlogy(x, 2 * x),
    "polygamma": lambda: T.polygamma(2, x),
    "gammainc_moment": lambda: apply(OPS["gammainc_moment"], x, x, j=2),
    "betainc_moment": lambda: apply(OPS["betainc_moment"], x, x, x, j=1, k=1),
    "betaln": lambda: T.betaln(x, 2.0),
    "beta": lambda: T.beta(x, 2.0),
    "poch": lambda: T.poch(x, 2.0),
    "factorial": lambda: T.factorial(x),
    "zeta": lambda: T.zeta(x, 0.5),
    "expn": lambda: T.expn(2.0, x),
    "owens_t": lambda: T.owens_t(x, 0.5),
    "kve_by_order": lambda: apply(OPS["kve_by_order"], x, x, moment=1),
    "complex": lambda: abs(T.complex(x, x)),
    "real": lambda: T.real(T.exp(T.complex(x, x))),
    "imag": lambda: T.imag(T.complex(A, x) * T.complex(x, A)),
    "for": lambda: loop(x),
    "while": lambda: loop(x, until=2),
    "scalar_loop": lambda: scalar_loop(k, [s], [x], [s * 2.0 + 1.0], until=s > 3)[0],
    "ifelse": lambda: ifelse(c > 0, x, x * 2),
    "assert": lambda: T.opt.Assert("c is positive")(x, c > 0),
    **{
        name: lambda name=name: apply(OPS[name], x)
        for name in ("consider_constant", "zero_grad", "disconnected_grad", "undefined_grad")
    },
    "grad_clip": lambda: apply(OPS["grad_clip"], x, low=-1.0, high=1.0),
    "grad_scale": lambda: apply(OPS["grad_scale"], x, factor=2.0),
}


def applications(row: Op) -> Iterator[tuple[Any, list[Any], list[Any]]]:
    """(expression, its inputs, arguments with every special value) for each dtype that the row takes."""
    for dtype in DTYPES:
        for attrs in attributes(row):
            first = {"switch": "bool", "range_number": "int64"}.get(row.name, dtype)
            dtypes = [first, *[dtype] * (arity(row) - 1)]
            arrays = [samples(t, row) for t in dtypes]
            if row.name == "cast":
                arrays = [within(arrays[0], attrs["dtype"])]
            if row.name == "pow" and dtype in DISCRETE:
                arrays[1] = arrays[1][arrays[1] >= 0] if dtype != "bool" else arrays[1]
            arrays = (some if row.name in SERIES else spread)(arrays)
            inputs = [TensorType(t, (None,) * a.ndim)() for t, a in zip(dtypes, arrays, strict=True)]
            inputs = [
                TensorType(v.type.dtype, tuple(1 if n == 1 else None for n in a.shape))()
                for v, a in zip(inputs, arrays, strict=True)
            ]
            try:
                yield apply(row, *inputs, **attrs), inputs, arrays
            except TypeError:
                continue


@needs_upstream
@pytest.mark.parametrize("row", ELEMENTWISE, ids=lambda row: row.name)
def test_an_elementwise_row_gives_the_oracles_result_at_every_dtype(row: Op) -> None:
    cases = list(applications(row))
    functions = {f"f{n}": optimised(lower(inputs, [], [out], [])) for n, (out, inputs, _) in enumerate(cases)}
    module = Module(mlir.export_all(functions))
    assert cases
    for n, (out, _, arrays) in enumerate(cases):
        (got,) = module.call([(out.type.dtype, out.type.ndim)], *arrays, name=f"f{n}")
        with np.errstate(all="ignore"):
            want = np.asarray(row.oracle(*arrays, **out.owner.attrs))
        what = f"{row.name} of {[str(a.dtype) for a in arrays]} to {out.type.dtype}"
        assert got.dtype == want.dtype and got.shape == want.shape, what
        if want.dtype.kind != "f":
            np.testing.assert_array_equal(got, want, err_msg=what)
            continue
        with np.errstate(all="ignore"):
            units = max(row.ulp, LIBM_ULP) if row.ulp else 0
            size = np.abs(want) if row.name not in NEAR_ZEROS else np.maximum(np.abs(want), 1)
            near = np.abs(got - want) <= units * np.spacing(size)
        bad = ~(near | (got == want) | (np.isnan(got) & np.isnan(want)))
        at = [np.broadcast_to(a, want.shape)[bad][:4] for a in arrays]
        assert not bad.any(), f"{what}: got {got[bad][:4]}, wanted {want[bad][:4]} at {at}"


@needs_upstream
@pytest.mark.parametrize("row", REDUCTIONS, ids=lambda row: row.name)
def test_a_reduction_gives_the_oracles_result_at_every_dtype(row: Op) -> None:
    random = np.random.default_rng(3)
    call = getattr(T, row.name)
    cases, arrays = [], []
    for dtype in DTYPES:
        v = TensorType(dtype, (None, None))()
        try:
            cases.append(([v], call(v, axis=1)))
        except TypeError:
            continue
        low = -3 if dtype in FLOATS or dtype.startswith("int") else 0
        arrays.append(random.integers(low, 2 if dtype == "bool" else 4, (4, 5)).astype(dtype))
    functions = {f"f{n}": optimised(lower(inputs, [], [out], [])) for n, (inputs, out) in enumerate(cases)}
    module = Module(mlir.export_all(functions))
    for n, ((inputs, out), array) in enumerate(zip(cases, arrays, strict=True)):
        (got,) = module.call([(out.type.dtype, 1)], array, name=f"f{n}")
        want = out.eval({inputs[0]: array})
        assert got.dtype == want.dtype
        np.testing.assert_array_equal(got, want, err_msg=f"{row.name} of {array.dtype}")


@needs_upstream
def test_upstream_verifies_every_row_with_a_structured_form() -> None:
    """Elementwise rows and reductions are run above; here are the others.  Nothing is left out."""
    names = {row.name for row in (*ELEMENTWISE, *REDUCTIONS)}
    assert names | set(OTHERS) | set(HOSTED) | set(INNER) == set(OPS) and not set(HOSTED) & (names | set(OTHERS))
    texts = []
    for make in OTHERS.values():
        made = make()
        texts.append(mlir.export(optimised(lower([x, A, B, k, c], [], [made], []))))
    assert all("func.func private" not in text for text in texts)
    verify_many(texts)


def test_rows_without_a_structured_form_are_calls_that_the_docs_list() -> None:
    text = (ROOT / "docs" / "mlir.md").read_text()
    section = text.split("## What has no structured form")[1].split("\n## ")[0]
    assert sorted(re.findall(r"^\| `(\w+)` \|", section, re.M)) == HOSTED
    exported = mlir.export(optimised(lower([x], [], [T.sort(x)], [])))
    assert re.search(r"func.func private @host_sort_\d+\(tensor<\?xf64>\) -> \(tensor<\?xf64>\)", exported)


OWN = [path for path in sorted((ROOT / "examples").glob("*.py")) if not path.stem.startswith("pymc_")]


@needs_upstream
@pytest.mark.parametrize("path", OWN, ids=lambda path: path.stem)
def test_upstream_verifies_the_functions_of_an_example(path: Path, monkeypatch: Any) -> None:
    """The example runs, and each function that it compiles is exported."""
    made: list[Any] = []
    compile_function = tensordsl.function

    def recorded(*args: Any, **kwargs: Any) -> Any:
        made.append(compile_function(*args, **kwargs))
        return made[-1]

    monkeypatch.setattr(tensordsl, "function", recorded)
    options = ["--no-plots"] if path.stem == "mlp" else []
    monkeypatch.setattr(sys, "argv", [str(path), *options])
    specification = importlib.util.spec_from_file_location(f"example_{path.stem}", path)
    assert specification is not None and specification.loader is not None
    example = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(example)
    example.main()
    assert made
    verify_many([f.mlir(checks=checks) for f in made for checks in (False, True)])
    calls = {name for f in made for name in re.findall(r"func.func private @host_(\w+)_\d+\(", f.mlir())}
    assert calls <= FACTORS | CONVOLUTIONS | OF_EXAMPLES
