"""Random programs: upstream MLIR runs what we export, and must give what our native code and the oracles give."""

from __future__ import annotations

import os

import pytest
from mlir_upstream import AVAILABLE, REASON
from random_programs import differences, program

NIGHTLY = os.environ.get("TENSORDSL_HYPOTHESIS") == "nightly"
PROGRAMS = 5000 if NIGHTLY else 200
BATCH = 50  # programs in one module, so that a run starts few processes

needs_upstream = pytest.mark.skipif(not AVAILABLE, reason=REASON)


@needs_upstream
@pytest.mark.parametrize("first", range(0, PROGRAMS, BATCH))
def test_random_programs_agree(first: int) -> None:
    assert differences(map(program, range(first, first + BATCH))) == []


@needs_upstream
def test_random_programs_agree_without_the_compilers_passes() -> None:
    assert differences(map(program, range(50)), optimise=False) == []
