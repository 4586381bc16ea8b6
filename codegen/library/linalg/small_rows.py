"""Factors of one small matrix, its rows as vectors: Cholesky, and LU with partial pivoting.

Contract  `cholesky`, `lu`: as of `small_factors`, of one matrix with at most `width` rows; `copies_text`: what they
          call to copy a matrix to rows in scratch and back.
Why       one matrix fills lanes with its columns; operations on a number are those of the other forms, in their order.
How       steps are written in groups of `CHUNK`, which leave out what lies before their diagonal.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from tensordsl.codegen.library.linalg.small_factors import Run, Work, taken
from tensordsl.codegen.library.linalg.small_values import NAN, Lanes
from tensordsl.codegen.llvm.builder import Asm

CHUNK = Lanes.CHUNK
COPY = ("ptr rows", "ptr a", "i64 row", "i64 column", "i64 n")


def cholesky(work: Work, width: int) -> Run:
    """The upper factor in rows: row i of the lower one is its column i."""
    f, v, n = work.f, work.lanes, str(work.n)
    m = Rows(work, width)

    def step(k: str, state: list[str], first: int) -> list[str]:
        """The next pivot is computed for itself too, as everything waits for it."""
        failed, pivot = state
        is_bad, below = v.compare(f, "ole", pivot, "0.0"), f.add(k, 1)
        root = v.unary(f, "sqrt", pivot)
        following = v.divide(f, m.number(k, below), root)
        following = v.less_product(f, following, following, m.number(below, below))
        divisor = m.chunk.splat(f, root)
        upper = [m.chunk.divide(f, x, divisor) for x in m.get(k, first)]
        m.set(k, upper, first)
        m.set_number(k, k, root)
        with f.loop(n, start=below) as rows:
            left = m.chunk.splat(f, f.op(f"fneg {v.type} {m.number(k, rows.index)}"))
            old = m.get(rows.index, first)
            m.set(rows.index, [m.chunk.fma(f, left, x, y) for x, y in zip(upper, old, strict=True)], first)
        return [v.either(f, failed, is_bad), following]

    def run(at: dict[str, str]) -> str:
        m.take(at["a"], "%a_column", "%a_row")
        failed, _ = _steps(f, width, n, [("i1", "false"), (v.type, m.number("0", "0"))], step)
        kept = f.op(f"select i1 {failed}, {v.type} {NAN}, {v.type} 0.0")
        other = m.chunk.splat(f, kept)
        failing = m.chunk.splat(f, failed, "i1")
        with f.loop(n) as rows:
            values = []
            for c, x in enumerate(m.get(rows.index, 0)):
                is_upper = f.op(f"xor {m.chunk.mask} {failing}, {m.is_from(c, rows.index)}")
                is_upper = f.op(f"and {m.chunk.mask} {is_upper}, {m.is_from(c, rows.index)}")
                values.append(m.chunk.choose(f, is_upper, x, other))
            m.set(rows.index, values, 0)
        m.give(at["l"], "%l_column", "%l_row")
        return failed

    return run


def lu(work: Work, width: int) -> Run:
    f, v, n = work.f, work.lanes, str(work.n)
    m = Rows(work, width)

    def step(k: str, state: list[str], group: int) -> list[str]:
        below = f.add(k, 1)
        with f.loop(n, (v.type, v.unary(f, "fabs", m.number(k, k))), ("i64", k), start=below) as rows:
            size = v.unary(f, "fabs", m.number(rows.index, k))
            is_larger = v.compare(f, "ogt", size, rows.values[0])
            rows.next = [v.choose(f, is_larger, size, rows.values[0]), f.choose(is_larger, rows.index, rows.values[1])]
        pivot, place = rows.values[1], f.gep(state[0], k, "i32")
        f.do(f"store i32 {f.op(f'trunc i64 {pivot} to i32')}, ptr {place}, align 4")
        upper, old = m.get(pivot, 0), m.get(k, 0)
        m.set(pivot, old, 0)
        m.set(k, upper, 0)
        value, upper = m.number(k, k), upper[group:]
        is_zero, is_behind = v.compare(f, "oeq", value, "0.0"), m.is_from(group, below)
        with f.loop(n, start=below) as rows:
            number = m.number(rows.index, k)
            factor = v.choose(f, is_zero, number, v.divide(f, number, value))
            left = m.chunk.splat(f, f.op(f"fneg {v.type} {factor}"))
            before = m.get(rows.index, group)
            after = [m.chunk.fma(f, left, x, y) for x, y in zip(upper, before, strict=True)]
            after[0] = m.chunk.choose(f, is_behind, after[0], before[0])
            m.set(rows.index, after, group)
            m.set_number(rows.index, k, factor)
        return state

    def run(at: dict[str, str]) -> str:
        m.take(at["a"], "%a_row", "%a_column")
        _steps(f, width, n, [("ptr", at["pivots"])], step)
        m.give(at["lu"], "%lu_row", "%lu_column")
        return ""

    return run


def _steps(
    f: Asm, width: int, n: str, state: list[tuple[str, str]], step: Callable[[str, list[str], int], list[str]]
) -> list[str]:
    """All steps, those of each chunk of the diagonal with a text of their own."""
    for group in range(width // CHUNK):
        end = f.choose(f.lt(n, CHUNK * (group + 1)), n, CHUNK * (group + 1))
        with f.loop(end, *state, start=CHUNK * group) as loop:
            loop.next = step(loop.index, loop.values, group)
        state = [(kind, value) for (kind, _), value in zip(state, loop.values, strict=True)]
    return [value for _, value in state]


class Rows:
    """A matrix in memory of its own, whose rows are chunks; one more is there to be read."""

    def __init__(self, work: Work, width: int) -> None:
        self.f, self.one, self.chunk = work.f, work.lanes, Lanes(work.lanes.kind, CHUNK)
        self.width, self.n, self.count = width, str(work.n), width // CHUNK
        self.base = taken(work.f, self.chunk, (width + 1) * self.count)

    def place(self, i: str) -> str:
        return self.f.gep(self.base, i, f"[{self.count} x {self.chunk.type}]")

    def get(self, i: str, first: int) -> list[str]:
        """A row's chunks from `first` on."""
        place = self.place(i)
        return [self.chunk.get(self.f, self.f.gep(place, c, self.chunk.type)) for c in range(first, self.count)]

    def set(self, i: str, values: list[str], first: int) -> None:
        place = self.place(i)
        for c, value in enumerate(values, first):
            self.chunk.put(self.f, value, self.f.gep(place, c, self.chunk.type))

    def number(self, i: str, j: str) -> str:
        return self.one.get(self.f, self.f.gep(self.place(i), j, self.one.kind))

    def set_number(self, i: str, j: str, value: str) -> None:
        self.one.put(self.f, value, self.f.gep(self.place(i), j, self.one.kind))

    def is_from(self, c: int, k: str) -> str:
        """The columns of a chunk from k on."""
        return _compared(self.f, "sge", c, k)

    def take(self, a: str, row: str, column: str) -> None:
        """Copy a matrix."""
        self._copy("take", a, row, column)

    def give(self, a: str, row: str, column: str) -> None:
        self._copy("give", a, row, column)

    def _copy(self, name: str, a: str, row: str, column: str) -> None:
        operands = f"ptr {self.base}", f"ptr {a}", f"i64 {row}", f"i64 {column}", f"i64 {self.n}"
        self.f.call("void", f"@{_copy_name(name, self.one.kind, self.width)}", *operands)


