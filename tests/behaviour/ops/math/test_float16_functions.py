"""float16 through whole functions: NumPy's bits, layouts, state, gradients, floatX."""

from __future__ import annotations

import numpy as np
import pytest

import tensordsl
import tensordsl.tensor as T
from tensordsl import config

SPECIAL = [np.nan, np.inf, -np.inf, 0.0, -0.0, 65504.0, -65504.0, 6e-8, -6e-8, 6.1e-5, 1e-5, 1.0, 0.1, 2049.0]


def half(rng: np.random.Generator, *shape: int) -> np.ndarray:
    return (rng.standard_normal(shape) * 3).astype("float16")


def assert_same(got: np.ndarray, want: np.ndarray) -> None:
    want = np.asarray(want)
    assert got.dtype == want.dtype and got.shape == want.shape
    np.testing.assert_array_equal(got, want)
    if want.dtype.kind == "f":
        numbers = ~np.isnan(want)
        np.testing.assert_array_equal(np.signbit(got[numbers]), np.signbit(want[numbers]))


def test_chains_round_after_each_operation_as_numpy() -> None:
    """A fused group rounds where NumPy stores: also where float32 in between would give other bits."""
    x, y = (T.vector(name, dtype="float16") for name in "xy")
    f = tensordsl.function([x, y], [x * y + x, (x + y) - x, x / y * y, -T.abs_(x) + T.sqrt(y), x * x > y, T.exp(x) - 1])
    rng = np.random.default_rng(0)
    special = np.array(SPECIAL, "float16")
    a, b = (v.ravel() for v in np.meshgrid(special, special))
    for u, v in ((a, b), (half(rng, 1003), half(rng, 1003)), (half(rng, 60)[::-3], half(rng, 40)[::2])):
        with np.errstate(all="ignore"):
            wanted = [u * v + u, (u + v) - u, u / v * v, -np.abs(u) + np.sqrt(v), u * u > v, np.exp(u) - np.float16(1)]
        got = f(u, v)
        for g, w in zip(got[:-1], wanted[:-1], strict=True):
            assert_same(g, w)
        np.testing.assert_allclose(got[-1], wanted[-1], rtol=2e-3, atol=1e-3)


def test_reductions() -> None:
    x = T.matrix("x", dtype="float16")
    f = tensordsl.function(
        [x], [x.sum(0), x.sum(), x.max(1), x.argmin(0), x.mean(), x.prod(1), T.dot(x, x.T), x.var(1)]
    )
    rng = np.random.default_rng(1)
    for a in (half(rng, 37, 53), half(rng, 53, 37).T, half(rng, 3, 1), half(rng, 8, 90)[::-1, ::3]):
        w = a.astype("float32")
        wanted = [w.sum(0), w.sum(), w.max(1), a.argmin(0), w.mean(), w.prod(1), w @ w.T, w.var(1)]
        for g, want in zip(f(a), wanted, strict=True):
            assert g.dtype == (want.dtype if want.dtype.kind == "i" else "float16")
            with np.errstate(over="ignore"):
                np.testing.assert_allclose(g, want.astype(g.dtype), rtol=1e-3, atol=1e-3)
    large = np.full((2, 3), 60000, "float16")
    assert f(large)[4] == np.float16(60000) and np.isinf(f(large)[1])


def test_every_cast() -> None:
    every = np.arange(1 << 16, dtype="uint16").view("float16")
    x, d, i = T.vector(dtype="float16"), T.dvector(), T.lvector()
    casts = [T.cast(x, t) for t in ("float32", "float64", "bool", "float16")]
    for g, t in zip(tensordsl.function([x], casts)(every), ("float32", "float64", "bool", "float16"), strict=True):
        assert_same(g, every.astype(t))
    f = tensordsl.function([d, i], [T.cast(d, "float16"), T.cast(i, "float16")])
    tie = np.float64(np.float16(1)) + 2.0**-11
    numbers = np.array([tie, np.nextafter(tie, 2), np.nextafter(tie, 0), 65520, 65519.999, 1e300, 2.0**-25, 1e-300])
    whole = np.array([2049, 2051, 65519, 65520, 2**62, -(2**63), -2049, 0])
    with np.errstate(over="ignore"):
        for g, w in zip(f(numbers, whole), (numbers.astype("float16"), whole.astype("float16")), strict=True):
            assert_same(g, w)


