"""Some places of an order, as the largest ten or the middle one: the same that `sort` and `argsort` of NumPy have there,
in scratch of a known size."""

from __future__ import annotations

import ctypes
from typing import Any

import numpy as np
import pytest
from polls import KNOWN
from test_scan_sort_nonzero import REAL, kinds_of_order, layouts
from tuned import HERE, of_width

import tensordsl
import tensordsl.tensor as T
from tensordsl.codegen.compiler.pipeline import make_program
from tensordsl.codegen.library.sort.argselect import MIN_CANDIDATES, select_text
from tensordsl.codegen.library.sort.driver import PAIR_BYTES, PLACES_BYTES, SLACK_BYTES, room_per_element, sort_text
from tensordsl.codegen.library.sort.networks import exchanges
from tensordsl.codegen.llvm.compile import compile_object
from tensordsl.codegen.program_ir import instructions as p
from tensordsl.codegen.program_ir.verify import walk_program
from tensordsl.codegen.target.machine import native_width
from tensordsl.ops.control import loop_index, make_loop
from tensordsl.runtime.loading import elf, library

SHAPES = [(0,), (1,), (7,), (33,), (64,), (300,), (2000,), (5, 7), (40, 30), (3, 0), (2, 50, 3)]
SLICES = [
    slice(0, 1), slice(0, 5), slice(-1, None), slice(-5, None), slice(3, 6), slice(-40, -2), slice(None, 2, -1),
    slice(-2, None, -1), slice(5, 5),
]  # fmt: skip

PARTS = {"sort": (sort_text, np.sort), "argsort": (select_text, np.argsort)}


def functions_called(variables: list[Any], outputs: list[Any]) -> list[str]:
    _, program, _ = make_program("f", variables, [], outputs, [], False)
    return [i.function for i in walk_program(program.code) if isinstance(i, p.LibraryCall)]


@pytest.mark.parametrize("dtype", REAL)
def test_places_of_every_dtype_shape_axis_and_layout(dtype: str) -> None:
    rng = np.random.default_rng(0)
    for rank in (1, 2, 3):
        x = T.TensorType(dtype, (None,) * rank)()
        for axis in range(rank):
            index = [(*[slice(None)] * axis, s) for s in SLICES]
            parts = [T.argsort(x, axis)[i] for i in index]
            assert functions_called([x], parts) == ["argsort"]  # one order, which several look at
            each = [tensordsl.function([x], part) for part in parts]
            values = [tensordsl.function([x], T.sort(x, axis)[i]) for i in index]
            for shape in (s for s in SHAPES if len(s) == rank):
                for a in kinds_of_order(rng, dtype, *shape):
                    for z in layouts(a) if a.size < 40 else [a]:
                        order, before = np.argsort(z, axis, kind="stable"), z.copy()
                        in_order = np.sort(z, axis, kind="stable")
                        for f, g, i in zip(each, values, index, strict=True):
                            np.testing.assert_array_equal(f(z), order[i])
                            assert g(z).tobytes() == in_order[i].tobytes()
                        assert z.tobytes() == before.tobytes()


def test_only_the_wanted_places_are_found() -> None:
    x, k, z = T.vector("x"), T.lscalar("k"), T.zvector("z")
    for part in (T.topk(x, 3), T.topk(x, -3), T.argtopk(x, k), T.argsort(x)[:k], T.argsort(x)[::-1][:3]):
        assert functions_called([x, k], [part]) == ["argsort_part"]
    for part in (T.sort(x)[k], T.sort(x)[::-1][:k], T.sort(x)[-3:], T.median(x)):
        assert functions_called([x, k], [part]) == ["sort_part"]
    order, m = T.sort(x), T.sort(T.matrix("m"), 0)
    assert functions_called([x, k], [order[k], order[3], order[-1]]) == 3 * ["sort_part"]
    assert functions_called([x, k], [order[k], order[:k]]) == ["sort"]
    assert functions_called([x, k], [order[k], order.sum()]) == ["sort"]
    assert functions_called([m.owner.inputs[0], k], [m[k], m[3]]) == ["sort"]
    assert functions_called([z], [T.argsort(z)[:3]]) == ["argsort"]
    assert functions_called([x], [T.argsort(x), T.argsort(x)[:3]]) == ["argsort"]


