"""`theano.compat`: names of Python 2 and of what it lacked, as Python 3 has them."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from itertools import product
from operator import itemgetter
from typing import Any

from tensordsl.base.missing import missing

__all__ = [
    "PY3", "DefaultOrderedDict", "OrderedDict", "all", "any", "exc_message", "get_unbound_function", "ifilter", "imap",
    "iteritems", "iterkeys", "itervalues", "itemgetter", "izip", "lfilter", "lmap", "lrange", "lzip", "partial",
    "product", "xrange",
]  # fmt: skip
__path__: list[str] = []  # `six` is below it

PY3 = True
any, all = any, all
izip, imap, ifilter, xrange = zip, map, filter, range


def lmap(function: Callable[..., Any], *sequences: Iterable[Any]) -> list[Any]:
    return list(map(function, *sequences))


def lzip(*sequences: Iterable[Any]) -> list[Any]:
    return list(zip(*sequences, strict=False))


def lfilter(function: Callable[..., Any] | None, sequence: Iterable[Any]) -> list[Any]:
    return list(filter(function, sequence))


def lrange(*limits: int) -> list[int]:
    return list(range(*limits))


def iteritems(mapping: Mapping[Any, Any]) -> Any:
    return iter(mapping.items())


def iterkeys(mapping: Mapping[Any, Any]) -> Any:
    return iter(mapping.keys())


def itervalues(mapping: Mapping[Any, Any]) -> Any:
    return iter(mapping.values())


def exc_message(error: BaseException) -> Any:
    """What the exception was made with: its only argument, or all of them."""
    return error.args[0] if len(error.args) == 1 else error.args


def get_unbound_function(method: Any) -> Any:
    return getattr(method, "__func__", method)


class DefaultOrderedDict(OrderedDict[Any, Any]):
    """An ordered dictionary whose missing values `default_factory` makes."""

    def __init__(self, default_factory: Callable[[], Any] | None = None, *arguments: Any, **keywords: Any) -> None:
        super().__init__(*arguments, **keywords)
        self.default_factory = default_factory

    def __missing__(self, key: Any) -> Any:
        if self.default_factory is None:
            raise KeyError(key)
        value = self[key] = self.default_factory()
        return value


def __getattr__(name: str) -> Any:
    if name == "six":
        from tensordsl.compat import six  # late: it takes names from here

        return six
    raise missing("theano.compat", name, __all__)
