"""A mixture of normal distributions through PyMC: ordered means, a simplex of weights, nutpie's chains.

Run: python examples/pymc_mixture.py [--draws 500]     (pip install 'tensordsl[pymc]')
"""

from __future__ import annotations

import argparse
from importlib.util import find_spec

import numpy as np

MEANS, SPREADS, WEIGHTS = np.array([-2.0, 1.0, 4.0]), np.array([0.6, 0.5, 0.8]), np.array([0.3, 0.5, 0.2])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--draws", type=int, default=500, help="draws of each of two chains")
    arguments = parser.parse_args()

    import nutpie
    import pymc as pm

    import tensordsl.pymc

    data = np.random.default_rng(4)
    of = data.choice(3, 600, p=WEIGHTS)
    y = data.normal(MEANS[of], SPREADS[of])
    with pm.Model() as model:
        weights = pm.Dirichlet("weights", np.ones(3))
        ordered = pm.distributions.transforms.ordered
        means = pm.Normal("means", 0, 5, shape=3, transform=ordered, initval=[-1.0, 0.0, 1.0])
        pm.NormalMixture("y", w=weights, mu=means, sigma=pm.HalfNormal("spreads", 2, shape=3), observed=y)
    trace = nutpie.sample(tensordsl.pymc.compile(model), draws=arguments.draws, chains=2, seed=1, progress_bar=False)
    for name, true in (("weights", WEIGHTS), ("means", MEANS), ("spreads", SPREADS)):
        found = trace.posterior[name].mean(("chain", "draw")).values
        print(f"{name:>8}: true {true}, found {np.round(found, 2)}")
        assert np.max(np.abs(found - true)) < 0.4


if __name__ == "__main__":
    if all(map(find_spec, ("pymc", "nutpie"))):
        main()
    else:
        print("skipped: this example needs PyMC and nutpie; pip install 'tensordsl[pymc]'")
