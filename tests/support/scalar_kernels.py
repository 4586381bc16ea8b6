"""Compiles a DAG over arrays with a plain loop, for tests and tools of the scalar emitter alone."""

from __future__ import annotations

import ctypes
import itertools
from collections.abc import Callable
from functools import cache
from typing import Any

import llvmlite.binding as llvm
import numpy as np

from tensordsl.codegen.llvm.emit_scalars import Code, emit, load, memory_type, store
from tensordsl.codegen.scalar_ir.builder import Builder, Val
from tensordsl.codegen.scalar_ir.math import FUNCTIONS

_names = itertools.count()


@cache
def target(cpu: str = "") -> tuple[Any, Any]:
    """(machine, jit) for this machine, or for a processor by name that it is compatible with."""
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    features = "" if cpu else llvm.get_host_cpu_features().flatten()

    def machine() -> Any:
        return llvm.Target.from_triple(llvm.get_process_triple()).create_target_machine(
            cpu=cpu or llvm.get_host_cpu_name(), features=features, opt=2, reloc="pic", jit=True
        )

    return machine(), llvm.create_lljit_compiler(machine(), use_jit_link=False)


def kernel_text(
    types: list[str], make: Callable[..., Val], W: int, inline: int = 4, isa: str | None = None
) -> tuple[str, str]:
    """(module text, result type) of k(ptr out, ptr in..., i64 n): n a multiple of W."""
    b, code = Builder(), Code(inline=inline, isa=isa)
    params = [b.param(f"p{i}", t) for i, t in enumerate(types)]
    root = make(b, *params)
    env: dict[int, str] = {}
    for i, p in enumerate(params):
        at = code.op(f"getelementptr {memory_type(p.type)}, ptr %in{i}, i64 %i")
        env[id(p)] = load(code, at, p.type, W)
    emit(code, [root], env, W)
    at = code.op(f"getelementptr {memory_type(root.type)}, ptr %out, i64 %i")
    store(code, env[id(root)], at, root.type, W)
    arguments = ", ".join(f"ptr %in{i}" for i in range(len(types)))
    text = f"""define void @k(ptr %out, {arguments}, i64 %n) {{
entry:
  br label %loop
loop:
  %i = phi i64 [ 0, %entry ], [ %next, %{"loop" if code.block == "entry" else code.block} ]
{code.text}
  %next = add i64 %i, {W}
  %end = icmp uge i64 %next, %n
  br i1 %end, label %done, label %loop
done:
  ret void
}}
"""
    return "\n".join([*code.declarations.values(), *code.functions.values(), text]), root.type


class Kernel:
    """A compiled DAG: call it with arrays of one length."""

    def __init__(
        self, types: list[str], make: Callable[..., Val], W: int, inline: int = 4, isa: str | None = None, cpu: str = ""
    ) -> None:
        machine, jit = target(cpu)
        self.text, self.type = kernel_text(types, make, W, inline, isa)
        self.types, self.W = types, W
        module = llvm.parse_assembly(self.text)
        module.triple, module.data_layout = llvm.get_process_triple(), str(machine.target_data)
        self.object = machine.emit_object(module)
        self.assembly = lambda: machine.emit_assembly(module)
        library = llvm.JITLibraryBuilder().add_object_img(self.object).export_symbol("k")
        self._tracker = library.link(jit, f"kernel{next(_names)}")
        self.function = ctypes.CFUNCTYPE(None, *[ctypes.c_void_p] * (len(types) + 1), ctypes.c_int64)(
            self._tracker["k"]
        )

    def __call__(self, *arrays: Any) -> Any:
        arrays = tuple(np.asarray(a, t) for a, t in zip(arrays, self.types, strict=True))
        n = arrays[0].size
        padded = -(-n // self.W) * self.W
        ins = [np.resize(a, padded) if n else a for a in arrays]
        out = np.empty(padded, self.type)
        if n:
            self.function(out.ctypes.data, *(a.ctypes.data for a in ins), padded)
        return out[:n]


@cache
def math_kernel(name: str, dtype: str, W: int, inline: int = 4, isa: str | None = None, cpu: str = "") -> Kernel:
    return Kernel([dtype] * FUNCTIONS[name].arity, lambda b, *x: b.call(name, *x), W, inline, isa, cpu)
