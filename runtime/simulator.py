"""Runs the LLVM text of GPU kernels on the CPU: a judge for kernels where there is no GPU.

Each thread of a block is a fibre (glibc's contexts).  At a barrier or a shuffle it hands control back, and Python
decides who goes on: a warp when all its live threads have come, a block likewise.  The order in which ready threads run
is the caller's choice, so a kernel that lacks a barrier gives another result in some order; `greedy`, where one warp
runs until it waits, catches those after the read side.  Shared memory starts as NaN, device arrays stand between
canaries.  What it cannot show: weak memory order, alignment faults, reads out of bounds of plain memory, speed.

Kernels are text because this layer knows nothing of groups: `define ptx_kernel void @name(...)` with pointers of
address space 1 and i64 as parameters, and the few machine intrinsics below.  One launch at a time.
"""

from __future__ import annotations

import ctypes
import re
from collections.abc import Sequence
from typing import Any

import numpy as np

WARP, MAX_THREADS = 32, 1024
READY, AT_BARRIER, AT_SHUFFLE, DONE = range(4)
ORDERS = ("forward", "shuffled", "greedy", "reverse", "greedy forward")
STACK, CONTEXT = 1 << 16, 2048  # bytes per fibre; glibc's context has less than a kilobyte
POISON = 0xFF  # NaN as floats, -1 as integers
CANARY = 256  # bytes on each side of an array: the alignment of device memory
GUARD = 0xFE  # their value: huge as floats, and not what a NaN from elsewhere would write


class SimulationError(RuntimeError):
    """A kernel that a GPU would not run as meant: threads that wait forever, or writes outside of arrays."""


_MACHINE = f"""
@sim_current = global i32 0
@sim_geometry = global [3 x i32] zeroinitializer
@sim_state = global [{MAX_THREADS} x i32] zeroinitializer
@sim_turn = global [{MAX_THREADS} x i32] zeroinitializer
@sim_mail = global [{2 * MAX_THREADS} x i32] zeroinitializer
@sim_arguments = global [128 x i64] zeroinitializer
@sim_entry = global ptr null
@sim_contexts = global ptr null
@sim_stacks = global ptr null
@sim_home = global [{CONTEXT} x i8] zeroinitializer, align 64
declare i32 @getcontext(ptr) returns_twice
declare void @makecontext(ptr, ptr, i32, ...)
declare i32 @swapcontext(ptr, ptr)

define internal ptr @sim_context(i32 %thread) noinline {{
  %contexts = load ptr, ptr @sim_contexts
  %offset = mul i32 %thread, {CONTEXT}
  %context = getelementptr i8, ptr %contexts, i32 %offset
  ret ptr %context
}}
define internal void @sim_wait(i32 %why) noinline {{
  %me = load volatile i32, ptr @sim_current
  %state = getelementptr i32, ptr @sim_state, i32 %me
  store volatile i32 %why, ptr %state
  %context = call ptr @sim_context(i32 %me)
  %failed = call i32 @swapcontext(ptr %context, ptr @sim_home)
  ret void
}}
define internal void @sim_thread() noinline {{
  %entry = load ptr, ptr @sim_entry
  call void %entry()
  %me = load volatile i32, ptr @sim_current
  %state = getelementptr i32, ptr @sim_state, i32 %me
  store volatile i32 {DONE}, ptr %state
  ret void
}}
define void @sim_start(i32 %count) {{
entry:
  %stacks = load ptr, ptr @sim_stacks
  br label %next
next:
  %thread = phi i32 [ 0, %entry ], [ %following, %next ]
  %context = call ptr @sim_context(i32 %thread)
  %failed = call i32 @getcontext(ptr %context)
  %link = getelementptr i8, ptr %context, i64 8
  store ptr @sim_home, ptr %link
  %offset = mul i32 %thread, {STACK}
  %stack = getelementptr i8, ptr %stacks, i32 %offset
  %place = getelementptr i8, ptr %context, i64 16
  store ptr %stack, ptr %place
  %size = getelementptr i8, ptr %context, i64 32
  store i64 {STACK}, ptr %size
  call void (ptr, ptr, i32, ...) @makecontext(ptr %context, ptr @sim_thread, i32 0)
  %state = getelementptr i32, ptr @sim_state, i32 %thread
  store i32 {READY}, ptr %state
  %turn = getelementptr i32, ptr @sim_turn, i32 %thread
  store i32 0, ptr %turn
  %following = add i32 %thread, 1
  %more = icmp slt i32 %following, %count
  br i1 %more, label %next, label %done
done:
  ret void
}}
define void @sim_resume(ptr %threads, i64 %count) {{
entry:
  br label %next
next:
  %k = phi i64 [ 0, %entry ], [ %following, %next ]
  %at = getelementptr i32, ptr %threads, i64 %k
  %thread = load i32, ptr %at
  store volatile i32 %thread, ptr @sim_current
  %context = call ptr @sim_context(i32 %thread)
  %failed = call i32 @swapcontext(ptr @sim_home, ptr %context)
  %following = add i64 %k, 1
  %more = icmp slt i64 %following, %count
  br i1 %more, label %next, label %done
done:
  ret void
}}
define i32 @sim.nvvm.read.ptx.sreg.tid.x() noinline {{
  %me = load volatile i32, ptr @sim_current
  ret i32 %me
}}
define void @sim.nvvm.barrier.cta.sync.aligned.all(i32 %number) noinline {{
  call void @sim_wait(i32 {AT_BARRIER})
  ret void
}}
; Each thread has two boxes, used in turn: a lane cannot be two shuffles ahead of its warp.
define i32 @sim.nvvm.shfl.sync.bfly.i32(i32 %members, i32 %value, i32 %mask, i32 %clamp) noinline {{
  %me = load volatile i32, ptr @sim_current
  %turn = getelementptr i32, ptr @sim_turn, i32 %me
  %now = load volatile i32, ptr %turn
  %other = xor i32 %now, {MAX_THREADS}
  store volatile i32 %other, ptr %turn
  %mine = add i32 %me, %now
  %box = getelementptr i32, ptr @sim_mail, i32 %mine
  store volatile i32 %value, ptr %box
  call void @sim_wait(i32 {AT_SHUFFLE})
  %source = xor i32 %mine, %mask
  %from = getelementptr i32, ptr @sim_mail, i32 %source
  %result = load volatile i32, ptr %from
  ret i32 %result
}}
"""
_REGISTERS = ("ntid.x", "ctaid.x", "nctaid.x")
_KERNEL = re.compile(r"^define ptx_kernel void @(\w+)\((.*)\)[^()]*\{$", re.MULTILINE)
_SHARED = re.compile(r"^@(\w+) = internal addrspace\(3\) global \[(\d+) x (\w+)\]", re.MULTILINE)
_BYTES = {"i8": 1, "i16": 2, "i32": 4, "i64": 8, "float": 4, "double": 8}


