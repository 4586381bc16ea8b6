"""Histograms: one number added at positions of one byte is added as often as each position occurs.

Contract  `counted_*`: true, x is done; false: nothing is written.
When      there are 2,048 positions and more; integers, or floats that are whole and small, whose sums are exact in any
          order (others are added one by one: `arrays.scatter`).
Why       occurrences are counted in several tables, so that equal neighbours do not wait for each other's store.
"""

from __future__ import annotations

from tensordsl.codegen.kernel_ir.ir import Function
from tensordsl.codegen.kernel_ir.language import Kernel, Number, Pointer, kernel
from tensordsl.codegen.kernel_ir.types import Signature, Type, array, f32, f64, i1, i8, i32, i64, signature

VALUES, TABLES = 256, 8  # of a byte; that count in parallel
MAX_COUNT = 1 << 31  # that a count holds
EXACT = {f32: float(1 << 24), f64: float(1 << 53)}  # below it all whole numbers are there
COUNTS_PER_VECTOR = 16  # counts at once


@kernel(signature("count_bytes", tables=array(i32), positions=array(i8), count=i64))
def count_bytes(k: Kernel, tables: Pointer, positions: Pointer, count: Number) -> None:
    """Into table 0, how often each value occurs."""
    with k.range(TABLES * VALUES, step=COUNTS_PER_VECTOR) as i:
        tables[i : i + COUNTS_PER_VECTOR] = 0
    whole = count & -TABLES
    with k.range(whole, step=TABLES) as i:
        for t in range(TABLES):
            table, position = tables + VALUES * t, positions + i
            table[position[t].unsigned(i64)] += 1
    with k.range(count, start=whole) as i:
        tables[positions[i].unsigned(i64)] += 1
    with k.range(VALUES, step=COUNTS_PER_VECTOR) as i:
        total = k.number(0, i32.of(COUNTS_PER_VECTOR))
        for t in range(TABLES):
            total = total + (tables + i)[VALUES * t : VALUES * t + COUNTS_PER_VECTOR]
        tables[i : i + COUNTS_PER_VECTOR] = total


def counted_signature(name: str, element: Type) -> Signature:
    return signature(
        f"counted_{name}", i1, x=array(element), y=array(element), positions=array(i8), step=i64, count=i64
    )


def counted(name: str, element: Type) -> Function:
    @kernel(counted_signature(name, element))
    def function(k: Kernel, x: Pointer, y: Pointer, positions: Pointer, step: Number, count: Number) -> None:
        """Is it done?  If not, nothing is written."""
        tables, added = k.alloca(i32, TABLES * VALUES, align=64), y[0]
        if element in EXACT:
            with k.when(~_is_integer(k, added)):
                k.ret(False)
        k.call(count_bytes, tables, positions, count)
        if element in EXACT:
            all_exact = k.variable(True, i1)
            with k.range(VALUES) as value:
                often, place = tables[value], x.bytes(value * step)  # the place: only if the value occurs
                is_exact = _is_exact(k, k.select(often != 0, place, x)[0], added, often)
                all_exact &= is_exact | (often == 0)
            with k.when(~all_exact):
                k.ret(False)
        with k.range(VALUES) as value:
            often, place = tables[value], x.bytes(value * step)
            with k.when(often != 0):
                place[0] += _times(often, added)
        k.ret(True)

    return function


def _times(often: Number, y: Number) -> Number:
    """often * y"""
    if y.type.is_integer and y.type.bits < often.type.bits:
        return often.to(y.type) * y
    return often.unsigned(y.type) * y


def _is_exact(k: Kernel, x: Number, y: Number, often: Number) -> Number:
    """Of a whole y: is the element whole, and is every partial sum small enough to be exact?"""
    added = _times(often, y)
    largest = k.emit("fabs", x) + k.emit("fabs", added)
    return (largest < EXACT[y.type]) & _is_integer(k, x)


def _is_integer(k: Kernel, v: Number) -> Number:
    return k.emit("ftrunc", v) == v
