"""Searches in sorted numbers: every place, and code without branches."""

from __future__ import annotations

import platform
import re

import llvmlite.binding as llvm
import numpy as np
import pytest
from scalar_kernels import target
from tuned import WIDE

import tensordsl
import tensordsl.tensor as T
from tensordsl.codegen.kernel_ir.ir import Module
from tensordsl.codegen.library.sort.binary_search import search_functions
from tensordsl.codegen.library.sort.keys import Keys
from tensordsl.codegen.llvm.kernel_text import module_text


@pytest.mark.skipif(platform.machine() != "x86_64", reason="reads the code of x86-64")
@pytest.mark.parametrize("dtype", ["float32", "float64", "int64", "uint8"])
def test_steps_branch_nowhere_but_at_the_loops_end(dtype: str) -> None:
    machine, _ = target()
    text = machine.emit_assembly(llvm.parse_assembly(module_text(Module(search_functions(Keys(dtype, WIDE))))))
    for name in ("left.8", "right.8"):
        _, _, code = text.partition(f"{name}:")
        code, _, _ = code.partition(".Lfunc_end")
        assert len(re.findall(r"^\s+j(?!mp)", code, re.MULTILINE)) <= 2


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64", "complex64", "complex128"])
def test_numbers_without_an_order(dtype: str) -> None:
    """nan is behind all others, and zeros of both signs are one."""
    rng, kinds = np.random.default_rng(1), np.array([np.nan, np.inf, -np.inf, 0.0, -0.0, 1.0, 2.0, -1.0])
    x, v = T.TensorType(dtype, (None,))("x"), T.TensorType(dtype, (None,))("v")
    f = tensordsl.function([x, v], [T.searchsorted(x, v), T.searchsorted(x, v, side="right")])
    for n in (0, 1, 2, 5, 8, 9, 64):
        for count in (0, 1, 7, 8, 9, 17):
            a, b = np.sort(rng.choice(kinds, n).astype(dtype)), rng.choice(kinds, count).astype(dtype)
            for found in (a, np.repeat(a, 2)[::2], a[n // 2 :], a[: n // 2]):
                for got, side in zip(f(found, b[::-1]), ("left", "right"), strict=True):
                    np.testing.assert_array_equal(got, np.searchsorted(found, b[::-1], side))
