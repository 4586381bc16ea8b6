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
    for arguments in ((-1,), ((1, 2, 3),), (((1, 2),) * 3,), (1, "mirror")):
        with pytest.raises(ValueError, match="pad: "):
            T.pad(x, *arguments)
    with pytest.raises(TypeError, match="pad: "):
        T.pad(x, 1.5)


OTHERS: list[tuple[str, dict[str, Any]]] = [
    ("linear_ramp", {}), ("linear_ramp", {"end_values": ((1, 2), (3, -4))}), ("maximum", {"stat_length": 2}),
    ("maximum", {}), ("minimum", {"stat_length": ((1, 2), (3, 9))}), ("mean", {}), ("mean", {"stat_length": (2, 3)}),
    ("median", {}), ("median", {"stat_length": 2}), ("reflect", {"reflect_type": "odd"}),
    ("symmetric", {"reflect_type": "odd"}),
]  # fmt: skip


@pytest.mark.parametrize("dtype", ["float64", "int64"])
@pytest.mark.parametrize(("mode", "keywords"), OTHERS)
def test_numpys_other_modes(mode: str, keywords: dict[str, Any], dtype: str) -> None:
    for shape in ((3, 4), (1, 2), (4, 1)):
        a, x = (RANDOM.normal(size=shape) * 9).astype(dtype), T.matrix(dtype=dtype)
        widths = [*WIDTHS, ((7, 5), (9, 8))]
        results = tensordsl.function([x], [T.pad(x, w, mode=mode, **keywords) for w in widths])(a)
        for w, got in zip(widths, results, strict=True):
            want = np.pad(a, w, mode=mode, **keywords)
            assert got.dtype == want.dtype
            np.testing.assert_allclose(got, want, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(("mode", "keywords"), OTHERS)
def test_other_modes_have_gradients_and_symbolic_widths(mode: str, keywords: dict[str, Any]) -> None:
    x = np.array([[1.0, 5.0, 2.0], [4.0, 3.0, 9.0]])
    build = lambda v: T.pad(v, ((1, 2), (2, 1)), mode=mode, **keywords)
    verify_grad(build, [x])
    v, n = T.matrix("v"), T.lscalar("n")
    point = RANDOM.normal(size=x.shape)
    tangent = tensordsl.Rop(build(v), v, T.constant(point)).eval({v: x})
    differences = (build(v).eval({v: x + 1e-6 * point}) - build(v).eval({v: x - 1e-6 * point})) / 2e-6
    np.testing.assert_allclose(tangent, differences, atol=1e-6)
    f = tensordsl.function([v, n], T.pad(v, ((n, 0), (1, n)), mode=mode, **keywords))
    for width in (0, 1, 4):
        np.testing.assert_allclose(f(x, width), np.pad(x, ((width, 0), (1, width)), mode, **keywords))
    with pytest.raises(ValueError, match="without elements|zero-size"):
        f(np.zeros((0, 3)), 1)


def test_what_other_modes_refuse() -> None:
    x = T.matrix()
    with pytest.raises(TypeError, match="function as mode"):
        T.pad(x, 1, mode=lambda vector, widths, axis, keywords: None)
    with pytest.raises(ValueError, match="reflect_type"):
        T.pad(x, 1, mode="reflect", reflect_type="both")
    with pytest.raises(ValueError, match="stat_length"):
        T.pad(x, 1, mode="mean", stat_length=0)
    with pytest.raises(ValueError, match="1 or more"):
        n = T.lscalar()
        tensordsl.function([x, n], T.pad(x, 1, mode="mean", stat_length=n))(np.ones((2, 2)), 0)


def test_widths_by_axis_and_numpys_function() -> None:
    a = np.arange(6.0).reshape(2, 3)
    x = T.matrix()
    for widths in ({1: 2}, {-1: (1, 2)}, {0: (0, 1), 1: 3}):
        pairs = [(0, 0), (0, 0)]
        for axis, pair in widths.items():
            pairs[axis] = pair if isinstance(pair, tuple) else (pair, pair)
        np.testing.assert_array_equal(T.pad(x, widths, mode="edge").eval({x: a}), np.pad(a, pairs, "edge"))
    assert T.pad(x, 1, mode="empty").eval({x: a})[1:-1, 1:-1].tolist() == a.tolist()
    got = np.pad(x, 1, "linear_ramp", end_values=2).eval({x: a})
    np.testing.assert_allclose(got, np.pad(a, 1, "linear_ramp", end_values=2))
