"""Random programs: upstream MLIR runs what we export, and must give what our native code and the oracles give."""

from __future__ import annotations

import os

import pytest
from mlir_upstream import AVAILABLE, REASON
from random_programs import differences, program

NIGHTLY = os.environ.get("TENSORDSL_HYPOTHESIS") == "nightly"
PROGRAMS = 5000 if NIGHTLY else 200
BATCH = 50  # programs in one module, so that a run starts few processes

# Programs whose export was once refused, or gave something else; the reason stands beside each.
PINNED = {
    2520: "lengths that are known late, beside a loop that nothing needs",
    3290: "a piece of unknown length in a result whose type says that it is empty",
    4124: "a length that only one branch tells",
    4585: "the length of a branch's result that nothing else of it is needed for",
    4776: "a loop over integers that makes floats",
    10204: "a branch whose shape a later check forbids",
    13766: "native code: the storage of a loop's starting value was used again, with no iterations",
    13257: "one value as two results of a loop, of which one is changed in place",
}

needs_upstream = pytest.mark.skipif(not AVAILABLE, reason=REASON)


@needs_upstream
@pytest.mark.parametrize("first", range(0, PROGRAMS, BATCH))
def test_random_programs_agree(first: int) -> None:
    assert differences(map(program, range(first, first + BATCH))) == []


@needs_upstream
def test_random_programs_agree_without_the_compilers_passes() -> None:
    assert differences(map(program, range(50)), optimise=False) == []


@needs_upstream
@pytest.mark.parametrize("seed", PINNED, ids=lambda seed: f"{seed}-{PINNED[seed].replace(' ', '_')}")
def test_once_wrong(seed: int) -> None:
    assert differences([program(seed)]) == []
