"""Kernels as functions of ctypes: the module is compiled and called with arrays and numbers."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from typing import Any

import llvmlite.binding as llvm
import numpy as np

from tensordsl.codegen.kernel_ir.ir import Module
from tensordsl.codegen.kernel_ir.types import Type
from tensordsl.codegen.llvm.kernel_text import module_text

_CTYPES = {
    "i1": ctypes.c_bool, "i8": ctypes.c_int8, "i16": ctypes.c_int16, "i32": ctypes.c_int32, "i64": ctypes.c_int64,
    "f32": ctypes.c_float, "f64": ctypes.c_double, "ptr": ctypes.c_void_p,
}  # fmt: skip
_KEPT: list[Any] = []  # engines own the code


def native(module: Module, name: str) -> Callable[..., Any]:
    """The compiled function: arrays are passed as their addresses."""
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    text = module_text(module).replace("define internal", "define")
    machine = llvm.Target.from_default_triple().create_target_machine(
        cpu=llvm.get_host_cpu_name(), features=llvm.get_host_cpu_features().flatten()
    )
    engine = llvm.create_mcjit_compiler(llvm.parse_assembly(text), machine)
    engine.finalize_object()
    _KEPT.append(engine)
    s = next(f.signature for f in module.functions if f.signature.name == name)
    result = _ctype(s.result) if s.result else None
    function = ctypes.CFUNCTYPE(result, *map(_ctype, s.types))(engine.get_function_address(name))

    def call(*operands: Any) -> Any:
        return function(*(v.ctypes.data if isinstance(v, np.ndarray) else v for v in operands))

    return call


def _ctype(t: Type) -> Any:
    return _CTYPES[t.element]
