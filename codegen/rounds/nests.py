"""Loop nests of a round: a group at its operands' places, as loops over its axes with one of them in lanes.

Contract  a `Launch` and its group -> text on `inline.Writer.body`; `check` raises `Unfit` for groups that have none.
Why       a launch of a few elements takes many times as long as its work.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

from tensordsl.codegen.fusion.group import Group, Out, Pass, Reducer, Scatter, region
from tensordsl.codegen.llvm.builder import Loop
from tensordsl.codegen.llvm.emit_scalars import constant, emit, emit_all, llvm_type, splat, store
from tensordsl.codegen.llvm.vector_builder import half_lanes, load
from tensordsl.codegen.program_ir import instructions as p
from tensordsl.codegen.program_ir.instructions import LaunchPlan, Name
from tensordsl.codegen.rounds.body import Unfit, load_key, load_numbers
from tensordsl.codegen.rounds.flow import Operand
from tensordsl.codegen.rounds.moves import added
from tensordsl.codegen.rounds.vectors import ONE, Lanes, gather_lanes, load_lanes, store_lanes
from tensordsl.codegen.scalar_ir.builder import ITEMSIZE, SIGNED, Val, is_function, walk
from tensordsl.graph.types import COMPLEX

if TYPE_CHECKING:
    from tensordsl.codegen.rounds.inline import Writer

Values = dict[int, str]  # operands by the ids of values


def check(i: p.Launch, plan: LaunchPlan) -> None:
    group: Group = plan.group
    for v in group.scalars:
        types = v.type if isinstance(v.type, tuple) else (v.type,)
        if any(t == "float16" or t in COMPLEX for t in (*types, *(a.type for a in v.args if isinstance(a.type, str)))):
            raise Unfit("numbers that are not computed as they are stored")
        if v.op == "repeat":
            raise Unfit("a loop of one element")
    for each in group.passes:
        for r in each.reduces:
            if not set(each.local) <= set(r.attr[1]):
                raise Unfit("a reduction's result varies along an axis that not all passes have")
        for o in each.outs:
            if set(group.parallel) != {a for a in o.map if isinstance(a, str)} - set(each.local):
                raise Unfit("an output that several points write")
    for o, strides in zip(group.outs, i.strides[plan.n_inputs :], strict=False):
        if any(s is None for a, s in zip(plan.axes, strides, strict=True) if a in o.map):
            raise Unfit("an output that several points write")
    _check_order(i, plan, group)


def _check_order(i: p.Launch, plan: LaunchPlan, group: Group) -> None:
    """What a pass overwrites no later one reads."""
    numbers = load_numbers(group)
    written: set[Name] = set()
    outs = {id(o): k for k, o in enumerate((*group.outs, *group.scatters), plan.n_inputs)}
    for each in group.passes:
        loads = [v for v in walk(each.roots, ()) if v.op == "load"]
        if written & {i.operands[numbers[load_key(v)]] for v in loads}:
            raise Unfit("a pass reads what one before it wrote")
        written |= {i.operands[outs[id(o)]] for o in (*each.outs, *each.scatters)}


def write(k: Writer, i: p.Launch, plan: LaunchPlan) -> None:
    group: Group = plan.group
    lane = "" if plan.schedule is None else plan.schedule.lane
    if not lane or group.scatters:
        _Nest(k, i, plan, "", 1).run()
        return
    item = max(ITEMSIZE[t] for v in group.scalars for t in ((v.type,) if isinstance(v.type, str) else v.type))
    is_short = len(group.scalars) <= k.tuning.rounds.inline_narrow_values and not any(map(is_function, group.scalars))
    name = i.extents[plan.axes.index(lane)]
    k.by_width(name, max(item, ITEMSIZE["float32"]), lambda W: _Nest(k, i, plan, lane, W).run(), is_short)


class _Nest:
    def __init__(self, k: Writer, i: p.Launch, plan: LaunchPlan, lane: str, width: int) -> None:
        self.k, self.f, self.instruction, self.plan = k, k.body, i, plan
        self.group: Group = plan.group
        self.numbers = load_numbers(self.group)
        self.outs = {id(o): n for n, o in enumerate((*self.group.outs, *self.group.scatters), plan.n_inputs)}
        self.lengths = dict(zip(plan.axes, map(k.number, i.extents), strict=True))
        self.ints = {entry: k.number(name) for entry, name in zip(plan.ints, i.ints, strict=True)}
        self.lane, self.width = lane if width > 1 else "", width
        self.places: dict[str, Operand] = {}  # of axes: where the nest is
        self.lanes = ONE
        self.results: dict[tuple[int, int], tuple[str, bool]] = {}  # of reductions; has it lanes?

    def run(self) -> None:
        with ExitStack() as stack:
            for a in sorted(self.group.parallel, key=lambda a: a != self.lane):
                self.enter(stack, a)
            for each in self.group.passes:
                self.a_pass(each)

    def enter(self, stack: ExitStack, axis: str, carried: Sequence[tuple[str, str]] = ()) -> Loop:
        """The loop over an axis; of lanes a vector of them at a time."""
        if axis == self.lane:
            loop = stack.enter_context(self.f.loop(self.lengths[axis], carried, step=self.width))
            left = self.f.op(f"sub i64 {self.lengths[axis]}, {loop.index}")
            self.lanes = Lanes(self.width, self.f.first_lanes(left, self.width))
        else:
            loop = stack.enter_context(self.f.loop(self.lengths[axis], carried))
        self.places[axis] = loop.index
        return loop

    # -- passes
    def a_pass(self, each: Pass) -> None:
        states: list[tuple[str, str]] = []
        sizes: list[int] = []
        for r in each.reduces:
            reducer, W = r.attr[0], self.width if self.is_wide(r) else 1
            dtypes = reducer.state(r.type)
            states += [
                (llvm_type(t, W), constant(x, t, W)) for x, t in zip(reducer.identity(r.type), dtypes, strict=True)
            ]
            sizes.append(len(dtypes))
        axes = sorted(each.local, key=lambda a: a == self.lane)
        with ExitStack() as stack:
            loops: list[Loop] = []
            for a in axes:
                first = states if not loops else [(t, x) for (t, _), x in zip(states, loops[-1].values, strict=True)]
                loops.append(self.enter(stack, a, first))
            for outer, inner in zip(loops, loops[1:], strict=False):
                outer.next = inner.values
            before = loops[-1].values if loops else [x for _, x in states]
            after = self.point(each, before, sizes)
            if loops:
                loops[-1].next = after
        after = loops[0].values if loops else after
        for r, size in zip(each.reduces, sizes, strict=True):
            self.finish(r, after[:size])
            after = after[size:]

    def is_wide(self, r: Val) -> bool:
        """Has a reduction's state lanes?"""
        return bool(self.lane) and (self.lane in r.attr[1] or self.lane in r.axes)

    def point(self, each: Pass, before: Sequence[str], sizes: Sequence[int]) -> list[str]:
        """What is computed at the point; the states of reductions behind it."""
        values = walk(each.roots, ())
        numbers: Values = {}
        vectors: Values = {}
        emit_all(self.f, [v for v in values if not self.has_lanes(v)], numbers, 1, self.leaf(ONE, numbers))
        wide = [v for v in values if self.has_lanes(v)]
        for v in wide:
            for a in v.args if v.op != "result" else ():
                if not self.has_lanes(a):
                    self.widen(a, numbers, vectors)
        emit_all(self.f, wide, vectors, self.width, self.leaf(self.lanes, vectors))

        def of(v: Val, is_wide: bool) -> str:
            if not is_wide:
                return numbers[id(v)]
            if not self.has_lanes(v):
                self.widen(v, numbers, vectors)
            return vectors[id(v)]

        after: list[str] = []
        for r, size in zip(each.reduces, sizes, strict=True):
            is_wide = self.is_wide(r)
            state = list(before[len(after) : len(after) + size])
            after += self.stepped(r, state, [of(a, is_wide) for a in r.args], is_wide)
        for o in each.outs:
            self.store(o, of(o.value, self.lane in o.map if self.lane else False))
        for s in each.scatters:
            self.add(s, numbers[id(s.position)], numbers[id(s.value)])
        return after

    def has_lanes(self, v: Val) -> bool:
        return bool(self.lane) and self.lane in v.axes

    def widen(self, v: Val, numbers: Values, vectors: Values) -> None:
        if id(v) not in vectors:
            is_known = v.op == "const"
            W = self.width
            vectors[id(v)] = constant(v.attr, v.type, W) if is_known else splat(self.f, numbers[id(v)], v.type, W)

    # -- reductions
    def stepped(self, r: Val, state: list[str], operands: list[str], is_wide: bool) -> list[str]:
        """Lanes that are not there keep the state."""
        reducer, W = r.attr[0], self.width if is_wide else 1
        after = self.by_region(reducer, "step", r.type, [*state, *operands], W)
        if not is_wide or self.lane not in r.attr[1]:
            return after
        kept = []
        for x, y, t in zip(after, state, reducer.state(r.type), strict=True):
            kind = llvm_type(t, W)
            kept.append(self.f.op(f"select <{W} x i1> {self.lanes.mask}, {kind} {x}, {kind} {y}"))
        return kept

    def finish(self, r: Val, state: Sequence[str]) -> None:
        reducer, dtypes = r.attr[0], r.attr[0].state(r.type)
        W, is_wide = (self.width, True) if self.is_wide(r) else (1, False)
        if is_wide and self.lane in r.attr[1]:
            while W > 1:
                halves = [[half_lanes(self.f, x, t, W, k) for x, t in zip(state, dtypes, strict=True)] for k in (0, 1)]
                W //= 2
                state = self.by_region(reducer, "combine", r.type, [*halves[0], *halves[1]], W)
            is_wide = False
        for k, x in enumerate(self.by_region(reducer, "finish", r.type, state, W)):
            self.results[id(r), k] = x, is_wide

    def by_region(
        self, reducer: Reducer, part: str, types: Any, operands: Iterable[str], W: int
    ) -> list[str]:  # fmt: skip
        params, results = region(reducer, part, types)
        env = {id(q): x for q, x in zip(params, operands, strict=True)}
        emit(self.f, results, env, W)
        return [env[id(x)] for x in results]

    # -- memory
    def leaf(self, lanes: Lanes, known: Values) -> Callable[[Val], str]:
        def operand(v: Val) -> str:
            if v.op == "load":
                return self.load_at(v, lanes, known) if v.args else self.load(v, lanes)
            if v.op == "extent":
                return str(self.ints["extent", v.attr])
            if v.op == "result":
                return self.results[id(v.args[0]), int(v.attr)][0]
            if v.op == "index":
                return self.index(v.attr, lanes)
            raise Unfit(f"{v.op} in a round")

        return operand

    def index(self, axis: str, lanes: Lanes) -> str:
        place = str(self.places[axis])
        if lanes.width == 1:
            return place
        t, numbers = llvm_type("int64", lanes.width), ", ".join(f"i64 {k}" for k in range(lanes.width))
        return self.f.op(f"add {t} {splat(self.f, place, 'int64', lanes.width)}, <{numbers}>")

    def address(self, operand: int) -> str:
        """Where an operand is at the point, or its first lane."""
        offset: Operand = 0
        for axis, stride in zip(self.plan.axes, self.instruction.strides[operand], strict=True):
            if stride is not None:
                offset = self.f.add(offset, self.f.times(self.places[axis], self.k.number(stride)))
        return self.f.at(self.k.pointer(self.instruction.operands[operand]), offset)

    def stride(self, operand: int) -> Name | None:
        """From lane to lane."""
        return self.instruction.strides[operand][self.plan.axes.index(self.lane)]

    def step(self, stride: Name, dtype: str) -> tuple[Operand, str]:
        """From lane to lane; and whether elements are adjacent, where only a call can tell."""
        step = self.k.number(stride)
        return step, "" if isinstance(step, int) else self.k.is_equal(stride, ITEMSIZE[dtype])

    def load(self, v: Val, lanes: Lanes) -> str:
        number = self.numbers[load_key(v)]
        place = self.address(number)
        stride = self.stride(number) if lanes.width > 1 else None
        if stride is None:
            return splat(self.f, load(self.f, place, v.type), v.type, lanes.width)
        return load_lanes(self.f, place, v.type, lanes, *self.step(stride, v.type))

    def store(self, o: Out, value: str) -> None:
        number = self.outs[id(o)]
        place, dtype = self.address(number), o.buffer.type
        if not self.lane or self.lane not in o.map:
            store(self.f, value, place, dtype)
            return
        stride = self.stride(number)
        assert stride is not None
        store_lanes(self.f, value, place, dtype, self.lanes, *self.step(stride, dtype))

    def load_at(self, v: Val, lanes: Lanes, known: Values) -> str:
        """At indices, NumPy's: negative ones count from the end, others fail."""
        f, W, t = self.f, lanes.width, llvm_type("int64", lanes.width)
        number, (buffer, entries) = self.numbers[load_key(v)], v.attr
        offset = constant(0, "int64", W)
        for d, entry in enumerate(entries):
            if not isinstance(entry, tuple):
                continue
            length, step = self.ints["extent", buffer.shape[d]], self.ints["stride", number, d]
            n, index = splat(f, str(length), "int64", W), v.args[entry[1]]
            at = known[id(index)]
            if ITEMSIZE[index.type] < 8:
                at = f.op(f"{'sext' if index.type in SIGNED else 'zext'} {llvm_type(index.type, W)} {at} to {t}")
            low = f.op(f"icmp slt {t} {at}, {constant(0, 'int64', W)}")
            at = f.op(f"select {llvm_type('bool', W)} {low}, {t} {f.op(f'add {t} {at}, {n}')}, {t} {at}")
            wrong = f.op(f"icmp uge {t} {at}, {n}")
            if W > 1:
                wrong = f.op(f"and <{W} x i1> {wrong}, {lanes.mask}")
            at = f.op(f"select {llvm_type('bool', W)} {wrong}, {t} {constant(0, 'int64', W)}, {t} {at}")
            if self.plan.may_fail:
                self.k.fail(f.any(wrong, W), "index", 1, 0, is_last=False)
            behind = f.op(f"mul {t} {at}, {splat(f, str(step), 'int64', W)}")
            offset = f.op(f"add {t} {offset}, {behind}")
        base = self.address(number)
        along = self.stride(number) if W > 1 else None
        if along is not None:
            numbers = f"<{', '.join(f'i64 {q}' for q in range(W))}>"
            every = splat(f, str(self.k.number(along)), "int64", W)
            offset = f.op(f"add {t} {offset}, {f.op(f'mul {t} {numbers}, {every}')}")
        return gather_lanes(f, base, offset, v.type, lanes)

    def add(self, s: Scatter, position: str, value: str) -> None:
        f, dtype = self.f, s.buffer.type
        place = f.at(self.k.pointer(self.instruction.operands[self.outs[id(s)]]), f.times(position, ITEMSIZE[dtype]))
        store(f, added(f, dtype, load(f, place, dtype), value), place, dtype)
