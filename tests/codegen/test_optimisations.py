"""Every optimisation by its entry: results are the same with it, without it and forced, and its switch changes the code.

A new entry is tested by being in the table, on all programs; `REACHED_BY` names those that reach an older one.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from optimised_programs import PROGRAMS, results

from tensordsl.codegen.compiler.modules import late_kernels, module_text
from tensordsl.codegen.compiler.optimisations import Optimisation, optimisations
from tensordsl.functions import native
from tensordsl.signature.modes import FAST_RUN

ROOT = Path(__file__).resolve().parents[2]
SWITCHED = [row for row in optimisations().values() if not row.is_required]
TOLERANCE = {"float32": 2e-5, "float64": 1e-12, "complex128": 1e-12}  # of the largest element: another order, rounding
REACHED_BY: Mapping[str, Sequence[str]] = {}


def digest(f: Any, mode: Any) -> str:
    """Of all code that a function may run, late kernels too."""
    executable = native.compile_spec(f.spec, mode).executable
    late = module_text(late_kernels([part for part in executable.late if part])).encode()
    parts = executable.kernels, executable.program, *executable.constants, late, str(executable.meta["late"]).encode()
    return hashlib.sha256(b"".join(hashlib.sha256(part).digest() for part in parts)).hexdigest()


@cache
def usual(name: str) -> tuple[str, list[Any]]:
    f, found = results(PROGRAMS[name])
    return digest(f, None), found


def check(row: Optimisation, found: Sequence[Any], wanted: Sequence[Any], what: str) -> None:
    for got, want in zip(found, wanted, strict=True):
        assert got.dtype == want.dtype
        if not row.changes:
            np.testing.assert_array_equal(got, want, err_msg=what)
            assert got.strides == want.strides, what
            continue
        largest = np.max(np.abs(want[np.isfinite(want)]), initial=1)
        tolerance = TOLERANCE.get(str(got.dtype), 0) * largest
        np.testing.assert_allclose(got, want, rtol=0, atol=tolerance, err_msg=what)


@pytest.mark.parametrize("row", [row for row in SWITCHED if row.level != "library"], ids=lambda row: row.name)
def test_results_are_the_same_with_it_without_it_and_forced(row: Optimisation) -> None:
    without, forced = FAST_RUN.excluding(row.name), FAST_RUN.forcing(row.name) if row.is_forcible else None
    changed = {"off": 0, "forced": 0}
    for name in REACHED_BY.get(row.name, PROGRAMS):
        code, wanted = usual(name)
        for what, mode in (("off", without), ("forced", forced)):
            if mode is not None:
                f, found = results(PROGRAMS[name], mode)
                check(row, found, wanted, f"{name}, {row.name} {what}")
                changed[what] += digest(f, mode) != code
    assert changed["off"], f"no program here reaches {row.name}"
