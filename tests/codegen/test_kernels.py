"""The cases of fusion groups through kernels and nest library, against NumPy: shapes, special values, strides, canaries."""

from __future__ import annotations

from functools import cache
from typing import Any

import cases
import numpy as np
import pytest
from native import Runner, framed

Arrays = dict[str, np.ndarray]
SHAPES = [
    (0, 0),
    (0, 5),
    (5, 0),
    (1, 1),
    (3, 1),
    (1, 7),
    (5, 16),
    (4, 31),
    (7, 33),
    (2, 1000),
    (5, 1025),
    (37, 3),
    (1, 9001),
]
KINDS = ("random", "nan", "ties", "-inf", "strided", "reversed", "transposed", "broadcast")


@cache
def runner(name: str, dtype: str) -> Runner:
    return Runner(getattr(cases, name)(dtype))


def softmax(x: np.ndarray, axis: int) -> np.ndarray:
    e = np.exp(x - x.max(axis, keepdims=True))
    return e / e.sum(axis, keepdims=True)


def logsumexp(x: np.ndarray) -> np.ndarray:
    m = x.max(1, keepdims=True)
    return np.log(np.exp(x - m).sum(1)) + m[:, 0]


def layernorm(x: np.ndarray, g: np.ndarray, b: np.ndarray) -> np.ndarray:
    d = x - x.sum(1, keepdims=True) / x.dtype.type(x.shape[1])
    var = (d * d).sum(1, keepdims=True) / x.dtype.type(x.shape[1])
    return d * (1 / np.sqrt(var + x.dtype.type(1e-5))) * g + b


def meanvar(x: np.ndarray) -> Arrays:
    n = x.dtype.type(x.shape[1])
    mean = x.sum(1) / n
    return {"mean": mean, "var": ((x - mean[:, None]) ** 2).sum(1) / n}


def momentum(w: np.ndarray, m: np.ndarray, g: np.ndarray) -> Arrays:
    new = m * w.dtype.type(0.9) - g * w.dtype.type(0.01)
    return {"p": new, "q": w + new}


REFERENCE: dict[str, Any] = {
    "multiply_add": lambda x, y, z: {"o": x * y + z},
    "matrix_chain": lambda a, b, c, d: {"y": np.exp((a - b) ** 2 * a.dtype.type(-0.5)) * c[:, None] + d},
    "softmax": lambda x: {"y": softmax(x, 1)},
    "softmax0": lambda x: {"y": softmax(x, 0)},
    "argmax": lambda x: {"y": x.argmax(1)},
    "argmax0": lambda x: {"y": x.argmax(0)},
    "meanvar": meanvar,
    "gathersum": lambda w, idx: {"y": w[idx].sum(1)},
    "gathersum0": lambda w, idx: {"y": w[idx].sum(0)},
    "layernorm": lambda x, g, b: {"y": layernorm(x, g, b)},
    "fullsum": lambda a, b, c: {"y": np.asarray(np.exp(a * b + c).sum())},
    "total": lambda x: {"y": np.asarray(x.sum())},
    "colsum": lambda x: {"y": x.sum(0)},
    "crossentropy": lambda x, t: {"y": logsumexp(x) - x[np.arange(len(t)), t]},
    "broadcast3": lambda a, b: {"y": np.exp(a * a.dtype.type(0.5)) + b},
    "lookup": lambda x, t, w: {"y": (w[t] * x).sum(1)},
    "pick": lambda x, t: {"y": x[np.arange(len(t)), t]},
    "momentum": momentum,
}
NONEMPTY = {"softmax": (1,), "argmax": (1,), "crossentropy": (1,), "softmax0": (0,), "argmax0": (0,), "pick": (1,)}


def matrix(shape: tuple[int, int], dtype: str, kind: str, rng: np.random.Generator) -> np.ndarray:
    n, m = shape
    x = rng.standard_normal(shape).astype(dtype)
    if kind == "nan" and x.size:
        x.flat[rng.integers(x.size, size=max(1, x.size // 7))] = np.nan
        x.flat[rng.integers(x.size, size=2)] = np.inf
    if kind == "ties":
        x = np.round(x)
    if kind == "-inf":
        x[:] = -np.inf
    if kind == "strided":
        wide = np.zeros((2 * n, 3 * m + 1), dtype)
        wide[::2, 1::3][:, :m] = x
        x = wide[::2, 1::3][:, :m]
    if kind == "reversed":
        x = x[::-1, ::-1]
    if kind == "transposed":
        x = np.asfortranarray(x)
    if kind == "broadcast":
        x = np.broadcast_to(x[:, :1], shape)
    return x


def inputs(name: str, shape: tuple[int, int], dtype: str, kind: str, rng: np.random.Generator) -> Arrays:
    def make() -> np.ndarray:
        return matrix(shape, dtype, kind, rng)

    n, m = shape
    if name in ("multiply_add", "fullsum"):
        names = "xyz" if name == "multiply_add" else "abc"
        return {k: (make()[0] if n else np.zeros(0, dtype)) for k in names}
    if name == "matrix_chain":
        return {
            "a": make(),
            "b": make()[0] if n else np.zeros(m, dtype),
            "c": rng.standard_normal(n).astype(dtype),
            "d": make(),
        }
    if name.startswith("gathersum"):
        return {"w": make(), "idx": rng.integers(-n, n, size=n + 3) if n else np.zeros(0, np.int64)}
    if name == "layernorm":
        return {"x": make(), "g": rng.standard_normal(m).astype(dtype), "b": rng.standard_normal(m).astype(dtype)}
    if name in ("crossentropy", "pick"):
        return {"x": make(), "t": rng.integers(-m, m, size=n)}
    if name == "broadcast3":
        return {"a": make()[:, None, :], "b": rng.standard_normal((3, 1)).astype(dtype)}
    if name == "lookup":
        return {"x": make(), "t": rng.integers(-9, 9, size=shape), "w": rng.standard_normal(9).astype(dtype)}
    if name == "momentum":
        return {"w": make(), "m": make(), "g": make()}
    return {"x": make()}


def check(name: str, arrays: Arrays, kind: str, dtype: str) -> None:
    tolerance = 1e-11 if dtype == "float64" else 3e-5
    with np.errstate(all="ignore"):
        expected = REFERENCE[name](**arrays)
    got, checks = {}, []
    for k, v in expected.items():
        got[k], intact = framed(v.shape, str(v.dtype), 2 if kind == "strided" else 1)
        checks.append(intact)
    assert runner(name, dtype)(arrays | got) == 0
    for k, v in expected.items():
        if v.dtype == np.int64:
            np.testing.assert_array_equal(got[k], v, err_msg=k)
        else:
            np.testing.assert_allclose(got[k], v, rtol=tolerance, atol=tolerance * 10, err_msg=k)
    for intact in checks:
        intact()


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("name", REFERENCE)
def test_case_agrees_with_numpy(name: str, dtype: str) -> None:
    rng = np.random.default_rng(0)
    for shape in SHAPES:
        if any(shape[k] == 0 for k in NONEMPTY.get(name, ())):
            continue
        for kind in KINDS:
            if name == "layernorm" and kind == "broadcast":
                continue  # a constant row: the result is the rounding error of its mean
            arrays = inputs(name, shape, dtype, kind, rng)
            try:
                check(name, arrays, kind, dtype)
            except AssertionError as error:
                raise AssertionError(f"{name} {dtype} {shape} {kind}: {error}") from error
