"""Short rows of three axes, and rows at indices: lanes that go across a block of them, transposed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from end_of_memory import End

import tensordsl as td
import tensordsl.tensor as T
from tensordsl import config
from tensordsl.codegen.bufferise import launches
from tensordsl.codegen.target.machine import native_width
from tensordsl.codegen.variants import conditions, selection
from tensordsl.functions import native

COUNTS = (1, 6, 17, 31, 32, 33, 64, 65, 200)  # of rows
SHAPES = ((1, 3), (2, 2), (3, 1), (3, 3), (3, 8), (4, 4), (9, 2), (16, 3), (5, 11))


def softmax(m: Any, x: Any, axis: int) -> Any:
    e = m.exp(x - x.max(axis=axis, keepdims=True))
    return e / e.sum(axis=axis, keepdims=True)


FORMS: dict[str, Callable[[Any, Any, int], Any]] = {
    "sum": lambda m, x, axis: x.sum(axis=axis),
    "max": lambda m, x, axis: x.max(axis=axis),
    "argmin": lambda m, x, axis: x.argmin(axis=axis),
    "prod": lambda m, x, axis: m.minimum(x, 2).prod(axis=axis),
    "any": lambda m, x, axis: (x > 3).any(axis=axis),
    "range": lambda m, x, axis: x - x.min(axis=axis, keepdims=True),
}
FLOATS = {
    "softmax": softmax,
    "var": lambda m, x, axis: x.var(axis=axis),
    "unit": lambda m, x, axis: x / m.sqrt((x**2).sum(axis=axis, keepdims=True)),
}


def layouts(x: np.ndarray, end: End) -> Iterator[np.ndarray]:
    """The same array in other memory: where memory ends, with gaps, backwards, with axes exchanged, rows repeated."""
    n, k, j = x.shape
    yield end.put(x)
    wide = np.zeros((n, k + 2, j + 1), x.dtype)
    wide[:, 1:-1, 1:] = x
    yield wide[:, 1:-1, 1:]
    yield np.ascontiguousarray(x[::-1, ::-1, ::-1])[::-1, ::-1, ::-1]
    yield np.ascontiguousarray(x.transpose(0, 2, 1)).transpose(0, 2, 1)
    yield np.ascontiguousarray(x.transpose(2, 0, 1)).transpose(1, 2, 0)
    yield np.asfortranarray(x)
    yield np.repeat(x, 2, axis=0)[::2]
    yield np.broadcast_to(x[:, :, :1], x.shape)
    yield np.broadcast_to(x[:1], x.shape)


def values(rng: np.random.Generator, shape: tuple[int, ...], dtype: str) -> np.ndarray:
    return rng.integers(1, 7, shape).astype(dtype)


@pytest.mark.parametrize("dtype", ["float64", "float32", "int64", "int8"])
@pytest.mark.parametrize("axis", [1, 2, (1, 2)])
def test_rows_of_three_axes_in_every_layout(dtype: str, axis: Any, ends: list[End]) -> None:
    rng, x = np.random.default_rng(3), T.TensorType(dtype, (None,) * 3)()
    forms = FORMS | (FLOATS if dtype.startswith("f") else {})
    forms = {name: form for name, form in forms.items() if axis != (1, 2) or name != "argmin"}
    f = td.function([x], [form(T, x, axis) for form in forms.values()])
    for n in COUNTS:
        for k, j in SHAPES:
            for a in layouts(values(rng, (n, k, j), dtype), ends[0]):
                before = a.copy()
                for found, (name, form) in zip(f(a), forms.items(), strict=True):
                    wanted = form(np, a.astype("float64") if dtype.startswith("f") else a, axis)
                    np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=1e-5, err_msg=f"{name} {a.shape}")
                np.testing.assert_array_equal(a, before)


@pytest.mark.parametrize("dtype", ["float64", "float32", "int64"])
def test_longer_rows(dtype: str, ends: list[End]) -> None:
    rng, x, forms = np.random.default_rng(15), T.TensorType(dtype, (None,) * 3)(), ("sum", "max", "argmin", "range")
    f = td.function([x], [FORMS[name](T, x, 1) for name in forms])
    for n in (33, 64, 200):
        for k, j in ((12, 20), (32, 8), (50, 5), (16, 17)):
            for a in layouts(values(rng, (n, k, j), dtype), ends[0]):
                for found, name in zip(f(a), forms, strict=True):
                    np.testing.assert_allclose(found, FORMS[name](np, a, 1), rtol=1e-6, err_msg=f"{name} {a.shape}")


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_kept_values_of_every_number_of_columns(dtype: str, ends: list[End]) -> None:
    """Softmax and the like keep what the first pass computed where the second one overwrites it."""
    rng, x, s = np.random.default_rng(16), T.TensorType(dtype, (None,) * 2)(), td.shared(np.zeros((1, 1), dtype))
    names = ("softmax", "unit")
    f = td.function([x], [FLOATS[name](T, x, 0) for name in names])
    step = td.function([], [], updates={s: softmax(T, s, 0) - s})
    for n in (1, 3, 20, 70):
        for k in (*range(1, 70), 127, 130, 257):
            a = ends[0].put(rng.normal(size=(n, k)).astype(dtype))
            before = a.copy()
            for found, name in zip(f(a), names, strict=True):
                wanted = FLOATS[name](np, a.astype("float64"), 0)
                np.testing.assert_allclose(found, wanted, rtol=1e-5, err_msg=f"{name} {a.shape}")
            np.testing.assert_array_equal(a, before)
            s.set_value(a)
            step()
            wanted = softmax(np, a.astype("float64"), 0) - a
            np.testing.assert_allclose(s.get_value(), wanted, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("shape", [(300_001, 3), (600_007, 3), (400_003, 4)])
def test_rows_in_memory_give_what_they_give_in_a_cache(shape: tuple[int, int]) -> None:
    x, y = T.dmatrices("x", "y")
    made = [m(T, x, 1) for m in (FORMS["argmin"], FLOATS["unit"], FLOATS["var"])]
    f = td.function([x, y], [*made, (x * y).sum(axis=1)])
    a, b = np.random.default_rng(11).normal(size=(2, *shape))
    results = f(a, b)
    for start in (0, 100_000, shape[0] - 5_000):
        rows = slice(start, start + 5_000)
        for got, want in zip(results, f(a[rows], b[rows]), strict=True):
            np.testing.assert_array_equal(got[rows], want)
    np.testing.assert_allclose(results[3], (a * b).sum(axis=1), rtol=1e-12, atol=1e-12)


def test_what_is_not_finite_and_rows_of_nothing() -> None:
    rng, x = np.random.default_rng(4), T.dtensor3()
    f = td.function([x], [x.max(axis=1), x.argmax(axis=1), x.sum(axis=1), 1 / x.min(axis=1), x.argmin(axis=2)])
    a = rng.choice([np.nan, np.inf, -np.inf, 0.0, -0.0, 1.0], p=[0.04, 0.06, 0.1, 0.3, 0.3, 0.2], size=(200, 3, 5))
    with np.errstate(all="ignore"):
        wanted = a.max(axis=1), a.argmax(axis=1), a.sum(axis=1), 1 / a.min(axis=1), a.argmin(axis=2)
    for found, w in zip(f(a), wanted, strict=True):
        np.testing.assert_array_equal(found, w)
    for shape in ((0, 3, 5), (50, 0, 5), (50, 3, 0), (50, 0, 0)):
        np.testing.assert_array_equal(td.function([x], x.sum(axis=1))(np.ones(shape)), np.ones(shape).sum(axis=1))


def test_rows_that_share_an_operand(ends: list[End]) -> None:
    """Matrices by vectors from both sides, and all differences, with their gradients."""
    matrix, x, y = T.dtensor3(), T.dmatrix(), T.dmatrix()
    left, right = (matrix * x[:, None, :]).sum(axis=2), (matrix * x[:, :, None]).sum(axis=1)
    far = ((x[:, None, :] - y[None, :, :]) ** 2).sum(axis=2)
    both = (left**2).sum() + (right**2).sum()
    f = td.function([matrix, x], [left, right, *td.grad(both, [matrix, x])])
    g = td.function([x, y], [far, *td.grad((far**2).sum(), [x, y])])
    rng = np.random.default_rng(5)
    for n in COUNTS:
        for k in (1, 2, 3, 5, 8):
            a, b = ends[0].put(rng.normal(size=(n, k, k))), ends[1].put(rng.normal(size=(n, k)))
            l, r = np.einsum("nij,nj->ni", a, b), np.einsum("nij,ni->nj", a, b)
            wanted = [
                l, r, 2 * (l[:, :, None] * b[:, None, :] + b[:, :, None] * r[:, None, :]),
                2 * (np.einsum("nij,ni->nj", a, l) + np.einsum("nij,nj->ni", a, r)),
            ]  # fmt: skip
            for found, w in zip(f(a, b), wanted, strict=True):
                np.testing.assert_allclose(found, w, rtol=1e-9, atol=1e-9)
            c = ends[2].put(rng.normal(size=(7, k)))
            d = b[:, None] - c[None]
            e = (d**2).sum(axis=2)
            wanted = [e, 4 * (e[:, :, None] * d).sum(axis=1), -4 * (e[:, :, None] * d).sum(axis=0)]
            for found, w in zip(g(b, c), wanted, strict=True):
                np.testing.assert_allclose(found, w, rtol=1e-9, atol=1e-9)


MIXED: dict[str, Callable[..., Any]] = {
    "outer": lambda m, a, b, c, d: a[:, :, None] * b[:, None, :] * c,
    "choice": lambda m, a, b, c, d: m.where(a[:, :, None] > 3, b[:, None, :], c),
    "four": lambda m, a, b, c, d: a[:, :, None, None] * b[:, None, :, None] - c[:, None],
    "stacks": lambda m, a, b, c, d: d[:, :, :, None] * c[:, None] + a[:, :, None, None],
    "all": lambda m, a, b, c, d: a[:, :, None, None] * b[:, None, :, None] + a[:, None, None, :],
}


@pytest.mark.parametrize("dtype", ["float64", "float32", "int64", "int8"])
@pytest.mark.parametrize("name", MIXED)
def test_rows_of_operands_with_different_axes(name: str, dtype: str, ends: list[End]) -> None:
    """Elementwise, without reductions: `schedule.has_uncollapsible_rows`."""
    rng, form = np.random.default_rng(12), MIXED[name]
    f = td.function(
        s := [T.TensorType(dtype, (None,) * r)() for r in (2, 2, 2, 3)], form(T, *s), on_unused_input="ignore"
    )
    for n in (3, *COUNTS):
        for k, j in ((1, 3), (3, 1), (4, 3), (3, 7), (2, 9), (20, 5), (140, 3)):
            given = [values(rng, shape, dtype) for shape in ((n, k), (n, j), (k, j), (n, k, j))]
            wanted = form(np, *given)
            places = [end.put(x) for end, x in zip(ends, given, strict=False)]
            others = [np.asfortranarray(x) for x in given], [np.repeat(x, 2, axis=-1)[..., ::2] for x in given]
            for operands in ((*places, given[3]), *others, [x[::-1].copy()[::-1] for x in given]):
                np.testing.assert_array_equal(f(*operands), wanted, err_msg=f"{n} {k} {j}")


def test_which_groups_mix_axes(fresh_code: pytest.MonkeyPatch) -> None:
    """Rows that overlap or are one have shorter ways; the others go across two axes, of which one may be short."""
    planned, made = launches._planned, []
    fresh_code.setattr(launches, "_planned", lambda *given: made.append(planned(*given)) or made[-1])
    a, b, c, d = (T.TensorType("float64", (None,) * r)() for r in (2, 2, 2, 3))
    plain = [d * c, d * a[:, :, None], a[:, :, None] * b[:, None, :], a[:, None, :] - c, d + a[0]]
    for forms, crosses in (([form(T, a, b, c, d) for form in MIXED.values()], True), (plain, False)):
        for form in forms:
            made.clear()
            td.function([a, b, c, d], form, on_unused_input="ignore")
            assert [len(p.across) for p in made] == [2 * crosses], td.pp(form)


DEAR: dict[str, Callable[..., Any]] = {
    "two axes": lambda m, v, a, b, d: m.exp(a - v[:, None]),
    "of a column": lambda m, v, a, b, d: m.exp(v[:, None] / 8 * a[0]),
    "three axes": lambda m, v, a, b, d: m.exp(d / 8 - a[:, :, None]),
    "outer": lambda m, v, a, b, d: m.exp(a[:, :, None] - b[:, None, :]),
    "several": lambda m, v, a, b, d: m.sqrt(m.exp(d / 8) + a[:, :, None]) * b[:, None, :],
}


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("name", DEAR)
def test_rows_of_dear_functions_with_a_number_each(name: str, dtype: str, ends: list[End]) -> None:
    """They are not computed a whole vector long: `schedule.has_padded_rows`."""
    rng, form = np.random.default_rng(21), DEAR[name]
    f = td.function(
        s := [T.TensorType(dtype, (None,) * r)() for r in (1, 2, 2, 3)], form(T, *s), on_unused_input="ignore"
    )
    for n in (0, 3, 15, 16, *COUNTS, 1000):
        for k, j in ((1, 1), (1, 3), (3, 1), (2, 5), (7, 8), (9, 17), (40, 2)):
            given = [values(rng, shape, dtype) for shape in ((n,), (n, k), (n, j), (n, k, j))]
            if name == "of a column":
                given[1] = values(rng, (n + 1, k), dtype)
            wanted = form(np, *(x.astype("float64") for x in given))
            places = [end.put(x) for end, x in zip(ends, given, strict=False)]
            others = [np.asfortranarray(x) for x in given], [np.repeat(x, 2, axis=-1)[..., ::2] for x in given]
            shared = [np.broadcast_to(x[:1], x.shape) for x in given]
            for operands in ((*places, *given[len(places) :]), *others, [x[::-1].copy()[::-1] for x in given]):
                np.testing.assert_allclose(f(*operands), wanted, rtol=1e-5, err_msg=f"{n} {k} {j}")
            wanted = form(np, *(x.astype("float64") for x in shared))
            np.testing.assert_allclose(f(*shared), wanted, rtol=1e-5, err_msg=f"{n} {k} {j}")


def test_which_rows_of_dear_functions_are_computed_across(fresh_code: pytest.MonkeyPatch) -> None:
    """None that are shorter than a vector, where each has a number of its own; those that may be one, or are the same
    in all others, have shorter ways."""
    planned, made = launches._planned, []
    fresh_code.setattr(launches, "_planned", lambda *given: made.append(planned(*given)) or made[-1])
    v, a, b, d = (T.TensorType("float64", (None,) * r)() for r in (1, 2, 2, 3))
    plain = [T.exp(a + b), T.exp(d - v[:, None, None]), T.exp(d - a), T.exp(d - b[:, None]), T.exp(a - v)]
    for forms, crosses in (([form(T, v, a, b, d) for form in DEAR.values()], True), (plain, False)):
        for form in forms:
            made.clear()
            td.function([v, a, b, d], form, on_unused_input="ignore")
            assert [len(p.across) for p in made] == [(form.ndim - 1) * crosses], td.pp(form)


def test_rows_of_dear_functions_are_updated_in_place() -> None:
    rng = np.random.default_rng(22)
    for n in COUNTS:
        for k in (1, 3, 8, 9):
            a, b = rng.normal(size=(n, k)), rng.normal(size=n)
            s, x = td.shared(a), T.dvector()
            f = td.function([x], s * 2, updates={s: T.exp(-(s**2)) * x[:, None] + s})
            for _ in range(3):
                np.testing.assert_allclose(f(b), a * 2, rtol=1e-12)
                a = np.exp(-(a**2)) * b[:, None] + a
                np.testing.assert_allclose(s.get_value(), a, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_short_rows_that_go_back_are_not_done_one_by_one(dtype: str, fresh_code: pytest.MonkeyPatch) -> None:
    """Adjacent elements of a row shorter than a vector are no reason for lanes along it."""
    found: list[str | None] = []
    fresh_code.setattr(
        selection,
        "prefers_other_lanes",
        lambda *given: found.append(conditions.prefers_other_lanes(*given)) or found[-1],
    )
    x, rng = T.vector(dtype=dtype), np.random.default_rng(19)
    for k in (2, 3, 5, 7):
        found.clear()
        rows = x.reshape((x.shape[0] // k, k))
        f = td.function([x], [rows - rows.mean(axis=1, keepdims=True), T.nnet.softmax(rows)])
        assert found and not any(found)
        for n in (1, 3, 40, 333):
            a = values(rng, (n * k,), dtype)
            wide = a.reshape(n, k).astype("float64")
            for given in (a, np.repeat(a, 2)[::2], a[::-1].copy()[::-1]):
                centred, soft = f(given)
                np.testing.assert_allclose(centred, wide - wide.mean(axis=1, keepdims=True), rtol=1e-5, atol=1e-5)
                np.testing.assert_allclose(soft, softmax(np, wide, 1), rtol=1e-5)


def test_short_columns_in_memory_are_not_done_one_by_one(fresh_code: pytest.MonkeyPatch) -> None:
    """In Fortran's order elements of columns are adjacent; lanes go along them only where columns are no short ones."""
    late_object, required = native.late_object, []
    fresh_code.setattr(native, "late_object", lambda parts: required.append(len(parts)) or late_object(parts))
    x, rng = T.dmatrix(), np.random.default_rng(20)
    f = td.function([x], x - x.mean(axis=0))

    def kernels_for(shape: tuple[int, int]) -> int:
        a, before = np.asfortranarray(rng.normal(size=shape)), sum(required)
        np.testing.assert_allclose(f(a), a - a.mean(axis=0), rtol=1e-12, atol=1e-12)
        return sum(required) - before

    f(np.ones((1000, 1000)))
    assert kernels_for((5, 1000)) == 0
    assert kernels_for((300, 1000)) > 0


