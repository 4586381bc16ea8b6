"""The cotangent of a small symmetric matrix from that of its Cholesky factor; of one matrix or of many in lanes.

Contract  `cholesky_vjp`: reserves registers or scratch, and returns a function that emits the cotangents of matrices at
          given addresses, in the lower triangle, whose elements off the diagonal count for both;
          `cholesky_vjp_by_rows`: of one matrix, by vectors.
Ref       S. P. Smith, "Differentiation of the Cholesky algorithm", 1995, whose loops these are, in another order.
"""

from __future__ import annotations

from tensordsl.codegen.library.linalg.small_factors import At, Run, Work
from tensordsl.codegen.library.linalg.small_rows import Rows
from tensordsl.codegen.library.linalg.small_values import CHUNK, Index, fma, less_product, plus


def cholesky_vjp(work: Work) -> Run:
    """By columns k of the result F, from the last one.  With S = F + F', which is symmetric,
    F[i, k] = (G[i, k] - sum over j > k of S[j, i] L[j, k]) / L[k, k] for i > k, and on the diagonal half of
    (G[k, k] - sum over j > k of L[j, k] F[j, k]) / L[k, k]."""
    k, n = work.k, work.n
    factor, s, last = work.scratch(), work.scratch(), work.n - 1

    def column(c: Index) -> None:
        below, pivot = plus(c, 1), factor[c, c]
        for i in work.over(below, n):
            total = k.variable(s[i, c])
            for step in work.over(0, last - c):
                j = last - step
                total.set(less_product(s[j, i], factor[j, c], total))
            value = total / pivot
            s[i, c] = value
            s[c, i] = value
        total = k.variable(s[c, c])
        for j in work.over(below, n):
            total.set(less_product(factor[j, c], s[j, c], total))
        s[c, c] = total / pivot

    def run(at: At) -> None:
        given, g, out = (work.stack(at, x) for x in "lgo")
        for of, to in ((given, factor), (g, s)):
            for i in work.over(0, n):
                for j in work.over(0, plus(i, 1)):
                    to[i, j] = of[i, j]
        for step in work.over(0, n):
            column(last - step)
        for i in work.over(0, n):
            for j in work.over(0, i):
                out[i, j] = s[i, j]
            out[i, i] = s[i, i] * 0.5
            for j in work.over(plus(i, 1), n):
                out[i, j] = k.number(0.0, work.lanes.type)

    return run


def cholesky_vjp_by_rows(work: Work, width: int) -> Run:
    """Row k of `s` is column k of G until it is that of S."""
    k, n, s = work.k, work.rows, Rows(work, width)
    last = n - 1

    def run(at: At) -> None:
        factor = work.stack(at, "l")
        s.take(at["g"], work.given["g_column"], work.given["g_row"])
        for group in reversed(range(width // CHUNK)):  # of columns, which need no chunks before their own
            end = s.end(group)
            with k.range(end, start=CHUNK * group) as step:
                c = end - 1 - (step - CHUNK * group)
                below, pivot, corner = c + 1, factor[c, c], s.number(c, c)
                totals = [k.variable(x) for x in s.get(c, group)]
                with k.range(last, start=c) as i:
                    j = last - (i - c)
                    left = k.splat(-factor[j, c], CHUNK)
                    for x, total in zip(s.get(j, group), totals, strict=True):
                        total.set(fma(left, x, total))
                divisor = k.splat(pivot, CHUNK)
                s.set(c, [total / divisor for total in totals], group)
                total = k.variable(corner)
                with k.range(n, start=below) as i:
                    value = s.number(c, i)
                    s.set_number(i, c, value)
                    total.set(less_product(factor[i, c], value, total))
                s.set_number(c, c, total / pivot)
        with k.range(n) as i:
            values = [k.select(~s.is_from(chunk, i), x, 0.0) for chunk, x in enumerate(s.get(i, 0))]
            half = s.number(i, i) * 0.5
            s.set(i, values, 0)
            s.set_number(i, i, half)
        s.give(at["o"], work.given["o_row"], work.given["o_column"])

    return run
