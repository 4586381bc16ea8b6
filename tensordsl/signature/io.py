"""Inputs and outputs of a function with properties of their own: default values, conversion rules, borrowing."""

from __future__ import annotations

from typing import Any

from tensordsl.base.errors import flag
from tensordsl.graph.variables import Variable
from tensordsl.signature.shared import Container


class In:
    """An input of a function that is more than its variable.

    Parameters
    ----------
    variable : the input.
    name : the keyword in calls; default: the variable's name.
    value : the default value of the argument; an array or number, or a shared variable whose current value it is, or
        the container of another function (`f.container[x]`), with which the input then shares its value.
    update : an expression for the next default value: the function then has a state of its own (`value` is the first;
        without one each call must give the argument).
    strict : accept only arrays of exactly the right dtype; nothing is converted.
    allow_downcast : True: convert even if precision is lost; False: never; None: Python floats for scalars of
        `config.floatX` only.
    mutable, borrow : permission to overwrite or keep the argument.  Accepted; arguments are never changed.

    >>> import tensordsl
    >>> import tensordsl.tensor as T
    >>> x, y = T.scalars("x", "y")
    >>> add = tensordsl.function([x, In(y, value=1.0)], x + y)
    >>> add(2), add(2, y=5)
    (array(3.), array(7.))
    """

    __slots__ = (
        "variable",
        "name",
        "value",
        "update",
        "strict",
        "allow_downcast",
        "mutable",
        "borrow",
        "implicit",
        "shared",
    )

    def __init__(
        self,
        variable: Variable,
        name: str | None = None,
        value: Any = None,
        update: Any = None,
        mutable: bool | None = None,
        strict: bool = False,
        allow_downcast: bool | None = None,
        autoname: bool = True,
        implicit: bool | None = None,
        borrow: bool | None = None,
        shared: bool = False,
    ) -> None:
        if not isinstance(variable, Variable):
            raise TypeError(f"In: expected a variable, got {variable!r} of type {type(variable).__name__}")
        for value_of_flag in (mutable, strict, allow_downcast, autoname, implicit, borrow):
            flag(value_of_flag, "In")
        if mutable and borrow is False:
            raise ValueError("In: mutable=True means that the argument may be overwritten, so borrow cannot be False")
        if implicit and value is None:
            raise TypeError("An implicit input must be given a default value")
        self.variable, self.value, self.update = variable, value, update
        self.name = name if name is not None or not autoname else variable.name
        self.strict, self.allow_downcast = strict, allow_downcast
        self.mutable, self.borrow, self.shared = bool(mutable), bool(borrow or mutable), bool(shared)
        self.implicit = isinstance(value, Container) if implicit is None else bool(implicit)

    def __repr__(self) -> str:
        return f"In({self.variable!r})" if self.value is None else f"In({self.variable!r}, value={self.value!r})"


class Out:
    """An output of a function; with `borrow` the array returned may be storage that a later call overwrites.

    target : "cpu": an array on the host; "device": a `DeviceArray`, where the function runs on a device.
    """

    __slots__ = ("variable", "borrow", "target")

    def __init__(self, variable: Variable, borrow: bool = False, target: str = "cpu") -> None:
        if not isinstance(target, str) or target not in ("cpu", "device"):
            raise ValueError(f'Out: target must be "cpu" or "device", got {target!r}')
        self.variable, self.borrow, self.target = variable, borrow, target

    def __repr__(self) -> str:
        return f"Out({self.variable!r}, borrow={self.borrow}{', target=device' * (self.target == 'device')})"


def Param(
    variable: Variable,
    default: Any = None,
    name: str | None = None,
    mutable: bool = False,
    strict: bool = False,
    allow_downcast: bool | None = None,
    implicit: bool | None = None,
    borrow: bool | None = None,
) -> In:
    """`In` as old programs write it: `default` is its `value`.

    >>> from tensordsl.tensor import scalar
    >>> Param(scalar("x"), default=3).value
    3
    """
    return In(
        variable, name, default, mutable=mutable, strict=strict, allow_downcast=allow_downcast, implicit=implicit,
        borrow=borrow,
    )  # fmt: skip
