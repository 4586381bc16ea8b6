"""The kernel of a loop's rounds: `i64 k(ptr P, i64 first, i64 count)` (see `program_ir.instructions.RoundsKernel`).

Contract  a `body.Body` -> `Made`: the text, the names whose values are words of P, checks that may fail.
Why       what is carried is a phi of the inner loop, so that it stays in a register from round to round.
"""

from __future__ import annotations

from collections.abc import Callable

from tensordsl.base.records import record
from tensordsl.codegen.llvm.emit_scalars import constant, emit_all, llvm_type, load, memory_type, splat, store
from tensordsl.codegen.llvm.vector_builder import Code, from_memory, shuffled, to_memory
from tensordsl.codegen.program_ir.instructions import Instr, Kernels, Name
from tensordsl.codegen.rounds.body import INTEGER, LAUNCH, Body, Kind, Launched, Source, Unfit
from tensordsl.codegen.rounds.integers import Integers, Number
from tensordsl.codegen.scalar_ir.builder import ITEMSIZE, SIGNED, Val, walk
from tensordsl.codegen.target.tuning import Tuning
from tensordsl.graph.casting import real_of
from tensordsl.graph.types import COMPLEX

Operands = dict[int, str]  # by the ids of values


@record
class Made:
    """A kernel, with the names whose values are its words, and its checks."""

    kernels: Kernels
    pointers: tuple[Name, ...]
    integers: tuple[Name, ...]
    checks: tuple[tuple[str, int], ...]


def make(body: Body, index: Name, symbol: str, tuning: Tuning, lanes: int | None) -> Made:
    """The kernel of a body; lanes: how many there are, where that is known."""
    return _Writer(body, index, symbol, tuning, lanes).run()


