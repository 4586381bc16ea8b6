"""The second suite: steady-state workloads of PyTensor, Numba, JAX and others, written once for all libraries.

A case is an expression over a namespace `m` (see `NAMES`), or a cost whose gradient each library derives itself; NumPy,
which can't, has it written by hand.  Names are `group.what.type.size`.  One thread.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from benchmarks.workloads.foundation import Data, Target, Workload, chain, tutorial_data

# What an adapter's namespace has to offer, beside operators, indexing and methods.
NAMES = (
    "abs", "argmax", "argsort", "bincount", "cumsum", "dot", "erf", "exp", "inc_rows", "log", "log1p", "logsumexp",
    "matmul", "max", "mean", "pick", "set_rows", "sigmoid", "sin", "softmax", "sort", "sqrt", "sum", "tanh", "var",
)  # fmt: skip

Expression = Callable[..., Any]
TYPES = {"f4": np.dtype(np.float32), "f8": np.dtype(np.float64)}
EACH = "[f(*operands) for operands in calls]"
OPERANDS = "abcdeghi"  # names in statements; f is the function
RTOL = {"f4": 2e-4, "f8": 1e-9}


@dataclass(frozen=True, slots=True)
class Case:
    """`how` says what is built of `function`:

    expression  function(m, *operands) -> one result or several
    updates     function(m, target, *operands): the new value of the state `target`, which is the first operand
    gradients   function(m, *operands) -> cost; result: the cost and its gradients by the first `by` operands
    training    the same; parameters move with momentum, each call is one step and its result the cost
    each        an expression of one or more operands, called on operands of many lengths in turn
    """

    name: str
    make: Callable[[], Data]
    function: Expression
    how: str = "expression"
    by: int = 0
    numpy: Expression | None = None  # by hand: gradients of operands -> (cost, *gradients), updates(target, *operands)

    @property
    def dtype(self) -> str:
        return self.name.split(".")[2]


# -- expressions ------------------------------------------------------------------------------------------------------
def axpb(m: Any, a: Any, b: Any, c: Any) -> Any:
    return a * b + c


def squares(m: Any, a: Any, b: Any, c: Any, d: Any) -> Any:
    return (a - b) ** 2 * c + d


def axpb_update(m: Any, out: Any, a: Any, b: Any, c: Any) -> Any:
    return a * b + c


def triad_update(m: Any, out: Any, a: Any, b: Any) -> Any:
    return a + 3.0 * b


def gauss(m: Any, a: Any, b: Any, c: Any, d: Any) -> Any:
    return m.exp(-((a - b) ** 2) / 2) * c + m.sin(d)


def gelu(m: Any, x: Any) -> Any:
    return 0.5 * x * (1 + m.erf(x * 0.7071067811865476))


def broadcast(m: Any, column: Any, row: Any, last: Any) -> Any:
    return column * row + last


def mean_variance(m: Any, x: Any) -> Any:
    return m.mean(x, axis=1), m.var(x, axis=1)


def mapped_sum(m: Any, a: Any, b: Any, c: Any) -> Any:
    return m.sum(m.exp(a * b + c), axis=1)


def distances(m: Any, a: Any, b: Any) -> Any:
    return m.sum((a[:, None, :] - b[None, :, :]) ** 2, axis=2)


def normal_cdf(m: Any, x: Any) -> Any:
    return 0.5 * (1 + m.erf(x * 0.7071067811865476))


def black_scholes(m: Any, price: Any, strike: Any, years: Any) -> Any:
    rate, spread = 0.02, 0.3
    root = spread * m.sqrt(years)
    d1 = (m.log(price / strike) + (rate + spread * spread / 2) * years) / root
    d2 = d1 - root
    discounted = strike * m.exp(-rate * years)
    call = price * normal_cdf(m, d1) - discounted * normal_cdf(m, d2)
    return call, call - price + discounted


def heat(m: Any, u: Any) -> Any:
    middle = u[1:-1, 1:-1]
    return middle + 0.1 * (u[2:, 1:-1] + u[:-2, 1:-1] + u[1:-1, 2:] + u[1:-1, :-2] - 4 * middle)


def layer(m: Any, x: Any, w: Any, b: Any) -> Any:
    return m.tanh(m.dot(x, w) + b)


def attention(m: Any, queries: Any, keys: Any, values: Any) -> Any:
    """Of heads, one row for each of the positions; keys have a column for each."""
    scores = m.exp(m.matmul(queries, keys) * 0.125)
    return m.matmul(scores, values) / m.sum(scores, axis=2)[:, :, None]


def chain_of(length: int) -> Expression:
    return lambda m, x: chain(x, length, m.tanh)


# -- costs and their gradients ----------------------------------------------------------------------------------------
def mlp(m: Any, w1: Any, b1: Any, w2: Any, b2: Any, x: Any, y: Any) -> Any:
    """Cross-entropy of a hidden layer of tanh; y holds the classes."""
    scores = m.dot(m.tanh(m.dot(x, w1) + b1), w2) + b2
    return m.mean(m.logsumexp(scores, axis=1) - m.pick(scores, y))


def mlp_gradients(w1: Any, b1: Any, w2: Any, b2: Any, x: Any, y: Any) -> Any:
    hidden = np.tanh(x @ w1 + b1)
    scores = hidden @ w2 + b2
    scores -= scores.max(1, keepdims=True)
    rows, each = np.arange(len(y)), np.exp(scores)
    total = each.sum(1, keepdims=True)
    cost = np.mean(np.log(total[:, 0]) - scores[rows, y])
    delta = each / total
    delta[rows, y] -= 1
    delta /= len(y)
    inner = delta @ w2.T * (1 - hidden * hidden)
    return cost, x.T @ inner, inner.sum(0), hidden.T @ delta, delta.sum(0)


def tiny_mlp(m: Any, w1: Any, b1: Any, w2: Any, b2: Any, x: Any, y: Any) -> Any:
    """The tutorial's network of 2, 4 and 1 neurons; y holds 0 and 1."""
    out = m.sigmoid(m.dot(w2, m.sigmoid(m.dot(w1, x) + b1)) + b2)
    return m.mean((out - y) ** 2)


