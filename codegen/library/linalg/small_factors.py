"""Factors of small matrices: Cholesky, and LU with partial pivoting; of one matrix or of many in lanes.

Contract  `cholesky`, `lu`: take room, and give what writes the factorisation of the matrices at some places: it gives
          which of them fail (a mask, or "").  `cholesky_by_rows`, `lu_by_rows`: of one matrix, its rows as vectors.
How       right-looking: every step updates all that is left, so its operations do not wait for each other.
Ref       Golub, Van Loan, Matrix Computations, 3.4 and 4.2; LAPACK's potf2 and getf2.
"""

from __future__ import annotations

from collections.abc import Callable

from tensordsl.codegen.library.linalg.small_values import NAN, Lanes, Matrix, Number, Registers, Scratch, Strided, Walk
from tensordsl.codegen.llvm.builder import Asm

Run = Callable[[dict[str, str]], str]  # places of operands by name -> which matrices fail


class Work:
    """What one form of a function is written with: the function, lanes, the matrices' length n, and the most it can
    be."""

    def __init__(self, f: Asm, lanes: Lanes, n: Number, most: int) -> None:
        self.f, self.lanes, self.n, self.most = f, lanes, n, most
        self.walk = Walk(f)

    def room(self, columns: int = 0) -> Matrix:
        """For a matrix of n rows, in registers where n is known."""
        if isinstance(self.n, int):
            return Registers()
        columns = columns or self.most
        return Scratch(self.walk, self.lanes, _taken(self.f, self.lanes, self.most * columns), columns)

    def stack(self, at: dict[str, str], name: str) -> Strided:
        """The matrices of an operand."""
        return Strided(self.walk, self.lanes, at[name], *(f"%{name}_{axis}" for axis in ("row", "column", "step")))

    def after(self, i: Number) -> Number:
        return self.walk.plus(i, 1)

    def failing(self, mask: str, value: str) -> str:
        return self.lanes.choose(self.f, mask, self.lanes.constant(NAN), value)


def _taken(f: Asm, lanes: Lanes, count: int) -> str:
    return f.op(f"alloca [{count} x {lanes.type}], align {max(lanes.bytes, 16)}")


def cholesky(work: Work) -> Run:
    f, v, walk, n = work.f, work.lanes, work.walk, work.n
    m, none = work.room(), v._all("i1", "false")

    def column(k: Number, state: list[str]) -> list[str]:
        pivot, below = m.get(k, k), work.after(k)
        failed = v.compare(f, "ole", pivot, v.constant("0.0"))
        root = v.unary(f, "sqrt", pivot)
        m.set(k, k, root)
        walk.each(below, n, lambda i: m.set(i, k, v.divide(f, m.get(i, k), root)))

        def update(i: Number) -> None:
            left = f.op(f"fneg {v.type} {m.get(i, k)}")
            walk.each(
                below, work.after(i), lambda j: m.set(i, j, v.fma(f, left, m.get(j, k), m.get(i, j)))
            )

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
    m = work.room()

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


# One matrix: a row is a vector, whose lanes behind the row's end are not used.


class Rows:
    """A matrix in memory of its own, whose rows are vectors of `row.lanes` numbers."""

    def __init__(self, work: Work, row: Lanes) -> None:
        self.f, self.row, self.one = work.f, row, Lanes(row.kind, 1)
        self.walk = work.walk
        self.base = _taken(work.f, row, row.lanes)
        numbers = ", ".join(f"i64 {k}" for k in range(row.lanes))
        self.columns = f"<{numbers}>"

    def clear(self) -> None:
        for k in range(self.row.lanes):
            self.set(k, self.row.constant("0.0"))

    def get(self, i: Number) -> str:
        return self.row.get(self.f, self.place(i))

    def set(self, i: Number, value: str) -> None:
        self.row.put(self.f, value, self.place(i))

    def place(self, i: Number) -> str:
        return self.f.gep(self.base, i, self.row.type)

    def number(self, i: Number, j: Number) -> str:
        return self.one.get(self.f, self.f.gep(self.place(i), j, self.row.kind))

    def set_number(self, i: Number, j: Number, value: str) -> None:
        self.one.put(self.f, value, self.f.gep(self.place(i), j, self.row.kind))

    def is_behind(self, k: Number) -> str:
        """The columns behind k."""
        wide = f"<{self.row.lanes} x i64>"
        one = self.f.op(f"insertelement {wide} poison, i64 {k}, i64 0")
        same = self.f.op(f"shufflevector {wide} {one}, {wide} poison, <{self.row.lanes} x i32> zeroinitializer")
        return self.f.op(f"icmp sgt {wide} {self.columns}, {same}")