class _Writer:
    """The text in sections, each of which may use names of those before it:

        head            words of P, numbers in the first round
        ends            numbers in the last round, and checks; the rounds are halved where one fails
        start           scalars that no round changes, and carried ones
        chunk           for each vector of lanes: what no round changes, and what is carried
          body            for each round: its launches on one vector, rows that are read and stored
          after           carried vectors are stored
        done            carried scalars are stored

    Lanes past the end are masked off.  A body without lanes has one chunk of one lane.  Scalars are computed again for
    each vector, from where they were.
    """

    def __init__(self, body: Body, index: Name, symbol: str, tuning: Tuning, lanes: int | None) -> None:
        self.what, self.symbol = body, symbol
        inline = tuning.schedule.inline_functions
        self.head, self.ends, self.start, self.chunk, self.body, self.after, self.done = (
            Code(prefix, inline=inline) for prefix in "htscvad"
        )
        self.body.block = "round"
        self.words: dict[str, dict[Name, str]] = {"ptr": {}, "i64": {}}
        self.integers = Integers(self.head, self.ends, self.body, self.word)
        self.integers.numbers[index] = Number("%first", 1)
        self.width = self.chosen_width(tuning, lanes) if body.length else 1
        self.size = self.word(body.length, "i64") if body.length else "1"
        self.values: dict[Source, str] = {}
        self.vectors: dict[Source, str] = {}  # the same in all lanes
        self.phis: list[tuple[str, str, str, Source]] = []  # (name, type, first value, what follows)
        self.moving: dict[tuple[Name, bool], str] = {}

    def chosen_width(self, tuning: Tuning, lanes: int | None) -> int:
        """Lanes of some registers, but no more than there are, of the longest type."""
        sizes = [ITEMSIZE[dtype] for dtype, has_lanes in self.what.kinds.values() if has_lanes]
        whole = tuning.rounds.vector_registers * self.head.vector_bytes // max(sizes, default=8)
        width = max(2, whole)
        while lanes is not None and width >= 2 * max(lanes, 1) and width > 2:
            width //= 2
        return width

    def word(self, name: Name, kind: str) -> str:
        """The operand of a name that is a word of P; where it stands is known at the end."""
        return self.words[kind].setdefault(name, f"%{kind}.{len(self.words[kind])}")

    # -- the text
    def run(self) -> Made:
        for step in self.what.steps:
            if isinstance(step, int):
                self.launch(step)
            elif isinstance(step, tuple):
                self.loaded(*step)
            else:
                assert isinstance(step, Instr)
                self.integers.do(step)
        for address, source in self.what.rows:
            self.store_row(address, source)
        for address, source in self.what.finals.items():
            self.store_final(address, source)
        following = [self.value(source) for *_, source in self.phis]  # may begin further phis
        while len(following) < len(self.phis):
            following.append(self.value(self.phis[len(following)][-1]))
        text = "\n".join(self.lines(following))
        whole = Code()
        for code in (self.head, self.ends, self.start, self.chunk, self.body, self.after, self.done):
            whole.need(code)
        shared = frozenset((whole.declarations | whole.functions).values())
        kernels = Kernels((self.symbol,), (text,), (), shared, (), False, (whole.widest_load_bytes,))
        pointers, integers = (tuple(self.words[kind]) for kind in ("ptr", "i64"))
        return Made(kernels, pointers, integers, tuple(self.integers.checks))

    def lines(self, following: list[str]) -> list[str]:
        t, n = self.integers, self.integers
        names = [(kind, operand) for kind in ("ptr", "i64") for operand in self.words[kind].values()]
        lines = [f"define i64 @{self.symbol}(ptr %P, i64 %first, i64 %count) nounwind {{", "entry:"]
        for k, (kind, operand) in enumerate(names):
            lines += [f"  {operand}.at = getelementptr i64, ptr %P, i64 {k}"]
            lines += [f"  {operand} = load {kind}, ptr {operand}.at, align 8"]
        lines += [*self.head.lines, "  br label %try", "try:"]
        halves = ", [ %half, %fewer ]" if n.bad else ""
        lines += [f"  %end = phi i64 [ %count, %entry ]{halves}"]
        if n.last or n.bad:
            lines += ["  %behind = sub i64 %end, %first", "  %span = sub i64 %behind, 1"]
        lines += self.ends.lines
        if n.bad:
            lines += self.halved(len(names))
        else:
            lines += ["  br label %start", "start:"]
        lines += [*self.start.lines, "  br label %chunk", "chunk:"]
        if self.width > 1:
            lines += ["  %at = phi i64 [ 0, %start ], [ %at.next, %after ]", *self.mask_lines()]
        lines += [*self.chunk.lines, "  br label %round", "round:"]
        rounds = [("%r", "i64", "%first", "%r.next"), *((a, b, c, f"{a}.next") for a, b, c, _ in t.phis)]
        rounds += [(a, b, c, x) for (a, b, c, _), x in zip(self.phis, following, strict=True)]
        latch = self.body.block
        lines += [f"  {a} = phi {b} [ {c}, %chunk ], [ {x}, %{latch} ]" for a, b, c, x in rounds]
        lines += [*self.body.lines, "  %r.next = add i64 %r, 1"]
        lines += [f"  {name}.next = {right}" for name, _, _, right in t.phis]
        lines += ["  %r.more = icmp slt i64 %r.next, %end", "  br i1 %r.more, label %round, label %after", "after:"]
        lines += self.after.lines
        if self.width > 1:
            lines += [f"  %at.next = add i64 %at, {self.width}", f"  %at.more = icmp slt i64 %at.next, {self.size}"]
            lines += ["  br i1 %at.more, label %chunk, label %done"]
        else:
            lines += ["  br label %done"]
        return [*lines, "done:", *self.done.lines, "  ret i64 %end", "}", ""]

    def halved(self, words: int) -> list[str]:
        """Half of the rounds where they are too many; where one is, its check fails: what it compares is told."""
        n = self.integers
        bad = n.bad[0]
        lines = []
        for k, other in enumerate(n.bad[1:]):
            lines.append(f"  %bad{k} = or i1 {bad}, {other}")
            bad = f"%bad{k}"
        lines += [f"  br i1 {bad}, label %many, label %start", "many:", "  %one = icmp sle i64 %span, 0"]
        lines += ["  br i1 %one, label %fail, label %fewer", "fewer:"]
        lines += ["  %part = ashr i64 %behind, 1", "  %half = add i64 %first, %part", "  br label %try", "fail:"]
        for k, x in enumerate(x for pair in n.operands for x in pair):
            lines += [f"  %told{k} = getelementptr i64, ptr %P, i64 {words + k}", f"  store i64 {x}, ptr %told{k}"]
        return [*lines, "  ret i64 -1", "start:"]

    def mask_lines(self) -> list[str]:
        """The lanes that there are."""
        W, t = self.width, llvm_type("int64", self.width)
        lanes = f"<{', '.join(f'i64 {k}' for k in range(W))}>"
        code = Code("m")
        left = splat(code, code.op(f"sub i64 {self.size}, %at"), "int64", W)
        return [*code.lines, f"  %mask = icmp slt {t} {lanes}, {left}"]

    # -- values
    def value(self, source: Source) -> str:
        """Its operand in the round, with lanes if it has some."""
        if source not in self.values:
            what, where = source
            if what == INTEGER:
                return self.integers.now(str(where))
            assert what != LAUNCH, "a launch behind its use"
            self.values[source] = self.in_memory(str(where), self.what.kinds[str(where)])
        return self.values[source]

    def in_lanes(self, source: Source, dtype: str) -> str:
        """The operand at all lanes, of a value that may have none."""
        value = self.value(source)
        if self.what.kind(source)[1]:
            return value
        if source not in self.vectors:
            what, where = source
            is_fixed = what not in (INTEGER, LAUNCH) and str(where) not in self.what.states
            is_fixed = is_fixed and self.integers.address(str(where)).step == 0
            self.vectors[source] = splat(self.start if is_fixed else self.body, value, dtype, self.width)
        return self.vectors[source]

    def in_memory(self, address: Name, kind: Kind) -> str:
        """What is at an address before the round."""
        dtype, has_lanes = kind
        before = self.chunk if has_lanes else self.start
        place = self.integers.address(address)
        if address in self.what.states:
            name = f"%w{len(self.phis)}"
            first = self.load(before, self.lane_place(before, place.first, kind), kind)
            t = llvm_type(dtype, self.width if has_lanes else 1)
            self.phis.append((name, t, first, self.what.states[address]))
            return name
        if place.step == 0:
            return self.load(before, self.lane_place(before, place.first, kind), kind)
        return self.load(self.body, self.row_place(address, kind), kind)

    def row_place(self, address: Name, kind: Kind) -> str:
        """The address in this round, which moves on by as much in each."""
        key = address, kind[1]
        if key not in self.moving:
            before = self.chunk if kind[1] else self.start
            place, name = self.integers.address(address), f"%p{len(self.moving)}"
            first = self.lane_place(before, place.first, kind)
            self.integers.phis.append((name, "ptr", first, f"getelementptr i8, ptr {name}, i64 {place.step}"))
            self.moving[key] = name
        return self.moving[key]

    def lane_place(self, code: Code, place: object, kind: Kind) -> str:
        """The address of the chunk's first lane."""
        dtype, has_lanes = kind
        if not has_lanes:
            return str(place)
        return code.op(f"getelementptr [{ITEMSIZE[dtype]} x i8], ptr {place}, i64 %at")

    # -- memory
    def load(self, code: Code, place: str, kind: Kind) -> str:
        dtype, has_lanes = kind
        if not has_lanes:
            return load(code, place, dtype)
        real, W, mask = self.masked(code, dtype)
        t = memory_type(real, W)
        symbol = f"llvm.masked.load.{_mangled(t)}.p0"
        code.declarations[symbol] = f"declare {t} @{symbol}(ptr, i32, <{W} x i1>, {t})"
        align = f"i32 {ITEMSIZE[real]}"
        value = code.call(symbol, t, f"ptr {place}", align, f"<{W} x i1> {mask}", f"{t} zeroinitializer")
        return from_memory(code, value, real, W)

    def store(self, code: Code, value: str, place: str, kind: Kind) -> None:
        dtype, has_lanes = kind
        if not has_lanes:
            store(code, value, place, dtype)
            return
        real, W, mask = self.masked(code, dtype)
        t = memory_type(real, W)
        symbol = f"llvm.masked.store.{_mangled(t)}.p0"
        code.declarations[symbol] = f"declare void @{symbol}({t}, ptr, i32, <{W} x i1>)"
        value = to_memory(code, value, real, W)
        align = f"i32 {ITEMSIZE[real]}"
        code.do(f"call void @{symbol}({t} {value}, ptr {place}, {align}, <{W} x i1> {mask})")

    def masked(self, code: Code, dtype: str) -> tuple[str, int, str]:
        """What is loaded and stored: a complex number as two."""
        if dtype not in COMPLEX:
            return dtype, self.width, "%mask"
        twice = (k for lane in range(self.width) for k in (lane, lane))
        mask = shuffled(code, f"<{self.width} x i1>", "%mask", "poison", twice)
        return real_of(dtype), 2 * self.width, mask

    def store_row(self, address: Name, source: Source) -> None:
        kind = self.what.kinds[address]
        self.store(self.body, self.value(source), self.row_place(address, kind), kind)

    def store_final(self, address: Name, source: Source) -> None:
        kind = self.what.kinds[address]
        code, place = self.after if kind[1] else self.done, self.integers.address(address).first
        self.store(code, self.value(source), self.lane_place(code, place, kind), kind)

    # -- launches
    def loaded(self, name: Name, source: Source, dtype: str) -> None:
        """An integer that a round computed."""
        if source[0] == INTEGER:
            known = self.integers.number(str(source[1]))
            if known is None:
                self.integers.varying[name] = self.integers.varying[str(source[1])]
            else:
                self.integers.numbers[name] = known
            return
        value, t = self.value(source), llvm_type(dtype)
        if t != "i64":
            value = self.body.op(f"{'sext' if dtype in SIGNED else 'zext'} {t} {value} to i64")
        self.integers.varying[name] = value

    def launch(self, number: int) -> None:
        made = self.what.launches[number]
        if not made.needed:
            return
        outs = [made.group.outs[k] for k in sorted(made.needed)]
        values = walk([o.value for o in outs])
        scalars: Operands = {}
        vectors: Operands = {}
        emit_all(self.body, [v for v in values if not v.axes], scalars, 1, self.leaf(made, lanes=False))
        self.widen_all(made, values, scalars, vectors)
        emit_all(self.body, [v for v in values if v.axes], vectors, self.width, self.leaf(made, lanes=True))
        for k, o in zip(sorted(made.needed), outs, strict=True):
            has_lanes = self.what.kind((LAUNCH, (number, k)))[1]
            if has_lanes and id(o.value) not in vectors:
                self.widen(made, o.value, scalars, vectors)
            self.values[LAUNCH, (number, k)] = (vectors if has_lanes else scalars)[id(o.value)]

    def leaf(self, made: Launched, lanes: bool) -> Callable[[Val], str]:
        def operand(v: Val) -> str:
            if v.op == "load":
                source = made.inputs[id(v.attr[0]), v.attr[1]]
                return self.in_lanes(source, v.type) if lanes else self.value(source)
            if v.op == "extent":
                return self.integers.now(made.ints[v.attr])
            raise Unfit(f"{v.op} in a round")

        return operand

    def widen_all(self, made: Launched, values: list[Val], scalars: Operands, vectors: Operands) -> None:
        """What lanes need of values that have none."""
        for v in values:
            for a in v.args if v.axes else ():
                if not a.axes and id(a) not in vectors:
                    self.widen(made, a, scalars, vectors)

    def widen(self, made: Launched, v: Val, scalars: Operands, vectors: Operands) -> None:
        if v.op == "const":
            vectors[id(v)] = constant(v.attr, v.type, self.width)
        elif v.op == "load":
            vectors[id(v)] = self.in_lanes(made.inputs[id(v.attr[0]), v.attr[1]], v.type)
        else:
            vectors[id(v)] = splat(self.body, scalars[id(v)], v.type, self.width)


def _mangled(t: str) -> str:
    """A vector type as names of intrinsics have it."""
    count, kind = t.strip("<>").split(" x ")
    return f"v{count}{ {'double': 'f64', 'float': 'f32'}.get(kind, kind) }"
