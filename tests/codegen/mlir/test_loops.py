"""Loops as `scf.for` and `scf.while`: upstream MLIR runs them, with the oracles' results."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from mlir_upstream import AVAILABLE, REASON, Module
from optimised import optimised

import tensordsl
import tensordsl.tensor as T
from tensordsl import scan
from tensordsl.codegen.mlir import export as mlir
from tensordsl.codegen.mlir.dialect import equal, from_mlir, to_mlir
from tensordsl.codegen.tensor_ir.lower import lower
from tensordsl.ifelse import ifelse
from tensordsl.reference import evaluate
from tensordsl.scan_module import until

needs_upstream = pytest.mark.skipif(not AVAILABLE, reason=REASON)
x, M, W = T.dvector("x"), T.dmatrix("M"), T.dmatrix("W")
k, n = T.lvector("k"), T.lscalar("n")
rng = np.random.default_rng(3)
VALUES = {x: rng.random(4), M: rng.random((5, 4)), W: rng.random((4, 4)), k: np.array([0, 3, 1]), n: np.array(3)}


def recurrent() -> Any:
    return scan(lambda row, h: T.tanh(T.dot(h, W) + row), M, T.zeros_like(x))[0]


def nested() -> Any:
    return scan(lambda row: scan(lambda e, s: s * e + e, row, 1.0)[0][-1], M)[0]


def deep(level: int, s: Any) -> Any:
    if not level:
        return T.sin(s) + n
    return scan(lambda h: deep(level - 1, h), outputs_info=s, n_steps=2)[0][-1]


PROGRAMS: dict[str, Callable[[], list[Any]]] = {
    "sums": lambda: [scan(lambda a, s: s + a, x, 0.0)[0]],
    "several states and a map": lambda: scan(lambda r, s, t: [s + r, t * r, r.sum()], M, [x, x, None])[0],
    "states of int and complex": lambda: scan(
        lambda a, s, z: [s + T.cast(a * 3, "int64"), z * T.cast(a, "complex128")], x,
        [T.zeros((), "int64"), T.constant(1 + 2j)],
    )[0][:1],
    "a symbolic number": lambda: [scan(lambda s: s * 2, outputs_info=x, n_steps=n)[0]],
    "no rounds": lambda: [scan(lambda s: s * 2, outputs_info=x, n_steps=n - 3)[0]],
    "a negative number of rounds": lambda: [scan(lambda a, b: a * b, dict(input=x, taps=[-5, 0]))[0].shape[0]],
    "the last value": lambda: [scan(lambda s: s * x, outputs_info=T.ones_like(x), n_steps=n)[0][-1]],
    "taps": lambda: [scan(lambda s, t: s + t, outputs_info=dict(initial=M, taps=[-1, -3]), n_steps=n)[0]],
    "taps of sequences": lambda: [scan(lambda a, b: a * b, dict(input=x, taps=[-1, 2]))[0]],
    "backwards": lambda: [scan(lambda a, s: s * 2 + a, x, 0.0, go_backwards=True)[0]],
    "positions": lambda: [scan(lambda j, s: s + x[j], k, 0.0)[0]],
    "places": lambda: [scan(lambda j, s: T.inc_subtensor(s[j], 1.0), k, x)[0]],
    "a branch": lambda: [scan(lambda j, s: ifelse(T.lt(j, 2), s * 2, s + x), k, x)[0]],
    "recurrent": lambda: [recurrent()],
    "recurrent, gradient": lambda: [T.grad(recurrent()[-1].sum(), W)],
    "nested": lambda: [nested()],
    "nested, gradient": lambda: [T.grad(nested().sum(), M)],
    "nested ten deep": lambda: [deep(10, x)],
    "until": lambda: [scan(lambda s: (s * 2, until(s.sum() > 20)), outputs_info=x, n_steps=30)[0]],
    "until, gradient": lambda: [
        T.grad(scan(lambda s: (s * s + 0.5, until(s.sum() > 20)), outputs_info=x, n_steps=30)[0].sum(), x)
    ],
}  # fmt: skip


def exported(name: str) -> tuple[str, Any, list[Any]]:
    outputs = PROGRAMS[name]()
    lowered = optimised(lower(list(VALUES), [], outputs, []))
    return mlir.export(lowered), lowered, outputs


@pytest.mark.parametrize("name", PROGRAMS)
def test_the_dialects_text_goes_there_and_back(name: str) -> None:
    _, lowered, _ = exported(name)
    text = to_mlir(lowered.graph, lowered.outputs)
    graph, roots = from_mlir(text)
    assert equal(roots, lowered.outputs) and to_mlir(graph, roots) == text


@needs_upstream
@pytest.mark.parametrize("name", PROGRAMS)
def test_upstream_runs_loops_with_the_oracles_result(name: str) -> None:
    text, _, outputs = exported(name)
    got = Module(text).call([(o.type.dtype, o.type.ndim) for o in outputs], *VALUES.values())
    for mine, theirs in zip(got, evaluate(outputs, VALUES), strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("name, op", [("sums", "scf.for"), ("nested", "scf.for"), ("until", "scf.while")])
def test_loops_are_structured(name: str, op: str) -> None:
    assert op in exported(name)[0]


def test_functions_export_their_loops() -> None:
    s = tensordsl.shared(np.zeros(4), "s")
    values, updates = scan(lambda row: (row * s, {s: s + row}), M)
    f = tensordsl.function([M], values, updates=updates)
    for level in ("linalg", "tensordsl"):
        text = f.mlir(level)
        assert "scf.for" in text or level == "tensordsl"