@pytest.mark.parametrize("shifted", [False, True])
def test_few_short_rows_are_not_done_one_by_one(shifted: bool, fresh_code: pytest.MonkeyPatch) -> None:
    """Where another axis merges with the lanes' one, and both are a vector, there is a kernel across them."""
    late_object, required = native.late_object, []
    fresh_code.setattr(native, "late_object", lambda parts: required.append(len(parts)) or late_object(parts))
    x, w, rng = T.dtensor3(), T.dmatrix(), np.random.default_rng(21)
    f = td.function([x, w], softmax(T, x + (w[:, :, None] if shifted else w.sum()), 1))

    def kernels_for(n: int) -> int:
        a, b = rng.normal(size=(n, 7, 9)), rng.normal(size=(n, 7))
        before = sum(required)
        wanted = softmax(np, a + (b[:, :, None] if shifted else 0), 1)
        np.testing.assert_allclose(f(a, b), wanted, rtol=1e-9, atol=1e-12)
        return sum(required) - before

    kernels_for(1)
    assert kernels_for(3) == 0
    assert kernels_for(4) > 0


PULLED: dict[str, Callable[..., Any]] = {
    "sum of pulls": lambda m, x, w: ((x[None] - x[:, None]) * (w[None, :] + w[:, None])[:, :, None]).sum(axis=1),
    "weighed": lambda m, x, w: ((x[None] - x[:, None]) * w[:, None, None]).max(axis=1),
    "what is left": lambda m, x, w: (
        (x[None] - x[:, None]) - w[None, :, None] * (x[None] - x[:, None]).max(2)[:, :, None]
    ),
    "products": lambda m, x, w: x[:, None, :] * x[None] - w[:, None, None],
}


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("name", PULLED)
def test_a_vector_of_rows_shorter_than_one(name: str, dtype: str, fresh_code: pytest.MonkeyPatch) -> None:
    late_object, required = native.late_object, []
    fresh_code.setattr(native, "late_object", lambda parts: required.append(len(parts)) or late_object(parts))
    form, x, w = PULLED[name], T.matrix(dtype=dtype), T.vector(dtype=dtype)
    f, rng = td.function([x, w], form(T, x, w)), np.random.default_rng(25)

    def kernels_for(n: int, k: int) -> int:
        a, b = values(rng, (n, k), dtype), values(rng, (n,), dtype)
        before = sum(required)
        np.testing.assert_array_equal(f(a, b), form(np, a, b))
        return sum(required) - before

    kernels_for(1, 3)
    assert kernels_for(7, 3) == 0
    lanes = native_width() // np.dtype(dtype).itemsize
    assert (kernels_for(8, 3) > 0) == (name != "products" or lanes == 8)
    for n in range(8, 17):
        for k in (1, 2, 3, 5, 8, 9):
            a, b = values(rng, (n, k), dtype), values(rng, (n,), dtype)
            for layout in (a, np.asfortranarray(a), a[::-1], np.repeat(a, 2, axis=1)[:, ::2]):
                np.testing.assert_array_equal(f(layout, b), form(np, layout, b))


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_short_rows_beside_positions_are_not_done_one_by_one(dtype: str, fresh_code: pytest.MonkeyPatch) -> None:
    late_object, required = native.late_object, []
    fresh_code.setattr(native, "late_object", lambda parts: required.append(len(parts)) or late_object(parts))
    x, rng = T.matrix(dtype=dtype), np.random.default_rng(26)
    far = ((x[None] - x[:, None]) ** 2).sum(axis=2) + T.cast(T.eye(x.shape[0]), dtype)
    f = td.function([x], [T.exp(-far), (1 / (far + 1) ** 2).sum()])

    def kernels_for(n: int, k: int) -> int:
        a, before = values(rng, (n, k), dtype), sum(required)
        a += np.arange(n, dtype=dtype)[:, None] / 7
        wanted = ((a[None] - a[:, None]).astype("float64") ** 2).sum(axis=2) + np.eye(n)
        for layout in (a, a.copy()[:, ::-1][:, ::-1], np.repeat(a, 2, axis=0)[::2]):
            near, total = f(layout)
            np.testing.assert_allclose(near, np.exp(-wanted), rtol=1e-4, atol=1e-30)
            np.testing.assert_allclose(total, (1 / (wanted + 1) ** 2).sum(), rtol=1e-4)
        return sum(required) - before

    kernels_for(1, 3)
    assert kernels_for(7, 3) == 0
    assert kernels_for(8, 3) > 0
    for n in (0, 9, 15, 16, 17, 31, 33):
        for k in (1, 2, 7, 12):
            kernels_for(n, k)


