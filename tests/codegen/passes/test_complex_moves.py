"""Moves of complex numbers: one for both parts, whose results are NumPy's to the bit."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import tensordsl
import tensordsl.tensor as T
from tensordsl.codegen.compiler.pipeline import optimise_lowered
from tensordsl.codegen.tensor_ir.graph import toposort
from tensordsl.codegen.tensor_ir.lower import lower
from tensordsl.types import COMPLEX

SPECIAL = (0.0, -0.0, np.nan, np.inf, -np.inf, 1.0, -1.5)
z, w = T.zmatrix("z"), T.zmatrix("w")


def moves(*outputs: Any) -> list[tuple[str, str]]:
    """(op, dtype) of the moves that are left."""
    lowered = lower([z, w], [], outputs, [])
    optimise_lowered(lowered, on_cpu=True)
    return [(v.op, v.dtype) for v in toposort(lowered.outputs) if v.traits.moves_only]


def written(v: Any) -> Any:
    return T.set_subtensor(v[1:3], T.conj(v[:2]))


@pytest.mark.parametrize(
    ("output", "left"),
    [
        (z.flatten(), ["reshape"]),
        (z + z[::-1], ["subtensor"]),
        (z * w[::-1] - 1, ["subtensor"]),
        (T.concatenate([z, w * z]), ["concatenate"]),
        (T.concatenate([z, T.conj(w)]).flatten() * 2, ["concatenate", "reshape"]),
        (T.pad(z.T, 1), ["inc_subtensor"]),
        (T.inc_subtensor(z[[0, 2]], w[:2]), ["subtensor", "inc_take"]),
        (written(z), ["subtensor", "inc_subtensor"]),
        (T.inc_subtensor(z[:, 1], w[:, 0]) * w, ["subtensor", "inc_subtensor"]),
    ],
)
def test_moves_of_both_parts_are_one(output: Any, left: list[str]) -> None:
    found = moves(output)
    assert sorted(op for op, _ in found) == sorted(left)
    assert {dtype for _, dtype in found} == {"complex128"}


def test_moves_of_one_part_stay() -> None:
    assert moves(z.real[::2]) == [("subtensor", "float64")]


def test_parts_that_are_moved_apart_stay() -> None:
    assert moves(z.real[::2] + z.imag[1::2]) == [("subtensor", "float64")] * 2


def test_a_move_that_depends_on_the_other_one_stays() -> None:
    re = T.concatenate([z.real, w.real])
    im = T.concatenate([z.imag, T.exp(re[: z.shape[0]])])
    assert ("concatenate", "complex128") not in moves(T.complex(re, im))
    a, b = values((3, 4), "complex128", 0), values((3, 4), "complex128", 1)
    want = np.concatenate([a.real, b.real]) + 1j * np.concatenate([a.imag, np.exp(a.real)])
    np.testing.assert_allclose(tensordsl.function([z, w], T.complex(re, im))(a, b), want)


# -- values ------------------------------------------------------------------------------------------------------------
def values(shape: Any, dtype: str, seed: int, special: bool = False) -> Any:
    rng = np.random.default_rng(seed)
    parts = [rng.choice(SPECIAL, shape) if special else rng.standard_normal(shape) for _ in range(2)]
    made = np.empty(shape, dtype)
    made.real, made.imag = parts
    return made


def laid_out(a: Any) -> list[Any]:
    """The same values in other places of memory."""
    backwards, steps = a[:, ::-1].copy()[:, ::-1], np.repeat(a, 2, axis=1)[:, ::2]
    bytes_ = np.zeros(a.nbytes + 3, "uint8")
    odd = np.ndarray(a.shape, a.dtype, bytes_.data, 3)
    odd[...] = a
    return [a, np.asfortranarray(a), backwards, steps, a[::-1].copy()[::-1], odd]


def changed(a: Any, where: Any, to: Any) -> Any:
    a = a.copy()
    a[where] = to
    return a


CASES: dict[str, tuple[Callable[..., Any], Callable[..., Any]]] = {
    "flatten": (lambda x: x.flatten(), lambda a: a.flatten()),
    "columns joined": (lambda x: T.concatenate([x, x], 1), lambda a: np.concatenate([a, a], 1)),
    "stacked": (lambda x: T.stack([x, x], 2), lambda a: np.stack([a, a], 2)),
    "tiles": (lambda x: T.tile(x, (2, 2)), lambda a: np.tile(a, (2, 2))),
    "repeated": (lambda x: T.repeat(x, 2, 0), lambda a: np.repeat(a, 2, 0)),
    "rolled": (lambda x: T.roll(x, 1, 1), lambda a: np.roll(a, 1, 1)),
    "padded": (lambda x: T.pad(x, 1), lambda a: np.pad(a, 1)),
    "joined with ones": (lambda x: T.concatenate([x, T.ones_like(x)]), lambda a: np.concatenate([a, np.ones_like(a)])),
    "sums": (lambda x: x + x[::-1, ::-1], lambda a: a + a[::-1, ::-1]),
    "differences": (lambda x: T.diff(x, axis=0), lambda a: np.diff(a, axis=0)),
    "a column set": (lambda x: T.set_subtensor(x[:, 1], 1), lambda a: changed(a, (slice(None), 1), 1)),
    "rows from itself": (lambda x: T.set_subtensor(x[1:], x[:-1]), lambda a: changed(a, slice(1, None), a[:-1])),
    "rows added": (lambda x: T.inc_subtensor(x[::2], x[::2]), lambda a: changed(a, slice(None, None, 2), a[::2] + a[::2])),
    "rows at positions set": (lambda x: T.set_subtensor(x[[0, -1, 0]], x[0]), lambda a: changed(a, [0, -1], a[:1])),
    "columns at positions added": (lambda x: T.inc_subtensor(x[:, [1, 0]], x[:, 0, None]), lambda a: changed(a, (slice(None), [1, 0]), a[:, [1, 0]] + a[:, :1])),
    "added to nothing": (lambda x: T.inc_subtensor(T.zeros_like(x)[1:], x[1:]), lambda a: changed(np.zeros_like(a), slice(1, None), 0 + a[1:])),
}  # fmt: skip


@pytest.mark.parametrize("dtype", COMPLEX)
@pytest.mark.parametrize("name", CASES)
def test_values_are_those_of_numpy(name: str, dtype: str) -> None:
    x = T.matrix("x", dtype=dtype)
    build, oracle = CASES[name]
    f = tensordsl.function([x], build(x))
    for shape in ((3, 2), (1, 2), (7, 20), (40, 7), (3, 300)):
        for a in laid_out(values(shape, dtype, sum(shape), special=True)):
            with np.errstate(invalid="ignore"):
                want = oracle(a)
            got = f(a)
            assert got.dtype == want.dtype and got.shape == want.shape
            for u, v in ((got.real, want.real), (got.imag, want.imag)):
                np.testing.assert_array_equal(u, v)
                sure = ~np.isnan(v)
                np.testing.assert_array_equal(np.signbit(u)[sure], np.signbit(v)[sure])
