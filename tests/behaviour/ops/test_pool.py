"""Pooling and its gradients against loops over windows, for all modes, borders, strides, dtypes and layouts."""

from __future__ import annotations

import itertools
import math
import pickle
from collections.abc import Callable
from typing import Any, cast

import numpy as np
import pytest

import tensordsl
import tensordsl.tensor as T
from tensordsl.graph.types import TensorType
from tensordsl.ops.operands import constant as as_tensor
from tensordsl.tensor.signal import downsample, pool
from tensordsl.tensor.signal.pool import AveragePoolGrad, MaxPoolGrad, Pool, pool_2d, pool_3d

MODES = ("max", "sum", "average_inc_pad", "average_exc_pad")


def windows(n: int, k: int, s: int, p: int, ignore_border: bool) -> list[tuple[list[int], int]]:
    """Of each window along an axis the positions in the image, and how many it has with those of the padding."""
    found: list[tuple[list[int], int]] = []
    for start in itertools.count(-p, s):
        if ignore_border and start + k > n + p:
            return found
        inside = [i for i in range(start, start + k) if 0 <= i < n]
        found.append((inside, min(start + k, n + p) - start))
        is_last = start + s >= n if s >= k else start + k >= n
        if not ignore_border and is_last:
            return found
    return found


def reference(a: Any, ws: Any, ignore_border: bool, stride: Any, pad: Any, mode: str, g: Any = None) -> Any:
    """The pool, or with g its gradient; element by element, in float64."""
    first = a.ndim - len(ws)
    axes = [windows(*row, ignore_border) for row in zip(a.shape[first:], ws, stride, pad, strict=True)]
    shape = (*a.shape[:first], *map(len, axes))
    out, back = np.zeros(shape), np.zeros(a.shape)
    for lead in np.ndindex(a.shape[:first]):
        for at in np.ndindex(shape[first:]):
            chosen = [axis[i] for axis, i in zip(axes, at, strict=True)]
            places = [lead + place for place in itertools.product(*(inside for inside, _ in chosen))]
            values = [float(a[place]) for place in places]
            counts = {"average_inc_pad": math.prod(n for _, n in chosen), "average_exc_pad": len(places)}
            over = counts.get(mode, 1)
            largest = math.nan if any(map(math.isnan, values)) else max(values)
            out[lead + at] = largest if mode == "max" else sum(values) / over
            for place, value in zip(places, values, strict=True) if g is not None else ():
                if mode != "max" or value == largest:
                    back[place] += g[lead + at] / over
    return out if g is None else back


def draw(rng: np.random.Generator, ndim: int) -> tuple[Any, Any, Any, bool, str]:
    ws = tuple(int(k) for k in rng.integers(1, 5, ndim))
    stride = ws if rng.random() < 0.4 else tuple(int(s) for s in rng.integers(1, 5, ndim))
    ignore_border = bool(rng.integers(2))
    pad = tuple(int(rng.integers(0, k)) if ignore_border and rng.random() < 0.6 else 0 for k in ws)
    return ws, stride, pad, ignore_border, str(rng.choice(MODES))


def image(rng: np.random.Generator, shape: Any, dtype: str) -> Any:
    a = rng.integers(0 if dtype == "uint8" else -4, 5, shape).astype(dtype)
    if dtype.startswith("float") and rng.random() < 0.3:
        a[rng.random(shape) < 0.1] = np.nan
        a[rng.random(shape) < 0.1] = -np.inf
        a[rng.random(shape) < 0.1] = 0 * -1.0
    return a


def check(f: Any, a: Any, w: Any, wanted: Any, gradient: Any, what: str) -> None:
    before = a.copy()
    got = f(a, w)
    tolerance = 4e-3 if a.dtype == "float16" else 2e-5
    for result, want in zip(got, (wanted, gradient), strict=False):
        assert result.shape == want.shape, what
        np.testing.assert_allclose(result.astype("float64"), want, rtol=tolerance, atol=tolerance, err_msg=what)
    np.testing.assert_array_equal(a, before)