def cholesky_by_rows(work: Work, width: int) -> Run:
    """The upper factor in rows: row i of the lower one is its column i."""
    f, v, walk, n = work.f, work.lanes, work.walk, work.n
    row = Lanes(v.kind, width)
    m = Rows(work, row)

    def step(k: Number, state: list[str]) -> list[str]:
        pivot, below = m.number(k, k), work.after(k)
        failed = v.compare(f, "ole", pivot, "0.0")
        root = v.unary(f, "sqrt", pivot)
        upper = row.divide(f, m.get(k), row.splat(f, root))
        m.set(k, upper)
        m.set_number(k, k, root)

        def update(i: Number) -> None:
            left = row.splat(f, f.op(f"fneg {v.type} {m.number(k, i)}"))
            m.set(i, row.fma(f, left, upper, m.get(i)))

        walk.each(below, n, update)
        return [v.either(f, state[0], failed)]

    def run(at: dict[str, str]) -> str:
        a, out = work.stack(at, "a"), work.stack(at, "l")
        m.clear()
        walk.each(0, n, lambda i: walk.each(0, work.after(i), lambda j: m.set_number(j, i, a.get(i, j))))
        (failed,) = walk.fold(0, n, [("i1", "false")], step)
        with f.when(failed):
            walk.each(0, n, lambda k: m.set(k, row.constant(NAN)))
        zero = work.failing(failed, "0.0")

        def give(i: Number) -> None:
            walk.each(0, work.after(i), lambda j: out.set(i, j, m.number(j, i)))
            walk.each(work.after(i), n, lambda j: out.set(i, j, zero))

        walk.each(0, n, give)
        return failed

    return run


def lu_by_rows(work: Work, width: int) -> Run:
    f, v, walk, n = work.f, work.lanes, work.walk, work.n
    row = Lanes(v.kind, width)
    m = Rows(work, row)

    def step(k: Number, pivots: str) -> None:
        below = work.after(k)

        def larger(i: Number, best: list[str]) -> list[str]:
            size = v.unary(f, "fabs", m.number(i, k))
            is_larger = v.compare(f, "ogt", size, best[0])
            return [v.choose(f, is_larger, size, best[0]), f.choose(is_larger, i, best[1])]

        first = (v.type, v.unary(f, "fabs", m.number(k, k))), ("i64", str(k))
        pivot = walk.fold(below, n, first, larger)[1]
        f.do(f"store i32 {f.op(f'trunc i64 {pivot} to i32')}, ptr {f.gep(pivots, k, 'i32')}, align 4")
        upper, old = m.get(pivot), m.get(k)
        m.set(pivot, old)
        m.set(k, upper)
        value = m.number(k, k)
        is_zero, behind = v.compare(f, "oeq", value, "0.0"), m.is_behind(k)

        def eliminate(i: Number) -> None:
            number = m.number(i, k)
            factor = v.choose(f, is_zero, number, v.divide(f, number, value))
            left, before = row.splat(f, f.op(f"fneg {v.type} {factor}")), m.get(i)
            m.set(i, row.choose(f, behind, row.fma(f, left, upper, before), before))
            m.set_number(i, k, factor)

        walk.each(below, n, eliminate)

    def run(at: dict[str, str]) -> str:
        a, out = work.stack(at, "a"), work.stack(at, "lu")
        m.clear()
        walk.each(0, n, lambda i: walk.each(0, n, lambda j: m.set_number(i, j, a.get(i, j))))
        walk.each(0, n, lambda k: step(k, at["pivots"]))
        walk.each(0, n, lambda i: walk.each(0, n, lambda j: out.set(i, j, m.number(i, j))))
        return ""

    return run
