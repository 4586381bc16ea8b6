"""Sorting networks in vector registers: integers, or (key, position) pairs, without branches.

Contract  `block_text`: registers * lanes integers at a, sorted to b; `Vectors.merged`: two sorted vectors -> halves.
How       odd-even merges sort each lane over all registers, bitonic networks merge the lanes.
Ref       K. Batcher, Sorting networks and their applications, 1968.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tensordsl.codegen.llvm.builder import Asm

SIGNED, UNSIGNED = ("smin", "smax"), ("umin", "umax")  # LLVM's names of the lesser one and of the greater one


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
    block.to_memory_order()
    return block.values


def declarations(bits: int, lanes: int, unsigned: bool = False) -> str:
    kind, names = f"<{lanes} x i{bits}>", UNSIGNED if unsigned else SIGNED
    return "".join(f"declare {kind} @llvm.{m}.v{lanes}i{bits}({kind}, {kind})\n" for m in names)


def set_lanes(f: Asm, mask: str, W: int) -> str:
    """i64: how many of W lanes a mask has; of one, an i1."""
    if W == 1:
        return f.op(f"zext i1 {mask} to i64")
    bits = f.op(f"bitcast <{W} x i1> {mask} to i{W}")
    return f.call("i64", "@llvm.ctpop.i64", f"i64 {bits if W == 64 else f.op(f'zext i{W} {bits} to i64')}")


class Vectors:
    """Operations on vectors of integers, signed ones if nothing is said, in the function that is being written."""

    def __init__(self, f: Asm, bits: int, lanes: int, unsigned: bool = False) -> None:
        self.f, self.bits, self.lanes, self.names = f, bits, lanes, UNSIGNED if unsigned else SIGNED
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
        low, high = (self.f.call(self.kind, f"@llvm.{m}{callee}", *operands) for m in self.names)
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
    def __init__(self, vectors: Vectors, values: list[str]) -> None:
        self.v, self.values, self.registers = vectors, list(values), len(values)

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

    def exchange(self, mask: int) -> None:
        """Element e and e ^ mask, the lesser one to the lower place."""
        register, lane = mask % self.registers, mask // self.registers
        old, bit = list(self.values), 1 << (lane.bit_length() - 1) if lane else 0  # which lane is the lower one
        for r in range(self.registers):
            if r > r ^ register:
                continue
            other = self.v.mirrored(old[r ^ register], lane) if lane else old[r ^ register]
            low, high = self.v.extremes(old[r], other)
            self.values[r] = self.v.chosen(low, high, bit) if lane else low
            if register:
                self.values[r ^ register] = self.v.mirrored(self.v.chosen(high, low, bit), lane) if lane else high

    def to_memory_order(self) -> None:
        """To the order of memory."""
        if self.registers >= self.v.lanes:
            self.transpose()
            return
        bit = self.registers // 2
        while bit:  # of the register's number becomes the lowest of the lane's
            for r in range(self.registers):
                if not r & bit:
                    self.values[r], self.values[r | bit] = self.interleaved(self.values[r], self.values[r | bit])
            bit //= 2

    def interleaved(self, x: str, y: str) -> list[str]:
        lanes = self.v.lanes
        orders = ([side * lanes // 2 + k // 2 + lanes * (k % 2) for k in range(lanes)] for side in (0, 1))
        return [self.v.shuffled(x, order, y) for order in orders]

    def transpose(self) -> None:
        """The bits of the lane's number change places with the lowest ones of the register's."""
        lanes, bit = self.v.lanes, 1
        while bit < lanes:
            old = list(self.values)
            for r in range(self.registers):
                order = [(k ^ bit) + lanes if k & bit else k for k in range(lanes)]
                self.values[r] = self.v.shuffled(old[r & ~bit], [k | r & bit for k in order], old[r | bit])
            bit *= 2
        behind = self.registers // lanes  # registers that continue the lanes of one
        self.values = [self.values[m // behind + lanes * (m % behind)] for m in range(self.registers)]


def exchanges(size: int) -> Iterator[tuple[int, int]]:
    """(the place of the lesser one, of the greater one) for each exchange of a network that sorts a power of two."""
    run = 1
    while run < size:
        distance = run
        while distance:
            for start in range(distance % run, size - distance, 2 * distance):
                for low in range(start, min(start + distance, size - distance)):
                    if low // (2 * run) == (low + distance) // (2 * run):
                        yield low, low + distance
            distance //= 2
        run *= 2
