"""A Gaussian process through PyMC: its marginal likelihood with gradient, maximised by SciPy, and predictions.

Run: python examples/pymc_process.py [--points 80]     (pip install 'tensordsl[pymc]')
"""

from __future__ import annotations

import argparse
from importlib.util import find_spec

import numpy as np


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--points", type=int, default=80)
    arguments = parser.parse_args()

    import pymc as pm
    import scipy.optimize

    import tensordsl.pytensor

    data = np.random.default_rng(2)
    x = np.sort(data.uniform(0, 10, arguments.points))
    y = np.sin(x) + 0.2 * data.normal(size=x.size)
    with pm.Model() as model:
        length, scale = pm.Gamma("length", 2, 1), pm.HalfNormal("scale", 2)
        process = pm.gp.Marginal(cov_func=scale**2 * pm.gp.cov.ExpQuad(1, length))
        process.marginal_likelihood("y", X=x[:, None], y=y, sigma=pm.HalfNormal("noise", 1))

    density = model.logp_dlogp_function(ravel_inputs=True, mode="TENSORDSL")
    density.set_extra_values({})
    print("steps that Python does:", tensordsl.pytensor.python_steps(density._pytensor_function) or "none")

    def cost(point: np.ndarray) -> tuple[float, np.ndarray]:
        value, slope = density(point)
        return -float(value), -np.asarray(slope)

    start = np.concatenate([np.ravel(v) for v in model.initial_point().values()])
    best = scipy.optimize.minimize(cost, start, jac=True, method="L-BFGS-B")
    found = dict(zip(("length", "scale", "noise"), np.exp(best.x), strict=True))
    print(f"{best.nfev} values and gradients:", ", ".join(f"{name} {value:.2f}" for name, value in found.items()))

    at = np.linspace(0, 10, 50)
    with model:
        mean, _ = process.predict(at[:, None], point=found, diag=True)
    worst = float(np.max(np.abs(mean - np.sin(at))))
    print(f"largest error of the mean {worst:.2f}, noise of the data 0.2")
    assert worst < 0.4 and abs(found["noise"] - 0.2) < 0.1


if __name__ == "__main__":
    if find_spec("pymc"):
        main()
    else:
        print("skipped: this example needs PyMC; pip install 'tensordsl[pymc]'")
