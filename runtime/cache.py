"""The disk cache of compiled code: `get(key)` and `put(key, blob)` in one private directory.

The cache holds machine code, so it trusts nothing: the directory must belong to the user and be closed to others, files
too, each file carries a checksum and the compiler's version.  Files appear by `os.replace`, so a reader sees all or
nothing.  A broken, full or forbidden cache never makes a call fail: `get` gives None, `put` False.
"""

from __future__ import annotations

import os
import stat
import sys
import time
from collections.abc import Iterable

import tensordsl.processor as processor  # `from tensordsl` would ask the package for the name first
from tensordsl.codegen.abi import ABI_VERSION, HEAD
from tensordsl.digests import blake2b

MAGIC = b"TDSLC\x00\x00\x01"
CHECKSUM = 16
SUFFIX, TEMPORARY = ".bin", ".tmp"
PUTS_BETWEEN_SWEEPS = 64  # on average
STALE = 3600.0  # seconds after which a temporary file is an orphan
TOUCH = 86400.0  # seconds after which a hit renews a file's time


class _State:
    """What `set_directory` configures, and what the process found out."""

    directory: str | None = None
    limit = 256 << 20
    usable: bool | None = None  # None: not looked at yet
    serial = 0
    salt: bytes | None = None
    compiler: str | None = None


def set_directory(path: str | os.PathLike[str] | None, limit: int | None = None) -> None:
    """Use this directory (made when needed); None switches the cache off.  `limit`: bytes."""
    try:
        _State.directory = None if path is None else os.path.abspath(os.fspath(path))
    except FileNotFoundError:  # the current directory is gone
        _State.directory = None
    _State.usable = None
    if limit is not None:
        _State.limit = limit


def key(*parts: str | bytes) -> str:
    """A file name for what is determined by the parts, the processor that code is for and our layouts."""
    if _State.salt is None:
        _State.salt = blake2b(repr((ABI_VERSION, HEAD)).encode() + processor.identity(), digest_size=32).digest()
    digest = blake2b(digest_size=20, key=_State.salt)
    for part in parts:
        data = part.encode() if isinstance(part, str) else part
        digest.update(len(data).to_bytes(8, "little"))
        digest.update(data)
    return str(digest.hexdigest())


def sources_version(directories: Iterable[str | os.PathLike[str]]) -> str:
    """Changes when a Python source in the directories changes (name, size or time)."""
    found: list[tuple[str, int, int]] = []
    for top in [os.fspath(directory) for directory in directories]:
        waiting = [top] if os.path.isdir(top) else []
        while waiting:
            with os.scandir(waiting.pop()) as entries:
                for entry in entries:
                    if entry.name.endswith(".py"):
                        status = entry.stat(follow_symlinks=False)  # editors mark a file by a link to nothing
                        found.append((entry.path[len(top) :], status.st_size, status.st_mtime_ns))
                    elif entry.name != "__pycache__" and entry.is_dir(follow_symlinks=False):
                        waiting.append(entry.path)
    found.sort()
    return str(blake2b(repr(found).encode(), digest_size=16).hexdigest())


def compiler_version() -> str:
    """llvmlite's version from its files, without importing it; "" if it is not installed."""
    if _State.compiler is None:
        _State.compiler = _read_compiler_version()
    return _State.compiler


def _read_compiler_version() -> str:
    from importlib.machinery import PathFinder

    module = sys.modules.get("llvmlite")
    origin = getattr(module, "__file__", None)
    if origin is None:
        spec = PathFinder.find_spec("llvmlite")
        origin = spec.origin if spec else None
    if not origin:
        return ""
    try:
        with open(os.path.join(os.path.dirname(origin), "_version.py"), "rb") as file:
            return str(blake2b(file.read(), digest_size=8).hexdigest())
    except OSError:
        return ""


def get(name: str) -> bytes | None:
    """The blob that was put, or None: absent, damaged, of another compiler, or somebody else could have written it."""
    if not _is_usable(create=False):
        return None
    path = os.path.join(_State.directory or "", name + SUFFIX)
    try:
        with open(path, "rb", buffering=0, opener=_open) as file:
            status = os.fstat(file.fileno())
            if not stat.S_ISREG(status.st_mode) or not _is_private(status) or status.st_size > _State.limit:
                return None
            data = file.readall()
        if abs(time.time() - status.st_mtime) > TOUCH:
            os.utime(path)
    except OSError:
        return None
    return _opened(data)


