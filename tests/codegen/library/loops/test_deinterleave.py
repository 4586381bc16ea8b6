"""Columns of one block, which one packer copies."""

from __future__ import annotations

import ctypes
import re
from functools import reduce
from typing import Any

import numpy as np
import pytest
from end_of_memory import End
from polls import KNOWN
from tuned import HERE

import tensordsl as td
import tensordsl.tensor as T
from tensordsl.codegen.compiler.modules import only
from tensordsl.codegen.library.loops.entry import nest_text
from tensordsl.codegen.library.loops.pack.deinterleave import DENSE
from tensordsl.codegen.library.loops.pack.strided import with_repeated_loads
from tensordsl.codegen.llvm.compile import compile_object
from tensordsl.runtime.loading import elf

DTYPES = ["float64", "float32", "int64", "int32", "complex64", "int16"]
CHOSEN = [(0, 1), (1, 0), (2, 0, 1), (0, 2), (0, 3), (3, 1, 0), (0, 4), (5, 2, 1, 7), (6, 1, 5, 0, 3, 4, 2), (1, 1, 2)]
LENGTHS = [1, 7, 31, 63, 64, 65, 127, 128, 129, 143, 200, 257, 300, 530, 1030]


def columns_at_the_end(end: End, chosen: tuple[int, ...], rows: int, width: int, dtype: str) -> list[np.ndarray]:
    """Columns of a block that has no more than these."""
    random = np.random.default_rng(rows)
    block = random.integers(-90, 90, (rows - 1) * width + max(chosen) + 1).astype(dtype)
    flat, size = end.put(block), block.itemsize
    return [np.ndarray(rows, dtype, flat, c * size, (width * size,)) for c in chosen]  # type: ignore[call-overload]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("chosen", CHOSEN)
def test_columns_of_one_block(dtype: str, chosen: tuple[int, ...], ends: list[End]) -> None:
    given = [T.tensor(dtype, (False,)) for _ in chosen]
    x, w = T.tensor(dtype, (False, False)), T.tensor(dtype, (False,))

    def of(values: list) -> object:
        return reduce(lambda a, b: a * 2 - b, values)

    f = td.function(given, of(given))
    g = td.function([x, w], [of([x[:, c] for c in chosen]) * w, of([x[:, c] for c in chosen]).sum()])
    for width in (w for w in (2, 3, 4, 5, 8, 11) if w > max(chosen)):
        for rows in LENGTHS:
            columns = columns_at_the_end(ends[0], chosen, rows, width, dtype)
            assert np.array_equal(f(*columns), of(columns))
            assert np.array_equal(f(*[c[::-1] for c in columns]), of([c[::-1] for c in columns]))
            block, b = (np.arange(rows * k) % 31 for k in (width, 1))
            block, b = block.reshape(rows, width).astype(dtype), b.astype(dtype)
            wanted = of([block[:, c] for c in chosen])
            product, total = g(ends[1].put(block), b)
            assert np.array_equal(product, wanted * b) and total == wanted.sum()


@pytest.mark.parametrize("dtype", ["float64", "float32", "int32", "int16"])
@pytest.mark.parametrize("width", [2, 3, 4, 7])
def test_rows_of_columns(dtype: str, width: int, ends: list[End]) -> None:
    x, s = T.tensor3(dtype=dtype), T.vector(dtype=dtype)
    e = x[:, :, -1] * x[:, :, 0] - x[:, :, 1]
    f = td.function([x, s], [e.sum(1), e.max(0), e.sum(), e * s[:, None], (x[1:, :, 0] - x[:-1, :, 0]).sum(1)])
    u, v = T.matrix(dtype=dtype), T.matrix(dtype=dtype)
    g = td.function([u, v], [(u * v).sum(1), (u * v).sum(0)])
    for rows, n in ((1, 300), (2, 40), (7, 64), (9, 130), (3, 257), (33, 300), (20, 9), (5, 2100)):
        a = np.random.default_rng(n).integers(-9, 9, (rows, n, width)).astype(dtype)
        b, half = a[:, 0, 0] + np.ones((), dtype), (rows + 1) // 2
        every, second = a[:half, :, 0], a[::2, :, 1]
        for value, total in zip(((every * second).sum(1), (every * second).sum(0)), g(every, second), strict=True):
            assert np.array_equal(value, total)
        turned = np.ascontiguousarray(a.transpose(1, 0, 2)).transpose(1, 0, 2)
        for layout in (ends[0].put(a), a[::-1], a[:, ::-1], np.asfortranarray(a), turned, np.repeat(a, 2, axis=0)[::2]):
            w = layout[:, :, -1] * layout[:, :, 0] - layout[:, :, 1]
            steps = layout[1:, :, 0] - layout[:-1, :, 0]
            wanted = [w.sum(1), w.max(0), w.sum(), w * b[:, None], steps.sum(1)]
            assert all(np.array_equal(p, q) for p, q in zip(f(layout, b), wanted, strict=True))


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_columns_of_rows_that_follow(dtype: str) -> None:
    x, y, z = (T.vector(dtype=dtype) for _ in range(3))
    f = td.function([x, y, z], x * y - z)
    for width in (2, 3, 4, 7):
        for rows in (70, 300, 1000):
            a = np.arange(rows * width, dtype=dtype).reshape(rows, width)
            first, last = a[:-1], a[1:]
            for p, q, r in (
                (first[:, 0], last[:, 0], first[:, 1]),
                (last[:, 1], first[:, -1], last[:, 0]),
                (a[:, 1],) * 3,
            ):
                assert np.array_equal(f(p, q, r), p * q - r)