def test_state_positions_and_views() -> None:
    s = tensordsl.shared(np.arange(5, dtype="float16"))
    x, i = T.vector("x", dtype="float16"), T.lvector("i")
    expressions = [
        T.inc_subtensor(x[i], np.float16(0.1)), T.set_subtensor(x[1:3], s[::2][1:]), T.concatenate([x, s[::-1]]), x[T.argmax(x)],
        T.nextafter(x, 0), T.cumsum(x), T.sort(x),
    ]  # fmt: skip
    f = tensordsl.function([x, i], expressions, updates=[(s, s * T.constant(1.5, dtype="float16"))])
    a = np.array([3, -1, 0, 7.5, 0.1], "float16")
    at = [1, 1, 4, -1]
    got = f(a, at)
    added = a.copy()
    np.add.at(added, at, np.float16(0.1))
    state = np.arange(5, dtype="float16")
    set_ = a.copy()
    set_[1:3] = state[::2][1:]
    wanted = [added, set_, np.concatenate([a, state[::-1]]), a.max(), np.nextafter(a, np.float16(0))]
    for g, w in zip(got, [*wanted, a.astype("float32").cumsum().astype("float16"), np.sort(a)], strict=True):
        np.testing.assert_allclose(g, w, rtol=1e-3)
        assert g.dtype == "float16"
    assert_same(s.get_value(), state * np.float16(1.5))


def test_arguments() -> None:
    f = tensordsl.function([h := T.scalar("h", dtype="float16")], h * 2)
    assert f(1.5) == f(np.float16(1.5)) == f(h=np.float16(1.5)) == 3 and f(2) == 4 and f(0.5).dtype == "float16"
    with pytest.raises(TypeError, match="cannot store accurately value 0.1"):
        f(0.1)
    g = tensordsl.function([x := T.fvector("x")], x + 1)
    assert g(np.ones(2, "float16")).tolist() == [2, 2]
    y = T.vector("y", dtype="float16")
    with pytest.raises(TypeError, match="cannot store a value of dtype float32"):
        tensordsl.function([y], y)(np.ones(2, "float32"))
    with pytest.raises(TypeError, match="cannot store accurately value 2049"):
        f(2049)


@pytest.mark.parametrize("mode", ["FAST_RUN", "FAST_COMPILE", "DebugMode"])
def test_a_network_in_floatx_float16(mode: str) -> None:
    with config.change_flags(floatX="float16"):
        rng = np.random.default_rng(0)
        x, t = T.matrix("x"), T.lvector("t")
        w = tensordsl.shared(half(rng, 4, 3) / np.float16(10))
        p = T.nnet.softmax(T.dot(T.tanh(x), w))
        cost = T.nnet.categorical_crossentropy(p, t).mean()
        slope = T.grad(cost, w)
        assert cost.dtype == slope.dtype == "float16"
        step = tensordsl.function([x, t], cost, updates=[(w, w - 0.5 * slope)], mode=mode)
        data = half(rng, 16, 4)
        labels = data[:, :3].argmax(1)
        costs = [float(step(data, labels)) for _ in range(12)]
        assert costs[-1] < 0.8 * costs[0]


def test_gradients() -> None:
    point = [np.array([[0.5, -1.25], [2.0, 0.75]], "float16")]
    for f in (lambda a: T.tanh(a) * a, lambda a: T.sqr(a).sum(0), lambda a: a / (1 + T.sqr(a))):
        T.verify_grad(f, point, rng=np.random.default_rng(0))


def test_the_sign_of_what_was_a_float64_needs_no_library() -> None:
    x, z = T.fmatrix(), T.dvector()
    f = tensordsl.function(
        [x, z], [T.tanh(T.cast(T.sum(x), "float16")), T.tanh(T.cast(T.cast(z, "float32"), "float16"))]
    )
    value = np.linspace(-2, 2, 40)
    total, elements = f(np.full((3, 3), -0.1, "float32"), value)
    assert total == np.tanh(np.float16(np.float32(-0.9)))
    np.testing.assert_array_equal(elements, np.tanh(value.astype("float32").astype("float16")))


MOVES = {
    "slice": lambda v, i: v[3:],
    "reversed": lambda v, i: v[::-1],
    "taken": lambda v, i: v[i],
    "masked": lambda v, i: v[(i > 3).nonzero()],
    "joined": lambda v, i: T.concatenate([v, v[:3]]),
    "chosen": lambda v, i: T.switch(i > 3, v, v[::-1]),
    "written": lambda v, i: T.set_subtensor(v[i], v),
    "sorted": lambda v, i: T.sort(v),
    "by positions": lambda v, i: v[T.argsort(v)],
    "largest": lambda v, i: T.topk(v, 5),
    "unique": lambda v, i: T.unique(v),
}


@pytest.mark.parametrize("name", MOVES)
def test_what_is_only_moved_keeps_its_bits(name: str) -> None:
    """Also those of signalling nans, which every conversion makes quiet."""
    v, i = T.vector(dtype="float16"), T.lvector()
    f = tensordsl.function([v, i], MOVES[name](v, i), on_unused_input="ignore")
    bits = np.random.default_rng(0).integers(0, 1 << 16, 100).astype(np.uint16)
    bits[::3] = bits[::3] & 0x81FF | 0x7C01
    found = f(bits.view(np.float16), np.arange(100)[::-1].copy()).view(np.uint16)
    assert set(found) <= set(bits) and len(found) >= min(5, len(bits))