def tiny_mlp_gradients(w1: Any, b1: Any, w2: Any, b2: Any, x: Any, y: Any) -> Any:
    hidden = 1 / (1 + np.exp(-(w1 @ x + b1)))
    out = 1 / (1 + np.exp(-(w2 @ hidden + b2)))
    outer = 2 * (out - y) / y.size * out * (1 - out)
    inner = w2.T @ outer * hidden * (1 - hidden)
    sums = (d.sum(1, keepdims=True) for d in (inner, outer))
    return np.mean((out - y) ** 2), inner @ x.T, next(sums), outer @ hidden.T, next(sums)


def logistic(m: Any, w: Any, x: Any, y: Any) -> Any:
    return -m.mean(y * m.log(m.sigmoid(m.dot(x, w))) + (1 - y) * m.log(1 - m.sigmoid(m.dot(x, w))))


def logistic_gradient(w: Any, x: Any, y: Any) -> Any:
    s = x @ w
    p = 1 / (1 + np.exp(-s))
    cost = -np.mean(y * np.log(p) + (1 - y) * np.log(1 - p))
    return cost, x.T @ ((p - y) / len(y))


def schools(m: Any, mean: Any, log_spread: Any, raw: Any, y: Any, error: Any) -> Any:
    """Log-density of the eight schools, not centred."""
    spread = m.exp(log_spread)
    rest = (y - mean - spread * raw) / error
    prior = -0.5 * m.sum(raw**2) - 0.5 * (mean / 5) ** 2 - m.log1p((spread / 5) ** 2) + log_spread
    return prior - 0.5 * m.sum(rest**2)


