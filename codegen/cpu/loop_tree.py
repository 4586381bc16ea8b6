"""The loop nest around a group's kernels as a tree, and its encoding as a descriptor.

Contract  nodes (`Loop`, `Blocks`, `Fill`, `Call`) and areas of scratch -> words: header, operands, instructions.
When      of every group with axes; `library.loops` interprets the words.
Why       one interpreter serves all loop nests, so a group compiles its kernels alone.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import field
from itertools import combinations
from typing import Any

from tensordsl.base.records import record
from tensordsl.codegen.abi import descriptor as nest
from tensordsl.codegen.abi.layouts import NEST_PARTS
from tensordsl.codegen.cpu.kernel import COLUMNS, LANES, NO_AREA, Entry, Kernel
from tensordsl.codegen.cpu.prefetch import l1_elements, prefetches_memory
from tensordsl.codegen.cpu.schedule import MAX_LANES
from tensordsl.codegen.fusion.group import Group
from tensordsl.codegen.scalar_ir.builder import ITEMSIZE
from tensordsl.codegen.target.tuning import Tuning


@record
class Area:
    """A place in scratch: bytes for each row, or for each element of a block.  `every`: for each row of whichever loop
    is innermost, not only of a parallel one; `identity`: of a state, the pattern that it starts from; `numbers`: of
    wide rows, how many rows each has, and behind `NUMBERS_BEGIN` which of them an element is in."""

    size: int
    per_element: int = 0
    every: bool = False
    identity: int | None = None
    numbers: bool = False


@record
class Fill:
    """Area of scratch := a constant in every element."""

    area: int
    dtype: str
    value: Any


@record
class Call:
    """`wide`: the kernel for several short rows as one, if it is another."""

    kernel: Kernel
    wide: Kernel | None = None

    @property
    def kernels(self) -> tuple[Kernel, ...]:
        return (self.kernel, self.wide) if self.wide else (self.kernel,)


@record
class Loop:
    """`price`: ns of 1,000 points, of a loop along rows that may be done in parts."""

    axis: int
    body: Sequence[Node]
    price: int = 0


@record
class Blocks:
    axis: int
    width: int
    body: Sequence[Node]


Node = Fill | Call | Loop | Blocks
Pair = tuple[int, int]


@record
class Level:
    """Of a group that reduces all its axes: a pass over the elements, what follows from its results, and what combines
    the states of two parts of it."""

    points: Sequence[Node]
    rows: Sequence[Node]
    joined: Sequence[Node]


@record(eq=False, frozen=False)
class Layout:
    """Where scratch areas lie.  The first 64 bytes are the zero that operands without an offset add."""

    block: int
    areas: Sequence[Area]
    parallel: Collection[int]  # axes
    tuning: Tuning
    offsets: list[int] = field(default_factory=list)
    packs: int = 0  # elements of an operand that are packed at once
    room: int = 0  # elements that areas have room for
    rows: int = 0  # that areas have room for
    kept: int = 0  # bytes of what comes first
    packed: int = 0  # operands that cannot be read in place: an area that all calls share
    size: int = 0
    pointers: int = 0  # of the calls encoded so far
    wide: list[int] = field(default_factory=list)  # calls of kernels for wide rows
    regroups: bool = False  # may rows be taken as one, or in parts?

    def entry(self, e: Entry, packed: int, row: int, many: bool) -> tuple[int, ...]:
        add = 0 if e.add == NO_AREA else self.offsets[e.add]
        if e.kind != nest.INTERNAL:
            flags = e.flags | nest.HAS_PACKED_ROWS * (many and e.kind == nest.VECTOR)
            return e.kind, e.number, e.itemsize * e.step, packed if e.kind == nest.VECTOR else 0, flags, add
        area = self.areas[e.number]
        step = area.size if area.every or row in self.parallel else 0
        state = area.identity is not None
        flags = nest.IS_STATE * state | nest.IS_ROW_NUMBERS * area.numbers
        return e.kind, self.offsets[e.number], step, area.per_element, flags, area.identity or 0

    def packed_size(self, e: Entry, rows: int) -> int:
        """Bytes of scratch for an operand that cannot be read in place, or is repeated."""
        return _aligned(e.itemsize * max(rows * self.packs, self.room)) if _may_be_packed(e) else 0


def calls(tree: Sequence[Node]) -> list[Call]:
    """All calls, in order."""
    result: list[Call] = []
    for node in tree:
        if isinstance(node, Call):
            result.append(node)
        elif not isinstance(node, Fill):
            result += calls(node.body)
    return result


def layout(
    tree: Sequence[Node],
    areas: Sequence[Area],
    block: int,
    width: int,
    parallel: Collection[int],
    tuning: Tuning,
    first: Sequence[int] = (),
) -> Layout:
    """The largest block, a multiple of `width` up to `block`, for which scratch stays small.  `first`: the areas that
    lie in front of the others, in this order."""
    kernels = [k for c in calls(tree) for k in c.kernels]
    packed = [(_packed_rows(k), [e for e in k.entries.values() if _may_be_packed(e)]) for k in kernels]
    packs = [rows * sum([e.itemsize for e in entries]) for rows, entries in packed]
    most, each = max(packs, default=0), sum(a.per_element for a in areas)
    t, near = tuning.loops, block
    if any(k.form == COLUMNS for k in kernels):
        near = (
            t.packed_elements // nest.MAX_PACKED_ROWS
        )  # as many rows are added up at once, however many columns there are
    while block > width and most * min(block, near) + each * block > t.scratch_bytes:
        block //= 2
    block = max(block // width * width, width)
    result = Layout(block, areas, parallel, tuning, packs=min(block, near))
    wide_room = t.wide_elements + 3 * MAX_LANES
    result.room = max(result.block, wide_room if any(k.segmented for k in kernels) else 0)
    at, result.offsets = 64, [0] * len(areas)
    is_light = sum([a.size for a in areas]) <= t.max_row_state_bytes
    result.rows = t.kernel_rows if is_light else t.shared_kernel_rows
    for k in dict.fromkeys((*first, *range(len(areas)))):
        rows = result.rows if parallel or areas[k].every else 1
        result.offsets[k] = at
        at += _aligned(areas[k].size * rows + areas[k].per_element * result.room)
        result.kept = at - 64 if k in first else result.kept
    result.packed = at
    sizes = [sum([result.packed_size(e, rows) for e in entries]) for rows, entries in packed]
    result.size = at + max(sizes, default=0) + 64
    return result


def _packed_rows(kernel: Kernel) -> int:
    """Rows that are packed at once: of reductions, which only read along their lanes."""
    entries = kernel.entries.values()
    reads = all(e.kind != nest.VECTOR or not e.flags & nest.WRITE for e in entries)
    alone = kernel.form not in (COLUMNS, LANES) or not reads or any(e.add != NO_AREA for e in entries)
    return 1 if alone else nest.MAX_PACKED_ROWS


def _may_be_packed(e: Entry) -> bool:
    return e.kind == nest.VECTOR and e.step == 1


def _aligned(size: int) -> int:
    return (size + 63) // 64 * 64


def axis_pairs(group: Group, lane: str, maps: Sequence[tuple[Any, ...]]) -> tuple[list[Pair], list[Pair]]:
    """(pairs that may be exchanged, pairs that may be merged) at run time, by the numbers of their axes.

    Not an axis whose positions a kernel reads. A merge takes the outer axis of two neighbours in loop order into
    the inner one; kernels take operands without the lane axis as scalars, so whatever has an axis that is exchanged
    with the lane axis or merged into it must have both. Exchanges sort: the nearest axis, then the largest stride,
    and so on. `maps`: the operands' maps."""
    number, columns = {a: k for k, a in enumerate(group.extents)}, lane in group.parallel
    locals_ = {p.local for p in group.passes if p.local}
    pinned = _pinned(group, lane)
    outer = [a for a in group.parallel if a != lane]
    chains = [[*outer, lane] if columns else outer]
    if len(locals_) == 1:
        (local,) = locals_
        rest = [a for a in local if a != lane]
        chains.append(rest if columns else [*rest, lane] if lane in local else [])
    merges = [pair for chain in chains for pair in zip(chain, chain[1:], strict=False) if not set(pair) & pinned]
    into_lane, kept = {lane}, []  # an axis may reach the lane axis by way of others
    for a, b in reversed(merges):
        if b not in into_lane or all(lane in m or a not in m for m in maps):
            kept.append((a, b))
            into_lane |= {a} if b in into_lane else set()
    merges = kept[::-1]
    merged = [a for chain in chains if lane in chain for a in chain if a != lane]
    pairs = [(a, lane) for a in merged] + ([] if locals_ else list(combinations(outer, 2)))
    swaps = [(a, b) for a, b in pairs if not {a, b} & pinned and all((b in m) == (a in m) for m in maps)]
    return [(number[a], number[b]) for a, b in swaps], [(number[a], number[b]) for a, b in merges]


