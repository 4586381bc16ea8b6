"""Random functions of complex numbers: native results against the oracles."""

from __future__ import annotations

from typing import Any

import expressions
import numpy as np
from complex_expressions import ComplexMaker
from hypothesis import given
from hypothesis import strategies as st


@given(st.randoms(use_true_random=False), st.booleans())
def test_random_functions_agree_with_the_oracles(source: Any, special: bool) -> None:
    maker = ComplexMaker(lambda n: source.randrange(n), special)
    maker.rng = np.random.default_rng(source.randrange(1 << 30))
    expressions.check(maker.make(), maker.level)
