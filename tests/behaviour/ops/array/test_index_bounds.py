"""Indices out of range are an IndexError as in NumPy, also where the result has no elements; and none where the broadcast
index has none."""

from __future__ import annotations

from collections.abc import Callable
from itertools import product
from typing import Any

import numpy as np
import pytest

import tensordsl
import tensordsl.tensor as T
from tensordsl.ifelse import ifelse

x, i, j, rows = T.matrix("x"), T.lvector("i"), T.lvector("j"), T.TensorType("int64", (None, 1))("rows")
few = T.TensorType("int8", (None,))("few")
mask = T.TensorType("bool", (None,))("mask")
LENGTHS = (0, 1, 3)
POSITIONS = ([], [0], [-1], [7], [0, -4])

READ: dict[str, tuple[list[Any], Callable[..., Any]]] = {
    "rows": ([i], lambda a, i: a[i]),
    "columns": ([i], lambda a, i: a[:, i]),
    "both": ([i, j], lambda a, i, j: a[i, j]),
    "outer": ([rows, i], lambda a, r, i: a[r, i]),
    "part of rows": ([i], lambda a, i: a[1:, i]),
    "no columns": ([i], lambda a, i: a[i, :0]),
    "new axis": ([i], lambda a, i: a[i, None]),
    "a column": ([i], lambda a, i: a[i, 0]),
    "rows where": ([mask], lambda a, m: a[m]),
    "columns where": ([mask], lambda a, m: a[:, m]),
    "bytes": ([few], lambda a, k: a[k]),
    "computed": ([i], lambda a, i: a[2 * i + 1]),
    "of a sum": ([rows], lambda a, r: a[r.sum(1)]),
    "of an index": ([i, j], lambda a, i, j: a[i[j]]),
    "totals": ([i], lambda a, i: a[i].sum(axis=1)),
    "maxima": ([i], lambda a, i: a[i].sum(axis=0) + 1),
    "computed on": ([i], lambda a, i: (a * 2 + 1)[i]),
    "known": ([], lambda a: a[:, [-1, 0]]),
}


def expected(compute: Callable[..., Any], *arguments: Any) -> Any:
    try:
        return compute(*arguments)
    except (IndexError, ValueError) as error:
        return type(error)


def check(f: Any, wanted: Any, *arguments: Any) -> None:
    if isinstance(wanted, type):
        with pytest.raises(wanted):
            f(*arguments)
        return
    got = f(*arguments)
    assert got.shape == wanted.shape
    np.testing.assert_array_equal(got, wanted)


def arguments_of(variables: list[Any]) -> list[list[Any]]:
    choices: dict[Any, Any] = {
        rows: [np.array(p, "int64").reshape(-1, 1) for p in POSITIONS],
        mask: [np.ones(n, bool) for n in LENGTHS[1:]],  # NumPy lets one of length 0 pass
        few: [np.array(p, "int8") for p in POSITIONS],
    }
    return [choices.get(v, [np.array(p, "int64") for p in POSITIONS]) for v in variables]


def fit(variables: list[Any], given: tuple[Any, ...]) -> bool:
    """Of one length, as they have one axis of unknown length; else they would broadcast."""
    return variables != [i, j] or len(given[0]) == len(given[1])


@pytest.mark.parametrize("mode", [None, "REFERENCE", "FAST_COMPILE"])
@pytest.mark.parametrize("name", READ)
def test_reading(name: str, mode: Any) -> None:
    variables, compute = READ[name]
    f = tensordsl.function([x, *variables], compute(x, *variables), mode=mode)
    for given in filter(lambda g: fit(variables, g), product(*arguments_of(variables))):
        for shape in product(LENGTHS, LENGTHS):
            a = np.arange(9.0)[: shape[0] * shape[1]].reshape(shape)
            check(f, expected(compute, a, *given), a, *given)


def test_reading_of_shared_variables_and_in_branches_and_loops() -> None:
    s = tensordsl.shared(np.zeros((3, 0)))
    yes = T.bscalar()
    outputs = (s[i], ifelse(yes, x[i], x), T.jacobian(x[i].sum(axis=1), x))
    f, chosen, slopes = (tensordsl.function([x, i, yes], o, on_unused_input="ignore") for o in outputs)
    a = np.zeros((3, 0))
    for g, is_taken in ((f, 0), (chosen, 1), (slopes, 0)):
        with pytest.raises(IndexError, match="index 7 is out of bounds for axis 0 with size 3"):
            g(a, [7], is_taken)
        g(a, [2], is_taken)
    assert chosen(a, [7], 0).shape == (3, 0)


@pytest.mark.parametrize("is_set", [False, True])
@pytest.mark.parametrize("name", ["rows", "columns", "both", "outer", "a column", "no columns", "bytes"])
def test_writing(name: str, is_set: bool) -> None:
    variables, index = READ[name]
    part = index(x, *variables)
    f = tensordsl.function([x, *variables], (T.set_subtensor if is_set else T.inc_subtensor)(part, 5.0))

    def compute(a: Any, *given: Any) -> Any:
        numbers = index(np.arange(a.size).reshape(a.shape), *given)  # raises what NumPy's writing does
        a = a.copy()
        if is_set:
            a.flat[numbers] = 5.0
        else:
            np.add.at(a.reshape(-1), numbers.reshape(-1), 5.0)
        return a

    for given in filter(lambda g: fit(variables, g), product(*arguments_of(variables))):
        for shape in product(LENGTHS, LENGTHS):
            a = np.arange(9.0)[: shape[0] * shape[1]].reshape(shape)
            check(f, expected(compute, a, *given), a, *given)


def test_the_gradient() -> None:
    f = tensordsl.function([x, i], T.grad(x[i].sum(), x))
    with pytest.raises(IndexError):
        f(np.zeros((3, 0)), [7])
    assert f(np.zeros((3, 0)), [2]).shape == (3, 0)


def test_a_failed_call_leaves_state() -> None:
    s = tensordsl.shared(np.zeros((3, 0)))
    t = tensordsl.shared(0)
    f = tensordsl.function([i], s[i].sum(), updates=[(t, t + 1)])
    with pytest.raises(IndexError):
        f([7])
    assert t.get_value() == 0 and f([1]) == 0 and t.get_value() == 1


def test_choose() -> None:
    f = tensordsl.function([i, x], T.choose(i, x))
    for n, k in product(LENGTHS, POSITIONS):
        a, wanted = np.zeros((2, n)), None
        if n not in (0, len(k)) or (n == 0 and len(k) > 1):
            continue
        if len(k) == n:
            wanted = expected(np.choose, np.array(k, "int64"), a)
            check(f, wanted, k, a)


def test_only_calls_with_an_empty_axis_ask_for_the_check() -> None:
    f = tensordsl.function([x, i], x[i])
    for _ in range(2):
        assert f(np.ones((2, 2)), [1]).shape == (1, 2)
        assert f(np.ones((2, 0)), [1]).shape == (1, 0)
