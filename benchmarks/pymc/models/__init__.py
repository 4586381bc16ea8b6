"""Small models of PyMC's families, with made-up data: what the benchmark measures and the tests compare.

Contract   `BY_NAME[name]`: a function of a generator of data that enters its variables into the open `pymc.Model`;
           `make(name)`: the model.  The first line of its docstring says what it asks of a compiler.
Modules    hierarchy, regression, processes, series, mixtures, survival, vectors, dynamics: by family;   ordering
To add     a function, and its name in MODELS of its family.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pymc as pm

from benchmarks.pymc.models import dynamics, hierarchy, mixtures, processes, regression, series, survival, vectors

FAMILIES = (hierarchy, regression, mixtures, survival, series, vectors, processes, dynamics)
BY_NAME: dict[str, Callable[[np.random.Generator], Any]] = {
    build.__name__: build for family in FAMILIES for build in family.MODELS
}


def make(name: str) -> Any:
    """The `pymc.Model` of this name, with the same data each time."""
    with warnings.catch_warnings(), pm.Model() as model:
        warnings.simplefilter("ignore")
        BY_NAME[name](np.random.default_rng(0))
    return model


def start(model: Any) -> np.ndarray[Any, np.dtype[np.float64]]:
    """The initial point as one vector: what `logp_dlogp_function(ravel_inputs=True)` takes."""
    point = model.initial_point(0)
    return np.concatenate([np.ravel(np.asarray(point[v.name], "float64")) for v in model.continuous_value_vars])
