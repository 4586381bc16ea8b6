"""LLVM text of vectors in a chosen order: some of their lanes, then the others, by a table of all sets of lanes.

Only of eight lanes at most.  AVX2 has no instruction that compresses lanes, and Zen 4 none that stores them so in less
time.
"""

from __future__ import annotations

from tensordsl.codegen.sort_block import Vectors

PERMUTATIONS = {64: ("llvm.x86.avx512.permvar.di.512", "<8 x i64>"), 32: ("llvm.x86.avx2.permd", "<8 x i32>")}
ROW = 8  # lanes of a permutation, and bytes of its row in the table


def permutation(vector_bytes: int) -> str:
    """The declaration of the instruction."""
    name, kind = PERMUTATIONS[vector_bytes]
    return f"declare {kind} @{name}({kind}, {kind})\n"


def orders(table: str, lanes: int) -> str:
    """For each set of lanes the order of a vector's parts, which are as many as a row has bytes."""
    parts, numbers = ROW // lanes, []
    for bits in range(1 << lanes):
        order = sorted(range(lanes), key=lambda k: bits >> k & 1, reverse=True)
        row = bytes(parts * lane + part for lane in order for part in range(parts))
        numbers.append(f"i64 {int.from_bytes(row, 'little')}")
    return f"{table} = internal constant [{len(numbers)} x i64] [{', '.join(numbers)}], align 64\n"


def permuted(v: Vectors, table: str, x: str, lanes: str) -> str:
    """The lanes whose bits are set in an i64, then the others."""
    f, (name, kind) = v.f, PERMUTATIONS[v.size]
    order = f.op(f"load <{ROW} x i8>, ptr {f.gep(table, lanes, 'i64')}, align 8")
    order = f.op(f"zext <{ROW} x i8> {order} to {kind}")
    if kind == v.kind:
        return f.call(kind, f"@{name}", f"{kind} {x}", f"{kind} {order}")
    x = f.op(f"bitcast {v.kind} {x} to {kind}")
    return f.op(f"bitcast {kind} {f.call(kind, f'@{name}', f'{kind} {x}', f'{kind} {order}')} to {v.kind}")
