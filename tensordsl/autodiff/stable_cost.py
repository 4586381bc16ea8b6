"""From a scalar's cotangent to those of variables, by a stable form of the scalar."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

from tensordsl.autodiff.reverse import Known, cotangents
from tensordsl.base.config import config
from tensordsl.graph.substitute import by_keys
from tensordsl.graph.variables import Variable, has_hooks
from tensordsl.ops.cotangents import ones_like, zeros_like
from tensordsl.ops.math.stable import stable


def cotangents_of(
    cost: Any, variables: list[Any], constants: list[Any], seeds: list[tuple[Any, Any]], keys: Iterable[Any] = ()
) -> list[Any]:
    """The cotangents of the variables from those that are given, `seeds`, and that of the cost (None: there is no
    cost).  Nothing flows through `constants`; forms are made stable down to the keys."""
    known, start, given = None, cost, seeds
    if cost is not None and all(v is not cost for v, _ in seeds):
        opaque = [*variables, *constants, *(v for v, _ in seeds), *keys]
        known = _known(cost, opaque) if not seeds and not has_hooks() else None
        start = stable([cost], opaque)[0] if known is None else known.start
        seeds = [*seeds, (start, ones_like(cost) if known is None else known.recall(ones_like, cost))]
    results = cotangents(seeds, variables, constant=constants, are_final=True, known=known)

    def again(n: int, keys: list[Any]) -> Any:
        (g,) = cotangents_of(by_keys([cost], keys)[0], [variables[n]], constants, given, keys)
        return g if isinstance(g, Variable) else zeros_like(variables[n])

    if start is not cost and not keys:
        _remember(results, again)
    return results


def derived(results: list[Any], expressions: list[Any], derive: Callable[[list[Any]], list[Any]]) -> list[Any]:
    """`results`, which are derive(expressions).  Where values are given for what gradients within the expressions pass
    by, they are those of expressions that do not (`by_keys`)."""
    _remember(results, lambda n, keys: derive(by_keys(expressions, keys))[n])
    return results


def _remember(results: list[Any], again: Callable[[int, list[Any]], Any]) -> None:
    """For `by_keys`: again(n, keys) is the nth of these where values are given for the keys."""
    for n, result in enumerate(results):
        if isinstance(result, Variable):
            result.__dict__["_anew"] = partial(again, n)


def _known(cost: Any, opaque: Iterable[Any]) -> Known | None:
    """What earlier gradients of this cost have built, if `stable` does with it the same whatever is opaque."""
    settings = config.floatX, config.int_division, config.cast_policy
    known: Known | None = cost.__dict__.get("_known_cotangents")
    if known is None or known.settings != settings:
        known = cost.__dict__["_known_cotangents"] = Known(settings, *stable([cost]))
    known.forget_given()
    return known if known.start is cost or all(v.owner is None for v in opaque) else None
