"""Random functions with masks, positions, running sums and what is composed of them: native results against the oracles."""

from __future__ import annotations

from typing import Any

import expressions
import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from word_expressions import WordMaker


@given(st.randoms(use_true_random=False), st.booleans())
def test_random_functions_agree_with_the_oracles(source: Any, special: bool) -> None:
    maker = WordMaker(lambda n: source.randrange(n), special)
    maker.rng = np.random.default_rng(source.randrange(1 << 30))
    expressions.check(maker.make(), maker.level)
