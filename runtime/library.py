"""Loads the library objects of `codegen.abi.LIBRARY` into the process, from the disk cache or from the compiler.

`install` says how to compile one; each is loaded when something first needs it and stays for the process's life.
"""

from __future__ import annotations

import _thread
import ctypes
import os
from collections.abc import Callable, Mapping

from tensordsl.codegen import abi
from tensordsl.runtime import cache, elf, memory
from tensordsl.runtime.blas import find_blas
from tensordsl.runtime.layout import immortalise


class _State:
    compile: Callable[[str], bytes] | None = None
    version = ""
    table = memory.new_table()
    symbols: dict[str, int] = {}
    kernels: dict[str, int] = {}  # of `abi.COMMON`
    code: dict[str, elf.Code] = {}
    lock = _thread.allocate_lock()


def install(compile: Callable[[str], bytes], version: str) -> None:
    """`compile(name)` gives the object file of a library; `version` changes when what it would give changes."""
    _State.compile, _State.version = compile, version


def table() -> int:
    """The address of the process's run-time table."""
    return ctypes.addressof(_State.table)


def lock() -> _thread.LockType:
    """Guards what is made once per process; not to be taken twice by a thread."""
    return _State.lock


def set_entry(name: str, address: int) -> None:
    _State.table[abi.RT[name] // 8] = address


def require(*names: str) -> None:
    """Have these libraries in the table.  Raises what the compiler raises, or elf.LoadError."""
    for name in names:
        if name not in _State.code:
            with _State.lock:
                if name not in _State.code:
                    _load(name)


def symbol(name: str) -> int:
    """The address of a function of the native library."""
    require("native")
    return _State.symbols[name]


def kernels() -> Mapping[str, int]:
    """The addresses of the kernels that many programs have, and of their plans, by name (`codegen.common`)."""
    require(abi.COMMON)
    return _State.kernels


def plan(name: str) -> tuple[list[str], list[int]] | None:
    """The names of the kernels of a plan of these, and its descriptor; None if there is no such plan."""
    import json

    address = kernels().get(name)
    return None if address is None else tuple(json.loads(ctypes.string_at(address)))


def kernel(name: str) -> int:
    """The address of one of these.  Raises elf.LoadError if there is none."""
    if name not in kernels():
        raise elf.LoadError(f"the library has no kernel {name}")
    return _State.kernels[name]


def address(name: str, function: str) -> int:
    """The address of a function of a library that is there."""
    require(name)
    return _State.symbols[function]


def _load(name: str) -> None:
    key = cache.key("library", name, _State.version)
    blob = cache.get(key)
    try:
        loaded = _loaded(name, blob) if blob is not None else None
    except elf.LoadError:
        loaded = None
    if loaded is None:
        assert _State.compile is not None, "library.install was not called"
        blob = _State.compile(name)
        loaded = _loaded(name, blob)
        cache.put(key, blob)
    code, symbols = loaded
    immortalise(code)
    if name.startswith("gemm_"):
        blas = find_blas()
        entries = ("blas_int", "cblas_float64", "cblas_float32", "gemv_float64", "gemv_float32", "blas_threads")
        for entry, value in zip(entries, blas, strict=True):
            set_entry(entry, value)
    (_State.kernels if name == abi.COMMON else _State.symbols).update(symbols)
    for found in symbols.keys() & abi.RT.keys():
        set_entry(found, symbols[found])
    _State.code[name] = code


def _loaded(name: str, blob: bytes) -> tuple[elf.Code, dict[str, int]]:
    if name == abi.COMMON:
        code, [symbols] = elf.load_whole([blob])
        return code, symbols
    code, [addresses] = elf.load([(blob, abi.LIBRARY[name])])
    return code, dict(zip(abi.LIBRARY[name], addresses, strict=True))


def _after_fork() -> None:
    _State.lock = _thread.allocate_lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
