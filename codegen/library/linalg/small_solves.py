"""Systems with small factors: triangular ones, and by LU factors; of one matrix or of many in lanes.

Contract  `triangular`, `lu_solve`: reserve registers or scratch, and return a function that emits the solutions of the
          systems at given addresses, NaN where the diagonal has a zero, and returns the mask of those.
Ref       Golub, Van Loan, Matrix Computations, 3.1 and 3.4, by columns; LAPACK's trtrs and getrs.
"""

from __future__ import annotations

from collections.abc import Callable

from tensordsl.codegen.library.linalg.small_factors import Run, Work, is_row
from tensordsl.codegen.library.linalg.small_values import Lanes, Matrix, Number, Registers, Strided


class Shared:
    """One matrix for all lanes."""

    def __init__(self, work: Work, at: str, name: str) -> None:
        self.f, self.lanes = work.f, work.lanes
        one = Lanes(work.lanes.kind, 1)
        self.one = Strided(work.walk, one, at, f"%{name}_row", f"%{name}_column", f"%{name}_step")

    def get(self, i: Number, j: Number) -> str:
        return self.lanes.splat(self.f, self.one.get(i, j))

    def set(self, i: Number, j: Number, value: str) -> None:
        raise NotImplementedError


def triangular(work: Work, is_shared: bool = False) -> Run:
    """By a lower factor: an upper one is that with its axes reversed, a transposed one has its strides exchanged."""
    x, scratch = _Solution(work), _scratch(work, is_shared)

    def run(at: dict[str, str]) -> str:
        f, v, walk = work.f, work.lanes, work.walk
        a, one = _factor(work, at, "a", is_shared), v.constant("1.0")

        def diagonal(i: Number) -> str:
            return f.op(f"select i1 %unit, {v.type} {one}, {v.type} {a.get(i, i)}")

        if scratch is not None:
            walk.each(0, work.n, lambda i: walk.each(0, i, lambda j: scratch.set(i, j, a.get(i, j))))
            walk.each(0, work.n, lambda i: scratch.set(i, i, diagonal(i)))
        values = a if scratch is None else scratch
        pivot = diagonal if scratch is None else lambda i: scratch.get(i, i)
        failed = _zeros(work, pivot)

        def column(c: Number) -> None:
            x.load(at, c)
            x.substitute(lambda i: i, values.get, pivot)
            x.store(at, c, failed)

        walk.each(0, "%k", column)
        return failed

    return run


def lu_solve(work: Work, is_shared: bool = False, is_transposed: bool = False) -> Run:
    x, scratch = _Solution(work), _scratch(work, is_shared)

    def run(at: dict[str, str]) -> str:
        walk, n = work.walk, work.n
        factors = _factor(work, at, "lu", is_shared)
        if scratch is not None:
            walk.each(0, n, lambda i: walk.each(0, n, lambda j: scratch.set(i, j, factors.get(i, j))))
            factors = scratch
        failed = _zeros(work, lambda i: factors.get(i, i))
        failed = work.lanes.either(work.f, failed, x.bad_pivots(at, is_shared))

        def reverse(i: Number) -> Number:
            return walk.minus(walk.minus(n, 1), i)

        def pivot(i: Number) -> str:
            return factors.get(i, i)

        def column(c: Number) -> None:
            x.load(at, c)
            if is_transposed:
                x.substitute(lambda i: i, lambda i, j: factors.get(j, i), pivot)
                x.substitute(reverse, lambda i, j: factors.get(j, i), None)
                walk.each(0, n, lambda i: x.exchange(at, reverse(i), is_shared))
            else:
                walk.each(0, n, lambda i: x.exchange(at, i, is_shared))
                x.substitute(lambda i: i, factors.get, None)
                x.substitute(reverse, factors.get, pivot)
            x.store(at, c, failed)

        walk.each(0, "%k", column)
        return failed

    return run


def _scratch(work: Work, is_shared: bool) -> Matrix | None:
    """For the factor, whose numbers several columns read; one of them or of one matrix reads it where it is."""
    return None if is_shared or (work.lanes.lanes == 1 and isinstance(work.n, str)) else work.scratch()


