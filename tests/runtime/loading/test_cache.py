"""The disk cache: what is put comes back, and nothing else does."""

from __future__ import annotations

import contextlib
import os
import py_compile
import shutil
import subprocess
import sys
import time

import pytest
from interrupts import interrupted

import tensordsl
import tensordsl.tensor as T
from tensordsl.base import processor
from tensordsl.codegen.compiler.library_build import library_objects
from tensordsl.functions import native
from tensordsl.runtime.loading import cache, library

KEY = "a" * 40


def file(private):
    [path] = private.glob("*.bin")
    return path


def test_what_is_put_comes_back(private):
    assert cache.get(KEY) is None and not private.exists()
    for blob in (b"", b"x", os.urandom(100_000)):
        assert cache.put(KEY, blob) and cache.get(KEY) == blob
    assert private.stat().st_mode & 0o777 == 0o700 and file(private).stat().st_mode & 0o777 == 0o600
    assert len(list(private.iterdir())) == 1


def test_no_directory_is_no_cache():
    before = cache._State.directory
    cache.set_directory(None)
    assert not cache.put(KEY, b"x") and cache.get(KEY) is None
    cache.set_directory(before)


def test_a_file_or_a_link_in_the_place_of_the_directory_is_warned_of_once(private, tmp_path):
    private.write_bytes(b"")
    with pytest.warns(RuntimeWarning, match="compiledir is .* no directory"):
        assert cache.get(KEY) is None
    assert not cache.put(KEY, b"x") and private.read_bytes() == b""
    private.unlink()
    private.symlink_to(tmp_path)
    cache.set_directory(private)
    with pytest.warns(RuntimeWarning, match="no directory"):
        assert not cache.put(KEY, b"x")


def test_damaged_files_are_not_read(private):
    cache.put(KEY, b"payload" * 10)
    good = file(private).read_bytes()
    for i in range(len(good)):
        file(private).write_bytes(good[:i] + bytes([good[i] ^ 1]) + good[i + 1 :])
        assert cache.get(KEY) is None
        file(private).write_bytes(good[:i])
        assert cache.get(KEY) is None
    file(private).write_bytes(good + b"x")
    assert cache.get(KEY) is None
    file(private).write_bytes(good)
    assert cache.get(KEY) == b"payload" * 10


def test_a_file_under_anothers_name_is_not_read(private):
    cache.put(KEY, b"x")
    other = KEY.replace("a", "b")
    shutil.copy(file(private), private / f"{other}.bin")
    assert cache.get(KEY) == b"x" and cache.get(other) is None
    assert cache.put(other, b"y") and cache.get(other) == b"y"


@pytest.fixture
def functions(tmp_path):
    """Compiles two functions as a new process would, with a cache of their own; gives origins and values."""
    x = T.dvector("x")

    def compiled():
        native.forget()
        made = [tensordsl.function([x], value, profile=True) for value in (x * 2 + 1, T.sqrt(x * 3 + 1))]
        return [f.profile.origin for f in made], [f([1.0]).tolist() for f in made]

    with tensordsl.config.change_flags(compiledir=str(tmp_path / "programs")):
        assert compiled() == (["compiled"] * 2, [[3.0], [2.0]])
        assert compiled() == (["disk"] * 2, [[3.0], [2.0]])
        yield compiled
    native.forget()
    native._prepare()


def test_code_under_anothers_name_is_not_run(functions, tmp_path):
    files = sorted((tmp_path / "programs").glob("*.bin"))
    assert len(files) >= 2
    blobs = [path.read_bytes() for path in files]
    for path, blob in zip(files, blobs[1:] + blobs[:1], strict=True):
        path.write_bytes(blob)
    assert functions() == (["compiled"] * 2, [[3.0], [2.0]])
    assert functions() == (["disk"] * 2, [[3.0], [2.0]])


