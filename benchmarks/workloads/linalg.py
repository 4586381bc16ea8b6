"""The suite `linalg`: factors of matrices, systems, programs made of them, their gradients, and random numbers.

Groups: q, single operations; r, draws; s, programs.  A right-hand side is a column for each matrix.  A gradient is that
of a weighted sum of an operation's results.  Peers that derive no gradients have them by hand; that of a symmetric
matrix is compared as a symmetric one, whichever triangle a library puts it into.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from benchmarks.workloads.foundation import Data, Target, Workload

SIZES = {
    **{str(n): (n, n) for n in (3, 8, 30, 100, 500)},
    "10000x3": (10_000, 3, 3),
    "1000x8": (1000, 8, 8),
}  # name -> shape
LEFT_OUT = ("8", "100", "1000x8")  # of a quick run
OPERATIONS = {"cholesky": "Cholesky", "solve": "solve", "triangular": "triangular solve"}
POINTS, DIMENSIONS = (60, 500), (5, 50)
STEPS, STATES, OBSERVED = 100, 4, 2
HIDDEN_STEPS, HIDDEN_STATES = 200, 5
HIDDEN = f"likelihood of a hidden Markov model, {HIDDEN_STEPS} steps of {HIDDEN_STATES} states"
DRAWN = 1_000_000
DRAWS = {
    "normal": (), "uniform": (), "gamma": (2.0, 1.0), "beta": (2.0, 3.0), "binomial": (10, 0.3), "poisson": (4.0,),
}  # fmt: skip
JITTER = 1e-6  # on the diagonal of a covariance
CODES = {"f8": "float64", "f4": "float32"}  # of workloads' names
RTOL = {"f8": 1e-8, "f4": 2e-3}


def matrices(operation: str, shape: tuple[int, ...], has_gradient: bool) -> Callable[[], Data]:
    """A matrix that is no trouble, a right-hand side but for Cholesky, and the weights of the result."""

    def make() -> Data:
        random, n = np.random.default_rng(0), shape[-1]
        a = random.normal(size=shape) / np.sqrt(n)
        if operation == "cholesky":
            operands = [a @ a.swapaxes(-1, -2) + np.eye(n)]
        else:
            a = (np.tril(a) if operation == "triangular" else 0.5 * a) + 2 * np.eye(n)
            operands = [a, random.normal(size=(*shape[:-1], 1))]
        weights = [random.normal(size=operands[-1].shape)] if has_gradient else []
        return (*operands, *weights)

    return make


def gaussian_process(points: int) -> Callable[[], Data]:
    """Points on a line, observations, and the logarithms of a length, an amplitude, and the noise."""

    def make() -> Data:
        random = np.random.default_rng(0)
        x = np.sort(random.uniform(0, 10, points))
        y = np.sin(x) + 0.1 * random.normal(size=points)
        return x, y, np.array(0.2), np.array(0.1), np.array(-1.5)

    return make


def multivariate(dimension: int) -> Callable[[], Data]:
    """A point, a mean, and a covariance."""

    def make() -> Data:
        random = np.random.default_rng(0)
        a = random.normal(size=(dimension, dimension)) / np.sqrt(dimension)
        return *random.normal(size=(2, dimension)), a @ a.T + np.eye(dimension)

    return make


def series() -> Data:
    """Observations; the transition, what is observed of a state, and the covariances of both."""
    random = np.random.default_rng(0)
    a = 0.3 * random.normal(size=(STATES, STATES)) + 0.5 * np.eye(STATES)
    h, b = random.normal(size=(OBSERVED, STATES)), 0.3 * random.normal(size=(STATES, STATES))
    return random.normal(size=(STEPS, OBSERVED)), a, h, b @ b.T + 0.1 * np.eye(STATES), 0.5 * np.eye(OBSERVED)


def hidden() -> Data:
    """Likelihoods of what is observed in each state; the transitions; where the first step comes from."""
    random = np.random.default_rng(0)
    seen, p = random.uniform(size=(HIDDEN_STEPS, HIDDEN_STATES)), random.uniform(size=(HIDDEN_STATES, HIDDEN_STATES))
    return seen, p / p.sum(1, keepdims=True), np.full(HIDDEN_STATES, 1 / HIDDEN_STATES)


def of_dtype(code: str, make: Callable[[], Data]) -> Callable[[], Data]:
    """The same data, rounded."""
    return lambda: tuple(x.astype(CODES[code]) for x in make())


def in_words(code: str) -> str:
    return "" if code == "f8" else f", {CODES[code]}"


def single(operation: str, code: str, size: str, has_gradient: bool) -> Workload:
    shape = SIZES[size]
    of = f"n = {size}" if len(shape) == 2 else f"{shape[0]:,} of {shape[1]} x {shape[1]}"
    return Workload(
        f"q.{operation}{'_grad' * has_gradient}.{code}.{size}",
        "call",
        f"{OPERATIONS[operation]}{', and gradient' * has_gradient}, {of}{in_words(code)}",
        of_dtype(code, matrices(operation, shape, has_gradient)),
        {"": Target(ratio_to_best=1.2)},
        is_slow=size in LEFT_OUT,
        rtol=RTOL[code],
    )


def program(name: str, code: str, size: int, what: str, make: Callable[[], Data]) -> Workload:
    return Workload(
        f"s.{name}.{code}.{size}", "call", what + in_words(code), of_dtype(code, make),
        {"": Target(ratio_to_best=1.0)}, rtol=RTOL[code],
    )  # fmt: skip


WORKLOADS = (
    *(
        single(operation, code, size, g)
        for code in CODES
        for operation in OPERATIONS
        for g in (False, True)
        for size in SIZES
    ),
    *(
        program("gp", code, n, f"likelihood of a Gaussian process, and gradient, {n} points", gaussian_process(n))
        for code in CODES
        for n in POINTS
    ),
    *(
        program("mvnormal", code, n, f"log-density of a normal vector of {n}, and gradient", multivariate(n))
        for code in CODES
        for n in DIMENSIONS
    ),
    *(
        program("kalman", code, STEPS, f"likelihood by a Kalman filter, {STEPS} steps of {STATES} states", series)
        for code in CODES
    ),
    program("kalman_grad", "f8", STEPS, f"likelihood by a Kalman filter, and gradient, {STEPS} steps", series),
    program("hmm", "f8", HIDDEN_STEPS, HIDDEN, hidden),
    program("hmm_grad", "f8", HIDDEN_STEPS, f"{HIDDEN}, and gradient", hidden),
    *(
        Workload(f"r.{name}.f8.1e6", "call", f"1e6 draws, {name}", lambda: (), {"": Target(ratio_to_numpy=0.7)})
        for name in DRAWS
    ),
    Workload(
        "compile-gp",
        "compile",
        "likelihood of a Gaussian process and gradient",
        gaussian_process(60),
        {"cold": Target(60e-3), "warm": Target(5e-3)},
        rtol=1e-6,
    ),
)  # fmt: skip
