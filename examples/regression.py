"""Linear regression as a Bayesian, and whitening: systems, eigenvalues and singular values of a data matrix.

Ridge regression is the posterior mean under a normal prior; its evidence says how strong the prior has to be, and has a
gradient.  Whitening by `eigh` of the covariance, and by `svd` of the data, makes columns uncorrelated.

Run: python examples/regression.py [--rows 200] [--columns 12]
"""

from __future__ import annotations

import argparse
from typing import Any

import numpy as np

import tensordsl
import tensordsl.tensor as T
from tensordsl.tensor import nlinalg, slinalg


def evidence(x: Any, y: Any, alpha: Any, beta: Any) -> tuple[Any, Any]:
    """(log-probability of y for weights ~ N(0, 1 / alpha) and noise ~ N(0, 1 / beta), posterior mean of the weights).

    Bishop: "Pattern recognition and machine learning", 2006, section 3.5.
    """
    precision = alpha * T.eye(x.shape[1]) + beta * T.dot(x.T, x)
    weights = beta * slinalg.solve(precision, T.dot(x.T, y))
    rows, columns = x.shape[0], x.shape[1]
    misfit = beta * T.sum(T.sqr(y - T.dot(x, weights))) + alpha * T.sum(T.sqr(weights))
    size = T.log(nlinalg.det(precision))
    return 0.5 * (columns * T.log(alpha) + rows * T.log(beta / (2 * np.pi)) - misfit - size), weights


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=200)
    parser.add_argument("--columns", type=int, default=12)
    arguments = parser.parse_args()

    rng = np.random.default_rng(4)
    mixing = rng.normal(size=(arguments.columns, arguments.columns))
    data = rng.normal(size=(arguments.rows, arguments.columns)) @ mixing
    true = rng.normal(size=arguments.columns) * (np.arange(arguments.columns) < 4)
    target = data @ true + 0.5 * rng.normal(size=arguments.rows)

    x, y = T.dmatrix("x"), T.dvector("y")
    log_alpha, log_beta = logs = [tensordsl.shared(0.0, name=name) for name in ("alpha", "beta")]
    value, weights = evidence(x, y, T.exp(log_alpha), T.exp(log_beta))
    slopes = tensordsl.grad(value, logs)
    learn = tensordsl.function(
        [x, y], [value, weights], updates=[(p, p + 0.02 * g) for p, g in zip(logs, slopes, strict=True)]
    )
    trace = [learn(data, target) for _ in range(300)]
    (first, _), (last, found) = trace[0], trace[-1]
    alpha, beta = (float(np.exp(p.get_value())) for p in logs)
    print(f"log-evidence {first:.1f} -> {last:.1f}; prior's precision {alpha:.2f}")
    print(f"noise {beta**-0.5:.3f} (which is 0.5)")
    print("weights", np.array2string(found, precision=2, suppress_small=True))
    ridge = np.linalg.solve(data.T @ data + alpha / beta * np.eye(len(true)), data.T @ target)
    assert np.allclose(found, ridge, atol=1e-4), "the posterior mean is not that of ridge regression"
    error = np.std(data @ (found - true))
    print(f"error of the predictions {error:.3f}")
    assert error < 0.2 and abs(beta**-0.5 - 0.5) < 0.1, "the weights are off"

    centred = x - T.mean(x, axis=0)
    variances, directions = nlinalg.eigh(T.dot(centred.T, centred) / x.shape[0])
    by_eigh = T.dot(centred, directions) / T.sqrt(variances)
    left, sizes, right = nlinalg.svd(centred, full_matrices=False)
    by_svd = left * T.sqrt(x.shape[0])
    shares = T.sqr(sizes) / T.sum(T.sqr(sizes))
    rotate = T.dot(by_eigh, directions.T)  # Mahalanobis whitening: nearest to the data of all
    white, other, rotated, parts, turned = tensordsl.function([x], [by_eigh, by_svd, rotate, shares, right])(data)
    print("share of the variance by component:", np.array2string(parts, precision=3, suppress_small=True))
    for result in (white, other, rotated):
        assert np.allclose(result.T @ result / len(data), np.eye(arguments.columns), atol=1e-9), "not white"
    assert np.allclose(np.abs(white[:, ::-1]), np.abs(other)), "eigh and svd differ by more than signs"
    assert np.allclose((data - data.mean(0)) @ turned.T, other * np.sqrt(parts * np.sum(np.var(data, axis=0))))


if __name__ == "__main__":
    main()
