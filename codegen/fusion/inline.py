"""Inlining: a fusion group from the outputs of tensor IR, each tensor substituted at the axes where it is needed.

Contract  `attempt`: values of a region -> a `Fused` group, or `Cut`, which names tensors that need a buffer and a rule.
When      `fusion.partition` forms a group, or joins two.
Why       fusion is substitution of axes: "may these join?" is a question about sets of axes (rules: `Cut`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import field
from typing import Any

from tensordsl.base.records import kept, record
from tensordsl.codegen.fusion.group import Buffer, Group, Out
from tensordsl.codegen.fusion.group import levels as count_levels
from tensordsl.codegen.scalar_ir.builder import LEAVES, Builder, Val, is_expensive_op, is_function, walk
from tensordsl.codegen.target.tuning import FusionTuning
from tensordsl.codegen.tensor_ir.construct import PART
from tensordsl.codegen.tensor_ir.graph import Value
from tensordsl.codegen.tensor_ir.indexing import place_taken

POSITIONS = frozenset(("index", "const", "extent"))
SLOW = frozenset(("div", "sqrt"))
Axes = tuple[Any, ...]


def strip(v: Value) -> Value:
    """The value whose buffer a view looks at."""
    while v.op == "move":
        v = v.operands[0]
    return v


class Cut(Exception):
    """`values` need buffers, because of `rule`.

    A tensor that needs a buffer, by the name of a rule:

        R1 one point     a tensor with a reduction or heavy mathematics in it, inlined at two axis tuples
        R2 no re-doing   a value with heavy mathematics in it and fewer axes than its user or output that is no row
                         scalar; where nothing is reduced a large one, as rows may be short
        R3 one row       reductions of a group have equal axes, its parallel axes; of one that needs another's
                         result over other axes the argument is cut, or what of it has fewer; an independent one is
                         cut at its result
        R4 one place     the source of an indexed load is a buffer
        R5 no barrier    after a full reduction nothing over the elements may follow: its result is cut
        R6 once          what two groups would compute and is heavy or large is cut
        R7 in pieces     what leaves a piece of a large elementwise computation with several results
                         (`fusion.split_large`)
        R8 few levels    where more than `max_reduction_levels` reductions follow each other, an argument is cut:
                         each of them is a walk that computes all before it again
        R9 few spaces    reductions to scalars walk one space, those to rows at most `max_row_spaces`; others are
                         cut at their results: what walks different axes gains nothing in one group, whose tables
                         grow with axes
        R10 few operands a group loads at most `max_operands` tensors, so that a GPU's registers hold what it needs
                         of each
        R11 one length   a pool of slices that is reduced, or read along other axes: it is a part of what it is
                         computed from, stored it is one row, however short those of the slices are
        R12 one quotient a quotient or root of several axes, as of all pairs, that would be computed for each of
                         several rows (the coordinates of forces), along which it is the same
        R13 one mask     a truth value of positions along several axes (a triangle), which a stack repeats: without it
                         all matrices of the stack are one row, however short theirs are
    """

    def __init__(self, value: Value, rule: str, *others: Value) -> None:
        super().__init__(f"{value}: {rule}")
        self.values, self.rule = (value, *others), rule


class _Recording(Builder):
    """Remembers the tensor for which each scalar was made."""

    def __init__(self) -> None:
        super().__init__()
        self.made_for: dict[Val, Value] = {}

    def copied(self) -> _Recording:
        other = _Recording()
        other._memo, other.made, other.made_for = self._memo.copy(), self.made.copy(), self.made_for.copy()
        return other

    def operand(self, x: Val) -> Val:
        """x as a reduction takes it; a cast to float32 is still the operand's own scalar."""
        wide = self.wide(x)
        if wide is not x and x in self.made_for:
            self.made_for[wide] = self.made_for[x]
        return wide


