"""Numba's rows of the second suite: explicit loops with fastmath, as its experts write them; gradients by hand."""

# mypy: ignore-errors
from __future__ import annotations

import math
import re
from functools import partial
from typing import Any

import numba
import numpy as np

from benchmarks.peers import THREADS
from benchmarks.workloads.foundation import Call, Data
from benchmarks.workloads.peers import CASES, EACH, OPERANDS, Case

fast = numba.njit(fastmath=True)
shared = numba.njit(fastmath=True, parallel=THREADS > 1)  # `prange` is `range` for one thread
prange = numba.prange
# One loop over all elements of the first operand: a name of the suite -> an expression of the elements.
LOOPS = {
    "a.axpb8": "a*b+c",
    "b.axpb": "a*b+c",
    "b.sqd": "(a-b)*(a-b)*c+d",
    "c.gauss": "exp(-(a-b)*(a-b)/2)*c+sin(d)",
    "c.exp": "exp(a)",
    "c.sigmoid": "1/(1+exp(-a))",
    "c.tanh": "tanh(a)",
    "c.softplus": "log1p(exp(a))",
    "c.gelu": "a/2*(1+erf(a*0.7071067811865476))",
    "d.strided": "a*b+a",
    "l.dyn_ew": "exp(-a*a)*a+1",
}


def elementwise(expression: str) -> Any:
    space: dict[str, Any] = {
        "np": np,
        "prange": prange,
        **{name: getattr(math, name) for name in ("exp", "sin", "tanh", "log1p", "erf")},
    }
    names = sorted(set(re.findall(r"\b[a-d]\b", expression)))
    lines = [
        f"def loop({', '.join(f'x{n}' for n in names)}):",
        "    out = np.empty(xa.shape, xa.dtype)",
        "    for i in prange(len(xa)):",
        *(f"        {n} = x{n}[i]" for n in names),
        f"        out[i] = {expression}",
        "    return out",
    ]
    exec("\n".join(lines), space)
    return shared(space["loop"])


@fast
def square(x):
    return x[()] * x[()]


@shared
def axpb_out(out, a, b, c):
    for i in prange(len(out)):
        out[i] = a[i] * b[i] + c[i]


@shared
def triad_out(out, a, b):
    for i in prange(len(out)):
        out[i] = a[i] + 3.0 * b[i]


@shared
def broadcast(column, row, last):
    out = np.empty((column.shape[0], row.shape[1]), column.dtype)
    for i in prange(out.shape[0]):
        for j in range(out.shape[1]):
            out[i, j] = column[i, 0] * row[0, j] + last[j]
    return out


