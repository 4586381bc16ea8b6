"""Compression of vectors: chosen lanes to the front, by an instruction or by a table of permutations.

When      eight lanes at most for tables.  AVX2 has no compressing instruction, and Zen 4's compressing store is slow.
"""

from __future__ import annotations

from tensordsl.codegen.kernel_ir.ir import Table
from tensordsl.codegen.kernel_ir.language import Number
from tensordsl.codegen.kernel_ir.types import Type, i8, i32, i64

PERMUTED = {64: i64.of(8), 32: i32.of(8)}  # by the bytes of a vector
TABLE_LANES = 8  # lanes of a permutation, and bytes of its row in the table


def orders(name: str, lanes: int) -> Table:
    """For each set of lanes the order of a vector's parts, which are as many as a row has bytes."""
    parts, rows = TABLE_LANES // lanes, []
    for bits in range(1 << lanes):
        order = sorted(range(lanes), key=lambda k: bits >> k & 1, reverse=True)
        rows.append(tuple(parts * lane + part for lane in order for part in range(parts)))
    return Table(name, i8.of(TABLE_LANES), tuple(rows))


def permuted(x: Number, table: Table, lanes: Number) -> Number:
    """The lanes whose bits are set in an i64, then the others."""
    k, own = x.k, x.type
    t: Type = PERMUTED[own.bytes]
    order = k.table(table)[lanes].unsigned(t.scalar)
    return k.emit("permute", x.bits(t), order).bits(own)
