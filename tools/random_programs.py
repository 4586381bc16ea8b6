"""Random programs over the whole op table, many: `python tools/random_programs.py FIRST COUNT [long | sim]`.

Each is made by `tests/support/expressions.py` from a seed, runs as native code, by the reference evaluator, with one
pass of the compiler left out and with one optimisation below left out or forced (different ones from seed to seed),
with arguments of some lengths, of other ones where it allows that, and of the first ones again, and is compared with
the oracles. With `long`, values have up to three million elements, and every second call may use three threads. With
`sim`, they run on the simulated GPU alone, with its threads in another order from call to call, which must not change a
bit. Prints every difference with the program (but not if it is long), then a line of counts; the status is 1 if there
were differences.
"""

from __future__ import annotations

import random
import resource
import sys
import time
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "support"))

import expressions  # noqa: E402
from complex_expressions import ComplexMaker  # noqa: E402
from growth import LENGTHS, LONG_LENGTHS  # noqa: E402
from word_expressions import WordMaker  # noqa: E402

from tensordsl.base.config import config  # noqa: E402
from tensordsl.codegen.compiler.optimisations import ROWS  # noqa: E402
from tensordsl.codegen.compiler.pipeline import PIPELINE  # noqa: E402
from tensordsl.functions.devices import get_device  # noqa: E402
from tensordsl.runtime.driver.simulator import ORDERS  # noqa: E402
from tensordsl.signature.modes import FAST_COMPILE, FAST_RUN  # noqa: E402

Way = Callable[[], None]

OPTIONAL = [p.name for p in PIPELINE if not p.required]
MODES = [*(FAST_RUN.excluding(name) for name in OPTIONAL), FAST_COMPILE]
LOWER = [row for row in ROWS.values() if row.level != "library"]  # optimisations below the tensor IR
SWITCHES = [
    *(FAST_RUN.excluding(row.name) for row in LOWER),
    *(FAST_RUN.forcing(row.name) for row in LOWER if row.is_forcible),
]


def maker_of(seed: int, is_long: bool = False) -> expressions.Maker:
    """Three makers in turn, ordinary values, special values, and the wider vocabulary; every fourth complex numbers."""
    source = random.Random(seed)
    if seed % 4 == 3:
        maker: expressions.Maker = ComplexMaker(source.randrange, special=seed % 8 == 7)
    else:
        kind = WordMaker if seed % 3 == 2 else expressions.Maker
        maker = kind(source.randrange, special=seed % 3 == 1 or seed % 6 == 5)
    maker.rng = np.random.default_rng(seed)
    if is_long:
        maker.largest, maker.lengths = 3_000_000, maker.draw_lengths(LONG_LENGTHS)
    return maker


def with_threads(count: int) -> Way:
    return lambda: setattr(config, "num_threads", count)


def in_order(order: str) -> Way:
    return lambda: setattr(get_device("sim").driver, "order", order)


# what is set before a call, in turn, and how often each is made; results must be the same to the bit
WAYS: dict[str, tuple[Sequence[Way], int]] = {
    "": ((), 2),
    "long": ((with_threads(1), with_threads(3)), 2),
    "sim": ([in_order(order) for order in ORDERS], 5),  # the third call repeats what the second one has recorded
}


def modes_of(seed: int, kind: str) -> Sequence[Any]:
    if kind == "sim":
        return (None,)
    return (
        None,
        MODES[seed // 3 % len(MODES)],
        SWITCHES[seed // 3 % len(SWITCHES)],
        *(() if kind == "long" else ("REFERENCE",)),
    )


def run(seed: int, kind: str = "") -> str:
    """What is wrong with the program of a seed; empty if nothing is."""
    is_long, (ways, turns) = kind == "long", WAYS[kind]
    maker = maker_of(seed, is_long)
    try:
        case = maker.make()
    except expressions.Unfit:
        return ""
    also = expressions.other_scenes(maker, LONG_LENGTHS if is_long else LENGTHS)
    try:
        with config.change_flags(device="sim" if kind == "sim" else "cpu", num_threads=config.num_threads):
            expressions.check(case, maker.level, modes_of(seed, kind), turns, also, ways)
        if kind == "sim":
            get_device("sim").driver.check()
    except Exception as error:  # every kind of failure is a finding
        text = "" if is_long else expressions.describe(case, maker.level)
        return f"{type(error).__name__}: {error}\n{text}"
    return ""


def main(first: int, count: int, kind: str = "") -> int:
    started, differences = time.time(), 0
    if kind == "long":  # what a program that is too large for the oracles would take
        resource.setrlimit(resource.RLIMIT_AS, (6 << 30, 6 << 30))
    np.seterr(all="ignore")
    warnings.filterwarnings("ignore", "device .* has no kernel")
    for seed in range(first, first + count):
        text = run(seed, kind)
        if text:
            differences += 1
            print(f"== seed {seed}\n{text}\n", flush=True)
        if (seed - first) % 500 == 499:
            print(f"{seed - first + 1} programs, {differences} differences, {time.time() - started:.0f} s", flush=True)
    print(f"{count} programs, {differences} differences, {time.time() - started:.0f} s")
    return int(differences > 0)


if __name__ == "__main__":
    raise SystemExit(main(int(sys.argv[1]), int(sys.argv[2]), *sys.argv[3:]))
