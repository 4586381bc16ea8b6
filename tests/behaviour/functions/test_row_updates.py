"""Updates of parts of a shared variable: where they are done in its own storage, and that nobody sees half of one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import tensordsl
import tensordsl.tensor as T


def table(rows: int = 50, width: int = 4, dtype: str = "float64") -> Any:
    return tensordsl.shared(np.arange(rows * width).reshape(rows, width).astype(dtype), name="table")


def place(shared: Any) -> int:
    return int(shared.get_value(borrow=True).ctypes.data)


def added(old: Any, index: Any, y: Any) -> Any:
    new = old.copy()
    np.add.at(new, index, y)
    return new


I, J, K = T.lvector("i"), T.lvector("j"), T.lscalar("k")
Y = T.matrix("y")
PARTS: dict[str, tuple[Callable[[Any], Any], list[Any], list[Any]]] = {
    # the part, its symbols, their values
    "rows": (lambda s: s[I], [I], [np.array([3, -1, 3])]),
    "points": (lambda s: s[I, J], [I, J], [np.array([3, -1, 3]), np.array([0, 1, 0])]),
    "columns": (lambda s: s[:, I], [I], [np.array([3, -1, 3])]),
    "a row": (lambda s: s[7], [], []),
    "a row known at run time": (lambda s: s[K], [K], [np.array(-3)]),
    "a slice": (lambda s: s[2:9:2, 1:], [], []),
    "a slice known at run time": (lambda s: s[K:], [K], [np.array(41)]),
    "a block known at run time": (lambda s: s[K : K + 5, 1], [K], [np.array(41)]),
}


@pytest.mark.parametrize("dtype", ["float64", "complex64", "complex128"])
@pytest.mark.parametrize("write", [T.set_subtensor, T.inc_subtensor], ids=["set", "inc"])
@pytest.mark.parametrize("name", PARTS)
def test_only_a_part_is_written_in_place(name: str, write: Any, dtype: str) -> None:
    part, symbols, values = PARTS[name]
    s = table(dtype=dtype)
    f = tensordsl.function(symbols, [], updates=[(s, write(part(s), 0.5))])
    oracle = tensordsl.function(symbols, write(part(s), 0.5), mode="REFERENCE")
    at = place(s)
    for _ in range(3):
        want = oracle(*values)
        f(*values)
        np.testing.assert_array_equal(s.get_value(), want)
        assert place(s) == at


def test_storage_that_somebody_holds_is_left_alone() -> None:
    s = table()
    f = tensordsl.function([I], [], updates=[(s, T.inc_subtensor(s[I], 1.0))])
    held = s.get_value(borrow=True)
    old = held.copy()
    f([1, 1])
    np.testing.assert_array_equal(held, old)
    np.testing.assert_array_equal(s.get_value(), added(old, [1, 1], 1.0))


def test_a_call_that_fails_changes_nothing() -> None:
    s, n = table(), tensordsl.shared(np.zeros(3), name="n")
    f = tensordsl.function([I, Y], s[I].sum(), updates=[(s, T.inc_subtensor(s[I], Y)), (n, n + 1)])
    old, at = s.get_value(), place(s)
    for index, y in (([0, 50], np.ones((2, 4))), ([-51], np.ones((1, 4))), ([0], np.ones((2, 4)))):
        with pytest.raises((IndexError, ValueError)):
            f(index, y)
        assert s.get_value().tobytes() == old.tobytes() and place(s) == at
        assert not n.get_value().any()


def test_a_long_call_that_lets_other_threads_run_writes_its_rows_in_place_too() -> None:
    s, w = table(2000, 64), tensordsl.shared(np.eye(64), name="w")
    x = s[I]
    cost = T.sum(T.dot(x, w) ** 2)
    gx, gw = T.grad(cost, [x, w])
    f = tensordsl.function([I], cost, updates=[(s, T.inc_subtensor(s[I], -1e-9 * gx)), (w, w - 1e-12 * gw)])
    index = np.arange(0, 2000, 3)
    at, old, weights = place(s), s.get_value(), w.get_value()
    got = f(index)
    scores = old[index] @ weights
    np.testing.assert_allclose(got, np.sum(scores**2))
    np.testing.assert_allclose(s.get_value(), added(old, index, -1e-9 * 2 * scores @ weights.T))
    np.testing.assert_allclose(w.get_value(), weights - 1e-12 * 2 * old[index].T @ scores)
    assert place(s) == at


def test_a_value_that_is_read_elsewhere_is_read_before_it_is_written() -> None:
    s, other = table(6, 2), tensordsl.shared(np.zeros((3, 2)), name="other")
    old = s.get_value()
    f = tensordsl.function(
        [I, J], [s[J], s.sum()], updates=[(s, T.set_subtensor(s[I], s[J])), (other, s[I] + other)]
    )  # fmt: skip
    rows, total = f([0, 1, 2], [2, 0, 1])
    np.testing.assert_array_equal(rows, old[[2, 0, 1]])
    assert total == old.sum()
    np.testing.assert_array_equal(s.get_value()[:3], old[[2, 0, 1]])
    np.testing.assert_array_equal(other.get_value(), old[:3])


def test_a_view_of_the_variable_may_be_what_is_written() -> None:
    s = table(4, 4)
    old = s.get_value()
    f = tensordsl.function([I], [], updates=[(s, T.inc_subtensor(s[I], s.T))])
    f([3, 2, 1, 0])
    np.testing.assert_array_equal(s.get_value(), added(old, [3, 2, 1, 0], old.T))


def test_updates_one_after_the_other_and_by_each_other() -> None:
    s, t = table(6, 2), tensordsl.shared(np.zeros((6, 2)), name="t")
    old = s.get_value()
    once = T.inc_subtensor(s[I], 1.0)
    f = tensordsl.function(
        [I, J], [], updates=[(s, T.inc_subtensor(once[J], 10.0)), (t, T.set_subtensor(t[J], once[I]))]
    )
    f([0, 0, 1], [1, 2, 3])
    first = added(old, [0, 0, 1], 1.0)
    np.testing.assert_array_equal(s.get_value(), added(first, [1, 2, 3], 10.0))
    np.testing.assert_array_equal(t.get_value()[[1, 2, 3]], first[[0, 0, 1]])


def test_exchanged_variables_and_the_same_value_twice() -> None:
    a, b = table(3, 2), tensordsl.shared(np.ones((3, 2)), name="b")
    x, y = a.get_value(), b.get_value()
    new = T.inc_subtensor(a[I], 1.0)
    f = tensordsl.function([I], new, updates=[(a, b), (b, new)])
    np.testing.assert_array_equal(f([0, 0]), added(x, [0, 0], 1.0))
    np.testing.assert_array_equal(a.get_value(), y)
    np.testing.assert_array_equal(b.get_value(), added(x, [0, 0], 1.0))


def test_rows_under_a_mask_or_found_at_run_time() -> None:
    s = table(6, 2)
    old = s.get_value()
    mask = T.vector("m") > 0
    f = tensordsl.function([mask.owner.inputs[0]], [], updates=[(s, T.inc_subtensor(s[mask], [1.0, 2.0]))])
    m = np.array([1.0, -1, 1, 0, 0, 1])
    f(m)
    np.testing.assert_array_equal(s.get_value(), added(old, m > 0, [1.0, 2.0]))


# -- several writes, and sums with what was written to zeros ----------------------------------------------------------
L = T.lvector("l")
Z = T.matrix("z")
RATE = T.scalar("rate")
SEVERAL: dict[str, Callable[[Any], Any]] = {
    "added twice": lambda s: T.inc_subtensor(T.inc_subtensor(s[I], Y)[J], Z),
    "added three times": lambda s: T.inc_subtensor(T.inc_subtensor(T.inc_subtensor(s[I], Y)[J], Z)[L], 2.0),
    "set twice": lambda s: T.set_subtensor(T.set_subtensor(s[I], Y)[J], Z),
    "set, then added": lambda s: T.inc_subtensor(T.set_subtensor(s[I], Y)[J], Z),
    "columns": lambda s: T.inc_subtensor(T.inc_subtensor(s[:, I % 4], RATE)[:, J % 4], 3.0),
    "points": lambda s: T.inc_subtensor(T.inc_subtensor(s[I, I % 4], Y[:, 0])[J, J % 4], Z[:, 1]),
    "of other ranks": lambda s: T.inc_subtensor(T.inc_subtensor(s[I], Y)[T.stack([J, J])], Z[None]),
    "a gradient": lambda s: s - RATE * T.grad((s[I] * Y).sum(), s),
    "a sum of gradients": lambda s: s - RATE * T.grad((s[I] * Y).sum() + (s[J] * Z).sum(), s),
    "a gradient with signs": lambda s: -(-0.5 * T.grad((s[I] * Y).sum(), s)) + s,
    "less the negative": lambda s: s - (-T.grad((s[I] * Y).sum(), s)) * 2,
}


@pytest.mark.parametrize("name", SEVERAL)
def test_several_writes_and_gradients_of_rows_change_these_rows_only(name: str) -> None:
    s = table()
    new = SEVERAL[name](s)
    symbols, ignore = [I, J, L, Y, Z, RATE], {"on_unused_input": "ignore"}
    f = tensordsl.function(symbols, [], updates=[(s, new)], **ignore)
    oracle = tensordsl.function(symbols, new, mode="REFERENCE", **ignore)
    random = np.random.default_rng(0)
    at = place(s)
    for indices in (([3, -1, 3], [3, 4], [4, 4, -1, 3]), ([], [0, -50], [1]), ([49], [], [])):
        values = [np.array(k, dtype="int64") for k in indices]
        values += [random.integers(-8, 8, (len(k), 4)).astype(float) for k in indices[:2]]
        want = oracle(*values, 0.25)
        f(*values, 0.25)
        np.testing.assert_array_equal(s.get_value(), want)
        assert place(s) == at
    if name != "set, then added":
        taken = [line for line in str(f.memory_map()).splitlines() if " arena " in line]
        assert not any("shared 0.shape[0]" in line for line in taken), "a whole table is stored"


@pytest.mark.parametrize("name", ["added twice", "a sum of gradients"])
def test_several_writes_of_which_one_fails_change_nothing(name: str) -> None:
    s = table()
    f = tensordsl.function([I, J, Y, Z, RATE], [], updates=[(s, SEVERAL[name](s))], on_unused_input="ignore")
    old = s.get_value()
    for i, j in (([0], [50]), ([-51], [0])):
        with pytest.raises(IndexError, match="out of bounds"):
            f(i, j, np.ones((1, 4)), np.ones((1, 4)), 1.0)
        np.testing.assert_array_equal(s.get_value(), old)


def test_a_write_that_somebody_else_reads_stays() -> None:
    s = table()
    first = T.inc_subtensor(s[I], 1.0)
    f = tensordsl.function([I, J], first.sum(axis=1), updates=[(s, T.inc_subtensor(first[J], 1.0))])
    old = s.get_value()
    np.testing.assert_array_equal(f([1, 1], [2]), added(old, [1, 1], 1.0).sum(axis=1))
    np.testing.assert_array_equal(s.get_value(), added(added(old, [1, 1], 1.0), [2], 1.0))


def test_a_gradient_that_is_also_a_result_is_whole() -> None:
    s = table()
    g = T.grad((s[I] * 2).sum(), s)
    f = tensordsl.function([I], [g, g.sum()], updates=[(s, s - 0.5 * g)])
    old = s.get_value()
    whole, total = f([4, 4])
    np.testing.assert_array_equal(whole, added(0 * old, [4, 4], 2.0))
    assert total == 16
    np.testing.assert_array_equal(s.get_value(), added(old, [4, 4], -1.0))
