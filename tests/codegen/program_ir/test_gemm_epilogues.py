"""What directly follows a product goes through C block by block, in the place of a result."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from tuned import tuned, use

import tensordsl
import tensordsl.tensor as T
from tensordsl.codegen.compiler import pipeline
from tensordsl.codegen.program_ir.gemm_epilogues import epilogues
from tensordsl.ifelse import ifelse

A, B, H, b, c = T.dmatrix("A"), T.dmatrix("B"), T.dmatrix("H"), T.dvector("b"), T.dvector("c")
Expression = Callable[[Any], Any]

LAYERS: dict[str, Expression] = {
    "relu": lambda x: T.maximum(x, 0.0),
    "bias": lambda x: x + b,
    "tanh": lambda x: T.tanh(x + b) * 2.0,
    "columns": lambda x: x * c[:, None] + b,
    "backward": lambda x: x * (1.0 - H * H),
    "turned operand": lambda x: x + T.dot(H.T, H)[: A.shape[0], : B.shape[1]] * 0.0 + H,
    "many operations": lambda x: sum(T.exp(-((x - float(k)) ** 2)) for k in range(40)) + b,
}


@pytest.fixture
def all_blocks(fresh_code: pytest.MonkeyPatch) -> None:
    """Every C is large."""
    use(fresh_code, tuned(calls={"gemm_epilogue_min_bytes": 0}))


def found(outputs: Any, shared: Any = (), updates: Any = ()) -> int:
    made = pipeline.make_program("f", [A, B, H, b, c], shared, outputs, updates, False)[1]
    return len(epilogues(made)) // 2


def values(m: int, n: int, k: int) -> list[Any]:
    random = np.random.default_rng(m + n + k)
    return [random.uniform(-1, 1, s) for s in ((m, k), (k, n), (m, n), n, m)]


def function(outputs: Any, **options: Any) -> Any:
    return tensordsl.function([A, B, H, b, c], outputs, on_unused_input="ignore", **options)


@pytest.mark.parametrize("name", [n for n in LAYERS if n != "turned operand"])
def test_layers_have_an_epilogue(name: str) -> None:
    assert found([LAYERS[name](T.dot(A, B))]) == 1


SHAPES = (
    (0, 16, 16), (16, 0, 16), (16, 16, 0), (1, 1, 1), (9, 16, 9), (64, 32, 20), (65, 48, 300), (130, 50, 17),
    (300, 20, 33), (200, 560, 40), (70, 520, 270), (9, 64, 10),
)  # fmt: skip


@pytest.mark.parametrize("name", LAYERS)
def test_layers_of_all_lengths_give_what_the_reference_gives(name: str, all_blocks: None) -> None:
    outputs = [LAYERS[name](T.dot(A, B))]
    f, want = function(outputs), function(outputs, mode="REFERENCE")
    for m, n, k in SHAPES:
        if name == "turned operand" and m > n:
            continue
        given = values(m, n, k)
        copies = [x.copy() for x in given]
        for at in (given, [np.asfortranarray(x) for x in given]):
            (got,), (expected,) = f(*at), want(*at)
            np.testing.assert_allclose(got, expected, rtol=1e-9, atol=1e-11)
        assert all((x == y).all() for x, y in zip(given, copies, strict=True))


def test_results_do_not_depend_on_the_number_of_threads(all_blocks: None) -> None:
    f = function([LAYERS["tanh"](T.dot(A, B)), LAYERS["backward"](T.dot(A, B))])
    for m, n, k in ((400, 320, 320), (100, 1000, 100)):
        given = values(m, n, k)
        first = f(*given)
        for threads in (2, 3):
            tensordsl.config.num_threads = threads
            for _ in range(3):
                assert all((x == y).all() for x, y in zip(f(*given), first, strict=True))


@pytest.mark.parametrize("alpha", [0.0, 1e30, np.inf, np.nan, -0.5])
def test_factors(alpha: float, all_blocks: None) -> None:
    """Products that panels leave to others, too."""
    f = function([T.maximum(alpha * T.dot(A, B), H)])
    given = values(40, 32, 30)
    with np.errstate(invalid="ignore"):
        want = np.maximum(alpha * (given[0] @ given[1]), given[2])
    np.testing.assert_allclose(f(*given)[0], want, rtol=1e-10)


def test_what_is_read_elsewhere_has_a_place_of_its_own(all_blocks: None) -> None:
    x = T.dot(A, B)
    assert found([T.tanh(x), x]) == 0
    assert found([T.tanh(x) + x.sum()]) == 0
    assert found([T.tanh(x) + T.arange(x.shape[1])]) == 0  # a point's position
    f = function([T.tanh(x), x])
    given = values(50, 32, 30)
    for got, want in zip(f(*given), (np.tanh(given[0] @ given[1]), given[0] @ given[1]), strict=True):
        np.testing.assert_allclose(got, want, rtol=1e-10)


@pytest.mark.parametrize("turned", [False, True])
def test_a_result_in_the_place_of_an_operand_waits_for_all_of_the_product(turned: bool, all_blocks: None) -> None:
    """The new value of W is a function of its own product, or of its own value."""
    w = np.random.default_rng(0).uniform(-1, 1, (48, 48))
    W = tensordsl.shared(w)
    x = T.dot(A, W)
    new = T.tanh(x.T if turned else x) + W
    f = tensordsl.function([A], T.dot(W, A).sum(), updates=[(W, new)])
    a = np.random.default_rng(1).uniform(-1, 1, (48, 48))
    for _ in range(3):
        f(a)
        x_now = a @ w
        w = np.tanh(x_now.T if turned else x_now) + w
        np.testing.assert_allclose(W.get_value(), w, rtol=1e-9)


def test_a_state_is_computed_in_its_own_place(all_blocks: None) -> None:
    S = tensordsl.shared(np.zeros((64, 32)))
    f = tensordsl.function([A, B, b], [], updates=[(S, T.maximum(T.dot(A, B) + b, 0.0))])
    for _ in range(3):
        a, w, _, v, _ = values(64, 32, 40)
        f(a, w, v)
        np.testing.assert_allclose(S.get_value(), np.maximum(a @ w + v, 0), rtol=1e-10)


def test_in_branches(all_blocks: None) -> None:
    f = tensordsl.function([A, B, b], ifelse(b[0] > 0, T.exp(T.dot(A, B) * 0.1), A))
    a, w, _, v, _ = values(40, 32, 32)
    for sign in (1, -1):
        v[0] = sign * abs(v[0])
        np.testing.assert_allclose(f(a, w, v), np.exp(a @ w * 0.1) if sign > 0 else a, rtol=1e-10)


def test_float32(all_blocks: None) -> None:
    x, y, v = T.fmatrix("x"), T.fmatrix("y"), T.fvector("v")
    f = tensordsl.function([x, y, v], T.maximum(T.dot(x, y) + v, np.float32(0)))
    random = np.random.default_rng(3)
    for m, n, k in SHAPES:
        p, q, r = (random.uniform(-1, 1, s).astype("float32") for s in ((m, k), (k, n), n))
        np.testing.assert_allclose(f(p, q, r), np.maximum(p @ q + r, 0), rtol=1e-3, atol=1e-4)
