"""The kernel of rounds on small arrays: a body's instructions one behind the other, each on memory as it is written.

Contract  a `For` that `words` takes -> `i64 k(ptr P, i64 first, i64 count)` (`program_ir.instructions.RoundsKernel`).
When      lengths are few: a call decides.  Loops whose values fit registers have a kernel of `rounds.kernel`.
Why       a product, a factor or a launch of a few elements takes as long as its description.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from tensordsl.base.records import record
from tensordsl.codegen.llvm.emit_scalars import load, store
from tensordsl.codegen.llvm.total_integers import DIVISION, divide_by_power_of_two
from tensordsl.codegen.llvm.vector_builder import Code
from tensordsl.codegen.program_ir import instructions as p
from tensordsl.codegen.program_ir.instructions import Instr, Kernels, LaunchPlan, Name
from tensordsl.codegen.program_ir.verify import EFFECTS
from tensordsl.codegen.rounds import moves, nests, products, systems
from tensordsl.codegen.rounds.body import Unfit
from tensordsl.codegen.rounds.flow import Flow, Operand
from tensordsl.codegen.rounds.integers import HOLDING, MULTIPLY, OPPOSITE, SIGNED
from tensordsl.codegen.rounds.storages import NOWHERE, Roots, Storages
from tensordsl.codegen.scalar_ir.builder import ITEMSIZE
from tensordsl.codegen.scalar_ir.builder import SIGNED as SIGNED_TYPES
from tensordsl.codegen.target.machine import CACHE_LINE_BYTES
from tensordsl.codegen.target.tuning import Tuning


@record
class Words:
    """What a kernel is given and tells: names whose values are words of P, in order; checks; what is told behind; the
    lengths that have to be few, each with the most that it may be."""

    pointers: tuple[Name, ...]
    integers: tuple[Name, ...]
    checks: tuple[tuple[str, int], ...]
    told: tuple[tuple[Name, str], ...]
    lengths: tuple[tuple[Name, int], ...]


def words(loop: p.For, plans: Sequence[LaunchPlan], storages: Storages, tuning: Tuning) -> Words:
    """Raises `Unfit`, with the reason, for bodies that have other instructions."""
    kinds: dict[Name, str] = {name: kind for (name, _, _), kind in zip(loop.carried, loop.kinds, strict=True)}
    checks: list[tuple[str, int]] = []
    lengths: dict[Name, int] = {}
    most = tuning.rounds.inline_length
    equal = _equal_lengths(loop.body)
    defined, scratch = {loop.index}, scratch_of(loop)

    def short(name: Name, at_most: int) -> None:
        lengths[name] = min(at_most, lengths.get(name, at_most))

    works = False
    for i in p.walk_program(loop.body):
        if isinstance(i, p.Launch):
            nests.check(i, plans[i.plan])
            is_line = len(i.extents) == 1
            for name in i.extents:
                short(name, most * most if is_line else most)
            works = True
        elif isinstance(i, p.Gemm):
            products.check(i)
            for name in (i.m, i.n, i.k):
                short(name, most)
            works = True
        elif isinstance(i, p.LibraryCall):
            systems.check(i, storages.numbers, equal)
            for name, rows in systems.lengths(i, tuning).items():
                short(name, rows)
            works = True
        elif isinstance(i, p.Scatter):
            moves.check(i)
            short(i.count, most * most)
            for name in i.dims:
                short(name, most)
        elif isinstance(i, p.Arena):
            for dst, size in i.items:
                if dst not in scratch:
                    short(size, room_bytes(tuning))
        elif not isinstance(i, KNOWN):
            raise Unfit(f"{type(i).__name__} in a round")
        checks += _checks(i, plans)
        effects = EFFECTS[type(i)]
        if not isinstance(i, p.Arena):
            kinds |= {name: "i64" for name in effects.ints(i) if name not in storages.numbers}
        addresses = (*effects.pointers(i), *effects.reads(i), *effects.writes(i))
        kinds |= dict.fromkeys((name for name in addresses if name not in scratch), "ptr")
        defined.update(name for name, _ in effects.defines(i))
        if isinstance(i, p.If):
            for (dst, a, b), kind in zip(i.results, i.kinds, strict=True):
                kinds |= {name: kind for name in (a, b) if name not in storages.numbers}
                defined.add(dst)
    if not works:
        raise Unfit("nothing is computed")
    for (_, _, following), kind in zip(loop.carried, loop.kinds, strict=True):
        if following not in storages.numbers:
            kinds[following] = kind
    if loop.end is not None and loop.end not in storages.numbers:
        kinds[loop.end] = "i64"
    given = {kind: tuple(n for n, k in kinds.items() if k == kind and n not in defined) for kind in ("ptr", "i64")}
    told = [(name, kind) for (name, _, _), kind in zip(loop.carried, loop.kinds, strict=True)]
    if loop.end is not None:
        told.append((loop.end, "i64"))
    return Words(given["ptr"], given["i64"], tuple(checks), tuple(told), tuple(lengths.items()))


def _equal_lengths(body: Sequence[Instr]) -> dict[Name, Name]:
    """Of lengths that a round checks to be equal all are the same one."""
    found: dict[Name, Name] = {}
    for i in body:
        if isinstance(i, p.Check) and i.op == "eq":
            one, other = found.get(i.a, i.a), found.get(i.b, i.b)
            found |= {name: one for name in (i.a, i.b, *(n for n, x in found.items() if x == other))}
    return found


def scratch_of(loop: p.For) -> set[Name | None]:
    """What the library's products want, and those of a kernel do not."""
    return {i.scratch for i in p.walk_program(loop.body) if isinstance(i, p.Gemm)}