OF_FEW: dict[str, Callable[..., Any]] = {
    "shifted": lambda m, x, y, z, w: softmax(m, x + y[:, :, None], 1),
    "scaled and shifted": lambda m, x, y, z, w: softmax(m, x * z[:, None, None] + w[:, None] - y[:, :, None], 1),
    "masked": lambda m, x, y, z, w: softmax(m, m.where(y[:, :, None] > 3, x, -9), 1),
    "around": lambda m, x, y, z, w: x * y[:, :, None] - (x * y[:, :, None]).mean(axis=1, keepdims=True),
    "between": lambda m, x, y, z, w: softmax(m, x + m.cos(y)[:, :, None], 1) * z[:, None, None],
}


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("name", OF_FEW)
def test_few_rows_of_operands_without_the_axis_that_merges(name: str, dtype: str, ends: list[End]) -> None:
    """They are repeated along it."""
    form, rng = OF_FEW[name], np.random.default_rng(23)
    symbols = [T.TensorType(dtype, (None,) * r)() for r in (3, 2, 1, 1)]
    f = td.function(symbols, form(T, *symbols), on_unused_input="ignore")
    for n in (1, 3, 4, 7, 15, 31, 40):
        for j, k in ((1, 7), (7, 1), (9, 5), (20, 9), (40, 12), (20, 30), (100, 3), (4, 0)):
            y, z, w = (values(rng, shape, dtype) for shape in ((n, j), (n,), (j,)))
            for a in layouts(values(rng, (n, j, k), dtype), ends[0]):
                shared = np.broadcast_to(y[:, :1], y.shape), y.T.copy().T, np.repeat(y, 2, axis=1)[:, ::2]
                for b in (y, *shared) if n < 8 else (y,):
                    wanted = form(np, *(v.astype("float64") for v in (a, b, z, w)))
                    found = f(a, b, z, w)
                    np.testing.assert_allclose(found, wanted, rtol=2e-5, atol=1e-5, err_msg=f"{a.shape} {a.strides}")


