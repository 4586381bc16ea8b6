"""Indexing against NumPy: reading, setting, adding; known and symbolic bounds; the shape rule over unknown lengths."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tensordsl
import tensordsl.tensor as T
from tensordsl.graph import OpShapeError, OpTypeError, toposort
from tensordsl.ops.array.index import SUBTENSOR, TAKE, slice_length
from tensordsl.ops.array.shape import steps
from tensordsl.reference import evaluate

SHAPE = (3, 4, 5)
bounds = st.none() | st.integers(-7, 7)
slices = st.builds(slice, bounds, bounds, st.none() | st.integers(-3, 3).filter(bool))


def entry(length: int) -> st.SearchStrategy[Any]:
    return st.integers(-length, length - 1) | slices


@st.composite
def basic_indices(draw: Any) -> tuple[Any, ...]:
    """An index of ints and slices, perhaps short, with newaxes and perhaps an ellipsis."""
    items = [draw(entry(n)) for n in SHAPE[: draw(st.integers(0, 3))]]
    if draw(st.booleans()):
        at = draw(st.integers(0, len(items)))
        head = items[:at]
        tail = [draw(entry(n)) for n in SHAPE[len(SHAPE) - (len(items) - at) :]] if at < len(items) else []
        items = [*head, Ellipsis, *tail]
    for _ in range(draw(st.integers(0, 2))):
        items.insert(draw(st.integers(0, len(items))), None)
    return tuple(items)


@st.composite
def array_indices(draw: Any) -> tuple[Any, ...]:
    """An index with at least one integer array, mixed with ints, slices and newaxes."""
    shape = draw(st.sampled_from([(2,), (2, 3), (0,)]))
    items: list[Any] = []
    for n in SHAPE:
        kind = draw(st.sampled_from(["array", "thin", "int", "slice"]))
        if kind == "slice":
            items.append(draw(slices))
        elif kind == "int":
            items.append(draw(st.integers(-n, n - 1)))
        else:
            wanted = shape if kind == "array" else (1,) if shape != (0,) else shape
            count = int(np.prod(wanted))
            values = draw(st.lists(st.integers(-n, n - 1), min_size=count, max_size=count))
            items.append(np.array(values, "int64").reshape(wanted))
    if not any(isinstance(i, np.ndarray) for i in items):
        items[draw(st.integers(0, 2))] = np.array([0, -1, 1])
    if draw(st.booleans()):
        items.insert(draw(st.integers(0, 3)), None)
    return tuple(items)


def symbolic(index: tuple[Any, ...]) -> tuple[tuple[Any, ...], dict[Any, Any]]:
    """The index with a variable in place of every int and array, and their values."""
    values: dict[Any, Any] = {}

    def hide(value: Any) -> Any:
        if value is None or value is Ellipsis:
            return value
        if isinstance(value, slice):
            return slice(*map(hide, (value.start, value.stop, value.step)))
        v = T.tensor("int64", shape=(None,) * np.ndim(value) if np.shape(value) != (1,) else (1,))
        values[v] = value
        return v

    return tuple(map(hide, index)), values


A = np.arange(60.0).reshape(SHAPE)


@given(basic_indices(), st.booleans())
def test_basic_indexing(index: tuple[Any, ...], is_known: bool) -> None:
    x = T.tensor(shape=SHAPE if is_known else (None,) * 3)
    want = A[index]
    got = x[index]
    np.testing.assert_array_equal(evaluate(got, {x: A}), want)
    if is_known:
        assert got.type.shape == want.shape
    hidden, values = symbolic(index)
    np.testing.assert_array_equal(evaluate(x[hidden], {x: A, **values}), want)


@given(array_indices())
def test_indexing_with_arrays(index: tuple[Any, ...]) -> None:
    x = T.tensor3()
    want = A[index]
    np.testing.assert_array_equal(evaluate(x[index], {x: A}), want)
    hidden, values = symbolic(index)
    np.testing.assert_array_equal(evaluate(x[hidden], {x: A, **values}), want)
    known = T.tensor(shape=SHAPE)[index]
    assert known.type.shape == want.shape


@given(basic_indices() | array_indices(), st.booleans(), st.sampled_from(["scalar", "full", "last"]))
def test_setting_and_adding(index: tuple[Any, ...], is_set: bool, kind: str) -> None:
    x = T.tensor3()
    part = A[index]
    shape = {"scalar": (), "full": part.shape, "last": part.shape[-1:]}[kind]
    value = np.arange(np.prod(shape, dtype=int), dtype=float).reshape(shape) + 100
    want = A.copy()
    if is_set:
        want[index] = value
    else:
        np.add.at(want, index, value)
    if is_set and any(isinstance(i, np.ndarray) for i in index) and kind != "scalar":
        return  # which of several values for one place wins is not fixed
    y = T.constant(value)
    write = T.set_subtensor if is_set else T.inc_subtensor
    np.testing.assert_array_equal(evaluate(write(x[index], y), {x: A}), want)


def test_setting_through_arrays_with_unique_places() -> None:
    x, i = T.matrix(), T.ivector()
    a = np.zeros((3, 4))
    want = a.copy()
    want[[2, 0]] = [[1, 2, 3, 4], [5, 6, 7, 8]]
    np.testing.assert_array_equal(
        evaluate(T.set_subtensor(x[i], [[1, 2, 3, 4], [5, 6, 7, 8]]), {x: a, i: [2, 0]}), want
    )
    np.testing.assert_array_equal(evaluate(T.inc_subtensor(x[i, i], 1), {x: a, i: [1, 1]})[1, 1], 2)


def test_only_one_indexing_is_written_through() -> None:
    """`set_subtensor(y[...], v)` with y = x[1:] or y = x.T changes y, not x."""
    x = T.matrix()
    a = np.arange(6.0).reshape(2, 3)
    want = a[1:].copy()
    want[0] = 9
    np.testing.assert_array_equal(evaluate(T.set_subtensor(x[1:][0], 9), {x: a}), want)
    want = a.T.copy()
    want[0] = 9
    np.testing.assert_array_equal(evaluate(T.set_subtensor(x.T[0], 9), {x: a}), want)
    np.testing.assert_array_equal(evaluate(T.set_subtensor(x[:], 9), {x: a}), np.full((2, 3), 9.0))


@pytest.mark.parametrize("move", [lambda x: x[None], lambda x: x[:, None], lambda x: x[..., None]])
def test_all_of_a_tensor_is_written_through_new_axes(move: Callable[[Any], Any]) -> None:
    at, x = np.arange(6.0).reshape(2, 3), T.dmatrix("x")
    for value in (np.asarray(5.0), move(at) * 2 + 1, move(at)[..., :1]):
        written, added = at.copy(), at.copy()
        move(written)[...] = value
        move(added)[...] += value
        f = tensordsl.function([x], [T.set_subtensor(move(x), value), T.inc_subtensor(move(x), value)])
        for found, wanted in zip(f(at), (written, added), strict=True):
            assert found.shape == at.shape and np.array_equal(found, wanted)
    for other in (x.T, x.dimshuffle(0, "x", 1), x * 2):
        with pytest.raises(TypeError, match=r"want an expression x\[...\] as first argument"):
            T.inc_subtensor(other, 1.0)


def test_whole_axes_need_no_node_of_their_own() -> None:
    x = T.dmatrix("x")
    assert x[:, None].owner.op.name == x[None, ...].owner.op.name == "dimshuffle"
    g = tensordsl.grad((x[:, None] * x[None]).sum() + x[:].sum(), x)
    assert not any(node.op.name == "inc_subtensor" for node in toposort([g]))


def test_an_element_of_a_vector_of_scalars_is_that_scalar() -> None:
    s, t = T.lscalars("s", "t")
    v = T.stack([s, t])
    assert v[1] is t and v[-2] is s and v[T.constant(0)] is s
    assert list(v) == [s, t]
    x = T.vector()
    assert x[0].owner.row is SUBTENSOR and x[[0]].owner.row is TAKE


def test_gradients_by_a_stack_find_what_reads_its_elements() -> None:
    s, t = T.scalars("s", "t")
    for v in (T.stack([s, t]), T.stack([s, t, s * t])[:2]):
        cost = v[0] * v[-1] + v.sum() + s
        g = tensordsl.function([s, t], [*T.grad(cost, [v, s, t]), T.set_subtensor(v[1], 7.0)])
        for got, want in zip(g(2, 5), ([6, 3], 7, 3, [2, 7]), strict=True):
            np.testing.assert_array_equal(got, want)


def test_parts_as_in_jax() -> None:
    x, i = T.vector("x"), T.lvector("i")
    made = [
        x.at[1:].set(0.0), x.at[i].add(1.0), x.at[i].inc(x[:2]), x.at[-1].subtract(2.0), x.at[1].multiply(3.0),
        x.at[:2].divide(2.0), x.at[::2].power(2.0), x.at[:].min(2.0), x.at[x > 1].max(5.0), x.at[0].apply(T.exp), x.at[1].get(),
    ]  # fmt: skip
    f = tensordsl.function([x, i], made)
    wanted = [
        [1, 0, 0], [3, 2, 3], [4, 2, 3], [1, 2, 1], [1, 6, 3], [0.5, 1, 3], [1, 2, 9], [1, 2, 2], [1, 5, 5], [np.e, 2, 3], 2,
    ]  # fmt: skip
    for got, want in zip(f([1, 2, 3], [0, 0]), wanted, strict=True):
        np.testing.assert_allclose(got, want)
    with pytest.raises(TypeError, match=r"at: write x.at\[index\]"):
        x.at.set(1.0)


def test_errors() -> None:
    x, m = T.vector("x"), T.tensor("float64", shape=(2, 3), name="m")
    with pytest.raises(IndexError, match="too many indices: 2 for x"):
        x[0, 1]
    with pytest.raises(IndexError, match="index 2 is out of bounds for axis 0 with size 2 of m"):
        m[2]
    with pytest.raises(IndexError, match="one ellipsis"):
        m[..., ...]
    with pytest.raises(ValueError, match="step cannot be zero"):
        x[::0]
    for wrong in (1.5, T.scalar(), T.vector(), [0.5]):
        with pytest.raises(TypeError, match="index must be integers"):
            x[wrong]
    with pytest.raises(TypeError, match="index must be integers"):
        x[: T.scalar()]
    with pytest.raises(TypeError, match="T.neq"):
        x[x != 0]
    with pytest.raises(TypeError, match="cannot write float64 into a part of a int32"):
        T.set_subtensor(T.ivector()[0], np.float64(1))
    with pytest.raises(TypeError, match=r"want an expression x\[...\]"):
        T.set_subtensor(x + 1, 0)
    with pytest.raises(OpShapeError, match="value with 2 axes does not fit"):
        T.set_subtensor(x[1:], np.ones((2, 2)))
    with pytest.raises(OpShapeError, match="does not fit the part of x: 4 != 3"):
        T.set_subtensor(m[0], np.ones(4))
    with pytest.raises(OpTypeError, match="index must be integers"):
        SUBTENSOR(x, T.scalar(), index=(("int", ("input", 0)),))
    with pytest.raises(IndexError):
        evaluate(x[5], {x: np.zeros(1)})


def test_take_and_diagonal() -> None:
    x = T.matrix()
    a = np.arange(6.0).reshape(2, 3)
    np.testing.assert_array_equal(evaluate(x.take([0, 2], axis=-1), {x: a}), a.take([0, 2], -1))
    np.testing.assert_array_equal(evaluate(T.take(x, [0, 4]), {x: a}), a.take([0, 4]))
    np.testing.assert_array_equal(evaluate(x.diagonal(), {x: a}), a.diagonal())


# -- the shape rule where nothing is known until run time ------------------------------------------------------------
@dataclass(frozen=True)
class Length:
    """A length that only the algebra can look into, as the compiler's extents."""

    value: int


