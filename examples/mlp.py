"""Train a 2-4-1 sigmoid network on two Gaussian clouds by gradient descent with momentum, and draw each decision.

The whole training step (forward pass, gradients by `T.grad`, momentum, the updates of all parameters) is one compiled
function on shared state. Prints cost and accuracy per iteration; where matplotlib is installed it also writes one
picture of the network's decision per iteration into `examples/out/`.

Run: python examples/mlp.py [--iterations 20] [--no-plots]
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

import tensordsl
import tensordsl.tensor as T

OUT = Path(__file__).resolve().parent / "out"


class Layer:
    """`activation(W x + b)` for points that are the columns of x."""

    def __init__(self, weights: np.ndarray, activation: Callable[[Any], Any]) -> None:
        outputs = weights.shape[0]
        dtype = tensordsl.config.floatX
        self.weights = tensordsl.shared(weights.astype(dtype), name="W", borrow=True)
        # One column that is declared broadcastable: it is added to every point.
        self.bias = tensordsl.shared(np.ones((outputs, 1), dtype), name="b", borrow=True, broadcastable=(False, True))
        self.activation = activation

    def __call__(self, x: Any) -> Any:
        return self.activation(T.dot(self.weights, x) + self.bias)


def make_clouds(count: int) -> tuple[np.ndarray, np.ndarray]:
    """`count` points in the plane, shape (2, count), around (-1, -1) and (1, 1), and the number of each one's cloud."""
    label = np.random.randint(0, 2, count)
    centre = np.array([[-1, 1], [-1, 1]])
    spread = np.random.random_sample((2, 2)) + 1
    points = [np.random.randn(count) * spread[axis, label] + centre[axis, label] for axis in (0, 1)]
    return np.vstack(points).astype(tensordsl.config.floatX), label.astype(tensordsl.config.floatX)


def momentum_updates(cost: Any, params: list[Any], rate: float, momentum: float) -> list[tuple[Any, Any]]:
    """Each parameter moves by its step; a step is `momentum` of the last one minus `rate` times the gradient."""
    updates = []
    for param in params:
        last_step = tensordsl.shared(np.zeros_like(param.get_value()), broadcastable=param.broadcastable)
        step = momentum * last_step - rate * T.grad(cost, param)
        updates += [(last_step, step), (param, param + step)]
    return updates


def make_plotter() -> Callable[..., None] | None:
    """A function that writes one picture, or None (and a note on the screen) where matplotlib is missing."""
    try:
        import matplotlib
    except ImportError:
        print("matplotlib is not installed: no pictures (pip install matplotlib, or tensordsl[plot])")
        return None
    matplotlib.use("Agg")
    from matplotlib import pyplot

    OUT.mkdir(exist_ok=True)

    def plot(iteration: int, points: np.ndarray, decision: np.ndarray, title: str) -> None:
        figure, axes = pyplot.subplots(figsize=(5, 5))
        axes.scatter(*points, c=decision.ravel(), s=4, cmap="cool", vmin=0, vmax=1)
        axes.set(xlim=(-6, 6), ylim=(-6, 6), title=title)
        figure.savefig(OUT / f"mlp-{iteration:02d}.png", dpi=80)
        pyplot.close(figure)

    return plot


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--iterations", type=int, default=20)
    parser.add_argument("--no-plots", action="store_true", help="write no pictures")
    arguments = parser.parse_args()

    np.random.seed(0)
    points, label = make_clouds(1000)
    hidden = Layer(np.random.randn(4, 2), T.nnet.sigmoid)
    output = Layer(np.random.randn(1, 4), T.nnet.sigmoid)

    x, target = T.matrix("x"), T.vector("target")
    decision = output(hidden(x))
    cost = T.sum((decision - target) ** 2)
    params = [hidden.weights, hidden.bias, output.weights, output.bias]

    start = time.perf_counter()
    train = tensordsl.function([x, target], cost, updates=momentum_updates(cost, params, rate=0.01, momentum=0.9))
    decide = tensordsl.function([x], decision)
    print(f"compiled in {time.perf_counter() - start:.3f} s")

    plot = None if arguments.no_plots else make_plotter()
    for iteration in range(1, arguments.iterations + 1):
        current_cost = float(train(points, label))
        current = decide(points)
        accuracy = np.mean((current > 0.5) == label)
        title = f"cost {current_cost:.3f}, accuracy {accuracy:.3f}"
        print(f"iteration {iteration:2d}/{arguments.iterations}: {title}", flush=True)
        if plot:
            plot(iteration, points, current, title)
    if plot:
        print(f"pictures are in {OUT}")


if __name__ == "__main__":
    main()
