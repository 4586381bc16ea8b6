"""A function's program: storage of outputs, checks, the order of updates in place or to fresh storage, and the commit.

`build_program(lowered, ...)` -> `Program`.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from tensordsl.base.late import Late
from tensordsl.codegen.abi.layouts import POINTWISE
from tensordsl.codegen.bufferise.bufferiser import Bufferiser
from tensordsl.codegen.bufferise.hidden_rows import may_pay
from tensordsl.codegen.bufferise.output_order import keep_orders
from tensordsl.codegen.bufferise.steps import run_steps
from tensordsl.codegen.fusion.batch_blocking import Stacks, by_stacks
from tensordsl.codegen.fusion.fuse_scatters import with_scatters
from tensordsl.codegen.fusion.hoist_from_branches import share_branches
from tensordsl.codegen.fusion.inline import Fused, relies_on
from tensordsl.codegen.fusion.placement import Context, Region, Step, integer_values, memory, plan_regions
from tensordsl.codegen.fusion.row_blocking import in_blocks
from tensordsl.codegen.program_ir import instructions as p
from tensordsl.codegen.program_ir.storage import Ref, Scope, contiguous
from tensordsl.codegen.scalar_ir.builder import ITEMSIZE
from tensordsl.codegen.target.tuning import Tuning
from tensordsl.codegen.tensor_ir import extents as ex
from tensordsl.codegen.tensor_ir.construct import DOT, of_function
from tensordsl.codegen.tensor_ir.extents import known_at_entry
from tensordsl.codegen.tensor_ir.graph import Value, giver, toposort
from tensordsl.codegen.tensor_ir.lower import Lowered
from tensordsl.codegen.variants.guards import names_defined, requires
from tensordsl.graph.types import TensorType

INTEGERS = frozenset(f"{u}int{n}" for u in ("", "u") for n in (8, 16, 32, 64))
add_kernels = Late("tensordsl.codegen.rounds.rewrite", "add_kernels")
MAX_ESTIMATED_POINTS = 1 << 40  # of each term of an estimate, so that it fits an int64


def build_program(
    name: str, lowered: Lowered, args: Sequence[TensorType], shared: Sequence[TensorType], single: bool,
    tuning: Tuning, device: bool = False, small: Collection[int] = (), has_claims: bool = False,
) -> tuple[p.Program, dict[Context, Region]]:  # fmt: skip
    """The program of a lowered function.  single: it returns its only output itself, not a list; device: its plans are
    a device's (`codegen.gpu.program`); small: the shared variables that stay in the cache, as far as is known;
    has_claims: it says whose each storage is, for `program_ir.check_storage` alone."""
    roots = [*lowered.outputs, *(v for _, v in lowered.updates)]
    if tuning.allows("hoist_from_branches"):  # loops have what it makes from here on: another program begins with it
        roots = share_branches(lowered.graph, roots)
        lowered.outputs = roots[: len(lowered.outputs)]
        lowered.updates = [(k, v) for (k, _), v in zip(lowered.updates, roots[len(lowered.outputs) :], strict=True)]
    outputs, updates = lowered.outputs, lowered.updates
    program = p.Program(
        name,
        [(t.dtype, t.shape) for t in args],
        [(t.dtype, t.shape) for t in shared],
        [(v.dtype, v.rank) for v in outputs],
        n_hosts=len(lowered.hosts),
        has_epilogues=tuning.allows("gemm_epilogues"),
    )
    regions = plan_regions(lowered.graph, roots)
    b = Bufferiser(lowered.graph, program, regions, tuning, device, small, has_claims)
    steps = [s for r in regions.values() for s in r.steps]
    if any(s.value is not None and not s.value.dtype for s in steps):  # it has results
        computed = [*roots, *(v for s in steps for v in (s.fused.values if s.fused else (s.value,)) if v is not None)]
        for v in toposort([*computed, *integer_values(lowered.graph, toposort(computed))]):
            if (made := giver(v)) is not v:
                b.results.setdefault(made.number, []).append(v)
    steps = regions[()].steps
    left_out: list[Any] = []
    runs: list[Stacks] = []
    if not device:
        kept = outputs, [v for _, v in updates], b.stored_moves
        if tuning.allows("row_blocking"):
            smaller = () if tuning.forces("row_blocking") else small
            steps, left_out = in_blocks(lowered.graph, steps, *kept, smaller)
        if tuning.allows("batch_blocking"):
            steps, runs = by_stacks(lowered.graph, steps, *kept, small)
        if tuning.allows("fuse_scatters"):
            steps, b.unstored = with_scatters(lowered.graph, steps, *kept)
    _Function(b, outputs, updates, left_out, runs).run(steps, single)
    b.targets.clear()  # of functions that hold b, as those below: without cycles the collector is not needed
    b.products.clear()
    return program, regions


class _Function:
    def __init__(
        self, b: Bufferiser, outputs: list[Value], updates: list[tuple[int, Value]], left_out: Sequence[Any] = (),
        runs: Sequence[Stacks] = (),
    ) -> None:  # fmt: skip
        self.b, self.outputs, self.updates = b, outputs, updates
        self.left_out, self.runs = left_out, runs
        self.storage: list[p.Instr] = []  # outputs and updates whose lengths are known at entry
        self.late_storage = False
        self.late_at = 0  # where in the body the destructive steps begin
        self.writes_parts = False  # of state: elsewhere all of it would have to be copied
        self.body = Scope()
        b.scopes.append(self.body)

    def run(self, steps: list[Step], single: bool) -> None:
        b = self.b
        stretched = [
            b.joined("min", [b.compared_raw("eq", own, 1), b.compared_raw("ne", length, 1)])
            for own, length in dict.fromkeys(b.graph.extents.stretched)
        ]
        if stretched:  # before the checks, which are for the usual lengths
            b.entry.code.append(p.Deoptimise(tuple(dict.fromkeys(stretched)), b.common_site("kernels")))
        b.pending = list(b.graph.extents.constraints)
        b.check_entry()
        given = {n for s in steps for n in s.gives}
        is_direct = b.tuning.allows("in_place_updates")
        direct = direct_updates(steps, self.outputs, self.updates, b) if is_direct else []
        output_slots, copies = self._outputs(given)
        early, late = _split(steps, {v.number for _, v in direct})
        b.late = {n for s in late for n in s.gives}
        pins = [self.b.new_slot() for _ in b.program.shared]
        list_slot = -1
        if not single:
            list_slot = self.b.new_slot()
            self.storage.append(p.NewList(list_slot, len(self.outputs), b.common_site("memory")))
        copied = {n for v in (*self.outputs, *(v for _, v in self.updates)) for n in memory(v, b.stored_moves)}
        run_steps(b, early, copied.union(*(s.needs for s in late)))
        for v, target in copies:
            if not b.late & set(memory(v, b.stored_moves)):
                b.copy(b.ref(v), target(), v.dtype)
                continue
            for s in (*_layout(b, v, b.late), *target().dims, *target().strides):
                b.name(s)  # before anything is destroyed
        commits = self._updates(direct, late, copied)
        for v, target in copies:
            if b.late & set(memory(v, b.stored_moves)):
                b.copy(b.ref(v), target(), v.dtype)
        self._finish(output_slots, commits, list_slot, pins)

    def _outputs(self, given: set[int]) -> tuple[list[int], list[tuple[Value, Callable[[], Ref]]]]:
        """A fresh array for each output; (slots, copies of values that no step of ours computes)."""
        slots, copies = [], []
        for k, v in enumerate(self.outputs):
            slot = self.b.new_slot()
            slots.append(slot)
            target = self._lazily(v, partial(self._new_output, k, slot))
            home = giver(v).number
            if home in given:
                self.b.targets.setdefault(v.number, []).append(target)
            else:
                copies.append((v, target))
        return slots, copies

    def _lazily(self, v: Value, make: Callable[[str, tuple[str, ...]], p.Instr]) -> Callable[[], Ref]:
        """Storage made at entry if its lengths are known there, else when it is first needed."""
        dims = tuple(map(self.b.find, v.shape))
        made: list[Ref] = []

        def create(code: list[p.Instr]) -> Ref:
            dst = self.b.fresh("o")
            code.append(make(dst, tuple(map(self.b.name, dims))))
            return Ref(dst, dims, contiguous(dims, ITEMSIZE[v.dtype]))

        if all(map(known_at_entry, dims)):
            made.append(create(self.storage))
        else:
            self.late_storage = True

        def target() -> Ref:
            if not made:
                made.append(create(self.b.scopes[-1].code))
            return made[0]

        return target

    def _new_output(self, k: int, slot: int, dst: str, dims: tuple[str, ...]) -> p.Instr:
        return p.NewOut(dst, k, dims, slot, self.b.common_site("memory"))

    def _new_value(self, k: int, slot: int, fresh: bool, late: bool, dst: str, dims: tuple[str, ...]) -> p.Instr:
        return p.Prepare(dst, k, dims, slot, self.b.common_site("memory"), fresh, late)

    def _updates(self, direct: list[tuple[int, Value]], late: list[Step], keep: set[int]) -> list[tuple[int, int]]:
        """Prepare every new storage, then the destructive steps, then copies of what was computed before; `keep`: the
        values that are copied at the end."""
        b = self.b
        is_direct = {k for k, _ in direct}
        values = [s.value for s in late if s.value is not None]
        self.writes_parts = any(v.traits.writes_into for v in values)
        copied_from = {base_shared(v) for k, v in self.updates if k not in is_direct}
        commits = []
        targets = []
        for k, v in self.updates:
            slot = self.b.new_slot()
            commits.append((k, slot))
            target = self._lazily(v, partial(self._new_value, k, slot, k in copied_from, k in is_direct))
            if k in is_direct:
                b.targets.setdefault(v.number, []).insert(0, target)
            targets.append((k, v, target))
        for _, _, target in targets:
            target()
        for k, v, target in targets:
            if k not in is_direct:  # lengths and strides of the copy, before anything is destroyed
                b.name(ex.mul(ITEMSIZE[v.dtype], ex.product(target().dims)))
                for s in (*_layout(b, v, b.late), *target().strides):
                    b.name(s)
        for s in late:
            if s.value is not None:
                s.value.construct.prepare(b, s.value)
        self.late_at = len(self.body.code)
        run_steps(b, late, keep)
        for k, v, target in targets:
            if k not in is_direct:
                b.copy(b.ref(v), target(), v.dtype)
        return commits

    def _finish(self, outputs: list[int], commits: list[tuple[int, int]], list_slot: int, pins: list[int]) -> None:
        b, program = self.b, self.b.program
        program.n_slots = self.b.n_slots
        left = [c for c in b.pending if not _is_of_loop(b, c)]  # a loop that nothing needs is not there
        assert not left, f"constraints never checked: {left}"
        keeps_orders = not (b.device or b.has_claims) and b.tuning.allows("output_order")
        changed = keep_orders(b, [*b.entry.code, *self.storage, *self.body.code]) if keeps_orders else {}
        self.storage, body = ([changed.get(id(i), i) for i in code] for code in (self.storage, self.body.code))
        has_loop = any(isinstance(i, p.For) for i in p.walk_program(body))
        if has_loop and not (b.device or b.has_claims):
            body = self._with_kernels(body)
        unpinned = bool(program.n_hosts) or self.late_storage
        # Callbacks may run other calls and resize arguments, and loops may be interrupted: both need the state and the
        # arguments held, and nothing written in place.
        held = has_loop or bool(program.n_hosts)
        prepares = [i for i in self.storage if isinstance(i, p.Prepare)]
        early, late = body[: self.late_at], body[self.late_at :]
        waits = any(i.late for i in prepares) and not (held or unpinned or self.writes_parts)
        is_long = self._is_long(late) if waits else ""
        if is_long is None:
            prepares = [replace(i, late=False) for i in prepares]
        partly: list[p.Instr] = [replace(i, unless=is_long or None) for i in prepares if i.late]
        if not partly:
            early, late = body, []
        work = b.name(0) if held else "" if unpinned else self._releasable(early, late, is_long if partly else "")
        watched = not b.device and (unpinned or work is None)
        work = work if held else self._magnitude() if watched else work
        required = [] if b.device or b.has_claims else [*self._deoptimise(), *requires(b, body)]
        head = [*b.entry.code, *required]
        if b.arena:
            head.append(p.Arena(tuple(b.arena), b.common_site("memory")))
        head += [i for i in self.storage if not isinstance(i, p.Prepare)]
        if work:
            t, site = b.tuning.calls, b.site("busy", None, "shared variables in use")
            least = -1 if held else t.watch_min_length if watched else t.release_gil_ps
            head.append(p.Pin(work, least, tuple(pins), site, watched))
        head += [i for i in prepares if not i.late]
        tail: list[p.Instr] = []
        if watched:
            tail.append(p.Unwatch())
        elif work and not unpinned:
            head.append(p.ReleaseGil())
            tail.append(p.AcquireGil())
            if partly and is_long:
                partly.append(p.ReleaseGil(is_long))
                late.append(p.AcquireGil())
        commit: list[p.Instr] = [p.Commit(tuple(commits))] if commits else []
        program.code = [*head, *early, *tail, *partly, *late, *commit, p.Return(tuple(outputs), list_slot)]
        _mark_streamed(program, {i.dst for i in p.walk_program(program.code) if isinstance(i, (p.NewOut, p.Prepare))})

    def _with_kernels(self, body: list[p.Instr]) -> list[p.Instr]:
        """Loops of short rounds with kernels of these."""
        b = self.b
        if not any(isinstance(i, p.For) for i in p.walk_program(body)):
            return body
        known = names_defined(b.entry.code)

        def compared(op: str, x: str, y: int) -> str | None:
            return b.once(b.entry, "q", p.Compare, op, x, b.name(y)) if x in known else None

        around = [*b.entry.code, *self.storage, p.Arena(tuple(b.arena), 0)]
        changed: list[p.Instr] = add_kernels(
            body, around, b.program.plans, b.tuning, compared, partial(b.joined, "min")
        )
        return changed

    def _deoptimise(self) -> list[p.Instr]:
        """Stop where a matrix or hidden rows have become large that were not, or indices would not be checked."""
        large = [self.b.compared(("gt", size, self.b.tuning.blocking.reread_min_bytes)) for size in self.left_out]
        large += [*(may_pay(self.b, run) for run in self.runs), *self.b.outgrown]
        return [p.Deoptimise(tuple(dict.fromkeys(large)), self.b.common_site("kernels"))] if large else []

    def _releasable(self, early: list[p.Instr], late: list[p.Instr], is_long: str | None) -> str | None:
        """The name of the estimated work that the GIL need not be held for, "" if there is none; None if it is not
        known at entry."""
        b, length = self.b, self.b.lengths()
        work = _work(b, early, length)
        all_work = _work(b, [*early, *late], length) if is_long else work
        if work is None or not known_at_entry(all_work):
            return None
        if isinstance(all_work, int) and all_work <= b.tuning.calls.release_gil_ps:
            return ""  # never long enough
        name = _estimate(b, work)
        if is_long:
            b.entry.code.append(p.Select(dst := b.fresh("z"), is_long, _estimate(b, all_work), name))
            return dst
        return name

    def _magnitude(self) -> str:
        """The name of the greatest length or integer that the call is given, where only the run tells how much there is
        to do."""
        b, names = self.b, list[str]()
        for v in [v for v in b.graph.values if v.op in ("arg", "shared")]:
            names += [b.name(n) for n in map(b.find, v.shape) if not isinstance(n, int)]
            if not v.shape and v.number in b.refs and v.dtype in INTEGERS:
                names.append(b.fresh("n"))
                b.entry.code.append(p.LoadScalar(names[-1], b.ref(v).ptr, v.dtype))
        largest = b.name(b.tuning.calls.watch_min_length + 1) if not names else names[0]
        for name in names[1:]:
            largest = b.once(b.entry, "w", p.Arith, "max", largest, name)
        return largest

    def _is_long(self, late: list[p.Instr]) -> str | None:
        """The name of whether the destructive steps would keep the GIL for too long; None: it is not known at entry."""
        work = _work(self.b, late, self.b.lengths())
        if work is None or not known_at_entry(work):
            return None
        return self.b.compared(("gt", work, self.b.tuning.calls.keep_gil_ps))


def _estimate(b: Bufferiser, work: Any) -> str:
    """The name of the work estimated at entry, with at least so many points that no call is free.  It may wrap only
    where lengths are refused."""
    if isinstance(work, int):
        return b.name(work)
    overflow, total = b.common_site("overflow"), ""
    for monomial, coefficient in work.terms:
        names = [b.name(ex.atom(*a)) for a in monomial]
        term = names[0] if names else b.name(1)
        for n in names[1:]:
            checked = b.entry.names.get((p.Mul, term, n, overflow))
            term = checked or b.once(b.entry, "w", p.Arith, "mul", term, n)
        if names:
            term = b.once(b.entry, "w", p.Arith, "min", term, b.name(MAX_ESTIMATED_POINTS))
        term = b.once(b.entry, "w", p.Arith, "mul", term, b.name(coefficient)) if coefficient != 1 else term
        total = b.once(b.entry, "w", p.Arith, "add", total, term) if total else term
    return total


def _mark_streamed(program: p.Program, results: set[str]) -> None:
    """Plans whose launches write nothing but results and new values of shared variables."""
    launches = [i for i in p.walk_program(program.code) if isinstance(i, p.Launch)]
    others = {k for i in launches if not results.issuperset(i.writes) for k in i.plans}
    for k in {k for i in launches for k in i.plans} - others:
        program.plans[k] = replace(program.plans[k], streams=True)


def _layout(b: Bufferiser, v: Value, later: set[int]) -> list[Any]:
    """Lengths and strides of v, which may be in memory later only."""
    chain = [v]
    while chain[-1].op == "move" and chain[-1].number not in later:
        chain.append(chain[-1].operands[0])
    if chain[-1].number not in later:
        ref = b.ref(v)
        return [*ref.dims, *ref.strides]
    dims = tuple(map(b.find, chain[-1].shape))
    ref = Ref("", dims, contiguous(dims, ITEMSIZE[v.dtype]))
    for m in reversed(chain[:-1]):
        ref = b.moved(m, ref)
    return [*ref.dims, *ref.strides]


def _split(steps: list[Step], destructive: set[int]) -> tuple[list[Step], list[Step]]:
    """(steps that run before anything is destroyed, destructive ones and those that need them)."""
    late_values: set[int] = set()
    early, late = [], []
    for s in steps:
        if destructive & set(s.gives) or late_values & s.needs:
            late.append(s)
            late_values |= set(s.gives)
        else:
            early.append(s)
    return early, late


def base_shared(v: Value) -> int | None:
    """The number of the shared variable whose storage v is a view of."""
    while True:
        if v.op == "move" or v.traits.is_view:
            v = v.operands[0]
        elif v.op == "result" and v.operands[0].traits.is_loop and 0 <= v.attrs["k"] < len(v.operands[0].operands) - 1:
            v = v.operands[0].operands[1 + v.attrs["k"]]  # a loop without iterations returns its initial values
        else:
            break
    return v.attrs["index"] if v.op == "shared" else None


def _is_of_loop(b: Bufferiser, c: ex.Constraint) -> bool:
    """Whether the constraint is about what a loop computes in each of its steps."""
    return any(b.graph.values[n].loops for n in ex.named((c.a, c.b)))


def direct_updates(
    steps: list[Step], outputs: Sequence[Value], updates: Sequence[tuple[int, Value]], b: Bufferiser
) -> list[tuple[int, Value]]:
    """The updates whose new value may be computed in the old one's storage, each with nothing that may fail, or that
    reads the old value, after it.  All others are computed elsewhere first and copied at the end."""
    reads = _shared_reads(steps, b)
    giver = {n: s for s in steps for n in s.gives}
    taken = {v.number for v in outputs}
    seen: set[int] = set()
    candidates = []
    measures = _measures(outputs, b)
    for k, v in updates:
        step = giver.get(v.number)
        if step is None or step.chain is not None or v.number in taken or v.number in seen:
            continue
        if not measures.isdisjoint(step.gives):
            continue  # an output's length or a check waits for this step
        seen.add(v.number)
        is_fit = _reads_in_place if step.fused is not None else partial(_is_partial, b)
        if all(map(known_at_entry, map(b.find, v.shape))) and is_fit(step, k, v):
            candidates.append((k, v))
    copied = {base_shared(v) for k, v in updates if (k, v) not in candidates} - {None}
    candidates = [c for c in candidates if c[0] not in copied]
    while True:
        early, late = _split(steps, {v.number for _, v in candidates})
        bad = _first_conflict(early, late, candidates, reads, giver, b)
        if bad is None:
            return candidates
        candidates.remove(bad)


def _measures(outputs: Sequence[Value], b: Bufferiser) -> set[int]:
    """The values that lengths of outputs, and checks, are computed from."""
    lengths = [n for v in outputs for n in v.shape]
    lengths += [n for c in b.graph.extents.constraints for n in (c.a, c.b)]
    named = ex.named(lengths) | ex.named(map(b.find, lengths))
    return {m for n in named for m in memory(b.graph.values[n], b.stored_moves)}


def _first_conflict(
    early: list[Step], late: list[Step], candidates: list[tuple[int, Value]], reads: dict[int, set[int]],
    giver: dict[int, Step], b: Bufferiser,
) -> tuple[int, Value] | None:  # fmt: skip
    own_steps = {id(giver[v.number]) for _, v in candidates}
    given = {n for s in late for n in s.gives}
    for s in late:
        waits = s.value is not None and s.value.op == DOT and not given.isdisjoint(s.needs)
        if waits or not (id(s) in own_steps if s.fused is None else _is_safe(s.fused, b)):
            needed = _needed(s, late)
            involved = [c for c in candidates if (own := giver[c[1].number]) is s or not needed.isdisjoint(own.gives)]
            return min(involved, key=lambda c: c[1].rank)  # a vector is copied sooner than a matrix
    position = {id(s): k for k, s in enumerate(late)}
    for k, v in candidates:
        own = giver[v.number]
        if any(k in reads[id(s)] and s is not own and position[id(s)] > position[id(own)] for s in late):
            return k, v
    return None


def _needed(s: Step, late: list[Step]) -> set[int]:
    """What a step needs of `late`, and what that needs of it."""
    needed = set(s.needs)
    for t in reversed(late):
        if not needed.isdisjoint(t.gives):
            needed |= t.needs
    return needed


def _is_safe(fused: Fused, b: Bufferiser) -> bool:
    """Whether a group may run after something has been destroyed."""
    lengths = [*fused.group.extents.values(), *(b.find(v.attr) for v in fused.group.scalars if v.op == "extent")]
    if relies_on(fused, b.find, b.graph.extents.assumed) or not all(map(known_at_entry, lengths)):
        return False
    return not fused.group.scatters and not any(v.op == "load" and v.args for v in fused.group.scalars)


def _is_partial(b: Bufferiser, step: Step, k: int, v: Value) -> bool:
    """Whether the step adds to the shared variable, writes to parts of it or replaces its lines, and reads it nowhere
    else; or is a product that does not read it."""
    at = v.construct.begins_with(v)
    if (at is None and v.op != DOT) or b.graph.extents.assumed or not _leaves_no_ruin(v):
        return False
    others = list(v.operands)
    if at is not None:
        x = others.pop(at)
        if x.op != "shared" or x.attrs["index"] != k:
            return False
    known = all(known_at_entry(n) for o in others for n in map(b.find, _view_lengths(o)))
    return known and k not in map(base_shared, others)


def _leaves_no_ruin(v: Value) -> bool:
    """Whether a construct may run where the old value lies: it cannot fail, as factorisations can, and reads each point
    before it writes there."""
    functions = {v.attrs["function"]} if "function" in v.attrs else {*v.construct.library}
    return v.op == DOT or v.traits.writes_into or functions <= {*POINTWISE}


def _view_lengths(v: Value) -> list[Any]:
    """What the layout of v depends on."""
    lengths = [*v.shape]
    while v.op == "move" or v.traits.is_view:
        lengths += [*v.operands[0].shape, *(n for bound in v.attrs.get("bounds", ()) for n in bound[:3])]
        v = v.operands[0]
    return lengths


def _reads_in_place(step: Step, k: int, v: Value) -> bool:
    """Whether the group reads the shared variable only at the points that it writes."""
    assert step.fused is not None
    (out,) = (o for o in step.fused.group.outs if o.buffer.value is v)  # type: ignore[attr-defined]  # a ValueBuffer
    for s in step.fused.group.scalars:
        if s.op == "load":
            source = s.attr[0].value
            if base_shared(source) == k and (source.op != "shared" or s.attr[1] != out.map):
                return False
    return True


def _shared_reads(steps: list[Step], b: Bufferiser) -> dict[int, set[int]]:
    """id(step) -> the shared variables whose storage it reads, in its inner regions too."""
    result: dict[int, set[int]] = {}
    nested: set[int] = set()
    for context, region in b.regions.items():
        if context:
            for s in region.steps:
                nested |= _reads(s)
    for s in steps:
        has_region = s.value is not None and s.value.traits.has_regions
        result[id(s)] = _reads(s) | (nested if has_region else set())
    return result


def _reads(s: Step) -> set[int]:
    return {k for v in s.reads if (k := base_shared(v)) is not None}


def _work(b: Bufferiser, body: Sequence[p.Instr], length: Mapping[str, Any]) -> Any:
    """The estimated work in ps, that of the longer branch where there are two; None if only the run can tell.

    length: by names, of blocks all of them together."""
    work: list[Any] = []

    def add(price: int, names: Iterable[str]) -> None:
        work.append(ex.mul(price, ex.product(length[n] for n in names)))

    for i in body:
        if isinstance(i, p.Launch):
            for price, axes in b.program.plans[i.plan].work:
                add(max(price, 1), [i.extents[k] for k in axes])
        elif isinstance(i, p.Gemm):
            add(1000 // b.tuning.costs.gemm_products_per_ns, (i.m, i.n, i.k, *(() if i.count is None else (i.count,))))
        elif isinstance(i, p.Scatter):
            add(b.tuning.costs.scatter_ns_per_1000, (i.count, *i.dims))
        elif isinstance(i, p.LibraryCall):
            add(of_function(i.function).work_ns or b.tuning.costs.library_ns_per_1000, i.outputs[0][2])
        elif isinstance(i, p.If):
            then, orelse = _work(b, i.then, length), _work(b, i.orelse, length)
            if then is None or orelse is None:
                return None
            work.append(ex.maximum(then, orelse))
        elif isinstance(i, p.Blocks):
            inner = _work(b, i.body, {**length, i.here: length[i.count]})
            if inner is None:
                return None
            work.append(inner)
        elif isinstance(i, p.For):
            return None  # how often, only the run tells
    return ex.total(work)
