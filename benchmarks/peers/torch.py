"""PyTorch, `torch.compile` with its default backend; tensors share the memory of NumPy's arrays."""

from __future__ import annotations

from functools import partial
from types import SimpleNamespace
from typing import Any

import torch

from benchmarks.peers import THREADS
from benchmarks.peers.loops import torch as loops
from benchmarks.workloads.foundation import Call, Data
from benchmarks.workloads.peers import CASES, EACH, NAMES, OPERANDS, Case

PACKAGES = ("torch",)
torch.set_num_threads(THREADS)


def named(function: Any) -> Any:
    """torch's `dim` under the name `axis`."""
    return lambda x, axis=None: function(x) if axis is None else function(x, dim=axis)


M = SimpleNamespace(
    **{name: getattr(torch, name) for name in NAMES if hasattr(torch, name)}
    | {name: named(getattr(torch, name)) for name in ("sum", "mean", "argmax", "logsumexp")},
)  # fmt: skip
M.cumsum = lambda x, axis: torch.cumsum(x, dim=axis)
M.sort = lambda x: torch.sort(x).values
M.var = lambda x, axis: torch.var(x, dim=axis, correction=0)
M.softmax = lambda x: torch.softmax(x, dim=1)
M.dot = torch.matmul
M.pick = lambda x, columns: x[torch.arange(x.shape[0]), columns]
M.inc_rows = lambda table, index, rows: table.index_add(0, index, rows)
M.set_rows = lambda table, index, rows: table.index_copy(0, index, rows)


def warm_up() -> None:
    torch.compile(lambda x, y: x @ y - 3)(torch.ones(2, 2), torch.ones(2, 2))


def case(case: Case, data: Data) -> Call:
    f = torch.compile(partial(case.function, M))
    if case.how == "each":
        calls = [tuple(map(torch.as_tensor, operands)) for operands in data]
        return Call(EACH, {"f": torch.compile(partial(case.function, M), dynamic=True), "calls": calls})
    names = {name: torch.as_tensor(value) for name, value in zip(OPERANDS, data, strict=False)}
    return Call(f"f({', '.join(names)})", {"f": f, **names})


BUILD = {row.name: partial(case, row) for row in CASES if row.how in ("expression", "each")} | loops.BUILD