def schools_gradients(mean: Any, log_spread: Any, raw: Any, y: Any, error: Any) -> Any:
    spread = np.exp(log_spread)
    rest = (y - mean - spread * raw) / error
    ratio = (spread / 5) ** 2
    density = -0.5 * np.sum(raw**2) - 0.5 * (mean / 5) ** 2 - np.log1p(ratio) + log_spread - 0.5 * np.sum(rest**2)
    by_mean = np.sum(rest / error) - mean / 25
    by_spread = np.sum(rest * raw / error) * spread - 2 * ratio / (1 + ratio) + 1
    return density, by_mean, by_spread, rest * spread / error - raw


def hierarchical(m: Any, effects: Any, slope: Any, log_error: Any, group: Any, x: Any, y: Any) -> Any:
    """Log-density of a regression with an intercept per group."""
    rest = (y - effects[group] - slope * x) * m.exp(-log_error)
    return -0.5 * m.sum(rest**2) - log_error * x.shape[0] - 0.5 * m.sum(effects**2) - 0.5 * slope**2


def hierarchical_gradients(effects: Any, slope: Any, log_error: Any, group: Any, x: Any, y: Any) -> Any:
    scale = np.exp(-log_error)
    rest = (y - effects[group] - slope * x) * scale
    squares = rest @ rest
    density = -0.5 * squares - log_error * len(x) - 0.5 * np.sum(effects**2) - 0.5 * slope**2
    by_effects = np.bincount(group, rest * scale, len(effects)) - effects
    return density, by_effects, rest @ x * scale - slope, squares - len(x)


# -- data -------------------------------------------------------------------------------------------------------------
def uniform(dtype: str, *shapes: tuple[int, ...], low: float = 0.1, high: float = 1.0) -> Callable[[], Data]:
    def make() -> Data:
        random = np.random.default_rng(0)
        return tuple(random.uniform(low, high, shape).astype(TYPES[dtype]) for shape in shapes)

    return make


def as_stored(data: Data) -> tuple[Data, Callable[..., Data]]:
    """Operands in C order, and what makes views of them: who copies operands beforehand has that work in the call."""
    kinds = ["whole" if x.flags.c_contiguous else "transposed" if x.ndim > 1 else "stepped" for x in data]
    views = {"whole": lambda x: x, "transposed": lambda x: x.T, "stepped": lambda x: x[::2]}
    bases = tuple(x.base if kind == "stepped" else views[kind](x) for x, kind in zip(data, kinds, strict=True))
    return bases, lambda *operands: tuple(views[kind](x) for x, kind in zip(operands, kinds, strict=True))


def transposed(dtype: str, rows: int, columns: int) -> Callable[[], Data]:
    return lambda: (lambda a, b: (a.T, b))(*uniform(dtype, (columns, rows), (rows, columns))())


def every_second(dtype: str, length: int) -> Callable[[], Data]:
    return lambda: tuple(x[::2] for x in uniform(dtype, (length,), (length,))())


def lengths(dtype: str, rank: int) -> Callable[[], Data]:
    """Operands of 50 lengths: vectors, or batches for two small layers."""

    def make() -> Data:
        random = np.random.default_rng(0)
        sizes = [int(n) for n in random.integers(10, 200 if rank == 2 else 20_000, 50)]
        if rank == 1:
            return tuple((random.uniform(0.1, 1, n).astype(TYPES[dtype]),) for n in sizes)
        weights = tuple(random.uniform(-0.3, 0.3, s).astype(TYPES[dtype]) for s in ((64, 64), (64, 10)))
        return tuple((random.uniform(0, 1, (n, 64)).astype(TYPES[dtype]), *weights) for n in sizes)

    return make


def mlp_data() -> Data:
    random, f4 = np.random.default_rng(0), np.float32
    w1, w2 = random.normal(0, 0.03, (784, 512)).astype(f4), random.normal(0, 0.03, (512, 10)).astype(f4)
    x, y = random.uniform(0, 1, (128, 784)).astype(f4), random.integers(0, 10, 128)
    return w1, np.zeros(512, f4), w2, np.zeros(10, f4), x, y


