"""The transform that keeps a vector in order."""

from __future__ import annotations

from typing import Any

import pymc as pm


def ordered() -> Any:
    return pm.distributions.transforms.ordered
