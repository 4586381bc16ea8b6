"""Random variables: steps of Python's by NumPy's own generators, so that a seed gives the numbers that it gave.

Why       draws by our own generators would be faster, and other numbers than users had.
"""

from __future__ import annotations

from typing import Any

from tensordsl.pytensor.conversion import Conversion, converts


@converts("RandomVariable")
def _draw(c: Conversion, node: Any, inputs: list[Any]) -> Any:
    return c.by_python(node, inputs, warns=False)