def parallel_axes(group: Group, lane: str, parallel: Collection[str]) -> tuple[int, int]:
    """(the first axis, the lane axis) by number, as far as launches over parts of them do the same: no two parts write
    the same element.  They are the axes `parallel` or, where there are none, those of all passes."""
    if group.scatters:  # in the order of the points
        return -1, -1
    numbers = {a: k for k, a in enumerate(group.extents)}
    passes = [p.local for p in group.passes if p.local]
    axes = parallel or [a for a in group.extents if all(a in local for local in passes)]
    outs = [o for o in group.outs if parallel or not set(o.map).isdisjoint(axes)]
    free = [a for a in axes if all(a in o.map for o in outs)]
    outer = [a for a in free if a != lane]
    return numbers[outer[0]] if outer else -1, numbers[lane] if lane in free else -1


def _pinned(group: Group, lane: str) -> set[str]:
    pinned = set()
    for v in group.scalars:
        if v.op == "index":
            pinned.add(v.attr)
        elif v.op == "load" and lane in v.attr[1] and any(lane in a.axes for a in v.args):
            pinned.add(lane)
    return pinned


def descriptor(
    tree: Sequence[Node],
    where: Layout,
    swaps: Sequence[Pair],
    merges: Sequence[Pair],
    sizes: tuple[int, int, int],
    numbers: dict[str, int],
    sharing: tuple[int, int, int],
    levels: Sequence[Level] = (),
    states: int = 0,
    across: bool = False,
    taken: Sequence[int] = (),
    rows: Collection[int] = (),
) -> tuple[int, ...]:
    """Header, swaps, merges, levels, code.  `sizes`: numbers of operands, inputs and axes; `numbers`: a kernel's name
    -> its number; `sharing`: work per 1,000 points, and the axes that may be split; `levels`: what follows the tree,
    with so many bytes of states; `across`: lanes run across rows, which may be short; `taken`: `loops.take`'s words;
    `rows`: the axes of rows that are done one by one."""
    transposed = _transposed(tree, sharing[2]) if across else []
    pairs = [*swaps, *merges, *transposed]
    first = nest.Header.WORDS + 2 * len(pairs) + 4 * len(levels)
    code: list[int] = []

    def put(nodes: Sequence[Node]) -> int:
        start = first + len(code)
        _encode(nodes, where, numbers, code)
        return start

    put(tree)
    places = [[put(level.points), put(level.rows)] for level in levels]
    end = first + len(code)
    for place, level in zip(places, levels, strict=True):
        place += [put(level.joined), first + len(code)]
    straight = [*tree, *(n for level in levels for n in (*level.points, *level.rows))]
    tree = [*tree, *all_nodes(levels)]
    every = calls(tree)
    header = [0] * nest.Header.WORDS
    header[nest.Header.OPERANDS], header[nest.Header.INPUTS], header[nest.Header.AXES] = sizes
    header[nest.Header.SCRATCH_BYTES] = where.size
    header[nest.Header.POINTERS] = 2 * sum(len(k.entries) for c in every for k in c.kernels)
    header[nest.Header.EXCHANGES], header[nest.Header.MERGES] = len(swaps), len(merges)
    header[nest.Header.TRANSPOSABLE] = len(transposed)
    header[nest.Header.CODE], header[nest.Header.CODE_END] = first, end
    header[nest.Header.LEVELS], header[nest.Header.KEPT_BYTES], header[nest.Header.STATE_BYTES] = (
        len(levels),
        where.kept,
        states,
    )
    header[nest.Header.DECIDING_ELEMENT] = _stops(levels)
    header[nest.Header.ROW_AXES] = sum(1 << a for a in rows)
    header[nest.Header.LANES] = every[0].kernel.width
    header[nest.Header.COLUMN_READS] = _walks(every) if any(k.form == COLUMNS for c in every for k in c.kernels) else 0
    entries = [e for c in every for k in c.kernels for e in k.entries.values()]
    header[nest.Header.STREAMABLE] = (
        nest.NOT_STREAMABLE if any(e.flags & nest.WRITE and e.step != 1 for e in entries) else 0
    )
    header[nest.Header.STRIDED] = int(any(e.kind == nest.VECTOR and e.step != 1 for e in entries))
    together = [e.itemsize for c in every for k in c.kernels if k.stencil_rows for e in k.entries.values()]
    header[nest.Header.MIN_UNMERGED_ELEMENTS] = where.tuning.loops.stencil_row_bytes // max(together) if together else 0
    header[nest.Header.STREAMING_STORES] = int(bool(every[0].kernel.streams))
    header[nest.Header.NS_PER_1000_POINTS], header[nest.Header.OUTER_AXIS], header[nest.Header.LANE_AXIS] = sharing
    if is_direct(tree, placed=True) and not transposed:
        words = nest.CallCode.WORDS + nest.Operand.WORDS * len(every[0].kernel.entries)
        header[nest.Header.DIRECT_CALL if is_direct(tree) else nest.Header.POSITION_CALL] = first + len(code) - words
    header[nest.Header.WIDE_CALLS] = first + len(code)
    flat = _flat(straight, where, [*_instructions(code[: end - first], first)], numbers, merges, header)
    if flat:
        header[nest.Header.CONTIGUOUS] = header[nest.Header.WIDE_CALLS] + len(where.wide)
    fits = transposed and not levels and header[nest.Header.AXES] == 2
    block = _straight(tree, where, code, first, header[nest.Header.NS_PER_1000_POINTS]) if fits else []
    if block:
        header[nest.Header.SMALL_TRANSPOSED] = header[nest.Header.WIDE_CALLS] + len(where.wide) + len(flat)
    behind = [*where.wide, *flat, *block, *taken]
    compact = (
        []
        if levels or (header[nest.Header.DIRECT_CALL] and not _has_per_row_values(tree))
        else _compact(tree, header[nest.Header.INPUTS])
    )
    if taken:
        header[nest.Header.TAKE] = header[nest.Header.WIDE_CALLS] + len(behind) - len(taken)
    if compact:
        header[nest.Header.COPIED_OPERANDS] = header[nest.Header.WIDE_CALLS] + len(behind)
    sums = where.regroups or bool(compact or header[nest.Header.COLUMN_READS] or header[nest.Header.ROW_AXES])
    header[nest.Header.NEEDED_PARTS] = _needs(nest_sums=sums, nest_taken=bool(taken), nest_across=bool(transposed))
    return (*header, *(a for row in (*pairs, *places) for a in row), *code, *behind, *compact)