def _compared(f: Asm, condition: str, c: int, k: str) -> str:
    wide = f"<{CHUNK} x i64>"
    one = f.op(f"insertelement {wide} poison, i64 {k}, i64 0")
    same = f.op(f"shufflevector {wide} {one}, {wide} poison, <{CHUNK} x i32> zeroinitializer")
    numbers = ", ".join(f"i64 {CHUNK * c + i}" for i in range(CHUNK))
    return f.op(f"icmp {condition} {wide} <{numbers}>, {same}")


# Copies between memory with any strides and rows


def _copy_name(name: str, kind: str, width: int) -> str:
    return f"{name}_rows_{kind}.{width}"


def copies_text(kind: str, width: int, has_masks: bool) -> str:
    """has_masks: parts of vectors are loaded and stored as fast as whole ones."""
    return "".join(_copy_text(kind, width, is_taken, has_masks) for is_taken in (True, False))


def _copy_text(kind: str, width: int, is_taken: bool, has_masks: bool) -> str:
    f = Asm("void", _copy_name("take" if is_taken else "give", kind, width), COPY, internal=True)
    chunk, one, count = Lanes(kind, CHUNK), Lanes(kind, 1), width // CHUNK
    row_type = f"[{count} x {chunk.type}]"

    def move(c: int, place: str, address: str, mask: str) -> None:
        if is_taken:
            chunk.put(f, chunk.masked_load(f, address, mask), place)
        else:
            chunk.masked_store(f, chunk.get(f, place), address, mask)

    if has_masks:
        masks = [_compared(f, "slt", c, "%n") for c in range(count)]
        with f.when(f.eq("%column", chunk.item)):
            with f.loop("%n") as i:
                place, address = f.gep("%rows", i.index, row_type), f.gep("%a", f.mul(i.index, "%row"))
                for c in range(count):
                    move(c, f.gep(place, c, chunk.type), f.gep(address, CHUNK * c, kind), masks[c])
            f.ret()
        with f.when(f.eq("%row", chunk.item)):
            for c in range(count):  # columns of the matrix, rows of its transpose
                with f.when(f.gt("%n", CHUNK * c)), f.loop("%n", step=CHUNK) as i:
                    _move_square(f, chunk, is_taken, c, i.index, masks, row_type)
            f.ret()
    with f.loop("%n") as i:
        place, start = f.gep("%rows", i.index, row_type), f.gep("%a", f.mul(i.index, "%row"))
        with f.loop("%n", ("ptr", start)) as j:
            (address,), mine = j.values, f.gep(place, j.index, kind)
            if is_taken:
                one.put(f, one.load(f, address, ""), mine)
            else:
                one.store(f, one.get(f, mine), address, "")
            j.next = [f.gep(address, "%column")]
    f.ret()
    return f.text


