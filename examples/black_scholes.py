"""Prices of options and their Greeks: the formula is written once, every sensitivity is a derivative of it.

Black and Scholes' price of a call; delta, gamma, vega, rho, theta and vanna by `T.grad`; the volatility that a market's
prices imply, by Newton's method on the compiled formula; and a Monte Carlo estimate with its own derivatives, whose
20,000 paths never exist in memory.

Run: python examples/black_scholes.py
"""

from __future__ import annotations

import argparse
from typing import Any

import numpy as np

import tensordsl
import tensordsl.tensor as T
from tensordsl.tensor.shared_randomstreams import RandomStreams


def call_price(spot: Any, strike: Any, rate: Any, volatility: Any, years: Any) -> Any:
    """Black and Scholes' price of the right to buy at `strike` in so many years."""
    spread = volatility * T.sqrt(years)
    d1 = (T.log(spot / strike) + (rate + volatility**2 / 2) * years) / spread
    return spot * normal_cdf(d1) - strike * T.exp(-rate * years) * normal_cdf(d1 - spread)


def normal_cdf(x: Any) -> Any:
    return 0.5 * T.erfc(-x / np.sqrt(2))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--paths", type=int, default=20_000)
    arguments = parser.parse_args()

    spot, rate, volatility, years = T.dscalars("spot", "rate", "volatility", "years")
    strike = T.dvector("strike")
    inputs = [spot, strike, rate, volatility, years]
    call = call_price(*inputs)

    # Every strike has a price of its own, and all depend on one spot: the Jacobian is one column per Greek.
    delta, vega, rho, decay = tensordsl.gradient.jacobian(call, [spot, volatility, rate, years])
    gamma, vanna = tensordsl.gradient.jacobian(delta, [spot, volatility])
    greeks = {"price": call, "delta": delta, "gamma": gamma, "vega": vega, "rho": rho, "theta": -decay, "vanna": vanna}
    value = tensordsl.function(inputs, greeks)

    strikes = np.array([80.0, 90.0, 100.0, 110.0, 120.0])
    market = (100.0, strikes, 0.03, 0.2, 0.5)
    table = value(*market)
    print(f"{'strike':>9}" + "".join(f"{k:9.0f}" for k in strikes))
    for name, row in table.items():
        print(f"{name:>9}" + "".join(f"{v:9.4f}" for v in row))

    # Newton's method for all strikes at once: one volatility for each, prices and vegas from one function.
    sigma, price = T.dvectors("sigma", "price")
    formula = call_price(spot, strike, rate, sigma, years)
    step = (formula - price) / T.grad(T.sum(formula), sigma)
    newton = tensordsl.function([spot, strike, rate, sigma, years, price], sigma - step)
    quoted = table["price"] + np.array([0.5, 0.2, 0.0, 0.1, 0.3])
    implied = np.full(len(strikes), 0.2)
    for _ in range(8):
        implied = newton(100.0, strikes, 0.03, implied, 0.5, quoted)
    print(f"{'implied':>9}" + "".join(f"{v:9.4f}" for v in implied))

    # The mean over paths and its derivatives are loops over the random numbers, which nobody stores.
    noise = RandomStreams(seed=3).normal((arguments.paths,))
    end = spot * T.exp((rate - volatility**2 / 2) * years + volatility * T.sqrt(years) * noise)
    payoff = T.exp(-rate * years) * T.maximum(end - strike[2], 0)
    estimate = tensordsl.function(inputs, [payoff.mean(), payoff.std(), *T.grad(payoff.mean(), [spot, volatility])])
    mean, deviation, mc_delta, mc_vega = estimate(*market)
    error = deviation / np.sqrt(arguments.paths)
    print(f"Monte Carlo at 100: price {mean:.3f} +- {error:.3f}, delta {mc_delta:.3f}, vega {mc_vega:.2f}")
    assert abs(mean - table["price"][2]) < 4 * error, "simulation and formula disagree"
    assert np.allclose(value(100.0, strikes[:1], 0.03, implied[0], 0.5)["price"], quoted[0]), "no root was found"


if __name__ == "__main__":
    main()