@pytest.mark.parametrize("seed", range(12))
def test_random_pools_and_gradients(seed: int) -> None:
    rng = np.random.default_rng(seed)
    ndim, dtype = 2 + seed % 2, ("float64", "float32", "float16")[seed % 3]
    ws, stride, pad, ignore_border, mode = draw(rng, ndim)
    function = pool_2d if ndim == 2 else pool_3d
    x, w = (TensorType(dtype, (None,) * (ndim + 1))() for _ in range(2))
    out = function(x, ws, ignore_border, stride, pad, mode)
    f = tensordsl.function([x, w], [out, T.grad((out * w).sum(), x)])
    for _ in range(3):
        shape = (int(rng.integers(0, 3)), *(int(n) for n in rng.integers(1, 9, ndim)))
        a = image(rng, shape, dtype)
        wanted = reference(a, ws, ignore_border, stride, pad, mode)
        g = rng.integers(-4, 5, wanted.shape).astype(dtype)
        gradient = reference(a, ws, ignore_border, stride, pad, mode, g.astype("float64"))
        what = f"{shape} {ws} {stride} {pad} {ignore_border} {mode}"
        twice = np.repeat(a, 2, axis=-1)
        for given in (a, np.asfortranarray(a), twice[..., ::2], a[::-1][::-1], np.array(a[..., ::-1])[..., ::-1]):
            check(f, given, g, wanted, gradient, what)


@pytest.mark.parametrize("seed", range(4))
def test_symbolic_windows(seed: int) -> None:
    rng = np.random.default_rng(seed)
    mode, ignore_border = MODES[seed], bool(seed % 2)
    ws, stride, pad = T.lvectors("ws", "stride", "pad")
    x, w = T.dtensor3(), T.dtensor3()
    out = pool_2d(x, ws, ignore_border, stride, pad if ignore_border else (0, 0), mode)
    f = tensordsl.function([x, w, ws, stride, pad], [out, T.grad((out * w).sum(), x)], on_unused_input="ignore")
    for _ in range(4):
        sizes = rng.integers(1, 5, 2)
        steps, around = rng.integers(1, 5, 2), rng.integers(0, sizes) * ignore_border
        a = image(rng, (2, *rng.integers(1, 9, 2)), "float64")
        wanted = reference(a, sizes, ignore_border, steps, around, mode)
        g = rng.normal(size=wanted.shape)
        gradient = reference(a, sizes, ignore_border, steps, around, mode, g)
        check(lambda a, g: f(a, g, sizes, steps, around), a, g, wanted, gradient, f"{a.shape} {sizes} {steps} {around}")  # noqa: B023


@pytest.mark.parametrize("dtype", ["int64", "int8", "uint8"])
def test_integers(dtype: str) -> None:
    a = np.random.default_rng(1).integers(0, 9, (2, 5, 7)).astype(dtype)
    x = TensorType(dtype, (None,) * 3)()
    pools = [pool_2d(x, (3, 2), False, (2, 1), mode=mode) for mode in MODES]
    assert [p.dtype for p in pools[:2]] == [dtype] * 2 and all(p.dtype.startswith("float") for p in pools[2:])
    for result, mode in zip(tensordsl.function([x], pools)(a), MODES, strict=True):
        np.testing.assert_allclose(result, reference(a, (3, 2), False, (2, 1), (0, 0), mode), rtol=1e-6)


@pytest.mark.parametrize("ws, stride", [((70, 1), (3, 1)), ((80, 80), (80, 80)), ((9, 9), (1, 1)), ((6, 20), (5, 7))])
@pytest.mark.parametrize("mode", ["max", "average_exc_pad"])
def test_large_windows(ws: Any, stride: Any, mode: str) -> None:
    rng = np.random.default_rng(2)
    x, w = T.dmatrix(), T.dmatrix()
    out = pool_2d(x, ws, True, stride, mode=mode)
    f = tensordsl.function([x, w], [out, T.grad((out * w).sum(), x)])
    again = tensordsl.function([x, w], T.grad((T.grad((out * w).sum(), x) ** 2).sum(), w))
    a = rng.integers(-50, 50, (83, 81) if max(ws) > 9 else (13, 14)).astype("float64")
    wanted = reference(a, ws, True, stride, (0, 0), mode)
    g = rng.normal(size=wanted.shape)
    gradient = reference(a, ws, True, stride, (0, 0), mode, g)
    check(f, a, g, wanted, gradient, f"{ws}")
    step = 1e-3 * rng.normal(size=g.shape)
    energies = [(reference(a, ws, True, stride, (0, 0), mode, g + t * step) ** 2).sum() for t in (1, -1)]
    np.testing.assert_allclose((again(a, g) * step).sum() * 2, energies[0] - energies[1], rtol=1e-6)