class Inliner:
    """The scalars of one group.  `buffer_of(value)` is the buffer of a leaf, None for a value that may be fused.

    `at(t, axes)` is the scalar of tensor t at the named axes: elementwise rows inline their operands there, a move
    permutes or drops axes, a reduction adds its local axes, a leaf becomes a load.
    """

    def __init__(
        self, buffer_of: Callable[[Value], Buffer | None], find: Callable[[Any], Any], tuning: FusionTuning
    ) -> None:
        self.b = _Recording()
        self.buffer_of, self.find, self.tuning = buffer_of, find, tuning
        self.extents: dict[str, Any] = {}
        self.memo: dict[tuple[int, Axes], Val] = {}
        self.points: dict[int, dict[Axes, Val]] = {}  # value number -> where it was inlined
        self.values: dict[int, Value] = {}
        self.local: dict[tuple[int, Axes], tuple[Any, ...]] = {}
        self.roots: dict[int, Axes] = {}  # the group's own outputs may be used in registers at these axes

    def copied(self) -> Inliner:
        """Another one that goes on from here."""
        other = Inliner(self.buffer_of, self.find, self.tuning)
        other.b, other.extents, other.memo = self.b.copied(), self.extents.copy(), self.memo.copy()
        other.points, other.values = self.points.copy(), self.values.copy()
        other.local, other.roots = self.local.copy(), self.roots.copy()
        return other

    def axis(self, extent: Any, used: Iterable[Any]) -> str:
        """An axis of this extent that is not in use here; one extent shares one name wherever it can, so that a
        maximum, a sum and a store meet in one loop."""
        for name, known in self.extents.items():
            if (known is extent or known == extent) and name not in used:
                return name
        name = f"a{len(self.extents)}"
        self.extents[name] = extent
        return name

    def root_axes(self, value: Value) -> Axes:
        axes: list[Any] = []
        for n in value.shape:
            axes.append(0 if n == 1 else self.axis(self.find(n), axes))
        return tuple(axes)

    def root(self, value: Value) -> tuple[Axes, Val]:
        axes = self.roots[value.number]
        return axes, self.at(value, axes, root=True)

    def leaf(self, value: Value, axes: Axes, root: bool) -> Val | None:
        if value.op == "const" and value.rank == 0:
            return self.b.const(value.attrs["data"][()], value.dtype)
        if root or self.roots.get(value.number) == axes:
            return None
        if value.op == PART:  # of a number that is loaded whole
            return self.b.part(self.at(value.operands[0], axes), value.attrs["k"])
        buffer = self.buffer_of(value)
        if buffer is None:
            return None
        return self.b.load(buffer, *axes)  # 0 where the length is 1

    def at(self, value: Value, axes: Axes, root: bool = False) -> Val:
        """The scalar of `value` at `axes`, by an explicit stack."""
        memo, key = self.memo, (value.number, axes)
        if key in memo:
            return memo[key]
        scalar = self.leaf(value, axes, root)
        if scalar is not None:
            memo[key] = scalar
            return scalar
        stack: list[tuple[Value, Axes, Any]] = [(value, axes, None)]
        while stack:
            v, at, needs = stack.pop()
            if needs is None:
                if (v.number, at) in memo:
                    continue
                needs = v.construct.needs(self, v, at)
                missing = []
                for o, a in needs:
                    if (o.number, a) not in memo:
                        scalar = self.leaf(o, a, False)
                        if scalar is None:
                            missing.append((o, a, None))
                        else:
                            memo[o.number, a] = scalar
                if missing:
                    stack.append((v, at, needs))
                    stack += missing[::-1]
                    continue
            memo[v.number, at] = self.made(v, at, [memo[o.number, a] for o, a in needs])
        return memo[key]

    def made(self, v: Value, axes: Axes, args: list[Val]) -> Val:
        """The scalar of what is no leaf, from those that it needs."""
        before = len(self.b.made)
        scalar: Val = v.construct.scalar(self, v, axes, args)
        for s in self.b.made[before:]:
            self.b.made_for.setdefault(s, v)
        known = self.points.get(v.number)
        self.points[v.number] = {axes: scalar} if known is None else {**known, axes: scalar}  # copies share the old one
        self.values[v.number] = v
        return scalar

    def inner_axes(self, v: Value, axes: Axes) -> Axes:
        """The operand's axes: the result's, with local axes where it is reduced."""
        key = (v.number, axes)
        if key not in self.local:
            outer = iter(axes)
            inner: list[Any] = [None if d in v.attrs["axes"] else next(outer) for d in range(v.operands[0].rank)]
            for d, n in enumerate(v.operands[0].shape):
                if inner[d] is None:
                    inner[d] = 0 if n == 1 else self.axis(self.find(n), [*axes, *inner])
            self.local[key] = tuple(inner)
        return self.local[key]


