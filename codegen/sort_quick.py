"""LLVM text of quicksort by whole vectors, for machines that can compress the lanes of one (AVX-512).

A part of the line is split at a sampled key: what is less stays, what is not goes to the other buffer, both in the
order in which they stood, so that keys with positions are sorted stably.  Parts of a few registers are sorted there.  A
part that bad samples have split too often is split at its median, found bit by bit: the worst case is n log n too.
(Hoare, Quicksort, 1962; with vectors: Bramas, A Novel Hybrid Quicksort Algorithm, 2017.)
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from tensordsl.codegen.assembly import LIKELY, UNLIKELY, Asm, passed
from tensordsl.codegen.jobs import Job, share
from tensordsl.codegen.nest_words import Function
from tensordsl.codegen.sort_block import PairVectors, Vectors, set_lanes, sorted_block

SAMPLES = ((1, 0), (4, 1024))
BOTH = ("ptr x", "ptr y", "i64 n")
SHARED, PIECE = 1 << 16, 1 << 13  # keys that threads share, and of which they split a piece
SPLITS = 4  # times that all of them are split before threads sort what there is then
PIECES = 1 << SPLITS
PIECE_OF = Job(("ptr x", "ptr y", "i64 n", "i64 depth", "i1 stays", "i1 counts"))
# Of a sort by threads: the pieces before a split and behind it, and the shift of positions.
JOB = Job(("ptr from", "ptr to", "i64 shift"))


class Quick:
    """The functions for keys of 32 or 64 bits, alone or with positions, in vectors of 64 bytes.

    `@NAME(a, b, n, bytes)` sorts the n keys at a, with room for as many at b, and gives a.  With positions it is
    `@NAME(a, b, n, shift)`: the position of the key at an address is `shift` bytes behind it.
    """

    def __init__(self, name: str, bits: int, registers: tuple[int, ...], has_positions: bool = False) -> None:
        self.name, self.bits, self.registers = name, bits, registers
        self.size, self.lanes = bits // 8, 512 // bits
        self.key, self.kind, self.mask = f"i{bits}", f"<{self.lanes} x i{bits}>", f"<{self.lanes} x i1>"
        self.most = registers[-1] * self.lanes  # elements that are sorted in registers
        self.has_positions = has_positions
        self.more = ("i64 shift",) if has_positions else ()

    def declarations(self) -> str:
        W, kind, mask, name = self.lanes, self.kind, self.mask, f"v{self.lanes}{self.key}"
        return (
            f"declare {kind} @llvm.umin.{name}({kind}, {kind})\ndeclare {kind} @llvm.umax.{name}({kind}, {kind})\n"
            f"declare {kind} @llvm.masked.load.{name}.p0(ptr, i32, {mask}, {kind})\n"
            f"declare void @llvm.masked.store.{name}.p0({kind}, ptr, i32, {mask})\n"
            f"declare {kind} @llvm.masked.gather.{name}.v{W}p0(<{W} x ptr>, i32, {mask}, {kind})\n"
            f"declare {kind} @llvm.experimental.vector.compress.{name}({kind}, {mask}, {kind})\n"
            f"declare {self.key} @llvm.vector.reduce.add.{name}({kind})\n"
            "declare i64 @llvm.ctpop.i64(i64)\ndeclare i64 @llvm.ctlz.i64(i64, i1)\n"
            "declare i64 @llvm.smax.i64(i64, i64)\n"
            "declare <8 x i64> @llvm.x86.avx512.permvar.di.512(<8 x i64>, <8 x i64>)\n"
        )

    def text(self) -> str:
        blocks = (self.block(r) for r in self.registers)
        samples = (self.sample(r) for r, _ in SAMPLES)
        pivots = (*samples, self.count(), self.median(), self.middle(), self.pivot())
        if self.bits == 64 and not self.has_positions:
            pivots = (self.orders(), *pivots)
        ends = (self.sort(),) if self.has_positions else (self.is_sorted(), self.sort())
        shared = self.halve(), self.finish(), self.shared()
        return "".join((*blocks, *pivots, self.split(), self.copy(), self.part(), *ends, *shared))

    # -- vectors -------------------------------------------------------------------------------------------------------
    def at(self, f: Asm, base: str, k: str | int) -> str:
        return f.gep(base, k, self.key)

    def columns(self, f: Asm, place: str) -> list[str]:
        """Where the key and, if there is one, the position of an element stand."""
        return [place, f.gep(place, "%shift")] if self.has_positions else [place]

    def load(self, f: Asm, place: str, mask: str = "") -> str:
        if not mask:
            return f.op(f"load {self.kind}, ptr {place}, align {self.size}")
        given = f"ptr {place}", f"i32 {self.size}", f"{self.mask} {mask}", f"{self.kind} splat ({self.key} -1)"
        return f.call(self.kind, f"@llvm.masked.load.v{self.lanes}{self.key}.p0", *given)

    def store(self, f: Asm, value: str, place: str, mask: str = "") -> None:
        if not mask:
            f.do(f"store {self.kind} {value}, ptr {place}, align {self.size}")
            return
        given = f"{self.kind} {value}", f"ptr {place}", f"i32 {self.size}", f"{self.mask} {mask}"
        f.call("void", f"@llvm.masked.store.v{self.lanes}{self.key}.p0", *given)

    def compressed(self, f: Asm, value: str, mask: str) -> str:
        given = f"{self.kind} {value}", f"{self.mask} {mask}", f"{self.kind} poison"
        return f.call(self.kind, f"@llvm.experimental.vector.compress.v{self.lanes}{self.key}", *given)

    def first_lanes(self, f: Asm, count: str) -> str:
        """The mask of so many lanes, of all at most."""
        few = f.compare("slt", "i64", count, self.lanes)
        count = f.op(f"select i1 {few}, i64 {count}, i64 {self.lanes}")
        ones = f.op(f"sub i64 {f.op(f'shl i64 1, {count}')}, 1")
        bits = f.op(f"trunc i64 {ones} to i{self.lanes}")
        return f.op(f"bitcast i{self.lanes} {bits} to {self.mask}")

    # -- parts of a few registers --------------------------------------------------------------------------------------
    def block(self, r: int) -> str:
        """The n elements at x, in r registers at most, sorted to y, which may be x."""
        f = Asm("void", f"{self.name}.block{r}", (*BOTH, *self.more), internal=True)
        v = (PairVectors if self.has_positions else Vectors)(f, self.bits, self.lanes)
        masks = [self.first_lanes(f, self.rest(f, at)) for at in range(r)]
        places = [self.columns(f, self.at(f, "%x", at * self.lanes)) for at in range(r)]
        loaded = [[self.load(f, p, mask) for p in here] for here, mask in zip(places, masks, strict=True)]
        values: list[Any] = [tuple(x) if self.has_positions else x[0] for x in loaded]
        for at, (value, mask) in enumerate(zip(sorted_block(v, values), masks, strict=True)):
            targets = self.columns(f, self.at(f, "%y", at * self.lanes))
            for target, x in zip(targets, value if self.has_positions else (value,), strict=True):
                self.store(f, x, target, mask)
        f.ret()
        return f.text

    def rest(self, f: Asm, at: int) -> str:
        """How many elements stand in register `at` and behind it; at least 0."""
        left = f.op(f"sub i64 %n, {at * self.lanes}")
        return f.call("i64", "@llvm.smax.i64", f"i64 {left}", "i64 0")

    # -- where to split ------------------------------------------------------------------------------------------------
    def sample(self, r: int) -> str:
        """The middle one of r registers of the n keys at x, which stand as far apart as they can; the next number if
        none of these keys is less."""
        f = Asm(self.key, f"{self.name}.sample{r}", ("ptr x", "i64 n"), internal=True)
        v, W = Vectors(f, self.bits, self.lanes), self.lanes
        wide = Vectors(f, 64, W)
        apart = f.op(f"udiv i64 %n, {r * W}")
        by, begin = wide.every(apart), wide.every(f.op(f"lshr i64 {apart}, 1"))
        values = []
        for at in range(r):
            indices = f"<{', '.join(f'i64 {at * W + lane}' for lane in range(W))}>"
            where = f.op(f"add {wide.kind} {f.op(f'mul {wide.kind} {by}, {indices}')}, {begin}")
            places = f.op(f"getelementptr {self.key}, ptr %x, <{W} x i64> {where}")
            given = f"<{W} x ptr> {places}", f"i32 {self.size}", f"{self.mask} splat (i1 true)", f"{self.kind} poison"
            values.append(f.call(self.kind, f"@llvm.masked.gather.v{W}{self.key}.v{W}p0", *given))
        values = sorted_block(v, values)
        first = f.op(f"extractelement {self.kind} {values[0]}, i64 0")
        middle = f.op(f"extractelement {self.kind} {values[r // 2]}, i64 {0 if r > 1 else W // 2}")
        are_equal = f.all(f.compare("eq", self.key, first, middle), f.compare("ne", self.key, middle, -1))
        f.ret(self.key, f.op(f"add {self.key} {middle}, {f.op(f'zext i1 {are_equal} to {self.key}')}"))
        return f.text

    def count(self) -> str:
        """i64: how many of the n keys at x are less than p."""
        f, W = Asm("i64", f"{self.name}.count", ("ptr x", "i64 n", f"{self.key} p"), internal=True), self.lanes
        v = Vectors(f, self.bits, W)
        p, whole = v.every("%p"), f.op(f"and i64 %n, {-W}")

        def add(counts: str, keys: str) -> str:
            is_less = f.op(f"icmp ult {self.kind} {keys}, {p}")
            one = f.op(f"select {self.mask} {is_less}, {self.kind} splat ({self.key} 1), {self.kind} zeroinitializer")
            return f.op(f"add {self.kind} {counts}, {one}")

        with f.loop(whole, (self.kind, "zeroinitializer"), step=W) as loop:
            loop.next = [add(loop.values[0], self.load(f, self.at(f, "%x", loop.index)))]
        last = self.first_lanes(f, f.op(f"sub i64 %n, {whole}"))
        counts = add(loop.values[0], self.load(f, self.at(f, "%x", whole), last))  # lanes left out are never less
        total = f.call(self.key, f"@llvm.vector.reduce.add.v{W}{self.key}", f"{self.kind} {counts}")
        f.ret("i64", total if self.bits == 64 else f.op(f"zext {self.key} {total} to i64"))
        return f.text

    def median(self) -> str:
        """The key of which at most half of the n at x are less, and more than half are not greater."""
        f = Asm(self.key, f"{self.name}.median", ("ptr x", "i64 n"), internal=True)
        half, highest = f.op("lshr i64 %n, 1"), 1 << (self.bits - 1)
        with f.loop(self.bits, (self.key, "0"), (self.key, str(highest))) as loop:
            found, bit = loop.values
            tried = f.op(f"or {self.key} {found}, {bit}")
            less = f.call("i64", f"@{self.name}.count", "ptr %x", "i64 %n", f"{self.key} {tried}")
            is_low = f.compare("sle", "i64", less, half)
            loop.next = [
                f.op(f"select i1 {is_low}, {self.key} {tried}, {self.key} {found}"), f.op(f"lshr {self.key} {bit}, 1")
            ]  # fmt: skip
        f.ret(self.key, loop.values[0])
        return f.text

    def split(self) -> str:
        """i64 `less`: of the n elements at x those below p go to the front of x, the others to y, from `less` on."""
        params = (*BOTH, f"{self.key} p", "i64 less", *self.more)
        f, W = Asm("i64", f"{self.name}.split", params, internal=True), self.lanes
        p, whole = Vectors(f, self.bits, W).every("%p"), f.op(f"and i64 %n, {-W}")
        # of keys alone the others are written from the end, and `less` is found on the way
        start = "%less" if self.has_positions else "%n"
        moving: Callable[..., list[str]]
        moving = self.permuted if self.bits == 64 and not self.has_positions else self.moved
        with f.loop(whole, ("i64", "0"), ("i64", start), step=W) as loop:
            loop.next = moving(f, p, loop.index, *loop.values)
        last = self.first_lanes(f, f.op(f"sub i64 %n, {whole}"))
        kept, place = loop.values
        f.ret("i64", self.moved(f, p, whole, kept, place, last)[0])
        return f.text

    def moved(self, f: Asm, p: str, index: str, kept: str, place: str, there: str = "") -> list[str]:
        """(what stays, the place of the next others) behind a vector, or some of its lanes."""
        columns = [self.load(f, a, there) for a in self.columns(f, self.at(f, "%x", index))]
        is_less = f.op(f"icmp ult {self.kind} {columns[0]}, {p}")
        others = f.op(f"xor {self.mask} {is_less}, splat (i1 true)")
        if there:
            is_less, others = (f.op(f"and {self.mask} {m}, {there}") for m in (is_less, others))
        counts = [set_lanes(f, m, self.lanes) for m in (is_less, others)]
        following = f.op(f"{'add' if self.has_positions else 'sub'} i64 {place}, {counts[1]}")
        to = self.at(f, "%x", kept), self.at(f, "%y", place if self.has_positions else following)
        # what a whole vector writes behind the ones that stay has been read
        masks = self.first_lanes(f, counts[0]) if there else "", self.first_lanes(f, counts[1])
        for base, lanes, mask in zip(to, (is_less, others), masks, strict=True):
            for target, x in zip(self.columns(f, base), columns, strict=True):
                self.store(f, self.compressed(f, x, lanes), target, mask)
        return [f.op(f"add i64 {kept}, {counts[0]}"), following]

    def permuted(self, f: Asm, p: str, index: str, kept: str, end: str) -> list[str]:
        """The same of a vector of eight keys, in one order of all: what stays first, stored whole to either side."""
        x = self.load(f, self.at(f, "%x", index))
        is_less = f.op(f"icmp ult {self.kind} {x}, {p}")
        bits = f.op(f"zext i8 {f.op(f'bitcast {self.mask} {is_less} to i8')} to i64")
        order = f.op(f"load <8 x i8>, ptr {f.gep(f'@{self.name}.orders', bits, 'i64')}, align 8")
        order = f.op(f"zext <8 x i8> {order} to <8 x i64>")
        x = f.call(self.kind, "@llvm.x86.avx512.permvar.di.512", f"{self.kind} {x}", f"{self.kind} {order}")
        self.store(f, x, self.at(f, "%x", kept))
        self.store(f, x, self.at(f, "%y", f.op(f"sub i64 {end}, {self.lanes}")))
        count = f.call("i64", "@llvm.ctpop.i64", f"i64 {bits}")
        following = f.op(f"add i64 {f.op(f'sub i64 {end}, {self.lanes}')}, {count}")
        return [f.op(f"add i64 {kept}, {count}"), following]

    def orders(self) -> str:
        """For each set of eight lanes these, then the others."""
        numbers = []
        for bits in range(1 << self.lanes):
            row = sorted(range(self.lanes), key=lambda k: bits >> k & 1, reverse=True)
            numbers.append(f"i64 {int.from_bytes(bytes(row), 'little')}")
        return f"@{self.name}.orders = internal constant [{len(numbers)} x i64] [{', '.join(numbers)}], align 64\n"

    # -- the whole -----------------------------------------------------------------------------------------------------
    def pivot(self) -> str:
        """Where to split the n keys at x, and how many are less: some, and all of them only if they are equal."""
        result = f"{{{self.key}, i64}}"
        f = Asm(result, f"{self.name}.pivot", ("ptr x", "i64 n", "i64 depth"), internal=True)

        def answer(p: str, less: str) -> None:
            half = f.op(f"insertvalue {result} poison, {self.key} {p}, 0")
            f.ret(result, f.op(f"insertvalue {result} {half}, i64 {less}, 1"))

        def count(p: str) -> str:
            return f.call("i64", f"@{self.name}.count", "ptr %x", "i64 %n", f"{self.key} {p}")

        p = f.call(self.key, f"@{self.name}.middle", *passed(("ptr x", "i64 n", "i64 depth")))
        less = count(p)
        is_none, is_all = f.compare("eq", "i64", less, 0), f.compare("eq", "i64", less, "%n")
        with f.when(f.op(f"xor i1 {f.any(is_none, is_all)}, true"), LIKELY):
            answer(p, less)
        with f.when(is_all):  # by the key before: it is there, as it was sampled
            before = f.op(f"sub {self.key} {p}, 1")
            less = count(before)
            answer(before, f.op(f"select i1 {f.compare('eq', 'i64', less, 0)}, i64 %n, i64 {less}"))
        with f.when(f.compare("eq", self.key, p, -1)):
            answer(p, "%n")
        behind = f.op(f"add {self.key} {p}, 1")
        answer(behind, count(behind))
        return f.text

    def middle(self) -> str:
        f = Asm(self.key, f"{self.name}.middle", ("ptr x", "i64 n", "i64 depth"), internal=True)
        with f.when(f.compare("sle", "i64", "%depth", 0), UNLIKELY):
            f.ret(self.key, f.call(self.key, f"@{self.name}.median", "ptr %x", "i64 %n"))
        for r, least in reversed(SAMPLES):
            with f.when(f.compare("sge", "i64", "%n", least)):
                f.ret(self.key, f.call(self.key, f"@{self.name}.sample{r}", "ptr %x", "i64 %n"))
        f.do("unreachable")
        f.closed = True
        return f.text

    def copy(self) -> str:
        f, W = Asm("void", f"{self.name}.copy", (*BOTH, *self.more), internal=True), self.lanes
        with f.loop("%n", step=W) as loop:
            there = self.first_lanes(f, f.op(f"sub i64 %n, {loop.index}"))
            places = (self.columns(f, self.at(f, base, loop.index)) for base in ("%x", "%y"))
            for source, target in zip(*places, strict=True):
                self.store(f, self.load(f, source, there), target, there)
        f.ret()
        return f.text

    def part(self) -> str:
        """The n elements at x, sorted to y, or to x if `stays`; after `depth` splits they are split at medians."""
        params = (*BOTH, "i64 depth", "i1 stays", "i1 counts", *self.more)
        f = Asm("void", f"{self.name}.part", params, internal=True)
        head, body, done, one_side = f.label("head"), f.label("body"), f.label("done"), f.label("one_side")
        f.jump(head)
        f.place(head)
        state = [f"%{head}.{name}" for name in ("x", "y", "n", "depth", "stays", "counts")]
        x, y, n, depth, stays, _ = state
        phis = len(f.lines)
        f.branch(f.compare("sgt", "i64", n, self.most), body, done)
        f.place(body)
        both, more = (f"ptr {x}", f"ptr {y}"), passed(self.more)
        p, less = self.border(f, state)
        less = f.call("i64", f"@{self.name}.split", *both, f"i64 {n}", f"{self.key} {p}", f"i64 {less}", *more)
        is_none, is_all = f.compare("eq", "i64", less, 0), f.compare("eq", "i64", less, n)
        two_sides = f.label("two_sides")
        f.branch(f.any(is_none, is_all), one_side, two_sides, UNLIKELY)
        f.place(two_sides)
        deeper, counts_next = f.op(f"sub i64 {depth}, 1"), "true" if self.has_positions else "false"
        given = f"i64 {less}", f"i64 {deeper}", f"i1 {stays}", f"i1 {counts_next}"
        f.call("void", f"@{self.name}.part", *both, *given, *more)
        following = [
            self.at(f, y, less), self.at(f, x, less), f.op(f"sub i64 {n}, {less}"), deeper,
            f.op(f"xor i1 {stays}, true"), counts_next,
        ]  # fmt: skip
        latch = f.block
        f.jump(head)
        f.place(one_side)
        here, there = (f.op(f"select i1 {is_none}, ptr {a}, ptr {b}") for a, b in ((y, x), (x, y)))
        again = [here, there, n, depth, f.op(f"xor i1 {stays}, {is_none}"), "true"]
        f.jump(head)
        kinds = ("ptr", "ptr", "i64", "i64", "i1", "i1")
        f.lines[phis:phis] = [
            f"  {name} = phi {kind} [ %{name.rpartition('.')[2]}, %entry ], [ {new}, %{latch} ], [ {old}, %{one_side} ]"
            for name, kind, new, old in zip(state, kinds, following, again, strict=True)
        ]
        f.place(done)
        self.in_registers(f, x, f.op(f"select i1 {stays}, ptr {x}, ptr {y}"), n)
        f.ret()
        return f.text

    def in_registers(self, f: Asm, x: str, y: str, n: str) -> None:
        """The n elements at x, sorted to y, in as few registers as hold them."""
        for r in self.registers:
            with f.when(f.compare("sle", "i64", n, r * self.lanes)):
                f.call("void", f"@{self.name}.block{r}", f"ptr {x}", f"ptr {y}", f"i64 {n}", *passed(self.more))
                f.ret()

    def border(self, f: Asm, state: Sequence[str]) -> tuple[str, str]:
        """Where the part is split, and how many are less if it `counts`; it is done if all of its keys are equal."""
        x, y, n, depth, stays, counts = state
        quick, counting, found = f.label("quick"), f.label("counting"), f.label("found")
        counts = f.op(f"or i1 {counts}, {f.compare('sle', 'i64', depth, 0)}")
        f.branch(counts, counting, quick)
        f.place(quick)
        given = f"ptr {x}", f"i64 {n}", f"i64 {depth}"
        sampled, before = f.call(self.key, f"@{self.name}.middle", *given), f.block
        f.jump(found)
        f.place(counting)
        pair = f"{{{self.key}, i64}}"
        both = f.call(pair, f"@{self.name}.pivot", *given)
        p, less = (f.op(f"extractvalue {pair} {both}, {k}") for k in range(2))
        with f.when(f.compare("eq", "i64", less, n), UNLIKELY):
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
        bits = f.op(f"sub i64 64, {f.call('i64', '@llvm.ctlz.i64', 'i64 %n', 'i1 false')}")
        depth = f.op(f"shl i64 {bits}, 1")
        counts = "true" if self.has_positions else "false"
        given = "ptr %a", "ptr %b", "i64 %n", f"i64 {depth}", "i1 true", f"i1 {counts}", *passed(self.more)
        f.call("void", f"@{self.name}.part", *given)
        f.ret("ptr", "%a")
        return f.text

    def halve(self) -> str:
        """The k-th piece of a job as two: what is less, and the others; or as one and none."""
        f = Function("void", f"{self.name}.halve", ("ptr job", "i64 k"), internal=True)
        piece, twice = self.given(f), f.arith("shl", "%k", 1)
        targets = [self.piece(f, JOB.get(f, "to"), f.arith("or", twice, j)) for j in range(2)]
        for target in targets:
            PIECE_OF.put(f, target, "n", 0)
        x, y, n, depth, stays, _ = state = list(piece.values())
        with f.when(f.compare("sle", "i64", n, PIECE)):
            self.put_piece(f, targets[0], state)
            f.ret()
        p, less = self.border(f, state)
        split = f"ptr {x}", f"ptr {y}", f"i64 {n}", f"{self.key} {p}", f"i64 {less}", *passed(self.more)
        less = f.call("i64", f"@{self.name}.split", *split)
        is_none, is_all = f.compare("eq", "i64", less, 0), f.compare("eq", "i64", less, n)
        with f.when(f.any(is_none, is_all), UNLIKELY):
            here, there = (f.op(f"select i1 {is_none}, ptr {a}, ptr {b}") for a, b in ((y, x), (x, y)))
            self.put_piece(f, targets[0], [here, there, n, depth, f.op(f"xor i1 {stays}, {is_none}"), "true"])
            f.ret()
        deeper, counts = f.op(f"sub i64 {depth}, 1"), "true" if self.has_positions else "false"
        self.put_piece(f, targets[0], [x, y, less, deeper, stays, counts])
        behind, there = self.at(f, y, less), self.at(f, x, less)
        rest = [behind, there, f.op(f"sub i64 {n}, {less}"), deeper, f.op(f"xor i1 {stays}, true"), counts]
        self.put_piece(f, targets[1], rest)
        f.ret()
        return f.text

    def given(self, f: Function) -> dict[str, str]:
        """The words of the k-th piece of %job; and %shift."""
        if self.has_positions:
            f.do(f"%shift = load i64, ptr {f.word('%job', JOB.words['shift'])}, align 8")
        place = self.piece(f, JOB.get(f, "from"), "%k")
        return {name: PIECE_OF.get(f, name, place) for name in PIECE_OF.words}

    def piece(self, f: Function, table: str, k: str) -> str:
        return f.word(table, f.arith("mul", k, len(PIECE_OF.words)))

    def put_piece(self, f: Function, place: str, state: Sequence[str]) -> None:
        for name, value in zip(PIECE_OF.words, state, strict=True):
            PIECE_OF.put(f, place, name, value)

    def finish(self) -> str:
        """The k-th piece of a job, sorted."""
        f = Function("void", f"{self.name}.finish", ("ptr job", "i64 k"), internal=True)
        piece = self.given(f)
        with f.when(f.test("sgt", piece["n"], 0)):
            words = (f"{PIECE_OF.kinds[name]} {value}" for name, value in piece.items())
            f.call("void", f"@{self.name}.part", *words, *passed(self.more))
        f.ret()
        return f.text

    def shared(self) -> str:
        """As `sort`, by the threads of a pool if there is one and the keys are many: their order is one, whoever does
        what."""
        given = ("ptr a", "ptr b", "i64 n", *(self.more or ("i64 bytes",)))
        f = Function("ptr", f"{self.name}.shared", (*given, "ptr pool"), internal=True)
        with f.when(f.any(f.is_null("%pool"), f.test("slt", "%n", SHARED))):
            f.ret("ptr", f.call("ptr", f"@{self.name}", *passed(given)))
        if not self.has_positions:
            with f.when(f.call("i1", f"@{self.name}.is_sorted", "ptr %a", "i64 %n")):
                f.ret("ptr", "%a")
        tables = [f.op(f"alloca i64, i64 {PIECES * len(PIECE_OF.words)}, align 8") for _ in range(2)]
        bits = f.arith("sub", 64, f.call("i64", "@llvm.ctlz.i64", "i64 %n", "i1 false"))
        counts = "true" if self.has_positions else "false"
        self.put_piece(f, tables[0], ["%a", "%b", "%n", f.arith("shl", bits, 1), "true", counts])
        job = JOB.made(f, {"shift": "%shift" if self.has_positions else "0"})
        for split in range(SPLITS + 1):
            JOB.put(f, job, "from", tables[split % 2])
            JOB.put(f, job, "to", tables[1 - split % 2])
            share(f, "%pool", f"{self.name}.{'halve' if split < SPLITS else 'finish'}", job, str(1 << split))
        f.ret("ptr", "%a")
        return f.text

    def is_sorted(self) -> str:
        """i1, by a look at the keys up to the vector with the first that is less than the one before it."""
        f, W = Asm("i1", f"{self.name}.is_sorted", ("ptr a", "i64 n"), internal=True), self.lanes
        with f.loop(f.op("sub i64 %n, 1"), step=W) as loop:
            there = self.first_lanes(f, f.op(f"sub i64 {f.op('sub i64 %n, 1')}, {loop.index}"))
            following = f.op(f"add i64 {loop.index}, 1")
            before, behind = (self.load(f, self.at(f, "%a", k), there) for k in (loop.index, following))
            falls = f.op(f"icmp ugt {self.kind} {before}, {behind}")
            with f.when(f.op(f"icmp ne i{W} {f.op(f'bitcast {self.mask} {falls} to i{W}')}, 0")):
                f.ret("i1", "false")
        f.ret("i1", "true")
        return f.text
