"""Sorting networks over adjacent short lines: a vector of lines is sorted at once, a lane a line.

Contract  `columns{size}`: the wanted places of as many adjacent lines as a vector has lanes; false: special numbers.
When      lines of at most 32 numbers are adjacent in memory, as the pixels of a few images do.
Why       element r of each line is in register r, so every exchange is one minimum and one maximum.
"""

from __future__ import annotations

from tensordsl.codegen.library.sort.networks import exchanges
from tensordsl.codegen.library.sort.text import Keys, Vectors
from tensordsl.codegen.llvm.builder import Asm

SIZES = (4, 8, 16, 32)  # numbers of a line that are sorted so, at most
PARAMS = ("ptr x", "ptr y", "i64 n", "i64 x_step", "i64 y_step", "i64 first", "i64 count")


def columns_text(k: Keys) -> str:
    """`i1 @columns{size}`: the wanted places of as many adjacent lines as a vector has lanes, each of up to `size`
    numbers; false if there are special numbers, and nothing is written then."""
    return "".join(_columns(k, size) for size in SIZES)


def _columns(k: Keys, size: int) -> str:
    f, W = Asm("i1", f"columns{size}", PARAMS, internal=True), k.lanes
    v, mask, last = Vectors(f, k.width, W), k.typed(1, W), f.sub("%n", 1)
    values, special = [], "zeroinitializer"
    for r in range(size):
        is_there = f.gt("%n", r)
        row = f.choose(is_there, r, last)
        x = k.loaded(f, f.gep("%x", f.mul(row, "%x_step")), W)
        if k.is_float:
            special = f.op(f"or {mask} {k.is_special(f, x, W)}, {special}")
        values.append(
            f.op(f"select i1 {is_there}, {v.kind} {k.ordered(f, x, W)}, {v.kind} {k.const(k.greatest, W, k.width)}")
        )
    if k.is_float:
        with f.when(f.op(f"icmp ne i{W} {f.op(f'bitcast {mask} {special} to i{W}')}, 0")):
            f.ret("i1", "false")
    for low, high in exchanges(size):
        values[low], values[high] = v.extremes(values[low], values[high])
    end = f.add("%first", "%count")
    for r, key in enumerate(values):
        with f.when(f.all(f.le("%first", r), f.gt(end, r))):
            place = f.gep("%y", f.mul("%y_step", r))
            f.do(f"store {k.typed(k.bits, W)} {k.number(f, key, W)}, ptr {place}, align {k.size}")
    f.ret("i1", "true")
    return f.text
