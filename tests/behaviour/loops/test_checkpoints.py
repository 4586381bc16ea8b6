"""`scan_checkpoints`: every so many states of a scan, and gradients that compute those in between again."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import numpy as np
import pytest
from checkout import ROOT

import tensordsl as theano
import tensordsl.tensor as T
from tensordsl import scan, scan_checkpoints
from tensordsl.scan_module import until
from tensordsl.tensor.shared_randomstreams import RandomStreams

x, y, d, n = T.dvector("x"), T.dvector("y"), T.dscalar("d"), T.lscalar("n")


def step(a: Any, s: Any) -> Any:
    return T.tanh(s * a) + a


@pytest.mark.parametrize("size", [1, 2, 3, 10, 100])
def test_the_results_of_every_so_many_rounds_and_the_same_gradient(size: int) -> None:
    kept, _ = scan_checkpoints(step, [x], [d], save_every_N=size)
    values, _ = scan(step, x, d)
    costs = [kept[-1] ** 2, values[-1] ** 2]
    both = theano.function([x, d], [kept, values, *T.grad(costs[0], [x, d]), *T.grad(costs[1], [x, d])])
    for rounds in (1, 2, 3, 7, 10, 23):
        every, all_, by_x, by_d, x_too, d_too = both(np.linspace(-1, 1, rounds), 0.5)
        ends = [*range(size - 1, rounds, size)]
        ends += [] if ends and ends[-1] == rounds - 1 else [rounds - 1]
        np.testing.assert_allclose(every, all_[ends])
        np.testing.assert_allclose(by_x, x_too, rtol=1e-10, atol=1e-13)
        np.testing.assert_allclose(by_d, d_too, rtol=1e-10, atol=1e-13)


CASES: dict[str, tuple[Any, Any]] = {
    # what Theano 1.0.5 gives
    "non_sequences": (
        lambda: scan_checkpoints(lambda s, w: s * 2 + w, [], [d], [d], n_steps=6, save_every_N=2), [7, 31, 127]),
    "no lists": (lambda: scan_checkpoints(lambda a, s: s + a, x, d, save_every_N=4), [11, 22]),
    "a dictionary": (
        lambda: scan_checkpoints(lambda a, s: s + a, [x], [dict(initial=d, taps=[-1])], save_every_N=4), [11, 22]),
    "no state": (lambda: scan_checkpoints(lambda a: a * 2, [x], save_every_N=4), [8, 12]),
    "two results": (
        lambda: scan_checkpoints(lambda a, s: [a * 2, s + a], [x], [None, d], save_every_N=4), [[8, 12], [11, 22]]),
    "fewer rounds": (lambda: scan_checkpoints(lambda a, s: s + a, [x], [d], n_steps=n, save_every_N=2), [4, 11]),
    "two sequences": (lambda: scan_checkpoints(lambda a, b, s: s + a * b, [x, y], [d], save_every_N=2), [33, 69]),
    "no padding": (lambda: scan_checkpoints(lambda a, s: s + a, [x], [d], save_every_N=3, padding=False), [7, 22]),
    "no rounds": (lambda: scan_checkpoints(lambda a, s: s + a, [x[:0]], [d], save_every_N=3), []),
    "a number as the start": (lambda: scan_checkpoints(lambda a, s: s + a, x, 0, save_every_N=6), [21]),
}  # fmt: skip


@pytest.mark.parametrize("mode", ["FAST_RUN", "REFERENCE"])
@pytest.mark.parametrize("build, expected", CASES.values(), ids=CASES)
def test_the_values_at_the_ends_of_blocks(build: Any, expected: Any, mode: str) -> None:
    values, updates = build()
    function = theano.function([x, y, d, n], values, updates=updates, mode=mode, on_unused_input="ignore")
    found = function(np.arange(1.0, 7.0), np.arange(10.0, 13.0), 1.0, 4)
    for one, other in zip(found if isinstance(found, list) else [found],
                          expected if isinstance(values, list) else [expected], strict=True):  # fmt: skip
        np.testing.assert_allclose(one, other)


def test_updates_go_from_block_to_block() -> None:
    counter, streams = theano.shared(0, "counter"), RandomStreams(1)

    def drawn(a: Any, s: Any) -> Any:
        return s + streams.uniform(()), {counter: counter + 1}

    values, updates = scan_checkpoints(drawn, [x], [d], save_every_N=3)
    found = theano.function([x, d], values, updates=updates)(np.zeros(7), 0.0)
    draw = theano.function([], RandomStreams(1).uniform(()))
    sums = np.cumsum([draw() for _ in range(7)])
    assert counter.get_value() == 7
    np.testing.assert_allclose(found, sums[[2, 5, 6]])


def test_a_gradient_goes_through_the_same_random_numbers() -> None:
    streams = RandomStreams(1)
    values, updates = scan_checkpoints(lambda a, s: s * a + streams.uniform(()) * s, [x], [d], save_every_N=2)
    cost = values[-1]
    function = theano.function([x, d], [cost, T.grad(cost, d)], updates=updates)
    cost, slope = function(np.full(5, 0.5), 2.0)
    assert slope == pytest.approx(cost / 2)


# The most memory of this program so far: `ru_maxrss` is at least that of the process which started it.
MEMORY = """
import numpy as np, tensordsl, tensordsl.tensor as T

