"""Ctrl-C ends a call that would take minutes, and leaves everything as it was.

    python tests/behaviour/functions/test_long_calls.py [threads [name ...]]

prints how long each call goes on after the signal.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import tensordsl as theano
import tensordsl.tensor as T
from tensordsl.tensor.shared_randomstreams import RandomStreams

Call = tuple[Any, tuple[Any, ...], tuple[Any, ...]]  # a function; arguments that take long, and others
BEFORE = 0.15  # seconds before the signal
HERE = Path(__file__).resolve().parent
PATIENCE = 10.0  # seconds after which a call that goes on has not been interrupted


def over(make: Callable[[Any], Any], long: int, short: int = 5, state: bool = True) -> Call:
    """A function of a length, with a state that it changes."""
    n, s = T.lscalar("n"), theano.shared(np.zeros(3), "s")
    return theano.function([n], make(n), updates=[(s, s + 1)] if state else None), (long,), (short,)


def of_arrays(make: Callable[..., Any], long: tuple[Any, ...], short: tuple[Any, ...]) -> Call:
    inputs = [T.TensorType(str(x.dtype), (False,) * x.ndim)() for x in long]
    s = theano.shared(np.zeros(3), "s")
    return theano.function(inputs, make(*inputs), updates=[(s, s + 1)]), long, short


def looped() -> Call:
    """A loop on the host, of a product for each turn."""
    x, m, s = T.dvector("x"), T.dmatrix("m"), theano.shared(np.zeros(3), "s")
    rows = T.jacobian(T.tanh(T.dot(m, x)), x)
    f = theano.function([x, m], rows.sum(), updates=[(s, s + 1)])
    return f, (numbers(3000), square(3000) * 1), (numbers(3), square(3) * 1)


def scanned(step: Callable[[Any], Any], long: int, *, gradient: bool = False) -> Call:
    """A scan of many rounds, which counts them in a shared variable."""
    n, x, s = T.lscalar("n"), T.dvector("x"), theano.shared(np.zeros(3), "s")
    values, updates = theano.scan(lambda h: (step(h), {s: s + 1}), outputs_info=x, n_steps=n)
    last = T.grad(values[-1].sum(), x) if gradient else values[-1]
    start = np.linspace(0.1, 0.3, 3)
    return theano.function([n, x], last, updates=updates), (long, start), (5, start)


def nested(h: Any) -> Any:
    return theano.scan(lambda g: T.sin(g), outputs_info=h, n_steps=10**6)[0][-1]


def square(n: int) -> np.ndarray[Any, Any]:
    """A matrix without memory of its own, but for a row."""
    return np.broadcast_to(np.linspace(0.0, 1.0, n), (n, n))


def column(n: int) -> np.ndarray[Any, Any]:
    return np.linspace(0.0, 1.0, n).reshape(n, 1)


def numbers(n: int) -> np.ndarray[Any, Any]:
    return np.random.default_rng(0).random(n)


def drawn(n: Any) -> Any:
    return RandomStreams(1).normal((n,)).sum()


def updated() -> Call:
    """A large state, computed anew."""
    s, x = theano.shared(numbers(1000), "s"), T.dvector("x")
    new = T.exp(T.sin(x[:, None] * s)).sum(0)
    return theano.function([x], new.sum(), updates=[(s, new)]), (numbers(10**7),), (numbers(5),)


def rounds_of(start: Any, n: Any) -> Any:
    return theano.scan(lambda s: T.tanh(T.exp(s) * 0.5), outputs_info=start, n_steps=n)[0][-1]


def scattered() -> Call:
    """Few places of a new array, many times."""
    x, i = T.dvector("x"), T.lvector("i")
    f = theano.function([x, i], T.inc_subtensor(T.zeros((1000,))[i], T.exp(T.sin(x))).sum())
    few = np.broadcast_to(np.int64(3), (3 * 10**7,))
    return f, (np.broadcast_to(np.float64(2.0), (3 * 10**7,)), few), (numbers(3), np.arange(3))


CALLS: dict[str, Callable[[], Call]] = {
    "sum of nothing": lambda: over(lambda n: T.zeros((n,)).sum(), 2**62),
    "rows": lambda: over(lambda n: T.zeros((3, n)).sum(1), 2**60),
    "columns": lambda: over(lambda n: T.zeros((n, 3)).sum(0), 2**60),
    "many columns": lambda: over(lambda n: T.zeros((n, 3000)).sum(0), 2**45),
    "functions": lambda: over(lambda n: T.exp(T.sin(T.arange(n) * 1e-3)).max(), 2**40),
    "means and variances": lambda: over(lambda n: (T.arange(n) * 1e-3).var(), 2**40),
    "without state": lambda: over(lambda n: T.exp(T.arange(n) * 1e-3).sum(), 2**40, state=False),
    "random numbers": lambda: over(drawn, 2**36),
    "elementwise": lambda: of_arrays(
        lambda x: T.gammaln(T.gammaln(x + 5) ** 2 + T.erfinv(x / 2) + 3), (square(8000),), (square(3),)
    ),
    "softmax": lambda: of_arrays(lambda x: T.nnet.softmax(x + x.T).max(), (square(12000),), (square(3),)),
    "state": updated,
    "product": lambda: of_arrays(lambda a, b: T.dot(a, b).sum(), (square(6000) * 1, square(6000) * 1), (square(3), square(3))),
    "product and bias": lambda: of_arrays(
        lambda a, b: T.tanh(T.dot(a, b) + b[0]).sum(), (square(6000) * 1, square(6000) * 1), (square(3), square(3))
    ),
    "gram": lambda: of_arrays(lambda a: T.dot(a, a.T).sum(), (square(8000) * 1,), (square(3),)),
    "stacked products": lambda: of_arrays(
        lambda a: T.batched_dot(a, a).sum(),
        (np.broadcast_to(square(5) * 1, (3 * 10**7, 5, 5)),), (np.broadcast_to(square(5), (3, 5, 5)),)
    ),
    "sort": lambda: of_arrays(lambda x: T.sort(x), (numbers(3 * 10**7),), (numbers(5),)),
    "argsort": lambda: of_arrays(lambda x: T.argsort(x), (numbers(10**7),), (numbers(5),)),
    "running sums": lambda: of_arrays(
        lambda x: T.cumsum(T.cumsum(T.cumsum(T.cumsum(x)))), (numbers(10**8),), (numbers(5),)
    ),
    "search": lambda: of_arrays(
        lambda x, v: T.extra_ops.searchsorted(x, v).sum(), (np.sort(numbers(10**7)), numbers(3 * 10**7)), (numbers(1), numbers(5))
    ),
    "scatter": scattered,
    "loop": looped,
    "loop that ends early": lambda: over(lambda n: theano.while_loop(lambda k: T.lt(k, n), lambda k: k + 1, 0), 2**62),
    "loop without a limit": lambda: over(lambda n: theano.while_loop(lambda k: T.neq(k, n), lambda k: k + 1, 0), -1),
    "short rounds": lambda: over(lambda n: rounds_of(T.constant(np.float64(1)), n), 2**50),
    "short rounds of vectors": lambda: over(lambda n: rounds_of(T.constant(np.linspace(0, 1, 2000)), n).sum(), 2**50),
    "scan": lambda: scanned(lambda h: T.sin(h) + h[::-1], 10**12),
    "scan and gradient": lambda: scanned(lambda h: T.sin(h) * h, 2 * 10**6, gradient=True),
    "while": lambda: of_arrays(
        lambda x: theano.while_loop(lambda h: h.sum() > 0, lambda h: T.sin(h) + x, x).sum(), (numbers(3),), (-numbers(3),)
    ),
    "scan in a scan": lambda: scanned(nested, 10**6),
}  # fmt: skip
ONLY_BY_HAND = {
    "product",
    "product and bias",
    "gram",
    "elementwise",
    "many columns",
    "without state",
    "sort",
    "argsort",
    "running sums",
    "search",
    "stacked products",
    "scan and gradient",
}


def child(threads: int, names: list[str]) -> None:
    """For each name: make the call, say so, be interrupted, and say when and what is left.  A call that ends before the
    signal comes is made again."""
    is_inside = False

    def interrupt(*_: Any) -> None:
        if is_inside:
            raise KeyboardInterrupt

    signal.signal(signal.SIGINT, interrupt)  # a job in the background of a shell ignores it otherwise
    theano.config.num_threads = threads
    for name in names:
        f, long, short = CALLS[name]()
        states = f.get_shared()
        expected = f(*short)
        before = [s.get_value() for s in states]
        is_interrupted = False
        while not is_interrupted:
            print("begin", flush=True)
            try:
                is_inside = True
                f(*long)
                is_inside = False
                print("finished", time.monotonic(), flush=True)
            except KeyboardInterrupt:
                is_inside, is_interrupted = False, True
                print("interrupted", time.monotonic(), flush=True)
            if is_interrupted:
                after = [s.get_value() for s in states]
                assert all(np.array_equal(x, y) for x, y in zip(before, after, strict=True)), "state has changed"
            for s, value in zip(states, before, strict=True):
                s.set_value(value)
        again = f(*short)
        same = states or np.array_equal(again, expected)
        print("as before" if same else "not as before", flush=True)


def latencies(threads: int, names: list[str]) -> dict[str, float]:
    """Seconds from the signal to the end of each call."""
    script = f"import sys; sys.path[:0] = {[str(HERE), str(HERE.parents[2])]!r}\n"
    script += f"import test_long_calls; test_long_calls.child({threads}, {names!r})"
    process = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
    found = {}
    try:
        for name in names:
            while name not in found:
                assert _line(process) == "begin", name
                time.sleep(BEFORE)
                sent = time.monotonic()
                process.send_signal(signal.SIGINT)
                watchdog = threading.Timer(PATIENCE, process.kill)
                watchdog.start()
                line = _line(process)
                watchdog.cancel()
                how, _, at = line.partition(" ")
                is_too_late = how == "finished" and float(at) < sent  # this process has slept longer than it wanted to
                assert how == "interrupted" or is_too_late, f"{name}: {how or 'was not interrupted'}"
                if not is_too_late:
                    found[name] = float(at) - sent
            assert _line(process) == "as before", name
    finally:
        process.kill()
        process.wait()
    return found


def _line(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


@pytest.mark.parametrize("threads", [1, 2])
def test_every_long_call_ends_at_a_signal(threads: int) -> None:
    names = [name for name in CALLS if name not in ONLY_BY_HAND]
    assert latencies(threads, names).keys() == set(names)


def numbered() -> Any:
    """A function that takes a quarter of a second or more for `LENGTH`, and its state."""
    x, s = T.lscalar("x"), theano.shared(np.zeros(3), "s")
    return theano.function([x], T.exp(T.sin(T.arange(x) * 1e-3)).sum(), updates=[(s, s + 1)]), s


@contextmanager
def at_alarm(handler: Callable[..., Any]) -> Iterator[None]:
    """`handler` is called a fiftieth of a second later, by a signal."""
    old = signal.signal(signal.SIGALRM, handler)
    signal.setitimer(signal.ITIMER_REAL, 0.02)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, old)


class Mine(Exception):
    pass


@pytest.fixture(params=[1, 2])
def threads(request: Any) -> Iterator[int]:
    old = theano.config.num_threads
    theano.config.num_threads = request.param
    yield request.param
    theano.config.num_threads = old


LENGTH = 5 * 10**8


def test_a_handler_may_return(threads: int) -> None:
    f, s = numbered()
    expected, calls = f(LENGTH), []
    with at_alarm(lambda *_: calls.append(1)):
        assert f(LENGTH) == expected
    assert calls == [1] and (s.get_value() == 2).all()


def test_a_handler_may_raise_what_it_wants(threads: int) -> None:
    f, s = numbered()

    def handler(*_: Any) -> None:
        raise Mine

    expected = f(1000)
    with at_alarm(handler), pytest.raises(Mine):
        f(2**40)
    assert (s.get_value() == 1).all()
    assert f(1000) == expected and (s.get_value() == 2).all()


def test_a_handler_may_call_functions_and_set_other_variables(threads: int) -> None:
    f, s = numbered()
    g, other = numbered()
    expected, found = f(LENGTH), []

    def handler(*_: Any) -> None:
        other.set_value(np.ones(3))
        found.append(g(10**7))
        found.append(other.get_value())
        with pytest.raises(RuntimeError):
            f(3)  # whose state is in use
        with pytest.raises(RuntimeError):
            s.set_value(np.ones(3))

    with at_alarm(handler):
        assert f(LENGTH) == expected
    assert found[0] == g(10**7) and (found[1] == 2).all() and (s.get_value() == 2).all()


def test_a_call_of_a_handler_may_be_interrupted_too(threads: int) -> None:
    f, s = numbered()
    g, other = numbered()
    expected, found = f(LENGTH), []

    def inner(*_: Any) -> None:
        raise Mine

    def outer(*_: Any) -> None:
        with at_alarm(inner):
            try:
                g(2**40)
            except Mine:
                found.append(other.get_value())

    with at_alarm(outer):
        assert f(LENGTH) == expected
    assert (found[0] == 0).all() and (s.get_value() == 2).all()
    assert g(1000) == f(1000)


def test_a_handler_may_fork(threads: int) -> None:
    f, s = numbered()
    expected, children = f(LENGTH), []

    def handler(*_: Any) -> None:
        children.append(os.fork())

    with at_alarm(handler):
        try:
            result = f(LENGTH)
        except RuntimeError as error:
            result = str(error)
    if not children[0]:  # with threads the child cannot go on with that call, but with all others
        good = result == expected or (threads > 1 and "forked" in result and (s.get_value() == 1).all())
        os._exit(0 if good and f(1000) > 0 else 1)
    assert result == expected and os.waitpid(children[0], 0)[1] == 0


def test_other_threads_are_not_interrupted() -> None:
    f, _ = numbered()
    g, _ = numbered()
    expected, found = f(LENGTH), []
    thread = threading.Thread(target=lambda: found.append(f(LENGTH)))

    def handler(*_: Any) -> None:
        raise Mine

    thread.start()
    with at_alarm(handler), pytest.raises(Mine):
        g(2**40)
    thread.join()
    assert found == [expected]


if __name__ == "__main__":
    count, *chosen = sys.argv[1:] or ["1"]
    for name in chosen or CALLS:
        print(f"{name:24}{latencies(int(count), [name])[name] * 1e3:8.1f} ms", flush=True)
