"""Shared variables under threads and signals: `python tools/stress_state.py threads|signals [--seconds S] [--seed N]`.

Threads (or one thread, whose work the handler of a timer's signal interrupts, beside a thread that updates) call, train,
set, get, copy and pickle the same variables, hold views and change their form, collect garbage, and compile functions
of new variables, while threads change every 10 microseconds.  All elements of each variable are equal at every moment,
so a copy whose elements differ was torn; a held view may not change; no counted update may be lost.  A line of
counts every ten seconds; the status is 0 if nothing was found, 1 if something was, 2 if nothing went on for a minute, and a
signal's if the process crashed.
"""

from __future__ import annotations

import argparse
import copy
import faulthandler
import gc
import os
import pickle
import random
import signal
import sys
import threading
import time
import traceback
from collections import Counter
from collections.abc import Callable
from typing import Any

import numpy as np

import tensordsl
import tensordsl.tensor as T

Act = Callable[[random.Random], None]
LENGTHS = (1, 3, 40, 999, 5_000, 30_000, 200_000)  # in place and without the lock, in malloc's blocks and mappings
SWITCH = 1e-5  # seconds
STUCK = 60.0  # seconds


class Torn(AssertionError):
    """What is not of one moment."""


def check(array: Any, what: str) -> None:
    """All elements are one number."""
    array = np.asarray(array)
    if array.dtype != np.float64 or array.ndim > 2:
        raise Torn(f"{what}: {array.dtype}, {array.ndim} axes")
    first = array.flat[0]
    if not (array == first).all():
        at = int(np.flatnonzero(array.ravel() != first)[0])
        raise Torn(f"{what}: element 0 is {first}, element {at} of {array.size} is {array.flat[at]}")


