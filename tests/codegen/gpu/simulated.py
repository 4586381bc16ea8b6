"""Runs groups on the simulator, or on a GPU: operands into device memory, launches, results back."""

from __future__ import annotations

import ctypes
import re
from copy import copy
from typing import Any

import numpy as np

from tensordsl.codegen.fusion.group import Group, buffers
from tensordsl.codegen.gpu.launch import Launch, Operand, extents, has_empty_source, launches
from tensordsl.codegen.gpu.schedule import GpuPlan, plan
from tensordsl.functions.device_calls import compiled_text
from tensordsl.runtime.device.device import Device, Module
from tensordsl.runtime.driver.simulator import CANARY_BYTES, Memory, Simulator

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

    def __init__(
        self,
        group: Group,
        text: str = "",
        two_stages: bool | None = None,
        fastmath: bool = False,
        held: bool = True,
    ) -> None:
        self.plan: GpuPlan = plan(group, two_stages=two_stages, fastmath=fastmath, held=held)
        self.load(text or self.plan.text)

    def load(self, text: str) -> None:
        self.simulator = Simulator(text)

    def another(self, group: Group, two_stages: bool | None = None) -> SimulatedGroup:
        """A group whose kernels this one's text has too."""
        result = copy(self)
        result.plan = plan(group, two_stages=two_stages)
        return result

    def operand(self, a: np.ndarray) -> Operand:
        return operand(a)

    def launch(self, launch: Launch) -> None:
        self.simulator.launch(launch.kernel.name, launch.grid, launch.block, launch.arguments, self.order)

    def finish(self) -> None:
        """Results are where they are looked for."""

    def __call__(
        self, arrays: Arrays, order: str = "forward", known: dict[Any, int] | None = None, multiprocessors: int = 1
    ) -> int:
        """Fills the outputs among `arrays`; the status."""
        memory = Memory()
        self.order = order
        outs = {o.buffer.name for o in self.plan.group.outs}
        updated = outs & {b.name for b in buffers(self.plan.group)[0]}
        device = {name: on_device(memory, a) for name, a in arrays.items()}
        for name in outs - updated:
            poisoned = memory.array(arrays[name].shape, arrays[name].dtype)
            device[name] = poisoned
        operands = {b: self.operand(device[b.name]) for b in self.plan.buffers}
        lengths = extents(self.plan, operands, known)
        if has_empty_source(self.plan, lengths):
            return 1
        for t in self.plan.temporaries:
            operands[t] = self.operand(memory.array(tuple(lengths[e] for e in t.shape), t.type))
        status = memory.array((1,), np.int64)
        status[0] = 0
        flag = self.operand(status).address
        for launch in launches(self.plan, operands, lengths, flag, multiprocessors=multiprocessors):
            self.launch(launch)
        self.finish()
        memory.check()
        for name in outs:
            arrays[name][...] = device[name]
        return int(status[0])


class DeviceGroup(SimulatedGroup):
    """A group's plan on a device, with its order of threads: the bytes of all operands are copied there and back."""

    device: Device

    def load(self, text: str) -> None:
        self.module = Module(
            self.device, compiled_text(self.device, text), re.findall(r"define ptx_kernel void @(\w+)", text)
        )
        self.held: list[tuple[np.ndarray, Any]] = []  # bytes on the host, block

    def operand(self, a: np.ndarray) -> Operand:
        low, high = np.lib.array_utils.byte_bounds(a) if a.size else (a.ctypes.data, a.ctypes.data)
        block = self.device.pool.take(high - low + CANARY_BYTES)
        shift = low % CANARY_BYTES  # alignment is the same there
        here = np.ctypeslib.as_array((ctypes.c_uint8 * (high - low)).from_address(low))
        if a.size:
            self.device.driver.upload(block.address + shift, here)
            self.device.driver.synchronize()
        self.held.append((here, block, shift))
        return Operand(block.address + shift + a.ctypes.data - low, a.shape, operand(a).strides)

    def launch(self, launch: Launch) -> None:
        self.device.driver.launch(self.module.kernels[launch.kernel.name], launch.grid, launch.block, launch.arguments)

    def finish(self) -> None:
        for here, block, shift in self.held:
            if here.size:
                self.device.driver.download(here, block.address + shift)
        self.held.clear()
