"""What Python functions may do while a program calls them: nothing is lost, changed or left behind."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
import threading
import traceback
import tracemalloc
from collections.abc import Callable
from typing import Any
from weakref import ref

import numpy as np
import pytest

import tensordsl
import tensordsl.tensor as T
from tensordsl import callback

X = T.dvector("x")
CALLS = 400


class Sub(np.ndarray):
    """Not the type that NumPy makes."""


def kept_state(f: Callable[..., Any]) -> Any:
    """A function that calls f on X and a shared variable, and the variable."""
    state = tensordsl.shared(np.arange(3.0))
    return tensordsl.function([X], callback(f, X, X + state) * 1, updates=[(state, state + X)]), state


# what a function does with its array, and the error (type, text) that the call raises, if any
BEHAVIOURS: dict[str, tuple[Callable[[Any], Any], type[Exception] | None, str]] = {
    "an array": (lambda a: a + 1, None, ""),
    "a list of one": (lambda a: [a + 1], None, ""),
    "its argument": (lambda a: a, None, ""),
    "its argument, changed": (lambda a: a.__iadd__(1), None, ""),
    "a strided array": (lambda a: np.stack([a, a], 1)[:, 0], None, ""),
    "a subclass": (lambda a: a.view(Sub), None, ""),
    "a list of numbers": (lambda a: [list(map(float, a))], None, ""),
    "an error": (lambda a: {}["no key"], KeyError, "no key"),
    "None": (lambda a: None, TypeError, "result 0 is None, expected an array"),
    "another length": (lambda a: a[1:], ValueError, r"result 0 has shape \(2,\), expected \(3,\)"),
    "another rank": (lambda a: a[None], ValueError, "result 0 has 2 axes, expected 1"),
    "another dtype": (lambda a: a.astype("float32"), TypeError, "result 0 has dtype float32, expected float64"),
    "two arrays": (lambda a: (a, a), ValueError, "gave 2 results, expected 1"),
    "no array": (lambda a: (), ValueError, "gave 0 results, expected 1"),
    "an exception": (lambda a: ValueError("given"), TypeError, "dtype object"),
}


@pytest.mark.parametrize("name", BEHAVIOURS)
@pytest.mark.parametrize("like", ["shape", "type"])
def test_what_a_function_gives(name: str, like: str) -> None:
    """Right or refused; what others hold is as it was, and no object is left."""
    function, error, text = BEHAVIOURS[name]
    if name == "another length" and like == "type":
        error = None
    f = tensordsl.function([X], callback(function, X if like == "shape" else X.type, X) * 1)
    given = np.arange(3.0)

    def call() -> Any:
        try:
            return f(given)
        except (ValueError, TypeError, KeyError) as caught:
            return caught

    found = call()
    if error is None:
        wanted = np.asarray(function(given.copy()))
        assert found.tolist() == (wanted[0] if wanted.ndim == 2 else wanted).tolist()
    else:
        with pytest.raises(error, match=text):
            raise found
        told = "\n".join([str(found), *getattr(found, "__notes__", [])])
        assert "Apply node that caused the error: callback{" in told and "test_host_steps.py" in told
    assert given.tolist() == [0, 1, 2]
    del found
    for _ in range(20):
        call()
    gc.collect()
    references = sys.getrefcount(given), sys.getrefcount(function)
    tracemalloc.start()
    before = sys.getallocatedblocks()
    for _ in range(CALLS):
        call()
    gc.collect()
    after, peak = sys.getallocatedblocks(), tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert after - before < CALLS and peak < 2_000_000
    assert (sys.getrefcount(given), sys.getrefcount(function)) == references


def test_arrays_are_the_functions_own() -> None:
    seen: list[Any] = []

    def keep(a: Any) -> Any:
        seen.append(a)
        return a

    f = tensordsl.function([X], callback(keep, X, X) * 2)
    first, second = f([1, 2]), f([5, 6])
    seen[0][...] = 99
    assert first.tolist() == [2, 4] and second.tolist() == [10, 12] and seen[1].tolist() == [5, 6]
    held = sys.getrefcount(seen[1])
    assert held == 2 and seen[1].flags.owndata and seen[1].flags.writeable


def test_an_error_leaves_the_state() -> None:
    def fail(a: Any) -> Any:
        raise RuntimeError("stop")

    f, state = kept_state(fail)
    for _ in range(3):
        with pytest.raises(RuntimeError, match="stop"):
            f([1, 1, 1])
    assert state.get_value().tolist() == [0, 1, 2]
    g, state = kept_state(lambda a: a)
    g([1, 1, 1])
    assert state.get_value().tolist() == [1, 2, 3]


def test_an_error_keeps_its_type_its_arguments_and_its_traceback() -> None:
    class Own(Exception):
        def __init__(self, code: int, detail: str) -> None:
            super().__init__(code, detail)
            self.code = code

    def inner(a: Any) -> Any:
        raise Own(7, "deep")

    def outer(a: Any) -> Any:
        return inner(a)

    for mode in ("FAST_RUN", "REFERENCE", "DebugMode"):
        with pytest.raises(Own) as caught:
            tensordsl.function([X], callback(outer, X, X), mode=mode)([1])
        assert caught.value.code == 7 and caught.value.args == (7, "deep")
        frames = [frame.name for frame in traceback.extract_tb(caught.value.__traceback__)]
        assert frames[-2:] == ["outer", "inner"]
        assert any("callback{outer}(x)" in note for note in caught.value.__notes__)


def test_an_error_is_in_no_cycle() -> None:
    seen: list[Any] = []

    def fail(a: Any) -> Any:
        seen.append(ref(a))
        raise RuntimeError("stop")

    f = tensordsl.function([X], callback(fail, X, X))
    gc.collect()
    gc.disable()
    try:
        f([1])
    except RuntimeError as error:
        seen.append(str(error))
    finally:
        gc.enable()
    assert seen[1] == "stop" and seen[0]() is None


def test_an_error_in_a_loop_says_the_round() -> None:
    def check(a: Any) -> Any:
        if a > 3:
            raise ArithmeticError("too large")
        return a

    outs, _ = tensordsl.scan(
        lambda s, acc: callback(check, acc, acc + s), sequences=X, outputs_info=T.constant(np.float64(0))
    )
    for few in (outs, tensordsl.scan(lambda acc: callback(check, acc, acc * 2), outputs_info=X[0], n_steps=3)[0]):
        with pytest.raises(ArithmeticError, match="too large") as caught:
            tensordsl.function([X], few[-1])([1, 2, 3])
        assert f"Happened in round {2 if few is outs else 1} of scan" in "\n".join(caught.value.__notes__)


def test_the_function_may_be_called_again_from_within() -> None:
    def again(a: Any) -> Any:
        return a if a.sum() > 100 else f(a * 2)

    f = tensordsl.function([X], callback(again, X, X) + 1)
    assert f([0, 1, 2]).tolist() == [7, 71, 135]
    unknown = tensordsl.function([X], callback(lambda a: a[1:] if len(a) < 3 else unknown(a[1:]), X.type, X) + 1)
    assert unknown([0, 1, 2, 3]).tolist() == [6]


def test_endless_recursion_is_an_error() -> None:
    f = tensordsl.function([X], callback(lambda a: f(a), X, X))
    for _ in range(2):
        with pytest.raises(RecursionError):
            f([1])


def test_state_that_a_call_uses_is_refused_to_its_callbacks() -> None:
    refused: list[str] = []

    def touch(a: Any) -> Any:
        for attempt in (lambda: f([1, 1, 1]), lambda: state.set_value([7, 7, 7])):
            try:
                attempt()
            except RuntimeError as error:
                refused.append(str(error))
        return a

    f, state = kept_state(touch)
    assert f([1, 1, 1]).tolist() == [1, 2, 3] and state.get_value().tolist() == [1, 2, 3]
    assert len(refused) == 2 and all("in use by this very call" in text for text in refused)


def test_threads_in_a_callback_and_callbacks_in_threads() -> None:
    unique = tensordsl.function([X], callback(np.unique, X.type, X) * 2)
    wrong: list[Any] = []

    def work(number: int) -> None:
        for k in range(100):
            found = unique([3, 1, 3, k % (3 + number)]).tolist()
            if found != sorted({2.0, 6.0, 2.0 * (k % (3 + number))}):
                wrong.append(found)

    def spawn(a: Any) -> Any:
        threads = [threading.Thread(target=work, args=(k,)) for k in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return a

    assert tensordsl.function([X], callback(spawn, X, X))([1]).tolist() == [1] and not wrong


@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
def test_forks() -> None:
    def fork(a: Any) -> Any:
        child = os.fork()
        if not child:
            os._exit(7)
        return a + os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])

    f = tensordsl.function([X], callback(fork, X, X))
    assert f([1]).tolist() == [8]
    child = os.fork()
    if not child:
        os._exit(int(f([1]).tolist() == [8]))
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 1


SIGNALS = """
import signal, sys, time
import numpy as np
import tensordsl, tensordsl.tensor as T
x, state = T.dvector("x"), tensordsl.shared(np.zeros(2))
arrays = []
def slow(a):
    arrays.append(a)
    while True:
        time.sleep(0.01)
f = tensordsl.function([x], tensordsl.callback(slow, x, x + state), updates=[(state, state + x)])
signal.signal(signal.SIGALRM, signal.default_int_handler)
for k in range(3):
    signal.setitimer(signal.ITIMER_REAL, 0.1)
    try:
        f([1, 1])
    except KeyboardInterrupt:
        continue
    sys.exit(1)
assert state.get_value().tolist() == [0, 0] and sys.getrefcount(arrays[0]) == 2
state.set_value([1, 1])
"""


def test_signals_end_a_callback_and_the_call() -> None:
    assert subprocess.run([sys.executable, "-W", "ignore", "-c", SIGNALS], timeout=120).returncode == 0


def test_operations_die_with_their_last_use() -> None:
    class Once(tensordsl.Op):
        def make_node(self, x: Any) -> Any:
            return tensordsl.Apply(self, [x], [x.type()])

        def perform(self, node: Any, inputs: Any, output_storage: Any) -> None:
            output_storage[0][0] = inputs[0]

    op = Once()
    f = tensordsl.function([X], op(X))
    assert f([1]).tolist() == [1]
    alive = ref(op)
    del op, f
    gc.collect()
    assert alive() is None
