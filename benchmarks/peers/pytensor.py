"""PyTensor in its default mode; its own check of the arguments is switched off where arrays are passed."""

from __future__ import annotations

from functools import partial
from types import SimpleNamespace
from typing import Any

import pytensor
import pytensor.tensor as pt
from pytensor.scan.utils import until
from pytensor.tensor.random.utils import RandomStream

from benchmarks.peers import symbolic
from benchmarks.workloads.peers import NAMES

PACKAGES = ("pytensor", "numba", "llvmlite")

warm_up = partial(symbolic.warm_up, pt, pytensor.function)


def trusting(inputs: Any, outputs: Any, **options: Any) -> Any:
    function = pytensor.function(inputs, outputs, **options)
    function.trust_input = True
    return function


def draw(name: str, parameters: tuple[float, ...], count: int) -> tuple[Any, Any]:
    streams = RandomStream(0)
    if name == "gamma":
        return streams.gamma(parameters[0], scale=parameters[1], size=(count,)), streams.updates()
    return getattr(streams, name)(*parameters, size=(count,)), streams.updates()


M = SimpleNamespace(
    **{name: getattr(pt, name) for name in NAMES if hasattr(pt, name)},
    softmax=lambda x: pt.special.softmax(x, axis=1),
    pick=lambda x, columns: x[pt.arange(x.shape[0]), columns],
    inc_rows=lambda table, index, rows: pt.inc_subtensor(table[index], rows),
    set_rows=lambda table, index, rows: pt.set_subtensor(table[index], rows),
)

BUILD = symbolic.Language(
    T=pt,
    m=M,
    function=trusting,
    scalar_function=pytensor.function,
    tensor=lambda name, dtype, shape: pt.TensorType(dtype, shape)(name),
    shared=lambda value, shape: pytensor.shared(value, shape=shape),
    change_flags=pytensor.config.change_flags,
    longest=1_000,  # longer chains overflow its recursion
    scan=lambda step, **options: pytensor.scan(step, **options, return_list=True)[0],
    until=until,
    draw=draw,
).builders()
