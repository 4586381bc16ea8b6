"""Merge sort and radix sort of adjacent elements by their keys, where `sort.quicksort` lacks instructions.

Contract  `NAME(a, b, n, bytes)`: the n elements at a, sorted, with room at b; gives a or b.  Stable.
How       runs are sorted in registers (`networks`), or by ranks for (key, position) pairs, and merged from both ends at
          once without unpredictable branches; many elements go digit by digit.
Ref       O. Peters, glidesort; S. van den Hoven, quadsort; LSD radix sort: Knuth, TAOCP 3, 5.2.5.
"""

from __future__ import annotations

from typing import Any

from tensordsl.codegen.kernel_ir.ir import Function
from tensordsl.codegen.kernel_ir.language import Kernel, Number, Pointer, kernel
from tensordsl.codegen.kernel_ir.types import INTEGER_OF_BYTES, Kind, Signature, array, i64, ptr, signature
from tensordsl.codegen.library.polls import polled_range
from tensordsl.codegen.library.sort import networks
from tensordsl.codegen.target.tuning import Tuning

RANKED_ELEMENTS, MAX_REGISTER_ELEMENTS = 8, 128  # sorted by their ranks; sorted in registers, at most
INTERLEAVED_MERGES = (2, 1)  # pairs of runs merged at once
DIGITS = 256  # values of a byte


def core_signature(name: str) -> Signature:
    return signature(name, ptr, a=ptr, b=ptr, n=i64, bytes=i64)


