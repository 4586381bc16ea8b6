"""`scalar.basic`: facts about dtypes, and rows of elementwise operations under Theano's names of scalar ones."""

from __future__ import annotations

from tensordsl.casting import float_of, float_of_all, upcast
from tensordsl.graph import Op
from tensordsl.ops import comparisons, elementwise, functions
from tensordsl.ops.kinds import Identity
from tensordsl.types import DISCRETE, DTYPES, FLOATS, INTEGERS

all_types, discrete_dtypes, float_types, integer_types = DTYPES, DISCRETE, FLOATS, INTEGERS
upgrade_to_float, upgrade_to_float_no_complex = float_of_all, float_of

_ROWS: dict[str, Op] = {
    row.name: row for module in (elementwise, comparisons, functions) for row in module.ROWS if row.name != "cast"
}
identity = _ROWS["identity"]

__all__ = [
    "Identity", "all_types", "discrete_dtypes", "float_types", "identity", "integer_types", "upcast",
    "upgrade_to_float", "upgrade_to_float_no_complex",
]  # fmt: skip


def __getattr__(name: str) -> Op:
    """`scalar.basic.add`: the row of that name."""
    row = _ROWS.get(name)
    if row is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return row
