"""Running sums and products, sorting, and positions that data decide: compiled, bit by bit what NumPy gives."""

from __future__ import annotations

import ctypes
from typing import Any

import numpy as np
import pytest
from polls import KNOWN
from tuned import of_width

import tensordsl
import tensordsl.tensor as T
from tensordsl.codegen.abi.layouts import DTYPES
from tensordsl.codegen.compiler.pipeline import make_program
from tensordsl.codegen.library.arrays.nonzero import positions_text
from tensordsl.codegen.library.arrays.scan import cumulate_text
from tensordsl.codegen.library.sort.driver import SLACK_BYTES, room_per_element, sort_text
from tensordsl.codegen.llvm.compile import compile_object
from tensordsl.codegen.program_ir import instructions as p
from tensordsl.codegen.target.machine import native_width
from tensordsl.graph.casting import real_of, sum_dtype
from tensordsl.ops.control import loop_index, make_loop
from tensordsl.runtime.loading import elf, library
from tensordsl.types import COMPLEX

REAL = [t for t in DTYPES if t not in COMPLEX]


def values(rng: Any, dtype: str, *shape: int) -> Any:
    size = int(np.prod(shape))
    if dtype.startswith("float"):
        made = rng.normal(size=size).astype(dtype)
        if size > 20:
            made[rng.integers(0, size, 3)], made[size // 2], made[-2:] = -0.0, 0.0, (np.inf, np.nan)
        return made.reshape(shape)
    if dtype.startswith("complex"):
        made = np.empty(shape, dtype)
        made.real, made.imag = (np.round(values(rng, real_of(dtype), *shape)) for _ in range(2))
        return made
    if dtype == "bool":
        return rng.integers(0, 2, shape).astype(bool)
    info = np.iinfo(dtype)
    return rng.integers(info.min, info.max, shape, dtype, endpoint=True)


def assert_bits(got: Any, want: Any) -> None:
    """Equal with the signs of zeros; one nan is like another."""
    assert got.dtype == want.dtype
    np.testing.assert_array_equal(got, want)
    if want.dtype.kind == "f":
        np.testing.assert_array_equal(np.signbit(got) & ~np.isnan(got), np.signbit(want) & ~np.isnan(want))


def layouts(x: Any) -> list[Any]:
    return [
        x, np.asfortranarray(x), np.repeat(x, 3, -1)[..., ::3], np.repeat(x, 2, 0)[::2], x[::-1], x[..., ::-1],
        np.broadcast_to(x[:1], x.shape), np.broadcast_to(x[..., :1], x.shape),
    ]  # fmt: skip


def running(x: Any, axis: int) -> list[Any]:
    with np.errstate(all="ignore"):
        return [f(x, axis, dtype=sum_dtype(str(x.dtype))) for f in (np.cumsum, np.cumprod)]


SHAPES = [(0,), (1,), (7,), (300,), (5, 7), (9, 64), (33, 150), (3, 0), (0, 3), (4, 5, 6), (3, 1, 70), (2, 3, 4, 5)]


@pytest.mark.parametrize("dtype", REAL)
def test_running_sums_and_products_of_every_dtype_shape_axis_and_layout(dtype: str) -> None:
    rng = np.random.default_rng(0)
    for rank in (1, 2, 3, 4):
        x = T.TensorType(dtype, (None,) * rank)()
        for axis in range(rank):
            f = tensordsl.function([x], [T.cumsum(x, axis), T.cumprod(x, axis)])
            for shape in SHAPES:
                for a in layouts(values(rng, dtype, *shape)) if len(shape) == rank else []:
                    before = a.copy()
                    for got, want in zip(f(a), running(a, axis), strict=True):
                        assert_bits(got, want)
                    assert a.tobytes() == before.tobytes()


@pytest.mark.parametrize("dtype", COMPLEX)
def test_running_sums_and_products_of_complex_numbers(dtype: str) -> None:
    """Sums bit by bit; NumPy's own products may round once or twice."""
    rng = np.random.default_rng(3)
    for rank in (1, 2, 3):
        x = T.TensorType(dtype, (None,) * rank)()
        for axis in range(rank):
            sums, products = T.cumsum(x, axis), T.cumprod(x, axis)
            assert not {"HostCall"} & set(kinds([x], sums + products))
            f = tensordsl.function([x], [sums, products, T.cumprod(x / (1 + abs(x)), axis)])
            for shape in SHAPES:
                parts = rng.normal(size=(2, *shape)) * 0.7
                a = (parts[0] + 1j * parts[1]).astype(dtype)
                for b in layouts(a) if len(shape) == rank else []:
                    with np.errstate(all="ignore"):
                        want = [np.cumsum(b, axis), np.cumprod(b, axis), np.cumprod(b / (1 + abs(b)), axis)]
                    got = f(b)
                    np.testing.assert_array_equal(got[0], want[0])
                    for g, w in zip(got[1:], want[1:], strict=True):
                        assert g.dtype == w.dtype
                        np.testing.assert_allclose(g, w, rtol=2e-4 if dtype == "complex64" else 1e-12, atol=1e-12)


def test_a_running_product_begins_with_its_first_element() -> None:
    """1 times an infinite number is none in complex arithmetic."""
    x = T.zvector("x")
    a = np.array([complex(np.inf, 0), 2, 1j])
    with np.errstate(all="ignore"):
        np.testing.assert_array_equal(tensordsl.function([x], T.cumprod(x))(a), np.cumprod(a))


@pytest.mark.parametrize("shape", [(2, 1100), (3, 1024), (5, 2500)])
def test_rows_longer_than_a_panel(shape: tuple[int, ...]) -> None:
    x = T.matrix("x")
    a = values(np.random.default_rng(1), "float64", *shape)
    assert_bits(tensordsl.function([x], T.cumsum(x, 0))(a), running(a, 0)[0])


@pytest.mark.parametrize("dtype", ["float32", "float64", "int64", "int32", "float16"])
def test_running_sums_of_short_rows(dtype: str) -> None:
    """Eight rows go together, by squares; the first element of a row is taken as it is."""
    rng, x = np.random.default_rng(9), T.TensorType(dtype, (None, None))("x")
    f = tensordsl.function([x], [T.cumsum(x, 1), T.cumprod(x, 1)])
    g = tensordsl.function([x], [T.cumsum(x * 1, 1), T.cumprod(x.T * 1, 0)])  # in the place of what is added
    for rows in (1, 7, 8, 9, 17, 40):
        for columns in (1, 7, 8, 9, 15, 16, 23, 64, 65):
            a = values(rng, dtype, rows, columns)
            if dtype.startswith("float"):
                a[:, 0], a[0] = -0.0, -0.0
            sums, products = running(a, 1)
            for got, want in zip((*f(a), *g(a)), (sums, products, sums, products.T), strict=True):
                assert_bits(got, want)
            wide = np.repeat(a, 2, 0)[::2]
            assert_bits(f(wide)[0], sums)


def kinds(inputs: list[Any], output: Any) -> list[str]:
    """The instructions of a function."""
    program = make_program("f", inputs, [], [output], [], True)[1]
    return [type(i).__name__ for i in p.walk_program(program.code)]


def test_what_feeds_them_is_computed_in_their_place() -> None:
    x = T.matrix("x")
    f = tensordsl.function([x], T.cumsum(T.exp(x), axis=0) * 2)
    a = np.random.default_rng(2).random((6, 40))
    np.testing.assert_allclose(f(a), 2 * np.cumsum(np.exp(a), 0), rtol=1e-14)
    assert not {"Arena", "Copy", "HostCall"} & set(kinds([x], T.cumsum(T.exp(x), axis=0)))


def test_an_update_runs_in_the_variables_own_storage() -> None:
    s = tensordsl.shared(np.arange(6.0).reshape(2, 3))
    place = s.get_value(borrow=True).ctypes.data
    f = tensordsl.function([], [], updates=[(s, T.cumsum(s, axis=1))])
    for want in ([[0, 1, 3], [3, 7, 12]], [[0, 1, 4], [3, 10, 22]]):
        f()
        assert s.get_value().tolist() == want
    assert s.get_value(borrow=True).ctypes.data == place
    old = tensordsl.function([], s * 1, updates=[(s, T.cumsum(s, axis=0))])
    assert old().tolist() == [[0, 1, 4], [3, 10, 22]] and s.get_value().tolist() == [[0, 1, 4], [3, 11, 26]]
    held = s.get_value(borrow=True)
    f()
    assert held.tolist() == [[0, 1, 4], [3, 11, 26]] and s.get_value().tolist() == [[0, 1, 5], [3, 14, 40]]


def test_an_update_from_parts_of_the_variable_itself() -> None:
    s = tensordsl.shared(np.arange(9.0).reshape(3, 3))
    tensordsl.function([], [], updates=[(s, T.cumsum(s.T, axis=0))])()
    np.testing.assert_array_equal(s.get_value(), np.cumsum(np.arange(9.0).reshape(3, 3).T, 0))
    v = tensordsl.shared(np.arange(5.0))
    tensordsl.function([], [], updates=[(v, T.cumsum(v[::-1]))])()
    assert v.get_value().tolist() == [4, 7, 9, 10, 10]


def test_inside_of_loops_and_branches() -> None:
    n, x, c = T.lscalar("n"), T.vector("x"), T.lscalar("c")
    s = T.vector("s")
    (final,) = make_loop(n, loop_index(), [s], [x], [T.cumsum(s)])
    f = tensordsl.function([n, x], final)
    assert f(3, [1.0, 1, 1]).tolist() == [1, 4, 10] and f(0, [1.0, 2]).tolist() == [1, 2]
    g = tensordsl.function([c, x], tensordsl.ifelse.ifelse(c, T.cumsum(x), x))
    assert g(1, [1.0, 2]).tolist() == [1, 3] and g(0, [1.0, 2]).tolist() == [1, 2]


# -- sorting ---------------------------------------------------------------------------------------------------------
def kinds_of_order(rng: Any, dtype: str, *shape: int) -> list[Any]:
    """Random numbers, few different ones, sorted ones; floats with zeros of both signs and nans of both signs."""
    a = values(rng, dtype, *shape)
    made = [a, np.sort(a, 0)[::-1], np.sort(a, 0), (a % 3 if "int" in dtype else a)]
    if dtype in COMPLEX:
        few = np.array([0.0, -0.0, np.nan, -np.nan, 1, np.inf, -np.inf])
        pairs = np.array([complex(re, im) for re in few for im in few], dtype)
        made = [*made, rng.choice(pairs, shape)]
    if dtype.startswith("float"):
        few = np.array([0.0, -0.0, np.nan, -np.nan, 1, np.inf, -np.inf], dtype)
        made = [rng.normal(size=shape).astype(dtype), *made, rng.choice(few, shape)]
    return made


SIZES = [(0,), (1,), (2,), (7,), (8,), (9,), (16,), (17,), (33,), (300,), (7000,)]


@pytest.mark.parametrize("dtype", DTYPES)
def test_sorting_is_stable_for_every_dtype_shape_axis_and_layout(dtype: str) -> None:
    rng = np.random.default_rng(5)
    for rank in (1, 2, 3):
        x = T.TensorType(dtype, (None,) * rank)()
        for axis in range(rank):
            f = tensordsl.function([x], [T.sort(x, axis), T.argsort(x, axis)])
            shapes = (
                SIZES if rank == 1 else [s for s in ((5, 7), (30, 4), (3, 0), (0, 3), (2, 3, 40)) if len(s) == rank]
            )
            for shape in shapes:
                for a in kinds_of_order(rng, dtype, *shape):
                    for z in layouts(a) if a.size < 1000 else [a]:
                        before = z.copy()
                        order, positions = f(z)
                        want = np.sort(z, axis, kind="stable")
                        assert order.dtype == want.dtype and order.tobytes() == want.tobytes()
                        np.testing.assert_array_equal(positions, np.argsort(z, axis, kind="stable"))
                        assert z.tobytes() == before.tobytes()


@pytest.mark.parametrize("dtype", ["float64", "float32", "int16"])
def test_many_elements_go_by_their_digits(dtype: str) -> None:
    rng, x = np.random.default_rng(6), T.TensorType(dtype, (None,))("x")
    a = (rng.normal(size=100_003) * 1000).astype(dtype)
    f = tensordsl.function([x], [T.sort(x), T.argsort(x)])
    for b in (a, a // 1000, np.where(a > 2000, a.dtype.type(np.nan if dtype[0] == "f" else -1), a)):
        for got, want in zip(f(b), (np.sort(b), np.argsort(b, kind="stable")), strict=True):
            np.testing.assert_array_equal(got, want)


@pytest.mark.parametrize("dtype", ["float64", "float32", "float16", "int8", "uint32", "complex64", "complex128"])
@pytest.mark.parametrize("vector_bytes", [width for width in (16, 32, 64) if width <= native_width()])
def test_sorting_stays_in_its_place_and_scratch(dtype: str, vector_bytes: int) -> None:
    names = f"sort_{dtype}", f"argsort_{dtype}"
    code, [addresses] = elf.load([(compile_object(sort_text(dtype, of_width(vector_bytes))), names)], KNOWN)
    rng = np.random.default_rng(8)
    for name, address in zip(names, addresses, strict=True):
        function = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int64)(address)
        for n in (*range(135), 200, 2500):
            size, apart = room_per_element(name.split("_")[0], dtype) * n + SLACK_BYTES, 1 + n // 2 % 2
            x, room = values(rng, dtype, n), np.full(size + 256, 0xA5, np.uint8)
            if n % 3:  # without those that have to be told from their equals
                x = np.where(np.isnan(x) | (x == 0), x.dtype.type(1), x)
            x = np.repeat(x, apart)[::apart]
            whole = np.full(n * apart + 128, 1, dtype if name.startswith("sort") else "int64")
            y = whole[64 : 64 + n * apart : apart]
            bases = (ctypes.c_void_p * 4)(*(v.ctypes.data for v in (x, y, room)), library.table())
            words = (ctypes.c_int64 * 4)(n, x.itemsize * apart, n, y.itemsize * apart)
            function(ctypes.addressof(bases), ctypes.addressof(words), 1)
            order = np.argsort(x, kind="stable")
            np.testing.assert_array_equal(y, x[order] if name.startswith("sort") else order)
            y[:] = 1
            assert (room[size:] == 0xA5).all() and (whole == 1).all()
    assert code is not None


def test_a_variable_is_sorted_in_its_own_storage() -> None:
    for value in ([3.0, 1.0, 2.0], [3.0, np.nan, -0.0, 0.0]):
        s = tensordsl.shared(np.array(value))
        place = s.get_value(borrow=True).ctypes.data
        tensordsl.function([], [], updates=[(s, T.sort(s))])()
        assert s.get_value().tobytes() == np.sort(value, kind="stable").tobytes()
        assert s.get_value(borrow=True).ctypes.data == place
    i = tensordsl.shared(np.array([30, 10, 20]))
    tensordsl.function([], [], updates=[(i, T.argsort(i))])()
    assert i.get_value().tolist() == [1, 2, 0]


def test_ranks_are_written_where_the_order_says() -> None:
    x, m = T.vector("x"), T.matrix("m")
    f = tensordsl.function([x], T.argsort(T.argsort(x)))
    for n in (0, 1, 2, 9, 1000):
        for a in kinds_of_order(np.random.default_rng(n), "float64", n):
            np.testing.assert_array_equal(f(a), np.argsort(np.argsort(a, kind="stable"), kind="stable"))
    assert kinds([x], T.argsort(T.argsort(x))).count("LibraryCall") == 1
    a = np.random.default_rng(0).normal(size=(5, 7))
    got = tensordsl.function([m], T.argsort(T.argsort(m, 0), 1))(a)
    np.testing.assert_array_equal(got, np.argsort(np.argsort(a, 0), 1, kind="stable"))
    order, ranks = tensordsl.function([x], [T.argsort(x), T.argsort(T.argsort(x))])(a[0])
    np.testing.assert_array_equal(order[ranks], np.arange(7))


@pytest.mark.parametrize("dtype", DTYPES)
def test_searching_in_what_is_sorted(dtype: str) -> None:
    rng = np.random.default_rng(7)
    x, v = T.TensorType(dtype, (None,))("x"), T.TensorType(dtype, (None, None))("v")
    f = tensordsl.function([x, v], [T.searchsorted(x, v), T.searchsorted(x, v, side="right")])
    for n in (0, 1, 2, 7, 100):
        for a in kinds_of_order(rng, dtype, n):
            a = np.sort(a)
            sought = np.concatenate([rng.permutation(a)[: n // 2 * 2], values(rng, dtype, 4)]).reshape(2, -1)
            for z in (a, np.repeat(a, 2)[::2]):
                for w in (sought, sought.T, sought[:, ::-1]):
                    for got, side in zip(f(z, w), ("left", "right"), strict=True):
                        np.testing.assert_array_equal(got, np.searchsorted(a, w, side))


def test_searching_complex_numbers_across_dtypes() -> None:
    x, z, i = T.dvector("x"), T.cvector("z"), T.lvector("i")
    a, b, n = np.array([-1.0, 0.1, 2.0]), np.array([0.1 + 1j, 0.1 - 1j, 2, 3], "complex64"), np.arange(4)
    f = tensordsl.function([x, z, i], [T.searchsorted(x, z), T.searchsorted(T.sort(z), x), T.searchsorted(i, z)])
    assert "HostCall" not in kinds([x, z], T.searchsorted(T.sort(z), x))
    want = np.searchsorted(a, b), np.searchsorted(np.sort(b), a), np.searchsorted(n, b)
    for got, wanted in zip(f(a, b, n), want, strict=True):
        np.testing.assert_array_equal(got, wanted)


def test_searching_across_dtypes() -> None:
    x, v = T.lvector("x"), T.fvector("v")
    a, b = np.array([1, 2, 2**53 + 1]), np.array([0.5, 2, 3, np.nan], "float32")
    np.testing.assert_array_equal(tensordsl.function([x, v], T.searchsorted(x, v))(a, b), np.searchsorted(a, b))


# -- positions -------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("n", [0, 1, 7, 8, 63, 64, 65, 127, 128, 300, 1000])
def test_positions_of_masks_of_every_density_and_layout(n: int) -> None:
    rng = np.random.default_rng(n)
    m, c = T.TensorType("bool", (None,))("m"), T.lvector("c")
    f, g = tensordsl.function([m], m.nonzero()[0]), tensordsl.function([c], T.repeat(T.arange(c.shape[0]), c))
    for share in (0, 0.01, 0.1, 0.5, 0.95, 1):
        a = rng.random(n) < share
        for mask in (a, a[::-1], np.repeat(a, 3)[::3], (rng.integers(1, 256, n, "uint8") * a).view(bool)):
            np.testing.assert_array_equal(f(mask), np.flatnonzero(mask))
    counts = rng.integers(0, 4, n)
    np.testing.assert_array_equal(g(counts), np.repeat(np.arange(n), counts))


def test_masks_in_updates_leave_the_state_when_they_do_not_fit() -> None:
    s, m = tensordsl.shared(np.zeros(3)), T.TensorType("bool", (None,))("m")
    y = T.vector("y")
    f = tensordsl.function([m, y], [], updates=[(s, T.inc_subtensor(s[m], y))])
    f([True, False, True], [1.0, 2.0])
    assert s.get_value().tolist() == [1, 0, 2]
    with pytest.raises(IndexError, match="its axis 0 has length 2, the axis of the tensor 3"):
        f([True, False], [1.0])
    with pytest.raises(ValueError):
        f([True, False, True], [1.0, 2.0, 3.0])
    assert s.get_value().tolist() == [1, 0, 2]


def test_a_mask_of_a_branch_not_taken_is_not_checked() -> None:
    x, m, c = T.vector("x"), T.TensorType("bool", (None,))("m"), T.lscalar("c")
    f = tensordsl.function([x, m, c], tensordsl.ifelse.ifelse(c, x[m], x))
    assert f([1.0, 2.0], [True], 0).tolist() == [1, 2]
    assert f([1.0, 2.0], [False, True], 1).tolist() == [2]
    with pytest.raises(IndexError):
        f([1.0, 2.0], [True], 1)


def test_counts_must_not_be_negative() -> None:
    c = T.lvector("c")
    f = tensordsl.function([c], T.repeat(c, c))
    with pytest.raises(ValueError, match="negative"):
        f([1, -1, 2])


@pytest.mark.parametrize("vector_bytes", [16, 32, 64])
def test_the_texts_compile_for_every_width(vector_bytes: int) -> None:
    for dtype in ("bool", "int16", "float16", "float64", "complex64", "complex128"):
        assert compile_object(cumulate_text(dtype, of_width(vector_bytes)))
        if vector_bytes <= native_width():  # instructions of its own permute vectors
            assert compile_object(sort_text(dtype, of_width(vector_bytes)))
    assert compile_object(positions_text(of_width(vector_bytes)))


@pytest.mark.parametrize("vector_bytes", [width for width in (16, 32, 64) if width <= native_width()])
def test_positions_are_the_same_for_every_width(vector_bytes: int) -> None:
    name = "true_positions_bool"
    code, [[address]] = elf.load([(compile_object(positions_text(of_width(vector_bytes))), (name,))], KNOWN)
    positions = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int64)(address)
    for n in (0, 1, 63, 64, 65, 128, 1000, 5000):
        for part in (0.0, 0.02, 0.15, 0.2, 0.5, 0.9, 1.0):
            mask = np.random.default_rng(n).random(n) < part
            wanted = np.flatnonzero(mask)
            for many in {len(wanted), len(wanted) // 2}:  # never more are written than there is room for
                found = np.full(many + 8, -7, "int64")
                bases, words = np.array([mask.ctypes.data, found.ctypes.data]), np.array([n, 1, many, 8])
                positions(bases.ctypes.data, words.ctypes.data, 1)
                np.testing.assert_array_equal(found[:many], wanted[:many])
                assert (found[many:] == -7).all()


def test_nothing_is_written_where_the_axis_is_empty() -> None:
    """Lines of no element side by side, more than a panel of vectors: their result has no room."""
    step = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int64)
    x, y = np.ones(100), np.full(100, 7.0)
    bases, words = np.array([x.ctypes.data, y.ctypes.data]), np.array([0, 100, 800, 8, 0, 100, 800, 8])
    for name in ("cumsum_float64", "cumprod_float64"):
        step(library.address(name, name))(bases.ctypes.data, words.ctypes.data, 2)
        assert (y == 7).all()


@pytest.mark.parametrize("dtype", ["float64", "float32", "float16", "int64", "int8", "bool", "complex64"])
def test_running_sums_of_few_columns_are_of_vectors_that_overlap(dtype: str) -> None:
    x = T.matrix("x", dtype=dtype)
    f = tensordsl.function([x], [T.cumsum(x, axis=0), T.cumprod(x, axis=0)])
    rng = np.random.default_rng(11)
    for columns in (*range(1, 75), 127, 130):
        a = (rng.uniform(-2, 2, (9, columns)) + (1j if dtype == "complex64" else 0)).astype(dtype)
        for data in (a, a[::-1], np.asfortranarray(a), np.repeat(a, 2, axis=1)[:, ::2], a[:1]):
            for result, wanted in zip(f(data), (np.cumsum(data, 0), np.cumprod(data, 0)), strict=True):
                assert result.dtype == wanted.dtype
                np.testing.assert_array_equal(result, wanted)
        if dtype in ("float64", "int64"):  # in the place of the old value
            state = tensordsl.shared(a)
            tensordsl.function([], updates=[(state, T.cumsum(state, axis=0))])()
            np.testing.assert_array_equal(state.get_value(), np.cumsum(a, 0))
