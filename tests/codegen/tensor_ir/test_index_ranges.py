"""Indices that the range of their loop proves to be in range: nothing of a round checks or wraps them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import tensordsl
import tensordsl.tensor as T
from tensordsl.codegen.compiler.pipeline import make_program
from tensordsl.codegen.program_ir import instructions as p
from tensordsl.codegen.program_ir.instructions import walk_program
from tensordsl.codegen.tensor_ir import extents as ex
from tensordsl.codegen.tensor_ir.extents import Extents

X, H = T.dmatrix("x"), T.dvector("h")


def checks(inputs: list[Any], outputs: list[Any]) -> int:
    """How many checks of indices there are within loops."""
    _, program, _ = make_program("f", inputs, [], outputs, [], False)
    rounds = [i for i in walk_program(program.code) if isinstance(i, p.For)]
    inside = [i for r in rounds for i in walk_program(r.body) if isinstance(i, p.Check)]
    return sum("index" in str(program.sites[i.site]["text"]) for i in inside)


def test_ranges_prove_what_follows_from_them() -> None:
    e = Extents()
    n, m = ex.atom("arg", 0, 0), ex.atom("arg", 1, 0)
    i, k = ex.atom("value", 5), ex.atom("value", 6)
    e.bound(6, [0], [n])  # k <= n
    e.bound(5, [0], [ex.sub(k, 1)])  # i < k
    assert e.is_never_negative(i)
    assert e.is_never_negative(ex.sub(ex.sub(n, 1), i))
    assert e.is_never_negative(ex.sub(ex.mul(m, ex.sub(n, 1)), ex.mul(m, i)))
    assert not e.is_never_negative(ex.sub(ex.sub(m, 1), i))
    assert not e.is_never_negative(ex.sub(i, 1))
    assert e.is_negative(i) == 0 and e.is_negative(ex.sub(i, 1)) != 0
    assert e.minimum(i, n) == i and e.maximum(0, i) == i


@pytest.mark.parametrize("backwards", [False, True])
def test_elements_of_sequences_are_not_checked(backwards: bool) -> None:
    y, _ = tensordsl.scan(lambda a, s: T.tanh(a + s), X, H, go_backwards=backwards)
    assert checks([X, H], [y, *T.grad(y.sum(), [X, H])]) == 0


def test_taps_and_the_shortest_of_several_sequences_are_not_checked() -> None:
    z = T.dmatrix("z")
    y, _ = tensordsl.scan(lambda a, b, c, s: a * b + c + s, [{"input": X, "taps": [-1, 2]}, z], H)
    assert checks([X, z, H], [y, *T.grad(y.sum(), [X, H])]) == 0


@pytest.mark.parametrize("steps", [3, T.lscalar("n")], ids=str)
def test_a_number_of_rounds_is_checked_once(steps: Any) -> None:
    y, _ = tensordsl.scan(lambda a, s: a * s, X, H, n_steps=steps)
    inputs = [X, H] if steps == 3 else [X, H, steps]
    assert checks(inputs, [y, *T.grad(y.sum(), [X, H])]) == 0
    f = tensordsl.function(inputs, y)
    more = [] if steps == 3 else [3]
    assert f(np.ones((5, 2)), np.ones(2), *more).shape == (3, 2)
    with pytest.raises(ValueError, match="sequence 0 .*has fewer elements than n_steps rounds need"):
        f(np.ones((2, 2)), np.ones(2), *more)


def test_slices_of_a_window_are_addresses() -> None:
    y, _ = tensordsl.scan(lambda i: X[i : i + 2].sum(0), T.arange(X.shape[0] - 1))
    x = np.arange(12.0).reshape(4, 3)
    np.testing.assert_array_equal(tensordsl.function([X], y)(x), x[:-1] + x[1:])


def test_other_indices_are_checked() -> None:
    k = T.lscalar("k")
    y, _ = tensordsl.scan(lambda a, s: s + a[k] + X[T.cast(s[0], "int64")], X, H)
    assert checks([X, H, k], [y]) > 0
    f = tensordsl.function([X, H, k], y)
    x = np.zeros((3, 2))
    assert f(x, np.zeros(2), -1).shape == (3, 2)
    for start, k_given in ((9.0, 0), (0.0, 2), (-4.0, 0)):
        with pytest.raises(IndexError):
            f(x, np.full(2, start), k_given)


def test_an_index_from_the_end_may_pass_zero() -> None:
    """x[t - 1] of the first round is the last element."""
    x = np.arange(6.0).reshape(3, 2)
    y, _ = tensordsl.scan(lambda t: X[t - 1], T.arange(X.shape[0]))
    np.testing.assert_array_equal(tensordsl.function([X], y)(x), np.roll(x, 1, axis=0))
