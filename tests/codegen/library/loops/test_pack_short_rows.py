"""Short rows with gaps between them: some columns of a join, or of a slice that is written."""

from __future__ import annotations

import ctypes
import itertools
import re

import numpy as np
import pytest
from end_of_memory import End
from polls import KNOWN
from tuned import tuned

import tensordsl as td
import tensordsl.tensor as T
from tensordsl.codegen.compiler.modules import only
from tensordsl.codegen.library.loops.entry import nest_text
from tensordsl.codegen.library.loops.short_rows.reverse import SHUFFLES
from tensordsl.codegen.llvm.compile import compile_object
from tensordsl.codegen.target import machine
from tensordsl.runtime.loading import elf

DTYPES = ["float64", "float32", "int16", "int8"]
ROWS = [1, 2, 5, 9, 30, 64, 129, 400, 1100]


def data(dtype: str, *shape: int) -> np.ndarray:
    return np.random.default_rng(0).integers(-5, 5, shape).astype(dtype)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("widths", [(3, 2), (1, 5, 1), (7, 8, 9), (0, 4), (31, 2), (63, 1)])
def test_joins_of_few_columns(dtype: str, widths: tuple[int, ...], ends: list[End]) -> None:
    parts = [T.tensor(dtype, (False, False)) for _ in widths]
    f = td.function(parts, [T.concatenate(parts, axis=1), T.concatenate([p + p[0] for p in parts], axis=1)])
    for rows in ROWS:
        arrays = [data(dtype, rows, n) for n in widths]
        joined, computed = np.concatenate(arrays, 1), np.concatenate([a + a[0] for a in arrays], 1)
        for given in (
            [end.put(a) for end, a in zip(ends, arrays, strict=False)],
            [np.repeat(a, 2, axis=0)[::2] for a in arrays],
            [np.asfortranarray(a) for a in arrays],
            [np.repeat(a, 3, axis=1)[:, ::3] for a in arrays],
        ):
            got = f(*given)
            assert np.array_equal(got[0], joined) and np.array_equal(got[1], computed)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("first, last", [(0, 3), (1, 2), (2, 9), (1, 16)])
def test_writes_to_some_columns(dtype: str, first: int, last: int, ends: list[End]) -> None:
    x, y, z = T.tensor(dtype, (False, False)), T.tensor(dtype, (False, False)), T.tensor(dtype, (False,))
    part = x[:, first:last]
    results = [T.set_subtensor(part, y * 2), T.inc_subtensor(part, y + z), T.set_subtensor(part, z), part * 2]
    f = td.function([x, y, z], results)
    state = td.shared(data(dtype, 1, 1))
    g = td.function([y], updates=[(state, T.inc_subtensor(state[:, first:last], y))])
    for rows in ROWS:
        a, b, c = data(dtype, rows, 17), data(dtype, rows, last - first)[::-1], data(dtype, last - first)
        wanted = [a.copy() for _ in range(3)]
        wanted[0][:, first:last] = b * 2
        wanted[1][:, first:last] += b + c
        wanted[2][:, first:last] = c
        got = f(ends[0].put(a), b, ends[1].put(c))
        for value, expected in zip(got, [*wanted, a[:, first:last] * 2], strict=True):
            assert np.array_equal(value, expected)
        state.set_value(a)
        g(b)
        a[:, first:last] += b
        assert np.array_equal(state.get_value(), a)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_dear_functions_of_some_columns(dtype: str) -> None:
    x, y = T.tensor(dtype, (False, False)), T.tensor(dtype, (False, False))
    f = td.function([x, y], T.concatenate([T.exp(x) * T.tanh(x), T.sin(y), x], axis=1))
    for columns in (1, 7, 15, 29, 31):
        for rows in (3, 20, 77, 500):
            a, b = data(dtype, rows, columns), data(dtype, rows, 33)
            expected = np.concatenate([np.exp(a) * np.tanh(a), np.sin(b), a], 1)
            np.testing.assert_allclose(f(a, b), expected, rtol=1e-5)


