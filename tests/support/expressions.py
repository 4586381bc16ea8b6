"""Random functions over the whole op table: the operations that `Maker` grows them with."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from agreement import Scene, check, compare, perturbed, reference
from drawn import EXACT, INEXACT, SIGN, Case
from growth import LENGTHS, Growth, Unfit
from program_text import describe

import tensordsl.tensor as T
from tensordsl import gradient
from tensordsl.graph import Constant, Variable
from tensordsl.graph.evaluate import evaluate
from tensordsl.ifelse import ifelse
from tensordsl.ops.control import loop_index, make_loop
from tensordsl.types import CONTINUOUS, DISCRETE, DTYPES, FLOATS, TensorType

__all__ = [
    "EXACT", "INEXACT", "SIGN", "Case", "Maker", "Unfit", "check", "compare", "describe", "other_scenes", "perturbed",
    "reference",
]  # fmt: skip

UNARY = (
    T.neg, T.abs_, T.sgn, T.sqr, T.sqrt, T.reciprocal, T.floor, T.ceil, T.trunc, T.round, T.isnan, T.isinf, T.invert,
    T.tensor_copy, T.exp, T.exp2, T.expm1, T.log, T.log2, T.log10, T.log1p, T.sin, T.cos, T.tan, T.arcsin, T.arccos,
    T.arctan, T.sinh, T.cosh, T.tanh, T.arcsinh, T.arccosh, T.arctanh, T.cbrt, T.sigmoid, T.softplus, T.erf, T.erfc,
    T.gammaln, T.psi, T.tri_gamma, T.nnet.relu, T.nnet.elu, T.nnet.softsign, T.nnet.hard_sigmoid, T.nnet.logsigmoid, T.deg2rad,
    T.isfinite, T.nnet.selu,
)  # fmt: skip
CHEAP = (T.neg, T.abs_, T.sqr, T.tanh, T.exp, T.sigmoid, T.sin, T.log1p)
BINARY = (
    T.add, T.sub, T.mul, T.true_div, T.int_div, T.mod, T.pow, T.eq, T.neq, T.lt, T.le, T.gt, T.ge, T.and_, T.or_,
    T.xor, T.left_shift, T.right_shift, T.maximum, T.minimum, T.second, T.arctan2,
)  # fmt: skip
PLAIN = (T.add, T.sub, T.mul, T.maximum)


def unary(m: Growth) -> None:
    m.grow(m.choose(UNARY)(m.some()))


def cheap(m: Growth) -> None:
    m.grow(m.choose(CHEAP)(m.float_value()))


def broadcasts(m: Growth, x: Variable, y: Variable) -> bool:
    """Do the values broadcast as the types say: along static ones only?"""
    for a, b, n, k in zip(
        x.type.shape[::-1], y.type.shape[::-1], m.value[x].shape[::-1], m.value[y].shape[::-1], strict=False
    ):
        if a != 1 and b != 1 and n != k:
            return False
    return True


def partner(m: Growth, x: Any) -> Any:
    """A value that x can be combined with."""
    return m.some(lambda v: broadcasts(m, x, v))


def binary(m: Growth) -> None:
    x = m.some()
    y = partner(m, x)
    f = m.choose(BINARY)
    if f is T.pow and x.type.dtype in DISCRETE and y.type.dtype in DISCRETE and np.any(m.value[y] < 0):
        raise Unfit
    m.grow(f(x, y))


def plain(m: Growth) -> None:
    x = m.some()
    m.grow(m.choose(PLAIN)(x, partner(m, x)))


def with_number(m: Growth) -> None:
    x = m.some()
    m.grow(m.choose(PLAIN)(x, m.choose((2, 0.5, -1, 3, 1.0, 0))))


def power(m: Growth) -> None:
    m.grow(T.pow(m.some(), m.choose((2, 3, 0, 1, 0.5))))


def choice(m: Growth) -> None:
    c = m.some(lambda v: m.level[v] != INEXACT)
    x = partner(m, c)
    m.grow(T.switch(c, x, m.some(lambda v: broadcasts(m, x, v) and broadcasts(m, c, v))))


def clip(m: Growth) -> None:
    m.grow(T.clip(m.some(), -1, 2))


def cast(m: Growth) -> None:
    m.grow(T.cast(m.some(), m.choose(DTYPES)))


def axes_of(m: Growth, x: Any) -> Any:
    rank = x.type.ndim
    if not rank or m.flag(4):
        return None
    if m.flag(3):
        return tuple(k for k in range(rank) if m.flag())
    return m.pick(rank) - (rank if m.flag(5) else 0)


def reduction(m: Growth) -> None:
    x = m.some()
    f = m.choose((T.sum, T.sum, T.mean, T.prod, T.max, T.min, T.any, T.all))
    keep = m.flag()
    if f is T.prod and x.type.dtype in FLOATS and m.value[x].size > 100:
        raise Unfit
    if f is T.sum and m.flag(4):
        m.grow(T.sum(x, axes_of(m, x), dtype=m.choose(("float64", "float32", "int64", "int16")), keepdims=keep))
        return
    m.grow(f(x, axes_of(m, x), keepdims=keep))


def spread(m: Growth) -> None:
    x = m.float_value()
    f = m.choose((T.var, T.std, T.logsumexp))
    m.grow(f(x, axis=axes_of(m, x), keepdims=m.flag()))


def position(m: Growth) -> None:
    x = m.some(lambda v: v.type.ndim > 0)
    f = m.choose((T.argmax, T.argmin))
    axis = axes_of(m, x)
    m.grow(f(x, None if axis == () else axis, keepdims=m.flag()))


def soft(m: Growth) -> None:
    x = m.float_value(lambda v: v.type.ndim > 0)
    m.grow(m.choose((T.nnet.softmax, T.nnet.logsoftmax))(x, axis=m.pick(x.type.ndim)))


def normalised(m: Growth) -> None:
    """x less a statistic of itself: a group with several passes."""
    x = m.float_value(lambda v: v.type.ndim > 0)
    axis = m.pick(x.type.ndim)
    f = m.choose((T.max, T.sum, T.mean, T.min))
    m.grow(m.choose((T.sub, T.true_div, T.mul))(x, f(x, axis=axis, keepdims=True)))


def dot(m: Growth) -> None:
    x = m.some(lambda v: 1 <= v.type.ndim <= 2)
    if x.type.ndim == 2 and m.flag():
        x = x.T
    k = x.type.ndim - 1
    n = m.value[x].shape[k] if x in m.value else m.value[x.owner.inputs[0]].shape[0]
    y = m.some(lambda v: 1 <= v.type.ndim <= 2)
    shape = m.value[y].shape
    fits = [t for t in ((False, True) if y.type.ndim == 2 else (False,)) if (shape[-1] if t else shape[0]) == n]
    m.grow(T.dot(x, y.T if m.choose(fits) else y))


def products(m: Growth) -> None:
    x = m.some(lambda v: v.type.ndim == 1)
    m.grow(T.outer(x, m.some(lambda v: v.type.ndim == 1)))


def reshape(m: Growth) -> None:
    x = m.some()
    shape = m.value[x].shape
    kind = m.pick(4)
    if kind == 0:
        m.grow(T.flatten(x))
    elif kind == 1 and len(shape) > 1:
        m.grow(T.reshape(x, (-1, x.shape[len(shape) - 1]), ndim=2))
    elif kind == 2 and len(shape) > 1:
        m.grow(T.reshape(x, tuple(x.shape[k] for k in reversed(range(len(shape))))))
    else:
        m.grow(T.reshape(x, (int(np.prod(shape, dtype=int)), 1)))


def shuffle(m: Growth) -> None:
    x = m.some(lambda v: v.type.ndim > 0)
    order: list[Any] = list(range(x.type.ndim))
    for k in range(len(order)):
        j = m.pick(len(order) - k) + k
        order[k], order[j] = order[j], order[k]
    for _k in range(min(m.pick(3), 5 - x.type.ndim)):
        order.insert(m.pick(len(order) + 1), "x")
    dropped = [k for k in order if k != "x" and x.type.shape[k] == 1]
    if dropped and m.flag():
        order.remove(m.choose(dropped))
    m.grow(T.dimshuffle(x, tuple(order)))


def join(m: Growth) -> None:
    x = m.some(lambda v: v.type.ndim > 0)
    axis = m.pick(x.type.ndim)
    shape = m.value[x].shape

    def fits(v: Variable) -> bool:
        other = m.value[v].shape
        return len(other) == len(shape) and all(
            a == b for k, (a, b) in enumerate(zip(other, shape, strict=True)) if k != axis
        )

    parts = [x, *(m.some(fits) for _ in range(1 + m.pick(2)))]
    m.grow(T.concatenate(parts, axis=axis) if m.flag(4) is False else T.stack(parts[:2], axis=axis))


def number(m: Growth, n: int, low: int) -> Any:
    """A bound for an axis of length n: an int, a 0-d integer variable, or none."""
    kind = m.pick(4)
    if kind == 0:
        return None
    k = m.pick(2 * n + 3) - n - 1
    if kind == 1 and not m.nested:
        v = TensorType("int64", ())(f"x{len(m.case.inputs)}")
        m.case.inputs.append(v)
        m.case.arguments.append(np.array(k))
        m.add(v, np.array(k), EXACT)
        return v
    return k


def index_of(m: Growth, x: Any) -> tuple[Any, ...]:
    index: list[Any] = []
    for n in m.value[x].shape:
        kind = m.pick(4)
        if kind == 0:
            index.append(slice(None))
        elif kind == 1 and n:
            k = m.pick(2 * n) - n
            index.append(k)
        else:
            step = m.choose((None, 1, 2, -1, -2, 3))
            index.append(slice(number(m, n, -n), number(m, n, -n), step))
    if m.flag(5):
        index.insert(m.pick(len(index) + 1), None)
    return tuple(index)


def subtensor(m: Growth) -> None:
    x = m.some(lambda v: v.type.ndim > 0)
    m.grow(x[index_of(m, x)])


def write(m: Growth) -> None:
    x = m.some(lambda v: v.type.ndim > 0)
    part = x[index_of(m, x)]
    f = m.choose((T.set_subtensor, T.inc_subtensor))
    if m.flag():
        m.grow(f(part, m.choose((0, 1, 2))))
        return
    shape = evaluate([part], m.value)[0].shape
    m.grow(f(part, m.some(lambda v: m.value[v].shape == shape and v.type.dtype == x.type.dtype)))


def positions(m: Growth, n: int) -> Any:
    """An integer array of positions on an axis of length n."""
    if not n:
        raise Unfit
    v = m.some(lambda v: v.type.dtype in ("int64", "int32", "int8", "uint8") and 0 < v.type.ndim < 3)
    if np.all((m.value[v] >= -n) & (m.value[v] < n)):
        return v
    return T.mod(v, n)


def take(m: Growth) -> None:
    x = m.some(lambda v: v.type.ndim > 0)
    axis = m.pick(x.type.ndim)
    index: list[Any] = [slice(None)] * x.type.ndim
    index[axis] = positions(m, m.value[x].shape[axis])
    if x.type.ndim > 1 and m.flag(3):
        other = (axis + 1) % x.type.ndim
        index[other] = m.pick(m.value[x].shape[other]) if m.value[x].shape[other] else slice(None)
    part = x[tuple(index)]
    if m.flag(4):
        m.grow(m.choose((T.inc_subtensor, T.set_subtensor))(part, m.choose((1, 2))))
    else:
        m.grow(part)


def ranges(m: Growth) -> None:
    x = m.some(lambda v: v.type.ndim > 0)
    n = x.shape[m.pick(x.type.ndim)]
    m.grow(
        m.choose(
            (
                lambda: T.arange(n),
                lambda: T.arange(n, dtype="float64"),
                lambda: T.zeros_like(x),
                lambda: T.ones_like(x),
                lambda: T.alloc(T.constant(2.5), n, 3),
                lambda: n,
                lambda: T.eye(n, n),
            )
        )()
    )


def by_place(m: Growth) -> None:
    """x with its places along an axis."""
    x = m.some(lambda v: v.type.ndim > 0)
    axis = m.pick(x.type.ndim)
    places = T.dimshuffle(T.arange(x.shape[axis]), ["x"] * axis + [0] + ["x"] * (x.type.ndim - 1 - axis))
    m.grow(m.choose((T.add, T.mul, lambda x, places: T.switch(places > 1, x, 0), T.eq))(x, places))


def equal_lengths(m: Growth) -> None:
    """Row i of x at the position y[i], by two index arrays."""
    x = m.some(lambda v: v.type.ndim == 2)
    rows, columns = m.value[x].shape
    y = m.some(lambda v: v.type.dtype in ("int64", "int32", "uint8") and m.value[v].shape == (rows,))
    if not columns:
        raise Unfit
    m.grow(x[T.arange(x.shape[0]), T.mod(y, columns)])


def derivative(m: Growth) -> None:
    x = m.float_value()
    cost = T.sum(x if m.flag() else T.sqr(x))
    w = m.float_value(lambda v: v.owner is None and not isinstance(v, Constant))
    m.grow(gradient.grad(cost, w, disconnected_inputs="ignore"))


def branch(m: Growth) -> None:
    c = m.some(lambda v: v.type.ndim == 0 and m.level[v] == EXACT and v.type.dtype in DISCRETE)
    x = m.some()
    y = m.some(lambda v: v.type.dtype == x.type.dtype and v.type.ndim == x.type.ndim)
    m.grow(ifelse(c, x, y))


def loop(m: Growth) -> None:
    """A loop over one or two carried values, with a body of a few steps; one in three ends early."""
    inits = [m.some() for _ in range(1 + m.pick(2))]
    inner = Growth(m.pick, m.special, SIMPLE, nested=True)
    inner.case, inner.lengths = m.case, m.lengths
    outer = [m.some() for _ in range(m.pick(3))]
    index = loop_index()
    carried = [v.type() for v in inits]
    for v in dict.fromkeys(outer):
        inner.add(v, m.value[v], m.level[v])
    inner.add(index, np.int64(0), EXACT)
    for v, init in zip(carried, inits, strict=True):
        inner.add(v, m.value[init], INEXACT if v.type.dtype in CONTINUOUS else EXACT)
    for _ in range(1 + m.pick(5)):
        inner.step()
    following = []
    for v in carried:
        fits = [
            w
            for w in inner.pool
            if w is not v and v.type.accepts(w.type) and inner.value[w].shape == inner.value[v].shape
        ]
        following.append(fits[-1 - m.pick(min(3, len(fits)))] if fits else v)
    stacked = [inner.some() for _ in range(m.pick(3))]
    n: Any = m.choose((2, 0, 1, 3, 4))
    if m.flag():
        n = TensorType("int64", ())(f"x{len(m.case.inputs)}")
        count = m.choose((2, 0, 1, 3, -1))
        m.case.inputs.append(n)
        m.case.arguments.append(np.array(count))
        m.add(n, np.array(count), EXACT)
    else:
        count = n
    condition = None
    if not m.pick(3):
        ends = [v for v in inner.pool if v.type.ndim == 0 and v.type.dtype in DISCRETE]
        condition = m.choose((T.ge(index, m.pick(3)), *ends[-3:]))
    results = make_loop(n, index, carried, inits, following, stacked, condition=condition)
    # Without iterations the reference does not know the lengths of what is stacked.
    m.grow(*(results if count > 0 else results[: len(results) - len(stacked)]))


def jacobian(m: Growth) -> None:
    w = m.float_value(lambda v: v.owner is None and not isinstance(v, Constant) and m.value[v].size < 20)
    y = m.float_value(lambda v: v.type.ndim == 1 and 0 < m.value[v].size < 20)
    m.grow(gradient.jacobian(y, w, disconnected_inputs="ignore"))


SIMPLE = (
    unary,
    cheap,
    binary,
    plain,
    with_number,
    choice,
    cast,
    reduction,
    normalised,
    dot,
    shuffle,
    subtensor,
    write,
    take,
    soft,
)
OPERATIONS = (
    unary, cheap, binary, plain, with_number, power, choice, clip, cast, reduction, reduction, spread, position, soft,
    normalised, normalised, dot, dot, products, reshape, shuffle, shuffle, join, subtensor, subtensor, write, take, ranges,
    by_place, by_place, equal_lengths, derivative, derivative, branch, loop, jacobian, cheap, plain, binary, Growth.new_constant,
)  # fmt: skip


class Maker(Growth):
    """Grows one function by all of the operations."""

    def __init__(self, pick: Callable[[int], int], special: bool = False) -> None:
        super().__init__(pick, special, OPERATIONS)


def other_scenes(maker: Growth, among: Sequence[int] = LENGTHS) -> list[Scene]:
    """The function that was made, with arguments of other lengths, if it allows them."""
    try:
        return [maker.with_lengths(maker.draw_lengths(among))]
    except Unfit:
        return []
