"""The kernel of a loop's rounds: `i64 k(ptr P, i64 first, i64 count)` (see `program_ir.instructions.RoundsKernel`).

Contract  a `body.Body` -> `Made`: the text, the names whose values are words of P, checks that may fail.
Why       what is carried is a phi of the inner loop, so that it stays in a register from round to round.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from tensordsl.base.records import record
from tensordsl.codegen.fusion.group import Reducer, levels, region
from tensordsl.codegen.llvm.clone import mangled
from tensordsl.codegen.llvm.emit_scalars import constant, emit, emit_all, llvm_type, load, memory_type, splat, store
from tensordsl.codegen.llvm.vector_builder import Code, from_memory, half_lanes, shuffled, to_memory
from tensordsl.codegen.program_ir.instructions import For, Instr, Kernels, Name
from tensordsl.codegen.rounds.body import INTEGER, LAUNCH, MEMORY, Body, Kind, Launched, Source, Unfit
from tensordsl.codegen.rounds.integers import Integers, Number
from tensordsl.codegen.scalar_ir.builder import ITEMSIZE, LEAVES, SIGNED, Val, is_function, walk
from tensordsl.codegen.target.tuning import Tuning
from tensordsl.graph.casting import real_of
from tensordsl.graph.types import COMPLEX

Operands = dict[int, str]  # by the ids of values


@record
class Made:
    """A kernel; names whose values are its words, its checks, what it tells (`RoundsKernel`); for how many lanes."""

    kernels: Kernels
    pointers: tuple[Name, ...]
    integers: tuple[Name, ...]
    checks: tuple[tuple[str, int], ...]
    told: tuple[tuple[Name, str], ...]
    max_lanes: int


def make(body: Body, loop: For, symbol: str, tuning: Tuning, lanes: int | None) -> Made:
    """The kernel of a loop's body; lanes: how many there are, where that is known."""
    return _Writer(body, loop, symbol, tuning, lanes).run()


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

    def __init__(self, body: Body, loop: For, symbol: str, tuning: Tuning, lanes: int | None) -> None:
        self.what, self.end, self.symbol, self.tuning = body, loop.end, symbol, tuning
        inline, vector_bytes = tuning.schedule.inline_functions, tuning.machine.vector_bytes
        self.head, self.ends, self.start, self.chunk, self.body, self.after, self.done = (
            Code(prefix, inline=inline, vector_bytes=vector_bytes) for prefix in "htscvad"
        )
        self.body.block, self.after.block, self.done.block = "round", "after", "done"
        self.words: dict[str, dict[Name, str]] = {"ptr": {}, "i64": {}}
        self.integers = Integers(self.head, self.ends, self.body, body, self.word)
        self.integers.numbers[loop.index] = Number("%first", 1)
        self.width = self.chosen_width(tuning, lanes) if body.length else 1
        self.size = self.word(body.length, "i64") if body.length else "1"
        self.values: dict[Source, str] = {}
        self.vectors: dict[Source, str] = {}  # the same in all lanes
        self.phis: list[tuple[str, str, str, Source]] = []  # (name, type, first value, what follows)
        self.moving: dict[tuple[Name, bool], str] = {}
        self.told: dict[tuple[Name, str], str] = {}
        self.reduced: dict[int, list[str]] = {}  # results of reductions
        self.rotations = 1 + max((self.age(c) for c in body.kept if not self.is_in_rows(c)), default=0)

    def chosen_width(self, tuning: Tuning, lanes: int | None) -> int:
        """Lanes of some registers of the longest type, but no more than there are; all where these are combined."""
        sizes = [ITEMSIZE[dtype] for dtype, has_lanes in self.what.kinds.values() if has_lanes]
        t = tuning.rounds
        registers = t.reduced_registers if self.what.reduces else t.vector_registers
        width = max(2, registers * self.head.vector_bytes // max(sizes, default=8))
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
        for address, size in sorted(self.what.updated.items()):
            self.integers.must_be_distinct(address, size or self.row_bytes(self.what.kinds[address]))
        for address in sorted(self.what.live):
            self.value((MEMORY, address))  # before something is written
        for address, source in self.what.rows:
            self.store_row(address, source)
        for address, source in self.what.finals.items():
            self.store_final(address, source)
        for address in sorted(self.what.kept):
            if not self.is_in_rows(address):
                self.store_carried(address)
        self.tell()
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
        most = self.width * (1 if self.what.reduces else self.max_chunks())
        return Made(kernels, pointers, integers, tuple(self.integers.checks), tuple(self.told), most)

    def max_chunks(self) -> int:
        """So many that their operations, which wait for each other, take no longer than launches."""
        t, costs = self.tuning.rounds, self.tuning.costs
        function = costs.function_ns_per_1000 / costs.operation_ns_per_1000
        chain = 0.0
        for made in self.what.launches:
            depth: dict[int, float] = {}
            for v in made.group.scalars if made.needed else ():
                own = function if is_function(v) else 0 if v.op in LEAVES else 1
                depth[id(v)] = own + max([depth[id(a)] for a in v.args], default=0)
            chain += max(depth.values(), default=0)
        return max(1, min(t.max_chunks, int(t.chain_operations / max(chain, 1))))

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
            lines += [f"  %at = phi i64 [ 0, %start ], [ %at.next, %{self.after.block} ]", *self.mask_lines()]
        lines += [*self.chunk.lines, "  br label %round", "round:"]
        rounds = [("%r", "i64", "%first", "%r.next"), *((a, b, c, f"{a}.next") for a, b, c, _ in t.phis)]
        rounds += [(a, b, c, x) for (a, b, c, _), x in zip(self.phis, following, strict=True)]
        latch = self.body.block
        lines += [f"  {a} = phi {b} [ {c}, %chunk ], [ {x}, %{latch} ]" for a, b, c, x in rounds]
        lines += [*self.body.lines, "  %r.next = add i64 %r, 1"]
        lines += [f"  {name}.next = {right}" for name, _, _, right in t.phis]
        lines += ["  %r.left = icmp slt i64 %r.next, %end"]
        lines += [f"  %r.more = and i1 %r.left, {self.goes_on}" if self.goes_on else "  %r.more = or i1 %r.left, false"]
        lines += ["  br i1 %r.more, label %round, label %after", "after:", "  %did = sub i64 %r.next, %first"]
        lines += self.after.lines
        if self.width > 1:
            lines += [f"  %at.next = add i64 %at, {self.width}", f"  %at.more = icmp slt i64 %at.next, {self.size}"]
            lines += ["  br i1 %at.more, label %chunk, label %done"]
        else:
            lines += ["  br label %done"]
        lines += ["done:", *self.done.lines]
        behind = len(names) + 2 * len(n.operands)
        for k, ((_, kind), x) in enumerate(self.told.items(), behind):
            lines += [f"  %tell{k} = getelementptr i64, ptr %P, i64 {k}", f"  store {kind} {x}, ptr %tell{k}"]
        lines += ["  ret i64 %r.next"]
        for k, pair in n.wrong.items():
            operands = [pair if k == j else own for j, own in enumerate(n.operands)]
            lines += [f"wrong{k}:", *self.told_checks(f"wrong{k}", len(names), operands, "%r")]
        return [*lines, "}", ""]

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
        return [*lines, *self.told_checks("fail", words, n.operands, "%first"), "start:"]

    def told_checks(
        self, label: str, words: int, operands: Sequence[tuple[str | int, str | int]], number: str
    ) -> list[str]:
        """A block in which a check fails, in the round of a number: what all of them compare."""
        lines = []
        for k, x in enumerate(x for pair in operands for x in pair):
            lines += [f"  %{label}.{k} = getelementptr i64, ptr %P, i64 {words + k}"]
            lines += [f"  store i64 {x}, ptr %{label}.{k}"]
        return [*lines, f"  %{label}.r = xor i64 {number}, -1", f"  ret i64 %{label}.r"]

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
            is_fixed = is_fixed and str(where) not in self.integers.computed
            is_fixed = is_fixed and self.integers.address(str(where)).step == 0
            self.vectors[source] = splat(self.start if is_fixed else self.body, value, dtype, self.width)
        return self.vectors[source]

    def in_memory(self, address: Name, kind: Kind) -> str:
        """What is at an address before the round."""
        dtype, has_lanes = kind
        before = self.chunk if has_lanes else self.start
        if address in self.integers.computed:
            return self.load(self.body, self.lane_place(self.body, self.integers.computed[address], kind), kind)
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
        symbol = f"llvm.masked.load.{mangled(t)}.p0"
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
        symbol = f"llvm.masked.store.{mangled(t)}.p0"
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

    def row_bytes(self, kind: Kind) -> str | int:
        dtype, has_lanes = kind
        return self.head.op(f"mul i64 {self.size}, {ITEMSIZE[dtype]}") if has_lanes else ITEMSIZE[dtype]

    def store_row(self, address: Name, source: Source) -> None:
        kind = self.what.kinds[address]
        self.store(self.body, self.value(source), self.row_place(address, kind), kind)

    def store_final(self, address: Name, source: Source) -> None:
        kind = self.what.kinds[address]
        code, place = self.after if kind[1] else self.done, self.integers.address(address).first
        self.store(code, self.value(source), self.lane_place(code, place, kind), kind)

    # -- what is carried on
    def age(self, address: Name) -> int:
        """How many rounds before the last one a carried value was made."""
        for k, following in enumerate(self.what.chain(address)[1:]):
            if following in self.what.written:
                return k
        raise Unfit("carried values that change places")

    def is_in_rows(self, address: Name) -> bool:
        return self.what.chain(address)[-1] in self.what.offsets

    def address_behind(self, code: Code, address: Name) -> str:
        """Where a carried value is behind the rounds that were done.  Values that rotate through some storages go on as
        behind so many rounds as give each of them a new one."""
        chain = self.what.chain(address)
        most = len(chain) - 2 if self.is_in_rows(address) else self.rotations
        if self.is_in_rows(address):
            row = self.integers.address(chain[-1])
            distance = code.op(f"mul i64 {row.step}, {code.op(f'sub i64 %did, {most + 1}')}")
            found = code.op(f"getelementptr i8, ptr {row.first}, i64 {distance}")
        else:
            found = self.address_after(address, most)
            most -= 1
        for rounds in range(most, 0, -1):
            is_so = code.op(f"icmp eq i64 %did, {rounds}")
            found = code.op(f"select i1 {is_so}, ptr {self.address_after(address, rounds)}, ptr {found}")
        return found

    def address_after(self, address: Name, rounds: int) -> str:
        for _ in range(rounds):
            address = self.what.carried.get(address, address)
        return str(self.integers.address(address).first)

    def store_carried(self, address: Name) -> None:
        """A carried value, unless it is where it was."""
        kind, age = self.what.kinds[address], self.age(address)
        code = self.after if kind[1] else self.done
        value = self.value(self.what.states.get(address, (MEMORY, address)))  # no state: each round copies it
        place = self.lane_place(code, self.address_behind(code, address), kind)
        if not age:
            self.store(code, value, place, kind)
            return
        new, known = code.label("new"), code.label("known")
        code.do(f"br i1 {code.op(f'icmp sgt i64 %did, {age}')}, label %{new}, label %{known}")
        code.place(new)
        self.store(code, value, place, kind)
        code.do(f"br label %{known}")
        code.place(known)

    def tell(self) -> None:
        """Addresses that are not those behind one round, and whether the loop ends."""
        for address in self.what.carried:
            if address in self.what.parts:
                continue
            if self.is_in_rows(address) or self.rotations > 1:
                self.told[address, "ptr"] = self.address_behind(self.done, address)
        self.goes_on = ""
        if self.end:
            end = self.integers.now(self.end)
            self.goes_on = self.body.op(f"icmp eq i64 {end}, 0")
            self.told[self.end, "i64"] = end

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
        level = levels(values)
        for k in range(1 + max(level.values())):
            mine = [v for v in values if level[id(v)] == k and v.op != "reduce"]
            emit_all(self.body, [v for v in mine if not v.axes], scalars, 1, self.leaf(made, lanes=False))
            self.widen_all(made, mine, scalars, vectors)
            emit_all(self.body, [v for v in mine if v.axes], vectors, self.width, self.leaf(made, lanes=True))
            reductions = [v for v in values if level[id(v)] == k and v.op == "reduce"]
            self.widen_all(made, reductions, scalars, vectors, are_reduced=True)
            for v in reductions:
                self.reduced[id(v)] = self.reduce(v, [vectors[id(a)] for a in v.args])
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
            if v.op == "result":
                return self.reduced[id(v.args[0])][int(v.attr)]
            if v.op == "index":
                t, numbers = llvm_type("int64", self.width), ", ".join(f"i64 {k}" for k in range(self.width))
                return self.body.op(f"add {t} {splat(self.chunk, '%at', 'int64', self.width)}, <{numbers}>")
            raise Unfit(f"{v.op} in a round")

        return operand

    def reduce(self, v: Val, operands: list[str]) -> list[str]:
        """Its results: each lane begins with the identity, then halves of the lanes are combined."""
        reducer, types, W = v.attr[0], v.type, self.width
        dtypes, identity = reducer.state(types), reducer.identity(types)
        none = [constant(x, t, W) for x, t in zip(identity, dtypes, strict=True)]
        stepped = self.by_region(reducer, "step", types, [*none, *operands], W)
        state = []
        for x, y, t in zip(stepped, none, dtypes, strict=True):
            kind = llvm_type(t, W)
            state.append(self.body.op(f"select <{W} x i1> %mask, {kind} {x}, {kind} {y}"))
        while W > 1:
            halves = [[half_lanes(self.body, x, t, W, k) for x, t in zip(state, dtypes, strict=True)] for k in (0, 1)]
            W //= 2
            state = self.by_region(reducer, "combine", types, [*halves[0], *halves[1]], W)
        return self.by_region(reducer, "finish", types, state, 1)

    def by_region(self, reducer: Reducer, part: str, types: tuple[str, ...], operands: list[str], W: int) -> list[str]:
        params, results = region(reducer, part, types)
        env = {id(p): x for p, x in zip(params, operands, strict=True)}
        emit(self.body, results, env, W)
        return [env[id(r)] for r in results]

    def widen_all(
        self, made: Launched, values: list[Val], scalars: Operands, vectors: Operands, are_reduced: bool = False
    ) -> None:
        """What lanes need of values that have none."""
        for v in values:
            for a in v.args if v.axes or are_reduced else ():
                if not a.axes and id(a) not in vectors:
                    self.widen(made, a, scalars, vectors)

    def widen(self, made: Launched, v: Val, scalars: Operands, vectors: Operands) -> None:
        if v.op == "const":
            vectors[id(v)] = constant(v.attr, v.type, self.width)
        elif v.op == "load":
            vectors[id(v)] = self.in_lanes(made.inputs[id(v.attr[0]), v.attr[1]], v.type)
        else:
            vectors[id(v)] = splat(self.body, scalars[id(v)], v.type, self.width)
