"""Structures: (nested) tuples, lists and dictionaries of values, as loops carry them and return them.

Comes in   what a user gives: one value, or a structure of values; None is a structure without values.
Goes out   the values as a list, and `Structure`, by which others are made or compared; `path` names a value's place.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from tensordsl.base.records import record


@record
class Structure:
    """kind: the type of a tuple, list or dictionary; NoneType for None; None for one value.  keys: of its parts."""

    kind: type | None
    keys: tuple[Any, ...] = ()
    parts: tuple[Structure, ...] = ()

    def __str__(self) -> str:
        if self.kind is None:
            return "*"
        if self.kind is type(None):
            return "None"
        inside = [str(part) for part in self.parts]
        if issubclass(self.kind, Mapping):
            return f"{{{', '.join(f'{key!r}: {part}' for key, part in zip(self.keys, inside, strict=True))}}}"
        text = ", ".join(inside)
        return f"[{text}]" if issubclass(self.kind, list) else f"({text}{',' if len(inside) == 1 else ''})"


LEAF = Structure(None)


def flatten(value: Any) -> tuple[list[Any], Structure]:
    """The values of a structure in order, and the structure without them.

    >>> values, structure = flatten({"h": (1, [2, 3]), "c": None})
    >>> values, str(structure)
    ([1, 2, 3], "{'h': (*, [*, *]), 'c': None}")
    """
    values: list[Any] = []
    return values, _flattened(value, values)


def _flattened(value: Any, values: list[Any]) -> Structure:
    if value is None:
        return Structure(type(None))
    if isinstance(value, Mapping):
        return Structure(type(value), tuple(value), tuple([_flattened(part, values) for part in value.values()]))
    if isinstance(value, list | tuple):
        parts = tuple([_flattened(part, values) for part in value])
        return Structure(type(value), tuple(range(len(parts))), parts)
    values.append(value)
    return LEAF


def flatten_as(structure: Structure, value: Any, what: str) -> list[Any]:
    """The values of `value` in the order of `structure`, which it must have: tuples and lists are taken for each other,
    the keys of dictionaries may come in another order.

    Raises TypeError, which names `what` and the part that differs.

    >>> flatten_as(flatten({"a": 0, "b": (0, 0)})[1], {"b": [1, 2], "a": 3}, "the carry")
    [3, 1, 2]
    """
    values: list[Any] = []
    _match(structure, value, what, "", values)
    return values


def _match(structure: Structure, value: Any, what: str, path: str, values: list[Any]) -> None:
    place = f"{what}{path}"
    if structure.kind is None:
        if value is None or isinstance(value, list | tuple | Mapping):
            raise TypeError(f"{place} must be one value, got {_described(value)}")
        values.append(value)
        return
    if structure.kind is type(None):
        if value is not None:
            raise TypeError(f"{place} must be None, got {_described(value)}")
        return
    is_mapping = issubclass(structure.kind, Mapping)
    if not isinstance(value, Mapping if is_mapping else list | tuple):
        raise TypeError(f"{place} must be a structure like {structure}, got {_described(value)}")
    if is_mapping:
        if set(value) != set(structure.keys):
            raise TypeError(f"{place} must have the keys {list(structure.keys)}, got {list(value)}")
    elif len(value) != len(structure.parts):
        raise TypeError(f"{place} must have {len(structure.parts)} parts, got {len(value)}")
    for key, part in zip(structure.keys, structure.parts, strict=True):
        _match(part, value[key], what, f"{path}[{key!r}]", values)


def _described(value: Any) -> str:
    return str(flatten(value)[1]) if isinstance(value, list | tuple | Mapping) else repr(value)


def unflatten(structure: Structure, values: Iterable[Any]) -> Any:
    """The structure with these values, as many as it has.

    >>> unflatten(flatten([0, {"a": 0}])[1], [1, 2])
    [1, {'a': 2}]
    """
    rest = iter(values)
    made = _unflattened(structure, rest)
    assert next(rest, LEAF) is LEAF, "more values than the structure has"
    return made


def _unflattened(structure: Structure, rest: Iterator[Any]) -> Any:
    kind = structure.kind
    if kind is None:
        return next(rest)
    if kind is type(None):
        return None
    parts = [_unflattened(part, rest) for part in structure.parts]
    if issubclass(kind, Mapping):
        return dict(zip(structure.keys, parts, strict=True))
    if issubclass(kind, list):
        return parts
    return kind(*parts) if hasattr(kind, "_fields") else tuple(parts)  # a named tuple takes its fields one by one


def paths(structure: Structure) -> list[str]:
    """Where each value is, as Python writes it.

    >>> paths(flatten({"h": (1, 2), "c": 3})[1])
    ["['h'][0]", "['h'][1]", "['c']"]
    """
    found: list[str] = []
    stack = [("", structure)]
    while stack:
        path, s = stack.pop()
        if s.kind is None:
            found.append(path)
        stack += [(f"{path}[{key!r}]", part) for key, part in reversed(list(zip(s.keys, s.parts, strict=True)))]
    return found
