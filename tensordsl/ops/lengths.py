"""The algebra of shape rules (`graph.variables.Dims`) over ints and 0-d variables, in which expressions are built."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from tensordsl.graph.variables import STATIC
from tensordsl.ops.math import elementwise


class Lengths:
    """Of ints it gives ints, and of arrays shapes: so NumPy's versions of rows use it, too."""

    shape, value, same = staticmethod(np.shape), staticmethod(int), staticmethod(STATIC.same)

    def add(self, a: Any, b: Any) -> Any:
        return a + b

    def sub(self, a: Any, b: Any) -> Any:
        return a - b

    def mul(self, a: Any, b: Any) -> Any:
        return a * b

    def floordiv(self, a: Any, b: Any) -> Any:
        return a // b

    def minimum(self, a: Any, b: Any) -> Any:
        return _chosen(min, elementwise.minimum, a, b)

    def maximum(self, a: Any, b: Any) -> Any:
        return _chosen(max, elementwise.maximum, a, b)


def _chosen(of_numbers: Callable[..., Any], of_variables: Callable[..., Any], a: Any, b: Any) -> Any:
    return of_numbers(a, b) if isinstance(a, int) and isinstance(b, int) else of_variables(a, b)


LENGTHS: Any = Lengths()
