"""One right-hand side of a lower triangle in C order, by dot products of its rows: `lower_by_dots_<type>`.

Contract  the parameters of a small triangular system; rows of A have adjacent elements, as X has.
When      more rows than small matrices have, and not so many that memory decides.
Why       eight rows at once read the known elements of X once, and their eight sums do not wait for each other.
"""

from __future__ import annotations

from collections.abc import Sequence

from tensordsl.codegen.library.linalg.small_values import NAN, Lanes
from tensordsl.codegen.llvm.builder import Asm

ROWS = Lanes.CHUNK  # at once


def fits_dots(f: Asm, size: int, most: int) -> str:
    """i1: is the system of a run one of these?"""
    adjacent = f.all(f.eq("%a_column", size), f.eq("%x_row", size))
    return f.all("%lower", adjacent, f.eq("%k", 1), f.le("%n", most))


def dots_text(kind: str, params: Sequence[str]) -> str:
    one, row = Lanes(kind, 1), Lanes(kind, ROWS)
    f = Asm("i64", f"lower_by_dots_{kind}", params, internal=True)
    blocks = f.and_("%n", -ROWS)
    with f.loop("%count", ("i64", "-1"), *(("ptr", f"%{x}") for x in "abx")) as loop:
        first, a, b, x = loop.values
        with f.loop("%n", ("i1", "false")) as i:
            value = one.load(f, f.gep(b, f.mul(i.index, "%b_row")), "")
            one.put(f, value, f.gep(x, i.index, kind))
            pivot = _pivot(f, one, f.gep(a, f.mul(i.index, "%a_row")), i.index)
            i.next = [f.any(i.values[0], one.compare(f, "oeq", pivot, "0.0"))]
        failed = i.values[0]
        with f.loop(blocks, step=ROWS) as i:
            rows = [f.gep(a, f.mul(f.add(i.index, r), "%a_row")) for r in range(ROWS)]
            with f.loop(i.index, *[(row.type, "zeroinitializer")] * ROWS, step=ROWS) as j:
                known = _numbers(f, row, f.gep(x, j.index, kind))
                j.next = [
                    row.fma(f, _numbers(f, row, f.gep(place, j.index, kind)), known, total)
                    for place, total in zip(rows, j.values, strict=True)
                ]
            found: list[str] = []
            for r, total in enumerate(j.values):
                operands = f"{kind} 0.0, {row.type} {total}"
                total = f.op(f"call reassoc {kind} @llvm.vector.reduce.fadd.{row.mangled}({operands})")
                place, line = f.gep(x, f.add(i.index, r), kind), f.gep(rows[r], i.index, kind)
                value = f.op(f"fsub {kind} {one.get(f, place)}, {total}")
                for c, earlier in enumerate(found):
                    value = one.less_product(f, one.get(f, f.gep(line, c, kind)), earlier, value)
                found.append(one.divide(f, value, _pivot(f, one, line, str(r))))
                one.put(f, found[-1], place)
        with f.loop("%n", start=blocks) as i:
            line, place = f.gep(a, f.mul(i.index, "%a_row")), f.gep(x, i.index, kind)
            with f.loop(i.index, (kind, one.get(f, place))) as j:
                number, known = (one.get(f, f.gep(p, j.index, kind)) for p in (line, x))
                j.next = [one.less_product(f, number, known, j.values[0])]
            one.put(f, one.divide(f, j.values[0], _pivot(f, one, line, i.index)), place)
        with f.when(failed), f.loop("%n") as i:
            one.put(f, NAN, f.gep(x, i.index, kind))
        is_first = f.all(failed, f.lt(first, 0))
        following = [f.gep(place, f"%{name}_step") for place, name in ((a, "a"), (b, "b"), (x, "x"))]
        loop.next = [f.choose(is_first, loop.index, first), *following]
    f.ret("i64", loop.values[0])
    return f.text


def declarations(kind: str) -> list[str]:
    row = Lanes(kind, ROWS)
    return [f"declare {kind} @llvm.vector.reduce.fadd.{row.mangled}({kind}, {row.type})\n"]


def _pivot(f: Asm, one: Lanes, line: str, i: str) -> str:
    """On the diagonal; one, where it is that."""
    value = one.get(f, f.gep(line, i, one.kind))
    return f.op(f"select i1 %unit, {one.kind} 1.0, {one.kind} {value}")


def _numbers(f: Asm, row: Lanes, place: str) -> str:
    return f.op(f"load {row.type}, ptr {place}, align {row.item}")
