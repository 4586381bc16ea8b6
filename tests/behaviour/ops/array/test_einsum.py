"""Sums of products named by subscripts, and Kronecker products: NumPy judges."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from vocabulary import Case, check_all

import tensordsl
import tensordsl.tensor as T
from tensordsl.gradient import verify_grad

RANDOM = np.random.default_rng(0)
LENGTHS = {"i": 2, "j": 3, "k": 4, "l": 5, "A": 2, "o": 1}
SUBSCRIPTS = [
    "i->i", "ij->ji", "ij->i", "ij->", "ij", "ji", "ii", "ii->i", "iij->ji", "iii->i", "iijj->ij", "ij , jk -> ik",
    "ij,jk", "kj,ji", "ij,ij->", "ij,ij->i", "ij,ij", "ij,kj->ik", "i,j->ij", "i,j", "i,i", "ij,j->i", ",ij->ij", ",",
    "lij,ljk->lik", "lij,ljk->ilk", "klij,kljA->klAi", "kij,kij->k", "ij,kl->jl", "ii,ij->j", "ij,jk,kl->il", "i,j,k->kji",
    "ijk,jk,k->i", "ij,jk,ik->", "iA,Aj", "oj,ij->ij", "oj,oj->j", "oi,oi->oi", "ij,oj,jk->ik", "ij->ij", "->",
]  # fmt: skip


def operands(subscripts: str) -> list[Any]:
    terms = subscripts.replace(" ", "").split("->")[0].split(",")
    return [RANDOM.normal(size=[LENGTHS[k] for k in term]) for term in terms]


@pytest.mark.parametrize("subscripts", SUBSCRIPTS)
def test_einsum(subscripts: str) -> None:
    case: Case = (subscripts, lambda *x: T.einsum(subscripts, *x), lambda *x: np.einsum(subscripts, *x))
    check_all([case], operands(subscripts))


@pytest.mark.parametrize(
    "subscripts", ["ij,jk->ki", "lij,ljk->lik", "ii,ij->j", "klij,kljA->klAi", "ij->", "i,j,k->kji"]
)
def test_gradients(subscripts: str) -> None:
    verify_grad(lambda *x: T.einsum(subscripts, *x), operands(subscripts), rng=np.random.RandomState(0))


def test_axes_without_names() -> None:
    a, b = RANDOM.normal(size=(2, 3, 4, 4)), RANDOM.normal(size=(3, 4, 4))
    forms = ["...ij,...jk->...ik", "...ij,...jk", "i...,i...->...", "...ii->...i", "...,...->...", "...i->i..."]
    for text in forms[:2] + forms[4:5]:
        check_all([(text, lambda x, y, t=text: T.einsum(t, x, y), lambda x, y, t=text: np.einsum(t, x, y))], [a, b])
    check_all([(t, lambda x, t=t: T.einsum(t, x), lambda x, t=t: np.einsum(t, x)) for t in forms[3::2]], [a])
    check_all([("i...", lambda x: T.einsum(forms[2], x, x), lambda x: np.einsum(forms[2], x, x))], [a])


def test_lists_of_numbers_and_numpys_name() -> None:
    a, b = operands("ij,jk")
    cases: list[Case] = [
        (
            "lists",
            lambda x, y: T.einsum(x, [0, 1], y, [1, 2], [2, 0]),
            lambda x, y: np.einsum(x, [0, 1], y, [1, 2], [2, 0]),
        ),
        ("dots", lambda x, y: T.einsum(x, [..., 30]), lambda x, y: np.einsum(x, [..., 30])),
        ("numpy", lambda x, y: np.einsum("ij,jk", x, y, optimize=True), lambda x, y: np.einsum("ij,jk", x, y)),
    ]
    check_all(cases, [a, b])


@pytest.mark.parametrize("dtype", ["bool", "int8", "float32", "complex128"])
def test_dtypes(dtype: str) -> None:
    a, b = (RANDOM.integers(0, 50, (3, 3)).astype(dtype) * (RANDOM.random((3, 3)) > 0.6) for _ in range(2))
    a, b = a.astype(dtype), b.astype(dtype)
    texts = ["ij,jk", "ij->i", "ij,ij->ij", "ii"]
    cases = [
        (t, lambda x, y, t=t: T.einsum(t, x, y)[()], lambda x, y, t=t: np.einsum(t, x, y)) for t in texts if "," in t
    ]
    check_all(cases, [a, b], rtol=1e-6)
    check_all([(t, lambda x, t=t: T.einsum(t, x), lambda x, t=t: np.einsum(t, x)) for t in texts if "," not in t], [a])


def test_what_numpy_refuses() -> None:
    x = T.matrix("x")
    for text in ("i", "ijk", "ij->ii", "ij->k", "i...j...", "ij,jk", "i1", "...->", "ij->i->j"):
        with pytest.raises(ValueError, match="einsum: "):
            T.einsum(text, x)
    with pytest.raises(TypeError, match="einsum: "):
        T.einsum(x, x)
    known = T.TensorType("float64", (3, 4))("x")
    for text in ("...i,i...", "i...,...i->...", "ij,ji", "ii"):
        with pytest.raises(ValueError, match="einsum: axes of '(i|j|[.]{3})' have the lengths"):
            T.einsum(text, *[known] * (1 + text.count(",")))
    f = tensordsl.function([x], T.einsum("ii", x))
    with pytest.raises(ValueError):
        f(np.ones((2, 3)))
    y = T.matrix("y")
    f = tensordsl.function([x, y], T.einsum("ij,ij", x, y))
    with pytest.raises(ValueError):
        f(np.ones((2, 3)), np.ones((3, 2)))


@pytest.mark.parametrize(
    "shapes", [((2,), (3,)), ((2, 3), (4, 1)), ((2,), (3, 2)), ((2, 1, 3), (2, 2)), ((), (2,)), ((), ())]
)
def test_kron(shapes: Any) -> None:
    arrays = [RANDOM.normal(size=shape) for shape in shapes]
    check_all([("kron", T.kron, np.kron), ("numpy", lambda x, y: np.kron(x, y), np.kron)], arrays)
    verify_grad(T.kron, arrays, rng=np.random.RandomState(0))
