"""Launch configurations of GPU kernels: from operands to grid, block and arguments.

Operands are described by address, shape and strides in elements; nothing here touches memory.  All decisions depend on
shapes and strides only, so that the order of every sum does too.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from math import prod
from typing import Any

from tensordsl.base.records import record
from tensordsl.codegen.fusion.group import Buffer
from tensordsl.codegen.gpu.accesses import is_wide
from tensordsl.codegen.gpu.builder import THREADS, Kernel
from tensordsl.codegen.gpu.elementwise import chunks, tail_threads
from tensordsl.codegen.gpu.kernels import COLUMNS, CROSSED, FLAT, HELD, ROWS, GpuKernel
from tensordsl.codegen.gpu.row_in_registers import fits_registers, row_threads
from tensordsl.codegen.gpu.schedule import TILES, GpuPlan
from tensordsl.codegen.scalar_ir.builder import ITEMSIZE, walk

MAX_WARP_ROW_ELEMENTS = 1024  # longer rows are a block's
WARP_BLOCK_THREADS = 128  # threads of a block whose warps have rows of their own
MAX_TILES = 1024
MIN_TILE_ELEMENTS = {ROWS: 4096, COLUMNS: 256}  # elements of a tile
MIN_STAGE_TILES, MAX_STAGE_BLOCKS = 4, 128  # tiles that are worth a second stage; blocks that need none


@record
class Operand:
    """An array on the device; strides in elements."""

    address: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]


@record
class Launch:
    kernel: Kernel
    grid: int
    block: int
    arguments: tuple[int, ...]


def span(o: Operand, item: int) -> tuple[int, int]:
    """(first, behind the last) address of an operand's elements."""
    if 0 in o.shape:
        return o.address, o.address
    reach = [(n - 1) * s * item for n, s in zip(o.shape, o.strides, strict=True)]
    return o.address + sum(min(r, 0) for r in reach), o.address + sum(max(r, 0) for r in reach) + item


def contiguous(shape: Sequence[int]) -> tuple[int, ...]:
    """Strides of C order, in elements."""
    strides, step = [], 1
    for n in reversed(shape):
        strides.append(step)
        step *= n
    return tuple(reversed(strides))