def test_parts_of_rows_with_gaps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(td.config, "num_threads", 3)
    x, y = T.matrix(), T.matrix()
    f = td.function([x, y], T.concatenate([T.exp(x), y], axis=1))
    a, b = np.random.default_rng(0).normal(size=(20_003, 3)), data("float64", 20_003, 2)
    np.testing.assert_allclose(f(a, b), np.concatenate([np.exp(a), b], 1), rtol=1e-14)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(
    "shape", [(3, 5, 7), (40, 2, 2), (130, 7, 3), (2, 300, 3), (3, 4, 5, 6), (9, 1, 17, 2), (2, 3, 400)]
)
def test_exchanged_axes_and_parts_of_small_matrices(dtype: str, shape: tuple[int, ...], ends: list[End]) -> None:
    rank = len(shape)
    x, y = T.tensor(dtype, (False,) * rank), T.tensor(dtype, (False,) * rank)
    inner = (slice(None), *(slice(1, None),) * (rank - 1))
    outer = (slice(None), *(slice(0, -1),) * (rank - 1))
    orders = [(*range(rank - 2), rank - 1, rank - 2), tuple(reversed(range(rank))), (1, 0, *range(2, rank))]
    orders.append((*range(1, rank), 0))
    turned = [x.dimshuffle(*order) * 2 for order in orders]
    f = td.function([x, y], [*turned, T.set_subtensor(x[inner], y[outer]), T.inc_subtensor(x[inner], y[inner])])
    a, b = data(dtype, *shape), data(dtype, *shape)[::-1]
    wanted = [a.transpose(order) * 2 for order in orders]
    written, added = a.copy(), a.copy()
    written[inner] = b[outer]
    added[inner] += b[inner]
    for given in (ends[0].put(a), np.asfortranarray(a), np.repeat(a, 2, axis=0)[::2]):
        for got, expected in zip(f(given, b), [*wanted, written, added], strict=True):
            assert np.array_equal(got, expected)


@pytest.mark.parametrize("dtype", [*DTYPES, "complex128"])
@pytest.mark.parametrize("step", [-1, 2, -2, 5])
def test_short_rows_of_elements_apart(dtype: str, step: int, ends: list[End]) -> None:
    x, y = T.tensor(dtype, (False, False)), T.tensor(dtype, (False, False))
    zeros = T.zeros_like(x)
    results = [x[:, ::step] * 2, x[:, ::step] + y[::-1, ::step], T.set_subtensor(zeros[:, ::step], x[:, ::step] * 3)]
    f = td.function([x, y], results)
    for columns in (1, 2, 5, 8, 17, 31, 40, 70):
        for rows in (1, 3, 50, 700):
            a, b = data(dtype, rows, columns), data(dtype, rows, columns)
            written = np.zeros_like(a)
            written[:, ::step] = a[:, ::step] * 3
            wanted = [a[:, ::step] * 2, a[:, ::step] + b[::-1, ::step], written]
            for given in (ends[0].put(a), np.repeat(a, 2, axis=1)[:, ::2], np.ascontiguousarray(a[:, ::-1])[:, ::-1]):
                for got, expected in zip(f(given, ends[1].put(b)), wanted, strict=True):
                    assert np.array_equal(got, expected)


@pytest.mark.parametrize("dtype", DTYPES)
def test_rows_of_few_bytes_backwards(dtype: str, ends: list[End]) -> None:
    x = T.tensor3(dtype=dtype)
    f = td.function([x], [x[:, ::-1] + 1, x[:, :, ::-1] + 1, x[:, ::-1], x[::-1, ::-1] * 2, x[::-1, :, ::-1]])
    for columns in (1, 2, 3, 4, 5, 7, 8, 11, 16, 31, 32, 33):
        for rows in (1, 2, 13, 43, 64, 300):
            for n in (1, 3, 30):
                a = data(dtype, n, rows, columns)
                wanted = [a[:, ::-1] + 1, a[:, :, ::-1] + 1, a[:, ::-1], a[::-1, ::-1] * 2, a[::-1, :, ::-1]]
                for given in (ends[0].put(a), ends[1].put_first(a), np.repeat(a, 2, axis=1)[:, ::2]):
                    for got, expected in zip(f(given), wanted, strict=True):
                        assert np.array_equal(got, expected), (dtype, given.shape, given.strides)


