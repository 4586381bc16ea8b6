"""Matrix products of the library against NumPy: shapes, strides, dtypes, alpha and beta, with and without a BLAS."""

from __future__ import annotations

import ctypes
import mmap
from collections.abc import Callable, Iterator
from functools import cache

import numpy as np
import pytest
from end_of_memory import End
from polls import KNOWN
from tuned import tuned

from tensordsl.codegen.abi import layouts as abi
from tensordsl.codegen.library.gemm.dispatch import gemm_text
from tensordsl.codegen.llvm.compile import compile_object
from tensordsl.codegen.target.machine import native_width
from tensordsl.runtime.calls import threads
from tensordsl.runtime.loading import blas, elf, library, memory

I, P, D = ctypes.c_int64, ctypes.c_void_p, ctypes.c_double
PROTOTYPE = ctypes.CFUNCTYPE(None, P, I, I, I, P, I, I, P, I, I, P, I, D, D, P)
SIZES = (0, 1, 2, 3, 4, 5, 8, 9, 17, 65)
# rows and terms of products with the transpose: columns whose sums have another order, then halves of larger ones
SQUARES = ((11, 64), (12, 63), (20, 300), (23, 300), (24, 300), (25, 130), (49, 257), (50, 100), (64, 600), (68, 70), (73, 513), (95, 48), (96, 31), (96, 32), (97, 60), (135, 300), (200, 64),
           (270, 12), (1600, 50))  # fmt: skip


@cache
def built(dtype: str, width: int, panels: bool, lines: bool) -> tuple[object, int]:
    """A build of the library of its own: its code, and the address of the product."""
    name = f"gemm_{dtype}"
    library.require(name)
    facts = {"vector_bytes": width, "has_panels": panels, "prefers_halves": lines}
    code, [[address]] = elf.load([(compile_object(gemm_text(dtype, tuned(machine=facts))), [name])], KNOWN)
    return code, address


