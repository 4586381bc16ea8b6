"""Sorting: `sort` and `argsort` along an axis, NumPy's stable order with nan last; the modules `sort_*`, `argsort_*`.

Contract  a `LibraryCall`'s lines, scratch, and the wanted places -> the sorted line, or positions.
How       a line is copied to integer keys (`keys`), sorted, and copied back; complex numbers and `argsort` sort (key,
          position) pairs, many keys of one or two bytes are counted, and few wanted places narrow the line (`select`).
"""

from __future__ import annotations

from collections.abc import Callable

from tensordsl.codegen.abi import layouts
from tensordsl.codegen.kernel_ir.ir import Module
from tensordsl.codegen.library.lines import given_lines, line_loop_text
from tensordsl.codegen.library.parallel import named, operands
from tensordsl.codegen.library.signals import POLL, long_loop, poll_each
from tensordsl.codegen.library.sort import keys, nan_and_zeros, parallel_lines, select
from tensordsl.codegen.library.sort.adjacent_lines import SIZES, columns_text
from tensordsl.codegen.library.sort.binary_search import search_functions
from tensordsl.codegen.library.sort.compress import orders
from tensordsl.codegen.library.sort.merge_sort import DIGITS, Core
from tensordsl.codegen.library.sort.quicksort import Quick
from tensordsl.codegen.library.sort.select import narrow_text
from tensordsl.codegen.library.sort.short_lines import short_text, sizes
from tensordsl.codegen.library.sort.text import Keys, Vectors, declarations
from tensordsl.codegen.llvm.builder import LIKELY, UNLIKELY, Asm, passed
from tensordsl.codegen.llvm.kernel_text import module_text
from tensordsl.codegen.scalar_ir.builder import FLOATS, ITEMSIZE
from tensordsl.codegen.target.tuning import Tuning
from tensordsl.graph.types import COMPLEX

LINE_PARAMS = ("ptr x", "ptr y", "i64 n", "i64 x_step", "i64 y_step", "ptr room")
WANTED_PARAMS = (*LINE_PARAMS, "i64 first", "i64 count")
COUNT_PARAMS = (*LINE_PARAMS[:1], *LINE_PARAMS[2:4], "ptr from", "ptr y", "i64 y_step")
PLACES_BYTES = 16  # of scratch in which a program gives the first wanted place and how many
HEAD_BYTES = 64  # before the room of a line: those, and last where the threads' pool is
SLACK_BYTES = HEAD_BYTES + 256 + nan_and_zeros.COUNTS_BYTES  # of scratch: whole vectors, and what is read unused
PAIR_BYTES = 16  # a key and a position
REGISTERS, REGISTERS_OF_PAIRS = (1, 2, 4, 8, 16), (1, 2, 4, 8)  # that hold a short part


def room_per_element(function: str, dtype: str) -> int:
    """Bytes of scratch that the library needs for each element of a line."""
    if function != "sort" or dtype in COMPLEX:
        return 2 * PAIR_BYTES
    return (3 if dtype in FLOATS else 2) * max(2, ITEMSIZE[dtype])


def declared_once(text: str) -> str:
    """The text with each of its declarations once."""
    lines = text.splitlines(keepends=True)
    declarations = dict.fromkeys(line for line in lines if line.startswith("declare "))
    return "".join((*declarations, *(line for line in lines if not line.startswith("declare "))))


def sort_text(dtype: str, tuning: Tuning) -> str:
    """The module of a dtype."""
    return _Sort(dtype, tuning).text()


