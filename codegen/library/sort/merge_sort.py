"""Merge sort and radix sort of adjacent elements by their keys, where `sort.quicksort` lacks instructions.

Contract  `NAME(a, b, n, bytes)`: the n elements at a, sorted, with room at b; gives a or b.  Stable.
How       runs are sorted in registers (`networks`), or by ranks for (key, position) pairs, and merged from both ends at
          once without unpredictable branches; many elements go digit by digit.
Ref       O. Peters, glidesort; S. van den Hoven, quadsort; LSD radix sort: Knuth, TAOCP 3, 5.2.5.
"""

from __future__ import annotations

from tensordsl.codegen.library.signals import long_loop
from tensordsl.codegen.library.sort import networks
from tensordsl.codegen.llvm.builder import Asm, passed
from tensordsl.codegen.target.tuning import Tuning

RANKED_ELEMENTS, MAX_REGISTER_ELEMENTS = 8, 128  # sorted by their ranks; sorted in registers, at most
INTERLEAVED_MERGES = (2, 1)  # pairs of runs merged at once
DIGITS = 256  # values of a byte
UNPREDICTABLE = 2  # the number of the metadata that keeps LLVM from making a branch of a choice
METADATA = f"!{UNPREDICTABLE} = !{{}}\n"
BUFFER_PARAMS = ("ptr a", "ptr b", "i64 n")