def test_rows_of_more_elements_whose_lanes_would_not_be_full(fresh_code: pytest.MonkeyPatch) -> None:
    late_object, required = native.late_object, []
    fresh_code.setattr(native, "late_object", lambda parts: required.append(len(parts)) or late_object(parts))
    x, w, rng = T.tensor3(dtype="float32"), T.matrix(dtype="float32"), np.random.default_rng(22)
    f = td.function([x, w], softmax(T, x + w[:, :, None], 1))
    for shape, needs in (((1, 40, 7), True), ((3, 40, 7), False), ((15, 40, 7), True), ((65, 100, 3), False)):
        a, b = rng.normal(size=shape).astype("float32"), rng.normal(size=shape[:2]).astype("float32")
        before = sum(required)
        np.testing.assert_allclose(f(a, b), softmax(np, (a + b[:, :, None]).astype("float64"), 1), rtol=1e-5)
        assert (sum(required) > before) == needs, shape


@pytest.mark.parametrize("weighted", [False, True])
def test_rows_at_indices_of_several_axes_are_read_one_by_one(weighted: bool, fresh_code: pytest.MonkeyPatch) -> None:
    """From a vector on (of eight indices), as those at indices of one axis: lanes across shorter ones."""
    late_object, required = native.late_object, []
    fresh_code.setattr(native, "late_object", lambda parts: required.append(len(parts)) or late_object(parts))
    x, k, w, rng = T.matrix(), T.lmatrix(), T.matrix(), np.random.default_rng(3)
    f = td.function([x, k, w], x[k] * w[:, :, None] if weighted else x[k], on_unused_input="ignore")
    for columns, needs in ((25, True), (8, False), (9, False), (3, True), (16, False)):
        a, at = rng.normal(size=(50, columns)), rng.integers(-50, 50, (40, 9))
        b = rng.normal(size=at.shape)
        before = sum(required)
        np.testing.assert_array_equal(f(a, at, b), a[at] * b[:, :, None] if weighted else a[at])
        assert (sum(required) > before) == needs, columns