class _Sort(Keys):
    def text(self) -> str:
        parts = [POLL]
        parts += [parallel_lines.text(self.tuning)] if self.shares else []
        parts += [self.listed(), self.placed()] if self.is_packed or self.splits_pairs else []
        parts += [self.numbered()] if self.splits_pairs else []
        parts += [self.listing(), self.sort_line(), self.argsort_line()]
        parts += [nan_and_zeros.text(self)] if self.is_float and self.parts == 1 else []
        parts += [self.counted(byte) for byte in range(self.size)] if self.is_counted else []
        parts += [self.gather()] if self.parts == 2 else []
        if self.parts == 1:
            parts += [self.read(), self.write(), narrow_text(self), short_text(self), columns_text(self), self.plane()]
        parts += [self.walked("argsort", LINE_PARAMS), self.walked("sort", WANTED_PARAMS)]
        parts += map(self.entry, ("sort", "sort_part", "argsort"))
        parts += [declarations(self.width, self.lanes)]
        return module_text(self.module(), others=declared_once("".join(parts)))

    def module(self) -> Module:
        """What is written in the language of kernels."""
        tables = [table for core in self.cores() if isinstance(core, Quick) for table in core.tables()]
        tables += [orders(select.ORDERS, self.lanes)] if self.parts == 1 and select.permutes(self) else []
        functions = [f for core in self.cores() for f in core.functions()]
        return Module([*functions, *search_functions(keys.Keys(self.dtype, self.tuning))], tables)

    @property
    def splits(self) -> bool:
        """Whether there are the instructions for quicksort."""
        return self.vector_bytes >= 32 and self.tuning.allows("vector_quicksort")

    @property
    def is_packed(self) -> bool:
        """Whether a key and a position below 2^32 are one number of 64 bits, whose order is theirs."""
        return self.splits and self.parts * self.size <= 4

    @property
    def is_counted(self) -> bool:
        """Whether keys are so few that positions are found by counting them."""
        return self.parts == 1 and self.size <= 2 and self.tuning.allows("counting_argsort")

    @property
    def splits_pairs(self) -> bool:
        """Whether keys and positions are arrays of their own; by two keys they are sorted one after the other, which
        needs a stable sort, as quicksort is not."""
        return self.splits and self.vector_bytes == 64 and not self.is_packed and self.key_count == 1

    @property
    def sorts_in_place(self) -> bool:
        """Whether a line of numbers has room for their keys, and nothing behind it is touched."""
        return self.splits and self.bits == self.width > 16

    @property
    def shares(self) -> bool:
        """Whether there is a quicksort, whose long lines threads share out."""
        return self.is_packed or self.splits_pairs or self.sorts_in_place

    def cores(self) -> list[Core | Quick]:
        cores: list[Core | Quick] = [Core("pairs", 128, self.tuning)]
        if self.splits_pairs:
            cores = [Quick("pairs", 64, REGISTERS_OF_PAIRS, self.tuning, has_positions=True)]
        if self.is_packed:
            cores.append(Quick("packed", 64, REGISTERS, self.tuning))
        if self.parts == 1:
            kind = "plain", self.width
            quick = Quick(*kind, REGISTERS, self.tuning)
            cores.append(quick if self.sorts_in_place else Core(*kind, self.tuning))
        return cores

    # -- lines ---------------------------------------------------------------------------------------------------------
    def each(self, f: Asm, step: str, size: int, body: Callable[[str, int, str], str]) -> str:
        """`body(index, W, flag)` -> flag for the n elements: vectors where `step` says that they are adjacent, the last
        of them over some that are done already; else, and where they fill no vector, one by one."""
        W, t = self.lanes, self.typed(1, self.lanes)
        adjacent = f.all(f.eq(step, size), f.ge("%n", W))
        end, last = f.choose(adjacent, "%n", 0), f.sub("%n", W)
        with long_loop(f, end, (t, "zeroinitializer"), step=W) as loop:
            at = f.choose(f.lt(last, loop.index), last, loop.index)
            loop.next = [body(at, W, loop.values[0])]
        flags = f.op(f"bitcast {t} {loop.values[0]} to i{W}")
        with f.loop("%n", ("i1", f.op(f"icmp ne i{W} {flags}, 0")), start=end) as loop:
            loop.next = [body(loop.index, 1, loop.values[0])]
        return loop.values[0]

    def read(self) -> str:
        """i1: whether there are special numbers; the keys of a line go to y, one behind the other, those of nans as the
        greatest one."""
        f = Asm("i1", "read", parallel_lines.LINE_PARAMS, internal=True)

        def one(k: str, W: int, flag: str) -> str:
            x = self.loaded(f, f.gep("%x", f.mul(k, "%x_step")), W)
            place, t, key = f.gep("%y", k, f"i{self.width}"), self.typed(self.width, W), self.ordered(f, x, W)
            if self.is_float:
                mask, nan = self.typed(1, W), self.is_nan(f, x, W)
                key = f.op(f"select {mask} {nan}, {t} {self.const(self.greatest, W)}, {t} {key}")
                flag = f.op(f"or {mask} {flag}, {f.op(f'or {mask} {nan}, {self.is_minus_zero(f, x, W)}')}")
            f.do(f"store {t} {key}, ptr {place}, align {self.width // 8}")
            return flag

        f.ret("i1", self.each(f, "%x_step", self.size, one))
        return f.text

    def stored(self, f: Asm, x: str, place: str, W: int) -> None:
        f.do(f"store {self.typed(self.bits, W)} {x}, ptr {place}, align {self.size}")

    def write(self) -> str:
        """The numbers of the keys at x, one behind the other, to a line."""
        f = Asm("i1", "write", parallel_lines.LINE_PARAMS, internal=True)

        def one(k: str, W: int, flag: str) -> str:
            place = f.gep("%x", k, f"i{self.width}")
            key = f.op(f"load {self.typed(self.width, W)}, ptr {place}, align {self.width // 8}")
            target = f.gep("%y", f.mul(k, "%y_step"))
            self.stored(f, self.number(f, key, W), target, W)
            return flag

        f.ret("i1", self.each(f, "%y_step", self.size, one))
        return f.text

    def listing(self) -> str:
        """ptr: the keys and positions of a line, sorted, somewhere in `room` (`position`); equal numbers have one key.
        Of several keys the last one is sorted first."""
        f = Asm("ptr", "list", ("ptr x", "i64 n", "i64 x_step", "ptr room"), internal=True)
        line, behind = ("%x", "%n", "%x_step"), f.shl("%n", 3)
        if self.is_packed:
            with f.when(self.fits(f, "%n"), LIKELY):
                self.by_threads(f, "listed", *line, "%room", "8")
                f.ret("ptr", self.sorted_keys(f, "packed", f.gep("%room", behind), "i64 8"))
        other, listed = f.gep("%room", f.mul("%n", PAIR_BYTES)), ""
        if self.splits_pairs:  # positions stand behind all keys
            self.by_threads(f, "listed", *line, "%room", "8")
            self.by_threads(f, "numbered", *line, f.gep("%room", behind), "8")
            f.ret("ptr", self.sorted_keys(f, "pairs", other, f"i64 {behind}"))
            return f.text
        for k in reversed(range(self.key_count)):
            with long_loop(f, "%n") as loop:
                at = f.mul(loop.index, PAIR_BYTES)
                position = f.load("i64", f.gep(listed, at), 8) if listed else loop.index
                key = self.keys(f, f.gep("%x", f.mul(position, "%x_step")))[k]
                f.store("i64", key, f.gep("%room", at))
                f.store("i64", position, f.gep("%room", at), 8)
            listed = self.sorted_keys(f, "pairs", other, f"i64 {self.size * self.parts // self.key_count}")
        f.ret("ptr", listed)
        return f.text

    def listed(self) -> str:
        """The keys of a line to y, one behind the other, or both keys and positions in one number."""

        def one(f: Asm, k: str, W: int) -> str:
            place = f.gep("%x", f.mul(k, "%x_step"))
            key = self.one_key(f, place, W) if self.parts == 1 else self.keys(f, place)[0]
            if not self.is_packed:
                return key
            t = self.typed(64, W)
            high = f.op(f"shl {t} {key}, {self.const(32, W, 64)}")
            high = f.op(f"xor {t} {high}, {self.const(-1 << 63, W, 64)}")  # in the order of signed numbers
            return f.op(f"or {t} {high}, {_numbers(f, k, W)}")

        return self.words("listed", "%x_step", self.size, one)

    def numbered(self) -> str:
        """The positions of a line to y."""
        return self.words("numbered", "8", 8, _numbers)

    def placed(self) -> str:
        """The positions in what is listed, at x, to a line."""

        def one(f: Asm, k: str, W: int) -> str:
            t = self.typed(64, W)
            word = f.op(f"load {t}, ptr {f.gep('%x', k, 'i64')}, align 8")
            return f.op(f"and {t} {word}, {self.const((1 << 32) - 1, W, 64)}") if self.is_packed else word

        return self.words("placed", "%y_step", 8, one)

    def words(self, name: str, step: str, size: int, word: Callable[[Asm, str, int], str]) -> str:
        """A function that stores a word of 64 bits for each element to y."""
        f = Asm("i1", name, parallel_lines.LINE_PARAMS, internal=True)

        def one(k: str, W: int, flag: str) -> str:
            place = f.gep("%y", f.mul(k, "%y_step"))
            f.do(f"store {self.typed(64, W)} {word(f, k, W)}, ptr {place}, align 8")
            return flag

        if self.parts == 1:
            f.ret("i1", self.each(f, step, size, one))
            return f.text
        with long_loop(f, "%n") as loop:
            one(loop.index, 1, "")
        f.ret("i1", "false")
        return f.text

    def sorted_keys(self, f: Asm, core: str, other: str, more: str) -> str:
        """Where the keys in the room of a line are sorted, by threads if that may be."""
        given = "ptr %room", f"ptr {other}", "i64 %n", more
        if not any(isinstance(c, Quick) and c.name == core for c in self.cores()):
            return f.call("ptr", f"@{core}", *given)
        return f.call("ptr", f"@{core}.shared", *given, f"ptr {f.load('ptr', '%room', -8)}")

    def fits(self, f: Asm, length: str) -> str:
        """i1: whether positions in a line are numbers of 32 bits."""
        return f.compare("ule", "i64", length, 1 << 32)

    def positions(self, f: Asm, listed: str, length: str) -> tuple[str, str]:
        """Where the positions in what is listed of a line of this length begin, and from one to the next."""
        if self.splits_pairs:
            return f.gep(listed, f.shl(length, 3)), "8"
        return f.gep(listed, 8), str(PAIR_BYTES)

    def gather(self) -> str:
        """The numbers of a line, from the first wanted place of what is listed on, at `target`, and from there to y,
        which may be x."""
        params = (*LINE_PARAMS[:5], "ptr listed", "ptr target", "i64 first", "i64 length")
        f = Asm("void", "gather", params, internal=True)
        kind, (places, step) = self.typed(self.bits, self.parts), self.positions(f, "%listed", "%length")
        with long_loop(f, "%n") as loop:
            at = f.mul(f.add(loop.index, "%first"), step)
            there = f.load("i64", f.gep(places, at))
            x = self.loaded(f, f.gep("%x", f.mul(there, "%x_step")), self.parts)
            self.stored(f, x, f.gep("%target", loop.index, kind), self.parts)
        with long_loop(f, "%n") as loop:
            x = self.loaded(f, f.gep("%target", loop.index, kind), self.parts)
            self.stored(f, x, f.gep("%y", f.mul(loop.index, "%y_step")), self.parts)
        f.ret()
        return f.text

    def sort_line(self) -> str:
        """The wanted places of y."""
        f = Asm("void", f"sort_{self.dtype}.line", WANTED_PARAMS, internal=True)
        if self.parts == 2:
            self.by_pairs(f)
            return f.text
        line, target = ("ptr %x", "i64 %n", "i64 %x_step"), f.gep("%y", f.mul("%first", "%y_step"))
        if sizes(self):
            with f.when(f.le("%n", sizes(self)[-1] * self.lanes)):
                self.in_registers(f, target)
        key, size, length = f"i{self.width}", str(self.width // 8), f.add("%n", self.lanes)
        other = f.gep("%room", length, key)
        some = f.call("ptr", "@narrow.numbers", *line, "ptr %room", f"ptr {other}", "i64 %first", "i64 %count")
        with f.when(f.not_null(some)):
            self.by_threads(f, "write", some, "%count", size, target, "%y_step")
            f.ret()
        special = self.by_threads(f, "read", "%x", "%n", "%x_step", "%room", size)
        room = f.gep(other, length, key)
        if self.is_float:
            with f.when(special, UNLIKELY):
                f.call("void", "@set_apart", *line, f"ptr {room}", f"ptr {f.load('ptr', '%room', -8)}")
        if self.sorts_in_place:  # the line that is written is the other buffer: half the memory that is walked over
            whole = f.all(f.eq("%y_step", self.size), f.eq("%count", "%n"))
            other = f.choose(whole, "%y", other, "ptr")
        keys = self.sorted_keys(f, "plain", other, f"i64 {self.size}")
        if self.is_float:
            with f.when(special, UNLIKELY):
                f.call("void", "@put_back", f"ptr {keys}", "i64 %n", f"ptr {room}")
        self.by_threads(f, "write", f.gep(keys, "%first", key), "%count", size, target, "%y_step")
        f.ret()
        return f.text

    def by_threads(self, f: Asm, each: str, *line: str) -> str:
        """What the function `each` gives of a line, in parts where quicksort goes in parts."""
        given = operands(
            parallel_lines.LINE_PARAMS, dict(zip(named(parallel_lines.LINE_PARAMS), (*line, "0"), strict=True))
        )
        if not self.shares:
            return f.call("i1", f"@{each}", *given)
        return f.call("i1", "@in_parts", f"ptr @{each}", *given, f"ptr {f.load('ptr', '%room', -8)}")

    def in_registers(self, f: Asm, target: str) -> None:
        """A short line, from where it stands to where it goes, or through scratch if its elements are strided; one with
        special numbers goes on."""
        adjacent = f.all(*(f.eq(step, self.size) for step in ("%x_step", "%y_step")))
        strided, goes_on = f.op(f"xor i1 {adjacent}, true"), f.label("special")
        with f.when(strided):
            self.copy(f, "%n", ("%x", "%x_step"), ("%room", str(self.size)))
        places = [f.choose(adjacent, place, "%room", "ptr") for place in ("%x", "%y")]
        for r in sizes(self):
            with f.when(f.le("%n", r * self.lanes)):
                given = (*(f"ptr {p}" for p in places), "i64 %n", "i64 %first", "i64 %count")
                done, is_done = f.call("i1", f"@short{r}", *given), f.label("sorted")
                f.branch(done, is_done, goes_on, LIKELY)
                f.place(is_done)
                with f.when(strided):
                    first = f.gep("%room", f.mul("%first", self.size))
                    self.copy(f, "%count", (first, str(self.size)), (target, "%y_step"))
                f.ret()
        f.place(goes_on)

    def copy(self, f: Asm, count: str, source: tuple[str, str], target: tuple[str, str]) -> None:
        """Elements at one step to others at another."""
        with long_loop(f, count) as loop:
            x, y = (f.gep(place, f.mul(loop.index, step)) for place, step in (source, target))
            self.stored(f, self.loaded(f, x, 1), y, 1)

    def by_pairs(self, f: Asm) -> None:
        listed = f.call("ptr", "@list", "ptr %x", "i64 %n", "i64 %x_step", "ptr %room")
        other, target = f.gep("%room", f.mul("%n", PAIR_BYTES)), f.gep("%y", f.mul("%first", "%y_step"))
        is_first = f.compare("ult", "ptr", listed, other)
        free = f.choose(is_first, other, "%room", "ptr")
        steps = ("i64 %count", "i64 %x_step", "i64 %y_step")
        places = (f"ptr {listed}", f"ptr {free}", "i64 %first", "i64 %n")
        f.call("void", "@gather", "ptr %x", f"ptr {target}", *steps, *places)
        f.ret()

    def argsort_line(self) -> str:
        f = Asm("void", f"argsort_{self.dtype}.line", LINE_PARAMS, internal=True)
        if self.is_counted:
            least = self.tuning.sort.count_min_1_byte if self.size == 1 else self.tuning.sort.count_min_2_bytes
            with f.when(f.ge("%n", least)):
                self.by_counts(f)
        listed = f.call("ptr", "@list", "ptr %x", "i64 %n", "i64 %x_step", "ptr %room")
        if self.is_packed:
            with f.when(self.fits(f, "%n"), LIKELY):
                self.by_threads(f, "placed", listed, "%n", "8", "%y", "%y_step")
                f.ret()
        places, step = self.positions(f, listed, "%n")
        if self.splits_pairs:
            self.by_threads(f, "placed", places, "%n", step, "%y", "%y_step")
            f.ret()
            return f.text
        with long_loop(f, "%n") as loop:
            position = f.load("i64", f.gep(places, f.mul(loop.index, step)))
            f.store("i64", position, f.gep("%y", f.mul(loop.index, "%y_step")))
        f.ret()
        return f.text

    def counted(self, byte: int) -> str:
        """The positions at `from` (by the lowest byte: all) in the order of a byte of their keys, which are counted."""
        f = Asm("void", f"counted{byte}", COUNT_PARAMS, internal=True)
        counts = f.op(f"alloca [{DIGITS} x i64], align 64")
        f.do(f"store [{DIGITS} x i64] zeroinitializer, ptr {counts}")

        def count_of(position: str) -> str:
            key = self.one_key(f, f.gep("%x", f.mul(position, "%x_step")))
            digit = f.and_(f.lshr(key, 8 * byte), DIGITS - 1)
            return f.gep(counts, digit, "i64")

        with long_loop(f, "%n") as loop:
            place = count_of(loop.index)
            f.store("i64", f.add(f.load("i64", place), 1), place)
        with f.loop(DIGITS, ("i64", "0")) as loop:
            place = f.gep(counts, loop.index, "i64")
            loop.next = [f.add(loop.values[0], f.load("i64", place))]
            f.store("i64", loop.values[0], place)
        with long_loop(f, "%n") as loop:
            position = f.load("i64", f.gep("%from", loop.index, "i64")) if byte else loop.index
            place = count_of(position)
            to = f.load("i64", place)
            f.store("i64", f.add(to, 1), place)
            f.store("i64", position, f.gep("%y", f.mul(to, "%y_step")))
        f.ret()
        return f.text

    def by_counts(self, f: Asm) -> None:
        given = "ptr %x", "i64 %n", "i64 %x_step", "ptr %room"
        if self.size == 2:
            f.call("void", "@counted0", *given, "ptr %room", "i64 8")
        f.call("void", f"@counted{self.size - 1}", *given, "ptr %y", "i64 %y_step")
        f.ret()

    def plane(self) -> str:
        """All lines along one other axis, of m lines: by vectors of them where they are short and adjacent."""
        f = Asm(
            "void", f"sort_{self.dtype}.plane", (*WANTED_PARAMS, "i64 x_unit", "i64 y_unit", "i64 m"), internal=True
        )
        adjacent = f.all(*(f.eq(unit, self.size) for unit in ("%x_unit", "%y_unit")))
        longest = SIZES[-1] if self.tuning.allows("adjacent_line_networks") else 0
        is_short = f.all(f.le("%n", longest), f.gt("%n", 0))
        whole = f.choose(f.all(adjacent, is_short), f.and_("%m", -self.lanes), 0)
        with long_loop(f, whole, step=self.lanes) as loop:
            x, y = (f.gep(p, f.mul(loop.index, self.size)) for p in ("%x", "%y"))
            given = f"ptr {x}", f"ptr {y}", "i64 %n", "i64 %x_step", "i64 %y_step", "i64 %first", "i64 %count"
            done = f.label("done")
            for size in SIZES:
                this, following, special = f.label(f"columns{size}"), f.label("more"), f.label("special")
                f.branch(f.le("%n", size), this, following)
                f.place(this)
                f.branch(f.call("i1", f"@columns{size}", *given), done, special)
                f.place(special)
                self.one_by_one(f, loop.index, f.add(loop.index, self.lanes))
                f.jump(done)
                f.place(following)
            f.place(done)
        self.one_by_one(f, whole, "%m")
        f.ret()
        return f.text

    def one_by_one(self, f: Asm, first: str, end: str) -> None:
        with f.loop(end, start=first) as loop:
            x, y = (f.gep(p, f.mul(loop.index, u)) for p, u in (("%x", "%x_unit"), ("%y", "%y_unit")))
            f.call("void", f"@sort_{self.dtype}.line", f"ptr {x}", f"ptr {y}", *passed(WANTED_PARAMS[2:]))
            poll_each(f, loop.index, 16)

    def walked(self, function: str, params: tuple[str, ...]) -> str:
        """All lines: one by one, or where `sort` has planes the last axis together."""
        name = f"{function}_{self.dtype}"

        def end(f: Asm) -> None:
            if function == "sort" and self.parts == 1:
                with f.when(f.eq("%level", "%last")):
                    units = (f.load("i64", f.gep(a, "%last", "i64")) for a in ("%xs", "%ys", "%dims"))
                    f.call("void", f"@{name}.plane", *passed(params), *(f"i64 {u}" for u in units))
                    f.ret()
            f.call("void", f"@{name}.line", *passed(params))

        return line_loop_text(name, params, end)

    def last(self, f: Asm, function: str) -> str:
        """The axis behind those that are walked over."""
        if function == "argsort" or self.parts == 2:
            return "%rank"
        return f.choose(f.eq("%rank", 1), 0, f.sub("%rank", 1))

    def entry(self, function: str) -> str:
        """Behind x and y there is scratch; of a part, it begins with the places."""
        f = Asm("void", f"{function}_{self.dtype}", ("ptr bases", "ptr words", "i64 rank"))
        line, axes = given_lines(f)
        room, rt = (f.load("ptr", "%bases", at) for at in (16, 24))
        f.store("ptr", f.load("ptr", rt, layouts.RT["threads"]), room, HEAD_BYTES - 8)
        given = [f"ptr {f.gep(room, HEAD_BYTES)}"]
        if function == "sort":
            given += ["i64 0", line[2]]
        elif function == "sort_part":
            given += [f"i64 {f.load('i64', room, at)}" for at in (0, 8)]
        axes.append(f"i64 {self.last(f, function)}")
        f.call("void", f"@{function.removesuffix('_part')}_{self.dtype}.walk", *line, *given, *axes)
        f.ret()
        return f.text


def _numbers(f: Asm, k: str, W: int) -> str:
    """The numbers of W elements from the one at k on, in the line."""
    first = f.add("%first", k)
    if W == 1:
        return first
    return f.op(f"add <{W} x i64> {Vectors(f, 64, W).every(first)}, <{', '.join(f'i64 {n}' for n in range(W))}>")