@shared
def transposed(a, b):
    out = np.empty(a.shape, a.dtype)
    for block in prange((a.shape[0] + 31) // 32):
        i = 32 * block
        for j in range(0, a.shape[1], 32):
            for k in range(i, min(i + 32, a.shape[0])):
                for l in range(j, min(j + 32, a.shape[1])):
                    out[k, l] = a[k, l] * b[k, l] + b[k, l]
    return out


@shared
def sum_all(x):
    flat, total = x.ravel(), x.dtype.type(0)
    for i in prange(len(flat)):
        total += flat[i]
    return total


@shared
def sum0(x):
    out = np.zeros(x.shape[1], x.dtype)
    for part in prange(THREADS):
        for i in range(x.shape[0]):
            for j in range(part * x.shape[1] // THREADS, (part + 1) * x.shape[1] // THREADS):
                out[j] += x[i, j]
    return out


@shared
def sum1(x):
    out = np.empty(x.shape[0], x.dtype)
    for i in prange(x.shape[0]):
        total = x.dtype.type(0)
        for j in range(x.shape[1]):
            total += x[i, j]
        out[i] = total
    return out


@shared
def mean_variance(x):
    means, variances = np.empty(x.shape[0], x.dtype), np.empty(x.shape[0], x.dtype)
    for i in prange(x.shape[0]):
        total = x.dtype.type(0)
        for j in range(x.shape[1]):
            total += x[i, j]
        mean = total / x.dtype.type(x.shape[1])
        squares = x.dtype.type(0)
        for j in range(x.shape[1]):
            squares += (x[i, j] - mean) * (x[i, j] - mean)
        means[i], variances[i] = mean, squares / x.dtype.type(x.shape[1])
    return means, variances


@shared
def dot_like(a, b):
    total = a.dtype.type(0)
    for i in prange(len(a)):
        total += a[i] * b[i]
    return total


@shared
def distances(a, b):
    out = np.empty((a.shape[0], b.shape[0]), a.dtype)
    for i in prange(a.shape[0]):
        for j in range(b.shape[0]):
            total = a.dtype.type(0)
            for k in range(a.shape[1]):
                d = a[i, k] - b[j, k]
                total += d * d
            out[i, j] = total
    return out


@shared
def heat(u):
    out = np.empty((u.shape[0] - 2, u.shape[1] - 2), u.dtype)
    tenth, four = u.dtype.type(0.1), u.dtype.type(4)
    for i in prange(1, u.shape[0] - 1):
        for j in range(1, u.shape[1] - 1):
            around = u[i + 1, j] + u[i - 1, j] + u[i, j + 1] + u[i, j - 1]
            out[i - 1, j - 1] = u[i, j] + tenth * (around - four * u[i, j])
    return out


@shared
def lookup(table, index):
    out = np.empty((len(index), table.shape[1]), table.dtype)
    for i in prange(len(index)):
        for j in range(table.shape[1]):
            out[i, j] = table[index[i], j]
    return out


@fast
def inc_rows(table, index, rows):
    out = table.copy()
    for i in range(len(index)):
        for j in range(table.shape[1]):
            out[index[i], j] += rows[i, j]
    return out


@fast
def set_rows(table, index, rows):
    out = table.copy()
    for i in range(len(index)):
        for j in range(table.shape[1]):
            out[index[i], j] = rows[i, j]
    return out


@fast
def running(x):
    out, total = np.empty(x.shape, x.dtype), x.dtype.type(0)
    for i in range(len(x)):
        total += x[i]
        out[i] = total
    return out


@fast
def running0(x):
    out = np.empty(x.shape, x.dtype)
    out[0] = x[0]
    for i in range(1, x.shape[0]):
        for j in range(x.shape[1]):
            out[i, j] = out[i - 1, j] + x[i, j]
    return out


@shared
def running1(x):
    out = np.empty(x.shape, x.dtype)
    for i in prange(x.shape[0]):
        total = x.dtype.type(0)
        for j in range(x.shape[1]):
            total += x[i, j]
            out[i, j] = total
    return out


@fast
def select(x):
    out, count = np.empty(x.shape, x.dtype), 0
    for i in range(len(x)):
        out[count] = x[i]
        count += x[i] > 0
    return out[:count].copy()


@fast
def positions(x):
    out, count = np.empty(len(x), np.int64), 0
    for i in range(len(x)):
        out[count] = i
        count += x[i] > 0
    return out[:count].copy()


@fast
def ordered(x):
    return np.sort(x)


@fast
def order(x):
    return np.argsort(x)


@shared
def ordered_rows(x):
    out = np.empty(x.shape, x.dtype)
    for i in prange(x.shape[0]):
        out[i] = np.sort(x[i])
    return out


@fast
def schools(mean, log_spread, raw, y, error):
    mean, log_spread = mean[()], log_spread[()]
    spread = math.exp(log_spread)
    ratio = (spread / 5) ** 2
    density = -0.5 * (mean / 5) ** 2 - math.log1p(ratio) + log_spread
    by_mean, by_spread = -mean / 25, -2 * ratio / (1 + ratio) + 1
    by_raw = np.empty(len(raw))
    for i in range(len(raw)):
        rest = (y[i] - mean - spread * raw[i]) / error[i]
        density -= 0.5 * (raw[i] * raw[i] + rest * rest)
        by_mean += rest / error[i]
        by_spread += rest * raw[i] / error[i] * spread
        by_raw[i] = rest * spread / error[i] - raw[i]
    return density, by_mean, by_spread, by_raw


@fast
def hierarchical(effects, slope, log_error, group, x, y):
    slope, log_error = slope[()], log_error[()]
    scale, squares, by_slope = math.exp(-log_error), 0.0, 0.0
    by_effects = -effects
    for i in range(len(x)):
        rest = (y[i] - effects[group[i]] - slope * x[i]) * scale
        squares += rest * rest
        by_slope += rest * x[i]
        by_effects[group[i]] += rest * scale
    density = -0.5 * squares - log_error * len(x) - 0.5 * np.sum(effects * effects) - 0.5 * slope * slope
    return density, by_effects, by_slope * scale - slope, squares - len(x)


@shared
def products(x, y):
    out = np.empty((x.shape[0], x.shape[1], y.shape[2]), x.dtype)
    for t in prange(len(x)):
        if x.shape[2] > 8:
            np.dot(x[t], y[t], out[t])
            continue
        for i in range(x.shape[1]):
            for j in range(y.shape[2]):
                total = x[t, i, 0] * y[t, 0, j]
                for k in range(1, x.shape[2]):
                    total += x[t, i, k] * y[t, k, j]
                out[t, i, j] = total
    return out


FUNCTIONS = {
    "a.square0d": square, "b.axpb_out": axpb_out, "b.triad_out": triad_out,
    "d.bcast": broadcast, "d.transp": transposed, "e.sum_all": sum_all,
    "e.sum0": sum0, "e.sum1": sum1, "e.meanvar": mean_variance, "e.dotlike": dot_like, "e.pdist": distances,
    "j.heat": heat, "m.embed": lookup, "m.inc_rows": inc_rows, "m.set_rows": set_rows, "n.schools": schools,
    "n.hier_reg": hierarchical, "o.cumsum": running, "o.cumsum0": running0, "o.cumsum1": running1, "o.select": select,
    "o.positions": positions, "o.sort": ordered, "o.argsort": order, "o.sort1": ordered_rows,
    "p.matmul": products,
}  # fmt: skip


def build(case: Case, kind: str, data: Data) -> Call:
    f = FUNCTIONS[kind] if kind in FUNCTIONS else elementwise(LOOPS[kind])
    if case.how == "each":
        return Call(EACH, {"f": f, "calls": data})
    names = dict(zip(OPERANDS, data, strict=False))
    result = (lambda: names["a"]) if case.how == "updates" else None
    return Call(f"f({', '.join(names)})", {"f": f, **names}, result)


BUILD = {
    row.name: partial(build, row, kind)
    for row in CASES
    if (kind := ".".join(row.name.split(".")[:2])) in FUNCTIONS or kind in LOOPS
}
