"""The groups that the compiler makes of whole programs: the GPU's kernels against the CPU's, and their PTX."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from native import Runner
from simulated import SimulatedGroup

import tensordsl
import tensordsl.tensor as T
from tensordsl.codegen.bufferise import launches
from tensordsl.codegen.fusion.group import Group, buffers
from tensordsl.codegen.gpu import compile as ptx
from tensordsl.codegen.gpu.schedule import plan
from tensordsl.codegen.scalar_ir.builder import walk


def network() -> tuple[list[Any], Any]:
    """Cost and gradients of a layer, a hidden layer and a softmax regression."""
    x, t = T.fmatrix("x"), T.lvector("t")
    rng = np.random.default_rng(0)
    w1, w2 = (tensordsl.shared(rng.standard_normal((9, 9)).astype("float32")) for _ in range(2))
    b1, b2 = (tensordsl.shared(np.zeros(9, "float32")) for _ in range(2))
    p = T.nnet.softmax(T.dot(T.tanh(T.dot(x, w1) + b1), w2) + b2)
    cost = -T.mean(T.log(p)[T.arange(t.shape[0]), t])
    return [x, t], [cost, *T.grad(cost, [w1, b1, w2, b2])]


def normalised() -> tuple[list[Any], Any]:
    x, g = T.dmatrix("x"), T.dvector("g")
    d = x - x.mean(axis=1, keepdims=True)
    y = d / T.sqrt((d**2).mean(axis=1, keepdims=True) + 1e-5) * g
    return [x, g], [y, *T.grad((y**3).sum(), [x, g])]


def statistics() -> tuple[list[Any], Any]:
    x = T.fmatrix("x")
    y = x.sum(axis=0), x.max(axis=1), x.argmax(axis=0), x.var(axis=1), x.sum(), T.any(x > 3), x.prod(axis=1)
    return [x], [*y, T.exp(x), T.exp(x).sum()]


def integers() -> tuple[list[Any], Any]:
    i, k = T.lmatrix("i"), T.bvector("k")
    return [i, k], [i // 3 + k, i % (k + 4), i ^ k, T.eq(i, k).sum(axis=1), T.switch(i > 0, i, -k).min(axis=0)]


def halves() -> tuple[list[Any], Any]:
    x, y = (T.matrix(name, dtype="float16") for name in "xy")
    z = T.exp(x) * y + 1
    return [x, y], [z, z.sum(axis=1), T.max(x, axis=0), x.argmax(axis=1), T.cast(x, "int32"), x / T.sum(y), x > y]


PROGRAMS: list[Callable[[], tuple[list[Any], Any]]] = [network, normalised, statistics, integers, halves]


def groups_of(
    program: Callable[[], tuple[list[Any], Any]], monkeypatch: pytest.MonkeyPatch, empty: Path
) -> list[Group]:
    found: dict[int, Group] = {}
    usual = launches.plan_kernels

    def noting(group: Group, *rest: Any) -> Any:
        found[id(group)] = group
        return usual(group, *rest)

    monkeypatch.setattr(launches, "plan_kernels", noting)
    inputs, outputs = program()
    with tensordsl.config.change_flags(compiledir=str(empty)):  # a program from the cache has no groups
        tensordsl.function(inputs, outputs, on_unused_input="ignore")
    return list(found.values())


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda p: p.__name__)
def test_groups_of_programs_give_the_results_of_the_cpu(
    program: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    groups = groups_of(program, monkeypatch, tmp_path)
    assert groups
    for group in groups:
        check_group(group)
        assert ".visible .entry" in ptx.compile_group(group, "sm_75")


def check_group(group: Group) -> None:
    """The GPU's kernels on random operands against the CPU's."""
    rng = np.random.default_rng(1)
    used = [b for some in buffers(group) for b in some]
    symbols = [e for b in used for e in b.shape] + list(group.extents.values())
    symbols += [v.attr for v in walk(group.roots) if v.op == "extent"]
    lengths = {e: e if isinstance(e, int) else int(rng.integers(2, 40)) for e in dict.fromkeys(symbols)}
    arrays = {b.name: random_array(rng, tuple(lengths[e] for e in b.shape), b.type) for b in used}
    known = {e: n for e, n in lengths.items() if not isinstance(e, int)}
    expected = {k: v.copy() for k, v in arrays.items()}
    status = Runner(group)(expected, known)
    tolerance = max({"float16": 2e-3, "float32": 2e-5}.get(b.type, 1e-11) for b in used)
    run = SimulatedGroup(group)
    for order in ("forward", "shuffled", "greedy"):
        got = {k: v.copy() for k, v in arrays.items()}
        assert bool(run(got, order, known, multiprocessors=2)) == bool(status)
        for o in group.outs:
            name = o.buffer.name
            np.testing.assert_allclose(got[name], expected[name], rtol=tolerance, atol=tolerance, err_msg=name)


def random_array(rng: np.random.Generator, shape: tuple[int, ...], dtype: str) -> np.ndarray:
    """Integers are small: some are indices."""
    values = rng.standard_normal(shape) if dtype.startswith("float") else rng.integers(0, 2, size=shape)
    return np.asarray(values).astype(dtype)


def test_functions_of_a_narrowed_float64() -> None:
    """LLVM makes one narrowing of two, for which it calls a function on the simulator's host."""
    x = T.dscalar("x")
    y = T.erfc(T.arcsin(T.cast(x, "float16")))
    on_cpu = tensordsl.function([x], y)
    with tensordsl.config.change_flags(device="sim"):
        f = tensordsl.function([x], y)
    for value in (0.5, 0.1, 1e300, 2.0, 5e-324, np.nan):
        np.testing.assert_array_equal(f(value), on_cpu(value))


def test_cross_entropy_with_integer_targets_is_one_kernel(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def program() -> tuple[list[Any], Any]:
        x, t = T.fmatrix("x"), T.lvector("t")
        return [x, t], [T.nnet.categorical_crossentropy(T.nnet.softmax(x), t)]

    (group,) = groups_of(program, monkeypatch, tmp_path)
    (kernel,) = plan(group, held=False).kernels
    assert kernel.pattern == "rows"
    check_group(group)
