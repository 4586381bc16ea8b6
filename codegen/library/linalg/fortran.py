"""Calls of LAPACK's Fortran functions, through the table of their addresses (`abi.layouts.LAPACK`).

Contract  every argument is an address; integers stand in words of 64 bits, of which a LAPACK with 32-bit integers reads
          the lower half; behind the last argument comes the length of each text, 1.
Why       one text of a call serves both sizes of integers; what it writes is read in the size that there is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from tensordsl.codegen.abi import layouts
from tensordsl.codegen.kernel_ir.ir import Table
from tensordsl.codegen.kernel_ir.language import Kernel, Number, Pointer
from tensordsl.codegen.kernel_ir.types import Kind, Type, f32, f64, i8, i64, ptr, signature
from tensordsl.codegen.library.run_time_table import entry

LETTERS = {x: Table(f"letter_{x}", i8, ((ord(x),),), align=1) for x in "ACGLNRSTUVIO"}  # the texts that are passed
NAN = float("nan")


@dataclass(frozen=True, slots=True)
class Element:
    """An element of a dtype: one number, or two, of which complex ones consist.

    These are arrays, whose alignment is that of a part."""

    part: Type
    parts: int = 1

    @property
    def size(self) -> int:
        """In bytes."""
        return self.parts * self.part.bytes

    @property
    def real(self) -> Element:
        """That of the parts."""
        return Element(self.part)

    @property
    def kind(self) -> str:
        """A word in names of functions."""
        return {f32: "float", f64: "double", i64: "i64"}[self.part]

    def load(self, x: Pointer) -> list[Number]:
        return [x.of(self.part)[n] for n in range(self.parts)]

    def store(self, y: Pointer, values: Sequence[Number | float]) -> None:
        for n, value in enumerate(values):
            y.of(self.part)[n] = value

    def constant(self, real: float, imag: float = 0.0) -> list[float]:
        return [real, imag][: self.parts]

    @property
    def nan(self) -> list[float]:
        return self.constant(NAN, NAN)


NUMBERS = {
    "float32": Element(f32),
    "float64": Element(f64),
    "complex64": Element(f32, 2),
    "complex128": Element(f64, 2),
    "int64": Element(i64),  # which are moved
}


def letter(k: Kernel, x: str) -> Pointer:
    return k.table(LETTERS[x])


def either(k: Kernel, condition: Number, x: str, y: str) -> Pointer:
    """One of two letters."""
    return k.select(condition, letter(k, x), letter(k, y))


def quotient(k: Kernel, x: Number, y: int) -> Number:
    """Towards zero: of bytes, numbers of so many."""
    return k.emit("sdiv", x, k.number(y, i64))


class Fortran:
    """Calls from one function for one dtype; words for arguments are on its stack, so it is made in its entry block."""

    def __init__(self, k: Kernel, dtype: str, rt: Pointer) -> None:
        self.k, self.dtype = k, dtype
        self.element = NUMBERS[dtype]
        self.size = self.element.size
        self.table = entry(rt, "lapack")
        self.int_size = self.table.of(i64)[0]
        self.info = self.integer(0)

    def integer(self, value: Any) -> Pointer:
        """The address of a word with an integer."""
        word = self.k.alloca(i64)
        word[0] = value
        return word

    def number(self, value: float) -> Pointer:
        """The address of a number of the dtype, from a real one."""
        word = self.k.alloca(f64, 2)
        self.element.store(word, self.element.constant(value))
        return word

    def call(self, name: str, *arguments: Pointer, texts: int = 0) -> None:
        """Call a function; so many of its arguments are texts."""
        function = self.table.bytes(layouts.LAPACK[name, self.dtype]).of(ptr)[0]
        kinds: dict[str, Kind] = {f"x{n}": ptr for n in range(len(arguments))}
        kinds |= {f"length{n}": i64 for n in range(texts)}
        self.k.call_at(function, signature(name, None, kinds), *arguments, *[1] * texts)

    def checked(self, name: str, *arguments: Pointer, texts: int = 0) -> Number:
        """i1: whether a function has failed, whose last argument tells."""
        self.info[0] = 0
        self.call(name, *arguments, self.info, texts=texts)
        return self.info[0] != 0  # type: ignore[no-any-return]  # of any type
