"""The groups, references, inputs and random functions are those of the CPU's tests and of the op table's."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import tensordsl
from tensordsl.functions.devices import get_device

TESTS = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(TESTS / folder) for folder in ("codegen", "ops", "property")]


@pytest.fixture(scope="module")
def on_sim() -> Iterator[None]:
    """Functions run on the simulator; nothing is written outside of its memory."""
    with tensordsl.config.change_flags(device="sim"):
        yield
    get_device("sim").driver.check()
