"""`theano.compat.six`: what programs for Python 2 and 3 asked of the package `six`, of Python 3."""

from __future__ import annotations

from io import BytesIO, StringIO
from typing import Any

from tensordsl.compat import moves
from tensordsl.compat.python import iteritems, iterkeys, itervalues

__all__ = [
    "PY2", "PY3", "BytesIO", "Iterator", "StringIO", "advance_iterator", "b", "binary_type", "callable", "class_types",
    "integer_types", "iteritems", "iterkeys", "itervalues", "moves", "next", "reraise", "string_types", "text_type",
    "u", "with_metaclass",
]  # fmt: skip
__path__: list[str] = []  # `moves` is below it

PY2, PY3 = False, True
string_types, integer_types, class_types = (str,), (int,), (type,)
text_type, binary_type, Iterator = str, bytes, object
callable, next = callable, next
advance_iterator = next


def b(text: str) -> bytes:
    return text.encode("latin-1")


def u(text: str) -> str:
    return text


def reraise(kind: Any, value: BaseException | None, trace: Any = None) -> None:
    raise (kind() if value is None else value).with_traceback(trace)


def with_metaclass(meta: Any, *bases: type) -> Any:
    """A base whose subclasses are classes of `meta` with the bases `bases`."""
    return meta("Base", bases, {})
