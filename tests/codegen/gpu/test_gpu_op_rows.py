"""Every row of the op table that is a kernel: on the simulator against the row's oracle, and assembled by ptxas."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from simulated import SimulatedGroup
from test_gpu_compile import ASSEMBLED, assemble, needs_ptxas
from test_gpu_programs import check_group, groups_of
from test_op_rows import ELEMENTWISE as ROWS
from test_op_rows import FLOATING, arity, assert_close, samples, signatures, spread, wanted_dtype, within

import tensordsl.tensor as T
from tensordsl import gradient as G
from tensordsl.codegen.fusion.group import Buffer, Group, Out
from tensordsl.codegen.gpu import compile as ptx
from tensordsl.codegen.gpu.kernels import module_text
from tensordsl.codegen.gpu.schedule import plan
from tensordsl.codegen.scalar_ir.builder import Builder, walk
from tensordsl.codegen.scalar_ir.math import FUNCTIONS
from tensordsl.graph import Elementwise, Op, Reduction
from tensordsl.ops.table import OPS
from tensordsl.runtime.driver.simulator import ORDERS
from tensordsl.types import DTYPES

ELEMENTWISE = {row.name: row for row in ROWS}
REDUCTIONS = {name: row for name, row in OPS.items() if isinstance(row.meaning, Reduction)}
MIXED = {("int8", "float32"), ("uint8", "int64"), ("bool", "int16"), ("uint64", "int64"), ("float32", "float64")}
JUDGED = ORDERS[:3]
LARGE = [30.0, -7.0, 1e5, -3e7, 1e10]  # where functions have another form
NEAR_ZEROS = {"gammaln": 64, "digamma": 64}  # their units are larger next to their zeros: `Function.slope`


def chosen(row: Op) -> list[tuple[tuple[str, ...], dict[str, Any]]]:
    """(dtypes, attrs): every dtype, of several operands some mixtures; functions of floats once per float type."""
    if row.name == "cast":
        return [((t,), {"dtype": u}) for t in DTYPES for u in DTYPES if t != u]
    if row.name == "range_number":
        return [(("int64", t, t), {"dtype": t}) for t in ("float16", "float32", "float64")]
    if arity(row) > 3:  # numbers by rejection
        return [(dtypes, {}) for dtypes in signatures(row) if wanted_dtype(row, dtypes) is not None][-4:]
    some = []
    for dtypes in signatures(row):
        same = len(set(dtypes[-2:])) == 1 and dtypes[0] in (dtypes[-1], "bool")
        floating = row.name not in FLOATING or dtypes[0] in ("float16", "float32", "float64", "int64")
        if wanted_dtype(row, dtypes) is not None and (same or dtypes in MIXED) and floating:
            some.append((dtypes, {}))
    return some


def elementwise_group(row: Op, dtypes: tuple[str, ...], attrs: dict[str, Any], name: str) -> Group:
    """The row at every pair of elements: operand k along axis k; of many operands along one axis."""
    assert isinstance(row.meaning, Elementwise)
    b, names = Builder(), "ijklmn"[: len(dtypes)]
    axes = names if len(names) <= 3 else "i"
    along = [a if a in axes else "i" for a in names]
    loads = [b.load(Buffer(n, t, (f"n{a}",)), a) for n, a, t in zip(names, along, dtypes, strict=True)]
    casts = [b.cast(v, t) for v, t in zip(loads, row.meaning.loop(*dtypes), strict=True)]
    lengths = {a: f"n{a}" for a in axes}
    value = b.row(row, row.dtype(*dtypes, **attrs), casts, attrs)
    out = Out(Buffer("out", value.type, tuple(lengths.values())), tuple(axes), value)
    return Group(name, lengths, tuple(axes), (out,))


@pytest.mark.parametrize("row", ELEMENTWISE.values(), ids=ELEMENTWISE)
def test_elementwise_rows_are_their_oracles(row: Op) -> None:
    some = chosen(row)
    assert len(some) >= 2 and arity(row) == len(some[0][0])
    groups = [elementwise_group(row, *signature, f"g{k}") for k, signature in enumerate(some)]
    text = module_text([k for g in groups for k in plan(g).kernels])
    first = SimulatedGroup(groups[0], text)
    for group, (dtypes, attrs) in zip(groups, some, strict=True):
        run = first.another(group)
        arrays = [samples(t, row) for t in dtypes]
        if row.name in FUNCTIONS and dtypes[0].startswith("float"):
            with np.errstate(over="ignore"):
                arrays[0] = np.append(arrays[0], LARGE).astype(dtypes[0])
        if row.name == "cast":
            arrays = [within(arrays[0], attrs["dtype"])]
        if len(arrays) == 3:
            arrays = [a[:: 2 if a.dtype != "bool" else 1] for a in arrays]
        if len(arrays) > 3:
            arrays = [np.ascontiguousarray(a).ravel() for a in np.broadcast_arrays(*spread(arrays))]
        placed = [a.reshape((-1,) + (1,) * (min(len(arrays), 3) - 1 - k)) for k, a in enumerate(arrays)]
        placed = placed if len(arrays) <= 3 else arrays
        with np.errstate(all="ignore"):
            want = np.asarray(row.oracle(*placed, **attrs))
        named = dict(zip("ijklmn", arrays, strict=False))
        for order in JUDGED:
            got = np.zeros(want.shape, group.outs[0].buffer.type)
            assert run(named | {"out": got}, order) == 0
            assert_close(got, want, row.ulp * NEAR_ZEROS.get(row.name, 1), f"{row.name}{dtypes}{attrs} {order}")


def reduced(row: Op, dtype: str) -> list[tuple[Group, tuple[int, ...], dict[str, Any]]]:
    """(group, axes, attrs) of a matrix reduced along rows, along columns, and to one value."""
    assert isinstance(row.meaning, Reduction)
    lengths, result = {"i": "n", "j": "m"}, []
    for k, (kept, axes) in enumerate((("i", "j"), ("j", "i"), ("", "ij"))):
        if row.meaning.with_index and len(axes) > 1:
            continue  # a position is that along one axis
        numbers = tuple("ij".index(a) for a in axes)
        attrs: dict[str, Any] = {"axis": numbers}
        if row.name in ("sum", "prod"):
            attrs |= dict.fromkeys(("dtype", "acc_dtype"), "int64" if dtype == "bool" else dtype)
        b = Builder()
        (loop,) = row.meaning.loop(dtype, **attrs)
        x = b.wide(b.cast(b.load(Buffer("x", dtype, ("n", "m")), "i", "j"), loop))
        arguments = (x, b.index(axes)) if row.meaning.with_index else (x,)
        value = b.reduce(row.meaning.reducer, tuple(axes), *arguments)[row.meaning.results[0]]
        value = b.cast(value, row.dtype(dtype, **attrs))
        out = Out(Buffer("out", value.type, tuple(lengths[a] for a in kept)), tuple(kept), value)
        name, order = f"{row.name}_{dtype}_{k}", [*kept, *axes]
        result.append((Group(name, {a: lengths[a] for a in order}, tuple(kept), (out,)), numbers, attrs))
    return result


@pytest.mark.parametrize("row", REDUCTIONS.values(), ids=REDUCTIONS)
def test_reductions_are_their_oracles(row: Op) -> None:
    rng = np.random.default_rng(6)
    cases = [(dtype, *case) for dtype in DTYPES for case in reduced(row, dtype)]
    text = module_text([k for _, group, _, _ in cases for k in plan(group, two_stages=stages(group)).kernels])
    first = SimulatedGroup(cases[0][1], text, stages(cases[0][1]))
    for dtype, group, _, attrs in cases:
        run = first.another(group, stages(group))
        for shape in ((4, 37), (35, 3), (3, 1100)):
            x = drawn(rng, shape, dtype, row)
            if row.name in ("max", "min", "argmax", "argmin") and dtype.startswith("float"):
                x[1, 2] = np.nan
            want = row.oracle(x, **attrs)
            bits = set()
            for order in JUDGED:
                got = np.zeros(want.shape, group.outs[0].buffer.type)
                assert run({"x": x, "out": got}, order) == 0
                assert_close(got, want, row.ulp, f"{group.name} {shape} {order}")
                bits.add(got.tobytes())
            assert len(bits) == 1


def stages(group: Group) -> bool:
    """Two for one value only: `test_gpu_kernels` has those of rows and columns."""
    return not group.parallel


def drawn(rng: np.random.Generator, shape: tuple[int, int], dtype: str, row: Op) -> np.ndarray:
    if dtype.startswith("float"):
        return rng.uniform(0.5, 1.5, shape).astype(dtype)
    return rng.integers(0, 2 if dtype == "bool" or row.name in ("any", "all") else 5, shape).astype(dtype)


def test_the_examples_are_rows() -> None:
    """Other rows are made of these, or are constructs with a buffer of their own: products, scattering, the host's."""
    assert set(EXAMPLES) <= set(OPS)


