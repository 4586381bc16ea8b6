"""Systems with small factors: triangular ones, and by LU factors; of one matrix or of many in lanes.

Contract  `triangular`, `lu_solve`: reserve registers or scratch, and return a function that emits the solutions of the
          systems at given addresses, NaN where the diagonal has a zero, and returns the mask of those.
Ref       Golub, Van Loan, Matrix Computations, 3.1 and 3.4, by columns; LAPACK's trtrs and getrs.
"""

from __future__ import annotations

from collections.abc import Callable

from tensordsl.codegen.kernel_ir.language import Number, Pointer
from tensordsl.codegen.kernel_ir.types import i32, i64
from tensordsl.codegen.library.linalg.small_factors import At, Run, Work
from tensordsl.codegen.library.linalg.small_values import Index, Lanes, Matrix, Registers, Strided, fma, plus


class Shared:
    """One matrix for all lanes."""

    def __init__(self, work: Work, at: At, name: str) -> None:
        self.k, self.lanes, given = work.k, work.lanes.lanes, work.given
        one = Lanes(work.k, work.lanes.number, 1)
        self.one = Strided(one, at[name], given[f"{name}_row"], given[f"{name}_column"], given[f"{name}_step"])

    def __getitem__(self, place: tuple[Index, Index]) -> Number:
        return self.k.splat(self.one[place], self.lanes)

    def __setitem__(self, place: tuple[Index, Index], value: Number) -> None:
        raise NotImplementedError


def triangular(work: Work, is_shared: bool = False) -> Run:
    """By a lower factor: an upper one is that with its axes reversed, a transposed one has its strides exchanged."""
    x, scratch = _Solution(work), _scratch(work, is_shared)

    def run(at: At) -> Number:
        a = _factor(work, at, "a", is_shared)

        def diagonal(i: Index) -> Number:
            return work.k.select(work.given["unit"], 1.0, a[i, i])

        if scratch is not None:
            for i in work.over(0, work.n):
                for j in work.over(0, i):
                    scratch[i, j] = a[i, j]
            for i in work.over(0, work.n):
                scratch[i, i] = diagonal(i)
        values = a if scratch is None else scratch
        pivot = diagonal if scratch is None else lambda i: scratch[i, i]
        failed = _zeros(work, pivot)
        for c in work.over(0, work.given["k"]):
            x.load(at, c)
            x.substitute(lambda i: i, lambda i, j: values[i, j], pivot)
            x.store(at, c, failed)
        return failed

    return run


def lu_solve(work: Work, is_shared: bool = False, is_transposed: bool = False) -> Run:
    x, scratch = _Solution(work), _scratch(work, is_shared)

    def run(at: At) -> Number:
        n, factors = work.n, _factor(work, at, "lu", is_shared)
        if scratch is not None:
            for i in work.over(0, n):
                for j in work.over(0, n):
                    scratch[i, j] = factors[i, j]
            factors = scratch
        failed = _zeros(work, lambda i: factors[i, i])
        failed = failed | x.bad_pivots(at, is_shared)

        def reverse(i: Index) -> Index:
            return n - 1 - i

        for c in work.over(0, work.given["k"]):
            x.load(at, c)
            if is_transposed:
                x.substitute(lambda i: i, lambda i, j: factors[j, i], lambda i: factors[i, i])
                x.substitute(reverse, lambda i, j: factors[j, i], None)
                for i in work.over(0, n):
                    x.exchange(at, reverse(i), is_shared)
            else:
                for i in work.over(0, n):
                    x.exchange(at, i, is_shared)
                x.substitute(lambda i: i, lambda i, j: factors[i, j], None)
                x.substitute(reverse, lambda i, j: factors[i, j], lambda i: factors[i, i])
            x.store(at, c, failed)
        return failed

    return run


def _scratch(work: Work, is_shared: bool) -> Matrix | None:
    """For the factor, whose numbers several columns read; one of them or of one matrix reads it where it is."""
    return None if is_shared or (work.lanes.lanes == 1 and isinstance(work.n, Number)) else work.scratch()


def _factor(work: Work, at: At, name: str, is_shared: bool) -> Matrix:
    return Shared(work, at, name) if is_shared else work.stack(at, name)


def _zeros(work: Work, diagonal: Callable[[Index], Number]) -> Number:
    """Where a number of the diagonal is zero."""
    found = work.k.variable(work.lanes.none)
    for i in work.over(0, work.n):
        found |= diagonal(i) == 0.0
    return found.value


class _Solution:
    """A column of all systems."""

    def __init__(self, work: Work) -> None:
        self.work, self.x = work, work.scratch(1)

    def load(self, at: At, c: Index) -> None:
        b = self.work.stack(at, "b")
        for i in self.work.over(0, self.work.n):
            self.x[i, 0] = b[i, c]

    def store(self, at: At, c: Index, failed: Number) -> None:
        out, work = self.work.stack(at, "x"), self.work
        for i in work.over(0, work.n):
            out[i, c] = work.failing(failed, self.x[i, 0])

    def substitute(
        self, order: Callable[[Index], Index], factor: Callable[[Index, Index], Number],
        pivot: Callable[[Index], Number] | None,
    ) -> None:  # fmt: skip
        """Solve for the unknowns in an order; a pivot of None is one."""
        work, x = self.work, self.x
        for step in work.over(0, work.n):
            j = order(step)
            if pivot is not None:
                x[j, 0] = x[j, 0] / pivot(j)
            known = -x[j, 0]
            for following in work.over(plus(step, 1), work.n):
                i = order(following)
                x[i, 0] = fma(factor(i, j), known, x[i, 0])

    def exchange(self, at: At, c: Index, is_shared: bool) -> None:
        """x[c] and x[pivots[c]]; a pivot that is no row exchanges nothing."""
        work, v, x, k = self.work, self.work.lanes, self.x, self.work.k
        if isinstance(x, Registers) or not (is_shared or v.lanes == 1):
            pivot, old = self.pivots(at, c), x[c, 0]
            chosen = k.variable(old)
            for i in work.over(plus(c, 1), work.n):
                value, is_pivot = x[i, 0], pivot == v.places(i)
                x[i, 0] = k.select(is_pivot, old, value)
                chosen.set(k.select(is_pivot, value, chosen))
            x[c, 0] = chosen.value
            return
        given = self.shared_pivot(at, c)
        row = k.select(k.unsigned("ult", given, work.n), given, k.number(c, i64))
        mine, other = x[c, 0], x[row, 0]
        x[row, 0] = mine
        x[c, 0] = other

    def pivot_address(self, at: At, c: Index) -> Pointer:
        return at["pivots"].of(i32) + c

    def pivots(self, at: At, c: Index) -> Number:
        """Of each lane."""
        return self.work.lanes.load_place(self.pivot_address(at, c), self.work.given["p_step"])

    def shared_pivot(self, at: At, c: Index) -> Number:
        """Of all lanes one."""
        return self.pivot_address(at, c)[0].to(i64)  # type: ignore[no-any-return]  # of any type

    def bad_pivots(self, at: At, is_shared: bool) -> Number:
        """Where a pivot is no row."""
        work, k, v = self.work, self.work.k, self.work.lanes
        found = k.variable(v.none)
        for c in work.over(0, work.n):
            if is_shared:
                found |= k.splat(k.unsigned("uge", self.shared_pivot(at, c), work.n), v.lanes)
            else:
                found |= k.unsigned("uge", self.pivots(at, c), v.places(work.n))
        return found.value
