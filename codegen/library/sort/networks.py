"""Sorting networks in vector registers: integers, or (key, position) pairs, without branches.

Contract  `block`: registers * lanes integers at a, sorted to b; `Vectors.merged`: two sorted vectors -> halves.
How       odd-even merges sort each lane over all registers, bitonic networks merge the lanes.
Ref       K. Batcher, Sorting networks and their applications, 1968.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from tensordsl.codegen.kernel_ir.ir import Function
from tensordsl.codegen.kernel_ir.language import Kernel, Number, Pointer, kernel
from tensordsl.codegen.kernel_ir.types import Signature, Type, array, i64, signature

SIGNED = "smin", "smax"  # the lesser one and the greater one


def block_signature(name: str, v: Type) -> Signature:
    return signature(name, a=array(v.scalar), b=array(v.scalar))


def block(name: str, v: Type, registers: int) -> Function:
    """The integers at a, so many vectors, sorted to b."""

    @kernel(block_signature(name, v))
    def block(k: Kernel, a: Pointer, b: Pointer) -> None:
        values = [(a + r * v.lanes).load(v.lanes) for r in range(registers)]
        for r, value in enumerate(sorted_block(Vectors(k, v.lanes), values)):
            (b + r * v.lanes).store(value)

    return block


def sorted_block(vectors: Vectors, values: Sequence[Any]) -> list[Any]:
    """The integers in these registers, a power of two of them, sorted in the order of memory."""
    block = _Block(vectors, values)
    block.sort()
    block.to_memory_order()
    return block.values


def lane_bits(mask: Number) -> Number:
    """An integer with a bit for each lane of a mask."""
    return mask.bits(Type(f"i{mask.type.lanes}"))


def set_lanes(mask: Number) -> Number:
    """i64: how many lanes a mask has; of one lane, the truth value as a number."""
    if mask.type.lanes == 1:
        return mask.unsigned(i64)
    return mask.k.emit("ctpop", lane_bits(mask).unsigned(i64))


class Vectors:
    """Operations on vectors of signed integers, in the function that is being written."""

    def __init__(self, k: Kernel, lanes: int) -> None:
        self.k, self.lanes = k, lanes

    def extremes(self, x: Any, y: Any) -> Any:
        """(the lesser, the greater one) in each lane."""
        low, high = (self.k.emit(name, x, y) for name in SIGNED)
        return low, high

    def shuffled(self, x: Any, order: list[int], y: Any = None) -> Any:
        return self.k.shuffle(x, y, order)

    def mirrored(self, x: Any, mask: int) -> Any:
        """Lane k becomes lane k ^ mask."""
        return self.shuffled(x, [k ^ mask for k in range(self.lanes)])

    def chosen(self, low: Any, high: Any, bit: int) -> Any:
        """Of `low` the lanes without the bit, of `high` those with it."""
        return self.shuffled(low, [k + self.lanes * bool(k & bit) for k in range(self.lanes)], high)

    def merged(self, x: Any, y: Any) -> tuple[Any, Any]:
        """(the lesser half, the greater half), sorted, of two sorted vectors."""
        halves = list(self.extremes(x, self.mirrored(y, self.lanes - 1)))
        bit = self.lanes // 2
        while bit:
            for h in (0, 1):
                low, high = self.extremes(halves[h], self.mirrored(halves[h], bit))
                halves[h] = self.chosen(low, high, bit)
            bit //= 2
        return halves[0], halves[1]


class UnsignedVectors(Vectors):
    """The same of integers without a sign."""

    def extremes(self, x: Any, y: Any) -> Any:
        return self.k.unsigned("umin", x, y), self.k.unsigned("umax", x, y)


class PairVectors(Vectors):
    """The same of unsigned keys with positions, by keys and where these are equal by positions: a value is (keys,
    positions)."""

    def extremes(self, x: Any, y: Any) -> Any:
        k = self.k
        tie = (x[0] == y[0]) & k.unsigned("ult", x[1], y[1])
        is_less = k.unsigned("ult", x[0], y[0]) | tie
        both = list(zip(x, y, strict=True))
        low = tuple(k.select(is_less, a, b) for a, b in both)
        return low, tuple(k.select(is_less, b, a) for a, b in both)

    def shuffled(self, x: Any, order: list[int], y: Any = (None, None)) -> Any:
        shuffled = super().shuffled
        return tuple(shuffled(a, order, b) for a, b in zip(x, y, strict=True))


class _Block:
    def __init__(self, vectors: Vectors, values: Sequence[Any]) -> None:
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

    def interleaved(self, x: Any, y: Any) -> list[Any]:
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
