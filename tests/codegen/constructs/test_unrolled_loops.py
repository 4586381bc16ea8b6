"""Loops of few short rounds are written out, round by round."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import tensordsl
import tensordsl.tensor as T
from tensordsl.codegen.compiler.pipeline import make_program
from tensordsl.codegen.tensor_ir.graph import toposort
from tensordsl.ifelse import ifelse
from tensordsl.printing import Print
from tensordsl.scan_module import until
from tensordsl.signature.modes import FAST_RUN

S, A, N = T.dvector("s"), T.dvector("a"), T.lscalar("n")


def loops(outputs: list[Any]) -> int:
    """How many loops are left; the results are those of all rounds in loops."""
    lowered, _, _ = make_program("f", [S, A, N], [], outputs, [], False)
    function = tensordsl.function([S, A, N], outputs, on_unused_input="ignore")
    rolled = tensordsl.function([S, A, N], outputs, on_unused_input="ignore", mode=FAST_RUN.excluding("unroll_loops"))
    for length in (0, 1, 5):
        s, a = np.linspace(-1, 1, length), np.linspace(0.5, 3, length)
        a[-1:] = np.inf
        for one, other in zip(function(s, a, 3), rolled(s, a, 3), strict=True):
            np.testing.assert_allclose(one, other, rtol=1e-13, strict=True)
    return sum(v.traits.is_loop for v in toposort(lowered.outputs))


def states(n: Any, step: Any = lambda s: T.tanh(0.5 * s + A)) -> Any:
    return tensordsl.scan(step, None, S, n_steps=n)[0]


@pytest.mark.parametrize("n", [1, 2, 4])
def test_few_rounds_are_written_out(n: int) -> None:
    values = states(n)
    assert loops([values, values[-1]]) == 0
    assert loops([T.grad(values.sum(), S), T.grad((values[-1] ** 2).sum(), A)]) == 0


def test_rows_and_taps() -> None:
    values, _ = tensordsl.scan(
        lambda x, y, s, t: [0.5 * s - t + x * y, x], dict(input=T.arange(5) * 0.1, taps=[-1, 1]),
        [dict(initial=T.stack([S, A]), taps=[-2, -1]), None],
    )  # fmt: skip
    assert loops(values) == 0
    assert loops([T.grad(values[0].sum(), S)]) == 0


@pytest.mark.parametrize(
    "values",
    [
        lambda: states(5),
        lambda: states(N),
        lambda: states(3, lambda s: ifelse(s.sum() > 0, s * 2, s)),
        lambda: states(3, lambda s: (s * 2, until(s.sum() > 9))),
        lambda: states(3, lambda s: tensordsl.scan(lambda t: t * 0.5, None, s, n_steps=N)[0][-1]),
    ],
    ids=["many", "as many as a call says", "branches", "an early end", "loops in them"],
)
def test_others_stay_loops(values: Any) -> None:
    assert loops([values()]) >= 1


def test_no_rounds_are_no_loop() -> None:
    assert loops([states(0)]) == 0


def test_rounds_with_effects_stay_in_order(capsys: pytest.CaptureFixture[str]) -> None:
    function = tensordsl.function([S], states(2, lambda s: Print("s")(s) * 2), givens={A: S})
    function(np.ones(1))
    assert capsys.readouterr().out.splitlines() == ["s __str__ = [1.]", "s __str__ = [2.]"]


def test_a_state_keeps_its_shape() -> None:
    values = states(2, lambda s: T.concatenate([s, s])[: s.shape[0] + N])
    function = tensordsl.function([S, N], values)
    assert function(np.ones(2), 0).shape == (2, 2)
    with pytest.raises(ValueError, match="changed its shape"):
        function(np.ones(2), 1)
