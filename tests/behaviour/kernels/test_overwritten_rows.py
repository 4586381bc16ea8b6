"""Rows whose last pass reads what it writes over, as that of a softmax does: of any length."""

from __future__ import annotations

import numpy as np
import pytest

import tensordsl
import tensordsl.tensor as T


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_rows_that_are_read_where_they_are_written_end_with_their_last_whole_vector(dtype: str) -> None:
    """Lanes that were done before stay as they are: exponentials are divided once."""
    x = T.matrix("x", dtype=dtype)
    state = tensordsl.shared(np.zeros((0, 0), dtype))
    softmax = T.exp(x) / T.exp(x).sum(axis=1, keepdims=True)
    f = tensordsl.function([x], softmax)
    g = tensordsl.function([], updates=[(state, T.exp(state) / T.exp(state).sum(axis=1, keepdims=True))])
    rng = np.random.default_rng(9)
    for columns in (*range(1, 140), 255, 256, 257, 4095, 4097, 5000):
        a = rng.normal(size=(7, columns)).astype(dtype)
        wanted = np.exp(a.astype("float64"))
        wanted /= wanted.sum(1, keepdims=True)
        state.set_value(a)
        g()
        for result in (f(a), f(a[::-1])[::-1], f(np.asfortranarray(a)), state.get_value()):
            np.testing.assert_allclose(result, wanted, rtol=1e-12 if dtype == "float64" else 3e-6)
