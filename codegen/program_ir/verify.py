"""The verifier of program IR: `verify` proves the rules of `program_ir.instructions`.

`EFFECTS` says for every instruction which names it uses, reads and writes through, and defines; the interpreter's tests
and the emitter read the same table.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from tensordsl.codegen.abi import layouts
from tensordsl.codegen.program_ir import instructions as p
from tensordsl.codegen.program_ir.instructions import Instr, Name, Program, can_fail, walk_program
from tensordsl.codegen.program_ir.printer import line

Names = tuple[Name, ...]
Root = tuple[str, int, bool]  # (arg | shared | prepare | fresh, number, exactly the first element)
NONE: tuple[Any, ...] = ()
NO_ROOTS: frozenset[Root] = frozenset()

ARITH = ("add", "sub", "mul", "floordiv", "mod", "min", "max")
COMPARE = ("eq", "ne", "lt", "le", "gt", "ge")


class Effects(NamedTuple):
    """Of one instruction, as functions of it: integers used, pointers used as values, read through and written through,
    and what is defined: (name, kind)."""

    ints: Callable[[Any], Names] = lambda i: NONE
    pointers: Callable[[Any], Names] = lambda i: NONE
    reads: Callable[[Any], Names] = lambda i: NONE
    writes: Callable[[Any], Names] = lambda i: NONE
    defines: Callable[[Any], tuple[tuple[Name, str], ...]] = lambda i: NONE


def _i64(i: Any) -> tuple[tuple[Name, str], ...]:
    return ((i.dst, "i64"),)


def _ptr(i: Any) -> tuple[tuple[Name, str], ...]:
    return ((i.dst, "ptr"),)


def _of_kind(kind: str) -> Callable[[Any], Names]:
    return lambda i: (i.a, i.b) if i.kind == kind else NONE


def _launch_ints(i: p.Launch) -> Names:
    strides = (s for row in i.strides for s in row if s is not None)
    return (*i.extents, *i.ints, *strides, *(cond for cond, _ in i.instead))


def _new_out_ints(i: p.NewOut) -> Names:
    return (*i.dims, *(s for row in (*i.likes, i.usual) for s in row if s is not None))


def _gemm_ints(i: p.Gemm) -> Names:
    return (i.m, i.n, i.k, *i.a_strides, *i.b_strides, i.ldc, *(() if i.count is None else (i.count, *i.steps)))


def _gemm_reads(i: p.Gemm) -> Names:
    return (i.a, i.b, *(x for x in (i.factor, i.decay) if x is not None))


def _gemm_writes(i: p.Gemm) -> Names:
    return (i.c,) if i.scratch is None else (i.c, i.scratch)


def _scatter_ints(i: p.Scatter) -> Names:
    return (i.count, i.y_step, *i.steps, *i.dims, *i.x_strides, *i.y_strides, *i.lengths)


def _host_ints(i: p.HostCall) -> Names:
    found: list[p.Name] = []
    for o in i.inputs + i.outputs:
        if o is not None:
            found += [d for d in (o.dims if isinstance(o, p.Kept) else o[2]) if d is not None]
    return tuple(found)


def _host_writes(i: p.HostCall) -> Names:
    found: list[p.Name] = []
    for o in i.outputs:
        if o is not None:
            found += [n for n in o.lengths if n is not None] if isinstance(o, p.Kept) else [o[0]]
    return tuple(found)


def _library_ints(i: p.LibraryCall) -> Names:
    return tuple(n for _, _, dims, strides in i.inputs + i.outputs for n in (*dims, *strides))


EFFECTS: dict[type[Instr], Effects] = {
    p.Const: Effects(defines=_i64),
    p.Extent: Effects(defines=_i64),
    p.Stride: Effects(defines=_i64),
    p.Data: Effects(defines=_ptr),
    p.BlasThreads: Effects(defines=_i64),
    p.Arith: Effects(ints=lambda i: (i.a, i.b), defines=_i64),
    p.Mul: Effects(ints=lambda i: (i.a, i.b), defines=_i64),
    p.Compare: Effects(ints=lambda i: (i.a, i.b), defines=_i64),
    p.Check: Effects(ints=lambda i: (i.a, i.b)),
    p.Offset: Effects(ints=lambda i: (i.bytes,), pointers=lambda i: (i.base,), defines=_ptr),
    p.Select: Effects(
        ints=lambda i: (i.cond, *_of_kind("i64")(i)), pointers=_of_kind("ptr"), defines=lambda i: ((i.dst, i.kind),)
    ),
    p.LoadScalar: Effects(reads=lambda i: (i.ptr,), defines=_i64),
    p.StoreScalar: Effects(ints=lambda i: (i.value,), writes=lambda i: (i.ptr,)),
    p.Slot: Effects(defines=_ptr),
    p.Bytes: Effects(defines=_ptr),
    p.Arena: Effects(
        ints=lambda i: tuple(n for _, n in i.items), defines=lambda i: tuple((d, "ptr") for d, _ in i.items)
    ),
    p.NewOut: Effects(ints=_new_out_ints, defines=lambda i: (*_ptr(i), *((s, "i64") for s in i.strides))),
    p.NewList: Effects(),
    p.Claim: Effects(
        ints=lambda i: (*i.dims, *i.strides),
        pointers=lambda i: (i.src,) if i.row is None else (i.src, i.row),
        defines=_ptr,
    ),
    p.Prepare: Effects(ints=lambda i: i.dims if i.unless is None else (*i.dims, i.unless), defines=_ptr),
    p.Launch: Effects(ints=_launch_ints, reads=lambda i: i.reads, writes=lambda i: i.writes),
    p.Require: Effects(ints=lambda i: tuple(cond for cond, _ in i.choices)),
    p.Deoptimise: Effects(ints=lambda i: i.conditions),
    p.Gemm: Effects(ints=_gemm_ints, reads=_gemm_reads, writes=_gemm_writes),
    p.Scatter: Effects(ints=_scatter_ints, reads=lambda i: (i.x, i.y, *i.positions), writes=lambda i: (i.x,)),
    p.Copy: Effects(ints=lambda i: (i.bytes,), reads=lambda i: (i.src,), writes=lambda i: (i.dst,)),
    p.Fill: Effects(ints=lambda i: (i.bytes,), writes=lambda i: (i.dst,)),
    p.HostCall: Effects(
        ints=_host_ints,
        reads=lambda i: tuple(x for x, _, _ in i.inputs),
        writes=_host_writes,
    ),
    p.TakeKept: Effects(ints=lambda i: i.output[2], writes=lambda i: (i.output[0],)),
    p.LibraryCall: Effects(
        ints=_library_ints,
        reads=lambda i: tuple(x[0] for x in i.inputs),
        writes=lambda i: tuple(x[0] for x in i.outputs),
    ),
    p.For: Effects(ints=lambda i: (i.count, *([i.kernel.when] if i.kernel and i.kernel.when else []))),
    p.Blocks: Effects(ints=lambda i: (i.count, i.step, i.size)),
    p.If: Effects(ints=lambda i: (i.cond,)),
    p.Pin: Effects(ints=lambda i: (i.work,)),
    p.ReleaseGil: Effects(ints=lambda i: () if i.when is None else (i.when,)),
    p.AcquireGil: Effects(),
    p.Unwatch: Effects(),
    p.Commit: Effects(),
    p.Return: Effects(),
}

# Arenas, polls and host calls do without the GIL.
NEEDS_GIL = frozenset((p.NewOut, p.NewList, p.Prepare, p.Require, p.Deoptimise, p.Pin, p.Commit, p.Return))
# What threads may do at once, and without the call's frame.
IN_BLOCKS = frozenset((
    p.Const, p.Arith, p.Mul, p.Compare, p.Check, p.Offset, p.Select, p.LoadScalar, p.StoreScalar, p.Launch, p.Gemm,
    p.LibraryCall, p.Copy, p.Fill, p.If, p.Claim,
))  # fmt: skip
TOP_LEVEL = NEEDS_GIL | {p.ReleaseGil, p.AcquireGil, p.Unwatch}
# These may run other Python code, or must not be undone.
NOT_WATCHED = frozenset((p.NewList, p.Pin, p.ReleaseGil, p.Commit, p.Return))


def faults(program: Program) -> list[Instr]:
    """The instructions that may fail; the position in this list is the ordinal that `ctx.inject` names."""
    return [i for i in walk_program(program.code) if can_fail(program.plans, i)]


def free_names(body: tuple[Instr, ...], given: Names = ()) -> dict[Name, str]:
    """Names that a region without loops uses from outside, except those it is `given`: name -> kind."""
    used: dict[Name, str] = {}
    defined = set(given)
    for i in walk_program(body):
        effects = EFFECTS[type(i)]
        used |= dict.fromkeys(effects.ints(i), "i64")
        used |= dict.fromkeys((*effects.pointers(i), *effects.reads(i), *effects.writes(i)), "ptr")
        defined.update(name for name, _ in effects.defines(i))
        if isinstance(i, p.If):
            for (dst, a, b), kind in zip(i.results, i.kinds, strict=True):
                used |= {a: kind, b: kind}
                defined.add(dst)
    return {name: kind for name, kind in used.items() if name not in defined}


def verify(program: Program) -> None:
    """Raise AssertionError with the instruction and the reason where `program` breaks a rule.

    Names are defined before use, once, of the right kind, and local to their region.  What may fail precedes what
    destroys state.  A shared value's old storage is not read after an in-place write, except at the very point written.
    Lengths, strides and addresses of arguments are read before others may run.  Python is touched with the GIL only.
    Every prepared value is committed.  `Return` is the last instruction.
    """
    _Checker(program).run()


class _Checker:
    """One walk over a program; the fields are what is known at the current instruction."""

    def __init__(self, program: Program) -> None:
        self.program = program
        self.sources = {"arg": program.args, "shared": program.shared}
        self.kinds: dict[Name, str] = {}
        self.roots: dict[Name, frozenset[Root]] = {}
        self.destroyed: Instr | None = None
        self.dead: dict[int, Instr] = {}  # shared variable -> what overwrote its storage
        self.prepared: dict[int, p.Prepare] = {}
        self.slots: dict[int, Instr] = {}
        self.lists: dict[int, int] = {}
        self.pinned = False
        self.pin: p.Pin | None = None
        self.watched = False
        self.gil = True
        self.committed: Instr | None = None
        self.position = -1
        self.loops = self.depth = 0

    def run(self) -> None:
        code = self.program.code
        assert code and isinstance(code[-1], p.Return), f"{self.program.name}: the last instruction is not Return"
        self.block(code, top=True)
        if self.committed is None:
            i = next((q for q in self.prepared.values()), None)
            assert i is None, f"{self.program.name}: {line(i)} is never committed"

    def where(self, i: Instr) -> str:
        return f"{self.program.name}[{self.position}] {line(i)}"

    def block(self, code: tuple[Instr, ...] | list[Instr], top: bool = False) -> None:
        for n, i in enumerate(code):
            self.position += 1
            what = type(i)
            effects = EFFECTS.get(what)
            assert effects, f"{self.where(i)}: unknown instruction"
            assert top or what not in TOP_LEVEL, f"{self.where(i)}: only at the top level"
            assert what is not p.Return or n == len(code) - 1, f"{self.where(i)}: Return is not last"
            reads, writes = effects.reads(i), effects.writes(i)
            self.check_names(i, effects.ints(i), (*effects.pointers(i), *reads, *writes))
            self.check_failure(i)
            if what in EXTRA:
                EXTRA[what](self, i)
            if reads or writes:
                self.check_memory(i, reads, writes)
            roots = ROOTS[what](self, i) if what in ROOTS else NO_ROOTS
            for name, kind in effects.defines(i):
                self.define(i, name, kind, roots)

    def check_names(self, i: Instr, ints: Names, pointers: Names) -> None:
        kinds = self.kinds
        for name in ints:
            if kinds.get(name) != "i64":
                self.expect(i, name, "i64")
        for name in pointers:
            if kinds.get(name) != "ptr":
                self.expect(i, name, "ptr")

    def expect(self, i: Instr, name: Name, kind: str) -> None:
        known = self.kinds.get(name)
        assert known is not None, f"{self.where(i)}: {name} is not defined here"
        assert known == kind, f"{self.where(i)}: {name} is {known}, not {kind}"

    def define(self, i: Instr, name: Name, kind: str, roots: frozenset[Root] = NO_ROOTS) -> None:
        assert name not in self.kinds, f"{self.where(i)}: {name} is defined already"
        assert kind in ("i64", "ptr"), f"{self.where(i)}: {name} has the unknown kind {kind}"
        self.kinds[name] = kind
        if roots:
            self.roots[name] = roots

    def check_failure(self, i: Instr) -> None:
        assert self.gil or type(i) not in NEEDS_GIL, f"{self.where(i)}: touches Python without the GIL"
        assert not (self.watched and type(i) in NOT_WATCHED), f"{self.where(i)}: while a signal may end the call"
        if not can_fail(self.program.plans, i):
            return
        assert self.destroyed is None, f"{self.where(i)}: may fail after state was destroyed by {line(self.destroyed)}"
        assert i.site in self.program.sites, f"{self.where(i)}: site {i.site} is unknown"  # type: ignore[attr-defined]

    def check_memory(self, i: Instr, reads: Names, writes: Names) -> None:
        for name in reads:
            for kind, number, _ in self.roots.get(name, NO_ROOTS):
                by = self.dead.get(number) if kind == "shared" else None
                assert by is None, f"{self.where(i)}: {name} reads shared {number}, overwritten in place by {line(by)}"
        for name in writes:
            for kind, number, _ in self.roots.get(name, NO_ROOTS):
                assert kind not in ("arg", "shared"), f"{self.where(i)}: {name} writes to {kind} {number} unprepared"
                if kind == "prepare":
                    self.overwrite(i, reads, name, number)

    def overwrite(self, i: Instr, reads: Names, target: Name, shared: int) -> None:
        """An in-place write: it must not fail, nor precede a poll, and read the old value only where it writes."""
        assert not (can_fail(self.program.plans, i) and isinstance(i, p.Launch)), (
            f"{self.where(i)}: may fail while it overwrites shared {shared}"
        )
        assert not self.loops, f"{self.where(i)}: overwrites shared {shared} in a loop"
        for name in reads:
            for kind, number, exact in self.roots.get(name, NO_ROOTS):
                same = number == shared and kind == "shared"
                assert not same or (exact and self.same_point(i, name, target)), (
                    f"{self.where(i)}: {name} reads shared {shared} at other points than {target} overwrites"
                )
        self.destroyed = i
        self.dead[shared] = i

    def same_point(self, i: Instr, source: Name, target: Name) -> bool:
        """Whether one instruction reads `source` only at the point at which it writes `target`."""
        if not any(exact for _, _, exact in self.roots[target]):
            return False
        if isinstance(i, p.Copy):
            return True
        if isinstance(i, p.LibraryCall):
            of = {name: {o[1:] for o in i.inputs + i.outputs if o[0] == name} for name in (source, target)}
            return i.function in layouts.POINTWISE and len(of[source]) == 1 and of[source] == of[target]
        if not isinstance(i, p.Launch):
            return False
        steps = self.program.plans[i.plan].strides
        steps_of = {name: {steps[k] for k, o in enumerate(i.operands) if o == name} for name in (source, target)}
        return len(steps_of[source]) == 1 and steps_of[source] == steps_of[target]

    # -- regions ----------------------------------------------------------------------------------------------------
    def region(
        self, i: Instr, code: tuple[Instr, ...], params: list[tuple[Name, str, frozenset[Root]]], out: Names
    ) -> list[tuple[str, frozenset[Root]]]:
        """Check a region and forget its names; the kinds and roots of the names `out` at its end."""
        before = len(self.kinds)
        for name, kind, roots in params:
            self.define(i, name, kind, roots)
        self.depth += 1
        self.block(code)
        for name in out:
            assert name in self.kinds, f"{self.where(i)}: {name} is not defined at the region's end"
            local = ("local", self.depth, True) in self.roots.get(name, NO_ROOTS)
            assert not local, f"{self.where(i)}: {name} points into storage that ends with the region"
        self.depth -= 1
        result = [(self.kinds[name], self.roots.get(name, NO_ROOTS)) for name in out]
        while len(self.kinds) > before:
            name, _ = self.kinds.popitem()
            self.roots.pop(name, None)
        return result

    def check_for(self, i: p.For) -> None:
        self.without_late(i)
        assert len(i.kinds) == len(i.carried), f"{self.where(i)}: {len(i.kinds)} kinds, {len(i.carried)} carried values"
        assert (i.end is None) == (i.rounds is None), f"{self.where(i)}: an end, or a number of rounds, alone"
        for (_, initial, _), kind in zip(i.carried, i.kinds, strict=True):
            self.expect(i, initial, kind)
        roots = [self.roots.get(initial, NO_ROOTS) for _, initial, _ in i.carried]
        start = self.position
        while True:  # the roots of carried pointers grow to a fixed point
            params = [(i.index, "i64", NO_ROOTS)]
            params += [(name, k, r) for (name, _, _), k, r in zip(i.carried, i.kinds, roots, strict=True)]
            self.position = start
            self.loops += 1
            out = tuple(next_ for _, _, next_ in i.carried) + ((i.end,) if i.end else ())
            ends = self.region(i, i.body, params, out)
            self.loops -= 1
            if i.end is not None:
                kind, _ = ends.pop()
                assert kind == "i64", f"{self.where(i)}: the end {i.end} is {kind}, not i64"
            for (_, _, next_), kind, (found, _) in zip(i.carried, i.kinds, ends, strict=True):
                assert found == kind, f"{self.where(i)}: {next_} is {found}, not {kind}"
            grown = [r | new for r, (_, new) in zip(roots, ends, strict=True)]
            if grown == roots:
                break
            roots = grown
        for (name, _, _), kind, r in zip(i.carried, i.kinds, roots, strict=True):
            self.define(i, name, kind, r)
        if i.rounds is not None:
            self.define(i, i.rounds, "i64", NO_ROOTS)

    def check_blocks(self, i: p.Blocks) -> None:
        for inner in walk_program(i.body):
            assert type(inner) in IN_BLOCKS, f"{self.where(i)}: {line(inner)} in blocks of rows"
        self.loops += 1
        self.region(i, i.body, [(name, "i64", NO_ROOTS) for name in i.parameters], ())
        self.loops -= 1

    def check_if(self, i: p.If) -> None:
        assert len(i.kinds) == len(i.results), f"{self.where(i)}: {len(i.kinds)} kinds, {len(i.results)} results"
        destroyed, dead = self.destroyed, dict(self.dead)
        then = self.region(i, i.then, [], tuple(a for _, a, _ in i.results))
        after, self.destroyed, self.dead = (self.destroyed, self.dead), destroyed, dead
        other = self.region(i, i.orelse, [], tuple(b for _, _, b in i.results))
        self.destroyed = self.destroyed or after[0]
        self.dead = {**after[1], **self.dead}
        for (dst, a, b), kind, (ka, ra), (kb, rb) in zip(i.results, i.kinds, then, other, strict=True):
            assert ka == kind == kb, f"{self.where(i)}: {a} is {ka} and {b} is {kb}, not {kind}"
            self.define(i, dst, kind, ra | rb)

    # -- one instruction each -----------------------------------------------------------------------------------------
    def check_source(self, i: Any) -> None:
        kind, number = i.src
        table = self.sources.get(kind)
        assert table is not None and 0 <= number < len(table), f"{self.where(i)}: no such source"
        assert isinstance(i, p.Data) or 0 <= i.axis < len(table[number][1]), f"{self.where(i)}: no such axis"
        done = self.committed is not None and kind == "shared"
        assert not done, f"{self.where(i)}: reads shared {number} after the commit"
        others = self.pin is not None and kind == "arg"
        assert not others, f"{self.where(i)}: others may have given argument {number} another shape since the pin"

    def check_op(self, i: Any) -> None:
        known = ARITH if isinstance(i, p.Arith) else COMPARE
        assert i.op in known, f"{self.where(i)}: unknown operation {i.op}"

    def take_slot(self, i: Instr, slot: int) -> None:
        assert 0 <= slot < self.program.n_slots, f"{self.where(i)}: no slot {slot}"
        assert slot not in self.slots, f"{self.where(i)}: slot {slot} is taken by {line(self.slots[slot])}"
        self.slots[slot] = i

    def check_new_out(self, i: p.NewOut) -> None:
        assert 0 <= i.output < len(self.program.outputs), f"{self.where(i)}: no such output"
        rank = self.program.outputs[i.output][1]
        assert len(i.dims) == rank, f"{self.where(i)}: {len(i.dims)} dims for an output of rank {rank}"
        for row in (*i.likes, *([i.usual, i.strides] if i.likes else [])):
            assert len(row) == rank, f"{self.where(i)}: {len(row)} strides for an output of rank {rank}"
        self.take_slot(i, i.slot)

    def check_new_list(self, i: p.NewList) -> None:
        self.take_slot(i, i.slot)
        self.lists[i.slot] = i.n

    def check_prepare(self, i: p.Prepare) -> None:
        assert 0 <= i.shared < len(self.program.shared), f"{self.where(i)}: no such shared variable"
        rank = len(self.program.shared[i.shared][1])
        assert len(i.dims) == rank, f"{self.where(i)}: {len(i.dims)} dims for a shared variable of rank {rank}"
        assert i.shared not in self.prepared, f"{self.where(i)}: shared {i.shared} is prepared twice"
        self.take_slot(i, i.slot)
        self.prepared[i.shared] = i

    def check_launch(self, i: p.Launch) -> None:
        assert all(0 <= k < len(self.program.plans) for k in i.plans), f"{self.where(i)}: no such plan"
        for k in i.plans:
            self.check_plan(i, self.program.plans[k])
        fails = {self.program.plans[k].may_fail for k in i.plans}
        assert len(fails) == 1, f"{self.where(i)}: one of its plans may fail, another can't"

    def check_plan(self, i: p.Launch, plan: p.LaunchPlan) -> None:
        for what, got, want in (
            ("operands", len(i.operands), len(plan.operands)),
            ("extents", len(i.extents), len(plan.axes)),
            ("ints", len(i.ints), len(plan.ints)),
            ("rows of strides", len(i.strides), len(plan.operands)),
        ):
            assert got == want, f"{self.where(i)}: {got} {what}, the plan has {want}"
        for row, steps in zip(i.strides, plan.strides, strict=True):
            assert len(row) == len(steps), f"{self.where(i)}: {len(row)} strides for {len(steps)} axes"
        outs = set(i.operands[plan.n_inputs :])
        assert set(i.writes) == outs, f"{self.where(i)}: writes {i.writes}, but the plan's outputs are {sorted(outs)}"

    def check_gemm(self, i: p.Gemm) -> None:
        assert i.dtype in ("float32", "float64"), f"{self.where(i)}: dtype {i.dtype}"
        assert i.decay is None or i.beta == 1, f"{self.where(i)}: two factors of c"
        assert len(i.steps) == (0 if i.count is None else 2), f"{self.where(i)}: steps of a and b for several products"

    def check_scatter(self, i: p.Scatter) -> None:
        assert i.positions and len(i.positions) == len(i.steps), (
            f"{self.where(i)}: one step for each array of positions"
        )
        assert len(i.position_types) == len(i.positions), f"{self.where(i)}: one dtype for each array of positions"
        assert len(i.dims) == len(i.x_strides) == len(i.y_strides), f"{self.where(i)}: a block's strides, one per axis"
        assert i.dims or not i.is_row, f"{self.where(i)}: a row needs an axis"

    def check_library(self, i: p.LibraryCall) -> None:
        types = layouts.LIBRARY_CALLS.get(i.function)
        assert types and i.inputs and i.inputs[0][1] in types, f"{self.where(i)}: no such function of the library"
        for name, _, dims, strides in i.inputs + i.outputs:
            assert len(dims) == len(strides), f"{self.where(i)}: {len(strides)} strides for {len(dims)} axes of {name}"

    def check_host(self, i: p.HostCall) -> None:
        for o in i.outputs:
            if isinstance(o, p.Kept):
                if isinstance(self.slots.get(o.slot), p.HostCall):  # code that stands in two places, as of loops
                    del self.slots[o.slot]
                self.take_slot(i, o.slot)
        self.check_take(i)

    def check_take(self, i: p.HostCall | p.TakeKept) -> None:
        assert 0 <= i.host < self.program.n_hosts, f"{self.where(i)}: no such host function"
        if isinstance(i, p.TakeKept):
            assert isinstance(self.slots.get(i.slot), p.HostCall), f"{self.where(i)}: slot {i.slot} holds no result"
        self.without_late(i)
        assert self.pinned, f"{self.where(i)}: runs Python code while nothing is pinned"

    def check_pin(self, i: p.Pin) -> None:
        assert len(i.slots) == len(self.program.shared), f"{self.where(i)}: needs one slot per shared variable"
        assert not self.prepared, f"{self.where(i)}: after {next(iter(self.prepared.values()), None)}"
        assert not self.pinned, f"{self.where(i)}: pins twice"
        for slot in i.slots:
            self.take_slot(i, slot)
        assert i.slots == tuple(range(i.slots[0], i.slots[0] + len(i.slots))) if i.slots else True, (
            f"{self.where(i)}: the slots are not consecutive"
        )
        self.pinned = i.threshold < 0  # always, whatever the work
        self.pin = i
        self.watched = i.watched

    def without_late(self, i: Instr, when: Name | None = None) -> None:
        """Others could get references to storage that was found to be this call's alone; `when` may have excluded
        that."""
        late = next((q for q in self.prepared.values() if q.late and (when is None or q.unless != when)), None)
        assert late is None, f"{self.where(i)}: lets others run after {line(late)}"

    def check_release(self, i: p.ReleaseGil) -> None:
        self.without_late(i, i.when)
        assert self.gil, f"{self.where(i)}: the GIL is released already"
        self.gil = False

    def check_unwatch(self, i: p.Unwatch) -> None:
        assert self.watched, f"{self.where(i)}: nothing is watched"
        self.without_late(i)
        self.watched = False

    def check_acquire(self, i: p.AcquireGil) -> None:
        assert not self.gil, f"{self.where(i)}: the GIL is held"
        self.gil = True

    def check_commit(self, i: p.Commit) -> None:
        assert self.committed is None, f"{self.where(i)}: commits twice"
        want = {(q.shared, q.slot) for q in self.prepared.values()}
        assert set(i.updates) == want, f"{self.where(i)}: commits {sorted(i.updates)}, prepared are {sorted(want)}"
        assert len(i.updates) == len(want), f"{self.where(i)}: commits a value twice"
        self.committed = self.destroyed = i
        self.dead.update((shared, i) for shared, _ in i.updates)

    def check_return(self, i: p.Return) -> None:
        for slot in i.slots:
            made = self.slots.get(slot)
            assert isinstance(made, p.NewOut), f"{self.where(i)}: slot {slot} holds no output"
        assert len(set(i.slots)) == len(i.slots), f"{self.where(i)}: returns an object twice"
        if i.list_slot < 0:
            assert len(i.slots) == 1, f"{self.where(i)}: {len(i.slots)} outputs without a list"
            return
        n = self.lists.get(i.list_slot)
        assert n == len(i.slots), f"{self.where(i)}: slot {i.list_slot} holds no list of {len(i.slots)} outputs"


EXTRA: dict[type[Instr], Callable[[_Checker, Any], None]] = {
    p.Extent: _Checker.check_source, p.Stride: _Checker.check_source, p.Data: _Checker.check_source,
    p.Arith: _Checker.check_op, p.Compare: _Checker.check_op, p.Check: _Checker.check_op,
    p.NewOut: _Checker.check_new_out, p.NewList: _Checker.check_new_list, p.Prepare: _Checker.check_prepare,
    p.Launch: _Checker.check_launch, p.Gemm: _Checker.check_gemm, p.Scatter: _Checker.check_scatter,
    p.HostCall: _Checker.check_host, p.TakeKept: _Checker.check_take, p.LibraryCall: _Checker.check_library,
    p.For: _Checker.check_for, p.Blocks: _Checker.check_blocks, p.If: _Checker.check_if, p.Pin: _Checker.check_pin,
    p.ReleaseGil: _Checker.check_release, p.AcquireGil: _Checker.check_acquire, p.Commit: _Checker.check_commit,
    p.Unwatch: _Checker.check_unwatch,
    p.Return: _Checker.check_return,
}  # fmt: skip


def _prepared(checker: _Checker, i: p.Prepare) -> frozenset[Root]:
    own = not i.fresh and (i.late or not checker.pinned)  # other pinned arrays never are
    return frozenset({("prepare", i.shared, True)}) if own else NO_ROOTS


def _moved(checker: _Checker, i: p.Offset) -> frozenset[Root]:
    return frozenset((kind, number, kind == "local") for kind, number, _ in checker.roots.get(i.base, NO_ROOTS))


def _selected(checker: _Checker, i: p.Select) -> frozenset[Root]:
    return checker.roots.get(i.a, NO_ROOTS) | checker.roots.get(i.b, NO_ROOTS) if i.kind == "ptr" else NO_ROOTS


# Where the pointer that an instruction defines may point to, if that matters.
ROOTS: dict[type[Instr], Callable[[_Checker, Any], frozenset[Root]]] = {
    p.Data: lambda checker, i: frozenset({(*i.src, True)}),
    p.Prepare: _prepared,
    p.Offset: _moved,
    p.Arena: lambda checker, i: frozenset({("local", checker.depth, True)}) if checker.depth else NO_ROOTS,
    p.Select: _selected,
    p.Claim: lambda checker, i: checker.roots.get(i.src, NO_ROOTS),
}