WEIGHTED: dict[str, Callable[[Any, Any, Any, Any], Any]] = {
    "of rows": lambda m, x, w, v: (x * w[:, None]).sum(axis=(1, 2)),
    "of each row": lambda m, x, w, v: (x * v[:, :, None]).sum(axis=(1, 2)),
    "largest": lambda m, x, w, v: (x * w[:, None]).max(axis=(1, 2)),
    "dear": lambda m, x, w, v: (m.exp(x / 4) * v[:, :, None] - w[:, None]).sum(axis=(1, 2)),
    "around": lambda m, x, w, v: x - x.mean(axis=(0, 2), keepdims=True),
    "unit": lambda m, x, w, v: x / m.sqrt((x * x).sum(axis=(0, 2), keepdims=True)),
}


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("name", WEIGHTED)
def test_sums_over_rows_that_have_a_weight_each(
    name: str, dtype: str, ends: list[End], fresh_code: pytest.MonkeyPatch
) -> None:
    """They cannot be one row: lanes go along them, or across positions of up to 1,024 elements."""
    planned, made = launches._planned, []
    fresh_code.setattr(launches, "_planned", lambda *given: made.append(planned(*given)) or made[-1])
    x, w, v = (T.TensorType(dtype, (None,) * r)() for r in (3, 1, 2))
    form, rng = WEIGHTED[name], np.random.default_rng(17)
    f = td.function([x, w, v], form(T, x, w, v), on_unused_input="ignore")
    ((usual, other),) = [(p.usual.lane, p.other.lane) for p in made]
    assert other not in ("", usual) and len(made[0].across) == 1
    for n in (1, 3, 15, 16, 40, 65):
        for j, k in ((1, 7), (7, 1), (9, 5), (40, 7), (60, 5), (20, 20), (100, 3), (90, 12), (350, 3), (3, 70)):
            weights, own = rng.integers(1, 7, j).astype(dtype), rng.integers(1, 7, (n, j)).astype(dtype)
            for a in layouts(values(rng, (n, j, k), dtype), ends[0]):
                wanted = form(np, *(y.astype("float64") for y in (a, weights, own)))
                np.testing.assert_allclose(f(a, weights, own), wanted, rtol=1e-5, err_msg=f"{a.shape} {a.strides}")


