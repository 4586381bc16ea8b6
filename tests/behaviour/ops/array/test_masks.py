"""Masks and positions that depend on data, by the oracles and compiled, against NumPy."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from vocabulary import Case, check_all

import tensordsl
import tensordsl.tensor as T
from tensordsl.graph import Variable, toposort
from tensordsl.reference import evaluate
from tensordsl.types import TensorType

A = np.arange(12.0).reshape(3, 4) - 5
B = np.arange(24.0).reshape(2, 3, 4)
V = np.array([-1.0, 0.0, 1.0])
I = np.array([0, 1, 0])  # noqa: E741

READ: list[Case] = [
    ("full", lambda a, b, v, i: a[a > 0], lambda a, b, v, i: a[a > 0]),
    ("rows", lambda a, b, v, i: a[v > -1], lambda a, b, v, i: a[v > -1]),
    ("rows and a slice", lambda a, b, v, i: a[v > -1, 1:3], lambda a, b, v, i: a[v > -1, 1:3]),
    ("columns", lambda a, b, v, i: a[:, a[0] > -4], lambda a, b, v, i: a[:, a[0] > -4]),
    ("none", lambda a, b, v, i: a[a > 100], lambda a, b, v, i: a[a > 100]),
    ("all", lambda a, b, v, i: a[a > -100], lambda a, b, v, i: a[a > -100]),
    ("two axes of three", lambda a, b, v, i: b[:, a > 0], lambda a, b, v, i: b[:, a > 0]),
    ("with an int", lambda a, b, v, i: b[-1, a > 0], lambda a, b, v, i: b[-1, a > 0]),
    ("with positions", lambda a, b, v, i: b[i, v > -2], lambda a, b, v, i: b[i, v > -2]),
    ("ellipsis", lambda a, b, v, i: b[..., a[0] > -4], lambda a, b, v, i: b[..., a[0] > -4]),
    ("newaxis", lambda a, b, v, i: a[None, v > -1, None], lambda a, b, v, i: a[None, v > -1, None]),
    ("constant", lambda a, b, v, i: a[[True, False, True]], lambda a, b, v, i: a[[True, False, True]]),
    ("nonzero", lambda a, b, v, i: b.nonzero(), lambda a, b, v, i: b.nonzero()),
    ("nonzero matrix", lambda a, b, v, i: T.nonzero(a, return_matrix=True), lambda a, b, v, i: np.stack(a.nonzero())),
    ("flatnonzero", lambda a, b, v, i: T.flatnonzero(a > 0), lambda a, b, v, i: np.flatnonzero(a > 0)),
    ("nonzero_values", lambda a, b, v, i: a.nonzero_values(), lambda a, b, v, i: a[a != 0]),
    ("compress", lambda a, b, v, i: T.compress(v > -1, a, axis=0), lambda a, b, v, i: a.compress(v > -1, axis=0)),
    ("compress flat", lambda a, b, v, i: a.compress(i), lambda a, b, v, i: a.compress(i)),
    ("take wrap", lambda a, b, v, i: a.take(i + 7, 1, "wrap"), lambda a, b, v, i: a.take(i + 7, 1, mode="wrap")),
    ("take clip", lambda a, b, v, i: a.take(i * 9 - 3, mode="clip"), lambda a, b, v, i: a.take(i * 9 - 3, mode="clip")),
    ("take", lambda a, b, v, i: T.take(b, [[1, -1]], axis=-1), lambda a, b, v, i: b.take([[1, -1]], axis=-1)),
    ("choose", lambda a, b, v, i: T.choose(i, [v, a[:, 0]]), lambda a, b, v, i: np.choose(i, [v, a[:, 0]])),
    ("choose broadcast", lambda a, b, v, i: i.dimshuffle(0, "x").choose([a[0], v[0]]),
     lambda a, b, v, i: np.choose(i[:, None], [a[0], v[0]])),
    ("choose of a tensor", lambda a, b, v, i: T.choose(i, b[:, :, 0]), lambda a, b, v, i: np.choose(i, b[:, :, 0])),
    ("choose wrap", lambda a, b, v, i: T.choose(i - 1, [v, v + 9], mode="wrap"),
     lambda a, b, v, i: np.choose(i - 1, [v, v + 9], mode="wrap")),
    ("choose clip", lambda a, b, v, i: T.choose(5 * i - 1, [v, v + 9], mode="clip"),
     lambda a, b, v, i: np.choose(5 * i - 1, [v, v + 9], mode="clip")),
    ("diagonal", lambda a, b, v, i: a.diagonal(1), lambda a, b, v, i: a.diagonal(1)),
    ("diagonal far", lambda a, b, v, i: a.diagonal(7), lambda a, b, v, i: a.diagonal(7)),
    ("diagonal axes", lambda a, b, v, i: b.diagonal(-1, 2, 0), lambda a, b, v, i: b.diagonal(-1, 2, 0)),
    ("trace", lambda a, b, v, i: b.trace(), lambda a, b, v, i: b.trace()),
]  # fmt: skip


def test_reading() -> None:
    check_all(READ, [A, B, V, I])


def _written(x: Any, where: Any, y: Any, is_set: bool = True) -> Any:
    x = x.copy()
    if is_set:
        x[where] = y
    else:
        np.add.at(x, where, y)
    return x


WRITE: list[Case] = [
    ("set a scalar", lambda a, b, v, i: T.set_subtensor(a[a > 0], 7), lambda a, b, v, i: _written(a, a > 0, 7)),
    ("set by nonzero", lambda a, b, v, i: T.set_subtensor(a[(a > 0).nonzero()], v[0]),
     lambda a, b, v, i: _written(a, a > 0, v[0])),
    ("inc rows", lambda a, b, v, i: T.inc_subtensor(a[v > -1], a[0]),
     lambda a, b, v, i: _written(a, v > -1, a[0], False)),
    ("inc rows by a scalar", lambda a, b, v, i: a[v > -1].inc(v[0]),
     lambda a, b, v, i: _written(a, v > -1, v[0], False)),
    ("set values", lambda a, b, v, i: a[a > 5].set([9.0]), lambda a, b, v, i: _written(a, a > 5, 9)),
    ("set columns", lambda a, b, v, i: a[:, a[0] > -4].set(v.dimshuffle(0, "x")),
     lambda a, b, v, i: _written(a, (slice(None), a[0] > -4), v[:, None])),
    ("inc of a mixed index", lambda a, b, v, i: b[i, 1:, v > -2].inc(1),
     lambda a, b, v, i: _written(b, (i, slice(1, None), v > -2), 1, False)),
    ("repeated positions", lambda a, b, v, i: v[[0, 0, 1]].inc(a[0, :3]),
     lambda a, b, v, i: _written(v, [0, 0, 1], a[0, :3], False)),
    ("set a slice", lambda a, b, v, i: a[::-1, i[1]:].set(v[:, None]),
     lambda a, b, v, i: _written(a, (slice(None, None, -1), slice(1, None)), v[:, None])),
]  # fmt: skip


def test_writing() -> None:
    check_all(WRITE, [A, B[:, :, :3].copy(), V, I])


def names(v: Variable) -> list[str]:
    return [node.op.name for node in toposort([v])]


def test_one_value_for_all_places_of_a_mask_is_a_choice() -> None:
    x = T.tensor3()
    for part in (x[x > 0], x[(x > 0).nonzero()], x[x[:, :, 0] > 0], x[x[:, 0, 0] > 0]):
        assert "inc_take" not in names(T.set_subtensor(part, 0.0))
    mask = (x > 0).nonzero()
    for part in (x[mask[0], mask[1], mask[1]], x[mask[0], 0], x[:, x[0] > 0], x[::2][x[::2] > 0]):
        assert "inc_take" in names(T.inc_subtensor(part, 1.0)) or part.owner.inputs[0] is not x


@given(st.data())
def test_masks_mixed_with_all_else(data: st.DataObject) -> None:
    """A random index of masks, positions, ints, slices and newaxes."""
    shape = (3, 2, 4)
    x = np.arange(24.0).reshape(shape)
    flag = st.booleans()
    items: list[Any] = []
    count = data.draw(st.integers(0, 3))  # how many positions masks and arrays name
    axis = 0
    while axis < 3:
        n = shape[axis]
        kind = data.draw(st.sampled_from(["mask", "mask2", "array", "int", "slice", "stop"]))
        size = int(np.prod(shape[axis : axis + 2])) if kind == "mask2" and axis < 2 else n
        if kind.startswith("mask") and count <= size:
            mask = np.zeros(size, bool)
            mask[data.draw(st.permutations(range(size)))[:count]] = True
            items.append(mask.reshape(shape[axis : axis + 2]) if size != n else mask)
            axis += items[-1].ndim - 1
        elif kind == "array":
            items.append(np.array(data.draw(st.lists(st.integers(-n, n - 1), min_size=count, max_size=count)), int))
        elif kind == "int":
            items.append(data.draw(st.integers(-n, n - 1)))
        elif kind == "stop":
            break
        else:
            items.append(slice(data.draw(st.none() | st.integers(-n, n)), None, data.draw(st.sampled_from([1, -1, 2]))))
        axis += 1
    if data.draw(flag):
        items.insert(data.draw(st.integers(0, len(items))), None)
    index = tuple(items)
    want = x[index]
    v = T.tensor3()
    hidden, values = [], {v: x}
    for item in items:
        symbolic = T.TensorType(str(item.dtype), (None,) * item.ndim)() if isinstance(item, np.ndarray) else item
        hidden.append(symbolic)
        if isinstance(item, np.ndarray):
            values[symbolic] = item
    np.testing.assert_array_equal(evaluate(v[tuple(hidden)], values), want)
    np.testing.assert_array_equal(evaluate(v[index], values), want)
    np.testing.assert_array_equal(evaluate(v[tuple(hidden)].inc(1.0), values), _written(x, index, 1.0, False))


def test_masks_that_do_not_fit() -> None:
    x, v = T.matrix(), T.vector()
    f = tensordsl.function([x, v], x[v > 0])
    for length in (2, 4):
        with pytest.raises(IndexError, match=f"its axis 0 has length {length}, the axis of the tensor 3"):
            f(np.zeros((3, 4)), np.ones(length))
    with pytest.raises(IndexError, match="its axis 0 has length 2, the axis of the tensor 3"):
        T.TensorType("float64", (3,))()[np.array([True, False])]
    with pytest.raises(IndexError, match="too many indices: 3"):
        x[x > 0, 0]
    with pytest.raises(TypeError, match="not a bool"):
        x[True]
    with pytest.raises(TypeError, match="no positions"):
        T.nonzero(x[0, 0])


def test_choices_that_do_not_exist() -> None:
    i, v = T.lvector(), T.vector()
    f = tensordsl.function([i, v], T.choose(i, [v, v]))
    for wrong in (2, -1):
        with pytest.raises(ValueError, match="choose: a number in `a` is negative"):
            f([0, wrong], [1.0, 2.0])
    for bad in (lambda: T.choose(i, [v], mode="no"), lambda: T.take(v, i, mode="no")):
        with pytest.raises(ValueError, match="unknown mode"):
            bad()


def test_nothing_is_written_when_an_index_is_wrong() -> None:
    state = tensordsl.shared(np.zeros(3))
    x, i = T.vector(), T.lvector()
    for new in (T.set_subtensor(state[i], 1.0), state[x > 0].inc(T.ones((2,))), state + x[i]):
        f = tensordsl.function([x, i], [], updates=[(state, new)], on_unused_input="ignore")
        for vector, positions in ((np.ones(3), [0, 3, 1]), (np.ones(3), [-4, 0, 0])):
            with pytest.raises((IndexError, ValueError)):
                f(vector, positions)
            np.testing.assert_array_equal(state.get_value(), np.zeros(3))


def test_lengths_that_data_decide() -> None:
    """What depends on such a length: reductions, products, loops of them, shapes."""
    x = T.matrix("x")
    part = x[x[:, 0] > 0]
    outputs = [part.sum(axis=0), part.shape, T.dot(part, part.T), T.concatenate([part, part]), part.mean(), part[:-1]]
    f = tensordsl.function([x], outputs)
    for a in (A, -np.abs(A) - 1, A + 20, np.zeros((0, 4))):
        p = a[a[:, 0] > 0]
        with np.errstate(all="ignore"):
            want = [p.sum(0), p.shape, p @ p.T, np.concatenate([p, p]), p.sum() / np.float64(p.size), p[:-1]]
        for got, w in zip(f(a), want, strict=True):
            np.testing.assert_array_equal(got, w)


def test_lengths_computed_beside_updates() -> None:
    """An update in place waits for steps that lengths are computed in; groups do not measure themselves."""
    state = tensordsl.shared(np.full((1, 1), 2.0), broadcastable=(True, True))
    f = tensordsl.function([], T.alloc(1.0, T.constant(3) * 2), updates=[(state, state * state)])
    assert f().shape == (6,) and state.get_value() == 4
    x = T.TensorType("int64", (True, True))()
    part = x[T.neq(x, -2)]
    g = tensordsl.function([x], part[part <= 1])
    assert g([[1]]).tolist() == [1] and g([[-2]]).tolist() == [] and g([[5]]).tolist() == []


# -- masks without axes ----------------------------------------------------------------------------------------------
YES, NO_OR_YES = T.TensorType("bool", ())("yes"), T.TensorType("bool", ())("no_or_yes")
WITH_SCALAR_MASKS: dict[str, Callable[..., Any]] = {
    "alone": lambda x, b, c, i, m: x[b],
    "behind a slice": lambda x, b, c, i, m: x[1:, b, ::2],
    "behind an integer": lambda x, b, c, i, m: x[1, b],
    "behind a new axis": lambda x, b, c, i, m: x[None, b],
    "behind dots": lambda x, b, c, i, m: x[..., b],
    "two": lambda x, b, c, i, m: x[b, c],
    "two around a slice": lambda x, b, c, i, m: x[b, :, c],
    "beside integers": lambda x, b, c, i, m: x[i, b],
    "beside a mask": lambda x, b, c, i, m: x[m, b],
}


def shaped(compute: Callable[[], Any]) -> Any:
    try:
        found = compute()
    except IndexError:
        return IndexError
    return found.shape, found.tolist()


@pytest.mark.parametrize("mode", [None, "REFERENCE"])
@pytest.mark.parametrize("name", WITH_SCALAR_MASKS)
def test_masks_without_axes_pick_from_a_new_one(name: str, mode: Any) -> None:
    x, i, m, a = T.dmatrix("x"), T.lvector("i"), TensorType("bool", (None,))("m"), np.arange(12.0).reshape(3, 4)
    index = WITH_SCALAR_MASKS[name]
    part = index(x, YES, NO_OR_YES, i, m)
    variables = [x, YES, NO_OR_YES, i, m]
    f = tensordsl.function(variables, part, mode=mode, on_unused_input="ignore")
    both = [T.set_subtensor(part, 5.0), T.inc_subtensor(part, 5.0), T.grad((part * 3).sum(), x)]
    g = tensordsl.function(variables, both, mode=mode, on_unused_input="ignore")
    where = np.array([True, False, True])
    for b, c, k in itertools.product((True, False), (True, False), ([0, 2], [1], [])):
        given = np.bool_(b), np.bool_(c), np.array(k, "int64"), where
        wanted = shaped(lambda: index(a, *given))  # noqa: B023  # called at once
        assert shaped(lambda: f(a, *given)) == wanted  # noqa: B023
        if wanted is IndexError:
            continue
        places = index(np.arange(12).reshape(3, 4), *given).reshape(-1)
        new, more, slope = a.copy(), a.copy(), np.zeros((3, 4))
        new.flat[places] = 5.0
        np.add.at(more.reshape(-1), places, 5.0)
        np.add.at(slope.reshape(-1), places, 3.0)
        for found, want in zip(g(a, *given), (new, more, slope), strict=True):
            np.testing.assert_array_equal(found, want)
    for b in (np.True_, np.False_, np.array(True)):
        assert shaped(lambda: index(x, b, b, np.array([1]), where).eval({x: a})) == shaped(  # noqa: B023
            lambda: index(a, b, b, np.array([1]), where)  # noqa: B023
        )