@pytest.fixture(autouse=True, params=["panels", "panels from lines on", "blas"])
def build(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every test runs with products by panels of our own, also with rows that begin on cache lines, and without."""
    panels, lines = request.param != "blas", "lines" in request.param
    if panels and native_width() < 64:
        pytest.skip("panels need 32 registers of 64 bytes")
    for dtype in ("float64", "float32"):
        monkeypatch.setitem(library._State.symbols, f"gemm_{dtype}", built(dtype, native_width(), panels, lines)[1])


def gemm(a, b, c, alpha=1.0, beta=0.0, scratch=True, table=None):
    """c = alpha a b + beta c by the library."""
    dtype = a.dtype.name
    library.require(f"gemm_{dtype}")
    (m, k), n, item = a.shape, b.shape[1], a.itemsize
    space = np.full(m * k + k * n + 1, np.nan, a.dtype)
    PROTOTYPE(library._State.symbols[f"gemm_{dtype}"])(
        library.table() if table is None else table, m, n, k, a.ctypes.data, *(s // item for s in a.strides),
        b.ctypes.data, *(s // item for s in b.strides), c.ctypes.data, c.strides[0] // item, alpha, beta,
        (space.ctypes.data if scratch is True else scratch) or None,
    )  # fmt: skip


@pytest.fixture
def without_blas() -> Iterator[int]:
    """The address of a table that knows no BLAS."""
    library.require("gemm_float64", "gemm_float32")
    copy = memory.Table.from_buffer_copy(library._State.table)
    copy[abi.RT["blas_int"] // 8] = 0
    yield ctypes.addressof(copy)


def layouts(rng, rows, columns, dtype):
    """A matrix of this shape in every memory order that a caller can have."""
    values = rng.standard_normal((rows, columns)).astype(dtype)
    wide = np.zeros((2 * rows, 3 * columns), dtype)
    wide[::2, ::3] = values
    padded = np.zeros((rows, columns + 3), dtype)
    padded[:, :columns] = values
    yield "C", values
    yield "F", np.asfortranarray(values)
    yield "padded", padded[:, :columns]
    yield "strided", wide[::2, ::3]
    yield "reversed", np.ascontiguousarray(values[::-1, ::-1])[::-1, ::-1]
    yield "row repeated", np.broadcast_to(values[:1], (rows, columns)) if rows else values
    yield "column repeated", np.broadcast_to(values[:, :1], (rows, columns)) if columns else values


def close(got, want, k, dtype):
    tolerance = (1e-13 if dtype == "float64" else 1e-5) * max(1, k)
    return np.allclose(got, want, rtol=tolerance, atol=tolerance)


def check(a, b, **options):
    dtype = a.dtype.name
    beta = options.get("beta", 0.0)
    m, n = a.shape[0], b.shape[1]
    frame = np.full((m, n + 2), 7.0, dtype)
    c = frame[:, :n]
    old = c.copy()
    if beta == 0:
        c[...] = np.nan  # must not be read
    gemm(a, b, c, **options)
    exact = a.astype("float64") @ b.astype("float64")
    want = options.get("alpha", 1.0) * exact + (beta * old if beta else 0.0)
    assert close(c, want, a.shape[1], dtype), (a.shape, b.shape, a.strides, b.strides, options)
    assert (frame[:, n:] == 7.0).all()  # nothing past the rows


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_all_small_shapes(dtype):
    rng = np.random.default_rng(1)
    for m in SIZES:
        for n in SIZES:
            for k in SIZES:
                a, b = (rng.standard_normal(s).astype(dtype) for s in ((m, k), (k, n)))
                check(a, b)
                check(a.T.copy().T, b.T.copy().T)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize(
    "m, n, k", [(1, 1, 1), (3, 40, 2), (4, 5, 70), (13, 11, 12), (1, 30, 1), (30, 1, 9), (9, 9, 1)]
)
def test_all_strides_alpha_and_beta(dtype, m, n, k):
    rng = np.random.default_rng(2)
    for _, a in layouts(rng, m, k, dtype):
        for _, b in layouts(rng, k, n, dtype):
            check(a, b)
            check(a, b, scratch=False)
            check(a, b, alpha=-0.5, beta=1.0)
            check(a, b, alpha=2.0, beta=0.25, scratch=False)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("m, n, k", [(0, 3, 2), (3, 4, 0), (5, 67, 300), (9, 130, 11), (33, 1, 40)])
def test_without_a_blas(dtype, m, n, k, without_blas):
    rng = np.random.default_rng(3)
    for _, a in layouts(rng, m, k, dtype):
        for _, b in layouts(rng, k, n, dtype):
            check(a, b, table=without_blas)
            check(a, b, table=without_blas, scratch=False, beta=1.0)
            check(a, b, table=without_blas, alpha=3.0, beta=0.5)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("n, k", SQUARES)
def test_a_matrix_and_its_transpose(dtype, n, k, without_blas):
    """It is symmetric to the last bit: what is above the diagonal is a copy, where that pays."""
    rng = np.random.default_rng(22)
    for name, a in layouts(rng, n, k, dtype):
        options = [{}, {"alpha": -0.5}, {"alpha": 2.0**-25}, {"beta": 0.5}, {"scratch": False}, {"table": without_blas}]
        for some in options if n < 1000 or name == "C" else options[:1]:
            check(a, a.T, **some)
        c = np.empty((n, n), dtype)
        gemm(a, a.T, c)
        np.testing.assert_array_equal(c, c.T)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("m, n, k", [(40, 50, 60), (3, 30, 20), (9, 9, 200)])
def test_there_is_no_room_to_pack_what_a_blas_can_read(dtype, m, n, k, without_blas):
    """A call then has a block of no bytes: here an address that nobody may write to."""
    rng = np.random.default_rng(13)
    for name, a in layouts(rng, m, k, dtype):
        for other, b in layouts(rng, k, n, dtype):
            if {name, other} <= {"C", "F", "padded"}:
                for alpha in (1.0, 1e30, 0.0):
                    for table in (None, without_blas):
                        exact = alpha * (a.astype("float64") @ b.astype("float64"))
                        c = np.zeros((m, n), dtype)
                        gemm(a, b, c, alpha=alpha, scratch=64, table=table)
                        assert np.allclose(c, exact, rtol=1e-3, atol=1e-3 * max(1.0, alpha))


def test_numbers_too_large_for_the_blas_go_to_our_own_code():
    """Rows 2^31 elements apart, in memory that is reserved but not touched between them."""
    library.require("gemm_float32")
    copy = memory.Table.from_buffer_copy(library._State.table)
    copy[abi.RT["blas_int"] // 8] = 4
    reserve = 0x4000  # MAP_NORESERVE
    space = mmap.mmap(-1, 4 * (2**31 + 16), flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | reserve)
    far = np.lib.stride_tricks.as_strided(np.frombuffer(space, "float32"), (2, 9), (4 * 2**31, 4))
    rng = np.random.default_rng(4)
    far[...] = rng.standard_normal((2, 9))
    check(far, rng.standard_normal((9, 10)).astype("float32"), table=ctypes.addressof(copy), alpha=2.0)


def test_special_values_go_through():
    a, b, c = np.array([[np.inf, 1.0], [np.nan, 0.0]]), np.array([[1.0, 0.0], [2.0, -np.inf]]), np.zeros((2, 2))
    gemm(a, b, c)
    with np.errstate(invalid="ignore"):
        want = a @ b
    assert np.array_equal(c, want, equal_nan=True)


def test_a_blas_is_found_in_numpy():
    found = blas.find_blas()
    assert found.int_size in (4, 8) and found.float64 and found.float32
    assert found.gemv64 and found.gemv32


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("m, n, k", [(300, 1, 50), (1, 300, 50), (1500, 1, 800), (1, 1500, 800), (1, 1, 2000)])
def test_a_matrix_and_a_vector(dtype, m, n, k):
    rng = np.random.default_rng(6)
    for _, a in layouts(rng, m, k, dtype):
        for _, b in layouts(rng, k, n, dtype):
            check(a, b)
            check(a, b, alpha=-0.5, beta=2.0)


def test_no_blas_in_a_library_without_one():
    assert blas.find_blas(ctypes.CDLL(None)).int_size == 0


@pytest.mark.parametrize("width", [16, 32])
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_narrower_vectors(dtype, width, monkeypatch):
    """The texts for machines with 16- and 32-byte vectors."""
    monkeypatch.setitem(library._State.symbols, f"gemm_{dtype}", built(dtype, width, False, True)[1])
    rng = np.random.default_rng(5)
    for m, n, k in ((4, 13, 2), (5, 3, 21), (1, 7, 3), (9, 1, 30), (9, 1, 301), (1, 6, 300), (3, 18, 7)):
        check(rng.standard_normal((m, k)).astype(dtype), rng.standard_normal((k, n)).astype(dtype))
        check(rng.standard_normal((m, k)).astype(dtype), rng.standard_normal((n, k)).astype(dtype).T)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_small_products_scale_and_add(dtype):
    """Our own tiles: beta = 0 does not read C, beta = 1 adds to it; alpha scales the product only."""
    rng = np.random.default_rng(7)
    for m, n, k in (
        (1, 40, 1),
        (3, 40, 2),
        (4, 37, 4),
        (8, 5, 7),
        (5, 3, 70),
        (1, 1, 30),
        (1, 300, 50),
        (300, 1, 50),
        (61, 35, 3),
    ):
        a, b = (rng.standard_normal(s).astype(dtype) for s in ((m, k), (k, n)))
        for second in (b, np.asfortranarray(b)):
            for alpha in (1.0, -0.1, 0.0):
                for beta in (0.0, 1.0, -1.0):
                    check(a, second, alpha=alpha, beta=beta)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize(
    "m, n, k",
    [
        (9, 9, 9), (8, 24, 16), (13, 100, 31), (65, 47, 257), (130, 66, 300), (50, 530, 20), (49, 1020, 9), (1, 31, 40),
        (79, 97, 270), (15, 783, 35), (71, 5, 130), (61, 11, 300), (2100, 3, 70), (50, 23, 140), (33, 4, 1100),
        (70, 20, 64), (200, 12, 600), (130, 36, 70), (9, 60, 65), (512, 10, 64), (4, 20, 300), (18, 20, 130), (50, 10, 40),
        (39, 18, 24), (13, 26, 30), (2, 133, 40), (3, 150, 43), (2, 1027, 22), (3, 2049, 17), (2, 128, 500),
        (21, 64, 20), (11, 29, 33), (23, 110, 17), (15, 54, 12),
    ],
)  # fmt: skip
def test_sizes_about_those_of_tiles_panels_and_blocks(dtype, m, n, k):
    rng = np.random.default_rng(8)
    for _, a in layouts(rng, m, k, dtype):
        for _, b in layouts(rng, k, n, dtype):
            check(a, b)
            check(a, b, alpha=-0.5, beta=1.0)
    check(a, b, alpha=2.0, beta=0.25)


def test_nothing_outside_of_the_operands_is_read():
    """Operands that end where memory ends."""
    end = End()
    try:
        rng = np.random.default_rng(9)
        for dtype in ("float64", "float32"):
            for m, n, k in (
                (9, 25, 11),
                (50, 31, 17),
                (12, 13, 9),
                (64, 9, 33),
                (20, 18, 70),
                (2, 33, 21),
                (3, 40, 32),
                (13, 30, 11),
                (14, 61, 10),
            ):
                for shapes in (((m, k), (k, n)), ((m, k), (n, k)), ((k, m), (k, n))):
                    for which in (0, 1):
                        ends = [rng.standard_normal(s).astype(dtype) for s in shapes]
                        ends[which] = end.put(ends[which])
                        a = ends[0] if shapes[0] == (m, k) else ends[0].T
                        check(a, ends[1] if shapes[1] == (k, n) else ends[1].T)
    finally:
        end.protect(3)


def test_without_memory_for_panels():
    """The plain loop does what has no room to pack its operands."""
    library.require("gemm_float64")
    copy = memory.Table.from_buffer_copy(library._State.table)
    refuse = ctypes.CFUNCTYPE(P, I, I)(lambda alignment, size: None)
    copy[abi.RT["aligned_alloc"] // 8] = ctypes.cast(refuse, P).value
    pool = (ctypes.c_char * abi.POOL_SIZE)()
    copy[abi.RT["pool"] // 8] = ctypes.addressof(pool)
    rng = np.random.default_rng(10)
    a, b = rng.standard_normal((60, 20)), rng.standard_normal((20, 30))
    for alpha, beta in ((1.0, 0.0), (0.5, 1.0), (2.0, 0.5)):
        check(a, b, alpha=alpha, beta=beta, table=ctypes.addressof(copy))
        for n in (3, 5, 12, 18):  # few columns, and few behind others
            for first in (rng.standard_normal((60, 300)), rng.standard_normal((300, 60)).T):
                check(first, rng.standard_normal((300, n)), alpha=alpha, beta=beta, table=ctypes.addressof(copy))


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize(
    "m, n, k", [(1, 700, 300), (300, 1, 700), (1, 9500, 3), (3, 700, 301), (40, 40, 333), (1, 2100, 2100)]
)
def test_products_in_pieces_that_wake_no_threads_of_the_blas(dtype, m, n, k):
    rng = np.random.default_rng(3)
    library.require(f"gemm_{dtype}")
    copy = memory.Table.from_buffer_copy(library._State.table)
    copy[abi.RT["blas_threads"] // 8] = 8
    for name, a in layouts(rng, m, k, dtype):
        for other, b in layouts(rng, k, n, dtype):
            if name == other or "C" in (name, other):
                for beta in (0.0, 1.0, 0.5):
                    check(a, b, alpha=-0.5, beta=beta, table=ctypes.addressof(copy))


@pytest.mark.parametrize("threads", [1, 8])
@pytest.mark.parametrize(
    "m, n, k, entry, alone",
    [
        (1, 700, 700, "gemv_float64", 1 << 14), (1100, 1, 1100, "gemv_float64", 1 << 14),
        (3, 700, 700, "cblas_float64", 1 << 18), (1, 2100, 2100, "gemv_float64", 1 << 23),
    ],
)  # fmt: skip
def test_threads_of_the_blas_are_woken_for_large_products_only(m, n, k, entry, alone, threads):
    # a matrix of which few rows would be read by our own code, if it was not transposed
    a, b, c, sizes = np.ones((m, k)), np.ones((k, n), order="F" if m > 1 and n > 1 else "C"), np.zeros((m, n)), []

    @ctypes.CFUNCTYPE(None, *[ctypes.c_int] * (3 if "cblas" in entry else 2), I, I, I)
    def record(*given):
        sizes.append(np.prod(given[3:] if "cblas" in entry else given[2:4]))

    library.require("gemm_float64")
    copy = memory.Table.from_buffer_copy(library._State.table)
    copy[abi.RT[entry] // 8] = ctypes.cast(record, ctypes.c_void_p).value
    copy[abi.RT["blas_threads"] // 8] = threads
    gemm(a, b, c, table=ctypes.addressof(copy))
    assert sum(sizes) == m * n * k
    assert max(sizes) <= alone if threads > 1 else len(sizes) == 1


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_tall_products_of_few_columns_need_no_blas(dtype):
    asked, rng = [], np.random.default_rng(5)
    no_blas = ctypes.CFUNCTYPE(None)(lambda: asked.append(1))
    library.require(f"gemm_{dtype}")
    copy = memory.Table.from_buffer_copy(library._State.table)
    copy[abi.RT[f"cblas_{dtype}"] // 8] = ctypes.cast(no_blas, ctypes.c_void_p).value
    for k in (1, 3, 4):
        b = rng.standard_normal((k, 2)).astype(dtype)
        for _, a in layouts(rng, 12_000, k, dtype):
            for beta in (0.0, 0.5):
                check(a, b, alpha=-0.5, beta=beta, table=ctypes.addressof(copy))
    assert not asked


@pytest.fixture
def set_threads() -> Iterator[Callable[[int], None]]:
    yield threads.set_threads
    threads.set_threads(1)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize(
    "m, n, k",
    [
        (260, 130, 130), (128, 400, 100), (16, 1000, 300), (3000, 15, 100), (385, 193, 70), (33, 1700, 80),
        (4, 1040, 1030), (1031, 41, 110), (50, 60, 1500), (161, 163, 165), (9, 400000, 2), (3000, 5, 300), (4100, 10, 130),
        (700, 20, 310), (900, 42, 120), (18, 20, 12000), (40, 20, 6000),
        (300, 300, 20), (520, 500, 500),
    ],
)  # fmt: skip
def test_threads_share_a_product_and_do_not_change_it(dtype, m, n, k, set_threads):
    rng = np.random.default_rng(11)
    for a, b in (((m, k), (k, n)), ((k, m), (k, n)), ((m, k), (n, k)), ((k, m), (n, k))):
        x, y = (rng.standard_normal(s).astype(dtype) for s in (a, b))
        x, y = x if a == (m, k) else x.T, y if b == (k, n) else y.T
        for alpha, beta in ((1.0, 0.0), (-0.5, 1.0), (2.0, 0.25)):
            got = []
            for count in (1, 2, 3, 7):
                set_threads(count)
                c = np.full((m, n), 3.0, dtype)
                gemm(x, y, c, alpha=alpha, beta=beta)
                got.append(c)
            exact = alpha * (x.astype("float64") @ y.astype("float64")) + beta * 3.0
            assert close(got[0], exact, k, dtype)
            assert all(np.array_equal(got[0], c) for c in got[1:])


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("n, k", [(50, 3000), (100, 700), (165, 300), (260, 300), (1031, 90)])
def test_threads_share_a_product_with_the_transpose(dtype, n, k, set_threads):
    """Parts of C that are above the diagonal have nothing to do."""
    rng = np.random.default_rng(23)
    for x in (rng.standard_normal((n, k)).astype(dtype), rng.standard_normal((k, n)).astype(dtype).T):
        got = []
        for count in (1, 2, 3, 7):
            set_threads(count)
            c = np.full((n, n), np.nan, dtype)
            gemm(x, x.T, c, alpha=-0.5)
            got.append(c)
        assert close(got[0], -0.5 * (x.astype("float64") @ x.T.astype("float64")), k, dtype)
        assert all(np.array_equal(got[0], c) for c in (*got[1:], got[0].T))


@pytest.mark.parametrize("count, by_blas", [(1, True), (7, True), (8, False), (9, False)])
def test_a_large_product_goes_to_whoever_has_more_threads(count, by_blas, set_threads, request):
    calls = []

    @ctypes.CFUNCTYPE(None, *[ctypes.c_int] * 3, I, I, I)
    def record(*given):
        calls.append(given)

    set_threads(count)
    library.require("gemm_float64")
    copy = memory.Table.from_buffer_copy(library._State.table)
    copy[abi.RT["cblas_float64"] // 8] = ctypes.cast(record, P).value
    copy[abi.RT["blas_threads"] // 8] = 8
    gemm(np.ones((200, 200)), np.ones((200, 200)), np.zeros((200, 200)), table=ctypes.addressof(copy))
    panels = request.node.callspec.params["build"] != "blas"
    assert bool(calls) == (by_blas or not panels)


def test_a_product_of_panels_stays_in_its_rows(set_threads):
    """Parts of C, with columns behind its rows that belong to somebody else."""
    set_threads(3)
    rng = np.random.default_rng(12)
    for m, n, k in ((129, 401, 100), (700, 33, 200)):
        check(rng.standard_normal((m, k)), rng.standard_normal((k, n)))
        check(rng.standard_normal((k, m)).T, rng.standard_normal((n, k)).T, alpha=2.0, beta=1.0)


def placed(values: np.ndarray, offset: int, order: str) -> np.ndarray:
    """The same matrix from so many bytes behind a cache line on, between numbers that are not finite."""
    room = np.full(values.nbytes + 192, 0xFF, np.uint8)
    start = 64 - room.ctypes.data % 64 + offset
    view = room[start : start + values.nbytes].view(values.dtype).reshape(values.shape, order=order)
    view[...] = values
    return view


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("k", [255, 256, 263, 300, 1000])
def test_products_with_a_vector_have_the_same_bits_wherever_they_begin(dtype: str, k: int) -> None:
    rng = np.random.default_rng(k)
    for m, n, add in ((1, 1, 0.0), (3, 1, 0.0), (4, 1, 1.0), (9, 1, 0.5), (1, 4, 0.0), (1, 7, 1.0), (6, 1, 0.0)):
        a, b = rng.standard_normal((m, k)).astype(dtype), rng.standard_normal((k, n)).astype(dtype)
        start = rng.standard_normal((m, n)).astype(dtype)
        found = set()
        for away in range(0, 64, a.itemsize):
            for other in (0, 16, 40):
                c = start.copy()
                gemm(placed(a, away, "C"), placed(b, other, "F"), c, 0.5, add)
                found.add(c.tobytes())
        assert len(found) == 1
        assert close(c, 0.5 * (a.astype("f8") @ b.astype("f8")) + add * start, k, dtype)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_products_with_a_vector_where_memory_begins_and_ends(dtype: str) -> None:
    ends, rng = [End(), End()], np.random.default_rng(6)
    for m, k in ((4, 256), (5, 301), (8, 1000)):
        a, b = rng.standard_normal((m, k)).astype(dtype), rng.standard_normal((k, 1)).astype(dtype)
        for put in ("put", "put_first"):
            c = np.zeros((m, 1), dtype)
            gemm(getattr(ends[0], put)(a), getattr(ends[1], put)(b), c)
            assert close(c, a.astype("f8") @ b.astype("f8"), k, dtype)
    for end in ends:
        end.protect(3)
