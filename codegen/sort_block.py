"""LLVM text of sorting and merging signed integers in vector registers: networks of exchanges, no branches.

The lanes of the registers are sorted each for itself (merges of odd and even places), and merged by bitonic networks
(Batcher, Sorting networks and their applications, 1968, in the form where each merge begins by comparing an element
with its mirror image).  Element e stands in the register that its lowest bits say, and in the lane that the others say,
so that most exchanges are between registers, and each bit that the order of memory has elsewhere takes one round of
shuffles.  The order of what is read does not matter.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tensordsl.codegen.assembly import Asm


def block_text(name: str, bits: int, lanes: int, registers: int) -> str:
    """`void name(ptr a, ptr b)`: the registers * lanes integers at a, sorted to b."""
    f = Asm("void", name, ("ptr a", "ptr b"), internal=True)
    vectors = Vectors(f, bits, lanes)
    values = [vectors.load(f.gep("%a", k * vectors.size)) for k in range(registers)]
    for k, value in enumerate(sorted_block(vectors, values)):
        vectors.store(value, f.gep("%b", k * vectors.size))
    f.ret()
    return f.text


def sorted_block(vectors: Vectors, values: list[str]) -> list[str]:
    """The integers in these registers, a power of two of them, sorted in the order of memory."""
    block = _Block(vectors, values)
    block.sort()
    block.turn()
    return block.values


def declarations(bits: int, lanes: int) -> str:
    kind = f"<{lanes} x i{bits}>"
    return "".join(f"declare {kind} @llvm.{m}.v{lanes}i{bits}({kind}, {kind})\n" for m in ("smin", "smax"))


def set_lanes(f: Asm, mask: str, W: int) -> str:
    """i64: how many of W lanes a mask has; of one, an i1."""
    if W == 1:
        return f.op(f"zext i1 {mask} to i64")
    bits = f.op(f"bitcast <{W} x i1> {mask} to i{W}")
    return f.call("i64", "@llvm.ctpop.i64", f"i64 {bits if W == 64 else f.op(f'zext i{W} {bits} to i64')}")


class Vectors:
    """Operations on vectors of signed integers, in the function that is being written."""

    def __init__(self, f: Asm, bits: int, lanes: int) -> None:
        self.f, self.bits, self.lanes = f, bits, lanes
        self.kind, self.size = f"<{lanes} x i{bits}>", lanes * bits // 8

    def load(self, place: str) -> str:
        return self.f.op(f"load {self.kind}, ptr {place}, align {self.bits // 8}")

    def every(self, value: str) -> str:
        """The same value in each lane."""
        one = self.f.op(f"insertelement {self.kind} poison, i{self.bits} {value}, i64 0")
        return self.shuffled(one, [0] * self.lanes)

    def store(self, value: str, place: str) -> None:
        self.f.do(f"store {self.kind} {value}, ptr {place}, align {self.bits // 8}")

    def extremes(self, x: str, y: str) -> tuple[str, str]:
        """(the lesser, the greater one) in each lane."""
        operands, callee = (f"{self.kind} {x}", f"{self.kind} {y}"), f".v{self.lanes}i{self.bits}"
        low, high = (self.f.call(self.kind, f"@llvm.{m}{callee}", *operands) for m in ("smin", "smax"))
        return low, high

    def shuffled(self, x: str, order: list[int], y: str = "poison") -> str:
        lanes = ", ".join(f"i32 {k}" for k in order)
        return self.f.op(f"shufflevector {self.kind} {x}, {self.kind} {y}, <{self.lanes} x i32> <{lanes}>")

    def mirrored(self, x: str, mask: int) -> str:
        """Lane k becomes lane k ^ mask."""
        return self.shuffled(x, [k ^ mask for k in range(self.lanes)])

    def chosen(self, low: str, high: str, bit: int) -> str:
        """Of `low` the lanes without the bit, of `high` those with it."""
        return self.shuffled(low, [k + self.lanes * bool(k & bit) for k in range(self.lanes)], high)

    def merged(self, x: str, y: str) -> tuple[str, str]:
        """(the lesser half, the greater half), sorted, of two sorted vectors."""
        halves = list(self.extremes(x, self.mirrored(y, self.lanes - 1)))
        bit = self.lanes // 2
        while bit:
            for h in (0, 1):
                halves[h] = self.chosen(*self.extremes(halves[h], self.mirrored(halves[h], bit)), bit)
            bit //= 2
        return halves[0], halves[1]


class PairVectors(Vectors):
    """The same of keys with positions, by keys and where these are equal by positions: a value is (keys, positions)."""

    def extremes(self, x: Any, y: Any) -> Any:
        t, mask = self.kind, f"<{self.lanes} x i1>"
        tie = self.f.op(f"and {mask} {self.compare('eq', x[0], y[0])}, {self.compare('ult', x[1], y[1])}")
        is_less = self.f.op(f"or {mask} {self.compare('ult', x[0], y[0])}, {tie}")
        both = list(zip(x, y, strict=True))
        low = tuple(self.f.op(f"select {mask} {is_less}, {t} {a}, {t} {b}") for a, b in both)
        return low, tuple(self.f.op(f"select {mask} {is_less}, {t} {b}, {t} {a}") for a, b in both)

    def compare(self, condition: str, x: str, y: str) -> str:
        return self.f.op(f"icmp {condition} {self.kind} {x}, {y}")

    def shuffled(self, x: Any, order: list[int], y: Any = ("poison", "poison")) -> Any:
        shuffled = super().shuffled
        return tuple(shuffled(a, order, b) for a, b in zip(x, y, strict=True))


class _Block:
    """Elements in registers: bit j of a register's number is the element's bit j, that of a lane's `lane_bits[j]`."""

    def __init__(self, vectors: Vectors, values: list[str]) -> None:
        self.v, self.values, self.registers = vectors, list(values), len(values)
        self.of_register, self.of_lane = (k.bit_length() - 1 for k in (self.registers, vectors.lanes))
        self.swapped = min(self.of_register, self.of_lane)
        behind = max(self.of_register, self.of_lane)
        self.lane_bits = [behind + j if j < self.swapped else j for j in range(self.of_lane)]

    def sort(self) -> None:
        for low, high in exchanges(self.registers):
            self.values[low], self.values[high] = self.v.extremes(self.values[low], self.values[high])
        size = 2 * self.registers
        while size <= self.registers * self.v.lanes:
            self.exchange(size - 1)  # with the mirror image: all bits below `size` differ
            distance = size // 4
            while distance:
                self.exchange(distance)
                distance //= 2
            size *= 2

    def places(self, mask: int) -> tuple[int, int]:
        """The bits of an element's number among those of its register's, and of its lane's."""
        return mask & (self.registers - 1), sum(1 << j for j, bit in enumerate(self.lane_bits) if mask >> bit & 1)

    def exchange(self, mask: int) -> None:
        """Element e and e ^ mask, the lesser one to the lower place."""
        register, lane = self.places(mask)
        old = list(self.values)
        _, bit = self.places(1 << (mask.bit_length() - 1))  # says which of the two lanes is the lower one
        for r in range(self.registers):
            if r > r ^ register:
                continue
            other = self.v.mirrored(old[r ^ register], lane) if lane else old[r ^ register]
            low, high = self.v.extremes(old[r], other)
            if lane:
                low, high = self.v.chosen(low, high, bit), self.v.chosen(high, low, bit) if register else ""
            self.values[r] = low
            if register:
                self.values[r ^ register] = self.v.mirrored(high, lane) if lane else high

    def turn(self) -> None:
        """To the order of memory: each round swaps a bit of the register's number and one of the lane's."""
        for j in range(self.swapped):
            bit, old = 1 << j, list(self.values)
            for r in range(self.registers):
                low, side = r & ~bit, r & bit
                order = [(k ^ bit) + self.v.lanes if k & bit else k for k in range(self.v.lanes)]
                self.values[r] = self.v.shuffled(old[low], [k | side for k in order], old[low | bit])
        bits = [*self.lane_bits[: self.swapped], *range(self.swapped, self.of_register)]
        first = [sum(1 << bit for j, bit in enumerate(bits) if r >> j & 1) for r in range(self.registers)]
        self.values = [self.values[r] for r in sorted(range(self.registers), key=first.__getitem__)]


def exchanges(size: int) -> Iterator[tuple[int, int]]:
    """(the place of the lesser one, of the greater one) for each exchange of a network that sorts a power of two."""
    run = 1
    while run < size:
        apart = run
        while apart:
            for start in range(apart % run, size - apart, 2 * apart):
                for low in range(start, min(start + apart, size - apart)):
                    if low // (2 * run) == (low + apart) // (2 * run):
                        yield low, low + apart
            apart //= 2
        run *= 2
