"""Many products in one call of the library against NumPy: counts, shapes, strides, factors, threads."""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from functools import cache

import numpy as np
import pytest
from end_of_memory import End
from polls import KNOWN
from tuned import tuned

from tensordsl.codegen.library.gemm.dispatch import gemm_text
from tensordsl.codegen.llvm.compile import compile_object
from tensordsl.codegen.target.machine import native_width
from tensordsl.runtime.calls import threads
from tensordsl.runtime.loading import elf, library

I, P, D = ctypes.c_int64, ctypes.c_void_p, ctypes.c_double
PROTOTYPE = ctypes.CFUNCTYPE(None, P, I, I, I, P, I, I, P, I, I, P, I, D, D, P, I, I, I)
SHAPES = [
    (1, 1, 1), (3, 3, 3), (2, 5, 1), (5, 1, 3), (1, 4, 6), (4, 8, 8), (9, 7, 16), (2, 15, 2), (3, 16, 4), (1, 17, 5),
    (6, 33, 15), (17, 20, 17), (40, 9, 30), (3, 2, 0), (0, 2, 3), (2, 0, 3), (70, 31, 16), (300, 10, 16), (16, 32, 16), (12, 40, 14),
]  # fmt: skip


@cache
def built(dtype: str, width: int, panels: bool) -> tuple[object, int]:
    """A build of the library of its own: its code, and the address of the products."""
    library.require(f"gemm_{dtype}")
    facts = {"vector_bytes": width, "has_panels": panels, "prefers_halves": False}
    text = gemm_text(dtype, tuned(machine=facts))
    code, [[address]] = elf.load([(compile_object(text), [f"gemms_{dtype}"])], KNOWN)
    return code, address


