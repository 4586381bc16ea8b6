"""The suite `linalg` (`benchmarks.workloads.linalg`) in each library's own words.

Comes in   a workload's data, in the order that its `make` has.
Goes out   a `BUILD` of each library's module, which its adapter takes in; results in one order for all:
           cholesky, solve, triangular   the result; with gradient: its weighted sum, and the gradients by the matrix
                                         and the right-hand side
           gp                            the likelihood and its gradients by the three logarithms
           mvnormal                      the density and its gradients by the mean and the covariance
           kalman, hmm                   the likelihood; with gradient: and its gradients by the transition and, of
                                         `kalman`, by what is observed of a state
           draws                         the numbers, which nobody compares
Modules    numpy, numba  gradients by hand; SciPy's triangular systems; explicit loops for small matrices
           jax           `jax.numpy.linalg`, `jax.scipy.linalg`, `jax.random`
           symbolic      tensordsl and PyTensor
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks.workloads.foundation import Call

SYMMETRIC = {"cholesky_grad": 1, "mvnormal": 2}  # which of the results is the gradient of a symmetric matrix


def compared(name: str, call: Call) -> Call:
    """The call of a workload, whose gradient of a symmetric matrix is compared as a symmetric one."""
    kind = name.split(".")[1]
    if kind not in SYMMETRIC:
        return call
    place = SYMMETRIC[kind]

    def result() -> Any:
        found = [np.asarray(x) for x in eval(call.statement, dict(call.names))]
        found[place] = (found[place] + found[place].swapaxes(-1, -2)) / 2
        return found

    return Call(call.statement, call.names, result)


def builds(calls: dict[str, Callable[..., Call]]) -> dict[str, Callable[..., Call]]:
    """By the names of workloads."""
    return {name: _building(name, make) for name, make in calls.items()}


def _building(name: str, make: Callable[..., Call]) -> Callable[..., Call]:
    return lambda data: compared(name, make(data)) if "." in name else make(data)
