"""Values and gradients at the points where a formula has an edge: as Theano 1.0.5 gives them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import tensordsl.tensor as T
from tensordsl.function import function
from tensordsl.gradient import grad
from tensordsl.tensor.xlogx import xlogx, xlogy0

inf, nan = np.inf, np.nan
MODES = ["FAST_RUN", "REFERENCE"]


def slopes(cost: Any, wrt: Any, inputs: Any, mode: str, *values: Any) -> Any:
    with np.errstate(all="ignore"):
        return function(inputs, grad(cost.sum(), wrt), mode=mode, on_unused_input="ignore")(*values)


# -- clip ------------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("dtype", ["float64", "float32", "int64", "int8", "uint8"])
def test_clip_between_bounds_that_crossed(dtype: str, mode: str) -> None:
    """The lower bound for what is below it, else the upper one."""
    x, low, high = T.vector("x", dtype=dtype), T.scalar("low", dtype=dtype), T.vector("high", dtype=dtype)
    numbers, bounds = ([0, 4, 6], (5, 3)) if dtype == "uint8" else ([-3, 0, 2], (1, -1))
    wanted = [bounds[0], bounds[0], bounds[1]]
    constant = function([x], T.clip(x, *bounds), mode=mode)(np.array(numbers, dtype))
    given = function([x, low, high], T.clip(x, low, high), mode=mode)
    np.testing.assert_array_equal(constant, wanted)
    np.testing.assert_array_equal(given(np.array(numbers, dtype), bounds[0], np.full(3, bounds[1], dtype)), wanted)


@pytest.mark.parametrize("mode", MODES)
def test_the_gradient_of_clip_goes_to_what_was_chosen(mode: str) -> None:
    x, low, high = T.dvector("x"), T.dscalar("low"), T.dscalar("high")
    values = [-3.0, -1.0, 0.0, 1.0, 2.0, nan]
    inside, below, above = slopes(T.clip(x, low, high), [x, low, high], [x, low, high], mode, values, -1.0, 1.0)
    np.testing.assert_array_equal(inside, [0, 1, 1, 1, 0, 0])
    assert (below, above) == (1, 1)
    inside, below, above = slopes(
        T.clip(x, low, high), [x, low, high], [x, low, high], mode, [-3.0, 0.0, 2.0], 1.0, -1.0
    )
    np.testing.assert_array_equal(inside, [0, 0, 0])
    assert (below, above) == (2, 1)


@pytest.mark.parametrize("mode", MODES)
def test_clip_between_itself_and_a_number(mode: str) -> None:
    x = T.dvector("x")
    at = [-1.0, 0.0, 2.0]
    for clipped, values, gradients in (
        (T.clip(x, 0, x), [0, 0, 2], [0, 1, 1]),
        (T.clip(x, x, 0), [-1, 0, 0], [1, 1, 0]),
    ):
        np.testing.assert_array_equal(function([x], clipped, mode=mode)(at), values)
        np.testing.assert_array_equal(slopes(clipped, x, [x], mode, at), gradients)


def test_a_bound_that_is_nan_gives_nan() -> None:
    x, low, high = T.dvectors("x", "low", "high")
    result = function([x, low, high], T.clip(x, low, high))(
        [1.0, 1.0, nan, 1.0], [nan, 0.0, 0.0, 2.0], [2.0, nan, 2.0, nan]
    )
    np.testing.assert_array_equal(result, [nan] * 4)


# -- products with logarithms ----------------------------------------------------------------------------------------
@pytest.mark.parametrize("mode", MODES)
def test_products_with_logarithms(mode: str) -> None:
    x, y = T.dvectors("x", "y")
    at = [0.0, 1.0, -1.0, inf]
    for cost in (xlogx(x), xlogy0(x, x)):
        np.testing.assert_array_equal(slopes(cost, x, [x], mode, at), [-inf, 1, nan, inf])
        with np.errstate(all="ignore"):
            np.testing.assert_array_equal(function([x], cost, mode=mode)(at), [0, 0, nan, inf])
    a, b = [0.0, 0.0, 0.0, 2.0, 2.0], [0.0, 1.0, -1.0, 0.0, 1.0]
    by_x, by_y = slopes(xlogy0(x, y), [x, y], [x, y], mode, a, b)
    np.testing.assert_array_equal(by_x, [-inf, 0, nan, -inf, 0])
    np.testing.assert_array_equal(by_y, [0, 0, 0, inf, 2])
    with np.errstate(all="ignore"):
        np.testing.assert_array_equal(function([x, y], xlogy0(x, y), mode=mode)(a, b), [0, 0, 0, -inf, 0])


def test_second_gradients_of_products_with_logarithms() -> None:
    x, y = T.dvectors("x", "y")
    at = [0.0, 0.0, 3.0], [-2.0, 4.0, 4.0]
    for first, second in ((x, y), (y, x)):
        mixed = slopes(grad(xlogy0(x, y).sum(), first), second, [x, y], "FAST_RUN", *at)
        np.testing.assert_array_equal(mixed, [-0.5, 0.25, 0.25])


def test_products_with_logarithms_of_other_dtypes() -> None:
    z, i, x = T.zvector("z"), T.ivector("i"), T.fvector("x")
    np.testing.assert_allclose(xlogy0(z, 2).eval({z: [1j, 0, 2]}), [1j * np.log(2), 0, 2 * np.log(2)], rtol=1e-6)
    assert xlogx(i).dtype == "float64" and xlogx(x).dtype == "float32" and xlogy0(i, x).dtype == "float64"
    np.testing.assert_array_equal(xlogx(i).eval({i: [0, 1]}), [0, 0])


# -- losses ----------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("loss", [T.nnet.categorical_crossentropy, T.nnet.crossentropy_categorical_1hot])
def test_crossentropy_of_probabilities_that_are_zero(loss: Any, mode: str) -> None:
    """Only what was picked has a gradient."""
    p, y = T.dmatrix("p"), T.ivector("y")
    at = np.array([[0.0, 1.0, 0.0], [0.25, 0.0, 0.75]])
    np.testing.assert_array_equal(slopes(loss(p, y), p, [p, y], mode, at, [1, 0]), [[0, -1, 0], [-4, 0, 0]])
    np.testing.assert_array_equal(slopes(loss(p, y), p, [p, y], mode, at, [0, 0]), [[-inf, 0, 0], [-4, 0, 0]])


@pytest.mark.parametrize("probability", [T.nnet.sigmoid, T.exp, T.nnet.softmax])
def test_crossentropy_of_a_stable_logarithm(probability: Any) -> None:
    z, y = T.dmatrix("z"), T.ivector("y")
    cost = T.nnet.categorical_crossentropy(probability(z), y)
    loss, slope = function([z, y], [cost, grad(cost.sum(), z)])([[-800.0, 0.0], [1.0, -900.0]], [0, 1])
    np.testing.assert_allclose(loss, [800, 900 + (probability is T.nnet.softmax)])
    np.testing.assert_allclose(slope, [[-1, 1], [1, -1]] if probability is T.nnet.softmax else [[-1, 0], [0, -1]])


# -- activations -----------------------------------------------------------------------------------------------------
def test_a_net_of_zero_weights_trains_through_ultra_fast_sigmoid() -> None:
    """s (1 - s), as in Theano where its rewrite replaces `sigmoid`; by itself it has no gradient there."""
    x = T.dvector("x")
    slope = slopes(T.nnet.ultra_fast_sigmoid(x), x, [x], "FAST_RUN", [0.0, 1.0, -1.0, 10.0])
    np.testing.assert_allclose(slope, [0.25, 0.1875, 0.1875, 0.0024665093])


def test_nan_passes_through_the_gradients_of_elu() -> None:
    x = T.dvector("x")
    at = [-inf, -1.0, 0.0, 1.0, 1000.0, inf, nan]
    np.testing.assert_allclose(slopes(T.nnet.elu(x), x, [x], "FAST_RUN", at), [0, np.exp(-1), 1, 1, 1, 1, nan])
    rows, alpha = T.drow("x"), T.dmatrix("alpha")
    cost = T.nnet.elu(rows, alpha)
    slope = slopes(cost, rows, [rows, alpha], "FAST_RUN", [[-1.0, 1000.0]], [[1.0, 2.0], [3.0, 4.0]])
    np.testing.assert_allclose(slope, [[4 * np.exp(-1), 2]])


def test_the_angle_of_a_real_number_does_not_turn() -> None:
    x = T.dvector("x")
    np.testing.assert_array_equal(slopes(T.angle(x), x, [x], "FAST_RUN", [-1.0, -0.0, 0.0, 2.0, nan]), np.zeros(5))


def test_each_of_several_largest_elements_has_the_whole_gradient() -> None:
    x, v = T.dscalar("x"), T.dvector("v")
    assert float(grad(T.alloc(x, 3, 2).max(), x).eval({x: 1.0})) == 6
    np.testing.assert_array_equal(slopes(v.max(), v, [v], "FAST_RUN", [2.0, 1.0, 2.0]), [1, 0, 1])
    np.testing.assert_array_equal(slopes(v.min(), v, [v], "FAST_RUN", [2.0, 1.0, 1.0]), [0, 1, 1])
