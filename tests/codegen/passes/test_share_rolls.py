"""Rolls by one place both ways: slices of one copy."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import tensordsl as td
import tensordsl.tensor as T
from tensordsl.codegen.compiler.pipeline import optimise
from tensordsl.codegen.tensor_ir.graph import toposort
from tensordsl.codegen.tensor_ir.lower import lower


def laplacian(m: Any, x: Any) -> Any:
    return sum(m.roll(x, s, axis=a) for s in (1, -1) for a in (0, 1)) - 4 * x


def neighbours(m: Any, x: Any) -> Any:
    places = [(i, j) for i in (-1, 0, 1) for j in (-1, 0, 1) if i or j]
    return sum(m.roll(m.roll(x, i, axis=0), j, axis=1) for i, j in places)


FORMS: dict[str, Callable[[Any, Any], Any]] = {
    "laplacian": laplacian,
    "neighbours": neighbours,
    "of an expression": lambda m, x: laplacian(m, x * 2 + 1),
    "of a slice": lambda m, x: laplacian(m, x[1:-1, ::2]),
    "of part of the rows": lambda m, x: m.roll(x[2:], 1, axis=0) - m.roll(x[2:], -1, axis=0),
    "of other rows": lambda m, x: m.roll(x[1:], 1, axis=0) - m.roll(x[:-1], -1, axis=0),
    "again": lambda m, x: laplacian(m, laplacian(m, x)),
    "of the flat matrix": lambda m, x: m.roll(x, 1) + m.roll(x, -1),
    "there and back": lambda m, x: m.roll(m.roll(x, 1, axis=0), -1, axis=0) + m.roll(x, 1, axis=0),
    "by two, and one": lambda m, x: m.roll(x, 2, axis=1) - m.roll(x, -1, axis=1) + m.roll(x, 1, axis=1),
    "as results": lambda m, x: m.stack([m.roll(x, 1, axis=0), m.roll(x, -1, axis=0)]),
}


@pytest.mark.parametrize(
    "name, dtype",
    [("as results", "bool"), *((name, t) for name in FORMS for t in ("float64", "float32", "int32", "complex64"))],
)
def test_rolls_both_ways(name: str, dtype: str) -> None:
    form, x = FORMS[name], T.matrix(dtype=dtype)
    f = td.function([x], form(T, x))
    for shape in ((0, 0), (0, 3), (1, 0), (1, 1), (1, 7), (2, 2), (3, 1), (3, 5), (20, 33), (70, 9)):
        a = np.random.default_rng(0).integers(0, 9, shape).astype(dtype)
        for layout in (a, np.asfortranarray(a), a[::-1], np.repeat(a, 2, axis=1)[:, ::2]):
            wanted = form(np, layout)
            np.testing.assert_allclose(f(layout), wanted, rtol=1e-5)
            assert f(layout).shape == wanted.shape


def test_rolls_of_known_lengths() -> None:
    for n in (1, 2, 3, 5):
        x = T.TensorType("float64", (n, None))()
        f = td.function([x], laplacian(T, x))
        for columns in (0, 1, 2, 7):
            a = np.arange(1.0 + n * columns)[1:].reshape(n, columns)
            assert np.array_equal(f(a), laplacian(np, a))


def test_the_gradient_of_rolls() -> None:
    x = T.matrix(dtype="float64")
    cost = (laplacian(T, x) ** 2).sum()
    f = td.function([x], [cost, T.grad(cost, x)])
    for shape in ((1, 1), (2, 3), (6, 5)):
        a = np.random.default_rng(0).normal(size=shape)
        value, gradient = f(a)
        assert np.isclose(value, (laplacian(np, a) ** 2).sum())
        np.testing.assert_allclose(gradient, 2 * laplacian(np, laplacian(np, a)), rtol=1e-10, atol=1e-12)


def test_rolls_of_state() -> None:
    a = np.random.default_rng(0).normal(size=(7, 9))
    s = td.shared(a)
    f = td.function([], updates=[(s, s + 0.1 * laplacian(T, s))])
    for _ in range(3):
        f()
        a = a + 0.1 * laplacian(np, a)
    np.testing.assert_allclose(s.get_value(), a, rtol=1e-12)


def copies(*expressions: Any, x: Any) -> int:
    lowered = lower([x], [], list(expressions), [])
    return sum(v.op == "concatenate" for v in toposort(optimise(lowered.graph, lowered.outputs)))


def test_one_copy_for_both_ways() -> None:
    x = T.matrix(dtype="float64")
    assert copies(laplacian(T, x), x=x) == 2
    assert copies(neighbours(T, x), x=x) == 2
    assert copies(x - T.roll(x, 1, axis=0), x=x) == 1
    assert copies(T.roll(x, 1, axis=0) + T.roll(x, -1, axis=1), x=x) == 2


STEPS: dict[str, Callable[[Any, Any, Any], Any]] = {
    "upwind": lambda m, x, y: x - 0.5 * (x - m.roll(x, 1)),
    "downwind": lambda m, x, y: x - 0.5 * (m.roll(x, -1) - x),
    "either": lambda m, x, y: m.where(x.sum() > 0, x - m.roll(x, 1), m.roll(x, -1) - x),
    "diffusion": lambda m, x, y: x + 0.1 * (m.roll(x, 1) + m.roll(x, -1) - 2 * x),
    "with others": lambda m, x, y: (m.exp(y[0]) - m.roll(x, 1)) * y[0] - m.roll(y[0], -1),
    "rows": lambda m, x, y: y * (y - m.roll(y, 1, axis=0)) + x,
    "rows both ways": lambda m, x, y: m.roll(y, -1, axis=0) - m.roll(y, 1, axis=0) * y[:, 0][:, None],
    "of a vector in rows": lambda m, x, y: (x - m.roll(x, 1)) * y + y[:, 0][:, None],
    "of a slice": lambda m, x, y: x[1:] - m.roll(x[1:], -1),
}


@pytest.mark.parametrize("name", STEPS)
def test_steps_are_computed_from_slices(name: str) -> None:
    form, x, y = STEPS[name], T.dvector("x"), T.dmatrix("y")
    f = td.function([x, y], [form(T, x, y), 2 * form(T, x, y)], on_unused_input="ignore")
    for n in (1, 2, 3, 5, 40):
        for rows in (1, 2, 7):
            a, b = np.random.default_rng(n).normal(size=n), np.random.default_rng(rows).normal(size=(rows, n))
            for layout in (a, b), (a[::-1], np.asfortranarray(b)):
                wanted = form(np, *layout)
                for got, factor in zip(f(*layout), (1, 2), strict=True):
                    np.testing.assert_allclose(got, factor * wanted, rtol=1e-12, atol=1e-12)


def test_steps_of_state_copy_nothing() -> None:
    x = td.shared(np.arange(5.0))
    new = x - 0.5 * (x - T.roll(x, 1))
    lowered = lower([], [x], [], [(x, new)])
    roots = optimise(lowered.graph, [v for _, v in lowered.updates])
    (join,) = [v for v in toposort(roots) if v.op == "concatenate"]
    assert join is roots[0] and all(o.op == "map" for o in join.operands)
    f, a = td.function([], updates=[(x, new)]), np.arange(5.0)
    for _ in range(3):
        f()
        a = a - 0.5 * (a - np.roll(a, 1))
        np.testing.assert_allclose(x.get_value(), a, rtol=1e-12)
