"""What lower rooms need of upper ones: a name, whose place the package enters at its import, is loaded at first use.

So no module imports one above it, and `tensordsl/__init__.py` has the whole list: a variable is of the class that
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