def aligned(operand: Value, axes: Axes) -> Axes:
    """The axes of a broadcast operand: aligned from the right, 0 where it has length 1."""
    own = axes[len(axes) - len(operand.shape) :]
    # The class first: to compare a polynomial with 1 takes a call.
    return tuple([0 if n.__class__ is int and n == 1 else a for n, a in zip(operand.shape, own, strict=True)])


def take_axes(v: Value, axes: Axes) -> tuple[Axes, dict[int, Any]]:
    """(axes of the broadcast indices, axis of x -> axis) of an indexed load."""
    x, *indices = v.operands
    return place_taken(x.rank, v.attrs["axes"], max(i.rank for i in indices), axes)


def inline(b: Builder, part: tuple[Sequence[Val], Sequence[Val]], args: Sequence[Val]) -> list[Val]:
    """A region's results with its params replaced by `args`."""
    params, results = part
    env = dict(zip(params, args, strict=True))
    for v in walk(results):
        if v not in env:
            env[v] = b.make(v.op, v.type, [env[a] for a in v.args], v.attr)
    return [env[r] for r in results]


# -- one group -------------------------------------------------------------------------------------------------------
@record(eq=False, frozen=False, slots=False)
class Fused:
    """A group with the IR values it gives (in the order of its outs) and those it loads; `tensors`: what it
    computes; `inliner`: how it was found, while others may join it."""

    group: Group
    values: list[Value]
    loads: list[Value]
    tensors: dict[int, Val]
    tuning: FusionTuning
    inliner: Inliner | None = None

    @kept
    def in_memory(self) -> frozenset[int]:
        """What it loads and gives, but for scalars: to load one together saves nothing."""
        return frozenset([v.number for v in (*self.loads, *self.values) if v.shape])

    @kept
    def rows(self) -> dict[Any, int] | None:
        """The lengths of the axes that its reductions keep, and how many have each; None if it has none."""
        lengths = self.group.extents
        if "reduce" not in {s.op for s in self.group.scalars}:
            return None
        return dict(Counter([lengths[a] for a in self.group.parallel]))

    @kept
    def spaces(self) -> list[dict[Any, int]]:
        """The lengths of its outputs' axes, in the same form."""
        lengths = self.group.extents
        return [dict(Counter([lengths[a] for a in o.map if a])) for o in self.group.outs]

    @kept
    def expensive(self) -> list[int]:
        """The tensors that should not be computed twice: heavy, gathered or large ones."""
        least, weight = self.tuning.store_min_operations, dict[Val, int]()
        for s in self.group.scalars:
            gathers = s.op == "load" and s.args and any([a.axes for a in s.args])
            total = least if gathers or is_expensive_op(s) else int(s.op not in LEAVES)
            for a in s.args:
                total += weight[a]
            weight[s] = min(1000, total)
        return [number for number, s in self.tensors.items() if weight.get(s, 0) >= least]


