"""Functions of neural networks: values, stability, how many passes over memory they take."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from vocabulary import Case, check_all

import tensordsl
import tensordsl.tensor as T
from tensordsl import grad
from tensordsl.tensor import nnet

X = np.array([[1.0, -2.0, 0.5], [800.0, 0.0, -800.0]])
Y = np.array([2, 0])


def softmax(x: Any) -> Any:
    e = np.exp(x - x.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def logsoftmax(x: Any) -> Any:
    c = x - x.max(-1, keepdims=True)
    return c - np.log(np.exp(c).sum(-1, keepdims=True))


def cross(x: Any, y: Any) -> Any:
    return -logsoftmax(x)[np.arange(len(x)), y]


def softplus(x: Any) -> Any:
    return np.logaddexp(x, 0)


CASES: list[Case] = [
    ("softmax", lambda x, y: nnet.softmax_graph(x), lambda x, y: softmax(x)),
    ("softmax of a vector", lambda x, y: nnet.softmax(x[0]), lambda x, y: softmax(x[:1])),
    ("logsoftmax", lambda x, y: nnet.logsoftmax(x), lambda x, y: logsoftmax(x)),
    ("log of softmax", lambda x, y: T.log(nnet.softmax(x[:1])), lambda x, y: logsoftmax(x[:1])),
    ("with bias", lambda x, y: nnet.softmax_with_bias(x, x[0]), lambda x, y: softmax(x + x[0])),
    ("integer targets", lambda x, y: nnet.categorical_crossentropy(nnet.softmax(x), y), lambda x, y: cross(x, y)),
    ("1hot", lambda x, y: nnet.crossentropy_softmax_1hot(x, y), lambda x, y: (cross(x, y), softmax(x))),
    ("1hot with bias", lambda x, y: nnet.crossentropy_softmax_1hot_with_bias(x, x[1], y),
     lambda x, y: (cross(x + x[1], y), softmax(x + x[1]))),
    ("max and argmax", lambda x, y: nnet.crossentropy_softmax_max_and_argmax_1hot_with_bias(x, x[0], y),
     lambda x, y: (cross(x + x[0], y), softmax(x + x[0]), softmax(x + x[0]).max(1), (x + x[0]).argmax(1))),
    ("argmax with bias", lambda x, y: nnet.crossentropy_softmax_argmax_1hot_with_bias(x, x[0], y),
     lambda x, y: (cross(x + x[0], y), softmax(x + x[0]), (x + x[0]).argmax(1))),
    ("dense targets", lambda x, y: nnet.categorical_crossentropy(nnet.softmax(x), T.ones_like(x) / 3),
     lambda x, y: -logsoftmax(x).mean(1)),
    ("binary", lambda x, y: nnet.binary_crossentropy(nnet.sigmoid(x), 0.25),
     lambda x, y: 0.25 * softplus(-x) + 0.75 * softplus(x)),
    ("sigmoid binary", lambda x, y: nnet.sigmoid_binary_crossentropy(x, 1), lambda x, y: softplus(-x)),
    ("hard_sigmoid", lambda x, y: nnet.hard_sigmoid(x), lambda x, y: np.clip(0.2 * x + 0.5, 0, 1)),
    ("ultra_fast_sigmoid", lambda x, y: nnet.ultra_fast_sigmoid([-9.0, -5.0, -1.0, 0.0, 1.0, 5.0, 9.0]),
     lambda x, y: [0.0024726232, 0.0139429468, 0.25, 0.5, 0.75, 0.9860570532, 0.9975273768]),
    ("softsign", lambda x, y: nnet.softsign(x), lambda x, y: x / (1 + abs(x))),
    ("relu", lambda x, y: nnet.relu(x), lambda x, y: np.maximum(x, 0)),
    ("leaky relu", lambda x, y: nnet.relu(x, 0.5), lambda x, y: np.where(x > 0, x, x / 2)),
    ("elu", lambda x, y: nnet.elu(x, 2), lambda x, y: np.where(x > 0, x, 2 * np.expm1(np.minimum(x, 0)))),
    ("selu", lambda x, y: nnet.selu(x),
     lambda x, y: 1.0507009873554805 * np.where(x > 0, x, 1.6732632423543772 * np.expm1(np.minimum(x, 0)))),
    ("logsigmoid", lambda x, y: nnet.logsigmoid(x), lambda x, y: -softplus(-x)),
    ("one hot", lambda x, y: T.extra_ops.to_one_hot(y, 3), lambda x, y: np.eye(3)[y]),
    ("confusion", lambda x, y: nnet.confusion_matrix(T.concatenate([y, y, [7]]), T.concatenate([y, [0, 0], [2]])),
     lambda x, y: ([[2, 0, 0], [1, 1, 0], [0, 1, 0]], [0, 2, 7])),
    ("prepend", lambda x, y: nnet.prepend_1_to_each_row(x), lambda x, y: np.insert(x, 0, 1, axis=1)),
    ("prepend 0", lambda x, y: nnet.prepend_0_to_each_row(x), lambda x, y: np.insert(x, 0, 0, axis=1)),
]  # fmt: skip


def test_values() -> None:
    check_all(CASES, [X, Y], rtol=1e-7)


def test_the_approximate_sigmoid_is_near() -> None:
    x = np.linspace(-9, 9, 200)
    np.testing.assert_allclose(nnet.ultra_fast_sigmoid(T.constant(x)).eval(), 1 / (1 + np.exp(-x)), atol=0.03)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_losses_and_gradients_of_extreme_scores_are_finite(dtype: str) -> None:
    x = T.matrix("x", dtype=dtype)
    y = T.lvector("y")
    targets = T.nnet.softmax(x * 0)
    losses = [
        nnet.categorical_crossentropy(nnet.softmax(x), y).mean(),
        nnet.categorical_crossentropy(nnet.softmax(x), targets).mean(),
        nnet.binary_crossentropy(nnet.sigmoid(x), targets).mean(),
        nnet.sigmoid_binary_crossentropy(x, targets).mean(),
        nnet.elu(x).mean(), nnet.selu(x).mean(), nnet.softplus(x).mean(), T.logsumexp(x, axis=1).mean(),
    ]  # fmt: skip
    results = tensordsl.function([x, y], [*losses, *(grad(loss, x) for loss in losses)])(X.astype(dtype), Y)
    for r in results:
        assert r.dtype == dtype and np.isfinite(r).all()


def test_hierarchical_softmax() -> None:
    rng = np.random.default_rng(1)
    x, w1, b1, w2, b2 = (rng.normal(size=s) for s in ((5, 4), (4, 3), (3,), (3, 4, 2), (3, 2)))
    every = nnet.h_softmax(x, 5, 6, 3, 2, w1, b1, w2, b2).eval()
    np.testing.assert_allclose(every.sum(1), 1)
    inside = softmax(np.einsum("nf,cfo->nco", x, w2) + b2)
    np.testing.assert_allclose(every, (softmax(x @ w1 + b1)[..., None] * inside).reshape(5, 6))
    target = np.array([0, 5, 3, 2, 1])
    np.testing.assert_allclose(
        nnet.h_softmax(x, 5, 6, 3, 2, w1, b1, w2, b2, target).eval(), every[np.arange(5), target]
    )


@pytest.mark.parametrize("axes", ["per-activation", "spatial", (0, 1), 2])
@pytest.mark.parametrize("full_rank", [True, False])
def test_batch_normalisation(axes: Any, full_rank: bool) -> None:
    rng = np.random.default_rng(2)
    x = rng.normal(size=(5, 3, 4)) * 3 + 1
    over = {"per-activation": (0,), "spatial": (0, 2), 2: (2,)}.get(axes, axes)
    kept = tuple(n for k, n in enumerate(x.shape) if k not in over)
    wide = tuple(1 if k in over else n for k, n in enumerate(x.shape))
    gamma, beta, mean, var = (rng.random(kept).reshape(wide) + 0.5 for _ in range(4))
    arguments = [p if full_rank else p.reshape(kept) for p in (gamma, beta, mean, var)]
    names = [T.TensorType("float64", tuple(1 if n == 1 else None for n in p.shape))() for p in arguments]
    v = T.tensor3()
    trained = nnet.batch_normalization_train(v, names[0], names[1], axes, 1e-3, 0.2, names[2], names[3])
    tested = nnet.batch_normalization_test(v, *names, axes, 1e-3)
    results = tensordsl.function([v, *names], [*trained, tested])(x, *arguments)
    m, s = x.mean(over, keepdims=True), x.var(over, keepdims=True)
    n = x.size / m.size
    wanted = [
        (x - m) / np.sqrt(s + 1e-3) * gamma + beta, m, 1 / np.sqrt(s + 1e-3),
        0.8 * mean + 0.2 * m, 0.8 * var + 0.2 * s * n / (n - 1), (x - mean) / np.sqrt(var + 1e-3) * gamma + beta,
    ]  # fmt: skip
    for got, want in zip(results, wanted, strict=True):
        np.testing.assert_allclose(got, want if want.shape == x.shape or full_rank else want.reshape(kept), rtol=1e-10)


def test_batch_normalisation_keeps_float32_and_refuses_wrong_arguments() -> None:
    x, g = T.fmatrix(), T.fvector()
    assert {v.dtype for v in nnet.batch_normalization_train(x, g, g, running_mean=g, running_var=g)} == {"float32"}
    assert nnet.batch_normalization_test(x, g, g, g, g).dtype == "float32"
    assert nnet.bn.batch_normalization(x, g, g, g, g).dtype == "float32"
    for wrong in (
        lambda: nnet.batch_normalization_train(x, g, g, running_mean=g),
        lambda: nnet.batch_normalization_train(x, g, g, axes="all"),
        lambda: nnet.batch_normalization_train(x, g, T.ftensor3()),
        lambda: nnet.batch_normalization_train(x, g, g, axes=()),
        lambda: nnet.batch_normalization(x, g, g, g, g, mode="no"),
    ):
        with pytest.raises(ValueError, match="batch_normalization"):
            wrong()


WHOLE_NUMBERS: dict[str, Any] = {
    "logsumexp": lambda x, y: T.logsumexp(x, axis=1), "logaddexp": T.logaddexp, "logsigmoid": lambda x, y: nnet.logsigmoid(x),
    "sigmoid binary": nnet.sigmoid_binary_crossentropy, "with bias": lambda x, y: nnet.softmax_with_bias(x, y[0]),
    "1hot with bias": lambda x, y: nnet.crossentropy_softmax_1hot_with_bias(x, y[0], [0, 2])[0],
    "softmax": lambda x, y: nnet.softmax(x), "leaky relu": lambda x, y: nnet.relu(x, 0.25),
    "softsign": lambda x, y: nnet.softsign(x), "norm": lambda x, y: T.norm(x, 2), "norm 1": lambda x, y: T.norm(x, 1),
    "norm 3": lambda x, y: T.norm(x, 3, axis=0), "norm inf": lambda x, y: T.norm(x, np.inf),
}  # fmt: skip


@pytest.mark.parametrize("dtype", ["bool", "int8", "uint8", "uint32", "int64"])
def test_whole_numbers_do_not_wrap_on_their_way_to_a_float(dtype: str) -> None:
    """What is subtracted, negated or squared inside a function is a float by then."""
    signed = np.array([[100, -3, -128], [7, 0, 40]]), np.array([[90, 100, -100], [-128, 1, 2]])
    x, y = (abs(v).astype(dtype) if dtype[0] in "bu" else v.astype(dtype) for v in signed)
    exact = {"logaddexp": np.logaddexp(x.astype(float), y), "norm": np.linalg.norm(x.astype(float))}
    inputs = [T.TensorType(dtype, (False, False))() for _ in (x, y)]
    floats = [T.cast(v, "float64") for v in inputs]
    pairs = [v for f in WHOLE_NUMBERS.values() for v in (f(*inputs), f(*floats))]
    results = tensordsl.function(inputs, pairs)(x, y)
    for name, got, want in zip(WHOLE_NUMBERS, results[::2], results[1::2], strict=True):
        np.testing.assert_allclose(got, want, rtol=1e-5, atol=1e-30, err_msg=name)
        if name in exact:
            np.testing.assert_allclose(want, exact[name], rtol=1e-12, err_msg=name)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("axis", [0, 1])
def test_parts_of_a_sum_by_its_inverse_are_quotients(dtype: str, axis: int) -> None:
    """Softmax divides by the inverse of the sum and corrects that: as exact as a division."""
    x = T.TensorType(dtype, (None, None))("x")
    e = T.exp(x - x.max(axis, keepdims=True))
    f = tensordsl.function([x], [e, e.sum(axis, keepdims=True), e / e.sum(axis, keepdims=True)])
    assert "share" in tensordsl.function([x], T.nnet.softmax(x, axis)).mlir("tensordsl")
    rng = np.random.default_rng(1)
    rows = [[0.0, -np.inf, -700.0, -745.0], [np.inf, 1, 2, 3], [-np.inf] * 4, [np.nan, 1, 2, 3], [1e30, -1e30, 0, 0]]
    for value in (rng.standard_normal((50, 77)) * 30, rng.standard_normal((300, 3)), np.array(rows), np.array(rows).T):
        parts, whole, shares = f(value.astype(dtype))
        with np.errstate(all="ignore"):
            expected = parts / whole
        np.testing.assert_array_max_ulp(*(np.nan_to_num(v, nan=7) for v in (shares, expected)), maxulp=1)
        np.testing.assert_array_equal(np.isnan(shares), np.isnan(expected))
        assert (shares == expected)[~np.isnan(expected)].mean() > 0.99


def test_exponentials_that_sum_to_infinity_have_no_share() -> None:
    x = T.dmatrix("x")
    f = tensordsl.function([x], T.exp(x) / T.exp(x).sum(1, keepdims=True))
    np.testing.assert_array_equal(f([[np.inf, 1, 2], [-np.inf] * 3]), [[np.nan, 0, 0], [np.nan] * 3])


@pytest.mark.parametrize("sum_axis", [None, 0])
def test_a_sum_over_other_axes_than_the_maximum_is_divided_by(sum_axis: int | None) -> None:
    """It may be subnormal.  Quotients that are may err by one unit."""
    x = T.dmatrix("x")
    e = T.exp(x - x.max())
    f = tensordsl.function([x], e / e.sum(sum_axis, keepdims=True))
    value = np.array([[0.0, -708, -745], [-1, -745, -744]])
    e_value = np.exp(value)
    expected = e_value / e_value.sum(sum_axis, keepdims=True)
    np.testing.assert_allclose(f(value), expected, rtol=1e-14, atol=5e-324)


def test_a_maximum_that_a_cast_rounds_leaves_a_division() -> None:
    """The sum may be subnormal then, and has no inverse."""
    x = T.dmatrix("x")
    rounded = T.cast(T.cast(x.max(1, keepdims=True), "float32"), "float64")
    e = T.exp(x - rounded)
    f = tensordsl.function([x], e / e.sum(1, keepdims=True))
    np.testing.assert_array_equal(f([[99999997952.0 + 8192 - 740]]), [[1.0]])


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_two_results_of_softmax_in_one_loop_have_the_right_ends_of_rows(dtype: str) -> None:
    """One of them holds the exponentials until rows are divided; the last vector of a row is done again."""
    x = T.matrix(dtype=dtype)
    y = T.nnet.softmax(x)
    f = tensordsl.function([x], [-y, 2 * y])
    for rows in (1, 2, 3, 5, 17):
        for n in (1, 2, 3, 5, 7, 8, 9, 15, 16, 17, 31, 33, 65, 200):
            values = (np.arange(rows * n, dtype=dtype).reshape(rows, n) * 7) % 5
            exponentials = np.exp(values - 4)
            wanted = exponentials / exponentials.sum(1, keepdims=True)
            negative, double = f(values)
            np.testing.assert_allclose(-negative, wanted, rtol=1e-5)
            np.testing.assert_allclose(double / 2, wanted, rtol=1e-5)
