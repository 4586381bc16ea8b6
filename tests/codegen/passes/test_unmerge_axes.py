"""Repeated and joined axes that a reshape makes one of, as upsampling has them: no array between operand and result."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import tensordsl as td
import tensordsl.tensor as T
from tensordsl.codegen.compiler.pipeline import make_program, optimise
from tensordsl.codegen.program_ir import instructions as p
from tensordsl.codegen.tensor_ir.graph import toposort
from tensordsl.codegen.tensor_ir.lower import lower
from tensordsl.graph.evaluate import evaluate

SHAPES = [(1, 1), (2, 3), (4, 1), (5, 8), (16, 33), (3, 130), (0, 4), (4, 0)]
DTYPES = ["float64", "float32", "float16", "int64", "int8", "bool", "complex128"]


def doubled(m: Any, x: Any) -> Any:
    return m.stack([x, x], axis=-1).reshape((x.shape[0], 2 * x.shape[1]))


def rows_doubled(m: Any, x: Any) -> Any:
    return m.stack([x, x], axis=1).reshape((2 * x.shape[0], x.shape[1]))


def between(m: Any, x: Any) -> Any:
    """Every second column is of neighbours."""
    return m.stack([x, m.concatenate([x[:, 1:], x[:, :1]], axis=1)], axis=-1).reshape((x.shape[0], -1))


def four(m: Any, x: Any) -> Any:
    return m.repeat(m.repeat(x, 2, axis=0), 2, axis=1)


def both(m: Any, x: Any, y: Any) -> Any:
    return m.stack([x, y], axis=-1).reshape((x.shape[0], 2 * x.shape[1]))


FORMS: dict[str, Callable[[Any, Any], Any]] = {
    "columns": doubled,
    "transposes": lambda m, x: doubled(m, doubled(m, x).T).T,
    "rows": lambda m, x: doubled(m, rows_doubled(m, x)),
    "repeated": four,
    "three times": lambda m, x: m.repeat(m.repeat(x, 3, axis=1), 3, axis=0),
    "tiled": lambda m, x: m.tile(x, (2, 3)) + m.tile(x, (2, 3)),
    "computed from": lambda m, x: m.maximum(four(m, x + x), x[0, 0]) * 2,
    "a row beside it": lambda m, x: m.repeat(x, 2, axis=0) + x[0],
    "a column beside it": lambda m, x: m.repeat(x, 2, axis=1) + x[:, 0][:, None],
    "what is not parted": lambda m, x: doubled(m, x) * 2 + m.concatenate([x, x], axis=1),
    "needed twice": lambda m, x: m.concatenate([doubled(m, x) + 1, doubled(m, x) + 1 + m.tile(x, (1, 2))], axis=0),
    "a slice": lambda m, x: four(m, x + 1)[::2, 1:],
    "sums": lambda m, x: (four(m, x) * 2).sum(axis=0) + four(m, x).max(),
    "interleaved": lambda m, x: both(m, x + 1, x * x),
    "between, transposed": lambda m, x: between(m, between(m, x).T).T,
    "joins of joins": lambda m, x: rows_doubled(m, both(m, x, x + 1)) * both(m, rows_doubled(m, x), rows_doubled(m, x)),
    "chequers": lambda m, x: m.stack([both(m, x, 2 * x), both(m, 3 * x, x)], axis=1).reshape((-1, 2 * x.shape[1])),
    "another shape": lambda m, x: four(m, x).reshape((x.shape[0], 4 * x.shape[1])) + 1,
    "summed again": lambda m, x: four(m, x * 3).reshape((x.shape[0], 2, x.shape[1], 2)).sum(axis=(1, 3)),
    "summed along one": lambda m, x: (four(m, x) + 1).reshape((2 * x.shape[0], x.shape[1], 2)).sum(axis=2),
}


CASES = [(name, dtype) for name in FORMS for dtype in DTYPES if dtype != "bool" or name in ("columns", "repeated")]


@pytest.mark.parametrize("name, dtype", CASES)
def test_upsampling(name: str, dtype: str) -> None:
    form, rng = FORMS[name], np.random.default_rng(2)
    if dtype == "complex128" and name in ("computed from", "sums"):
        pytest.skip("complex numbers have no order")
    x = T.TensorType(dtype, (None, None))()
    y = form(T, x)
    f = td.function([x], y)
    for shape in SHAPES:
        if 0 in shape and name in (
            "computed from",
            "sums",
            "between, transposed",
            "chequers",
            "a row beside it",
            "a column beside it",
        ):
            continue
        a = rng.integers(-3, 4, shape).astype(dtype)
        if a.dtype.kind in "fc" and a.size > 4:
            a.flat[[0, 1, -1]] = -0.0, np.inf, np.nan
        for given in (a, np.asfortranarray(a), np.repeat(a, 2, axis=1)[:, ::2], a[:, ::-1]):
            kept = given.copy()
            with np.errstate(invalid="ignore", over="ignore"):
                (want,) = evaluate([y], {x: given})
                got = f(given)
            np.testing.assert_array_equal(got, want, err_msg=f"{shape}")
            np.testing.assert_array_equal(given, kept)
            if a.dtype.kind == "f" and "sum" not in name and name != "computed from":
                np.testing.assert_array_equal(np.signbit(got)[got == 0], np.signbit(want)[got == 0])


@pytest.mark.parametrize("name", FORMS)
def test_gradients(name: str) -> None:
    x, w = T.dmatrices("x", "w")
    y = FORMS[name](T, x)
    cost = (T.tanh(y) ** 2).sum() if y.type.ndim != 2 else (T.tanh(y) * y).sum() + (y.T**2).mean()
    results = [T.grad(cost, x), cost]
    f = td.function([x], results)
    for shape in SHAPES[:6]:
        a = np.random.default_rng(3).normal(size=shape)
        for got, want in zip(f(a), evaluate(results, {x: a}), strict=True):
            np.testing.assert_allclose(got, want, rtol=1e-9, atol=1e-12)


def test_a_sum_of_what_is_repeated_begins_with_zero() -> None:
    x = T.dmatrix()
    for y in (four(T, x).reshape((x.shape[0], 2, x.shape[1], 2)).sum(axis=(1, 3)), FORMS["summed along one"](T, x - 1)):
        f, a = td.function([x], y), np.full((3, 5), -0.0)
        np.testing.assert_array_equal(np.signbit(f(a)), np.signbit(evaluate([y], {x: a})[0]))


def ops_of(outputs: list[Any], x: Any) -> list[str]:
    lowered = lower([x], [], outputs, [])
    return sorted(v.op for v in toposort(optimise(lowered.graph, lowered.outputs)))


def test_what_is_stored() -> None:
    x = T.dmatrix()
    for name in ("columns", "transposes", "rows", "repeated", "three times"):
        assert ops_of([FORMS[name](T, x)], x) == ["arg", "move", "reshape"], name
        gradient = T.grad((FORMS[name](T, x) ** 3).sum(), x)
        assert not {"concatenate", "reduce", "reshape", "subtensor"} & {*ops_of([gradient], x)}, name
    assert ops_of([FORMS["joins of joins"](T, x)], x).count("reshape") == 1
    assert ops_of([T.tanh(four(T, x))], x).index("map") < 3
    mixed = ops_of([doubled(T, x) * 2 + T.concatenate([x, x], axis=1)], x)
    assert mixed.count("reshape") == 1


def test_products_take_transposes_as_they_are() -> None:
    x = T.dmatrix()
    joined = both(T, x, x + 1)
    lowered = lower([x], [], [T.dot(joined.T, x)], [])
    (product,) = (v for v in toposort(optimise(lowered.graph, lowered.outputs)) if v.op == "dot")
    assert product.operands[0].op == "move" and product.operands[0].operands[0].op == "reshape"


def test_functions_of_what_is_repeated_are_computed_once() -> None:
    x = T.dmatrix()
    for y in (T.tanh(four(T, x)) * 2, T.exp(T.tile(x, (3, 3)))):
        _, program, _ = make_program("f", [x], [], [y], [], True)
        assert sum(isinstance(i, p.Launch) for i in p.walk_program(program.code)) == 2
        f, a = td.function([x], y), np.random.default_rng(4).normal(size=(7, 40))
        np.testing.assert_allclose(f(a), evaluate([y], {x: a})[0], rtol=1e-13)


@pytest.mark.parametrize("n", [1, 5, 64])
def test_updates_of_what_is_read(n: int) -> None:
    """A shared variable that is joined from itself is read before it is overwritten."""
    a = np.random.default_rng(5).normal(size=(n, 4))
    s = td.shared(a.copy())
    half = s[:, ::2]
    step = td.function([], s.sum(), updates=[(s, doubled(T, half + s[:, :2]))])
    for _ in range(3):
        total = step()
        np.testing.assert_allclose(total, a.sum())
        a = np.repeat(a[:, ::2] + a[:, :2], 2, axis=1)
        np.testing.assert_allclose(s.get_value(), a)
