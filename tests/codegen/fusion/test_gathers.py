"""Gathers of computed values: what they read is computed where it is read, and checked all the same."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from end_of_memory import End
from native import Runner
from tuned import of_width

import tensordsl
import tensordsl.tensor as T
from tensordsl.codegen.abi.layouts import USUAL_LENGTHS
from tensordsl.codegen.compiler.pipeline import make_program, optimise_lowered
from tensordsl.codegen.cpu.schedule import schedule
from tensordsl.codegen.fusion.group import Buffer, Group, Out
from tensordsl.codegen.fusion.placement import plan_regions
from tensordsl.codegen.llvm import vector_builder
from tensordsl.codegen.scalar_ir.builder import Builder
from tensordsl.codegen.tensor_ir.lower import lower
from tensordsl.gradient import grad

X, B, K, ROWS = T.dmatrix("x"), T.dvector("b"), T.lvector("k"), T.lvector("rows")
RNG = np.random.default_rng(5)
x, b = RNG.normal(size=(6, 4)), RNG.normal(size=4)


def log_softmax(a: Any) -> Any:
    a = a - a.max(axis=1, keepdims=True)
    return a - np.log(np.exp(a).sum(axis=1, keepdims=True))


CASES = {
    "cross-entropy": (lambda x, b, k: T.log(T.nnet.softmax(x))[T.arange(k.shape[0]), k], lambda x, b, k: log_softmax(x)[np.arange(k.size), k]),
    "of all rows": (lambda x, b, k: T.log(T.nnet.softmax(x + b))[T.arange(x.shape[0]), k], lambda x, b, k: log_softmax(x + b)[np.arange(len(x)), k]),
    "along the columns": (lambda x, b, k: T.tanh(x.T + k)[k, T.arange(x.shape[0])], lambda x, b, k: np.tanh(x.T + k)[k, np.arange(len(x))]),
    "beside another use": (lambda x, b, k: T.exp(x).sum() + T.exp(x)[T.arange(k.shape[0]), k], lambda x, b, k: np.exp(x).sum() + np.exp(x)[np.arange(k.size), k]),
    "of a broadcast vector": (lambda x, b, k: T.alloc(T.exp(b), k.shape[0], 4)[T.arange(k.shape[0]), k], lambda x, b, k: np.exp(b)[k]),
    "of what does not vary": (lambda x, b, k: T.alloc(T.exp(b[0]), k.shape[0], 4)[T.arange(k.shape[0]), k], lambda x, b, k: np.full(k.size, np.exp(b[0]))),
    "with a kept axis": (lambda x, b, k: (T.exp(x).dimshuffle(0, 1, "x") * b)[T.arange(k.shape[0]), k], lambda x, b, k: (np.exp(x)[..., None] * b)[np.arange(k.size), k]),
    "apart": (lambda x, b, k: (T.exp(x).dimshuffle(0, "x", 1) * b.dimshuffle(0, "x"))[T.arange(k.shape[0]), :, k], lambda x, b, k: (np.exp(x)[:, None] * b[:, None])[np.arange(k.size), :, k]),
    "all of an axis": (lambda x, b, k: T.exp(x)[:, T.arange(x.shape[1])], lambda x, b, k: np.exp(x)),
    "a part of an axis": (lambda x, b, k: T.exp(x - x.max(axis=1, keepdims=True))[:, T.arange(3)], lambda x, b, k: np.exp(x - x.max(axis=1, keepdims=True))[:, :3]),
    "a diagonal": (lambda x, b, k: T.tanh(T.dot(x.T, x))[T.arange(x.shape[1]), T.arange(x.shape[1])], lambda x, b, k: np.tanh((x * x).sum(0))),
    "points twice": (lambda x, b, k: T.exp(x)[k, k], lambda x, b, k: np.exp(x)[k, k]),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_gather_of_computed_values(name: str) -> None:
    program, oracle = CASES[name]
    f = tensordsl.function([X, B, K], program(X, B, K), on_unused_input="ignore")
    k = np.array([3, 0, -1, 2, 2, -4])
    for operand in (x, np.asfortranarray(x), x[::-1]):
        np.testing.assert_allclose(f(operand, b, k), oracle(operand, b, k), rtol=1e-12)


@pytest.mark.parametrize(
    "name",
    [
        "cross-entropy",
        "of all rows",
        "along the columns",
        "beside another use",
        "of a broadcast vector",
        "of what does not vary",
    ],
)
@pytest.mark.parametrize("bad", [4, -5, 10**12])
def test_an_index_out_of_range_is_an_error_wherever_the_gather_went(name: str, bad: int) -> None:
    f = tensordsl.function([X, B, K], CASES[name][0](X, B, K), on_unused_input="ignore")
    with pytest.raises(IndexError, match=f"index {bad} is out of bounds"):
        f(x, b, np.array([0, 1, bad, 0, 0, 0]))


@pytest.mark.parametrize("dtype", ["float64", "float32", "int16", "int8"])
def test_elements_at_any_distance_are_gathered(dtype: str) -> None:
    x, k, y = T.TensorType(dtype, (None,))("x"), T.lvector(), T.TensorType(dtype, (None,))("y")
    f = tensordsl.function([x, k, y], x[k] + y)
    rng = np.random.default_rng(5)
    whole = rng.integers(-50, 50, 200).astype(dtype)
    for operand in (whole, whole[::2], whole[::-1], whole[3::-3], np.broadcast_to(whole[7], 90), whole[:1]):
        for n in (0, 1, 3, 7, 8, 9, 15, 16, 17, 31, 33, 64, 65, 129, 1000):
            index, beside = rng.integers(-len(operand), len(operand), n), rng.integers(0, 9, n).astype(dtype)
            np.testing.assert_array_equal(f(operand, index, beside), operand[index] + beside)


I, V, W = T.lvector("i"), T.dvector("v"), T.dmatrix("w")
AT = I % 1  # one index, of each element
BESIDE_REDUCTIONS = {
    "the first element": [T.dot(I, I) + W[0, I], I[AT]],
    "of one row": [T.dot(I, I) + W[T.arange(1), AT], I[AT]],
    "of every row": [(W * V[AT]).sum(axis=1), W - V[AT]],
    "a function of it": [(W * T.exp(V[AT])).sum(axis=1), W - T.exp(V[AT])],
    "down the columns": [(W.T * T.exp(V[AT])[:, None]).sum(axis=0), W.T - T.exp(V[AT])[:, None]],
    "behind a reduction": [W - W.sum(axis=1, keepdims=True) * V[AT], (W * V[AT]).sum(axis=1)],
    "behind one of columns": [W.T - W.T.sum(axis=0) * V[AT][:, None], W.T * V[AT][:, None]],
    "at an index that is one": [(W * V[I[AT]]).sum(axis=1), W[:, I[AT]]],
    "in a row that is one": [(W * W[AT, T.arange(W.shape[1])]).sum(axis=1)],
}


@pytest.mark.parametrize("name", BESIDE_REDUCTIONS)
def test_what_only_points_need_is_not_read_where_there_are_none(name: str, ends: list[End]) -> None:
    outputs = BESIDE_REDUCTIONS[name]
    f = tensordsl.function([I, V, W], outputs, on_unused_input="ignore")
    slow = tensordsl.function([I, V, W], outputs, mode="REFERENCE", on_unused_input="ignore")
    rng = np.random.default_rng(7)
    for rows, n in ((3, 0), (70, 0), (1, 0), (0, 0), (3, 5), (2, 300)):
        given = np.arange(n) // 2, rng.normal(size=n), rng.normal(size=(rows, n))
        if name in ("the first element", "of one row"):
            given = given[0] % 1, *given[1:2], rng.normal(size=(1, n))
        placed = [end.put(a) for end, a in zip(ends, given, strict=True)]
        for got, want in zip(f(*placed), slow(*given), strict=True):
            np.testing.assert_allclose(got, want, rtol=1e-12, atol=1e-12)


def test_elements_of_nothing_that_rows_need_are_an_error(ends: list[End]) -> None:
    f = tensordsl.function([V, I, W], W.sum(axis=1) + V[I])
    with pytest.raises(IndexError):
        f(ends[0].put(np.zeros(0)), np.zeros(3, "int64"), np.zeros((3, 0)))


def test_fewer_and_more_targets_than_rows() -> None:
    f = tensordsl.function([X, B, K], CASES["cross-entropy"][0](X, B, K), on_unused_input="ignore")
    for n in (0, 1, 5):
        np.testing.assert_allclose(
            f(x, b, np.arange(n) % 4), log_softmax(x)[np.arange(n), np.arange(n) % 4], rtol=1e-12
        )
    with pytest.raises(IndexError, match="index 6 is out of bounds for axis 0 with size 6"):
        f(x, b, np.zeros(7, "int64"))


def test_gradient_of_cross_entropy() -> None:
    cost = T.mean(T.nnet.categorical_crossentropy(T.nnet.softmax(X), K))
    f = tensordsl.function([X, K], [cost, grad(cost, X)])
    k = np.array([3, 0, -1, 2, 2, -4])
    value, gradient = f(x, k)
    onehot = np.zeros((6, 4))
    onehot[np.arange(6), k] = 1
    np.testing.assert_allclose(value, -log_softmax(x)[np.arange(6), k].mean(), rtol=1e-12)
    np.testing.assert_allclose(gradient, (np.exp(log_softmax(x)) - onehot) / 6, rtol=1e-12, atol=1e-15)


def checks(output: Any) -> int:
    """How often the kernels of a function of X and K check an index."""
    _, program, _ = make_program("f", [X, K], [], [output], [], True, small=(USUAL_LENGTHS,))
    return sum(text.count("icmp uge") for plan in program.plans for text in plan.kernels.texts)


def test_an_index_is_checked_once_and_positions_are_not() -> None:
    assert checks(X[T.arange(X.shape[0])[:, None], K]) == 1
    assert checks((T.exp(X) + X.T)[T.arange(X.shape[0]), K]) == 1
    assert checks((T.exp(X) + X[0])[T.arange(X.shape[0]), K]) == 2  # that of X[0] alone, lane by lane
    assert checks(X[T.arange(K.shape[0]), K]) == 2


NARROW = ("int8", "uint8", "int16", "uint16", "int32", "uint32", "int64")


@pytest.mark.parametrize("dtype", ["float64", "float32", "float16", "int8", "bool", "complex128"])
def test_indices_of_all_dtypes_at_all_lengths(dtype: str) -> None:
    """All in range as they are, some from the end, some wrong; a table as long as what the indices can name, or not."""
    for kind in NARROW:
        index, table = T.TensorType(kind, (False,))("i"), T.TensorType(dtype, (False,))("t")
        f = tensordsl.function([table, index], table[index])
        lowest, highest = np.iinfo(kind).min, np.iinfo(kind).max
        for n in (1, 127, 128, 129, 255, 256, 257):
            values = np.arange(n).astype(dtype)
            at = np.minimum(RNG.integers(0, n, 150), highest).astype(kind)
            for count in (0, 1, 7, 33, 150):
                np.testing.assert_array_equal(f(values, at[:count]), values[at[:count]])
            np.testing.assert_array_equal(f(np.repeat(values, 2)[::2], at[::-3]), values[at[::-3]])
            at[77] = max(-n, lowest)
            np.testing.assert_array_equal(f(values, at), values[at])
            for wrong in {min(n, highest), max(-n - 1, lowest), highest, lowest}:
                at[140] = wrong
                if not -n <= wrong < n:
                    with pytest.raises(IndexError, match=f"out of bounds for axis 0 with size {n}"):
                        f(values, at)


def test_tables_of_one_length_are_gathered_in_one_kernel() -> None:
    tables = T.dvectors("a", "b")
    f = tensordsl.function([*tables, K], [tables[0][K] * tables[1][K], T.sum(tables[1][K])])
    a, b = RNG.normal(size=(2, 9))
    for k in (np.arange(100) % 9, np.arange(100) % 18 - 9):
        product, total = f(a, b, k)
        np.testing.assert_array_equal(product, a[k] * b[k])
        np.testing.assert_allclose(total, b[k].sum(), rtol=1e-12)
    with pytest.raises(IndexError, match="index 9 is out of bounds"):
        f(a, b, np.arange(100) % 10)


def test_an_index_that_is_updated_in_its_place_is_read_before() -> None:
    index, table = tensordsl.shared(np.arange(1000) % 7), T.dvector("t")
    f = tensordsl.function([table], table[index], updates=[(index, index + 1000)])
    values = RNG.normal(size=7)
    np.testing.assert_array_equal(f(values), values[np.arange(1000) % 7])
    with pytest.raises(IndexError):
        f(values)
    np.testing.assert_array_equal(index.get_value(), np.arange(1000) % 7 + 1000)


def plan(inputs: list[Any], outputs: list[Any]) -> list[str]:
    """The constructs of a function, and "group" for each group."""
    lowered = lower(inputs, [], outputs, [])
    optimise_lowered(lowered)
    return [s.value.op if s.value else "group" for s in plan_regions(lowered.graph, lowered.outputs)[()].steps]


def test_cost_and_gradient_of_cross_entropy_share_one_pass_over_the_rows() -> None:
    cost = T.nnet.categorical_crossentropy(T.nnet.softmax(X), K).mean()
    got = plan([X, K], [cost, grad(cost, X)])
    assert sorted(got) == ["group", "group", "group", "in_bounds"]  # of the targets, of the rows, the mean


def write(x: Any, index: Any, y: Any, to: bool) -> Any:
    result = np.array(np.broadcast_to(x, np.shape(x)))
    if to:
        result[index] = y
    else:
        np.add.at(result, index, y)
    return result


R = T.arange(X.shape[0])
rows = np.arange(6)
WRITES: dict[str, tuple[Any, Any, Any, Any, Any]] = {
    "zeros": (T.zeros_like(X), (R, K), B[0], lambda k: (np.zeros((6, 4)), (rows, k)), lambda v: v[0]),
    "computed": (T.exp(X), (R, K), X[:, 0], lambda k: (np.exp(x), (rows, k)), lambda v: x[:, 0]),
    "negative zero": (T.zeros_like(X) * -1.0, (R, K), 0.0, lambda k: (-np.zeros((6, 4)), (rows, k)), lambda v: 0.0),
    "all rows": (T.exp(X), (R,), B, lambda k: (np.exp(x), (rows,)), lambda v: v),
    "columns": (T.exp(X.T), (K, R), X[:, 1], lambda k: (np.exp(x.T), (k, rows)), lambda v: x[:, 1]),
    "with a free axis": (
        T.exp(X).dimshuffle(0, 1, "x") * B, (R, K), B * 2, lambda k: (np.exp(x)[..., None] * b, (rows, k)), lambda v: v * 2,
    ),
    "apart": (
        T.exp(X).dimshuffle(0, "x", 1) * T.ones((6, 3, 1)), (R, slice(None), K), X[:, :3],
        lambda k: (np.exp(x)[:, None] * np.ones((6, 3, 1)), (rows, slice(None), k)), lambda v: x[:, :3],
    ),
    "three indices": (
        T.exp(X).dimshuffle(0, 1, "x") * B, (R, K, K), X[:, 0], lambda k: (np.exp(x)[..., None] * b, (rows, k, k)), lambda v: x[:, 0],
    ),
    "not all rows": (T.exp(X), (T.arange(3), K[:3]), B[0], lambda k: (np.exp(x), (rows[:3], k[:3])), lambda v: v[0]),
}  # fmt: skip


@pytest.mark.parametrize("to", [True, False])
@pytest.mark.parametrize("name", WRITES)
def test_a_write_at_one_position_of_each_row(name: str, to: bool) -> None:
    base, index, value, where, what = WRITES[name]
    f = tensordsl.function(
        [X, B, K], (T.set_subtensor if to else T.inc_subtensor)(base[index], value), on_unused_input="ignore"
    )
    k = np.array([3, 0, -1, 2, 2, -4])
    got, want = f(x, b, k), write(*where(k), what(b), to)
    np.testing.assert_allclose(got, want, rtol=1e-13)
    np.testing.assert_array_equal(np.signbit(got), np.signbit(want))
    if name not in ("all rows", "not all rows"):
        assert "inc_take" not in plan([X, B, K], [T.inc_subtensor(base[index], value)])
        for bad in (4, -5):
            with pytest.raises(IndexError, match=f"index {bad} is out of bounds"):
                f(x, b, np.array([0, 1, bad, 0, 0, 0]))


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_products_of_rows_at_indices_with_their_gradients(dtype: str) -> None:
    """Of every length around those where lanes run the other way."""
    u, v = T.matrix("u", dtype=dtype), T.matrix("v", dtype=dtype)
    i, j = T.lvector("i"), T.lvector("j")
    error = (u[i] * v[j]).sum(axis=1)
    f = tensordsl.function([u, v, i, j], [error, *T.grad(T.sum(error**2), [u, v])])
    rng = np.random.default_rng(0)
    for n in (*range(1, 18), 27, 28, 33, 70):
        a, b = rng.normal(size=(30, n)).astype(dtype), rng.normal(size=(20, n)).astype(dtype)
        p, q = rng.integers(-30, 30, 300), rng.integers(-20, 20, 300)
        wanted = (a[p] * b[q]).sum(1)
        left, right = np.zeros_like(a, "float64"), np.zeros_like(b, "float64")
        np.add.at(left, p, 2 * wanted[:, None] * b[q])
        np.add.at(right, q, 2 * wanted[:, None] * a[p])
        rtol = 1e-10 if dtype == "float64" else 1e-3
        for found, exact in zip(f(a, b, p, q), (wanted, left, right), strict=True):
            np.testing.assert_allclose(found, exact, rtol=rtol, atol=rtol)


def test_one_row_takes_what_is_written_to_all_positions() -> None:
    """The positions `arange(1)` are those of every place of the other index."""
    x, t = T.dmatrix("x"), T.lvector("t")
    one = T.TensorType("float64", (1, None))("one")
    f = tensordsl.function(
        [one, t], [T.inc_subtensor(T.zeros_like(one)[T.arange(1), t], 1.0), grad((one[T.arange(1), t] ** 2).sum(), one)]
    )
    for found, wanted in zip(f(np.ones((1, 4)), [1, 1, 3, 1]), ([[0, 3, 0, 1]], [[0, 6, 0, 2]]), strict=True):
        assert found.tolist() == wanted
    assert tensordsl.function([t], T.inc_subtensor(T.zeros((1, 1))[T.arange(1), t], 1.0))([0, 0, 0]).tolist() == [[3]]
    g = tensordsl.function([x, t], T.inc_subtensor(T.zeros_like(x)[T.arange(x.shape[0]), t], 1.0))
    assert g(np.ones((2, 3)), [2, 0]).tolist() == [[0, 0, 1], [1, 0, 0]]


@pytest.mark.parametrize("n", [1, 3, 70])
def test_indices_that_several_kernels_compute_from_positions(n: int) -> None:
    """Lanes behind the last element read nothing, and so are in range."""
    place, where = T.arange(B.shape[0]), np.arange(n)
    for k in range(1, 40):
        place, where = (m(w > k, w - 1, w) for m, w in ((T.switch, place), (np.where, where)))
    values = RNG.normal(size=n)
    np.testing.assert_array_equal(tensordsl.function([B], B[place])(values), values[where])


@pytest.mark.parametrize("dtype", ["bool", "uint8", "int16", "float32", "float64"])
def test_rows_at_indices_beside_others(dtype: str, ends: list[End]) -> None:
    """Shorter than a vector, and longer; lanes are as many as the rows' elements allow, whose indices have eight bytes."""
    m, k = T.TensorType(dtype, (None, None))(), T.lvector()
    f = tensordsl.function([m, k], [m[k], T.maximum(m[k], m[0])])
    rng = np.random.default_rng(6)
    for n in (0, 1, 3, 4, 7, 8, 9, 15, 16, 17, 27, 28, 31, 33, 63, 65, 200):
        for count in (0, 1, 50):
            rows = ends[0].put(rng.integers(0, 100, (23, n)).astype(dtype))
            at = ends[1].put(rng.integers(-23, 23, count))
            for a in (rows, rows[::-1], rows[:, ::-1]):
                for found, right in zip(f(a, at), (a[at], np.maximum(a[at], a[0])), strict=True):
                    np.testing.assert_array_equal(found, right)