def _needs(**parts: bool) -> int:
    """The bits of parts of the library that are needed."""
    return sum(is_needed << NEST_PARTS.index(name) for name, is_needed in parts.items())


def _flat(
    tree: Sequence[Node],
    where: Layout,
    places: Sequence[int],
    numbers: dict[str, int],
    merges: Sequence[Pair],
    header: Sequence[int],
) -> list[int]:
    """The words of `loops.contiguous`, if all axes may merge into the lanes' and kernels then do all that there is at
    once; `places`: of the tree's instructions."""
    steps, last, operands = _at_once(tree, where), header[nest.Header.AXES] - 1, header[nest.Header.OPERANDS]
    every = [n.kernel for n in steps or () if isinstance(n, Call)]
    entries = [e for k in every for e in k.entries.values()]
    placed = any(e.add != NO_AREA or e.kind in (nest.POSITION, nest.FLAG) for e in entries)
    overwritten = any(e.flags == nest.READ | nest.WRITE for e in entries)
    differs = any(k.loops and (k.lane, k.form) != (last, LANES) for k in every)
    if steps is None or placed or overwritten or differs or [*merges] != [(a, a + 1) for a in range(last)]:
        return []
    units = {e.number: e.itemsize * e.step for e in entries if e.kind == nest.VECTOR}
    grows = any(where.areas[e.number].per_element for e in entries if e.kind == nest.INTERNAL)
    most = (1000 * where.tuning.loops.small_launch - 1) // (1000 + header[nest.Header.NS_PER_1000_POINTS])
    least = max(k.width if k.short_rows or any(e.step != 1 for e in k.entries.values()) else 1 for k in every)
    as_they_are = [(e.kind <= nest.SPLAT, e.number) for e in entries] == [(True, k) for k in range(operands)]
    alone = numbers[every[0].name] + 1 if as_they_are and len(steps) == 1 else 0
    widths = [n.kernel.width * n.kernel.loops if isinstance(n, Call) else 0 for n in steps]
    code = [word for pair in zip(places, widths, strict=True) for word in pair]
    limits = min(most, where.block) if grows else most, least
    return [*limits, *(units.get(k, 0) for k in range(operands)), alone, len(steps), *code]


