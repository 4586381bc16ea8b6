"""Small programs that reach the optimisations, each with arguments of shapes at which these apply and do not."""

from __future__ import annotations

import pickle
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import reduce
from operator import add
from typing import Any

import numpy as np

import tensordsl
import tensordsl.tensor as T
from tensordsl.graph.variables import apply
from tensordsl.ifelse import ifelse
from tensordsl.ops.table import OPS

Shapes = Sequence[Sequence[tuple[int, ...]]]
Built = tuple[list[Any], list[Any], list[tuple[Any, Any]]]


@dataclass(frozen=True, slots=True)
class Program:
    """`build` gives (inputs, outputs, updates); `shapes`: of each call, one for each input."""

    name: str
    build: Callable[[], Built]
    shapes: Shapes
    seed: int

    def arguments(self, inputs: Sequence[Any]) -> list[list[Any]]:
        """Of each call; every second array is in Fortran's order.  Integers are positions below the least length."""
        rng, calls = np.random.default_rng(self.seed), []
        for k, shapes in enumerate(self.shapes):
            least = min([n for shape in shapes for n in shape], default=1)
            call = []
            for variable, shape in zip(inputs, shapes, strict=True):
                dtype = np.dtype(variable.type.dtype)
                if dtype.kind in "iu":
                    value = rng.integers(0, least, shape)
                else:
                    value = rng.uniform(0.5, 2, shape) + (1j * rng.normal(size=shape) if dtype.kind == "c" else 0)
                call.append(np.asarray(value, dtype, order="F" if k % 2 else "C"))
            calls.append(call)
        return calls


PROGRAMS: dict[str, Program] = {}


def program(*shapes: Sequence[tuple[int, ...]]) -> Callable[[Callable[[], Built]], Callable[[], Built]]:
    def add(build: Callable[[], Built]) -> Callable[[], Built]:
        PROGRAMS[build.__name__] = Program(build.__name__, build, shapes, len(PROGRAMS))
        return build

    return add


def results(given: Program, mode: Any = None) -> tuple[Any, list[Any]]:
    """(the function, what each call returns, and the state behind all of them)"""
    inputs, outputs, updates = given.build()
    f = tensordsl.function(inputs, outputs, updates=updates, mode=mode, on_unused_input="ignore")
    found = [r for call in given.arguments(inputs) for r in f(*call)]
    return f, [*found, *(s.get_value() for s, _ in updates)]


def drawn(*shape: int, dtype: str = "float64", seed: int = 0) -> Any:
    return tensordsl.shared(np.random.default_rng(seed).uniform(0.5, 2, shape).astype(dtype))


# -- reductions --------------------------------------------------------------------------------------------------------
@program([(5, 33)], [(200, 3)], [(40, 600)], [(3, 5000)])
def softmax_of_rows() -> Built:
    x = T.fmatrix()
    return [x], [T.nnet.softmax(x), T.log(T.nnet.softmax(x))], []


@program([(33, 5)], [(600, 40)], [(5, 64)], [(64, 65)])
def softmax_of_columns() -> Built:
    x = T.dmatrix()
    e = T.exp(x - x.max(axis=0, keepdims=True))
    return [x], [e / e.sum(axis=0, keepdims=True)], []


@program([(7, 33)], [(200, 3)], [(3, 5000)], [(1000, 12)], [(64, 1000)], [(2, 100_000)])
def sums() -> Built:
    x, y = T.dmatrix(), T.cast
    return [x], [x.sum(axis=0), x.sum(axis=1), y(x, "float32").sum(axis=1), x.max(axis=1), x.argmax(axis=0)], []


@program([(7, 33)], [(200, 3)], [(3, 5000)], [(1000, 1000)])
def row_sums() -> Built:
    x = T.fmatrix()
    return [x], [x.sum(axis=1)], []


@program([(7, 33)], [(200, 3)], [(300, 50)], [(1000, 1000)])
def standardised() -> Built:
    x = T.fmatrix()
    return [x], [(x - x.mean(axis=a, keepdims=True)) / T.sqrt(x.var(axis=a, keepdims=True) + 1) for a in (0, 1)], []


@program([(33,), (33,)], [(5000,), (5000,)], [(200_000,), (200_000,)])
def totals() -> Built:
    x, y = T.dvectors("x", "y")
    return [x, y], [x.sum(), (x * y).sum(), ((x - y) ** 2).mean()], []


@program([(20, 3)], [(33, 33)], [(60, 12)], [(24, 100)])
def distances() -> Built:
    x = T.dmatrix()
    return [x], [((x[:4, None, :] - x[None, :, :]) ** 2).sum(axis=2)], []


