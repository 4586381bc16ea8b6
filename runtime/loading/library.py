"""The loader of the library's objects (`abi.layouts.LIBRARY`), from the disk cache or from the compiler.

`install` sets the compiler's function; each object is loaded when something first needs it and stays for the process's
life.  Parts of the loop library that calls have missed are loaded at the end of such a call (`on_missed`).
"""

from __future__ import annotations

import _thread
import ctypes
import os
from collections.abc import Callable, Iterable, Mapping
from functools import partial

from tensordsl.base.limits import require_space
from tensordsl.codegen.abi import layouts
from tensordsl.runtime.loading import cache, elf, lapack, memory
from tensordsl.runtime.loading.blas import BLAS_SPACE_BYTES, find_blas
from tensordsl.runtime.loading.layout import immortalise

_NEST = ("nest", *layouts.NEST_PARTS)


class _State:
    compile: Callable[[str], bytes] | None = None
    limits: Callable[[], Mapping[str, int]] = staticmethod(dict)
    version = ""
    changes: Callable[[str], str] = staticmethod(lambda name: "")
    table = memory.new_table()
    symbols: dict[str, int] = {}
    kernels: dict[str, dict[str, int]] = {}  # of the libraries in `abi.layouts.COMMON`
    code: dict[str, elf.Code] = {}
    cells: dict[str, ctypes.c_int64] = {}  # addresses of functions that parts of the loop library call in one another
    given_up: set[str] = set()  # parts that could not be loaded
    lock = _thread.allocate_lock()


def install(
    compile: Callable[[str], bytes],
    version: str,
    changes: Callable[[str], str] = lambda name: "",
    limits: Callable[[], Mapping[str, int]] = dict,
) -> None:
    """`compile(name)` gives the object file of a library, and `limits()` the thresholds of the machine's caches;
    `version` changes when their results would change."""
    _State.compile, _State.version, _State.changes = compile, version, staticmethod(changes)
    _State.limits = staticmethod(limits)


def table() -> int:
    """The address of the process's run-time table."""
    return ctypes.addressof(_State.table)


def lock() -> _thread.LockType:
    """The lock of everything that is made once per process; not reentrant."""
    return _State.lock


def set_entry(name: str, address: int) -> None:
    _State.table[layouts.RT[name] // 8] = address


def require(*names: str) -> None:
    """Load these libraries into the table.  Raises what the compiler raises, or elf.LoadError."""
    for name in names:
        if name not in _State.code:
            with _State.lock:
                if name not in _State.code:
                    _load(name)


def symbol(name: str) -> int:
    """The address of a function of the native library."""
    require("native")
    return _State.symbols[name]


def _load_missed() -> None:
    """Load the parts that calls have missed.  Calls without them are only slower, so a part that fails to load is given
    up, and nothing is done while another thread loads: it will be missed again."""
    at = layouts.RT["missed"] // 8
    if not _State.lock.acquire(blocking=False):
        return
    try:
        missed, _State.table[at] = _State.table[at] or 0, 0
        names = [name for k, name in enumerate(layouts.NEST_PARTS) if missed >> k & 1]
        for name in names:
            if name not in _State.code and name not in _State.given_up:
                try:
                    _load(name)
                except (ImportError, OSError, RuntimeError, MemoryError, elf.LoadError):
                    _State.given_up.add(name)
    finally:
        _State.lock.release()


def kernels(names: Iterable[str]) -> Mapping[str, int]:
    """The addresses of precompiled kernels, and of their plans, of libraries in `abi.layouts.COMMON`."""
    found: dict[str, int] = {}
    for name in names:
        require(name)
        found |= _State.kernels[name]
    return found


def plan(known: Mapping[str, int], name: str) -> tuple[list[str], list[int]] | None:
    """The names of the kernels of a precompiled plan, and its descriptor; None if there is no such plan."""
    import json

    address = known.get(name)
    return None if address is None else tuple(json.loads(ctypes.string_at(address)))


def kernel(name: str) -> int:
    """The address of a loaded precompiled kernel.  Raises elf.LoadError if there is none."""
    for found in _State.kernels.values():
        if name in found:
            return found[name]
    raise elf.LoadError(f"the library has no kernel {name}")


def address(name: str, function: str) -> int:
    """The address of a function of a library, which is loaded if necessary."""
    require(name)
    return _State.symbols[function]


def _load(name: str) -> None:
    if name != "native" and "native" not in _State.code:
        _load("native")  # it has the polls for signals
    if name in layouts.NEST_PARTS and "nest" not in _State.code:
        _load("nest")  # it has the stubs of parts that are not loaded
    key = cache.key("library", name, _State.version + _State.changes(name))
    loaded = cache.read(key, partial(_loaded, name))
    if loaded is None:
        assert _State.compile is not None, "library.install was not called"
        blob = _State.compile(name)
        loaded = _loaded(name, blob)
        cache.put(key, blob)
    code, symbols = loaded
    immortalise(code)
    if name.startswith("gemm_"):
        require_space(BLAS_SPACE_BYTES)
        blas = find_blas()
        entries = ("blas_int", "cblas_float64", "cblas_float32", "gemv_float64", "gemv_float32", "blas_threads")
        for entry, value in zip(entries, blas, strict=True):
            set_entry(entry, value)
    if called := layouts.LAPACK_OF.get(name.partition("_")[0]):
        lapack.fill(called)
        set_entry("lapack", lapack.table())
    if name in layouts.COMMON.values():
        _State.kernels[name] = symbols
    else:
        _State.symbols.update(symbols)
    for symbol in symbols:
        cell = symbol.removeprefix(layouts.WITHOUT)
        if cell in _State.cells:
            _State.cells[cell].value = symbols[symbol]
    for found in symbols.keys() & layouts.RT.keys():
        set_entry(found, symbols[found])
    _State.code[name] = code


def _loaded(name: str, blob: bytes) -> tuple[elf.Code, dict[str, int]]:
    if name in layouts.COMMON.values():
        code, [symbols] = elf.load_globals([blob])
        return code, symbols
    known = known_symbols()
    if name in _NEST:
        known |= {layouts.CACHE_LIMIT + field: elf.word(limit) for field, limit in _limits().items()}
    code, [addresses] = elf.load([(blob, layouts.LIBRARY[name])], known)
    return code, dict(zip(layouts.LIBRARY[name], addresses, strict=True))


def known_symbols() -> dict[str, bytes]:
    """The external symbols that objects of libraries may have of each other, through cells that are set as these
    load."""
    if not _State.cells:
        _State.table[layouts.RT["on_missed"] // 8] = id(_load_missed)
        names = {symbol.removeprefix(layouts.WITHOUT) for library in _NEST for symbol in layouts.LIBRARY[library]}
        names |= {layouts.POLL, layouts.HOLD, layouts.DROP, layouts.GIVE_BACK}
        _State.cells.update({name: ctypes.c_int64() for name in names})
        immortalise((_State.cells, _load_missed))
    known = {name: elf.jump(ctypes.addressof(cell)) for name, cell in _State.cells.items()}
    return {**known, "missed": elf.word(table() + layouts.RT["missed"]), layouts.TABLE: elf.word(table())}


def _limits() -> Mapping[str, int]:
    """The thresholds of the machine's caches, from the disk cache, since finding them out takes the compiler."""
    import json

    key = cache.key("limits", _State.version)
    found = cache.read(key, json.loads)
    if found is None:
        found = _State.limits()
        cache.put(key, json.dumps(dict(found)).encode())
    return found


def _after_fork() -> None:
    _State.lock = _thread.allocate_lock()
    set_entry("main_thread", _thread.get_ident())


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
