"""Random `scan`s and `loop`s of many operations, with loops in their rounds, against a Python loop over NumPy.

`tools/random_loops.py` runs as many as one likes by hand.
"""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from random_loops import check_gradients, check_values, drawn

FEW = max(settings.default.max_examples // 4, 10)


@settings(max_examples=FEW * 4)
@given(st.randoms(use_true_random=False))
def test_a_loop_is_a_python_loop(source: Any) -> None:
    check_values(drawn(lambda n: source.randrange(n)))


@settings(max_examples=FEW)
@given(st.randoms(use_true_random=False))
def test_derivatives_are_those_of_the_rounds(source: Any) -> None:
    check_gradients(drawn(lambda n: source.randrange(n), differentiable=True))
