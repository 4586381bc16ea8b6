"""Random programs over the whole op table, many: `python tools/random_programs.py FIRST COUNT`.

Each is made by `tests/property` from a seed, runs as native code, by the reference evaluator and with one pass of the
compiler left out (a different one from seed to seed), and is compared with the oracles.  Prints every difference with
the program, then a line of counts; the status is 1 if there were differences.
"""

from __future__ import annotations

import random
import sys
import time
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "property"))

import expressions  # noqa: E402
from test_complex_native import ComplexMaker  # noqa: E402
from test_vocabulary_native import WordMaker  # noqa: E402

from tensordsl.codegen.pipeline import PIPELINE  # noqa: E402
from tensordsl.modes import FAST_COMPILE, FAST_RUN  # noqa: E402

OPTIONAL = [p.name for p in PIPELINE if not p.required]
MODES = [*(FAST_RUN.excluding(name) for name in OPTIONAL), FAST_COMPILE]


def maker_of(seed: int) -> expressions.Maker:
    """Three makers in turn, ordinary values, special values, and the wider vocabulary; every fourth complex numbers."""
    source = random.Random(seed)
    if seed % 4 == 3:
        maker: expressions.Maker = ComplexMaker(source.randrange, special=seed % 8 == 7)
    else:
        kind = WordMaker if seed % 3 == 2 else expressions.Maker
        maker = kind(source.randrange, special=seed % 3 == 1 or seed % 6 == 5)
    maker.rng = np.random.default_rng(seed)
    return maker


def run(seed: int) -> str:
    """What is wrong with the program of a seed; empty if nothing is."""
    maker = maker_of(seed)
    try:
        case = maker.make()
    except expressions.Unfit:
        return ""
    try:
        expressions.check(case, maker.level, (None, "REFERENCE", MODES[seed // 3 % len(MODES)]))
    except Exception as error:  # every kind of failure is a finding
        return f"{type(error).__name__}: {error}\n{expressions.describe(case, maker.level)}"
    return ""


def main(first: int, count: int) -> int:
    started, differences = time.time(), 0
    np.seterr(all="ignore")
    for seed in range(first, first + count):
        text = run(seed)
        if text:
            differences += 1
            print(f"== seed {seed}\n{text}\n", flush=True)
        if (seed - first) % 500 == 499:
            print(f"{seed - first + 1} programs, {differences} differences, {time.time() - started:.0f} s", flush=True)
    print(f"{count} programs, {differences} differences, {time.time() - started:.0f} s")
    return int(differences > 0)


if __name__ == "__main__":
    raise SystemExit(main(*map(int, sys.argv[1:])))
