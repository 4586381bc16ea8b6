"""Updates as a dictionary that refuses mistakes: keys that are no shared variables, and a variable updated twice.

>>> import tensordsl
>>> w = tensordsl.shared(1.0, name="w")
>>> OrderedUpdates([(w, w + 1)]) + OrderedUpdates([(w, w + 2)])
Traceback (most recent call last):
    ...
KeyError: ('Collision', w)
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Mapping
from typing import Any

from numpy import array_equal

from tensordsl.graph.variables import Variable
from tensordsl.signature.shared import SharedVariable

__all__ = ["OrderedUpdates"]

Pairs = Mapping[Any, Any] | Iterable[tuple[Any, Any]]


class OrderedUpdates(OrderedDict[Any, Any]):
    """New values of shared variables, in order.  `+` and `update` raise KeyError for two values of one variable."""

    def __init__(self, *pairs: Pairs, **named: Any) -> None:
        super().__init__()
        for key, value in OrderedDict(*pairs, **named).items():
            self[key] = value

    def __setitem__(self, key: Any, value: Any) -> None:
        if not isinstance(key, SharedVariable):
            raise TypeError("OrderedUpdates keys must inherit from SharedVariable", key)
        super().__setitem__(key, value)

    def update(self, other: Pairs | None = None) -> None:  # type: ignore[override]  # no keywords: no name is a key
        for key, value in OrderedDict(() if other is None else other).items():
            if key in self and not _is_same(self[key], value):
                raise KeyError("Collision", key)
            self[key] = value

    def __add__(self, other: Pairs) -> OrderedUpdates:
        both = OrderedUpdates(self)
        both.update(other)
        return both

    __radd__ = __add__


def _is_same(one: Any, other: Any) -> bool:
    return one is other or not (isinstance(one, Variable) or isinstance(other, Variable)) and array_equal(one, other)
