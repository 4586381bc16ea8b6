"""Fusion partition: which values of a region get buffers, and which groups compute them.

Contract  `Fusion`: a graph, a region's values and roots -> `Fused` groups in order, and the rule of each cut.
When      of every region of the tensor IR.
Why       groups are formed from the roots down, each as large as the rules of `fusion.inline` let it; those that read
          the same operands over the same space are merged, so that memory is read once.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Sequence
from functools import partial
from typing import Any

from tensordsl.codegen.fusion.group import Buffer
from tensordsl.codegen.fusion.incremental_toposort import StepOrder
from tensordsl.codegen.fusion.inline import Cut, Fused, ValueBuffer, attempt, levels, strip
from tensordsl.codegen.fusion.split_large import Piece, pieces
from tensordsl.codegen.scalar_ir.builder import Val, walk
from tensordsl.codegen.target.tuning import FusionTuning
from tensordsl.codegen.tensor_ir.extents import named
from tensordsl.codegen.tensor_ir.graph import Graph, Value, dependencies, lengths_of

Needs = tuple[frozenset[int], frozenset[int]]  # the values reduced and loaded


class Fusion:
    """Groups for the region of values that vary with exactly `scope` (the loop numbers of its region); everything
    else is a leaf.  `cuts`: value number -> the rule that gave it a buffer, for `explain`."""

    def __init__(
        self, graph: Graph, roots: Sequence[Value], inside: Iterable[Value], results: Collection[int] = ()
    ) -> None:
        self.graph, self.tuning = graph, graph.tuning.fusion
        self.roots = list(roots)
        self.inside = list(inside)
        self.members = {v.number for v in self.inside}
        # see `passes.unroll_pooling`
        self.pools = {v.number for v in self.inside if v.op == "map" and "pool" in v.attrs}
        self.results = self.members & set(results)  # what the function itself returns
        self.cuts: dict[int, str] = {}
        self.leaves: set[int] = set()  # values with a buffer that other groups load
        self.buffers: dict[int, ValueBuffer] = {}
        self.integers: dict[int, list[Value]] = {}
        self.group_needs: dict[int, tuple[Fused, list[Value]]] = {}
        self.pieces: dict[int, Piece] = {}  # by their members
        self.formed: dict[int, Fused] = {}  # by the first of its values
        self.moves: Counter[int] = Counter()  # tensor that is expensive -> the formed groups that compute it
        self.joined: dict[tuple[int, int], tuple[Fused, Fused, Fused | None]] = {}  # by the ids of the two groups

    def buffer(self, v: Value) -> ValueBuffer:
        if v.number not in self.buffers:
            shape = tuple(map(self.graph.extents.find, v.shape))
            self.buffers[v.number] = ValueBuffer(f"v{v.number}", v.dtype, shape, v)
        return self.buffers[v.number]

    def buffer_of(self, v: Value) -> Buffer | None:
        if v.traits.is_fusible and v.number not in self.leaves and v.number in self.members:
            return None
        if v.op == "extent":
            return None
        return self.buffer(v)

    def attempt(self, values: Sequence[Value], first: Fused | None = None) -> Fused:
        return attempt(values, self.buffer_of, self.buffer, self.graph.extents.find, self.tuning, first)

    def plan(self) -> list[Fused]:
        """The groups, in an order in which each follows what it loads."""
        needed = self._needed()
        requested = set(needed)
        self._part(needed)
        self._cut_early(needed)
        self._form(needed)
        self._free(needed, requested)
        for _ in range(8):
            groups = self._merge(self._form(needed))
            moves = Counter(n for g in groups for n in g.expensive)
            again = _outermost(self.graph, groups, {n for n, count in moves.items() if count > 1})
            if not again:
                break
            self._cut_twice(again, needed)
        groups = self._without_unread(groups, requested)
        for known in (self.formed, self.joined, self.group_needs):
            known.clear()  # of groups whose walks use this object: what is in no circle needs no collector
        for g in groups:
            g.inliner = None
        return groups

    def _free(self, needed: dict[int, Value], requested: Collection[int]) -> None:
        """Takes the buffer of what was cut for something in it that has got one since, and is light now."""
        viewed, users = Counter(strip(self.graph.values[n]).number for n in self.leaves), defaultdict(list)
        for g in self.formed.values():
            for w in g.loads:
                users[w.number].append(g.values[0].number)
        for f in [*self.formed.values()]:
            v = f.values[0]
            is_cut = self.cuts.get(v.number) in ("R1", "R2", "R3", "R8") and v.number not in requested
            is_alone = len(f.values) == 1 == viewed[v.number] and v.number not in self.pieces
            around = [v.number, *users[v.number]]
            if (
                not (is_cut and is_alone and len(around) == 2 and self.formed.keys() >= {*around})
                or v.number in f.expensive
            ):
                continue
            del self.cuts[v.number], needed[v.number]
            self.leaves.discard(v.number)
            for number in around:
                self.moves.subtract(self.formed.pop(number).expensive)

    def _without_unread(self, groups: list[Fused], requested: set[int]) -> list[Fused]:
        """The groups without outputs that R6 wanted, so that several groups load them, if these have been joined."""
        read = requested.union(*({n.number, strip(n).number} for g in groups for n in self._group_needs(g)))
        for k, g in enumerate(groups):
            unread = {v.number for v in g.values if self.cuts.get(v.number) == "R6" and v.number not in read}
            rest = [v for v in g.values if v.number not in unread]
            if not unread or not rest:
                continue
            self.leaves -= unread
            try:
                groups[k] = self.attempt(rest)
            except Cut:
                self.leaves |= unread
                continue
            for number in unread:
                del self.cuts[number]
        return groups

    def _cut_twice(self, values: Iterable[Value], needed: dict[int, Value]) -> list[Value]:
        """R6 for all of them; what gets groups of its own."""
        for v in values:
            self.cuts[v.number] = "R6"
            self.leaves.add(v.number)
            needed.setdefault(strip(v).number, strip(v))
        return [strip(v) for v in values]

    def _needed(self) -> dict[int, Value]:
        """What must be in memory: the region's results, and operands of constructs."""
        needed: dict[int, Value] = {}
        need = partial(self._need, needed=needed)
        for v in self.inside:
            if not v.traits.is_fusible and not v.traits.is_source:
                for o in v.operands:
                    need(o)
            elif v.op == "take":
                need(v.operands[0])
                if v.operands[0].traits.is_fusible and v.operands[0].number in self.members:
                    self.cuts[v.operands[0].number] = "R4"
        for v in self._read_elsewhere():
            self.cuts[v.number] = "R11"
            need(v)
        viewed = {o.number for v in self.inside if not v.traits.is_fusible for o in v.operands}
        for v in self.roots:
            if v.op == "move" and v.number in self.results - viewed:
                needed.setdefault(v.number, v)  # computed in its own layout, not copied
            else:
                need(v)
        for v in self.inside if not self.graph.tuning.allows("fusion") else ():
            if v.op in ("map", "reduce") and v.number not in needed:
                self.cuts[v.number] = "off"
                need(v)
        return needed

    def _read_elsewhere(self) -> list[Value]:
        """R11: the pools that something with other axes is computed from, and what is computed of them and of
        reductions where it is repeated."""
        found: dict[Value, None] = {}
        below = {number: frozenset([self.graph.values[number]]) for number in self.pools}
        reduced: set[int] = set()  # what is computed from reductions
        for v in self.inside if below else ():
            pools = frozenset[Value]().union(*(below.get(o.number, ()) for o in v.operands))
            if v.op == "map":
                below.setdefault(v.number, pools)
            elif v.op in ("move", "reduce"):
                found.update(dict.fromkeys(pools))
            if v.op == "move" and pools and not reduced.isdisjoint(o.number for o in v.operands):
                found.update(dict.fromkeys(v.operands))
            if v.op == "reduce" or (v.traits.is_fusible and not reduced.isdisjoint(o.number for o in v.operands)):
                reduced.add(v.number)
        return list(found)

    def _part(self, needed: dict[int, Value]) -> None:
        """R7 for large computations."""
        made = pieces(self.inside, needed.keys() | self.leaves, self._needs, self.graph.extents.find, self.tuning)
        self.pieces = {v.number: piece for piece in made for v in piece.members}
        for piece in made:
            for v in piece.roots:
                if v.number not in needed:
                    self.cuts[v.number] = "R7"
                self.leaves.add(v.number)
                needed.setdefault(v.number, v)
            for v in piece.members:  # a piece loads what is no map of its space
                for o in v.operands:
                    if o.traits.is_fusible and o.operands and o.number in self.members and o.number not in self.pieces:
                        self.cuts.setdefault(o.number, "R7")
                        self._need(o, needed)

    def _cut_early(self, needed: dict[int, Value]) -> None:
        """Cuts what many reductions or operands are needed for, from below: so that no attempt walks a recurrence, or a
        sum of many terms, from its end, once for each cut."""
        fusible = [v for v in self.inside if v.traits.is_fusible]
        if sum(v.op == "reduce" for v in fusible) <= self.tuning.max_reductions_looked_at:
            return
        below: dict[int, Needs] = {}
        limits: dict[int, float] = {}  # of shares of what a group may have
        for v in fusible:
            limit = max([limits.get(o.number, 1.0) for o in v.operands], default=1.0)
            below[v.number] = self._below(v, below)
            is_inner = v.number not in self.pieces and v.number not in self.leaves
            while is_inner and self._share(below[v.number]) > limit:
                for w in self._group_of(v):
                    below[w.number] = self._below(w, below)
                share = self._share(below[v.number])
                if share > limit and not self._cut_below(v, needed):
                    limit = 2 * share
            limits[v.number] = limit

    def _below(self, v: Value, below: dict[int, Needs]) -> Needs:
        """The reductions in a group of v, and what it loads."""
        reductions, loads = [], []
        for o in v.operands:
            if o.number in self.leaves or o.number not in below:
                loads.append(frozenset([o.number]))
            else:
                reductions.append(below[o.number][0])
                loads.append(below[o.number][1])
        own = frozenset([v.number] if v.op == "reduce" else ())
        return own.union(*reductions), frozenset[int]().union(*loads)

    def _cut_below(self, v: Value, needed: dict[int, Value]) -> bool:
        """Whether something had to be cut for v to have a group."""
        before = len(self.leaves)
        try:
            self.attempt([v])
        except Cut as cut:
            for value in self._waist(v) if cut.rule == "R8" else cut.values:
                if value is not v and value.number not in self.leaves:
                    self._cut(value, cut.rule, [v], needed)
        return len(self.leaves) > before

    def _waist(self, v: Value) -> list[Value]:
        """R8: all that has `max_levels_below_cut` reductions below it and is read by what has more."""
        most, depths = self.tuning.max_levels_below_cut, dict[int, int]()
        found: dict[Value, None] = {}
        for w in self._group_of(v):
            depths[w.number] = (w.op == "reduce") + max([depths.get(o.number, 0) for o in w.operands], default=0)
            if depths[w.number] > most:
                found.update(dict.fromkeys(o for o in w.operands if depths.get(o.number) == most))
        return list(found)

    def _group_of(self, v: Value) -> list[Value]:
        """What a group of v computes, each value behind its operands."""
        found: dict[int, Value] = {}
        stack = [v]
        while stack:
            w = stack.pop()
            if w.number not in found and self.buffer_of(w) is None:
                found[w.number] = w
                stack += w.operands
        return [found[n] for n in sorted(found)]

    def _roots(self, v: Value) -> list[Value]:
        """The values of v's group: those of its piece, or itself."""
        piece = self.pieces.get(v.number)
        if piece is None:
            return [v]
        if v not in piece.roots:
            piece.roots.append(v)
        return piece.roots

    def _need(self, v: Value, needed: dict[int, Value]) -> None:
        base = strip(v)
        self.leaves.add(v.number)
        self.leaves.add(base.number)
        if base.traits.is_fusible and base.number in self.members:
            needed.setdefault(base.number, base)

    def _form(self, needed: dict[int, Value]) -> list[Fused]:
        """One group per needed value or piece; a cut gives one more, before it.

        In a large region R6 does not wait until all are formed: the groups of a recurrence would compute all its steps.
        """
        formed, moves = self.formed, self.moves
        self._drop_stale()
        computed = sum(len(f.tensors) for f in formed.values())
        starts = sorted(needed.values(), key=lambda v: v.number)
        while starts:
            stack = starts[::-1]
            while stack:
                v = stack[-1]
                roots = self._roots(v)
                first = roots[0].number
                if first in formed:
                    if len(formed[first].values) == len(roots):
                        stack.pop()
                        continue
                    moves.subtract(formed.pop(first).expensive)  # its piece has got another root since
                try:
                    fused = self.attempt(roots)
                except Cut as cut:
                    for value in cut.values:
                        stack += self._cut(value, cut.rule, roots, needed)
                    continue
                formed[first] = fused
                stack.pop()
                computed += len(fused.tensors)
                moves.update(fused.expensive)
                if computed > self.tuning.large_region_tensors:
                    twice = {n for n in fused.expensive if moves[n] > 1 and n not in self.leaves}
                    stack += self._cut_twice(_outermost(self.graph, [fused], twice), needed)
            starts = self._drop_stale()
        return list(formed.values())

    def _drop_stale(self) -> list[Value]:
        """The first values of groups that compute what has got a buffer since: they are formed anew, to load it."""
        starts = [f.values[0] for f in self.formed.values() if self._is_stale(f)]
        for v in starts:
            self.moves.subtract(self.formed.pop(v.number).expensive)
        return starts

    def _cut(self, value: Value, rule: str, roots: Sequence[Value], needed: dict[int, Value]) -> list[Value]:
        """Give it a buffer; what gets a group of its own for that."""
        assert value not in roots, f"{rule} cuts the group's own value {value}"
        assert value.number not in self.leaves, f"{rule} cuts {value}, which has a buffer, out of {roots[0]}"
        self.cuts[value.number] = rule
        base = strip(value)
        self.leaves.update((value.number, base.number))
        if not base.traits.is_fusible or base.number not in self.members:
            return []
        needed.setdefault(base.number, base)
        return [base]

    def _is_stale(self, f: Fused) -> bool:
        leaves = self.leaves.intersection(f.tensors).difference([v.number for v in f.values])
        return any([self.buffer_of(self.graph.values[n]) is not None for n in leaves])

    def _merge(self, groups: list[Fused]) -> list[Fused]:
        """Join groups that walk the same space, share what they load, and have nothing between them."""
        if len(groups) < 2 or not self.graph.tuning.allows("fusion"):
            return groups
        merged: list[Fused | None] = []
        home_of = {v.number: g.values[0].number for g in groups for v in g.values}  # value -> its group
        made = {g.values[0].number: g for g in groups}

        def needs(step: int) -> list[int]:
            found = self._group_needs(made[step]) if step in made else self._needs(self.graph.values[step])
            return [home_of.get(v.number, v.number) for v in found]

        order = StepOrder([*made, *(v.number for v in self.inside if not v.traits.is_fusible)], needs)
        touched = _Touched(self.tuning.merge_max_steps)
        for g in _ordered(groups, self.inside):
            home, own = -1, g.values[0].number  # where the group went that g has joined
            separated = order.separated_from(own)
            for k in touched.candidates(g):
                h = merged[k]
                if h is None or not _fit(h, g, self.tuning) or not _rows_meet(h, g) or self._pools_meet(h, g):
                    continue
                other = h.values[0].number
                if (
                    order.distance(other, own) > self.tuning.merge_max_steps
                    or order.follows(other, own)
                    or other in separated
                ):
                    continue
                joined = self._join(h, g)
                if joined is not None:
                    order.merge(other, own)
                    if home >= 0:
                        merged[home] = None
                    g, home, own = joined, k, other
                    separated = order.separated_from(own)
                    merged[k] = g
                    touched.add(k, g)
            if home < 0:
                touched.add(len(merged), g)
                merged.append(g)
        return [g for g in merged if g is not None]

    def _pools_meet(self, h: Fused, g: Fused) -> bool:
        """R11: would a pool, or what reads one along other axes, be part of a loop with reductions of others?"""
        if not self.pools or (h.rows is None) == (g.rows is None):
            return False
        return not self.pools.isdisjoint([*h.tensors, *g.tensors, *(v.number for v in (*h.loads, *g.loads))])

    def _join(self, h: Fused, g: Fused) -> Fused | None:
        """One group of the two, if that is legal and walks their points once.  Known until one of them changes."""
        key = id(h), id(g)
        if key not in self.joined:
            joined = None
            try:
                first = h if {v.number for v in g.values}.isdisjoint([v.number for v in h.loads]) else None
                joined = self.attempt([*h.values, *g.values], first)
            except Cut:
                pass
            if joined and (not _walks_once(joined) or _walks_again(joined, h, g) or self._needs_its_results(joined)):
                joined = None
            self.joined[key] = h, g, joined
        return self.joined[key][2]

    def _share(self, needs: Needs) -> float:
        """Of what a group should have, in which rules look for cuts."""
        reductions, loads = needs
        return max(len(reductions) / self.tuning.max_reductions_looked_at, len(loads) / self.tuning.max_operands)

    def _needs(self, v: Value) -> list[Value]:
        """What must run before v, which no group gives: what it reads, and the integers that its lengths are computed
        from."""
        return [*dependencies(v), *self._integers(v)]

    def _group_needs(self, f: Fused) -> list[Value]:
        known = self.group_needs.get(id(f))
        if known is None:
            lengths = [*f.group.extents.values(), *(s.attr for s in f.group.scalars if s.op == "extent")]
            needs = [*f.loads, *[self.graph.values[n] for n in sorted(named(lengths))]]
            for w in (*f.values, *f.loads):
                needs += self._integers(w)
            known = f, needs
            self.group_needs[id(f)] = known  # with the group, so that its id stays its own
        return known[1]

    def _needs_its_results(self, joined: Fused) -> bool:
        """Whether the joined group would load at other axes what it gives itself, or have a length from it."""
        given = {v.number for v in joined.values}
        return not given.isdisjoint([v.number for v in self._group_needs(joined)])

    def _integers(self, v: Value) -> list[Value]:
        known = self.integers.get(v.number)
        if known is None:
            known = self.integers[v.number] = [self.graph.values[n] for n in sorted(named(lengths_of(v)))]
        return known