def attempt(
    values: Sequence[Value], buffer_of: Callable[[Value], Buffer | None], out_buffer: Callable[[Value], Buffer],
    find: Callable[[Any], Any], tuning: FusionTuning, first: Fused | None = None,
) -> Fused:  # fmt: skip
    """One group for all of `values`, or Cut.  `first`: a group of the first of them, which loads none of the others:
    its walk is continued."""
    done: list[tuple[Axes, Val]] = []
    if first is None or first.inliner is None:
        inliner, known = Inliner(buffer_of, find, tuning), []
    else:
        inliner, known = first.inliner.copied(), first.group.scalars
        done = [(o.map, o.value) for o in first.group.outs]
    more = values[len(done) :]
    for v in more:
        inliner.roots[v.number] = inliner.root_axes(v)
    inlined = [*done, *map(inliner.root, more)]
    scalars = walk((s for _, s in inlined), first=known)
    parallel = _check(inliner, values, inlined, scalars)
    axes = dict.fromkeys((*(a for axes, _ in inlined for a in axes if a), *inliner.extents))
    order = [*(a for a in axes if a in parallel), *(a for a in axes if a not in parallel)]
    used = set().union(*[s.axes for s in scalars], *[a for a, _ in inlined])
    used.update(a for s in scalars if s.op == "reduce" for a in s.attr[1])  # its operand may vary along none of them
    outs = tuple(Out(out_buffer(v), axes, s) for v, (axes, s) in zip(values, inlined, strict=True))
    name = f"g{values[0].number}"
    group = Group(
        name, {a: inliner.extents[a] for a in order if a in used}, tuple(a for a in order if a in parallel), outs
    )
    loads = dict.fromkeys([s.attr[0] for s in scalars if s.op == "load"])
    for b in loads:
        if b.value in values:
            raise Cut(values[-1], "R1")  # it would read at one point what it writes at another
    if len(loads) > tuning.max_operands and len(values) == 1:
        _split_operands(inliner, values[0], scalars)
    vars(group)["scalars"] = scalars  # it need not walk again
    tensors = {number: next(iter(points.values())) for number, points in inliner.points.items()}
    return Fused(group, list(values), [b.value for b in loads], tensors, tuning, inliner)


def _split_operands(inliner: Inliner, root: Value, scalars: Sequence[Val]) -> None:
    """R10: cuts the map below the root that loads most, of those that load few enough; where it is worth a buffer."""
    loads: dict[Val, frozenset[int]] = {}  # scalar -> the buffers below it
    for s in scalars:
        own = frozenset([id(s.attr[0])] if s.op == "load" else ())
        loads[s] = own.union(*(loads[a] for a in s.args))
    limit = inliner.tuning.max_operands
    best, most = None, limit // 4
    for number, points in inliner.points.items():
        v = inliner.values[number]
        count = max(len(loads.get(s, ())) for s in points.values())
        if v.op == "map" and v is not root and most < count <= limit:
            best, most = v, count
    if best is not None:
        raise Cut(best, "R10")


def levels(f: Fused) -> int:
    """How many reductions follow each other."""
    return max(f.group.levels.values(), default=0) if f.rows is not None else 0


@record(eq=False)
class ValueBuffer(Buffer):
    """The buffer of an IR value."""

    value: Any = field(default=None)


def _check(
    inliner: Inliner, values: Sequence[Value], inlined: Sequence[tuple[Axes, Val]], scalars: Sequence[Val]
) -> frozenset[str]:
    """The rules; gives the group's parallel axes."""
    outputs = frozenset(a for axes, _ in inlined for a in axes if a)
    _check_rows(inliner, values, {s for _, s in inlined}, scalars)
    _check_masks(inliner, values, {s for _, s in inlined}, scalars)
    if not any([is_expensive_op(s) for s in scalars]):
        return outputs  # all other rules are about these
    t, reduces = inliner.tuning, [s for s in scalars if s.op == "reduce"]
    several = [(number, points) for number, points in inliner.points.items() if len(points) > 1]
    heavy = _heavy(scalars) if several else set()
    own = {s for _, s in inlined}
    own |= {s.args[0] for _, s in inlined if s.op == "cast" and s.args[0].op == "result"}  # narrowed to float16
    tensor = inliner.b.made_for
    for number, points in several:
        v, distinct = inliner.values[number], set(points.values())
        if len(distinct) > 1 and v not in values and heavy.issuperset(distinct):
            raise Cut(v, "R1")
    if len({s.axes for s in reduces}) > 1:
        _cut(_mixed(inliner, scalars), "R3")
    level = count_levels(scalars) if len(reduces) > t.max_reduction_levels else {}
    if max(level.values(), default=0) > t.max_reduction_levels:
        below = t.max_levels_below_cut
        late = next(s for s in reduces if level[id(s)] == below)
        raise Cut(_argument(inliner, [a for a in late.args if level[id(a)] == below]), "R8")
    parallel = max((s.axes for s in reduces), key=len, default=outputs)
    far = _beyond(reduces, t.max_row_spaces if parallel else 1)
    if far:
        cut = list(dict.fromkeys(tensor[s] for s in scalars if s.op == "result" and s.args[0] in far))
        raise Cut(values[-1], "R9") if any(v in values for v in cut) else Cut(cut[0], "R9", *cut[1:])
    row = parallel if reduces else frozenset()
    _check_uses(tensor, values, own, scalars, row)
    if not reduces:
        _check_repeated(tensor, values, inlined, scalars)
    over = set(walk(o for axes, o in inlined if any(axes))) if reduces and not parallel and outputs else ()
    results = [s for s in scalars if s.op == "result" and s in tensor]
    _cut([tensor[s] for s in results if s.args[0].axes != parallel and s not in own], "R3")
    _cut([tensor[s] for s in results if s in over], "R5")
    if reduces and (len({s.axes for s in reduces}) > 1 or any([not parallel <= {*axes} for axes, _ in inlined])):
        raise Cut(values[-1], "R3")  # several roots whose rows differ do not meet in one group
    return parallel


