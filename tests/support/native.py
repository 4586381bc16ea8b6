"""Runs scheduled groups over NumPy arrays: kernels and nest library compiled in this process, called by ctypes."""

from __future__ import annotations

import ctypes
from functools import cache
from typing import Any

import numpy as np
import polls
from tuned import HERE, tuned

from tensordsl.codegen.compiler.modules import module_text
from tensordsl.codegen.cpu.planner import plan
from tensordsl.codegen.cpu.schedule import schedule
from tensordsl.codegen.fusion.group import Group, Schedule
from tensordsl.codegen.library.loops.entry import nest_text
from tensordsl.codegen.llvm.compile import compile_object
from tensordsl.codegen.program_ir.instructions import LaunchPlan
from tensordsl.codegen.target.tuning import Tuning

Extents = dict[Any, int]
WORD = ctypes.c_int64


def load_object(data: bytes) -> Any:
    """An engine that holds the object's code."""
    import llvmlite.binding as llvm

    polls.add_to_llvm()
    empty = llvm.parse_assembly("")
    machine = llvm.Target.from_default_triple().create_target_machine()
    engine = llvm.create_mcjit_compiler(empty, machine)
    engine.add_object_file(llvm.ObjectFileRef.from_data(data))
    engine.finalize_object()
    return engine


@cache
def library(tuning: Tuning) -> tuple[Any, Any]:
    engine = load_object(compile_object(nest_text(tuning)))
    kind = ctypes.CFUNCTYPE(WORD, *[ctypes.c_void_p] * 6)
    return engine, kind(engine.get_function_address("run_nest"))


class Runner:
    """A group compiled for this machine."""

    def __init__(
        self, group: Group, schedule_: Schedule | None = None, vector_bytes: int | None = None, tuning: Tuning = HERE
    ) -> None:
        self.tuning = tuned(tuning, machine={"vector_bytes": vector_bytes}) if vector_bytes else tuning
        self.group = group
        self.schedule = schedule_ or schedule(group, self.tuning)
        self.plan: LaunchPlan = plan(group, self.schedule, "k", self.tuning)
        self.text = module_text([self.plan.kernels])
        self.engine = load_object(compile_object(self.text))
        self.kernels = [self.engine.get_function_address(s) for s in self.plan.kernels.symbols]

    def prepare(self, arrays: dict[str, np.ndarray], extents: Extents | None = None) -> Any:
        """A call without arguments; `arrays` by the buffers' names, `extents` that no array has."""
        p, known = self.plan, dict(extents or {})
        used = [arrays[b.name] for b in p.operands]
        for b, a in zip(p.operands, used, strict=True):
            assert str(a.dtype) == b.type and a.ndim == len(b.shape), (b, a.dtype, a.shape)
            known |= dict(zip(b.shape, a.shape, strict=True))
        bases = (WORD * (2 * len(used)))(*[a.ctypes.data for a in used])
        strides = [sum(a.strides[d] for d in dims) for a, row in zip(used, p.strides, strict=True) for dims in row]
        numbers = [known[w[1]] if w[0] == "extent" else used[w[1]].strides[w[2]] for w in p.ints]
        ints = (WORD * (len(numbers) + 1))(*numbers)
        if not p.axes:
            return self._scalar(bases, ints, len(numbers), used)
        words = (WORD * len(p.kernels.descriptor))(*p.kernels.descriptor)
        kernels = (WORD * len(self.kernels))(*self.kernels)
        steps = (WORD * (len(strides) + 1))(*strides)
        lengths = (WORD * len(p.axes))(*[known[e] for e in p.extents])
        run, hold = library(self.tuning)[1], (used, bases)
        plan = (WORD * 2)(ctypes.addressof(kernels), ctypes.addressof(words))
        pointers = [ctypes.addressof(x) for x in (plan, bases, steps, lengths, ints)]
        return lambda _=(hold, kernels, words, plan, steps, lengths, ints): run(None, *pointers)

    def _scalar(self, bases: Any, ints: Any, n: int, used: Any) -> Any:
        flag = WORD(0)
        address = ctypes.addressof(ints)
        table = [*bases[: len(used)], *[address + 8 * k for k in range(n)], ctypes.addressof(flag)]
        pointers = (WORD * len(table))(*table)
        kernel = ctypes.CFUNCTYPE(None, ctypes.c_void_p, WORD, WORD)(self.kernels[0])

        def call(_: Any = (ints, used, bases)) -> int:
            flag.value = 0
            kernel(ctypes.addressof(pointers), 1, 1)
            return flag.value

        return call

    def __call__(self, arrays: dict[str, np.ndarray], extents: Extents | None = None) -> int:
        return int(self.prepare(arrays, extents)())


def framed(shape: tuple[int, ...], dtype: str, step: int = 1) -> tuple[np.ndarray, Any]:
    """An output inside canaries, its elements `step` apart, and a check that nothing around it was written."""
    fill = np.full(1, 77).astype(dtype)[0]
    frame = np.full([4 + step * n for n in shape] or 5, fill, dtype)
    view = frame[tuple(slice(2, 2 + step * n, step) for n in shape)] if shape else frame[2:3].reshape(())

    def check() -> None:
        copy = view.copy()
        view[...] = fill
        assert (frame == fill).all(), "written outside of the output"
        view[...] = copy

    return view, check