def tiny_mlp_data() -> Data:
    points, labels, w1, w2 = tutorial_data()
    return w1, np.ones((4, 1)), w2, np.ones((1, 1)), points, labels[None, :]


def logistic_data() -> Data:
    random = np.random.default_rng(0)
    x = random.normal(size=(100_000, 50))
    return random.normal(0, 0.1, 50), x, (random.uniform(size=100_000) < 0.5).astype(float)


def schools_data() -> Data:
    y, error = [28.0, 8, -3, 7, -1, 1, 18, 12], [15.0, 10, 16, 11, 9, 11, 10, 18]
    return np.array(2.0), np.array(0.5), np.random.default_rng(0).normal(size=8), np.array(y), np.array(error)


def hierarchical_data() -> Data:
    random = np.random.default_rng(0)
    group, x = random.integers(0, 85, 10_000), random.normal(size=10_000)
    effects = random.normal(size=85)
    y = effects[group] + 0.7 * x + random.normal(0, 0.5, 10_000)
    return effects * 0.5, np.array(0.3), np.array(-0.2), group, x, y


def rows_data(is_lookup: bool) -> Callable[[], Data]:
    def make() -> Data:
        random = np.random.default_rng(0)
        table = random.uniform(0.1, 1, (10_000, 64)).astype(np.float32)
        index = random.integers(0, 10_000, 4096)
        return (table, index) if is_lookup else (table, index, random.uniform(0.1, 1, (4096, 64)).astype(np.float32))

    return make


def unique_rows_data() -> Data:
    table, index, rows = rows_data(False)()
    return table, np.random.default_rng(1).permutation(len(table))[: len(index)], rows


# -- the table --------------------------------------------------------------------------------------------------------
def sized(group: str, function: Expression, count: int, sizes: tuple[str, ...], **options: Any) -> list[Case]:
    """A case for each type and each length."""
    low, high = options.pop("span", (0.1, 1.0))
    return [
        Case(f"{group}.{t}.{size}", uniform(t, *[(int(float(size)),)] * count, low=low, high=high), function, **options)
        for t in options.pop("types", ("f4", "f8"))
        for size in sizes
    ]


def matrices(name: str, function: Expression, shape: tuple[int, int], count: int = 1) -> list[Case]:
    size = "x".join(map(str, shape))
    return [Case(f"{name}.{t}.{size}", uniform(t, *[shape] * count, low=-1.0), function) for t in TYPES]


def stacks(count: int, rows: int, inner: int, columns: int) -> list[Case]:
    """As many products of matrices of these lengths."""
    shapes = (count, rows, inner), (count, inner, columns)
    size = f"{count}x{rows}x{inner}x{columns}"
    return [Case(f"p.matmul.{t}.{size}", uniform(t, *shapes, low=-1.0), lambda m, x, y: m.matmul(x, y)) for t in TYPES]


