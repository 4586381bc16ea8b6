"""The cotangent of a small symmetric matrix from that of its Cholesky factor; of one matrix or of many in lanes.

Contract  `cholesky_vjp`: reserves registers or scratch, and returns a function that emits the cotangents of matrices at
          given addresses, in the lower triangle, whose elements off the diagonal count for both;
          `cholesky_vjp_by_rows`: of one matrix, by vectors.
Ref       S. P. Smith, "Differentiation of the Cholesky algorithm", 1995, whose loops these are, in another order.
"""

from __future__ import annotations

from tensordsl.codegen.library.linalg.small_factors import Run, Work
from tensordsl.codegen.library.linalg.small_rows import CHUNK, Rows
from tensordsl.codegen.library.linalg.small_values import Number


def cholesky_vjp(work: Work) -> Run:
    """By columns k of the result F, from the last one.  With S = F + F', which is symmetric,
    F[i, k] = (G[i, k] - sum over j > k of S[j, i] L[j, k]) / L[k, k] for i > k, and on the diagonal half of
    (G[k, k] - sum over j > k of L[j, k] F[j, k]) / L[k, k]."""
    f, v, walk, n = work.f, work.lanes, work.walk, work.n
    factor, s, last = work.scratch(), work.scratch(), walk.minus(n, 1)

    def column(k: Number) -> None:
        below, pivot = work.after(k), factor.get(k, k)

        def row(i: Number) -> None:
            def subtract(t: Number, state: list[str]) -> list[str]:
                j = walk.minus(last, t)
                return [v.less_product(f, s.get(j, i), factor.get(j, k), state[0])]

            (total,) = walk.fold(0, walk.minus(last, k), [(v.type, s.get(i, k))], subtract)
            value = v.divide(f, total, pivot)
            s.set(i, k, value)
            s.set(k, i, value)

        def add(j: Number, state: list[str]) -> list[str]:
            return [v.less_product(f, factor.get(j, k), s.get(j, k), state[0])]

        walk.each(below, n, row)
        (total,) = walk.fold(below, n, [(v.type, s.get(k, k))], add)
        s.set(k, k, v.divide(f, total, pivot))

    def run(at: dict[str, str]) -> str:
        given, g, out = (work.stack(at, x) for x in "lgo")
        walk.each(0, n, lambda i: walk.each(0, work.after(i), lambda j: factor.set(i, j, given.get(i, j))))
        walk.each(0, n, lambda i: walk.each(0, work.after(i), lambda j: s.set(i, j, g.get(i, j))))
        walk.each(0, n, lambda t: column(walk.minus(last, t)))

        def give(i: Number) -> None:
            walk.each(0, i, lambda j: out.set(i, j, s.get(i, j)))
            out.set(i, i, f.op(f"fmul {v.type} {s.get(i, i)}, {v.constant('0.5')}"))
            walk.each(work.after(i), n, lambda j: out.set(i, j, v.constant("0.0")))

        walk.each(0, n, give)
        return ""

    return run


def cholesky_vjp_by_rows(work: Work, width: int) -> Run:
    """Row k of `s` is column k of G until it is that of S."""
    f, v, n = work.f, work.lanes, str(work.n)
    s = Rows(work, width)
    last = f.sub(n, 1)

    def run(at: dict[str, str]) -> str:
        factor = work.stack(at, "l")
        s.take(at["g"], "%g_column", "%g_row")
        for group in reversed(range(width // CHUNK)):  # of columns, which need no chunks before their own
            end = f.choose(f.lt(n, CHUNK * (group + 1)), n, CHUNK * (group + 1))
            with f.loop(end, start=CHUNK * group) as columns:
                k = f.sub(f.sub(end, 1), f.sub(columns.index, CHUNK * group))
                below, pivot, corner = f.add(k, 1), factor.get(k, k), s.number(k, k)
                carried = [(s.chunk.type, x) for x in s.get(k, group)]
                with f.loop(last, *carried, start=k) as rows:
                    j = f.sub(last, f.sub(rows.index, k))
                    left = s.chunk.splat(f, f.op(f"fneg {v.type} {factor.get(j, k)}"))
                    found = zip(s.get(j, group), rows.values, strict=True)
                    rows.next = [s.chunk.fma(f, left, x, total) for x, total in found]
                divisor = s.chunk.splat(f, pivot)
                s.set(k, [s.chunk.divide(f, x, divisor) for x in rows.values], group)
                with f.loop(n, (v.type, corner), start=below) as rows:
                    value = s.number(k, rows.index)
                    s.set_number(rows.index, k, value)
                    rows.next = [v.less_product(f, factor.get(rows.index, k), value, rows.values[0])]
                s.set_number(k, k, v.divide(f, rows.values[0], pivot))
        with f.loop(n) as rows:
            i = rows.index
            zero = s.chunk.constant("0.0")
            values = []
            for c, x in enumerate(s.get(i, 0)):
                is_before = f.op(f"xor {s.chunk.mask} {s.is_from(c, i)}, {s.chunk.each_lane('i1', 'true')}")
                values.append(s.chunk.choose(f, is_before, x, zero))
            half = f.op(f"fmul {v.type} {s.number(i, i)}, 0.5")
            s.set(i, values, 0)
            s.set_number(i, i, half)
        s.give(at["o"], "%o_row", "%o_column")
        return ""

    return run
