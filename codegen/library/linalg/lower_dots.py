"""One right-hand side of a lower triangle in C order, by dot products of its rows: `lower_by_dots_<type>`.

Contract  the parameters of a small triangular system; rows of A have adjacent elements, as X has.
When      more rows than small matrices have, and not so many that memory decides.
Why       eight rows at once read the known elements of X once, and their eight sums do not wait for each other.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any

from tensordsl.codegen.kernel_ir.ir import Function
from tensordsl.codegen.kernel_ir.language import Kernel, Number, Pointer, kernel
from tensordsl.codegen.kernel_ir.types import Kind, i1, i64, signature
from tensordsl.codegen.library.linalg.fortran import NAN, Element
from tensordsl.codegen.library.linalg.small_values import CHUNK, fma, less_product

ROWS = CHUNK  # at once


def fits_dots(k: Kernel, run: Any, size: int, most: int) -> Number:
    """Is the system of a run one of these?"""
    is_adjacent = (run.a.column == size) & (run.x.row == size)
    return run.lower & is_adjacent & (run.k == 1) & (run.n <= most)  # type: ignore[no-any-return]  # of any type


def dots_function(of: Element, parameters: Mapping[str, Kind]) -> Function:
    @kernel(signature(f"lower_by_dots_{of.kind}", i64, parameters))
    def lower_by_dots(k: Kernel, *values: Any) -> None:
        given = SimpleNamespace(**dict(zip(parameters, values, strict=True)))
        first, places = k.variable(-1, i64), [k.variable(x.of(of.part)) for x in (given.a, given.b, given.x)]
        with k.range(given.count) as number:
            before, (a, b, x) = first.value, [place.value for place in places]
            failed = _copied(k, given, a, b, x)
            _solve(k, given, a, x)
            with k.when(failed), k.range(given.n) as i:
                x[i] = NAN
            first.set(k.select(failed & (before < 0), number, before))
            for place, here, step in zip(places, (a, b, x), (given.a_step, given.b_step, given.x_step), strict=True):
                place.set(here.bytes(step))
        k.ret(first)

    return lower_by_dots


def _copied(k: Kernel, given: Any, a: Pointer, b: Pointer, x: Pointer) -> Number:
    """x = b; is there a zero on the diagonal?"""
    failed = k.variable(False, i1)
    with k.range(given.n) as i:
        x[i] = b.bytes(i * given.b_row)[0]
        failed |= _pivot(k, given, a.bytes(i * given.a_row), i) == 0.0
    return failed.value


def _solve(k: Kernel, given: Any, a: Pointer, x: Pointer) -> None:
    blocks, t = given.n & -ROWS, a.element.element
    with k.range(blocks, step=ROWS) as i:
        rows = [a.bytes((i + r) * given.a_row) for r in range(ROWS)]
        totals = [k.variable(0.0, t.of(ROWS)) for _ in rows]
        with k.range(i, step=ROWS) as j:
            known = (x + j)[0:ROWS]
            for row, total in zip(rows, totals, strict=True):
                total.set(fma((row + j)[0:ROWS], known, total))
        found: list[Number] = []
        for r, total in enumerate(totals):
            sum_of_products = k.emit("reduce", total, by="fadd")
            place, line = x + (i + r), rows[r] + i
            value = place[0] - sum_of_products
            for c, earlier in enumerate(found):
                value = less_product(line[c], earlier, value)
            found.append(value / _pivot(k, given, line, r))
            place[0] = found[-1]
    with k.range(given.n, start=blocks) as i:
        line, place = a.bytes(i * given.a_row), x + i
        value = k.variable(place[0])
        with k.range(i) as j:
            value.set(less_product(line[j], x[j], value))
        place[0] = value / _pivot(k, given, line, i)


def _pivot(k: Kernel, given: Any, line: Pointer, i: Number | int) -> Number:
    """On the diagonal; one, where it is that."""
    return k.select(given.unit, 1.0, line[i])
