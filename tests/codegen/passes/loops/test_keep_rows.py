"""Of a stack only the rows that somebody reads are stored, whatever the number of rounds is."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import tensordsl
import tensordsl.tensor as T
from tensordsl.codegen.compiler.pipeline import make_program
from tensordsl.codegen.tensor_ir.construct import FOR
from tensordsl.codegen.tensor_ir.graph import toposort
from tensordsl.signature.modes import FAST_RUN

A, N = T.dvector("a"), T.lscalar("n")


def states() -> Any:
    """Products, so that rounds are no kernel."""
    return tensordsl.scan(lambda s: T.tanh(T.dot(s, T.eye(3) * 0.5) + s[::-1]), outputs_info=A, n_steps=N)[0]


def kept(outputs: list[Any], least: int = 0) -> int:
    """How many stacks are kept in part; the results are those of whole stacks, from `least` rounds on."""
    lowered, _, _ = make_program("f", [A, N], [], outputs, [], False)
    found = tensordsl.function([A, N], outputs)
    wanted = tensordsl.function([A, N], outputs, mode=FAST_RUN.excluding("keep_rows"))
    for n in (0, 1, 2, 3, 7, 12, 40)[least:]:
        for one, other in zip(found(np.arange(3.0), n), wanted(np.arange(3.0), n), strict=True):
            np.testing.assert_allclose(one, other, rtol=1e-14, strict=True)
    return sum(len(v.attrs.get("rows", ())) for v in toposort(lowered.outputs) if v.op == FOR)


@pytest.mark.parametrize(
    "index",
    [slice(-3, None), slice(None, None, 5), slice(2, None, 7), slice(None, 4), slice(-12, None, 4)],
    ids=str,
)
def test_few_rows_and_strided_ones(index: slice) -> None:
    assert kept([states()[index]]) == 1


def test_rows_of_what_is_not_carried() -> None:
    y, _ = tensordsl.scan(lambda s: [T.tanh(s), T.dot(s, T.eye(3))], outputs_info=[A, None], n_steps=N)
    assert kept([y[1][-3:], y[0][-1:]]) >= 1


@pytest.mark.parametrize("other", [lambda y: y.sum(), lambda y: y[:2], lambda y: y])
def test_other_readers_want_other_rows(other: Any) -> None:
    y = states()
    assert kept([y[-3:], other(y)]) == 0


def test_readers_of_the_same_rows_share_them() -> None:
    y = states()
    assert kept([y[-3:, 0], y[-3:, 1:].sum()]) == 1


def test_rows_of_kept_rows() -> None:
    assert kept([states()[-3:][T.minimum(N, 2) - 1 :]]) == 1


def test_most_rows_are_a_whole_stack() -> None:
    assert kept([states()[1:]]) == 0


def test_memory_does_not_grow_with_rounds() -> None:
    f = tensordsl.function([A, N], states()[-3:])
    short, long = (f(np.arange(3.0), n) for n in (10, 100_000))
    assert short.shape == long.shape == (3, 3)


def test_a_truncated_gradient_keeps_its_last_rows() -> None:
    values, _ = tensordsl.scan(
        lambda s: T.tanh(T.dot(s, T.eye(3) * 0.5) + s[::-1]), outputs_info=A, n_steps=N, truncate_gradient=3
    )
    assert kept([T.grad(values[-1].sum(), A)], least=1) >= 1
    assert kept([T.grad((values**2).sum(), A)]) == 0  # all rows are read


def test_rows_whose_length_only_a_round_tells() -> None:
    M = T.dmatrix("m")
    y, _ = tensordsl.scan(lambda r: tensordsl.callback(lambda v: v[:2] * 2, T.dvector, r), sequences=M)
    f = tensordsl.function([M], y[-2:])
    given = np.arange(12.0).reshape(4, 3)
    for n in (1, 2, 4):
        np.testing.assert_array_equal(f(given[:n]), given[:n, :2][-2:] * 2)