def _move_square(f: Asm, chunk: Lanes, is_taken: bool, c: int, first: str, masks: list[str], row_type: str) -> None:
    """Rows `first` to first + 7 and columns 8 c to 8 c + 7, of which rows are adjacent in memory."""
    is_row = _compared(f, "slt", 0, f.sub("%n", first))
    columns = []
    for j in range(CHUNK):
        number = CHUNK * c + j
        mask = f.op(f"select i1 {f.gt('%n', number)}, {chunk.mask} {is_row}, {chunk.mask} zeroinitializer")
        columns.append((f.gep(f.gep("%a", f.mul("%column", number)), first, chunk.kind), mask))
    places = [f.gep(f.gep("%rows", f.add(first, i), row_type), c, chunk.type) for i in range(CHUNK)]
    if is_taken:
        for value, place in zip(transposed(f, chunk, [chunk.masked_load(f, *x) for x in columns]), places, strict=True):
            chunk.put(f, value, place)
        return
    for value, column in zip(transposed(f, chunk, [chunk.get(f, x) for x in places]), columns, strict=True):
        chunk.masked_store(f, value, *column)


class Writer(Protocol):
    """What writes instructions."""

    def op(self, right: str) -> str: ...


def transposed(f: Writer, chunk: Lanes, rows: list[str]) -> list[str]:
    """Pairs of rows exchange halves of blocks, of four lanes, of two, of one."""
    for half in (4, 2, 1):
        after = list(rows)
        for i in range(CHUNK):
            if i & half:
                continue
            x, y = rows[i], rows[i + half]
            low = [k if not k & half else CHUNK + k - half for k in range(CHUNK)]
            high = [k + half if not k & half else CHUNK + k for k in range(CHUNK)]
            after[i], after[i + half] = (_shuffled(f, chunk, x, y, lanes) for lanes in (low, high))
        rows = after
    return rows


def _shuffled(f: Writer, chunk: Lanes, x: str, y: str, lanes: list[int]) -> str:
    numbers = ", ".join(f"i32 {k}" for k in lanes)
    return f.op(f"shufflevector {chunk.type} {x}, {chunk.type} {y}, <{CHUNK} x i32> <{numbers}>")
