"""Short rows in lanes: several rows of a reduction at once, each in vectors of its own, which share one loop.

Contract  `main`, a kernel along rows, and `one`, the text of one row -> the text that does groups of rows.
When      rows of up to `max_short_row_elements` are reduced and not stored (`cpu.schedule`).
Why       folding the lanes of one row costs as much as the row; a transposition folds the states of all rows.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import field

from tensordsl.base.records import record
from tensordsl.codegen.abi.descriptor import FULL_ROW
from tensordsl.codegen.cpu.kernel import FIRST, Kernel, in_line
from tensordsl.codegen.cpu.prefetch import next_batch_pointers, prefetch_lines
from tensordsl.codegen.cpu.reductions import in_few_lanes, is_folded_by_chunk, stepped
from tensordsl.codegen.cpu.schedule import max_short_row_elements, short_rows_at_once, states_of_short_row
from tensordsl.codegen.fusion.lane_states import kept_in_lanes
from tensordsl.codegen.llvm.clone import (
    Phi,
    defined,
    has_bit_masks,
    lanes_of_bits,
    mangled,
    masked,
    masked_loads,
    phi_lines,
    renamed,
)
from tensordsl.codegen.llvm.vector_builder import Code, constant, gathered, llvm_type, memory_type, splat, to_memory
from tensordsl.codegen.scalar_ir.builder import FLOATS, ITEMSIZE, Val
from tensordsl.codegen.target.machine import CACHE_LINE_BYTES
from tensordsl.ops.array.reducers import Reducer

_NAME = re.compile(r"%[\w.]+")
_LOOP, _FIRST, _ENDED = "lm", "wv", "xy"  # in names of a row's states: in the loop, behind it, behind all vectors


@record(eq=False, frozen=False)
class _State:
    """Of one reduction: types of its state in one row's steps, and names of it in the lanes of all rows."""

    reduce: Val
    types: tuple[str, ...]
    result: list[str] = field(default_factory=list)


