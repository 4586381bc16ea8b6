"""The exported modules: upstream MLIR verifies, lowers and runs them, with the oracle's results."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
from mlir_upstream import AVAILABLE, REASON, Module, run, tool, verify_many
from optimised import optimised

import tensordsl.tensor as T
from tensordsl.codegen.mlir import export as mlir
from tensordsl.codegen.mlir.dialect import MlirParseError, equal, from_mlir, to_mlir
from tensordsl.codegen.tensor_ir.lower import lower
from tensordsl.gradient import grad, hessian, jacobian
from tensordsl.ifelse import ifelse
from tensordsl.ops.control import loop_index, make_loop
from tensordsl.reference import evaluate
from tensordsl.types import TensorType

needs_upstream = pytest.mark.skipif(not AVAILABLE, reason=REASON)

x, b = T.dvectors("x", "b")
A, B = T.dmatrices("A", "B")
c, k, i = T.dscalar("c"), T.lvector("k"), T.lscalar("i")
f = T.fmatrix("f")
rng = np.random.default_rng(7)
VALUES = {
    x: rng.random(3) + 0.1, b: rng.random(4), A: rng.random((4, 3)), B: rng.random((3, 5)), c: np.array(-1.0),
    k: np.array([0, 2, -1]), i: np.array(2), f: rng.random((5, 3)).astype("float32"),
}  # fmt: skip
s = TensorType("float64", (3, 4))("s")
VALUES[s] = rng.random((3, 4))


def twins(x: Any) -> list[Any]:
    """Both carried values are one value of the body; the first is then changed."""
    v, w = x.type(), x.type()
    first, second = make_loop(2, loop_index(), [v, w], [x, x], [v * w, v * w], [])
    return [T.set_subtensor(first[0], 5.0), T.inc_subtensor(first[T.constant([0, 0])], 1.0), second * 2]


def stepped(A: Any) -> Any:
    """What the body makes is known to have three columns, what it starts with is not."""
    v = A.type()
    return make_loop(2, loop_index(), [v], [A], [T.concatenate([v[:, :1], v[:, 1:2], v[:, 2:3]], axis=1)], [])[0]


PROGRAMS: dict[str, Callable[[], tuple[Sequence[Any], Sequence[Any]]]] = {
    "elementwise": lambda: ([x], [T.exp(-(x**2)) * T.sin(x) + T.tanh(x), T.nnet.sigmoid(x), T.erf(x), T.gammaln(x)]),
    "float32": lambda: ([f], [T.exp(f) + 1, f.sum(axis=0), T.nnet.softplus(f)]),
    "integers": lambda: (
        [k, i],
        [k // (i - 2), k % 3, -k, k * i, abs(k), T.cast(k, "float32"), T.cast(k, "uint8"), k > i],
    ),
    "casts": lambda: ([x], [T.cast(x * 100 - 20, "int32"), T.cast(x * 10, "uint8"), T.cast(x > 0.5, "float32")]),
    "affine": lambda: ([A, x, b], [T.dot(A, x) + b, T.sum(A**2), T.dot(x, x), T.dot(A.T, b)]),
    "matmul": lambda: ([A, B], [T.dot(A, B), T.dot(B.T, A.T)]),
    "integer dot": lambda: ([k], [T.dot(k, k)]),
    "softmax": lambda: ([A], [T.nnet.softmax(A)]),
    "reductions": lambda: (
        [A],
        [A.var(axis=0), A.mean(), A.max(axis=1), A.min(), T.argmax(A, axis=1), A.prod(axis=0), T.any(A > 2)],
    ),
    "layer norm": lambda: (
        [A, x],
        [(A - A.mean(axis=1, keepdims=True)) / T.sqrt(A.var(axis=1, keepdims=True) + 1e-5) * x],
    ),
    "cross-entropy": lambda: ([A, k], [-T.log(T.nnet.softmax(A[:3]))[T.arange(3), k]]),
    "shapes": lambda: ([A], [A.reshape((-1,)), A.T + 1, A.dimshuffle(0, "x", 1), A.reshape((2, 2, 3)), A.shape]),
    "slices": lambda: ([x, i], [x[i], x[:i], x[i:], x[::-1], x[::2], x[-2], T.concatenate([x, x * 2])]),
    "set slices": lambda: (
        [A, x],
        [T.set_subtensor(A[1], x), T.inc_subtensor(A[:2, ::2], 1.0), T.set_subtensor(A[::-2], x)],
    ),
    "slice gradients": lambda: ([x], [grad(T.sum(x[1:] ** 2), x), grad(x[::2].sum() * x[0], x)]),
    "gather": lambda: ([A, k], [A[k], A[k].sum(axis=1), T.exp(A)[k], A[T.arange(3), k]]),
    "scatter": lambda: (
        [x, k, A, b],
        [
            T.inc_subtensor(x[k], 2.0),
            T.set_subtensor(A[k], x),
            grad(T.sum(A[k, k - 1] ** 2), A),
            T.inc_subtensor(A[:, k], A),
            T.inc_subtensor(T.cast(x, "int8")[k], 1),
            T.inc_subtensor((x > 0.5)[k], True),
        ],
    ),
    "running sums and products": lambda: (
        [x, k, A],
        [
            T.cumsum(A, 0),
            T.cumsum(A),
            T.cumprod(A, 1),
            T.cumsum(T.cast(k, "int8")),
            T.cumsum(A > 0, 1),
            T.cumsum(x[:0]),
        ],
    ),
    "positions": lambda: ([x, k, A], [A[A > 0], T.stack((A < 0.5).nonzero()), x[x > 9], T.repeat(k, abs(k))]),
    "jacobian": lambda: ([A, x, b], [jacobian(T.tanh(T.dot(A, x) + b), x)]),
    "hessian": lambda: ([x], [hessian(T.sum(x**3) * T.sum(x), x)]),
    "branch": lambda: ([c, x], [ifelse(c > 0, T.exp(x), x * 2), ifelse(c < 0, x[1:], x)]),
    # Once refused, or computed wrongly; the reason stands beside each.
    "an empty slice that starts behind the end": lambda: ([s], [s[:, 4:9], T.set_subtensor(s[3:], 1.0)]),
    "a slice of an axis of length 0": lambda: ([s, i], [s[:, :0][:, :i], T.concatenate([s[:0], s[3:]], axis=0)]),
    "indexed axes beside axes of length 1": lambda: ([A], [A.dimshuffle("x", 0, 1)[:, 1], A[:1, :1][0], A[1:2][:, 0]]),
    "log1p and expm1 of tiny numbers": lambda: ([x], [T.log1p(x * 1e-30), T.expm1(x * 1e-30), T.log1p(x * 1e-300)]),
    "one value as two results of a loop, one changed in place": lambda: ([x], twins(x)),
    "the length of a branch's result alone": lambda: ([c, x], [ifelse(c > 0, x, x[1:]).shape[0]]),
    "a branch whose shape a later check forbids": lambda: ([c, A], [T.dot(ifelse(c < 0, A[:, :1], A), A[:1, :1])]),
    "a remainder by infinity": lambda: ([x], [x // -np.inf, (-x) % np.inf, x // np.inf]),
    "starting values and results of other static shapes": lambda: ([A], [stepped(A)]),
}


def exported(name: str) -> tuple[str, Sequence[Any], Sequence[Any], Any]:
    inputs, outputs = PROGRAMS[name]()
    lowered = optimised(lower(inputs, [], outputs, []))
    return mlir.export(lowered), inputs, outputs, lowered


@needs_upstream
@pytest.mark.parametrize("name", PROGRAMS)
def test_upstream_runs_the_export_with_the_oracles_result(name: str) -> None:
    text, inputs, outputs, _ = exported(name)
    got = Module(text).call([(o.type.dtype, o.type.ndim) for o in outputs], *(VALUES[v] for v in inputs))
    for mine, theirs in zip(got, evaluate(outputs, {v: VALUES[v] for v in inputs}), strict=True):
        tolerance = 1e-5 if mine.dtype == np.float32 else 1e-12
        np.testing.assert_allclose(mine, theirs, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("name", PROGRAMS)
def test_the_dialects_text_goes_there_and_back(name: str) -> None:
    lowered = exported(name)[3]
    text = to_mlir(lowered.graph, lowered.outputs)
    graph, roots = from_mlir(text)
    assert equal(roots, lowered.outputs)
    assert to_mlir(graph, roots) == text


@needs_upstream
def test_upstream_reads_the_dialect() -> None:
    texts = []
    for name in PROGRAMS:
        lowered = exported(name)[3]
        texts.append(to_mlir(lowered.graph, lowered.outputs))
    run([str(tool("mlir-opt")), "-allow-unregistered-dialect", "--split-input-file"], "\n// -----\n".join(texts))


@needs_upstream
def test_checks_stop_a_call_that_the_function_would_refuse() -> None:
    """cf.assert aborts the process: so it runs in one of its own."""
    text = mlir.export(optimised(lower([x, b], [], [(x + b)[2]], [])), checks=True)
    assert text.count("cf.assert") == 2
    (total,) = Module(text).call([("float64", 0)], np.arange(3.0), np.arange(3.0))
    assert total == 4.0
    for first, second, message in ((3, 4, "lengths of a shared axis"), (2, 2, "index 2 is out of bounds")):
        code = (
            f"import sys; sys.path[:0] = {sys.path!r}\nimport numpy as np\nfrom mlir_upstream import Module\n"
            f"Module({text!r}).call([('float64', 0)], np.zeros({first}), np.zeros({second}))\nprint('went on')"
        )
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
        assert done.returncode == -signal.SIGABRT and "went on" not in done.stdout
        assert message in done.stdout + done.stderr


@needs_upstream
def test_what_a_branch_alone_needs_is_checked_in_it() -> None:
    text = mlir.export(optimised(lower([c, x, i], [], [ifelse(c > 0, x[i], x[0] * 0)], [])), checks=True)
    inside = text.split("scf.if")[1].split("} else {")
    assert "cf.assert" in inside[0]
    (value,) = Module(text).call([("float64", 0)], np.array(-1.0), np.ones(3), np.array(7))
    assert value == 0.0


@needs_upstream
def test_a_module_with_updates_returns_them() -> None:
    outputs, updates = [x.sum()], [(b, b + x[0])]
    text = mlir.export(optimised(lower([x], [b], outputs, updates)))
    verify_many([text])
    total, new = Module(text).call([("float64", 0), ("float64", 1)], VALUES[x], VALUES[b])
    np.testing.assert_allclose(total, VALUES[x].sum())
    np.testing.assert_allclose(new, VALUES[b] + VALUES[x][0])


@pytest.mark.parametrize(
    "text",
    ["", "module {\n}", 'module {\n  "tensordsl.func"() ({', '"arith.addf"(%0, %1) : (f64, f64) -> f64', "nonsense"],
)
def test_what_is_not_ours_is_refused(text: str) -> None:
    with pytest.raises(MlirParseError):
        from_mlir(text)
