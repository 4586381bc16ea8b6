"""A simulator of GPU kernels: runs their LLVM text on the CPU, as an oracle where there is no GPU.

Each thread of a block is a fibre (x86-64), which yields at a barrier or shuffle to a scheduler in an order that the
caller sets: a kernel that lacks a barrier gives another result in some order.  Shared memory starts as NaN, arrays
have canaries.  Not covered: weak memory order, alignment faults, reads out of bounds, speed.
"""

from __future__ import annotations

import ctypes
import re
from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np

WARP, MAX_THREADS = 32, 1024
READY, AT_BARRIER, AT_SHUFFLE, DONE = range(4)
ORDERS = ("forward", "shuffled", "greedy", "reverse", "greedy forward")
FIBRE_STACK_BYTES = 1 << 16  # of each fibre
MAX_PARAMETERS = 4096  # of a kernel: more than a GPU takes
POISON = 0xFF  # NaN as floats, -1 as integers
CANARY_BYTES = 256  # on each side of an array: the alignment of device memory
CANARY_VALUE = 0xFE  # large as floats, and not what a NaN from elsewhere would store


class SimulationError(RuntimeError):
    """A kernel that a GPU would not run as meant: threads that wait forever, or writes outside of arrays."""


_KEPT = ("rbp", "rbx", "r12", "r13", "r14", "r15")  # callee-saved registers of the System V convention
_SWITCH = r"\0A".join(
    [*(f"push %{r}" for r in _KEPT), "mov %rsp, (%rdi)", "mov %rsi, %rsp", *(f"pop %{r}" for r in _KEPT[::-1]), "ret"]
)
_MACHINE = f"""
@sim_current = global i32 0
@sim_geometry = global [3 x i32] zeroinitializer
@sim_state = global [{MAX_THREADS} x i32] zeroinitializer
@sim_turn = global [{MAX_THREADS} x i32] zeroinitializer
@sim_mail = global [{2 * MAX_THREADS} x i32] zeroinitializer
@sim_arguments = global [{MAX_PARAMETERS} x i64] zeroinitializer
@sim_entry = global ptr null
@sim_stacks = global ptr null
@sim_home = global ptr null
@sim_places = global [{MAX_THREADS} x ptr] zeroinitializer

; Saves what a callee must keep on the stack, notes the stack in the first argument, goes on on the second.
define internal void @sim_switch(ptr %save, ptr %other) naked noinline {{
  call void asm sideeffect "{_SWITCH}", ""()
  unreachable
}}
define internal void @sim_wait(i32 %why) noinline {{
  %me = load volatile i32, ptr @sim_current
  %state = getelementptr i32, ptr @sim_state, i32 %me
  store volatile i32 %why, ptr %state
  %place = getelementptr ptr, ptr @sim_places, i32 %me
  %home = load volatile ptr, ptr @sim_home
  call void @sim_switch(ptr %place, ptr %home)
  ret void
}}
define internal void @sim_thread() noinline {{
  %entry = load ptr, ptr @sim_entry
  call void %entry()
  call void @sim_wait(i32 {DONE})
  unreachable
}}
define void @sim_start(i32 %count) {{
entry:
  %stacks = load ptr, ptr @sim_stacks
  br label %next
next:
  %thread = phi i32 [ 0, %entry ], [ %following, %next ]
  %end = add i32 %thread, 1
  %offset = mul i32 %end, {FIBRE_STACK_BYTES}
  %stack = getelementptr i8, ptr %stacks, i32 %offset
  %return = getelementptr i8, ptr %stack, i64 -16
  store ptr @sim_thread, ptr %return
  %registers = getelementptr i8, ptr %return, i64 -48
  %place = getelementptr ptr, ptr @sim_places, i32 %thread
  store ptr %registers, ptr %place
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
; Runs a block of `count` threads, whole warps of which have a state, until all have ended (0) or none can go on (1).
define i32 @sim_run(ptr %threads, i32 %count, i1 %greedy) {{
entry:
  %rounded = add i32 %count, {WARP - 1}
  %warps = sdiv i32 %rounded, {WARP}
  br label %round
round:
  br label %thread
thread:  ; in the given order; a greedy block goes on with the first warp that can
  %k = phi i32 [ 0, %round ], [ %k.next, %thread.end ]
  %chosen = phi i32 [ -1, %round ], [ %chosen.next, %thread.end ]
  %at = getelementptr i32, ptr %threads, i32 %k
  %t = load i32, ptr %at
  %t.warp = sdiv i32 %t, {WARP}
  %t.place = getelementptr i32, ptr @sim_state, i32 %t
  %t.state = load volatile i32, ptr %t.place
  %ready = icmp eq i32 %t.state, {READY}
  %fair = xor i1 %greedy, true
  %first = icmp eq i32 %chosen, -1
  %same = icmp eq i32 %chosen, %t.warp
  %its = or i1 %first, %same
  %turn = or i1 %fair, %its
  %goes = and i1 %ready, %turn
  br i1 %goes, label %resume, label %thread.end
resume:
  store volatile i32 %t, ptr @sim_current
  %place = getelementptr ptr, ptr @sim_places, i32 %t
  %stack = load volatile ptr, ptr %place
  call void @sim_switch(ptr @sim_home, ptr %stack)
  br label %thread.end
thread.end:
  %chosen.next = phi i32 [ %chosen, %thread ], [ %t.warp, %resume ]
  %k.next = add i32 %k, 1
  %k.more = icmp slt i32 %k.next, %count
  br i1 %k.more, label %thread, label %warp
warp:  ; one whose live lanes all wait at a shuffle may go on
  %w = phi i32 [ 0, %thread.end ], [ %w.next, %warp.end ]
  %some = phi i1 [ false, %thread.end ], [ %some.next, %warp.end ]
  %lane0 = mul i32 %w, {WARP}
  %met = call i1 @sim_release(i32 %lane0, i32 {WARP}, i32 {AT_SHUFFLE})
  br label %warp.end
warp.end:
  %found = call i1 @sim_has_ready(i32 %lane0)
  %some.next = or i1 %some, %found
  %w.next = add i32 %w, 1
  %w.more = icmp slt i32 %w.next, %warps
  br i1 %w.more, label %warp, label %rest
rest:
  br i1 %some.next, label %round, label %block
block:
  %all = mul i32 %warps, {WARP}
  %released = call i1 @sim_release(i32 0, i32 %all, i32 {AT_BARRIER})
  br i1 %released, label %round, label %end
end:
  %ended = call i1 @sim_release(i32 0, i32 %all, i32 {DONE})
  %stuck = xor i1 %ended, true
  %result = zext i1 %stuck to i32
  ret i32 %result
}}
; Have all of the threads ended or come to `why`?  If so, and some wait there, they are ready.  At a shuffle none of the
; warp may have ended: what is read of such a lane is undefined.
define internal i1 @sim_release(i32 %first, i32 %count, i32 %why) noinline {{
entry:
  br label %look
look:
  %k = phi i32 [ 0, %entry ], [ %k.next, %look ]
  %all = phi i1 [ true, %entry ], [ %all.next, %look ]
  %some = phi i1 [ false, %entry ], [ %some.next, %look ]
  %t = add i32 %first, %k
  %at = getelementptr i32, ptr @sim_state, i32 %t
  %state = load i32, ptr %at
  %here = icmp eq i32 %state, %why
  %over = icmp eq i32 %state, {DONE}
  %lenient = icmp ne i32 %why, {AT_SHUFFLE}
  %allowed = and i1 %over, %lenient
  %fine = or i1 %here, %allowed
  %all.next = and i1 %all, %fine
  %some.next = or i1 %some, %here
  %k.next = add i32 %k, 1
  %more = icmp slt i32 %k.next, %count
  br i1 %more, label %look, label %decide
decide:
  %met = and i1 %all.next, %some.next
  %waited = icmp ne i32 %why, {DONE}
  %wake = and i1 %met, %waited
  br i1 %wake, label %set, label %end
set:
  %j = phi i32 [ 0, %decide ], [ %j.next, %set ]
  %u = add i32 %first, %j
  %place = getelementptr i32, ptr @sim_state, i32 %u
  %old = load i32, ptr %place
  %gone = icmp eq i32 %old, {DONE}
  %new = select i1 %gone, i32 {DONE}, i32 {READY}
  store i32 %new, ptr %place
  %j.next = add i32 %j, 1
  %j.more = icmp slt i32 %j.next, %count
  br i1 %j.more, label %set, label %end
end:
  ret i1 %met
}}
define internal i1 @sim_has_ready(i32 %first) noinline {{
entry:
  br label %look
look:
  %k = phi i32 [ 0, %entry ], [ %k.next, %look ]
  %some = phi i1 [ false, %entry ], [ %some.next, %look ]
  %t = add i32 %first, %k
  %at = getelementptr i32, ptr @sim_state, i32 %t
  %state = load i32, ptr %at
  %ready = icmp eq i32 %state, {READY}
  %some.next = or i1 %some, %ready
  %k.next = add i32 %k, 1
  %more = icmp slt i32 %k.next, {WARP}
  br i1 %more, label %look, label %end
end:
  ret i1 %some.next
}}
define i32 @sim.nvvm.read.ptx.sreg.tid.x() noinline {{
  %me = load volatile i32, ptr @sim_current
  ret i32 %me
}}
define void @sim.nvvm.barrier0() noinline {{
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
# Approximate instructions, as the C library has them: they show what a kernel computes, not how exact a GPU is.
_APPROXIMATE = """
declare float @exp2f(float)
declare float @log2f(float)
declare float @sinf(float)
declare float @cosf(float)
declare float @sqrtf(float)
define float @sim.nvvm.ex2.approx.f(float %x) {
  %y = call float @exp2f(float %x)
  ret float %y
}
define float @sim.nvvm.lg2.approx.f(float %x) {
  %y = call float @log2f(float %x)
  ret float %y
}
define float @sim.nvvm.sin.approx.f(float %x) {
  %y = call float @sinf(float %x)
  ret float %y
}
define float @sim.nvvm.cos.approx.f(float %x) {
  %y = call float @cosf(float %x)
  ret float %y
}
define float @sim.nvvm.sqrt.approx.f(float %x) {
  %y = call float @sqrtf(float %x)
  ret float %y
}
define float @sim.nvvm.rsqrt.approx.f(float %x) {
  %y = call float @sqrtf(float %x)
  %z = fdiv float 1.0, %y
  ret float %z
}
define float @sim.nvvm.div.full(float %x, float %y) {
  %z = fdiv float %x, %y
  ret float %z
}
"""
# LLVM calls this where it has merged two narrowings, the first of which is exact; it is two again.
_NARROWING = """
define half @__truncdfhf2(double %x) {
  %place = alloca float
  %first = fptrunc double %x to float
  store volatile float %first, ptr %place
  %y = load volatile float, ptr %place
  %z = fptrunc float %y to half
  ret half %z
}
"""
_REGISTERS = ("ntid.x", "ctaid.x", "nctaid.x")
_KERNEL = re.compile(r"^define ptx_kernel void @(\w+)\((.*)\)[^()]*\{$", re.MULTILINE)
_SHARED = re.compile(r"^@(\w+) = internal addrspace\(3\) global \[(\d+) x (?:<2 x (\w+)>|(\w+))\]", re.MULTILINE)
_BYTES = {"i8": 1, "i16": 2, "i32": 4, "i64": 8, "float": 4, "double": 8}


class Simulator:
    """The kernels of one module: functions `define ptx_kernel void @name(...)` whose parameters are pointers of address
    space 1 and i64, with the few machine intrinsics defined here.  One launch at a time."""

    def __init__(self, text: str) -> None:
        self.kernels = {name: len(_parameters(params)) for name, params in _KERNEL.findall(text)}
        self._engine = _compile(_host_text(text))
        self._start = self._function("sim_start", None, ctypes.c_int32)
        self._run = self._function("sim_run", ctypes.c_int32, ctypes.c_void_p, ctypes.c_int32, ctypes.c_bool)
        self._state = self._array("sim_state", ctypes.c_int32, MAX_THREADS)
        self._geometry = self._array("sim_geometry", ctypes.c_int32, 3)
        self._arguments = self._array("sim_arguments", ctypes.c_int64, MAX_PARAMETERS)
        self._shared = [
            self._array(name, ctypes.c_uint8, int(count) * (2 * _BYTES[pair] if pair else _BYTES[kind]))
            for name, count, pair, kind in _SHARED.findall(text)
        ]
        self._array("sim_stacks", ctypes.c_uint64, 1)[0] = -(-_stacks().ctypes.data // 64) * 64

    def launch(self, name: str, grid: int, block: int, arguments: Sequence[int], order: str = "forward") -> None:
        """All blocks of a kernel, one after the other; `order` is one of ORDERS (`greedy`, where a warp runs until it
        waits, finds barriers missing after reads).  SimulationError if threads hang."""
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
            self._run_block(threads, greedy)

    def close(self) -> None:
        """Free the code: nothing runs any more."""
        self._engine.close()

    def _run_block(self, threads: np.ndarray, greedy: bool) -> None:
        state = self._state
        state[:] = DONE
        self._start(len(threads))
        if self._run(threads.ctypes.data, len(threads), greedy):
            stuck = np.flatnonzero(state == AT_SHUFFLE)[:8].tolist()
            raise SimulationError(f"threads {stuck} wait for their warp, others for the block or have ended")

    def _function(self, name: str, result: Any, *arguments: Any) -> Any:
        return ctypes.CFUNCTYPE(result, *arguments)(self._engine.get_function_address(name))

    def _array(self, name: str, kind: Any, count: int) -> np.ndarray:
        """A global variable of the module as an array."""
        address = self._engine.get_global_value_address(name)
        result: np.ndarray = np.ctypeslib.as_array((kind * count).from_address(address))
        return result


class Memory:
    """Device memory: poisoned arrays between canaries.  The one behind an array is longer than any row, so that a wrong
    kernel that reads there does not end the process."""

    def __init__(self) -> None:
        self._frames: list[tuple[np.ndarray, int, int]] = []

    def array(self, shape: tuple[int, ...], dtype: Any) -> np.ndarray:
        """A new C-contiguous array at a multiple of 256 bytes, whose bytes are POISON."""
        size = int(np.prod(shape, dtype=np.int64)) * np.dtype(dtype).itemsize
        frame = np.full(2 * size + 3 * CANARY_BYTES, CANARY_VALUE, np.uint8)
        first = CANARY_BYTES + (-frame.ctypes.data) % CANARY_BYTES
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
            if (frame[:first] != CANARY_VALUE).any() or (frame[end:] != CANARY_VALUE).any():
                raise SimulationError(f"a kernel wrote outside of an array of {end - first} bytes")


@cache
def _stacks() -> np.ndarray:
    """The fibres' stacks, which every simulator uses: there is one launch at a time."""
    return np.zeros(MAX_THREADS * FIBRE_STACK_BYTES + 64, np.uint8)