class Stress:
    """The variables, functions over them, and what may be done with them."""

    def __init__(self, reenters: bool) -> None:
        self.reenters = reenters  # a handler may come while its own thread's call uses a variable: that is refused
        self.counts: Counter[str] = Counter()
        self.errors: list[str] = []
        self.added: list[None] = []  # one for each that was added to `counter`
        self.counter = tensordsl.shared(np.zeros(7), name="counter")
        self.lock = threading.RLock()
        self.vectors = [tensordsl.shared(np.zeros(n), name=f"v{n}") for n in LENGTHS]
        self.matrix = tensordsl.shared(np.zeros((300, 40)), name="matrix")
        self.add = tensordsl.function([], [], updates=[(self.counter, self.counter + 1)])
        k, x, i = T.dscalar("k"), T.dvector("x"), T.lvector("i")
        self.steps, self.reads, self.lists = [], [], []
        for v in (*self.vectors, self.matrix):
            self.steps.append(tensordsl.function([], [], updates=[(v, v * 0.5 + 1)]))
            self.steps.append(tensordsl.function([k], v + k, updates=[(v, T.tanh(v) + k)]))
            self.reads.append(tensordsl.function([], T.exp(-v)))
            self.lists.append(tensordsl.function([], [v, v * 2, v.sum() * 0 + 1], updates=[(v, v - 1)]))
        first, *_, last = self.vectors
        self.both = tensordsl.function([k], [first * 2, last * 2], updates=[(first, first + k), (last, last + k)])
        self.rows = tensordsl.function(
            [k], [], updates=[(self.matrix, T.set_subtensor(self.matrix[:], self.matrix[0, 0] + k))]
        )
        self.take = tensordsl.function([x, i], x[i])
        self.acts: list[tuple[int, Act]] = [
            (20, self.step), (8, self.read), (8, self.list_of), (4, self.two), (4, self.row_update), (10, self.count),
            (10, self.set), (10, self.get), (6, self.hold), (6, self.borrow), (3, self.copies), (1, self.zero),
            (2, self.bad_index), (1, self.collect), (1, self.new_variable), (2, self.share),
        ]  # fmt: skip

    def some(self, chance: random.Random) -> Any:
        return chance.choice((*self.vectors, self.matrix))

    def value(self, chance: random.Random, v: Any) -> np.ndarray:
        shape = (chance.randrange(1, 400), 40) if v is self.matrix else (chance.choice(LENGTHS),)
        return np.full(shape, float(chance.randrange(100)))

    # -- acts
    def step(self, chance: random.Random) -> None:
        f = chance.choice(self.steps)
        if len(f.spec.inputs):
            check(f(0.25), "an output beside an update")
        else:
            f()

    def read(self, chance: random.Random) -> None:
        check(chance.choice(self.reads)(), "an output")

    def list_of(self, chance: random.Random) -> None:
        one, two, three = chance.choice(self.lists)()
        check(one, "an output of several")
        check(two, "an output of several")
        if not np.array_equal(one * 2, two) or float(three) != 1:
            raise Torn("outputs of one call are of several moments")

    def two(self, chance: random.Random) -> None:
        for value in self.both(0.5):
            check(value, "an output of two variables")

    def row_update(self, chance: random.Random) -> None:
        self.rows(0.5)

    def count(self, chance: random.Random) -> None:
        self.add()
        self.added.append(None)  # in one step

    def set(self, chance: random.Random) -> None:
        v = self.some(chance)
        v.set_value(self.value(chance, v))

    def borrow(self, chance: random.Random) -> None:
        v = self.some(chance)
        value = self.value(chance, v)
        v.set_value(value, borrow=True)
        self.reform(chance, value)

    def get(self, chance: random.Random) -> None:
        check(self.some(chance).get_value(), "a copy")

    def hold(self, chance: random.Random) -> None:
        view = self.some(chance).get_value(borrow=True)
        check(view, "a view")
        first, size = view.flat[0], view.size
        for _ in range(chance.randrange(3)):
            self.step(chance)
        if view.size != size or not (view == first).all():
            raise Torn("a view changed while it was held")
        self.reform(chance, view)

    def reform(self, chance: random.Random, array: np.ndarray) -> None:
        """Change the form of an array that is only the caller's, and not what is in it."""
        what = chance.randrange(5)
        if what == 0:
            array.dtype = "f4"  # type: ignore[misc]
        elif what == 1:
            array.shape = (1, -1)  # type: ignore[misc]
        elif what == 2:
            array.flags.writeable = False
        elif what == 3:
            try:
                array.resize(3 * array.size, refcheck=False)
            except ValueError:
                self.counts["refused to resize"] += 1
            else:  # of a variable without functions, which has another value by now
                self.counts["resized what was given back"] += 1

    def copies(self, chance: random.Random) -> None:
        v = self.some(chance)
        how = chance.randrange(3)
        made = v.clone() if how == 0 else copy.deepcopy(v) if how == 1 else pickle.loads(pickle.dumps(v))
        check(made.get_value(), ("a clone", "a deep copy", "a pickle")[how])

    def share(self, chance: random.Random) -> None:
        a, b = chance.sample(self.vectors, 2)
        a.set_value(b.get_value(borrow=True), borrow=True)

    def zero(self, chance: random.Random) -> None:
        self.some(chance).zero()

    def bad_index(self, chance: random.Random) -> None:
        i = np.array([0, chance.choice((9, 1))])
        try:
            self.take(np.zeros(3), i)
        except IndexError:
            self.counts["errors of indices"] += 1

    def collect(self, chance: random.Random) -> None:
        """A circle whose finaliser sets a variable."""

        class Circle:
            def __init__(self) -> None:
                self.circle = self

            def __del__(self) -> None:
                try:
                    v.set_value(value)
                except RuntimeError:  # within a call of this thread
                    pass

        v = self.some(chance)
        value = self.value(chance, v)
        Circle()
        if not chance.randrange(10):
            gc.collect()

    def new_variable(self, chance: random.Random) -> None:
        """One that moves to where functions use it while it is set."""
        v = tensordsl.shared(np.zeros(30))
        with self.lock:
            self.vectors.append(v)
        try:
            tensordsl.function([], [], updates=[(v, v * 0.5 + 1)])()
            check(v.get_value(), "a new variable")
        finally:
            with self.lock:  # variables compare in Python, so that `remove` is no single step
                self.vectors.remove(v)

    # -- running
    def load(self) -> None:
        """Do everything once, so that what is imported at first use is there: a signal's handler that imports while its
        own thread does breaks the module locks of CPython 3.11 (KeyError in `importlib`)."""
        for _, act in self.acts:
            act(random.Random(0))
        try:
            self.take(np.zeros(3), np.array([0, 9]))
        except IndexError:
            pass

    def act(self, chance: random.Random) -> None:
        weights, acts = zip(*self.acts, strict=True)
        (act,) = chance.choices(acts, weights)
        try:
            act(chance)
        except RuntimeError as error:
            if not self.reenters or "in use by this very call" not in str(error):
                raise
            self.counts["refused: in use by the call that was interrupted"] += 1
        self.counts[act.__name__] += 1

    def run(self, seed: int, until: float) -> None:
        chance = random.Random(seed)
        while time.monotonic() < until and not self.errors:
            try:
                self.act(chance)
            except BaseException:
                self.errors.append(traceback.format_exc())


