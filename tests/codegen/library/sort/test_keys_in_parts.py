"""What sorting does to each number of a long line by itself, in parts: right wherever parts begin and end."""

from __future__ import annotations

import ctypes
from collections.abc import Iterator

import numpy as np
import pytest
from polls import KNOWN
from tuned import HERE

import tensordsl as td
import tensordsl.tensor as T
from tensordsl import config
from tensordsl.codegen.abi import layouts
from tensordsl.codegen.library.sort import driver, parallel_lines
from tensordsl.codegen.llvm.compile import compile_object
from tensordsl.codegen.target.machine import native_width
from tensordsl.runtime.loading import elf

P, I64 = ctypes.c_void_p, ctypes.c_int64


@pytest.fixture(autouse=True)
def three_threads() -> Iterator[None]:
    before, config.num_threads = config.num_threads, 3
    yield
    config.num_threads = before


@pytest.mark.parametrize("n", [65_535, 65_536, 65_537, 70_001, 131_071])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_special_numbers_are_found_in_every_part(dtype: str, n: int) -> None:
    x = T.vector(dtype=dtype)
    f = td.function([x], [T.sort(x), T.sort(x[::-2]), T.sort(x)[:100]])
    given = np.random.default_rng(n).normal(size=n).astype(dtype)
    for place in (None, 0, 1, n // 2, n - n // 16, n - 2, n - 1):
        for special in (np.nan, -0.0):
            here = given.copy()
            if place is not None:
                here[place] = special
            got = f(here)
            wanted = (
                np.sort(here, kind="stable"),
                np.sort(here[::-2], kind="stable"),
                np.sort(here, kind="stable")[:100],
            )
            for a, b in zip(got, wanted, strict=True):
                np.testing.assert_array_equal(a.view(f"i{a.itemsize}"), b.view(f"i{a.itemsize}"))


@pytest.mark.parametrize("n", [1, 17, 63, 64, 65, 129, 300, 1_025, 70_001])
@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_zeros_and_nans_keep_their_order(dtype: str, n: int) -> None:
    x = T.vector(dtype=dtype)
    f = td.function([x], [T.sort(x), T.sort(x[::-1]), T.sort(x[1::3])])
    rng, word = np.random.default_rng(n), f"u{np.dtype(dtype).itemsize}"
    for share in (0.001, 0.02, 0.4, 1):
        given = rng.normal(size=n).astype(dtype)
        bits = given.view(word)
        sign, nan = np.array([-0.0, np.nan], dtype).view(word)
        nans = nan + rng.integers(0, 9, n).astype(word)
        special = np.stack([np.zeros(n, word), np.full(n, sign), nans, nans | sign])
        chosen = special[rng.integers(0, 4, n), np.arange(n)]
        bits[:] = np.where(rng.random(n) < share, chosen, bits)
        for got, viewed in zip(f(given), (given, given[::-1], given[1::3]), strict=True):
            np.testing.assert_array_equal(got.view(word), np.sort(viewed, kind="stable").view(word))


@pytest.mark.parametrize("n", [5, 31, 65_536, 70_001])
@pytest.mark.parametrize(
    "dtype", ["bool", "float16", "float32", "float64", "int32", "int64", "uint32", "uint64", "complex64"]
)
def test_positions_are_those_of_every_part(dtype: str, n: int) -> None:
    x = T.vector(dtype=dtype)
    f = td.function([x], [T.argsort(x), T.argsort(x[::-1]), T.argsort(x[1::2])])
    for distinct in (2, 2000):
        given = np.random.default_rng(n).integers(0, distinct, n).astype(dtype)
        if dtype.startswith(("float", "complex")):
            given[:: n // 4] = np.nan
            given[1 :: n // 4] = -0.0
        for got, viewed in zip(f(given), (given, given[::-1], given[1::2]), strict=True):
            np.testing.assert_array_equal(got, np.argsort(viewed, kind="stable"))


@pytest.mark.skipif(native_width() < 32, reason="needs AVX2")
@pytest.mark.parametrize("function", ["sort", "argsort"])
def test_all_steps_of_long_lines_are_done_in_parts(function: str) -> None:
    parts = []

    def parallel_for(pool: int, part: int, job: int, count: int) -> None:
        parts.append(count)
        for k in reversed(range(count)):
            ctypes.CFUNCTYPE(None, P, I64)(part)(job, k)

    pool, room = (I64 * (layouts.TH["parallel_for"] // 8 + 1))(), np.zeros(300_000, "int64")
    callback = ctypes.CFUNCTYPE(None, P, P, P, I64)(parallel_for)
    pool[layouts.TH["parallel_for"] // 8] = ctypes.cast(callback, P).value or 0
    room[driver.HEAD_BYTES // 8 - 1] = ctypes.addressof(pool)
    name = f"{function}_float32.line"
    text = driver.sort_text("float32", HERE).replace(f"internal void @{name}", f"void @{name}")
    code, [[address]] = elf.load([(compile_object(text), (name,))], KNOWN)
    x = np.random.default_rng(0).normal(size=70_001).astype("float32")
    y = np.zeros(len(x), "float32" if function == "sort" else "int64")
    wanted = (I64, I64) if function == "sort" else ()
    line = ctypes.CFUNCTYPE(None, P, P, I64, I64, I64, P, *wanted)(address)
    places = x.ctypes.data, y.ctypes.data, len(x), 4, y.itemsize, room.ctypes.data + driver.HEAD_BYTES
    line(*places, *((0, len(x)) if wanted else ()))
    np.testing.assert_array_equal(y, np.sort(x) if wanted else np.argsort(x, kind="stable"))
    assert parts[0] == parts[-1] == parallel_lines.TASKS
    assert min(parts) > 8
    without_nans, x[1234] = len(parts), np.nan
    line(*places, *((0, len(x)) if wanted else ()))
    np.testing.assert_array_equal(y, np.sort(x) if wanted else np.argsort(x, kind="stable"))
    assert len(parts) - without_nans == without_nans + len(wanted) // 2  # nans and zeros are set apart
