"""Storage of tensors while a program is built: addresses, lengths and strides by name (`Ref`), and regions (`Scope`).

Used by `bufferise`; programs themselves only have names.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import field
from typing import Any

from tensordsl.base.records import record
from tensordsl.codegen.program_ir import instructions as p
from tensordsl.codegen.tensor_ir import extents as ex

LONG_SUM = 4  # terms


@record
class Ref:
    """A tensor in memory: address, lengths and byte strides; `base` names the storage, for its lifetime."""

    ptr: str
    dims: tuple[Any, ...]
    strides: tuple[Any, ...]
    base: str = ""


@record
class Block:
    """An iteration of a loop over blocks of rows: names of its first row, of its row count, of its task, of that one's
    first row and slot; how many rows at most a block and a task have, and how many tasks follow the first; the axis of
    a group that runs along the rows, the addresses of storage for one block, and axes of buffers that are read by
    position: id(buffer) -> axis."""

    first: str
    here: str
    part: str
    start: str
    slot: str
    step: Any
    size: Any
    others: Any
    axis: str
    local: frozenset[str]
    by_position: dict[int, int]


Sum = tuple[str, frozenset[Any]]  # its name and terms


@record(eq=False, frozen=False)
class Scope:
    """The instructions of one region, and the names that its polynomials have there."""

    code: list[p.Instr] = field(default_factory=list)
    names: dict[Any, str] = field(default_factory=dict)
    sums: list[Sum] = field(default_factory=list)  # the latest long ones


def continued(length: ex.Extent, sums: list[Sum]) -> Sum | None:
    """The latest of these sums that `length` extends: offsets in a join of many operands are such sums."""
    terms = set(length.terms)
    return next((s for s in reversed(sums) if terms >= s[1]), None)


def contiguous(dims: Sequence[Any], itemsize: int) -> tuple[Any, ...]:
    """C-order byte strides."""
    strides: list[Any] = []
    step: Any = itemsize
    for n in reversed(dims):
        strides.append(step)
        step = ex.mul(step, n)
    return tuple(reversed(strides))
