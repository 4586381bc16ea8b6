"""What the texts of loops have in common: small copies, and access to the tables that a descriptor describes."""

from __future__ import annotations

from collections.abc import Iterable

from tensordsl.codegen.abi.descriptor import CALL_WORDS, CX_CUR, CX_D, CX_ORIGINS, CX_S, ENTRY, N_AXES, N_OPERANDS
from tensordsl.codegen.llvm.builder import Asm
from tensordsl.codegen.llvm.function import Function


def move(c: Function, kind: str, target: str, source: str) -> None:
    c.do(f"store {kind} {c.op(f'load {kind}, ptr {source}, align 1')}, ptr {target}, align 1")


def shuffled(c: Function, kind: str, a: str, b: str, lanes: Iterable[int]) -> str:
    """Of two vectors the lanes with these numbers."""
    mask = [f"i32 {k}" for k in lanes]
    return c.op(f"shufflevector {kind} {a}, {kind} {b}, <{len(mask)} x i32> <{', '.join(mask)}>")


def strided(c: Function, count: str, target_stride: str, source_stride: str) -> None:
    """Element by element, and return; four at a time, since a scalar copy is bound by the loop around it."""
    whole = c.arith("and", count, -4)
    for size, kind in ((8, "i64"), (4, "i32"), (16, "<2 x i64>"), (2, "i16"), (1, "i8")):

        def element(k: str, kind: str = kind) -> None:
            source, target = c.arith("mul", k, source_stride), c.arith("mul", k, target_stride)
            move(c, kind, c.gep("%to", target), c.gep("%from", source))

        with c.when(c.test("eq", "%size", size)):
            with c.loop(whole, step=4) as loop:
                for k in range(4):
                    element(c.arith("add", loop.index, k))
            with c.loop(c.arith("sub", count, whole)) as loop:
                element(c.arith("add", loop.index, whole))
            c.ret()


def splat(c: Asm, value: str) -> str:
    """An i64 in eight lanes."""
    one = c.op(f"insertelement <8 x i64> poison, i64 {value}, i64 0")
    return c.op(f"shufflevector <8 x i64> {one}, <8 x i64> poison, <8 x i32> zeroinitializer")


def fill_lines(c: Function, target: str, size: str, pattern: str) -> None:
    """`size` bytes, a multiple of 64, on lines of their own, with the pattern of 8 bytes."""
    value = splat(c, pattern)
    with c.loop(size, step=64) as line:
        c.do(f"store <8 x i64> {value}, ptr {c.gep(target, line.index)}, align 64")


def product(c: Function, table: str, count: str) -> str:
    """Of so many numbers of a table."""
    with c.loop(count, ("i64", "1")) as loop:
        loop.next = [c.arith("mul", loop.values[0], c.get(table, loop.index))]
    return loop.values[0]


def entry_of(c: Function, words: str, k: str) -> str:
    """The k-th operand of a CALL."""
    return c.word(words, c.arith("add", c.arith("mul", k, ENTRY), CALL_WORDS))


def put_integers(c: Function, words: str, external: str, every: str) -> None:
    """What a CALL reads beside its external operands."""
    with c.loop(every, start=external) as loop:
        c.put(c.word("%I", c.get(entry_of(c, words, loop.index), 1)), "%P", loop.index, "ptr")


def put_position(c: Function, positions: str, axis: str, index: str) -> None:
    """The position along an axis of what is the index-th there for a stage."""
    c.put(c.arith("add", index, c.get(c.get("%cx", CX_ORIGINS, "ptr"), axis)), positions, axis)


def advance(c: Function, axis: str, steps: str) -> None:
    """Move the current address of every operand along an axis."""
    n, axes = c.get(c.get("%cx", CX_D, "ptr"), N_OPERANDS), c.get(c.get("%cx", CX_D, "ptr"), N_AXES)
    strides, current = c.get("%cx", CX_S, "ptr"), c.get("%cx", CX_CUR, "ptr")
    with c.loop(n) as loop:
        step = c.get(strides, c.arith("add", c.arith("mul", loop.index, axes), axis))
        c.put(c.arith("add", c.get(current, loop.index), c.arith("mul", step, steps)), current, loop.index)
