"""Blosc2, nothing compressed: elementwise lazy expressions of its own arrays, reductions of NumPy's.

Each is its faster way: blocks of its arrays are computed with no copy, but a reduction has each block copied first.
Arguments with strides stay NumPy's, as its own arrays would be copies of them.
"""

from __future__ import annotations

from functools import partial
from types import SimpleNamespace
from typing import Any

import blosc2
import numpy as np

from benchmarks.peers import THREADS
from benchmarks.workloads.foundation import Call, Data
from benchmarks.workloads.peers import CASES, NAMES, OPERANDS, Case

PACKAGES = ("blosc2", "numexpr")
RAW = {"cparams": {"clevel": 0}}
M = SimpleNamespace(
    **{name: getattr(blosc2, name) for name in NAMES if hasattr(blosc2, name)},
    sigmoid=lambda x: 1 / (1 + blosc2.exp(-x)),
)
SHIFTED = "exp(a-max(a,axis=1,keepdims=True))"
OF_NUMPYS = {
    "d.strided": ("a*b+a",),
    "d.transp": ("a*b+b",),
    "e.sum_all": ("sum(a)",),
    "e.sum0": ("sum(a,axis=0)",),
    "e.sum1": ("sum(a,axis=1)",),
    "e.meanvar": ("mean(a,axis=1)", "var(a,axis=1)"),
    "e.lse1": (f"log(sum({SHIFTED},axis=1))+max(a,axis=1)",),
    "e.softmax1": (f"{SHIFTED}/sum({SHIFTED},axis=1,keepdims=True)",),
    "e.argmax1": ("argmax(a,axis=1)",),
    "e.mapred": ("sum(exp(a*b+c),axis=1)",),
    "e.dotlike": ("sum(a*b)",),
    "e.pdist": ("sum((a-b)**2,axis=2)",),
}
ELEMENTWISE = (
    "a.axpb8", "a.square0d", "b.axpb", "b.sqd", "c.gauss", "c.exp", "c.sigmoid", "c.tanh", "c.softplus", "d.bcast",
    "l.chain20", "l.chain200", "t.axpb", "t.tanh",
)  # fmt: skip
FUNCTIONS = {
    "o.cumsum": lambda x: blosc2.cumulative_sum(x, axis=0),
    "o.cumsum0": lambda x: blosc2.cumulative_sum(x, axis=0),
    "o.cumsum1": lambda x: blosc2.cumulative_sum(x, axis=1),
    "o.argsort": blosc2.argsort,
    "m.embed": lambda table, index: table[index],
    "p.matmul": lambda x, y: blosc2.matmul(x, y, **RAW),
}
blosc2.set_nthreads(THREADS)


def warm_up() -> None:
    blosc2.lazyexpr("x+1", {"x": np.ones(4)})[:]


def own(data: Data) -> list[Any]:
    return [blosc2.asarray(np.ascontiguousarray(x), **RAW) for x in data]


def elementwise(case: Case, data: Data) -> Call:
    return Call("f.compute(**raw)", {"f": case.function(M, *own(data)), "raw": RAW})


def each(case: Case, data: Data) -> Call:
    return Call("[f.compute(**raw) for f in calls]", {"calls": [case.function(M, *own(x)) for x in data], "raw": RAW})


def update(text: str, case: Case, data: Data) -> Call:
    out, *rest = own(data)
    lazy = blosc2.lazyexpr(text, dict(zip("abc", rest, strict=False)), out=out)
    return Call("f.compute()", {"f": lazy})


def of_numpys(texts: tuple[str, ...], data: Data) -> Call:
    if "axis=2" in texts[0]:
        data = data[0][:, None, :], data[1][None, :, :]
    calls = [blosc2.lazyexpr(text, dict(zip(OPERANDS, data, strict=False))) for text in texts]
    if len(calls) == 1:
        return Call("f[()]", {"f": calls[0]})
    return Call("[f[()] for f in calls]", {"calls": calls})


def function(f: Any, data: Data) -> Call:
    names = dict(zip(OPERANDS, own(data), strict=False))
    return Call(f"f({', '.join(names)})", {"f": f, **names})


def builder(case: Case) -> Any:
    kind = case.name.rpartition(f".{case.dtype}")[0]
    if kind in OF_NUMPYS:
        return partial(of_numpys, OF_NUMPYS[kind])
    if kind in FUNCTIONS:
        return partial(function, FUNCTIONS[kind])
    special = {"b.axpb_out": partial(update, "a*b+c"), "b.triad_out": partial(update, "a+3*b"), "l.dyn_ew": each}
    found = special.get(kind) or (elementwise if kind in ELEMENTWISE else None)
    return found and partial(found, case)


BUILD = {case.name: build for case in CASES if (build := builder(case))}
