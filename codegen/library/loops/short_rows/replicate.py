"""Replicates per-row values along the elements of collapsed short rows.

Contract  `replicate_row_values`: each row's value n times; `replicate_row_numbers`: 0, 1, 2 ... each n times.
When      rows are taken as wide ones (`reduce_wide`) and have a weight, or a position, each.
Why       a kernel over wide rows needs these as vectors.
"""

from __future__ import annotations

from tensordsl.codegen.library.loops.descriptor import LoopFunction, splat


def replicate_texts() -> list[str]:
    return [_replicate_row_values(), _replicate_row_numbers()]


def _replicate_row_values() -> str:
    """The rows' values, each `n` times, for so many elements; then the last one again, up to `count`."""
    params = ["ptr to", "ptr from", "i64 stride", "i64 size", "i64 n", "i64 elements", "i64 count"]
    c = LoopFunction("void", "replicate_row_values", params, internal=True)
    row, end, rest = (c.mul(x, "%size") for x in ("%n", "%elements", c.sub("%count", "%elements")))
    for size in (1, 2, 4, 8, 16):
        with c.when(c.eq("%size", size)):
            for stored in (16, 32, 64):
                with c.when(c.le(row, stored)):
                    _replicate_rows(c, size, stored, row, end, rest)
                    c.ret()
            _replicate_rows(c, size, 64, row, end, rest, longer=True)
            c.ret()
    return c.end()


def _replicate_rows(
    c: LoopFunction, size: int, stored: int, row: str, end: str, rest: str, longer: bool = False
) -> None:
    """By a store of so many bytes for each row, or several for rows that may be longer."""
    words, lanes = max(size // 8, 1), stored // min(size, 8)  # pairs of words for complex numbers
    element = f"i{8 * size // words}"
    kind, one = f"<{lanes} x {element}>", f"<{words} x {element}>"
    mask = ", ".join(f"i32 {k % words}" for k in range(lanes))

    def every(source: str) -> str:
        x = c.op(f"load {one}, ptr {source}, align 1")
        return c.op(f"shufflevector {one} {x}, {one} poison, <{lanes} x i32> <{mask}>")

    with c.loop(end, ("ptr", "%from"), ("ptr", "%from"), step=row) as loop:
        source, place = loop.values[0], c.gep("%to", loop.index)
        value = every(source)
        c.do(f"store {kind} {value}, ptr {place}, align 1")
        if longer:
            with c.loop(row, start=64, step=64) as more:
                c.do(f"store {kind} {value}, ptr {c.gep(place, more.index)}, align 1")
        loop.next = [c.gep(source, "%stride"), source]
    last, behind = every(loop.values[1]), c.gep("%to", end)
    with c.loop(rest, step=stored) as loop:
        c.do(f"store {kind} {last}, ptr {c.gep(behind, loop.index)}, align 1")


def _replicate_row_numbers() -> str:
    """0, 1, 2 and so on, each `n` times, for so many elements."""
    c = LoopFunction("void", "replicate_row_numbers", ["ptr to", "i64 n", "i64 elements"], internal=True)
    row, end = (c.shl(x, 3) for x in ("%n", "%elements"))
    with c.loop(end, ("i64", "0"), step=row) as loop:
        number = splat(c, loop.values[0])
        with c.loop(row, step=64) as at:
            c.do(f"store <8 x i64> {number}, ptr {c.gep(c.gep('%to', loop.index), at.index)}, align 1")
        loop.next = [c.add(loop.values[0], 1)]
    return c.end()