class _Touched:
    """Which of the merged groups load or give a value."""

    def __init__(self, most: int) -> None:
        self.most = most  # candidates
        self.by_value: dict[int, set[int]] = {}
        self.scalars: list[int] = []  # groups without axes

    def add(self, k: int, group: Fused) -> None:
        if not group.group.extents and k not in self.scalars:
            self.scalars.append(k)
        for number in group.in_memory:
            self.by_value.setdefault(number, set()).add(k)

    def candidates(self, g: Fused) -> list[int]:
        """Groups that may be worth joining with g, the latest first."""
        sharing = (self.by_value.get(n, ()) for n in g.in_memory)
        found: set[int] = set().union(*sharing) if g.group.extents else {*self.scalars}
        return sorted(found, reverse=True)[: self.most]


def _fit(h: Fused, g: Fused, t: FusionTuning) -> bool:
    """Whether two groups together are not too large, and share a load, or one loads what the other gives."""
    size = len(h.tensors) + len(g.tensors)
    operands = len(h.loads) + len(h.values) + len(g.loads) + len(g.values)
    if size > t.merge_max_tensors or operands > t.merge_max_operands:
        return False
    if bool(h.group.extents) != bool(g.group.extents):
        return False
    return not g.group.extents or not g.in_memory.isdisjoint(h.in_memory)