def _cut(tensors: Iterable[Value], rule: str) -> None:
    """All of them at once, if there are any: an attempt is expensive."""
    values = [*dict.fromkeys(tensors)]
    if values:
        raise Cut(values[0], rule, *values[1:])


def _check_rows(inliner: Inliner, values: Sequence[Value], roots: set[Val], scalars: Sequence[Val]) -> None:
    """R2 for large values: what has few axes is computed once for each row of its users, one by one."""
    if len({s.axes for s in scalars if s.axes}) < 2 or any([s.op == "reduce" for s in scalars]):
        return
    tensor, least = inliner.b.made_for, inliner.tuning.store_min_operations
    weight: dict[Val, int] = {}
    large: dict[Value, None] = {}
    for s in scalars:
        weight[s] = min(1000, int(s.op not in LEAVES) + sum([weight[a] for a in s.args]))
        for a in s.args:
            if a.axes and a.axes < s.axes and weight[a] >= least and a in tensor and a not in roots:
                large[tensor[a]] = None
    _cut([v for v in large if v not in values], "R2")


def _check_masks(inliner: Inliner, values: Sequence[Value], roots: set[Val], scalars: Sequence[Val]) -> None:
    """R13."""
    tensor = inliner.b.made_for
    of_positions: set[Val] = set()
    masks: dict[Value, None] = {}
    for s in scalars:
        if s.op in POSITIONS or (s.args and of_positions.issuperset(s.args) and s.op != "reduce"):
            of_positions.add(s)
            continue
        for a in s.args:
            if len(a.axes) > 1 and a.axes < s.axes and a in of_positions and a.type == "bool" and a not in roots:
                masks |= {tensor[a]: None} if a in tensor else {}
    _cut([v for v in masks if v not in values], "R13")


def _check_uses(
    tensor: Mapping[Val, Value], values: Sequence[Value], roots: set[Val], scalars: Sequence[Val], row: frozenset[str]
) -> None:
    """R2.  What a scalar is computed from is not computed again for axes that only its user has."""
    expensive: set[Val] = set()  # with heavy mathematics in them, that of the group's outputs excepted
    slow: set[Val] = set()  # with quotients or roots in them
    for s in scalars:
        if s.op in SLOW or not slow.isdisjoint(s.args):
            slow.add(s)
            for a in s.args:
                others = s.axes - a.axes
                if a in slow and len(a.axes) > 1 and others and others <= row:
                    narrow = _narrow(tensor, a, slow)
                    if narrow in tensor and tensor[narrow] not in values and narrow not in roots:
                        raise Cut(tensor[narrow], "R12")
        below = [a for a in s.args if a in expensive]
        if is_function(s) or s.op == "repeat" or (below and s.axes and any([a not in roots for a in below])):
            expensive.add(s)
        for a in below:
            if a.axes < s.axes and not (a.axes and a.axes <= row):
                if a in tensor and tensor[a] not in values and a not in roots:
                    raise Cut(tensor[a], "R2")


def _narrow(tensor: Mapping[Val, Value], s: Val, among: Collection[Val]) -> Val:
    """What s is computed from, itself first, whose tensor has no axes along which it is the same."""
    while s in tensor and len(tensor[s].shape) - tensor[s].shape.count(1) > len(s.axes):
        below = [a for a in s.args if a in among and a.axes == s.axes]
        if len(below) != 1:
            break
        (s,) = below
    return s


