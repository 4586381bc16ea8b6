"""Objects that are no tensors, as generators, sparse matrices, lists and strings: native code has a number for each.

Contract  `Objects.put(value, names)` -> its number; `objects[number]` -> the object, while the call runs.
Why       a number is a value like others: loops carry it, branches choose between two, and steps of Python's that take
          it run behind those that made it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


class Held:
    """A value that is no tensor.

    value  the object, if it is known before the call
    token  else the variable that is its number
    made   of an object with symbolic parts, as a slice between variables: makes it, and gives its number
    """

    def __init__(self, value: Any = None, token: Any = None, made: Callable[[], Any] | None = None) -> None:
        self.value, self._token, self._made = value, token, made

    @property
    def is_known(self) -> bool:
        """Whether `value` is the object, or made of variables."""
        return self._token is None or self._made is not None

    @property
    def token(self) -> Any:
        if self._token is None and self._made is not None:
            self._token = self._made()
        return self._token


class Names:
    """The last two numbers that one place of a program gave.

    A step gives a number in each round of its loop; who takes it stands in the same round or in the next, so an object
    whose place has given two more is forgotten.
    """

    def __init__(self) -> None:
        self.last, self.before = -1, -1


class Objects:
    """The objects of one function, by number."""

    def __init__(self) -> None:
        self._known: dict[int, Any] = {}  # for all calls
        self._made: dict[int, Any] = {}  # by the call that runs
        self._count = 0
        self.is_unused = True

    def keep(self, value: Any) -> int:
        """The number of an object that is known before all calls."""
        self.is_unused = False
        self._count += 1
        self._known[self._count] = value
        return self._count

    def put(self, value: Any, names: Names) -> int:
        self._count += 1
        self._made.pop(names.before, None)
        names.before, names.last = names.last, self._count
        self._made[self._count] = value
        return self._count

    def __getitem__(self, number: int) -> Any:
        return self._made[number] if number in self._made else self._known[number]

    def forget(self) -> None:
        """Ends a call."""
        self._made.clear()
