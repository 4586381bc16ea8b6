"""Matrix products by NVIDIA's cuBLAS, where its wheel or a CUDA toolkit is installed.

`on_columns` makes C = A B of rows C' = B' A' of columns, in the same memory; `Cublas` calls the library.  TF32 is
off, with one workspace and one stream, so that results are the same bits from run to run on one card.
Ref: docs.nvidia.com/cuda/cublas.
"""

from __future__ import annotations

import ctypes
import importlib.util
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tensordsl.base.errors import DeviceError, DeviceLostError, DeviceMemoryError, LaunchError
from tensordsl.base.records import record

NAMES = ("libcublas.so.13", "libcublas.so.12")
WORKSPACE_BYTES = 32 << 20  # NVIDIA's recommendation for sm_90
MIN_MULTIPLICATIONS = 1 << 18  # smaller products cost a launch
INT32_END = 1 << 31  # of lengths

_i, _p, _d = ctypes.c_int, ctypes.c_void_p, ctypes.c_uint64  # _d: an address of the device
_GEMM = (_p, _i, _i, _i, _i, _i, _p, _d, _i, _d, _i, _p, _d, _i)
_l = ctypes.c_longlong
_GEMMS = (_p, _i, _i, _i, _i, _i, _p, _d, _i, _l, _d, _i, _l, _p, _d, _i, _l, _i)
# name -> types of the parameters; all give a cublasStatus_t
FUNCTIONS: dict[str, tuple[Any, ...]] = {
    "cublasCreate_v2": (_p,), "cublasSetStream_v2": (_p, _p), "cublasSetWorkspace_v2": (_p, _d, ctypes.c_size_t),
    "cublasSgemm_v2": _GEMM, "cublasDgemm_v2": _GEMM,
    "cublasSgemmStridedBatched": _GEMMS, "cublasDgemmStridedBatched": _GEMMS,
}  # fmt: skip
SCALAR: dict[str, Any] = {"float32": ctypes.c_float, "float64": ctypes.c_double}
STATUS: dict[int, tuple[str, type[DeviceError]]] = {
    1: ("not initialized", LaunchError), 3: ("out of memory", DeviceMemoryError), 7: ("invalid value", LaunchError),
    8: ("architecture not supported", LaunchError), 13: ("execution failed", DeviceLostError),
    14: ("internal error", DeviceLostError), 15: ("not supported", LaunchError),
}  # fmt: skip


@record
class Product:
    """c = alpha op(a) op(b) + beta c on columns.  `sizes`: rows of c, columns of c, terms of a sum; `transposed`: of a,
    of b; `places`: addresses of a, b, c; `steps`: elements from one column to the next of each.  `count`: of products;
    `batch_strides`: elements from one product's a, b and c to the next one's."""

    dtype: str
    sizes: tuple[int, int, int]
    transposed: tuple[bool, bool]
    places: tuple[int, int, int]
    steps: tuple[int, int, int]
    alpha: float
    beta: float
    count: int = 1
    batch_strides: tuple[int, int, int] = (0, 0, 0)


def on_columns(
    dtype: str,
    sizes: tuple[int, int, int],
    places: tuple[int, int, int],
    a_strides: Sequence[int],
    b_strides: Sequence[int],
    ldc: int,
    alpha: float,
    beta: float,
    several: Sequence[int] = (),
) -> Product | None:
    """C[m, n] = alpha A[m, k] B[k, n] + beta C, strides in elements and rows of C contiguous, as cuBLAS takes it; None
    if it does not (strides of both axes, reversed, broadcast), or is not worth it (small, a single row or column).
    several: the number of products, and elements from one's operands to the next one's."""
    m, n, k = sizes
    count, a_step, b_step = several or (1, 0, 0)
    if (
        dtype not in SCALAR
        or min(m, n) < 2
        or count * m * n * k < MIN_MULTIPLICATIONS
        or max(m, n, k, ldc, count) >= INT32_END
    ):
        return None
    if min(a_step, b_step) < 0:
        return None
    first, second = _step(n, k, b_strides[1], b_strides[0]), _step(k, m, a_strides[1], a_strides[0])
    if first is None or second is None:
        return None
    a, b, c = places
    transposed, steps = (first[0], second[0]), (first[1], second[1], ldc)
    batch_strides = (b_step, a_step, m * ldc if several else 0)
    return Product(dtype, (n, m, k), transposed, (b, a, c), steps, alpha, beta, count, batch_strides)


