"""glibc's vector mathematics in a loop like ours, as a peer."""

from __future__ import annotations

import ctypes
from functools import cache
from typing import Any

import llvmlite.binding as llvm

from tensordsl.codegen.scalar_ir.math import FUNCTIONS

C_NAMES = {
    "arcsin": "asin", "arccos": "acos", "arctan": "atan", "arctan2": "atan2", "arcsinh": "asinh", "arccosh": "acosh",
    "arctanh": "atanh",
}  # fmt: skip
LOOP = """declare {v} @{symbol}({types})
define void @k(ptr %out, {pointers}, i64 %n) {{
entry:
  br label %loop
loop:
  %i = phi i64 [ 0, %entry ], [ %next, %loop ]
{loads}  %y = call {v} @{symbol}({operands})
  %p = getelementptr {t}, ptr %out, i64 %i
  store {v} %y, ptr %p, align 4
  %next = add i64 %i, {lanes}
  %more = icmp ult i64 %next, %n
  br i1 %more, label %loop, label %done
done:
  ret void
}}
"""


@cache
def library() -> ctypes.CDLL | None:
    try:
        return ctypes.CDLL("libmvec.so.1")
    except OSError:
        return None


@cache
def _compiler() -> tuple[Any, Any]:
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    cpu, features = llvm.get_host_cpu_name(), llvm.get_host_cpu_features().flatten()
    target = llvm.Target.from_triple(llvm.get_process_triple())
    machines = [target.create_target_machine(cpu=cpu, features=features, opt=2, reloc="pic", jit=True) for _ in "12"]
    return machines[0], llvm.create_lljit_compiler(machines[1], use_jit_link=False)


@cache
def libmvec_loop(name: str, dtype: str, avx512: bool = True) -> Any:
    """k(out, in..., n), n a multiple of the lanes of 512 (256) bits, and what keeps it alive; None where there is no
    such function."""
    t, letter = "double" if dtype == "float64" else "float", "e" if avx512 else "d"
    lanes = (64 if avx512 else 32) // (8 if dtype == "float64" else 4)
    arity = FUNCTIONS[name].arity
    c_name = C_NAMES.get(name, name) + ("" if dtype == "float64" else "f")
    symbol = f"_ZGV{letter}N{lanes}{'v' * arity}_{c_name}"
    found = library()
    if found is None or not hasattr(found, symbol):
        return None
    if not llvm.get_host_cpu_features().get("avx512f" if avx512 else "avx2"):
        return None
    v = f"<{lanes} x {t}>"
    text = LOOP.format(
        v=v, t=t, lanes=lanes, symbol=symbol, types=", ".join([v] * arity),
        pointers=", ".join(f"ptr %in{i}" for i in range(arity)), operands=", ".join(f"{v} %x{i}" for i in range(arity)),
        loads="".join(
            f"  %p{i} = getelementptr {t}, ptr %in{i}, i64 %i\n  %x{i} = load {v}, ptr %p{i}, align 4\n"
            for i in range(arity)
        ),
    )  # fmt: skip
    machine, jit = _compiler()
    module = llvm.parse_assembly(text)
    module.triple, module.data_layout = llvm.get_process_triple(), str(machine.target_data)
    address = ctypes.cast(getattr(found, symbol), ctypes.c_void_p).value
    builder = llvm.JITLibraryBuilder().add_object_img(machine.emit_object(module)).export_symbol("k")
    tracker = builder.import_symbol(symbol, address).link(jit, f"libmvec_{symbol}")
    return ctypes.CFUNCTYPE(None, *[ctypes.c_void_p] * (arity + 1), ctypes.c_int64)(tracker["k"]), tracker