def extents(
    plan: GpuPlan, operands: Mapping[Buffer, Operand], known: Mapping[Any, int] | None = None
) -> dict[Any, int]:
    """Every extent of the plan by its symbol; `known`: those that no operand has.  Shapes must agree."""
    result: dict[Any, int] = dict(known or {})
    temporary = {id(t) for t in plan.temporaries}
    for k in plan.kernels:
        for b in k.buffers:
            if id(b) in temporary:
                continue
            for e, n in zip(b.shape, operands[b].shape, strict=True):
                assert result.setdefault(e, n) == n and (e == n or not isinstance(e, int)), (b.name, e, n)
    if plan.temporaries:
        k = plan.kernels[-2]
        size = _local_size(k, result)
        result[TILES] = max(1, -(-size // tile_size(size, k.pattern)))
        if plan.has_choice and (result[TILES] < MIN_STAGE_TILES or _full_blocks(k, result) >= MAX_STAGE_BLOCKS):
            result[TILES] = 0  # one stage
    return result


def tile_size(size: int, pattern: str = ROWS) -> int:
    """Elements of a tile of each row or column: at most MAX_TILES of them, none smaller than MIN_TILE[pattern]."""
    return max(MIN_TILE_ELEMENTS[pattern], -(-size // MAX_TILES))


def _full_blocks(k: GpuKernel, lengths: Mapping[Any, int]) -> int:
    """Blocks of a reduction without tiles: of rows, or of 32 columns."""
    parts = 1
    for a in k.group.parallel:
        n = _length(k.group.extents[a], lengths) if a != k.tile else 1
        parts *= -(-n // 32) if k.pattern == COLUMNS and a == k.schedule.lane else n
    return parts


def launches(
    plan: GpuPlan,
    operands: Mapping[Buffer, Operand],
    lengths: Mapping[Any, int],
    status: int,
    *,
    multiprocessors: int = 132,
) -> list[Launch]:
    """The launches of a plan; temporaries are operands too."""
    kernels = plan.kernels
    if plan.has_choice:
        kernels = kernels[:1] if is_first_chosen(plan, lengths) else kernels[1:]
    return [_launch(k, operands, lengths, status, multiprocessors) for k in kernels]


def is_first_chosen(plan: GpuPlan, lengths: Mapping[Any, int]) -> bool:
    """Whether a plan with a choice runs in one stage, or with rows that are too long for registers."""
    k = plan.kernels[-1]
    return not fits_registers(k, _local_size(k, lengths)) if k.pattern == HELD else not lengths[TILES]


def has_empty_source(plan: GpuPlan, lengths: Mapping[Any, int]) -> bool:
    """Whether an indexed load has an empty source but points to compute.  Such a plan must not run: any index is out of
    range, and there is no element to load instead."""
    for k in plan.kernels:
        if any(_length(e, lengths) == 0 for e in k.group.extents.values()):
            continue
        for v in walk(k.group.roots):
            if v.op == "load" and any(_length(e, lengths) == 0 for e in v.attr[0].shape):
                return True
    return False


def _length(extent: Any, lengths: Mapping[Any, int]) -> int:
    return extent if isinstance(extent, int) else lengths[extent]


def _local_size(k: GpuKernel, lengths: Mapping[Any, int]) -> int:
    size = 1
    for a, e in k.group.extents.items():
        if a not in k.group.parallel:
            size *= _length(e, lengths)
    return size


def _launch(
    k: GpuKernel, operands: Mapping[Buffer, Operand], lengths: Mapping[Any, int], status: int, multiprocessors: int
) -> Launch:
    used = [operands[b] for b in k.buffers]
    axes = {a: _length(e, lengths) for a, e in k.group.extents.items()}
    used, axes = _collapsed(k, used, axes)
    values: dict[str, int] = {}
    points = 1
    for a in k.group.parallel:
        points *= axes[a]
    local = _local_size(k, lengths)
    if k.pattern == FLAT:
        values |= _vectors_and_tail(k, used, axes)
        along = max(values["vectors"], values["chunks"]) if k.vector > 1 else axes.get(k.schedule.lane, 1)
        blocks, block = -(-points // max(1, axes.get(k.schedule.lane, 1)) * along // THREADS), THREADS
    elif k.pattern == CROSSED:
        blocks, block = 1, THREADS
        for a, n in axes.items():
            blocks *= -(-n // 32) if a in (k.schedule.lane, k.schedule.shared_memory_axis) else n
    elif k.pattern == COLUMNS:
        width = axes[k.schedule.lane]
        blocks, block = points // max(width, 1) * -(-width // 32), THREADS
    elif k.pattern == HELD:
        values["team"] = threads = row_threads(k, local)
        values |= {"side": max(1, 32 // threads), "aligned": int(_is_aligned(k, used))}
        block = max(threads, WARP_BLOCK_THREADS if threads <= 32 else 0)
        blocks = -(-points * threads // block)
    else:
        length = tile_size(local, k.pattern) if k.tile else local
        is_warp = length <= MAX_WARP_ROW_ELEMENTS and bool(k.group.parallel)
        block = WARP_BLOCK_THREADS if is_warp else THREADS
        values["team"] = threads = _team(length) if is_warp else THREADS
        values["side"] = max(1, 32 // threads)
        blocks = -(-points * threads // block)
    if k.tile:
        values["tile"] = tile_size(local, k.pattern)
    if k.merges:
        values["merged"] = int(all(_is_merged(used[n], d) for n, d in k.merges))
    grid = max(1, min(blocks, multiprocessors * (2048 // block)))
    arguments = tuple(_argument(k, p, used, axes, lengths, values, status) for p in k.params)
    return Launch(k, grid, block, arguments)


def _team(length: int) -> int:
    """Threads of a warp that share a row: each has two of its elements, if there are not more."""
    row_threads = 1
    while row_threads < 32 and 2 * row_threads < length:
        row_threads *= 2
    return row_threads


def point_arguments(
    k: GpuKernel, operands: Mapping[Buffer, Operand], lengths: Mapping[Any, int], status: int
) -> tuple[int, ...]:
    """The arguments of a kernel whose points another one enumerates."""
    used = [operands[b] for b in k.buffers]
    axes = {a: _length(e, lengths) for a, e in k.group.extents.items()}
    return tuple(_argument(k, p, used, axes, lengths, {}, status) for p in k.params)


def _argument(
    k: GpuKernel,
    p: tuple[Any, ...],
    used: list[Operand],
    axes: Mapping[str, int],
    lengths: Mapping[Any, int],
    values: Mapping[str, int],
    status: int,
) -> int:
    if p[0] == "pointer":
        return used[int(p[1])].address
    if p[0] == "stride":
        return used[int(p[1])].strides[int(p[2])]
    if p[0] == "extent":
        changed = [axes[a] for a, e in k.group.extents.items() if e == p[1]]
        return changed[0] if changed else _length(p[1], lengths)
    return status if p[0] == "status" else values[str(p[0])]


def _vectors_and_tail(k: GpuKernel, used: list[Operand], axes: Mapping[str, int]) -> dict[str, int]:
    """Of each row of the lane axis: wide accesses, and elements of the tail."""
    if k.vector == 1:
        return {}
    length = axes[k.schedule.lane]
    vectors = length // k.vector if _is_aligned(k, used) else 0
    rest = length - vectors * k.vector
    threads = tail_threads(k.vector, rest, THREADS)
    return {"vectors": vectors, "across": threads, "chunks": chunks(k.vector, rest, threads)}


def _is_aligned(k: GpuKernel, used: list[Operand]) -> bool:
    """Whether the operands are aligned, and their strides multiples, for wide accesses along the lane axis."""
    if k.vector == 1:
        return False
    lane = k.schedule.lane
    for b, entries in _uses(k):
        if not is_wide(entries, lane):
            continue
        o, width = used[_number(k, b)], k.vector
        if o.address % (width * ITEMSIZE[b.type]) or (o.strides[-1] != 1 and o.shape[-1] > 1):
            return False
        if any(s % width for s, n in zip(o.strides[:-1], o.shape[:-1], strict=True) if n > 1):
            return False
    return True


def _is_merged(o: Operand, d: int) -> bool:
    """Whether the stride along axis d equals that of all elements of the next axis."""
    return o.shape[d] <= 1 or o.strides[d] == o.strides[d + 1] * o.shape[d + 1]


def _uses(k: GpuKernel) -> list[tuple[Buffer, tuple[Any, ...]]]:
    loads = [v.attr for v in walk(k.group.roots) if v.op == "load"]
    return [*loads, *((o.buffer, o.map) for o in k.group.outs)]


def _number(k: GpuKernel, buffer: Buffer) -> int:
    return next(n for n, b in enumerate(k.buffers) if b is buffer)


def _collapsed(k: GpuKernel, used: list[Operand], axes: dict[str, int]) -> tuple[list[Operand], dict[str, int]]:
    """An elementwise kernel over contiguous operands as one long row: the outer axes become 1."""
    order = [a for a in k.group.parallel if a != k.schedule.lane] + [k.schedule.lane]
    varies = any(v.op in ("index", "extent") or v.args and v.op == "load" for v in walk(k.group.roots))
    symbols = [e for e in k.group.extents.values() if not isinstance(e, int)]
    if k.pattern != FLAT or len(order) < 2 or varies or len(set(symbols)) < len(k.group.extents):
        return used, axes
    uses = [(b, m) for b, m in _uses(k) if m]
    if any(list(m) != order or not _is_contiguous(used[_number(k, b)]) for b, m in uses):
        return used, axes
    size = prod(axes.values())
    axes = {**dict.fromkeys(axes, 1), k.schedule.lane: size}
    shape = (*[1] * (len(order) - 1), size)
    return [replace(o, shape=shape, strides=(0,) * (len(order) - 1) + (1,)) if o.shape else o for o in used], axes


def _is_contiguous(o: Operand) -> bool:
    expected = 1
    for n, s in zip(reversed(o.shape), reversed(o.strides), strict=True):
        if n != 1 and s != expected:
            return False
        expected *= n
    return True
