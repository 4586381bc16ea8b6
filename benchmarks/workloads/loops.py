"""The suite `loops`: recurrent networks, samplers' and time series' loops, what they take to compile and to keep.

Peers write each loop as their experts do: by `lax.scan`, as explicit loops, by a library's own recurrent layer, with
the products of a whole sequence before the loop; gradients of those that derive none are written by hand.  Ours (and
PyTensor's) is the program as a user first writes it: all work is in the step of a `scan`.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from benchmarks.workloads.foundation import Data, Target, Workload

TYPES = {"f4": np.dtype(np.float32), "f8": np.dtype(np.float64)}
RTOL = {"f4": 2e-4, "f8": 1e-9}
MOST_ROUNDS = 10_000  # of Mandelbrot's iteration, which ends long before
ARITHMETIC_ROUNDS, NANOSECONDS_BEYOND = 1000, 30
KEPT_ROUNDS, KEPT_LENGTH, BLOCK = 100_000, 100, 316  # a block of rounds between two checkpoints


def recurrent(dtype: str, steps: int, batch: int, hidden: int, gates: int = 1) -> Callable[[], Data]:
    """A sequence, weights of the state, weights of the sequence, and biases; for each of the gates."""

    def make() -> Data:
        random, scale = np.random.default_rng(0), hidden**-0.5
        shapes = (steps, batch, hidden), (hidden, gates * hidden), (hidden, gates * hidden), (gates * hidden,)
        sizes = 1.0, 0.6 * scale, scale, 0.1
        return tuple((s * random.normal(size=n)).astype(TYPES[dtype]) for n, s in zip(shapes, sizes, strict=True))

    return make


def power_data() -> Data:
    return np.linspace(0.9, 1.1, 10), 50


def arithmetic_data() -> Data:
    """A state of 8 numbers, three operands as long, and the number of rounds."""
    return *np.random.default_rng(0).uniform(0.1, 1.0, (4, 8)), ARITHMETIC_ROUNDS


def series_data() -> Data:
    """What drives the series, what is observed, two coefficients, and the logarithm of the spread."""
    random = np.random.default_rng(0)
    return *random.normal(size=(2, 1000)), np.array(0.6), np.array(-0.3), np.array(0.1)


def observed_data() -> Data:
    return series_data()[1:]


def mandelbrot_data() -> Data:
    """A point that escapes in its round 1,048."""
    return np.array(-0.75), np.array(0.003)


def nested_data() -> Data:
    random = np.random.default_rng(0)
    return random.normal(size=4), 0.5 * random.normal(size=(4, 4))


def kept_data() -> Data:
    """A state, what multiplies it, and few rounds."""
    return *np.random.default_rng(0).uniform(1.1, 1.5, (2, KEPT_LENGTH)), 10


def networks(name: str, what: str, make: Callable[..., Callable[[], Data]], most: float) -> list[Workload]:
    return [
        Workload(
            f"i.{name}{suffix}.{t}",
            "call",
            f"{what}, {TYPES[t].name}{', and gradient' if suffix else ''}",
            make(t),
            {"": Target(ratio_to_best=most)},
            rtol=RTOL[t],
        )
        for suffix in ("", "_grad")
        for t in TYPES
    ]


def compiled(steps: int, targets: dict[str, Target]) -> Workload:
    what = f"RNN of {steps:,} steps and its gradient"
    return Workload(f"compile-rnn-{steps}", "compile", what, recurrent("f8", steps, 1, 4), targets, like="compile-rnn")


def keeping(name: str, what: str, most: float) -> Workload:
    """In histories of all rounds."""
    return Workload(
        name,
        "memory",
        what,
        kept_data,
        {"": Target(most)},
        large=lambda: {"rounds": KEPT_ROUNDS},
        unit=KEPT_ROUNDS * KEPT_LENGTH * 8,
    )


WORKLOADS = (
    *networks("rnn", "RNN, 100 steps, batch 32, hidden 64", lambda t: recurrent(t, 100, 32, 64), 0.8),
    *networks("lstm", "LSTM, 128 steps, batch 16, hidden 128", lambda t: recurrent(t, 128, 16, 128, 4), 0.9),
    Workload("i.powk.f8", "call", "`A**k` of 10 elements, 50 rounds", power_data, {"": Target(ratio_to_best=1.0)}),
    Workload(
        "i.ten_ops.f8",
        "call",
        "1,000 rounds of ten operations on 8 elements",
        arithmetic_data,
        {"": Target(beyond_best=ARITHMETIC_ROUNDS * NANOSECONDS_BEYOND * 1e-9)},
    ),
    Workload(
        "i.ar2.f8", "call", "AR(2), 1,000 steps, and gradient", series_data, {"": Target(ratio_to_best=1.2)}
    ),
    Workload(
        "i.ar2_observed.f8",
        "call",
        "AR(2) of what is observed, and gradient",
        observed_data,
        {"": Target(ratio_to_best=1.2)},
    ),
    Workload(
        "i.mandelbrot.f8",
        "call",
        "Mandelbrot's iteration until it escapes",
        mandelbrot_data,
        {"": Target(ratio_to_best=1.2)},
        rtol=1e-6,
    ),
    compiled(10, {"cold": Target(60e-3), "warm": Target(4e-3)}),
    compiled(10_000, {"cold": Target(60e-3), "warm": Target(4e-3)}),
    Workload(
        "compile-nested",
        "compile",
        "a scan in a scan in a scan, and its gradient",
        nested_data,
        {"cold": Target(500e-3)},
    ),
    keeping("memory-last", "100,000 rounds, the last value, in histories", 0.01),
    keeping("memory-gradient", "100,000 rounds and their gradient, in histories", 1.1),
    keeping("memory-checkpoints", "the same with checkpoints, in histories", 0.02),
)  # fmt: skip
