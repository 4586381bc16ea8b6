"""Of several values that `set_subtensor` writes to one place the last stays, and it alone has a derivative."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import tensordsl.tensor as T
from tensordsl.function import function
from tensordsl.gradient import Rop, grad
from tensordsl.graph import toposort

VALUES = np.arange(24.0).reshape(2, 3, 4)
# what is written to, by which indices; positions that occur more than once, of either sign
PARTS: dict[str, tuple[Any, list[Any]]] = {
    "x[i]": (lambda x, i: x[i], [[1, -1, 1, 0]]),
    "x[:, i]": (lambda x, i: x[:, i], [[0, 2, -1, 0]]),
    "x[i, :, j]": (lambda x, i, j: x[i, :, j], [[0, 1, 0, -2], [3, 1, -1, 3]]),
    "x[:, i, j]": (lambda x, i, j: x[:, i, j], [[0, 1, 0], [3, 1, -1]]),
    "x[i[:, None], j]": (lambda x, i, j: x[i[:, None], j], [[0, -2], [2, 0, 2]]),
    "x[0, i]": (lambda x, i: x[0, i], [[2, 2]]),
}


@pytest.mark.parametrize("mode", ["FAST_RUN", "REFERENCE"])
@pytest.mark.parametrize("is_constant", [False, True])
@pytest.mark.parametrize("name", PARTS)
def test_values_that_are_overwritten_have_no_part_in_the_gradient(name: str, is_constant: bool, mode: str) -> None:
    part, positions = PARTS[name]
    x, s, weights = T.tensor3("x"), T.scalar("s"), T.tensor3("weights")
    indices: list[Any] = [np.array(p) if is_constant else T.lvector() for p in positions]
    written = part(VALUES, *map(np.array, positions))
    y = T.tensor(dtype="float64", shape=(None,) * written.ndim)
    inputs = [] if is_constant else indices
    g = np.random.default_rng(0).normal(size=VALUES.shape)
    cost = (T.set_subtensor(part(x, *indices), y) * weights).sum()
    whole = (T.set_subtensor(part(x, *indices), s) * weights).sum()
    f = function([x, y, s, weights, *inputs], [*grad(cost, [x, y]), grad(whole, s)], mode=mode)
    dx, dy, ds = f(VALUES, written, 0.0, g, *([] if is_constant else positions))

    targets = part(np.arange(VALUES.size).reshape(VALUES.shape), *map(np.array, positions)).reshape(-1)
    stays = [target not in targets[k + 1 :] for k, target in enumerate(targets)]
    np.testing.assert_array_equal(dy.reshape(-1), np.where(stays, g.reshape(-1)[targets], 0))
    np.testing.assert_allclose(ds, g.reshape(-1)[np.unique(targets)].sum(), rtol=1e-13)
    np.testing.assert_array_equal(dx.reshape(-1), np.where(np.isin(np.arange(VALUES.size), targets), 0, g.reshape(-1)))


def test_the_product_of_the_jacobian_with_a_vector_too() -> None:
    y, v, i = T.vector("y"), T.vector("v"), T.lvector("i")
    product = Rop(T.set_subtensor(T.zeros((3,))[i], y), y, v)
    assert function([y, v, i], product)([1, 1, 1], [1, 10, 100], [2, 0, 2]).tolist() == [10, 0, 100]


def test_positions_that_differ_for_sure_are_not_compared() -> None:
    x, y = T.vectors("x", "y")
    for index in (np.array([2, 0]), T.arange(y.shape[0]), x > 0, (x > 0).nonzero(), T.lscalar("i")):
        value = y if not getattr(index, "ndim", 1) == 0 else y[0]
        g = grad(T.set_subtensor(x[index], value).sum(), y)
        assert not any(node.op.name == "eq" for node in toposort([g]))


@pytest.mark.parametrize("mode", [None, "REFERENCE"])
@pytest.mark.parametrize("counts_up", [False, True])
def test_of_positions_that_stretch_in_a_call_the_last_ones_count(counts_up: bool, mode: Any) -> None:
    x, v, i, j = T.dmatrix("x"), T.dvector("v"), T.lvector("i"), T.lvector("j")
    rows = T.arange(i.shape[0]) if counts_up else i
    weights = np.arange(1.0, 13).reshape(3, 4)
    f = function([x, v, i, j], T.grad((T.set_subtensor(x[rows, j], v) * weights).sum(), [x, v]), mode=mode)
    for one, other, n in (
        ([0, 1, 2], [1, 1, 1], 3),
        ([0], [1, 1], 2),
        ([0], [1, 2, 1], 1),
        ([0, 1], [2], 1),
        ([], [1], 1),
    ):
        places = np.ravel_multi_index(np.broadcast_arrays(np.array(one, int), np.array(other, int)), (3, 4))
        wanted, slope = weights.copy(), np.zeros(n)
        wanted.flat[places] = 0
        for place in set(places.tolist()):
            last = np.flatnonzero(places == place)[-1]
            slope[last if n > 1 else 0] += weights.flat[place]
        dx, dv = f(np.zeros((3, 4)), np.zeros(n), np.array(one, int), np.array(other, int))
        np.testing.assert_array_equal(dx, wanted)
        np.testing.assert_array_equal(dv, slope)