@pytest.fixture(autouse=True, params=["panels", "blas", "half", "narrow"])
def build(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every test runs with products by panels of our own, without, and with vectors of 32 and of 16 bytes."""
    if request.param == "panels" and native_width() < 64:
        pytest.skip("panels need 32 registers of 64 bytes")
    width = min({"half": 32, "narrow": 16}.get(request.param, 64), native_width())
    for dtype in ("float64", "float32"):
        monkeypatch.setitem(library._State.symbols, f"gemms_{dtype}", built(dtype, width, request.param == "panels")[1])


@pytest.fixture
def many_threads() -> Iterator[None]:
    yield
    threads.set_threads(1)


def multiply(a, b, c, alpha=1.0, beta=0.0, scratch=True):
    """c = alpha a b + beta c by the library; rows of c may stand apart."""
    dtype = a.dtype.name
    (count, m, k), n, item = a.shape, b.shape[2], a.itemsize
    space = np.full(m * k + k * n + 1, np.nan, a.dtype)
    PROTOTYPE(library._State.symbols[f"gemms_{dtype}"])(
        library.table(), m, n, k, a.ctypes.data, *(s // item for s in a.strides[1:]), b.ctypes.data,
        *(s // item for s in b.strides[1:]), c.ctypes.data, c.strides[1] // item, alpha, beta, space.ctypes.data if scratch else None,
        count, a.strides[0] // item, b.strides[0] // item,
    )  # fmt: skip


def check(a, b, alpha=1.0, beta=0.0, scratch=True):
    shape = (*a.shape[:2], b.shape[2])
    frame = np.full(np.prod(shape) + 16, 7.0, a.dtype)
    c = frame[8:-8].reshape(shape)
    c[...] = np.nan if beta == 0 else np.arange(c.size).reshape(shape) % 5 - 2
    old = np.zeros(shape) if beta == 0 else c.astype("float64")
    multiply(a, b, c, alpha, beta, scratch)
    want = alpha * (a.astype("float64") @ b.astype("float64")) + beta * old
    tolerance = (1e-13 if a.dtype == "float64" else 1e-5) * max(1, a.shape[2])
    np.testing.assert_allclose(c, want, rtol=tolerance, atol=tolerance * max(1.0, abs(alpha)))
    assert (frame[:8] == 7).all() and (frame[-8:] == 7).all()  # nothing around them


def layouts(values):
    """The same numbers in every memory order that a caller can have, and one of them for all products."""
    count, rows, columns = values.shape
    yield values
    yield np.ascontiguousarray(values.transpose(0, 2, 1)).transpose(0, 2, 1)
    yield np.ascontiguousarray(values.transpose(1, 0, 2)).transpose(1, 0, 2)
    wide = np.zeros((2 * count, 2 * rows, 3 * columns), values.dtype)
    wide[::2, ::2, ::3] = values
    yield wide[::2, ::2, ::3]
    yield values[::-1, ::-1, ::-1]
    yield np.broadcast_to(values[:1], values.shape)
    yield np.broadcast_to(values[:, :1, :1], values.shape)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("m, n, k", SHAPES)
def test_all_layouts_counts_and_factors(dtype, m, n, k):
    rng = np.random.default_rng(1)
    for count in (0, 1, 2, 5):
        a, b = (rng.standard_normal(s).astype(dtype) for s in ((count, m, k), (count, k, n)))
        check(a, b, alpha=-0.5, beta=1.0)
        check(a, b, alpha=2.0, beta=0.25)
        check(a, b, alpha=1e30, beta=-1.0)
        for x in layouts(a):
            for y in layouts(b):
                check(x, y)
                check(x, y, scratch=False, beta=1.0)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_what_is_between_rows_of_results_stays(dtype):
    rng = np.random.default_rng(4)
    for m, n, k in SHAPES[:14]:
        a, b = (rng.standard_normal(s).astype(dtype) for s in ((4, m, k), (4, k, n)))
        wide = np.full((4, m, n + 3), 7.0, dtype)
        multiply(a, b, wide[:, :, :n])
        np.testing.assert_allclose(wide[:, :, :n], a @ b, rtol=1e-4, atol=1e-4)
        assert (wide[:, :, n:] == 7).all()


def test_special_values_and_the_sign_of_zero():
    a = np.array([[[np.inf, 1.0], [np.nan, 0.0]], [[-0.0, -0.0], [0.0, 1.0]]])
    b = np.array([[[1.0, 0.0], [2.0, -np.inf]], [[1.0, -1.0], [1.0, -1.0]]])
    c = np.zeros((2, 2, 2))
    multiply(a, b, c)
    with np.errstate(invalid="ignore"):
        want = a @ b
    np.testing.assert_array_equal(c, want)
    c = np.full((2, 2, 2), np.inf)
    with np.errstate(invalid="ignore"):
        multiply(a, b, c, beta=-0.0)  # multiplies
    assert np.isnan(c).all()


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("beta", [0.0, 0.5])
@pytest.mark.parametrize("count, m, n, k", [(7000, 9, 9, 9), (30, 64, 60, 50), (300, 40, 20, 30), (5, 130, 130, 130)])
def test_threads_share_products_and_do_not_change_them(dtype, count, m, n, k, beta, many_threads):
    rng = np.random.default_rng(2)
    a, b = (rng.standard_normal(s).astype(dtype) for s in ((count, m, k), (count, n, k)))
    got = []
    for number in (1, 2, 3, 7):
        threads.set_threads(number)
        c = np.full((count, m, n), 3.0, dtype)
        multiply(a, b.transpose(0, 2, 1), c, alpha=-0.5, beta=beta, scratch=False)
        got.append(c)
    want = 3 * beta - 0.5 * (a.astype("float64") @ b.transpose(0, 2, 1))
    np.testing.assert_allclose(got[0], want, rtol=1e-3 if dtype == "float32" else 1e-10, atol=1e-3)
    assert all(np.array_equal(got[0], c) for c in got[1:])


def test_nothing_outside_of_the_operands_is_read():
    """Operands that end where memory ends."""
    end = End()
    try:
        rng = np.random.default_rng(3)
        for dtype in ("float64", "float32"):
            for m, n, k in ((3, 3, 3), (2, 9, 5), (8, 17, 4), (7, 1, 11)):
                for turned in (False, True):
                    for which in (0, 1):
                        ends = [
                            rng.standard_normal(s).astype(dtype)
                            for s in ((3, m, k), (3, n, k) if turned else (3, k, n))
                        ]
                        ends[which] = end.put(ends[which])
                        check(ends[0], ends[1].transpose(0, 2, 1) if turned else ends[1])
    finally:
        end.protect(3)