def _open(path: str, flags: int) -> int:
    return os.open(path, flags | sum(getattr(os, flag, 0) for flag in ("O_NOFOLLOW", "O_NONBLOCK")))


def put(name: str, blob: bytes) -> bool:
    """Store a blob; False if that was not possible."""
    if not _is_usable(create=True):
        return False
    _State.serial += 1
    directory = _State.directory or ""
    temporary = os.path.join(directory, f"{name}.{os.getpid()}.{_State.serial}{TEMPORARY}")
    data = _closed(blob)
    try:
        _write(temporary, data)
        os.replace(temporary, os.path.join(directory, name + SUFFIX))
    except BaseException as error:  # an interrupt too leaves no file behind
        _unlink(temporary)
        if isinstance(error, OSError):
            return False
        raise
    if _is_to_sweep(data):
        sweep()
    return True


def _is_to_sweep(data: bytes) -> bool:
    """After what is large; else by chance (its checksum): most processes put few, and a sweep asks for every file."""
    return len(data) > _State.limit // PUTS_BETWEEN_SWEEPS or data[len(MAGIC)] % PUTS_BETWEEN_SWEEPS == 0


def sweep() -> None:
    """Drop the files that were not used for longest until the cache is below three quarters of its limit, if it is
    above the limit; drop orphans.  Times to come, of a clock that was wrong, count as long ago."""
    files, now = [], time.time()
    try:
        with os.scandir(_State.directory or "") as entries:
            found = [entry for entry in entries if entry.name.endswith((SUFFIX, TEMPORARY))]
    except OSError:
        return
    for entry in found:
        try:
            status = entry.stat(follow_symlinks=False)
        except OSError:  # another process has moved it, or sweeps too
            continue
        if not stat.S_ISREG(status.st_mode):
            continue
        if entry.name.endswith(SUFFIX):
            used = status.st_mtime if status.st_mtime < now + TOUCH else 0.0
            files.append((used, status.st_size, entry.path))
        elif abs(now - status.st_mtime) > STALE:
            _unlink(entry.path)
    total = sum(size for _, size, _ in files)
    if total <= _State.limit:
        return
    for _, size, path in sorted(files):
        if total <= _State.limit * 3 // 4:
            break
        total -= size * _unlink(path)


def _unlink(path: str) -> bool:
    """Is it gone by our doing?"""
    try:
        os.unlink(path)
    except OSError:
        return False
    return True


def _closed(blob: bytes) -> bytes:
    version = compiler_version().encode()
    body = len(version).to_bytes(2, "little") + version + blob
    return MAGIC + bytes(blake2b(body, digest_size=CHECKSUM).digest()) + body


def _opened(data: bytes) -> bytes | None:
    start = len(MAGIC) + CHECKSUM
    body = data[start:]
    if data[: len(MAGIC)] != MAGIC or len(body) < 2:
        return None
    if blake2b(body, digest_size=CHECKSUM).digest() != data[len(MAGIC) : start]:
        return None
    end = 2 + int.from_bytes(body[:2], "little")
    version, now = body[2:end].decode("ascii", "replace"), compiler_version()
    return bytes(body[end:]) if now in ("", version) else None


def _write(path: str, data: bytes) -> None:
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0)
    with os.fdopen(os.open(path, flags, 0o600), "wb") as file:
        file.write(data)


def _is_private(status: os.stat_result) -> bool:
    return status.st_uid == os.getuid() and not status.st_mode & (stat.S_IWGRP | stat.S_IWOTH)


def _is_usable(create: bool) -> bool:
    """Is the directory there, ours, and closed to others?  Looked at once per process; made if `create`."""
    directory = _State.directory
    if directory is None or not hasattr(os, "getuid"):
        return False
    if _State.usable is not None:
        return _State.usable
    try:
        status = os.lstat(directory)
    except FileNotFoundError:
        if not create:
            return False  # may be made later
        try:
            os.makedirs(directory, mode=0o700, exist_ok=True)
            status = os.lstat(directory)
        except OSError:
            _State.usable = False
            return False
    except OSError:
        _State.usable = False
        return False
    _State.usable = stat.S_ISDIR(status.st_mode) and _is_private(status)
    return _State.usable