@pytest.mark.parametrize(
    "change",
    [
        lambda blob: b"",
        lambda blob: b"\xff" * len(blob),
        lambda blob: blob[: len(blob) // 2],
        lambda blob: blob[:4] + bytes(100),
        lambda blob: b"\x02\0\0\0{}",
        lambda blob: b"\x0a\0\0\0[{},[1,1]]",
        lambda blob: blob.replace(b"\x7fELF", b"\x7fELV"),
        lambda blob: blob.replace(b'"plans"', b'"plane"'),
    ],
)
def test_an_entry_that_cannot_be_read_is_made_anew(functions, tmp_path, change):
    names = [path.stem for path in (tmp_path / "programs").glob("*.bin")]
    for name in names:
        cache.put(name, change(cache.get(name)))
    assert functions() == (["compiled"] * 2, [[3.0], [2.0]])
    assert functions() == (["disk"] * 2, [[3.0], [2.0]])


@pytest.mark.parametrize("mode", [0o620, 0o602, 0o666])
def test_a_file_that_others_could_write_is_not_read(private, mode):
    cache.put(KEY, b"x")
    file(private).chmod(mode)
    assert cache.get(KEY) is None
    assert cache.put(KEY, b"y") and cache.get(KEY) == b"y"


@pytest.mark.parametrize("mode", [0o770, 0o707, 0o777, 0o1777])
def test_a_directory_that_others_could_write_is_not_used(private, mode):
    private.mkdir()
    private.chmod(mode)
    assert not cache.put(KEY, b"x") and cache.get(KEY) is None and not list(private.iterdir())


def test_another_users_files_and_directories_are_not_used(private, monkeypatch):
    cache.put(KEY, b"x")
    monkeypatch.setattr(os, "geteuid", lambda: 12345)  # who runs a program of another user has that one's files
    assert cache.get(KEY) is None  # the file's owner
    cache.set_directory(private)
    assert cache.get(KEY) is None and not cache.put(KEY, b"y")  # the directory's


def test_links_are_not_followed(private, tmp_path):
    cache.put(KEY, b"x")
    path = file(private)
    path.rename(tmp_path / "elsewhere")
    path.symlink_to(tmp_path / "elsewhere")
    assert cache.get(KEY) is None
    (tmp_path / "link").symlink_to(private)
    cache.set_directory(tmp_path / "link")
    assert not cache.put(KEY, b"x")


def test_another_compilers_files_are_not_read(private, monkeypatch):
    cache.put(KEY, b"x")
    monkeypatch.setattr(cache._State, "compiler", "other")
    assert cache.get(KEY) is None
    monkeypatch.setattr(cache._State, "compiler", "")  # none is installed: nothing to compare with
    assert cache.get(KEY) == b"x"


def test_the_compilers_version_is_known_without_importing_it():
    script = "import sys; from tensordsl.runtime.loading import cache; assert cache.compiler_version()"
    script += "; assert 'llvmlite' not in sys.modules"
    subprocess.run([sys.executable, "-c", script], check=True)


def test_a_full_or_forbidden_disk_breaks_nothing(private, monkeypatch):
    def full(path, data):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(cache, "_write", full)
    assert not cache.put(KEY, b"x") and cache.get(KEY) is None
    monkeypatch.undo()
    cache.set_directory("/proc/nothing/here")
    assert not cache.put(KEY, b"x") and cache.get(KEY) is None


def test_a_directory_that_vanishes_breaks_nothing(private):
    cache.put(KEY, b"x")
    file(private).unlink()
    private.rmdir()
    assert cache.get(KEY) is None and not cache.put(KEY, b"y")


def test_the_oldest_files_go_when_the_limit_is_passed(private):
    limit = cache._State.limit
    cache.set_directory(private, limit=10_000)
    for i in range(9):
        cache.put(f"{i:040}", bytes(2000))
        os.utime(private / f"{i:040}.bin", (i + 1, i + 1))
    orphan = private / "x.1.1.tmp"
    orphan.write_bytes(b"")
    os.utime(orphan, (1, 1))
    cache.sweep()
    kept = sorted(path.name for path in private.iterdir())
    assert sum(path.stat().st_size for path in private.iterdir()) <= 7500
    assert kept and kept == [f"{i:040}.bin" for i in range(9 - len(kept), 9)]
    cache.set_directory(None, limit=limit)


def test_few_puts_sweep_but_large_ones_do(private, monkeypatch):
    swept = []
    monkeypatch.setattr(cache, "sweep", lambda: swept.append(None))
    for i in range(500):
        cache.put(KEY, i.to_bytes(4, "little"))
    assert 1 <= len(swept) <= 30
    swept.clear()
    for i in range(3):
        cache.put(KEY, bytes([i]) * (cache._State.limit // 64))
    assert len(swept) == 3


@pytest.mark.parametrize("used", [1, 1 << 33])
def test_a_hit_renews_an_old_file_and_one_of_the_future(private, used):
    cache.put(KEY, b"x")
    os.utime(file(private), (used, used))
    assert cache.get(KEY) == b"x" and abs(time.time() - file(private).stat().st_mtime) < 100


def test_a_sweep_passes_over_what_it_cannot_remove(private):
    limit = cache._State.limit
    cache.set_directory(private, limit=10_000)
    cache.put(KEY, b"x")
    for name in ("a.bin", "b.tmp"):
        (private / name).mkdir()
        os.utime(private / name, (1, 1))
    for i in range(9):
        cache.put(f"{i:040}", bytes(2000))
    cache.sweep()
    assert sum(path.stat().st_size for path in private.glob("0*.bin")) <= 7500
    cache.set_directory(None, limit=limit)


def test_files_that_vanish_during_a_sweep_do_not_end_it(private, monkeypatch):
    def scandir(path, original=os.scandir):
        with original(path) as entries:
            found = list(entries)
        os.unlink(private / "gone.1.1.tmp")
        return contextlib.nullcontext(found)

    cache.put(KEY, b"x")
    for name in ("gone.1.1.tmp", "orphan.1.1.tmp"):
        (private / name).write_bytes(b"")
        os.utime(private / name, (1, 1))
    monkeypatch.setattr(os, "scandir", scandir)
    cache.sweep()
    monkeypatch.undo()
    assert not list(private.glob("*.tmp"))


def test_times_to_come_count_as_long_ago(private):
    limit = cache._State.limit
    cache.set_directory(private, limit=10_000)
    for i in range(9):
        cache.put(f"{i:040}", bytes(2000))
        if i < 4:
            os.utime(private / f"{i:040}.bin", (1 << 33, 1 << 33))
    (private / "orphan.1.1.tmp").write_bytes(b"")
    os.utime(private / "orphan.1.1.tmp", (1 << 33, 1 << 33))
    cache.sweep()
    assert min(path.name for path in private.iterdir()) >= f"{4:040}.bin" and not list(private.glob("*.tmp"))
    assert (private / f"{8:040}.bin").exists()
    cache.set_directory(None, limit=limit)


def test_what_is_no_file_is_not_read(private):
    private.mkdir(mode=0o700)
    (private / f"{KEY}.bin").mkdir()
    os.mkfifo(private / f"{KEY[::-1]}b.bin")
    descriptors = len(os.listdir("/proc/self/fd")) if os.path.exists("/proc/self/fd") else 0
    for _ in range(3):
        assert cache.get(KEY) is None and cache.get(f"{KEY[::-1]}b") is None
        assert not cache.put(KEY, b"x")
    assert not descriptors or len(os.listdir("/proc/self/fd")) == descriptors
    assert not list(private.glob("*.tmp"))


def test_an_interrupt_leaves_no_file_behind(private):
    for _ in interrupted(lambda: cache.put(KEY, b"x" * 1000)):
        assert not list(private.glob("*.tmp"))
    assert cache.get(KEY) == b"x" * 1000


def test_a_current_directory_that_is_gone_is_no_error(tmp_path, monkeypatch):
    before = cache._State.directory
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    cache.set_directory("relative")
    assert not cache.put(KEY, b"x") and cache.get(KEY) is None
    cache.set_directory(before)


def test_keys_depend_on_every_part_and_where_it_ends():
    assert cache.key("a", "b") == cache.key("a", b"b")
    assert len({cache.key("a", "b"), cache.key("ab"), cache.key("a", "b", ""), cache.key("", "a", "b")}) == 4


def test_keys_depend_on_the_processor(monkeypatch):
    before = cache.key("a")
    monkeypatch.setattr(cache._State, "salt", None)
    monkeypatch.setattr(processor, "identity", lambda: b"another")
    assert cache.key("a") != before


def sources(path, loaded=1e12):
    return cache.sources_version([path], [], loaded)


def test_the_sources_version_follows_the_sources(private, tmp_path):
    tmp_path = tmp_path / "sources"
    (tmp_path / "deep").mkdir(parents=True)
    (tmp_path / "a.py").write_text("x")
    first = sources(tmp_path)
    assert sources(tmp_path) == first
    (tmp_path / "a.txt").write_text("x")
    assert sources(tmp_path) == first
    (tmp_path / ".#a.py").symlink_to("nobody@nowhere")  # an editor's mark
    first = sources(tmp_path)
    (tmp_path / "a.py").write_text("xy")
    assert sources(tmp_path) != first
    first = sources(tmp_path)
    (tmp_path / "deep" / "a.py").write_text("x")
    assert sources(tmp_path) != first and cache.sources_version([], [tmp_path], 1e12) == first


def test_equal_sources_elsewhere_have_the_same_version(private, tmp_path):
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "a.py").write_text("x")
    assert sources(tmp_path / "one") == sources(tmp_path / "two")


@pytest.mark.parametrize("settled", [cache.SETTLED_SECONDS, -1])
def test_a_source_with_its_old_size_and_time_has_another_version(private, tmp_path, monkeypatch, settled):
    """settled=-1: the cache keeps the digests of files that have changed just now."""
    monkeypatch.setattr(cache, "SETTLED_SECONDS", settled)
    path = tmp_path / "a.py"
    found = set()
    for text in ("x = 1", "x = 2", "x = 3"):
        path.write_text(text)
        os.utime(path, (1, 1))
        found.add(sources(tmp_path))
        assert (len(list(private.glob("*.bin"))) > 0) == (settled == -1)
        time.sleep(0.03 if settled == -1 else 0)  # else of one tick of the clock
    assert len(found) == 3


def test_sources_are_read_once(private, tmp_path, monkeypatch):
    monkeypatch.setattr(cache, "SETTLED_SECONDS", -1)
    (tmp_path / "a.py").write_text("x")
    first = sources(tmp_path)
    monkeypatch.setattr(cache, "_contents", None)
    assert sources(tmp_path) == first


def test_stale_bytecode_is_part_of_the_version(private, tmp_path, monkeypatch):
    """Python runs it: its size and time are the source's."""
    monkeypatch.setattr(cache, "SETTLED_SECONDS", -1)
    monkeypatch.setattr(sys, "pycache_prefix", None)  # beside the source, wherever this run keeps its own
    path = tmp_path / "a.py"
    path.write_text("x = 1")
    os.utime(path, (1, 1))
    py_compile.compile(path)
    found = {sources(tmp_path)}
    time.sleep(0.03)
    path.write_text("x = 2")
    os.utime(path, (1, 1))
    found |= {sources(tmp_path), sources(tmp_path)}
    shutil.rmtree(tmp_path / "__pycache__")
    found.add(sources(tmp_path))
    assert len(found) == 3


def test_sources_that_changed_after_they_were_loaded_have_a_version_of_their_own(private, tmp_path):
    (tmp_path / "a.py").write_text("x")
    assert len({sources(tmp_path, 1.0), sources(tmp_path, 1.0), sources(tmp_path)}) == 3


def test_concurrent_processes_read_all_or_nothing(private):
    script = f"""
import os, random
from tensordsl.runtime.loading import cache
cache.set_directory({str(private)!r})
for i in range(300):
    name = str(random.randrange(4)) * 40
    if random.random() < 0.4:
        assert cache.put(name, name.encode() * random.randrange(1, 2000))
    elif random.random() < 0.1:
        try: os.unlink(os.path.join({str(private)!r}, name + ".bin"))
        except OSError: pass
    else:
        blob = cache.get(name)
        assert blob is None or blob == name.encode() * (len(blob) // 40)
"""
    cache.put(KEY, b"x")
    processes = [subprocess.Popen([sys.executable, "-c", script]) for _ in range(4)]
    assert [p.wait(timeout=60) for p in processes] == [0] * 4
    assert not list(private.glob("*.tmp"))


def test_a_library_that_the_cache_has_spoilt_is_compiled_again(private, monkeypatch):
    key = cache.key("library", "native", library._State.version)
    cache.put(key, b"no object file")
    compiled = []
    monkeypatch.setattr(library._State, "compile", lambda name: compiled.append(name) or original(name))
    original = library_objects
    library.require("native")
    monkeypatch.setattr(library._State, "code", {})
    before = dict(library._State.symbols), bytes(library._State.table)
    library._load("native")
    assert compiled == ["native"] and cache.get(key)[:4] == b"\x7fELF"
    library._State.symbols.update(before[0])
    library._State.table[:] = type(library._State.table).from_buffer_copy(before[1])[:]


def test_a_warm_start_needs_no_compiler(private):
    script = f"""
import sys
sys.path[:0] = {sys.path!r}
import numpy as np
from tensordsl.runtime.loading import cache
from tensordsl.runtime.calls import entry
from tensordsl.runtime.loading import library
from tensordsl.runtime.loading.executable import Executable
cache.set_directory({str(private)!r})
cold = sys.argv[1] == "cold"
def compile(name):
    assert cold
    from tensordsl.codegen.compiler.library_build import library_objects
    return library_objects(name)
library.install(compile, "warm")
if cold:
    import programs
    cache.put({KEY!r}, programs.executable(programs.NOTHING).to_bytes())
x = np.ones(5)
f = entry.make_function(Executable.from_bytes(cache.get({KEY!r})), (), slow=print, on_error=print)
assert f(x, x, x).shape == (5,)
assert cold or "llvmlite" not in sys.modules
"""
    for state in ("cold", "warm"):
        subprocess.run([sys.executable, "-c", script, state], check=True)
