"""NumPy's own BLAS: addresses of its cblas gemm and gemv, so that a process has one BLAS and one thread pool.

`find_blas` -> `Blas`, by symbol names in NumPy's extension module and its dependencies; a self-test decides.
"""

from __future__ import annotations

import ctypes
import os
from typing import Any, NamedTuple

from tensordsl.runtime.loading.layout import multiarray

# (name with {} for the type's letter, bytes of its integers), which the self-test confirms.
NAMES = (
    ("scipy_cblas_{}gemm64_", 8),
    ("cblas_{}gemm64_", 8),
    ("cblas_{}gemm$NEWLAPACK$ILP64", 8),
    ("cblas_{}gemm_64", 8),
    ("scipy_cblas_{}gemm", 4),
    ("cblas_{}gemm$NEWLAPACK", 4),
    ("cblas_{}gemm", 4),
)
BLAS_SPACE_BYTES = 5 << 23  # that a BLAS may allocate at its first call; without them OpenBLAS ends the process
THREAD_COUNTS = (
    "scipy_openblas_get_num_threads64_", "scipy_openblas_get_num_threads", "openblas_get_num_threads64_",
    "openblas_get_num_threads", "MKL_Get_Max_Threads",
)  # fmt: skip
ROW_MAJOR, NO_TRANS, TRANS = 101, 111, 112  # CBLAS_LAYOUT, CBLAS_TRANSPOSE


class Blas(NamedTuple):
    """Addresses of cblas gemm and gemv; `int_size` is 4 or 8, 0 if there is none; `threads` that it uses."""

    int_size: int
    float64: int
    float32: int
    gemv64: int = 0  # 0: only products of matrices
    gemv32: int = 0
    threads: int = 1


def find_blas(handle: ctypes.CDLL | None = None) -> Blas:
    """Probe NumPy's extension module and what it was linked with."""
    handle = handle or ctypes.CDLL(multiarray().__file__)
    for pattern, size in NAMES:
        try:
            functions = [getattr(handle, pattern.format(letter)) for letter in "ds"]
        except AttributeError:
            continue
        if all(_works(f, kind) for f, kind in zip(functions, (ctypes.c_double, ctypes.c_float), strict=True)):
            double, single = map(_address, functions)
            return Blas(size, double, single, *_gemv(handle, pattern.replace("gemm", "gemv")), _threads(handle))
    return Blas(0, 0, 0)


def _threads(handle: ctypes.CDLL) -> int:
    """The number of threads of the BLAS; that of the machine's cores where it has no function for it."""
    for name in THREAD_COUNTS:
        if hasattr(handle, name):
            return max(1, int(getattr(handle, name)()))
    return os.cpu_count() or 1


def _address(function: Any) -> int:
    return ctypes.cast(function, ctypes.c_void_p).value or 0


def _gemv(handle: ctypes.CDLL, pattern: str) -> tuple[int, int]:
    try:
        functions = [getattr(handle, pattern.format(letter)) for letter in "ds"]
    except AttributeError:
        return 0, 0
    works = all(_gemv_works(f, kind) for f, kind in zip(functions, (ctypes.c_double, ctypes.c_float), strict=True))
    return (_address(functions[0]), _address(functions[1])) if works else (0, 0)


def _gemv_works(function: Any, kind: Any) -> bool:
    """y = 2 A' x + y for a 2x3 matrix, with distances between rows and between elements."""
    integer, pointer = ctypes.c_int64, ctypes.c_void_p
    head = [ctypes.c_int] * 2 + [integer] * 2
    prototype = ctypes.CFUNCTYPE(None, *head, kind, pointer, integer, pointer, integer, kind, pointer, integer)
    a, x, y = (kind * 8)(1, 2, 3, 99, 4, 5, 6, 99), (kind * 3)(1, 99, 2), (kind * 3)(10, 20, 30)
    given = (ROW_MAJOR, TRANS, 2, 3, 2.0, ctypes.addressof(a), 4, ctypes.addressof(x), 2, 1.0, ctypes.addressof(y), 1)
    prototype(_address(function))(*given)
    return list(y) == [28, 44, 60]


def _works(function: Any, kind: Any) -> bool:
    """C = 2 A B' + C for a 2x3 and a 2x3 matrix, with leading dimensions larger than needed.

    Integers are always passed as clean 64-bit ones: in registers and 8-byte stack slots a 4-byte BLAS reads the lower
    half, so a wrong guess of the size does no harm.
    """
    integer = ctypes.c_int64
    prototype = ctypes.CFUNCTYPE(
        None, *[ctypes.c_int] * 3, *[integer] * 3, kind, ctypes.c_void_p, integer, ctypes.c_void_p, integer, kind,
        ctypes.c_void_p, integer,
    )  # fmt: skip
    a = (kind * 8)(1, 2, 3, 99, 4, 5, 6, 99)
    b = (kind * 10)(1, 0, 2, 99, 99, 0, 1, 1, 99, 99)
    c = (kind * 6)(10, 20, 77, 30, 40, 77)
    call = prototype(_address(function))
    call(
        ROW_MAJOR,
        NO_TRANS,
        TRANS,
        2,
        2,
        3,
        2.0,
        ctypes.addressof(a),
        4,
        ctypes.addressof(b),
        5,
        1.0,
        ctypes.addressof(c),
        3,
    )
    return list(c) == [24, 30, 77, 62, 62, 77]
