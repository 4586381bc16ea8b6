"""tensordsl and PyTensor: values as a user writes them, gradients by the library."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks.peers.linalg import builds
from benchmarks.workloads.foundation import Build, Call, Data
from benchmarks.workloads.linalg import CODES, DIMENSIONS, DRAWN, DRAWS, JITTER, POINTS, SIZES, STEPS

if TYPE_CHECKING:
    from benchmarks.peers.symbolic import Language

Program = Callable[..., Any]  # of the language and of symbols: the results


def cholesky(language: Language, a: Any) -> Any:
    return language.T.linalg.cholesky(a)


def solve(language: Language, a: Any, b: Any) -> Any:
    return language.T.linalg.solve(a, b)


def triangular(language: Language, a: Any, b: Any) -> Any:
    return language.T.linalg.solve_triangular(a, b, lower=True)


def weighted(operation: Program) -> Program:
    def program(language: Language, *x: Any) -> Any:
        cost = (x[-1] * operation(language, *x[:-1])).sum()
        return cost, *language.T.grad(cost, list(x[:-1]))

    return program


def log_density(language: Language, factor: Any, rest: Any) -> Any:
    T = language.T
    white = triangular(language, factor, rest)
    return -0.5 * (white**2).sum() - T.log(T.diag(factor)).sum() - 0.5 * rest.shape[0] * np.log(2 * np.pi)


def gaussian_process(language: Language, x: Any, y: Any, *logarithms: Any) -> Any:
    T, (length, amplitude, noise) = language.T, logarithms
    squares = ((x[:, None] - x[None, :]) * T.exp(-length)) ** 2
    covariance = T.exp(2 * amplitude - 0.5 * squares) + (T.exp(2 * noise) + JITTER) * T.eye(x.shape[0])
    density = log_density(language, cholesky(language, covariance), y)
    return density, *T.grad(density, list(logarithms))


def normal_vector(language: Language, x: Any, mean: Any, covariance: Any) -> Any:
    density = log_density(language, cholesky(language, covariance), x - mean)
    return density, *language.T.grad(density, [mean, covariance])


def kalman(language: Language, y: Any, a: Any, h: Any, q: Any, r: Any) -> Any:
    T = language.T

    def step(row: Any, mean: Any, spread: Any, density: Any) -> Any:
        mean, spread = T.dot(a, mean), T.dot(T.dot(a, spread), a.T) + q
        seen = T.dot(h, spread)
        factor = cholesky(language, T.dot(seen, h.T) + r)
        white, gain = triangular(language, factor, row - T.dot(h, mean)), triangular(language, factor, seen)
        density = density - 0.5 * (white**2).sum() - T.log(T.diag(factor)).sum()
        return mean + T.dot(gain.T, white), spread - T.dot(gain.T, gain), density

    start = [T.zeros((a.shape[0],)), T.eye(a.shape[0]), T.as_tensor_variable(np.array(0.0, y.dtype))]
    return language.scan(step, sequences=y, outputs_info=start)[2][-1]


def kalman_gradient(language: Language, y: Any, a: Any, h: Any, q: Any, r: Any) -> Any:
    density = kalman(language, y, a, h, q, r)
    return density, *language.T.grad(density, [a, h])


def hidden(language: Language, seen: Any, transition: Any, start: Any) -> Any:
    T = language.T

    def step(row: Any, share: Any, density: Any) -> Any:
        share = T.dot(share, transition) * row
        return share / share.sum(), density + T.log(share.sum())

    return language.scan(step, sequences=seen, outputs_info=[start, T.as_tensor_variable(np.array(0.0))])[1][-1]


def hidden_gradient(language: Language, seen: Any, transition: Any, start: Any) -> Any:
    density = hidden(language, seen, transition, start)
    return density, language.T.grad(density, transition)


def build(language: Language, program: Program, data: Data) -> Call:
    names = "abcde"[: len(data)]
    with language.change_flags(floatX=data[0].dtype.name):
        symbols = [language.tensor(n, x.dtype.name, (None,) * x.ndim) for n, x in zip(names, data, strict=True)]
        results = program(language, *symbols)
        f = language.function(symbols, list(results) if isinstance(results, tuple) else results)
    return Call(f"f({', '.join(names)})", {"f": f, **dict(zip(names, data, strict=True))})


def drawing(language: Language, name: str, _: Data) -> Call:
    with language.change_flags(floatX="float64"):
        value, updates = language.draw(name, DRAWS[name], DRAWN)
        f = language.function([], value, updates=updates)
    return Call("f()", {"f": f}, is_compared=False)


OPERATIONS: dict[str, Program] = {"cholesky": cholesky, "solve": solve, "triangular": triangular}
PROGRAMS: dict[str, Program] = {
    **{
        f"q.{name}{kind}.{code}.{size}": f
        for name, operation in OPERATIONS.items()
        for kind, f in (("", operation), ("_grad", weighted(operation)))
        for code in CODES
        for size in SIZES
    },
    **{f"s.gp.{code}.{n}": gaussian_process for n in POINTS for code in CODES},
    **{f"s.mvnormal.{code}.{n}": normal_vector for n in DIMENSIONS for code in CODES},
    **{f"s.kalman.{code}.{STEPS}": kalman for code in CODES},
    "s.kalman_grad.f8.100": kalman_gradient,
    "s.hmm.f8.200": hidden,
    "s.hmm_grad.f8.200": hidden_gradient,
    "compile-gp": gaussian_process,
}


def builders(language: Language) -> dict[str, Build]:
    programs: dict[str, Build] = {name: partial(build, language, program) for name, program in PROGRAMS.items()}
    return builds(programs | {f"r.{name}.f8.1e6": partial(drawing, language, name) for name in DRAWS})
