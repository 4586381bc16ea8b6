"""Interrupts at any moment: afterwards the process goes on as if nothing had been."""

from __future__ import annotations

import gc
import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
from checkout import TESTS
from interrupts import interrupted

import tensordsl as theano
import tensordsl.tensor as T
from tensordsl import config
from tensordsl.base import forks
from tensordsl.codegen.tensor_ir import extents
from tensordsl.functions import link, native
from tensordsl.runtime.calls import entry
from tensordsl.runtime.loading import late, library


def make() -> tuple[Any, Any]:
    x, s = T.dmatrix("x"), theano.shared(np.zeros(3), "s")
    return theano.function([x], [T.exp(x).sum(1), x.sum(0) + s], updates=[(s, s * 0.5 + x.sum(0))]), s


X = np.random.default_rng(0).random((4, 3))


def check(f: Any, s: Any) -> None:
    before = s.get_value()
    rows, columns = f(X)
    np.testing.assert_allclose(rows, np.exp(X).sum(1))
    np.testing.assert_allclose(columns, X.sum(0) + before)
    np.testing.assert_allclose(s.get_value(), before * 0.5 + X.sum(0))


def all_is_free() -> bool:
    locks = library._State.lock, late._State.lock, extents._lock
    return gc.isenabled() and not any(lock.locked() for lock in locks) and not forks.lock._is_owned()


def every_moment() -> None:
    """Of making, calling, failing, storing and loading a function whose code the process has; of a compile some."""
    f, s = make()
    check(f, s)

    def session() -> None:
        g, state = make()
        g(X)
        state.set_value(np.ones(3))
        try:
            f(X[:, 1:])
        except ValueError:
            pass
        f(X.tolist())
        pickle.loads(pickle.dumps(g))

    def compile() -> None:
        native.forget()
        make()[0](X)

    theano.config.compiledir = ""
    compile()
    for action, step in ((session, 13), (compile, 1997)):
        for _ in interrupted(action, step, 10**6):
            assert all_is_free()
            check(f, s)
            check(*make())


def test_the_process_goes_on() -> None:
    """In a process of its own: of old, some moments ended it."""
    script = f"import sys; sys.path[:0] = {[str(Path(__file__).parent), str(TESTS / 'support')]!r}\n"
    script += "from test_interrupts import every_moment; every_moment()"
    assert subprocess.run([sys.executable, "-c", script]).returncode == 0


def test_no_function_is_half_made() -> None:
    """Its memory is only then an object when it has all that its end needs."""
    script = f"""
import sys; sys.path[:0] = {[str(TESTS / "support")]!r}
from interrupts import interrupted
from tensordsl.runtime.calls import entry
kind = entry.function_type()
for n in interrupted(lambda: entry.new_function(kind, (), entry.library._State.table[entry.layouts.RT["dead_ctx"] // 8], print)):
    pass
"""
    prepare = "import tensordsl, tensordsl.tensor as T; x = T.dvector(); tensordsl.function([x], x + 1)\n"
    assert subprocess.run([sys.executable, "-c", prepare + script]).returncode == 0


def test_the_type_has_all_methods_or_is_given_them_again() -> None:
    spec, mode = make()[0].spec, make()[0].mode
    wanted = [name for name, method in link.FunctionMethods.__dict__.items() if callable(method)]
    moments = 0

    def kind() -> type:
        return type("Native", (), {})

    kinds = [kind()]
    for _ in interrupted(lambda: link.with_methods(kinds[0](), spec, mode)):
        moments += 1
        link.with_methods(kinds[0](), spec, mode)
        assert all(name in vars(kinds[0]) for name in wanted)
        kinds[0] = kind()
    assert moments > len(wanted)


def test_the_collector_is_on_again() -> None:
    def pause() -> None:
        with native._paused_collector():
            pass

    assert gc.isenabled()
    for _ in interrupted(pause):
        assert gc.isenabled()


def test_the_run_time_is_prepared_or_prepared_again(monkeypatch: Any) -> None:
    native._prepare()
    version, compiler = native._State.version, library._State.compile
    given: list[str] = []
    monkeypatch.setattr(native.cache, "sources_version", lambda *_: "")
    monkeypatch.setattr(native.cache, "set_directory", lambda path: given.append("cache"))
    monkeypatch.setattr(native.library, "install", lambda *_: given.append("library"))

    def prepare() -> None:
        given[:] = []
        native._State.version, native._State.directory = "", ()
        native._prepare()

    try:
        prepare()
        for _ in interrupted(prepare):
            native._prepare()
            assert {"cache", "library"} <= set(given)
            assert native._State.version and native._State.directory == config.compiledir
    finally:
        native._State.version = version
    assert library._State.compile is compiler


class _Table(list[int]):
    """A table whose k-th change is the last."""

    left = 0

    def __setitem__(self, place: Any, value: Any) -> None:
        if not self.left:
            raise KeyboardInterrupt
        self.left -= 1
        super().__setitem__(place, value)


def test_kernels_that_came_late_are_there_whole_or_not_at_all(monkeypatch: Any) -> None:
    native.forget()
    f, _ = make()
    f(X)
    executable = native._State.executables[next(reversed(native._State.executables))]
    code, table, program = executable.load()
    numbers = range(len(executable.meta["late"]))
    places = [entry.layouts.PLAN_SIZE // 8 * plan for plan in executable.meta["late"]]
    assert places
    for left in range(2 * len(places)):
        half = _Table(table)
        for place in places:
            list.__setitem__(half, slice(place, place + 2), [0, 0])
        half.left = left
        monkeypatch.setattr(executable, "_code", (code, half, program))
        try:
            executable.supply(numbers, native.late_object)
        except KeyboardInterrupt:
            pass
        absent = entry._absent(executable, half)
        for bit, place in enumerate(places):
            assert absent[bit // 64] >> bit % 64 & 1 or all(half[place : place + 2])
