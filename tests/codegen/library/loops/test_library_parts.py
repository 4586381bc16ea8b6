"""Parts of the nest library: loaded where programs name them, or behind the first call that missed one."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest
from tuned import HERE

from tensordsl.codegen.abi import layouts
from tensordsl.codegen.library.loops.entry import part_text
from tensordsl.codegen.library.loops.fallbacks import MISSED

SETUP = """
import ctypes, os, signal, sys, threading
import numpy as np
import tensordsl, tensordsl.tensor as T
from tensordsl.codegen.abi import layouts as abi
from tensordsl.runtime.loading import library

def parts():
    return {name for name in library._State.code if name in abi.NEST_PARTS}

def numbers(*shape):
    return np.random.RandomState(0).rand(*shape)

x, y, z = T.dmatrix(), T.dmatrix(), T.dtensor3()
product = tensordsl.function([x, y], x * y + 1)
turned, straight, apart = numbers(70, 50).T, numbers(50, 70), numbers(50, 140)[:, ::2]
short = numbers(90, 5)[:, 1:4]
"""


def run(text: str) -> str:
    done = subprocess.run([sys.executable, "-c", SETUP + text], capture_output=True, text=True)
    assert not done.returncode, done.stderr
    return done.stdout


def module(part: str) -> str:
    return part_text(part, HERE)


def test_each_part_declares_what_others_have():
    made: dict[str, set[str]] = {}
    wanted: dict[str, set[str]] = {}
    for part in ("nest", *layouts.NEST_PARTS):
        text = module(part)
        made[part] = {*re.findall(r"^define [^@]*@(\w+)", text, re.MULTILINE)}
        wanted[part] = {*re.findall(r"^declare hidden void @(\w+)", text, re.MULTILINE)}
        assert made[part] >= {*layouts.LIBRARY[part]}
        assert re.search(rf"@{MISSED} = ", text) is None or part == "nest"
        wanted[part] -= {layouts.POLL}
    roots = {name for part in layouts.NEST_PARTS for name in layouts.LIBRARY[part]}
    of_parts = set().union(*(wanted[part] for part in layouts.NEST_PARTS))
    assert wanted["nest"] | of_parts == roots | {*layouts._SHARED} and wanted["nest"] <= roots
    assert {name for name in made["nest"] if name.startswith(layouts.WITHOUT)} == {
        layouts.WITHOUT + name for name in roots
    }


def test_a_part_is_loaded_behind_the_call_that_missed_it():
    run("""
assert (product(straight, straight) == straight * straight + 1).all() and not parts()
for given, part in ((turned, "nest_turned"), (apart, "nest_packed"), (straight[::-1, ::-1], None)):
    for _ in range(2):
        assert (product(given, straight) == given * straight + 1).all()
        assert part is None or part in parts()
for _ in range(2):
    assert (product(short, short) == short * short + 1).all() and "nest_short" in parts()
large = numbers(3000, 1500)
for _ in range(2):
    assert (product(large, large) == large * large + 1).all() and "nest_streams" in parts()
assert not library._State.table[abi.RT["missed"] // 8]
""")


def test_results_are_right_without_any_part():
    run("""
library._State.given_up.update(abi.NEST_PARTS)
rows = tensordsl.function([z], z.dimshuffle(2, 0, 1) * 2)
for a in (turned, apart, straight[::-1, ::-1], numbers(140, 50).T[:, ::2]):
    for b in (turned, straight):
        assert (product(a, b) == a * b + 1).all()
for shape in ((1, 1), (3, 2), (200, 3), (3, 200), (0, 5)):
    a, b = numbers(shape[0], 2 * shape[1])[:, ::2], numbers(*shape[::-1]).T
    assert (product(a, b) == a * b + 1).all(), shape
for a in (numbers(4, 5, 6), numbers(30, 20, 10)[:, ::2], numbers(7, 6, 5).T):
    assert (rows(a) == a.transpose(2, 0, 1) * 2).all()
large = numbers(3000, 1500)
assert (product(large, large) == large * large + 1).all()
assert not parts()
""")


def test_what_decides_on_the_order_of_additions_is_loaded_with_the_kernels():
    run("""
for g in (lambda x: x.sum(0), lambda x: x.sum(1), lambda x: x.sum(), lambda x: x.var(1), T.nnet.softmax):
    for a in (numbers(300, 7), numbers(600, 50)[::2, ::3], numbers(40, 1000).T):
        f = tensordsl.function([x], g(x))
        first = f(a)
        assert "nest_sums" in parts() and (first == f(a)).all()
assert "nest_across" in parts()
columns = T.lvector()
assert (tensordsl.function([x, columns], x[:, columns])(turned, [1, 2]) == turned[:, 1:3]).all()
assert "nest_taken" in parts()
""")


def test_without_a_compiler_calls_go_on():
    run("""
def absent(name):
    raise ImportError(name)

tensordsl.config.compiledir = ""
import tensordsl.runtime.loading.cache as cache
cache.set_directory(None)
library._State.compile = absent
for _ in range(3):
    assert (product(turned, straight) == turned * straight + 1).all()
assert not parts() and "nest_turned" in library._State.given_up
""")


def test_an_interrupt_leaves_the_part_to_a_later_call():
    run("""
compiled, loads = library._load, []
def interrupted(name):
    loads.append(name)
    if len(loads) == 1:
        raise KeyboardInterrupt
    compiled(name)

library._load = interrupted
try:
    product(turned, straight)
except KeyboardInterrupt:
    pass
else:
    raise AssertionError
assert (product(turned, straight) == turned * straight + 1).all() and parts()
assert library._State.lock.acquire(blocking=False)
""")


def test_calls_while_a_part_is_loaded_do_not_wait_for_it():
    run("""
with library._State.lock:  # a signal's handler may call in between
    assert (product(turned, straight) == turned * straight + 1).all() and not parts()
product(turned, straight)
assert "nest_turned" in parts()
""")


@pytest.mark.parametrize("count", [1, 3])
def test_threads_may_miss_a_part_at_once(count):
    run(f"""
tensordsl.config.num_threads = {count}
a, wrong = numbers(700, 500).T, []
b = numbers(500, 700)
def work():
    for given in (turned, straight, apart):
        if not (product(given, straight) == given * straight + 1).all():
            wrong.append(given.shape)
    if not (product(a, b) == a * b + 1).all():
        wrong.append(a.shape)
threads = [threading.Thread(target=work) for _ in range(6)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
product(turned, straight)
assert not wrong and "nest_turned" in parts()
pid = os.fork()
if not pid:
    os._exit(0 if (product(short, short) == short * short + 1).all() and "nest_short" in parts() else 1)
assert os.waitpid(pid, 0)[1] == 0
""")


def test_compilers_of_programs_import_no_texts_of_the_library() -> None:
    """Where the library is there already."""
    for factor in (3, 4):
        run(f"""
assert tensordsl.function([x], x * {factor}.25)(straight).shape == (50, 70)
texts = ("loops.entry", "loops.short_rows.reduce_wide", "loops.parallel", "sort.driver", "python.module", "gemm.dispatch")
assert "tensordsl.codegen.compiler.pipeline" in sys.modules and ({factor} == 3 or not {{
    "tensordsl.codegen.library." + name for name in texts}} & {{*sys.modules}})
""")
