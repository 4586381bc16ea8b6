"""Writing to parts of a tensor: a copy of it in which an expression `x[...]` has another value."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from tensordsl.graph.variables import OpShapeError, apply
from tensordsl.ops.array.index import INC_SUBTENSOR, INC_TAKE, SUBTENSOR, TAKE, full_index, getitem
from tensordsl.ops.array.masks import mask_of
from tensordsl.ops.array.shape import DIMSHUFFLE, addbroadcast, dimshuffle, shape_padleft, shape_padright
from tensordsl.ops.math.elementwise import add, cast, maximum, minimum, mul, neg, switch, true_div
from tensordsl.ops.math.elementwise import pow as power
from tensordsl.ops.operands import as_variable


def set_subtensor(x: Any, y: Any, inplace: bool = False, tolerate_inplace_aliasing: bool = False) -> Any:
    """A copy of x in which `part`, an expression `x[...]`, is y.  The arguments `inplace` and on are without effect.

    y broadcasts to the shape of `part`, and is cast within its kind (float64 to float32); TypeError for what would lose
    fractions or signs, or where the first argument is no `x[...]`.  Of several values for one place the last one stays.

    >>> x = as_variable([1.0, 2.0, 3.0])
    >>> set_subtensor(x[1:], 0.0).eval()
    array([1., 0., 0.])
    """
    return _update(x, y, True)


def inc_subtensor(
    x: Any, y: Any, inplace: bool = False, set_instead_of_inc: bool = False, tolerate_inplace_aliasing: bool = False
) -> Any:
    """A copy of x with y added to `part`, an expression `x[...]`; repeated integer indices add up.

    >>> inc_subtensor(as_variable([1.0, 2.0, 3.0])[1:], 10.0).eval()
    array([ 1., 12., 13.])
    """
    return _update(x, y, set_instead_of_inc)


class At:
    """`x.at`, as in JAX: `x.at[index].set(y)` is a copy of x in which that part is another.

    set, add (also `inc`): the value, or added to what is there, at repeated positions each time.  subtract likewise;
    multiply, divide, power, min, max, apply: computed of what is there; at repeated positions the last one counts.
    get: the part itself.

    >>> x = as_variable([1.0, 2.0, 3.0])
    >>> x.at[1:].multiply(10.0).eval(), x.at[0].set(7.0).eval()
    (array([ 1., 20., 30.]), array([7., 2., 3.]))
    """

    __slots__ = ("_x", "_part")

    def __init__(self, x: Any, part: Any = None) -> None:
        self._x, self._part = x, part

    def __getitem__(self, index: Any) -> At:
        return At(self._x, getitem(self._x, index))

    def get(self) -> Any:
        if self._part is None:
            raise TypeError("at: write x.at[index], then set, add, multiply, ...")
        return self._part

    def set(self, values: Any) -> Any:
        return set_subtensor(self.get(), values)

    def add(self, values: Any) -> Any:
        return inc_subtensor(self.get(), values)

    inc = add

    def subtract(self, values: Any) -> Any:
        return inc_subtensor(self.get(), neg(values))

    def multiply(self, values: Any) -> Any:
        return self.set(mul(self.get(), values))

    def divide(self, values: Any) -> Any:
        return self.set(true_div(self.get(), values))

    def power(self, values: Any) -> Any:
        return self.set(power(self.get(), values))

    def min(self, values: Any) -> Any:
        return self.set(minimum(self.get(), values))

    def max(self, values: Any) -> Any:
        return self.set(maximum(self.get(), values))

    def apply(self, function: Callable[[Any], Any]) -> Any:
        return self.set(function(self.get()))


def _update(part: Any, y: Any, set: bool) -> Any:
    """Write through the nodes that one `x[...]` consists of (see `getitem`), back to x."""
    part, y = as_variable(part), as_variable(y)
    dtype = part.type.dtype
    base = getattr(part.tag, "indexed", None)
    if base is None and (part.owner is None or part.owner.row not in (SUBTENSOR, TAKE)):
        raise TypeError(f"set_subtensor and inc_subtensor want an expression x[...] as first argument, got {part!r}")
    if not np.can_cast(y.type.dtype, dtype, "same_kind"):
        raise TypeError(f"cannot write {y.type.dtype} into a part of a {dtype} tensor: cast the value to {dtype} first")
    if y.type.ndim > part.type.ndim:
        raise OpShapeError(f"set_subtensor: a value with {y.type.ndim} axes does not fit {part!r}: {part.type}")
    y = cast(y, dtype)
    base = part.owner.inputs[0] if base is None else base
    mask = _mask_of(part, base) if not y.type.ndim else None
    if mask is not None:
        return switch(mask, y if set else add(base, y), base)
    is_whole = False  # whether y is the whole new value of `part`
    while part is not base:
        node, x = part.owner, part.owner.inputs[0]
        if node.row is DIMSHUFFLE:
            y = _unshuffle(y, part, x, node.attrs["order"])
        else:
            op = INC_SUBTENSOR if node.row is SUBTENSOR else INC_TAKE
            y, is_whole = apply(op, x, y, *node.inputs[1:], **node.attrs, set=set or is_whole), True
        part = x
    return y if is_whole else apply(INC_SUBTENSOR, base, y, index=full_index(base), set=set)


def _unshuffle(y: Any, part: Any, x: Any, order: tuple[Any, ...]) -> Any:
    """The value for x that makes y the value of its dimshuffle `part`."""
    y = shape_padleft(y, part.type.ndim - y.type.ndim) if y.type.ndim < part.type.ndim else y
    new = [k for k, axis in enumerate(order) if axis == "x" and y.type.shape[k] != 1]
    y = addbroadcast(y, *new) if new else y
    return dimshuffle(y, tuple(order.index(k) if k in order else "x" for k in range(x.type.ndim)))


def _mask_of(part: Any, base: Any) -> Any:
    """The mask if `part` is base[mask] (or base[mask.nonzero()]), with axes of length 1 behind it as base needs."""
    node = part.owner
    axes = node.attrs.get("axes", ())
    if node.row is not TAKE or node.inputs[0] is not base or axes != tuple(range(len(axes))):
        return None
    mask = mask_of(node.inputs[1:], base)
    if mask is None:
        return None
    if any(n == 1 and m != 1 for n, m in zip(mask.type.shape, base.type.shape, strict=False)):
        return None  # a mask of length 1 would broadcast
    from tensordsl.ops.array.arrange import fitting_mask  # late: it stands above

    mask = fitting_mask(mask, base)
    return shape_padright(mask, base.type.ndim - mask.type.ndim)
