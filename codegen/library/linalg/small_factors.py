"""Factors of small matrices: Cholesky, and LU with partial pivoting; of one matrix or of many in lanes.

Contract  `cholesky`, `lu`: reserve registers or scratch, and return a function that emits the factorisation of the
          matrices at given addresses, and returns the mask of those that fail, or None.
How       right-looking: every step updates all that is left, so its operations do not wait for each other.
Ref       Golub, Van Loan, Matrix Computations, 3.4 and 4.2; LAPACK's potf2 and getf2.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from tensordsl.codegen.kernel_ir.language import Kernel, Number, Pointer
from tensordsl.codegen.kernel_ir.types import Type, i32
from tensordsl.codegen.library.linalg.fortran import NAN
from tensordsl.codegen.library.linalg.small_values import (
    Index,
    Lanes,
    Matrix,
    Registers,
    Scratch,
    Step,
    Strided,
    fma,
    over,
    plus,
)

At = Mapping[str, Pointer]  # places of operands by name
Run = Callable[[At], "Number | None"]  # -> which matrices fail


class Work:
    """What one form of a function is written with: its parameters by name, lanes, the matrices' length n, and the most
    it can be."""

    def __init__(self, k: Kernel, given: Mapping[str, Any], lanes: Lanes, n: Index, most: int) -> None:
        self.k, self.given, self.lanes, self.n, self.most = k, given, lanes, n, most
        self.steps: dict[str, Step] = {}  # from matrix to matrix, of operands that have others than their parameter

    @property
    def rows(self) -> Number:
        """n as a value."""
        assert isinstance(self.n, Number)
        return self.n

    def scratch(self, columns: int = 0) -> Matrix:
        """For a matrix of n rows, in registers where n is known."""
        if isinstance(self.n, int):
            return Registers()
        columns = columns or self.most
        return Scratch(reserved(self.k, self.lanes.type, self.most * columns), columns)

    def stack(self, at: At, name: str) -> Strided:
        """The matrices of an operand."""
        step = self.steps[name] if name in self.steps else self.given[f"{name}_step"]
        return Strided(self.lanes, at[name], self.given[f"{name}_row"], self.given[f"{name}_column"], step)

    def over(self, start: Index, stop: Index) -> Iterator[Index]:
        return over(self.k, start, stop)

    def failing(self, mask: Number, value: Number | float) -> Number:
        return self.k.select(mask, NAN, self.k.number(value, self.lanes.type))


def reserved(k: Kernel, t: Type, count: int, *, anything: bool = False) -> Pointer:
    """A buffer for so many values; anything: of which some are read and not used that nobody has written."""
    return k.alloca(t, count, align=max(t.bytes, 16), anything=anything).of(t, t.bytes)


def cholesky(work: Work) -> Run:
    k, n, m = work.k, work.n, work.scratch()

    def step(c: Index) -> Number:
        pivot, below = m[c, c], plus(c, 1)
        failed = pivot <= 0.0
        root = k.emit("fsqrt", pivot)
        m[c, c] = root
        for i in work.over(below, n):
            m[i, c] = m[i, c] / root
        for i in work.over(below, n):
            left = -m[i, c]
            for j in work.over(below, plus(i, 1)):
                m[i, j] = fma(left, m[j, c], m[i, j])
        return failed

    def run(at: At) -> Number:
        a, out = work.stack(at, "a"), work.stack(at, "l")
        for i in work.over(0, n):
            for j in work.over(0, plus(i, 1)):
                m[i, j] = a[i, j]
        failed = k.variable(work.lanes.none)
        for c in work.over(0, n):
            failed |= step(c)
        zero = work.failing(failed, 0.0)
        for i in work.over(0, n):
            for j in work.over(0, plus(i, 1)):
                out[i, j] = work.failing(failed, m[i, j])
            for j in work.over(plus(i, 1), n):
                out[i, j] = zero
        return failed

    return run


def lu(work: Work) -> Run:
    k, v, n, m = work.k, work.lanes, work.n, work.scratch()

    def pivot_of(c: Index) -> Number:
        """The row of the first largest number of a column, from its diagonal on."""
        best, row = k.variable(k.emit("fabs", m[c, c])), k.variable(v.places(c))
        for i in work.over(plus(c, 1), n):
            size, largest = k.emit("fabs", m[i, c]), best.value
            is_larger = size > largest
            best.set(k.select(is_larger, size, largest))
            row.set(k.select(is_larger, v.places(i), row))
        return row.value

    def exchange(c: Index, pivot: Number) -> None:
        """Each lane has a pivot of its own: rows are chosen by masks."""
        for j in work.over(0, n):
            old = m[c, j]
            chosen = k.variable(old)
            for i in work.over(plus(c, 1), n):
                value, is_pivot = m[i, j], pivot == v.places(i)
                m[i, j] = k.select(is_pivot, old, value)
                chosen.set(k.select(is_pivot, value, chosen))
            m[c, j] = chosen.value

    def step(c: Index, pivots: Pointer) -> None:
        pivot, below = pivot_of(c), plus(c, 1)
        v.store_place(pivot, pivots.of(i32) + c, work.given["p_step"])
        exchange(c, pivot)
        value = m[c, c]
        is_zero = value == 0.0
        for i in work.over(below, n):
            old = m[i, c]
            factor = k.select(is_zero, old, old / value)
            m[i, c] = factor
            left = -factor
            for j in work.over(below, n):
                m[i, j] = fma(left, m[c, j], m[i, j])

    def run(at: At) -> None:
        a, out = work.stack(at, "a"), work.stack(at, "lu")
        for i in work.over(0, n):
            for j in work.over(0, n):
                m[i, j] = a[i, j]
        for c in work.over(0, n):
            step(c, at["pivots"])
        for i in work.over(0, n):
            for j in work.over(0, n):
                out[i, j] = m[i, j]

    return run
