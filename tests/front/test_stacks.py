"""Threads with stacks of 64 KB: calls and compiles need no more than these have left, or go where there is more."""

from __future__ import annotations

import os
import subprocess
import sys
import threading

import pytest

from tensordsl.base import processor, stacks
from tensordsl.config import config

PROGRAMS = """
import sys
sys.path[:0] = {path!r}
import threading
import numpy as np
import tensordsl
import tensordsl.tensor as T

rng = np.random.default_rng(0)
SMALL = 1 << 16

def in_thread(run):
    done = []
    usual = threading.stack_size(SMALL)
    thread = threading.Thread(target=lambda: done.append(run()))
    thread.start()
    thread.join()
    threading.stack_size(usual)
    return done[0]

def check(inputs, value, *arguments):
    f = in_thread(lambda: tensordsl.function(inputs, value))
    first, again = (in_thread(lambda: f(*arguments)) for _ in range(2))
    here = f(*arguments)
    for found in zip(*[x if isinstance(x, list) else [x] for x in (first, again, here)]):
        assert np.array_equal(found[0], found[2], equal_nan=True) and np.array_equal(found[1], found[2], equal_nan=True)
"""
KINDS = """
a, b, v, i = T.dmatrix(), T.dmatrix(), T.dvector(), T.lvector()
x, z = rng.standard_normal((200, 201)), rng.standard_normal(1000)
k = rng.integers(0, 200, 500)
for of in (x, x.T, x[::3, ::2], rng.standard_normal((9000, 3))):
    check([a], [a.sum(0), a.sum(1), a.sum(), a.argmax(1), T.nnet.softmax(a), a.var(0), a * 2 + 1], of)
check([a, b], [a * b + a, T.dot(a, b)], x[:, :200], x[:, :200].T)
check([a], [T.sort(a, axis=0), T.argsort(a), T.cumsum(a, axis=1), T.roll(a, 3, axis=1), a[:-2] + a[1:-1]], x)
check([a, i], [a[i], a[:, i], T.inc_subtensor(a[i], a[0]), T.set_subtensor(a[:, i], 0)], x, k)
check([v, i], [T.inc_subtensor(v[i], v[:500]), v[(v > 0).nonzero()], T.topk(v, 5), T.unique(v)], z, k)
check([i], T.bincount(i), k)
c = T.zvector()
check([c], [T.argsort(c), T.sort(c), c.sum(), abs(c)], z + 1j)
random = T.shared_randomstreams.RandomStreams(3)
f = tensordsl.function([], [random.normal((50, 50)), random.uniform((50,)), random.permutation(n=50)])
assert in_thread(f)[0].shape == (50, 50)
"""
PRODUCTS = """
for dtype in ("float64", "complex64"):
    a, b = T.matrix(dtype=dtype), T.matrix(dtype=dtype)
    value = [T.dot(a, b), T.dot(a.T, a), T.dot(a, b[0]), T.maximum(T.dot(a, b) + b[0], 0)][: 3 if "c" in dtype else 4]
    f = tensordsl.function([a, b], value)
    for n in (3, 40, 200, 500):
        x = (rng.standard_normal((n, n)) * 3).astype(dtype)
        for found, wanted in zip(in_thread(lambda: f(x, x)), f(x, x)):
            assert np.array_equal(found, wanted)
"""
MANY = """
scalars = [T.dscalar() for _ in range(2000)]
check(scalars, sum(scalars[1:], scalars[0]), *[1.0] * 2000)
vectors = [T.dvector() for _ in range(400)]
check(vectors, [T.concatenate(vectors), sum(vectors[1:], vectors[0])], *[np.ones(5)] * 400)
v = T.dvector()
check([v], [v * k for k in range(500)], np.ones(5))
"""


@pytest.mark.parametrize("text", [KINDS, MANY], ids=["kinds", "many"])
def test_calls_and_compiles(text):
    script = PROGRAMS.format(path=sys.path) + text
    subprocess.run([sys.executable, "-c", script], check=True, timeout=300)


@pytest.mark.parametrize("cpu", ["native", "x86-64-v2"])
def test_products_by_our_own_code_and_by_a_blas(cpu):
    """That of NumPy has 43 KB on the stack."""
    if cpu != "native" and not processor.features().issuperset(processor.LEVELS[cpu]):
        pytest.skip("another kind of processor")
    flags = f"cpu={cpu},compiledir={config.compiledir}"
    script = PROGRAMS.format(path=sys.path) + PRODUCTS
    environment = {**os.environ, "TENSORDSL_FLAGS": flags}
    subprocess.run([sys.executable, "-c", script], check=True, timeout=300, env=environment)


def test_what_needs_more_runs_in_another_thread():
    def run(size):
        usual = threading.stack_size(size)
        found = []
        here = threading.Thread(target=lambda: found.append(stacks.with_stack(1 << 18, threading.get_ident)))
        here.start()
        here.join()  # it sets the size for a thread of its own meanwhile
        threading.stack_size(usual)
        return found == [here.ident]

    assert stacks.with_stack(1 << 18, threading.get_ident) == threading.get_ident()
    assert run(1 << 20)
    assert not run(1 << 16) or sys.platform != "linux"


def test_errors_and_results_of_another_thread_come_back(monkeypatch):
    def fail(*args, **kwargs):
        raise KeyError(args, kwargs)

    monkeypatch.setattr(stacks, "_stack_bytes", lambda unknown: 0)
    with pytest.raises(KeyError) as error:
        stacks.with_stack(stacks.MAIN_STACK_MIN_BYTES + 1, fail, 1, x=2)
    assert error.value.args == ((1,), {"x": 2})
    assert stacks.with_stack(stacks.MAIN_STACK_MIN_BYTES + 1, lambda x: x + 1, 2) == 3
    assert threading.stack_size() == 0  # as it was
