"""A generator for tests of `tools/strangers/driver.py`: its programs are lists of numbers, some of which fail."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator

from tools.strangers import driver

ENVIRONMENTS = ({}, {"TOY": "1"})  # by blocks of seeds
CRASHES, HANGS = 50, 60


def draw(seed: int) -> list[int]:
    return [seed % driver.BLOCK, 3, 4]


def check(program: list[int]) -> str:
    if CRASHES in program:
        os.abort()
    if HANGS in program:
        time.sleep(100)
    if os.environ.get("TOY") and 7 in program:
        return "wrong toy: seven"
    return f"wrong value: {sum(program)}" if program and program[0] in (19, 10) else ""


def smaller(program: list[int]) -> Iterator[list[int]]:
    for k in range(len(program)):
        yield program[:k] + program[k + 1 :]
    if program[:1] == [19]:
        yield [10, *program[1:]]


def source(program: list[int]) -> str:
    return f"toy({program})"


def features(program: list[int]) -> list[str]:
    return ["odd" if program[0] % 2 else "even"]


if __name__ == "__main__":
    driver.main("toy_strangers")
