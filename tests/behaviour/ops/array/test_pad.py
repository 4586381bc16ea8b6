"""Padding: NumPy judges."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from vocabulary import Case, check_all

import tensordsl
import tensordsl.tensor as T
from tensordsl.gradient import verify_grad
from tensordsl.graph import ancestors

RANDOM = np.random.default_rng(0)
MODES = ["constant", "edge", "reflect", "symmetric", "wrap"]
WIDTHS: list[Any] = [
    0,
    1,
    5,
    (2,),
    (1, 0),
    (0, 7),
    [(1, 2)],
    ((1, 2), (3, 0)),
    ((0, 0), (2, 9)),
    np.array([[1, 0], [0, 1]]),
]


@pytest.mark.parametrize("mode", MODES)
def test_pad(mode: str) -> None:
    for shape in ((3, 4), (1, 2), (4, 1)):
        cases: list[Case] = [
            (f"{mode} {w}", lambda x, w=w: T.pad(x, w, mode=mode), lambda x, w=w: np.pad(x, w, mode=mode))
            for w in WIDTHS
        ]
        check_all(cases, [RANDOM.normal(size=shape)])


@pytest.mark.parametrize("values", [3, (1, 2), ((1, 2), (3, 4)), 2.7])
def test_constants(values: Any) -> None:
    for a in (np.arange(6).reshape(2, 3), np.ones((2, 3), "complex64")):
        judge = lambda x: np.pad(x, ((1, 2), (2, 1)), constant_values=values)  # noqa: E731
        check_all([("pad", lambda x: T.pad(x, ((1, 2), (2, 1)), constant_values=values), judge)], [a])


@pytest.mark.parametrize("dtype", ["float64", "float16", "complex64", "int8", "bool"])
def test_a_frame_of_one_constant(dtype: str) -> None:
    """Around several axes; with one length known, and none."""
    for shape in ((2, 3, 4), (1, 1, 1), (0, 5, 2), (3, 0, 0), (7, 1, 40)):
        a = (RANDOM.normal(size=shape) * 9).astype(dtype)
        for x in (T.TensorType(dtype, (None,) * 3)(), T.TensorType(dtype, (shape[0], None, None))()):
            for widths in (1, ((0, 0), (2, 1), (0, 3)), ((5, 0), (0, 1), (0, 0))):
                for constant in (0, -0.0, 1):
                    y = T.pad(x, widths, constant_values=constant)
                    got, want = tensordsl.function([x], y)(a), np.pad(a, widths, constant_values=constant)
                    np.testing.assert_array_equal(got, want)
                    assert got.dtype == want.dtype and got.tobytes() == want.tobytes()
                    assert "concatenate" not in [v.owner.op.name for v in ancestors([y]) if v.owner]


@pytest.mark.parametrize("mode", MODES)
def test_gradients(mode: str) -> None:
    verify_grad(lambda x: T.pad(x, ((2, 1), (0, 5)), mode), [RANDOM.normal(size=(3, 2))], rng=np.random.RandomState(0))


@pytest.mark.parametrize("mode", MODES)
def test_widths_known_when_it_runs(mode: str) -> None:
    x, n = T.vector("x"), T.lscalar("n")
    f = tensordsl.function([x, n], T.pad(x, (n, 1), mode))
    for width in (0, 2, 7):
        np.testing.assert_array_equal(f([1.0, 2, 3], width), np.pad([1.0, 2, 3], (width, 1), mode))
    with pytest.raises(ValueError, match="must not be negative"):
        f([1.0, 2, 3], -1)
    if mode != "constant":
        with pytest.raises(ValueError, match="without elements"):
            f([], 1)


def test_what_is_refused() -> None:
    x = T.matrix("x")
    for arguments in ((-1,), ((1, 2, 3),), (((1, 2),) * 3,), (1, "mean")):
        with pytest.raises(ValueError, match="pad: "):
            T.pad(x, *arguments)
    with pytest.raises(TypeError, match="pad: "):
        T.pad(x, 1.5)
