"""Runs groups on the simulator: operands into device memory, launches, results back."""

from __future__ import annotations

from copy import copy
from typing import Any

import numpy as np

from tensordsl.codegen.gpu_launch import Operand, extents, launches, reads_nothing
from tensordsl.codegen.gpu_schedule import GpuPlan, plan
from tensordsl.codegen.group import Group, buffers
from tensordsl.runtime.simulator import Memory, Simulator

Arrays = dict[str, np.ndarray]


def operand(a: np.ndarray) -> Operand:
    return Operand(a.ctypes.data, a.shape, tuple(s // a.itemsize for s in a.strides))


def on_device(memory: Memory, a: np.ndarray) -> np.ndarray:
    """A copy with the same kind of strides: steps, reversed, transposed, broadcast."""
    if a.ndim == 0 or a.flags.c_contiguous:
        return memory.copy(a)
    if a.ndim == 2 and a.T.flags.c_contiguous:
        return memory.copy(a.T).T
    if 0 in a.strides:
        kept = tuple(slice(0, 1) if s == 0 else slice(None) for s in a.strides)
        return np.broadcast_to(memory.copy(a[kept]), a.shape)
    if any(s < 0 for s in a.strides):
        back = tuple(slice(None, None, -1) if s < 0 else slice(None) for s in a.strides)
        return on_device(memory, a[back])[back]
    wide = memory.array(tuple(2 * n for n in a.shape), a.dtype)[tuple(slice(1, None, 2) for _ in a.shape)]
    wide[...] = a
    return wide


class SimulatedGroup:
    """A group's plan on the simulator; `text` may be another one, for mutations."""

    def __init__(self, group: Group, text: str = "", two_stages: bool | None = None, fastmath: bool = False) -> None:
        self.plan: GpuPlan = plan(group, two_stages=two_stages, fastmath=fastmath)
        self.simulator = Simulator(text or self.plan.text)

    def another(self, group: Group, two_stages: bool | None = None) -> SimulatedGroup:
        """A group whose kernels this one's text has too."""
        result = copy(self)
        result.plan = plan(group, two_stages=two_stages)
        return result

    def __call__(
        self, arrays: Arrays, order: str = "forward", known: dict[Any, int] | None = None, multiprocessors: int = 1
    ) -> int:
        """Fills the outputs among `arrays`; the status."""
        memory = Memory()
        outs = {o.buffer.name for o in self.plan.group.outs}
        updated = outs & {b.name for b in buffers(self.plan.group)[0]}
        device = {name: on_device(memory, a) for name, a in arrays.items()}
        for name in outs - updated:
            poisoned = memory.array(arrays[name].shape, arrays[name].dtype)
            device[name] = poisoned
        operands = {b: operand(device[b.name]) for b in self.plan.buffers}
        lengths = extents(self.plan, operands, known)
        if reads_nothing(self.plan, lengths):
            return 1
        for t in self.plan.temporaries:
            operands[t] = operand(memory.array(tuple(lengths[e] for e in t.shape), t.type))
        status = memory.array((1,), np.int64)
        status[0] = 0
        for launch in launches(self.plan, operands, lengths, status.ctypes.data, multiprocessors=multiprocessors):
            self.simulator.launch(launch.kernel.name, launch.grid, launch.block, launch.arguments, order)
        memory.check()
        for name in outs:
            arrays[name][...] = device[name]
        return int(status[0])