def _walks(every: Sequence[Call]) -> int:
    """How often operands are read."""
    reads = (any(e.kind == nest.VECTOR and e.flags & nest.READ for e in c.kernel.entries.values()) for c in every)
    return max(sum(reads), 1)


def _stops(levels: Sequence[Level]) -> int:
    kernels = [k for level in levels for c in calls(level.points) for k in c.kernels]
    deciding = [element for k in kernels for _, element in k.open]
    return 1 + deciding[0] if len(levels) == len(kernels) == len(deciding) == 1 else 0


def _straight(tree: Sequence[Node], where: Layout, code: Sequence[int], first: int, work: int) -> list[int]:
    """The words of `loops.small_transposed`, if a block is instructions and loops around one kernel each."""
    (block,) = tree if len(tree) == 1 else (None,)
    if not isinstance(block, Blocks):
        return []
    most = []
    for node in block.body:
        loops = isinstance(node, Loop) and len(node.body) == 1 and _fits_many_rows(node, where)
        step = node.body[0] if isinstance(node, Loop) and loops else node
        if not isinstance(step, Call | Fill) or (loops and isinstance(step, Fill)):
            return []
        most.append(nest.MAX_COLUMN_ROWS if isinstance(step, Call) and step.kernel.form == COLUMNS else where.rows)
    places = _instructions(code, first)
    points = (1000 * where.tuning.loops.small_launch - 1) // (1000 + work)
    return [where.block, points, len(most), *(word for pair in zip(places, most, strict=True) for word in pair)]


