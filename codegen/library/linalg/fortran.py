"""Calls of LAPACK's Fortran functions, through the table of their addresses (`abi.layouts.LAPACK`).

Contract  every argument is an address; integers stand in words of 64 bits, of which a LAPACK with 32-bit integers reads
          the lower half; behind the last argument comes the length of each text, 1.
Why       one text of a call serves both sizes of integers; what it writes is read in the size that there is.
"""

from __future__ import annotations

from dataclasses import dataclass

from tensordsl.codegen.abi import layouts
from tensordsl.codegen.llvm.builder import Asm

LETTERS = "ACGLNRSTUVIO"


@dataclass(frozen=True, slots=True)
class Number:
    """A dtype's elements: LLVM's type and bytes of one, and those of its parts, of which complex numbers have two.

    These are arrays, whose alignment is that of a part."""

    kind: str
    size: int
    part: str
    part_size: int

    @property
    def parts(self) -> int:
        return self.size // self.part_size

    @property
    def real(self) -> Number:
        """That of the parts."""
        return Number(self.part, self.part_size, self.part, self.part_size)

    def constant(self, real: str, imag: str = "0.0") -> str:
        return real if self.parts == 1 else f"[{self.part} {real}, {self.part} {imag}]"

    @property
    def nan(self) -> str:
        return self.constant(NAN, NAN)


NAN = "0x7FF8000000000000"
NUMBERS = {
    "float32": Number("float", 4, "float", 4),
    "float64": Number("double", 8, "double", 8),
    "complex64": Number("[2 x float]", 8, "float", 4),
    "complex128": Number("[2 x double]", 16, "double", 8),
    "int64": Number("i64", 8, "i64", 8),  # which are moved
}


def letters_text() -> str:
    """The texts of one letter that are passed."""
    return "".join(f"@letter_{x} = internal constant i8 {ord(x)}\n" for x in LETTERS)


def letter(x: str) -> str:
    return f"@letter_{x}"


def either(f: Asm, condition: str, x: str, y: str) -> str:
    """One of two letters."""
    return f.choose(condition, letter(x), letter(y), "ptr")


class Fortran:
    """Calls from one function for one dtype; words for arguments are on its stack, so it is made in its entry block."""

    def __init__(self, f: Asm, dtype: str, rt: str = "%rt") -> None:
        self.f, self.dtype = f, dtype
        self.element = NUMBERS[dtype]
        self.size = self.element.size
        self.table = f.load("ptr", rt, layouts.RT["lapack"])
        self.int_size = f.load("i64", self.table)
        self.info = self.integer(0)

    def integer(self, value: object) -> str:
        """The address of a word with an integer."""
        word = self.f.op("alloca i64, align 8")
        self.f.store("i64", str(value), word)
        return word

    def number(self, value: str) -> str:
        """The address of a number of the dtype, from a real one."""
        word = self.f.op("alloca [2 x double], align 8")
        self.f.store(self.element.kind, self.element.constant(value), word)
        return word

    def call(self, name: str, *arguments: str, texts: int = 0) -> None:
        """Call a function; so many of its arguments are texts."""
        function = self.f.load("ptr", self.table, layouts.LAPACK[name, self.dtype])
        self.f.call("void", function, *(f"ptr {a}" for a in arguments), *["i64 1"] * texts)

    def checked(self, name: str, *arguments: str, texts: int = 0) -> str:
        """i1: whether a function has failed, whose last argument tells."""
        self.f.store("i64", 0, self.info)
        self.call(name, *arguments, self.info, texts=texts)
        return self.f.ne(self.f.load("i64", self.info), 0)
