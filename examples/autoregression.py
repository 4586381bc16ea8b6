"""An autoregressive series is fitted by gradient ascent of its likelihood, and goes on from its last values.

The step of the `scan` sees each value with its two predecessors (taps of a sequence); the forecast feeds its own
results back (taps of a state). That the maximum is found can be checked: of this model, least squares gives it, too.

Run: python examples/autoregression.py [--steps 400]
"""

from __future__ import annotations

import argparse
from typing import Any

import numpy as np

import tensordsl
import tensordsl.tensor as T

COEFFICIENTS, SPREAD, LENGTH = (1.2, -0.6), 0.3, 1000


def series(random: np.random.Generator) -> np.ndarray:
    values = [0.0, 0.0]
    for noise in random.normal(0, SPREAD, LENGTH):
        values.append(COEFFICIENTS[0] * values[-1] + COEFFICIENTS[1] * values[-2] + noise)
    return np.array(values)


def log_likelihood(y: Any, a: Any, b: Any, log_spread: Any) -> Any:
    """Of each value given its predecessors, the mean over the series, up to a constant."""

    def step(value: Any, last: Any, last_but_one: Any) -> Any:
        rest = value - a * last - b * last_but_one
        return -0.5 * (rest / T.exp(log_spread)) ** 2 - log_spread

    terms, _ = tensordsl.scan(step, sequences=dict(input=y, taps=[0, -1, -2]))
    return T.mean(terms)


def forecast(y: Any, a: Any, b: Any, count: Any) -> Any:
    """The expected next values."""
    values, _ = tensordsl.scan(
        lambda last_but_one, last: a * last + b * last_but_one,
        outputs_info=dict(initial=y[-2:], taps=[-2, -1]),
        n_steps=count,
    )
    return values


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=400)
    arguments = parser.parse_args()

    observed = series(np.random.default_rng(0))
    y, count = T.vector("y"), T.iscalar("count")
    a, b, log_spread = params = [tensordsl.shared(0.0, name=name) for name in ("a", "b", "log_spread")]
    likelihood = log_likelihood(y, a, b, log_spread)
    moves = [(p, p + 0.1 * g) for p, g in zip(params, T.grad(likelihood, params), strict=True)]
    climb = tensordsl.function([y], likelihood, updates=moves)
    for step in range(1, arguments.steps + 1):
        value = climb(observed)
        if step % (arguments.steps // 4) == 0:
            print(f"step {step}: {float(value):.4f}")

    found = np.array([p.get_value() for p in params])
    columns = np.stack([observed[1:-1], observed[:-2]], axis=1)
    best, squares, *_ = np.linalg.lstsq(columns, observed[2:])
    expected = np.array([*best, 0.5 * np.log(squares[0] / LENGTH)])
    print(f"found by ascent {found}\nleast squares   {expected}")
    print(f"drawn with      {np.array([*COEFFICIENTS, np.log(SPREAD)])}")
    assert np.allclose(found, expected, atol=1e-4), "the maximum was not found"

    ahead = tensordsl.function([y, count], forecast(y, a, b, count))(observed, 40)
    print("what is expected next:", np.round(ahead[:5], 3), "... ", np.round(ahead[-1], 6))
    assert abs(ahead[-1]) < 1e-3, "a stable series returns to its mean"


if __name__ == "__main__":
    main()
