"""Square roots and logarithms of matrices."""

from __future__ import annotations

import sys

import numpy as np
import pytest
from matrices import BATCHES, DTYPES, TOLERANCE, evaluated, positive, random_matrices, regular

import tensordsl.tensor as T

LA = T.linalg


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("batch", BATCHES)
def test_square_roots_and_logarithms(dtype: str, batch: tuple[int, ...]) -> None:
    for a in (positive(dtype, batch), regular(dtype, batch), random_matrices(dtype, *batch, 0, 0)):
        (root,) = evaluated(LA.sqrtm, a)
        assert root.dtype == dtype and root.shape == a.shape
        np.testing.assert_allclose(root @ root, a, atol=TOLERANCE[dtype])
        (log,) = evaluated(LA.logm, a)
        np.testing.assert_allclose(evaluated(LA.expm, log)[0], a, atol=TOLERANCE[dtype])


def test_roots_of_other_matrices() -> None:
    """NaN where the result would be complex, as of numbers; each matrix of a batch by itself."""
    rotation = np.array([[0.0, -1.0], [1.0, 0.0]])
    (root,) = evaluated(LA.sqrtm, np.stack([np.diag([-1.0, 4.0]), np.diag([1.0, 4.0]), rotation]))
    assert np.isnan(root[0]).all()
    np.testing.assert_allclose(root[1:], [np.diag([1, 2]), np.sqrt(0.5) * np.array([[1, -1], [1, 1]])], atol=1e-12)
    (root,) = evaluated(LA.sqrtm, np.diag([-1 + 0j, 4]))
    np.testing.assert_allclose(root, np.diag([1j, 2]), atol=1e-12)
    (log,) = evaluated(LA.logm, np.stack([-np.eye(2), rotation, np.full((2, 2), np.inf)]))
    assert np.isnan(log[[0, 2]]).all()
    np.testing.assert_allclose(log[1], np.pi / 2 * rotation, atol=1e-12)
    (log,) = evaluated(LA.logm, -np.eye(2) + 0j)
    np.testing.assert_allclose(log, np.pi * 1j * np.eye(2), atol=1e-12)
    np.testing.assert_array_equal(evaluated(LA.sqrtm, np.zeros((2, 2)))[0], 0)


def test_roots_without_scipy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "scipy.linalg", None)
    for name in ("sqrtm", "logm", "ordqz"):
        function, what = getattr(LA, name), name.replace("ordqz", "qz")
        with pytest.raises(
            ImportError, match=f"{what} is computed by SciPy, which is not installed: pip install scipy"
        ):
            evaluated(lambda x, f=function: f(x, x) if f is LA.ordqz else f(x), np.eye(2))
