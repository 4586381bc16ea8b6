"""Quicksort by whole vectors, for AVX-512 and AVX2.

Contract  `NAME(a, b, n, bytes)`: the n keys at a, sorted in place with room at b; or `NAME(a, b, n, shift)` of pairs.
How       `pivot` samples, `partition` splits, `networks` sorts parts of a few registers; medians bound the worst case.
Ref       C. Hoare, Quicksort, 1962; B. Bramas, A Novel Hybrid Quicksort Algorithm Vectorized using AVX-512, 2017.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tensordsl.codegen.kernel_ir.ir import Function, Table
from tensordsl.codegen.kernel_ir.language import Kernel, Number, Pointer, kernel
from tensordsl.codegen.kernel_ir.types import INTEGER_OF_BYTES, Kind, Signature, array, i1, i64, ptr, signature
from tensordsl.codegen.library.polls import polled_range
from tensordsl.codegen.library.sort import parallel_quicksort, partition, pivot
from tensordsl.codegen.library.sort.networks import PairVectors, Vectors, lane_bits, sorted_block
from tensordsl.codegen.target.tuning import Tuning


class Quick:
    """The functions for keys of 32 or 64 bits: signed ones, or with AVX-512 unsigned ones with positions.

    `NAME(a, b, n, bytes)` sorts the n keys at a, with room for as many at b, and gives a.  With positions it is
    `NAME(a, b, n, shift)`: the position of the key at an address is `shift` bytes behind it.
    """

    def __init__(
        self, name: str, bits: int, registers: tuple[int, ...], tuning: Tuning, has_positions: bool = False
    ) -> None:
        self.tuning, self.vector_bytes = tuning, tuning.machine.vector_bytes
        self.name, self.bits, self.registers = name, bits, registers
        self.size, self.lanes = bits // 8, 8 * self.vector_bytes // bits
        self.key = INTEGER_OF_BYTES[self.size]
        self.vector = self.key.of(self.lanes)
        self.most = registers[-1] * self.lanes  # elements that are sorted in registers
        self.has_positions = has_positions
        self.more: dict[str, Kind] = {"shift": i64} if has_positions else {}
        self.buffers: dict[str, Kind] = dict(x=array(self.key), y=array(self.key), n=i64)
        self.greatest = -1 if has_positions else (1 << (bits - 1)) - 1
        self.stores_some = self.vector_bytes == 64  # masked stores of AVX2 are microcode on AMD's cores

    def functions(self) -> list[Function]:
        blocks = [self.block(r) for r in self.registers]
        ends = [self.sort()] if self.has_positions else [self.is_sorted(), self.sort()]
        steps = [*pivot.functions(self), *partition.functions(self), self.copy(), self.part()]
        return [*blocks, *steps, *ends, *parallel_quicksort.functions(self)]

    def tables(self) -> list[Table]:
        return partition.tables(self)

    # -- signatures ----------------------------------------------------------------------------------------------------
    def signature(self) -> Signature:
        return signature(self.name, ptr, {"a": ptr, "b": ptr, "n": i64, **(self.more or {"bytes": i64})})

    def buffers_signature(self, name: str) -> Signature:
        return signature(f"{self.name}.{name}", None, self.buffers | self.more)

    def part_signature(self) -> Signature:
        """The n elements at x, sorted to y, or to x if `stays`; after `depth` splits they are split at medians."""
        return signature(
            f"{self.name}.part", None, {**self.buffers, "depth": i64, "stays": i1, "counts": i1, **self.more}
        )

    def is_sorted_signature(self) -> Signature:
        return signature(f"{self.name}.is_sorted", i1, a=array(self.key), n=i64)

    # -- vectors -------------------------------------------------------------------------------------------------------
    def below(self, x: Number, y: Number) -> Number:
        return x.k.unsigned("ult", x, y) if self.has_positions else x < y

    def columns(self, place: Pointer, more: Sequence[Number]) -> list[Pointer]:
        """Where the key and, if there is one, the position of an element stand."""
        return [place, *map(place.bytes, more)]

    def load(self, place: Pointer, mask: Number | None = None) -> Number:
        return place.load(self.lanes) if mask is None else place.k.masked_load(place, mask, self.greatest)

    def lanes_below(self, k: Kernel, limit: Number, register: int = 0) -> Number:
        """The mask of the lanes whose elements stand before a limit, which is no more than `most`."""
        places = range(register * self.lanes, (register + 1) * self.lanes)
        return k.splat(limit.to(self.key), self.lanes) > k.vector(places, self.key)

    # -- parts of a few registers --------------------------------------------------------------------------------------
    def block(self, r: int) -> Function:
        W = self.lanes

        @kernel(self.buffers_signature(f"block{r}"))
        def block(k: Kernel, x: Pointer, y: Pointer, n: Number, *more: Number) -> None:
            """The n elements at x, in r registers and no fewer, sorted to y, which may be x."""
            masks = [None if at < r // 2 else self.lanes_below(k, n, at) for at in range(r)]
            places = [self.columns(x + at * W, more) for at in range(r)]
            loaded = [[self.load(p, mask) for p in here] for here, mask in zip(places, masks, strict=True)]
            values: list[Any] = [tuple(v) if self.has_positions else v[0] for v in loaded]
            values = sorted_block((PairVectors if self.has_positions else Vectors)(k, W), values)
            if not (self.stores_some or r == 1):
                self.store_to_end(k, values, y, n)
                return
            for at, (value, mask) in enumerate(zip(values, masks, strict=True)):
                targets = self.columns(y + at * W, more)
                for target, v in zip(targets, value if self.has_positions else (value,), strict=True):
                    target.store(v, mask)

        return block

    def store_to_end(self, k: Kernel, values: Sequence[Number], y: Pointer, n: Number) -> None:
        """The first n elements of these registers, more than half of all, to y, by whole vectors from the last one on.

        What would stand behind the end is written before it, and written over; the last vector goes by the stack.
        """
        W, half = self.lanes, len(values) // 2
        last = n - W
        room = k.alloca(self.key, (half + 1) * W, align=self.vector_bytes)
        for at in reversed(range(len(values))):
            place: Any = at * W
            if at >= half:
                place = k.min(k.number(place, i64), last)
            if at >= half - 1:
                (room + (at - half + 1) * W).store(values[at])
            (y + place).store(values[at])
        behind = room + (last - (half - 1) * W)
        (y + last).store(behind.load(W))

    # -- the whole -----------------------------------------------------------------------------------------------------
    def copy(self) -> Function:
        W = self.lanes

        @kernel(self.buffers_signature("copy"))
        def copy(k: Kernel, x: Pointer, y: Pointer, n: Number, *more: Number) -> None:
            whole = n & -W

            def move(index: Number, mask: Number | None = None) -> None:
                places = (self.columns(base + index, more) for base in (x, y))
                for source, target in zip(*places, strict=True):
                    target.store(self.load(source, mask), mask)

            with polled_range(k, whole, step=W) as i:
                move(i)
            move(whole, self.lanes_below(k, n - whole))

        return copy

    def part(self) -> Function:
        @kernel(self.part_signature())
        def part(
            k: Kernel, x: Pointer, y: Pointer, n: Number, depth: Number, stays: Number, counts: Number, *more: Number
        ) -> None:
            here, there = k.variable(x), k.variable(y)
            left, splits, is_here, is_counted = (k.variable(v) for v in (n, depth, stays, counts))
            with k.forever():
                with k.when(left <= self.most):
                    k.leave()
                x, y, n, stays = here.value, there.value, left.value, is_here.value
                p, less = self.border(k, x, y, n, splits.value, stays, is_counted.value, more)
                less = k.call(partition.split_signature(self), x, y, n, p, less, *more)
                is_none, is_all = less == 0, less == n
                with k.when(is_none | is_all, likely=False):
                    here.set(k.select(is_none, y, x))
                    there.set(k.select(is_none, x, y))
                    is_here.set(stays ^ is_none)
                    is_counted.set(1)
                with k.otherwise():
                    splits -= 1
                    counts_next = k.number(self.has_positions, i1)
                    k.call(self.part_signature(), x, y, less, splits, stays, counts_next, *more)
                    here.set(y + less)
                    there.set(x + less)
                    left.set(n - less)
                    is_here.set(~stays)
                    is_counted.set(counts_next)
            y = k.select(is_here, here.value, there.value)
            for r in self.registers:  # in as few as hold them
                with k.when(left <= r * self.lanes):
                    k.call(self.buffers_signature(f"block{r}"), here, y, left, *more)
                    k.ret()

        return part

    def border(
        self, k: Kernel, x: Pointer, y: Pointer, n: Number, depth: Number, stays: Number, counts: Number,
        more: Sequence[Number],
    ) -> tuple[Number, Number]:  # fmt: skip
        """Where the part is split, and how many are less if it `counts` or all keys may be equal; the function returns
        if they are."""
        found, known = k.variable(0, self.key), k.variable(0, i64)
        counts = counts | (depth <= 0)
        with k.once():
            with k.when(~counts):
                sampled = k.call(pivot.middle_signature(self), x, n, depth)
                found.set(sampled)
                before = sampled - 1
                are_equal = (before == x[0]) & (before == (x + n)[-1])
                with k.when(~are_equal, likely=True):
                    k.leave()
            p, less = k.call(pivot.pivot_signature(self), x, n, depth)
            with k.when(less == n, likely=False):
                with k.when(~stays):
                    k.call(self.buffers_signature("copy"), x, y, n, *more)
                k.ret()
            found.set(p)
            known.set(less)
        return found.value, known.value

    def sort(self) -> Function:
        @kernel(self.signature())
        def sort(k: Kernel, a: Pointer, b: Pointer, n: Number, more: Number) -> None:
            if not self.has_positions:
                with k.when(k.call(self.is_sorted_signature(), a, n)):
                    k.ret(a)
            self.from_the_top(k, a, b, n, True, *([more] if self.has_positions else []))
            k.ret(a)

        return sort

    def from_the_top(self, k: Kernel, x: Pointer, y: Pointer, n: Number, stays: bool, *more: Any) -> None:
        """The n elements at x, sorted to y, or to x if `stays`."""
        depth = 64 - k.emit("ctlz", n, of_zero=True) << 1
        k.call(self.part_signature(), x, y, n, depth, stays, self.has_positions, *more)

    def is_sorted(self) -> Function:
        W = self.lanes

        @kernel(self.is_sorted_signature())
        def is_sorted(k: Kernel, a: Pointer, n: Number) -> None:
            """By a look at the keys up to the vector with the first that is less than the one before it."""
            pairs = k.max(n - 1, 0)
            whole = pairs & -W

            def look(index: Number, mask: Number | None = None) -> None:
                before, behind = (self.load(a + at, mask) for at in (index, index + 1))
                with k.when(lane_bits(before > behind) != 0):
                    k.ret(False)

            with polled_range(k, whole, step=W) as i:
                look(i)
            look(whole, self.lanes_below(k, pairs - whole))
            k.ret(True)

        return is_sorted