MEDIUM, MILLION = ("1e4", "1e6"), (1000, 1000)
CASES: list[Case] = [
    Case("a.axpb8.f8", uniform("f8", (8,), (8,), (8,)), axpb),
    Case("a.square0d.f8", lambda: (np.array(1.5),), lambda m, x: x**2),
    *sized("b.axpb", axpb, 3, ("1e3", "1e4", "1e5", "1e6", "1e7")),
    *sized("b.sqd", squares, 4, ("1e3", "1e4", "1e5", "1e6", "1e7")),
    *sized(
        "b.axpb_out",
        axpb_update,
        4,
        ("1e4", "1e6", "1e7"),
        types=("f8",),
        how="updates",
        numpy=lambda out, a, b, c: np.add(np.multiply(a, b, out), c, out),
    ),
    *sized(
        "b.triad_out",
        triad_update,
        3,
        ("1e5", "1e6", "1e7"),
        types=("f8",),
        how="updates",
        numpy=lambda out, a, b: np.add(np.multiply(b, 3.0, out), a, out),
    ),
    *sized("c.gauss", gauss, 4, MEDIUM, span=(-3.0, 3.0)),
    *sized("c.exp", lambda m, x: m.exp(x), 1, MEDIUM, span=(-3.0, 3.0)),
    *sized("c.sigmoid", lambda m, x: m.sigmoid(x), 1, MEDIUM, span=(-3.0, 3.0)),
    *sized("c.tanh", lambda m, x: m.tanh(x), 1, MEDIUM, span=(-3.0, 3.0)),
    *sized("c.softplus", lambda m, x: m.log1p(m.exp(x)), 1, MEDIUM, span=(-3.0, 3.0)),
    *sized("c.gelu", gelu, 1, MEDIUM, span=(-3.0, 3.0)),
    *(Case(f"d.bcast.{t}.1024x1024", uniform(t, (1024, 1), (1, 1024), (1024,)), broadcast) for t in TYPES),
    Case("d.strided.f8.2e6", every_second("f8", 2_000_000), lambda m, a, b: a * b + a),
    Case("d.transp.f8.2048x1024", transposed("f8", 2048, 1024), lambda m, a, b: a * b + b),
    *(case for shape in (MILLION, (4000, 2500)) for case in matrices("e.sum_all", lambda m, x: m.sum(x), shape)),
    *(case for s in (MILLION, (4000, 2500)) for case in matrices("e.sum0", lambda m, x: m.sum(x, axis=0), s)),
    *(
        case
        for s in (MILLION, (4000, 2500), (10_000, 20), (10_000, 40))
        for case in matrices("e.sum1", lambda m, x: m.sum(x, axis=1), s)
    ),
    *(case for s in (MILLION, (10_000, 100)) for case in matrices("e.meanvar", mean_variance, s)),
    *matrices("e.lse1", lambda m, x: m.logsumexp(x, axis=1), MILLION),
    *(case for s in (MILLION, (10_000, 32)) for case in matrices("e.softmax1", lambda m, x: m.softmax(x), s)),
    *matrices("e.argmax1", lambda m, x: m.argmax(x, axis=1), MILLION),
    *matrices("e.mapred", mapped_sum, MILLION, 3),
    *sized("e.dotlike", lambda m, a, b: m.sum(a * b), 2, ("1e6",), types=("f8",)),
    *(Case(f"e.pdist.{t}.512x512x64", uniform(t, (512, 64), (512, 64)), distances) for t in TYPES),
    *sized("f.black_scholes", black_scholes, 3, ("1e6",), span=(0.5, 2.0)),
    Case("g.mlp.f4.128x784x512x10", mlp_data, mlp, "training", 4, mlp_gradients),
    Case("g.tiny_mlp.f8.1000", tiny_mlp_data, tiny_mlp, "training", 4, tiny_mlp_gradients),
    Case("h.logreg.f8.100000x50", logistic_data, logistic, "gradients", 1, logistic_gradient),
    *matrices("j.heat", heat, (1024, 1024)),
    Case("l.dyn_ew.f8.50", lengths("f8", 1), lambda m, x: m.exp(-x * x) * x + 1, "each"),
    Case("l.dyn_mlp.f4.50", lengths("f4", 2), lambda m, x, v, w: m.dot(m.tanh(m.dot(x, v)), w), "each"),
    Case("l.chain20.f8.1e4", uniform("f8", (10_000,)), chain_of(20)),
    Case("l.chain200.f8.1e4", uniform("f8", (10_000,)), chain_of(200)),
    Case("m.embed.f4.10000x64x4096", rows_data(True), lambda m, table, index: table[index]),
    Case("m.inc_rows.f4.10000x64x4096", rows_data(False), lambda m, t, i, x: m.inc_rows(t, i, x)),
    Case("m.set_rows.f4.10000x64x4096", unique_rows_data, lambda m, t, i, x: m.set_rows(t, i, x)),
    Case("n.schools.f8.8", schools_data, schools, "gradients", 3, schools_gradients),
    Case("n.hier_reg.f8.1e4", hierarchical_data, hierarchical, "gradients", 3, hierarchical_gradients),
    *sized("o.cumsum", lambda m, x: m.cumsum(x, axis=0), 1, ("1e3", "1e6"), span=(-1.0, 1.0)),
    *matrices("o.cumsum0", lambda m, x: m.cumsum(x, axis=0), MILLION),
    *matrices("o.cumsum1", lambda m, x: m.cumsum(x, axis=1), MILLION),
    *sized("o.select", lambda m, x: x[x > 0], 1, MEDIUM, types=("f8",), span=(-1.0, 1.0)),
    *sized("o.positions", lambda m, x: (x > 0).nonzero()[0], 1, MEDIUM, types=("f8",), span=(-1.0, 1.0)),
    *sized("o.sort", lambda m, x: m.sort(x), 1, ("1e2", "1e4", "1e6"), span=(-1.0, 1.0)),
    *sized("o.argsort", lambda m, x: m.argsort(x), 1, ("1e2", "1e4", "1e6"), types=("f8",), span=(-1.0, 1.0)),
    Case("o.sort1.f8.10000x10", uniform("f8", (10_000, 10), low=-1.0), lambda m, x: m.sort(x)),
    *(case for s in ((1000, 3, 3, 3), (5000, 3, 3, 1), (100, 16, 16, 16)) for case in stacks(*s)),
    *(case for s in ((64, 64, 64, 64), (16, 256, 64, 256)) for case in stacks(*s)),
    Case("p.attention.f4.16x256x64", uniform("f4", (16, 256, 64), (16, 64, 256), (16, 256, 64), low=-1.0), attention),
]

