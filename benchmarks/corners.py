"""Everyday forms at odd shapes beside NumPy and JAX, to find where a way that is fast elsewhere is not taken.

    python -m benchmarks.corners [--peers numpy,jax] [--only "softmax over 0" ...] [--dtypes float32] [--worst 30]

One process, in turns, one thread, processor time; results have to agree with NumPy's.  Prints the calls that take
longest compared with the best of the others.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from benchmarks.peers import XLA_ONE_THREAD
from benchmarks.programs import measured
from benchmarks.short_rows import calls, softmax

MATRICES = (
    *((16, 7), (200, 3), (64, 10), (64, 17), (20, 30), (33, 33), (64, 100), (100, 64), (100, 65), (1000, 12)),
    *((300, 50), (7, 1000), (3, 5000), (128, 127), (500, 129), (50, 1001), (1000, 33), (5000, 6)),
)
STACKS = (
    *((8, 16, 16), (32, 5, 7), (10, 20, 30), (4, 64, 33), (16, 50, 3), (100, 4, 4), (3, 100, 100), (64, 3, 50)),
    *((20, 7, 129), (2, 1000, 5), (200, 10, 3), (5, 33, 100), (10, 1000, 3), (40, 40, 7), (200, 20, 20)),
)
BODIES = 24
SECONDS = 4e-3  # of a library in a round
Form = Callable[[Any, Any], Any]


def standardised(m: Any, x: Any, axis: Any) -> Any:
    return (x - x.mean(axis=axis, keepdims=True)) / m.sqrt(x.var(axis=axis, keepdims=True) + 1)


def fours(x: Any) -> Any:
    """Rows whose length is known when a function is compiled."""
    n = x.shape[0] * x.shape[1] // 4
    return x.reshape((x.shape[0] * x.shape[1],))[: 4 * n].reshape((n, 4))


def pools(x: Any) -> Any:
    """Squares of two by two, along axes 2 and 4."""
    h, w = x.shape[1] // 2, x.shape[2] // 2
    return x[:, : 2 * h, : 2 * w].reshape((x.shape[0], h, 2, w, 2))


def at_labels(m: Any, x: Any) -> Any:
    """Cross-entropy of sequences, before its mean."""
    label = m.where(x[:, :, 0] > 0, 1, 2)
    scores = x - m.log(m.exp(x).sum(axis=2, keepdims=True))
    return scores[m.arange(x.shape[0])[:, None], m.arange(x.shape[1])[None, :], label]


def pulls(x: Any) -> Any:
    """Of bodies on each other, the first column their masses."""
    x = x[:BODIES]
    return ((x[None, :, :] - x[:, None, :]) * x[:, 0][None, :, None]).sum(axis=1)


def energies(m: Any, x: Any) -> Any:
    x = x[:BODIES]
    return m.exp(-((x[None, :, :] - x[:, None, :]) ** 2).sum(axis=2) - m.eye(x.shape[0]))


OF_MATRICES: dict[str, Form] = {
    "softmax over 0": lambda m, x: softmax(m, x, 0),
    "softmax over 1": lambda m, x: softmax(m, x, 1),
    "standardised over 0": lambda m, x: standardised(m, x, 0),
    "standardised over 1": lambda m, x: standardised(m, x, 1),
    "sums over 0": lambda m, x: x.sum(axis=0),
    "sums over 1": lambda m, x: x.sum(axis=1),
    "sum of all, weighed": lambda m, x: (x * x[:, 0][:, None]).sum(),
    "largest over 1": lambda m, x: x.max(axis=1),
    "places over 0": lambda m, x: x.argmax(axis=0),
    "transposed": lambda m, x: x.T + 1,
    "row and column": lambda m, x: x * x[0] + x[:, 0][:, None],
    "parts": lambda m, x: x[1:, 1:] * 2 - x[:-1, :-1],
    "backwards": lambda m, x: x[:, ::-1] + 1,
    "columns": lambda m, x: x[:, 0] * x[:, 1] + x[:, 2],
    "triangle": lambda m, x: m.tril(x) + 1,
    "chosen": lambda m, x: m.where(x > x.mean(axis=0), x, 0),
    "joined": lambda m, x: m.concatenate([x, x + 1], axis=1),
    "by its transpose": lambda m, x: m.dot(x.T, x),
    "softmax of fours": lambda m, x: softmax(m, fours(x), 1),
    "fours, centred": lambda m, x: fours(x) - fours(x).mean(axis=1, keepdims=True),
    "periodic": lambda m, x: sum(m.roll(x, s, axis=a) for s in (1, -1) for a in (0, 1)) - 4 * x,
    "softmax over 0, rows weighed": lambda m, x: softmax(m, x, 0) * x[:, 0][:, None],
    "standardised over 0, rows weighed": lambda m, x: standardised(m, x, 0) * x[:, 0][:, None] + x[0],
    "pulls": lambda m, x: pulls(x),
    "energies": energies,
    "distances": lambda m, x: ((x[:4, None, :] - x[None, :, :]) ** 2).sum(axis=2),
}
OF_STACKS: dict[str, Form] = {
    "softmax over 1": lambda m, x: softmax(m, x, 1),
    "softmax over 2": lambda m, x: softmax(m, x, 2),
    "standardised over 0 and 2": lambda m, x: standardised(m, x, (0, 2)),
    "standardised over 1": lambda m, x: standardised(m, x, 1),
    "sums over 1": lambda m, x: x.sum(axis=1),
    "sums over 0 and 2": lambda m, x: x.sum(axis=(0, 2)),
    "sums over 1 and 2, rows weighed": lambda m, x: (x * x[0, :, 0][:, None]).sum(axis=(1, 2)),
    "sums over 1 and 2, columns weighed": lambda m, x: (x * x[0, 0]).sum(axis=(1, 2)),
    "places over 1": lambda m, x: x.argmax(axis=1),
    "axes 1, 0, 2": lambda m, x: m.transpose(x, (1, 0, 2)) * 2,
    "axes 2, 1, 0": lambda m, x: m.transpose(x, (2, 1, 0)) * 2,
    "a matrix's column": lambda m, x: x + x[0, :, 0][:, None],
    "parts": lambda m, x: x[:, 1:, :-1] * x[:, :-1, 1:],
    "softmax over 1, rows shifted": lambda m, x: softmax(m, x + x[:, :, 0][:, :, None], 1),
    "scores at labels": at_labels,
    "pooled": lambda m, x: pools(x).max(axis=(2, 4)),
    "pools, less their largest": lambda m, x: pools(x) - pools(x).max(axis=(2, 4), keepdims=True),
    "by their transposes": lambda m, x: m.matmul(x, m.transpose(x, (0, 2, 1))),
}


def rows(only: Sequence[str], dtypes: Sequence[str], peers: Sequence[str]) -> Iterator[tuple[float, str]]:
    """(times the best other's time, a line of the table)"""
    rng = np.random.default_rng(0)
    for forms, shapes in ((OF_MATRICES, MATRICES), (OF_STACKS, STACKS)):
        for name, form in forms.items():
            if only and name not in only:
                continue
            for dtype in dtypes:
                of = calls(form, peers, len(shapes[0]), dtype, tolerance=1e-3)
                for shape in shapes:
                    seconds = measured(of(rng.normal(size=shape).astype(dtype)), SECONDS)
                    ours = seconds.pop("tensordsl")
                    ratio, each = ours / min(seconds.values()), 1e9 * ours / np.prod(shape)
                    others = " | ".join(f"{1e6 * s:.2f}" for s in seconds.values())
                    label = f"{name} | {dtype} {shape}"
                    yield ratio, f"| {label} | {1e6 * ours:.2f} | {others} | {each:.2f} | {ratio:.2f} |"


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description="Everyday forms at odd shapes.")
    parser.add_argument("--peers", default="numpy,jax", help="of numpy, jax")
    parser.add_argument("--only", action="append", default=[], choices=[*OF_MATRICES, *OF_STACKS])
    parser.add_argument("--dtypes", default="float32,float64")
    parser.add_argument("--worst", type=int, default=30, help="lines of the table")
    options = parser.parse_args(arguments)
    os.environ.setdefault("XLA_FLAGS", XLA_ONE_THREAD)
    peers = [p for p in options.peers.split(",") if p]
    found = []
    for ratio, line in rows(options.only, options.dtypes.split(","), peers):
        found.append((ratio, line))
        print(f"\r{len(found)} calls, the worst {max(found)[0]:.2f}", end="", file=sys.stderr, flush=True)
    mean = float(np.exp(np.mean(np.log([ratio for ratio, _ in found]))))
    print(f"\n| form | operand | tensordsl, µs | {' | '.join(peers)} | ns an element | ours / best other |")
    print("|---" * (len(peers) + 5) + "|")
    print("\n".join(line for _, line in sorted(found, reverse=True)[: options.worst]))
    print(f"\nGeometric mean of {len(found)} calls {mean:.2f}.")


if __name__ == "__main__":
    main()
