"""A state-space model through PyMC: a Kalman filter in a scan gives the likelihood, nutpie samples the noises.

The level walks, what is seen of it is noisy; the filter integrates the level out, so two parameters are left.

Run: python examples/pymc_states.py [--draws 500]     (pip install 'tensordsl[pymc]')
"""

from __future__ import annotations

import argparse
from importlib.util import find_spec
from typing import Any

import numpy as np

STEP, NOISE, ROUNDS = 0.3, 0.8, 200


def filtered(seen: Any, level: Any, variance: Any, step: Any, noise: Any) -> tuple[Any, Any, Any]:
    """The level and its variance after an observation, and that one's log-density."""
    import pytensor.tensor as pt

    before = variance + step**2
    total = before + noise**2
    error = seen - level
    density = -0.5 * (pt.log(2 * np.pi * total) + error**2 / total)
    return level + before / total * error, before * noise**2 / total, density


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--draws", type=int, default=500, help="draws of each of two chains")
    arguments = parser.parse_args()

    import nutpie
    import pymc as pm
    import pytensor
    import pytensor.tensor as pt

    import tensordsl.pymc

    data = np.random.default_rng(3)
    level = np.cumsum(STEP * data.normal(size=ROUNDS))
    y = level + NOISE * data.normal(size=ROUNDS)
    with pm.Model() as model:
        step, noise = pm.HalfNormal("step", 1), pm.HalfNormal("noise", 1)
        start = [pt.as_tensor(np.float64(0)), pt.as_tensor(np.float64(10)), None]
        found = pytensor.scan(filtered, sequences=pt.as_tensor(y), outputs_info=start, non_sequences=[step, noise])
        results = found[0] if isinstance(found[0], list | tuple) else found  # older releases give updates beside them
        pm.Potential("likelihood", results[2].sum())
    trace = nutpie.sample(tensordsl.pymc.compile(model), draws=arguments.draws, chains=2, seed=1, progress_bar=False)
    for name, true in (("step", STEP), ("noise", NOISE)):
        draws = trace.posterior[name]
        print(f"{name}: true {true}, posterior {float(draws.mean()):.2f} +- {float(draws.std()):.2f}")
        assert abs(float(draws.mean()) - true) < 4 * float(draws.std())


if __name__ == "__main__":
    if all(map(find_spec, ("pymc", "nutpie"))):
        main()
    else:
        print("skipped: this example needs PyMC and nutpie; pip install 'tensordsl[pymc]'")
