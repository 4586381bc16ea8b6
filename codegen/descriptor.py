"""The loops around a group's kernels as a tree, and its flat form: the descriptor that the nest library reads."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from tensordsl.codegen import nest_text as nest
from tensordsl.codegen.flat import NO_AREA, Entry, Kernel, pattern
from tensordsl.codegen.group import Group, passes
from tensordsl.codegen.scalar import ITEMSIZE
from tensordsl.codegen.schedule import reach

SCRATCH_LIMIT = 1 << 16  # bytes; more would not stay near the core


@dataclass(frozen=True, slots=True)
class Fill:
    """Area of scratch := a constant in every element."""

    area: int
    dtype: str
    value: Any


@dataclass(frozen=True, slots=True)
class Call:
    """`lane`: the axis of the block that the kernel works on, or -1 for a kernel of one lane outside of blocks."""

    kernel: Kernel
    lane: int


@dataclass(frozen=True, slots=True)
class Loop:
    axis: int
    body: Sequence[Node]


@dataclass(frozen=True, slots=True)
class Blocks:
    axis: int
    width: int
    body: Sequence[Node]


Node = Fill | Call | Loop | Blocks
Pair = tuple[int, int]
Area = tuple[int, int]  # (bytes, bytes per element of a block)


@dataclass(slots=True)
class Layout:
    """Where scratch areas lie.  The first 64 bytes are the zero that operands without an offset add."""

    block: int
    offsets: list[int] = field(default_factory=list)
    fixed: list[int] = field(default_factory=list)  # bytes of an area that does not grow with the block, else 0
    packed: int = 0  # operands that cannot be read in place: an area that all calls share
    size: int = 0
    pointers: int = 0  # of the calls encoded so far

    def entry(self, e: Entry, packed: int) -> tuple[int, ...]:
        number = self.offsets[e.number] if e.kind == nest.INTERNAL else e.number
        add = 0 if e.add == NO_AREA else self.offsets[e.add]
        return e.kind, number, e.itemsize, packed if e.kind == nest.VECTOR else 0, e.flags, add


def calls(tree: Sequence[Node]) -> list[Call]:
    """All calls, in order."""
    result: list[Call] = []
    for node in tree:
        if isinstance(node, Call):
            result.append(node)
        elif not isinstance(node, Fill):
            result += calls(node.body)
    return result


def layout(tree: Sequence[Node], areas: Sequence[Area], block: int, width: int) -> Layout:
    """The largest block, a multiple of `width` up to `block`, for which scratch stays small."""
    packs = [[e.itemsize for e in c.kernel.entries.values() if e.kind == nest.VECTOR] for c in calls(tree)]
    most = max(map(sum, packs), default=0)
    each = most + sum(per for _, per in areas)
    while block > width and each * block > SCRATCH_LIMIT:
        block //= 2
    result = Layout(max(block // width * width, width))
    at = 64
    for size, per in areas:
        result.offsets.append(at)
        result.fixed.append(size)
        at += _aligned(size + per * result.block)
    result.packed = at
    result.size = at + max((sum(_aligned(s * result.block) for s in p) for p in packs), default=0) + 64
    return result


def _aligned(size: int) -> int:
    return (size + 63) // 64 * 64


def axis_pairs(group: Group, lane: str, maps: Sequence[tuple[Any, ...]]) -> tuple[list[Pair], list[Pair]]:
    """(pairs that may be exchanged, pairs that may be merged) at run time, by the numbers of their axes.

    Not an axis whose positions a kernel reads.  A merge takes the outer axis of two neighbours in loop order into the
    inner one; kernels take operands without the lane axis as scalars, so whatever has an axis that is exchanged with
    the lane axis or merged into it must have both.  `maps`: the operands' maps.
    """
    number, columns = {a: k for k, a in enumerate(group.extents)}, lane in group.parallel
    locals_ = {p.local for p in passes(group) if p.local}
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
    beside = [a for chain in chains if lane in chain for a in chain if a != lane]
    swaps = [(a, lane) for a in beside if not {a, lane} & pinned and all((lane in m) == (a in m) for m in maps)]
    return [(number[a], number[b]) for a, b in swaps], [(number[a], number[b]) for a, b in merges]


def _pinned(group: Group, lane: str) -> set[str]:
    pinned = set()
    for v in reach(group.roots):
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
) -> tuple[int, ...]:
    """Header, swaps, merges, code.  `sizes`: numbers of operands, inputs and axes; `numbers`: a kernel's name -> its
    number."""
    pairs = [*swaps, *merges]
    first = nest.HEADER + 2 * len(pairs)
    code: list[int] = []
    _encode(tree, where, numbers, code)
    every = calls(tree)
    header = [0] * nest.HEADER
    header[nest.N_OPERANDS], header[nest.N_INPUTS], header[nest.N_AXES] = sizes
    header[nest.SCRATCH] = where.size
    header[nest.N_POINTERS] = sum(len(c.kernel.entries) for c in every)
    header[nest.N_SWAPS], header[nest.N_MERGES] = len(swaps), len(merges)
    header[nest.CODE], header[nest.END] = first, first + len(code)
    header[nest.WIDTH] = every[0].kernel.width
    if _is_direct(tree):
        words = nest.CALL_WORDS + nest.ENTRY * len(every[0].kernel.entries)
        header[nest.FAST] = first + len(code) - words
    return (*header, *(a for pair in pairs for a in pair), *code)


def _is_direct(tree: Sequence[Node]) -> bool:
    """Is it loops around one call whose operands the library can give without a context?"""
    while len(tree) == 1:
        node = tree[0]
        if isinstance(node, Call):
            entries = node.kernel.entries.values()
            return node.lane >= 0 and all(
                e.kind in (nest.VECTOR, nest.SPLAT, nest.INTEGER) and e.add == NO_AREA for e in entries
            )
        if isinstance(node, Fill):
            return False
        tree = node.body
    return False


def _is_straight(tree: Sequence[Node]) -> bool:
    """Are these fills, calls at one lane and blocks of nothing but calls, whose addresses advance evenly by rows?"""
    for node in tree:
        if isinstance(node, Loop) or (isinstance(node, Call) and node.lane >= 0):
            return False
        if isinstance(node, Blocks) and not all(isinstance(n, Call) for n in node.body):
            return False
    return not isinstance(tree[-1], Fill)


def _encode(tree: Sequence[Node], where: Layout, numbers: dict[str, int], code: list[int]) -> None:
    for node in tree:
        if isinstance(node, Fill):
            offset, size = where.offsets[node.area], ITEMSIZE[node.dtype]
            fixed = where.fixed[node.area]
            code += [nest.FILL, offset, fixed, 0 if fixed else size, pattern(node.value, node.dtype)]
        elif isinstance(node, Call):
            entries = node.kernel.entries.values()
            external = sum(e.kind in (nest.VECTOR, nest.SPLAT) for e in entries)
            code += [nest.CALL, numbers[node.kernel.name], node.lane, external, len(entries), where.pointers]
            where.pointers += len(entries)
            packed = where.packed
            for e in entries:
                code += where.entry(e, packed)
                packed += _aligned(e.itemsize * where.block) if e.kind == nest.VECTOR else 0
        else:
            body: list[int] = []
            _encode(node.body, where, numbers, body)
            if isinstance(node, Loop):
                code += [nest.LOOP, node.axis, int(_is_straight(node.body)), len(body), *body]
            else:
                block = where.block // node.width * node.width
                code += [nest.BLOCKS, node.axis, node.width, block, int(_may_repeat(node.body)), len(body), *body]


def _may_repeat(tree: Sequence[Node]) -> bool:
    """May elements of a block be computed twice?  Not where a kernel reads what it then overwrites."""
    both = nest.READ | nest.WRITE
    return not any(e.flags & both == both for c in calls(tree) for e in c.kernel.entries.values())
