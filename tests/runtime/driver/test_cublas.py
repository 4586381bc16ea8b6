"""Matrix products by cuBLAS, over a stand-in for it: layouts, recordings, what goes wrong."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from fakes import compiled_as_llvm, device, with_cublas

import tensordsl
import tensordsl.tensor as T
from tensordsl import errors
from tensordsl.functions.devices import get_device
from tensordsl.runtime.driver.cublas import Product, on_columns


@pytest.fixture(params=["ctypes", "pycuda"])
def core(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """The stand-in of a GPU that is `cuda0`, with cuBLAS."""
    compiled_as_llvm(monkeypatch)
    fake, driver = with_cublas(request.param)
    with tensordsl.config.change_flags(cuda_driver=request.param), device(driver):
        yield fake


def products(core: Any) -> int:
    return sum("gemm" in name for name in core.calls)


LAYOUTS = {
    "rows": lambda a: a, "transposed": lambda a: np.ascontiguousarray(a.T).T, "wide rows": lambda a: np.hstack([a, a])[:, : a.shape[1]],
}  # fmt: skip


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("left", LAYOUTS)
@pytest.mark.parametrize("right", LAYOUTS)
def test_layouts(core: Any, dtype: str, left: str, right: str) -> None:
    random = np.random.default_rng(0)
    a, b = (
        LAYOUTS[kind](random.normal(size=shape).astype(dtype)) for kind, shape in ((left, (70, 80)), (right, (80, 90)))
    )
    x, y = T.matrix("x", dtype=dtype), T.matrix("y", dtype=dtype)
    f = tensordsl.function([x, y], -2 * T.dot(x, y), device="cuda")
    np.testing.assert_allclose(f(a, b), -2 * (a @ b), rtol=2e-4 if dtype == "float32" else 1e-11, atol=1e-4)
    assert products(core) == 1


def test_transposes_of_the_program(core: Any) -> None:
    random = np.random.default_rng(1)
    a, b = random.normal(size=(80, 70)), random.normal(size=(90, 80))
    x, y = T.matrices("x", "y")
    f = tensordsl.function([x, y], T.dot(x.T, y.T), device="cuda")
    np.testing.assert_allclose(f(a, b), a.T @ b.T, rtol=1e-11, atol=1e-11)
    assert products(core) == 1


def test_what_cublas_does_not_take_goes_to_our_kernels(core: Any) -> None:
    a = np.random.default_rng(2).normal(size=(70, 80))
    x, y = T.matrices("x", "y")
    f = tensordsl.function([x, y], T.dot(x, y), device="cuda")
    reversed_ = tensordsl.function([x, y], T.dot(x[:, ::-1], y[::-1]), device="cuda")
    for g, left, right in ((f, a[:5], a.T[:, :3]), (f, a[:1], a.T), (reversed_, a, a.T)):
        np.testing.assert_allclose(g(left, right), left @ right, rtol=1e-10, atol=1e-10)
    with tensordsl.config.change_flags(cublas=False):
        np.testing.assert_allclose(f(a, a.T), a @ a.T, rtol=1e-10, atol=1e-10)
    assert products(core) == 0


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_products_of_stacks_are_one_call(core: Any, dtype: str) -> None:
    rng, tolerance = np.random.default_rng(7), 1e-4 if dtype == "float32" else 1e-11
    a, b = (rng.normal(size=s).astype(dtype) for s in ((9, 40, 30), (9, 35, 30)))
    x, y = (T.TensorType(dtype, (False,) * 3)(name) for name in "xy")
    turned = T.batched_dot(x, y.dimshuffle(0, 2, 1))
    f = tensordsl.function([x, y], -2 * turned, device="cuda")
    one = tensordsl.function([x, y], T.matmul(x.sum(0, keepdims=True), y.dimshuffle(0, 2, 1)), device="cuda")
    want = a @ b.transpose(0, 2, 1)
    np.testing.assert_allclose(f(a, b), -2 * want, rtol=tolerance, atol=100 * tolerance)
    np.testing.assert_allclose(
        one(a, b), a.sum(0, keepdims=True) @ b.transpose(0, 2, 1), rtol=tolerance, atol=100 * tolerance
    )
    assert products(core) == 2
    np.testing.assert_allclose(f(a[::-1], b[::-1]), -2 * want[::-1], rtol=tolerance, atol=100 * tolerance)
    np.testing.assert_allclose(f(a[:, :1], b), -2 * want[:, :1], rtol=tolerance, atol=100 * tolerance)


def test_recorded_calls_multiply_again(core: Any) -> None:
    values = np.random.default_rng(3).normal(size=(70, 70)) / 10
    w, x = tensordsl.shared(values), T.matrix("x")
    f = tensordsl.function([x], T.dot(x, w).sum(), updates=[(w, w - 0.1 * T.dot(x.T, x))], device="cuda")
    expected = values.copy()
    for k in range(6):
        a = np.random.default_rng(k).normal(size=(80, 70))
        np.testing.assert_allclose(f(a), (a @ expected).sum(), rtol=1e-9, atol=1e-9)
        expected -= 0.1 * a.T @ a
    np.testing.assert_allclose(w.get_value(), expected, rtol=1e-9, atol=1e-9)
    assert products(core) >= 4


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_products_are_added_to_what_the_result_holds(core: Any, dtype: str) -> None:
    """beta = 1, as columns and within wider rows, which stay as they are."""
    rng, device = np.random.default_rng(5), get_device("cuda")
    m, n, k, wide = 70, 90, 80, 95
    a, b, c = (rng.normal(size=s).astype(dtype) for s in ((m, k), (k, n), (m, wide)))
    held = [device.block_of(x) for x in (a, b, c)]
    places = tuple(block.address for block in held)
    with device.held():
        assert device.driver.has_products()
        known = on_columns(dtype, (m, n, k), places, (k, 1), (n, 1), wide, -0.5, 1.0)
        assert known is not None and known.beta == 1
        device.driver.multiply(known)
    got = device.download(places[2], c.shape, dtype)
    want = c.copy()
    want[:, :n] += -0.5 * a @ b
    np.testing.assert_allclose(got, want, rtol=1e-4 if dtype == "float32" else 1e-11, atol=1e-4)
    np.testing.assert_array_equal(got[:, n:], c[:, n:])


def test_an_update_is_added_by_the_library(core: Any) -> None:
    w, x = tensordsl.shared(np.eye(70) * 3), T.matrix("x")
    f = tensordsl.function([x], updates=[(w, w - 0.5 * T.dot(x.T, x))], device="cuda")
    seen: list[Product] = []
    multiply = get_device("cuda").driver.multiply
    get_device("cuda").driver.multiply = lambda product: (seen.append(product), multiply(product))[1]
    a = np.random.default_rng(6).normal(size=(80, 70))
    for _ in range(2):
        f(a)
    np.testing.assert_allclose(w.get_value(), np.eye(70) * 3 - a.T @ a, rtol=1e-11, atol=1e-11)
    assert {(p.alpha, p.beta) for p in seen} == {(-0.5, 1.0)}


def refuse(core: Any, part: str, code: int) -> None:
    """The next call whose name has `part` fails."""
    original = core.note

    def note(name: str) -> None:
        if part in name:
            core.note = original
            core.countdown, core.code = 0, code
        original(name)

    core.note = note


@pytest.mark.parametrize("code, kind", [(3, errors.DeviceMemoryError), (13, errors.DeviceLostError)])
def test_a_product_that_fails_changes_no_state(core: Any, code: int, kind: type[Exception]) -> None:
    w = tensordsl.shared(np.eye(70))
    f = tensordsl.function([], updates=[(w, T.dot(w, w) * 2)], device="cuda")
    f()
    before = w.get_value()
    refuse(core, "gemm", code)
    with pytest.raises(kind, match="cublasDgemm_v2 failed"):
        f()
    assert np.array_equal(w.get_value(), before)
    f()
    np.testing.assert_allclose(w.get_value(), 2 * before @ before)


def test_a_library_that_does_not_work_is_said_once(core: Any) -> None:
    x = T.matrix("x")
    f = tensordsl.function([x], T.dot(x, x), device="cuda")
    a = np.random.default_rng(4).normal(size=(70, 70))
    refuse(core, "cublasCreate", 1)
    with pytest.warns(UserWarning, match="cuBLAS is installed but cannot be used"):
        np.testing.assert_allclose(f(a), a @ a, rtol=1e-10, atol=1e-10)
    np.testing.assert_allclose(f(a), a @ a, rtol=1e-10, atol=1e-10)
    assert products(core) == 0


def test_arguments() -> None:
    made = on_columns("float32", (70, 90, 80), (1, 2, 3), (80, 1), (1, 100), 95, -1.0, 1.0)
    assert made == Product("float32", (90, 70, 80), (True, False), (2, 1, 3), (100, 80, 95), -1.0, 1.0)
    assert on_columns("float32", (70, 90, 80), (1, 2, 3), (0, 1), (90, 1), 90, 1.0, 0.0) is None
    assert on_columns("float32", (70, 90, 80), (1, 2, 3), (80, -1), (90, 1), 90, 1.0, 0.0) is None
    assert on_columns("float16", (70, 90, 80), (1, 2, 3), (80, 1), (90, 1), 90, 1.0, 0.0) is None
    assert on_columns("float64", (70, 90, 4), (1, 2, 3), (4, 1), (90, 1), 90, 1.0, 0.0) is None
