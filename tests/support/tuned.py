"""Tunings that tests hand in: with other thresholds, another machine's facts, or optimisations that are off or forced."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from tensordsl.codegen.target.tuning import Tuning
from tensordsl.signature.modes import FAST_RUN, Mode

HERE = Tuning.here()


def tuned(usual: Tuning = HERE, **groups: Any) -> Tuning:
    """`usual` with other fields: `tuned(fusion={"piece_tensors": 4}, machine={"vector_bytes": 32})`; `off`, `forced`."""
    return replace(usual, **{
        name: replace(getattr(usual, name), **given) if isinstance(given, dict) else frozenset(given)
        for name, given in groups.items()
    })  # fmt: skip


def of_width(vector_bytes: int) -> Tuning:
    """Of registers of so many bytes."""
    return tuned(machine={"vector_bytes": vector_bytes})


def mode(tuning: Tuning | None = None, **groups: Any) -> Mode:
    """A mode whose functions are compiled by a tuning, or by `tuned(**groups)`."""
    made = Mode()
    made.tuning = tuning or tuned(**groups)
    return made


WIDE = of_width(64)


def use(monkeypatch: pytest.MonkeyPatch, tuning: Tuning) -> None:
    """Have functions compiled by it that name no mode, as long as the test runs."""
    monkeypatch.setattr(FAST_RUN, "tuning", tuning)