class ShortRows:
    """The text for `main`; `one` is a kernel of native width whose `before` and `body` are those of one row.

    lanes: of a row's steps, as the schedule has it.  Where `one` has half of them, a row has twice as many states.

    For each group: `before`; for each row: { for each vector: steps }; then `close`, `final`. A row is read from
    end to end, as memory is; only where rows share operands their steps go together, vector by vector. Two states
    of narrow vectors alternate, as one would wait for itself and add up too many (`states_of_short_row`). Of a
    row's last vector only lanes in it are loaded. With `turn` & PREFETCH_NEXT each row's next one is prefetched
    behind its loop. The last group begins among rows done before, whose results are not stored again: they may have
    replaced what they came from. Where there are fewer rows than a group has, the last one stands in all places
    left.
    """

    def __init__(self, main: Kernel, one: Kernel, lanes: int) -> None:
        self.main, self.one, self.lanes_in_all = main, one, lanes
        self.states: list[_State] = []
        self.close, self.final = map(one.code, ("qs", "zs"))
        self.alternating = states_of_short_row(lanes) * lanes // one.width
        self.rows = min(short_rows_at_once(self.final.vector_bytes * one.width // lanes), one.width)
        self.lanes: dict[int, str] = {}  # of `final`: a value of all rows
        self.stores: list[tuple[str, str, str]] = []  # (pointer, dtype, value in memory's form)
        self.shared: set[str] = set()  # pointers that are the same in all rows, if nothing at run time moves them
        self.lines: list[str] = []

    # -- what the planner uses
    def accumulate(self, reduce: Val, operands: Sequence[str]) -> None:
        """A row's steps; lanes behind its last element stay as they are."""
        one, reducer, number, W = self.one, reduce.attr[0], len(self.states), self.one.width
        types = kept_in_lanes(reduce)
        names = [f"%r{number}.{n}" for n in range(len(types))]
        following = stepped(one, reduce, reduce.type, names, operands)
        identity = reducer.identity(reduce.type)
        for name, t, x, start in zip(names, types, following, identity, strict=True):
            kept = one.body.op(f"select <{W} x i1> %live.m, {llvm_type(t, W)} {x}, {llvm_type(t, W)} {name}")
            one.phis.append(Phi(name, llvm_type(t, W), constant(start, t, W), kept))
        self.states.append(_State(reduce, types))
        self._close(number, self.states[-1])

    def load(self, pointer: str, dtype: str) -> str:
        """A row-level operand, of all rows."""
        return gathered(self.final, self._places(self.final, pointer), dtype, self.rows)

    def store(self, pointer: str, dtype: str, value: str) -> None:
        """Results of all rows; behind everything else."""
        self.stores.append((pointer, dtype, to_memory(self.final, value, dtype, self.rows)))

    def finished(self, reduce: Val) -> list[str]:
        state = next(s for s in self.states if s.reduce is reduce)
        return in_line(self.final, reduce.attr[0], "finish", reduce.type, state.result, self.rows)

    def _places(self, code: Code, pointer: str) -> str:
        """The rows' addresses; behind the last one again its own."""
        R, t = self.rows, f"<{self.rows} x i64>"
        last = splat(code, code.op("sub i64 %count.q, 1"), "int64", R)
        which = code.intrinsic("smin", "int64", R, _counted("i64", R), last)
        offset = code.op(f"mul {t} {splat(code, f'{pointer}.step', 'int64', R)}, {which}")
        return code.op(f"getelementptr i8, ptr {pointer}, {t} {offset}")

    # -- text
    def finish(self) -> None:
        """Write `lines`.  They end in the block `single.q`, from which the kernel's own form goes on with all rows."""
        self._mask()
        copies = _Copies(self.main, self.one, self.rows, self.shared)
        self.main.head.declarations["llvm.smin.i64"] = "declare i64 @llvm.smin.i64(i64, i64)"
        self.lines = [
            *renamed(self.one.head.lines, copies.names(0)),
            *copies.first(),
            *self._condition(),
            "some.q:",
            *copies.rows(),
            *copies.each(self.one.before.lines, "x", {}),
            *_steps(copies, self.one, self.alternating),
            *self.close.lines,
            *renamed(self.final.lines, copies.names(0)),
            *renamed(self._stores(), copies.names(0)),
            "  %r.y = add i64 %r.q, %count.q",
            "  %again.q = icmp slt i64 %r.y, %rows",
            "  br i1 %again.q, label %some.q, label %done",
            "single.q:",
            "  br label %row",
        ]

    def codes(self) -> list[Code]:
        return [self.one.head, self.one.before, self.one.body, self.close, self.final]

    def _condition(self) -> list[str]:
        return [
            f"  %short.q = icmp ule i64 %n, {max_short_row_elements(self.lanes_in_all, self.main.tuning.schedule)}",
            "  %some.lanes.q = icmp ne i64 %n, 0",
            f"  %all.lanes.q = icmp eq i64 %live, {self.main.width}",
            "  %fits.q = and i1 %short.q, %some.lanes.q",
            "  %each.q = and i1 %fits.q, %all.lanes.q",
            f"  %blocks.q = and i64 %turn, {FULL_ROW}",
            f"  %whole.q = icmp eq i64 %blocks.q, {FULL_ROW}",
            "  %beside.q = and i1 %each.q, %whole.q",
            "  br i1 %beside.q, label %some.q, label %single.q",
        ]

    def _mask(self) -> None:
        """Lanes of the last vector, where n is no multiple of the width."""
        code, W = self.one.head, self.one.width
        odd = code.op(f"and i64 %n, {W - 1}")
        if has_bit_masks(self.one):
            others = code.op(f"shl i64 -1, {odd}")
            code.do(f"%odd = {lanes_of_bits(code, code.op(f'xor i64 {others}, -1'), W)}")
        else:
            every = splat(code, code.op(f"trunc i64 {odd} to i8"), "uint8", W)
            code.do(f"%odd = icmp ult <{W} x i8> {_counted('i8', W)}, {every}")
        code.declarations |= masked_loads(self.one.body)

    def _close(self, number: int, s: _State) -> None:
        """The states of the rows, transposed."""
        R, W, reducer = self.rows, self.one.width, s.reduce.attr[0]
        types = reducer.state(s.reduce.type)
        ended = _ENDED[: self.alternating]
        rows = [[f"%r{number}.{n}.{form}{q}" for form in ended for n in range(len(s.types))] for q in range(R)]
        states = [self._one_state(s, row) for row in rows]
        if is_folded_by_chunk(s.reduce):
            states, W = [[in_few_lanes(self.close, x, s.types[0], W, R)] for (x,) in states], R
        s.result = _transposed(self.close, reducer, types, states, W)

    def _one_state(self, s: _State, names: list[str]) -> list[str]:
        """A row's state, of all that it has."""
        W = self.one.width
        if len(names) == len(s.types):
            return names
        if is_folded_by_chunk(s.reduce):
            word = "fadd" if s.types[0] in FLOATS else "add"
            return [self.close.op(f"{word} {llvm_type(s.types[0], W)} {names[0]}, {names[1]}")]
        return in_line(self.close, s.reduce.attr[0], "combine", s.reduce.type, names, W)

    def _stores(self) -> list[str]:
        """Whole vectors where all rows' results are adjacent."""
        if not self.stores:
            return ["  br label %stored.q", "stored.q:"]
        code, R = Code("ys"), self.rows
        done = code.op("sub i64 %r.q, %r.x0")
        new = code.op(f"icmp eq i64 {done}, 0")
        adjacent = code.op(f"and i1 {new}, {code.op(f'icmp eq i64 %count.q, {R}')}")
        for pointer, dtype, _ in self.stores:
            near = code.op(f"icmp eq i64 {pointer}.step, {ITEMSIZE[dtype]}")
            adjacent = code.op(f"and i1 {adjacent}, {near}")
        code.do(f"br i1 {adjacent}, label %adjacent.q, label %apart.q")
        code.place("adjacent.q")
        for pointer, dtype, value in self.stores:
            code.do(f"store {memory_type(dtype, R)} {value}, ptr {pointer}, align {ITEMSIZE[dtype]}")
        code.do("br label %stored.q")
        code.place("apart.q")
        first, count = (splat(code, x, "int64", R) for x in (done, "%count.q"))
        new = code.op(f"icmp uge <{R} x i64> {_counted('i64', R)}, {first}")
        known = code.op(f"icmp ult <{R} x i64> {_counted('i64', R)}, {count}")
        which = code.op(f"and <{R} x i1> {new}, {known}")
        for pointer, dtype, value in self.stores:
            t, places = memory_type(dtype, R), self._places(code, pointer)
            symbol = f"llvm.masked.scatter.{mangled(t)}.v{R}p0"
            code.declarations[symbol] = f"declare void @{symbol}({t}, <{R} x ptr>, i32, <{R} x i1>)"
            rest = f"i32 {ITEMSIZE[dtype]}, <{R} x i1> {which}"
            code.do(f"call void @{symbol}({t} {value}, <{R} x ptr> {places}, {rest})")
        code.do("br label %stored.q")
        code.place("stored.q")
        self.final.need(code)
        return code.lines


class _Copies:
    """A row's text for several rows; what does not depend on the row stands in the first copy only."""

    def __init__(self, main: Kernel, one: Kernel, rows: int, shared: set[str]) -> None:
        self.count, self.shared, self.moving = rows, shared, [p.name for p in main.row_phis() if p.name != "%r"]
        self.head, self.before, self.body = (defined(c.lines) for c in (one.head, one.before, one.body))
        self.states, self.prefetched = one.phis, main.prefetched
        # Elements prefetched at a time; a row has at least half as many, or is not prefetched.
        span_bytes = main.tuning.prefetch.short_row_lines * CACHE_LINE_BYTES
        self.span = span_bytes // max([e.itemsize for e in self.prefetched], default=1)
        named = {x for line in [*one.before.lines, *one.body.lines] for x in _NAME.findall(line)}
        self.per_row = [p for p in (*self.moving, "%r") if p in named - shared]  # what each row has its own of
        own = self.before | self.body
        still = {e.name for e in main.entries.values() if not e.moves}
        known = {*self.head, *shared, *still, "%i", "%n", "%live"}
        for line in [*one.before.lines, *one.body.lines]:
            name, _, right = line.strip().partition(" = ")
            if name in own and set(_NAME.findall(right)) <= known:
                known.add(name)
        self.same = known & own
        every = [*range(rows)]
        self.sweeps = [every] if self.same & self.body else [[q] for q in every]  # rows whose steps go together

    def names(self, q: int, form: str = "x") -> dict[str, str]:
        """The names of row q's values; `form`: of those of the body."""

        def named(name: str, form: str) -> str:
            return f"{name}.{form}{0 if name in self.same or name in self.shared else q}"

        return {
            **{x: f"{x}.b" for x in self.head},
            **{x: named(x, "x") for x in (*self.moving, "%r", *self.before)},
            **{x: named(x, form) for x in self.body},
            **{p.name: f"{p.name}.{form}{q}" for p in self.states},
        }

    def each(self, lines: Sequence[str], form: str, more: Mapping[str, str], rows: Sequence[int] = ()) -> list[str]:
        """The text for these rows, or for all."""
        rest = [line for line in lines if line.strip().partition(" = ")[0] not in self.same]
        first, *others = rows or range(self.count)
        result = renamed(lines if first == 0 else rest, {**self.names(first, form), **more})
        return result + [x for q in others for x in renamed(rest, {**self.names(q, form), **more})]

    def phis(self, form: str, initial: str, following: str, rows: Sequence[int] = ()) -> list[Phi]:
        """Of these rows' states, or of all: from those of `initial` ("": the identity), or from what follows on those
        of another."""
        return [
            Phi(
                f"{p.name}.{form}{q}",
                p.type,
                f"{p.name}.{initial}{q}" if initial else p.initial,
                self.names(q, following)[p.next],
            )
            for p in self.states
            for q in rows or range(self.count)
        ]

    def prefetch(self, block: str, rows: Sequence[int]) -> list[str]:
        """Behind the loop `block` of these rows: prefetch the same rows of the next batch.  Ends in `block`.end."""
        if not self.prefetched:
            return [f"{block}.end:"]
        j, lines = f"%j.{block}", []
        for e, row in (
            (e, f"{e.name}.x{q}") for e in self.prefetched for q in rows if q == 0 or e.name not in self.shared
        ):
            text = [*next_batch_pointers(e, row), *prefetch_lines(e, j, self.span, FIRST)]
            lines += renamed(text, {x: f"{row}{x.removeprefix(e.name)}" for x in defined(text)})
        return [
            f"{block}.out:",
            f"  br i1 %asks.q, label %{block}.ask, label %{block}.end",
            f"{block}.ask:",
            *phi_lines([Phi(j, "i64", "0", f"{j}.next")], f"{block}.out", f"{block}.ask"),
            *lines,
            f"  {j}.next = add i64 {j}, {self.span}",
            f"  {j}.more = icmp slt i64 {j}.next, %n",
            f"  br i1 {j}.more, label %{block}.ask, label %{block}.end",
            f"{block}.end:",
        ]

    def first(self) -> list[str]:
        """Before all groups: how many rows they have, and the distance from one to the next; 0 behind the last."""
        lines = ["  %together.0 = icmp ne i64 %rows, 0"]
        for n, p in enumerate(sorted(self.shared)):
            lines += [f"  %still.{n} = icmp eq i64 {p}.step, 0"]
            lines += [f"  %together.{n + 1} = and i1 %together.{n}, %still.{n}"]
        lines += [
            f"  %most.q = select i1 %together.{len(self.shared)}, i64 {self.count}, i64 1",
            "  %count.q = call i64 @llvm.smin.i64(i64 %rows, i64 %most.q)",
            "  %last.q = sub i64 %rows, %count.q",
            "  %r.step = add i64 0, 1",
        ]
        if self.prefetched:
            lines += [f"  %long.q = icmp sge i64 %n, {self.span // 2}", "  %asks.q = and i1 %is_ahead, %long.q"]
        for q in range(1, self.count):
            lines += [f"  %is.{q} = icmp sgt i64 %count.q, {q}"]
            lines += [f"  {p}.by{q} = select i1 %is.{q}, i64 {p}.step, i64 0" for p in self.per_row]
        return lines

    def rows(self) -> list[str]:
        """Where a group's rows are: the last ones may have been done before."""
        lines = [
            *phi_lines([Phi("%r.q", "i64", "0", "%r.y")], "entry", "stored.q"),
            "  %r.x0 = call i64 @llvm.smin.i64(i64 %r.q, i64 %last.q)",
        ]
        for p in self.moving:
            lines += [f"  {p}.at = mul i64 {p}.step, %r.x0", f"  {p}.x0 = getelementptr i8, ptr {p}.0, i64 {p}.at"]
        for p in self.per_row:
            kind = "add i64 {}, {}" if p == "%r" else "getelementptr i8, ptr {}, i64 {}"
            following = [kind.format(f"{p}.x{q - 1}", f"{p}.by{q}") for q in range(1, self.count)]
            lines += [f"  {p}.x{q + 1} = {text}" for q, text in enumerate(following)]
        return lines


def _steps(copies: _Copies, one: Kernel, states: int) -> list[str]:
    """Whole vectors, as many at a time as a row has states; then the others; then the lanes behind them."""
    whole = {"%live.m": "splat (i1 true)"}
    loops, last = _loops(copies, one, states, whole)
    first = [x for form, loop in zip(_FIRST, _LOOP[:states], strict=False) for x in copies.phis(form, "", loop)]
    lines = [*loops, "rest.q:", *phi_lines(first, "some.q", last)]
    before = "rest.q"
    if states > 1:
        lines += [
            "  %another.q = icmp slt i64 %at.q, %full.q",
            "  br i1 %another.q, label %one.q, label %behind.q",
            "one.q:",
            *copies.each(one.body.lines, "w", whole | {"%i": "%at.q"}),
            "  br label %behind.q",
            "behind.q:",
            *phi_lines(copies.phis(_ENDED[1], "w", "w"), "rest.q", "one.q"),
        ]
        before = "behind.q"
    form = _FIRST[states - 1]
    return [
        *lines,
        "  %tails.q = icmp slt i64 %full.q, %n",
        "  br i1 %tails.q, label %tail.q, label %ended.q",
        "tail.q:",
        *copies.each(masked(one.body, "%live.m"), form, {"%i": "%full.q", "%live.m": "%odd.b"}),
        "  br label %ended.q",
        "ended.q:",
        *phi_lines(copies.phis(_ENDED[0], form, form), before, "tail.q"),
    ]


def _loops(copies: _Copies, one: Kernel, states: int, last: dict[str, str]) -> tuple[list[str], str]:
    """The loops over vectors, and the block behind them."""
    span = states * one.width
    blocks = [f"inner.q{k}" for k in range(len(copies.sweeps))]
    lines = [
        f"  %full.q = and i64 %n, {-one.width}",
        f"  %at.q = and i64 %n, {-span}",
        "  %any.q = icmp ne i64 %at.q, 0",
        f"  br i1 %any.q, label %{blocks[0]}, label %rest.q",
    ]
    for k, (block, rows) in enumerate(zip(blocks, copies.sweeps, strict=True)):
        i, before = f"%i.{block}", ["some.q", *(f"{b}.end" for b in blocks)][k]
        phis = [x for form in _LOOP[:states] for x in copies.phis(form, "", form, rows)]
        lines += [f"{block}:", *phi_lines([Phi(i, "i64", "0", f"{i}.next"), *phis], before, block)]
        for n, form in enumerate(_LOOP[:states]):
            lines += [f"  {i}.{n} = add i64 {i}, {n * one.width}"]
            lines += copies.each(one.body.lines, form, last | {"%i": f"{i}.{n}"}, rows)
        lines += [
            f"  {i}.next = add i64 {i}, {span}",
            f"  {i}.more = icmp slt i64 {i}.next, %at.q",
            f"  br i1 {i}.more, label %{block}, label %{block}.{'out' if copies.prefetched else 'end'}",
            *copies.prefetch(
                block, rows
            ),  # behind it the next loop's first states are made, not in each iteration of this one
            f"  br label %{[*blocks, 'rest.q'][k + 1]}",
        ]
    return lines, f"{blocks[-1]}.end"


def _transposed(code: Code, reducer: Reducer, types: tuple[str, ...], states: list[list[str]], W: int) -> list[str]:
    """Lane q: the state of all lanes of row q.  In each stage a block of lanes of one row and the block of another
    become one, each by combining its halves."""
    rows, block = len(states), W
    while len(states) > 1:
        half = len(states) // 2
        low = [n for at in range(0, W, block) for side in (0, W) for n in range(side + at, side + at + block // 2)]
        high = [n + block // 2 for n in low]
        pairs = zip(states[:half], states[half:], strict=True)
        states = [_combined(code, reducer, types, a, b, W, low, high) for a, b in pairs]
        block //= 2
    (state,) = states
    while W > rows:
        state = _combined(code, reducer, types, state, state, W, range(0, W, 2), range(1, W, 2))
        W //= 2
    return state


def _combined(
    code: Code,
    reducer: Reducer,
    types: tuple[str, ...],
    a: Sequence[str],
    b: Sequence[str],
    W: int,
    low: Sequence[int],
    high: Sequence[int],
) -> list[str]:
    """Some lanes of two states with others of them."""
    parts = []
    for lanes in (low, high):
        mask = ", ".join(f"i32 {n}" for n in lanes)
        for x, y, dtype in zip(a, b, types, strict=True):
            t = llvm_type(dtype, W)
            parts.append(code.op(f"shufflevector {t} {x}, {t} {y}, <{len(lanes)} x i32> <{mask}>"))
    return in_line(code, reducer, "combine", types, parts, len(low))


def _counted(kind: str, W: int) -> str:
    return f"<{', '.join(f'{kind} {k}' for k in range(W))}>"