def _check_repeated(
    tensor: Mapping[Val, Value], values: Sequence[Value], inlined: Sequence[tuple[Axes, Val]], scalars: Sequence[Val]
) -> None:
    """R2 for outputs: what is repeated is computed once."""
    heavy = _heavy(scalars)
    repeated = [s for axes, s in inlined if s in heavy and s.axes < frozenset(a for a in axes if a)]
    _cut([tensor[s] for s in repeated if s.axes and s in tensor and tensor[s] not in values], "R2")


def _heavy(scalars: Sequence[Val]) -> set[Val]:
    """Which are heavy, or depend on heavy ones."""
    heavy: set[Val] = set()
    for s in scalars:
        if is_expensive_op(s) or not heavy.isdisjoint(s.args):
            heavy.add(s)
    return heavy


def _mixed(inliner: Inliner, scalars: Sequence[Val]) -> Iterable[Value]:
    """R3: in the arguments of reductions what depends on reductions over other axes, those before them being cut."""
    below: dict[Val, frozenset[frozenset[str]]] = {}  # the axes of those that a scalar depends on
    cut: dict[Value, None] = {}
    loaded: set[Val] = set()
    for s in scalars:
        reduced = [a for a in s.args if a in below]
        if s in loaded or not (reduced or s.op == "reduce"):
            continue
        axes = frozenset().union(*[below[a] for a in reduced])
        if s.op == "reduce":
            if axes - {s.axes}:
                for v in _dependent(inliner, s, reduced, below):
                    cut[v] = None
                    loaded.update(inliner.points[v.number].values())
            axes = frozenset([s.axes])
        below[s] = axes
    return cut


def _dependent(inliner: Inliner, s: Val, arguments: Sequence[Val], below: Mapping[Val, frozenset[Any]]) -> list[Value]:
    """R3: what of s's arguments depends on reductions over other axes, and has fewer than its user; or an argument."""
    found: list[Val] = []
    stack, seen, row = [*arguments], set(arguments), {s.axes}
    while stack:
        s = stack.pop()
        if s.op == "result":
            return [_argument(inliner, arguments)]
        more = [a for a in s.args if below.get(a, row) - row and a not in seen]
        seen.update(more)
        for a in more:
            (found if a.axes < s.axes and a in inliner.b.made_for else stack).append(a)
    return (
        [inliner.b.made_for[a] for a in found]
        if 0 < len(found) <= inliner.tuning.max_levels_below_cut
        else [_argument(inliner, arguments)]
    )


def _beyond(reduces: Sequence[Val], most: int) -> set[Val]:
    """The reductions, the first ones, that walk other axes than the last `most` spaces."""
    kept: list[frozenset[str]] = []
    far: set[Val] = set()
    for s in reversed(reduces):
        space = s.axes | frozenset(s.attr[1])
        if any(space <= k for k in kept):
            continue
        kept = [k for k in kept if not k < space]
        if len(kept) < most:
            kept.append(space)
        else:
            far.add(s)
    return far


def _argument(inliner: Inliner, arguments: Sequence[Val]) -> Value:
    """The tensor of one of a reduction's arguments, all of which depend on a reduction over other axes."""
    return next(inliner.b.made_for[a] for a in arguments if a in inliner.b.made_for)


def relies_on(fused: Fused, find: Callable[[Any], Any], assumed: Any) -> list[tuple[Any, Any]]:
    """The lengths that a group relies on without their being known to be equal: each axis has one length, whatever is
    loaded along it."""
    if not assumed:
        return []
    pairs: dict[tuple[Any, Any], None] = {}
    extents = fused.group.extents
    for v in fused.group.scalars:
        if v.op == "load":
            for n, a in zip(v.attr[0].shape, v.attr[1], strict=True):
                if isinstance(a, str) and find(n) != find(extents[a]):
                    pairs[extents[a], n] = None
    for o in fused.group.outs:
        for n, a in zip(o.buffer.shape, o.map, strict=True):
            if isinstance(a, str) and find(n) != find(extents[a]):
                pairs[extents[a], n] = None
    return list(pairs)
