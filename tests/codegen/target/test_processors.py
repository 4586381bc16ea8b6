"""Code for other processors than this one: levels of x86-64 run in a process of their own, AArch64's code is emitted."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from checkout import ROOT

from tensordsl.base import processor
from tensordsl.codegen.target import machine
from tensordsl.codegen.target.tuning import CacheTuning, close_l3, distant_l3


def fresh(*arguments, cpu, **environment):
    """A Python process whose functions are compiled for `cpu`."""
    flags = ",".join(part for part in (os.environ.get("TENSORDSL_FLAGS", ""), f"cpu={cpu}") if part)
    return subprocess.run(
        [sys.executable, *arguments], cwd=ROOT, capture_output=True, text=True,
        env=os.environ | environment | {"TENSORDSL_FLAGS": flags, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip


def passes(*arguments, cpu):
    done = fresh(*arguments, cpu=cpu)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


VECTORS = """
import numpy as np, tensordsl, tensordsl.tensor as T
from tensordsl.codegen.target.machine import has_half, native_width, has_panels
print(native_width(), has_half(), has_panels())
rng = np.random.default_rng(0)
x, m, i, h = T.dvector(), T.fmatrix(), T.lvector(), T.vector(dtype="float16")
same = np.testing.assert_array_equal
near = lambda got, want: np.testing.assert_allclose(got, want, rtol=3e-6)
one = tensordsl.function([x], [T.exp(x), T.tanh(x), T.sin(x), x.sum(), T.sort(x), T.argsort(x), T.cumsum(x), x[x > 0]])
two = tensordsl.function([m], [T.log(m), m.sum(0), m.sum(1), m.max(1), m.argmin(0), T.dot(m, m.T), T.nnet.softmax(m)])
sorts = tensordsl.function([m], [T.sort(m, 0), T.sort(m), T.sort(T.cast(m, "float64")), T.sort(T.cast(m * 9, "int64"))[:, 1:]])
three = tensordsl.function([x, i], [T.inc_subtensor(x[i], x), x[i]])
four = tensordsl.function([h], [h * h + h, h.sum(), T.sort(h), T.cast(h, "float32")])
for n in (0, 1, 2, 3, 5, 8, 9, 17, 33, 64, 100):
    a, b, k = rng.normal(size=n), rng.random((n, 2 * n + 1), "f") + 1, rng.integers(0, max(n, 1), n)
    for got, want in zip(one(a), [np.exp(a), np.tanh(a), np.sin(a), a.sum(), np.sort(a), np.argsort(a), np.cumsum(a), a[a > 0]]):
        np.testing.assert_allclose(got, want, rtol=1e-14, atol=1e-14)
    added = a.copy()
    np.add.at(added, k, a)
    for got, want in zip(three(a, k), [added, a[k]]):
        same(got, want)
    if n:
        e = np.exp(b - b.max(1, keepdims=True))
        wanted = [np.log(b), b.sum(0), b.sum(1), b.max(1), b.argmin(0), b @ b.T, e / e.sum(1, keepdims=True)]
        for got, want in zip(two(b), wanted):
            near(got, want)
        b.flat[:: 5 * n] = np.nan if n % 3 == 0 else -0.0
        orders = [np.sort(b, 0), np.sort(b), np.sort(b.astype("d")), np.sort((np.nan_to_num(b) * 9).astype("q"))[:, 1:]]
        for got, want in zip(sorts(b)[:3], orders):
            same(got, want)
        same(sorts(np.nan_to_num(b))[3], orders[3])
    c = a.astype("float16")
    for got, want in zip(four(c), [c * c + c, c.astype("f").sum().astype("float16"), np.sort(c), c.astype("f")]):
        same(got, want)
