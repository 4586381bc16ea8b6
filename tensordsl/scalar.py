"""Theano's place of facts about dtypes."""

from __future__ import annotations

from tensordsl.casting import upcast
from tensordsl.types import DISCRETE, DTYPES, FLOATS, INTEGERS

all_types, discrete_dtypes, float_types, integer_types = DTYPES, DISCRETE, FLOATS, INTEGERS

__all__ = ["all_types", "discrete_dtypes", "float_types", "integer_types", "upcast"]
