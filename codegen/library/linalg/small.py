"""Own code for small matrices: where a call of LAPACK costs more than the work.

Contract  `is_small` says for which sizes `small_text` has functions, which do a run of matrices at equal steps.
"""

from __future__ import annotations

from tensordsl.codegen.llvm.builder import Asm
from tensordsl.codegen.target.tuning import Tuning


def is_small(f: Asm, tuning: Tuning, function: str, n: str, k: str) -> str:
    """i1: whether matrices of n rows, with k right-hand sides, are done by functions of `small_text`."""
    return "false"


def small_text(function: str, kind: str, tuning: Tuning) -> str:
    """Definitions of the functions that an object calls."""
    return ""
