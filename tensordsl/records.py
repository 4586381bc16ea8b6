"""Classes of plain data that are made quickly: `@record` is `@dataclass(frozen=True, slots=True)` for our own ones.

`dataclass` writes six functions for each such class as text and compiles them, which takes 0.3 to 0.5 ms; the library
has a hundred of them.  Here the constructor is the only one.  Nothing refuses an assignment to a field while a program
runs: type checkers do.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, fields
from functools import partial
from operator import attrgetter
from typing import Any, Generic, TypeVar, dataclass_transform, overload

Class = TypeVar("Class", bound=type)
Value = TypeVar("Value")


class kept(Generic[Value]):
    """`functools.cached_property` without Python 3.11's lock: held by another thread at a fork, it would stay locked in
    the child."""

    def __init__(self, compute: Callable[[Any], Value]) -> None:
        self.compute = compute

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    @overload
    def __get__(self, instance: None, owner: type) -> kept[Value]: ...
    @overload
    def __get__(self, instance: object, owner: type) -> Value: ...
    def __get__(self, instance: Any, owner: type) -> Any:
        if instance is None:
            return self
        value = vars(instance)[self.name] = self.compute(instance)
        return value


@overload
def record(kind: Class, /) -> Class: ...
@overload
def record(*, eq: bool = True) -> Callable[[Class], Class]: ...
@dataclass_transform(frozen_default=True, field_specifiers=(field,))
def record(kind: Any = None, /, *, eq: bool = True) -> Any:
    """A class with slots for its annotated fields.  eq: instances with equal fields are equal, else only the same one.

    >>> @record
    ... class Point:
    ...     x: int
    ...     y: int = 0
    >>> Point(1), Point(1) == Point(1, 0), len({Point(1), Point(1)})
    (Point(x=1, y=0), True, 1)
    """
    if kind is None:
        return partial(_made, eq=eq)
    return _made(kind, eq)


def _made(kind: Any, eq: bool) -> Any:
    if kind.__doc__ is None:
        kind.__doc__ = ""  # else it would be made of the signature
    made: Any = dataclass(slots=True, eq=False, repr=False)(kind)
    if "__repr__" not in kind.__dict__:
        made.__repr__ = _text
    if eq:
        _compare_by(made, [f.name for f in fields(made) if f.compare])
    return made


def _text(self: Any) -> str:
    shown = ", ".join(f"{f.name}={getattr(self, f.name)!r}" for f in fields(self) if f.repr)
    return f"{type(self).__qualname__}({shown})"


def _compare_by(kind: Any, names: list[str]) -> None:
    values: Any = attrgetter(*names) if len(names) > 1 else lambda self: tuple([getattr(self, name) for name in names])

    def equal(self: Any, other: Any) -> Any:
        return values(self) == values(other) if self.__class__ is other.__class__ else NotImplemented

    kind.__eq__, kind.__hash__ = equal, lambda self: hash(values(self))
