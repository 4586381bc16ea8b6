"""Find the minimum of Rosenbrock's function by Newton's method, with gradient and Hessian from the expression itself.

f(x) = sum_i 100 (x[i+1] - x[i]^2)^2 + (1 - x[i])^2 has a curved, narrow valley in which gradient descent needs
thousands of steps; its minimum is 0 at (1, ..., 1). A step that does not lower f is halved until it does.

Run: python examples/newton.py [--size 4]
"""

from __future__ import annotations

import argparse

import numpy as np

import tensordsl
import tensordsl.tensor as T


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--size", type=int, default=4, help="number of unknowns, at least 2")
    parser.add_argument("--iterations", type=int, default=50, help="give up after so many steps")
    arguments = parser.parse_args()

    x = T.vector("x")
    f = T.sum(100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2)
    gradient = T.grad(f, x)
    evaluate = tensordsl.function([x], f)
    derivatives = tensordsl.function([x], [gradient, tensordsl.gradient.hessian(f, x)])

    point = np.zeros(arguments.size)
    value = float(evaluate(point))
    for iteration in range(1, arguments.iterations + 1):
        slope, curvature = derivatives(point)
        print(f"step {iteration:2d}: f = {value:.3e}, |gradient| = {np.linalg.norm(slope):.3e}")
        if np.linalg.norm(slope) < 1e-9:
            break
        # Where the Hessian has a negative eigenvalue, Newton's step would climb along it: take its magnitude.
        eigenvalues, axes = np.linalg.eigh(curvature)
        step = -axes @ ((axes.T @ slope) / np.abs(eigenvalues))
        length = 1.0
        while (lower := float(evaluate(point + length * step))) > value and length > 1e-12:
            length /= 2
        point, value = point + length * step, lower
    print("minimum at", np.array2string(point, precision=9))
    assert np.allclose(point, 1, atol=1e-6), "Newton's method ended away from the minimum"


if __name__ == "__main__":
    main()
