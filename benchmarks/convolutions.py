"""Convolutions and both gradients beside products of equal size, and PyTorch: GFLOP/s, and how often as fast as these.

    python -m benchmarks.convolutions [--peers torch] [--only 3x3_64-64@56 ...] [--images 1,32] [--dtypes float32]

A product of equal size is `dot` of the weights as a matrix and windows that lie there already: what a convolution that
loses nothing would reach.  One process, in turns, one thread, processor time; results have to agree with the peer's.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from math import prod
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from benchmarks.programs import measured


class Layer(NamedTuple):
    """lengths: of two or three spatial axes; padding: before and behind each axis."""

    lengths: tuple[int, ...]
    channels: int
    outputs: int
    kernel: tuple[int, ...]
    padding: tuple[int, ...]
    stride: int = 1
    dilation: int = 1
    groups: int = 1

    @property
    def results(self) -> tuple[int, ...]:
        """Lengths of the result."""
        rows = zip(self.lengths, self.kernel, self.padding, strict=True)
        return tuple([(n + 2 * p - self.dilation * (k - 1) - 1) // self.stride + 1 for n, k, p in rows])


LAYERS = {
    "5x5_1-20@28": Layer((28, 28), 1, 20, (5, 5), (0, 0)),
    "5x5_20-50@12": Layer((12, 12), 20, 50, (5, 5), (0, 0)),
    "3x3_64-64@56": Layer((56, 56), 64, 64, (3, 3), (1, 1)),
    "3x3s2_64-128@56": Layer((56, 56), 64, 128, (3, 3), (1, 1), stride=2),
    "3x3_256-256@14": Layer((14, 14), 256, 256, (3, 3), (1, 1)),
    "1x1_256-64@28": Layer((28, 28), 256, 64, (1, 1), (0, 0)),
    "7x7s2_3-64@224": Layer((224, 224), 3, 64, (7, 7), (3, 3), stride=2),
    "depthwise3x3_96@56": Layer((56, 56), 96, 96, (3, 3), (1, 1), groups=96),
    "3x3d2_64-64@56": Layer((56, 56), 64, 64, (3, 3), (2, 2), dilation=2),
    "3x3g4_64-64@56": Layer((56, 56), 64, 64, (3, 3), (1, 1), groups=4),
    "1x9_32-64@4000": Layer((1, 4000), 32, 64, (1, 9), (0, 4)),
    "3x3x3_8-16@16": Layer((16, 16, 16), 8, 16, (3, 3, 3), (1, 1, 1)),
    "3x3_37-37@31x45": Layer((31, 45), 37, 37, (3, 3), (1, 1)),
    "5x5_37-53@31x45": Layer((31, 45), 37, 53, (5, 5), (2, 2)),
}
WAYS = ("forward", "inputs", "weights")
TOLERANCE = {"float32": 2e-3, "float64": 1e-9}


def ours(layer: Layer, x: Any, w: Any, g: Any) -> dict[str, Any]:
    import tensordsl
    import tensordsl.tensor as T

    axes = len(layer.lengths)
    nnet: Any = T.nnet
    made = f"conv{axes}d"
    steps = {"subsample": (layer.stride,) * axes, "filter_dilation": (layer.dilation,) * axes}
    given = {**steps, "border_mode": layer.padding, "num_groups": layer.groups, "filter_flip": False}
    a, b, c = (T.TensorType(x.dtype.name, (None,) * x.ndim)() for _ in WAYS)
    by_inputs, by_weights = (getattr(nnet.abstract_conv, f"{made}_grad_wrt_{of}") for of in WAYS[1:])
    forward = tensordsl.function([a, b], getattr(nnet, made)(a, b, **given))
    inputs = tensordsl.function([b, c], by_inputs(c, b, x.shape, **given))
    weights = tensordsl.function([a, c], by_weights(a, c, w.shape, **given))
    return {"forward": lambda: forward(x, w), "inputs": lambda: inputs(w, g), "weights": lambda: weights(x, g)}


def by_torch(layer: Layer, x: Any, w: Any, g: Any) -> dict[str, Any]:
    import torch

    torch.set_num_threads(1)
    a, b, c = map(torch.from_numpy, (x, w, g))
    axes = len(layer.lengths)
    numbers = [(n,) * axes for n in (layer.stride, layer.dilation)]
    given = None, numbers[0], layer.padding, numbers[1], False, (0,) * axes, layer.groups

    def gradient(wanted: int) -> Any:
        mask = [n == wanted for n in range(3)]
        return lambda: torch.ops.aten.convolution_backward(c, a, b, *given, mask)[wanted]

    forward = lambda: torch.ops.aten.convolution(a, b, *given)  # noqa: E731
    return {"forward": forward, "inputs": gradient(0), "weights": gradient(1)}


def by_product(layer: Layer, dtype: str, images: int) -> dict[str, Any]:
    import tensordsl
    import tensordsl.tensor as T

    a, b = T.TensorType(dtype, (None, None))(), T.TensorType(dtype, (None, None))()
    dot, rng = tensordsl.function([a, b], T.dot(a, b)), np.random.default_rng(1)
    taps, positions = prod(layer.kernel), images * prod(layer.results)
    o, c = layer.outputs // layer.groups, layer.channels // layer.groups
    sizes = (o, c * taps, positions), (c, o * taps, images * prod(layer.lengths)), (o, positions, c * taps)
    found = {}
    for way, (m, k, n) in zip(WAYS, sizes, strict=True):
        x, y = (rng.normal(size=s).astype(dtype) for s in ((m, k), (k, n)))
        found[way] = lambda x=x, y=y: [dot(x, y) for _ in range(layer.groups)]
    return found


def rows(only: Sequence[str], images: Sequence[int], dtypes: Sequence[str], peers: Sequence[str]) -> Iterator[str]:
    rng = np.random.default_rng(0)
    yield f"| GFLOP/s; how often as fast as the product{''.join(f', {p}' for p in peers)} | {' | '.join(WAYS)} |"
    yield "|---" * (len(WAYS) + 1) + "|"
    for dtype in dtypes:
        for name, layer in LAYERS.items():
            for many in images if not only or name in only else ():
                of_weights = layer.outputs, layer.channels // layer.groups, *layer.kernel
                shapes = (many, layer.channels, *layer.lengths), of_weights, (many, layer.outputs, *layer.results)
                x, w, g = (rng.normal(size=shape).astype(dtype) for shape in shapes)
                calls = {"ours": ours(layer, x, w, g), "dot": by_product(layer, dtype, many)}
                if "torch" in peers:
                    calls["torch"] = by_torch(layer, x, w, g)
                flops, cells = 2 * g.size * prod(w.shape[1:]), []
                for way in WAYS:
                    if "torch" in peers:
                        got, wanted = np.asarray(calls["ours"][way]()), np.asarray(calls["torch"][way]())
                        scale = TOLERANCE[dtype] * max(1.0, float(np.abs(wanted).max()))
                        np.testing.assert_allclose(got, wanted, rtol=TOLERANCE[dtype], atol=scale)
                    seconds = measured({library: of[way] for library, of in calls.items()})
                    mine = seconds.pop("ours")
                    cells.append(
                        " / ".join([f"{flops / mine / 1e9:.1f}", *(f"{s / mine:.2f}" for s in seconds.values())])
                    )
                yield f"| {name}, {many} of {dtype} | {' | '.join(cells)} |"


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description="Convolutions and both gradients.")
    parser.add_argument("--peers", default="", help="torch, if it is installed")
    parser.add_argument("--only", action="append", default=[], choices=LAYERS)
    parser.add_argument("--images", default="1,32")
    parser.add_argument("--dtypes", default="float32,float64")
    parser.add_argument("--markdown", type=Path, help="a file to write the table to")
    options = parser.parse_args(arguments)
    lines = []
    peers = [p for p in options.peers.split(",") if p]
    for line in rows(options.only, [int(n) for n in options.images.split(",")], options.dtypes.split(","), peers):
        lines.append(line)
        print(line, flush=True)
    if options.markdown:
        options.markdown.write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
