"""One kernel `void k(ptr P, i64 n, i64 live, i64 rows)`: its loops, and what stands between them.

A kernel's operands are pointers in P, described by `Entry`s, and behind them their steps in bytes from row to row: the
nest library reads the entries to fill P.  By form:

    SCALAR   straight-line code: k(P, n, live)
    ROW      for each row: `before`
    LANES    for each row: `before`; for each chunk of it: { for each vector: `body`; `ends`; `close` }; then `after`
    COLUMNS  for each vector: for each row: `before`, `body`; then `close`

A chunk is as many vectors as states should add up at once; where n is no multiple of the width the last chunk is the
row's last whole vector, some lanes of which were done before.  `live` (the width, but for a padded vector) lanes hold
elements.  Where a row is one chunk of whole vectors there is nothing to add up or to mask, and `close` is left out.
`head` comes first and once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from tensordsl.codegen.code import from_memory, memory_type
from tensordsl.codegen.group import region
from tensordsl.codegen.nest_words import FLAG, INTEGER, INTERNAL, POSITION, READ, SPLAT, VECTOR, WRITE
from tensordsl.codegen.scalar import FLOATS, ITEMSIZE, SIGNED, Val
from tensordsl.codegen.text import Code, constant, emit, llvm_type, load, splat, store

SCALAR, ROW, LANES, COLUMNS = range(4)
NO_AREA = -1
NO_POSITION = 2**31 - 1  # of no element, in a block
CHUNK = 16  # vectors that one lane adds up; sums of chunks are then added without error


@dataclass(slots=True)
class Entry:
    """A pointer in P.  `name`: in the text, the same in equal kernels; `number`: operand, area, integer or axis; `add`:
    area of a byte offset, or NO_AREA; `moves`: is it another one for each row?"""

    name: str
    kind: int
    number: int
    itemsize: int = 0
    flags: int = 0
    add: int = NO_AREA
    moves: bool = False


@dataclass(frozen=True, slots=True)
class Phi:
    name: str
    type: str
    initial: str
    next: str


class Kernel:
    """The text of one kernel; `width` lanes along the axis `lane`, its rows along the axis `row` (-1: one row)."""

    def __init__(self, name: str, form: int, width: int, lane: int = -1, row: int = -1) -> None:
        self.name, self.form, self.width, self.lane, self.row = name, form, width, lane, row
        self.entries: dict[tuple[int, int, int], Entry] = {}
        self.head, self.before, self.body, self.ends, self.masked, self.close, self.after = map(Code, "hsvelqt")
        self.before.block = "row" if self.has_rows or form == COLUMNS else "entry"
        self.body.block, self.close.block, self.after.block = "loop", "close", "after"
        if form != LANES:
            self.body = self.before
        self.scalars: dict[int, str] = {}
        self.lanes: dict[int, str] = {}
        self.phis: list[Phi] = []  # of the loop around the body
        self.totals: list[Phi] = []  # of the chunks
        self.chosen: list[Phi] = []  # of a chunk: (name, type, if all lanes count, if not)
        self.states: list[Phi] = []  # of the whole row: (name, type, of one chunk, of several)
        self.chunk = 0  # vectors of a chunk; 0: all
        self.fails = False
        self._once: dict[str, str] = {}

    @property
    def loops(self) -> bool:
        return self.form in (LANES, COLUMNS)

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
        entry.moves |= moves and self.has_rows and kind in (VECTOR, SPLAT, INTERNAL)
        if add == NO_AREA:
            return entry.name
        key = f"{entry.name}.at"
        if key not in self._once:
            offset = load(self.before, self.pointer(INTERNAL, add), "int64")
            self._once[key] = self.before.op(f"getelementptr i8, ptr {entry.name}, i64 {offset}")
        return self._once[key]

    def lane_pointer(self, pointer: str, itemsize: int) -> str:
        """In the loop: the address of the current vector."""
        if not self.loops:
            return pointer
        name = f"{pointer}.i"
        if name not in self._once:
            self._once[name] = name
            self.body.do(f"{name} = getelementptr i{8 * itemsize}, ptr {pointer}, i64 %i")
        return name

    def integer(self, number: int) -> str:
        """A run-time integer, loaded before the loops."""
        key = f"int{number}"
        if key not in self._once:
            self._once[key] = self.head.op(f"load i64, ptr {self.pointer(INTEGER, number)}, align 8")
        return self._once[key]

    def position(self, axis: int) -> str:
        """The current position along an axis; of the lane axis: of the block."""
        key = f"pos{axis}"
        if key not in self._once:
            at = self.head.op(f"load i64, ptr {self.pointer(POSITION, axis)}, align 8")
            moves = self.has_rows and axis == self.row
            self._once[key] = self.before.op(f"add i64 {at}, %r") if moves else at
        return self._once[key]

    # -- memory
    def area(self, area: int, dtype: str) -> str:
        """The address in an area: of the current vector, the same for all rows, or of the row's own element."""
        return self.lane_pointer(self.pointer(INTERNAL, area, moves=not self.loops), ITEMSIZE[dtype])

    def load_area(self, area: int, dtype: str) -> str:
        return load(self.body, self.area(area, dtype), dtype, self.width)

    def store_area(self, area: int, dtype: str, value: str) -> None:
        store(self.body, value, self.area(area, dtype), dtype, self.width)

    def store_row(self, area: int, dtype: str, value: str) -> None:
        """The row's own element, which does not vary along the lanes."""
        store(self.before, value, self.pointer(INTERNAL, area), dtype)

    def load_scalar(self, pointer: str, dtype: str) -> str:
        return load(self.before, pointer, dtype)

    def load_vector(self, operand: int, dtype: str, add: int = NO_AREA) -> str:
        pointer = self.pointer(VECTOR, operand, ITEMSIZE[dtype], READ, add)
        return load(self.body, self.lane_pointer(pointer, ITEMSIZE[dtype]), dtype, self.width)

    def store_vector(self, operand: int, dtype: str, value: str) -> None:
        kind = VECTOR if self.loops else SPLAT
        pointer = self.pointer(kind, operand, ITEMSIZE[dtype], WRITE)
        store(self.body, value, self.lane_pointer(pointer, ITEMSIZE[dtype]), dtype, self.width)

    # -- values
    def splat(self, v: Val) -> str:
        """A scalar, computed already, in all lanes."""
        if id(v) not in self.lanes:
            name = self.scalars[id(v)]
            self.lanes[id(v)] = (
                constant(v.attr, v.type, self.width)
                if v.op == "const"
                else splat(self.before, name, v.type, self.width)
            )
        return self.lanes[id(v)]

    def relative(self, clamped: bool) -> str:
        """The lanes' positions in the block, int64; clamped: dead lanes repeat the last live one's."""
        key = "relative.clamped" if clamped else "relative"
        if key in self._once:
            return self._once[key]
        W, t = self.width, llvm_type("int64", self.width)
        iota = f"<{', '.join(f'i64 {k}' for k in range(W))}>" if W > 1 else "0"
        start = splat(self.body, "%i", "int64", W)
        value = self.body.op(f"add {t} {start}, {iota}")
        if clamped:
            last = self.head.op(f"add i64 {self.head.op('add i64 %n, %live')}, {-W - 1}")
            last = splat(self.head, last, "int64", W)
            value = self.body.intrinsic("smin", "int64", W, value, last)
        self._once[key] = value
        return value

    def lane_index(self, axis: int, clamped: bool) -> str:
        base = splat(self.before, self.position(axis), "int64", self.width)
        return self.body.op(f"add {llvm_type('int64', self.width)} {base}, {self.relative(clamped)}")

    def wrapped(self, code: Code, index: str, dtype: str, extent: str, W: int) -> str:
        """NumPy's index: negative ones count from the end; out of range raises the flag and gives 0."""
        t, mask = llvm_type("int64", W), llvm_type("bool", W)
        if ITEMSIZE[dtype] < 8:
            index = code.op(f"{'sext' if dtype in SIGNED else 'zext'} {llvm_type(dtype, W)} {index} to {t}")
        n, zero = splat(self.before if W > 1 else code, extent, "int64", W), constant(0, "int64", W)
        moved = code.op(f"add {t} {index}, {n}")
        low = code.op(f"icmp slt {t} {index}, {zero}")
        index = code.op(f"select {mask} {low}, {t} {moved}, {t} {index}")
        wrong = code.op(f"icmp uge {t} {index}, {n}")
        self.flag(code, code.any(wrong, W))
        return code.op(f"select {mask} {wrong}, {t} {zero}, {t} {index}")

    def flag(self, code: Code, wrong: str) -> None:
        """Raise the flag if the i1 is true; in a loop over vectors once, behind it."""
        self.fails = True
        pointer, bit = self.pointer(FLAG, 0), code.op(f"zext i1 {wrong} to i64")
        if code is not self.body or not self.loops or self.form == COLUMNS:
            old = code.op(f"load i64, ptr {pointer}, align 8")
            code.do(f"store i64 {code.op(f'or i64 {old}, {bit}')}, ptr {pointer}, align 8")
            return
        if not self.phis or self.phis[-1].name != "%flag":
            self.phis.append(Phi("%flag", "i64", "0", "%flag"))
        last = self.phis[-1]
        self.phis[-1] = Phi(last.name, last.type, last.initial, code.op(f"or i64 {last.next}, {bit}"))

    def gather(self, operand: int, dtype: str, offset: str) -> str:
        """One element per lane at byte offsets from the operand's current address."""
        W, base = self.width, self.pointer(SPLAT, operand, ITEMSIZE[dtype], READ)
        pointers = self.body.op(f"getelementptr i8, ptr {base}, <{W} x i64> {offset}")
        memory = memory_type(dtype)
        kind = {"double": "f64", "float": "f32"}.get(memory, memory)
        symbol, t = f"llvm.masked.gather.v{W}{kind}.v{W}p0", f"<{W} x {memory}>"
        self.body.declarations.setdefault(symbol, f"declare {t} @{symbol}(<{W} x ptr>, i32, <{W} x i1>, {t})")
        value = self.body.call(
            symbol, t, f"<{W} x ptr> {pointers}", f"i32 {ITEMSIZE[dtype]}", f"<{W} x i1> splat (i1 true)", f"{t} poison"
        )
        return from_memory(self.body, value, dtype, W)

    # -- reductions
    def part(
        self, code: Code, reduce: Val, part: str, operands: Sequence[str], W: int, types: tuple[str, ...] | None = None
    ) -> list[str]:
        """A reducer's step, combine or finish in line."""
        params, results = region(reduce.attr[0], part, types or reduce.type)
        env = {id(p): x for p, x in zip(params, operands, strict=True)}
        emit(code, results, env, W)
        return [env[id(r)] for r in results]

    def accumulate(self, number: int, reduce: Val, operands: Sequence[str], areas: Sequence[int]) -> None:
        """Step in registers from the identity, in a state of all lanes; then combine it into the total in scratch.
        Without the second operand: a narrow position."""
        reducer, types = reduce.attr[0], reduce.attr[0].state(reduce.type)
        initial, stepped, step = reducer.identity(reduce.type), types, reduce.type
        if len(operands) < len(reduce.args):
            operands = [*operands, self.narrow_position()]
            initial, stepped, step = (initial[0], NO_POSITION), (types[0], "int32"), (reduce.type[0], "int32")
        W = self.width
        start = [constant(k, t, W) for t, k in zip(stepped, initial, strict=True)]
        names = [f"%r{number}.{k}" for k in range(len(types))]
        following = self.part(self.body, reduce, "step", [*names, *operands], W, step)
        kinds = [llvm_type(t, W) for t in stepped]
        self.phis[:0] = [Phi(*row) for row in zip(names, kinds, start, following, strict=True)]
        if self.form == COLUMNS:
            pointers = [f"%s.{number}.{k}" for k in range(len(types))]
            for p, a, t in zip(pointers, areas, types, strict=True):
                base = self.pointer(INTERNAL, a, moves=False)
                self.close.do(f"{p} = getelementptr i{8 * ITEMSIZE[t]}, ptr {base}, i64 %i")
            self.add_to_total(self.close, reduce, pointers, following, types)
            return
        state = self.over_chunks(number, reduce, step, kinds, start, following)
        while W > 1:
            state, W = self.halved(self.after, reduce, state, stepped, W, step), W // 2
        if stepped != types:
            state[1] = self.wide_position(state[1], reducer.identity(reduce.type)[1])
        self.add_to_total(self.after, reduce, [self.pointer(INTERNAL, a) for a in areas], state, types, 1)

    def over_chunks(
        self, number: int, reduce: Val, step: tuple[str, ...], kinds: list[str], start: list[str], state: list[str]
    ) -> list[str]:
        """The state of all chunks of a row, from that of each.  Sums carry the errors of their additions along."""
        mask, masked = self.live_mask(), [f"%m{number}.{k}" for k in range(len(kinds))]
        for m, kind, x, i in zip(masked, kinds, state, start, strict=True):
            lanes = llvm_type("bool", self.width)
            self.masked.do(f"{m}.live = select {lanes} {mask}, {kind} {x}, {kind} {i}")
        self.chosen += [Phi(m, kind, x, f"{m}.live") for m, kind, x in zip(masked, kinds, state, strict=True)]
        totals = [f"%t{number}.{k}" for k in range(len(kinds))]
        whole = [f"%u{number}.{k}" for k in range(len(kinds))]
        if _loses_digits(reduce):
            self.chunk, kind, error, rest = CHUNK, kinds[0], f"%t{number}.e", f"%u{number}.e"
            total, missed = _two_sum(self.close, kind, totals[0], masked[0])
            missed = self.close.op(f"fadd {kind} {error}, {missed}")
            self.totals.append(Phi(error, kind, start[0], missed))
            self.states.append(Phi(rest, kind, start[0], missed))
            both = self.after.op(f"fadd {kind} {whole[0]}, {rest}")
            lost = self.after.op(f"fcmp uno {kind} {rest}, {rest}")  # the total is infinite, or NaN itself
            lanes = llvm_type("bool", self.width)
            result = [self.after.op(f"select {lanes} {lost}, {kind} {whole[0]}, {kind} {both}")]
            combined = [total]
        else:
            combined = self.part(self.close, reduce, "combine", [*totals, *masked], self.width, step)
            result = whole
        self.totals += [Phi(*row) for row in zip(totals, kinds, start, combined, strict=True)]
        self.states += [Phi(*row) for row in zip(whole, kinds, state, combined, strict=True)]
        return result

    def add_to_total(
        self, code: Code, reduce: Val, pointers: list[str], state: Sequence[str], types: tuple[str, ...], W: int = 0
    ) -> None:
        W = W or self.width
        totals = [load(code, p, t, W) for p, t in zip(pointers, types, strict=True)]
        combined = self.part(code, reduce, "combine", [*totals, *state], W)
        for p, t, x in zip(pointers, types, combined, strict=True):
            store(code, x, p, t, W)

    def narrow_position(self) -> str:
        """The lanes' positions in the block, int32."""
        t, W = llvm_type("int32", self.width), self.width
        start = splat(self.body, self.body.op("trunc i64 %i to i32"), "int32", W)
        return self.body.op(f"add {t} {start}, <{', '.join(f'i32 {k}' for k in range(W))}>")

    def wide_position(self, narrow: str, none: int) -> str:
        """Behind the loop: a position along the lane axis from one in the block; of no element: `none`."""
        code = self.after
        lost = code.op(f"icmp eq i32 {narrow}, {NO_POSITION}")
        wide = code.op(f"add i64 {code.op(f'sext i32 {narrow} to i64')}, {self.position(self.lane)}")
        return code.op(f"select i1 {lost}, i64 {none}, i64 {wide}")

    def live_mask(self) -> str:
        """Behind a chunk: lanes that hold elements that were not done before."""
        if "live" not in self._once:
            W = self.width
            code, t = self.masked, f"<{W} x i8>"
            first = code.op("trunc i64 %first to i8")
            count = code.op(f"sub i8 {code.op('trunc i64 %live to i8')}, {first}")
            lane = code.op(f"sub {t} <{', '.join(f'i8 {k}' for k in range(W))}>, {splat(code, first, 'uint8', W)}")
            self._once["live"] = code.op(f"icmp ult {t} {lane}, {splat(code, count, 'uint8', W)}")
        return self._once["live"]

    def finished(self, reduce: Val, areas: Sequence[int]) -> list[str]:
        """A row's reduction, from its state in scratch."""
        code, types = self.before, reduce.attr[0].state(reduce.type)
        state = [load(code, self.pointer(INTERNAL, a), t) for a, t in zip(areas, types, strict=True)]
        return self.part(code, reduce, "finish", state, 1)

    def halved(
        self, code: Code, reduce: Val, state: list[str], dtypes: Sequence[str], W: int, types: tuple[str, ...]
    ) -> list[str]:
        """The upper half of the lanes combined into the lower one."""
        low, high = ([_half(code, x, t, W, k) for x, t in zip(state, dtypes, strict=True)] for k in (0, 1))
        return self.part(code, reduce, "combine", [*low, *high], W // 2, types)

    # -- text
    def finish(self) -> None:
        """Bring the entries into the order of P: the library rewrites the first ones, the external, for each call.  And
        write what stands around the body, which goes by the operands and states that it has got."""
        if self.form == LANES:
            flag = next((p for p in self.phis if p.name == "%flag"), None)
            if flag:
                pointer = self.pointer(FLAG, 0)
                old = self.ends.op(f"load i64, ptr {pointer}, align 8")
                self.ends.do(f"store i64 {self.ends.op(f'or i64 {old}, {flag.next}')}, ptr {pointer}, align 8")
            self.totals[:0] = self._chunks()
            if self.states and self.close.block == "close":
                self.close.block = "fold"
        self.entries = dict(sorted(self.entries.items(), key=lambda e: e[0][0] > SPLAT))

    def _chunks(self) -> list[Phi]:
        """Where a chunk starts and stops, and how many of its first vector's lanes were done before: as many whole
        vectors as may be; behind the last of them, the row's last whole vector."""
        size, head, code = self.chunk * self.width, self.head, self.close
        whole = head.op(f"and i64 %n, {-self.width}")
        first = head.intrinsic("smin", "int64", 1, whole, str(size)) if size else whole
        one, full = head.op(f"icmp eq i64 %n, {first}"), head.op(f"icmp eq i64 %live, {self.width}")
        head.do(f"%single = and i1 {one}, {full if self.states else one}")
        start = code.intrinsic("smin", "int64", 1, "%stop", head.op(f"sub i64 %n, {self.width}"))
        more = code.intrinsic("smin", "int64", 1, code.op(f"add i64 {start}, {size}"), whole) if size else whole
        is_last = code.op(f"icmp eq i64 %stop, {whole}")
        stop = code.op(f"select i1 {is_last}, i64 %n, i64 {more}")
        again = code.op(f"sub i64 %stop, {start}")
        return [Phi("%start", "i64", "0", start), Phi("%stop", "i64", first, stop), Phi("%first", "i64", "0", again)]

    def text(self) -> str:
        rows = "" if self.form == SCALAR else ", i64 %rows"
        lines = [f"define void @{self.name}(ptr %P, i64 %n, i64 %live{rows}) nounwind {{", "entry:"]
        entries, behind = list(self.entries.values()), len(self.entries)
        for k, e in enumerate(entries):
            lines += [f"  %at.{k} = getelementptr ptr, ptr %P, i64 {k}"]
            lines += [f"  {e.name}{'.0' if e.moves else ''} = load ptr, ptr %at.{k}, align 8"]
            if e.moves:
                lines += [f"  %by.{k} = getelementptr i64, ptr %P, i64 {behind + k}"]
                lines += [f"  {e.name}.step = load i64, ptr %by.{k}, align 8"]
        loops = {LANES: self._lanes, COLUMNS: self._columns}.get(self.form, self._rows)
        return "\n".join([*lines, *self.head.lines, *loops(), "  ret void", "}", ""])

    def _rows(self) -> list[str]:
        return self._for_rows(self.before.lines, self.before.block)

    def _for_rows(self, lines: Sequence[str], last: str) -> list[str]:
        """`lines`, which end in the block `last`, once per row."""
        if not self.has_rows:
            return list(lines)
        return [
            "  br label %row",
            "row:",
            *_phi_lines(self._row_phis(), "entry", last),
            *lines,
            *self._next_row(),
            "  br i1 %r.more, label %row, label %done",
            "done:",
        ]

    def _row_phis(self) -> list[Phi]:
        moving = [e.name for e in self.entries.values() if e.moves]
        return [Phi("%r", "i64", "0", "%r.next"), *(Phi(a, "ptr", f"{a}.0", f"{a}.next") for a in moving)]

    def _next_row(self) -> list[str]:
        moving = [e.name for e in self.entries.values() if e.moves]
        return [
            *(f"  {a}.next = getelementptr i8, ptr {a}, i64 {a}.step" for a in moving),
            "  %r.next = add i64 %r, 1",
            "  %r.more = icmp slt i64 %r.next, %rows",
        ]

    def _lanes(self) -> list[str]:
        lines = [
            *self.before.lines,
            "  br label %chunk",
            "chunk:",
            *_phi_lines(self.totals, self.before.block, self.close.block),
            "  br label %loop",
            "loop:",
            *_phi_lines([Phi("%i", "i64", "%start", "%i.next"), *self.phis], "chunk", self.body.block),
            *self.body.lines,
            f"  %i.next = add i64 %i, {self.width}",
            "  %more = icmp slt i64 %i.next, %stop",
            "  br i1 %more, label %loop, label %ends",
            "ends:",
            *self.ends.lines,
            "  br i1 %single, label %after, label %close",
            *self._close(),
            "  %again = icmp slt i64 %stop, %n",
            "  br i1 %again, label %chunk, label %after",
            "after:",
            *_phi_lines(self.states, "ends", self.close.block),
            *self.after.lines,
        ]
        return self._for_rows(lines, self.after.block)

    def _close(self) -> list[str]:
        if not self.states:
            return ["close:", *self.close.lines]
        return [
            "close:",
            "  %before = icmp ne i64 %first, 0",
            f"  %short = icmp ne i64 %live, {self.width}",
            "  %partly = or i1 %before, %short",
            "  br i1 %partly, label %masked, label %fold",
            "masked:",
            *self.masked.lines,
            "  br label %fold",
            "fold:",
            *_phi_lines(self.chosen, "close", "masked"),
            *self.close.lines,
        ]

    def _columns(self) -> list[str]:
        return [
            "  br label %vector",
            "vector:",
            *_phi_lines([Phi("%i", "i64", "0", "%i.next")], "entry", self.close.block),
            "  br label %row",
            "row:",
            *_phi_lines([*self._row_phis(), *self.phis], "vector", self.before.block),
            *self.before.lines,
            *self._next_row(),
            "  br i1 %r.more, label %row, label %close",
            "close:",
            *self.close.lines,
            f"  %i.next = add i64 %i, {self.width}",
            "  %more = icmp slt i64 %i.next, %n",
            "  br i1 %more, label %vector, label %done",
            "done:",
        ]

    def needs(self) -> tuple[dict[str, str], dict[str, str]]:
        """(declarations, functions) of the module by name."""
        whole = Code()
        for code in (self.head, self.before, self.body, self.ends, self.masked, self.close, self.after):
            whole.need(code)
        return whole.declarations, whole.functions


def _phi_lines(phis: Sequence[Phi], first: str, last: str) -> list[str]:
    return [f"  {p.name} = phi {p.type} [ {p.initial}, %{first} ], [ {p.next}, %{last} ]" for p in phis]


def _loses_digits(reduce: Val) -> bool:
    """Is it a sum of floats that were not float32 before: those have digits to spare in float64."""
    value = reduce.args[0]
    widened = value.op == "cast" and value.args[0].type == "float32"
    return reduce.attr[0].name == "sum" and value.type in FLOATS and not widened


def _two_sum(code: Code, kind: str, a: str, b: str) -> tuple[str, str]:
    """a + b and what rounding took from it (Knuth's six operations)."""
    total = code.op(f"fadd {kind} {a}, {b}")
    part = code.op(f"fsub {kind} {total}, {a}")
    rest = code.op(f"fsub {kind} {a}, {code.op(f'fsub {kind} {total}, {part}')}")
    return total, code.op(f"fadd {kind} {rest}, {code.op(f'fsub {kind} {b}, {part}')}")


def _half(code: Code, value: str, dtype: str, W: int, k: int) -> str:
    t, H = llvm_type(dtype, W), W // 2
    if H == 1:
        return code.op(f"extractelement {t} {value}, i64 {k}")
    lanes = ", ".join(f"i32 {k * H + q}" for q in range(H))
    return code.op(f"shufflevector {t} {value}, {t} poison, <{H} x i32> <{lanes}>")


def pattern(value: Any, dtype: str) -> int:
    """Eight bytes of memory filled with a constant, as int64."""
    import numpy as np

    name = {"bool": np.uint8}.get(dtype, np.dtype(dtype))
    return int(np.full(8 // ITEMSIZE[dtype], value, name).view(np.int64)[0])
