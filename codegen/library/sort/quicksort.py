"""Quicksort by whole vectors, for AVX-512 and AVX2.

Contract  `NAME(a, b, n, bytes)`: the n keys at a, sorted in place with room at b; or `NAME(a, b, n, shift)` of pairs.
How       `pivot` samples, `partition` splits, `networks` sorts parts of a few registers; medians bound the worst case.
Ref       C. Hoare, Quicksort, 1962; B. Bramas, A Novel Hybrid Quicksort Algorithm Vectorized using AVX-512, 2017.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tensordsl.codegen.library.signals import long_loop
from tensordsl.codegen.library.sort import parallel_quicksort, partition, pivot
from tensordsl.codegen.library.sort.networks import PairVectors, Vectors, declarations, sorted_block
from tensordsl.codegen.llvm.builder import UNLIKELY, Asm, passed
from tensordsl.codegen.target.tuning import Tuning

BUFFER_PARAMS = ("ptr x", "ptr y", "i64 n")


class Quick:
    """The functions for keys of 32 or 64 bits: signed ones, or with AVX-512 unsigned ones with positions.

    `@NAME(a, b, n, bytes)` sorts the n keys at a, with room for as many at b, and gives a.  With positions it is
    `@NAME(a, b, n, shift)`: the position of the key at an address is `shift` bytes behind it.
    """

    def __init__(
        self, name: str, bits: int, registers: tuple[int, ...], tuning: Tuning, has_positions: bool = False
    ) -> None:
        self.tuning, self.vector_bytes = tuning, tuning.machine.vector_bytes
        self.name, self.bits, self.registers, vector_bytes = name, bits, registers, self.vector_bytes
        self.size, self.lanes = bits // 8, 8 * vector_bytes // bits
        self.key, self.kind, self.mask = f"i{bits}", f"<{self.lanes} x i{bits}>", f"<{self.lanes} x i1>"
        self.most = registers[-1] * self.lanes  # elements that are sorted in registers
        self.has_positions = has_positions
        self.more = ("i64 shift",) if has_positions else ()
        self.below = "ult" if has_positions else "slt"
        self.greatest = -1 if has_positions else (1 << (bits - 1)) - 1
        self.stores_some = vector_bytes == 64  # masked stores of AVX2 are microcode on AMD's cores

    def declarations(self) -> str:
        kind, mask, name = self.kind, self.mask, f"v{self.lanes}{self.key}"
        return (
            f"{declarations(self.bits, self.lanes, self.has_positions)}{partition.declarations(self)}"
            f"declare {kind} @llvm.masked.load.{name}.p0(ptr, i32, {mask}, {kind})\n"
            f"declare void @llvm.masked.store.{name}.p0({kind}, ptr, i32, {mask})\n"
            f"declare {self.key} @llvm.vector.reduce.add.{name}({kind})\n"
            "declare i64 @llvm.ctpop.i64(i64)\ndeclare i64 @llvm.ctlz.i64(i64, i1)\n"
            "declare i64 @llvm.smin.i64(i64, i64)\n"
        )

    def text(self) -> str:
        blocks = (self.block(r) for r in self.registers)
        ends = (self.sort(),) if self.has_positions else (self.is_sorted(), self.sort())
        parts = pivot.text(self), partition.text(self), self.copy(), self.part(), *ends, parallel_quicksort.text(self)
        return "".join((*blocks, *parts))

    # -- vectors -------------------------------------------------------------------------------------------------------
    def at(self, f: Asm, base: str, k: str | int) -> str:
        return f.gep(base, k, self.key)

    def columns(self, f: Asm, place: str) -> list[str]:
        """Where the key and, if there is one, the position of an element stand."""
        return [place, f.gep(place, "%shift")] if self.has_positions else [place]

    def load(self, f: Asm, place: str, mask: str = "") -> str:
        if not mask:
            return f.op(f"load {self.kind}, ptr {place}, align {self.size}")
        others = f"{self.kind} splat ({self.key} {self.greatest})"
        given = f"ptr {place}", f"i32 {self.size}", f"{self.mask} {mask}", others
        return f.call(self.kind, f"@llvm.masked.load.v{self.lanes}{self.key}.p0", *given)

    def store(self, f: Asm, value: str, place: str, mask: str = "") -> None:
        if not mask:
            f.do(f"store {self.kind} {value}, ptr {place}, align {self.size}")
            return
        given = f"{self.kind} {value}", f"ptr {place}", f"i32 {self.size}", f"{self.mask} {mask}"
        f.call("void", f"@llvm.masked.store.v{self.lanes}{self.key}.p0", *given)

    def lanes_below(self, f: Asm, limit: str, register: int = 0) -> str:
        """The mask of the lanes whose elements stand before a limit, which is no more than `most`."""
        places = ", ".join(f"{self.key} {register * self.lanes + lane}" for lane in range(self.lanes))
        narrow = limit if self.bits == 64 else f.op(f"trunc i64 {limit} to {self.key}")
        every = Vectors(f, self.bits, self.lanes).every(narrow)
        return f.op(f"icmp sgt {self.kind} {every}, <{places}>")

    # -- parts of a few registers --------------------------------------------------------------------------------------
    def block(self, r: int) -> str:
        """The n elements at x, in r registers and no fewer, sorted to y, which may be x."""
        f = Asm("void", f"{self.name}.block{r}", (*BUFFER_PARAMS, *self.more), internal=True)
        v = (PairVectors if self.has_positions else Vectors)(f, self.bits, self.lanes)
        masks = ["" if at < r // 2 else self.lanes_below(f, "%n", at) for at in range(r)]
        places = [self.columns(f, self.at(f, "%x", at * self.lanes)) for at in range(r)]
        loaded = [[self.load(f, p, mask) for p in here] for here, mask in zip(places, masks, strict=True)]
        values: list[Any] = [tuple(x) if self.has_positions else x[0] for x in loaded]
        values = sorted_block(v, values)
        if self.stores_some or r == 1:
            for at, (value, mask) in enumerate(zip(values, masks, strict=True)):
                targets = self.columns(f, self.at(f, "%y", at * self.lanes))
                for target, x in zip(targets, value if self.has_positions else (value,), strict=True):
                    self.store(f, x, target, mask)
        else:
            self.store_to_end(f, values)
        f.ret()
        return f.text

    def store_to_end(self, f: Asm, values: list[str]) -> None:
        """The first n elements of these registers, more than half of all, to y, by whole vectors from the last one on.

        What would stand behind the end is written before it, and written over; the last vector goes by the stack.
        """
        half, last = len(values) // 2, f.sub("%n", self.lanes)
        room = f.op(f"alloca [{(half + 1) * self.lanes} x {self.key}], align {self.vector_bytes}")
        for at in reversed(range(len(values))):
            place = str(at * self.lanes)
            if at >= half:
                place = f.call("i64", "@llvm.smin.i64", f"i64 {place}", f"i64 {last}")
            if at >= half - 1:
                self.store(f, values[at], self.at(f, room, (at - half + 1) * self.lanes))
            self.store(f, values[at], self.at(f, "%y", place))
        behind = self.at(f, room, f.sub(last, (half - 1) * self.lanes))
        self.store(f, self.load(f, behind), self.at(f, "%y", last))

    # -- the whole -----------------------------------------------------------------------------------------------------
    def copy(self) -> str:
        f, W = Asm("void", f"{self.name}.copy", (*BUFFER_PARAMS, *self.more), internal=True), self.lanes
        whole = f.and_("%n", -W)

        def move(index: str, mask: str) -> None:
            places = (self.columns(f, self.at(f, base, index)) for base in ("%x", "%y"))
            for source, target in zip(*places, strict=True):
                self.store(f, self.load(f, source, mask), target, mask)

        with long_loop(f, whole, step=W) as loop:
            move(loop.index, "")
        move(whole, self.lanes_below(f, f.sub("%n", whole)))
        f.ret()
        return f.text

    def part(self) -> str:
        """The n elements at x, sorted to y, or to x if `stays`; after `depth` splits they are split at medians."""
        params = (*BUFFER_PARAMS, "i64 depth", "i1 stays", "i1 counts", *self.more)
        f = Asm("void", f"{self.name}.part", params, internal=True)
        head, body, done, one_side = f.label("head"), f.label("body"), f.label("done"), f.label("one_side")
        f.jump(head)
        f.place(head)
        state = [f"%{head}.{name}" for name in ("x", "y", "n", "depth", "stays", "counts")]
        x, y, n, depth, stays, _ = state
        phis = len(f.lines)
        f.branch(f.gt(n, self.most), body, done)
        f.place(body)
        both, more = (f"ptr {x}", f"ptr {y}"), passed(self.more)
        p, less = self.border(f, state)
        less = f.call("i64", f"@{self.name}.split", *both, f"i64 {n}", f"{self.key} {p}", f"i64 {less}", *more)
        is_none, is_all = f.eq(less, 0), f.eq(less, n)
        two_sides = f.label("two_sides")
        f.branch(f.any(is_none, is_all), one_side, two_sides, UNLIKELY)
        f.place(two_sides)
        deeper, counts_next = f.sub(depth, 1), "true" if self.has_positions else "false"
        given = f"i64 {less}", f"i64 {deeper}", f"i1 {stays}", f"i1 {counts_next}"
        f.call("void", f"@{self.name}.part", *both, *given, *more)
        following = [
            self.at(f, y, less), self.at(f, x, less), f.sub(n, less), deeper,
            f.op(f"xor i1 {stays}, true"), counts_next,
        ]  # fmt: skip
        latch = f.block
        f.jump(head)
        f.place(one_side)
        here, there = (f.choose(is_none, a, b, "ptr") for a, b in ((y, x), (x, y)))
        again = [here, there, n, depth, f.op(f"xor i1 {stays}, {is_none}"), "true"]
        f.jump(head)
        kinds = ("ptr", "ptr", "i64", "i64", "i1", "i1")
        f.lines[phis:phis] = [
            f"  {name} = phi {kind} [ %{name.rpartition('.')[2]}, %entry ], [ {new}, %{latch} ], [ {old}, %{one_side} ]"
            for name, kind, new, old in zip(state, kinds, following, again, strict=True)
        ]
        f.place(done)
        self.in_registers(f, x, f.choose(stays, x, y, "ptr"), n)
        f.ret()
        return f.text

    def in_registers(self, f: Asm, x: str, y: str, n: str) -> None:
        """The n elements at x, sorted to y, in as few registers as hold them."""
        for r in self.registers:
            with f.when(f.le(n, r * self.lanes)):
                f.call("void", f"@{self.name}.block{r}", f"ptr {x}", f"ptr {y}", f"i64 {n}", *passed(self.more))
                f.ret()

    def border(self, f: Asm, state: Sequence[str]) -> tuple[str, str]:
        """Where the part is split, and how many are less if it `counts` or all keys may be equal; it is done if they
        are."""
        x, y, n, depth, stays, counts = state
        quick, counting, found = f.label("quick"), f.label("counting"), f.label("found")
        counts = f.op(f"or i1 {counts}, {f.le(depth, 0)}")
        f.branch(counts, counting, quick)
        f.place(quick)
        given = f"ptr {x}", f"i64 {n}", f"i64 {depth}"
        sampled = f.call(self.key, f"@{self.name}.middle", *given)
        ends = f.load(self.key, x), f.load(self.key, self.at(f, self.at(f, x, n), -1))
        are_equal = f.all(*(f.compare("eq", self.key, f.op(f"sub {self.key} {sampled}, 1"), end) for end in ends))
        before = f.block
        f.branch(are_equal, counting, found, UNLIKELY)
        f.place(counting)
        pair = f"{{{self.key}, i64}}"
        both = f.call(pair, f"@{self.name}.pivot", *given)
        p, less = (f.op(f"extractvalue {pair} {both}, {k}") for k in range(2))
        with f.when(f.eq(less, n), UNLIKELY):
            with f.when(f.op(f"xor i1 {stays}, true")):
                f.call("void", f"@{self.name}.copy", f"ptr {x}", f"ptr {y}", f"i64 {n}", *passed(self.more))
            f.ret()
        behind = f.block
        f.jump(found)
        f.place(found)
        p = f.op(f"phi {self.key} [ {sampled}, %{before} ], [ {p}, %{behind} ]")
        return p, f.op(f"phi i64 [ 0, %{before} ], [ {less}, %{behind} ]")

    def sort(self) -> str:
        f = Asm("ptr", self.name, ("ptr a", "ptr b", "i64 n", *(self.more or ("i64 bytes",))), internal=True)
        if not self.has_positions:
            with f.when(f.call("i1", f"@{self.name}.is_sorted", "ptr %a", "i64 %n")):
                f.ret("ptr", "%a")
        self.from_the_top(f, "ptr %a", "ptr %b", "%n", "true", *passed(self.more))
        f.ret("ptr", "%a")
        return f.text

    def from_the_top(self, f: Asm, x: str, y: str, n: str, stays: str, *more: str) -> None:
        """The n elements at x, sorted to y, or to x if `stays`."""
        bits = f.sub(64, f.call("i64", "@llvm.ctlz.i64", f"i64 {n}", "i1 false"))
        depth, counts = f.shl(bits, 1), "true" if self.has_positions else "false"
        given = x, y, f"i64 {n}", f"i64 {depth}", f"i1 {stays}", f"i1 {counts}"
        f.call("void", f"@{self.name}.part", *given, *more)

    def is_sorted(self) -> str:
        """i1, by a look at the keys up to the vector with the first that is less than the one before it."""
        f, W = Asm("i1", f"{self.name}.is_sorted", ("ptr a", "i64 n"), internal=True), self.lanes
        pairs = f.sub("%n", 1)
        whole = f.and_(pairs, -W)

        def look(index: str, mask: str) -> None:
            following = f.add(index, 1)
            before, behind = (self.load(f, self.at(f, "%a", k), mask) for k in (index, following))
            falls = f.op(f"icmp sgt {self.kind} {before}, {behind}")
            with f.when(f.op(f"icmp ne i{W} {f.op(f'bitcast {self.mask} {falls} to i{W}')}, 0")):
                f.ret("i1", "false")

        with long_loop(f, whole, step=W) as loop:
            look(loop.index, "")
        look(whole, self.lanes_below(f, f.sub(pairs, whole)))
        f.ret("i1", "true")
        return f.text