class Core:
    """The functions for one kind of element: signed integers of 16, 32 or 64 bits, or pairs of an unsigned key of 64
    bits and a position.

    `@NAME(a, b, n, bytes)` sorts the n elements at a, with room for as many at b and keys of so many bytes; it gives
    the address of the result, a or b.  Behind both is room for one vector more.
    """

    def __init__(self, name: str, bits: int, tuning: Tuning) -> None:
        self.tuning = tuning
        self.name, self.is_pair, self.bits = name, bits == 128, bits
        self.kind = "<2 x i64>" if self.is_pair else f"i{bits}"
        self.key_kind = "i64" if self.is_pair else self.kind
        self.size, self.greatest = bits // 8, (1 << (bits - 1)) - 1
        self.lanes = tuning.machine.vector_bytes // self.size
        self.blocks = (
            []
            if self.is_pair
            else [r for r in (2, 4, 8) if r <= self.lanes and r * self.lanes <= MAX_REGISTER_ELEMENTS]
        )
        self.run = RANKED_ELEMENTS if self.is_pair else self.blocks[-1] * self.lanes  # elements of the first runs

    def text(self) -> str:
        if self.is_pair:
            parts = [self.ranked("runs"), self.insert("tail"), *map(self.pairs, INTERLEAVED_MERGES), self.rest()]
        else:
            parts = [self.ranked("few"), *(self.block(f"runs{r}", r) for r in self.blocks[:-1])]
            parts += [self.block("runs", self.blocks[-1]), self.tail(), self.vectors()]
        return "".join((*parts, self.merged(), self.digit(), self.sort()))

    def declarations(self) -> str:
        return "" if self.is_pair else networks.declarations(self.bits, self.lanes)

    # -- elements ------------------------------------------------------------------------------------------------------
    def at(self, f: Asm, base: str, k: str | int) -> str:
        return f.gep(base, k, self.kind)

    def key(self, f: Asm, place: str) -> str:
        return f.op(f"load {self.key_kind}, ptr {place}, align {min(self.size, 8)}")

    def move(self, f: Asm, source: str, target: str) -> None:
        value = f.op(f"load {self.kind}, ptr {source}, align {min(self.size, 8)}")
        f.do(f"store {self.kind} {value}, ptr {target}, align {min(self.size, 8)}")

    def less(self, f: Asm, x: str, y: str) -> str:
        return f.compare("ult" if self.is_pair else "slt", self.key_kind, x, y)

    def chosen(self, f: Asm, x: str, y: str, target: str, last: bool = False) -> str:
        """i1: is the element at y less than the one at x?  The lesser one, or the other if `last`, goes to `target`."""
        keys = self.key(f, x), self.key(f, y)
        is_less = self.less(f, keys[1], keys[0])
        kind, (p, q) = ("ptr", (x, y)) if self.is_pair else (self.kind, keys)
        yes, no = (p, q) if last else (q, p)
        value = f.op(f"select i1 {is_less}, {kind} {yes}, {kind} {no}, !unpredictable !{UNPREDICTABLE}")
        if self.is_pair:
            self.move(f, value, target)
        else:
            f.store(self.kind, value, target)
        return is_less

    def bytes_if(self, f: Asm, condition: str) -> str:
        return f.shl(f.op(f"zext i1 {condition} to i64"), self.size.bit_length() - 1)

    # -- short runs ----------------------------------------------------------------------------------------------------
    def block(self, name: str, registers: int) -> str:
        return networks.block_text(f"{self.name}.{name}", self.bits, self.lanes, registers)

    def tail(self) -> str:
        """The n elements at a, fewer than a block, sorted to b among the largest numbers; by whole vectors."""
        f, W = Asm("void", f"{self.name}.tail", BUFFER_PARAMS, internal=True), self.lanes
        v = networks.Vectors(f, self.bits, W)
        room, result = (
            f.op(f"alloca [{max(self.run, RANKED_ELEMENTS) + W} x {self.kind}], align 64") for _ in range(2)
        )
        with f.when(f.le("%n", RANKED_ELEMENTS)):  # one by one: what was just stored so is not read otherwise
            with f.loop("%n") as loop:
                self.move(f, self.at(f, "%a", loop.index), self.at(f, room, loop.index))
            with f.loop(RANKED_ELEMENTS, start="%n") as loop:
                f.store(self.kind, self.greatest, self.at(f, room, loop.index))
            f.call("void", f"@{self.name}.few", f"ptr {room}", f"ptr {result}")
            with f.loop("%n") as loop:
                self.move(f, self.at(f, result, loop.index), self.at(f, "%b", loop.index))
            f.ret()
        with f.loop("%n", step=W) as loop:
            v.store(v.load(self.at(f, "%a", loop.index)), self.at(f, room, loop.index))
        names = [*((r * W, f"runs{r}") for r in self.blocks[:-1]), (self.run, "runs")]
        for size, name in names:
            with f.when(f.le("%n", size)):
                with f.loop(size, start="%n", step=W) as loop:
                    v.store(f"splat (i{self.bits} {self.greatest})", self.at(f, room, loop.index))
                f.call("void", f"@{self.name}.{name}", f"ptr {room}", f"ptr {result}")
                with f.loop("%n", step=W) as loop:
                    v.store(v.load(self.at(f, result, loop.index)), self.at(f, "%b", loop.index))
                f.ret()
        f.ret()
        return f.text

    def insert(self, name: str) -> str:
        """The n elements at a, sorted to b one by one."""
        f = Asm("void", f"{self.name}.{name}", BUFFER_PARAMS, internal=True)
        with f.loop("%n") as loop:
            source = self.at(f, "%a", loop.index)
            key = self.key(f, source)
            head, body, end, before = f.label("look"), f.label("shift"), f.label("found"), f.block
            f.jump(head)
            f.place(head)
            hole = f.op(f"phi i64 [ {loop.index}, %{before} ], [ %{body}.next, %{body} ]")
            f.do(f"%{body}.next = add i64 {hole}, -1")
            look = f.label("compare")
            f.branch(f.gt(hole, 0), look, end)
            f.place(look)
            left = self.at(f, "%b", f"%{body}.next")
            f.branch(self.less(f, key, self.key(f, left)), body, end)
            f.place(body)
            self.move(f, left, self.at(f, "%b", hole))
            f.jump(head)
            f.place(end)
            self.move(f, source, self.at(f, "%b", hole))
        f.ret()
        return f.text

    def ranked(self, name: str) -> str:
        """The BLOCK elements at a, each stored to b where the number of those before it says."""
        f = Asm("void", f"{self.name}.{name}", BUFFER_PARAMS[:2], internal=True)
        places = [self.at(f, "%a", k) for k in range(RANKED_ELEMENTS)]
        keys = [self.key(f, place) for place in places]
        ranks = ["0"] * RANKED_ELEMENTS
        for i in range(RANKED_ELEMENTS):
            for j in range(i + 1, RANKED_ELEMENTS):
                later_first = f.op(f"zext i1 {self.less(f, keys[j], keys[i])} to i64")
                ranks[i] = f.add(ranks[i], later_first)
                ranks[j] = f.sub(f.add(ranks[j], 1), later_first)
        for place, rank in zip(places, ranks, strict=True):
            self.move(f, place, self.at(f, "%b", rank))
        f.ret()
        return f.text

    # -- merging -------------------------------------------------------------------------------------------------------
    def pairs(self, k: int) -> str:
        """2k runs of n elements each, from a to b: of each two the first n results from the left, the last from the
        right; k such merges interleaved, as each waits for its last comparison."""
        f = Asm("void", f"{self.name}.pairs{k}", BUFFER_PARAMS, internal=True)
        twice, last = f.shl("%n", 1), f.sub("%n", 1)
        bases = [[self.at(f, x, f.mul(twice, m)) for x in ("%a", "%b")] for m in range(k)]
        bases = [[a, self.at(f, a, "%n"), b, self.at(f, b, "%n")] for a, b in bases]
        starts = [("i64", x) for _ in range(k) for x in ("0", "0", last, last)]
        with long_loop(f, "%n", *starts) as loop:
            from_end = f.sub(last, loop.index)
            for m, (a, middle, b, target) in enumerate(bases):
                left, right, low, high = loop.values[4 * m : 4 * m + 4]
                x, y = self.at(f, a, left), self.at(f, middle, right)
                taken = self.chosen(f, x, y, self.at(f, b, loop.index))
                x, y = self.at(f, a, low), self.at(f, middle, high)
                kept = self.chosen(f, x, y, self.at(f, target, from_end), last=True)
                one, two = (f.op(f"zext i1 {c} to i64") for c in (taken, kept))
                loop.next += [
                    f.sub(f.add(left, 1), one), f.add(right, one),
                    f.sub(low, two), f.add(f.sub(high, 1), two),
                ]  # fmt: skip
        f.ret()
        return f.text

    def rest(self) -> str:
        """A run of n elements and one of m, not more, behind it, from a to b: m results from either end, then those
        between."""
        f = Asm("void", f"{self.name}.rest", (*BUFFER_PARAMS, "i64 m"), internal=True)
        middle, total = self.at(f, "%a", "%n"), f.add("%n", "%m")
        ends = self.at(f, middle, -1), self.at(f, "%a", f.sub(total, 1))
        last = self.at(f, "%b", f.sub(total, 1))
        with long_loop(f, "%m", ("ptr", "%a"), ("ptr", middle), ("ptr", ends[0]), ("ptr", ends[1])) as loop:
            left, right, low, high = loop.values
            step = self.bytes_if(f, self.chosen(f, left, right, self.at(f, "%b", loop.index)))
            target = self.at(f, last, f.sub(0, loop.index))
            back = self.bytes_if(f, self.chosen(f, low, high, target, last=True))
            loop.next = [
                f.gep(left, f.sub(self.size, step)), f.gep(right, step),
                f.gep(low, f.sub(0, back)), f.gep(high, f.sub(back, self.size)),
            ]  # fmt: skip
        left, right, low, high = loop.values
        ends = self.at(f, low, 1), self.at(f, high, 1)
        target, count = self.at(f, "%b", "%m"), f.sub("%n", "%m")
        with long_loop(f, count, ("ptr", left), ("ptr", right)) as loop:
            left, right = loop.values
            no_left, some_right = f.compare("eq", "ptr", left, ends[0]), f.compare("ne", "ptr", right, ends[1])
            is_less = self.less(f, self.key(f, right), self.key(f, left))
            is_right = f.op(f"or i1 {no_left}, {f.op(f'and i1 {some_right}, {is_less}')}")
            source = f.choose(is_right, right, f"{left}, !unpredictable !{UNPREDICTABLE}", "ptr")
            self.move(f, source, self.at(f, target, loop.index))
            step = self.bytes_if(f, is_right)
            loop.next = [f.gep(left, f.sub(self.size, step)), f.gep(right, step)]
        f.ret()
        return f.text

    def vectors(self) -> str:
        """The same in vectors, for plain numbers: n and m are whole ones, m may be 0.

        Of the numbers that have been read the lesser half is next; the run whose next number is the lesser one is read.
        """
        f = Asm("void", f"{self.name}.rest", (*BUFFER_PARAMS, "i64 m"), internal=True)
        v, length = networks.Vectors(f, self.bits, self.lanes), self.size * self.lanes
        middle, total = self.at(f, "%a", "%n"), f.add("%n", "%m")
        end, last = self.at(f, middle, "%m"), f.sub(total, self.lanes)
        with f.when(f.eq("%m", 0)):
            with f.loop("%n", step=self.lanes) as loop:
                v.store(v.load(self.at(f, "%a", loop.index)), self.at(f, "%b", loop.index))
            f.ret()
        low, high = v.merged(v.load("%a"), v.load(middle))
        v.store(low, "%b")
        starts = (("ptr", f.gep("%a", length)), ("ptr", f.gep(middle, length)), (v.kind, high))
        with long_loop(f, last, *starts, start=self.lanes, step=self.lanes) as loop:
            left, right, held = loop.values
            no_left, some_right = f.compare("eq", "ptr", left, middle), f.compare("ne", "ptr", right, end)
            is_less = self.less(f, self.key(f, right), self.key(f, left))
            is_right = f.op(f"or i1 {no_left}, {f.op(f'and i1 {some_right}, {is_less}')}")
            source = f.choose(is_right, right, f"{left}, !unpredictable !{UNPREDICTABLE}", "ptr")
            low, high = v.merged(held, v.load(source))
            v.store(low, self.at(f, "%b", loop.index))
            step = f.shl(f.op(f"zext i1 {is_right} to i64"), length.bit_length() - 1)
            loop.next = [f.gep(left, f.sub(length, step)), f.gep(right, step), high]
        v.store(loop.values[2], self.at(f, "%b", last))
        f.ret()
        return f.text

    def merged(self) -> str:
        """ptr: where the n elements at a, in sorted runs of `run` elements, are after all of them were merged."""
        f = Asm("ptr", f"{self.name}.merged", BUFFER_PARAMS, internal=True)
        head, body, done = f.label("head"), f.label("body"), f.label("done")
        f.jump(head)
        f.place(head)
        run, source, target = (f"%{head}.{x}" for x in ("run", "source", "target"))
        phis = len(f.lines)
        f.branch(f.lt(run, "%n"), body, done)
        f.place(body)
        twice = f.shl(run, 1)
        whole = "0"
        for k in INTERLEAVED_MERGES if self.is_pair else ():
            length = f.mul(twice, k)
            left = f.sub("%n", whole)
            rest = f.srem(left, length)
            end = f.sub("%n", rest)
            with f.loop(end, start=whole, step=length) as loop:
                x, y = self.at(f, source, loop.index), self.at(f, target, loop.index)
                f.call("void", f"@{self.name}.pairs{k}", f"ptr {x}", f"ptr {y}", f"i64 {run}")
            whole = end
        with f.loop("%n", start=whole, step=twice) as loop:  # of pairs: what is no whole pair of runs
            left = f.sub("%n", loop.index)
            first = f.choose(f.lt(left, run), left, run)
            left = f.sub(left, first)
            second = f.choose(f.lt(left, run), left, run)
            x, y = self.at(f, source, loop.index), self.at(f, target, loop.index)
            f.call("void", f"@{self.name}.rest", f"ptr {x}", f"ptr {y}", f"i64 {first}", f"i64 {second}")
        latch = f.block
        f.jump(head)
        f.lines[phis:phis] = [
            f"  {run} = phi i64 [ {self.run}, %entry ], [ {twice}, %{latch} ]",
            f"  {source} = phi ptr [ %a, %entry ], [ {target}, %{latch} ]",
            f"  {target} = phi ptr [ %b, %entry ], [ {source}, %{latch} ]",
        ]
        f.place(done)
        f.ret("ptr", source)
        return f.text

    # -- digits --------------------------------------------------------------------------------------------------------
    def digit(self) -> str:
        """i64: 1 if the n elements have been moved from a to b in the order of the key's byte at `shift`; 0 if all have
        the same one."""
        f = Asm("i64", f"{self.name}.digit", (*BUFFER_PARAMS, "i64 shift"), internal=True)
        counts = f.op(f"alloca [{DIGITS} x i64], align 64")
        f.do(f"store [{DIGITS} x i64] zeroinitializer, ptr {counts}")
        with long_loop(f, "%n") as loop:
            place = self.count_of(f, counts, self.at(f, "%a", loop.index))
            f.store("i64", f.add(f.load("i64", place), 1), place)
        first = f.load("i64", self.count_of(f, counts, "%a"))
        with f.when(f.eq(first, "%n")):
            f.ret("i64", 0)
        with f.loop(DIGITS, ("i64", "0")) as loop:
            place = f.gep(counts, loop.index, "i64")
            loop.next = [f.add(loop.values[0], f.load("i64", place))]
            f.store("i64", loop.values[0], place)
        with long_loop(f, "%n") as loop:
            source = self.at(f, "%a", loop.index)
            place = self.count_of(f, counts, source)
            to = f.load("i64", place)
            f.store("i64", f.add(to, 1), place)
            self.move(f, source, self.at(f, "%b", to))
        f.ret("i64", 1)
        return f.text

    def count_of(self, f: Asm, counts: str, place: str) -> str:
        key = self.key(f, place)
        key = key if self.is_pair else f.op(f"xor {self.kind} {key}, {~self.greatest}")  # unsigned
        wide = key if self.key_kind == "i64" else f.op(f"zext {self.key_kind} {key} to i64")
        byte = f.and_(f.lshr(wide, "%shift"), DIGITS - 1)
        return f.gep(counts, byte, "i64")

    # -- the whole -----------------------------------------------------------------------------------------------------
    def sort(self) -> str:
        f = Asm("ptr", self.name, (*BUFFER_PARAMS, "i64 bytes"), internal=True)
        with f.when(f.lt("%n", self.run)):
            f.call("void", f"@{self.name}.tail", *passed(BUFFER_PARAMS))
            f.ret("ptr", "%b")
        with f.when(self.is_sorted(f)):
            f.ret("ptr", "%a")
        with f.when(f.ge("%n", self.many(f))):
            with f.loop(f.shl("%bytes", 3), ("ptr", "%a"), ("ptr", "%b"), step=8) as loop:
                a, b = loop.values
                moved = f.call("i64", f"@{self.name}.digit", f"ptr {a}", f"ptr {b}", "i64 %n", f"i64 {loop.index}")
                is_moved = f.ne(moved, 0)
                loop.next = [f.choose(is_moved, x, y, "ptr") for x, y in ((b, a), (a, b))]
            f.ret("ptr", loop.values[0])
        n = "%n" if self.is_pair else self.padded(f)
        whole = f.and_(n, -self.run)
        with long_loop(f, whole, step=self.run) as loop:
            x, y = self.at(f, "%a", loop.index), self.at(f, "%b", loop.index)
            f.call("void", f"@{self.name}.runs", f"ptr {x}", f"ptr {y}")
        x, y, left = self.at(f, "%a", whole), self.at(f, "%b", whole), f.sub(n, whole)
        with f.when(f.gt(left, 0)):
            f.call("void", f"@{self.name}.tail", f"ptr {x}", f"ptr {y}", f"i64 {left}")
        f.ret("ptr", f.call("ptr", f"@{self.name}.merged", "ptr %b", "ptr %a", f"i64 {n}"))
        return f.text

    def padded(self, f: Asm) -> str:
        """How many elements whole vectors hold; those behind the last one become the largest number."""
        n = f.and_(f.add("%n", self.lanes - 1), -self.lanes)
        with f.loop(n, start="%n") as loop:
            f.store(self.kind, self.greatest, self.at(f, "%a", loop.index))
        return n

    def many(self, f: Asm) -> str:
        """From how many elements on they are sorted by their digits."""
        t = self.tuning.sort
        if self.is_pair:
            few = f.mul("%bytes", 48)
            return f.choose(f.le("%bytes", 4), few, t.radix_min_pairs)
        if self.bits > 16:
            return str(t.radix_min_4_bytes if self.bits == 32 else t.radix_min_8_bytes)
        is_byte = f.eq("%bytes", 1)
        return f.choose(is_byte, t.radix_min_1_byte, t.radix_min_2_bytes)

    def is_sorted(self, f: Asm) -> str:
        """i1, by a look at the elements up to the first that is less than the one before it."""
        head, look, done, before = f.label("head"), f.label("look"), f.label("done"), f.block
        f.jump(head)
        f.place(head)
        k = f.op(f"phi i64 [ 1, %{before} ], [ %{look}.next, %{look} ]")
        f.branch(f.lt(k, "%n"), look, done)
        f.place(look)
        place = self.at(f, "%a", k)
        falls = self.less(f, self.key(f, place), self.key(f, self.at(f, place, -1)))
        f.do(f"%{look}.next = add i64 {k}, 1")
        f.branch(falls, done, head)
        f.place(done)
        return f.ge(k, "%n")