class Simulator:
    """The kernels of one module."""

    def __init__(self, text: str) -> None:
        self.kernels = {name: len(_parameters(params)) for name, params in _KERNEL.findall(text)}
        self._engine = _compile(_host_text(text))
        self._start = self._function("sim_start", None, ctypes.c_int32)
        self._resume = self._function("sim_resume", None, ctypes.c_void_p, ctypes.c_int64)
        self._state = self._array("sim_state", ctypes.c_int32, MAX_THREADS)
        self._geometry = self._array("sim_geometry", ctypes.c_int32, 3)
        self._arguments = self._array("sim_arguments", ctypes.c_int64, 128)
        self._shared = [
            self._array(name, ctypes.c_uint8, int(count) * _BYTES[kind]) for name, count, kind in _SHARED.findall(text)
        ]
        self._space = np.zeros(MAX_THREADS * (CONTEXT + STACK) + 64, np.uint8)
        base = -(-self._space.ctypes.data // 64) * 64
        self._array("sim_contexts", ctypes.c_uint64, 1)[0] = base
        self._array("sim_stacks", ctypes.c_uint64, 1)[0] = base + MAX_THREADS * CONTEXT

    def launch(self, name: str, grid: int, block: int, arguments: Sequence[int], order: str = "forward") -> None:
        """All blocks of a kernel, one after the other; `order` is one of ORDERS.  SimulationError if threads hang."""
        assert len(arguments) == self.kernels[name] and 0 < block <= MAX_THREADS and order in ORDERS, (name, order)
        self._arguments[: len(arguments)] = np.array(arguments, np.int64)
        address = self._engine.get_function_address(f"sim_call_{name}")
        self._array("sim_entry", ctypes.c_uint64, 1)[0] = address
        threads, greedy = _thread_order(block, order)
        blocks = range(grid) if order == "forward" else range(grid - 1, -1, -1)
        for number in blocks:
            self._geometry[:] = block, number, grid
            for cells in self._shared:
                cells[:] = POISON
            self._run(threads, greedy)

    def _run(self, threads: np.ndarray, greedy: bool) -> None:
        """One block to its end."""
        state = self._state
        state[:] = DONE
        self._start(len(threads))
        warps = state[: -(-len(threads) // WARP) * WARP].reshape(-1, WARP)
        while True:
            ready = threads[state[threads] == READY]
            if greedy and len(ready):
                ready = ready[ready // WARP == ready[0] // WARP]
            if len(ready):
                ready = np.ascontiguousarray(ready)
                self._resume(ready.ctypes.data, len(ready))
            shuffling, live = warps == AT_SHUFFLE, warps != DONE
            warps[shuffling & (shuffling == live).all(1, keepdims=True)] = READY
            if (state == READY).any():
                continue
            live, waiting = state != DONE, state == AT_BARRIER
            if not live.any():
                return
            if (live != waiting).any():
                stuck = np.flatnonzero(live & ~waiting)[:8].tolist()
                raise SimulationError(f"threads {stuck} wait for their warp, others for the block or have ended")
            state[waiting] = READY

    def _function(self, name: str, result: Any, *arguments: Any) -> Any:
        return ctypes.CFUNCTYPE(result, *arguments)(self._engine.get_function_address(name))

    def _array(self, name: str, kind: Any, count: int) -> np.ndarray:
        """A global variable of the module as an array."""
        address = self._engine.get_global_value_address(name)
        result: np.ndarray = np.ctypeslib.as_array((kind * count).from_address(address))
        return result


class Memory:
    """Device memory: poisoned arrays between canaries."""

    def __init__(self) -> None:
        self._frames: list[tuple[np.ndarray, int, int]] = []

    def array(self, shape: tuple[int, ...], dtype: Any) -> np.ndarray:
        """A new C-contiguous array at a multiple of 256 bytes, whose bytes are POISON."""
        size = int(np.prod(shape, dtype=np.int64)) * np.dtype(dtype).itemsize
        frame = np.full(size + 3 * CANARY, GUARD, np.uint8)
        first = CANARY + (-frame.ctypes.data) % CANARY
        self._frames.append((frame, first, first + size))
        frame[first : first + size] = POISON
        result: np.ndarray = frame[first : first + size].view(dtype).reshape(shape)
        return result

    def copy(self, array: np.ndarray) -> np.ndarray:
        result = self.array(array.shape, array.dtype)
        result[...] = array
        return result

    def check(self) -> None:
        """SimulationError if anything was written outside of the arrays."""
        for frame, first, end in self._frames:
            if (frame[:first] != GUARD).any() or (frame[end:] != GUARD).any():
                raise SimulationError(f"a kernel wrote outside of an array of {end - first} bytes")


def _thread_order(block: int, order: str) -> tuple[np.ndarray, bool]:
    threads = np.arange(block, dtype=np.int32)
    if order in ("reverse", "greedy"):
        threads = threads[::-1]
    if order == "shuffled":
        threads = np.random.default_rng(block).permutation(threads)
    return threads, order.startswith("greedy")


def _parameters(text: str) -> list[str]:
    """The LLVM type of each parameter, of which no attribute has a comma."""
    return ["ptr addrspace(1)" if p.strip().startswith("ptr") else p.split()[0] for p in text.split(",")]


def _host_text(text: str) -> str:
    """The module for this machine: intrinsics become functions, kernels plain functions with a caller each."""
    parts = [_MACHINE]
    for k, name in enumerate(_REGISTERS):
        parts.append(
            f"define i32 @sim.nvvm.read.ptx.sreg.{name}() {{\n"
            f"  %value = load i32, ptr getelementptr (i32, ptr @sim_geometry, i32 {k})\n  ret i32 %value\n}}\n"
        )
    for name, params in _KERNEL.findall(text):
        kinds = _parameters(params)
        loads = "".join(
            f"  %p{k} = load {kind}, ptr getelementptr (i64, ptr @sim_arguments, i64 {k})\n"
            for k, kind in enumerate(kinds)
        )
        arguments = ", ".join(f"{kind} %p{k}" for k, kind in enumerate(kinds))
        parts.append(f"define void @sim_call_{name}() {{\n{loads}  call void @{name}({arguments})\n  ret void\n}}\n")
    lines = [
        line
        for line in text.splitlines()
        if not line.startswith(("declare void @llvm.nvvm", "declare i32 @llvm.nvvm", "!"))
    ]
    body = "\n".join(lines).replace("@llvm.nvvm.", "@sim.nvvm.").replace("define ptx_kernel ", "define ")
    # Shared memory has names that can be found, so that it can be poisoned.
    return "".join(parts) + body.replace(" = internal addrspace(3) global", " = addrspace(3) global") + "\n"


def _compile(text: str) -> Any:
    """An engine that holds the module's code."""
    import llvmlite.binding as llvm  # type: ignore[import-untyped]

    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    module = llvm.parse_assembly(text)
    module.verify()
    machine = llvm.Target.from_default_triple().create_target_machine(
        opt=1, cpu=llvm.get_host_cpu_name(), features=llvm.get_host_cpu_features().flatten(), jit=True
    )
    engine = llvm.create_mcjit_compiler(module, machine)
    engine.finalize_object()
    return engine