x, v, t, k = T.dmatrix("x"), T.dvector("v"), T.lvector("t"), T.lscalar("k")
EXAMPLES: dict[str, Callable[[], Any]] = {
    "dimshuffle": lambda: x.T + v.dimshuffle(0, "x"),
    "specify_shape": lambda: T.specify_shape(x, (3, None)) * 2,
    "softmax": lambda: T.nnet.softmax(x),
    "logsoftmax": lambda: T.nnet.logsoftmax(x),
    "ultra_fast_sigmoid": lambda: T.nnet.ultra_fast_sigmoid(x),
    "xlogx": lambda: T.xlogx.xlogx(x),
    "xlogy": lambda: T.xlogy(x, 2 * x),
    "consider_constant": lambda: T.grad((x * G.consider_constant(x)).sum(), x),
    "zero_grad": lambda: G.zero_grad(x) * 3,
    "disconnected_grad": lambda: G.disconnected_grad(x) * 3,
    "undefined_grad": lambda: G.undefined_grad(x) * 3,
    "grad_clip": lambda: T.grad((G.grad_clip(x, -1, 1) ** 3).sum(), x),
    "grad_scale": lambda: T.grad((G.grad_scale(x, 0.5) ** 3).sum(), x),
    "shape_i": lambda: x / x.shape[1],
    "broadcast_to": lambda: T.exp(T.alloc(v, k, v.shape[0])),
    "concatenate": lambda: T.concatenate([x, x[::-1]], axis=1),
    "arange": lambda: T.arange(k) * v[0],
    "subtensor": lambda: [x[::k, 1:] * 2, x[k:, ::-2] + 1],
    "inc_subtensor": lambda: [T.inc_subtensor(x[::2, 1:], 1.0), T.set_subtensor(x[1], v[0])],
    "take": lambda: [x[T.arange(t.shape[0]) % 2, t % 2] + 1, T.switch(T.ge(t, 0), x[t % 2, 0], 0.0)],
}