@pytest.mark.parametrize("size", [k for k in SHUFFLES if k <= machine.shuffled_bytes()])
def test_bytes_that_one_instruction_puts_in_order(size: int, ends: list[End]) -> None:
    names = ("are_reversed", "reversal_shuffle", "copy_reversed")
    text = only(nest_text(tuned(machine={"shuffled_bytes": size})), [*names])
    text = re.sub(rf"internal (\w+ @({'|'.join(names)})\()", r"\1", text)
    code, [addresses] = elf.load([(compile_object(text), names)], KNOWN)
    word, pointer = ctypes.c_int64, ctypes.c_void_p

    shape = [word] * 4
    kinds = (
        (ctypes.c_bool, *shape, word),
        (None, pointer, *shape),
        (word, pointer, word, pointer, *shape, word, pointer),
    )
    functions = [ctypes.CFUNCTYPE(*kind)(address) for kind, address in zip(kinds, addresses, strict=True)]
    are_backwards, order, backwards = functions
    numbers = np.zeros(2 * 64, np.uint8)
    aligned = numbers.ctypes.data + -numbers.ctypes.data % 64
    for element, n in itertools.product((1, 2, 4, 8), range(1, 40)):
        line = element * n
        for across, along in ((element, -line), (-element, line)):
            assert are_backwards(across, along, element, n, 200) == (2 * line <= size)
            for rows in (0, 1, 2, 5, 13, 64, 130) if 2 * line <= size else ():
                a = np.random.default_rng(rows).integers(0, 256, rows * line).astype(np.uint8)
                order(aligned, across, along, element, n)
                wanted = a.reshape(rows, n, element)[:: 1 if along > 0 else -1, :: 1 if across > 0 else -1]
                for placed in (ends[0].put(a), ends[0].put_first(a)):
                    first = placed.ctypes.data + max(-along, 0) * (rows - 1) + max(-across, 0) * (n - 1)
                    to = ends[1].put(np.zeros(rows * line, np.uint8))
                    done = backwards(to.ctypes.data, line, first, across, along, element, n, rows, aligned)
                    assert rows - size // line - 1 <= done <= rows
                    assert np.array_equal(to[: done * line], wanted.reshape(-1)[: done * line])
    del code


@pytest.mark.parametrize("dtype", DTYPES)
def test_few_rows_beside_each_other(dtype: str, ends: list[End]) -> None:
    x, y = T.tensor(dtype, (False, False)), T.tensor3(dtype=dtype)
    f = td.function([x, y], [T.repeat(x, 2, 0), T.tile(x, (2, 3)), y.dimshuffle(1, 0, 2) * 2, y + x])
    for columns in (1, 7, 20, 50, 130):
        for rows in (1, 5, 333):
            a, b = data(dtype, rows, columns), data(dtype, 3, rows, columns)
            wanted = [np.repeat(a, 2, 0), np.tile(a, (2, 3)), b.transpose(1, 0, 2) * 2, b + a]
            for got, expected in zip(f(ends[0].put(a), ends[1].put(b)), wanted, strict=True):
                assert np.array_equal(got, expected)


@pytest.mark.parametrize("dtype", [*DTYPES, "complex128"])
def test_short_rows_of_few_positions(dtype: str, ends: list[End]) -> None:
    """Of operands that rows of a position share, a vector at the end of a line reaches far into those behind it."""
    a, b, c = T.matrix(dtype=dtype), T.matrix(dtype=dtype), T.tensor3(dtype=dtype)
    outer = a[:, :, None] * b[:, None, :]
    f = td.function([a, b, c], [outer, outer * c, b[:, None, :] + c, outer + c[0, 0], outer - c[:, 0][:, None]])
    for n in (1, 2, 3, 4, 9):
        for rows, columns in ((2, 3), (8, 1), (9, 2), (20, 3), (33, 7), (70, 31), (200, 5), (130, 63)):
            x, y, z = data(dtype, n, rows), data(dtype, n, columns), data(dtype, n, rows, columns)
            product = x[:, :, None] * y[:, None, :]
            wanted = [product, product * z, y[:, None, :] + z, product + z[0, 0], product - z[:, 0][:, None]]
            placed = [end.put(v) for end, v in zip(ends, (x, y, z), strict=True)]
            apart = [np.repeat(v, 2, axis=0)[::2] for v in (x, y, z)]
            for given in (placed, apart, [v[::-1].copy()[::-1] for v in (x, y, z)], [np.asfortranarray(x), y, z]):
                for got, expected in zip(f(*given), wanted, strict=True):
                    np.testing.assert_array_equal(got, expected, err_msg=f"{n} {rows} {columns}")
