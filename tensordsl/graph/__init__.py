"""The graph: variables, what is applied to them, and all that is known before anything is computed.

Comes in   what a user writes: names, dtypes, shapes; rows of ops applied to variables (`variables.apply`).
Goes out   `Variable`s, whose `owner` is an `Apply` of an `Op` (a row) on `Variable`s; immutable but for names and tags.
Modules    types          dtypes and shapes: `TensorType`
           casting        which dtype an operation gives
           variables      Variable, Apply, Op and its columns; walks over graphs (`toposort`, `ancestors`)
           equality       operands that `x == 0` has made Python's bools
           conversion     a user's value as an array of a type
           values         what a type does with values: constants, comparisons
           evaluate       graphs computed by the oracles of their rows; `reference.evaluate` is the user's way to it
           substitute     graphs with other inputs
           fgraph         a graph as a whole, in Theano's form
           theano_forms   kinds, texts and parameters of ops as Theano words them
           printing       graphs as text;   pickling   graphs as bytes
Uses       `base`.  What stands above is looked up by `base.upper`: the rows, the class that carries the operators.
Used by    everything.
Begin with `variables`.
"""

from __future__ import annotations

from typing import Any

from tensordsl.graph import variables
from tensordsl.graph.variables import Apply, Constant, Op, Variable

__all__ = ["Apply", "Constant", "Op", "Variable"]


def __getattr__(name: str) -> Any:
    """Names that were here when the room was one module; programs and pickles ask for them."""
    return getattr(variables, name)