@program([(8, 16, 16)], [(100, 4, 4)], [(10, 100, 3)], [(5, 33, 100)])
def stacks() -> Built:
    x = T.tensor3(dtype="float32")
    e = T.exp(x - x.max(axis=1, keepdims=True))
    weighed = (x * x[0, :, 0][:, None]).sum(axis=(1, 2))
    return [x], [e / e.sum(axis=1, keepdims=True), x.sum(axis=(0, 2)), weighed, x.argmax(axis=1)], []


@program([(4, 6, 8)], [(3, 40, 30)], [(20, 4, 130)])
def pools() -> Built:
    x = T.dtensor3()
    parts = x.reshape((x.shape[0], x.shape[1] // 2, 2, x.shape[2] // 2, 2))
    pooled = parts.max(axis=(2, 4), keepdims=True)
    return [x], [pooled, parts - pooled], []


@program([(4, 3)], [(20, 7)])
def constant_sums() -> Built:
    x = T.dmatrix()
    bounds = T.stack([T.all(x < 1e3), x[0, 0] < 1e3])
    return [x], [T.ones_like(x).sum(axis=0) + x, T.all(bounds)], []


@program([(4, 3, 5), (4, 3)], [(20, 7, 9), (20, 7)])
def labels() -> Built:
    x, at = T.dtensor3(), T.lmatrix()
    scores = x - T.log(T.exp(x).sum(axis=2, keepdims=True))
    chosen = scores[T.arange(x.shape[0])[:, None], T.arange(x.shape[1])[None, :], at]
    return [x, at], [chosen, T.grad(chosen.mean(), x)], []


@program([(40, 30), (40, 1)], [(3, 500), (3, 1)])
def sums_of_sums() -> Built:
    x, y = T.dmatrix(), T.dcol()
    return [x, y], [x.sum(axis=1).sum(), ((x - y) ** 2).sum(), (x - y).sum(axis=1), x.max(axis=0).max()], []


@program([(40,)], [(1000,)])
def ten_sums() -> Built:
    x = T.dvector()
    terms = [(x ** (k + 2)).sum() for k in range(10)]
    return [x], [reduce(add, terms)], []


# -- elementwise -------------------------------------------------------------------------------------------------------
@program([(33,), (33,), (33,)], [(3_000_000,), (3_000_000,), (3_000_000,)])
def long_vectors() -> Built:
    a, b, c = T.fvectors("a", "b", "c")
    return [a, b, c], [a * b + c], []


@program([(16, 50)], [(200, 8)], [(33, 130)])
def strided() -> Built:
    x = T.fmatrix()
    half = x.shape[1] // 2
    return [x], [x[:, : 2 * half : 2] + x[:, 1 : 2 * half : 2], x[:, ::-1] + 1, x[::2] * 2], []


@program([(40, 4)], [(700, 5)])
def columns() -> Built:
    x = T.dmatrix()
    return [x], [x[:, 0] * x[:, 1] + x[:, 2], T.stack([x[:, 1], x[:, 0]], axis=-1)], []


@program([(40, 4)], [(700, 5)])
def joined_columns() -> Built:
    x = T.fmatrix()
    pairs = ((1, 2), (2, 0), (0, 1))
    return [x], [T.stack([x[:, j] * x[:, k] - x[:, k] * x[:, 3] for j, k in pairs], axis=1)], []


@program([(9, 40), (40, 9), (9,)], [(100, 64), (64, 100), (100,)], [(7, 300), (300, 7), (7,)])
def permuted() -> Built:
    x, y, v = T.dmatrix(), T.dmatrix(), T.dvector()
    return [x, y, v], [x.T + 1, x * 2 + y.T, x * v[:, None] + x[0]], []


@program([(12, 40)], [(9, 1000)], [(70, 33)])
def stencil() -> Built:
    x = T.dmatrix()
    around = x[:-2, 1:-1] + x[2:, 1:-1] + x[1:-1, :-2] + x[1:-1, 2:]
    return [x], [around - 4 * x[1:-1, 1:-1], T.grad((around**2).sum(), x)], []


@program([(12, 40)], [(70, 33)])
def periodic() -> Built:
    x = T.dmatrix()
    return [x], [sum(T.roll(x, s, axis=a) for s in (1, -1) for a in (0, 1)) - 4 * x], []


@program([(40,)], [(1000,)])
def ring() -> Built:
    x = T.dvector()
    return [x], [T.roll(x, 1) - 2 * x + T.roll(x, -1)], []


@program([(6, 8)], [(33, 40)])
def repeated() -> Built:
    x = T.dmatrix()
    large = T.repeat(T.repeat(x, 2, axis=0), 2, axis=1)
    tall = T.tanh(T.repeat(x, 2, axis=1)).reshape((x.shape[0], x.shape[1], 2)).sum(axis=2)
    return [x], [large * 2, T.grad((large**2).sum(), x), tall + x], []


@program([(20, 30)], [(64, 100)])
def formulas() -> Built:
    x = T.dmatrix()
    rules = T.log(1 + T.exp(x)) + T.log(T.exp(x)) * 1 - (-x) + (x ** (T.constant(3) - 1) + 0)
    logistic = 1 / (1 + T.exp(-x))
    return [x], [rules, -(T.log(1 - logistic)).sum(), T.exp(x[1:] * 2).T[0]], []


@program([(9, 5)], [(40, 33)])
def small_integers() -> Built:
    x = T.TensorType("uint8", (None, None))()
    y = T.cast(x, "int32")
    return [x], [(y + y[0]) // 3, (T.cast(x, "int64") * 5 % 7).sum(axis=1)], []


@program([(6, 20), (6, 20)], [(40, 33), (40, 33)])
def complex_numbers() -> Built:
    x, y = T.zmatrix(), T.zmatrix()
    return [x, y], [x[1:] * y[:-1] + x[1:], T.concatenate([x, y * 2]), abs(x).sum()], []


@program([(20, 30), (20, 30)], [(40, 700), (40, 700)])
def joins() -> Built:
    x, y = T.dmatrices("x", "y")
    return [x, y], [T.concatenate([T.exp(x), T.sin(y)]), T.set_subtensor((x * 2)[1:-1], T.exp(y[1:-1]))], []


# -- indices and state -------------------------------------------------------------------------------------------------
@program([(30, 9), (12,)], [(100, 64), (300,)])
def rows_at_indices() -> Built:
    x, at = T.dmatrix(), T.lvector()
    loss = (T.exp(x[at]) ** 2).sum()
    return [x, at], [x[at], T.exp(x * 2)[at], x[:, at % 5], loss, T.grad(loss, x)], []


@program([(60,), (60,)], [(900,), (900,)])
def counts() -> Built:
    at, y = T.TensorType("uint8", (None,))(), T.dvector()
    return [at, y], [T.inc_subtensor(T.zeros((256,))[at], y), T.inc_subtensor(T.ones((60,))[at % 60], 1)], []


@program([(40,)], [(900,)])
def orders() -> Built:
    x = T.dvector()
    return [x], [T.sort(x)[:5], T.argsort(x)[-3:], T.argsort(T.argsort(x))], []


@program([(6, 8)], [(40, 33)])
def written_parts() -> Built:
    x = T.dmatrix()
    rows = T.arange(x.shape[0])
    twice = T.inc_subtensor(T.inc_subtensor(T.zeros_like(x)[1:], T.exp(x[1:]))[1:], T.sin(x[1:]))
    chosen = T.inc_subtensor(T.exp(x)[rows, rows % 3], 1)
    return [x], [twice, chosen, T.set_subtensor(x[rows, rows % 3], 0), T.inc_subtensor(x[:2], x[:2])], []


@program([(33, 5), (4,)], [(33, 5), (9,)])
def state() -> Built:
    x, at = T.dmatrix(), T.lvector()
    s, t = drawn(33, 5), drawn(33, 5, seed=1)
    step = T.inc_subtensor(T.inc_subtensor(t[at], x[:1] * 2)[at], -0.5 * x[1:2])
    return [x, at], [(s * x).sum()], [(s, s - 0.1 * x), (t, step)]


@program([(20, 30), (20,)], [(40_000, 30), (40_000,)])
def linear_model() -> Built:
    x, y, w = T.dmatrix(), T.dvector(), drawn(30)
    p = T.nnet.sigmoid(T.dot(x, w) / 30)
    cost = ((p - y) ** 2).mean()
    return [x, y], [cost], [(w, w - 0.1 * T.grad(cost, w))]


@program([(3, 7, 8), (3, 7, 8), (3, 7, 8)], [(5, 64, 32), (5, 64, 32), (5, 64, 32)])
def attention() -> Built:
    q, k, v = (T.tensor3(dtype="float32") for _ in range(3))
    scores = T.batched_dot(q, k.dimshuffle(0, 2, 1))
    e = T.exp(scores - scores.max(axis=2, keepdims=True))
    return [q, k, v], [T.batched_dot(e / e.sum(axis=2, keepdims=True), v)], []


@program([(9, 40), (40, 20), (20,), ()], [(200, 150), (150, 130), (130,), ()])
def products() -> Built:
    x, y, b, k = T.dmatrix(), T.dmatrix(), T.dvector(), T.dscalar()
    return [x, y, b, k], [T.tanh(T.dot(x, y) + b), k * T.dot(2 * x, y), T.dot(x, -y) - T.dot(x, y), T.dot(x, x.T)], []


@program([(9, 40), (40, 20)], [(200, 150), (150, 130)])
def branches() -> Built:
    x, y = T.dmatrices("x", "y")
    condition, made = x.sum() > 500, T.exp(T.dot(x, y))
    return [x, y], [ifelse(condition, made * 2, T.dot(x, y)), ifelse(condition, made.sum(), x.sum())], []


@program([(1, 3), (3, 3)], [(50, 40), (40, 40)])
def recurrences() -> Built:
    x, w = T.dmatrices("x", "w")
    states, _ = tensordsl.scan(lambda a, s: T.tanh(a + T.dot(s, w) / 40), x, x[0])
    (lagged, table), _ = tensordsl.scan(
        lambda t, a, b, table: [0.5 * a - 0.2 * b + x[t], T.set_subtensor(table[t], b + table[0])],
        T.arange(x.shape[0]),
        [{"initial": T.zeros((2, x.shape[1])), "taps": [-2, -1]}, T.ones_like(x)],
    )
    costs = (states**2).sum(), (lagged[-1] * table[-1]).sum()
    return [x, w], [lagged, *costs, *(T.grad(c, x) for c in costs), T.grad(costs[0], w)], []


@program([(9, 5), (5,)], [(30, 40), (40,)])
def recurrence() -> Built:
    x, s = T.dmatrix(), T.dvector()
    states, _ = tensordsl.scan(lambda a, s: T.tanh(0.5 * s + a), x, s)
    return [x, s], [states, T.grad(states.sum(), s)], []


@program([(5,), (5,)], [(40,), (40,)])
def three_rounds() -> Built:
    s, a = T.dvectors("s", "a")
    states, _ = tensordsl.scan(lambda s: T.tanh(0.5 * s + a), None, s, n_steps=3)
    return [s, a], [states, *T.grad(states[-1].sum(), [s, a])], []


@program([(3, 4, 5), (4, 6), (5, 6), (6, 6)], [(20, 8, 12), (8, 16), (12, 16), (16, 16)])
def recurrent_layer() -> Built:
    x, s, w, u = T.dtensor3(), T.dmatrix(), T.dmatrix(), T.dmatrix()
    states, _ = tensordsl.scan(lambda a, s: T.tanh(T.dot(a, w) + T.dot(s, u) / 16), x, s)
    return [x, s, w, u], [states, *T.grad((states**2).sum(), [x, w, u])], []


@program([(9, 5)], [(30, 40)])
def folds() -> Built:
    x = T.dmatrix()
    total, _ = tensordsl.foldl(lambda a, s: s + T.exp(a), x, T.zeros(x.shape[1]))
    rows, _ = tensordsl.map(lambda a: T.tanh(a) / a.sum(), x)
    return [x], [total, rows], []


@program([(2, 3), (3, 3)], [(50, 40), (40, 40)])
def layers() -> Built:
    x, w = T.dmatrices("x", "w")
    first, _ = tensordsl.scan(lambda a, s: T.tanh(a + T.dot(s, w) / 40), x, x[0])
    second, _ = tensordsl.scan(lambda a, s: T.tanh(T.sin(a) + T.dot(s, w) / 40), first, x[0])
    return [x, w], [second[-2:]], []


@program([(5, 5), (5, 2)], [(40, 40), (40, 3)])
def factors() -> Built:
    x, y = T.dmatrices("x", "y")
    a = T.dot(x, x.T) + 4 * T.eye(x.shape[0])
    factor = apply(OPS["cholesky"], a, lower=True, on_error="raise")
    return [x, y], [factor, apply(OPS["solve"], a, y, trans=0)], []


@program([(3, 5, 5)], [(6, 40, 40)])
def batches_of_factors() -> Built:
    x = T.dtensor3("x")
    return [x], [T.linalg.inv(x + 20 * T.eye(x.shape[1])), T.linalg.svdvals(x)], []


@program([(2, 3, 9, 9), (4, 3, 3, 3)], [(1, 2, 5, 30), (20, 2, 1, 4)])
def pictures() -> Built:
    x, w = T.dtensor4s("x", "w")
    y = T.nnet.conv2d(x, w, border_mode="full")
    return [x, w], [y, *T.grad((y**2).sum(), [x, w])], []


@program([(5, 5), (5, 2)], [(40, 40), (40, 3)])
def structures() -> Built:
    """Matrices that are known to be triangular, diagonal, or inverses."""
    x, y = T.dmatrices("x", "y")
    a = 3 * T.eye(x.shape[0]) + x / (1 + abs(x).max() * x.shape[0])
    low = T.tril(a)
    factor = T.linalg.cholesky(T.dot(low, low.T))
    outputs = [T.log(T.linalg.det(a)), T.dot(T.linalg.inv(a), y), T.linalg.solve(low, y), factor]
    return [x, y], [*outputs, T.dot(T.diag(x[0]), y), T.trace(T.dot(x, a))], []


if __name__ == "__main__":  # FILE NAME ...: what the programs give in a process of its own
    target, *names = sys.argv[1:]
    with open(target, "wb") as file:
        pickle.dump([results(PROGRAMS[name])[1] for name in names], file)
