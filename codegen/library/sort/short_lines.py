"""Short lines of adjacent numbers, sorted in vector registers from where they stand to where they go.

Contract  `short{r}`: lines of at most r vectors; false: special numbers, and nothing is written.
When      masked loads and stores exist: AVX-512, and AVX2 for numbers of 4 and 8 bytes; others go through scratch.
"""

from __future__ import annotations

from tensordsl.codegen.library.sort.merge_sort import MAX_REGISTER_ELEMENTS
from tensordsl.codegen.library.sort.networks import sorted_block
from tensordsl.codegen.library.sort.text import Keys, Vectors
from tensordsl.codegen.llvm.builder import Asm

WIDEST_OF_AVX2 = {32: 16, 64: 64}  # numbers by their bits: longer lines of 4 bytes are as fast through scratch
PARAMS = ("ptr x", "ptr y", "i64 n", "i64 first", "i64 count")


def short_text(k: Keys) -> str:
    """`i1 @short{r}`: the wanted places of y from x, of at most r vectors; false if x has special numbers, and nothing
    is written then."""
    part, mask = f"<{k.lanes} x i{k.bits}>", f"<{k.lanes} x i1>"
    name = f"v{k.lanes}i{k.bits}.p0"
    text = f"declare {part} @llvm.masked.load.{name}(ptr, i32, {mask}, {part})\n"
    text += f"declare void @llvm.masked.store.{name}({part}, ptr, i32, {mask})\n"
    return text + "".join(_short(k, r, name) for r in sizes(k))


def sizes(k: Keys) -> list[int]:
    """How many registers are taken."""
    if not k.tuning.allows("short_lines_in_registers"):
        return []
    widest = {64: MAX_REGISTER_ELEMENTS, 32: WIDEST_OF_AVX2.get(k.bits, 0)}.get(k.vector_bytes, 0)
    return [r for r in (1, 2, 4, 8, 16) if r * k.lanes <= widest]


def _short(k: Keys, r: int, name: str) -> str:
    f, W = Asm("i1", f"short{r}", PARAMS, internal=True), k.lanes
    v, part, mask = Vectors(f, k.width, W), k.typed(k.bits, W), k.typed(1, W)

    def lanes_below(limit: str, at: int) -> str:
        """Which of the lanes of register `at` are places before the limit, one of 0 to 128."""
        places = ", ".join(f"i{k.width} {at * W + lane}" for lane in range(W))
        narrow = limit if k.width == 64 else f.op(f"trunc i64 {limit} to i{k.width}")
        return f.op(f"icmp ult {v.kind} <{places}>, {v.every(narrow)}")

    values, special = [], f.op(f"and {mask} zeroinitializer, zeroinitializer")
    for at in range(r):
        is_there, place = lanes_below("%n", at), f.gep("%x", at * W * k.size)
        given = f"ptr {place}", f"i32 {k.size}", f"{mask} {is_there}", f"{part} zeroinitializer"
        x = f.call(part, f"@llvm.masked.load.{name}", *given)
        if k.is_float:
            special = f.op(f"or {mask} {special}, {k.is_special(f, x, W)}")
        values.append(
            f.op(f"select {mask} {is_there}, {v.kind} {k.ordered(f, x, W)}, {v.kind} {k.const(k.greatest, W, k.width)}")
        )
    if k.is_float:
        with f.when(f.op(f"icmp ne i{W} {f.op(f'bitcast {mask} {special} to i{W}')}, 0")):
            f.ret("i1", "false")
    end = f.add("%first", "%count")
    for at, key in enumerate(sorted_block(v, values)):
        before = f.op(f"xor {mask} {lanes_below('%first', at)}, {k.const(-1, W, 1)}")
        is_wanted = f.op(f"and {mask} {before}, {lanes_below(end, at)}")
        x, place = k.number(f, key, W), f.gep("%y", at * W * k.size)
        f.do(f"call void @llvm.masked.store.{name}({part} {x}, ptr {place}, i32 {k.size}, {mask} {is_wanted})")
    f.ret("i1", "true")
    return f.text