def _thread_order(block: int, order: str) -> tuple[np.ndarray, bool]:
    threads = np.arange(block, dtype=np.int32)
    if order in ("reverse", "greedy"):
        threads = threads[::-1]
    if order == "shuffled":
        threads = np.random.default_rng(block).permutation(threads)
    return np.ascontiguousarray(threads), order.startswith("greedy")


def _parameters(text: str) -> list[str]:
    """The LLVM type of each parameter, of which no attribute has a comma."""
    return ["ptr addrspace(1)" if p.strip().startswith("ptr") else p.split()[0] for p in text.split(",")]


def _host_text(text: str) -> str:
    """The module for this machine: intrinsics become functions, kernels plain functions with a caller each."""
    parts = [_MACHINE]
    if "to half" in text:
        parts.append(_NARROWING)
    if ".approx." in text or ".div.full" in text:
        parts.append(_APPROXIMATE)
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
        if not line.startswith(("declare void @llvm.nvvm", "declare i32 @llvm.nvvm", "declare float @llvm.nvvm", "!"))
    ]
    body = "\n".join(lines).replace("@llvm.nvvm.", "@sim.nvvm.").replace("define ptx_kernel ", "define ")
    # Shared memory gets external names, so that it can be poisoned.
    return "".join(parts) + body.replace(" = internal addrspace(3) global", " = addrspace(3) global") + "\n"


def _compile(text: str) -> Any:
    """An engine that holds the module's code."""
    import llvmlite.binding as llvm  # type: ignore[import-untyped]

    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    llvm.initialize_native_asmparser()  # of the switch
    module = llvm.parse_assembly(text)
    module.verify()
    machine = llvm.Target.from_default_triple().create_target_machine(
        opt=0, cpu=llvm.get_host_cpu_name(), features=llvm.get_host_cpu_features().flatten(), jit=True
    )
    engine = llvm.create_mcjit_compiler(module, machine)
    engine.finalize_object()
    return engine
