"""Operand tables: operands, run-time integers, kernels and places in scratch of one plan, by number.

Contract  a group -> `Tables`, which gives numbers to what kernels ask for, and makes the `LaunchPlan`.
Why       kernels, descriptor and program name things by the same numbers.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tensordsl.codegen.cpu.kernel import Kernel
from tensordsl.codegen.cpu.kernel_text import needs, text
from tensordsl.codegen.cpu.loop_tree import Area
from tensordsl.codegen.cpu.schedule import row_gather
from tensordsl.codegen.fusion.group import Buffer, Group, Schedule
from tensordsl.codegen.program_ir.instructions import Kernels, LaunchPlan
from tensordsl.codegen.scalar_ir.builder import ITEMSIZE, SIGNED
from tensordsl.codegen.target.tuning import Tuning


class Tables:
    """Operands are the group's loads, then its outputs, then what is added to."""

    def __init__(self, group: Group, name: str, tuning: Tuning) -> None:
        self.group, self.name, self.tuning = group, name, tuning
        self.axes = tuple(group.extents)
        self.axis = {a: k for k, a in enumerate(self.axes)}
        self.operands: dict[tuple[int, Any], int] = {}
        self.buffers: list[tuple[Buffer, tuple[Any, ...]]] = []
        self.ints: dict[tuple[Any, ...], int] = {}
        self.areas: list[Area] = []
        self.kernels: list[Kernel] = []
        for v in group.scalars:
            if v.op == "load":
                self.operand(*v.attr)
            elif v.op == "extent":
                self.ints.setdefault(("extent", v.attr), len(self.ints))
        self.n_inputs = len(self.buffers)
        for o in group.outs:
            self.buffers.append((o.buffer, o.map))
        for s in group.scatters:
            self.buffers.append((s.buffer, ()))
        self.outputs = {id(o): self.n_inputs + k for k, o in enumerate((*group.outs, *group.scatters))}

    def operand(self, buffer: Buffer, entries: tuple[Any, ...]) -> int:
        """An operand is a buffer under one map: its number."""
        key = id(buffer), entries
        if key not in self.operands:
            self.operands[key] = len(self.buffers)
            self.buffers.append((buffer, entries))
        return self.operands[key]

    def integer(self, kernel: Kernel, *what: Any) -> str:
        return kernel.integer(self.ints.setdefault(what, len(self.ints)))

    def taken(self) -> list[int]:
        """The words of `loops.take`, if the group only copies what stands at indices."""
        found = row_gather(self.group)
        if found is None:
            return []
        load, index = found
        buffer, entries = load.attr
        axis = next(d for d, m in enumerate(entries) if isinstance(m, tuple))
        numbers = ("extent", buffer.shape[axis]), ("stride", self.operand(buffer, entries), axis)
        kind, along = 2 * ITEMSIZE[index.type] + (index.type in SIGNED), self.axis[index.attr[1][0]]
        return [ITEMSIZE[load.type], kind, along, *(self.ints[number] for number in numbers)]

    def area(self, size: int, per_element: int = 0, **kinds: Any) -> int:
        self.areas.append(Area(size, per_element, **kinds))
        return len(self.areas) - 1

    def kernels_made(self, words: tuple[int, ...]) -> Kernels:
        found = [needs(k) for k in self.kernels]
        declarations = {name: text for n in found for name, text in (n.declarations | n.functions).items()}
        return Kernels(
            symbols=tuple(k.name for k in self.kernels),
            texts=tuple(map(text, self.kernels)),
            descriptor=words,
            declarations=frozenset(declarations.values()),
            ints=tuple(self.ints),
            may_fail=any(k.fails for k in self.kernels),
            widest_load_bytes=tuple(n.widest_load_bytes for n in found),
        )

    def launch_plan(self, schedule: Schedule, make: Callable[[], Kernels]) -> LaunchPlan:
        """Kernels of groups that read at indices have to be made to know their integers."""
        is_indexed = any(v.op == "load" and v.args for v in self.group.scalars)
        is_placed = bool(self.group.scatters) or any(v.op == "index" for v in self.group.scalars)
        is_placeless = not is_indexed and not is_placed
        known = make() if is_indexed else None
        return LaunchPlan(
            name=self.name,
            operands=tuple(b for b, _ in self.buffers),
            n_inputs=self.n_inputs,
            axes=self.axes,
            extents=tuple(self.group.extents[a] for a in self.axes),
            strides=tuple(
                tuple([tuple([d for d, m in enumerate(entries) if m == a]) for a in self.axes])
                for _, entries in self.buffers
            ),
            ints=known.ints if known else tuple(self.ints),
            may_fail=known is not None and known.may_fail,
            work=self.group.work(self.tuning.costs),
            is_placeless=is_placeless,
            is_pointwise=is_placeless and not any(v.op == "reduce" for v in self.group.scalars),
            group=self.group,
            schedule=schedule,
            tuning_key=self.tuning.key(),
            make=make,
        )
