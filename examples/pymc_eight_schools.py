"""Eight schools through PyMC: a log-density as one native function, and nutpie's chains over it as C.

Run: python examples/pymc_eight_schools.py [--draws 1000]     (pip install 'tensordsl[pymc]')
"""

from __future__ import annotations

import argparse
import time
from importlib.util import find_spec
from typing import Any

import numpy as np

EFFECT = np.array([28.0, 8.0, -3.0, 7.0, -1.0, 1.0, 18.0, 12.0])  # Rubin (1981)
ERROR = np.array([15.0, 10.0, 16.0, 11.0, 9.0, 11.0, 10.0, 18.0])


def schools() -> Any:
    import pymc as pm

    with pm.Model() as model:
        mu, tau = pm.Normal("mu", 0, 5), pm.HalfCauchy("tau", 5)
        eta = pm.Normal("eta", 0, 1, shape=8)
        theta = pm.Deterministic("theta", mu + tau * eta)
        pm.Normal("y", theta, ERROR, observed=EFFECT)
    return model


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--draws", type=int, default=1000, help="draws of each of four chains")
    arguments = parser.parse_args()

    import nutpie

    import tensordsl.pymc
    import tensordsl.pytensor

    model = schools()
    begin = time.process_time()
    density = model.compile_logp(mode="TENSORDSL")
    value = float(density(model.initial_point()))
    print(f"log-density at the start {value:.4f}, compiled in {time.process_time() - begin:.2f} s")
    print(f"steps that Python does: {tensordsl.pytensor.python_steps(density.f) or 'none'}")

    begin = time.process_time()
    compiled = tensordsl.pymc.compile(model)
    middle = time.process_time()
    trace = nutpie.sample(compiled, draws=arguments.draws, chains=4, seed=1, progress_bar=False)
    print(f"sampler: compiled in {middle - begin:.2f} s, sampled in {time.process_time() - middle:.2f} s")
    mu, tau = float(trace.posterior["mu"].mean()), float(trace.posterior["tau"].mean())
    print(f"mu = {mu:.2f}, tau = {tau:.2f}")
    for name, mean, reported in zip("ABCDEFGH", trace.posterior["theta"].mean(("chain", "draw")), EFFECT, strict=True):
        print(f"school {name}: reported {reported:4.0f}, posterior mean {float(mean):5.2f}")
    assert abs(mu - 4.4) < 1 and abs(tau - 3.6) < 1, "the posterior is not that of the literature"


if __name__ == "__main__":
    if all(map(find_spec, ("pymc", "nutpie"))):
        main()
    else:
        print("skipped: this example needs PyMC and nutpie; pip install 'tensordsl[pymc]'")