def _compact(tree: Sequence[Node], inputs: int) -> list[int]:
    """The words of `pack.reductions`, if all kernels have lanes along one axis and none uses positions."""
    kernels = [k for c in calls(tree) for k in c.kernels]
    entries = [e for k in kernels for e in k.entries.values()]
    lanes = {k.lane for k in kernels if k.loops}
    placed = any(e.add != NO_AREA or e.kind in (nest.POSITION, nest.FLAG) or e.step != 1 for e in entries)
    sizes = {e.number: e.itemsize for e in entries if e.kind == nest.VECTOR}
    if placed or len(lanes) != 1 or not any(k < inputs for k in sizes):
        return []
    return [*lanes, *(sizes.get(k, 0) for k in range(inputs))]


def _has_per_row_values(tree: Sequence[Node]) -> bool:
    """True if rows of elementwise work have a number each: they cannot be collapsed then."""
    return any(e.kind == nest.SPLAT and e.moves for c in calls(tree) for k in c.kernels for e in k.entries.values())


def _instructions(code: Sequence[int], first: int) -> Iterator[int]:
    """Where each FILL and CALL of `code` stands, which begins at `first`."""
    heads = {
        nest.Opcode.LOOP: nest.LoopCode.WORDS,
        nest.Opcode.ROWS: nest.RowsCode.WORDS,
        nest.Opcode.BLOCKS: nest.BlocksCode.WORDS,
    }
    at = 0
    while at < len(code):
        if code[at] in heads:
            at += heads[code[at]]
            continue
        yield first + at
        at += (
            nest.FillCode.WORDS
            if code[at] == nest.Opcode.FILL
            else nest.CallCode.WORDS + nest.Operand.WORDS * code[at + 4]
        )


def _at_once(tree: Sequence[Node], where: Layout) -> list[Fill | Call] | None:
    """What is done in one iteration of every loop; None if parts of a block differ."""
    steps: list[Fill | Call] = []
    for node in tree:
        inside = [node] if isinstance(node, Fill | Call) else _at_once(node.body, where)
        if inside is None or any(isinstance(n, Fill) and where.areas[n.area].per_element for n in inside):
            return None
        steps += inside
    return steps


