"""Gravity: forces are the gradient of the energy, and one function advances a solar system by many steps.

All pairs of bodies are one broadcast. A body's distance to itself is 0 and would give 1 / 0; `T.switch` leaves the
diagonal out, of the energy and of its gradient. The leapfrog method keeps the energy over thousands of steps.

Run: python examples/nbody.py [--years 20]
"""

from __future__ import annotations

import argparse
import time
from typing import Any

import numpy as np

import tensordsl
import tensordsl.tensor as T

G = 4 * np.pi**2  # in astronomical units, years and masses of the sun
DISTANCES = np.array([0.39, 0.72, 1.0, 1.52, 5.2, 9.58, 19.2, 30.1])
MASSES = np.array([1.0, 1.7e-7, 2.4e-6, 3e-6, 3.2e-7, 9.5e-4, 2.9e-4, 4.4e-5, 5.1e-5])
STEPS = 20  # of one call


def potential_energy(position: Any, mass: Any) -> Any:
    """-G times the sum of m[i] m[j] / distance over all pairs."""
    apart = position.dimshuffle(0, "x", 1) - position.dimshuffle("x", 0, 1)
    distance = T.sqrt(T.sum(apart**2, axis=2))
    pairs = T.outer(mass, mass) / distance
    return -G / 2 * T.sum(T.switch(T.eye(mass.shape[0]), 0.0, pairs))


def kinetic_energy(velocity: Any, mass: Any) -> Any:
    return 0.5 * T.sum(mass * T.sum(velocity**2, axis=1))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--years", type=float, default=20)
    parser.add_argument("--step", type=float, default=0.002, help="years in one step")
    arguments = parser.parse_args()

    angle = np.random.default_rng(0).uniform(0, 2 * np.pi, len(DISTANCES))
    towards = np.stack([np.cos(angle), np.sin(angle), 0 * angle], axis=1)
    along = np.stack([-np.sin(angle), np.cos(angle), 0 * angle], axis=1)
    start = np.vstack([np.zeros(3), DISTANCES[:, None] * towards])
    speed = np.vstack([np.zeros(3), np.sqrt(G / DISTANCES)[:, None] * along])
    speed[0] = -MASSES[1:] @ speed[1:]  # so that the whole stays where it is

    x, v = tensordsl.shared(start, name="x"), tensordsl.shared(speed, name="v")
    mass = tensordsl.shared(MASSES, name="mass")
    dt = arguments.step

    position, velocity = x, v
    for _ in range(STEPS):
        position = position + dt / 2 * velocity
        force = -T.grad(potential_energy(position, mass), position)
        velocity = velocity + dt * force / mass[:, None]
        position = position + dt / 2 * velocity
    advance = tensordsl.function([], [], updates=[(x, position), (v, velocity)])
    energy = tensordsl.function([], kinetic_energy(v, mass) + potential_energy(x, mass))

    before, calls = float(energy()), int(arguments.years / (dt * STEPS))
    turns, last, begin = np.zeros(len(DISTANCES)), angle, time.perf_counter()
    for _ in range(calls):
        advance()
        here = x.get_value()[1:] - x.get_value()[0]
        now = np.arctan2(here[:, 1], here[:, 0])
        turns += np.mod(now - last + np.pi, 2 * np.pi) - np.pi
        last = now
    spent = time.perf_counter() - begin
    change = abs(float(energy()) / before - 1)
    print(f"{calls * STEPS} steps, {spent / (calls * STEPS) * 1e6:.1f} us each; the energy changed by {change:.1e}")
    for name, distance, turn in zip("MVEMJSUN", DISTANCES, turns, strict=True):
        years = calls * STEPS * dt / (turn / (2 * np.pi))
        print(f"  {name} at {distance:5.2f}: once round in {years:7.2f} years; Kepler says {distance**1.5:7.2f}")
    assert change < 1e-4, "energy got lost"


if __name__ == "__main__":
    main()