def test_known_lengths_and_modes_agree() -> None:
    rng = np.random.default_rng(3)
    a = rng.normal(size=(2, 3, 9, 8))
    for shape in ((None,) * 4, a.shape):
        x = TensorType("float64", shape)()
        for how in (((2, 2), True, None, (0, 0)), ((3, 3), True, (2, 2), (1, 1)), ((2, 3), False, (2, 1), (0, 0))):
            for mode in MODES:
                ws, ignore_border, stride, pad = how
                out = pool_2d(x, ws, ignore_border, stride, pad, mode)
                both = [out, T.grad((out**2).sum(), x)]
                results = [tensordsl.function([x], both, mode=m)(a) for m in (None, "REFERENCE")]
                for fast, slow in zip(*results, strict=True):
                    np.testing.assert_allclose(fast, slow, rtol=1e-9, atol=1e-12)


def test_images_without_elements() -> None:
    x = T.dtensor3()
    for how, shape in (((True, None, (0, 0)), (2, 0, 0)), ((False, None, (0, 0)), (2, 0, 3))):
        out = pool_2d(x, (2, 2), *how)
        value, g = tensordsl.function([x], [out, T.grad(out.sum(), x)])(np.zeros(shape))
        assert value.shape == (2, 0, -(-shape[2] // 2)) and g.shape == shape
    assert pool_2d(np.zeros((1, 3)), (2, 2), True).eval().shape == (0, 1)
    assert pool_2d(np.zeros((0, 3)), (2, 2), False, (1, 1)).eval().tolist() == [[-np.inf, -np.inf]]


def test_patches_of_the_same_size() -> None:
    a = np.random.default_rng(4).integers(0, 9, (2, 5, 6)).astype("float64")
    x = T.dtensor3()
    kept = tensordsl.function([x], pool.max_pool_2d_same_size(x, (2, 3)))(a)
    wanted = np.zeros_like(a)
    for n, i, j in itertools.product(range(2), range(0, 4, 2), range(0, 6, 3)):
        patch = a[n, i : i + 2, j : j + 3]
        wanted[n, i : i + 2, j : j + 3] = np.where(patch == patch.max(), patch, 0)
    np.testing.assert_array_equal(kept, wanted)


def test_classes_and_old_names() -> None:
    x, kinds = T.tensor4(), cast("Any", pool)
    out = Pool(ignore_border=True, mode="sum")(x, (2, 2))
    assert isinstance(out.owner.op, kinds.Pool) and out.owner.op.mode == "sum" and out.owner.op.ignore_border
    assert isinstance(T.grad(out.sum(), x).owner.op, kinds.AveragePoolGrad)
    assert isinstance(T.grad(pool_2d(x, (2, 2), True).sum(), x).owner.op, kinds.MaxPoolGrad)
    assert kinds.Pool.out_shape((8, 3, 7, 6), (3, 2), stride=(2, 2), ignore_border=False) == [8, 3, 3, 3]
    assert kinds.Pool.out_shape((7, 7), (3, 3), True, (2, 2), (1, 1)) == [4, 4]
    assert kinds.Pool.out_shape([as_tensor(7), 7], as_tensor([2, 3])) == [4, 3]
    n = T.lscalar()
    assert [v.eval({n: 7}) for v in kinds.Pool.out_shape([n, n], (2, 2), False, (3, 1))] == [3, 6]
    assert downsample.max_pool_2d is pool_2d and pickle.loads(pickle.dumps(pool_2d)) is pool_2d
    a = np.arange(16.0).reshape(4, 4)
    old = downsample.max_pool_2d(a, ds=(3, 3), st=(1, 1), padding=(1, 1), ignore_border=True)
    np.testing.assert_array_equal(old.eval(), pool_2d(a, (3, 3), True, (1, 1), (1, 1)).eval())
    with pytest.warns(UserWarning, match="ignore_border is not given"):
        assert pool_2d(x, (2, 2)).owner.op.ignore_border is False


X = T.tensor4()
WRONG: list[tuple[Callable[[], Any], type[Exception], str]] = [
    (lambda: pool_2d(X, (2, 2), False, pad=(1, 1)), NotImplementedError, "only with ignore_border=True"),
    (lambda: pool_2d(X, (2, 2), True, pad=(2, 0)), NotImplementedError, "less than ws, got pad 2 and ws 2"),
    (lambda: pool_2d(X, (2,), True), ValueError, r"wants 2 integers as ws, got \(2,\)"),
    (lambda: pool_2d(X, 2, True), TypeError, "wants 2 integers as ws, got 2"),
    (lambda: pool_2d(X, (2.5, 2), True), TypeError, "wants 2 integers as ws"),
    (lambda: pool_2d(X, T.matrix(), True), TypeError, "wants a vector of 2 integers as ws"),
    (lambda: pool_2d(X, (0, 2), True), ValueError, "ws of 1 or more, got 0"),
    (lambda: pool_3d(X, (2, 2, 2), True, (1, 0, 1)), ValueError, "pool_3d: wants stride of 1 or more, got 0"),
    (lambda: pool_2d(X, (2, 2), True, mode="mean"), ValueError, "unknown mode 'mean'"),
    (lambda: pool_2d(T.vector(), (2, 2), True), TypeError, "with 2 axes or more, got"),
    (lambda: pool_2d(T.zmatrix(), (2, 2), True), TypeError, "wants real numbers"),
    (lambda: pool_2d(X, (2, 2), True, ds=(2, 2)), ValueError, "'ds' is the old name of 'ws'"),
    (lambda: pool_2d(X, ignore_border=True), ValueError, "ws is missing"),
]


@pytest.mark.parametrize("build, error, words", WRONG)
def test_wrong_arguments(build: Callable[[], Any], error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        build()


def test_wrong_symbolic_windows() -> None:
    x, ws, pad = T.dmatrix(), T.lvector(), T.lvector()
    f = tensordsl.function([x, ws, pad], pool_2d(x, ws, True, pad=pad))
    np.testing.assert_array_equal(f(np.eye(4), [2, 2], [0, 0]), np.eye(2))
    for sizes, around, words in (
        ([2], [0, 0], "ws wants 2 numbers"), ([0, 2], [0, 0], "ws of 1 or more"), ([2, 2], [0, 2], "pad must be less"),
        ([2, 2], [-1, 0], "pad of 0 or more"),
    ):  # fmt: skip
        with pytest.raises(ValueError, match=words):
            f(np.eye(4), sizes, around)


def test_gradients_of_wrong_lengths() -> None:
    x, out, g = T.dmatrix(), T.dmatrix(), T.dmatrix()
    a = np.arange(16.0).reshape(4, 4)
    for ws, stride in (((2, 2), None), ((2, 2), (1, 1))):
        f = tensordsl.function([x, out, g], MaxPoolGrad(True)(x, out, g, ws, stride))
        h = tensordsl.function([x, g], AveragePoolGrad(True)(x, g, ws, stride))
        right = pool_2d(a, ws, True, stride).eval()
        assert f(a, right, right).sum() >= right.sum() and h(a, right).shape == a.shape
        for wrong in (right[:-1], right[:, 1:], np.zeros((9, 9))):
            for function, operands in ((f, (a, right, wrong)), (f, (a, wrong, right)), (h, (a, wrong))):
                with pytest.raises(ValueError, match="one number for each window"):
                    function(*operands)
    with pytest.raises(ValueError, match="max_pool_grad: wants one number for each window"):
        MaxPoolGrad(True)(np.zeros((4, 4)), np.zeros((2, 2)), np.zeros((2, 3)), (2, 2))
