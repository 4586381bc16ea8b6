"""Quicksort by vectors: every kind of order, every length around whole vectors, and nothing written elsewhere."""

from __future__ import annotations

import ctypes
import re
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

import numpy as np
import pytest
from polls import KNOWN
from tuned import tuned

from tensordsl import config
from tensordsl.codegen.abi import layouts
from tensordsl.codegen.kernel_ir.ir import Module
from tensordsl.codegen.library.sort import parallel_quicksort
from tensordsl.codegen.library.sort.driver import REGISTERS, REGISTERS_OF_PAIRS
from tensordsl.codegen.library.sort.quicksort import Quick
from tensordsl.codegen.llvm.compile import compile_object
from tensordsl.codegen.llvm.kernel_text import module_text
from tensordsl.codegen.target.machine import native_width
from tensordsl.runtime.loading import elf, library
from tensordsl.runtime.loading.layout import peek

WIDTHS = [width for width in (32, 64) if width <= native_width()]
pytestmark = pytest.mark.skipif(not WIDTHS, reason="needs AVX2")
CANARIES = 64  # elements before and behind what may be written
LENGTHS = (*range(1, 40), 63, 64, 65, 66, 71, 72, 127, 128, 129, 130, 143, 255, 257, 500, 1023, 1024, 3000, 20_001)
P, I64 = ctypes.c_void_p, ctypes.c_int64


@pytest.fixture(params=[1, 3])
def threads(request: Any) -> Iterator[int]:
    before, config.num_threads = config.num_threads, request.param
    yield request.param
    config.num_threads = before


@cache
def function(bits: int, width: int, has_positions: bool, name: str) -> Callable[..., Any]:
    small = {
        "parallel_min_keys": 100, "slice_min_keys": 9, "slice_max_keys": 90, "bucket_min_keys": 9,
        "samples_per_bucket": 8, "slice_multiple_keys": 1, "few_buckets": 1,
    }  # fmt: skip
    tuning = tuned(sort=small, machine={"vector_bytes": width})
    quick = Quick("quick", bits, REGISTERS_OF_PAIRS if has_positions else REGISTERS, tuning, has_positions)
    text = module_text(Module(quick.functions(), quick.tables()))
    text = re.sub(rf"internal (\S+ @{name}\()", r"\1", text)
    code, [[address]] = elf.load([(compile_object(text), (name,))], KNOWN)
    part = (ctypes.c_bool, ctypes.c_bool, I64) if name == "quick.part" else (P,)
    call = ctypes.CFUNCTYPE(P, P, P, I64, I64, *part)(address)
    call.code, call.address = code, address  # type: ignore[attr-defined]
    return call


def orders(n: int, dtype: str) -> Iterator[Any]:
    rng, bottom, top = np.random.default_rng(n), np.iinfo(dtype).min, np.iinfo(dtype).max
    yield rng.integers(bottom, top, n, dtype, endpoint=True)
    for distinct in (1, 2, 3, 10):
        yield rng.integers(0, distinct, n).astype(dtype)
        yield top - rng.integers(0, distinct, n).astype(dtype)
        yield bottom + rng.integers(0, distinct, n).astype(dtype)
    yield np.arange(n, dtype=dtype)
    yield np.arange(n, dtype=dtype)[::-1].copy()
    yield np.minimum(np.arange(n), np.arange(n)[::-1]).astype(dtype)
    yield (np.arange(n) % 7).astype(dtype)
    for others in (2, 50):
        yield np.where(rng.integers(0, others, n) == 0, np.array(top, dtype), np.array(0, dtype))
        yield np.where(rng.integers(0, others, n) == 0, rng.integers(bottom, top, n, dtype), np.array(3, dtype))


def padded(x: Any) -> Any:
    room = np.full(len(x) + 2 * CANARIES, 77, x.dtype)
    room[CANARIES : CANARIES + len(x)] = x
    return room


def address(room: Any) -> int:
    return int(room.ctypes.data) + CANARIES * room.itemsize


def inside(room: Any) -> Any:
    assert (room[:CANARIES] == 77).all() and (room[len(room) - CANARIES :] == 77).all()
    return room[CANARIES : len(room) - CANARIES]


