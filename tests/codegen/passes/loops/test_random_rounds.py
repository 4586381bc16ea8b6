"""Random rounds agree with a Python loop over NumPy, with and without the passes that make them an axis."""

from __future__ import annotations

import numpy as np
from hypothesis import HealthCheck, given, settings
from rounds import Rounds, rounds
from widened import PASSES

import tensordsl

SETTINGS = settings(deadline=None, max_examples=15, suppress_health_check=list(HealthCheck))


@SETTINGS
@given(rounds())
def test_rounds_are_a_python_loop(program: Rounds) -> None:
    f = program.function()
    for n in (1, 2, 6) if program.sums else (0, 1, 2, 6):
        for found, wanted in zip(f(*program.arguments(n)), program.expected(n), strict=True):
            assert found.shape == wanted.shape
            np.testing.assert_allclose(found, wanted, rtol=1e-8, atol=1e-9)


@SETTINGS
@given(rounds(differentiable=True))
def test_gradients_are_the_same_without_the_passes(program: Rounds) -> None:
    mode = tensordsl.compile.mode.get_default_mode()
    f, g = program.function(gradient=True), program.function(mode.excluding(*PASSES), gradient=True)
    for n in (1, 5):
        for found, wanted in zip(f(*program.arguments(n)), g(*program.arguments(n)), strict=True):
            assert found.shape == wanted.shape
            np.testing.assert_allclose(found, wanted, rtol=1e-7, atol=1e-8 * max(1, np.abs(wanted).max(initial=0)))
