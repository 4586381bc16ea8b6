"""The models of the benchmark (`benchmarks.pymc.models`), as functions that enter them into the open model."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[3]))
from benchmarks.pymc.models import BY_NAME, hierarchy, mixtures, regression  # noqa: E402

R = np.random.default_rng(0)


def _entered(build: Callable[[np.random.Generator], Any]) -> Callable[[], Any]:
    @functools.wraps(build)
    def enter() -> Any:
        return build(np.random.default_rng(0))

    return enter


MODELS = tuple(map(_entered, BY_NAME.values()))
eight_schools = _entered(hierarchy.eight_schools)
# Those that PyTensor's Python draws from in little time.
SMALL = (
    eight_schools,
    _entered(hierarchy.item_response),
    _entered(regression.negative_binomial),
    _entered(mixtures.zero_inflated_negative_binomial),
)