class Opaque:
    """`Dims` over `Length`s: a rule that peeks at a value instead of using the algebra fails."""

    def _apply(self, function: Any, a: Any, b: Any) -> Length:
        return Length(function(*(v.value if isinstance(v, Length) else v for v in (a, b))))

    # fmt: off
    def add(self, a: Any, b: Any) -> Length: return self._apply(lambda a, b: a + b, a, b)
    def sub(self, a: Any, b: Any) -> Length: return self._apply(lambda a, b: a - b, a, b)
    def mul(self, a: Any, b: Any) -> Length: return self._apply(lambda a, b: a * b, a, b)
    def floordiv(self, a: Any, b: Any) -> Length: return self._apply(lambda a, b: a // b, a, b)
    def minimum(self, a: Any, b: Any) -> Length: return self._apply(min, a, b)
    def maximum(self, a: Any, b: Any) -> Length: return self._apply(max, a, b)
    # fmt: on


@given(st.integers(0, 6), slices, st.tuples(st.booleans(), st.booleans(), st.booleans()))
def test_the_length_of_a_slice_of_unknown_bounds(n: int, s: slice, hidden: tuple[bool, bool, bool]) -> None:
    parts = [
        Length(v) if is_hidden and v is not None else v
        for v, is_hidden in zip((s.start, s.stop, s.step), hidden, strict=True)
    ]
    got = slice_length(Opaque(), Length(n), *parts)  # type: ignore[arg-type]  # the rules use these methods only
    assert got.value == len(range(n)[s])


@given(st.integers(-6, 6), st.integers(-6, 6), st.integers(-3, 3).filter(bool), st.booleans())
def test_the_length_of_a_range_of_unknown_bounds(start: int, stop: int, step: int, is_hidden: bool) -> None:
    got = steps(Opaque(), Length(start), Length(stop), Length(step) if is_hidden else step)  # type: ignore[arg-type]
    assert got.value == len(range(start, stop, step))


@pytest.mark.parametrize("is_set", [False, True])
def test_the_oracle_adds_to_rows_of_a_transposed_array(is_set: bool) -> None:
    """Found by upstream MLIR: a copy in the order of columns has no flat view, and what was added to it was lost."""
    x, k = T.dtensor3("x"), T.lvector("k")
    values, places = np.arange(12.0).reshape(2, 2, 3).transpose(2, 1, 0), np.array([0, 2, 0, -1])
    expression = T.set_subtensor(x[k], 5.0) if is_set else T.inc_subtensor(x[k], 5.0)
    want = np.array(values)
    for i in places:
        want[i] = 5.0 if is_set else want[i] + 5.0
    (got,) = evaluate([expression], {x: values, k: places})
    np.testing.assert_array_equal(got, want)


@pytest.mark.parametrize("far", [2**62, 2**63 - 1, 2**63, 2**70])
def test_bounds_beyond_every_length(far: int) -> None:
    x, a = T.dvector("x"), np.arange(5.0)
    parts = [slice(far), slice(-far, None), slice(far, None), slice(None, -far), slice(far, -far, -1)]
    for got, part in zip(tensordsl.function([x], [x[p] for p in parts])(a), parts, strict=True):
        np.testing.assert_array_equal(got, a[part])
    for k in (far, -far):
        with pytest.raises(IndexError):
            tensordsl.function([x], x[k])(a)


@pytest.mark.parametrize("mode", ["FAST_RUN", "REFERENCE", "DebugMode"])
def test_a_value_of_fewer_axes_than_its_index_is_added_along_the_others_too(mode: str) -> None:
    x, y = T.dvectors("x", "y")
    f = tensordsl.function([x, y], T.inc_subtensor(x[np.array([[0, -2], [1, 0]])], y), mode=mode)
    assert f([0.5, 0.25], [1.0, 2.0]).tolist() == [5.5, 1.25]


# -- as Theano ---------------------------------------------------------------------------------------------------------
def test_a_list_with_slices_is_a_tuple() -> None:
    x, a = T.dmatrix("x"), np.arange(12.0).reshape(3, 4)
    for index in ([slice(None, None, -1), slice(1)], [slice(1, None), 2], [1, slice(None)], [..., slice(1)], [None, 0]):
        np.testing.assert_array_equal(x[index].eval({x: a}), a[tuple(index)])
        wanted = a.copy()
        wanted[tuple(index)] = 7
        np.testing.assert_array_equal(T.set_subtensor(x[index], 7.0).eval({x: a}), wanted)


@pytest.mark.parametrize("index", [[], (slice(None), []), (0, []), [[]], ([], slice(1))])
def test_a_list_of_nothing_holds_integers(index: Any) -> None:
    x, a = T.dmatrix("x"), np.arange(12.0).reshape(3, 4)
    assert x[index].eval({x: a}).shape == a[index].shape
    np.testing.assert_array_equal(T.inc_subtensor(x[index], 1.0).eval({x: a}), a)


@pytest.mark.parametrize("mode", [None, "REFERENCE"])
def test_values_are_cast_within_their_kind(mode: Any) -> None:
    for own, other, value in (
        ("float32", "float64", 0.1), ("float16", "float32", 0.3), ("int8", "int64", 300), ("float32", "int64", 2**24 + 1),
        ("complex64", "float64", 0.1),
    ):  # fmt: skip
        x, y, i = T.TensorType(own, (None,))("x"), T.TensorType(other, (None,))("y"), T.lvector("i")
        a, b = np.arange(4).astype(own), np.full(2, value, other)
        wanted = a.copy()
        wanted[:2] = b.astype(own)
        for part in (x[:2], x[i]):
            f = tensordsl.function([x, y, i], T.set_subtensor(part, y), mode=mode, on_unused_input="ignore")
            got = f(a, b, [0, 1])
            assert got.dtype == own and got.tolist() == wanted.tolist()
            more = tensordsl.function([x, y, i], T.inc_subtensor(part, y), mode=mode, on_unused_input="ignore")
            with np.errstate(over="ignore"):
                assert more(a, b, [0, 1]).tolist() == (a + [*b.astype(own), 0, 0]).astype(own).tolist()
    for own, other in (("int64", "float64"), ("float64", "complex128"), ("bool", "int8"), ("uint8", "int8")):
        with pytest.raises(TypeError, match="cannot write"):
            T.set_subtensor(T.TensorType(own, (None,))()[:2], T.TensorType(other, (None,))())
    x, y = T.fvector("x"), T.dvector("y")
    slope = T.grad(T.set_subtensor(x[:2], y).sum(), y)
    assert slope.dtype == "float64" and slope.eval({x: np.zeros(3, "float32"), y: [1, 2]}).tolist() == [1, 1]