@pytest.mark.parametrize("dtype", ["float64", "float32", "int16", "uint8", "complex128"])
def test_columns_of_rows_that_no_cache_keeps(dtype: str) -> None:
    x = T.matrix(dtype=dtype)

    def of(x: Any) -> list:
        return [x[:, 0] * x[:, 1] - x[:, 3], x[:, 1] + x[:, -1], x[:, 2] + 1, x[:, 0].sum(), (x[:, 2] - x[:, 4]).sum()]

    f = td.function([x], of(x))
    for rows in (300, 1003):
        a = np.zeros((rows, HERE.pack.repeated_loads_min_bytes // rows // np.dtype(dtype).itemsize + 1), dtype)
        a[:, [0, 1, 2, 3, 4, -1]] = np.random.default_rng(rows).integers(0, 3, (rows, 6))
        for layout in (a, a[::-1], a[:, ::-1]):
            assert all(np.array_equal(got, wanted) for got, wanted in zip(f(layout), of(layout), strict=True))


def test_fields_of_records() -> None:
    x, y, u, v = T.dvector(), T.dvector(), T.ivector(), T.ivector()
    f = td.function([x, y, u, v], x - y * 3 + u * 5 + v * 7)
    records = np.zeros(300, [("a", "f8"), ("b", "i4"), ("c", "i4"), ("d", "f8"), ("e", "f4"), ("f", "f4")])
    for k, name in enumerate(records.dtype.names or ()):
        records[name] = np.arange(300) * k
    a, b, c, d = (records[k] for k in "abcd")
    assert np.array_equal(f(a, d, b, c), a - d * 3 + b * 5 + c * 7)


def test_a_column_of_state_follows_from_the_others() -> None:
    for rows in (50, 300, 5000):
        value = np.arange(rows * 3.0).reshape(rows, 3)
        s = td.shared(value)
        f = td.function([], updates=[(s, T.set_subtensor(s[:, 1], s[:, 0] * s[:, 2] - s[:, 1]))])
        f()
        wanted = value.copy()
        wanted[:, 1] = value[:, 0] * value[:, 2] - value[:, 1]
        assert np.array_equal(s.get_value(), wanted)


PACKERS = [("deinterleave4", 4, 4), ("deinterleave4", 4, 9), ("deinterleave8", 8, 3), ("deinterleave8", 8, 5)]
PACKERS += [(with_repeated_loads(name), size, width) for name, size, width in PACKERS]
PACKERS += [(f"dense{size}x{step}", size, step) for size, step in DENSE]


@pytest.mark.parametrize(("name", "size", "width"), PACKERS)
@pytest.mark.parametrize("used", [(0, 1), (0, 2), (0, 3), (0, 1, 2), (0, 2, 3), (0, 1, 2, 3)])
def test_packers_of_columns(name: str, size: int, width: int, used: tuple[int, ...], ends: list[End]) -> None:
    used = tuple(k for k in used if k < width)
    text = re.sub(rf"internal (void @{name}\()", r"\1", only(nest_text(HERE), [name]))
    code, [[address]] = elf.load([(compile_object(text), (name,))], KNOWN)
    pack = ctypes.CFUNCTYPE(None, *[ctypes.c_void_p] * 2, *[ctypes.c_int64] * 2)(address)
    for rows in LENGTHS:
        columns = columns_at_the_end(ends[0], used, rows, width, f"int{8 * size}")
        copies = [np.full(rows + 1, 99, f"int{8 * size}") for _ in used]
        table = np.zeros(4, np.intp)
        table[[*used]] = [c.ctypes.data for c in copies]
        pack(table.ctypes.data, columns[0].ctypes.data, width * size, rows)
        for copy, column in zip(copies, columns, strict=True):
            assert np.array_equal(copy[:-1], column) and copy[-1] == 99
    del code
