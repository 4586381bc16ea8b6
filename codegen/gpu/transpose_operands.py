"""Operands of reductions that are adjacent in memory along another axis than threads are: turned before, through tiles.

A reduction's threads read along its lane axis.  An operand whose neighbours lie along another axis would be read with a
whole sector of memory for each element; a copy through shared memory (the `crossed` pattern) costs three times its
bytes instead of eight, and less where the operand is read in several passes.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

from tensordsl.base.records import record
from tensordsl.codegen.fusion.group import Buffer, Group, Out
from tensordsl.codegen.gpu import launch
from tensordsl.codegen.gpu.kernels import COLUMNS, ROWS
from tensordsl.codegen.gpu.launch import Launch, Operand, contiguous
from tensordsl.codegen.gpu.schedule import GpuPlan, plan
from tensordsl.codegen.scalar_ir.builder import Builder, walk

LEAST, SIDE = 1 << 18, 32  # elements of an operand, and lengths of both axes, that are worth it


@record(eq=False)
class Turn:
    """operand: its number; order: its axes with the one that is to be adjacent last but one; copy: of axes in that
    order, the last two exchanged."""

    operand: int
    order: tuple[int, ...]
    copy: GpuPlan

    def is_wanted(self, shape: Sequence[int], strides: Sequence[int]) -> bool:
        """Whether an operand of these lengths and strides (in elements) is read better turned."""
        size = 1
        for n in shape:
            size *= n
        across, along = self.order[-2:]
        is_large = size >= LEAST and min(shape[across], shape[along]) >= SIDE
        return is_large and abs(strides[across]) != 1 and strides[along] == 1

    def launches(self, o: Operand, room: int, multiprocessors: int) -> tuple[list[Launch], Operand]:
        """(the copy to `room`, the operand there)."""
        shape, strides = ([part[d] for d in self.order] for part in (o.shape, o.strides))
        turned = (*shape[:-2], shape[-1], shape[-2])
        places = contiguous(turned)
        source, target = self.copy.buffers
        operands = {source: Operand(o.address, tuple(shape), tuple(strides)), target: Operand(room, turned, places)}
        lengths = launch.extents(self.copy, operands)
        made = launch.launches(self.copy, operands, lengths, 0, multiprocessors=multiprocessors)
        steps = dict(zip((*self.order[:-2], self.order[-1], self.order[-2]), places, strict=True))
        return made, Operand(room, o.shape, tuple(steps[d] for d in range(len(o.shape))))


def turns(group: Group, kernels: GpuPlan, operands: Sequence[Buffer], n_inputs: int) -> tuple[Turn, ...]:
    """The inputs of a group that may be turned, as their strides will be."""
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
            found.append(Turn(k, order, plan(_copy(b.type, len(entries)), f"{kernels.kernels[0].name}_turn{k}")))
    return tuple(found)


@lru_cache(maxsize=32)
def _copy(dtype: str, rank: int) -> Group:
    """target[..., q, p] = source[..., p, q]"""
    axes = tuple(f"a{d}" for d in range(rank))
    lengths = {a: f"n{d}" for d, a in enumerate(axes)}
    turned = (*axes[:-2], axes[-1], axes[-2])
    b = Builder()
    value = b.load(Buffer("source", dtype, tuple(lengths.values())), *axes)
    out = Out(Buffer("target", dtype, tuple(lengths[a] for a in turned)), turned, value)
    return Group("turn", {a: lengths[a] for a in turned}, turned, (out,))
