"""Matrices for tests of linear algebra, and what compares functions of them with NumPy."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

import tensordsl
import tensordsl.tensor as T
from tensordsl.types import TensorType

Array = Any
DTYPES = ("float32", "float64", "complex64", "complex128")
BATCHES: tuple[tuple[int, ...], ...] = ((), (3,), (2, 1, 2), (0,))
TOLERANCE = {"float32": 2e-3, "complex64": 2e-3, "float64": 1e-9, "complex128": 1e-9}


def random_matrices(dtype: str, *shape: int, seed: int = 0) -> Array:
    rng = np.random.default_rng(seed)
    x = rng.normal(size=shape)
    if np.dtype(dtype).kind == "c":
        x = x + 1j * rng.normal(size=shape)
    return x.astype(dtype)


def regular(dtype: str, batch: tuple[int, ...] = (), n: int = 4, seed: int = 1) -> Array:
    """Well conditioned square matrices."""
    return (random_matrices(dtype, *batch, n, n, seed=seed) + 4 * np.eye(n)).astype(dtype)


def adjoint(a: Array) -> Array:
    return np.conj(np.swapaxes(a, -1, -2))


def positive(dtype: str, batch: tuple[int, ...] = (), n: int = 4, seed: int = 2) -> Array:
    """Hermitian positive definite matrices."""
    a = random_matrices(dtype, *batch, n, n, seed=seed)
    return (a @ adjoint(a) + np.eye(n)).astype(dtype)


def evaluated(build: Callable[..., Any], *arrays: Array, mode: Any = None) -> list[Array]:
    """The results of a function of variables of the arrays' dtypes and ranks, natively."""
    variables = [TensorType(a.dtype.name, (None,) * a.ndim)() for a in map(np.asarray, arrays)]
    built = build(*variables)
    outputs = list(built) if isinstance(built, list | tuple) else [built]
    kept = [np.array(a) for a in arrays]
    found = tensordsl.function(variables, outputs, mode=mode, on_unused_input="ignore")(*arrays)
    for before, after in zip(kept, arrays, strict=True):
        np.testing.assert_array_equal(before, after)  # no call changes its arguments
    return list(found)


def assert_like(build: Callable[..., Any], want: Any, *arrays: Array, dtypes: bool = True) -> None:
    """The native results are close to `want`, and of its dtypes and shapes."""
    wanted = list(want) if isinstance(want, list | tuple) else [want]
    found = evaluated(build, *arrays)
    assert len(found) == len(wanted)
    for got, wish in zip(found, map(np.asarray, wanted), strict=True):
        assert got.shape == wish.shape
        assert not dtypes or got.dtype == wish.dtype
        close = TOLERANCE.get(got.dtype.name, 0)
        scale = np.abs(wish[np.isfinite(wish)]).max(initial=1) if wish.dtype.kind in "fc" else 1
        np.testing.assert_allclose(got, wish, rtol=close, atol=close * scale)


def each(function: Callable[..., Any], *arrays: Array, core: int = 2) -> Any:
    """What a function of matrices gives for all of a batch."""
    batch = arrays[0].shape[: arrays[0].ndim - core]
    parts = [function(*(a[k] for a in arrays)) for k in np.ndindex(batch)]
    if isinstance(parts[0], tuple):
        return [np.array(p).reshape(*batch, *np.shape(p[0])) for p in zip(*parts, strict=True)]
    return np.array(parts).reshape(*batch, *np.shape(parts[0]))


def flat(*parts: Any) -> Any:
    """All real and imaginary parts of variables in one vector."""
    found = []
    for part in parts:
        found.append(T.flatten(T.real(part)))
        if part.type.dtype.startswith("complex"):
            found.append(T.flatten(T.imag(part)))
    return T.concatenate(found)
