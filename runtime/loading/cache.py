"""The disk cache of compiled code: `get(key)` and `put(key, blob)` in one private directory.

It holds machine code, so it trusts nothing: directory and files must belong to the (effective) user and be closed to
others; a checksum covers the compiler's version, the content and the name.  Files appear by `os.replace`: a reader
sees all or nothing.  A damaged, full or forbidden cache never fails a call: `get`, `read` give None, `put` False.
"""

from __future__ import annotations

import os
import stat
import sys
import time
from collections.abc import Callable, Iterable
from typing import TypeVar

import tensordsl.base.processor as processor  # `from tensordsl` would look in the package for the name first
from tensordsl.base.digests import blake2b
from tensordsl.codegen.abi.layouts import ABI_VERSION, HEAD

MAGIC = b"TDSLC\x00\x00\x02"
CHECKSUM_BYTES = 16
SUFFIX, TEMPORARY = ".bin", ".tmp"
PUTS_BETWEEN_SWEEPS = 64  # puts, on average
STALE_SECONDS = 3600.0  # then a temporary file is an orphan
TOUCH_SECONDS = 86400.0  # then a hit renews a file's time
SETTLED_SECONDS = 3.0  # then a file that is written again has another time, on every file system
Value = TypeVar("Value")
Stamp = tuple[str, int, int, int]  # of a file: name, inode, size, time of change


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


def key(kind: str, *parts: str | bytes) -> str:
    """A file name for what of its kind is determined by the parts, the processor that code is for and our layouts."""
    if _State.salt is None:
        _State.salt = blake2b(repr((ABI_VERSION, HEAD)).encode() + processor.identity(), digest_size=32).digest()
    digest = blake2b(digest_size=20, key=_State.salt)
    for part in (kind, *parts):
        data = part.encode() if isinstance(part, str) else part
        digest.update(len(data).to_bytes(8, "little"))
        digest.update(data)
    return str(digest.hexdigest())


def sources_version(
    directories: Iterable[str | os.PathLike[str]], packages: Iterable[str | os.PathLike[str]], loaded: float
) -> str:
    """The digest of the contents of the Python sources in the directories, and in the packages without what is below.
    `loaded`: when the process began to load them, in seconds since the epoch.

    All are read once per installation; the cache has the digest by the files' names, inodes, sizes and times of the
    last change (ctime), which cannot be set: a source that was edited and given its old size and mtime (`touch -r`) has
    another one, unless the system's clock was set back.  A file that has changed in the last seconds may change once
    more without one, so the digest is not kept then.  Bytecode that Python runs in a source's place, as it has the
    source's size and mtime, though it is older than the last change, is part of the digest, too.

    Where a source has changed since `loaded`, the process may run what it was before; its version is that of no other
    process.  Not noticed: edits after this.  The process goes on with what it has loaded.
    """
    start, sources = time.time(), _stamps(directories, packages)
    newest = max((stamp[-1] for stamp in sources), default=0) / 1e9
    if newest > loaded:
        return os.urandom(16).hex()
    name = key("sources", repr((sys.implementation.cache_tag, sys.flags.optimize, sys.pycache_prefix, sources)))
    version = read(name, bytes.decode)
    if version is not None:
        return version
    stale = _stale_bytecode(sources)
    if stale:
        name = key("sources", repr((sources, stale)))
        version = read(name, bytes.decode)
    if version is None:
        version = _contents([path for path, *_ in sources + stale])
        if newest < start - SETTLED_SECONDS:
            put(name, version.encode())
    return version


def sources_digest(directories: Iterable[str | os.PathLike[str]], packages: Iterable[str | os.PathLike[str]]) -> str:
    """What `sources_version` gives in a process that runs these sources as they are."""
    return _contents([path for path, *_ in _stamps(directories, packages)])


def _stamps(directories: Iterable[str | os.PathLike[str]], packages: Iterable[str | os.PathLike[str]]) -> list[Stamp]:
    found: list[Stamp] = []
    waiting = [(os.fspath(path), True) for path in directories] + [(os.fspath(path), False) for path in packages]
    while waiting:
        path, is_deep = waiting.pop()
        if not os.path.isdir(path):  # in an archive
            continue
        with os.scandir(path) as entries:
            for entry in entries:
                if entry.name.endswith(".py"):
                    status = entry.stat(follow_symlinks=False)  # editors mark a file by a link to nothing
                    found.append(_stamp(entry.path, status))
                elif is_deep and entry.name != "__pycache__" and entry.is_dir(follow_symlinks=False):
                    waiting.append((entry.path, True))
    found.sort()
    return found


def _stamp(path: str, status: os.stat_result) -> Stamp:
    return path, status.st_ino, status.st_size, status.st_ctime_ns


def _stale_bytecode(sources: list[Stamp]) -> list[Stamp]:
    """What Python has compiled sources to, and kept, before their last change."""
    from importlib.util import cache_from_source

    found: list[Stamp] = []
    for path, _, _, changed in sources:
        try:
            stamp = _stamp(bytecode := cache_from_source(path), os.stat(bytecode))
        except (OSError, NotImplementedError):
            continue
        if stamp[-1] <= changed:
            found.append(stamp)
    return found