def _factor(work: Work, at: dict[str, str], name: str, is_shared: bool) -> Matrix:
    return Shared(work, at[name], name) if is_shared else work.stack(at, name)


def _zeros(work: Work, diagonal: Callable[[Number], str]) -> str:
    """Where a number of the diagonal is zero."""
    f, v = work.f, work.lanes

    def is_zero(i: Number, state: list[str]) -> list[str]:
        return [v.either(f, state[0], v.compare(f, "oeq", diagonal(i), v.constant("0.0")))]

    return work.walk.fold(0, work.n, [(v.mask, v.each_lane("i1", "false"))], is_zero)[0]


class _Solution:
    """A column of all systems."""

    def __init__(self, work: Work) -> None:
        self.work, self.x = work, work.scratch(1)

    def load(self, at: dict[str, str], c: Number) -> None:
        b = self.work.stack(at, "b")
        self.work.walk.each(0, self.work.n, lambda i: self.x.set(i, 0, b.get(i, c)))

    def store(self, at: dict[str, str], c: Number, failed: str) -> None:
        out, work = self.work.stack(at, "x"), self.work
        work.walk.each(0, work.n, lambda i: out.set(i, c, work.failing(failed, self.x.get(i, 0))))

    def substitute(
        self, order: Callable[[Number], Number], factor: Callable[[Number, Number], str],
        pivot: Callable[[Number], str] | None,
    ) -> None:  # fmt: skip
        """Solve for the unknowns in an order; a pivot of None is one."""
        f, v, walk, x = self.work.f, self.work.lanes, self.work.walk, self.x

        def unknown(k: Number) -> None:
            j = order(k)
            if pivot is not None:
                x.set(j, 0, v.divide(f, x.get(j, 0), pivot(j)))
            known = f.op(f"fneg {v.type} {x.get(j, 0)}")

            def subtract(m: Number) -> None:
                i = order(m)
                x.set(i, 0, v.fma(f, factor(i, j), known, x.get(i, 0)))

            walk.each(walk.plus(k, 1), self.work.n, subtract)

        walk.each(0, self.work.n, unknown)

    def exchange(self, at: dict[str, str], k: Number, is_shared: bool) -> None:
        """x[k] and x[pivots[k]]; a pivot that is no row exchanges nothing."""
        f, v, walk, x, n = self.work.f, self.work.lanes, self.work.walk, self.x, self.work.n
        if isinstance(x, Registers) or not (is_shared or v.lanes == 1):
            pivot, old = v.load_place(f, f.gep(at["pivots"], k, "i32"), "%p_step"), x.get(k, 0)

            def row(i: Number, state: list[str]) -> list[str]:
                value, is_pivot = x.get(i, 0), is_row(f, v, pivot, i)
                x.set(i, 0, v.choose(f, is_pivot, old, value))
                return [v.choose(f, is_pivot, value, state[0])]

            x.set(k, 0, walk.fold(walk.plus(k, 1), n, [(v.type, old)], row)[0])
            return
        given = self.shared_pivot(at, k)
        row_of = f.choose(f.compare("ult", "i64", given, n), given, k)
        mine, other = x.get(k, 0), x.get(row_of, 0)
        x.set(row_of, 0, mine)
        x.set(k, 0, other)

    def shared_pivot(self, at: dict[str, str], k: Number) -> str:
        """Of all lanes one."""
        f = self.work.f
        return f.op(f"sext i32 {f.load('i32', f.gep(at['pivots'], k, 'i32'))} to i64")

    def bad_pivots(self, at: dict[str, str], is_shared: bool) -> str:
        """Where a pivot is no row."""
        f, v, n = self.work.f, self.work.lanes, self.work.n

        def is_bad(k: Number, state: list[str]) -> list[str]:
            if is_shared:
                one = f.compare("uge", "i64", self.shared_pivot(at, k), n)
                return [v.either(f, state[0], v.splat(f, one, "i1"))]
            pivots = v.load_place(f, f.gep(at["pivots"], k, "i32"), "%p_step")
            return [v.either(f, state[0], f.op(f"icmp uge {v.integer} {pivots}, {v.places(f, n)}"))]

        return self.work.walk.fold(0, n, [(v.mask, v.each_lane("i1", "false"))], is_bad)[0]
