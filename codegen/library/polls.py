"""Loops of kernels that poll for signals, and walks over the lines of two arrays.

Contract  `polled_range` is `Kernel.range` for loops that may take long; `line_walk` a function that goes over all axes
          but a line's own, and does its body for each.
Why       a call of seconds ends at Ctrl-C; a poll in each round would cost as much as a short round.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from tensordsl.codegen.abi import layouts
from tensordsl.codegen.kernel_ir.ir import Function
from tensordsl.codegen.kernel_ir.language import Kernel, Number, Pointer, kernel
from tensordsl.codegen.kernel_ir.types import Kind, Signature, array, i64, ptr, signature
from tensordsl.codegen.library.signals import ROUNDS_BETWEEN_POLLS

POLL = signature(layouts.POLL, internal=False, hidden=True)
# What a call that ends early gives back: blocks of `library.blocks`, the newest first.
HOLD = signature(layouts.HOLD, block=ptr, internal=False, hidden=True)
DROP = signature(layouts.DROP, internal=False, hidden=True)
AXES: dict[str, Kind] = {"dims": array(i64), "xs": array(i64), "ys": array(i64), "level": i64, "last": i64}


@contextmanager
def polled_range(k: Kernel, end: Any, *, start: Any = 0, step: int = 1) -> Iterator[Number]:
    """`k.range` that polls between pieces of many rounds; step: a power of two."""
    assert not ROUNDS_BETWEEN_POLLS % step
    with k.range(end, start=start, step=ROUNDS_BETWEEN_POLLS) as first:
        behind = first + ROUNDS_BETWEEN_POLLS
        is_last = behind >= end
        behind = k.select(is_last, end, behind)
        with k.range(behind, start=first, step=step) as i:
            yield i
        with k.when(~is_last):
            k.call(POLL)


def poll_each(k: Kernel, index: Number, every: int, step: int = 1) -> None:
    """Poll in each `every`-th round of a loop that counts in steps, both powers of two."""
    last = (every - 1) * step
    with k.when((index & last) == last):
        k.call(POLL)


def walk_signature(name: str, parameters: dict[str, Kind]) -> Signature:
    return signature(f"{name}.walk", None, {**parameters, **AXES})


def line_walk(name: str, parameters: dict[str, Kind], body: Callable[..., None], lines_per_poll: int = 64) -> Function:
    """`name.walk`: x and y, the first parameters, go over all points of the axes from `level` to before `last`; at each
    `body(k, parameters, axes)` is done.  lines_per_poll: a power of two."""
    s = walk_signature(name, parameters)

    @kernel(s)
    def walk(k: Kernel, *given: Any) -> None:
        (x, y, *others), (dims, xs, ys, level, last) = given[: len(parameters)], given[len(parameters) :]
        with k.when(level >= last):
            body(k, given[: len(parameters)], given[len(parameters) :])
            k.ret()
        n, x_step, y_step = dims[level], xs[level], ys[level]
        below = level + 1
        with k.range(n) as i:
            k.call(s, x.bytes(i * x_step), y.bytes(i * y_step), *others, dims, xs, ys, below, last)
            with k.when((i & (lines_per_poll - 1)) == lines_per_poll - 1):
                k.call(POLL)

    return walk


def given_lines(k: Kernel, bases: Pointer, words: Pointer, rank: Number) -> tuple[list[Any], list[Any]]:
    """(x, y, length and steps of the first axis; `AXES` up to the level behind it) of a `LibraryCall`: bases are x and
    y, words lengths and strides of x, then lengths and strides of y."""
    x, y = bases.of(ptr)[0], bases.of(ptr)[1]
    dims = words.of(i64)
    xs = dims + rank
    ys = xs + rank * 2
    return [x, y, dims[0], xs[0], ys[0]], [dims, xs, ys, k.number(1, i64)]
