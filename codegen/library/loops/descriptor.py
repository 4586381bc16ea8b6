"""The writer of the loops' functions, and code that several of them emit: reads of the descriptor, small copies."""

from __future__ import annotations

from collections.abc import Iterable

from tensordsl.codegen.abi.descriptor import BlocksCode, CallCode, Context, Header, Operand
from tensordsl.codegen.abi.layouts import CACHE_LIMIT
from tensordsl.codegen.llvm.builder import Asm
from tensordsl.codegen.llvm.function import Function


class LoopFunction(Function):
    """A function of the loops' interpreter; `%D` is its descriptor, `%cx` its context, if it has one."""

    def header(self, word: int) -> str:
        return self.get("%D", word)

    def context(self, word: int) -> str:
        return self.get("%cx", word, "ptr" if word in Context.POINTERS_TO else "i64")

    def limit(self, name: str) -> str:
        """A field of `CacheTuning`: a word that the loader fills in, so that machines of one kind share this code."""
        return self.op(f"load i64, ptr @{CACHE_LIMIT}{name}, align 8")

    def operand(self, call: str, k: str | int) -> str:
        """The k-th operand of a CALL."""
        return self.word(call, self.add(self.mul(k, Operand.WORDS), CallCode.WORDS))

    def is_kind(self, operand: str, kind: int) -> str:
        return self.eq(self.get(operand, Operand.KIND), kind)

    def has_flag(self, operand: str, flag: int) -> str:
        return self.ne(self.and_(self.get(operand, Operand.FLAGS), flag), 0)

    def has_block_flag(self, blocks: str, flag: int) -> str:
        return self.ne(self.and_(self.get(blocks, BlocksCode.FLAGS), flag), 0)


def move(c: LoopFunction, kind: str, target: str, source: str) -> None:
    c.do(f"store {kind} {c.op(f'load {kind}, ptr {source}, align 1')}, ptr {target}, align 1")


def shuffled(c: LoopFunction, kind: str, a: str, b: str, lanes: Iterable[int]) -> str:
    """Of two vectors the lanes with these numbers."""
    mask = [f"i32 {k}" for k in lanes]
    return c.op(f"shufflevector {kind} {a}, {kind} {b}, <{len(mask)} x i32> <{', '.join(mask)}>")


def copy_elements(c: LoopFunction, count: str, target_stride: str, source_stride: str) -> None:
    """Element by element, and return; four at a time, since a scalar copy is bound by the loop around it."""
    whole = c.and_(count, -4)
    for size, kind in ((8, "i64"), (4, "i32"), (16, "<2 x i64>"), (2, "i16"), (1, "i8")):

        def element(k: str, kind: str = kind) -> None:
            source, target = c.mul(k, source_stride), c.mul(k, target_stride)
            move(c, kind, c.gep("%to", target), c.gep("%from", source))

        with c.when(c.eq("%size", size)):
            with c.loop(whole, step=4) as loop:
                for k in range(4):
                    element(c.add(loop.index, k))
            with c.loop(c.sub(count, whole)) as loop:
                element(c.add(loop.index, whole))
            c.ret()


def splat(c: Asm, value: str) -> str:
    """An i64 in eight lanes."""
    one = c.op(f"insertelement <8 x i64> poison, i64 {value}, i64 0")
    return c.op(f"shufflevector <8 x i64> {one}, <8 x i64> poison, <8 x i32> zeroinitializer")


def fill_lines(c: LoopFunction, target: str, size: str, pattern: str) -> None:
    """`size` bytes, a multiple of 64, on lines of their own, with the pattern of 8 bytes."""
    value = splat(c, pattern)
    with c.loop(size, step=64) as line:
        c.do(f"store <8 x i64> {value}, ptr {c.gep(target, line.index)}, align 64")


def product(c: LoopFunction, table: str, count: str) -> str:
    """Of so many numbers of a table."""
    with c.loop(count, ("i64", "1")) as loop:
        loop.next = [c.mul(loop.values[0], c.get(table, loop.index))]
    return loop.values[0]


def put_integers(c: LoopFunction, words: str, external: str, every: str) -> None:
    """Pointers of the run-time integers that a CALL reads."""
    with c.loop(every, start=external) as loop:
        c.put(c.word("%I", c.get(c.operand(words, loop.index), Operand.NUMBER)), "%P", loop.index, "ptr")


def put_position(c: LoopFunction, positions: str, axis: str, index: str) -> None:
    """The position along an axis of what is the index-th there for a stage."""
    c.put(c.add(index, c.get(c.context(Context.ORIGINS), axis)), positions, axis)


def advance(c: LoopFunction, axis: str, steps: str) -> None:
    """Move the current address of every operand along an axis."""
    n, axes = c.get(c.context(Context.DESCRIPTOR), Header.OPERANDS), c.get(c.context(Context.DESCRIPTOR), Header.AXES)
    strides, current = c.context(Context.STRIDES), c.context(Context.ADDRESSES)
    with c.loop(n) as loop:
        step = c.get(strides, c.add(c.mul(loop.index, axes), axis))
        c.put(c.add(c.get(current, loop.index), c.mul(step, steps)), current, loop.index)
