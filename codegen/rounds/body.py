"""The body of a loop, read: where each value of a round comes from, and what the rounds leave in memory.

Contract  a `For`, the program's plans and `Storages` -> `Body`; raises `Unfit`, with the reason, for loops whose rounds
          cannot be one kernel: those with other instructions than integers, launches of groups over one common axis
          at most, and copies; and those that read what another round writes otherwise than by carrying it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import field

from tensordsl.base.records import record
from tensordsl.codegen.fusion.group import Group
from tensordsl.codegen.program_ir import instructions as p
from tensordsl.codegen.program_ir.instructions import LaunchPlan, Name
from tensordsl.codegen.rounds.storages import Roots, Storages
from tensordsl.codegen.scalar_ir.builder import ITEMSIZE, Val, walk

INTEGERS = (p.Arith, p.Mul, p.Compare, p.Check, p.Select, p.Offset)
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
    """What a kernel has to do in each round, and what it leaves behind them.

    steps            integers and launches in order; a loaded integer as (its name, where it comes from, dtype)
    parts            addresses at constant distances behind others, named so -> (the other, how many bytes behind it)
    offsets          addresses computed in the round -> where they are computed from
    rows, updated    what is written there; those that a round also reads -> how many bytes these are, 0: of all lanes
    written          all addresses that a round writes to
    finals           what is at fixed addresses behind the last round
    carried          address -> the address that it is in the next round
    states           addresses whose contents the next round reads -> what they are then
    live             addresses that a round reads as they were before it
    kept             carried addresses that rounds read, or that others read behind the loop
    kinds            of what stands at addresses
    length, reduces  the name of the lanes' number; None: there are none.  Does a round combine what they have?
    steps_of_lanes   strides that have to be the element's size
    """

    steps: list[object] = field(default_factory=list)
    launches: list[Launched] = field(default_factory=list)
    parts: dict[Name, tuple[Name, int]] = field(default_factory=dict)
    offsets: dict[Name, Name] = field(default_factory=dict)
    rows: list[tuple[Name, Source]] = field(default_factory=list)
    finals: dict[Name, Source] = field(default_factory=dict)
    carried: dict[Name, Name] = field(default_factory=dict)
    states: dict[Name, Source] = field(default_factory=dict)
    kept: set[Name] = field(default_factory=set)
    live: set[Name] = field(default_factory=set)
    written: set[Name] = field(default_factory=set)
    updated: dict[Name, int] = field(default_factory=dict)
    kinds: dict[Name, Kind] = field(default_factory=dict)
    length: Name | None = None
    reduces: bool = False
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

    def chain(self, address: Name) -> list[Name]:
        """The addresses that a carried one is in the rounds to come, up to one that is not carried itself, or that it
        has been."""
        found = [address]
        while (following := self.carried.get(found[-1])) is not None and following not in found:
            found.append(following)
        return found


def read(loop: p.For, plans: Sequence[LaunchPlan], storages: Storages, max_positions: int) -> Body:
    """max_positions: in which carried addresses may stand to each other."""
    return _Reader(loop, plans, storages, max_positions).run()


class _Reader:
    def __init__(self, loop: p.For, plans: Sequence[LaunchPlan], storages: Storages, max_positions: int) -> None:
        self.loop, self.plans, self.storages, self.max_positions = loop, plans, storages, max_positions
        self.body = Body(carried={name: following for name, _, following in loop.carried})
        self.rows = {following for _, _, following in loop.carried}
        self.named: dict[Name, tuple[Name, int]] = {}  # addresses at constant distances
        self.content: dict[Name, Source] = {}
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
                self.write(self.place(i.ptr), (INTEGER, i.value), ("int64", False))
            elif isinstance(i, p.LoadScalar):
                source = self.source(self.place(i.ptr), (i.dtype, False))
                self.loaded.append(source)
                self.body.steps.append((i.dst, source, i.dtype))
            else:
                raise Unfit(f"{type(i).__name__} in a round")
        self.body.written = {*self.content}
        self.find_kinds_of_copies()
        self.find_needed()
        self.check_storages()
        return self.body

    # -- instructions
    def integer(self, i: p.Instr) -> None:
        if isinstance(i, p.Select) and i.kind != "i64":
            raise Unfit("a round chooses an address")
        if isinstance(i, p.Offset):
            base, distance = self.named.get(i.base, (i.base, 0))
            own = self.number(i.bytes)
            if own is not None and i.dst not in self.rows:
                self.named[i.dst] = base, distance + own
                return
            if distance or (base in self.body.carried and self.body.carried[base] != i.dst):
                raise Unfit("a computed part of what is carried")
            self.body.offsets[i.dst] = self.body.offsets.get(base, base)
        self.body.steps.append(i)

    def place(self, address: Name) -> Name:
        """Its name: one for each part of a storage."""
        base, distance = self.named.get(address, (address, 0))
        if not distance:
            return base
        part = f"{base}+{distance}"
        body, following = self.body, self.body.carried.get(base)
        while part not in body.parts:
            body.parts[part] = base, distance
            if base in body.offsets:
                body.offsets[part] = body.offsets[base]
            if following is not None:
                body.carried[part] = f"{following}+{distance}"
                base, following, part = following, body.carried.get(following), f"{following}+{distance}"
        return f"{self.named[address][0]}+{distance}"

    def launch(self, i: p.Launch) -> None:
        plan = self.plans[i.plan]
        group: Group = plan.group
        scalars = group.scalars
        if group.scatters or any(v.op == "load" and v.args for v in scalars):
            raise Unfit("a round reads or adds at computed places")
        self.body.reduces |= any(v.op == "reduce" for v in scalars)
        if any("float16" in (v.type, *(a.type for a in v.args)) for v in scalars):
            raise Unfit("float16 is computed by its bits")
        if len(plan.axes) > 1:
            raise Unfit("more than one axis")
        if plan.axes:
            (length,) = i.extents
            known = self.body.length
            if known is not None and not self.are_equal(known, length):
                raise Unfit("axes of several lengths")
            self.body.length = known or length
        made = Launched(group, {}, {}, i.writes)
        for entry, name in zip(plan.ints, i.ints, strict=True):
            if entry[0] != "extent":
                raise Unfit("strides as numbers")
            made.ints[entry[1]] = name
        for key, k in load_numbers(group).items():
            dtype = plan.operands[k].type
            made.inputs[key] = self.source(self.place(i.operands[k]), (dtype, self.has_lanes(i.strides[k], dtype)))
        number = len(self.body.launches)
        self.body.launches.append(made)
        self.body.steps.append(number)
        for j, k in enumerate(range(plan.n_inputs, len(plan.operands))):
            out = group.outs[j]
            is_lane = self.has_lanes(i.strides[k], out.buffer.type)
            if is_lane != any(isinstance(a, str) for a in out.map):
                raise Unfit("an output that is written by every lane")
            self.write(self.place(i.operands[k]), (LAUNCH, (number, j)), (out.buffer.type, is_lane))

    def copy(self, i: p.Copy) -> None:
        target, origin = self.place(i.dst), self.place(i.src)
        if target == origin:
            return
        source = self.content.get(origin, (MEMORY, origin))
        self.content[target] = source
        self.copies.append((i.bytes, target, source))
        if target in self.body.offsets:
            self.body.rows.append((target, source))

    def source(self, address: Name, kind: Kind) -> Source:
        found = self.content.get(address, (MEMORY, address))
        if found[0] == MEMORY:
            self.settle(str(found[1]), kind)
        elif self.body.kind(found) != kind:
            raise Unfit("read as another type, or a number as the first of many")
        return found

    def write(self, address: Name, source: Source, kind: Kind) -> None:
        self.content[address] = source
        self.settle(address, kind)
        if address in self.body.offsets:
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

    def are_equal(self, x: Name, y: Name) -> bool:
        """Whether both are the same length: by name, as constants, or by a check in the round."""
        checked = ((i.a, i.b) for i in self.loop.body if isinstance(i, p.Check) and i.op == "eq")
        return x == y or self.number(x) == self.number(y) is not None or any({x, y} == {*pair} for pair in checked)

    # -- what is known at the end
    def find_kinds_of_copies(self) -> None:
        """A copy's ends, and a carried value and what follows it, are of one kind."""
        kinds = self.body.kinds
        self.spread_kinds()
        for size, address, _ in self.copies:  # of what is copied alone its bits are enough
            if address not in kinds and (kind := self.bits(size)) is not None:
                kinds[address] = kind
                self.spread_kinds()
        for size, address, _ in self.copies:
            found = kinds.get(address)
            if found is None:
                raise Unfit("a copy of unknown kind")
            if not self.is_size(size, found):
                raise Unfit("a copy of a part, or of more")

    def bits(self, size: Name) -> Kind | None:
        """A kind for so many bytes."""
        for dtype in ("int64", "int32", "int16", "int8", "complex128"):
            for has_lanes in (False, True):
                if self.is_size(size, (dtype, has_lanes)):
                    return dtype, has_lanes
        return None

    def spread_kinds(self) -> None:
        """Of an end of a copy, or of what follows a carried value, that of the other."""
        kinds = self.body.kinds
        pairs = [(dst, source) for _, dst, source in self.copies]
        for name, following in self.body.carried.items():
            pairs.append((name, self.content.get(following, (MEMORY, following))))
        changed = True
        while changed:
            changed = False
            for address, source in pairs:
                where = str(source[1])
                known = kinds.get(where) if source[0] == MEMORY else self.body.kind(source)
                mine = kinds.get(address)
                if known is not None and mine is None:
                    kinds[address], changed = known, True
                elif known is None and mine is not None:
                    kinds[where], changed = mine, True
                elif known != mine:
                    raise Unfit("one storage for values of several kinds")

    def is_size(self, size: Name, kind: Kind) -> bool:
        dtype, has_lanes = kind
        if not has_lanes:
            return self.number(size) == ITEMSIZE[dtype]
        return self.body.length is not None and self.storages.is_times(size, self.body.length, ITEMSIZE[dtype])

    def find_needed(self) -> None:
        body, inside = self.body, Storages([self.loop]).uses
        todo: list[Source] = [*self.loaded, *(source for _, source in body.rows)]

        def is_used_outside(address: Name) -> bool:
            base, _ = body.parts.get(address, (address, 0))
            return self.storages.uses[base] > inside[base]

        followers = {*body.carried.values()}
        for address, source in self.content.items():
            is_fixed = address not in body.carried and address not in body.offsets
            if is_fixed and (address in followers or is_used_outside(address)):
                body.finals[address] = source
                todo.append(source)
        for address in body.carried:
            if is_used_outside(address):
                body.kept.add(address)
                todo.append((MEMORY, address))
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
                todo += [made.inputs[load_key(v)] for v in loads]
            elif what == MEMORY:
                address = str(where)
                self.body.live.add(address)
                following = body.carried.get(address, address)
                if address not in body.offsets and (address in body.carried or following in self.content):
                    state = self.content.get(following, (MEMORY, following))
                    if state == source and following in self.content:
                        continue  # written as it was
                    body.states[address] = state
                    todo.append(state)
                    if following in self.content and following not in body.offsets and following not in body.carried:
                        body.finals[following] = self.content[following]
                    if address in body.carried:
                        body.kept.add(address)
        if any(address not in body.kinds for address in (*body.finals, *self.body.live)):
            raise Unfit("a value of unknown kind")
        self.find_updated()

    def find_updated(self) -> None:
        """Rows that a round writes and reads must be disjoint from those of other rounds."""
        parts, kinds = self.body.parts, self.body.kinds
        spans: dict[Name, list[tuple[int, int]]] = {}
        read = {parts.get(address, (address, 0))[0] for address in self.body.live}
        for address in {*self.content, *self.body.live}:
            base, distance = parts.get(address, (address, 0))
            if base in self.body.offsets and base in read:
                dtype, has_lanes = kinds[address]
                spans.setdefault(base, []).append((distance, 0 if has_lanes else distance + ITEMSIZE[dtype]))
        written = {parts.get(address, (address, 0))[0] for address in self.content}
        for base in spans.keys() & written:
            ends = [end for _, end in spans[base]]
            self.body.updated[base] = max(ends) - min(first for first, _ in spans[base]) if all(ends) else 0

    def check_storages(self) -> None:
        """No address that is read is in a storage that is written by another name, in whatever positions carried
        addresses stand, but in the storage that hands a value from round to round."""
        at = {name: self.storages.roots(first) for name, first, _ in self.loop.carried}
        seen: list[dict[Name, Roots]] = []
        while at not in seen:
            if len(seen) == self.max_positions:
                raise Unfit("carried addresses go around")
            seen.append(at)
            self.check_position(at)
            at = {name: self.roots(b, at) for name, _, b in self.loop.carried}

    def roots(self, address: Name, at: dict[Name, Roots]) -> Roots:
        base, _ = self.body.parts.get(address, (address, 0))
        base = self.body.offsets.get(base, base)
        found = at.get(base) or self.storages.roots(base)
        if not found:
            raise Unfit("an address of unknown storage")
        return found

    def check_position(self, at: dict[Name, Roots]) -> None:
        for a in self.content:
            if any(isinstance(r, tuple) for r in self.roots(a, at)):
                raise Unfit("it writes to what the call was given")
            for b in {*self.content, *self.body.live} - {a}:
                if not (self.are_disjoint(a, b) or self.roots(a, at).isdisjoint(self.roots(b, at))):
                    raise Unfit("addresses of one storage")

    def are_disjoint(self, a: Name, b: Name) -> bool:
        """Whether two addresses of one storage cannot meet: they are numbers at constant distances, or rows that follow
        each other."""
        (base, distance), (other, behind) = (self.body.parts.get(x, (x, 0)) for x in (a, b))
        if base != other:
            return base in self.body.offsets and base in self.body.chain(other)
        kinds = [self.body.kinds.get(x) for x in (a, b)]
        sizes = [ITEMSIZE[kind[0]] for kind in kinds if kind is not None and not kind[1]]
        if len(sizes) < 2:
            return False
        return distance + sizes[0] <= behind or behind + sizes[1] <= distance


def load_numbers(group: Group) -> dict[tuple[int, object], int]:
    """The operand numbers of a group's loads by `load_key`, as `cpu.operand_tables` counts them."""
    numbers: dict[tuple[int, object], int] = {}
    for v in group.scalars:
        if v.op == "load":
            numbers.setdefault(load_key(v), len(numbers))
    return numbers


def load_key(load: Val) -> tuple[int, object]:
    """What loads of one operand have in common: its buffer and the places in it."""
    buffer, entries = load.attr
    return id(buffer), entries
