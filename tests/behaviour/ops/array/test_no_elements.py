"""Reductions of no elements: NumPy's results, and NumPy's errors where there is none."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import tensordsl
import tensordsl.tensor as T
from tensordsl.ifelse import ifelse
from tensordsl.ops.control import loop_index, make_loop
from tensordsl.types import ALL_DTYPES

NAMES = ("max", "min", "argmax", "argmin", "sum", "prod", "any", "all")


@pytest.mark.parametrize("mode", [None, "REFERENCE"])
@pytest.mark.parametrize("name", NAMES)
def test_as_numpy(name: str, mode: str | None) -> None:
    x = T.matrix("x")
    for axis in (None, 0, 1, -1):
        f = tensordsl.function([x], getattr(x, name)(axis=axis), mode=mode)
        for shape in ((0, 0), (0, 3), (3, 0), (1, 1)):
            a = np.zeros(shape)
            try:
                want = getattr(a, name)(axis=axis)
            except ValueError:
                with pytest.raises(ValueError, match=f"{name}: .*(no identity|empty sequence)"):
                    f(a)
            else:
                got = f(a)
                assert got.dtype == want.dtype and got.tolist() == want.tolist()


@pytest.mark.parametrize("dtype", ALL_DTYPES)
def test_every_dtype(dtype: str) -> None:
    x = T.vector("x", dtype=dtype)
    for function in (T.max, T.min, T.argmax, T.argmin):
        f = tensordsl.function([x], function(x))
        with pytest.raises(ValueError, match=f"{function.__name__}: "):
            f(np.zeros(0, dtype))
        assert f(np.ones(1, dtype)) == (function.__name__ in ("max", "min"))


def test_nothing_is_written_before() -> None:
    s, x = tensordsl.shared(np.arange(3.0)), T.vector("x")
    f = tensordsl.function([x], [], updates=[(s, s + T.max(x))])
    with pytest.raises(ValueError, match="max: "):
        f([])
    np.testing.assert_array_equal(s.get_value(), [0, 1, 2])


def test_a_branch_that_is_not_taken_needs_none() -> None:
    c, x = T.bscalar("c"), T.vector("x")
    f = tensordsl.function([c, x], ifelse(c, T.max(x), x.sum()))
    assert f(0, []) == 0 and f(1, [2, 3]) == 3
    with pytest.raises(ValueError, match="max: "):
        f(1, [])


def test_a_loop_without_rounds_needs_none() -> None:
    n, x = T.lscalar("n"), T.vector("x")
    i, k = loop_index(), T.vector()
    f = tensordsl.function([n, x], make_loop(n, i, [k], [x], [k + T.max(k)], [])[0])
    assert f(0, []).shape == (0,) and f(2, [1.0]).tolist() == [4]
    with pytest.raises(ValueError, match="max"):
        f(2, [])


def test_what_is_made_of_them_and_has_a_limit() -> None:
    """logsumexp of nothing is log 0; softmax of rows without elements has none."""
    x = T.matrix("x")
    outputs: list[Any] = [T.nnet.softmax(x), T.nnet.logsoftmax(x), T.logsumexp(x, 1)]
    for mode in (None, "REFERENCE"):
        f = tensordsl.function([x], outputs, mode=mode)
        assert [v.shape for v in f(np.zeros((0, 3)))] == [(0, 3), (0, 3), (0,)]
        shares, logs, sums = f(np.zeros((3, 0)))
        assert shares.shape == logs.shape == (3, 0) and (sums == -np.inf).all()
