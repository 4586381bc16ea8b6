"""tinygrad on the CPU by its LLVM, one thread; tensors are made beforehand, results wait in buffers of its own.

It needs clang for the loop of its worker's thread; `CC` names another one, and `DEV=CPU` has it compile everything.
"""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from functools import partial
from types import SimpleNamespace
from typing import Any

import numpy as np

from benchmarks.workloads.foundation import Call, Data
from benchmarks.workloads.peers import CASES, NAMES, Case, as_stored

if shutil.which(os.environ.get("CC", "clang")) is None:
    raise ImportError("tinygrad needs clang")
os.environ.setdefault("DEV", "CPU:LLVM")
from tinygrad import Device, Tensor, TinyJit  # noqa: E402

PACKAGES = ("tinygrad",)
M = SimpleNamespace(
    **{name: getattr(Tensor, name) for name in NAMES if hasattr(Tensor, name)}
    | {
        "log1p": lambda x: (1 + x).log(),
        "pick": lambda x, columns: x[Tensor.arange(x.shape[0]), columns],
        "softmax": lambda x: x.softmax(1),
        "sort": lambda x: x.sort()[0],
        "var": lambda x, axis: x.var(axis, correction=0),
    }
)
LEFT_OUT = (
    "c.gelu.f8", "f.black_scholes.f8",  # its erf errs by 2e-7
    "g.tiny_mlp", "h.logreg",  # LLVM refuses its constants of -2e-05
    "l.dyn_mlp", "l.chain200", "o.sort.f4.1e6", "o.sort.f8.1e6", "o.argsort.f8.1e6",  # a minute of compiling and more
    "m.inc_rows", "m.set_rows",  # each row's place would be compared with each index
    "o.select", "o.positions",  # lengths that depend on values
)  # fmt: skip


@dataclass(slots=True)
class Program:
    """A compiled function with its operands; a call ends when the results are there."""

    function: Any
    operands: list[Tensor]
    results: Any = ()

    def __call__(self) -> None:
        self.results = self.function(*self.operands)
        Device[Device.DEFAULT].synchronize()

    def values(self) -> Any:
        several = isinstance(self.results, tuple | list)
        return [x.numpy() for x in self.results] if several else self.results.numpy()


def warm_up() -> None:
    compiled(lambda x, y: x @ y - 3, tensors((np.ones((2, 2)), np.ones((2, 2)))))()


def tensors(data: Data) -> list[Tensor]:
    return [Tensor(x).clone().realize() for x in data]


def compiled(function: Any, operands: list[Tensor]) -> Program:
    """Results are realised together; TinyJit's first call runs, and the second is recorded."""

    def realized(*operands: Any) -> Any:
        results = function(*operands)
        Tensor.realize(*(results if isinstance(results, tuple | list) else (results,)))
        return results

    program = Program(TinyJit(realized), operands)
    for _ in range(2):
        program()
    return program


def waiting(function: Any, data: Data) -> Call:
    stored, view = as_stored(data)
    program = compiled(lambda *x: function(*view(*x)), tensors(stored))
    return Call("f()", {"f": program}, program.values)


def each(function: Any, data: Data) -> Call:
    """A program for each length, as TinyJit takes operands of one shape."""
    programs = [compiled(function, tensors(operands)) for operands in data]
    return Call("[f() for f in calls]", {"calls": programs}, lambda: [f.values() for f in programs])


def update(function: Any, data: Data) -> Call:
    """The new value is assigned to the state in place."""
    return waiting(lambda target, *rest: target.assign(function(target, *rest)), data)


def gradients(case: Case, data: Data) -> Call:
    def both(*operands: Any) -> Any:
        cost = case.function(M, *operands)
        return cost, *cost.gradient(*operands[: case.by])

    return waiting(both, data)


def training(case: Case, data: Data) -> Call:
    """Parameters and their momenta are assigned in place; what recording moved is put back."""
    starts = [*data, *(np.zeros_like(x) for x in data[: case.by])]
    operands = tensors(starts)

    def step(*operands: Any) -> Any:
        params, steps = operands[: case.by], operands[len(data) :]
        cost = case.function(M, *operands[: len(data)])
        moves = [0.9 * last - 0.01 * g for last, g in zip(steps, cost.gradient(*params), strict=True)]
        moved = [last.assign(move) for last, move in zip(steps, moves, strict=True)]
        return cost, *moved, *(param.assign(param + move) for param, move in zip(params, moves, strict=True))

    program = compiled(step, operands)
    for tensor, start in zip(operands, starts, strict=True):
        tensor.assign(Tensor(start)).realize()
    return Call("f()", {"f": program}, lambda: program.values()[0])


def build(case: Case, data: Data) -> Call:
    if case.how in ("gradients", "training"):
        return {"gradients": gradients, "training": training}[case.how](case, data)
    return {"expression": waiting, "each": each, "updates": update}[case.how](partial(case.function, M), data)


BUILD = {case.name: partial(build, case) for case in CASES if not case.name.startswith(LEFT_OUT)}
