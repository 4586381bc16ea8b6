"""NumPy's functions, ufuncs and methods of ufuncs called with variables: what NumPy gives for the values."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest

import tensordsl
import tensordsl.tensor as T
from tensordsl.tensor.dispatch import FUNCTIONS, UFUNCS

RNG = np.random.default_rng(7)
X = RNG.normal(size=(3, 4))
V = np.array([3.0, -1.0, 0.5, 2.0])
I = np.array([[2, 0, 7, 1], [1, 1, 3, 0], [5, 2, 0, 0]])  # noqa: E741
M = X > 0
NAN = np.where(X > 1, np.nan, X)

# Calls with every way of giving arguments; all are run with variables and with arrays.
CALLS = """
np.sum(x, 0, None, None, True)          np.sum(x, axis=1, dtype='float32', out=None)    np.sum(x, where=m)
np.sum(x, axis=0, initial=5.0)          np.sum(i, where=m, axis=1, initial=2)           np.prod(x, where=m, axis=0)
np.max(x, axis=0, initial=0.3)          np.max(x, where=m, initial=-9.0)                np.min(x, 1, None, True, 0.0, m)
np.mean(x, where=m)                     np.mean(x, axis=0, where=v > 0, keepdims=True)  np.mean(x, 1, 'float32')
np.std(x, ddof=1)                       np.var(x, axis=0, correction=1)                 np.var(x, where=m)
np.std(x, axis=1, where=m, ddof=0)      np.var(i, dtype='float32')                      np.all(m, axis=0)
np.any(m, where=x > 1)                  np.all(i, 1, where=m)                           np.nansum(n, where=m)
np.nanmean(n, axis=1)                   np.ptp(x, axis=0, keepdims=True)                np.amax(x, 1)
np.round(x, 2)                          np.around(x * 100, decimals=-1)                 np.clip(x, 0, 1)
np.clip(x, None, 0.5)                   np.clip(x, a_min=0.1, a_max=None)               np.clip(x, min=-1, max=1)
np.diff(x, 1, 0, prepend=v[None])       np.diff(v, append=[1.0, 2.0])                   np.ravel(x)
np.reshape(x, (4, 3))                   np.reshape(x, shape=(2, 6))                     np.transpose(x, axes=(1, 0))
np.atleast_3d(v)                        np.atleast_3d(x)                                np.atleast_1d(v, x)
np.take_along_axis(x, i % 3, 0)         np.take_along_axis(x, i[0], axis=None)      np.where(m, x, 0)
np.where(m)                             np.nonzero(i)                                   np.concatenate([x, i], axis=None)
np.concatenate((x, x), 1, dtype='float32')  np.stack([v, v], axis=-1)                   np.stack([v, i[0]], 0, dtype='float32')
np.split(x, 2, axis=1)                  np.split(v, [1, 3])                             np.array_split(v, 3)
np.hstack([x, x], dtype='float32')      np.vstack((v, x))                               np.block([[x], [x]])
np.size(x)                              np.size(x, 1)                                   np.copy(x)
np.linspace(v[0], v[1], 4)              np.geomspace(v[0], 9.0, 3)                      np.logspace(v[2], 1.0, num=3)
np.full_like(x, 2, dtype='int8')        np.zeros_like(i, 'float32')                     np.empty_like(x) * 0
np.flip(x, axis=1)                      np.rot90(x, k=3)                                np.roll(x, (1, 2), axis=(0, 1))
np.unravel_index(i, shape=(4, 5))       np.ravel_multi_index((i, i), (9, 9))            np.choose(i % 2, [x, -x])
np.compress([True, False, True], x, axis=0)  np.diag(v, k=1)                            np.flatnonzero(i)
np.matrix_transpose(x)                  np.isposinf(x / 0)                              np.angle(v, deg=True)
np.searchsorted(np.sort(v), x, side='right')  np.unique(i, return_counts=True)          np.sort(x, axis=None)
np.quantile(x, 0.3, axis=1)             np.percentile(x, [20, 40], 0, keepdims=True)    np.histogram(x, bins=3)
np.cov(x, ddof=0)                       np.average(x, 0, weights=[1, 2, 3])             np.interp(x, np.sort(v), v)
np.meshgrid(v, v, indexing='ij')        np.cross(x[:, :3], [[1.0, 2.0, 3.0]])           np.kron(v, v)
np.nan_to_num(n, nan=3.0)               np.tensordot(x, x, axes=((0, 1), (0, 1)))       np.vecdot(x, v)
np.einsum('ij,j->i', x, v)              np.pad(x, 1, mode='edge')                       np.permute_dims(x, (1, 0))
np.unstack(x[:2])                       np.cumulative_sum(v, include_initial=True)      np.astype(x, 'float32')
np.add(x, v, dtype='float32')           np.exp(i, dtype='float64')                      np.add(x, v, casting='same_kind')
np.divmod(x, 0.3)                       np.modf(x)                                      np.frexp(x)
np.equal(i, 1)                          np.not_equal(i, 1)                              np.logical_and(i, x)
np.logical_not(i)                       np.logical_xor(i, 0)                            np.positive(x)
np.fabs(i)                              np.hypot(x, v)                                  np.copysign(x, -v)
np.float_power(i, 2)                    np.fmod(x, 0.3)                                 np.heaviside(x, 0.5)
np.gcd(i, 6)                            np.lcm(i, 4)                                    np.logaddexp(x, v)
np.logaddexp2(x, v)                     np.signbit(x)                                   np.spacing(x)
np.degrees(x)                           np.radians(x)                                   np.fmax(n, 0)
np.matvec(x, v)                         np.vecmat(v, x.T)                               np.bitwise_count(i)
np.ldexp(x, 3)                          np.nextafter(x, 0)                              np.vecdot(x, x, axis=0)
np.add.reduce(x)                        np.add.reduce(x, axis=None)                     np.multiply.reduce(x, 1, keepdims=True)
np.maximum.reduce(x, axis=1)            np.minimum.reduce(i)                            np.logical_or.reduce(m, axis=0)
np.logical_and.reduce(i, 1)             np.add.reduce(x, 0, 'float32')                  np.add.reduce(x, where=m, initial=1.0)
np.logaddexp.reduce(x, axis=0)          np.fmax.reduce(n, axis=1)                       np.add.accumulate(x)
np.multiply.accumulate(x, axis=1)       np.add.accumulate(i, 0, 'float64')              np.add.outer(v, x)
np.multiply.outer(v, 2.0)               np.subtract.outer(i[0], v)                      np.maximum.outer([1.0, 0.0], v)
"""


def calls() -> list[str]:
    return [part.strip() for line in CALLS.splitlines() for part in line.split("  ") if part.strip()]


def results(value: Any) -> list[Any]:
    return list(value) if isinstance(value, (list, tuple)) else [value]


def test_against_numpy() -> None:
    values = dict(x=X, v=V, i=I, m=M, n=NAN)
    symbols = {k: T.specify_shape(T.TensorType(str(a.dtype), (None,) * a.ndim)(k), a.shape) for k, a in values.items()}
    inputs = [v.owner.inputs[0] for v in symbols.values()]
    texts, outputs, wanted = [], [], []
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        for text in calls():
            built, want = (results(eval(text, {"np": np, **given})) for given in (symbols, values))
            assert len(built) == len(want), text
            for v, w in zip(built, want, strict=True):
                texts.append(text)
                outputs.append(T.as_tensor_variable(v))
                wanted.append(np.asarray(w))
        found = tensordsl.function(inputs, outputs, on_unused_input="ignore")(*values.values())
    for text, got, want in zip(texts, found, wanted, strict=True):
        assert got.shape == want.shape and got.dtype.kind == want.dtype.kind, (text, got, want)
        np.testing.assert_allclose(got, want, rtol=1e-6 if "32" in f"{got.dtype}{want.dtype}" else 1e-12, err_msg=text)


def test_most_functions_and_all_ufuncs_are_there() -> None:
    assert len(FUNCTIONS["numpy"]) > 150
    ufuncs = {f.__name__ for f in vars(np).values() if isinstance(f, np.ufunc)} - {"isnat"}
    assert [name for name in sorted(ufuncs) if not callable(getattr(T, UFUNCS.get(name, name), None))] == []


def test_numbers_that_are_known_without_a_call() -> None:
    x, z = T.matrix(), T.zvector()
    assert np.ndim(x) == 2 and np.iscomplexobj(z) and np.isrealobj(x)
    assert np.result_type(T.fvector(), T.lvector()) == "float64" and np.can_cast(T.fvector().dtype, "float64")
    assert x.__array_namespace__() is T and x.__array_namespace__(api_version="2024.12").concat is T.concatenate


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda x: np.exp(x, out=np.zeros(2)), "numpy.exp: out= cannot be used with symbolic variables"),
        (lambda x: np.sum(x, out=np.zeros(())), "numpy.sum: out= cannot be used"),
        (lambda x: np.add.reduce(x, out=np.zeros(())), "numpy.add.reduce: out= cannot be used"),
        (lambda x: np.exp(x, where=x > 0), "where= would leave the other elements undefined; T.switch"),
        (lambda x: np.add.at(x, [0], 1.0), "numpy.add.at does not take symbolic variables: T.inc_subtensor"),
        (lambda x: np.add.reduceat(x, [0]), "numpy.add.reduceat does not take symbolic variables"),
        (lambda x: np.subtract.reduce(x), "numpy.subtract.reduce does not take symbolic variables: there is numpy.add"),
        (lambda x: np.maximum.accumulate(x), "numpy.maximum.accumulate does not take symbolic variables"),
        (lambda x: np.less(x, 1, dtype="float64"), "dtype=float64 does not fit a result of bools"),
        (lambda x: np.fill_diagonal(x, 0), "use T.fill_diagonal"),
        (lambda x: np.put(x, [0], 1), "numpy.put does not take symbolic variables"),
        (lambda x: np.median(x, overwrite_input=3), "the argument overwrite_input is not supported"),
        (lambda x: np.isnat(x), "no dates"),
        (lambda x: np.copyto(np.zeros(2), x), "numpy.copyto does not take symbolic variables"),
    ],
)  # fmt: skip
def test_what_is_refused_says_why(call: Any, text: str) -> None:
    with pytest.raises(TypeError, match=text):
        call(T.vector())


def test_gradients_pass() -> None:
    x = T.vector("x")
    cost = np.sum(np.square(np.clip(x, 0, 2)), where=x > 0.5) + np.add.reduce(np.diff(x, prepend=0)) + np.max(x)
    np.testing.assert_allclose(tensordsl.function([x], T.grad(cost, x))([0.2, 1.0, 3.0]), [0, 2, 2])
