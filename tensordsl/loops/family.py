"""`map`, `reduce`, `foldl` and `foldr`: the loops that Theano writes by `scan`."""

from __future__ import annotations

from typing import Any

from tensordsl.loops.scan import scan


def map(
    fn: Any, sequences: Any, non_sequences: Any = None, truncate_gradient: int = -1, go_backwards: bool = False,
    mode: Any = None, name: str | None = None,
) -> tuple[Any, Any]:  # fmt: skip
    """`fn` of each element of the sequences; the results stacked, and updates, as by `scan`.

    >>> import tensordsl.tensor as T
    >>> map(lambda a: a**2, T.constant([1.0, 2.0]))[0].eval()
    array([1., 4.])
    """
    return scan(
        fn, sequences, [], non_sequences, truncate_gradient=truncate_gradient, go_backwards=go_backwards, name=name
    )


def reduce(
    fn: Any, sequences: Any, outputs_info: Any, non_sequences: Any = None, go_backwards: bool = False, mode: Any = None,
    name: str | None = None,
) -> tuple[Any, Any]:  # fmt: skip
    """The last results of a `scan`.

    >>> import tensordsl.tensor as T
    >>> reduce(lambda a, total: total + a, T.constant([1.0, 2.0]), 0)[0].eval()
    array(3.)
    """
    values, updates = scan(fn, sequences, outputs_info, non_sequences, go_backwards=go_backwards, name=name)
    if isinstance(values, list):
        return [v[-1] for v in values], updates
    return values[-1], updates


def foldl(
    fn: Any, sequences: Any, outputs_info: Any, non_sequences: Any = None, mode: Any = None, name: str | None = None
) -> tuple[Any, Any]:  # fmt: skip
    """`reduce` from the first element to the last."""
    return reduce(fn, sequences, outputs_info, non_sequences, False, mode, name)


def foldr(
    fn: Any, sequences: Any, outputs_info: Any, non_sequences: Any = None, mode: Any = None, name: str | None = None
) -> tuple[Any, Any]:  # fmt: skip
    """`reduce` from the last element to the first."""
    return reduce(fn, sequences, outputs_info, non_sequences, True, mode, name)
