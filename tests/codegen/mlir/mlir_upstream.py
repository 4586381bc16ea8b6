"""Upstream MLIR as an independent judge: mlir-opt verifies and lowers our text, llvmlite runs what comes out."""

from __future__ import annotations

import ctypes
import glob
import shutil
import subprocess
from collections.abc import Sequence
from typing import Any

import numpy as np

# approximate-log1p=0: log1p is a call of libm, not log(1 + x).
PIPELINE = (
    "builtin.module(one-shot-bufferize{bufferize-function-boundaries allow-return-allocs-from-loops=true "
    "function-boundary-type-conversion=fully-dynamic-layout-map},func.func(convert-linalg-to-loops),"
    "expand-strided-metadata,lower-affine,convert-scf-to-cf,convert-math-to-llvm{approximate-log1p=0},"
    "convert-math-to-libm,finalize-memref-to-llvm,convert-arith-to-llvm,convert-func-to-llvm,convert-cf-to-llvm,"
    "convert-index-to-llvm,reconcile-unrealized-casts)"
)


def tool(name: str) -> str | None:
    """The path of mlir-opt or mlir-translate, newest known version first."""
    for version in ("-22", "-21", "-20", "-19", ""):
        found = shutil.which(name + version)
        if found:
            return found
    return None


AVAILABLE = tool("mlir-opt") is not None and tool("mlir-translate") is not None
REASON = "needs mlir-opt and mlir-translate (Debian: apt-get install mlir-22-tools)"


def run(arguments: Sequence[str], text: str) -> str:
    assert text.strip(), "an empty module would verify"
    done = subprocess.run(arguments, input=text, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{done.stderr}\n{text}"
    return done.stdout


def verify(text: str) -> str:
    """The text as mlir-opt reads and prints it."""
    return run([str(tool("mlir-opt"))], text)


def verify_many(texts: Sequence[str]) -> None:
    """Verify several modules in one process."""
    run([str(tool("mlir-opt")), "--split-input-file"], "\n// -----\n".join(texts))


def to_llvm(text: str) -> str:
    lowered = run([str(tool("mlir-opt")), f"--pass-pipeline={PIPELINE}"], text)
    llvm = run([str(tool("mlir-translate")), "--mlir-to-llvmir"], lowered)
    return llvm.replace(" nocreateundeforpoison", "")  # a licence to optimise that LLVM before 22 cannot read


def _descriptor(ndim: int) -> Any:
    fields = [("allocated", ctypes.c_void_p), ("aligned", ctypes.c_void_p), ("offset", ctypes.c_int64)]
    if ndim:
        fields += [("sizes", ctypes.c_int64 * ndim), ("strides", ctypes.c_int64 * ndim)]
    return type(f"Descriptor{ndim}", (ctypes.Structure,), {"_fields_": fields})


def _pass(array: np.ndarray) -> Any:
    d = _descriptor(array.ndim)()
    d.allocated = d.aligned = array.ctypes.data
    for k in range(array.ndim):
        d.sizes[k], d.strides[k] = array.shape[k], array.strides[k] // array.itemsize
    return d


def _take(d: Any, dtype: str, ndim: int) -> np.ndarray:
    shape, itemsize = tuple(d.sizes) if ndim else (), np.dtype(dtype).itemsize
    if 0 in shape:
        return np.empty(shape, dtype)
    strides = [s * itemsize for s in d.strides] if ndim else []
    low = sum(min(0, s * (n - 1)) for n, s in zip(shape, strides, strict=True))
    high = sum(max(0, s * (n - 1)) for n, s in zip(shape, strides, strict=True)) + itemsize
    raw = ctypes.string_at(d.aligned + d.offset * itemsize + low, high - low)
    return np.ndarray(shape, dtype, raw, -low, strides).copy()


class Module:
    """A module of ours, lowered by upstream and loaded.

    Its functions are called by name; `results`: dtype and rank of each.  Results are copied at once; their buffers
    belong to nobody and leak.
    """

    def __init__(self, text: str) -> None:
        import llvmlite.binding as llvm

        llvm.initialize_native_target()
        llvm.initialize_native_asmprinter()
        for library in glob.glob("/usr/lib/llvm-*/lib/libmlir_c_runner_utils.so*"):
            llvm.load_library_permanently(library)  # memrefCopy
        module = llvm.parse_assembly(to_llvm(text))
        module.verify()
        machine = llvm.Target.from_default_triple().create_target_machine(opt=1)
        self.engine = llvm.create_mcjit_compiler(module, machine)
        self.engine.finalize_object()

    def call(self, results: Sequence[tuple[str, int]], *arrays: np.ndarray, name: str = "main") -> list[np.ndarray]:
        kinds = [_descriptor(ndim) for _, ndim in results]
        result = type("Results", (ctypes.Structure,), {"_fields_": [(f"r{k}", t) for k, t in enumerate(kinds)]})()
        passed = [_pass(a) for a in arrays]
        address = self.engine.get_function_address(f"_mlir_ciface_{name}")
        count = len(passed) + bool(results)
        prototype = ctypes.CFUNCTYPE(None, *[ctypes.c_void_p] * count)
        first = [ctypes.addressof(result)] if results else []
        prototype(address)(*first, *map(ctypes.addressof, passed))
        return [_take(getattr(result, f"r{k}"), dtype, ndim) for k, (dtype, ndim) in enumerate(results)]
