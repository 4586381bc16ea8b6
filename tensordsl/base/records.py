"""Classes of plain data that are made quickly: `@record` is `@dataclass(frozen=True, slots=True)` for our own ones.

`dataclass` writes six functions for each such class as text and compiles them, which takes 0.3 to 0.5 ms; the library
has more than a hundred of them.  Here the constructor is the only one, and it is written when it is first called.
Nothing refuses an assignment to a field while a program runs: type checkers do.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import MISSING, dataclass, field, fields
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
def record(*, eq: bool = True, frozen: bool = True, slots: bool = True) -> Callable[[Class], Class]: ...
@dataclass_transform(frozen_default=True, field_specifiers=(field,))
def record(kind: Any = None, /, *, eq: bool = True, frozen: bool = True, slots: bool = True) -> Any:
    """A class of its annotated fields.

    eq      instances with equal fields are equal, else only the same one
    frozen  type checkers refuse assignments
    slots   instances have no attributes but the fields

    >>> @record
    ... class Point:
    ...     x: int
    ...     y: int = 0
    >>> Point(1), Point(1) == Point(1, 0), len({Point(1), Point(1)})
    (Point(x=1, y=0), True, 1)
    """
    if kind is None:
        return partial(_made, eq=eq, slots=slots)
    return _made(kind, eq, slots)


def _made(kind: Any, eq: bool, slots: bool) -> Any:
    if not kind.__doc__:
        kind.__doc__ = kind.__name__  # else it would be made of the signature, in a millisecond
    made: Any = dataclass(slots=slots, eq=False, repr=False, init=False)(kind)
    _construct_later(made)
    if "__repr__" not in kind.__dict__:
        made.__repr__ = _text
    if slots:
        made.__getstate__, made.__setstate__ = _state, _set_state
    if eq:
        _compare_by(made, [f.name for f in fields(made) if f.compare])
    return made


def _construct_later(kind: Any) -> None:
    """Give a class a constructor that is written when it is first called."""

    def __init__(self: Any, *values: Any, **named: Any) -> None:
        kind.__init__ = _constructor(kind)
        kind.__init__(self, *values, **named)

    kind.__init__ = __init__


def _constructor(kind: Any) -> Any:
    """What `dataclass` would write: `def __init__(self, x, y=_y)` with an assignment for each field."""
    given: dict[str, Any] = {"MISSING": MISSING}
    parameters, lines = ["self"], ["pass"]
    for f in sorted(fields(kind), key=lambda f: bool(f.kw_only)):
        name = f.name
        if f.kw_only and "*" not in parameters:
            parameters.append("*")
        default, factory = f.default, f.default_factory
        given[f"_{name}"] = default if factory is MISSING else factory
        made = f"_{name}" if factory is MISSING else f"_{name}()"
        if not f.init:
            lines += [] if default is factory is MISSING else [f"self.{name} = {made}"]
        elif factory is not MISSING:
            parameters.append(f"{name}=MISSING")
            lines.append(f"self.{name} = {made} if {name} is MISSING else {name}")
        else:
            parameters.append(name if default is MISSING else f"{name}=_{name}")
            lines.append(f"self.{name} = {name}")
    if hasattr(kind, "__post_init__"):
        lines.append("self.__post_init__()")
    exec(f"def __init__({', '.join(parameters)}):\n " + "\n ".join(lines), given)
    return given["__init__"]


def _text(self: Any) -> str:
    shown = ", ".join(f"{f.name}={getattr(self, f.name)!r}" for f in fields(self) if f.repr)
    return f"{type(self).__qualname__}({shown})"


def _state(self: Any) -> tuple[None, dict[str, Any]]:
    """What pickles hold by themselves from protocol 2 on; the older protocols ask for it."""
    return None, {f.name: getattr(self, f.name) for f in fields(self) if hasattr(self, f.name)}


def _set_state(self: Any, state: tuple[None, dict[str, Any]]) -> None:
    for name, value in state[1].items():
        setattr(self, name, value)


def _compare_by(kind: Any, names: list[str]) -> None:
    values: Any = attrgetter(*names) if len(names) > 1 else lambda self: tuple([getattr(self, name) for name in names])

    def equal(self: Any, other: Any) -> Any:
        return values(self) == values(other) if self.__class__ is other.__class__ else NotImplemented

    kind.__eq__, kind.__hash__ = equal, lambda self: hash(values(self))
