"""The same mathematics compiled for other machines: objects for every target, none of which needs a library."""

from __future__ import annotations

import struct

import llvmlite.binding as llvm
import pytest
from scalar_kernels import kernel_text

from tensordsl.codegen.scalar_ir.math import FUNCTIONS

# name -> (triple, cpu, features, bytes of a vector, instruction set of `Code`)
TARGETS = {
    "avx2": ("x86_64-unknown-linux-gnu", "haswell", "", 32, "avx2"),
    "avx512": ("x86_64-unknown-linux-gnu", "skylake-avx512", "", 64, "avx512"),
    "neon": ("aarch64-unknown-linux-gnu", "neoverse-n1", "", 16, ""),
    "apple": ("aarch64-unknown-linux-gnu", "apple-m1", "", 16, ""),
    "sve": ("aarch64-unknown-linux-gnu", "neoverse-v1", "+sve", 32, ""),
}


def object_of(target, name, dtype):
    triple, cpu, features, size, isa = TARGETS[target]
    llvm.initialize_all_targets()
    llvm.initialize_all_asmprinters()
    machine = llvm.Target.from_triple(triple).create_target_machine(
        cpu=cpu, features=features, opt=1, reloc="pic", codemodel="small"
    )
    W = 2 * size // {"float64": 8, "float32": 4}[dtype]
    text, _ = kernel_text([dtype] * FUNCTIONS[name].arity, lambda b, *x: b.call(name, *x), W, isa=isa)
    module = llvm.parse_assembly(text)
    module.triple, module.data_layout = triple, str(machine.target_data)
    return machine.emit_object(module)


def undefined_symbols(data):
    """Names in the symbol table of an ELF64 object that have no section."""
    (offset,) = struct.unpack_from("<Q", data, 0x28)
    entry, count = struct.unpack_from("<HH", data, 0x3A)
    sections = [struct.unpack_from("<IIQQQQIIQQ", data, offset + i * entry) for i in range(count)]
    names = []
    for _, kind, _, _, start, length, link, _, _, size in sections:
        if kind == 2:  # SHT_SYMTAB
            strings = sections[link][4]
            for at in range(start + size, start + length, size):  # the first is the null symbol
                name, _, _, section = struct.unpack_from("<IBBH", data, at)
                if section == 0:
                    names.append(data[strings + name : data.index(b"\0", strings + name)].decode())
    return names


@pytest.mark.parametrize("target", TARGETS)
def test_objects_need_no_library(target):
    for name in FUNCTIONS:
        for dtype in ("float64", "float32"):
            data = object_of(target, name, dtype)
            assert undefined_symbols(data) == [], (name, dtype)


def test_an_undefined_symbol_is_found():
    llvm.initialize_all_targets()
    llvm.initialize_all_asmprinters()
    machine = llvm.Target.from_triple("aarch64-unknown-linux-gnu").create_target_machine()
    module = llvm.parse_assembly("declare double @sin(double)\ndefine double @k(double %x) {\n"
                                 "  %y = call double @sin(double %x)\n  ret double %y\n}\n")  # fmt: skip
    assert undefined_symbols(machine.emit_object(module)) == ["sin"]