def sort_of(bits: int, width: int, has_positions: bool, threads: int) -> Callable[..., Any]:
    """What sorts keys, with a pool of threads or alone."""
    if threads == 1:
        return lambda *given: function(bits, width, has_positions, "quick")(*given, 0)
    pool = peek(library.table() + layouts.RT["threads"])
    return lambda *given: function(bits, width, has_positions, "quick.shared")(*given, pool)


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("bits", [32, 64])
def test_keys_are_sorted(bits: int, width: int, threads: int) -> None:
    sort = sort_of(bits, width, False, threads)
    for n in LENGTHS:
        for keys in orders(n, f"int{bits}"):
            a, b = padded(keys), padded(np.zeros_like(keys))
            assert sort(address(a), address(b), n, bits // 8) == address(a)
            np.testing.assert_array_equal(inside(a), np.sort(keys))
            inside(b)


@pytest.mark.skipif(64 not in WIDTHS, reason="needs AVX-512")
def test_keys_with_positions_are_sorted_stably(threads: int) -> None:
    sort = sort_of(64, 64, True, threads)
    for n in LENGTHS:
        for keys in orders(n, "uint64"):
            (a, b), (p, q) = (np.full((2, n + 2 * CANARIES), 77, "uint64") for _ in range(2))
            buffers = [np.concatenate(x) for x in ((a, p), (b, q))]  # of each the keys, then the positions
            shift = 8 * (n + 2 * CANARIES)
            buffers[0][CANARIES : CANARIES + n] = keys
            buffers[0][n + 3 * CANARIES : 2 * n + 3 * CANARIES] = np.arange(n)
            sort(address(buffers[0]), address(buffers[1]), n, shift)
            got = [inside(x) for x in np.split(buffers[0], 2)]
            want = np.argsort(keys, kind="stable")
            np.testing.assert_array_equal(got[1], want)
            np.testing.assert_array_equal(got[0], keys[want])
            for x in np.split(buffers[1], 2):
                inside(x)


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("bits", [32, 64])
@pytest.mark.parametrize("stays", [False, True])
def test_parts_that_samples_split_badly_are_split_at_medians(bits: int, width: int, stays: bool) -> None:
    part = function(bits, width, False, "quick.part")
    for n in (129, 257, 500, 3000):
        for keys in orders(n, f"int{bits}"):
            a, b = padded(keys), padded(np.zeros_like(keys))
            part(address(a), address(b), n, 0, stays, False, 0)
            np.testing.assert_array_equal(inside(a if stays else b), np.sort(keys))
            inside(b if stays else a)


def middle_of(bits: int, width: int, has_positions: bool) -> Callable[..., int]:
    """What gives the key at which n keys at an address are split."""
    key = {(32, False): ctypes.c_int32, (64, False): I64, (64, True): ctypes.c_uint64}[bits, has_positions]
    return ctypes.CFUNCTYPE(key, P, I64, I64)(function(bits, width, has_positions, "quick.middle").address)  # type: ignore[attr-defined]


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("bits", [32, 64])
def test_lines_with_a_period_are_split_near_their_middle(bits: int, width: int) -> None:
    middle = middle_of(bits, width, False)
    for n in (640, 6400, 102_400):
        for period in (8, 16, 32, 64, n // 64, n // 32, n // 16, n // 8):
            places = np.arange(n)
            keys = (places % period * (n // period) + places // period).astype(f"int{bits}")
            assert n / 10 < middle(keys.ctypes.data, n, 1) < n * 9 / 10


@pytest.mark.parametrize("bits, has_positions", [(32, False), (64, False), (64, True)])
@pytest.mark.parametrize("width", WIDTHS)
def test_long_lines_are_split_near_their_middle(bits: int, width: int, has_positions: bool) -> None:
    if has_positions and width < 64:
        pytest.skip("needs AVX-512")
    middle, dtype = middle_of(bits, width, has_positions), f"{'u' * has_positions}int{bits}"
    bounds = np.iinfo(dtype)
    for seed in range(100):
        keys = np.random.default_rng(seed).integers(bounds.min, bounds.max, 20_000, dtype)
        less = (keys < middle(keys.ctypes.data, len(keys), 1)).mean()
        assert 0.25 < less < 0.75


@pytest.mark.parametrize("bits, has_positions", [(32, False), (64, False), (64, True)])
@pytest.mark.parametrize("width", WIDTHS)
def test_threads_get_buckets_of_about_the_same_size(bits: int, width: int, has_positions: bool) -> None:
    if has_positions and width < 64:
        pytest.skip("needs AVX-512")
    call = function(bits, width, has_positions, "quick.pivots")
    pivots = ctypes.CFUNCTYPE(I64, P, I64, P)(call.address)  # type: ignore[attr-defined]
    dtype, n = f"{'u' * has_positions}int{bits}", 60_000
    rng, bounds = np.random.default_rng(0), np.iinfo(dtype)
    for keys in (
        rng.integers(bounds.min, bounds.max, n, dtype),
        np.arange(n, dtype=dtype) % 64 * 1000 + np.arange(n, dtype=dtype) // 64,
    ):
        tree = np.zeros(parallel_quicksort.MAX_BUCKETS, dtype)
        assert pivots(keys.ctypes.data, n, tree.ctypes.data) == len(tree)
        borders = np.sort(tree[1:])
        buckets = np.bincount(np.searchsorted(borders, keys, side="right"))
        assert len(buckets) == len(tree) and buckets.max() < 3 * n / len(tree)
        assert tree[1] == borders[len(tree) // 2 - 1] and tree[2] < tree[1] < tree[3]


@pytest.mark.parametrize("width", WIDTHS)
def test_few_different_keys_have_few_buckets(width: int) -> None:
    call = function(64, width, False, "quick.pivots")
    pivots = ctypes.CFUNCTYPE(I64, P, I64, P)(call.address)  # type: ignore[attr-defined]
    tree = np.zeros(parallel_quicksort.MAX_BUCKETS, "int64")
    for distinct, buckets in ((1, 2), (2, 4), (3, 4), (4, 8), (7, 8), (10, 16)):
        keys = np.random.default_rng(distinct).integers(0, distinct, 60_000)
        assert pivots(keys.ctypes.data, len(keys), tree.ctypes.data) == buckets
