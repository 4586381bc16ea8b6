"""The body of a loop, read: where each value of a round comes from, and what the rounds leave in memory.

Contract  a `For`, the program's plans and `Storages` -> `Body`; raises `Unfit`, with the reason, for loops whose rounds
          cannot be one kernel: those with other instructions than integers, launches of elementwise groups over one
          common axis at most, and copies; and those that read what another round writes otherwise than by
          carrying it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import field

from tensordsl.base.records import record
from tensordsl.codegen.fusion.group import Group
from tensordsl.codegen.program_ir import instructions as p
from tensordsl.codegen.program_ir.instructions import LaunchPlan, Name
from tensordsl.codegen.rounds.storages import Roots, Storages
from tensordsl.codegen.scalar_ir.builder import ITEMSIZE, Val, walk

INTEGERS = (p.Arith, p.Mul, p.Compare, p.Check, p.Select, p.Offset)
MAX_POSITIONS = 16  # in which carried addresses may stand to each other
LAUNCH, MEMORY, INTEGER = "launch", "memory", "integer"

Source = tuple[str, object]  # LAUNCH: (launch, output); MEMORY: an address, as it was before the round; INTEGER: a name
Kind = tuple[str, bool]  # dtype; has it an element for each lane?


class Unfit(Exception):
    """The loop stays as it is; the argument says why."""


@record(eq=False, frozen=False)
class Launched:
    """A launch in a body: sources of its operands, and which of its outputs are needed."""

    group: Group
    ints: dict[object, Name]  # lengths by extent
    inputs: dict[tuple[int, object], Source]  # by (id of the buffer, its map)
    writes: Sequence[Name]
    needed: set[int] = field(default_factory=set)


@record(eq=False, frozen=False)
class Body:
    """steps: integers and launches in order, a loaded integer as (its name, where it comes from, dtype).  rows: what is
    written at addresses that a round computes.  finals: what is at fixed addresses behind the last round.  states:
    carried addresses that are read -> what is there in the next round.  kinds: of what stands at addresses.  length:
    the name of the lanes' number, None: there are none.  steps_of_lanes: strides that have to be the element's size."""

    steps: list[object] = field(default_factory=list)
    launches: list[Launched] = field(default_factory=list)
    rows: list[tuple[Name, Source]] = field(default_factory=list)
    finals: dict[Name, Source] = field(default_factory=dict)
    states: dict[Name, Source] = field(default_factory=dict)
    kinds: dict[Name, Kind] = field(default_factory=dict)
    length: Name | None = None
    steps_of_lanes: dict[Name, int] = field(default_factory=dict)

    def kind(self, source: Source) -> Kind:
        what, where = source
        if what == INTEGER:
            return "int64", False
        if what == LAUNCH:
            assert isinstance(where, tuple)
            out = self.launches[where[0]].group.outs[where[1]]
            return out.buffer.type, any(isinstance(a, str) for a in out.map)
        return self.kinds[str(where)]


def read(loop: p.For, plans: Sequence[LaunchPlan], storages: Storages) -> Body:
    return _Reader(loop, plans, storages).run()


class _Reader:
    def __init__(self, loop: p.For, plans: Sequence[LaunchPlan], storages: Storages) -> None:
        self.loop, self.plans, self.storages = loop, plans, storages
        self.body = Body()
        self.content: dict[Name, Source] = {}
        self.offsets: dict[Name, Name] = {}  # addresses computed in the round -> their base
        self.read_before: set[Name] = set()  # addresses whose contents come from before the round
        self.copies: list[tuple[Name, Name, Source]] = []  # length in bytes, where to, what
        self.loaded: list[Source] = []

    def run(self) -> Body:
        if any(kind != "ptr" for kind in self.loop.kinds):
            raise Unfit("integers are carried")
        for i in self.loop.body:
            if isinstance(i, INTEGERS):
                self.integer(i)
            elif isinstance(i, p.Launch):
                self.launch(i)
            elif isinstance(i, p.Copy):
                self.copy(i)
            elif isinstance(i, p.StoreScalar) and i.dtype == "int64":
                self.write(i.ptr, (INTEGER, i.value), ("int64", False))
            elif isinstance(i, p.LoadScalar) and i.dtype != "bool":
                source = self.source(i.ptr, (i.dtype, False))
                self.loaded.append(source)
                self.body.steps.append((i.dst, source, i.dtype))
            else:
                raise Unfit(f"{type(i).__name__} in a round")
        self.find_kinds_of_copies()
        self.find_needed()
        self.check_storages()
        return self.body

    # -- instructions
    def integer(self, i: p.Instr) -> None:
        if isinstance(i, p.Select) and i.kind != "i64":
            raise Unfit("a round chooses an address")
        if isinstance(i, p.Offset):
            self.offsets[i.dst] = self.offsets.get(i.base, i.base)
            if self.offsets[i.dst] in self.carried:
                raise Unfit("a part of what is carried")
        self.body.steps.append(i)

    @property
    def carried(self) -> dict[Name, tuple[Name, Name]]:
        return {name: (first, following) for name, first, following in self.loop.carried}

    def launch(self, i: p.Launch) -> None:
        plan = self.plans[i.plan]
        group: Group = plan.group
        scalars = group.scalars
        if group.scatters or any(v.op in ("reduce", "index") or (v.op == "load" and v.args) for v in scalars):
            raise Unfit("a round does more than elementwise work")
        if any("float16" in (v.type, *(a.type for a in v.args)) for v in scalars):
            raise Unfit("float16 is computed by its bits")
        if len(plan.axes) > 1:
            raise Unfit("more than one axis")
        if plan.axes:
            (length,) = i.extents
            known = self.body.length
            same = known is None or known == length or self.number(known) == self.number(length) is not None
            if not same:
                raise Unfit("axes of several lengths")
            self.body.length = known or length
        made = Launched(group, {}, {}, i.writes)
        for entry, name in zip(plan.ints, i.ints, strict=True):
            if entry[0] != "extent":
                raise Unfit("strides as numbers")
            made.ints[entry[1]] = name
        places = _operands(group)
        outs = range(plan.n_inputs, len(plan.operands))
        for (key, k), dtype in zip(places.items(), (b.type for b in plan.operands[: plan.n_inputs]), strict=True):
            kind = dtype, self.has_lanes(i.strides[k], dtype)
            made.inputs[key] = self.source(i.operands[k], kind)
        number = len(self.body.launches)
        self.body.launches.append(made)
        self.body.steps.append(number)
        for j, k in enumerate(outs):
            out = group.outs[j]
            is_lane = self.has_lanes(i.strides[k], out.buffer.type)
            if is_lane != bool(plan.axes):
                raise Unfit("an output that is written by every lane")
            self.write(i.operands[k], (LAUNCH, (number, j)), (out.buffer.type, is_lane))

    def copy(self, i: p.Copy) -> None:
        source = self.content.get(i.src, (MEMORY, i.src))
        if source[0] == MEMORY:
            self.read_before.add(i.src)
        self.content[i.dst] = source
        self.copies.append((i.bytes, i.dst, source))
        if i.dst in self.offsets:
            self.body.rows.append((i.dst, source))

    def source(self, address: Name, kind: Kind) -> Source:
        found = self.content.get(address, (MEMORY, address))
        if found[0] == MEMORY:
            self.read_before.add(address)
            self.settle(str(found[1]), kind)
        elif found[0] == LAUNCH and self.body.kind(found)[0] != kind[0]:
            raise Unfit("bits read as another type")
        elif found[0] == INTEGER and kind[0] != "int64":
            raise Unfit("bits read as another type")
        return found

    def write(self, address: Name, source: Source, kind: Kind) -> None:
        self.content[address] = source
        self.settle(address, kind)
        if address in self.offsets:
            self.body.rows.append((address, source))

    def settle(self, address: Name, kind: Kind) -> None:
        """Note what stands at an address."""
        if self.body.kinds.setdefault(address, kind) != kind:
            raise Unfit("one storage for values of several kinds")

    def has_lanes(self, strides: Sequence[Name | None], dtype: str) -> bool:
        if not strides or strides[0] is None:
            return False
        number = self.number(strides[0])
        if number is None:
            if self.body.steps_of_lanes.setdefault(strides[0], ITEMSIZE[dtype]) != ITEMSIZE[dtype]:
                raise Unfit("one stride for elements of several sizes")
        elif number != ITEMSIZE[dtype]:
            raise Unfit("elements that are not adjacent")
        return True

    def number(self, name: Name) -> int | None:
        return self.storages.numbers.get(name)

    # -- what is known at the end
    def find_kinds_of_copies(self) -> None:
        """A copy's ends, and a carried value and what follows it, are of one kind."""
        pairs = [(dst, source) for _, dst, source in self.copies]
        for name, _, following in self.loop.carried:
            pairs.append((name, self.content.get(following, (MEMORY, following))))
        changed = True
        while changed:
            changed = False
            for address, source in pairs:
                where = str(source[1])
                known = self.body.kinds.get(where) if source[0] == MEMORY else self.body.kind(source)
                mine = self.body.kinds.get(address)
                if known is not None and mine is None:
                    self.body.kinds[address], changed = known, True
                elif known is None and mine is not None:
                    self.body.kinds[where], changed = mine, True
                elif known != mine:
                    raise Unfit("one storage for values of several kinds")
        for size, address, _ in self.copies:
            kind = self.body.kinds.get(address)
            if kind is None:
                raise Unfit("a copy of unknown kind")
            if not self.is_size(size, kind):
                raise Unfit("a copy of a part, or of more")

    def is_size(self, size: Name, kind: Kind) -> bool:
        dtype, has_lanes = kind
        if not has_lanes:
            return self.number(size) == ITEMSIZE[dtype]
        return self.body.length is not None and self.storages.is_times(size, self.body.length, ITEMSIZE[dtype])

    def find_needed(self) -> None:
        body, inside = self.body, _uses_inside(self.loop)
        carried, used = self.carried, self.storages.uses
        todo: list[Source] = [*self.loaded, *(source for _, source in body.rows)]
        for address, source in self.content.items():
            if address in self.offsets:
                continue
            if address in carried or any(address == b for _, b in carried.values()) or used[address] > inside[address]:
                body.finals[address] = source
                todo.append(source)
        done: set[Source] = set()
        while todo:
            source = todo.pop()
            if source in done:
                continue
            done.add(source)
            what, where = source
            if what == LAUNCH:
                assert isinstance(where, tuple)
                made = body.launches[where[0]]
                made.needed.add(where[1])
                loads = (v for v in walk([made.group.outs[where[1]].value]) if v.op == "load")
                todo += [made.inputs[_key(v)] for v in loads]
            elif what == MEMORY and where in carried:
                following = carried[str(where)][1]
                if following not in self.content:
                    raise Unfit("carried values that change places")
                body.states[str(where)] = self.content[following]
                todo.append(self.content[following])
        for address in body.finals:
            if address not in body.kinds:
                raise Unfit("a value of unknown kind")
        self.live = {str(where) for what, where in done if what == MEMORY}
        if any(address not in body.kinds for address in self.live):
            raise Unfit("a value of unknown kind")

    def check_storages(self) -> None:
        """No address that is read is in a storage that is written by another name, in whatever positions carried
        addresses stand."""
        written = {*self.body.finals, *(address for address, _ in self.body.rows)}
        if any(a not in self.carried and a in written for a in self.live):
            raise Unfit("it reads what the round before has written")
        at = {name: self.storages.roots(first) for name, (first, _) in self.carried.items()}
        seen: list[dict[Name, Roots]] = []
        while at not in seen:
            if len(seen) == MAX_POSITIONS:
                raise Unfit("carried addresses go around")
            seen.append(at)
            self.check_position(at, written)
            at = {name: at[b] if b in at else self.storages.roots(b) for name, (_, b) in self.carried.items()}

    def check_position(self, at: dict[Name, Roots], written: Iterable[Name]) -> None:
        def roots(address: Name) -> Roots:
            base = self.offsets.get(address, address)
            found = at.get(base) or self.storages.roots(base)
            if not found:
                raise Unfit("an address of unknown storage")
            return found

        for a in written:
            if any(kind == "shared" for kind, *_ in (r for r in roots(a) if isinstance(r, tuple))):
                raise Unfit("it writes to what the call was given")
            for b in {*written, *self.live} - {a}:
                if not roots(a).isdisjoint(roots(b)):
                    raise Unfit("addresses of one storage")


def _operands(group: Group) -> dict[tuple[int, object], int]:
    """The numbers of its loads, as `cpu.operand_tables` counts them."""
    numbers: dict[tuple[int, object], int] = {}
    for v in group.scalars:
        if v.op == "load":
            numbers.setdefault(_key(v), len(numbers))
    return numbers


def _key(load: Val) -> tuple[int, object]:
    buffer, entries = load.attr
    return id(buffer), entries


def _uses_inside(loop: p.For) -> dict[Name, int]:
    """How often the loop and its body use each name."""
    inside = Storages([loop]).uses
    inside[loop.count] += 0
    return inside
