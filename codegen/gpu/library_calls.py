"""The table from functions of `LibraryCall` to GPU kernels and launches.

Called by a device's runner for each `LibraryCall` of a program; a function without a row runs on the host.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from tensordsl.codegen.abi.layouts import CALLERS
from tensordsl.codegen.gpu import scan as gpu_scan
from tensordsl.codegen.gpu import sort as gpu_sort
from tensordsl.codegen.gpu.launch import Launch, Operand
from tensordsl.codegen.tensor_ir.construct import CONSTRUCTS

Steps = tuple[Any, int, Callable[[int], list[Launch]]]  # what has `text`, bytes of scratch, (address of it) -> launches


def library_steps(function: str, dtypes: Sequence[str], operands: Sequence[Operand], multiprocessors: int) -> Steps:
    """The kernels of a function, inputs before outputs, and its launches.

    Operands are laid out as `LibraryCall` has them, strides in elements; the CPU's scratch, the last one of sorts, is
    not used.
    """
    construct = CONSTRUCTS[CALLERS[function]]
    made: Steps = construct.gpu(function, dtypes, operands, multiprocessors)
    return made


def sort_steps(function: str, dtypes: Sequence[str], operands: Sequence[Operand], multiprocessors: int) -> Steps:
    x, y, *_ = operands
    made = gpu_sort.sort(function, dtypes[0], len(x.shape) - 1)
    size = gpu_sort.scratch_bytes(made, x)
    return made, size, lambda scratch: gpu_sort.launches(made, x, y, scratch, multiprocessors)


def search_steps(function: str, dtypes: Sequence[str], operands: Sequence[Operand], multiprocessors: int) -> Steps:
    x, v, y = operands
    made = gpu_sort.searching(function, dtypes[0])
    return made, 0, lambda scratch: gpu_sort.search_launches(made, x, v, y, multiprocessors)


def scan_steps(function: str, dtypes: Sequence[str], operands: Sequence[Operand], multiprocessors: int) -> Steps:
    x, y = operands
    scanned = gpu_scan.scan(function, dtypes[0], dtypes[1], len(x.shape) - 1)
    choice = gpu_scan.choose(function, dtypes[1], x)
    return scanned, choice.scratch, lambda scratch: gpu_scan.launches(scanned, choice, x, y, scratch, multiprocessors)
