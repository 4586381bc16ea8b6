"""A Poisson regression with effects of groups, by PyMC's own sampler and its predictive draws in the mode "TENSORDSL".

Run: python examples/pymc_regression.py [--draws 300]     (pip install 'tensordsl[pymc]')
"""

from __future__ import annotations

import argparse
from importlib.util import find_spec

import numpy as np

TRUE = np.array([0.5, -0.8, 0.3])
GROUPS, ROWS = 6, 240


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--draws", type=int, default=300, help="draws of each of two chains")
    arguments = parser.parse_args()

    import pymc as pm

    import tensordsl.pytensor  # noqa: F401  # makes the mode known

    data = np.random.default_rng(1)
    x, group = data.normal(size=(ROWS, 3)), data.integers(0, GROUPS, ROWS)
    offset = data.normal(0, 0.4, GROUPS)
    y = data.poisson(np.exp(0.7 + offset[group] + x @ TRUE))
    with pm.Model():
        spread = pm.HalfNormal("spread", 1)
        effect = pm.Normal("effect", 0, 1, shape=GROUPS)
        slopes = pm.Normal("slopes", 0, 1, shape=3)
        rate = pm.math.exp(pm.Normal("level", 0, 1) + spread * effect[group] + x @ slopes)
        pm.Poisson("y", rate, observed=y)
        native = dict(mode="TENSORDSL")
        trace = pm.sample(
            arguments.draws, tune=300, chains=2, cores=1, random_seed=1, progressbar=False, compile_kwargs=native
        )
        again = pm.sample_posterior_predictive(trace, random_seed=2, progressbar=False, compile_kwargs=native)
    found = trace.posterior["slopes"].mean(("chain", "draw")).values
    print("slopes:   true", TRUE, "found", np.round(found, 2))
    counts = again.posterior_predictive["y"].values
    print(f"zeros:    seen {np.mean(y == 0):.2f}, predicted {np.mean(counts == 0):.2f}")
    assert np.max(np.abs(found - TRUE)) < 0.15 and abs(np.mean(y == 0) - np.mean(counts == 0)) < 0.1


if __name__ == "__main__":
    if find_spec("pymc"):
        main()
    else:
        print("skipped: this example needs PyMC; pip install 'tensordsl[pymc]'")
