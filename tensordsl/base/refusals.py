"""A refusal names the function that the user called, wherever inside the library it was raised."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from functools import wraps
from inspect import isfunction
from typing import Any

from tensordsl.base.errors import in_short

REFUSALS = (TypeError, ValueError, IndexError, NotImplementedError)
_ANOTHER = re.compile(r"[\w.]+: ")  # the function that this one calls
# Methods whose messages need no name.
_ABOUT_ITSELF = (
    "__iter__", "__bool__", "__contains__", "__setitem__", "__array_ufunc__", "__array_function__",
    "__int__", "__float__", "__complex__", "__index__",
)  # fmt: skip


def named(function: Callable[..., Any], name: str) -> Callable[..., Any]:
    """`function`, whose refusals begin with `name: ` unless they say that name or the row to which operands do not fit;
    an operator's may begin with the function that it is."""

    @wraps(function)
    def call(*args: Any, **keywords: Any) -> Any:
        try:
            return function(*args, **keywords)
        except REFUSALS as error:
            text = str(error.args[0]) if error.args else type(error).__name__
            another = _ANOTHER.match(text)
            is_said = name in text or "\n  operands: " in text or (another and name.startswith("__"))
            if not is_said:
                error.args = (f"{name}: {text[another.end() :] if another else text}", *error.args[1:])
            raise in_short(error) from error.__cause__

    return call


def name_functions(namespace: dict[str, Any], names: Iterable[str], module: str) -> None:
    """Let the public functions of a namespace be `named`.  module: one that has the same names, where pickles look for
    them; doctest, which has seen the functions where they are made, does not look there."""
    done: dict[Any, Any] = {}
    for name in names:
        function = namespace[name]
        if isfunction(function) and not hasattr(function, "__wrapped__"):
            if function not in done:
                own = function.__name__ if function.__name__ in namespace else name
                made = done[function] = named(function, own)
                made.__module__, made.__name__, made.__qualname__ = module, own, own
            namespace[name] = done[function]


def name_methods(owner: type) -> None:
    """Let the methods and operators of a class be `named`."""
    for name, function in list(vars(owner).items()):
        if isfunction(function) and name not in _ABOUT_ITSELF:
            setattr(owner, name, named(function, name))