@pytest.mark.parametrize("dtype", ["float32", "int16"])
@pytest.mark.parametrize("best", [1, 2, MIN_CANDIDATES, MIN_CANDIDATES + 1, 10 * MIN_CANDIDATES, 2000, 3000])
def test_the_best_come_late_or_early(dtype: str, best: int) -> None:
    rng, x = np.random.default_rng(1), T.TensorType(dtype, (None,))("x")
    f = tensordsl.function([x], [T.argtopk(x, best), T.topk(x, best), T.argtopk(x, -best), T.topk(x, -best)])
    up = np.arange(3001).astype(dtype)
    for a in (up, up[::-1], up // 100, -(up // 100), rng.permutation(up), np.zeros_like(up)):
        order = np.argsort(a, kind="stable")
        most, least = order[::-1][:best], order[:best]
        for got, want in zip(f(a), (most, a[most], least, a[least]), strict=True):
            np.testing.assert_array_equal(got, want)


def lines_to_narrow(rng: Any, n: int, dtype: str) -> list[Any]:
    """Numbers in and out of order, few and many equal ones, and with some that have to be told from their equals."""
    up = np.arange(n).astype(dtype)
    made = [up, up[::-1], rng.permutation(up), up % 2, up // 7, np.zeros_like(up), np.minimum(up, up[::-1])]
    with np.errstate(over="ignore"):
        made += [
            np.where(up == up[n // 2], up[-1:], up[:1]),
            rng.permutation(up) * (up % 8),
            np.repeat(rng.permutation(up), 2)[::2],
        ]
    if dtype.startswith("float"):
        made += [rng.normal(size=n).astype(dtype) for _ in range(2)]
        made[-1][-1] = -0.0
        for at, special in ((0, np.nan), (-1, -np.nan), (n // 2, np.inf), (n // 3, -0.0)):
            made.append(rng.normal(size=n).astype(dtype))
            made[-1][at] = special
        made.append(rng.choice(np.array([0.0, -0.0, np.nan, 1], dtype), n))
    return [a.astype(dtype) for a in made]


@pytest.mark.parametrize("dtype", ["float64", "float32", "float16", "int64", "uint32", "int16", "int8", "bool"])
def test_lines_are_narrowed_to_the_wanted_places(dtype: str) -> None:
    rng, x, k, m = np.random.default_rng(4), T.TensorType(dtype, (None,))("x"), T.lscalar("k"), T.lscalar("m")
    f = tensordsl.function([x, k, m], T.sort(x)[k : k + m])
    least, many = HERE.sort.select_min_elements, HERE.sort.select_large_min_elements
    for n in (least - 1, least, 517, 2000, many - 1, many, 50_003):
        for a in lines_to_narrow(rng, n, dtype):
            want, before = np.sort(a, kind="stable"), a.copy()
            for first, count in ((0, 1), (n - 1, 1), (n // 2, 1), (n // 3, 40), (n // 5, n // 8), (n // 5, n // 8 + 1)):
                assert f(a, first, count).tobytes() == want[first : first + count].tobytes()
            assert a.tobytes() == before.tobytes()


@pytest.mark.parametrize("dtype", ["float64", "float32", "int64", "int16", "uint8", "bool"])
def test_short_lines_side_by_side(dtype: str) -> None:
    rng, x, k, m = np.random.default_rng(6), T.TensorType(dtype, (None, None))("x"), T.lscalar("k"), T.lscalar("m")
    f, g = tensordsl.function([x], T.sort(x, 0)), tensordsl.function([x, k, m], T.sort(x, 0)[k : k + m])
    in_place = tensordsl.function([x], T.sort(T.cast(x * 1, dtype), 0))
    cube = T.TensorType(dtype, (None, None, None))("cube")
    h = tensordsl.function([cube], T.sort(cube, 1))
    for n in (1, 2, 3, 4, 5, 9, 16, 17, 31, 32, 33):
        for columns in (1, 7, 16, 33, 150):
            for a in kinds_of_order(rng, dtype, n, columns):
                want = np.sort(a, 0, kind="stable")
                assert f(a).tobytes() == want.tobytes() == in_place(a).tobytes()
                assert g(a, n // 2, 1 + n % 2).tobytes() == want[n // 2 : n // 2 + 1 + n % 2].tobytes()
                assert f(np.repeat(a, 2, 1)[:, ::2]).tobytes() == f(np.asfortranarray(a)).tobytes() == want.tobytes()
            b = kinds_of_order(rng, dtype, 3, n, columns)[0]
            assert h(b).tobytes() == np.sort(b, 1, kind="stable").tobytes()


def test_the_network_sorts() -> None:
    """All sequences of zeros and ones, and so all others (Knuth's 0-1 principle)."""
    for size in (2, 4, 8, 16):
        bits = (np.arange(1 << size)[:, None] >> np.arange(size)) & 1
        for low, high in exchanges(size):
            bits[:, low], bits[:, high] = (
                np.minimum(bits[:, low], bits[:, high]),
                np.maximum(bits[:, low], bits[:, high]),
            )
        assert (np.diff(bits, axis=1) >= 0).all()


def test_quartiles() -> None:
    x = T.vector("x")
    order, n = T.sort(x), x.shape[0]
    f = tensordsl.function([x], [order[n // 4], order[n // 2], order[3 * n // 4]])
    for n in (1, 100, 10_007):
        a = np.random.default_rng(n).normal(size=n)
        assert [float(q) for q in f(a)] == [np.sort(a)[k] for k in (n // 4, n // 2, 3 * n // 4)]


def test_a_part_of_an_order_in_place() -> None:
    """What is sorted has no other reader, and is overwritten."""
    x, a = T.matrix("x"), np.random.default_rng(5).normal(size=(5, 3000))
    for b in (a, np.where(a > 3, -0.0, a), np.where(a > 3, np.nan, a)):
        for axis in range(2):
            got = tensordsl.function([x], T.median(T.exp(x) - 1, axis))(b)
            np.testing.assert_allclose(got, np.median(np.exp(b) - 1, axis), rtol=1e-12, atol=1e-15)


def test_inside_of_loops() -> None:
    n, s, x, k = T.lscalar("n"), T.vector("s"), T.vector("x"), T.lscalar("k")
    (final,) = make_loop(n, loop_index(), [s], [x], [s + T.sum(s[T.argsort(s)[:k]])])
    f = tensordsl.function([n, x, k], final)
    a = np.array([3.0, 1, 2])
    assert f(2, a, 2).tolist() == [15, 13, 14] and f(0, a, 2).tolist() == [3, 1, 2] and f(2, a, 0).tolist() == [3, 1, 2]


@pytest.mark.parametrize("function", ["sort", "argsort"])
@pytest.mark.parametrize("dtype", ["float64", "float16", "int8", "uint32", "bool"])
@pytest.mark.parametrize("vector_bytes", [width for width in (16, 32, 64) if width <= native_width()])
def test_it_stays_in_its_scratch(dtype: str, vector_bytes: int, function: str) -> None:
    name, text, order = f"{function}_part_{dtype}", *PARTS[function]
    code, [[address]] = elf.load([(compile_object(text(dtype, of_width(vector_bytes))), (name,))], KNOWN)
    call = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int64)(address)
    rng = np.random.default_rng(2)
    for n in (1, 7, 33, 64, 65, 500, 700, 17_000):
        for first, count in ((0, 0), (0, 1), (n - 1, 1), (n // 2, n // 3), (0, n), (n // 3, 1)):
            best = min(first + count, n - first)
            elements = 2 * PAIR_BYTES * min(n, best + max(best, MIN_CANDIDATES))
            if function == "sort":
                elements = n * room_per_element("sort", dtype)
            size = elements + SLACK_BYTES + PLACES_BYTES
            for x in kinds_of_order(rng, dtype, n):
                want = order(x, kind="stable")
                x, room = np.ascontiguousarray(x), np.full(size + 256, 0xA5, np.uint8)
                room[:16].view("int64")[:] = first, count
                y = np.ones(n, want.dtype)
                bases = (ctypes.c_void_p * 4)(*(v.ctypes.data for v in (x, y, room)), library.table())
                words = (ctypes.c_int64 * 4)(n, x.itemsize, n, y.itemsize)
                call(ctypes.addressof(bases), ctypes.addressof(words), 1)
                places = slice(first, first + count)
                assert y[places].tobytes() == want[places].tobytes()
                y[places] = 1
                assert (y == 1).all() and (room[size:] == 0xA5).all()
    assert code is not None
