"""A differential equation with its sensitivities: logistic growth y' = r y (1 - y / K) by Runge and Kutta's method.

The steps are rounds of a `scan`; the slopes of the solution by r, K and the initial value come out of it by
`jacobian`, and agree with those of the analytic solution. With them Gauss and Newton's method finds the parameters of a
few measured points.

Run: python examples/growth.py [--rounds 200]
"""

from __future__ import annotations

import argparse
from typing import Any

import numpy as np

import tensordsl
import tensordsl.tensor as T

RATE, CAPACITY, START, END = 0.8, 10.0, 0.5, 10.0


def slope(y: Any, rate: Any, capacity: Any) -> Any:
    return rate * y * (1 - y / capacity)


def solution(params: Any, span: Any, rounds: Any) -> Any:
    """The values behind each of so many steps that fill the span of time; params: rate, capacity, initial value."""
    rate, capacity, step = params[0], params[1], span / rounds

    def advance(y: Any) -> Any:
        k1 = slope(y, rate, capacity)
        k2 = slope(y + step / 2 * k1, rate, capacity)
        k3 = slope(y + step / 2 * k2, rate, capacity)
        k4 = slope(y + step * k3, rate, capacity)
        return y + step / 6 * (k1 + 2 * k2 + 2 * k3 + k4)

    values, _ = tensordsl.scan(advance, outputs_info=params[2], n_steps=rounds)
    return values


def analytic(t: np.ndarray, rate: float, capacity: float, start: float) -> tuple[np.ndarray, np.ndarray]:
    """The solution at times t, and its derivatives by rate, capacity and start: shapes (n,) and (n, 3)."""
    falling, ratio = np.exp(-rate * t), (capacity - start) / start
    below = 1 + ratio * falling
    by_rate = capacity / below**2 * ratio * t * falling
    by_capacity = 1 / below - capacity / below**2 * falling / start
    by_start = capacity / below**2 * falling * capacity / start**2
    return capacity / below, np.stack([by_rate, by_capacity, by_start], axis=1)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=200)
    rounds = parser.parse_args().rounds

    params, span, count = T.vector("params"), T.scalar("span"), T.iscalar("count")
    values = solution(params, span, count)
    solve = tensordsl.function([params, span, count], [values, T.jacobian(values, params)])

    truth = np.array([RATE, CAPACITY, START])
    times = END / rounds * np.arange(1, rounds + 1)
    exact, slopes = analytic(times, *truth)
    found, sensitivities = solve(truth, END, rounds)
    coarse, _ = solve(truth, END, rounds // 2)
    errors = np.max(np.abs(found - exact)), np.max(np.abs(coarse - exact[1::2]))
    print(f"largest error of {rounds} steps {errors[0]:.1e}, of half as many {errors[1]:.1e}")
    print(f"largest error of the sensitivities {np.max(np.abs(sensitivities - slopes)):.1e}")
    assert 12 < errors[1] / errors[0] < 20, "the method is not of fourth order"
    assert np.allclose(sensitivities, slopes, rtol=1e-5, atol=1e-6), "the sensitivities are not those of the solution"

    measured = exact[rounds // 10 - 1 :: rounds // 10] + 0.05 * np.random.default_rng(0).normal(size=10)
    guess = np.array([0.6, 8.0, 0.7])
    for _ in range(8):
        found, sensitivities = (result[rounds // 10 - 1 :: rounds // 10] for result in solve(guess, END, rounds))
        step, squares, *_ = np.linalg.lstsq(sensitivities, measured - found)
        guess = guess + step
    print(f"fitted to 10 measured points: {np.round(guess, 3)}, drawn with {truth}")
    assert np.max(np.abs(step)) < 1e-6 and np.allclose(guess, truth, rtol=0.1), "the fit did not arrive"


if __name__ == "__main__":
    main()
