"""Random loops, many: `python tools/random_loops.py FIRST COUNT [PROCESSES]`.

Each is made by `tests/behaviour/loops/random_loops.py` from a seed: a `scan`, a `loop` or a `while_loop` whose step is drawn, against a
Python loop over NumPy, for 0, 1, 2 and 17 rounds; every third is smooth, and its first and second derivatives are compared
with differences.  Every other one has matrices.  Every fifth runs with one pass or one optimisation left out or forced, too.  Prints every difference with
the program, then a line of counts; the status is 1 if there were differences.
"""

from __future__ import annotations

import random
import sys
import time
import traceback
import warnings
from multiprocessing import Pool
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "behaviour" / "loops"))

import random_loops  # noqa: E402

WIDTHS = ((3, 1), (3, 1), (1, 5, 9), (2, 16, 17))  # of rows and matrices
BLOCK = 50  # programs that a process is given at a time


def modes_of(seed: int) -> dict[str, object]:
    """A mode with one pass or optimisation switched, another from seed to seed."""
    from tensordsl.codegen.compiler.optimisations import ROWS
    from tensordsl.codegen.compiler.pipeline import PIPELINE
    from tensordsl.signature.modes import FAST_COMPILE, FAST_RUN

    modes = [FAST_COMPILE, *(FAST_RUN.excluding(p.name) for p in PIPELINE if not p.required)]
    lower = [row for row in ROWS.values() if row.level != "library"]
    modes += [FAST_RUN.excluding(row.name) for row in lower]
    modes += [FAST_RUN.forcing(row.name) for row in lower if row.is_forcible]
    return {"mode": modes[seed // 5 % len(modes)]}


def run(seed: int) -> str:
    """The difference of a seed's program; empty if there is none."""
    source = random.Random(seed)
    is_smooth = seed % 3 == 2
    program = random_loops.drawn(source.randrange, is_smooth, has_matrices=seed % 2 == 1)
    options: dict[str, object] = {}
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            random_loops.check_values(program, WIDTHS[seed % len(WIDTHS)])
            if seed % 5 == 0:
                options = modes_of(seed)
                random_loops.check_values(program, **options)
            if is_smooth:
                random_loops.check_gradients(program)
    except Exception:
        return f"seed {seed} {options}: {program}\n{traceback.format_exc()}"
    return ""


def run_block(block: tuple[int, int]) -> list[str]:
    first, count = block
    return [found for seed in range(first, first + count) if (found := run(seed))]


def main() -> int:
    first, count, *rest = map(int, sys.argv[1:])
    start, differences = time.perf_counter(), 0
    blocks = [(k, min(BLOCK, first + count - k)) for k in range(first, first + count, BLOCK)]
    with Pool(*rest or [2], maxtasksperchild=4) as pool:
        for done, texts in enumerate(pool.imap(run_block, blocks)):
            print(f"{done * BLOCK} programs, {differences} differences", end="\r", file=sys.stderr, flush=True)
            differences += len(texts)
            for text in texts:
                print(text, flush=True)
    print(f"{count} programs from seed {first}: {differences} differences, {time.perf_counter() - start:.0f} s")
    return 1 if differences else 0


if __name__ == "__main__":
    sys.exit(main())
