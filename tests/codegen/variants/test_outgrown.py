"""What pays for large shared variables alone is left out while they are small, and is there when they have grown."""

from __future__ import annotations

import gc
import threading
import time
import weakref
from typing import Any

import numpy as np
import pytest

import tensordsl as theano
import tensordsl.tensor as T
from tensordsl.codegen.abi import layouts
from tensordsl.codegen.compiler import pipeline
from tensordsl.codegen.program_ir import instructions as p
from tensordsl.functions import native

COLUMNS = 40
LARGE = layouts.CACHED // (8 * COLUMNS) + 1  # rows of the least matrix for which blocks pay
SIZES = (0, 3, LARGE - 1, LARGE, 2 * LARGE, 5)


class Regression:
    """Least squares of a shared matrix, which is as small as possible at first."""

    def __init__(self, rows: int = 0, factor: float = 1.0) -> None:
        self.X, self.y = theano.shared(np.zeros((rows, COLUMNS))), theano.shared(np.zeros(rows))
        self.count, self.w = theano.shared(0), T.dvector("w")
        self.cost = (factor * (T.dot(self.X, self.w) - self.y) ** 2).sum()
        self.outputs = [self.cost, T.grad(self.cost, self.w)]
        self.factor = factor

    def function(self) -> Any:
        return theano.function([self.w], self.outputs, updates=[(self.count, self.count + 1)])

    def check(self, f: Any, rows: int) -> None:
        random = np.random.default_rng(rows)
        X, y, w = random.normal(size=(rows, COLUMNS)), random.normal(size=rows), random.normal(size=COLUMNS)
        self.X.set_value(X)
        self.y.set_value(y)
        for argument in (w, list(w)):  # directly, and by way of Python
            cost, by_w = f(argument)
            rest = X @ w - y
            np.testing.assert_allclose(cost, self.factor * (rest**2).sum(), rtol=1e-12)
            np.testing.assert_allclose(by_w, self.factor * 2 * rest @ X, rtol=1e-9, atol=1e-9)


@pytest.fixture
def built(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, ...]]:
    """Of each program that is built from now on which variables it takes for small."""
    found: list[tuple[int, ...]] = []
    compile_graph = pipeline.compile_graph

    def counted(*args: Any, small: tuple[int, ...] = (), **options: Any) -> Any:
        found.append(small)
        return compile_graph(*args, small=small, **options)

    monkeypatch.setattr(pipeline, "compile_graph", counted)
    monkeypatch.setattr(native.cache, "get", lambda key: None)
    native.forget()
    return found


def kinds(small: tuple[int, ...]) -> set[type[p.Instr]]:
    model = Regression()
    shared = [model.X, model.y]
    made = pipeline.make_program("f", [model.w], shared, model.outputs, [], False, small=small)[1]
    return {type(i) for i in p.walk_program(made.code)}


def test_blocks_are_left_out_only_for_the_variables_that_are_small() -> None:
    assert p.Blocks in kinds(()) and p.Deoptimise not in kinds(())
    assert p.Blocks in kinds((1,)) and p.Deoptimise not in kinds((1,))
    assert p.Blocks not in kinds((0,)) and p.Deoptimise in kinds((0,))


@pytest.mark.parametrize("sizes", [SIZES, SIZES[::-1], (LARGE, 0)])
def test_a_function_is_right_for_all_sizes_and_compiled_anew_once(
    sizes: tuple[int, ...], built: list[tuple[int, ...]]
) -> None:
    model = Regression(factor=3.0)
    f = model.function()
    for rows in sizes:
        model.check(f, rows)
    assert built == [(0, layouts.HIDDEN_ROWS, layouts.USUAL_LENGTHS), ()]
    model.check(model.function(), LARGE)  # made for what is large now
    assert built == [(0, layouts.HIDDEN_ROWS, layouts.USUAL_LENGTHS), ()]
    assert model.count.get_value() == 2 * len(sizes) + 2


def test_one_of_a_large_variable_is_compiled_once(built: list[tuple[int, ...]]) -> None:
    model = Regression(LARGE, factor=5.0)
    f = model.function()
    for rows in SIZES:
        model.check(f, rows)
    assert built == [(layouts.HIDDEN_ROWS, layouts.USUAL_LENGTHS)]


def test_errors_tell_the_users_line_afterwards() -> None:
    model = Regression()
    f = model.function()
    model.check(f, LARGE)
    with pytest.raises(ValueError, match=r"dot") as caught:
        f(np.zeros(COLUMNS + 1))
    assert "T.dot(self.X, self.w)" in str(caught.value)
    model.check(f, 3)


def test_copies_grow_too() -> None:
    model = Regression()
    f = model.function()
    model.check(f.copy(share_memory=True), LARGE)
    model.check(f, LARGE)


def test_calls_in_other_threads_go_on() -> None:
    X, w, ones = theano.shared(np.ones((9, COLUMNS))), T.dvector("w"), np.ones(COLUMNS)
    cost = (T.dot(X, w) ** 2).sum()
    f = theano.function([w], [cost, T.grad(cost, w)])
    seen: set[float] = set()
    wrong: list[Any] = []
    is_done = threading.Event()

    def call() -> None:
        while not is_done.is_set():
            cost, by_w = f(ones)
            seen.add(float(cost))
            if cost % COLUMNS**2 or (by_w != 2 * cost / COLUMNS).any():
                wrong.append((cost, by_w))

    threads = [threading.Thread(target=call) for _ in range(3)]
    for thread in threads:
        thread.start()
    for rows in (3000, LARGE, 10, 2 * LARGE):
        X.set_value(np.ones((rows, COLUMNS)))
        while rows * COLUMNS**2 not in seen:
            time.sleep(0.001)
    is_done.set()
    for thread in threads:
        thread.join()
    assert not wrong


def test_nothing_holds_a_function_that_has_grown() -> None:
    model = Regression()
    f = model.function()
    model.check(f, LARGE)
    seen = weakref.ref(f)
    del f
    gc.collect()
    assert seen() is None