def room_bytes(tuning: Tuning) -> int:
    """The most that one storage of a round may have."""
    return tuning.rounds.inline_length**2 * ITEMSIZE["float64"]


KNOWN = (
    p.Const, p.Arith, p.Mul, p.Compare, p.Check, p.Select, p.Offset, p.LoadScalar, p.StoreScalar, p.Copy, p.Fill, p.If,
)  # fmt: skip


def _checks(i: Instr, plans: Sequence[LaunchPlan]) -> Iterator[tuple[str, int]]:
    """(relation, site) of what may fail in an instruction, in the order of its text."""
    if isinstance(i, p.Check):
        yield i.op, i.site
    elif isinstance(i, p.Mul):
        yield "product", i.site
    elif isinstance(i, p.Launch) and plans[i.plan].may_fail:
        yield "index", i.site


def make(
    loop: p.For, given: Words, plans: Sequence[LaunchPlan], storages: Storages, symbol: str, tuning: Tuning
) -> Kernels:  # fmt: skip
    return Writer(loop, given, plans, storages, tuning).kernels(symbol)


class Writer:
    """The text of a kernel.

        head    words of P, numbers that no round changes, factors that are packed once
        body    a round

    has_lanes: are parts of vectors loaded and stored as fast as whole ones?
    holds: an i1: do the checks of numbers that no round changes hold, as far as the body is written?
    contents: of words in memory, as far as they are known.
    """

    def __init__(
        self, loop: p.For, given: Words, plans: Sequence[LaunchPlan], storages: Storages, tuning: Tuning
    ) -> None:  # fmt: skip
        self.loop, self.given, self.plans, self.storages, self.tuning = loop, given, plans, storages, tuning
        inline = tuning.schedule.inline_functions
        self.head, self.body = Flow("h", inline=inline), Flow("b", inline=inline)
        self.body.block = "round"
        self.max_length = tuning.rounds.inline_length
        self.has_lanes = tuning.machine.vector_bytes >= tuning.rounds.inline_vector_bytes
        self.values: dict[Name, Operand] = {**storages.numbers}
        self.contents: dict[Name, str] = {}
        self.varying: set[Name] = set()
        self.depth = 0  # of conditions
        self.holds = "true"
        self.packed: dict[tuple[str, ...], str] = {}
        self.rooms: dict[int, str] = {}
        self.known: dict[str, str] = {}  # comparisons of numbers that no round changes
        self.wrong: list[str] = []
        self.failures = 0
        self.written = self._written()
        self.scratch = scratch_of(loop)

    def _written(self) -> Roots:
        """The storages that rounds write to."""
        found: Roots = NOWHERE
        for i in p.walk_program(self.loop.body):
            for name in EFFECTS[type(i)].writes(i):
                found |= self.storages.roots(name)
        return found

    # -- the text
    def kernels(self, symbol: str) -> Kernels:
        lines = [f"define i64 @{symbol}(ptr %P, i64 %first, i64 %count) nounwind {{", "entry:"]
        g, loop = self.given, self.loop
        words = [("ptr", n) for n in g.pointers] + [("i64", n) for n in g.integers]
        for at, (kind, name) in enumerate(words):
            place = self.head.at("%P", 8 * at)
            self.values[name] = self.head.op(f"load {kind}, ptr {place}, align 8")
        for at, (relation, _) in enumerate(g.checks):
            for side, x in enumerate(HOLDING[relation]):
                store(self.head, str(x), self.head.at("%P", 8 * (len(words) + 2 * at + side)), "int64")
        self.values[loop.index] = "%r"
        self.varying.add(loop.index)
        phis = []
        for number, ((name, _, _), kind) in enumerate(zip(loop.carried, loop.kinds, strict=True)):
            phis.append((f"%carried{number}", kind, self.values[name]))
            self.values[name] = f"%carried{number}"
            self.varying.add(name)
        self.instructions(loop.body)
        following = [self.values[name] for _, _, name in loop.carried]
        told = following if loop.end is None else [*following, self.values[loop.end]]
        f = self.body
        f.do("%r.next = add i64 %r, 1")
        f.do("%r.left = icmp slt i64 %r.next, %count")
        more = "%r.left"
        if loop.end is not None:
            goes_on = f.op(f"icmp eq i64 {self.values[loop.end]}, 0")
            more = f.op(f"and i1 %r.left, {goes_on}")
        f.branch(more, "round", "after")
        first, last = self.head.block, f.block
        lines += [*self.head.lines, "  br label %round", "round:"]
        lines.append(f"  %r = phi i64 [ %first, %{first} ], [ %r.next, %{last} ]")
        for (phi, kind, start), new in zip(phis, following, strict=True):
            lines.append(f"  {phi} = phi {kind} [ {start}, %{first} ], [ {new}, %{last} ]")
        lines += [*f.lines, "after:"]
        behind = len(words) + 2 * len(g.checks)
        for k, ((_, kind), value) in enumerate(zip(g.told, told, strict=True), behind):
            lines += [f"  %tell{k} = getelementptr i64, ptr %P, i64 {k}", f"  store {kind} {value}, ptr %tell{k}"]
        lines += ["  ret i64 %r.next", *self.wrong, "}", ""]
        whole = Code()
        whole.need(self.head)
        whole.need(f)
        shared = frozenset((whole.declarations | whole.functions).values())
        return Kernels((symbol,), ("\n".join(lines),), (), shared, (), False, (whole.widest_load_bytes,))

    # -- names
    def number(self, name: Name) -> Operand:
        return self.values[name]

    def pointer(self, name: Name) -> str:
        return str(self.values[name])

    def is_fixed(self, name: Name) -> bool:
        """Is it the same in all rounds?"""
        return name not in self.varying

    def is_unchanged(self, name: Name) -> bool:
        """Is what stands there the same in all rounds?"""
        roots = self.storages.roots(name)
        return bool(roots) and roots.isdisjoint(self.written)

    def can_prepare(self) -> bool:
        """Does what is written now run in every round, if nothing fails?"""
        return self.depth == 0

    def pitch(self, dtype: str) -> int:
        """Bytes from row to row in a room."""
        return self.max_length * ITEMSIZE[dtype]

    def room(self, size: int) -> str:
        return self.head.op(f"alloca [{size} x i8], align 64")

    def shared_room(self, size: int) -> str:
        """For what is used at once."""
        if size not in self.rooms:
            self.rooms[size] = self.room(size)
        return self.rooms[size]

    def is_equal(self, name: Name, number: int) -> str:
        return self.compared("eq", name, number)

    def compared(self, relation: str, name: Name, number: int) -> str:
        comparison = f"icmp {relation} i64 {self.number(name)}, {number}"
        if not self.is_fixed(name):
            return self.body.op(comparison)
        if comparison not in self.known:
            self.known[comparison] = self.head.op(comparison)
        return self.known[comparison]

    def is_at_most(self, name: Name, number: int) -> str:
        return self.compared("sle", name, number)

    def by_width(self, name: Name, item: int, write: Callable[[int], None], has_narrow: bool = True) -> None:
        """write(W), for vectors of so many lanes along an axis: half a register's where it has no more elements, in
        which rows of small matrices lie as they are."""
        length, wide = self.number(name), CACHE_LINE_BYTES // item
        narrow = wide // 2
        if not self.has_lanes or length == 1:
            write(1)
        elif isinstance(length, int) or not has_narrow:
            is_short = isinstance(length, int) and length <= narrow
            write(narrow if is_short else wide)
        else:
            f = self.body
            half, whole, done = (f.label(text) for text in ("half", "whole", "done"))
            f.branch(self.is_at_most(name, narrow), half, whole)
            for label, width in ((half, narrow), (whole, wide)):
                f.place(label)
                write(width)
                f.jump(done)
            f.place(done)

    def where(self, *names: Name) -> Flow:
        """Where numbers of these are computed."""
        return self.head if all(map(self.is_fixed, names)) else self.body

    def define(self, name: Name, value: Operand, code: Flow) -> None:
        self.values[name] = value
        if code is self.body:
            self.varying.add(name)

    # -- instructions
    def instructions(self, block: Sequence[Instr]) -> None:
        for i in block:
            self.instruction(i)

    def instruction(self, i: Instr) -> None:
        for name in EFFECTS[type(i)].writes(i):
            self.forget(name)
        if isinstance(i, p.Launch):
            nests.write(self, i, self.plans[i.plan])
            self.failures += self.plans[i.plan].may_fail
        elif isinstance(i, p.Gemm):
            products.write(self, i)
        elif isinstance(i, p.LibraryCall):
            systems.write(self, i)
        elif isinstance(i, p.If):
            self.branch(i)
        elif isinstance(i, p.Copy | p.Fill):
            moves.move(self, i)
        elif isinstance(i, p.Scatter):
            moves.scatter(self, i)
        elif isinstance(i, p.Check):
            self.check(i)
        elif isinstance(i, p.LoadScalar):
            self.load(i)
        elif isinstance(i, p.StoreScalar):
            self.store(i)
        elif isinstance(i, p.Arena):
            for dst in {dst for dst, _ in i.items} - self.scratch:
                self.define(dst, self.room(room_bytes(self.tuning)), self.head)
        elif not isinstance(i, p.Const):
            self.integer(i)

    def forget(self, name: Name) -> None:
        """Something is written there."""
        roots = self.storages.roots(name)
        for other in [*self.contents]:
            if other == name or not roots or not roots.isdisjoint(self.storages.roots(other)):
                del self.contents[other]

    def integer(self, i: Instr) -> None:
        if isinstance(i, p.Offset):
            f = self.where(i.base, i.bytes)
            self.define(i.dst, f.at(self.pointer(i.base), self.number(i.bytes)), f)
            return
        if isinstance(i, p.Select):
            f, kind = self.where(i.cond, i.a, i.b), i.kind
            bit = f.op(f"icmp ne i64 {self.number(i.cond)}, 0")
            self.define(i.dst, f.op(f"select i1 {bit}, {kind} {self.number(i.a)}, {kind} {self.number(i.b)}"), f)
            return
        assert isinstance(i, p.Arith | p.Mul | p.Compare)
        f, a, b = self.where(i.a, i.b), self.number(i.a), self.number(i.b)
        value: Operand
        if isinstance(i, p.Mul):
            f.declarations[MULTIPLY] = f"declare {{i64, i1}} @{MULTIPLY}(i64, i64)"
            both = f.call(MULTIPLY, "{i64, i1}", f"i64 {a}", f"i64 {b}")
            self.define(i.dst, f.op(f"extractvalue {{i64, i1}} {both}, 0"), f)
            self.must_hold(f, f.op(f"extractvalue {{i64, i1}} {both}, 1"), "product", a, b)
            return
        if isinstance(i, p.Compare):
            self.define(i.dst, f.op(f"zext i1 {f.op(f'icmp {SIGNED[i.op]} i64 {a}, {b}')} to i64"), f)
            return
        if i.op in ("min", "max"):
            less = f.op(f"icmp {'slt' if i.op == 'min' else 'sgt'} i64 {a}, {b}")
            value = f.op(f"select i1 {less}, i64 {a}, i64 {b}")
        elif i.op in DIVISION:
            f.functions |= DIVISION  # the remainder calls the quotient
            value = divide_by_power_of_two(f.op, i.op, a, b) or f.call(i.op, "i64", f"i64 {a}", f"i64 {b}")
        else:
            value = f.op(f"{i.op} i64 {a}, {b}")
        self.define(i.dst, value, f)

    def check(self, i: p.Check) -> None:
        f, a, b = self.where(i.a, i.b), self.number(i.a), self.number(i.b)
        self.must_hold(f, f.op(f"icmp {SIGNED[OPPOSITE[i.op]]} i64 {a}, {b}"), i.op, a, b)

    def must_hold(self, f: Flow, bad: str, relation: str, a: Operand, b: Operand) -> None:
        if f is self.head and not self.depth:
            self.holds = f.op(f"and i1 {self.holds}, {f.op(f'xor i1 {bad}, true')}")
        self.fail(bad, relation, a, b)

    def fail(self, bad: str, relation: str, a: Operand, b: Operand, is_last: bool = True) -> None:
        """The kernel stops here if the i1 is true, and tells what the check compared."""
        number, words = self.failures, len(self.given.pointers) + len(self.given.integers)
        assert self.given.checks[number][0] == relation
        label, go = f"wrong{len(self.wrong)}", self.body.label("go")
        self.body.branch(bad, label, go)
        self.body.place(go)
        lines = [f"{label}:"]
        for side, x in enumerate((a, b)):
            at = words + 2 * number + side
            lines += [f"  %{label}.{side} = getelementptr i64, ptr %P, i64 {at}"]
            lines += [f"  store i64 {x}, ptr %{label}.{side}"]
        self.wrong += [*lines, f"  %{label}.r = xor i64 %r, -1", f"  ret i64 %{label}.r"]
        self.failures += is_last

    def load(self, i: p.LoadScalar) -> None:
        if i.dtype == "int64" and i.ptr in self.contents:
            self.define(i.dst, self.contents[i.ptr], self.body)
            return
        value, kind = load(self.body, self.pointer(i.ptr), i.dtype), i.dtype
        if ITEMSIZE[kind] < 8:
            bits = "i1" if kind == "bool" else f"i{8 * ITEMSIZE[kind]}"
            value = self.body.op(f"{'sext' if kind in SIGNED_TYPES else 'zext'} {bits} {value} to i64")
        self.define(i.dst, value, self.body)

    def store(self, i: p.StoreScalar) -> None:
        value = str(self.number(i.value))
        if i.dtype == "int64":
            self.contents[i.ptr] = value
        elif i.dtype == "bool":
            value = self.body.op(f"icmp ne i64 {value}, 0")
        elif ITEMSIZE[i.dtype] < 8:
            value = self.body.op(f"trunc i64 {value} to i{8 * ITEMSIZE[i.dtype]}")
        store(self.body, value, self.pointer(i.ptr), i.dtype)

    def branch(self, i: p.If) -> None:
        f = self.body
        yes, no, join = (f.label(name) for name in ("then", "else", "join"))
        f.branch(f.op(f"icmp ne i64 {self.number(i.cond)}, 0"), yes, no)
        ends = []
        self.depth += 1
        for label, code, column in ((yes, i.then, 1), (no, i.orelse, 2)):
            f.place(label)
            self.contents.clear()
            self.instructions(code)
            ends.append(([self.values[r[column]] for r in i.results], f.block))
            f.jump(join)
        self.depth -= 1
        self.contents.clear()
        f.place(join)
        (a, first), (b, second) = ends
        for (dst, _, _), kind, x, y in zip(i.results, i.kinds, a, b, strict=True):
            self.define(dst, f.op(f"phi {kind} [ {x}, %{first} ], [ {y}, %{second} ]"), f)