def threads(stress: Stress, seed: int, until: float, count: int = 6) -> None:
    workers = [threading.Thread(target=stress.run, args=(seed + k, until)) for k in range(count)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()


def signals(stress: Stress, seed: int, until: float) -> None:
    """The handler does what the threads do; Python runs it between any two lines of the main thread."""
    chance = random.Random(seed)

    def handle(number: int, frame: Any) -> None:
        stress.counts["signals"] += 1
        try:
            for _ in range(chance.randrange(1, 4)):
                stress.act(chance)
        except BaseException:
            stress.errors.append(traceback.format_exc())
        finally:
            if time.monotonic() < until and not stress.errors:
                signal.setitimer(signal.ITIMER_REAL, chance.uniform(1e-4, 3e-3))

    beside = threading.Thread(target=stress.run, args=(seed + 1, until))
    beside.start()
    signal.signal(signal.SIGALRM, handle)
    signal.setitimer(signal.ITIMER_REAL, 1e-3)
    stress.run(seed + 2, until)
    signal.setitimer(signal.ITIMER_REAL, 0)
    signal.signal(signal.SIGALRM, signal.SIG_IGN)
    beside.join()


def watch(stress: Stress, until: float) -> None:
    """Say how it goes; end the process if nothing goes on."""
    start = said = moved = time.monotonic()
    done = 0
    while (now := time.monotonic()) < until + STUCK:
        time.sleep(0.5)
        total = sum(stress.counts.values())
        if total != done:
            done, moved = total, now
        if now - moved > STUCK:
            faulthandler.dump_traceback(all_threads=True)
            print(f"nothing went on for {STUCK:.0f} s", flush=True)
            os._exit(2)
        if now - said > 10:
            said = now
            print(
                f"{now - start:6.0f} s: {total:,} acts, {stress.counts['signals']:,} signals, {len(stress.errors)} errors",
                flush=True,
            )


def main() -> int:
    parser = argparse.ArgumentParser(description="Shared variables under threads and signals.")
    parser.add_argument("mode", choices=("threads", "signals"))
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    given = parser.parse_args()
    faulthandler.enable()
    sys.setswitchinterval(SWITCH)
    print(f"{given.mode}, seed {given.seed}, {given.seconds:g} s", flush=True)
    stress = Stress(reenters=given.mode == "signals")
    stress.load()
    until = time.monotonic() + given.seconds
    threading.Thread(target=watch, args=(stress, until), daemon=True).start()
    (threads if given.mode == "threads" else signals)(stress, given.seed, until)
    return report(stress)


def report(stress: Stress) -> int:
    print(", ".join(f"{name} {n:,}" for name, n in sorted(stress.counts.items())))
    added, counter = len(stress.added), stress.counter.get_value()
    if not stress.errors and not (counter == added).all():
        stress.errors.append(f"{added} updates were made, the variable counts {counter}")
    for error in stress.errors:
        print(error, file=sys.stderr)
    print(f"{sum(stress.counts.values()):,} acts, {len(stress.errors)} errors")
    return 1 if stress.errors else 0


if __name__ == "__main__":
    raise SystemExit(main())
