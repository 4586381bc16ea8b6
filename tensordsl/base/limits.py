"""The memory limit of this process, and MemoryError for everything that says that there is no more.

Loaders and compilers say it by an OSError or ImportError of the dynamic linker, or an interpreter's SystemError, which
`memory_errors` converts; LLVM and OpenBLAS end the process, which `require_space` prevents.
"""

from __future__ import annotations

import errno
import mmap
import os
from collections.abc import Iterator
from contextlib import contextmanager

LINKER = ("failed to map segment", "annot allocate memory", "ENOMEM")  # of messages, for want of memory
INTERPRETER = ("without exception set", "without setting an exception")


@contextmanager
def memory_errors() -> Iterator[None]:
    """What fails inside because there is no memory is a MemoryError."""
    try:
        yield
    except (ImportError, OSError, RuntimeError, SystemError) as error:
        if _is_of_memory(error):
            raise MemoryError(f"not enough memory to load or compile code ({type(error).__name__})") from error
        raise


def _is_of_memory(error: BaseException | None) -> bool:
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        text = str(error)
        if isinstance(error, MemoryError) or getattr(error, "errno", None) == errno.ENOMEM:
            return True
        if any(words in text for words in (INTERPRETER if isinstance(error, SystemError) else LINKER)):
            return True
        error = error.__cause__ or error.__context__
    return False


def require_space(size: int) -> None:
    """Raises MemoryError if this process has a limit and cannot have so many bytes more of address space."""
    try:
        import resource
    except ImportError:  # another system
        return
    if resource.getrlimit(resource.RLIMIT_AS)[0] == resource.RLIM_INFINITY:
        return
    try:
        mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS).close()
    except (OSError, OverflowError, ValueError):
        raise MemoryError(f"not enough memory: code needs {size >> 20} MB of address space") from None


def memory_bytes(root: str = "/") -> int:
    """The least of the machine's memory, of what this process's control groups allow (version 2 and 1, with those that
    they are in) and of its own limits.  `root`: where the system's files are."""
    import resource

    limits = [resource.getrlimit(kind)[0] for kind in (resource.RLIMIT_AS, resource.RLIMIT_DATA)]
    machine = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return min(machine, *(n for n in limits if n != resource.RLIM_INFINITY), *_group_limits(root), machine)


def _group_limits(root: str) -> list[int]:
    found = []
    for line in _read(os.path.join(root, "proc/self/cgroup")).splitlines():
        _, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        if not controllers:
            top, name = "sys/fs/cgroup", "memory.max"
        elif "memory" in controllers.split(","):
            top, name = "sys/fs/cgroup/memory", "memory.limit_in_bytes"
        else:
            continue
        parts = [part for part in path.split("/") if part not in ("", "..")]
        for depth in range(len(parts) + 1):  # in a container the path may be one of the host's
            text = _read(os.path.join(root, top, *parts[:depth], name)).strip()
            found += [int(text)] if text.isdecimal() else []
    return found


def _read(path: str) -> str:
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read()
    except OSError:
        return ""
