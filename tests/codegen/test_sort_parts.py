"""What sorting does to each number of a long line by itself, in parts: right wherever parts begin and end."""

from __future__ import annotations

import ctypes
from collections.abc import Iterator

import numpy as np
import pytest

import tensordsl as td
import tensordsl.tensor as T
from tensordsl import config
from tensordsl.codegen import abi, sort_parts, sort_text
from tensordsl.codegen.target import compile_object, native_width
from tensordsl.runtime import elf

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


@pytest.mark.skipif(native_width() < 32, reason="needs AVX2")
def test_numbers_are_read_and_written_in_parts() -> None:
    parts = []

    def parallel_for(pool: int, part: int, job: int, count: int) -> None:
        parts.append(count)
        for k in reversed(range(count)):
            ctypes.CFUNCTYPE(None, P, I64)(part)(job, k)

    pool, room = (I64 * (abi.TH["parallel_for"] // 8 + 1))(), np.zeros(300_000)
    callback = ctypes.CFUNCTYPE(None, P, P, P, I64)(parallel_for)
    pool[abi.TH["parallel_for"] // 8] = ctypes.cast(callback, P).value or 0
    text = sort_text.sort_text("float64", native_width()).replace(
        "internal void @sort_float64.line", "void @sort_float64.line"
    )
    code, [[address]] = elf.load([(compile_object(text), ("sort_float64.line",))])
    x, y = np.random.default_rng(0).normal(size=70_001), np.zeros(70_001)
    room.view("int64")[7] = ctypes.addressof(pool)
    line = ctypes.CFUNCTYPE(None, P, P, I64, I64, I64, P, I64, I64)(address)
    line(x.ctypes.data, y.ctypes.data, len(x), 8, 8, room.ctypes.data + sort_text.HEAD, 0, len(x))
    np.testing.assert_array_equal(y, np.sort(x))
    assert parts[0] == parts[-1] == sort_parts.PARTS
