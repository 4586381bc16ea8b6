"""Limits of memory: what they are, and that code which cannot be loaded for want of it is a MemoryError."""

from __future__ import annotations

import errno
import mmap
import os
import subprocess
import sys

import pytest

from tensordsl.base import limits
from tensordsl.codegen.llvm import compile as target
from tensordsl.runtime.loading import elf, memory

NOTHING = "define void @f() {\nret void\n}\n"
SCRIPT = """
import resource, sys
sys.path[:0] = {path!r}
import numpy as np
import tensordsl
import tensordsl.tensor as T

a, x = T.dmatrix(), np.ones((30, 30))
more = {more}
used = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (used + more,) * 2)
try:
    f = tensordsl.function([a], [T.nnet.softmax(a).sum(0), T.dot(a, a), T.sort(a)])
    f(x), f(x.T)
    print("done")
except MemoryError:
    print("memory")
"""


def files(root, **texts):
    for name, text in texts.items():
        path = root / name.replace("__", "/").replace("_dot_", ".")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return str(root)


def test_without_control_groups_memory_is_the_machines(tmp_path):
    machine = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    assert limits.memory_bytes(str(tmp_path)) <= machine
    root = files(tmp_path, proc__self__cgroup="0::/\n", sys__fs__cgroup__memory_dot_max="max\n")
    assert limits.memory_bytes(root) <= machine


def test_the_least_limit_of_all_control_groups_counts(tmp_path):
    root = files(
        tmp_path, proc__self__cgroup="0::/outer/inner\n", sys__fs__cgroup__outer__inner__memory_dot_max="max\n",
        sys__fs__cgroup__outer__memory_dot_max="5000000\n", sys__fs__cgroup__memory_dot_max="7000000\n",
    )  # fmt: skip
    assert limits.memory_bytes(root) == 5_000_000
    (tmp_path / "sys/fs/cgroup/outer/inner/memory.max").write_text("4096\n")
    assert limits.memory_bytes(root) == 4096


def test_control_groups_of_the_first_version_count(tmp_path):
    root = files(tmp_path, proc__self__cgroup="5:cpu,cpuacct:/\n4:memory:/of/the/host\n0::/\n")
    (tmp_path / "sys/fs/cgroup/memory").mkdir(parents=True)
    (tmp_path / "sys/fs/cgroup/memory/memory.limit_in_bytes").write_text("6000000\n")
    assert limits.memory_bytes(root) == 6_000_000


def test_blocks_that_are_kept_are_an_eighth_of_that(monkeypatch):
    monkeypatch.setattr(memory, "memory_bytes", lambda: 8_000_000)
    assert memory._max_kept_bytes() == (1_000_000 if sys.platform == "linux" else 0)


@pytest.mark.parametrize(
    "error",
    [
        OSError(errno.ENOMEM, "Cannot allocate memory"), SystemError("error return without exception set"),
        ImportError("x.so: failed to map segment from shared object"), RuntimeError("LLVM: Cannot allocate memory"),
    ],
)  # fmt: skip
def test_what_loaders_say_of_memory_becomes_a_memory_error(error):
    with pytest.raises(MemoryError), limits.memory_errors():
        raise error
    with pytest.raises(MemoryError), limits.memory_errors():
        raise OSError("could not load the library") from error


@pytest.mark.parametrize(
    "error", [OSError(errno.ENOENT, "no file"), SystemError("x"), ImportError("no module"), ValueError()]
)
def test_other_errors_stay(error):
    with pytest.raises(type(error)) as found, limits.memory_errors():
        raise error
    assert found.value is error


def test_code_that_cannot_be_mapped_is_a_memory_error(monkeypatch):
    data = target.compile_object(NOTHING)

    def full(*args, **kwargs):
        raise OSError(errno.ENOMEM, "Cannot allocate memory")

    monkeypatch.setattr(mmap, "mmap", full)
    with pytest.raises(MemoryError):
        elf.load_globals([data])


@pytest.mark.skipif(sys.platform != "linux", reason="limits of address space")
@pytest.mark.parametrize("megabytes", [0.06, 5, 100, 172, 200])
def test_tight_limits_give_memory_errors(megabytes, tmp_path):
    """Where imports fail, the linker, LLVM and the BLAS."""
    script = SCRIPT.format(path=sys.path, more=int(megabytes * (1 << 20)))
    environment = {**os.environ, "TENSORDSL_FLAGS": f"compiledir={tmp_path}"}
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=300, env=environment)
    assert run.returncode == 0 and run.stdout.strip() in ("done", "memory"), run.stderr[-500:]