@pytest.mark.parametrize("name", EXAMPLES)
def test_other_rows_give_what_the_cpu_gives(name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def program() -> tuple[list[Any], Any]:
        built = EXAMPLES[name]()
        return [x, v, t, k], built if isinstance(built, list) else [built]

    for group in groups_of(program, monkeypatch, tmp_path):
        check_group(group)


# -- PTX -------------------------------------------------------------------------------------------------------------
def typical(row: Op) -> Group:
    """The row's group that ptxas sees: of float32 where it takes that.  A function at one point: in a wide kernel it
    stands five times, which `test_gpu_compile` has."""
    if isinstance(row.meaning, Reduction):
        return reduced(row, "bool" if row.name in ("any", "all") else "float32")[0][0]
    for dtypes, attrs in sorted(chosen(row), key=lambda s: s[0][-1] != "float32"):
        group = elementwise_group(row, dtypes, attrs, f"row_{row.name}")
        return pointwise(group) if row.name in FUNCTIONS else group
    raise AssertionError(row)


def pointwise(group: Group) -> Group:
    """The same of 0-d operands."""
    b, values = Builder(), {}
    for v in walk(group.roots):
        args = [values[id(a)] for a in v.args]
        is_load = v.op == "load"
        values[id(v)] = b.load(Buffer(v.attr[0].name, v.type, ())) if is_load else b.make(v.op, v.type, args, v.attr)
    outs = tuple(Out(Buffer("out", o.buffer.type, ()), (), values[id(o.value)]) for o in group.outs)
    return Group(group.name, {}, (), outs)


@cache
def assembled(folder: Path) -> tuple[dict[str, set[str]], list[dict[str, int]]]:
    """Row -> its kernels, and for each target the registers of every kernel.

    All rows are one text: to start ptxas takes longer than a kernel.
    """
    kernels = {name: plan(typical(row)).kernels for name, row in (ELEMENTWISE | REDUCTIONS).items()}
    text = module_text([k for some in kernels.values() for k in some])
    texts = [ptx.compile_text(text, target) for target in ASSEMBLED]
    with ThreadPoolExecutor(2) as pool:
        registers = list(pool.map(assemble, texts, ASSEMBLED, [folder] * len(texts)))
    return {name: {k.name for k in some} for name, some in kernels.items()}, registers


@needs_ptxas
@pytest.mark.parametrize("name", ELEMENTWISE | REDUCTIONS)
def test_rows_assemble_without_spills(name: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    kernels, registers = assembled(tmp_path_factory.getbasetemp())
    assert all(kernels[name] <= set(some) for some in registers) and len(registers) == len(ASSEMBLED)