def _rows_meet(h: Fused, g: Fused) -> bool:
    """Whether R3 can hold for the two together: reductions keep as many axes of the same lengths, whatever they are
    called, and each output has those of its group's rows."""
    if h.rows is not None and g.rows is not None:
        return h.rows == g.rows
    rows, others = (h.rows, g) if h.rows is not None else (g.rows, h)
    return rows is None or all([space.get(n, 0) >= k for space in others.spaces for n, k in rows.items()])


def _walks_once(joined: Fused) -> bool:
    """No output needs an axis of its own: the joined group's points are those of its parts.

    An output over a part of the axes would be stored once for each point along the others: in the storage of what it
    is computed from, that would compute it again and again.  What is stored along with sums of everything is so from
    short rows too, but with sums that walk less it would go row by row.
    """
    space, outs = set(joined.group.extents), joined.group.outs
    walks: list[Collection[str]] = [space, space & set(joined.group.parallel)]
    if not walks[1] and any(o.map for o in outs) and not all(_walks(v, space) for v in joined.group.scalars):
        return False
    return all(set(a for a in o.map if a) | o.value.axes in walks or _reduced(o, space) for o in outs)


def _walks_again(joined: Fused, *parts: Fused) -> bool:
    """Whether reductions of one part would wait for those of another: see R8."""
    return levels(joined) > max(joined.tuning.max_levels_below_cut, *map(levels, parts))


def _reduced(out: Any, space: set[str]) -> bool:
    """Whether the output's value comes from a reduction over all of the group's space."""
    return any(v.op == "reduce" and _walks(v, space) for v in walk([out.value]))


def _walks(v: Val, space: set[str]) -> bool:
    """Whether v is no reduction, or one over all of the space."""
    return v.op != "reduce" or v.axes | set(v.attr[1]) == space


def _ordered(groups: list[Fused], inside: Sequence[Value]) -> list[Fused]:
    """In the order of the values they give."""
    return sorted(groups, key=lambda g: max(v.number for v in g.values))


def _outermost(graph: Graph, groups: Iterable[Fused], twice: Collection[int]) -> list[Value]:
    """R6: of the tensors that are computed twice those that one of the groups needs for something that is not."""
    roots = {v.number for g in groups for v in g.values}
    tensors = {number for g in groups for number in g.tensors}
    picked: dict[int, Value] = {}
    for number in sorted(tensors.difference(twice)):
        for o in graph.values[number].operands:
            if o.number in twice:
                picked[o.number] = o
            elif strip(o).number in twice:
                picked[strip(o).number] = strip(o)
    return [v for n, v in picked.items() if n not in roots and v.traits.is_fusible and v.operands]
