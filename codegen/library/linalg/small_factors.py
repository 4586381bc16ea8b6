"""Factors of small matrices: Cholesky, and LU with partial pivoting; of one matrix or of many in lanes.

Contract  `cholesky`, `lu`: reserve registers or scratch, and return a function that emits the factorisation of the
          matrices at given addresses, and returns the mask of those that fail, or "".
How       right-looking: every step updates all that is left, so its operations do not wait for each other.
Ref       Golub, Van Loan, Matrix Computations, 3.4 and 4.2; LAPACK's potf2 and getf2.
"""

from __future__ import annotations

from collections.abc import Callable

from tensordsl.codegen.library.linalg.small_values import (
    NAN,
    Lanes,
    Matrix,
    Number,
    Registers,
    Scratch,
    Step,
    Strided,
    Walk,
)
from tensordsl.codegen.llvm.builder import Asm

Run = Callable[[dict[str, str]], str]  # places of operands by name -> which matrices fail


class Work:
    """What one form of a function is written with: the function, lanes, the matrices' length n, and the most it can
    be."""

    def __init__(self, f: Asm, lanes: Lanes, n: Number, most: int) -> None:
        self.f, self.lanes, self.n, self.most = f, lanes, n, most
        self.walk = Walk(f)
        self.steps: dict[str, Step] = {}  # from matrix to matrix, of operands that have others than their parameter

    def scratch(self, columns: int = 0) -> Matrix:
        """For a matrix of n rows, in registers where n is known."""
        if isinstance(self.n, int):
            return Registers()
        columns = columns or self.most
        return Scratch(self.walk, self.lanes, taken(self.f, self.lanes, self.most * columns), columns)

    def stack(self, at: dict[str, str], name: str) -> Strided:
        """The matrices of an operand."""
        step = self.steps.get(name, f"%{name}_step")
        return Strided(self.walk, self.lanes, at[name], f"%{name}_row", f"%{name}_column", step)

    def after(self, i: Number) -> Number:
        return self.walk.plus(i, 1)

    def failing(self, mask: str, value: str) -> str:
        return self.lanes.choose(self.f, mask, self.lanes.constant(NAN), value)


def taken(f: Asm, lanes: Lanes, count: int) -> str:
    """A buffer for so many values."""
    return f.op(f"alloca [{count} x {lanes.type}], align {max(lanes.bytes, 16)}")


def cholesky(work: Work) -> Run:
    f, v, walk, n = work.f, work.lanes, work.walk, work.n
    m, none = work.scratch(), v.each_lane("i1", "false")

    def column(k: Number, state: list[str]) -> list[str]:
        pivot, below = m.get(k, k), work.after(k)
        failed = v.compare(f, "ole", pivot, v.constant("0.0"))
        root = v.unary(f, "sqrt", pivot)
        m.set(k, k, root)
        walk.each(below, n, lambda i: m.set(i, k, v.divide(f, m.get(i, k), root)))

        def update(i: Number) -> None:
            left = f.op(f"fneg {v.type} {m.get(i, k)}")
            walk.each(below, work.after(i), lambda j: m.set(i, j, v.fma(f, left, m.get(j, k), m.get(i, j))))

        walk.each(below, n, update)
        return [v.either(f, state[0], failed)]

    def run(at: dict[str, str]) -> str:
        a, out = work.stack(at, "a"), work.stack(at, "l")
        walk.each(0, n, lambda i: walk.each(0, work.after(i), lambda j: m.set(i, j, a.get(i, j))))
        (failed,) = walk.fold(0, n, [(v.mask, none)], column)
        zero = work.failing(failed, v.constant("0.0"))

        def give(i: Number) -> None:
            walk.each(0, work.after(i), lambda j: out.set(i, j, work.failing(failed, m.get(i, j))))
            walk.each(work.after(i), n, lambda j: out.set(i, j, zero))

        walk.each(0, n, give)
        return failed

    return run


def lu(work: Work) -> Run:
    f, v, walk, n = work.f, work.lanes, work.walk, work.n
    m = work.scratch()

    def pivot_of(k: Number) -> str:
        """The row of the first largest number of a column, from its diagonal on."""

        def larger(i: Number, best: list[str]) -> list[str]:
            size = v.unary(f, "fabs", m.get(i, k))
            is_larger = v.compare(f, "ogt", size, best[0])
            return [v.choose(f, is_larger, size, best[0]), v.choose(f, is_larger, v.places(f, i), best[1], v.integer)]

        first = (v.type, v.unary(f, "fabs", m.get(k, k))), (v.integer, v.places(f, k))
        return walk.fold(work.after(k), n, first, larger)[1]

    def exchange(k: Number, pivot: str) -> None:
        """Each lane has a pivot of its own: rows are chosen by masks."""

        def of_column(j: Number) -> None:
            old = m.get(k, j)

            def row(i: Number, state: list[str]) -> list[str]:
                value, is_pivot = m.get(i, j), is_row(f, v, pivot, i)
                m.set(i, j, v.choose(f, is_pivot, old, value))
                return [v.choose(f, is_pivot, value, state[0])]

            m.set(k, j, walk.fold(work.after(k), n, [(v.type, old)], row)[0])

        walk.each(0, n, of_column)

    def step(k: Number, pivots: str) -> None:
        pivot, below = pivot_of(k), work.after(k)
        v.store_place(f, pivot, f.gep(pivots, k, "i32"), "%p_step")
        exchange(k, pivot)
        value = m.get(k, k)
        is_zero = v.compare(f, "oeq", value, v.constant("0.0"))

        def eliminate(i: Number) -> None:
            old = m.get(i, k)
            factor = v.choose(f, is_zero, old, v.divide(f, old, value))
            m.set(i, k, factor)
            left = f.op(f"fneg {v.type} {factor}")
            walk.each(below, n, lambda j: m.set(i, j, v.fma(f, left, m.get(k, j), m.get(i, j))))

        walk.each(below, n, eliminate)

    def run(at: dict[str, str]) -> str:
        a, out = work.stack(at, "a"), work.stack(at, "lu")
        walk.each(0, n, lambda i: walk.each(0, n, lambda j: m.set(i, j, a.get(i, j))))
        walk.each(0, n, lambda k: step(k, at["pivots"]))
        walk.each(0, n, lambda i: walk.each(0, n, lambda j: out.set(i, j, m.get(i, j))))
        return ""

    return run


def is_row(f: Asm, v: Lanes, pivot: str, i: Number) -> str:
    """In which lanes the pivot's row is i."""
    return f.op(f"icmp eq {v.integer} {pivot}, {v.places(f, i)}")