def all_nodes(levels: Sequence[Level]) -> list[Node]:
    return [n for level in levels for nodes in (level.points, level.rows, level.joined) for n in nodes]


def _transposed(tree: Sequence[Node], lane: int) -> list[Pair]:
    """The operands whose lanes run along a parallel axis, and the bytes of their elements; none if some are found at
    places that a kernel computes."""
    entries = [e for c in calls(tree) for e in c.kernel.entries.values() if e.kind == nest.VECTOR]
    if lane < 0 or any(e.add != NO_AREA for e in entries):
        return []
    return sorted({e.number: e.itemsize for e in entries}.items())


def is_direct(tree: Sequence[Node], placed: bool = False) -> bool:
    """True for loops around one call whose operands the library can give without a context. placed: or positions."""
    kinds = (nest.VECTOR, nest.SPLAT, nest.INTEGER, nest.POSITION)[: 3 + placed]
    while len(tree) == 1:
        node = tree[0]
        if isinstance(node, Call):
            entries = node.kernel.entries.values()
            return node.kernel.form == LANES and all(e.kind in kinds and e.add == NO_AREA for e in entries)
        if isinstance(node, Fill):
            return False
        tree = node.body
    return False


def _has_loops(tree: Sequence[Node]) -> bool:
    return any(isinstance(n, Loop) or (isinstance(n, Blocks) and _has_loops(n.body)) for n in tree)


def _fits_many_rows(loop: Loop, where: Layout) -> bool:
    """True if the kernels in the loop may get many rows at once: none hands the elements of a block to another."""
    if _has_loops(loop.body):
        return False
    inside = calls(loop.body)
    shared = [e.number for c in inside for e in c.kernel.entries.values() if e.kind == nest.INTERNAL]
    hands_on = any(where.areas[a].per_element for a in shared)
    return not hands_on or (loop.axis not in where.parallel and sum(c.kernel.loops for c in inside) == 1)


def _encode(tree: Sequence[Node], where: Layout, numbers: dict[str, int], code: list[int], row: int = -1) -> None:
    for node in tree:
        if isinstance(node, Fill):
            area = where.areas[node.area]
            offset, value = where.offsets[node.area], pattern(node.value, node.dtype)
            code += [nest.Opcode.FILL, offset, area.size, area.per_element, value]
        elif isinstance(node, Call):
            wide = len(where.wide) + 1 if node.wide else 0
            _encode_call(node.kernel, where, numbers, code, row, wide)
            if node.wide:
                _encode_call(node.wide, where, numbers, where.wide, row, 0)
        else:
            _encode_body(node, where, numbers, code, row)


def _encode_call(kernel: Kernel, where: Layout, numbers: dict[str, int], code: list[int], row: int, wide: int) -> None:
    entries = kernel.entries.values()
    external = sum(e.kind in (nest.VECTOR, nest.SPLAT) for e in entries)
    lane = kernel.lane if kernel.loops else -1
    code += [nest.Opcode.CALL, numbers[kernel.name], lane, external, len(entries), where.pointers, row, wide]
    where.pointers += 2 * len(entries)
    packed, rows = where.packed, _packed_rows(kernel)
    for e in entries:
        code += where.entry(e, packed, row, rows > 1)
        packed += where.packed_size(e, rows)


def _encode_body(node: Loop | Blocks, where: Layout, numbers: dict[str, int], code: list[int], row: int) -> None:
    body: list[int] = []
    many = isinstance(node, Loop) and _fits_many_rows(node, where)
    where.regroups |= isinstance(node, Loop) and node.price > 0
    _encode(node.body, where, numbers, body, node.axis if many else row)
    if isinstance(node, Blocks):
        block, again = where.block // node.width * node.width, _again(node, where, row)
        where.regroups |= bool(again & (nest.JOINS_ROWS | nest.WIDENS_ROWS))
        code += [nest.Opcode.BLOCKS, node.axis, node.width, block, again, len(body), *body]
    elif many:
        swept = [c.kernel for c in calls(node.body) if c.kernel.loops]
        budget, near = l1_elements(swept, where.tuning.prefetch)
        most = (
            nest.MAX_COLUMN_ROWS
            if any(k.form == COLUMNS for k in swept)
            else where.tuning.loops.shared_kernel_rows
            if budget
            else where.rows
        )
        lane = swept[-1].lane if swept else node.axis
        code += [
            nest.Opcode.ROWS,
            node.axis,
            most,
            budget,
            lane,
            near,
            len(body),
            node.price,
            int(prefetches_memory(swept)),
            *body,
        ]
    else:
        code += [nest.Opcode.LOOP, node.axis, len(body), node.price, *body]