@pytest.mark.parametrize("dtype", ["float32", "float64", "int8"])
def test_longer_rows_are_reduced_along_an_axis_between_others(
    dtype: str, ends: list[End], fresh_code: pytest.MonkeyPatch
) -> None:
    """Of more than 256 elements where a vector has eight lanes, as columns are fewer than those."""
    limits, longer = [], conditions._longer_rows
    fresh_code.setattr(conditions, "_longer_rows", lambda *given: limits.append(longer(*given)) or limits[-1])
    x, rng = T.TensorType(dtype, (None,) * 3)(), np.random.default_rng(19)
    forms = ["sum", "max", "argmin", "range"]
    f = td.function([x], [FORMS[name](T, x, 1) for name in forms])
    assert (min(limits) > 256) == (native_width() >= 8 * np.dtype(dtype).itemsize)
    for n in (3, 16, 40, 65):
        for j, k in ((40, 7), (60, 5), (20, 20), (100, 3), (300, 3), (38, 27), (2, 130), (400, 3)):
            for a in layouts(values(rng, (n, j, k), dtype), ends[0]):
                for name, found in zip(forms, f(a), strict=True):
                    np.testing.assert_array_equal(found, FORMS[name](np, a, 1), err_msg=f"{name} {a.shape} {a.strides}")