"""


@pytest.mark.parametrize(
    "level, facts",
    [
        ("x86-64-v2", "16 False False"),
        ("x86-64-v3", "32 True False"),
        ("x86-64-v4", "64 True True"),
        ("znver3", "32 True False"),
        ("skylake-avx512", "64 True True"),
        ("znver4", "64 True True"),
    ],
)
def test_a_level_of_this_processor_computes_as_numpy(level, facts):
    done = fresh("-c", VECTORS, cpu=level)
    if "this machine's processor lacks" in done.stderr:
        pytest.skip(done.stderr.splitlines()[-1])
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == facts


@pytest.mark.skipif(not {"avx2", "fma"} <= processor.features(), reason="needs AVX2 and FMA")
def test_mathematics_and_random_programs_with_avx2():
    quick = "stated_bound and (exp or log or sin or tan or cbrt)"
    passes(
        "-m", "pytest", "-p", "no:cacheprovider", "tests/codegen/scalar_ir/test_math.py", "-k", quick, cpu="x86-64-v3"
    )
    assert "20 programs, 0 differences" in passes("tools/random_programs.py", "31000", "20", cpu="x86-64-v3")
    rows = "side_by_side and (float64 or float32) and (3 or 5 or 12 or 100 or 129)"
    passes(
        "-m",
        "pytest",
        "-p",
        "no:cacheprovider",
        "tests/behaviour/kernels/test_unroll_and_jam.py",
        "-k",
        rows,
        cpu="x86-64-v3",
    )


def test_what_a_processor_lacks_is_refused_before_it_runs(monkeypatch):
    monkeypatch.setattr(processor, "features", lambda: frozenset(processor.LEVELS["x86-64-v2"]) | {"avx", "avx2"})
    monkeypatch.setattr(processor, "config", type("C", (), {"cpu": "x86-64-v3"}))
    with pytest.raises(ValueError, match="'x86-64-v3', but this machine's processor lacks bmi, bmi2, f16c, fma, lzcnt"):
        processor.settle()


def test_a_cache_for_a_level_has_the_same_names_on_every_machine(monkeypatch):
    here = processor.identity()
    monkeypatch.setattr(processor, "config", type("C", (), {"cpu": "x86-64-v3"}))
    assert processor.identity() == b"x86-64-v3" != here


@pytest.mark.parametrize("text, size", [(b"2048K\n", 2 << 20), (b"", 0), (b"many\n", 0), (b"1M\n", 0)])
def test_sizes_of_caches_are_read_or_unknown(text, size, monkeypatch, tmp_path):
    monkeypatch.setattr(processor, "_CACHE", f"{tmp_path}/{{}}")
    (tmp_path / "2").write_bytes(text)
    assert processor.cache_sizes() == (size, 0)


def test_limits_grow_with_caches(monkeypatch):
    usual = close_l3()
    assert (usual.alternate_min_bytes, usual.stream_min_bytes, usual.stream_result_min_bytes) == (
        12 << 20,
        30 << 20,
        32 << 20,
    )
    assert close_l3(3 << 25).alternate_min_bytes == 3 * usual.alternate_min_bytes and close_l3(1 << 20) == close_l3(
        1 << 23
    )
    server = distant_l3(2 << 20, 480 << 20)
    assert (
        server.alternate_min_bytes < 3 << 20
        and server.alternate_large_threads_min_bytes == server.alternate_large_min_bytes
        and server.stream_min_bytes == 80 << 20 > server.alternate_large_max_bytes > server.alternate_large_min_bytes
    )
    assert distant_l3(1 << 20, 36 << 20).stream_min_bytes == 36 << 20
    assert (
        usual.prefetch_rows_min_bytes == usual.prefetch_reread_max_bytes == 16 << 20
        and server.prefetch_rows_min_bytes == 60 << 20 < server.prefetch_reread_max_bytes
    )
    assert (
        20_000_000 * 1000 < server.split_rows_max_state_bytes < 40_000_000 * 1000
    )  # of 1,000 columns 20 MB go by parts, and 40 MB do not
    monkeypatch.setattr(machine, "config", type("C", (), {"cpu": "x86-64-v4"}))
    assert CacheTuning.of(machine.host()) == usual  # of a level, wherever it runs


ARM = """
import platform, sys
import llvmlite.binding as llvm
from tensordsl.codegen.abi import layouts
from tensordsl.codegen.compiler import library_build
from tensordsl.codegen.llvm import compile as target

llvm.initialize_all_targets()
llvm.initialize_all_asmprinters()
arm = llvm.Target.from_triple("aarch64-unknown-linux-gnu")
machines = [arm.create_target_machine(cpu="neoverse-n1", opt=level, reloc="pic") for level in range(3)]
usual, library = target.compile_object, library_build.library_objects

def compile_both(text, opt=2, *switches):
    compile_arm(text, opt)
    return usual(text, opt, *switches)

def compile_arm(text, opt=2, *switches):
    module = llvm.parse_assembly(text)
    module.triple, module.data_layout = arm.triple, str(machines[opt].target_data)
    made = machines[opt].emit_object(module)
    assert made[:4] == b"\\x7fELF" and made[18] == 183
    return made

def usual_library(name):  # it has this processor's own instructions
    target.compile_object = usual
    try:
        return library(name)
    finally:
        target.compile_object = compile_both

target.compile_object, library_build.library_objects = compile_both, usual_library
exec(sys.argv[1])
platform.machine = lambda: "aarch64"
assert target._switches(forward=True)[target.SCHEDULER] == (target.DEFAULT_SCHEDULER,) * 2  # or LLVM crashes
target.compile_object = compile_arm
for name in layouts.LIBRARY:
    library(name)
"""


def test_arm_code_is_emitted():
    """Only emitted: `.ci/aarch64` runs it.  The kernels are those of vectors of 16 bytes without an instruction set's own
    functions."""
    passes("-c", ARM, VECTORS, cpu="x86-64-v2")
