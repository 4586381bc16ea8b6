"""Transposition of a reduction's operands before its launch, through tiles in shared memory.

Applies where an input is adjacent along another axis than the kernel's lane axis, and large (`Transpose.is_wanted`).
Otherwise each element would load a sector of 32 bytes; the copy (pattern `crossed`) moves three times its bytes.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from math import prod

from tensordsl.base.records import record
from tensordsl.codegen.fusion.group import Buffer, Group, Out
from tensordsl.codegen.gpu import launch
from tensordsl.codegen.gpu.kernels import COLUMNS, ROWS
from tensordsl.codegen.gpu.launch import Launch, Operand, contiguous
from tensordsl.codegen.gpu.schedule import GpuPlan, plan
from tensordsl.codegen.scalar_ir.builder import Builder, walk
from tensordsl.codegen.target.tuning import GpuTuning


@record(eq=False)
class Transpose:
    """operand: its number; order: its axes, with the one that is to be adjacent last but one; copy: of axes in that
    order, the last two exchanged."""

    operand: int
    order: tuple[int, ...]
    copy: GpuPlan
    tuning: GpuTuning

    def is_wanted(self, shape: Sequence[int], strides: Sequence[int]) -> bool:
        """Whether an operand of these lengths and strides (in elements) should be transposed first."""
        across, along = self.order[-2:]
        t = self.tuning
        is_large = prod(shape) >= t.transpose_min_elements
        is_large &= min(shape[across], shape[along]) >= t.transpose_min_axis_elements
        return is_large and abs(strides[across]) != 1 and strides[along] == 1

    def launches(self, o: Operand, room: int, multiprocessors: int) -> tuple[list[Launch], Operand]:
        """(the copy to the address `room`, the transposed operand there)."""
        shape, strides = ([part[d] for d in self.order] for part in (o.shape, o.strides))
        transposed = (*shape[:-2], shape[-1], shape[-2])
        places = contiguous(transposed)
        source, target = self.copy.buffers
        operands = {source: Operand(o.address, tuple(shape), tuple(strides)), target: Operand(room, transposed, places)}
        lengths = launch.extents(self.copy, operands)
        made = launch.launches(self.copy, operands, lengths, 0, multiprocessors=multiprocessors)
        steps = dict(zip((*self.order[:-2], self.order[-1], self.order[-2]), places, strict=True))
        return made, Operand(room, o.shape, tuple(steps[d] for d in range(len(o.shape))))


def transposes(
    group: Group, kernels: GpuPlan, operands: Sequence[Buffer], n_inputs: int, tuning: GpuTuning
) -> tuple[Transpose, ...]:
    """The inputs of a group that may have to be transposed, depending on a launch's strides."""
    first = kernels.kernels[0]
    lane, written = first.schedule.lane, {o.buffer.name for o in group.outs}
    if first.pattern not in (ROWS, COLUMNS):
        return ()
    found = []
    for k, b in enumerate(operands[:n_inputs]):
        uses = {v.attr[1] if not v.args else () for v in walk(group.roots) if v.op == "load" and v.attr[0] is b}
        entries = next(iter(uses)) if len(uses) == 1 else ()
        is_plain = all(isinstance(m, str) for m in entries) and len(set(entries)) == len(entries)
        if is_plain and lane in entries[:-1] and b.name not in written:
            across, along = entries.index(lane), len(entries) - 1
            order = (*(d for d in range(along) if d != across), across, along)
            copy = plan(_copy(b.type, len(entries)), f"{kernels.kernels[0].name}_turn{k}")
            found.append(Transpose(k, order, copy, tuning))
    return tuple(found)


@lru_cache(maxsize=32)
def _copy(dtype: str, rank: int) -> Group:
    """target[..., q, p] = source[..., p, q]"""
    axes = tuple(f"a{d}" for d in range(rank))
    lengths = {a: f"n{d}" for d, a in enumerate(axes)}
    transposed = (*axes[:-2], axes[-1], axes[-2])
    b = Builder()
    value = b.load(Buffer("source", dtype, tuple(lengths.values())), *axes)
    out = Out(Buffer("target", dtype, tuple(lengths[a] for a in transposed)), transposed, value)
    return Group("turn", {a: lengths[a] for a in transposed}, transposed, (out,))
