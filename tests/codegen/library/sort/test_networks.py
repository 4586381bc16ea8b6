"""Sorting in registers: every width, every number of registers, by zeros and ones (which prove a network) and numbers."""

from __future__ import annotations

import ctypes

import numpy as np
import pytest

from tensordsl.codegen.kernel_ir.ir import Module
from tensordsl.codegen.kernel_ir.types import INTEGER_OF_BYTES
from tensordsl.codegen.library.sort import networks
from tensordsl.codegen.llvm.compile import compile_object
from tensordsl.codegen.llvm.kernel_text import module_text
from tensordsl.runtime.loading import elf


@pytest.mark.parametrize("bits", [16, 32, 64])
@pytest.mark.parametrize(("lanes", "registers"), [(2, 2), (4, 2), (4, 4), (8, 8), (16, 4), (2, 8), (4, 16), (8, 1)])
def test_a_block_is_sorted_whatever_stands_in_it(bits: int, lanes: int, registers: int) -> None:
    text = module_text(Module([networks.block("sort", INTEGER_OF_BYTES[bits // 8].of(lanes), registers)]))
    code, [[address]] = elf.load([(compile_object(text.replace("define internal", "define")), ("sort",))])
    sort = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_void_p)(address)
    rng, size = np.random.default_rng(0), lanes * registers
    limits = np.iinfo(f"int{bits}")
    for k in range(200):
        a = (
            rng.integers(0, 2, size)
            if k % 2
            else rng.integers(limits.min, limits.max, size, f"int{bits}", endpoint=True)
        )
        a = a.astype(f"int{bits}")
        b = np.empty_like(a)
        sort(a.ctypes.data, b.ctypes.data)
        np.testing.assert_array_equal(b, np.sort(a))
    assert code is not None
