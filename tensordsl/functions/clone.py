"""Copies of expressions, with parts replaced."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from tensordsl.base.errors import flag, pairs_of
from tensordsl.graph.substitute import by_keys, substitute
from tensordsl.graph.variables import Constant, Variable, inputs_of
from tensordsl.ops.operands import as_variable, constant

__all__ = ["clone", "clone_replace"]

Replacements = Mapping[Any, Any] | Iterable[tuple[Any, Any]] | None


def clone(
    output: Any,
    replace: Replacements = None,
    strict: bool = True,
    share_inputs: bool = True,
    copy_inputs: Any = None,
) -> Any:
    """A copy of an expression (or of a list of them) in which the keys of `replace` are replaced by its values.

    strict        a value must have the type of its key; else ops are applied anew to whatever types result
    share_inputs  the copy uses the same inputs; if False it has inputs of its own: other variables; clones of shared
                  variables have the values of these
    Raises TypeError where a replacement does not fit.

    >>> import tensordsl.tensor as T
    >>> x, y = T.scalars("x", "y")
    >>> float(clone(x**2 + x, replace={x: y + 1}).eval({y: 2}))
    12.0
    """
    as_list = isinstance(output, list | tuple)
    outputs = list(output) if as_list else [output]
    wanted = replacement_map(replace, strict)
    if copy_inputs is not None:
        share_inputs = flag(copy_inputs, "clone")
    copies = substitute(by_keys(outputs, wanted), wanted, copy=True)
    if not flag(share_inputs, "clone"):
        leaves: list[Any] = [*inputs_of(copies)]
        copies = substitute(copies, {v: v.clone() for v in leaves})
    return copies if as_list else copies[0]


def clone_replace(output: Any, replace: Replacements = None, **options: Any) -> Any:
    """PyTensor's name for `clone`."""
    return clone(output, replace, **options)


def replacement_map(replace: Replacements, strict: bool = True) -> dict[Variable, Any]:
    """A checked dictionary of replacements; values that are no variables become constants."""
    result: dict[Variable, Any] = {}
    for key, value in pairs_of(replace, "replace"):
        if not isinstance(key, Variable):
            raise TypeError(f"clone: cannot replace {key!r}: it is not a variable")
        result[key] = _fitting(key, as_variable(value), flag(strict, "clone"))
    return result


def _fitting(key: Variable, value: Any, strict: bool) -> Any:
    if not strict or key.type.accepts(value.type):
        return value
    if isinstance(value, Constant) and value.type.ndim == key.type.ndim:
        widened = constant(value.data.astype(key.type.dtype))  # a literal has the smallest dtype that holds it
        if key.type.accepts(widened.type) and (widened.data == value.data).all():
            return widened
    raise TypeError(
        f"clone: cannot replace {key!r} of type {key.type} by {value!r} of type {value.type}; make the types equal "
        "(cast, patternbroadcast), or pass strict=False"
    )
