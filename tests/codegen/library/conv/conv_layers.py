"""Layers of random shapes and memory orders, and what NumPy makes of them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from tensordsl.ops.conv.rows import CONV, CONV_INPUTS, CONV_WEIGHTS

FUNCTIONS = ("conv", "conv_inputs", "conv_weights")


class Layer(NamedTuple):
    """Operands have five axes; `numbers` are those that functions of the library are told."""

    x: Any
    w: Any
    g: Any
    attrs: dict[str, Any]

    @property
    def numbers(self) -> list[int]:
        before = [pair[0] for pair in self.attrs["padding"]]
        at = self.attrs
        return [*at["strides"], *at["dilation"], *before, at["groups"], int(at["flip"])]

    def call(self, function: str) -> tuple[Any, Any, Any]:
        """Both operands, and the result that is wanted."""
        (x, w, g), at = self[:3], self.attrs
        if function == "conv":
            return x, w, CONV.oracle(x, w, **at)
        if function == "conv_inputs":
            return w, g, CONV_INPUTS.oracle(w, g, *x.shape[2:], **at)
        return x, g, CONV_WEIGHTS.oracle(x, g, *w.shape[2:], **at)


def random_layers(
    dtype: Any, count: int, most: int = 60, outs: tuple[int, ...] = (1, 2, 7, 16, 20, 70)
) -> Iterator[Layer]:
    """Small integers, of which all sums are exact."""
    rng = np.random.default_rng(0)
    for _ in range(count):
        axes = int(rng.integers(1, 4))

        def each(low: int, high: int, missing: int, axes: int = axes) -> list[int]:
            return [missing] * (3 - axes) + [int(n) for n in rng.integers(low, high, axes)]

        groups, c, o, images = (int(rng.choice(some)) for some in ((1, 1, 2, 3), (1, 2, 4), outs, (0, 1, 3)))
        kernel, strides, dilation = each(1, 5, 1), each(1, 4, 1), each(1, 4, 1)
        padding = tuple(zip(each(0, 4, 0), each(0, 4, 0), strict=True))
        lengths = each(1, max(most >> (axes - 1), 3), 1)
        rows = zip(lengths, padding, kernel, dilation, strict=True)
        rooms = [n + sum(pair) - ((k - 1) * d + 1) for n, pair, k, d in rows]
        if min(rooms) < 0:
            continue
        found = [room // s + 1 for room, s in zip(rooms, strides, strict=True)]
        shapes = (images, c * groups, *lengths), (o * groups, c, *kernel), (images, o * groups, *found)
        attrs = dict(strides=tuple(strides), dilation=tuple(dilation), padding=padding, groups=groups)
        yield Layer(*(in_some_order(rng, s, dtype) for s in shapes), attrs | {"flip": bool(rng.integers(2))})


def in_some_order(rng: Any, shape: tuple[int, ...], dtype: Any) -> Any:
    x = rng.integers(-4, 5, shape).astype(dtype)
    kind = rng.integers(5)
    if kind == 1:  # channels last
        return np.ascontiguousarray(np.moveaxis(x, 1, -1)).transpose(0, 4, 1, 2, 3)
    if kind == 2:
        return x[::-1, ::-1, ::-1, ::-1, ::-1]
    if kind == 3:
        wide = np.full([2 * n for n in shape], np.nan, dtype)
        wide[::2, ::2, ::2, ::2, ::2] = x
        return wide[::2, ::2, ::2, ::2, ::2]
    if kind == 4:
        return np.broadcast_to(x[:, :, :, :, :1], shape)
    return x
