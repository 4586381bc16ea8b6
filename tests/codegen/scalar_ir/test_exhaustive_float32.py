"""All 2^32 float32 arguments of every function: `TENSORDSL_HYPOTHESIS=nightly`, half a minute each."""

from __future__ import annotations

import os
import sys

import numpy as np
import pytest
from checkout import ROOT

from tensordsl.codegen.scalar_ir.math import FUNCTIONS

sys.path.insert(0, str(ROOT / "tools"))
from exhaustive_float32 import UNARY, error, examine, steps_back  # noqa: E402

NIGHTLY = os.environ.get("TENSORDSL_HYPOTHESIS") == "nightly"


def documented(name):
    """The function's cells in the table of all float32 arguments."""
    text = (ROOT / "docs" / "accuracy.md").read_text().partition("all 2^32 arguments")[2]
    row = next(line for line in text.splitlines() if line.startswith(f"| {name} |"))
    return [cell.strip() for cell in row.strip("|").split("|")]


@pytest.mark.parametrize("name", UNARY)
def test_documented_errors_are_within_the_bounds(name):
    _, bound, worst, *_, back = documented(name)
    assert float(worst) <= float(bound) == FUNCTIONS[name].accuracy["float32"]
    assert FUNCTIONS[name].steps_back or back in ("-", "none")


@pytest.mark.skipif(not NIGHTLY, reason="takes half a minute: TENSORDSL_HYPOTHESIS=nightly")
@pytest.mark.parametrize("name", UNARY)
def test_the_table_of_all_arguments_is_true(name):
    with np.errstate(all="ignore"):
        worst, _, _ = examine(name, error)
        found = f"{worst:.3f}", steps_back(name)
    assert found == (documented(name)[2], documented(name)[-1])
