"""NumExpr: what is one elementwise expression of the second suite; strings are parsed once."""

from __future__ import annotations

from functools import partial
from typing import Any

import numexpr
import numpy as np

from benchmarks.workloads.foundation import Call, Data
from benchmarks.workloads.peers import CASES, OPERANDS

PACKAGES = ("numexpr",)
EXPRESSIONS = {
    "a.axpb8": "a*b+c",
    "b.axpb": "a*b+c",
    "b.axpb_out": "b*c+d",
    "b.triad_out": "b+3*c",
    "b.sqd": "(a-b)**2*c+d",
    "c.gauss": "exp(-(a-b)**2/2)*c+sin(d)",
    "c.exp": "exp(a)",
    "c.sigmoid": "1/(1+exp(-a))",
    "c.tanh": "tanh(a)",
    "c.softplus": "log1p(exp(a))",
    "d.bcast": "a*b+c",
    "d.strided": "a*b+a",
    "d.transp": "a*b+b",
    "e.sum_all": "sum(a)",
    "e.sum0": "sum(a,0)",
    "e.sum1": "sum(a,1)",
    "e.dotlike": "sum(a*b)",
}


def warm_up() -> None:
    numexpr.evaluate("x+1", {"x": np.ones(4)})


def build(expression: str, is_update: bool, data: Data) -> Call:
    names: dict[str, Any] = dict(zip(OPERANDS, data, strict=False))
    if is_update:
        return Call(
            "f(text, names, out=a)", {"f": numexpr.evaluate, "text": expression, "names": names, "a": names["a"]}
        )
    return Call("f(text, names)", {"f": numexpr.evaluate, "text": expression, "names": names})


BUILD = {
    row.name: partial(build, EXPRESSIONS[kind], row.how == "updates")
    for row in CASES
    if (kind := ".".join(row.name.split(".")[:2])) in EXPRESSIONS
}