def test_results_that_stand_apart_keep_rows_from_being_taken_together(fresh_code: pytest.MonkeyPatch) -> None:
    """Lanes would run along few columns, whose results are not adjacent: each row would be a call of its own."""
    reasons: list[Any] = []
    fresh_code.setattr(selection, "prefers_other_lanes", lambda *given: prefers(reasons, *given))

    def prefers(reasons: list[Any], b: Any, group: Any, usual: Any, other: Any, refs: Any) -> str | None:
        (out,) = group.outs
        stride = refs[id(out.buffer)].strides[out.map.index(usual.lane)]
        reasons.append(("ne", stride, 8) in conditions._rows_apart(b, group, usual, refs))
        return conditions.prefers_other_lanes(b, group, usual, other, refs)

    x, g = T.TensorType("float64", (None, 3))(), T.dmatrix()
    f = td.function([x, g], (g[:, :, None] * x[:, None, :]).sum(axis=0))
    assert reasons == [True]
    rng = np.random.default_rng(13)
    for n in COUNTS:
        a, b = rng.normal(size=(n, 3)), rng.normal(size=(n, 4))
        np.testing.assert_allclose(f(a, b), b.T @ a, rtol=1e-12, atol=1e-12)


def test_updates_in_place_of_operands_with_different_axes() -> None:
    rng = np.random.default_rng(14)
    for n in COUNTS:
        a, b, c = rng.normal(size=(n, 4, 3)), rng.normal(size=(n, 4)), rng.normal(size=(4, 3))
        s, x, y = td.shared(a), T.dmatrix(), T.dmatrix()
        f = td.function([x, y], [], updates={s: s * x[:, :, None] + y * s})
        for _ in range(3):
            f(b, c)
            a = a * b[:, :, None] + c * a
            np.testing.assert_allclose(s.get_value(), a, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("axis", [1, 2])
def test_updates_in_place(axis: int) -> None:
    rng = np.random.default_rng(6)
    for n in COUNTS:
        a, b = rng.normal(size=(2, n, 3, 4))
        s, t = td.shared(a), td.shared(b)
        new = s / T.sqrt((s**2).sum(axis=axis, keepdims=True)) + t
        f = td.function([], new.max(axis=axis), updates={s: new, t: t - new.sum(axis=axis, keepdims=True)})
        for _ in range(3):
            wanted = a / np.sqrt((a**2).sum(axis=axis, keepdims=True)) + b
            np.testing.assert_allclose(f(), wanted.max(axis=axis), rtol=1e-12, atol=1e-12)
            a, b = wanted, b - wanted.sum(axis=axis, keepdims=True)
            np.testing.assert_allclose(s.get_value(), a, rtol=1e-12, atol=1e-12)
            np.testing.assert_allclose(t.get_value(), b, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("dtype", ["float64", "float32", "int16", "bool"])
def test_rows_at_indices(dtype: str, ends: list[End]) -> None:
    table, i, x = T.TensorType(dtype, (None,) * 2)(), T.lvector(), T.TensorType(dtype, (None,) * 2)()
    f = td.function([table, i, x], [table[i], T.eq(table[i], x)])
    rng = np.random.default_rng(7)
    for n in COUNTS:
        for k in (1, 2, 3, 5, 8, 9, 20):
            a, b = ends[0].put(values(rng, (50, k), dtype)), ends[1].put(values(rng, (n, k), dtype))
            at = rng.integers(-50, 50, n)
            for rows in (a, a[::-1], np.asfortranarray(a)):
                for found, w in zip(f(rows, at, b), (rows[at], rows[at] == b), strict=True):
                    np.testing.assert_array_equal(found, w)
            for wrong in (50, -51):
                at[-1] = wrong
                with pytest.raises(IndexError):
                    f(a, at, b)


@pytest.mark.parametrize("dtype", ["float64", "float32", "int32"])
def test_all_of_rows_that_do_not_become_one(dtype: str, ends: list[End]) -> None:
    """Reductions over all axes of rows at indices, and of differences between all rows."""
    x, y = (T.TensorType(dtype, (None,) * 2)() for _ in range(2))
    i = T.lvector()
    by_index, apart = x[i] * y, (x[:, None, :] - y[None]) ** 2
    f = td.function([x, i, y], [by_index.sum(), by_index.max(), T.lt(by_index, -3).any()])
    g = td.function([x, y], [apart.sum(), apart.max(), apart.min()])
    rng = np.random.default_rng(9)
    for n in (*COUNTS, 500):
        for k in (1, 2, 3, 5, 8, 13, 20, 33):
            a, b = (end.put(rng.integers(-3, 4, (n, k)).astype(dtype)) for end in ends[:2])
            at = rng.integers(-n, n, n)
            p = a[at] * b
            for found, wanted in zip(f(a, at, b), (p.sum(), p.max(), (p < -3).any()), strict=True):
                np.testing.assert_array_equal(found, wanted)
            q = (a[:, None] - b[None, :9]) ** 2
            for found, wanted in zip(g(a, b[:9]), (q.sum(), q.max(), q.min()), strict=True):
                np.testing.assert_array_equal(found, wanted)
            at[n // 2] = n
            with pytest.raises(IndexError):
                f(a, at, b)


@pytest.mark.parametrize("axis", [1, 2])
def test_threads_change_nothing(axis: int) -> None:
    a = np.random.default_rng(8).normal(size=(40_000, 3, 4)).astype("float32")
    x = T.ftensor3()
    far = T.sqrt(((x - x[:, 0, 0][:, None, None]) ** 2).sum())
    mixed = x * x[:, :, 0][:, :, None] + x[0]
    f = td.function([x], [softmax(T, x, axis), x.sum(axis=axis), x.argmax(axis=axis), far, mixed])
    alone = [y.copy() for y in f(a)]
    try:
        config.num_threads = 3
        for found, wanted in zip(f(a), alone, strict=True):
            np.testing.assert_array_equal(found, wanted)
    finally:
        config.num_threads = 1


def test_groups_without_axes_have_no_lanes_across() -> None:
    x = T.bscalar("x")
    assert td.function([x], [x, -x])(3) == [3, -3]
