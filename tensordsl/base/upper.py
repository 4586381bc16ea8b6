"""References from lower rooms to upper ones: names whose modules are loaded at first use.

`tensordsl/__init__.py` has the whole list, so that no module imports one above it: a variable is of the class that
carries the operators, its `eval` compiles, a pickle names rows of the table.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib import import_module
from typing import Any

_PLACES: dict[str, str] = {}


def enter(places: Mapping[str, str]) -> None:
    """Say where names stand: `module:name`."""
    _PLACES.update(places)


@cache
def upper(name: str) -> Any:
    """What bears `name` in a room above.

    >>> upper("TensorVariable").__module__
    'tensordsl.tensor.var'
    """
    module, _, own = _PLACES[name].partition(":")
    return getattr(import_module(module), own)
