"""tensordsl itself, used as a user would."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import tensordsl
import tensordsl.tensor as T
from benchmarks.peers import symbolic
from benchmarks.workloads.peers import NAMES
from tensordsl.codegen.abi import layouts
from tensordsl.functions import native
from tensordsl.runtime.loading import library
from tensordsl.tensor.shared_randomstreams import RandomStreams

PACKAGES = ("tensordsl", "llvmlite")


# What gradients of densities with a Cholesky factor call of the library.
FACTORS = ("cholesky_float64", "choleskyvjp_float64", "triangular_float64", "scatter_add_double")


def warm_up() -> None:
    """Loads LLVM and the library's loops and factors, which a machine compiles once."""
    symbolic.warm_up(T, tensordsl.function)
    library.require(*layouts.NEST_PARTS, *layouts.COMMON.values(), *FACTORS)


def forget() -> None:
    """Drop the code that the process keeps, so that the disk cache is asked."""
    native.forget()


def shared(value: Any, shape: tuple[int | None, ...] | None) -> Any:
    return tensordsl.shared(value, broadcastable=None if shape is None else tuple(n == 1 for n in shape))


def as_list(results: Any) -> list[Any]:
    return results if isinstance(results, list) else [results]


def draw(name: str, parameters: tuple[float, ...], count: int) -> tuple[Any, Any]:
    streams = RandomStreams(0)
    return getattr(streams, name)((count,), *parameters), streams.updates()


M = SimpleNamespace(
    **{name: getattr(T, name) for name in NAMES if hasattr(T, name)},
    softmax=T.nnet.softmax,
    pick=lambda x, columns: x[T.arange(x.shape[0]), columns],
    inc_rows=lambda table, index, rows: T.inc_subtensor(table[index], rows),
    set_rows=lambda table, index, rows: T.set_subtensor(table[index], rows),
)

BUILD = symbolic.Language(
    T=T,
    m=M,
    function=tensordsl.function,
    scalar_function=tensordsl.function,
    tensor=lambda name, dtype, shape: T.TensorType(dtype, shape)(name),
    shared=shared,
    change_flags=tensordsl.config.change_flags,
    longest=50_000,
    scan=lambda step, **options: tensordsl.scan(step, **options, return_list=True)[0],
    until=tensordsl.scan_module.until,
    draw=draw,
    checkpoints=lambda step, **options: as_list(tensordsl.scan_checkpoints(step, **options)[0]),
).builders()
