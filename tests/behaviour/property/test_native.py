"""Random functions of the whole op table: native results against the oracles, under every layout of arguments,
and of several lengths."""

from __future__ import annotations

from typing import Any

import expressions
import numpy as np
from expressions import Maker
from hypothesis import given, settings
from hypothesis import strategies as st


@settings(max_examples=settings.default.max_examples * 4)
@given(st.randoms(use_true_random=False), st.booleans())
def test_random_functions_agree_with_the_oracles(source: Any, special: bool) -> None:
    maker = Maker(lambda n: source.randrange(n), special)
    maker.rng = np.random.default_rng(source.randrange(1 << 30))
    case = maker.make()
    expressions.check(case, maker.level, also=expressions.other_scenes(maker))
