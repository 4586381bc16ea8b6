"""A kernel `void k(ptr P, i64 n, i64 live, i64 rows)`: its operands, and what its loops repeat.

Contract  the planner writes values, stores and states into a `Kernel`; `cpu.kernel_text` makes the function of it.
When      of every pass and row kernel of a group; the form by the loops around it.
Why       one function does many rows: a call for each would cost as much as a short row.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Protocol

from tensordsl.base.records import record
from tensordsl.codegen.abi.descriptor import (
    FLAG,
    INTEGER,
    INTERNAL,
    POSITION,
    READ,
    ROW_NUMBERS_OFFSET_BYTES,
    SPLAT,
    VECTOR,
    WRITE,
)
from tensordsl.codegen.cpu.schedule import PLAIN
from tensordsl.codegen.cpu.stencil_offsets import Shift
from tensordsl.codegen.fusion.group import LineAlignment, region
from tensordsl.codegen.llvm.clone import (
    Phi,
    bits_of,
    has_mask_registers,
    is_straight,
    kept_if_done,
    loads_floats,
    new_lanes,
)
from tensordsl.codegen.llvm.emit_scalars import Code, constant, emit, llvm_type, load, splat, store
from tensordsl.codegen.llvm.strided_access import load_strided, store_interleaved, store_strided
from tensordsl.codegen.llvm.vector_builder import count_lines, crossed, in_register, load_by_registers
from tensordsl.codegen.scalar_ir.builder import ITEMSIZE, Val
from tensordsl.codegen.target.machine import CACHE_LINE_BYTES
from tensordsl.codegen.target.tuning import Tuning
from tensordsl.graph.types import COMPLEX

SCALAR, ROW, LANES, COLUMNS = range(4)
NO_AREA = -1  # number of an area
WRONG = "%wrong"  # was something out of range in a row before?
PREFETCH = "llvm.prefetch.p0"
FIRST, SECOND = 3, 2  # LLVM's degrees of locality: to the first-level cache, to the second


@record(eq=False, frozen=False)
class Entry:
    """A pointer in P.  `name`: in the text, the same in equal kernels; `number`: operand, area, integer or axis; `add`:
    area of a byte offset, or NO_AREA; `moves`: is it another one for each row?  `step`: elements from lane to lane;
    `keeps`: where it is written over, do lanes that were done before stay as they are?"""

    name: str
    kind: int
    number: int
    itemsize: int = 0
    flags: int = 0
    add: int = NO_AREA
    moves: bool = False
    step: int = 1
    keeps: bool = False


@record
class Carried:
    """A part of a reduction's state from block to block, and of its value behind the last one ("": it has no part):
    names behind the first block, behind another, and of no block."""

    name: str
    dtype: str
    first: str
    resumed: str
    value: str
    none: str
    place: str


class RowsForm(Protocol):
    """A form of a kernel for several rows at once: text that ends in a block from where the kernel goes row by row."""

    @property
    def lines(self) -> Sequence[str]: ...


class ShortRowsForm(RowsForm, Protocol):
    def finish(self) -> None: ...
    def codes(self) -> Sequence[Code]: ...


class Kernel:
    """The text of one kernel; `width` lanes along the axis `lane`, its rows along the axis `row` (-1: one row).
    `clamps`: dead lanes, which repeat the last live one's elements, repeat its position too.

    Operands are pointers in P, described by `Entry`s, and behind them their steps in bytes from row to row: the
    library reads the entries to fill P. Forms:

        SCALAR   straight-line code: `k(P, n, live)`
        ROW      for each row: `before`
        LANES    for each row: `before`, `points`; for each chunk: { for each vector: `body`; `ends`; `close` };
                 `after`. Where a row is done by one kernel, `k(P, n, live, rows, turn)` also finishes it: if the
                 row is one of several blocks, it goes on from the state in scratch (`resume`), but for the first
                 block (`turn` & 1), and saves it; behind the last block (`turn` & 2) comes `final`.  A row of no
                 elements has n = 0, and no `points`. With `turn` & PREFETCH_NEXT it prefetches `prefetched`
                 operands of the next batch of rows.
        COLUMNS  for each vector: `fixed`, for each row: `before`, `body`; then `ends`, `close`; where n is no
                 multiple of the width the last complete vector, whose states stay as they are in lanes done before
                 (`counted`).  With `turn` & PREFETCH_NEXT it prefetches the next batch.  `k(P, n, live, 0, turn)`
                 combines states with those `turn` elements behind them (`others`).

    A chunk is as many vectors as states should add up at once; where n is no multiple of the width the last chunk
    is the row's last complete vector, some lanes of which were done before; of a short body the states of the last
    chunk take that vector too (`repeats`), in the lanes not done before. `live` (the width, but for a padded
    vector) lanes hold elements. Where a row is one chunk there is nothing to add up or to mask, and `close` is left
    out. `head` comes first and once. Short rows that are only reduced have a form of their own (`cpu.short_rows`).
    """

    def __init__(
        self, name: str, form: int, width: int, tuning: Tuning, lane: int = -1, row: int = -1, clamps: bool = False
    ) -> None:
        self.tuning = tuning
        self.name, self.form, self.width, self.lane, self.row, self.clamps = name, form, width, lane, row, clamps
        self.entries: dict[tuple[int, int, int], Entry] = {}
        self.head, self.before, self.body, self.ends = map(self.code, "hsve")
        self.masked, self.close, self.summed, self.after, self.resume, self.final = map(self.code, "lqutjf")
        self.others, self.fixed = map(self.code, "db")
        self.before.block = "row" if self.has_rows or form == COLUMNS else "entry"
        self.body.block, self.close.block, self.after.block = "loop", "close", "after"
        self.resume.block, self.final.block = "partly", "final"
        self.row_code = self.points = self.before  # what scalars are computed in; those that only elements need
        if form != LANES:
            self.body = self.before
        if form == COLUMNS:
            self.close.block = "fold"
            self.head.do("%folds = icmp eq i64 %rows, 0")
            self.declare_prefetch()
        self.scalars: dict[int, str] = {}
        self.lanes: dict[int, str] = {}
        self.half_registers = False  # in half registers?
        self.keeps_address = False  # is the address of what its loop loads in a register?
        self.strided: dict[int, int] = {}  # operands that are not adjacent -> elements from lane to lane
        self.stencil_offsets: Sequence[Shift] = ()  # operands that are parts of one tensor
        self.stencil_rows: RowsForm | None = None  # what does several rows of these at once
        self.streams = False  # has it a second loop, of non-temporal stores?
        self.stored: list[tuple[str, str, str]] = []  # adjacent elements that are written: (value, place, dtype)
        self.adjacent: dict[str, str] = {}  # vectors that were loaded -> where all lanes are in memory
        self.phis: list[Phi] = []  # of the loop around the body
        self.counts = False  # do lanes keep numbers of vectors in a chunk?
        self.stops = False  # does a row end where an element decides it?
        self.writes = False  # does it write elements, maybe in the place of an operand's?
        self.open: list[tuple[str, bool]] = []  # behind a chunk: is a reduction open, and what would decide it
        self.repeats = False  # does a row's last chunk end with its last whole vector, masked?
        self.aligned_operand: Entry | None = None  # the operand on whose lines a row's vectors should begin
        self.line_alignment = LineAlignment.NONE  # do chunks begin and end inside of vectors?  (see Schedule)
        self.ended: list[Phi] = []  # of the loop: (name, type, behind whole vectors, behind that one)
        self.totals: list[Phi] = []  # of the chunks
        self.chosen: list[Phi] = []  # of a chunk that does not repeat: (name, type, if all lanes count, if not)
        self.states: list[Phi] = []  # of the whole row: (name, type, of one chunk, of several)
        self.chunk = 0  # vectors of a chunk; 0: all
        self.finishes = False  # is it one of those that do all of a row?
        self.unroll_jam = 1  # vectors of COLUMNS that are done together
        self.short_rows: ShortRowsForm | None = None  # the form for short rows
        self.order: Sequence[int] = range(width)  # which element of a vector each lane has
        self.segmented = False  # may COLUMNS take several short rows as one?
        self.folded: list[Phi] = []  # of the states then: (name, type, of elements behind, of the rows)
        self.counted: list[Phi] = []  # of COLUMNS: (name, type, of lanes done before, of the rows)
        self.carried: dict[int, list[Carried]] = {}  # of reductions
        self.prefetches_operands = self.prefetches_results = False  # of what comes later in a row
        self.prefetch_code: list[str] = []  # code that prefetches it
        self.prefetched: list[Entry] = []  # of LANES: operands of which it prefetches the next batch
        self.prefetches_memory = False  # also where no cache keeps them?
        self.fails = self.guarded = False
        self.vectors: RowsForm | None = None  # what does several rows of ROW at once
        self.wrong = WRONG  # of ROW: was something out of range, in this row or one before?
        self.once: dict[str, str] = {}

    def code(self, prefix: str) -> Code:
        """Empty code of a block, for registers as the tuning's machine has them."""
        schedule, machine = self.tuning.schedule, self.tuning.machine
        return Code(prefix, inline=schedule.inline_functions, vector_bytes=machine.vector_bytes)

    @property
    def loops(self) -> bool:
        return self.form in (LANES, COLUMNS)

    @property
    def overlaps(self) -> bool:
        """True if the last chunk of each row ends with its last complete vector, all of whose lanes count."""
        return self.counts and not self.states

    @property
    def has_long_registers(self) -> bool:
        """Are registers as long as cache lines, and do vectors of half of them have all that whole ones have?"""
        return "avx512" in self.body.isa and self.tuning.machine.vector_bytes >= CACHE_LINE_BYTES

    @property
    def has_rows(self) -> bool:
        return self.row >= 0

    # -- pointers
    def pointer(
        self, kind: int, number: int, itemsize: int = 0, flags: int = 0, add: int = NO_AREA, moves: bool = True
    ) -> str:
        """The name of the pointer in P; the library points it to the first row's and the block's first lane."""
        name = f"%a.{len(self.entries)}"
        entry = self.entries.setdefault((kind, number, add), Entry(name, kind, number, itemsize, 0, add))
        entry.flags |= flags
        entry.step = self.strided.get(number, 1) if kind == VECTOR else 1
        entry.moves |= moves and self.has_rows and kind in (VECTOR, SPLAT, INTERNAL)
        if add == NO_AREA:
            return entry.name
        key = f"{entry.name}.at"
        if key not in self.once:
            offset = load(self.before, self.pointer(INTERNAL, add), "int64")
            self.once[key] = self.before.op(f"getelementptr i8, ptr {entry.name}, i64 {offset}")
        return self.once[key]

    def cross(self, types: set[str]) -> None:
        """Let the lanes be in the order that is cheapest for complex numbers, if these are all that it reads along
        them, of the given types."""
        if self.form == LANES and len(types) == 1 and types <= set(COMPLEX):
            self.body.crosses = True
            self.order = crossed(self.body, types.pop(), self.width)

    def finish_rows(self) -> None:
        """Let the kernel do all of a row, also of one without elements."""
        self.finishes, self.points = True, self.code("o")
        self.points.block = "points"

    def guard(self, extents: Sequence[str]) -> None:
        """Let the kernel do nothing where an extent is 0."""
        self.guarded, points = True, "1"
        for n in extents:
            points = self.head.op(f"mul i64 {points}, {n}")
        self.head.do(f"%absent = icmp eq i64 {points}, 0")

    def use_halves(self, is_light: bool) -> None:
        """Computing in half registers, where the machine prefers that for loops that are bound by memory."""
        prefers = self.has_long_registers and ("halves" in self.body.isa or self.tuning.forces("half_registers"))
        self.half_registers = is_light and self.form == LANES and prefers and self.tuning.allows("half_registers")
        if self.half_registers:
            self.body.vector_bytes //= 2

    def may_keep_address(self, adds_up: bool) -> None:
        """Keep the address of vectors of one operand that are added up in a register: Intel's cores split an
        instruction that loads and adds where its address has an index, and prefetch less far then."""
        self.keeps_address = adds_up and self.form == LANES and "halves" in self.body.isa

    def may_prefetch(self, is_slow: bool) -> None:
        """Let its loop prefetch on processors with a short hardware prefetch: lines of results where rows may be off
        lines; lines of operands where the loop is slow for them, as it computes expensive functions or waits for
        memory."""
        pays = "halves" in self.body.isa or self.tuning.forces("prefetch")
        may = self.form == LANES and pays and self.tuning.allows("prefetch")
        self.prefetches_operands, self.prefetches_results = is_slow and may, self.has_rows and may

    def adds_by_halves(self) -> bool:
        """True if sums of short rows take less time in half registers: with AVX-512 half as many loads straddle lines,
        memory gives more on AMD's cores, and less is behind a row's last complete vector."""
        return self.has_long_registers and self.tuning.allows("half_registers")

    def segment_rows(self) -> None:
        """Let several short rows be taken as one."""
        self.segmented = True

    def may_repeat(self, idempotent: Iterable[bool]) -> None:
        """Let rows' last chunks end with their last whole vector, if the body is short and some reducers add up."""
        light = (
            count_lines(self.body.lines) <= self.tuning.kernel.light_body_lines
            and is_straight(self.body.lines)
            and not self.phis
        )
        self.repeats = self.form == LANES and self.finishes and not self.short_rows and light and not all(idempotent)

    def may_align_vectors(self) -> None:
        """Let a row's vectors begin on an operand's cache lines, where these are as long as registers and straddling
        costs. Some elements are computed twice."""
        whole = [e for e in self.entries.values() if e.kind == VECTOR and e.add == NO_AREA and e.step == 1]
        whole = [e for e in whole if self.width * e.itemsize % CACHE_LINE_BYTES == 0]
        light = count_lines(self.body.lines) <= self.tuning.kernel.light_body_lines
        light = light and self.has_long_registers and not self.half_registers and self.tuning.allows("line_alignment")
        if self.form == LANES and whole and light:
            self.aligned_operand = whole[0]

    def may_align_chunks(self, alignment: LineAlignment) -> None:
        """The same of rows of floats that are added up (`cpu.aligned_rows`): chunks of what no cache holds are the same
        ones."""
        self.may_align_vectors()
        can = 8 <= self.width <= 64 and not self.phis and loads_floats(self.body, self.width)
        self.aligned_operand = self.aligned_operand if can else None
        self.line_alignment = alignment if self.aligned_operand else LineAlignment.NONE
        self.repeats = self.repeats and not self.line_alignment

    @property
    def masks(self) -> bool:
        """True if states behind a chunk hold only what counts."""
        return self.repeats or bool(self.line_alignment)

    def lane_pointer(self, pointer: str, itemsize: int, step: int = 1) -> str:
        """In the loop: the address of the current vector."""
        if not self.loops:
            return pointer
        name = f"{pointer}.i"
        if name not in self.once:
            self.once[name] = name
            index = "%i" if step == 1 else self.body.op(f"mul i64 %i, {step}")
            address = f"getelementptr i{8 * itemsize}, ptr {pointer}, i64 {index}"
            self.body.do(f"{name} = {in_register(self.body, address) if self.keeps_address else address}")
        return name

    def integer(self, number: int) -> str:
        """A run-time integer, loaded before the loops."""
        key = f"int{number}"
        if key not in self.once:
            self.once[key] = self.head.op(f"load i64, ptr {self.pointer(INTEGER, number)}, align 8")
        return self.once[key]

    def position(self, axis: int) -> str:
        """The current position along an axis; of the lane axis: of the block."""
        key = f"pos{axis}"
        if key not in self.once:
            at = self.head.op(f"load i64, ptr {self.pointer(POSITION, axis)}, align 8")
            moves = self.has_rows and axis == self.row
            self.once[key] = self.before.op(f"add i64 {at}, %r") if moves else at
        return self.once[key]

    def declare_prefetch(self) -> None:
        """Declare the intrinsic that prefetches."""
        self.head.declarations[PREFETCH] = f"declare void @{PREFETCH}(ptr, i32, i32, i32)"

    # -- memory
    def area(self, area: int, dtype: str) -> str:
        """The address in an area: of the current vector, the same for all rows, or of the row's own element."""
        return self.lane_pointer(self.pointer(INTERNAL, area, moves=not self.loops), ITEMSIZE[dtype])

    def load_area(self, area: int, dtype: str) -> str:
        if self.form == COLUMNS:
            place = f"getelementptr i{8 * ITEMSIZE[dtype]}, ptr {self.pointer(INTERNAL, area, moves=False)}, i64 %i"
            return load_by_registers(self.fixed, self.fixed.op(place), dtype, self.width)
        return load_by_registers(self.body, self.area(area, dtype), dtype, self.width)

    def store_area(self, area: int, dtype: str, value: str) -> None:
        store(self.body, value, self.area(area, dtype), dtype, self.width)

    def store_row(self, area: int, dtype: str, value: str) -> None:
        """The row's own element, which does not vary along the lanes."""
        store(self.row_code, value, self.pointer(INTERNAL, area), dtype)

    def load_scalar(self, pointer: str, dtype: str) -> str:
        return load(self.row_code, pointer, dtype)

    def load_vector(self, operand: int, dtype: str, add: int = NO_AREA) -> str:
        pointer, step = self.pointer(VECTOR, operand, ITEMSIZE[dtype], READ, add), self.strided.get(operand, 1)
        place = self.lane_pointer(pointer, ITEMSIZE[dtype], step)
        if step == 1:
            self.prefetch(place, dtype)
            value = load(self.body, place, dtype, self.width)
            self.adjacent[value] = place
            return value
        return load_strided(self.body, place, dtype, step, self.width)

    def store_vector(self, operand: int, dtype: str, value: str) -> None:
        kind, step, read = (VECTOR if self.loops else SPLAT), self.strided.get(operand, 1), self.adjacent.items()
        place = self.lane_pointer(self.pointer(kind, operand, ITEMSIZE[dtype], WRITE), ITEMSIZE[dtype], step)
        if step == 1:
            if self.form == LANES and dtype in PLAIN and (old := next((x for x, at in read if at == place), "")):
                self.entries[kind, operand, NO_AREA].keeps = True
                value = kept_if_done(self, value, old, dtype)
            self.prefetch(place, dtype, writes=True)
            self.stored.append((value, place, dtype))
            store(self.body, value, place, dtype, self.width)
        else:
            store_strided(self.body, value, place, dtype, step, self.width)

    def prefetch(self, place: str, dtype: str, writes: bool = False) -> None:
        """Prefetch, once, what is behind a vector, if the loop is to."""
        if (self.prefetches_operands or (self.prefetches_results and writes)) and (
            key := f"{place}.onward"
        ) not in self.once:
            self.once[key] = place
            self.declare_prefetch()
            t = self.tuning.prefetch
            by = t.distance_bytes if self.prefetches_operands else t.light_distance_bytes
            self.prefetch_code += prefetch_following(place, self.width * ITEMSIZE[dtype], writes, by)

    def store_vectors(self, outs: Sequence[tuple[int, str, str]], joined: int) -> None:
        """(operand, dtype, value) of outputs; joined: so many each are interleaved."""
        if not joined:
            for out in outs:
                self.store_vector(*out)
            return
        for first in range(0, len(outs), joined):
            (operand, dtype, _), values = outs[first], [value for _, _, value in outs[first : first + joined]]
            pointer = self.pointer(VECTOR, operand, ITEMSIZE[dtype], WRITE)
            store_interleaved(self.body, values, self.lane_pointer(pointer, ITEMSIZE[dtype], joined), dtype, self.width)

    def row_place(self, code: Code, pointer: str, dtype: str) -> str:
        """The row's place in an area, from that of the first row."""
        if not self.has_rows:
            return pointer
        return code.op(f"getelementptr i{8 * ITEMSIZE[dtype]}, ptr {pointer}, i64 %r")

    def store_scalar(self, operand: int, dtype: str, value: str) -> None:
        store(self.row_code, value, self.pointer(SPLAT, operand, ITEMSIZE[dtype], WRITE), dtype)

    # -- values
    def splat(self, v: Val) -> str:
        """A scalar, computed already, in all lanes."""
        if id(v) not in self.lanes:
            name = self.scalars[id(v)]
            self.lanes[id(v)] = (
                constant(v.attr, v.type, self.width)
                if v.op == "const"
                else splat(self.points, name, v.type, self.width)
            )
        return self.lanes[id(v)]

    def negate_differences(self, values: Iterable[Val], roots: Sequence[Val]) -> None:
        """Where only the square of x - m is used, and x alone is in memory, compute m - x: one instruction with its
        load."""
        users: dict[int, list[Val]] = {}
        for v in values:
            for a in v.args:
                users.setdefault(id(a), []).append(v)
        for v in values:
            if v.op != "sub" or v.type not in PLAIN or id(v) in self.lanes or v in roots:
                continue
            x, m = (self.lanes.get(id(a), "") for a in v.args)
            squared = all(w.op == "mul" and w.args[0] is w.args[1] for w in users[id(v)])
            if squared and x in self.adjacent and m and m not in self.adjacent:
                self.lanes[id(v)] = self.body.op(f"fsub {llvm_type(v.type, self.width)} {m}, {x}")

    def relative(self, clamped: bool = False) -> str:
        """The lanes' positions in the block, int64; clamped: dead lanes repeat the last live one's."""
        clamped |= self.clamps
        key = "relative.clamped" if clamped else "relative"
        if key in self.once:
            return self.once[key]
        W, t = self.width, llvm_type("int64", self.width)
        iota = f"<{', '.join(f'i64 {k}' for k in range(W))}>" if W > 1 else "0"
        start = splat(self.body, "%i", "int64", W)
        value = self.body.op(f"add {t} {start}, {iota}")
        if clamped:
            last = self.head.op(f"add i64 {self.head.op('add i64 %n, %live')}, {-W - 1}")
            last = splat(self.head, last, "int64", W)
            value = self.body.intrinsic("smin", "int64", W, value, last)
        self.once[key] = value
        return value

    def lane_index(self, axis: int, clamped: bool) -> str:
        base = splat(self.before, self.position(axis), "int64", self.width)
        return self.body.op(f"add {llvm_type('int64', self.width)} {base}, {self.relative(clamped)}")

    def row_index(self, area: int, axis: int) -> str:
        """Of wide rows: the lanes' rows, from that of the first one; scratch says how many there are in each wide row,
        and which of them an element is in."""
        place, first = self.pointer(INTERNAL, area, moves=False), self.pointer(POSITION, axis)
        together, first = (self.head.op(f"load i64, ptr {p}, align 8") for p in (place, first))
        here = self.before.op(f"add i64 {self.before.op(f'mul i64 {together}, %r')}, {first}")
        behind = self.head.op(f"getelementptr i8, ptr {place}, i64 {ROW_NUMBERS_OFFSET_BYTES}")
        numbers = load(self.body, self.lane_pointer(behind, 8), "int64", self.width)
        every = splat(self.before, here, "int64", self.width)
        return self.body.op(f"add {llvm_type('int64', self.width)} {every}, {numbers}")

    def flag(self, code: Code, wrong: str) -> None:
        """Raise the flag if the i1 is true; in a loop over vectors, or rows of a scalar each, once, behind it."""
        self.fails, pointer = True, self.pointer(FLAG, 0)
        if self.form == ROW and self.has_rows:
            self.wrong = code.op(f"or i1 {self.wrong}, {wrong}")
            return
        bit = code.op(f"zext i1 {wrong} to i64")
        if code is not self.body or not self.loops or self.form == COLUMNS:
            old = code.op(f"load i64, ptr {pointer}, align 8")
            code.do(f"store i64 {code.op(f'or i64 {old}, {bit}')}, ptr {pointer}, align 8")
            return
        if not self.phis or self.phis[-1].name != "%flag":
            self.phis.append(Phi("%flag", "i64", "0", "%flag"))
        last = self.phis[-1]
        self.phis[-1] = Phi(last.name, last.type, last.initial, code.op(f"or i64 {last.next}, {bit}"))

    # -- reductions
    def live_mask(self, kind: str) -> str:
        """Behind a chunk: lanes that hold elements that were not done before, for vectors of a type."""
        bits = 8 if has_mask_registers(self) else bits_of(kind)
        if (key := f"live {bits}") not in self.once:
            self.once[key] = self.masked.op(new_lanes(self.masked, self, bits))
        return self.once[key]

    # -- text
    def row_phis(self, start: str = ".0") -> list[Phi]:
        moving, number = [e.name for e in self.entries.values() if e.moves], "0" if start == ".0" else f"%r{start}"
        any_before = "false" if start == ".0" else f"{WRONG}{start}"
        wrong = [Phi(WRONG, "i1", any_before, self.wrong)] if self.wrong != WRONG else []
        pointers = [Phi(a, "ptr", f"{a}{start}", f"{a}.next") for a in moving]
        return [Phi("%r", "i64", number, "%r.next"), *wrong, *pointers]

    def next_row(self) -> list[str]:
        moving = [e.name for e in self.entries.values() if e.moves]
        return [
            *(f"  {a}.next = getelementptr i8, ptr {a}, i64 {a}.step" for a in moving),
            "  %r.next = add i64 %r, 1",
            "  %r.more = icmp slt i64 %r.next, %rows",
        ]


def prefetch_following(place: str, span: int, writes: bool, by: int) -> list[str]:
    """Prefetch the lines of `span` bytes that are `by` bytes behind a place."""
    lines = []
    for at in range(0, span, CACHE_LINE_BYTES):
        lines += [
            f"  {place}.o{at} = getelementptr i8, ptr {place}, i64 {by + at}",
            f"  call void @{PREFETCH}(ptr {place}.o{at}, i32 {int(writes)}, i32 {FIRST}, i32 1)",
        ]
    return lines


def in_line(code: Code, reducer: Any, part: str, types: tuple[str, ...], operands: Sequence[str], W: int) -> list[str]:
    """A reducer's step, combine or finish of arguments of dtypes `types`."""
    params, results = region(reducer, part, types)
    env = {id(p): x for p, x in zip(params, operands, strict=True)}
    emit(code, results, env, W)
    return [env[id(r)] for r in results]
