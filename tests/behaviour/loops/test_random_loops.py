"""Random `scan`s and `loop`s of many operations, with loops in their rounds, against a Python loop over NumPy.

`tools/random_loops.py` runs as many as one likes by hand.
"""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from random_loops import FR, IR, F, I, Kind, Program, Result, Sequence, check_gradients, check_values, drawn

FEW = max(settings.default.max_examples // 4, 10)


@settings(max_examples=FEW * 4)
@given(st.randoms(use_true_random=False))
def test_a_loop_is_a_python_loop(source: Any) -> None:
    check_values(drawn(lambda n: source.randrange(n)))


@settings(max_examples=FEW)
@given(st.randoms(use_true_random=False))
def test_derivatives_are_those_of_the_rounds(source: Any) -> None:
    check_gradients(drawn(lambda n: source.randrange(n), differentiable=True))


@settings(max_examples=FEW)
@given(st.randoms(use_true_random=False))
def test_a_loop_over_matrices_is_a_python_loop(source: Any) -> None:
    check_values(drawn(lambda n: source.randrange(n), has_matrices=True), (3, 17))


@settings(max_examples=FEW)
@given(st.randoms(use_true_random=False))
def test_derivatives_of_loops_over_matrices_are_those_of_the_rounds(source: Any) -> None:
    check_gradients(drawn(lambda n: source.randrange(n), differentiable=True, has_matrices=True))


ONCE_WRONG = {
    "two stacks of one value, with lengths that rounds find": Program(
        spelling="loop", sequences=[], results=[Result(F, None), Result(F, None)], others=[F, F, F], operations=[],
        picks=[49, 46], reads=["all", "all"], go_backwards=False, has_counter=False, has_draw=False, limit=None,
        checkpoint=5, truncate=-1, seed=482862373,
    ),
    "rows of a state, without rounds": Program(
        spelling="scan", sequences=[Sequence(Kind("b", False), [0])], results=[Result(FR, [-4])], others=[FR],
        operations=[("roll", [23]), ("branch_of_rows", [38, 32, 3])], picks=[19], reads=["backwards"],
        go_backwards=False, has_counter=False, has_draw=False, limit=None, checkpoint=None, truncate=-1, seed=797876030,
    ),
    "independent rows beside a state, of a length that rounds find": Program(
        spelling="scan", sequences=[], results=[Result(IR, [-1]), Result(FR, [-4, -3]), Result(I, [-2])],
        others=[IR, FR, F], operations=[("ieq", [20, 13]), ("inc", [18, 20, 19]), ("branch_of_rows", [21, 41, 22])],
        picks=[19, 29, 7], reads=["all", "all", "all"], go_backwards=False, has_counter=False, has_draw=False,
        limit=None, checkpoint=None, truncate=-1, seed=1067072367,
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", ONCE_WRONG)
def test_once_wrong(name: str) -> None:
    program = ONCE_WRONG[name]
    check_values(program)
    if program.spelling == "loop":
        check_gradients(program)


def test_an_inverse_of_a_computed_matrix_whose_pivots_are_counted_by_the_lesser_length() -> None:
    rows = Kind("f", 1)
    program = Program(
        spelling="scan", sequences=[Sequence(rows, [3]), Sequence(Kind("f", 2), [0])], results=[Result(Kind("f", 2), None)],
        others=[rows, rows, rows, Kind("f", 2), Kind("f", 0)],
        operations=[("inverse", [22]), ("sin_of_matrices", [10]), ("transpose", [25]), ("diagonal", [44]), ("recurrence", [12, 45])],
        picks=[12], reads=["all"], go_backwards=False, has_counter=False, has_draw=False, limit=None, checkpoint=None,
        truncate=-1, seed=814542997, is_single=True, width=2,
    )  # fmt: skip
    check_gradients(program)
