"""NumPy's own LAPACK: addresses of Fortran functions of LAPACK and of BLAS's on triangles.

Contract  `find_lapack()` -> `Lapack`, by names of symbols, which a self-test confirms; `fill`: addresses for an object
          of the library into the table that native code reads (`abi.layouts.LAPACK`).
When      once per process; `key_text` is a part of cache keys, as programs have host steps where there is none.
"""

from __future__ import annotations

import ctypes
import importlib.util
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from typing import Any, NamedTuple

from tensordsl.base.limits import require_space
from tensordsl.codegen.abi import layouts
from tensordsl.runtime.loading.blas import BLAS_SPACE_BYTES
from tensordsl.runtime.loading.layout import immortalise, multiarray

# (name with {} for letter and function, bytes of its integers), which the self-test confirms.
NAMES = (
    ("scipy_{}_64_", 8),
    ("{}_64_", 8),
    ("{}$NEWLAPACK$ILP64", 8),
    ("scipy_{}_", 4),
    ("{}$NEWLAPACK", 4),
    ("{}_", 4),
)
SCIPY = "scipy.linalg.cython_lapack", "scipy.linalg.cython_blas"  # their tables of functions: plain names
KINDS = {  # of a part, and how many parts a number has
    "float32": (ctypes.c_float, 1), "float64": (ctypes.c_double, 1),
    "complex64": (ctypes.c_float, 2), "complex128": (ctypes.c_double, 2),
}  # fmt: skip


class Lapack(NamedTuple):
    """Where functions are: `address(symbol)` or 0; `int_size` is 0 if there is no LAPACK that has them all."""

    int_size: int
    address: Callable[[str], int]
    pattern: str


class _Found:
    """What the process has found; tests replace it."""

    lapack: Lapack | None = None
    table = (ctypes.c_int64 * (layouts.LAPACK_SIZE // 8))()


immortalise(_Found.table)


def find_lapack() -> Lapack:
    """NumPy's LAPACK, or one without functions.  Raises MemoryError where its self-test has no room."""
    if _Found.lapack is None:
        require_space(BLAS_SPACE_BYTES)
        _Found.lapack = next(_candidates(), Lapack(0, lambda name: 0, ""))
    return _Found.lapack


def key_text() -> str:
    """What a cache key says of the LAPACK, without a test of it: other libraries have other names."""
    for handle in _handles():
        for pattern, _ in NAMES:
            if hasattr(handle, pattern.format("dpotrf")):
                return pattern
    return find_lapack().pattern


def table() -> int:
    """The address of the table that native code reads."""
    return ctypes.addressof(_Found.table)


def fill(names: tuple[str, ...]) -> None:
    """Have functions in the table, for every dtype.  Raises OSError where there are none: a program that has no need of
    a host step in their place was compiled for a process with other libraries."""
    lapack = find_lapack()
    if not lapack.int_size:
        raise OSError("this process has no LAPACK")
    _Found.table[0] = lapack.int_size
    for name in names:
        for dtype in layouts.LAPACK_LETTERS:
            _Found.table[layouts.LAPACK[name, dtype] // 8] = lapack.address(layouts.lapack_symbol(name, dtype))


def _candidates() -> Iterator[Lapack]:
    wanted = [layouts.lapack_symbol(name, t) for name in layouts.LAPACK_NAMES for t in layouts.LAPACK_LETTERS]
    for handle in _handles():
        for pattern, size in NAMES:
            if not hasattr(handle, pattern.format("dpotrf")):
                continue
            address = cache(_of_handle(handle, pattern))
            if all(map(address, wanted)) and _works(address, size):
                yield Lapack(size, address, pattern)
    # SciPy's capsules have 32-bit integers.  SciPy is used where it is there, never required.
    if importlib.util.find_spec("scipy") is not None:
        yield from _of_scipy(wanted)


def _handles() -> Iterator[ctypes.CDLL]:
    yield ctypes.CDLL(multiarray().__file__)
    yield ctypes.CDLL(importlib.import_module("numpy.linalg._umath_linalg").__file__)  # where BLAS stands alone


def _of_handle(handle: ctypes.CDLL, pattern: str) -> Callable[[str], int]:
    def address(name: str) -> int:
        try:
            return ctypes.cast(getattr(handle, pattern.format(name)), ctypes.c_void_p).value or 0
        except AttributeError:
            return 0

    return address


def _of_scipy(wanted: list[str]) -> Iterator[Lapack]:
    try:
        capsules: dict[str, Any] = {}
        for module in SCIPY:
            capsules |= importlib.import_module(module).__pyx_capi__
    except (ImportError, AttributeError):
        return
    name_of = ctypes.PYFUNCTYPE(ctypes.c_char_p, ctypes.py_object)(("PyCapsule_GetName", ctypes.pythonapi))
    get = ctypes.PYFUNCTYPE(ctypes.c_void_p, ctypes.py_object, ctypes.c_char_p)(
        ("PyCapsule_GetPointer", ctypes.pythonapi)
    )

    def address(name: str) -> int:
        return get(capsules[name], name_of(capsules[name])) or 0 if name in capsules else 0

    if all(map(address, wanted)) and _works(address, 4):
        yield Lapack(4, address, "cython_lapack")


def _works(address: Callable[[str], int], size: int) -> bool:
    """Whether a Cholesky factor is right, and whether integers have so many bytes.

    Integers are passed as clean ones of 64 bits, of which a LAPACK with 32-bit integers reads the lower half: a wrong
    guess of the size does no harm.  What it writes over all ones tells the size: 2, the order of the minor that is
    not positive.
    """
    return all(_fits(address(layouts.lapack_symbol("potrf", t)), *KINDS[t], size) for t in layouts.LAPACK_LETTERS)


def _fits(potrf: int, kind: Any, parts: int, size: int) -> bool:
    call = ctypes.CFUNCTYPE(None, ctypes.c_char_p, *[ctypes.c_void_p] * 4, ctypes.c_int64)(potrf)
    n, written = ctypes.c_int64(2), []
    y = parts - 1  # of complex numbers the lower element has an imaginary part, and so does its factor
    for given in ((4, 6 + 2j * y, 7, 10 + y), (4, 2, 7, 1)):  # columns; the upper triangle is not read
        a, info = (kind * (4 * parts))(*_parts(given, parts)), ctypes.c_int64(-1)
        call(b"L", ctypes.addressof(n), ctypes.addressof(a), ctypes.addressof(n), ctypes.addressof(info), 1)
        written.append((list(a), info.value))
    (factor, good), (_, bad) = written
    high = 0 if size == 8 else -1 << 32
    return factor == _parts((2, 3 + 1j * y, 7, 1), parts) and (good, bad) == (high, high | 2)


def _parts(numbers: Iterable[complex], count: int) -> list[float]:
    return [part for x in numbers for part in (complex(x).real, complex(x).imag)[:count]]
