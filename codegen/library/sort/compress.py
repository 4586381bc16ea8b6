"""Compression of vectors: chosen lanes to the front, by an instruction or by a table of permutations.

When      eight lanes at most for tables.  AVX2 has no compressing instruction, and Zen 4's compressing store is slow.
"""

from __future__ import annotations

from tensordsl.codegen.library.sort.networks import Vectors

PERMUTATIONS = {64: ("llvm.x86.avx512.permvar.di.512", "<8 x i64>"), 32: ("llvm.x86.avx2.permd", "<8 x i32>")}
TABLE_LANES = 8  # lanes of a permutation, and bytes of its row in the table


def compression(bits: int, lanes: int) -> str:
    """The declaration of what compresses."""
    kind = f"<{lanes} x i{bits}>"
    return f"declare {kind} @llvm.experimental.vector.compress.v{lanes}i{bits}({kind}, <{lanes} x i1>, {kind})\n"


def compressed(v: Vectors, x: str, mask: str) -> str:
    """The lanes of the mask; what follows is anything."""
    given = f"{v.kind} {x}", f"<{v.lanes} x i1> {mask}", f"{v.kind} poison"
    return v.f.call(v.kind, f"@llvm.experimental.vector.compress.v{v.lanes}i{v.bits}", *given)


def permutation(vector_bytes: int) -> str:
    """The declaration of the instruction."""
    name, kind = PERMUTATIONS[vector_bytes]
    return f"declare {kind} @{name}({kind}, {kind})\n"


def orders(table: str, lanes: int) -> str:
    """For each set of lanes the order of a vector's parts, which are as many as a row has bytes."""
    parts, numbers = TABLE_LANES // lanes, []
    for bits in range(1 << lanes):
        order = sorted(range(lanes), key=lambda k: bits >> k & 1, reverse=True)
        row = bytes(parts * lane + part for lane in order for part in range(parts))
        numbers.append(f"i64 {int.from_bytes(row, 'little')}")
    return f"{table} = internal constant [{len(numbers)} x i64] [{', '.join(numbers)}], align 64\n"


def permuted(v: Vectors, table: str, x: str, lanes: str) -> str:
    """The lanes whose bits are set in an i64, then the others."""
    f, (name, kind) = v.f, PERMUTATIONS[v.size]
    order = f.op(f"load <{TABLE_LANES} x i8>, ptr {f.gep(table, lanes, 'i64')}, align 8")
    order = f.op(f"zext <{TABLE_LANES} x i8> {order} to {kind}")
    if kind == v.kind:
        return f.call(kind, f"@{name}", f"{kind} {x}", f"{kind} {order}")
    x = f.op(f"bitcast {v.kind} {x} to {kind}")
    return f.op(f"bitcast {kind} {f.call(kind, f'@{name}', f'{kind} {x}', f'{kind} {order}')} to {v.kind}")