class Core:
    """The functions for one kind of element: signed integers of 16, 32 or 64 bits, or pairs of an unsigned key of 64
    bits and a position.

    `NAME(a, b, n, bytes)` sorts the n elements at a, with room for as many at b and keys of so many bytes; it gives the
    address of the result, a or b.  Behind both is room for one vector more.
    """

    def __init__(self, name: str, bits: int, tuning: Tuning) -> None:
        self.tuning = tuning
        self.name, self.is_pair, self.size = name, bits == 128, bits // 8
        self.key_type = i64 if self.is_pair else INTEGER_OF_BYTES[self.size]
        self.element = i64.of(2) if self.is_pair else self.key_type
        self.greatest = (1 << (bits - 1)) - 1
        self.lanes = tuning.machine.vector_bytes // self.size
        self.vector = self.key_type.of(self.lanes)
        self.blocks = (
            []
            if self.is_pair
            else [r for r in (2, 4, 8) if r <= self.lanes and r * self.lanes <= MAX_REGISTER_ELEMENTS]
        )
        self.short_blocks = [r for r in self.blocks[:-1] if r * self.lanes > RANKED_ELEMENTS]
        self.run = RANKED_ELEMENTS if self.is_pair else self.blocks[-1] * self.lanes  # elements of the first runs

    def functions(self) -> list[Function]:
        if self.is_pair:
            made = [self.ranked("runs"), self.insert("tail"), *map(self.pairs, INTERLEAVED_MERGES), self.rest()]
        else:
            blocks = [*((f"runs{r}", r) for r in self.short_blocks), ("runs", self.blocks[-1])]
            made = [self.ranked("few"), *(networks.block(f"{self.name}.{n}", self.vector, r) for n, r in blocks)]
            made += [self.tail(), self.vectors()]
        return [*made, self.merged(), self.digit(), self.sort()]

    # -- signatures ----------------------------------------------------------------------------------------------------
    def places_signature(self, name: str) -> Signature:
        return signature(f"{self.name}.{name}", a=array(self.element), b=array(self.element))

    def buffers_signature(self, name: str, **more: Kind) -> Signature:
        buffers: dict[str, Kind] = dict(a=array(self.element), b=array(self.element), n=i64)
        return signature(f"{self.name}.{name}", None, buffers | more)

    def merged_signature(self) -> Signature:
        s = self.buffers_signature("merged")
        return signature(s.name, ptr, dict(s.parameters))

    def digit_signature(self) -> Signature:
        s = self.buffers_signature("digit", shift=i64)
        return signature(s.name, i64, dict(s.parameters))

    # -- elements ------------------------------------------------------------------------------------------------------
    def key(self, place: Pointer) -> Number:
        return place.of(self.key_type)[0]  # type: ignore[no-any-return]  # of any type

    def move(self, source: Pointer, target: Pointer) -> None:
        target[0] = source[0]

    def less(self, x: Number, y: Number) -> Number:
        return x.k.unsigned("ult", x, y) if self.is_pair else x < y

    def chosen(self, x: Pointer, y: Pointer, target: Pointer, last: bool = False) -> Number:
        """i1: is the element at y less than the one at x?  The lesser one, or the other if `last`, goes to `target`."""
        k, keys = x.k, (self.key(x), self.key(y))
        is_less = self.less(keys[1], keys[0])
        places: tuple[Any, Any] = (x, y) if self.is_pair else keys
        p, q = places
        yes, no = (p, q) if last else (q, p)
        value: Any = k.select(is_less, yes, no, unpredictable=True)
        target[0] = value[0] if self.is_pair else value
        return is_less

    def bytes_if(self, condition: Number) -> Number:
        return condition.unsigned(i64) << (self.size.bit_length() - 1)

    # -- short runs ----------------------------------------------------------------------------------------------------
    def tail(self) -> Function:
        W = self.lanes

        @kernel(self.buffers_signature("tail"))
        def tail(k: Kernel, a: Pointer, b: Pointer, n: Number) -> None:
            """The n elements at a, fewer than a block, sorted to b among the largest numbers; by whole vectors."""
            count = max(self.run, RANKED_ELEMENTS) + W
            room, result = (k.alloca(self.element, count, align=64) for _ in range(2))
            with k.when(n <= RANKED_ELEMENTS):  # one by one: what was just stored so is not read otherwise
                with k.range(n) as i:
                    room[i] = a[i]
                with k.range(RANKED_ELEMENTS, start=n) as i:
                    room[i] = self.greatest
                k.call(self.places_signature("few"), room, result)
                with k.range(n) as i:
                    b[i] = result[i]
                k.ret()
            with k.range(n, step=W) as i:
                (room + i).store((a + i).load(W))
            names = [*((r * W, f"runs{r}") for r in self.short_blocks), (self.run, "runs")]
            for size, name in names:
                with k.when(n <= size):
                    with k.range(size, start=n, step=W) as i:
                        (room + i).store(k.number(self.greatest, self.vector))
                    k.call(self.places_signature(name), room, result)
                    with k.range(n, step=W) as i:
                        (b + i).store((result + i).load(W))
                    k.ret()

        return tail

    def insert(self, name: str) -> Function:
        @kernel(self.buffers_signature(name))
        def insert(k: Kernel, a: Pointer, b: Pointer, n: Number) -> None:
            """The n elements at a, sorted to b one by one."""
            with k.range(n) as i:
                source = a + i
                key = self.key(source)
                hole = k.variable(i)
                with k.forever():
                    before = hole - 1
                    with k.when(hole <= 0):
                        k.leave()
                    left = b + before
                    with k.when(~self.less(key, self.key(left))):
                        k.leave()
                    self.move(left, b + hole)
                    hole.set(before)
                self.move(source, b + hole)

        return insert

    def ranked(self, name: str) -> Function:
        @kernel(self.places_signature(name))
        def ranked(k: Kernel, a: Pointer, b: Pointer) -> None:
            """The first elements at a, each stored to b where the number of those before it says."""
            places = [a + n for n in range(RANKED_ELEMENTS)]
            keys = [self.key(place) for place in places]
            ranks: list[Number] = [k.number(0, i64)] * RANKED_ELEMENTS
            for i in range(RANKED_ELEMENTS):
                for j in range(i + 1, RANKED_ELEMENTS):
                    later_first = self.less(keys[j], keys[i]).unsigned(i64)
                    ranks[i] = ranks[i] + later_first
                    ranks[j] = ranks[j] + 1 - later_first
            for place, rank in zip(places, ranks, strict=True):
                self.move(place, b + rank)

        return ranked

    # -- merging -------------------------------------------------------------------------------------------------------
    def pairs_signature(self, many: int) -> Signature:
        return self.buffers_signature(f"pairs{many}")

    def pairs(self, many: int) -> Function:
        @kernel(self.pairs_signature(many))
        def pairs(k: Kernel, a: Pointer, b: Pointer, n: Number) -> None:
            """Of pairs of runs of n elements each, from a to b: of each two the first n results from the left, the last
            from the right; several such merges interleaved, as each waits for its last comparison."""
            twice, last = n << 1, n - 1
            merges = []
            for m in range(many):
                x, y = a + twice * m, b + twice * m
                merges.append((x, x + n, y, y + n, [k.variable(at, i64) for at in (0, 0, last, last)]))
            with polled_range(k, n) as i:
                from_end = last - i
                following = []
                for x, middle, y, target, places in merges:
                    left, right, low, high = places
                    taken = self.chosen(x + left, middle + right, y + i)
                    kept = self.chosen(x + low, middle + high, target + from_end, last=True)
                    one, two = (c.unsigned(i64) for c in (taken, kept))
                    following += [left + 1 - one, right + one, low - two, high - 1 + two]
                for place, value in zip((p for *_, places in merges for p in places), following, strict=True):
                    place.set(value)

        return pairs

    def rest_signature(self) -> Signature:
        return self.buffers_signature("rest", m=i64)

    def rest(self) -> Function:
        @kernel(self.rest_signature())
        def rest(k: Kernel, a: Pointer, b: Pointer, n: Number, m: Number) -> None:
            """A run of n elements and one of m, not more, behind it, from a to b: m results from either end, then those
            between."""
            middle, total = a + n, n + m
            last = b + (total - 1)
            left, right, low, high = (k.variable(p) for p in (a, middle, middle + -1, a + (total - 1)))
            with polled_range(k, m) as i:
                step = self.bytes_if(self.chosen(left.value, right.value, b + i))
                back = self.bytes_if(self.chosen(low.value, high.value, last + (0 - i), last=True))
                left.set(left.bytes(self.size - step))
                right.set(right.bytes(step))
                low.set(low.bytes(0 - back))
                high.set(high.bytes(back - self.size))
            ends = low + 1, high + 1
            target, count = b + m, n - m
            with polled_range(k, count) as i:
                is_right = self.takes_right(left.value, right.value, *ends)
                self.move(k.select(is_right, right.value, left.value, unpredictable=True), target + i)
                step = self.bytes_if(is_right)
                left.set(left.bytes(self.size - step))
                right.set(right.bytes(step))

        return rest

    def takes_right(self, left: Pointer, right: Pointer, left_end: Pointer, right_end: Pointer) -> Number:
        """i1: whether of two runs the right one is next."""
        no_left, some_right = left == left_end, right != right_end
        is_less = self.less(self.key(right), self.key(left))
        return no_left | (some_right & is_less)

    def vectors(self) -> Function:
        W, length = self.lanes, self.size * self.lanes

        @kernel(self.rest_signature())
        def rest(k: Kernel, a: Pointer, b: Pointer, n: Number, m: Number) -> None:
            """The same in vectors, for plain numbers: n and m are whole ones, m may be 0.

            Of the numbers that have been read the lesser half is next; the run whose next number is the lesser one is
            read.
            """
            v = networks.Vectors(k, W)
            middle, total = a + n, n + m
            end, last = middle + m, total - W
            with k.when(m == 0):
                with k.range(n, step=W) as i:
                    (b + i).store((a + i).load(W))
                k.ret()
            low, high = v.merged(a.load(W), middle.load(W))
            b.store(low)
            left, right, held = k.variable(a.bytes(length)), k.variable(middle.bytes(length)), k.variable(high)
            with polled_range(k, last, start=W, step=W) as i:
                is_right = self.takes_right(left.value, right.value, middle, end)
                source = k.select(is_right, right.value, left.value, unpredictable=True)
                low, high = v.merged(held.value, source.load(W))
                (b + i).store(low)
                step = is_right.unsigned(i64) << (length.bit_length() - 1)
                left.set(left.bytes(length - step))
                right.set(right.bytes(step))
                held.set(high)
            (b + last).store(held.value)

        return rest

    def merged(self) -> Function:
        @kernel(self.merged_signature())
        def merged(k: Kernel, a: Pointer, b: Pointer, n: Number) -> None:
            """Where the n elements at a, in sorted runs of `run` elements, are after all of them were merged."""
            run, source, target = k.variable(self.run, i64), k.variable(a), k.variable(b)
            with k.forever():
                with k.when(run >= n):
                    k.leave()
                twice = run << 1
                whole: Any = 0
                for many in INTERLEAVED_MERGES if self.is_pair else ():
                    length = twice * many
                    end = n - k.remainder(n - whole, length)
                    with k.range(end, start=whole, step=length) as i:
                        k.call(self.pairs_signature(many), source + i, target + i, run)
                    whole = end
                with k.range(n, start=whole, step=twice) as i:  # of pairs: what is no whole pair of runs
                    left = n - i
                    first = k.select(left < run, left, run)
                    left = left - first
                    second = k.select(left < run, left, run)
                    k.call(self.rest_signature(), source + i, target + i, first, second)
                run.set(twice)
                before = source.value
                source.set(target.value)
                target.set(before)
            k.ret(source)

        return merged

    # -- digits --------------------------------------------------------------------------------------------------------
    def digit(self) -> Function:
        words = self.tuning.machine.vector_bytes // i64.bytes

        @kernel(self.digit_signature())
        def digit(k: Kernel, a: Pointer, b: Pointer, n: Number, shift: Number) -> None:
            """1 if the n elements have been moved from a to b in the order of the key's byte at `shift`; 0 if all have
            the same one."""
            counts = k.alloca(i64, DIGITS, align=64)
            for at in range(0, DIGITS, words):
                counts[at : at + words] = 0
            with polled_range(k, n) as i:
                count = self.count_of(counts, a + i, shift)
                count[0] = count[0] + 1
            first = self.count_of(counts, a, shift)[0]
            with k.when(first == n):
                k.ret(0)
            add_up(k, counts)
            with polled_range(k, n) as i:
                source = a + i
                count = self.count_of(counts, source, shift)
                to = count[0]
                count[0] = to + 1
                self.move(source, b + to)
            k.ret(1)

        return digit

    def count_of(self, counts: Pointer, place: Pointer, shift: Number) -> Pointer:
        key = self.key(place)
        key = key if self.is_pair else key ^ ~self.greatest  # unsigned
        return counts + (key.k.unsigned("lshr", key.unsigned(i64), shift) & (DIGITS - 1))

    # -- the whole -----------------------------------------------------------------------------------------------------
    def sort(self) -> Function:
        @kernel(core_signature(self.name))
        def sort(k: Kernel, a: Pointer, b: Pointer, n: Number, bytes: Number) -> None:
            a, b = a.of(self.element), b.of(self.element)
            tail = self.buffers_signature("tail")
            with k.when(n < self.run):
                k.call(tail, a, b, n)
                k.ret(b)
            with k.when(self.is_sorted(k, a, n)):
                k.ret(a)
            with k.when(n >= self.many(k, bytes)):
                x, y = k.variable(a), k.variable(b)
                with k.range(bytes << 3, step=8) as shift:
                    moved = k.call(self.digit_signature(), x, y, n, shift)
                    is_moved = moved != 0
                    there, here = k.select(is_moved, y.value, x.value), k.select(is_moved, x.value, y.value)
                    x.set(there)
                    y.set(here)
                k.ret(x)
            if not self.is_pair:
                n = self.padded(k, a, n)
            whole = n & -self.run
            with polled_range(k, whole, step=self.run) as i:
                k.call(self.places_signature("runs"), a + i, b + i)
            left = n - whole
            with k.when(left > 0):
                k.call(tail, a + whole, b + whole, left)
            k.ret(k.call(self.merged_signature(), b, a, n))

        return sort

    def padded(self, k: Kernel, a: Pointer, n: Number) -> Number:
        """How many elements whole vectors hold; those behind the last one become the largest number."""
        all = n + (self.lanes - 1) & -self.lanes
        with k.range(all, start=n) as i:
            a[i] = self.greatest
        return all

    def many(self, k: Kernel, bytes: Number) -> Any:
        """From how many elements on they are sorted by their digits."""
        t = self.tuning.sort
        if self.is_pair:
            return k.select(bytes <= 4, bytes * 48, t.radix_min_pairs)
        if self.size > 2:
            return t.radix_min_4_bytes if self.size == 4 else t.radix_min_8_bytes
        return k.select(bytes == 1, t.radix_min_1_byte, t.radix_min_2_bytes)

    def is_sorted(self, k: Kernel, a: Pointer, n: Number) -> Number:
        """i1, by a look at the elements up to the first that is less than the one before it."""
        at = k.variable(1, i64)
        with k.forever():
            with k.when(at >= n):
                k.leave()
            place = a + at
            with k.when(self.less(self.key(place), self.key(place + -1))):
                k.leave()
            at += 1
        return at >= n


def add_up(k: Kernel, counts: Pointer) -> None:
    """Of how many there are of each digit the places where these begin."""
    place = k.variable(0, i64)
    with k.range(DIGITS) as digit:
        following = place + counts[digit]
        counts[digit] = place
        place.set(following)