# Time against size: elementwise work, mathematics, sums, products.
SIZED: list[Case] = [
    *sized("t.axpb", axpb, 3, ("1e1", "1e2", "1e3", "1e4", "1e5", "1e6"), types=("f8",)),
    *sized("t.tanh", lambda m, x: m.tanh(x), 1, ("1e1", "1e2", "1e3", "1e4", "1e5", "1e6"), types=("f8",)),
    *sized("t.sum", lambda m, x: m.sum(x), 1, ("1e1", "1e2", "1e3", "1e4", "1e5", "1e6"), types=("f8",)),
    *(
        Case(f"t.layer.f4.{n}", uniform("f4", (n, n), (n, n), (n,), low=-1.0), layer)
        for n in (4, 8, 16, 32, 64, 128, 256, 512)
    ),
]
CASES += SIZED

BY_CASE = {case.name: case for case in CASES}
MLP, SCHOOLS, HIERARCHICAL = "g.mlp.f4.128x784x512x10", "n.schools.f8.8", "n.hier_reg.f8.1e4"
TARGETS = {
    MLP: Target(ratio_to_best=1.05, ratio_to_machine=1.1),
    SCHOOLS: Target(0.9e-6, ratio_to_best=1.0),
    **{name: Target(ratio_to_best=1.0, ratio_to_machine=1.1) for name in BY_CASE if name.startswith("b.triad_out")},
}
ALL = tuple(
    Workload(
        case.name,
        "call",
        case.name,
        case.make,
        {"": TARGETS.get(case.name, Target(ratio_to_best=1.0))},
        rtol=RTOL[case.dtype],
    )
    for case in CASES
)
WORKLOADS = tuple(workload for workload in ALL if not workload.name.startswith("t."))
# Two of them compiled; of few examples, so that the first call is not the better part of it.
COMPILED = (
    Workload(
        "compile-mlp",
        "compile",
        "the 784-512-10 training function, 8 examples",
        lambda: (lambda *data: (*data[:4], *(x[:8] for x in data[4:])))(*mlp_data()),
        {"cold": Target(80e-3), "warm": Target(5e-3)},
        rtol=RTOL["f4"],
        like=MLP,
    ),
    Workload(
        "compile-hierarchical",
        "compile",
        "regression with groups and its gradients",
        hierarchical_data,
        {"cold": Target(60e-3), "warm": Target(4e-3)},
        like=HIERARCHICAL,
    ),
)
