"""Wrong arguments for every public function, many: `python tools/wrong_arguments.py FIRST COUNT [strict]`.

Prints each call whose answer is neither a result nor a clear refusal, once for each place in the code, then a line of
counts; with "strict" also messages that do not name what they are about; the status is 1 if there were any.
"""

from __future__ import annotations

import random
import resource
import sys
import time
import warnings
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "support"))

import wrong_arguments  # noqa: E402

MEMORY = 4 << 30


def main(first: int, count: int, strict: bool) -> int:
    warnings.simplefilter("ignore")
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))  # what asks for too much must not take the machine along
    started = time.time()
    places: Counter[str] = Counter()
    for seed in range(first, first + count):
        text = wrong_arguments.call(random.Random(seed).randrange, strict=strict)
        if text:
            place = text.rpartition("\n")[2]
            key = f"{place.split(':')[0]} {place.rpartition('(')[2]}"
            if not places[key]:
                print(f"== seed {seed}\n{text}", flush=True)
            places[key] += 1
    for key, times in places.most_common():
        print(f"{times:6} {key}")
    print(f"{count} calls, {places.total()} findings at {len(places)} places, {time.time() - started:.0f} s")
    return int(bool(places))


if __name__ == "__main__":
    raise SystemExit(main(int(sys.argv[1]), int(sys.argv[2]), "strict" in sys.argv))