def most():  # kB
    (line,) = (line for line in open("/proc/self/status") if line.startswith("VmHWM"))
    return int(line.split()[1])

x, start = T.dvector("x"), T.zeros(100)
step = lambda s, a: (T.tanh(s + a), None)
for last in (
    tensordsl.loop(step, start, x, checkpoint=700)[0],
    tensordsl.scan_checkpoints(lambda a, s: step(s, a)[0], x, start, save_every_N=700)[0][-1],
    tensordsl.loop(step, start, x)[0],
):
    function = tensordsl.function([x], T.grad(last.sum(), x))
    function(np.ones(10))
    before = most()
    function(np.ones(500_000))
    print(most() - before)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_the_gradient_remembers_a_state_for_each_block() -> None:
    done = subprocess.run([sys.executable, "-c", MEMORY], cwd=ROOT, capture_output=True, text=True, check=True)
    in_blocks, by_scan, plain = (int(line) / 1024 for line in done.stdout.split())  # MB of 381 for all states
    assert in_blocks < 40 and by_scan < 40 and plain > 200


MISTAKES: dict[str, tuple[Any, type[Exception], str]] = {
    "taps": (
        lambda: scan_checkpoints(lambda a, b: a, [x], [dict(initial=y, taps=[-1, -2])]), ValueError, "work with taps"),
    "taps of a sequence": (
        lambda: scan_checkpoints(lambda a, s: s, [dict(input=x, taps=[-1])], [d]), ValueError, "work with taps"),
    "until": (lambda: scan_checkpoints(lambda a, s: (s, until(a > 1)), [x], [d]), ValueError, "until cannot end it"),
    "no rounds said": (lambda: scan_checkpoints(lambda s: s, outputs_info=[d]), ValueError, "give n_steps"),
    "empty blocks": (lambda: scan_checkpoints(step, [x], [d], save_every_N=0), ValueError, "at least 1"),
    "half a block": (lambda: scan_checkpoints(step, [x], [d], save_every_N=1.5), TypeError, "must be an int"),
    "no padding": (
        lambda: scan_checkpoints(step, [x], [d], n_steps=5, save_every_N=2, padding=False), ValueError, "multiple of"),
}  # fmt: skip


@pytest.mark.parametrize("build, error, text", MISTAKES.values(), ids=MISTAKES)
def test_mistakes_are_named(build: Any, error: type[Exception], text: str) -> None:
    with pytest.raises(error, match=text):
        build()


def test_without_padding_a_call_with_another_number_of_rounds_is_an_error() -> None:
    values, _ = scan_checkpoints(step, [x], [d], save_every_N=2, padding=False)
    function = theano.function([x, d], values)
    assert function(np.ones(4), 1.0).shape == (2,)
    with pytest.raises(ValueError, match="without padding"):
        function(np.ones(5), 1.0)