def _again(node: Blocks, where: Layout, row: int) -> int:
    """How elements behind the last whole vector are done: copied to scratch; by the last whole vector again, as a block
    or by the kernels themselves, which then may get blocks of any length if nothing in scratch grows with them.  Not
    again where a kernel reads what it then overwrites.  And whether nothing is kept in scratch at all."""
    both, inside = nest.READ | nest.WRITE, calls(node.body)
    entries = [e for c in inside for e in c.kernel.entries.values()]
    overwritten = [e for e in entries if e.flags & both == both]
    if any(not isinstance(n, Call) or n.kernel.form != LANES for n in node.body):
        rows = calls([n for n in node.body if not isinstance(n, Call)])
        wide = bool(rows) and all(c.kernels[-1].segmented for c in rows)
        return (
            nest.RECOMPUTES_AS_BLOCK * _writes_first(inside)
            | nest.RECOMPUTES_IN_KERNEL * (not overwritten)
            | nest.WIDENS_ROWS * wide
        )
    grows = any(e.kind == nest.INTERNAL and where.areas[e.number].per_element for e in entries)
    streams = not any(e.kind == nest.INTERNAL for e in entries)
    finishes = any(c.kernel.carried for c in inside)
    short = all(c.kernel.short_rows for c in inside)
    again = all(_is_repeatable(c.kernel) for c in inside)
    flags = (again, nest.RECOMPUTES_IN_KERNEL), (not grows, nest.ANY_LENGTH), (streams, nest.USES_NO_SCRATCH)
    own = (
        (finishes, nest.FINISHES_ROWS),
        (short, nest.TAKES_SHORT_ROWS),
        (_is_collapsible(inside, where, row), nest.JOINS_ROWS),
    )
    return sum(flag for is_set, flag in (*flags, *own) if is_set)


def _is_repeatable(kernel: Kernel) -> bool:
    """True if a kernel may do lanes twice. Where it overwrites what it reads, it computes the second time from what the
    first one has left, so then every vector that it stores has to keep the lanes that were done before."""
    both, entries = nest.READ | nest.WRITE, kernel.entries.values()
    overwrites = any(e.flags & both == both for e in entries)
    return not overwrites or all(e.keeps for e in entries if e.flags & nest.WRITE)


def _writes_first(inside: Sequence[Call]) -> bool:
    """True if what a kernel of a block reads and overwrites is written by one before it in the block."""
    both, written = nest.READ | nest.WRITE, set[tuple[int, int]]()
    for call in inside:
        entries = call.kernel.entries.values()
        if any(e.flags & both == both and (e.kind, e.number) not in written for e in entries):
            return False
        written |= {(e.kind, e.number) for e in entries if e.flags & nest.WRITE}
    return True


def _is_collapsible(inside: Sequence[Call], where: Layout, row: int) -> bool:
    """True if rows may be collapsed, as far as kernels go: one kernel adds to the same state in all of them."""
    (kernel, *more) = [c.kernel for c in inside]
    if more or kernel.carried or row < 0 or row in where.parallel or kernel.row != row:
        return False
    entries = kernel.entries.values()
    areas = [where.areas[e.number] for e in entries if e.kind == nest.INTERNAL]
    reads = all(not e.flags & nest.WRITE and e.add == NO_AREA for e in entries if e.kind in (nest.VECTOR, nest.SPLAT))
    near = all(e.step == 1 for e in entries if e.kind == nest.VECTOR)
    placed = any(e.kind in (nest.POSITION, nest.FLAG) for e in entries)
    return reads and near and not placed and bool(areas) and not any(a.every or a.per_element for a in areas)


def pattern(value: Any, dtype: str) -> int:
    """Eight bytes of memory filled with a constant, as int64."""
    import numpy as np

    name = {"bool": np.uint8}.get(dtype, np.dtype(dtype))
    return int(np.full(8 // ITEMSIZE[dtype], value, name).view(np.int64)[0])
