"""`arange` against NumPy's, bit for bit: floats, named dtypes, lengths, errors; known at once and by each call."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import tensordsl
import tensordsl.tensor as T
from tensordsl.ifelse import ifelse
from tensordsl.types import FLOATS

INF, NAN = np.inf, np.nan
MODES = [None, "REFERENCE", "FAST_COMPILE"]


def scalars(dtype: str) -> list[Any]:
    return [T.TensorType(dtype, ())(name) for name in ("start", "stop", "step")]


def draws(dtype: str, count: int) -> list[tuple[Any, Any, Any]]:
    """Starts, stops and steps, many of them with a whole number of steps between; and what rounds most."""
    rng, t = np.random.default_rng(3), np.dtype(dtype).type
    found = []
    for _ in range(count):
        start, step = (t(rng.normal() * 10.0 ** rng.integers(-2, 3)) for _ in "ab")
        if rng.random() < 0.3:
            start, step = t(rng.integers(-4, 4)), t(rng.integers(1, 4)) * t(rng.choice([-1, 1, 0.1]))
        if step:
            found.append((start, t(start + step * (rng.integers(-2, 40) + rng.choice([0, 0, rng.random()]))), step))
    return [*found, (t(0), t(1), t(INF)), (t(-0.0), t(2), t(1)), (t(3), t(3), t(1)), (t(0.1), t(60000), t(30000))]


def same(got: Any, wanted: Any) -> None:
    assert (got.dtype, got.shape, got.tobytes()) == (wanted.dtype, wanted.shape, wanted.tobytes())


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("dtype", FLOATS)
def test_floats(dtype: str, mode: Any) -> None:
    variables = scalars(dtype)
    f = tensordsl.function(variables, T.arange(*variables), mode=mode)
    for k, given in enumerate(draws(dtype, 300)):
        with np.errstate(all="ignore"):
            wanted = np.arange(*given, dtype=dtype)
        same(f(*given), wanted)
        if k < 5:
            known = T.arange(*given)
            assert known.type.shape == wanted.shape
            same(tensordsl.function([], known, mode=mode)(), wanted)


@pytest.mark.parametrize("wanted", [*FLOATS, "int64", "int32", "uint8"])
def test_of_a_named_dtype(wanted: str) -> None:
    for dtype, bounds in (
        ("float64", [(0.5, 5.0, 0.6), (0.1, 3.0, 0.1), (200.0, 300.5, 1.5), (9.0, 1.0, -0.7)]),
        ("float32", [(0.5, 5.0, 0.75), (9.0, 1.0, -0.5)]),
        ("int64", [(0, 9, 2), (2049, 2060, 1), (2**24 + 1, 2**24 + 9, 1), (9, -9, -2), (0, 300, 1)]),
    ):
        variables = scalars(dtype)
        f = tensordsl.function(variables, T.arange(*variables, dtype=wanted))
        for given in bounds:
            if wanted != "uint8" or min(given[:2]) >= 0 and max(given) < 256:
                with np.errstate(over="ignore"):
                    same(f(*given), np.arange(*given, dtype=wanted))


def test_integers_beside_floats_do_not_wrap() -> None:
    same(T.arange(-100, 100, 0.5).eval(), np.arange(-100, 100, 0.5, dtype="float32"))


REFUSED: list[tuple[type[Exception], tuple[float, ...]]] = [
    (ValueError, (NAN,)),
    (ValueError, (INF,)),
    (ValueError, (-INF,)),
    (ValueError, (1e19,)),
    (ValueError, (0.0, -1e19)),
    (ValueError, (0.0, 1.0, NAN)),
    (ValueError, (0.0, 1.0, 1e-300)),
    (ValueError, (INF, INF)),
    (ZeroDivisionError, (0.0, 1.0, 0.0)),
    (ZeroDivisionError, (0.0, 0.0, -0.0)),
    (ZeroDivisionError, (NAN, 1.0, 0.0)),
]


@pytest.mark.parametrize("error, given", REFUSED)
def test_what_has_no_length(error: type[Exception], given: tuple[float, ...]) -> None:
    if error is ValueError or given[0] == given[0]:
        with pytest.raises(error):
            np.arange(*given)
    with pytest.raises(error, match="arange: .* got start"):
        T.arange(*given)
    for mode in MODES:
        variables = [T.dscalar(), T.dscalar(), T.dscalar()][: len(given)]
        f = tensordsl.function(variables, T.arange(*variables).sum(), mode=mode)
        with pytest.raises(error, match="arange: .* got start"):
            f(*given)


def test_what_has_a_length_though() -> None:
    variables = scalars("float64")
    f = tensordsl.function(variables, T.arange(*variables))
    for given in ((0.0, 0.0, 1e-300), (0.0, 1.0, -INF), (0.0, -1.0, INF), (0.0, 1.0, INF)):
        same(f(*given), np.arange(*given))


@pytest.mark.parametrize("mode", MODES)
def test_a_step_of_zero_between_integers(mode: Any) -> None:
    with pytest.raises(ZeroDivisionError, match="arange"):
        T.arange(0, 3, 0)
    i, step, yes = T.lscalar(), T.lscalar(), T.bscalar()
    f = tensordsl.function([i, step], T.arange(0, i, step), mode=mode)
    assert f(4, 2).tolist() == [0, 2]
    for n in (4, 0):
        with pytest.raises(ZeroDivisionError, match="arange"):
            f(n, 0)
    g = tensordsl.function([i, step, yes], ifelse(yes, T.arange(0, i, step), T.arange(1)), mode=mode)
    assert g(4, 0, 0).tolist() == [0] and g(4, 3, 1).tolist() == [0, 3]
    with pytest.raises(ZeroDivisionError, match="arange"):
        g(4, 0, 1)


def test_state_is_as_it_was() -> None:
    s, x = tensordsl.shared(0), T.dscalar()
    f = tensordsl.function([x], T.arange(x), updates=[(s, s + 1)])
    with pytest.raises(ValueError, match="arange"):
        f(NAN)
    assert s.get_value() == 0


COSTS: list[Callable[..., Any]] = [
    lambda a, b: (T.arange(a, 5.0, b) * np.arange(1.0, 5.0)).sum(),
    lambda a, b: T.exp(T.arange(a, 5.0, b)).sum(),
]


@pytest.mark.parametrize("cost", COSTS)
def test_gradients(cost: Callable[..., Any]) -> None:
    T.verify_grad(cost, [np.array(0.7), np.array(1.2)], rng=np.random.default_rng(0))
    a, b = T.dscalar(), T.dscalar()
    f = tensordsl.function([a, b], T.grad(T.arange(a, 5.0, b).sum(), [a, b]))
    assert [g.tolist() for g in f(0.7, 1.2)] == [4.0, 6.0]
