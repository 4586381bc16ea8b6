"""Programs with state that were refused or computed wrongly once; random ones (`tools.strangers.state`) found them."""

from typing import Any

import numpy as np

import tensordsl
import tensordsl.tensor as T


def test_a_given_that_is_an_input_with_an_update() -> None:
    """What takes a variable's place is computed from the function's own state."""
    x, y, z = T.dvectors("x", "y", "z")
    total = tensordsl.In(x, value=np.array([1.0, 2.0]), update=x + y)
    f = tensordsl.function([y, total], [z, z * y], givens=[(z, x * 2)])
    for old in ([1.0, 2.0], [2.0, 3.0], [3.0, 4.0]):
        np.testing.assert_array_equal(f([1.0, 1.0])[0], 2 * np.array(old))
    alone = tensordsl.function([tensordsl.In(x, value=[5.0], update=-x)], z, givens={z: x})
    assert [alone().tolist() for _ in range(3)] == [[5.0], [-5.0], [5.0]]


def test_a_given_that_is_an_input_with_an_owner() -> None:
    x, z = T.dvectors("x", "z")
    doubled = x * 2
    f = tensordsl.function([doubled], z + doubled, givens={z: T.exp(doubled)})
    np.testing.assert_array_equal(f([0.0, 0.0]), [1.0, 1.0])


def test_a_number_written_where_a_mask_of_another_length_is_true() -> None:
    """Positions are positions, whatever mask they come from: they need be in range alone."""
    s = tensordsl.shared(np.arange(4.0), "s")
    m, n = T.bvector("m"), T.bmatrix("n")
    updates = [(s, T.inc_subtensor(T.set_subtensor(s[T.nonzero(m)[0]], 5.0)[(n > 0).nonzero()[1]], 1.0))]
    f = tensordsl.function([m, n], [], updates=updates)
    f([0, 1], [[0, 0, 0], [0, 0, 1]])
    np.testing.assert_array_equal(s.get_value(), [0.0, 5.0, 3.0, 3.0])
    try:
        f([0, 0, 0, 0, 1], [[0]])
    except IndexError:
        np.testing.assert_array_equal(s.get_value(), [0.0, 5.0, 3.0, 3.0])
    else:
        raise AssertionError("position 4 is out of range")


def test_additions_at_positions_that_become_a_part_of_something() -> None:
    """They were written as if the part lay in C order: beside it, and beyond the end of the whole."""
    s, t = tensordsl.shared(np.array([1.0, -1.0, 0.0]), "s"), tensordsl.shared(np.zeros((2, 6)), "t")
    i = T.lvector("i")
    added = T.inc_subtensor(s[i], 4.0)
    rows = T.inc_subtensor(t[:, :3][i % 2], s)
    outputs = [
        T.set_subtensor(T.zeros_like(s)[::-1], added),
        T.set_subtensor(t[0, ::-2], added + 0),
        T.set_subtensor(t[1, ::-2], T.inc_subtensor((s + 1)[i], s[i])),
        T.concatenate([T.inc_subtensor(t[i % 2, :3], 1.0), t], axis=1),
        T.stack([s, T.inc_subtensor((2 * s)[i], 1.0)], axis=1),
        T.set_subtensor(t[:, ::-2], rows),
    ]
    f = tensordsl.function([i], outputs, updates=[(s, outputs[0])])
    old, table, at = np.array([1.0, -1.0, 0.0]), np.zeros((2, 6)), np.array([0, 2, 0])
    results = f(at)

    def with_added(x: np.ndarray, y: float | np.ndarray, places: Any = at) -> np.ndarray:
        x = x.copy()
        np.add.at(x, places, y)
        return x

    def with_set(x: np.ndarray, index: Any, y: np.ndarray) -> np.ndarray:
        x = x.copy()
        x[index] = y
        return x

    wanted = [
        with_added(old, 4.0)[::-1],
        with_set(table, (0, slice(None, None, -2)), with_added(old, 4.0)),
        with_set(table, (1, slice(None, None, -2)), with_added(old + 1, old[at])),
        np.concatenate([with_added(table, 1.0, (at % 2, slice(3))), table], axis=1),
        np.stack([old, with_added(2 * old, 1.0)], axis=1),
        with_set(table, (slice(None), slice(None, None, -2)), with_added(table[:, :3], old, at % 2)),
    ]
    for result, right in zip(results, wanted, strict=True):
        np.testing.assert_array_equal(result, right)
    np.testing.assert_array_equal(s.get_value(), wanted[0])


def test_an_index_that_is_a_view_is_checked_before_state_is_written() -> None:
    s, x = tensordsl.shared(np.array([2.0, 3.0]), "s"), T.lmatrix("x")
    at = T.arange(s[np.array([0])].shape[0])[-1]
    f = tensordsl.function([], [], updates=[(s, T.inc_subtensor(s[at], 1.0))])
    f()
    np.testing.assert_array_equal(s.get_value(), [3.0, 3.0])
    g = tensordsl.function([x], [], updates=[(s, T.inc_subtensor(s[(x + x)[1:, 0].dimshuffle(0)[0]], 1.0))])
    g([[0], [0]])
    np.testing.assert_array_equal(s.get_value(), [4.0, 3.0])
    try:
        g([[0], [1]])
    except IndexError:
        np.testing.assert_array_equal(s.get_value(), [4.0, 3.0])
    else:
        raise AssertionError("position 2 is out of range")