def _contents(paths: list[str]) -> str:
    """A digest of files; their folders do not count."""
    digest = blake2b(digest_size=16)
    for path in paths:
        try:
            with open(path, "rb", buffering=0) as file:
                data = file.readall()
        except OSError:  # an editor's mark
            data = b""
        digest.update(repr((os.path.basename(path), len(data))).encode() + data)
    return str(digest.hexdigest())


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


def read(name: str, make: Callable[[bytes], Value]) -> Value | None:
    """`make(blob)` of the blob that was put; None where there is none, or `make` cannot read it."""
    blob = get(name)
    if blob is None:
        return None
    try:
        return make(blob)
    except MemoryError:
        raise
    except Exception:  # of any kind: the caller makes the entry anew, and meets an error of another cause there
        return None


def get(name: str) -> bytes | None:
    """The blob that was put, or None: absent, damaged, put under another name or by another compiler, or writable by
    somebody else."""
    if not _is_usable(create=False):
        return None
    path = os.path.join(_State.directory or "", name + SUFFIX)
    try:
        with open(path, "rb", buffering=0, opener=_open) as file:
            status = os.fstat(file.fileno())
            if not stat.S_ISREG(status.st_mode) or not _is_private(status) or status.st_size > _State.limit:
                return None
            data = file.readall()
        if abs(time.time() - status.st_mtime) > TOUCH_SECONDS:
            os.utime(path)
    except OSError:
        return None
    return _opened(name, data)


def _open(path: str, flags: int) -> int:
    return os.open(path, flags | sum(getattr(os, flag, 0) for flag in ("O_NOFOLLOW", "O_NONBLOCK")))


def put(name: str, blob: bytes) -> bool:
    """Store a blob; False if that was not possible."""
    if not _is_usable(create=True):
        return False
    _State.serial += 1
    directory = _State.directory or ""
    temporary = os.path.join(directory, f"{name}.{os.getpid()}.{_State.serial}{TEMPORARY}")
    data = _closed(name, blob)
    try:
        _write(temporary, data)
        os.replace(temporary, os.path.join(directory, name + SUFFIX))
    except BaseException as error:  # after an interrupt, too, no file is left
        _unlink(temporary)
        if isinstance(error, OSError):
            return False
        raise
    if _is_to_sweep(data):
        sweep()
    return True


def _is_to_sweep(data: bytes) -> bool:
    """After a large blob; else by chance (its checksum): most processes put few, and a sweep stats every file."""
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
            used = status.st_mtime if status.st_mtime < now + TOUCH_SECONDS else 0.0
            files.append((used, status.st_size, entry.path))
        elif abs(now - status.st_mtime) > STALE_SECONDS:
            _unlink(entry.path)
    total = sum(size for _, size, _ in files)
    if total <= _State.limit:
        return
    for _, size, path in sorted(files):
        if total <= _State.limit * 3 // 4:
            break
        total -= size * _unlink(path)


def _unlink(path: str) -> bool:
    """Whether this call removed the file."""
    try:
        os.unlink(path)
    except OSError:
        return False
    return True


def _closed(name: str, blob: bytes) -> bytes:
    version = compiler_version().encode()
    body = len(version).to_bytes(2, "little") + version + blob
    return MAGIC + _checksum(name, body) + body


def _opened(name: str, data: bytes) -> bytes | None:
    start = len(MAGIC) + CHECKSUM_BYTES
    body = data[start:]
    if data[: len(MAGIC)] != MAGIC or len(body) < 2 or _checksum(name, body) != data[len(MAGIC) : start]:
        return None
    end = 2 + int.from_bytes(body[:2], "little")
    version, now = body[2:end].decode("ascii", "replace"), compiler_version()
    return bytes(body[end:]) if now in ("", version) else None


def _checksum(name: str, body: bytes) -> bytes:
    digest = blake2b(len(name).to_bytes(8, "little") + name.encode(), digest_size=CHECKSUM_BYTES)
    digest.update(body)
    return bytes(digest.digest())


def _write(path: str, data: bytes) -> None:
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0)
    with os.fdopen(os.open(path, flags, 0o600), "wb") as file:
        file.write(data)


def _is_private(status: os.stat_result) -> bool:
    return status.st_uid == os.geteuid() and not status.st_mode & (stat.S_IWGRP | stat.S_IWOTH)


def _is_usable(create: bool) -> bool:
    """Whether the directory exists, is ours, and is closed to others; tested once per process.  Made if `create`."""
    directory = _State.directory
    if directory is None or not hasattr(os, "geteuid"):
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
    if not stat.S_ISDIR(status.st_mode):
        import warnings

        text = f"config.compiledir is {directory!r}, no directory (links are not followed): nothing is kept on disk"
        warnings.warn(text, RuntimeWarning, stacklevel=2)
    _State.usable = stat.S_ISDIR(status.st_mode) and _is_private(status)
    return _State.usable
