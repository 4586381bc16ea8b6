"""Kernels that the library has: which programs take them, and that these compute the same."""

from __future__ import annotations

import re
from functools import partial

import numpy as np
import pytest
from tuned import HERE

import tensordsl
import tensordsl.tensor as T
from tensordsl.codegen.abi import layouts
from tensordsl.codegen.compiler.modules import common_kernels, common_name, module_text
from tensordsl.codegen.compiler.pipeline import compile_graph, make_program
from tensordsl.codegen.compiler.precompiled_kernels import FUNCTIONS, common_text
from tensordsl.runtime.loading import elf, library
from tensordsl.runtime.loading.executable import Executable

x, y = T.dvectors("x", "y")
X, Y = T.fmatrices("X", "Y")


def plans(inputs, outputs):
    _, program, _ = make_program("f", inputs, [], outputs, [], len(outputs) == 1)
    return [plan.kernels for plan in program.plans]


@pytest.fixture(scope="module")
def names():
    tensordsl.function([x], x * 2)  # the library is ready
    return library.kernels(layouts.COMMON.values())


@pytest.mark.parametrize(
    "value",
    [x.sum(), x.mean(), x.max(), (x**2).sum(), (X * Y).sum(), x + y, x * y, X - Y, X + X[0], X.sum(), T.tanh(X + X[0])],
)
def test_what_the_library_has_is_not_compiled(value, names):
    inputs = [v for v in (x, y, X, Y) if v in tensordsl.graph.ancestors([value])]
    made = plans(inputs, [value])
    known = common_kernels(made, names)
    assert known and known.keys() == {s for p in made for s in p.symbols if len(p.symbols) < 4}
    text = module_text(made, known)
    assert not any(f"@{symbol}(" in text for symbol in known)


def test_a_program_of_library_kernels_alone_compiles_no_kernel(names):
    asked = []
    made = compile_graph(
        "f", [x], [], [x.sum()], [], True, kernel_object=lambda *text: asked.append(text) or b"", common=names
    )
    assert asked == [] and made.kernels == b""
    assert all(symbol.startswith(layouts.COMMON_KERNEL) for symbols, _ in made.meta["plans"] for symbol in symbols)
    compiled_itself = compile_graph("f", [x], [], [x.sum()], [], True)
    assert not any(symbol in names for symbols, _ in compiled_itself.meta["plans"] for symbol in symbols)


def test_no_kernel_is_made_of_a_plan_that_the_library_has(names, monkeypatch):
    """Nor of one whose results only its program reads; the descriptors are those that programs make."""
    for value in (X + Y, T.tanh(X + X[0]), X.sum(), T.dot(T.tanh(X + X[0]), Y)):
        own = compile_graph("f", [X, Y], [], [value], [], True, common=names)
        with monkeypatch.context() as patch:
            patch.setattr("tensordsl.codegen.cpu.planner._Planner.run", None)
            taken = compile_graph(
                "f", [X, Y], [], [value], [], True, common=names, common_plan=partial(library.plan, names)
            )
        assert taken.meta == own.meta and taken.constants == own.constants and taken.kernels == b""


def test_the_library_has_plans_of_small_groups_alone():
    for function, shapes in FUNCTIONS:
        operands = [T.TensorType("float64", shape)() for shape in shapes]
        _, program, _ = make_program("f", operands, [], [function(*operands)], [], True)
        assert all(len(plan.group.scalars) <= HERE.calls.common_plan_max_values for plan in program.plans)


# Of a kernel, with the functions of its own.
DEFINITION = re.compile(r"^define void @.*?^}\n(?:define internal .*?^}\n)*", re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("dtype", layouts.COMMON)
def test_names_say_texts(dtype):
    definitions = DEFINITION.findall(common_text(dtype, HERE))
    assert len(definitions) > 15
    for symbol, text in ((d.split("@")[1].split("(")[0], d) for d in definitions):
        assert common_name(symbol, text) == symbol


SPECIAL = np.array([np.nan, np.inf, -np.inf, 0.0, -0.0, 1e308, 1e308, -1e308, 5e-324])


@pytest.mark.parametrize("n", [0, 1, 7, 8, 31, 32, 33, 100, 513, 5000])
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_the_same_results_as_numpy(n, dtype):
    a, b = (T.TensorType(dtype, (None,))() for _ in range(2))
    f = tensordsl.function([a, b], [a + b, a - b, a * b, a.sum(), a.mean()])
    g = tensordsl.function([a], [a.max(), a.min()])
    with np.errstate(all="ignore"):
        special, rng = SPECIAL.astype(dtype), np.random.default_rng(n)
        for u in (rng.normal(size=n).astype(dtype), np.resize(special, n), np.repeat(rng.normal(size=n), 2)[::2]):
            u = u.astype(dtype, copy=False)
            v = rng.normal(size=n).astype(dtype)
            got = f(u, v)
            for r, wanted in zip(got[:3], [u + v, u - v, u * v], strict=True):
                np.testing.assert_array_equal(r, wanted)
            exact, error = np.float64(u.astype("float64").sum()), np.finfo(dtype).eps * np.abs(u).sum()
            close = {"rtol": np.finfo(dtype).eps, "atol": error if np.isfinite(error) else 0}
            np.testing.assert_allclose(got[3], exact.astype(dtype), **close)
            np.testing.assert_allclose(got[4], (exact / n if n else np.float64(np.nan)).astype(dtype), **close)
            if n:
                np.testing.assert_array_equal(g(u), [u.max(), u.min()])


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("shape", [(0, 3), (3, 0), (1, 1), (2, 7), (5, 16), (4, 33), (70, 70)])
def test_layers(dtype, shape):
    x, row, column = (T.TensorType(dtype, s)() for s in ((None, None), (None,), (None, 1)))
    f = tensordsl.function([x, row, column], [T.nnet.sigmoid(x + row), T.tanh(x + column), x + column])
    rng = np.random.default_rng(0)
    u, v, w = (rng.normal(size=s).astype(dtype) for s in (shape, shape[1:], (shape[0], 1)))
    with np.errstate(all="ignore"):
        u[:1] = np.resize(SPECIAL, u[:1].shape)
        wanted = [1 / (1 + np.exp(-(u + v).astype("float64"))), np.tanh((u + w).astype("float64")), u + w]
    for r, exact in zip(f(u, v, w), wanted, strict=True):
        np.testing.assert_allclose(r, exact.astype(dtype), rtol=1e-6 if dtype == "float32" else 1e-14)


def test_an_executable_whose_kernel_the_library_lacks_is_no_executable(names):
    made = compile_graph("f", [x], [], [x.sum()], [], True, common=names)
    plans = [[[*symbols[:-1], layouts.COMMON_KERNEL + "0"], at] for symbols, at in made.meta["plans"]]
    with pytest.raises(elf.LoadError, match=r"the library has no kernel common\.0"):
        Executable({**made.meta, "plans": plans}, made.kernels, made.host, tuple(made.constants)).load()


def test_names_of_a_damaged_object():
    with pytest.raises(elf.LoadError):
        elf.load_globals([b"nothing"])
