"""GPU steps of a program: what an instruction `Launch` says becomes launches of the group's kernels.

A device's `LaunchPlan` has one operand per buffer, whose strides are those of its axes; `ints` are the lengths that no
axis of the group has.  There is one plan per group: how many threads share a row is decided at the launch.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from math import prod
from typing import Any

from tensordsl.base.errors import DriverVersionError
from tensordsl.base.records import record
from tensordsl.codegen.cpu.planner import plan as plan_cpu
from tensordsl.codegen.cpu.schedule import schedule
from tensordsl.codegen.fusion.group import Buffer, Group, buffers
from tensordsl.codegen.gpu import launch
from tensordsl.codegen.gpu.compile import NEEDS_LLVM, TARGETS, check_intrinsics, check_parameters
from tensordsl.codegen.gpu.kernels import GpuKernel
from tensordsl.codegen.gpu.launch import Launch, Operand
from tensordsl.codegen.gpu.schedule import GpuPlan
from tensordsl.codegen.gpu.schedule import plan as plan_gpu
from tensordsl.codegen.gpu.transpose_operands import Transpose, transposes
from tensordsl.codegen.program_ir.instructions import Check, LaunchPlan, LoadScalar, Program, walk_program
from tensordsl.codegen.scalar_ir.builder import ITEMSIZE, walk
from tensordsl.codegen.target.tuning import GpuTuning, Tuning

Launched = tuple[str, int, int, tuple[int, ...]]  # kernel, grid, block, arguments


def device_plan(group: Group, name: str) -> LaunchPlan:
    """What a program says of a group that a device computes."""
    ins, outs = buffers(group)
    operands = (*ins, *outs)
    axes = dict.fromkeys(group.extents.values())
    lengths = [n for b in operands for n in b.shape] + [v.attr for v in walk(group.roots) if v.op == "extent"]
    others = tuple(("extent", n) for n in dict.fromkeys(lengths) if not isinstance(n, int) and n not in axes)
    strides = tuple(tuple((d,) for d in range(len(b.shape))) for b in operands)
    may_fail = any(v.op == "load" and v.args for v in walk(group.roots))
    return LaunchPlan(
        name, operands, len(ins), tuple(group.extents), tuple(group.extents.values()), strides, others, may_fail,
        group=group,
    )  # fmt: skip


@record(eq=False)
class GpuStep:
    """A plan of a program with its kernels.  transposes: inputs that are transposed first where their strides need
    it."""

    plan: LaunchPlan
    kernels: GpuPlan
    transposes: tuple[Transpose, ...] = ()

    @property
    def all_kernels(self) -> list[GpuKernel]:
        return [*self.kernels.kernels, *(k for t in self.transposes for k in t.copy.kernels)]

    def lengths(self, extents: Sequence[int], ints: Sequence[int]) -> dict[Any, int]:
        """Every length of the group by its symbol."""
        known = dict(zip(self.plan.extents, extents, strict=True))
        known |= {e: n for (_, e), n in zip(self.plan.ints, ints, strict=True)}
        return known

    def temporaries(self, lengths: dict[Any, int], strides: Sequence[Sequence[int]]) -> list[int]:
        """Bytes of the buffers between the kernels; completes `lengths`.  `strides` in bytes."""
        operands = {b: Operand(0, self._shape(b, lengths), ()) for b in self.plan.operands}
        lengths.update(launch.extents(self.kernels, operands, lengths))
        sizes = [self._size(b, lengths) for b in self.kernels.temporaries]
        transposed = [self.plan.operands[t.operand] for t in self.transposes]
        wanted = [self._is_transposed(t, lengths, strides) for t in self.transposes]
        return sizes + [self._size(b, lengths) if w else 0 for b, w in zip(transposed, wanted, strict=True)]

    def _is_transposed(self, transpose: Transpose, lengths: dict[Any, int], strides: Sequence[Sequence[int]]) -> bool:
        b = self.plan.operands[transpose.operand]
        return transpose.is_wanted(self._shape(b, lengths), [s // ITEMSIZE[b.type] for s in strides[transpose.operand]])

    def launches(
        self,
        addresses: Sequence[int],
        strides: Sequence[Sequence[int]],
        lengths: dict[Any, int],
        temporaries: Sequence[int],
        status: int,
        multiprocessors: int,
    ) -> list[Launched] | None:
        """The launches, in order; `strides` in bytes.  None: an index has nothing to point to."""  # fmt: skip
        if launch.has_empty_source(self.kernels, lengths):
            return None
        operands = self.operands(addresses, strides, lengths)
        before: list[Launch] = []
        for t, room in zip(self.transposes, temporaries[len(self.kernels.temporaries) :], strict=True):
            if self._is_transposed(t, lengths, strides):
                b = self.plan.operands[t.operand]
                copies, operands[b] = t.launches(operands[b], room, multiprocessors)
                before += copies
        for b, address in zip(self.kernels.temporaries, temporaries, strict=False):
            shape = self._shape(b, lengths)
            steps, step = [], 1
            for n in reversed(shape):
                steps.append(step)
                step *= n
            operands[b] = Operand(address, shape, tuple(reversed(steps)))
        made = launch.launches(self.kernels, operands, lengths, status, multiprocessors=multiprocessors)
        return [(i.kernel.name, i.grid, i.block, i.arguments) for i in (*before, *made)]

    def operands(
        self, addresses: Sequence[int], strides: Sequence[Sequence[int]], lengths: dict[Any, int]
    ) -> dict[Buffer, Operand]:
        """The plan's operands; `strides` in bytes."""
        return {
            b: Operand(address, self._shape(b, lengths), tuple(s // ITEMSIZE[b.type] for s in steps))
            for b, address, steps in zip(self.plan.operands, addresses, strides, strict=True)
        }

    def _shape(self, b: Buffer, lengths: dict[Any, int]) -> tuple[int, ...]:
        return tuple(n if isinstance(n, int) else lengths[n] for n in b.shape)

    def _size(self, b: Buffer, lengths: dict[Any, int]) -> int:
        return prod(self._shape(b, lengths)) * ITEMSIZE[b.type]


def gpu_step(plan: LaunchPlan, fastmath: bool = False, tuning: GpuTuning | None = None) -> GpuStep:
    """The kernels of a plan (`fastmath`: see `gpu.fastmath`).  Raises ValueError for what GPUs lack."""
    kernels = plan_gpu(plan.group, plan.name, fastmath=fastmath)
    check_intrinsics(kernels.text)
    check_parameters(kernels.text)
    found = transposes(plan.group, kernels, plan.operands, plan.n_inputs, tuning or GpuTuning())
    return GpuStep(plan, kernels, found)


@record(eq=False)
class HostStep:
    """A plan of a device's program for the CPU: its kernels' plan, and how operands are handed over."""

    plan: LaunchPlan
    cpu: LaunchPlan

    def arguments(
        self, addresses: Sequence[int], strides: Sequence[Sequence[int]], extents: Sequence[int], ints: Sequence[int]
    ) -> tuple[list[int], list[list[int]], list[int], list[int]]:
        """What the CPU's kernels take, from what the device's `Launch` says."""
        at = {id(b): (a, s) for b, a, s in zip(self.plan.operands, addresses, strides, strict=True)}
        known = dict(zip(self.plan.extents, extents, strict=True))
        known |= {e: n for (_, e), n in zip(self.plan.ints, ints, strict=True)}
        used = [at[id(b)] for b in self.cpu.operands]
        steps = [
            [sum(s[d] for d in dims) for dims in per_axis]
            for (_, s), per_axis in zip(used, self.cpu.strides, strict=True)
        ]
        lengths = [e if isinstance(e, int) else known[e] for e in self.cpu.extents] if self.cpu.axes else []
        words = [
            (i[1] if isinstance(i[1], int) else known[i[1]]) if i[0] == "extent" else used[i[1]][1][i[2]]
            for i in self.cpu.ints
        ]
        return [a for a, _ in used], steps, lengths, words


def host_step(plan: LaunchPlan, tuning: Tuning) -> HostStep:
    """The plan of a group for the CPU."""
    chosen = schedule(plan.group, tuning)
    return HostStep(plan, plan_cpu(plan.group, chosen, plan.name, tuning))


def late_numbers(program: Program) -> frozenset[str]:
    """Numbers that a program reads from memory only to check that indices are in range.

    What is done with such indices is safe without the check: positions of writes are clamped.  So a device need not
    wait for them.  In loops and branches there are none: a number may be another one each time.
    """
    found = {i.dst for i in program.code if isinstance(i, LoadScalar) and i.dtype == "int64"}
    for i in walk_program(program.code):
        own = set()
        if isinstance(i, LoadScalar):
            own = {i.dst}
        elif isinstance(i, Check) and program.sites[i.site]["kind"] == "index" and i.b not in found:
            own = {i.a}
        found -= names_of(i) - own
    return frozenset(found)


def names_of(instruction: Any) -> set[str]:
    """Every text in an instruction but for its regions: all its names, and some words more."""
    names: set[str] = set()
    stack = [getattr(instruction, f.name) for f in fields(instruction) if f.name not in ("body", "then", "orelse")]
    while stack:
        part = stack.pop()
        if isinstance(part, str):
            names.add(part)
        elif isinstance(part, tuple):
            stack.extend(part)
    return names


def architecture(capability: tuple[int, int]) -> str:
    """The newest target that a device of this compute capability runs and our LLVM knows.  DriverVersionError if none.

    >>> architecture((8, 6)), architecture((9, 0)), architecture((12, 0))
    ('sm_86', 'sm_90', 'sm_120')
    """
    number = 10 * capability[0] + capability[1]
    known = sorted((int(target.removeprefix("sm_")) for target in TARGETS), reverse=True)
    found = next((n for n in known if n <= number and is_known_to_llvm(f"sm_{n}")), None)
    if found is None:
        raise DriverVersionError(f"The device is sm_{number}, and PTX is made for sm_{min(known)} or more.")
    return f"sm_{found}"


def is_known_to_llvm(target: str) -> bool:
    """Whether the installed LLVM knows an architecture of `TARGETS`."""
    if target not in NEEDS_LLVM:
        return True
    import llvmlite.binding as llvm  # type: ignore[import-untyped]  # late: a warm start does without

    return bool(llvm.llvm_version_info[0] >= NEEDS_LLVM[target])