def _step(rows: int, columns: int, row_step: int, column_step: int) -> tuple[bool, int] | None:
    """(whether it is transposed in memory, elements from column to column there)."""
    if row_step == 1 and rows <= column_step < INT32_END:
        return False, column_step
    if column_step == 1 and columns <= row_step < INT32_END:
        return True, row_step
    return None


class Cublas:
    """A handle of cuBLAS in the context and stream of a driver.  Raises subclasses of DeviceError."""

    def __init__(self, driver: Any, library: Any) -> None:
        self._driver = driver
        self._functions = {name: getattr(library, name) for name in FUNCTIONS}
        for name, function in self._functions.items():
            function.argtypes, function.restype = FUNCTIONS[name], _i
        handle = ctypes.c_uint64()
        self._run("cublasCreate_v2", ctypes.addressof(handle))
        self._handle = handle.value
        self._run("cublasSetStream_v2", self._handle, driver.stream)
        self._run("cublasSetWorkspace_v2", self._handle, driver.alloc(WORKSPACE_BYTES), WORKSPACE_BYTES)

    def multiply(self, product: Product) -> None:
        """Start a product."""
        scalar = SCALAR[product.dtype]
        alpha, beta = scalar(product.alpha), scalar(product.beta)
        letter, one = "S" if product.dtype == "float32" else "D", product.count == 1
        a, b, c = zip(product.places, product.steps, *(() if one else (product.batch_strides,)), strict=True)
        self._run(
            f"cublas{letter}gemm" + ("_v2" if one else "StridedBatched"), self._handle,
            *map(int, product.transposed), *product.sizes,
            ctypes.addressof(alpha), *a, *b, ctypes.addressof(beta), *c, *(() if one else (product.count,)),
        )  # fmt: skip

    def _run(self, name: str, *arguments: Any) -> None:
        status = self._driver.within(self._functions[name], *arguments)
        if status:
            words, kind = STATUS.get(status, ("unknown error", LaunchError))
            raise kind(f"{name} failed: {words} (cublasStatus_t {status}).")


class WithCublas:
    """The mixin of NVIDIA's drivers that multiplies matrices; `library`: instead of the installed one, for tests."""

    library: Any = None
    _opened: tuple[Cublas | None] | None = None

    def has_products(self) -> bool:
        """Whether `multiply` may be used: cuBLAS is installed, works, and `config.cublas` allows it."""
        from tensordsl.base.config import config

        if config.cublas and self._opened is None:
            self._opened = (open_cublas(self, self.library or load_library()),)
        return bool(config.cublas and self._opened and self._opened[0])

    def multiply(self, product: Product) -> None:
        """Start a product that `on_columns` made."""
        assert self._opened is not None and self._opened[0] is not None
        self._opened[0].multiply(product)


def open_cublas(driver: Any, library: Any) -> Cublas | None:
    """cuBLAS for a driver; None without the library, and with a warning if it does not work."""
    if library is None:
        return None
    try:
        return Cublas(driver, library)
    except (DeviceError, AttributeError) as error:
        warnings.warn(f"cuBLAS is installed but cannot be used: {error} Our own kernels are used.", stacklevel=2)
        return None


def load_library() -> Any:
    """cuBLAS of NVIDIA's wheel (nvidia-cublas, nvidia-cublas-cu12), else the system's; None if there is none."""
    found = importlib.util.find_spec("nvidia")
    roots = [Path(root) for root in (found.submodule_search_locations or ())] if found else []
    for name in NAMES:
        for path in (*(p for root in roots for p in sorted(root.glob(f"*/lib/{name}"))), Path(name)):
            try:
                if path.parent.name:  # of the wheel, which has the library's dependency in the same folder
                    ctypes.CDLL(str(path.with_name(name.replace("cublas", "cublasLt"))), ctypes.RTLD_GLOBAL)
                return ctypes.CDLL(str(path))
            except OSError:
                continue
    return None
