"""Reductions have several schedules: a call has the one compiled that it chooses, once."""

from __future__ import annotations

import threading
from typing import Any

import numpy as np
import pytest

import tensordsl as theano
import tensordsl.tensor as T
from tensordsl.codegen.abi import layouts
from tensordsl.codegen.llvm import compile as llvm
from tensordsl.functions import native
from tensordsl.runtime.loading import library

LONG, SHORT = (5, 300), (300, 3)


@pytest.fixture
def compiled(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The texts that the compiler gets, functions from now on sharing nothing with those before."""
    native._prepare()
    library.require("nest", *layouts.NEST_PARTS)  # which calls may else need first
    texts: list[str] = []
    compile_object = llvm.compile_object

    def counted(text: str, *args: Any) -> bytes:
        texts.append(text)
        return compile_object(text, *args)

    monkeypatch.setattr(llvm, "compile_object", counted)
    monkeypatch.setattr(native.cache, "get", lambda key: None)
    native.forget()
    return texts


def spread(factor: float) -> Any:
    x = T.dmatrix("x")
    return theano.function([x], ((x - x.mean(1, keepdims=True)) ** 2 * factor).sum(1))


def check(f: Any, factor: float, shape: tuple[int, int], layout: str = "C") -> None:
    x = np.asarray(np.random.default_rng(0).normal(size=shape), order=layout)  # type: ignore[call-overload]
    np.testing.assert_allclose(f(x), ((x - x.mean(1, keepdims=True)) ** 2 * factor).sum(1))


def test_each_schedule_is_compiled_by_the_first_call_that_needs_it(compiled: list[str]) -> None:
    f = spread(3.0)
    before = len(compiled)
    check(f, 3.0, LONG)
    assert len(compiled) == before + 1
    check(f, 3.0, (7, 401))
    assert len(compiled) == before + 1
    check(f, 3.0, SHORT)
    check(f, 3.0, LONG, "F")
    assert len(compiled) == before + 2
    for n in range(50):  # rows of some vectors go side by side
        check(f, 3.0, (n + 1, 51 - n))
    assert len(compiled) == before + 3


def test_rows_with_weights_shorter_than_vectors_of_dear_functions_are_taken_together(compiled: list[str]) -> None:
    x, w, rng = T.dmatrix("x"), T.dvector("w"), np.random.default_rng(1)
    f = theano.function([x, w], (T.exp(x * 3) / T.exp(x * 3).sum(0)) * w[:, None])
    lengths = []
    for k in (3, 8, 10, 15):
        a, b = rng.normal(size=(500, k)), rng.normal(size=500)
        np.testing.assert_allclose(f(a, b), np.exp(a * 3) / np.exp(a * 3).sum(0) * b[:, None])
        lengths.append(len(compiled))
    assert len(set(lengths)) == 1


def test_functions_with_equal_kernels_share_them(compiled: list[str]) -> None:
    f, x = spread(5.0), T.dmatrix("x")
    g = theano.function([x], [((x - x.mean(1, keepdims=True)) ** 2 * 5.0).sum(1), T.exp(x[0, 0])])
    check(f, 5.0, LONG)
    before = len(compiled)
    check(lambda x: g(x)[0], 5.0, LONG)
    assert len(compiled) == before


def test_all_that_a_call_needs_is_one_module(compiled: list[str]) -> None:
    x, y = T.dmatrix("x"), T.dmatrix("y")
    f = theano.function([x, y], [(x * 7).sum(1), T.exp(y + 7).max(1)])
    before = len(compiled)
    a, b = np.ones(LONG), np.ones((4, 200))
    for got, want in zip(f(a, b), ((a * 7).sum(1), np.exp(b + 7).max(1)), strict=True):
        np.testing.assert_allclose(got, want)
    assert len(compiled) == before + 1


def test_more_choices_than_one_check_holds(compiled: list[str]) -> None:
    xs = T.dmatrices(*(f"x{k}" for k in range(40)))
    f = theano.function(list(xs), [(x * (k + 1)).sum(1) for k, x in enumerate(xs)])
    before = len(compiled)
    values = [np.full((3, 100 + k) if k % 2 else (100, k + 1), 1.0) for k in range(40)]
    modules = []
    for _ in range(2):
        for k, (got, a) in enumerate(zip(f(*values), values, strict=True)):
            np.testing.assert_allclose(got, (a * (k + 1)).sum(1))
        modules.append(len(compiled) - before)
    assert 3 <= modules[0] == modules[1] <= 4  # float64 has one choice more with AVX-512


def test_a_compile_that_fails_leaves_all_as_it_was(compiled: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    state, x = theano.shared(np.zeros(40)), T.dmatrix("x")
    f = theano.function([x], updates=[(state, state + (x * 11).sum(1))])
    with monkeypatch.context() as patch:
        patch.setattr(llvm, "compile_object", lambda *args: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            f(np.ones((40, 300)))
    np.testing.assert_array_equal(state.get_value(), np.zeros(40))
    f(np.ones((40, 300)))
    np.testing.assert_allclose(state.get_value(), np.full(40, 3300.0))


def test_threads_that_need_the_same_kernels_at_once(compiled: list[str]) -> None:
    f = spread(13.0)
    before, barrier, failures = len(compiled), threading.Barrier(4), []

    def call(k: int) -> None:
        barrier.wait()
        try:
            for shape in (LONG, SHORT) if k % 2 else (SHORT, LONG):
                check(f, 13.0, shape)
        except Exception as error:
            failures.append(error)

    threads = [threading.Thread(target=call, args=(k,)) for k in range(4)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert not failures and len(compiled) == before + 2


def test_a_warm_start_finds_them_on_disk(compiled: list[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    monkeypatch.undo()
    with theano.config.change_flags(compiledir=str(tmp_path / "cache")):
        check(spread(17.0), 17.0, LONG)
        native.forget()
        monkeypatch.setattr(llvm, "compile_object", lambda *args: 1 / 0)
        check(spread(17.0), 17.0, LONG)
