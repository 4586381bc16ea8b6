"""States that rounds of a scan carry: hidden Markov models, differential equations, filters."""

from __future__ import annotations

from typing import Any

import numpy as np
import pymc as pm
import pytensor
import pytensor.tensor as pt


def rounds(*arguments: Any, **options: Any) -> Any:
    """The values of a scan alone: releases differ in whether updates come with them."""
    found = pytensor.scan(*arguments, **options)
    if isinstance(found, tuple | list) and len(found) == 2 and isinstance(found[1], dict):
        return found[0]
    return found


def hidden_states(data: np.random.Generator) -> Any:
    """The forward algorithm in logarithms, over 150 observations of two states."""
    y = np.where(np.arange(150) // 25 % 2, 2.0, -2.0) + data.normal(size=150)
    p, mu = pm.Dirichlet("p", np.ones((2, 2)) * 2, shape=(2, 2)), pm.Normal("mu", [-1.0, 1.0], 1, shape=2)
    logs = pm.logp(pm.Normal.dist(mu[None], 1), pt.as_tensor(y)[:, None])

    def step(now: Any, before: Any, transition: Any) -> Any:
        return now + pt.logsumexp(before[:, None] + transition, axis=0)

    forward = rounds(step, sequences=logs[1:], outputs_info=logs[0], non_sequences=[pt.log(p)])
    return pm.Potential("forward", pt.logsumexp(forward[-1]))


def predators_and_prey(data: np.random.Generator) -> Any:
    """Lotka's and Volterra's equations, by 80 steps of Runge and Kutta's method."""
    times, h = 80, 0.1
    rates = pm.LogNormal("rates", np.log([0.6, 0.03, 0.8, 0.025]), 0.3, shape=4)
    first = pm.LogNormal("first", np.log([30.0, 4.0]), 0.3, shape=2)

    def slope(u: Any, r: Any) -> Any:
        return pt.stack([u[0] * (r[0] - r[1] * u[1]), u[1] * (r[3] * u[0] - r[2])])

    def step(u: Any, r: Any) -> Any:
        k1 = slope(u, r)
        k2 = slope(u + h / 2 * k1, r)
        k3 = slope(u + h / 2 * k2, r)
        k4 = slope(u + h * k3, r)
        return u + h / 6 * (k1 + 2 * k2 + 2 * k3 + k4)

    path = rounds(step, outputs_info=first, non_sequences=[rates], n_steps=times)
    cycle = np.linspace(0, 2 * np.pi * h * times / 10, times)
    noise = np.exp(0.1 * data.normal(size=(times, 2)))
    seen = np.stack([30 + 20 * np.sin(cycle), 15 + 10 * np.sin(cycle - 1)], 1) * noise
    return pm.LogNormal("y", pt.log(path), pm.Exponential("sigma", 2), observed=seen)


def local_trend(data: np.random.Generator) -> Any:
    """A Kalman filter of level and slope over 100 observations: matrices of 2 x 2 in each round."""
    y = data.normal(size=100).cumsum()
    noise, spread = pm.HalfNormal("noise", 1), pm.HalfNormal("spread", 1, shape=2)
    transition, design = pt.as_tensor(np.array([[1.0, 1], [0, 1]])), pt.as_tensor(np.array([[1.0, 0]]))

    def step(seen: Any, mean: Any, covariance: Any, q: Any, r: Any) -> Any:
        mean = transition @ mean
        covariance = transition @ covariance @ transition.T + q
        variance = (design @ covariance @ design.T)[0, 0] + r
        gain = (covariance @ design.T)[:, 0] / variance
        error = seen - mean[0]
        density = -0.5 * (pt.log(2 * np.pi * variance) + error**2 / variance)
        return mean + gain * error, covariance - pt.outer(gain, gain) * variance, density

    start = [pt.as_tensor(np.zeros(2)), pt.as_tensor(10 * np.eye(2)), None]
    *_, densities = rounds(
        step, sequences=pt.as_tensor(y), outputs_info=start, non_sequences=[pt.diag(spread**2), noise**2], strict=False
    )
    return pm.Potential("likelihood", pt.sum(densities))


MODELS = (hidden_states, predators_and_prey, local_trend)
