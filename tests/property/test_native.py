"""Random functions of the whole op table: native results against the oracles, under every layout of arguments."""

from __future__ import annotations

import random
from typing import Any

import expressions
import numpy as np
import pytest
from expressions import Maker
from hypothesis import given, settings
from hypothesis import strategies as st

# Functions that were once compiled wrongly, by the seed that draws them; the reason stands beside each.
ORDINARY = {
    13: "the length of a branch's result that nothing else of it is needed for",
    38: "lengths that stand for each other in a circle",
    42: "the reduction of a constant over an axis",
    58: "a byte order for a dtype of one byte",
    139: "softmax of a constant: every row's reduction is one value",
    149: "an indexed load of what the same group computes",
    156: "a length known at entry, inside of one that is not",
    162: "a constraint on the value of an argument that nothing loads",
    171: "a reduction read along another axis than it is stored",
    238: "an output that is a view of what an update's step computes",
    269: "storage of a transposed value, reused while a loop still reads it",
    372: "an output that is also an update, computed in the step of another update",
    999: "a branch with a known condition",
    1018: "an output with a new axis, computed in the step of an update",
    1567: "two groups joined, with a third between them",
    21187: "an indexed load of positions",
    30246: "an output of late length beside an update in place",
    31225: "a transposed value that a loop hands on, in storage that is used again",
    31392: "two groups joined past a length that is computed between them",
    50437: "an output that reads an update's storage behind its store",
    31364: "logarithms of probabilities near 1, which are known to the rounding of their sum",
    50508: "a loop without operands of a floating type that stacks what is rounded",
    702254: "a loop that makes much of the rounding of its first steps",
    902069: "a length that is its own multiple, by a factor that turns out to be 1",
    902885: "a loop without iterations that gives back storage used again since",
    903173: "a product of float32 whose terms cancel",
    1864: "axes of length 1 merged into the lane axis past an operand without it",
    13766: "the storage of a loop's starting value, which is its result after no iterations, was used again",
}
SPECIAL = {
    10027: "a known branch of another static shape",
    60490: "the length of a branch's result, both branches of which turn out equal",
    90748: "the square root of a square that overflows",
    802815: "a loop that stacks logarithms of probabilities near 1",
    700731: "the logarithm of gamma next to its zero at 1",
    11262: "a value kept in the storage of an update that a waiting store still reads",
}


def draw(seed: int, special: bool) -> Maker:
    source = random.Random(seed)
    maker = Maker(lambda n: source.randrange(n), special)
    maker.rng = np.random.default_rng(seed)
    return maker


@pytest.mark.parametrize("seed", ORDINARY, ids=lambda seed: f"{seed}-{ORDINARY[seed].replace(' ', '_')}")
def test_once_wrong(seed: int) -> None:
    maker = draw(seed, False)
    expressions.check(maker.make(), maker.level)


@pytest.mark.parametrize("seed", SPECIAL, ids=lambda seed: f"{seed}-{SPECIAL[seed].replace(' ', '_')}")
def test_once_wrong_with_special_values(seed: int) -> None:
    maker = draw(seed, True)
    expressions.check(maker.make(), maker.level)


@settings(max_examples=settings.default.max_examples * 4)
@given(st.randoms(use_true_random=False), st.booleans())
def test_random_functions_agree_with_the_oracles(source: Any, special: bool) -> None:
    maker = Maker(lambda n: source.randrange(n), special)
    maker.rng = np.random.default_rng(source.randrange(1 << 30))
    expressions.check(maker.make(), maker.level)