@pytest.mark.parametrize("dtype", ["uint8", "float32", "float64"])
def test_rows_at_indices_of_two_axes(dtype: str, ends: list[End]) -> None:
    m, k, w = T.TensorType(dtype, (None, None))(), T.lmatrix(), T.TensorType(dtype, (None, None))()
    f = tensordsl.function([m, k, w], [m[k], T.maximum(m[k], w[:, :, None])])
    rng = np.random.default_rng(6)
    for n in (0, 1, 3, 7, 8, 9, 15, 16, 17, 27, 28, 33, 65):
        for shape in ((0, 3), (1, 1), (9, 4), (20, 11), (3, 40)):
            rows = ends[0].put(rng.integers(0, 100, (23, n)).astype(dtype))
            at = ends[1].put(rng.integers(-23, 23, shape))
            b = rng.integers(0, 100, shape).astype(dtype)
            for a in (rows, rows[::-1, ::-1]):
                for i in (at, at[::-1], at.T.copy().T):
                    for found, right in zip(f(a, i, b), (a[i], np.maximum(a[i], b[:, :, None])), strict=True):
                        np.testing.assert_array_equal(found, right)


def test_indices_of_rows_do_not_make_lanes_fewer() -> None:
    b = Builder()
    index = b.load(Buffer("k", "int64", ("n",)), "i")
    for dtype, widths in (("uint8", (16, 16)), ("int16", (16, 16)), ("float32", (16, 8)), ("float64", (8, 4))):
        row = b.load(Buffer("x", dtype, ("m", "d")), index, "j")
        group = Group("take", {"i": "n", "j": "d"}, ("i", "j"), (Out(Buffer("y", dtype, ("n", "d")), ("i", "j"), row),))
        assert tuple(schedule(group, of_width(n)).width[0] for n in (64, 32)) == widths, dtype


@pytest.mark.parametrize("has_gathers", [False, True])
@pytest.mark.parametrize("dtype", ["float64", "float32", "int16", "bool", "complex64"])
def test_elements_are_gathered_where_that_is_fast(
    dtype: str, has_gathers: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    isa = vector_builder.host_isa().replace(" gathers", "") + " gathers" * has_gathers
    monkeypatch.setattr(vector_builder, "host_isa", lambda: isa)
    table, at = Buffer("t", dtype, ("m",)), Buffer("i", "int64", ("n",))
    s = Builder()
    group = Group("g", {"a": "n"}, ("a",), (Out(Buffer("o", dtype, ("n",)), ("a",), s.load(table, s.load(at, "a"))),))
    run, rng = Runner(group), np.random.default_rng(4)
    for n in (1, 7, 8, 9, 31, 64, 100):
        values, result = rng.normal(size=20).astype(dtype), np.zeros(n, dtype)
        i = rng.integers(-20, 20, n)
        for places in (i, np.abs(i) % 20):
            assert run({"t": values, "i": places, "o": result}) == 0
            np.testing.assert_array_equal(result, values[places])
        assert run({"t": values, "i": np.full(n, 20), "o": result}) == 1
