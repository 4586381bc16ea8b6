"""Random functions with masks, positions, running sums and what is composed of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import expressions
import numpy as np
from expressions import EXACT, Maker, Unfit

import tensordsl.tensor as T
from tensordsl.types import DISCRETE, FLOATS, INTEGERS


def ranked(m: Maker, least: int = 1, most: int = 9) -> Any:
    return m.some(lambda v: least <= v.type.ndim <= most)


def mask_for(m: Maker, x: Any) -> Any:
    """A mask over the first axes of x: a value there, or a comparison of x with a number."""
    shape = m.value[x].shape
    found = [v for v in m.pool if v.type.dtype == "bool" and v.type.ndim and shape[: v.type.ndim] == m.value[v].shape]
    if found and m.flag():
        return m.choose(found)
    y = x if m.flag() or x.type.ndim < 2 else x[(slice(None),) * (1 + m.pick(x.type.ndim - 1)) + (0,)]
    return m.choose((T.gt, T.le, T.neq))(y, m.choose((0, 1, -2)))


def masked(m: Maker) -> None:
    x = ranked(m)
    mask = mask_for(m, x)
    index: Any = mask.nonzero() if m.flag(3) else mask
    if x.type.ndim > mask.type.ndim and m.flag(3):
        index = (mask, slice(None, None, m.choose((1, -1, 2))))
    part = x[index]
    way = m.pick(4)
    if way == 0:
        m.grow(part.set(m.choose((0, 1, 2))))
    elif way == 1:
        m.grow(part.inc(m.some(lambda v: v.type.ndim == 0 and v.type.dtype == x.type.dtype)))
    else:
        m.grow(part)


def counted(m: Maker) -> None:
    """Each row of x as often as a vector of small numbers says."""
    x = ranked(m)
    axis = m.pick(x.type.ndim)
    n = m.value[x].shape[axis]
    counts = m.some(lambda v: v.type.dtype in INTEGERS and m.value[v].shape == (n,))
    m.grow(T.repeat(x, T.mod(counts, 3), axis=axis))


def running(m: Maker) -> None:
    x = ranked(m)
    m.grow(m.choose((T.cumsum, T.cumprod, T.diff))(x, axis=m.pick(x.type.ndim)))


def arranged(m: Maker) -> None:
    x = ranked(m)
    axis = m.pick(x.type.ndim)
    ways: tuple[Callable[[], Any], ...] = (
        lambda: T.roll(x, m.choose((1, -2, 5)), axis), lambda: T.roll(x, 3), lambda: T.flip(x, axis),
        lambda: T.repeat(x, m.pick(3), axis), lambda: T.tile(x, [2] * x.type.ndim), lambda: T.moveaxis(x, axis, 0),
        lambda: T.expand_dims(x, axis), lambda: T.stacklists([[x, x]]),
        lambda: T.nonzero_values(T.mod(x, 2) if x.type.dtype in DISCRETE else x),
        lambda: T.specify_shape(x, x.shape),
    )  # fmt: skip
    m.grow(m.choose(ways)())


def triangles(m: Maker) -> None:
    x = ranked(m, 2, 3)
    k = m.choose((0, 1, -1))
    m.grow(m.choose((T.tril, T.triu, T.diagonal, T.trace))(x, k))


def square(m: Maker) -> None:
    x = ranked(m, 1, 1)
    m.grow(T.diag(x, m.choose((0, 1, -1))))


def chosen(m: Maker) -> None:
    x = ranked(m)
    a = m.some(lambda v: v.type.dtype in INTEGERS and expressions.broadcasts(m, x, v))
    m.grow(T.choose(a, [x, T.ones_like(x)], mode=m.choose(("wrap", "clip"))))


def batches(m: Maker) -> None:
    x = ranked(m, 2, 3)
    y = m.some(lambda v: 1 < v.type.ndim < 4 and m.value[v].shape[-2] == m.value[x].shape[-1])
    if x.type.ndim == y.type.ndim == 3 and 1 not in (x.type.shape[0], y.type.shape[0]):
        if len(m.value[x]) != len(m.value[y]):
            raise Unfit
    m.grow(T.matmul(x, y))


def nets(m: Maker) -> None:
    x = m.float_value()
    f = m.choose((T.nnet.ultra_fast_sigmoid, lambda v: T.nnet.relu(v, 0.1), lambda v: T.xlogy(v, 2.0), T.nnet.elu))
    m.grow(f(x))


def sorted_(m: Maker) -> None:
    """Order, along an axis; of exact values, because a rounding error may change places."""
    x = m.some(lambda v: v.type.ndim > 0 and m.level[v] == EXACT)
    axis = m.pick(x.type.ndim)
    n = m.value[x].shape[axis]
    ways: tuple[Callable[[], Any], ...] = (
        lambda: T.sort(x, axis), lambda: T.argsort(x, axis), lambda: T.median(x, axis), lambda: T.unique(x),
        lambda: T.topk(x, m.choose((1, -1, n, -n)) if n else m.choose([]), axis),
        lambda: T.searchsorted(T.sort(x, axis=None), x, m.choose(("left", "right"))),
        lambda: T.unique(x, return_inverse=True)[1], lambda: T.bincount(T.mod(T.cast(T.flatten(x), "int64"), 7)),
    )  # fmt: skip
    if x.type.dtype in FLOATS and way_is_cast(x, m):
        raise Unfit
    m.grow(m.choose(ways)())


def way_is_cast(x: Any, m: Maker) -> bool:
    """Whether a cast to int64 would not be defined."""
    return not bool(np.all(np.abs(m.value[x]) < 1e9))


WORDS = (
    masked,
    masked,
    masked,
    counted,
    running,
    running,
    sorted_,
    arranged,
    arranged,
    triangles,
    square,
    chosen,
    batches,
    nets,
)


class WordMaker(Maker):
    """Half of the operations are from above."""

    def step(self) -> None:
        if self.flag():
            super().step()
            return
        for _ in range(20):
            try:
                self.choose(WORDS)(self)
                return
            except (Unfit, ValueError, TypeError, IndexError, MemoryError):
                continue
