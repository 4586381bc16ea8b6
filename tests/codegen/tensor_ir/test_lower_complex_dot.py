"""Complex matrices and vectors: products of any layout, and what is computed before and behind them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import tensordsl
import tensordsl.tensor as T
from tensordsl.codegen.compiler import pipeline
from tensordsl.codegen.program_ir import instructions as p

CASES: dict[str, tuple[str, Callable[..., Any]]] = {
    "matrices": ("mk kn", lambda m, x, y: m.dot(x, y)),
    "left one turned": ("km kn", lambda m, x, y: m.dot(x.T, y)),
    "right one turned": ("mk nk", lambda m, x, y: m.dot(x, y.T)),
    "both turned": ("km nk", lambda m, x, y: m.dot(x.T, y.T)),
    "conjugate": ("km kn", lambda m, x, y: m.dot(m.conj(x).T, y)),
    "matrix and vector": ("mk k", lambda m, x, y: m.dot(x, y)),
    "turned matrix and vector": ("km k", lambda m, x, y: m.dot(x.T, y)),
    "vector and matrix": ("k kn", lambda m, x, y: m.dot(x, y)),
    "vector and turned matrix": ("k nk", lambda m, x, y: m.dot(x, y.T)),
    "vectors": ("k k", lambda m, x, y: m.dot(x, y)),
    "matrix and what is computed of a vector": ("mk k", lambda m, x, y: m.dot(x, y * y - 1)),
    "computed": ("mk kn", lambda m, x, y: m.dot(x * 2 + 1j, m.exp(y * 0.1)) - 1),
    "part of a vector": ("mk kn", lambda m, x, y: abs(m.dot(x, y)[0])),
    "twice": ("mk kn", lambda m, x, y: m.dot(x, y) * m.dot(m.conj(x), y)),
    "three": ("mk kn", lambda m, x, y: m.dot(m.dot(x, y), m.dot(y.T, x.T))),
}
LENGTHS = ((3, 4, 5), (1, 1, 1), (2, 0, 3), (17, 33, 9), (64, 64, 64), (70, 5, 130))
LAYOUTS: tuple[Callable[[Any], Any], ...] = (
    lambda x: x,
    np.asfortranarray,
    lambda x: np.repeat(x, 2, -1)[..., ::2],
    lambda x: x[::-1].copy()[::-1],
    lambda x: np.broadcast_to(x[:1], x.shape),
)


def operands(shapes: str, lengths: tuple[int, int, int], dtype: str) -> list[Any]:
    random, of = np.random.default_rng(sum(lengths)), dict(zip("mkn", lengths, strict=True))
    sizes = [tuple(of[axis] for axis in shape) for shape in shapes.split()]
    return [(random.uniform(-1, 1, s) + 1j * random.uniform(-1, 1, s)).astype(dtype) for s in sizes]


def symbols(shapes: str, dtype: str) -> list[Any]:
    return [T.TensorType(dtype, (None,) * len(shape))(name) for name, shape in zip("xy", shapes.split(), strict=True)]


@pytest.mark.parametrize("dtype", ["complex128", "complex64"])
@pytest.mark.parametrize("name", CASES)
def test_products_of_all_layouts(name: str, dtype: str) -> None:
    shapes, expression = CASES[name]
    inputs = symbols(shapes, dtype)
    f = tensordsl.function(inputs, expression(T, *inputs))
    tolerance = 1e-11 if dtype == "complex128" else 2e-4
    for lengths in LENGTHS:
        given = operands(shapes, lengths, dtype)
        for layout in LAYOUTS:
            laid = [layout(x) for x in given]
            copies = [x.copy() for x in laid]
            got, want = f(*laid), expression(np, *laid)
            np.testing.assert_allclose(got, want, rtol=tolerance, atol=tolerance * max(lengths))
            assert all((x == c).all() for x, c in zip(laid, copies, strict=True))


def test_mixed_types() -> None:
    x, y, z = T.cmatrix("x"), T.zmatrix("y"), T.dmatrix("z")
    f = tensordsl.function([x, y, z], [T.dot(x, y), T.dot(y, x), T.dot(x, z), T.dot(z, y)])
    a, b = operands("mk mk", (6, 6, 6), "complex128")
    a, c = a.astype("complex64"), b.real.copy()
    for got, want in zip(f(a, b, c), (a @ b, b @ a, a @ c, c @ b), strict=True):
        assert got.dtype == want.dtype
        np.testing.assert_allclose(got, want, rtol=1e-10)


def test_infinite_and_not_a_number() -> None:
    x, y = T.zmatrix("x"), T.zvector("y")
    f = tensordsl.function([x, y], T.dot(x, y))
    a, v = np.eye(3, dtype=complex), np.array([1 + 1j, np.inf, complex(0, np.nan)])
    with np.errstate(invalid="ignore"):
        assert np.array_equal(np.isfinite(f(a, v)), np.isfinite(a @ v))


def test_lengths_must_agree() -> None:
    x, y = T.zmatrix("x"), T.zmatrix("y")
    f = tensordsl.function([x, y], T.dot(x, y))
    with pytest.raises(ValueError, match="dot"):
        f(np.ones((2, 3), complex), np.ones((2, 3), complex))


def test_a_state_takes_a_product() -> None:
    a, v = operands("mk k", (5, 5, 5), "complex128")
    state = tensordsl.shared(v)
    x = T.zmatrix("x")
    f = tensordsl.function([x], state.sum(), updates=[(state, T.dot(x, state) * 0.5)])
    for _ in range(3):
        assert np.isclose(f(a), v.sum())
        v = a @ v * 0.5
        np.testing.assert_allclose(state.get_value(), v, rtol=1e-12)


def steps(name: str) -> tuple[int, int]:
    """(products, launches)"""
    shapes, expression = CASES[name]
    inputs = symbols(shapes, "complex128")
    code = list(p.walk_program(pipeline.make_program("f", inputs, [], [expression(T, *inputs)], [], False)[1].code))
    products, launches = ([i for i in code if isinstance(i, kind)] for kind in (p.Gemm, p.Launch))
    return len(products), len(launches)


@pytest.mark.parametrize("name", ["matrices", "right one turned", "vector and matrix"])
def test_products_are_of_real_numbers_in_pairs(name: str) -> None:
    assert steps(name)[0] == 1


@pytest.mark.parametrize("name", ["matrix and vector", "vector and turned matrix", "vectors"])
def test_products_with_a_vector_behind_are_sums(name: str) -> None:
    assert steps(name) == (0, 1)


def test_what_is_computed_of_a_vector_is_computed_once() -> None:
    assert steps("matrix and what is computed of a vector") == (0, 2)
