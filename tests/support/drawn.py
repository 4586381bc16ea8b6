"""Programs said in full: the words in which `program_text` writes a function, and in which `pinned` keeps some.

A program is a function of one `Program`:

>>> def doubled(p: Program) -> None:
...     x = p.argument(TensorType("float64", (None,)), array("float64", [1.0, 2.0]))
...     p.output(op("add", x, x))
>>> Program(doubled).case.outputs
[add.0]
"""

from __future__ import annotations

import base64
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

import tensordsl
from tensordsl.graph import Variable
from tensordsl.ops.control import LoopBody, loop_index
from tensordsl.ops.operands import constant as constant_of
from tensordsl.ops.table import OPS
from tensordsl.types import TensorType

EXACT, SIGN, INEXACT = range(3)  # equal bits; equal but for the sign of zeros; equal up to rounding


@dataclass
class Case:
    """A function to be: `arguments` are arrays in any layout, `shared` variables hold their first values, if these are
    not in `first`."""

    inputs: list[Variable] = field(default_factory=list)
    arguments: list[Any] = field(default_factory=list)
    shared: list[Any] = field(default_factory=list)
    outputs: list[Variable] = field(default_factory=list)
    updates: list[tuple[Any, Variable]] = field(default_factory=list)
    first: list[Any] = field(default_factory=list)

    @property
    def results(self) -> list[Variable]:
        return [*self.outputs, *(v for _, v in self.updates)]


class Program:
    """The case that `write` declares; `level` says how exact each result is."""

    def __init__(self, write: Callable[[Program], None]) -> None:
        self.case = Case()
        self.level: dict[Variable, int] = {}
        write(self)

    def argument(self, type: TensorType, value: Any) -> Any:
        """An input, and the array that is given for it."""
        v = type(f"x{len(self.case.inputs)}")
        self.case.inputs.append(v)
        self.case.arguments.append(value)
        return v

    def view(self, of: Variable, dtype: str, shape: tuple[int, ...], strides: tuple[int, ...], offset: int = 0) -> Any:
        """An array in the memory of an argument: its first element lies `offset` bytes behind the other's."""
        other = self.case.arguments[self.case.inputs.index(of)]
        memory = other if other.base is None else other.base
        view = np.ndarray(shape, dtype, memory, other.ctypes.data + offset - memory.ctypes.data, strides)
        view.flags.writeable = other.flags.writeable
        return view

    def shared(self, value: Any, broadcastable: tuple[bool, ...]) -> Any:
        v = tensordsl.shared(value, name=f"s{len(self.case.shared)}", broadcastable=broadcastable)
        self.case.shared.append(v)
        return v

    def output(self, v: Variable, level: int = EXACT) -> None:
        self.case.outputs.append(v)
        self.level[v] = level

    def update(self, shared: Any, v: Variable, level: int = EXACT) -> None:
        self.case.updates.append((shared, v))
        self.level[v] = level


def op(name: str, *inputs: Variable, **attrs: Any) -> Any:
    """A row of the op table, applied: its result, or a tuple of several."""
    made = OPS[name](*inputs, **attrs)
    return made[0] if isinstance(made, tuple) and len(made) == 1 else made


def constant(dtype: str, values: Any, shape: tuple[int, ...] | None = None) -> Any:
    return constant_of(array(dtype, values, shape))


def body(step: Callable[..., Any], carried: Sequence[TensorType], invariants: Sequence[TensorType]) -> LoopBody:
    """The body of a loop: step(index, *carried, *invariants) gives the next carried values and those to stack, and
    the condition of one that ends early."""
    index, carry, keep = loop_index(), tuple(t() for t in carried), tuple(t() for t in invariants)
    following, stacked, *condition = step(index, *carry, *keep)
    return LoopBody(index, carry, keep, tuple(following), tuple(stacked), condition=next(iter(condition), None))


def array(
    dtype: str,
    values: Any,
    shape: tuple[int, ...] | None = None,
    *,
    strides: tuple[int, ...] | None = None,
    shift: int = 0,
    writeable: bool = True,
) -> Any:
    """Values in nested lists or packed, at `strides` in memory whose lowest address is `shift` past alignment."""
    if isinstance(values, bytes):
        values = np.frombuffer(values, np.dtype(dtype).newbyteorder("="))
    x = np.array(values, dtype)
    if shape is not None:
        x = x.reshape(shape) if x.size else np.empty(shape, dtype)
    if strides is not None or shift:
        strides = x.strides if strides is None else strides
        reach = [s * (n - 1) for s, n in zip(strides, x.shape, strict=True) if n]
        low, high = sum(r for r in reach if r < 0), sum(r for r in reach if r > 0)
        memory = np.zeros(shift + high - low + x.itemsize, np.uint8)
        placed = np.ndarray(x.shape, x.dtype, memory, shift - low, strides)
        placed[...] = x
        x = placed
    x.flags.writeable = writeable
    return x


def pack(x: Any) -> str:
    """The elements in C order, compressed."""
    native = x.astype(x.dtype.newbyteorder("="))
    return base64.b85encode(zlib.compress(native.tobytes(), 9)).decode()


def packed(text: str) -> bytes:
    return zlib.decompress(base64.b85decode(text))
