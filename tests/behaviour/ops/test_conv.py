"""Convolutions against a loop over every element, SciPy and differences; their gradients, shapes and errors."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest

import tensordsl
import tensordsl.tensor as T
from tensordsl.graph.types import TensorType
from tensordsl.graph.variables import apply
from tensordsl.ops.table import OPS
from tensordsl.tensor.nnet import abstract_conv

TOLERANCE = {"float64": 1e-12, "float32": 1e-4, "complex128": 1e-12, "complex64": 1e-4, "int32": 0, "float16": 5e-2}


def padding_of(mode: Any, kernel: tuple[int, ...], dilation: tuple[int, ...]) -> list[tuple[int, int]]:
    if mode == "valid":
        return [(0, 0)] * len(kernel)
    reach = [(k - 1) * d + 1 for k, d in zip(kernel, dilation, strict=True)]
    if mode == "half":
        return [(r // 2, r // 2) for r in reach]
    return [(r - 1, r - 1) for r in reach] if mode == "full" else list(mode)


def terms(x: Any, w: Any, at: dict[str, Any]) -> Any:
    """(place of y, place of x, place of w) of every product that is no product with padding."""
    kernel, lengths = w.shape[2:], x.shape[2:]
    around = padding_of(at["padding"], kernel, at["dilation"])
    found = [
        (n + before + behind - ((k - 1) * d + 1)) // s + 1
        for n, (before, behind), k, d, s in zip(lengths, around, kernel, at["dilation"], at["strides"], strict=True)
    ]
    of_group, outputs = w.shape[1], w.shape[0] // at["groups"]
    every = []
    for n, o, c in itertools.product(*map(range, (x.shape[0], w.shape[0], of_group))):
        for q, k in itertools.product(np.ndindex(*found), np.ndindex(*kernel)):
            taps = [m - 1 - i if at["flip"] else i for m, i in zip(kernel, k, strict=True)]
            place = [
                a * s + t * d - before
                for a, s, t, d, (before, _) in zip(q, at["strides"], taps, at["dilation"], around, strict=True)
            ]
            if all(0 <= p < length for p, length in zip(place, lengths, strict=True)):
                every.append(((n, o, *q), (n, o // outputs * of_group + c, *place), (o, c, *k)))
    return (x.shape[0], w.shape[0], *found), every


def drawn(rng: Any) -> tuple[dict[str, Any], tuple[int, ...], tuple[int, ...]]:
    rank, groups = int(rng.integers(1, 4)), int(rng.choice([1, 1, 2, 3]))
    kernel = tuple(int(n) for n in rng.integers(1, 4 if rank < 3 else 3, rank))
    lengths = tuple(int(n) for n in rng.integers(5, 8 if rank < 3 else 6, rank))
    pairs = tuple((int(a), int(b)) for a, b in rng.integers(0, 3, (rank, 2)))
    at = {
        "strides": tuple(int(n) for n in rng.integers(1, 4, rank)),
        "dilation": tuple(int(n) for n in rng.integers(1, 3, rank)),
        "padding": ("valid", "half", "full", pairs)[rng.integers(4)], "groups": groups, "flip": bool(rng.integers(2)),
    }  # fmt: skip
    of_group = int(rng.integers(1, 3))
    return (
        at,
        (int(rng.integers(1, 3)), groups * of_group, *lengths),
        (groups * int(rng.integers(1, 3)), of_group, *kernel),
    )


def numbers(rng: Any, shape: tuple[int, ...], dtype: str) -> Any:
    if dtype == "int32":
        return rng.integers(-5, 6, shape).astype(dtype)
    found = rng.normal(size=shape)
    return (found + 1j * rng.normal(size=shape) if dtype.startswith("complex") else found).astype(dtype)


@pytest.mark.parametrize("seed", range(24))
def test_random_geometries_against_a_loop_over_every_product(seed: int) -> None:
    rng = np.random.default_rng(seed)
    at, x_shape, w_shape = drawn(rng)
    dtype = sorted(TOLERANCE)[seed % len(TOLERANCE)]
    x, w = numbers(rng, x_shape, dtype), numbers(rng, w_shape, dtype)
    shape, every = terms(x, w, at)
    g = numbers(rng, shape, dtype)
    wide = np.result_type(dtype, "float64") if dtype != "int32" else dtype
    wanted = [np.zeros(s, wide) for s in (shape, x_shape, w_shape)]
    for at_y, at_x, at_w in every:
        wanted[0][at_y] += np.multiply(x[at_x], w[at_w], dtype=wide)
        wanted[1][at_x] += np.multiply(g[at_y], w[at_w], dtype=wide)
        wanted[2][at_w] += np.multiply(g[at_y], x[at_x], dtype=wide)
    known = bool(seed % 2)
    x_, w_, g_ = (TensorType(dtype, v.shape if known else (None,) * v.ndim)() for v in (x, w, g))
    outputs = [
        apply(OPS["conv"], x_, w_, **at),
        apply(OPS["conv_inputs"], w_, g_, *(T.shape_i(x_, k) for k in range(2, x.ndim)), **at),
        apply(OPS["conv_weights"], x_, g_, *(T.shape_i(w_, k) for k in range(2, x.ndim)), **at),
    ]
    mode = "DebugMode" if seed % 4 == 0 and dtype != "float16" else None
    kept = [v.copy() for v in (x, w, g)]
    f = tensordsl.function([x_, w_, g_], outputs, mode=mode)
    for given in ((x, w, g), tuple(np.asfortranarray(v) for v in (x, w, g)), (x[::-1, ::-1][::-1, ::-1], w, g)):
        for found, want, variable in zip(f(*given), wanted, outputs, strict=True):
            assert found.dtype == dtype and found.shape == want.shape
            assert all(n in (None, m) for n, m in zip(variable.type.shape, want.shape, strict=True))
            np.testing.assert_allclose(found, want, rtol=TOLERANCE[dtype], atol=10 * TOLERANCE[dtype])
    assert all(np.array_equal(a, b) for a, b in zip((x, w, g), kept, strict=True))


def test_reversed_and_strided_operands() -> None:
    x, w = T.dtensor4(), T.dtensor4()
    f = tensordsl.function([x, w], T.nnet.conv2d(x, w, border_mode="half"))
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(2, 4, 9, 12)), rng.normal(size=(3, 4, 6, 3))
    views = a[::-1, ::2, ::-1, ::3], b[:, 1::2, ::-2]
    np.testing.assert_allclose(f(*views), f(*(v.copy() for v in views)), rtol=1e-13)
    stretched = np.broadcast_to(a[:, :1], a.shape)
    np.testing.assert_allclose(f(stretched, b), f(stretched.copy(), b), rtol=1e-13)


@pytest.mark.parametrize("mode", ["valid", "full"])
def test_scipy_convolves_and_correlates_the_same(mode: str) -> None:
    signal = pytest.importorskip("scipy.signal")
    rng = np.random.default_rng(1)
    a, b = rng.normal(size=(7, 9)), rng.normal(size=(3, 2))
    x, w = T.as_tensor_variable(a[None, None]), T.as_tensor_variable(b[None, None])
    found = T.nnet.conv2d(x, w, border_mode=mode).eval()
    np.testing.assert_allclose(found[0, 0], signal.convolve2d(a, b, mode))
    found = T.nnet.conv2d(x, w, border_mode=mode, filter_flip=False).eval()
    np.testing.assert_allclose(found[0, 0], signal.correlate2d(a, b, mode))
    a, b = rng.normal(size=(4, 5, 6)), rng.normal(size=(2, 3, 2))
    found = T.nnet.conv3d(a[None, None], b[None, None], border_mode=mode).eval()
    np.testing.assert_allclose(found[0, 0], signal.convolve(a, b, mode, method="direct"))
    frames = abstract_conv_3d2d(a[None, :, None], b[None, :, None], border_mode=mode).eval()
    np.testing.assert_allclose(frames[0, :, 0], found[0, 0])


def abstract_conv_3d2d(*operands: Any, **options: Any) -> Any:
    from tensordsl.tensor.nnet.conv3d2d import conv3d

    return conv3d(*operands, **options)


LAYERS: dict[str, Any] = {
    "strides": {"subsample": (2, 1), "border_mode": "half"},
    "dilation": {"filter_dilation": (2, 1), "border_mode": "full"},
    "groups": {"num_groups": 2, "border_mode": (1, (0, 2))},
    "correlation": {"filter_flip": False, "subsample": (3, 2), "border_mode": 1},
}


@pytest.mark.parametrize("name", LAYERS)
def test_gradients_of_first_and_second_order(name: str) -> None:
    rng, options = np.random.default_rng(2), LAYERS[name]
    a, b = rng.normal(size=(2, 4, 5, 6)), rng.normal(size=(2, 4 // options.get("num_groups", 1), 3, 2))
    T.verify_grad(lambda x, w: T.nnet.conv2d(x, w, **options), [a, b], rng=rng)

    def slopes(x: Any, w: Any) -> Any:
        cost = (T.nnet.conv2d(x, w, **options) ** 3).sum()
        return [(g**2).sum() for g in T.grad(cost, [x, w])]

    for k in (0, 1):
        T.verify_grad(lambda x, w, k=k: slopes(x, w)[k], [a / 4, b / 4], rng=rng)


def test_a_gradient_of_complex_numbers() -> None:
    rng = np.random.default_rng(3)
    a, b = numbers(rng, (1, 2, 5), "complex128"), numbers(rng, (2, 2, 3), "complex128")
    x, w = T.as_tensor_variable(a), TensorType("complex128", (2, 2, 3))("w")
    attrs: Any = {"strides": (1,), "dilation": (1,), "padding": "full", "groups": 1, "flip": True}
    cost = (abs(apply(OPS["conv"], x, w, **attrs)) ** 2).sum()
    f = tensordsl.function([w], [cost, T.grad(cost, w)])
    slope = f(b)[1]
    for place in np.ndindex(b.shape):
        for unit in (1, 1j):
            step = np.zeros_like(b)
            step[place] = 1e-6 * unit
            difference = (f(b + step)[0] - f(b - step)[0]) / 2e-6
            np.testing.assert_allclose(difference, (slope[place] * np.conj(unit)).real, rtol=1e-6, atol=1e-6)


def test_one_function_serves_all_lengths() -> None:
    x, w = T.ftensor4("x"), T.ftensor4("w")
    y = T.nnet.conv2d(x, w, border_mode="half", subsample=(2, 2))
    f = tensordsl.function([x, w], [y, *T.grad(y.sum(), [x, w])])
    rng = np.random.default_rng(4)
    for batch, size, taps in ((1, 8, 3), (3, 5, 2), (0, 6, 3), (2, 1, 1)):
        a = rng.normal(size=(batch, 2, size, size + 1)).astype("float32")
        b = rng.normal(size=(3, 2, taps, taps)).astype("float32")
        found = f(a, b)
        want = OPS["conv"].oracle(a, b, strides=(2, 2), dilation=(1, 1), padding="half", groups=1, flip=True)  # type: ignore[misc]
        np.testing.assert_allclose(found[0], want, rtol=1e-4, atol=1e-4)
        assert found[1].shape == a.shape and found[2].shape == b.shape
    assert not f(np.zeros((0, 2, 4, 4), "float32"), b)[2].any()


def test_operands_without_channels_give_zeros() -> None:
    x, w = T.dtensor4(), T.dtensor4()
    y = T.nnet.conv2d(x, w)
    f = tensordsl.function([x, w], [y, *T.grad(y.sum(), [x, w])])
    found = f(np.ones((2, 0, 4, 4)), np.ones((3, 0, 2, 2)))
    assert found[0].shape == (2, 3, 3, 3) and not found[0].any()
    assert [v.shape for v in found[1:]] == [(2, 0, 4, 4), (3, 0, 2, 2)]
    assert f(np.ones((2, 1, 4, 4)), np.ones((0, 1, 2, 2)))[0].shape == (2, 0, 3, 3)


def test_infinities_stay_where_they_are() -> None:
    x, w = T.dtensor4(), T.dtensor4()
    f = tensordsl.function([x, w], T.nnet.conv2d(x, w, border_mode="half"))
    a = np.zeros((1, 1, 5, 5))
    a[0, 0, 2, 2] = np.inf
    found = f(a, np.ones((1, 1, 3, 3)))[0, 0]
    wanted = np.zeros((5, 5))
    wanted[1:4, 1:4] = np.inf
    np.testing.assert_array_equal(found, wanted)


def test_the_old_module_has_the_same_layer() -> None:
    from tensordsl.tensor.nnet import conv

    rng = np.random.default_rng(7)
    a, b = rng.normal(size=(2, 3, 6, 6)), rng.normal(size=(4, 3, 3, 3))
    found = conv.conv2d(a, b, image_shape=a.shape, filter_shape=b.shape, border_mode="full", subsample=(2, 2))
    np.testing.assert_array_equal(found.eval(), T.nnet.conv2d(a, b, border_mode="full", subsample=(2, 2)).eval())


def test_a_transpose_undoes_the_shape() -> None:
    rng = np.random.default_rng(5)
    g, w = rng.normal(size=(2, 3, 4, 5)), rng.normal(size=(3, 2, 3, 3))
    x = T.nnet.conv2d_transpose(g, w, (None, 2, 8, 10), border_mode="half", input_dilation=(2, 2))
    assert x.type.shape == (2, 2, 8, 10)
    attrs: Any = {"strides": (2, 2), "dilation": (1, 1), "padding": "half", "groups": 1, "flip": True}
    np.testing.assert_allclose(x.eval(), OPS["conv_inputs"].oracle(w, g, 8, 10, **attrs))  # type: ignore[misc]
    size = T.lscalar()
    f = tensordsl.function([size], T.nnet.conv2d_transpose(g, w, (2, 2, size, 10), None, "half", (2, 2)))
    np.testing.assert_allclose(f(8), x.eval())
    with pytest.raises(ValueError, match="spatial axis 0"):
        f(12)


def test_separable_and_causal_layers() -> None:
    rng = np.random.default_rng(6)
    x, deep, point = rng.normal(size=(2, 3, 6, 6)), rng.normal(size=(6, 1, 3, 3)), rng.normal(size=(4, 6, 1, 1))
    found = T.nnet.separable_conv2d(x, deep, point, 3, border_mode="half", subsample=(2, 2)).eval()
    attrs: Any = {"strides": (2, 2), "dilation": (1, 1), "padding": "half", "groups": 3, "flip": True}
    middle = OPS["conv"].oracle(x, deep, **attrs)  # type: ignore[misc]
    np.testing.assert_allclose(found, np.einsum("nchw,oc->nohw", middle, point[:, :, 0, 0]))
    signal, taps = rng.normal(size=(2, 1, 9)), rng.normal(size=(1, 1, 3))
    causal = tensordsl.function([], T.nnet.causal_conv1d(signal, taps, (1, 1, 3), filter_dilation=2))()
    wide = np.zeros(5)
    wide[::2] = taps[0, 0]
    np.testing.assert_allclose(causal[1, 0], np.convolve(signal[1, 0], wide)[:9])


def test_shapes_as_numbers() -> None:
    assert abstract_conv.get_conv_output_shape((5, 2, None, 9), (4, 2, 3, 3), "full", (1, 2)) == (5, 4, None, 6)
    assert abstract_conv.get_conv_output_shape((5, 2, 7, 9), (4, 2, 3, 3), (1, (0, 2)), (1, 1), (2, 1)) == (5, 4, 5, 9)
    assert abstract_conv.get_conv_gradweights_shape((5, 2, 7, 9), (5, 4, 9, 11), "full", (1, 1)) == (4, 2, 3, 3)
    assert abstract_conv.get_conv_gradweights_shape((5, 2, 7, 9), (5, 4, 3, 11), "valid", (2, 1))[2] is None
    assert abstract_conv.get_conv_gradinputs_shape((4, 2, 3, 3), (5, 4, 7, 9), "half", (1, 1)) == (5, 2, 7, 9)
    assert abstract_conv.check_conv_gradinputs_shape((5, 2, 7, None), (4, 2, 3, 3), (5, 4, 5, 1), "valid", (1, 2))
    assert not abstract_conv.check_conv_gradinputs_shape((5, 2, 7, 9), (4, 2, 3, 3), (5, 4, 6, 1), "valid", (1, 1))
    assert abstract_conv.border_mode_to_pad(2, 2, (3, 3)) == ((2, 2), (2, 2))


X, W = np.ones((2, 3, 5, 5)), np.ones((4, 3, 3, 3))
REFUSED: list[tuple[Any, type[Exception], str]] = [
    (lambda: T.nnet.conv2d(X, np.ones((4, 3, 6, 3))), ValueError, "kernel of length 6 .* spatial axis 0, of length 5"),
    (lambda: T.nnet.conv2d(X, np.ones((4, 2, 3, 3))), ValueError, "channels .*: 3 != 2"),
    (lambda: T.nnet.conv2d(X, np.ones((4, 1, 3, 3)), num_groups=3), ValueError, "output channels .* 3 groups"),
    (lambda: T.nnet.conv2d(X, W, num_groups=0), ValueError, "num_groups must be at least 1"),
    (lambda: T.nnet.conv2d(X, W, subsample=(0, 1)), ValueError, "subsample must be at least 1"),
    (lambda: T.nnet.conv2d(X, W, subsample=(1, -1)), ValueError, "subsample must be at least 1"),
    (lambda: T.nnet.conv2d(X, W, subsample=(1, 1, 1)), ValueError, "subsample must be 2 integers"),
    (lambda: T.nnet.conv2d(X, W, filter_dilation=(0, 1)), ValueError, "filter_dilation must be at least 1"),
    (lambda: T.nnet.conv2d(X, W, border_mode=-1), ValueError, "border_mode must be >= 0"),
    (lambda: T.nnet.conv2d(X, W, border_mode=(1.5, 1)), ValueError, "border_mode must be 'valid'"),
    (lambda: T.nnet.conv2d(X, W, border_mode=(float("inf"), 1)), ValueError, "border_mode must be 'valid'"),
    (lambda: T.nnet.conv2d(X, W, border_mode="same"), ValueError, "'same'"),
    (lambda: T.nnet.conv2d(X.astype("uint8"), W.astype("int8")), TypeError, "cast the pictures"),
    (lambda: T.nnet.conv2d(X[0], W), ValueError, "input must have 4 axes"),
    (lambda: T.nnet.conv2d(X, W, input_shape=(2, 3, 6, 5)), ValueError, r"input is said to have the shape \(2, 3, 6, 5\)"),
    (lambda: T.nnet.conv2d(X, W, filter_shape=(4, 3, 3)), ValueError, "must have 4 entries"),
    (lambda: T.nnet.conv2d(X, W, filter_shape=(4, 3, -3, 3)), ValueError, "lengths or None"),
    (lambda: T.nnet.conv2d(X, W, imshp_logical=1), ValueError, "takes no imshp_logical"),
    (lambda: T.nnet.conv2d(X, W, X.shape, image_shape=X.shape), ValueError, "old name of input_shape"),
    (lambda: T.nnet.conv2d_transpose(X, W, (None, None, 5, None)), ValueError, "last 2 lengths"),
    (lambda: T.nnet.conv2d_transpose(np.ones((2, 4, 3, 3)), W, (2, 2, 5, 5)), ValueError, "is said to have the shape"),
    (lambda: T.nnet.causal_conv1d(X[0], T.dtensor3(), None), ValueError, "filter_shape must tell"),
]  # fmt: skip


@pytest.mark.parametrize("build, kind, text", REFUSED, ids=[text for _, _, text in REFUSED])
def test_refused_when_the_expression_is_built(build: Any, kind: type[Exception], text: str) -> None:
    with pytest.raises(kind, match=text):
        build()


def test_refused_in_a_call() -> None:
    x, w = T.dtensor4("x"), T.dtensor4("w")
    f = tensordsl.function([x, w], T.nnet.conv2d(x, w, (None, None, 5, None)))
    kept = X.copy(), W.copy()
    f(X, W)
    for a, b, text in (
        (np.ones((2, 3, 6, 5)), W, "5"), (X, np.ones((4, 2, 3, 3)), "channels"), (X, np.ones((4, 3, 3, 6)), "fit"),
        (X, np.ones((4, 3, 0, 3)), "kernel"), (np.ones((2, 3, 5, 0)), W, "fit"),
    ):  # fmt: skip
        with pytest.raises(ValueError, match=text):
            f(a, b)
    assert all(np.array_equal(a, b) for a, b in zip((X, W), kept, strict=True))
    grouped = tensordsl.function([x, w], T.nnet.conv2d(x, w, num_groups=2))
    with pytest.raises(ValueError, match="groups"):
        grouped(np.ones((2, 4, 5, 5)), np.ones((3, 2, 3, 3)))
